//! What happened on a day, counted: clicks, shares, referred orders and what became of their
//! rewards, as of when it is asked. Counts come from facts and are never stored on top of others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::channel::Channel;
use crate::fact::Order;
use crate::ids::{CustomerPseudonym, Identity};
use crate::metrics::{Metric, Seen, k_factor};
use crate::money::Currency;
use crate::orders::claims::Admission;
use crate::reward::{ConversionKind, Reason, Status};
use crate::settlement::remaining;
use crate::status::Reward;
use crate::time::{Day, Instant};

/// Clicks and shares of a day, of all advocates together: what is folded once the day is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Visitors of each advocate's links, each once a day.
    #[serde(rename = "n", default)]
    pub clicks: u64,
    /// Visitors of any link, each once a day; none where the day was too large to tell.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<u64>,
    #[serde(rename = "by", default)]
    pub clicks_by: BTreeMap<Channel, u64>,
    /// Taps on share buttons.
    #[serde(rename = "s", default)]
    pub shares: u64,
    #[serde(rename = "sb", default)]
    pub shares_by: BTreeMap<Channel, u64>,
    /// Customers who tapped one.
    #[serde(rename = "sc", default)]
    pub sharers: u64,
}

impl Reach {
    pub fn add_clicks(&mut self, channel: Channel, clicks: u64) {
        self.clicks += clicks;
        *self.clicks_by.entry(channel).or_default() += clicks;
    }

    pub fn add_share(&mut self, channel: Channel) {
        self.shares += 1;
        *self.shares_by.entry(channel).or_default() += 1;
    }

    /// Several days together: visitors of different days cannot be told to be the same.
    pub fn join(&mut self, other: &Self) {
        for (channel, clicks) in &other.clicks_by {
            self.add_clicks(*channel, *clicks);
        }
        self.unique = self.unique.zip(other.unique).map(|(one, two)| one + two);
        self.shares += other.shares;
        for (channel, shares) in &other.shares_by {
            *self.shares_by.entry(*channel).or_default() += shares;
        }
        self.sharers += other.sharers;
    }
}

/// How many rewards, and sums of what they are worth by kind of value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sum {
    pub count: u64,
    /// By everything of a value but its number; that number, and of how many rewards.
    values: BTreeMap<String, (Json, i64, u64)>,
}

/// The numbers of values, which add up; a percentage or a gift does not, it is counted.
const NUMBERS: [&str; 4] = ["amount", "points", "bytes", "periods"];

impl Sum {
    fn add(&mut self, value: &impl Serialize) {
        self.count += 1;
        let mut rest = json!(value);
        let mut number = None;
        if let Some(object) = rest.as_object_mut() {
            for name in NUMBERS {
                number = number.or(object.get(name).and_then(Json::as_i64));
                if let Some(known) = object.get_mut(name) {
                    *known = json!(0);
                }
            }
        }
        let slot = self.values.entry(rest.to_string()).or_insert((rest, 0, 0));
        slot.1 = slot.1.saturating_add(number.unwrap_or(0));
        slot.2 += 1;
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        for (key, (rest, number, count)) in &other.values {
            let slot = self.values.entry(key.clone()).or_insert((rest.clone(), 0, 0));
            slot.1 = slot.1.saturating_add(*number);
            slot.2 += count;
        }
    }

    /// In money of that currency.
    pub fn money(&self, currency: Currency) -> i64 {
        let is_money = |rest: &Json| rest.get("currency") == Some(&json!(currency));
        let sums = self.values.values().filter(|(rest, ..)| is_money(rest));
        sums.fold(0, |sum, (_, number, _)| sum.saturating_add(*number))
    }

    /// Rewards of other kinds.
    pub fn not_money(&self, currency: Currency) -> u64 {
        let is_money = |rest: &Json| rest.get("currency") == Some(&json!(currency));
        let others = self.values.values().filter(|(rest, ..)| !is_money(rest));
        others.map(|(.., count)| count).sum()
    }

