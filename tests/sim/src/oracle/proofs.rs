//! Whom the proofs of a report name: the strongest first, of one strength as they were given. A bad
//! one costs only itself.

use std::collections::BTreeSet;

use passalong_core::ids::CustomerPseudonym;
use passalong_core::program::StandsFor;
use passalong_core::time::{DAY, Instant, MINUTE, Minute};

use super::Oracle;
use crate::proofs::Said;

/// What the design promises: by then every claim on an alias is visible everywhere.
const SETTLE: i64 = 10 * MINUTE;

/// Which proof counts, and for whom.
pub type Counted = Option<(usize, CustomerPseudonym)>;

/// Letters and digits, in capitals.
fn word(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

impl Oracle {
    /// What a report was to be taken for that was accepted in that minute. `aliases` are the words
    /// that were looked up.
    pub fn proven(
        &self,
        proofs: &[Said],
        (occurred_at, accepted): (Instant, Minute),
        aliases: &mut BTreeSet<String>,
    ) -> Counted {
        // Terms count as of when the order occurred, at most as of now.
        let terms_at = occurred_at.min(accepted.start());
        let terms = self.terms_at(terms_at).map(|terms| &terms.attribution);
        let mut late = None;
        for (place, proof) in proofs.iter().enumerate() {
            let named = match proof {
                Said::Broken => None,
                Said::Code(customer) => Some(*customer),
                Said::Click(customer, at, _) => {
                    let age = occurred_at.seconds() - at.seconds();
                    let days = terms.map_or(i64::MAX / DAY, |terms| terms.window_days.into());
                    let is_good = terms.is_none() || (age >= -300 && age <= days * DAY);
                    if !is_good {
                        late = late.or(Some((place, *customer)));
                    }
                    Some(*customer).filter(|_| is_good)
                }
                Said::Alias(text) => self.by_alias(text, (accepted, terms_at), aliases),
                Said::Coupon(text) => self.by_coupon(text, (accepted, terms_at), aliases),
            };
            if let Some(customer) = named {
                return Some((place, customer));
            }
        }
        // Who shared is told why it earned nothing, unless an earlier order can bind the friend.
        late.filter(|_| terms.is_none_or(|terms| terms.bound_days == 0))
    }

    fn by_alias(
        &self,
        text: &str,
        (accepted, terms_at): (Minute, Instant),
        aliases: &mut BTreeSet<String>,
    ) -> Option<CustomerPseudonym> {
        let alias = word(text);
        aliases.insert(alias.clone());
        let sure = accepted.start().plus(-SETTLE);
        let mut claims = self.aliases.get(&alias)?.iter();
        let (since, owner) = claims.find(|(since, _)| since.start() < sure)?;
        // A word that became the shop's own since stands for whoever chose it before.
        let reserved = self.reserves(&alias, since.start()) && self.reserves(&alias, terms_at);
        owner.filter(|_| !reserved)
    }

    /// A coupon names somebody where the merchant listed it, or by what follows the program's own.
    fn by_coupon(
        &self,
        text: &str,
        (accepted, terms_at): (Minute, Instant),
        aliases: &mut BTreeSet<String>,
    ) -> Option<CustomerPseudonym> {
        let current = self.terms_at(terms_at).unwrap_or(&self.terms[0].1);
        let listed = current.coupons.iter().find(|listed| word(&listed.code) == word(text));
        if let Some(listed) = listed {
            return match &listed.stands_for {
                StandsFor::Customer(customer) => Some(*customer),
                StandsFor::Id(_) | StandsFor::Nobody => None,
            };
        }
        let (own, name) = text.split_once('-')?;
        let is_own = self.until(terms_at).any(|coupon| word(&coupon) == word(own));
        let name = Some(name).filter(|name| is_own && !name.is_empty())?;
        self.by_alias(name, (accepted, terms_at), aliases)
    }

    /// The program's own coupons until then.
    fn until(&self, at: Instant) -> impl Iterator<Item = String> {
        let versions = self.terms.iter().enumerate();
        let until = versions.filter(move |(place, (from, _))| *place == 0 || *from <= at);
        until.filter_map(|(_, (_, terms))| Some(terms.coupon.as_ref()?.code.clone()))
    }

    /// Whether a word was the shop's own then.
    fn reserves(&self, alias: &str, at: Instant) -> bool {
        let current = self.terms_at(at).unwrap_or(&self.terms[0].1);
        let pools = current.rewards.iter().filter_map(|rule| rule.pool.as_ref());
        let pools = pools.map(|pool| pool.as_str().to_owned());
        let listed = current.coupons.iter().map(|coupon| coupon.code.clone());
        let words = current.reserved.iter().cloned();
        let mut all = self.until(at).chain(pools).chain(listed).chain(words);
        all.any(|own| word(&own) == alias)
    }
}
