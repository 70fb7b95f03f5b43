// One referral from end to end, as people live it: the real Worker with its KV, the demo shop on an origin
// of its own, the widget as WebAssembly in Chromium. Nothing is called behind their backs: customers press
// what the pages show them, and the merchant's systems press the buttons of the merchant's view.
//
// The stories are told in order and build on each other, in one shop.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { devices } from "playwright-core";
import { createHash } from "node:crypto";
import { DAY, api, createProgram, freePort, noon, openBrowser, runCronUntilDone, secrets, setClock, startShop, startWorker, until } from "./harness.mjs";
import { walk } from "./kv.mjs";
import { traces } from "./leaks.mjs";

let worker;
let program;
let shop;
let browser;
let anna; // Anna's browser, logged in
let annasLink; // as she copied it

// Whatever any page complains about, with the page's address.
const complaints = [];
// Every address any page asked for.
const asked = new Set();

before(async () => {
  worker = await startWorker();
  await setClock(worker, noon());
  const port = await freePort();
  program = await createProgram(worker, { landing_url: `http://127.0.0.1:${port}/willkommen` });
  shop = await startShop(worker, { program, port });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await shop?.stop();
  await worker?.stop();
});

const { userAgent: desktop } = devices["Desktop Chrome"];
const { viewport: _, ...telephone } = devices["iPhone 13"];

// A browser of one person, with nothing in it. `phone` is the narrowest screen the pages are made for.
async function person({ phone = false } = {}) {
  const screen = phone ? { ...telephone, viewport: { width: 360, height: 740 } } : { viewport: { width: 1200, height: 900 }, userAgent: desktop };
  const context = await browser.newContext({ ...screen, locale: "de-DE", timezoneId: "Europe/Berlin" });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: shop.url });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on("request", (request) => asked.add(request.url()));
  context.on("weberror", (problem) => complaints.push(`${problem.page()?.url()}: ${problem.error()}`));
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return page;
}

async function visit(page, path) {
  await page.goto(new URL(path, shop.url).href);
  return page;
}

async function logIn(page, name) {
  await visit(page, "/konto");
  await page.getByRole("button", { name }).click();
  await page.getByRole("heading", { name: `Moin, ${name.split(" ")[0]}` }).waitFor();
}

const plain = (text) => text.replace(/\s+/g, " ").trim();

// What the widget shows, in words.
async function widget(page) {
  await page.locator("pass-along section.card dl").waitFor();
  const shown = await page.locator("pass-along").evaluate(({ shadowRoot: root }) => {
    const text = (selector, from = root) => from.querySelector(selector)?.textContent ?? "";
    return {
      all: root.querySelector(".card").innerText,
      title: text("h2"),
      totals: Object.fromEntries([...root.querySelectorAll("dl > div")].map((cell) => [text("dt", cell), text("dd.number", cell)])),
      referrals: [...root.querySelectorAll(".state > ol > li")].map((row) => ({ worth: text("em", row), says: text("p", row) })),
    };
  });
  return {
    ...shown,
    title: plain(shown.title),
    totals: Object.fromEntries(Object.entries(shown.totals).map(([label, value]) => [plain(label), plain(value)])),
    referrals: shown.referrals.map(({ worth, says }) => ({ worth: plain(worth), says: plain(says) })),
  };
}

// Loads the account page until the widget shows what is waited for: clicks are written in batches.
async function widgetWith(page, condition, what) {
  let shown;
  const seen = async () => {
    await visit(page, "/konto");
    shown = await widget(page);
    return condition(shown) && shown;
  };
  return until(seen, { what, timeout: 20_000, every: 250 }).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(shown)}`));
}

async function pay(page, { name, email, ...address } = {}) {
  if (name) await page.getByLabel("Name").fill(name);
  if (email) await page.getByLabel("E-Mail").fill(email);
  if (name) await page.getByLabel("Straße und Hausnummer").fill(address.street ?? "Hafenweg 3");
  if (name) await page.getByLabel("PLZ und Ort").fill(address.city ?? "26506 Norden");
  await page.getByRole("button", { name: "Zahlungspflichtig bestellen" }).click();
}

async function thanked(page) {
  await page.getByRole("heading", { name: /^Danke/ }).waitFor();
  return new URL(page.url()).searchParams.get("bestellung");
}

// The merchant's systems: one browser, many buttons.
let office;
async function merchant() {
  office ??= await person();
  return visit(office, "/haendler");
}

async function merchantReports(order, button, amount) {
  const page = await merchant();
  const card = page.locator(`#${order}`);
  if (amount) await card.getByRole("textbox").fill(amount);
  await card.getByRole("button", { name: button }).click();
  await page.getByRole("status").filter({ hasText: "gemeldet." }).waitFor();
}

