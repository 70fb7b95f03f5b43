//! Coupons: merchants fill pools, send the same codes again, and run out of them; the cron draws.
//! What must come of it is computed here from everything that was ever written, and from nothing
//! of what core says about it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use passalong_core::fact::{Fact, Verdict};
use passalong_core::ids::{CustomerPseudonym, Digest, OrderPseudonym};
use passalong_core::reward::{Label, RewardId, Role};
use passalong_core::seal::Sealed;
use passalong_core::time::{Minute, SETTLE};
use passalong_edge::http::Request;
use passalong_edge::keys::{LedgerKey, QueueKey, UploadKey};
use passalong_edge::orders::in_a_ledger;
use passalong_edge::store::Entry;
use serde_json::{Value, json};

use crate::machine::{ISOLATES, LOCATIONS};
use crate::random::Random;
use crate::requests::request;
use crate::story::{Mode, Story, What};

pub(crate) const POOLS: [&str; 2] = ["tee-2026", "Geschenke / gro\u{df}"];

/// An upload as it was sent, however often.
#[derive(Debug, Clone)]
pub struct Upload {
    pub program: usize,
    pub pool: &'static str,
    pub codes: Vec<String>,
    pub sent: bool,
    pub acked: bool,
}

/// Lets some of the rules give coupons.
pub fn deliver(random: &mut Random, rules: &mut [Value]) {
    for rule in rules.iter_mut().filter(|rule| rule["for"] == "advocate") {
        if rule["trigger"] == "action" || !random.permille(400) {
            continue;
        }
        if rule["value"]["kind"] == "percent_of_order" {
            rule["value"] = json!({ "kind": "credit", "amount": 500 });
            rule.as_object_mut().unwrap().remove("tiers");
        }
        if rule["value"]["kind"] == "storage_bytes" {
            rule["cap"] = Value::Null;
        }
        rule["delivery"] = json!("coupon");
        rule["pool"] = json!(random.pick(&POOLS));
    }
}

/// A code that a reward was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Given {
    reward: RewardId,
    since: Minute,
    code: String,
}

impl Story {
    /// Now and then somebody looks after a pool.
    pub(crate) fn tend_pools(&mut self, program: usize) {
        if self.random.permille(20) {
            let pool = self.random.pick(&POOLS);
            self.errand(What::Pool { program, pool }, None, 0);
        }
        if self.random.permille(40) {
            let pool = self.random.pick(&POOLS);
            self.fill(program, pool);
        }
    }

    /// The last codes come before the story ends, or not.
    pub(crate) fn fill_at_the_end(&mut self) {
        for program in 0..self.programs.len() {
            for pool in POOLS {
                if self.random.permille(500) {
                    self.fill(program, pool);
                }
            }
        }
    }

    fn fill(&mut self, program: usize, pool: &'static str) {
        let mut codes = Vec::new();
        for _ in 0..self.random.between(1, 6) {
            // Some codes are in several files.
            let own = self.uploads.iter().filter(|one| one.program == program && one.pool == pool);
            let known: Vec<String> = own.flat_map(|one| one.codes.clone()).collect();
            if !known.is_empty() && self.random.permille(250) {
                codes.push(self.random.pick(&known));
            } else {
                self.codes += 1;
                codes.push(format!("TEE-{}", self.codes));
            }
        }
        self.uploads.push(Upload { program, pool, codes, sent: false, acked: false });
        let index = self.uploads.len() - 1;
        let wait = self.random.below(2_000);
        self.errand(What::Upload(index), None, wait);
        if self.random.permille(200) {
            self.errand(What::Upload(index), None, wait);
        }
    }

    pub(crate) fn keep_upload(
        &mut self,
        program: usize,
        pool: &'static str,
        codes: Vec<String>,
    ) -> usize {
        let is_it =
            |known: &Upload| (known.program, known.pool) == (program, pool) && known.codes == codes;
        self.uploads.iter().position(is_it).unwrap_or_else(|| {
            self.uploads.push(Upload { program, pool, codes, sent: false, acked: false });
            self.uploads.len() - 1
        })
    }

