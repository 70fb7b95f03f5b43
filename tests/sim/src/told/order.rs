//! An order while it is told.

use std::rc::Rc;

use passalong_core::channel::Channel;
use passalong_core::click_token::ClickToken;
use passalong_core::ids::OrderId;
use passalong_core::orders::state::{Standing, StateReport};
use passalong_edge::http::Request;
use passalong_edge::programs;
use passalong_edge::record_event::take_state;
use passalong_edge::store::Context;
use serde_json::{Value, json};

use super::{Heard, PROGRAM, Told};
use crate::machine::ISOLATES;
use crate::place::Place;
use crate::requests::request;
use crate::story::hint;

/// What a shop is about to report: a purchase of 100.00 EUR, made now, by nobody yet.
#[must_use = "nothing happens before it is sent"]
pub struct Order<'t> {
    told: &'t mut Told,
    body: Value,
}

impl Told {
    pub fn order(&mut self, id: &str) -> Order<'_> {
        let body = json!({
            "order_id": id, "kind": "purchase", "amount": 10_000, "currency": "EUR",
            "occurred_at": self.instant(),
        });
        Order { told: self, body }
    }

    /// Something happens to an order, and the shop says so.
    pub fn event(&mut self, order: &str, kind: &str) -> &mut Self {
        self.event_with(order, kind, &json!({}))
    }

    /// The same, saying more of it.
    pub fn event_with(&mut self, order: &str, kind: &str, more: &Value) -> &mut Self {
        self.serial += 1;
        let mut body = json!({
            "event_id": format!("e{}", self.serial), "type": kind, "occurred_at": self.instant(),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let path = format!("/v1/conversions/{order}/events");
        let (status, answer) = self.ask(request("POST", &path, &self.api_key, Some(&body)));
        assert!((200..=202).contains(&status), "{kind} of {order}: {status} {answer}");
        self
    }

    /// The shop's system tells how an order stands, since that time (`2026-11-03T10:00`), with so much
    /// of 100.00 EUR paid back. No message of the API says this: the shops' hooks do.
    pub fn state(
        &mut self,
        order: &str,
        standing: Standing,
        since: &str,
        refunded: i64,
    ) -> &mut Self {
        let at = format!("{since}:05Z").parse().unwrap();
        let report = StateReport { at, amount: 10_000, refunded, standing, items: Vec::new() };
        let order: OrderId = order.parse().unwrap();
        let (machine, isolate) = (Rc::clone(&self.machine), self.place * ISOLATES);
        let (memory, now) = (machine.isolate(isolate), machine.instant(isolate));
        let inner = Rc::clone(&machine);
        machine.spawn(isolate, async move {
            let place = Place { machine: Rc::clone(&inner), isolate };
            let cx = Context::new(&place, &memory, &inner.config, now);
            let program = programs::load(&cx, &PROGRAM.parse().unwrap()).await.unwrap().unwrap();
            take_state(&cx, &program, &order, &report).await.unwrap();
        });
        self.finish();
        self
    }
}

impl Order<'_> {
    /// By a customer with that id.
    pub fn of(mut self, customer: &str) -> Self {
        self.told.people.insert(customer.to_owned());
        self.body["customer_id"] = json!(customer);
        self
    }

    /// In the e-mail address of somebody, who may be a guest.
    pub fn in_mail_of(mut self, somebody: &str) -> Self {
        self.body["hints"] = json!([hint(somebody)]);
        self
    }

    pub fn amount(mut self, amount: i64) -> Self {
        self.body["amount"] = json!(amount);
        self
    }

    pub fn sign_up(mut self) -> Self {
        self.body["kind"] = json!("signup");
        self.without_amount()
    }

    pub fn action(mut self, action: &str) -> Self {
        self.body["kind"] = json!("action");
        self.body["action"] = json!(action);
        self.without_amount()
    }

    fn without_amount(mut self) -> Self {
        let body = self.body.as_object_mut().unwrap();
        body.retain(|name, _| name != "amount" && name != "currency");
        self
    }

    /// Whether the shop says that it is the customer's first.
    pub fn first(mut self, first: bool) -> Self {
        self.body["first_order"] = json!(first);
        self
    }

    pub fn occurred(mut self, time: &str) -> Self {
        self.body["occurred_at"] = json!(format!("{time}:05Z"));
        self
    }

    pub fn code(mut self, advocate: &str) -> Self {
        self.body["code"] = json!(self.told.code(advocate));
        self
    }

    /// By a click on somebody's link, so many minutes before; the same click where that is said.
    pub fn click(self, advocate: &str, minutes: i64, click: u8) -> Self {
        self.told.code(advocate);
        let customer = self.told.keys.customer(&advocate.parse().unwrap());
        let at = self.told.instant().plus(-60 * minutes);
        let token = ClickToken { customer, at, channel: Channel::WhatsApp, nonce: [click; 4] };
        let token = token.sign(&self.told.keys);
        self.token(&token)
    }

    pub fn token(mut self, token: &str) -> Self {
        self.body["token"] = json!(token);
        self
    }

    /// Anything else a report can say.
    pub fn saying(mut self, name: &str, value: &Value) -> Self {
        self.body[name] = value.clone();
        self
    }

    /// The request, to be sent with others.
    pub fn request(self) -> Request {
        request("POST", "/v1/conversions", &self.told.api_key, Some(&self.body))
    }

    /// Reports it, whatever the answer.
    pub fn ask(self) -> Heard {
        let sent = request("POST", "/v1/conversions", &self.told.api_key, Some(&self.body));
        self.told.ask(sent)
    }

    /// Reports it, which must be taken.
    pub fn send(self) -> Value {
        let (status, answer) = self.ask();
        assert!(matches!(status, 200 | 201), "{status} {answer}");
        answer
    }
}
