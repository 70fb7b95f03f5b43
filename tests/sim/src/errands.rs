//! Errands on their way: what is sent for each, where, and how often.

use passalong_edge::http::Request;
use serde_json::{Value, json};

use crate::machine::{ISOLATES, LOCATIONS, Next, TaskId};
use crate::requests::{click, identity_token, request};
use crate::story::{ERRANDS, HOUR, MINUTE, SECOND, Story, What, hint};

impl Story {
    /// One try of an errand, somewhere.
    pub(crate) fn go(&mut self, index: usize) {
        if self.errands[index].done {
            return;
        }
        self.errands[index].tries += 1;
        let isolate = self.random.index(LOCATIONS * ISOLATES);
        let step = self.tape_errand(index, isolate);
        let task = self.send_errand(index, isolate);
        self.machine.direction.begins(task, step);
    }

    pub(crate) fn send_errand(&mut self, index: usize, isolate: usize) -> TaskId {
        let sent = self.request_of(index, isolate);
        match &self.errands[index].what {
            What::Report(report) => self.reports[*report].tries += 1,
            What::Event(event) => self.events[*event].sent = true,
            What::ByAlias(order) => self.aliases.begin(*order, self.machine.now.get()),
            What::Upload(upload) => self.uploads[*upload].sent = true,
            What::Webhook(asked) => self.hooks.begin(*asked, self.machine.now.get()),
            _ => {}
        }
        let task = self.send(isolate, sent);
        self.tasks.insert(task, index);
        task
    }

    fn request_of(&self, index: usize, isolate: usize) -> Request {
        let now = self.machine.instant(isolate);
        let errand = &self.errands[index];
        let of = |program: usize| &self.programs[program];
        let as_customer = |program: usize, person: usize| {
            let of = of(program);
            let customer = of.people().nth(person).unwrap();
            // Who is a regular changes from time to time.
            let days = now.seconds() / 86_400;
            let segment = if days % 2 == 0 { "neu" } else { "stamm" };
            let hints = [hint(customer)];
            identity_token(&of.identity_secret, &of.id, customer, &hints, Some(segment), now)
        };
        let post = |program: usize, path: &str, body: &Value| {
            request("POST", path, &of(program).api_key, Some(body))
        };
        match &errand.what {
            What::Report(report) => {
                let program = self.reports[*report].program;
                post(program, "/v1/conversions", errand.body.as_ref().unwrap())
            }
            What::Event(event) => {
                let body = errand.body.as_ref().unwrap();
                let path = format!("/v1/conversions/{}/events", body["order"].as_str().unwrap());
                post(self.events[*event].program, &path, &body["body"])
            }
            What::Click { program, advocate, visitor } => {
                let of = of(*program);
                click(&of.id, &of.code(&of.advocates[*advocate]), *visitor)
            }
            What::Me { program, advocate } => {
                request("GET", "/v1/me", &as_customer(*program, *advocate), None)
            }
            What::Claim { program, person } => {
                let body = errand.body.as_ref();
                request("POST", "/v1/me/claims", &as_customer(*program, *person), body)
            }
            What::Claims { program } => request("GET", "/v1/claims", &of(*program).api_key, None),
            What::Share { program, advocate } => {
                let body = json!({ "channel": "whatsapp" });
                request("POST", "/v1/me/shares", &as_customer(*program, *advocate), Some(&body))
            }
            What::Rewards { program } => request("GET", "/v1/rewards", &of(*program).api_key, None),
            What::Read { program, order_id } => {
                let path = format!("/v1/conversions/{order_id}");
                request("GET", &path, &of(*program).api_key, None)
            }
            What::Fulfil { program, id, reference } => {
                let body = json!({ "reference": format!("voucher {reference}") });
                post(*program, &format!("/v1/rewards/{id}/fulfil"), &body)
            }
            What::Review { program, id, decision, customer } => {
                let mut body = json!({ "decision": decision, "note": "looked at" });
                if let Some(customer) = customer {
                    body["customer_id"] = json!(customer);
                }
                post(*program, &format!("/v1/rewards/{id}/review"), &body)
            }
            What::Upload(upload) => self.upload_request(*upload),
            What::Pool { program, pool } => self.pool_request(*program, pool),
            What::Owed { program, advocate } => {
                let of = of(*program);
                let path = format!("/v1/rewards?customer_id={}", of.advocates[*advocate]);
                request("GET", &path, &of.api_key, None)
            }
            What::Erase { program, customer } => {
                post(*program, "/v1/customers/erase", &json!({ "customer_id": customer }))
            }
            What::Terms { program, terms } => {
                request("PUT", "/v1/program", &of(*program).api_key, Some(terms))
            }
            what @ (What::ChooseAlias { .. } | What::ByAlias(_)) => {
                self.alias_request(what, errand.body.as_ref(), now)
            }
            What::Webhook(asked) => self.webhook_request(*asked),
            What::Codes { program } => {
                let ids = &of(*program).advocates;
                post(*program, "/v1/codes", &json!({ "customer_ids": ids }))
            }
        }
    }

    /// Tries again later, unless whoever it is has had enough.
    pub(crate) fn again(&mut self, index: usize) {
        if self.machine.direction.is_scripted() {
            self.errands[index].done = true;
            return;
        }
        let tries = self.errands[index].tries;
        let patient = matches!(
            self.errands[index].what,
            What::Report(_)
                | What::Event(_)
                | What::Fulfil { .. }
                | What::Review { .. }
                | What::Upload(_)
                | What::Erase { .. }
                | What::ChooseAlias { .. }
                | What::ByAlias(_)
                | What::Webhook(_)
        );
        if !patient || tries > 4 || self.random.permille(250) {
            self.errands[index].done = true;
            return;
        }
        let wait = self.random.pick(&[0, SECOND, 5 * SECOND, 2 * MINUTE, 30 * MINUTE, 2 * HOUR]);
        self.machine.schedule(self.now() + wait, Next::Outside(ERRANDS + index));
    }
}
