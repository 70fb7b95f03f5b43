//! Time as values: an [`Instant`] in whole seconds, the [`Minute`] in which a fact was accepted,
//! and the UTC [`Day`] of statistics and caps. Nothing here knows what time it is.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// What is accepted in one minute is visible everywhere so many seconds later: the assumed bound on
/// how long Workers KV may show an old state (Cloudflare documents "up to 60 seconds or more"), with
/// the time a request may take and the difference between two clocks.
pub const SETTLE: i64 = 10 * MINUTE;

/// The text is no time. Times are RFC 3339, for example `2026-11-22T08:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an RFC 3339 time, for example 2026-11-22T08:00:00Z")
    }
}

impl std::error::Error for TimeError {}

/// A moment, in seconds since 1970-01-01T00:00:00Z. Between the years 1970 and 2200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instant(i64);

/// 2200-01-01T00:00:00Z; keys sort by text only while years have four digits.
const LAST: i64 = 7_258_118_400;

impl Instant {
    /// Clamped to the years 1970 to 2200, so that arithmetic on it cannot overflow.
    pub const fn from_seconds(seconds: i64) -> Self {
        if seconds < 0 {
            Self(0)
        } else if seconds > LAST {
            Self(LAST)
        } else {
            Self(seconds)
        }
    }

    pub const fn seconds(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self::from_seconds(self.0.saturating_add(seconds))
    }

    #[must_use]
    pub const fn plus_days(self, days: u32) -> Self {
        self.plus(days as i64 * DAY)
    }

    /// The minute this instant lies in.
    pub const fn minute(self) -> Minute {
        Minute(self.0 / MINUTE)
    }

    /// The first whole minute not before this instant.
    pub const fn minute_up(self) -> Minute {
        Minute((self.0 + MINUTE - 1) / MINUTE)
    }

    pub const fn day(self) -> Day {
        Day(self.0 / DAY)
    }
}

impl FromStr for Instant {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let timestamp: Timestamp = text.parse().map_err(|_| TimeError)?;
        let seconds = timestamp.as_second();
        if (0..=LAST).contains(&seconds) { Ok(Self(seconds)) } else { Err(TimeError) }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Timestamp::from_second(self.0).unwrap_or_default())
    }
}

/// A moment to the millisecond, from which a version of the terms is valid. Shown, and sorted, as
/// `20261122080000123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// So many milliseconds since 1970; clamped as an [`Instant`] is.
    pub const fn from_millis(millis: i64) -> Self {
        let seconds = Instant::from_seconds(millis.div_euclid(1_000)).seconds();
        let is_kept = seconds == millis.div_euclid(1_000) && seconds < LAST;
        Self(if is_kept { millis } else { seconds * 1_000 })
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// The second this moment lies in.
    pub const fn instant(self) -> Instant {
        Instant::from_seconds(self.0 / 1_000)
    }

    /// The first whole second not before this moment.
    pub const fn instant_up(self) -> Instant {
        Instant::from_seconds((self.0 + 999) / 1_000)
    }

    pub const fn day(self) -> Day {
        self.instant().day()
    }
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        Self::from_millis(instant.seconds() * 1_000)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = self.instant();
        let second = instant.seconds() % MINUTE;
        write!(f, "{}{second:02}{:03}", instant.minute(), self.0 % 1_000)
    }
}

impl FromStr for Moment {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        if text.len() != 17 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TimeError);
        }
        let (minute, rest) = text.split_at(12);
        let (minute, rest): (Minute, i64) = (minute.parse()?, rest.parse().map_err(|_| TimeError)?);
        let moment = Self::from(minute.start()).plus_millis(rest);
        if rest < MINUTE * 1_000 && moment.0 == minute.start().seconds() * 1_000 + rest {
            Ok(moment)
        } else {
            Err(TimeError)
        }
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A whole minute: when a fact was accepted (the first minute not before that instant), and when an
/// order settles. Shown, and sorted, as
/// `202611220800`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Minute(i64);

impl Minute {
    pub const fn start(self) -> Instant {
        Instant::from_seconds(self.0 * MINUTE)
    }

    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        self.start().plus(seconds).minute_up()
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::tz::Offset::UTC
            .to_datetime(Timestamp::from_second(self.start().seconds()).unwrap_or_default());
        write!(
            f,
            "{:04}{:02}{:02}{:02}{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute()
        )
    }
}

impl FromStr for Minute {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TimeError);
        }
        let (date, clock) = text.split_at(8);
        let (hour, minute) = clock.split_at(2);
        let hour: i64 = hour.parse().map_err(|_| TimeError)?;
        let minute: i64 = minute.parse().map_err(|_| TimeError)?;
        if hour > 23 || minute > 59 {
            return Err(TimeError);
        }
        let day: Day = date.parse()?;
        Ok(Self(day.0 * (DAY / MINUTE) + hour * 60 + minute))
    }
}

