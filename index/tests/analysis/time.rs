//! Trends over buckets of an attribute and over sets.

use latentdb_index::analysis::{
    Buckets, CalendarUnit, Direction, Monotone, Side, TrendOptions, Trends, Units, trends,
    trends_over_sets,
};
use latentdb_index::{Activation, Document, ErrorKind, Filter, Progress, ResolvedFilter, Value};

use crate::corpus::{Corpus, DAY, N_LATENTS, START, active, close, filter, having};

const LATENTS: Units = Units::Latents(N_LATENTS);

fn followed(
    corpus: &Corpus,
    filter: &ResolvedFilter,
    attribute: &str,
    buckets: Buckets,
    options: &TrendOptions,
) -> Trends {
    let side = Side {
        snapshot: &corpus.snapshot,
        filter,
    };
    trends(
        side,
        attribute,
        buckets,
        LATENTS,
        options,
        &Progress::default(),
    )
    .unwrap()
}

/// The Cochran-Armitage statistic is the correlation of place and activity times √N; the slope is
/// that of the regression over documents.
fn check_line(trends: &Trends) {
    for row in &trends.rows {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (place, (bucket, &count)) in trends.buckets.iter().zip(&row.counts).enumerate() {
            for at in 0..bucket.documents {
                points.push((place as f64, f64::from(u8::from(at < u64::from(count)))));
            }
        }
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points
                .iter()
                .map(|point| of(point.0 - x, point.1 - y))
                .sum()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        close(row.slope, xy / xx);
        close(row.change, row.slope * (trends.buckets.len() - 1) as f64);
        if row.support > 0 && yy > 0.0 {
            close(row.z, xy / (xx * yy).sqrt() * n.sqrt());
        }
    }
}

#[test]
fn counts_per_bucket_are_a_recount() {
    let corpus = Corpus::random(2000, 1);
    let filter = filter("source != \"films\"");
    let documents = corpus.matching(&filter);
    for above in [0.0, 0.8] {
        let options = TrendOptions {
            active_above: above,
            ..TrendOptions::default()
        };
        for (buckets, width) in [
            (Buckets::Calendar(CalendarUnit::Day), DAY),
            (Buckets::Calendar(CalendarUnit::Week), 7 * DAY),
        ] {
            // 2025-01-01 was a Wednesday.
            let start = if width == DAY { START } else { START - 2 * DAY };
            let found = followed(&corpus, &filter, "day", buckets, &options);
            for (place, bucket) in (0..).zip(&found.buckets) {
                let from = start + place * width;
                assert_eq!(bucket.start, Some(Value::Timestamp(from)));
                let inside: Vec<&Document> = documents
                    .iter()
                    .filter(|document| match document.attributes["day"] {
                        Value::Timestamp(at) => (from..from + width).contains(&at),
                        _ => false,
                    })
                    .copied()
                    .collect();
                assert_eq!(bucket.documents, inside.len() as u64);
                for row in &found.rows {
                    let count = u64::from(row.counts[place as usize]);
                    assert_eq!(count, having(&inside, row.unit, above));
                }
            }
            assert_eq!(found.rows.len(), N_LATENTS);
            check_line(&found);
        }
    }
    let years = followed(
        &corpus,
        &filter,
        "year",
        Buckets::Values,
        &TrendOptions::default(),
    );
    let names: Vec<&str> = years.buckets.iter().map(|bucket| &*bucket.name).collect();
    assert_eq!(names, ["2000", "2001", "2002", "2003", "2004", "2005"]);
    check_line(&years);
    // A document with two tags counts in both.
    let tags = followed(
        &corpus,
        &filter,
        "tags",
        Buckets::Values,
        &TrendOptions::default(),
    );
    let in_buckets: u64 = tags.buckets.iter().map(|bucket| bucket.documents).sum();
    assert!(in_buckets > documents.len() as u64);
}

/// 40 documents a year for 10 years; latent 0 rises, 1 falls, 2 jumps in the seventh year, 3 turns.
fn planted() -> Corpus {
    let mut made = Vec::new();
    for year in 0..10_i64 {
        for at in 0..40_i64 {
            let mut document = Document::new(format!("{year}-{at}"));
            let active = [
                at < 2 + 3 * year,
                at < 38 - 3 * year,
                at < if year < 6 { 5 } else { 30 },
                at < 10 + 5 * (year % 2),
                false,
            ];
            document.codes_mut(0).latents = (0..)
                .zip(active)
                .filter(|(_, active)| *active)
                .map(|(latent, _)| Activation {
                    latent,
                    activation: 1.0,
                })
                .collect();
            let year = Value::Integer(2010 + year);
            document.attributes.insert("year".to_owned(), year);
            made.push(document);
        }
    }
    Corpus::of(made)
}

