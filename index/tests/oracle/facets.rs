//! Facets against a recount over the documents, at every level.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use latentdb_index::analysis::{
    AttributeStatistics, CalendarUnit, Facet, FacetBy, FacetCounts, FacetEntry, FacetKey,
    HistogramBuckets, facets,
};
use latentdb_index::{Document, ErrorKind, Filter, Snapshot, Value};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use time::{OffsetDateTime, Time};

use crate::check::value_name;
use crate::naive::{self, Model};

const ATTRIBUTES: [&str; 9] = [
    "source", "stars", "big", "score", "mixed", "tags", "numbers", "when", "none",
];
const UNITS: [CalendarUnit; 6] = [
    CalendarUnit::Hour,
    CalendarUnit::Day,
    CalendarUnit::Week,
    CalendarUnit::Month,
    CalendarUnit::Quarter,
    CalendarUnit::Year,
];

/// A facet with at most `depth` others inside it.
fn random_facet(random: &mut StdRng, depth: usize) -> Facet {
    let attribute = (*ATTRIBUTES.choose(random).unwrap()).to_owned();
    let limit = *[1, 2, 1000].choose(random).unwrap();
    let by = match random.random_range(0..8) {
        0..2 => FacetBy::Values { attribute, limit },
        2 => FacetBy::Latents { limit },
        3 => FacetBy::Histogram {
            attribute,
            buckets: HistogramBuckets::Quantiles(random.random_range(2..8)),
        },
        4 => FacetBy::Histogram {
            attribute: if random.random() { "when" } else { &attribute }.to_owned(),
            buckets: HistogramBuckets::Calendar(*UNITS.choose(random).unwrap()),
        },
        5 | 6 => FacetBy::Histogram {
            attribute,
            buckets: HistogramBuckets::Width(
                *[0.1, 0.5, 1.0, 2.0, 3.0, 0.7, 1e6, 1e16]
                    .choose(random)
                    .unwrap(),
            ),
        },
        _ => FacetBy::Statistics {
            attribute,
            quantiles: vec![0.0, 0.1, 0.5, 0.77, 1.0],
        },
    };
    let nests = depth > 0 && !matches!(by, FacetBy::Statistics { .. }) && random.random();
    let then = nests.then(|| Box::new(random_facet(random, depth - 1)));
    Facet { by, then }
}

/// Asks for random facets over the documents of a filter.
pub fn check_facets(snapshot: &Snapshot, model: &Model, filter: &Filter, random: &mut StdRng) {
    let filter = filter.resolve(&naive::Names).unwrap();
    let members = model.matching(&filter);
    let documents: Vec<&Document> = members.iter().map(|id| &model.documents[id]).collect();
    for _ in 0..4 {
        let facet = random_facet(random, 2);
        let found = facets(snapshot, &filter, std::slice::from_ref(&facet));
        if let Err(error) = &found
            && error.kind() == ErrorKind::ResourceExhausted
        {
            assert!(facet.then.is_some(), "{facet:?}");
            continue;
        }
        match refused(&facet, &documents) {
            Some(true) => assert!(found.is_err(), "{facet:?} {found:?}"),
            Some(false) => check(&found.unwrap()[0], &facet, &documents, &documents),
            None => {}
        }
    }
}

fn attribute(by: &FacetBy) -> Option<&str> {
    match by {
        FacetBy::Latents { .. } => None,
        FacetBy::Values { attribute, .. }
        | FacetBy::Histogram { attribute, .. }
        | FacetBy::Statistics { attribute, .. } => Some(attribute),
    }
}

fn scalars<'a>(document: &'a Document, name: &str) -> &'a [Value] {
    document
        .attributes
        .get(name)
        .map_or(&[][..], Value::scalars)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) | Value::Timestamp(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// Exact between integers.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => {
            a.cmp(b)
        }
        _ => number(a).unwrap().partial_cmp(&number(b).unwrap()).unwrap(),
    }
}

/// The distinct values of each document, ascending.
fn sorted(documents: &[&Document], name: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for document in documents {
        let mut own = scalars(document, name).to_vec();
        own.sort_by(order);
        own.dedup_by(|a, b| order(a, b).is_eq());
        all.extend(own);
    }
    all.sort_by(order);
    all
}

