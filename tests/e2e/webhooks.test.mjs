// Webhooks through the built Worker and over real HTTP: what a receiver gets, checked by the standard's own
// library. Everything is claimed twice, with the outbox alone and with the queue that wrangler.toml offers.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { DAY, HOUR, MINUTE, createProgram, freePort, instant, noon, runCronUntilDone, setClock, until } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

// A receiver that answers what `answer` says of each request (a status, or nothing at all) and remembers all.
async function startReceiver(answer = () => 204) {
  const received = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString();
      const one = { at: Date.now(), method: request.method, path: request.url, headers: request.headers, body };
      received.push(one);
      const status = server.answer(one, received.length);
      if (status === null) return;
      response.writeHead(status, status === 302 ? { location: server.elsewhere } : {}).end("thank you");
    });
  });
  server.answer = answer;
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/hooks`, received, server, stop };
}

const parsed = ({ body }) => JSON.parse(body);
const ids = (received) => new Set(received.map(({ headers }) => headers["webhook-id"]));

for (const queue of [false, true]) {
  describe(queue ? "with a queue" : "without a queue", () => {
    let worker;
    const receivers = [];
    before(async () => {
      worker = await startMiniflare({ queue });
    });
    after(async () => {
      for (const receiver of receivers) receiver.stop();
      await worker?.stop();
    });

    async function begin(answer, request = {}) {
      await setClock(worker, noon());
      const program = await createProgram(worker);
      const receiver = await startReceiver(answer);
      receivers.push(receiver);
      const made = await program.server("POST", "/v1/webhooks", { url: receiver.url, ...request });
      assert.equal(made.status, 201, made.text);
      return { program, receiver, endpoint: made.body };
    }

    // The first `count` messages, each verified by the library.
    async function messages(receiver, secret, count) {
      await until(() => receiver.received.length >= count, { what: `${count} messages` });
      const verifier = new Webhook(secret);
      for (const { method, headers, body } of receiver.received) {
        assert.equal(method, "POST");
        assert.equal(headers["content-type"], "application/json");
        assert.match(headers["user-agent"], /^Passalong\/\d/);
        verifier.verify(body, headers);
        assert.throws(() => verifier.verify(body.replace("type", "typo"), headers), /signature/);
        assert.throws(() => verifier.verify(body, { ...headers, "webhook-id": "msg_other" }), /signature/);
      }
      assert.equal(receiver.received.length, count);
      return receiver.received.map(parsed);
    }

    test("an order and all that becomes of it reaches the shop, signed as the standard says", async () => {
      const { program, receiver, endpoint } = await begin();
      const token = await program.click("10023");
      const order = await program.order({ order_id: "A-1", token });
      assert.equal(order.status, 201);
      const [recorded] = await messages(receiver, endpoint.secret, 1);
      assert.deepEqual(recorded, { type: "conversion.recorded", timestamp: instant(noon()), data: order.body });
      assert.equal((await program.order({ order_id: "A-1", token })).status, 409, "another friend");
      await setClock(worker, noon() + 31 * DAY);
      await runCronUntilDone(worker);
      const story = async () => (await program.server("GET", "/v1/conversions/A-1")).body.rewards[0];
      assert.deepEqual((await messages(receiver, endpoint.secret, 2))[1].data, await story());
      const { id } = await story();
      await program.server("POST", `/v1/rewards/${id}/fulfil`, { reference: "voucher 881" });
      const fulfilled = (await messages(receiver, endpoint.secret, 3))[2];
      assert.deepEqual([fulfilled.type, fulfilled.data], ["reward.fulfilled", await story()]);
      await program.event("A-1", { type: "refunded", amount: 990 });
      const reversed = (await messages(receiver, endpoint.secret, 4))[3];
      assert.deepEqual([reversed.type, reversed.data], ["reward.reversed", await story()]);
      assert.equal(reversed.data.customer_id, "10023");
      const log = (await program.server("GET", `/v1/webhooks/${endpoint.id}/deliveries`)).body.deliveries;
      assert.equal(log.length, 4);
      assert.ok(log.every(({ delivered, status, attempt }) => delivered && status === 204 && attempt === 1));
    });

    test("what fails is sent again after five seconds, and then when the cron finds it due", async () => {
      const { program, receiver, endpoint } = await begin((_, count) => (count < 3 ? 503 : 204));
      await program.order({ order_id: "A-1" });
      await messages(receiver, endpoint.secret, 2);
      const [first, second] = receiver.received;
      const waited = second.at - first.at;
      assert.ok(waited >= 4_900 && waited < 15_000, `${waited} ms`);
      const log = async () => (await program.server("GET", `/v1/webhooks/${endpoint.id}/deliveries`)).body.deliveries;
      await until(async () => (await log()).length === 2, { what: "the log" });
      if (queue) return;
      await runCronUntilDone(worker);
      assert.equal(receiver.received.length, 2, "not yet");
      await setClock(worker, noon() + 10 * MINUTE);
      await runCronUntilDone(worker);
      await messages(receiver, endpoint.secret, 3);
      assert.equal(ids(receiver.received).size, 1);
      assert.deepEqual((await log()).map(({ attempt, status }) => [attempt, status]), [[3, 204], [2, 503], [1, 503]]);
      await setClock(worker, noon() + HOUR);
      await runCronUntilDone(worker);
      assert.equal(receiver.received.length, 3, "and no more");
    });

    test("a receiver that answers 410 is left alone until it is enabled", async () => {
      const { program, receiver, endpoint } = await begin(() => 410);
      await program.order({ order_id: "A-1" });
      const shown = async () => (await program.server("GET", "/v1/webhooks")).body.webhooks[0];
      await until(async () => (await shown()).disabled_at !== null, { what: "the endpoint to be disabled" });
      await program.order({ order_id: "A-2" });
      receiver.server.answer = () => 204;
      assert.equal((await program.server("POST", `/v1/webhooks/${endpoint.id}/enable`)).body.disabled_at, null);
      await program.order({ order_id: "A-3" });
      await until(() => receiver.received.length >= 2, { what: "the third order" });
      assert.deepEqual(receiver.received.map((one) => parsed(one).data.order_id), ["A-1", "A-3"]);
      const replayed = await program.server("POST", `/v1/webhooks/${endpoint.id}/replay`, { since: instant(noon()) });
      assert.deepEqual(replayed.body, { messages: 3, cursor: null });
      await setClock(worker, noon() + 10 * MINUTE);
      await runCronUntilDone(worker);
      await until(() => ids(receiver.received).size === 3, { what: "all three" });
      const [{ headers }] = receiver.received;
      const before = receiver.received.length;
      const one = await program.server("POST", `/v1/webhooks/${endpoint.id}/replay`, { message_id: headers["webhook-id"] });
      assert.equal(one.body.messages, 1);
      await until(() => receiver.received.length > before, { what: "the first once more" });
      assert.equal(receiver.received.at(-1).headers["webhook-id"], headers["webhook-id"]);
    });

    test("while its secret changes a message is good for either, and a lost one for neither", async () => {
      const { program, receiver, endpoint } = await begin();
      const rotate = async (overlap_hours) =>
        (await program.server("POST", `/v1/webhooks/${endpoint.id}/rotate`, { overlap_hours })).body.secret;
      const second = await rotate(24);
      await program.order();
      await messages(receiver, endpoint.secret, 1);
      await messages(receiver, second, 1);
      const third = await rotate(0);
      await program.order();
      await until(() => receiver.received.length === 2, { what: "the second order" });
      const { body, headers } = receiver.received[1];
      new Webhook(third).verify(body, headers);
      for (const lost of [endpoint.secret, second]) assert.throws(() => new Webhook(lost).verify(body, headers), /signature/);
    });

    test("a test message says what came of it; a redirect is not followed, and silence ends after ten seconds", async () => {
      const { program, receiver, endpoint } = await begin();
      const aside = await startReceiver();
      receivers.push(aside);
      const send = async () => (await program.server("POST", `/v1/webhooks/${endpoint.id}/test`)).body;
      const good = await send();
      assert.deepEqual([good.delivered, good.status, good.error], [true, 204, null]);
      const [message] = await messages(receiver, endpoint.secret, 1);
      assert.deepEqual([message.type, message.data], ["test", { endpoint: endpoint.id, program: program.id }]);
      receiver.server.elsewhere = aside.url;
      receiver.server.answer = () => 302;
      const redirected = await send();
      assert.deepEqual([redirected.delivered, redirected.status], [false, 302]);
      assert.deepEqual(aside.received, []);
      receiver.server.answer = () => null;
      const silent = await send();
      assert.deepEqual([silent.delivered, silent.status, silent.error], [false, null, "timed_out"]);
      assert.ok(silent.duration_ms >= 9_900 && silent.duration_ms < 20_000, `${silent.duration_ms}`);
      receiver.stop();
      const gone = await program.server("POST", "/v1/webhooks", { url: `http://127.0.0.1:${await freePort()}/` });
      const nobody = (await program.server("POST", `/v1/webhooks/${gone.body.id}/test`)).body;
      assert.deepEqual([nobody.delivered, nobody.status, nobody.error], [false, null, "unreachable"]);
    });

    test("the shop does not wait for a slow receiver", async () => {
      const { program, receiver } = await begin(() => null);
      const began = Date.now();
      assert.equal((await program.order()).status, 201);
      assert.ok(Date.now() - began < 5_000);
      await until(() => receiver.received.length === 1, { what: "the attempt" });
    });
  });
}

test("outside of the demo only public names by https are taken", async () => {
  const worker = await startMiniflare({ vars: { TEST_CLOCK: "off" } });
  try {
    const program = await createProgram(worker);
    const add = (url) => program.server("POST", "/v1/webhooks", { url });
    for (const url of [worker.url, "http://127.0.0.1:8080/", "https://127.0.0.1/", "https://2130706433/", "https://[::1]/", "https://localhost/", "https://nas.local/", "https://user@shop.example/", "https://shop.example:8443/", "http://shop.example/"]) {
      const answer = await add(url);
      assert.deepEqual([answer.status, answer.body.code, answer.body.field], [400, "invalid_field", "url"], url);
    }
    assert.equal((await add("https://shop.example/hooks")).status, 201);
  } finally {
    await worker.stop();
  }
});
