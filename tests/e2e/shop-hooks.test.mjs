// What shop systems send, signed as they sign it, through the built Worker: from a paid order that carries
// a click token to the reward that is left after a refund. Payloads are those of core/fixtures/shop, moved
// to the test's own time.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DAY, HOUR, MINUTE, api, createProgram, instant, noon, root, runCronUntilDone, setClock, startWorker, until } from "./harness.mjs";
import { walk } from "./kv.mjs";
import { traces } from "./leaks.mjs";
import { startMiniflare } from "./miniflare.mjs";

const SETTLE = 10 * MINUTE;
const SECRET = "what the shop and we know";
const OLD = "an older secret of the shop";
const OTHERS = "what another shop and we know";
const SHOPS = {
  "haus-shopify": { shopify: [OLD, SECRET] },
  "haus-woo": { woocommerce: [SECRET] },
  "haus-shopware": { shopware: [SECRET] },
  "haus-viele": { shopify: [SECRET] },
  anderes: { shopify: [OTHERS] },
};

let worker;
before(async () => {
  worker = await startMiniflare({ vars: { SHOP_SECRETS: JSON.stringify(SHOPS) } });
});
after(() => worker?.stop());

// The moment of the fixtures' order.
const ORDERED = Date.parse("2026-11-03T08:20:10Z");
const written = (ms, text) => new Date(ms).toISOString().slice(0, text.length > 19 ? 23 : 19);

// A recorded payload, so many milliseconds later, with this click token.
function payload(name, token, later = noon() - ORDERED) {
  const text = readFileSync(join(root, `core/fixtures/shop/${name}.json`), "utf8");
  const moved = text
    .replaceAll("the click token", token)
    .replace(/"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:\d\d)?"/g, (_, time, zone) => {
      const at = written(Date.parse(`${time}${zone ?? "Z"}`) + later, time);
      return `"${at}${zone === undefined ? "" : "Z"}"`;
    });
  return moved.replace(/"timestamp": (\d+)/, (_, seconds) => `"timestamp": ${Number(seconds) + later / 1_000}`);
}

const mac = (secret, body, encoding) => createHmac("sha256", secret).update(body).digest(encoding);
const SIGNED = {
  shopify: (topic, body, secret) => ({ "x-shopify-topic": topic, "x-shopify-hmac-sha256": mac(secret, body, "base64"), "x-shopify-webhook-id": "b1a" }),
  woocommerce: (topic, body, secret) => ({ "x-wc-webhook-topic": topic, "x-wc-webhook-signature": mac(secret, body, "base64"), "x-wc-webhook-delivery-id": "7" }),
  shopware: (topic, body, secret) => ({ "shopware-shop-signature": mac(secret, body, "hex"), "sw-version": "6.7.4.0" }),
};

// Sends a message as the shop does.
function send(shop, program, [topic, body], { secret = SECRET, headers, to = worker } = {}) {
  const signed = headers ?? SIGNED[shop](topic, body, secret);
  return api(to)("POST", `/v1/hooks/${shop}/${program}`, body, { raw: true, headers: signed });
}

const facts = ({ body, status, text }) => {
  assert.equal(status, 200, text);
  return body.recorded.map(({ fact, repeated }) => (repeated ? `${fact} again` : fact));
};

async function story(program, order) {
  const answer = await program.server("GET", `/v1/conversions/${order}`);
  assert.equal(answer.status, 200, answer.text);
  const { status, reason, value } = answer.body.rewards.find((reward) => reward.for === "advocate");
  return { status, reason: reason ?? null, amount: value.amount, events: answer.body.events.map(({ type, amount }) => [type, amount ?? null]) };
}

// Who shops, and what of it must stay with the shop.
const PEOPLE = { "e-mail": "mia.sommer@example.org", "name": "Sommer", street: "Hafenweg 3", address: "203.0.113.7", "tracking number": "00340434161094042557" };

const STORIES = [
  {
    shop: "shopify",
    id: "haus-shopify",
    order: "5512340099001",
    paid: ["orders/paid", "shopify_orders_paid"],
    delivered: ["fulfillments/update", "shopify_fulfillments_update"],
    refunded: ["refunds/create", "shopify_refunds_create"],
    refund: ["refunded"],
    // The same delivery, told by another topic in other words.
    echo: ["fulfillment_events/create", "shopify_fulfillment_events_create"],
  },
  {
    shop: "woocommerce",
    id: "haus-woo",
    order: "10077",
    paid: ["order.created", "woocommerce_order_processing"],
    // One message of WooCommerce tells all that is so.
    delivered: ["order.updated", "woocommerce_order_processing", (body) => {
      const order = JSON.parse(body);
      order.meta_data.push({ id: 1, key: "_passalong_delivered_at", value: instant(noon() + 3 * DAY + 130 * MINUTE - 10_000) });
      return JSON.stringify(order);
    }],
    refunded: ["order.updated", "woocommerce_order_extended", (body) => {
      // The shop's code that extends the payload does so from the start.
      const { passalong, ...order } = JSON.parse(body);
      order.passalong = { refunds: passalong.refunds };
      return JSON.stringify(order);
    }],
    refund: ["conversion again", "delivered again", "refunded"],
  },
  {
    shop: "shopware",
    id: "haus-shopware",
    order: "018c7d7c7f7b71d5a9a6b2f0a1c3e5d7",
    placed: ["", "shopware_order_placed"],
    paid: ["", "shopware_transaction_paid"],
    delivered: ["", "shopware_order_completed"],
    refunded: ["", "shopware_transaction_refunded_partially"],
    refund: ["refunded"],
  },
];

