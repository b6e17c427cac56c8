//! Diffs: counts, means, groups, pairs, selection, examples.

use std::collections::{BTreeMap, BTreeSet};

use latentdb_index::analysis::statistics::{
    Sample, Test, independence, mcnemar, newcombe, newcombe_paired, normal_quantile, welch,
};
use latentdb_index::analysis::{
    Counterparts, Diff, DiffOptions, Direction, Measure, Members, Selection, Side, Units, compare,
    compare_paired, measure, select,
};
use latentdb_index::{Document, ErrorKind, Filter, Progress, ResolvedFilter, Value};

use crate::corpus::{Corpus, N_LATENTS, active, close, filter, having};

const LATENTS: Units = Units::Latents(N_LATENTS);

fn side<'a>(corpus: &'a Corpus, filter: &'a ResolvedFilter) -> Side<'a> {
    Side {
        snapshot: &corpus.snapshot,
        filter,
    }
}

fn members<'a>(corpus: &'a Corpus, filter: &'a ResolvedFilter) -> Members<'a> {
    Members::of(side(corpus, filter)).unwrap()
}

fn diff(
    corpus: &Corpus,
    a: &ResolvedFilter,
    b: &ResolvedFilter,
    units: Units,
    options: &DiffOptions,
) -> Diff {
    let progress = Progress::default();
    let of_a = measure(&members(corpus, a), units, options, &progress).unwrap();
    let of_b = measure(&members(corpus, b), units, options, &progress).unwrap();
    compare(&of_a, &of_b, options).unwrap()
}

/// Adjusted p-values by their definition.
fn adjusted(p: f64, all: &[f64]) -> f64 {
    let m = all.len() as f64;
    let rank = |q: f64| all.iter().filter(|other| **other <= q).count() as f64;
    let larger = all.iter().filter(|q| **q >= p);
    larger.map(|&q| q * m / rank(q)).fold(1.0, f64::min)
}

fn check_adjusted(diff: &Diff) {
    let tested = diff.rows.iter().filter(|row| row.test != Test::Untested);
    let p_values: Vec<f64> = tested.map(|row| row.p_value).collect();
    assert_eq!(diff.tested, p_values.len() as u64);
    for row in &diff.rows {
        if row.test == Test::Untested {
            assert_eq!((row.p_value, row.p_adjusted), (1.0, 1.0));
        } else {
            close(row.p_adjusted, adjusted(row.p_value, &p_values));
        }
    }
}

#[test]
fn counts_and_tests_are_a_recount() {
    for (count, seed) in [(60, 1), (900, 2), (4000, 3)] {
        let corpus = Corpus::random(count, seed);
        for (a, b) in [
            ("source = \"news\"", "source = \"tweets\""),
            ("year < 2002", "not latent(5)"),
            ("id = \"d1\"", "side = true"),
        ] {
            for (above, min_support) in [(0.0, 1), (0.7, 1), (0.0, 40)] {
                let (a, b) = (filter(a), filter(b));
                let options = DiffOptions {
                    active_above: above,
                    min_support,
                    confidence: 0.9,
                    ..DiffOptions::default()
                };
                let diff = diff(&corpus, &a, &b, LATENTS, &options);
                let (a, b) = (corpus.matching(&a), corpus.matching(&b));
                let n = (a.len() as u64, b.len() as u64);
                assert_eq!((diff.a_documents, diff.b_documents), n);
                assert_eq!(diff.rows.len(), N_LATENTS);
                for (latent, row) in (0..).zip(&diff.rows) {
                    let counts = (having(&a, latent, above), having(&b, latent, above));
                    assert_eq!(
                        (row.unit, row.a_count, row.b_count),
                        (latent, counts.0, counts.1)
                    );
                    let share = (counts.0 as f64 / n.0 as f64, counts.1 as f64 / n.1 as f64);
                    close(row.delta, share.0 - share.1);
                    let z = normal_quantile(0.9);
                    assert_eq!(row.interval, newcombe((counts.0, n.0), (counts.1, n.1), z));
                    assert!(row.interval.0 <= row.delta && row.delta <= row.interval.1);
                    let together = counts.0 + counts.1;
                    if together >= min_support {
                        let expected = independence(counts.0, n.0, together, n.0 + n.1);
                        assert_eq!((row.p_value, row.test), expected);
                    } else {
                        assert_eq!(row.test, Test::Untested);
                    }
                }
                check_adjusted(&diff);
            }
        }
    }
}

