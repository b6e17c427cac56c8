//! Texts, conditions and attribute values of all of Unicode against a reading of the documents one
//! by one.

use std::collections::HashSet;
use std::ops::Bound;

use latentdb_index::filter::{AttributeTest, IdTest, Name, Pattern, TextMode, parse};
use latentdb_index::{Analyzer, Collection, Document, Filter, Operation, Snapshot, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::naive::{compare, is_like};

/// Few enough that conditions meet texts, of scripts and signs that are cut in different ways.
const PARTS: [&str; 26] = [
    "a",
    "B",
    "ß",
    "é",
    "e\u{301}",
    "ﬁ",
    "Ａ",
    "北",
    "京",
    "烤",
    "ア",
    "ｱ",
    "ไทย",
    "한",
    "👍🏽",
    "❤\u{fe0f}",
    "'",
    "’",
    "-",
    ".",
    "_",
    " ",
    " ",
    "\u{ad}",
    "7",
    "\\",
];

fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => proptest::sample::select(PARTS.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => Just("da39a3ee5e6b4b0d3255bfef95601890afd80709".repeat(20)),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::String),
        any::<i64>().prop_map(Value::Integer),
        (-3..4_i64).prop_map(Value::Integer),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::Float),
        any::<bool>().prop_map(Value::Boolean),
        // From 1677 to 2262.
        (-9_000_000_000_000_000..9_000_000_000_000_000_i64).prop_map(Value::Timestamp),
    ]
}

fn bound<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Bound<T>> {
    (value, 0..3).prop_map(|(value, kind)| match kind {
        0 => Bound::Unbounded,
        1 => Bound::Included(value),
        _ => Bound::Excluded(value),
    })
}

fn is_bounded<T>(bounds: &(Bound<T>, Bound<T>)) -> bool {
    !matches!(bounds, (Bound::Unbounded, Bound::Unbounded))
}

/// Patterns of texts with wildcards between their parts.
fn pattern() -> impl Strategy<Value = Pattern> {
    let parts = proptest::collection::vec((text(), "[%_]"), 1..3);
    (parts, any::<bool>()).prop_map(|(parts, ignore_case)| {
        let parts = parts.into_iter();
        let pattern: String = parts
            .map(|(text, wildcard)| {
                let escaped = text
                    .replace('\\', r"\\")
                    .replace('_', r"\_")
                    .replace('%', r"\%");
                escaped + &wildcard
            })
            .collect();
        Pattern {
            ignore_case,
            ..Pattern::new(pattern.chars().take(60).collect::<String>() + "%")
        }
    })
}

/// Filters as the parser makes them: groups of two and more.
fn filter() -> impl Strategy<Value = Filter> {
    let name = || proptest::sample::select(vec!["name", "and", "a b", "x`\\", "stars"]);
    let attribute = (
        name(),
        prop_oneof![
            Just(AttributeTest::Exists),
            proptest::collection::vec(value(), 1..4).prop_map(AttributeTest::In),
            (bound(value()), bound(value()))
                .prop_filter("no bound is no test", is_bounded)
                .prop_map(|(lower, upper)| AttributeTest::Range { lower, upper }),
            pattern().prop_map(AttributeTest::Like),
        ],
    );
    let id = prop_oneof![
        (bound(text()), bound(text()))
            .prop_filter("no bound is no test", is_bounded)
            .prop_map(|(lower, upper)| IdTest::Range { lower, upper }),
        pattern().prop_map(IdTest::Like),
    ];
    let activation = || bound(-2.0..2.0_f32);
    let mode = proptest::sample::select(vec![
        TextMode::Any,
        TextMode::All,
        TextMode::Phrase,
        TextMode::Prefix,
        TextMode::Fuzzy,
    ]);
    let leaf = prop_oneof![
        Just(Filter::All),
        (0..9_u32, activation(), activation()).prop_map(|(latent, lower, upper)| {
            Filter::Latent {
                latent,
                lower,
                upper,
            }
        }),
        attribute.prop_map(|(name, test)| Filter::Attribute {
            name: name.to_owned(),
            test
        }),
        proptest::collection::vec(text(), 1..3).prop_map(Filter::Ids),
        id.prop_map(Filter::Id),
        (text(), mode).prop_map(|(text, mode)| Filter::Text { text, mode }),
        text().prop_map(|name| Filter::Named(Name::SavedSet(name))),
        (0..9_u32).prop_map(|root| Filter::Named(Name::Family(root))),
    ];
    leaf.prop_recursive(4, 16, 3, |part| {
        let parts = || proptest::collection::vec(part.clone(), 2..4);
        prop_oneof![
            parts().prop_map(Filter::And),
            parts().prop_map(Filter::Or),
            part.clone().prop_map(Filter::negate),
            (text(), part.clone()).prop_map(|(sae, filter)| {
                Filter::Named(Name::Through {
                    sae,
                    filter: Box::new(filter),
                })
            }),
        ]
    })
}

#[test]
fn a_filter_printed_and_parsed_again_is_equal() {
    let mut runner = TestRunner::new(Config::with_cases(2000));
    runner
        .run(&filter(), |filter| {
            let printed = filter.to_string();
            let parsed = parse(&printed)
                .map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
            prop_assert_eq!(&parsed, &filter, "{}", printed);
            Ok(())
        })
        .unwrap();
}

