// What the widget fetches only once it is opened: the terms, the choice of a short code, and the report of a
// missing referral. What the card shows by itself is in widget.test.mjs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { until } from "./harness.mjs";
import { fixture, language, open, stage, TOKEN } from "./widget-page.mjs";

let on;
before(async () => (on = await stage()));
after(() => on.stop());

const plain = (text) => text.replace(/\s+/g, " ").trim();
const said = (name) => language(`more/${name}`);

// A customer without a short code; `answers` are what the API says to each path.
function customer(answers = {}) {
  const me = fixture("me");
  delete me.alias_reserved;
  on.host.blocked = [];
  on.host.answer = ({ path }) => (path === "/v1/me" ? { body: me } : answers[path]);
  return me;
}

const posted = (path) => on.host.asked.filter((one) => one.path === path).map(({ method, token, body }) => [method, token, JSON.parse(body)]);
const focused = (page) => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.textContent ?? null);
const fold = (widget, name) => widget.locator("summary", { hasText: name });

test("nothing of it is fetched before it is opened, and then once", async () => {
  customer();
  const files = [];
  const { widget, complaints, close } = await open(on, {
    prepare: (page) => page.on("request", (request) => files.push(new URL(request.url()).pathname.replace(/.*\/[0-9a-f]{12}\//, ""))),
  });
  const late = () => files.filter((file) => /more/.test(file)).sort();
  assert.deepEqual(late(), []);
  await fold(widget, "Empfehlung fehlt?").click();
  await widget.locator("form").waitFor();
  await fold(widget, "Kurzcode wählen").click();
  await widget.locator("form").nth(1).waitFor();
  await fold(widget, "Kurzcode wählen").click();
  await fold(widget, "Kurzcode wählen").click();
  assert.equal(await widget.locator("form").count(), 2, "what is there is not made again");
  assert.deepEqual(late(), ["more.js", "more/de-du.json"]);
  assert.deepEqual(complaints, []);
  await close();
});

test("the terms are the program's own sentences, with their version, in the reader's language or in English", async () => {
  for (const [lang, asked, name, version] of [["de", "de", "Bedingungen", "Fassung 3"], ["en", "en", "Terms", "Version 3"]]) {
    const terms = ["Erster Satz.", "<b>Zweiter Satz.</b>"];
    customer({ "/v1/offer": { body: { ...fixture("offer"), terms } } });
    const { widget, close } = await open(on, { lang });
    await fold(widget, name).click();
    const place = widget.locator("details[data-part=terms]");
    await place.getByText(version, { exact: true }).waitFor();
    assert.deepEqual(await place.locator("li").allTextContents(), terms);
    assert.deepEqual(on.host.asked.filter(({ path }) => path === "/v1/offer").map(({ query }) => query), [{ program: "teehaus", lang: asked }]);
    await close();
  }
});

test("a visitor reads the terms too", async () => {
  on.host.answer = () => undefined;
  const { widget, close } = await open(on, { tag: '<pass-along program="teehaus"></pass-along>' });
  await fold(widget, "Bedingungen").click();
  await widget.getByText(fixture("offer").terms[0]).waitFor();
  await close();
});

test("what cannot be had says so, and is asked for again when it is opened again", async () => {
  customer({ "/v1/offer": { status: 503, body: { code: "unavailable" } } });
  const { widget, close } = await open(on);
  const summary = fold(widget, "Bedingungen");
  await summary.click();
  await widget.getByText("Das lässt sich gerade nicht laden.").waitFor();
  customer();
  await summary.click();
  await widget.getByText("Das lässt sich gerade nicht laden.").waitFor({ state: "detached" });
  await summary.click();
  await widget.getByText("Fassung 3").waitFor();
  await close();
});

test("a short code is chosen by keyboard, shown as reserved at once, and the form is gone", async () => {
  customer({ "/v1/me/alias": { body: { alias: "TEE4K7", reserved_until: "2026-11-22T08:10:00Z" } } });
  const { page, widget, complaints, close } = await open(on);
  await fold(widget, "Kurzcode wählen").focus();
  await page.keyboard.press("Enter");
  await widget.locator("form").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.type(" tee4k7 ");
  await page.keyboard.press("Enter");
  await widget.getByText("Kurzcode TEE4K7 vorgemerkt, sicher ab 9:10 Uhr.").waitFor();
  assert.deepEqual(posted("/v1/me/alias"), [["POST", TOKEN, { alias: "tee4k7" }]]);
  await widget.getByRole("status").filter({ hasText: "TEE4K7 ist vorgemerkt." }).waitFor();
  assert.equal(await fold(widget, "Kurzcode wählen").count(), 0);
  assert.equal(await focused(page).then(plain), "Gib 10 %, bekomm 20 %", "the focus is not lost");
  assert.equal(on.host.asked.filter(({ path }) => path === "/v1/me").length, 1, "nothing is asked again for it");
  assert.deepEqual(complaints, []);
  await close();
});

test("who has no idea takes a suggestion", async () => {
  customer({ "/v1/me/alias": { body: { alias: "KLUNT7", reserved_until: "2026-11-22T08:10:00Z" } } });
  const { widget, close } = await open(on, { attributes: "address=sie" });
  await fold(widget, "Kurzcode wählen").click();
  await widget.getByRole("textbox", { name: "Ihr Wunschcode" }).waitFor();
  await widget.getByRole("button", { name: "Vorschlag nehmen" }).click();
  await widget.getByText("Kurzcode KLUNT7 vorgemerkt").waitFor();
  assert.deepEqual(posted("/v1/me/alias"), [["POST", TOKEN, {}]]);
  await close();
});

test("a short code that was chosen long before is shown to be sure", async () => {
  customer({ "/v1/me/alias": { body: { alias: "TEE4K7", reserved_until: null } } });
  const { widget, close } = await open(on);
  await fold(widget, "Kurzcode wählen").click();
  await widget.getByRole("button", { name: "Vorschlag nehmen" }).click();
  await widget.getByRole("button", { name: "Kopieren TEE4K7" }).waitFor();
  await close();
});

test("whoever has a short code, or has one reserved, is not asked to choose", async () => {
  for (const [alias, reserved] of [["TEE4K7", undefined], [null, fixture("me").alias_reserved]]) {
    const me = customer();
    Object.assign(me, { alias, alias_reserved: reserved });
    const { widget, close } = await open(on);
    await fold(widget, "Bedingungen").waitFor();
    assert.equal(await fold(widget, "Kurzcode wählen").count(), 0);
    await close();
  }
});

test("each way a form fails is a sentence, and what was written stays", async () => {
  const de = said("de-du");
  const cases = [
    ["/v1/me/alias", 400, de["choose.bad"], true],
    ["/v1/me/alias", 409, de["choose.taken"], true],
    ["/v1/me/alias", 401, de.expired, false],
    ["/v1/me/claims", 400, de["claim.bad"], true],
    ["/v1/me/alias", 429, de.often, false],
    ["/v1/me/claims", 429, de["claim.often"], false],
    ["/v1/me/claims", 503, de.failed, false],
  ];
  for (const [path, status, sentence, atField] of cases) {
    customer({ [path]: { status, body: { code: "x", detail: "English words" } } });
    const { page, widget, close } = await open(on);
    const isAlias = path.endsWith("alias");
    await fold(widget, isAlias ? "Kurzcode wählen" : "Empfehlung fehlt?").click();
    const field = widget.getByRole("textbox", { name: isAlias ? "Dein Wunschcode" : "Bestellnummer" });
    await field.fill("A-10077");
    if (!isAlias) await widget.getByLabel("Bestellt am").fill("2026-11-20");
    await widget.getByRole("button", { name: isAlias ? "Code sichern" : "Nachmelden" }).click();
    await widget.locator(".note", { hasText: sentence }).waitFor();
    assert.equal(await field.inputValue(), "A-10077");
    assert.equal(await field.getAttribute("aria-invalid"), atField ? "true" : null, `${path} ${status}`);
    const described = await field.evaluate((input) => input.getRootNode().getElementById(input.getAttribute("aria-describedby")).textContent);
    assert.equal(described, sentence);
    const at = await page.evaluate(() => document.activeElement.shadowRoot.activeElement.className || document.activeElement.shadowRoot.activeElement.name);
    assert.equal(at, atField ? (isAlias ? "alias" : "order_id") : "note", `${path} ${status}`);
    await close();
  }
});

test("an expired token is renewed once, unseen, also for a form", async () => {
  const fresh = `${TOKEN}new`;
  const me = customer();
  on.host.answer = ({ path, token }) => {
    if (path === "/v1/me") return { body: me };
    return token === fresh ? { status: 201, body: {} } : { status: 401, body: { code: "unauthenticated" } };
  };
  on.shop.answerToken = (time) => (time === 1 ? TOKEN : fresh);
  const { widget, close } = await open(on);
  await fold(widget, "Empfehlung fehlt?").click();
  await widget.getByRole("textbox", { name: "Bestellnummer" }).fill("A-10077");
  await widget.getByLabel("Bestellt am").fill("2026-11-20");
  await widget.getByRole("button", { name: "Nachmelden" }).click();
  await widget.locator(".note", { hasText: said("de-du")["claim.done"] }).waitFor();
  assert.deepEqual(posted("/v1/me/claims").map(([, token]) => token), [TOKEN, fresh]);
  on.shop.answerToken = () => TOKEN;
  await close();
});

test("without a connection a form says so", async () => {
  customer();
  const { context, widget, close } = await open(on);
  await fold(widget, "Kurzcode wählen").click();
  await widget.locator("form").waitFor();
  await context.setOffline(true);
  await widget.getByRole("button", { name: "Vorschlag nehmen" }).click();
  await widget.locator(".note", { hasText: said("de-du").failed }).waitFor();
  await close();
});

test("what is missing in a form is asked for at its field, before anything is sent", async () => {
  customer();
  const { page, widget, close } = await open(on);
  await fold(widget, "Empfehlung fehlt?").click();
  const order = widget.getByRole("textbox", { name: "Bestellnummer" });
  await order.fill("A-10077");
  await order.press("Enter");
  await widget.locator(".note", { hasText: said("de-du")["claim.empty"] }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.name), "ordered_on");
  assert.deepEqual(posted("/v1/me/claims"), []);
  await close();
});

test("a missing referral is reported with number and day, and listed as waiting at once", async () => {
  customer({ "/v1/me/claims": { status: 201, body: {} } });
  const { page, widget, complaints, close } = await open(on, {
    prepare: (page) => page.clock.setFixedTime(new Date("2026-11-22T08:00:00Z")),
  });
  await fold(widget, "Empfehlung fehlt?").click();
  await widget.getByRole("textbox", { name: "Bestellnummer" }).fill("A-10077");
  const day = widget.getByLabel("Bestellt am");
  assert.equal(await day.getAttribute("max"), "2026-11-22", "no day that is still to come");
  await day.fill("2026-11-18");
  await widget.getByRole("button", { name: "Nachmelden" }).click();
  await until(async () => (await widget.locator("#claims li").count()) === 2);
  assert.deepEqual(posted("/v1/me/claims"), [["POST", TOKEN, { order_id: "A-10077", ordered_on: "2026-11-18" }]]);
  const rows = (await widget.locator("#claims li").allTextContents()).map(plain);
  assert.deepEqual(rows, [
    "Bestellung vom 18. NovemberNachgemeldet am 22. November. Der Shop prüft sie noch.",
    "Bestellung vom 20. NovemberNachgemeldet am 21. November. Der Shop prüft sie noch.",
  ]);
  assert.equal(await focused(page), said("de-du")["claim.done"]);
  assert.equal(await widget.locator("form button").count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

test("a report that was filed before is said to be known, and listed once, with the day it was filed", async () => {
  const filed = fixture("me").claims[0];
  customer({ "/v1/me/claims": { status: 200, body: filed } });
  const { page, widget, close } = await open(on);
  await fold(widget, "Empfehlung fehlt?").click();
  await widget.getByRole("textbox", { name: "Bestellnummer" }).fill(filed.order_number);
  await widget.getByLabel("Bestellt am").fill(filed.ordered_on);
  await widget.getByRole("button", { name: "Nachmelden" }).click();
  await widget.locator(".note", { hasText: said("de-du")["claim.known"] }).waitFor();
  const rows = (await widget.locator("#claims li").allTextContents()).map(plain);
  assert.deepEqual(rows, ["Bestellung vom 20. NovemberNachgemeldet am 21. November. Der Shop prüft sie noch."]);
  assert.equal(await focused(page), said("de-du")["claim.known"]);
  await close();
});

test("what the reader has opened hides no referral that was seen before", async () => {
  const me = customer({ "/v1/me/claims": { status: 201, body: {} } });
  Object.assign(me, { as_friend: [], claims: [], next: null });
  for (const referral of me.referrals) {
    delete referral.bonus;
    delete referral.before;
  }
  const { widget, close } = await open(on);
  const seen = () => widget.locator(".state > ol > li:not([hidden])").count();
  const before = await seen();
  assert.ok(before > 2, `${before} at first`);
  await fold(widget, "Bedingungen").click();
  await widget.getByText("Fassung 3").waitFor();
  await fold(widget, "Empfehlung fehlt?").click();
  await widget.getByRole("textbox", { name: "Bestellnummer" }).fill("A-10077");
  await widget.getByLabel("Bestellt am").fill("2026-11-18");
  await widget.getByRole("button", { name: "Nachmelden" }).click();
  await widget.locator("#claims li").waitFor();
  assert.equal(await seen(), before);
  await close();
});

test("a report that is over says what became of it, and not whether there was such an order", async () => {
  const me = customer();
  const [claim] = me.claims;
  const days = { open: "2026-11-20", approved: "2026-11-19", declined: "2026-11-18", lapsed: "2026-11-17" };
  me.claims = Object.entries(days).map(([status, ordered_on]) => ({ ...claim, status, ordered_on }));
  const { widget, close } = await open(on);
  const rows = widget.locator("#claims li");
  const filed = "Nachgemeldet am 21. November.";
  assert.deepEqual((await rows.locator("p").allTextContents()).map(plain), [
    `${filed} Der Shop prüft sie noch.`,
    filed,
    `${filed} Dafür gibt es keine Prämie.`,
    `${filed} Dafür gibt es keine Prämie.`,
  ]);
  const looks = await rows.locator("> div").evaluateAll((all) => all.map((one) => one.className));
  assert.deepEqual(looks, ["wait ring", "good disc", "bad cross", "bad cross"]);
  await close();
});
