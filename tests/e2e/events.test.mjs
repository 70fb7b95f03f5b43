// What becomes of an order: delivered, refunded, withdrawn, cancelled, charged back; in any order of
// arrival, and more than once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DAY, HOUR, MINUTE, createProgram, instant, noon, runCronUntilDone, setClock, startWorker } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

// A program at noon with one attributed order A-1 of 50.00 EUR by friend 20871, worth 10.00 EUR to 10023.
async function begin(fields = {}) {
  await setClock(worker, noon());
  const program = await createProgram(worker);
  const order = await program.order({ order_id: "A-1", customer_id: "20871", amount: 5000, token: await program.click("10023"), ...fields });
  assert.equal(order.status, 201, order.text);
  return program;
}

async function advocateReward(program) {
  const { body } = await program.server("GET", "/v1/conversions/A-1");
  return body.rewards.find((reward) => reward.for === "advocate");
}

const credit = (amount) => ({ kind: "credit", amount, currency: "EUR" });

// Past the hold (30 days without a delivery), with the verdict written.
async function settle() {
  await setClock(worker, noon() + 30 * DAY + 20 * MINUTE);
  await runCronUntilDone(worker);
}

test("a partial refund before settlement shrinks the reward", async () => {
  const program = await begin();
  const answer = await program.event("A-1", { type: "refunded", amount: 1000 });
  assert.equal(answer.status, 201, answer.text);
  const shown = await advocateReward(program);
  assert.deepEqual([shown.value, shown.status, shown.reason], [credit(800), "pending", "awaiting_delivery"]);
  await settle();
  const settled = await advocateReward(program);
  assert.deepEqual([settled.value, settled.status], [credit(800), "approved"]);
});

test("an event is acknowledged with its order, and shown with it", async () => {
  const program = await begin();
  const answer = await program.event("A-1", { event_id: "r1", type: "refunded", amount: 1000 });
  assert.deepEqual([answer.body.order_id, answer.body.attributed, answer.body.advocate], ["A-1", true, { customer_id: "10023" }]);
  const { body } = await program.server("GET", "/v1/conversions/A-1");
  assert.deepEqual(body.events, [
    { event_id: "r1", type: "refunded", amount: 1000, occurred_at: instant(noon()), accepted_at: instant(noon()) },
  ]);
  assert.deepEqual([body.order_id, body.kind, body.amount, body.currency], ["A-1", "purchase", 5000, "EUR"]);
  assert.deepEqual([body.occurred_at, body.accepted_at, body.settles_at], [instant(noon()), instant(noon()), instant(noon() + 30 * DAY)]);
});

test("a delivery moves the hold to 21 days after it", async () => {
  const program = await begin();
  const before = await advocateReward(program);
  assert.deepEqual([before.reason, before.until], ["awaiting_delivery", instant(noon() + 30 * DAY)]);
  await setClock(worker, noon() + 2 * DAY);
  const answer = await program.event("A-1", { type: "delivered", occurred_at: instant(noon() + DAY) });
  assert.equal(answer.status, 201, answer.text);
  const moved = await advocateReward(program);
  assert.deepEqual([moved.status, moved.reason, moved.until], ["pending", "hold", instant(noon() + 22 * DAY)]);
});

for (const [type, reason] of [["withdrawn", "withdrawn"], ["cancelled", "cancelled"], ["chargeback", "chargeback"]]) {
  test(`an order ${type} before settlement earns nothing`, async () => {
    const program = await begin();
    const answer = await program.event("A-1", { type });
    assert.equal(answer.status, 201, answer.text);
    const shown = await advocateReward(program);
    assert.deepEqual([shown.status, shown.reason, shown.value], ["reversed", reason, credit(0)]);
    await settle();
    const settled = await advocateReward(program);
    assert.deepEqual([settled.status, settled.reason, settled.value], ["reversed", reason, credit(0)]);
  });
}

test("a full refund reverses the reward", async () => {
  const program = await begin();
  await program.event("A-1", { type: "refunded", amount: 2000 });
  await program.event("A-1", { type: "refunded", amount: 3000 });
  const shown = await advocateReward(program);
  assert.deepEqual([shown.status, shown.reason, shown.value], ["reversed", "refunded", credit(0)]);
});

test("a refund after approval shrinks what was approved", async () => {
  const program = await begin();
  await settle();
  assert.deepEqual((await advocateReward(program)).value, credit(1000));
  assert.equal((await program.event("A-1", { type: "refunded", amount: 2500 })).status, 201);
  const shrunk = await advocateReward(program);
  assert.deepEqual([shrunk.status, shrunk.value], ["approved", credit(500)]);
});

