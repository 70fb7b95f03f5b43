// The merchant's view: orders with what Passalong made of them, and the buttons that in a real shop nobody
// presses, because the warehouse, the bookkeeping and the calendar do: delivered, refunded, withdrawn, time.
import { html } from "./html.mjs";
import { page, redirect } from "./pages.mjs";
import { STATUS, benefit, dateAndTime, date, money, parseMoney, reason } from "./words.mjs";

/** How many orders the page shows; each is one request to the API. */
const SHOWN = 20;

/** Where the API has no answer, the shop's own data is shown all the same. */
export async function merchantPage({ shop, session }) {
  const orders = shop.orders.newest(SHOWN);
  const [time, program, due, ...conversions] = await Promise.all([
    shop.clock.read(),
    shop.passalong.terms().catch(() => null),
    orders.length > 0 ? shop.passalong.due(shop.orders.oldest().placedAt).catch(() => []) : [],
    ...orders.map(({ id }) => shop.passalong.call("GET", `/v1/conversions/${id}`, null, { tries: 1 }).catch(() => null)),
  ]);
  const notice = session?.notice;
  if (session) session.notice = null;
  return page(
    "Händler",
    html`<h1>Händleransicht</h1>
<p class="lead">Was hier Knöpfe sind, melden sonst Lager, Buchhaltung und Kalender.</p>
${notice && !notice.order && says(notice)}
${!time.reachable && html`<p class="note alert" role="alert">Passalong ist nicht erreichbar. Der Laden verkauft weiter, ${shop.orders.waiting()} Meldungen warten.</p>`}
<div class="merchant">
<div class="aside">${calendar(time)}${terms(program)}${payable(due)}</div>
<section aria-labelledby="bestellungen"><h2 id="bestellungen">Bestellungen</h2>
${orders.length === 0 && html`<p class="soft">Noch keine Bestellung.</p>`}
${orders.map((order, index) => orderCard(shop, order, conversions[index], notice))}</section>
</div>`,
  );
}

// ---- Orders --------------------------------------------------------------------------------------------

const says = ({ text }) => html`<p class="note" role="status">${text}</p>`;

function orderCard(shop, order, conversion, notice) {
  const happened = (type) => order.events.some((event) => event.type === type);
  const over = happened("withdrawn") || happened("cancelled");
  return html`<article class="order" id="${order.id}" aria-labelledby="${order.id}-t">
<header><h3 id="${order.id}-t">${order.id}</h3><b>${money(order.total)}</b></header>
<p>${order.lines.map(({ quantity, name }) => `${quantity} × ${name}`).join(", ")} · ${order.name} ${order.customerId ? html`<small>(${order.customerId})</small>` : html`<small>(Gast)</small>`}</p>
<p class="soft">${dateAndTime(order.placedAt)}${order.discount > 0 && ` · Rabatt ${money(order.discount)}`}</p>
${order.events.length > 0 && html`<p class="soft">${order.events.map((event) => `${EVENTS[event.type]}${event.amount ? ` ${money(event.amount)}` : ""} am ${date(event.occurred_at)}`).join(" · ")}</p>`}
${referral(shop, order, conversion)}
${notice?.order === order.id && says(notice)}
<form method="post" action="/haendler/bestellung/${order.id}" class="buttons">
<button name="ereignis" value="delivered"${happened("delivered") && html` disabled`}>Geliefert</button>
<span class="pair"><label><span class="hidden">Betrag der Teilerstattung für ${order.id}</span><input name="betrag" inputmode="decimal" placeholder="5,00" size="6"${over && html` disabled`}></label><button name="ereignis" value="refunded"${over && html` disabled`}>Teilerstattung</button></span>
<button name="ereignis" value="withdrawn"${over && html` disabled`}>Widerruf</button>
</form></article>`;
}

