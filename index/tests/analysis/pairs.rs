//! Correlations: latents with latents, with values, over a join; the injection test.

use std::collections::{BTreeMap, BTreeSet};

use latentdb_index::analysis::mantel_haenszel::{self, Margins};
use latentdb_index::analysis::statistics::independence;
use latentdb_index::analysis::{
    CorrelateOptions, Correlations, Pair, Scope, Side, correlate, correlate_attribute,
    correlate_joined,
};
use latentdb_index::{
    Activation, Document, ErrorKind, Filter, LatentPosition, Progress, ResolvedFilter, Value,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::corpus::{Corpus, N_LATENTS, active, close, filter, having};

fn side<'a>(corpus: &'a Corpus, filter: &'a ResolvedFilter) -> Side<'a> {
    Side {
        snapshot: &corpus.snapshot,
        filter,
    }
}

fn found(
    corpus: &Corpus,
    filter: &ResolvedFilter,
    scope: &Scope,
    options: &CorrelateOptions,
) -> Correlations {
    let side = side(corpus, filter);
    correlate(
        side,
        N_LATENTS,
        scope,
        options,
        &|_, _| true,
        &Progress::default(),
    )
    .unwrap()
}

/// All pairs of so many latents.
fn found_among(corpus: &Corpus, latents: usize, options: &CorrelateOptions) -> Correlations {
    let (side, progress) = (side(corpus, &Filter::All), Progress::default());
    correlate(side, latents, &Scope::All, options, &|_, _| true, &progress).unwrap()
}

/// A pair's figures from its counts; `n` documents, those left out among them.
fn check(pair: &Pair, n: u64) {
    let n = n - pair.adjacent;
    let joint = pair.count as f64 / n as f64;
    let alone = (
        pair.i_count as f64 / n as f64,
        pair.j_count as f64 / n as f64,
    );
    close(pair.pmi, (joint / (alone.0 * alone.1)).ln());
    close(
        pair.npmi,
        if joint < 1.0 {
            pair.pmi / -joint.ln()
        } else {
            0.0
        },
    );
    let low = wilson_low(joint, n as f64);
    close(pair.npmi_low, (low / (alone.0 * alone.1)).ln() / -low.ln());
    close(pair.j_given_i, pair.count as f64 / pair.i_count as f64);
    close(pair.i_given_j, pair.count as f64 / pair.j_count as f64);
    let expected = independence(pair.count, pair.i_count, pair.j_count, n);
    assert_eq!((pair.p_value, pair.test), expected);
    assert!(pair.p_adjusted >= pair.p_value * (1.0 - 1e-12) && pair.p_adjusted <= 1.0);
}

/// The lower end of Wilson's 95% interval.
fn wilson_low(share: f64, n: f64) -> f64 {
    let z = 1.959_963_984_540_054_f64;
    let centre = share + z * z / (2.0 * n);
    let width = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    (centre - width) / (1.0 + z * z / n)
}

fn counts(pairs: &[Pair]) -> BTreeMap<(u32, u32), u64> {
    let counts: BTreeMap<_, _> = pairs.iter().map(|p| ((p.i, p.j), p.count)).collect();
    assert_eq!(counts.len(), pairs.len(), "a pair came twice");
    counts
}

/// Documents with both latents, for the pairs that `wants`.
fn recount(
    documents: &[&Document],
    above: f32,
    support: u64,
    wants: impl Fn(u32, u32) -> bool,
) -> BTreeMap<(u32, u32), u64> {
    let mut counts = BTreeMap::new();
    for document in documents {
        let active = active(document, above);
        for &i in &active {
            for &j in &active {
                if i != j && wants(i, j) {
                    *counts.entry((i, j)).or_default() += 1;
                }
            }
        }
    }
    counts.retain(|_, count| *count >= support);
    counts
}

#[test]
fn every_pair_with_support_is_counted_once() {
    for (count, seed) in [(80, 1), (3000, 2)] {
        let corpus = Corpus::random(count, seed);
        for text in ["year >= 2000", "source = \"tweets\" and not latent(1)"] {
            let filter = filter(text);
            let documents = corpus.matching(&filter);
            let n = documents.len() as u64;
            for (above, support) in [(0.0, 1), (0.0, 12), (0.6, 2)] {
                let options = CorrelateOptions {
                    active_above: above,
                    min_support: support,
                    ..CorrelateOptions::default()
                };
                let all = found(&corpus, &filter, &Scope::All, &options);
                assert_eq!((all.documents, all.tested), (n, all.pairs.len() as u64));
                let expected = recount(&documents, above, support, |i, j| i < j);
                assert_eq!(counts(&all.pairs), expected);
                for pair in &all.pairs {
                    assert_eq!(pair.i_count, having(&documents, pair.i, above));
                    assert_eq!(pair.j_count, having(&documents, pair.j, above));
                    check(pair, n);
                }
                let is_ordered = |two: &[Pair]| two[0].npmi_low >= two[1].npmi_low;
                assert!(all.pairs.windows(2).all(is_ordered));

                let with = found(&corpus, &filter, &Scope::With(vec![3, 17, 0]), &options);
                let these = [3, 17, 0];
                let once = |i: u32, j: u32| these.contains(&i) && (!these.contains(&j) || i < j);
                assert_eq!(
                    counts(&with.pairs),
                    recount(&documents, above, support, once)
                );

                let (first, second) = (vec![1, 2, 3, 4], vec![3, 4, 5, 17]);
                let scope = Scope::Between(first.clone(), second.clone());
                let between = found(&corpus, &filter, &scope, &options);
                let mirrored = |i, j| first.contains(&j) && second.contains(&i);
                let once = |i: u32, j: u32| {
                    first.contains(&i) && second.contains(&j) && (i < j || !mirrored(i, j))
                };
                assert_eq!(
                    counts(&between.pairs),
                    recount(&documents, above, support, once)
                );
            }
        }
    }
}

#[test]
fn bounds_do_not_change_what_is_tested() {
    let corpus = Corpus::random(1500, 3);
    let options = CorrelateOptions {
        min_support: 2,
        ..CorrelateOptions::default()
    };
    let all = found(&corpus, &Filter::All, &Scope::All, &options);
    let best = all.pairs[0];
    assert_eq!((best.i, best.j), (3, 17), "the planted pair");
    let narrow = CorrelateOptions {
        min_npmi: 0.1,
        max_p_adjusted: 0.5,
        limit: 3,
        ..options.clone()
    };
    let kept = found(&corpus, &Filter::All, &Scope::All, &narrow);
    assert_eq!(kept.tested, all.tested);
    let passes = |pair: &&Pair| pair.npmi >= 0.1 && pair.p_adjusted <= 0.5;
    let expected: Vec<Pair> = all.pairs.iter().filter(passes).take(3).copied().collect();
    assert_eq!(kept.pairs, expected);

    let refused = |i: u32, j: u32| (i, j) != (3, 17);
    let side = side(&corpus, &Filter::All);
    let progress = Progress::default();
    let without = correlate(side, N_LATENTS, &Scope::All, &options, &refused, &progress).unwrap();
    assert_eq!(without.pairs, all.pairs[1..]);
    assert_eq!(without.tested, all.tested);
}

#[test]
fn stop_latents_are_left_out() {
    let corpus = Corpus::random(1000, 4);
    let options = CorrelateOptions {
        min_support: 1,
        max_density: 0.3,
        ..CorrelateOptions::default()
    };
    let documents = corpus.matching(&Filter::All);
    let most = 0.3 * documents.len() as f64;
    let dense: Vec<u32> = (0..N_LATENTS as u32)
        .filter(|&latent| having(&documents, latent, 0.0) as f64 > most)
        .collect();
    assert!(!dense.is_empty());
    let kept = found(&corpus, &Filter::All, &Scope::All, &options);
    assert_eq!(kept.stopped, dense);
    let wants = |i: u32, j: u32| i < j && !dense.contains(&i) && !dense.contains(&j);
    assert_eq!(counts(&kept.pairs), recount(&documents, 0.0, 1, wants));
}

#[test]
fn values_are_counted_with_latents() {
    let corpus = Corpus::random(1200, 5);
    let filter = filter("year < 2005");
    let documents = corpus.matching(&filter);
    for attribute in ["source", "tags", "side", "year", "day"] {
        let options = CorrelateOptions {
            min_support: 2,
            ..CorrelateOptions::default()
        };
        let side = side(&corpus, &filter);
        let progress = Progress::default();
        let found =
            correlate_attribute(side, N_LATENTS, None, attribute, &options, &progress).unwrap();
        let values = |document: &Document| -> Vec<Value> {
            match document.attributes.get(attribute) {
                None => Vec::new(),
                Some(Value::List(values)) => values.clone(),
                Some(value) => vec![value.clone()],
            }
        };
        let mut expected: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (place, (value, count)) in (0..).zip(&found.values) {
            let holders: Vec<&Document> = documents
                .iter()
                .filter(|document| values(document).contains(value))
                .copied()
                .collect();
            assert_eq!(holders.len() as u64, *count);
            for latent in 0..N_LATENTS as u32 {
                let both = having(&holders, latent, 0.0);
                if both >= 2 {
                    expected.insert((latent, place), both);
                }
            }
        }
        assert_eq!(counts(&found.pairs), expected, "{attribute}");
        assert_eq!(found.documents, documents.len() as u64);
        for pair in &found.pairs {
            assert_eq!(pair.i_count, having(&documents, pair.i, 0.0));
            assert_eq!(pair.j_count, found.values[pair.j as usize].1);
            check(pair, found.documents);
        }
    }
}

#[test]
fn joined_sides_are_counted_by_value() {
    let corpus = Corpus::random(900, 6);
    let (a, b) = (filter("side = true"), filter("side = false"));
    let options = CorrelateOptions {
        min_support: 3,
        ..CorrelateOptions::default()
    };
    let on = (side(&corpus, &a), side(&corpus, &b), "row");
    let keep = |_, _| true;
    let progress = Progress::default();
    let found = correlate_joined(on, N_LATENTS, &Scope::All, &options, &keep, &progress).unwrap();
    let rows = |filter: &ResolvedFilter| {
        let mut rows: BTreeMap<i64, BTreeSet<u32>> = BTreeMap::new();
        for document in corpus.matching(filter) {
            if let Value::Integer(row) = document.attributes["row"] {
                rows.entry(row).or_default().extend(active(document, 0.0));
            }
        }
        rows
    };
    let (a, b) = (rows(&a), rows(&b));
    let mut expected: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    let shared: Vec<i64> = a
        .keys()
        .filter(|row| b.contains_key(*row))
        .copied()
        .collect();
    for row in &shared {
        for &i in &a[row] {
            for &j in &b[row] {
                *expected.entry((i, j)).or_default() += 1;
            }
        }
    }
    expected.retain(|_, count| *count >= 3);
    assert_eq!(counts(&found.pairs), expected);
    assert_eq!(found.documents, shared.len() as u64);
    for pair in &found.pairs {
        check(pair, found.documents);
    }
}

/// An injection test, as in Jiang et al. 2025: a pair planted in 1% of 10,000 documents is among the first ten.
#[test]
fn a_planted_correlation_is_found() {
    const LATENTS: usize = 400;
    let mut random = StdRng::seed_from_u64(7);
    let made = (0..10_000).map(|id| {
        let mut latents = BTreeSet::new();
        for latent in 0..LATENTS as u32 {
            // Densities of .2% to 5%, independent.
            if random.random_bool(0.002 + 0.048 * f64::from(latent % 25) / 24.0) {
                latents.insert(latent);
            }
        }
        if id % 100 == 42 {
            latents.extend([111, 287]);
        }
        let mut document = Document::new(id.to_string());
        let activation = |latent| Activation {
            latent,
            activation: 1.0,
        };
        document.codes = vec![latents.into_iter().map(activation).collect()];
        document
    });
    let corpus = Corpus::of(made.collect());
    let found = found_among(&corpus, LATENTS, &CorrelateOptions::default());
    let place = found
        .pairs
        .iter()
        .position(|pair| (pair.i, pair.j) == (111, 287));
    assert!(place.is_some_and(|place| place < 10), "{place:?}");
    assert!(found.pairs[place.unwrap()].p_adjusted < 1e-20);
}

/// Latents that have nothing to do with each other: the support picks the pairs that chance brought
/// together most often, and none of them may be told as a discovery.
#[test]
fn independent_latents_are_no_discovery() {
    const LATENTS: usize = 300;
    let mut random = StdRng::seed_from_u64(3);
    let made = (0..10_000).map(|id| {
        let mut document = Document::new(id.to_string());
        document.codes_mut(0).latents = (0..LATENTS as u32)
            .filter(|_| random.random_bool(0.02))
            .map(|latent| Activation {
                latent,
                activation: 1.0,
            })
            .collect();
        document
    });
    let corpus = Corpus::of(made.collect());
    // Expected are four documents of a pair.
    let options = CorrelateOptions {
        min_support: 12,
        ..CorrelateOptions::default()
    };
    let found = found_among(&corpus, LATENTS, &options);
    assert_eq!(found.eligible, (LATENTS * (LATENTS - 1) / 2) as u64);
    assert!(found.tested > 10, "{}", found.tested);
    for pair in &found.pairs {
        assert!(pair.p_value < 0.01 && pair.p_adjusted > 0.05, "{pair:?}");
    }
}

/// Numbers beyond 16 bits, and rows too long to be searched at once.
#[test]
fn large_dictionaries_and_long_rows_are_counted_alike() {
    let mut random = StdRng::seed_from_u64(11);
    for latents in [1000_usize, 70_000] {
        let numbers: Vec<u32> = (0..latents as u32).step_by(latents / 500).collect();
        let made = (0..60).map(|id| {
            let mut document = Document::new(format!("d{id}"));
            let density = if id % 2 == 0 { 0.9 } else { 0.02 };
            for &latent in &numbers {
                if random.random_bool(density) {
                    let activation = random.random_range(0.1_f32..1.0);
                    document
                        .codes_mut(0)
                        .latents
                        .push(Activation { latent, activation });
                }
            }
            document
        });
        let corpus = Corpus::of(made.collect());
        let documents = corpus.matching(&Filter::All);
        let options = CorrelateOptions {
            active_above: 0.3,
            min_support: 19,
            ..CorrelateOptions::default()
        };
        let progress = Progress::default();
        let side = side(&corpus, &Filter::All);
        let keep = |_, _| true;
        let all = correlate(side, latents, &Scope::All, &options, &keep, &progress).unwrap();
        assert!(all.tested > 100);
        let expected = recount(&documents, 0.3, 19, |i, j| i < j);
        assert_eq!(counts(&all.pairs), expected);
        let last = numbers[numbers.len() - 1];
        let scope = Scope::With(vec![0, last]);
        let with = correlate(side, latents, &scope, &options, &keep, &progress).unwrap();
        let once = |i, j| (i == 0) || (i == last && j != 0);
        assert_eq!(counts(&with.pairs), recount(&documents, 0.3, 19, once));
    }
}

/// Documents whose latents fire on random tokens; a fifth of the entries have no position.
fn with_positions(count: usize) -> Corpus {
    let mut random = StdRng::seed_from_u64(12);
    let made = (0..count).map(|id| {
        let mut document = Document::new(format!("d{id}"));
        for latent in 0..N_LATENTS as u32 {
            if !random.random_bool(0.4) {
                continue;
            }
            let activation = random.random_range(0.1_f32..1.0);
            document
                .codes_mut(0)
                .latents
                .push(Activation { latent, activation });
            if random.random_bool(0.8) {
                // Latents 4 and 5 always see one word.
                let token = match latent {
                    4 | 5 => id as u32 + latent,
                    _ => random.random_range(0..8),
                };
                document.codes_mut(0).positions.push(LatentPosition {
                    latent,
                    token,
                    start: token * 5,
                    end: token * 5 + 4,
                });
            }
        }
        document
    });
    Corpus::of(made.collect())
}

#[test]
fn latents_of_one_word_do_not_support_a_pair() {
    let corpus = with_positions(400);
    let documents = corpus.matching(&Filter::All);
    let token = |document: &Document, latent: u32| {
        let mut positions = document.positions().iter();
        positions
            .find(|position| position.latent == latent)
            .map(|position| i64::from(position.token))
    };
    let (above, support) = (0.2, 30);
    let mut expected: BTreeMap<(u32, u32), (u64, u64)> = BTreeMap::new();
    for document in &documents {
        let active = active(document, above);
        for &i in &active {
            for &j in active.range(i + 1..) {
                let (apart, adjacent) = expected.entry((i, j)).or_default();
                match (token(document, i), token(document, j)) {
                    (Some(a), Some(b)) if (a - b).abs() <= 1 => *adjacent += 1,
                    _ => *apart += 1,
                }
            }
        }
    }
    let dropped = expected
        .values()
        .filter(|(apart, adjacent)| *apart < support && apart + adjacent >= support);
    let dropped = dropped.count() as u64;
    expected.retain(|_, (apart, _)| *apart >= support);

    let options = CorrelateOptions {
        active_above: above,
        min_support: support,
        exclude_adjacent: true,
        ..CorrelateOptions::default()
    };
    let all = found(&corpus, &Filter::All, &Scope::All, &options);
    let figures: BTreeMap<(u32, u32), (u64, u64)> = all
        .pairs
        .iter()
        .map(|pair| ((pair.i, pair.j), (pair.count, pair.adjacent)))
        .collect();
    assert_eq!(figures, expected);
    assert_eq!(all.adjacent_pairs, Some(dropped));
    assert!(dropped >= 1 && !figures.contains_key(&(4, 5)));
    for pair in &all.pairs {
        // What is left out leaves the margins too.
        let of_i = having(&documents, pair.i, above);
        assert_eq!(pair.i_count, of_i - pair.adjacent);
        check(pair, documents.len() as u64);
    }
    // The other way round, and as before without the option.
    let with = found(&corpus, &Filter::All, &Scope::With(vec![9]), &options);
    for pair in &with.pairs {
        let known = figures[&(pair.i.min(pair.j), pair.i.max(pair.j))];
        assert_eq!((pair.count, pair.adjacent), known);
    }
    let plain = CorrelateOptions {
        exclude_adjacent: false,
        ..options.clone()
    };
    let plain = found(&corpus, &Filter::All, &Scope::All, &plain);
    assert!(plain.pairs.iter().all(|pair| pair.adjacent == 0));
    assert!(counts(&plain.pairs).contains_key(&(4, 5)) && plain.adjacent_pairs.is_none());
}

#[test]
fn pairs_are_held_against_what_strata_give() {
    let corpus = Corpus::random(1200, 14);
    let filter = filter("source != \"films\"");
    let documents = corpus.matching(&filter);
    let options = CorrelateOptions {
        min_support: 5,
        stratify_by: Some("year".to_owned()),
        ..CorrelateOptions::default()
    };
    let all = found(&corpus, &filter, &Scope::All, &options);
    assert_eq!(
        all.strata.map(|strata| (strata.strata, strata.outside)),
        Some((6, 0))
    );
    let years: Vec<Vec<&Document>> = (2000..2006)
        .map(|year| {
            let is_of = |d: &&&Document| d.attributes["year"] == Value::Integer(year);
            documents.iter().filter(is_of).copied().collect()
        })
        .collect();
    let check = |pair: &Pair, margins: &[Margins]| {
        let expected = mantel_haenszel::expected(margins);
        let joint = pair.count as f64 / documents.len() as f64;
        close(pair.pmi, (pair.count as f64 / expected).ln());
        close(pair.npmi, pair.pmi / -joint.ln());
        assert_eq!(
            (pair.p_value, pair.test),
            mantel_haenszel::test(pair.count, margins)
        );
    };
    for pair in &all.pairs {
        let margins: Vec<Margins> = years
            .iter()
            .map(|documents| Margins {
                first: having(documents, pair.i, 0.0),
                second: having(documents, pair.j, 0.0),
                n: documents.len() as u64,
            })
            .collect();
        check(pair, &margins);
    }
    assert_eq!(all.pairs[0].i.min(all.pairs[0].j), 3);
    let side = side(&corpus, &filter);
    let progress = Progress::default();
    let found = correlate_attribute(side, N_LATENTS, None, "source", &options, &progress).unwrap();
    for pair in &found.pairs {
        let value = &found.values[pair.j as usize].0;
        let margins: Vec<Margins> = years
            .iter()
            .map(|documents| Margins {
                first: having(documents, pair.i, 0.0),
                second: documents
                    .iter()
                    .filter(|d| d.attributes["source"] == *value)
                    .count() as u64,
                n: documents.len() as u64,
            })
            .collect();
        check(pair, &margins);
    }
    let both = CorrelateOptions {
        exclude_adjacent: true,
        ..options.clone()
    };
    let keep = |_, _| true;
    let error = correlate(side, N_LATENTS, &Scope::All, &both, &keep, &progress).unwrap_err();
    assert_eq!(error.field(), Some("exclude_adjacent"));
    let error = correlate_joined(
        (side, side, "row"),
        N_LATENTS,
        &Scope::All,
        &options,
        &keep,
        &progress,
    );
    assert_eq!(error.unwrap_err().field(), Some("stratify_by"));
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let corpus = Corpus::random(60, 8);
    let none = filter("source = \"nobody\"");
    let options = CorrelateOptions::default();
    let keep = |_, _| true;
    let progress = Progress::default();
    let ask = |filter: &ResolvedFilter, scope: Scope, progress: &Progress| {
        let side = side(&corpus, filter);
        correlate(side, N_LATENTS, &scope, &options, &keep, progress).unwrap_err()
    };
    let error = ask(&none, Scope::All, &progress);
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    let error = ask(&Filter::All, Scope::With(vec![99]), &progress);
    assert_eq!(error.field(), Some("latents"));
    let on = (side(&corpus, &Filter::All), side(&corpus, &none), "row");
    let error =
        correlate_joined(on, N_LATENTS, &Scope::All, &options, &keep, &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    let side = side(&corpus, &Filter::All);
    let error =
        correlate_attribute(side, N_LATENTS, None, "none", &options, &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    // No positions are stored, and joined latents are of different texts.
    let apart = CorrelateOptions {
        exclude_adjacent: true,
        ..options.clone()
    };
    let error = correlate(side, N_LATENTS, &Scope::All, &apart, &keep, &progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    let error = correlate_joined(
        (side, side, "row"),
        N_LATENTS,
        &Scope::All,
        &apart,
        &keep,
        &progress,
    );
    assert_eq!(error.unwrap_err().field(), Some("exclude_adjacent"));
    let error = correlate_attribute(side, N_LATENTS, None, "row", &apart, &progress);
    assert_eq!(error.unwrap_err().field(), Some("exclude_adjacent"));
    progress.stop();
    let error = ask(&Filter::All, Scope::All, &progress);
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
