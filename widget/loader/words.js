// The reader's language: its texts with their gaps filled, and numbers, money, dates and plurals by the
// browser's own Intl.

// A narrow no-break space is what German typography puts before the per cent sign; Intl sets a wide one.
const narrow = (text) => text.replace(/\s%/, "\u202f%");

// Where there is nothing to fill in, the text stays as it is; where there is no text, there is none.
const fill = (text, gap, value) => (value == null ? text : text?.split(`{${gap}}`).join(value));

const DAY = { day: "numeric", month: "long" };

// To make one of Intl's formats takes longer than anything else in a card: one of each is enough.
const made = {};

export function words(texts, locale) {
  const intl = (kind, options) => (made[locale + kind + JSON.stringify(options)] ??= new Intl[kind](locale, options));
  const number = (value, options) => intl("NumberFormat", options).format(value);
  const date = (instant, timeZone, options) => intl("DateTimeFormat", { timeZone, ...options }).format(new Date(instant));
  const year = (instant, zone) => date(instant, zone, { year: "numeric" });
  return {
    say: (start, end = "") => texts[start + end],
    fill,
    // Both with something between, or the one that is there.
    join: (start, between, end) => (start == null ? end : end == null ? start : start + between + end),
    count: (key, n) => fill(texts[`${key}.${intl("PluralRules").select(n)}`] ?? texts[`${key}.other`], "n", number(n)),
    bare: (link) => link.replace(/^https:\/\//, ""),
    isPage: (address) => /^https?:/.test(address),
    number: (value) => number(value),
    percent: (basisPoints) =>
      narrow(number(basisPoints / 10_000, { style: "percent", maximumFractionDigits: 2 })),
    // Amounts are integers in minor units; how many digits those are is the currency's.
    money: (amount, currency, whole) => {
      const style = { style: "currency", currency };
      const digits = intl("NumberFormat", style).resolvedOptions().maximumFractionDigits;
      const round = whole || amount === 0 ? { trailingZeroDisplay: "stripIfInteger" } : {};
      return number(amount / 10 ** digits, { ...style, ...round });
    },
    bytes: (value) => {
      // 16 GB are 16,000 MB to one shop and 16,384 to another: the step in which it comes out even.
      const step = value % (value < 1e6 ? 1e3 : 1e6) ? 1024 : 1000;
      const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
      let rest = value;
      let unit = 0;
      for (; rest >= step && unit < units.length - 1; unit += 1) rest /= step;
      return number(rest, { style: "unit", unit: units[unit], maximumFractionDigits: 1 });
    },
    // The year is said only where it is not that of `now`.
    date: (instant, zone, now) =>
      date(instant, zone, year(instant, zone) === year(now, zone) ? DAY : { ...DAY, year: "numeric" })
        // A day and its month stay on one line.
        .replace(" ", "\u00a0"),
    time: (instant, zone) => date(instant, zone, { hour: "numeric", minute: "2-digit" }),
  };
}