/** What Passalong says about the order: one line for the referral, one for each reward. */
function referral(shop, order, conversion) {
  if (order.problem) return html`<p class="state bad">Meldung abgelehnt: ${order.problem}</p>`;
  if (shop.orders.isWaiting(order.id)) return html`<p class="state wait">Wartet auf Meldung an Passalong.</p>`;
  const known = conversion ?? order.report;
  if (!known) return html`<p class="state">Noch keine Auskunft.</p>`;
  if (!known.attributed && known.reason === "no_referral") return html`<p class="state">Ohne Empfehlung gekauft.</p>`;
  if (!known.attributed) return html`<p class="state">Keine Prämie: ${reason(known.reason)}.</p>`;
  return html`<p class="state">Geworben von ${known.advocate?.customer_id}</p>
<ul class="rewards">${known.rewards.map(
    (reward) => html`<li class="${reward.status}"><span>${reward.for === "advocate" ? "Prämie" : "Vorteil der geworbenen Person"}: <b>${benefit(reward.value)}</b></span> <span>${statusLine(reward)}</span></li>`,
  )}</ul>`;
}

function statusLine({ status, reason: why, until, entries = [] }) {
  if (!status) return "gemeldet";
  // What was taken back after it was paid out comes as entries below zero; "zurück" says that already.
  const taken = entries.map(({ value, reason: cause }) => `${benefit(value).replace(/^-/, "")} zurück: ${reason(cause)}`);
  const parts = [STATUS[status] ?? status, why && reason(why), until && `bis ${date(until)}`, ...taken];
  return parts.filter(Boolean).join(", ");
}

const EVENTS = { delivered: "Geliefert", refunded: "Erstattet", withdrawn: "Widerrufen", cancelled: "Storniert" };

export async function reportEvent(visit) {
  const { shop, params, form } = visit;
  const order = shop.orders.find(params.id);
  const type = form.ereignis;
  if (!order || !EVENTS[type]) return back(visit, "Diese Bestellung gibt es nicht.");
  const amount = type === "refunded" ? parseMoney(form.betrag) : undefined;
  if (amount === null || amount === 0) return back(visit, "Bitte gib den Betrag der Teilerstattung an, zum Beispiel 5,00.", order.id);

  const event = {
    event_id: `${order.id}-${order.events.length + 1}`,
    type,
    ...(amount && { amount }),
    occurred_at: (await shop.clock.now()).toISOString(),
  };
  shop.orders.note(order, event, shop.passalong.event(order.id, event));
  await shop.orders.flush();
  const sent = shop.orders.isWaiting(order.id) ? "vorgemerkt, Passalong ist gerade nicht erreichbar" : "gemeldet";
  return back(visit, `${EVENTS[type]}: ${sent}.`, order.id);
}

// ---- Rewards that are due ------------------------------------------------------------------------------

const payable = (due) => html`<section class="panel" aria-labelledby="faellig"><h2 id="faellig">Fällige Prämien</h2>
${due.length === 0 && html`<p class="soft">Zurzeit keine.</p>`}
${due.length > 0 && html`<ul class="list">${due.map(
  (reward) => html`<li><span>${benefit(reward.value)}<br><small>${reward.for === "advocate" ? "Für" : "Geworben:"} ${reward.customer_id ?? "Gast"}<br>${reward.order_id}</small></span>
<form method="post" action="/haendler/praemie/${reward.id}"><button name="order" value="${reward.order_id}">${reward.for === "advocate" ? "Ausgezahlt" : "Eingelöst"}</button></form></li>`,
)}</ul>`}</section>`;

export const fulfilReward = (visit) =>
  attempt(visit, "Prämie als ausgezahlt gemeldet.", () =>
    visit.shop.passalong.call("POST", `/v1/rewards/${visit.params.id}/fulfil`, { reference: `Gutschrift zu ${visit.form.order}` }),
  );

// ---- The offer -----------------------------------------------------------------------------------------

const WHO = { advocate: "Wer empfiehlt", friend: "Wer geworben wird" };
const isRate = (value) => Number.isInteger(value.basis_points);
const field = (rule) => `${rule.for}-${rule.trigger}`;
const hundredths = (value) => (isRate(value) ? value.basis_points : value.amount);

