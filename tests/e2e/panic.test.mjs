// A request that panics takes nothing along: the next one is answered, by an instance that remembers nothing.
// Nothing of ours panics, so the route that does is compiled into a Worker of its own (`cargo xtask build`
// knows nothing of it; `cargo xtask test` makes it).

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PERSON, api, createProgram, root, until } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";

const PANICKING = "target/xtask/panic";
const SAYS = "as asked for";
const ROUTES = ["/panic/at-once", "/panic/later"];

test("the Worker that is deployed has no route that panics", async () => {
  // What it says, and the name of its file: the paths themselves are compiled away into comparisons.
  const has = (build, text) => readFileSync(join(root, build, "index_bg.wasm")).includes(text);
  for (const trace of [SAYS, "panic_route"]) {
    assert.ok(has(PANICKING, trace), `${trace} is not found where it is`);
    assert.ok(!has("edge/build", trace), trace);
  }
  const worker = await startMiniflare();
  try {
    for (const route of ROUTES) assert.equal((await api(worker)("GET", route)).status, 404);
  } finally {
    await worker.stop();
  }
});

test("after a panic the next request is answered, and what was acknowledged is there", async () => {
  assert.ok(existsSync(join(root, PANICKING, "index.js")), "run `cargo xtask test e2e`");
  const worker = await startMiniflare({ build: PANICKING });
  try {
    const program = await createProgram(worker);
    const code = await program.code("10023");
    const redirect = () => api(worker)("GET", `/r/${program.id}/${code}`, undefined, { headers: { "user-agent": PERSON } });
    const panic = async (route) => {
      const answer = await api(worker)("GET", route).catch(() => null);
      assert.ok(answer === null || answer.status >= 500, `${route}: ${answer?.status}`);
    };
    for (let round = 0; round < 3; round += 1) {
      for (const [at, route] of ROUTES.entries()) {
        const order = `A-${round}-${at}`;
        // A click waits in the isolate's memory, a request is under way: then the panic.
        assert.equal((await redirect()).status, 302);
        const neighbour = program.order({ order_id: `${order}-beside`, code }).catch(() => null);
        await panic(route);
        assert.equal((await redirect()).status, 302, "the next request");
        const made = await program.order({ order_id: order, code });
        assert.equal(made.status, 201, made.text);
        const beside = await neighbour;
        if (beside?.status === 201) assert.equal((await program.server("GET", `/v1/conversions/${order}-beside`)).status, 200);
      }
    }
    // Two at once are no worse than one.
    await Promise.all(ROUTES.map(panic));
    assert.equal((await redirect()).status, 302);
    const { totals } = await program.me("10023");
    assert.ok(totals.purchases >= 3 * ROUTES.length, `${totals.purchases} purchases`);
    // Clicks are counted again, too.
    await until(async () => (await program.me("10023")).totals.clicks > 0, { what: "a click" });
    assert.ok(worker.logs.some((line) => line.includes(SAYS)), "it was a panic that happened");
  } finally {
    await worker.stop();
  }
});
