//! What the store holds, put together with what was sent, is what the oracle decides on.

use std::collections::BTreeMap;

use passalong_core::fact::{Fact, FactKind, Remembered, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::missing_referral::Decision;
use passalong_core::program::Program;
use passalong_core::reward::ConversionKind;
use passalong_core::time::{Instant, Minute, Moment};
use passalong_edge::keys::{
    AliasKey, CustomerKey, DecisionKey, EventKey, Field, LedgerKey, OrderKey, PersonKey, Saved,
    TermsKey,
};
use passalong_edge::metadata::{Hints, Person, Segment};

use super::{fact, read};
use crate::oracle::{Bought, Copied, Event, Kept, Oracle, Report};
use crate::story::{Mode, Story};

/// An order without proof in a ledger: since when, whose, and how.
pub(super) type Joined = (Minute, CustomerPseudonym, Via, Option<OrderPseudonym>);
pub(super) type AllJoined = BTreeMap<(OrderPseudonym, Digest), Vec<Joined>>;
/// What the merchant decided on missing referrals.
pub(super) type AllDecided = BTreeMap<OrderPseudonym, Vec<Decision>>;

impl Story {
    /// What the store holds, put together with what was sent.
    #[allow(clippy::too_many_lines, reason = "one step for each kind of key")]
    pub(super) fn oracle(&mut self, program: usize) -> Oracle {
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
            if self.reports[sent.of].tries == 0 || sent.order != key.order {
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
                id: sent.event,
                digest: key.fact.digest,
                kind: sent.kind,
                amount: sent.amount,
                occurred_at: sent.occurred_at,
                undoes: sent.undoes,
                items: sent.items.clone(),
            };
            *self.decided.entry(format!("event {}", sent.kind)).or_default() += 1;
            let known = oracle.events.entry(key.order).or_default();
            let slot = known.entry(sent.event).or_insert_with(|| event.clone());
            if (event.accepted, event.digest) < (slot.accepted, slot.digest) {
                *slot = event;
            }
        }
        for (key, _) in kv.ever(&AliasKey::prefix(&[&id])) {
            let AliasKey { alias, claim, .. } = key.parse().unwrap();
            let claims = oracle.aliases.entry(alias.to_string()).or_default();
            claims.insert((claim.at, claim.customer));
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
            let meta: Person = read(put);
            let gone = kv.gone_at(text, self.now());
            let since = key.seen.accepted;
            let about = match key.identity {
                Identity::Customer(customer) => Some(customer),
                Identity::Hint(_) => meta.customer,
            };
            let of = about.and_then(|customer| erased.get(&customer).copied());
            if let Identity::Customer(customer) = key.identity {
                for hint in &meta.hints {
                    let what = Identity::Hint(*hint);
                    let known = oracle.known.entry(customer).or_default();
                    // An order is surely complete an hour later.
                    known.push(Kept {
                        since: since.plus(passalong_core::time::HOUR),
                        what,
                        gone,
                        erased: of,
                    });
                }
            }
            if meta.kind == ConversionKind::Purchase {
                let what = Bought {
                    identity: key.identity,
                    order: key.seen.order,
                    digest: key.seen.digest,
                    amount: meta.amount.unwrap_or(0),
                    until: meta.until,
                };
                oracle.bought.push(Kept { since, what, gone, erased: of });
            }
        }
        for (key, put) in kv.ever(&CustomerKey::prefix(&[&id])) {
            let key: CustomerKey = key.parse().unwrap();
            let (gone, erased) =
                (kv.gone_at(&key.to_string(), self.now()), erased.get(&key.customer).copied());
            if let Field::Segment(since, _) = key.field {
                let Segment { segment: what } = read(put);
                let segments = oracle.segments.entry(key.customer).or_default();
                segments.push(Kept { since, what, gone, erased });
            }
            let Field::Hints(since, _) = key.field else { continue };
            let Hints { hints } = read(put);
            for hint in hints {
                let what = Identity::Hint(hint);
                let known = oracle.known.entry(key.customer).or_default();
                known.push(Kept { since, what, gone, erased });
                let confirmed = oracle.confirmed.entry(key.customer).or_default();
                confirmed.push(Kept { since, what, gone, erased });
            }
        }
        for (text, put) in kv.ever(&LedgerKey::prefix(&[&id])) {
            let key: LedgerKey = text.parse().unwrap();
            let slot = (key.order, key.customer);
            match key.fact.kind {
                FactKind::Verdict => {
                    let at = kv.first_written_at(text);
                    let first = oracle.decided.entry(slot).or_insert(at);
                    *first = (*first).min(at);
                }
                FactKind::Remembered => {
                    let Some(Fact::Remembered(fact)) = fact(&key, put) else { continue };
                    let said = match fact {
                        Remembered { segment: Some(segment), .. } => Copied::Segment(segment),
                        Remembered { order: Some(order), .. } => Copied::Bought(order),
                        Remembered { report: Some(report), .. } => Copied::Named(report),
                        Remembered { .. } => continue,
                    };
                    oracle.copied.entry(slot).or_default().insert((key.fact.accepted, said));
                }
                _ => {}
            }
            let Some(Fact::Reviewed(review)) = fact(&key, put) else { continue };
            let (at, digest) = (key.fact.accepted, key.fact.digest);
            if review.milestone.is_none() {
                if review.approved {
                    let slot = (key.order, key.customer, review.role);
                    oracle.approvals.entry(slot).or_default().insert(at);
                }
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
        oracle.decisions = decided;
        self.check_joined(program, &mut oracle, &joined);
        oracle
    }

    /// Orders without proof that came into a ledger, and what was decided on missing referrals.
    fn joined(&self, program: usize) -> (AllJoined, AllDecided) {
        let id = self.programs[program].keys.program();
        let kv = self.machine.kv.borrow();
        let mut joined: AllJoined = BTreeMap::new();
        for (key, put) in kv.ever(&LedgerKey::prefix(&[id])) {
            let key: LedgerKey = key.parse().unwrap();
            let Some(Fact::Conversion(fact)) = fact(&key, put) else { continue };
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

    /// Whether somebody was erased, where the store is later than the design assumes: then what an
    /// erasure leaves depends on who saw it.
    pub(super) fn has_forgotten(&self, program: usize) -> bool {
        self.mode == Mode::Beyond && self.is_anybody_erased(program)
    }

    pub(super) fn is_anybody_erased(&self, program: usize) -> bool {
        let prefix = CustomerKey::prefix(&[self.programs[program].keys.program()]);
        let kv = self.machine.kv.borrow();
        kv.ever(&prefix).any(|(key, _)| key.parse::<CustomerKey>().unwrap().field == Field::Erased)
    }
}
