//! Identity tokens as shops make them: what is accepted, and what a developer is told otherwise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use hmac::{Hmac, KeyInit, Mac};
use passalong_core::identity_token::{
    CustomerClaims, MAX_BYTES, TokenFlaw, TokenProblem, Unverified, verify, verify_generations,
};
use passalong_core::ids::{IdError, ProgramId};
use passalong_core::keys::Secrets;
use passalong_core::text::base64url;
use passalong_core::time::Instant;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

/// The time of the fixtures, 2026-11-22T08:00:00Z.
const NOW: i64 = 1_795_334_400;

fn known() -> Value {
    serde_json::from_str(include_str!("../fixtures/secrets.json")).unwrap()
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../fixtures/tokens.json")).unwrap()
}

fn secrets() -> Secrets {
    let known = known();
    let [signing, merchant, pseudonym] =
        ["signing_keys", "merchant_key", "pseudonym_key"].map(|name| known[name].as_str().unwrap());
    Secrets::parse(signing, merchant, pseudonym).unwrap()
}

fn teehaus() -> ProgramId {
    "teehaus".parse().unwrap()
}

fn mac(key: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A JWT of this header and payload under the identity secret of teehaus.
fn jwt_of(header: &Value, payload: &str) -> String {
    let signed =
        format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(payload.as_bytes()));
    let signature = mac(&secrets().identity_secret(&teehaus(), 1), &signed);
    format!("{signed}.{}", base64url(&signature))
}

fn jwt(payload: &Value) -> String {
    jwt_of(&json!({"alg": "HS256", "typ": "JWT"}), &payload.to_string())
}

/// A good payload, with some claims replaced; `null` stays in as `null`.
fn payload(changes: &Value) -> Value {
    let mut payload = json!({"sub": "10023", "aud": "teehaus", "iat": NOW, "exp": NOW + 3600});
    for (claim, value) in changes.as_object().unwrap() {
        payload[claim] = value.clone();
    }
    payload
}

fn without(claim: &str) -> Value {
    let mut payload = payload(&json!({}));
    payload.as_object_mut().unwrap().remove(claim);
    payload
}

fn template_signed_by(secret: &str, customer: &str, expires: &str) -> String {
    let message = format!("passalong-identity-v1\nteehaus\n{customer}\n{expires}");
    let hex = data_encoding::HEXLOWER.encode(&mac(secret, &message));
    format!("t1.teehaus.{}.{expires}.{hex}", base64url(customer.as_bytes()))
}

fn template(customer: &str, expires: &str) -> String {
    template_signed_by(&secrets().template_secret(&teehaus(), 1), customer, expires)
}

/// The program a token says it is for.
fn audience(token: &str) -> Option<ProgramId> {
    Unverified::read(token).ok().map(|token| token.program().clone())
}

fn check(token: &str) -> Result<CustomerClaims, TokenProblem> {
    check_at(token, NOW)
}

fn check_at(token: &str, now: i64) -> Result<CustomerClaims, TokenProblem> {
    verify(&secrets(), token, Instant::from_seconds(now)).map(|(program, claims)| {
        assert_eq!(program, teehaus());
        claims
    })
}

fn plain_claims() -> CustomerClaims {
    CustomerClaims {
        customer: "10023".parse().unwrap(),
        segment: None,
        locale: None,
        given_name: None,
        hints: Vec::new(),
    }
}

fn malformed(flaw: TokenFlaw) -> TokenProblem {
    TokenProblem::Malformed(flaw)
}

#[test]
fn the_pinned_jwt_says_all_it_can() {
    let vectors = vectors();
    let token = vectors["jwt"]["token"].as_str().unwrap();
    let claims = &vectors["jwt"]["claims"];
    let text = |name: &str| Some(claims[name].as_str().unwrap().to_owned());
    assert_eq!(
        check(token),
        Ok(CustomerClaims {
            segment: text("segment"),
            locale: text("locale"),
            given_name: text("given_name"),
            hints: vec![claims["hints"][0].as_str().unwrap().parse().unwrap()],
            ..plain_claims()
        })
    );
    assert_eq!(audience(token), Some(teehaus()));
}

#[test]
fn the_pinned_template_token_names_the_customer() {
    let vectors = vectors();
    let token = vectors["template_token"]["token"].as_str().unwrap();
    assert_eq!(check(token), Ok(plain_claims()));
    assert_eq!(audience(token), Some(teehaus()));
    let expires = vectors["template_token"]["expires"].to_string();
    assert_eq!(template("10023", &expires), token);
}

