//! Whose friend the friend of an order is, and whether the friend was new.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::Via;
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::orders::claims::Admission;
use passalong_core::reward::{ConversionKind, Reason};
use passalong_core::time::{DAY, Day, HOUR, Minute};

use super::{Admissions, Bought, Copied, Oracle, Report};

/// A claim that counts, with its advocate and, where it was decided before, when and how.
type Good<'a> = (&'a Report, CustomerPseudonym, Option<(Minute, Admission)>);

/// The first report of each purchase: its minute, digest, amount, and the last day it is remembered.
type Purchases = BTreeMap<OrderPseudonym, (Minute, Digest, i64, Day)>;

/// What the claims on a friend say about an order.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
struct Claims {
    taken: bool,
    again: bool,
    held: bool,
    bound: bool,
    own: BTreeSet<OrderPseudonym>,
}

impl Oracle {
    /// Why the report cannot earn for this advocate, others aside.
    fn refusal(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        until: Minute,
    ) -> Option<Reason> {
        let Some(terms) = self.terms_at(report.occurred_at) else {
            return Some(Reason::BeforeProgram);
        };
        if terms.paused {
            return Some(Reason::ProgramPaused);
        }
        if report.currency.as_ref().is_some_and(|currency| *currency != terms.currency.to_string())
        {
            return Some(Reason::CurrencyMismatch);
        }
        let known = self.known.get(&advocate).into_iter().flatten();
        let named = || Copied::Named(report.digest);
        let known = known
            .filter(|kept| kept.since <= until && self.counts(kept, (report, advocate), named()));
        let mut own: BTreeSet<Identity> = known.map(|kept| kept.what).collect();
        own.insert(Identity::Customer(advocate));
        if report.identities.iter().any(|identity| own.contains(identity)) {
            return Some(Reason::SelfReferral);
        }
        if let Some((clicked_at, _)) = report.clicked {
            let age = report.occurred_at.seconds() - clicked_at.seconds();
            if age < -300 {
                return Some(Reason::ClickedLater);
            }
            if age > i64::from(terms.attribution.window_days) * DAY {
                return Some(Reason::OutsideWindow);
            }
        }
        let is_old = report.first_order == Some(false) && report.joined != Some(Via::Bound);
        (terms.attribution.new_customers_only && is_old).then_some(Reason::ExistingCustomer)
    }

    /// How all claims are decided, in the order in which they fall.
    pub fn admissions(&self) -> Admissions {
        let mut due: Vec<_> = self
            .standing()
            .map(|(report, advocate)| (self.settles(report), report.order, advocate, report))
            .collect();
        due.sort_by_key(|(at, order, advocate, _)| (*at, *order, *advocate));
        let mut admissions = Admissions::new();
        for (at, order, advocate, report) in due {
            let admitted = self.admit(report, advocate, at, &admissions).ok();
            let stands = self.left(report, at).undone.is_none();
            admissions.entry((order, advocate)).or_insert((at, admitted.filter(|_| stands)));
        }
        admissions
    }

