//! Random documents, changes, filters and queries, from small pools so that they meet.

use std::collections::BTreeMap;
use std::ops::Bound;

use latentdb_index::filter::{AttributeTest, IdTest, Name, Pattern, Shape, TextMode};
use latentdb_index::query::{
    ActivationScale, Boosts, Fusion, Kind, LatentWeight, Latents, LatentsBm25, Nearest, Order,
    OrderBy, OrderKey, Scale,
};
use latentdb_index::{
    Activation, Codes, Document, Filter, LatentPosition, MatchingUpdate, Operation, Passages,
    Query, Requirement, Update, Value, Version,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::naive::{self, DIMENSION, N_LATENTS};

/// Documents have ids of this many numbers.
pub const IDS: usize = 400;

/// Longer than many analyzers keep.
const LONG: &str = "hippopotomonstrosesquippedaliophobiahippopotomonstrosesquippedaliophobia";
const WORDS: [&str; 13] = [
    "a", "b", "Solar", "wind", "the", "über", "x1", "wave", "tide", "coast", "moon", "star", LONG,
];
const STRINGS: [&str; 7] = [
    "",
    "tweets",
    "news",
    "News",
    "2025-03-01T00:00:00Z",
    "naïve \u{1} café",
    "12",
];
const INTEGERS: [i64; 7] = [
    i64::MIN,
    i64::MAX,
    0,
    9_007_199_254_740_993,
    9_007_199_254_740_992,
    -7,
    1_000_000,
];
const FLOATS: [f64; 9] = [
    -0.0,
    0.0,
    0.5,
    1.0,
    2.0,
    -2.25,
    1e300,
    f64::MIN_POSITIVE,
    -1e19,
];
const MICROS: [i64; 6] = [
    0,
    1,
    1_740_787_200_000_000,
    1_740_787_200_000_001,
    -5_000_000,
    i64::MAX / 1000,
];

/// The id of a number: plain, spaced, accented and long ones.
pub fn id(number: usize) -> String {
    match number % 4 {
        0 => format!("{number}"),
        1 => format!("doc {number} é/%"),
        2 => format!("D-{number}"),
        _ => format!("{}{number}", "long".repeat(20)),
    }
}

pub fn random(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn pick<T: Clone>(random: &mut StdRng, values: &[T]) -> T {
    values.choose(random).unwrap().clone()
}

fn text(random: &mut StdRng) -> String {
    let length = random.random_range(0..14);
    let mut text = String::new();
    for _ in 0..length {
        text.push_str(pick(random, &WORDS));
        text.push_str(pick(random, &[" ", ", ", "-", " ("]));
    }
    text
}

pub fn vector(random: &mut StdRng) -> Vec<f32> {
    if random.random_bool(0.1) {
        // Equal vectors, so that scores tie.
        return vec![1.0; DIMENSION];
    }
    let scale = pick(random, &[1.0, 1.0, 1e-6, 1e4]);
    (0..DIMENSION)
        .map(|_| random.random_range(-1.0_f32..1.0) * scale)
        .collect()
}

pub fn latents(random: &mut StdRng) -> Vec<Activation> {
    let mut chosen = BTreeMap::new();
    for _ in 0..random.random_range(0..7) {
        // The square makes low latents frequent, so that their lists have full blocks.
        let share: f64 = random.random::<f64>().powi(2);
        let latent = (share * N_LATENTS as f64) as u32;
        let activation = match random.random_range(0..12) {
            0 => 0.0,
            1 => 1e-9,
            2 => 65_504.0,
            3 => 6e-8,
            4..7 => 0.5,
            _ => random.random_range(0.01_f32..9.0),
        };
        chosen.insert(latent, activation);
    }
    chosen
        .into_iter()
        .map(|(latent, activation)| Activation { latent, activation })
        .collect()
}

/// Positions of some latents, as often as not of none.
fn positions(random: &mut StdRng, latents: &[Activation]) -> Vec<LatentPosition> {
    if random.random() {
        return Vec::new();
    }
    let some = latents.iter().filter(|_| random.random_bool(0.7));
    let latents: Vec<u32> = some.map(|entry| entry.latent).collect();
    latents
        .into_iter()
        .map(|latent| {
            let token = random.random_range(0..300);
            LatentPosition {
                latent,
                token,
                start: 4 * token,
                end: 4 * token + 3,
            }
        })
        .collect()
}

/// What another SAE makes of a document.
fn codes(random: &mut StdRng) -> Codes {
    let latents = latents(random);
    Codes {
        positions: positions(random, &latents),
        latents,
    }
}

fn scalar(random: &mut StdRng) -> Value {
    match random.random_range(0..5) {
        0 => Value::String(pick(random, &STRINGS).into()),
        1 => Value::Integer(random.random_range(-2..3)),
        2 => Value::Float(pick(random, &FLOATS)),
        3 => Value::Boolean(random.random()),
        _ => Value::Timestamp(pick(random, &MICROS)),
    }
}

fn list(random: &mut StdRng, one: impl Fn(&mut StdRng) -> Value) -> Value {
    let length = random.random_range(0..4);
    Value::List((0..length).map(|_| one(random)).collect())
}

/// The attributes' names, each with the values it takes. Only `mixed` has several kinds; `big`
/// has integers that a float cannot hold.
const ATTRIBUTES: [&str; 11] = [
    "source", "stars", "big", "score", "mixed", "tags", "numbers", "when", "flags", "a", "a.b",
];

fn value(random: &mut StdRng, name: &str) -> Value {
    let string = |random: &mut StdRng| Value::String(pick(random, &STRINGS).into());
    match name {
        "source" => string(random),
        "stars" => Value::Integer(random.random_range(0..5)),
        "big" => Value::Integer(pick(random, &INTEGERS)),
        "score" => Value::Float(pick(random, &FLOATS)),
        "tags" => list(random, string),
        "numbers" if random.random() => {
            list(random, |random| Value::Integer(random.random_range(-2..3)))
        }
        "numbers" => list(random, |random| Value::Float(pick(random, &FLOATS))),
        "when" => Value::Timestamp(pick(random, &MICROS)),
        "flags" if random.random() => list(random, |random| Value::Boolean(random.random())),
        "flags" => Value::Boolean(random.random()),
        "a" => Value::Integer(1),
        "a.b" => Value::Integer(2),
        _ => scalar(random),
    }
}

/// A document of any shape.
pub fn document(random: &mut StdRng) -> Document {
    let mut document = Document::new(id(random.random_range(0..IDS)));
    document.text = random.random_bool(0.8).then(|| text(random));
    for name in ATTRIBUTES {
        if random.random_bool(0.4) {
            document.attributes.insert(name.into(), value(random, name));
        }
    }
    document.vector = random.random_bool(0.85).then(|| vector(random));
    document.codes = (0..random.random_range(0..4))
        .map(|_| codes(random))
        .collect();
    if random.random_bool(0.1) {
        document.codes = Vec::new();
    }
    let n_latents = [N_LATENTS; 3];
    assert!(document.validate(Some(DIMENSION), &n_latents).is_ok());
    document
}

fn update(random: &mut StdRng, id: String) -> Update {
    let mut update = Update {
        id,
        ..Update::default()
    };
    update.text = random.random_bool(0.3).then(|| text(random));
    update.vector = random.random_bool(0.3).then(|| vector(random));
    update.codes = (0..random.random_range(0..4))
        .map(|_| random.random::<bool>().then(|| codes(random)))
        .collect();
    for name in ATTRIBUTES {
        match random.random_range(0..6) {
            0 => {
                update.set.insert(name.into(), value(random, name));
            }
            1 => update.remove.push(name.into()),
            _ => {}
        }
    }
    update
}

pub fn upserts(random: &mut StdRng, count: usize) -> Vec<Operation> {
    (0..count)
        .map(|_| Operation::Upsert(Box::new(document(random))))
        .collect()
}

/// A document of few, split into passages, of which some may exist.
fn passages(random: &mut StdRng) -> Operation {
    let mut whole = document(random);
    whole.id = id(random.random_range(0..IDS / 40));
    whole.vector = None;
    whole.codes = Vec::new();
    let texts = (0..random.random_range(0..6)).map(|_| text(random));
    let mut passages = Passages::of(whole, texts.collect()).unwrap();
    for own in passages.documents_mut() {
        own.vector = random.random_bool(0.85).then(|| vector(random));
        own.codes = (0..random.random_range(0..4))
            .map(|_| codes(random))
            .collect();
    }
    passages.keep_existing = random.random_bool(0.3);
    Operation::Passages(Box::new(passages))
}

/// Updates of documents that exist.
pub fn updates(random: &mut StdRng, count: usize, living: &[String]) -> Vec<Operation> {
    living
        .sample(random, count)
        .cloned()
        .collect::<Vec<_>>()
        .into_iter()
        .map(|id| Operation::Update(Box::new(update(random, id))))
        .collect()
}

/// A change of attributes of what a filter describes.
pub fn matching_update(random: &mut StdRng) -> Operation {
    let mut change = update(random, String::new());
    if change.set.is_empty() {
        change.remove = vec!["source".into(), "tags".into()];
    }
    Operation::UpdateMatching(Box::new(MatchingUpdate {
        filter: filter(random, 1).resolve(&naive::Names).unwrap(),
        set: change.set,
        remove: change.remove,
    }))
}

/// A batch of writes that depend on what is there: mostly as it is, now and then not, and then all
/// of it must be refused.
pub fn conditional(random: &mut StdRng, documents: &BTreeMap<String, Document>) -> Vec<Operation> {
    let mut operations = Vec::new();
    if random.random_bool(0.1) {
        operations.push(matching_update(random));
    }
    for _ in 0..random.random_range(1..10) {
        let document = document(random);
        let id = document.id.clone();
        let known = documents.get(&id).map(Version::of);
        let wrong = Version::of(&document);
        match (random.random_range(0..6), known) {
            (0..2, _) => operations.push(Operation::Insert(Box::new(document))),
            (2, None) => operations.push(Operation::Require {
                id,
                state: Requirement::Absent,
            }),
            (3, None) if random.random_bool(0.1) => operations.push(Operation::Require {
                id,
                state: Requirement::Version(wrong),
            }),
            (kind, Some(known)) => {
                let version = if random.random_bool(0.05) {
                    wrong
                } else {
                    known
                };
                operations.push(Operation::Require {
                    id: id.clone(),
                    state: Requirement::Version(version),
                });
                operations.push(match kind {
                    2 => Operation::Delete(vec![id]),
                    3 => Operation::Update(Box::new(update(random, id))),
                    _ => Operation::Upsert(Box::new(document)),
                });
            }
            (_, None) => {}
        }
    }
    operations
}

pub fn deletes(random: &mut StdRng, count: usize) -> Vec<Operation> {
    let ids = (0..count).map(|_| id(random.random_range(0..IDS)));
    vec![Operation::Delete(ids.collect())]
}

/// A batch of everything over few documents, now and then one that must be refused.
pub fn mixed(random: &mut StdRng, living: &[String]) -> Vec<Operation> {
    let mut operations = Vec::new();
    if random.random_bool(0.3) {
        operations.push(Operation::DeleteMatching(Filter::equals(
            "stars",
            Value::Integer(random.random_range(0..5)),
        )));
    }
    for _ in 0..random.random_range(1..12) {
        match random.random_range(0..12) {
            0..3 => operations.extend(upserts(random, 2)),
            3..5 => operations.extend(updates(random, 2, living)),
            5..7 => operations.extend(deletes(random, 3)),
            7..10 => operations.push(passages(random)),
            10 if !living.is_empty() => {
                // Passages one by one too, so that their numbers have gaps.
                let some: Vec<String> = living.sample(random, 3).cloned().collect();
                let passages = living.iter().filter(|id| id.contains('#')).take(1);
                operations.push(Operation::Delete(
                    some.into_iter().chain(passages.cloned()).collect(),
                ));
            }
            _ => {
                // May name a document that an operation before this one inserted or deleted.
                let id = id(random.random_range(0..IDS / 10));
                operations.push(Operation::Update(Box::new(update(random, id))));
            }
        }
    }
    operations
}

fn bound<T>(random: &mut StdRng, one: impl Fn(&mut StdRng) -> T) -> Bound<T> {
    let value = one(random);
    match random.random_range(0..3) {
        0 => Bound::Included(value),
        1 => Bound::Excluded(value),
        _ => Bound::Unbounded,
    }
}

/// A value to compare with: of the attribute's own kind, or now and then of any.
fn operand(random: &mut StdRng, name: &str) -> Value {
    if random.random_bool(0.2) {
        return scalar(random);
    }
    match value(random, name) {
        Value::List(values) => values.first().cloned().unwrap_or(Value::Integer(1)),
        scalar => scalar,
    }
}

fn attribute_test(random: &mut StdRng, name: &str) -> AttributeTest {
    match random.random_range(0..6) {
        0 => AttributeTest::Exists,
        5 => AttributeTest::Like(pattern(random, &STRINGS)),
        1 => AttributeTest::In(vec![operand(random, name)]),
        2 => {
            let count = random.random_range(0..4);
            AttributeTest::In((0..count).map(|_| operand(random, name)).collect())
        }
        _ => loop {
            let lower = bound(random, |random| operand(random, name));
            let upper = bound(random, |random| operand(random, name));
            let test = AttributeTest::Range { lower, upper };
            let filter: Filter = Filter::Attribute {
                name: name.into(),
                test: test.clone(),
            };
            // Between what and what is not said: nobody asks that.
            let open = AttributeTest::Range {
                lower: Bound::Unbounded,
                upper: Bound::Unbounded,
            };
            if test != open && filter.resolve(&Shape::default()).is_ok() {
                return test;
            }
        },
    }
}

/// A pattern of one of `texts`, some of its characters wildcards, or of none.
fn pattern<T: AsRef<str>>(random: &mut StdRng, texts: &[T]) -> Pattern {
    let text = texts[random.random_range(0..texts.len())].as_ref();
    let mut pattern = String::new();
    for character in text.chars() {
        match (random.random_range(0..8), character) {
            (0, _) => pattern.push('_'),
            (1, _) => pattern.push('%'),
            (2, _) => pattern.push_str("%%_"),
            (_, '%' | '_' | '\\') => pattern.extend(['\\', character]),
            (3, _) => pattern.extend(character.to_uppercase()),
            _ => pattern.push(character),
        }
    }
    if random.random() {
        pattern = format!("{}%", pattern.chars().take(3).collect::<String>());
    }
    Pattern {
        ignore_case: random.random(),
        ..Pattern::new(pattern.trim_end_matches('\\'))
    }
}

fn id_test(random: &mut StdRng) -> IdTest {
    let one = |random: &mut StdRng| id(random.random_range(0..IDS));
    if random.random() {
        let ids: Vec<String> = (0..4).map(|_| one(random)).collect();
        return IdTest::Like(pattern(random, &ids));
    }
    IdTest::Range {
        lower: Bound::Included(one(random)),
        upper: bound(random, one),
    }
}

/// A filter with at most `depth` levels below it.
pub fn filter(random: &mut StdRng, depth: usize) -> Filter {
    let parts = |random: &mut StdRng| -> Vec<Filter> {
        (0..random.random_range(0..4))
            .map(|_| filter(random, depth - 1))
            .collect()
    };
    match random.random_range(0..if depth > 0 { 16 } else { 10 }) {
        0 | 1 => Filter::latent(random.random_range(0..N_LATENTS as u32)),
        2 => Filter::Latent {
            latent: random.random_range(0..6),
            lower: bound(random, |random| pick(random, &[0.0, 0.5, 3.0, 65_504.0])),
            upper: bound(random, |random| {
                pick(random, &[0.5, 4.0, 65_504.0, f32::INFINITY])
            }),
        },
        3..6 => {
            let name = pick(random, &ATTRIBUTES);
            Filter::Attribute {
                name: name.into(),
                test: attribute_test(random, name),
            }
        }
        6 if random.random() => Filter::Id(id_test(random)),
        6 => Filter::Ids(
            (0..random.random_range(0..8))
                .map(|_| id(random.random_range(0..IDS)))
                .collect(),
        ),
        7 => {
            let mode = mode(random);
            Filter::Text {
                text: query_text(random, mode),
                mode,
            }
        }
        8 => Filter::Named(Name::SavedSet(
            pick(random, &["busy", "nested", "frozen"]).into(),
        )),
        9 if random.random() => {
            Filter::Named(Name::Family(random.random_range(0..N_LATENTS as u32)))
        }
        9 => Filter::All,
        10 | 11 => Filter::And(parts(random)),
        12 | 13 => Filter::Or(parts(random)),
        _ => filter(random, depth - 1).negate(),
    }
}

fn mode(random: &mut StdRng) -> TextMode {
    pick(
        random,
        &[
            TextMode::Any,
            TextMode::All,
            TextMode::Phrase,
            TextMode::Prefix,
            TextMode::Fuzzy,
        ],
    )
}

fn query_text(random: &mut StdRng, mode: TextMode) -> String {
    let words: Vec<String> = (0..random.random_range(1..4))
        .map(|_| match mode {
            TextMode::Prefix => {
                let word = pick(random, &WORDS);
                let most = random.random_range(1..4);
                word.chars().take(most).collect()
            }
            TextMode::Fuzzy => misspelt(random),
            _ => pick(random, &WORDS).to_owned(),
        })
        .collect();
    words.join(" ")
}

/// A word with up to three characters taken out, put in, replaced or swapped.
fn misspelt(random: &mut StdRng) -> String {
    let mut word: Vec<char> = pick(random, &WORDS).chars().collect();
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..word.len());
        match random.random_range(0..4) {
            0 if word.len() > 1 => drop(word.remove(at)),
            1 => word.insert(at, 'e'),
            2 if at > 0 => word.swap(at - 1, at),
            _ => word[at] = 'z',
        }
    }
    word.into_iter().collect()
}

