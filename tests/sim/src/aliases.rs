//! Aliases: people choose them, now and then the same one at two places at once, and friends order by
//! them. What an alias was taken for, whose it is, and what an erasure leaves of it, is held against
//! every claim that was ever written.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::ids::CustomerPseudonym;
use passalong_core::time::{Instant, Minute};
use passalong_edge::http::Request;
use passalong_edge::keys::{AliasKey, CustomerKey, Field};
use serde_json::{Value, json};

use crate::machine::ISOLATES;
use crate::requests::{identity_token, request};
use crate::story::{Answer, DAY, Mode, SECOND, Story, What, hint};

/// Few enough that people meet.
pub(crate) const WORDS: [&str; 4] = ["TEE4K7", "TASSE", "KANNE", "HAFEN"];
/// Words that shops use for campaigns: nobody can choose them.
pub(crate) const CAMPAIGNS: [&str; 2] = ["HERBST25", "RABATT"];

/// An order by an alias.
#[derive(Debug, Clone)]
pub struct Ordered {
    program: usize,
    alias: String,
    /// Its first report; those that follow name one advocate each.
    report: usize,
    /// When it was first sent.
    begun: Option<u64>,
}

/// What is known of aliases from outside.
#[derive(Debug, Default)]
pub struct Aliases {
    orders: Vec<Ordered>,
    /// When somebody was first told that an alias is theirs for good.
    told: BTreeMap<(usize, String, String), u64>,
}

impl Aliases {
    /// An order is about to be sent.
    pub(crate) fn begin(&mut self, order: usize, now: u64) {
        self.orders[order].begun.get_or_insert(now);
    }
}

/// The claims on each alias: minute and customer.
type Claims = BTreeMap<String, BTreeSet<(Minute, CustomerPseudonym)>>;

impl Story {
    /// Now and then somebody chooses an alias, or orders by one.
    pub(crate) fn meet_aliases(&mut self, program: usize) {
        if !self.random.permille(100) {
            return;
        }
        let word = self.random.pick(&WORDS);
        if self.random.permille(600) {
            return self.order_by_alias(program, word);
        }
        let people = if self.random.permille(400) { 2 } else { 1 };
        let first = self.random.index(3);
        for n in 0..people {
            let advocate = (first + n) % 3;
            let alias = match self.random.below(100) {
                0..80 => Some(word),
                80..88 => Some(self.random.pick(&CAMPAIGNS)),
                _ => None,
            };
            let wait = self.random.below(2 * SECOND);
            self.errand(What::ChooseAlias { program, advocate, alias }, None, wait);
        }
    }

    fn order_by_alias(&mut self, program: usize, word: &str) {
        self.serial += 1;
        let order_id = format!("A-{}", self.serial);
        let now = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        let of = &self.programs[program];
        let random = &mut self.random;
        let friend = random.pick(&of.friends);
        let friend = if random.permille(100) { random.pick(&of.advocates) } else { friend };
        let field = random.pick(&["alias", "alias", "coupon"]);
        let name = random.pick(&[word.to_owned(), word.to_lowercase()]);
        let typed = if field == "coupon" { format!("FREUND10-{name}") } else { name };
        let body = json!({
            "order_id": order_id, "kind": "purchase", "amount": 4_990, "currency": "EUR",
            "customer_id": friend, "occurred_at": now, field: typed,
        });
        let report = self.keep_report(program, &order_id, &body);
        self.reports[report].tries = 1;
        let alias = word.to_owned();
        self.aliases.orders.push(Ordered { program, alias, report, begun: None });
        let what = What::ByAlias(self.aliases.orders.len() - 1);
        for _ in 0..self.random.between(1, 2) {
            let wait = self.random.pick(&[0, SECOND, 90 * SECOND]);
            self.errand(what.clone(), Some(body.clone()), wait);
        }
    }

    /// Program and alias of an order.
    pub(crate) fn alias_ordered(&self, order: usize) -> (usize, String) {
        let order = &self.aliases.orders[order];
        (order.program, order.alias.clone())
    }

