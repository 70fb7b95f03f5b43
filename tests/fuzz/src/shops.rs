//! What shop systems send, each payload after a line with its topic, and the shops' secrets.

use passalong_core::ids::{CustomerId, OrderNumber};
use passalong_core::report::{ConversionReport, EventReport, EventType};
use passalong_core::shop::{MOST, Report, Shop, ShopSecrets, Told, read};
use serde_json::{Value, json};

use crate::Parser;
use crate::parsers::{explained, hex, names_its_field, normalised, now, parser, same};

pub fn all() -> Vec<Parser> {
    vec![
        payload(Shop::Shopify, "shopify", include_str!("../corpus/shopify.txt")),
        payload(Shop::WooCommerce, "woocommerce", include_str!("../corpus/woocommerce.txt")),
        payload(Shop::Shopware, "shopware", include_str!("../corpus/shopware.txt")),
        parser("shop secrets", include_str!("../corpus/shop_secrets.txt"), |input| {
            let secrets = ShopSecrets::parse(&String::from_utf8_lossy(input));
            secrets.flaw().map_or(Ok(true), |flaw| explained("SHOP_SECRETS", flaw).map(|()| false))
        }),
    ]
}

fn payload(shop: Shop, name: &'static str, corpus: &'static str) -> Parser {
    parser(name, corpus, move |input| {
        let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let (topic, body) = input.split_at(end);
        let (topic, body) = (String::from_utf8_lossy(topic), body.get(1..).unwrap_or_default());
        match read(shop, &topic, body, now()) {
            Ok(told) => {
                let again = read(shop, &topic, &normalised(body), now());
                same(&again.as_ref(), &Ok(&told), "in another order")?;
                holds(&told).map(|()| !told.reports.is_empty())
            }
            Err(invalid) => names_its_field(&invalid).map(|()| false),
        }
    })
}

/// Every report is one that the API would have taken; a message that comes to nothing says why.
fn holds(told: &Told) -> Result<(), String> {
    if told.reports.is_empty() == told.ignored.is_none() || told.reports.len() > MOST {
        return Err(format!("{} reports, ignored {:?}", told.reports.len(), told.ignored));
    }
    for report in &told.reports {
        match report {
            Report::Conversion(report) => {
                let sent = ConversionReport::parse(&by_api(report), now());
                same(&sent.map_err(|invalid| invalid.detail), &Ok(report.clone()), "by the API")?;
                same(&report.amount.is_some_and(|amount| amount > 0), &true, "an amount")?;
            }
            Report::Event(order, report) => {
                let sent = json!({
                    "event_id": report.id.as_str(), "type": report.kind, "amount": report.amount,
                    "occurred_at": report.occurred_at,
                });
                let sent = EventReport::parse(sent.to_string().as_bytes(), now());
                same(&sent.map_err(|invalid| invalid.detail), &Ok(report.clone()), "by the API")?;
                let is_refund = report.kind == EventType::Refunded;
                same(&report.amount.is_some(), &is_refund, order.as_str())?;
            }
        }
    }
    Ok(())
}

fn by_api(report: &ConversionReport) -> Vec<u8> {
    let hints: Vec<String> = report.hints.iter().map(|hint| hex(&hint.0)).collect();
    let proofs: Vec<Value> =
        report.proofs.iter().map(|proof| json!({ proof.kind.as_str(): proof.text })).collect();
    let body = json!({
        "order_id": report.order.as_str(), "kind": report.kind, "amount": report.amount,
        "currency": report.currency, "customer_id": report.customer.as_ref().map(CustomerId::as_str),
        "hints": hints, "first_order": report.first_order, "occurred_at": report.occurred_at,
        "items": report.items, "proofs": proofs,
        "order_number": report.number.as_ref().map(OrderNumber::as_str),
    });
    body.to_string().into_bytes()
}
