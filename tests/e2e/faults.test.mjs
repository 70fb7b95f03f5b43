// The real Worker on a store that refuses, fails or hangs: every route, and a conversion and an event with one
// operation after the other. Each scenario has a program of its own, and its faults name that program's keys.
// So all of them are sent at the same time, before the first test, and what takes seconds (a store that hangs)
// takes them once; the tests say what was answered, and what is there once the store works again.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HOUR, MINUTE, PERSON, SECOND, api, createProgram, instant, noon, runCronUntilDone, secrets, setClock, unique } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

const WAYS = ["429", "error", "hang"];

// A request ends by then, whatever the store does: one operation that hangs, and what was slow before it.
const BOUND = 25 * SECOND;

async function timed(pending) {
  const began = performance.now();
  const answer = await pending;
  const took = performance.now() - began;
  assert.ok(took < BOUND, `${answer.status} after ${Math.round(took)} ms`);
  return answer;
}

function assertUnavailable(answer, what) {
  assert.equal(answer.status, 503, `${what}: ${answer.status} ${answer.text}`);
  assert.equal(answer.body.code, "unavailable", what);
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/, what);
}

// All keys of a program, whatever they begin with.
const ofProgram = ({ id }, prefix = "") => `^${prefix}[^/]*/(.*/)?${id}/`;

let worker;

// Everything a shop and its customers ask, with what it is answered while nothing of the program can be read
// or written. `null`: it needs nothing of the store.
function everyRequest(program, code) {
  const order = { order_id: unique("A"), kind: "purchase", amount: 4990, currency: "EUR", customer_id: "20871", occurred_at: instant(worker.now()), code };
  const refund = { event_id: "r1", type: "refunded", amount: 100, occurred_at: instant(worker.now()) };
  const person = { headers: { "user-agent": PERSON } };
  const operator = api(worker, secrets.operator_key);
  const made = { id: program.id.replace("t-", "n-"), preset: "20-10", name: "Neu", landing_url: "https://shop.example/" };
  return [
    ["redirect", 302, () => api(worker)("GET", `/r/${program.id}/${code}`, undefined, person)],
    ["redirect with channel", 302, () => api(worker)("GET", `/r/${program.id}/${code}/sms`, undefined, person)],
    ["bad code", 302, () => api(worker)("GET", `/r/${program.id}/x`, undefined, person)],
    ["offer", 200, () => api(worker)("GET", `/v1/offer?program=${program.id}`)],
    ["me", 503, () => program.customer("10023")("GET", "/v1/me")],
    ["shares", 503, () => program.customer("10023")("POST", "/v1/me/shares", { channel: "sms" })],
    ["codes", 503, () => program.server("POST", "/v1/codes", { customer_ids: ["30412", "30413"] })],
    ["conversions", 503, () => program.server("POST", "/v1/conversions", order)],
    ["a conversion", 503, () => program.server("GET", `/v1/conversions/${order.order_id}`)],
    ["events", 503, () => program.server("POST", `/v1/conversions/${order.order_id}/events`, refund)],
    ["rewards", 503, () => program.server("GET", "/v1/rewards")],
    ["fulfil", 503, () => program.server("POST", `/v1/rewards/rw_${"0".repeat(17)}4/fulfil`, { reference: "v" })],
    // Whose settings were read within the minute is answered without the store.
    ["program", undefined, () => program.server("GET", "/v1/program")],
    ["other terms", 503, async () => {
      const { version, valid_from, ...terms } = program.program;
      return program.server("PUT", "/v1/program", { ...terms, name: `${version} ${valid_from}` });
    }],
    ["export", 503, () => program.server("POST", "/v1/customers/export", { customer_id: "10023" })],
    ["erase", 503, () => program.server("POST", "/v1/customers/erase", { customer_id: "10024" })],
    ["a new program", 503, () => operator("POST", "/v1/programs", made)],
  ];
}

// One operation of a conversion fails: its keys in the order in which they are written, and what is read before.
const PUTS = ["todo.order", "ledger", "person", "log", "order"];
const CONVERSION_FAULTS = [
  ...PUTS.flatMap((prefix) => [...WAYS, "lost"].map((how) => ({ operations: ["put"], prefix, how }))),
  ...["order", "person", "customer"].flatMap((prefix) => WAYS.map((how) => ({ operations: ["list"], prefix, how }))),
];
const EVENT_FAULTS = ["todo.order", "event", "ledger"].flatMap((prefix) =>
  [...WAYS, "lost"].map((how) => ({ operations: ["put"], prefix, how })),
);
const refund = () => ({ event_id: "r1", type: "refunded", amount: 990, occurred_at: instant(noon()) });

