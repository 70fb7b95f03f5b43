//! The programs as an isolate knows them. One list a minute answers for all programs together, so
//! that an unknown program costs nothing. Versions of terms are written once, so what was read
//! stays true.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use passalong_core::generation::Generations;
use passalong_core::ids::ProgramId;
use passalong_core::keys::ProgramKeys;
use passalong_core::program::{Program, Version, Versions};
use passalong_core::terms::{Language, plain};
use passalong_core::wire::ProgramVersion;
use serde_json::{Value, json};

use crate::keys::{ProgramKey, Revoked, RevokedKey};
use crate::problem::Problem;
use crate::redirect::Landing;
use crate::store::{Context, Host, Put, StoreError};
use crate::webhooks::Endpoints;

/// How long a list of programs is good for, in milliseconds of real time.
const FRESH: u64 = 60_000;
/// After this another request's listing counts as cut off, and the next takes over.
const PATIENCE: u64 = 3_000;
/// After a list that failed the store is left alone for so long: each request would wait for it.
const BACK_OFF: u64 = 1_000;
/// Terms up to this size ride in the metadata, which spares a read; its limit is 1,024 bytes.
const LISTED: usize = 990;

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
    listed_at: Option<u64>,
    listing_since: Option<u64>,
    failed_at: Option<u64>,
    /// By key; terms too long for a list are read when first needed.
    stored: BTreeMap<ProgramId, BTreeMap<String, Option<Program>>>,
    /// Of which generations of keys are revoked; never forgotten, whatever a late list shows.
    generations: BTreeMap<ProgramId, Generations>,
    loaded: BTreeMap<ProgramId, Rc<Loaded>>,
}

impl Programs {
    fn add(&mut self, key: &ProgramKey, terms: Option<Program>) {
        let slot = self.stored.entry(key.program.clone()).or_default();
        if slot.get(&key.to_string()).is_none_or(|known| known.is_none() && terms.is_some()) {
            slot.insert(key.to_string(), terms);
            self.loaded.remove(&key.program);
        }
    }

    fn revoke(&mut self, key: &RevokedKey) {
        let Revoked(generation) = key.generation;
        let generations = self.generations.entry(key.program.clone()).or_default();
        if !generations.is_revoked(generation) {
            generations.revoke(generation);
            self.loaded.remove(&key.program);
        }
    }
}

/// The program of that id; none if there is no such program.
pub async fn load<H: Host>(
    cx: &Context<'_, H>,
    id: &ProgramId,
) -> Result<Option<Rc<Loaded>>, StoreError> {
    refresh(cx).await?;
    let missing: Vec<String> = {
        let programs = cx.isolate.programs.borrow();
        if let Some(loaded) = programs.loaded.get(id) {
            return Ok(Some(Rc::clone(loaded)));
        }
        let Some(stored) = programs.stored.get(id) else { return Ok(None) };
        stored.iter().filter(|(_, terms)| terms.is_none()).map(|(key, _)| key.clone()).collect()
    };
    if !missing.is_empty() {
        let values = cx.get_many(&missing).await?;
        let mut programs = cx.isolate.programs.borrow_mut();
        for (key, value) in missing.iter().zip(values) {
            let terms = value.and_then(|value| Program::parse(value.as_bytes()).ok());
            if let (Ok(key), Some(terms)) = (key.parse::<ProgramKey>(), terms) {
                programs.add(&key, Some(terms));
            }
        }
    }
    let mut programs = cx.isolate.programs.borrow_mut();
    let is_whole =
        programs.stored.get(id).is_some_and(|stored| stored.values().all(Option::is_some));
    let stored = programs.stored.get(id).into_iter().flatten();
    let versions = stored.filter_map(|(key, terms)| {
        let key: ProgramKey = key.parse().ok()?;
        Some((key.valid_from, key.digest, terms.clone()?))
    });
    let versions = Versions::new(versions.collect());
    if versions.first().is_none() {
        return Ok(None);
    }
    let generations = programs.generations.get(id).cloned().unwrap_or_default();
    let keys = cx.config.secrets.program(id);
    let loaded = Rc::new(Loaded { keys, versions, generations, landing: RefCell::default() });
    // Terms that could not be read yet are asked for again.
    if is_whole {
        programs.loaded.insert(id.clone(), Rc::clone(&loaded));
    }
    Ok(Some(loaded))
}

