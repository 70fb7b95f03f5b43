//! The answers of the HTTP API as the widget reads them: typed getters on the parsed JSON, field by
//! field, in place of a deserialiser that would weigh more than the rest of the widget. The shapes
//! are `passalong-core`'s; a browser test feeds its pinned fixtures through the built widget.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::host::Text;

#[wasm_bindgen]
extern "C" {
    type Object;
    #[wasm_bindgen(method, structural, indexing_getter)]
    fn get(this: &Object, key: &str) -> JsValue;
}

/// What a field may hold, taken as what the fixtures say it is.
pub trait Field {
    fn read(value: JsValue) -> Self;
}

impl Field for JsValue {
    fn read(value: JsValue) -> Self {
        value
    }
}

impl Field for bool {
    fn read(value: JsValue) -> Self {
        value.is_truthy()
    }
}

impl Field for Text {
    fn read(value: JsValue) -> Self {
        value.unchecked_into()
    }
}

/// `null`, or left out. (So is `""`, which no field of ours means anything by.)
impl<T: Field> Field for Option<T> {
    fn read(value: JsValue) -> Self {
        value.is_truthy().then(|| T::read(value))
    }
}

/// Items of one type.
pub struct List<T>(JsValue, std::marker::PhantomData<T>);

impl<T: Field> List<T> {
    pub fn length(&self) -> u32 {
        self.0.unchecked_ref::<js_sys::Array>().length()
    }

    pub fn get(&self, index: u32) -> T {
        T::read(self.0.unchecked_ref::<js_sys::Array>().get(index))
    }
}

impl<T> Field for List<T> {
    fn read(value: JsValue) -> Self {
        Self(value, std::marker::PhantomData)
    }
}

#[inline(never)]
fn field(object: &JsValue, key: &str) -> JsValue {
    object.unchecked_ref::<Object>().get(key)
}

/// Declares an object by its fields; a field's name is its key.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(JsValue);

        impl Field for $name {
            fn read(value: JsValue) -> Self {
                Self(value)
            }
        }

        impl $name {
            $(
                pub fn $key(&self) -> $type {
                    <$type as Field>::read(field(&self.0, stringify!($key)))
                }
            )+
        }
    };
}

object!(
    /// `GET /v1/me`.
    Me {
        program: Program,
        link: Text,
        alias: Option<Text>,
        offer: Offer,
        totals: Totals,
        referrals: List<Referral>,
        next: Option<Next>,
        channels: List<Text>,
        as_of: Text,
        more: bool,
    }
);

object!(Program { name: Text, currency: Text, time_zone: Text });

object!(
    /// `GET /v1/offer`, and the `offer` of `/v1/me`, which has the first eight.
    Offer {
        advocate: Option<Value>,
        friend: Option<Value>,
        hold_days: JsValue,
        hold_from: Option<Text>,
        minimum_order: JsValue,
        window_days: JsValue,
        new_customers_only: bool,
        paused: bool,
        program: Program,
        coupon: Option<Text>,
        from: Option<Text>,
        referred: bool,
        reason: Option<Text>,
    }
);

object!(
    /// `count` is of how many rewards a sum in `earned` is made.
    Value {
        kind: Text,
        basis_points: JsValue,
        amount: JsValue,
        currency: Text,
        points: JsValue,
        bytes: JsValue,
        periods: JsValue,
        label: Option<Text>,
        count: JsValue,
    }
);

object!(Totals {
    clicks: JsValue,
    clicks_today: JsValue,
    signups: JsValue,
    purchases: JsValue,
    pending: JsValue,
    approved: JsValue,
    earned: List<Value>,
});

object!(
    /// In place of a number that would be too dear to count.
    Bound { more_than: JsValue }
);

object!(Referral { number: JsValue, kind: Text, occurred_at: Text, reward: Option<Reward> });

object!(Reward {
    value: Option<Value>,
    status: Text,
    reason: Option<Text>,
    until: Option<Text>,
    since: Option<Text>,
});

object!(Next { at: JsValue, done: JsValue, value: Option<Value> });
