//! What is owed for certain: orders of which nothing is in doubt.

use serde_json::{Value, json};

use super::books::{Books, Report};
use super::order::Order;
use super::terms::{Rule, Terms};
use super::wire::{number, of_code};

impl Books<'_> {
    /// By order, the least its roles earn.
    pub fn certain(&self) -> Vec<(String, Vec<(String, Value)>)> {
        let mut certain = Vec::new();
        for (id, reports) in &self.reports {
            let [report] = reports.as_slice() else { continue };
            let order = Order { books: self, id, report };
            let [terms] = order.terms()[..] else { continue };
            if order.is_plain(terms) && terms.is_plain(report) {
                let roles = ["advocate", "friend"].into_iter();
                let values = roles.filter_map(|role| {
                    let value = terms.plain(role, report)?;
                    Some((role.to_owned(), value))
                });
                certain.push((id.clone(), values.collect()));
            }
        }
        certain
    }
}

impl Order<'_> {
    /// A new customer's only order, by somebody's code, to which nothing happened.
    fn is_plain(&self, terms: &Terms) -> bool {
        let Self { books, id, report } = self;
        let [(kind, code)] = report.proofs.as_slice() else { return false };
        let owner = of_code(code).filter(|_| kind == "code");
        let Some(advocate) = owner.and_then(|owner| books.names.get(&owner)) else { return false };
        let is_named = |tie: &super::books::Tie| {
            report.hints.contains(&tie.hint) && report.customer.as_ref() != Some(&tie.customer)
        };
        let is_ordinary = |event: &super::books::Event| event.kind == "delivered";
        report.tries.stands
            && !report.from_browser
            && report.first_order == Some(true)
            && report.currency.as_ref().is_none_or(|currency| *currency == terms.currency)
            && report.customer.as_ref() != Some(advocate)
            && !books.ties.iter().any(is_named)
            && !self.others().any(|other| other.report.overlaps(report))
            && self.events().all(is_ordinary)
            && !books.erased.contains_key(advocate)
            && !books.may_be_forgotten(report)
            && books.reviewed == 0
            && !books.missing.contains_key(*id)
    }
}

impl Terms {
    /// Whether no cap, ceiling or limit can take anything.
    fn is_plain(&self, report: &Report) -> bool {
        let is_plain = |rule: &Rule| {
            rule.most.is_none()
                && rule.most_amount.is_none()
                && rule.values.len() == 1
                && rule.segment.is_none()
                && rule.milestone.is_none()
                && rule.action.is_none()
        };
        !self.paused
            && !self.has_review_limits
            && self.ceiling.is_none()
            && report.items.is_empty()
            && self.rules.iter().all(is_plain)
    }

    /// What a role earns by its first rule.
    fn plain(&self, role: &str, report: &Report) -> Option<Value> {
        let fits = |rule: &&Rule| rule.role == role && rule.kind() == report.kind;
        let first = self.rules.iter().find(fits)?;
        let whole = report.amount.unwrap_or(0);
        if !first.earned || whole < first.minimum || (report.kind == "purchase" && whole == 0) {
            return None;
        }
        let value = first.values.first()?;
        if value["kind"] == "percent_of_order" {
            let rate = number(value, "basis_points")?;
            return Some(json!({ "kind": "credit", "amount": (rate * whole + 5_000) / 10_000 }));
        }
        Some(value.clone())
    }
}
