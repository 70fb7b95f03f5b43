//! One referral in a sentence: what happened when, where its reward is, and why.

use passalong_core::reward::{Reason, Status};

use crate::host::{Text, Words};
use crate::page::{text, word};
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
    let word = word(&reward.status());
    Status::ALL.iter().copied().find(|status| status.as_str() == word)
}

/// Whether the state means that there is nothing to be had.
pub fn is_lost(status: Option<Status>) -> bool {
    matches!(status, Some(Status::Reversed | Status::Refused | Status::Expired))
}

/// Whether something of the order was taken back.
fn is_reversal(reason: &str) -> bool {
    Reason::ALL.iter().any(|known| known.is_reversal() && known.as_str() == reason)
}

/// "Gekauft am 19. November. Frei ab 10. Dezember, wenn die Rückgabefrist endet."
pub fn sentence(words: &Words, referral: &Referral, me: &Me) -> Text {
    let (zone, now) = (me.program().time_zone(), me.as_of());
    let day = |text: Text, gap: &str, instant: Option<Text>| match instant {
        Some(instant) => words.fill(&text, gap, &words.date(&instant, &zone, &now)),
        None => text,
    };
    let done = words.pick("done.", &referral.kind());
    let done = done.unwrap_or_else(|| words.say("done.purchase"));
    let done = day(done, "date", Some(referral.occurred_at()));
    let Some(reward) = referral.reward() else { return done };

    // A text that names the date it needs comes before the one that does without.
    let dated_text = |start: &str, end: &Text| {
        let with_date = end.concat(".until", &text(""));
        let dated = reward.until().and_then(|_| words.pick(start, &with_date));
        let text = dated.or_else(|| words.pick(start, end))?;
        Some(day(day(text, "until", reward.until()), "since", reward.since()))
    };
    let where_it_is = dated_text("status.", &reward.status());
    let why = reward.reason().and_then(|reason| dated_text("reason.", &reason));
    let shrunk = reward.reason().is_some_and(|reason| is_reversal(&word(&reason)));
    let partly = shrunk.then(|| words.say("partly"));

    let (first, second) = match status(&reward) {
        Some(Status::Approved) => (where_it_is, partly),
        Some(Status::Fulfilled) => {
            let kind = reward.value().map(|value| value.kind());
            let own = kind.and_then(|kind| dated_text("status.fulfilled.", &kind));
            (own.or(where_it_is), partly)
        }
        // Part of the order went back while the rest still waits.
        Some(Status::Pending) | None if shrunk => (where_it_is, partly),
        Some(Status::Review) => (why, where_it_is),
        _ => (why.or(where_it_is), None),
    };
    let mut sentence = done;
    for part in [first, second].into_iter().flatten() {
        sentence = sentence.concat(" ", &part);
    }
    sentence
}
