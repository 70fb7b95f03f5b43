// What the widget shows: the pinned answers, every state, three languages, light and dark, and that it can
// be used by keyboard and by ear. The element's life on a page is in widget-element.test.mjs, policies,
// fallback and weight in widget-safety.test.mjs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { until } from "./harness.mjs";
import { fixture, language, open, stage, TOKEN } from "./widget-page.mjs";

let on;
before(async () => (on = await stage()));
after(() => on.stop());

// Texts carry no-break spaces; the claims here are about words.
const plain = (text) => text.replace(/\s+/g, " ").trim();

const answering = (body, path = "/v1/me") => {
  on.host.answer = (asked) => (asked.path === path ? { body } : undefined);
};

async function show(body = fixture("me"), options = {}) {
  answering(body);
  const opened = await open(on, options);
  const words = async () => plain(await opened.widget.locator("section.card").innerText());
  return { ...opened, words };
}

// An answer with these referrals: `[status, reason, more]` each.
function withReferrals(...rewards) {
  const me = fixture("me");
  me.next = null;
  me.referrals = rewards.map(([status, reason, more = {}], index) => ({
    number: rewards.length - index,
    kind: "purchase",
    occurred_at: "2026-11-01T10:00:00Z",
    reward: {
      id: `rw_${index}`,
      value: { kind: "credit", amount: 980, currency: "EUR" },
      status,
      ...(reason && { reason }),
      since: "2026-11-10T10:00:00Z",
      ...more,
    },
  }));
  return me;
}

// Opens everything that is folded.
const unfold = (widget) => widget.locator("details").evaluateAll((all) => all.forEach((one) => (one.open = true)));

const sentences = async (widget) => (await widget.locator("ol > li p").allTextContents()).map(plain);

test("every field of the pinned answer is shown, or known not to be", async () => {
  // A leaf of the fixture by its path, and the words it becomes. `null`: not shown, for the reason behind it.
  const shown = {
    "program.id": null, // the API's name for it
    "program.name": "Teehaus Nord", // in the message
    "program.currency": null, // of sums; see the test of an empty state
    "program.time_zone": "9:00 Uhr", // 08:00Z in Berlin, on a device in New York
    "program.address": "bekomm",
    link: "empfehlen.teehaus-nord.de/r/teehaus/8f3k2m7q00000000000000000w",
    code: null, // part of the link
    alias: null, // there is none; see the test of codes
    "alias_reserved.alias": "Kurzcode TEE4K7 vorgemerkt",
    "alias_reserved.until": "sicher ab 9:10 Uhr",
    "offer.advocate.kind": "20 % vom Bestellwert als Guthaben",
    "offer.advocate.basis_points": "bekomm 20 %",
    "offer.friend.kind": "spart 10 %",
    "offer.friend.basis_points": "Gib 10 %",
    "offer.hold_days": "21 Tage nach",
    "offer.hold_from": "nach der Lieferung",
    "offer.minimum_order": "Mindestbestellwert: 25 €.",
    "offer.window_days": "30 Tage nach dem Klick",
    "offer.new_customers_only": "zum ersten Mal bestellt",
    "offer.paused": "macht gerade Pause",
    "offer.trigger": "zum ersten Mal bestellt",
    "offer.when": "spart 10 %.",
    "totals.clicks": "Klicks 24",
    "totals.clicks_today.more_than": "mehr als 3 heute",
    "totals.signups": "6 Anmeldungen",
    "totals.purchases": "Käufe 5",
    "totals.pending": "1 offen",
    "totals.approved": "4 bestätigt",
    "totals.earned.0.kind": "48,20 €",
    "totals.earned.0.amount": "48,20",
    "totals.earned.0.currency": "€",
    "totals.earned.0.count": null, // sums of money add up
    "totals.earned.1.kind": "2 × 20 %",
    "totals.earned.1.basis_points": "20 %",
    "totals.earned.1.count": "2 ×",
    "totals.earned.2.kind": "150 Punkte",
    "totals.earned.2.points": "150",
    "totals.earned.2.count": null, // points add up
    "totals.year.year": "2026 verdient",
    "totals.year.amount": "2026 verdient: 48,20 €",
    "totals.year.currency": "€",
    "totals.year.ceiling": "von 255,99 €",
    "referrals.0.number": "Empfehlung 5",
    "referrals.0.kind": "Gekauft am",
    "referrals.0.occurred_at": "Gekauft am 19. November.",
    "referrals.0.reward.id": null, // the merchant's handle
    "referrals.0.reward.value.kind": "9,80 €",
    "referrals.0.reward.value.amount": "9,80",
    "referrals.0.reward.value.currency": "€",
    "referrals.0.reward.status": "Frei ab",
    "referrals.0.reward.reason": "wenn die Rückgabefrist endet",
    "referrals.0.reward.until": "Frei ab 10. Dezember",
    "referrals.0.reward.since": null, // the same day as the purchase, while it is pending
    "referrals.1.occurred_at": "Gekauft am 20. Oktober.",
    "referrals.1.reward.value.amount": "12,40 €",
    "referrals.1.reward.status": "Bestätigt am",
    "referrals.1.reward.since": "Bestätigt am 12. November.",
    "referrals.1.bonus.id": null, // the merchant's handle
    "referrals.1.bonus.value.kind": "Bonus Teeset",
    "referrals.1.bonus.value.label": "Teeset",
    "referrals.1.bonus.value.worth": null, // counts towards the yearly ceiling
    "referrals.1.bonus.status": "Der Shop prüft sie noch.",
    "referrals.1.bonus.reason": "Es kamen ungewöhnlich viele Empfehlungen zusammen.",
    "referrals.1.bonus.since": null, // while it is looked into
    "referrals.1.before.kind": "Anmeldung 100 Punkte",
    "referrals.1.before.occurred_at": "Angemeldet am 11. Oktober.",
    "referrals.1.before.reward.id": null, // the merchant's handle
    "referrals.1.before.reward.value.kind": "100 Punkte",
    "referrals.1.before.reward.value.points": "100",
    "referrals.1.before.reward.status": "Gutgeschrieben am",
    "referrals.1.before.reward.since": "Gutgeschrieben am 11. November.",
    "referrals.2.reward.value.amount": "–",
    "referrals.2.reward.status": "keine Prämie",
    "referrals.2.reward.reason": "zurückgegeben",
    "referrals.2.reward.since": "am 12. Oktober zurückgegeben",
    "referrals.3.reward.status": "keine Prämie",
    "referrals.3.reward.reason": "Das war dein eigener Link.",
    "referrals.4.kind": "Angemeldet am",
    "referrals.4.occurred_at": "Angemeldet am 1. September.",
    "referrals.4.reward": "–",
    "as_friend.0.kind": "Deine Bestellung 5,00 €",
    "as_friend.0.occurred_at": "Gekauft am 1. November.",
    "as_friend.0.reward.id": null, // the merchant's handle
    "as_friend.0.reward.value.kind": "5,00 €",
    "as_friend.0.reward.value.amount": "5,00",
    "as_friend.0.reward.value.currency": "€",
    "as_friend.0.reward.status": "Erhalten am",
    "as_friend.0.reward.until": "einlösbar bis zum 22. Februar 2027.",
    "as_friend.0.reward.since": "Erhalten am 22. November",
    "as_friend.0.reward.coupon": "TEE-7K3-9QX",
    "claims.0.order_number": null, // known to whoever reported it
    "claims.0.status": "Der Shop prüft sie noch.",
    "claims.0.ordered_on": "Bestellung vom 20. November",
    "claims.0.filed_at": "Nachgemeldet am 21. November.",
    "next.kind": "dann gibt es: Teeset",
    "next.at": "3 von 5",
    "next.done": "Noch 2 Empfehlungen",
    "next.value.kind": "Teeset",
    "next.value.label": "Teeset",
    as_of: "Stand: 22. November, 9:00 Uhr",
    more: "Ältere Empfehlungen stehen hier nicht.",
    test_clock: "Testuhr",
  };
  const me = fixture("me");
  const leaves = (value, path = "") =>
    value !== null && typeof value === "object"
      ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key))
      : [path];
  // Referrals of the same shape are told by the first of them.
  const known = (path) => path in shown || path.replace(/^referrals\.\d+/, "referrals.0") in shown;
  const missing = leaves(me).filter((path) => !path.startsWith("channels.") && !known(path));
  assert.deepEqual(missing, [], "fields this test does not know");

  me.offer.paused = true;
  const { widget, close } = await show(me);
  await widget.getByRole("button", { name: "Alle 5 Empfehlungen anzeigen" }).click();
  await unfold(widget);
  await widget.getByRole("button", { name: "Mehr" }).click();
  const all = await widget.locator("section.card").evaluate((card) => {
    const fields = [...card.querySelectorAll("input, textarea")].map((field) => field.value);
    return [card.innerText, ...fields].join(" ");
  });
  // A total and its label are two lines.
  for (const [path, words] of Object.entries(shown)) {
    if (words !== null) assert.ok(plain(all).includes(words), `${path}: ${words} in ${plain(all)}`);
  }
  const first = me.channels.filter((channel) => channel !== "native");
  const channels = await widget.locator("a[data-channel]").evaluateAll((links) => links.map((link) => link.dataset.channel));
  assert.deepEqual(channels, first, "channels, in the program's order");
  await close();
});