for (const { shop, id, order, placed, paid, delivered, refunded, refund, echo } of STORIES) {
  test(`${shop}: an order with a click token is paid, delivered, paid back in part, and earns what is left`, async () => {
    await setClock(worker, noon() - HOUR);
    const program = await createProgram(worker, { id });
    const token = await program.click("10023", { channel: "whatsapp" });
    const message = ([topic, name, change = (body) => body]) => [topic, change(payload(name, token))];
    const twice = async (told, at, expected) => {
      await setClock(worker, at);
      assert.deepEqual(facts(await send(shop, id, message(told))), expected, told[1]);
      await setClock(worker, at + 2 * MINUTE);
      const again = expected.map((fact) => `${fact.replace(" again", "")} again`);
      assert.deepEqual(facts(await send(shop, id, message(told))), again, told[1]);
    };
    if (placed) {
      await setClock(worker, noon() + 5_000);
      const answer = await send(shop, id, message(placed));
      assert.deepEqual([answer.status, answer.body], [200, { recorded: [], ignored: "the order is not paid yet" }]);
    }
    await twice(paid, noon() + MINUTE, ["conversion"]);
    assert.equal((await story(program, order)).amount, 998);
    await twice(delivered, noon() + 3 * DAY + 3 * HOUR, shop === "woocommerce" ? ["conversion again", "delivered"] : ["delivered"]);
    if (echo) assert.match((await send(shop, id, message(echo))).body.ignored, /first report stands/);
    await twice(refunded, noon() + 7 * DAY + 5 * HOUR, refund);
    await runCronUntilDone(worker);
    const settles = noon() + 3 * DAY + 130 * MINUTE + 21 * DAY;
    await setClock(worker, settles - HOUR);
    await runCronUntilDone(worker);
    const events = [["delivered", null], ["refunded", 1121]];
    assert.deepEqual(await story(program, order), { status: "pending", reason: "hold", amount: 774, events });
    await setClock(worker, settles + SETTLE + MINUTE);
    await runCronUntilDone(worker);
    // 20 % of 49.90 − 11.21.
    assert.deepEqual(await story(program, order), { status: "approved", reason: null, amount: 774, events });
    // All of it once more, a month later, changes nothing.
    for (const told of [paid, delivered, refunded]) {
      assert.ok(facts(await send(shop, id, message(told))).every((fact) => fact.endsWith(" again")));
    }
    await runCronUntilDone(worker);
    assert.deepEqual(await story(program, order), { status: "approved", reason: null, amount: 774, events });
    const { totals, referrals } = await program.me("10023");
    assert.deepEqual([totals.purchases, totals.approved, referrals.length], [1, 1, 1]);
    assert.deepEqual(totals.earned, [{ kind: "credit", amount: 774, currency: "EUR", count: 1 }]);
  });
}

test("an order that is sent ten times at once is one order", async () => {
  await setClock(worker, noon() - HOUR);
  const program = await createProgram(worker, { id: "haus-viele" });
  const body = payload("shopify_orders_paid", await program.click("10023"));
  await setClock(worker, noon() + MINUTE);
  const answers = await Promise.all(Array.from({ length: 10 }, () => send("shopify", "haus-viele", ["orders/paid", body])));
  assert.ok(answers.every(({ status, body: { recorded } }) => status === 200 && recorded[0].attributed), JSON.stringify(answers[0].body));
  await setClock(worker, noon() + 40 * DAY);
  await runCronUntilDone(worker);
  const { body: { rewards } } = await program.server("GET", `/v1/rewards?from=${instant(noon()).slice(0, 10)}`);
  assert.deepEqual(rewards.map(({ order_id, status, value }) => [order_id, status, value.amount]), [["5512340099001", "approved", 998]]);
});

