// The OpenAPI document is the truth about the running Worker: every operation is called, every status it
// documents is provoked, and every request and answer is held against its closed schemas.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DAY, MINUTE, PERSON, api, createProgram, identityToken, instant, noon, root, runCronUntilDone, secrets, setClock, startWorker, unique, until } from "./harness.mjs";
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
  const webhooks = pinned("webhooks");
  const messages = {
    ConversionAnswer: pinned("conversion_answer"),
    ConversionStory: pinned("conversion_story"),
    CustomerExport: pinned("customer_export"),
    Me: pinned("me"),
    Offer: pinned("offer"),
    Problem: pinned("problem"),
    Codes: small.codes,
    AliasChosen: small.alias_chosen,
    OfferAnswer: small.offer_answer,
    FoundClaims: small.found_claims,
    EventKept: small.event_kept,
    Heard: pinned("heard"),
    Erased: small.erased,
    Health: small.health,
    Clock: small.clock,
    CronReport: small.cron_report,
    Rewards: small.rewards,
    KeyGeneration: small.key_generation,
    KeysRevoked: small.keys_revoked,
    Pool: small.pool,
    PoolUpload: small.pool_upload,
    Stats: pinned("stats"),
    TotalsKept: small.totals_kept,
    IdentityIssued: small.identity_issued,
    ShopwareRegistered: small.shopware_registered,
    SignedAnswer: small.signed_answer,
    Webhooks: webhooks.webhooks,
    Webhook: webhooks.webhook,
    Deliveries: webhooks.deliveries,
    Replayed: webhooks.replayed,
    WebhookMessage: webhooks.message,
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
  const scheme = { Visitor: undefined, Anyone: undefined, Customer: "identity", Merchant: "apiKey", Shop: "shopify", Operator: "operator", TestClock: "operator" };
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

// The program that a shop system is connected to, and the shop's signature.
const CONNECTED = "mit-shop";
const KNOWN = "what the shop and we know";
const SHOP_SECRETS = JSON.stringify({ [CONNECTED]: { shopify: [KNOWN], shopware: [KNOWN] } });
const signed = (operation, body) => {
  if (operation.operationId !== "hearShop") return {};
  const mac = createHmac("sha256", KNOWN).update(body).digest("base64");
  return { "x-shopify-topic": "fulfillment_events/create", "x-shopify-hmac-sha256": mac };
};

// What looks like the id of a reward, of no order there is.
const NO_REWARD = `rw_${"0".repeat(17)}4`;
const fill = (path, values) => path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent({ table: "rewards", ...values }[name]));

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
  const all = { ...signed(operation, JSON.stringify(body)), ...headers };
  const answer = await client(operation.method, fill(operation.path, path) + query, body, { headers: all, raw: typeof body === "string" });
  check(operation, answer, JSON.stringify(body ?? query));
  return answer;
}

// What only a fault or the absence of the test clock brings about is tested elsewhere, or not from outside.
const NOT_FROM_HERE = { setClock: ["404"], runCron: ["404"], getMe: ["400"], getConversion: ["400"], getPool: ["400"], fillPool: ["409"] };