test("each status and each reason is one sentence with its date", async () => {
  const until = "2027-01-03T23:30:00Z";
  const cases = [
    [["pending", "hold", { until }], "Frei ab 4. Januar 2027, wenn die Rückgabefrist endet."],
    [["pending", "hold"], "Frei, sobald die Rückgabefrist endet."],
    [["pending", "awaiting_delivery", { until }], "Voraussichtlich frei ab 4. Januar 2027. Die Rückgabefrist beginnt mit der Lieferung."],
    [["pending", "checking"], "Die Wartezeit ist vorbei, gleich wird die Prämie frei."],
    [["pending", "refunded", { until }], "Frei ab 4. Januar 2027. Ein Teil der Bestellung ging zurück, deshalb ist die Prämie kleiner."],
    [["review", "velocity"], "Es kamen ungewöhnlich viele Empfehlungen zusammen. Der Shop prüft sie noch."],
    [["review", "many_orders_one_click"], "Auf einen Klick folgten mehrere Bestellungen. Der Shop prüft sie noch."],
    [["review", "claimed_by_hand"], "Die Empfehlung ist noch nicht bestätigt. Der Shop prüft sie noch."],
    [["approved"], "Bestätigt am 10. November."],
    [["approved", "refunded"], "Bestätigt am 10. November. Ein Teil der Bestellung ging zurück, deshalb ist die Prämie kleiner."],
    [["fulfilled"], "Gutgeschrieben am 10. November."],
    [["fulfilled", undefined, { until }], "Gutgeschrieben am 10. November, einlösbar bis zum 3. Januar 2027."],
    [["fulfilled", "refunded", { until }], "Gutgeschrieben am 10. November, einlösbar bis zum 3. Januar 2027. Ein Teil der Bestellung ging zurück, deshalb ist die Prämie kleiner."],
    [["fulfilled", undefined, { value: { kind: "percent_off", basis_points: 2000 } }], "Erhalten am 10. November."],
    [["reversed", "withdrawn"], "Die Bestellung wurde am 10. November widerrufen, deshalb gibt es dafür keine Prämie."],
    [["expired"], "Verfallen am 10. November."],
    [["refused", "existing_customer"], "Die Person hatte hier schon bestellt. Eine Prämie gibt es nur für neue Kundschaft."],
    [["refused", "a_reason_of_tomorrow"], "Dafür gibt es keine Prämie."],
    [["a_status_of_tomorrow"], ""],
  ];
  const { widget, close } = await show(withReferrals(...cases.map(([reward]) => reward)));
  const said = await sentences(widget);
  cases.forEach(([reward, sentence], index) => {
    assert.equal(said[index], plain(`Gekauft am 1. November. ${sentence}`), reward.join(" "));
  });
  const looks = await widget.locator("ol > li > div").evaluateAll((rows) => rows.map((row) => row.className));
  const by = (status) => looks[cases.findIndex(([[own]]) => own === status)];
  const statuses = ["pending", "review", "approved", "fulfilled", "reversed", "expired", "refused"];
  const shapes = statuses.map((status) => by(status).split(" ").at(-1));
  assert.equal(new Set(shapes).size, statuses.length, `a shape for each status: ${shapes}`);
  const worth = (await widget.locator("ol > li em").allTextContents()).map(plain);
  assert.deepEqual([worth[0], worth[8], worth[13], worth[14]], ["9,80 €", "9,80 €", "20 %", "–"]);
  await close();
});

