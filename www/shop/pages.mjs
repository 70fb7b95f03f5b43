// The pages a visitor walks through: shop window, tea, landing page of a referral, account. The frame
// around every page is here too. Checkout and merchant's view have files of their own.
import { SHIPPING, TEAS, findTea } from "./catalog.mjs";
import { html } from "./html.mjs";
import { benefit, date, money, reason } from "./words.mjs";

/** A cacheable page holds nothing about the visitor. */
const CACHEABLE = "public, max-age=60";

/** The three customers of the demo. */
export const CUSTOMERS = [
  { id: "10023", name: "Anna Petersen", email: "anna.petersen@example.org", street: "Am Siel 4", city: "26506 Norden" },
  { id: "20871", name: "Ben Lüders", email: "ben.lueders@example.org", street: "Kaistraße 19", city: "24103 Kiel" },
  { id: "30412", name: "Clara Jansen", email: "clara.jansen@example.org", street: "Lindenhof 7", city: "28199 Bremen" },
];

export const customerOf = (session) => CUSTOMERS.find((customer) => customer.id === session?.customerId) ?? null;

export const redirect = (location) => ({ status: 303, location });

/** The address with the referral kept, for redirects alone: a page never holds it. */
export function keep(visit, path, query = {}) {
  const search = new URLSearchParams({ ...query, ...(visit.pa && { pa: visit.pa }) }).toString();
  return search ? `${path}?${search}` : path;
}

export function page(title, body, { scripts = [], ...answer } = {}) {
  return {
    ...answer,
    body: html`<!doctype html>
<html lang="de">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} – Teehaus Nord</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/shop.css">
<script type="module" src="/pa.mjs"></script>
${scripts.map((src) => html`<script async src="${src}"></script>\n`)}</head>
<body>
<a class="skip" href="#inhalt">Zum Inhalt</a>
<header class="top">
<a class="brand" href="/"><img src="/favicon.svg" alt="" width="32" height="32"> Teehaus Nord</a>
<nav aria-label="Laden"><a href="/#tee">Tee</a><a href="/konto">Konto</a><a href="/haendler">Händler</a></nav>
</header>
<main id="inhalt">
${body}
</main>
<footer>
<p>Alle Preise inkl. MwSt., zzgl. Versand ${money(SHIPPING.price)}, ab ${money(SHIPPING.freeFrom)} versandfrei.</p>
<p>Teehaus Nord gibt es nicht: Dieser Laden führt Passalong vor und verkauft nichts.</p>
</footer>
</body>
</html>
`,
  };
}

export const missingPage = () =>
  page("Nicht gefunden", html`<section class="narrow"><h1>Hier steht kein Tee.</h1>
<p>Diese Seite gibt es nicht. <a href="/">Zurück in den Laden</a></p></section>`, { status: 404 });

const per100g = ({ price, grams }) => `${money(Math.round((price * 100) / grams))} / 100 g`;

const teaCard = (tea, button) => html`<li class="tea">
<a href="/tee/${tea.sku}"><img src="/bilder/${tea.sku}.svg" alt="" width="240" height="240">
<strong>${tea.name}</strong></a>
<p>${tea.taste}</p>
<p class="price"><b>${money(tea.price)}</b> <span>${tea.grams} g · ${per100g(tea)}</span></p>${button?.(tea)}
</li>`;

const shelf = (button) => html`<ul class="shelf">${TEAS.map((tea) => teaCard(tea, button))}</ul>`;

export const homePage = () =>
  page(
    "Tee von der Küste",
    html`<section class="hero">
<div><h1>Guter Tee braucht Zeit, Wasser und Wind.</h1>
<p class="lead">Wir sind ein kleines Teehaus hinter dem Deich. Sechs Sorten, frisch abgefüllt, am selben Tag verschickt.</p></div>
<img src="/bilder/hero.svg" alt="Eine Tasse Tee vor dem Meer, am Horizont ein Leuchtturm" width="560" height="420">
</section>
<section id="tee"><h2>Unser Tee</h2>${shelf()}</section>`,
    { cache: CACHEABLE },
  );

export function productPage({ params }) {
  const tea = findTea(params.sku);
  if (!tea) return missingPage();
  return page(
    tea.name,
    html`<article class="product">
<img src="/bilder/${tea.sku}.svg" alt="Dose ${tea.name}" width="480" height="480">
<div><p class="eyebrow">${tea.kind}</p><h1>${tea.name}</h1>
<p class="lead">${tea.taste}</p><p>${tea.text}</p>
<p class="price"><b>${money(tea.price)}</b> <span>${tea.grams} g · ${per100g(tea)} · inkl. MwSt., zzgl. Versand</span></p>
<form method="post" class="buy">
<input type="hidden" name="pa">
<label>Menge <select name="menge">${[1, 2, 3, 4, 5, 6].map((count) => html`<option>${count}</option>`)}</select></label>
<button class="primary">Zur Kasse</button>
</form>
<dl class="facts"><dt>Zubereitung</dt><dd>${tea.brewing}</dd><dt>Lieferzeit</dt><dd>2–3 Werktage</dd></dl>
</div></article>`,
    { cache: CACHEABLE },
  );
}

