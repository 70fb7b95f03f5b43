//! Every wrong combination is named: the field, and what to do about it. Each line of the tables is a
//! rule, or terms, as a merchant might send them by mistake.

use serde_json::{Value as Json, json};

use super::*;
use crate::reward::Expires;

fn terms(change: &Json) -> Result<Program, Invalid> {
    let mut body = json!({
        "id": "teehaus", "preset": "20-10", "name": "Teehaus Nord",
        "landing_url": "https://shop.example/willkommen",
    });
    for (field, value) in change.as_object().unwrap() {
        body[field] = value.clone();
    }
    Program::from_preset(body.to_string().as_bytes())
}

/// A rule for the advocate's first purchases with some fields replaced; a plain one leads, so that
/// rules for friends and milestones stand on something.
fn rule(change: &Json) -> Result<Program, Invalid> {
    let mut rule = json!({
        "for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 1000},
        "segment": "probe",
    });
    for (field, value) in change.as_object().unwrap() {
        rule[field] = value.clone();
    }
    let plain = |trigger: &str| json!({"for": "advocate", "trigger": trigger, "value": {"kind": "points", "points": 1}});
    let leads = ["signup", "first_purchase", "action"].map(plain);
    terms(&json!({"rewards": [rule, leads[0], leads[1], leads[2]]}))
}

#[track_caller]
fn refused(result: Result<Program, Invalid>, field: &str, problem: &str) {
    let error = result.expect_err(problem);
    assert_eq!((error.field.as_str(), error.detail), (field, format!("{field} {problem}")));
}

#[test]
fn a_rule_that_fits_is_taken() {
    rule(&json!({})).unwrap();
    rule(&json!({"milestone": 3, "value": {"kind": "gift", "label": "Teeset"}})).unwrap();
    rule(&json!({"for": "friend", "when": "at_once",
                 "value": {"kind": "amount_off", "amount": 500}}))
    .unwrap();
}

#[test]
fn a_trigger_that_does_not_fit_is_named() {
    let rate = json!({"kind": "percent_of_order", "basis_points": 2000});
    let points = json!({"kind": "points", "points": 5});
    for (change, field, problem) in [
        (
            json!({"trigger": "purchase"}),
            "trigger",
            "must be one of signup, first_purchase, every_purchase, action",
        ),
        (json!({"trigger": null}), "trigger", "is required: for example first_purchase"),
        (json!({"for": null}), "for", "is required: advocate or friend"),
        (json!({"trigger": "action"}), "value", "must be points, because the trigger is action"),
        (json!({"action": "review"}), "action", "goes with the trigger action only"),
        (
            json!({"trigger": "signup", "value": rate}),
            "value",
            "cannot be percent_of_order: a sign-up has no amount",
        ),
        (
            json!({"trigger": "signup", "minimum_order": 100}),
            "minimum_order",
            "does not fit: a sign-up has no amount",
        ),
        (
            json!({"trigger": "action", "action": "review", "value": points, "milestone": 3}),
            "action",
            "does not go with tiers or a milestone, which count all actions together",
        ),
        (
            json!({"trigger": "action", "action": "review", "value": points, "tiers": [{"from": 3, "value": points}]}),
            "action",
            "does not go with tiers or a milestone, which count all actions together",
        ),
    ] {
        refused(rule(&change), &format!("rewards[0].{field}"), problem);
    }
}

