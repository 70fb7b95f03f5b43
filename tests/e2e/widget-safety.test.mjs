// The widget where things are strict, missing or broken: a content security policy with Trusted Types, a
// policy without wasm, blocked and late files, a trap; and what it weighs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { until } from "./harness.mjs";
import { fixture, open, stage, TOKEN } from "./widget-page.mjs";

let on;
before(async () => (on = await stage()));
after(() => on.stop());

const plain = (text) => text.replace(/\s+/g, " ").trim();
const usual = () => {
  on.host.answer = () => undefined;
  on.host.blocked = [];
  on.host.wait = {};
  on.shop.answerToken = () => TOKEN;
};

// The strictest policy the widget needs nothing beyond.
const policy = ({ wasm = true } = {}) => ({
  "content-security-policy": [
    "default-src 'none'",
    `script-src ${on.host.url}${wasm ? " 'wasm-unsafe-eval'" : ""}`,
    `connect-src 'self' ${on.host.url}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
});

// The plain card: link, copy and share buttons, and nothing it cannot know.
async function assertPlain({ page, widget, heard }, link) {
  await widget.getByRole("region", { name: "Link teilen" }).waitFor();
  assert.equal(await widget.getByRole("textbox", { name: "Link teilen" }).inputValue(), link);
  await widget.getByRole("button", { name: "Kopieren" }).click();
  await widget.getByRole("status").filter({ hasText: "Kopiert" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  const whatsapp = await widget.getByRole("link", { name: "WhatsApp" }).getAttribute("href");
  assert.ok(decodeURIComponent(whatsapp).includes(link), whatsapp);
  assert.equal(await widget.getByRole("link").count(), 8);
  assert.deepEqual((await heard("ready")).map(({ detail }) => detail.plain), [true]);
}

test("a strict policy with Trusted Types is kept, and the widget stands", async () => {
  usual();
  const violated = [];
  const { page, widget, complaints, close } = await open(on, {
    headers: policy(),
    before: () => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
    },
  });
  await widget.getByRole("heading", { name: /^Gib/ }).waitFor();
  await widget.getByRole("button", { name: "Mehr" }).click();
  await widget.getByRole("button", { name: "Kopieren" }).click();
  await widget.getByRole("status").filter({ hasText: "Kopiert" }).waitFor();
  violated.push(...(await page.evaluate(() => window.violations)));
  assert.deepEqual(violated, []);
  assert.deepEqual(complaints, []);
  await close();
});

test("a policy that forbids wasm gets the plain card with the customer's own link", async () => {
  usual();
  const opened = await open(on, { headers: policy({ wasm: false }) });
  await assertPlain(opened, fixture("me").link);
  const [first] = await opened.widget.getByRole("link").all();
  await first.evaluate((link) => link.addEventListener("click", (event) => event.preventDefault()));
  await first.click();
  assert.deepEqual((await opened.heard("share")).map(({ detail }) => detail.channel), ["whatsapp"]);
  const shares = () => on.host.asked.filter(({ path }) => path === "/v1/me/shares").map(({ body }) => JSON.parse(body).channel);
  await until(() => shares().length >= 2);
  assert.deepEqual(shares(), ["copy", "whatsapp"]);
  await opened.close();
});

test("a part that cannot be had gets the plain card", async () => {
  for (const part of ["widget.wasm", "de-du.json"]) {
    usual();
    on.host.blocked = [part];
    const opened = await open(on);
    await assertPlain(opened, fixture("me").link);
    await opened.close();
  }
});

test("without any answer the plain card shares the page, without its click token", async () => {
  usual();
  on.host.blocked = ["widget.wasm"];
  on.host.answer = () => ({ status: 503, body: { code: "unavailable" } });
  const opened = await open(on, { query: "?pa=abc&farbe=blau" });
  await assertPlain(opened, `${on.shop.url}/konto?farbe=blau`);
  await opened.close();
});

test("wasm that is not there after four seconds is not waited for", async () => {
  usual();
  let release;
  on.host.wait = { "widget.wasm": new Promise((go) => (release = go)) };
  const opened = await open(on, {
    ready: false,
    prepare: (page) => page.clock.install(),
  });
  await opened.widget.locator(".bone").first().waitFor();
  assert.equal(await opened.widget.locator(".bone").count(), 8);
  await opened.page.clock.fastForward(4_000);
  await opened.ready();
  await assertPlain(opened, fixture("me").link);
  release();
  await opened.close();
});

test("a trap turns every widget on the page into the plain card", async () => {
  usual();
  // Makes one call into the browser throw in the middle of the module, which is left as a trap leaves it.
  const before = () => {
    window.trap = () => {
      Element.prototype.closest = () => {
        throw new WebAssembly.RuntimeError("unreachable");
      };
    };
  };
  const one = '<pass-along program="teehaus" token-url="/account/passalong-token"></pass-along>';
  const { page, widget, heard, close } = await open(on, { tag: one + one, before });
  await page.waitForFunction(() => window.heard.filter(({ name }) => name === "ready").length === 2);
  await page.evaluate(() => window.trap());
  await widget.first().getByRole("button", { name: "Mehr" }).click();
  for (const element of await widget.all()) {
    await element.getByRole("region", { name: "Link teilen" }).waitFor();
    assert.equal(await element.getByRole("textbox").inputValue(), fixture("me").link);
  }
  assert.deepEqual((await heard("error")).map(({ detail }) => detail.code), ["widget"]);
  await close();
});

test("what an answer says is text, never markup or script", async () => {
  usual();
  const bad = '<img src=x onerror="window.pwned=1">{v}{name}';
  const me = fixture("me");
  me.program.name = bad;
  me.alias = bad;
  me.next.value = { kind: "gift", label: bad };
  on.host.answer = ({ path }) => (path === "/v1/me" ? { body: me } : undefined);
  const { page, widget, complaints, close } = await open(on);
  assert.equal(await widget.locator(".code input").first().inputValue(), bad);
  assert.ok((await widget.locator(".next b").innerText()).includes(bad));
  assert.equal(await widget.locator("img").count(), 0);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(complaints, []);
  await close();
});

test("an address that is no web page is no way to log in", async () => {
  usual();
  on.host.answer = ({ path }) => (path === "/v1/offer" ? { body: fixture("offer") } : undefined);
  for (const address of ["javascript:alert(1)", "data:text/html,x", "http://"]) {
    const { widget, close } = await open(on, { tag: `<pass-along program="teehaus" join-url="${address}"></pass-along>` });
    await widget.getByText("So machst du mit").waitFor();
    assert.equal(await widget.getByRole("link", { name: "Zum Kundenkonto" }).count(), 0, address);
    await close();
  }
});

test("nothing is kept on the device", async () => {
  usual();
  const { page, context, widget, close } = await open(on);
  await widget.getByRole("button", { name: "Kopieren" }).click();
  const kept = await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length]);
  assert.deepEqual(kept, [0, 0, 0]);
  assert.deepEqual(await context.cookies(), []);
  await close();
});

test("all that is sent for one language weighs at most 16,700 bytes", async (t) => {
  usual();
  for (const [lang, attributes, file] of [["de", "", "de-du.json"], ["de", "address=sie", "de-sie.json"], ["en", "", "en.json"]]) {
    const sizes = {};
    const { close } = await open(on, {
      lang,
      attributes,
      prepare: async (page) => {
        const network = await page.context().newCDPSession(page);
        await network.send("Network.enable");
        const names = {};
        network.on("Network.responseReceived", ({ requestId, response }) => {
          if (response.url.startsWith(on.host.url) && !response.url.includes("/v1/")) {
            names[requestId] = response.url.split("/").at(-1);
            assert.equal(response.headers["content-encoding"], "br", response.url);
          }
        });
        // Head and body, as they came over the wire.
        network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
          if (names[requestId]) sizes[names[requestId]] = encodedDataLength;
        });
      },
    });
    assert.deepEqual(Object.keys(sizes).sort(), [file, "pass-along.js", "widget.wasm"].sort());
    const all = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    t.diagnostic(`${lang} ${attributes}: ${all} bytes ${JSON.stringify(sizes)}`);
    assert.ok(all <= 16_700, `${all} bytes: ${JSON.stringify(sizes)}`);
    await close();
  }
});
