// Every route against those who should not get through: without a key, with a wrong one, with another
// program's; malformed, oversized, by the wrong method, from another origin, misconfigured.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createHmac } from "node:crypto";
import { api, createProgram, identityToken, root, secrets, startWorker, until } from "./harness.mjs";
import { GUARDED, NOW, OPEN, documentedPath, event, rightKey as keyOf } from "./routes.mjs";

let worker;
let program;
let stranger;
before(async () => {
  worker = await startWorker();
  program = await createProgram(worker);
  stranger = await createProgram(worker);
});
after(() => worker?.stop());

// In bytes, as edge/src/http.rs says.
const BODY_LIMIT = 65_536;

const rightKey = (who) => keyOf(program, who);

function assertProblem(answer, status, code, what) {
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
  assert.equal(answer.headers.get("content-type"), "application/problem+json", what);
  assert.deepEqual([answer.body.status, answer.body.code], [status, code], what);
  assert.equal(answer.body.type, `https://passalong.dev/errors/${code}`, what);
}

test("this file knows every operation there is", () => {
  const { paths } = JSON.parse(readFileSync(join(root, "edge/openapi.json"), "utf8"));
  const documented = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).filter((key) => /^(get|put|post|delete|patch)$/.test(key)).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const known = [...GUARDED.map(([, method, path]) => `${method} ${documentedPath(path)}`), ...OPEN.map(([method, path]) => `${method} ${path}`)];
  assert.deepEqual(known.sort(), documented.sort());
});

test("nobody gets through without the right kind of key", async () => {
  for (const [who, method, path, body] of GUARDED) {
    const others = ["customer", "server", "operator"].filter((other) => other !== who).map(rightKey);
    const right = rightKey(who);
    const last = right.at(-1) === "0" ? "1" : "0";
    const attempts = {
      nothing: null,
      empty: "",
      nonsense: "hallo",
      "right but for its last character": right.slice(0, -1) + last,
      "right and more": `${right}0`,
      "in upper case": right.toUpperCase(),
      "another kind": others[0],
      "yet another kind": others[1],
      "of no program": `sk_nirgends_1_${"0".repeat(32)}`,
      "of another generation": right.replace("_1_", "_2_"),
    };
    if (who === "customer") delete attempts["of another generation"];
    for (const [what, key] of Object.entries(attempts)) {
      const answer = await api(worker, key)(method, path, body);
      assertProblem(answer, 401, "unauthenticated", `${method} ${path} with ${what}`);
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/, `${method} ${path}`);
    }
    const basic = await api(worker)(method, path, body, { headers: { authorization: `Basic ${right}` } });
    assertProblem(basic, 401, "unauthenticated", `${method} ${path} with another scheme`);
    const query = await api(worker)(method, `${path}?authorization=${right}&access_token=${right}`, body);
    assertProblem(query, 401, "unauthenticated", `${method} ${path} with the key in the URL`);
  }
});

test("a 401 says what about an identity token is wrong", async () => {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { sub: "10023", aud: program.id, iat: seconds, exp: seconds + 3600 };
  const secret = program.identitySecret;
  const none = identityToken(claims, secret, { header: { alg: "none" }, signature: "" });
  const cases = [
    [null, "missing"],
    ["a.b", "malformed"],
    ["a.b.c", "malformed"],
    [none, "malformed"],
    [identityToken(claims, secret, { header: { alg: "none" } }), "malformed"],
    [identityToken(claims, secret, { header: { alg: "hs256" } }), "malformed"],
    [identityToken(claims, secret, { header: { alg: "HS512" } }), "malformed"],
    [identityToken(claims, secret, { header: { alg: "RS256" } }), "malformed"],
    [identityToken({ ...claims, sub: undefined }, secret), "malformed"],
    [identityToken({ ...claims, sub: "0" }, secret), "malformed"],
    [identityToken({ ...claims, exp: undefined }, secret), "malformed"],
    [identityToken({ ...claims, iat: undefined }, secret), "malformed"],
    [identityToken({ ...claims, exp: seconds + 86_401 }, secret), "malformed"],
    [identityToken({ ...claims, iat: seconds + 300, exp: seconds + 600 }, secret), "malformed"],
    [identityToken({ ...claims, iat: seconds * 1000, exp: seconds * 1000 + 1 }, secret), "malformed"],
    [identityToken({ ...claims, iat: seconds - 3700, exp: seconds - 100 }, secret), "expired"],
    [identityToken({ ...claims, aud: undefined }, secret), "wrong audience"],
    [identityToken({ ...claims, aud: "Kein Slug" }, secret), "wrong audience"],
    [identityToken({ ...claims, aud: [program.id] }, secret), "wrong audience"],
    [identityToken(claims, stranger.identitySecret), "wrong signature"],
    [identityToken({ ...claims, aud: stranger.id }, secret), "wrong signature"],
    [identityToken(claims, ""), "wrong signature"],
    [identityToken(claims, Buffer.from(secret, "base64url")), "wrong signature"],
    [identityToken(claims, secret, { signature: "" }), "wrong signature"],
    [identityToken(claims, secret, { signature: createHmac("sha256", secret).update("x").digest("base64url") }), "wrong signature"],
  ];
  for (const [token, word] of cases) {
    const answer = await api(worker, token)("GET", "/v1/me");
    assertProblem(answer, 401, "unauthenticated", `${word}: ${token}`);
    assert.match(answer.body.detail, new RegExp(`\\b${word}\\b`), token);
  }
  const edge = identityToken({ ...claims, iat: seconds + 30, exp: seconds + 30 + 86_400 }, secret);
  assert.equal((await api(worker, edge)("GET", "/v1/me")).status, 200, "24 h, and a clock half a minute ahead");
});

