//! The oracle: what must come out, computed from what was sent and when it was accepted. It sees
//! everything at once and is never late. It knows the rules of settlement from their description
//! and shares no code with them but the words.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Decided, Verdict, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::orders::claims::Admission;
use passalong_core::program::{HoldFrom, Program};
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Rule, Trigger, Value, When};
use passalong_core::time::{DAY, Day, HOUR, Instant, Minute};

/// A report of an order that stands in the store.
#[derive(Debug, Clone)]
pub struct Report {
    pub order: OrderPseudonym,
    pub digest: Digest,
    pub accepted: Minute,
    pub advocate: Option<CustomerPseudonym>,
    /// The click that proves it: when, and which of that second.
    pub clicked: Option<(Instant, u32)>,
    pub identities: Vec<Identity>,
    pub kind: ConversionKind,
    pub amount: i64,
    pub currency: Option<String>,
    pub first_order: Option<bool>,
    pub occurred_at: Instant,
    pub segment: Option<String>,
    pub action: Option<String>,
    /// Category and amount of what was ordered.
    pub items: Vec<(String, i64)>,
    /// How it came into a ledger without a proof of its own.
    pub joined: Option<Via>,
    /// The purchase that binds it, where one does.
    pub bound_by: Option<OrderPseudonym>,
    /// When it was reported; `accepted` is later where it came into its ledger later.
    pub reported: Minute,
}

/// Something that is remembered of a person, and what an erasure did to it.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    pub since: Minute,
    pub what: T,
    /// When it was deleted, in milliseconds.
    pub gone: Option<u64>,
    /// When the customer it is about was erased.
    pub erased: Option<Minute>,
}

/// What a copy says that an erasure made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Copied {
    /// That this report names the advocate.
    Named(Digest),
    /// That the person placed this order.
    Bought(OrderPseudonym),
    /// That the advocate was in this segment.
    Segment(String),
}

/// A purchase as it is remembered under one identity.
#[derive(Debug, Clone)]
pub struct Bought {
    pub identity: Identity,
    pub order: OrderPseudonym,
    pub digest: Digest,
    pub amount: i64,
    pub until: Day,
}

/// An event that stands in the store.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub accepted: Minute,
    pub digest: Digest,
    pub kind: EventType,
    pub amount: i64,
    pub occurred_at: Instant,
}

/// Everything about one program.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Terms with the instant from which they hold, oldest first.
    pub terms: Vec<(Instant, Program)>,
    /// By order, the one accepted first in front.
    pub reports: BTreeMap<OrderPseudonym, Vec<Report>>,
    /// By order and event: the one accepted first.
    pub events: BTreeMap<OrderPseudonym, BTreeMap<Digest, Event>>,
    /// What is known of advocates, and since when.
    pub known: BTreeMap<CustomerPseudonym, Vec<Kept<Identity>>>,
    pub segments: BTreeMap<CustomerPseudonym, Vec<Kept<String>>>,
    /// Hints that tokens confirmed, by customer.
    pub confirmed: BTreeMap<CustomerPseudonym, Vec<(Minute, Identity)>>,
    /// Purchases that are remembered.
    pub bought: Vec<Kept<Bought>>,
    /// What was copied into an order of an advocate before it was erased, and its minute.
    pub copied: BTreeMap<(OrderPseudonym, CustomerPseudonym), BTreeSet<(Minute, Copied)>>,
    /// When the first verdict on an order of an advocate was written, in milliseconds.
    pub decided: BTreeMap<(OrderPseudonym, CustomerPseudonym), u64>,
    /// What the merchant decided on a reward of an order: the first time.
    pub reviews: BTreeMap<(OrderPseudonym, CustomerPseudonym, Role), (Minute, Digest, bool)>,
}

/// A decision with its instant.
pub type Settled = (Minute, Verdict);

/// How the claims on friends were decided, by order and advocate.
pub type Admissions = BTreeMap<(OrderPseudonym, CustomerPseudonym), (Minute, Option<Admission>)>;

