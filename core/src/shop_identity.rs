//! How shop systems say which of their customers is looking: Shopify's app proxy, which signs what it
//! forwards; Shopify's session token, for extensions; Shopware's app token. Each is signed with a
//! secret the shop system shares with us, is good for minutes, and is exchanged for an identity
//! token of ours. The handshake by which a Shopware app gets its secret is here too.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};

use crate::decode::unexpected;
use crate::identity_token::{LEEWAY, MAX_BYTES, TokenFlaw};
use crate::ids::{CustomerId, IdError};
use crate::jwt::Jwt;
use crate::mac::hmac_sha256_of;
use crate::time::{HOUR, Instant, MINUTE};
use crate::token_problem::clock;

/// How old or how far ahead a request of Shopify's proxy may be, in seconds.
const PROXY_LEEWAY: i64 = 90;

/// How long ago a Shopware shop may have begun to register, in seconds.
const HANDSHAKE: i64 = 5 * MINUTE;

/// The name of our app in a Shopware shop, as in its manifest.
pub const SHOPWARE_APP: &str = "Passalong";

/// What Shopify's proxy adds; each must be there once, so that a visitor cannot add another.
const PROXY: [&str; 5] = ["logged_in_customer_id", "path_prefix", "shop", "signature", "timestamp"];

/// Why a shop's word is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityProblem {
    /// Genuine, and it says that it has no customer.
    NotLoggedIn(&'static str),
    /// A parameter, header or claim is not there, with where it comes from.
    Missing(&'static str, &'static str),
    /// Sent more than once.
    Twice(&'static str),
    Malformed(&'static str, &'static str),
    Token(TokenFlaw),
    /// Of none of the secrets we have; where the right one is found.
    WrongSignature(&'static str),
    /// Too old or too far ahead, in seconds.
    Stale {
        seconds: i64,
        now: Instant,
    },
    /// Genuine, but of a shop that is not the program's.
    OtherShop(String),
    Customer(IdError),
}

impl fmt::Display for IdentityProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoggedIn(what) => write!(f, "nobody is logged in: {what}"),
            Self::Missing(name, source) => write!(f, "{name} is missing; {source}"),
            Self::Twice(name) => write!(f, "{name} was sent twice; leave it to the shop"),
            Self::Malformed(name, right) => write!(f, "{name} is malformed: it must be {right}"),
            Self::Token(flaw) => write!(f, "the shop's token is malformed: {flaw}"),
            Self::WrongSignature(place) => {
                write!(f, "the shop's signature is wrong; put {place} into SHOP_SECRETS")
            }
            Self::Stale { seconds, now } if *seconds > 0 => {
                write!(
                    f,
                    "the shop signed this {seconds} seconds ago, too long; it is {now} here"
                )?;
                clock(f, *seconds)
            }
            Self::Stale { seconds, now } => {
                let ahead = seconds.saturating_neg();
                write!(f, "the shop signed this {ahead} seconds ahead of us; it is {now} here")?;
                clock(f, ahead)
            }
            Self::OtherShop(shop) => {
                let shop = unexpected(shop);
                write!(
                    f,
                    "{shop} is not a shop of this program; add it to allowed_hosts if it should be"
                )
            }
            Self::Customer(error) => write!(f, "the customer id {error}"),
        }
    }
}

impl std::error::Error for IdentityProblem {}

/// Where Shopify shows the secret.
const SHOPIFY_SECRET: &str = "the client secret of the Shopify app that owns the proxy";
const SHOPWARE_SECRET: &str = "the <secret> of the app's manifest";

