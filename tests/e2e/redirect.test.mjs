// The referral link as visitors, previews, bots and attackers meet it. What a link is worth is the
// business of conversions.test.mjs; here it is where it leads, what it carries and what is counted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PERSON, api, createProgram, noon, root, setClock, startWorker, until } from "./harness.mjs";

const LANDING = "https://shop.example/willkommen";
let worker;
let visit;

before(async () => {
  worker = await startWorker();
  await setClock(worker, noon());
  visit = (path, { agent = PERSON, method = "GET", headers = {} } = {}) =>
    api(worker)(method, path, undefined, { headers: { "user-agent": agent, ...headers } });
});
after(() => worker?.stop());

function target(answer) {
  assert.equal(answer.status, 302, answer.text);
  return new URL(answer.headers.get("location"));
}

const withoutToken = (url) => {
  const copy = new URL(url);
  copy.searchParams.delete("pa");
  return copy.href;
};

test("a person with a good code is sent to the landing page with a click token", async () => {
  const program = await createProgram(worker);
  const answer = await visit(`/r/${program.id}/${await program.code("10023")}?utm_source=newsletter`);
  const url = target(answer);
  assert.equal(withoutToken(url), `${LANDING}?utm_source=newsletter`);
  assert.match(url.searchParams.get("pa"), /^[A-Za-z0-9_-]{35}$/);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("x-robots-tag"), "noindex");
  assert.equal(answer.headers.get("referrer-policy"), "strict-origin-when-cross-origin");
  assert.equal(answer.headers.get("x-passalong-ignored"), null);
  assert.equal(answer.headers.get("x-passalong-to"), null);
  assert.equal(answer.headers.get("set-cookie"), null);
});

test("each visit gets a click token of its own, with or without a channel", async () => {
  const program = await createProgram(worker);
  const code = await program.code("10023");
  const tokens = [];
  for (const channel of ["", "", "/whatsapp", "/email"]) {
    tokens.push(target(await visit(`/r/${program.id}/${code}${channel}`)).searchParams.get("pa"));
  }
  assert.ok(tokens.every(Boolean));
  assert.equal(new Set(tokens).size, 4);
});

test("a code is understood in upper case and with the letters people mistake", async () => {
  const program = await createProgram(worker);
  const code = await program.code("10023");
  const typed = code.toUpperCase().replaceAll("0", "O").replaceAll("1", "I");
  assert.ok(target(await visit(`/r/${program.id}/${typed}`)).searchParams.get("pa"));
});

test("a code that does not prove itself still leads to the shop, without a token", async () => {
  const [program, other] = [await createProgram(worker), await createProgram(worker)];
  const good = await program.code("10023");
  const last = good.slice(-1) === "0" ? "4" : "0";
  const middle = good[12] === "a" ? "b" : "a";
  const bad = {
    "one character changed": good.slice(0, 12) + middle + good.slice(13),
    "last character changed": good.slice(0, -1) + last,
    "cut short": good.slice(0, -1),
    "too long": `${good}0`,
    "of another program": await other.code("10023"),
    nonsense: "hallo",
    "not text": "%ff%fe",
    "very long": "a".repeat(2000),
  };
  for (const [what, code] of Object.entries(bad)) {
    const answer = await visit(`/r/${program.id}/${code}?utm_source=x&pa=forged`);
    assert.equal(target(answer).href, `${LANDING}?utm_source=x`, what);
    assert.equal(answer.headers.get("x-passalong-ignored"), "bad_code", what);
  }
});

test("an unknown program is 404", async () => {
  const program = await createProgram(worker);
  const answer = await visit(`/r/no-such-shop/${await program.code("10023")}`);
  assert.equal(answer.status, 404);
  assert.equal(answer.headers.get("location"), null);
});

test("HEAD and prefetch get the redirect without a token", async () => {
  const program = await createProgram(worker);
  const path = `/r/${program.id}/${await program.code("10023")}`;
  const cases = [
    ["head", { method: "HEAD" }],
    ["prefetch", { headers: { "sec-purpose": "prefetch" } }],
    ["prefetch", { headers: { "sec-purpose": "prefetch;prerender" } }],
    ["prefetch", { headers: { purpose: "prefetch" } }],
  ];
  for (const [ignored, options] of cases) {
    const answer = await visit(path, options);
    assert.equal(target(answer).href, LANDING, JSON.stringify(options));
    assert.equal(answer.headers.get("x-passalong-ignored"), ignored, JSON.stringify(options));
  }
});

test("a preview agent gets the program's own preview, escaped, and nothing to earn with", async () => {
  const program = await createProgram(worker, {
    preview: { title: '10 % für "dich" <b>&', text: "Tee </title><script>", image: "https://shop.example/tee.png" },
  });
  const answer = await visit(`/r/${program.id}/${await program.code("10023")}`, { agent: "WhatsApp/2.23.20.0" });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type"), /^text\/html; ?charset=utf-8$/i);
  assert.equal(answer.headers.get("x-passalong-ignored"), "preview");
  assert.equal(answer.headers.get("x-robots-tag"), "noindex");
  assert.equal(answer.headers.get("location"), null);
  const property = (name) => new RegExp(`<meta property="og:${name}" content="([^"]*)"`).exec(answer.text)?.[1];
  assert.equal(property("title"), "10 % für &quot;dich&quot; &lt;b&gt;&amp;");
  assert.equal(property("description"), "Tee &lt;/title&gt;&lt;script&gt;");
  assert.equal(property("image"), "https://shop.example/tee.png");
  assert.doesNotMatch(answer.text, /<script|<b>|pa=/);
});