/// A claim that counts, with its advocate and, where it was decided before, when and how.
type Good<'a> = (&'a Report, CustomerPseudonym, Option<(Minute, Admission)>);

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
    fn terms_at(&self, at: Instant) -> Option<&Program> {
        self.terms.iter().rev().find(|(from, _)| *from <= at).map(|(_, terms)| terms)
    }

    fn terms_of(&self, report: &Report) -> &Program {
        self.terms_at(report.occurred_at).unwrap_or(&self.terms[0].1)
    }

    /// The report by which an order stands in an advocate's ledger.
    fn own(&self, order: OrderPseudonym, advocate: CustomerPseudonym) -> Option<&Report> {
        self.reports.get(&order)?.iter().find(|report| report.advocate == Some(advocate))
    }

    /// Events in accepted order; none counts before its order.
    fn events(&self, order: OrderPseudonym, since: Minute) -> Vec<(Minute, Event)> {
        let events = self.events.get(&order).into_iter().flat_map(BTreeMap::values);
        let mut events: Vec<Event> = events.copied().collect();
        events.sort_by_key(|it| (it.accepted, it.occurred_at, it.kind, it.digest));
        events.into_iter().map(|event| (event.accepted.max(since), event)).collect()
    }

    /// The settlement instant.
    fn settles(&self, report: &Report) -> Minute {
        let hold = self.terms_of(report).hold;
        let floor = report.accepted.plus(HOUR);
        if hold.from == HoldFrom::Order || report.kind != ConversionKind::Purchase {
            return report.occurred_at.plus_days(hold.days).minute_up().max(floor);
        }
        let mut settles = report.occurred_at.plus_days(hold.fallback_days).minute_up().max(floor);
        let mut last = None;
        for (accepted, event) in self.events(report.order, report.accepted) {
            if event.kind == EventType::Delivered && accepted <= settles {
                last = last.max(Some(event.occurred_at));
                let delivered = last.unwrap_or(event.occurred_at);
                let end = delivered.plus_days(hold.days).minute_up();
                settles = end.max(accepted.plus(HOUR));
            }
        }
        settles
    }

    /// What is left of the amount, and whether the order was undone, by which kind of event.
    fn left(&self, report: &Report, until: Minute) -> (i64, Option<Reason>) {
        let is_purchase = report.kind == ConversionKind::Purchase;
        self.left_of(report.order, report.accepted, report.amount, is_purchase, until)
    }

    fn left_of(
        &self,
        order: OrderPseudonym,
        accepted: Minute,
        amount: i64,
        is_purchase: bool,
        until: Minute,
    ) -> (i64, Option<Reason>) {
        let mut left = amount;
        let mut undone = (is_purchase && amount == 0).then_some(Reason::BelowMinimum);
        for (accepted, event) in self.events(order, accepted) {
            if accepted > until {
                continue;
            }
            let (rest, reason) = match event.kind {
                // Nobody in the stories restores, amends, disputes or confirms.
                EventType::Delivered
                | EventType::Amended
                | EventType::Disputed
                | EventType::Restored
                | EventType::Confirmed => continue,
                EventType::Refunded => ((left - event.amount).max(0), Reason::Refunded),
                EventType::Withdrawn => (0, Reason::Withdrawn),
                EventType::Cancelled => (0, Reason::Cancelled),
                EventType::Chargeback => (0, Reason::Chargeback),
            };
            left = rest;
            let whole = event.kind != EventType::Refunded || (left == 0 && amount > 0);
            if whole && undone.is_none() {
                undone = Some(reason);
            }
        }
        (left, undone)
    }

    /// Whether something that is kept counts for an order, although it may have been erased meanwhile:
    /// what was there when the customer was erased does, and what came between counts if it was copied,
    /// or if the order was decided while it was there.
    fn counts<T>(
        &self,
        kept: &Kept<T>,
        (report, advocate): (&Report, CustomerPseudonym),
        copy: Copied,
    ) -> bool {
        let Some(gone) = kept.gone else { return true };
        let slot = (report.order, advocate);
        let was_there = kept.erased.is_some_and(|erased| report.accepted <= erased);
        let copied = self.copied.get(&slot);
        let is_copied = copied.is_some_and(|copied| copied.contains(&(kept.since, copy)));
        was_there || is_copied || self.decided.get(&slot).is_some_and(|decided| *decided < gone)
    }

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

    /// Every order that stands in a ledger, with its advocate.
    fn standing(&self) -> impl Iterator<Item = (&Report, CustomerPseudonym)> {
        self.reports.values().flatten().filter_map(|report| Some((report, report.advocate?)))
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
            let stands = self.left(report, at).1.is_none();
            admissions.entry((order, advocate)).or_insert((at, admitted.filter(|_| stands)));
        }
        admissions
    }

    /// The first report of its order: only that one counts.
    fn is_first(&self, report: &Report) -> bool {
        let first = self.reports.get(&report.order).and_then(|reports| reports.first());
        first.is_some_and(|first| first.digest == report.digest)
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
        let mut holding: BTreeSet<CustomerPseudonym> = BTreeSet::new();
        let mut good: Vec<Good<'_>> = Vec::new();
        for (rival, other) in rivals {
            let decided = admissions.get(&(rival.order, other));
            let decided = decided
                .filter(|(when, _)| (*when, rival.order, other) < (at, report.order, advocate));
            match decided {
                Some((_, None)) => continue,
                Some((when, Some(admission))) => {
                    good.push((rival, other, Some((*when, *admission))));
                }
                None => {
                    let refusal = self.refusal(rival, other, at);
                    let waived =
                        refusal == Some(Reason::ExistingCustomer) && holding.contains(&other);
                    let stands = rank(rival, other) < mine
                        && rival.joined != Some(Via::Bound)
                        && (refusal.is_none() || waived)
                        && self.left(rival, at).1.is_none();
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
            known.into_iter().flatten().any(|(since, known)| *since <= at && known == hint)
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

    /// Whether an earlier purchase of this person is remembered that counts.
    fn is_known(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        at: Minute,
        own: &BTreeSet<OrderPseudonym>,
    ) -> bool {
        let mut first: BTreeMap<OrderPseudonym, (Minute, Digest, i64, Day)> = BTreeMap::new();
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
        first.into_iter().any(|(order, (since, _, amount, until))| {
            (since, order) < (report.reported, report.order)
                && order != report.order
                && report.reported.start().day() <= until
                && !own.contains(&order)
                && self.left_of(order, since, amount, true, at).1.is_none()
        })
    }

    /// How a claim is let in, or why not.
    fn admit(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        at: Minute,
        admissions: &Admissions,
    ) -> Result<Admission, Reason> {
        if !self.is_first(report) {
            return Err(Reason::ConflictingReport);
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
        let known = silent && self.is_known(report, advocate, at, &claims.own);
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

    /// The verdicts of one advocate, by order.
    pub fn verdicts(
        &self,
        advocate: CustomerPseudonym,
        admissions: &Admissions,
    ) -> BTreeMap<OrderPseudonym, Settled> {
        let own = |order: &OrderPseudonym| self.own(*order, advocate);
        let mut due: Vec<(Minute, &Report)> = self
            .reports
            .keys()
            .filter_map(own)
            .map(|report| (self.settles(report), report))
            .collect();
        due.sort_by_key(|(settles, report)| (*settles, report.order));
        let mut settled: BTreeMap<OrderPseudonym, Settled> = BTreeMap::new();
        for (settles, report) in due {
            let verdict = self.decide(report, advocate, (settles, admissions), &settled);
            settled.insert(report.order, (settles, verdict));
        }
        settled
    }

    fn decide(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        (settles, admissions): (Minute, &Admissions),
        before: &BTreeMap<OrderPseudonym, Settled>,
    ) -> Verdict {
        let terms = self.terms_of(report);
        let admitted = self.admit(report, advocate, settles, admissions);
        let (left, undone) = self.left(report, settles);
        let is_excluded = |item: &&(String, i64)| terms.excluded.categories.contains(&item.0);
        let excluded = report.items.iter().filter(is_excluded).map(|(_, amount)| amount).sum();
        let suspicion = self.suspicion(report, advocate, terms);
        let scales = Scales { oracle: self, terms, report, advocate, settles, before, suspicion };
        let mut rewards = Vec::new();
        for role in [Role::Advocate, Role::Friend] {
            let fitting: Vec<&Rule> =
                terms.rewards.iter().filter(|rule| scales.fits(rule, role)).collect();
            let once = |rule: &Rule| {
                rule.trigger != Trigger::EveryPurchase && rule.trigger != Trigger::Action
            };
            let is_first = matches!(admitted, Ok(Admission::First) | Err(_));
            let rule = fitting.iter().find(|rule| is_first || !once(rule)).copied();
            let Some(named) = rule.or(fitting.first().copied()) else { continue };
            if named.when != When::Earned {
                continue;
            }
            let repeated = match admitted {
                Ok(Admission::Old) => Reason::ExistingCustomer,
                _ => Reason::FriendAlreadyReferred,
            };
            let refusal = admitted.err().or(rule.is_none().then_some(repeated));
            let declined = scales.reviewed(role) == Some(false);
            let declined = declined.then_some(Reason::Declined);
            let decided = match refusal.or(declined).or(undone) {
                Some(reason) => Err(reason),
                None => scales.value(named, left, excluded),
            };
            let plain = scales.decided(named, decided);
            let number = scales.number(named.trigger);
            rewards.push(plain);
            let (Role::Advocate, Some(value)) = (role, plain.value) else { continue };
            let bonus = terms.rewards.iter().find(|rule| {
                rule.milestone == Some(number)
                    && rule.trigger == named.trigger
                    && scales.is_for(rule)
            });
            if let Some(bonus) = bonus {
                let given = scales.under_ceiling(bonus, bonus.value, value.money().unwrap_or(0));
                rewards.push(scales.decided(bonus, given));
            }
        }
        let admitted = admitted.ok().filter(|_| undone.is_none());
        Verdict { report: report.digest, admitted, rewards, excluded }
    }

    /// Why the merchant is to look at an order first.
    fn suspicion(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        terms: &Program,
    ) -> Option<Reason> {
        if report.joined == Some(Via::Hand) {
            return None;
        }
        let (mut of_click, mut of_day) = (0, 0);
        for other in self.reports.keys().filter_map(|order| self.own(*order, advocate)) {
            let is_earlier = (other.accepted, other.order) < (report.accepted, report.order);
            if !is_earlier || other.kind != report.kind {
                continue;
            }
            of_click += u32::from(report.clicked.is_some() && other.clicked == report.clicked);
            let age = report.occurred_at.seconds() - other.occurred_at.seconds();
            of_day += u32::from((0..DAY).contains(&age));
        }
        if terms.review.orders_per_click.is_some_and(|most| of_click >= most) {
            return Some(Reason::ManyOrdersOneClick);
        }
        terms.review.orders_per_day.is_some_and(|most| of_day >= most).then_some(Reason::Velocity)
    }
}

/// One order while it is weighed.
struct Scales<'a> {
    oracle: &'a Oracle,
    terms: &'a Program,
    report: &'a Report,
    advocate: CustomerPseudonym,
    settles: Minute,
    before: &'a BTreeMap<OrderPseudonym, Settled>,
    suspicion: Option<Reason>,
}

impl Scales<'_> {
    fn fits(&self, rule: &Rule, earner: Role) -> bool {
        rule.role == earner
            && rule.milestone.is_none()
            && rule.trigger.kind() == self.report.kind
            && (rule.action.is_none() || rule.action == self.report.action)
            && self.is_for(rule)
    }

    /// Whether a rule is for the segment of whoever earns.
    fn is_for(&self, rule: &Rule) -> bool {
        let Some(wanted) = &rule.segment else { return true };
        if rule.role == Role::Friend {
            return self.report.segment.as_ref() == Some(wanted);
        }
        let known = self.oracle.segments.get(&self.advocate).into_iter().flatten();
        let then = known.filter(|kept| kept.since <= self.report.accepted);
        let then = then.filter(|kept| {
            let copy = Copied::Segment(kept.what.clone());
            self.oracle.counts(kept, (self.report, self.advocate), copy)
        });
        let then = then.max_by_key(|kept| (kept.since, kept.what.clone()));
        then.is_some_and(|kept| kept.what == *wanted)
    }

    fn reviewed(&self, role: Role) -> Option<bool> {
        let (at, _, approved) =
            self.oracle.reviews.get(&(self.report.order, self.advocate, role))?;
        (*at <= self.settles).then_some(*approved)
    }

    /// What was given before: the action, when, and what.
    fn given(&self) -> impl Iterator<Item = (Option<&String>, Minute, &Decided)> {
        self.before.iter().flat_map(|(order, (at, verdict))| {
            let report = self.oracle.own(*order, self.advocate);
            let action = report.and_then(|report| report.action.as_ref());
            let given = verdict.rewards.iter().filter(|one| one.value.is_some());
            given.map(move |one| (action, *at, one))
        })
    }

    fn number(&self, trigger: Trigger) -> u32 {
        let plain = self.given().filter(|(_, _, one)| {
            one.role == Role::Advocate && one.milestone.is_none() && one.trigger == trigger
        });
        u32::try_from(plain.count()).unwrap() + 1
    }

    /// The value of a rule for this referral.
    fn of_tier(&self, rule: &Rule) -> Value {
        let number = self.number(rule.trigger);
        let tiers = rule.tiers.iter().filter(|tier| number >= tier.from);
        tiers.max_by_key(|tier| tier.from).map_or(rule.value, |tier| tier.value)
    }

    fn value(&self, rule: &Rule, left: i64, excluded: i64) -> Result<Value, Reason> {
        let amount = (left - excluded).max(0);
        if excluded > 0 && amount == 0 {
            return Err(Reason::ExcludedItem);
        }
        if rule.minimum_order.is_some_and(|least| amount < least) {
            return Err(Reason::BelowMinimum);
        }
        let value = match self.of_tier(rule) {
            Value::PercentOfOrder { basis_points } => {
                let amount = (amount * i64::from(basis_points.0) + 5_000) / 10_000;
                Value::Credit { amount, currency: self.terms.currency }
            }
            fixed => fixed,
        };
        let value = self.under_cap(rule, value)?;
        self.under_ceiling(rule, value, 0)
    }

    fn under_cap(&self, rule: &Rule, value: Value) -> Result<Value, Reason> {
        let Some(cap) = rule.cap else { return Ok(value) };
        let total = cap.per == passalong_core::reward::CapPeriod::Total;
        let spent: Vec<i64> = self
            .given()
            .filter(|(action, _, one)| {
                one.role == rule.role
                    && one.trigger == rule.trigger
                    && one.milestone.is_none()
                    && (rule.action.is_none() || *action == rule.action.as_ref())
            })
            .filter(|(_, at, _)| total || year(*at) == year(self.settles))
            .map(|(_, _, one)| one.value.and_then(Value::amount).unwrap_or(0))
            .collect();
        if cap.count.is_some_and(|most| spent.len() >= most as usize) {
            return Err(Reason::CapReached);
        }
        let sum: i64 = spent.iter().sum();
        match (cap.amount, value.amount()) {
            (Some(most), _) if sum >= most => Err(Reason::CapReached),
            // A coupon is given whole.
            (Some(most), Some(amount)) if rule.pool.is_some() && amount > most - sum => {
                Err(Reason::CapReached)
            }
            (Some(most), Some(amount)) => Ok(value.with_amount(amount.min(most - sum))),
            _ => Ok(value),
        }
    }

    fn under_ceiling(&self, rule: &Rule, value: Value, own: i64) -> Result<Value, Reason> {
        let (Some(most), Some(money)) = (self.terms.yearly_ceiling, value.money()) else {
            return Ok(value);
        };
        if rule.role == Role::Friend {
            return Ok(value);
        }
        let this_year = self
            .given()
            .filter(|(_, at, one)| one.role == Role::Advocate && year(*at) == year(self.settles));
        let spent: i64 = this_year.filter_map(|(_, _, one)| one.value?.money()).sum();
        let left = most - spent - own;
        let can_be_cut =
            value.amount().is_some() && rule.delivery != passalong_core::reward::Delivery::Coupon;
        match left {
            _ if left <= 0 => Err(Reason::CapReached),
            _ if money <= left => Ok(value),
            _ if can_be_cut => Ok(value.with_amount(left)),
            _ => Err(Reason::CapReached),
        }
    }

    fn decided(&self, rule: &Rule, decided: Result<Value, Reason>) -> Decided {
        let good = decided.is_ok();
        let decision = rule.milestone.map_or_else(|| self.reviewed(rule.role), |_| None);
        let is_share = |value| match value {
            Value::PercentOfOrder { basis_points } => Some(basis_points),
            _ => None,
        };
        Decided {
            milestone: rule.milestone,
            review: self.suspicion.filter(|_| good && decision.is_none()),
            rate: is_share(self.of_tier(rule)).filter(|_| good),
            expires: rule.end().filter(|_| good),
            pool: rule.pool.filter(|_| good),
            ..Decided::plain(rule.role, rule.trigger, decided)
        }
    }
}

fn year(at: Minute) -> i16 {
    at.start().day().year()
}
