//! What the merchant's decision makes of a report, and what nothing but a decision does.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use serde_json::{Value, json};

use crate::support::{CONFLICT, World, conversion, erase, event, get, me, post, read_order};
use crate::{
    begun, claims, decide, decide_as, found, latest, live, numbered, ok, order, report, world,
};

/// A reported order that can be decided, two hours after it.
fn prepared(terms: &Value) -> (World, Value, Instant) {
    let world = world(terms);
    ok(&world, begun(), &order(begun(), "A-1", "20871"));
    ok(&world, begun(), &report(begun(), "10023", "A-1"));
    live(&world, begun(), 2);
    let now = begun().plus(2 * HOUR);
    let claim = found(&world, now).remove(0);
    (world, claim, now)
}

#[test]
fn the_first_decision_stands_and_is_shown() {
    for (decision, other, end, status) in [
        ("approve", "decline", json!(["approved", null, 998]), "approved"),
        ("decline", "approve", json!([null, null, null]), "declined"),
    ] {
        let (world, claim, now) = prepared(&json!({}));
        let body = json!({ "decision": decision, "note": "called" });
        let answer = decide_as(&world, now, &claim, &body);
        assert_eq!((answer.status, &answer.body["note"]), (200, &json!("called")), "{answer:?}");
        assert_eq!(answer.body["customer_id"], "10023");
        for later in [0, MINUTE] {
            let again = decide_as(&world, now.plus(later), &claim, &body);
            assert_eq!(again.body, answer.body, "a repeat is answered the same");
        }
        let refused = decide(&world, now.plus(MINUTE), &claim, other);
        assert_eq!(refused.status, CONFLICT, "the first decision stands");
        assert_eq!(claims(&world, now, "10023"), [("A-1".to_owned(), status.to_owned())]);
        assert_eq!(found(&world, now), Vec::<Value>::new());
        live(&world, now, 2);
        assert_eq!(latest(&world, now.plus(2 * HOUR), "10023"), end);
        assert_eq!(world.memory.log.borrow().clone(), Vec::<String>::new());
    }
}

#[test]
fn an_approved_order_settles_an_hour_after_its_approval() {
    let terms = json!({ "review": { "orders_per_day": 1 } });
    let (world, claim, now) = prepared(&terms);
    let code = world.code("10023");
    ok(&world, begun(), &conversion(begun(), "B-1", "20872", &code, &json!({})));
    let late = now.plus(20 * DAY);
    live(&world, now, 1);
    ok(&world, late, &event(late, "A-1", "r1", "refunded", Some(990)));
    let approved = decide(&world, late, &claim, "approve").body;
    assert_eq!((&approved["status"], &approved["reason"]), (&json!("pending"), &json!("hold")));
    live(&world, late, 1);
    assert_eq!(latest(&world, late.plus(HOUR), "10023")[0], "pending", "an hour and SETTLE");
    live(&world, late.plus(HOUR), 1);
    let end = late.plus(2 * HOUR);
    assert_eq!(latest(&world, end, "10023"), json!(["approved", null, 800]), "never suspicious");
    let story = ok(&world, end, &read_order("A-1"));
    assert_eq!(
        (&story["attributed"], &story["advocate"]["customer_id"]),
        (&json!(true), &json!("10023"))
    );
    let friend = world.rewards(end, "A-1");
    assert_eq!(friend.len(), 1, "the friend's discount is given at once: {friend:?}");
}

#[test]
fn a_report_that_was_not_approved_holds_nobody() {
    for decision in [None, Some("decline")] {
        let (world, claim, now) = prepared(&json!({}));
        if let Some(decision) = decision {
            assert_eq!(decide(&world, now, &claim, decision).status, 200);
        }
        // The honest advocate's order of the same friend, the first that names one.
        let code = world.code("10024");
        let told = ok(&world, now, &conversion(now, "A-2", "20871", &code, &json!({})));
        assert_eq!(told["attributed"], true, "{decision:?}");
        live(&world, now, 3);
        let end = now.plus(3 * HOUR);
        assert_eq!(latest(&world, end, "10024"), json!(["approved", null, 998]));
        assert_eq!(latest(&world, end, "10023"), json!([null, null, null]));
        assert!(!world.memory.keys("person/").iter().any(|key| key.contains(".hand")));
        assert_eq!(
            world.memory.keys(&format!("ledger/teehaus/{}", world.customer("10023"))).len(),
            0
        );
        // An approval that comes now finds the friend taken.
        if decision.is_none() {
            assert_eq!(decide(&world, end, &claim, "approve").status, 200);
            live(&world, end, 3);
            let refused = json!(["refused", "friend_already_referred", 0]);
            assert_eq!(latest(&world, end.plus(3 * HOUR), "10023"), refused);
            assert_eq!(latest(&world, end.plus(3 * HOUR), "10024"), json!(["approved", null, 998]));
        }
    }
}

