//! Who may earn by an order: whose proof it brought, who brought the friend before, and who must not
//! because it is their own order or the friend is an old customer.

use std::collections::BTreeSet;

use super::books::{Books, NEVER, Report, Tries};
use super::order::Order;
use super::terms::Terms;
use super::wire::{Pseudonym, of_code, of_token, typed};

/// Clocks of shops are so far ahead, at most.
const LEEWAY: i64 = 300;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// Who may be meant: these, or besides somebody whom the books do not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    pub known: BTreeSet<String>,
    pub others: bool,
}

impl Owners {
    pub fn may_be(&self, customer: Option<&String>) -> bool {
        self.others
            || customer.map_or(!self.known.is_empty(), |customer| self.known.contains(customer))
    }

    fn join(&mut self, other: Self) {
        self.known.extend(other.known);
        self.others |= other.others;
    }

    fn one(customer: Option<&String>) -> Self {
        Self { known: customer.into_iter().cloned().collect(), others: customer.is_none() }
    }
}

impl Books<'_> {
    /// Whom a typed alias may stand for. A stranger's word stands for nobody.
    fn by_alias(&self, text: &str) -> Owners {
        let known = self.aliases.get(&typed(text)).cloned().unwrap_or_default();
        Owners { known, others: false }
    }

    fn by_code(&self, text: &str) -> Owners {
        of_code(text).map_or_else(Owners::default, |code| Owners::one(self.names.get(&code)))
    }

    /// The shop's own coupons prove nothing, but with an alias behind them, or where the merchant
    /// listed them.
    fn by_coupon(&self, text: &str) -> Owners {
        let mut owners = Owners::default();
        for terms in &self.terms {
            let same = |code: &str| typed(code) == typed(text);
            let listed = terms.listed.iter().filter(|(code, _)| same(code));
            owners.known.extend(listed.map(|(_, customer)| customer.clone()));
            owners.join(self.behind_coupon(terms, text));
        }
        owners
    }

    fn behind_coupon(&self, terms: &Terms, text: &str) -> Owners {
        let all = typed(text);
        let code = terms.coupon.as_deref().map(typed);
        let rest = code.as_ref().and_then(|code| all.strip_prefix(code.as_str()));
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else { return Owners::default() };
        let mut owners = self.by_alias(rest);
        owners.join(self.by_code(rest));
        owners
    }

    /// Whose proofs a report brought.
    pub fn proven(&self, report: &Report, terms: &Terms) -> Owners {
        let mut owners = Owners::default();
        for (kind, text) in &report.proofs {
            owners.join(match kind.as_str() {
                "token" => Self::clicked(report, terms, text)
                    .map_or_else(Owners::default, |whose| Owners::one(self.names.get(&whose))),
                "coupon" => self.by_coupon(text),
                // A whole coupon may be typed as a code or an alias.
                "alias" | "code" => {
                    let mut owners = self.by_alias(text);
                    owners.join(self.by_code(text));
                    owners.join(self.behind_coupon(terms, text));
                    owners
                }
                _ => Owners::default(),
            });
        }
        owners
    }

    /// Whether a report names somebody whatever is known of aliases, coupons and strangers.
    fn surely_proves(&self, report: &Report, terms: &Terms) -> bool {
        report.proofs.iter().any(|(kind, text)| {
            let whose = match kind.as_str() {
                "token" => Self::clicked(report, terms, text),
                "code" => of_code(text),
                _ => None,
            };
            whose.is_some_and(|whose| self.names.contains_key(&whose))
        })
    }

    /// Whose link was clicked within the window.
    fn clicked(report: &Report, terms: &Terms, token: &str) -> Option<Pseudonym> {
        let (whose, at) = of_token(token)?;
        let age = report.occurred_at - at;
        (age <= terms.window_days * DAY && age >= -LEEWAY).then_some(whose)
    }

    fn confirmed(&self, earlier: &Report, hint: &String) -> bool {
        let is_it = |customer: &String| {
            let mut ties = self.ties.iter().filter(|tie| tie.confirmed && tie.hint == *hint);
            ties.any(|tie| tie.customer == *customer)
        };
        earlier.customer.as_ref().is_some_and(is_it)
    }
}