#[test]
fn what_is_given_at_once_is_a_discount_on_this_purchase_and_no_more() {
    let off = json!({"kind": "percent_off", "basis_points": 1000});
    let thrice = json!({"kind": "percent_off", "basis_points": 1000, "times": 3});
    let at_once = |change: &Json| {
        let mut all = json!({"for": "friend", "when": "at_once", "value": off});
        for (field, value) in change.as_object().unwrap() {
            all[field] = value.clone();
        }
        rule(&all)
    };
    at_once(&json!({})).unwrap();
    for (change, field, problem) in [
        (
            json!({"for": "advocate"}),
            "when",
            "at_once is for friends; an advocate's reward is earned",
        ),
        (
            json!({"trigger": "signup"}),
            "when",
            "at_once needs a purchase: there is nothing to take a discount off otherwise",
        ),
        (
            json!({"value": {"kind": "credit", "amount": 5}}),
            "when",
            "at_once takes a percent_off or an amount_off",
        ),
        (
            json!({"value": thrice}),
            "value.times",
            "does not fit: at_once is taken off this one order",
        ),
        (
            json!({"expires_days": 30}),
            "expires_days",
            "does not fit: what the shop takes off at once cannot expire",
        ),
        (
            json!({"expires": {"end_of_year": 3}}),
            "expires",
            "does not fit: what the shop takes off at once cannot expire",
        ),
        (
            json!({"cap": {"count": 3}}),
            "cap",
            "does not fit: what the shop takes off at once is not counted",
        ),
        (
            json!({"delivery": "webhook"}),
            "delivery",
            "cannot be webhook: what the shop takes off at once is not handed over later",
        ),
        (
            json!({"delivery": "coupon"}),
            "delivery",
            "is coupon, so the program needs a coupon with its code",
        ),
    ] {
        refused(at_once(&change), &format!("rewards[0].{field}"), problem);
    }
}

#[test]
fn tiers_and_milestones_are_about_an_advocates_referrals() {
    let credit = |amount: i64| json!({"kind": "credit", "amount": amount});
    let tier = |from: i64, value: &Json| json!([{"from": from, "value": value}]);
    let rate = json!({"kind": "percent_of_order", "basis_points": 2000});
    for (change, field, problem) in [
        (
            json!({"for": "friend", "tiers": tier(5, &credit(2000))}),
            "tiers",
            "are for an advocate's referrals",
        ),
        (
            json!({"milestone": 5, "tiers": tier(5, &credit(2000))}),
            "tiers",
            "are for an advocate's referrals",
        ),
        (
            json!({"tiers": tier(1, &credit(2000))}),
            "tiers[0].from",
            "must be a whole number from 2 to 1000000",
        ),
        (
            json!({"tiers": [{"from": 5, "value": credit(2)}, {"from": 5, "value": credit(3)}]}),
            "tiers[1].from",
            "must be above 5: tiers go upwards",
        ),
        (json!({"tiers": tier(5, &rate)}), "tiers[0].value", "must be credit, as the value is"),
        (
            json!({"tiers": [{"from": 5}]}),
            "tiers[0].value",
            "is required: what a referral earns from then on",
        ),
        (
            json!({"tiers": tier(5, &credit(2000)), "cap": {"count": 4}}),
            "tiers[0].from",
            "is never reached: the cap ends with reward 4",
        ),
        (json!({"for": "friend", "milestone": 5}), "milestone", "is for advocates"),
        (
            json!({"milestone": 5, "value": rate}),
            "value",
            "cannot be percent_of_order: a milestone is about many orders",
        ),
        (
            json!({"milestone": 5, "cap": {"count": 1}}),
            "cap",
            "does not go with a milestone, which is paid once",
        ),
        (
            json!({"milestone": 5, "minimum_order": 100}),
            "minimum_order",
            "does not go with a milestone, which is paid once",
        ),
    ] {
        refused(rule(&change), &format!("rewards[0].{field}"), problem);
    }
    rule(&json!({"tiers": tier(4, &credit(2000)), "cap": {"count": 4}})).unwrap();
    rule(&json!({"tiers": tier(5, &credit(2000)), "cap": {"count": 4, "per": "year"}})).unwrap();
}

