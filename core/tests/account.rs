//! An advocate's account: numbers, sums and what comes next, from the orders of one ledger.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeMap;

use passalong_core::fact::{Fact, FactKey};
use passalong_core::orders::account::{self, Ledger, Referral};
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Status, Trigger};
use passalong_core::status;
use passalong_core::time::Instant;
use serde_json::json;
use support::{Scene, credit, customer, day, digest, fold, hint, order, ordered, points, program};

/// Order `number`, of friend `number`, accepted on that day.
fn bought(number: u8) -> Scene {
    at(Scene::plain(), number)
}

fn at(mut scene: Scene, number: u8) -> Scene {
    scene.order = order(number);
    scene.accepted = day(number.into());
    scene.conversion.occurred_at = scene.accepted.start();
    scene.conversion.via = passalong_core::fact::Via::Code;
    scene.conversion.identities = vec![customer(100 + number)];
    scene
}

/// The same as a sign-up.
fn signed_up(number: u8) -> Scene {
    let mut scene = bought(number);
    scene.conversion.kind = ConversionKind::Signup;
    (scene.conversion.amount, scene.conversion.currency) = (None, None);
    scene
}

/// What the orders come to once they are decided.
fn ledger(scenes: &[Scene]) -> Ledger {
    let decided = |scene: &Scene| {
        let (accepted, verdict) = scene.settle();
        let verdict = Fact::Verdict(verdict);
        let key = FactKey { accepted, kind: verdict.kind(), digest: digest(80) };
        (scene.order, fold(scene.facts().into_iter().chain([(key, verdict)])))
    };
    scenes.iter().map(decided).collect()
}

/// And before.
fn open(scenes: &[Scene]) -> Ledger {
    scenes.iter().map(|scene| (scene.order, fold(scene.facts()))).collect()
}

fn now() -> Instant {
    day(200).start()
}

/// Number, kind and order of each referral, newest first, and the kind and order it moved on from.
fn brief(referrals: &[Referral]) -> Vec<(u32, ConversionKind, Option<ConversionKind>)> {
    let one = |one: &Referral| {
        (one.number, one.latest.kind, one.before.as_ref().map(|before| before.kind))
    };
    referrals.iter().map(one).collect()
}

#[test]
fn numbers_follow_acceptance_whatever_the_orders_are_called() {
    use ConversionKind::Purchase;
    let mut scenes = [bought(1), bought(2), bought(3)];
    // The first accepted has the largest id, and two are of one minute.
    (scenes[0].order, scenes[1].order, scenes[2].order) = (order(9), order(8), order(7));
    scenes[2].accepted = scenes[1].accepted;
    let orders = open(&scenes);
    let ranked: Vec<u8> = account::ranked(&orders).iter().map(|(_, order, _)| order.0[0]).collect();
    assert_eq!(ranked, [9, 7, 8]);
    let (_, referrals) = account::referrals(&orders, &scenes[0].view(now()));
    assert_eq!(brief(&referrals), [3, 2, 1].map(|number| (number, Purchase, None)));
    let of = |at: usize| referrals[at].latest.reward.as_ref().unwrap().order;
    assert_eq!([of(0), of(1), of(2)], [order(8), order(7), order(9)]);
    // What is only an event so far is no referral.
    let mut orders = orders;
    orders.insert(order(1), fold(Scene::plain().delivered(day(1)).facts().into_iter().skip(1)));
    assert_eq!(account::referrals(&orders, &scenes[0].view(now())).1.len(), 3);
}

