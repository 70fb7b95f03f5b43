// Requests made from the OpenAPI document, right and wrong, against the running Worker: no 5xx, no hang, no
// undocumented status, and every answer is what its schema says.
//
// PASSALONG_FUZZ_REQUESTS says how many, PASSALONG_FUZZ_SEED which: the same seed makes the same requests.

import assert from "node:assert/strict";
import { Agent, request as send } from "node:http";
import { after, before, test } from "node:test";
import { HOUR, MINUTE, PERSON, SECOND, createProgram, instant, noon, runCronUntilDone, secrets, setClock } from "./harness.mjs";
import { startMiniflare } from "./miniflare.mjs";
import { check, operations, resolve, violations } from "./openapi.mjs";

const REQUESTS = Number(process.env.PASSALONG_FUZZ_REQUESTS ?? 5_000);
const SEED = Number(process.env.PASSALONG_FUZZ_SEED ?? 1);
const CLIENTS = 8;
const BOUND = 20 * SECOND;

// ---------------------------------------------------------------------------------------------------
// Chance

// Each request has its own row of numbers, so that one can be made again without those before it.
function chance(seed, index) {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (end) => Math.floor(next() * end);
  return { below, pick: (list) => list[below(list.length)], maybe: (share) => next() < share };
}

// ---------------------------------------------------------------------------------------------------
// Values

const NUMBERS = [0, -0, 1, -1, 255, 65_536, 2 ** 31, 2 ** 53, -(2 ** 53), 1e12, 1e12 + 1, 1e308, 0.5, -0.01, 1e-7];
const TEXTS = [
  "", " ", "0", "null", "undefined", "true", "-1", "NaN", "\u0000", "\u0007", "\u007f", "\u2028", "\ufeff", "\ufffd", "\u202e",
  "ä", "ß", "e\u0301", "😀", "\u{10ffff}", "İ", "a/b", "a?b#c", "..", "../..", "%", "%00", "%2f", "<script>", "'; --", "\\", "\r\nset-cookie: a=b",
  "__proto__", "constructor", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-11-22", "20261122.",
  "https://evil.example/", "//evil.example", "javascript:alert(1)", "http://[::1", "https://shop.example@evil.example/", "rw_", "t1....", "a.b.c",
];
const KEYS = ["amount", "extra", "__proto__", "", "\u0000", "ä", "id", "token", "x".repeat(300)];

const anyText = (c) => (c.maybe(0.1) ? c.pick(TEXTS).repeat(c.below(2_000)) : c.pick(TEXTS));
const anyValue = (c) =>
  c.pick([
    () => null,
    () => c.maybe(0.5),
    () => c.pick(NUMBERS),
    () => anyText(c),
    () => [],
    () => ({}),
    () => Array.from({ length: c.below(300) }, () => c.pick(TEXTS)),
    () => ({ [c.pick(KEYS)]: c.pick(TEXTS) }),
  ])();

// A value that a schema allows, or nearly so.
function valueOf(schema, c, known) {
  const at = resolve(schema);
  if (at.const !== undefined) return at.const;
  if (at.enum) return c.pick(at.enum);
  if (at.oneOf) return valueOf(c.pick(at.oneOf), c, known);
  const type = Array.isArray(at.type) ? c.pick(at.type) : at.type;
  if (type === "object") {
    const wanted = Object.keys(at.properties ?? {}).filter((name) => at.required?.includes(name) || c.maybe(0.4));
    return Object.fromEntries(wanted.map((name) => [name, known(name, c) ?? valueOf(at.properties[name], c, known)]));
  }
  if (type === "array") return Array.from({ length: c.below(3) + (at.minItems ?? 0) }, () => valueOf(at.items, c, known));
  if (type === "integer") return c.pick([at.minimum ?? 0, at.maximum ?? 5_000, (at.minimum ?? 0) + c.below(5_000)]);
  if (type === "boolean") return c.maybe(0.5);
  if (type === "null") return null;
  if (at.format === "date-time") return instant(noon() - c.below(100) * MINUTE);
  if (at.format === "date") return instant(noon()).slice(0, 10);
  if (at.format === "uri") return "https://shop.example/willkommen";
  if (at.pattern?.includes("{64}")) return "ab".repeat(32);
  if (at.pattern?.includes("{3}")) return c.pick(["EUR", "USD"]);
  if (at.pattern) return `f-${c.below(20)}`;
  const length = c.pick([at.minLength ?? 1, 8, at.maxLength ?? 40]);
  return c.maybe(0.2) ? "ä".repeat(length) : `A-${c.below(200)}`.slice(0, length);
}

