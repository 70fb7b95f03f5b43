// What was acknowledged is there after the Worker died without warning.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgram, startWorker, temporaryDirectory } from "./harness.mjs";

test("a conversion and an event outlive a SIGKILL right after their 201", async () => {
  const persist = temporaryDirectory("restart");
  const first = await startWorker({ persist });
  const program = await createProgram(first);
  const order = await program.order({ order_id: "A-1", customer_id: "20871", token: await program.click("10023") });
  assert.equal(order.status, 201, order.text);
  const event = await program.event("A-1", { event_id: "r1", type: "refunded", amount: 990 });
  assert.equal(event.status, 201, event.text);
  await first.kill();
  await assert.rejects(fetch(`${first.url}/healthz`), "the Worker still answers");

  const second = await startWorker({ persist });
  try {
    // The same program, keys and all, from what is on disk and in the secrets.
    const again = await fetch(`${second.url}/v1/conversions/A-1`, {
      headers: { authorization: `Bearer ${program.serverApiKey}` },
    });
    assert.equal(again.status, 200);
    const { order_id, attributed, advocate, rewards, events } = await again.json();
    assert.deepEqual([order_id, attributed, advocate], ["A-1", true, { customer_id: "10023" }]);
    assert.deepEqual(rewards.map(({ id, value }) => [id, value]), [
      [order.body.rewards[0].id, { kind: "credit", amount: 800, currency: "EUR" }],
    ]);
    assert.deepEqual(
      events.map(({ event_id, type, amount }) => ({ event_id, type, amount })),
      [{ event_id: "r1", type: "refunded", amount: 990 }],
    );
  } finally {
    await second.stop();
  }
});
