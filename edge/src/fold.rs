//! Folding closed days: the unique visitors of each advocate and day, recomputed from the raw keys
//! and written whole, never added to; and what they and the shares come to for the program. A day
//! that takes several runs carries its sums in the mark that says how far it has come.

use std::collections::BTreeSet;

use passalong_core::figures::Reach;
use passalong_core::ids::ProgramId;
use passalong_core::mutation::{self, Mutation};
use passalong_core::time::{DAY, Day, Instant, SETTLE};
use passalong_core::wire::CronReport;

use crate::clicks;
use crate::cron::has_room;
use crate::keys::{ClickKey, ClicksKey, DayKey, FoldedKey};
use crate::metadata::{Counted, Folded, Nothing};
use crate::programs::{self, Loaded};
use crate::reach;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Closed days that may still have to be folded; raw clicks are kept for a week.
pub const LATE_DAYS: i64 = 6;
/// An advocate's clicks of a day are kept so long: as many as the one list of `GET /v1/me` shows.
const KEPT_DAYS: i64 = 1_000;
/// Visitors of one day that are told apart over all advocates.
const TOLD_APART: usize = 200_000;
/// The oldest raw clicks of a program that are looked at for days that were left behind.
const OLDEST: usize = 1_000;

/// Folds what is not folded yet, oldest day first. `marks` say what is.
pub async fn fold_clicks<H: Host>(
    cx: &Context<'_, H>,
    marks: &[Entry],
    report: &mut CronReport,
) -> Result<(), StoreError> {
    // A day is closed once its last clicks are surely visible.
    let open = cx.now.plus(-SETTLE).day();
    let yesterday = DayKey { day: open.plus(-1) };
    let text = yesterday.to_string();
    if marks.iter().any(|entry| *entry.key == *text) {
        return Ok(());
    }
    let is_done = |key: &FoldedKey| {
        let text = key.to_string();
        let mark = marks.iter().find(|entry| *entry.key == *text);
        mark.and_then(Entry::read).is_some_and(|folded: Folded| folded.done)
    };
    for (program, began) in programs::all(cx).await? {
        for key in open_days(cx, (&program, began), open, is_done).await? {
            if !has_room(cx) {
                report.done = false;
                return Ok(());
            }
            let text = key.to_string();
            let mark = marks.iter().find(|entry| *entry.key == *text);
            let mut fold = Fold::resumed(mark);
            let reached = fold_day(cx, &program, key.day, &mut fold, report).await?;
            let done = reached.is_none();
            if done {
                reach::keep(cx, &program, key.day, fold.reach()).await?;
            }
            let sum = Some(fold.sum).filter(|_| !done);
            let mark = Folded { done, after: reached, sum };
            let until = key.day.plus(LATE_DAYS + 3).start().max(cx.now.plus(2 * DAY));
            cx.put(&Put::listed(&key, &mark).until(until, cx.now)).await?;
            if !done {
                report.done = false;
                return Ok(());
            }
        }
    }
    cx.put(&Put::listed(&yesterday, &Nothing {}).until(cx.now.plus(2 * DAY), cx.now)).await
}

/// How far the folding of a day has come, and to what.
struct Fold {
    /// The last advocate that is folded.
    after: String,
    sum: Reach,
    /// Who clicked, of any advocate; unknown where another run began the day.
    visitors: Option<BTreeSet<[u8; 6]>>,
}

impl Fold {
    fn resumed(mark: Option<&Entry>) -> Self {
        let folded: Folded = mark.and_then(Entry::read).unwrap_or_default();
        let after = folded.after.unwrap_or_default();
        let visitors = after.is_empty().then(BTreeSet::new);
        Self { after, sum: folded.sum.unwrap_or_default(), visitors }
    }

    fn add(&mut self, visitors: &clicks::Visitors) {
        for channel in visitors.values() {
            self.sum.add_clicks(*channel, 1);
        }
        let seen = self.visitors.as_ref().map_or(0, BTreeSet::len);
        match &mut self.visitors {
            Some(known) if seen <= TOLD_APART => known.extend(visitors.keys()),
            _ => self.visitors = None,
        }
    }