    pub(crate) fn upload_request(&self, index: usize) -> Request {
        let upload = &self.uploads[index];
        let body = format!("code\r\n{}\r\n", upload.codes.join("\r\n"));
        let mut sent = self.pool_request(self.uploads[index].program, self.uploads[index].pool);
        "POST".clone_into(&mut sent.method);
        sent.body = Ok(body.into_bytes());
        sent
    }

    pub(crate) fn pool_request(&self, program: usize, pool: &str) -> Request {
        let name = pool.replace('/', "%2F").replace(' ', "%20").replace('\u{df}', "%C3%9F");
        request("GET", &format!("/v1/pools/{name}"), &self.programs[program].api_key, None)
    }

    pub(crate) fn hear_upload(&mut self, index: usize, status: u16, body: &Value) {
        let upload = &mut self.uploads[index];
        let different: BTreeSet<&String> = upload.codes.iter().collect();
        let counted = body["added"].as_u64().unwrap_or(0) + body["known"].as_u64().unwrap_or(0);
        upload.acked |= status == 200;
        if status != 200 || counted != different.len() as u64 {
            self.violate(format!("an upload was answered with {status}: {body}"));
        }
    }

    /// The coupon of a reward, once shown, is that reward's for good.
    pub(crate) fn check_coupon(&mut self, program: usize, reward: &Value) {
        let (Some(id), Some(code)) = (reward["id"].as_str(), reward["coupon"].as_str()) else {
            return;
        };
        let known = self.shown.entry((program, id.to_owned())).or_insert_with(|| code.to_owned());
        if known != code && self.mode == Mode::Inside {
            let text = format!("the coupon of {id} was {known}, and is {code}");
            self.violate(text);
        }
    }

    /// Every code went where it must, once, and nobody waits while there is one.
    pub(crate) fn check_coupons(&mut self, program: usize) {
        let mut wrong = Vec::new();
        let given = self.given(program);
        let mut expected: BTreeSet<Given> = BTreeSet::new();
        for pool in POOLS {
            wrong.extend(self.lost_uploads(program, pool));
            let (queue, codes) = (self.standing_in(program, pool), self.codes_in(program, pool));
            let pairs = queue.iter().zip(&codes).map(|((since, reward), (uploaded, code))| Given {
                reward: *reward,
                since: (*since).max(*uploaded).plus(SETTLE),
                code: code.clone(),
            });
            expected.extend(pairs);
            wrong.extend(self.miscounted(program, pool, queue.len(), codes.len()));
        }
        // Beyond the bound an early place or code can come to light late.
        if self.mode == Mode::Inside {
            let (mut of_code, mut of_reward) = (BTreeMap::new(), BTreeMap::new());
            for one in &given {
                if let Some(other) = of_code.insert(&one.code, one) {
                    wrong.push(format!("a coupon was given twice: {other:?} and {one:?}"));
                }
                if let Some(other) = of_reward.insert(one.reward, one) {
                    wrong.push(format!("a reward got two coupons: {other:?} and {one:?}"));
                }
                if !expected.contains(one) {
                    wrong.push(format!("a coupon was drawn out of turn: {one:?}"));
                }
            }
            wrong.extend(self.waiting(program, &expected));
        }
        let (all, waits) = (u32::try_from(given.len()).unwrap(), expected.len() > given.len());
        *self.decided.entry("coupon given".to_owned()).or_default() += all;
        *self.decided.entry("coupon given to nobody".to_owned()).or_default() += u32::from(waits);
        for text in wrong {
            self.violate(text);
        }
    }

    /// Everything that was ever handed over with a coupon.
    fn given(&mut self, program: usize) -> BTreeSet<Given> {
        let of = &self.programs[program];
        let id = of.keys.program();
        let (mut given, mut unknown) = (BTreeSet::new(), Vec::new());
        for told in self.ledger_facts(program) {
            let (key, Fact::Fulfilment(fact)) = &*told else { continue };
            if !fact.coupon {
                continue;
            }
            let (order, advocate) = (key.order, key.customer);
            let reward = match fact.milestone {
                None => RewardId::Order { order, role: fact.role },
                Some(at) => self.milestone(program, advocate, order, at),
            };
            let code = of.keys.open(Sealed::Coupon, &fact.sealed).unwrap_or_default();
            let knows = |upload: &Upload| upload.sent && upload.codes.contains(&code);
            if !self.uploads.iter().any(|upload| upload.program == program && knows(upload)) {
                unknown.push(format!("{id} gave a coupon that nobody uploaded: {code:?}"));
            }
            given.insert(Given { reward, since: key.fact.accepted, code });
        }
        for text in unknown {
            self.violate(text);
        }
        given
    }

