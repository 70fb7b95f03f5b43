//! A program: one merchant's terms, read from JSON with every mistake explained, and the choice of
//! the version that applies to an order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::decode::{Fields, Invalid};
use crate::ids::{Digest, ProgramId};
use crate::money::{BasisPoints, Currency, MAX_AMOUNT};
use crate::reward::{Cap, CapPeriod, Role, Rule, Trigger, Value, When};
use crate::time::Instant;
use crate::words::words;

words!(
    /// How the program speaks to people in German.
    Address {
        Du = "du",
        Sie = "sie",
    }
);

words!(
    /// Which click earns.
    Model {
        LastClick = "last_click",
        FirstClick = "first_click",
    }
);

words!(
    /// Where the hold starts.
    HoldFrom {
        Delivered = "delivered",
        Order = "order",
    }
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    pub model: Model,
    /// How long after a click an order still counts, to the second.
    pub window_days: u32,
    pub new_customers_only: bool,
    /// How long a friend stays with the advocate without new proof. Only 0 is taken so far: every
    /// order brings its own.
    pub bound_days: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub from: HoldFrom,
    pub days: u32,
    /// After the order, where no delivery is reported.
    pub fallback_days: u32,
}

/// What a link preview shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    pub title: String,
    pub text: Option<String>,
    pub image: Option<String>,
}

/// The terms, as stored and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    #[serde(serialize_with = "as_text")]
    pub id: ProgramId,
    pub name: String,
    pub landing_url: String,
    pub allowed_hosts: Vec<String>,
    pub currency: Currency,
    pub locale: String,
    pub address: Address,
    pub time_zone: String,
    pub attribution: Attribution,
    pub hold: Hold,
    pub rewards: Vec<Rule>,
    pub preview: Preview,
    pub paused: bool,
}

fn as_text<S: serde::Serializer>(id: &ProgramId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

/// An absolute https URL (http for loopback hosts, so that a shop can be tried on one's own
/// machine), without user, control characters or backslashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlError;

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an absolute https URL, for example https://shop.example/willkommen")
    }
}

/// The host of an origin, without its port.
fn bare_host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = bare_host(authority);
    host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host.ends_with(".localhost")
}

impl Url {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme and authority: `https://shop.example:8443`.
    pub fn origin(&self) -> &str {
        let start = self.0.find("://").map_or(0, |at| at + 3);
        let end = self
            .0
            .char_indices()
            .skip_while(|(at, _)| *at < start)
            .find(|(_, c)| matches!(c, '/' | '?' | '#'))
            .map_or(self.0.len(), |(at, _)| at);
        self.0.get(..end).unwrap_or_default()
    }

    /// Host and port, in lower case as compared with `allowed_hosts`.
    pub fn authority(&self) -> String {
        self.origin().split_once("://").map_or("", |(_, host)| host).to_ascii_lowercase()
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = bare_host(authority);
        let plain_host = !host.is_empty()
            && !host.starts_with(['-', '.'])
            && (host == "[::1]"
                || host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')));
        let secure = scheme == "https" || (scheme == "http" && is_loopback(authority));
        let plain = text.len() <= 2000
            && text.bytes().all(|b| b.is_ascii_graphic())
            && !text.contains(['\\', '"', '<', '>', '`', '{', '}']);
        if secure && plain && plain_host { Ok(Self(text.to_owned())) } else { Err(UrlError) }
    }
}

/// Terms to start from, one file each.
const PRESETS: [(&str, &str); 1] = [("20-10", include_str!("../presets/20-10.json"))];

impl Program {
    /// Reads and checks a whole program, as sent to `PUT /v1/program` or kept in the store.
    /// `version` and `valid_from`, which answers carry, are taken and ignored.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        Self::read(Fields::parse(body)?)
    }

