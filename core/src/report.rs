//! What a shop reports: conversions and their events, read from JSON and normalised, so that
//! "identical" means equal after reading.

mod proofs;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::decode::{Fields, Invalid};
use crate::ids::{CustomerId, EventId, Hint, OrderId, OrderNumber};
use crate::money::Currency;
use crate::reward::ConversionKind;
use crate::time::{Instant, MINUTE};
use crate::words::words;

pub use proofs::{Counted, PROOFS, Proof, ProofKind};

/// How far ahead of our clock a shop's clock may be, in seconds.
pub const CLOCK_LEEWAY: i64 = 5 * MINUTE;

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub sku: String,
    pub category: Option<String>,
    pub amount: i64,
}

/// `POST /v1/conversions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversionReport {
    pub order: OrderId,
    pub kind: ConversionKind,
    /// Goods after discounts, VAT included, shipping not; nothing for a sign-up.
    pub amount: Option<i64>,
    pub currency: Option<Currency>,
    pub customer: Option<CustomerId>,
    pub hints: Vec<Hint>,
    pub first_order: Option<bool>,
    pub occurred_at: Instant,
    /// In the order in which they are tried; none twice.
    pub proofs: Vec<Proof>,
    /// What people see of the order's id.
    pub number: Option<OrderNumber>,
    pub segment: Option<String>,
    pub action: Option<String>,
    pub items: Vec<Item>,
    /// It came by the buyer's browser, with the shop's signature, and not from the shop's server.
    pub browser_only: bool,
}

impl ConversionReport {
    pub fn parse(body: &[u8], now: Instant) -> Result<Self, Invalid> {
        let mut f = Fields::parse(body)?;
        let order = f.read("order_id")?;
        let order = f.required("order_id", order, "the shop's own id of the order")?;
        let kind = f.read("kind")?;
        let kind = f.required("kind", kind, "signup, purchase or action")?;
        let amount = f.amount("amount")?;
        let currency = f.read("currency")?;
        match kind {
            ConversionKind::Purchase => {
                f.required("amount", amount, "goods after discounts, in minor units")?;
                f.required("currency", currency, "an ISO 4217 code, for example EUR")?;
            }
            ConversionKind::Signup if amount.is_some() || currency.is_some() => {
                let field = if amount.is_some() { "amount" } else { "currency" };
                return Err(f.invalid(field, "does not fit: a signup has no amount"));
            }
            _ if amount.is_some() != currency.is_some() => {
                return Err(f.invalid("currency", "is required where there is an amount"));
            }
            _ => {}
        }
        let (customer, hints) = person(&mut f)?;
        let first_order = f.flag("first_order")?;
        let occurred_at = occurred_at(&mut f, now)?;
        let proofs = proofs::read(&mut f)?;
        let number = f.read("order_number")?;
        let segment = f.text("segment", 64)?;
        let action = f.text("action", 64)?;
        match (kind, &action) {
            (ConversionKind::Action, None) => {
                f.required("action", None::<()>, "the name of what was done, for example review")?;
            }
            (ConversionKind::Action, Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(f.invalid("action", "goes with the kind action only")),
        }
        let items = items(&mut f)?;
        f.finish()?;
        Ok(Self {
            order,
            kind,
            amount,
            currency,
            customer,
            hints,
            first_order,
            occurred_at,
            proofs,
            number,
            segment,
            action,
            items,
            browser_only: false,
        })
    }

    /// The normalised content, the same for every report that is identical after reading.
    pub fn content(&self) -> String {
        self.content_as(None)
    }

    /// The content together with what the report was taken for. Whom an alias names depends on when
    /// that was asked: two tries of one report that were taken differently are two reports, of which
    /// the one accepted first counts.
    pub fn content_as(&self, counted: Option<Counted>) -> String {
        let proofs: Vec<_> = self.proofs.iter().map(|proof| (proof.kind, &proof.text)).collect();
        let hints: Vec<_> = self.hints.iter().map(|hint| crate::text::base64url(&hint.0)).collect();
        let mut content = json!([
            "conversion-v2",
            self.order.as_str(),
            self.kind,
            self.amount,
            self.currency,
            self.customer.as_ref().map(CustomerId::as_str),
            hints,
            self.first_order,
            self.occurred_at,
            proofs,
            self.number.as_ref().map(OrderNumber::as_str),
            self.segment,
            self.action,
            self.items,
            counted.map(|(index, advocate)| (index, advocate.to_string())),
        ]);
        if let Some(content) = content.as_array_mut().filter(|_| self.browser_only) {
            content.push("browser".into());
        }
        content.to_string()
    }
}

/// `POST /v1/offer/check`: what an order would say of its friend, before there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferQuestion {
    pub customer: Option<CustomerId>,
    pub hints: Vec<Hint>,
    pub first_order: Option<bool>,
    pub segment: Option<String>,
    pub proofs: Vec<Proof>,
    /// What is in the basket, as far as the shop says.
    pub items: Vec<Item>,
}