async function merchantPresses(button) {
  const page = await merchant();
  await page.getByRole("button", { name: button, exact: true }).click();
  await page.getByRole("status").waitFor();
  assert.doesNotMatch(await page.getByRole("status").innerText(), /nicht geklappt/);
}

// The harness makes tokens and times by the clock which the merchant has just moved.
async function followClock() {
  const { body } = await api(worker)("GET", "/healthz");
  worker.clock = Date.parse(body.now);
}

const dayInBerlin = (ms) => new Intl.DateTimeFormat("de-DE", { timeZone: "Europe/Berlin", day: "numeric", month: "long" }).format(ms);

let order; // of the friend

test("a customer logs in and copies their link from the widget", async () => {
  anna = await person();
  await logIn(anna, "Anna Petersen");
  const shown = await widget(anna);
  assert.match(shown.title, /10 %.*20 %/);
  assert.deepEqual(shown.referrals, []);

  await anna.locator("pass-along").getByRole("button", { name: "Kopieren" }).click();
  await anna.locator("pass-along").getByText("Kopiert").first().waitFor();
  annasLink = await anna.evaluate(() => navigator.clipboard.readText());
  assert.match(annasLink, new RegExp(`^${worker.url}/r/${program.id}/[0-9a-z]{26}`));
});

test("a friend opens the link on a phone, is greeted with the offer and buys at its price", async () => {
  const mia = await person({ phone: true });
  await mia.goto(annasLink);
  assert.equal(new URL(mia.url()).origin, shop.url);
  assert.ok(new URL(mia.url()).searchParams.get("pa"), "the click token is in the address");
  assert.equal(plain(await mia.getByRole("heading", { level: 1 }).innerText()), "10 % Rabatt für dich");

  await mia.getByRole("link", { name: "Darjeeling First Flush" }).click();
  await mia.getByRole("button", { name: "Zur Kasse" }).click();
  assert.match(plain(await mia.locator(".bill").innerText()), /16,50 €.*10 % Rabatt −1,65 €.*Gesamt inkl. MwSt. 18,75 €/);
  await pay(mia, { name: "Mia Brandt", email: "Mia.Brandt@example.org" });
  order = await thanked(mia);
  assert.match(plain(await mia.locator(".bill").innerText()), /−1,65 €.*18,75 €/);
});

test("the customer sees one click, one purchase and a pending reward with its date", async () => {
  const shown = await widgetWith(anna, ({ totals, referrals }) => totals.Klick === "1" && referrals.length === 1, "one click and one referral");
  assert.equal(shown.totals.Kauf, "1");
  // 20 % of 14.85 €, which is what the tea cost after the rebate, without shipping.
  assert.equal(shown.referrals[0].worth, "2,97 €");
  assert.ok(shown.referrals[0].says.includes(dayInBerlin(noon() + 30 * DAY)), shown.referrals[0].says);
  assert.doesNotMatch(shown.all, /Mia|A-\d{5}/, "nothing tells who bought");
});

test("delivery brings the date forward to the end of the return period", async () => {
  await merchantReports(order, "Geliefert");
  const date = dayInBerlin(noon() + 21 * DAY);
  const shown = await widgetWith(anna, ({ referrals }) => referrals[0].says.includes(date), `a reward free from ${date}`);
  assert.match(shown.referrals[0].says, /Rückgabefrist/);
});

test("another customer sees their own empty state and nothing of it", async () => {
  const ben = await person();
  await logIn(ben, "Ben Lüders");
  const shown = await widget(ben);
  assert.deepEqual(shown.referrals, []);
  assert.deepEqual([shown.totals.Klicks, shown.totals.Käufe], ["0", "0"]);
  const code = annasLink.split("/").pop();
  assert.ok(!(await ben.content()).includes(code));
  const me = await program.customer("20871")("GET", "/v1/me");
  assert.equal(me.status, 200);
  assert.doesNotMatch(me.text, new RegExp(`${code}|10023|2,97|297`));
  await ben.context().close();
});

