// The demo shop by itself: what a visitor gets while Passalong is out of reach, and what its pages
// promise about headers, caching and typed text. Where a referral counts, see story.test.mjs.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { jwtVerify } from "jose";
import { createProgram, freePort, startShop, startWorker, temporaryDirectory, unique, until } from "./harness.mjs";

const IDENTITY_SECRET = "is_teehaus_1_of_this_test";
const PA = "AbCdEfGhIjKlMnOpQrStUvWxYz012345678";

let shop;
let nowhere;
before(async () => {
  // Nothing listens on this port.
  nowhere = `http://127.0.0.1:${await freePort()}`;
  const program = { id: "teehaus", serverApiKey: "sk_teehaus_1_none", identitySecret: IDENTITY_SECRET };
  shop = await startShop({ url: nowhere }, { program });
});
after(() => shop?.stop());

// A visitor with cookies and no script: `get` and `post` answer with `{ status, headers, html, location }`.
function visitor(origin = shop.url) {
  let cookie = "";
  async function go(path, options = {}) {
    const headers = { cookie, ...options.headers };
    const answer = await fetch(new URL(path, origin), { redirect: "manual", ...options, headers });
    cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return { status: answer.status, headers: answer.headers, html: await answer.text(), location: answer.headers.get("location") };
  }
  return {
    get: (path) => go(path),
    post: (path, fields = {}, headers = {}) => go(path, { method: "POST", body: new URLSearchParams(fields), headers }),
  };
}

const ADDRESS = { name: "Mia Brandt", street: "Hafenweg 3", city: "26506 Norden" };

// Orders as the form of the checkout does: with the total it showed.
async function order(person, fields = {}, address = "/kasse?sku=sencha&menge=1") {
  const form = (await person.get(address)).html;
  const shown = /name="gezeigt" value="(\d+)"/.exec(form)[1];
  const answer = await person.post(address, { sku: "sencha", menge: "1", gezeigt: shown, ...ADDRESS, email: `${unique("mia")}@example.org`, ...fields });
  assert.equal(answer.status, 303, answer.html);
  return { location: answer.location, id: new URL(answer.location, shop.url).searchParams.get("bestellung") };
}

const PAGES = ["/", "/tee/sencha", "/willkommen", "/kasse?sku=sencha&menge=2", "/konto", "/haendler"];

test("every page answers while Passalong is out of reach", async () => {
  for (const path of PAGES) assert.equal((await visitor().get(path)).status, 200, path);
  assert.equal((await visitor().get("/gibt-es-nicht")).status, 404);
});

test("no page holds inline script or style, and the policy names Passalong's origin and no other", async () => {
  for (const path of PAGES) {
    const { headers, html } = await visitor().get(path);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/, path);
    const policy = headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, new RegExp(`script-src 'self' ${nowhere} 'wasm-unsafe-eval';`));
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|\*/);
  }
});

test("the referral is rendered into no page, cacheable or not", async () => {
  for (const path of PAGES) {
    const address = `${path}${path.includes("?") ? "&" : "?"}pa=${PA}`;
    assert.ok(!(await visitor().get(address)).html.includes(PA), path);
  }
});

test("pages for everybody may be cached and set no cookie; pages about somebody may not", async () => {
  for (const path of ["/", "/tee/sencha"]) {
    const { headers } = await visitor().get(path);
    assert.match(headers.get("cache-control"), /public/);
    assert.equal(headers.get("set-cookie"), null);
  }
  for (const path of ["/willkommen", "/kasse?sku=sencha", "/konto", "/haendler", "/danke"]) {
    assert.equal((await visitor().get(path)).headers.get("cache-control"), "private, no-store", path);
  }
});

test("without any script the referral stays in the address, from landing page to checkout", async () => {
  const fromLanding = await visitor().post(`/willkommen?pa=${PA}`, { sku: "sencha", pa: "" });
  assert.equal(fromLanding.location, `/kasse?sku=sencha&menge=1&pa=${PA}`);
  const fromTea = await visitor().post(`/tee/sencha?pa=${PA}`, { menge: "2", pa: "" });
  assert.equal(fromTea.location, `/kasse?sku=sencha&menge=2&pa=${PA}`);
});

