//! An alias is chosen once, belongs to whoever was first, and counts once that is sure.

use passalong_core::fact::Fact;
use passalong_core::reward::Reason;
use passalong_core::time::{HOUR, Instant, MINUTE};
use passalong_edge::store::Put;
use serde_json::{Value, json};

use crate::support::{Answer, Fault, World, at, choose_alias, conversion, me, post, read_order};

pub fn now() -> Instant {
    at("2026-11-02T09:00:30Z")
}

/// The first second at which an alias that was chosen now counts.
pub fn sure() -> Instant {
    at("2026-11-02T09:11:01Z")
}

/// An order of 49.90 EUR that proves its referral like this.
pub fn order(world: &World, at: Instant, id: &str, proof: &Value) -> Answer {
    let mut body = json!({
        "order_id": id, "kind": "purchase", "amount": 4990, "currency": "EUR",
        "customer_id": format!("friend of {id}"), "first_order": true, "occurred_at": at,
    });
    for (name, value) in proof.as_object().unwrap() {
        body[name] = value.clone();
    }
    world.send(at, &post("/v1/conversions", &body))
}

/// Who it was credited to, or why to nobody.
fn credited(answer: &Answer) -> String {
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let reason = || text(&answer.body["reason"]).unwrap_or_default();
    text(&answer.body["advocate"]["customer_id"]).unwrap_or_else(reason)
}

fn choose(world: &World, at: Instant, customer: &str, alias: &str) -> Answer {
    world.send(at, &choose_alias(at, customer, Some(alias)))
}

/// A claim of another location: its keys come into sight.
fn claim_elsewhere(world: &World, minute: &str, customer: &str, alias: &str) {
    let customer = world.customer(customer);
    for key in [
        format!("customer/teehaus/{customer}/alias.{minute}.{alias}"),
        format!("alias/teehaus/{alias}/{minute}.{customer}"),
    ] {
        world.memory.insert(&Put { key, value: String::new(), metadata: None, ttl: None });
    }
}

#[test]
fn an_alias_is_reserved_and_counts_once_nobody_can_have_been_earlier() {
    let world = World::new();
    let answer = choose(&world, now(), "10023", "tee-4k7");
    let until = "2026-11-02T09:12:00Z";
    assert_eq!(answer.body, json!({ "alias": "TEE4K7", "reserved_until": until }));
    // The customer's record; the claims on the alias. And three keys: id, and the claim twice.
    assert_eq!((answer.status, answer.operations.1, answer.operations.2), (200, 3, 2));
    for (moment, credit) in [
        (now(), "unknown_alias"),
        (at("2026-11-02T09:11:00Z"), "unknown_alias"),
        (sure(), "10023"),
        (at("2027-11-02T09:00:00Z"), "10023"),
    ] {
        let id = format!("A-{}", moment.seconds());
        let answer = order(&world, moment, &id, &json!({ "alias": "TEE4K7" }));
        assert_eq!(credited(&answer), credit, "{moment}");
    }
    let shown = |moment: Instant| {
        let me = world.send(moment, &me(moment, "10023")).body;
        (me["alias"].clone(), me["alias_reserved"].clone())
    };
    let reserved = json!({ "alias": "TEE4K7", "until": until });
    assert_eq!(shown(now()), (Value::Null, reserved.clone()));
    assert_eq!(shown(at("2026-11-02T09:11:59Z")), (Value::Null, reserved));
    assert_eq!(shown(at(until)), (json!("TEE4K7"), Value::Null));
    assert_eq!(world.send(sure(), &me(sure(), "20871")).body["alias"], Value::Null);
}

