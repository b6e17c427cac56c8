//! Facets as tables, statistics as lists of facts.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use latentdb_proto::v1::facet::By;
use latentdb_proto::v1::histogram_facet::Buckets;
use latentdb_proto::v1::value::Kind;
use latentdb_proto::v1::{CalendarUnit, Facet, FacetResult, Statistics, Value};

use super::names;
use crate::report::{Table, format};

/// Longest value that is shown.
const VALUE_WIDTH: usize = 40;
/// Longest bar of a histogram.
const BAR_WIDTH: usize = 24;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// A facet's counts as a table, with a line that says over what.
///
/// It is cut to a width as [`Table::page`] is. A facet inside it makes further rows behind each entry's own, or columns where it is statistics.
pub fn page(facet: &Facet, found: &FacetResult, width: Option<usize>) -> String {
    if let Some(By::Statistics(asked)) = &facet.by {
        return facts(&asked.attribute, found);
    }
    let mut rows = Vec::new();
    collect(facet, found, &[], &mut rows);
    let levels = levels(facet);
    let inner = levels.last().copied().unwrap_or(facet);
    let keys = levels
        .iter()
        .filter(|level| !matches!(level.by, Some(By::Statistics(_))));
    let mut table = Table::of(&rows);
    for (at, level) in keys.enumerate() {
        let heading = format::cut(&subject(level), VALUE_WIDTH);
        table = table.text(&heading, |row| {
            row.keys.get(at).cloned().unwrap_or_default()
        });
    }
    table = table
        .number("documents", |row| format::thousands(row.count))
        .number("share", |row| format::percent(row.share));
    table = match inner.by {
        Some(By::Latents(_)) => table.number("activation", |row| {
            row.activation
                .map_or_else(String::new, |mean| format!("{mean:.3}"))
        }),
        Some(By::Histogram(_)) => {
            let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
            table.bar("", move |row| format::bar(row.count, most, BAR_WIDTH))
        }
        Some(By::Statistics(_)) => {
            let of = |read: fn(&Statistics) -> Option<String>| {
                move |row: &Row| row.statistics.as_ref().and_then(read).unwrap_or_default()
            };
            table
                .number("mean", of(|found| found.mean.as_ref().map(brief)))
                .number("sd", of(deviation))
                .number("min", of(|found| found.min.as_ref().map(brief)))
                .number("median", of(median))
                .number("max", of(|found| found.max.as_ref().map(brief)))
        }
        _ => table,
    };
    let table = table.build();
    format!("{}{}\n", table.page(width), summary(facet, found))
}

/// The tables of several facets, one after the other.
pub fn pages(asked: &[Facet], found: &[FacetResult], width: Option<usize>) -> String {
    let pages = asked.iter().zip(found);
    let pages: Vec<String> = pages
        .map(|(facet, found)| page(facet, found, width))
        .collect();
    pages.join("\n")
}

/// A row of a table: an entry of the outermost facet, or one of a facet inside it.
struct Row {
    /// What it is of at each level; empty where the row before says it, and where all are meant.
    keys: Vec<String>,
    count: u64,
    /// Of the documents that it is counted over.
    share: f64,
    activation: Option<f32>,
    /// Of the facet inside.
    statistics: Option<Statistics>,
}

/// The facet and those inside it, outermost first.
fn levels(facet: &Facet) -> Vec<&Facet> {
    let mut levels = vec![facet];
    let mut at = facet;
    while let Some(then) = &at.then {
        levels.push(then);
        at = then;
    }
    levels
}

fn collect(facet: &Facet, found: &FacetResult, above: &[String], rows: &mut Vec<Row>) {
    let mut push = |key: String, count: u64, activation, then: Option<&FacetResult>| {
        let mut keys = above.to_vec();
        keys.push(key);
        let below = vec![String::new(); keys.len()];
        rows.push(Row {
            keys,
            count,
            share: count as f64 / found.documents.max(1) as f64,
            activation,
            statistics: then.and_then(|then| then.statistics.clone()),
        });
        if let (Some(inner), Some(then)) = (&facet.then, then) {
            collect(inner, then, &below, rows);
        }
    };
    for entry in &found.values {
        let key = entry.value.as_ref().map(shown).unwrap_or_default();
        let key = format::cut(&key, VALUE_WIDTH);
        push(key, entry.count, None, entry.then.as_ref());
    }
    for entry in &found.latents {
        let key = names::latent(entry.latent, &entry.label, entry.low_confidence, None);
        let mean = Some(entry.mean_activation);
        push(key, entry.count, mean, entry.then.as_ref());
    }
    for (at, entry) in found.buckets.iter().enumerate() {
        let is_last = at + 1 == found.buckets.len();
        let key = bucket(facet, entry.lower.as_ref(), entry.upper.as_ref(), is_last);
        push(key, entry.count, None, entry.then.as_ref());
    }
}