    fn reach(&self) -> Reach {
        let unique = self.visitors.as_ref().map(|visitors| visitors.len() as u64);
        Reach { unique, ..self.sum.clone() }
    }
}

/// The closed days of a program that are not folded: those of the last week and, after a longer
/// pause, the oldest that still have clicks. Nothing to list once yesterday is done.
async fn open_days<H: Host>(
    cx: &Context<'_, H>,
    (program, began): (&ProgramId, Instant),
    open: Day,
    is_done: impl Fn(&FoldedKey) -> bool,
) -> Result<Vec<FoldedKey>, StoreError> {
    let key = |day| FoldedKey { program: program.clone(), day };
    // Nothing was clicked before there was a program.
    let week = (1..=LATE_DAYS).map(|back| open.plus(-back)).filter(|day| *day >= began.day());
    let mut keys: Vec<FoldedKey> = week.map(key).filter(|key| !is_done(key)).collect();
    if !keys.is_empty() {
        let (oldest, _) = cx.first(&ClickKey::prefix(&[program]), OLDEST).await?;
        let days = oldest.iter().filter_map(|entry| entry.key.parse::<ClickKey>().ok());
        let late = days.map(|click| click.day).filter(|day| *day < open);
        keys.extend(late.map(key).filter(|key| !is_done(key)));
    }
    keys.sort_by_key(|key| key.day);
    keys.dedup();
    Ok(keys)
}

/// Whether a day is before the program's first: nothing was clicked then, so it is never folded.
pub fn before(program: &Loaded, day: Day) -> bool {
    program.versions.first().is_some_and(|first| day < first.valid_from.day())
}

/// Folds one day, advocate by advocate, from where it stopped; where it stops again, if it does.
async fn fold_day<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    day: Day,
    fold: &mut Fold,
    report: &mut CronReport,
) -> Result<Option<String>, StoreError> {
    let mut cursor = None;
    let mut of_one: Vec<Entry> = Vec::new();
    let after = fold.after.clone();
    let mut reached = after.clone();
    loop {
        let page = cx.page(&ClickKey::prefix(&[program, &day]), cursor.as_deref()).await?;
        for entry in page.entries {
            let Ok(key) = entry.key.parse::<ClickKey>() else { continue };
            if key.customer.to_string() <= after {
                continue;
            }
            let same = of_one.first().and_then(customer_of) == Some(key.customer.to_string());
            if !same && !of_one.is_empty() {
                reached = write(cx, program, day, &of_one, fold, report).await?;
                of_one.clear();
                if !has_room(cx) {
                    return Ok(Some(reached));
                }
            }
            of_one.push(entry);
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
        if !has_room(cx) {
            return Ok(Some(reached));
        }
    }
    if !of_one.is_empty() {
        write(cx, program, day, &of_one, fold, report).await?;
    }
    Ok(None)
}

fn customer_of(entry: &Entry) -> Option<String> {
    entry.key.parse().map(|key: ClickKey| key.customer.to_string()).ok()
}

/// Writes one advocate's day; whose it was.
async fn write<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    day: Day,
    entries: &[Entry],
    fold: &mut Fold,
    report: &mut CronReport,
) -> Result<String, StoreError> {
    let key = entries.first().and_then(|entry| entry.key.parse::<ClickKey>().ok());
    let Some(key) = key else { return Ok(String::new()) };
    let visitors = clicks::read(cx, entries, usize::MAX).await?;
    let mut counted = clicks::folded(&visitors);
    let folded = ClicksKey { program: program.clone(), customer: key.customer, day };
    if mutation::is_on(Mutation::Adding) {
        let before = cx.page(&folded.to_string(), None).await?.entries;
        let before: Option<Counted> = before.first().and_then(Entry::read);
        counted.clicks += before.map_or(0, |before| before.clicks);
    }
    let until = day.plus(KEPT_DAYS).start().max(cx.now.plus(2 * DAY));
    cx.put(&Put::listed(&folded, &counted).until(until, cx.now)).await?;
    fold.add(&visitors);
    report.folded += 1;
    Ok(key.customer.to_string())
}