#[test]
fn a_flipped_bit_anywhere_in_an_identity_token_is_refused() {
    let vectors = vectors();
    for name in ["jwt", "template_token"] {
        let token = vectors[name]["token"].as_str().unwrap();
        for bit in 0..token.len() * 8 {
            let mut bytes = token.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(token) = String::from_utf8(bytes) else { continue };
            assert!(check(&token).is_err(), "{token}");
        }
    }
}

#[test]
fn claims_a_shop_may_leave_out_add_or_empty() {
    for good in [
        payload(&json!({})),
        payload(&json!({"segment": null, "locale": "", "given_name": null, "hints": null})),
        payload(&json!({"hints": []})),
        payload(&json!({"iss": "shop", "jti": 7, "roles": ["a"]})),
        payload(&json!({"nbf": NOW})),
    ] {
        assert_eq!(check(&jwt(&good)), Ok(plain_claims()), "{good}");
    }
    for header in [json!({"alg": "HS256"}), json!({"alg": "HS256", "typ": "jwt", "kid": "1"})] {
        let token = jwt_of(&header, &payload(&json!({})).to_string());
        assert_eq!(check(&token), Ok(plain_claims()), "{header}");
    }
}

#[test]
fn every_mistake_of_a_payload_is_told_apart() {
    use TokenFlaw::{Hints, Milliseconds, Subject, SubjectMissing, SubjectNotText, Text, Time};
    let hint = "ab".repeat(32);
    for (claims, flaw) in [
        (without("sub"), SubjectMissing),
        (payload(&json!({"sub": null})), SubjectMissing),
        (payload(&json!({"sub": 10023})), SubjectNotText),
        (payload(&json!({"sub": ["10023"]})), SubjectNotText),
        (payload(&json!({"sub": "0"})), Subject(IdError::Placeholder)),
        (payload(&json!({"sub": ""})), Subject(IdError::Length)),
        (payload(&json!({"sub": "a\nb"})), Subject(IdError::Length)),
        (without("exp"), Time("exp")),
        (without("iat"), Time("iat")),
        (payload(&json!({"exp": (NOW + 3600).to_string()})), Time("exp")),
        (payload(&json!({"exp": null})), Time("exp")),
        (payload(&json!({"iat": -1})), Time("iat")),
        (payload(&json!({"iat": 1_795_334_400.5})), Time("iat")),
        (payload(&json!({"exp": u64::MAX})), Time("exp")),
        (payload(&json!({"nbf": "soon"})), Time("nbf")),
        (payload(&json!({"exp": (NOW + 3600) * 1000})), Milliseconds("exp")),
        (payload(&json!({"exp": i64::MAX})), Milliseconds("exp")),
        (payload(&json!({"segment": 1})), Text("segment")),
        (payload(&json!({"locale": ["de"]})), Text("locale")),
        (payload(&json!({"given_name": "a\nb"})), Text("given_name")),
        (payload(&json!({"given_name": "ä".repeat(129)})), Text("given_name")),
        (payload(&json!({"hints": hint})), Hints),
        (payload(&json!({"hints": [1]})), Hints),
        (payload(&json!({"hints": ["erika@example.org"]})), Hints),
        (payload(&json!({"hints": [hint, hint, hint, hint, hint]})), Hints),
    ] {
        assert_eq!(check(&jwt(&claims)), Err(malformed(flaw)), "{claims}");
    }
    let most = payload(&json!({"hints": [hint, hint, hint, hint], "given_name": "ä".repeat(128)}));
    assert!(check(&jwt(&most)).is_ok());
}

#[test]
fn an_audience_is_one_program_as_a_string() {
    for bad in [
        without("aud"),
        payload(&json!({"aud": null})),
        payload(&json!({"aud": 7})),
        payload(&json!({"aud": ["teehaus"]})),
        payload(&json!({"aud": "Teehaus"})),
    ] {
        assert_eq!(check(&jwt(&bad)), Err(TokenProblem::WrongAudience), "{bad}");
        assert_eq!(audience(&jwt(&bad)), None, "{bad}");
    }
    let other = jwt(&payload(&json!({"aud": "kaffeehaus"})));
    assert_eq!(check(&other), Err(TokenProblem::WrongSignature), "signed by teehaus");
    assert_eq!(audience(&other), "kaffeehaus".parse().ok());
}