impl OfferQuestion {
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let mut f = Fields::parse(body)?;
        let (customer, hints) = person(&mut f)?;
        let first_order = f.flag("first_order")?;
        let proofs = proofs::read(&mut f)?;
        let segment = f.text("segment", 64)?;
        let items = items(&mut f)?;
        f.finish()?;
        Ok(Self { customer, hints, first_order, segment, proofs, items })
    }
}

/// Who the friend is: at least one of the two.
fn person(f: &mut Fields) -> Result<(Option<CustomerId>, Vec<Hint>), Invalid> {
    let customer = f.read("customer_id")?;
    let mut hints: Vec<Hint> = f.read_list("hints", 4)?;
    hints.sort();
    hints.dedup();
    if customer.is_none() && hints.is_empty() {
        let right = "the customer's id, or for a guest at least one hint (the SHA-256 of the normalised e-mail address)";
        f.required("customer_id", None::<()>, right)?;
    }
    Ok((customer, hints))
}

fn occurred_at(f: &mut Fields, now: Instant) -> Result<Instant, Invalid> {
    let at = f.read("occurred_at")?;
    let at: Instant = f.required("occurred_at", at, "when it happened, as RFC 3339")?;
    if at > now.plus(CLOCK_LEEWAY) {
        let problem = format!("lies more than 5 minutes ahead; it is {now} here");
        return Err(f.invalid("occurred_at", problem));
    }
    Ok(at)
}

fn items(f: &mut Fields) -> Result<Vec<Item>, Invalid> {
    f.objects("items", 200)?.unwrap_or_default().into_iter().map(item).collect()
}

fn item(mut f: Fields) -> Result<Item, Invalid> {
    let sku = f.text("sku", 128)?;
    let sku = f.required("sku", sku, "the article's number")?;
    let category = f.text("category", 128)?;
    let amount = f.amount("amount")?;
    let amount = f.required("amount", amount, "in minor units")?;
    f.finish()?;
    Ok(Item { sku, category, amount })
}

words!(
    /// What can happen to an order. Of events that happened at one instant, the one that stands
    /// first here comes first.
    EventType {
        Delivered = "delivered",
        /// The order was edited and is worth another amount now.
        Amended = "amended",
        Refunded = "refunded",
        Withdrawn = "withdrawn",
        Cancelled = "cancelled",
        /// The buyer's bank asks for the money back; it is not decided yet.
        Disputed = "disputed",
        Chargeback = "chargeback",
        /// Something that took the order back does not hold any more.
        Restored = "restored",
        /// An order that only a browser reported is paid.
        Confirmed = "confirmed",
    }
);

impl EventType {
    /// Whether it takes an order back, wholly, in part or until it is decided: so that it can be
    /// restored.
    pub const fn is_reversal(self) -> bool {
        matches!(
            self,
            Self::Refunded | Self::Withdrawn | Self::Cancelled | Self::Disputed | Self::Chargeback
        )
    }
}

/// `POST /v1/conversions/{order_id}/events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReport {
    pub id: EventId,
    pub kind: EventType,
    /// Of a refund, what was paid back; of an amendment, what the order is worth now.
    pub amount: Option<i64>,
    /// Of an amendment: the lines of the order now. Empty where they are not told.
    pub items: Vec<Item>,
    /// Of a restoration: the event that does not hold any more. `None` for the last reversal.
    pub undoes: Option<EventId>,
    pub occurred_at: Instant,
}

impl EventReport {
    /// That an order was paid.
    pub fn confirmed(id: &str, occurred_at: Instant) -> Option<Self> {
        let id = id.parse().ok()?;
        let (kind, items) = (EventType::Confirmed, Vec::new());
        Some(Self { id, kind, amount: None, items, undoes: None, occurred_at })
    }