// Changes one place of a body.
function spoil(value, c) {
  if (value !== null && typeof value === "object" && Object.keys(value).length > 0 && c.maybe(0.7)) {
    const key = c.pick(Object.keys(value));
    const copy = Array.isArray(value) ? [...value] : { ...value };
    const way = c.below(4);
    if (way === 0) delete copy[key];
    else if (way === 1 && !Array.isArray(copy)) Object.defineProperty(copy, c.pick(KEYS), { value: anyValue(c), enumerable: true });
    else copy[key] = spoil(value[key], c);
    return copy;
  }
  return anyValue(c);
}

// What is sent is bytes: most often JSON, sometimes nearly.
function bytesOf(value, c) {
  const text = JSON.stringify(value);
  const way = c.below(40);
  if (way === 0) return Buffer.from(text.slice(0, c.below(text.length + 1)));
  if (way === 1) return Buffer.from(text.replace("{", `{${JSON.stringify(c.pick(KEYS))}:1,${text.slice(1, -1) || '"a":1'},`));
  if (way === 2) return Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe, 0xc0, 0x80])]);
  if (way === 3) return Buffer.from("[".repeat(c.below(5_000)));
  if (way === 4) return Buffer.from(text + " ".repeat(c.pick([1, 65_536, 70_000])));
  if (way === 5) return Buffer.alloc(0);
  if (way === 6) return Buffer.from(text.replace(/\d+/, c.pick(["1e999", "-0", "00", "0x10", "9".repeat(400)])));
  if (way === 7) return Buffer.from(`\ufeff${text}`);
  return Buffer.from(text);
}

// ---------------------------------------------------------------------------------------------------
// Requests

let worker;
let program;
let code;
let reward;
// Not handed over by chance before anybody looks at it.
let reviewed;
let webhooks;
let token;

// Ids that lead somewhere, so that not everything ends in 404.
function known(name, c) {
  if (!c.maybe(0.6)) return undefined;
  const values = {
    order_id: () => c.pick(["A-1", "A-2", "A/ö ?", `A-${c.below(50)}`]),
    customer_id: () => c.pick(["10023", "20871", `k-${c.below(20)}`]),
    customer_ids: () => ["10023", `k-${c.below(20)}`],
    token: () => token,
    pa: () => token,
    code: () => code,
    pool: () => c.pick(["tee-2026", "\u00e4/\u00f6"]),
    id: () => reward,
    program: () => program.id,
    channel: () => c.pick(["whatsapp", "sms", "fax"]),
    type: () => c.pick(["delivered", "amended", "refunded", "withdrawn", "cancelled", "disputed", "chargeback", "restored", "confirmed"]),
    undoes: () => c.pick(["e1", "r1"]),
    cursor: () => c.pick([instant(noon()).slice(0, 10).replaceAll("-", ""), "20261122.0123456789abcdef"]),
  };
  return values[name]?.();
}

const keyOf = (operation) => {
  const [scheme] = operation.security.flatMap((entry) => Object.keys(entry));
  return { apiKey: program.serverApiKey, identity: program.token("10023"), operator: secrets.operator_key }[scheme] ?? null;
};

