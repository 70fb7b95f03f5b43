//! Words that the shop has given a meaning: coupons that stand for a customer, and words that no
//! customer can take for an alias.
//!
//! Which of them count for an order is decided at one instant, the earlier of when it occurred and
//! when it was accepted, and by the terms that were valid then. So a coupon that is listed or a word
//! that is reserved later changes nothing about an order that was placed before.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Coupon, Program, Version, Versions};
use crate::decode::{Fields, Invalid};
use crate::ids::{CustomerId, CustomerPseudonym};
use crate::keys::ProgramKeys;
use crate::reward::Label;
use crate::time::Instant;
use crate::values::one_word::{folded, letters};

/// Listed coupons of a program, and reserved words.
const MOST: usize = 200;
/// Characters of one of them.
const LONGEST: usize = 64;

/// A code of the merchant's own that proves a referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCoupon {
    pub code: String,
    pub stands_for: StandsFor,
}

/// The customer for whom a listed coupon stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandsFor {
    /// As the merchant sends it, and is told: never stored.
    Id(CustomerId),
    /// As stored: terms hold no readable id.
    Customer(CustomerPseudonym),
    /// The customer was erased. The code stays listed and proves nothing.
    Nobody,
}

impl Serialize for ListedCoupon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("code", &self.code)?;
        match &self.stands_for {
            StandsFor::Id(id) => map.serialize_entry("customer_id", id.as_str())?,
            StandsFor::Customer(customer) => {
                map.serialize_entry("customer", &customer.to_string())?;
            }
            StandsFor::Nobody => map.serialize_entry("customer_id", &None::<&str>)?,
        }
        map.end()
    }
}

/// Reads `coupons`.
pub(super) fn coupons(f: &mut Fields, own: Option<&Coupon>) -> Result<Vec<ListedCoupon>, Invalid> {
    let own = own.map(|coupon| folded(&coupon.code));
    let mut known: Vec<String> = Vec::new();
    let mut listed = Vec::new();
    for mut f in f.objects("coupons", MOST)?.unwrap_or_default() {
        let code = f.text("code", LONGEST)?;
        let code =
            f.required("code", code, "the coupon as the shop knows it, for example SOMMER")?;
        let word = folded(&code);
        let problem = match &own {
            _ if word.is_empty() => Some("must hold a letter or a digit"),
            Some(own) if *own == word => Some("is the program's own coupon, which everybody has"),
            _ if known.contains(&word) => Some("is listed twice, as people may type it"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(f.invalid("code", problem));
        }
        known.push(word);
        let id: Option<CustomerId> = f.read("customer_id")?;
        let stored: Option<CustomerPseudonym> = f.read("customer")?;
        f.finish()?;
        let stands_for = match (id, stored) {
            (Some(id), _) => StandsFor::Id(id),
            (None, Some(customer)) => StandsFor::Customer(customer),
            (None, None) => StandsFor::Nobody,
        };
        listed.push(ListedCoupon { code, stands_for });
    }
    Ok(listed)
}

/// Reads `reserved`.
pub(super) fn reserved(f: &mut Fields) -> Result<Vec<String>, Invalid> {
    let words: Vec<String> = f.read_list("reserved", MOST)?;
    for (index, word) in words.iter().enumerate() {
        let is_plain = word.chars().take(LONGEST + 1).count() <= LONGEST
            && !word.chars().any(char::is_control)
            && !letters(word).is_empty();
        if !is_plain {
            let field = format!("reserved[{index}]");
            let right = format!("must be 1 to {LONGEST} characters, one a letter or a digit");
            return Err(f.invalid(&field, right));
        }
    }
    Ok(words)
}

impl Program {
    /// The terms as they are stored, with pseudonyms in place of customer ids, and those ids.
    #[must_use]
    pub fn at_rest(mut self, keys: &ProgramKeys) -> (Self, Vec<CustomerId>) {
        let mut ids = Vec::new();
        for coupon in &mut self.coupons {
            if let StandsFor::Id(id) = &coupon.stands_for {
                let customer = keys.customer(id);
                ids.push(id.clone());
                coupon.stands_for = StandsFor::Customer(customer);
            }
        }
        (self, ids)
    }

    /// Whether these terms alone make a word the shop's own. `word` holds letters and digits only.
    fn reserves(&self, word: &str) -> bool {
        let pools = self.rewards.iter().filter_map(|rule| rule.pool.as_ref());
        let listed = self.coupons.iter().map(|coupon| coupon.code.as_str());
        let words = self.reserved.iter().map(String::as_str);
        let mut all = listed.chain(words).chain(pools.map(Label::as_str));
        all.any(|own| letters(own) == word)
    }

    fn has_coupon(&self, word: &str) -> bool {
        self.coupon.as_ref().is_some_and(|coupon| letters(&coupon.code) == word)
    }
}

/// What a coupon is to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The merchant listed it.
    Listed(StandsFor),
    /// It begins with the program's own coupon, and this follows: an alias or a code.
    Friend(String),
    /// The program's own coupon, or a code of the shop that says nothing of a referral.
    Plain,
    /// A word that is the shop's own.
    Reserved,
}

