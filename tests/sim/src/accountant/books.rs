//! The books of one program: what was asked for and acknowledged, put in order. What was sent and
//! not refused may stand; what was acknowledged stands.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::terms::Terms;
use super::wire::{Pseudonym, Who, list, number, of_code, text, texts, time, typed};

/// Clocks are so many seconds off.
const CLOCK: i64 = 3;
/// Besides: what is accepted counts from the end of its minute.
const MINUTE: i64 = 60;
/// New terms hold so long after they were accepted.
const TERMS_AFTER: i64 = 600;
/// The end of time.
pub const NEVER: i64 = i64::MAX / 4;

/// A request and its answer, if it ever came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub program: String,
    pub by: Who,
    pub method: String,
    pub path: String,
    pub body: Value,
    pub sent: i64,
    /// Status and body.
    pub heard: Option<(u16, Rc<Value>)>,
}

impl Asked {
    fn is_acknowledged(&self) -> bool {
        self.heard.as_ref().is_some_and(|(status, _)| (200..300).contains(status))
    }

    /// Only a 4xx says that nothing was kept.
    fn may_stand(&self) -> bool {
        self.heard.as_ref().is_none_or(|(status, _)| !(400..500).contains(status))
    }

    pub fn answer(&self) -> Option<&Value> {
        self.heard.as_ref().filter(|_| self.is_acknowledged()).map(|(_, body)| &**body)
    }
}

/// All tries of one thing: whether it stands, and when it was accepted.
#[derive(Debug, Clone)]
pub struct Tries {
    pub may_stand: bool,
    pub stands: bool,
    pub earliest: i64,
    pub latest: i64,
}

impl Default for Tries {
    fn default() -> Self {
        Self { may_stand: false, stands: false, earliest: NEVER, latest: NEVER }
    }
}

impl Tries {
    fn add(&mut self, asked: &Asked) {
        if asked.may_stand() {
            self.may_stand = true;
            self.earliest = self.earliest.min(asked.sent - CLOCK);
        }
        if asked.is_acknowledged() {
            self.stands = true;
            self.latest = self.latest.min(asked.sent + CLOCK + MINUTE);
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Report {
    pub content: Value,
    pub kind: String,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub customer: Option<String>,
    pub hints: BTreeSet<String>,
    pub first_order: Option<bool>,
    pub occurred_at: i64,
    pub segment: Option<String>,
    pub action: Option<String>,
    /// Number, category and amount.
    pub items: Vec<(String, Option<String>, i64)>,
    pub order_number: Option<String>,
    /// By what, and its text.
    pub proofs: Vec<(String, String)>,
    /// Only the buyer's browser said so.
    pub from_browser: bool,
    pub tries: Tries,
}

impl Report {
    fn read(json: &Value, from_browser: bool) -> Self {
        let names = ["token", "code", "alias", "coupon"];
        let all = list(json, "proofs").chain([json]);
        let proofs = all.flat_map(|one| {
            names.into_iter().filter_map(|name| Some((name.to_owned(), text(one, name)?)))
        });
        let items = list(json, "items").map(|item| {
            let sku = text(item, "sku").unwrap_or_default();
            (sku, text(item, "category"), number(item, "amount").unwrap_or(0))
        });
        Self {
            kind: text(json, "kind").unwrap_or_default(),
            amount: number(json, "amount"),
            currency: text(json, "currency"),
            customer: text(json, "customer_id"),
            hints: texts(&json["hints"]),
            first_order: json["first_order"].as_bool(),
            occurred_at: time(json, "occurred_at").unwrap_or(0),
            segment: text(json, "segment"),
            action: text(json, "action"),
            items: items.collect(),
            order_number: text(json, "order_number"),
            proofs: proofs.collect(),
            from_browser,
            tries: Tries::default(),
            content: json.clone(),
        }
    }

    /// Whether both name the same friend.
    pub fn overlaps(&self, other: &Self) -> bool {
        let same = self.customer.is_some() && self.customer == other.customer;
        same || !self.hints.is_disjoint(&other.hints)
    }
}

#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub amount: i64,
    pub undoes: Option<String>,
    pub tries: Tries,
}

impl Event {
    pub fn undoes_all(&self) -> bool {
        matches!(self.kind.as_str(), "cancelled" | "withdrawn" | "chargeback")
    }

    pub fn is_reversal(&self) -> bool {
        self.undoes_all() || self.kind == "refunded"
    }
}

/// A hint that was named together with a customer.
#[derive(Debug, Clone)]
pub struct Tie {
    pub customer: String,
    pub hint: String,
    /// Since when at the latest; the end of time where it may never have been kept.
    pub since: i64,
    /// By an identity token: the shop itself vouches for it.
    pub confirmed: bool,
}

#[derive(Debug, Default)]
pub struct Books<'a> {
    /// By order: its reports that may stand.
    pub reports: BTreeMap<String, Vec<Report>>,
    pub events: BTreeMap<String, Vec<Event>>,
    pub terms: Vec<Terms>,
    pub ties: Vec<Tie>,
    pub names: BTreeMap<Pseudonym, String>,
    /// By alias, who may have chosen it.
    pub aliases: BTreeMap<String, BTreeSet<String>>,
    /// By order, or the number that people see: who says that it was theirs to refer.
    pub missing: BTreeMap<String, BTreeSet<String>>,
    /// Rewards of which the merchant may have said `approve`, by whom it was said of, and how often
    /// anything was decided.
    pub approved: BTreeMap<String, BTreeMap<Option<String>, Tries>>,
    pub reviewed: u32,
    /// By customer: when an erasure was sent, each time.
    pub erased: BTreeMap<String, Vec<i64>>,
    /// By order: whose the answers say it is.
    pub advocates: BTreeMap<String, BTreeSet<String>>,
    /// Everything like a reward in an answer, in the order in which it was heard.
    pub seen: Vec<&'a Value>,
}

impl<'a> Books<'a> {
    pub fn of(program: &str, all: &'a [Asked], names: &BTreeMap<Pseudonym, String>) -> Self {
        let mut books = Self { names: names.clone(), ..Self::default() };
        for asked in all.iter().filter(|asked| asked.program == program) {
            books.enter(asked);
        }
        for reports in books.reports.values_mut() {
            reports.retain(|report| report.tries.may_stand);
        }
        for events in books.events.values_mut() {
            events.retain(|event| event.tries.may_stand);
        }
        books
    }

