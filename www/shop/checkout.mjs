// From the chosen tea to the order: the one place where a referral meets a price.
//
// What may be taken off is asked of the API every time, for a guest as soon as the address is known: whether
// this is a first order the shop finds in its own orders, whether somebody came through their own link or
// was referred before only Passalong knows. If that changes the total, the visitor sees the new one and
// decides again: nobody pays what they have not been shown.
import { SHIPPING, findTea } from "./catalog.mjs";
import { html } from "./html.mjs";
import { customerOf, keep, page, redirect } from "./pages.mjs";
import { benefit, money, reason } from "./words.mjs";

/** How long a visitor waits for the report of an order at most. After that the outbox goes on alone. */
const PATIENCE_MS = 2000;

function basket(source) {
  const tea = findTea(source.sku ?? source.get?.("sku"));
  const quantity = Number(source.menge ?? source.get?.("menge") ?? 1);
  if (!tea || !Number.isInteger(quantity) || quantity < 1 || quantity > 6) return null;
  return { tea, quantity, goods: tea.price * quantity };
}

/** What a friend's benefit takes off these goods. Only rebates do; other kinds are given by Passalong later. */
function rebate(value, goods) {
  if (value?.kind === "percent_off") return Math.floor((goods * value.basis_points + 5000) / 10_000);
  if (value?.kind === "amount_off") return Math.min(value.amount, goods);
  return 0;
}

/** The prices of a basket under a referral's terms: `{ value, off, minimum, note }`, each possibly null. */
function price({ goods }, terms) {
  const reached = !terms.minimum || goods >= terms.minimum;
  const discount = reached ? rebate(terms.off, goods) : 0;
  const amount = goods - discount;
  const shipping = amount >= SHIPPING.freeFrom ? 0 : SHIPPING.price;
  const note = terms.value && !reached ? `Ab ${money(terms.minimum)} Bestellwert bekommst du ${benefit(terms.value)}.` : terms.note;
  return { value: terms.value, discount, amount, shipping, total: amount + shipping, note };
}

const NO_REFERRAL = { value: null, off: null, minimum: null, note: null };
const SILENT = { ...NO_REFERRAL, note: "Dein Empfehlungsrabatt lässt sich gerade nicht prüfen. Du kannst ohne ihn bestellen oder es in ein paar Minuten noch einmal versuchen." };

/** The terms for whoever is at the till: what a friend gets, and what of it comes off now. */
async function termsFor({ shop, pa }, { customerId, email }) {
  if (!pa) return NO_REFERRAL;
  const { offer, check, terms } = shop.passalong;
  try {
    if (!email) {
      // A guest of whom nothing is known yet: as for any friend, until the address is there.
      const [{ friend, minimum_order: minimum, referred, reason }, { attribution }] = await Promise.all([offer(pa), terms()]);
      if (!referred) return { ...NO_REFERRAL, note: refusal(reason) };
      return { value: friend, off: friend, minimum, note: attribution.new_customers_only ? "Der Vorteil gilt für deine erste Bestellung bei uns." : null };
    }
    const firstOrder = shop.orders.isFirst(customerId, email);
    const [{ friend }, answer] = await Promise.all([offer(pa), check({ customerId, email, firstOrder, pa })]);
    if (!answer.eligible) return { ...NO_REFERRAL, note: refusal(answer.reason) };
    return { value: friend, off: answer.value, minimum: answer.minimum_order, note: null };
  } catch {
    return SILENT;
  }
}

const refusal = (code) => `Kein Empfehlungsrabatt: ${reason(code)}.`;

const buyerOf = ({ url, session }) => (url.searchParams.has("gast") ? null : customerOf(session));

export async function checkoutPage(visit) {
  const order = basket(visit.url.searchParams);
  if (!order) return redirect(keep(visit, "/"));
  const customer = buyerOf(visit);
  const terms = await termsFor(visit, { customerId: customer?.id, email: customer?.email });
  return checkout(visit, { order, customer, prices: price(order, terms), buyer: customer ?? {} });
}