/// A day in UTC. Shown, and sorted, as `20261122`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    pub const fn start(self) -> Instant {
        Instant::from_seconds(self.0 * DAY)
    }

    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// The first day of the n-th year after this day's, or the last there is.
    #[must_use]
    pub fn new_year(self, years: u32) -> Self {
        let year = i16::try_from(years).map_or(i16::MAX, |years| self.year().saturating_add(years));
        format!("{year:04}0101").parse().unwrap_or(Self(LAST / DAY))
    }

    fn date(self) -> Date {
        let timestamp = Timestamp::from_second(self.start().seconds()).unwrap_or_default();
        jiff::tz::Offset::UTC.to_datetime(timestamp).date()
    }

    /// As people and JSON write it: `2026-11-22`.
    pub fn dashed(self) -> String {
        let date = self.date();
        format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }

    /// The year, for caps that count per year.
    pub fn year(self) -> i16 {
        self.date().year()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date();
        write!(f, "{:04}{:02}{:02}", date.year(), date.month(), date.day())
    }
}

impl FromStr for Day {
    type Err = TimeError;

    /// Reads `20261122` and `2026-11-22`.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let dashed = text.len() == 10 && text.bytes().filter(|b| *b == b'-').count() == 2;
        let dashed = dashed && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
        let digits = if dashed { text.replace('-', "") } else { text.to_owned() };
        if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TimeError);
        }
        let (year, rest) = digits.split_at(4);
        let (month, day) = rest.split_at(2);
        let date = Date::new(
            year.parse().map_err(|_| TimeError)?,
            month.parse().map_err(|_| TimeError)?,
            day.parse().map_err(|_| TimeError)?,
        )
        .map_err(|_| TimeError)?;
        let start = jiff::tz::Offset::UTC
            .to_timestamp(date.at(0, 0, 0, 0))
            .map_err(|_| TimeError)?
            .as_second();
        if (0..=LAST).contains(&start) { Ok(Self(start / DAY)) } else { Err(TimeError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_what_they_show() {
        let at: Instant = "2026-11-22T08:00:59+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-22T07:00:59Z");
        assert_eq!(at.minute().to_string(), "202611220700");
        assert_eq!(at.minute_up().to_string(), "202611220701");
        assert_eq!("202611220700".parse(), Ok(at.minute()));
        assert_eq!(at.day().to_string(), "20261122");
        assert_eq!("2026-11-22".parse(), Ok(at.day()));
        assert_eq!("20261122".parse(), Ok(at.day()));
        assert_eq!(at.day().year(), 2026);
        assert_eq!(at.day().new_year(0).dashed(), "2026-01-01");
        assert_eq!(at.day().new_year(3).dashed(), "2029-01-01");
        for beyond in [174, 10_000, u32::MAX] {
            assert_eq!(at.day().new_year(beyond).dashed(), "2200-01-01");
        }
        assert_eq!(at.day().dashed(), "2026-11-22");
    }

    #[test]
    fn a_moment_sorts_by_its_text_and_reads_back() {
        let at: Instant = "2026-11-22T08:00:59Z".parse().unwrap();
        let moment = Moment::from(at).plus_millis(7);
        assert_eq!(moment.to_string(), "20261122080059007");
        assert_eq!("20261122080059007".parse(), Ok(moment));
        assert_eq!((moment.instant(), moment.instant_up()), (at, at.plus(1)));
        assert_eq!(Moment::from(at).instant_up(), at);
        assert_eq!(moment.plus_millis(1_000).to_string(), "20261122080100007");
        assert_eq!(moment.day(), at.day());
        for bad in ["2026112208005900", "20261122080060000", "2026112208005900x", ""] {
            assert_eq!(bad.parse::<Moment>(), Err(TimeError), "{bad}");
        }
        for (millis, clamped) in [(i64::MAX, LAST * 1_000), (-1, 0), (i64::MIN, 0)] {
            assert_eq!(Moment::from_millis(millis).millis(), clamped);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "yesterday", "2026-11-22", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z"] {
            assert_eq!(bad.parse::<Instant>(), Err(TimeError), "{bad}");
        }
        for bad in ["2026112", "20261301", "2026-1122-", "9999-99-99", "2026-11-2é"] {
            assert_eq!(bad.parse::<Day>(), Err(TimeError), "{bad}");
        }
        for bad in ["202611222460", "20261122080", "20261122080x"] {
            assert_eq!(bad.parse::<Minute>(), Err(TimeError), "{bad}");
        }
    }

    #[test]
    fn arithmetic_stays_inside_the_years_that_sort() {
        assert_eq!(Instant::from_seconds(i64::MAX).plus(i64::MAX), Instant::from_seconds(LAST));
        assert_eq!(Instant::from_seconds(5).plus(i64::MIN), Instant::from_seconds(0));
    }
}