/** The button of a tea. A redirect, so that the checkout has an address of its own. */
export const orderTea = (visit) =>
  redirect(keep(visit, "/kasse", { sku: visit.params.sku ?? visit.form.sku, menge: visit.form.menge ?? "1" }));

// ---- Landing page of a referral ------------------------------------------------------------------------

/** Where referral links lead. It greets with what the API says the friend gets; if that is silent, without. */
export async function landingPage({ shop, pa }) {
  const offer = await shop.passalong.offer(pa).catch(() => null);
  return page(
    "Willkommen",
    html`<section class="hero"><div><p class="eyebrow">Willkommen im Teehaus Nord</p>${greeting(offer, pa)}</div>
<img src="/bilder/hero.svg" alt="" width="560" height="420"></section>
<section id="tee"><h2>Womit fängst du an?</h2>${shelf(orderButton)}</section>`,
  );
}

// A form without an action posts to the address with the referral in it, so it works without any script.
const orderButton = (tea) => html`<form method="post"><input type="hidden" name="pa"><button name="sku" value="${tea.sku}" aria-label="${tea.name} bestellen">Bestellen</button></form>`;

function greeting(offer, pa) {
  if (offer?.referred && offer.friend) {
    const who = offer.from ?? "Jemand, der dich kennt,";
    return html`<h1>${benefit(offer.friend)} für dich</h1>
<p class="lead">${who} hat uns weiterempfohlen. Deshalb bekommst du <strong>${benefit(offer.friend)}</strong> auf deine erste
Bestellung${minimum(offer)}. An der Kasse ist schon alles eingetragen.</p>
<p class="soft">${offer.advocate && html`Auch wer dich empfohlen hat, bekommt etwas: ${benefit(offer.advocate)}.`}</p>
<p><a class="button primary" href="#tee">Tee aussuchen</a></p>`;
  }
  const why = pa && offer?.reason ? html`<p class="note">Der Empfehlungslink gilt gerade nicht: ${reason(offer.reason)}.</p>` : null;
  return html`<h1>Schön, dass du da bist.</h1>
<p class="lead">Sechs Sorten Tee, frisch abgefüllt und am selben Tag verschickt.</p>${why}
<p><a class="button primary" href="#tee">Tee aussuchen</a></p>`;
}

const minimum = (offer) => (offer.minimum_order ? ` ab ${money(offer.minimum_order, offer.program.currency)} Bestellwert` : "");

// ---- Account -------------------------------------------------------------------------------------------

export function accountPage({ shop, session }) {
  const customer = customerOf(session);
  if (!customer) {
    return page("Anmelden", html`<section class="narrow"><h1>Wer bist du heute?</h1>
<p class="lead">In diesem Vorführladen gibt es drei Kundenkonten und kein Passwort.</p>${logInForms()}</section>`);
  }
  const orders = shop.orders.of(customer.id);
  return page(
    "Konto",
    html`<h1>Moin, ${customer.name.split(" ")[0]}</h1>
<div class="account">
<section aria-labelledby="empfehlen"><h2 id="empfehlen">Weitersagen</h2>
<pass-along program="${shop.program}" token-url="/account/passalong-token" theme="auto">
<p class="soft">Hier steht dein Empfehlungslink, sobald er geladen ist. Dazu braucht es JavaScript.</p>
</pass-along>
</section>
<div>
<section><h2>Deine Bestellungen</h2>
${orders.length === 0 ? html`<p class="soft">Noch keine. <a href="/#tee">Such dir einen Tee aus.</a></p>` : html`<ul class="list">${orders.map((order) => html`<li><span>${order.id}<br><small>${date(order.placedAt)}</small></span> <b>${money(order.total)}</b></li>`)}</ul>`}
</section>
<section><h2>Deine Daten</h2>
<p>${customer.name}<br>${customer.street}<br>${customer.city}</p><p class="soft">${customer.email} · Kundennummer ${customer.id}</p>
</section>
<section><h2>Konto wechseln</h2>${logInForms(customer)}
<form method="post" action="/konto/abmelden"><button class="quiet">Abmelden</button></form></section>
</div></div>`,
    { scripts: [`${shop.passalongUrl}/pass-along.js`] },
  );
}

const logInForms = (current) =>
  html`<form method="post" action="/konto/anmelden" class="people"><input type="hidden" name="pa">
${CUSTOMERS.map(({ id, name }) => html`<button name="kunde" value="${id}"${id === current?.id && html` aria-current="true"`}>${name} <small>${id}</small></button>`)}</form>`;

export function logIn(visit) {
  const customer = CUSTOMERS.find(({ id }) => id === visit.form.kunde);
  if (customer) visit.openSession().customerId = customer.id;
  return redirect(keep(visit, "/konto"));
}

export function logOut({ session }) {
  if (session) session.customerId = null;
  return redirect("/konto");
}

/** What the widget's `token-url` asks for: who is logged in, proved by the shop's signature. */
export async function identityToken({ shop, session }) {
  const customer = customerOf(session);
  const json = { type: "application/json" };
  if (!customer) return { ...json, status: 401, body: JSON.stringify({ token: null }) };
  const now = await shop.clock.now();
  const token = shop.passalong.identityToken({ customerId: customer.id, email: customer.email, now });
  return { ...json, body: JSON.stringify({ token }) };
}
