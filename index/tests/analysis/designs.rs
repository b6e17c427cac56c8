//! Diffs within strata and over clusters, parts that confirm each other, intervals of what was chosen.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use latentdb_index::analysis::mantel_haenszel::{self, Margins, Stratum, weighted};
use latentdb_index::analysis::statistics::{Test, newcombe, normal_quantile};
use latentdb_index::analysis::{
    Diff, DiffOptions, DiffRow, Measure, Members, Selection, Side, Units, adjust_together, compare,
    compare_clustered, compare_stratified, cover_selected, measure, select,
};
use latentdb_index::{Document, Filter, Progress, ResolvedFilter, Value};

use crate::corpus::{Corpus, N_LATENTS, close, filter, having};

const LATENTS: Units = Units::Latents(N_LATENTS);

fn members<'a>(corpus: &'a Corpus, filter: &'a ResolvedFilter) -> Members<'a> {
    let snapshot = &corpus.snapshot;
    Members::of(Side { snapshot, filter }).unwrap()
}

fn diff(a: &Members, b: &Members, options: &DiffOptions) -> Diff {
    let progress = Progress::default();
    let of_a = measure(a, LATENTS, options, &progress).unwrap();
    let of_b = measure(b, LATENTS, options, &progress).unwrap();
    compare(&of_a, &of_b, options).unwrap()
}

/// A number that orders the values of an attribute, or groups them.
fn value(document: &Document, attribute: &str) -> Option<i64> {
    match document.attributes.get(attribute)? {
        Value::Integer(number) | Value::Timestamp(number) => Some(*number),
        Value::String(text) => Some(text.bytes().map(i64::from).sum()),
        Value::Boolean(truth) => Some((*truth).into()),
        other => panic!("{other:?}"),
    }
}

/// The stratum of each value: itself, or its decile in the union.
fn strata_of(documents: &[&Document], attribute: &str) -> BTreeMap<i64, i64> {
    let mut values: Vec<i64> = documents
        .iter()
        .filter_map(|d| value(d, attribute))
        .collect();
    values.sort_unstable();
    let distinct: BTreeSet<i64> = values.iter().copied().collect();
    let stratum = |value: i64| match distinct.len() {
        0..=10 => value,
        _ => (values.partition_point(|other| *other < value) * 10 / values.len()) as i64,
    };
    distinct
        .iter()
        .map(|&value| (value, stratum(value)))
        .collect()
}

#[test]
fn strata_are_compared_within() {
    let corpus = Corpus::random(1500, 21);
    for (a, b, attribute, above) in [
        ("latent(0)", "not latent(0)", "source", 0.0),
        ("latent(3)", "not latent(3)", "year", 0.6),
        ("source = \"news\"", "source != \"news\"", "day", 0.0),
        // Only some years are in both sets.
        ("year < 2003", "year > 2001 and side = true", "year", 0.0),
    ] {
        let (a, b) = (filter(a), filter(b));
        let (of_a, of_b) = (members(&corpus, &a), members(&corpus, &b));
        let options = DiffOptions {
            active_above: above,
            confidence: 0.9,
            ..DiffOptions::default()
        };
        let progress = Progress::default();
        let diff =
            compare_stratified(&of_a, &of_b, attribute, LATENTS, &options, &progress).unwrap();
        let (a, b) = (corpus.matching(&a), corpus.matching(&b));
        let strata = strata_of(&[&a[..], &b[..]].concat(), attribute);
        let names: BTreeSet<i64> = strata.values().copied().collect();
        let inside = |documents: &[&Document], name: i64| -> Vec<Document> {
            let is_there = |d: &&&Document| strata[&value(d, attribute).unwrap()] == name;
            documents
                .iter()
                .filter(is_there)
                .map(|d| (*d).clone())
                .collect()
        };
        let parts: Vec<(Vec<Document>, Vec<Document>)> = names
            .iter()
            .map(|&name| (inside(&a, name), inside(&b, name)))
            .filter(|(a, b)| !a.is_empty() && !b.is_empty())
            .collect();
        let by = diff.by.unwrap();
        assert_eq!(by.groups, parts.len() as u64);
        let compared: usize = parts.iter().map(|part| part.0.len()).sum();
        assert_eq!(diff.a_documents, compared as u64);
        assert_eq!(by.a_outside, (a.len() - compared) as u64);
        for row in &diff.rows {
            let side = |documents: &[Document]| {
                let documents: Vec<&Document> = documents.iter().collect();
                (having(&documents, row.unit, above), documents.len() as u64)
            };
            let tables: Vec<Stratum> = parts
                .iter()
                .map(|(a, b)| Stratum {
                    a: side(a),
                    b: side(b),
                })
                .collect();
            let found = weighted(&tables).unwrap();
            close(row.delta, found.a - found.b);
            let width = normal_quantile(0.9) * found.error;
            close(row.interval.0, row.delta - width);
            close(row.interval.1, row.delta + width);
            let counted: u64 = tables.iter().map(|table| table.a.0).sum();
            assert_eq!(row.a_count, counted);
            if row.a_count + row.b_count < 5 {
                assert_eq!(row.test, Test::Untested);
                continue;
            }
            let margins: Vec<Margins> = tables
                .iter()
                .map(|table| Margins {
                    first: table.a.1,
                    second: table.a.0 + table.b.0,
                    n: table.a.1 + table.b.1,
                })
                .collect();
            let expected = mantel_haenszel::test(row.a_count, &margins);
            assert_eq!((row.p_value, row.test), expected);
        }
    }
}

