//! Buckets of numbers and times.

use super::numbers::{NumberKind, code, float};
use crate::analysis::calendar::CalendarUnit;
use crate::document::Value;
use crate::error::{Error, Result, Within as _};

/// Maximum buckets of a histogram, empty ones included.
pub const MAX_HISTOGRAM_BUCKETS: usize = 10_000;
/// Maximum buckets by quantiles.
const MAX_QUANTILE_BUCKETS: usize = 1000;
/// Longest bucket of timestamps, in seconds: some 317 years, more than times are apart.
const MAX_SECONDS: f64 = 1e10;
const MICROS: f64 = 1e6;

/// How an attribute's values are put into buckets. A bucket has its lower bound and not its upper
/// one; buckets lie side by side, from that of the least value to that of the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HistogramBuckets {
    /// Of this width, above 0, at multiples of it; for timestamps in seconds, from 1970.
    Width(f64),
    /// Units of the calendar in UTC; for timestamps.
    Calendar(CalendarUnit),
    /// This many, 2 to 1,000, each of as many values as the others; fewer where values are equal,
    /// since equal values are in one bucket. The last has its upper bound, which is the largest
    /// value.
    Quantiles(usize),
}

/// The buckets of a histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets {
    /// The least code of each, ascending.
    starts: Vec<i64>,
    /// The bounds, one more than buckets.
    bounds: Vec<Value>,
}

