//! The messages of the HTTP API that we send, defined once. Each is pinned by a fixture in
//! `fixtures/wire`. Requests are read by [`crate::report`], [`crate::program`] and
//! [`crate::decode`].

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::missing_referral::{self, ClaimStatus, Outcome};
use crate::money::Currency;
use crate::program::{Address, Program};
use crate::report::{EventType, ProofKind};
use crate::reward::{ConversionKind, Reason, Role, Rule, Status, Trigger, Value, When};
use crate::time::{Instant, Minute};

/// An error: `application/problem+json` (RFC 9457) with a stable code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    pub code: String,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramHead {
    pub id: String,
    pub name: String,
    pub currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    pub address: Address,
}

/// `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Me {
    pub program: ProgramHead,
    pub link: String,
    pub code: String,
    pub alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alias_reserved: Option<AliasReserved>,
    pub offer: MeOffer,
    pub totals: MeTotals,
    /// Newest first, at most 50.
    pub referrals: Vec<Referral>,
    /// What the customer earns as a friend of somebody else, newest first.
    pub as_friend: Vec<FriendReward>,
    /// What the customer asked for and is not found yet, newest first.
    pub claims: Vec<MeClaim>,
    pub next: Option<Next>,
    pub channels: Vec<Channel>,
    pub as_of: Instant,
    /// The value of `before` that continues the list; `null` at its end.
    pub more: Option<String>,
    /// Present, and true, where the time is set by hand.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub test_clock: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeOffer {
    pub advocate: Option<Value>,
    pub friend: Option<Value>,
    /// Days from delivery, or from the order: see `hold_from`.
    pub hold_days: u32,
    pub hold_from: crate::program::HoldFrom,
    /// In minor units.
    pub minimum_order: Option<i64>,
    /// How long after a click an order still counts.
    pub window_days: u32,
    pub new_customers_only: bool,
    pub paused: bool,
    /// What a friend does for it.
    pub trigger: Option<Trigger>,
    /// When the friend has it.
    pub when: Option<When>,
}

/// Clicks of the open day: a number, or "more than" it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Clicks {
    Exactly(u64),
    MoreThan { more_than: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeTotals {
    pub clicks: u64,
    pub clicks_today: Clicks,
    pub signups: u32,
    pub purchases: u32,
    pub pending: u32,
    pub approved: u32,
    pub earned: Vec<EarnedSum>,
    pub year: YearTotal,
}

/// A sum of one kind of value; `count` says of how many rewards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarnedSum {
    #[serde(flatten)]
    pub value: Value,
    pub count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referral {
    /// From 1, in the order of acceptance.
    pub number: u32,
    pub kind: ConversionKind,
    pub occurred_at: Instant,
    pub reward: Option<MeReward>,
    /// The bonus this referral reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bonus: Option<MeReward>,
    /// The same friend's sign-up, from which the referral has moved on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Stage>,
}

/// An earlier stage of a referral.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub kind: ConversionKind,
    pub occurred_at: Instant,
    pub reward: Option<MeReward>,
}

/// What a friend earns with an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FriendReward {
    pub kind: ConversionKind,
    pub occurred_at: Instant,
    pub reward: MeReward,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeReward {
    pub id: String,
    pub value: Value,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
    pub since: Instant,
    /// The code it is had with, once there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coupon: Option<String>,
}

/// An alias that was chosen and waits until it is sure that nobody chose it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasReserved {
    pub alias: String,
    pub until: Instant,
}

/// `POST /v1/me/alias`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasChosen {
    pub alias: String,
    /// `null` once nobody can have chosen it before.
    pub reserved_until: Option<Instant>,
}

/// A missing referral that a customer reported. It says nothing of the order: whether there is one is
/// the merchant's to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeClaim {
    /// The number of the order, as the customer gave it.
    pub order_number: String,
    /// The day of the order, as the customer said: `2026-11-20`.
    pub ordered_on: String,
    pub filed_at: Instant,
    /// `open` until the merchant decided or it lapsed, also where the order was found.
    pub status: ClaimStatus,
}