let routes;
let conversions;
let patient;
let events;

before(async () => {
  worker = await startMiniflare();
  await setClock(worker, noon());
  const each = (list, make) => Promise.all(list.map(make));
  const sets = [undefined, ["get"], ["put"], ["list"], ["delete"]];
  routes = await each(sets.flatMap((operations) => WAYS.map((how) => ({ operations, how }))), async (fault) => {
    const program = await createProgram(worker);
    const keys = `(${ofProgram(program)})|(^(program|settings)/${program.id.replace("t-", "n-")})`;
    return { program, code: await program.code("10023"), fault: { ...fault, keys }, what: `${fault.how} ${fault.operations ?? "all"}` };
  });
  const order = async (fault, fields, what) => {
    const program = await createProgram(worker, { hold: { from: "order", days: 0 } });
    const sent = { order_id: "A-1", customer_id: "20871", token: await program.click("10023") };
    return { ...fields, program, order: sent, fault: { ...fault, keys: ofProgram(program, fault.prefix) }, what };
  };
  const name = ({ how, operations, prefix }) => `${how} ${operations} ${prefix}`;
  // Sent again by the shop, or left to the cron.
  conversions = await each(CONVERSION_FAULTS.flatMap((fault) => [true, false].map((again) => [fault, again])), ([fault, again]) =>
    order(fault, { again }, `${name(fault)}${again ? "" : ", not repeated"}`),
  );
  patient = await order({ operations: ["put"], how: "429", first: 2 }, {}, "refused twice");
  events = await each(EVENT_FAULTS, async (fault) => {
    const scenario = await order(fault, {}, name(fault));
    assert.equal((await scenario.program.order(scenario.order)).status, 201);
    return scenario;
  });

  const all = [...routes, ...conversions, patient, ...events];
  await worker.store({ faults: all.map(({ fault }) => fault) });
  const keep = async (scenario, pending) => Object.assign(scenario, { answer: await timed(pending) });
  await Promise.all([
    ...routes.map(async (scenario) => {
      const sent = everyRequest(scenario.program, scenario.code);
      scenario.answers = await each(sent, async ([route, expected, send]) => ({ route, expected, answer: await timed(send()) }));
    }),
    ...[...conversions, patient].map((scenario) => keep(scenario, scenario.program.order(scenario.order))),
    ...events.map((scenario) => keep(scenario, scenario.program.event("A-1", refund()))),
  ]);
  const met = await worker.store();
  all.forEach((scenario, at) => Object.assign(scenario, { met: met[at] }));
  await worker.store({ faults: [] });
});
after(() => worker?.stop());

describe("every route while the store fails", () => {
  test("answers without a 500, and what needs the store says when to try again", () => {
    for (const { fault, answers, met, what } of routes) {
      // Nothing here deletes anything but an erasure, and there is nothing to erase.
      assert.ok(met > 0 || fault.operations?.[0] === "delete", what);
      for (const { route, expected, answer } of answers) {
        if (answer.status >= 500) assertUnavailable(answer, `${what}: ${route}`);
        if (expected !== undefined && (!fault.operations || expected < 500)) assert.equal(answer.status, expected, `${what}: ${route}: ${answer.text}`);
      }
    }
  });

  test("works again as soon as the store does", async () => {
    // After a list that failed an isolate leaves the store alone for a second.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const { program, code, what } of routes) {
      const answers = await Promise.all(everyRequest(program, code).map(async ([route, , send]) => [route, await send()]));
      for (const [route, { status, text }] of answers) assert.ok(status < 500, `${what}: ${route}: ${status} ${text}`);
    }
  });

  test("clock and cron", async () => {
    for (const [operations, keys, send] of [
      [["get"], "^clock$", () => api(worker)("GET", "/healthz")],
      [["put"], "^clock$", () => api(worker, secrets.operator_key)("POST", "/v1/clock", { now: instant(worker.now()) })],
      [["list"], "^todo", () => api(worker, secrets.operator_key)("POST", "/v1/cron")],
    ]) {
      await worker.store({ faults: [{ operations, keys, how: "error" }] });
      assertUnavailable(await timed(send()), keys);
      await worker.store({ faults: [] });
      assert.equal((await send()).status, 200);
    }
  });
});

