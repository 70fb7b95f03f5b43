//! Who holds a friend when verdicts fall at different times: what was let in stays, what was not let in
//! holds nobody, and what is still open holds by what is known by then.

use passalong_core::fact::{Fact, FactKey, FactKind, Reviewed, Via};
use passalong_core::orders::claims::{Admission, Claim, Purchase, Weighed};
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Value};
use passalong_core::time::{HOUR, Minute};
use serde_json::json;

use crate::support::world::{Told, World};
use crate::support::{
    Scene, credit, customer, day, digest, fold, minutes, order, ordered, person, points, versions,
};

const TAKEN: Result<Value, Reason> = Err(Reason::FriendAlreadyReferred);

/// Another advocate's order of the same friend, accepted ten minutes before ours.
fn rival() -> Scene {
    let mut rival = Scene::plain();
    (rival.order, rival.advocate) = (order(3), person(11));
    rival.accepted = minutes(ordered().minute(), -10);
    rival
}

/// Our order, with claims as they are. It settles on day 30.
fn ours(claims: Vec<Claim>) -> Scene {
    let mut scene = Scene::plain();
    scene.claims = claims;
    scene.conversion.first_order = Some(true);
    scene
}

/// The rival's claim with a verdict of then.
fn decided(settled: Minute, admitted: Option<Admission>) -> Claim {
    Claim { computed: Some((settled, admitted)), ..rival().claim(customer(20)) }
}

#[test]
fn a_claim_decided_before_counts_as_its_verdict_says() {
    let before = minutes(day(30), -1);
    for admission in [Admission::First, Admission::Again, Admission::Old] {
        // Whatever has happened to it since.
        let gone = rival().event(EventType::Cancelled, day(3), None);
        let claim = Claim { computed: Some((before, Some(admission))), ..gone.claim(customer(20)) };
        assert_eq!(ours(vec![claim]).advocates(), TAKEN, "{admission}");
    }
    assert_eq!(ours(vec![decided(before, None)]).advocates(), Ok(credit(1000)));
}

#[test]
fn a_purchase_that_was_let_in_for_the_same_advocate_makes_no_friend_a_known_one() {
    let ours = ours(Vec::new());
    let facts = fold(ours.facts());
    let weighed = Weighed {
        order: ours.order,
        advocate: ours.advocate,
        conversion: facts.conversion.as_ref().unwrap(),
        facts: &facts,
        known: &ours.known,
        versions: &ours.versions,
        settled: day(30),
    };
    let (settled, first) = (day(20), Some(Admission::First));
    let bought = Purchase {
        order: order(2),
        accepted: day(-1),
        amount: 5000,
        until: day(700).start().day(),
    };
    let claim = |order, advocate, admitted| Claim {
        order,
        advocate,
        computed: Some((settled, admitted)),
        ..rival().claim(customer(20))
    };
    let open = Claim { computed: None, ..claim(order(3), person(11), None) };
    for (name, other, is_known) in [
        ("of the same advocate", claim(order(2), person(11), first), false),
        ("of another", claim(order(2), person(12), first), true),
        ("not let in", claim(order(2), person(11), None), true),
        ("another order", claim(order(4), person(11), first), true),
    ] {
        let claims = [open.clone(), other];
        let named = [(digest(1), bought.clone())];
        let earlier = open.bought_before(&weighed, &claims, named);
        assert_eq!(!earlier.is_empty(), is_known, "{name}");
    }
}

#[test]
fn of_verdicts_in_one_minute_the_smaller_order_and_then_the_smaller_advocate_fell_first() {
    let settled = day(30);
    for (number, advocate, result) in
        [(4, 11, Ok(credit(1000))), (6, 11, TAKEN), (5, 9, Ok(credit(1000))), (5, 11, TAKEN)]
    {
        // Not let in: that counts only once it is decided. Until then it is good as it stands.
        let mut claim = decided(settled, None);
        (claim.order, claim.advocate) = (order(number), person(advocate));
        assert_eq!(ours(vec![claim]).advocates(), result, "{number} {advocate}");
    }
}

