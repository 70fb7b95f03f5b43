// The element's life on a page: where its identity comes from, what it asks and how often, what it does when
// that fails, and that the page around it stays where it is.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { until } from "./harness.mjs";
import { fixture, open, stage, TOKEN } from "./widget-page.mjs";

let on;
before(async () => (on = await stage()));
after(() => on.stop());

const plain = (text) => text.replace(/\s+/g, " ").trim();
const asked = (path) => on.host.asked.filter((one) => one.path === path);
const usual = () => {
  on.host.answer = () => undefined;
  on.shop.answerToken = () => TOKEN;
};

// Lets everything that was set off in the page come to its end: two frames, and no request under way.
async function settle(page) {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.waitForLoadState("networkidle");
}

// A clock the test moves; what the page asks of time follows.
const movable = { prepare: (page) => page.clock.install({ time: new Date("2026-11-22T08:00:00Z") }) };

async function look(page) {
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await settle(page);
}

test("the token comes from the token address, as text or as JSON", async () => {
  usual();
  for (const answer of [TOKEN, `${TOKEN}\n`, { body: JSON.stringify({ token: TOKEN }), type: "application/json" }]) {
    on.shop.answerToken = () => answer;
    const { close } = await open(on);
    assert.deepEqual(asked("/v1/me").map(({ token }) => token), [TOKEN]);
    assert.equal(on.shop.tokens.length, 1);
    await close();
  }
});

test("a token in an attribute is read once and taken off the page", async () => {
  usual();
  const { page, widget, close } = await open(on, { tag: `<pass-along program="teehaus" token="${TOKEN}"></pass-along>` });
  assert.deepEqual(asked("/v1/me").map(({ token }) => token), [TOKEN]);
  assert.equal(await widget.getAttribute("token"), null);
  assert.ok(!(await page.content()).includes(TOKEN));
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...document.querySelector("pass-along") }))).includes("eyJ"));
  await close();
});

test("a token provider may be set before the element is defined, or after", async () => {
  usual();
  const provide = (token) => `document.querySelector("pass-along").tokenProvider = async () => "${token}";`;
  const tag = '<pass-along program="teehaus"></pass-along>';
  const early = await open(on, { tag: `${tag}<script>${provide(TOKEN)}</script>` });
  assert.deepEqual(asked("/v1/me").map(({ token }) => token), [TOKEN]);
  assert.equal(asked("/v1/offer").length, 0, "never a visitor in between");
  await early.close();

  const late = await open(on, { tag });
  assert.equal(asked("/v1/offer").length, 1);
  await late.page.evaluate(provide(TOKEN));
  await late.widget.locator(".card[data-for=me] dl").waitFor();
  assert.deepEqual(asked("/v1/me").map(({ token }) => token), [TOKEN]);
  await late.close();
});

test("the script tag alone puts an element behind itself", async () => {
  usual();
  const data = 'data-program="teehaus" data-token-url="/account/passalong-token" data-address="sie"';
  const script = `<script async src="${on.host.url}/pass-along.js" ${data}></script>`;
  const body = await open(on, { tag: "<p>vor</p>", script, body: "<p>nach</p>" });
  assert.equal(await body.page.locator("script + pass-along + p").count(), 1);
  assert.match(plain(await body.widget.getByRole("heading").innerText()), /^Schenken Sie/);
  await body.close();

  const head = await open(on, { tag: "<p>Seite</p>", script: "", head: script });
  assert.equal(await head.page.locator("body > pass-along").count(), 1);
  await head.close();
});

test("where nobody is logged in, the widget addresses a visitor", async () => {
  usual();
  const nobody = [{ status: 401 }, { status: 403 }, { status: 204 }, "", { body: '{"token": null}' }, "<!doctype html><title>Anmelden</title>"];
  for (const answer of nobody) {
    on.shop.answerToken = () => answer;
    const { widget, close } = await open(on);
    await widget.locator(".card[data-for=offer]").waitFor();
    assert.deepEqual([asked("/v1/me").length, asked("/v1/offer").length], [0, 1], JSON.stringify(answer));
    await close();
  }
});

test("two attribute changes cost one fetch, and those of language none", async () => {
  usual();
  const { page, widget, close } = await open(on);
  await page.evaluate(() => {
    const element = document.querySelector("pass-along");
    element.setAttribute("program", "kaffeehaus");
    element.setAttribute("token-url", "/account/passalong-token?program=kaffeehaus");
  });
  await until(() => asked("/v1/me").length > 1);
  await settle(page);
  assert.equal(asked("/v1/me").length, 2);
  await page.evaluate(() => {
    document.querySelector("pass-along").setAttribute("lang", "en");
    document.querySelector("pass-along").setAttribute("address", "sie");
    document.querySelector("pass-along").setAttribute("theme", "dark");
  });
  await widget.getByRole("button", { name: "Copy" }).waitFor();
  await page.evaluate(() => document.querySelector("pass-along").setAttribute("lang", "de"));
  await widget.getByRole("heading", { name: /^Schenken Sie/ }).waitFor();
  assert.equal(asked("/v1/me").length, 2);
  await close();
});