#[test]
fn a_sign_up_moves_on_into_the_first_purchase_of_the_same_friend() {
    use ConversionKind::{Purchase, Signup};
    let same = |mut scene: Scene, friend: u8| {
        scene.conversion.identities = vec![customer(friend), hint(friend)];
        scene
    };
    let later = |number: u8, friend: u8| same(bought(number), friend);
    for (name, scenes, expected) in [
        (
            "it keeps its number",
            vec![signed_up(1), bought(2), later(3, 101)],
            vec![(2, Purchase, None), (1, Purchase, Some(Signup))],
        ),
        (
            "by any identity",
            vec![same(signed_up(1), 50), same(bought(2), 50)],
            vec![(1, Purchase, Some(Signup))],
        ),
        (
            "once",
            vec![same(signed_up(1), 50), later(2, 50), later(3, 50)],
            vec![(2, Purchase, None), (1, Purchase, Some(Signup))],
        ),
        (
            "never backwards",
            vec![later(1, 50), same(signed_up(2), 50)],
            vec![(2, Signup, None), (1, Purchase, None)],
        ),
        (
            "not into another's",
            vec![signed_up(1), bought(2)],
            vec![(2, Purchase, None), (1, Signup, None)],
        ),
    ] {
        let (totals, referrals) = account::referrals(&open(&scenes), &scenes[0].view(now()));
        assert_eq!(brief(&referrals), expected, "{name}");
        let kinds = |wanted| {
            u32::try_from(scenes.iter().filter(|it| it.conversion.kind == wanted).count()).unwrap()
        };
        // A stage left behind still counts as what it was.
        assert_eq!((totals.signups, totals.purchases), (kinds(Signup), kinds(Purchase)), "{name}");
    }
}

#[test]
fn each_stage_keeps_its_reward_and_a_sign_up_its_bonus() {
    let terms = json!({"rewards": [
        {"for": "advocate", "trigger": "signup", "value": {"kind": "points", "points": 5}},
        {"for": "advocate", "trigger": "signup", "milestone": 1, "value": {"kind": "points", "points": 90}},
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "points", "points": 7}},
    ]});
    let scene = |number: u8, kind: ConversionKind| {
        let mut scene = at(Scene::new(&terms), number);
        scene.conversion.identities = vec![customer(50)];
        if kind == ConversionKind::Signup {
            scene.conversion.kind = kind;
            (scene.conversion.amount, scene.conversion.currency) = (None, None);
        }
        scene
    };
    let scenes = [scene(1, ConversionKind::Signup), scene(2, ConversionKind::Purchase)];
    let orders = ledger(&scenes);
    let (totals, referrals) = account::referrals(&orders, &scenes[0].view(now()));
    let [one] = <[Referral; 1]>::try_from(referrals).unwrap();
    let value = |earning: &Option<account::Earning>| {
        earning.as_ref().map(|one| (one.order, one.reward.value, one.reward.status))
    };
    let approved = |number: u8, worth: i64| Some((order(number), points(worth), Status::Approved));
    assert_eq!(value(&one.latest.reward), approved(2, 7));
    assert_eq!(value(&one.before.unwrap().reward), approved(1, 5));
    assert_eq!(value(&one.bonus), approved(1, 90));
    assert_eq!(totals.earned, [(points(102), 3)]);
    assert_eq!(account::reached(&orders, Trigger::Signup, 1), Some(order(1)));
    for (trigger, at) in [(Trigger::Signup, 2), (Trigger::FirstPurchase, 1)] {
        assert_eq!(account::reached(&orders, trigger, at), None);
    }
}

#[test]
fn a_refused_referral_is_listed_and_counts_for_nothing() {
    let mut own = bought(1);
    own.conversion.identities = vec![customer(10)];
    let scenes = [own, bought(2)];
    let (totals, referrals) = account::referrals(&ledger(&scenes), &scenes[0].view(now()));
    assert_eq!(referrals.len(), 2);
    let reward = &referrals[1].latest.reward.as_ref().unwrap().reward;
    assert_eq!((reward.status, reward.reason), (Status::Refused, Some(Reason::SelfReferral)));
    assert_eq!((totals.purchases, totals.approved, totals.earned), (1, 1, vec![(credit(1000), 1)]));
}