#[test]
fn an_approved_order_holds_the_friend_from_its_approval_on() {
    let (world, claim, now) = prepared(&json!({}));
    assert_eq!(decide(&world, now, &claim, "approve").status, 200);
    let code = world.code("10024");
    let later = now.plus(MINUTE);
    let told = ok(&world, later, &conversion(later, "A-2", "20871", &code, &json!({})));
    assert_eq!(told["reason"], "friend_already_referred");
    live(&world, now, 3);
    let end = now.plus(3 * HOUR);
    assert_eq!(latest(&world, end, "10023"), json!(["approved", null, 998]));
    assert_eq!(latest(&world, end, "10024"), json!(["refused", "friend_already_referred", 0]));
}

#[test]
fn of_two_customers_who_reported_an_order_the_merchant_says_whom() {
    let world = world(&json!({}));
    ok(&world, begun(), &numbered(begun(), "gid-55", "#1077"));
    ok(&world, begun(), &report(begun(), "10023", "1077"));
    ok(&world, begun(), &report(begun(), "10024", "#1077"));
    let now = begun().plus(HOUR);
    world.cron_until_done(now);
    let claims = found(&world, now);
    assert_eq!(claims.len(), 2);
    assert_eq!(claims[0]["id"], claims[1]["id"]);
    let silent = decide_as(&world, now, &claims[0], &json!({ "decision": "approve" }));
    assert_eq!((silent.status, &silent.body["field"]), (400, &json!("customer_id")));
    let nobody = json!({ "decision": "approve", "customer_id": "20871" });
    assert_eq!(decide_as(&world, now, &claims[0], &nobody).status, 404);
    let second = claims.iter().find(|claim| claim["customer_id"] == "10024").unwrap();
    assert_eq!(decide(&world, now, second, "approve").status, 200);
    let first = claims.iter().find(|claim| claim["customer_id"] == "10023").unwrap();
    assert_eq!(decide(&world, now, first, "approve").status, CONFLICT);
    assert_eq!(found(&world, now), Vec::<Value>::new());
    live(&world, now, 3);
    let end = now.plus(3 * HOUR);
    assert_eq!(latest(&world, end, "10024"), json!(["approved", null, 998]));
    assert_eq!(latest(&world, end, "10023"), json!([null, null, null]));
}

#[test]
fn of_two_approvals_at_two_locations_the_earlier_one_counts() {
    for seconds in [0, 90] {
        let world = world(&json!({}));
        ok(&world, begun(), &order(begun(), "A-1", "20871"));
        ok(&world, begun(), &report(begun(), "10023", "A-1"));
        ok(&world, begun(), &report(begun(), "10024", "A-1"));
        let now = begun().plus(HOUR);
        world.cron_until_done(now);
        let there = world.twin();
        let claims = found(&world, now);
        let of = |id: &str| claims.iter().find(|claim| claim["customer_id"] == id).unwrap();
        assert_eq!(decide(&there, now, of("10024"), "approve").status, 200);
        assert_eq!(decide(&world, now.plus(seconds), of("10023"), "approve").status, 200);
        let known = world.memory.snapshot("");
        for (key, (metadata, value)) in there.memory.snapshot("") {
            if !known.contains_key(&key) {
                let ttl = None;
                world.memory.insert(&passalong_edge::store::Put { key, value, metadata, ttl });
            }
        }
        live(&world, now, 3);
        let end = now.plus(3 * HOUR);
        // Of one minute the smaller pseudonym counts.
        let is_first = seconds == 0 && world.customer("10023") < world.customer("10024");
        let (winner, loser) = if is_first { ("10023", "10024") } else { ("10024", "10023") };
        assert_eq!(latest(&world, end, winner), json!(["approved", null, 998]));
        let refused = json!(["refused", "friend_already_referred", 0]);
        assert_eq!(latest(&world, end, loser), refused);
        live(&world, end.plus(DAY), 2);
        assert_eq!(world.memory.log.borrow().clone(), Vec::<String>::new(), "no verdict changes");
    }
}