test("a move is no removal: nothing is asked again, and what was open stays open", async () => {
  usual();
  const { page, widget, heard, close } = await open(on, { body: "<main></main>" });
  await widget.getByRole("button", { name: "Mehr" }).click();
  await page.evaluate(() => document.querySelector("main").append(document.querySelector("pass-along")));
  await settle(page);
  assert.equal(asked("/v1/me").length, 1);
  assert.equal(await page.locator("main > pass-along").getByRole("link", { name: "Telegram" }).count(), 1);
  assert.equal((await heard("ready")).length, 1);
  await close();
});

test("who was removed asks nothing, and comes back as it was", async () => {
  usual();
  const { page, widget, close } = await open(on, movable);
  await page.evaluate(() => {
    window.kept = document.querySelector("pass-along");
    window.kept.remove();
  });
  await settle(page);
  await page.clock.fastForward("10:00");
  await look(page);
  assert.equal(asked("/v1/me").length, 1);
  await page.evaluate(() => document.body.append(window.kept));
  await widget.getByRole("heading").waitFor();
  await settle(page);
  assert.equal(asked("/v1/me").length, 2, "ten minutes later, once more");
  await close();
});

test("mounts and unmounts leave no node and no listener behind", async () => {
  usual();
  const { page, context, close } = await open(on, { tag: "<main></main>", ready: false });
  await page.waitForFunction(() => customElements.get("pass-along"));
  const protocol = await context.newCDPSession(page);
  const mount = (times) =>
    page.evaluate(
      async ([times, token]) => {
        for (let time = 0; time < times; time += 1) {
          const element = document.createElement("pass-along");
          element.setAttribute("program", "teehaus");
          element.token = token;
          const ready = new Promise((done) => element.addEventListener("passalong:ready", done, { once: true }));
          document.querySelector("main").append(element);
          await ready;
          element.shadowRoot.querySelector("[data-do=more]").click();
          element.shadowRoot.querySelector("[data-do=all]").click();
          element.remove();
        }
        // The note of what was heard keeps its details, not elements.
        window.heard = [];
      },
      [times, TOKEN],
    );
  const counters = async () => {
    for (let time = 0; time < 3; time += 1) await protocol.send("HeapProfiler.collectGarbage");
    const { nodes, jsEventListeners } = await protocol.send("Memory.getDOMCounters");
    return { nodes, jsEventListeners };
  };
  await mount(3);
  const before = await counters();
  await mount(30);
  assert.deepEqual(await counters(), before);
  await close();
});

test("several elements, and the script twice: one definition, the parts fetched once", async () => {
  usual();
  const files = [];
  const one = '<pass-along program="teehaus" token-url="/account/passalong-token"></pass-along>';
  const { page, complaints, close } = await open(on, {
    tag: one + one,
    body: `<script async src="${on.host.url}/pass-along.js?again"></script>`,
    prepare: (page) => page.on("request", (request) => files.push(request.url().split("/").at(-1))),
  });
  await page.waitForFunction(() => window.heard.filter(({ name }) => name === "ready").length === 2);
  await settle(page);
  for (const part of ["widget.wasm", "de-du.json"]) {
    assert.equal(files.filter((file) => file === part).length, 1, part);
  }
  assert.deepEqual(complaints, []);
  await close();
});

test("wasm and answer are asked for at the same time", async () => {
  usual();
  let answer;
  on.host.answer = () => ({ wait: new Promise((go) => (answer = go)), body: fixture("me") });
  const files = [];
  const { ready, close } = await open(on, {
    ready: false,
    prepare: (page) => page.on("response", (response) => files.push(new URL(response.url()).pathname.split("/").at(-1))),
  });
  await until(() => answer && files.includes("widget.wasm"));
  answer();
  await ready();
  await close();
});

