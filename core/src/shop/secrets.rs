//! The shops' own secrets, and whether a shop signed what came.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde_json::Value;

use super::Shop;
use crate::ids::ProgramId;
use crate::mac::hmac_sha256_of;

/// Secrets of one shop that are tried: the present one and those it is rotated from or to.
const MOST: usize = 8;
/// The shortest secret taken, in characters.
const LEAST: usize = 16;

/// The Worker secret `SHOP_SECRETS`: `{"teehaus": {"shopify": ["…"], "woocommerce": ["…"]}}`.
#[derive(Clone, Default)]
pub enum ShopSecrets {
    /// No shop is connected.
    #[default]
    Absent,
    /// What is wrong with it; never its content.
    Malformed(String),
    Known(BTreeMap<(ProgramId, Shop), Vec<String>>),
}

impl fmt::Debug for ShopSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Malformed(_) => "Malformed",
            Self::Known(_) => "Known",
        })
    }
}

/// Why a shop's message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShopProblem {
    /// There is no secret of such a shop for such a program.
    NotConnected(Shop),
    /// `SHOP_SECRETS` cannot be read.
    Malformed,
    Missing(Shop),
    Encoding(Shop),
    WrongSignature(Shop),
}

impl fmt::Display for ShopProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(shop) => {
                write!(
                    f,
                    "no {shop} shop is connected to a program of this name; its secret belongs into the Worker secret SHOP_SECRETS"
                )
            }
            Self::Malformed => f.write_str("SHOP_SECRETS is malformed; the log says what is wrong"),
            Self::Missing(shop) => {
                write!(f, "the signature is missing; {shop} sends it as {}", shop.signature())
            }
            Self::Encoding(Shop::Shopware) => {
                f.write_str("the signature is malformed; it must be 64 hexadecimal digits")
            }
            Self::Encoding(_) => {
                f.write_str("the signature is malformed; it must be base64 of 32 bytes")
            }
            Self::WrongSignature(shop) => {
                write!(
                    f,
                    "wrong signature: the body was changed on its way, or was signed with a secret that SHOP_SECRETS does not list for this program and {shop}"
                )
            }
        }
    }
}

impl std::error::Error for ShopProblem {}

impl ShopSecrets {
    pub fn parse(text: &str) -> Self {
        read(text).map_or_else(Self::Malformed, Self::Known)
    }

    /// What is wrong, for the operator's log.
    pub fn flaw(&self) -> Option<&str> {
        if let Self::Malformed(flaw) = self { Some(flaw) } else { None }
    }

    /// The secrets of a program's shop.
    pub fn of(&self, shop: Shop, program: &ProgramId) -> Result<&[String], ShopProblem> {
        match self {
            Self::Malformed(_) => Err(ShopProblem::Malformed),
            Self::Absent => Err(ShopProblem::NotConnected(shop)),
            Self::Known(known) => {
                let secrets = known.get(&(program.clone(), shop));
                secrets.map(Vec::as_slice).ok_or(ShopProblem::NotConnected(shop))
            }
        }
    }

    /// Whether the shop is connected, for messages that it does not sign.
    pub fn is_connected(&self, shop: Shop, program: &ProgramId) -> Result<(), ShopProblem> {
        self.of(shop, program).map(|_| ())
    }

    /// Whether the shop signed these bytes.
    pub fn check(
        &self,
        shop: Shop,
        program: &ProgramId,
        body: &[u8],
        signature: Option<&str>,
    ) -> Result<(), ShopProblem> {
        let secrets = self.of(shop, program)?;
        let sent = signature.map(str::trim).filter(|sent| !sent.is_empty());
        let sent = sent.ok_or(ShopProblem::Missing(shop))?.as_bytes();
        let sent = match shop {
            Shop::Shopware => HEXLOWER_PERMISSIVE.decode(sent),
            Shop::Shopify | Shop::WooCommerce => BASE64.decode(sent),
        };
        let sent = sent.map_err(|_| ShopProblem::Encoding(shop))?;
        if sent.len() != 32 {
            return Err(ShopProblem::Encoding(shop));
        }
        let fits = |secret: &String| hmac_sha256_of(secret.as_bytes(), body).fits(&sent);
        if secrets.iter().any(fits) { Ok(()) } else { Err(ShopProblem::WrongSignature(shop)) }
    }
}

type Known = BTreeMap<(ProgramId, Shop), Vec<String>>;

