// What was acknowledged is there exactly once, however often and whenever the Worker died: a load of
// conversions, repeats and clicks, and SIGKILL into it, again and again.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HOUR, PERSON, api, createProgram, instant, noon, runCronUntilDone, setClock, until } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

const KILLS = Number(process.env.PASSALONG_KILLS ?? 20);
const ADVOCATES = ["10023", "10024", "10025"];
const CLIENTS = 6;
// Acknowledged between two kills; how far into the next ones a kill comes differs from round to round.
const ACKNOWLEDGED = 3;
const MOST = 1_500;

let worker;
let program;
const orders = new Map();

before(async () => {
  worker = await startMiniflare();
  await setClock(worker, noon());
  program = await createProgram(worker, { hold: { from: "order", days: 0 } });
});
after(() => worker?.stop());

// An answer, or null where the Worker died over it.
const answered = (pending) => pending.catch(() => null);

// Somebody follows a link, from an address of their own.
function click(code, address) {
  const headers = { "user-agent": PERSON, "cf-connecting-ip": address };
  return api(worker)("GET", `/r/${program.id}/${code}/sms`, undefined, { headers });
}

// One conversion, and now and then the same again without waiting, as an impatient shop sends it.
async function sell(order) {
  const pending = [program.order(order.sent)];
  if (order.number % 5 === 0) pending.push(program.order(order.sent));
  for (const answer of await Promise.all(pending.map(answered))) {
    if (answer === null || answer.status === 503) continue;
    assert.ok([200, 201].includes(answer.status), `${order.sent.order_id}: ${answer.status} ${answer.text}`);
    order.acknowledged.push(answer.body);
  }
}

test(`${KILLS} kills under load: every acknowledged conversion is there once, every other wholly in or out`, async () => {
  const codes = await Promise.all(ADVOCATES.map((id) => program.code(id)));
  const made = () => [...orders.values()];
  const acknowledged = () => made().filter((order) => order.acknowledged.length > 0).length;
  let isOver = false;
  let dead = Promise.resolve();
  const client = async (at) => {
    for (let turn = at; !isOver && orders.size < MOST; turn += 1) {
      await dead;
      const advocate = turn % ADVOCATES.length;
      const number = orders.size;
      const sent = {
        order_id: `A-${number}`,
        customer_id: `friend-${number}`,
        amount: 1_000 + number,
        code: codes[advocate],
        occurred_at: instant(worker.now()),
      };
      const order = { number, advocate, sent, acknowledged: [] };
      orders.set(sent.order_id, order);
      const [, redirected] = await Promise.all([sell(order), answered(click(codes[advocate], `10.1.${number >> 8}.${number & 255}`))]);
      if (redirected !== null) assert.equal(redirected.status, 302, redirected.text);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, at) => client(at)));
  let failure = null;
  clients.catch((error) => (failure = error));
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const target = acknowledged() + ACKNOWLEDGED + (kill % 5);
      await until(() => failure ?? acknowledged() >= target, { what: `${target} acknowledged`, every: 1, timeout: 60_000 });
      if (failure) break;
      dead = worker.kill().then(() => worker.again());
      await dead;
    }
  } finally {
    isOver = true;
  }
  await clients;
  assert.ok(acknowledged() > KILLS * ACKNOWLEDGED && orders.size < MOST, `${acknowledged()} of ${orders.size}`);
  // All clicks so far may have died with their isolates: on a busy machine none comes to the end of its batch
  // window between two kills. Nobody dies any more, so these are counted sooner or later.
  for (const code of codes) assert.equal((await click(code, "10.2.0.1")).status, 302);
  const cutOff = made().filter((order) => order.acknowledged.length === 0);
  assert.ok(cutOff.length > KILLS / 2, `${cutOff.length} cut off: the kills came when nothing was under way`);

  // What was promised first is what stands, also for the repeats.
  const check = async (order, expected) => {
    const story = await program.server("GET", `/v1/conversions/${order.sent.order_id}`);
    assert.equal(story.status, expected ?? story.status, `${order.sent.order_id}: ${story.text}`);
    if (story.status === 404) return false;
    const id = story.body.rewards.map((reward) => reward.id);
    assert.equal(story.body.amount, order.sent.amount);
    assert.deepEqual(story.body.advocate, { customer_id: ADVOCATES[order.advocate] }, order.sent.order_id);
    for (const body of order.acknowledged) assert.deepEqual(body.rewards.map((reward) => reward.id), id);
    return true;
  };
  for (const order of made().filter((one) => one.acknowledged.length > 0)) await check(order, 200);

  // Half of what was cut off is sent again; the rest is left to the cron.
  for (const order of cutOff.filter((_, at) => at % 2 === 0)) {
    const answer = await program.order(order.sent);
    assert.ok([200, 201].includes(answer.status), answer.text);
    order.acknowledged.push(answer.body);
  }
  // What the cron completes hours later counts from then, and is decided an hour after that.
  for (const hours of [3, 5]) {
    await setClock(worker, noon() + hours * HOUR);
    await runCronUntilDone(worker);
  }
  const present = [];
  for (const order of made()) {
    if (await check(order, order.acknowledged.length > 0 ? 200 : undefined)) present.push(order);
  }

  // Rewards and accounts hold these orders, each once, and nothing else.
  const rewards = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await program.server("GET", `/v1/rewards${cursor && `?cursor=${cursor}`}`);
    assert.equal(page.status, 200, page.text);
    rewards.push(...page.body.rewards);
    cursor = page.body.cursor;
  }
  const half = (amount) => Math.floor((amount * 2_000 + 5_000) / 10_000);
  const expected = present.map(({ sent, advocate }) => [sent.order_id, ADVOCATES[advocate], half(sent.amount), "approved"]);
  const listed = rewards.map(({ order_id, customer_id, value, status }) => [order_id, customer_id, value.amount, status]);
  assert.deepEqual(listed.sort(), expected.sort());
  for (const [at, id] of ADVOCATES.entries()) {
    const counted = async () => {
      const { totals } = await program.me(id);
      return totals.clicks > 0 && totals;
    };
    const totals = await until(counted, { what: `a click on the link of ${id}`, every: 200, timeout: 60_000 });
    const own = present.filter(({ advocate }) => advocate === at);
    const sum = own.reduce((total, { sent }) => total + half(sent.amount), 0);
    assert.deepEqual([totals.purchases, totals.approved, totals.pending], [own.length, own.length, 0], id);
    assert.deepEqual(totals.earned.map(({ amount }) => amount), [sum], id);
    // None is ever counted twice.
    const clicks = made().filter(({ advocate }) => advocate === at).length + 1;
    assert.ok(totals.clicks <= clicks, `${totals.clicks} of ${clicks} clicks`);
  }
});
