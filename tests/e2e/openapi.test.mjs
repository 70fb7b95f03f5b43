// The OpenAPI document is the truth about the running Worker: every operation is called, every status it
// documents is provoked, and every request and answer is held against its closed schemas.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DAY, MINUTE, PERSON, api, createProgram, instant, noon, root, runCronUntilDone, secrets, setClock, startWorker, unique } from "./harness.mjs";
import { METHODS, check as hold, document, media, operations, resolve, violations } from "./openapi.mjs";

function* nodes(node, at = "#") {
  if (node === null || typeof node !== "object") return;
  yield [at, node];
  for (const [key, value] of Object.entries(node)) yield* nodes(value, `${at}/${key}`);
}

test("every object schema is closed", () => {
  const open = [...nodes(document)]
    .filter(([at, node]) => /\/(schema|schemas)(\/|$)/.test(at) && !at.includes("/examples/") && (node.properties || node.type === "object"))
    .filter(([, node]) => node.additionalProperties !== false)
    .map(([at]) => at);
  // The document describes itself as any object: OpenAPI has a schema of its own.
  assert.deepEqual(open, ["#/paths//openapi.json/get/responses/200/content/application/json/schema"]);
});

test("every example is what its schema allows, and each body has one", () => {
  const contents = [...nodes(document)].filter(([, node]) => node.schema && node.examples);
  const wrong = contents.flatMap(([at, { schema, examples }]) =>
    Object.entries(examples).flatMap(([name, { value }]) => violations(schema, value).map((text) => `${at} ${name}: ${text}`)),
  );
  assert.deepEqual(wrong, []);
  for (const { operationId, requestBody } of operations) {
    if (requestBody) assert.ok(Object.keys(media(requestBody).examples).length, operationId);
  }
});

test("an unknown field, a missing one and a wrong kind are told by the schemas", () => {
  const schema = { $ref: "#/components/schemas/ConversionAnswer" };
  const good = resolve({ $ref: "#/paths/~1v1~1conversions" }) ?? document.paths["/v1/conversions"];
  const { value } = good.post.responses[201].content["application/json"].examples.attributed;
  assert.deepEqual(violations(schema, value), []);
  assert.notDeepEqual(violations(schema, { ...value, extra: 1 }), []);
  assert.notDeepEqual(violations(schema, { ...value, advocate: undefined, reason: 7 }), []);
  assert.notDeepEqual(violations(schema, { ...value, rewards: [{ ...value.rewards[0], value: { kind: "credit", amount: 1.5, currency: "EUR" } }] }), []);
});

test("what core pins of its messages fits the schemas", () => {
  const pinned = (name) => JSON.parse(readFileSync(join(root, `core/fixtures/wire/${name}.json`), "utf8"));
  const small = pinned("small");
  const messages = {
    ConversionAnswer: pinned("conversion_answer"),
    ConversionStory: pinned("conversion_story"),
    CustomerExport: pinned("customer_export"),
    Me: pinned("me"),
    Offer: pinned("offer"),
    Problem: pinned("problem"),
    Codes: small.codes,
    EventKept: small.event_kept,
    Erased: small.erased,
    Health: small.health,
    Clock: small.clock,
    CronReport: small.cron_report,
    Rewards: small.rewards,
    KeyGeneration: small.key_generation,
    KeysRevoked: small.keys_revoked,
    Pool: small.pool,
    PoolUpload: small.pool_upload,
  };
  for (const [name, message] of Object.entries(messages)) {
    assert.deepEqual(violations({ $ref: `#/components/schemas/${name}` }, message), [], name);
  }
});