impl HistogramBuckets {
    /// Checks the numbers.
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::Width(width) if !(width.is_finite() && width > 0.0) => Err(Error::invalid(
                "width",
                format!("is {width}; a finite number above 0 is accepted"),
            )),
            Self::Quantiles(count) if !(2..=MAX_QUANTILE_BUCKETS).contains(&count) => {
                Err(Error::invalid(
                    "quantiles",
                    format!("is {count}; 2 to {MAX_QUANTILE_BUCKETS} is accepted"),
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Buckets {
    /// Buckets for ascending codes of a kind; none for no codes.
    ///
    /// # Errors
    /// `InvalidArgument` for buckets that do not suit the kind and for more than
    /// [`MAX_HISTOGRAM_BUCKETS`] of them.
    pub fn of(
        kind: NumberKind,
        codes: &[i64],
        buckets: HistogramBuckets,
        attribute: &str,
    ) -> Result<Self> {
        let (Some(&first), Some(&last)) = (codes.first(), codes.last()) else {
            return Ok(Self::default());
        };
        match (buckets, kind) {
            (HistogramBuckets::Quantiles(count), _) => Ok(Self::by_quantiles(kind, codes, count)),
            (HistogramBuckets::Calendar(unit), NumberKind::Timestamp) => {
                Self::by_calendar(first, last, unit).within("calendar")
            }
            (HistogramBuckets::Calendar(unit), _) => Err(Error::invalid(
                "calendar",
                format!(
                    "is {}, but {attribute:?} has numbers: write them as timestamps (ingest \
                     --attribute {attribute}:timestamp), or take a width or quantiles",
                    unit.name()
                ),
            )),
            (HistogramBuckets::Width(width), NumberKind::Timestamp) => {
                by_seconds(first, last, width).within("width")
            }
            (HistogramBuckets::Width(width), NumberKind::Integer)
                if width.fract() == 0.0 && width < i64::MAX as f64 =>
            {
                let integer = |bound: i128| {
                    i64::try_from(bound).map_or(Value::Float(bound as f64), Value::Integer)
                };
                Self::whole(first, last, width as i64, integer).within("width")
            }
            (HistogramBuckets::Width(width), _) => {
                by_width(kind, first, last, width).within("width")
            }
        }
    }

    /// Where a value lies that is not below the first bucket.
    pub fn place(&self, code: i64) -> u32 {
        let place = self.starts.partition_point(|&start| start <= code);
        u32::try_from(place.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The lower and upper bounds.
    pub fn bounds(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.bounds.iter().zip(self.bounds.iter().skip(1))
    }

    /// At multiples of a whole width.
    fn whole(first: i64, last: i64, width: i64, bound: impl Fn(i128) -> Value) -> Result<Self> {
        let (first, last) = (first.div_euclid(width), last.div_euclid(width));
        let count = check_count(i128::from(last) - i128::from(first) + 1)?;
        let bounds: Vec<i128> = (0..=count as i128)
            .map(|at| (i128::from(first) + at) * i128::from(width))
            .collect();
        // A bound below all integers: so is the first bucket's.
        let start = |&bound: &i128| i64::try_from(bound).unwrap_or(i64::MIN);
        Ok(Self {
            starts: bounds[..count].iter().map(start).collect(),
            bounds: bounds.into_iter().map(bound).collect(),
        })
    }

    fn by_calendar(first: i64, last: i64, unit: CalendarUnit) -> Result<Self> {
        let count = check_count(i128::from(unit.count(first, last)?))?;
        let edges = unit.edges(first, count)?;
        Ok(Self {
            starts: edges[..count].to_vec(),
            bounds: edges.into_iter().map(Value::Timestamp).collect(),
        })
    }

    fn by_quantiles(kind: NumberKind, codes: &[i64], count: usize) -> Self {
        let at =
            |bucket: usize| codes[(bucket as u128 * codes.len() as u128 / count as u128) as usize];
        let mut starts: Vec<i64> = (0..count).map(at).collect();
        starts.dedup();
        let bounds = starts.iter().chain(codes.last());
        Self {
            bounds: bounds.map(|&code| kind.value(code)).collect(),
            starts,
        }
    }
}

fn check_count(count: i128) -> Result<usize> {
    if count > MAX_HISTOGRAM_BUCKETS as i128 {
        return Err(Error::invalid(
            "",
            format!(
                "gives {count} buckets between the least and the largest value; at most \
                 {MAX_HISTOGRAM_BUCKETS} are accepted: take wider ones, quantiles, or a filter that \
                 leaves out what is far away"
            ),
        ));
    }
    Ok(usize::try_from(count).unwrap_or(1))
}

fn by_seconds(first: i64, last: i64, width: f64) -> Result<Buckets> {
    let micros = (width * MICROS).round();
    if !(1.0..=MAX_SECONDS * MICROS).contains(&micros) {
        return Err(Error::invalid(
            "",
            format!(
                "is {width} seconds; .000001 to {MAX_SECONDS} seconds are accepted for timestamps"
            ),
        ));
    }
    // Within the range of 64 bits, as times and the width are.
    let time = |bound: i128| Value::Timestamp(i64::try_from(bound).unwrap_or(i64::MAX));
    Buckets::whole(first, last, micros as i64, time)
}

/// At multiples of a width, each the float nearest to the decimal that people write: 3 times .1 is
/// .3.
fn by_width(kind: NumberKind, first: i64, last: i64, width: f64) -> Result<Buckets> {
    let number = |code: i64| match kind {
        NumberKind::Float => float(code),
        _ => code as f64,
    };
    let (digits, parts) = decimal(width).unwrap_or((width, 1.0));
    let bound = |place: f64| place * digits / parts;
    let place_of = |number: f64| {
        let near = (number / width).floor();
        // Division rounds, so the place may be a neighbour.
        let places = [near + 1.0, near, near - 1.0];
        places.into_iter().find(|&place| bound(place) <= number)
    };
    let (least, largest) = (number(first), number(last));
    let fine = || {
        Error::invalid(
            "",
            format!(
                "is {width}, too little to tell numbers apart that are as large as {least} or {largest}"
            ),
        )
    };
    let low = place_of(least).ok_or_else(fine)?;
    let high = place_of(largest).ok_or_else(fine)?;
    let count = high - low + 1.0;
    // Beyond, places themselves are no longer told apart.
    if count > 1e15 {
        return Err(fine());
    }
    check_count(count as i128)?;
    let count = count as usize;
    let bounds: Vec<f64> = (0..=count).map(|at| bound(low + at as f64)).collect();
    if !bounds.is_sorted_by(|a, b| a < b) || !bounds.iter().all(|bound| bound.is_finite()) {
        return Err(fine());
    }
    let start = |&bound: &f64| match kind {
        NumberKind::Float => code(bound),
        _ => bound.ceil() as i64,
    };
    Ok(Buckets {
        starts: bounds[..count].iter().map(start).collect(),
        // Adding 0 makes -0 positive.
        bounds: bounds
            .iter()
            .map(|bound| Value::Float(bound + 0.0))
            .collect(),
    })
}

/// A number's shortest decimal as a quotient of whole numbers that floats hold exactly; none where
/// they do not.
fn decimal(number: f64) -> Option<(f64, f64)> {
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()? - exponent.parse::<i32>().ok()?;
    // 10^22 is the last power of ten that is a float.
    let exact = digits < 1 << 53 && (0..=22).contains(&places);
    exact.then(|| (digits as f64, 10.0_f64.powi(places)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(numbers: &[f64], width: f64) -> Result<Buckets> {
        let codes: Vec<i64> = numbers.iter().map(|&number| code(number)).collect();
        Buckets::of(
            NumberKind::Float,
            &codes,
            HistogramBuckets::Width(width),
            "x",
        )
    }

    #[test]
    fn bounds_are_the_decimals_that_people_write() {
        let buckets = floats(&[0.05, 0.3, 0.75], 0.1).unwrap();
        let bounds: Vec<f64> = buckets
            .bounds
            .iter()
            .map(|bound| match bound {
                Value::Float(bound) => *bound,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(bounds, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
        assert_eq!(buckets.place(code(0.3)), 3);
        assert_eq!(buckets.place(code(0.299_999)), 2);
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        for width in [0.1, 0.3, 1.0, 2.5, 1e-3, 7.0, 1.0 / 3.0, 123.456] {
            for scale in [-1.0, 1e-2, 1.0, 3.7, 900.0] {
                let mut numbers: Vec<f64> =
                    (0..40).map(|at| f64::from(at) * width * scale).collect();
                numbers.sort_by(f64::total_cmp);
                let Ok(buckets) = floats(&numbers, width) else {
                    assert!(scale > 100.0, "{width} {scale}");
                    continue;
                };
                let bounds: Vec<_> = buckets.bounds().collect();
                for &number in &numbers {
                    let (lower, upper) = bounds[buckets.place(code(number)) as usize];
                    let (Value::Float(lower), Value::Float(upper)) = (lower, upper) else {
                        panic!("{lower:?} {upper:?}");
                    };
                    assert!(
                        *lower <= number && number < *upper,
                        "{number} {lower} {upper}"
                    );
                }
                assert_eq!(buckets.starts.len(), bounds.len());
            }
        }
    }

    #[test]
    fn integers_have_whole_bounds_up_to_the_last() {
        let of = |codes: &[i64], width: f64| {
            Buckets::of(
                NumberKind::Integer,
                codes,
                HistogramBuckets::Width(width),
                "x",
            )
        };
        let buckets = of(&[-7, 3], 5.0).unwrap();
        assert_eq!(buckets.bounds, [-10, -5, 0, 5].map(Value::Integer));
        assert_eq!([-7, -5, 3].map(|code| buckets.place(code)), [0, 1, 2]);
        let whole = of(&[i64::MIN, i64::MAX], (1_i64 << 62) as f64).unwrap();
        assert_eq!(whole.starts.len(), 4);
        assert_eq!(whole.bounds[4], Value::Float(9_223_372_036_854_775_808.0));
        let uneven = of(&[i64::MIN, 0], 9e18).unwrap();
        assert_eq!(uneven.place(i64::MIN), 0);
        let halves = of(&[1, 2], 0.5).unwrap();
        assert_eq!([1, 2].map(|code| halves.place(code)), [0, 2]);
        let error = of(&[0, 1_000_000], 10.0).unwrap_err();
        assert_eq!(error.field(), Some("width"));
        assert!(error.message().contains("100001"), "{error}");
    }

    #[test]
    fn quantiles_hold_as_many_and_keep_equal_values_together() {
        let of = |codes: &[i64], count| {
            Buckets::of(
                NumberKind::Integer,
                codes,
                HistogramBuckets::Quantiles(count),
                "x",
            )
            .unwrap()
        };
        let even = of(&(0..100).collect::<Vec<_>>(), 4);
        assert_eq!(even.bounds, [0, 25, 50, 75, 99].map(Value::Integer));
        let tied = of(&[1, 1, 1, 1, 1, 2, 3], 4);
        assert_eq!(tied.bounds, [1, 2, 3].map(Value::Integer));
        assert_eq!([1, 2, 3].map(|code| tied.place(code)), [0, 1, 1]);
        assert_eq!(of(&[5], 10).bounds, [5, 5].map(Value::Integer));
        assert_eq!(of(&[], 10).starts.len(), 0);
    }

    #[test]
    fn times_have_widths_in_seconds() {
        let of = |width| {
            let buckets = HistogramBuckets::Width(width);
            Buckets::of(NumberKind::Timestamp, &[-1, 90_000_000], buckets, "x")
        };
        let minutes = of(60.0).unwrap();
        let bounds = [-60_000_000, 0, 60_000_000, 120_000_000].map(Value::Timestamp);
        assert_eq!(minutes.bounds, bounds);
        assert_eq!(of(1e11).unwrap_err().field(), Some("width"));
        assert_eq!(of(1e-9).unwrap_err().field(), Some("width"));
    }

    #[test]
    fn widths_too_small_for_the_numbers_are_refused() {
        for (numbers, width) in [([1e300, 1e300], 1.0), ([-1e300, 1e300], 1.0)] {
            assert_eq!(floats(&numbers, width).unwrap_err().field(), Some("width"));
        }
        let calendar = HistogramBuckets::Calendar(CalendarUnit::Day);
        let error = Buckets::of(NumberKind::Integer, &[1], calendar, "x").unwrap_err();
        assert_eq!(error.field(), Some("calendar"));
    }
}