impl MeClaim {
    pub fn new(
        order_number: String,
        ordered_on: String,
        filed: Minute,
        outcome: Option<Outcome>,
        now: Instant,
    ) -> Self {
        let status = missing_referral::shown(filed, outcome, now);
        Self { order_number, ordered_on, filed_at: filed.start(), status }
    }
}

/// A missing referral whose order was found: the merchant decides by `POST /v1/rewards/{id}/review`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundClaim {
    /// The advocate's reward, if it is approved.
    pub id: String,
    /// Who reported it.
    pub customer_id: Option<String>,
    /// The order that was found.
    pub order_id: String,
    /// The number of the order, as the customer gave it.
    pub order_number: String,
    /// The day of the order, as the customer said.
    pub ordered_on: String,
    pub filed_at: Instant,
    /// `found`.
    pub status: ClaimStatus,
    pub kind: ConversionKind,
    pub amount: Option<i64>,
    pub currency: Option<Currency>,
    pub occurred_at: Instant,
    /// What the customer would earn, as far as is known; `null` where it would be nothing.
    pub value: Option<Value>,
    /// `claimed_by_hand`, or why it would be nothing.
    pub reason: Option<Reason>,
}

/// `GET /v1/claims`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundClaims {
    pub claims: Vec<FoundClaim>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cursor: Option<String>,
}

/// Progress towards what comes next: a `milestone` with its bonus, or a `tier` of higher values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    pub kind: String,
    /// From the so many-th approved referral on.
    pub at: u32,
    pub done: u32,
    pub value: Value,
}

/// `GET /v1/offer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    pub program: ProgramHead,
    pub friend: Option<Value>,
    pub advocate: Option<Value>,
    pub trigger: Option<Trigger>,
    pub when: Option<When>,
    pub minimum_order: Option<i64>,
    pub coupon: Option<String>,
    /// Where the shop takes the coupon and goes on to the landing page.
    pub coupon_link: Option<String>,
    pub from: Option<String>,
    pub referred: bool,
    pub reason: Option<Reason>,
    pub landing_url: String,
    /// The terms in plain words, in the language asked for: `lang` is `de` or `en`.
    pub terms: Vec<String>,
    pub terms_version: u32,
}

/// `POST /v1/offer/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferAnswer {
    /// Whether an order placed now would be referred, as far as is known.
    pub eligible: bool,
    /// What the shop may take off this order; `null` where there is nothing, or the friend earns it
    /// later.
    pub value: Option<Value>,
    /// The order must be at least this, in minor units, after everything is taken off.
    pub minimum_order: Option<i64>,
    /// What of the items asked about a discount can be taken off, in minor units: without excluded
    /// ones. `null` where the question had no items.
    pub discountable: Option<i64>,
    pub reason: Option<Reason>,
    /// Which proof counted.
    pub proof: Option<ProofKind>,
    /// What the others lacked that were tried.
    pub proofs: Vec<Lacked>,
}

/// `POST /v1/codes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    pub links: Vec<CodeLink>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeLink {
    pub customer_id: String,
    pub code: String,
    pub link: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvocateRef {
    /// `null` after the customer was erased.
    pub customer_id: Option<String>,
}

/// `POST /v1/conversions` and `…/events`: what holds whatever comes later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionAnswer {
    pub order_id: String,
    pub attributed: bool,
    pub reason: Option<Reason>,
    pub advocate: Option<AdvocateRef>,
    pub rewards: Vec<PromisedReward>,
    pub provisional: bool,
    /// The version of the terms that applies; `null` before the program began.
    pub terms_version: Option<u32>,
    /// Of a refund: how much of what was left it took, in minor units.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken: Option<i64>,
    /// Which proof counted.
    pub proof: Option<ProofKind>,
    /// What the others lacked that were tried, in the order in which that was done. Those after the one
    /// that counted are not tried.
    pub proofs: Vec<Lacked>,
}

/// What a proof lacked, under its kind: `{"token": "invalid_token"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacked {
    Token(Reason),
    Code(Reason),
    Alias(Reason),
    Coupon(Reason),
}