fn order(random: &mut StdRng) -> Order {
    match random.random_range(0..5) {
        0 => Order::Stored,
        1 => Order::Random {
            seed: random.random_range(0..4),
        },
        _ => {
            let count = random.random_range(1..4);
            let keys = (0..count).map(|_| OrderKey {
                by: match random.random_range(0..6) {
                    0 => OrderBy::Id,
                    _ => OrderBy::Attribute(pick(random, &ATTRIBUTES).into()),
                },
                descending: random.random(),
            });
            Order::By(keys.collect())
        }
    }
}

fn weights(random: &mut StdRng) -> Vec<LatentWeight> {
    let sign: i32 = random.random_range(-1..2);
    let all: Vec<u32> = (0..N_LATENTS as u32).collect();
    let count = random.random_range(1..10);
    all.sample(random, count)
        .copied()
        .collect::<Vec<_>>()
        .into_iter()
        .map(|latent| {
            let weight = match random.random_range(0..6) {
                0 => 0.0,
                1 => 1.0,
                _ => random.random_range(0.01_f32..2.0),
            };
            let weight = match sign {
                -1 => -weight,
                0 if random.random() => -weight,
                _ => weight,
            };
            LatentWeight { latent, weight }
        })
        .collect()
}

fn nearest(random: &mut StdRng) -> Nearest {
    Nearest {
        vector: vector(random),
        exact: random.random(),
        ef: random.random_range(1..200),
    }
}

