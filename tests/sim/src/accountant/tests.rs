//! Each bound catches an overpayment made by hand, and lets pass what is right.

mod people;

use serde_json::{Value, json};
use std::rc::Rc;

use super::wire::time;
use super::{Ledgerbook, Shown};
use crate::requests::{identity_token, request};

const KEY: &str = "sk_teehaus_1_x";
const START: &str = "2026-11-03T08:00:00Z";

fn code(customer: &str) -> String {
    let mut bytes = [0x10_u8; 16];
    for (place, byte) in bytes[1..8].iter_mut().zip(customer.bytes()) {
        *place = byte;
    }
    passalong_core::text::base32(&bytes)
}

fn hint(customer: &str) -> String {
    crate::story::hint(customer)
}

/// A shop whose requests are all acknowledged at once.
struct Shop {
    book: Ledgerbook,
    minute: u64,
    rewards: Vec<Value>,
}

impl Shop {
    fn new(changes: &Value) -> Self {
        let mut shop = Self { book: Ledgerbook::default(), minute: 0, rewards: Vec::new() };
        for customer in ["anna", "berta"] {
            shop.book.introduce(customer, &code(customer));
        }
        let mut terms = json!({
            "id": "teehaus", "valid_from": START, "currency": "EUR",
            "hold": { "from": "order", "days": 0 },
            "attribution": { "new_customers_only": true, "bound_days": 0, "window_days": 30 },
            "rewards": [{ "for": "advocate", "trigger": "first_purchase", "when": "earned",
                          "value": { "kind": "percent_of_order", "basis_points": 1_000 } }],
        });
        merge(&mut terms, changes);
        shop.ask("POST", "/v1/programs", &json!({ "id": "teehaus" }), &json!({ "program": terms }));
        shop
    }

    fn every_purchase() -> Self {
        Self::new(&json!({ "rewards": [{ "for": "advocate", "trigger": "every_purchase",
            "when": "earned", "value": { "kind": "credit", "amount": 500, "currency": "EUR" } }] }))
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value, answer: &Value) {
        self.by(KEY, method, path, body, answer);
    }

    fn by(&mut self, bearer: &str, method: &str, path: &str, body: &Value, answer: &Value) {
        let slip = self.book.send(&request(method, path, bearer, Some(body)), self.now());
        self.book.hear(slip, 201, answer.clone().into());
    }

    /// The last request was never answered.
    fn unanswered(&mut self) -> &mut Self {
        self.book.all.last_mut().unwrap().heard = None;
        self
    }

    fn now(&self) -> u64 {
        let start = time(&json!({ "at": START }), "at").unwrap();
        (u64::try_from(start).unwrap() + self.minute * 60) * 1_000
    }

    fn wait(&mut self, minutes: u64) -> &mut Self {
        self.minute += minutes;
        self
    }

    /// An order of ben's by anna's code, worth 100.00, unless it says otherwise.
    fn order(&mut self, id: &str, changes: &Value) -> &mut Self {
        self.wait(1);
        let seconds = i64::try_from(self.now() / 1_000).unwrap();
        let at = passalong_core::time::Instant::from_seconds(seconds);
        let mut body = json!({
            "order_id": id, "kind": "purchase", "amount": 10_000, "currency": "EUR",
            "customer_id": "ben", "first_order": true, "occurred_at": at, "code": code("anna"),
        });
        merge(&mut body, changes);
        self.ask("POST", "/v1/conversions", &body, &Value::Null);
        self
    }

    fn event(&mut self, order: &str, body: &Value) -> &mut Self {
        self.ask("POST", &format!("/v1/conversions/{order}/events"), body, &Value::Null);
        self
    }

    fn erase(&mut self, customer: &str) -> &mut Self {
        let body = json!({ "customer_id": customer });
        self.ask("POST", "/v1/customers/erase", &body, &Value::Null);
        self
    }

    /// Says that an order was the customer's to refer.
    fn misses(&mut self, customer: &str, order: &str) -> &mut Self {
        let now = passalong_core::time::Instant::from_seconds(0);
        let token = identity_token("secret", "teehaus", customer, &[], None, now);
        let claim = json!({ "order_id": order, "ordered_on": "2026-11-03" });
        self.by(&token, "POST", "/v1/me/claims", &claim, &Value::Null);
        self
    }