test("every agent of the fixture is taken for what it is", async () => {
  const program = await createProgram(worker);
  const path = `/r/${program.id}/${await program.code("10023")}`;
  const rows = readFileSync(join(root, "core/fixtures/user_agents.tsv"), "utf8")
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));
  const seen = new Set();
  const wrong = [];
  for (const [kind, agent] of rows) {
    seen.add(kind);
    const answer = await visit(path, { agent });
    const ignored = answer.headers.get("x-passalong-ignored") ?? "person";
    const token = new URL(answer.headers.get("location") ?? LANDING).searchParams.has("pa");
    const right = ignored === kind && answer.status === (kind === "preview" ? 200 : 302) && token === (kind === "person");
    if (!right) wrong.push(`${kind}: ${agent} -> ${answer.status} ${ignored}, token ${token}`);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual([...seen].sort(), ["bot", "person", "preview"]);
});

test("a deep link into the shop is followed", async () => {
  const program = await createProgram(worker, { allowed_hosts: ["shop.example", "blog.example"] });
  const path = `/r/${program.id}/${await program.code("10023")}`;
  const cases = {
    "/tee/gruen": "https://shop.example/tee/gruen",
    "/tee?sorte=sencha&menge=2": "https://shop.example/tee?sorte=sencha&menge=2",
    "/": "https://shop.example/",
    "https://shop.example/tee": "https://shop.example/tee",
    "https://blog.example/beitrag": "https://blog.example/beitrag",
    "https://SHOP.example/tee": "https://shop.example/tee",
  };
  for (const [to, wanted] of Object.entries(cases)) {
    const answer = await visit(`${path}?to=${encodeURIComponent(to)}`);
    const url = target(answer);
    assert.ok(url.searchParams.get("pa"), to);
    assert.equal(withoutToken(url), wanted, to);
    assert.equal(answer.headers.get("x-passalong-to"), null, to);
  }
});

test("the click token stands in the query of a deep link, before its fragment", async () => {
  const program = await createProgram(worker);
  const to = encodeURIComponent("/tee?sorte=sencha#bewertungen");
  const url = target(await visit(`/r/${program.id}/${await program.code("10023")}?to=${to}`));
  assert.ok(url.searchParams.get("pa"));
  assert.equal(url.hash, "#bewertungen");
});

test("nothing in `to` leads out of the shop", async () => {
  const program = await createProgram(worker);
  const path = `/r/${program.id}/${await program.code("10023")}`;
  const attacks = [
    "https://evil.example/",
    "http://shop.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "\\/evil.example",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "/tee\r\nset-cookie: a=b",
    "/tee\u0000",
    " //evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example/",
    "https://shop.example@evil.example/",
    "https://user@shop.example/",
    "https://user:secret@shop.example/",
    "https://shop.example\\@evil.example/",
    "https://evil.example\\@shop.example/",
    "https://evil.example#@shop.example/",
    "https://evil.example?.shop.example/",
    "https://shop.example.evil.example/",
    "https://evilshop.example/",
    "https://sub.shop.example/",
    "https://shop.example:8443/",
    "ht\ttps://evil.example/",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "ftp://shop.example/",
    "blob:https://shop.example/x",
    "tee/gruen",
    "?x=1",
    "",
  ];
  for (const attack of attacks) {
    const answer = await visit(`${path}?to=${encodeURIComponent(attack)}`);
    const shown = JSON.stringify(attack);
    assert.equal(withoutToken(target(answer)), LANDING, shown);
    assert.equal(answer.headers.get("x-passalong-to"), "refused", shown);
    assert.equal(answer.headers.get("set-cookie"), null, shown);
  }
});

test("the landing page's own parameters win, the visitor's are kept, ours replaces an older token", async () => {
  const program = await createProgram(worker, { landing_url: `${LANDING}?utm_source=passalong&lang=de` });
  const code = await program.code("10023");
  const url = target(
    await visit(`/r/${program.id}/${code}?utm_source=evil&utm_campaign=fr%C3%BChling&pa=old&lang=en&gclid=1&pa=older`),
  );
  assert.deepEqual(url.searchParams.getAll("utm_source"), ["passalong"]);
  assert.deepEqual(url.searchParams.getAll("lang"), ["de"]);
  assert.deepEqual(url.searchParams.getAll("utm_campaign"), ["frühling"]);
  assert.deepEqual(url.searchParams.getAll("gclid"), ["1"]);
  assert.equal(url.searchParams.getAll("pa").length, 1);
  assert.match(url.searchParams.get("pa"), /^[A-Za-z0-9_-]{35}$/);
});

test("only people are counted, once per visitor and day", async () => {
  const program = await createProgram(worker);
  const path = `/r/${program.id}/${await program.code("10023")}`;
  // Each with an agent of its own, so that a wrongly counted one would be a visitor of its own.
  await visit(path, { agent: `${PERSON} A`, method: "HEAD" });
  await visit(path, { agent: `${PERSON} B`, headers: { "sec-purpose": "prefetch" } });
  await visit(path, { agent: "WhatsApp/2.23.20.0" });
  await visit(path, { agent: "Googlebot/2.1 (+http://www.google.com/bot.html)" });
  await visit(path, { agent: "" });
  await visit(`/r/${program.id}/${"0".repeat(26)}`, { agent: `${PERSON} C` });
  for (const agent of ["one", "two", "one", "one"]) await visit(path, { agent: `${PERSON} ${agent}` });
  const totals = await until(
    async () => {
      const me = await program.me("10023");
      return me.totals.clicks >= 2 && me.totals;
    },
    { what: "the clicks to be written" },
  );
  assert.deepEqual([totals.clicks, totals.clicks_today], [2, 2]);
});
