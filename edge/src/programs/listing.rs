//! A list that an isolate keeps for a minute. One request reads it, the others wait for its result in
//! memory: they cannot await its I/O.

use crate::programs::Programs;
use crate::store::{Context, Host, StoreError};

/// How long a list is good for, in milliseconds of real time.
const FRESH: u64 = 60_000;
/// After this another request's listing counts as cut off, and the next takes over.
const PATIENCE: u64 = 3_000;
/// After a list that failed the store is left alone for so long: each request would wait for it.
const BACK_OFF: u64 = 1_000;

/// What a list is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// What was read before is better than nothing.
    Anything,
    /// To know what was taken back: what was read before does not say it.
    Current,
}

/// When a list was last read.
#[derive(Debug, Default)]
pub struct Listing {
    read_at: Option<u64>,
    /// A request has been reading it since.
    since: Option<u64>,
    failed: Option<(u64, StoreError)>,
}

/// What comes next.
enum Turn {
    Fresh,
    Failed(StoreError),
    Underway,
    Mine,
}

impl Listing {
    fn turn(&self, now: u64) -> Turn {
        let within = |at: u64, span: u64| now.saturating_sub(at) < span;
        if self.read_at.is_some_and(|at| within(at, FRESH)) {
            return Turn::Fresh;
        }
        if let Some((at, error)) = &self.failed {
            // What is too long is as long a second later.
            let span = if *error == StoreError::Cut { FRESH } else { BACK_OFF };
            if within(*at, span) {
                return Turn::Failed(error.clone());
            }
        }
        if self.since.is_some_and(|since| within(since, PATIENCE)) {
            return Turn::Underway;
        }
        Turn::Mine
    }

    /// Whether it was ever read.
    pub fn is_known(&self) -> bool {
        self.read_at.is_some()
    }

    /// Whether it was fresh until a moment ago.
    fn was_fresh(&self, now: u64) -> bool {
        self.read_at.is_some_and(|at| now.saturating_sub(at) < FRESH + PATIENCE)
    }

    /// What came of reading it.
    pub fn end(&mut self, now: u64, result: Result<(), StoreError>) {
        self.since = None;
        match result {
            Ok(()) => (self.read_at, self.failed) = (Some(now), None),
            Err(error) => self.failed = Some((now, error)),
        }
    }

    /// What was read of it has to do no more.
    pub fn forget(&mut self) {
        self.read_at = None;
    }
}

/// Whether this request is to read the list. If not, it has been read, as far as that is needed.
pub async fn is_mine<H: Host>(
    cx: &Context<'_, H>,
    need: Need,
    listing: impl Fn(&mut Programs) -> &mut Listing,
) -> Result<bool, StoreError> {
    let began = cx.host.millis();
    loop {
        let now = cx.host.millis();
        let (turn, may_be_old) = {
            let mut programs = cx.isolate.programs.borrow_mut();
            let listing = listing(&mut programs);
            let turn = listing.turn(now);
            if matches!(turn, Turn::Mine) {
                listing.since = Some(now);
            }
            let may_be_old = match need {
                Need::Anything => listing.is_known(),
                Need::Current => matches!(turn, Turn::Underway) && listing.was_fresh(now),
            };
            (turn, may_be_old)
        };
        match turn {
            Turn::Mine => return Ok(true),
            Turn::Fresh => return Ok(false),
            Turn::Failed(_) | Turn::Underway if may_be_old => return Ok(false),
            Turn::Failed(error) => return Err(error),
            Turn::Underway if now.saturating_sub(began) > 2 * PATIENCE => {
                return Err(StoreError::failed("a list that others read did not come"));
            }
            Turn::Underway => cx.host.sleep(10).await,
        }
    }
}