const eur = (amount) => ({ amount, currency: "EUR" });

// Each kind of value as the headline, the sentence for the friend, and the one for the advocate say it.
const KINDS = [
  [{ kind: "percent_off", basis_points: 1250 }, "12,5 %", "spart 12,5 %.", "Du bekommst 12,5 % Rabatt auf deinen nächsten Einkauf"],
  [{ kind: "percent_off", basis_points: 2500, times: 3 }, "25 %", "spart 25 % auf die ersten 3 Zahlungen.", "Du bekommst 25 % Rabatt auf deine nächsten 3 Zahlungen"],
  [{ kind: "amount_off", ...eur(500) }, "5 €", "spart 5 €.", "Du sparst 5 € bei deinem nächsten Einkauf"],
  [{ kind: "credit", ...eur(1050) }, "10,50 €", "bekommt 10,50 € Guthaben.", "Du bekommst 10,50 € Guthaben"],
  [{ kind: "percent_of_order", basis_points: 2000 }, "20 %", "bekommt 20 % vom Bestellwert als Guthaben.", "Du bekommst 20 % vom Bestellwert als Guthaben"],
  [{ kind: "points", points: 1500 }, "1.500 Punkte", "bekommt 1.500 Punkte.", "Du bekommst 1.500 Punkte"],
  [{ kind: "storage_bytes", bytes: 500_000_000 }, "500 MB", "bekommt 500 MB mehr Speicher.", "Du bekommst 500 MB mehr Speicher"],
  [{ kind: "storage_bytes", bytes: 16_000_000_000 }, "16 GB", "bekommt 16 GB mehr Speicher.", "Du bekommst 16 GB mehr Speicher"],
  [{ kind: "storage_bytes", bytes: 500 * 1024 ** 2 }, "500 MB", "bekommt 500 MB mehr Speicher.", "Du bekommst 500 MB mehr Speicher"],
  [{ kind: "free_periods", periods: 1 }, "1 Monat gratis", "bekommt 1 Monat gratis.", "Du bekommst 1 Monat gratis"],
  [{ kind: "gift", label: "Teeset" }, "ein Geschenk", "bekommt ein Geschenk: Teeset.", "Du bekommst ein Geschenk (Teeset)"],
  [{ kind: "donation", ...eur(500), to: "Tafel" }, "5 € an Tafel", "löst eine Spende von 5 € an Tafel aus.", "Wir geben 5 € an Tafel als Spende"],
];

test("each kind of value is said in headline and sentences, for friend and advocate", async () => {
  for (const [value, short, friend, advocate] of KINDS) {
    const me = fixture("me");
    Object.assign(me.offer, { friend: value, advocate: value });
    const { widget, complaints, close } = await show(me);
    const gives = value.kind === "donation" ? [`Spende ${short}`, `spende ${short}`] : [`Gib ${short}`, `bekomm ${short}`];
    assert.equal(plain(await widget.getByRole("heading").innerText()), gives.join(", "));
    const lead = `Wer über deinen Link zum ersten Mal bestellt, ${friend} ${advocate}, sobald die Rückgabefrist vorbei ist.`;
    assert.equal(plain(await widget.locator(".lead").first().innerText()), lead);
    assert.deepEqual(complaints, []);
    await close();
  }
});

test("the headline says what is known of the offer", async () => {
  const cases = [
    [{ kind: "gift", label: "Teeset" }, { kind: "something_new" }, "Gib ein Geschenk weiter"],
    [{ kind: "points", points: 1 }, null, "Gib 1 Punkt weiter"],
    [null, { kind: "credit", amount: 1000, currency: "JPY" }, "Empfehlen und 1.000 ¥ bekommen"],
    [null, { kind: "donation", ...eur(500) }, "Empfehlen und 5 € spenden"],
    [null, { kind: "something_new" }, "Weitersagen lohnt sich"],
  ];
  for (const [friend, advocate, headline] of cases) {
    const me = fixture("me");
    Object.assign(me.offer, { friend, advocate });
    const { widget, complaints, close } = await show(me);
    assert.equal(plain(await widget.getByRole("heading").innerText()), headline);
    assert.deepEqual(complaints, []);
    await close();
  }
});

