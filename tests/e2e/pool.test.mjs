// Coupons from a pool the merchant uploads: from the CSV file to the code an advocate sees, through the built
// Worker and the real runtime.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HOUR, MINUTE, api, createProgram, instant, kvOperations, noon, runCronUntilDone, setClock, startWorker, unique } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
  await setClock(worker, noon());
});
after(() => worker?.stop());

const rewards = [
  { for: "advocate", trigger: "first_purchase", value: { kind: "amount_off", amount: 500 }, delivery: "coupon", pool: "Tee 2026/27" },
];
const PATH = `/v1/pools/${encodeURIComponent("Tee 2026/27")}`;

test("codes are uploaded, go to approved rewards one by one, and are shown to the advocate and nobody else", async () => {
  const program = await createProgram(worker, { rewards, hold: { from: "order", days: 0, fallback_days: 0 } });
  const server = api(worker, program.serverApiKey);
  assert.equal((await server("GET", "/v1/program")).status, 200, "the isolate is warm");
  const csv = (text) => server("POST", PATH, text, { raw: true, headers: { "content-type": "text/csv" } });

  const first = await csv("\ufeffCode;\r\n\"TEE-1\";\r\nTEE-2;\r\n");
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(first.body, { pool: "Tee 2026/27", added: 2, known: 0, used: true });
  assert.deepEqual(kvOperations(first), { read: 0, write: 2, list: 1, all: 3 });
  const again = await csv("TEE-2\nTEE-1\n");
  assert.deepEqual(again.body, { pool: "Tee 2026/27", added: 0, known: 2, used: true });
  assert.deepEqual(kvOperations(again), { read: 1, write: 0, list: 1, all: 2 });
  const headed = await csv("sep=;\r\nWert;Gutscheincode\r\n5,00;TEE-2\r\n");
  assert.deepEqual(headed.body, { pool: "Tee 2026/27", added: 0, known: 1, used: true }, "a heading is no voucher");
  const unknown = await csv("Bezeichnung\nTEE-3\n");
  assert.deepEqual([unknown.status, unknown.body.code, unknown.body.field], [400, "invalid_field", "line 1"], unknown.text);
  const wrong = await csv("TEE-3\nTEE 4\n");
  assert.deepEqual([wrong.status, wrong.body.field], [400, "line 2"], wrong.text);
  const empty = await server("GET", PATH);
  const pool = { pool: "Tee 2026/27", uploaded: 2, assigned: 0, left: 2, waiting: 0, low: true, used: true };
  assert.deepEqual([empty.body, kvOperations(empty)], [pool, { read: 1, write: 0, list: 2, all: 3 }]);

  // Three friends buy, and there are codes for two.
  const code = await program.code("10023");
  for (const friend of ["1", "2", "3"]) {
    const sent = { order_id: unique("A"), kind: "purchase", amount: 4990, currency: "EUR", customer_id: `friend-${friend}`, occurred_at: instant(worker.now()), code };
    assert.equal((await server("POST", "/v1/conversions", sent)).status, 201);
  }
  for (const later of [2 * HOUR, 15 * MINUTE]) {
    await setClock(worker, worker.now() + later);
    await runCronUntilDone(worker);
  }
  const told = (await server("GET", "/v1/rewards?customer_id=10023")).body.rewards;
  const coupons = (list) => list.map(({ coupon }) => coupon).filter(Boolean).sort();
  assert.deepEqual(coupons(told), ["TEE-1", "TEE-2"]);
  assert.deepEqual(told.map(({ status }) => status).sort(), ["approved", "fulfilled", "fulfilled"]);
  assert.deepEqual((await server("GET", PATH)).body, { ...pool, assigned: 2, left: 0, waiting: 1 });
  assert.deepEqual(coupons((await program.me("10023")).referrals.map(({ reward }) => reward)), ["TEE-1", "TEE-2"]);
  assert.ok(!JSON.stringify(await program.me("friend-1")).includes("TEE-"));

  // Whoever waits is served by the next upload.
  assert.equal((await csv("TEE-5")).body.added, 1);
  await setClock(worker, worker.now() + 15 * MINUTE);
  await runCronUntilDone(worker);
  assert.deepEqual(coupons((await program.me("10023")).referrals.map(({ reward }) => reward)), ["TEE-1", "TEE-2", "TEE-5"]);
});
