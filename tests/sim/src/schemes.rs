//! People who work together to earn, and shops that report late: customers of old who come by a link,
//! guests in somebody else's name, orders that are cancelled and placed again, renewals that carry the
//! first order's token, one token for many orders, many ids with one address, and purchases of the
//! past that are reported afterwards. None of it is forbidden; what it earns follows from the rules.

use passalong_core::time::Instant;
use serde_json::{Value, json};

use crate::proofs::clicked;
use crate::story::{DAY, HOUR, MINUTE, SECOND, Story, What, hint};

impl Story {
    /// Some of them agree on something.
    pub(crate) fn scheme(&mut self, program: usize) {
        match self.random.below(8) {
            0 => self.old_customer_comes_by_a_link(program),
            1 => self.guest_in_another_name(program),
            2 => self.cancelled_and_ordered_again(program),
            3 => self.renewals(program),
            4 => self.many_orders_by_one_token(program),
            5 => self.many_ids_with_one_address(program),
            _ => self.backfill(program),
        }
    }

    fn somebody(&mut self, program: usize) -> (String, String) {
        let (friend, advocate) = (self.random.index(4), self.random.index(3));
        let of = &self.programs[program];
        (of.friends[friend].clone(), of.advocates[advocate].clone())
    }

    /// A purchase as it is reported so much later, with what else the report says.
    fn buys(&mut self, program: usize, wait: u64, says: &Value) -> String {
        self.serial += 1;
        let order_id = format!("A-{}", self.serial);
        let at = Instant::from_seconds(i64::try_from((self.now() + wait) / 1_000).unwrap());
        let mut body = json!({
            "order_id": order_id, "kind": "purchase", "currency": "EUR",
            "amount": self.random.pick(&[4_990, 3_000, 10_001]), "occurred_at": at,
        });
        for (name, value) in says.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let says_nothing = body["first_order"].is_null();
        let is_bare = body["kind"] != "purchase";
        let drops = |name: &str| {
            (is_bare && matches!(name, "amount" | "currency"))
                || (says_nothing && name == "first_order")
        };
        body.as_object_mut().unwrap().retain(|name, _| !drops(name));
        let index = self.keep_report(program, &order_id, &body);
        self.errand(What::Report(index), Some(body), wait);
        order_id
    }

    fn event_of(&mut self, program: usize, order_id: &str, kind: &str, wait: u64) {
        let at = Instant::from_seconds(i64::try_from((self.now() + wait) / 1_000).unwrap());
        let name = format!("e{}", self.random.below(1_000_000));
        let body = json!({ "event_id": name, "type": kind, "occurred_at": at });
        let index = self.keep_event(program, order_id, &body);
        let body = json!({ "order": order_id, "body": body });
        self.errand(What::Event(index), Some(body), wait);
    }

    /// What the shop says of whether it is the first: as likely nothing.
    fn first_order(&mut self, says: bool) -> Value {
        if self.random.permille(500) { json!(says) } else { Value::Null }
    }

    /// Signs up, or does something, by a link; then buys, as the old customer that it is.
    fn old_customer_comes_by_a_link(&mut self, program: usize) {
        let (friend, advocate) = self.somebody(program);
        let code = self.programs[program].code(&advocate);
        let kind = self.random.pick(&["signup", "action", "purchase"]);
        let mut says = json!({ "customer_id": friend, "code": code, "kind": kind });
        if kind == "action" {
            says["action"] = json!("review");
        }
        self.buys(program, 0, &says);
        let mut wait = 0;
        for _ in 0..self.random.between(1, 3) {
            wait += self.random.pick(&[SECOND, 5 * MINUTE, 3 * HOUR, 2 * DAY]);
            let mut says = json!({ "customer_id": friend, "first_order": false });
            if self.random.permille(600) {
                says["code"] = json!(code);
            }
            self.buys(program, wait, &says);
        }
    }

    /// Orders as a guest, in the address of somebody else: an advocate's, or a friend's.
    fn guest_in_another_name(&mut self, program: usize) {
        let (friend, advocate) = self.somebody(program);
        let of = &self.programs[program];
        let code = of.code(&advocate);
        let names: Vec<String> = of.people().cloned().collect();
        let names = [self.random.pick(&names), self.random.pick(&names), advocate];
        let first = self.first_order(true);
        let name = self.random.pick(&names);
        let says = json!({ "hints": [hint(&name)], "code": code, "first_order": first });
        self.buys(program, 0, &says);
        // And once more with the own id beside it.
        let wait = self.random.pick(&[SECOND, 20 * MINUTE, 5 * HOUR]);
        let first = self.first_order(true);
        let says = json!({
            "customer_id": friend, "hints": [hint(&name), hint(&friend)], "code": code,
            "first_order": first,
        });
        self.buys(program, wait, &says);
    }

