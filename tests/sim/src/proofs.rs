//! What reports prove a referral with: one proof or several, by tokens, codes, aliases and coupons, of
//! one advocate or of different ones; some are stale, broken, or nobody's. A report is taken for one
//! of its proofs, and each proof that it may be taken for makes a report of its own.

use passalong_core::channel::Channel;
use passalong_core::click_token::{self, ClickToken};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderId};
use passalong_core::report::ConversionReport;
use passalong_core::time::Instant;
use serde_json::{Value, json};

use crate::aliases::WORDS;
use crate::oracle;
use crate::story::{Program, SentReport, Story};

/// A code that is nobody's.
pub(crate) const BROKEN: &str = "8f3k2m7q8f3k2m7q8f3k2m7q8f";

/// The token of a click on somebody's link.
pub(crate) fn clicked(of: &Program, advocate: &str, at: Instant, nonce: [u8; 4]) -> String {
    let customer = of.pseudonym(advocate);
    ClickToken { customer, at, channel: Channel::WhatsApp, nonce }.sign(&of.keys)
}

/// A proof as a report carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Whose link was clicked, when, and which click of that second.
    Click(CustomerPseudonym, Instant, u32),
    Code(CustomerPseudonym),
    Alias(String),
    Coupon(String),
    /// A token or a code that nobody handed out.
    Broken,
}

/// The fields of a proof with their strength.
const FIELDS: [(&str, u8); 4] = [("token", 0), ("code", 1), ("alias", 1), ("coupon", 2)];

/// The proofs of a report in the order in which they are to be tried.
fn said(of: &Program, body: &Value) -> Vec<Said> {
    let entries = body["proofs"].as_array().into_iter().flatten();
    let mut all: Vec<(u8, &str, &str)> = Vec::new();
    for entry in std::iter::once(body).chain(entries) {
        for (field, strength) in FIELDS {
            let text = entry[field].as_str().filter(|text| !text.is_empty());
            let proof = text.map(|text| (strength, field, text));
            all.extend(proof.filter(|proof| !all.contains(proof)));
        }
    }
    all.sort_by_key(|(strength, ..)| *strength);
    let read = |(_, field, text): (u8, &str, &str)| match field {
        "token" => click_token::verify(&of.keys, text).map_or(Said::Broken, |click| {
            Said::Click(click.customer, click.at, u32::from_be_bytes(click.nonce))
        }),
        "code" => {
            let owner = of.people().find(|name| of.code(name) == text);
            owner.map_or(Said::Broken, |owner| Said::Code(of.pseudonym(owner)))
        }
        "alias" => Said::Alias(text.to_owned()),
        _ => Said::Coupon(text.to_owned()),
    };
    all.into_iter().map(read).collect()
}

/// What a report may be taken for: the place of the proof that counts and whom it names, or nothing.
fn possible(of: &Program, said: &[Said]) -> Vec<Option<(usize, CustomerPseudonym)>> {
    let mut possible = Vec::new();
    for (place, proof) in said.iter().enumerate() {
        match proof {
            Said::Broken => {}
            // It may be outside its window by the terms of then.
            Said::Click(customer, ..) => possible.push(Some((place, *customer))),
            Said::Code(customer) => {
                possible.push(Some((place, *customer)));
                return possible;
            }
            Said::Alias(_) | Said::Coupon(_) => {
                let advocates = of.advocates.iter();
                possible.extend(advocates.map(|name| Some((place, of.pseudonym(name)))));
            }
        }
    }
    possible.push(None);
    // A token that is too old counts where nothing better came: so each may be the one. What names
    // somebody only by the terms of then is not what people expect.
    if matches!(said.first(), Some(Said::Alias(_) | Said::Coupon(_))) {
        possible.rotate_right(1);
    }
    possible
}