    /// What the other claims on the friend say, as of `at`: those decided before as they were decided,
    /// the others as they stand then.
    fn claims(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        at: Minute,
        admissions: &Admissions,
        latest: Minute,
    ) -> Claims {
        let rank = |report: &Report, advocate| (report.accepted, report.order, advocate);
        let mine = rank(report, advocate);
        let mut rivals: Vec<(&Report, CustomerPseudonym)> = self
            .standing()
            .filter(|(rival, other)| {
                (rival.order, *other) != (report.order, advocate)
                    && rival.accepted <= latest
                    && self.is_first(rival)
                    && rival.identities.iter().any(|it| report.identities.contains(it))
            })
            .collect();
        rivals.sort_by_key(|(rival, other)| rank(rival, *other));
        let before = |order: OrderPseudonym, other: CustomerPseudonym| {
            let decided = admissions.get(&(order, other));
            decided.filter(|(when, _)| (*when, order, other) < (at, report.order, advocate))
        };
        // What was let in for the same advocate makes nobody old.
        let own = |other: CustomerPseudonym| {
            let theirs = rivals.iter().map(|(rival, of)| (rival.order, *of));
            let theirs = theirs.filter(|(order, of)| {
                *of == other && matches!(before(*order, other), Some((_, Some(_))))
            });
            theirs.map(|(order, _)| order).collect::<BTreeSet<_>>()
        };
        let mut holding: BTreeSet<CustomerPseudonym> = BTreeSet::new();
        let mut good: Vec<Good<'_>> = Vec::new();
        for (rival, other) in rivals.iter().copied() {
            match before(rival.order, other) {
                Some((_, None)) => continue,
                Some((when, Some(admission))) => {
                    good.push((rival, other, Some((*when, *admission))));
                }
                None => {
                    let refusal = self.refusal(rival, other, at);
                    let terms = self.terms_at(rival.occurred_at);
                    // Somebody who bought before is not new because they bought once more.
                    let is_old = || {
                        terms.is_some_and(|terms| terms.attribution.new_customers_only)
                            && rival.first_order.is_none()
                            && rival.order != report.order
                            && self.is_known(&self.bought(rival, other), rival, at, &own(other))
                    };
                    let refusal = refusal.or_else(|| is_old().then_some(Reason::ExistingCustomer));
                    let waived =
                        refusal == Some(Reason::ExistingCustomer) && holding.contains(&other);
                    let stands = rank(rival, other) < mine
                        && rival.joined != Some(Via::Bound)
                        && self.not_approved(rival, other, at).is_none()
                        && (refusal.is_none() || waived)
                        && self.left(rival, at).undone.is_none();
                    if !stands {
                        continue;
                    }
                    good.push((rival, other, None));
                }
            }
            if rival.kind == ConversionKind::Purchase {
                holding.insert(other);
            }
        }
        let mut claims = Claims::default();
        for identity in &report.identities {
            let named = || good.iter().filter(|(rival, ..)| rival.identities.contains(identity));
            let decided = named().filter_map(|(rival, other, decided)| {
                decided.map(|(when, _)| ((when, rival.order, *other), *other))
            });
            let open = named().filter(|(.., decided)| decided.is_none());
            let open = open.map(|(rival, other, _)| (rank(rival, *other), *other));
            let holder = decided
                .min()
                .map(|(_, other)| other)
                .or_else(|| open.min().map(|(_, other)| other));
            claims.taken |= holder.is_some_and(|holder| holder != advocate);
            claims.taken |=
                named().any(|(rival, other, _)| rival.order == report.order && *other != advocate);
        }
        for (rival, other, decided) in good {
            let earlier = rank(rival, other) < mine;
            let was_first = decided.is_some_and(|(_, admission)| admission == Admission::First);
            claims.again |= rival.kind == report.kind && (earlier || was_first);
            if other != advocate || rival.kind != ConversionKind::Purchase {
                continue;
            }
            claims.held |= earlier;
            claims.bound |= report.bound_by == Some(rival.order);
            claims.own.insert(rival.order);
        }
        claims
    }

    /// Whether a purchase with a proof binds a later order of the same friend.
    fn binds(&self, by: &Report, report: &Report, at: Minute) -> bool {
        let days =
            self.terms_at(report.occurred_at).map_or(0, |terms| terms.attribution.bound_days);
        let age = report.occurred_at.seconds() - by.occurred_at.seconds();
        let customer = by.identities.iter().find_map(|identity| match identity {
            Identity::Customer(customer) => Some(*customer),
            Identity::Hint(_) => None,
        });
        let confirmed = |hint: &Identity| {
            let known = customer.and_then(|customer| self.confirmed.get(&customer));
            known.into_iter().flatten().any(|kept| kept.since <= at && kept.what == *hint)
        };
        let is_sure = |identity: &&Identity| match identity {
            Identity::Customer(_) => true,
            Identity::Hint(_) => confirmed(identity),
        };
        by.joined.is_none()
            && by.kind == ConversionKind::Purchase
            && days > 0
            && age >= 0
            && age <= i64::from(days) * DAY
            && by
                .identities
                .iter()
                .filter(|it| report.identities.contains(it))
                .any(|it| is_sure(&it))
    }

