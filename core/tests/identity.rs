//! Identity tokens as shops make them: what is accepted, and what a developer is told otherwise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use hmac::{Hmac, KeyInit, Mac};
use passalong_core::identity_token::{
    AudienceFlaw, CustomerClaims, MAX_BYTES, TokenFlaw, TokenProblem, Unverified, issue, verify,
    verify_generations,
};
use passalong_core::ids::{IdError, ProgramId};
use passalong_core::keys::Secrets;
use passalong_core::merchant_signature::{Instead, SignatureFlaw};
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

fn wrong_audience(flaw: AudienceFlaw) -> TokenProblem {
    TokenProblem::WrongAudience(flaw)
}

/// Signed with something else than this secret of this program.
fn wrong_signature(begins: &str, instead: Option<Instead>) -> TokenProblem {
    let right = if begins.starts_with("ts") { "template_secret" } else { "identity_secret" };
    TokenProblem::WrongSignature(SignatureFlaw { right, begins: begins.to_owned(), instead })
}

fn expired(seconds_ago: i64, now: i64) -> TokenProblem {
    TokenProblem::Expired { seconds_ago, now: Instant::from_seconds(now) }
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
        (payload(&json!({"sub": 10023})), SubjectNotText(Some(10023))),
        (payload(&json!({"sub": ["10023"]})), SubjectNotText(None)),
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
    for (bad, flaw) in [
        (without("aud"), AudienceFlaw::Missing),
        (payload(&json!({"aud": null})), AudienceFlaw::Missing),
        (payload(&json!({"aud": 7})), AudienceFlaw::NotText),
        (payload(&json!({"aud": ["teehaus"]})), AudienceFlaw::NotText),
        (payload(&json!({"aud": "Teehaus"})), AudienceFlaw::NotSlug("Teehaus".to_owned())),
    ] {
        assert_eq!(check(&jwt(&bad)), Err(wrong_audience(flaw)), "{bad}");
        assert_eq!(audience(&jwt(&bad)), None, "{bad}");
    }
    let other = jwt(&payload(&json!({"aud": "kaffeehaus"})));
    let foreign = wrong_signature("is_kaffeehaus_1_", None);
    assert_eq!(check(&other), Err(foreign), "signed by teehaus");
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
    let unsigned = wrong_signature("is_teehaus_1_", None);
    assert_eq!(check(&format!("{signed}.")), Err(unsigned));
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
    let early = |seconds_ahead, now| {
        Err(malformed(TokenFlaw::NotYet { seconds_ahead, now: Instant::from_seconds(now) }))
    };
    for (now, result) in [
        (NOW - 61, early(61, NOW - 61)),
        (NOW - 60, Ok(plain_claims())),
        (NOW + 3600 + 59, Ok(plain_claims())),
        (NOW + 3600 + 60, Err(expired(60, NOW + 3660))),
    ] {
        assert_eq!(check_at(&token, now), result, "{now}");
    }
    let later = jwt(&payload(&json!({"nbf": NOW + 61})));
    assert_eq!(check(&later), early(61, NOW));

    let lifetime = || Err(malformed(TokenFlaw::Lifetime));
    for (seconds, result) in [
        (0, lifetime()),
        (1, Ok(plain_claims())),
        (86_400, Ok(plain_claims())),
        (86_401, lifetime()),
    ] {
        assert_eq!(check(&jwt(&payload(&json!({"exp": NOW + seconds})))), result, "{seconds}");
    }
}

