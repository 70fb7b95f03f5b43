//! The answers of the HTTP API as the widget reads them: typed getters on the parsed JSON, field by
//! field, in place of a deserialiser that would weigh more than the rest of the widget. The shapes
//! are `passalong-core`'s; a browser test feeds its pinned fixtures through the built widget.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// `GET /v1/me`.
    #[derive(Clone)]
    pub type Me;
    #[wasm_bindgen(method, getter)]
    pub fn program(this: &Me) -> Program;
    #[wasm_bindgen(method, getter)]
    pub fn link(this: &Me) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn alias(this: &Me) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn offer(this: &Me) -> Terms;
    #[wasm_bindgen(method, getter)]
    pub fn totals(this: &Me) -> Totals;
    #[wasm_bindgen(method, getter)]
    pub fn referrals(this: &Me) -> Vec<Referral>;
    #[wasm_bindgen(method, getter)]
    pub fn next(this: &Me) -> Option<Next>;
    #[wasm_bindgen(method, getter)]
    pub fn channels(this: &Me) -> Vec<String>;
    #[wasm_bindgen(method, getter)]
    pub fn as_of(this: &Me) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn more(this: &Me) -> Option<String>;

    pub type Program;
    #[wasm_bindgen(method, getter)]
    pub fn name(this: &Program) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn currency(this: &Program) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn time_zone(this: &Program) -> String;

    /// What both sides get; also the body of `GET /v1/offer`, which has more fields.
    #[derive(Clone)]
    pub type Terms;
    #[wasm_bindgen(method, getter)]
    pub fn advocate(this: &Terms) -> Option<Value>;
    #[wasm_bindgen(method, getter)]
    pub fn friend(this: &Terms) -> Option<Value>;
    #[wasm_bindgen(method, getter)]
    pub fn hold_days(this: &Terms) -> Option<u32>;
    #[wasm_bindgen(method, getter)]
    pub fn hold_from(this: &Terms) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn minimum_order(this: &Terms) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn window_days(this: &Terms) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn new_customers_only(this: &Terms) -> bool;
    #[wasm_bindgen(method, getter)]
    pub fn paused(this: &Terms) -> bool;

    /// `GET /v1/offer`.
    #[wasm_bindgen(extends = Terms)]
    #[derive(Clone)]
    pub type Offer;
    #[wasm_bindgen(method, getter, js_name = program)]
    pub fn offer_program(this: &Offer) -> Program;
    #[wasm_bindgen(method, getter)]
    pub fn coupon(this: &Offer) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn from(this: &Offer) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn referred(this: &Offer) -> bool;
    #[wasm_bindgen(method, getter, js_name = reason)]
    pub fn offer_reason(this: &Offer) -> Option<String>;

    pub type Value;
    #[wasm_bindgen(method, getter)]
    pub fn kind(this: &Value) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn basis_points(this: &Value) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn amount(this: &Value) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn currency(this: &Value) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn points(this: &Value) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn bytes(this: &Value) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn periods(this: &Value) -> JsValue;
    /// Of how many rewards a sum is made; in `earned` only.
    #[wasm_bindgen(method, getter)]
    pub fn count(this: &Value) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn label(this: &Value) -> Option<String>;

    pub type Totals;
    #[wasm_bindgen(method, getter)]
    pub fn clicks(this: &Totals) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn clicks_today(this: &Totals) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn signups(this: &Totals) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn purchases(this: &Totals) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn pending(this: &Totals) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn approved(this: &Totals) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn earned(this: &Totals) -> Vec<Value>;

    /// `{"more_than": n}`, in place of a number that would be too dear to count.
    pub type Bound;
    #[wasm_bindgen(method, getter)]
    pub fn more_than(this: &Bound) -> JsValue;

    pub type Referral;
    #[wasm_bindgen(method, getter)]
    pub fn number(this: &Referral) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn kind(this: &Referral) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn occurred_at(this: &Referral) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn reward(this: &Referral) -> Option<Reward>;

    pub type Reward;
    #[wasm_bindgen(method, getter)]
    pub fn value(this: &Reward) -> Option<Value>;
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Reward) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn reason(this: &Reward) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn until(this: &Reward) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub fn since(this: &Reward) -> Option<String>;

    pub type Next;
    #[wasm_bindgen(method, getter)]
    pub fn at(this: &Next) -> u32;
    #[wasm_bindgen(method, getter)]
    pub fn done(this: &Next) -> u32;
    #[wasm_bindgen(method, getter, js_name = value)]
    pub fn prize(this: &Next) -> Option<Value>;
}