#[test]
fn rises_falls_and_breaks_are_found() {
    let corpus = planted();
    let all = Filter::All;
    let options = TrendOptions::default();
    // Latent 4 is nowhere, so it is listed among all only.
    let everything = TrendOptions {
        all: true,
        ..options.clone()
    };
    let found = followed(&corpus, &all, "year", Buckets::Values, &everything);
    let row = |unit: u32| found.rows.iter().find(|row| row.unit == unit).unwrap();
    assert_eq!(found.tested, 4);
    assert_eq!(row(0).monotone, Monotone::Rising);
    assert_eq!(row(1).monotone, Monotone::Falling);
    assert_eq!(row(2).monotone, Monotone::Rising);
    assert_eq!(row(3).monotone, Monotone::No);
    assert_eq!(row(4).monotone, Monotone::No);
    close(row(0).slope, 3.0 / 40.0);
    close(row(1).change, -27.0 / 40.0);
    let point = row(2).change_point.unwrap();
    assert_eq!(point.bucket, 6);
    close(point.before, 5.0 / 40.0);
    close(point.after, 30.0 / 40.0);
    // Twice the log-likelihood ratio: 30 of 240 and 120 of 160, against 150 of 400.
    let log = |x: f64, n: f64| x * (x / n).ln() + (n - x) * ((n - x) / n).ln();
    let statistic = 2.0 * (log(30.0, 240.0) + log(120.0, 160.0) - log(150.0, 400.0));
    close(point.statistic, statistic);
    assert!(point.p_value < 1e-30 && row(0).p_adjusted < 1e-10);
    assert_eq!((row(4).change_point, row(4).p_value), (None, 1.0));
    // Adjusted over the four that were tested, the fifth not being one.
    let points = (0..4).filter_map(|unit| row(unit).change_point);
    let mut points: Vec<(f64, f64)> = points.map(|p| (p.p_value, p.p_adjusted)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut least = 1.0_f64;
    for (rank, (p_value, p_adjusted)) in (1_u8..=4).zip(&points).rev() {
        least = least.min(p_value * 4.0 / f64::from(rank));
        close(*p_adjusted, least);
    }
    assert!(points[0].1 > points[0].0);

    for (options, expected) in [
        (
            TrendOptions {
                direction: Direction::MoreInB,
                max_p_adjusted: 0.01,
                ..options.clone()
            },
            vec![1],
        ),
        (
            TrendOptions {
                only_monotone: true,
                min_change: 0.1,
                ..options.clone()
            },
            vec![2, 0, 1],
        ),
        (
            TrendOptions {
                limit: 1,
                ..options.clone()
            },
            vec![2],
        ),
    ] {
        let found = followed(&corpus, &all, "year", Buckets::Values, &options);
        let units: Vec<u32> = found.rows.iter().map(|row| row.unit).collect();
        assert_eq!(units.len(), expected.len());
        assert_eq!(units[0], expected[0]);
    }
}

#[test]
fn sets_are_an_order_too() {
    let corpus = Corpus::random(800, 3);
    let sets: Vec<(String, ResolvedFilter)> = ["year < 2002", "latent(3)", "source = \"news\""]
        .iter()
        .map(|text| ((*text).to_owned(), filter(text)))
        .collect();
    let options = TrendOptions::default();
    let progress = Progress::default();
    let groups = [vec![3, 4], vec![17]];
    let units = Units::Groups(&groups);
    let found = trends_over_sets(&corpus.snapshot, &sets, units, &options, &progress).unwrap();
    assert_eq!(found.rows.len(), 2);
    for (place, (name, filter)) in sets.iter().enumerate() {
        let documents = corpus.matching(filter);
        assert_eq!(found.buckets[place].name, *name);
        assert_eq!(found.buckets[place].documents, documents.len() as u64);
        for row in &found.rows {
            let group = &groups[row.unit as usize];
            let has = |document: &&&Document| {
                let active = active(document, 0.0);
                group.iter().any(|latent| active.contains(latent))
            };
            let count = documents.iter().filter(has).count() as u32;
            assert_eq!(row.counts[place], count);
        }
    }
    check_line(&found);
    let one = &sets[..1];
    let error = trends_over_sets(&corpus.snapshot, one, LATENTS, &options, &progress).unwrap_err();
    assert_eq!(error.field(), Some("sets"));
}

#[test]
fn what_has_no_order_is_refused() {
    let corpus = Corpus::random(100, 4);
    let options = TrendOptions::default();
    for (attribute, buckets, kind) in [
        ("none", Buckets::Values, ErrorKind::FailedPrecondition),
        (
            "source",
            Buckets::Calendar(CalendarUnit::Month),
            ErrorKind::InvalidArgument,
        ),
        ("source", Buckets::Bins(4), ErrorKind::InvalidArgument),
        ("year", Buckets::Bins(5000), ErrorKind::InvalidArgument),
    ] {
        let side = Side {
            snapshot: &corpus.snapshot,
            filter: &Filter::All,
        };
        let progress = Progress::default();
        let error = trends(side, attribute, buckets, LATENTS, &options, &progress).unwrap_err();
        assert_eq!(error.kind(), kind, "{attribute}");
    }
}
