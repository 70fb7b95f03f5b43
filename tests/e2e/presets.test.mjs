// Each preset's story, once through the real Worker: the operator creates the program from the preset,
// people click and come, the shop reports, the clock moves, the cron decides, the merchant hands over.
// After each step the customer (`/v1/me`) and the merchant (`/v1/rewards?customer_id=…`) are told the
// same numbers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DAY, HOUR, MINUTE, SECOND, api, createProgram, instant, noon, runCronUntilDone, setClock, unique } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";
import { document, violations } from "./openapi.mjs";

const SETTLE = 10 * MINUTE;
const ANNA = "10023";
const BEN = "20871";

let worker;
before(async () => {
  worker = await startMiniflare();
});
after(() => worker?.stop());

// A program of a preset, as its day begins, and what the tests below do with it.
async function begin(preset) {
  await setClock(worker, noon());
  const program = await createProgram(worker, { preset });
  const ok = async (pending, status = 200) => {
    const answer = await pending;
    assert.equal(answer.status, status, answer.text);
    return answer.body;
  };
  const story = {
    ...program,
    // So many days after the beginning.
    at: (days, ms = 0) => setClock(worker, noon() + days * DAY + ms),
    async decideAt(days, ms = 0) {
      await story.at(days, ms + SETTLE);
      await runCronUntilDone(worker);
    },
    // A conversion of Ben's, or another friend's, through Anna's link.
    async report(kind, fields = {}) {
      const money = kind === "purchase" ? {} : { amount: undefined, currency: undefined };
      return ok(program.order({ kind, customer_id: BEN, token: await program.click(ANNA), ...money, ...fields }), 201);
    },
    happened: (order, type, fields = {}) => ok(program.event(order, { type, ...fields }), 201),
    rewards: (customer, query = "") => ok(program.server("GET", `/v1/rewards?customer_id=${customer}${query}`)),
    owed: async (customer) => (await story.rewards(customer)).owed,
    // Status, reason and value of all that a customer earned, the latest first.
    async told(customer) {
      const { rewards } = await story.rewards(customer);
      return rewards.map(({ status, reason, value }) => [status, reason, value]);
    },
    // The same, as the customer sees it.
    async seen(customer) {
      const me = await program.me(customer);
      const all = [...me.referrals.map(({ reward }) => reward), ...me.as_friend.map(({ reward }) => reward)];
      return all.filter((reward) => reward !== null).map(({ status, reason, value }) => [status, reason ?? null, value]);
    },
    async both(customer, expected) {
      assert.deepEqual(await story.told(customer), expected, "as the merchant is told");
      assert.deepEqual(await story.seen(customer), expected, "as the customer is told");
    },
    earned: async (customer) => (await program.me(customer)).totals.earned,
    fulfil: (id, reference) => ok(program.server("POST", `/v1/rewards/${id}/fulfil`, { reference })),
  };
  return story;
}

const bytes = (n) => ({ kind: "storage_bytes", bytes: n });
const credit = (amount) => ({ kind: "credit", amount, currency: "EUR" });
const off = (amount) => ({ kind: "amount_off", amount, currency: "EUR" });
const points = (n) => ({ kind: "points", points: n });
const pending = (value, reason = "hold") => ["pending", reason, value];
const approved = (value) => ["approved", null, value];
const summed = (value, count) => [{ ...value, count }];

