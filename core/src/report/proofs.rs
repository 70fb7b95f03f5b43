//! The proofs of a referral that a report carries, and the order in which they are tried.

use crate::decode::{Fields, Invalid};
use crate::ids::CustomerPseudonym;
use crate::words::words;

words!(
    /// How a referral can be proved, the strongest way in front.
    ProofKind {
        /// A click token, as it came.
        Token = "token",
        /// A typed code or link: explicit intent, without a click.
        Code = "code",
        Alias = "alias",
        Coupon = "coupon",
    }
);

impl ProofKind {
    /// Who types a code or an alias means somebody; of the two neither is stronger.
    const fn rank(self) -> u8 {
        match self {
            Self::Token => 0,
            Self::Code | Self::Alias => 1,
            Self::Coupon => 2,
        }
    }
}

/// A proof of a referral, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub kind: ProofKind,
    pub text: String,
}

impl Proof {
    pub fn new(kind: ProofKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// Proofs in the list of one report.
pub const PROOFS: usize = 8;

/// Which proof of a report counted, by its place in the order in which they are tried, and for whom.
pub type Counted = (usize, CustomerPseudonym);

/// The proofs in the order in which they are tried: the strongest first; of one strength those of the
/// single fields, then those of the list as given. The same again is no other proof.
pub(super) fn read(f: &mut Fields) -> Result<Vec<Proof>, Invalid> {
    let mut proofs: Vec<Proof> = given(f)?;
    for mut entry in f.objects("proofs", PROOFS)?.unwrap_or_default() {
        let mut one = given(&mut entry)?;
        if one.len() > 1 {
            let problem = "goes into an entry of its own: each entry of proofs holds one";
            let second = one.pop().map_or(ProofKind::Token, |proof| proof.kind);
            return Err(entry.invalid(second.as_str(), problem));
        }
        entry.finish()?;
        proofs.append(&mut one);
    }
    proofs.sort_by_key(|proof| proof.kind.rank());
    let mut tried: Vec<Proof> = Vec::with_capacity(proofs.len());
    for proof in proofs {
        if !tried.contains(&proof) {
            tried.push(proof);
        }
    }
    Ok(tried)
}

/// Whatever a browser carried here never fails an order, so any text is taken.
fn given(f: &mut Fields) -> Result<Vec<Proof>, Invalid> {
    let mut given = Vec::new();
    for kind in ProofKind::ALL {
        given.extend(f.any_text(kind.as_str())?.map(|text| Proof::new(*kind, text)));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn proofs_are_tried_by_their_strength_and_then_in_the_order_given() {
        let tried = |body: &serde_json::Value| {
            let proofs = read(&mut Fields::parse(body.to_string().as_bytes()).unwrap()).unwrap();
            proofs.iter().map(|proof| format!("{} {}", proof.kind, proof.text)).collect::<Vec<_>>()
        };
        let list = json!([
            { "coupon": "newsletter5" }, { "alias": "a" }, { "token": "t2" }, { "coupon": "freund10-tasse" },
            { "code": "c" }, { "token": "" }, { "token": null }, {},
        ]);
        let alone =
            ["token t2", "alias a", "code c", "coupon newsletter5", "coupon freund10-tasse"];
        assert_eq!(tried(&json!({ "proofs": list })), alone);
        let beside = json!({ "coupon": "own", "token": "t1", "code": "c", "proofs": list });
        assert_eq!(
            tried(&beside),
            [
                "token t1",
                "token t2",
                "code c",
                "alias a",
                "coupon own",
                "coupon newsletter5",
                "coupon freund10-tasse"
            ]
        );
        // However it comes, the same proof is the same.
        assert_eq!(tried(&json!({ "token": "t", "proofs": [{ "token": "t" }] })), ["token t"]);
        assert_eq!(tried(&json!({})), Vec::<String>::new());
    }
}