    pub fn parse(body: &[u8], now: Instant) -> Result<Self, Invalid> {
        let mut f = Fields::parse(body)?;
        let id = f.read("event_id")?;
        let id: EventId =
            f.required("event_id", id, "the shop's own id of the event, unique for the order")?;
        let kind = f.read("type")?;
        let kind: EventType = f.required("type", kind, "for example delivered")?;
        let amount = f.amount("amount")?;
        match (kind, amount) {
            (EventType::Refunded, None) => {
                f.required("amount", None::<()>, "what was paid back, in minor units")?;
            }
            (EventType::Refunded, Some(0)) => {
                return Err(f.invalid("amount", "must be more than zero"));
            }
            (EventType::Amended, None) => {
                let right = "what the order is worth now, before refunds, in minor units";
                f.required("amount", None::<()>, right)?;
            }
            (EventType::Refunded | EventType::Amended, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                return Err(f.invalid("amount", "goes with the types refunded and amended only"));
            }
        }
        let undoes: Option<EventId> = f.read("undoes")?;
        if undoes.is_some() && kind != EventType::Restored {
            return Err(f.invalid("undoes", "goes with the type restored only"));
        }
        if undoes.as_ref() == Some(&id) {
            return Err(f.invalid("undoes", "must be the event_id of another event"));
        }
        let items = f.objects("items", 200)?;
        if items.is_some() && kind != EventType::Amended {
            return Err(f.invalid("items", "goes with the type amended only"));
        }
        let items = items.unwrap_or_default().into_iter().map(item).collect::<Result<_, _>>()?;
        let occurred_at = occurred_at(&mut f, now)?;
        f.finish()?;
        Ok(Self { id, kind, amount, items, undoes, occurred_at })
    }

