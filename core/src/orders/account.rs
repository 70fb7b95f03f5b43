//! An advocate's account: what the orders of one ledger come to when they are looked at together. Which
//! referrals there are and under which number, what was earned in a year, what is to be handed over, what
//! comes next, and how fast it all came. Reading the ledger and wording the answers is the edge's business.

mod velocity;

use std::collections::BTreeMap;

use crate::fact::{Conversion, Order};
use crate::ids::{Identity, OrderPseudonym};
use crate::program::Program;
use crate::reward::{ConversionKind, Role, Rule, Trigger};
use crate::status::{self, Reward, Totals, View};
use crate::time::{Instant, Minute};
use crate::wire::{Next, YearTotal};

pub use velocity::{Near, Paced};

/// An advocate's orders.
pub type Ledger = BTreeMap<OrderPseudonym, Order>;

/// Orders of one advocate that a verdict ranks. With more of them the verdict is a review.
pub const ORDERS: usize = 5_000;

/// Whether more orders than a verdict ranks were accepted up to `until`: a count of their reports alone,
/// which are visible by the time of a verdict. Of a part of a ledger it may say no where the whole says
/// yes, never the other way round. What settles later sees at least as many, so who is ranked never
/// depends on who is not.
pub fn is_crowded(ledger: &Ledger, until: Minute) -> bool {
    let is_there = |facts: &&Order| facts.reports().any(|report| report.at <= until);
    ledger.values().filter(is_there).nth(ORDERS).is_some()
}

/// What an order brought the advocate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earning {
    pub order: OrderPseudonym,
    pub reward: Reward,
}

/// A referral as its advocate sees it: a friend who signs up and buys later is one that moves on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// From 1, in the order of acceptance.
    pub number: u32,
    pub latest: Stage,
    /// The bonus this referral reached.
    pub bonus: Option<Earning>,
    /// The sign-up from which it moved on.
    pub before: Option<Stage>,
}

/// What a friend did, and what it brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub kind: ConversionKind,
    pub occurred_at: Instant,
    pub reward: Option<Earning>,
}

/// The orders with a conversion, the first accepted in front.
pub fn ranked(ledger: &Ledger) -> Vec<(Minute, OrderPseudonym, &Order)> {
    let with_time = |(order, facts)| -> Option<(Minute, OrderPseudonym, &Order)> {
        let (order, facts): (&OrderPseudonym, &Order) = (order, facts);
        Some((facts.conversion.as_ref()?.at, *order, facts))
    };
    let mut ranked: Vec<_> = ledger.iter().filter_map(with_time).collect();
    ranked.sort_unstable_by_key(|(at, order, _)| (*at, *order));
    ranked
}

/// Totals, and all referrals with the newest first. Numbers follow the order of acceptance, so they stay.
pub fn referrals(ledger: &Ledger, view: &View<'_>) -> (Totals, Vec<Referral>) {
    let mut totals = Totals::default();
    let mut lines: Vec<Line<'_>> = Vec::with_capacity(ledger.len());
    for (_, order, facts) in ranked(ledger) {
        let Some(conversion) = &facts.conversion else { continue };
        let mut own = advocates(facts, view);
        let (reward, bonus) = (own.next(), own.next());
        totals.add(conversion.fact.kind, reward.as_ref());
        if let Some(bonus) = &bonus {
            totals.sum(bonus);
        }
        let earning = |reward| Earning { order, reward };
        let line = Line {
            fact: &conversion.fact,
            reward: reward.map(earning),
            bonus: bonus.map(earning),
            before: None,
        };
        match lines.iter_mut().find(|earlier| earlier.moves_on_to(&line)) {
            Some(sign_up) => sign_up.move_on(line),
            None => lines.push(line),
        }
    }
    let numbered = (1..).zip(lines).map(|(number, line)| line.numbered(number));
    let mut referrals: Vec<Referral> = numbered.collect();
    referrals.reverse();
    (totals, referrals)
}

/// What an order brings its advocate: the reward, then the bonus it reached.
fn advocates(facts: &Order, view: &View<'_>) -> impl Iterator<Item = Reward> {
    status::rewards(facts, view).into_iter().filter(|reward| reward.part.role == Role::Advocate)
}