    fn approve(&mut self, order: &str) -> &mut Self {
        let review = json!({ "decision": "approve" });
        self.ask("POST", &format!("/v1/rewards/rw_{order}/review"), &review, &Value::Null);
        self
    }

    /// Looks at the own page with these hints.
    fn visit(&mut self, customer: &str, hints: &[String]) -> &mut Self {
        let seconds = i64::try_from(self.now() / 1_000).unwrap();
        let now = passalong_core::time::Instant::from_seconds(seconds);
        let token = identity_token("secret", "teehaus", customer, hints, None, now);
        self.by(&token, "GET", "/v1/me", &Value::Null, &json!({}));
        self
    }

    fn shown(&mut self, order: &str, customer: &str, amount: i64) -> &mut Self {
        self.given(
            order,
            &json!({ "customer_id": customer,
            "value": { "kind": "credit", "amount": amount, "currency": "EUR" } }),
        )
    }

    fn given(&mut self, order: &str, changes: &Value) -> &mut Self {
        let mut reward = json!({
            "id": format!("rw_{order}"), "for": "advocate", "customer_id": "anna",
            "order_id": order, "status": "approved",
        });
        merge(&mut reward, changes);
        self.rewards.push(reward);
        self
    }

    fn wrong(&self) -> Vec<String> {
        let mut shown = Shown { rewards: self.rewards.clone(), ..Shown::default() };
        let row = |reward: &Value| json!({ "reward_id": reward["id"], "status": reward["status"] });
        shown.exported = self.rewards.iter().map(row).collect();
        self.book.check("teehaus", &shown)
    }

    fn is_fine(&self) {
        assert_eq!(self.wrong(), Vec::<String>::new());
    }

    fn complains(&self, of: &str) {
        let wrong = self.wrong();
        assert!(wrong.iter().any(|text| text.contains(of)), "{of}: {wrong:?}");
    }
}

fn merge(into: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            into[name] = value.clone();
        }
    }
}

#[test]
fn what_the_rule_says_is_right_and_no_less_is_taken() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000).is_fine();
    shop.rewards[0]["value"]["amount"] = json!(999);
    shop.complains("brings the advocate");
}

#[test]
fn more_than_the_share_is_too_much() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_001).complains("1001 of");
}

#[test]
fn an_order_that_nobody_reported_earns_nothing() {
    Shop::new(&json!({})).shown("1", "anna", 1_000).complains("nobody reported");
}

#[test]
fn nothing_is_owed_on_what_is_wholly_reversed_unless_it_was_restored() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000);
    shop.event("1", &json!({ "event_id": "e", "type": "cancelled" })).complains("nothing is left");
    shop.event("1", &json!({ "event_id": "f", "type": "restored", "undoes": "x" }));
    shop.complains("nothing is left");
    shop.event("1", &json!({ "event_id": "g", "type": "restored" })).is_fine();
}

#[test]
fn refunds_take_their_share_and_beyond_the_amount_all_of_it() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000);
    shop.event("1", &json!({ "event_id": "e", "type": "refunded", "amount": 4_000 }));
    shop.complains("1000 of");
    shop.rewards[0]["value"]["amount"] = json!(600);
    shop.is_fine();
    shop.event("1", &json!({ "event_id": "f", "type": "refunded", "amount": 7_000 }));
    shop.complains("nothing is left");
}

#[test]
fn what_was_handed_over_counts_less_what_was_taken_back() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000);
    shop.rewards[0]["status"] = json!("fulfilled");
    shop.wait(200).event("1", &json!({ "event_id": "e", "type": "refunded", "amount": 4_000 }));
    shop.complains("1000 of");
    let taken = json!({ "kind": "credit", "amount": -400, "currency": "EUR" });
    shop.rewards[0]["entries"] = json!([{ "value": taken }]);
    shop.is_fine();
}

