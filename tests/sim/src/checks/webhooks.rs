//! Webhooks: what happened was announced before anybody could know of it, under one id for one content,
//! and every message came to whoever is to get it, at least once and signed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use passalong_core::fact::{Fact, FactKind, Verdict};
use passalong_core::ids::{Digest, OrderPseudonym};
use passalong_core::report::EventType;
use passalong_core::reward::{Part, RewardId, Role};
use passalong_core::seal::Sealed;
use passalong_core::time::{Instant, Minute};
use passalong_core::webhook::WebhookType::{
    self, MilestoneReached, ReviewRequested, RewardApproved, RewardFulfilled, RewardRefused,
    RewardReversed,
};
use passalong_edge::keys::{LedgerKey, MessageKey, OrderKey};
use passalong_edge::outbox::{Lock, Message};
use serde_json::Value;
use sha2::Sha256;

use crate::hooks::{Endpoint, LATITUDE};
use crate::receivers::Arrived;
use crate::story::{Answered, DAY, MINUTE, Mode, SECOND, Story};

/// A request writes no later than this after it began.
const REQUEST: u64 = 3 * MINUTE;
/// And so long a run of the cron may take, here as there with its last operations.
const RUN: u64 = 10 * MINUTE;
/// Attempts that the schedule leaves to the cron: the two before them are made only if nothing dies.
const BY_CRON: usize = 8;

/// A message as it rests in the store.
struct Stored {
    id: String,
    /// When it was committed first.
    at: u64,
    message: Rc<Message>,
    order: Option<String>,
}

impl Stored {
    /// The reward that it is about.
    fn reward(&self) -> Option<&str> {
        self.message.data["id"].as_str()
    }
}

/// Everything about the webhooks of one program.
struct Told {
    stored: Vec<Stored>,
    /// Places of the messages, by the reward and by the order that they name.
    of_reward: BTreeMap<String, Vec<usize>>,
    of_order: BTreeMap<String, Vec<usize>>,
    endpoints: Rc<[Endpoint]>,
    /// By URL and id of the message.
    arrived: BTreeMap<String, BTreeMap<String, Vec<Rc<Arrived>>>>,
    /// Endpoints that stand and are enabled.
    open: Vec<Digest>,
    wrong: Vec<String>,
}

impl Told {
    /// Those messages were announced by then: one of them at least, and it came to every endpoint that
    /// surely gets it.
    fn must(
        &mut self,
        what: &dyn Fn() -> String,
        window: (u64, u64),
        kinds: &[WebhookType],
        found: &[usize],
    ) {
        for endpoint in &*Rc::clone(&self.endpoints) {
            let gets = |kind: &WebhookType| endpoint.surely_gets(*kind, window.0, window.1);
            if !kinds.iter().all(gets) {
                continue;
            }
            let in_time = found.iter().filter(|place| self.stored[**place].at <= window.1);
            let in_time: Vec<&Stored> = in_time.map(|place| &self.stored[*place]).collect();
            if in_time.is_empty() {
                let late = found.first().map(|place| self.stored[*place].id.clone());
                let what = what();
                self.wrong.push(format!("{what}, and no webhook was announced before: {late:?}"));
                return;
            }
            let is_taken = |one: &&&Stored| {
                let tries = self.tries(endpoint, &one.id);
                let is_over = tries.len() >= BY_CRON || endpoint.was_away(one.at);
                is_over || tries.iter().any(|one| one.is_taken())
            };
            let is_open = self.open.contains(&endpoint.id);
            if is_open && in_time.iter().find(is_taken).is_none() {
                let (id, url) = (&in_time[0].id, &endpoint.url);
                let tries = self.tries(endpoint, id).len();
                let (what, told, by) = (what(), clock(in_time[0].at), clock(window.1));
                let text = format!(
                    "{what} at {by}: {id} of {told} never came to {url} in {tries} attempts"
                );
                self.wrong.push(text);
            }
        }
    }

