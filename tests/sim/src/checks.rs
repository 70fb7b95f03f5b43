//! What must hold: while the story goes on, and when all is quiet.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Fact, FactKind, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::missing_referral::{Decision, Outcome};
use passalong_core::program::Program;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, RewardId};
use passalong_core::seal::Sealed;
use passalong_core::time::{Instant, Minute, Moment, SETTLE};
use passalong_edge::keys::{
    ClickKey, CustomerKey, DecisionKey, DueKey, EventKey, Field, Ledger, LedgerKey, LogKey,
    MissingKey, OrderKey, PersonKey, Saved, TermsKey,
};
use passalong_edge::people::PersonMeta;
use serde::Deserialize as _;
use serde_json::Value;

use crate::machine::{ISOLATES, LOCATIONS};
use crate::oracle::{Bought, Event, Kept, Oracle, Report};
use crate::story::{DAY, MINUTE, Mode, SECOND, Story};

/// An order without proof in a ledger: since when, whose, and how.
type Joined = (Minute, CustomerPseudonym, Via, Option<OrderPseudonym>);
type AllJoined = BTreeMap<(OrderPseudonym, Digest), Vec<Joined>>;
/// What the merchant decided on missing referrals.
type AllDecided = BTreeMap<OrderPseudonym, Vec<Decision>>;

/// Where the pointers to orders are.
const DUE: &str = "todo.order/";
/// Besides the bound, the clocks' error and the time a request takes.
const LATITUDE: u64 = 3 * MINUTE;

/// Whose missing referral was approved first. The first decision on a customer stands; of one minute
/// the one against it.
fn first_approved(decided: &[Decision]) -> Option<CustomerPseudonym> {
    let refused = |one: &Decision| {
        decided.iter().any(|other| {
            other.customer == one.customer
                && other.outcome == Outcome::Declined
                && other.at <= one.at
        })
    };
    let approved = decided.iter().filter(|one| one.outcome == Outcome::Approved && !refused(one));
    approved.min_by_key(|one| (one.at, one.customer)).map(|one| one.customer)
}

impl Story {
    /// A report that was acknowledged is in the store, under a minute not later than its own.
    pub fn check_kept_report(&mut self, index: usize, accepted: Option<Minute>) {
        let sent = &self.reports[index];
        let program = self.programs[sent.program].keys.program().clone();
        let prefix = OrderKey::prefix(&[&program, &sent.order]);
        let is_it = |key: &str, _: &_| {
            let Ok(key) = key.parse::<OrderKey>() else { return false };
            let in_time = accepted.is_none_or(|accepted| key.fact.accepted <= accepted);
            let digests = [Some(sent.report.digest), sent.unproven];
            digests.contains(&Some(key.fact.digest)) && in_time
        };
        let kept = self.machine.kv.borrow().committed(&prefix, self.now(), is_it);
        if !kept {
            self.violate(format!(
                "{} was acknowledged and is not there",
                self.reports[index].order_id
            ));
        }
    }

    pub fn check_kept_event(&mut self, index: usize) {
        let sent = &self.events[index];
        let program = self.programs[sent.program].keys.program().clone();
        let prefix = EventKey::prefix(&[&program, &sent.order]);
        let is_it = |key: &str, _: &_| {
            let key: EventKey = key.parse().unwrap();
            key.fact.digest == sent.digest
        };
        let kept = self.machine.kv.borrow().committed(&prefix, self.now(), is_it);
        if !kept {
            self.violate(format!(
                "event {} was acknowledged and is not there",
                self.events[index].event
            ));
        }
    }