impl Order<'_> {
    /// Other orders, each by every report of it that may stand.
    pub fn others(&self) -> impl Iterator<Item = Self> {
        let Self { books, id, .. } = *self;
        let others = books.reports.iter().filter(move |(other, _)| *other != id);
        others.flat_map(move |(id, reports)| {
            reports.iter().map(move |report| Self { books, id, report })
        })
    }

    /// Whose the order may be under these terms.
    pub fn owners(&self, terms: &Terms) -> Owners {
        let mut owners = self.books.proven(self.report, terms);
        if terms.bound_days > 0 {
            for other in self.others().filter(|other| self.may_be_bound_by(other, terms)) {
                for terms in other.terms() {
                    owners.join(self.books.proven(other.report, terms));
                }
            }
        }
        // A report of a missing referral counts once the merchant has approved.
        if self.may_be_approved() {
            owners.known.extend(self.missed_by());
        }
        owners
    }

    /// It came to an advocate at this instant or before: with its report where that surely names
    /// somebody; else a purchase may bind it long after, or an approval.
    pub fn comes_latest(&self) -> i64 {
        let reported = self.report.tries.latest;
        let terms = self.terms();
        if terms.iter().all(|terms| self.books.surely_proves(self.report, terms)) {
            return reported;
        }
        let binds = |other: &Self| {
            let mut bound = terms.iter().filter(|terms| terms.bound_days > 0);
            bound.any(|terms| self.may_be_bound_by(other, terms))
        };
        if self.others().any(|other| binds(&other)) {
            return NEVER;
        }
        let is_missed = !self.missed_by().is_empty();
        let approvals = self.approvals().filter(|_| is_missed);
        approvals.map(|tries| tries.latest).fold(reported, i64::max)
    }

    /// Who says that it was theirs to refer.
    fn missed_by(&self) -> BTreeSet<String> {
        let names = [Some(self.id), self.report.order_number.as_deref()];
        let all = names.into_iter().flatten().filter_map(|name| self.books.missing.get(name));
        all.flatten().cloned().collect()
    }

    /// Whether the merchant may have approved something of this order.
    pub fn may_be_approved(&self) -> bool {
        self.approvals().next().is_some()
    }

    /// The approvals that may be of this order.
    fn approvals(&self) -> impl Iterator<Item = &Tries> {
        let is_here = |id: &String| {
            // What was promised when the order was reported does not name it.
            let is_told = |reward: &&serde_json::Value| {
                reward["id"] == id.as_str() && reward["order_id"].is_string()
            };
            let mut seen = self.books.seen.iter().copied().filter(is_told);
            seen.next().is_none_or(|reward| reward["order_id"] == self.id)
        };
        let here = self.books.approved.iter().filter(move |(id, _)| is_here(id));
        here.flat_map(|(_, by_customer)| by_customer.values())
    }

    /// An earlier purchase with a proof of its own binds the same customer, and whoever comes with
    /// an address that is confirmed for that customer.
    fn may_be_bound_by(&self, other: &Self, terms: &Terms) -> bool {
        let (own, earlier) = (self.report, other.report);
        let age = own.occurred_at - earlier.occurred_at;
        let same = own.customer.is_some() && own.customer == earlier.customer;
        let by_hint = || {
            let mut shared = own.hints.intersection(&earlier.hints);
            shared.any(|hint| self.books.confirmed(earlier, hint))
        };
        earlier.kind == "purchase"
            && !earlier.proofs.is_empty()
            && age <= terms.bound_days * DAY
            && earlier.tries.earliest <= own.tries.latest
            // What was let in by its verdict binds for good.
            && !other.is_gone(self.settles_earliest().min(other.settles_earliest()), NEVER)
            && (same || by_hint())
    }

    /// Whether the order is this advocate's own, for sure.
    pub fn is_own(&self, advocate: &String) -> bool {
        let report = self.report;
        if report.customer.as_ref() == Some(advocate) {
            return true;
        }
        let erasures = self.books.erased.get(advocate);
        let comes = self.comes_latest();
        let mut ties = self.books.ties.iter().filter(|tie| tie.customer == *advocate);
        ties.any(|tie| {
            // What was known of somebody before an erasure counts for the orders that were theirs
            // before it.
            let known = tie.since.max(comes);
            let is_lost = erasures.is_some_and(|all| all.iter().any(|at| *at < known));
            // What an order says counts once it is surely complete.
            let counts = if tie.confirmed { tie.since } else { tie.since + HOUR };
            report.hints.contains(&tie.hint) && counts < self.settles_earliest() && !is_lost
        })
    }

    /// Whether an earlier purchase of the friend may have come by the same advocate: then the
    /// friend was new.
    fn may_be_waived(&self, advocate: Option<&String>, seen: &mut BTreeSet<String>) -> bool {
        seen.insert(self.id.to_owned());
        let decided = self.settles_earliest();
        let mut others = self.others().filter(|other| {
            other.report.kind == "purchase"
                // What is approved as a missing referral counts from then.
                && (other.report.tries.earliest <= self.report.tries.latest
                    || self.may_be_approved())
                && other.report.overlaps(self.report)
                // What is open counts as it stands then.
                && !other.is_gone(other.settles_earliest().min(decided), other.settles_latest())
        });
        others.any(|other| {
            if seen.contains(other.id) {
                return false;
            }
            let terms = other.terms();
            let owned = terms.iter().any(|terms| other.owners(terms).may_be(advocate));
            // An old customer's order makes no later one a new customer's.
            let is_new = match other.report.first_order {
                Some(first) => first,
                None => !other.is_known_to(self, advocate),
            };
            let is_asked = terms.iter().all(|terms| terms.new_only);
            owned && (is_new || !is_asked || other.may_be_waived(advocate, seen))
        })
    }

    /// Earlier purchases of the friend that nobody can have undone, and that did not come to the same
    /// advocate afterwards: what does is no stranger's, and ranks behind.
    fn known_before(&self, advocate: Option<&String>) -> impl Iterator<Item = Self> {
        let is_kept = !self.books.may_be_forgotten(self.report);
        self.others().filter(move |other| {
            let alone = self.books.reports_of(other.id).len() == 1;
            is_kept
                && other.report.kind == "purchase"
                && alone
                && other.report.tries.latest < self.report.tries.earliest
                && other.report.overlaps(self.report)
                && other.is_whole()
                && !other.may_come_later(self, advocate)
        })
    }

    /// Whether somebody whom this order and a later one name bought before, for sure.
    fn is_known_to(&self, later: &Self, advocate: Option<&String>) -> bool {
        let mut before = self.known_before(advocate);
        before.any(|before| before.report.overlaps(later.report))
    }

    /// Whether it may have come to this advocate only after another order was reported.
    fn may_come_later(&self, other: &Self, advocate: Option<&String>) -> bool {
        let terms = self.terms();
        let is_theirs = || terms.iter().any(|terms| self.owners(terms).may_be(advocate));
        self.comes_latest() >= other.report.tries.earliest && is_theirs()
    }

    /// Why the friend is no new customer, for sure.
    pub fn is_old(&self, advocate: Option<&String>, terms: &Terms) -> Option<String> {
        if !terms.new_only || self.may_be_waived(advocate, &mut BTreeSet::new()) {
            return None;
        }
        match self.report.first_order {
            Some(true) => None,
            Some(false) => Some("the shop says that the friend is an old customer".to_owned()),
            None => self.bought_before(advocate),
        }
    }

    /// Why it is no first purchase, for sure.
    pub fn is_not_first(&self, advocate: Option<&String>) -> Option<String> {
        match self.report.first_order {
            Some(true) => None,
            Some(false) => Some("the shop says that it is not the first".to_owned()),
            None => self.bought_before(advocate),
        }
    }

    fn bought_before(&self, advocate: Option<&String>) -> Option<String> {
        let known = self.known_before(advocate).next();
        known.map(|other| format!("the friend bought {} before", other.id))
    }
}