#[test]
fn what_was_handed_over_is_whole_again_once_its_refund_is_restored() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000).wait(200);
    shop.event("1", &json!({ "event_id": "e", "type": "refunded", "amount": 4_000 }));
    shop.wait(5).event("1", &json!({ "event_id": "f", "type": "restored", "undoes": "e" }));
    shop.complains("1000 of");
    shop.rewards[0]["status"] = json!("fulfilled");
    shop.is_fine();
    // What was amended down stays taken.
    shop.wait(5).event("1", &json!({ "event_id": "g", "type": "amended", "amount": 5_000 }));
    shop.wait(5).event("1", &json!({ "event_id": "h", "type": "amended", "amount": 10_000 }));
    shop.complains("1000 of");
}

#[test]
fn what_was_wholly_taken_back_and_restored_has_not_been_worth_less() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000).wait(200);
    let refund = |id: &str| json!({ "event_id": id, "type": "refunded", "amount": 4_000 });
    shop.event("1", &json!({ "event_id": "c", "type": "cancelled" }));
    shop.wait(5).event("1", &refund("e"));
    // Which of the two the first takes back is not said: so the order may have been gone until now.
    shop.event("1", &json!({ "event_id": "f", "type": "restored" }));
    shop.wait(5).event("1", &json!({ "event_id": "g", "type": "restored" })).is_fine();
    shop.wait(5).event("1", &refund("h")).complains("1000 of");
}

#[test]
fn an_order_worth_zero_earns_nothing_also_where_it_became_so() {
    let mut shop = Shop::every_purchase();
    shop.order("1", &json!({ "amount": 0 })).shown("1", "anna", 500).complains("nothing is left");
    let mut shop = Shop::every_purchase();
    shop.order("1", &json!({})).shown("1", "anna", 500).is_fine();
    shop.event("1", &json!({ "event_id": "e", "type": "amended", "amount": 0 }));
    shop.complains("nothing is left");
}

#[test]
fn after_its_settlement_an_order_is_worth_the_least_it_has_been() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({ "amount": 5_000 })).wait(200);
    shop.event("1", &json!({ "event_id": "e", "type": "amended", "amount": 8_000 }));
    shop.shown("1", "anna", 500).is_fine();
    shop.rewards[0]["value"]["amount"] = json!(800);
    shop.complains("800 of");
}

#[test]
fn what_comes_to_its_advocate_after_its_report_settles_later_and_no_other() {
    let every = json!([{ "for": "advocate", "trigger": "every_purchase", "when": "earned",
        "value": { "kind": "percent_of_order", "basis_points": 1_000 } }]);
    let with = |bound_days: u32, proof: Value| {
        let mut shop = Shop::new(&json!({ "rewards": every,
            "attribution": { "new_customers_only": false, "bound_days": bound_days } }));
        shop.order("1", &json!({}));
        shop.order("2", &proof).event("2", &json!({ "event_id": "e", "type": "cancelled" }));
        shop
    };
    let back = |mut shop: Shop| {
        shop.wait(90).event("2", &json!({ "event_id": "f", "type": "restored" }));
        shop.shown("2", "anna", 1_000);
        shop
    };
    // A purchase binds it, more than an hour after its report.
    back(with(30, json!({ "code": null }))).is_fine();
    back(with(30, json!({ "code": null, "alias": "TASSE" }))).is_fine();
    back(with(30, json!({}))).complains("is worth 0");
    // The merchant approves it as a missing referral.
    let missed = || {
        let mut shop = with(0, json!({ "code": null }));
        shop.wait(15).misses("anna", "2");
        shop
    };
    back(missed()).approve("2").is_fine();
    let mut shop = missed();
    shop.approve("2");
    back(shop).complains("is worth 0");
}

#[test]
fn what_is_disputed_or_unpaid_is_owed_once_somebody_decided() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000);
    shop.event("1", &json!({ "event_id": "e", "type": "disputed" })).complains("disputed");
    let review = json!({ "decision": "approve" });
    shop.ask("POST", "/v1/rewards/rw_1/review", &review, &Value::Null);
    shop.is_fine();
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({}));
    let body = shop.book.all.pop().unwrap().body;
    shop.ask("POST", "/v1/signed/conversions", &body, &Value::Null);
    shop.shown("1", "anna", 1_000).complains("unpaid");
    shop.event("1", &json!({ "event_id": "e", "type": "confirmed" })).is_fine();
}