    pub(crate) fn ledger_facts(&self, program: usize) -> Vec<Rc<(LedgerKey, Fact)>> {
        let prefix = LedgerKey::prefix(&[self.programs[program].keys.program()]);
        let kv = self.machine.kv.borrow();
        let fact = |entry: Entry| {
            let told = entry.once(in_a_ledger);
            assert!(told.is_some() || entry.key.parse::<LedgerKey>().is_ok(), "{entry:?}");
            told
        };
        kv.ever_listed(&prefix).filter_map(fact).collect()
    }

    fn milestone(
        &self,
        program: usize,
        advocate: CustomerPseudonym,
        order: OrderPseudonym,
        at: u32,
    ) -> RewardId {
        let facts = self.ledger_facts(program);
        let verdicts = facts.iter().filter_map(|told| match &**told {
            (key, Fact::Verdict(verdict)) if key.order == order => Some(verdict),
            _ => None,
        });
        let mut bonus = verdicts.flat_map(|it| &it.rewards).filter(|one| one.milestone == Some(at));
        let trigger = bonus.next().map(|one| one.trigger).unwrap();
        RewardId::Milestone { advocate, trigger, at }
    }

    fn pool_of(&self, program: usize, pool: &str) -> Digest {
        self.programs[program].keys.pool(&pool.parse::<Label>().unwrap())
    }

    /// The queue of a pool, each reward once.
    fn standing_in(&self, program: usize, pool: &str) -> Vec<(Minute, RewardId)> {
        let name = self.pool_of(program, pool);
        let prefix = QueueKey::prefix(&[self.programs[program].keys.program(), &name]);
        let kv = self.machine.kv.borrow();
        let keys = kv.ever(&prefix).map(|(key, _)| key.parse::<QueueKey>().unwrap());
        let mut first: BTreeMap<RewardId, Minute> = BTreeMap::new();
        for key in keys {
            let since = first.entry(key.reward).or_insert(key.since);
            *since = (*since).min(key.since);
        }
        let mut queue: Vec<_> = first.into_iter().map(|(reward, since)| (since, reward)).collect();
        queue.sort_unstable();
        queue
    }

    /// The codes of a pool, each once, with the minute of its upload.
    fn codes_in(&self, program: usize, pool: &str) -> Vec<(Minute, String)> {
        let of = &self.programs[program];
        let name = self.pool_of(program, pool);
        let prefix = UploadKey::prefix(&[of.keys.program(), &name]);
        let kv = self.machine.kv.borrow();
        let mut uploads: BTreeMap<FactOrder, Vec<String>> = BTreeMap::new();
        for (key, put) in kv.ever(&prefix) {
            let key: UploadKey = key.parse().unwrap();
            let sealed: Vec<String> = serde_json::from_str(&put.value).unwrap();
            let codes = sealed.iter().map(|code| of.keys.open(Sealed::Coupon, code).unwrap());
            uploads.insert((key.accepted, key.digest), codes.collect());
        }
        let mut codes: Vec<(Minute, String)> = Vec::new();
        for ((accepted, _), more) in uploads {
            for code in more {
                if !codes.iter().any(|(_, known)| *known == code) {
                    codes.push((accepted, code));
                }
            }
        }
        codes
    }

    /// What was acknowledged and is not there.
    fn lost_uploads(&self, program: usize, pool: &str) -> Vec<String> {
        let codes = self.codes_in(program, pool);
        let stands = |code: &&String| codes.iter().any(|(_, known)| known == *code);
        let own = self.uploads.iter().filter(|one| one.program == program && one.pool == pool);
        let acked = own.filter(|upload| upload.acked).flat_map(|upload| &upload.codes);
        let lost = acked.filter(|code| !stands(code));
        lost.map(|code| format!("the coupon {code} was acknowledged and is not there")).collect()
    }