impl Versions {
    /// What a coupon meant at that instant.
    pub fn meaning(&self, coupon: &str, at: Instant) -> Meaning {
        let word = folded(coupon);
        let listed = self.current(at).and_then(|version| {
            version.terms.coupons.iter().find(|listed| folded(&listed.code) == word)
        });
        if let Some(listed) = listed {
            return Meaning::Listed(listed.stands_for.clone());
        }
        // Whoever keeps the coupon of an older version has it in print.
        let own = self.until(at).filter_map(|version| version.terms.coupon.as_ref());
        let own: Vec<String> = own.map(|coupon| folded(&coupon.code)).collect();
        if own.contains(&word) {
            return Meaning::Plain;
        }
        let after = |own: &String| word.strip_prefix(own.as_str())?.strip_prefix('-');
        // Of `FREUND` and `FREUND-10` the longer one is meant.
        let named = own.iter().filter_map(after).min_by_key(|rest| rest.len());
        match named {
            Some(rest) => Meaning::Friend(rest.to_owned()),
            None if self.reserves(&letters(&word), at) => Meaning::Reserved,
            None => Meaning::Plain,
        }
    }

    /// Whether a word was the shop's own at that instant.
    pub fn reserves(&self, word: &str, at: Instant) -> bool {
        is_usual(word)
            || self.until(at).any(|version| version.terms.has_coupon(word))
            || self.current(at).is_some_and(|version| version.terms.reserves(word))
    }

    /// Whether a word is the shop's own, or will be by terms that are known now: nobody can choose it.
    pub fn keeps(&self, word: &str, now: Instant) -> bool {
        let own = |version: &Version| {
            let terms = &version.terms;
            version.valid_from > now && (terms.reserves(word) || terms.has_coupon(word))
        };
        self.reserves(word, now) || self.all().any(own)
    }

    /// What was valid at that instant or before; before the program began, its first version.
    fn until(&self, at: Instant) -> impl Iterator<Item = &Version> {
        let first = self.first().map(|version| version.number);
        self.all().filter(move |version| version.valid_from <= at || Some(version.number) == first)
    }
}

