// How a reward is decided: when the verdict falls, what it counts, and that the cron may come late,
// twice or at once with itself without a cent's difference.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DAY, HOUR, MINUTE, createProgram, instant, noon, runCron, runCronUntilDone, setClock, startWorker, unique, until } from "./harness.mjs";

const SETTLE = 10 * MINUTE;

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

const credit = (amount) => ({ kind: "credit", amount, currency: "EUR" });

async function begin(overrides) {
  await setClock(worker, noon());
  return createProgram(worker, overrides);
}

// An order of 50.00 EUR through a link of `advocate`, by a friend of its own.
async function order(program, order_id, advocate = "10023", fields = {}) {
  const answer = await program.order({ order_id, amount: 5000, token: await program.click(advocate), ...fields });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

async function reward(program, order_id, role = "advocate") {
  const { body, status, text } = await program.server("GET", `/v1/conversions/${order_id}`);
  assert.equal(status, 200, text);
  return body.rewards.find((one) => one.for === role);
}

async function state(program, order_id) {
  const { status, reason } = await reward(program, order_id);
  return [status, reason];
}

async function cronAt(at) {
  await setClock(worker, at);
  await runCronUntilDone(worker);
}

test("a reward is approved by its verdict, from ten minutes after its settlement, not before", async () => {
  const program = await begin();
  await order(program, "A-1");
  const settles = noon() + 30 * DAY;
  assert.equal((await reward(program, "A-1")).until, instant(settles));
  for (const [at, expected] of [
    [settles - MINUTE, ["pending", "awaiting_delivery"]],
    [settles, ["pending", "checking"]],
    [settles + SETTLE - MINUTE, ["pending", "checking"]],
  ]) {
    await cronAt(at);
    assert.deepEqual(await state(program, "A-1"), expected, instant(at));
  }
  await setClock(worker, settles + SETTLE);
  assert.deepEqual(await state(program, "A-1"), ["pending", "checking"], "before the cron ran");
  await runCronUntilDone(worker);
  const approved = await reward(program, "A-1");
  assert.deepEqual([approved.status, approved.value], ["approved", credit(1000)]);
  assert.equal(approved.until ?? null, null);
});

test("a late cron decides what a punctual one had decided", async () => {
  const decidedAt = async (times) => {
    const program = await begin();
    await order(program, "A-1");
    await order(program, "A-2", "10023", { amount: 1230 });
    await program.event("A-2", { type: "withdrawn" });
    for (const at of times) await cronAt(at);
    return Promise.all(["A-1", "A-2"].map(async (id) => ({ ...(await reward(program, id)), id: null })));
  };
  const punctual = noon() + 30 * DAY + SETTLE;
  const late = noon() + 90 * DAY;
  const decided = await decidedAt([punctual, late]);
  assert.deepEqual(decided.map(({ status }) => status), ["approved", "reversed"]);
  assert.deepEqual(await decidedAt([late]), decided);
});

test("running the cron again, or ten times at once, changes nothing", async () => {
  const program = await begin();
  for (const id of ["A-1", "A-2", "A-3"]) await order(program, id, unique("advocate"));
  await setClock(worker, noon() + 30 * DAY + SETTLE);
  const reports = await Promise.all(Array.from({ length: 10 }, () => runCron(worker)));
  assert.ok(reports.every((report) => report.operations <= 800), JSON.stringify(reports));
  await runCronUntilDone(worker);
  const before = await Promise.all(["A-1", "A-2", "A-3"].map((id) => program.server("GET", `/v1/conversions/${id}`)));
  assert.ok(before.every(({ body }) => body.rewards[0].status === "approved"));
  await runCronUntilDone(worker);
  const again = await runCron(worker);
  assert.deepEqual([again.settled, again.done], [0, true], JSON.stringify(again));
  const after = await Promise.all(["A-1", "A-2", "A-3"].map((id) => program.server("GET", `/v1/conversions/${id}`)));
  assert.deepEqual(after.map(({ body }) => body), before.map(({ body }) => body));
  const { body } = await program.server("GET", "/v1/rewards?status=approved");
  assert.equal(body.rewards.filter((one) => one.for === "advocate").length, 3);
});

test("nothing settles sooner than an hour after the report that fixed it", async () => {
  const program = await begin({ hold: { from: "order", days: 0, fallback_days: 0 } });
  await order(program, "A-1");
  assert.equal((await reward(program, "A-1")).until, instant(noon() + HOUR));
  await cronAt(noon() + HOUR + SETTLE - MINUTE);
  assert.deepEqual(await state(program, "A-1"), ["pending", "checking"]);
  await cronAt(noon() + HOUR + SETTLE);
  assert.equal((await reward(program, "A-1")).status, "approved");
});

test("a delivery reported up to settlement moves it; later it is too late", async () => {
  const program = await begin();
  const settles = noon() + 30 * DAY;
  await order(program, "in-time");
  await order(program, "too-late", unique("advocate"));
  await setClock(worker, settles - MINUTE);
  await program.event("in-time", { type: "delivered" });
  await setClock(worker, settles + MINUTE);
  await program.event("too-late", { type: "delivered" });
  await cronAt(settles + SETTLE);
  assert.equal((await reward(program, "too-late")).status, "approved");
  const moved = await reward(program, "in-time");
  assert.deepEqual([moved.status, moved.reason, moved.until], ["pending", "hold", instant(settles - MINUTE + 21 * DAY)]);
  await cronAt(settles - MINUTE + 21 * DAY + SETTLE);
  assert.equal((await reward(program, "in-time")).status, "approved");
});

test("a cap is filled by settlement, and a place freed before it goes to the next in line", async () => {
  const rewards = [
    { for: "advocate", trigger: "first_purchase", value: { kind: "credit", amount: 500, currency: "EUR" }, cap: { count: 1, amount: null, per: "total" } },
  ];
  const [kept, freed, taken] = [await begin({ rewards }), await begin({ rewards }), await begin({ rewards })];
  for (const program of [kept, freed, taken]) {
    await setClock(worker, noon());
    await order(program, "A-1");
    await setClock(worker, noon() + HOUR);
    await order(program, "A-2");
  }
  await setClock(worker, noon() + 2 * DAY);
  await freed.event("A-1", { type: "withdrawn" });
  await setClock(worker, noon() + 30 * DAY + MINUTE);
  await taken.event("A-1", { type: "withdrawn" });
  await cronAt(noon() + 31 * DAY);
  assert.deepEqual(await state(kept, "A-2"), ["refused", "cap_reached"]);
  assert.deepEqual([(await reward(freed, "A-1")).status, (await reward(freed, "A-2")).status], ["reversed", "approved"]);
  assert.deepEqual(await state(taken, "A-1"), ["reversed", "withdrawn"]);
  assert.deepEqual(await state(taken, "A-2"), ["refused", "cap_reached"], "after settlement a place stays used");
});

test("a friend whose first order is undone goes to the next advocate", async () => {
  const program = await begin();
  await order(program, "A-1", "10023", { customer_id: "20871" });
  await setClock(worker, noon() + HOUR);
  const second = await program.order({ order_id: "A-2", amount: 5000, customer_id: "20871", token: await program.click("30412") });
  assert.deepEqual([second.status, second.body.reason], [201, "friend_already_referred"], second.text);
  const seen = async () => (await program.me("30412")).referrals.map(({ reward: { status, reason } }) => [status, reason]);
  assert.deepEqual(await seen(), [["refused", "friend_already_referred"]]);
  await program.event("A-1", { type: "withdrawn" });
  await cronAt(noon() + 32 * DAY);
  assert.equal((await seen())[0][0], "approved");
});

test("the merchant lists rewards by status and time, page by page", async () => {
  const program = await begin();
  for (const n of [1, 2, 3]) await order(program, `A-${n}`, `advocate-${n}`, { customer_id: `friend-${n}` });
  await program.event("A-3", { type: "withdrawn" });
  await cronAt(noon() + 30 * DAY + SETTLE);
  const list = async (query) => {
    const rewards = [];
    let cursor = null;
    do {
      const page = await program.server("GET", `/v1/rewards?${query}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      assert.equal(page.status, 200, page.text);
      rewards.push(...page.body.rewards);
      cursor = page.body.cursor;
    } while (cursor);
    return rewards.filter((one) => one.for === "advocate");
  };
  const brief = (rewards) => rewards.map(({ order_id, customer_id, status }) => [order_id, customer_id, status]).sort();
  assert.deepEqual(brief(await list("status=approved")), [
    ["A-1", "advocate-1", "approved"],
    ["A-2", "advocate-2", "approved"],
  ]);
  assert.deepEqual(brief(await list("status=reversed")), [["A-3", "advocate-3", "reversed"]]);
  assert.equal((await list("")).length, 3);
  const day = (ms) => instant(ms).slice(0, 10);
  assert.equal((await list(`from=${day(noon() + DAY)}`)).length, 0);
  assert.equal((await list(`to=${day(noon() - DAY)}`)).length, 0);
  assert.equal((await list(`from=${day(noon() - 40 * DAY)}&to=${day(noon())}`)).length, 3);
});

test("clicks are the same number before and after the cron folded their day", async () => {
  const program = await begin();
  const agents = ["one", "two", "three"].map((name) => `Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0 ${name}`);
  for (const agent of agents) await program.click("10023", { agent, channel: "whatsapp" });
  const clicks = async () => (await program.me("10023")).totals.clicks;
  await until(async () => (await clicks()) === 3, { what: "three clicks" });
  await cronAt(noon() + DAY + HOUR);
  assert.equal(await clicks(), 3);
  await runCronUntilDone(worker);
  assert.equal(await clicks(), 3);
  assert.equal((await program.me("10023")).totals.clicks_today, 0);
});