#[test]
fn caps_and_values_fit_each_other() {
    let gift = json!({"kind": "gift", "label": "Teeset"});
    let off = json!({"kind": "percent_off", "basis_points": 1000});
    let percentage = "cannot limit the amount of a percentage or a gift; limit the count";
    for (change, field, problem) in [
        (json!({"value": off, "cap": {"amount": 500}}), "cap", percentage),
        (json!({"value": gift, "cap": {"amount": 500}}), "cap", percentage),
        (json!({"cap": {"count": 0}}), "cap.count", "must be a whole number above zero, or null"),
        (json!({"cap": {"count": 1, "per": "month"}}), "cap.per", "must be one of total, year"),
        (
            json!({"value": {"kind": "credit", "amount": 0}}),
            "value.amount",
            "must be a whole number above zero",
        ),
        (
            json!({"value": {"kind": "credit", "amount": 5, "currency": "CHF"}}),
            "value.currency",
            "must be the program's, EUR",
        ),
        (
            json!({"value": {"kind": "percent_off", "basis_points": 20}, "minimum_order": -1}),
            "minimum_order",
            "must be an integer in minor units, for example 4990 for 49.90 EUR",
        ),
        (
            json!({"value": {"kind": "gift", "label": "x".repeat(49)}}),
            "value.label",
            "must be 1 to 48 bytes of text without line breaks",
        ),
        (
            json!({"value": {"kind": "donation", "amount": 5}, "expires_days": 9}),
            "expires_days",
            "does not fit: a donation does not expire",
        ),
        (
            json!({"value": {"kind": "donation", "amount": 5}, "expires": {"days": 9}}),
            "expires",
            "does not fit: a donation does not expire",
        ),
    ] {
        refused(rule(&change), &format!("rewards[0].{field}"), problem);
    }
    // The last value is clipped to what a cap leaves.
    rule(&json!({"cap": {"amount": 999}})).unwrap();
}

#[test]
fn an_end_is_said_once_and_in_one_of_its_forms() {
    let (days, years) =
        ("must be a whole number from 1 to 3660", "must be a whole number from 0 to 10");
    for (change, field, problem) in [
        (json!({"expires_days": 0}), "expires_days", days),
        (json!({"expires_days": 3661}), "expires_days", days),
        (json!({"expires": {"days": 0}}), "expires.days", days),
        (json!({"expires": {"days": 3661}}), "expires.days", days),
        (json!({"expires": {"days": 1.5}}), "expires.days", days),
        (json!({"expires": {"end_of_year": -1}}), "expires.end_of_year", years),
        (json!({"expires": {"end_of_year": 11}}), "expires.end_of_year", years),
        (json!({"expires": {}}), "expires.days", "is required: how many, or end_of_year instead"),
        (
            json!({"expires": {"days": 400, "end_of_year": 3}}),
            "expires.end_of_year",
            "does not go with days: leave one of them out",
        ),
        (
            json!({"expires": {"years": 3}}),
            "expires.days",
            "is required: how many, or end_of_year instead",
        ),
        (
            json!({"expires": {"days": 3, "years": 3}}),
            "expires.years",
            "is not a field of this request",
        ),
        (json!({"expires": 400}), "expires", "must be an object"),
        (
            json!({"expires": {"days": 400}, "expires_days": 400}),
            "expires_days",
            "does not go with expires, which says the same: leave one of them out",
        ),
    ] {
        refused(rule(&change), &format!("rewards[0].{field}"), problem);
    }
}

#[test]
fn an_end_is_kept_and_sent_in_the_form_in_which_it_was_said() {
    for (change, end) in [
        (json!({}), None),
        (json!({"expires": null, "expires_days": null}), None),
        (json!({"expires_days": 3660}), Some(Expires::Days(3_660))),
        (json!({"expires": {"days": 1}}), Some(Expires::Days(1))),
        (json!({"expires": {"days": 3660}}), Some(Expires::Days(3_660))),
        (json!({"expires": {"end_of_year": 0}}), Some(Expires::EndOfYear(0))),
        (json!({"expires": {"end_of_year": 10}}), Some(Expires::EndOfYear(10))),
    ] {
        let program = rule(&change).unwrap();
        assert_eq!(program.rewards[0].end(), end, "{change}");
        let sent = serde_json::to_value(&program).unwrap();
        for form in ["expires", "expires_days"] {
            assert_eq!(sent["rewards"][0][form], change[form], "{change}");
        }
        assert_eq!(Program::parse(sent.to_string().as_bytes()).unwrap(), program, "{change}");
    }
}

