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

test("new terms are valid eleven minutes later, everywhere", async () => {
  const program = await begin();
  const { version, valid_from, ...terms } = (await program.server("GET", "/v1/program")).body;
  assert.deepEqual([version, valid_from], [1, instant(noon())]);
  await setClock(worker, noon() + 3_600_000);
  const put = await program.server("PUT", "/v1/program", { ...terms, name: "Teehaus Süd" });
  assert.equal(put.status, 200, put.text);
  const from = Date.parse(put.body.valid_from);
  assert.ok(from - worker.now() >= 660_000 && from - worker.now() <= 661_000, put.body.valid_from);
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
  const choose = (customer, body) => program.customer(customer)("POST", "/v1/me/alias", body);
  await choose("anna", { alias: "TASSE" });
  const costs = {
    "follow a link": await cost(visit(`/r/${program.id}/${code}`)),
    "follow a forged link": await cost(visit(`/r/${program.id}/${"0".repeat(26)}`)),
    "offer": await cost(visit(`/v1/offer?program=${program.id}`)),
    "offer with a click token": await cost(visit(`/v1/offer?program=${program.id}&pa=${token}`)),
    "me, first time": await cost((n) => program.customer(`new-${n}`)("GET", "/v1/me")),
    "me": await cost(() => program.customer("10023")("GET", "/v1/me")),
    "share": await cost(() => program.customer("10023")("POST", "/v1/me/shares", { channel: "copy" })),
    "alias, first time": await cost((n) => choose(`chooser-${n}`, {})),
    "alias, the same again": await cost(() => choose("anna", { alias: "TASSE" })),
    "me, with an alias": await cost(() => program.customer("anna")("GET", "/v1/me")),
    "missing referral": await cost((n) => program.customer(`claimer-${n}`)("POST", "/v1/me/claims", { order_id: `lost-${n}`, ordered_on: instant(noon()).slice(0, 10) })),
    "offer check": await cost((n) => program.server("POST", "/v1/offer/check", { customer_id: `friend-${n}`, token })),
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
    "rewards of a day": await cost(() => program.server("GET", `/v1/rewards?from=${instant(noon()).slice(0, 10)}`)),
    "rewards of a customer": await cost(() => program.server("GET", "/v1/rewards?customer_id=10023")),
    "rewards as a file": await cost(() => program.server("GET", `/v1/exports/rewards?from=${instant(noon()).slice(0, 10)}`)),
    "conversions as a file": await cost(() => program.server("GET", `/v1/exports/conversions?from=${instant(noon()).slice(0, 10)}`)),
    "advocates as a file": await cost(() => program.server("GET", "/v1/exports/advocates")),
    "statistics of a day": await cost(() => program.server("GET", `/v1/stats?from=${instant(noon()).slice(0, 10)}`)),
    "totals": await cost(() => program.server("POST", "/v1/totals", { day: instant(noon()).slice(0, 10), orders: 1 })),
    "program": await cost(() => program.server("GET", "/v1/program")),
    "program, changed": await cost((n) => program.server("PUT", "/v1/program", { ...terms, name: `Neu ${n}` })),
    "export": await cost(() => program.server("POST", "/v1/customers/export", { customer_id: "10023" })),
    "health": await cost(visit("/healthz")),
  };
  await setClock(worker, noon() + 31 * DAY);
  await runCronUntilDone(worker);
  costs.review = await cost((n) => program.server("POST", `/v1/rewards/${rewards[n]}/review`, { decision: "approve" }));
  costs.fulfil = await cost((n) => program.server("POST", `/v1/rewards/${rewards[n]}/fulfil`, { reference: "voucher 881" }));
  costs["order by an alias"] = await cost(() => program.order({ alias: "TASSE" }));
  costs.erase = await cost((n) => program.server("POST", "/v1/customers/erase", { customer_id: `new-${n}` }));
  const text = Object.fromEntries(Object.entries(costs).map(([name, { read, write, list }]) => [name, `${read} ${write} ${list}`]));
  // Reads, writes (with deletes), lists.
  assert.deepEqual(text, COSTS);
});

