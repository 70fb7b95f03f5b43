//! Exact decimals, as shops write money, and the minor units they come to. Each sum is rounded once.

use std::iter::Sum;
use std::ops::{Add, Neg, Sub};

use crate::money::{Currency, MAX_AMOUNT};

/// Decimals that are kept: shops that round an order as a whole send more of them than a currency has.
const PLACES: i32 = 8;
/// More is no money, in [`PLACES`].
const LIMIT: i128 = 10_i128.pow(20);

/// A sum of money in the currency's own unit, exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(i128);

/// Half rounds away from zero.
fn divide(number: i128, by: i128) -> i128 {
    let half = by / 2;
    if number < 0 { (number - half) / by } else { (number + half) / by }
}

fn power(of_ten: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(of_ten).ok()?)
}

impl Decimal {
    /// Reads `49.90`, `-5`, `0.5` and what a number of JSON may look like, `4.99e1`.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok()?;
        let (is_negative, digits) = match mantissa.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits = format!("{whole}{fraction}");
        let is_number = !whole.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number || digits.len() > 34 || !(-40..=40).contains(&exponent) {
            return None;
        }
        let number: i128 = digits.parse().ok()?;
        let shift = exponent + PLACES - i32::try_from(fraction.len()).ok()?;
        let number = if shift >= 0 {
            if number == 0 { 0 } else { number.checked_mul(power(shift)?)? }
        } else {
            power(-shift).map_or(0, |by| divide(number, by))
        };
        let number = if is_negative { -number } else { number };
        (number.abs() <= LIMIT).then_some(Self(number))
    }

    /// In minor units of the currency, half up; none if it is more than is taken.
    pub fn minor(self, currency: Currency) -> Option<i64> {
        let minor = divide(self.0, power(PLACES - decimals(currency))?);
        i64::try_from(minor).ok().filter(|minor| minor.abs() <= MAX_AMOUNT)
    }

    pub fn times(self, quantity: i64) -> Self {
        Self(self.0.saturating_mul(i128::from(quantity)))
    }

    /// `self × part ÷ whole`; all of it where there is no whole.
    pub fn share(self, part: Self, whole: Self) -> Self {
        // In whole millionths of a unit, so that the product fits.
        let [a, b, c] = [self.0, part.0, whole.0].map(|number| divide(number, 100));
        if b == c || c == 0 {
            self
        } else {
            Self(divide(a.saturating_mul(b), c).saturating_mul(100))
        }
    }

    /// Whether `tax` is what `rate` makes of this as a price without tax, rather than of it as one
    /// with tax: whichever is closer.
    pub fn lacks(self, tax: Self, rate: Self) -> bool {
        let one = power(PLACES).unwrap_or(1);
        let [price, tax, rate] = [self.0, tax.0, rate.0].map(|number| divide(number, 100));
        let one = divide(one, 100);
        let exclusive = tax.saturating_mul(one) - price.saturating_mul(rate);
        let inclusive = tax.saturating_mul(one + rate) - price.saturating_mul(rate);
        exclusive.unsigned_abs() < inclusive.unsigned_abs()
    }
}

impl Add for Decimal {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Decimal {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// How many decimals a currency has, by ISO 4217; two, where it is not listed there as another.
fn decimals(currency: Currency) -> i32 {
    match currency.to_string().as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(text: &str, currency: &str) -> Option<i64> {
        Decimal::parse(text)?.minor(currency.parse().unwrap())
    }

    #[test]
    fn money_is_read_exactly_in_the_minor_units_of_its_currency() {
        for (text, currency, expected) in [
            ("49.90", "EUR", 4990),
            ("49.9", "EUR", 4990),
            ("49", "EUR", 4900),
            ("0.285", "EUR", 29),
            ("-0.285", "EUR", -29),
            ("0.2849999999", "EUR", 29),
            ("0.28499999", "EUR", 28),
            ("41.932773", "EUR", 4193),
            ("4.99e1", "EUR", 4990),
            ("1e-7", "EUR", 0),
            ("0e40", "EUR", 0),
            ("1e-40", "EUR", 0),
            ("1980", "JPY", 1980),
            ("1980.5", "JPY", 1981),
            ("1.2345", "KWD", 1235),
            ("1.2345", "CLF", 12_345),
            ("10000000000.00", "EUR", MAX_AMOUNT),
            ("90071992547409.93", "KWD", 0),
        ] {
            let expected = (text != "90071992547409.93").then_some(expected);
            assert_eq!(minor(text, currency), expected, "{text} {currency}");
        }
        for bad in ["", "-", ".5", "5,90", "1.2.3", "+5", "1e", "1e99", "NaN", "0x1", "１", " 1"] {
            assert_eq!(Decimal::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Decimal::parse(&"9".repeat(34)), None);
        assert_eq!(minor("10000000000.01", "EUR"), None);
    }

    /// The list of ISO 4217, as of 2026.
    #[test]
    fn currencies_have_the_decimals_of_the_standard() {
        for (codes, decimals) in [
            ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0),
            ("EUR CHF DKK GBP HUF NOK PLN SEK TRY USD", 2),
            ("BHD IQD JOD KWD LYD OMR TND", 3),
            ("CLF UYW", 4),
        ] {
            for code in codes.split(' ') {
                assert_eq!(minor("1", code), Some(10_i64.pow(decimals)), "{code}");
            }
        }
    }

    #[test]
    fn a_sum_is_rounded_once() {
        let parts = ["0.004", "0.004", "0.004"].map(|text| Decimal::parse(text).unwrap());
        assert_eq!(parts.into_iter().sum::<Decimal>().minor("EUR".parse().unwrap()), Some(1));
        assert_eq!(
            Decimal::parse("0.335").unwrap().times(3).minor("EUR".parse().unwrap()),
            Some(101)
        );
    }

    #[test]
    fn a_rate_tells_whether_a_price_has_its_tax_in_it() {
        let lacks = |price: &str, tax: &str, rate: &str| {
            let [price, tax, rate] = [price, tax, rate].map(|text| Decimal::parse(text).unwrap());
            price.lacks(tax, rate)
        };
        assert!(!lacks("49.90", "7.97", "0.19"));
        assert!(lacks("49.90", "9.48", "0.19"));
        assert!(!lacks("49.90", "3.26", "0.07"));
        assert!(lacks("49.90", "3.49", "0.07"));
        assert!(!lacks("49.90", "0", "0"));
    }
}