#[test]
fn only_hs256_is_accepted() {
    let payload = payload(&json!({})).to_string();
    for (header, flaw) in [
        (json!({"alg": "none"}), TokenFlaw::Algorithm),
        (json!({"alg": "hs256"}), TokenFlaw::Algorithm),
        (json!({"alg": "HS512"}), TokenFlaw::Algorithm),
        (json!({"alg": "RS256"}), TokenFlaw::Algorithm),
        (json!({"alg": ["HS256"]}), TokenFlaw::Algorithm),
        (json!({"typ": "JWT"}), TokenFlaw::Algorithm),
        (json!({"alg": "HS256", "typ": "at+jwt"}), TokenFlaw::Type),
        (json!({"alg": "HS256", "typ": 1}), TokenFlaw::Type),
        (json!({"alg": "HS256", "crit": []}), TokenFlaw::Critical),
        (json!(["HS256"]), TokenFlaw::Encoding),
    ] {
        assert_eq!(check(&jwt_of(&header, &payload)), Err(malformed(flaw)), "{header}");
    }
    let good = jwt_of(&json!({"alg": "HS256"}), &payload);
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(check(&format!("{signed}.")), Err(TokenProblem::WrongSignature));
    let (none, _) = jwt_of(&json!({"alg": "none"}), &payload)
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert_eq!(check(&format!("{none}.")), Err(malformed(TokenFlaw::Algorithm)));
}

#[test]
fn what_is_no_token_is_told_apart() {
    assert_eq!(check(""), Err(TokenProblem::Missing));
    let token = jwt(&payload(&json!({})));
    for (bad, flaw) in [
        ("10023".to_owned(), TokenFlaw::Parts),
        (format!("{token}.x"), TokenFlaw::Parts),
        (format!("t2.{token}.x"), TokenFlaw::Parts),
        (format!("Bearer {token}"), TokenFlaw::Encoding),
        (format!("{token}="), TokenFlaw::Encoding),
        ("a.b.c".to_owned(), TokenFlaw::Encoding),
        (jwt_of(&json!({"alg": "HS256"}), "[]"), TokenFlaw::Encoding),
        (jwt_of(&json!({"alg": "HS256"}), "{"), TokenFlaw::Encoding),
        (jwt_of(&json!({"alg": "HS256"}), &"[".repeat(2000)), TokenFlaw::Encoding),
        ("a".repeat(MAX_BYTES + 1), TokenFlaw::TooLong),
    ] {
        assert_eq!(check(&bad), Err(malformed(flaw)), "{bad}");
    }
    assert_eq!(check(&"a".repeat(MAX_BYTES)), Err(malformed(TokenFlaw::Parts)));
}

#[test]
fn a_jwt_holds_from_issue_to_expiry_and_a_minute_around() {
    let token = jwt(&payload(&json!({})));
    let early = |seconds_ahead| Err(malformed(TokenFlaw::NotYet { seconds_ahead }));
    for (now, result) in [
        (NOW - 61, early(61)),
        (NOW - 60, Ok(plain_claims())),
        (NOW + 3600 + 59, Ok(plain_claims())),
        (NOW + 3600 + 60, Err(TokenProblem::Expired { seconds_ago: 60 })),
    ] {
        assert_eq!(check_at(&token, now), result, "{now}");
    }
    let later = jwt(&payload(&json!({"nbf": NOW + 61})));
    assert_eq!(check(&later), early(61));

    let lifetime = malformed(TokenFlaw::Lifetime);
    for (seconds, result) in [
        (0, Err(lifetime)),
        (1, Ok(plain_claims())),
        (86_400, Ok(plain_claims())),
        (86_401, Err(lifetime)),
    ] {
        assert_eq!(check(&jwt(&payload(&json!({"exp": NOW + seconds})))), result, "{seconds}");
    }
}

#[test]
fn a_template_token_holds_until_it_expires_and_for_a_day_at_most() {
    for (expires, result) in [
        (NOW - 60, Err(TokenProblem::Expired { seconds_ago: 60 })),
        (NOW - 59, Ok(plain_claims())),
        (NOW + 86_460, Ok(plain_claims())),
        (NOW + 86_461, Err(malformed(TokenFlaw::Lifetime))),
        (i64::MAX, Err(malformed(TokenFlaw::Lifetime))),
    ] {
        assert_eq!(check(&template("10023", &expires.to_string())), result, "{expires}");
    }
}

