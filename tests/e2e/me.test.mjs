// What a customer sees of their own, and what each endpoint costs in KV operations. The costs are part
// of the design: a change of one of these numbers is a change of the price per million.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DAY, PERSON, api, createProgram, instant, kvOperations, noon, runCronUntilDone, setClock, startWorker, unique, until } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

async function begin(overrides) {
  await setClock(worker, noon());
  return createProgram(worker, overrides);
}

test("a customer sees their link, the offer and nothing else at first", async () => {
  const program = await begin();
  const me = await program.me("10023");
  assert.deepEqual(me.program, { id: program.id, name: "Teehaus Nord", currency: "EUR", time_zone: "Europe/Berlin", address: "du" });
  assert.equal(me.code, await program.code("10023"), "the same code everywhere");
  assert.equal(me.link, `${worker.url}/r/${program.id}/${me.code}`);
  assert.deepEqual(me.referrals, []);
  assert.deepEqual([me.totals.clicks, me.totals.signups, me.totals.purchases, me.totals.pending, me.totals.approved], [0, 0, 0, 0, 0]);
  assert.equal(me.as_of, instant(noon()));
  assert.equal(me.test_clock, true);
  assert.deepEqual(me.channels, ["whatsapp", "native", "email", "sms", "telegram", "x", "facebook", "linkedin", "xing"]);
  assert.equal(me.offer.hold_days, 21);
});

test("a referral appears newest first, without any id of friend, order or customer", async () => {
  const program = await begin();
  for (const n of [1, 2, 3]) {
    await setClock(worker, noon() + n * 60_000);
    await program.order({ order_id: `order-${n}-secret`, customer_id: `friend-${n}-secret`, amount: 1000 * n, token: await program.click("10023-secret") });
  }
  const answer = await program.customer("10023-secret")("GET", "/v1/me");
  assert.deepEqual(answer.body.referrals.map(({ number, occurred_at }) => [number, occurred_at]), [
    [3, instant(noon() + 180_000)],
    [2, instant(noon() + 120_000)],
    [1, instant(noon() + 60_000)],
  ]);
  assert.doesNotMatch(answer.text, /secret/);
  assert.deepEqual([answer.body.totals.purchases, answer.body.totals.pending], [3, 3]);
});

test("a refused referral is listed with its reason", async () => {
  const program = await begin();
  await program.order({ customer_id: "10023", token: await program.click("10023") });
  const { referrals } = await program.me("10023");
  assert.deepEqual(referrals.map(({ reward: { status, reason } }) => [status, reason]), [["refused", "self_referral"]]);
});

test("a share is acknowledged after it was kept", async () => {
  const program = await begin();
  const answer = await program.customer("10023")("POST", "/v1/me/shares", { channel: "whatsapp" });
  assert.equal(answer.status, 204);
  assert.equal(answer.text, "");
  const unknown = await program.customer("10023")("POST", "/v1/me/shares", { channel: "brieftaube" });
  assert.deepEqual([unknown.status, unknown.body.code, unknown.body.field], [400, "invalid_field", "channel"]);
});

test("the offer names the terms, and says whether a click token proves a referral", async () => {
  const program = await begin();
  const offer = async (query) => (await api(worker)("GET", `/v1/offer?${query}`)).body;
  const plain = await offer(`program=${program.id}`);
  assert.deepEqual(plain.friend, { kind: "percent_off", basis_points: 1000 });
  assert.deepEqual(plain.advocate, { kind: "percent_of_order", basis_points: 2000 });
  assert.deepEqual([plain.referred, plain.from, plain.landing_url], [false, null, "https://shop.example/willkommen"]);
  const pa = await program.click("10023");
  const referred = await offer(`program=${program.id}&pa=${pa}`);
  assert.deepEqual([referred.referred, referred.reason], [true, null]);
  const forged = await offer(`program=${program.id}&pa=${pa.slice(0, -1)}`);
  assert.deepEqual([forged.referred, forged.reason], [false, "invalid_token"]);
  await setClock(worker, noon() + 30 * DAY + 1000);
  const late = await offer(`program=${program.id}&pa=${pa}`);
  assert.deepEqual([late.referred, late.reason], [false, "outside_window"]);
});

test("new terms are valid ten minutes later, everywhere", async () => {
  const program = await begin();
  const { version, valid_from, ...terms } = (await program.server("GET", "/v1/program")).body;
  assert.deepEqual([version, valid_from], [1, instant(noon())]);
  await setClock(worker, noon() + 3_600_000);
  const put = await program.server("PUT", "/v1/program", { ...terms, name: "Teehaus Süd" });
  assert.equal(put.status, 200, put.text);
  const from = Date.parse(put.body.valid_from);
  assert.ok(from - worker.now() >= 600_000 && from - worker.now() <= 660_000, put.body.valid_from);
  assert.deepEqual([put.body.version, put.body.name], [2, "Teehaus Süd"]);
  await setClock(worker, from - 1000);
  assert.equal((await program.me("10023")).program.name, "Teehaus Nord");
  await setClock(worker, from);
  assert.equal((await program.me("10023")).program.name, "Teehaus Süd");
});

// The cheaper of two: the list of programs, once a minute for everything together, may fall on one.
async function cost(send) {
  const answers = [await send(0), await send(1)];
  const [one, two] = answers.map((answer) => {
    assert.ok(answer.status < 400, answer.text);
    return kvOperations(answer);
  });
  return Object.fromEntries(["read", "write", "list"].map((kind) => [kind, Math.min(one[kind], two[kind])]));
}