test("dropbox: thirty-two friends fill 16 GB, the next one adds nothing, each friend has 500 MB", async () => {
  const story = await begin("dropbox");
  for (let friend = 1; friend <= 33; friend += 1) {
    // Eight a day, each by a click of their own: nobody finds that unusual.
    await story.at(Math.floor((friend - 1) / 8), friend * MINUTE);
    const body = await story.report("signup", { order_id: `S-${friend}`, customer_id: `friend-${friend}` });
    assert.deepEqual(body.rewards.map(({ for: role, value }) => [role, value]), [["advocate", bytes(500_000_000)], ["friend", bytes(500_000_000)]]);
  }
  assert.deepEqual(await story.owed(ANNA), [], "nothing is owed before it is decided");
  await story.both("friend-33", [pending(bytes(500_000_000))]);
  await story.decideAt(4, HOUR + 40 * MINUTE);
  const told = await story.told(ANNA);
  assert.deepEqual(told[0], ["refused", "cap_reached", bytes(0)], "the last friend's");
  assert.deepEqual(told.slice(1), Array(32).fill(approved(bytes(500_000_000))));
  assert.deepEqual(await story.seen(ANNA), told);
  assert.deepEqual(await story.owed(ANNA), summed(bytes(16_000_000_000), 32));
  assert.deepEqual(await story.earned(ANNA), summed(bytes(16_000_000_000), 32));
  for (const friend of ["friend-1", "friend-32", "friend-33"]) {
    await story.both(friend, [approved(bytes(500_000_000))]);
    assert.deepEqual(await story.owed(friend), summed(bytes(500_000_000), 1));
  }
  const { rewards } = await story.rewards(ANNA);
  const fulfilled = await story.fulfil(rewards[1].id, "quota 1");
  assert.deepEqual([fulfilled.status, fulfilled.value, fulfilled.reference], ["fulfilled", bytes(500_000_000), "quota 1"]);
  assert.deepEqual(await story.owed(ANNA), summed(bytes(15_500_000_000), 31));
  assert.deepEqual(await story.earned(ANNA), summed(bytes(16_000_000_000), 32), "what was handed over stays earned");
});

test("airbnb: credit for both a day after the first stay over the minimum, and none for a stay that was called off", async () => {
  const story = await begin("airbnb");
  await story.report("purchase", { order_id: "stay", amount: 7500 });
  await story.report("purchase", { order_id: "cheap", amount: 7499, customer_id: "cheap" });
  await story.report("purchase", { order_id: "off", amount: 20_000, customer_id: "off" });
  await story.both(BEN, [pending(credit(2500), "awaiting_delivery")]);
  assert.deepEqual(await story.told("cheap"), [["refused", "below_minimum", credit(0)]]);
  await story.at(10);
  await story.happened("off", "withdrawn");
  await story.at(60);
  await story.happened("stay", "delivered");
  await story.happened("cheap", "delivered");
  await runCronUntilDone(worker);
  await story.both(BEN, [pending(credit(2500))]);
  assert.deepEqual([await story.owed(ANNA), await story.owed(BEN)], [[], []]);
  await story.decideAt(61);
  await story.both(BEN, [approved(credit(2500))]);
  const mine = (await story.rewards(ANNA)).rewards.map(({ order_id, status, reason, value }) => [order_id, status, reason, value]);
  assert.deepEqual(Object.fromEntries(mine.map(([order, ...rest]) => [order, rest])), {
    stay: approved(credit(2500)),
    cheap: ["refused", "below_minimum", credit(0)],
    off: ["reversed", "withdrawn", credit(0)],
  });
  assert.deepEqual([await story.owed(ANNA), await story.owed(BEN)], [summed(credit(2500), 1), summed(credit(2500), 1)]);
  const [bens] = (await story.rewards(BEN)).rewards;
  assert.equal(bens.until ?? null, null, "nothing ends before it was handed over");
  await story.at(500);
  await story.both(BEN, [approved(credit(2500))]);
  assert.equal((await story.fulfil(bens.id, "booking 7")).status, "fulfilled");
  const last = Date.UTC(new Date(noon() + 500 * DAY).getUTCFullYear() + 4, 0, 1) - SECOND;
  assert.equal((await story.rewards(BEN)).rewards[0].until, instant(last), "it can be used until the third year is over");
  await setClock(worker, last);
  await story.both(BEN, [["fulfilled", null, credit(2500)]]);
  await setClock(worker, last + SECOND);
  await story.both(BEN, [["expired", null, credit(2500)]]);
  assert.deepEqual([await story.owed(BEN), await story.earned(ANNA)], [[], summed(credit(2500), 1)]);
  assert.equal((await story.fulfil(bens.id, "booking 7")).status, "expired", "told again, nothing changes");
});