#[test]
fn everything_is_counted_from_the_lists() {
    let made: Vec<Document> = Corpus::random(700, 4).documents.into_values().collect();
    let corpus = Corpus::of(made);
    let options = DiffOptions::default();
    let all = corpus.matching(&Filter::All);
    let all_members = members(&corpus, &Filter::All);
    let measured = measure(&all_members, LATENTS, &options, &Progress::default()).unwrap();
    for (latent, &count) in (0..).zip(measured.counts()) {
        assert_eq!(u64::from(count), having(&all, latent, 0.0));
    }
}

#[test]
fn means_are_over_all_documents() {
    let corpus = Corpus::random(2500, 5);
    let (a, b) = (filter("source = \"news\""), filter("source != \"news\""));
    let options = DiffOptions {
        measure: Measure::MeanActivation,
        active_above: 0.4,
        ..DiffOptions::default()
    };
    let diff = diff(&corpus, &a, &b, LATENTS, &options);
    let sample = |filter: &ResolvedFilter, latent: u32| {
        let documents = corpus.matching(filter);
        let values: Vec<f64> = documents
            .iter()
            .map(|document| {
                let entry = document
                    .latents()
                    .iter()
                    .find(|entry| entry.latent == latent);
                let activation = entry.map_or(0.0, |entry| entry.activation);
                f64::from(if activation > 0.4 { activation } else { 0.0 })
            })
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Sample {
            n: values.len() as u64,
            mean,
            variance: squares / (values.len() as f64 - 1.0),
        }
    };
    for row in &diff.rows {
        let (of_a, of_b) = (sample(&a, row.unit), sample(&b, row.unit));
        close(row.a, of_a.mean);
        close(row.delta, of_a.mean - of_b.mean);
        assert_eq!(row.a_count, having(&corpus.matching(&a), row.unit, 0.4));
        let (p, interval, test) = welch(of_a, of_b, 0.95);
        if test == Test::Welch {
            close(row.p_value, p);
            close(row.interval.0, interval.0);
            close(row.interval.1, interval.1);
        }
    }
    check_adjusted(&diff);
}

#[test]
fn a_group_is_the_union_of_its_latents() {
    let corpus = Corpus::random(1500, 6);
    let groups = [vec![0, 1, 1], vec![5, 17, 28], vec![29], vec![1, 5]];
    let (a, b) = (filter("side = true"), filter("side = false"));
    for above in [0.0, 0.9] {
        let options = DiffOptions {
            active_above: above,
            ..DiffOptions::default()
        };
        let diff = diff(&corpus, &a, &b, Units::Groups(&groups), &options);
        assert_eq!(diff.rows.len(), groups.len());
        for (row, group) in diff.rows.iter().zip(&groups) {
            let count = |filter: &ResolvedFilter| {
                let documents = corpus.matching(filter);
                let has = |document: &&&Document| {
                    let active = active(document, above);
                    group.iter().any(|latent| active.contains(latent))
                };
                documents.iter().filter(has).count() as u64
            };
            assert_eq!((row.a_count, row.b_count), (count(&a), count(&b)));
        }
    }
    let options = DiffOptions {
        measure: Measure::MeanActivation,
        ..DiffOptions::default()
    };
    let progress = Progress::default();
    let refused = measure(
        &members(&corpus, &a),
        Units::Groups(&groups),
        &options,
        &progress,
    );
    assert_eq!(refused.err().unwrap().field(), Some("measure"));
}

/// The latents of each row of a side.
fn rows_of(corpus: &Corpus, side: &ResolvedFilter, above: f32) -> BTreeMap<i64, BTreeSet<u32>> {
    let mut rows: BTreeMap<i64, BTreeSet<u32>> = BTreeMap::new();
    for document in corpus.matching(side) {
        if let Value::Integer(row) = document.attributes["row"] {
            rows.entry(row).or_default().extend(active(document, above));
        }
    }
    rows
}