test("where signing up counts, nothing is bought and nothing returned", async () => {
  const me = withReferrals(["pending", "hold", { until: "2026-12-10T09:12:00Z" }]);
  Object.assign(me.offer, { trigger: "signup", when: "earned", hold_from: "order", minimum_order: null });
  me.referrals[0].kind = "signup";
  Object.assign(me, { as_friend: [], claims: [] });
  const { widget, words, close } = await show(me);
  await unfold(widget);
  const text = await words();
  for (const part of ["Wer sich über deinen Link anmeldet,", "sobald die Wartezeit vorbei ist.", "Anmeldungen 6", "21 Tage nach der Anmeldung", "bis zu 30 Tage nach dem Klick", "Angemeldet am 1. November. Frei ab 10. Dezember."]) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
  assert.doesNotMatch(text, /zum ersten Mal bestellt|Käufe|Rückgabefrist|Geht etwas zurück/);
  await close();
});

test("a friend's discount that is had later is none on the order that earns it", async () => {
  const me = fixture("me");
  Object.assign(me.offer, { friend: { kind: "amount_off", ...eur(1000) }, when: "earned" });
  const { words, close } = await show(me);
  assert.match(await words(), /zum ersten Mal bestellt, spart 10 € beim nächsten Einkauf\./);
  await close();
});

test("each kind of value stands in a row, in the sums and as what comes next", async () => {
  const cases = [
    [{ kind: "percent_off", basis_points: 2500, times: 3 }, "3 × 25 %", "6 × 25 %", "3-mal 25 % Rabatt", "Erhalten"],
    [{ kind: "amount_off", ...eur(1000) }, "10,00 €", "10,00 €", "10 € Rabatt", "Erhalten"],
    [{ kind: "credit", ...eur(998) }, "9,98 €", "9,98 €", "9,98 € Guthaben", "Gutgeschrieben"],
    [{ kind: "points", points: 1 }, "1 Punkt", "1 Punkt", "1 Punkt", "Gutgeschrieben"],
    [{ kind: "storage_bytes", bytes: 16_000_000_000 }, "16 GB", "16 GB", "16 GB mehr Speicher", "Erhalten"],
    [{ kind: "free_periods", periods: 2 }, "2 Monate gratis", "2 Monate gratis", "2 Monate gratis", "Erhalten"],
    [{ kind: "gift", label: "Teeset" }, "Teeset", "2 × Teeset", "Teeset", "Erhalten"],
    [{ kind: "donation", ...eur(500), to: "Tafel" }, "5,00 €", "5,00 € gespendet", "eine Spende von 5 € an Tafel", "Gespendet"],
  ];
  const me = withReferrals(...cases.map(([value]) => ["fulfilled", undefined, { value }]));
  me.totals.earned = cases.map(([value]) => ({ ...value, count: 2 }));
  Object.assign(me, { as_friend: [], claims: [] });
  const { widget, close } = await show(me);
  const worth = (await widget.locator("ol > li em").allTextContents()).map(plain);
  assert.deepEqual(worth, cases.map(([, row]) => row));
  const sums = (await widget.locator(".sum div:last-child .number").allTextContents()).map(plain);
  assert.deepEqual(sums, cases.map(([, , sum]) => sum));
  const said = await sentences(widget);
  cases.forEach(([{ kind }, , , , done], index) => assert.ok(said[index].includes(`${done} am 10. November.`), `${kind}: ${said[index]}`));
  assert.match(said.at(-1), /Tafel bekommt die Spende\.$/);
  await close();
  for (const [value, , , prize] of cases) {
    const me = withReferrals(["approved"]);
    me.next = { kind: "milestone", at: 5, done: 4, value };
    const { widget, close } = await show(me);
    assert.equal(plain(await widget.locator(".next p").first().innerText()), `Noch 1 Empfehlung, dann gibt es: ${prize}`);
    await close();
  }
});

test("progress goes to a milestone or to a tier, and says when it is reached", async () => {
  const cases = [
    [{ kind: "milestone", at: 5, done: 3 }, "Noch 2 Empfehlungen, dann gibt es: Teeset", "3 von 5"],
    [{ kind: "milestone", at: 5, done: 5 }, "Geschafft! Dafür gibt es: Teeset", "5 von 5"],
    [{ kind: "tier", at: 10, done: 3 }, "Ab der 10. Empfehlung gibt es für jede: Teeset", "3 von 10"],
  ];
  for (const [next, sentence, of] of cases) {
    const me = fixture("me");
    me.next = { ...next, value: { kind: "gift", label: "Teeset" } };
    const { widget, close } = await show(me);
    assert.deepEqual((await widget.locator(".next p").allTextContents()).map(plain), [sentence, of]);
    const bar = widget.getByRole("progressbar", { name: of });
    assert.deepEqual([await bar.getAttribute("value"), await bar.getAttribute("max")], [String(next.done), String(next.at)]);
    await close();
  }
});

test("the year is summed up where there is a ceiling or something was earned", async () => {
  const cases = [
    [4820, 25599, "2026 verdient: 48,20 € von 255,99 €"],
    [0, 25599, "2026 verdient: 0 € von 255,99 €"],
    [4820, null, "2026 verdient: 48,20 €"],
    [0, null, null],
  ];
  for (const [amount, ceiling, sentence] of cases) {
    const me = fixture("me");
    delete me.alias_reserved;
    Object.assign(me.totals.year, { amount, ceiling });
    const { widget, close } = await show(me);
    assert.deepEqual((await widget.locator(".line").allTextContents()).map(plain), sentence ? [sentence] : []);
    await close();
  }
});

test("a referral that moved on from a sign-up without a reward says so in its sentence", async () => {
  const me = fixture("me");
  me.referrals[1].before.reward = null;
  delete me.referrals[1].bonus;
  const { widget, close } = await show(me);
  assert.equal((await sentences(widget))[1], "Angemeldet am 11. Oktober. Gekauft am 20. Oktober. Bestätigt am 12. November.");
  assert.equal(await widget.getByText("Anmeldung", { exact: true }).count(), 0);
  await close();
});

