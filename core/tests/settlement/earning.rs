//! By which rule a role earns, and why it does not: one answer for verdicts, for what is shown before
//! them, for the answer to a report and for offers.

use passalong_core::orders::claims::Admission;
use passalong_core::program::Program;
use passalong_core::reward::{ConversionKind, Reason, Role, Value};
use passalong_core::settlement::{Facets, earned_later, earning};
use serde_json::json;

use crate::support::{credit, points, program};

const PURCHASE: ConversionKind = ConversionKind::Purchase;
const SIGNUP: ConversionKind = ConversionKind::Signup;
const ACTION: ConversionKind = ConversionKind::Action;

const FIRST: Result<Admission, Reason> = Ok(Admission::First);
const AGAIN: Result<Admission, Reason> = Ok(Admission::Again);
const OLD: Result<Admission, Reason> = Ok(Admission::Old);

const REFERRED: Option<Reason> = Some(Reason::FriendAlreadyReferred);
const EXISTING: Option<Reason> = Some(Reason::ExistingCustomer);

type Earned = Option<(Value, Option<Reason>)>;

fn facets(kind: ConversionKind) -> Facets<'static> {
    let action = (kind == ACTION).then_some("review");
    Facets { kind, action, advocate_segment: None, friend_segment: None }
}

fn earns(
    terms: &Program,
    role: Role,
    kind: ConversionKind,
    admitted: Result<Admission, Reason>,
) -> Earned {
    let earning = earning(terms, role, &facets(kind), admitted)?;
    Some((earning.rule.value, earning.refusal))
}

/// A rule for the advocate's first purchases and one for all; for the friend's sign-up and actions.
fn once_and_always() -> Program {
    program(&json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 900}},
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
        {"for": "friend", "trigger": "signup", "value": {"kind": "points", "points": 8}},
        {"for": "friend", "trigger": "action", "action": "review",
         "value": {"kind": "points", "points": 2}},
    ]}))
}

#[test]
fn of_the_rules_for_a_role_the_first_that_fits_applies() {
    let terms = once_and_always();
    let (advocate, friend) = (Role::Advocate, Role::Friend);
    for (role, kind, admitted, expected) in [
        (advocate, PURCHASE, FIRST, Some((credit(900), None))),
        (advocate, PURCHASE, AGAIN, Some((points(5), None))),
        (advocate, PURCHASE, OLD, Some((points(5), None))),
        (advocate, SIGNUP, FIRST, None),
        (advocate, ACTION, FIRST, None),
        (friend, PURCHASE, FIRST, None),
        (friend, PURCHASE, AGAIN, None),
        (friend, SIGNUP, FIRST, Some((points(8), None))),
        (friend, SIGNUP, AGAIN, Some((points(8), REFERRED))),
        (friend, ACTION, FIRST, Some((points(2), None))),
        (friend, ACTION, AGAIN, Some((points(2), None))),
    ] {
        assert_eq!(earns(&terms, role, kind, admitted), expected, "{role} {kind} {admitted:?}");
    }
}

#[test]
fn a_rule_for_first_purchases_alone_is_named_with_the_reason_why_it_grants_nothing() {
    let value = json!({"kind": "credit", "amount": 900});
    let terms = program(&json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": value},
    ]}));
    for (admitted, refusal) in [(FIRST, None), (AGAIN, REFERRED), (OLD, EXISTING)] {
        let expected = Some((credit(900), refusal));
        assert_eq!(earns(&terms, Role::Advocate, PURCHASE, admitted), expected, "{admitted:?}");
    }
}

#[test]
fn what_is_refused_names_the_rule_of_a_first_conversion_and_its_own_reason() {
    let terms = once_and_always();
    for reason in [
        Reason::SelfReferral,
        Reason::ExistingCustomer,
        Reason::FriendAlreadyReferred,
        Reason::OutsideWindow,
        Reason::ClickedLater,
        Reason::NoReferral,
        Reason::ConflictingReport,
    ] {
        let expected = Some((credit(900), Some(reason)));
        assert_eq!(earns(&terms, Role::Advocate, PURCHASE, Err(reason)), expected, "{reason}");
        assert_eq!(earns(&terms, Role::Friend, PURCHASE, Err(reason)), None, "{reason}");
    }
}

#[test]
fn rules_for_other_segments_and_actions_fit_nobody() {
    let terms = program(&json!({"rewards": [
        {"for": "advocate", "trigger": "every_purchase", "segment": "gold",
         "value": {"kind": "points", "points": 9}},
        {"for": "friend", "trigger": "every_purchase", "segment": "club",
         "value": {"kind": "points", "points": 7}},
        {"for": "advocate", "trigger": "action", "action": "survey",
         "value": {"kind": "points", "points": 1}},
    ]}));
    let gold = Facets { advocate_segment: Some("gold"), ..facets(PURCHASE) };
    let club = Facets { friend_segment: Some("club"), ..facets(PURCHASE) };
    let value = |role, facets: &Facets<'_>| {
        earning(&terms, role, facets, AGAIN).map(|earning| earning.rule.value)
    };
    assert_eq!(value(Role::Advocate, &gold), Some(points(9)));
    assert_eq!(value(Role::Friend, &gold), None, "each role goes by its own segment");
    assert_eq!(value(Role::Friend, &club), Some(points(7)));
    assert_eq!(value(Role::Advocate, &club), None);
    assert_eq!(value(Role::Advocate, &facets(ACTION)), None, "a review is no survey");
}

#[test]
fn what_the_shop_takes_off_at_once_is_earned_by_its_rule_and_not_later() {
    let terms = program(&json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 900}},
        {"for": "friend", "trigger": "first_purchase",
         "value": {"kind": "percent_off", "basis_points": 1000}, "when": "at_once"},
        {"for": "friend", "trigger": "every_purchase", "when": "earned",
         "value": {"kind": "points", "points": 3}},
    ]}));
    let later = |admitted| {
        let earning = earned_later(&terms, Role::Friend, &facets(PURCHASE), admitted)?;
        Some((earning.rule.value, earning.refusal))
    };
    // The discount is the rule that applies to the first order: it gives nothing on top.
    assert_eq!(later(FIRST), None);
    assert_eq!(later(AGAIN), Some((points(3), None)));
    assert_eq!(later(OLD), Some((points(3), None)));
    assert_eq!(later(Err(Reason::SelfReferral)), None);
    let percent = serde_json::from_value(json!({"kind": "percent_off", "basis_points": 1000}));
    let at_once = earns(&terms, Role::Friend, PURCHASE, FIRST);
    assert_eq!(at_once, Some((percent.unwrap(), None)));
}