test("a token signed for a program that does not exist is refused", async () => {
  const answer = await api(worker, identityToken({ sub: "1", aud: "nirgends", iat: 1, exp: 2 }, "x"))("GET", "/v1/me");
  assertProblem(answer, 401, "unauthenticated", "nirgends");
});

test("a template's signature is as good as a JWT", async () => {
  const expires = Math.floor(Date.now() / 1000) + 3600;
  const sign = (secret, customer) =>
    createHmac("sha256", secret).update(`passalong-identity-v1\nteehaus\n${customer}\n${expires}`).digest("hex");
  const token = (hex) => `t1.teehaus.${Buffer.from("10023").toString("base64url")}.${expires}.${hex}`;
  await createProgram(worker, { id: secrets.program });
  const good = await api(worker, token(sign(secrets.template_secret, "10023")))("GET", "/v1/me");
  assert.equal(good.status, 200, good.text);
  for (const hex of [sign(secrets.template_secret, "20871"), sign(secrets.identity_secret, "10023"), "", "0".repeat(64)]) {
    assertProblem(await api(worker, token(hex))("GET", "/v1/me"), 401, "unauthenticated", hex);
  }
});

test("another program's key reaches nothing of this one", async () => {
  const made = await program.order({ order_id: "A-1", customer_id: "20871", token: await program.click("10023") });
  assert.equal(made.status, 201, made.text);
  const { id } = made.body.rewards[0];
  assertProblem(await stranger.server("GET", "/v1/conversions/A-1"), 404, "not_found", "conversion");
  assertProblem(await stranger.server("POST", `/v1/rewards/${id}/fulfil`, { reference: "x" }), 404, "not_found", "reward");
  assert.deepEqual((await stranger.server("GET", "/v1/rewards")).body.rewards, []);
  const foreign = await stranger.server("POST", "/v1/customers/export", { customer_id: "20871" });
  assert.deepEqual(foreign.body.orders, []);
  const joined = await stranger.server("POST", "/v1/conversions/A-1/events", event);
  assert.equal(joined.status, 202, "an order of its own it does not know");
  const shown = await program.server("GET", "/v1/conversions/A-1");
  assert.deepEqual(shown.body.events, []);
  const terms = { ...(await program.server("GET", "/v1/program")).body, name: "Feindlich" };
  const put = await stranger.server("PUT", "/v1/program", terms);
  assertProblem(put, 403, "forbidden", "terms");
  assert.equal((await program.server("GET", "/v1/program")).body.name, "Teehaus Nord");
});

test("one customer's token never shows another's status", async () => {
  await program.order({ customer_id: "friend-of-7", token: await program.click("7") });
  assert.equal((await program.me("7")).referrals.length, 1);
  assert.deepEqual((await program.me("8")).referrals, []);
  assert.notEqual((await program.me("8")).code, (await program.me("7")).code);
  const elsewhere = await stranger.me("7");
  assert.deepEqual(elsewhere.referrals, []);
  assert.notEqual(elsewhere.code, (await program.me("7")).code);
});