/// The customer for whom Shopify's app proxy asks. `parameters` are the query's, decoded.
/// Shopify, "Authenticate app proxies": HMAC-SHA256 in hexadecimal over all parameters but the
/// signature, each `name=value` with repeated values joined by commas, sorted, without separator.
pub fn shopify_proxy(
    parameters: &[(String, String)],
    secrets: &[String],
    is_ours: impl Fn(&str) -> bool,
    now: Instant,
) -> Result<CustomerId, IdentityProblem> {
    const SENT: &str = "Shopify's app proxy sends it; call the address of the shop, not this one";
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in parameters {
        named.entry(name).or_default().push(value);
    }
    let mut once = [""; PROXY.len()];
    for (slot, name) in once.iter_mut().zip(PROXY) {
        match named.get(name).map(Vec::as_slice) {
            Some([value]) => *slot = value,
            Some(_) => return Err(IdentityProblem::Twice(name)),
            None => return Err(IdentityProblem::Missing(name, SENT)),
        }
    }
    let [customer, _, shop, signature, timestamp] = once;
    named.remove("signature");
    let mut signed: Vec<String> =
        named.iter().map(|(name, values)| format!("{name}={}", values.join(","))).collect();
    signed.sort();
    let genuine = hex_fits(secrets, signed.concat().as_bytes(), signature);
    if !genuine {
        return Err(IdentityProblem::WrongSignature(SHOPIFY_SECRET));
    }
    let at =
        timestamp.parse().map_err(|_| IdentityProblem::Malformed("timestamp", "Unix seconds"))?;
    is_fresh(at, PROXY_LEEWAY, now)?;
    shop_is_ours(shop, is_ours)?;
    if customer.is_empty() {
        return Err(IdentityProblem::NotLoggedIn("Shopify's app proxy names no customer"));
    }
    customer.parse().map_err(IdentityProblem::Customer)
}

/// The customer of a session token, as Shopify gives it to extensions of customer accounts and of the
/// checkout: HS256 with the app's client secret. One of the shop's staff is no customer.
pub fn shopify_session(
    token: &str,
    secrets: &[String],
    is_ours: impl Fn(&str) -> bool,
    now: Instant,
) -> Result<CustomerId, IdentityProblem> {
    let claims = session(token, (secrets, SHOPIFY_SECRET), now)?;
    let text = |name| claims.get(name).and_then(Value::as_str);
    let shop =
        text("dest").ok_or(IdentityProblem::Missing("dest", "Shopify's session token has it"))?;
    shop_is_ours(shop.strip_prefix("https://").unwrap_or(shop), is_ours)?;
    let subject = text("sub").ok_or(IdentityProblem::NotLoggedIn(
        "the session token has no sub; if somebody is, give the app access to customer data",
    ))?;
    let customer = subject.strip_prefix("gid://shopify/Customer/").ok_or(
        IdentityProblem::Malformed("sub", "gid://shopify/Customer/ and the customer's number"),
    )?;
    customer.parse().map_err(IdentityProblem::Customer)
}

/// The customer of the token that a Shopware shop (from 6.5.5) makes for our app:
/// `POST /app-system/Passalong/generate-token`.
pub fn shopware(
    token: &str,
    secrets: &[String],
    now: Instant,
) -> Result<CustomerId, IdentityProblem> {
    const GRANT: &str =
        "the shop adds it where the app's manifest has <read>customer</read> in its permissions";
    let claims = session(token, (secrets, SHOPWARE_SECRET), now)?;
    let customer = claims.get("customerId").and_then(Value::as_str);
    let customer = customer.ok_or(IdentityProblem::Missing("customerId", GRANT))?;
    customer.parse().map_err(IdentityProblem::Customer)
}

/// The claims of a shop system's token, if it is good now.
fn session(
    token: &str,
    (secrets, place): (&[String], &'static str),
    now: Instant,
) -> Result<Map<String, Value>, IdentityProblem> {
    if token.is_empty() {
        return Err(IdentityProblem::Missing("the token", "send it as Authorization: Bearer …"));
    }
    if token.len() > MAX_BYTES {
        return Err(IdentityProblem::Token(TokenFlaw::TooLong));
    }
    let jwt = Jwt::of(token).map_err(IdentityProblem::Token)?;
    if !secrets.iter().any(|secret| jwt.is_signed_with(secret)) {
        return Err(IdentityProblem::WrongSignature(place));
    }
    let time = |claim| match jwt.payload.get(claim) {
        None => Ok(None),
        Some(value) => match whole_seconds(value) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(IdentityProblem::Token(TokenFlaw::Time(claim))),
        },
    };
    let expires = time("exp")?.ok_or(IdentityProblem::Token(TokenFlaw::Time("exp")))?;
    let begins = time("iat")?.max(time("nbf")?).unwrap_or(0);
    let late = now.seconds().saturating_sub(expires);
    if late >= LEEWAY {
        return Err(IdentityProblem::Stale { seconds: late, now });
    }
    let ahead = begins.saturating_sub(now.seconds());
    if ahead > LEEWAY {
        return Err(IdentityProblem::Stale { seconds: -ahead, now });
    }
    // No shop system's token is good for longer, so one that is was not made by one.
    if late < -(HOUR + LEEWAY) {
        return Err(IdentityProblem::Token(TokenFlaw::Lifetime));
    }
    Ok(jwt.payload)
}

