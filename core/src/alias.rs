//! Aliases: short codes that stand for an advocate where nobody can click, as at a till, on the
//! telephone or in a coupon field. What may be one, and whose it is. Where claims are kept is the
//! edge's business.

use std::fmt;
use std::str::FromStr;

use crate::ids::{CustomerPseudonym, IdError};
use crate::mutation::{self, Mutation};
use crate::time::{MINUTE, Minute, SETTLE};
use crate::values::one_word::one_word;

/// No letter or digit that is taken for another one when read or heard: no `I`, `L`, `O`, `0`, `1`.
const ALPHABET: &[u8] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
/// What random codes are made of: without vowels, or digits read as such, they spell nothing.
const SPELLS_NOTHING: &[u8] = b"2679CDFGHJMNPQRTVWXYZ";
const LEAST: usize = 4;
const MOST: usize = 12;
/// Characters of a code nobody thought of.
const RANDOM: usize = 6;

/// A code of 4 to 12 characters, in upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias {
    /// Zeros after the end.
    bytes: [u8; MOST],
}

/// Why a text is no alias. The message says what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasError {
    Length,
    /// A character that is none of ours, as it is heard or read for another one.
    Character(char),
    Offensive,
}

impl fmt::Display for AliasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => {
                write!(f, "must be {LEAST} to {MOST} letters and digits, for example TEE4K7")
            }
            Self::Character(c) => write!(
                f,
                "must not hold {c:?}: letters and digits only, without those that look alike (I, L, O, 0, 1)"
            ),
            Self::Offensive => f.write_str("must be a word that offends nobody"),
        }
    }
}

impl std::error::Error for AliasError {}

impl Alias {
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(MOST);
        self.bytes.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Reads what somebody typed: in any case, with spaces and hyphens wherever they are, and with
    /// whatever stands around it.
    pub fn read(text: &str) -> Result<Self, AliasError> {
        let (mut bytes, mut length) = ([0; MOST], 0);
        for typed in one_word(text).chars().filter(|c| !matches!(c, '-' | ' ')) {
            let upper = typed.to_ascii_uppercase();
            let known = u8::try_from(upper).ok().filter(|byte| ALPHABET.contains(byte));
            let byte = known.ok_or(AliasError::Character(upper))?;
            *bytes.get_mut(length).ok_or(AliasError::Length)? = byte;
            length += 1;
        }
        if length < LEAST { Err(AliasError::Length) } else { Ok(Self { bytes }) }
    }

    /// Reads what somebody chose: besides, it must offend nobody.
    pub fn choose(text: &str) -> Result<Self, AliasError> {
        let alias = Self::read(text)?;
        if is_offensive(alias.as_str()) { Err(AliasError::Offensive) } else { Ok(alias) }
    }

    /// A code nobody thought of.
    pub fn random(random: [u8; 8]) -> Self {
        let mut alias = Self { bytes: [0; MOST] };
        alias.fill(0..RANDOM, random);
        alias
    }

    /// A code like the text that was refused, as far as there can be one.
    pub fn instead_of(text: &str, random: [u8; 8]) -> Self {
        let typed = text.bytes().map(|byte| byte.to_ascii_uppercase());
        let kept: String =
            typed.filter(|byte| ALPHABET.contains(byte)).take(MOST).map(char::from).collect();
        let mut alias = Self { bytes: [0; MOST] };
        for (room, byte) in alias.bytes.iter_mut().zip(kept.bytes()) {
            *room = byte;
        }
        if kept.len() < LEAST {
            alias.fill(kept.len()..RANDOM, random);
        }
        Self::choose(alias.as_str()).unwrap_or_else(|_| Self::random(random))
    }

    /// A code like one that is taken: two characters longer.
    #[must_use]
    pub fn beside(self, random: [u8; 8]) -> Self {
        let start = self.as_str().len().min(MOST - 2);
        let mut alias = self;
        alias.fill(start..start + 2, random);
        if is_offensive(alias.as_str()) { Self::random(random) } else { alias }
    }