#[test]
fn the_last_click_is_the_only_one_that_can_earn() {
    let right =
        "must be last_click: the last click before the order earns, and there is no other model";
    for model in ["first_click", "linear", "Last_click"] {
        let change = json!({"attribution": {"model": model}});
        refused(terms(&change), "attribution.model", right);
    }
    for attribution in [json!({}), json!({"model": null}), json!({"model": "last_click"})] {
        let sent = serde_json::to_value(terms(&json!({"attribution": attribution})).unwrap());
        assert_eq!(sent.unwrap()["attribution"]["model"], "last_click");
    }
}

#[test]
fn a_delivery_can_reach_whoever_earned_it() {
    let tiers = json!([{"from": 5, "value": {"kind": "credit", "amount": 2000}}]);
    let coupon = |change: &Json| {
        let mut all = json!({"delivery": "coupon", "pool": "gutscheine"});
        for (field, value) in change.as_object().unwrap() {
            all[field] = value.clone();
        }
        rule(&all)
    };
    coupon(&json!({})).unwrap();
    let alike = "cannot be coupon: the coupons of a pool are worth the same, this value is not";
    for (change, field, problem) in [
        (json!({"delivery": "post"}), "delivery", "must be one of manual, webhook, coupon"),
        (
            json!({"delivery": "manual"}),
            "pool",
            "goes with the delivery coupon of an advocate's reward",
        ),
        (json!({"for": "friend"}), "pool", "goes with the delivery coupon of an advocate's reward"),
        (
            json!({"for": "friend", "pool": null}),
            "delivery",
            "cannot be coupon for what a friend earns later: everybody would share one code. Use at_once, or another delivery",
        ),
        (json!({"pool": null}), "pool", "is required: the pool that the coupons come from"),
        (
            json!({"value": {"kind": "donation", "amount": 5}}),
            "delivery",
            "cannot be coupon: a donation goes to somebody else",
        ),
        (json!({"value": {"kind": "percent_of_order", "basis_points": 5}}), "delivery", alike),
        (json!({"tiers": tiers}), "delivery", alike),
        (
            json!({"cap": {"amount": 1500}}),
            "cap.amount",
            "must be a multiple of the value: a coupon cannot be given in part",
        ),
    ] {
        refused(coupon(&change), &format!("rewards[0].{field}"), problem);
    }
}