test("the clock moves, the cron runs, the reward is approved", async () => {
  await merchantPresses("+31 Tage");
  await followClock();
  await merchantPresses("Cron laufen lassen");
  await runCronUntilDone(worker);
  const shown = await widgetWith(anna, ({ referrals }) => !referrals[0].says.includes("Frei ab"), "an approved reward");
  assert.equal(shown.referrals[0].worth, "2,97 €");
  const { body } = await program.server("GET", `/v1/conversions/${order}`);
  assert.deepEqual(body.rewards.filter((reward) => reward.for === "advocate").map(({ status }) => status), ["approved"]);
  assert.match(await (await merchant()).locator(`#${order}`).innerText(), /freigegeben/);
});

test("a refund in part shrinks it", async () => {
  await merchantReports(order, "Teilerstattung", "5,00");
  // 20 % of what is left: 14.85 € − 5.00 €.
  const shown = await widgetWith(anna, ({ referrals }) => referrals[0].worth === "1,97 €", "a smaller reward");
  assert.equal(shown.referrals.length, 1);
});

test("the merchant pays it out", async () => {
  const page = await merchant();
  await page.getByRole("button", { name: "Ausgezahlt" }).click();
  await page.getByRole("status").waitFor();
  const { body } = await program.server("GET", `/v1/conversions/${order}`);
  assert.deepEqual(body.rewards.filter((reward) => reward.for === "advocate").map(({ status, value }) => [status, value.amount]), [["fulfilled", 197]]);
  await page.getByText("Zurzeit keine.").waitFor();
});

test("a friend's second order earns nothing more and is not rebated, which they see before paying", async () => {
  const mia = await person({ phone: true });
  await mia.goto(annasLink);
  await mia.getByRole("button", { name: "Deichminze bestellen" }).click();
  assert.match(plain(await mia.locator(".bill").innerText()), /6,90 €.*10 % Rabatt −0,69 €/);
  await pay(mia, { name: "Mia Brandt", email: "mia.brandt@example.org" });
  await mia.getByRole("alert").filter({ hasText: "Der Preis hat sich geändert" }).waitFor();
  assert.match(plain(await mia.locator(".bill").innerText()), /6,90 € Versand 3,90 € Gesamt inkl. MwSt. 10,80 €.*wurde schon früher geworben/);
  await pay(mia);
  const { body } = await program.server("GET", `/v1/conversions/${await thanked(mia)}`);
  assert.deepEqual([body.attributed, body.reason], [false, "friend_already_referred"]);
  await mia.context().close();
});

// Among the referrals of one minute the order is not fixed, so it is looked for by what it says.
async function refusedAsOwnLink(page) {
  const own = ({ referrals }) => referrals.find(({ says }) => says.includes("Das war dein eigener Link."));
  assert.equal(own(await widgetWith(page, own, "a referral refused as one's own")).worth, "–");
}

test("buying through one's own link earns nothing, and the widget says why", async () => {
  await anna.goto(annasLink);
  await anna.getByRole("link", { name: "Sencha Morgennebel" }).click();
  await anna.getByRole("button", { name: "Zur Kasse" }).click();
  const bill = plain(await anna.locator(".bill").innerText());
  assert.match(bill, /Kein Empfehlungsrabatt: über den eigenen Link gekauft/);
  assert.doesNotMatch(bill, /−/, "nothing is taken off");
  await pay(anna);
  const own = await thanked(anna);
  await refusedAsOwnLink(anna);
  const { body } = await program.server("GET", `/v1/conversions/${own}`);
  assert.deepEqual([body.attributed, body.reason], [false, "self_referral"]);
});

test("neither does buying as a guest with the same e-mail", async () => {
  // Clara's first order, so that nothing but the address tells who is buying.
  const clara = await person();
  await logIn(clara, "Clara Jansen");
  await clara.locator("pass-along").getByRole("button", { name: "Kopieren" }).click();
  await clara.locator("pass-along").getByText("Kopiert").first().waitFor();
  const link = await clara.evaluate(() => navigator.clipboard.readText());

  const guest = await person({ phone: true });
  await guest.goto(link);
  await guest.getByRole("button", { name: "Weißer Kluntje bestellen" }).click();
  await pay(guest, { name: "C. J.", email: " Clara.Jansen@Example.org" });
  await guest.getByRole("alert").filter({ hasText: "Der Preis hat sich geändert" }).waitFor();
  assert.match(plain(await guest.locator(".bill").innerText()), /Kein Empfehlungsrabatt: über den eigenen Link gekauft/);
  await pay(guest);
  const own = await thanked(guest);
  await refusedAsOwnLink(clara);
  const { body } = await program.server("GET", `/v1/conversions/${own}`);
  assert.deepEqual([body.attributed, body.reason], [false, "self_referral"]);
  for (const page of [guest, clara]) await page.context().close();
});

