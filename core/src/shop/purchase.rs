//! A paid order of any shop, as a conversion.

use sha2::{Digest as _, Sha256};

use super::amount::Decimal;
use super::{Report, Told};
use crate::ids::{Hint, OrderId};
use crate::money::Currency;
use crate::program::GIFT_CARDS;
use crate::report::{CLOCK_LEEWAY, ConversionReport, Item, PROOFS, Proof, ProofKind};
use crate::reward::ConversionKind;
use crate::time::Instant;

/// Lines of an order that are kept; API and shops take no more.
const ITEMS: usize = 200;

/// A line of goods: what was paid for it, after its own discounts, VAT included.
pub(super) struct Line {
    pub sku: String,
    pub category: Option<String>,
    pub amount: Decimal,
}

impl Line {
    /// The category of a line: that of gift cards, whatever else the shop says of one.
    pub fn category(is_gift_card: bool, other: Option<&str>) -> Option<String> {
        if is_gift_card { Some(GIFT_CARDS.to_owned()) } else { other.map(str::to_owned) }
    }
}

pub(super) struct Purchase<'p> {
    pub order: OrderId,
    /// What people see of the order's id; empty where there is none.
    pub number: String,
    pub currency: Currency,
    pub lines: Vec<Line>,
    /// Discounts on the order as a whole, which are shared among its lines.
    pub discount: Decimal,
    /// The shop's own id; whatever stands for a guest is none.
    pub customer: String,
    pub email: &'p str,
    pub first_order: Option<bool>,
    pub at: Instant,
    pub token: &'p str,
    pub coupons: Vec<&'p str>,
}

impl Purchase<'_> {
    /// The conversion, or why it is none.
    pub fn told(self, now: Instant) -> Told {
        match self.report(now) {
            Ok(report) => Told::of(vec![Report::Conversion(report)]),
            Err(why) => Told::nothing(why),
        }
    }

    pub fn report(self, now: Instant) -> Result<ConversionReport, &'static str> {
        let before: Decimal = self.lines.iter().map(|line| line.amount).sum();
        let after = before - self.discount;
        let amount = after.minor(self.currency).ok_or("the order is worth more than is taken")?;
        if amount <= 0 {
            return Err("no goods were paid for");
        }
        let customer = self.customer.parse().ok();
        let hints: Vec<Hint> = hint(self.email).into_iter().collect();
        if customer.is_none() && hints.is_empty() {
            return Err("the order names neither a customer nor an e-mail address");
        }
        let item = |line: Line| {
            let amount = line.amount.share(after, before).minor(self.currency)?.max(0);
            Some(Item {
                sku: short(&line.sku)?,
                category: line.category.as_deref().and_then(short),
                amount,
            })
        };
        let coupons = self.coupons.iter().map(|coupon| Proof::new(ProofKind::Coupon, *coupon));
        let token = Proof::new(ProofKind::Token, self.token);
        let mut proofs: Vec<Proof> = Vec::new();
        for proof in std::iter::once(token).chain(coupons).filter(|proof| !proof.text.is_empty()) {
            if proofs.len() < PROOFS && !proofs.contains(&proof) {
                proofs.push(proof);
            }
        }
        Ok(ConversionReport {
            order: self.order,
            kind: ConversionKind::Purchase,
            amount: Some(amount),
            currency: Some(self.currency),
            customer,
            hints,
            first_order: self.first_order,
            occurred_at: self.at.min(now.plus(CLOCK_LEEWAY)),
            proofs,
            number: self.number.parse().ok(),
            segment: None,
            action: None,
            items: self.lines.into_iter().filter_map(item).take(ITEMS).collect(),
            browser_only: false,
        })
    }
}

/// The SHA-256 of an e-mail address in lower case, which is all that is made of it.
fn hint(email: &str) -> Option<Hint> {
    let email = email.trim().to_lowercase();
    email.contains('@').then(|| Hint(Sha256::digest(email.as_bytes()).into()))
}

/// A text as the API takes it: 1 to 128 characters without control characters.
fn short(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(128).collect();
    Some(text).filter(|text| !text.is_empty())
}