#[test]
fn pairs_are_joined_by_value() {
    let corpus = Corpus::random(1200, 7);
    for (a, b, above) in [
        ("side = true", "side = false", 0.0),
        ("side = true", "side = false", 0.8),
        // Several documents of a side share a row.
        ("latent(0)", "year > 2001", 0.0),
    ] {
        let (a, b) = (filter(a), filter(b));
        let options = DiffOptions {
            active_above: above,
            min_support: 3,
            ..DiffOptions::default()
        };
        let progress = Progress::default();
        let (of_a, of_b) = (members(&corpus, &a), members(&corpus, &b));
        let diff = compare_paired(&of_a, &of_b, "row", LATENTS, &options, &progress).unwrap();
        let (a, b) = (rows_of(&corpus, &a, above), rows_of(&corpus, &b, above));
        let shared: Vec<i64> = a
            .keys()
            .filter(|row| b.contains_key(*row))
            .copied()
            .collect();
        let n = shared.len() as u64;
        assert_eq!((diff.a_documents, diff.b_documents), (n, n));
        assert_eq!(
            diff.unpaired,
            Some((a.len() as u64 - n, b.len() as u64 - n))
        );
        for row in &diff.rows {
            let count = |in_a: bool, in_b: bool| {
                let is = |key: &&i64| {
                    a[*key].contains(&row.unit) == in_a && b[*key].contains(&row.unit) == in_b
                };
                shared.iter().filter(is).count() as u64
            };
            let (both, only_a, only_b) =
                (count(true, true), count(true, false), count(false, true));
            assert_eq!(row.discordant, Some((only_a, only_b)));
            assert_eq!((row.a_count, row.b_count), (both + only_a, both + only_b));
            close(row.delta, (only_a as f64 - only_b as f64) / n as f64);
            let z = normal_quantile(0.95);
            assert_eq!(row.interval, newcombe_paired(both, only_a, only_b, n, z));
            if row.a_count + row.b_count >= 3 {
                assert_eq!((row.p_value, row.test), mcnemar(only_a, only_b));
            }
        }
        check_adjusted(&diff);
    }
}

#[test]
fn sets_of_two_collections_are_compared() {
    let (one, other) = (Corpus::random(300, 8), Corpus::random(800, 9));
    let options = DiffOptions::default();
    let progress = Progress::default();
    let of_a = measure(&members(&one, &Filter::All), LATENTS, &options, &progress).unwrap();
    let of_b = measure(&members(&other, &Filter::All), LATENTS, &options, &progress).unwrap();
    let diff = compare(&of_a, &of_b, &options).unwrap();
    for row in diff.rows {
        assert_eq!(
            row.a_count,
            having(&one.matching(&Filter::All), row.unit, 0.0)
        );
        assert_eq!(
            row.b_count,
            having(&other.matching(&Filter::All), row.unit, 0.0)
        );
    }
}

#[test]
fn a_selection_keeps_the_largest() {
    let corpus = Corpus::random(900, 10);
    let (a, b) = (filter("latent(3)"), filter("not latent(3)"));
    let diff = diff(&corpus, &a, &b, LATENTS, &DiffOptions::default());
    assert_eq!(select(&diff, &Selection::default()).len(), N_LATENTS);
    let kept = select(
        &diff,
        &Selection {
            min_delta: 0.03,
            limit: 5,
            ..Selection::default()
        },
    );
    // Latent 17 was planted together with latent 3.
    assert_eq!((kept[0].unit, kept[1].unit), (3, 17));
    assert!(
        kept.windows(2)
            .all(|two| two[0].delta.abs() >= two[1].delta.abs())
    );
    assert!(kept.iter().all(|row| row.delta.abs() > 0.03) && kept.len() <= 5);
    for (direction, sign) in [(Direction::MoreInA, 1.0), (Direction::MoreInB, -1.0)] {
        let selection = Selection {
            direction,
            max_p_adjusted: 0.9,
            ..Selection::default()
        };
        for row in select(&diff, &selection) {
            assert!(row.delta * sign > 0.0 && row.p_adjusted <= 0.9);
        }
    }
    let missing = Selection {
        max_b_share: Some(0.0),
        ..Selection::default()
    };
    let expected = diff
        .rows
        .iter()
        .filter(|row| row.a_count > 0 && row.b_count == 0);
    assert_eq!(select(&diff, &missing).len(), expected.count());
}