describe("the running Worker", () => {
  before(async () => {
    worker = await startWorker({ vars: { SHOP_SECRETS } });
    await setClock(worker, noon());
    program = await createProgram(worker, { id: CONNECTED });
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
    assert.equal((await call("chooseAlias", { body: { alias: "TEE4K7" } })).body.alias, "TEE4K7");
    assert.equal((await call("chooseAlias", { body: { alias: "TASSE" } })).status, 409);
    await call("chooseAlias", { body: {} });
    await call("getMe");
    const question = { customer_id: "30412", hints: ["ab".repeat(32)], first_order: true, token: await program.click("10023") };
    assert.equal((await call("checkOffer", { body: question })).body.eligible, true);
    assert.equal((await call("checkOffer", { body: { customer_id: "30412", coupon: "NIEMAND" } })).body.reason, "no_referral");
    await call("recordShare", { body: { channel: "whatsapp" } });
    const claim = { order_id: "A-2", ordered_on: instant(noon()).slice(0, 10) };
    assert.equal((await call("claimReferral", { body: claim })).status, 201);
    assert.equal((await call("claimReferral", { body: claim })).status, 200);
    for (let n = 10; n < 19; n += 1) await call("claimReferral", { body: { ...claim, order_id: `A-${n}` } });
    assert.equal((await call("claimReferral", { body: { ...claim, order_id: "A-20" } })).status, 429);
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
    assert.equal((await call("fulfilReward", { path: { id: id }, body: { reference: "v 882" } })).body.overpaid.length, 1);
    assert.equal((await call("reviewReward", { path: { id: id }, body: { decision: "decline" } })).status, 409);
    assert.equal((await call("reviewReward", { path: { id: NO_REWARD }, body: { decision: "approve" } })).status, 404);
    assert.equal((await call("listClaims", { query: "?cursor=!" })).status, 400);
    const claimed = (await call("listClaims")).body.claims[0];
    assert.equal(claimed.order_id, "A-2");
    assert.equal(claimed.reason, "claimed_by_hand");
    for (let n = 0; n < 2; n += 1) assert.equal((await call("reviewReward", { path: { id: claimed.id }, body: { decision: "decline", note: "no" } })).status, 200);
    await call("listRewards", { query: "?customer_id=10023" });
    await call("recordEvent", { path: { order_id: "A-1" }, body: { event_id: "r2", type: "refunded", amount: 1000, occurred_at: instant(worker.now()) } });
    const { rewards } = (await call("listRewards")).body;
    const taken = rewards.find((reward) => reward.entries && reward.order_id === "A-1");
    assert.ok(taken, JSON.stringify(rewards));
    assert.equal((await call("listRewards", { query: "?customer_id=10023" })).body.owed[0].amount, -200);
    assert.ok((await call("fulfilReward", { path: { id: taken.entries[0].id }, body: { reference: "offset" } })).body.entries[0].settled_at);
    assert.equal((await call("listRewards", { query: "?status=lost" })).status, 400);
    const me = await call("getMe");
    assert.equal(me.body.totals.earned.length, 1);
    for (const table of ["rewards", "conversions", "advocates"]) {
      for (const query of ["", "?format=jsonl", "?columns=hubspot&locale=de"]) await call("exportTable", { path: { table }, query });
    }
    await call("exportTable", { path: { table: "friends" } });
    await call("exportTable", { query: "?format=xlsx" });
    await call("postTotals", { body: { day: instant(worker.now()).slice(0, 10), orders: 4, revenue: 20_000 } });
    const stats = await call("getStats", { query: "?years=3" });
    // The usual period is 31 days with today, so an order of three weeks ago is in it.
    assert.equal(stats.body.total.purchases, 1, "the last month");
    assert.equal((await call("getStats", { query: `?from=${instant(noon() + DAY).slice(0, 10)}` })).body.total.purchases, 0, "the days after the order");
    assert.equal((await call("getStats", { query: `?from=${instant(noon()).slice(0, 10)}` })).body.total.purchases, 1);
    await call("getStats", { query: "?years=0" });
    for (const customer_id of ["10023", "20871"]) {
      await call("exportCustomer", { body: { customer_id } });
      await call("eraseCustomer", { body: { customer_id } });
      await call("exportCustomer", { body: { customer_id } });
    }
    await call("getConversion", { path: { order_id: "A-1" } });
  });

  test("a shop system", async () => {
    const { fulfillment_id, ...body } = document.paths["/v1/hooks/{shop}/{program}"].post.requestBody.content["application/json"].examples.delivered.value;
    const tell = (more, path = {}) => call("hearShop", { path: { shop: "shopify", program: program.id, ...path }, body: { ...body, ...more } });
    assert.equal((await tell({ fulfillment_id })).body.recorded[0].order_known, false);
    await program.order({ order_id: String(body.order_id), token: await program.click("10023") });
    assert.equal((await tell({ fulfillment_id })).body.recorded[0].repeated, true);
    assert.equal((await tell({ status: "in_transit" })).body.recorded.length, 0);
    assert.equal((await tell({ order_id: null, fulfillment_id })).body.field, "order_id");
    assert.equal((await tell({ fulfillment_id }, { program: "nirgends" })).status, 404);
  });

  test("who a shop system says is logged in", async () => {
    const hex = (text) => createHmac("sha256", KNOWN).update(text).digest("hex");
    const now = Math.floor(worker.now() / 1000);
    const path = { program: program.id };
    const proxied = (shop, id = program.id) => {
      const signature = hex(`logged_in_customer_id=7path_prefix=/apps/passalongshop=${shop}timestamp=${now}`);
      const query = new URLSearchParams({ shop, logged_in_customer_id: "7", path_prefix: "/apps/passalong", timestamp: now, signature });
      return call("identifyByShopifyProxy", { path: { program: id }, query: `?${query}` });
    };
    const session = (dest, more = {}) => {
      const key = identityToken({ dest, sub: "gid://shopify/Customer/7", iat: now, exp: now + 300 }, KNOWN);
      return call("identifyByShopifySession", { path, key, ...more });
    };
    const nowhere = { path: { program: "nirgends" } };
    for (const ask of [proxied, session]) {
      assert.equal((await ask("shop.example")).status, 200);
      assert.equal((await ask("evil.example")).status, 403);
    }
    assert.equal((await proxied("shop.example", "nirgends")).status, 404);
    assert.equal((await session("shop.example", nowhere)).status, 404);
    const app = identityToken({ customerId: "018f", iat: now, exp: now + 600 }, KNOWN);
    assert.equal((await call("identifyByShopware", { path, key: app })).status, 200);
    assert.equal((await call("identifyByShopware", { ...nowhere, key: app })).status, 404);
    const query = `shop-id=KIPf0Fz6BUkN&shop-url=https%3A%2F%2Fshop.example&timestamp=${now}`;
    const registering = { query: `?${query}`, headers: { "shopware-app-signature": hex(query) } };
    assert.equal((await call("registerShopware", { path, ...registering })).status, 200);
    assert.equal((await call("registerShopware", { ...nowhere, ...registering })).status, 404);
    const body = { shopId: "KIPf0Fz6BUkN" };
    const confirming = { body, headers: { "shopware-shop-signature": hex(JSON.stringify(body)) } };
    assert.equal((await call("confirmShopware", { path, ...confirming })).status, 204);
    assert.equal((await call("confirmShopware", { ...nowhere, ...confirming })).status, 404);
  });

  test("what a page of the shop reports", async () => {
    const now = Math.floor(worker.now() / 1000);
    const report = { program: program.id, order_id: "P-1", kind: "signup", customer_id: "20871", occurred_at: now, expires: now + 3600 };
    const lines = (amount) => ["passalong-conversion-v1", program.id, "P-1", amount ? "purchase" : "signup", amount, amount && "EUR", "20871", "", "", now, "", now + 3600];
    const sign = (amount) => createHmac("sha256", program.conversionSecret).update(lines(amount).join("\n")).digest("hex");
    const tell = (more) => call("recordSignedConversion", { body: { ...report, signature: sign(""), ...more } });
    assert.equal((await tell({})).status, 201);
    assert.equal((await tell({})).status, 200);
    assert.equal((await tell({ kind: "purchase", amount: 4990, currency: "EUR", signature: sign(4990) })).status, 409);
    assert.equal((await tell({ program: "nirgends" })).status, 404);
    assert.equal((await tell({ customer_id: "1" })).status, 401);
  });

  test("webhooks", async () => {
    const received = [];
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (part) => (text += part));
      request.on("end", () => {
        received.push(JSON.parse(text));
        response.writeHead(request.url === "/gone" ? 410 : 204).end();
      });
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const url = (path) => `http://127.0.0.1:${server.address().port}/${path}`;
    const add = async (path, types) => (await call("addWebhook", { body: { url: url(path), types } })).body;
    const good = await add("good");
    assert.ok(good.secret);
    assert.deepEqual((await call("addWebhook", { body: { url: url("good") } })).status, 200);
    const path = { id: good.id };
    const { body: tested } = await call("testWebhook", { path });
    assert.equal(tested.delivered, true);
    assert.equal((await program.order({ token: await program.click("10023") })).status, 201);
    await until(() => received.length === 2, { what: "the order" });
    for (const message of received) assert.deepEqual(violations({ $ref: "#/components/schemas/WebhookMessage" }, message), []);
    await call("rotateWebhook", { path, body: { overlap_hours: 24 } });
    await call("replayWebhook", { path, body: { since: instant(noon()) } });
    assert.equal((await call("replayWebhook", { path, body: { message_id: tested.message_id } })).status, 404, "a test is not kept");
    assert.equal((await call("listDeliveries", { path })).body.deliveries.length, 2);
    assert.equal((await call("listDeliveries", { path, query: "?page=2" })).status, 400);
    const gone = { id: (await add("gone")).id };
    await call("testWebhook", { path: gone });
    assert.equal((await call("replayWebhook", { path: gone, body: { since: instant(noon()) } })).status, 409);
    await call("listWebhooks");
    await call("enableWebhook", { path: gone });
    for (const name of ["3", "4", "5"]) await add(name, ["pool.low"]);
    assert.equal((await call("addWebhook", { body: { url: url("6") } })).status, 409);
    const nobody = { id: `ep_${"0".repeat(16)}` };
    for (const id of ["removeWebhook", "testWebhook", "enableWebhook", "listDeliveries"]) await call(id, { path: nobody });
    await call("replayWebhook", { path: nobody, body: { since: instant(noon()) } });
    await call("rotateWebhook", { path: nobody, body: {} });
    for (const { id } of (await call("listWebhooks")).body.webhooks) await call("removeWebhook", { path: { id } });
    server.close();
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
    const path = { shop: "shopify", program: program.id, code: "x", channel: "x", order_id: "A-1", pool: "tee-2026", id: NO_REWARD };
    for (const operation of operations) {
      const client = api(worker, keyFor(operation));
      const url = fill(operation.path, path);
      const example = operation.requestBody && Object.values(media(operation.requestBody).examples)[0].value;
      const body = typeof example === "string" ? example : example && { ...example, ...(example.program && { program: program.id }) };
      const provoke = {
        400: () => client(operation.method, url, "{", { raw: true, headers: signed(operation, "{") }),
        401: () => api(worker)(operation.method, url, body),
        405: () => client("PATCH", url),
        413: () => client(operation.method, url, JSON.stringify({ ...Object(body), padding: "x".repeat(operation.path.startsWith("/v1/hooks/") ? 530_000 : 66_000) }), { raw: true }),
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
    const limited = await startWorker({ vars: { RATE_LIMITS: "on", SHOP_SECRETS } });
    try {
      const shop = await createProgram(limited, { id: CONNECTED });
      const headers = { "cf-connecting-ip": "203.0.113.7", "user-agent": PERSON };
      for (const operation of operations.filter(({ responses }) => "429" in responses)) {
        const [scheme] = operation.security.flatMap((entry) => Object.keys(entry));
        const client = api(limited, { identity: shop.token("10023"), apiKey: "sk_wrong", operator: "op_wrong" }[scheme] ?? null);
        const url = fill(operation.path, { shop: "shopify", program: shop.id, code: "wrong", channel: "x", order_id: "A-1", pool: "tee-2026", id: NO_REWARD });
        const { purchase } = (operation.requestBody && media(operation.requestBody).examples) ?? {};
        const body = operation.method === "GET" ? undefined : purchase ? { ...purchase.value, program: shop.id } : {};
        const ask = () => client(operation.method, url, body, { headers });
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
      const url = fill(path, { shop: "shopify", program: program.id, code: "x", channel: "x", order_id: "A-1", pool: "tee-2026", id: NO_REWARD });
      const answer = await api(worker, secrets.operator_key)("PATCH", url);
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