test("each endpoint costs what the design says", async () => {
  const program = await begin();
  const visit = (path, agent = PERSON) => () => api(worker)("GET", path, undefined, { headers: { "user-agent": agent } });
  const code = await program.code("10023");
  const token = await program.click("10023");
  const rewards = [];
  for (const order_id of ["A-1", "A-2"]) {
    const { body } = await program.order({ order_id, customer_id: `friend-of-${order_id}`, token, occurred_at: instant(noon()) });
    rewards.push(body.rewards[0].id);
  }
  const terms = (await program.server("GET", "/v1/program")).body;
  const costs = {
    "follow a link": await cost(visit(`/r/${program.id}/${code}`)),
    "follow a forged link": await cost(visit(`/r/${program.id}/${"0".repeat(26)}`)),
    "offer": await cost(visit(`/v1/offer?program=${program.id}`)),
    "offer with a click token": await cost(visit(`/v1/offer?program=${program.id}&pa=${token}`)),
    "me, first time": await cost((n) => program.customer(`new-${n}`)("GET", "/v1/me")),
    "me": await cost(() => program.customer("10023")("GET", "/v1/me")),
    "share": await cost(() => program.customer("10023")("POST", "/v1/me/shares", { channel: "copy" })),
    "codes of two": await cost((n) => program.server("POST", "/v1/codes", { customer_ids: [`a-${n}`, `b-${n}`] })),
    "order without a referral": await cost(() => program.order()),
    "order with a referral": await cost(() => program.order({ token })),
    "order by a guest with two hints": await cost((n) =>
      program.order({ customer_id: undefined, hints: [`${n}a`, `${n}b`].map((hex) => hex.repeat(32)), token })),
    "order, repeated": await cost(() => program.order({ order_id: "A-1", customer_id: "friend-of-A-1", token, occurred_at: instant(noon()) })),
    "event": await cost((n) => program.event("A-1", { event_id: `d${n}` })),
    "event, repeated": await cost(() => program.event("A-1", { event_id: "d0" })),
    "event before its order": await cost(() => program.event(unique("early"))),
    "an order's story": await cost(() => program.server("GET", "/v1/conversions/A-1")),
    "rewards": await cost(() => program.server("GET", "/v1/rewards")),
    "program": await cost(() => program.server("GET", "/v1/program")),
    "program, changed": await cost((n) => program.server("PUT", "/v1/program", { ...terms, name: `Neu ${n}` })),
    "export": await cost(() => program.server("POST", "/v1/customers/export", { customer_id: "10023" })),
    "health": await cost(visit("/healthz")),
  };
  await setClock(worker, noon() + 31 * DAY);
  await runCronUntilDone(worker);
  costs.fulfil = await cost((n) => program.server("POST", `/v1/rewards/${rewards[n]}/fulfil`, { reference: "voucher 881" }));
  costs.erase = await cost((n) => program.server("POST", "/v1/customers/erase", { customer_id: `new-${n}` }));
  const text = Object.fromEntries(Object.entries(costs).map(([name, { read, write, list }]) => [name, `${read} ${write} ${list}`]));
  // Reads, writes (with deletes), lists.
  assert.deepEqual(text, COSTS);
});

const COSTS = {};

// Facts of one advocate, as many as fill a page of KV's list: sent in parallel, since only their number matters.
async function fillLedger(program, facts) {
  const token = await program.click("10023");
  const jobs = Array.from({ length: facts }, (_, n) => n);
  const worker10 = async () => {
    for (let n = jobs.pop(); n !== undefined; n = jobs.pop()) {
      const answer = await program.order({ order_id: `A-${n}`, customer_id: `friend-${n}`, amount: 1000, token });
      assert.equal(answer.status, 201, answer.text);
    }
  };
  await Promise.all(Array.from({ length: 10 }, worker10));
}

test("the account page costs at most 6 KV operations, with 1,000 facts and with many clicks", async () => {
  const program = await begin();
  const fresh = await program.customer("10023")("GET", "/v1/me");
  assert.ok(kvOperations(fresh).all <= 6, fresh.headers.get("server-timing"));

  const path = `/r/${program.id}/${await program.code("10023")}`;
  for (let day = 0; day < 3; day += 1) {
    await setClock(worker, noon() + day * DAY);
    await runCronUntilDone(worker);
    for (let n = 0; n < 100; n += 1) {
      await api(worker)("GET", path, undefined, { headers: { "user-agent": `${PERSON} ${day}-${n}` } });
    }
    await until(async () => (await program.me("10023")).totals.clicks === 100 * (day + 1), { what: `clicks of day ${day}` });
  }
  const unfolded = await program.customer("10023")("GET", "/v1/me");
  assert.ok(kvOperations(unfolded).all <= 6, unfolded.headers.get("server-timing"));
  await runCronUntilDone(worker);
  const clicked = await program.customer("10023")("GET", "/v1/me");
  assert.equal(clicked.body.totals.clicks, 300);
  assert.ok(kvOperations(clicked).all <= 6, clicked.headers.get("server-timing"));

  await fillLedger(program, 1000);
  const full = await program.customer("10023")("GET", "/v1/me");
  assert.equal(full.status, 200);
  assert.equal(full.body.totals.purchases, 1000);
  assert.ok(kvOperations(full).all <= 6, full.headers.get("server-timing"));
});