/// What a facet counts by.
fn subject(facet: &Facet) -> String {
    match &facet.by {
        Some(By::Attribute(attribute)) => attribute.clone(),
        Some(By::Histogram(histogram)) => histogram.attribute.clone(),
        Some(By::Statistics(statistics)) => statistics.attribute.clone(),
        Some(By::Latents(_)) => "latent".to_owned(),
        None => String::new(),
    }
}

fn summary(facet: &Facet, found: &FacetResult) -> String {
    let listed = found.values.len() + found.latents.len() + found.buckets.len();
    let (thing, lacking) = match &facet.by {
        Some(By::Latents(_)) => ("latent", "without active latents".to_owned()),
        Some(By::Histogram(_)) => ("bucket", format!("without {}", subject(facet))),
        _ => ("value", format!("without {}", subject(facet))),
    };
    let counted = match found.distinct == listed as u64 {
        true => format::counted(found.distinct, thing),
        false => format!(
            "{} of {}",
            format::thousands(listed as u64),
            format::counted(found.distinct, thing)
        ),
    };
    let missing = match found.missing {
        0 => String::new(),
        missing => format!(", {} {lacking}", format::thousands(missing)),
    };
    let documents = format::counted(found.documents, "document");
    format!("{counted} over {documents}{missing}")
}

/// Statistics of one attribute, a fact a line.
fn facts(attribute: &str, found: &FacetResult) -> String {
    let mut text = format!("{}\n", format::cut(attribute, VALUE_WIDTH));
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<10} {value}");
        }
    };
    let having = format::counted(found.documents - found.missing, "document");
    let without = match found.missing {
        0 => String::new(),
        missing => format!(", {} without", format::thousands(missing)),
    };
    let Some(statistics) = &found.statistics else {
        fact(
            "values",
            Some(format!(
                "none in {}",
                format::counted(found.documents, "document")
            )),
        );
        return text;
    };
    let values = format::thousands(statistics.values);
    fact("values", Some(format!("{values} in {having}{without}")));
    fact("mean", statistics.mean.as_ref().map(shown));
    fact("sd", deviation(statistics));
    fact("min", statistics.min.as_ref().map(shown));
    for quantile in &statistics.quantiles {
        let name = format!("{}%", format::number(quantile.at * 100.0));
        fact(&name, quantile.value.as_ref().map(shown));
    }
    fact("max", statistics.max.as_ref().map(shown));
    fact("sum", statistics.sum.as_ref().map(shown));
    text
}

/// The standard deviation, of times with its unit.
fn deviation(found: &Statistics) -> Option<String> {
    let deviation = found.standard_deviation?;
    let is_time = matches!(kind(found.min.as_ref()), Some(Kind::Timestamp(_)));
    Some(match is_time {
        true if deviation >= 2.0 * DAY => format!("{} days", format::number(deviation / DAY)),
        true => format!("{} s", format::number(deviation)),
        false => format::number(deviation),
    })
}

fn median(found: &Statistics) -> Option<String> {
    let half = found.quantiles.iter().find(|quantile| quantile.at == 0.5)?;
    half.value.as_ref().map(brief)
}

fn kind(value: Option<&Value>) -> Option<&Kind> {
    value.and_then(|value| value.kind.as_ref())
}

/// A value in full; floats by some 7 digits.
fn shown(value: &Value) -> String {
    match &value.kind {
        Some(Kind::Float(number)) => format::number(*number),
        Some(Kind::Timestamp(_)) => {
            let text = names::value(value);
            let day = text.strip_suffix("T00:00:00Z").map(str::to_owned);
            day.unwrap_or(text)
        }
        _ => names::value(value),
    }
}

/// A value in a column next to others: of a time the day.
fn brief(value: &Value) -> String {
    let text = shown(value);
    match (&value.kind, text.split_once('T')) {
        (Some(Kind::Timestamp(_)), Some((day, _))) => day.to_owned(),
        _ => text,
    }
}

/// A bucket by its unit of the calendar, else by its bounds.
fn bucket(facet: &Facet, lower: Option<&Value>, upper: Option<&Value>, is_last: bool) -> String {
    let buckets = match &facet.by {
        Some(By::Histogram(histogram)) => histogram.buckets,
        _ => None,
    };
    if let (Some(Buckets::Calendar(unit)), Some(Kind::Timestamp(start))) = (buckets, kind(lower))
        && let Some(start) = DateTime::<Utc>::from_timestamp(start.seconds, 0)
    {
        return unit_name(start, CalendarUnit::try_from(unit).unwrap_or_default());
    }
    let close = match buckets {
        Some(Buckets::Quantiles(_)) if is_last => ']',
        _ => ')',
    };
    let [lower, upper] = [lower, upper].map(|bound| bound.map(shown).unwrap_or_default());
    format!("[{lower}, {upper}{close}")
}

