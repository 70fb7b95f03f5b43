//! Webhooks as merchants set them up: endpoints for all messages or for some, changed, removed and made
//! again while the story goes on. What is promised of them is checked in `checks/webhooks.rs`.

use std::rc::Rc;

use passalong_core::ids::Digest;
use passalong_core::webhook::{WebhookType, WebhookUrl, endpoint_id};
use passalong_edge::http::Request;
use passalong_edge::keys::{About, AttemptKey, EndpointKey, MessageKey};
use serde_json::{Value, json};

use crate::kv::Kv;
use crate::random::Random;
use crate::receivers::Arrived;
use crate::requests::request;
use crate::script::{Act, Ask, Receiver};
use crate::story::{DAY, MINUTE, Story, What};

/// Besides the bound: an isolate remembers endpoints for a minute, clocks differ, requests take time.
pub(crate) const LATITUDE: u64 = 4 * MINUTE;

/// A time in which an endpoint surely gets what is announced.
#[derive(Debug, Clone)]
pub struct Span {
    /// Empty for all.
    types: Vec<String>,
    from: u64,
    until: Option<u64>,
}

/// An endpoint as the merchant knows it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub program: usize,
    pub url: String,
    pub id: Digest,
    /// Those that were told.
    pub secrets: Vec<String>,
    /// Changes of the secret that were asked for.
    pub rotations: u32,
    pub spans: Vec<Span>,
    /// Times in which it may be disabled, because it had said that it is gone.
    pub disabled: Vec<(u64, u64)>,
    /// When it was enabled, as far as that was seen.
    enabled: Vec<u64>,
    /// Times in which it may be removed.
    gone: Vec<(u64, u64)>,
    /// Since when it may be removed.
    gone_since: Option<u64>,
    /// The types it was made for last.
    types: Vec<String>,
    pub removed: bool,
    changed: u64,
    busy: bool,
}

impl Endpoint {
    /// Whether a message of this type that is announced between these instants is surely for it.
    pub fn surely_gets(&self, kind: WebhookType, from: u64, until: u64) -> bool {
        let is_free = |(gone, again): &(u64, u64)| until < *gone || *again <= from;
        self.disabled.iter().all(is_free)
            && self.spans.iter().any(|span| {
                let wants =
                    span.types.is_empty() || span.types.iter().any(|one| one == kind.as_str());
                wants && span.from <= from && span.until.is_none_or(|end| until < end)
            })
    }

    /// It said that it is gone: it is disabled from now on, until it was enabled by somebody who could
    /// see that, and `quiet` later everybody knows it.
    pub fn is_gone(&mut self, at: u64, quiet: u64) {
        let again = self.enabled.iter().find(|enabled| **enabled > at + quiet);
        self.disabled.push((at, again.map_or(u64::MAX, |enabled| enabled + quiet)));
    }

    /// Whether it was not there for so long after then that what was on its way is given up.
    pub fn was_away(&self, since: u64) -> bool {
        let is_long = |(from, to): &(u64, u64)| *to > since && to - from > 7 * DAY;
        self.disabled.iter().chain(&self.gone).any(is_long)
    }

    /// What is announced from now on may not be for it.
    fn unsure(&mut self, now: u64) {
        for span in self.spans.iter_mut().filter(|span| span.until.is_none()) {
            span.until = Some(now);
        }
    }
}

/// What a merchant asks of an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    endpoint: usize,
    ask: Ask,
}

#[derive(Debug)]
pub(crate) struct Hooks {
    random: Random,
    pub made: Vec<Receiver>,
    pub endpoints: Vec<Endpoint>,
    asked: Vec<Asked>,
}

impl Default for Hooks {
    fn default() -> Self {
        let random = Random::new(0);
        Self { random, made: Vec::new(), endpoints: Vec::new(), asked: Vec::new() }
    }
}

impl Hooks {
    fn new_endpoint(&mut self, program: (usize, Digest), url: &str, types: &[String]) -> usize {
        self.endpoints.push(Endpoint {
            program: program.0,
            url: url.to_owned(),
            id: program.1,
            secrets: Vec::new(),
            rotations: 0,
            spans: Vec::new(),
            disabled: Vec::new(),
            enabled: Vec::new(),
            gone: Vec::new(),
            gone_since: None,
            types: types.to_vec(),
            removed: true,
            changed: 0,
            busy: false,
        });
        self.endpoints.len() - 1
    }

    /// A request leaves.
    pub fn begin(&mut self, asked: usize, now: u64) {
        let Asked { endpoint, ask } = self.asked[asked].clone();
        let endpoint = &mut self.endpoints[endpoint];
        endpoint.rotations += u32::from(ask == Ask::Rotate);
        if matches!(ask, Ask::Add(_) | Ask::Remove) {
            endpoint.unsure(now);
        }
        if ask == Ask::Remove {
            endpoint.gone_since.get_or_insert(now);
        }
    }
}