    /// What is remembered of the person who ordered: the first report of each purchase.
    fn bought(&self, report: &Report, advocate: CustomerPseudonym) -> Purchases {
        let mut first = Purchases::new();
        for kept in &self.bought {
            let Bought { identity, order, digest, amount, until } = &kept.what;
            let copy = Copied::Bought(*order);
            if !report.identities.contains(identity) || !self.counts(kept, (report, advocate), copy)
            {
                continue;
            }
            let new = (kept.since, *digest, *amount, *until);
            let slot = first.entry(*order).or_insert(new);
            if (new.0, new.1) < (slot.0, slot.1) {
                *slot = new;
            }
        }
        first
    }

    /// Whether one of these purchases came before the report and counts.
    fn is_known(
        &self,
        bought: &Purchases,
        report: &Report,
        at: Minute,
        own: &BTreeSet<OrderPseudonym>,
    ) -> bool {
        bought.iter().any(|(order, (since, _, amount, until))| {
            (*since, *order) < (report.reported, report.order)
                && *order != report.order
                && report.reported.start().day() <= *until
                && !own.contains(order)
                && self.left_of(*order, (*since, *amount, true), at).undone.is_none()
        })
    }

    /// How a claim is let in, or why not.
    pub(super) fn admit(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        at: Minute,
        admissions: &Admissions,
    ) -> Result<Admission, Reason> {
        if !self.is_first(report) {
            return Err(Reason::ConflictingReport);
        }
        if let Some(reason) = self.not_approved(report, advocate, at) {
            return Err(reason);
        }
        let claims = self.claims(report, advocate, at, admissions, at.plus(-HOUR));
        match self.refusal(report, advocate, at) {
            Some(Reason::ExistingCustomer) if claims.held => {}
            Some(reason) => return Err(reason),
            None => {}
        }
        if report.joined == Some(Via::Bound) && !claims.bound {
            return Err(Reason::NoReferral);
        }
        if claims.taken {
            return Err(Reason::FriendAlreadyReferred);
        }
        let silent = report.first_order.is_none();
        let known =
            silent && self.is_known(&self.bought(report, advocate), report, at, &claims.own);
        let new_only = self.terms_at(report.occurred_at);
        let new_only = new_only.is_some_and(|terms| terms.attribution.new_customers_only);
        if new_only && known && !claims.held {
            return Err(Reason::ExistingCustomer);
        }
        let old = known || report.first_order == Some(false);
        Ok(if claims.again {
            Admission::Again
        } else if old && report.kind == ConversionKind::Purchase {
            Admission::Old
        } else {
            Admission::First
        })
    }

    /// Who an order without proof belongs to, because an earlier one brought the friend.
    pub fn bound_to(
        &self,
        report: &Report,
        admissions: &Admissions,
    ) -> Option<(CustomerPseudonym, OrderPseudonym)> {
        let at = report.reported;
        let asked = Report { accepted: at, ..report.clone() };
        let mut binding: Vec<_> = self
            .standing()
            .filter(|(by, _)| by.order != report.order && by.accepted <= at && self.is_first(by))
            .filter(|(by, _)| (by.accepted, by.order) < (at, report.order))
            .filter(|(by, _)| self.binds(by, &asked, at))
            .collect();
        binding.sort_by_key(|(by, other)| (by.accepted, by.order, *other));
        let counts = |by: &Report, other: CustomerPseudonym| {
            self.claims(&asked, other, at, admissions, at).own.contains(&by.order)
        };
        let first = binding.into_iter().find(|(by, other)| counts(by, *other));
        first.map(|(by, other)| (other, by.order))
    }
}