fn read(text: &str) -> Result<Known, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| {
        format!("is no JSON (line {}, column {})", error.line(), error.column())
    })?;
    let right = "must be an object like {\"teehaus\": {\"shopify\": [\"…\"]}}";
    let mut known = Known::new();
    for (name, shops) in json.as_object().ok_or(right)? {
        let program: ProgramId = name.parse().map_err(|_| "names a program that is no slug")?;
        for (name, secrets) in shops.as_object().ok_or(right)? {
            let shop: Shop = name.parse().map_err(|error| format!("{program}: a shop {error}"))?;
            let secrets = secrets.as_array().filter(|secrets| (1..=MOST).contains(&secrets.len()));
            let secrets =
                secrets.ok_or_else(|| format!("{program}.{shop} must be 1 to {MOST} secrets"))?;
            let text = |secret: &Value| {
                secret.as_str().filter(|text| text.len() >= LEAST).map(str::to_owned)
            };
            let secrets = secrets.iter().map(text).collect::<Option<_>>().ok_or_else(|| {
                format!(
                    "{program}.{shop} has a secret that is no text of {LEAST} characters or more"
                )
            })?;
            known.insert((program.clone(), shop), secrets);
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old secret of the shop";
    const NEW: &str = "the new secret of the shop";

    fn secrets() -> ShopSecrets {
        ShopSecrets::parse(&format!(
            r#"{{"teehaus": {{"shopify": ["{OLD}", "{NEW}"], "shopware": ["{OLD}"]}}, "other": {{"shopify": ["a secret of another shop"]}}}}"#
        ))
    }

    fn signed(shop: Shop, secret: &str, body: &[u8]) -> String {
        let mac: [u8; 32] = hmac_sha256_of(secret.as_bytes(), body).bytes();
        match shop {
            Shop::Shopware => HEXLOWER_PERMISSIVE.encode(&mac),
            _ => BASE64.encode(&mac),
        }
    }

    #[test]
    fn a_shop_is_believed_by_its_signature_over_the_bytes() {
        let secrets = secrets();
        let program: ProgramId = "teehaus".parse().unwrap();
        let body = br#"{"id": 1}"#;
        let check = |shop, signature: &str| secrets.check(shop, &program, body, Some(signature));
        for secret in [OLD, NEW] {
            assert_eq!(check(Shop::Shopify, &signed(Shop::Shopify, secret, body)), Ok(()));
        }
        assert_eq!(check(Shop::Shopware, &signed(Shop::Shopware, OLD, body)), Ok(()));
        let wrong = Err(ShopProblem::WrongSignature(Shop::Shopify));
        assert_eq!(
            check(Shop::Shopify, &signed(Shop::Shopify, "a secret of another shop", body)),
            wrong
        );
        assert_eq!(check(Shop::Shopify, &signed(Shop::Shopify, OLD, br#"{"id":1}"#)), wrong);
        let wrong = Err(ShopProblem::WrongSignature(Shop::Shopware));
        assert_eq!(check(Shop::Shopware, &signed(Shop::Shopware, NEW, body)), wrong);
        for (shop, signature) in [
            (Shop::Shopify, signed(Shop::Shopware, OLD, body)),
            (Shop::Shopify, "abc".to_owned()),
            (Shop::Shopify, BASE64.encode(b"too short")),
            (Shop::Shopware, signed(Shop::Shopify, OLD, body)),
        ] {
            assert_eq!(check(shop, &signature), Err(ShopProblem::Encoding(shop)), "{signature}");
        }
        for none in [None, Some(""), Some("  ")] {
            let missing = Err(ShopProblem::Missing(Shop::Shopify));
            assert_eq!(secrets.check(Shop::Shopify, &program, body, none), missing);
        }
        assert_eq!(
            check(Shop::WooCommerce, &signed(Shop::WooCommerce, OLD, body)),
            Err(ShopProblem::NotConnected(Shop::WooCommerce))
        );
        let unknown: ProgramId = "nobody".parse().unwrap();
        for secrets in [&secrets, &ShopSecrets::Absent] {
            let signature = signed(Shop::Shopify, OLD, body);
            assert_eq!(
                secrets.check(Shop::Shopify, &unknown, body, Some(&signature)),
                Err(ShopProblem::NotConnected(Shop::Shopify))
            );
        }
    }

    #[test]
    fn what_is_wrong_with_the_secrets_is_said_without_them() {
        for (text, flaw) in [
            ("{", "is no JSON (line 1, column 1)"),
            ("[]", "must be an object"),
            (r#"{"Tee Haus": {}}"#, "names a program that is no slug"),
            (r#"{"teehaus": ["x"]}"#, "must be an object"),
            (r#"{"teehaus": {"magento": []}}"#, "teehaus: a shop must be one of shopify"),
            (r#"{"teehaus": {"shopify": []}}"#, "teehaus.shopify must be 1 to 8 secrets"),
            (
                r#"{"teehaus": {"shopify": "a secret of the shop"}}"#,
                "teehaus.shopify must be 1 to 8",
            ),
            (
                r#"{"teehaus": {"shopify": ["short"]}}"#,
                "teehaus.shopify has a secret that is no text",
            ),
            (r#"{"teehaus": {"shopify": [7]}}"#, "teehaus.shopify has a secret that is no text"),
        ] {
            let secrets = ShopSecrets::parse(text);
            assert!(
                secrets.flaw().is_some_and(|told| told.starts_with(flaw)),
                "{text}: {:?}",
                secrets.flaw()
            );
            let program = "teehaus".parse().unwrap();
            let told = secrets.check(Shop::Shopify, &program, b"", Some("x"));
            assert_eq!(told, Err(ShopProblem::Malformed));
        }
        assert_eq!(secrets().flaw(), None);
        assert!(!format!("{:?}", secrets()).contains("secret"));
    }
}
