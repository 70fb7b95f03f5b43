//! A program: one merchant's terms, read from JSON with every mistake explained, and the choice of
//! the version that applies to an order.

mod rules;
mod shop_words;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::decode::{Fields, Invalid};
use crate::ids::{Digest, ProgramId};
use crate::money::{Currency, MAX_AMOUNT};
use crate::report::{CLOCK_LEEWAY, Item};
use crate::reward::{Reason, Role, Rule};
use crate::time::{DAY, Day, Instant, Moment};
use crate::words::words;

pub use shop_words::{ListedCoupon, Meaning, StandsFor};

words!(
    /// How the program speaks to people in German.
    Address {
        Du = "du",
        Sie = "sie",
    }
);

words!(
    /// Which click earns: always the last one before the order, because its token is what the shop
    /// sends along.
    Model {
        LastClick = "last_click",
    }
);

words!(
    /// What becomes of an order whose buyer nobody knows, where the terms promise rewards for new
    /// customers only.
    Unknown {
        Accept = "accept",
        Review = "review",
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
    /// How long after an order that brought its proof the friend's orders need none; 0: each needs
    /// its own.
    pub bound_days: u32,
    /// How long a purchase makes whoever bought a known customer, where the shop does not say.
    pub remember_days: u32,
}

impl Attribution {
    /// Whether a click can have brought what occurred then, and why not.
    pub fn window(&self, click: Instant, occurred_at: Instant) -> Result<(), Reason> {
        let age = occurred_at.seconds() - click.seconds();
        if age < -CLOCK_LEEWAY {
            Err(Reason::ClickedLater)
        } else if age > i64::from(self.window_days) * DAY {
            Err(Reason::OutsideWindow)
        } else {
            Ok(())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub from: HoldFrom,
    pub days: u32,
    /// After the order, where no delivery is reported.
    pub fallback_days: u32,
}

/// The category under which shops report gift cards: every preset excludes it, because who buys one
/// pays in advance, and what is bought with it later would earn a second time.
pub const GIFT_CARDS: &str = "gift_card";

/// Goods that earn nothing: rewards on some, as medicines, are unlawful.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Excluded {
    pub skus: Vec<String>,
    pub categories: Vec<String>,
}

impl Excluded {
    fn is_empty(&self) -> bool {
        self.skus.is_empty() && self.categories.is_empty()
    }

    /// What of an order is excluded, in minor units.
    pub fn amount(&self, items: &[Item]) -> i64 {
        let is_excluded = |item: &&Item| {
            let category = item.category.as_ref();
            self.skus.contains(&item.sku) || category.is_some_and(|it| self.categories.contains(it))
        };
        items.iter().filter(is_excluded).fold(0, |sum, item| sum.saturating_add(item.amount))
    }
}

/// When a reward waits for the merchant's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Review {
    /// More orders of one advocate within 24 hours than these wait.
    pub orders_per_day: Option<u32>,
    /// More orders that come from one click than these wait.
    pub orders_per_click: Option<u32>,
}

/// The code that gives a friend the discount, one for the whole program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    pub code: String,
    /// Where the shop applies it: `{code}` and `{to}` stand for the code and the page to go to.
    pub link: Option<String>,
}

/// How many days a purchase is remembered, where the terms say nothing: two years.
const REMEMBERED: u32 = 730;

/// The most a private person can earn by recommendations in a year so that nothing of it is taxed in
/// Germany (§ 22 Nr. 3 `EStG`: from 256 EUR on all of it is).
const TAX_FREE_DE: i64 = 25_599;

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
    #[serde(skip_serializing_if = "Excluded::is_empty")]
    pub excluded: Excluded,
    /// The most money an advocate can earn in a (UTC) year, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yearly_ceiling: Option<i64>,
    #[serde(skip_serializing_if = "is_default")]
    pub review: Review,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<Coupon>,
    pub unknown_buyers: Unknown,
    /// The merchant's own codes that prove a referral.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<ListedCoupon>,
    /// Words that no customer can take for an alias.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
    pub preview: Preview,
    pub paused: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
const PRESETS: [(&str, &str); 7] = [
    ("20-10", include_str!("../presets/20-10.json")),
    ("dropbox", include_str!("../presets/dropbox.json")),
    ("airbnb", include_str!("../presets/airbnb.json")),
    ("zalando", include_str!("../presets/zalando.json")),
    ("anytime-fitness", include_str!("../presets/anytime-fitness.json")),
    ("anytime-fitness-free-month", include_str!("../presets/anytime-fitness-free-month.json")),
    ("points", include_str!("../presets/points.json")),
];