    /// Whoever cancels and orders again is as new as before.
    fn cancelled_and_ordered_again(&mut self, program: usize) {
        let (friend, advocate) = self.somebody(program);
        let (_, other) = self.somebody(program);
        let of = &self.programs[program];
        let (code, other) = (of.code(&advocate), of.code(&other));
        let mut says = json!({ "customer_id": friend, "first_order": self.first_order(true) });
        if self.random.permille(700) {
            says["code"] = json!(code);
        }
        let order = self.buys(program, 0, &says);
        let kind = self.random.pick(&["cancelled", "withdrawn"]);
        let wait = self.random.pick(&[SECOND, 30 * MINUTE, 4 * HOUR]);
        self.event_of(program, &order, kind, wait);
        let wait = wait + self.random.pick(&[0, SECOND, HOUR]);
        let code = self.random.pick(&[code, other]);
        let says = json!({ "customer_id": friend, "first_order": Value::Null, "code": code });
        self.buys(program, wait, &says);
        if self.random.permille(300) {
            let wait = wait + self.random.pick(&[0, SECOND, 30 * MINUTE]);
            self.event_of(program, &order, "restored", wait);
        }
    }

    fn token(&mut self, program: usize, advocate: &str, age: u64) -> String {
        let at = Instant::from_seconds(i64::try_from((self.now() - age) / 1_000).unwrap());
        let nonce = u32::try_from(self.random.below(1_000_000)).unwrap();
        clicked(&self.programs[program], advocate, at, nonce.to_be_bytes())
    }

    /// A subscription: each renewal carries the token of the first order, within its window and after.
    fn renewals(&mut self, program: usize) {
        let (friend, advocate) = self.somebody(program);
        let age = self.random.pick(&[MINUTE, 20 * HOUR]);
        let token = self.token(program, &advocate, age);
        let mut first = json!(true);
        let mut wait = 0;
        for _ in 0..self.random.between(2, 4) {
            let says = json!({ "customer_id": friend, "token": token, "first_order": first });
            self.buys(program, wait, &says);
            first = self.first_order(false);
            wait += self.random.pick(&[HOUR, 5 * HOUR, DAY]);
        }
    }

    /// A link that is passed around: one click, many orders.
    fn many_orders_by_one_token(&mut self, program: usize) {
        let (_, advocate) = self.somebody(program);
        let token = self.token(program, &advocate, HOUR);
        let mut wait = 0;
        for _ in 0..self.random.between(2, 5) {
            let (friend, _) = self.somebody(program);
            let number = self.random.below(1_000);
            // Friends whom nobody knows, and some who are known.
            let guest = hint(&format!("gast{number}"));
            let first = self.first_order(true);
            let mut says = json!({ "hints": [guest], "token": token, "first_order": first });
            if self.random.permille(300) {
                says["customer_id"] = json!(friend);
            }
            self.buys(program, wait, &says);
            wait += self.random.pick(&[0, SECOND, 10 * MINUTE]);
        }
    }

    /// One address, and an id for each order.
    fn many_ids_with_one_address(&mut self, program: usize) {
        let (shared, advocate) = self.somebody(program);
        let mut wait = 0;
        for _ in 0..self.random.between(2, 4) {
            let (friend, other) = self.somebody(program);
            let advocate = self.random.pick(&[advocate.clone(), other]);
            let code = self.programs[program].code(&advocate);
            let says = json!({
                "customer_id": friend, "hints": [hint(&shared)], "code": code,
                "first_order": self.first_order(true),
            });
            self.buys(program, wait, &says);
            wait += self.random.pick(&[0, SECOND, 10 * MINUTE, 2 * HOUR]);
        }
    }

    /// A shop that reports its past: what was bought before the referred order, before it or after it,
    /// without a proof; whether any of it was the first it does not say.
    fn backfill(&mut self, program: usize) {
        let (friend, advocate) = self.somebody(program);
        let code = self.programs[program].code(&advocate);
        let now = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        let mut wait = 0;
        let referred = self.random.below(3);
        for place in 0..3 {
            if place == referred {
                let says = json!({ "customer_id": friend, "code": code });
                self.buys(program, wait, &says);
            } else if self.random.permille(700) {
                let days = i64::try_from(self.random.between(1, 20)).unwrap();
                let mut says = json!({
                    "customer_id": friend, "occurred_at": now.plus(-days * 86_400),
                });
                if self.random.permille(300) {
                    says["hints"] = json!([hint(&friend)]);
                }
                self.buys(program, wait, &says);
            }
            wait += self.random.pick(&[0, SECOND, 2 * MINUTE, HOUR]);
        }
    }
}
