//! Money in integer minor units, rates in basis points, and the one rounding there is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest amount taken, in minor units: ten billion euro. Sums of a full ledger stay far
/// below what 64 bits hold.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000;

/// The text is no ISO 4217 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyError;

impl fmt::Display for CurrencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an ISO 4217 code in capitals, for example EUR")
    }
}

impl std::error::Error for CurrencyError {}

/// An ISO 4217 code: three capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Currencies whose minor unit is not a hundredth (ISO 4217:2015, list one): decimals, codes.
const EXPONENTS: [(u32, &[u8]); 3] = [
    (0, b"BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPF"),
    (3, b"BHDIQDJODKWDLYDOMRTND"),
    (4, b"CLFUYW"),
];

impl Currency {
    /// Decimals of an amount in major units: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        let is_listed = |codes: &[u8]| codes.chunks_exact(3).any(|code| code == self.0);
        let listed = EXPONENTS.into_iter().find(|(_, codes)| is_listed(codes));
        listed.map_or(2, |(exponent, _)| exponent)
    }
}

/// A number of `10^-exponent` units as people write it, with that sign between whole and rest.
pub fn decimal(units: i64, exponent: u32, sign: char) -> String {
    let one = 10_u64.saturating_pow(exponent);
    let (whole, rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let minus = if units < 0 { "-" } else { "" };
    if exponent == 0 {
        return format!("{minus}{whole}");
    }
    let width = usize::try_from(exponent).unwrap_or(usize::MAX);
    format!("{minus}{whole}{sign}{rest:0width$}")
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(CurrencyError) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or("XXX"))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A rate in basis points: 2000 is 20 %. From 1 to 10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BasisPoints(pub u16);

impl BasisPoints {
    /// `rate × amount`, rounded half up to whole minor units; nothing for amounts below zero.
    pub fn of(self, amount: i64) -> i64 {
        let amount = amount.clamp(0, MAX_AMOUNT);
        (amount * i64::from(self.0) + 5_000) / 10_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_rounds_half_up_once() {
        for (rate, amount, value) in [
            (2000, 4990, 998),
            (1000, 4, 0),
            (1000, 5, 1),
            (1000, 14, 1),
            (1000, 15, 2),
            (10_000, 7, 7),
            (2000, -100, 0),
            (2000, 0, 0),
        ] {
            assert_eq!(BasisPoints(rate).of(amount), value, "{rate} of {amount}");
        }
    }

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        for (code, units, german, english) in [
            ("EUR", 4990, "49,90", "49.90"),
            ("EUR", 5, "0,05", "0.05"),
            ("EUR", -5, "-0,05", "-0.05"),
            ("EUR", -200, "-2,00", "-2.00"),
            ("EUR", 0, "0,00", "0.00"),
            ("JPY", 4990, "4990", "4990"),
            ("ISK", -7, "-7", "-7"),
            ("XPF", 1, "1", "1"),
            ("KWD", 4990, "4,990", "4.990"),
            ("TND", 12, "0,012", "0.012"),
            ("CLF", 12, "0,0012", "0.0012"),
            ("USD", 1_234_567_890, "12345678,90", "12345678.90"),
            // Three letters across two listed codes are no listed code.
            ("IFC", 100, "1,00", "1.00"),
        ] {
            let exponent = code.parse::<Currency>().unwrap().exponent();
            assert_eq!(decimal(units, exponent, ','), german, "{code} {units}");
            assert_eq!(decimal(units, exponent, '.'), english, "{code} {units}");
        }
    }

    #[test]
    fn a_currency_is_three_capitals() {
        assert_eq!("EUR".parse::<Currency>().unwrap().to_string(), "EUR");
        for bad in ["", "eur", "EURO", "E1R", "€"] {
            assert_eq!(bad.parse::<Currency>(), Err(CurrencyError), "{bad}");
        }
    }
}