/// What shops call their campaigns, German and English. A number may follow.
const USUAL: &str = "ADVENT ANGEBOT AUTUMN BIRTHDAY BLACKFRIDAY BLACKWEEK BONUS CASHBACK CODE COUPON CYBER \
    CYBERMONDAY CYBERWEEK DANKE DEAL DEALS DISCOUNT EASTER EXTRA FIRST FLASHSALE FREE FREEDELIVERY FREESHIPPING \
    FREI FREUND FREUNDE FRIEND FRIENDS FRUEHJAHR FRUEHLING FRÜHJAHR FRÜHLING GEBURTSTAG GESCHENK GIFT GRATIS \
    GUTSCHEIN HALLO HALLOWEEN HELLO HERBST JUBILAEUM KOSTENLOS MUTTERTAG NEU NEUKUNDE NEUKUNDEN NEW NEWCUSTOMER \
    NEWSLETTER NIKOLAUS OFFER OSTERN OUTLET PROMO PROMOTION RABATT SALE SAVE SCHLUSSVERKAUF SILVESTER SINGLESDAY \
    SOMMER SOMMERSALE SPAREN SPECIAL SPRING STAMMKUNDE START SUMMER SUMMERSALE TEST THANKS VALENTIN VATERTAG \
    VERSAND VERSANDFREI VIP VOUCHER WEIHNACHT WEIHNACHTEN WELCOME WILLKOMMEN WINTER WINTERSALE WSV XMAS";

