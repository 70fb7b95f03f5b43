// The redirect of the real Worker on a store that refuses, fails or hangs altogether.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PERSON, SECOND, api, createProgram, until } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

// A request ends by then, whatever the store does.
const BOUND = 25 * SECOND;

let worker;
let program;
let code;

before(async () => {
  worker = await startMiniflare({ vars: { TEST_CLOCK: "off" } });
  program = await createProgram(worker);
  code = await program.code("10023");
});
after(() => worker?.stop());

async function redirect(visitor = "10.0.0.1") {
  const began = performance.now();
  const answer = await api(worker)("GET", `/r/${program.id}/${code}`, undefined, {
    headers: { "user-agent": PERSON, "cf-connecting-ip": visitor },
  });
  const took = performance.now() - began;
  assert.ok(took < BOUND, `${answer.status} after ${Math.round(took)} ms`);
  return { ...answer, took };
}

const assertLeadsToTheShop = (answer) => {
  assert.equal(answer.status, 302, answer.text);
  assert.match(answer.headers.get("location"), /[?&]pa=/);
};

test("an isolate that knows the programs waits for no store, and counts clicks again once there is one", async () => {
  const everything = [{ how: "hang" }];
  await worker.store({ faults: everything });
  for (let visitor = 0; visitor < 20; visitor += 1) {
    const answer = await redirect(`10.0.0.${visitor}`);
    assertLeadsToTheShop(answer);
    assert.ok(answer.took < 4 * SECOND, `visitor ${visitor} waited`);
  }
  // A minute later the programs are due to be listed again: one visitor waits for that, in vain, and is
  // redirected all the same; nobody else waits.
  await worker.store({ faults: everything, later: 61 * SECOND });
  const all = await Promise.all(Array.from({ length: 21 }, (_, at) => redirect(`10.0.1.${at}`)));
  all.forEach(assertLeadsToTheShop);
  assert.equal(all.filter(({ took }) => took > 4 * SECOND).length, 1, "who waited");
  await worker.store({ faults: [], later: 90 * SECOND });
  code = await program.code("10024");
  assertLeadsToTheShop(await redirect());
  await until(async () => (await program.me("10024")).totals.clicks === 1, { what: "the click" });
});

test("an isolate that knows nothing yet says when to try again, in bounded time, and works as soon as the store does", async () => {
  for (const how of ["429", "error", "hang"]) {
    await worker.again({ faults: [{ operations: ["list"], keys: "^program/", how }] });
    const crowd = await Promise.all(Array.from({ length: 20 }, () => redirect()));
    for (const answer of crowd) {
      assert.equal(answer.status, 503, `${how}: ${answer.text}`);
      assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/, how);
    }
    const [lists] = await worker.store();
    assert.ok(lists >= 1 && lists <= 3, `${how}: ${lists} lists for 20 requests`);
    // What hung may still be under way; nobody waits for it.
    await worker.store({ faults: [], later: 2 * SECOND });
    await until(async () => (await redirect()).status === 302, { what: "the redirect", timeout: 5 * SECOND });
    assertLeadsToTheShop(await redirect());
  }
});