function checkout({ session }, { order, customer, prices, buyer, alert }) {
  const { tea, quantity, goods } = order;
  const field = (name, label, value, autocomplete, type = "text") =>
    html`<label>${label} <input name="${name}" type="${type}" value="${value}" autocomplete="${autocomplete}" maxlength="120" required></label>`;
  return page(
    "Kasse",
    html`<h1>Kasse</h1>${alert && html`<p class="note alert" role="alert">${alert}</p>`}
<form method="post" class="checkout">
<input type="hidden" name="pa"><input type="hidden" name="sku" value="${tea.sku}"><input type="hidden" name="menge" value="${quantity}">
<input type="hidden" name="gezeigt" value="${prices.total}">
<section aria-labelledby="wer"><h2 id="wer">Wohin dürfen wir liefern?</h2>
<p class="soft">${customer ? html`Du bestellst als ${customer.name} (${customer.id}). <a href="/kasse?sku=${tea.sku}&menge=${quantity}&gast=1">Als Gast bestellen</a>` : html`Du bestellst als Gast. <a href="${customerOf(session) ? `/kasse?sku=${tea.sku}&menge=${quantity}` : "/konto"}">Mit Konto bestellen</a>`}</p>
${field("name", "Name", buyer.name, "name")}
${customer ? html`<label>E-Mail <input value="${customer.email}" type="email" readonly></label>` : field("email", "E-Mail", buyer.email, "email", "email")}
${field("street", "Straße und Hausnummer", buyer.street, "street-address")}
${field("city", "PLZ und Ort", buyer.city, "address-level2")}
</section>
<section class="bill" aria-labelledby="was"><h2 id="was">Deine Bestellung</h2>
<dl>
<div><dt>${quantity} × ${tea.name}</dt><dd>${money(goods)}</dd></div>
${prices.discount > 0 && html`<div class="discount"><dt>Empfehlung: ${benefit(prices.value)}</dt><dd>−${money(prices.discount)}</dd></div>`}
<div><dt>Versand</dt><dd>${prices.shipping === 0 ? "frei" : money(prices.shipping)}</dd></div>
<div class="sum"><dt>Gesamt <small>inkl. MwSt.</small></dt><dd>${money(prices.total)}</dd></div>
</dl>
${prices.value && prices.discount === 0 && !prices.note && html`<p class="note">Mit dieser Bestellung bekommst du ${benefit(prices.value)}.</p>`}
${prices.note && html`<p class="note">${prices.note}</p>`}
<button class="primary">Zahlungspflichtig bestellen</button>
<p class="soft">Du kannst 14 Tage nach Erhalt widerrufen.</p>
</section></form>`,
  );
}

export async function placeOrder(visit) {
  const { shop, form, pa } = visit;
  const order = basket(form);
  if (!order) return redirect(keep(visit, "/"));
  const customer = buyerOf(visit);
  const buyer = Object.fromEntries(["name", "street", "city"].map((name) => [name, (form[name] ?? "").trim().slice(0, 120)]));
  buyer.email = customer?.email ?? (form.email ?? "").trim().slice(0, 120);

  const again = (prices, alert) => checkout(visit, { order, customer, prices, buyer, alert });
  const complete = buyer.name && buyer.street && buyer.city && /^[^\s@]+@[^\s@]+$/.test(buyer.email);
  if (!complete) return again(price(order, await termsFor(visit, {})), "Bitte fülle alle Felder aus, die E-Mail-Adresse mit @.");

  const prices = price(order, await termsFor(visit, { customerId: customer?.id, email: buyer.email }));
  if (String(prices.total) !== form.gezeigt) return again(prices, "Der Preis hat sich geändert. Bitte sieh ihn dir an und bestelle dann noch einmal.");

  const placedAt = (await shop.clock.now()).toISOString();
  const firstOrder = shop.orders.isFirst(customer?.id, buyer.email);
  const placed = shop.orders.place(
    {
      ...buyer,
      customerId: customer?.id ?? null,
      placedAt,
      lines: [{ sku: order.tea.sku, name: order.tea.name, quantity: order.quantity }],
      goods: order.goods,
      ...prices,
    },
    // The message is made here, once. `pa` goes along even where there was no rebate: whether a referral
    // counts is Passalong's to decide, and the reason the advocate's to see.
    ({ id, amount }) =>
      shop.passalong.conversion({
        id,
        placedAt,
        amount,
        currency: "EUR",
        customerId: customer?.id,
        email: buyer.email,
        firstOrder,
        pa,
        items: [{ sku: order.tea.sku, category: order.tea.kind, amount }],
      }),
  );
  visit.openSession().orders.push(placed.id);
  await Promise.race([shop.orders.flush(), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref())]);
  return redirect(`/danke?bestellung=${placed.id}`);
}

/** Only for the session that ordered; the address alone shows nobody's order. */
export function thankYouPage({ shop, url, session }) {
  const order = session?.orders.includes(url.searchParams.get("bestellung")) && shop.orders.find(url.searchParams.get("bestellung"));
  if (!order) return redirect("/");
  return page(
    "Danke",
    html`<section class="narrow"><p class="eyebrow">Bestellung ${order.id}</p><h1>Danke, ${order.name.split(" ")[0]}.</h1>
<p class="lead">Wir packen ${order.lines.map(({ quantity, name }) => `${quantity} × ${name}`).join(", ")} ein und schicken es heute noch los.</p>
<dl class="bill"><div><dt>Ware</dt><dd>${money(order.goods)}</dd></div>
${order.discount > 0 && html`<div class="discount"><dt>Empfehlung: ${benefit(order.value)}</dt><dd>−${money(order.discount)}</dd></div>`}
<div><dt>Versand</dt><dd>${order.shipping === 0 ? "frei" : money(order.shipping)}</dd></div>
<div class="sum"><dt>Gesamt <small>inkl. MwSt.</small></dt><dd>${money(order.total)}</dd></div></dl>
<p class="soft">Die Bestätigung geht an ${order.email}.</p>
<p>Schmeckt er dir, sag es weiter: In deinem <a href="/konto">Konto</a> findest du deinen Empfehlungslink.</p></section>`,
  );
}
