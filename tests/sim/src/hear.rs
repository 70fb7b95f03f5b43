//! What people hear, and what they must not.

use passalong_core::time::Instant;

use crate::story::{Answer, Clicked, SECOND, Story, What};

impl Story {
    pub(crate) fn hear(&mut self) {
        let quiet = self.machine.cut.borrow().is_empty() && self.outbox.borrow().is_empty();
        if quiet {
            return;
        }
        let cut = std::mem::take(&mut *self.machine.cut.borrow_mut());
        for task in cut {
            if let Some(errand) = self.tasks.remove(&task) {
                self.again(errand);
            }
        }
        let (answers, violations, lost) = {
            let mut outbox = self.outbox.borrow_mut();
            (
                std::mem::take(&mut outbox.answers),
                std::mem::take(&mut outbox.violations),
                std::mem::take(&mut outbox.lost_batches),
            )
        };
        self.violations.extend(violations);
        for (task, target) in lost {
            if !self.machine.record(task).excused {
                self.violate(format!("clicks were lost without a reason: {target:?}"));
            }
            for click in &mut self.clicked {
                let of = &self.programs[click.program];
                let same = *of.keys.program() == target.program
                    && of.pseudonym(&of.advocates[click.advocate]) == target.customer;
                click.lost |= same && click.at + 60 * SECOND > self.machine.now.get();
            }
        }
        for answer in answers {
            if let Some(errand) = self.tasks.remove(&answer.task) {
                self.hear_one(errand, &answer);
            }
        }
    }

    pub fn violate(&mut self, text: impl std::fmt::Display) {
        let at = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        self.violations.push(format!("{at}: {text}"));
    }

    fn hear_one(&mut self, index: usize, answer: &Answer) {
        let what = self.errands[index].what.clone();
        let status = answer.status;
        if status >= 500 {
            if status != 503 || !self.may_fail(answer) {
                self.violate(format!("{what:?} was answered with {status}: {}", answer.body));
            }
            self.again(index);
            return;
        }
        self.errands[index].done = true;
        let now = self.now();
        match what {
            What::Report(report) => match status {
                200 | 201 => {
                    self.reports[report].answers.push(answer.body.clone());
                    self.check_kept_report(report, (status == 201).then_some(answer.minute));
                }
                409 => {}
                _ => self.violate(format!("a report was answered with {status}: {}", answer.body)),
            },
            What::Event(event) => match status {
                200..=202 => {
                    let known = status != 202;
                    self.events[event].acked = Some((now, known));
                    self.check_kept_event(event);
                }
                409 => {}
                _ => self.violate(format!("an event was answered with {status}: {}", answer.body)),
            },
            What::Click { program, advocate, visitor } => {
                if answer.has_pa {
                    let day = answer.day;
                    let isolate = answer.isolate;
                    let click =
                        Clicked { program, advocate, visitor, day, at: now, isolate, lost: false };
                    self.clicked.push(click);
                } else {
                    self.violate(format!("a visitor came without pa: {status}"));
                }
            }
            What::Me { program, advocate } => {
                self.hear_that_it_is_sure(program, advocate, &answer.body["alias"]);
                for referral in answer.body["referrals"].as_array().into_iter().flatten() {
                    self.check_shown(program, &referral["reward"]);
                }
            }
            What::Rewards { program } | What::Read { program, .. } | What::Owed { program, .. } => {
                for reward in answer.body["rewards"].as_array().into_iter().flatten() {
                    self.check_shown(program, reward);
                    self.see(program, reward);
                }
            }
            What::Review { program, customer, .. } => {
                if status == 200 {
                    self.check_shown(program, &answer.body);
                } else if status == 409 && customer.is_some() {
                    // It may be too soon.
                    self.errands[index].done = false;
                    self.again(index);
                }
            }
            What::Claims { program } => self.hear_of_claims(program, &answer.body),
            What::Fulfil { program, id, .. } => {
                if status == 200 && id.contains('.') {
                    self.see(program, &answer.body);
                } else if status == 200 {
                    self.check_shown(program, &answer.body);
                    self.fulfilled.entry((program, id)).or_default().push(answer.body.clone());
                }
            }
            What::Erase { program, customer } => {
                if status == 200 {
                    self.erased.insert((program, customer), now);
                }
            }
            What::Upload(upload) => self.hear_upload(upload, status, &answer.body),
            What::Claim { program, person } => {
                if status == 201 || status == 200 {
                    self.check_kept_claim(program, person);
                }
            }
            what @ (What::ChooseAlias { .. } | What::ByAlias(_)) => {
                self.hear_of_alias(&what, answer);
            }
            What::Webhook(asked) => self.hear_webhook(asked, status, &answer.body),
            What::Pool { .. } | What::Terms { .. } | What::Codes { .. } | What::Share { .. } => {}
        }
    }

    /// Whoever saw a reward can pay it, review it, and settle its entries.
    fn see(&mut self, program: usize, reward: &serde_json::Value) {
        let entries = reward["entries"].as_array().into_iter().flatten();
        let ids = entries.map(|entry| &entry["id"]).chain([&reward["id"]]);
        for id in ids.filter_map(|id| id.as_str()) {
            if !self.seen.iter().any(|(_, known)| known == id) {
                self.seen.push((program, id.to_owned()));
            }
        }
    }

    /// A 503 needs a reason: a fault, or a store that shows a key without its value.
    fn may_fail(&self, answer: &Answer) -> bool {
        let on_its_way =
            answer.body["detail"].as_str().is_some_and(|text| text.contains("on its way"));
        let unseen =
            answer.body["detail"].as_str().is_some_and(|text| text.contains("not visible"));
        self.machine.record(answer.task).excused
            || self.machine.is_troubled()
            || on_its_way
            || unseen
    }
}