test("a refund after fulfilment leaves the reward and adds a negative entry", async () => {
  const program = await begin();
  await settle();
  const { id } = await advocateReward(program);
  const done = await program.server("POST", `/v1/rewards/${id}/fulfil`, { reference: "voucher 881" });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual([done.body.status, done.body.reference], ["fulfilled", "voucher 881"]);
  await setClock(worker, noon() + 31 * DAY);
  assert.equal((await program.event("A-1", { type: "refunded", amount: 2500 })).status, 201);
  const reward = await advocateReward(program);
  assert.deepEqual([reward.status, reward.value], ["fulfilled", credit(1000)]);
  assert.deepEqual(
    reward.entries.map(({ value, reason }) => ({ value, reason })),
    [{ value: credit(-500), reason: "refunded" }],
  );
});

test("fulfilling waits for approval, repeats by its reference, and a second one is paid too much", async () => {
  const program = await begin();
  const { id } = await advocateReward(program);
  const fulfil = (reference) => program.server("POST", `/v1/rewards/${id}/fulfil`, { reference });
  const early = await fulfil("voucher 881");
  assert.deepEqual([early.status, early.body.code], [409, "conflict"], early.text);
  assert.ok(Number(early.headers.get("retry-after")) > 0, "it says when to try again");
  await settle();
  const first = await fulfil("voucher 881");
  assert.equal(first.status, 200, first.text);
  await setClock(worker, worker.now() + HOUR);
  const again = await fulfil("voucher 881");
  assert.deepEqual([again.status, again.text], [200, first.text]);
  const other = await fulfil("voucher 882");
  assert.deepEqual([other.status, other.body.reference], [200, "voucher 881"], other.text);
  const reward = await advocateReward(program);
  assert.equal(reward.reference, "voucher 881");
  assert.deepEqual(reward.overpaid.map(({ reference, value }) => [reference, value]), [["voucher 882", first.body.value]]);
});

test("an event that repeats is 200 and counts once", async () => {
  const program = await begin();
  const fields = { event_id: "r1", type: "refunded", amount: 1000, occurred_at: instant(noon()) };
  const first = await program.event("A-1", fields);
  assert.equal(first.status, 201, first.text);
  await setClock(worker, noon() + HOUR);
  const again = await program.event("A-1", fields);
  assert.equal(again.status, 200, again.text);
  assert.deepEqual(again.body, first.body);
  assert.deepEqual((await advocateReward(program)).value, credit(800));
});

test("ten identical events at once count once", async () => {
  const program = await begin();
  const fields = { event_id: "r1", type: "refunded", amount: 1000, occurred_at: instant(noon()) };
  const answers = await Promise.all(Array.from({ length: 10 }, () => program.event("A-1", fields)));
  assert.ok(answers.every(({ status }) => status === 200 || status === 201), answers.map(({ text }) => text).join("\n"));
  const { body } = await program.server("GET", "/v1/conversions/A-1");
  assert.equal(body.events.length, 1);
  assert.deepEqual((await advocateReward(program)).value, credit(800));
});

test("the same event_id with other content is 409 and changes nothing", async () => {
  const program = await begin();
  const fields = { event_id: "r1", type: "refunded", amount: 1000, occurred_at: instant(noon()) };
  await program.event("A-1", fields);
  for (const change of [{ amount: 1001 }, { type: "withdrawn", amount: undefined }, { occurred_at: instant(noon() - MINUTE) }]) {
    const answer = await program.event("A-1", { ...fields, ...change });
    assert.deepEqual([answer.status, answer.body.code], [409, "conflict"], answer.text);
  }
  assert.deepEqual((await advocateReward(program)).value, credit(800));
});

test("a refund beyond what is left takes what is left, and the answer says how much", async () => {
  const program = await begin();
  const part = await program.event("A-1", { type: "refunded", amount: 3000 });
  assert.deepEqual([part.status, part.body.taken], [201, 3000], part.text);
  assert.deepEqual((await advocateReward(program)).value, credit(400));
  const beyond = await program.event("A-1", { type: "refunded", amount: 5480 });
  assert.deepEqual([beyond.status, beyond.body.taken], [201, 2000], beyond.text);
  const gone = await advocateReward(program);
  assert.deepEqual([gone.status, gone.reason, gone.value], ["reversed", "refunded", credit(0)]);
});