    fn tries(&self, endpoint: &Endpoint, id: &str) -> &[Rc<Arrived>] {
        let tries = self.arrived.get(&endpoint.url).and_then(|arrived| arrived.get(id));
        tries.map_or(&[], Vec::as_slice)
    }

    /// The messages about a reward for which that holds.
    fn about(&self, reward: &str, is_it: impl Fn(&Stored) -> bool) -> Vec<usize> {
        self.which(self.of_reward.get(reward), is_it)
    }

    /// The same of an order.
    fn about_order(&self, order: &str, is_it: impl Fn(&Stored) -> bool) -> Vec<usize> {
        self.which(self.of_order.get(order), is_it)
    }

    fn which(&self, places: Option<&Vec<usize>>, is_it: impl Fn(&Stored) -> bool) -> Vec<usize> {
        let places = places.into_iter().flatten().copied();
        places.filter(|place| is_it(&self.stored[*place])).collect()
    }
}

impl Story {
    /// All that is promised of the webhooks of a program.
    pub(super) fn check_webhooks(&mut self, program: usize) {
        let mut told = self.told_of(program);
        self.check_one_content(program, &mut told);
        self.check_requests(&mut told);
        self.check_conversions(program, &mut told);
        if self.mode == Mode::Inside {
            self.check_decided(program, &mut told);
        }
        self.check_handed_over(program, &mut told);
        check_stubborn(&mut told);
        for text in told.wrong {
            self.violate(text);
        }
    }

    fn told_of(&self, program: usize) -> Told {
        let of = &self.programs[program];
        let kv = self.machine.kv.borrow();
        let prefix = MessageKey::prefix(&[of.keys.program()]);
        let mut stored: BTreeMap<String, Stored> = BTreeMap::new();
        for (key, put) in kv.ever(&prefix) {
            let MessageKey { message: id, .. } = key.parse().unwrap();
            let message: Rc<Message> =
                self.machine.once(&put.value, |text| Rc::new(serde_json::from_str(text).unwrap()));
            let order = message.locks.iter().find_map(|(_, lock)| match lock {
                Lock::Order(sealed) => of.keys.open(Sealed::Order, sealed),
                _ => None,
            });
            let (id, at) = (format!("msg_{id}"), kv.first_written_at(key));
            stored.entry(id.clone()).or_insert(Stored { id, at, message, order });
        }
        let endpoints = self.hooks.endpoints.iter().filter(|one| one.program == program);
        let mut endpoints: Vec<Endpoint> = endpoints.cloned().collect();
        let mut arrived: BTreeMap<String, BTreeMap<String, Vec<Rc<Arrived>>>> = BTreeMap::new();
        for one in &self.machine.receivers.borrow().arrived {
            let to = endpoints.iter_mut().find(|endpoint| endpoint.url == one.url);
            if let Some(endpoint) = to.filter(|_| one.answer == Ok(410)) {
                endpoint.is_gone(one.at, kv.staleness.bound + LATITUDE);
            }
            let of_url = arrived.entry(one.url.clone()).or_default();
            let id = one.header("webhook-id").to_owned();
            of_url.entry(id).or_default().push(Rc::clone(one));
        }
        let stored: Vec<Stored> = stored.into_values().collect();
        let (mut of_reward, mut of_order) = (BTreeMap::new(), BTreeMap::new());
        let put = |map: &mut BTreeMap<String, Vec<usize>>, name: Option<&str>, place| {
            if let Some(name) = name {
                map.entry(name.to_owned()).or_default().push(place);
            }
        };
        for (place, one) in stored.iter().enumerate() {
            put(&mut of_reward, one.reward(), place);
            put(&mut of_order, one.order.as_deref(), place);
        }
        Told {
            stored,
            of_reward,
            of_order,
            endpoints: endpoints.into(),
            arrived,
            open: self.open_endpoints(&kv, self.now()),
            wrong: Vec::new(),
        }
    }