test("zalando: no voucher for anybody before the friend's purchase is settled", async () => {
  const story = await begin("zalando");
  await story.report("purchase", { order_id: "kept", amount: 5000 });
  await story.report("purchase", { order_id: "back", amount: 9000, customer_id: "back" });
  await story.report("purchase", { order_id: "small", amount: 4999, customer_id: "small" });
  await story.at(3);
  for (const order of ["kept", "back", "small"]) await story.happened(order, "delivered");
  for (const [days, ms] of [[3, MINUTE], [24, -MINUTE]]) {
    await story.at(days, ms);
    await runCronUntilDone(worker);
    await story.both(BEN, [pending(off(1000))]);
    assert.deepEqual([await story.owed(ANNA), await story.owed(BEN)], [[], []]);
  }
  await story.at(16);
  await story.happened("back", "withdrawn");
  await story.decideAt(24);
  await story.both(BEN, [approved(off(1000))]);
  await story.both("back", [["reversed", "withdrawn", off(0)]]);
  await story.both("small", [["refused", "below_minimum", off(0)]]);
  assert.deepEqual(await story.owed(BEN), summed(off(1000), 1));
  const orders = (await story.rewards(ANNA)).rewards.map(({ order_id, value, reason }) => [order_id, value, reason]);
  assert.deepEqual(orders.sort(([one], [other]) => (one < other ? -1 : 1)), [
    ["back", off(0), "withdrawn"],
    ["kept", off(1000), null],
    ["small", off(0), "below_minimum"],
  ]);
  const { rewards } = await story.rewards(BEN);
  assert.equal((await story.fulfil(rewards[0].id, "GUTSCHEIN-1")).status, "fulfilled");
  assert.deepEqual(await story.owed(BEN), []);
});

for (const [preset, advocate, friend] of [
  ["anytime-fitness", { kind: "percent_off", basis_points: 2500, times: 3 }, { kind: "gift", label: "Sporttasche", worth: 2500 }],
  ["anytime-fitness-free-month", { kind: "free_periods", periods: 1 }, { kind: "free_periods", periods: 1 }],
]) {
  test(`${preset}: once the membership stands, both have what was promised`, async () => {
    const story = await begin(preset);
    await story.report("signup", { order_id: "member" });
    await story.report("signup", { order_id: "left", customer_id: "left" });
    await story.at(14);
    await story.happened("left", "withdrawn");
    await story.at(21, -MINUTE);
    await runCronUntilDone(worker);
    await story.both(BEN, [pending(friend)]);
    await story.decideAt(21);
    await story.both(BEN, [approved(friend)]);
    assert.deepEqual((await story.told("left")).map(([status, reason]) => [status, reason]), [["reversed", "withdrawn"]]);
    assert.deepEqual(await story.owed(ANNA), summed(advocate, 1));
    assert.deepEqual(await story.owed(BEN), summed(friend, 1));
    assert.deepEqual(await story.earned(ANNA), summed(advocate, 1));
    const { rewards } = await story.rewards(ANNA);
    const mine = rewards.find(({ status }) => status === "approved");
    assert.deepEqual([mine.order_id, mine.value, mine.since], ["member", advocate, instant(noon() + 21 * DAY)]);
    assert.deepEqual((await story.fulfil(mine.id, "contract 7")).value, advocate);
    assert.deepEqual(await story.owed(ANNA), []);
  });
}