    /// A new program from a preset: `{"id", "preset", "name", "landing_url", …}`, where any field of
    /// the program given beside `preset` wins over the preset's.
    pub fn from_preset(body: &[u8]) -> Result<Self, Invalid> {
        let mut given: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body)
            .map_err(|error| Invalid {
                kind: crate::decode::InvalidKind::Json,
                field: String::new(),
                detail: format!("the body is not a JSON object: {error}"),
            })?;
        let names = || PRESETS.map(|(name, _)| name).join(", ");
        let preset = match given.remove("preset") {
            None => PRESETS.first(),
            Some(serde_json::Value::String(name)) => {
                PRESETS.iter().find(|(known, _)| *known == name)
            }
            Some(_) => None,
        };
        let Some((_, preset)) = preset else {
            return Err(Invalid::field("preset", format!("must be one of {}", names())));
        };
        let mut terms: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(preset).unwrap_or_default();
        terms.append(&mut given);
        Self::read(Fields::parse(serde_json::Value::Object(terms).to_string().as_bytes())?)
    }

    fn read(mut f: Fields) -> Result<Self, Invalid> {
        let id = f.read("id")?;
        let id = f.required("id", id, "the slug of the program, for example teehaus")?;
        let name = f.text("name", 80)?;
        let name = f.required("name", name, "the shop's name as people know it")?;
        let landing: Option<Url> = f.read("landing_url")?;
        let landing = f.required("landing_url", landing, "where a referral link leads")?;
        let currency = f.read("currency")?;
        let currency = f.required("currency", currency, "an ISO 4217 code, for example EUR")?;
        let mut allowed_hosts = f.read_list::<Host>("allowed_hosts", 20)?;
        allowed_hosts.sort();
        allowed_hosts.dedup();
        let locale = f.read::<Locale>("locale")?.map_or_else(|| "de-DE".to_owned(), |l| l.0);
        let address = f.read("address")?.unwrap_or(Address::Du);
        let time_zone =
            f.read::<TimeZone>("time_zone")?.map_or_else(|| "Europe/Berlin".to_owned(), |z| z.0);
        let attribution = attribution(f.object("attribution")?)?;
        let hold = hold(f.object("hold")?)?;
        let rules = f.objects("rewards", 20)?;
        let rules =
            f.required("rewards", rules, "a list of rules, for example of the preset 20-10")?;
        let rewards = rules
            .into_iter()
            .map(|fields| rule(fields, currency))
            .collect::<Result<Vec<_>, _>>()?;
        check_rules(&rewards)?;
        let preview = preview(f.object("preview")?, &name)?;
        let paused = f.flag("paused")?.unwrap_or(false);
        f.integer("version", (0, i64::MAX), "must be a number, or left out")?;
        f.read::<Instant>("valid_from")?;
        f.finish()?;
        Ok(Self {
            id,
            name,
            landing_url: landing.0,
            allowed_hosts: allowed_hosts.into_iter().map(|host| host.0).collect(),
            currency,
            locale,
            address,
            time_zone,
            attribution,
            hold,
            rewards,
            preview,
            paused,
        })
    }

    /// The rules for one role, in order.
    pub fn rules(&self, role: Role) -> impl Iterator<Item = &Rule> {
        self.rewards.iter().filter(move |rule| rule.role == role)
    }
}

fn attribution(fields: Option<Fields>) -> Result<Attribution, Invalid> {
    let mut result = Attribution {
        model: Model::LastClick,
        window_days: 30,
        new_customers_only: true,
        bound_days: 0,
    };
    if let Some(mut f) = fields {
        result.model = f.read("model")?.unwrap_or(result.model);
        result.window_days = days(&mut f, "window_days", 1)?.unwrap_or(result.window_days);
        result.new_customers_only = f.flag("new_customers_only")?.unwrap_or(true);
        let right = "must be 0: so far every order brings its own proof of referral";
        f.integer("bound_days", (0, 0), right)?;
        f.finish()?;
    }
    Ok(result)
}

fn days(f: &mut Fields, name: &str, least: i64) -> Result<Option<u32>, Invalid> {
    let right = format!("must be a whole number of days from {least} to 730");
    let days = f.integer(name, (least, 730), &right)?;
    Ok(days.and_then(|days| u32::try_from(days).ok()))
}

