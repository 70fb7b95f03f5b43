//! `20-10`: the friend takes 10 % off at once, the advocate gets 20 % of what the friend keeps. One
//! order of 49.90 EUR is partly paid back before settlement, after it, and after the fulfilment.

use passalong_core::fact::{Fact, FactKey, Fulfilment};
use passalong_core::reward::{Reason, Role, Status};
use passalong_core::status::{self, Reward};
use passalong_core::time::Minute;

use crate::scene;
use crate::support::{Scene, credit, day, digest, fold};

fn ordered() -> Scene {
    let mut scene = scene("20-10");
    scene.conversion.amount = Some(4990);
    scene.delivered(day(2))
}

/// What is shown at a time, with the verdict and what came after it.
fn shown(scene: &Scene, more: &[(FactKey, Fact)]) -> Reward {
    let (accepted, verdict) = scene.settle();
    assert_eq!(accepted, day(23));
    let fact = Fact::Verdict(verdict);
    let key = FactKey { accepted, kind: fact.kind(), digest: digest(80) };
    let facts = scene.facts().into_iter().chain([(key, fact)]).chain(more.to_vec());
    let rewards = status::rewards(&fold(facts), &scene.view(day(100).start()));
    let [reward] = <[Reward; 1]>::try_from(rewards).unwrap();
    reward
}

fn handed_over(at: Minute, reference: u8, entry: Option<u8>, amount: i64) -> (FactKey, Fact) {
    let fact = Fact::Fulfilment(Fulfilment {
        role: Role::Advocate,
        milestone: None,
        entry: entry.map(digest),
        value: credit(amount),
        sealed: format!("voucher {reference}"),
    });
    (FactKey { accepted: at, kind: fact.kind(), digest: digest(200 + reference) }, fact)
}

#[test]
fn the_friends_share_is_given_at_once_and_earns_no_reward() {
    let verdict = ordered().settle().1;
    let roles: Vec<_> = verdict.rewards.iter().map(|decided| decided.role).collect();
    assert_eq!(roles, [Role::Advocate]);
}

#[test]
fn each_refund_takes_its_share_and_rounding_happens_once() {
    let whole = ordered();
    let now = day(1).start();
    let pending = |scene: &Scene| scene.pending(now).remove(0);
    assert_eq!((pending(&whole).value, pending(&whole).status), (credit(998), Status::Pending));
    assert_eq!(whole.advocates(), Ok(credit(998)));

    let before = ordered().refunded(day(5), 1000);
    assert_eq!(pending(&before).value, credit(798));
    assert_eq!(before.advocates(), Ok(credit(798)));
    let approved = shown(&before, &[]);
    assert_eq!(
        (approved.value, approved.status, approved.reason),
        (credit(798), Status::Approved, None)
    );

    let after = before.clone().refunded(day(30), 1000);
    assert_eq!(after.advocates(), Ok(credit(798)), "the verdict stands");
    let less = shown(&after, &[]);
    let expected = (credit(598), Status::Approved, Some(Reason::Refunded), vec![credit(598)]);
    assert_eq!((less.value, less.status, less.reason, less.owed()), expected);

    // 49.90 - 10.03 - 10.04 = 29.83: once rounded 5.97, where rounding thrice had made it 5.96.
    let odd = ordered().refunded(day(5), 1003).refunded(day(6), 1004);
    assert_eq!(odd.advocates(), Ok(credit(597)));
}

#[test]
fn what_is_paid_back_after_the_fulfilment_is_an_entry_that_can_be_settled_once() {
    let scene = ordered().refunded(day(5), 1000).refunded(day(30), 1000);
    let first = handed_over(day(31), 1, None, 598);
    let paid = shown(&scene, std::slice::from_ref(&first));
    let state = (paid.value, paid.status, paid.since, paid.owed());
    assert_eq!(state, (credit(598), Status::Fulfilled, day(31).start(), vec![]));

    let scene = scene.refunded(day(40), 1000);
    let back = shown(&scene, std::slice::from_ref(&first));
    assert_eq!((back.value, back.status), (credit(598), Status::Fulfilled), "it keeps its value");
    let [entry] = back.entries[..] else { panic!("one entry: {:?}", back.entries) };
    let told = (entry.value, entry.reason, entry.since, entry.settled);
    assert_eq!(told, (credit(-200), Reason::Refunded, day(40).start(), None));
    assert_eq!((back.owed(), back.net()), (vec![credit(-200)], Some(credit(398))));

    // The entry has the id of the event that took: the third of the refunds, the fourth event.
    assert_eq!(entry.event, digest(3));
    let settled = handed_over(day(41), 2, Some(3), -200);
    let even = shown(&scene, &[first.clone(), settled.clone()]);
    assert_eq!(even.entries[0].settled, Some(day(41).start()));
    assert_eq!((even.owed(), even.net()), (vec![], Some(credit(398))));

    // Handed over under a second reference: the first counts, the second was too much.
    let second = handed_over(day(45), 3, None, 598);
    let facts = scene.facts().into_iter().chain([first, settled, second]);
    let order = fold(facts);
    let references: Vec<_> = order
        .fulfilments(Role::Advocate.into())
        .iter()
        .map(|paid| paid.fact.sealed.clone())
        .collect();
    assert_eq!(references, ["voucher 1", "voucher 3"]);
}