test("what a customer earns as a friend is told to them, not about them", async () => {
  const cases = [
    ["existing_customer", "Du hattest hier schon bestellt. Den Vorteil gibt es nur für neue Kundschaft."],
    ["friend_already_referred", "Du warst schon vorher geworben, deshalb gibt es keinen Vorteil."],
    ["below_minimum", "Gekauft am 1. November. Die Bestellung lag unter dem Mindestbestellwert, deshalb gibt es dafür keine Prämie."],
  ];
  const me = fixture("me");
  const [own] = me.as_friend;
  me.as_friend = cases.map(([reason]) => ({ ...own, reward: { ...own.reward, coupon: undefined, until: undefined, status: "refused", reason } }));
  const { widget, close } = await show(me);
  await unfold(widget);
  await widget.getByText("Vorteile zum Einstieg").waitFor();
  assert.deepEqual((await widget.locator("#as_friend li p").allTextContents()).map(plain), cases.map(([, sentence]) => sentence));
  await close();
});

test("codes are copied by a button of their own, which is no sharing", async () => {
  const me = fixture("me");
  delete me.alias_reserved;
  me.alias = "TEE4K7";
  const { page, widget, heard, close } = await show(me);
  await unfold(widget);
  const alias = widget.getByRole("textbox", { name: "Dein Kurzcode – am Telefon, an der Kasse" });
  assert.equal(await alias.inputValue(), "TEE4K7");
  assert.equal(await widget.getByRole("textbox", { name: "Dein Gutscheincode" }).inputValue(), "TEE-7K3-9QX");
  for (const code of ["TEE4K7", "TEE-7K3-9QX"]) {
    await widget.getByRole("button", { name: `Kopieren ${code}` }).click();
    await widget.getByRole("button", { name: `Kopiert ${code}` }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
  }
  assert.equal(await widget.getByRole("button", { name: "Kopiert" }).count(), 1, "one says so at a time");
  await widget.getByRole("button", { name: "Kopieren TEE-7K3-9QX" }).waitFor();
  assert.deepEqual(await heard("copy"), []);
  assert.equal(on.host.asked.filter(({ path }) => path === "/v1/me/shares").length, 0);
  await close();
});

test("where the clipboard is refused, the old way copies a code too", async () => {
  const me = fixture("me");
  me.alias = "TEE4K7";
  const before = () => Object.defineProperty(navigator, "clipboard", { value: undefined });
  const { context, widget, close } = await show(me, { before });
  await widget.getByRole("button", { name: "Kopieren TEE4K7" }).click();
  await widget.getByRole("status").filter({ hasText: "Kopiert" }).waitFor();
  const other = await context.newPage();
  await other.setContent("<textarea></textarea>");
  await other.locator("textarea").press("Control+V");
  assert.equal(await other.locator("textarea").inputValue(), "TEE4K7");
  await close();
});

test("who has no referral yet sees zeros, a kind word, and how it works", async () => {
  const me = fixture("me");
  Object.assign(me, { referrals: [], as_friend: [], claims: [], next: null, more: null });
  me.totals = { clicks: 0, clicks_today: 0, signups: 0, purchases: 0, pending: 0, approved: 0, earned: [], year: { year: 2026, amount: 0, currency: "EUR", ceiling: null } };
  const { widget, words, close } = await show(me);
  const text = await words();
  for (const part of ["Klicks 0", "Käufe 0", "verdient 0 €", "Noch keine Empfehlung."]) assert.ok(text.includes(part), text);
  assert.equal(await widget.locator("#how").getAttribute("open"), "");
  await close();
});

test("one click is a click, and one purchase a purchase", async () => {
  const me = fixture("me");
  Object.assign(me.totals, { clicks: 1, clicks_today: 1, purchases: 1, signups: 1 });
  const { words, close } = await show(me);
  assert.match(await words(), /Klick 1 1 heute Kauf 1 1 Anmeldung /);
  await close();
});

test("German du, German Sie and English each speak for themselves", async () => {
  const cases = [
    [{ lang: "de" }, "de-du", "Gib 10 %, bekomm 20 %", "9,80 €"],
    [{ lang: "de-AT", attributes: "address=sie" }, "de-sie", "Schenken Sie 10 %, erhalten Sie 20 %", "€ 9,80"],
    [{ lang: "en-GB" }, "en", "Give 10%, get 20%", "€9.80"],
    [{ lang: "de", attributes: "lang=en" }, "en", "Give 10%, get 20%", "€9.80"],
    [{ lang: "sw" }, "de-du", "Gib 10 %, bekomm 20 %", "9,80 €"],
  ];
  for (const [options, file, headline, money] of cases) {
    const files = [];
    const { page, widget, complaints, close } = await show(fixture("me"), {
      ...options,
      prepare: (page) => page.on("request", (request) => files.push(request.url().split("/").at(-1))),
    });
    assert.equal(plain(await widget.getByRole("heading").innerText()), headline);
    assert.equal(plain(await widget.locator("em").first().innerText()), money);
    assert.ok(await widget.getByRole("button", { name: language(file).copy, exact: true }).isVisible());
    assert.deepEqual(files.filter((name) => name.endsWith(".json")), [`${file}.json`], "one language is loaded");
    assert.deepEqual(complaints, []);
    assert.equal(await page.locator("html").getAttribute("lang"), options.lang);
    await close();
  }
});

test("light by default, dark when told, and after the page's own scheme when auto", async () => {
  const cases = [
    ["", "", "dark", "light"],
    ["theme=dark", "", "light", "dark"],
    ["theme=auto", "", "dark", "light"],
    ["theme=auto", "dark", "light", "dark"],
    ["theme=auto", "light dark", "dark", "dark"],
    ["theme=auto", "light dark", "light", "light"],
  ];
  for (const [attributes, scheme, preferred, look] of cases) {
    const head = scheme && `<style>:root{color-scheme:${scheme}}</style>`;
    const { widget, close } = await show(fixture("me"), { attributes, head, context: { colorScheme: preferred } });
    const card = await widget.locator("section.card").evaluate((card) => getComputedStyle(card).backgroundColor);
    assert.equal(card, look === "light" ? "rgb(255, 255, 255)" : "rgb(21, 29, 30)", `${attributes}, ${scheme}, ${preferred}`);
    await close();
  }
});

test("a shop's own colours and shape are taken by custom property", async () => {
  const head = "<style>pass-along{--passalong-accent:rgb(120, 0, 90);--passalong-radius:4px}</style>";
  const { widget, close } = await show(fixture("me"), { head });
  const look = (selector, name) => widget.locator(selector).first().evaluate((element, name) => getComputedStyle(element)[name], name);
  assert.equal(await look(".first", "backgroundColor"), "rgb(120, 0, 90)");
  assert.equal(await look("section.card", "borderTopLeftRadius"), "4px");
  await close();
});

test("the page's own styles do not reach in", async () => {
  const head = "<style>*{font-size:40px!important;color:red}body{line-height:3;text-transform:uppercase;letter-spacing:1em}</style>";
  const { widget, close } = await show(fixture("me"), { head });
  const lead = await widget.locator(".lead").first().evaluate((element) => {
    const { fontSize, textTransform, letterSpacing } = getComputedStyle(element);
    return { fontSize, textTransform, letterSpacing };
  });
  assert.deepEqual(lead, { fontSize: "15px", textTransform: "none", letterSpacing: "normal" });
  await close();
});

test("copying copies the whole link, says so, and tells the page and the API", async () => {
  const { page, widget, heard, close } = await show();
  await widget.getByRole("button", { name: "Kopieren" }).click();
  await widget.getByRole("status").filter({ hasText: "Kopiert" }).waitFor();
  assert.ok(await widget.getByRole("button", { name: "Kopiert" }).isVisible());
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), fixture("me").link);
  assert.equal((await heard("copy")).length, 1);
  await widget.getByRole("button", { name: "Kopieren" }).waitFor();
  const shares = await until(() => {
    const heard = on.host.asked.filter(({ path }) => path === "/v1/me/shares");
    return heard.length > 0 && heard;
  });
  assert.deepEqual(shares.map(({ body, token }) => [JSON.parse(body).channel, token]), [["copy", TOKEN]]);
  await close();
});