    pub(crate) fn keep_order_by_alias(
        &mut self,
        program: usize,
        alias: &str,
        body: &Value,
    ) -> usize {
        let order_id = body["order_id"].as_str().unwrap().to_owned();
        let is_it = |known: &Ordered| {
            known.program == program && self.reports[known.report].order_id == order_id
        };
        if let Some(known) = self.aliases.orders.iter().position(is_it) {
            return known;
        }
        let report = self.keep_report(program, &order_id, body);
        self.reports[report].tries = 1;
        let alias = alias.to_owned();
        self.aliases.orders.push(Ordered { program, alias, report, begun: None });
        self.aliases.orders.len() - 1
    }

    pub(crate) fn alias_request(&self, what: &What, body: Option<&Value>, now: Instant) -> Request {
        match what {
            What::ChooseAlias { program, advocate, alias } => {
                let of = &self.programs[*program];
                let customer = &of.advocates[*advocate];
                let hints = [hint(customer)];
                let token =
                    identity_token(&of.identity_secret, &of.id, customer, &hints, None, now);
                request("POST", "/v1/me/alias", &token, Some(&json!({ "alias": alias })))
            }
            What::ByAlias(order) => {
                let of = &self.programs[self.aliases.orders[*order].program];
                request("POST", "/v1/conversions", &of.api_key, body)
            }
            other => panic!("{other:?} is none of ours"),
        }
    }

    pub(crate) fn hear_of_alias(&mut self, what: &What, answer: &Answer) {
        match what {
            What::ChooseAlias { program, advocate, alias } => {
                let is_campaign = alias.is_some_and(|alias| CAMPAIGNS.contains(&alias));
                if answer.status == 400
                    && alias.is_some_and(|alias| self.may_be_reserved(*program, alias))
                {
                    *self.decided.entry("alias refused".to_owned()).or_default() += 1;
                } else if is_campaign {
                    self.violate(format!("a campaign was chosen: {}", answer.body));
                } else if answer.status == 200 && answer.body["reserved_until"].is_null() {
                    self.hear_that_it_is_sure(*program, *advocate, &answer.body["alias"]);
                } else if !matches!(answer.status, 200 | 409) {
                    self.violate(format!(
                        "a choice was answered with {}: {}",
                        answer.status, answer.body
                    ));
                }
            }
            What::ByAlias(order) => self.hear_of_order(*order, answer),
            other => panic!("{other:?} is none of ours"),
        }
    }

    /// Whether a word is the shop's own, by terms that were sent.
    fn may_be_reserved(&self, program: usize, alias: &str) -> bool {
        let versions = self.errands.iter().filter_map(|errand| match &errand.what {
            What::Terms { program: of, terms } if *of == program => Some(terms),
            _ => None,
        });
        let mut versions = versions.chain([&self.programs[program].terms]);
        let has = |terms: &Value| {
            let words = terms["reserved"].as_array().into_iter().flatten();
            let coupons = terms["coupons"].as_array().into_iter().flatten();
            let mut all = words.chain(coupons.map(|coupon| &coupon["code"]));
            all.any(|word| word.as_str().is_some_and(|word| word.eq_ignore_ascii_case(alias)))
        };
        CAMPAIGNS.contains(&alias) || versions.any(has)
    }

    /// Somebody hears that an alias is theirs: from then on it is.
    pub(crate) fn hear_that_it_is_sure(&mut self, program: usize, advocate: usize, alias: &Value) {
        let Some(alias) = alias.as_str() else { return };
        let customer = self.programs[program].advocates[advocate].clone();
        let now = self.now();
        self.aliases.told.entry((program, alias.to_owned(), customer)).or_insert(now);
    }

    fn hear_of_order(&mut self, order: usize, answer: &Answer) {
        if !matches!(answer.status, 200 | 201) {
            let text = format!("an order by an alias was answered with {}", answer.status);
            return self.violate(format!("{text}: {}", answer.body));
        }
        let Ordered { program, alias, begun, .. } = self.aliases.orders[order].clone();
        let told = self.aliases.told.iter();
        let before = told.filter(|((of, name, _), at)| {
            *of == program && *name == alias && begun.is_some_and(|begun| **at <= begun)
        });
        let owners: Vec<String> = before.map(|((_, _, customer), _)| customer.clone()).collect();
        let erased = self.ever_erased(program);
        let is_erased = |name: &String| erased.contains(&self.programs[program].pseudonym(name));
        if self.mode == Mode::Beyond || owners.iter().any(is_erased) {
            return;
        }
        let body = &answer.body;
        let credited = body["advocate"]["customer_id"].as_str();
        for owner in owners {
            if body["reason"] == "unknown_alias" || credited.is_some_and(|name| name != owner) {
                self.violate(format!("by the alias {alias} of {owner}: {body}"));
            }
        }
    }

