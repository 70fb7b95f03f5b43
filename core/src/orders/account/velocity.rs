//! How fast an advocate's orders came: whether one of them waits for the merchant, and what of the others has
//! to be known to say so.

use std::collections::BTreeMap;

use crate::fact::{Accepted, Conversion, Order, Via};
use crate::ids::OrderPseudonym;
use crate::program::Review;
use crate::reward::Reason;
use crate::settlement::Pace;
use crate::time::DAY;

/// An order whose pace is looked at, in its advocate's ledger.
#[derive(Debug, Clone, Copy)]
pub struct Paced<'a> {
    pub order: OrderPseudonym,
    pub conversion: &'a Accepted<Conversion>,
    pub limits: Review,
}

/// Another order that may count against its pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    pub order: OrderPseudonym,
    /// It may have come from the same click.
    pub same_click: bool,
}

impl Paced<'_> {
    /// Why the merchant is to look at it first, by what is known of the advocate's other orders.
    /// Only those of its kind that were accepted before it count: whatever comes later counts
    /// against itself.
    pub fn suspicion(&self, pace: &[Pace]) -> Option<Reason> {
        let (kind, accepted) = (self.conversion.fact.kind, self.conversion.at);
        let counts = |other: &&Pace| {
            other.kind == kind && (other.accepted, other.order) < (accepted, self.order)
        };
        let reaches =
            |limit: Option<u32>, count: usize| limit.is_some_and(|most| count >= most as usize);
        let earlier = pace.iter().filter(counts);
        let same_click = earlier.clone().filter(|other| self.is_same_click(other.via)).count();
        if reaches(self.limits.orders_per_click, same_click) {
            return Some(Reason::ManyOrdersOneClick);
        }
        let same_day = earlier.filter(|other| self.is_same_day(other.occurred_at)).count();
        reaches(self.limits.orders_per_day, same_day).then_some(Reason::Velocity)
    }

    fn is_same_click(&self, via: Via) -> bool {
        matches!(via, Via::Click { .. }) && via == self.conversion.fact.via
    }

    /// Whether that is in the 24 hours up to this order.
    fn is_same_day(&self, occurred_at: crate::time::Instant) -> bool {
        let until = self.conversion.fact.occurred_at;
        occurred_at > until.plus(-DAY) && occurred_at <= until
    }

    /// The other orders to be looked into, as far as their number can matter: first those that may
    /// have come from the same click, then those of the day, of each the first accepted in front.
    /// Which of an order's reports counts is not known before, so any of them makes it near.
    pub fn near(&self, ledger: &BTreeMap<OrderPseudonym, Order>) -> Vec<Near> {
        let Review { orders_per_day, orders_per_click } = self.limits;
        if orders_per_day.is_none() && orders_per_click.is_none() {
            return Vec::new();
        }
        let near = |(order, facts): (&OrderPseudonym, &Order)| {
            let accepted = facts.conversion.as_ref()?.at;
            let mut is_near = None;
            let same_kind = |report: &&Accepted<Conversion>| {
                report.fact.kind == self.conversion.fact.kind && report.at <= self.conversion.at
            };
            for report in facts.reports().filter(same_kind) {
                if self.is_same_click(report.fact.via) {
                    is_near = Some(true);
                } else if self.is_same_day(report.fact.occurred_at) {
                    is_near = is_near.or(Some(false));
                }
            }
            let same_click = is_near.filter(|_| *order != self.order)?;
            Some((accepted, Near { order: *order, same_click }))
        };
        let mut all: Vec<_> = ledger.iter().filter_map(near).collect();
        all.sort_by_key(|(accepted, near)| (!near.same_click, *accepted, near.order));
        let reaches =
            |limit: Option<u32>, count: usize| limit.is_some_and(|most| count >= most as usize);
        let clicks = all.iter().filter(|(_, near)| near.same_click).count();
        if reaches(orders_per_click, clicks) || reaches(orders_per_day, all.len()) {
            all.into_iter().map(|(_, near)| near).collect()
        } else {
            Vec::new()
        }
    }

    /// Whether what was looked into decides already, whatever the next one turns out to be.
    pub fn is_decided(&self, pace: &[Pace], next: Near) -> bool {
        match self.suspicion(pace) {
            Some(Reason::ManyOrdersOneClick) => true,
            Some(_) => !next.same_click,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;
    use crate::channel::Channel;
    use crate::fact::{Fact, FactKey};
    use crate::ids::Digest;
    use crate::reward::ConversionKind;
    use crate::time::{HOUR, Instant, MINUTE, Minute};

    fn at(hours: i64) -> Instant {
        Instant::from_str("2026-11-22T08:00:00Z").unwrap().plus(hours * HOUR)
    }

    fn id(number: u8) -> OrderPseudonym {
        OrderPseudonym([number; 10])
    }

    fn click(number: u32) -> Via {
        Via::Click { at: at(-5), channel: Channel::WhatsApp, nonce: Some(number) }
    }

    fn order(number: u8, kind: ConversionKind, hours: i64, via: Via) -> (OrderPseudonym, Order) {
        let fact = Conversion {
            kind,
            amount: None,
            currency: None,
            identities: Vec::new(),
            first_order: None,
            occurred_at: at(hours),
            segment: None,
            action: None,
            via,
            noted: None,
            admission: crate::orders::claims::Admission::First,
            waived: false,
            bound_by: None,
            browser_only: false,
            excluded: 0,
        };
        let fact = Fact::Conversion(fact);
        let accepted = at(hours).plus(i64::from(number) * MINUTE).minute();
        let mut order = Order::default();
        order.add(FactKey { accepted, kind: fact.kind(), digest: Digest([number; 10]) }, fact);
        (id(number), order)
    }

    fn pace(ledger: &BTreeMap<OrderPseudonym, Order>, wanted: &[Near]) -> Vec<Pace> {
        let one = |near: &Near| {
            let conversion = ledger[&near.order].conversion.as_ref().unwrap();
            let Conversion { kind, occurred_at, via, .. } = conversion.fact;
            Pace { order: near.order, accepted: conversion.at, kind, occurred_at, via }
        };
        wanted.iter().map(one).collect()
    }

    fn limits(orders_per_day: Option<u32>, orders_per_click: Option<u32>) -> Review {
        Review { orders_per_day, orders_per_click }
    }

    /// Ten orders before the one that is looked at, and two that do not count.
    fn ledger() -> BTreeMap<OrderPseudonym, Order> {
        use ConversionKind::{Purchase, Signup};
        [
            order(1, Purchase, -30, click(1)),
            order(2, Purchase, -24, Via::Code),
            order(3, Purchase, -23, Via::Code),
            order(4, Purchase, -20, click(1)),
            order(5, Purchase, -3, click(2)),
            order(6, Signup, -2, click(1)),
            order(7, Purchase, -2, click(1)),
            order(8, Purchase, 0, click(1)),
            order(9, Purchase, 0, click(1)),
            order(10, Purchase, 1, click(1)),
        ]
        .into()
    }

    fn paced(ledger: &BTreeMap<OrderPseudonym, Order>, limits: Review) -> Paced<'_> {
        Paced { order: id(8), conversion: ledger[&id(8)].conversion.as_ref().unwrap(), limits }
    }

    #[test]
    fn those_of_the_click_are_looked_into_first_then_those_of_the_day() {
        let ledger = ledger();
        for (limits, expected) in [
            (limits(None, None), vec![]),
            (limits(Some(5), Some(3)), vec![1, 4, 7, 3, 5]),
            (limits(None, Some(3)), vec![1, 4, 7, 3, 5]),
            (limits(None, Some(4)), vec![]),
            (limits(Some(6), Some(4)), vec![]),
        ] {
            let near = paced(&ledger, limits).near(&ledger);
            let orders: Vec<u8> = near.iter().map(|near| near.order.0[0]).collect();
            assert_eq!(orders, expected, "{limits:?}");
            assert!(
                near.iter().all(|near| near.same_click == [1, 4, 7].contains(&near.order.0[0]))
            );
        }
    }

    #[test]
    fn what_is_enough_says_what_all_would_say() {
        let ledger = ledger();
        for day in [None, Some(1), Some(2), Some(4), Some(5)] {
            for click in [None, Some(1), Some(2), Some(3), Some(4)] {
                let paced = paced(&ledger, limits(day, click));
                let near = paced.near(&ledger);
                let all = paced.suspicion(&pace(&ledger, &near));
                let mut known = Vec::new();
                for (index, next) in near.iter().enumerate() {
                    if paced.is_decided(&known, *next) {
                        break;
                    }
                    known = pace(&ledger, &near[..=index]);
                }
                assert_eq!(paced.suspicion(&known), all, "{day:?} {click:?}");
                let expected = match (day, click) {
                    (_, Some(1..=3)) => Some(Reason::ManyOrdersOneClick),
                    (Some(1..=4), _) => Some(Reason::Velocity),
                    _ => None,
                };
                assert_eq!(all, expected, "{day:?} {click:?}");
            }
        }
    }

    #[test]
    fn no_more_are_looked_into_than_decide() {
        let ledger = ledger();
        // How many are read before it is clear, with the limits for a day and for a click.
        for (day, click, expected) in
            [(None, Some(2), 2), (Some(2), None, 3), (Some(5), Some(3), 3), (Some(1), Some(9), 3)]
        {
            let paced = paced(&ledger, limits(day, click));
            let near = paced.near(&ledger);
            let read = near.iter().enumerate().take_while(|(index, next)| {
                !paced.is_decided(&pace(&ledger, &near[..*index]), **next)
            });
            assert_eq!(read.count(), expected, "{day:?} {click:?}");
        }
    }

    #[test]
    fn of_one_minute_the_smaller_order_came_first() {
        let ledger = ledger();
        let near = |order: u8| {
            let subject = ledger[&id(order)].conversion.as_ref().unwrap();
            let minute: Minute = subject.at;
            let other = Pace {
                order: id(8),
                accepted: minute,
                kind: ConversionKind::Purchase,
                occurred_at: at(0),
                via: click(1),
            };
            Paced { order: id(order), conversion: subject, limits: limits(None, Some(1)) }
                .suspicion(&[other])
        };
        assert_eq!((near(7), near(9)), (None, Some(Reason::ManyOrdersOneClick)));
    }
}