#[test]
fn a_template_token_holds_until_it_expires_and_for_a_day_at_most() {
    for (expires, result) in [
        (NOW - 60, Err(expired(60, NOW))),
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
        (good.replace("teehaus", "kaffeehaus"), wrong_signature("ts_kaffeehaus_1_", None)),
        (
            good.replace("teehaus", "Teehaus"),
            wrong_audience(AudienceFlaw::NotSlug("Teehaus".to_owned())),
        ),
        (
            template_signed_by(&secrets().identity_secret(&teehaus(), 1), "10023", &expires),
            wrong_signature("ts_teehaus_1_", Some(Instead::Key("identity_secret"))),
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
    assert_eq!(verify(&secrets, &token, now), Err(wrong_signature("ts_teehaus_1_", None)));
    assert!(verify_generations(&secrets, &[1, 2], &token, now).is_ok());
    assert!(verify_generations(&secrets, &[2], &jwt(&payload(&json!({}))), now).is_err());
    assert!(verify_generations(&secrets, &[], &token, now).is_err());
}

#[test]
fn a_wrong_key_is_named_where_we_can_tell() {
    let (secrets, now) = (secrets(), Instant::from_seconds(NOW));
    let signed_with = |key: &str| {
        let signed = jwt(&payload(&json!({})));
        let (signed, _) = signed.rsplit_once('.').unwrap();
        format!("{signed}.{}", base64url(&mac(key, signed)))
    };
    let first = secrets.identity_secret(&teehaus(), 1);
    let kaffeehaus: ProgramId = "kaffeehaus".parse().unwrap();
    for (generations, key, instead) in [
        (&[1, 2], format!("{first}\n"), Some(Instead::LineBreak)),
        (&[1, 2], secrets.template_secret(&teehaus(), 1), Some(Instead::Key("template_secret"))),
        (
            &[1, 2],
            secrets.conversion_secret(&teehaus(), 1),
            Some(Instead::Key("conversion_secret")),
        ),
        (&[1, 2], secrets.api_key(&teehaus(), 1), Some(Instead::Key("server_api_key"))),
        (&[3, 4], first.clone(), Some(Instead::Revoked(1))),
        (&[5, 6], first.clone(), None),
        (&[1, 2], secrets.identity_secret(&kaffeehaus, 1), None),
        (&[1, 2], first.trim_start_matches("is_").to_owned(), None),
        (&[1, 2], String::new(), None),
    ] {
        let begins = format!("is_teehaus_{}_", generations[0]);
        let refused = verify_generations(&secrets, generations, &signed_with(&key), now);
        assert_eq!(refused, Err(wrong_signature(&begins, instead)), "{key}");
        let detail = refused.unwrap_err().to_string();
        assert!(detail.contains(&begins) && !detail.contains(&first), "{detail}");
    }
}

#[test]
fn every_problem_says_what_would_be_right() {
    let now = Instant::from_seconds(NOW);
    let early = |seconds_ahead| malformed(TokenFlaw::NotYet { seconds_ahead, now });
    let no_program = || AudienceFlaw::NoProgram("teehause".parse().unwrap());
    for (problem, word, parts) in [
        (TokenProblem::Missing, "missing", &["Authorization: Bearer"][..]),
        (malformed(TokenFlaw::SubjectNotText(None)), "malformed", &["\"10023\" and not 10023"]),
        (
            malformed(TokenFlaw::SubjectNotText(Some(881))),
            "malformed",
            &["sub is the number 881; it must be a string: \"881\""],
        ),
        (malformed(TokenFlaw::Algorithm), "malformed", &["alg must be HS256"]),
        (malformed(TokenFlaw::Time("exp")), "malformed", &["exp must be whole seconds"]),
        (malformed(TokenFlaw::Milliseconds("iat")), "malformed", &["iat", "divide it by 1000"]),
        (malformed(TokenFlaw::Lifetime), "malformed", &["24 hours"]),
        (
            early(90),
            "malformed",
            &["90 seconds in the future, it is 2026-11-22T08:00:00Z here", "NTP"],
        ),
        (early(7200), "malformed", &["2 whole hours look like a local time taken for UTC"]),
        (expired(90, NOW), "expired", &["90 seconds ago, it is 2026-11-22T08:00:00Z here", "NTP"]),
        (expired(3600, NOW), "expired", &["1 whole hours look like a local time"]),
        (expired(3509, NOW), "expired", &["NTP"]),
        (expired(3690, NOW), "expired", &["1 whole hours"]),
        (expired(3691, NOW), "expired", &["NTP"]),
        (
            wrong_audience(AudienceFlaw::Missing),
            "wrong audience",
            &["aud is missing", "\"teehaus\""],
        ),
        (wrong_audience(AudienceFlaw::NotText), "wrong audience", &["aud is not a string"]),
        (
            wrong_audience(AudienceFlaw::NotSlug("Tee Haus\n".to_owned())),
            "wrong audience",
            &["aud is \"Tee Haus\\n\", which is no program id"],
        ),
        (
            wrong_audience(no_program()),
            "wrong audience",
            &["aud is teehause, and there is no such program", "program attribute of the tag"],
        ),
        (
            wrong_signature("is_teehaus_1_", None),
            "wrong signature",
            &["another program's secret", "use the identity_secret", "It begins is_teehaus_1_…"],
        ),
        (
            wrong_signature("is_teehaus_1_", Some(Instead::Key("server_api_key"))),
            "wrong signature",
            &["it was made with the server_api_key; use the identity_secret"],
        ),
        (
            wrong_signature("is_teehaus_1_", Some(Instead::LineBreak)),
            "wrong signature",
            &["the identity_secret ends in a line break"],
        ),
        (
            wrong_signature("is_teehaus_3_", Some(Instead::Revoked(1))),
            "wrong signature",
            &["generation 1 of the identity_secret, which was revoked"],
        ),
    ] {
        let text = problem.to_string();
        assert_eq!(problem.word(), word);
        assert!(text.contains(word), "{text}");
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_token_we_issue_names_the_customer_for_an_hour() {
    let secrets = secrets();
    let id = "Kunde \"7\" ä".parse().unwrap();
    let (token, until) = issue(&secrets, (&teehaus(), 2), &id, Instant::from_seconds(NOW));
    assert_eq!(until.seconds(), NOW + 3600);
    let at = |now| verify_generations(&secrets, &[1, 2], &token, Instant::from_seconds(now));
    let claims = CustomerClaims { customer: id, ..plain_claims() };
    assert_eq!(at(NOW), Ok((teehaus(), claims.clone())));
    assert_eq!(at(NOW + 3659), Ok((teehaus(), claims)));
    assert_eq!(at(NOW + 3660), Err(expired(60, NOW + 3660)));
    assert!(verify(&secrets, &token, Instant::from_seconds(NOW)).is_err(), "of generation 2");
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
