//! `first_purchase` is earned once per friend in a lifetime, whatever settles first and whatever the
//! shop says.

use passalong_core::orders::claims::Admission;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Trigger, Value};
use serde_json::{Value as Json, json};

use crate::support::world::{Told, World};
use crate::support::{Scene, credit, day, digest, minutes, order, ordered, points, versions};

/// Rules for the first purchase, for every one, for sign-ups and for reviews.
fn rules() -> Json {
    json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 900}},
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
        {"for": "advocate", "trigger": "signup", "value": {"kind": "points", "points": 8}},
        {"for": "advocate", "trigger": "action", "action": "review",
         "value": {"kind": "points", "points": 2}},
    ]})
}

/// The friend's so many-th order, through the same link.
fn nth(number: u8) -> Scene {
    let mut scene = Scene::new(&rules());
    (scene.order, scene.digest) = (order(number), digest(number));
    scene.accepted = minutes(ordered().minute(), number.into());
    scene
}

/// What the friend did instead of buying, before that.
fn without_money(kind: ConversionKind) -> Scene {
    let mut scene = nth(1);
    scene.conversion.kind = kind;
    (scene.conversion.amount, scene.conversion.currency) = (None, None);
    scene.conversion.action = (kind == ConversionKind::Action).then(|| "review".to_owned());
    scene
}

const PERMUTATIONS: [[i64; 3]; 6] =
    [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];

#[test]
fn a_friends_first_purchase_is_rewarded_once_whichever_order_settles_first() {
    let all = versions(&rules());
    for delivered in PERMUTATIONS {
        // Each of the orders is cancelled, or not, before the first of them settles or just before
        // it settles itself.
        for undone in 0..27_u32 {
            let scenes: Vec<Scene> = (0..3_u8)
                .map(|index| {
                    let arrives = delivered[usize::from(index)];
                    let scene = nth(index + 1).delivered(day(arrives));
                    match undone / 3_u32.pow(index.into()) % 3 {
                        0 => scene,
                        1 => scene.event(EventType::Cancelled, day(10), None),
                        _ => scene.event(EventType::Cancelled, day(21 + arrives), None),
                    }
                })
                .collect();
            let verdicts = World::of(&all, scenes.iter().collect()).verdicts(Told::Facts);
            let verdicts: Vec<_> = verdicts.into_iter().map(|verdict| verdict.unwrap().1).collect();
            let firsts = verdicts.iter().filter(|it| it.admitted == Some(Admission::First)).count();
            let paid = verdicts.iter().flat_map(|verdict| &verdict.rewards).filter(|reward| {
                reward.trigger == Trigger::FirstPurchase && reward.value == Some(credit(900))
            });
            assert_eq!(paid.count(), firsts, "{delivered:?} {undone}");
            assert!(firsts <= 1, "{delivered:?} {undone}: {firsts} first purchases");
            if undone == 0 {
                let earliest = verdicts[0].admitted;
                assert_eq!(earliest, Some(Admission::First), "{delivered:?}");
            }
        }
    }
}

#[test]
fn a_later_order_that_settled_as_the_first_leaves_none_for_an_earlier_one() {
    // While the later one settles, the earlier one is nobody's: its advocate is only known by hand
    // once the merchant has approved it. Nor does the shop know of it when the later one comes.
    let mut earlier = nth(1);
    earlier.conversion.via = passalong_core::fact::Via::Hand;
    earlier.reports = vec![(earlier.accepted, earlier.digest)];
    earlier.accepted = day(25);
    let mut later = nth(2).delivered(day(2));
    later.conversion.first_order = Some(true);
    assert_eq!(later.clone().with_rivals(&[&earlier]).admitted(), Some(Admission::First));
    let earlier = earlier.with_rivals(&[&later]);
    assert_eq!(earlier.admitted(), Some(Admission::Again));
    assert_eq!(earlier.advocates(), Ok(points(5)));
}

