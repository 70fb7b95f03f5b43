// A short code for the telephone and the till: chosen once, reserved until it is sure, then as good as a
// click; what a shop may take off before there is an order; and the friend's coupon.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MINUTE, api, createProgram, instant, noon, setClock, startWorker, until } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

async function begin(overrides) {
  await setClock(worker, noon());
  return createProgram(worker, overrides);
}

const choose = (program, customer, body) => program.customer(customer)("POST", "/v1/me/alias", body);
const friendly = { for: "friend", trigger: "first_purchase", value: { kind: "percent_off", basis_points: 1000 }, when: "at_once" };
const share = { for: "advocate", trigger: "every_purchase", value: { kind: "percent_of_order", basis_points: 2000 } };

test("an alias is reserved, then shown, and orders are credited to whoever has it", async () => {
  const program = await begin();
  const chosen = await choose(program, "10023", { alias: "tee-4k7" });
  assert.deepEqual([chosen.status, chosen.body], [200, { alias: "TEE4K7", reserved_until: instant(noon() + 11 * MINUTE) }]);
  assert.deepEqual((await choose(program, "10023", { alias: "TEE4K7" })).body, chosen.body, "the same again");
  const { alias, alias_reserved } = await program.me("10023");
  assert.deepEqual([alias, alias_reserved], [null, { alias: "TEE4K7", until: instant(noon() + 11 * MINUTE) }]);
  const early = await program.order({ alias: "TEE4K7" });
  assert.deepEqual([early.status, early.body.attributed, early.body.reason], [201, false, "unknown_alias"]);

  await setClock(worker, noon() + 11 * MINUTE);
  const me = await program.me("10023");
  assert.deepEqual([me.alias, me.alias_reserved], ["TEE4K7", undefined]);
  assert.deepEqual((await choose(program, "10023", {})).body, { alias: "TEE4K7", reserved_until: null });
  for (const proof of [{ alias: "Tee 4K7" }, { token: "broken", alias: "„TEE–4K7“" }]) {
    const order = await program.order(proof);
    assert.deepEqual([order.status, order.body.attributed, order.body.advocate], [201, true, { customer_id: "10023" }], order.text);
  }
  const bare = await program.order({ coupon: "TEE4K7" });
  assert.deepEqual([bare.body.attributed, bare.body.reason], [false, "no_referral"], "a coupon is the shop's own");
  const unknown = await program.order({ alias: "NIEMAND" });
  assert.deepEqual([unknown.body.attributed, unknown.body.reason], [false, "unknown_alias"]);
  assert.equal((await program.me("10023")).totals.purchases, 2);
});

test("what somebody has, or what would offend, is refused with something that can be chosen", async () => {
  const program = await begin();
  await choose(program, "10023", { alias: "TASSE" });
  for (const [wanted, status, code] of [["TASSE", 409, "conflict"], ["KLASSE", 400, "invalid_field"], ["4R5CH", 400, "invalid_field"], ["TEE", 400, "invalid_field"], ["HERBST25", 400, "invalid_field"]]) {
    const refused = await choose(program, `for ${wanted}`, { alias: wanted });
    assert.deepEqual([refused.status, refused.body.code], [status, code], refused.text);
    const [, instead] = /How about (\w+)\?/.exec(refused.body.detail);
    assert.equal((await choose(program, `for ${wanted}`, { alias: instead })).status, 200, instead);
  }
  const other = await choose(program, "10023", { alias: "KANNE" });
  assert.deepEqual([other.status, other.body.code], [409, "conflict"]);
  const random = await choose(program, "20871", {});
  assert.match(random.body.alias, /^[2-9A-HJKMNP-Z]{6}$/);
});

test("an erasure takes the alias along, and nobody else gets it", async () => {
  const program = await begin();
  await choose(program, "10023", { alias: "TASSE" });
  await setClock(worker, noon() + 11 * MINUTE);
  const aliases = async () => (await program.server("POST", "/v1/customers/export", { customer_id: "10023" })).body.aliases;
  assert.deepEqual(await aliases(), ["TASSE"]);
  assert.equal((await program.server("POST", "/v1/customers/erase", { customer_id: "10023" })).status, 200);
  await until(async () => (await aliases()).length === 0, { what: "the alias to be gone" });
  assert.equal((await program.order({ alias: "TASSE" })).body.reason, "unknown_alias");
  assert.equal((await choose(program, "10023", { alias: "TASSE" })).status, 409);
  assert.equal((await choose(program, "20871", { alias: "TASSE" })).status, 409, "it may be in print");
});

test("a shop is told what to take off before there is an order, and nothing for one's own link", async () => {
  const program = await begin({ rewards: [share, { ...friendly, minimum_order: 2000 }] });
  await choose(program, "10023", { alias: "TASSE" });
  await setClock(worker, noon() + 11 * MINUTE);
  const check = async (question) => (await program.server("POST", "/v1/offer/check", question)).body;
  const token = await program.click("10023");
  const nothing = (reason, proof = null) => ({ eligible: false, value: null, minimum_order: null, discountable: null, reason, proof, proofs: [] });
  for (const proof of [{ token }, { alias: "TASSE" }, { code: await program.code("10023") }]) {
    const [kind] = Object.keys(proof);
    const items = [{ sku: "TEE-1", amount: 2490 }];
    const answer = await check({ customer_id: "20871", first_order: true, items, ...proof });
    assert.deepEqual(answer, { eligible: true, value: friendly.value, minimum_order: 2000, discountable: 2490, reason: null, proof: kind, proofs: [] });
    assert.deepEqual(await check({ customer_id: "10023", ...proof }), nothing("self_referral", kind));
    assert.deepEqual(await check({ customer_id: "20871", first_order: false, ...proof }), nothing("existing_customer", kind));
  }
  assert.deepEqual(await check({ customer_id: "20871" }), nothing("no_referral"));
  await program.order({ customer_id: "30412", token });
  assert.deepEqual(await check({ customer_id: "30412", token }), nothing("friend_already_referred", "token"));
  const nobody = await program.server("POST", "/v1/offer/check", { token });
  assert.deepEqual([nobody.status, nobody.body.field], [400, "customer_id"]);
});

test("a friend's coupon is shown with the link that applies it, and with an alias it proves the referral", async () => {
  const coupon = { code: "FREUND10", link: "https://shop.example/discount/{code}?redirect={to}" };
  const program = await begin({ coupon, rewards: [share, { ...friendly, delivery: "coupon" }] });
  const offer = (await api(worker)("GET", `/v1/offer?program=${program.id}`)).body;
  assert.deepEqual([offer.coupon, offer.coupon_link], ["FREUND10", "https://shop.example/discount/FREUND10?redirect=%2Fwillkommen"]);
  await choose(program, "10023", { alias: "TASSE" });
  await setClock(worker, noon() + 11 * MINUTE);
  const bare = await program.order({ coupon: "FREUND10" });
  assert.deepEqual([bare.body.attributed, bare.body.reason], [false, "no_referral"]);
  const named = await program.order({ proofs: [{ coupon: "NEWSLETTER5" }, { coupon: "freund10 tasse" }] });
  assert.deepEqual([named.body.proof, named.body.proofs], ["coupon", [{ coupon: "reserved_code" }]]);
  assert.deepEqual([named.body.attributed, named.body.advocate], [true, { customer_id: "10023" }]);
});