test("20-10: refunds before and after the decision and after the handing over, to the cent", async () => {
  const story = await begin("20-10");
  const body = await story.report("purchase", { order_id: "A-1", amount: 4990 });
  assert.deepEqual(body.rewards.map(({ for: role, value }) => [role, value]), [["advocate", credit(998)]], "the friend's 10 % were taken off at once");
  const offer = (await api(worker)("GET", `/v1/offer?program=${story.id}`)).body;
  assert.deepEqual([offer.friend, offer.advocate], [{ kind: "percent_off", basis_points: 1000 }, { kind: "percent_of_order", basis_points: 2000 }]);
  await story.both(ANNA, [pending(credit(998), "awaiting_delivery")]);
  assert.deepEqual(await story.told(BEN), []);

  await story.at(2);
  await story.happened("A-1", "delivered");
  await story.at(5);
  await story.happened("A-1", "refunded", { amount: 1000 });
  await story.both(ANNA, [pending(credit(798))]);
  const early = await story.server("POST", `/v1/rewards/${body.rewards[0].id}/fulfil`, { reference: "too early" });
  assert.deepEqual([early.status, early.body.code, early.headers.get("retry-after")], [409, "conflict", String((18 * DAY) / 1000)]);

  await story.decideAt(23);
  await story.both(ANNA, [approved(credit(798))]);
  assert.deepEqual(await story.owed(ANNA), summed(credit(798), 1));

  await story.at(30);
  await story.happened("A-1", "refunded", { amount: 1000 });
  await story.both(ANNA, [["approved", "refunded", credit(598)]]);
  assert.deepEqual(await story.owed(ANNA), summed(credit(598), 1));

  const { id } = body.rewards[0];
  const paid = await story.fulfil(id, "voucher 881");
  assert.deepEqual([paid.status, paid.value, paid.reference, paid.entries ?? []], ["fulfilled", credit(598), "voucher 881", []]);
  assert.deepEqual(await story.owed(ANNA), []);

  await story.at(40);
  await story.happened("A-1", "refunded", { amount: 1000 });
  const [back] = (await story.rewards(ANNA)).rewards;
  assert.deepEqual([back.status, back.value], ["fulfilled", credit(598)], "what was handed over keeps its value");
  const [entry] = back.entries;
  assert.deepEqual([back.entries.length, entry.value, entry.reason, entry.since], [1, credit(-200), "refunded", instant(noon() + 40 * DAY)]);
  assert.deepEqual(await story.owed(ANNA), summed(credit(-200), 1), "the customer owes it");
  assert.deepEqual(await story.earned(ANNA), summed(credit(398), 1));

  await story.at(41);
  const settled = await story.fulfil(entry.id, "set off against voucher 902");
  const [even] = settled.entries;
  assert.deepEqual([even.reference, even.settled_at], ["set off against voucher 902", instant(noon() + 41 * DAY)]);
  assert.deepEqual(await story.owed(ANNA), []);

  assert.equal((await story.fulfil(id, "voucher 881")).overpaid, undefined, "told again, nothing changes");
  await story.at(45);
  const twice = await story.fulfil(id, "voucher 903");
  assert.deepEqual([twice.reference, twice.overpaid], ["voucher 881", [{ reference: "voucher 903", value: credit(598), since: instant(noon() + 45 * DAY) }]]);
  assert.deepEqual(await story.earned(ANNA), summed(credit(398), 1));
});