#[test]
fn a_sign_up_or_an_action_makes_no_old_customer_new() {
    for kind in [ConversionKind::Signup, ConversionKind::Action] {
        let before = without_money(kind);
        assert_eq!(before.admitted(), Some(Admission::First), "{kind}");
        let mut bought = nth(2).with_rivals(&[&before]);
        assert_eq!(bought.admitted(), Some(Admission::First), "{kind}: nothing else is known");
        bought.conversion.first_order = Some(false);
        assert_eq!(bought.advocates(), Err(Reason::ExistingCustomer), "{kind}");
        assert_eq!(bought.admitted(), None, "{kind}");
        // Where the shop is silent and the person bought before, no more than that.
        bought.conversion.first_order = None;
        let known = bought.clone().bought(9, day(-3));
        assert_eq!(known.advocates(), Err(Reason::ExistingCustomer), "{kind}");
        // Terms for everybody let the order in, but not as a first purchase.
        let mut open = rules();
        open["attribution"] = json!({"new_customers_only": false});
        bought.versions = versions(&open);
        bought.conversion.first_order = Some(false);
        assert_eq!((bought.admitted(), bought.advocates()), (Some(Admission::Old), Ok(points(5))));
        // That one bought before says nothing about signing up.
        let mut signed = without_money(kind).bought(9, day(-3));
        signed.versions = versions(&open);
        for first_order in [None, Some(false)] {
            signed.conversion.first_order = first_order;
            assert_eq!(signed.admitted(), Some(Admission::First), "{kind} {first_order:?}");
        }
    }
}

#[test]
fn a_purchase_let_in_for_the_same_advocate_lifts_what_the_shop_says_of_later_ones() {
    let first = nth(1);
    let mut second = nth(2).with_rivals(&[&first]);
    second.conversion.first_order = Some(false);
    assert_eq!((second.admitted(), second.advocates()), (Some(Admission::Again), Ok(points(5))));
    // Neither one that came later, though it was let in before, nor another advocate's is a reason.
    let mut later = nth(3).delivered(day(2));
    later.conversion.first_order = Some(true);
    assert_eq!(later.settled(), day(23));
    assert_eq!(later.clone().with_rivals(&[&second]).admitted(), Some(Admission::First));
    second.rivals = vec![later];
    assert_eq!(second.advocates(), Err(Reason::ExistingCustomer));
    let mut other = first;
    other.advocate = crate::support::person(11);
    second.rivals = vec![other];
    assert_eq!(second.advocates(), Err(Reason::ExistingCustomer));
}

#[test]
fn an_order_let_in_by_a_waiver_counts_towards_again() {
    // The first order holds the friend while the second settles, and is cancelled after that.
    let first = nth(1).event(EventType::Cancelled, day(25), None);
    let mut second = nth(2).delivered(day(2));
    second.conversion.first_order = Some(false);
    assert_eq!(second.settled(), day(23));
    assert_eq!(second.clone().with_rivals(&[&first]).admitted(), Some(Admission::Again));
    for first_order in [None, Some(false), Some(true)] {
        let mut third = nth(3).with_rivals(&[&first, &second]);
        third.conversion.first_order = first_order;
        assert_eq!(third.admitted(), Some(Admission::Again), "{first_order:?}");
        assert_eq!(third.advocates(), Ok(points(5)), "{first_order:?}");
    }
    // That the first one has gone is no reason to begin anew.
    let first = first.with_rivals(&[&second]);
    assert_eq!((first.admitted(), first.advocates()), (None, Err(Reason::Cancelled)));
}

#[test]
fn each_kind_of_conversion_has_a_first_of_its_own() {
    let signup = without_money(ConversionKind::Signup);
    let purchase = nth(2).with_rivals(&[&signup]);
    assert_eq!(
        (purchase.admitted(), purchase.advocates()),
        (Some(Admission::First), Ok(credit(900)))
    );
    let mut again = without_money(ConversionKind::Signup).with_rivals(&[&signup, &purchase]);
    (again.order, again.accepted) = (order(3), minutes(ordered().minute(), 3));
    let refused: Option<Result<Value, Reason>> = Some(Err(Reason::FriendAlreadyReferred));
    assert_eq!(
        (again.admitted(), again.decided(Role::Advocate)),
        (Some(Admission::Again), refused)
    );
    let mut review = without_money(ConversionKind::Action).with_rivals(&[&signup, &purchase]);
    (review.order, review.accepted) = (order(4), minutes(ordered().minute(), 4));
    assert_eq!((review.admitted(), review.advocates()), (Some(Admission::First), Ok(points(2))));
}
