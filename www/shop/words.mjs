// The shop's German for what the API says in codes: money, dates, values of an offer, statuses, reasons.

const euros = (currency) => new Intl.NumberFormat("de-DE", { style: "currency", currency });
const number = new Intl.NumberFormat("de-DE", { maximumFractionDigits: 2 });
const inBerlin = { timeZone: "Europe/Berlin" };
const day = new Intl.DateTimeFormat("de-DE", { ...inBerlin, day: "numeric", month: "long", year: "numeric" });
const clock = new Intl.DateTimeFormat("de-DE", { ...inBerlin, hour: "2-digit", minute: "2-digit" });

export const money = (cents, currency = "EUR") => euros(currency).format(cents / 100);
export const percent = (basisPoints) => `${number.format(basisPoints / 100)}\u202f%`;
export const date = (instant) => day.format(new Date(instant));
export const dateAndTime = (instant) => `${day.format(new Date(instant))}, ${clock.format(new Date(instant))} Uhr`;

/** "12,90" → 1290, or null where it is no amount. */
export function parseMoney(text) {
  const parts = /^\s*(\d{1,6})(?:[.,](\d{1,2}))?\s*€?\s*$/.exec(text ?? "");
  return parts ? Number(parts[1]) * 100 + Number((parts[2] ?? "").padEnd(2, "0")) : null;
}

/** A value of the offer, as it stands in a sentence: "10 % Rabatt", "5,00 € Guthaben". */
export function benefit(value) {
  switch (value?.kind) {
    case "percent_off":
      return `${percent(value.basis_points)} Rabatt`;
    case "percent_of_order":
      return `${percent(value.basis_points)} vom Einkauf`;
    case "amount_off":
      return `${money(value.amount, value.currency)} Rabatt`;
    case "credit":
      return `${money(value.amount, value.currency)} Guthaben`;
    case "donation":
      return `${money(value.amount, value.currency)} Spende`;
    case "points":
      return `${number.format(value.points ?? value.amount)} Punkte`;
    case "gift":
      return value.label;
    default:
      return "eine Prämie";
  }
}

export const STATUS = {
  pending: "wartet",
  review: "in Prüfung",
  approved: "freigegeben",
  fulfilled: "ausgezahlt",
  reversed: "zurückgenommen",
  expired: "verfallen",
  refused: "abgelehnt",
};

export const REASON = {
  hold: "die Rückgabefrist läuft",
  awaiting_delivery: "die Lieferung ist noch nicht gemeldet",
  checking: "wird gerade entschieden",
  no_referral: "ohne Empfehlung gekauft",
  invalid_token: "der Link war unvollständig oder verändert",
  unknown_alias: "diesen Empfehlungscode gibt es nicht",
  outside_window: "der Klick auf den Link ist zu lange her",
  self_referral: "über den eigenen Link gekauft",
  existing_customer: "gilt nur für neue Kundschaft",
  friend_already_referred: "wurde schon früher geworben",
  below_minimum: "der Mindestbestellwert ist nicht erreicht",
  excluded_item: "enthält einen ausgenommenen Artikel",
  currency_mismatch: "in anderer Währung bezahlt",
  cap_reached: "die Obergrenze ist erreicht",
  program_paused: "das Programm macht Pause",
  before_program: "vor Beginn des Programms gekauft",
  conflicting_report: "dieselbe Bestellung war schon anders gemeldet",
  velocity: "auffällig viele in kurzer Zeit",
  many_orders_one_click: "viele Bestellungen über einen Klick",
  claimed_by_hand: "von Hand nachgetragen",
  unpaid: "die Zahlung ist noch nicht bestätigt",
  disputed: "die Zahlung ist strittig",
  reserved_code: "der Code ist dem Shop vorbehalten",
  clicked_later: "der Klick kam nach der Bestellung",
  not_approved_yet: "noch nicht bestätigt",
  refunded: "erstattet",
  withdrawn: "widerrufen",
  cancelled: "storniert",
  chargeback: "Zahlung zurückgebucht",
  declined: "nach Prüfung abgelehnt",
  too_late: "zu spät gemeldet",
};

export const reason = (code) => REASON[code] ?? code;