#[test]
fn a_verdict_in_the_ledger_goes_before_one_that_was_computed() {
    let (key, fact) = rival().verdict_fact();
    let mut claim = decided(day(29), None);
    claim.facts.add(key, fact);
    assert_eq!(key.accepted, day(30));
    assert_eq!(ours(vec![claim]).advocates(), TAKEN);
}

#[test]
fn a_rival_that_comes_back_later_never_takes_back_what_was_let_in() {
    // While ours settles, the rival's is cancelled; by its own settlement it has come back.
    let settles = minutes(day(30), 5);
    let gone = rival().event(EventType::Cancelled, day(3), None);
    let claim =
        Claim { computed: Some((settles, Some(Admission::First))), ..gone.claim(customer(20)) };
    let ours = ours(vec![claim]);
    assert_eq!((ours.admitted(), ours.advocates()), (Some(Admission::First), Ok(credit(1000))));
    // The rival, which is whole again when it settles, finds the friend taken.
    let (key, fact) = ours.verdict_fact();
    let mut held = ours.claim(customer(20));
    held.facts.add(key, fact);
    let mut back = rival().delivered(minutes(day(9), 5));
    back.claims = vec![held];
    assert_eq!(back.settled(), settles);
    assert_eq!((back.admitted(), back.advocates()), (None, TAKEN));
}

#[test]
fn a_claim_that_settles_later_finds_the_friend_taken_though_it_was_accepted_first() {
    // A bound order holds nobody until its own verdict, and what binds it is gone when ours settles.
    let bound = json!({"attribution": {"bound_days": 30}});
    let mut first = rival();
    (first.order, first.accepted) = (order(2), minutes(ordered().minute(), -20));
    first = first.event(EventType::Cancelled, day(3), None);
    let mut follows = rival();
    follows.conversion.via = Via::Bound;
    let mut ours = Scene::new(&bound).delivered(day(2)).with_rivals(&[&first, &follows]);
    ours.conversion.first_order = Some(true);
    assert_eq!((ours.settled(), ours.admitted()), (day(23), Some(Admission::First)));
    follows.versions = versions(&bound);
    follows.rivals = vec![first, ours];
    assert_eq!(follows.advocates(), Err(Reason::NoReferral));
}

#[test]
fn an_open_claim_that_ranks_later_never_holds() {
    for (minute, number, result) in [
        (-1, 9, TAKEN),
        (0, 4, TAKEN),
        (0, 6, Ok(credit(1000))),
        (1, 1, Ok(credit(1000))),
        (40_000, 1, Ok(credit(1000))),
    ] {
        let mut open = rival();
        (open.order, open.accepted) = (order(number), minutes(ordered().minute(), minute));
        // It settles after ours.
        open = open.delivered(day(29));
        assert_eq!(open.settled(), day(50));
        let scene = ours(vec![open.claim(customer(20))]);
        assert_eq!(scene.advocates(), result, "{minute} {number}");
        assert_eq!(ours(Vec::new()).with_rivals(&[&open]).advocates(), result, "{minute} {number}");
    }
}

#[test]
fn under_one_identity_who_was_let_in_goes_before_an_open_claim_accepted_earlier() {
    let open = rival().claim(customer(20));
    let mut held = decided(day(29), Some(Admission::First));
    (held.order, held.advocate) = (order(4), person(10));
    held.accepted = minutes(ordered().minute(), -5);
    let scene = ours(vec![open.clone(), held.clone()]);
    assert_eq!(scene.admitted(), Some(Admission::Again), "our own advocate was let in");
    let mut other = scene.clone();
    (other.advocate, other.order) = (person(11), order(6));
    assert_eq!(other.advocates(), TAKEN, "though the open claim is of the same advocate");
    // Under different identities each has a holder of its own.
    let mut both = scene;
    both.conversion.identities.push(customer(21));
    let mut elsewhere = open;
    elsewhere.shared = [customer(21)].into();
    let mut facts = rival();
    facts.conversion.identities = vec![customer(21)];
    elsewhere.facts = facts.claim(customer(21)).facts;
    both.claims = vec![elsewhere, held];
    assert_eq!(both.advocates(), TAKEN);
}