test("where the clipboard is refused, the old way copies the whole link too", async () => {
  const before = () => Object.defineProperty(navigator, "clipboard", { value: undefined });
  const { page, context, widget, close } = await show(fixture("me"), { before });
  await widget.getByRole("button", { name: "Kopieren" }).click();
  await widget.getByRole("status").filter({ hasText: "Kopiert" }).waitFor();
  const other = await context.newPage();
  await other.setContent("<textarea></textarea>");
  await other.locator("textarea").press("Control+V");
  assert.equal(await other.locator("textarea").inputValue(), fixture("me").link);
  await page.close();
  await close();
});

test("share buttons are real links that carry channel, link and message", async () => {
  const { widget, close } = await show();
  await widget.getByRole("button", { name: "Mehr" }).click();
  const links = await widget.locator("a[data-channel]").evaluateAll((all) =>
    all.map((link) => ({ channel: link.dataset.channel, href: link.href, target: link.target, rel: link.rel })),
  );
  const { link } = fixture("me");
  const starts = {
    whatsapp: "https://wa.me/?text=",
    email: "mailto:?subject=",
    sms: "sms:?&body=",
    telegram: "https://t.me/share/url?url=",
    x: "https://x.com/intent/post?text=",
    facebook: "https://www.facebook.com/sharer/sharer.php?u=",
    linkedin: "https://www.linkedin.com/sharing/share-offsite/?url=",
    xing: "https://www.xing.com/spi/shares/new?url=",
  };
  assert.deepEqual(links.map(({ channel }) => channel), Object.keys(starts));
  for (const { channel, href, target, rel } of links) {
    assert.ok(href.startsWith(starts[channel]), href);
    assert.ok(decodeURIComponent(href).includes(`${link}/${channel}`), href);
    const web = href.startsWith("https:");
    assert.deepEqual([target, rel], web ? ["_blank", "noopener"] : ["", ""], channel);
  }
  const message = widget.getByRole("textbox", { name: "Deine Nachricht zum Link" });
  assert.match(plain(await message.inputValue()), /^Eine Empfehlung von mir: Teehaus Nord\. Über diesen Link gibt es 10 % Rabatt:$/);
  await message.fill("Probier mal & sag mir, wie's war");
  const whatsapp = await widget.locator("a[data-channel=whatsapp]").getAttribute("href");
  assert.equal(new URL(whatsapp).searchParams.get("text"), `Probier mal & sag mir, wie's war ${link}/whatsapp`);
  await close();
});

