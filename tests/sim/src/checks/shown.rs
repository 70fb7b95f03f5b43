//! What somebody sees: nothing is approved without a verdict, nor owed for what was undone.

use passalong_core::fact::{Decided, Fact};
use passalong_core::ids::OrderPseudonym;
use passalong_core::missing_referral::Outcome;
use passalong_core::report::EventType;
use passalong_core::reward::{Part, RewardId};
use passalong_edge::keys::{DecisionKey, DueKey, LedgerKey};
use serde_json::Value;

use super::{LATITUDE, fact};
use crate::story::{Mode, SECOND, SentReport, Story};

/// Where the pointers to orders are.
const DUE: &str = "todo.order/";
impl Story {
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
                    let Some(Fact::Verdict(verdict)) = fact(&key, put) else { return false };
                    let is_it = |one: &&Decided| match id {
                        RewardId::Order { role, .. } => one.part() == Part::from(role),
                        RewardId::Milestone { advocate: own, trigger, at } => {
                            own == advocate && one.milestone == Some(at) && one.trigger == trigger
                        }
                    };
                    verdict.rewards.iter().find(is_it).is_some_and(|one| one.value.is_some())
                })
            };
            if !of.people().any(stands) {
                self.violate(format!("{status} without a verdict: {reward}"));
            }
        }
        // What many orders reached is not lost with one.
        let RewardId::Order { order, .. } = id else { return };
        let mut contents = self
            .reports
            .iter()
            .filter(|sent| sent.program == program && sent.order == order && sent.tries > 0);
        let is_alone = contents.next().is_some() && contents.next().is_none();
        let bound = self.machine.kv.borrow().staleness.bound + LATITUDE;
        let undone = self.events.iter().any(|event| {
            let whole = matches!(
                event.kind,
                EventType::Cancelled | EventType::Withdrawn | EventType::Chargeback
            );
            let long_ago = event.acked.is_some_and(|(at, known)| known && at + bound < now);
            // Of two that have one id the one accepted first counts.
            let is_alone = || {
                self.events.iter().all(|other| {
                    (other.program, other.event) != (program, event.event)
                        || other.digest == event.digest
                })
            };
            let is_it = event.program == program && event.order == order;
            is_it && whole && long_ago && is_alone()
        });
        // What may have been restored since is weighed at rest.
        let restored = self.events.iter().any(|event| {
            let is_it = event.program == program && event.order == order && event.sent;
            is_it && event.kind == EventType::Restored
        });
        let undone = undone && !restored;
        // What the cron has put into a ledger is followed there by the cron: what is on its list has
        // not come there yet, and what came just now is not seen everywhere.
        let is_listed = || {
            let is_it = |sent: &SentReport| {
                sent.program == program && sent.order == order && sent.report.advocate.is_none()
            };
            self.reports.iter().any(is_it)
                && (self.is_on_the_list(order) || self.came_since(program, order, now - bound))
        };
        // What was declined in the minute of its approval is refused in the end, whatever happens to it.
        let is_declined = || {
            let kv = self.machine.kv.borrow();
            let prefix = DecisionKey::prefix(&[self.programs[program].keys.program(), &order]);
            let keys = kv.ever(&prefix).filter_map(|(key, _)| key.parse::<DecisionKey>().ok());
            let mut outcomes = keys.map(|key| key.decision.0.outcome);
            outcomes.any(|outcome| outcome == Outcome::Declined)
        };
        let stands = matches!(status.as_str(), "pending" | "approved");
        if undone && is_alone && stands && !is_listed() && !is_declined() {
            self.violate(format!("undone, and still {status}: {reward}"));
        }
    }

    /// Whether something came into a ledger of an order since then.
    fn came_since(&self, program: usize, order: OrderPseudonym, since: u64) -> bool {
        let of = &self.programs[program];
        let kv = self.machine.kv.borrow();
        let mut people = of.advocates.iter().chain(&of.friends);
        people.any(|name| {
            let prefix = LedgerKey::prefix(&[of.keys.program(), &of.pseudonym(name), &order]);
            kv.ever(&prefix).any(|(key, _)| kv.first_written_at(key) > since)
        })
    }

    /// Whether the cron should have looked at an order by now; or, where the store is later than the
    /// design assumes, whether it ever will: it comes back for an event a day later.
    fn is_on_the_list(&self, order: OrderPseudonym) -> bool {
        let now = self.now();
        let kv = self.machine.kv.borrow();
        let is_due = |key: &str| {
            let key: DueKey = key.parse().unwrap();
            let at = u64::try_from(key.at.start().seconds()).unwrap() * SECOND;
            key.order == order && (at <= now || self.mode == Mode::Beyond)
        };
        kv.standing(DUE, now).any(|(key, _)| is_due(key))
    }
}