fn is_usual(word: &str) -> bool {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    !stem.is_empty() && USUAL.split_ascii_whitespace().any(|usual| usual == stem)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::decode::InvalidKind;
    use crate::ids::Digest;

    fn terms(changes: &Value) -> Result<Program, Invalid> {
        let mut body = json!({
            "id": "teehaus", "preset": "20-10", "name": "Teehaus Nord",
            "landing_url": "https://shop.example/", "coupon": { "code": "FREUND10" },
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        Program::from_preset(body.to_string().as_bytes())
    }

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn versions(all: &[(&str, Value)]) -> Versions {
        let version = |(from, changes): &(&str, Value)| {
            (at(&format!("2026-{from}T00:00:00Z")), Digest([0; 10]), terms(changes).unwrap())
        };
        Versions::new(all.iter().map(version).collect())
    }

    #[test]
    fn what_is_listed_and_reserved_is_read_and_written_again() {
        let changes = json!({
            "coupons": [{ "code": "SOMMER", "customer_id": "10023" }, { "code": "Anna-Tee", "customer_id": null }],
            "reserved": ["HERBST25", "tee"],
        });
        let program = terms(&changes).unwrap();
        let written = serde_json::to_value(&program).unwrap();
        assert_eq!(
            (&written["coupons"], &written["reserved"]),
            (&changes["coupons"], &changes["reserved"])
        );
        assert_eq!(Program::parse(written.to_string().as_bytes()), Ok(program.clone()));
        let secret = crate::text::base64url(&[7; 32]);
        let secrets =
            crate::keys::Secrets::parse(&format!("0:{secret}"), &secret, &secret).unwrap();
        let keys = secrets.program(&"teehaus".parse().unwrap());
        let (stored, ids) = program.at_rest(&keys);
        let text = serde_json::to_string(&stored).unwrap();
        assert!(!text.contains("10023"), "{text}");
        assert_eq!(ids, ["10023".parse().unwrap()]);
        assert_eq!(Program::parse(text.as_bytes()), Ok(stored));
    }

    #[test]
    fn a_wrong_word_is_named() {
        let many: Vec<Value> = (0..201).map(|n| json!({ "code": format!("C{n}") })).collect();
        for (changes, field) in [
            (json!({ "coupons": [{ "customer_id": "1" }] }), "coupons[0].code"),
            (json!({ "coupons": [{ "code": "…" }] }), "coupons[0].code"),
            (json!({ "coupons": [{ "code": "x".repeat(65) }] }), "coupons[0].code"),
            (json!({ "coupons": [{ "code": "freund10" }] }), "coupons[0].code"),
            (json!({ "coupons": [{ "code": "A-B" }, { "code": "a b." }] }), "coupons[1].code"),
            (json!({ "coupons": [{ "code": "A", "customer_id": "0" }] }), "coupons[0].customer_id"),
            (json!({ "coupons": [{ "code": "A", "alias": "B" }] }), "coupons[0].alias"),
            (json!({ "coupons": many }), "coupons"),
            (json!({ "reserved": [""] }), "reserved[0]"),
            (json!({ "reserved": ["A", "-"] }), "reserved[1]"),
            (json!({ "reserved": ["x".repeat(65)] }), "reserved[0]"),
            (json!({ "reserved": "HERBST" }), "reserved"),
        ] {
            let error = terms(&changes).unwrap_err();
            assert_eq!(error.field, field, "{changes}");
            assert_ne!(error.kind, InvalidKind::Json);
        }
    }

    #[test]
    fn a_coupon_and_an_alias_are_two_namespaces() {
        let of = versions(&[(
            "11-01",
            json!({ "coupons": [{ "code": "TEE TIME", "customer_id": "10023" }], "reserved": ["AKTION"] }),
        )]);
        let anna = || Meaning::Listed(StandsFor::Id("10023".parse().unwrap()));
        for (coupon, meaning) in [
            ("TEE TIME", anna()),
            ("tee-time.", anna()),
            ("FREUND10-TASSE", Meaning::Friend("TASSE".to_owned())),
            ("freund10–tasse", Meaning::Friend("TASSE".to_owned())),
            ("FREUND10 TASSE", Meaning::Friend("TASSE".to_owned())),
            ("FREUND10-TAS-SE", Meaning::Friend("TAS-SE".to_owned())),
            ("FREUND10", Meaning::Plain),
            ("freund10-", Meaning::Plain),
            ("TASSE", Meaning::Plain),
            ("FREUND10TASSE", Meaning::Plain),
            ("newsletter-herz", Meaning::Plain),
            ("newsletter5", Meaning::Reserved),
            ("AKTION", Meaning::Reserved),
            ("Sale 30", Meaning::Reserved),
            ("", Meaning::Plain),
        ] {
            assert_eq!(of.meaning(coupon, at("2026-11-02T00:00:00Z")), meaning, "{coupon}");
        }
    }

    #[test]
    fn words_count_by_the_terms_of_their_time() {
        let of = versions(&[
            ("11-01", json!({ "coupon": { "code": "ALT10" } })),
            ("11-10", json!({ "reserved": ["TASSE"], "coupons": [{ "code": "KANNE" }] })),
            ("11-20", json!({})),
        ]);
        let (first, second, third) =
            (at("2026-11-02T00:00:00Z"), at("2026-11-10T00:00:00Z"), at("2026-11-21T00:00:00Z"));
        for (word, right) in [
            ("TASSE", [false, true, false]),
            ("KANNE", [false, true, false]),
            // The program's own coupons stay its own.
            ("ALT10", [true, true, true]),
            ("FREUND10", [true, true, true]),
            ("HERBST25", [true, true, true]),
            ("HAFEN", [false, false, false]),
        ] {
            let right = if word == "FREUND10" { [true; 3] } else { right };
            assert_eq!([first, second, third].map(|at| of.reserves(word, at)), right, "{word}");
        }
        assert!(of.keeps("TASSE", first), "it will be the shop's own");
        assert!(!of.keeps("TASSE", third));
        assert_eq!(of.meaning("ALT10-HAFEN", third), Meaning::Friend("HAFEN".to_owned()));
        assert_eq!(of.meaning("FREUND10-HAFEN", first), Meaning::Plain, "not known yet");
        assert_eq!(of.meaning("KANNE", second), Meaning::Listed(StandsFor::Nobody));
        assert_eq!(of.meaning("KANNE", first), Meaning::Plain);
    }

    #[test]
    fn usual_words_of_campaigns_are_nobodys_alias() {
        for word in ["SALE", "SALE24", "HERBST25", "RABATT", "NEU22", "XMAS", "FREE", "FRÜHLING26"]
        {
            assert!(is_usual(word), "{word}");
        }
        for word in ["TASSE", "TEE4K7", "25", "", "HERBSTTEE", "SALES", "NEUSS"] {
            assert!(!is_usual(word), "{word}");
        }
        let mut sorted: Vec<_> = USUAL.split_ascii_whitespace().collect();
        assert!(sorted.iter().all(|word| letters(word) == *word));
        sorted.dedup();
        assert_eq!(sorted.len(), USUAL.split_ascii_whitespace().count());
    }
}
