//! What people do: each errand is drawn from the seed, and tried until it is done or given up.

use passalong_core::time::Instant;
use serde_json::{Value, json};

use crate::machine::{Faults, Next};
use crate::proofs::{BROKEN, clicked};
use crate::random::Random;
use crate::story::{
    ACTION, DAY, ERRANDS, Errand, HOUR, MINUTE, SECOND, SentReport, Story, What, hint,
};
use crate::terms::terms;

/// What was bought, where the shop says it.
fn fill(body: &mut Value, random: &mut Random) {
    if body["kind"] == "purchase" && random.permille(250) {
        body["items"] = json!([
            { "sku": "TEE-1", "category": "tee", "amount": 77 },
            { "sku": "MED-1", "category": "medizin", "amount": random.pick(&[1_000, 77, 20_000]) },
        ]);
    }
}

impl Story {
    pub(crate) fn act(&mut self) {
        // Clicks and messages wait a week for a cron that comes to its end; in peace it does.
        if self.actions_left == 0 || self.now() > self.began + 5 * DAY {
            self.fill_at_the_end();
            self.mend_hooks();
            self.draining = true;
            *self.machine.faults.borrow_mut() = Faults::default();
            self.folded_day = self.now() / DAY;
            return;
        }
        self.actions_left -= 1;
        let program = self.random.index(self.programs.len());
        self.meet_aliases(program);
        self.tend_pools(program);
        self.tend_hooks(program);
        match self.random.below(1_000) {
            0..215 => self.report(program),
            215..240 => self.scheme(program),
            240..480 => self.happen(program),
            480..500 | 775..805 => self.claim(program),
            500..600 => {
                let advocate = self.random.index(3);
                self.errand(What::Me { program, advocate }, None, 0);
            }
            600..640 => self.errand(What::Rewards { program }, None, 0),
            640..690 => {
                if let Some(order_id) = self.some_order(program) {
                    self.errand(What::Read { program, order_id }, None, 0);
                }
            }
            690..750 => self.fulfil(program),
            750..770 => self.review(program),
            770..775 => {
                let advocate = self.random.index(3);
                self.errand(What::Owed { program, advocate }, None, 0);
            }
            805..840 => self.errand(What::Claims { program }, None, 0),
            840..930 => {
                let advocate = self.random.index(3);
                for _ in 0..self.random.between(1, 5) {
                    let visitor = u32::try_from(self.random.below(40)).unwrap();
                    let wait = self.random.below(2_500);
                    self.errand(What::Click { program, advocate, visitor }, None, wait);
                }
            }
            930..945 => self.erase(program),
            945..960 => self.change_terms(program),
            960..980 => self.errand(What::Codes { program }, None, 0),
            _ => {
                let advocate = self.random.index(3);
                self.errand(What::Share { program, advocate }, None, 0);
            }
        }
        let wait = match self.random.below(100) {
            0..45 => self.random.below(5 * SECOND),
            45..75 => self.random.below(5 * MINUTE),
            75..95 => self.random.below(50 * MINUTE),
            95..99 => self.random.below(12 * HOUR),
            _ => self.random.below(2 * DAY),
        };
        self.machine.schedule(self.now() + wait, Next::Outside(ACTION));
    }

    pub(crate) fn errand(&mut self, what: What, body: Option<Value>, wait: u64) {
        self.errands.push(Errand { what, body, tries: 0, done: false });
        let index = ERRANDS + self.errands.len() - 1;
        self.machine.schedule(self.now() + wait, Next::Outside(index));
    }

    /// The latest orders are the ones people deal with.
    pub(crate) fn some_order(&mut self, program: usize) -> Option<String> {
        let own: Vec<&SentReport> =
            self.reports.iter().filter(|report| report.program == program).collect();
        let recent = own.len().saturating_sub(8);
        let from = if self.random.permille(800) { recent } else { 0 };
        let choice = from + self.random.index(own.len() - from);
        own.get(choice).map(|report| report.order_id.clone())
    }

