//! The oracle: what must come out, computed from what was sent and when it was accepted. It sees
//! everything at once and is never late. It knows the rules of settlement from their description
//! and shares no code with them but the words.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Decided, Verdict};
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
    pub clicked_at: Option<Instant>,
    pub identities: Vec<Identity>,
    pub kind: ConversionKind,
    pub amount: i64,
    pub currency: Option<String>,
    pub first_order: Option<bool>,
    pub occurred_at: Instant,
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
        if let Some(clicked_at) = report.clicked_at {
            let age = report.occurred_at.seconds() - clicked_at.seconds();
            if age > i64::from(terms.attribution.window_days) * DAY || age < -300 {
                return Some(Reason::OutsideWindow);
            }
        }
        let is_old = report.first_order == Some(false);
        (terms.attribution.new_customers_only && is_old).then_some(Reason::ExistingCustomer)
    }

    /// Whether another advocate holds the friend, and whether this one has brought the friend in
    /// this way before.
    fn friendship(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        until: Minute,
    ) -> (bool, bool) {
        let (mut taken, mut again) = (false, false);
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
                again |= other == advocate && rival.kind == report.kind;
                let first =
                    |held: &&Report| (held.accepted, held.order) < (rival.accepted, rival.order);
                holder = holder.filter(first).or(Some(rival));
            }
            taken |= holder.is_some_and(|holder| holder.advocate != Some(advocate));
        }
        (taken, again)
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
        let (taken, again) = self.friendship(report, advocate, settles);
        let first = self.reports.get(&report.order).and_then(|reports| reports.first());
        let mut refusal = self.refusal(report, advocate, settles);
        if taken {
            refusal = refusal.or(Some(Reason::FriendAlreadyReferred));
        }
        if first.is_some_and(|first| first.digest != report.digest) {
            refusal = Some(Reason::ConflictingReport);
        }
        let (left, undone) = self.left(report, settles);
        let mut rewards = Vec::new();
        for role in [Role::Advocate, Role::Friend] {
            let mut rules = terms
                .rewards
                .iter()
                .filter(|rule| rule.role == role && rule.trigger.kind() == report.kind);
            let Some(any) = rules.clone().next().filter(|rule| rule.when == When::Earned) else {
                continue;
            };
            let once = |rule: &Rule| rule.trigger != Trigger::EveryPurchase;
            let rule = rules.find(|rule| !(again && once(rule)));
            let rule = rule.filter(|rule| rule.when == When::Earned);
            let again = rule.is_none().then_some(Reason::FriendAlreadyReferred);
            let decided = match (refusal.or(again).or(undone), rule) {
                (Some(reason), _) => Err(reason),
                (None, rule) => Self::value(rule.unwrap_or(any), left, terms, settles, before),
            };
            let trigger = rule.unwrap_or(any).trigger;
            rewards.push(Decided::plain(role, trigger, decided));
        }
        Verdict { report: report.digest, rewards, excluded: 0 }
    }

    fn value(
        rule: &Rule,
        left: i64,
        terms: &Program,
        settles: Minute,
        before: &BTreeMap<OrderPseudonym, Settled>,
    ) -> Result<Value, Reason> {
        if rule.minimum_order.is_some_and(|least| left < least) {
            return Err(Reason::BelowMinimum);
        }
        let value = match rule.value {
            Value::PercentOfOrder { basis_points } => {
                let amount = (left * i64::from(basis_points.0) + 5_000) / 10_000;
                Value::Credit { amount, currency: terms.currency }
            }
            fixed => fixed,
        };
        let Some(cap) = rule.cap else { return Ok(value) };
        let year = |at: Minute| at.start().day().year();
        let spent: Vec<i64> = before
            .values()
            .filter(|(at, _)| {
                cap.per == passalong_core::reward::CapPeriod::Total || year(*at) == year(settles)
            })
            .flat_map(|(_, verdict)| &verdict.rewards)
            .filter(|one| one.role == rule.role && one.trigger == rule.trigger)
            .filter_map(|one| one.value?.amount())
            .collect();
        if cap.count.is_some_and(|most| spent.len() >= most as usize) {
            return Err(Reason::CapReached);
        }
        let sum: i64 = spent.iter().sum();
        match (cap.amount, value.amount()) {
            (Some(most), _) if sum >= most => Err(Reason::CapReached),
            (Some(most), Some(amount)) => Ok(value.with_amount(amount.min(most - sum))),
            _ => Ok(value),
        }
    }
}
