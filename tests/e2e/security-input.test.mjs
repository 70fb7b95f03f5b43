// What strangers write into URLs, headers, bodies and tokens, and where it must not get to. What `to` may
// lead to is in redirect.test.mjs.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { DAY, HOUR, MINUTE, PERSON, SECOND, api, createProgram, identityToken, instant, noon, secrets, setClock, startWorker } from "./harness.mjs";
import { walk } from "./kv.mjs";
import { GUARDED } from "./routes.mjs";

let worker;
let program;
let stranger;
let code;
before(async () => {
  worker = await startWorker();
  await setClock(worker, noon());
  program = await createProgram(worker);
  stranger = await createProgram(worker);
  code = await program.code("10023");
});
after(() => worker?.stop());

const LANDING = "https://shop.example/willkommen";

// A request whose path and headers nothing tidies up on the way. What no HTTP client may send is an error.
function raw(method, path, headers = {}) {
  return new Promise((answered, failed) => {
    const asked = request({ host: "127.0.0.1", port: worker.port, method, path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => answered({ status: answer.statusCode, headers: answer.headers, rawHeaders: answer.rawHeaders, text }));
    });
    asked.once("error", failed);
    asked.end();
  });
}
const person = { "user-agent": PERSON };
const preview = { "user-agent": "WhatsApp/2.23.20.0" };

test("nothing that is sent becomes a header of the answer, or markup of the preview", async () => {
  const breaks = ["%0d%0a", "%0a", "%0d", "%0D%0A%20", "%00", "%E2%80%A8", "%C4%8D%C4%8A", "%250d%250a", "\u010d\u010a".split("").map(encodeURIComponent).join("")];
  const good = `/r/${program.id}/${code}`;
  for (const lineBreak of breaks) {
    const evil = `x${lineBreak}X-Injected:%20yes${lineBreak}${lineBreak}%3Cscript%3Ealert(1)%3C/script%3E`;
    const places = {
      program: `/r/${evil}/${code}`,
      code: `/r/${program.id}/${evil}`,
      channel: `${good}/${evil}`,
      to: `${good}?to=/${evil}`,
      "to, absolute": `${good}?to=https://shop.example/${evil}`,
      "a value": `${good}?utm_source=${evil}`,
      "a name": `${good}?${evil}=1`,
      pa: `${good}?pa=${evil}`,
      offer: `/v1/offer?program=${program.id}&pa=${evil}`,
      "program of the offer": `/v1/offer?program=${evil}`,
      "an unknown parameter": `/v1/me?${evil}`,
      "a path": `/v1/${evil}`,
    };
    for (const [place, path] of Object.entries(places)) {
      for (const agent of [person, preview]) {
        const answer = await raw("GET", path, { ...agent, authorization: `Bearer ${program.token("10023")}` });
        const what = `${place} ${lineBreak}: ${JSON.stringify(answer.rawHeaders)}`;
        assert.ok(answer.status < 500, what);
        assert.equal(answer.headers["x-injected"], undefined, what);
        assert.doesNotMatch(answer.rawHeaders.join(""), /[\r\n\0]/, what);
        if (/html/.test(answer.headers["content-type"] ?? "")) assert.doesNotMatch(answer.text, /<script/i, what);
        else if (answer.text) assert.match(answer.headers["content-type"], /json/, what);
        if (answer.headers.location) assert.equal(new URL(answer.headers.location).origin, "https://shop.example", what);
      }
    }
  }
});

