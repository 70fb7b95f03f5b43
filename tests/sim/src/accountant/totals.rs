//! What several rewards may come to together: once per friend in a lifetime, caps, the yearly
//! ceiling, and as many referrals as a milestone asks for.

use std::collections::BTreeMap;

use super::books::{Books, NEVER};
use super::bound::{Reading, advocate_of, amount, money};
use super::shown::Reward;
use super::wire::year;

/// A reward that was earned, with every reading that allows it. The first is as good as any where
/// they agree.
pub struct Earned<'b> {
    pub reward: Reward,
    pub readings: Vec<Reading<'b>>,
}

impl Earned<'_> {
    fn is_once(&self) -> Option<&str> {
        let trigger = &self.readings.first()?.rule.trigger;
        let agreed = self.readings.iter().all(|reading| reading.rule.trigger == *trigger);
        let is_once = matches!(trigger.as_str(), "first_purchase" | "signup");
        (agreed && is_once && self.reward.milestone.is_none()).then_some(trigger)
    }

    /// Whether both are for the same friend, by every reading.
    fn same_friend(&self, other: &Self) -> bool {
        self.readings.iter().all(|one| {
            let mut others = other.readings.iter();
            others.all(|two| {
                let (one, two) = (one.order, two.order);
                let books = one.books;
                // Who was erased begins anew.
                let known = |of: &_| !books.may_be_forgotten(of);
                one.report.overlaps(two.report) && known(one.report) && known(two.report)
            })
        })
    }

    /// The year it counts in, where that is certain.
    fn year(&self) -> Option<i64> {
        let order = self.readings.first()?.order;
        let (from, to) = (order.settles_earliest(), order.settles_latest());
        (to < NEVER && year(from) == year(to)).then(|| year(from))
    }

    fn name(&self) -> String {
        let Reward { order, role, customer, value, .. } = &self.reward;
        format!("{value} for the {role} {} by {order}", customer.as_deref().unwrap_or("?"))
    }
}

/// What is paid twice for one friend.
pub fn twice(books: &Books<'_>, all: &[Earned<'_>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (place, one) in all.iter().enumerate() {
        for other in &all[place + 1..] {
            let is_other_order = one.reward.order != other.reward.order;
            if one.reward.role != other.reward.role || !is_other_order || !one.same_friend(other) {
                continue;
            }
            let (first, second) = (one.name(), other.name());
            if let Some(trigger) = one.is_once().filter(|_| one.is_once() == other.is_once()) {
                wrong.push(format!("{trigger} of one friend is paid twice: {first}, and {second}"));
                continue;
            }
            let advocates = [one, other].map(|it| advocate_of(books, &it.reward));
            if let [Some(first_of), Some(second_of)] = advocates
                && first_of != second_of
            {
                wrong.push(format!("one friend is paid for to two: {first}, and {second}"));
            }
        }
    }
    wrong
}

/// The most that rules allow together: of several versions of the terms the most generous.
fn most<'e>(all: impl Iterator<Item = &'e Earned<'e>>, of: impl Fn(&Reading<'_>) -> i64) -> i64 {
    let limits = all.flat_map(|one| one.readings.iter().map(&of).collect::<Vec<_>>());
    limits.max().unwrap_or(0)
}

/// Beyond caps and ceilings.
pub fn beyond_limits(books: &Books<'_>, all: &[Earned<'_>], shown: &[Reward]) -> Vec<String> {
    let mut groups: BTreeMap<(String, String, String), Vec<&Earned<'_>>> = BTreeMap::new();
    let mut of_advocates: BTreeMap<String, Vec<&Earned<'_>>> = BTreeMap::new();
    for one in all {
        let Some(advocate) = advocate_of(books, &one.reward) else { continue };
        let Some(first) = one.readings.first() else { continue };
        let trigger = &first.rule.trigger;
        let agreed = one.readings.iter().all(|reading| reading.rule.trigger == *trigger);
        if agreed && one.reward.milestone.is_none() {
            let action = first.order.report.action.clone().unwrap_or_default();
            let group = format!("{} {trigger} {action}", one.reward.role);
            let group = (advocate.clone(), group, trigger.clone());
            groups.entry(group).or_default().push(one);
        }
        if one.reward.role == "advocate" {
            of_advocates.entry(advocate).or_default().push(one);
        }
    }
    let mut wrong = Vec::new();
    for ((advocate, group, _), all) in &groups {
        let name = format!("{advocate}, {group}");
        wrong.extend(beyond_cap(&name, all, false));
        for (year, all) in by_year(all) {
            wrong.extend(beyond_cap(&format!("{name} in {year}"), &all, true));
        }
    }
    for (advocate, all) in &of_advocates {
        for (year, all) in by_year(all) {
            let ceiling = most(all.iter().copied(), |it| it.terms.ceiling.unwrap_or(NEVER));
            let sum: i64 = all
                .iter()
                .filter(|it| it.reward.given() > 0)
                .map(|it| money(&it.reward.value))
                .sum();
            if sum > ceiling {
                wrong.push(format!("{advocate} earned {sum} in {year}, the ceiling is {ceiling}"));
            }
        }
        wrong.extend(unreached(books, advocate, all, shown));
    }
    wrong
}

fn by_year<'e>(all: &[&'e Earned<'e>]) -> BTreeMap<i64, Vec<&'e Earned<'e>>> {
    let mut years: BTreeMap<i64, Vec<&Earned<'_>>> = BTreeMap::new();
    for one in all {
        if let Some(year) = one.year() {
            years.entry(year).or_default().push(one);
        }
    }
    years
}

fn beyond_cap(name: &str, all: &[&Earned<'_>], in_a_year: bool) -> Option<String> {
    let limit = |of: fn(&Reading<'_>) -> Option<i64>| {
        most(all.iter().copied(), move |reading| {
            // What is capped by the year has no end in all.
            let counts = in_a_year || !reading.rule.per_year;
            of(reading).filter(|_| counts).unwrap_or(NEVER)
        })
    };
    let count = limit(|reading| reading.rule.most);
    let amounts = limit(|reading| reading.rule.most_amount);
    let sum: i64 = all.iter().map(|one| amount(&one.reward.value)).sum();
    let many = i64::try_from(all.len()).unwrap_or(NEVER) > count;
    (many || sum > amounts).then(|| {
        let names: Vec<String> = all.iter().map(|one| one.name()).collect();
        format!("{name}: the cap is {count}, and {amounts} in all: {names:?}")
    })
}

/// Milestones with fewer referrals than they ask for. What was taken back later counts as well.
fn unreached(
    books: &Books<'_>,
    advocate: &str,
    all: &[&Earned<'_>],
    shown: &[Reward],
) -> Vec<String> {
    let bonuses = all.iter().filter_map(|one| Some((one, one.reward.milestone?)));
    let mut wrong = Vec::new();
    for (bonus, at) in bonuses {
        let kinds: Vec<&str> = bonus.readings.iter().map(|reading| reading.rule.kind()).collect();
        let counts = |reward: &&Reward| {
            let reports = books.reports_of(&reward.order);
            reward.milestone.is_none()
                && reward.role == "advocate"
                && reward.customer.as_deref() == Some(advocate)
                && !matches!(reward.status.as_str(), "refused" | "pending")
                && reports.iter().any(|report| kinds.contains(&report.kind.as_str()))
        };
        let reached = shown.iter().filter(counts).count();
        if i64::try_from(reached).unwrap_or(0) < at {
            let name = bonus.name();
            wrong.push(format!("{advocate} has {name}, a bonus of {at} referrals, for {reached}"));
        }
    }
    wrong
}