/** The terms: what holds now, and what was changed less than eleven minutes ago and holds soon. */
function terms(program) {
  if (!program) return null;
  const { rewards } = program.upcoming ?? program;
  const inWords = (version) => version.rewards.map((rule) => `${WHO[rule.for].toLowerCase()}, bekommt ${benefit(rule.value)}`).join("; ");
  return html`<section class="panel" aria-labelledby="angebot"><h2 id="angebot">Angebot</h2>
<form method="post" action="/haendler/angebot">
${rewards.filter(({ value }) => hundredths(value)).map(
    (rule) => html`<label>${WHO[rule.for]} <span class="unit"><input name="${field(rule)}" inputmode="decimal" size="5" value="${String(hundredths(rule.value) / 100).replace(".", ",")}" required> ${isRate(rule.value) ? "%" : "€"}</span></label>`,
  )}
<button>Angebot ändern</button></form>
<p class="soft">Jetzt gilt Fassung ${program.version}: ${inWords(program)}.</p>
${program.upcoming ? html`<p class="note">Ab ${dateAndTime(program.upcoming.valid_from)} gilt Fassung ${program.upcoming.version}: ${inWords(program.upcoming)}.</p>` : html`<p class="soft">Eine Änderung gilt elf Minuten, nachdem sie angekommen ist.</p>`}</section>`;
}

/** Reads the newest terms, changes the numbers, writes them back. What is not in the form stays as it is. */
export async function changeOffer(visit) {
  const { shop, form } = visit;
  const typed = Object.fromEntries(Object.entries(form).map(([name, text]) => [name, parseMoney(text)]));
  if (Object.values(typed).includes(null)) return back(visit, "Bitte gib Zahlen an, zum Beispiel 12,5.");
  return attempt(visit, (changed) => `Angebot geändert. Es gilt ab ${dateAndTime((changed.upcoming ?? changed).valid_from)}.`, async () => {
    const current = await shop.passalong.terms();
    const { version: _version, valid_from: _from, upcoming: _upcoming, ...newest } = current.upcoming ?? current;
    const rewards = newest.rewards.map((rule) => {
      const number = typed[field(rule)] ?? hundredths(rule.value);
      return { ...rule, value: { ...rule.value, ...(isRate(rule.value) ? { basis_points: number } : number && { amount: number }) } };
    });
    return shop.passalong.call("PUT", "/v1/program", { ...newest, rewards });
  });
}

// ---- The calendar --------------------------------------------------------------------------------------

const calendar = ({ now, test }) => html`<section class="panel" aria-labelledby="kalender"><h2 id="kalender">Kalender</h2>
<p><time datetime="${now.toISOString()}">${dateAndTime(now)}</time></p>
${test ? html`<form method="post" action="/haendler/uhr" class="buttons">
<button name="tage" value="1">+1 Tag</button><button name="tage" value="7">+7 Tage</button><button name="tage" value="31">+31 Tage</button><button name="tage" value="echt">Echte Zeit</button></form>
<form method="post" action="/haendler/cron" class="buttons"><button>Cron laufen lassen</button></form>` : html`<p class="soft">Die Testuhr ist aus.</p>`}</section>`;

export function moveClock(visit) {
  const { shop, form } = visit;
  const days = Number(form.tage);
  if (form.tage === "echt") return attempt(visit, "Es gilt wieder die echte Zeit.", () => shop.clock.reset());
  if (![1, 7, 31].includes(days)) return back(visit, "So weit reicht der Kalender nicht.");
  return attempt(visit, `Die Uhr steht ${days === 1 ? "einen Tag" : `${days} Tage`} später.`, () => shop.clock.forward(days));
}

export const runCron = (visit) => attempt(visit, "Der Cron ist gelaufen.", () => visit.shop.clock.runCron());

// ---- Back to the page, with a word about what happened -------------------------------------------------

/** With an order, the word stands at that order, where the eye is. */
function back(visit, text, order) {
  visit.openSession().notice = { text, order };
  return redirect(order ? `/haendler#${order}` : "/haendler");
}

async function attempt(visit, done, action) {
  try {
    const answer = await action();
    return back(visit, typeof done === "function" ? done(answer) : done);
  } catch (error) {
    return back(visit, `Das hat nicht geklappt: ${error.message}`);
  }
}