    /// A reward as somebody sees it: approved only with a verdict, and not long after it was undone.
    pub fn check_shown(&mut self, program: usize, reward: &Value) {
        let Some(id) = reward["id"].as_str() else { return };
        self.check_coupon(program, reward);
        let id: RewardId = id.parse().unwrap();
        let status = reward["status"].as_str().unwrap_or_default().to_owned();
        let now = self.now();
        if matches!(status.as_str(), "approved" | "fulfilled" | "expired") {
            let of = &self.programs[program];
            let stands = |customer: &String| {
                let advocate = of.pseudonym(customer);
                let prefix = match id {
                    RewardId::Order { order, .. } => {
                        LedgerKey::prefix(&[of.keys.program(), &advocate, &order])
                    }
                    RewardId::Milestone { .. } => {
                        LedgerKey::prefix(&[of.keys.program(), &advocate])
                    }
                };
                self.machine.kv.borrow().committed(&prefix, now, |key, put| {
                    let key: LedgerKey = key.parse().unwrap();
                    let rewards = put.metadata.as_ref().map(|metadata| metadata["r"].clone());
                    let mut rewards = rewards.iter().filter_map(Value::as_array).flatten();
                    let is_it = |one: &Value| match id {
                        RewardId::Order { role, .. } => {
                            one["w"] == role.as_str() && one["m"].is_null()
                        }
                        RewardId::Milestone { advocate: own, trigger, at } => {
                            own == advocate && one["m"] == at && one["t"] == trigger.as_str()
                        }
                    };
                    key.fact.kind == FactKind::Verdict
                        && rewards.any(|one| is_it(one) && !one["v"].is_null())
                })
            };
            if !of.advocates.iter().any(stands) {
                self.violate(format!("{status} without a verdict: {reward}"));
            }
        }
        // What many orders reached is not lost with one.
        let RewardId::Order { order, .. } = id else { return };
        let mut contents = self
            .reports
            .iter()
            .filter(|sent| sent.program == program && sent.order == order && sent.sent);
        let is_alone = contents.next().is_some() && contents.next().is_none();
        let bound = self.machine.kv.borrow().staleness.bound + LATITUDE;
        let undone = self.events.iter().any(|event| {
            let whole = matches!(
                event.kind,
                EventType::Cancelled | EventType::Withdrawn | EventType::Chargeback
            );
            let long_ago = event.acked.is_some_and(|(at, known)| known && at + bound < now);
            event.program == program && event.order == order && whole && long_ago
        });
        // What the cron has put into a ledger is followed there by the cron: what is on its list has
        // not come there yet.
        let is_listed = self.reports.iter().any(|sent| {
            sent.program == program && sent.order == order && sent.report.advocate.is_none()
        }) && self.is_on_the_list(order);
        if undone && is_alone && !is_listed && matches!(status.as_str(), "pending" | "approved") {
            self.violate(format!("undone, and still {status}: {reward}"));
        }
    }

    /// Whether the cron should have looked at an order by now.
    fn is_on_the_list(&self, order: OrderPseudonym) -> bool {
        let now = self.now();
        let kv = self.machine.kv.borrow();
        let is_due = |key: &str| {
            let key: DueKey = key.parse().unwrap();
            key.order == order && u64::try_from(key.at.start().seconds()).unwrap() * SECOND <= now
        };
        kv.standing(DUE, now).any(|(key, _)| is_due(key))
    }

    /// All that must hold when nothing is going on any more.
    pub fn check_at_rest(&mut self) {
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.kv.borrow_mut().staleness.flapping = 0;
        self.machine.now.set(self.now() + bound + LATITUDE);
        for program in 0..self.programs.len() {
            let oracle = self.oracle(program);
            self.check_wholeness(program, &oracle);
            self.check_verdicts(program, &oracle);
            self.check_erasures(program);
            self.check_aliases(program);
            self.check_answers(program, &oracle);
            self.check_money(program);
            self.check_clicks(program);
            self.check_coupons(program);
            self.check_coupons_shown(program);
        }
    }