test("a tap on a channel is told at once to page and API", async () => {
  const { page, context, widget, heard, close } = await show();
  await context.route("https://wa.me/**", (route) => route.fulfill({ body: "ok" }));
  const [popup] = await Promise.all([page.waitForEvent("popup"), widget.getByRole("link", { name: "Per WhatsApp teilen" }).click()]);
  assert.match(popup.url(), /^https:\/\/wa\.me\//);
  assert.deepEqual((await heard("share")).map(({ detail, bubbles, composed }) => [detail.channel, bubbles, composed]), [["whatsapp", true, true]]);
  const shares = await until(() => {
    const heard = on.host.asked.filter(({ path }) => path === "/v1/me/shares");
    return heard.length > 0 && heard;
  });
  assert.deepEqual(shares.map(({ body, token }) => [body, token]), [['{"channel":"whatsapp"}', TOKEN]]);
  await close();
});

test("the device's own sheet stands second where there is one, and a closed sheet is no share", async () => {
  const before = () => {
    window.sheets = [];
    navigator.share = (data) => {
      window.sheets.push(data);
      return window.sheets.length === 1 ? Promise.reject(new DOMException("closed", "AbortError")) : Promise.resolve();
    };
  };
  const { page, widget, heard, complaints, close } = await show(fixture("me"), { before });
  const names = await widget.getByRole("group", { name: "Link teilen" }).locator(".btn").allInnerTexts();
  assert.deepEqual(names.map(plain), ["Per WhatsApp teilen", "Teilen …", "E-Mail", "Mehr …"]);
  await widget.getByRole("button", { name: "Teilen" }).click();
  await widget.getByRole("button", { name: "Teilen" }).click();
  await page.waitForFunction(() => window.heard.some(({ name }) => name === "share"));
  assert.deepEqual((await heard("share")).map(({ detail }) => detail.channel), ["native"]);
  const [sheet] = await page.evaluate(() => window.sheets);
  assert.equal(sheet.url, `${fixture("me").link}/native`);
  assert.deepEqual(complaints, []);
  await close();
});

test("the keyboard reaches everything in reading order, and the focus is never lost", async () => {
  const me = fixture("me");
  me.next = null;
  const { page, widget, close } = await show(me);
  const focused = () =>
    page.evaluate(() => {
      const active = document.activeElement.shadowRoot?.activeElement;
      return active ? (active.getAttribute("aria-label") ?? active.innerText).replace(/\s+/g, " ") : null;
    });
  const order = [];
  for (let step = 0; step < 12; step += 1) {
    await page.keyboard.press("Tab");
    order.push(await focused());
  }
  assert.deepEqual(order, [
    "Dein Empfehlungslink",
    ...["Kopieren", "Per WhatsApp teilen", "E-Mail", "SMS", "Mehr …"],
    ...["Alle 5 Empfehlungen anzeigen", "Vorteile zum Einstieg", "Nachgemeldet"],
    ...["So funktioniert es", "Bedingungen", "Empfehlung fehlt?"],
  ]);
  for (let step = 0; step < 5; step += 1) await page.keyboard.press("Shift+Tab");
  const hidden = await widget.locator("ol > li[hidden]").count();
  assert.ok(hidden > 0);
  await page.keyboard.press("Enter");
  assert.equal(await widget.locator("ol > li[hidden]").count(), 0);
  assert.match(await focused(), new RegExp(`^Empfehlung ${hidden} `), "on goes where the list goes on");
  await widget.getByRole("button", { name: "Mehr" }).focus();
  await page.keyboard.press("Enter");
  assert.equal(await widget.getByRole("button", { name: "Mehr" }).getAttribute("aria-expanded"), "true");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Telegram");
  await close();
});

test("roles and names say what everything is", async () => {
  const { widget, close } = await show();
  await widget.getByRole("region", { name: "Gib 10 %, bekomm 20 %" }).waitFor();
  await widget.getByRole("textbox", { name: "Dein Empfehlungslink" }).waitFor();
  await widget.getByRole("group", { name: "Link teilen" }).waitFor();
  await widget.getByRole("list", { name: "Deine Empfehlungen" }).waitFor();
  const progress = widget.getByRole("progressbar", { name: "3 von 5" });
  assert.deepEqual([await progress.getAttribute("value"), await progress.getAttribute("max")], ["3", "5"]);
  assert.equal(await widget.getByRole("status").count(), 1);
  await close();
});

test("everything one taps is at least 44 pixels high and stays inside, from 280 to 700 pixels", async () => {
  for (const width of [280, 320, 360, 480, 700]) {
    const { page, widget, close } = await show(fixture("me"), { width, head: "<style>body{margin:0}</style>" });
    await widget.getByRole("button", { name: "Mehr" }).click();
    await unfold(widget);
    await widget.locator("form input").first().waitFor();
    const small = await widget.locator("a, button, summary, textarea, .url, .code label, form input").evaluateAll((all) =>
      all.filter((one) => one.checkVisibility() && (one.offsetHeight < 44 || one.offsetWidth < 44)).map((one) => one.textContent),
    );
    assert.deepEqual(small, [], `at ${width}`);
    const wide = await page.evaluate(() => {
      const { shadowRoot } = document.querySelector("pass-along");
      const card = shadowRoot.querySelector(".card").getBoundingClientRect();
      return [...shadowRoot.querySelectorAll(".card *")].filter((one) => one.getBoundingClientRect().right > card.right).map((one) => one.outerHTML);
    });
    assert.deepEqual(wide, [], `at ${width}`);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
    await close();
  }
});

test("text and marks stand out from their ground, light and dark", async () => {
  for (const theme of ["light", "dark"]) {
    const rewards = ["pending", "review", "approved", "fulfilled", "reversed", "refused", "expired"].map((status) => [status]);
    const { widget, close } = await show(withReferrals(...rewards), { attributes: `theme=${theme}` });
    const contrasts = await widget.locator(".card").evaluate((card) => {
      const light = (color) => {
        const channels = color.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = channels.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const color = getComputedStyle(at).backgroundColor;
          if (!/, 0\)$/.test(color)) return color;
        }
        return "rgb(255, 255, 255)";
      };
      const ratio = (a, b) => {
        const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
        return (high + 0.05) / (low + 0.05);
      };
      const texts = [...card.querySelectorAll("h2, p, a, button, dt, dd, b, em, summary, label, input")].map((one) => [one.className || one.tagName, ratio(getComputedStyle(one).color, ground(one)), 4.5]);
      const marks = [...card.querySelectorAll(".mark")].map((one) => [one.parentElement.className, ratio(getComputedStyle(one).borderTopColor, ground(card)), 3]);
      return [...texts, ...marks];
    });
    assert.ok(contrasts.length > 30);
    assert.deepEqual(contrasts.filter(([, has, needs]) => has < needs), [], theme);
    await close();
  }
});