/// Whether a facet must be refused; none where rounding decides.
fn refused(facet: &Facet, whole: &[&Document]) -> Option<bool> {
    let own = match &facet.by {
        FacetBy::Values { .. } | FacetBy::Latents { .. } => false,
        FacetBy::Statistics { attribute, .. } => is_no_number(whole, attribute),
        FacetBy::Histogram { attribute, buckets } => {
            is_no_number(whole, attribute) || {
                let values = sorted(whole, attribute);
                match (buckets, &values[..]) {
                    (_, []) | (HistogramBuckets::Quantiles(_), _) => false,
                    (HistogramBuckets::Calendar(unit), [first, .., last]) => {
                        let Value::Timestamp(_) = first else {
                            return Some(true);
                        };
                        let years = (number(last)? - number(first)?) / 3.155_692_6e13;
                        let per_year = [8766.0, 365.25, 52.18, 12.0, 4.0, 1.0];
                        let at = UNITS.iter().position(|other| other == unit)?;
                        years * per_year[at] > 9_990.0
                    }
                    (HistogramBuckets::Calendar(_), [one]) => !matches!(one, Value::Timestamp(_)),
                    (HistogramBuckets::Width(width), all) => {
                        let (first, last) = (&all[0], all.last()?);
                        let is_time = matches!(first, Value::Timestamp(_));
                        let unit = if is_time { 1e6 } else { 1.0 };
                        if is_time && *width > 1e10 {
                            return Some(true);
                        }
                        let (low, high) = (number(first)? / unit, number(last)? / unit);
                        // Where places are no longer told apart, or widths, anything goes but a
                        // wrong answer.
                        if low.abs().max(high.abs()) / width > 1e12 {
                            return None;
                        }
                        (high / width).floor() - (low / width).floor() > 9_999.0
                    }
                }
            }
        }
    };
    match (own, &facet.then) {
        (true, _) => Some(true),
        (false, Some(then)) => refused(then, whole),
        (false, None) => Some(false),
    }
}

fn is_no_number(documents: &[&Document], name: &str) -> bool {
    let mut kinds = BTreeSet::new();
    for value in documents
        .iter()
        .flat_map(|document| scalars(document, name))
    {
        kinds.insert(match value {
            Value::Integer(_) | Value::Float(_) => "number",
            other => other.kind(),
        });
    }
    kinds.len() > 1
        || kinds
            .iter()
            .any(|kind| !["number", "timestamp"].contains(kind))
}

/// Holds counts against the documents they are of; `whole` is the set of the outermost facet.
fn check(found: &FacetCounts, facet: &Facet, documents: &[&Document], whole: &[&Document]) {
    assert_eq!(found.documents, documents.len() as u64);
    let lacks = |document: &&&Document| match attribute(&facet.by) {
        Some(name) => scalars(document, name).is_empty(),
        None => document.latents().is_empty(),
    };
    let missing = documents.iter().filter(lacks).count();
    assert_eq!(found.missing, missing as u64, "{facet:?}");
    let inside: Vec<Vec<&Document>> = match &facet.by {
        FacetBy::Statistics {
            attribute,
            quantiles,
        } => {
            check_statistics(
                found.statistics.as_ref(),
                &sorted(documents, attribute),
                quantiles,
            );
            Vec::new()
        }
        FacetBy::Values { attribute, limit } => {
            let names = |document: &Document| {
                let values = scalars(document, attribute);
                values.iter().map(value_name).collect()
            };
            let of = |entry: &FacetEntry| match &entry.key {
                FacetKey::Value(value) => value_name(value),
                other => panic!("{other:?}"),
            };
            frequent(found, documents, *limit, names, of)
        }
        FacetBy::Latents { limit } => {
            let latents = |document: &Document| {
                let active = document.latents().iter();
                active.map(|entry| entry.latent).collect()
            };
            let of = |entry: &FacetEntry| match entry.key {
                FacetKey::Latent { latent, .. } => latent,
                _ => panic!("{entry:?}"),
            };
            let inside = frequent(found, documents, *limit, latents, of);
            for (entry, documents) in found.entries.iter().zip(&inside) {
                check_mean(entry, documents);
            }
            inside
        }
        FacetBy::Histogram { attribute, buckets } => {
            check_bounds(found, *buckets, &sorted(whole, attribute));
            let places = 0..found.entries.len();
            places
                .map(|place| {
                    let is_in = |document: &&Document| {
                        let values = scalars(document, attribute);
                        values
                            .iter()
                            .any(|value| is_inside(found, place, *buckets, value))
                    };
                    documents.iter().copied().filter(is_in).collect()
                })
                .collect()
        }
    };
    assert_eq!(found.entries.len(), inside.len());
    for (entry, inside) in found.entries.iter().zip(&inside) {
        assert_eq!(entry.documents, inside.len() as u64, "{facet:?} {entry:?}");
        assert_eq!(entry.then.is_some(), facet.then.is_some());
        if let (Some(counts), Some(then)) = (&entry.then, &facet.then) {
            check(counts, then, inside, whole);
        }
    }
}