describe("who is believed", () => {
  const path = "haus-shopify";
  const order = () => ["orders/paid", payload("shopify_orders_paid", "none").replaceAll("5512340099001", "77")];
  before(() => setClock(worker, noon() + MINUTE));

  test("the shop alone, by its signature over what it sent, for its own program", async () => {
    const [topic, body] = order();
    const good = SIGNED.shopify(topic, body, SECRET);
    for (const [what, answer, status, detail] of [
      ["another secret", await send("shopify", path, [topic, body], { secret: OTHERS }), 401, /wrong signature/],
      ["a changed body", await send("shopify", path, [topic, body.replace('"12.45"', '"99.45"')], { headers: good }), 401, /wrong signature/],
      ["the same JSON, written otherwise", await send("shopify", path, [topic, JSON.stringify(JSON.parse(body))], { headers: good }), 401, /wrong signature/],
      ["no signature", await send("shopify", path, [topic, body], { headers: {} }), 401, /signature is missing/],
      ["half a signature", await send("shopify", path, [topic, body], { headers: { ...good, "x-shopify-hmac-sha256": "abc" } }), 401, /signature is malformed/],
      ["another program", await send("shopify", "anderes", [topic, body], { headers: good }), 401, /wrong signature/],
      ["an unknown program", await send("shopify", "nirgends", [topic, body], { headers: good }), 404, /no shopify shop is connected/],
      ["another shop system", await send("woocommerce", path, ["order.updated", body]), 404, /no woocommerce shop is connected/],
      ["no shop system", await send("shopify", `${path}/x`, [topic, body]), 404, /no such route/],
    ]) {
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [status, "application/problem+json"], `${what}: ${answer.text}`);
      assert.match(answer.body.detail, detail, what);
    }
    const key = await api(worker, "sk_x")("POST", `/v1/hooks/shopify/${path}`, {});
    assert.equal(key.status, 401, "a key is no signature");
    assert.deepEqual(facts(await send("shopify", path, [topic, body], { secret: OLD })), ["conversion"], "a secret that is being rotated");
  });

  test("a large order is taken, a larger one is not, and nothing else may be large", async () => {
    const [topic, body] = order();
    const sized = (bytes) => body.replace('"note": null', () => `"note": ${JSON.stringify("x".repeat(bytes))}`);
    assert.deepEqual(facts(await send("shopify", path, [topic, sized(400_000)])), ["conversion again"]);
    const large = await send("shopify", path, [topic, sized(530_000)]);
    assert.deepEqual([large.status, large.body.code], [413, "too_large"], large.text);
    const other = await api(worker, "sk_x")("POST", "/v1/conversions", { x: "x".repeat(70_000) });
    assert.ok([401, 413].includes(other.status), other.text);
    const clock = await api(worker, "op_x")("POST", "/v1/clock", { x: "x".repeat(70_000) });
    assert.equal(clock.status, 401);
  });

  test("WooCommerce's ping is answered, and other words without a signature are not", async () => {
    const ping = (body) => api(worker)("POST", "/v1/hooks/woocommerce/haus-woo", body, { raw: true, headers: { "content-type": "application/x-www-form-urlencoded" } });
    const right = await ping("webhook_id=3");
    assert.deepEqual([right.status, right.body], [200, { recorded: [], ignored: "a ping" }]);
    assert.equal((await ping("webhook_id=3&x=1")).status, 401);
  });
});

test("without SHOP_SECRETS, or with malformed ones, the shops alone are refused, and the log says why", async () => {
  for (const [vars, status, logged] of [
    [{}, 404, false],
    [{ SHOP_SECRETS: '{"teehaus": {"shopify": ["short"]}}' }, 500, true],
  ]) {
    const other = await startMiniflare({ vars });
    try {
      const answer = await api(other)("POST", "/v1/hooks/shopify/teehaus", "{}", { raw: true });
      assert.equal(answer.status, status, answer.text);
      assert.equal((await api(other)("GET", "/healthz")).status, 200);
      if (logged) await until(() => other.logs.some((line) => line.includes("SHOP_SECRETS teehaus.shopify has a secret that is no text")), { what: "the line in the log" });
      assert.ok(!other.logs.join().includes("short"), "the log does not repeat a secret");
    } finally {
      await other.stop();
    }
  }
});

test("nothing of the customer's is kept or logged", async () => {
  const other = await startWorker({ vars: { SHOP_SECRETS: JSON.stringify(SHOPS) } });
  try {
    await setClock(other, noon() - HOUR);
    const program = await createProgram(other, { id: "haus-shopify" });
    const token = await program.click("10023");
    await setClock(other, noon() + 7 * DAY + 5 * HOUR);
    const [{ paid, delivered, refunded }] = STORIES;
    for (const [topic, name] of [paid, delivered, refunded]) {
      assert.equal(facts(await send("shopify", "haus-shopify", [topic, payload(name, token)], { to: other })).length, 1);
    }
  } finally {
    await other.stop();
  }
  const kv = Object.fromEntries((await walk(other.persistDir)).map((entry) => [entry.name, JSON.stringify(entry)]));
  assert.ok(Object.keys(kv).some((name) => name.startsWith("order/haus-shopify/")), Object.keys(kv).join());
  assert.deepEqual(traces(kv, PEOPLE), []);
  assert.deepEqual(traces({ log: other.logs.join("\n") }, { ...PEOPLE, secret: SECRET }), []);
});
