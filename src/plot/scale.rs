//! One axis: where values lie, which ticks it has, how numbers are written.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::dates;
use super::text::shortened;

/// Maximum names on one axis, and the columns of each.
const MOST_NAMES: usize = 10;
const NAME_WIDTH: usize = 10;
/// Maximum ticks aimed at on one axis.
const TICKS: f64 = 8.0;
/// Space around the outermost values, as a share of the axis.
const MARGIN: f64 = 0.04;

/// A range of values, linear or logarithmic, with its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    ticks: Vec<f64>,
    written: Written,
}

/// How ticks are written.
#[derive(Clone, Debug, PartialEq)]
enum Written {
    /// As numbers, with the decimals that their distance needs; without one each by its own size.
    Number(Option<f64>),
    /// As whole numbers, thousands not apart.
    Year,
    /// As moments in a form.
    Date(&'static str),
    /// As the names of places from 0.
    Name(Vec<String>),
}

impl Scale {
    /// The scale that shows all of `values` (finite, and positive where it is logarithmic), with a
    /// margin, but none beyond 0: counts and shares start at the edge.
    pub fn around(values: impl Iterator<Item = f64>, logarithmic: bool) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        if logarithmic {
            let margin = ((high / low).ln() * MARGIN).max(0.05).exp();
            return Self::between(low / margin, high * margin, true);
        }
        let spread = high - low;
        let margin = if spread > 0.0 {
            spread * MARGIN
        } else {
            (low.abs() * 0.5).max(0.5)
        };
        let below = if low >= 0.0 {
            (low - margin).max(0.0)
        } else {
            low - margin
        };
        let above = if high <= 0.0 {
            (high + margin).min(0.0)
        } else {
            high + margin
        };
        Self::between(below, above, false)
    }

    /// The places 0 to `count` - 1, one tick each.
    pub fn places(count: usize) -> Self {
        Self {
            low: -0.6,
            high: count as f64 - 0.4,
            logarithmic: false,
            ticks: (0..count).map(|place| place as f64).collect(),
            written: Written::Number(Some(1.0)),
        }
    }

    fn between(low: f64, high: f64, logarithmic: bool) -> Self {
        let decades = (high / low).log10();
        let (ticks, step) = if logarithmic && decades >= 0.8 {
            (decade_ticks(low, high, decades), None)
        } else {
            let (ticks, step) = even_ticks(low, high);
            (ticks, Some(step))
        };
        Self {
            low,
            high,
            logarithmic,
            ticks,
            written: Written::Number(step),
        }
    }

    /// The tick as it is written.
    pub fn text(&self, tick: f64) -> String {
        match &self.written {
            Written::Number(step) => number(tick, step.unwrap_or(tick.abs())),
            Written::Year => format!("{tick:.0}"),
            Written::Date(form) => dates::text(tick, form),
            Written::Name(names) => names.get(tick as usize).cloned().unwrap_or_default(),
        }
    }

    /// The same of years: ticks are whole.
    pub fn of_years(mut self) -> Self {
        self.ticks.retain(|tick| tick.fract() == 0.0);
        self.written = Written::Year;
        self
    }

    /// The same of moments, in seconds since the epoch.
    pub fn of_dates(mut self) -> Self {
        let (ticks, form) = dates::ticks(self.low, self.high);
        self.ticks = ticks;
        self.written = Written::Date(form);
        self
    }

    /// The same of named places from 0; every second name and so on where not all fit.
    pub fn of_names(mut self, names: &[String]) -> Self {
        let stride = names.len().div_ceil(MOST_NAMES).max(1);
        self.low = self.low.min(-0.3);
        self.high = self.high.max(names.len() as f64 - 0.7);
        self.ticks = (0..names.len())
            .step_by(stride)
            .map(|at| at as f64)
            .collect();
        self.written = Written::Name(
            names
                .iter()
                .map(|name| shortened(name, NAME_WIDTH))
                .collect(),
        );
        self
    }

    fn share(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let place = f64::from(start) + self.share(*value) * f64::from(end - start);
        place.round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // One grid, of the ticks: no finer one between them.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.text(*value)
    }
}