    fn fill(&mut self, range: std::ops::Range<usize>, random: [u8; 8]) {
        let room = self.bytes.get_mut(range).into_iter().flatten();
        for (byte, random) in room.zip(random) {
            let choice = usize::from(random) % SPELLS_NOTHING.len();
            *byte = SPELLS_NOTHING.get(choice).copied().unwrap_or(b'X');
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for Alias {
    type Err = AliasError;

    /// Reads it as it is shown and stored, and in no other way.
    fn from_str(text: &str) -> Result<Self, AliasError> {
        let alias = Self::read(text)?;
        if alias.as_str() == text { Ok(alias) } else { Err(AliasError::Length) }
    }
}

/// That a customer chose an alias, and in which minute that was accepted. Of several claims on one
/// alias the first in this order is good. Shown, and stored, as `202611220800.0123456789a0`.
///
/// Of a customer who was erased a claim stays that names nobody, `202611220800.-`: it is the first of
/// its minute, so the alias is taken and stands for nobody, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AliasClaim {
    pub at: Minute,
    pub customer: Option<CustomerPseudonym>,
}

impl AliasClaim {
    pub const fn of(at: Minute, customer: CustomerPseudonym) -> Self {
        Self { at, customer: Some(customer) }
    }

    pub fn is_of(self, customer: CustomerPseudonym) -> bool {
        self.customer == Some(customer)
    }

    /// What is left of a claim when its customer is erased.
    #[must_use]
    pub const fn of_nobody(self) -> Self {
        Self { customer: None, ..self }
    }

    /// Whether no earlier claim can come to light any more, for an order that is accepted in that
    /// minute. The minute is the one that ends next, so the order came up to a minute before it.
    pub fn is_sure(self, minute: Minute) -> bool {
        self.at.plus(SETTLE) < minute || mutation::is_on(Mutation::AliasAtOnce)
    }

    /// Until when it is only reserved, as people are told: by then it is sure by every clock.
    pub fn reserved_until(self) -> Minute {
        self.at.plus(SETTLE + MINUTE)
    }
}

impl fmt::Display for AliasClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.customer {
            Some(customer) => write!(f, "{}.{customer}", self.at),
            None => write!(f, "{}.-", self.at),
        }
    }
}

impl FromStr for AliasClaim {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (at, customer) = text.split_once('.').ok_or(IdError::Pseudonym)?;
        let at = at.parse().map_err(|_| IdError::Pseudonym)?;
        let customer = if customer == "-" { None } else { Some(customer.parse()?) };
        Ok(Self { at, customer })
    }
}

/// Whose an alias is, for an order that is accepted in that minute, and since when: of the claims that
/// are sure by then, the first. So it is the same wherever it is asked.
pub fn owner(claims: &[AliasClaim], minute: Minute) -> Option<(CustomerPseudonym, Minute)> {
    let first = claims.iter().filter(|claim| claim.is_sure(minute)).min()?;
    first.customer.map(|customer| (customer, first.at))
}

/// Words that insult or threaten somebody, German and English, wherever they stand in a code. Those
/// with `I`, `L` or `O` are not here: no code can spell them, as no digit stands
/// for these. Numbers are written as the letters they are read for.
const OFFENSIVE: &str = "ACAB AHBB ANUS ARSCH BASTARD BBAH BBHH BUMSEN CRAP CUNT DEPP DRECKSAU DUMBASS DUMM FAGG \
    FAGS FCK FCUK FUCK FUK GESTAP HHBB HURE JACKASS JUDENHASS JUDENSAU KACKE KKK KRUEPPE \
    NEGER NUTTE PENNER PHUCK PUSSY RAPE SAUSACK SCHWANZ SCHWUCHTE SEX SPAST TUNTE TURD TWAT \
    WANKER";
/// Plain words that hold one of those.
const PLAIN: &str = "BARSCH DRAPE ESSEX GRAPE HARSCH JANUS MANUS MARSCH SATURDAY SCHURE SCRAP SEXTANT SEXTETT \
    STURDY SUSSEX TRAPEZ";

