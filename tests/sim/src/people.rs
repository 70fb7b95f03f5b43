//! What people do: each errand is drawn from the seed, and tried until it is done or given up.

use passalong_core::click_token::ClickToken;
use passalong_core::ids::OrderId;
use passalong_core::report::{ConversionReport, EventReport};
use passalong_core::time::Instant;
use serde_json::{Value, json};

use crate::machine::{Faults, Next};
use crate::oracle;
use crate::random::Random;
use crate::story::{
    ACTION, DAY, ERRANDS, Errand, HOUR, MINUTE, SECOND, SentEvent, SentReport, Story, What, hint,
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
        if self.actions_left == 0 {
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
            0..260 => self.report(program),
            260..500 => self.happen(program),
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
            775..785 => self.claim(program),
            785..930 => {
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
    fn some_order(&mut self, program: usize) -> Option<String> {
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
        if random.permille(900) {
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
            1 => body["code"] = json!("8f3k2m7q8f3k2m7q8f3k2m7q8f"),
            2..10 => body["code"] = json!(of.code(&advocate)),
            _ => {
                let age = random.pick(&[60, 3_600, 86_300, 90_000]);
                // Some come by a click that others come by, too.
                let mut at = occurred_at.plus(-age);
                if random.permille(400) {
                    at = Instant::from_seconds(at.seconds() / 21_600 * 21_600);
                }
                let token = ClickToken {
                    customer: of.pseudonym(&advocate),
                    at,
                    channel: passalong_core::channel::Channel::WhatsApp,
                    nonce: [1, 2, 3, random.pick(&[4, 4, 4, 5])],
                };
                body["token"] = json!(token.sign(&of.keys));
            }
        }
        let wait = random.below(2 * SECOND);
        let index = self.keep_report(program, &order_id, &body, Some(&advocate));
        self.errand(What::Report(index), Some(body.clone()), wait);
        if self.random.permille(150) {
            let wait = self.random.pick(&[0, 50, 2_000]);
            self.errand(What::Report(index), Some(body.clone()), wait);
        }
        if self.random.permille(130) {
            let mut other = body;
            let advocate = if self.random.permille(500) {
                if other.get("amount").is_some() {
                    other["amount"] = json!(6_000);
                }
                other["segment"] = json!("shop");
                Some(advocate)
            } else {
                let index = self.random.index(3);
                let another = self.programs[program].advocates[index].clone();
                other.as_object_mut().unwrap().remove("token");
                other["code"] = json!(self.programs[program].code(&another));
                Some(another)
            };
            let index = self.keep_report(program, &order_id, &other, advocate.as_deref());
            let wait = self.random.pick(&[0, 100, 5 * SECOND, 5 * MINUTE, 2 * HOUR]);
            self.errand(What::Report(index), Some(other), wait);
        }
    }

    pub(crate) fn keep_report(
        &mut self,
        program: usize,
        order_id: &str,
        body: &Value,
        advocate: Option<&str>,
    ) -> usize {
        let of = &self.programs[program];
        let far = Instant::from_seconds(i64::MAX);
        let parsed = ConversionReport::parse(body.to_string().as_bytes(), far).unwrap();
        let plain = of.keys.digest(parsed.content().as_bytes());
        let order = of.keys.order(&order_id.parse::<OrderId>().unwrap());
        let token = body.get("token").and_then(Value::as_str);
        let clicked = token.and_then(|token| {
            let click = passalong_core::click_token::verify(&of.keys, token).ok()?;
            Some((click.at, u32::from_be_bytes(click.nonce)))
        });
        let is_bad = body.get("code").is_some_and(|code| code == "8f3k2m7q8f3k2m7q8f3k2m7q8f");
        let proves = !is_bad && (clicked.is_some() || body.get("code").is_some());
        let advocate = advocate.filter(|_| proves).map(|advocate| of.pseudonym(advocate));
        let counted = advocate.map(|advocate| (0, advocate));
        let digest = of.keys.digest(parsed.content_as(counted).as_bytes());
        let ids = parsed
            .customer
            .iter()
            .map(|id| passalong_core::ids::Identity::Customer(of.keys.customer(id)));
        let hints =
            parsed.hints.iter().map(|hint| passalong_core::ids::Identity::Hint(of.keys.hint(hint)));
        let report = oracle::Report {
            order,
            digest,
            accepted: far.minute(),
            joined: None,
            bound_by: None,
            reported: far.minute(),
            advocate,
            clicked,
            identities: ids.chain(hints).collect(),
            kind: parsed.kind,
            amount: parsed.amount.unwrap_or(0),
            currency: parsed.currency.map(|currency| currency.to_string()),
            first_order: parsed.first_order,
            occurred_at: parsed.occurred_at,
            segment: parsed.segment,
            action: parsed.action,
            items: parsed
                .items
                .into_iter()
                .map(|item| (item.category.unwrap_or_default(), item.amount))
                .collect(),
        };
        if let Some(index) = self.by_digest.get(&(program, digest)) {
            return *index;
        }
        let order_id = order_id.to_owned();
        self.reports.push(SentReport {
            program,
            order_id,
            order,
            report,
            unproven: None,
            sent: false,
            acked: None,
        });
        let index = self.reports.len() - 1;
        self.by_digest.insert((program, digest), index);
        // A token may be outside its window by the terms of then; it proves nothing where an earlier
        // order can bind the friend.
        if clicked.is_some() && proves {
            self.reports[index].unproven = Some(plain);
            let mut reading = SentReport { sent: true, ..self.reports[index].clone() };
            reading.report.advocate = None;
            reading.report.clicked = None;
            reading.report.digest = plain;
            self.reports.push(reading);
            self.by_digest.insert((program, plain), self.reports.len() - 1);
        }
        index
    }

    /// Something happens to an order; sometimes to one that is only about to be reported.
    fn happen(&mut self, program: usize) {
        let order_id = if self.random.permille(60) {
            format!("A-{}", self.serial + 1)
        } else {
            let Some(order_id) = self.some_order(program) else { return };
            order_id
        };
        self.serial += u32::from(self.random.permille(2));
        let now = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        let kind = self.random.pick(&[
            "delivered",
            "delivered",
            "delivered",
            "refunded",
            "refunded",
            "cancelled",
            "withdrawn",
            "chargeback",
        ]);
        let id = self.random.below(1_000_000);
        let mut body = json!({ "event_id": format!("e{id}"), "type": kind, "occurred_at": now });
        if kind == "refunded" {
            body["amount"] = json!(self.random.pick(&[1, 500, 990, 2_000, 4_990]));
        }
        let index = self.keep_event(program, &order_id, &body);
        let what = What::Event(index);
        let wait = self.random.below(SECOND);
        self.errand(what.clone(), Some(json!({ "order": order_id, "body": body })), wait);
        if self.random.permille(100) {
            self.errand(what, Some(json!({ "order": order_id, "body": body })), 0);
        }
    }

    pub(crate) fn keep_event(&mut self, program: usize, order_id: &str, body: &Value) -> usize {
        let of = &self.programs[program];
        let far = Instant::from_seconds(i64::MAX);
        let parsed = EventReport::parse(body.to_string().as_bytes(), far).unwrap();
        let id: OrderId = order_id.parse().unwrap();
        let digest = of.keys.digest(parsed.content(&id).as_bytes());
        if self.machine.direction.is_scripted()
            && let Some(known) = self.events_by_digest.get(&(program, digest))
        {
            return *known;
        }
        self.events.push(SentEvent {
            program,
            order: of.keys.order(&id),
            event: of.keys.event(&id, &parsed.id),
            digest,
            kind: parsed.kind,
            amount: parsed.amount.unwrap_or(0),
            occurred_at: parsed.occurred_at,
            sent: false,
            acked: None,
        });
        self.events_by_digest.insert((program, digest), self.events.len() - 1);
        self.events.len() - 1
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

    /// A customer misses an order; some name one that brought another proof, or the wrong day.
    fn claim(&mut self, program: usize) {
        let unproven =
            |sent: &&SentReport| sent.program == program && sent.report.advocate.is_none();
        let missed: Vec<String> =
            self.reports.iter().filter(unproven).map(|sent| sent.order_id.clone()).collect();
        let missed = if missed.is_empty() || self.random.permille(200) {
            self.some_order(program)
        } else {
            Some(missed[self.random.index(missed.len())].clone())
        };
        let Some(order_id) = missed else { return };
        let advocate = self.random.index(3);
        let day = i64::try_from(self.now() / DAY).unwrap() - self.random.pick(&[0, 0, 0, 1, 2]);
        let day = Instant::from_seconds(day * 86_400).day().dashed();
        let body = json!({ "order_id": order_id, "ordered_on": day });
        self.errand(What::Claim { program, advocate }, Some(body), 0);
    }

    fn review(&mut self, program: usize) {
        let Some(id) = self.some_reward(program).filter(|id| !id.contains('.')) else { return };
        let decision = self.random.pick(&["approve", "decline"]);
        self.errand(What::Review { program, id, decision }, None, 0);
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