fn unit_name(start: DateTime<Utc>, unit: CalendarUnit) -> String {
    let (year, month) = (start.year(), start.month());
    match unit {
        CalendarUnit::Hour => format!("{}T{:02}:00Z", start.date_naive(), start.hour()),
        CalendarUnit::Month => format!("{year:04}-{month:02}"),
        CalendarUnit::Quarter => format!("{year:04}-Q{}", month.div_ceil(3)),
        CalendarUnit::Year => format!("{year:04}"),
        _ => start.date_naive().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{BucketCount, HistogramFacet, StatisticsFacet, ValueCount};

    use super::*;

    fn held(kind: Kind) -> Option<Value> {
        Some(Value { kind: Some(kind) })
    }

    fn by(by: By, then: Option<Facet>) -> Facet {
        Facet {
            by: Some(by),
            limit: 0,
            then: then.map(Box::new),
        }
    }

    #[test]
    fn a_facet_inside_another_has_rows_behind_its_entry() {
        let value = |text: &str, count, then| ValueCount {
            value: held(Kind::String(text.into())),
            count,
            then,
        };
        let inner = FacetResult {
            values: vec![value("x", 3, None), value("y", 1, None)],
            distinct: 2,
            documents: 4,
            ..FacetResult::default()
        };
        let found = FacetResult {
            values: vec![value("news", 4, Some(inner))],
            distinct: 3,
            documents: 8,
            missing: 1,
            ..FacetResult::default()
        };
        let then = by(By::Attribute("tag".into()), None);
        let facet = by(By::Attribute("source".into()), Some(then));
        assert_eq!(
            page(&facet, &found, None),
            "source  tag  documents  share\n\
             news                 4  50.0%\n          \
             x          3  75.0%\n          \
             y          1  25.0%\n\
             1 of 3 values over 8 documents, 1 without source\n"
        );
    }

    #[test]
    fn buckets_are_named_by_their_unit_or_bounds() {
        let second = |seconds| {
            let nanos = 0;
            held(Kind::Timestamp(prost_types::Timestamp { seconds, nanos }))
        };
        let histogram = |buckets| {
            let attribute = "day".to_owned();
            let buckets = Some(buckets);
            by(By::Histogram(HistogramFacet { attribute, buckets }), None)
        };
        let (lower, upper) = (second(1_709_251_200), second(1_711_929_600));
        let name = |facet: &Facet| bucket(facet, lower.as_ref(), upper.as_ref(), true);
        let unit = |unit: CalendarUnit| name(&histogram(Buckets::Calendar(unit.into())));
        assert_eq!(unit(CalendarUnit::Month), "2024-03");
        assert_eq!(unit(CalendarUnit::Quarter), "2024-Q1");
        assert_eq!(unit(CalendarUnit::Hour), "2024-03-01T00:00Z");
        assert_eq!(
            name(&histogram(Buckets::Width(9.0))),
            "[2024-03-01, 2024-04-01)"
        );
        let quantiles = histogram(Buckets::Quantiles(4));
        assert_eq!(name(&quantiles), "[2024-03-01, 2024-04-01]");
        let (lower, upper) = (held(Kind::Float(0.25)), held(Kind::Float(0.5)));
        let found = FacetResult {
            buckets: vec![BucketCount {
                lower,
                upper,
                count: 7,
                then: None,
            }],
            distinct: 1,
            documents: 7,
            ..FacetResult::default()
        };
        let shown = page(&histogram(Buckets::Width(0.25)), &found, None);
        assert!(
            shown.contains("[0.25, 0.5)          7  100.0%  ████"),
            "{shown}"
        );
        assert!(shown.ends_with("1 bucket over 7 documents\n"), "{shown}");
    }

    #[test]
    fn statistics_are_facts() {
        let found = FacetResult {
            statistics: Some(Statistics {
                values: 3,
                min: held(Kind::Integer(9_007_199_254_740_993)),
                mean: held(Kind::Float(2.0 / 3.0)),
                standard_deviation: Some(0.125),
                ..Statistics::default()
            }),
            documents: 4,
            missing: 1,
            ..FacetResult::default()
        };
        let asked = StatisticsFacet {
            attribute: "stars".into(),
            quantiles: Vec::new(),
        };
        assert_eq!(
            page(&by(By::Statistics(asked), None), &found, None),
            "stars\n  values     3 in 3 documents, 1 without\n  mean       0.6666667\n  sd         \
             0.125\n  min        9007199254740993\n"
        );
    }
}