test("a body that is no JSON object is refused by every route that reads one", async () => {
  for (const [who, method, path, body] of GUARDED.filter(([, , , right]) => right !== undefined)) {
    const bodies = ["", "{", "[]", "null", '"text"', "\u0000", `${"[".repeat(5000)}`, Buffer.from([0x7b, 0xff, 0xfe, 0x7d])];
    for (const wrong of bodies) {
      const answer = await api(worker, rightKey(who))(method, path, wrong, { raw: true });
      assertProblem(answer, 400, "invalid_json", `${method} ${path} ${wrong}`);
    }
    const extra = await api(worker, rightKey(who))(method, path, { ...body, surprise: 1 });
    assert.equal(extra.status, 400, `${method} ${path}: ${extra.text}`);
    if (method !== "PUT") assertProblem(extra, 400, "unknown_field", `${method} ${path}`);
  }
});

test("an oversized body is 413 from the first byte too many, with and without its length said", async () => {
  const sized = (body, bytes) => {
    const text = JSON.stringify({ ...body, padding: "" });
    return text.replace('"padding":""', `"padding":"${"x".repeat(bytes - text.length)}"`);
  };
  for (const [who, method, path, body] of GUARDED.filter(([, , , right]) => right !== undefined)) {
    const call = (bytes) => api(worker, rightKey(who))(method, path, sized(body, bytes), { raw: true });
    assert.equal((await call(BODY_LIMIT)).status, 400, `${method} ${path}`);
    assertProblem(await call(BODY_LIMIT + 1), 413, "too_large", `${method} ${path}`);
  }
  const status = await new Promise((answered, failed) => {
    const chunked = request(`${worker.url}/v1/conversions`, {
      method: "POST",
      headers: { authorization: `Bearer ${program.serverApiKey}`, "content-type": "application/json" },
    });
    chunked.once("response", (answer) => answered(answer.resume().statusCode));
    chunked.once("error", failed);
    for (let sent = 0; sent < BODY_LIMIT; sent += 4096) chunked.write("x".repeat(4096));
    chunked.end("x");
  });
  assert.equal(status, 413);
});

test("a path that is no route is 404", async () => {
  for (const path of ["/v1", "/v1/", "/v1/nothing", "/v1/me/", "/v1/conversions/A-1/nothing", "/v1/rewards/rw_1", "/r/", "/r/x", "/r/a/b/c/d"]) {
    assertProblem(await api(worker, program.serverApiKey)("GET", path), 404, "not_found", path);
  }
  const noReward = await program.server("POST", "/v1/rewards/rw_1/fulfil", { reference: "x" });
  assertProblem(noReward, 404, "not_found", "no reward id");
});

test("a wrong method is 405 and says the right ones", async () => {
  const byPath = new Map();
  for (const [, method, path] of GUARDED) byPath.set(path, [...(byPath.get(path) ?? []), method]);
  for (const [method, path] of OPEN) {
    const url = path.replace("{shop}", "shopify").replace("{program}", program.id).replace("{code}", "abc").replace("{channel}", "x");
    byPath.set(url, [...(byPath.get(url) ?? []), method]);
  }
  for (const [path, methods] of byPath) {
    for (const wrong of ["DELETE", "PATCH", "POST"].filter((method) => !methods.includes(method))) {
      const answer = await api(worker, secrets.operator_key)(wrong, path);
      assertProblem(answer, 405, "method_not_allowed", `${wrong} ${path}`);
      const allowed = answer.headers.get("allow").split(/,\s*/).filter((method) => method !== "HEAD" && method !== "OPTIONS");
      assert.deepEqual(allowed.sort(), [...methods].sort(), path);
    }
  }
});

test("every answer carries the security headers", async () => {
  const code = await program.code("10023");
  const answers = [
    await api(worker)("GET", "/healthz"),
    await api(worker)("GET", "/openapi.json"),
    await api(worker)("GET", `/v1/offer?program=${program.id}`),
    await api(worker)("GET", `/r/${program.id}/${code}`),
    await api(worker)("GET", `/r/${program.id}/${code}`, undefined, { headers: { "user-agent": "WhatsApp/2.23.20.0" } }),
    await api(worker)("GET", "/v1/me"),
    await program.customer("10023")("GET", "/v1/me"),
    await program.server("GET", "/v1/rewards"),
    await api(worker)("GET", "/v1/nothing"),
    await api(worker)("DELETE", "/v1/me"),
  ];
  for (const answer of answers) {
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff", answer.text);
    assert.match(answer.headers.get("referrer-policy"), /^(no-referrer|strict-origin-when-cross-origin)$/);
    assert.match(answer.headers.get("strict-transport-security"), /max-age=\d{7,}/);
    assert.match(answer.headers.get("content-security-policy"), /default-src 'none'/);
    assert.equal(answer.headers.get("server"), null);
  }
});

