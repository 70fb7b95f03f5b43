//! The answers of the HTTP API as the widget reads them: typed getters on the parsed JSON, field by
//! field, in place of a deserialiser that would weigh more than the rest of the widget. The shapes
//! are `passalong-core`'s; a browser test feeds its pinned fixtures through the built widget.

use std::marker::PhantomData;

use crate::host::{Data, Node, Text};
use crate::names as n;

/// What a field may hold, taken as what the fixtures say it is. What is `null`, or left out, has no
/// fields either.
pub trait Field {
    fn read(value: Data) -> Self;
}

impl Field for Data {
    fn read(value: Data) -> Self {
        value
    }
}

impl Field for bool {
    fn read(value: Data) -> Self {
        value.is_truthy()
    }
}

impl Field for Text {
    fn read(value: Data) -> Self {
        value.text()
    }
}

impl Field for Node {
    fn read(value: Data) -> Self {
        value.node()
    }
}

/// Items of one type.
pub struct List<T>(Data, PhantomData<T>);

impl<T: Field> List<T> {
    pub fn length(&self) -> i32 {
        self.0.get(n::LENGTH).integer()
    }

    pub fn get(&self, index: i32) -> T {
        T::read(self.0.item(index))
    }
}

impl<T> Field for List<T> {
    fn read(value: Data) -> Self {
        Self(value, PhantomData)
    }
}

/// Declares an object by its fields and their keys.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($field:ident $key:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name(pub Data);

        impl Field for $name {
            fn read(value: Data) -> Self {
                Self(value)
            }
        }

        impl $name {
            $(
                pub fn $field(self) -> $type {
                    <$type as Field>::read(self.0.get(n::$key))
                }
            )+
        }
    };
}

object!(
    /// What the loader made of an answer: `kind` is `me`, `offer`, `expired`, `offline` or `error`, and
    /// `body` the answer of the first two. `about` differs where the upper part of the card must.
    Outcome { kind KIND: Text, body BODY: Data, test_clock TEST_CLOCK: Data, about ABOUT: Data }
);

object!(
    /// `GET /v1/me`.
    Me {
        program PROGRAM: Program,
        link LINK: Text,
        alias ALIAS: Text,
        alias_reserved ALIAS_RESERVED: Reserved,
        offer OFFER: Offer,
        totals TOTALS: Totals,
        referrals REFERRALS: List<Referral>,
        as_friend AS_FRIEND: List<Referral>,
        claims CLAIMS: List<Claim>,
        next NEXT: Next,
        channels CHANNELS: List<Text>,
        as_of AS_OF: Text,
        more MORE: bool,
    }
);

object!(Program { name NAME: Text, currency CURRENCY: Text, time_zone TIME_ZONE: Text });

object!(
    /// `GET /v1/offer`, and the `offer` of `/v1/me`, which has the first ten.
    Offer {
        advocate ADVOCATE: Value,
        friend FRIEND: Value,
        hold_days HOLD_DAYS: Data,
        hold_from HOLD_FROM: Text,
        minimum_order MINIMUM_ORDER: Data,
        window_days WINDOW_DAYS: Data,
        new_customers_only NEW_CUSTOMERS_ONLY: bool,
        paused PAUSED: bool,
        trigger TRIGGER: Text,
        when WHEN: Text,
        program PROGRAM: Program,
        coupon COUPON: Text,
        coupon_link COUPON_LINK: Text,
        from FROM: Text,
        referred REFERRED: bool,
        reason REASON: Text,
    }
);

object!(
    /// `count` is of how many rewards a sum in `earned` is made.
    Value {
        kind KIND: Text,
        basis_points BASIS_POINTS: Data,
        times TIMES: Data,
        amount AMOUNT: Data,
        currency CURRENCY: Text,
        points POINTS: Data,
        bytes BYTES: Data,
        periods PERIODS: Data,
        label LABEL: Text,
        to TO: Text,
        count COUNT: Data,
    }
);

object!(Totals {
    clicks CLICKS: Data,
    clicks_today CLICKS_TODAY: Bound,
    signups SIGNUPS: Data,
    purchases PURCHASES: Data,
    pending PENDING: Data,
    approved APPROVED: Data,
    earned EARNED: List<Value>,
    year YEAR: Year,
});

object!(
    /// What was earned in money in a year, and the most that can be, if there is such a limit.
    Year { year YEAR: Text, amount AMOUNT: Data, currency CURRENCY: Text, ceiling CEILING: Data }
);

object!(
    /// An alias that was chosen and is not sure yet.
    Reserved { alias ALIAS: Text, until UNTIL: Text }
);

object!(
    /// A missing referral that the customer reported.
    Claim { ordered_on ORDERED_ON: Text, filed_at FILED_AT: Text, status STATUS: Text }
);

object!(
    /// A number, or in place of one that would be too dear to count, what it is more than.
    Bound { more_than MORE_THAN: Data }
);

object!(
    /// Also an earlier stage of one, and what a friend earns: both have no number, and nothing before.
    Referral {
        number NUMBER: Data,
        kind KIND: Text,
        occurred_at OCCURRED_AT: Text,
        reward REWARD: Reward,
        bonus BONUS: Reward,
        before BEFORE: Referral,
    }
);

object!(Reward {
    value VALUE: Value,
    status STATUS: Text,
    reason REASON: Text,
    until UNTIL: Text,
    since SINCE: Text,
    coupon COUPON: Text,
});

object!(Next { kind KIND: Text, at AT: Data, done DONE: Data, value VALUE: Value });