/// The words of a document: those it is found by when it is the query, and of runs without spaces
/// each character.
fn words(analyzer: Analyzer, text: &str) -> HashSet<String> {
    let mut words: HashSet<String> = analyzer.query_words(text).into_iter().collect();
    for cluster in text.graphemes(true) {
        // Three of a kind are two pairs, or one word.
        if analyzer.query_words(&cluster.repeat(3)).len() == 2 {
            words.extend(analyzer.query_words(cluster));
        }
    }
    words
}

fn counts_agree(
    snapshot: &Snapshot,
    documents: &[Document],
    filter: &Filter,
) -> Result<(), String> {
    let shape = latentdb_index::filter::Shape::default();
    let Ok(resolved) = filter.resolve(&shape) else {
        return Ok(());
    };
    let naive = documents.iter().filter(|document| match filter {
        Filter::Text { text, mode } => {
            let found = document.text.as_deref().unwrap_or_default();
            let found = words(Analyzer::default(), found);
            let wanted = Analyzer::default().query_words(text);
            match mode {
                TextMode::Any => wanted.iter().any(|word| found.contains(word)),
                _ => wanted.iter().all(|word| found.contains(word)),
            }
        }
        Filter::Attribute { name, test } => {
            let Some(value) = document.attributes.get(name) else {
                return false;
            };
            match test {
                AttributeTest::Exists => true,
                AttributeTest::Like(pattern) => {
                    matches!(value, Value::String(text) if is_like(pattern, text))
                }
                AttributeTest::In(values) => values
                    .iter()
                    .any(|wanted| compare(value, wanted) == Some(std::cmp::Ordering::Equal)),
                AttributeTest::Range { lower, upper } => {
                    let above = match lower {
                        Bound::Unbounded => true,
                        Bound::Included(low) => {
                            compare(value, low).is_some_and(|order| order.is_ge())
                        }
                        Bound::Excluded(low) => {
                            compare(value, low).is_some_and(|order| order.is_gt())
                        }
                    };
                    let below = match upper {
                        Bound::Unbounded => true,
                        Bound::Included(high) => {
                            compare(value, high).is_some_and(|order| order.is_le())
                        }
                        Bound::Excluded(high) => {
                            compare(value, high).is_some_and(|order| order.is_lt())
                        }
                    };
                    above && below
                }
            }
        }
        _ => unreachable!("conditions of one kind are asked"),
    });
    let (naive, count) = (naive.count() as u64, snapshot.count(&resolved).unwrap());
    if naive == count {
        return Ok(());
    }
    Err(format!("{filter:?}: {count} documents, {naive} one by one"))
}

#[test]
fn counts_are_those_of_the_stored_documents() {
    let document = (proptest::option::of(text()), proptest::option::of(value()));
    let condition = prop_oneof![
        (text(), any::<bool>()).prop_map(|(text, any)| Filter::Text {
            text,
            mode: if any { TextMode::Any } else { TextMode::All },
        }),
        proptest::collection::vec(value(), 1..3).prop_map(|values| Filter::Attribute {
            name: "name".to_owned(),
            test: AttributeTest::In(values),
        }),
        (bound(value()), bound(value())).prop_map(|(lower, upper)| Filter::Attribute {
            name: "name".to_owned(),
            test: AttributeTest::Range { lower, upper },
        }),
        pattern().prop_map(|pattern| Filter::Attribute {
            name: "name".to_owned(),
            test: AttributeTest::Like(pattern),
        }),
    ];
    let cases = (
        proptest::collection::vec(document, 1..40),
        proptest::collection::vec(condition, 40),
    );
    let mut runner = TestRunner::new(Config::with_cases(60));
    runner
        .run(&cases, |(documents, conditions)| {
            let directory = tempfile::tempdir().unwrap();
            let collection = Collection::open(directory.path()).unwrap();
            let documents: Vec<Document> = documents
                .into_iter()
                .enumerate()
                .map(|(at, (text, value))| {
                    let mut document = Document::new(at.to_string());
                    document.text = text;
                    document
                        .attributes
                        .extend(value.map(|value| ("name".to_owned(), value)));
                    document
                })
                .collect();
            let operations = documents
                .iter()
                .cloned()
                .map(|document| Operation::Upsert(Box::new(document)));
            collection.write(operations.collect(), None).unwrap();
            let snapshot = collection.snapshot();
            for condition in &conditions {
                counts_agree(&snapshot, &documents, condition).map_err(TestCaseError::fail)?;
            }
            // Each document is found by its own words.
            for document in &documents {
                let own = Filter::Text {
                    text: document.text.clone().unwrap_or_default(),
                    mode: TextMode::Phrase,
                };
                if let Ok(resolved) = own.resolve(&latentdb_index::filter::Shape::default()) {
                    let found = snapshot.documents_matching(&resolved).unwrap();
                    let at: u32 = document.id.parse().unwrap();
                    prop_assert!(
                        found
                            .iter()
                            .any(|&doc| snapshot.id(doc).unwrap() == at.to_string())
                    );
                }
            }
            Ok(())
        })
        .unwrap();
}