#[test]
fn a_first_conversion_let_in_before_leaves_none_even_for_an_order_accepted_earlier() {
    for (minute, admission, kind, expected) in [
        (5, Admission::First, ConversionKind::Purchase, Admission::Again),
        // Whatever it came after is what counts.
        (5, Admission::Again, ConversionKind::Purchase, Admission::First),
        (5, Admission::Old, ConversionKind::Purchase, Admission::First),
        (-5, Admission::Again, ConversionKind::Purchase, Admission::Again),
        (-5, Admission::Old, ConversionKind::Purchase, Admission::Again),
        // Each kind has a first one of its own.
        (5, Admission::First, ConversionKind::Signup, Admission::First),
    ] {
        let mut other = rival();
        (other.advocate, other.conversion.kind) = (person(10), kind);
        other.accepted = minutes(ordered().minute(), minute);
        let computed = Some((day(29), Some(admission)));
        let claim = Claim { computed, ..other.claim(customer(20)) };
        assert_eq!(ours(vec![claim]).admitted(), Some(expected), "{minute} {admission} {kind}");
    }
}

#[test]
fn an_open_claim_of_an_old_customer_counts_only_beside_a_purchase_of_the_same_advocate() {
    for (kind, expected) in [
        (ConversionKind::Purchase, Admission::Again),
        // It makes no old customer new, so the claim beside it is refused and counts for nothing.
        (ConversionKind::Signup, Admission::First),
    ] {
        let mut beside = rival();
        (beside.order, beside.advocate, beside.conversion.kind) = (order(2), person(10), kind);
        let mut old = rival();
        (old.advocate, old.conversion.first_order) = (person(10), Some(false));
        old.accepted = minutes(ordered().minute(), -5);
        let mut claims = vec![beside.claim(customer(20)), old.claim(customer(20))];
        assert_eq!(ours(claims.clone()).admitted(), Some(expected), "{kind}");
        // By itself it counts for nothing.
        claims.remove(0);
        assert_eq!(ours(claims).admitted(), Some(Admission::First), "{kind}");
    }
}

#[test]
fn a_claim_is_found_only_under_identities_that_its_standing_report_names() {
    // The list still has a key of a report that was refused.
    let mut claim = rival().claim(customer(21));
    claim.computed = Some((day(29), Some(Admission::First)));
    let mut scene = ours(vec![claim]);
    scene.conversion.identities.push(customer(21));
    assert_eq!(scene.advocates(), Ok(credit(1000)));
}

/// The order that two customers said is theirs: approved for this one then.
fn approved(advocate: u8, accepted: Minute) -> Scene {
    let mut scene = Scene::plain();
    scene.advocate = person(advocate);
    scene.conversion.via = Via::Hand;
    scene.reports = vec![(scene.accepted, scene.digest)];
    scene.accepted = accepted;
    let fact = Fact::Reviewed(Reviewed {
        role: Role::Advocate,
        milestone: None,
        approved: true,
        sealed: None,
    });
    let kind = FactKind::Reviewed;
    scene.more.push((FactKey { accepted, kind, digest: digest(70) }, fact));
    scene
}