/// Texts of 20 words and of 5, in which latent 1 is active in proportion; set A has the long ones.
fn long_and_short() -> Corpus {
    let made = (0..600_usize).map(|id| {
        let is_long = if id < 300 { id % 3 > 0 } else { id % 3 == 0 };
        let words = if is_long { 20 } else { 5 };
        let mut document = Document::new(format!("d{id}"));
        document.text = Some(vec!["word"; words].join(" "));
        let side = if id < 300 { "a" } else { "b" };
        let name = "side".to_owned();
        document
            .attributes
            .insert(name, Value::String(side.to_owned()));
        let activation = |latent| latentdb_index::Activation {
            latent,
            activation: 1.0,
        };
        if id / 3 % 20 < words {
            document.codes_mut(0).latents.push(activation(1));
        }
        document
    });
    Corpus::of(made.collect())
}

#[test]
fn what_length_explains_is_no_difference_within_lengths() {
    let corpus = long_and_short();
    let (a, b) = (filter("side = \"a\""), filter("side = \"b\""));
    let (a, b) = (members(&corpus, &a), members(&corpus, &b));
    let (options, progress) = (DiffOptions::default(), Progress::default());
    let plain = diff(&a, &b, &options);
    assert!(plain.rows[1].p_adjusted < 1e-6);
    let within = compare_stratified(&a, &b, "length", LATENTS, &options, &progress).unwrap();
    assert_eq!(within.by.unwrap().groups, 2);
    assert!(within.rows[1].p_value > 0.5, "{:?}", within.rows[1]);
    assert_eq!(
        (a.median_length().unwrap(), b.median_length().unwrap()),
        (Some(20), Some(5))
    );
}

/// Student's t from the sums of each cluster, by its definition.
fn clustered(row: &DiffRow, a: &[&Document], b: &[&Document], attribute: &str, mean: bool) -> f64 {
    let y = |document: &Document| {
        let entry = document
            .latents()
            .iter()
            .find(|entry| entry.latent == row.unit);
        entry.map_or(0.0, |entry| {
            if mean {
                f64::from(entry.activation)
            } else {
                1.0
            }
        })
    };
    let share = |documents: &[&Document]| {
        documents.iter().map(|d| y(d)).sum::<f64>() / documents.len() as f64
    };
    let (p, q) = (share(a), share(b));
    let mut clusters: BTreeMap<String, f64> = BTreeMap::new();
    let key = |document: &Document| match value(document, attribute) {
        Some(value) => value.to_string(),
        None => document.id.clone(),
    };
    for document in a {
        *clusters.entry(key(document)).or_default() += (y(document) - p) / a.len() as f64;
    }
    for document in b {
        *clusters.entry(key(document)).or_default() -= (y(document) - q) / b.len() as f64;
    }
    let (g, n) = (clusters.len() as f64, (a.len() + b.len()) as f64);
    let squares: f64 = clusters.values().map(|sum| sum * sum).sum();
    (squares * g / (g - 1.0) * (n - 1.0) / (n - 2.0)).sqrt()
}

