//! What proves something, as parsers: codes, click tokens, identity tokens, keys and what is sealed.
//! Each is also made from the input and must then be good.

use hmac::{Hmac, KeyInit, Mac};
use passalong_core::channel::Channel;
use passalong_core::click_token::{self, ClickToken};
use passalong_core::code;
use passalong_core::identity_token;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::keys::Secrets;
use passalong_core::seal::Sealed;
use passalong_core::text::{base64url, from_base32};
use passalong_core::time::Instant;
use passalong_core::values::one_word::visible;
use serde_json::Value;
use sha2::Sha256;

use crate::Parser;
use crate::parsers::{explained, hex, keys, known, now, parser, program, same, secrets, text};

pub fn all() -> Vec<Parser> {
    let mut all = proofs();
    all.extend(identities());
    all
}

fn proofs() -> Vec<Parser> {
    const TOKENS: &str = include_str!("../corpus/tokens.txt");
    let (one, two) = (keys(), keys());
    vec![
        parser("code", TOKENS, move |input| {
            let sent = text(input);
            let bytes = input.first_chunk::<7>().copied().unwrap_or_default();
            let issued = code::issue(&one, CustomerPseudonym(bytes));
            same(&code::verify(&one, &issued), &Ok(CustomerPseudonym(bytes)), "what was issued")?;
            match code::verify(&one, &sent) {
                Ok(customer) => {
                    let read = from_base32::<16>(&sent).map(|bytes| bytes[1..8] == customer.0);
                    same(&read, &Some(true), "the customer of a code").map(|()| true)
                }
                Err(error) => explained("a code", &error.to_string()).map(|()| false),
            }
        }),
        parser("click token", TOKENS, move |input| {
            let bytes = input.first_chunk::<17>().copied().unwrap_or_default();
            let [b1, b2, b3, b4, b5, b6, b7, rest @ ..] = bytes;
            let [t1, t2, t3, t4, t5, channel, n1, n2, n3, n4] = rest;
            let at = i64::from_be_bytes([0, 0, 0, t1, t2, t3, t4, t5]);
            let token = ClickToken {
                customer: CustomerPseudonym([b1, b2, b3, b4, b5, b6, b7]),
                at: Instant::from_seconds(at),
                channel: Channel::from_byte(channel).unwrap_or(Channel::Direct),
                nonce: [n1, n2, n3, n4],
            };
            same(&click_token::verify(&two, &token.sign(&two)), &Ok(token), "what was signed")?;
            match click_token::verify(&two, &text(input)) {
                Ok(_) => Ok(true),
                Err(error) => explained("a token", &error.to_string()).map(|()| false),
            }
        }),
        parser("api and operator key", include_str!("../corpus/api_keys.txt"), {
            let secrets = secrets();
            move |input| {
                let sent = text(input);
                let api = secrets.check_api_key(&sent);
                let operator = secrets.check_operator_key(&sent);
                for problem in [api.as_ref().err(), operator.as_ref().err()].into_iter().flatten() {
                    explained("a key", &problem.to_string())?;
                }
                if let Ok((program, generation)) = &api {
                    same(&secrets.api_key(program, *generation).as_str(), &&*sent, "the key")?;
                }
                Ok(api.is_ok() || operator.is_ok())
            }
        }),
        parser("secrets", include_str!("../corpus/secrets.txt"), |input| {
            let sent = text(input);
            let mut parts = sent.split('\n');
            let mut part = || parts.next().unwrap_or_default();
            match Secrets::parse(part(), part(), part()) {
                Ok(secrets) => {
                    let keys = secrets.program(&program());
                    let code = code::issue(&keys, CustomerPseudonym([1; 7]));
                    same(&code::verify(&keys, &code).is_ok(), &true, "its own code").map(|()| true)
                }
                Err(error) => {
                    let message = error.to_string();
                    // A secret is never part of what is said about it.
                    if sent
                        .split([',', ':', '\n'])
                        .any(|part| part.len() > 20 && message.contains(part))
                    {
                        return Err(format!("a secret is told: {message}"));
                    }
                    explained("secrets", &message).map(|()| false)
                }
            }
        }),
        parser("sealed", TOKENS, {
            let keys = keys();
            move |input| {
                let sent = text(input);
                let sealed = keys.seal(Sealed::Order, &sent);
                let opened = keys.open(Sealed::Order, &sealed);
                same(&opened.as_deref(), &Some(&*sent), "what was sealed")?;
                same(&keys.open(Sealed::Customer, &sealed), &None, "as another kind")?;
                Ok(keys.open(Sealed::Order, &sent).is_some())
            }
        }),
    ]
}

/// What a shop signs for its customers.
fn identities() -> Vec<Parser> {
    let (three, four) = (secrets(), secrets());
    vec![
        parser("identity token", include_str!("../corpus/jwt.txt"), move |input| {
            let sent = text(input);
            let token = signed_jwt(&sent).unwrap_or_else(|| sent.to_string());
            let read = identity_token::Unverified::read(&token).ok();
            let audience = read.map(|token| token.program().clone());
            match identity_token::verify(&three, &token, now()) {
                Ok((program, _)) => same(&audience, &Some(program), "the audience").map(|()| true),
                Err(problem) => explained("a JWT", &problem.to_string()).map(|()| false),
            }
        }),
        parser("template token", include_str!("../corpus/template.txt"), move |input| {
            let sent = text(input);
            let token = signed_template(&sent).unwrap_or_else(|| sent.to_string());
            match identity_token::verify(&four, &token, now()) {
                Ok((_, claims)) => {
                    let id = sent.split_once('\n').map(|(id, _)| id);
                    let raw = claims.customer.as_str();
                    same(&id.is_none_or(|id| visible(id) == raw), &true, raw).map(|()| true)
                }
                Err(problem) => explained("a template token", &problem.to_string()).map(|()| false),
            }
        }),
    ]
}

/// Signs `{"header": …, "payload": …}`.
fn signed_jwt(sent: &str) -> Option<String> {
    let parts: Value = serde_json::from_str(sent).ok()?;
    let part = |name: &str| Some(base64url(parts.get(name)?.to_string().as_bytes()));
    let signed = format!("{}.{}", part("header")?, part("payload")?);
    let signature = base64url(&hmac(&known("identity_secret"), &signed));
    Some(format!("{signed}.{signature}"))
}

/// Signs a customer's id and an expiry, each a line.
pub fn signed_template(sent: &str) -> Option<String> {
    let (id, expires) = sent.split_once('\n')?;
    let program = "teehaus";
    let message = ["passalong-identity-v1", program, id, expires].join("\n");
    let signature = hex(&hmac(&known("template_secret"), &message));
    Some(format!("t1.{program}.{}.{expires}.{signature}", base64url(id.as_bytes())))
}

fn hmac(key: &str, message: &str) -> Vec<u8> {
    match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mut mac) => {
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        Err(_) => Vec::new(),
    }
}