/// A referral while it is put together.
struct Line<'a> {
    fact: &'a Conversion,
    reward: Option<Earning>,
    bonus: Option<Earning>,
    before: Option<Stage>,
}

impl<'a> Line<'a> {
    /// Whether this is the sign-up of whoever buys there, for the first time.
    fn moves_on_to(&self, later: &Self) -> bool {
        let same = |identity: &Identity| later.fact.identities.contains(identity);
        self.fact.kind == ConversionKind::Signup
            && later.fact.kind == ConversionKind::Purchase
            && self.fact.identities.iter().any(same)
    }

    fn move_on(&mut self, to: Line<'a>) {
        let reward = std::mem::replace(&mut self.reward, to.reward);
        self.before = Some(stage(self.fact, reward));
        self.fact = to.fact;
        // A sign-up can have reached a bonus of its own.
        self.bonus = to.bonus.or(self.bonus.take());
    }

    fn numbered(self, number: u32) -> Referral {
        let Line { fact, reward, bonus, before } = self;
        Referral { number, latest: stage(fact, reward), bonus, before }
    }
}

fn stage(fact: &Conversion, reward: Option<Earning>) -> Stage {
    Stage { kind: fact.kind, occurred_at: fact.occurred_at, reward }
}

/// What an advocate earned in money in the year of `view.now`, reversals taken off. A reward belongs to
/// the (UTC) year in which it was decided.
pub fn year_total(ledger: &Ledger, view: &View<'_>, terms: &Program) -> YearTotal {
    let year = view.now.day().year();
    let this_year = |facts: &&Order| {
        let verdict = facts.verdict.as_ref();
        verdict.is_some_and(|verdict| verdict.at.start().day().year() == year)
    };
    let own = ledger.values().filter(this_year).flat_map(|facts| advocates(facts, view));
    let money = own.filter_map(|reward| reward.net()?.money());
    YearTotal {
        year,
        amount: money.fold(0, i64::saturating_add),
        currency: terms.currency,
        ceiling: terms.yearly_ceiling,
    }
}

/// What the merchant still has to hand over to an advocate or, below zero, to get back.
pub fn owed(ledger: &Ledger, view: &View<'_>) -> Totals {
    let mut owed = Totals::default();
    let own = ledger.values().flat_map(|facts| advocates(facts, view));
    own.flat_map(|reward| reward.owed()).for_each(|value| owed.add_value(value));
    owed
}

/// The order with which an advocate reached a milestone.
pub fn reached(ledger: &Ledger, trigger: Trigger, at: u32) -> Option<OrderPseudonym> {
    let is_it = |facts: &Order| {
        let mut rewards = facts.verdict.iter().flat_map(|verdict| &verdict.fact.rewards);
        rewards.any(|one| one.milestone == Some(at) && one.trigger == trigger)
    };
    ledger.iter().find(|(_, facts)| is_it(facts)).map(|(order, _)| *order)
}

/// What comes next for this many approved referrals: a bonus, or higher values from then on.
pub fn next(
    terms: &Program,
    approved: &BTreeMap<Trigger, u32>,
    segment: Option<&str>,
) -> Option<Next> {
    let fits = |rule: &&Rule| {
        rule.role == Role::Advocate
            && (rule.segment.is_none() || rule.segment.as_deref() == segment)
    };
    let steps = terms.rewards.iter().filter(fits).flat_map(|rule| {
        let bonus = rule.milestone.map(|at| ("milestone", at, rule.value));
        let tiers = rule.tiers.iter().map(|tier| ("tier", tier.from, tier.value));
        bonus.into_iter().chain(tiers).map(|step| (rule.trigger, step))
    });
    let ahead = steps.filter_map(|(trigger, (kind, at, value))| {
        let done = approved.get(&trigger).copied().unwrap_or(0);
        // A tier begins with the referral of its number, a bonus comes with it.
        (at > done).then(|| Next { kind: kind.to_owned(), at, done, value })
    });
    ahead.min_by_key(|next| next.at - next.done)
}
