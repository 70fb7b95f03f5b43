//! When a reward ends: counted from the moment its owner can use it, which is when it was handed
//! over. A merchant who is slow to hand a reward over never takes time away from its owner.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// How long a reward can be used. The last day counts as a whole; days and years are UTC, as they are
/// for caps, so that nothing here depends on a table of time zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expires {
    /// So many days after the day on which it was handed over.
    Days(u32),
    /// Until the end of the n-th calendar year after the one in which it was handed over.
    EndOfYear(u32),
}

impl Expires {
    /// The most days there can be: ten years and their leap days.
    pub const MOST_DAYS: i64 = 3_660;
    /// The most years there can be.
    pub const MOST_YEARS: i64 = 10;

    /// The last second in which a reward can be used that was handed over at `usable`.
    pub fn end(self, usable: Instant) -> Instant {
        let day = usable.day();
        let after = match self {
            Self::Days(days) => day.plus(i64::from(days) + 1),
            Self::EndOfYear(years) => day.new_year(years.saturating_add(1)),
        };
        after.start().plus(-1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(expires: Expires, usable: &str) -> String {
        expires.end(usable.parse().unwrap()).to_string()
    }

    #[test]
    fn days_end_with_the_last_of_them() {
        for (days, usable, last) in [
            (1, "2026-11-22T00:00:00Z", "2026-11-23T23:59:59Z"),
            (1, "2026-11-22T23:59:59Z", "2026-11-23T23:59:59Z"),
            (400, "2026-11-22T08:00:00Z", "2027-12-27T23:59:59Z"),
            (3_660, "2026-11-22T08:00:00Z", "2036-11-29T23:59:59Z"),
            (3_660, "2199-11-22T08:00:00Z", "2199-12-31T23:59:59Z"),
        ] {
            assert_eq!(end(Expires::Days(days), usable), last, "{days} from {usable}");
        }
    }

    #[test]
    fn years_end_with_the_last_second_of_the_last_of_them() {
        for (years, usable, last) in [
            (0, "2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"),
            (0, "2026-12-31T23:59:59Z", "2026-12-31T23:59:59Z"),
            (3, "2026-01-01T00:00:00Z", "2029-12-31T23:59:59Z"),
            (3, "2026-12-31T23:59:59Z", "2029-12-31T23:59:59Z"),
            (3, "2027-01-01T00:00:00Z", "2030-12-31T23:59:59Z"),
            (10, "2026-11-22T08:00:00Z", "2036-12-31T23:59:59Z"),
            (10, "2195-11-22T08:00:00Z", "2199-12-31T23:59:59Z"),
        ] {
            assert_eq!(end(Expires::EndOfYear(years), usable), last, "{years} from {usable}");
        }
    }
}