    fn report(&mut self, program: usize) {
        self.serial += 1;
        let order_id = format!("A-{}", self.serial);
        let now = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        let (friend, advocate) = (self.random.index(4), self.random.index(3));
        let random = &mut self.random;
        let of = &self.programs[program];
        let (friend, advocate) = (of.friends[friend].clone(), of.advocates[advocate].clone());
        // Now and then an advocate orders by the own link.
        let friend = if random.permille(40) { advocate.clone() } else { friend };
        let occurred_at = match random.below(20) {
            0 => now.plus(240),
            1..4 => now.plus(-i64::try_from(random.below(3_600)).unwrap()),
            4 => now.plus(-i64::try_from(random.below(4 * 86_400)).unwrap()),
            _ => now,
        };
        let mut body = json!({
            "order_id": order_id, "kind": "purchase", "currency": "EUR",
            "amount": random.pick(&[4_990_i64, 2_500, 3_000, 10_001, 77]),
            "occurred_at": occurred_at,
        });
        // Guests are recognised by the hash of an address, which may be the advocate's.
        match random.below(10) {
            0..2 => body["hints"] = json!([hint(&friend)]),
            2..5 => {
                body["customer_id"] = json!(friend);
                body["hints"] = json!([hint(&friend)]);
            }
            5 => {
                body["customer_id"] = json!(friend);
                body["hints"] = json!([hint(&random.pick(&of.friends))]);
            }
            _ => body["customer_id"] = json!(friend),
        }
        if random.permille(50) {
            body["hints"] = json!([hint(&advocate)]);
        }
        if random.permille(650) {
            body["first_order"] = json!(random.permille(930));
        }
        if random.permille(20) {
            body["currency"] = json!("CHF");
        }
        if random.permille(120) {
            body["kind"] = json!(random.pick(&["signup", "action"]));
            if body["kind"] == "action" {
                body["action"] = json!(random.pick(&["review", "survey"]));
            }
            body.as_object_mut().unwrap().retain(|name, _| name != "amount" && name != "currency");
        }
        if random.permille(150) {
            body["segment"] = json!("vip");
        }
        fill(&mut body, random);
        match random.below(20) {
            0 => {}
            _ if random.permille(120) => {}
            1 => body["code"] = json!(BROKEN),
            2..10 => body["code"] = json!(of.code(&advocate)),
            _ => {
                let age = random.pick(&[60, 3_600, 86_300, 90_000]);
                // Some come by a click that others come by, too.
                let mut at = occurred_at.plus(-age);
                if random.permille(400) {
                    at = Instant::from_seconds(at.seconds() / 21_600 * 21_600);
                }
                let nonce = [1, 2, 3, random.pick(&[4, 4, 4, 5])];
                body["token"] = json!(clicked(of, &advocate, at, nonce));
            }
        }
        let wait = random.below(2 * SECOND);
        if self.random.permille(250) {
            self.prove(program, &mut body, occurred_at);
        }
        let index = self.keep_report(program, &order_id, &body);
        self.errand(What::Report(index), Some(body.clone()), wait);
        if self.random.permille(150) {
            let wait = self.random.pick(&[0, 50, 2_000]);
            self.errand(What::Report(index), Some(body.clone()), wait);
        }
        if self.random.permille(130) {
            let mut other = body;
            if self.random.permille(500) {
                if other.get("amount").is_some() {
                    other["amount"] = json!(6_000);
                }
                other["segment"] = json!("shop");
            } else {
                let index = self.random.index(3);
                let another = self.programs[program].advocates[index].clone();
                other
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name != "token" && name != "proofs");
                other["code"] = json!(self.programs[program].code(&another));
            }
            let index = self.keep_report(program, &order_id, &other);
            let wait = self.random.pick(&[0, 100, 5 * SECOND, 5 * MINUTE, 2 * HOUR]);
            self.errand(What::Report(index), Some(other), wait);
        }
    }

    /// A reward that somebody has seen, or that of a late order.
    fn some_reward(&mut self, program: usize) -> Option<String> {
        let seen: Vec<&String> =
            self.seen.iter().filter(|(of, _)| *of == program).map(|(_, id)| id).collect();
        if !seen.is_empty() && self.random.permille(400) {
            let from = seen.len().saturating_sub(20);
            return Some(seen[from + self.random.index(seen.len() - from)].clone());
        }
        let order_id = self.some_order(program)?;
        let order = self.programs[program].keys.order(&order_id.parse().unwrap());
        let role = if self.random.permille(700) {
            passalong_core::reward::Role::Advocate
        } else {
            passalong_core::reward::Role::Friend
        };
        Some(passalong_core::reward::RewardId::Order { order, role }.to_string())
    }

    /// The merchant pays out a reward, or settles what was taken back from one.
    fn fulfil(&mut self, program: usize) {
        let Some(id) = self.some_reward(program) else { return };
        let reference = self.random.below(2);
        self.errand(What::Fulfil { program, id, reference }, None, 0);
    }

    fn review(&mut self, program: usize) {
        let Some(id) = self.some_reward(program).filter(|id| !id.contains('.')) else { return };
        let decision = self.random.pick(&["approve", "decline"]);
        self.errand(What::Review { program, id, decision, customer: None }, None, 0);
    }

    fn erase(&mut self, program: usize) {
        let of = &self.programs[program];
        let mut all = of.advocates.clone();
        all.extend(of.friends.iter().cloned());
        let customer = self.random.pick(&all);
        self.errand(What::Erase { program, customer }, None, 0);
    }

    fn change_terms(&mut self, program: usize) {
        let id = self.programs[program].id.clone();
        let mut terms = terms(&mut self.random, &id);
        let whole = passalong_core::program::Program::from_preset(terms.to_string().as_bytes());
        terms = serde_json::to_value(whole.unwrap()).unwrap();
        self.errand(What::Terms { program, terms }, None, 0);
    }
}