fn latents_query(random: &mut StdRng) -> Latents {
    let scales = [ActivationScale::Raw, ActivationScale::Percentile90];
    Latents {
        weights: weights(random),
        scale: pick(random, &scales),
        idf: random.random(),
    }
}

/// A query with at most `depth` levels below it.
pub fn query(random: &mut StdRng, depth: usize) -> Query {
    node(random, depth, true)
}

/// A query below another, which takes no order unless it goes by rank.
fn node(random: &mut StdRng, depth: usize, at_root: bool) -> Query {
    let kind = match random.random_range(0..if depth > 0 { 14 } else { 9 }) {
        0 => Kind::Nearest(nearest(random)),
        1 => {
            let nearest = nearest(random);
            let (weights, unit) = (weights(random), Some(pick(random, &[0.2, 1.0, 3.0])));
            Kind::Boost(nearest, Boosts { weights, unit })
        }
        2..4 => Kind::Latents(latents_query(random)),
        4 => Kind::LatentsBm25(LatentsBm25 {
            weights: weights(random),
            k1: pick(random, &[0.1, 1.2, 8.0]),
            b: pick(random, &[0.0, 0.7, 1.0]),
        }),
        5..8 => {
            let mode = mode(random);
            Kind::Text {
                text: query_text(random, mode),
                mode,
            }
        }
        8 if at_root => Kind::Matching(order(random)),
        8 => Kind::Matching(Order::Stored),
        9 | 10 => Kind::Fusion {
            children: (0..random.random_range(1..4))
                .map(|_| {
                    (
                        node(random, depth - 1, false),
                        random.random_range(-0.5_f32..2.0),
                    )
                })
                .collect(),
            method: pick(
                random,
                &[
                    Fusion::ReciprocalRank { k: 60.0 },
                    Fusion::ReciprocalRank { k: 0.0 },
                    Fusion::MinMax,
                    Fusion::DistributionBased,
                ],
            ),
            depth: pick(random, &[1, 3, 10, 1000]),
        },
        11 | 12 => Kind::Fusion {
            children: (0..random.random_range(1..4))
                .map(|_| (node(random, 0, false), random.random_range(-0.5_f32..2.0)))
                .collect(),
            method: Fusion::Linear(pick(random, &[Scale::Raw, Scale::Standard])),
            depth: pick(random, &[1, 3, 10, 1000]),
        },
        _ => Kind::Except {
            query: Box::new(node(random, depth - 1, at_root)),
            minus: Box::new(query(random, depth - 1)),
            top: pick(random, &[1, 5, 100]),
        },
    };
    let filter = random.random_bool(0.4).then(|| filter(random, 2));
    Query {
        kind,
        filter,
        name: None,
    }
}