#[test]
fn an_alias_is_chosen_once() {
    let world = World::new();
    assert_eq!(choose(&world, now(), "10023", "TEE4K7").status, 200);
    let keys = || (world.memory.keys("alias/"), world.memory.keys("customer/"));
    let before = keys();
    for moment in [now().plus(2 * MINUTE), sure(), sure().plus(HOUR)] {
        let again = choose(&world, moment, "10023", "tee4k7");
        assert_eq!((again.status, again.operations.1, again.operations.2), (200, 0, 3));
        let is_reserved = moment < at("2026-11-02T09:12:00Z");
        assert_eq!(again.body["reserved_until"].is_null(), !is_reserved);
        let none = world.send(moment, &choose_alias(moment, "10023", None));
        assert_eq!((none.status, &none.body["alias"]), (200, &json!("TEE4K7")));
        let other = choose(&world, moment, "10023", "TASSE");
        assert_eq!((other.status, &other.body["code"]), (409, &json!("conflict")));
        assert!(other.body["detail"].as_str().unwrap().contains("TEE4K7"), "{other:?}");
        let taken = choose(&world, moment, "20871", "TEE4K7");
        assert_eq!(taken.status, 409);
        let state = if moment < sure() { "reserved" } else { "taken" };
        assert!(taken.body["detail"].as_str().unwrap().contains(state), "{taken:?}");
    }
    assert_eq!(keys(), before, "nothing else was written");
}

/// What a refusal suggests.
fn suggested(answer: &Answer) -> String {
    let detail = answer.body["detail"].as_str().unwrap();
    let (_, rest) = detail.split_once("How about ").unwrap_or_else(|| panic!("{detail}"));
    rest.trim_end_matches('?').to_owned()
}

#[test]
fn who_is_refused_is_told_why_and_what_would_do() {
    let world = World::new();
    choose(&world, now(), "1", "TEE4K7");
    for (index, (wanted, status, why)) in [
        ("KLASSE", 400, "'L'"),
        ("ann1ka", 400, "'1'"),
        ("TEE", 400, "4 to 12"),
        ("TEEKESSELCHENX", 400, "'L'"),
        ("M3G44R5CH", 400, "offends nobody"),
        ("HURE", 400, "offends nobody"),
        ("TEE4K7", 409, "reserved"),
    ]
    .into_iter()
    .enumerate()
    {
        let customer = format!("{}", index + 100);
        let refused = choose(&world, now(), &customer, wanted);
        assert_eq!(refused.status, status, "{wanted}: {refused:?}");
        if status == 400 {
            assert_eq!(
                (&refused.body["code"], &refused.body["field"]),
                (&json!("invalid_field"), &json!("alias"))
            );
        }
        assert!(refused.body["detail"].as_str().unwrap().contains(why), "{refused:?}");
        let instead = suggested(&refused);
        assert_ne!(instead, wanted);
        assert_eq!(choose(&world, now(), &customer, &instead).status, 200, "{instead}");
    }
    let random = world.send(now(), &choose_alias(now(), "200", None));
    assert_eq!((random.status, random.body["alias"].as_str().unwrap().len()), (200, 6));
}

#[test]
fn of_two_who_chose_at_once_the_first_owns_it_and_the_other_chooses_again() {
    for (earlier, later) in [("10023", "20871"), ("20871", "10023")] {
        let world = World::new();
        assert_eq!(choose(&world, now(), later, "TEE4K7").status, 200);
        // Accepted a minute before, and not visible here until now.
        claim_elsewhere(&world, "202611020900", earlier, "TEE4K7");
        let shown = |customer: &str, moment| {
            let me = world.send(moment, &me(moment, customer)).body;
            (me["alias"].clone(), me["alias_reserved"]["alias"].clone())
        };
        let soon = now().plus(MINUTE);
        assert_eq!(shown(later, soon), (Value::Null, Value::Null), "the reservation is gone");
        assert_eq!(shown(earlier, soon), (Value::Null, json!("TEE4K7")));
        assert_eq!(choose(&world, soon, later, "TEE4K7").status, 409);
        assert_eq!(choose(&world, soon, later, "TASSE").status, 200);
        assert_eq!(world.memory.keys("alias/").len(), 2, "the lost claim is gone");
        let end = sure().plus(HOUR);
        for (name, owner) in [("TEE4K7", earlier), ("TASSE", later)] {
            assert_eq!(shown(owner, end), (json!(name), Value::Null));
            let answer = order(&world, end, name, &json!({ "alias": name }));
            let advocate = answer.body["rewards"].as_array().map(Vec::len);
            assert_eq!((answer.status, advocate), (201, Some(1)), "{answer:?}");
            let of = world.customer(owner);
            assert_eq!(world.memory.keys(&format!("ledger/teehaus/{of}/")).len(), 1);
        }
    }
}