/// Multiples of 1, 2 or 5 times a power of ten, about [`TICKS`] of them, and their distance.
fn even_ticks(low: f64, high: f64) -> (Vec<f64>, f64) {
    let rough = (high - low) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    let ticks = (first..=last).map(|at| at as f64 * step).collect();
    (ticks, step)
}

/// Powers of ten, with their multiples by 2 and 5 where there are few of them.
fn decade_ticks(low: f64, high: f64, decades: f64) -> Vec<f64> {
    let factors: &[f64] = if decades < 3.0 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let stride = ((decades / TICKS).ceil() as usize).max(1);
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    (first..=last)
        .step_by(stride)
        .flat_map(|power| {
            factors
                .iter()
                .map(move |factor| factor * 10_f64.powi(power))
        })
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

/// A number with the decimals that steps of `step` need and with thousands apart; very large and
/// very small ones in powers of ten.
fn number(value: f64, step: f64) -> String {
    if value.abs() < step * 1e-6 {
        return "0".to_owned();
    }
    let largest = value.abs();
    if largest >= 1e7 || (step < 1e-4 && largest < 1e-2) {
        let text = format!("{value:.2e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.')
        } else {
            digits
        };
        return format!("{digits}e{power}");
    }
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let text = format!("{largest:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut spaced = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{spaced}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: &Scale) -> Vec<String> {
        scale.ticks.iter().map(|&tick| scale.text(tick)).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_axis() {
        for (values, expected) in [
            (
                &[0.0, 1.0][..],
                vec!["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"],
            ),
            (&[-3.0, 4.0], vec!["-2", "0", "2", "4"]),
            (
                &[12_000.0, 61_000.0],
                vec!["20,000", "30,000", "40,000", "50,000", "60,000"],
            ),
            (&[5.0], vec!["3", "4", "5", "6", "7"]),
        ] {
            let scale = Scale::around(values.iter().copied(), false);
            let found = texts(&scale);
            let zero = |text: &String| {
                if text == "0.0" {
                    "0".to_owned()
                } else {
                    text.clone()
                }
            };
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            let expected: Vec<String> = expected.iter().map(zero).collect();
            for tick in &expected {
                assert!(found.contains(tick), "{found:?} lacks {tick}");
            }
            assert!((3..=12).contains(&found.len()), "{found:?}");
            assert!(
                scale
                    .ticks
                    .iter()
                    .all(|tick| (scale.low..=scale.high).contains(tick))
            );
        }
    }

    #[test]
    fn logarithmic_ticks_are_powers_and_their_multiples() {
        let scale = Scale::around([1.0, 100.0].into_iter(), true);
        assert_eq!(texts(&scale), ["1", "2", "5", "10", "20", "50", "100"]);
        let scale = Scale::around([1e-3, 1e6].into_iter(), true);
        assert_eq!(texts(&scale), ["0.01", "1", "100", "10,000", "1,000,000"]);
        // Too narrow for powers of ten.
        let scale = Scale::around([1024.0, 3072.0].into_iter(), true);
        assert!(
            texts(&scale).contains(&"2,000".to_owned()),
            "{:?}",
            texts(&scale)
        );
    }

    #[test]
    fn values_lie_where_they_should() {
        let scale = Scale::between(0.0, 10.0, false);
        assert_eq!(scale.map(&2.5, (0, 400)), 100);
        assert_eq!(scale.map(&2.5, (400, 0)), 300);
        let scale = Scale::between(1.0, 10_000.0, true);
        assert_eq!(scale.map(&100.0, (0, 400)), 200);
    }

    #[test]
    fn counts_start_at_the_edge() {
        assert_eq!(Scale::around([0.0, 9.0].into_iter(), false).low, 0.0);
        assert!(Scale::around([-1.0, 9.0].into_iter(), false).low < -1.0);
        assert_eq!(Scale::around([-9.0, -0.1].into_iter(), false).high, 0.0);
    }

    #[test]
    fn numbers_have_the_decimals_their_steps_need() {
        assert_eq!(number(0.30000000000000004, 0.1), "0.3");
        assert_eq!(number(-1234.5, 0.5), "-1,234.5");
        assert_eq!(number(2.5e7, 5e6), "2.5e7");
        assert_eq!(number(3e-5, 1e-5), "3e-5");
        assert_eq!(number(1e-18, 1.0), "0");
    }
}