/// Whole seconds of a time that may have a fraction, as Shopware's have.
fn whole_seconds(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    let text = number.to_string();
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    whole.parse().ok().filter(|seconds| *seconds >= 0)
}

fn is_fresh(at: i64, leeway: i64, now: Instant) -> Result<(), IdentityProblem> {
    let seconds = now.seconds().saturating_sub(at);
    if (-leeway..=leeway).contains(&seconds) {
        Ok(())
    } else {
        Err(IdentityProblem::Stale { seconds, now })
    }
}

fn shop_is_ours(shop: &str, is_ours: impl Fn(&str) -> bool) -> Result<(), IdentityProblem> {
    if is_ours(shop) { Ok(()) } else { Err(IdentityProblem::OtherShop(shop.to_owned())) }
}

/// The secret whose HMAC over a message this is, in hexadecimal.
fn signer<'s>(secrets: &'s [String], message: &[u8], hex: &str) -> Option<&'s String> {
    let signature = HEXLOWER.decode(hex.as_bytes()).ok()?;
    secrets.iter().find(|secret| hmac_sha256_of(secret.as_bytes(), message).fits(&signature))
}

fn hex_fits(secrets: &[String], message: &[u8], hex: &str) -> bool {
    signer(secrets, message, hex).is_some()
}

/// What a Shopware shop that registers our app is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// That we know the secret of the manifest too.
    pub proof: String,
    /// What the shop signs everything with from now on: the same secret, so that none has to be
    /// kept. It is known to the shop, which has the manifest, and to us.
    pub secret: String,
}

/// A Shopware shop registers our app: Shopware, "App registration". `query` is as it was sent, the
/// signature comes in `shopware-app-signature`.
pub fn shopware_registration(
    (query, parameters): (&str, &[(String, String)]),
    signature: &str,
    secrets: &[String],
    now: Instant,
) -> Result<Registered, IdentityProblem> {
    const SENT: &str = "a Shopware shop sends it when it registers an app";
    let parameter = |name: &'static str| {
        let found = parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).ok_or(IdentityProblem::Missing(name, SENT))
    };
    let (shop, url) = (parameter("shop-id")?, parameter("shop-url")?);
    let timestamp = parameter("timestamp")?;
    if signature.is_empty() {
        return Err(IdentityProblem::Missing("shopware-app-signature", SENT));
    }
    let secret = signer(secrets, query.as_bytes(), signature)
        .ok_or(IdentityProblem::WrongSignature(SHOPWARE_SECRET))?;
    let at =
        timestamp.parse().map_err(|_| IdentityProblem::Malformed("timestamp", "Unix seconds"))?;
    is_fresh(at, HANDSHAKE, now)?;
    let proven = [shop, url, SHOPWARE_APP].concat();
    let proof: [u8; 32] = hmac_sha256_of(secret.as_bytes(), proven.as_bytes()).bytes();
    Ok(Registered { proof: HEXLOWER.encode(&proof), secret: secret.clone() })
}

/// A Shopware shop confirms that it took the secret: its signature over the body comes in
/// `shopware-shop-signature`. The API keys in it are not needed, and not kept.
pub fn shopware_confirmation(
    body: &[u8],
    signature: &str,
    secrets: &[String],
) -> Result<(), IdentityProblem> {
    if hex_fits(secrets, body, signature) {
        Ok(())
    } else {
        Err(IdentityProblem::WrongSignature(SHOPWARE_SECRET))
    }
}
