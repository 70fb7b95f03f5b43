// What is limited, and who is not: with the platform's limiters as deployed, and without them, where each
// isolate counts by itself. Numbers are those of wrangler.toml; an isolate lets the first few of a minute
// through unasked, and a test may fall into two minutes, so what is let through is bounded, not exact.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PERSON, api, createProgram, root, secrets, startWorker, until } from "./harness.mjs";
import { walk } from "./kv.mjs";

const deployed = readFileSync(join(root, "wrangler.toml"), "utf8");
const limit = (name) => Number(new RegExp(`name = "${name}"[^[]*limit = (\\d+)`).exec(deployed)[1]);
// What an isolate lets through without asking, in each of two minutes.
const most = (number) => 2 * (number + 3);

const visit = (worker, path, { from = "203.0.113.7", agent = PERSON } = {}) =>
  api(worker)("GET", path, undefined, { headers: { "user-agent": agent, "cf-connecting-ip": from } });

const hasToken = (answer) => answer.status === 302 && /[?&]pa=[\w-]{35}/.test(answer.headers.get("location"));
const isCounted = (answer) => answer.headers.get("x-passalong-uncounted") === null;

// Sends requests, eight at a time, until both are over; returns the answers.
async function loop(send, { requests, ms = 0 }) {
  const answers = [];
  const end = Date.now() + ms;
  const one = async () => {
    for (let n = answers.push(null); n <= requests || Date.now() < end; n = answers.push(null)) answers[n - 1] = await send(n);
    answers.pop();
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return answers.filter(Boolean);
}

const clicksOf = (program, customer, wanted) =>
  until(
    async () => {
      const { clicks } = (await program.me(customer)).totals;
      return clicks >= wanted && clicks;
    },
    { what: `${wanted} clicks of ${customer}`, every: 500 },
  );

for (const [how, limits] of [
  ["with the platform's limiters", undefined],
  ["with no limiter bound", null],
]) describe(how, () => {
  let worker;
  // How many writes the clicks of a program may have cost.
  const writes = new Map();
  before(async () => {
    worker = await startWorker({ vars: { RATE_LIMITS: "on" }, limits });
  });
  after(() => worker?.stop());

  test("a loop on one link is one visitor, and one write", async () => {
    const program = await createProgram(worker);
    const path = `/r/${program.id}/${await program.code("10023")}/whatsapp`;
    // Over several batches, which are a second each.
    const answers = await loop(() => visit(worker, path), { requests: 400, ms: 4_000 });
    assert.ok(answers.length >= 400);
    assert.deepEqual(answers.filter((answer) => !hasToken(answer)), [], "everybody is redirected, with a token");
    assert.equal(await clicksOf(program, "10023", 1), 1);
    writes.set(program.id, 1);
  });

  test("a loop that pretends to be many is cut off, and what is counted is right", async () => {
    const program = await createProgram(worker);
    const [code, other] = [await program.code("10023"), await program.code("10024")];
    const began = Date.now();
    const path = `/r/${program.id}/${code}`;
    // A home changes the lower half of its IPv6 address at will.
    const from = (n) => `2001:db8:7:7::${n.toString(16)}`;
    const answers = await loop((n) => visit(worker, path, { agent: `${PERSON} ${n}`, from: from(n) }), { requests: 300, ms: 3_000 });
    assert.deepEqual(answers.filter((answer) => !hasToken(answer)), [], "everybody is redirected, with a token");
    const counted = answers.filter(isCounted).length;
    assert.ok(counted >= limit("LIMIT_CLICKS") && counted <= most(limit("LIMIT_CLICKS")), `${counted} of ${answers.length} counted`);
    assert.ok(answers.filter((answer) => answer.headers.get("x-passalong-uncounted") === "rate_limited").length === answers.length - counted);
    // Meanwhile others are counted: elsewhere on the same link, and here on another.
    const others = [await visit(worker, path, { from: "2001:db8:7:8::1" }), await visit(worker, `/r/${program.id}/${other}`, { from: from(1) })];
    assert.ok(others.every((answer) => hasToken(answer) && isCounted(answer)));
    assert.equal(await clicksOf(program, "10023", counted + 1), counted + 1);
    assert.equal(await clicksOf(program, "10024", 1), 1);
    // One a second, one of the other link, one begun late.
    writes.set(program.id, 3 + (Date.now() - began) / 1000);
  });

  test("wrong codes from one address are limited, good ones from there are not", async () => {
    const program = await createProgram(worker);
    const wrong = `/r/${program.id}/${"0".repeat(26)}`;
    const answers = await loop(() => visit(worker, wrong), { requests: most(limit("LIMIT_CODES")) + 20 });
    const redirected = answers.filter((answer) => answer.status === 302);
    const refused = answers.filter((answer) => answer.status === 429);
    assert.equal(redirected.length + refused.length, answers.length);
    assert.ok(redirected.length >= limit("LIMIT_CODES") && refused.length > 0, `${redirected.length} redirected`);
    for (const answer of refused) {
      assert.deepEqual([answer.headers.get("retry-after"), answer.headers.get("location"), answer.body.code], ["60", null, "rate_limited"]);
    }
    const good = await visit(worker, `/r/${program.id}/${await program.code("10023")}`);
    assert.ok(hasToken(good) && isCounted(good));
    assert.equal((await visit(worker, wrong, { from: "203.0.113.8" })).status, 302);
  });

  test("a customer asks as often as a person would", async () => {
    const program = await createProgram(worker);
    const headers = { "cf-connecting-ip": "203.0.113.7", origin: "https://shop.example" };
    const anna = api(worker, program.token("10023"));
    const answers = await loop(() => anna("GET", "/v1/me", undefined, { headers }), { requests: most(limit("LIMIT_CUSTOMER")) + 20 });
    assert.ok(answers.filter((answer) => answer.status === 200).length >= limit("LIMIT_CUSTOMER"));
    const refused = answers.filter((answer) => answer.status === 429);
    assert.ok(refused.length > 0);
    for (const answer of refused) {
      assert.deepEqual([answer.headers.get("retry-after"), answer.body.code], ["60", "rate_limited"]);
      assert.equal(answer.headers.get("access-control-allow-origin"), "*", "the widget may read it");
      assert.match(answer.headers.get("access-control-expose-headers"), /retry-after/);
      assert.match(answer.headers.get("server-timing"), /kv_list;dur=0/, "nothing was read");
    }
    const shares = await loop(() => anna("POST", "/v1/me/shares", { channel: "copy" }, { headers }), { requests: most(limit("LIMIT_CUSTOMER")) });
    assert.ok(shares.some((answer) => answer.status === 429), "nor are shares written without end");
    assert.equal((await api(worker, program.token("20871"))("GET", "/v1/me", undefined, { headers })).status, 200, "another customer of the same house");
  });

  test("wrong keys from one address are limited, the right one opens from there", async () => {
    const program = await createProgram(worker);
    const from = (address) => ({ headers: { "cf-connecting-ip": address } });
    const wrong = [`sk_${program.id}_1_${"0".repeat(32)}`, "sk_x", "op_1_x"];
    const guess = (n) => api(worker, wrong[n % 3])(n % 3 === 2 ? "POST" : "GET", n % 3 === 2 ? "/v1/cron" : "/v1/rewards", undefined, from("198.51.100.4"));
    const answers = await loop(guess, { requests: most(limit("LIMIT_KEYS")) + 20 });
    const statuses = (status) => answers.filter((answer) => answer.status === status);
    assert.equal(statuses(401).length + statuses(429).length, answers.length);
    assert.ok(statuses(401).length >= limit("LIMIT_KEYS") && statuses(429).length > 0, `${statuses(401).length} of ${answers.length} refused with 401`);
    assert.ok(statuses(429).every((answer) => answer.headers.get("retry-after") === "60"));
    assert.equal((await program.server("GET", "/v1/rewards", undefined, from("198.51.100.4"))).status, 200);
    assert.equal((await api(worker, secrets.operator_key)("POST", "/v1/cron", undefined, from("198.51.100.4"))).status, 200);
    assert.equal((await api(worker, wrong[0])("GET", "/v1/rewards", undefined, from("198.51.100.5"))).status, 401);
  });

  test("a class that opens a link on the school's address is counted whole", async () => {
    const program = await createProgram(worker);
    const path = `/r/${program.id}/${await program.code("10023")}/whatsapp`;
    const pupils = Array.from({ length: limit("LIMIT_CLICKS") }, (_, n) => ({ from: "198.51.100.7", agent: `${PERSON} ${n}` }));
    const answers = await Promise.all(pupils.map((pupil) => visit(worker, path, pupil)));
    assert.ok(answers.every((answer) => hasToken(answer) && isCounted(answer)));
    assert.equal(await clicksOf(program, "10023", pupils.length), pupils.length);
  });

  test("what clicks cost in writes is bounded, however many there were", async () => {
    await worker.stop();
    const batches = await walk(worker.persistDir, "click/");
    assert.ok(writes.size > 0);
    for (const [id, bound] of writes) {
      const count = batches.filter(({ name }) => name.startsWith(`click/${id}/`)).length;
      assert.ok(count >= 1 && count <= bound, `${count} writes, at most ${bound}`);
    }
  });
});

test("the numbers are those of the bound limiters", async () => {
  const worker = await startWorker({ vars: { RATE_LIMITS: "on" }, limits: { LIMIT_KEYS: 1000, LIMIT_CUSTOMER: 5 } });
  const program = await createProgram(worker);
  const wrong = await loop(() => api(worker, "sk_x")("GET", "/v1/rewards"), { requests: most(limit("LIMIT_KEYS")) + 20 });
  assert.deepEqual(wrong.filter((answer) => answer.status !== 401), []);
  const me = await loop(() => program.customer("10023")("GET", "/v1/me"), { requests: 40 });
  assert.ok(me.filter((answer) => answer.status === 200).length <= most(5));
  await worker.stop();
});

test("switched off, nobody is limited", async () => {
  const worker = await startWorker({ vars: { RATE_LIMITS: "off" } });
  const answers = await loop(() => api(worker, "sk_x")("GET", "/v1/rewards"), { requests: most(limit("LIMIT_KEYS")) + 20 });
  assert.deepEqual(answers.filter((answer) => answer.status !== 401), []);
  await worker.stop();
});