test("browsers of any origin may call the browser's routes, and only those", async () => {
  const origin = { origin: "https://shop.example" };
  const preflight = { ...origin, "access-control-request-method": "GET", "access-control-request-headers": "authorization" };
  for (const path of ["/v1/me", "/v1/me/shares", "/v1/me/alias", `/v1/offer?program=${program.id}`]) {
    const asked = await api(worker)("OPTIONS", path, undefined, { headers: preflight });
    assert.equal(asked.status, 204, `${path} ${asked.text}`);
    assert.equal(asked.headers.get("access-control-allow-origin"), "*");
    assert.equal(asked.headers.get("access-control-max-age"), "7200");
    assert.match(asked.headers.get("access-control-allow-headers"), /authorization/i);
    assert.equal(asked.headers.get("access-control-allow-credentials"), null);
    const method = /^\/v1\/me\/\w/.test(path) ? "POST" : "GET";
    for (const key of [null, program.token("10023")]) {
      const body = method === "POST" ? { channel: "copy" } : undefined;
      const answer = await api(worker, key)(method, path, body, { headers: origin });
      assert.equal(answer.headers.get("access-control-allow-origin"), "*", `${path} ${answer.status}`);
      assert.equal(answer.headers.get("cache-control"), "private, no-store", `${path} ${answer.status}`);
      assert.equal(answer.headers.get("access-control-allow-credentials"), null);
    }
  }
  for (const [who, method, path, body] of GUARDED.filter(([role]) => role !== "customer")) {
    const asked = await api(worker)("OPTIONS", path, undefined, { headers: preflight });
    assert.equal(asked.status, 405, path);
    assert.equal(asked.headers.get("access-control-allow-origin"), null, path);
    const answer = await api(worker, `${rightKey(who)}0`)(method, path, body, { headers: origin });
    assert.equal(answer.headers.get("access-control-allow-origin"), null, path);
  }
});

// A request with a Host header of its own, which fetch does not allow.
function ask(target, path, host) {
  return new Promise((answered, failed) => {
    const asked = request(`${target.url}${path}`, { headers: { host } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => answered({ status: answer.statusCode, text }));
    });
    asked.once("error", failed);
    asked.end();
  });
}

test("with the test clock, a host that is not loopback gets 500", async () => {
  for (const host of ["empfehlen.shop.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.7"]) {
    const refused = await ask(worker, "/healthz", host);
    assert.equal(refused.status, 500, host);
  }
  for (const host of [`127.0.0.1:${worker.port}`, "localhost", `localhost:${worker.port}`, "[::1]"]) {
    assert.equal((await ask(worker, "/healthz", host)).status, 200, host);
  }
});

test("without the test clock there is no clock to set, and no timing without DEBUG", async () => {
  const real = await startWorker({ vars: { TEST_CLOCK: "off", DEBUG: "off" } });
  try {
    const operator = api(real, secrets.operator_key);
    for (const path of ["/v1/clock", "/v1/cron"]) {
      const answer = await operator("POST", path, path === "/v1/clock" ? { now: NOW } : undefined);
      assertProblem(answer, 404, "not_found", path);
    }
    const health = await operator("GET", "/healthz");
    assert.deepEqual([health.body.test_clock, health.body.now], [false, undefined]);
    assert.equal((await ask(real, "/healthz", "empfehlen.shop.example")).status, 200);
    const made = await createProgram(real);
    const me = await made.customer("10023")("GET", "/v1/me");
    assert.deepEqual([me.status, me.body.test_clock, me.headers.get("server-timing")], [200, undefined, null]);
  } finally {
    await real.stop();
  }
});

for (const [what, vars] of [
  ["missing", { MERCHANT_KEY: null }],
  ["malformed", { SIGNING_KEYS: "1:too-short" }],
]) {
  test(`with a ${what} secret every request is 500, and the log says which`, async () => {
    const broken = await startWorker({ vars, healthy: false });
    try {
      const [name] = Object.keys(vars);
      for (const path of ["/healthz", "/v1/offer?program=teehaus", "/r/teehaus/abc", "/v1/me"]) {
        const answer = await api(broken)("GET", path);
        assertProblem(answer, 500, "misconfigured", path);
        assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
        assert.doesNotMatch(answer.text, new RegExp(`${name}|too-short`), "details are logged, never sent");
      }
      await until(() => broken.logs.join("").includes(name), { what: "the log line" });
      const lines = broken.logs.join("").split("\n").filter((line) => line.includes(name) && !line.includes("env."));
      assert.ok(lines.length >= 1, broken.logs.join(""));
      assert.doesNotMatch(lines.join("\n"), /too-short/, "no secret in a log");
    } finally {
      await broken.stop();
    }
  });
}
