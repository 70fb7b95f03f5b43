//! Clicks and shares of all advocates together, by day: kept by the cron once a day is closed, and
//! counted from the raw keys until then.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::channel::Channel;
use passalong_core::figures::Reach;
use passalong_core::ids::{CustomerPseudonym, ProgramId};
use passalong_core::time::Day;

use crate::clicks;
use crate::days::months;
use crate::fold::{LATE_DAYS, before};
use crate::keys::{ClickKey, FoldedKey, ShareKey, StatsKey};
use crate::metadata::{Folded, Shared};
use crate::programs::Loaded;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Shares that are counted of a closed day: the fold must not fail because somebody taps all day.
const SHARES: usize = 20_000;
/// Pages of raw clicks, and of shares, that are counted of an open day: more would be work for each
/// look at today's figures.
const OPEN_PAGES: usize = 5;
const PAGE: usize = 1_000;

/// Keeps a closed day's clicks, with its shares, unless there was nothing.
pub async fn keep<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    day: Day,
    mut reach: Reach,
) -> Result<(), StoreError> {
    let (entries, _) = cx.first(&ShareKey::prefix(&[program, &day]), SHARES).await?;
    add_shares(&mut reach, &entries);
    if reach.clicks + reach.shares == 0 {
        return Ok(());
    }
    let key = StatsKey { program: program.clone(), day };
    cx.put(&Put::listed(&key, &reach)).await
}

fn add_shares(reach: &mut Reach, entries: &[Entry]) {
    let mut sharers: BTreeSet<CustomerPseudonym> = BTreeSet::new();
    for entry in entries {
        let Ok(key) = entry.key.parse::<ShareKey>() else { continue };
        let channel = entry.read().map_or(Channel::Direct, |shared: Shared| shared.channel);
        reach.add_share(channel);
        sharers.insert(key.customer);
    }
    reach.sharers += sharers.len() as u64;
}

/// A day's reach, and whether it may still grow or was not counted to its end.
#[derive(Debug, Clone, Default)]
pub struct OfDay {
    pub reach: Reach,
    pub open: bool,
    pub at_least: bool,
}

/// The reach of each day of a period on which there was any: a list for each month, one for what is
/// folded, and at least two for each day that is not. Before its first day a program has no reach.
pub async fn read<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (from, to): (Day, Day),
) -> Result<BTreeMap<Day, OfDay>, StoreError> {
    let mut days: BTreeMap<Day, OfDay> = BTreeMap::new();
    for month in months(from, to) {
        let prefix = format!("{}{month}", StatsKey::prefix(&[program.id()]));
        for entry in cx.list(&prefix, 1).await? {
            let Ok(key) = entry.key.parse::<StatsKey>() else { continue };
            let Some(reach) = entry.read::<Reach>() else { continue };
            if (from..=to).contains(&key.day) {
                days.insert(key.day, OfDay { reach, ..OfDay::default() });
            }
        }
    }
    let today = cx.now.day();
    let oldest = today.plus(-LATE_DAYS - 1).max(from);
    if oldest > to.min(today) {
        return Ok(days);
    }
    let marks = cx.list(&FoldedKey::prefix(&[program.id()]), 1).await?;
    let is_done = |day: Day| {
        let key = FoldedKey { program: program.id().clone(), day }.to_string();
        marks
            .iter()
            .any(|mark| *mark.key == *key && mark.read().is_some_and(|folded: Folded| folded.done))
    };
    let mut day = oldest;
    while day <= to.min(today) {
        let is_open = !before(program, day) && !is_done(day);
        if is_open && !days.contains_key(&day) {
            days.insert(day, count_open(cx, program, day).await?);
        }
        day = day.plus(1);
    }
    Ok(days)
}

/// Counts a day from what is stored of each click and share.
async fn count_open<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    day: Day,
) -> Result<OfDay, StoreError> {
    let id = program.id();
    let (batches, more_clicks) =
        cx.first(&ClickKey::prefix(&[id, &day]), OPEN_PAGES * PAGE).await?;
    let (taps, more_shares) = cx.first(&ShareKey::prefix(&[id, &day]), OPEN_PAGES * PAGE).await?;
    let mut counted = OfDay { open: true, ..OfDay::default() };
    let mut by_advocate: BTreeMap<CustomerPseudonym, Vec<Entry>> = BTreeMap::new();
    for entry in batches {
        if let Ok(key) = entry.key.parse::<ClickKey>() {
            by_advocate.entry(key.customer).or_default().push(entry);
        }
    }
    let mut unique = BTreeSet::new();
    let mut more_values = false;
    for entries in by_advocate.values() {
        let (visitors, more) = clicks::listed(entries);
        for channel in visitors.values() {
            counted.reach.add_clicks(*channel, 1);
        }
        unique.extend(visitors.into_keys());
        more_values |= more;
    }
    counted.reach.unique = Some(unique.len() as u64);
    add_shares(&mut counted.reach, &taps);
    counted.at_least = more_clicks || more_shares || more_values;
    Ok(counted)
}