test("a program's own texts cannot break out of headers or markup", async () => {
  const create = (fields) => api(worker, secrets.operator_key)("POST", "/v1/programs", { id: `e-${Math.random().toString(36).slice(2, 10)}`, preset: "20-10", name: "Teehaus", landing_url: LANDING, ...fields });
  for (const landing_url of [
    "javascript:alert(1)", "data:text/html,x", "//shop.example/", "/willkommen", "http://shop.example/", "ftp://shop.example/",
    "https://user:secret@shop.example/", "https://shop.example/\r\nX-Injected: yes", "https://", "",
  ]) {
    const made = await create({ landing_url });
    assert.equal(made.status, 400, `${landing_url}: ${made.text}`);
    assert.equal(made.body.field, "landing_url", made.text);
  }
  for (const host of ["*", "*.example", "shop.example/", "https://shop.example", "shop.example@evil.example", "shop.example\r\n", "Shop.example", "", "shop.example#", "shop.example?"]) {
    const made = await create({ allowed_hosts: [host] });
    assert.equal(made.status, 400, `${JSON.stringify(host)}: ${made.text}`);
  }
  for (const text of ["a\r\nX-Injected: yes", "a\u0000b"]) {
    assert.equal((await create({ name: text })).status, 400, "a line break in a name");
    assert.equal((await create({ preview: { title: text, text: "", image: null } })).status, 400, "a line break in a title");
  }
  const markup = `"'><script>alert(1)</script>&lt;`;
  const shop = await createProgram(worker, { name: markup, preview: { title: markup, text: markup, image: "https://shop.example/?a='b" } });
  const page = await raw("GET", `/r/${shop.id}/${await shop.code("1")}`, preview);
  assert.equal(page.status, 200);
  assert.doesNotMatch(page.text, /<script|='|"'>/);
  assert.ok(page.text.includes("&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;lt;"), page.text);
  const noImage = await create({ preview: { title: "x", text: null, image: "javascript:alert(1)" } });
  assert.equal(noImage.status, 400, noImage.text);
});

test("a parameter that comes twice gives nobody a second choice", async () => {
  const visit = async (query) => {
    const answer = await raw("GET", `/r/${program.id}/${code}?${query}`, person);
    assert.equal(answer.status, 302);
    return new URL(answer.headers.location);
  };
  for (const query of ["to=/tee&to=//evil.example", "to=/tee&to%5B%5D=//evil.example", "to=/tee&TO=//evil.example", "to=/tee;to=//evil.example"]) {
    const url = await visit(query);
    assert.equal(url.origin, "https://shop.example", query);
  }
  assert.equal((await visit("to=//evil.example&to=/tee")).pathname, "/willkommen", "the first counts, and is refused");
  const tokens = (await visit("pa=a&pa=b&%70a=c&pa[]=d")).searchParams.getAll("pa");
  assert.equal(tokens.length, 1);
  assert.match(tokens[0], /^[\w-]{35}$/);

  const [ours, theirs] = [await program.click("10023"), await stranger.click("10023")];
  const offer = async (query) => (await api(worker)("GET", `/v1/offer?${query}`)).body;
  assert.equal((await offer(`program=${program.id}&program=${stranger.id}&pa=${theirs}`)).referred, false);
  assert.equal((await offer(`program=${program.id}&pa=${theirs}&pa=${ours}`)).referred, false);

  const twice = await api(worker)("GET", "/v1/me", undefined, { headers: { authorization: `Bearer ${program.token("1")}, Bearer ${program.token("2")}` } });
  assert.equal(twice.status, 401, "two tokens are none");
  for (const query of ["before=1&before=x", "before=x&before=1"]) {
    assert.equal((await program.customer("1")("GET", `/v1/me?${query}`)).status, query.startsWith("before=1") ? 200 : 400);
  }

  // A body that says one thing twice is read as every JSON parser of a shop reads it: the last counts.
  const order = { order_id: "twice", kind: "purchase", currency: "EUR", customer_id: "20871", occurred_at: instant(worker.now()) };
  const body = JSON.stringify(order).replace("{", '{"amount":1,"customer_id":"1",') .replace(/}$/, ',"amount":4990}');
  const made = await program.server("POST", "/v1/conversions", body, { raw: true });
  assert.equal(made.status, 201, made.text);
  const same = await program.server("POST", "/v1/conversions", { ...order, amount: 4990 });
  assert.equal(same.status, 200, `what counted is the last of each: ${same.text}`);
});