fn hold(fields: Option<Fields>) -> Result<Hold, Invalid> {
    let mut result = Hold { from: HoldFrom::Delivered, days: 21, fallback_days: 30 };
    if let Some(mut f) = fields {
        result.from = f.read("from")?.unwrap_or(result.from);
        result.days = days(&mut f, "days", 0)?.unwrap_or(result.days);
        result.fallback_days = days(&mut f, "fallback_days", 0)?.unwrap_or(result.fallback_days);
        f.finish()?;
    }
    Ok(result)
}

fn rule(mut f: Fields, program: Currency) -> Result<Rule, Invalid> {
    let role = f.read("for")?;
    let role = f.required("for", role, "advocate or friend")?;
    let trigger = f.read("trigger")?;
    let trigger = f.required("trigger", trigger, "for example first_purchase")?;
    let fields = f.object("value")?;
    let fields = f.required("value", fields, "for example a percent_of_order")?;
    let value = value(fields, program)?;
    let minimum_order = f.amount("minimum_order")?;
    let when = f.read("when")?.unwrap_or(When::Earned);
    let cap =
        f.object("cap")?.map(cap).transpose()?.filter(|c| c.count.is_some() || c.amount.is_some());
    let no_amount = matches!(value, Value::PercentOff { .. });
    if cap.is_some_and(|cap| cap.amount.is_some()) && no_amount {
        return Err(f.invalid("cap", "cannot limit the amount of a percentage; limit the count"));
    }
    if when == When::AtOnce && role == Role::Advocate {
        return Err(f.invalid("when", "at_once is for friends; an advocate's reward is earned"));
    }
    if when == When::AtOnce && !matches!(value, Value::PercentOff { .. } | Value::AmountOff { .. })
    {
        return Err(f.invalid("when", "at_once takes a percent_off or an amount_off"));
    }
    if trigger == Trigger::Action && !matches!(value, Value::Points { .. }) {
        return Err(f.invalid("value", "must be points, because the trigger is action"));
    }
    if trigger == Trigger::Signup {
        if matches!(value, Value::PercentOfOrder { .. }) {
            return Err(f.invalid("value", "cannot be percent_of_order: a sign-up has no amount"));
        }
        if minimum_order.is_some() {
            return Err(f.invalid("minimum_order", "does not fit: a sign-up has no amount"));
        }
    }
    f.finish()?;
    Ok(Rule { role, trigger, value, minimum_order, cap, when })
}

fn value(mut f: Fields, program: Currency) -> Result<Value, Invalid> {
    let kind = f.text("kind", 40)?;
    let kind = f.required("kind", kind, "for example percent_of_order")?;
    let result = match kind.as_str() {
        "percent_off" => Value::PercentOff { basis_points: basis_points(&mut f)? },
        "percent_of_order" => Value::PercentOfOrder { basis_points: basis_points(&mut f)? },
        "amount_off" => Value::AmountOff {
            amount: positive(&mut f, "amount")?,
            currency: currency(&mut f, program)?,
        },
        "credit" => Value::Credit {
            amount: positive(&mut f, "amount")?,
            currency: currency(&mut f, program)?,
        },
        "points" => Value::Points { points: positive(&mut f, "points")? },
        _ => {
            let known = "percent_off, amount_off, credit, percent_of_order, points";
            return Err(f.invalid("kind", format!("must be one of {known}")));
        }
    };
    f.finish()?;
    Ok(result)
}

fn basis_points(f: &mut Fields) -> Result<BasisPoints, Invalid> {
    let right = "must be basis points from 1 to 10000, for example 2000 for 20 %";
    let rate = f.integer("basis_points", (1, 10_000), right)?;
    let rate = rate.and_then(|rate| u16::try_from(rate).ok()).map(BasisPoints);
    f.required("basis_points", rate, "for example 2000 for 20 %")
}

fn positive(f: &mut Fields, name: &str) -> Result<i64, Invalid> {
    let amount = f.integer(name, (1, MAX_AMOUNT), "must be a whole number above zero")?;
    f.required(name, amount, "a whole number above zero")
}

