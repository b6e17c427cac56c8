//! Statistics of numbers and times.

use super::numbers::{NumberKind, float};
use crate::document::Value;
use crate::error::{Error, Result};

/// Maximum quantiles per request.
const MAX_QUANTILES: usize = 100;

/// Statistics of the numbers or times of an attribute over a set of documents.
///
/// A document with several values counts with each of its distinct ones.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeStatistics {
    /// Values counted, at least 1.
    pub values: u64,
    /// The least value.
    pub min: Value,
    /// The largest value.
    pub max: Value,
    /// Their mean: a float, or a timestamp.
    pub mean: Value,
    /// Their sum: an integer where the values are and it is one of 64 bits, else a float. None of
    /// timestamps, and where it is beyond a float.
    pub sum: Option<Value>,
    /// Their standard deviation, with `n - 1`; of timestamps in seconds. None of a single value.
    pub standard_deviation: Option<f64>,
    /// The quantiles asked for, in the order asked, linear between neighbours (`numpy.quantile`): of
    /// the values' kind where they are values, else floats; timestamps to the microsecond.
    pub quantiles: Vec<(f64, Value)>,
}

/// Checks the points of quantiles.
pub(super) fn check_quantiles(points: &[f64]) -> Result<()> {
    if points.len() > MAX_QUANTILES {
        return Err(Error::invalid(
            "quantiles",
            format!(
                "has {} entries; at most {MAX_QUANTILES} are accepted",
                points.len()
            ),
        ));
    }
    match points.iter().position(|point| !(0.0..=1.0).contains(point)) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(
            format!("quantiles[{at}]"),
            format!("is {}; 0 to 1 is accepted", points[at]),
        )),
    }
}

/// The statistics of ascending codes of a kind; none where there are none.
pub(super) fn statistics(
    kind: NumberKind,
    codes: &[i64],
    points: &[f64],
) -> Option<AttributeStatistics> {
    let (&first, &last) = (codes.first()?, codes.last()?);
    let (mean, sum, standard_deviation) = match kind {
        NumberKind::Float => of_floats(codes),
        NumberKind::Integer => of_integers(codes),
        NumberKind::Timestamp => of_times(codes),
    };
    let quantiles = points
        .iter()
        .map(|&point| (point, quantile(kind, codes, point)));
    Some(AttributeStatistics {
        values: codes.len() as u64,
        min: kind.value(first),
        max: kind.value(last),
        mean,
        sum,
        standard_deviation,
        quantiles: quantiles.collect(),
    })
}

type Moments = (Value, Option<Value>, Option<f64>);

fn of_integers(codes: &[i64]) -> Moments {
    let sum: i128 = codes.iter().map(|&code| i128::from(code)).sum();
    let exact = i64::try_from(sum).map_or(Value::Float(sum as f64), Value::Integer);
    let mean = sum as f64 / codes.len() as f64;
    (Value::Float(mean), Some(exact), deviation(&offsets(codes)))
}

fn of_times(codes: &[i64]) -> Moments {
    let sum: i128 = codes.iter().map(|&code| i128::from(code)).sum();
    let n = codes.len() as i128;
    // Between the least and the largest, so it fits; rounded to the nearest.
    let mean = i64::try_from((2 * sum + n).div_euclid(2 * n)).unwrap_or(codes[0]);
    let seconds = deviation(&offsets(codes)).map(|micros| micros / 1e6);
    (Value::Timestamp(mean), None, seconds)
}

/// Differences to the least, which keep the digits of large numbers that lie close together.
fn offsets(codes: &[i64]) -> Vec<f64> {
    let least = i128::from(codes[0]);
    let offset = |&code: &i64| (i128::from(code) - least) as f64;
    codes.iter().map(offset).collect()
}

fn of_floats(codes: &[i64]) -> Moments {
    let largest = float(codes[0])
        .abs()
        .max(float(codes[codes.len() - 1]).abs());
    // A power of two, by which numbers are divided exactly, so that squares stay in range.
    let scale = match largest {
        0.0 => 1.0,
        largest => largest.log2().floor().clamp(-1000.0, 1000.0).exp2(),
    };
    let scaled: Vec<f64> = codes.iter().map(|&code| float(code) / scale).collect();
    let total = total(&scaled);
    let sum = total * scale;
    let mean = total / scaled.len() as f64 * scale;
    (
        Value::Float(mean),
        sum.is_finite().then_some(Value::Float(sum)),
        deviation(&scaled).map(|scaled| scaled * scale),
    )
}

