//! What happens to orders, as shops tell it: parcels arrive, buyers send things back, and orders go
//! back and forth. What was cancelled is taken up again and cancelled again, all in one minute; an
//! order is edited to nothing and back; more is paid back than was paid; the bank asks for the money
//! and gives it back; and an id is used twice.

use passalong_core::ids::OrderId;
use passalong_core::report::{EventReport, EventType};
use passalong_core::time::Instant;
use serde_json::{Value, json};

use crate::random::Random;
use crate::story::{MINUTE, SECOND, SentEvent, Story, What};

/// What happens alone.
const ALONE: [&str; 15] = [
    "delivered",
    "delivered",
    "delivered",
    "delivered",
    "refunded",
    "refunded",
    "cancelled",
    "withdrawn",
    "chargeback",
    "amended",
    "amended",
    "disputed",
    "restored",
    "restored",
    "confirmed",
];

/// What happens one after the other.
const COURSES: [&[&str]; 12] = [
    &["cancelled", "restored"],
    &["cancelled", "restored", "cancelled"],
    &["withdrawn", "restored", "withdrawn", "restored"],
    &["refunded", "restored", "refunded"],
    &["refunded", "refunded", "restored"],
    &["disputed", "restored"],
    &["disputed", "chargeback"],
    &["disputed", "chargeback", "restored"],
    &["amended", "amended"],
    &["amended", "refunded", "restored"],
    &["refunded", "amended"],
    &["cancelled", "delivered", "restored"],
];

impl Story {
    /// Something happens to an order; sometimes to one that is only about to be reported.
    pub(crate) fn happen(&mut self, program: usize) {
        let order_id = if self.random.permille(60) {
            format!("A-{}", self.serial + 1)
        } else {
            let Some(order_id) = self.some_order(program) else { return };
            order_id
        };
        self.serial += u32::from(self.random.permille(2));
        let course: &[&str] = if self.random.permille(250) {
            self.random.pick(&COURSES)
        } else {
            &[self.random.pick(&ALONE)]
        };
        let now = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        // Shops tell the seconds as they like: in order, all at once, or the wrong way round.
        let (apart, seconds) = (
            self.random.pick(&[0, 0, 300, 20 * SECOND, 90 * SECOND, 30 * MINUTE]),
            self.random.pick(&[0, 0, 1, -1]),
        );
        let mut wait = self.random.below(SECOND);
        for (place, kind) in course.iter().enumerate() {
            let occurred_at = now.plus(seconds * i64::try_from(place).unwrap());
            let body = self.happening(program, &order_id, kind, occurred_at);
            let index = self.keep_event(program, &order_id, &body);
            let body = json!({ "order": order_id, "body": body });
            if self.random.permille(100) {
                self.errand(What::Event(index), Some(body.clone()), wait);
            }
            self.errand(What::Event(index), Some(body), wait);
            wait += apart;
        }
    }

    fn happening(
        &mut self,
        program: usize,
        order_id: &str,
        kind: &str,
        occurred_at: Instant,
    ) -> Value {
        let mut name = format!("e{}", self.random.below(1_000_000));
        let order = self.programs[program].keys.order(&order_id.parse().unwrap());
        let known = self.events.iter().filter(|one| one.program == program && one.order == order);
        let known: Vec<(String, EventType)> =
            known.map(|one| (one.name.clone(), one.kind)).collect();
        // An id that something else had: what was accepted first counts.
        if !known.is_empty() && self.random.permille(30) {
            name = self.random.pick(&known).0;
        }
        let mut body = json!({ "event_id": name, "type": kind, "occurred_at": occurred_at });
        match kind {
            "refunded" => {
                body["amount"] = json!(self.random.pick(&[1, 500, 990, 2_000, 4_990, 20_000]));
            }
            "amended" => amend(&mut body, &mut self.random),
            "restored" => {
                let last = known.iter().rev().find(|(_, kind)| kind.is_reversal());
                let undoes = match self.random.below(10) {
                    0..4 => None,
                    4 => Some("e-unknown".to_owned()),
                    _ => last.map(|(name, _)| name.clone()),
                };
                if let Some(undoes) = undoes.filter(|undoes| *undoes != name) {
                    body["undoes"] = json!(undoes);
                }
            }
            _ => {}
        }
        body
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
            name: parsed.id.as_str().to_owned(),
            kind: parsed.kind,
            amount: parsed.amount.unwrap_or(0),
            occurred_at: parsed.occurred_at,
            undoes: parsed.undoes.as_ref().map(|undone| of.keys.event(&id, undone)),
            items: parsed
                .items
                .into_iter()
                .map(|item| (item.category.unwrap_or_default(), item.amount))
                .collect(),
            sent: false,
            acked: None,
        });
        self.events_by_digest.insert((program, digest), self.events.len() - 1);
        self.events.len() - 1
    }
}

/// The order is edited: to more, to less, to nothing.
fn amend(body: &mut Value, random: &mut Random) {
    body["amount"] = json!(random.pick(&[0, 77, 2_500, 4_990, 6_000, 10_001]));
    if random.permille(250) {
        body["items"] = json!([
            { "sku": "TEE-1", "category": "tee", "amount": 77 },
            { "sku": "MED-1", "category": "medizin", "amount": random.pick(&[0, 77, 2_500]) },
        ]);
    }
}
