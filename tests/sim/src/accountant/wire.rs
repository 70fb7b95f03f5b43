//! What a request says of who sends it, and the few texts that name people: read from their written
//! form alone, by readers of this module's own.

use std::collections::BTreeSet;

use serde_json::Value;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Who {
    Merchant,
    Customer {
        id: String,
        hints: BTreeSet<String>,
    },
    #[default]
    Somebody,
}

/// The program and the person a bearer text names.
pub fn who(bearer: &str) -> (Option<String>, Who) {
    if let Some(rest) = bearer.strip_prefix("sk_") {
        return (rest.split('_').next().map(str::to_owned), Who::Merchant);
    }
    let mut parts = bearer.split('.');
    if let ("t1", Some(program), Some(id)) =
        (parts.next().unwrap_or(""), parts.next(), parts.next())
    {
        let id = base64url(id).and_then(|id| String::from_utf8(id).ok());
        let id = Who::Customer { id: id.unwrap_or_default(), hints: BTreeSet::new() };
        return (Some(program.to_owned()), id);
    }
    let claims = bearer.split('.').nth(1).and_then(base64url);
    let claims: Option<Value> = claims.and_then(|json| serde_json::from_slice(&json).ok());
    let Some(claims) = claims else { return (None, Who::Somebody) };
    let Some(id) = text(&claims, "sub") else { return (None, Who::Somebody) };
    (text(&claims, "aud"), Who::Customer { id, hints: texts(&claims["hints"]) })
}

pub fn text(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub fn number(json: &Value, name: &str) -> Option<i64> {
    json.get(name).and_then(Value::as_i64)
}

pub fn list<'j>(json: &'j Value, name: &str) -> impl Iterator<Item = &'j Value> {
    json.get(name).and_then(Value::as_array).into_iter().flatten()
}

pub fn texts(json: &Value) -> BTreeSet<String> {
    let all = json.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A path without its `%23`.
pub fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Seconds since 1970 of an RFC 3339 time.
pub fn time(json: &Value, name: &str) -> Option<i64> {
    let text = json.get(name)?.as_str()?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let clock = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let offset = match text.get(text.len().checked_sub(6)?..) {
        Some(tail) if tail.starts_with(['+', '-']) => {
            let minutes = tail[1..3].parse::<i64>().ok()? * 60 + tail[4..6].parse::<i64>().ok()?;
            if tail.starts_with('+') { minutes * 60 } else { -minutes * 60 }
        }
        _ => 0,
    };
    Some(days_since_1970(year, month, day) * 86_400 + clock - offset)
}

/// Years begin in March, so that the leap day is their last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) - 719_469
        + days_before_month
        + day
}

/// The (UTC) year of an instant: that of the first of January before it.
pub fn year(at: i64) -> i64 {
    let guess = 1970 + at.div_euclid(31_556_952);
    let begins = |year: i64| days_since_1970(year, 1, 1) * 86_400;
    if at < begins(guess) {
        guess - 1
    } else if at >= begins(guess + 1) {
        guess + 1
    } else {
        guess
    }
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unpacked(text.trim(), 6, |c| ALPHABET.iter().position(|known| *known == c))
}

fn base32(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
    unpacked(text, 5, |c| {
        let c = match c.to_ascii_lowercase() {
            b'o' => b'0',
            b'i' | b'l' => b'1',
            c => c,
        };
        ALPHABET.iter().position(|known| *known == c)
    })
}

/// Digits of so many bits each, as bytes; what is left of them is padding.
fn unpacked(text: &str, bits: u32, digit: impl Fn(u8) -> Option<usize>) -> Option<Vec<u8>> {
    let (mut bytes, mut pending, mut held) = (Vec::new(), 0_usize, 0);
    for c in text.bytes() {
        pending = pending << bits | digit(c)?;
        held += bits;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(pending >> held & 0xff).ok()?);
            pending &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

/// What stands for a customer in codes and click tokens alike.
pub type Pseudonym = [u8; 7];

fn framed(bytes: &[u8], length: usize) -> Option<Pseudonym> {
    let is_one = bytes.len() == length && bytes[0] & 0xf0 == 0x10;
    is_one.then(|| bytes[1..8].try_into().ok()).flatten()
}

/// Whose referral code this is; a whole link will do.
pub fn of_code(text: &str) -> Option<Pseudonym> {
    let after = text.split_once("/r/").and_then(|(_, rest)| rest.split_once('/'));
    let text = after.map_or(text, |(_, rest)| rest).split(['/', '?', '#']).next()?;
    let text: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    framed(&base32(&text)?, 16)
}

/// Whose link was clicked, and when.
pub fn of_token(text: &str) -> Option<(Pseudonym, i64)> {
    let text: String = text.chars().filter(char::is_ascii_graphic).collect();
    let bytes = base64url(&text)?;
    let whose = framed(&bytes, 26)?;
    Some((whose, bytes[8..13].iter().fold(0, |at, byte| at << 8 | i64::from(*byte))))
}

/// A typed word: letters and digits, in capitals.
pub fn typed(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_as_the_calendar_has_them() {
        let at = |text: &str| time(&json!({ "at": text }), "at").unwrap();
        assert_eq!(at("1970-01-01T00:00:00Z"), 0);
        assert_eq!(at("2026-11-27T01:00:00+01:00"), 1_795_737_600);
        assert_eq!(at("2024-02-29T00:00:00Z") + 86_400, at("2024-03-01T00:00:00.000Z"));
        assert_eq!(year(at("2026-12-31T23:59:59Z")), 2026);
        assert_eq!(year(at("2027-01-01T00:00:00Z")), 2027);
    }

    #[test]
    fn a_code_and_a_click_of_one_customer_name_the_same_person() {
        let known = include_str!("../../../../core/fixtures/secrets.json");
        let known: Value = serde_json::from_str(known).unwrap();
        let text = |name: &str| known[name].as_str().unwrap();
        let secrets = passalong_core::keys::Secrets::parse(
            text("signing_keys"),
            text("merchant_key"),
            text("pseudonym_key"),
        );
        let keys = secrets.unwrap().program(&"teehaus".parse().unwrap());
        let customer = keys.customer(&"anna".parse().unwrap());
        let code = passalong_core::code::issue(&keys, customer);
        let at = passalong_core::time::Instant::from_seconds(1_795_737_600);
        let channel = passalong_core::channel::Channel::WhatsApp;
        let click =
            passalong_core::click_token::ClickToken { customer, at, channel, nonce: [7; 4] };
        assert_eq!(of_code(&code), Some(customer.0));
        assert_eq!(
            of_code(&format!("https://x.example/r/teehaus/{code}/sms?a=b")),
            Some(customer.0)
        );
        assert_eq!(of_token(&click.sign(&keys)), Some((customer.0, 1_795_737_600)));
        assert_eq!(of_token(&code), None);
    }
}