impl Lacked {
    pub const fn new(kind: ProofKind, reason: Reason) -> Self {
        match kind {
            ProofKind::Token => Self::Token(reason),
            ProofKind::Code => Self::Code(reason),
            ProofKind::Alias => Self::Alias(reason),
            ProofKind::Coupon => Self::Coupon(reason),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromisedReward {
    pub id: String,
    pub r#for: Role,
    pub value: Value,
}

/// `202` of `…/events`: kept, and joined once the order is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventKept {
    pub order_known: bool,
}

/// `GET /v1/conversions/{order_id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionStory {
    pub order_id: String,
    pub kind: ConversionKind,
    pub amount: Option<i64>,
    pub currency: Option<Currency>,
    pub occurred_at: Instant,
    pub accepted_at: Instant,
    pub attributed: bool,
    pub reason: Option<Reason>,
    pub advocate: Option<AdvocateRef>,
    pub terms_version: Option<u32>,
    /// When it is decided, as far as known.
    pub settles_at: Option<Instant>,
    pub events: Vec<StoryEvent>,
    pub rewards: Vec<MerchantReward>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoryEvent {
    pub event_id: String,
    pub r#type: EventType,
    pub amount: Option<i64>,
    /// Of a restoration: the event that it named, if that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undoes: Option<String>,
    pub occurred_at: Instant,
    pub accepted_at: Instant,
}

/// A reward as the merchant sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantReward {
    pub id: String,
    pub r#for: Role,
    /// `null` for guests and after the customer was erased.
    pub customer_id: Option<String>,
    pub order_id: String,
    pub value: Value,
    pub status: Status,
    pub reason: Option<Reason>,
    pub since: Instant,
    pub until: Option<Instant>,
    /// What a reversal took from a fulfilled reward: values below zero.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub entries: Vec<RewardEntry>,
    /// The merchant's reference, once fulfilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Of a bonus: for how many referrals.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub milestone: Option<u32>,
    /// What was handed over again, under other references.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub overpaid: Vec<Paid>,
    /// The code it was handed over with by itself, from a pool.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coupon: Option<String>,
    /// What the merchant noted with the decision.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// The version of the terms that applies; `null` before the program began.
    pub terms_version: Option<u32>,
}

/// A reward handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paid {
    pub reference: Option<String>,
    pub value: Value,
    pub since: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardEntry {
    /// By which it is settled: `POST /v1/rewards/{id}/fulfil`.
    pub id: String,
    pub value: Value,
    pub reason: Reason,
    pub since: Instant,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub settled_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
}

/// `GET /v1/rewards`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewards {
    pub rewards: Vec<MerchantReward>,
    pub cursor: Option<String>,
    /// Of one customer: what is to be handed over, less what is to be got back. By kind of value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owed: Option<Vec<EarnedSum>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub year: Option<YearTotal>,
}

/// What an advocate earned in money in a (UTC) year, reversals taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearTotal {
    pub year: i16,
    /// In minor units.
    pub amount: i64,
    pub currency: Currency,
    /// The most that can be earned in a year, where there is such a limit.
    pub ceiling: Option<i64>,
}

/// A version of the terms: `GET` and `PUT /v1/program`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramVersion {
    #[serde(flatten)]
    pub terms: Program,
    pub version: u32,
    pub valid_from: Instant,
    /// These terms in plain words, in the language of the program's locale.
    pub plain_terms: Vec<String>,
    /// The version that takes over, if one has been accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upcoming: Option<Box<Self>>,
}

/// `POST /v1/programs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramCreated {
    pub program: ProgramVersion,
    #[serde(flatten)]
    pub keys: KeyGeneration,
}

/// `POST /v1/programs/{id}/keys`: what the merchant connects with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGeneration {
    pub generation: u32,
    pub server_api_key: String,
    pub identity_secret: String,
    pub template_secret: String,
    pub conversion_secret: String,
}

/// `…/v1/identity/…`: an identity token for who the shop system says is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityIssued {
    pub token: String,
    pub expires_at: Instant,
}

/// `GET /v1/hooks/shopware/{program}/register`, as Shopware asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShopwareRegistered {
    pub proof: String,
    pub secret: String,
    pub confirmation_url: String,
}