#[test]
fn clusters_are_the_observations() {
    let corpus = Corpus::random(900, 22);
    for (a, b, attribute, measure) in [
        ("side = true", "side = false", "row", Measure::Prevalence),
        (
            "side = true",
            "side = false",
            "row",
            Measure::MeanActivation,
        ),
        ("latent(2)", "not latent(2)", "day", Measure::Prevalence),
        (
            "source = \"news\"",
            "source = \"films\"",
            "year",
            Measure::Prevalence,
        ),
    ] {
        let (a, b) = (filter(a), filter(b));
        let (of_a, of_b) = (members(&corpus, &a), members(&corpus, &b));
        let (progress, options) = (
            Progress::default(),
            DiffOptions {
                measure,
                ..DiffOptions::default()
            },
        );
        let found = compare_clustered(&of_a, &of_b, attribute, LATENTS, &options, &progress);
        let found = found.unwrap();
        let plain = diff(&of_a, &of_b, &options);
        let (a, b) = (corpus.matching(&a), corpus.matching(&b));
        let is_mean = measure == Measure::MeanActivation;
        for (row, plain) in found.rows.iter().zip(&plain.rows) {
            assert_eq!((row.a_count, row.b_count), (plain.a_count, plain.b_count));
            close(row.delta, plain.delta);
            if row.test == Test::ClusterRobust {
                let error = clustered(row, &a, &b, attribute, is_mean);
                let half = (row.interval.1 - row.interval.0) / 2.0;
                let groups = found.by.unwrap().groups;
                // The interval reaches where t is the quantile.
                assert!(
                    (half / error - student(groups - 2)).abs() < 1e-4,
                    "{half} {error}"
                );
            }
        }
        assert!(found.rows.iter().filter(|row| row.is_tested()).count() > 20);
    }
}

/// The two-sided .95 quantile of t, by Cornish and Fisher.
fn student(freedom: u64) -> f64 {
    // Few degrees of freedom are tabulated.
    if freedom == 4 {
        return 2.776_445;
    }
    let (z, v) = (normal_quantile(0.95), freedom as f64);
    let (z3, z5) = (z.powi(3), z.powi(5));
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z.powi(7) + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v.powi(3))
}

#[test]
fn a_busy_cluster_is_one_observation() {
    // One author of ten wrote what makes A differ.
    let made = (0..400_usize).map(|id| {
        let mut document = Document::new(format!("d{id}"));
        let author = id / 20;
        document
            .attributes
            .insert("author".to_owned(), Value::Integer(author as i64));
        if author == 3 || (id * 7 % 40 == 0) {
            let latent = latentdb_index::Activation {
                latent: 1,
                activation: 1.0,
            };
            document.codes_mut(0).latents.push(latent);
        }
        document
    });
    let corpus = Corpus::of(made.collect());
    let (a, b) = (filter("author < 10"), filter("author >= 10"));
    let (a, b) = (members(&corpus, &a), members(&corpus, &b));
    let (options, progress) = (DiffOptions::default(), Progress::default());
    assert!(diff(&a, &b, &options).rows[1].p_value < 1e-3);
    let found = compare_clustered(&a, &b, "author", LATENTS, &options, &progress).unwrap();
    assert!(found.rows[1].p_value > 0.2, "{:?}", found.rows[1]);
}

#[test]
fn a_split_is_the_same_each_time_and_keeps_values_together() {
    let corpus = Corpus::random(2000, 23);
    let all = members(&corpus, &Filter::All);
    let ids = |members: &Members| -> BTreeSet<u32> {
        let latents: Vec<u32> = (0..N_LATENTS as u32).collect();
        members
            .strongest(&latents, 10_000)
            .iter()
            .map(|hit| hit.0)
            .collect()
    };
    for by in [None, Some("row"), Some("year")] {
        let (first, second) = all.split(0.3, by).unwrap();
        assert_eq!(first.documents() + second.documents(), all.documents());
        assert_eq!(first.shared_with(&second), 0);
        if by != Some("year") {
            let share = second.documents() as f64 / all.documents() as f64;
            assert!((share - 0.3).abs() < 0.04, "{share}");
        }
        let again = all.split(0.3, by).unwrap();
        assert_eq!(ids(&again.1), ids(&second));
        // A subset is split as the whole is.
        let some = filter("source = \"news\"");
        let some = members(&corpus, &some);
        let (_, part) = some.split(0.3, by).unwrap();
        assert_eq!(part.shared_with(&second), part.documents());
        if let Some(attribute) = by {
            let values = |members: &Members| -> HashSet<i64> {
                let ids = ids(members)
                    .into_iter()
                    .map(|doc| corpus.snapshot.id(doc).unwrap());
                ids.filter_map(|id| value(&corpus.documents[&id], attribute))
                    .collect()
            };
            assert!(values(&first).is_disjoint(&values(&second)));
        }
    }
}

