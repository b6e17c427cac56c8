//! Units of the calendar, in UTC, over microseconds since 1970.

use time::{Date, Duration, Month, OffsetDateTime, UtcDateTime};

use crate::error::{Error, Result};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// A unit of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarUnit {
    /// Full hours.
    Hour,
    /// Days from midnight.
    Day,
    /// Weeks from Monday.
    Week,
    /// Months.
    Month,
    /// Quarters of a year, from January, April, July and October.
    Quarter,
    /// Years.
    Year,
}

impl CalendarUnit {
    /// Its name: `month`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Microseconds of a unit; none where units differ in length.
    fn length(self) -> Option<i64> {
        match self {
            Self::Hour => Some(HOUR),
            Self::Day => Some(DAY),
            Self::Week => Some(7 * DAY),
            Self::Month | Self::Quarter | Self::Year => None,
        }
    }

    /// Months of a unit that counts in them.
    fn months(self) -> i32 {
        match self {
            Self::Year => 12,
            Self::Quarter => 3,
            _ => 1,
        }
    }

    /// Where the unit begins in which `micros` lies.
    pub(super) fn start_of(self, micros: i64) -> Result<i64> {
        let day = moment(micros)?.date();
        match self {
            Self::Hour => Ok(micros.div_euclid(HOUR) * HOUR),
            Self::Day => Ok(midnight(day)),
            Self::Week => {
                let back = i64::from(day.weekday().number_days_from_monday());
                let monday = day.checked_sub(Duration::days(back));
                monday.map(midnight).ok_or_else(out_of_range)
            }
            Self::Month | Self::Quarter | Self::Year => {
                let months = self.months();
                first_of(months_of(day).div_euclid(months) * months)
            }
        }
    }

    /// The units from that of `first` to that of `last`, both included.
    pub(super) fn count(self, first: i64, last: i64) -> Result<u64> {
        let (first, last) = (self.start_of(first)?, self.start_of(last)?);
        let steps = match self.length() {
            Some(length) => (last - first) / length,
            None => {
                let between = months_of(moment(last)?.date()) - months_of(moment(first)?.date());
                i64::from(between / self.months())
            }
        };
        Ok(steps.unsigned_abs() + 1)
    }

    /// Where `count` units begin, and behind them where the next one does: the first is that in
    /// which `first` lies.
    pub(super) fn edges(self, first: i64, count: usize) -> Result<Vec<i64>> {
        let mut at = self.start_of(first)?;
        let mut edges = vec![at];
        for _ in 0..count {
            at = match self.length() {
                Some(length) => at + length,
                None => first_of(months_of(moment(at)?.date()) + self.months())?,
            };
            edges.push(at);
        }
        Ok(edges)
    }
}

/// A stored time.
pub(super) fn moment(micros: i64) -> Result<OffsetDateTime> {
    UtcDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .map(Into::into)
        .map_err(|error| out_of_range().with_source(error))
}

fn out_of_range() -> Error {
    Error::internal("a stored time is out of range")
}

fn midnight(day: Date) -> i64 {
    day.midnight().assume_utc().unix_timestamp() * 1_000_000
}

/// Months since the beginning of year 0.
fn months_of(day: Date) -> i32 {
    day.year() * 12 + i32::from(u8::from(day.month())) - 1
}

/// Where a month begins.
fn first_of(months: i32) -> Result<i64> {
    // 1 to 12.
    let month = u8::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
    let month = Month::try_from(month).map_err(|error| out_of_range().with_source(error))?;
    Date::from_calendar_date(months.div_euclid(12), month, 1)
        .map(midnight)
        .map_err(|error| out_of_range().with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        crate::filter::parse_timestamp(text).unwrap()
    }

    #[test]
    fn units_begin_where_the_calendar_says() {
        let time = at("2024-08-29T13:59:59.5Z");
        for (unit, start) in [
            (CalendarUnit::Hour, "2024-08-29T13:00:00Z"),
            (CalendarUnit::Day, "2024-08-29T00:00:00Z"),
            (CalendarUnit::Week, "2024-08-26T00:00:00Z"),
            (CalendarUnit::Month, "2024-08-01T00:00:00Z"),
            (CalendarUnit::Quarter, "2024-07-01T00:00:00Z"),
            (CalendarUnit::Year, "2024-01-01T00:00:00Z"),
        ] {
            assert_eq!(unit.start_of(time).unwrap(), at(start), "{unit:?}");
            assert_eq!(unit.start_of(at(start)).unwrap(), at(start), "{unit:?}");
        }
        let before = at("1969-12-31T23:30:00Z");
        assert_eq!(CalendarUnit::Hour.start_of(before).unwrap(), -HOUR);
        assert_eq!(
            CalendarUnit::Quarter.start_of(before).unwrap(),
            at("1969-10-01T00:00:00Z")
        );
    }

    #[test]
    fn edges_are_as_many_as_are_counted() {
        let (first, last) = (at("1999-11-30T10:20:30Z"), at("2000-03-01T00:00:00Z"));
        for (unit, count) in [
            (CalendarUnit::Day, 93),
            (CalendarUnit::Week, 14),
            (CalendarUnit::Month, 5),
            (CalendarUnit::Quarter, 2),
            (CalendarUnit::Year, 2),
        ] {
            assert_eq!(unit.count(first, last).unwrap(), count, "{unit:?}");
            let edges = unit.edges(first, count as usize).unwrap();
            assert_eq!(edges[0], unit.start_of(first).unwrap());
            assert_eq!(edges[count as usize - 1], unit.start_of(last).unwrap());
            assert!(edges[count as usize] > last && edges.is_sorted());
        }
    }
}
