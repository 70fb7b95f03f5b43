//! Tables as text: CSV that a spreadsheet opens right and runs nothing of, and JSON lines.
//!
//! A cell that a spreadsheet would take for a formula is an attack on whoever opens the file (OWASP,
//! "CSV injection"): texts come from customers by way of the shop. Such a text gets an apostrophe in
//! front of what is dangerous in it; numbers are made here and stay numbers. JSON lines are for
//! programs: there texts are what they are.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::money::{Currency, decimal};
use crate::time::{Day, Instant};
use crate::words::words;

words!(
    /// Whose spreadsheet is to open a file.
    Locale {
        /// Semicolons, decimal comma, byte order mark: what a German Excel expects.
        De = "de",
        /// Commas, decimal point, no byte order mark.
        En = "en",
    }
);

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    pub locale: Locale,
    /// Times as RFC 3339, which programs import; else as spreadsheets recognise them.
    pub rfc3339: bool,
}

/// One value of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Empty,
    /// Of the merchant or of a customer, so whatever it likes to be.
    Text(String),
    /// A word or an id of ours: never dangerous.
    Word(String),
    Number(i64),
    /// In minor units; written in major ones.
    Money(i64, Currency),
    /// In basis points; written in per cent.
    Percent(i64),
    Time(Instant),
    Day(Day),
}

impl Cell {
    pub fn text(text: Option<String>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }

    pub fn word(word: Option<impl ToString>) -> Self {
        word.map_or(Self::Empty, |word| Self::Word(word.to_string()))
    }
}

impl Dialect {
    const fn separator(self) -> char {
        match self.locale {
            Locale::De => ';',
            Locale::En => ',',
        }
    }

    const fn decimal_sign(self) -> char {
        match self.locale {
            Locale::De => ',',
            Locale::En => '.',
        }
    }

    /// What a file begins with: the byte order mark, where wanted, and the names of the columns.
    pub fn head<'n>(self, names: impl Iterator<Item = &'n str>) -> String {
        let mark = if self.locale == Locale::De { "\u{feff}" } else { "" };
        format!("{mark}{}", self.join(names.map(plain_field)))
    }

    /// A row, with its line break.
    pub fn row<'c>(self, cells: impl Iterator<Item = &'c Cell>) -> String {
        self.join(cells.map(|cell| self.field(cell)))
    }

    fn join(self, fields: impl Iterator<Item = String>) -> String {
        let mut line = String::new();
        for (at, field) in fields.enumerate() {
            if at > 0 {
                line.push(self.separator());
            }
            line.push_str(&field);
        }
        line.push_str("\r\n");
        line
    }

    fn field(self, cell: &Cell) -> String {
        let sign = self.decimal_sign();
        match cell {
            Cell::Empty => String::new(),
            Cell::Text(text) => plain_field(&harmless(text)),
            Cell::Word(word) => plain_field(word),
            Cell::Number(number) => number.to_string(),
            Cell::Money(minor, currency) => decimal(*minor, currency.exponent(), sign),
            Cell::Percent(basis_points) => decimal(*basis_points, 2, sign),
            Cell::Time(at) if self.rfc3339 => at.to_string(),
            Cell::Time(at) => at.to_string().replace('T', " ").replace('Z', ""),
            Cell::Day(day) => dashed(*day),
        }
    }
}

/// `2026-11-22`.
pub fn dashed(day: Day) -> String {
    day.start().to_string().split('T').next().unwrap_or_default().to_owned()
}

/// What a spreadsheet takes for the beginning of a formula, in its wide form as well.
const fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

/// The text, with an apostrophe in front of whatever could begin a formula: at its start, and behind
/// what a program with another separator would take for the start of the next cell.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut is_start = true;
    for c in text.chars() {
        if is_start && begins_formula(c) {
            safe.push('\'');
        }
        safe.push(c);
        is_start = match c {
            ',' | ';' | '|' | '\t' | '\r' | '\n' => true,
            // Spreadsheets skip these in front of a formula.
            '"' => is_start,
            c if c.is_whitespace() || c.is_control() || c == '\u{feff}' => is_start,
            _ => false,
        };
    }
    safe
}

