//! Counting: what a referred order adds to its day, and what is told of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use passalong_core::channel::Channel;
use passalong_core::figures::{DayFigures, Figures, Orders, Reach, Stats, Sum, Tally};
use passalong_core::metrics::{Seen, metrics};
use passalong_core::orders::claims::Admission;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Status, Trigger};
use passalong_core::status::Reward;
use passalong_core::time::Day;
use passalong_core::totals::{DayTotals, Posted, TotalsKept};
use serde_json::{Value, json};
use support::{Scene, at, credit, customer, day, fold, hint, ordered, person, points};

fn today() -> Day {
    ordered().day()
}

fn reward(role: Role, value: passalong_core::reward::Value, status: Status) -> Reward {
    Reward {
        part: role.into(),
        trigger: Trigger::FirstPurchase,
        value,
        status,
        reason: None,
        since: ordered(),
        until: None,
        entries: Vec::new(),
        pool: None,
        coupon: None,
    }
}

fn refused(reason: Reason) -> Vec<Reward> {
    let refused = reward(Role::Advocate, credit(0), Status::Refused);
    vec![Reward { reason: Some(reason), ..refused }]
}

fn add(tally: &mut Tally, scene: &Scene, rewards: &[Reward]) {
    let eur = "EUR".parse().unwrap();
    tally.add(today(), scene.advocate, &fold(scene.facts()), rewards, eur);
}

fn one(scene: &Scene, rewards: &[Reward]) -> Orders {
    let mut tally = Tally::default();
    add(&mut tally, scene, rewards);
    tally.total()
}

#[test]
fn revenue_is_what_is_left_after_refunds_and_nothing_of_an_order_undone() {
    for (scene, revenue, refunded) in [
        (Scene::plain(), 5000, 0),
        (Scene::plain().refunded(day(1), 1000).refunded(day(2), 500), 3500, 1500),
        (Scene::plain().event(EventType::Cancelled, day(1), None), 0, 5000),
        (Scene::plain().refunded(day(1), 5000), 0, 5000),
    ] {
        let orders = one(&scene, &[]);
        assert_eq!((orders.purchases, orders.revenue, orders.refunded), (1, revenue, refunded));
    }
    // Of another currency nobody knows the rate.
    let mut scene = Scene::plain();
    scene.conversion.currency = Some("USD".parse().unwrap());
    let orders = one(&scene, &[]);
    assert_eq!((orders.purchases, orders.revenue, orders.refunded), (1, 0, 0));
}

#[test]
fn an_order_is_nobodys_referral_where_its_proof_is_refused_not_where_a_rule_grants_nothing() {
    for reason in Reason::ALL {
        let orders = one(&Scene::plain(), &refused(*reason));
        let earns_nothing = [
            Reason::Hold,
            Reason::AwaitingDelivery,
            Reason::Checking,
            Reason::BelowMinimum,
            Reason::ExcludedItem,
            Reason::CurrencyMismatch,
            Reason::CapReached,
            Reason::Velocity,
            Reason::ManyOrdersOneClick,
            Reason::ClaimedByHand,
            Reason::Unpaid,
            Reason::Disputed,
            Reason::Refunded,
            Reason::Withdrawn,
            Reason::Cancelled,
            Reason::Chargeback,
            Reason::TooLate,
            // It waits, and stands until then.
            Reason::Unpaid,
            Reason::Disputed,
        ];
        let counts = u64::from(earns_nothing.contains(reason));
        assert_eq!((orders.purchases, orders.refused), (counts, 1 - counts), "{reason}");
        assert_eq!(orders.rewards[&Status::Refused].count, 1);
    }
    // The merchant looked at it and said no.
    let declined = reward(Role::Advocate, credit(0), Status::Reversed);
    let declined = Reward { reason: Some(Reason::Declined), ..declined };
    assert_eq!(one(&Scene::plain(), &[declined]).refused, 1);
    // The friend earns something, so it is a referral.
    let mut rewards = refused(Reason::SelfReferral);
    rewards.push(reward(Role::Friend, points(5), Status::Pending));
    assert_eq!(one(&Scene::plain(), &rewards).purchases, 1);
    // The same friend's next order with the same advocate.
    let mut again = Scene::plain();
    again.conversion.admission = Admission::Again;
    let orders = one(&again, &refused(Reason::FriendAlreadyReferred));
    assert_eq!((orders.purchases, orders.refused, orders.new_friends), (1, 0, 0));
}

