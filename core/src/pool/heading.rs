//! The first line of an upload: whether it names columns, and which of them holds the codes. A heading
//! that is taken for a code would be handed to a customer, so what only looks like one is refused.

/// What a column of codes is called, in lower case and without spaces and signs.
const NAMES: [&str; 36] = [
    "code",
    "codes",
    "coupon",
    "coupons",
    "couponcode",
    "couponcodes",
    "couponnumber",
    "kupon",
    "kupons",
    "kuponcode",
    "kuponcodes",
    "gutschein",
    "gutscheine",
    "gutscheincode",
    "gutscheincodes",
    "gutscheinnummer",
    "gutscheinnummern",
    "geschenkcode",
    "geschenkcodes",
    "voucher",
    "vouchers",
    "vouchercode",
    "vouchercodes",
    "vouchernumber",
    "promocode",
    "promocodes",
    "promotioncode",
    "promotioncodes",
    "discountcode",
    "discountcodes",
    "rabattcode",
    "rabattcodes",
    "aktionscode",
    "aktionscodes",
    "giftcode",
    "giftcodes",
];

/// What occurs in headings, and in no code without a digit.
const PARTS: [&str; 9] =
    ["code", "coupon", "kupon", "gutschein", "voucher", "promo", "discount", "rabatt", "nummer"];

fn bare(cell: &str) -> String {
    cell.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether this names a column of codes.
pub fn is_name(cell: &str) -> bool {
    NAMES.contains(&bare(cell).as_str())
}

/// What a first line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// It names the columns; the codes are in this one, from 0.
    Heading(usize),
    /// It names several that may hold the codes.
    Ambiguous,
    /// It looks like a heading, and none of its names is known.
    Unknown,
    /// It holds a code like the lines after it.
    Code,
}

/// Reads a first line, with the first cell of each line after it.
pub fn first(cells: &[String], others: &[String]) -> First {
    // "Gutschein;Code": the name that says code is meant.
    let says_code = |cell: &str| bare(cell).contains("code");
    let named = |strict: bool| {
        let mut all = cells.iter().enumerate();
        let mut next = || all.find(|(_, cell)| is_name(cell) && (!strict || says_code(cell)));
        (next().map(|(column, _)| column), next().is_some())
    };
    for strict in [true, false] {
        match named(strict) {
            (Some(_), true) => return First::Ambiguous,
            (Some(column), false) => return First::Heading(column),
            (None, _) => {}
        }
    }
    let Some(cell) = cells.first() else { return First::Code };
    if looks_like_a_heading(cell, others) { First::Unknown } else { First::Code }
}

/// Whether a cell is a word where those below it are codes: without a digit, and either of words that
/// occur in headings alone, or of another look than all below it.
fn looks_like_a_heading(cell: &str, others: &[String]) -> bool {
    let has_digit = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
    let has_part = |text: &str| PARTS.iter().any(|part| bare(text).contains(part));
    let has_lower = |text: &str| text.chars().any(char::is_lowercase);
    if has_digit(cell) {
        return false;
    }
    if has_part(cell) && !others.iter().any(|other| has_part(other) && !has_digit(other)) {
        return true;
    }
    let are_codes = !others.is_empty() && others.iter().all(|other| has_digit(other));
    let other_length = others.iter().all(|other| other.len() != cell.len());
    let other_case = has_lower(cell) && !others.iter().any(|other| has_lower(other));
    are_codes && (other_length || other_case)
}
