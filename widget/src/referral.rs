//! One referral in a sentence: what happened when, where its reward is, and why.

use passalong_core::reward::{Reason, Status};

use crate::page::{Page, join};
use crate::wire::{Me, Referral, Reward};

/// The look of a state: a shape of its own, in the colour of its tone.
pub fn look(status: Option<Status>) -> &'static str {
    match status {
        Some(Status::Pending) | None => "wait ring",
        Some(Status::Review) => "wait diamond",
        Some(Status::Approved) => "good disc",
        Some(Status::Fulfilled) => "good tick",
        Some(Status::Reversed) => "bad square",
        Some(Status::Refused) => "bad cross",
        Some(Status::Expired) => "dash",
    }
}

/// Where the reward is. A status of a later version counts as pending: nothing is promised by it.
pub fn status(reward: &Reward) -> Option<Status> {
    reward.status().parse().ok()
}

/// "Gekauft am 19. November. Frei ab 10. Dezember, wenn die Rückgabefrist endet."
pub fn sentence(page: &Page, referral: &Referral, me: &Me) -> String {
    let (program, now) = (me.program(), me.as_of());
    let day = |instant: Option<String>| match instant {
        Some(instant) => page.date(&instant, &program, &now),
        None => String::new(),
    };
    let done_key = join(&["done.", &referral.kind()]);
    let done = page.texts.get(&done_key).unwrap_or_else(|| page.say("done.purchase"));
    let done = crate::page::fill(&done, &[("date", &day(Some(referral.occurred_at())))]);

    let Some(reward) = referral.reward() else { return done };
    let (until, since) = (reward.until(), reward.since());
    let reason = reward.reason();
    let shrunk = reason.as_deref().and_then(|reason| reason.parse::<Reason>().ok());
    let shrunk = shrunk.is_some_and(Reason::is_reversal);
    // A text that names the date it needs comes before the one that does without.
    let text = |key: &str| -> Option<String> {
        let dated = until.is_some().then(|| page.texts.get(&join(&[key, ".until"]))).flatten();
        let undated = || page.texts.get(key);
        let text = dated.or_else(undated)?;
        let values = [("until", &*day(until.clone())), ("since", &*day(since.clone()))];
        Some(crate::page::fill(&text, &values))
    };
    let why = reason.as_deref().and_then(|reason| text(&join(&["reason.", reason])));
    let where_it_is = text(&join(&["status.", &reward.status()]));

    let parts: [Option<String>; 2] = match status(&reward) {
        Some(Status::Approved) => [where_it_is, None],
        Some(Status::Fulfilled) => {
            let kind = reward.value().map(|value| value.kind()).unwrap_or_default();
            [text(&join(&["status.fulfilled.", &kind])).or(where_it_is), None]
        }
        // Part of the order went back while the rest still waits.
        Some(Status::Pending) | None if shrunk => [where_it_is, None],
        Some(Status::Review) => [why, where_it_is],
        _ => [why.or(where_it_is), None],
    };
    let partly = match status(&reward) {
        Some(Status::Pending | Status::Approved | Status::Fulfilled) if shrunk => text("partly"),
        _ => None,
    };
    let mut sentence = done;
    for part in parts.into_iter().chain([partly]).flatten() {
        sentence.push(' ');
        sentence.push_str(&part);
    }
    sentence
}

/// Whether the state means that there is nothing to be had.
pub fn is_lost(status: Option<Status>) -> bool {
    matches!(status, Some(Status::Reversed | Status::Refused | Status::Expired))
}