fn currency(f: &mut Fields, program: Currency) -> Result<Currency, Invalid> {
    let currency = f.read("currency")?.unwrap_or(program);
    if currency == program {
        Ok(currency)
    } else {
        Err(f.invalid("currency", format!("must be the program's, {program}")))
    }
}

fn cap(mut f: Fields) -> Result<Cap, Invalid> {
    let count = f.integer("count", (1, 1_000_000), "must be a whole number above zero, or null")?;
    let amount =
        f.integer("amount", (1, MAX_AMOUNT), "must be a whole number above zero, or null")?;
    let per = f.read("per")?.unwrap_or(CapPeriod::Total);
    f.finish()?;
    Ok(Cap { count: count.and_then(|count| u32::try_from(count).ok()), amount, per })
}

fn preview(fields: Option<Fields>, name: &str) -> Result<Preview, Invalid> {
    let Some(mut f) = fields else {
        return Ok(Preview { title: name.to_owned(), text: None, image: None });
    };
    let title = f.text("title", 120)?.unwrap_or_else(|| name.to_owned());
    let text = f.text("text", 300)?;
    let image = f.read::<Url>("image")?.map(|url| url.0);
    f.finish()?;
    Ok(Preview { title, text, image })
}

/// A rule after one that always fits first can never apply: that is a mistake worth naming.
fn check_rules(rules: &[Rule]) -> Result<(), Invalid> {
    for (index, rule) in rules.iter().enumerate() {
        let hidden = rules.iter().take(index).any(|before| {
            before.role == rule.role
                && (before.trigger == rule.trigger
                    || (before.trigger == Trigger::EveryPurchase
                        && rule.trigger == Trigger::FirstPurchase))
        });
        if hidden {
            let problem = "never applies, because an earlier rule for the same role fits first";
            return Err(Invalid::field(&format!("rewards[{index}]"), problem));
        }
    }
    if rules.iter().any(|rule| rule.role == Role::Advocate) {
        Ok(())
    } else {
        Err(Invalid::field("rewards", "must have a rule for the advocate"))
    }
}

/// Declares a checked text used only while reading a program.
macro_rules! checked {
    ($name:ident, $right:literal, $check:expr) => {
        #[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
        struct $name(String);

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err($right) }
            }
        }
    };
}

checked!(Host, "must be a host name in lower case, for example shop.example", |text| {
    format!("https://{text}").parse::<Url>().is_ok_and(|url| url.authority() == text)
        && !text.contains('/')
});
checked!(Locale, "must be a language tag, for example de-DE", |text| {
    (2..=35).contains(&text.len())
        && text.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
});
checked!(TimeZone, "must be an IANA time zone, for example Europe/Berlin", |text| {
    (1..=50).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'))
        && !text.starts_with('/')
});

/// One version of the terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// From 1, in the order in which versions became valid.
    pub number: u32,
    pub valid_from: Instant,
    pub terms: Program,
}

/// All versions of one program, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions(Vec<Version>);

impl Versions {
    /// Numbers versions by `(valid_from, digest)`, so that every reader counts alike.
    pub fn new(mut stored: Vec<(Instant, Digest, Program)>) -> Self {
        stored.sort_by_key(|(valid_from, digest, _)| (*valid_from, *digest));
        let number = |(index, (valid_from, _, terms))| Version {
            number: u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1),
            valid_from,
            terms,
        };
        Self(stored.into_iter().enumerate().map(number).collect())
    }

    /// The terms that apply to what occurred then; none before the program began.
    pub fn at(&self, occurred_at: Instant) -> Option<&Version> {
        self.0.iter().rev().find(|version| version.valid_from <= occurred_at)
    }

    /// What applies now, or, before it began, the first version.
    pub fn current(&self, now: Instant) -> Option<&Version> {
        self.at(now).or_else(|| self.0.first())
    }

    pub fn first(&self) -> Option<&Version> {
        self.0.first()
    }

    pub fn latest(&self) -> Option<&Version> {
        self.0.last()
    }
}

#[cfg(test)]
mod tests;