test("no path climbs out of its route or its program", async () => {
  const server = { authorization: `Bearer ${program.serverApiKey}`, ...person };
  const up = ["..", "%2e%2e", "%2E%2E", ".%2e", "..%2f", "%2e%2e%2f", "..%5c", "..%252f", "%c0%ae%c0%ae", "%00", "..;"];
  for (const step of up) {
    for (const path of [
      `/r/${step}/v1/program`, `/r/${step}${program.id}/${code}`, `/r/${program.id}%2f${step}%2f${stranger.id}/${code}`,
      `/r/${stranger.id}/${step}${code}`, `/r/${stranger.id}/${step}%2f${program.id}%2f${code}`, `/v1/conversions/${step}program`,
      `/v1/conversions/${step}%2fprogram`, `/v1/conversions/x/${step}/${step}/program`, `/v1/./${step}/openapi`,
    ]) {
      const anonymous = await raw("GET", path, person);
      assert.ok([302, 400, 401, 404].includes(anonymous.status), `${path}: ${anonymous.status}`);
      if (anonymous.status === 302) {
        assert.equal(new URL(anonymous.headers.location).searchParams.get("pa"), null, path);
      }
      const known = await raw("GET", path, server);
      // A client or the platform may resolve the path; then it is the route it says, with the key it has.
      if (known.status === 200) assert.equal(JSON.parse(known.text).id, program.id, path);
      else assert.ok([302, 400, 404, 405].includes(known.status), `${path}: ${known.status} ${known.text}`);
    }
  }
  // What is no route is for the files, whose server tidies up paths by a redirect.
  for (const path of ["//evil.example", "//evil.example/..", "//evil.example/%2e%2e", "/\\evil.example", "/%2F%2Fevil.example/index.html", "/x/..//evil.example/", "/%5cevil.example"]) {
    const answer = await raw("GET", path, person);
    assert.ok(answer.status < 500, path);
    assert.match(answer.headers.location ?? "/", /^\/(?![/\\])/, path);
  }
  for (const id of ["../x", "a/b", "A", "a_b", "a%2fb", "", "x", "x".repeat(33), "tee haus", "tee\nhaus", "\uff54ee", "..", "tee\u0000"]) {
    const made = await api(worker, secrets.operator_key)("POST", "/v1/programs", { id, preset: "20-10", name: "x", landing_url: LANDING });
    assert.deepEqual([made.status, made.body.field], [400, "id"], JSON.stringify(id));
  }
});

test("ids with slashes, dots and line ends are ids, and never part of a name in the store", async () => {
  const shop = await createProgram(worker);
  const odd = ["../../program/x", "a/b/c", "...", "%2e%2e%2f", "order/x/y", "' OR 1=1 --", "{{7*7}}", "__proto__", "constructor"];
  for (const order_id of odd) {
    const made = await shop.order({ order_id, customer_id: `friend of ${order_id}`, token: await shop.click(order_id) });
    assert.equal(made.status, 201, `${order_id}: ${made.text}`);
    assert.equal(made.body.advocate.customer_id, order_id);
    assert.equal((await shop.event(order_id, { event_id: `../${order_id}` })).status, 201, order_id);
    const story = await shop.server("GET", `/v1/conversions/${encodeURIComponent(order_id)}`);
    assert.deepEqual([story.status, story.body.order_id, story.body.events.length], [200, order_id, 1], order_id);
  }
  const unseen = await shop.order({ order_id: "\u202e4\u200b ", customer_id: "20871" });
  assert.deepEqual([unseen.status, unseen.body.order_id], [201, "4"], "what nobody sees is no part of an id");
  for (const order_id of ["a\nb", "a\r", "\u0000", " ", "", "x".repeat(129), "0", "null"]) {
    const refused = await shop.order({ order_id: order_id === "0" || order_id === "null" ? "A" : order_id, customer_id: order_id });
    assert.equal(refused.status, 400, JSON.stringify(order_id));
  }
});