impl Story {
    /// Every program has an endpoint from the beginning, and some a second one for some messages only.
    pub(crate) fn begin_hooks(&mut self, seed: u64) {
        self.hooks.random = Random::new(seed ^ 0x686f_6f6b_735f_6172);
        let mut made = Vec::new();
        for program in 0..self.programs.len() {
            let id = self.programs[program].id.clone();
            let url = format!("https://{id}.example/hooks");
            let types =
                if self.hooks.random.permille(150) { self.some_types() } else { Vec::new() };
            made.push(Receiver { program, url, types });
            if self.hooks.random.permille(250) {
                let url = format!("https://erp.example/{id}?from=passalong");
                made.push(Receiver { program, url, types: self.some_types() });
            }
        }
        self.make_endpoints(made);
    }

    fn some_types(&mut self) -> Vec<String> {
        let all = WebhookType::ALL.iter().filter(|kind| **kind != WebhookType::Test);
        let all: Vec<String> = all.map(|kind| kind.as_str().to_owned()).collect();
        let chosen = all.into_iter().filter(|_| self.hooks.random.permille(350));
        let mut chosen: Vec<String> = chosen.collect();
        if chosen.is_empty() {
            chosen.push("reward.approved".to_owned());
        }
        chosen
    }

    /// Makes endpoints in peace; they are known everywhere when the story begins.
    pub(crate) fn make_endpoints(&mut self, made: Vec<Receiver>) {
        if made.is_empty() {
            return;
        }
        for Receiver { program, url, types } in &made {
            let endpoint = self.endpoint(*program, url, types);
            let body = json!({ "url": url, "types": types });
            let key = self.programs[*program].api_key.clone();
            let (status, answer) = self.ask(0, request("POST", "/v1/webhooks", &key, Some(&body)));
            assert_eq!(status, 201, "{answer}");
            let endpoint = &mut self.hooks.endpoints[endpoint];
            endpoint.secrets.push(answer["secret"].as_str().unwrap().to_owned());
            endpoint.removed = false;
            let may_never = types.len() == 1 && self.hooks.random.permille(300);
            self.machine.receivers.borrow_mut().open(url, self.machine.now.get(), may_never);
        }
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.now.set(self.now() + bound + 2 * MINUTE);
        let from = self.now();
        for endpoint in &mut self.hooks.endpoints {
            let types = endpoint.types.clone();
            endpoint.spans.push(Span { types, from, until: None });
        }
        self.hooks.made = made;
    }

    fn endpoint(&mut self, program: usize, url: &str, types: &[String]) -> usize {
        let is_it = |one: &Endpoint| one.program == program && one.url == url;
        if let Some(known) = self.hooks.endpoints.iter().position(is_it) {
            return known;
        }
        let parsed = WebhookUrl::parse(url, false).unwrap();
        let id = endpoint_id(&self.programs[program].keys, &parsed);
        self.hooks.new_endpoint((program, id), url, types)
    }

    /// Now and then a merchant changes an endpoint.
    pub(crate) fn tend_hooks(&mut self, program: usize) {
        if !self.hooks.random.permille(15) {
            return;
        }
        let own = (0..self.hooks.endpoints.len())
            .filter(|index| self.hooks.endpoints[*index].program == program);
        let own: Vec<usize> = own.collect();
        if own.is_empty() {
            return;
        }
        let index = self.hooks.random.pick(&own);
        if !self.is_at_peace(index) {
            return;
        }
        let ask = if self.hooks.endpoints[index].removed {
            Ask::Add(if self.hooks.random.permille(300) { self.some_types() } else { Vec::new() })
        } else {
            match self.hooks.random.below(10) {
                0..2 => Ask::Add(self.some_types()),
                2..4 => Ask::Add(Vec::new()),
                4..6 => Ask::Remove,
                6 => Ask::Rotate,
                7 => Ask::Replay,
                _ => Ask::Enable,
            }
        };
        self.webhook(index, ask);
    }

    /// Nothing of an endpoint is on its way: no change, and no answer that disables it.
    fn is_at_peace(&self, index: usize) -> bool {
        let endpoint = &self.hooks.endpoints[index];
        let arrived = &self.machine.receivers.borrow().arrived;
        let is_gone = |one: &&Rc<Arrived>| one.url == endpoint.url && one.answer == Ok(410);
        let last_gone = arrived.iter().rev().find(is_gone).map_or(0, |one| one.at);
        let bound = self.machine.kv.borrow().staleness.bound;
        !endpoint.busy && self.now() > endpoint.changed.max(last_gone) + bound + LATITUDE
    }

    fn webhook(&mut self, endpoint: usize, ask: Ask) {
        self.hooks.endpoints[endpoint].busy = true;
        self.hooks.asked.push(Asked { endpoint, ask });
        self.errand(What::Webhook(self.hooks.asked.len() - 1), None, 0);
    }

    /// Before a story ends its receivers work again, and most of those that were gone are enabled.
    pub(crate) fn mend_hooks(&mut self) {
        self.machine.receivers.borrow_mut().mended = true;
        for index in 0..self.hooks.endpoints.len() {
            if self.hooks.random.permille(800) && !self.hooks.endpoints[index].removed {
                self.hooks.asked.push(Asked { endpoint: index, ask: Ask::Enable });
                let what = What::Webhook(self.hooks.asked.len() - 1);
                let bound = self.machine.kv.borrow().staleness.bound;
                self.errand(what, None, bound + LATITUDE);
            }
        }
    }