#[test]
fn a_rule_that_can_never_apply_is_named() {
    let rule = |role: &str, trigger: &str, more: &Json| {
        let mut rule =
            json!({"for": role, "trigger": trigger, "value": {"kind": "points", "points": 5}});
        for (field, value) in more.as_object().unwrap() {
            rule[field] = value.clone();
        }
        rule
    };
    let none = json!({});
    let plain = |trigger: &str| rule("advocate", trigger, &none);
    let bonus = |trigger: &str, at: u32| rule("advocate", trigger, &json!({"milestone": at}));
    let hidden = "never applies, because an earlier rule for the same role fits first";
    let review = json!({"action": "review"});
    let regulars = json!({"segment": "stammkunde"});
    for (rules, field, problem) in [
        (json!([]), "rewards", "must have a rule for the advocate"),
        (json!([rule("friend", "signup", &none)]), "rewards", "must have a rule for the advocate"),
        (json!([plain("first_purchase"), plain("first_purchase")]), "rewards[1]", hidden),
        (json!([plain("every_purchase"), plain("first_purchase")]), "rewards[1]", hidden),
        (json!([plain("action"), rule("advocate", "action", &review)]), "rewards[1]", hidden),
        (json!([plain("signup"), rule("advocate", "signup", &regulars)]), "rewards[1]", hidden),
        (json!([plain("signup"), bonus("signup", 5), bonus("signup", 5)]), "rewards[2]", hidden),
        (
            json!([plain("signup"), bonus("first_purchase", 5)]),
            "rewards[1]",
            "has a milestone of referrals that earn nothing: add a rule with the same trigger",
        ),
        (
            json!([
                rule("advocate", "signup", &regulars),
                rule("advocate", "signup", &json!({"milestone": 5, "segment": "neu"}))
            ]),
            "rewards[1]",
            "has a milestone of referrals that earn nothing: add a rule with the same trigger",
        ),
        (
            json!([rule("advocate", "signup", &json!({"cap": {"count": 4}})), bonus("signup", 5)]),
            "rewards[1].milestone",
            "is never reached: the cap of the rule with the same trigger ends before",
        ),
    ] {
        refused(terms(&json!({"rewards": rules})), field, problem);
    }
    let allowed = json!([
        rule("advocate", "first_purchase", &regulars),
        plain("first_purchase"),
        plain("every_purchase"),
        bonus("every_purchase", 5),
        bonus("first_purchase", 5),
        rule("advocate", "action", &review),
        plain("action"),
    ]);
    assert_eq!(terms(&json!({"rewards": allowed})).unwrap().rewards.len(), 7);
}

#[test]
fn terms_around_the_rules_fit_each_other() {
    let gift = json!([
        {"for": "advocate", "trigger": "signup", "value": {"kind": "gift", "label": "Fahrrad", "worth": 30000}},
    ]);
    let names = "must be one of 20-10, dropbox, airbnb, zalando, anytime-fitness, anytime-fitness-free-month, points";
    for (change, field, problem) in [
        (json!({"preset": "30-15"}), "preset", names),
        (json!({"preset": 5}), "preset", names),
        (
            json!({"hold": {"from": "delivered", "days": 21, "fallback_days": 20}}),
            "hold.fallback_days",
            "must be at least 21, as days is: else an order without a report of its delivery is paid sooner",
        ),
        (
            json!({"yearly_ceiling": "tax_free_de", "rewards": gift}),
            "yearly_ceiling",
            "must be at least 30000, or what rewards[0] gives never fits",
        ),
        (
            json!({"yearly_ceiling": "tax_free"}),
            "yearly_ceiling",
            "must be a whole number of minor units, or \"tax_free_de\" for 25599",
        ),
        (
            json!({"yearly_ceiling": "tax_free_de", "currency": "CHF"}),
            "yearly_ceiling",
            "tax_free_de is in EUR, as the program is not",
        ),
        (
            json!({"yearly_ceiling": 0}),
            "yearly_ceiling",
            "must be a whole number of minor units above zero, or null",
        ),
        (
            json!({"review": {"orders_per_day": 0}}),
            "review.orders_per_day",
            "must be a whole number from 1 to 100, or null",
        ),
        (
            json!({"coupon": {"code": "10 %"}}),
            "coupon.code",
            "must be 2 to 40 letters, digits, - or _, for example FREUND10",
        ),
        (
            json!({"coupon": {"code": "FREUND10", "link": "https://shop.example/discount"}}),
            "coupon.link",
            "must be an https URL with {code} in it, for example https://shop.example/discount/{code}?redirect={to}",
        ),
        (
            json!({"excluded": {"skus": [""]}}),
            "excluded.skus[0]",
            "must be 1 to 128 characters without line breaks",
        ),
    ] {
        refused(terms(&change), field, problem);
    }
    // A longer hold moves the fallback along where none is given.
    let longer = terms(&json!({"hold": {"days": 60}})).unwrap().hold;
    assert_eq!((longer.days, longer.fallback_days), (60, 60));
    let exact = json!({"yearly_ceiling": 30000, "rewards": gift});
    assert_eq!(terms(&exact).unwrap().yearly_ceiling, Some(30_000));
}