/// The listed entries are the most frequent; their documents.
fn frequent<'a, K: Ord + Clone>(
    found: &FacetCounts,
    documents: &[&'a Document],
    limit: usize,
    keys: impl Fn(&Document) -> BTreeSet<K>,
    of: impl Fn(&FacetEntry) -> K,
) -> Vec<Vec<&'a Document>> {
    let mut holders: BTreeMap<K, Vec<&Document>> = BTreeMap::new();
    for document in documents {
        for key in keys(document) {
            holders.entry(key).or_default().push(document);
        }
    }
    assert_eq!(found.distinct, holders.len() as u64);
    let mut counts: Vec<u64> = holders.values().map(|held| held.len() as u64).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.truncate(limit);
    let listed: Vec<u64> = found.entries.iter().map(|entry| entry.documents).collect();
    assert_eq!(listed, counts);
    let keys: Vec<K> = found.entries.iter().map(of).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    keys.iter().map(|key| holders[key].clone()).collect()
}

fn check_mean(entry: &FacetEntry, documents: &[&Document]) {
    let FacetKey::Latent {
        latent,
        mean_activation,
    } = entry.key
    else {
        panic!("{entry:?}");
    };
    let sum: f64 = documents
        .iter()
        .flat_map(|document| document.latents())
        .filter(|entry| entry.latent == latent)
        .map(|entry| f64::from(entry.activation))
        .sum();
    let mean = sum / documents.len() as f64;
    assert!((f64::from(mean_activation) - mean).abs() <= 1e-6 * mean);
}

fn bounds(entry: &FacetEntry) -> (&Value, &Value) {
    match &entry.key {
        FacetKey::Bucket { lower, upper } => (lower, upper),
        other => panic!("{other:?}"),
    }
}

fn is_inside(found: &FacetCounts, place: usize, buckets: HistogramBuckets, value: &Value) -> bool {
    let (lower, upper) = bounds(&found.entries[place]);
    let is_closed =
        matches!(buckets, HistogramBuckets::Quantiles(_)) && place + 1 == found.entries.len();
    order(lower, value).is_le()
        && (order(value, upper).is_lt() || is_closed && order(value, upper).is_eq())
}

fn check_bounds(found: &FacetCounts, buckets: HistogramBuckets, values: &[Value]) {
    assert_eq!(found.distinct, found.entries.len() as u64);
    let entries = &found.entries;
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        assert!(entries.is_empty());
        return;
    };
    for pair in entries.windows(2) {
        assert!(
            order(bounds(&pair[0]).1, bounds(&pair[1]).0).is_eq(),
            "{pair:?}"
        );
    }
    assert!(is_inside(found, 0, buckets, first), "{entries:?} {first:?}");
    assert!(
        is_inside(found, entries.len() - 1, buckets, last),
        "{entries:?} {last:?}"
    );
    match buckets {
        HistogramBuckets::Quantiles(count) => {
            let mut starts: Vec<&Value> = (0..count)
                .map(|at| &values[at * values.len() / count])
                .collect();
            starts.dedup_by(|a, b| order(a, b).is_eq());
            assert_eq!(starts.len(), entries.len());
            for (start, entry) in starts.into_iter().zip(entries) {
                assert!(order(start, bounds(entry).0).is_eq());
            }
        }
        HistogramBuckets::Width(width) => {
            for entry in entries {
                let (lower, upper) = bounds(entry);
                let unit = if matches!(lower, Value::Timestamp(_)) {
                    1e6
                } else {
                    1.0
                };
                let [lower, upper] = [lower, upper].map(|bound| number(bound).unwrap() / unit);
                let places = lower / width;
                let slack = 1e-9 * places.abs().max(1.0);
                assert!(
                    (places - places.round()).abs() <= slack,
                    "{lower} of {width}"
                );
                assert!(
                    ((upper - lower) / width - 1.0).abs() <= slack,
                    "{lower} {upper}"
                );
            }
        }
        HistogramBuckets::Calendar(unit) => entries.iter().for_each(|entry| {
            let (Value::Timestamp(lower), Value::Timestamp(upper)) = bounds(entry) else {
                panic!("{entry:?}");
            };
            check_unit(unit, *lower, *upper);
        }),
    }
}