test("the operations are those of the URL table, for the same callers", () => {
  const source = readFileSync(join(root, "edge/src/lib.rs"), "utf8");
  const table = /pub const ROUTES[^=]*= &\[([\s\S]*?)\];/.exec(source)[1];
  const rows = [...table.matchAll(/\("(\w+)", "([^"]+)", Who::(\w+),/g)].map(([, method, path, who]) => [`${method} ${path}`, who]);
  assert.ok(rows.length > 15, "the table was found");
  const scheme = { Visitor: undefined, Anyone: undefined, Customer: "identity", Merchant: "apiKey", Operator: "operator", TestClock: "operator" };
  const expected = rows.map(([operation, who]) => [operation, scheme[who]]).sort();
  const documented = operations.map(({ method, path, security }) => [`${method} ${path}`, security.flatMap(Object.keys)[0]]).sort();
  assert.deepEqual(documented, expected);
});

test("every $ref leads somewhere, and every component is used", () => {
  const used = new Set([...nodes(document)].map(([, node]) => node.$ref).filter((ref) => typeof ref === "string"));
  for (const ref of used) assert.ok(resolve({ $ref: ref }), ref);
  for (const kind of ["schemas", "responses", "parameters", "headers"]) {
    for (const name of Object.keys(document.components[kind])) assert.ok(used.has(`#/components/${kind}/${name}`), `${kind}/${name}`);
  }
  const ids = operations.map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
});

// ---------------------------------------------------------------------------------------------------
// The running Worker

let worker;
let program;
const seen = new Map(operations.map(({ operationId }) => [operationId, new Set()]));

// What looks like the id of a reward, of no order there is.
const NO_REWARD = `rw_${"0".repeat(17)}4`;
const fill = (path, values) => path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name]));

// Holds an answer against what the document says of it.
function check(operation, answer, context) {
  hold(operation, answer, context);
  seen.get(operation.operationId).add(String(answer.status));
  return answer.body;
}

const keyFor = (operation) => {
  const [scheme] = operation.security.flatMap((entry) => Object.keys(entry));
  return { apiKey: program.serverApiKey, identity: program.token("10023"), operator: secrets.operator_key }[scheme] ?? null;
};

// Calls an operation with a request the document allows, and checks the answer.
async function call(operationId, { path = {}, query = "", body, headers, key } = {}) {
  const operation = operations.find((one) => one.operationId === operationId);
  if (body !== undefined) {
    assert.deepEqual(violations(media(operation.requestBody).schema, body), [], operationId);
  }
  const client = api(worker, key === undefined ? keyFor(operation) : key);
  const answer = await client(operation.method, fill(operation.path, path) + query, body, { headers, raw: typeof body === "string" });
  check(operation, answer, JSON.stringify(body ?? query));
  return answer;
}

// What only a fault or the absence of the test clock brings about is tested elsewhere, or not from outside.
const NOT_FROM_HERE = { setClock: ["404"], runCron: ["404"], getMe: ["400"], getConversion: ["400"], getPool: ["400"], fillPool: ["409"] };