test("what is too long is refused before it is worked on", async () => {
  const long = (bytes) => "a".repeat(bytes);
  const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
  for (const bytes of [4097, 12_000]) {
    for (const token of [long(bytes), `t1.${program.id}.${long(bytes)}.1.00`, `${long(bytes)}.e30.e30`, `sk_${long(bytes)}_1_x`]) {
      assert.equal((await api(worker)("GET", "/v1/me", undefined, bearer(token))).status, 401);
      assert.equal((await api(worker)("GET", "/v1/rewards", undefined, bearer(token))).status, 401);
    }
  }
  const claims = { sub: "1", aud: program.id, iat: noon() / 1000, exp: noon() / 1000 + 60 };
  const padded = (bytes) => identityToken({ ...claims, pad: long(bytes) }, program.identitySecret);
  assert.equal((await api(worker, padded(2500))("GET", "/v1/me")).status, 200);
  const tooLong = await api(worker, padded(3100))("GET", "/v1/me");
  assert.deepEqual([tooLong.status, /4096/.test(tooLong.body.detail)], [401, true], "signed, and yet too long");

  const pa = await program.click("10023");
  for (const token of [`${pa}a`, `${pa}${pa}`, long(8000)]) {
    const offer = await api(worker)("GET", `/v1/offer?program=${program.id}&pa=${token}`);
    assert.deepEqual([offer.status, offer.body.reason], [200, "invalid_token"]);
    const order = await program.order({ token });
    assert.ok(order.status === 400 || (order.status === 201 && order.body.reason === "invalid_token"), `${token.length}: ${order.text}`);
  }
  const to = await raw("GET", `/r/${program.id}/${code}?to=/${long(2001)}`, person);
  assert.deepEqual([to.status, to.headers["x-passalong-to"]], [302, "refused"]);
  const many = await raw("GET", `/r/${program.id}/${code}?${Array.from({ length: 500 }, (_, n) => `p${n}=${n}`).join("&")}`, person);
  assert.equal(many.status, 302);
  assert.equal([...new URL(many.headers.location).searchParams].length, 31, "30 of the visitor's and ours");
  for (const [path, body, field] of [
    ["/v1/codes", { customer_ids: Array.from({ length: 201 }, (_, n) => `c${n}`) }, "customer_ids"],
    ["/v1/codes", { customer_ids: [long(129)] }, "customer_ids[0]"],
    ["/v1/customers/export", { customer_id: long(129) }, "customer_id"],
    ["/v1/customers/erase", { customer_id: long(129) }, "customer_id"],
  ]) {
    const answer = await program.server("POST", path, body);
    assert.deepEqual([answer.status, answer.body.field], [400, field], path);
  }
  assert.equal((await program.order({ hints: Array(5).fill("ab".repeat(32)) })).status, 400);
  assert.ok([400, 404].includes((await program.server("GET", `/v1/conversions/${long(4000)}`)).status));
});

// Every customer's route, and what it would answer with a good token.
const CUSTOMER = GUARDED.filter(([who]) => who === "customer");

async function refusedEverywhere(token, word, what) {
  for (const [, method, path, body] of CUSTOMER) {
    const answer = await api(worker, token)(method, path, body);
    assert.equal(answer.status, 401, `${what} at ${path}: ${answer.text}`);
    assert.match(answer.body.detail, new RegExp(`\\b${word}\\b`), `${what} at ${path}`);
  }
}

test("no header of a token chooses how it is verified", async () => {
  const seconds = noon() / SECOND;
  const claims = { sub: "10023", aud: program.id, iat: seconds, exp: seconds + 3600 };
  const secret = program.identitySecret;
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signedBy = (header, algorithm, key) => {
    const signed = `${part(header)}.${part(claims)}`;
    return `${signed}.${createHmac(algorithm, key).update(signed).digest("base64url")}`;
  };
  const jwk = { kty: "oct", k: Buffer.from("mine").toString("base64url"), alg: "HS256" };
  for (const [what, token, word] of [
    ["none", `${part({ alg: "none", typ: "JWT" })}.${part(claims)}.`, "malformed"],
    ["None", `${part({ alg: "None" })}.${part(claims)}.`, "malformed"],
    ["none, signed well", signedBy({ alg: "none" }, "sha256", secret), "malformed"],
    ["no algorithm, signed well", signedBy({ typ: "JWT" }, "sha256", secret), "malformed"],
    ["HS512, signed so", signedBy({ alg: "HS512" }, "sha512", secret), "malformed"],
    ["HS384, signed so", signedBy({ alg: "HS384" }, "sha384", secret), "malformed"],
    ["HS256 in name, HS512 in truth", signedBy({ alg: "HS256" }, "sha512", secret), "wrong signature"],
    ["RS256 with an HMAC", signedBy({ alg: "RS256" }, "sha256", secret), "malformed"],
    ["a key it brings", signedBy({ alg: "HS256", jwk }, "sha256", "mine"), "wrong signature"],
    ["a key it names", signedBy({ alg: "HS256", kid: "../../dev/null", jku: "https://evil.example" }, "sha256", ""), "wrong signature"],
    ["critical extensions", signedBy({ alg: "HS256", crit: ["exp"] }, "sha256", secret), "malformed"],
    ["the template secret", signedBy({ alg: "HS256" }, "sha256", program.templateSecret), "wrong signature"],
    ["the API key", signedBy({ alg: "HS256" }, "sha256", program.serverApiKey), "wrong signature"],
    ["another program's secret", signedBy({ alg: "HS256" }, "sha256", stranger.identitySecret), "wrong signature"],
  ]) {
    await refusedEverywhere(token, word, what);
  }
  assert.equal((await api(worker, signedBy({ alg: "HS256", kid: "7" }, "sha256", secret))("GET", "/v1/me")).status, 200);
});