impl Program {
    /// The names of the presets.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// Reads and checks a whole program, as sent to `PUT /v1/program` or kept in the store.
    /// `version`, `valid_from` and `plain_terms`, which answers carry, are taken and ignored.
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
        let names = || Self::presets().collect::<Vec<_>>().join(", ");
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
        let coupon = f.object("coupon")?.map(coupon).transpose()?;
        let coupons = shop_words::coupons(&mut f, coupon.as_ref())?;
        let reserved = shop_words::reserved(&mut f)?;
        let rewards = rules::read(&mut f, currency, coupon.is_some())?;
        let excluded = excluded(f.object("excluded")?)?;
        let yearly_ceiling = yearly_ceiling(&mut f, currency)?;
        rules::check_ceiling(&rewards, yearly_ceiling)?;
        let review = review(f.object("review")?)?;
        let preview = preview(f.object("preview")?, &name)?;
        let paused = f.flag("paused")?.unwrap_or(false);
        let unknown_buyers = f.read("unknown_buyers")?.unwrap_or(Unknown::Accept);
        f.integer("version", (0, i64::MAX), "must be a number, or left out")?;
        f.read::<Instant>("valid_from")?;
        f.ignore("plain_terms");
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
            excluded,
            yearly_ceiling,
            review,
            coupon,
            unknown_buyers,
            coupons,
            reserved,
            preview,
            paused,
        })
    }

    /// The rules for one role, in order, without those for milestones.
    pub fn rules(&self, role: Role) -> impl Iterator<Item = &Rule> + Clone {
        self.rewards.iter().filter(move |rule| rule.role == role && rule.milestone.is_none())
    }

    /// The rules for milestones.
    pub fn milestones(&self) -> impl Iterator<Item = &Rule> {
        self.rewards.iter().filter(|rule| rule.milestone.is_some())
    }
}