#[test]
fn a_template_token_is_read_as_it_was_signed() {
    let expires = (NOW + 60).to_string();
    let good = template("10023", &expires);
    let padded = good.replace("MTAwMjM", "MTAwMjM=");
    assert_eq!(check(&padded), Ok(plain_claims()), "templates write base64url with padding");
    for (bad, problem) in [
        (template("0", &expires), malformed(TokenFlaw::Subject(IdError::Placeholder))),
        (template("10023\nteehaus", &expires), malformed(TokenFlaw::Subject(IdError::Length))),
        (template("10023", &format!("+{expires}")), malformed(TokenFlaw::Time("expires"))),
        (template("10023", ""), malformed(TokenFlaw::Time("expires"))),
        (good.replace("MTAwMjM", "MTAwMjN"), malformed(TokenFlaw::Encoding)),
        (
            good.to_uppercase().replace("T1.TEEHAUS.MTAWMJM", "t1.teehaus.MTAwMjM"),
            malformed(TokenFlaw::Hex),
        ),
        (good.replace("teehaus", "kaffeehaus"), TokenProblem::WrongSignature),
        (good.replace("teehaus", "Teehaus"), TokenProblem::WrongAudience),
        (
            template_signed_by(&secrets().identity_secret(&teehaus(), 1), "10023", &expires),
            TokenProblem::WrongSignature,
        ),
    ] {
        assert_eq!(check(&bad), Err(problem), "{bad}");
    }
}

#[test]
fn a_later_generation_counts_where_it_is_listed() {
    let secrets = secrets();
    let second = secrets.template_secret(&teehaus(), 2);
    let token = template_signed_by(&second, "10023", &(NOW + 60).to_string());
    let now = Instant::from_seconds(NOW);
    assert_eq!(verify(&secrets, &token, now), Err(TokenProblem::WrongSignature));
    assert!(verify_generations(&secrets, &[1, 2], &token, now).is_ok());
    assert!(verify_generations(&secrets, &[2], &jwt(&payload(&json!({}))), now).is_err());
    assert!(verify_generations(&secrets, &[], &token, now).is_err());
}

#[test]
fn every_problem_says_what_would_be_right() {
    for (problem, word, part) in [
        (TokenProblem::Missing, "missing", "Authorization: Bearer"),
        (malformed(TokenFlaw::SubjectNotText), "malformed", "\"10023\" and not 10023"),
        (malformed(TokenFlaw::Algorithm), "malformed", "alg must be HS256"),
        (malformed(TokenFlaw::Time("exp")), "malformed", "exp must be whole seconds"),
        (malformed(TokenFlaw::Lifetime), "malformed", "24 hours"),
        (
            malformed(TokenFlaw::NotYet { seconds_ahead: 90 }),
            "malformed",
            "90 seconds in the future",
        ),
        (TokenProblem::Expired { seconds_ago: 90 }, "expired", "90 seconds ago"),
        (TokenProblem::WrongAudience, "wrong audience", "aud must be the id of your program"),
        (
            TokenProblem::WrongSignature,
            "wrong signature",
            "identity secret of the program named in aud",
        ),
    ] {
        let text = problem.to_string();
        assert_eq!(problem.word(), word);
        assert!(text.contains(word) && text.contains(part), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_an_answer(text in ".{0,120}") {
        let now = Instant::from_seconds(NOW);
        for token in [text.clone(), format!("t1.{text}"), format!("t1.teehaus.{text}.1.00"), format!("e30.{text}.e30")] {
            prop_assert!(verify(&secrets(), &token, now).is_err());
            let _ = audience(&token);
        }
    }

    #[test]
    fn any_signed_payload_is_an_answer(payload in "\\PC{0,60}", sub: String, exp: i64, iat: i64, now: i64) {
        let now = Instant::from_seconds(now);
        let odd = json!({"sub": sub, "aud": "teehaus", "exp": exp, "iat": iat});
        for token in [jwt(&odd), jwt_of(&json!({"alg": "HS256"}), &payload)] {
            let _ = verify(&secrets(), &token, now);
        }
        let _ = verify(&secrets(), &template(&sub, &exp.to_string()), now);
    }
}