// What an order leaves behind, as everybody reads it. Whatever is there is there once.
async function seen(program, order) {
  const story = await program.server("GET", `/v1/conversions/${order}`);
  const { rewards } = (await program.server("GET", "/v1/rewards")).body;
  const me = await program.me("10023");
  return {
    story: story.status === 404 ? null : story.body,
    rewards: rewards.filter((reward) => reward.order_id === order),
    purchases: me.totals.purchases,
    pending: me.totals.pending,
    approved: me.totals.approved,
    statuses: me.referrals.map(({ reward }) => reward.status),
  };
}

describe("a conversion of which one operation fails", () => {
  test("is 503 with Retry-After, in bounded time", () => {
    for (const { answer, met, what } of conversions) {
      assertUnavailable(answer, what);
      assert.ok(met > 0, what);
    }
  });

  test("is taken in where a write was refused but twice", () => {
    assert.deepEqual([patient.answer.status, patient.met], [201, 2]);
  });

  test("shows nowhere as more than pending, and as a conversion only if it is whole", async () => {
    for (const { program, fault, what } of conversions) {
      const { story, rewards, purchases, statuses } = await seen(program, "A-1");
      // Before its fact is in the ledger nothing of it is there. After that the cron is bound to complete it.
      const isBegun = fault.operations[0] === "put" && fault.prefix !== "todo.order";
      assert.ok(purchases <= 1 && rewards.length <= 1, what);
      assert.deepEqual([...statuses, ...rewards.map(({ status }) => status)].filter((status) => status !== "pending"), [], what);
      if (!isBegun) assert.deepEqual([story, rewards, purchases], [null, [], 0], what);
      // The key that says that all is there is written last.
      const isWhole = fault.prefix === "order" && fault.how === "lost";
      assert.equal(story !== null, isWhole, what);
      if (isWhole) assert.deepEqual([story.rewards.length, rewards.length, purchases], [1, 1, 1], what);
    }
  });

  test("is there exactly once after it was sent again", async () => {
    for (const { program, order, what } of conversions.filter(({ again }) => again)) {
      const [first, second] = [await program.order(order), await program.order(order)];
      assert.match(`${first.status} ${second.status}`, /^20[01] 200$/, `${what}: ${first.text}`);
      assert.deepEqual(second.body, first.body, what);
      const { story, rewards, purchases, pending } = await seen(program, "A-1");
      assert.equal(story.order_id, "A-1", what);
      assert.deepEqual([rewards.length, purchases, pending], [1, 1, 1], what);
    }
  });
});

describe("an event of which one operation fails", () => {
  test("is 503, and is there exactly once after it was sent again", async () => {
    for (const { program, answer, met, what } of events) {
      assertUnavailable(answer, what);
      assert.ok(met > 0, what);
      const first = await program.event("A-1", refund());
      assert.match(String(first.status), /^20[01]$/, `${what}: ${first.text}`);
      assert.equal((await program.event("A-1", refund())).status, 200, what);
      const { story } = await seen(program, "A-1");
      assert.deepEqual(story.events.map(({ event_id, amount }) => [event_id, amount]), [["r1", 990]], what);
      assert.deepEqual(story.rewards.map(({ value, status }) => [value.amount, status]), [[800, "pending"]], what);
    }
  });
});

describe("once the cron has run", () => {
  const isSettled = async ({ program, what }, amount, status) => {
    const { story, rewards, purchases, pending, approved } = await seen(program, "A-1");
    const count = Number(story !== null);
    const counted = { pending, approved }[status];
    assert.deepEqual([rewards.length, purchases, counted], [count, count, count], what);
    assert.deepEqual(rewards.map((reward) => [reward.status, reward.value.amount]), count ? [[status, amount]] : [], what);
    assert.deepEqual(story?.rewards ?? [], rewards, what);
    return count === 1;
  };

  test("every conversion is wholly in or wholly out, and every event in what it takes back", async () => {
    await setClock(worker, noon() + 15 * MINUTE);
    await runCronUntilDone(worker);
    const isIn = [];
    for (const scenario of conversions) isIn.push([scenario, await isSettled(scenario, 998, "pending")]);
    assert.ok(isIn.every(([{ again }, there]) => there || !again), "one that was sent again is out");
    assert.ok(isIn.some(([, there]) => !there), "none is out: the scenarios prove nothing");
    for (const scenario of events) assert.ok(await isSettled(scenario, 800, "pending"), scenario.what);
  });

  test("what is in is approved exactly once, and everybody reads the same", async () => {
    await setClock(worker, noon() + 3 * HOUR);
    await runCronUntilDone(worker);
    for (const scenario of conversions) await isSettled(scenario, 998, "approved");
    for (const scenario of events) assert.ok(await isSettled(scenario, 800, "approved"), scenario.what);
  });
});