    pub(crate) fn ask_webhook(&mut self, program: usize, url: &str, ask: Ask) -> What {
        let types = match &ask {
            Ask::Add(types) => types.clone(),
            _ => Vec::new(),
        };
        let endpoint = self.endpoint(program, url, &types);
        self.hooks.asked.push(Asked { endpoint, ask });
        What::Webhook(self.hooks.asked.len() - 1)
    }

    pub(crate) fn act_of_webhook(&self, asked: usize) -> (usize, Act) {
        let Asked { endpoint, ask } = self.hooks.asked[asked].clone();
        let endpoint = &self.hooks.endpoints[endpoint];
        (endpoint.program, Act::Webhook { url: endpoint.url.clone(), ask })
    }

    pub(crate) fn webhook_request(&self, asked: usize) -> Request {
        let Asked { endpoint, ask } = &self.hooks.asked[asked];
        let endpoint = &self.hooks.endpoints[*endpoint];
        let path = format!("/v1/webhooks/ep_{}", endpoint.id);
        let since = i64::try_from(self.began / 1_000).unwrap();
        let since = passalong_core::time::Instant::from_seconds(since);
        let (method, path, body) = match ask {
            Ask::Add(types) => {
                let body = json!({ "url": endpoint.url, "types": types });
                ("POST", "/v1/webhooks".to_owned(), Some(body))
            }
            Ask::Remove => ("DELETE", path, None),
            Ask::Enable => ("POST", format!("{path}/enable"), Some(json!({}))),
            Ask::Rotate => ("POST", format!("{path}/rotate"), Some(json!({ "overlap_hours": 24 }))),
            Ask::Replay => ("POST", format!("{path}/replay"), Some(json!({ "since": since }))),
        };
        request(method, &path, &self.programs[endpoint.program].api_key, body.as_ref())
    }

    pub(crate) fn hear_webhook(&mut self, asked: usize, status: u16, body: &Value) {
        let now = self.now();
        let bound = self.machine.kv.borrow().staleness.bound;
        let Asked { endpoint: index, ask } = self.hooks.asked[asked].clone();
        let endpoint = &mut self.hooks.endpoints[index];
        endpoint.busy = false;
        let secret = body["secret"].as_str().map(str::to_owned);
        endpoint.secrets.extend(secret.filter(|secret| !endpoint.secrets.contains(secret)));
        let is_right = match &ask {
            Ask::Add(types) => {
                let from = now + bound + LATITUDE;
                endpoint.spans.push(Span { types: types.clone(), from, until: None });
                endpoint.gone.extend(endpoint.gone_since.take().map(|since| (since, from)));
                endpoint.types.clone_from(types);
                (endpoint.removed, endpoint.changed) = (false, now);
                matches!(status, 200 | 201)
            }
            // Another try may have removed it.
            Ask::Remove => {
                (endpoint.removed, endpoint.changed) = (true, now);
                matches!(status, 204 | 404)
            }
            Ask::Rotate => status == 200,
            Ask::Enable if status == 200 => {
                endpoint.enabled.push(now);
                endpoint.changed = now;
                true
            }
            // It may be removed, or disabled, just now.
            Ask::Enable | Ask::Replay => {
                endpoint.changed = now;
                matches!(status, 200 | 404 | 409)
            }
        };
        if !is_right {
            self.violate(format!("{ask:?} of an endpoint was answered with {status}: {body}"));
        }
    }

    /// When the next attempt is due that can be made.
    pub(crate) fn hooks_due(&self, kv: &Kv, now: u64) -> Option<u64> {
        let mut first: Option<u64> = None;
        let mut is_open: Option<Vec<Digest>> = None;
        for (key, _) in kv.standing("todo.outbox/", now) {
            let key: AttemptKey = key.parse().unwrap();
            let at = u64::try_from(key.at.start().seconds()).unwrap() * 1_000;
            if first.is_some_and(|first| first <= at) {
                continue;
            }
            let open = is_open.get_or_insert_with(|| self.open_endpoints(kv, now));
            // What was cut off before it was announced points to nothing.
            let (program, message) = (key.program.clone(), key.message);
            let message = MessageKey { program, message }.to_string();
            if open.contains(&key.endpoint) && kv.standing(&message, now).next().is_some() {
                first = Some(at);
            }
        }
        first
    }

    /// Endpoints that stand and are enabled.
    pub(crate) fn open_endpoints(&self, kv: &Kv, now: u64) -> Vec<Digest> {
        let mut open = Vec::new();
        let mut disabled = Vec::new();
        for of in &self.programs {
            for (key, _) in kv.standing(&EndpointKey::prefix(&[of.keys.program()]), now) {
                let Ok(EndpointKey { endpoint, .. }) = key.parse() else { continue };
                match endpoint.about {
                    About::Itself => open.push(endpoint.id),
                    About::Disabled => disabled.push(endpoint.id),
                    About::Rotated(_) => {}
                }
            }
        }
        open.retain(|id| !disabled.contains(id));
        open
    }
}
