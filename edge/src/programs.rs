//! The programs as an isolate knows them. One list a minute says which there are, for all of them
//! together, so that an unknown program costs nothing; one list a minute of each program in use says
//! what its terms are, which of its keys are revoked, and where its webhooks go. Versions of terms and
//! revocations are written once, so what was read stays true.

mod listing;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use passalong_core::generation::Generations;
use passalong_core::ids::ProgramId;
use passalong_core::keys::ProgramKeys;
use passalong_core::program::{Program, Version, Versions};
use passalong_core::terms::{Language, plain};
use passalong_core::time::{Instant, Moment};
use passalong_core::wire::ProgramVersion;

use crate::keys::{ProgramKey, Revoked, RevokedKey, Saved, TermsKey};
use crate::metadata::{Began, Nothing, Terms};
use crate::problem::Problem;
use crate::redirect::Landing;
use crate::store::{Context, Entry, Host, Put, StoreError};
use listing::{Listing, Need};

/// Keys of all programs, and of the settings of one, in pages of 1,000. More are refused.
const PAGES: usize = 20;

/// A program with its keys.
#[derive(Debug)]
pub struct Loaded {
    pub keys: ProgramKeys,
    pub versions: Versions,
    pub generations: Generations,
    /// Where the redirect leads, by version of the terms.
    pub landing: RefCell<Option<(u32, Rc<Landing>)>>,
}

impl Loaded {
    pub fn id(&self) -> &ProgramId {
        self.keys.program()
    }
}

#[derive(Debug, Default)]
pub struct Programs {
    /// The list of all programs, and since when each of them is there.
    listing: Listing,
    began: BTreeMap<ProgramId, Instant>,
    settings: BTreeMap<ProgramId, Settings>,
}

/// What is known of one program.
#[derive(Debug, Default)]
struct Settings {
    listing: Listing,
    /// Terms too long for a list are read when first needed.
    terms: BTreeMap<Saved, Option<Program>>,
    /// Which generations of its keys are revoked; never forgotten, whatever a late list shows.
    generations: Generations,
    loaded: Option<Rc<Loaded>>,
}

impl Settings {
    fn add(&mut self, version: Saved, terms: Option<Program>) {
        if self.terms.get(&version).is_none_or(|known| known.is_none() && terms.is_some()) {
            self.terms.insert(version, terms);
            self.loaded = None;
        }
    }

    fn revoke(&mut self, Revoked(generation): Revoked) {
        if !self.generations.is_revoked(generation) {
            self.generations.revoke(generation);
            self.loaded = None;
        }
    }

    /// Takes in what was listed. Terms that are known, or too many of their day to count, are not read.
    fn take(&mut self, entries: &[Entry]) {
        let version = |entry: &Entry| Some(entry.key.parse::<TermsKey>().ok()?.version);
        let revoked = |entry: &Entry| Some(entry.key.parse::<RevokedKey>().ok()?.generation);
        let terms = |entry: &Entry| entry.read().and_then(|terms: Terms| terms.program());
        let (mut day, mut of_day) = (None, 0);
        for entry in entries {
            if let Some(version) = entry.once(version) {
                let Saved(from, _) = version;
                of_day = if day == Some(from.day()) { of_day + 1 } else { 1 };
                day = Some(from.day());
                if of_day > Versions::A_DAY {
                    continue;
                }
                if self.terms.get(&version).is_none_or(Option::is_none) {
                    self.add(version, entry.once(terms));
                }
            } else if let Some(generation) = entry.once(revoked) {
                self.revoke(generation);
            }
        }
    }
}

impl Programs {
    fn of(&mut self, id: &ProgramId) -> &mut Settings {
        self.settings.entry(id.clone()).or_default()
    }
}

/// The program of that id; none if there is no such program. Its settings were read to the end within
/// the minute. Where they cannot be, it is an error: nobody gets in with a key that may be revoked, and
/// nothing is decided by terms that may not hold any more.
pub async fn load<H: Host>(
    cx: &Context<'_, H>,
    id: &ProgramId,
) -> Result<Option<Rc<Loaded>>, StoreError> {
    find(cx, id, Need::Current).await
}

