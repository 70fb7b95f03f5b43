//! Figures as people read them. A no-break space stands between a number and its unit.

use super::Language;
use crate::money::{BasisPoints, Currency};

/// Between a number and its unit.
pub const SPACE: char = '\u{a0}';

/// A whole number with its thousands apart.
pub fn whole(number: i64, language: Language) -> String {
    let apart = match language {
        Language::De => '.',
        Language::En => ',',
    };
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(apart);
        }
        text.push(digit);
    }
    text
}

/// `number` / 10^`digits`, with so many digits behind the point.
fn fixed(number: i64, digits: u32, language: Language) -> String {
    let unit = 10_i64.pow(digits);
    let before = whole(number / unit, language);
    if digits == 0 {
        return before;
    }
    let point = match language {
        Language::De => ',',
        Language::En => '.',
    };
    let width = usize::try_from(digits).unwrap_or_default();
    format!("{before}{point}{:0width$}", number.unsigned_abs() % unit.unsigned_abs())
}

/// The same without zeros at the end.
fn short(number: i64, digits: u32, language: Language) -> String {
    let (mut number, mut digits) = (number, digits);
    while digits > 0 && number % 10 == 0 {
        (number, digits) = (number / 10, digits - 1);
    }
    fixed(number, digits, language)
}

/// 49,90 € and €49.90; other currencies by their code.
pub fn money(amount: i64, currency: Currency, language: Language) -> String {
    let number = fixed(amount, currency.exponent(), language);
    let code = currency.to_string();
    match (language, code.as_str()) {
        (Language::De, "EUR") => format!("{number}{SPACE}€"),
        (Language::De, code) => format!("{number}{SPACE}{code}"),
        (Language::En, "EUR") => format!("€{number}"),
        (Language::En, code) => format!("{code}{SPACE}{number}"),
    }
}

/// 12,5 % and 12.5%.
pub fn percent(rate: BasisPoints, language: Language) -> String {
    let number = short(i64::from(rate.0), 2, language);
    match language {
        Language::De => format!("{number}{SPACE}%"),
        Language::En => format!("{number}%"),
    }
}

/// Storage in the largest decimal unit that says it exactly.
pub fn bytes(bytes: i64, language: Language) -> String {
    let units =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let exact = |(unit, _): &(i64, &str)| bytes >= *unit && bytes % (unit / 100) == 0;
    match units.into_iter().find(exact) {
        Some((unit, name)) => {
            format!("{}{SPACE}{name}", short(bytes / (unit / 100), 2, language))
        }
        None => format!(
            "{}{SPACE}{}",
            whole(bytes, language),
            match language {
                Language::De => "Byte",
                Language::En =>
                    if bytes == 1 {
                        "byte"
                    } else {
                        "bytes"
                    },
            }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(SPACE, " ")
    }

    #[test]
    fn money_is_written_as_its_currency_is_counted() {
        for (amount, code, de, en) in [
            (4_990, "EUR", "49,90 €", "€49.90"),
            (5, "EUR", "0,05 €", "€0.05"),
            (1_000, "EUR", "10,00 €", "€10.00"),
            (99_999, "EUR", "999,99 €", "€999.99"),
            (100_000, "EUR", "1.000,00 €", "€1,000.00"),
            (1_000_000_000_000, "EUR", "10.000.000.000,00 €", "€10,000,000,000.00"),
            (4_990, "CHF", "49,90 CHF", "CHF 49.90"),
            (4_990, "JPY", "4.990 JPY", "JPY 4,990"),
            (4_990, "KWD", "4,990 KWD", "KWD 4.990"),
            (4_990, "CLF", "0,4990 CLF", "CLF 0.4990"),
        ] {
            let currency = code.parse().unwrap();
            assert_eq!(plain(&money(amount, currency, Language::De)), de);
            assert_eq!(plain(&money(amount, currency, Language::En)), en);
        }
    }

    #[test]
    fn a_rate_is_written_without_needless_zeros() {
        for (rate, de, en) in [
            (1, "0,01 %", "0.01%"),
            (1_000, "10 %", "10%"),
            (1_250, "12,5 %", "12.5%"),
            (1_333, "13,33 %", "13.33%"),
            (10_000, "100 %", "100%"),
        ] {
            assert_eq!(plain(&percent(BasisPoints(rate), Language::De)), de);
            assert_eq!(percent(BasisPoints(rate), Language::En), en);
        }
    }

    #[test]
    fn storage_is_said_exactly() {
        for (size, de, en) in [
            (1, "1 Byte", "1 byte"),
            (999, "999 Byte", "999 bytes"),
            (500_000_000, "500 MB", "500 MB"),
            (16_000_000_000, "16 GB", "16 GB"),
            (1_500_000_000, "1,5 GB", "1.5 GB"),
            (1_510_000_000_000, "1,51 TB", "1.51 TB"),
            (1_073_741_824, "1.073.741.824 Byte", "1,073,741,824 bytes"),
            (1_001, "1.001 Byte", "1,001 bytes"),
        ] {
            assert_eq!(plain(&bytes(size, Language::De)), de);
            assert_eq!(plain(&bytes(size, Language::En)), en);
        }
    }
}