test("what is restored, amended or disputed shows before and after the verdict", async () => {
  const program = await begin();
  const shown = async () => {
    const { status, reason, value } = await advocateReward(program);
    return [status, reason, value.amount];
  };
  await program.event("A-1", { event_id: "c1", type: "cancelled" });
  await program.event("A-1", { type: "restored", undoes: "c1" });
  assert.deepEqual(await shown(), ["pending", "awaiting_delivery", 1000]);
  await program.event("A-1", { type: "amended", amount: 6000 });
  assert.deepEqual(await shown(), ["pending", "awaiting_delivery", 1200]);
  await settle();
  await program.event("A-1", { type: "disputed" });
  assert.deepEqual(await shown(), ["review", "disputed", 1200]);
  await program.event("A-1", { type: "chargeback" });
  assert.deepEqual(await shown(), ["reversed", "chargeback", 0]);
  await program.event("A-1", { type: "restored" });
  assert.deepEqual(await shown(), ["approved", null, 1200]);
  const { body } = await program.server("GET", "/v1/conversions/A-1");
  assert.deepEqual(body.events.filter(({ type }) => type === "restored").map(({ undoes }) => undoes), ["c1", undefined]);
});

test("an event before its order is kept and joined", async () => {
  await setClock(worker, noon());
  const program = await createProgram(worker);
  const token = await program.click("10023");
  const early = await program.event("A-1", { event_id: "r1", type: "refunded", amount: 1000 });
  assert.equal(early.status, 202, early.text);
  assert.deepEqual(early.body, { order_known: false });
  const repeat = await program.event("A-1", { event_id: "r1", type: "refunded", amount: 1000, occurred_at: instant(noon()) });
  assert.equal(repeat.status, 202, repeat.text);
  const order = await program.order({ order_id: "A-1", customer_id: "20871", amount: 5000, token });
  assert.equal(order.status, 201, order.text);
  assert.deepEqual(order.body.rewards[0].value, credit(1000), "the order's own answer never depends on events");
  await setClock(worker, noon() + 11 * MINUTE);
  await runCronUntilDone(worker);
  assert.deepEqual((await advocateReward(program)).value, credit(800));
  assert.equal((await program.server("GET", "/v1/conversions/A-1")).body.events.length, 1);
  await settle();
  const settled = await advocateReward(program);
  assert.deepEqual([settled.value, settled.status], [credit(800), "approved"]);
});

test("the advocate sees what happened, and nobody else's", async () => {
  const program = await begin();
  await program.event("A-1", { type: "refunded", amount: 5000 });
  const me = await program.me("10023");
  assert.deepEqual([me.referrals.length, me.referrals[0].reward.status, me.referrals[0].reward.reason], [1, "reversed", "refunded"]);
  assert.deepEqual((await program.me("30412")).referrals, []);
});

test("an event that cannot be read is refused by field", async () => {
  const program = await begin();
  const cases = [
    [{ type: "lost" }, "invalid_field", "type"],
    [{ type: undefined }, "invalid_field", "type"],
    [{ event_id: undefined }, "invalid_field", "event_id"],
    [{ event_id: 7 }, "invalid_field", "event_id"],
    [{ type: "refunded" }, "invalid_field", "amount"],
    [{ type: "refunded", amount: 0 }, "invalid_field", "amount"],
    [{ type: "refunded", amount: -5 }, "invalid_field", "amount"],
    [{ type: "delivered", amount: 5 }, "invalid_field", "amount"],
    [{ type: "amended" }, "invalid_field", "amount"],
    [{ type: "cancelled", undoes: "r1" }, "invalid_field", "undoes"],
    [{ type: "restored", items: [] }, "invalid_field", "items"],
    [{ occurred_at: "soon" }, "invalid_field", "occurred_at"],
    [{ occurred_at: undefined }, "invalid_field", "occurred_at"],
    [{ note: "x" }, "unknown_field", "note"],
  ];
  for (const [change, code, field] of cases) {
    const answer = await program.event("A-1", change);
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [400, code, field], JSON.stringify(change));
  }
  const { body } = await program.server("GET", "/v1/conversions/A-1");
  assert.deepEqual(body.events, []);
});

test("an order id may hold what a URL must escape", async () => {
  const program = await begin({ order_id: "2026/11 #7 ä?%" });
  const answer = await program.event("2026/11 #7 ä?%", { type: "refunded", amount: 1000 });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.body.order_id, "2026/11 #7 ä?%");
});