/// `POST /v1/signed/conversions`: what a buyer's browser may know of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAnswer {
    pub order_id: String,
    pub attributed: bool,
    pub reason: Option<Reason>,
}

/// `POST /v1/programs/{id}/keys/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysRevoked {
    pub program: String,
    pub revoked: u32,
    /// The generation in use from now on.
    pub current: u32,
}

/// `POST /v1/customers/export`: everything kept about a customer, opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerExport {
    pub customer_id: String,
    /// Whether anything readable is on record: false after an erasure.
    pub known: bool,
    pub code: String,
    pub link: String,
    /// The aliases this customer chose.
    pub aliases: Vec<String>,
    /// The segments the shop put the customer into, the first in front.
    pub segments: Vec<String>,
    /// Referrals the customer missed and asked for.
    pub claims: Vec<MeClaim>,
    /// What the customer earned as a friend with the last orders.
    pub as_friend: Vec<FriendReward>,
    /// Pseudonyms of hints on record.
    pub hints: Vec<String>,
    pub clicks: u64,
    /// Taps on share buttons, as long as they are kept, newest day first.
    pub shares: Vec<ExportedShares>,
    /// As advocate.
    pub referrals: Vec<Referral>,
    /// As friend: the orders of this customer that claimed a referral.
    pub orders: Vec<ExportedOrder>,
    pub as_of: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedOrder {
    pub order_id: Option<String>,
    pub kind: ConversionKind,
    pub amount: Option<i64>,
    pub currency: Option<Currency>,
    pub occurred_at: Instant,
}

/// `POST /v1/pools/{pool}`: what an upload came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolUpload {
    pub pool: String,
    pub added: usize,
    /// Codes that were in the pool already.
    pub known: usize,
    /// Whether a rule of the terms that apply, or will, takes coupons from this pool.
    pub used: bool,
}

/// `GET /v1/pools/{pool}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    pub pool: String,
    pub uploaded: usize,
    /// Codes that belong to a reward.
    pub assigned: usize,
    pub left: usize,
    /// Rewards that wait for a code: more are to be uploaded. A thousand may stand for more.
    pub waiting: usize,
    /// Time to upload more: fewer than a tenth are left, or fewer than ten.
    pub low: bool,
    pub used: bool,
}

/// How often a customer shared through a channel on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedShares {
    pub day: String,
    pub channel: Channel,
    pub count: u32,
}

/// `POST /v1/customers/erase`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    pub erased: bool,
    /// Until when the cron erases again what comes late.
    pub repeated_until: Instant,
}

/// `GET /healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    pub status: String,
    pub version: String,
    pub test_clock: bool,
    /// The time that is set by hand, or the real one; under the test clock only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Instant>,
}

/// `POST /v1/clock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    pub now: Instant,
    pub test_clock: bool,
}

/// `POST /v1/cron`: what one run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronReport {
    pub looked_at: u32,
    pub settled: u32,
    pub folded: u32,
    pub healed: u32,
    pub erased: u32,
    /// Events whose order never came.
    pub orphans: u32,
    /// Verdicts that what came later than the store promises would have changed.
    pub breaches: u32,
    /// Coupons that went to rewards.
    pub drawn: u32,
    /// Pools that came to their last coupons.
    pub pools_low: u32,
    /// Attempts to deliver a webhook.
    pub sent: u32,
    pub operations: u32,
    /// False where the run stopped at its budget; the next one goes on.
    pub done: bool,
}

/// The first rule of a role that earns on a purchase, or else the first of all: what is promised to
/// those of a segment, or to anybody.
pub fn promised<'t>(terms: &'t Program, role: Role, segment: Option<&str>) -> Option<&'t Rule> {
    let fits = |rule: &&Rule| rule.segment.is_none() || rule.segment.as_deref() == segment;
    let purchase = |rule: &&Rule| rule.trigger.kind() == ConversionKind::Purchase;
    let mut rules = terms.rules(role).filter(fits);
    rules.clone().find(purchase).or_else(|| rules.next())
}