    /// What the merchant reads of a pool, at every location.
    fn miscounted(
        &mut self,
        program: usize,
        pool: &'static str,
        queue: usize,
        codes: usize,
    ) -> Vec<String> {
        let assigned = queue.min(codes);
        let expected = [codes, assigned, codes - assigned, queue - assigned];
        let mut wrong = Vec::new();
        for location in 0..LOCATIONS {
            let (status, body) = self.ask(location * ISOLATES, self.pool_request(program, pool));
            let told = ["uploaded", "assigned", "left", "waiting"].map(|name| body[name].as_u64());
            if status != 200 || told != expected.map(|count| Some(count as u64)) {
                wrong.push(format!("the pool of coupons {body} is {expected:?}"));
            }
        }
        wrong
    }

    /// Whoever waits although it is their turn, or stands in no queue.
    fn waiting(&mut self, program: usize, expected: &BTreeSet<Given>) -> Vec<String> {
        let mut wrong = Vec::new();
        for told in self.ledger_facts(program) {
            let (key, Fact::Verdict(Verdict { rewards, .. })) = &*told else { continue };
            let (advocate, order) = (key.customer, key.order);
            let pooled = rewards.iter().filter(|one| one.pool.is_some() && one.value.is_some());
            let pooled: Vec<_> = pooled.copied().collect();
            if pooled.is_empty() {
                continue;
            }
            let name = self.name(program, order);
            let (_, story) = self.merchant(program, 0, &format!("/v1/conversions/{name}"));
            for one in pooled {
                let id = match one.milestone {
                    None => RewardId::Order { order, role: Role::Advocate },
                    Some(at) => RewardId::Milestone { advocate, trigger: one.trigger, at },
                };
                let rewards = story["rewards"].as_array().cloned().unwrap_or_default();
                let told = rewards.iter().find(|reward| reward["id"] == id.to_string());
                let Some(told) = told else { continue };
                let drawn = expected.iter().find(|given| given.reward == id);
                let pool = one.pool.unwrap();
                let stands = self.standing_in(program, pool.as_str());
                let stands = stands.iter().any(|(_, reward)| *reward == id);
                match told["status"].as_str().unwrap_or_default() {
                    "approved" if drawn.is_some() => {
                        wrong.push(format!("its coupon never came: {told}"));
                    }
                    "approved" if !stands => {
                        wrong.push(format!("approved, and not in the queue for a coupon: {told}"));
                    }
                    // Nobody loses what was never handed over.
                    "expired" if drawn.is_none() => {
                        wrong.push(format!("expired before it was handed over: {told}"));
                    }
                    "fulfilled" | "expired"
                        if told["coupon"].as_str() != drawn.map(|it| it.code.as_str()) =>
                    {
                        wrong.push(format!("the coupon shown is not the one drawn: {told}"));
                    }
                    _ => {}
                }
                if told["overpaid"].is_array() {
                    wrong.push(format!("a coupon was handed over besides: {told}"));
                }
            }
        }
        wrong
    }

    /// What an advocate sees is what the merchant sees.
    pub(crate) fn check_coupons_shown(&mut self, program: usize) {
        for advocate in self.programs[program].advocates.clone() {
            let target = format!("/v1/rewards?customer_id={advocate}");
            let told = self.merchant(program, 0, &target).1;
            let me = self.me(program, 0, &advocate).1;
            let coupon = |reward: &Value| {
                let coupon = reward["coupon"].as_str()?.to_owned();
                Some((reward["id"].as_str()?.to_owned(), coupon))
            };
            let told: BTreeSet<_> =
                told["rewards"].as_array().into_iter().flatten().filter_map(coupon).collect();
            let referrals = me["referrals"].as_array().into_iter().flatten();
            let shown: BTreeSet<_> = referrals
                .flat_map(|it| [&it["reward"], &it["bonus"], &it["before"]["reward"]])
                .filter_map(coupon)
                .collect();
            // The page of an advocate ends sooner, and a bonus can hide that of a sign-up.
            let all = me["more"].is_null();
            if !shown.is_subset(&told) || (all && shown.len() + 1 < told.len()) {
                self.violate(format!("{advocate} sees the coupons {shown:?}, and not {told:?}"));
            }
        }
    }
}

type FactOrder = (Minute, Digest);