/// A field, in quotes where any reader could misunderstand it (RFC 4180).
fn plain_field(text: &str) -> String {
    let edges = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    let special = |c: char| matches!(c, '"' | ',' | ';' | '|' | '\'') || c.is_control();
    if edges || text.contains(special) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A row as one line of JSON. Amounts are texts in major units, beside them `…_minor` as integers;
/// rates are texts in per cent, beside them `…_basis_points`.
pub fn json_line<'r>(row: impl Iterator<Item = (&'r str, &'r Cell)>) -> String {
    let mut object = Map::new();
    for (name, cell) in row {
        let value = match cell {
            Cell::Empty => Value::Null,
            Cell::Text(text) | Cell::Word(text) => json!(text),
            Cell::Number(number) => json!(number),
            Cell::Money(minor, currency) => {
                object.insert(format!("{name}_minor"), json!(minor));
                json!(decimal(*minor, currency.exponent(), '.'))
            }
            Cell::Percent(basis_points) => {
                object.insert(format!("{name}_basis_points"), json!(basis_points));
                json!(decimal(*basis_points, 2, '.'))
            }
            Cell::Time(at) => json!(at),
            Cell::Day(day) => json!(dashed(*day)),
        };
        object.insert(name.to_owned(), value);
    }
    let mut line = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(line, "{}", Value::Object(object));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const DE: Dialect = Dialect { locale: Locale::De, rfc3339: false };
    const EN: Dialect = Dialect { locale: Locale::En, rfc3339: true };

    fn eur(minor: i64) -> Cell {
        Cell::Money(minor, "EUR".parse().unwrap())
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn a_text_is_never_a_formula() {
        for (given, field) in [
            ("A-10077", "A-10077"),
            ("", ""),
            ("=1+1", "\"'=1+1\""),
            ("+491701234", "\"'+491701234\""),
            ("-5", "\"'-5\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t'=1\""),
            ("\r=1", "\"'\r'=1\""),
            ("\n=1", "\"'\n'=1\""),
            // Behind what is skipped in front of a formula.
            ("  =1", "\"  '=1\""),
            ("\u{a0}=1", "\"\u{a0}'=1\""),
            ("\u{feff}=1", "\"\u{feff}'=1\""),
            ("\"=1", "\"\"\"'=1\""),
            // Behind what another reader takes for a separator, with and without quotes.
            ("x;=1", "\"x;'=1\""),
            ("x,=1", "\"x,'=1\""),
            ("x\";\"=1", "\"x\"\";\"\"'=1\""),
            ("x\n@y", "\"x\n'@y\""),
            ("＝1", "\"'＝1\""),
            // Not at the start of anything.
            ("a=b", "a=b"),
            ("TEE-1", "TEE-1"),
            ("Gutschein 881", "Gutschein 881"),
            ("'=1", "\"'=1\""),
        ] {
            assert_eq!(DE.row([text(given)].iter()), format!("{field}\r\n"), "{given:?}");
            assert_eq!(EN.row([text(given)].iter()), format!("{field}\r\n"), "{given:?}");
        }
    }

    #[test]
    fn a_number_stays_a_number() {
        let cells = [eur(4990), eur(-200), Cell::Number(-3), Cell::Percent(2050), Cell::Empty];
        assert_eq!(DE.row(cells.iter()), "49,90;-2,00;-3;20,50;\r\n");
        assert_eq!(EN.row(cells.iter()), "49.90,-2.00,-3,20.50,\r\n");
    }

    #[test]
    fn a_time_is_written_for_its_reader() {
        let at: Instant = "2026-11-22T08:00:59Z".parse().unwrap();
        let cells = [Cell::Time(at), Cell::Day(at.day())];
        assert_eq!(DE.row(cells.iter()), "2026-11-22 08:00:59;2026-11-22\r\n");
        assert_eq!(EN.row(cells.iter()), "2026-11-22T08:00:59Z,2026-11-22\r\n");
    }

    #[test]
    fn only_a_german_file_begins_with_a_byte_order_mark() {
        assert_eq!(DE.head(["id", "Deal Name"].into_iter()), "\u{feff}id;Deal Name\r\n");
        assert_eq!(EN.head(["id", "Deal Name"].into_iter()), "id,Deal Name\r\n");
    }

    #[test]
    fn a_line_of_json_holds_exact_integers_beside_what_people_read() {
        let jpy = Cell::Money(500, "JPY".parse().unwrap());
        let row = [
            ("id", text("=1")),
            ("amount", eur(-5)),
            ("yen", jpy),
            ("rate", Cell::Percent(2000)),
            ("none", Cell::Empty),
        ];
        let line = json_line(row.iter().map(|(name, cell)| (*name, cell)));
        let expected = json!({
            "id": "=1", "amount": "-0.05", "amount_minor": -5, "yen": "500", "yen_minor": 500,
            "rate": "20.00", "rate_basis_points": 2000, "none": null,
        });
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }
}
