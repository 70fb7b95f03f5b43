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
        json!([
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
        ])
        .to_string()
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
    /// What can happen to an order.
    EventType {
        Delivered = "delivered",
        Refunded = "refunded",
        Withdrawn = "withdrawn",
        Cancelled = "cancelled",
        Chargeback = "chargeback",
    }
);

/// `POST /v1/conversions/{order_id}/events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReport {
    pub id: EventId,
    pub kind: EventType,
    /// What was paid back; refunds only.
    pub amount: Option<i64>,
    pub occurred_at: Instant,
}

impl EventReport {
    pub fn parse(body: &[u8], now: Instant) -> Result<Self, Invalid> {
        let mut f = Fields::parse(body)?;
        let id = f.read("event_id")?;
        let id =
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
            (EventType::Refunded, Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(f.invalid("amount", "goes with the type refunded only")),
        }
        let occurred_at = occurred_at(&mut f, now)?;
        f.finish()?;
        Ok(Self { id, kind, amount, occurred_at })
    }

    /// The normalised content together with the order it belongs to.
    pub fn content(&self, order: &OrderId) -> String {
        let id = self.id.as_str();
        json!(["event-v1", order.as_str(), id, self.kind, self.amount, self.occurred_at])
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

    #[test]
    fn only_a_refund_has_an_amount() {
        let event = |kind: &str, amount: serde_json::Value| {
            let body = json!({"event_id": "r1", "type": kind, "amount": amount, "occurred_at": "2026-11-22T08:00:00Z"});
            EventReport::parse(body.to_string().as_bytes(), now()).map_err(|error| error.field)
        };
        assert_eq!(event("refunded", json!(1000)).unwrap().amount, Some(1000));
        for (kind, amount, field) in [
            ("refunded", json!(null), "amount"),
            ("refunded", json!(0), "amount"),
            ("delivered", json!(1), "amount"),
            ("lost", json!(null), "type"),
        ] {
            assert_eq!(event(kind, amount), Err(field.to_owned()), "{kind}");
        }
    }
}
