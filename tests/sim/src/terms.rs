//! Terms as merchants write them, drawn from chance.

use serde_json::{Value, json};

use crate::coupons;
use crate::random::Random;

pub(crate) fn terms(random: &mut Random, id: &str) -> Value {
    let hold = random.pick(&[
        json!({ "from": "order", "days": 0, "fallback_days": 0 }),
        json!({ "from": "order", "days": 0, "fallback_days": 0 }),
        json!({ "from": "order", "days": 1, "fallback_days": 1 }),
        json!({ "from": "delivered", "days": 0, "fallback_days": 2 }),
        json!({ "from": "delivered", "days": 1, "fallback_days": 3 }),
    ]);
    let cap = random.pick(&[
        Value::Null,
        json!({ "count": 2, "amount": null, "per": "total" }),
        json!({ "count": null, "amount": 1_500, "per": "total" }),
        json!({ "count": 1, "amount": null, "per": "year" }),
    ]);
    if random.permille(250) {
        let terms = of_preset(random, id, &hold);
        return with_words(random, terms);
    }
    // Nothing may come after the end of a cap.
    let ends = cap["count"].as_u64().filter(|_| cap["per"] == "total").unwrap_or(u64::MAX);
    let trigger = random.pick(&["first_purchase", "every_purchase"]);
    let friend = random.pick(&[
        json!({ "for": "friend", "trigger": "first_purchase", "when": "at_once",
                "value": { "kind": "percent_off", "basis_points": 1_000 } }),
        json!({ "for": "friend", "trigger": "first_purchase", "when": "earned",
                "value": { "kind": "credit", "amount": 500, "currency": "EUR" } }),
    ]);
    let least = random.pick(&[Value::Null, Value::Null, json!(3_000)]);
    let share =
        |basis_points: u32| json!({ "kind": "percent_of_order", "basis_points": basis_points });
    let mut plain = json!({
        "for": "advocate", "trigger": trigger, "minimum_order": least, "cap": cap,
        "value": share(random.pick(&[2_000, 1_333])),
        "expires_days": random.pick(&[Value::Null, Value::Null, json!(1)]),
    });
    if random.permille(250) {
        let tiers = [(2, 2_500), (4, 3_333)].into_iter().filter(|(from, _)| *from <= ends);
        plain["tiers"] =
            tiers.map(|(from, rate)| json!({ "from": from, "value": share(rate) })).collect();
    }
    let mut rules = Vec::new();
    if random.permille(200) {
        rules.push(json!({ "for": "advocate", "trigger": trigger, "segment": "stamm",
                           "value": { "kind": "credit", "amount": 700 } }));
    }
    rules.push(plain);
    if random.permille(250) {
        let gift = json!({ "kind": "gift", "label": "Teeset", "worth": 1_500 });
        rules.push(json!({ "for": "advocate", "trigger": trigger, "milestone": random.pick(&[2, 3]).min(ends),
                           "value": random.pick(&[gift, json!({ "kind": "points", "points": 99 })]) }));
    }
    if random.permille(250) {
        rules.push(json!({ "for": "advocate", "trigger": "action", "action": "review",
                           "cap": { "count": 2 }, "value": { "kind": "points", "points": 50 } }));
        rules.push(json!({ "for": "advocate", "trigger": "action",
                           "value": { "kind": "points", "points": 7 } }));
        rules.push(json!({ "for": "advocate", "trigger": "signup", "cap": { "amount": 900 },
                           "value": { "kind": "storage_bytes", "bytes": 500 } }));
    }
    rules.push(friend);
    if random.permille(150) {
        rules.push(json!({ "for": "friend", "trigger": "every_purchase", "segment": "vip",
                           "value": { "kind": "free_periods", "periods": 1 } }));
    }
    coupons::deliver(random, &mut rules);
    let review = random.pick(&[
        json!({}),
        json!({}),
        json!({ "orders_per_day": 2, "orders_per_click": 1 }),
        json!({ "orders_per_day": 1 }),
        json!({ "orders_per_click": 1 }),
        json!({ "orders_per_click": 1 }),
    ]);
    let terms = json!({
        "id": id, "preset": "20-10", "name": "Teehaus Nord",
        "landing_url": "https://shop.example/willkommen", "hold": hold,
        "coupon": { "code": "FREUND10" },
        "paused": random.permille(30),
        "attribution": { "model": "last_click", "window_days": random.pick(&[1, 30]),
                         "new_customers_only": random.permille(500),
                         "bound_days": random.pick(&[0, 0, 1, 30]) },
        "rewards": rules,
        "review": review,
        "excluded": { "categories": random.pick(&[json!([]), json!([]), json!(["medizin"])]) },
        "yearly_ceiling": random.pick(&[Value::Null, Value::Null, json!(3_000)]),
    });
    with_words(random, terms)
}

/// Some shops take words for themselves that customers like as well: for campaigns, and for coupons
/// that stand for somebody.
fn with_words(random: &mut Random, mut terms: Value) -> Value {
    if random.permille(200) {
        terms["reserved"] = json!([random.pick(&["KANNE", "tasse"])]);
    }
    if random.permille(200) {
        let customer = random.pick(&["anna0", "anna1", "anna2"]);
        terms["coupons"] = json!([{ "code": "HAFEN", "customer_id": customer }]);
    }
    terms
}

/// The terms of a preset, with a hold that ends within the history.
fn of_preset(random: &mut Random, id: &str, hold: &Value) -> Value {
    let presets: Vec<&str> = passalong_core::program::Program::presets().collect();
    json!({
        "id": id, "preset": random.pick(&presets), "name": "Teehaus Nord",
        "landing_url": "https://shop.example/willkommen", "hold": hold,
        "coupon": { "code": "FREUND10" },
        "attribution": { "model": "last_click", "window_days": 30,
                         "new_customers_only": random.permille(500), "bound_days": 0 },
    })
}
