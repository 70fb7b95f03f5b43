// A small shop of two days, every number of which was worked out by hand beside it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DAY, HOUR, api, createProgram, instant, kvOperations, noon, runCronUntilDone, setClock, until } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

let worker;
let shop;
const date = (days) => instant(noon() + days * DAY).slice(0, 10);
const agent = (n) => `Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.${n}`;
const credit = (amount, count = 1) => ({ count, values: [{ kind: "credit", amount, currency: "EUR", count }] });

async function stats(query) {
  const answer = await shop.server("GET", `/v1/stats?${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

const order = async (fields) => {
  const answer = await shop.order(fields);
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
};
const event = async (id, fields) => assert.equal((await shop.event(id, fields)).status, 201);

before(async () => {
  worker = await startMiniflare({ vars: { DEBUG: "on" } });
  await setClock(worker, noon());
  // Decided an hour after the order.
  shop = await createProgram(worker, { hold: { from: "order", days: 0, fallback_days: 0 } });
  // Four visitors of 10023's link, two of 30412's, one of whom is known from the first: 6 clicks, 5 visitors.
  const tokens = [];
  for (const n of [1, 2, 3, 4]) tokens.push(await shop.click("10023", { channel: "whatsapp", agent: agent(n) }));
  const others = [];
  for (const n of [4, 5]) others.push(await shop.click("30412", { agent: agent(n) }));
  for (const [customer, channel] of [["10023", "whatsapp"], ["10023", "copy"], ["30412", "email"], ["10023", "whatsapp"]]) {
    assert.equal((await shop.customer(customer)("POST", "/v1/me/shares", { channel })).status, 204);
  }
  const first = await order({ order_id: "A-1", customer_id: "f1", amount: 4990, token: tokens[0] });
  await order({ order_id: "A-2", customer_id: "f2", amount: 2000, token: tokens[1] });
  await order({ order_id: "A-3", customer_id: "f3", amount: 10_000, token: others[0] });
  await order({ order_id: "A-4", customer_id: "10023", amount: 700, token: tokens[2] });
  await order({ order_id: "A-5", customer_id: "f5", amount: 8000 });
  await order({ order_id: "S-1", customer_id: "f4", kind: "signup", amount: undefined, currency: undefined, token: tokens[3] });
  // Clicks are written a second after they were answered.
  await until(async () => (await stats(`from=${date(0)}`)).body.total.clicks === 6, { what: "the clicks" });
  await setClock(worker, noon() + 2 * HOUR);
  await runCronUntilDone(worker);
  const fulfil = await shop.server("POST", `/v1/rewards/${first.rewards[0].id}/fulfil`, { reference: "voucher 881" });
  assert.equal(fulfil.status, 200, fulfil.text);
  await event("A-2", { type: "refunded", amount: 500 });
  await event("A-3", { type: "cancelled" });
  await setClock(worker, noon() + DAY);
  // The same friend again: nothing more is earned, but it is the same referral.
  await order({ order_id: "A-6", customer_id: "f1", amount: 3000, first_order: undefined, token: tokens[0] });
  await setClock(worker, noon() + DAY + 3 * HOUR);
  await runCronUntilDone(worker);
});
after(() => worker?.stop());

test("each day is told as it was counted by hand", async () => {
  const { body } = await stats(`from=${date(0)}&to=${date(1)}`);
  assert.deepEqual([body.from, body.to, body.as_of, body.currency], [date(0), date(1), instant(worker.now()), "EUR"]);
  assert.deepEqual([body.complete, body.cursor], [true, null]);
  assert.deepEqual(body.days, [
    {
      day: date(0), open: false, at_least: false, complete: true,
      clicks: 6, unique: 5, clicks_by_channel: { direct: 2, whatsapp: 4 },
      shares: 4, sharers: 2, shares_by_channel: { whatsapp: 2, email: 1, copy: 1 },
      signups: 1, purchases: 3, actions: 0, refused: 1, new_friends: 4,
      // 49.90, 20.00 less 5.00, and nothing of what was cancelled.
      revenue: 6490, refunded: 10_500,
      // 20 % of 49.90, paid; 20 % of 15.00; nothing left of 20.00; one's own order.
      rewards: { fulfilled: credit(998), approved: credit(300), reversed: credit(0), refused: credit(0) },
      // Four friends by two who shared.
      k_factor: 20_000,
    },
    {
      day: date(1), open: true, at_least: false, complete: true,
      clicks: 0, unique: 0, clicks_by_channel: {}, shares: 0, sharers: 0, shares_by_channel: {},
      signups: 0, purchases: 1, actions: 0, refused: 0, new_friends: 0, revenue: 3000, refunded: 0,
      rewards: { refused: credit(0) },
      k_factor: null,
    },
  ]);
  const { clicks, unique, purchases, revenue, rewards, k_factor } = body.total;
  assert.deepEqual([clicks, unique, purchases, revenue, k_factor], [6, 5, 4, 9490, 20_000]);
  assert.deepEqual(rewards.refused, credit(0, 2));
});

const metricsOf = async (query) => Object.fromEntries((await stats(query)).body.metrics.map((metric) => [metric.name, metric]));

// What was posted for the two days, as the merchant's own system says. 250 customers, of whom 50 are lost: 200 are left.
const TOTALS = [
  {
    customers_at_start: 250, new_customers: 10, lost_customers: 20, customers: 240, active_customers: 100, orders: 30, second_orders: 3,
    revenue: 150_000, margin: 60_000, cost: 1000, referred_active_customers: 18, referred_orders: 8, referred_margin: 20_000,
  },
  {
    customers_at_start: 240, new_customers: 20, lost_customers: 30, customers: 230, active_customers: 120, orders: 37, second_orders: 6,
    revenue: 170_001, margin: 70_000, cost: 3000, referred_active_customers: 20, referred_orders: 12, referred_margin: 30_000,
  },
];

test("figures over all customers are absent until totals are posted, and then as worked out by hand", async () => {
  const period = `from=${date(0)}&to=${date(1)}&years=3`;
  const without = await metricsOf(period);
  // Of referred orders alone: 4 purchases of 6 clicks; 94.90 of 4; one friend of three again; 12.98 of 94.90.
  const ofReferrals = { conversion_rate: 6667, k_factor: 20_000, average_referred_order: 2373, referred_repurchase_rate: 3333, reward_cost_rate: 1368 };
  for (const [name, { value, reason }] of Object.entries(without)) {
    if (name in ofReferrals) assert.deepEqual([value, reason], [ofReferrals[name], undefined], name);
    else assert.ok(value === null && reason.length > 5, `${name}: ${value} ${reason}`);
  }
  assert.equal(without.retention_rate.reason, `no customers_at_start in the totals of ${date(0)}`);

  for (const [day, totals] of TOTALS.entries()) {
    const answer = await shop.server("POST", "/v1/totals", { day: date(day), ...totals });
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.body, { day: date(day), accepted_at: instant(worker.now()), ...totals });
    assert.deepEqual(kvOperations(answer), { read: 0, write: 1, list: 0, all: 1 });
  }
  const metrics = await metricsOf(period);
  for (const [name, value, unit, n] of [
    ["retention_rate", 8000, "basis_points", 250],
    ["churn_rate", 2000, "basis_points", 250],
    ["referral_rate", 167, "basis_points", 120],
    ["repurchase_rate", 3000, "basis_points", 30],
    ["orders_per_active_customer", 56, "hundredths", 120],
    ["average_order", 4776, "minor_units", 67],
    ["clv_referred", 1_368_750, "minor_units", 20],
    ["clv_not_referred", 438_000, "minor_units", 100],
    // (500.00 - 12.98 - 40.00) / 40.00 = 11.1755
    ["roi", 111_755, "basis_points", 4000],
  ]) {
    const { value: told, unit: of, n: base, reason } = metrics[name];
    assert.deepEqual([told, of, base, reason], [value, unit, n, undefined], name);
  }
  assert.deepEqual(metrics.retention_rate.base, { n1_customers_at_start: 250, customers_at_end: 230, new_customers: 30 });
  assert.equal(metrics.upsell_rate.value, null);

  // A later word on a day counts; a year without a say is no year.
  await setClock(worker, worker.now() + 60_000);
  const mended = await shop.server("POST", "/v1/totals", { day: date(1), ...TOTALS[1], cost: 1000 });
  assert.equal(mended.status, 201, mended.text);
  assert.equal((await metricsOf(period)).roi.value, 233_510);
  assert.match((await metricsOf(`from=${date(0)}&to=${date(1)}`)).clv_referred.reason, /years/);
  assert.equal((await metricsOf(`from=${date(-1)}&to=${date(1)}&years=3`)).roi.reason, `no referred_margin in the totals of ${date(-1)}`);
});

test("a look at the month of a small shop is a dozen operations", async () => {
  await stats(`from=${date(-5)}&to=${date(1)}`);
  const { list, read, write } = kvOperations(await stats(`from=${date(-5)}&to=${date(1)}`));
  assert.deepEqual([read, write], [0, 0]);
  // For each month the orders, the totals and the closed days; two ledgers; what is folded; the open day's clicks and shares.
  const months = new Set([-5, -4, -3, -2, -1, 0, 1].map((day) => date(day).slice(0, 7))).size;
  assert.equal(list, 3 * months + 2 + 1 + 2, "nothing for days before the shop began");
});

test("another shop sees nothing of it, and a shop without a key nothing at all", async () => {
  const other = await createProgram(worker);
  const { body } = await other.server("GET", `/v1/stats?from=${date(0)}&to=${date(1)}`);
  assert.deepEqual([body.total.clicks, body.total.purchases, body.total.shares], [0, 0, 0]);
  assert.ok(body.metrics.every(({ value }) => value === null));
  assert.equal((await api(worker)("GET", "/v1/stats")).status, 401);
});