/// The sum, with the digits that each addition loses added at the end (Neumaier 1974).
fn total(numbers: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for &number in numbers {
        let next = sum + number;
        lost += if sum.abs() >= number.abs() {
            (sum - next) + number
        } else {
            (number - next) + sum
        };
        sum = next;
    }
    sum + lost
}

fn deviation(numbers: &[f64]) -> Option<f64> {
    if numbers.len() < 2 {
        return None;
    }
    let n = numbers.len() as f64;
    let mean = total(numbers) / n;
    let squares: Vec<f64> = numbers.iter().map(|x| (x - mean) * (x - mean)).collect();
    Some((total(&squares) / (n - 1.0)).sqrt())
}

fn quantile(kind: NumberKind, codes: &[i64], point: f64) -> Value {
    let place = point * (codes.len() - 1) as f64;
    let (below, share) = (place.floor(), place.fract());
    let low = codes[below as usize];
    let high = codes[(below as usize + 1).min(codes.len() - 1)];
    if share == 0.0 || low == high {
        return kind.value(low);
    }
    let between = |low: i64, high: i64| (i128::from(high) - i128::from(low)) as f64 * share;
    match kind {
        NumberKind::Float => {
            let (low, high) = (float(low), float(high));
            Value::Float(low * (1.0 - share) + high * share)
        }
        NumberKind::Integer => Value::Float(low as f64 + between(low, high)),
        NumberKind::Timestamp => Value::Timestamp(low + between(low, high).round() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::code;
    use super::*;

    #[test]
    fn integers_keep_their_digits() {
        let large = (1_i64 << 60) + 1;
        let codes = [large, large + 1, large + 2, i64::MAX];
        let found = statistics(NumberKind::Integer, &codes[..3], &[0.5, 0.25]).unwrap();
        assert_eq!(found.min, Value::Integer(large));
        assert_eq!(found.max, Value::Integer(large + 2));
        assert_eq!(found.sum, Some(Value::Integer(3 * large + 3)));
        assert_eq!(found.standard_deviation, Some(1.0));
        assert_eq!(found.quantiles[0], (0.5, Value::Integer(large + 1)));
        let found = statistics(NumberKind::Integer, &codes, &[]).unwrap();
        assert!(matches!(found.sum, Some(Value::Float(sum)) if sum > 1e19 * 1.2));
    }

    #[test]
    fn floats_of_any_size_have_statistics() {
        for size in [1e-300, 1.0, 1e300] {
            let codes = [1.0, 2.0, 4.0].map(|number| code(number * size));
            let found = statistics(NumberKind::Float, &codes, &[0.75]).unwrap();
            let near = |found: f64, expected: f64| {
                assert!((found / size - expected).abs() < 1e-12, "{found} {size}");
            };
            near(found.standard_deviation.unwrap(), (7.0_f64 / 3.0).sqrt());
            let (Value::Float(mean), Value::Float(third)) = (&found.mean, &found.quantiles[0].1)
            else {
                panic!("{found:?}");
            };
            near(*mean, 7.0 / 3.0);
            near(*third, 3.0);
        }
        let beyond = [f64::MAX, f64::MAX].map(code);
        let found = statistics(NumberKind::Float, &beyond, &[0.5]).unwrap();
        assert_eq!((found.sum, found.mean), (None, Value::Float(f64::MAX)));
        let zeros = statistics(NumberKind::Float, &[code(0.0)], &[]).unwrap();
        assert_eq!(
            (zeros.mean, zeros.standard_deviation),
            (Value::Float(0.0), None)
        );
    }

    #[test]
    fn times_have_a_mean_and_no_sum() {
        let codes = [-3, 0, 4_000_000];
        let found = statistics(NumberKind::Timestamp, &codes, &[0.25]).unwrap();
        assert_eq!(found.mean, Value::Timestamp(1_333_332));
        assert_eq!(found.sum, None);
        // Half a microsecond is rounded away from 0.
        assert_eq!(found.quantiles, [(0.25, Value::Timestamp(-1))]);
        let seconds = found.standard_deviation.unwrap();
        assert!((seconds - 2.309_402).abs() < 1e-5, "{seconds}");
    }
}