    /// The normalised content together with the order it belongs to.
    pub fn content(&self, order: &OrderId) -> String {
        json!([
            "event-v1",
            order.as_str(),
            self.id.as_str(),
            self.kind,
            self.amount,
            self.occurred_at,
            self.undoes.as_ref().map(EventId::as_str),
            self.items,
        ])
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HINT: &str = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514";

    fn now() -> Instant {
        "2026-11-22T08:00:00Z".parse().unwrap()
    }

    fn report(change: &[(&str, serde_json::Value)]) -> Result<ConversionReport, Invalid> {
        let mut body = json!({
            "order_id": "A-10077", "kind": "purchase", "amount": 4990, "currency": "EUR",
            "customer_id": "20871", "occurred_at": "2026-11-22T08:00:00Z",
        });
        for (field, value) in change {
            body[field] = value.clone();
        }
        ConversionReport::parse(body.to_string().as_bytes(), now())
    }

    #[test]
    fn equal_after_reading_is_identical() {
        let first = report(&[("hints", json!([HINT, HINT.to_uppercase()]))]).unwrap();
        let second = report(&[
            ("hints", json!([HINT])),
            ("occurred_at", json!("2026-11-22T09:00:00.400+01:00")),
            ("token", json!(null)),
        ])
        .unwrap();
        assert_eq!(first.content(), second.content());
        for (field, value) in [
            ("amount", json!(4991)),
            ("token", json!("a")),
            ("proofs", json!([{ "coupon": "a" }])),
            ("order_number", json!("1077")),
        ] {
            let other = report(&[("hints", json!([HINT])), (field, value)]).unwrap();
            assert_ne!(first.content(), other.content(), "{field}");
        }
        let counted =
            |index| first.content_as(Some((index, crate::ids::CustomerPseudonym([7; 7]))));
        assert_ne!(counted(0), counted(1));
        assert_ne!(counted(0), first.content());
    }

    #[test]
    fn every_mistake_names_its_field() {
        for (change, field) in [
            (("order_id", json!(10077)), "order_id"),
            (("kind", json!("sale")), "kind"),
            (("amount", json!(49.9)), "amount"),
            (("amount", json!(null)), "amount"),
            (("currency", json!("eur")), "currency"),
            (("customer_id", json!("0")), "customer_id"),
            (("customer_id", json!(null)), "customer_id"),
            (("hints", json!(["anna@shop.example"])), "hints[0]"),
            (("hints", json!([HINT, HINT, HINT, HINT, HINT])), "hints"),
            (("first_order", json!("yes")), "first_order"),
            (("occurred_at", json!("2026-11-22T08:05:01Z")), "occurred_at"),
            (("occurred_at", json!("22.11.2026")), "occurred_at"),
            (("action", json!("review")), "action"),
            (("items", json!([{"sku": "TEE-1"}])), "items[0].amount"),
            (("email", json!("anna@shop.example")), "email"),
        ] {
            assert_eq!(
                report(std::slice::from_ref(&change)).unwrap_err().field,
                field,
                "{change:?}"
            );
        }
        let nine = json!(vec![json!({ "coupon": "a" }); 9]);
        for (proofs, field) in [
            (json!([{ "token": "a", "code": "b" }]), "proofs[0].code"),
            (json!([{ "token": "a" }, { "coupon": 7 }]), "proofs[1].coupon"),
            (json!([{ "email": "a" }]), "proofs[0].email"),
            (json!(["a"]), "proofs[0]"),
            (json!({ "token": "a" }), "proofs"),
            (nine, "proofs"),
        ] {
            assert_eq!(report(&[("proofs", proofs.clone())]).unwrap_err().field, field, "{proofs}");
        }
        assert!(report(&[("occurred_at", json!("2026-11-22T08:05:00Z"))]).is_ok());
        let signup = [("kind", json!("signup"))];
        assert_eq!(report(&signup).unwrap_err().field, "amount");
    }

    #[test]
    fn an_order_has_a_number_that_people_see() {
        let number = |value: serde_json::Value| {
            let read = report(&[("order_number", value)]).map_err(|error| error.field)?;
            Ok(read.number.map(|number| number.as_str().to_owned()))
        };
        assert_eq!(number(json!(" #1077 ")), Ok(Some("1077".to_owned())));
        assert_eq!(number(json!(null)), Ok(None));
        for wrong in [json!("#"), json!(1077), json!("1".repeat(129))] {
            assert_eq!(number(wrong), Err("order_number".to_owned()));
        }
    }

    fn event(kind: &str, change: &[(&str, serde_json::Value)]) -> Result<EventReport, Invalid> {
        let mut body =
            json!({"event_id": "r1", "type": kind, "occurred_at": "2026-11-22T08:00:00Z"});
        for (field, value) in change {
            body[field] = value.clone();
        }
        EventReport::parse(body.to_string().as_bytes(), now())
    }

    #[test]
    fn each_type_of_event_takes_its_own_fields_and_names_what_is_wrong() {
        let item = json!([{"sku": "TEE-1", "amount": 900}]);
        for kind in EventType::ALL {
            let amount = match kind {
                EventType::Refunded | EventType::Amended => vec![("amount", json!(1000))],
                _ => Vec::new(),
            };
            assert!(event(kind.as_str(), &amount).is_ok(), "{kind}");
            let wrong: &[(&str, serde_json::Value)] = match kind {
                EventType::Refunded => &[
                    ("amount", json!(null)),
                    ("amount", json!(0)),
                    ("undoes", json!("r0")),
                    ("items", item.clone()),
                ],
                EventType::Amended => &[
                    ("amount", json!(null)),
                    ("amount", json!(-1)),
                    ("undoes", json!("r0")),
                    ("items[0].amount", json!([{"sku": "TEE-1"}])),
                ],
                EventType::Restored => &[
                    ("amount", json!(1)),
                    ("undoes", json!("r1")),
                    ("undoes", json!("")),
                    ("undoes", json!(7)),
                    ("items", item.clone()),
                ],
                _ => &[("amount", json!(1)), ("undoes", json!("r0")), ("items", item.clone())],
            };
            for (field, value) in wrong {
                let mut change = amount.clone();
                let name = field.split('[').next().unwrap();
                change.push((name, value.clone()));
                let invalid = event(kind.as_str(), &change).unwrap_err();
                assert_eq!(invalid.field, *field, "{kind}: {invalid:?}");
            }
        }
        assert_eq!(event("lost", &[]).unwrap_err().field, "type");
        assert_eq!(event("amended", &[("amount", json!(0))]).unwrap().amount, Some(0));
        let restored = event("restored", &[("undoes", json!("r0"))]).unwrap();
        assert_eq!(restored.undoes.unwrap().as_str(), "r0");
    }

    #[test]
    fn events_that_say_different_things_have_different_contents() {
        let order = "A-1".parse().unwrap();
        let amended = |change: &[(&str, serde_json::Value)]| {
            let mut all = vec![("amount", json!(900))];
            all.extend_from_slice(change);
            event("amended", &all).unwrap().content(&order)
        };
        let restored = |undoes| event("restored", &[("undoes", undoes)]).unwrap().content(&order);
        let contents = [
            amended(&[]),
            amended(&[("amount", json!(901))]),
            amended(&[("items", json!([{"sku": "TEE-1", "amount": 900}]))]),
            amended(&[("items", json!([{"sku": "TEE-2", "amount": 900}]))]),
            restored(json!(null)),
            restored(json!("r0")),
            restored(json!("r2")),
        ];
        let different: std::collections::BTreeSet<_> = contents.iter().collect();
        assert_eq!(different.len(), contents.len());
    }
}