/// The same for whoever only wants to be led to the shop: while the settings cannot be read, those that
/// were read before have to do.
pub async fn load_known<H: Host>(
    cx: &Context<'_, H>,
    id: &ProgramId,
) -> Result<Option<Rc<Loaded>>, StoreError> {
    find(cx, id, Need::Anything).await
}

async fn find<H: Host>(
    cx: &Context<'_, H>,
    id: &ProgramId,
    need: Need,
) -> Result<Option<Rc<Loaded>>, StoreError> {
    let is_known = || cx.isolate.programs.borrow().began.contains_key(id);
    // A program never goes, so only an unknown one can be news.
    if !is_known() {
        refresh(cx).await?;
        if !is_known() {
            return Ok(None);
        }
    }
    refresh_settings(cx, id, need).await?;
    let (loaded, long) = {
        let programs = cx.isolate.programs.borrow();
        let Some(settings) = programs.settings.get(id) else { return Ok(None) };
        let long = settings.terms.iter().filter(|(_, terms)| terms.is_none());
        (settings.loaded.clone(), long.map(|(version, _)| *version).collect::<Vec<_>>())
    };
    if loaded.is_some() {
        return Ok(loaded);
    }
    read_long(cx, id, &long).await?;
    assemble(cx, id).map(Some)
}

/// Reads terms that are too long for a list.
async fn read_long<H: Host>(
    cx: &Context<'_, H>,
    id: &ProgramId,
    versions: &[Saved],
) -> Result<(), StoreError> {
    if versions.is_empty() {
        return Ok(());
    }
    let key = |version: &Saved| TermsKey { program: id.clone(), version: *version };
    let keys: Vec<String> = versions.iter().map(|version| key(version).to_string()).collect();
    let values = cx.get_many(&keys).await?;
    let mut programs = cx.isolate.programs.borrow_mut();
    for (version, value) in versions.iter().zip(values) {
        let parse = |text: &str| Program::parse(text.as_bytes()).ok();
        if let Some(terms) = value.and_then(|value| cx.host.once(&value, parse)) {
            programs.of(id).add(*version, Some(terms));
        }
    }
    Ok(())
}

/// Puts together what is known of a program. It was listed after its first terms were stored, so where
/// none can be read they are on their way here.
fn assemble<H: Host>(cx: &Context<'_, H>, id: &ProgramId) -> Result<Rc<Loaded>, StoreError> {
    let mut programs = cx.isolate.programs.borrow_mut();
    let settings = programs.of(id);
    let is_whole = settings.terms.values().all(Option::is_some);
    let readable = |(Saved(valid_from, digest), terms): (&Saved, &Option<Program>)| {
        Some((*valid_from, *digest, terms.clone()?))
    };
    let versions = Versions::new(settings.terms.iter().filter_map(readable).collect());
    if versions.first().is_none() {
        settings.listing.end(cx.host.millis(), Err(StoreError::NotVisible));
        settings.listing.forget();
        return Err(StoreError::NotVisible);
    }
    let keys = cx.config.secrets.program(id);
    let generations = settings.generations.clone();
    let loaded = Rc::new(Loaded { keys, versions, generations, landing: RefCell::default() });
    // Terms that could not be read yet are asked for again.
    settings.loaded = Some(Rc::clone(&loaded)).filter(|_| is_whole);
    Ok(loaded)
}

/// All programs there are, and since when.
pub async fn all<H: Host>(cx: &Context<'_, H>) -> Result<Vec<(ProgramId, Instant)>, StoreError> {
    refresh(cx).await?;
    let programs = cx.isolate.programs.borrow();
    Ok(programs.began.iter().map(|(id, began)| (id.clone(), *began)).collect())
}