#[test]
fn a_year_has_what_was_decided_in_it_less_what_was_taken_back() {
    // Ordered in November, decided thirty days later: the last two in the next year.
    let new_year = 40;
    let year = program(&json!({"yearly_ceiling": 5000}));
    let scenes = [
        bought(1),
        bought(2).refunded(day(60), 1000),
        bought(3).event(EventType::Cancelled, day(60), None),
        bought(new_year),
        bought(new_year + 1).fulfilled(Role::Advocate, credit(1000), day(100)),
    ];
    let orders = ledger(&scenes);
    let decided: Vec<i16> = scenes.iter().map(|it| it.settled().start().day().year()).collect();
    assert_eq!(decided, [2026, 2026, 2026, 2027, 2027]);
    for (now, amount) in [("2026-12-31T23:59:59Z", 1800), ("2027-06-01T00:00:00Z", 2000)] {
        let now: Instant = now.parse().unwrap();
        let total = account::year_total(&orders, &scenes[0].view(now), &year);
        assert_eq!(
            (total.year, total.amount, total.ceiling),
            (now.day().year(), amount, Some(5000))
        );
    }
    let nothing = account::year_total(&Ledger::new(), &scenes[0].view(ordered()), &year);
    assert_eq!((nothing.amount, nothing.currency.to_string()), (0, "EUR".to_owned()));
}

#[test]
fn owed_is_what_is_approved_and_not_handed_over_and_what_is_to_be_got_back() {
    let scenes = [
        bought(1),
        bought(2).refunded(day(60), 1000),
        bought(3).fulfilled(Role::Advocate, credit(1000), day(50)),
        bought(4).fulfilled(Role::Advocate, credit(1000), day(50)).refunded(day(60), 500),
        bought(5).event(EventType::Withdrawn, day(60), None),
    ];
    let owed =
        |count: usize| account::owed(&ledger(&scenes[..count]), &scenes[0].view(now())).earned;
    assert_eq!(owed(1), [(credit(1000), 1)]);
    assert_eq!(owed(2), [(credit(1800), 2)]);
    assert_eq!(owed(3), [(credit(1800), 2)]);
    assert_eq!(owed(4), [(credit(1700), 3)]);
    assert_eq!(owed(5), [(credit(1700), 3)]);
    assert_eq!(account::owed(&open(&scenes[..1]), &scenes[0].view(ordered())).earned, []);
}

#[test]
fn what_comes_next_is_the_nearest_step_ahead_for_this_advocate() {
    let terms = program(&json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 500},
         "tiers": [{"from": 3, "value": {"kind": "credit", "amount": 600}}, {"from": 6, "value": {"kind": "credit", "amount": 700}}]},
        {"for": "advocate", "trigger": "first_purchase", "milestone": 5, "value": {"kind": "gift", "label": "Teeset"}},
        {"for": "advocate", "trigger": "signup", "value": {"kind": "points", "points": 1}},
        {"for": "advocate", "trigger": "signup", "milestone": 2, "segment": "neu", "value": {"kind": "points", "points": 50}},
        {"for": "friend", "trigger": "signup", "value": {"kind": "points", "points": 1}},
    ]}));
    for (purchases, signups, segment, expected) in [
        (0, 0, None, Some(("tier", 3, 0))),
        (0, 0, Some("neu"), Some(("milestone", 2, 0))),
        (0, 0, Some("alt"), Some(("tier", 3, 0))),
        (2, 0, Some("neu"), Some(("tier", 3, 2))),
        // A tier begins with the referral of its number, so it is over once that is approved.
        (3, 2, Some("neu"), Some(("milestone", 5, 3))),
        (4, 0, None, Some(("milestone", 5, 4))),
        (5, 0, None, Some(("tier", 6, 5))),
        (6, 0, None, None),
        (60, 1, Some("neu"), Some(("milestone", 2, 1))),
    ] {
        let approved =
            BTreeMap::from([(Trigger::FirstPurchase, purchases), (Trigger::Signup, signups)]);
        let next = account::next(&terms, &approved, segment);
        let found = next.as_ref().map(|next| (next.kind.as_str(), next.at, next.done));
        assert_eq!(found, expected, "{purchases} {signups} {segment:?}");
    }
    // Those approved are counted from the verdicts alone.
    let scenes = [bought(1), bought(2)];
    assert_eq!(status::approved(&ledger(&scenes))[&Trigger::FirstPurchase], 2);
    assert!(status::approved(&open(&scenes)).is_empty());
}