fn check_unit(unit: CalendarUnit, lower: i64, upper: i64) {
    let at = |micros: i64| OffsetDateTime::from_unix_timestamp(micros / 1_000_000).unwrap();
    let (lower, upper) = (at(lower), at(upper));
    let days = (upper - lower).whole_days();
    if unit != CalendarUnit::Hour {
        assert_eq!([lower.time(), upper.time()], [Time::MIDNIGHT; 2]);
    }
    match unit {
        CalendarUnit::Hour => assert_eq!((upper - lower).whole_hours(), 1),
        CalendarUnit::Day => assert_eq!(days, 1),
        CalendarUnit::Week => {
            assert_eq!((days, lower.weekday().number_days_from_monday()), (7, 0));
        }
        CalendarUnit::Month => {
            assert_eq!([lower.day(), upper.day()], [1, 1]);
            assert!((28..=31).contains(&days));
        }
        CalendarUnit::Quarter => {
            assert_eq!(
                ([lower.day(), upper.day()], u8::from(lower.month()) % 3),
                ([1, 1], 1)
            );
            assert!((90..=92).contains(&days));
        }
        CalendarUnit::Year => {
            assert_eq!([lower.ordinal(), upper.ordinal()], [1, 1]);
            assert!((365..=366).contains(&days));
        }
    }
}

fn check_statistics(found: Option<&AttributeStatistics>, values: &[Value], points: &[f64]) {
    let Some(found) = found else {
        assert!(values.is_empty());
        return;
    };
    assert_eq!(found.values, values.len() as u64);
    assert!(order(&found.min, &values[0]).is_eq());
    assert!(order(&found.max, values.last().unwrap()).is_eq());
    let numbers: Vec<f64> = values.iter().map(|value| number(value).unwrap()).collect();
    let largest = numbers
        .iter()
        .fold(1.0_f64, |most, number| most.max(number.abs()));
    // Times are whole microseconds.
    let whole = matches!(values[0], Value::Timestamp(_)).then_some(0.5);
    let close = |found: f64, expected: f64| {
        let off = (found - expected).abs();
        let most = 1e-9 * largest + whole.unwrap_or(0.0);
        assert!(off <= most, "{found}, not {expected}: {values:?}");
    };
    let n = numbers.len() as f64;
    // Divided before they are added, since two numbers of 1e300 are all that a square holds.
    let mean = numbers.iter().map(|number| number / n).sum::<f64>();
    close(number(&found.mean).unwrap(), mean);
    assert_eq!(
        found.sum.is_none(),
        matches!(values[0], Value::Timestamp(_))
    );
    if let Some(sum) = &found.sum {
        close(number(sum).unwrap() / n, mean);
        if let Value::Integer(sum) = sum {
            let exact = |value: &Value| match value {
                Value::Integer(number) => i128::from(*number),
                other => number(other).unwrap() as i128,
            };
            assert_eq!(i128::from(*sum), values.iter().map(exact).sum());
        }
    }
    let unit = if matches!(values[0], Value::Timestamp(_)) {
        1e6
    } else {
        1.0
    };
    let squares = numbers
        .iter()
        .map(|number| ((number - mean) / largest).powi(2));
    let deviation = (values.len() > 1).then(|| (squares.sum::<f64>() / (n - 1.0)).sqrt() * largest);
    assert_eq!(found.standard_deviation.is_some(), deviation.is_some());
    if let (Some(found), Some(deviation)) = (found.standard_deviation, deviation) {
        close(found * unit, deviation);
    }
    assert_eq!(found.quantiles.len(), points.len());
    for ((at, value), point) in found.quantiles.iter().zip(points) {
        assert_eq!(at, point);
        let place = point * (n - 1.0);
        let (low, high) = (
            numbers[place.floor() as usize],
            numbers[place.ceil() as usize],
        );
        close(
            number(value).unwrap(),
            low * (1.0 - place.fract()) + high * place.fract(),
        );
    }
    // The ends keep all digits.
    assert!(order(&found.quantiles[0].1, &values[0]).is_eq());
}