const COSTS = {
  "follow a link": "0 0 0",
  "follow a forged link": "0 0 0",
  "offer": "0 0 0",
  "offer with a click token": "0 0 0",
  "me, first time": "0 1 3",
  "me": "0 0 5",
  "share": "0 1 0",
  // The advocate's id, and the claim under the customer and under the alias.
  "alias, first time": "0 3 2",
  "alias, the same again": "0 0 3",
  "me, with an alias": "0 0 6",
  // The customer's id, the pointer, and the report as it is counted, under the number and under the
  // customer; it looks for the order under its number and under both ways to write an id.
  "missing referral": "0 5 5",
  "offer check": "0 0 3",
  "codes of two": "1 2 2",
  "order without a referral": "0 3 2",
  "order with a referral": "0 5 4",
  "order by an alias": "0 5 5",
  "order by a guest with two hints": "0 6 5",
  "order, repeated": "1 0 2",
  "event": "1 3 4",
  "event, repeated": "1 0 4",
  "event before its order": "0 2 2",
  "an order's story": "2 0 4",
  // A list for the month, one for each of 6 orders, one for their advocate.
  "rewards of a day": "0 0 8",
  // The customer and the ledger, and a read for the ids of its orders.
  "rewards of a customer": "1 0 2",
  // The same, and a read for the friends' ids.
  "rewards as a file": "1 0 8",
  // A list for the month, one for each of 8 orders and for what became of it, one for their advocate; reads for reports and friends.
  "conversions as a file": "2 0 18",
  // A list, and two for each of 12 customers.
  "advocates as a file": "0 0 25",
  // Orders of the month, the ledger, the advocate, closed days, what is folded, today's clicks and shares, totals.
  "statistics of a day": "0 0 8",
  "totals": "0 1 0",
  "review": "2 1 3",
  "fulfil": "2 1 3",
  "program": "0 0 0",
  "program, changed": "0 1 0",
  // With a list for each of 90 days of shares.
  "export": "0 0 96",
  "erase": "0 3 1",
  "health": "0 0 0",
};

// A Worker on the same KV that makes many of one: `/v1/copy?prefix=…&part=…&times=…` copies the first key
// under a prefix, with another random text as one part of its name.
const COPIER = `
  const random = (text) => text.replace(/\\w(?=\\w)/g, () => "0123456789abcdefghjkmnpqrstvwxyz"[Math.floor(Math.random() * 32)]);
  export default {
    async fetch(request, env) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/v1/copy") return new Response("ready");
      const { keys } = await env.KV.list({ prefix: searchParams.get("prefix"), limit: 1 });
      const { value } = await env.KV.getWithMetadata(keys[0].name);
      const copy = () => {
        const name = keys[0].name.split("/").map((part, at) => (at === Number(searchParams.get("part")) ? random(part) : part));
        return env.KV.put(name.join("/"), value, { metadata: keys[0].metadata });
      };
      await Promise.all(Array.from({ length: Number(searchParams.get("times")) }, copy));
      return new Response("done");
    },
  };
`;

test("the account page costs at most 6 KV operations, with 1,000 facts and with many clicks", async () => {
  const program = await begin();
  await program.order({ amount: 1000, token: await program.click("10023") });
  await until(async () => (await program.me("10023")).totals.clicks === 1, { what: "the click" });
  const one = await program.customer("10023")("GET", "/v1/me");
  assert.ok(kvOperations(one).all <= 6, one.headers.get("server-timing"));

  const { persistDir: persist, port } = worker;
  await worker.stop();
  const copier = await startWorker({ persist, port, script: COPIER });
  // As many facts as a page of KV's list takes, and more clicks than that.
  for (const query of [`prefix=ledger/${program.id}/&part=3&times=999`, `prefix=click/${program.id}/&part=4&times=1000`]) {
    assert.equal(await (await fetch(`${copier.url}/v1/copy?${query}`)).text(), "done");
  }
  await copier.stop();
  // On the same port, so that `program` still finds it.
  Object.assign(worker, await startWorker({ persist, port }), { clock: worker.clock });

  const { all } = kvOperations(await program.customer("10023")("GET", "/v1/me"));
  const many = await program.customer("10023")("GET", "/v1/me");
  assert.equal(many.status, 200, many.text);
  assert.deepEqual([many.body.totals.purchases, many.body.totals.pending, many.body.referrals.length], [1000, 1000, 50]);
  assert.deepEqual(many.body.totals.clicks_today, { more_than: 1 });
  assert.ok(Math.min(kvOperations(many).all, all) <= 6, many.headers.get("server-timing"));

  // Page by page, each referral once.
  const numbers = [];
  for (let more = ""; more !== null; ) {
    const page = await program.customer("10023")("GET", `/v1/me${more && `?before=${more}`}`);
    numbers.push(...page.body.referrals.map(({ number }) => number));
    more = page.body.more;
  }
  assert.deepEqual(numbers, Array.from({ length: 1000 }, (_, n) => 1000 - n));
});