    /// What the store holds, put together with what was sent.
    #[allow(clippy::too_many_lines, reason = "one step for each kind of key")]
    fn oracle(&mut self, program: usize) -> Oracle {
        let of = &self.programs[program];
        let id = of.keys.program().clone();
        let kv = self.machine.kv.borrow();
        let mut oracle = Oracle::default();
        let mut unknown = Vec::new();
        let mut terms: Vec<(Moment, Digest, Program)> = Vec::new();
        for (key, put) in kv.ever(&TermsKey::prefix(&[&id])) {
            let Ok(TermsKey { version: Saved(from, digest), .. }) = key.parse() else { continue };
            terms.push((from, digest, Program::parse(put.value.as_bytes()).unwrap()));
        }
        terms.sort_by_key(|(from, digest, _)| (*from, *digest));
        oracle.terms =
            terms.into_iter().map(|(from, _, terms)| (from.instant_up(), terms)).collect();
        let mut reports: BTreeMap<(OrderPseudonym, Digest), Report> = BTreeMap::new();
        for (key, _) in kv.ever(&OrderKey::prefix(&[&id])) {
            // Decisions on missing referrals stand there, too.
            let Ok(key) = key.parse::<OrderKey>() else { continue };
            let Some(index) = self.by_digest.get(&(program, key.fact.digest)) else {
                unknown.push(format!("nobody sent the report {key}"));
                continue;
            };
            let sent = &self.reports[*index];
            if !sent.sent || sent.order != key.order {
                unknown.push(format!("nobody sent the report {key}"));
            }
            let slot = (key.order, key.fact.digest);
            let known = reports.entry(slot).or_insert_with(|| sent.report.clone());
            known.accepted = known.accepted.min(key.fact.accepted);
            known.reported = known.accepted;
        }
        for report in reports.into_values() {
            oracle.reports.entry(report.order).or_default().push(report);
        }
        for reports in oracle.reports.values_mut() {
            reports.sort_by_key(|report| (report.accepted, report.digest));
        }
        for (key, _) in kv.ever(&EventKey::prefix(&[&id])) {
            let key: EventKey = key.parse().unwrap();
            let Some(index) = self.events_by_digest.get(&(program, key.fact.digest)) else {
                unknown.push(format!("nobody sent the event {key}"));
                continue;
            };
            let sent = &self.events[*index];
            let event = Event {
                accepted: key.fact.accepted,
                digest: key.fact.digest,
                kind: sent.kind,
                amount: sent.amount,
                occurred_at: sent.occurred_at,
            };
            let slot =
                oracle.events.entry(key.order).or_default().entry(sent.event).or_insert(event);
            if (event.accepted, event.digest) < (slot.accepted, slot.digest) {
                *slot = event;
            }
        }
        let mut erased: BTreeMap<CustomerPseudonym, Minute> = BTreeMap::new();
        for (key, _) in kv.ever(&CustomerKey::prefix(&[&id])) {
            let parsed: CustomerKey = key.parse().unwrap();
            if parsed.field == Field::Erased {
                let at = kv.first_written_at(key) / 1_000;
                let at = Instant::from_seconds(i64::try_from(at).unwrap()).minute();
                erased.insert(parsed.customer, at);
            }
        }
        for (key, put) in kv.ever(&PersonKey::prefix(&[&id])) {
            let text = key;
            let key: PersonKey = text.parse().unwrap();
            let meta = PersonMeta::deserialize(put.metadata.as_ref().unwrap()).unwrap();
            let gone = kv.gone_at(text, self.now());
            let since = key.seen.accepted;
            let about = match key.identity {
                Identity::Customer(customer) => Some(customer),
                Identity::Hint(_) => meta.customer.as_ref().map(|by| by.parse().unwrap()),
            };
            let of = about.and_then(|customer| erased.get(&customer).copied());
            if let Identity::Customer(customer) = key.identity {
                for hint in &meta.hints {
                    let what = Identity::Hint(hint.parse().unwrap());
                    let known = oracle.known.entry(customer).or_default();
                    known.push(Kept { since, what, gone, erased: of });
                }
            }
            if meta.kind == ConversionKind::Purchase {
                let what = Bought {
                    identity: key.identity,
                    order: key.seen.order,
                    digest: key.seen.digest,
                    amount: meta.amount.unwrap_or(0),
                    until: meta.until.parse().unwrap(),
                };
                oracle.bought.push(Kept { since, what, gone, erased: of });
            }
        }
        for (key, put) in kv.ever(&CustomerKey::prefix(&[&id])) {
            let key: CustomerKey = key.parse().unwrap();
            let (gone, erased) =
                (kv.gone_at(&key.to_string(), self.now()), erased.get(&key.customer).copied());
            if let Field::Segment(since, _) = key.field {
                let segment = put.metadata.as_ref().and_then(|metadata| metadata["g"].as_str());
                let what = segment.unwrap().to_owned();
                let segments = oracle.segments.entry(key.customer).or_default();
                segments.push(Kept { since, what, gone, erased });
            }
            let Field::Hints(since, _) = key.field else { continue };
            let hints = put.metadata.as_ref().map(|metadata| metadata["h"].clone());
            for hint in hints.iter().filter_map(Value::as_array).flatten() {
                let hint = hint.as_str().unwrap().parse().unwrap();
                let what = Identity::Hint(hint);
                let known = oracle.known.entry(key.customer).or_default();
                known.push(Kept { since, what, gone, erased });
                oracle.confirmed.entry(key.customer).or_default().push((since, what));
            }
        }
        for (text, put) in kv.ever(&LedgerKey::prefix(&[&id])) {
            let key: LedgerKey = text.parse().unwrap();
            let json = put.metadata.clone().unwrap_or_default();
            let slot = (key.order, key.customer);
            match key.fact.kind {
                FactKind::Verdict => {
                    let at = kv.first_written_at(text);
                    let first = oracle.decided.entry(slot).or_insert(at);
                    *first = (*first).min(at);
                }
                FactKind::Remembered => {
                    oracle.copied.entry(slot).or_default().insert(key.fact.accepted);
                }
                _ => {}
            }
            let Some(Fact::Reviewed(review)) = Fact::from_json(key.fact.kind, &json) else {
                continue;
            };
            let (at, digest) = (key.fact.accepted, key.fact.digest);
            if review.milestone.is_none() {
                let slot = (key.order, key.customer, review.role);
                let first = oracle.reviews.entry(slot).or_insert((at, digest, review.approved));
                *first = (*first).min((at, digest, review.approved));
            }
        }
        drop(kv);
        for text in unknown {
            self.violate(text);
        }
        let (joined, decided) = self.joined(program);
        self.check_joined(program, &mut oracle, &joined, &decided);
        oracle
    }

