//! The oracle: what must come out, computed from what was sent and when it was accepted. It sees
//! everything at once and is never late. It knows the rules of settlement from their description
//! and shares no code with them but the words.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Decided, Verdict, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::program::{HoldFrom, Program};
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Rule, Trigger, Value, When};
use passalong_core::time::{DAY, HOUR, Instant, Minute};

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
    pub known: BTreeMap<CustomerPseudonym, Vec<(Minute, Identity)>>,
    pub segments: BTreeMap<CustomerPseudonym, Vec<(Minute, String)>>,
    /// What the merchant decided on a reward of an order: the first time.
    pub reviews: BTreeMap<(OrderPseudonym, CustomerPseudonym, Role), (Minute, Digest, bool)>,
}

/// A decision with its instant.
pub type Settled = (Minute, Verdict);

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
    fn events(&self, report: &Report) -> Vec<(Minute, Event)> {
        let events = self.events.get(&report.order).into_iter().flat_map(BTreeMap::values);
        let mut events: Vec<Event> = events.copied().collect();
        events.sort_by_key(|event| (event.accepted, event.digest));
        events.into_iter().map(|event| (event.accepted.max(report.accepted), event)).collect()
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
        for (accepted, event) in self.events(report) {
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
        let mut left = report.amount;
        let mut undone = None;
        for (accepted, event) in self.events(report) {
            if accepted > until {
                continue;
            }
            let (rest, reason) = match event.kind {
                EventType::Delivered => continue,
                EventType::Refunded => ((left - event.amount).max(0), Reason::Refunded),
                EventType::Withdrawn => (0, Reason::Withdrawn),
                EventType::Cancelled => (0, Reason::Cancelled),
                EventType::Chargeback => (0, Reason::Chargeback),
            };
            left = rest;
            let whole = event.kind != EventType::Refunded || (left == 0 && report.amount > 0);
            if whole && undone.is_none() {
                undone = Some(reason);
            }
        }
        (left, undone)
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
        let mut own: BTreeSet<Identity> =
            known.filter(|(since, _)| *since <= until).map(|(_, identity)| *identity).collect();
        own.insert(Identity::Customer(advocate));
        if report.identities.iter().any(|identity| own.contains(identity)) {
            return Some(Reason::SelfReferral);
        }
        if let Some((clicked_at, _)) = report.clicked {
            let age = report.occurred_at.seconds() - clicked_at.seconds();
            if age > i64::from(terms.attribution.window_days) * DAY || age < -300 {
                return Some(Reason::OutsideWindow);
            }
        }
        let is_old = report.first_order == Some(false) && report.joined != Some(Via::Bound);
        (terms.attribution.new_customers_only && is_old).then_some(Reason::ExistingCustomer)
    }

    /// Whether another advocate holds the friend, and whether this one has brought the friend in
    /// this way before.
    fn friendship(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        until: Minute,
    ) -> (bool, bool, bool) {
        let (mut taken, mut again, mut held) = (false, false, false);
        for identity in &report.identities {
            let mut holder: Option<&Report> = None;
            for rival in self.reports.values().filter_map(|reports| reports.first()) {
                let Some(other) = rival.advocate else { continue };
                let is_earlier = rival.order != report.order
                    && rival.identities.contains(identity)
                    && (rival.accepted, rival.order) < (report.accepted, report.order);
                if !is_earlier {
                    continue;
                }
                let then = until.min(self.settles(rival));
                if self.refusal(rival, other, then).is_some() || self.left(rival, then).1.is_some()
                {
                    continue;
                }
                held |= other == advocate;
                again |= other == advocate && rival.kind == report.kind;
                let first =
                    |held: &&Report| (held.accepted, held.order) < (rival.accepted, rival.order);
                holder = holder.filter(first).or(Some(rival));
            }
            taken |= holder.is_some_and(|holder| holder.advocate != Some(advocate));
        }
        (taken, again, held)
    }

    /// Who an order without proof belongs to, because an earlier one brought the friend.
    pub fn bound_to(&self, report: &Report) -> Option<CustomerPseudonym> {
        let days = self.terms_at(report.occurred_at)?.attribution.bound_days;
        let earlier = self.reports.values().filter_map(|reports| reports.first());
        let brought = earlier.filter(|other| {
            let age = report.occurred_at.seconds() - other.occurred_at.seconds();
            other.joined.is_none()
                && other.order != report.order
                && (other.accepted, other.order) < (report.accepted, report.order)
                && age <= i64::from(days) * DAY
                && other.identities.iter().any(|identity| report.identities.contains(identity))
        });
        let good = brought.filter_map(|other| {
            let advocate = other.advocate?;
            let then = report.accepted.min(self.settles(other));
            let refused = self.refusal(other, advocate, report.accepted).is_some();
            let gone =
                self.refusal(other, advocate, then).is_some() || self.left(other, then).1.is_some();
            (!refused).then_some((gone, other.accepted, other.order, advocate))
        });
        good.min().map(|(.., advocate)| advocate).filter(|_| days > 0)
    }

    /// The verdicts of one advocate, by order. `None` where the advocate's identity was erased, so
    /// that it cannot be known any more.
    pub fn verdicts(&self, advocate: CustomerPseudonym) -> BTreeMap<OrderPseudonym, Settled> {
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
            let verdict = self.decide(report, advocate, settles, &settled);
            settled.insert(report.order, (settles, verdict));
        }
        settled
    }

    fn decide(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        settles: Minute,
        before: &BTreeMap<OrderPseudonym, Settled>,
    ) -> Verdict {
        let terms = self.terms_of(report);
        let (taken, again, held) = self.friendship(report, advocate, settles);
        let first = self.reports.get(&report.order).and_then(|reports| reports.first());
        let mut refusal = self.refusal(report, advocate, settles);
        refusal = refusal.filter(|reason| !(held && *reason == Reason::ExistingCustomer));
        if taken {
            refusal = refusal.or(Some(Reason::FriendAlreadyReferred));
        }
        if first.is_some_and(|first| first.digest != report.digest) {
            refusal = Some(Reason::ConflictingReport);
        }
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
            let rule = fitting.iter().find(|rule| !(again && once(rule))).copied();
            let rule = rule.filter(|rule| rule.when == When::Earned);
            let any = fitting.first().copied().filter(|rule| rule.when == When::Earned);
            let Some(named) = rule.or(any) else { continue };
            let declined = scales.reviewed(role) == Some(false);
            let again = rule.is_none().then_some(Reason::FriendAlreadyReferred);
            let declined = declined.then_some(Reason::Declined);
            let decided = match refusal.or(again).or(declined).or(undone) {
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
        Verdict { report: report.digest, rewards, excluded }
    }

    /// Why the merchant is to look at an order first.
    fn suspicion(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        terms: &Program,
    ) -> Option<Reason> {
        if report.joined == Some(Via::Hand) {
            return Some(Reason::ClaimedByHand);
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
        let then = known.filter(|(since, _)| *since <= self.report.accepted).max();
        then.is_some_and(|(_, segment)| segment == wanted)
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