test("coming back to the tab refreshes, at most once a minute", async () => {
  usual();
  const { page, widget, heard, close } = await open(on, movable);
  await widget.getByRole("button", { name: "Mehr" }).click();
  await widget.getByRole("textbox", { name: "Deine Nachricht" }).fill("Mein Text");
  // The page's clock also runs by itself, and a busy machine is slow: half a minute is surely less than one.
  await page.clock.fastForward(30_000);
  await look(page);
  assert.equal(asked("/v1/me").length, 1);
  const me = fixture("me");
  me.totals.clicks = 25;
  on.host.answer = ({ path }) => (path === "/v1/me" ? { body: me } : undefined);
  await page.clock.fastForward(30_000);
  await Promise.all([look(page), look(page)]);
  await widget.locator("dd", { hasText: "25" }).waitFor();
  assert.equal(asked("/v1/me").length, 2);
  assert.equal(on.shop.tokens.length, 1, "the token at hand still serves");
  assert.equal(await widget.getByRole("textbox", { name: "Deine Nachricht" }).inputValue(), "Mein Text");
  assert.deepEqual((await heard("status")).map(({ detail }) => detail.totals.clicks), [24, 25]);
  await page.evaluate(() => Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true }));
  await page.clock.fastForward("05:00");
  await look(page);
  assert.equal(asked("/v1/me").length, 2, "not while hidden");
  await close();
});

test("an expired token is renewed once, unseen", async () => {
  usual();
  const fresh = `${TOKEN}new`;
  on.shop.answerToken = (time) => (time === 1 ? TOKEN : fresh);
  on.host.answer = ({ token }) => (token === fresh ? undefined : { status: 401, body: { code: "unauthenticated" } });
  const { widget, heard, close } = await open(on);
  await widget.getByRole("heading", { name: /^Gib/ }).waitFor();
  assert.deepEqual(asked("/v1/me").map(({ token }) => token), [TOKEN, fresh]);
  assert.equal(on.shop.tokens.length, 2);
  assert.deepEqual(await heard("error"), []);
  await close();
});

test("what stays expired is said in a sentence, with a button that tries again", async () => {
  usual();
  on.host.answer = () => ({ status: 401, body: { code: "unauthenticated" } });
  const { page, widget, heard, close } = await open(on);
  assert.equal(asked("/v1/me").length, 2);
  assert.equal(on.shop.tokens.length, 2);
  await widget.getByText("Die Anmeldung ist abgelaufen. Bitte noch einmal anmelden.").first().waitFor();
  assert.deepEqual((await heard("error")).map(({ detail }) => detail.code), ["unauthenticated"]);
  const retry = widget.getByRole("button", { name: "Noch einmal versuchen" });
  await retry.focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => window.heard.filter(({ name }) => name === "error").length === 2);
  const focused = await page.evaluate(() => document.activeElement.shadowRoot.activeElement.textContent);
  assert.equal(focused, "Noch einmal versuchen");
  usual();
  await page.keyboard.press("Enter");
  await widget.getByRole("heading", { name: /^Gib/ }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.tagName), "H2");
  await close();
});

test("who was logged out meanwhile is told so, not greeted as a stranger", async () => {
  usual();
  on.shop.answerToken = (time) => (time === 1 ? TOKEN : { status: 401 });
  const { page, widget, close } = await open(on, movable);
  on.host.answer = () => ({ status: 401, body: { code: "unauthenticated" } });
  await page.clock.fastForward("01:00");
  await look(page);
  await widget.locator(".notice", { hasText: "Die Anmeldung ist abgelaufen." }).waitFor();
  assert.equal(asked("/v1/offer").length, 0);
  assert.equal(await widget.getByText("Empfehlung 5").count(), 1, "what was known stays");
  await close();
});

test("an error leaves a sentence and a retry, then the widget", async () => {
  usual();
  on.host.answer = () => ({ status: 503, body: { code: "unavailable" } });
  const { widget, heard, close } = await open(on);
  await widget.getByText("lassen sich gerade nicht laden.").first().waitFor();
  assert.deepEqual((await heard("error")).map(({ detail }) => detail.code), ["unavailable"]);
  assert.equal(await widget.getByRole("status").textContent(), "Die Empfehlungen lassen sich gerade nicht laden.");
  usual();
  await widget.getByRole("button", { name: "Noch einmal versuchen" }).click();
  await widget.getByRole("heading", { name: /^Gib/ }).waitFor();
  await close();
});

test("a failed refresh keeps what is known, a later one clears the notice", async () => {
  usual();
  const { page, widget, close } = await open(on, movable);
  on.host.answer = () => ({ status: 500, body: {} });
  await page.clock.fastForward("01:00");
  await look(page);
  await widget.locator(".notice").waitFor();
  assert.equal(await widget.getByText("Empfehlung 5").count(), 1);
  usual();
  await widget.getByRole("button", { name: "Noch einmal versuchen" }).click();
  await widget.locator(".notice").waitFor({ state: "detached" });
  await close();
});

test("a shop whose token address is broken is a fault, not a visitor", async () => {
  usual();
  on.shop.answerToken = () => ({ status: 500 });
  const { heard, close } = await open(on);
  assert.deepEqual((await heard("error")).map(({ detail }) => detail.code), ["token_url_500"]);
  assert.equal(asked("/v1/offer").length, 0);
  await close();
});

