//! Counting clicks without making anybody wait, and with a fraction of a write per click.
//!
//! Clicks of one advocate that reach an isolate within the batch window share one key. The first
//! click leads: it waits, collects what the others left in memory, and writes once. If it does not
//! come back in time, because its isolate was busy or its request cut off, the next click leads.

use std::collections::{BTreeMap, HashMap};

use passalong_core::channel::Channel;
use passalong_core::ids::{CustomerPseudonym, ProgramId};
use passalong_core::mutation::{self, Mutation};
use passalong_core::text::{base64url, from_base64url};
use passalong_core::time::Day;

use crate::keys::{Batch, ClickKey};
use crate::metadata;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// The batch window, in milliseconds: longer by this for each open batch, so that an isolate with
/// many popular advocates still writes no more than a hundred keys a second.
const WINDOW: u32 = 1_000;
const LONGEST_WINDOW: u32 = 10_000;
const PER_BATCH: u32 = 10;
/// So long after the window the next click takes over.
const GRACE: u64 = 5_000;
/// Visitors in a key's metadata; the rest is in its value.
const LISTED: usize = 80;
/// Written visitors an isolate remembers: about a megabyte.
const REMEMBERED: usize = 50_000;
/// Raw clicks are kept so long after their day, for folding late.
const KEPT_DAYS: i64 = 7;

/// Unique visitors with the channel they came by.
pub type Visitors = BTreeMap<[u8; 6], Channel>;

/// What a batch counts: one advocate's clicks of one day.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub program: ProgramId,
    pub customer: CustomerPseudonym,
    pub day: Day,
}

#[derive(Debug, Default)]
struct Open {
    visitors: Visitors,
    window: u32,
    led_since: Option<u64>,
}

/// The open batches of an isolate, and who is in those it wrote.
#[derive(Debug, Default)]
pub struct Batches {
    open: HashMap<Target, Open>,
    /// Visitors (who are others tomorrow) in the store, so that whoever comes again costs no write;
    /// those who are only on their way there count until then.
    written: HashMap<(CustomerPseudonym, [u8; 6]), u64>,
}

/// Whether this isolate has written this visitor of this advocate.
pub fn is_written<H: Host>(
    cx: &Context<'_, H>,
    advocate: CustomerPseudonym,
    visitor: [u8; 6],
) -> bool {
    let batches = cx.isolate.batches.borrow();
    batches.written.get(&(advocate, visitor)).is_some_and(|until| cx.host.millis() < *until)
}

impl Batches {
    /// How long the next batch is open.
    fn window(&self) -> u32 {
        let open = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        open.saturating_mul(PER_BATCH).clamp(WINDOW, LONGEST_WINDOW)
    }
}

/// Adds a click. Whoever gets `true` must call [`flush`] after answering.
pub fn add<H: Host>(
    cx: &Context<'_, H>,
    target: &Target,
    visitor: [u8; 6],
    channel: Channel,
) -> bool {
    let now = cx.host.millis();
    let mut batches = cx.isolate.batches.borrow_mut();
    let window = batches.window();
    let open = batches.open.entry(target.clone()).or_default();
    open.visitors.entry(visitor).or_insert(channel);
    let deadline = u64::from(open.window) + GRACE;
    let leads = open.led_since.is_none_or(|since| now.saturating_sub(since) > deadline);
    if leads {
        open.led_since = Some(now);
        open.window = window;
    }
    leads
}

/// Waits for the window to end, then writes what came together.
pub async fn flush<H: Host>(cx: &Context<'_, H>, target: &Target) -> Result<(), StoreError> {
    let window = cx.isolate.batches.borrow().open.get(target).map_or(WINDOW, |open| open.window);
    cx.host.sleep(window).await;
    let open = cx.isolate.batches.borrow_mut().open.remove(target);
    let Some(mut open) = open else { return Ok(()) };
    let mut key = ClickKey {
        program: target.program.clone(),
        day: target.day,
        customer: target.customer,
        batch: Batch(cx.host.random()),
    };
    if mutation::is_on(Mutation::Counter) {
        key.batch = Batch([0; 8]);
        decode(&cx.get(&key.to_string()).await?.unwrap_or_default(), &mut open.visitors);
    }
    let (listed, mut more) = encode(&open.visitors);
    if mutation::is_on(Mutation::Counter) {
        more.clone_from(&listed.visitors);
    }
    let put = Put::listed(&key, &listed).value(more);
    // Remembered before it is written, so that nobody who comes meanwhile begins another batch; but
    // not for long, as this request may be cut off.
    let remember = |until: u64| {
        let written = &mut cx.isolate.batches.borrow_mut().written;
        if written.len() + open.visitors.len() > REMEMBERED {
            written.clear();
        }
        written.extend(open.visitors.keys().map(|visitor| ((target.customer, *visitor), until)));
    };
    remember(cx.host.millis() + u64::from(open.window) + GRACE);
    let put = cx.put(&put.until(target.day.plus(KEPT_DAYS + 1).start(), cx.now)).await;
    remember(if put.is_ok() { u64::MAX } else { 0 });
    put
}

