// A customer's rights: everything kept about them handed out, and what names them taken away.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { DAY, HOUR, MINUTE, createProgram, noon, runCronUntilDone, setClock, startWorker } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

const HINT = createHash("sha256").update("anna@mail.example").digest("hex");

// 10023 shared, 20871 bought through it.
async function begin() {
  await setClock(worker, noon());
  const program = await createProgram(worker);
  await program.me("10023", { hints: [HINT] });
  const answer = await program.order({ order_id: "A-1", customer_id: "20871", token: await program.click("10023") });
  assert.equal(answer.status, 201, answer.text);
  return program;
}

const ask = (program, what, customer) => program.server("POST", `/v1/customers/${what}`, { customer_id: customer });

test("the export of an advocate holds their code and what they referred, but no friend", async () => {
  const program = await begin();
  const answer = await ask(program, "export", "10023");
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.body.customer_id, answer.body.known, answer.body.clicks >= 0], ["10023", true, true]);
  assert.equal(answer.body.hints.length, 1);
  assert.equal(answer.body.code, await program.code("10023"));
  assert.equal(answer.body.referrals.length, 1);
  assert.deepEqual(answer.body.orders, []);
  assert.doesNotMatch(answer.text, /20871/);
});

test("the export of a friend holds their orders, but no advocate", async () => {
  const program = await begin();
  const answer = await ask(program, "export", "20871");
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.orders.length, 1);
  assert.equal(answer.body.orders[0].order_id, "A-1");
  assert.deepEqual(answer.body.referrals, []);
  assert.doesNotMatch(answer.text, /10023/);
});

test("an erased customer is no longer named anywhere, and the money stays right", async () => {
  const program = await begin();
  const answer = await ask(program, "erase", "10023");
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.erased, true);
  const days = (Date.parse(answer.body.repeated_until) - noon()) / DAY;
  assert.ok(days >= 7 && days <= 8, answer.body.repeated_until);
  await setClock(worker, noon() + HOUR);
  await runCronUntilDone(worker);
  const exported = await ask(program, "export", "10023");
  assert.deepEqual([exported.body.known, exported.body.hints], [false, []], exported.text);
  const places = ["/v1/rewards", "/v1/conversions/A-1"];
  for (const path of places) {
    const shown = await program.server("GET", path);
    assert.equal(shown.status, 200, shown.text);
    assert.doesNotMatch(shown.text, /10023/, path);
  }
  await setClock(worker, noon() + 30 * DAY + 10 * MINUTE);
  await runCronUntilDone(worker);
  const { body } = await program.server("GET", "/v1/rewards?status=approved");
  const advocate = body.rewards.find((reward) => reward.for === "advocate");
  assert.deepEqual(advocate.value, { kind: "credit", amount: 998, currency: "EUR" });
  assert.equal(advocate.customer_id, null);
});

test("what is written for an erased customer later is dropped", async () => {
  const program = await begin();
  await ask(program, "erase", "10023");
  await program.server("POST", "/v1/codes", { customer_ids: ["10023"] });
  await setClock(worker, noon() + HOUR);
  await runCronUntilDone(worker);
  assert.doesNotMatch((await program.server("GET", "/v1/rewards")).text, /10023/);
});

test("the erasure of one customer leaves the other, and another program's, as they were", async () => {
  const program = await begin();
  const other = await begin();
  await ask(program, "erase", "10023");
  assert.match((await other.server("GET", "/v1/rewards")).text, /10023/);
  const { body } = await ask(program, "export", "20871");
  assert.equal(body.orders[0].order_id, "A-1");
});

test("erasing again, or someone unknown, is the same answer", async () => {
  const program = await begin();
  await ask(program, "erase", "10023");
  for (const customer of ["10023", "nobody"]) {
    const answer = await ask(program, "erase", customer);
    assert.deepEqual([answer.status, answer.body.erased], [200, true], answer.text);
  }
  const unknown = await ask(program, "export", "nobody");
  assert.equal(unknown.status, 200, unknown.text);
  assert.deepEqual([unknown.body.referrals, unknown.body.orders], [[], []]);
});

test("a request that names nobody is refused", async () => {
  const program = await begin();
  for (const what of ["export", "erase"]) {
    for (const body of [{}, { customer_id: "0" }, { customer_id: 10023 }]) {
      const answer = await program.server("POST", `/v1/customers/${what}`, body);
      assert.deepEqual([answer.status, answer.body.code, answer.body.field], [400, "invalid_field", "customer_id"], answer.text);
    }
  }
});