#[test]
fn within_one_minute_the_smaller_pseudonym_is_first() {
    let world = World::new();
    let both = ["10023", "20871"];
    let mut ranked = both;
    ranked.sort_by_key(|customer| world.customer(customer));
    for customer in both {
        claim_elsewhere(&world, "202611020901", customer, "TEE4K7");
        world.send(now(), &me(now(), customer));
    }
    let answer = order(&world, sure(), "A-1", &json!({ "alias": "TEE4K7" }));
    assert_eq!(credited(&answer), ranked[0]);
}

#[test]
fn an_order_is_credited_by_whatever_way_its_alias_was_typed() {
    let world = World::with(&json!({ "coupon": { "code": "FREUND10" } }));
    choose(&world, now(), "10023", "TEE4K7");
    let code = world.code("10023");
    let link = format!("https://referrals.example/r/teehaus/{code}");
    for (index, (proof, credit)) in [
        (json!({ "alias": "TEE4K7" }), "10023"),
        (json!({ "alias": " tee 4k-7" }), "10023"),
        (json!({ "alias": "TEE4K7." }), "10023"),
        (json!({ "alias": "„TEE–4K7“" }), "10023"),
        (json!({ "alias": "TEE\u{200b}4K7\u{a0}" }), "10023"),
        (json!({ "alias": "TEE4K8" }), "unknown_alias"),
        (json!({ "alias": "TEE4K" }), "unknown_alias"),
        (json!({ "alias": "NIEMAND" }), "unknown_alias"),
        (json!({ "alias": code }), "unknown_alias"),
        (json!({ "alias": "TEE/4K7" }), "unknown_alias"),
        (json!({ "alias": "" }), "no_referral"),
        (json!({ "coupon": "FREUND10-TEE4K7" }), "10023"),
        (json!({ "coupon": " freund10-tee4k7 " }), "10023"),
        (json!({ "coupon": "FREUND10-TEE-4K7" }), "10023"),
        (json!({ "coupon": "FREUND10 TEE4K7" }), "10023"),
        (json!({ "coupon": "freund10–tee4k7." }), "10023"),
        (json!({ "coupon": format!("FREUND10-{code}") }), "10023"),
        (json!({ "coupon": "FREUND10" }), "no_referral"),
        (json!({ "coupon": "freund10" }), "no_referral"),
        (json!({ "coupon": "FREUND10-" }), "no_referral"),
        (json!({ "coupon": "FREUND10-NIEMAND" }), "unknown_alias"),
        // What is sent as a coupon without the program's own in front is a coupon of the shop.
        (json!({ "coupon": "TEE4K7" }), "no_referral"),
        (json!({ "coupon": "tee4k7" }), "no_referral"),
        (json!({ "coupon": code }), "no_referral"),
        (json!({ "coupon": link }), "no_referral"),
        (json!({ "coupon": "FREUND10TEE4K7" }), "no_referral"),
        (json!({ "coupon": "FREUND1Ö-TEE4K7" }), "no_referral"),
        (json!({ "coupon": "SOMMER20" }), "reserved_code"),
        (json!({ "code": link }), "10023"),
        (json!({ "code": format!("{link}.") }), "10023"),
        (json!({ "code": format!("({code})") }), "10023"),
        (json!({ "code": "TEE4K7" }), "invalid_token"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = order(&world, sure(), &format!("A-{index}"), &proof);
        assert_eq!(credited(&answer), credit, "{proof}");
    }
}

#[test]
fn an_alias_costs_an_order_one_list_and_other_proofs_nothing() {
    let world = World::with(&json!({ "coupon": { "code": "FREUND10" } }));
    choose(&world, now(), "10023", "TEE4K7");
    let code = world.code("10023");
    let cost = |id: &str, proof: Value| order(&world, sure(), id, &proof).operations;
    let by_code = cost("A-1", json!({ "code": code }));
    let (reads, writes, lists) = by_code;
    assert_eq!(cost("A-2", json!({ "alias": "TEE4K7" })), (reads, writes, lists + 1));
    assert_eq!(cost("A-3", json!({ "coupon": "FREUND10-TEE4K7" })), (reads, writes, lists + 1));
    assert_eq!(cost("A-4", json!({ "coupon": format!("FREUND10-{code}") })), by_code);
    assert_eq!(cost("A-5", json!({ "coupon": "FREUND10" })), cost("A-6", json!({})));
}

#[test]
fn a_report_sent_again_is_answered_as_it_was_also_after_its_alias_became_sure() {
    let world = World::new();
    choose(&world, now(), "10023", "TEE4K7");
    for (id, first, credit) in [("A-1", now(), "unknown_alias"), ("A-2", sure(), "10023")] {
        let report = conversion(first, id, "20871", "", &json!({ "alias": "TEE4K7" }));
        let answer = world.send(first, &report);
        assert_eq!((answer.status, credited(&answer).as_str()), (201, credit));
        for later in [first.plus(MINUTE), first.plus(2 * HOUR)] {
            let again = world.send(later, &report);
            assert_eq!((again.status, &again.body), (200, &answer.body), "{id}");
        }
        let other = conversion(first, id, "20871", "", &json!({ "alias": "TEE4K7", "amount": 1 }));
        assert_eq!(world.send(first, &other).status, 409);
    }
}

/// Two tries of one report at two locations, one before and one after the alias became sure: the one
/// accepted first counts, whichever came into sight first.
#[test]
fn tries_of_one_report_that_were_taken_differently_are_two_reports() {
    let report = |moment| {
        conversion(moment, "A-1", "20871", "", &json!({ "alias": "TEE4K7", "occurred_at": now() }))
    };
    let world = World::new();
    choose(&world, now(), "10023", "TEE4K7");
    let elsewhere = world.twin();
    let early = elsewhere.send(now(), &report(now()));
    assert_eq!(credited(&early), "unknown_alias");
    assert_eq!(credited(&world.send(sure(), &report(sure()))), "10023");
    for (key, (metadata, value)) in elsewhere.memory.snapshot("order/") {
        world.memory.insert(&Put { key, metadata, value, ttl: None });
    }
    let end = sure().plus(2 * HOUR);
    world.cron_until_done(end);
    let story = world.send(end, &read_order("A-1")).body;
    assert_eq!((&story["attributed"], &story["reason"]), (&json!(false), &json!("unknown_alias")));
    let ledger = world.memory.facts(&format!("ledger/teehaus/{}/", world.customer("10023")));
    let verdict = ledger.into_iter().find_map(|(_, fact)| match fact {
        Fact::Verdict(verdict) => Some(verdict),
        _ => None,
    });
    let reward = verdict.unwrap().rewards[0];
    assert_eq!(reward.reason, Some(Reason::ConflictingReport), "{reward:?}");
}

#[test]
fn a_choice_that_was_cut_off_anywhere_is_made_again_without_waiting() {
    for took_effect in [false, true] {
        for operation in 1..=8 {
            let mut world = World::new();
            world.memory.fail(Fault::DieAt { operation, took_effect });
            let first = choose(&world, now(), "10023", "TEE4K7");
            world.memory.mend();
            world.restart();
            let again = choose(&world, now().plus(MINUTE), "10023", "TEE4K7");
            assert_eq!(again.status, 200, "{operation}: {first:?} {again:?}");
            let until = again.body["reserved_until"].as_str().unwrap().parse::<Instant>().unwrap();
            let credit = credited(&order(&world, until, "A-1", &json!({ "alias": "TEE4K7" })));
            assert_eq!(credit, "10023", "{operation}");
            let other = choose(&world, until, "10023", "TASSE");
            assert_eq!(other.status, 409, "{operation}");
        }
    }
}

#[test]
fn what_was_cut_off_and_never_claimed_hinders_nobody() {
    let world = World::new();
    world.memory.fail(Fault::On("alias/".to_owned()));
    assert_eq!(choose(&world, now(), "10023", "TEE4K7").status, 503);
    world.memory.mend();
    world.memory.fail(Fault::On("alias/teehaus/TEE4K7/2".to_owned()));
    assert_eq!(choose(&world, now(), "10023", "TEE4K7").status, 503);
    world.memory.mend();
    assert_eq!(choose(&world, now(), "10023", "TASSE").status, 409, "it may be on its way");
    let later = sure().plus(MINUTE);
    assert_eq!(world.send(later, &me(later, "10023")).body["alias"], Value::Null);
    assert_eq!(choose(&world, later, "20871", "TEE4K7").status, 200);
    assert_eq!(choose(&world, later, "10023", "TASSE").status, 200);
    let fields = world.memory.keys(&format!("customer/teehaus/{}/alias.", world.customer("10023")));
    assert_eq!(fields.len(), 1, "{fields:?}");
}