#[test]
fn what_two_sets_share_is_counted() {
    let corpus = Corpus::random(500, 13);
    for (a, b) in [
        ("source = \"films\"", "latent(2)"),
        ("year < 2002", "year >= 2002"),
    ] {
        let (a, b) = (filter(a), filter(b));
        let shared = members(&corpus, &a).shared_with(&members(&corpus, &b));
        let both = Filter::And(vec![a, b]);
        assert_eq!(shared, corpus.matching(&both).len() as u64);
    }
}

#[test]
fn examples_are_the_strongest_of_the_set() {
    let corpus = Corpus::random(700, 11);
    let a = filter("source = \"films\"");
    let members = members(&corpus, &a);
    for latents in [vec![2], vec![25], vec![1, 4, 9]] {
        let mut expected: Vec<f32> = corpus
            .matching(&a)
            .iter()
            .filter_map(|document| {
                let entries = document.latents().iter();
                let of = entries.filter(|entry| latents.contains(&entry.latent));
                of.map(|entry| entry.activation).reduce(f32::max)
            })
            .collect();
        expected.sort_by(|left, right| right.total_cmp(left));
        expected.truncate(6);
        let found: Vec<f32> = members
            .strongest(&latents, 6)
            .iter()
            .map(|hit| hit.1)
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn examples_of_pairs_are_those_that_differ() {
    let corpus = Corpus::random(700, 13);
    let (a, b) = (filter("side = true"), filter("side = false"));
    let side = Side {
        snapshot: &corpus.snapshot,
        filter: &a,
    };
    let pairs = Counterparts::new(side, &corpus.snapshot, &b, "row").unwrap();
    let row = |document: &Document| match document.attributes["row"] {
        Value::Integer(row) => row,
        _ => panic!("rows are numbers"),
    };
    let others = corpus.matching(&b).into_iter();
    let others: BTreeMap<i64, &Document> = others.map(|other| (row(other), other)).collect();
    for (latents, above) in [(vec![2], 0.0), (vec![1, 4], 0.5)] {
        let has = |document: &Document| {
            let active = active(document, above);
            latents.iter().any(|latent| active.contains(latent))
        };
        let mut expected = Vec::new();
        for document in corpus.matching(&a) {
            let other = others.get(&row(document));
            if let Some(other) = other.filter(|other| has(document) && !has(other)) {
                expected.push((document.id.clone(), other.id.clone()));
            }
        }
        let keep =
            |doc, activation| activation > above && pairs.without(doc, &latents, above).is_some();
        let found = members(&corpus, &a).strongest_where(&latents, 1000, keep);
        assert!(found.windows(2).all(|two| two[0].1 >= two[1].1));
        let id = |doc| corpus.snapshot.id(doc).unwrap();
        let mut found: Vec<(String, String)> = found
            .iter()
            .map(|&(doc, _)| (id(doc), id(pairs.without(doc, &latents, above).unwrap())))
            .collect();
        found.sort();
        expected.sort();
        assert!(!expected.is_empty());
        assert_eq!(found, expected);
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let corpus = Corpus::random(60, 12);
    let none = filter("source = \"nobody\"");
    let options = DiffOptions::default();
    let progress = Progress::default();
    let all = measure(
        &members(&corpus, &Filter::All),
        LATENTS,
        &options,
        &progress,
    )
    .unwrap();
    let empty = measure(&members(&corpus, &none), LATENTS, &options, &progress).unwrap();
    let error = compare(&all, &empty, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    for (field, options) in [
        (
            "active_above",
            DiffOptions {
                active_above: -0.1,
                ..options
            },
        ),
        (
            "confidence",
            DiffOptions {
                confidence: 1.0,
                ..options
            },
        ),
    ] {
        let members = members(&corpus, &Filter::All);
        let error = measure(&members, LATENTS, &options, &progress)
            .err()
            .unwrap();
        assert_eq!(error.field(), Some(field));
    }
    let (a, b) = (members(&corpus, &Filter::All), members(&corpus, &none));
    let error = compare_paired(&a, &b, "row", LATENTS, &options, &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    progress.stop();
    let some = filter("year > 2000");
    let error = measure(&members(&corpus, &some), LATENTS, &options, &progress)
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
