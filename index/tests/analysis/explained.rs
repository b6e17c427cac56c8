//! Targets that are planted, and targets that nothing tells.

use std::collections::BTreeSet;

use latentdb_index::analysis::explain::{
    Choice, ExplainOptions, Explained, Form, TargetKind, TargetOf, explain, tell_apart,
};
use latentdb_index::analysis::{Members, Side};
use latentdb_index::{Activation, Document, ErrorKind, Progress, Result, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::corpus::{Corpus, filter};

const LATENTS: usize = 300;
const ALL: &str = "one = 1";
const TELLING: [(u32, f64); 8] = [
    (3, 2.0),
    (20, -1.5),
    (41, 1.0),
    (77, 1.2),
    (99, -1.0),
    (150, 0.9),
    (201, 1.6),
    (280, -2.0),
];

fn normal(random: &mut StdRng) -> f64 {
    let sum: f64 = (0..12).map(|_| random.random::<f64>()).sum();
    sum - 6.0
}

/// Documents whose `number`, `truth` and `kind` follow from eight latents, `noise` from none. Latent 4
/// is active with 3 nearly always.
fn planted(count: usize, seed: u64) -> Corpus {
    let mut random = StdRng::seed_from_u64(seed);
    let made = (0..count).map(|id| {
        let mut document = Document::new(format!("{id:05}"));
        let mut latents = Vec::new();
        let mut sum = 0.0;
        let mut twin = None;
        for latent in 0..LATENTS as u32 {
            let amount = random.random_range(0.2_f32..2.0);
            let is_active = match latent {
                4 => twin.is_some(),
                _ => random.random_bool(0.1),
            };
            let activation = match (latent, twin) {
                (4, Some(amount)) => amount,
                _ => amount,
            };
            if is_active {
                latents.push(Activation { latent, activation });
                let telling = TELLING.iter().find(|own| own.0 == latent);
                sum += telling.map_or(0.0, |own| own.1 * f64::from(amount));
                if latent == 3 {
                    twin = Some(amount * 1.1);
                }
            }
        }
        document.codes_mut(0).latents = latents;
        document.text = Some("a word or two".repeat(1 + id % 7));
        let noise = normal(&mut random);
        let mut set = |name: &str, value| document.attributes.insert(name.to_owned(), value);
        set("number", Value::Float(sum + 0.5 * noise));
        set("truth", Value::Boolean(sum + 0.5 * noise > 0.3));
        let kind = match sum + 0.3 * noise {
            low if low < -0.4 => "low",
            high if high > 0.6 => "high",
            _ => "middle",
        };
        set("kind", Value::String(kind.to_owned()));
        set("noise", Value::Float(normal(&mut random)));
        set("group", Value::Integer((id / 10) as i64));
        set("one", Value::Integer(1));
        document
    });
    Corpus::of(made.collect())
}

fn explained(corpus: &Corpus, within: &str, options: &ExplainOptions) -> Result<Explained> {
    let filter = filter(within);
    let side = Side {
        snapshot: &corpus.snapshot,
        filter: &filter,
    };
    explain(side, LATENTS, options, &Progress::default())
}

fn options(target: &str, latents: usize) -> ExplainOptions {
    ExplainOptions {
        target: TargetOf::Attribute(target.to_owned()),
        latents,
        ..ExplainOptions::default()
    }
}

#[test]
fn planted_latents_are_found_and_their_twin_is_merged() {
    let corpus = planted(4000, 1);
    let wanted: BTreeSet<u32> = TELLING.iter().map(|own| own.0).collect();
    for (target, least) in [("number", 0.8), ("truth", 0.85), ("kind", 0.6)] {
        let found = explained(&corpus, ALL, &options(target, 8)).unwrap();
        let chosen: BTreeSet<u32> = found
            .latents
            .iter()
            .map(|own| if own.latent == 4 { 3 } else { own.latent })
            .collect();
        let right = chosen.intersection(&wanted).count();
        let f1 = 2.0 * right as f64 / (chosen.len() + wanted.len()) as f64;
        assert!(f1 > 0.9, "{target}: {chosen:?}");
        assert!(found.score > least, "{target}: {}", found.score);
        let length = found.length.unwrap();
        assert!(length < found.score - 0.2, "{target}: {length}");
        let twin = found
            .latents
            .iter()
            .find(|own| own.alike.contains(&4) || own.alike.contains(&3));
        assert_eq!(twin.map(|own| own.alike.len()), Some(1), "{target}");
        assert_eq!(found.fitted, found.discovery);
        assert_eq!(found.discovery + found.held_out, 4000);
        assert!(found.dense.is_none());
        let all: Vec<usize> = found.path.iter().map(|point| point.latents).collect();
        assert_eq!(all, [1, 2, 4, 8]);
        assert!(found.path[3].score > found.path[0].score);
        assert!((found.path[3].score - found.score).abs() < 0.1);
    }
}

#[test]
fn weights_and_effects_are_those_that_were_planted() {
    let corpus = planted(4000, 2);
    let found = explained(&corpus, ALL, &options("number", 8)).unwrap();
    assert_eq!(found.kind, TargetKind::Number);
    assert_eq!(found.form, Form::Amounts);
    for (latent, weight) in TELLING {
        let own = found
            .latents
            .iter()
            .find(|own| own.latent == latent || own.alike.contains(&latent));
        let own = own.unwrap();
        // Activations are even between .2 and 2: the 90th percentile is 1.82. Of the twins the strongest counts.
        assert!(
            (own.weights[0] / weight - 1.82).abs() < 0.2,
            "{latent}: {:?}",
            own.weights
        );
        // Where it is active, its mean is 1.1.
        assert!(
            own.interval.0 < 1.1 * weight && 1.1 * weight < own.interval.1,
            "{latent} {own:?}"
        );
        assert!(own.p_adjusted < 1e-6 && own.p_adjusted >= own.p_value);
    }
    // The same for another call, and other numbers of rows.
    let again = explained(&corpus, ALL, &options("number", 8)).unwrap();
    assert_eq!(found, again);
    let options = ExplainOptions {
        sample: 1000,
        split_by: Some("group".to_owned()),
        ..options("number", 8)
    };
    let fewer = explained(&corpus, ALL, &options).unwrap();
    assert_eq!(fewer.fitted, 1000);
    assert!(fewer.score > 0.75 && fewer.held_out.is_multiple_of(10));
}

#[test]
fn probes_take_the_largest_differences_of_means() {
    let corpus = planted(3000, 4);
    let positive = filter("number > 1");
    let of = |latents| ExplainOptions {
        target: TargetOf::Filter(positive.clone()),
        choice: Choice::Means,
        ..options("", latents)
    };
    let one = explained(&corpus, ALL, &of(1)).unwrap();
    let eight = explained(&corpus, ALL, &of(8)).unwrap();
    assert_eq!(one.latents[0].latent, eight.latents[0].latent);
    assert!(one.score > 0.55 && eight.score > one.score + 0.1);
    assert_eq!(eight.form, Form::Amounts);
    assert!(eight.pairs.is_empty() && eight.latents.iter().all(|own| own.alike.is_empty()));
    // By a recount over the documents that are fitted on, which are near all of them.
    let n = corpus.documents.len() as f64;
    let is_positive = |document: &Document| match document.attributes["number"] {
        Value::Float(number) => number > 1.0,
        _ => false,
    };
    let mut scores: Vec<(f64, u32)> = (0..LATENTS as u32)
        .map(|latent| {
            let mut values: Vec<f64> = Vec::new();
            let mut sums = [0.0, 0.0];
            for document in corpus.documents.values() {
                let active = document.codes[0]
                    .latents
                    .iter()
                    .find(|own| own.latent == latent);
                if let Some(own) = active {
                    values.push(f64::from(own.activation));
                    sums[usize::from(is_positive(document))] += f64::from(own.activation);
                }
            }
            let share = corpus
                .documents
                .values()
                .filter(|own| is_positive(own))
                .count() as f64
                / n;
            values.sort_by(f64::total_cmp);
            let p90 = values[(values.len() as f64 * 0.9) as usize];
            (
                ((1.0 - share) * sums[1] - share * sums[0]).abs() / p90,
                latent,
            )
        })
        .collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let first: BTreeSet<u32> = scores[..16].iter().map(|own| own.1).collect();
    assert!(eight.latents.iter().all(|own| first.contains(&own.latent)));
}

#[test]
fn nothing_explains_what_nothing_tells() {
    let mut above = 0;
    for seed in 0..12 {
        let corpus = planted(600, 100 + seed);
        let found = explained(&corpus, ALL, &options("noise", 4)).unwrap();
        assert!(found.score < 0.05, "{}", found.score);
        above += found
            .latents
            .iter()
            .filter(|own| own.p_adjusted < 0.05)
            .count();
    }
    assert!(above <= 4, "{above} of at most 48 effects");
}

#[test]
fn what_is_no_target_is_refused() {
    let corpus = planted(300, 3);
    let kind = |target: &str| {
        let found = explained(&corpus, ALL, &options(target, 4));
        found.unwrap_err().kind()
    };
    assert_eq!(kind("one"), ErrorKind::FailedPrecondition);
    assert_eq!(kind("nothing"), ErrorKind::FailedPrecondition);
    let few = explained(&corpus, "group < 2", &options("number", 4));
    assert_eq!(few.unwrap_err().kind(), ErrorKind::FailedPrecondition);
    for wrong in [
        ExplainOptions {
            latents: 0,
            ..options("number", 1)
        },
        ExplainOptions {
            held_out: 1.0,
            ..options("number", 1)
        },
        ExplainOptions {
            sample: 3,
            ..options("number", 1)
        },
    ] {
        let error = explained(&corpus, ALL, &wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(["latents", "held_out", "sample"].contains(&error.field().unwrap()));
    }
}

/// Two hundred examples of either side name the latents that were planted, with weights of their sign; three are
/// told apart by no more latents than were asked for.
#[test]
fn examples_are_told_apart_by_what_was_planted() {
    let corpus = planted(4000, 9);
    let members = |text: &str, most: usize| -> Vec<u32> {
        let filter = filter(text);
        let side = Side {
            snapshot: &corpus.snapshot,
            filter: &filter,
        };
        let docs = Members::of(side).unwrap().documents_of();
        docs.into_iter().take(most).collect()
    };
    for (examples, most, least) in [(200, 8, 7), (3, 4, 0)] {
        let (positive, negative) = (
            members("truth = true", examples),
            members("truth = false", 200),
        );
        let told = tell_apart(
            &corpus.snapshot,
            LATENTS,
            (&positive, &negative),
            most,
            1.0,
            &Progress::default(),
        )
        .unwrap();
        assert!(!told.is_empty() && told.len() <= most);
        assert!(
            told.windows(2)
                .all(|pair| pair[0].1.abs() >= pair[1].1.abs())
        );
        let planted = |latent: u32| {
            let own = TELLING.iter().find(|own| own.0 == latent);
            // The twin of 3 is as good.
            own.map(|own| own.1).or((latent == 4).then_some(2.0))
        };
        let right = told
            .iter()
            .filter(|(latent, weight)| planted(*latent).is_some_and(|sign| sign * weight > 0.0))
            .count();
        assert!(right >= least, "{examples}: {told:?}");
    }
}