#[test]
fn of_two_approvals_of_one_order_the_earlier_is_paid_and_no_other() {
    let terms = versions(&json!({}));
    let (early, late) = (day(2), day(40));
    for (one, other) in [
        // Both settle with the order: then the advocate says whose verdict falls first.
        ((10, early), (11, minutes(early, 1))),
        ((11, early), (10, minutes(early, 1))),
        // Each settles an hour after its approval.
        ((10, late), (11, minutes(late, 1))),
        ((11, late), (10, minutes(late, 90))),
        // One settles with the order, the other long after it.
        ((11, early), (10, late)),
        // In one minute the smaller advocate.
        ((10, late), (11, late)),
        ((10, early), (11, early)),
    ] {
        let scenes = [approved(one.0, one.1), approved(other.0, other.1)];
        for told in [Told::Facts, Told::Computed] {
            let verdicts = World::of(&terms, scenes.iter().collect()).verdicts(told);
            let [first, second] = verdicts.try_into().unwrap();
            let (first, second) = (first.unwrap().1, second.unwrap().1);
            assert_eq!(first.admitted, Some(Admission::First), "{one:?} {other:?}");
            assert_eq!(first.rewards[0].value, Some(credit(1000)));
            assert_eq!(first.rewards[0].review, None, "the merchant has looked");
            assert_eq!(second.admitted, None, "{one:?} {other:?}");
            assert_eq!(second.rewards[0].reason, Some(Reason::FriendAlreadyReferred));
        }
        // In the other's ledger alone it would have been paid.
        assert_eq!(scenes[1].advocates(), Ok(credit(1000)));
        assert!(scenes[1].settled() >= scenes[1].accepted.plus(HOUR));
    }
}

#[test]
fn of_two_approvals_the_later_one_gives_nothing_even_to_the_advocate_who_has_the_friend() {
    let mut before = rival();
    before.advocate = person(10);
    let (early, late) = (approved(11, day(2)), approved(10, day(3)));
    let earlier = early.clone().with_rivals(&[&late, &before]);
    assert_eq!(earlier.advocates(), TAKEN, "the friend is another's");
    let later = late.with_rivals(&[&early, &before]);
    assert_eq!((later.admitted(), later.advocates()), (None, TAKEN));
}

#[test]
fn an_order_with_more_claims_than_are_weighed_is_for_the_merchant_and_holds_nobody() {
    let mut crowded = rival();
    crowded.crowded = true;
    let (_, verdict) = crowded.settle();
    assert_eq!(verdict.admitted, None);
    assert_eq!(verdict.rewards[0].value, Some(credit(1000)));
    assert_eq!(verdict.rewards[0].review, Some(Reason::Velocity));
    // What is refused anyway needs nobody to look at it.
    let mut refused = crowded.clone();
    refused.conversion.first_order = Some(false);
    let (_, verdict) = refused.settle();
    assert_eq!((verdict.admitted, verdict.rewards[0].review), (None, None));
    assert_eq!(verdict.rewards[0].reason, Some(Reason::ExistingCustomer));
    // Ours settles after it.
    assert_eq!(ours(Vec::new()).with_rivals(&[&crowded]).advocates(), Ok(credit(1000)));
}

#[test]
fn a_claim_that_was_let_in_holds_though_it_earned_nothing() {
    let terms = json!({"rewards": [
        {"for": "advocate", "trigger": "every_purchase", "minimum_order": 5000,
         "value": {"kind": "points", "points": 5}},
    ]});
    // Below the minimum, and declined by the merchant.
    let mut small = rival();
    small.conversion.amount = Some(4999);
    let mut declined = approved(11, minutes(ordered().minute(), -10));
    (declined.order, declined.digest) = (order(3), digest(33));
    declined.reports = vec![(declined.accepted, declined.digest)];
    let Some((_, Fact::Reviewed(review))) = declined.more.last_mut() else { unreachable!() };
    review.approved = false;
    for (name, before) in [("small", small), ("declined", declined)] {
        let mut ours = Scene::new(&terms).with_rivals(&[&before]);
        assert_eq!(ours.advocates(), TAKEN, "{name}");
        ours.rivals.clear();
        assert_eq!(ours.advocates(), Ok(points(5)), "{name}");
    }
}