    fn enter(&mut self, asked: &'a Asked) {
        let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("POST", ["v1", "conversions"]) => self.report(asked, &asked.body, false),
            ("POST", ["v1", "signed", "conversions"]) => {
                let conversion = asked.body.get("conversion").unwrap_or(&asked.body);
                self.report(asked, conversion, true);
            }
            ("POST", ["v1", "conversions", order, "events"]) => self.event(asked, order),
            ("POST", ["v1", "programs"]) => {
                let begun = asked.answer().map(|answer| &answer["program"]);
                let at = begun.and_then(|program| time(program, "valid_from"));
                if let (Some(program), Some(at)) = (begun, at) {
                    // Whom a coupon names is said by whoever lists it.
                    let mut program = program.clone();
                    if let Some(coupons) = asked.body.get("coupons") {
                        program["coupons"] = coupons.clone();
                    }
                    self.terms.push(Terms::read(&program, at, at));
                }
            }
            ("PUT", ["v1", "program"]) if asked.may_stand() => self.change(asked),
            ("POST", ["v1", "rewards", id, "review"]) => {
                self.reviewed += 1;
                if asked.may_stand() && asked.body["decision"] == "approve" {
                    let all = self.approved.entry((*id).to_owned()).or_default();
                    all.entry(text(&asked.body, "customer_id")).or_default().add(asked);
                }
            }
            ("POST", ["v1", "customers", "erase"]) if asked.may_stand() => {
                if let Some(id) = text(&asked.body, "customer_id") {
                    self.erased.entry(id).or_default().push(asked.sent);
                }
            }
            ("POST", ["v1", "codes"]) => {
                for link in asked.answer().into_iter().flat_map(|answer| list(answer, "links")) {
                    self.name(text(link, "customer_id"), link);
                }
            }
            (_, ["v1", "me", rest @ ..]) => self.customer(asked, rest.first().copied()),
            _ => {}
        }
        if let Some(answer) = asked.answer() {
            self.see(answer, &parts);
        }
    }

    fn report(&mut self, asked: &Asked, json: &Value, from_browser: bool) {
        let Some(order) = text(json, "order_id") else { return };
        let known = self.reports.entry(order).or_default();
        let place = known.iter().position(|report| report.content == *json);
        let place = place.unwrap_or_else(|| {
            known.push(Report::read(json, from_browser));
            known.len() - 1
        });
        let report = &mut known[place];
        report.from_browser &= from_browser;
        report.tries.add(asked);
        if asked.may_stand() {
            let (customer, since) = (report.customer.clone(), report.tries.latest);
            let hints = report.hints.clone();
            self.tie(customer, &hints, since, false);
        }
    }

    fn tie(&mut self, customer: Option<String>, hints: &BTreeSet<String>, since: i64, sure: bool) {
        let Some(customer) = customer else { return };
        for hint in hints {
            let (customer, hint) = (customer.clone(), hint.clone());
            self.ties.push(Tie { customer, hint, since, confirmed: sure });
        }
    }

