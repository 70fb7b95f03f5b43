// What a shop's order becomes: attributed or refused with its reason, once, whatever is sent again.
// Rewards over time are settlement.test.mjs, what happens to an order later is events.test.mjs.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { DAY, HOUR, MINUTE, SECOND, createProgram, instant, noon, setClock, startWorker, unique } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

// A program of its own, at noon.
async function begin(overrides) {
  await setClock(worker, noon());
  return createProgram(worker, overrides);
}

const hint = (address) => createHash("sha256").update(address).digest("hex");

function assertRefused(answer, reason) {
  assert.equal(answer.status, 201, answer.text);
  const { attributed, reason: given, advocate, rewards } = answer.body;
  assert.deepEqual({ attributed, reason: given, advocate, rewards }, { attributed: false, reason, advocate: null, rewards: [] });
}

function assertProblem(answer, status, code, field) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  assert.deepEqual([answer.body.status, answer.body.code, answer.body.field], [status, code, field], answer.text);
  assert.ok(answer.body.detail.length > 10, "the detail says what would be right");
}

test("an order with a click token is attributed and answered with what it promises", async () => {
  const program = await begin();
  const token = await program.click("10023");
  const answer = await program.order({ order_id: "A-10077", customer_id: "20871", amount: 4990, token });
  assert.equal(answer.status, 201, answer.text);
  const [reward] = answer.body.rewards;
  // The friend's 10 % were taken off by the shop at once: nothing to wait for, so no reward.
  assert.deepEqual(answer.body, {
    order_id: "A-10077",
    attributed: true,
    reason: null,
    advocate: { customer_id: "10023" },
    rewards: [{ id: reward.id, for: "advocate", value: { kind: "credit", amount: 998, currency: "EUR" } }],
    provisional: true,
    terms_version: 1,
    proof: "token",
    proofs: [],
  });
  assert.match(reward.id, /^rw_[0-9a-hjkmnp-tv-z]{18}$/);
});

test("a friend can earn too", async () => {
  const program = await begin({
    rewards: [
      { for: "advocate", trigger: "first_purchase", value: { kind: "credit", amount: 500, currency: "EUR" } },
      { for: "friend", trigger: "first_purchase", value: { kind: "points", points: 100 } },
    ],
  });
  const { body } = await program.order({ order_id: "A-1", customer_id: "20871", token: await program.click("10023") });
  assert.deepEqual(
    body.rewards.map(({ for: role, value }) => [role, value]),
    [
      ["advocate", { kind: "credit", amount: 500, currency: "EUR" }],
      ["friend", { kind: "points", points: 100 }],
    ],
  );
  assert.notEqual(body.rewards[0].id, body.rewards[1].id);
  const shown = await program.server("GET", "/v1/rewards");
  const whose = Object.fromEntries(shown.body.rewards.map((reward) => [reward.for, reward.customer_id]));
  assert.deepEqual(whose, { advocate: "10023", friend: "20871" });
});

test("the share of the order is rounded half up, once", async () => {
  const program = await begin();
  for (const [amount, credit] of [[1, 0], [2, 0], [3, 1], [12, 2], [13, 3], [4992, 998], [4993, 999]]) {
    const { body } = await program.order({ amount, token: await program.click(unique("advocate")) });
    assert.deepEqual(body.rewards[0].value, { kind: "credit", amount: credit, currency: "EUR" }, `${amount}`);
  }
});

test("a typed code counts without a click", async () => {
  const program = await begin();
  const code = await program.code("10023");
  const typed = await program.order({ code: code.toUpperCase() });
  assert.deepEqual([typed.body.attributed, typed.body.advocate], [true, { customer_id: "10023" }]);
});

test("an identical repeat is 200 with the identical body", async () => {
  const program = await begin();
  const fields = { order_id: "A-1", customer_id: "20871", token: await program.click("10023"), occurred_at: instant(noon()) };
  const first = await program.order(fields);
  assert.equal(first.status, 201, first.text);
  await setClock(worker, noon() + 2 * HOUR);
  // Equal after parsing: another zone, a null, the keys in another order.
  const [date, time] = instant(noon() + HOUR).split("T");
  const same = { ...fields, segment: null, occurred_at: `${date}T${time.replace("Z", "+01:00")}` };
  for (const again of [fields, same, Object.fromEntries(Object.entries(fields).reverse())]) {
    const repeat = await program.order(again);
    assert.equal(repeat.status, 200, repeat.text);
    assert.equal(repeat.text, first.text);
  }
});

test("the same order with other content is 409 and changes nothing", async () => {
  const program = await begin();
  const fields = { order_id: "A-1", customer_id: "20871", token: await program.click("10023"), occurred_at: instant(noon()) };
  const first = await program.order(fields);
  const others = {
    amount: { amount: 5000 },
    customer: { customer_id: "30412" },
    hints: { hints: [hint("a@b.example")] },
    time: { occurred_at: instant(noon() - SECOND) },
    "first order": { first_order: false },
    referral: { token: await program.click("99999") },
  };
  for (const [what, change] of Object.entries(others)) {
    const answer = await program.order({ ...fields, ...change });
    assert.equal(answer.status, 409, `${what}: ${answer.text}`);
    assert.equal(answer.body.code, "conflict", what);
  }
  assert.equal((await program.order(fields)).text, first.text);
  const shown = await program.server("GET", "/v1/conversions/A-1");
  assert.deepEqual(shown.body.advocate, { customer_id: "10023" });
});