#[test]
fn an_order_that_gets_a_proof_of_its_own_is_no_missing_referral() {
    let world = world(&json!({}));
    let there = world.twin();
    let code = world.code("10024");
    ok(&world, begun(), &order(begun(), "A-1", "20871"));
    ok(&world, begun(), &report(begun(), "10023", "A-1"));
    // Another report of the order, accepted elsewhere a minute later, that is not visible here yet.
    let later = begun().plus(MINUTE);
    ok(&there, later, &conversion(begun(), "A-1", "20871", &code, &json!({})));
    let now = begun().plus(11 * MINUTE);
    let claim = found(&world, now).remove(0);
    assert_eq!(decide(&world, now, &claim, "approve").status, 200);
    let known = world.memory.snapshot("");
    for (key, (metadata, value)) in there.memory.snapshot("") {
        if !known.contains_key(&key) {
            world.memory.insert(&passalong_edge::store::Put { key, value, metadata, ttl: None });
        }
    }
    live(&world, now, 3);
    let end = now.plus(3 * HOUR);
    assert_eq!(latest(&world, end, "10023"), json!(["refused", "friend_already_referred", 0]));
    assert_eq!(world.memory.log.borrow().clone(), Vec::<String>::new());
    // Seen in time it is not found at all.
    let world = self::world(&json!({}));
    ok(&world, begun(), &report(begun(), "10023", "A-1"));
    ok(&world, begun(), &conversion(begun(), "A-1", "20871", &code, &json!({})));
    assert_eq!(found(&world, begun()), Vec::<Value>::new());
}

#[test]
fn a_bound_order_is_nobody_elses_missing_referral() {
    let terms = json!({ "attribution": { "bound_days": 30, "new_customers_only": true } });
    let world = world(&terms);
    let code = world.code("10024");
    ok(&world, begun(), &conversion(begun(), "A-1", "20871", &code, &json!({})));
    let ordered = begun().plus(30 * MINUTE);
    ok(&world, ordered, &order(ordered, "A-2", "20871"));
    ok(&world, ordered, &report(ordered, "10023", "A-2"));
    let now = ordered.plus(HOUR);
    let claim = found(&world, now).remove(0);
    let early = decide(&world, now, &claim, "approve");
    assert_eq!((early.status, early.header("retry-after")), (CONFLICT, Some("600")));
    let sure = now.plus(10 * MINUTE);
    assert_eq!(decide(&world, sure, &claim, "approve").status, CONFLICT);
    live(&world, sure, 3);
    assert_eq!(found(&world, sure.plus(3 * HOUR)), Vec::<Value>::new());
    assert_eq!(latest(&world, sure.plus(3 * HOUR), "10023"), json!([null, null, null]));
    let story = ok(&world, sure.plus(3 * HOUR), &read_order("A-2"));
    assert_eq!(story["advocate"]["customer_id"], "10024");
}

#[test]
fn what_was_reported_this_minute_is_decided_once_all_others_are_visible() {
    let world = world(&json!({}));
    ok(&world, begun(), &order(begun(), "A-1", "20871"));
    ok(&world, begun(), &report(begun(), "10023", "A-1"));
    let claim = found(&world, begun()).remove(0);
    let early = decide(&world, begun().plus(MINUTE), &claim, "decline");
    assert_eq!((early.status, early.header("retry-after")), (CONFLICT, Some("540")));
    assert_eq!(decide(&world, begun().plus(10 * MINUTE), &claim, "decline").status, 200);
}