    /// Orders without proof that came into a ledger, and what was decided on missing referrals.
    fn joined(&self, program: usize) -> (AllJoined, AllDecided) {
        let id = self.programs[program].keys.program();
        let kv = self.machine.kv.borrow();
        let mut joined: AllJoined = BTreeMap::new();
        for (key, put) in kv.ever(&LedgerKey::prefix(&[id])) {
            let key: LedgerKey = key.parse().unwrap();
            let json = put.metadata.clone().unwrap_or_default();
            let Some(Fact::Conversion(fact)) = Fact::from_json(key.fact.kind, &json) else {
                continue;
            };
            if fact.via.is_joined() {
                let slot = joined.entry((key.order, key.fact.digest)).or_default();
                slot.push((key.fact.accepted, key.customer, fact.via, fact.bound_by));
            }
        }
        let mut decided: AllDecided = BTreeMap::new();
        for (key, _) in kv.ever(&OrderKey::prefix(&[id])) {
            let Ok(key) = key.parse::<DecisionKey>() else { continue };
            decided.entry(key.order).or_default().push(key.decision.0);
        }
        (joined, decided)
    }

    /// Orders without proof came to whom they belong to, and count from then.
    fn check_joined(
        &mut self,
        program: usize,
        oracle: &mut Oracle,
        joined: &AllJoined,
        decided: &AllDecided,
    ) {
        let mut wrong = Vec::new();
        let none = Vec::new();
        let reported = oracle.reports.clone();
        for (order, reports) in &mut oracle.reports {
            for report in reports {
                let joins = joined.get(&(*order, report.digest)).unwrap_or(&none);
                let first = joins.iter().min_by_key(|(at, ..)| *at);
                if let Some((at, advocate, via, by)) = first.filter(|_| report.advocate.is_none()) {
                    report.advocate = Some(*advocate);
                    report.accepted = report.accepted.max(*at);
                    report.joined = Some(*via);
                    report.bound_by = *by;
                }
            }
        }
        let admissions = oracle.admissions();
        for (order, reports) in &reported {
            for (place, report) in reports.iter().enumerate() {
                let by_hand = decided.get(order).and_then(|all| first_approved(all));
                let joins = joined.get(&(*order, report.digest)).unwrap_or(&none).iter();
                let counts =
                    |(_, who, via, _): &&Joined| *via == Via::Bound || Some(*who) == by_hand;
                let joins: Vec<Joined> = joins.filter(counts).copied().collect();
                let first = joins.iter().min_by_key(|(at, ..)| *at).copied();
                if joins.iter().any(|one| {
                    first.is_some_and(|(_, who, via, by)| (one.1, one.2, one.3) != (who, via, by))
                }) {
                    wrong.push(format!("{order} was joined twice: {joins:?}"));
                }
                let bound = oracle.bound_to(report, &admissions);
                let bound = bound.map(|(advocate, by)| (advocate, Via::Bound, Some(by)));
                let by_hand = by_hand.map(|customer| (customer, Via::Hand, None));
                let is_open = report.advocate.is_none() && place == 0;
                // Another report that names somebody comes before; one that was completed an hour
                // later may have come too late for that.
                let named = |other: &&Report| other.advocate.is_some();
                let sure = report.accepted.plus(SETTLE);
                let mut others = reports.iter().filter(named);
                if is_open && others.clone().any(|other| other.accepted > sure) {
                    continue;
                }
                let is_open = is_open && others.next().is_none();
                let expected = bound.or(by_hand).filter(|_| is_open);
                let found = first.map(|(_, who, via, by)| (who, via, by));
                // Who was erased meanwhile is not recognised by a hint any more.
                let is_forgotten = found.is_none() && self.is_anybody_erased(program);
                if expected != found && !is_forgotten {
                    wrong.push(format!("{order} was joined as {first:?}, and not {expected:?}"));
                }
                if let Some((_, _, via, _)) = first {
                    *self.decided.entry(format!("joined {via:?}")).or_default() += 1;
                }
            }
        }
        if self.mode == Mode::Inside && !self.has_forgotten(program) {
            let of = self.programs[program].id.clone();
            for text in wrong {
                self.violate(format!("{of}: {text}"));
            }
        }
    }