    pub(crate) fn ever_erased(&self, program: usize) -> BTreeSet<CustomerPseudonym> {
        let id = self.programs[program].keys.program().clone();
        let kv = self.machine.kv.borrow();
        let prefix = CustomerKey::prefix(&[&id]);
        let keys = kv.ever(&prefix).map(|(key, _)| key.parse().unwrap());
        let erased = keys.filter(|key: &CustomerKey| key.field == Field::Erased);
        erased.map(|key| key.customer).collect()
    }

    /// When nothing goes on any more.
    pub(crate) fn check_aliases(&mut self, program: usize) {
        let id = self.programs[program].keys.program().clone();
        let mut claims = Claims::new();
        for (key, _) in self.machine.kv.borrow().ever(&AliasKey::prefix(&[&id])) {
            let key: AliasKey = key.parse().unwrap();
            // What an erasure left names nobody.
            let Some(customer) = key.claim.customer else { continue };
            let claim = (key.claim.at, customer);
            claims.entry(key.alias.to_string()).or_default().insert(claim);
        }
        self.check_what_erasures_leave(program);
        if self.mode == Mode::Inside {
            // Who was erased gives way; what was decided before stands.
            let erased = self.ever_erased(program);
            claims
                .retain(|_, claims| !claims.iter().any(|(_, customer)| erased.contains(customer)));
            self.check_owners(program, &claims, &erased);
        }
    }

    /// Everybody sees the alias they own, and nobody another.
    fn check_owners(
        &mut self,
        program: usize,
        claims: &Claims,
        erased: &BTreeSet<CustomerPseudonym>,
    ) {
        for advocate in self.programs[program].advocates.clone() {
            let customer = self.programs[program].pseudonym(&advocate);
            if erased.contains(&customer) {
                continue;
            }
            let own = claims
                .iter()
                .filter(|(_, claims)| claims.first().is_some_and(|first| first.1 == customer));
            let own: BTreeSet<&str> = own.map(|(alias, _)| alias.as_str()).collect();
            let lost = claims.values().any(|claims| {
                claims.iter().skip(1).any(|(_, other)| *other == customer)
                    && claims.first().is_some_and(|first| first.1 != customer)
            });
            let fate = if lost { "alias lost" } else { "alias kept" };
            *self.decided.entry(fate.to_owned()).or_default() += 1;
            let seen = self.me(program, ISOLATES, &advocate).1;
            let shown = seen["alias"].as_str().or_else(|| seen["alias_reserved"]["alias"].as_str());
            let is_right = shown.map_or_else(|| own.is_empty(), |alias| own.contains(alias));
            // Of an alias that an erased customer chose as well nothing is said here.
            let is_said = shown.is_none_or(|alias| claims.contains_key(alias));
            if !is_right && is_said {
                self.violate(format!("{advocate} owns the alias {own:?} and is shown {shown:?}"));
            }
        }
    }

    /// Nothing that names the alias of who was erased is left.
    fn check_what_erasures_leave(&mut self, program: usize) {
        let mut found = Vec::new();
        let id = self.programs[program].keys.program().clone();
        for ((_, customer), at) in self.erased.iter().filter(|((of, _), _)| *of == program) {
            let pseudonym = self.programs[program].pseudonym(customer);
            let kv = self.machine.kv.borrow();
            let (all, prefix) = (AliasKey::prefix(&[&id]), CustomerKey::prefix(&[&id, &pseudonym]));
            let claims = kv
                .standing(&all, self.now())
                .filter(|(key, _)| key.parse::<AliasKey>().unwrap().claim.is_of(pseudonym));
            let fields =
                kv.standing(&prefix, self.now()).filter(|(key, _)| key.contains("/alias."));
            for (key, _) in claims.chain(fields) {
                // Who comes back after a week is a new customer.
                if kv.written_at(key, self.now()) <= at + 7 * DAY {
                    found.push(format!("{customer} was erased, and the alias {key} is there"));
                }
            }
        }
        for text in found {
            self.violate(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_ones_that_can_be_chosen() {
        for word in WORDS {
            assert_eq!(passalong_core::alias::Alias::choose(word).unwrap().as_str(), word);
        }
    }
}