test("what people type is shown as text", async () => {
  const person = visitor();
  const { location } = await order(person, { name: '<script>alert("1")</script>' });
  for (const path of [location, "/haendler"]) {
    const { html } = await person.get(path);
    assert.ok(html.includes("&lt;script&gt;alert"), path);
    assert.ok(!html.includes("<script>alert"), path);
  }
});

test("an order is shown to the session that placed it and to no other", async () => {
  const person = visitor();
  const { location, id } = await order(person);
  assert.match(id, /^A-\d{5}$/);
  assert.match((await person.get(location)).html, /Danke, Mia/);
  assert.equal((await visitor().get(location)).location, "/");
});

test("a total that differs from the one shown is shown again, not charged", async () => {
  const answer = await visitor().post("/kasse?sku=sencha&menge=1", { sku: "sencha", menge: "1", gezeigt: "1", ...ADDRESS, email: "mia@example.org" });
  assert.equal(answer.status, 200);
  assert.match(answer.html, /Der Preis hat sich geändert/);
});

test("incomplete or nonsensical orders are not taken", async () => {
  for (const fields of [{ name: " " }, { email: "mia" }, { street: "" }, { city: "" }]) {
    const answer = await visitor().post("/kasse", { sku: "sencha", menge: "1", gezeigt: "1880", ...ADDRESS, email: "mia@example.org", ...fields });
    assert.match(answer.html, /role="alert"/, JSON.stringify(fields));
  }
  for (const fields of [{ sku: "kaffee" }, { sku: "sencha", menge: "0" }, { sku: "sencha", menge: "7" }, { sku: "sencha", menge: "-1" }]) {
    assert.equal((await visitor().post("/kasse", fields)).location, "/", JSON.stringify(fields));
  }
});

test("a form of another site presses no button", async () => {
  const answer = await visitor().post("/konto/anmelden", { kunde: "10023" }, { "sec-fetch-site": "cross-site" });
  assert.equal(answer.status, 403);
});

test("the identity token is a short HS256 JWT for the customer who is logged in, with the hint of their address", async () => {
  const person = visitor();
  assert.equal((await person.get("/account/passalong-token")).status, 401);
  await person.post("/konto/anmelden", { kunde: "10023" });
  const { token } = JSON.parse((await person.get("/account/passalong-token")).html);
  const { payload, protectedHeader } = await jwtVerify(token, new TextEncoder().encode(IDENTITY_SECRET), { audience: "teehaus", subject: "10023" });
  assert.equal(protectedHeader.alg, "HS256");
  assert.equal(payload.exp - payload.iat, 900);
  assert.deepEqual(payload.hints, [createHash("sha256").update("anna.petersen@example.org").digest("hex")]);
  assert.doesNotMatch(JSON.stringify(payload), /anna|petersen/i);
});

test("an order placed while Passalong is away is reported once it is back, also after a restart of the shop", async () => {
  const port = await freePort();
  const persist = temporaryDirectory("kv");
  const dataFile = `${temporaryDirectory("shop")}/orders.json`;
  const first = await startWorker({ port, persist });
  const program = await createProgram(first);
  await first.kill();

  const closing = await startShop(first, { program, dataFile });
  const person = visitor(closing.url);
  const { id } = await order(person);
  await person.post(`/haendler/bestellung/${id}`, { ereignis: "delivered" });
  assert.match((await person.get("/haendler")).html, /Passalong ist nicht erreichbar/);
  await closing.stop();

  const worker = await startWorker({ port, persist });
  const reopened = await startShop(worker, { program, dataFile });
  try {
    const story = await until(
      async () => {
        const answer = await program.server("GET", `/v1/conversions/${id}`);
        return answer.status === 200 && answer.body.events.length > 0 && answer.body;
      },
      { what: "the order and its delivery" },
    );
    assert.equal(story.amount, 1490);
    assert.deepEqual(story.events.map(({ type }) => type), ["delivered"]);
  } finally {
    await reopened.stop();
    await worker.stop();
  }
});
