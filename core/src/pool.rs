//! Pools of coupons: the merchant's upload read, and which reward draws which code.
//!
//! Nothing of a pool is ever changed. Uploads and places in the queue are facts with an accepted
//! minute; the n-th reward in the queue draws the n-th code of the uploads. What is accepted later
//! stands behind, so once all facts up to a minute are visible, whoever computes the draws finds
//! the same: no code goes to two rewards, and no reward draws twice.

mod heading;

use std::collections::BTreeSet;

use crate::decode::Invalid;
use crate::ids::{CustomerPseudonym, Digest, OrderPseudonym};
use crate::mutation::{self, Mutation};
use crate::reward::RewardId;
use crate::time::{Instant, Minute, SETTLE};
use heading::First;

/// Codes in one upload.
pub const UPLOAD: usize = 1_000;
/// Codes in one pool.
pub const CODES: usize = 20_000;
/// Uploads to one pool.
pub const UPLOADS: usize = 1_000;
/// The longest code, in bytes.
const LONGEST: usize = 64;
/// A pool with fewer codes left is low, however many there were.
const FEW: usize = 10;

/// Codes that were uploaded together, each sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub accepted: Minute,
    pub digest: Digest,
    pub codes: Vec<String>,
}

/// A reward's place in the queue for a code. Of several the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub since: Minute,
    pub reward: RewardId,
    pub advocate: CustomerPseudonym,
    pub order: OrderPseudonym,
}

/// A code that goes to a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw<'a> {
    pub place: Place,
    /// Sealed.
    pub code: &'a str,
    /// From when on it is certain.
    pub since: Minute,
}

/// The codes in the order in which they are drawn, each once, with the minute of their upload.
pub fn codes(uploads: &[Upload]) -> Vec<(Minute, &str)> {
    let mut ordered: Vec<&Upload> = uploads.iter().collect();
    ordered.sort_by_key(|upload| (upload.accepted, upload.digest));
    let all = ordered
        .into_iter()
        .flat_map(|upload| upload.codes.iter().map(move |code| (upload.accepted, code.as_str())));
    let mut seen = BTreeSet::new();
    all.filter(|(_, code)| seen.insert(*code)).collect()
}

/// The queue: each reward once.
pub fn queue(places: &[Place]) -> Vec<Place> {
    let mut ordered = places.to_vec();
    ordered.sort_unstable();
    let mut seen = BTreeSet::new();
    ordered.retain(|place| seen.insert(place.reward));
    ordered
}

/// Whether a fact accepted then is visible everywhere.
pub fn is_certain(accepted: Minute, now: Instant) -> bool {
    accepted.plus(SETTLE).start() <= now || mutation::is_on(Mutation::DrawnAtOnce)
}

/// Which reward draws which code, as far as it is certain: the n-th the n-th.
pub fn draws<'a>(uploads: &'a [Upload], places: &[Place], now: Instant) -> Vec<Draw<'a>> {
    let queue = queue(places).into_iter();
    let pairs = queue.zip(codes(uploads)).map(|(place, (uploaded, code))| Draw {
        place,
        code,
        since: place.since.max(uploaded).plus(SETTLE),
    });
    let certain = |draw: &Draw<'_>| is_certain(draw.since.plus(-SETTLE), now);
    pairs.take_while(certain).collect()
}

/// Whether it is time to upload more: fewer than a tenth are left, or fewer than ten.
pub const fn is_low(left: usize, uploaded: usize) -> bool {
    left < FEW || left.saturating_mul(10) < uploaded
}

