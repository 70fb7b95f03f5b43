//! What customers, merchants and the operator do.

use passalong_core::reward::{RewardId, Role};
use passalong_edge::http::Request;
use serde_json::{Value, json};

use super::{Heard, Told};
use crate::requests::{identity_token, request};
use crate::story::hint;

impl Told {
    fn token_of(&mut self, customer: &str, hints: &[String]) -> String {
        self.people.insert(customer.to_owned());
        let now = self.machine.instant(self.place * crate::machine::ISOLATES);
        identity_token(&self.identity_secret, super::PROGRAM, customer, hints, None, now)
    }

    /// A customer, logged in, looks at the own page: the shop vouches for the own e-mail address.
    pub fn visits(&mut self, customer: &str) -> &mut Self {
        let token = self.token_of(customer, &[hint(customer)]);
        let (status, answer) = self.ask(request("GET", "/v1/me", &token, None));
        assert_eq!(status, 200, "{answer}");
        self
    }

    pub fn chooses(&mut self, customer: &str, alias: &str) -> &mut Self {
        let token = self.token_of(customer, &[hint(customer)]);
        let body = json!({ "alias": alias });
        let (status, answer) = self.ask(request("POST", "/v1/me/alias", &token, Some(&body)));
        assert_eq!(status, 200, "{answer}");
        self
    }

    /// A customer reports an order of today as a missing referral.
    pub fn misses(&mut self, customer: &str, order: &str) -> &mut Self {
        let sent = self.missing(customer, order);
        let (status, answer) = self.ask(sent);
        assert!(matches!(status, 200 | 201), "{status} {answer}");
        self
    }

    pub fn missing(&mut self, customer: &str, order: &str) -> Request {
        let token = self.token_of(customer, &[hint(customer)]);
        let body = json!({ "order_id": order, "ordered_on": self.instant().day().dashed() });
        request("POST", "/v1/me/claims", &token, Some(&body))
    }

    /// The merchant decides on the advocate's reward of an order. Where several customers reported
    /// it, the one that is meant is named.
    pub fn decision(&self, decision: &str, order: &str, customer: Option<&str>) -> Request {
        let order = self.keys.order(&order.parse().unwrap());
        let id = RewardId::Order { order, role: Role::Advocate };
        let mut body = json!({ "decision": decision });
        if let Some(customer) = customer {
            body["customer_id"] = json!(customer);
        }
        request("POST", &format!("/v1/rewards/{id}/review"), &self.api_key, Some(&body))
    }

    pub fn approves(&mut self, order: &str, customer: Option<&str>) -> &mut Self {
        let sent = self.decision("approve", order, customer);
        let (status, answer) = self.ask(sent);
        assert_eq!(status, 200, "{answer}");
        self
    }

    pub fn erases(&mut self, customer: &str) -> &mut Self {
        let body = json!({ "customer_id": customer });
        let sent = request("POST", "/v1/customers/erase", &self.api_key, Some(&body));
        let (status, answer) = self.ask(sent);
        assert_eq!(status, 200, "{answer}");
        self
    }

    /// New terms, otherwise as before.
    pub fn new_terms(&mut self, changes: &Value) -> Request {
        for (name, value) in changes.as_object().into_iter().flatten() {
            self.terms[name] = value.clone();
        }
        request("PUT", "/v1/program", &self.api_key, Some(&self.terms))
    }

    pub fn changes_terms(&mut self, changes: &Value) -> &mut Self {
        let sent = self.new_terms(changes);
        let (status, answer) = self.ask(sent);
        assert_eq!(status, 200, "{answer}");
        self
    }

    /// The operator ends a generation of keys.
    pub fn revocation(&self, generation: u32) -> Request {
        let path = format!("/v1/programs/{}/keys/revoke", super::PROGRAM);
        let body = json!({ "generation": generation });
        request("POST", &path, &self.operator_key, Some(&body))
    }

    /// The merchant goes on with the keys of another generation.
    pub fn uses_generation(&mut self, generation: u32) -> &mut Self {
        let id = super::PROGRAM.parse().unwrap();
        let secrets = &self.machine.config.secrets;
        self.api_key = secrets.api_key(&id, generation);
        self.identity_secret = secrets.identity_secret(&id, generation);
        self
    }

    /// As a merchant.
    pub fn reads(&mut self, target: &str) -> Heard {
        let sent = request("GET", target, &self.api_key, None);
        self.ask(sent)
    }
}