/// All programs there are.
pub async fn all<H: Host>(cx: &Context<'_, H>) -> Result<Vec<Rc<Loaded>>, StoreError> {
    refresh(cx).await?;
    let ids: Vec<ProgramId> = cx.isolate.programs.borrow().stored.keys().cloned().collect();
    let mut result = Vec::with_capacity(ids.len());
    for id in ids {
        result.extend(load(cx, &id).await?);
    }
    Ok(result)
}

/// Lists the programs if that was not done within the minute. One request lists, the others wait
/// for its result in memory: they cannot await its I/O.
pub async fn refresh<H: Host>(cx: &Context<'_, H>) -> Result<(), StoreError> {
    let began = cx.host.millis();
    loop {
        let now = cx.host.millis();
        let is_fresh = |at: u64| now.saturating_sub(at) < FRESH;
        let is_listing = |at: u64| now.saturating_sub(at) < PATIENCE;
        let has_failed = |at: u64| now.saturating_sub(at) < BACK_OFF;
        let (fresh, listing, failed, known) = {
            let programs = cx.isolate.programs.borrow();
            let fresh = programs.listed_at.is_some_and(is_fresh);
            let listing = programs.listing_since.is_some_and(is_listing);
            let failed = programs.failed_at.is_some_and(has_failed);
            (fresh, listing, failed, programs.listed_at.is_some())
        };
        if fresh || (known && (listing || failed)) {
            return Ok(());
        }
        if failed || now.saturating_sub(began) > 2 * PATIENCE {
            return Err(StoreError("the programs could not be listed".to_owned()));
        }
        if !listing {
            break;
        }
        cx.host.sleep(10).await;
    }
    cx.isolate.programs.borrow_mut().listing_since = Some(cx.host.millis());
    let listed = cx.list(&ProgramKey::prefix(&[]), 20).await;
    let mut programs = cx.isolate.programs.borrow_mut();
    programs.listing_since = None;
    programs.failed_at = listed.is_err().then(|| cx.host.millis());
    match listed {
        Ok(entries) => {
            programs.listed_at = Some(cx.host.millis());
            cx.isolate.endpoints.replace(Endpoints::read(&entries));
            for entry in entries {
                if let Ok(key) = entry.key.parse::<ProgramKey>() {
                    let terms = entry.metadata.get("terms").map(Value::to_string);
                    let terms = terms.and_then(|terms| Program::parse(terms.as_bytes()).ok());
                    programs.add(&key, terms);
                } else if let Ok(key) = entry.key.parse() {
                    programs.revoke(&key);
                }
            }
            Ok(())
        }
        // Old terms are better than none.
        Err(_) if programs.listed_at.is_some() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a version of the terms and remembers it here, where a list may not show it yet.
pub async fn save<H: Host>(
    cx: &Context<'_, H>,
    key: &ProgramKey,
    terms: &Program,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(terms).unwrap_or_default();
    let metadata = if text.len() <= LISTED { json!({ "terms": terms }) } else { json!({}) };
    cx.put(&Put::listed(key, metadata).value(text)).await?;
    cx.isolate.programs.borrow_mut().add(key, Some(terms.clone()));
    Ok(())
}

/// Ends a generation of the program's keys: here at once, elsewhere with the next list.
pub async fn revoke<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    generation: u32,
) -> Result<(), StoreError> {
    let key = RevokedKey { program: program.clone(), generation: Revoked(generation) };
    cx.put(&Put::listed(&key, json!({}))).await?;
    cx.isolate.programs.borrow_mut().revoke(&key);
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