    /// Whether somebody was erased, where the store is later than the design assumes: then what an
    /// erasure leaves depends on who saw it.
    fn has_forgotten(&self, program: usize) -> bool {
        self.mode == Mode::Beyond && self.is_anybody_erased(program)
    }

    fn is_anybody_erased(&self, program: usize) -> bool {
        let prefix = CustomerKey::prefix(&[self.programs[program].keys.program()]);
        let kv = self.machine.kv.borrow();
        kv.ever(&prefix).any(|(key, _)| key.parse::<CustomerKey>().unwrap().field == Field::Erased)
    }

    /// A claim that was acknowledged is there.
    pub fn check_kept_claim(&mut self, program: usize, advocate: usize) {
        let of = &self.programs[program];
        let customer = of.pseudonym(&of.advocates[advocate]);
        let prefix = MissingKey::prefix(&[of.keys.program()]);
        let kept = self.machine.kv.borrow().committed(&prefix, self.now(), |key, _| {
            key.parse::<MissingKey>().unwrap().filed.customer == customer
        });
        if !kept {
            self.violate("a claim was acknowledged and is not there");
        }
    }

    /// Every order that stands does so wholly: in its ledger, under all claims, in the list. And
    /// everything acknowledged stands.
    fn check_wholeness(&mut self, program: usize, oracle: &Oracle) {
        let mut broken = Vec::new();
        {
            let of = &self.programs[program];
            let id = of.keys.program().clone();
            let kv = self.machine.kv.borrow();
            let now = self.now();
            let stands = |prefix: &str| kv.standing(prefix, now).next().is_some();
            for report in oracle.reports.values().flatten() {
                let order = report.order;
                let name = of.keys.open(
                    Sealed::Order,
                    &self.reports[self.by_digest[&(program, report.digest)]].order_id,
                );
                let name = name.unwrap_or_else(|| order.to_string());
                if let Some(advocate) = report.advocate {
                    let in_ledger = kv
                        .standing(&LedgerKey::prefix(&[&id, &advocate, &order]), now)
                        .any(|(key, _)| {
                            let key: LedgerKey = key.parse().unwrap();
                            key.fact.digest == report.digest
                        });
                    if !in_ledger {
                        broken.push(format!("{name} is not in its ledger"));
                    }
                    for identity in &report.identities {
                        let prefix = PersonKey::prefix(&[&id, identity]);
                        let mut keys = kv
                            .standing(&prefix, now)
                            .map(|(key, _)| key.parse::<PersonKey>().unwrap().seen);
                        let ledger = Ledger(Some(advocate));
                        if !keys.any(|seen| (seen.order, seen.ledger) == (order, ledger)) {
                            broken.push(format!("{name} has no claim on {identity}"));
                        }
                    }
                }
                let log = LogKey {
                    program: id.clone(),
                    day: report.occurred_at.day(),
                    order,
                    ledger: Ledger(report.advocate),
                };
                if !stands(&log.to_string()) {
                    broken.push(format!("{name} is not listed"));
                }
            }
            // What the ledgers hold stands as an order, and what has happened to it is in them.
            for (key, _) in kv.standing(&LedgerKey::prefix(&[&id]), now) {
                let key: LedgerKey = key.parse().unwrap();
                let is_report = key.fact.kind == FactKind::Conversion;
                let reports = oracle.reports.get(&key.order).into_iter().flatten();
                let mut same = reports.filter(|report| report.digest == key.fact.digest);
                if is_report && same.next().is_none() {
                    broken.push(format!("half an order: {key}"));
                }
                if !is_report {
                    continue;
                }
                let happened: BTreeSet<Digest> = oracle
                    .events
                    .get(&key.order)
                    .into_iter()
                    .flat_map(BTreeMap::values)
                    .map(|event| event.digest)
                    .collect();
                let prefix = LedgerKey::prefix(&[&id, &key.customer, &key.order]);
                let joined: BTreeSet<Digest> = kv
                    .standing(&prefix, now)
                    .map(|(key, _)| key.parse::<LedgerKey>().unwrap().fact.digest)
                    .collect();
                if !happened.is_subset(&joined) {
                    broken.push(format!("an event never came into the ledger: {key}"));
                }
            }
        }
        for text in broken {
            self.violate(text);
        }
        for index in 0..self.reports.len() {
            if self.reports[index].acked.is_some() && self.reports[index].program == program {
                self.check_kept_report(index, None);
            }
        }
    }