    /// One id names one content, and one content has one id. Nothing readable rests.
    fn check_one_content(&self, program: usize, told: &mut Told) {
        let of = &self.programs[program];
        let kv = self.machine.kv.borrow();
        let mut of_key: BTreeMap<&str, &str> = BTreeMap::new();
        let mut of_content: BTreeMap<&str, &str> = BTreeMap::new();
        let people = || of.advocates.iter().chain(&of.friends);
        for (key, put) in kv.ever(&MessageKey::prefix(&[of.keys.program()])) {
            let content = put.value.as_str();
            let known = of_key.entry(key).or_insert(content);
            if *known != content {
                told.wrong.push(format!("{key} names two contents: {known} and {content}"));
            }
            let known = of_content.entry(content).or_insert(key);
            if *known != key {
                told.wrong.push(format!("{known} and {key} are one content: {content}"));
            }
            if people().any(|name| content.contains(&format!("\"{name}\""))) {
                told.wrong.push(format!("{key} names a customer at rest: {content}"));
            }
        }
    }

    /// Every request is signed, goes where the merchant said and nowhere else, and says the same
    /// whenever it says it again.
    fn check_requests(&mut self, told: &mut Told) {
        let urls: Vec<&String> = self.hooks.endpoints.iter().map(|one| &one.url).collect();
        let mut said: BTreeMap<&str, Rc<Value>> = BTreeMap::new();
        let arrived = told.arrived.iter();
        let arrived =
            arrived.flat_map(|(url, all)| all.iter().map(move |(id, all)| (url, id, all)));
        for (url, id, all) in arrived {
            if !urls.contains(&url) {
                told.wrong.push(format!("a webhook went to {url}"));
            }
            let Some(endpoint) = told.endpoints.iter().find(|one| one.url == *url) else {
                continue;
            };
            for one in all {
                if let Err(why) = self.verify(endpoint, one) {
                    told.wrong.push(format!("{id} to {url}: {why}: {one:?}"));
                    continue;
                }
                let body: Rc<Value> = self
                    .machine
                    .once(&one.body, |text| Rc::new(serde_json::from_str(text).unwrap()));
                let known = said.entry(id).or_insert_with(|| Rc::clone(&body));
                if !is_same(known, &body) {
                    told.wrong.push(format!("{id} says two things: {known} and {body}"));
                }
                let kind = format!("told {}", body["type"].as_str().unwrap_or_default());
                *self.decided.entry(kind).or_default() += 1;
            }
            let stored = told.stored.iter().find(|one| one.id == *id);
            let wants = |one: &Stored| one.message.data.is_object();
            if !stored.is_some_and(wants) {
                told.wrong.push(format!("{id} came to {url} and rests nowhere"));
            }
        }
    }