fn attribution(fields: Option<Fields>) -> Result<Attribution, Invalid> {
    let mut result = Attribution {
        model: Model::LastClick,
        window_days: 30,
        new_customers_only: true,
        bound_days: 0,
        remember_days: REMEMBERED,
    };
    if let Some(mut f) = fields {
        let model = f.any_text("model")?;
        if model.is_some_and(|model| model.parse() != Ok(result.model)) {
            let right = "must be last_click: the last click before the order earns, and there is no other model";
            return Err(f.invalid("model", right));
        }
        result.window_days = days(&mut f, "window_days", 1)?.unwrap_or(result.window_days);
        result.new_customers_only = f.flag("new_customers_only")?.unwrap_or(true);
        result.bound_days = days(&mut f, "bound_days", 0)?.unwrap_or(0);
        result.remember_days = days(&mut f, "remember_days", 1)?.unwrap_or(REMEMBERED);
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
        let fallback = days(&mut f, "fallback_days", 0)?;
        result.fallback_days = fallback.unwrap_or(result.fallback_days.max(result.days));
        if result.from == HoldFrom::Delivered && result.fallback_days < result.days {
            let problem = format!(
                "must be at least {}, as days is: else an order without a report of its delivery is paid sooner",
                result.days
            );
            return Err(f.invalid("fallback_days", problem));
        }
        f.finish()?;
    }
    Ok(result)
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

fn excluded(fields: Option<Fields>) -> Result<Excluded, Invalid> {
    let Some(mut f) = fields else { return Ok(Excluded::default()) };
    let mut texts = |name: &str| -> Result<Vec<String>, Invalid> {
        let mut texts: Vec<String> =
            f.read_list::<Word>(name, 200)?.into_iter().map(|word| word.0).collect();
        texts.sort();
        texts.dedup();
        Ok(texts)
    };
    let (skus, categories) = (texts("skus")?, texts("categories")?);
    f.finish()?;
    Ok(Excluded { skus, categories })
}

/// A number of minor units, or the name of a known ceiling.
fn yearly_ceiling(f: &mut Fields, currency: Currency) -> Result<Option<i64>, Invalid> {
    if f.is_text("yearly_ceiling") {
        let name = f.any_text("yearly_ceiling")?.unwrap_or_default();
        if name != "tax_free_de" {
            let right = "must be a whole number of minor units, or \"tax_free_de\" for 25599";
            return Err(f.invalid("yearly_ceiling", right));
        }
        if currency.to_string() != "EUR" {
            return Err(f.invalid("yearly_ceiling", "tax_free_de is in EUR, as the program is not"));
        }
        return Ok(Some(TAX_FREE_DE));
    }
    let right = "must be a whole number of minor units above zero, or null";
    f.integer("yearly_ceiling", (1, MAX_AMOUNT), right)
}

fn review(fields: Option<Fields>) -> Result<Review, Invalid> {
    let Some(mut f) = fields else { return Ok(Review::default()) };
    let mut most = |name: &str| -> Result<Option<u32>, Invalid> {
        let right = "must be a whole number from 1 to 100, or null";
        let most = f.integer(name, (1, 100), right)?;
        Ok(most.and_then(|most| u32::try_from(most).ok()))
    };
    let review = Review {
        orders_per_day: most("orders_per_day")?,
        orders_per_click: most("orders_per_click")?,
    };
    f.finish()?;
    Ok(review)
}

fn coupon(mut f: Fields) -> Result<Coupon, Invalid> {
    let code = f.read::<CouponCode>("code")?.map(|code| code.0);
    let code = f.required("code", code, "what is typed at the checkout, for example FREUND10")?;
    let link = f.text("link", 500)?;
    if let Some(link) = &link {
        let filled = link.replace("{code}", "A").replace("{to}", "a");
        if !link.contains("{code}") || filled.parse::<Url>().is_err() {
            let right = "must be an https URL with {code} in it, for example https://shop.example/discount/{code}?redirect={to}";
            return Err(f.invalid("link", right));
        }
    }
    f.finish()?;
    Ok(Coupon { code, link })
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
checked!(Word, "must be 1 to 128 characters without line breaks", |text| {
    (1..=128).contains(&text.chars().take(129).count()) && !text.chars().any(char::is_control)
});
checked!(CouponCode, "must be 2 to 40 letters, digits, - or _, for example FREUND10", |text| {
    (2..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
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
    /// The first second in which it applies.
    pub valid_from: Instant,
    pub terms: Program,
}

/// All versions of one program, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions {
    all: Vec<Version>,
    /// What each is stored under, in the same order.
    stored: Vec<(Moment, Digest)>,
}

impl Versions {
    /// Of the versions that become valid on one day (UTC), so many count: the first ones.
    pub const A_DAY: usize = 20;

    /// Numbers the versions that count by `(valid_from, digest)`, so that every reader counts alike.
    pub fn new<T: Into<Moment>>(stored: Vec<(T, Digest, Program)>) -> Self {
        let mut stored: Vec<(Moment, Digest, Program)> = stored
            .into_iter()
            .map(|(valid_from, digest, terms)| (valid_from.into(), digest, terms))
            .collect();
        stored.sort_by_key(|(valid_from, digest, _)| (*valid_from, *digest));
        let mut versions = Self::default();
        for (valid_from, digest, terms) in stored {
            if versions.of_day(valid_from.day()) >= Self::A_DAY {
                continue;
            }
            let number = u32::try_from(versions.all.len()).unwrap_or(u32::MAX).saturating_add(1);
            let valid_from_second = valid_from.instant_up();
            versions.all.push(Version { number, valid_from: valid_from_second, terms });
            versions.stored.push((valid_from, digest));
        }
        versions
    }

    /// How many versions become valid on a day.
    pub fn of_day(&self, day: Day) -> usize {
        let later = self.stored.iter().rev().skip_while(|(from, _)| from.day() > day);
        later.take_while(|(from, _)| from.day() == day).count()
    }

    /// The version stored under these.
    pub fn stored_under(&self, key: (Moment, Digest)) -> Option<&Version> {
        let place = self.stored.iter().position(|stored| *stored == key)?;
        self.all.get(place)
    }

    /// When the latest version becomes valid.
    pub fn latest_from(&self) -> Option<Moment> {
        self.stored.last().map(|(from, _)| *from)
    }

    /// The terms that apply to what occurred then; none before the program began.
    pub fn at(&self, occurred_at: Instant) -> Option<&Version> {
        self.all.iter().rev().find(|version| version.valid_from <= occurred_at)
    }

    /// What applies now, or, before it began, the first version.
    pub fn current(&self, now: Instant) -> Option<&Version> {
        self.at(now).or_else(|| self.all.first())
    }

    pub fn all(&self) -> impl Iterator<Item = &Version> {
        self.all.iter()
    }

    pub fn first(&self) -> Option<&Version> {
        self.all.first()
    }

    pub fn latest(&self) -> Option<&Version> {
        self.all.last()
    }
}

#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;
