//! Periods of days: read from a request, and cut into the months that one list can answer.

use std::fmt;
use std::str::FromStr;

use passalong_core::ids::OrderPseudonym;
use passalong_core::time::Day;

use crate::http::Request;
use crate::problem::Problem;
use crate::requests::query;

/// Days in a period where none are given.
const USUAL: i64 = 31;
/// Days in a period at most: a leap year.
const MOST: i64 = 366;

/// `from` and `to` of a request, both included: `to` is usually today, `from` 30 days before it.
pub fn period(request: &Request, today: Day) -> Result<(Day, Day), Problem> {
    let to: Day = query(request, "to")?.unwrap_or(today);
    let from: Day = query(request, "from")?.unwrap_or_else(|| to.plus(1 - USUAL));
    if from > to {
        return Err(Problem::field("from", "must not be after to"));
    }
    if from.plus(MOST - 1) < to {
        return Err(Problem::field("from", format!("must be at most {MOST} days before to")));
    }
    Ok((from, to))
}

/// The months of a period, as keys begin with them: `202611`.
pub fn months(from: Day, to: Day) -> Vec<String> {
    let mut months = Vec::new();
    let mut day = from;
    while day <= to {
        let month = day.to_string().get(..6).unwrap_or_default().to_owned();
        if months.last() != Some(&month) {
            months.push(month);
        }
        // 28 days never skip a month.
        day = if day < to { day.plus(28).min(to) } else { day.plus(1) };
    }
    months
}

/// Where a list of orders goes on: `20261122`, or behind an order of that day,
/// `20261122.0123456789abcdef`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub day: Day,
    pub after: Option<OrderPseudonym>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.day)?;
        self.after.map_or(Ok(()), |order| write!(f, ".{order}"))
    }
}

/// What is said of a cursor that we did not make.
pub const NO_CURSOR: &str = "must be the cursor of an earlier answer";

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (day, after) = text.split_once('.').map_or((text, None), |(day, at)| (day, Some(at)));
        let after = after.map(str::parse).transpose().map_err(|_| NO_CURSOR)?;
        Ok(Self { day: day.parse().map_err(|_| NO_CURSOR)?, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_cut_into_its_months() {
        for (from, to, expected) in [
            ("20261122", "20261122", "202611"),
            ("20261101", "20261130", "202611"),
            ("20261130", "20261201", "202611 202612"),
            ("20260131", "20260301", "202601 202602 202603"),
            ("20251130", "20260228", "202511 202512 202601 202602"),
            ("20261122", "20261121", ""),
        ] {
            let cut = months(from.parse().unwrap(), to.parse().unwrap());
            assert_eq!(cut.join(" "), expected, "{from} to {to}");
        }
        assert_eq!(months("20260101".parse().unwrap(), "20261231".parse().unwrap()).len(), 12);
    }
}
