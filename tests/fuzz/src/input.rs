//! Inputs: seeds of the corpus, spoilt. Bytes are flipped, cut, doubled and mixed; numbers go to their
//! bounds; where a seed is JSON its values are exchanged as values. What a parser took is kept for a
//! while and spoilt further.

use serde_json::{Map, Value, json};

/// Inputs that were taken and are used again.
const KEPT: usize = 64;

/// What breaks parsers: bounds of numbers, text that is not what it looks like, and the punctuation of
/// the formats there are.
const WORDS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1",
    "00",
    "1e3",
    "1e309",
    "0.1",
    "NaN",
    "null",
    "true",
    "undefined",
    "255",
    "256",
    "65535",
    "65536",
    "4294967296",
    "1000000000000",
    "1000000000001",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999",
    "202611220800",
    "20261122",
    "99991231",
    "2026-02-29T24:00:00Z",
    "2200-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "+25:59",
    "\u{0}",
    "\u{7f}",
    "\u{80}",
    "ä",
    "ß",
    "İ",
    "\u{202e}",
    "\u{feff}",
    "\u{fffd}",
    "😀",
    "\u{10ffff}",
    "e\u{301}",
    "\r\n",
    "\n",
    "\t",
    " ",
    "%00",
    "%2F",
    "%",
    "%zz",
    "%ff",
    "+",
    "&",
    "=",
    "?",
    "#",
    "..",
    "/",
    "//",
    "\\",
    "@",
    ":",
    ";",
    ",",
    ".",
    "-",
    "_",
    "'",
    "\"",
    "<",
    ">",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[[[[[[[[",
    "\\u0000",
    "\\ud800",
    "__proto__",
    "rw_",
    "sk_",
    "op_",
    "t1.",
    "c.",
    "h.",
    "teehaus",
    "https://",
    "http://",
    "javascript:",
    "//evil.example",
    "https://shop.example@evil.example/",
    "EUR",
    "purchase",
    "i",
    "l",
    "o",
    "u",
    "=",
    "==",
];

/// Steele, Lea, Flood 2014: splitmix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        index(self.number(), end)
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> Option<&'a T> {
        from.get(self.below(from.len())).copied()
    }
}

fn index(number: u64, end: usize) -> usize {
    let end = u64::try_from(end.max(1)).unwrap_or(1);
    usize::try_from(number % end).unwrap_or_default()
}

/// An endless row of inputs.
pub struct Inputs {
    random: Random,
    seeds: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
}

impl Inputs {
    pub fn new(corpus: &str, seed: u64) -> Self {
        let lines = corpus.lines().filter(|line| !line.is_empty());
        Self {
            random: Random::new(seed),
            seeds: lines.map(|line| line.replace("\\n", "\n").into_bytes()).collect(),
            kept: Vec::new(),
        }
    }

    /// An input that was taken.
    pub fn keep(&mut self, input: Vec<u8>) {
        if self.kept.len() < KEPT {
            self.kept.push(input);
        } else if self.random.one_in(16) {
            let at = self.random.below(KEPT);
            if let Some(slot) = self.kept.get_mut(at) {
                *slot = input;
            }
        }
    }

    fn any(&mut self) -> Vec<u8> {
        let from = if self.random.one_in(2) { &self.kept } else { &self.seeds };
        let at = self.random.below(from.len());
        from.get(at).or_else(|| self.seeds.first()).cloned().unwrap_or_default()
    }

    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> Vec<u8> {
        let mut input = self.any();
        // One in many is as it was.
        for _ in 0..self.random.below(5) {
            input = if input.first() == Some(&b'{') && !self.random.one_in(4) {
                self.exchange(&input).unwrap_or(input)
            } else {
                self.spoil(input)
            };
        }
        // Doubling and mixing must not grow without end; a body has at most 64 kB.
        input.truncate(70_000);
        input
    }

    fn spoil(&mut self, mut input: Vec<u8>) -> Vec<u8> {
        let at = self.random.below(input.len() + 1);
        let length = self.random.below(9);
        let end = (at + length).min(input.len());
        let word = self.random.pick(WORDS).unwrap_or_default();
        match self.random.below(9) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.random.below(8);
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.random.number().to_le_bytes()[0];
                }
            }
            2 => drop(input.splice(at..end, [])),
            3 => drop(input.splice(at..at, word.bytes())),
            4 => drop(input.splice(at..end, word.bytes())),
            5 => {
                let part: Vec<u8> = input.get(at..end).unwrap_or_default().to_vec();
                let times = if self.random.one_in(500) { 9_000 } else { 1 + length };
                drop(input.splice(at..at, part.repeat(times)));
            }
            6 => {
                let other = self.any();
                let from = self.random.below(other.len() + 1);
                input.truncate(at);
                input.extend(other.get(from..).unwrap_or_default());
            }
            7 => {
                // Another digit or letter keeps the form and changes what is meant.
                if let Some(byte) = input.get_mut(at) {
                    let alphabet = b"0123456789abcdefghjkmnpqrstvwxyzABCXYZ-_.";
                    let at = self.random.below(alphabet.len());
                    *byte = alphabet.get(at).copied().unwrap_or(b'0');
                }
            }
            _ => input.truncate(at),
        }
        input
    }

    /// Exchanges one value of a JSON object for another.
    fn exchange(&mut self, input: &[u8]) -> Option<Vec<u8>> {
        let mut json: Value = serde_json::from_slice(input).ok()?;
        self.exchange_in(&mut json);
        serde_json::to_vec(&json).ok()
    }

    /// Here, or further down.
    fn exchange_in(&mut self, value: &mut Value) {
        if !self.random.one_in(3) {
            let at = self.random.number();
            let inner = match value {
                Value::Object(map) => {
                    let at = index(at, map.len());
                    map.values_mut().nth(at)
                }
                Value::Array(values) => {
                    let at = index(at, values.len());
                    values.get_mut(at)
                }
                _ => None,
            };
            if let Some(inner) = inner {
                return self.exchange_in(inner);
            }
        }
        match value {
            Value::Object(map) if self.random.one_in(2) => self.change(map),
            Value::Array(values) if self.random.one_in(2) => match values.first().cloned() {
                Some(first) if self.random.one_in(2) => values.push(first),
                _ => values.clear(),
            },
            value => *value = self.value(),
        }
    }

    fn change(&mut self, map: &mut Map<String, Value>) {
        let names: Vec<String> = map.keys().cloned().collect();
        let name = names.get(self.random.below(names.len())).cloned().unwrap_or_default();
        match self.random.below(4) {
            0 => drop(map.remove(&name)),
            1 => drop(map.insert(name, Value::Null)),
            2 => drop(map.insert(self.random.pick(WORDS).unwrap_or_default().to_owned(), json!(1))),
            _ => drop(map.insert(name, self.value())),
        }
    }

    fn value(&mut self) -> Value {
        let word = self.random.pick(WORDS).unwrap_or_default();
        match self.random.below(9) {
            0 => Value::Null,
            1 => json!(self.random.one_in(2)),
            2 => json!([]),
            3 => json!({}),
            4 => json!([word]),
            5 => json!({ word: word }),
            6 => json!(word.repeat(self.random.below(150))),
            7 => serde_json::from_str(word).unwrap_or_else(|_| json!(word)),
            _ => json!(word),
        }
    }
}