/// Whether a text in upper case holds such a word, be it with digits for letters or with letters
/// repeated.
fn is_offensive(text: &str) -> bool {
    let letters: String = text.chars().map(as_letter).collect();
    let letters = PLAIN.split(' ').fold(letters, |letters, plain| letters.replace(plain, "-"));
    let mut once: Vec<char> = letters.chars().collect();
    once.dedup();
    let once: String = once.into_iter().collect();
    [letters, once].iter().any(|text| OFFENSIVE.split(' ').any(|word| text.contains(word)))
}

/// The letter a digit is read for.
const fn as_letter(c: char) -> char {
    match c {
        '2' => 'Z',
        '3' => 'E',
        '4' => 'A',
        '5' => 'S',
        '6' | '9' => 'G',
        '7' => 'T',
        '8' => 'B',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_read_as_people_type_it_and_stored_in_one_way() {
        for typed in [
            "TEE4K7",
            "tee4k7",
            " tee-4K7 ",
            "T-E-E 4K7",
            "TEE\u{a0}4K7",
            "TEE4K7.",
            "TEE–4K7",
            "„TEE4K7“",
            "TEE\u{ad}4K7",
            "(tee—4k7)",
            "ＴＥＥ４Ｋ７",
            "TEE\n4K7",
        ] {
            assert_eq!(Alias::read(typed).unwrap().as_str(), "TEE4K7", "{typed}");
            assert_eq!(typed.parse::<Alias>().is_ok(), typed == "TEE4K7", "{typed}");
        }
        for (typed, right) in [
            ("", Err(AliasError::Length)),
            ("TEE", Err(AliasError::Length)),
            ("----", Err(AliasError::Length)),
            ("TEE/", Err(AliasError::Length)),
            ("TEE4", Ok("TEE4")),
            ("TEE4TEE4TEE4", Ok("TEE4TEE4TEE4")),
            ("TEE4TEE4TEE4T", Err(AliasError::Length)),
            ("KLASSE", Err(AliasError::Character('L'))),
            ("ann1ka", Err(AliasError::Character('1'))),
            ("tee0k7", Err(AliasError::Character('0'))),
            ("toe4k7", Err(AliasError::Character('O'))),
            ("mira27", Err(AliasError::Character('I'))),
            ("käse", Err(AliasError::Character('ä'))),
            ("a/b/c", Err(AliasError::Character('/'))),
            ("a.b.c", Err(AliasError::Character('.'))),
            ("TEE_4K7", Err(AliasError::Character('_'))),
        ] {
            let read = Alias::read(typed);
            assert_eq!(read.as_ref().map(Alias::as_str).map_err(|error| *error), right, "{typed}");
        }
    }

    #[test]
    fn what_offends_is_no_alias_however_it_is_written() {
        for bad in [
            "ARSCH",
            "MEGAARSCH",
            "ARSCHBARSCH",
            "4R5CH",
            "FUCK",
            "FUCKYU",
            "FFUUCCKK",
            "F-U-C-K",
            "HURE",
            "HUR3N",
            "SEX4",
            "53XY",
            "NUTTE",
            "NU77E",
            "N3G3R",
            "HHBB",
            "KKK2",
            "RAPEME",
            "CUN7",
        ] {
            assert_eq!(Alias::choose(bad), Err(AliasError::Offensive), "{bad}");
        }
        for good in [
            "TEE4K7",
            "KASSE",
            "TASSE",
            "WASSER",
            "PASSAU",
            "MASSE",
            "BARSCH",
            "MARSCHTEE",
            "ESSEX",
            "JANUS",
            "TRAPEZ",
            "GRAPES",
            "SAUNA",
            "SAUER",
            "FUCHS",
            "SCHURE",
            "PASSAU88",
            "ANNA88",
            "HAMBURG88",
            "SPATZ",
            "KUCKUCK",
        ] {
            assert_eq!(Alias::choose(good).map(|alias| alias.to_string()), Ok(good.to_owned()));
        }
        // The rule itself, on words that hold a letter no alias has.
        assert!(!is_offensive("KLASSE"));
        assert!(is_offensive("KLOFUCK"));
    }

    #[test]
    fn every_word_of_the_lists_is_needed() {
        let letter = |c: char| u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte));
        for (index, word) in OFFENSIVE.split(' ').enumerate() {
            assert!(word.chars().all(letter), "{word} can never be spelled");
            let others = OFFENSIVE.split(' ').enumerate().filter(|(at, _)| *at != index);
            assert!(
                others.clone().all(|(_, other)| !word.contains(other)),
                "{word} is held by another"
            );
        }
        for word in PLAIN.split(' ') {
            assert!(word.chars().all(letter), "{word} can never be chosen");
            assert!(OFFENSIVE.split(' ').any(|bad| word.contains(bad)), "{word} holds none");
        }
    }

    #[test]
    fn a_random_alias_spells_nothing() {
        let spelled = |word: &&str| {
            let mut letters = word.bytes();
            letters.all(|byte| {
                SPELLS_NOTHING
                    .iter()
                    .any(|c| *c == byte || as_letter(char::from(*c)) == char::from(byte))
            })
        };
        assert_eq!(OFFENSIVE.split(' ').find(spelled), None);
        assert_eq!(Alias::random([0; 8]).as_str(), "222222");
        assert_eq!(Alias::random([0, 1, 2, 3, 4, 5, 6, 7]).as_str(), "2679CD");
        assert_eq!(Alias::random([255; 8]).as_str().len(), RANDOM);
    }

    #[test]
    fn a_suggestion_is_near_what_was_wanted_and_can_be_chosen() {
        let random = [3, 4, 5, 6, 7, 8, 9, 10];
        for (wanted, instead) in [
            ("KLASSE", "KASSE"),
            ("ann1ka", "ANNKA"),
            ("oliver", "VER9CD"),
            ("", "9CDFGH"),
            ("äöü", "9CDFGH"),
            ("FUCKYOU", "9CDFGH"),
            ("4R5CH", "9CDFGH"),
            ("Darjeeling-First-Flush", "DARJEENGFRST"),
        ] {
            let suggested = Alias::instead_of(wanted, random);
            assert_eq!(suggested.as_str(), instead, "{wanted}");
            assert_eq!(Alias::choose(instead), Ok(suggested));
        }
        for (taken, beside) in [("TEE4K7", "TEE4K79C"), ("TEE4TEE4TEE4", "TEE4TEE4TE9C")] {
            assert_eq!(taken.parse::<Alias>().unwrap().beside(random).as_str(), beside);
        }
    }

    #[test]
    fn an_alias_belongs_to_the_first_claim_that_is_sure() {
        let claim = |text: &str| text.parse::<AliasClaim>().unwrap();
        let (anna, ben) = (claim("202611220800.0123456789a0"), claim("202611220800.1123456789a0"));
        let late = claim("202611220801.0023456789a0");
        assert_eq!(anna.to_string(), "202611220800.0123456789a0");
        assert_eq!(anna.reserved_until().to_string(), "202611220811");
        let nobody = claim("202611220800.-");
        assert_eq!((nobody, nobody.to_string().as_str()), (anna.of_nobody(), "202611220800.-"));
        let minute = |text: &str| text.parse::<Minute>().unwrap();
        for (claims, at, right) in [
            (vec![anna], "202611220809", None),
            (vec![anna], "202611220810", None),
            (vec![anna], "202611220811", Some(anna)),
            (vec![ben, anna], "202611220811", Some(anna)),
            (vec![late], "202611220811", None),
            (vec![late, ben], "202611220812", Some(ben)),
            (vec![late, ben, anna], "202701010000", Some(anna)),
            (vec![], "202701010000", None),
            // Who was erased owns nothing, and nobody else either.
            (vec![anna, ben, nobody], "202611220811", None),
            (vec![late, nobody], "202701010000", None),
        ] {
            let right = right.and_then(|claim| claim.customer.map(|customer| (customer, claim.at)));
            assert_eq!(owner(&claims, minute(at)), right, "{claims:?} at {at}");
        }
        for bad in
            ["", "202611220800", "202611220800.x", "x.0123456789a0", "202611220800.0123456789a0.x"]
        {
            assert!(bad.parse::<AliasClaim>().is_err(), "{bad}");
        }
    }
}