#[test]
fn what_two_sets_share_can_leave_both() {
    let corpus = Corpus::random(500, 24);
    let (a, b) = (filter("source = \"news\""), filter("latent(0)"));
    let (a, b) = (members(&corpus, &a), members(&corpus, &b));
    let shared = a.shared_with(&b);
    let (only_a, only_b) = (a.without(&b), b.without(&a));
    assert!(shared > 0);
    assert_eq!(only_a.documents(), a.documents() - shared);
    assert_eq!(only_b.documents(), b.documents() - shared);
    assert_eq!(only_a.shared_with(&b), 0);
}

#[test]
fn intervals_of_selected_rows_hold_the_rate_of_false_coverage() {
    let corpus = Corpus::random(900, 25);
    let (a, b) = (filter("latent(3)"), filter("not latent(3)"));
    let options = DiffOptions::default();
    let found = diff(&members(&corpus, &a), &members(&corpus, &b), &options);
    let selection = Selection {
        max_p_adjusted: 0.05,
        ..Selection::default()
    };
    let mut rows = select(&found, &selection);
    assert!(rows.len() < 10, "{}", rows.len());
    let share = rows.len() as f64 / found.tested as f64;
    let mut chosen: Vec<&mut DiffRow> = rows.iter_mut().collect();
    cover_selected(&mut chosen, found.tested, &options);
    for row in &rows {
        let z = normal_quantile(1.0 - 0.05 * share);
        let counts = (
            (row.a_count, found.a_documents),
            (row.b_count, found.b_documents),
        );
        let expected = newcombe(counts.0, counts.1, z);
        close(row.interval.0, expected.0);
        close(row.interval.1, expected.1);
    }
}

#[test]
fn comparisons_of_one_call_are_one_family() {
    let corpus = Corpus::random(900, 26);
    let options = DiffOptions::default();
    let sets = ["source = \"news\"", "source = \"tweets\"", "year < 2002"].map(filter);
    let a = filter("latent(3)");
    let mut diffs: Vec<Diff> = sets
        .iter()
        .map(|set| diff(&members(&corpus, &a), &members(&corpus, set), &options))
        .collect();
    adjust_together(&mut diffs);
    let rows = diffs
        .iter()
        .flat_map(|diff| &diff.rows)
        .filter(|row| row.is_tested());
    let rows: Vec<&DiffRow> = rows.collect();
    let m = rows.len() as f64;
    for row in &rows {
        let larger = rows.iter().filter(|other| other.p_value >= row.p_value);
        let expected = larger
            .map(|other| {
                let rank = rows
                    .iter()
                    .filter(|one| one.p_value <= other.p_value)
                    .count();
                other.p_value * m / rank as f64
            })
            .fold(1.0, f64::min);
        close(row.p_adjusted, expected);
    }
    // What another part suggested is tested, and nothing else.
    let units = HashSet::from([3, 17]);
    diffs[0].test_only(|unit| units.contains(&unit));
    assert_eq!(diffs[0].tested, 2);
    let passing = select(&diffs[0], &Selection::default());
    assert!(passing.iter().all(|row| units.contains(&row.unit)));
}

#[test]
fn attributes_that_take_nothing_apart_are_named() {
    let corpus = Corpus::random(300, 27);
    let (options, progress) = (DiffOptions::default(), Progress::default());
    let ask = |a: &str, b: &str, attribute: &str| {
        let (a, b) = (filter(a), filter(b));
        let (a, b) = (members(&corpus, &a), members(&corpus, &b));
        [
            compare_stratified(&a, &b, attribute, LATENTS, &options, &progress),
            compare_clustered(&a, &b, attribute, LATENTS, &options, &progress),
        ]
    };
    let said = |found: latentdb_index::Result<Diff>, field: &str, word: &str| {
        let error = found.unwrap_err();
        assert_eq!(error.field(), Some(field));
        assert!(error.to_string().contains(word), "{error}");
    };
    // Strata with nothing in common.
    let [strata, _] = ask("year < 2002", "year >= 2003", "year");
    said(strata, "stratify_by", "no value");
    let [strata, clusters] = ask("side = true", "side = false", "nothing");
    said(strata, "stratify_by", "most documents");
    said(clusters, "cluster_by", "most documents");
    // A list, of which documents have several values.
    let [strata, clusters] = ask(
        "tags = \"t1\"",
        "tags = \"t2\" and not tags = \"t1\"",
        "tags",
    );
    said(strata, "stratify_by", "several values");
    said(clusters, "cluster_by", "several values");
    let [_, clusters] = ask("side = true", "side = false", "side");
    said(clusters, "cluster_by", "at least 3");
    // There are no texts.
    let [strata, _] = ask("side = true", "side = false", "length");
    said(strata, "stratify_by", "text");
    let means = DiffOptions {
        measure: Measure::MeanActivation,
        ..options
    };
    let (a, b) = (filter("side = true"), filter("side = false"));
    let (a, b) = (members(&corpus, &a), members(&corpus, &b));
    let found = compare_stratified(&a, &b, "year", LATENTS, &means, &progress);
    said(found, "stratify_by", "shares");
}