test("a visitor sees the offer, how to join, and shares the page itself", async () => {
  answering({ ...fixture("offer"), reason: null }, "/v1/offer");
  const tag = '<pass-along program="teehaus" join-url="/konto/anmelden"></pass-along>';
  const { page, widget, heard, complaints, close } = await open(on, { tag, query: "?farbe=blau" });
  const text = plain(await widget.locator("section.card").innerText());
  for (const part of ["Gib 10 %, bekomm 20 %", "So machst du mit", "Dort findest du deinen persönlichen Link.", "Diese Seite weitersagen"]) {
    assert.ok(text.includes(part), text);
  }
  assert.equal(await widget.getByRole("link", { name: "Zum Kundenkonto" }).getAttribute("href"), "/konto/anmelden");
  await widget.getByRole("button", { name: "Kopieren" }).click();
  await widget.getByRole("status").filter({ hasText: "Kopiert" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${on.shop.url}/konto?farbe=blau`);
  assert.equal((await heard("copy")).length, 1);
  assert.deepEqual(on.host.asked.map(({ path, query, token }) => [path, query, token]), [["/v1/offer", { program: "teehaus" }, null]]);
  assert.deepEqual(complaints, []);
  await close();
});

test("a friend who came by a referral is greeted with the offer, and shares no click token", async () => {
  answering({ ...fixture("offer"), reason: null, referred: true, from: "Anna", minimum_order: 3000 }, "/v1/offer");
  const { page, widget, close } = await open(on, { tag: '<pass-along program="teehaus"></pass-along>', query: "?pa=abc&utm_source=wa" });
  assert.deepEqual(on.host.asked[0].query, { program: "teehaus", pa: "abc" });
  const text = plain(await widget.locator("section.card").innerText());
  for (const part of ["10 % Rabatt für dich, von Anna", "Jemand hat dir Teehaus Nord empfohlen.", "Mindestbestellwert: 30 €."]) assert.ok(text.includes(part), text);
  assert.equal(await widget.getByRole("textbox", { name: "Dein Code für die Kasse" }).inputValue(), "FREUND10");
  assert.equal(await widget.getByRole("link", { name: "Im Shop einlösen" }).getAttribute("href"), fixture("offer").coupon_link);
  assert.equal(await widget.locator(".first").count(), 1, "one primary action");
  await widget.getByRole("button", { name: "Kopieren FREUND10" }).click();
  await widget.getByRole("button", { name: "Kopiert FREUND10" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "FREUND10");
  await widget.getByRole("button", { name: "Kopieren", exact: true }).click();
  await widget.getByRole("button", { name: "Kopiert", exact: true }).waitFor();
  await widget.getByRole("status").filter({ hasText: "Kopiert" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${on.shop.url}/konto?utm_source=wa`);
  await close();
});

test("a friend is told what awaits them, whatever its kind, and when", async () => {
  const signup = { trigger: "signup", when: "earned" };
  const cases = [
    [{ friend: { kind: "gift", label: "Teeset" } }, "Für dich: Teeset", "Deinen Vorteil bekommst du mit deiner Bestellung."],
    [{ friend: { kind: "percent_off", basis_points: 2500, times: 3 } }, "25 % Rabatt für dich", "Dein Vorteil gilt für die ersten 3 Zahlungen."],
    [{ friend: { kind: "donation", ...eur(500), to: "Tafel" } }, "Wir spenden 5 € an Tafel", "Die Spende folgt auf deine Bestellung."],
    [{ friend: { kind: "storage_bytes", bytes: 500_000_000 }, ...signup }, "500 MB mehr Speicher für dich", "Deinen Vorteil bekommst du nach deiner Anmeldung."],
    [{ friend: { kind: "amount_off", ...eur(1000) }, when: "earned" }, "10 € Rabatt für dich", "sobald die Rückgabefrist deiner Bestellung vorbei ist."],
    [{ friend: null }, "Willkommen bei Teehaus Nord", "Jemand hat dir Teehaus Nord empfohlen."],
  ];
  for (const [offer, heading, sentence] of cases) {
    answering({ ...fixture("offer"), reason: null, referred: true, coupon: null, coupon_link: null, ...offer }, "/v1/offer");
    const { widget, close } = await open(on, { tag: '<pass-along program="teehaus"></pass-along>', query: "?pa=abc" });
    assert.equal(plain(await widget.getByRole("heading").innerText()), heading);
    const lead = plain(await widget.locator(".lead").first().innerText());
    assert.ok(lead.endsWith(sentence), `${heading}: ${lead}`);
    assert.equal(await widget.locator(".code, .join").count(), 0);
    await close();
  }
});

test("a referral link that proves nothing is said to be so", async () => {
  for (const [reason, sentence] of [["outside_window", "ist abgelaufen"], ["invalid_token", "gilt hier nicht"], ["no_referral", null]]) {
    answering({ ...fixture("offer"), reason }, "/v1/offer");
    const { widget, close } = await open(on, { tag: '<pass-along program="teehaus"></pass-along>', query: "?pa=abc" });
    const notice = widget.locator(".notice");
    if (sentence) assert.match(await notice.innerText(), new RegExp(sentence), reason);
    else assert.equal(await notice.count(), 0, reason);
    await close();
  }
});
