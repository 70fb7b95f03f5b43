//! Keys, pseudonyms, seals, codes and click tokens: pinned bytes, and refusal of everything else.
//! The fixtures were computed by an independent implementation (Python's hmac and OpenSSL's
//! AES-SIV) from the description in `keys.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use passalong_core::channel::Channel;
use passalong_core::click_token::{self, ClickToken};
use passalong_core::code::{self, CodeError};
use passalong_core::ids::{CustomerPseudonym, ProgramId};
use passalong_core::keys::{KeyProblem, ProgramKeys, SecretFlaw, SecretName, Secrets};
use passalong_core::seal::Sealed;
use passalong_core::text;
use passalong_core::time::Instant;
use proptest::prelude::*;
use serde_json::Value;

fn fixture(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn known() -> Value {
    fixture(include_str!("../fixtures/secrets.json"))
}

fn vectors() -> Value {
    fixture(include_str!("../fixtures/tokens.json"))
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn secrets() -> Secrets {
    let known = known();
    let [signing, merchant, pseudonym] =
        ["signing_keys", "merchant_key", "pseudonym_key"].map(|name| text_of(&known[name]));
    Secrets::parse(signing, merchant, pseudonym).unwrap()
}

fn program(slug: &str) -> ProgramId {
    slug.parse().unwrap()
}

fn keys() -> ProgramKeys {
    secrets().program(&program("teehaus"))
}

/// The same text with one bit flipped, where it is still text.
fn flipped(text: &str, bit: usize) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    String::from_utf8(bytes).ok()
}

fn all_flips(text: &str) -> impl Iterator<Item = String> {
    (0..text.len() * 8).filter_map(move |bit| flipped(text, bit))
}

#[test]
fn every_key_is_the_one_pinned() {
    let (known, secrets, teehaus) = (known(), secrets(), program("teehaus"));
    assert_eq!(known["program"], "teehaus");
    assert_eq!(known["server_api_key"], secrets.api_key(&teehaus, 1));
    assert_eq!(known["operator_key"], secrets.operator_key(1));
    assert_eq!(known["operator_key_2"], secrets.operator_key(2));
    assert_eq!(known["identity_secret"], secrets.identity_secret(&teehaus, 1));
    assert_eq!(known["template_secret"], secrets.template_secret(&teehaus, 1));
    assert_eq!(known["conversion_secret"], secrets.conversion_secret(&teehaus, 1));
}

#[test]
fn every_pseudonym_is_the_one_pinned() {
    let (vectors, keys) = (vectors(), keys());
    let show = |path: &str| text_of(vectors.pointer(path).unwrap());

    let customer = keys.customer(&show("/customer/id").parse().unwrap());
    assert_eq!(customer.to_string(), show("/customer/pseudonym"));
    let order = show("/order/id").parse().unwrap();
    assert_eq!(keys.order(&order).to_string(), show("/order/pseudonym"));
    let hint = keys.hint(&show("/hint/sha256").parse().unwrap());
    assert_eq!(hint.to_string(), show("/hint/pseudonym"));
    assert_eq!(show("/event/order_id"), order.as_str());
    let event = keys.event(&order, &show("/event/event_id").parse().unwrap());
    assert_eq!(event.to_string(), show("/event/digest"));
    let content = keys.digest(show("/content/text").as_bytes());
    assert_eq!(content.to_string(), show("/content/digest"));

    for visitor in vectors["visitors"].as_array().unwrap() {
        let [day, address, agent, hex] =
            ["day", "address", "agent", "hex"].map(|name| text_of(&visitor[name]));
        let made = keys.visitor(day.parse().unwrap(), address, agent);
        assert_eq!(data_encoding::HEXLOWER.encode(&made), hex, "{day} {address}");
    }
}

#[test]
fn every_token_and_seal_is_the_one_pinned() {
    let (vectors, keys) = (vectors(), keys());
    let show = |path: &str| text_of(vectors.pointer(path).unwrap());
    let customer: CustomerPseudonym = show("/customer/pseudonym").parse().unwrap();

    assert_eq!(code::issue(&keys, customer), show("/code/current"));
    assert_eq!(code::verify(&keys, show("/code/current")), Ok(customer));
    assert_eq!(code::verify(&keys, show("/code/older_key")), Ok(customer));

    let nonce = data_encoding::HEXLOWER.decode(show("/click_token/nonce").as_bytes()).unwrap();
    let click = ClickToken {
        customer,
        at: show("/click_token/at").parse().unwrap(),
        channel: show("/click_token/channel").parse().unwrap(),
        nonce: nonce.try_into().unwrap(),
    };
    assert_eq!(click.sign(&keys), show("/click_token/token"));
    assert_eq!(click_token::verify(&keys, show("/click_token/token")), Ok(click));

    let kinds = [Sealed::Customer, Sealed::Order, Sealed::Event, Sealed::Reference];
    let sealed = vectors["sealed"].as_array().unwrap();
    assert_eq!(sealed.len(), kinds.len());
    for (vector, kind) in sealed.iter().zip(kinds) {
        let [plain, sealed] = ["text", "sealed"].map(|name| text_of(&vector[name]));
        assert_eq!(vector["kind"], format!("{kind:?}").to_lowercase());
        assert_eq!(keys.seal(kind, plain), sealed);
        assert_eq!(keys.open(kind, sealed).as_deref(), Some(plain));
    }
}

#[test]
fn a_secret_that_is_no_secret_is_named_and_not_shown() {
    let good = text::base64url(&[7; 32]);
    let short = text::base64url(&[7; 31]);
    let one = format!("0:{good}");
    let signing = |signing: &str| Secrets::parse(signing, &good, &good).map(|_| ()).unwrap_err();
    for (list, flaw) in [
        (String::new(), SecretFlaw::Empty),
        (format!("{one},"), SecretFlaw::Empty),
        (good.clone(), SecretFlaw::Entry),
        (format!("16:{good}"), SecretFlaw::Kid),
        (format!("+1:{good}"), SecretFlaw::Kid),
        (format!(":{good}"), SecretFlaw::Kid),
        (format!("300:{good}"), SecretFlaw::Kid),
        (format!("{one},1:{good},0:{good}"), SecretFlaw::DuplicateKid(0)),
        (format!("0:{short}"), SecretFlaw::TooShort { bytes: 31 }),
        ("0:".to_owned(), SecretFlaw::Empty),
        (format!("0:{good}="), SecretFlaw::Encoding),
        (format!("0:{good} "), SecretFlaw::Encoding),
    ] {
        let error = signing(&list);
        assert_eq!((error.secret, error.flaw), (SecretName::SigningKeys, flaw), "{list}");
        assert!(error.to_string().starts_with("SIGNING_KEYS "), "{error}");
        assert!(!error.to_string().contains(&good[..8]), "{error}");
    }
    assert!(Secrets::parse(&format!("15:{good},0:{good}"), &good, &good).is_ok());

    let merchant = Secrets::parse(&one, &short, &good).map(|_| ()).unwrap_err();
    assert_eq!(
        merchant.to_string(),
        "MERCHANT_KEY must be at least 32 bytes before base64url, not 31"
    );
    let pseudonym = Secrets::parse(&one, &good, "").map(|_| ()).unwrap_err();
    assert_eq!(pseudonym.to_string(), "PSEUDONYM_KEY is missing or empty");
}

#[test]
fn keys_are_never_printed() {
    assert_eq!(format!("{:?}", secrets()), "Secrets { .. }");
    assert_eq!(format!("{:?}", keys()), "ProgramKeys { program: ProgramId(\"teehaus\"), .. }");
}

#[test]
fn an_api_key_opens_its_own_program_and_generation_only() {
    let (secrets, teehaus) = (secrets(), program("tee-haus"));
    for generation in [1, 2, u32::MAX] {
        let key = secrets.api_key(&teehaus, generation);
        assert_eq!(secrets.check_api_key(&key), Ok((teehaus.clone(), generation)));
        let operator = secrets.operator_key(generation);
        assert_eq!(
            secrets.clone().with_operator_generation(generation).check_operator_key(&operator),
            Ok(())
        );
        let default = if generation == 1 { Ok(()) } else { Err(KeyProblem::Revoked) };
        assert_eq!(secrets.check_operator_key(&operator), default);
    }
    let key = secrets.api_key(&teehaus, 1);
    let mac = key.strip_prefix("sk_tee-haus_1_").unwrap();
    let operator = secrets.operator_key(1);
    for (key, problem) in [
        (String::new(), KeyProblem::Missing),
        (format!("sk_teehaus_1_{mac}"), KeyProblem::WrongSignature),
        (format!("sk_tee-haus_2_{mac}"), KeyProblem::WrongSignature),
        (format!("sk_tee-haus_01_{mac}"), KeyProblem::WrongSignature),
        (format!("sk_tee-haus_+1_{mac}"), KeyProblem::WrongSignature),
        (key.to_uppercase(), KeyProblem::Malformed),
        (format!("sk_tee-haus_1_{}", mac.to_uppercase()), KeyProblem::WrongSignature),
        (format!("sk_tee-haus_4294967296_{mac}"), KeyProblem::Malformed),
        (format!("sk_tee-haus_1_{mac}_"), KeyProblem::Malformed),
        (format!("{key}0"), KeyProblem::Malformed),
        (format!(" {key}"), KeyProblem::Malformed),
        (operator.clone(), KeyProblem::Malformed),
        (secrets.identity_secret(&teehaus, 1), KeyProblem::Malformed),
    ] {
        assert_eq!(secrets.check_api_key(&key), Err(problem), "{key}");
    }
    assert_eq!(secrets.check_operator_key(""), Err(KeyProblem::Missing));
    assert_eq!(secrets.check_operator_key(&key), Err(KeyProblem::Malformed));
    let other = operator.replace("op_1_", "op_2_");
    assert_eq!(secrets.check_operator_key(&other), Err(KeyProblem::WrongSignature));
}

#[test]
fn a_flipped_bit_anywhere_in_an_api_key_is_refused() {
    let secrets = secrets();
    for key in all_flips(&secrets.api_key(&program("teehaus"), 1)) {
        assert!(secrets.check_api_key(&key).is_err(), "{key}");
    }
    for key in all_flips(&secrets.operator_key(1)) {
        assert!(secrets.check_operator_key(&key).is_err(), "{key}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_code_is_refused() {
    let keys = keys();
    let bytes: [u8; 16] = text::from_base32(text_of(&vectors()["code"]["current"])).unwrap();
    for bit in 0..128 {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(code::verify(&keys, &text::base32(&bytes)).is_err(), "bit {bit}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_click_token_is_refused() {
    let keys = keys();
    for token in all_flips(text_of(&vectors()["click_token"]["token"])) {
        assert!(click_token::verify(&keys, &token).is_err(), "{token}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_sealed_id_is_refused() {
    let keys = keys();
    for sealed in all_flips(&keys.seal(Sealed::Customer, "10023")) {
        assert_eq!(keys.open(Sealed::Customer, &sealed), None, "{sealed}");
    }
}

#[test]
fn what_one_program_made_means_nothing_to_another() {
    let (teehaus, other) = (keys(), secrets().program(&program("kaffeehaus")));
    let id = "10023".parse().unwrap();
    let customer = teehaus.customer(&id);
    assert_ne!(customer, other.customer(&id));
    let code = code::issue(&teehaus, customer);
    assert_eq!(code::verify(&other, &code), Err(CodeError::WrongSignature));
    let click = click(customer).sign(&teehaus);
    assert_eq!(click_token::verify(&other, &click), Err(CodeError::WrongSignature));
    assert_eq!(other.open(Sealed::Customer, &teehaus.seal(Sealed::Customer, "10023")), None);
    assert_eq!(teehaus.open(Sealed::Order, &teehaus.seal(Sealed::Customer, "10023")), None);
    assert_ne!(teehaus.digest(b"a"), other.digest(b"a"));
}

#[test]
fn an_old_key_verifies_while_listed_and_not_after() {
    let [old, new, other] = [1, 2, 3].map(|byte| text::base64url(&[byte; 32]));
    let keys = |signing: String| {
        Secrets::parse(&signing, &other, &other).unwrap().program(&program("teehaus"))
    };
    let customer = CustomerPseudonym([9; 7]);
    let before = keys(format!("0:{old}"));
    let appended = keys(format!("0:{old},1:{new}"));
    let moved = keys(format!("1:{new},0:{old}"));
    let after = keys(format!("1:{new}"));

    let old_code = code::issue(&before, customer);
    assert_eq!(code::issue(&appended, customer), old_code, "the first listed signs");
    let new_code = code::issue(&moved, customer);
    assert_ne!(new_code, old_code);
    for listed in [&before, &appended, &moved] {
        assert_eq!(code::verify(listed, &old_code), Ok(customer));
    }
    for listed in [&appended, &moved, &after] {
        assert_eq!(code::verify(listed, &new_code), Ok(customer));
    }
    assert_eq!(code::verify(&after, &old_code), Err(CodeError::UnknownKey));
    assert_eq!(code::verify(&before, &new_code), Err(CodeError::UnknownKey));
    let reused = keys(format!("0:{new}"));
    assert_eq!(code::verify(&reused, &old_code), Err(CodeError::WrongSignature));

    let click = click(customer).sign(&before);
    assert!(click_token::verify(&moved, &click).is_ok());
    assert_eq!(click_token::verify(&after, &click), Err(CodeError::UnknownKey));
}

#[test]
fn a_code_forgives_case_and_lookalikes_and_nothing_else() {
    let keys = keys();
    let vectors = vectors();
    let code = text_of(&vectors["code"]["current"]);
    let customer = code::verify(&keys, code).unwrap();
    for same in [code.to_uppercase(), code.replace('1', "l").replace('0', "O")] {
        assert_ne!(same, code);
        assert_eq!(code::verify(&keys, &same), Ok(customer), "{same}");
    }
    let (head, _) = code.split_at(25);
    let click = text_of(&vectors["click_token"]["token"]);
    for bad in ["", head, &format!("{code}0"), &format!("{head}1"), &format!(" {code}"), click] {
        assert_eq!(code::verify(&keys, bad), Err(CodeError::Malformed), "{bad}");
    }
    for bad in
        ["", code, &click[1..], &format!("{click}A"), &format!("{click}="), &format!("{click} ")]
    {
        assert_eq!(click_token::verify(&keys, bad), Err(CodeError::Malformed), "{bad}");
    }
}

#[test]
fn a_visitor_is_the_same_for_a_day_however_the_address_is_written() {
    let keys = keys();
    let day = "2026-11-22".parse().unwrap();
    let visitor = |address: &str| keys.visitor(day, address, "agent");
    assert_eq!(visitor("203.0.113.7"), visitor("::ffff:203.0.113.7"));
    assert_eq!(visitor("203.0.113.7"), visitor("::FFFF:cb00:7107"));
    assert_eq!(visitor("203.0.113.7"), visitor(" 203.0.113.7 "));
    assert_eq!(visitor("2001:db8:1:2::1"), visitor("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff"));
    for other in ["203.0.113.8", "2001:db8:1:3::1", "unknown", "", "203.0.113"] {
        assert_ne!(visitor("203.0.113.7"), visitor(other), "{other}");
        assert_ne!(visitor("2001:db8:1:2::1"), visitor(other), "{other}");
    }
    assert_ne!(visitor("203.0.113.7"), keys.visitor(day, "203.0.113.7", "other agent"));
    assert_ne!(visitor("203.0.113.7"), keys.visitor(day.plus(1), "203.0.113.7", "agent"));
    let other = secrets().program(&program("kaffeehaus"));
    assert_ne!(visitor("203.0.113.7"), other.visitor(day, "203.0.113.7", "agent"));
}

fn click(customer: CustomerPseudonym) -> ClickToken {
    ClickToken {
        customer,
        at: Instant::from_seconds(1_795_334_400),
        channel: Channel::Native,
        nonce: [4; 4],
    }
}

proptest! {
    #[test]
    fn every_click_reads_back(
        customer: [u8; 7], seconds in 0..7_258_118_400_i64, channel in 0..12_u8, nonce: [u8; 4],
    ) {
        let token = ClickToken {
            customer: CustomerPseudonym(customer),
            at: Instant::from_seconds(seconds),
            channel: Channel::from_byte(channel).unwrap(),
            nonce,
        };
        let text = token.sign(&keys());
        prop_assert_eq!(text.len(), 35);
        prop_assert_eq!(click_token::verify(&keys(), &text), Ok(token));
    }

    #[test]
    fn every_code_reads_back(customer: [u8; 7]) {
        let code = code::issue(&keys(), CustomerPseudonym(customer));
        prop_assert_eq!(code.len(), 26);
        prop_assert_eq!(code::verify(&keys(), &code), Ok(CustomerPseudonym(customer)));
    }

    #[test]
    fn every_text_opens_to_itself_and_seals_the_same(plain: String) {
        let sealed = keys().seal(Sealed::Reference, &plain);
        prop_assert_eq!(&sealed, &keys().seal(Sealed::Reference, &plain));
        prop_assert_eq!(keys().open(Sealed::Reference, &sealed), Some(plain));
    }

    #[test]
    fn bytes_nobody_signed_are_no_token(code: [u8; 16], click: [u8; 26]) {
        prop_assert!(code::verify(&keys(), &text::base32(&code)).is_err());
        prop_assert!(click_token::verify(&keys(), &text::base64url(&click)).is_err());
    }

    #[test]
    fn any_text_into_any_parser_is_an_answer(text in ".{0,80}") {
        let (secrets, keys) = (secrets(), keys());
        prop_assert!(code::verify(&keys, &text).is_err());
        prop_assert!(click_token::verify(&keys, &text).is_err());
        prop_assert!(keys.open(Sealed::Order, &text).is_none());
        prop_assert!(Secrets::parse(&text, &text, &text).is_err());
        for text in [text.clone(), format!("sk_{text}"), format!("op_{text}"), format!("sk_a-b_{text}")] {
            prop_assert!(secrets.check_api_key(&text).is_err());
            prop_assert!(secrets.check_operator_key(&text).is_err());
        }
        let _ = keys.visitor("20261122".parse().unwrap(), &text, &text);
        prop_assert!(text.parse::<Channel>().is_err() || Channel::ALL.iter().any(|c| c.as_str() == text));
    }
}