    /// By the rules of Standard Webhooks, with what the merchant was told.
    fn verify(&self, endpoint: &Endpoint, one: &Arrived) -> Result<(), &'static str> {
        let timestamp: u64 = one.header("webhook-timestamp").parse().map_err(|_| "no time")?;
        if (timestamp * SECOND).abs_diff(one.at) > 5 * MINUTE {
            return Err("the time is off");
        }
        let mut secrets = endpoint.secrets.clone();
        // A change whose answer was lost has told nobody its secret.
        let told = u32::try_from(secrets.len()).unwrap();
        if endpoint.rotations >= told {
            let id = self.programs[endpoint.program].keys.program();
            let secret =
                |number| self.machine.config.secrets.webhook_secret(id, endpoint.id, number);
            secrets.extend((1..=told + endpoint.rotations).map(|number| secret(number).show()));
        }
        let text = format!("{}.{timestamp}.{}", one.header("webhook-id"), one.body);
        let given: BTreeSet<&str> = one.header("webhook-signature").split(' ').collect();
        let fits = |secret: &String| {
            let key =
                secret.strip_prefix("whsec_").and_then(|key| BASE64.decode(key.as_bytes()).ok());
            let mut mac = Hmac::<Sha256>::new_from_slice(&key.unwrap_or_default()).unwrap();
            mac.update(text.as_bytes());
            given.contains(format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())).as_str())
        };
        if secrets.iter().any(fits) { Ok(()) } else { Err("no signature fits") }
    }

    /// What a report was answered with was announced word for word before, and every order that was
    /// recorded was.
    fn check_conversions(&self, program: usize, told: &mut Told) {
        let of = &self.programs[program];
        let id = of.keys.program().clone();
        let kv = self.machine.kv.borrow();
        let mut first: BTreeMap<(OrderPseudonym, Digest), (Minute, u64)> = BTreeMap::new();
        for (text, _) in kv.ever(&OrderKey::prefix(&[&id])) {
            let Ok(key) = text.parse::<OrderKey>() else { continue };
            let slot = (key.order, key.fact.digest);
            let at = (key.fact.accepted, kv.first_written_at(text));
            let last = kv.written_at(text, self.now());
            let is_acked = self.by_digest.get(&(program, slot.1));
            let is_acked = is_acked.is_some_and(|index| !self.reports[*index].answers.is_empty());
            // Several tries may have been recorded, of which only one was heard.
            let at = if is_acked { (at.0, last) } else { at };
            let both = |known: &(Minute, u64)| {
                let by = if is_acked { known.1.max(at.1) } else { known.1.min(at.1) };
                (known.0.min(at.0), by)
            };
            first.entry(slot).and_modify(|known| *known = both(known)).or_insert(at);
        }
        // What was cut off was announced when it was tried, not when it was completed.
        for (text, _) in kv.ever(&LedgerKey::prefix(&[&id])) {
            let key: LedgerKey = text.parse().unwrap();
            let slot = first.get_mut(&(key.order, key.fact.digest));
            if let Some((accepted, _)) = slot.filter(|_| key.fact.kind == FactKind::Conversion) {
                *accepted = key.fact.accepted.min(*accepted);
            }
        }
        for ((order, digest), (accepted, at)) in first {
            let Some(index) = self.by_digest.get(&(program, digest)) else { continue };
            let name = self.name(program, order);
            let sent = &self.reports[*index];
            let kind = WebhookType::ConversionRecorded;
            // Beyond the bound, two tries of one report may have been answered from two views.
            let is_pinned = self.mode == Mode::Inside && !sent.answers.is_empty();
            let found = told.about_order(&sent.order_id, |one| {
                let told = &one.message.data;
                one.message.kind == kind
                    && (!is_pinned || sent.answers.iter().any(|answer| is_answer(answer, told)))
            });
            let begun = millis(accepted.start()).min(at).saturating_sub(REQUEST);
            let what = || format!("{name} was recorded ({:?})", sent.answers);
            told.must(&what, (begun, at), &[kind], &found);
        }
    }

    /// Every verdict was announced before it was there, under one id for each reward.
    fn check_decided(&self, program: usize, told: &mut Told) {
        let facts = self.ledger_facts(program);
        let keys = facts.iter().map(|one| &one.0);
        let decided = keys.filter(|key| key.fact.kind == FactKind::Verdict);
        let decided: BTreeSet<_> = decided.map(|key| (key.order, key.customer)).collect();
        let mut ledgers: BTreeMap<OrderPseudonym, u32> = BTreeMap::new();
        for (order, _) in decided {
            *ledgers.entry(order).or_default() += 1;
        }
        // What an event changed is told with the minute in which it occurred, whenever that was: as the
        // verdict is told, where it is of that minute. A delivery changes nothing by itself.
        let mut occurred: BTreeMap<(OrderPseudonym, Instant), BTreeSet<Digest>> = BTreeMap::new();
        for one in &facts {
            let (key, Fact::Event(kind, event)) = &**one else { continue };
            if *kind != EventType::Delivered {
                occurred.entry((key.order, event.occurred_at)).or_default().insert(event.event);
            }
        }
        for one in &facts {
            let (key, Fact::Verdict(Verdict { rewards, .. })) = &**one else { continue };
            let at = self.machine.kv.borrow().first_written_at(&key.to_string());
            for decided in rewards {
                let reward = match decided.milestone {
                    None => RewardId::Order { order: key.order, role: decided.role },
                    Some(at) => {
                        let (advocate, trigger) = (key.customer, decided.trigger);
                        RewardId::Milestone { advocate, trigger, at }
                    }
                };
                let kinds = match decided.value {
                    Some(_) => [RewardApproved, ReviewRequested],
                    None => [RewardRefused, RewardReversed],
                };
                let when = key.fact.accepted.start();
                let owner = decided.role == Role::Advocate;
                let owner = owner.then(|| Lock::Customer(key.customer.to_string()));
                let id = reward.to_string();
                let by_event = occurred.get(&(key.order, when)).map_or(0, BTreeSet::len);
                let found = told.about(&id, |one| {
                    let whose = one.message.locks.get("/customer_id");
                    one.message.at == when
                        && (kinds.contains(&one.message.kind) || by_event == 0)
                        && one.message.kind != MilestoneReached
                        && (owner.is_none() || whose == owner.as_ref())
                });
                // An order that was reported for two advocates is refused in one of two ledgers.
                let is_one = owner.is_some() || ledgers.get(&key.order) == Some(&1);
                let what = || {
                    let order = self.name(program, key.order);
                    let all = found.iter().map(|place| &told.stored[*place]);
                    let all: Vec<_> = all.map(|one| (&one.id, one.message.kind)).collect();
                    format!("{reward} by {order} was decided {:?}: {all:?}", decided.value)
                };
                if found.len() > 1 + by_event && is_one {
                    told.wrong.push(format!("one verdict, two ids: {}", what()));
                }
                if is_one
                    && found.iter().any(|place| !kinds.contains(&told.stored[*place].message.kind))
                {
                    told.wrong.push(format!("another verdict was told: {}", what()));
                }
                let window = (at.saturating_sub(RUN), at);
                let text = what();
                let what = || text.clone();
                told.must(&what, window, &kinds, &found);
                if decided.milestone.is_some() && decided.value.is_some() {
                    let kind = MilestoneReached;
                    let found = told.about(&id, |one| one.message.kind == kind);
                    told.must(&what, window, &[kind], &found);
                }
            }
        }
    }

    /// Whatever was handed over was announced before.
    fn check_handed_over(&self, program: usize, told: &mut Told) {
        let mut first: BTreeMap<(String, RewardId), u64> = BTreeMap::new();
        let mut triggers = BTreeMap::new();
        let facts = self.ledger_facts(program);
        for one in &facts {
            let (key, Fact::Verdict(verdict)) = &**one else { continue };
            for decided in &verdict.rewards {
                triggers.insert((key.customer, key.order, decided.part()), decided.trigger);
            }
        }
        for one in &facts {
            let (key, Fact::Fulfilment(paid)) = &**one else { continue };
            if paid.entry.is_some() {
                continue;
            }
            let part = Part { role: paid.role, milestone: paid.milestone };
            let trigger = triggers.get(&(key.customer, key.order, part));
            let (Some(trigger), order) = (trigger, key.order) else { continue };
            let reward = match paid.milestone {
                None => RewardId::Order { order, role: paid.role },
                Some(at) => RewardId::Milestone { advocate: key.customer, trigger: *trigger, at },
            };
            let at = self.machine.kv.borrow().first_written_at(&key.to_string());
            let slot = first.entry((self.name(program, order), reward)).or_insert(at);
            *slot = at.min(*slot);
        }
        for ((order, reward), at) in first {
            let kind = RewardFulfilled;
            let found = told.about(&reward.to_string(), |one| one.message.kind == kind);
            let what = || format!("{reward} by {order} was handed over");
            told.must(&what, (at.saturating_sub(RUN), at), &[kind], &found);
        }
    }

    /// What the API shows of rewards that were decided is what their owner's merchant was told.
    pub(super) fn check_shown_is_told(&mut self, program: usize, orders: &[Answered]) {
        if self.mode == Mode::Beyond {
            return;
        }
        let mut told = self.told_of(program);
        let kinds =
            [ReviewRequested, RewardApproved, RewardFulfilled, RewardRefused, RewardReversed];
        let rewards = orders.iter().filter_map(|(_, order)| order["rewards"].as_array());
        for shown in rewards.flatten() {
            let (Some(status), Some(since)) = (shown["status"].as_str(), shown["since"].as_str())
            else {
                continue;
            };
            let is_provisional = matches!(shown["reason"].as_str(), Some("hold" | "checking"));
            if status == "pending" || is_provisional {
                continue;
            }
            let since: Instant = since.parse().unwrap();
            let id = shown["id"].as_str().unwrap();
            let found = told.about(id, |one| says(&one.message.data, shown));
            let all = told.about(id, |_| true);
            let all = all.iter().map(|place| Rc::clone(&told.stored[*place].message));
            let all: Vec<Rc<Message>> = all.collect();
            let what = || {
                let all = all.iter().map(|one| format!("{} {} {}", one.kind, one.at, one.data));
                format!("{shown} is shown; told were {:?}", all.collect::<Vec<_>>())
            };
            let now = self.now();
            let from = millis(since).min(now.saturating_sub(12 * DAY));
            told.must(&what, (from.max(self.began + DAY / 24), now), &kinds, &found);
        }
        for text in told.wrong {
            self.violate(text);
        }
    }
}