/// Lists the programs if that was not done within the minute.
async fn refresh<H: Host>(cx: &Context<'_, H>) -> Result<(), StoreError> {
    if !listing::is_mine(cx, Need::Anything, |programs| &mut programs.listing).await? {
        return Ok(());
    }
    let listed = cx.list(&ProgramKey::prefix(&[]), PAGES).await;
    let mut programs = cx.isolate.programs.borrow_mut();
    for entry in listed.iter().flatten() {
        if let (Ok(ProgramKey { program }), Some(Began { from })) =
            (entry.key.parse(), entry.read())
        {
            programs.began.insert(program, from.instant());
        }
    }
    let was_known = programs.listing.is_known();
    let is_cut = listed == Err(StoreError::Cut);
    let result = listed.map(|_| ());
    programs.listing.end(cx.host.millis(), result.clone());
    // What an old list does not show may be beyond what is read of the new one.
    if is_cut {
        programs.listing.forget();
    }
    if was_known && !is_cut { Ok(()) } else { result }
}

/// Lists the settings of a program if that was not done within the minute.
async fn refresh_settings<H: Host>(
    cx: &Context<'_, H>,
    id: &ProgramId,
    need: Need,
) -> Result<(), StoreError> {
    if !listing::is_mine(cx, need, |programs| &mut programs.of(id).listing).await? {
        return Ok(());
    }
    let listed = cx.list(&TermsKey::prefix(&[id]), PAGES).await;
    let mut programs = cx.isolate.programs.borrow_mut();
    let settings = programs.of(id);
    let was_known = settings.listing.is_known();
    if let Ok(entries) = &listed {
        settings.take(entries);
        cx.isolate.endpoints.borrow_mut().replace(id, entries);
    }
    let result = listed.map(|_| ());
    settings.listing.end(cx.host.millis(), result.clone());
    if was_known && need == Need::Anything { Ok(()) } else { result }
}

/// Writes a version of the terms and remembers it here, where a list may not show it yet.
pub async fn save<H: Host>(
    cx: &Context<'_, H>,
    key: &TermsKey,
    terms: &Program,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(terms).unwrap_or_default();
    cx.put(&Put::listed(key, &Terms::of(terms)).value(text)).await?;
    cx.isolate.programs.borrow_mut().of(&key.program).add(key.version, Some(terms.clone()));
    Ok(())
}

/// Makes a program: its first terms, then the key that says that it is there. So wherever it is seen
/// it has terms, or they are on their way.
pub async fn create<H: Host>(
    cx: &Context<'_, H>,
    key: &TermsKey,
    terms: &Program,
) -> Result<(), StoreError> {
    save(cx, key, terms).await?;
    let (program, Saved(from, _)) = (&key.program, key.version);
    let own = ProgramKey { program: program.clone() };
    cx.put(&Put::listed(&own, &Began { from })).await?;
    let mut programs = cx.isolate.programs.borrow_mut();
    programs.began.insert(program.clone(), from.instant());
    // There is nothing of it that was not just written here.
    programs.of(program).listing.end(cx.host.millis(), Ok(()));
    Ok(())
}

/// From when the latest terms are valid that were stored here under that id, whether or not there is
/// a program.
pub fn stored_from<H: Host>(cx: &Context<'_, H>, id: &ProgramId) -> Option<Moment> {
    let programs = cx.isolate.programs.borrow();
    let (Saved(from, _), _) = programs.settings.get(id)?.terms.last_key_value()?;
    Some(*from)
}

/// Ends a generation of the program's keys: here at once, elsewhere with the next list.
pub async fn revoke<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    generation: u32,
) -> Result<(), StoreError> {
    let key = RevokedKey { program: program.clone(), generation: Revoked(generation) };
    cx.put(&Put::listed(&key, &Nothing {})).await?;
    cx.isolate.programs.borrow_mut().of(program).revoke(key.generation);
    Ok(())
}

/// A version as it is sent.
pub fn message(version: &Version) -> ProgramVersion {
    let terms = &version.terms;
    ProgramVersion {
        plain_terms: plain(terms, Language::of_locale(&terms.locale), terms.address),
        terms: terms.clone(),
        version: version.number,
        valid_from: version.valid_from,
        upcoming: None,
    }
}

/// The terms that apply now.
pub fn current<'l, H: Host>(
    cx: &Context<'_, H>,
    program: &'l Loaded,
) -> Result<&'l Version, Problem> {
    program.versions.current(cx.now).ok_or_else(|| Problem::not_found("there is no such program"))
}
