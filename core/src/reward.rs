//! What can be earned, by whom and for what: values, rules and caps; and the closed lists of
//! statuses (where a reward is) and reasons (why).

mod expires;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{CustomerPseudonym, OrderPseudonym};
use crate::money::{BasisPoints, Currency};
use crate::text;
use crate::words::words;

pub use expires::Expires;

words!(
    /// Where a reward is.
    Status {
        Pending = "pending",
        Review = "review",
        Approved = "approved",
        Fulfilled = "fulfilled",
        Reversed = "reversed",
        /// It was handed over, and the time in which it could be used is over.
        Expired = "expired",
        Refused = "refused",
    }
);

impl Status {
    /// Whether the merchant has handed the reward over. Its end changes nothing about that: in every
    /// sum an expired reward counts as a fulfilled one does.
    pub const fn is_handed_over(self) -> bool {
        matches!(self, Self::Fulfilled | Self::Expired)
    }
}

words!(
    /// Why a reward, or an attribution, is what it is.
    Reason {
        /// The hold runs; `until` says how long.
        Hold = "hold",
        /// The hold starts with a delivery that has not been reported.
        AwaitingDelivery = "awaiting_delivery",
        /// The hold is over; the verdict is being computed.
        Checking = "checking",
        NoReferral = "no_referral",
        InvalidToken = "invalid_token",
        UnknownAlias = "unknown_alias",
        OutsideWindow = "outside_window",
        SelfReferral = "self_referral",
        ExistingCustomer = "existing_customer",
        FriendAlreadyReferred = "friend_already_referred",
        BelowMinimum = "below_minimum",
        ExcludedItem = "excluded_item",
        CurrencyMismatch = "currency_mismatch",
        CapReached = "cap_reached",
        ProgramPaused = "program_paused",
        BeforeProgram = "before_program",
        ConflictingReport = "conflicting_report",
        Velocity = "velocity",
        ManyOrdersOneClick = "many_orders_one_click",
        ClaimedByHand = "claimed_by_hand",
        /// Only the buyer's browser reported the order; nobody has said that it is paid.
        Unpaid = "unpaid",
        /// The buyer's bank asks for the money back; it is not decided yet.
        Disputed = "disputed",
        /// The code is a word that the program keeps for itself.
        ReservedCode = "reserved_code",
        /// The click came after the order.
        ClickedLater = "clicked_later",
        /// A missing referral that the merchant has not approved; of a bonus: a referral that it counts, and
        /// the merchant declined.
        NotApprovedYet = "not_approved_yet",
        Refunded = "refunded",
        Withdrawn = "withdrawn",
        Cancelled = "cancelled",
        Chargeback = "chargeback",
        Declined = "declined",
        TooLate = "too_late",
    }
);

impl Reason {
    /// Whether this reason takes back what was earned, rather than never granting it.
    pub const fn is_reversal(self) -> bool {
        matches!(
            self,
            Self::Refunded | Self::Withdrawn | Self::Cancelled | Self::Chargeback | Self::Declined
        )
    }
}

words!(
    /// Who a reward is for.
    Role {
        Advocate = "advocate",
        Friend = "friend",
    }
);

words!(
    /// The kind of a conversion.
    ConversionKind {
        Signup = "signup",
        Purchase = "purchase",
        Action = "action",
    }
);

words!(
    /// What earns a reward.
    Trigger {
        Signup = "signup",
        FirstPurchase = "first_purchase",
        EveryPurchase = "every_purchase",
        Action = "action",
    }
);

impl Trigger {
    pub const fn kind(self) -> ConversionKind {
        match self {
            Self::Signup => ConversionKind::Signup,
            Self::FirstPurchase | Self::EveryPurchase => ConversionKind::Purchase,
            Self::Action => ConversionKind::Action,
        }
    }
}

words!(
    /// Whether the shop takes a friend's benefit off this order, or it is earned like the
    /// advocate's.
    When {
        AtOnce = "at_once",
        Earned = "earned",
    }
);

words!(
    /// Over what a cap counts; years are UTC.
    CapPeriod {
        Total = "total",
        Year = "year",
    }
);

words!(
    /// How a benefit reaches whoever earned it.
    Delivery {
        /// The merchant hands it over and says so.
        Manual = "manual",
        /// The merchant's system creates it when it is told, and fulfils with it.
        Webhook = "webhook",
        /// For friends the program's code, for advocates one of a pool.
        Coupon = "coupon",
    }
);

/// A short text that is part of a value, as the name of a gift: 1 to 48 bytes of UTF-8. What it is
/// part of is stored in the metadata of a key, where room is scarce.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    bytes: [u8; Self::MOST],
    length: u8,
}