/// What was sent at all is sent until it is taken, or the schedule is over.
fn check_stubborn(told: &mut Told) {
    let mut wrong = Vec::new();
    for endpoint in told.endpoints.iter().filter(|one| told.open.contains(&one.id)) {
        for (id, all) in told.arrived.get(&endpoint.url).into_iter().flatten() {
            let is_over = all.len() >= BY_CRON
                || all.iter().any(|one| one.is_taken())
                || endpoint.was_away(all[0].at);
            if !is_over {
                let (tries, url) = (all.len(), &endpoint.url);
                wrong.push(format!("{id} was left after {tries} attempts to {url}"));
            }
        }
    }
    told.wrong.extend(wrong);
}

fn clock(millis: u64) -> Instant {
    Instant::from_seconds(i64::try_from(millis / SECOND).unwrap())
}

fn millis(instant: Instant) -> u64 {
    u64::try_from(instant.seconds()).unwrap() * SECOND
}

/// Whether a message says what a report was answered with. Who was erased, and ids that are locked up,
/// are left out.
fn is_answer(acked: &Value, told: &Value) -> bool {
    let names = ["attributed", "reason", "rewards", "proof", "proofs", "terms_version"];
    names.iter().all(|name| acked[*name] == told[*name])
}

/// Whether a message says of a reward what is shown. An end is no news.
fn says(told: &Value, shown: &Value) -> bool {
    let is_over = shown["status"] == "expired";
    let entries = |of: &Value| -> Vec<Value> {
        let entry = |entry: &Value| {
            serde_json::json!([entry["id"], entry["value"], entry["reason"], entry["since"]])
        };
        of["entries"].as_array().into_iter().flatten().map(entry).collect()
    };
    let same = ["for", "value", "reason"].iter().all(|name| told[*name] == shown[*name]);
    let stands = if is_over {
        matches!(told["status"].as_str(), Some("fulfilled" | "expired"))
    } else {
        told["status"] == shown["status"] && told["since"] == shown["since"]
    };
    same && stands && entries(told) == entries(shown)
}

/// Whether two bodies are the same, where a customer may have been erased in between.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    let Some(same) = other.get(name) else { return false };
                    let is_gone = name == "customer_id" && (value.is_null() || same.is_null());
                    is_gone || is_same(value, same)
                })
        }
        _ => one == other,
    }
}