test("greeting, price and widget follow the terms, ten minutes after they were changed", async () => {
  const friend = await person({ phone: true });
  const greeting = async () => {
    await friend.goto(annasLink);
    return plain(await friend.getByRole("heading", { level: 1 }).innerText());
  };
  const page = await merchant();
  await page.getByLabel("Wer empfiehlt").fill("25");
  await page.getByLabel("Wer geworben wird").fill("12,5");
  await page.getByRole("button", { name: "Angebot ändern" }).click();
  await page.getByRole("status").filter({ hasText: "Angebot geändert. Es gilt ab" }).waitFor();
  assert.equal(await greeting(), "10 % Rabatt für dich", "not yet");

  await merchantPresses("+1 Tag");
  await followClock();
  await until(async () => (await greeting()) === "12,5 % Rabatt für dich", { what: "the new greeting" });
  await friend.getByRole("button", { name: "Sencha Morgennebel bestellen" }).click();
  assert.match(plain(await friend.locator(".bill").innerText()), /14,90 €.*12,5 % Rabatt −1,86 €/);
  await widgetWith(anna, ({ title }) => /12,5 %.*25 %/.test(title), "the new headline");
});

test("a rebate in euros is taken off as well, never more than the goods cost", async () => {
  const { body: terms } = await program.server("GET", "/v1/program");
  const { version: _version, valid_from: _from, upcoming: _upcoming, ...rest } = terms;
  const rewards = rest.rewards.map((rule) => (rule.for === "friend" ? { ...rule, value: { kind: "amount_off", amount: 600, currency: "EUR" } } : rule));
  assert.equal((await program.server("PUT", "/v1/program", { ...rest, rewards })).status, 200);
  await setClock(worker, worker.now() + DAY);

  const friend = await person();
  await until(
    async () => {
      await friend.goto(annasLink);
      return plain(await friend.getByRole("heading", { level: 1 }).innerText()) === "6,00 € Rabatt für dich";
    },
    { what: "the new greeting" },
  );
  await friend.getByRole("button", { name: "Weißer Kluntje bestellen" }).click();
  assert.match(plain(await friend.locator(".bill").innerText()), /5,90 €.*6,00 € Rabatt −5,90 € Versand 3,90 € Gesamt inkl. MwSt. 3,90 €/);
  await friend.context().close();
});

test("no page is wider than a narrow phone", async () => {
  const phone = await person({ phone: true });
  await logIn(phone, "Anna Petersen");
  await widget(phone);
  const wide = [];
  for (const path of ["/konto", "/", "/tee/ostfriesen", annasLink, "/kasse?sku=darjeeling&menge=3", "/haendler", `${worker.url}/`, `${worker.url}/en/`]) {
    await visit(phone, path);
    const overflow = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (overflow > 0) wide.push(`${path}: ${overflow} px`);
  }
  assert.deepEqual(wide, []);
});

test("the account page keeps the widget's room: nothing below moves while it loads", async () => {
  for (const phone of [true, false]) {
    const page = await person({ phone });
    await page.addInitScript(() => {
      window.shifted = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.shifted += value))).observe({ type: "layout-shift", buffered: true });
    });
    // Late enough for the page to be painted without it.
    await page.route("**/pass-along.js", async (route) => {
      await page.getByRole("heading", { name: /^Moin/ }).waitFor();
      await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
      await route.continue();
    });
    await logIn(page, "Anna Petersen");
    await widget(page);
    const shifted = await page.evaluate(() => window.shifted);
    assert.ok(shifted <= 0.01, `${phone ? "phone" : "desktop"}: ${shifted}`);
    await page.context().close();
  }
});

test("no page complained in its console", () => {
  assert.deepEqual(complaints, []);
});