/// Seven bytes a visitor: six of the hash, one for the channel.
fn encode(visitors: &Visitors) -> (metadata::Clicks, String) {
    let text = |visitors: &mut dyn Iterator<Item = (&[u8; 6], &Channel)>| {
        let bytes: Vec<u8> = visitors
            .flat_map(|(hash, channel)| hash.iter().copied().chain([*channel as u8]))
            .collect();
        base64url(&bytes)
    };
    let listed = text(&mut visitors.iter().take(LISTED));
    let more = text(&mut visitors.iter().skip(LISTED));
    let left = visitors.len().saturating_sub(LISTED);
    (metadata::Clicks { visitors: listed, more: Some(left).filter(|left| *left > 0) }, more)
}

fn decode(text: &str, visitors: &mut Visitors) {
    for bytes in from_base64url(text).unwrap_or_default().chunks_exact(7) {
        let [hash @ .., channel] = bytes else { continue };
        let Ok(hash) = <[u8; 6]>::try_from(hash) else { continue };
        let channel = Channel::from_byte(*channel).unwrap_or(Channel::Direct);
        visitors.entry(hash).or_insert(channel);
    }
}

/// The visitors a list shows, and whether values hold more of them.
pub fn listed(entries: &[Entry]) -> (Visitors, bool) {
    let mut visitors = Visitors::new();
    let mut more = false;
    for entry in entries {
        let clicks: metadata::Clicks = entry.read().unwrap_or_default();
        decode(&clicks.visitors, &mut visitors);
        more |= clicks.more.is_some();
    }
    (visitors, more)
}

/// All visitors of these keys; values are read where needed, at most so many.
pub async fn read<H: Host>(
    cx: &Context<'_, H>,
    entries: &[Entry],
    most: usize,
) -> Result<Visitors, StoreError> {
    let (mut visitors, more) = listed(entries);
    if more {
        let is_long = |entry: &&Entry| {
            entry.read().is_some_and(|clicks: metadata::Clicks| clicks.more.is_some())
        };
        let long = entries.iter().filter(is_long);
        let keys: Vec<String> = long.take(most).map(|entry| entry.key.to_string()).collect();
        for value in cx.get_many(&keys).await?.into_iter().flatten() {
            decode(&value, &mut visitors);
        }
    }
    Ok(visitors)
}

/// What a folded day comes to: unique clicks, and how many by each channel.
pub fn folded(visitors: &Visitors) -> metadata::Counted {
    let mut by: BTreeMap<Channel, u64> = BTreeMap::new();
    for channel in visitors.values() {
        *by.entry(*channel).or_default() += 1;
    }
    metadata::Counted { clicks: visitors.len() as u64, by }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_batch_reads_back_from_metadata_and_value() {
        for count in [0_u8, 1, 80, 81, 200] {
            let visitors: Visitors =
                (0..count).map(|n| ([n; 6], Channel::ALL[usize::from(n) % 12])).collect();
            let (metadata, more) = encode(&visitors);
            assert_eq!(metadata.more.is_some(), count > 80);
            let metadata = serde_json::to_value(metadata).unwrap();
            assert!(metadata.to_string().len() <= 1_024);
            let entry = Entry::new("", metadata.into());
            let (mut read, has_more) = listed(&[entry]);
            assert_eq!(has_more, count > 80);
            decode(&more, &mut read);
            assert_eq!(read, visitors);
        }
    }

    #[test]
    fn an_isolate_with_many_open_batches_collects_for_longer() {
        let program: ProgramId = "teehaus".parse().unwrap();
        let day: Day = "20261122".parse().unwrap();
        let mut batches = Batches::default();
        let mut windows = BTreeMap::new();
        for open in 0..=1_200 {
            windows.insert(open, batches.window());
            let customer = format!("{open:011}0").parse().unwrap();
            let target = Target { program: program.clone(), customer, day };
            batches.open.insert(target, Open::default());
        }
        let at = |open: i32| windows.get(&open).copied().unwrap();
        assert_eq!([at(0), at(100), at(101), at(500)], [1_000, 1_000, 1_010, 5_000]);
        assert_eq!([at(1_000), at(1_001), at(1_200)], [10_000; 3]);
    }

    /// What is stored stays.
    #[test]
    fn a_batch_is_written_as_pinned() {
        let visitors = Visitors::from([([1; 6], Channel::WhatsApp), ([2; 6], Channel::Direct)]);
        let written = serde_json::to_value((encode(&visitors).0, folded(&visitors))).unwrap();
        let counted = json!({ "n": 2, "by": { "whatsapp": 1, "direct": 1 } });
        assert_eq!(written, json!([{ "v": "AQEBAQEBAQICAgICAgA" }, counted]));
    }
}