test("points: a sign-up and a first order add up, an action earns nothing, and a fourth friend on one click waits", async () => {
  const story = await begin("points");
  const token = await story.click(ANNA);
  await story.report("signup", { order_id: "signup", token });
  await story.report("purchase", { order_id: "first", amount: 2000, token });
  for (const action of ["review", "newsletter"]) {
    const done = await story.report("action", { order_id: action, action, token });
    assert.deepEqual([done.attributed, done.rewards], [true, []], "what is bought so earns nothing");
  }
  for (const number of [2, 3, 4]) {
    await story.at(0, number * MINUTE);
    await story.report("signup", { order_id: `signup-${number}`, customer_id: `friend-${number}`, token });
  }
  await story.decideAt(31);
  const told = (await story.rewards(ANNA)).rewards.map(({ order_id, status, reason, value }) => [order_id, status, reason, value]);
  const waits = ["review", "many_orders_one_click", points(100)];
  assert.deepEqual(Object.fromEntries(told.map(([order, ...rest]) => [order, rest])), {
    signup: approved(points(100)),
    first: approved(points(500)),
    "signup-2": approved(points(100)),
    "signup-3": approved(points(100)),
    "signup-4": waits,
  });
  assert.deepEqual(await story.owed(ANNA), summed(points(800), 4));
  assert.deepEqual(await story.earned(ANNA), summed(points(800), 4));
  assert.deepEqual(await story.owed(BEN), summed(points(300), 2));
  // Points are redeemed with the shop: it books them and says so.
  for (const { id, status } of (await story.rewards(BEN)).rewards) {
    assert.equal(status, "approved");
    await story.fulfil(id, unique("booking"));
  }
  assert.deepEqual(await story.owed(BEN), []);
});

test("the terms in plain words are told in the language asked for, and to the merchant", async () => {
  const story = await begin("dropbox");
  const offer = (lang) => api(worker)("GET", `/v1/offer?program=${story.id}${lang === undefined ? "" : `&lang=${lang}`}`);
  const [de, en, usual] = [(await offer("de")).body, (await offer("en")).body, (await offer()).body];
  assert.match(de.terms.join("\n"), /bekommst du 500\u00a0MB Speicherplatz\. Für Anmeldungen bekommst du insgesamt höchstens 16\u00a0GB/);
  assert.match(en.terms.join("\n"), /you get 500\u00a0MB of storage\. For sign-ups, you get at most 16\u00a0GB/);
  assert.deepEqual([usual.terms, usual.terms_version], [de.terms, 1], "German, as the program's locale is");
  const unknown = await offer("fr");
  assert.deepEqual([unknown.status, unknown.body.code, unknown.body.field, unknown.body.detail], [400, "invalid_field", "lang", "lang must be one of de, en"]);
  const current = (await story.server("GET", "/v1/program")).body;
  assert.deepEqual(current.plain_terms, de.terms);
  // What was read can be sent back, with the change wanted, and the terms follow.
  const changed = await story.server("PUT", "/v1/program", { ...current, address: "sie", locale: "de-AT" });
  assert.equal(changed.status, 200, changed.text);
  assert.match(changed.body.plain_terms.join("\n"), /bekommen Sie 500\u00a0MB Speicherplatz/);
  assert.match((await story.server("GET", "/v1/program")).body.upcoming.plain_terms.join("\n"), /bekommen Sie/);
  const english = await story.server("PUT", "/v1/program", { ...current, locale: "en-GB" });
  assert.match(english.body.plain_terms.join("\n"), /you get 500\u00a0MB of storage/);
});

test("each preset is told as the OpenAPI document says, and can be sent back", async () => {
  const { schemas } = document.components;
  const named = (name, value) => violations({ $ref: `#/components/schemas/${name}` }, value);
  for (const preset of schemas.NewProgramRequest.properties.preset.enum) {
    const story = await begin(preset);
    const program = (await story.server("GET", "/v1/program")).body;
    assert.deepEqual(named("ProgramVersion", program), [], preset);
    assert.deepEqual(named("ProgramRequest", program), [], preset);
    const again = await story.server("PUT", "/v1/program", program);
    assert.deepEqual([again.status, again.body.version], [200, 1], "the same terms again change nothing");
    const offer = (await api(worker)("GET", `/v1/offer?program=${story.id}`)).body;
    assert.deepEqual(named("Offer", offer), [], preset);
    assert.deepEqual(offer.terms, program.plain_terms);
  }
});

test("a preset that is not there is refused with those that are", async () => {
  await assert.rejects(begin("30-15"), /preset must be one of 20-10, dropbox, airbnb, zalando, anytime-fitness, anytime-fitness-free-month, points/);
});
