//! What shop systems say of who is logged in, and what pages sign: each is signed here, so that what is
//! inside is read, too.

use hmac::{Hmac, KeyInit, Mac};
use passalong_core::decode::Invalid;
use passalong_core::shop_identity::{
    IdentityProblem, shopify_proxy, shopify_session, shopware, shopware_registration,
};
use passalong_core::signed_conversion::SignedConversion;
use passalong_core::text::base64url;
use passalong_edge::http::Request;
use serde_json::Value;
use sha2::Sha256;

use crate::Parser;
use crate::parsers::{
    explained, hex, known, names_its_field, normalised, now, parser, same, secrets, text,
};

const SECRET: &str = "what the shop and we know";

pub fn all() -> Vec<Parser> {
    vec![
        parser("signed conversion", include_str!("../corpus/signed_conversion.txt"), |input| {
            let read = |input: &[u8]| SignedConversion::parse(input, now());
            match read(input) {
                Ok(signed) => {
                    same(&read(&normalised(input)), &Ok(signed.clone()), "in another order")?;
                    same(&signed.message().split('\n').count(), &12, "lines")?;
                    let resigned = resigned(input, &signed).ok_or("it was an object")?;
                    let verified = read(&resigned)
                        .map_err(|Invalid { detail, .. }| detail)?
                        .verify(&secrets(), &[1], now());
                    match verified {
                        Ok(()) => Ok(true),
                        Err(problem) => explained("a page", &problem.to_string()).map(|()| false),
                    }
                }
                Err(invalid) => names_its_field(&invalid).map(|()| false),
            }
        }),
        parser("shopify proxy", include_str!("../corpus/shopify_proxy.txt"), |input| {
            let query = text(input);
            let request = Request {
                method: "GET".to_owned(),
                origin: String::new(),
                path: String::new(),
                query: query.to_string(),
                headers: Vec::new(),
                body: Ok(Vec::new()),
            };
            let mut sent = request.parameters();
            sent.push(("signature".to_owned(), proxy_signature(&sent)));
            let listed = [SECRET.to_owned()];
            told(&shopify_proxy(&sent, &listed, |_| true, now()))?;
            let registered =
                shopware_registration((&query, &sent), &hex(&mac(SECRET, &query)), &listed, now());
            told(&registered)?;
            told(&shopify_proxy(&sent, &listed, |_| true, now()))
        }),
        parser("shop session", include_str!("../corpus/shop_session.txt"), |input| {
            let claims = text(input);
            let signed =
                format!("{}.{}", base64url(br#"{"alg":"HS256"}"#), base64url(claims.as_bytes()));
            let token = format!("{signed}.{}", base64url(&mac(SECRET, &signed)));
            let listed = [SECRET.to_owned()];
            let shopify = told(&shopify_session(&token, &listed, |_| true, now()))?;
            Ok(told(&shopware(&token, &listed, now()))? || shopify)
        }),
    ]
}

fn told<T>(answer: &Result<T, IdentityProblem>) -> Result<bool, String> {
    match answer {
        Ok(_) => Ok(true),
        Err(problem) => explained("a shop", &problem.to_string()).map(|()| false),
    }
}

/// The same request with the signature that fits it.
fn resigned(input: &[u8], signed: &SignedConversion) -> Option<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(input).ok()?;
    let signature = hex(&mac(&known("conversion_secret"), &signed.message()));
    body.as_object_mut()?.insert("signature".to_owned(), signature.into());
    Some(body.to_string().into_bytes())
}

fn proxy_signature(sent: &[(String, String)]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let values: Vec<&str> =
            sent.iter().filter(|(other, _)| other == name).map(|(_, value)| &**value).collect();
        lines.push(format!("{name}={}", values.join(",")));
    }
    lines.sort();
    hex(&mac(SECRET, &lines.concat()))
}

fn mac(key: &str, message: &str) -> Vec<u8> {
    match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mut mac) => {
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        Err(_) => Vec::new(),
    }
}