    /// Every verdict that was ever written is the oracle's, and every order has one.
    fn check_verdicts(&mut self, program: usize, oracle: &Oracle) {
        let of = &self.programs[program];
        let id = of.keys.program().clone();
        let advocates: Vec<(String, CustomerPseudonym)> =
            of.advocates.iter().map(|name| (name.clone(), of.pseudonym(name))).collect();
        let mut wrong = Vec::new();
        let admissions = oracle.admissions();
        let mut holders: BTreeMap<Identity, BTreeSet<CustomerPseudonym>> = BTreeMap::new();
        for (name, advocate) in advocates {
            let mut settled = oracle.verdicts(advocate, &admissions);
            let kv = self.machine.kv.borrow();
            // What an erasure took away cannot refuse any more; a run before it still knew.
            // Only what is known of advocates counts: their own, and those with a rival claim. The
            // audit, which reports beyond the bound, leaves all who were erased alone.
            let erased = self.has_forgotten(program);
            for (key, put) in kv.ever(&LedgerKey::prefix(&[&id, &advocate])) {
                let key: LedgerKey = key.parse().unwrap();
                if key.fact.kind != FactKind::Verdict {
                    continue;
                }
                let json = put.metadata.clone().unwrap_or_default();
                let expected = settled
                    .get(&key.order)
                    .map(|(at, verdict)| (*at, Fact::Verdict(verdict.clone()).to_json()));
                if expected != Some((key.fact.accepted, json.clone())) && !erased {
                    let order = self.name(program, key.order);
                    let ledger = LedgerKey::prefix(&[&id, &advocate, &key.order]);
                    let facts: Vec<String> =
                        kv.ever(&ledger).map(|(key, _)| key[ledger.len()..].to_owned()).collect();
                    let report = oracle.reports.get(&key.order);
                    wrong.push(format!(
                        "the verdict on {order} of {name} at {} is {json}, and not {expected:?}; {facts:?} {report:?}",
                        key.fact.accepted
                    ));
                }
                for one in json["r"].as_array().into_iter().flatten() {
                    for (name, field) in [
                        ("value", &one["v"]["kind"]),
                        ("refused", &one["x"]),
                        ("review", &one["q"]),
                    ] {
                        let Some(word) = field.as_str() else { continue };
                        *self.decided.entry(format!("{name} {word}")).or_default() += 1;
                    }
                    for (name, field) in [
                        ("milestone", &one["m"]),
                        ("rate", &one["b"]),
                        ("expires", &one["u"]["days"]),
                    ] {
                        if let Some(number) = field.as_i64() {
                            *self.decided.entry(format!("{name} {number}")).or_default() += 1;
                        }
                    }
                }
                if json["r"].as_array().into_iter().flatten().any(|one| !one["v"].is_null()) {
                    let report = oracle.reports.get(&key.order).and_then(|reports| reports.first());
                    for identity in report.into_iter().flat_map(|report| &report.identities) {
                        holders.entry(*identity).or_default().insert(advocate);
                    }
                }
            }
            for (key, _) in kv.standing(&LedgerKey::prefix(&[&id, &advocate]), self.now()) {
                let key: LedgerKey = key.parse().unwrap();
                if key.fact.kind == FactKind::Verdict {
                    settled.remove(&key.order);
                }
            }
            for order in settled.keys() {
                let order = self.name(program, *order);
                wrong.push(format!("{order} of {name} was never settled"));
            }
        }
        if self.mode == Mode::Beyond && wrong.iter().any(|text| text.contains("the verdict on")) {
            if self.breaches() == 0 {
                self.violate(format!(
                    "the bound was passed, and nobody said so: {}",
                    wrong.join("; ")
                ));
            }
            wrong.retain(|text| !text.contains("the verdict on"));
        }
        for text in wrong {
            self.violate(text);
        }
    }