test("ten identical orders at once leave one conversion", async () => {
  const program = await begin();
  const fields = { order_id: "A-1", customer_id: "20871", token: await program.click("10023"), occurred_at: instant(noon()) };
  const answers = await Promise.all(Array.from({ length: 10 }, () => program.order(fields)));
  assert.ok(answers.every(({ status }) => status === 200 || status === 201), answers.map(({ status }) => status).join());
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1, "all answers are the same");
  const me = await program.me("10023");
  assert.deepEqual([me.referrals.length, me.totals.purchases, me.totals.pending], [1, 1, 1]);
  const { body } = await program.server("GET", "/v1/rewards");
  assert.equal(body.rewards.filter((reward) => reward.for === "advocate").length, 1);
});

test("the window ends to the second", async () => {
  const program = await begin({ attribution: { window_days: 30 } });
  const token = await program.click("10023");
  const end = noon() + 30 * DAY;
  await setClock(worker, end + MINUTE);
  for (const [seconds, attributed] of [[-1, true], [0, true], [1, false]]) {
    const answer = await program.order({ token, occurred_at: instant(end + seconds * SECOND) });
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.body.attributed, attributed, `${seconds} s`);
    if (!attributed) assertRefused(answer, "outside_window");
  }
});

test("an order before the click, or before the program, earns nothing", async () => {
  const program = await begin();
  assertRefused(await program.order({ code: await program.code("10023"), occurred_at: instant(noon() - SECOND) }), "before_program");
  await setClock(worker, noon() + HOUR);
  const token = await program.click("10023");
  assertRefused(await program.order({ token, occurred_at: instant(noon() + MINUTE) }), "clicked_later");
});

test("an advocate cannot refer themselves, by id or by the same e-mail as a guest", async () => {
  const program = await begin();
  const claims = { hints: [hint("anna@mail.example")] };
  assert.ok((await program.me("10023", claims)).link);
  const token = await program.click("10023");
  assertRefused(await program.order({ token, customer_id: "10023" }), "self_referral");
  const guest = { customer_id: undefined, token, hints: [hint("anna@work.example"), hint("anna@mail.example")] };
  assertRefused(await program.order(guest), "self_referral");
  const stranger = await program.order({ customer_id: undefined, token, hints: [hint("ben@mail.example")] });
  assert.equal(stranger.body.attributed, true);
});

test("a guest is recognised by any hint: one friend, one referral", async () => {
  const program = await begin();
  const order = async (advocate, hints) => program.order({ customer_id: undefined, hints, token: await program.click(advocate) });
  const first = await order("10023", [hint("a@x.example"), hint("b@x.example")]);
  assert.equal(first.body.attributed, true, first.text);
  assertRefused(await order("30412", [hint("c@x.example"), hint("b@x.example")]), "friend_already_referred");
  const other = await order("30412", [hint("c@y.example")]);
  assert.equal(other.body.attributed, true);
});

test("an existing customer earns nobody anything where the program is for new ones", async () => {
  const program = await begin();
  const refused = { first_order: false, token: await program.click("10023") };
  assertRefused(await program.order(refused), "existing_customer");
  const open = await begin({
    attribution: { new_customers_only: false },
    rewards: [{ for: "advocate", trigger: "every_purchase", value: { kind: "points", points: 50 } }],
  });
  const answer = await open.order({ first_order: false, token: await open.click("10023") });
  assert.deepEqual(answer.body.rewards.map(({ value }) => value), [{ kind: "points", points: 50 }], answer.text);
});

test("the minimum order counts to the cent", async () => {
  const program = await begin({
    rewards: [
      { for: "advocate", trigger: "first_purchase", value: { kind: "percent_of_order", basis_points: 2000 }, minimum_order: 2500 },
    ],
  });
  const order = async (amount) => program.order({ amount, token: await program.click("10023") });
  assertRefused(await order(2499), "below_minimum");
  assert.equal((await order(2500)).body.attributed, true);
  assert.equal((await order(2501)).body.attributed, true);
});

test("another currency than the program's earns nothing", async () => {
  const program = await begin();
  assertRefused(await program.order({ currency: "CHF", token: await program.click("10023") }), "currency_mismatch");
});

test("a paused program earns nothing", async () => {
  const program = await begin({ paused: true });
  assertRefused(await program.order({ code: await program.code("10023") }), "program_paused");
});

test("an order without a referral is kept", async () => {
  const program = await begin();
  assertRefused(await program.order({ order_id: "A-1" }), "no_referral");
  assert.equal((await program.server("GET", "/v1/conversions/A-1")).status, 200);
});