impl Label {
    pub const MOST: usize = 48;

    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// The text is empty, too long or holds control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelError;

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be 1 to {} bytes of text without line breaks", Label::MOST)
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let mut bytes = [0; Self::MOST];
        let is_plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
        let room = bytes.get_mut(..text.len()).filter(|_| is_plain).ok_or(LabelError)?;
        room.copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length: u8::try_from(text.len()).map_err(|_| LabelError)? })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What is earned. Amounts are minor units; rates are basis points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Value {
    /// A discount on orders, or membership fees, of the one who earns it.
    PercentOff {
        basis_points: BasisPoints,
        /// On so many of them; on one where nothing is said.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        times: Option<u32>,
    },
    /// A fixed discount.
    AmountOff {
        amount: i64,
        currency: Currency,
    },
    /// Money in the shop's account of the customer.
    Credit {
        amount: i64,
        currency: Currency,
    },
    /// In rules only: becomes a credit once the order is known.
    PercentOfOrder {
        basis_points: BasisPoints,
    },
    Points {
        points: i64,
    },
    StorageBytes {
        bytes: i64,
    },
    /// Months, or whatever the membership is paid by.
    FreePeriods {
        periods: i64,
    },
    Gift {
        label: Label,
        /// In minor units of the program's currency: counts towards a yearly ceiling.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        worth: Option<i64>,
    },
    /// Money for somebody else.
    Donation {
        amount: i64,
        currency: Currency,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        to: Option<Label>,
    },
}

impl Value {
    /// What this value of a rule is worth for an order of which `remaining` is left.
    #[must_use]
    pub fn earned(self, remaining: i64, currency: Currency) -> Self {
        match self {
            Self::PercentOfOrder { basis_points } => {
                Self::Credit { amount: basis_points.of(remaining), currency }
            }
            fixed => fixed,
        }
    }

    /// The rate of a share of the order.
    pub const fn rate(self) -> Option<BasisPoints> {
        match self {
            Self::PercentOfOrder { basis_points } => Some(basis_points),
            _ => None,
        }
    }

    /// The countable amount: minor units, points, bytes or periods; none for percentages and gifts.
    pub const fn amount(self) -> Option<i64> {
        match self {
            Self::AmountOff { amount, .. }
            | Self::Credit { amount, .. }
            | Self::Donation { amount, .. } => Some(amount),
            Self::Points { points } => Some(points),
            Self::StorageBytes { bytes } => Some(bytes),
            Self::FreePeriods { periods } => Some(periods),
            Self::PercentOff { .. } | Self::PercentOfOrder { .. } | Self::Gift { .. } => None,
        }
    }

    /// The same value with another amount; what has none stays as it is.
    #[must_use]
    pub const fn with_amount(self, amount: i64) -> Self {
        match self {
            Self::AmountOff { currency, .. } => Self::AmountOff { amount, currency },
            Self::Credit { currency, .. } => Self::Credit { amount, currency },
            Self::Donation { currency, to, .. } => Self::Donation { amount, currency, to },
            Self::Points { .. } => Self::Points { points: amount },
            Self::StorageBytes { .. } => Self::StorageBytes { bytes: amount },
            Self::FreePeriods { .. } => Self::FreePeriods { periods: amount },
            whole => whole,
        }
    }

    /// What it is worth in money to whoever gets it, in minor units, as far as that is known.
    pub const fn money(self) -> Option<i64> {
        match self {
            Self::AmountOff { amount, .. } | Self::Credit { amount, .. } => Some(amount),
            Self::Gift { worth, .. } => worth,
            _ => None,
        }
    }

    /// The name of its kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::PercentOff { .. } => "percent_off",
            Self::AmountOff { .. } => "amount_off",
            Self::Credit { .. } => "credit",
            Self::PercentOfOrder { .. } => "percent_of_order",
            Self::Points { .. } => "points",
            Self::StorageBytes { .. } => "storage_bytes",
            Self::FreePeriods { .. } => "free_periods",
            Self::Gift { .. } => "gift",
            Self::Donation { .. } => "donation",
        }
    }
}

/// How much one advocate can earn by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// At most so many rewards.
    pub count: Option<u32>,
    /// At most so much in all: in the unit of the value.
    pub amount: Option<i64>,
    pub per: CapPeriod,
}

/// Another value from the advocate's so many-th referral on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    pub from: u32,
    pub value: Value,
}

/// One rule of a program. Of the rules for one role, the first that fits a conversion applies; a
/// rule with a milestone is a bonus on top of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    #[serde(rename = "for")]
    pub role: Role,
    pub trigger: Trigger,
    /// The action that earns; any where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<String>,
    /// The segment of the one who earns: of an advocate as the identity token said when the order was
    /// accepted, of a friend as the order says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<String>,
    pub value: Value,
    /// From the lowest to the highest; below the first of them `value` counts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tiers: Vec<Tier>,
    /// Paid once, with the advocate's so many-th approved referral of this trigger.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub milestone: Option<u32>,
    /// In minor units of the program's currency, tested on what remains after refunds.
    pub minimum_order: Option<i64>,
    pub cap: Option<Cap>,
    /// How long it can be used once it was handed over; without an end where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Expires>,
    /// The older form of `expires` in days; never both.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_days: Option<u32>,
    pub when: When,
    #[serde(skip_serializing_if = "is_manual", default = "manual")]
    pub delivery: Delivery,
    /// Where the advocate's coupons come from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pool: Option<Label>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_manual(delivery: &Delivery) -> bool {
    *delivery == Delivery::Manual
}

