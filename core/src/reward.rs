//! What can be earned, by whom and for what: values, rules and caps; and the closed lists of
//! statuses (where a reward is) and reasons (why).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::OrderPseudonym;
use crate::money::{BasisPoints, Currency};
use crate::text;
use crate::words::words;

words!(
    /// Where a reward is.
    Status {
        Pending = "pending",
        Review = "review",
        Approved = "approved",
        Fulfilled = "fulfilled",
        Reversed = "reversed",
        Expired = "expired",
        Refused = "refused",
    }
);

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

/// What is earned. Amounts are minor units; rates are basis points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Value {
    /// A discount on an order of the one who earns it.
    PercentOff {
        basis_points: BasisPoints,
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

    /// The countable amount: minor units or points; none for percentages.
    pub const fn amount(self) -> Option<i64> {
        match self {
            Self::AmountOff { amount, .. } | Self::Credit { amount, .. } => Some(amount),
            Self::Points { points } => Some(points),
            Self::PercentOff { .. } | Self::PercentOfOrder { .. } => None,
        }
    }

    /// The same value with another amount; percentages stay as they are.
    #[must_use]
    pub const fn with_amount(self, amount: i64) -> Self {
        match self {
            Self::AmountOff { currency, .. } => Self::AmountOff { amount, currency },
            Self::Credit { currency, .. } => Self::Credit { amount, currency },
            Self::Points { .. } => Self::Points { points: amount },
            percent => percent,
        }
    }
}

/// How much one advocate can earn by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// At most so many rewards.
    pub count: Option<u32>,
    /// At most so much in all: minor units, or points where the value is points.
    pub amount: Option<i64>,
    pub per: CapPeriod,
}

/// One rule of a program. Of the rules for one role, the first that fits a conversion applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    #[serde(rename = "for")]
    pub role: Role,
    pub trigger: Trigger,
    pub value: Value,
    /// In minor units of the program's currency, tested on what remains after refunds.
    pub minimum_order: Option<i64>,
    pub cap: Option<Cap>,
    pub when: When,
}

/// The id of a reward: an order earns at most one reward for each role. Shown as `rw_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RewardId {
    pub order: OrderPseudonym,
    pub role: Role,
}

impl fmt::Display for RewardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 11];
        let (order, role) = bytes.split_at_mut(10);
        order.copy_from_slice(&self.order.0);
        role.fill(match self.role {
            Role::Advocate => 1,
            Role::Friend => 2,
        });
        write!(f, "rw_{}", text::base32(&bytes))
    }
}

impl FromStr for RewardId {
    type Err = crate::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; 11] = text
            .strip_prefix("rw_")
            .and_then(text::from_base32)
            .ok_or(crate::ids::IdError::Pseudonym)?;
        let [order @ .., role] = bytes;
        let role = match role {
            1 => Role::Advocate,
            2 => Role::Friend,
            _ => return Err(crate::ids::IdError::Pseudonym),
        };
        Ok(Self { order: OrderPseudonym(order), role })
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
        for role in [Role::Advocate, Role::Friend] {
            let id = RewardId { order: OrderPseudonym([0xa5; 10]), role };
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