    /// How often the log says that facts came too late for a verdict.
    pub fn breaches(&self) -> usize {
        let log = self.machine.log.borrow();
        log.iter().filter(|line| line.contains("later than assumed")).count()
    }

    pub fn name(&self, program: usize, order: OrderPseudonym) -> String {
        let mut sent =
            self.reports.iter().filter(|sent| sent.program == program && sent.order == order);
        sent.next().map_or_else(|| order.to_string(), |sent| sent.order_id.clone())
    }

    /// Nothing in the store opens to the id of who was erased.
    fn check_erasures(&mut self, program: usize) {
        let of = &self.programs[program];
        let mut found = Vec::new();
        for ((_, customer), at) in self.erased.iter().filter(|((index, _), _)| *index == program) {
            let kv = self.machine.kv.borrow();
            for (key, put) in kv.standing("", self.now()) {
                let metadata =
                    put.metadata.as_ref().and_then(|metadata| metadata.get("s")?.as_str());
                let sealed = [Some(put.value.as_str()), metadata];
                let opens = |text: &str| {
                    of.keys.open(Sealed::Customer, text).is_some_and(|id| id == *customer)
                };
                // Who comes back after a week is a new customer.
                let is_new = kv.written_at(key, self.now()) > at + 7 * DAY;
                if !is_new && sealed.into_iter().flatten().any(opens) {
                    found.push(format!("{customer} was erased, and {key} opens to it"));
                }
            }
        }
        for text in found {
            self.violate(text);
        }
    }

    /// All locations answer the same, and what they answer is what was acknowledged.
    fn check_answers(&mut self, program: usize, oracle: &Oracle) {
        let advocates = self.programs[program].advocates.clone();
        let orders: Vec<String> = {
            let known = oracle.reports.keys();
            known.map(|order| self.name(program, *order)).collect()
        };
        // Whoever looks for the first time is written down.
        for advocate in &advocates {
            self.me(program, 0, advocate);
        }
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.now.set(self.now() + bound + LATITUDE);
        let mut answers: Vec<Vec<(u16, Value)>> = Vec::new();
        for location in 0..LOCATIONS {
            let isolate = location * ISOLATES;
            let mut heard = Vec::new();
            for order in &orders {
                heard.push(self.merchant(program, isolate, &format!("/v1/conversions/{order}")));
            }
            heard.push(self.merchant(program, isolate, "/v1/rewards"));
            for advocate in &advocates {
                let target = format!("/v1/rewards?customer_id={advocate}");
                heard.push(self.merchant(program, isolate, &target));
                let mut answer = self.me(program, isolate, advocate);
                answer.1["as_of"] = Value::Null;
                heard.push(answer);
            }
            answers.push(heard);
        }
        for (place, first) in answers[0].clone().iter().enumerate() {
            for other in &answers[1..] {
                if other[place] != *first {
                    let text = format!("two locations differ: {} and {}", first.1, other[place].1);
                    self.violations.push(text);
                }
            }
            if first.0 != 200 {
                self.violate(format!("at rest, {} was the answer: {}", first.0, first.1));
            }
        }
        for index in 0..self.reports.len() {
            let sent = &self.reports[index];
            let Some(acked) = sent.acked.clone().filter(|_| sent.program == program) else {
                continue;
            };
            let place = orders.iter().position(|order| *order == sent.order_id);
            let Some(place) = place else {
                self.violate(format!("{} is gone", self.reports[index].order_id));
                continue;
            };
            // Beyond the bound, two tries of one report may have been answered from two views.
            let first = oracle.reports[&sent.order].first().filter(|_| self.mode == Mode::Inside);
            if first.is_none_or(|first| first.digest != sent.report.digest) {
                continue;
            }
            let told = &answers[0][place].1;
            for name in ["attributed", "reason"] {
                if told[name] != acked[name] && oracle.reports[&sent.order].len() == 1 {
                    let text = format!(
                        "{}: {name} was {} and is {}",
                        sent.order_id, acked[name], told[name]
                    );
                    // What two locations accepted at once was answered twice, each as it knew who
                    // else claims the friend and who the advocate is.
                    let seen = |answer: &Value| {
                        let reason = answer["reason"].as_str();
                        matches!(reason, Some("friend_already_referred" | "self_referral"))
                    };
                    // What brought no proof has come to somebody since.
                    let joined = oracle.reports[&sent.order][0].joined.is_some();
                    if !seen(told) && !seen(&acked) && !joined {
                        self.violations.push(text);
                    }
                }
            }
        }
        self.check_fulfilled(program, &orders, &answers[0]);
    }