#[test]
fn caps_and_ceilings_are_kept() {
    let rule = |cap: Value| {
        json!([{ "for": "advocate", "trigger": "every_purchase", "cap": cap,
        "when": "earned", "value": { "kind": "credit", "amount": 500, "currency": "EUR" } }])
    };
    let with = |changes: Value| {
        let mut shop = Shop::new(&changes);
        shop.order("1", &json!({})).shown("1", "anna", 500);
        shop.order("2", &json!({})).shown("2", "anna", 500);
        shop
    };
    with(json!({ "rewards": rule(json!({ "count": 1 })) })).complains("the cap is 1");
    with(json!({ "rewards": rule(json!({ "count": 2 })) })).is_fine();
    with(json!({ "rewards": rule(json!({ "amount": 999 })) })).complains("and 999 in all");
    with(json!({ "rewards": rule(json!({ "count": 1, "per": "year" })) })).complains("in 2026");
    let rules = rule(Value::Null);
    with(json!({ "rewards": rules, "yearly_ceiling": 999 })).complains("the ceiling is 999");
    with(json!({ "rewards": rules, "yearly_ceiling": 1_000 })).is_fine();
}

#[test]
fn a_milestone_takes_as_many_referrals_as_it_says() {
    let gift = json!({ "kind": "gift", "label": "Teeset" });
    let mut shop = Shop::new(&json!({ "rewards": [
        { "for": "advocate", "trigger": "every_purchase", "when": "earned",
          "value": { "kind": "credit", "amount": 500, "currency": "EUR" } },
        { "for": "advocate", "trigger": "every_purchase", "when": "earned", "milestone": 2,
          "value": gift },
    ] }));
    shop.order("1", &json!({})).shown("1", "anna", 500);
    shop.given("1", &json!({ "id": "rw_m", "milestone": 2, "value": gift }));
    shop.complains("a bonus of 2 referrals, for 1");
    shop.order("2", &json!({})).shown("2", "anna", 500).is_fine();
}

#[test]
fn what_is_excluded_below_the_minimum_paused_or_in_another_currency_earns_nothing() {
    let with = |terms: Value, order: Value| {
        let mut shop = Shop::new(&terms);
        shop.order("1", &order).shown("1", "anna", 500);
        shop
    };
    let items = json!({ "items": [{ "sku": "a", "category": "karte", "amount": 10_000 }] });
    let excluded = json!({ "excluded": { "categories": ["karte"] } });
    with(excluded.clone(), items).complains("is worth 0");
    let items = json!({ "items": [{ "sku": "a", "category": "karte", "amount": 4_000 }] });
    with(excluded, items).is_fine();
    let minimum = json!({ "rewards": [{ "for": "advocate", "trigger": "every_purchase",
        "when": "earned", "minimum_order": 10_001, "value": { "kind": "credit", "amount": 500 } }] });
    with(minimum, json!({})).complains("and not 10001");
    with(json!({ "paused": true }), json!({})).complains("paused");
    with(json!({}), json!({ "currency": "CHF" })).complains("another currency");
    with(json!({}), json!({ "occurred_at": "2026-11-03T07:00:00Z" })).complains("had not begun");
}

#[test]
fn whatever_is_shown_elsewhere_is_what_the_list_says() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000);
    let mut shown = Shown { rewards: shop.rewards.clone(), ..Shown::default() };
    let more = json!({ "kind": "credit", "amount": 1_001, "currency": "EUR" });
    let page = json!({ "totals": { "earned": [more] },
        "referrals": [{ "reward": { "id": "rw_2", "status": "approved", "value": more } }] });
    shown.customers.insert("anna".to_owned(), (Rc::new(json!({ "owed": [more] })), Rc::new(page)));
    let wrong = shop.book.check("teehaus", &shown).join("\n");
    for of in ["page of anna shows rw_2", "is owed", "has earned", "the export misses"] {
        assert!(wrong.contains(of), "{of}: {wrong}");
    }
}