    fn message(&self) -> Json {
        let value = |(rest, number, count): &(Json, i64, u64)| {
            let mut value = rest.clone();
            if let Some(object) = value.as_object_mut() {
                for name in NUMBERS {
                    if let Some(known) = object.get_mut(name) {
                        *known = json!(number);
                    }
                }
                object.insert("count".to_owned(), json!(count));
            }
            value
        };
        json!({ "count": self.count, "values": self.values.values().map(value).collect::<Vec<_>>() })
    }
}

/// `{"count": 2, "values": [{"kind": "credit", "amount": 1996, "currency": "EUR", "count": 2}]}`
impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.message().serialize(serializer)
    }
}

/// The referred orders of a day, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders {
    pub signups: u64,
    pub purchases: u64,
    pub actions: u64,
    /// Brought a proof, but count as nobody's referral.
    pub refused: u64,
    /// Of purchases in the program's currency, less what was refunded or undone.
    pub revenue: i64,
    pub refunded: i64,
    /// Friends who were referred for the first time.
    pub new_friends: u64,
    pub rewards: BTreeMap<Status, Sum>,
}

impl Orders {
    pub fn join(&mut self, other: &Self) {
        self.signups += other.signups;
        self.purchases += other.purchases;
        self.actions += other.actions;
        self.refused += other.refused;
        self.revenue = self.revenue.saturating_add(other.revenue);
        self.refunded = self.refunded.saturating_add(other.refunded);
        self.new_friends += other.new_friends;
        for (status, sum) in &other.rewards {
            self.rewards.entry(*status).or_default().join(sum);
        }
    }

    /// What was earned for good, in money.
    pub fn paid(&self, currency: Currency) -> i64 {
        let sums = self.earned().map(|sum| sum.money(currency));
        sums.fold(0, i64::saturating_add)
    }

    /// Rewards earned for good that are no money.
    pub fn paid_otherwise(&self, currency: Currency) -> u64 {
        self.earned().map(|sum| sum.not_money(currency)).sum()
    }

    fn earned(&self) -> impl Iterator<Item = &Sum> {
        let is_earned = |status: &Status| *status == Status::Approved || status.is_handed_over();
        self.rewards.iter().filter(move |(status, _)| is_earned(status)).map(|(_, sum)| sum)
    }
}

/// Counts referred orders by the day on which they occurred.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub days: BTreeMap<Day, Orders>,
    pub advocates: BTreeSet<CustomerPseudonym>,
    new_friends: BTreeSet<Identity>,
    /// Purchases of each friend.
    purchases: BTreeMap<Identity, u64>,
}

impl Tally {
    /// Counts an order of an advocate's ledger with the rewards it brings.
    pub fn add(
        &mut self,
        day: Day,
        advocate: CustomerPseudonym,
        order: &Order,
        rewards: &[Reward],
        currency: Currency,
    ) {
        let Some(conversion) = order.conversion.as_ref() else { return };
        let fact = &conversion.fact;
        let counts = self.days.entry(day).or_default();
        for reward in rewards {
            let sum = counts.rewards.entry(reward.status).or_default();
            match reward.net() {
                Some(net) => sum.add(&net),
                None => sum.add(&reward.value),
            }
        }
        let admitted = order.verdict.as_ref().and_then(|verdict| verdict.fact.admitted);
        let again = admitted.unwrap_or(fact.admission) != Admission::First;
        if is_refused(rewards, again) {
            counts.refused += 1;
            return;
        }
        self.advocates.insert(advocate);
        let friend = fact.identities.first();
        if let Some(friend) = friend.filter(|_| !again)
            && self.new_friends.insert(*friend)
        {
            counts.new_friends += 1;
        }
        match fact.kind {
            ConversionKind::Signup => counts.signups += 1,
            ConversionKind::Action => counts.actions += 1,
            ConversionKind::Purchase => {
                counts.purchases += 1;
                if let Some(friend) = friend {
                    *self.purchases.entry(*friend).or_default() += 1;
                }
                if fact.amount.is_some() && fact.currency == Some(currency) {
                    let left = remaining(order, conversion, None);
                    let lost = left.whole.saturating_sub(left.amount);
                    counts.revenue = counts.revenue.saturating_add(left.amount);
                    counts.refunded = counts.refunded.saturating_add(lost);
                }
            }
        }
    }