// The last, because it stops the Worker.
test("nothing in KV, in the logs or in an address tells who anybody was, or holds a secret", async () => {
  // What the browsers cannot send: addresses of people, and all an identity token may say.
  const { userAgent: iphone } = telephone;
  const addresses = { "an IPv4 address": "203.0.113.77", "an IPv6 address": "2001:db8:7e57::77" };
  const erika = { given_name: "Friederike", hints: [createHash("sha256").update("friederike.janssen@example.org").digest("hex")], segment: null };
  const headers = (address) => ({ headers: { "cf-connecting-ip": address, "x-forwarded-for": address, "x-real-ip": address, "user-agent": iphone } });
  for (const address of Object.values(addresses)) {
    assert.equal((await api(worker)("GET", new URL(annasLink).pathname, undefined, headers(address))).status, 302);
    assert.equal((await program.customer("kunde-friederike", erika)("GET", "/v1/me", undefined, headers(address))).status, 200);
    assert.equal((await api(worker, "sk_x")("GET", "/v1/rewards", undefined, headers(address))).status, 401);
  }
  const made = await program.order({ order_id: "B-2026-4711", customer_id: "kunde-friederike", hints: erika.hints, code: annasLink.split("/").pop() });
  assert.equal(made.status, 201, made.text);
  const clicks = async () => (await program.me("10023")).totals.clicks;
  const before = await clicks();
  await until(async () => (await clicks()) > before || before > 2, { what: "the clicks to be written" });
  await worker.stop();

  const people = { "Anna's e-mail": "anna.petersen@example.org", "Anna's name": "Anna Petersen", "Anna's first name": "Anna", "Anna's street": "Am Siel 4" };
  const friends = { "Mia's e-mail": "mia.brandt@example.org", "as Mia typed it": "Mia.Brandt@example.org", "Mia's name": "Mia Brandt", "Mia's first name": "Mia", "Mia's street": "Hafenweg 3" };
  const guests = { "Clara's e-mail": "clara.jansen@example.org", "as Clara typed it": " Clara.Jansen@Example.org", "Clara's name": "Clara Jansen", "Friederike's e-mail": "friederike.janssen@example.org", "Friederike's name": "Friederike", "Friederike's hint": erika.hints[0] };
  const agents = { "Chrome's name": desktop, "the iPhone's name": iphone, "a user agent": "Mozilla/5.0", "a system": "AppleWebKit" };
  const keys = {
    "a signing key": secrets.signing_keys.split(/[:,]/)[1],
    "MERCHANT_KEY": secrets.merchant_key,
    "PSEUDONYM_KEY": secrets.pseudonym_key,
    "the operator key": secrets.operator_key,
    "the API key": program.serverApiKey,
    "the identity secret": program.identitySecret,
    "the template secret": program.templateSecret,
    "an identity token's header": program.token("10023").split(".")[0],
  };
  // The parts that follow a public prefix, so that a secret that is cut is found as well.
  for (const [what, text] of Object.entries(keys)) keys[`the end of ${what}`] = text.slice(-16);
  const ids = { "Anna's id": "10023", "Ben's id": "20871", "Clara's id": "30412", "Friederike's id": "kunde-friederike" };
  const orders = { "an order": "B-2026-4711", "the friend's order": order };

  const stored = await walk(worker.persistDir);
  const kv = Object.fromEntries(stored.map((entry) => [entry.name, JSON.stringify(entry)]));
  const prefixes = new Set(stored.map(({ name }) => name.split("/")[0]));
  for (const prefix of ["program", "customer", "click", "ledger", "person", "order", "event", "log"]) assert.ok(prefixes.has(prefix), `${prefix}/ is stored`);
  assert.notDeepEqual(traces(kv, { "the shop's name": "Teehaus Nord" }), [], "what may be read is found");
  assert.deepEqual(traces(kv, { ...people, ...friends, ...guests, ...agents, ...addresses, ...keys, ...ids, ...orders }), [], "KV");

  const log = worker.logs.join("");
  const inTheLink = { "Anna's code": annasLink.split("/").pop() };
  assert.notDeepEqual(traces({ log }, inTheLink), [], "the platform's stand-in logs each request");
  assert.deepEqual(traces({ log }, { ...people, ...friends, ...guests, ...agents, ...addresses, ...keys, ...ids }), [], "the log");

  const urls = [...asked].join("\n");
  assert.ok(asked.size > 50 && urls.includes("/v1/me") && urls.includes("pa="), `${asked.size} addresses`);
  assert.notDeepEqual(traces({ urls }, inTheLink), [], "what is in an address is found");
  assert.deepEqual(traces({ urls }, { ...people, ...friends, ...guests, ...agents, ...keys, ...ids }), [], "addresses");
});