/// Documents whose latents have nothing to do with anything.
fn noise(random: &mut impl rand::RngExt, documents: usize, lengths: bool) -> Corpus {
    let made = (0..documents).map(|id| {
        let mut document = Document::new(format!("d{id}"));
        let is_long = lengths && random.random_bool(0.5);
        document.text = Some(vec!["w"; if is_long { 30 } else { 10 }].join(" "));
        for latent in 0..N_LATENTS as u32 {
            let density = 0.5 / f64::from(latent + 1).sqrt();
            if random.random_bool(if is_long { density * 1.9 } else { density }) {
                document
                    .codes_mut(0)
                    .latents
                    .push(latentdb_index::Activation {
                        latent,
                        activation: 1.0,
                    });
            }
        }
        // B has the longer texts.
        let in_b = random.random_bool(if is_long { 0.8 } else { 0.4 });
        let mut set = |name: &str, value| document.attributes.insert(name.to_owned(), value);
        set("b", Value::Boolean(in_b));
        set("half", Value::Boolean(random.random_bool(0.5)));
        set("label", Value::Integer(random.random_range(0..4)));
        set("thread", Value::Integer(random.random_range(0..60)));
        document
    });
    Corpus::of(made.collect())
}

/// Random halves, by each design, and halves that differ in length only: at most 17 of 200 runs find
/// anything, the 99% bound of a true 5%.
#[test]
fn nothing_is_found_in_noise() {
    use rand::SeedableRng as _;
    const RUNS: usize = 200;
    const MOST: usize = 17;
    let mut random = rand::rngs::StdRng::seed_from_u64(28);
    let (options, progress) = (DiffOptions::default(), Progress::default());
    let selection = Selection {
        max_p_adjusted: 0.05,
        ..Selection::default()
    };
    let mut found = [0; 6];
    for _ in 0..RUNS {
        let corpus = noise(&mut random, 400, true);
        let halves = ["half = true", "half = false", "b = false", "b = true"].map(filter);
        let [a, b, short, long] = halves.each_ref().map(|half| members(&corpus, half));
        let diffs = [
            diff(&a, &b, &options),
            compare_clustered(&a, &b, "thread", LATENTS, &options, &progress).unwrap(),
            compare_stratified(&a, &b, "label", LATENTS, &options, &progress).unwrap(),
            compare_stratified(&short, &long, "length", LATENTS, &options, &progress).unwrap(),
            // The control: lengths are seen where nothing is done about them.
            diff(&short, &long, &options),
        ];
        for (found, diff) in found.iter_mut().zip(&diffs) {
            *found += usize::from(!select(diff, &selection).is_empty());
        }
        // Shuffled labels.
        let options = latentdb_index::analysis::CorrelateOptions {
            max_p_adjusted: 0.05,
            min_support: 5,
            stratify_by: Some("length".to_owned()),
            ..Default::default()
        };
        let side = Side {
            snapshot: &corpus.snapshot,
            filter: &Filter::All,
        };
        let pairs = latentdb_index::analysis::correlate_attribute(
            side, N_LATENTS, None, "label", &options, &progress,
        );
        found[5] += usize::from(!pairs.unwrap().pairs.is_empty());
    }
    assert!(
        found[..4]
            .iter()
            .chain(&found[5..])
            .all(|found| *found <= MOST),
        "{found:?}"
    );
    assert!(found[4] > RUNS / 2, "{found:?}");
}
