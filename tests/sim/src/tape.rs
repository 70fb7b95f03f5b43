//! From errands to the steps of a script, and back.

use passalong_core::click_token::ClickToken;
use passalong_core::time::Instant;
use serde_json::{Value, json};

use crate::aliases::{CAMPAIGNS, WORDS};
use crate::coupons::POOLS;
use crate::script::{Act, Moment, Proof, Step};
use crate::story::{Program, Story, What};

impl Story {
    /// Keeps a step on tape, where there is one.
    pub(crate) fn tape_errand(&self, index: usize, isolate: usize) -> Option<usize> {
        let at = Moment(self.now());
        self.machine.direction.tape_step(|| {
            let (program, act) = self.act_of(index);
            Step { at, isolate, program, act, rules: Vec::new() }
        })
    }

    fn act_of(&self, index: usize) -> (usize, Act) {
        let errand = &self.errands[index];
        let body = || errand.body.clone().unwrap_or_default();
        match errand.what.clone() {
            What::Report(report) => {
                let program = self.reports[report].program;
                let mut body = body();
                let by = take_proof(&self.programs[program], &mut body);
                (program, Act::Report { by, body })
            }
            What::Event(event) => {
                let (program, body) = (self.events[event].program, body());
                let order = body["order"].as_str().unwrap().to_owned();
                (program, Act::Event { order, body: body["body"].clone() })
            }
            What::ByAlias(order) => {
                let (program, alias) = self.alias_ordered(order);
                (program, Act::ByAlias { alias, body: body() })
            }
            What::Upload(upload) => {
                let upload = &self.uploads[upload];
                let (pool, codes) = (upload.pool.to_owned(), upload.codes.clone());
                (upload.program, Act::Upload { pool, codes })
            }
            What::Click { program, advocate, visitor } => {
                (program, Act::Click { advocate, visitor })
            }
            What::Me { program, advocate } => (program, Act::Me { advocate }),
            What::Rewards { program } => (program, Act::Rewards),
            What::Read { program, order_id } => (program, Act::Read { order: order_id }),
            What::Fulfil { program, id, reference } => (program, Act::Fulfil { id, reference }),
            What::Review { program, id, decision, customer } => {
                (program, Act::Review { id, decision: decision.to_owned(), customer })
            }
            What::Owed { program, advocate } => (program, Act::Owed { advocate }),
            What::Pool { program, pool } => (program, Act::Pool { pool: pool.to_owned() }),
            What::Erase { program, customer } => (program, Act::Erase { customer }),
            What::Terms { program, terms } => (program, Act::Terms { terms }),
            What::Codes { program } => (program, Act::Codes),
            What::Webhook(asked) => self.act_of_webhook(asked),
            What::Share { program, advocate } => (program, Act::Share { advocate }),
            What::Claim { program, person } => {
                (program, Act::Claim { advocate: person, body: body() })
            }
            What::Claims { program } => (program, Act::Claims),
            What::ChooseAlias { program, advocate, alias } => {
                (program, Act::ChooseAlias { advocate, alias: alias.map(str::to_owned) })
            }
        }
    }

    /// What somebody is to do, as an errand.
    pub(crate) fn errand_of(&mut self, program: usize, act: Act) -> (What, Option<Value>) {
        let what = match act {
            Act::Cron | Act::Kill => panic!("nobody is asked for that"),
            Act::Report { by, mut body } => {
                let of = &self.programs[program];
                give_proof(of, &by, &mut body);
                let order = body["order_id"].as_str().unwrap().to_owned();
                let index = self.keep_report(program, &order, &body);
                return (What::Report(index), Some(body));
            }
            Act::Event { order, body } => {
                let index = self.keep_event(program, &order, &body);
                return (What::Event(index), Some(json!({ "order": order, "body": body })));
            }
            Act::ByAlias { alias, body } => {
                let index = self.keep_order_by_alias(program, &alias, &body);
                return (What::ByAlias(index), Some(body));
            }
            Act::Claim { advocate, body } => {
                return (What::Claim { program, person: advocate }, Some(body));
            }
            Act::Upload { pool, codes } => {
                What::Upload(self.keep_upload(program, known(&pool), codes))
            }
            Act::Click { advocate, visitor } => What::Click { program, advocate, visitor },
            Act::Me { advocate } => What::Me { program, advocate },
            Act::Rewards => What::Rewards { program },
            Act::Read { order } => What::Read { program, order_id: order },
            Act::Fulfil { id, reference } => What::Fulfil { program, id, reference },
            Act::Claims => What::Claims { program },
            Act::Review { id, decision, customer } => {
                let decision = if decision == "approve" { "approve" } else { "decline" };
                What::Review { program, id, decision, customer }
            }
            Act::Owed { advocate } => What::Owed { program, advocate },
            Act::Pool { pool } => What::Pool { program, pool: known(&pool) },
            Act::Erase { customer } => What::Erase { program, customer },
            Act::Terms { terms } => What::Terms { program, terms },
            Act::Codes => What::Codes { program },
            Act::Webhook { url, ask } => self.ask_webhook(program, &url, ask),
            Act::Share { advocate } => What::Share { program, advocate },
            Act::ChooseAlias { advocate, alias } => {
                let mut words = WORDS.into_iter().chain(CAMPAIGNS);
                let alias = alias.map(|alias| words.find(|word| *word == alias).unwrap());
                What::ChooseAlias { program, advocate, alias }
            }
        };
        (what, None)
    }
}

fn known(pool: &str) -> &'static str {
    POOLS.into_iter().find(|known| *known == pool).unwrap()
}

/// Tokens and codes are long; what is written down says whose they are.
fn take_proof(of: &Program, body: &mut Value) -> Proof {
    let fields = body.as_object_mut().unwrap();
    let named = |pseudonym| of.advocates.iter().find(|name| of.pseudonym(name) == pseudonym);
    let token = fields.get("token").and_then(Value::as_str);
    if let Some(click) =
        token.and_then(|token| passalong_core::click_token::verify(&of.keys, token).ok())
    {
        let advocate = named(click.customer).unwrap().clone();
        fields.remove("token");
        return Proof::Click(advocate, click.at.seconds(), u32::from_be_bytes(click.nonce));
    }
    let code = fields.get("code").and_then(Value::as_str);
    let owner = code.and_then(|code| of.advocates.iter().find(|name| of.code(name) == code));
    let Some(owner) = owner else { return Proof::Nothing };
    let owner = owner.clone();
    fields.remove("code");
    Proof::Code(owner)
}

fn give_proof(of: &Program, by: &Proof, body: &mut Value) {
    match by {
        Proof::Nothing => {}
        Proof::Code(advocate) => body["code"] = json!(of.code(advocate)),
        Proof::Click(advocate, at, nonce) => {
            let token = ClickToken {
                customer: of.pseudonym(advocate),
                at: Instant::from_seconds(*at),
                channel: passalong_core::channel::Channel::WhatsApp,
                nonce: nonce.to_be_bytes(),
            };
            body["token"] = json!(token.sign(&of.keys));
        }
    }
}