// Percent-encoded as it should be, or not; only what the platform lets through.
function encoded(value, c) {
  const text = String(value);
  const way = c.below(12);
  const raw = way === 0 ? text.replace(/[^\w.~!$&'()*+,;=:@/?%-]/gu, (sign) => encodeURIComponent(sign.isWellFormed() ? sign : "?")) : encodeURIComponent(text.toWellFormed());
  if (way === 1) return `${raw}%`;
  if (way === 2) return `${raw}%zz`;
  if (way === 3) return `%ff${raw}`;
  if (way === 4) return `${raw}%00%0d%0a`;
  return raw;
}

const AGENTS = [PERSON, "WhatsApp/2.23.20.0", "Googlebot/2.1", "", "Mozilla/5.0 (", "x".repeat(3_000)];
const HEADERS = [
  ["sec-purpose", "prefetch"], ["purpose", "preview"], ["content-type", "text/plain"], ["content-type", "multipart/form-data; boundary=x"],
  ["content-encoding", "gzip"], ["accept", "text/html;q=0"], ["cf-connecting-ip", "::1"], ["cf-connecting-ip", "nonsense"],
  ["x-forwarded-host", "evil.example"], ["origin", "https://evil.example"], ["range", "bytes=0-"], ["if-none-match", "*"],
  ["cookie", "a=b; ".repeat(200)], ["access-control-request-method", "DELETE"], ["x-http-method-override", "DELETE"], ["forwarded", "for=\"_x\""],
];

function make(index) {
  const c = chance(SEED, index);
  const operation = c.pick(operations);
  const parameters = (operation.parameters ?? []).map(resolve);
  // Of the programs that these requests create, so that the one they go by keeps its keys.
  const isProgram = ({ name }) => name === "id" && operation.path.startsWith("/v1/programs/");
  const isReviewed = ({ name }) => name === "id" && operation.operationId === "reviewReward" && c.maybe(0.6);
  const isWebhook = ({ name }) => name === "id" && operation.path.startsWith("/v1/webhooks/");
  const good = (parameter) => (isProgram(parameter) ? `f-${c.below(20)}` : isWebhook(parameter) ? c.pick(webhooks) : isReviewed(parameter) ? reviewed : (known(parameter.name, c) ?? valueOf(parameter.schema, c, known)));
  const any = (parameter) => (c.maybe(0.75) ? good(parameter) : anyText(c));
  const isPath = (parameter) => parameter.in === "path";
  const pathValues = Object.fromEntries(parameters.filter(isPath).map((parameter) => [parameter.name, encoded(any(parameter), c)]));
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => pathValues[name]);
  const query = parameters
    .filter((parameter) => parameter.in === "query" && (parameter.required || c.maybe(0.5)))
    .flatMap((parameter) => Array.from({ length: c.maybe(0.1) ? 2 : 1 }, () => `${parameter.name}=${encoded(any(parameter), c)}`));
  if (c.maybe(0.1)) query.push(c.pick(["", "=", "&&", "a", "a=%", "utm_source=x&utm_source=y", "%=%", `q=${"x".repeat(3_000)}`]));

  const headers = { "user-agent": c.pick(AGENTS) };
  const key = keyOf(operation);
  if (c.maybe(0.9)) {
    if (key !== null) headers.authorization = `Bearer ${key}`;
  } else {
    const other = [program.serverApiKey, secrets.operator_key, program.token("10024"), "", "x".repeat(5_000), `${key}x`, "a.b.c", "t1.a.b.c.d"];
    headers.authorization = c.pick(["Bearer ", "bearer  ", "Basic ", ""]) + c.pick(other);
  }
  let body = null;
  const media = operation.requestBody?.content["application/json"];
  if (media) {
    const examples = Object.values(media.examples).map(({ value }) => value);
    let value = c.maybe(0.4) ? { ...c.pick(examples) } : valueOf(media.schema, c, known);
    const isObject = value !== null && typeof value === "object";
    if (isObject) for (const name of Object.keys(value)) value[name] = known(name, c) ?? value[name];
    // One clock, so that what is sent is neither future nor past only because an example is.
    if (isObject && "occurred_at" in value) value.occurred_at = instant(noon());
    if (operation.operationId === "createProgram" && isObject) value.id = `f-${c.below(20)}`;
    if (operation.operationId === "revokeKeys" && isObject && c.maybe(0.6)) value.generation = 1;
    if (operation.operationId === "reviewReward" && isObject && c.maybe(0.6)) delete value.customer_id;
    if (operation.operationId === "putProgram" && isObject && c.maybe(0.8)) value.id = program.id;
    for (let times = c.below(3); times > 0; times -= 1) value = spoil(value, c);
    body = bytesOf(value, c);
    headers["content-type"] = "application/json";
  } else if (operation.requestBody) {
    const lines = Array.from({ length: c.below(5) }, () => (c.maybe(0.8) ? `TEE-${c.below(100)}` : anyText(c)));
    body = Buffer.from(["code", ...lines].join(c.pick(["\n", "\r\n", ";"])));
  } else if (c.maybe(0.05)) {
    body = Buffer.from("{}");
  }
  while (c.maybe(0.3)) Object.assign(headers, Object.fromEntries([c.pick(HEADERS)]));
  const method = c.maybe(0.93) ? operation.method : c.pick(["HEAD", "OPTIONS", "DELETE", "PATCH", "PUT", "POST", "GET"]);
  // The platform answers longer ones itself.
  const target = (path + (query.length > 0 ? `?${query.join("&")}` : "")).slice(0, 8_000);
  return { index, operation, method, target, headers, body };
}

const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

function ask({ method, target, headers, body }) {
  return new Promise((done, failed) => {
    const port = Number(new URL(worker.url).port);
    // A body on these is not what HTTP has in mind, and not what is tested.
    const payload = ["GET", "HEAD", "OPTIONS"].includes(method) ? null : body;
    const length = payload ? { "content-length": payload.length } : {};
    const sent = send({ agent, host: "127.0.0.1", port, method, path: target, headers: { ...headers, ...length } }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.once("end", () => {
        const text = Buffer.concat(parts).toString();
        const headers = new Headers(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
        const isJson = /^application\/(problem\+)?json/.test(headers.get("content-type") ?? "");
        done({ status: answer.statusCode, headers, text, body: isJson && text !== "" ? JSON.parse(text) : text });
      });
    });
    sent.setTimeout(BOUND, () => sent.destroy(new Error(`no answer within ${BOUND} ms`)));
    sent.once("error", (error) => {
      // A connection that was idle may be closed just as it is used again.
      if (error.code === "ECONNRESET" && sent.reusedSocket) ask({ method, target, headers, body }).then(done, failed);
      else failed(error);
    });
    sent.end(payload ?? undefined);
  });
}

// The operations a target belongs to by its segments, once `..` is resolved: a spoilt one may be another's, or
// none's.
function routeOf(target) {
  const segments = new URL(target, worker.url).pathname.split("/");
  const fits = ({ path }) => {
    const wanted = path.split("/");
    return wanted.length === segments.length && wanted.every((part, at) => (part.startsWith("{") ? segments[at] !== "" : part === segments[at]));
  };
  return operations.filter(fits);
}

function judge({ method, target }, answer) {
  assert.ok(answer.status < 500, `${answer.status} ${answer.text}`);
  const here = routeOf(target);
  const operation = here.find((one) => one.method === (method === "HEAD" ? "GET" : method));
  if (method === "HEAD") {
    assert.equal(answer.text, "");
    if (operation) assert.ok(answer.status in operation.responses, `undocumented: ${answer.status}`);
  } else if (method === "OPTIONS" && answer.status === 204) {
    assert.ok(here.some(({ security }) => security.every((scheme) => "identity" in scheme)), "for browsers only");
    assert.equal(answer.text, "");
  } else if (operation) {
    check(operation, answer);
  } else {
    assert.equal(answer.status, here.length > 0 ? 405 : 404, answer.text);
    assert.deepEqual(violations({ $ref: "#/components/schemas/Problem" }, answer.body), [], answer.text);
  }
  for (const [name, value] of answer.headers) assert.doesNotMatch(value, /[\0-\x1f\x7f-\uffff]/, `header ${name}`);
  if (answer.headers.has("location")) assert.equal(new URL(answer.headers.get("location")).host, "shop.example");
}

before(async () => {
  worker = await startMiniflare();
  await setClock(worker, noon() - 3 * HOUR);
  program = await createProgram(worker, { hold: { from: "order", days: 0 } });
  code = await program.code("10023");
  token = await program.click("10023");
  const { body } = await program.order({ order_id: "A-1", customer_id: "20871", token });
  reward = body.rewards[0].id;
  reviewed = (await program.order({ order_id: "B-1", customer_id: "20872", token })).body.rewards[0].id;
  // Nobody listens there; some of them will be removed.
  const add = (n) => program.server("POST", "/v1/webhooks", { url: `http://127.0.0.1:9/${n}`, types: ["pool.low"] });
  webhooks = (await Promise.all([1, 2, 3].map(add))).map((answer) => answer.body.id);
  await setClock(worker, noon());
  await runCronUntilDone(worker);
});
after(async () => {
  agent.destroy();
  await worker?.stop();
});

test(`${REQUESTS} requests, seed ${SEED}`, { timeout: 3_600 * SECOND }, async () => {
  const statuses = new Map();
  let next = 0;
  const client = async () => {
    while (next < REQUESTS) {
      const request = make(next++);
      const answer = await ask(request).catch((error) => error);
      try {
        if (answer instanceof Error) throw answer;
        judge(request, answer);
      } catch (error) {
        const { index, method, target, headers, body } = request;
        next = REQUESTS;
        const sent = `${method} ${target}\n${JSON.stringify(headers)}\n${body?.toString("latin1").slice(0, 2_000)}`;
        throw new Error(`request ${index} of seed ${SEED}: ${error.message}\n${sent}`, { cause: error });
      }
      const { operationId } = request.operation;
      if (!statuses.has(operationId)) statuses.set(operationId, new Set());
      statuses.get(operationId).add(answer.status);
      if (request.index > 0 && request.index % 10_000 === 0) console.log(`${request.index} of ${REQUESTS}, seed ${SEED}`);
      // The requests go by one clock.
      if (operationId === "setClock" && answer.status === 200) await setClock(worker, noon());
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  // Requests that are all refused would prove little: every operation was also done.
  // Chance makes no signature.
  const signed = ["recordSignedConversion", "hearShop", "identifyByShopifyProxy", "identifyByShopifySession", "identifyByShopware", "registerShopware", "confirmShopware"];
  for (const { operationId, responses } of operations) {
    if (signed.includes(operationId)) continue;
    const done = [...(statuses.get(operationId) ?? [])].filter((status) => status < 400);
    assert.ok(done.length > 0, `${operationId}: only ${[...(statuses.get(operationId) ?? [])]} of ${Object.keys(responses)}`);
  }
});