#[test]
fn a_friend_is_new_once_and_known_by_the_first_identity() {
    let mut tally = Tally::default();
    let mut scene = Scene::plain();
    scene.conversion.kind = ConversionKind::Signup;
    scene.conversion.amount = None;
    add(&mut tally, &scene, &[]);
    // The same friend buys, twice; a guest buys; a customer with the same hint buys.
    for identities in [
        vec![customer(20)],
        vec![customer(20), hint(7)],
        vec![hint(7)],
        vec![customer(21), hint(7)],
    ] {
        let mut scene = Scene::plain();
        scene.advocate = person(11);
        scene.conversion.identities = identities;
        add(&mut tally, &scene, &[]);
    }
    let total = tally.total();
    assert_eq!((total.signups, total.purchases, total.new_friends), (1, 4, 3));
    assert_eq!(tally.buyers(), (3, 1));
    assert_eq!(tally.advocates.len(), 2);
}

#[test]
fn rewards_are_summed_by_status_and_kind_and_percentages_counted() {
    let percent = serde_json::from_value(json!({ "kind": "percent_off", "basis_points": 1000 }));
    let percent: passalong_core::reward::Value = percent.unwrap();
    let rewards = [
        reward(Role::Advocate, credit(998), Status::Approved),
        reward(Role::Friend, percent, Status::Approved),
    ];
    let mut tally = Tally::default();
    add(&mut tally, &Scene::plain(), &rewards);
    add(&mut tally, &Scene::plain(), &rewards);
    let fulfilled = reward(Role::Advocate, credit(100), Status::Fulfilled);
    add(&mut tally, &Scene::plain(), &[fulfilled]);
    let pending = reward(Role::Advocate, points(7), Status::Pending);
    add(&mut tally, &Scene::plain(), &[pending]);
    let total = tally.total();
    assert_eq!(
        json!(total.rewards),
        json!({
            "approved": { "count": 4, "values": [
                { "kind": "credit", "amount": 1996, "currency": "EUR", "count": 2 },
                { "kind": "percent_off", "basis_points": 1000, "count": 2 }] },
            "fulfilled": { "count": 1, "values": [
                { "kind": "credit", "amount": 100, "currency": "EUR", "count": 1 }] },
            "pending": { "count": 1, "values": [{ "kind": "points", "points": 7, "count": 1 }] },
        })
    );
    let eur = "EUR".parse().unwrap();
    assert_eq!((total.paid(eur), total.paid_otherwise(eur)), (2096, 2));
    assert_eq!(total.paid("USD".parse().unwrap()), 0);
    assert_eq!(json!(Sum::default()), json!({ "count": 0, "values": [] }));
}

#[test]
fn days_are_joined_field_by_field() {
    let mut one = Reach { unique: Some(2), ..Reach::default() };
    one.add_clicks(Channel::WhatsApp, 3);
    one.add_share(Channel::Copy);
    one.sharers = 1;
    let two = one.clone();
    one.join(&two);
    assert_eq!((one.clicks, one.unique, one.shares, one.sharers), (6, Some(4), 2, 2));
    assert_eq!(json!(one.clicks_by), json!({ "whatsapp": 6 }));
    assert_eq!(json!(one.shares_by), json!({ "copy": 2 }));
    one.join(&Reach::default());
    assert_eq!(one.unique, None, "of one day it is not known");
}

/// What is sent stays as it is.
#[test]
fn statistics_are_written_as_pinned() {
    let mut reach = Reach { unique: Some(4), sharers: 2, ..Reach::default() };
    reach.add_clicks(Channel::WhatsApp, 5);
    for channel in [Channel::WhatsApp, Channel::Copy, Channel::WhatsApp] {
        reach.add_share(channel);
    }
    let orders = one(
        &Scene::plain().refunded(day(1), 1000),
        &[reward(Role::Advocate, credit(800), Status::Approved)],
    );
    let seen = Seen { clicks: 5, purchases: 1, revenue: 4000, ..Seen::default() };
    let of_day = metrics(&seen, &Posted::default(), (today(), today()), None);
    let wanted = ["conversion_rate", "average_order"];
    let metrics = of_day.into_iter().filter(|metric| wanted.contains(&metric.name)).collect();
    let figures = Figures::new(reach, orders);
    let stats = Stats {
        from: "2026-11-10".to_owned(),
        to: "2026-11-30".to_owned(),
        as_of: at("2026-12-20T08:00:00Z"),
        currency: "EUR".parse().unwrap(),
        complete: false,
        cursor: Some("20261111".to_owned()),
        days: vec![DayFigures {
            day: "2026-11-10".to_owned(),
            open: false,
            at_least: false,
            complete: true,
            figures: figures.clone(),
        }],
        total: figures,
        metrics,
    };
    let pinned: Value = serde_json::from_str(include_str!("../fixtures/wire/stats.json")).unwrap();
    assert_eq!(json!(stats), pinned);
    let small: Value = serde_json::from_str(include_str!("../fixtures/wire/small.json")).unwrap();
    let kept = TotalsKept {
        day: "2026-11-21".to_owned(),
        accepted_at: at("2026-11-22T08:00:00Z"),
        totals: DayTotals { orders: Some(67), margin: Some(-5), ..DayTotals::default() },
    };
    assert_eq!(json!(kept), small["totals_kept"]);
}
