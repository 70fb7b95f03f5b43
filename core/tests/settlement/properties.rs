//! What holds whatever happened and in whichever order it became visible.

use std::hash::{DefaultHasher, Hash, Hasher};

use passalong_core::fact::{Fact, FactKey};
use passalong_core::ids::Digest;
use passalong_core::report::EventType;
use passalong_core::reward::{Reason, Role};
use passalong_core::status;
use passalong_core::time::{DAY, HOUR};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{
    Scene, advocate_rule, bytes, credit, customer, event, fold, hint, knows, minutes, order,
    ordered, person,
};

/// Equal for equal content and different for different content, as every digest is.
pub fn digest_of(fact: &Fact) -> Digest {
    let mut hasher = DefaultHasher::new();
    (fact.kind(), fact.to_json().to_string()).hash(&mut hasher);
    let mut digest = Digest([7; 10]);
    digest.0[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    digest
}

/// An event of one of a few ids, so that ids repeat with the same and with other content. Times
/// lie close to where settlement can fall.
fn events() -> impl Strategy<Value = (FactKey, Fact)> {
    let kind = prop_oneof![
        4 => Just(EventType::Delivered),
        3 => Just(EventType::Refunded),
        1 => prop::sample::select(EventType::ALL),
    ];
    let days = prop_oneof![-2_i64..60, Just(21), Just(30)];
    (0_u8..6, kind, days, -61_i64..62, -40_i64..2, 1_i64..3000).prop_map(
        |(id, kind, days, offset, happened, amount)| {
            let accepted = minutes(crate::support::day(days), offset);
            let occurred_at = accepted.start().plus(happened * DAY / 2);
            let has_amount = matches!(kind, EventType::Refunded | EventType::Amended);
            let amount = has_amount.then_some(amount);
            let (mut key, fact) = event(id, kind, accepted, occurred_at, amount);
            key.digest = digest_of(&fact);
            (key, fact)
        },
    )
}

fn terms() -> impl Strategy<Value = serde_json::Value> {
    let hold = prop_oneof![
        3 => Just(json!({"days": 21, "fallback_days": 30})),
        1 => Just(json!({"days": 0, "fallback_days": 0})),
        1 => Just(json!({"from": "order", "days": 21})),
    ];
    let value = prop_oneof![
        Just(json!({"kind": "percent_of_order", "basis_points": 2000})),
        Just(json!({"kind": "percent_of_order", "basis_points": 3333})),
        Just(json!({"kind": "credit", "amount": 700})),
    ];
    let cap = prop_oneof![
        Just(json!(null)),
        (1_u32..4, 1_i64..3000)
            .prop_map(|(count, amount)| json!({"count": count, "amount": amount})),
    ];
    let minimum = prop_oneof![Just(json!(null)), (0_i64..6000).prop_map(|least| json!(least))];
    (hold, value, cap, minimum).prop_map(|(hold, value, cap, minimum)| {
        let mut terms =
            advocate_rule(&json!({"value": value, "cap": cap, "minimum_order": minimum}));
        terms["hold"] = hold;
        let friend = json!({"for": "friend", "trigger": "first_purchase", "when": "earned",
            "value": {"kind": "percent_of_order", "basis_points": 500}});
        terms["rewards"].as_array_mut().unwrap().push(friend);
        terms
    })
}

fn scenes() -> impl Strategy<Value = Scene> {
    (terms(), prop::collection::vec(events(), 0..8), 0_i64..6000, 0_i64..90, any::<bool>())
        .prop_map(|(terms, more, amount, late, rival)| {
            let mut scene = Scene::new(&terms);
            scene.conversion.amount = Some(amount);
            scene.accepted = minutes(ordered().minute(), late);
            scene.conversion.identities.push(hint(1));
            scene.known = knows(&[(crate::support::day(21), hint(1))]);
            if rival {
                let mut rival = Scene::new(&terms);
                (rival.order, rival.advocate) = (order(3), person(11));
                rival.more.clone_from(&more);
                scene.rivals = vec![rival];
            }
            scene.more = more;
            scene
        })
}

/// Another report of the same order, in the same ledger.
fn second_report(scene: &Scene, minute: i64, rank: u8) -> (FactKey, Fact) {
    let mut other = scene.clone();
    other.conversion.amount = Some(1234);
    other.accepted = minutes(scene.accepted, minute);
    (other.digest.0[0], other.digest.0[9]) = (rank, 1);
    other.facts().remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn facts_in_any_order_and_doubled_give_the_same_verdict_and_rewards(
        (scene, facts, shuffled) in (scenes(), -3_i64..4, any::<u8>()).prop_flat_map(
            |(scene, minute, rank)| {
                let mut facts = scene.facts();
                facts.push(second_report(&scene, minute, rank));
                let (accepted, verdict) = scene.settle();
                let fact = Fact::Verdict(verdict);
                let key = FactKey { accepted, kind: fact.kind(), digest: scene.digest };
                facts.push((key, fact));
                let paid = scene.clone().fulfilled(Role::Advocate, credit(700), minutes(accepted, 60));
                facts.extend(paid.facts().pop());
                let doubled: Vec<_> = facts.iter().chain(&facts).cloned().collect();
                (Just(scene), Just(facts), Just(doubled).prop_shuffle())
            },
        ),
        split in 0.0_f64..1.0,
    ) {
        let straight = fold(facts.clone());
        // One fold that begins where another reader's half already stands.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let cut = (shuffled.len() as f64 * split) as usize;
        let (left, right) = shuffled.split_at(cut);
        let mut joined = fold(right.to_vec());
        for (key, fact) in left.iter().cloned() {
            joined.add(key, fact);
        }
        prop_assert_eq!(&joined, &straight);
        let settle = |facts| bytes(&scene.settle_with(facts));
        prop_assert_eq!(settle(&joined), settle(&straight));
        let shown = |facts| {
            let now = ordered().plus(40 * DAY);
            status::rewards(facts, &scene.view(now))
        };
        prop_assert_eq!(shown(&joined), shown(&straight));
    }

    #[test]
    fn what_is_accepted_after_settlement_changes_no_verdict(
        scene in scenes(),
        late in prop::collection::vec((events(), 1_i64..100_000), 1..6),
        known in 1_i64..1000,
        minute in 1_i64..1000,
    ) {
        let decided = scene.settle();
        let settled = decided.0;
        let mut facts = scene.facts();
        for (n, ((mut key, fact), after)) in late.into_iter().enumerate() {
            key.accepted = minutes(settled, after);
            let Fact::Event(kind, mut content) = fact else { unreachable!() };
            if n % 2 == 0 {
                content.event.0[0] = 200;
            }
            facts.push((key, Fact::Event(kind, content)));
        }
        let (mut key, report) = second_report(&scene, 0, 0);
        key.accepted = minutes(settled, minute);
        facts.push((key, report));
        let mut later = scene.clone();
        later.known.identities.push((minutes(settled, known), customer(20)));
        later.reports =
            vec![(key.accepted, key.digest), (scene.accepted, scene.digest), (key.accepted, scene.digest)];
        let mut rival = Scene::plain();
        (rival.order, rival.advocate, rival.accepted) = (order(1), person(12), minutes(settled, minute));
        later.rivals.push(rival);
        later = later.bought(9, minutes(settled, known));
        let again = later.settle_with(&fold(facts));
        prop_assert_eq!(bytes(&again), bytes(&decided));
    }

    #[test]
    fn a_new_fact_leaves_settlement_or_moves_it_an_hour_ahead_of_its_acceptance(
        scene in scenes(),
        (mut key, fact) in events(),
        after in 0_i64..3000,
    ) {
        // Accepted now: not before anything that is known already.
        let newest = scene.facts().iter().map(|(key, _)| key.accepted).max().unwrap();
        key.accepted = minutes(newest, after);
        let before = scene.settled();
        let mut facts = scene.facts();
        facts.push((key, fact));
        let moved = scene.settle_with(&fold(facts)).0;
        prop_assert!(moved == before || moved >= key.accepted.plus(HOUR), "{} {}", before, moved);
        prop_assert!(moved >= scene.accepted.plus(HOUR));
    }

    #[test]
    fn values_are_never_below_zero_nor_above_cap_and_rate(scene in scenes()) {
        let terms = &scene.versions.first().unwrap().terms;
        // What an order is amended to can be more than was reported.
        let amended = scene.more.iter().filter_map(|(_, fact)| match fact {
            Fact::Event(EventType::Amended, event) => event.amount,
            _ => None,
        });
        let whole = amended.chain(scene.conversion.amount).max().unwrap();
        for decided in scene.settle().1.rewards {
            let rule = terms.rules(decided.role).next().unwrap();
            let most = rule.value.earned(whole, terms.currency).amount().unwrap();
            let cap = rule.cap.and_then(|cap| cap.amount).unwrap_or(i64::MAX);
            let value = decided.value.map_or(0, |value| value.amount().unwrap());
            prop_assert!((0..=most.min(cap)).contains(&value), "{} of {}", value, whole);
        }
        for reward in scene.decided_rewards() {
            prop_assert!(reward.value.amount().unwrap() >= 0);
            prop_assert!(reward.entries.iter().all(|entry| entry.value.amount().unwrap() < 0));
        }
    }

    #[test]
    fn refunds_in_any_split_leave_what_their_sum_leaves(
        amount in 1_i64..10_000,
        parts in prop::collection::vec((1_i64..3000, 0_i64..20), 1..8),
    ) {
        let refunds = |parts: &[(i64, i64)]| {
            let mut scene = Scene::plain();
            scene.conversion.amount = Some(amount);
            parts.iter().fold(scene, |scene, (part, day)| {
                scene.refunded(crate::support::day(*day), *part)
            })
        };
        let sum: i64 = parts.iter().map(|(part, _)| part).sum();
        let whole = refunds(&[(sum, 1)]).advocates();
        prop_assert_eq!(refunds(&parts).advocates(), whole);
        let left = amount - sum;
        let value = (left * 2000 + 5000) / 10_000;
        prop_assert_eq!(whole, if left > 0 { Ok(credit(value)) } else { Err(Reason::Refunded) });
    }

    #[test]
    fn a_cap_is_never_passed_by_orders_that_settle_one_by_one(
        amounts in prop::collection::vec((0_i64..5000, 0_i64..3), 1..8),
        most in 1_i64..3000,
        count in 1_u32..6,
    ) {
        let value = json!({"kind": "percent_of_order", "basis_points": 2000});
        let terms = advocate_rule(&json!({"value": value, "cap": {"amount": most, "count": count}}));
        let mut orders: Vec<Scene> = amounts
            .iter()
            .enumerate()
            .map(|(n, (amount, day))| {
                let mut scene = Scene::new(&terms);
                scene.order = order(u8::try_from(n).unwrap());
                scene.conversion.amount = Some(*amount);
                scene.conversion.occurred_at = ordered().plus(day * DAY);
                scene
            })
            .collect();
        orders.sort_by_key(|scene| (scene.settled(), scene.order));
        let mut all: Vec<passalong_core::settlement::Earned> = Vec::new();
        for scene in &mut orders {
            scene.earned.clone_from(&all);
            let (settled, verdict) = scene.settle();
            let order = scene.order;
            all.extend(verdict.rewards.into_iter().map(|decided| {
                passalong_core::settlement::Earned { settled, order, decided, action: None, waits: None }
            }));
        }
        let granted: Vec<i64> =
            all.iter().filter_map(|earned| earned.decided.value?.amount()).collect();
        prop_assert!(granted.iter().sum::<i64>() <= most && granted.len() <= count as usize);
        // Deciding again, with all that is known by now, decides the same.
        for scene in &mut orders {
            let before = bytes(&scene.settle());
            scene.earned.clone_from(&all);
            prop_assert_eq!(bytes(&scene.settle()), before);
        }
    }
}