impl Story {
    /// Keeps a report as it will be sent, once for each proof that it may be taken for. The number of
    /// the first.
    pub(crate) fn keep_report(&mut self, program: usize, order_id: &str, body: &Value) -> usize {
        let of = &self.programs[program];
        let far = Instant::from_seconds(i64::MAX);
        let parsed = ConversionReport::parse(body.to_string().as_bytes(), far).unwrap();
        let order = of.keys.order(&order_id.parse::<OrderId>().unwrap());
        let proofs = said(of, body);
        let possible = possible(of, &proofs);
        let digest = |counted| of.keys.digest(parsed.content_as(counted).as_bytes());
        let digests: Vec<Digest> = possible.iter().map(|counted| digest(*counted)).collect();
        let mut known = digests.iter().filter_map(|it| self.by_digest.get(&(program, *it)));
        if let Some(known) = known.next() {
            return self.reports[*known].of;
        }
        let ids = parsed.customer.iter().map(|id| Identity::Customer(of.keys.customer(id)));
        let hints = parsed.hints.iter().map(|hint| Identity::Hint(of.keys.hint(hint)));
        let identities: Vec<Identity> = ids.chain(hints).collect();
        let items = parsed.items.iter();
        let items: Vec<(String, i64)> =
            items.map(|item| (item.category.clone().unwrap_or_default(), item.amount)).collect();
        let first = self.reports.len();
        for (counted, digest) in possible.into_iter().zip(digests.clone()) {
            let click = counted.and_then(|(place, _)| match proofs[place] {
                Said::Click(_, at, nonce) => Some((at, nonce)),
                _ => None,
            });
            let report = oracle::Report {
                order,
                digest,
                accepted: far.minute(),
                joined: None,
                bound_by: None,
                reported: far.minute(),
                advocate: counted.map(|(_, advocate)| advocate),
                clicked: click,
                identities: identities.clone(),
                kind: parsed.kind,
                amount: parsed.amount.unwrap_or(0),
                currency: parsed.currency.map(|currency| currency.to_string()),
                first_order: parsed.first_order,
                occurred_at: parsed.occurred_at,
                segment: parsed.segment.clone(),
                action: parsed.action.clone(),
                items: items.clone(),
            };
            self.reports.push(SentReport {
                program,
                order_id: order_id.to_owned(),
                order,
                report,
                proofs: proofs.clone(),
                counted,
                of: first,
                readings: digests.clone(),
                tries: 0,
                answers: Vec::new(),
            });
            self.by_digest.insert((program, digest), self.reports.len() - 1);
        }
        first
    }

    /// Adds proofs to a report: good ones and others, of whomever.
    pub(crate) fn prove(&mut self, program: usize, body: &mut Value, occurred_at: Instant) {
        let random = &mut self.random;
        let of = &self.programs[program];
        if random.permille(600) {
            body.as_object_mut().unwrap().retain(|name, _| name != "token" && name != "code");
        }
        let mut proofs = Vec::new();
        for _ in 0..random.between(1, 4) {
            let advocate = of.advocates[random.index(3)].clone();
            let word = random.pick(&WORDS);
            let word = random.pick(&[word.to_owned(), word.to_lowercase()]);
            let click = |age: i64| {
                let token = clicked(of, &advocate, occurred_at.plus(-age), [1, 2, 3, 4]);
                json!({ "token": token })
            };
            proofs.push(match random.below(14) {
                0 | 1 => click(random.pick(&[60, 3_600, 86_300])),
                2 | 3 => click(random.pick(&[90_000, 40 * 86_400])),
                4 => click(-900),
                5 => json!({ "token": random.pick(&["", "broken", BROKEN]) }),
                6 => json!({ "code": of.code(&advocate) }),
                7 => json!({ "code": BROKEN }),
                8 | 9 => json!({ "alias": word }),
                10 => json!({ "alias": "TANTE7" }),
                11 => json!({ "coupon": format!("FREUND10-{word}") }),
                12 => json!({ "coupon": random.pick(&["newsletter5", "FREUND10", "freund10-"]) }),
                // An alias alone is no coupon.
                _ => json!({ "coupon": word }),
            });
        }
        body["proofs"] = json!(proofs);
    }
}