    /// All days together.
    pub fn total(&self) -> Orders {
        let mut total = Orders::default();
        for orders in self.days.values() {
            total.join(orders);
        }
        total
    }

    /// Friends with a purchase, and those with a second one.
    pub fn buyers(&self) -> (u64, u64) {
        let again = self.purchases.values().filter(|purchases| **purchases > 1).count();
        (self.purchases.len() as u64, again as u64)
    }
}

/// Whether an order is nobody's referral. A rule that grants nothing (a cap, a minimum) leaves it a
/// referral, and so does a friend's next order with the same advocate.
fn is_refused(rewards: &[Reward], again: bool) -> bool {
    let refuses = |reward: &Reward| {
        // The merchant's own word, on an order that was looked at.
        let declined = reward.reason == Some(Reason::Declined);
        let by_its_proof = reward.status == Status::Refused
            && match reward.reason {
                Some(Reason::FriendAlreadyReferred) => !again,
                Some(
                    Reason::NoReferral
                    | Reason::InvalidToken
                    | Reason::UnknownAlias
                    | Reason::OutsideWindow
                    | Reason::ReservedCode
                    | Reason::ClickedLater
                    | Reason::SelfReferral
                    | Reason::ExistingCustomer
                    | Reason::ProgramPaused
                    | Reason::BeforeProgram
                    | Reason::ConflictingReport
                    | Reason::NotApprovedYet,
                ) => true,
                _ => false,
            };
        declined || by_its_proof
    };
    !rewards.is_empty() && rewards.iter().all(refuses)
}

/// What is told of a day, or of several together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Visitors of each advocate's links, each once a day.
    pub clicks: u64,
    /// Visitors of any link, each once a day.
    pub unique: Option<u64>,
    pub clicks_by_channel: BTreeMap<Channel, u64>,
    pub shares: u64,
    /// Customers who shared, each once a day.
    pub sharers: u64,
    pub shares_by_channel: BTreeMap<Channel, u64>,
    pub signups: u64,
    pub purchases: u64,
    pub actions: u64,
    pub refused: u64,
    pub new_friends: u64,
    /// Minor units of the program's currency.
    pub revenue: i64,
    pub refunded: i64,
    pub rewards: BTreeMap<Status, Sum>,
    /// In basis points.
    pub k_factor: Option<i64>,
}

impl Figures {
    pub fn new(reach: Reach, orders: Orders) -> Self {
        let seen = Seen {
            shares: reach.shares,
            sharer_days: reach.sharers,
            new_friends: orders.new_friends,
            ..Seen::default()
        };
        Self {
            clicks: reach.clicks,
            unique: reach.unique,
            clicks_by_channel: reach.clicks_by,
            shares: reach.shares,
            sharers: reach.sharers,
            shares_by_channel: reach.shares_by,
            signups: orders.signups,
            purchases: orders.purchases,
            actions: orders.actions,
            refused: orders.refused,
            new_friends: orders.new_friends,
            revenue: orders.revenue,
            refunded: orders.refunded,
            rewards: orders.rewards,
            k_factor: k_factor(&seen).value,
        }
    }
}

/// A day of `GET /v1/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayFigures {
    pub day: String,
    /// Clicks and shares may still come in.
    pub open: bool,
    /// There are more clicks or shares than were counted.
    pub at_least: bool,
    /// All orders of the day are counted; else the next page brings the others.
    pub complete: bool,
    #[serde(flatten)]
    pub figures: Figures,
}

/// `GET /v1/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub from: String,
    pub to: String,
    pub as_of: Instant,
    pub currency: Currency,
    /// False where this answer ends before `to`: `cursor` goes on.
    pub complete: bool,
    pub cursor: Option<String>,
    pub days: Vec<DayFigures>,
    /// Of the days above, together.
    pub total: Figures,
    /// Of the days above.
    pub metrics: Vec<Metric>,
}