const fn manual() -> Delivery {
    Delivery::Manual
}

impl Rule {
    /// When what was handed over ends, in whichever form the rule says it.
    pub fn end(&self) -> Option<Expires> {
        self.expires.or(self.expires_days.map(Expires::Days))
    }

    /// The value for the advocate's so many-th referral, from 1.
    pub fn value_at(&self, number: u32) -> Value {
        let reached = self.tiers.iter().rev().find(|tier| tier.from <= number);
        reached.map_or(self.value, |tier| tier.value)
    }
}

/// Which reward of an order: of a role, or the bonus for reaching a milestone with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    pub role: Role,
    pub milestone: Option<u32>,
}

impl From<Role> for Part {
    fn from(role: Role) -> Self {
        Self { role, milestone: None }
    }
}

/// The id of a reward. Shown as `rw_…`. An order earns at most one reward for each role; a milestone
/// is named by who reached it and with what, so it exists once whichever order reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RewardId {
    Order { order: OrderPseudonym, role: Role },
    Milestone { advocate: CustomerPseudonym, trigger: Trigger, at: u32 },
}

impl fmt::Display for RewardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = |found: Option<usize>| found.and_then(|at| u8::try_from(at + 1).ok());
        f.write_str("rw_")?;
        match self {
            Self::Order { order, role } => {
                let role = position(Role::ALL.iter().position(|known| known == role));
                let mut bytes = [role.unwrap_or_default(); 11];
                if let Some(start) = bytes.get_mut(..10) {
                    start.copy_from_slice(&order.0);
                }
                text::write_base32(f, &bytes)
            }
            Self::Milestone { advocate, trigger, at } => {
                let trigger = position(Trigger::ALL.iter().position(|known| known == trigger));
                let mut bytes = [trigger.unwrap_or_default(); 12];
                let (start, end) = bytes.split_at_mut(8);
                if let Some(start) = start.get_mut(..7) {
                    start.copy_from_slice(&advocate.0);
                }
                end.copy_from_slice(&at.to_be_bytes());
                text::write_base32(f, &bytes)
            }
        }
    }
}

impl FromStr for RewardId {
    type Err = crate::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = crate::ids::IdError::Pseudonym;
        let text = text.strip_prefix("rw_").ok_or(error)?;
        let at = |byte: u8| usize::from(byte).checked_sub(1).ok_or(error);
        if let Some(bytes) = text::from_base32::<11>(text) {
            let (order, role) = bytes.split_at(10);
            let order = OrderPseudonym(order.try_into().map_err(|_| error)?);
            let role = role.first().map_or(Err(error), |byte| at(*byte))?;
            return Ok(Self::Order { order, role: *Role::ALL.get(role).ok_or(error)? });
        }
        let bytes: [u8; 12] = text::from_base32(text).ok_or(error)?;
        let (advocate, rest) = bytes.split_first_chunk::<7>().ok_or(error)?;
        let (trigger, number) = rest.split_first().ok_or(error)?;
        Ok(Self::Milestone {
            advocate: CustomerPseudonym(*advocate),
            trigger: *Trigger::ALL.get(at(*trigger)?).ok_or(error)?,
            at: u32::from_be_bytes(number.try_into().map_err(|_| error)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_what_they_show() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert_eq!(
            "weekly".parse::<CapPeriod>().unwrap_err().to_string(),
            "must be one of total, year"
        );
    }

    #[test]
    fn a_reward_id_names_order_and_role() {
        let order = OrderPseudonym([0xa5; 10]);
        for role in [Role::Advocate, Role::Friend] {
            let id = RewardId::Order { order, role };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        let advocate = CustomerPseudonym([0x5a; 7]);
        for trigger in Trigger::ALL {
            let id = RewardId::Milestone { advocate, trigger: *trigger, at: 70_000 };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in ["", "rw_", "rw_000000000000000000", "8f3k2m7q"] {
            assert!(bad.parse::<RewardId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_of_the_order_becomes_credit() {
        let eur = "EUR".parse().unwrap();
        let rule = Value::PercentOfOrder { basis_points: BasisPoints(2000) };
        assert_eq!(rule.earned(4990, eur), Value::Credit { amount: 998, currency: eur });
        let fixed = Value::Points { points: 10 };
        assert_eq!(fixed.earned(0, eur), fixed);
    }
}