test("a token without an end, past its end, or for someone else is refused at every route", async () => {
  const seconds = noon() / SECOND;
  const claims = { sub: "10023", aud: program.id, iat: seconds, exp: seconds + 3600 };
  for (const [what, changes, word] of [
    ["no exp", { exp: undefined }, "malformed"],
    ["exp null", { exp: null }, "malformed"],
    ["exp as text", { exp: String(seconds + 3600) }, "malformed"],
    ["exp in a century", { exp: seconds + 3_000_000_000 }, "malformed"],
    ["exp of a day and a second", { exp: seconds + DAY / SECOND + 1 }, "malformed"],
    ["exp a minute ago", { iat: seconds - 3600, exp: seconds - 60 }, "expired"],
    ["no aud", { aud: undefined }, "wrong audience"],
    ["aud of another program", { aud: stranger.id }, "wrong signature"],
    ["aud of no program", { aud: "nirgends" }, "wrong audience"],
    ["aud as a list", { aud: [program.id, stranger.id] }, "wrong audience"],
  ]) {
    await refusedEverywhere(identityToken({ ...claims, ...changes }, program.identitySecret), word, what);
  }
});

test("a template's signature that was seen is worth nothing after its end, nor for anything else", async () => {
  const sign = (customer, expires, { id = program.id, secret = program.templateSecret, label = "passalong-identity-v1" } = {}) => {
    const hex = createHmac("sha256", secret).update([label, id, customer, expires].join("\n")).digest("hex");
    return `t1.${id}.${Buffer.from(customer).toString("base64url")}.${expires}.${hex}`;
  };
  const expires = noon() / SECOND + 3600;
  const seen = sign("10023", expires);
  assert.equal((await api(worker, seen)("GET", "/v1/me")).status, 200);
  const parts = seen.split(".");
  const changed = (at, to) => parts.map((part, index) => (index === at ? to : part)).join(".");
  for (const [what, token, word] of [
    ["a later end", changed(3, String(expires + 3600)), "wrong signature"],
    ["the same end written otherwise", changed(3, `0${expires}`), "wrong signature"],
    ["another customer", changed(2, Buffer.from("20871").toString("base64url")), "wrong signature"],
    ["another program", changed(1, stranger.id), "wrong signature"],
    ["the other program's signature", sign("10023", expires, { id: stranger.id, secret: program.templateSecret }), "wrong signature"],
    ["a signed conversion's label", sign("10023", expires, { label: "passalong-conversion-v1" }), "wrong signature"],
    ["two days", sign("10023", noon() / SECOND + 2 * 86_400), "malformed"],
    ["signed as a JWT is", sign("10023", expires, { secret: program.identitySecret }), "wrong signature"],
  ]) {
    await refusedEverywhere(token, word, what);
  }
  await setClock(worker, noon() + HOUR + MINUTE - SECOND);
  assert.equal((await api(worker, seen)("GET", "/v1/me")).status, 200, "a minute is for clocks that differ");
  await setClock(worker, noon() + HOUR + MINUTE);
  await refusedEverywhere(seen, "expired", "replayed a minute after its end");
  await setClock(worker, noon() + 30 * DAY);
  await refusedEverywhere(seen, "expired", "replayed a month later");
  await setClock(worker, noon());
});