#[test]
fn an_approval_after_an_erasure_earns_nothing() {
    let (world, claim, now) = prepared(&json!({}));
    ok(&world, now, &erase("10023"));
    assert_eq!(found(&world, now), Vec::<Value>::new());
    assert_eq!(decide(&world, now, &claim, "approve").status, 404);
    // An approval at a location that does not see the erasure yet.
    let (world, claim, now) = prepared(&json!({}));
    let there = world.twin();
    ok(&there, now, &erase("10023"));
    assert_eq!(decide(&world, now.plus(MINUTE), &claim, "approve").status, 200);
    let own = format!("customer/teehaus/{}/", world.customer("10023"));
    for key in world.memory.keys(&own) {
        world.memory.remove(&key);
    }
    for (key, (metadata, value)) in there.memory.snapshot(&own) {
        world.memory.insert(&passalong_edge::store::Put { key, value, metadata, ttl: None });
    }
    live(&world, now, 3);
    let end = now.plus(3 * HOUR);
    let approved = ok(&world, end, &get("/v1/rewards?status=approved"))["rewards"].clone();
    assert_eq!(approved, json!([]));
    // The friend is free.
    let code = world.code("10024");
    let told = ok(&world, end, &conversion(end, "A-2", "20871", &code, &json!({})));
    assert_eq!(told["attributed"], true);
}

#[test]
fn an_erasure_after_the_approval_leaves_what_was_earned() {
    let (world, claim, now) = prepared(&json!({}));
    assert_eq!(decide(&world, now, &claim, "approve").status, 200);
    live(&world, now, 1);
    let later = now.plus(HOUR);
    ok(&world, later, &erase("10023"));
    live(&world, later, 2);
    let rewards = ok(&world, later.plus(2 * HOUR), &get("/v1/rewards?status=approved"));
    assert_eq!(rewards["rewards"][0]["value"]["amount"], 998);
    assert_eq!(rewards["rewards"][0]["customer_id"], json!(null));
}

#[test]
fn a_customers_own_order_and_an_existing_customers_earn_nothing_when_approved() {
    for (friend, first_order, reason) in
        [("10023", true, "self_referral"), ("20871", false, "existing_customer")]
    {
        let world = world(&json!({}));
        let change = json!({ "code": null, "first_order": first_order });
        ok(&world, begun(), &conversion(begun(), "A-1", friend, "", &change));
        ok(&world, begun(), &report(begun(), "10023", "A-1"));
        let now = begun().plus(HOUR);
        let claim = found(&world, now).remove(0);
        assert_eq!((&claim["value"], &claim["reason"]), (&json!(null), &json!(reason)));
        assert_eq!(decide(&world, now, &claim, "approve").status, 200);
        live(&world, now, 3);
        assert_eq!(latest(&world, now.plus(3 * HOUR), "10023"), json!(["refused", reason, 0]));
    }
}

#[test]
fn a_review_of_a_reward_names_its_owner_or_nobody() {
    let world = world(&json!({}));
    let code = world.code("10023");
    ok(&world, begun(), &conversion(begun(), "A-1", "20871", &code, &json!({})));
    let id = ok(&world, begun(), &read_order("A-1"))["rewards"][0]["id"].clone();
    let path = format!("/v1/rewards/{}/review", id.as_str().unwrap());
    for (customer, status) in [("10024", CONFLICT), ("10023", 200)] {
        let body = json!({ "decision": "decline", "customer_id": customer });
        assert_eq!(world.send(begun(), &post(&path, &body)).status, status);
    }
    assert_eq!(
        ok(&world, begun(), &me(begun(), "10023"))["referrals"][0]["reward"]["status"],
        "reversed"
    );
}

/// The terms of that time reward sign-ups alone. What is decided is kept, and the answer says so.
#[test]
fn a_decision_on_an_order_that_earns_nothing_is_answered_as_it_is_kept() {
    let terms = json!({ "rewards": [{ "for": "advocate", "trigger": "signup",
                                      "value": { "kind": "credit", "amount": 500 } }] });
    for (decision, status, reason) in
        [("approve", "refused", json!(null)), ("decline", "reversed", json!("declined"))]
    {
        let (world, claim, now) = prepared(&terms);
        let answer = decide(&world, now, &claim, decision);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["status"], status);
        assert_eq!(answer.body["reason"], reason);
        assert_eq!(answer.body["value"]["amount"], 0);
        assert_eq!(decide(&world, now.plus(MINUTE), &claim, decision).body, answer.body);
        live(&world, now, 2);
        let story = ok(&world, now.plus(2 * HOUR), &read_order("A-1"));
        assert_eq!(story["attributed"], decision == "approve", "{story}");
        assert_eq!(story["rewards"], json!([]));
    }
}