    fn event(&mut self, asked: &Asked, order: &str) {
        let json = &asked.body;
        let event = Event {
            id: text(json, "event_id").unwrap_or_default(),
            kind: text(json, "type").unwrap_or_default(),
            amount: number(json, "amount").unwrap_or(0),
            undoes: text(json, "undoes"),
            tries: Tries::default(),
        };
        let same = |other: &Event| {
            (&other.id, &other.kind, other.amount, &other.undoes)
                == (&event.id, &event.kind, event.amount, &event.undoes)
        };
        let known = self.events.entry(order.to_owned()).or_default();
        let place = known.iter().position(same).unwrap_or(known.len());
        if place == known.len() {
            known.push(event);
        }
        known[place].tries.add(asked);
    }

    fn change(&mut self, asked: &Asked) {
        let earliest = asked.sent + TERMS_AFTER - CLOCK;
        let usual = earliest..=asked.sent + TERMS_AFTER + MINUTE + CLOCK;
        // What was known already is answered with when it began.
        let said = asked.answer().and_then(|answer| time(answer, "valid_from"));
        let latest = said.filter(|at| usual.contains(at)).map_or(NEVER, |_| *usual.end());
        self.terms.push(Terms::read(&asked.body, earliest, latest));
    }

    fn name(&mut self, customer: Option<String>, said: &Value) {
        let code = text(said, "code").and_then(|code| of_code(&code));
        if let (Some(customer), Some(code)) = (customer, code) {
            self.names.insert(code, customer);
        }
    }

    fn customer(&mut self, asked: &Asked, what: Option<&str>) {
        let Who::Customer { id, hints } = &asked.by else { return };
        // A request without an answer may have told of its hints, and so may the choice of an alias: the
        // same choice again tells of none.
        let is_sure = asked.is_acknowledged() && what != Some("alias");
        let since = if is_sure { asked.sent + CLOCK + MINUTE } else { NEVER };
        if asked.may_stand() && matches!(what, None | Some("claims" | "alias")) {
            self.tie(Some(id.clone()), hints, since, true);
        }
        match what {
            None => {
                let answer = asked.answer().unwrap_or(&Value::Null);
                self.name(Some(id.clone()), answer);
                self.alias(id, answer);
            }
            Some("alias") if asked.may_stand() => {
                self.alias(id, &asked.body);
                self.alias(id, asked.answer().unwrap_or(&Value::Null));
            }
            Some("claims") if asked.method == "POST" && asked.may_stand() => {
                for name in ["order_id", "order_number"] {
                    if let Some(order) = text(&asked.body, name) {
                        self.missing.entry(order).or_default().insert(id.clone());
                    }
                }
            }
            _ => {}
        }
    }

    fn alias(&mut self, customer: &str, said: &Value) {
        if let Some(alias) = text(said, "alias") {
            self.aliases.entry(typed(&alias)).or_default().insert(customer.to_owned());
        }
    }

    fn see(&mut self, answer: &'a Value, parts: &[&str]) {
        self.seen.extend(list(answer, "rewards"));
        if let ["v1", "rewards", _, _] = parts {
            self.seen.push(answer);
        }
        let order = text(answer, "order_id").filter(|_| parts.get(1) == Some(&"conversions"));
        if let (Some(order), Some(customer)) = (order, text(&answer["advocate"], "customer_id")) {
            self.advocates.entry(order).or_default().insert(customer);
        }
        for reward in list(answer, "rewards").filter(|reward| reward["for"] == "advocate") {
            if let (Some(order), Some(customer)) =
                (text(reward, "order_id"), text(reward, "customer_id"))
            {
                self.advocates.entry(order).or_default().insert(customer);
            }
        }
    }

    pub fn reports_of(&self, order: &str) -> &[Report] {
        self.reports.get(order).map_or(&[], Vec::as_slice)
    }

    pub fn events_of(&self, order: &str) -> &[Event] {
        self.events.get(order).map_or(&[], Vec::as_slice)
    }

    /// The versions that may be the one of then.
    pub fn terms_at(&self, at: i64) -> Vec<&Terms> {
        let may = self.terms.iter().filter(|version| version.earliest <= at);
        let is_over = |version: &&Terms| {
            let later = |other: &Terms| other.latest <= at && other.earliest > version.latest;
            self.terms.iter().any(later)
        };
        may.filter(|version| !is_over(version)).collect()
    }

    /// Whether something of these people may have been erased.
    pub fn may_be_forgotten(&self, report: &Report) -> bool {
        let is_one = |customer: &String| {
            let is_tied = |tie: &Tie| tie.customer == *customer && report.hints.contains(&tie.hint);
            report.customer.as_ref() == Some(customer) || self.ties.iter().any(is_tied)
        };
        self.erased.keys().any(is_one)
    }
}