    /// What was handed over stays, as it was handed over first, until it ends as was said then.
    fn check_fulfilled(&mut self, program: usize, orders: &[String], heard: &[(u16, Value)]) {
        let mut changed = Vec::new();
        for ((of, id), answers) in &self.fulfilled {
            if *of != program {
                continue;
            }
            let Ok(RewardId::Order { order, .. }) = id.parse() else { continue };
            let name = self.name(program, order);
            let place = orders.iter().position(|order| *order == name);
            let rewards = place.and_then(|place| heard[place].1["rewards"].as_array().cloned());
            let reward = rewards.into_iter().flatten().find(|reward| reward["id"] == id.as_str());
            let Some(reward) = reward else {
                changed.push(format!("{name}: a fulfilled reward is gone"));
                continue;
            };
            let same = answers.iter().any(|answer| {
                answer["value"] == reward["value"] && answer["reference"] == reward["reference"]
            });
            let ended = reward["status"] == "expired"
                && answers.iter().any(|answer| answer["until"] == reward["since"]);
            if !(reward["status"] == "fulfilled" || ended) || !same {
                changed.push(format!("{name}: fulfilled as {answers:?}, and now {reward}"));
            }
            let amount = |value: &Value| value["amount"].as_i64().unwrap_or(0);
            let entries = reward["entries"].as_array().cloned().unwrap_or_default();
            let taken: i64 = entries.iter().map(|entry| amount(&entry["value"])).sum();
            if amount(&reward["value"]) + taken < 0 {
                changed.push(format!("{name}: more was taken back than given: {reward}"));
            }
        }
        for text in changed {
            self.violate(text);
        }
    }

    /// Unique clicks are the visitors, less those who were in a batch when its isolate died.
    fn check_clicks(&mut self, program: usize) {
        let advocates = self.programs[program].advocates.clone();
        for (index, advocate) in advocates.iter().enumerate() {
            let died = self.machine.died.borrow().clone();
            let at_risk = |click: &&crate::story::Clicked| {
                let window = click.at - 15 * SECOND..click.at + 60 * SECOND;
                click.lost || died[click.isolate].iter().any(|at| window.contains(at))
            };
            let own = || {
                self.clicked
                    .iter()
                    .filter(|click| click.program == program && click.advocate == index)
            };
            let name = |click: &crate::story::Clicked| (click.day, click.visitor);
            let all: BTreeSet<_> = own().map(name).collect();
            let sure: BTreeSet<_> = own().filter(|click| !at_risk(click)).map(name).collect();
            let told = self.me(program, 0, advocate).1["totals"]["clicks"].as_u64().unwrap_or(0);
            // A day is folded once its clicks are surely there; beyond the bound they may not be.
            let least = if self.mode == Mode::Inside { sure.len() } else { 0 };
            if !(least as u64..=all.len() as u64).contains(&told) {
                let raw = {
                    let kv = self.machine.kv.borrow();
                    let of = &self.programs[program];
                    let customer = of.pseudonym(advocate);
                    let prefix = ClickKey::prefix(&[of.keys.program()]);
                    kv.ever(&prefix)
                        .filter(|(key, _)| {
                            key.parse::<ClickKey>().is_ok_and(|key| key.customer == customer)
                        })
                        .count()
                };
                self.violate(format!(
                    "{advocate} has {told} clicks, and not {} to {}; {raw} batches",
                    sure.len(),
                    all.len()
                ));
            }
        }
    }
}