test("another program's keys and tokens change nothing here, at any route", async () => {
  const [shop, other] = [await createProgram(worker), await createProgram(worker)];
  const token = await shop.click("10023");
  const made = await shop.order({ order_id: "A-1", customer_id: "20871", token });
  const { id } = made.body.rewards[0];
  const webhook = (await shop.server("POST", "/v1/webhooks", { url: "https://shop.example/hooks", types: ["pool.low"] })).body.id;
  const state = async () => ({
    webhooks: (await shop.server("GET", "/v1/webhooks")).body,
    story: (await shop.server("GET", "/v1/conversions/A-1")).body,
    rewards: (await shop.server("GET", "/v1/rewards")).body,
    program: (await shop.server("GET", "/v1/program")).body,
    export: (await shop.server("POST", "/v1/customers/export", { customer_id: "20871" })).body,
    code: await shop.code("10023"),
  });
  const before = await state();
  // What each route answers to the other program's key: its own view of the same ids, which is empty.
  const expected = {
    "GET /v1/me": 200, "POST /v1/me/shares": 204, "POST /v1/codes": 200, "POST /v1/conversions": 201, "GET /v1/conversions/A-1": 404,
    "POST /v1/conversions/A-1/events": 202, "GET /v1/rewards": 200, [`POST /v1/rewards/${id}/fulfil`]: 404, "GET /v1/program": 200,
    "POST /v1/me/claims": 201, "GET /v1/claims": 200, "POST /v1/me/alias": 200, "POST /v1/offer/check": 200, [`POST /v1/rewards/${id}/review`]: 404,
    "GET /v1/pools/tee-2026": 200, "POST /v1/pools/tee-2026": 200,
    "GET /v1/exports/rewards": 200, "GET /v1/stats": 200, "POST /v1/totals": 201, "PUT /v1/program": 403, "POST /v1/customers/export": 200, "POST /v1/customers/erase": 200,
    "GET /v1/webhooks": 200, "POST /v1/webhooks": 201,
    [`DELETE /v1/webhooks/${webhook}`]: 404, [`POST /v1/webhooks/${webhook}/test`]: 404, [`POST /v1/webhooks/${webhook}/replay`]: 404,
    [`POST /v1/webhooks/${webhook}/enable`]: 404, [`POST /v1/webhooks/${webhook}/rotate`]: 404, [`GET /v1/webhooks/${webhook}/deliveries`]: 404,
  };
  const routes = GUARDED.filter(([who]) => who !== "operator");
  assert.equal(routes.length, Object.keys(expected).length);
  const first = ["GET /v1/conversions/A-1", "POST /v1/conversions/A-1/events"];
  const order = (route) => (first.includes(route) ? 0 : 1);
  const calls = routes.map(([who, method, path, body]) => [who, method, path.replace("rw_000000000000000004", id).replace("ep_0000000000000000", webhook), body]);
  for (const [who, method, path, body] of calls.sort((a, b) => order(`${a[1]} ${a[2]}`) - order(`${b[1]} ${b[2]}`))) {
    const route = `${method} ${path}`;
    const client = who === "customer" ? other.customer("10023") : other.server;
    const sent = { "PUT /v1/program": { ...before.program, version: undefined, valid_from: undefined }, "POST /v1/conversions": { ...body, token, occurred_at: instant(worker.now()) } }[route] ?? body;
    const answer = await client(method, path, sent && body?.event_id ? { ...sent, occurred_at: instant(worker.now()) } : sent);
    assert.equal(answer.status, expected[route], `${route}: ${answer.text}`);
    assert.ok(!answer.text.includes(shop.id) || route === "PUT /v1/program", `${route} tells of the other: ${answer.text}`);
    if (route === "GET /v1/me") assert.deepEqual([answer.body.referrals, answer.body.program.id], [[], other.id]);
    if (route === "POST /v1/codes") assert.notEqual(answer.body.links[0].code, before.code);
    if (route === "POST /v1/conversions") assert.equal(answer.body.reason, "invalid_token", "a click on another program's link");
    if (route === "GET /v1/rewards") assert.deepEqual(answer.body.rewards, []);
    if (route === "GET /v1/stats") assert.equal(answer.body.total.purchases, 0);
    if (route === "GET /v1/exports/rewards") assert.equal(answer.text.split("\r\n").length, 2, "the head alone");
  }
  assert.deepEqual(await state(), before);
  for (const id of [shop.id, other.id]) {
    for (const path of [`/v1/programs/${id}/keys`, `/v1/programs/${id}/keys/revoke`]) {
      assert.equal((await other.server("POST", path, { generation: 1 })).status, 401, "keys are the operator's");
    }
  }
});

test("nothing of what strangers wrote is part of a name in the store", async () => {
  const { persistDir } = worker;
  await worker.stop();
  const names = (await walk(persistDir)).map(({ name }) => name);
  assert.ok(names.length > 40, `${names.length} keys`);
  // A short code is part of a name, and is made of few signs.
  const alias = /^(alias\/[a-z0-9-]+\/|customer\/[a-z0-9-]+\/[a-z0-9]+\/alias\.\d{12}\.)[2-9A-HJ-NP-Z]{4,12}(\/\d{12}\.([a-z0-9]{12}|-))?$/;
  assert.deepEqual(names.filter((name) => !alias.test(name) && !/^(clock|[a-z]+(\.[a-z]+)?(\/[a-z0-9.-]+)+)$/.test(name)), []);
  assert.deepEqual(names.filter((name) => /script|inject|10023|20871|\.\.|proto/i.test(name)), []);
});
