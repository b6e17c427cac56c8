//! Ticks of an axis of time, at round moments of the calendar (UTC).

use chrono::{DateTime, Datelike as _, NaiveDate};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Seconds of a mean month.
const MONTH: f64 = 365.2425 * 86_400.0 / 12.0;
/// From the epoch, a Thursday, to the first Monday.
const MONDAY: i64 = 4 * DAY;

/// Distances of ticks, with the form of the text and how many of them fit.
const STEPS: [(Step, &str, f64); 23] = [
    (Step::Seconds(1), "%H:%M:%S", 8.0),
    (Step::Seconds(10), "%H:%M:%S", 8.0),
    (Step::Seconds(MINUTE), "%m-%d %H:%M", 6.0),
    (Step::Seconds(5 * MINUTE), "%m-%d %H:%M", 6.0),
    (Step::Seconds(15 * MINUTE), "%m-%d %H:%M", 6.0),
    (Step::Seconds(HOUR), "%m-%d %H:%M", 6.0),
    (Step::Seconds(3 * HOUR), "%m-%d %H:%M", 6.0),
    (Step::Seconds(6 * HOUR), "%m-%d %H:%M", 6.0),
    (Step::Seconds(12 * HOUR), "%m-%d %H:%M", 6.0),
    (Step::Seconds(DAY), "%Y-%m-%d", 7.0),
    (Step::Seconds(2 * DAY), "%Y-%m-%d", 7.0),
    (Step::Seconds(7 * DAY), "%Y-%m-%d", 7.0),
    (Step::Seconds(14 * DAY), "%Y-%m-%d", 7.0),
    (Step::Months(1), "%Y-%m", 9.0),
    (Step::Months(3), "%Y-%m", 9.0),
    (Step::Months(6), "%Y-%m", 9.0),
    (Step::Months(12), "%Y", 12.0),
    (Step::Months(24), "%Y", 12.0),
    (Step::Months(60), "%Y", 12.0),
    (Step::Months(120), "%Y", 12.0),
    (Step::Months(240), "%Y", 12.0),
    (Step::Months(600), "%Y", 12.0),
    (Step::Months(1200), "%Y", 12.0),
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Seconds(i64),
    Months(i64),
}

impl Step {
    fn seconds(self) -> f64 {
        match self {
            Self::Seconds(seconds) => seconds as f64,
            Self::Months(months) => months as f64 * MONTH,
        }
    }
}

/// The ticks between two moments, in seconds since the epoch, and the form of their text.
pub(super) fn ticks(low: f64, high: f64) -> (Vec<f64>, &'static str) {
    let fits = |(step, _, most): &&(Step, &str, f64)| (high - low) / step.seconds() <= *most;
    let last = &STEPS[STEPS.len() - 1];
    let (step, form, _) = STEPS.iter().find(fits).unwrap_or(last);
    let ticks = match *step {
        Step::Seconds(step) => {
            let offset = if step % (7 * DAY) == 0 { MONDAY } else { 0 };
            let (low, high) = (low.ceil() as i64 - offset, high.floor() as i64 - offset);
            let first = low.div_euclid(step) + i64::from(low.rem_euclid(step) != 0);
            let places = first..=high.div_euclid(step);
            places.map(|at| (at * step + offset) as f64).collect()
        }
        Step::Months(step) => {
            let month = |seconds: f64| {
                let day = DateTime::from_timestamp(seconds as i64, 0).unwrap_or_default();
                i64::from(day.year()) * 12 + i64::from(day.month0())
            };
            let places = month(low).div_euclid(step)..=month(high).div_euclid(step) + 1;
            let starts = places.filter_map(|at| start_of_month(at * step));
            starts.filter(|at| (low..=high).contains(at)).collect()
        }
    };
    (ticks, form)
}

/// The moment at which a month, counted from year 0, begins.
fn start_of_month(month: i64) -> Option<f64> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    let of_year = u32::try_from(month.rem_euclid(12)).ok()?;
    let day = NaiveDate::from_ymd_opt(year, of_year + 1, 1)?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp() as f64)
}

/// A moment in a form.
pub(super) fn text(seconds: f64, form: &str) -> String {
    let moment = DateTime::from_timestamp(seconds as i64, 0).unwrap_or_default();
    moment.format(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(low: &str, high: &str) -> Vec<String> {
        let seconds = |text: &str| {
            let moment = DateTime::parse_from_rfc3339(text).unwrap();
            moment.timestamp() as f64
        };
        let (ticks, form) = ticks(seconds(low), seconds(high));
        ticks.into_iter().map(|tick| text(tick, form)).collect()
    }

    #[test]
    fn ticks_are_round_moments() {
        assert_eq!(
            between("2022-11-20T00:00:00Z", "2023-08-02T00:00:00Z"),
            [
                "2022-12", "2023-01", "2023-02", "2023-03", "2023-04", "2023-05", "2023-06",
                "2023-07", "2023-08"
            ]
        );
        assert_eq!(
            between("1987-01-01T00:00:00Z", "2025-06-01T00:00:00Z"),
            [
                "1990", "1995", "2000", "2005", "2010", "2015", "2020", "2025"
            ]
        );
        // Mondays.
        assert_eq!(
            between("2024-02-20T08:00:00Z", "2024-03-20T00:00:00Z"),
            ["2024-02-26", "2024-03-04", "2024-03-11", "2024-03-18"]
        );
        assert_eq!(
            between("1969-12-31T20:00:00Z", "1970-01-01T08:00:00Z"),
            ["12-31 21:00", "01-01 00:00", "01-01 03:00", "01-01 06:00"]
        );
        assert!(between("1700-01-01T00:00:00Z", "2200-01-01T00:00:00Z").len() >= 4);
    }
}