describe("the running Worker", () => {
  before(async () => {
    worker = await startWorker();
    await setClock(worker, noon());
    program = await createProgram(worker);
  });
  after(() => worker?.stop());

  test("the Worker serves this document", async () => {
    const { body } = await call("getOpenapi");
    assert.deepEqual(body, document);
  });

  test("visitors", async () => {
    const code = await program.code("10023");
    const person = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" };
    for (const agent of [person["user-agent"], "WhatsApp/2.23.20.0", "Googlebot/2.1", ""]) {
      await call("followLink", { path: { program: program.id, code }, headers: { "user-agent": agent } });
      await call("followLinkOfChannel", { path: { program: program.id, code, channel: "whatsapp" }, headers: { "user-agent": agent } });
    }
    await call("followLink", { path: { program: program.id, code: "x" }, query: "?to=//evil.example", headers: person });
    for (const id of ["followLink", "followLinkOfChannel"]) {
      await call(id, { path: { program: "nirgends", code, channel: "x" }, headers: person });
    }
    await call("getOffer", { query: `?program=${program.id}` });
    await call("getOffer", { query: `?program=${program.id}&pa=${await program.click("10023")}` });
    await call("getOffer", { query: "?program=nirgends" });
    await call("getOffer", { query: "" });
  });

  test("the whole life of a referral", async () => {
    await call("getMe");
    await call("recordShare", { body: { channel: "whatsapp" } });
    await call("issueCodes", { body: { customer_ids: ["10023", "10024"] } });
    const early = { event_id: "d1", type: "delivered", occurred_at: instant(noon()) };
    await call("recordEvent", { path: { order_id: "A-1" }, body: early });
    await call("getConversion", { path: { order_id: "A-1" } });
    const order = { order_id: "A-1", kind: "purchase", amount: 4990, currency: "EUR", customer_id: "20871", first_order: true, occurred_at: instant(noon()), token: await program.click("10023") };
    assert.equal((await call("recordConversion", { body: order })).status, 201);
    assert.equal((await call("recordConversion", { body: order })).status, 200);
    assert.equal((await call("recordConversion", { body: { ...order, amount: 1 } })).status, 409);
    const guest = { order_id: "A-2", kind: "purchase", amount: 990, currency: "EUR", hints: ["ab".repeat(32)], occurred_at: instant(noon()) };
    assert.equal((await call("recordConversion", { body: guest })).body.attributed, false);
    const refund = { event_id: "r1", type: "refunded", amount: 990, occurred_at: instant(noon()) };
    assert.equal((await call("recordEvent", { path: { order_id: "A-1" }, body: refund })).status, 201);
    assert.equal((await call("recordEvent", { path: { order_id: "A-1" }, body: refund })).status, 200);
    assert.equal((await call("recordEvent", { path: { order_id: "A-1" }, body: { ...refund, amount: 991 } })).status, 409);
    await setClock(worker, noon() + 15 * MINUTE);
    await call("runCron");
    const story = await call("getConversion", { path: { order_id: "A-1" } });
    const { id } = story.body.rewards[0];
    await call("getMe");
    assert.equal((await call("fulfilReward", { path: { id: id }, body: { reference: "v 881" } })).status, 409);
    assert.equal((await call("fulfilReward", { path: { id: NO_REWARD }, body: { reference: "v" } })).status, 404);
    await setClock(worker, noon() + 21 * DAY + 10 * MINUTE);
    await runCronUntilDone(worker);
    await call("listRewards", { query: "?status=approved&from=2026-01-01" });
    assert.equal((await call("fulfilReward", { path: { id: id }, body: { reference: "v 881" } })).status, 200);
    await call("recordEvent", { path: { order_id: "A-1" }, body: { event_id: "r2", type: "refunded", amount: 1000, occurred_at: instant(worker.now()) } });
    const { rewards } = (await call("listRewards")).body;
    assert.ok(rewards.some((reward) => reward.entries && reward.reference === "v 881"), JSON.stringify(rewards));
    assert.equal((await call("listRewards", { query: "?status=lost" })).status, 400);
    const me = await call("getMe");
    assert.equal(me.body.totals.earned.length, 1);
    for (const customer_id of ["10023", "20871"]) {
      await call("exportCustomer", { body: { customer_id } });
      await call("eraseCustomer", { body: { customer_id } });
      await call("exportCustomer", { body: { customer_id } });
    }
    await call("getConversion", { path: { order_id: "A-1" } });
  });

  test("programs and the operator", async () => {
    const { version, valid_from, ...terms } = (await call("getProgram")).body;
    assert.ok(version && valid_from);
    await call("putProgram", { body: { ...terms, name: "Teehaus Süd" } });
    await call("getProgram");
    const other = { ...terms, id: "anderer-laden" };
    assert.equal((await call("putProgram", { body: other })).status, 403);
    const made = { id: unique("neu"), preset: "20-10", name: "Neu", landing_url: "https://shop.example/willkommen" };
    assert.equal((await call("createProgram", { body: made })).status, 201);
    assert.equal((await call("createProgram", { body: made })).status, 200);
    assert.equal((await call("createProgram", { body: { ...made, name: "Anders" } })).status, 409);
    assert.equal((await call("nextKeys", { path: { id: made.id } })).body.generation, 2);
    assert.equal((await call("nextKeys", { path: { id: "nirgends" } })).status, 404);
    assert.equal((await call("revokeKeys", { path: { id: made.id }, body: { generation: 3 } })).status, 409);
    assert.equal((await call("revokeKeys", { path: { id: made.id }, body: { generation: 1 } })).body.current, 2);
    assert.equal((await call("revokeKeys", { path: { id: "nirgends" }, body: { generation: 1 } })).status, 404);
    await call("getHealth");
    await call("setClock", { body: { now: instant(worker.now()) } });
    await call("setClock", { body: { now: null } });
    await setClock(worker, worker.now());
  });

  test("a pool is filled and read", async () => {
    const path = { pool: "tee-2026" };
    assert.equal((await call("fillPool", { path, body: "code\nTEE-1\nTEE-2\n" })).body.added, 2);
    assert.equal((await call("getPool", { path })).body.left, 2);
  });

  test("every operation refuses as documented", async () => {
    const path = { program: program.id, code: "x", channel: "x", order_id: "A-1", pool: "tee-2026", id: NO_REWARD };
    for (const operation of operations) {
      const client = api(worker, keyFor(operation));
      const url = fill(operation.path, path);
      const body = operation.requestBody && Object.values(media(operation.requestBody).examples)[0].value;
      const provoke = {
        400: () => client(operation.method, url, "{", { raw: true }),
        401: () => api(worker)(operation.method, url, body),
        405: () => client("DELETE", url),
        413: () => client(operation.method, url, JSON.stringify({ ...Object(body), padding: "x".repeat(66_000) }), { raw: true }),
      };
      for (const [status, send] of Object.entries(provoke)) {
        if (!(status in operation.responses)) continue;
        if (status === "400" && !body) continue;
        const answer = await send();
        assert.equal(answer.status, Number(status), `${operation.operationId}: ${answer.text}`);
        check(operation, answer);
      }
    }
  });

  test("every operation that is limited refuses as documented", async () => {
    const limited = await startWorker({ vars: { RATE_LIMITS: "on" } });
    try {
      const shop = await createProgram(limited);
      const headers = { "cf-connecting-ip": "203.0.113.7", "user-agent": PERSON };
      for (const operation of operations.filter(({ responses }) => "429" in responses)) {
        const [scheme] = operation.security.flatMap((entry) => Object.keys(entry));
        const client = api(limited, { identity: shop.token("10023"), apiKey: "sk_wrong", operator: "op_wrong" }[scheme] ?? null);
        const url = fill(operation.path, { program: shop.id, code: "wrong", channel: "x", order_id: "A-1", pool: "tee-2026", id: NO_REWARD });
        const ask = () => client(operation.method, url, operation.method === "GET" ? undefined : {}, { headers });
        let answer;
        for (let asked = 0; asked < 400 && !answer; asked += 20) {
          answer = (await Promise.all(Array.from({ length: 20 }, ask))).find(({ status }) => status === 429);
        }
        assert.ok(answer, operation.operationId);
        assert.equal(answer.headers.get("retry-after"), "60");
        check(operation, answer);
      }
    } finally {
      await limited.stop();
    }
  });

  test("the methods of each path are those the Worker allows", async () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const url = fill(path, { program: program.id, code: "x", channel: "x", order_id: "A-1", pool: "tee-2026", id: NO_REWARD });
      const answer = await api(worker, secrets.operator_key)("DELETE", url);
      const allowed = answer.headers.get("allow").split(/,\s*/).filter((method) => !["HEAD", "OPTIONS"].includes(method));
      assert.deepEqual(allowed.sort(), METHODS.filter((method) => method in item).map((method) => method.toUpperCase()).sort(), path);
    }
  });

  test("every documented answer was seen, faults aside", () => {
    for (const { operationId, responses } of operations) {
      const missing = Object.keys(responses)
        .filter((status) => !["500", "503"].includes(status))
        .filter((status) => !seen.get(operationId).has(status) && !NOT_FROM_HERE[operationId]?.includes(status));
      assert.deepEqual(missing, [], operationId);
    }
  });
});