/// Reads an upload: CSV with a code in each line or, under a heading as "Gutscheincode", in that
/// column; with `,` or `;`, quotes, a byte order mark and `sep=;` as spreadsheets write them. Each code
/// once. One wrong line refuses the whole, and is named; so does a heading that is not understood, for
/// it would become a voucher.
pub fn read(body: &[u8]) -> Result<Vec<String>, Invalid> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let line = body.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        wrong(line, "must be UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.split('\n')).map(|(number, line)| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        (number, line)
    });
    let is_empty = |line: &str| line.trim_matches([' ', ';', ',']).is_empty();
    let mut lines: Vec<(usize, &str)> = lines.filter(|(_, line)| !is_empty(line)).collect();
    let between = separators(&mut lines);
    let header = heading(&lines, between)?;
    let mut codes = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in lines.into_iter().skip(usize::from(header.is_some())) {
        let cells =
            cells(line, between).ok_or_else(|| wrong(number, "has a quote that does not end"))?;
        let (first, rest) = if let Some(column) = header {
            (cells.into_iter().nth(column), 0)
        } else {
            let more = cells.iter().skip(1).filter(|cell| !cell.is_empty()).count();
            (cells.into_iter().next(), more)
        };
        if rest > 0 {
            let problem = "has several columns; name the one with the codes in a first line: code";
            return Err(wrong(number, problem));
        }
        let code = first.unwrap_or_default();
        if heading::is_name(&code) {
            let problem = "is a heading, not a code; a heading stands in the first line alone";
            return Err(wrong(number, problem));
        }
        let is_good = (1..=LONGEST).contains(&code.len()) && code.bytes().all(is_plain);
        if !is_good {
            let problem = "must hold a code of 1 to 64 letters, digits and signs of -_.:/+*#!$%&=@";
            return Err(wrong(number, problem));
        }
        if seen.insert(code.clone()) {
            codes.push(code);
        }
        if codes.len() > UPLOAD {
            return Err(wrong(number, "is one code too many: send at most 1000 at once"));
        }
    }
    if codes.is_empty() {
        return Err(wrong(1, "must hold a code; there is none"));
    }
    Ok(codes)
}

/// What stands between cells: what the first line says, by itself (`sep=;`, which is taken out) or by
/// having it. In German files a comma is also part of a price, so it is one or the other.
fn separators(lines: &mut Vec<(usize, &str)>) -> &'static [char] {
    let first = lines.first().map_or("", |(_, line)| line);
    let is_hint = first.len() == 5 && first.to_ascii_lowercase().starts_with("sep=");
    let between: &[char] = match (first.contains(';'), first.contains(',')) {
        (true, _) => &[';'],
        (false, true) => &[','],
        (false, false) => &[',', ';'],
    };
    if is_hint {
        lines.remove(0);
    }
    between
}

/// The column of the codes, where the first line names it.
fn heading(lines: &[(usize, &str)], between: &[char]) -> Result<Option<usize>, Invalid> {
    let Some(((number, line), rest)) = lines.split_first() else { return Ok(None) };
    // A line that cannot be read is refused with its own reason.
    let Some(first) = cells(line, between) else { return Ok(None) };
    let others = rest.iter().filter_map(|(_, line)| cells(line, between)?.into_iter().next());
    let others: Vec<String> = others.collect();
    match heading::first(&first, &others) {
        First::Heading(column) => Ok(Some(column)),
        First::Code => Ok(None),
        First::Ambiguous => {
            let problem = "names several columns that may hold the codes; name the right one code";
            Err(wrong(*number, problem))
        }
        First::Unknown => {
            let problem = "looks like a heading that is not known here; write code in its place or, if it is a code itself, in a line above it";
            Err(wrong(*number, problem))
        }
    }
}

fn wrong(line: usize, problem: &str) -> Invalid {
    Invalid::field(&format!("line {line}"), problem)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:/+*#!$%&=@".contains(&byte)
}

/// The cells of a line; none where a quote does not end, or something follows it.
fn cells(line: &str, between: &[char]) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let (cell, after) = if let Some(quoted) = rest.trim_start().strip_prefix('"') {
            quoted_cell(quoted)?
        } else {
            let (cell, after) = rest.split_at(rest.find(between).unwrap_or(rest.len()));
            (cell.trim().to_owned(), after)
        };
        cells.push(cell);
        let after = after.trim_start();
        match after.strip_prefix(between) {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(cells),
        }
    }
}

/// What is in quotes, and what follows. A quote within is doubled.
fn quoted_cell(text: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return Some((cell, after)),
        }
    }
}