test("a bad token or code never fails an order", async () => {
  const program = await begin();
  const foreign = await createProgram(worker);
  const token = await program.click("10023");
  const flipped = token.slice(0, 20) + (token[20] === "A" ? "B" : "A") + token.slice(21);
  const bad = [
    { token: "hallo" },
    { token: flipped },
    { token: token.slice(0, -1) },
    { token: `${token}A` },
    { token: await foreign.click("10023") },
    { token: "x".repeat(3000) },
    { token: "\u0000" },
    { code: "0".repeat(26) },
    { code: await foreign.code("10023") },
  ];
  for (const referral of bad) assertRefused(await program.order(referral), "invalid_token");
  // What a form sends where no link was followed.
  assertRefused(await program.order({ token: "" }), "no_referral");
  assertRefused(await program.order({ alias: "NIEMAND" }), "unknown_alias");
});

test("a sign-up earns points without an amount", async () => {
  const program = await begin({ rewards: [{ for: "advocate", trigger: "signup", value: { kind: "points", points: 10 } }] });
  const signup = { kind: "signup", amount: undefined, currency: undefined, first_order: undefined };
  const answer = await program.order({ ...signup, token: await program.click("10023") });
  assert.deepEqual(answer.body.rewards.map(({ value }) => value), [{ kind: "points", points: 10 }], answer.text);
  const me = await program.me("10023");
  assert.deepEqual([me.totals.signups, me.totals.purchases], [1, 0]);
});

test("what cannot be read is refused by field, and nothing is kept of it", async () => {
  const program = await begin();
  const cases = [
    [{ amount: "49.90" }, "invalid_field", "amount"],
    [{ amount: 49.9 }, "invalid_field", "amount"],
    [{ amount: -1 }, "invalid_field", "amount"],
    [{ amount: 1e15 }, "invalid_field", "amount"],
    [{ amount: undefined }, "invalid_field", "amount"],
    [{ amount: null }, "invalid_field", "amount"],
    [{ currency: "euro" }, "invalid_field", "currency"],
    [{ currency: 978 }, "invalid_field", "currency"],
    [{ currency: undefined }, "invalid_field", "currency"],
    [{ kind: "sale" }, "invalid_field", "kind"],
    [{ kind: undefined }, "invalid_field", "kind"],
    [{ kind: "signup" }, "invalid_field", "amount"],
    [{ customer_id: undefined }, "invalid_field", "customer_id"],
    [{ customer_id: undefined, hints: [] }, "invalid_field", "customer_id"],
    [{ customer_id: "0" }, "invalid_field", "customer_id"],
    [{ customer_id: "null" }, "invalid_field", "customer_id"],
    [{ customer_id: "   " }, "invalid_field", "customer_id"],
    [{ customer_id: "" }, "invalid_field", "customer_id"],
    [{ customer_id: "x".repeat(129) }, "invalid_field", "customer_id"],
    [{ customer_id: 20871 }, "invalid_field", "customer_id"],
    [{ hints: "abc" }, "invalid_field", "hints"],
    [{ hints: ["anna@mail.example"] }, "invalid_field", "hints[0]"],
    [{ hints: Array.from({ length: 5 }, (_, n) => hint(`${n}`)) }, "invalid_field", "hints"],
    [{ first_order: "yes" }, "invalid_field", "first_order"],
    [{ occurred_at: undefined }, "invalid_field", "occurred_at"],
    [{ occurred_at: "yesterday" }, "invalid_field", "occurred_at"],
    [{ occurred_at: 1795334400 }, "invalid_field", "occurred_at"],
    [{ occurred_at: instant(noon() + 5 * MINUTE + SECOND) }, "invalid_field", "occurred_at"],
    [{ token: 7 }, "invalid_field", "token"],
    [{ order_id: undefined }, "invalid_field", "order_id"],
    [{ order_id: 10077 }, "invalid_field", "order_id"],
    [{ order_id: "a\nb" }, "invalid_field", "order_id"],
    [{ items: [{ sku: "TEE-1", amount: "4990" }] }, "invalid_field", "items[0].amount"],
    [{ customer: "20871" }, "unknown_field", "customer"],
    [{ items: [{ sku: "TEE-1", amount: 4990, colour: "green" }] }, "unknown_field", "items[0].colour"],
  ];
  for (const [change, code, field] of cases) {
    const order_id = "order_id" in change ? change.order_id : "A-1";
    assertProblem(await program.order({ order_id, ...change }), 400, code, field);
  }
  const two = await program.order({ order_id: "A-1", proofs: [{ token: "a", code: "b" }] });
  assertProblem(two, 400, "invalid_field", "proofs[0].code");
  assert.equal((await program.server("GET", "/v1/conversions/A-1")).status, 404);
  const right = await program.order({ order_id: "A-1", occurred_at: instant(noon() + 5 * MINUTE) });
  assert.equal(right.status, 201, right.text);
});

test("an order that is not there is 404 with the time to wait", async () => {
  const program = await begin();
  const answer = await program.server("GET", "/v1/conversions/A-404");
  assertProblem(answer, 404, "not_found", undefined);
  assert.equal(answer.headers.get("retry-after"), "60");
});