test("offline is said, and the widget goes on when the connection is back", async () => {
  usual();
  const { page, context, widget, heard, close } = await open(on, movable);
  await context.setOffline(true);
  await page.clock.fastForward("01:00");
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await widget.locator(".notice", { hasText: "Gerade besteht keine Verbindung." }).waitFor();
  assert.deepEqual((await heard("error")).map(({ detail }) => detail.code), ["offline"]);
  await context.setOffline(false);
  await widget.locator(".notice").waitFor({ state: "detached" });
  await close();
});

test("events tell the page what happens, and nothing of who it is", async () => {
  usual();
  const { page, heard, close } = await open(on);
  const all = await page.evaluate(() => window.heard);
  assert.deepEqual(all.map(({ name }) => name), ["ready", "status"]);
  assert.ok(all.every(({ bubbles, composed }) => bubbles && composed));
  assert.deepEqual((await heard("status"))[0].detail, { totals: fixture("me").totals });
  assert.ok(!JSON.stringify(all).includes(TOKEN));
  await close();
});

test("a listener of the page may act on the element while it speaks", async () => {
  usual();
  const { page, widget, complaints, close } = await open(on);
  await page.evaluate(() => {
    const element = document.querySelector("pass-along");
    const more = element.shadowRoot.querySelector("[data-do=more]");
    element.shadowRoot.querySelector("a").addEventListener("click", (event) => event.preventDefault());
    element.addEventListener("passalong:share", () => {
      more.click();
      element.setAttribute("lang", "en");
    });
    element.shadowRoot.querySelector("a").click();
  });
  await widget.getByRole("button", { name: "Copy" }).waitFor();
  assert.equal(await widget.locator(".plain").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

test("a listener of the page may make another element speak meanwhile", async () => {
  usual();
  on.host.answer = () => ({ status: 503, body: { code: "unavailable" } });
  const one = '<pass-along program="teehaus" token-url="/account/passalong-token"></pass-along>';
  const { page, widget, complaints, close } = await open(on, { tag: one + one });
  await page.waitForFunction(() => window.heard.filter(({ name }) => name === "error").length === 2);
  complaints.length = 0;
  usual();
  await page.evaluate(() => {
    const [first, second] = document.querySelectorAll("pass-along");
    // The first one gives the focus to its heading in the middle of its work.
    first.shadowRoot.addEventListener("focusin", ({ target }) => {
      if (target.localName === "h2") second.shadowRoot.querySelector("[data-do=retry]").click();
    });
  });
  await widget.first().getByRole("button", { name: "Noch einmal versuchen" }).focus();
  await page.keyboard.press("Enter");
  for (const element of await widget.all()) await element.locator("dl").waitFor();
  assert.equal(await widget.locator(".plain").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

// What a merchant may put into the page, so that the first paint already has the room.
const kept = (wide, narrow) =>
  `<style>body{margin:0}pass-along:not(:defined){display:block;height:${wide}px}@media(max-width:479px){pass-along:not(:defined){height:${narrow}px}}</style>`;

// How far the page moves from the first paint to the widget that is ready; `path` is what it asks.
async function shiftOf(path, body, options) {
  let answer;
  on.host.answer = (asked) => (asked.path === path ? { wait: new Promise((go) => (answer = go)), body } : undefined);
  const { page, ready, widget, close } = await open(on, {
    height: 1200,
    ready: false,
    body: "<footer style='height:80px'>Impressum</footer>",
    before: () => {
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    },
    ...options,
  });
  await widget.locator(".bone").first().waitFor();
  await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
  await until(() => answer);
  answer();
  await ready();
  await settle(page);
  const shift = await page.evaluate(() => window.shift);
  await close();
  return shift;
}

test("the page stays where it is while a customer's card loads", async () => {
  const referrals = (count) => {
    const me = fixture("me");
    me.referrals = Array.from({ length: count }, (_, index) => ({ ...me.referrals[index % 5], number: count - index }));
    if (count === 0) me.next = null;
    return me;
  };
  for (const width of [360, 700]) {
    for (const count of [0, 1, 3, 50]) {
      const shift = await shiftOf("/v1/me", referrals(count), { width, head: kept(824, 1088) });
      assert.ok(shift <= 0.01, `${shift} with ${count} referrals at ${width}`);
    }
  }
});

test("the page stays where it is while a visitor's card loads", async () => {
  const offer = { ...fixture("offer"), minimum_order: 3000 };
  for (const width of [360, 700]) {
    for (const referred of [false, true]) {
      const tag = '<pass-along program="teehaus" address="sie" join-url="/konto"></pass-along>';
      const shift = await shiftOf("/v1/offer", { ...offer, reason: null, referred }, { width, tag, head: kept(520, 680) });
      assert.ok(shift <= 0.01, `${shift} at ${width}, referred: ${referred}`);
    }
  }
});
