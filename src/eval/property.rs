//! Property retrieval: how well rankings for a property's text find the documents that have it
//! (the methods guide, property search).

use std::future::Future;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::metrics::{
    Judgements, Measures, average_precision_at, average_precision_of_all, rank_biased_overlap,
};
use super::trec::Run;
use crate::error::{Error, ErrorKind, Result};

/// Properties of the demo collection, in the form that [`parse`] reads.
pub const DEMO: &str = include_str!("demo_properties.json");

/// Maximum depth of a ranking.
const MAX_DEPTH: usize = 10_000;
/// p of the overlap with the dense ranking.
const OVERLAP_P: f64 = 0.98;

/// A property in words, and a filter that says which documents have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// Set and number of the property, for messages.
    pub place: String,
    /// The property in words.
    pub text: String,
    /// An expression of the filter language that relevant documents match.
    pub relevant: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    text: String,
    relevant: String,
}

/// Reads `{"SET": [{"text", "relevant"}, ..], ..}`: the properties of one set, or of all.
///
/// ```
/// use latentdb::eval::property;
///
/// let demo = property::parse(property::DEMO, Some("demo")).unwrap();
/// assert_eq!(demo[9].text, "product review");
/// assert_eq!(demo[9].relevant, "source = \"products\"");
/// ```
///
/// # Errors
/// `InvalidArgument` naming the set, the place in it and what is accepted.
pub fn parse(json: &str, set: Option<&str>) -> Result<Vec<Property>> {
    let sets: Map<String, Value> = serde_json::from_str(json)
        .map_err(|error| malformed("the file is no object of sets").with_source(error))?;
    if let Some(set) = set
        && !sets.contains_key(set)
    {
        let names: Vec<&String> = sets.keys().collect();
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("there is no set {set:?}; the sets are {names:?}"),
        ));
    }
    let mut properties = Vec::new();
    for (name, entries) in sets {
        if set.is_some_and(|set| set != name) {
            continue;
        }
        let Value::Array(entries) = entries else {
            return Err(malformed(&format!("set {name:?} is no list")));
        };
        for (number, entry) in (1..).zip(entries) {
            let place = format!("set {name:?}, property {number}");
            let entry: Entry = serde_json::from_value(entry)
                .map_err(|error| malformed(&format!("{place}: {error}")))?;
            for (field, value) in [("text", &entry.text), ("relevant", &entry.relevant)] {
                if value.trim().is_empty() {
                    return Err(malformed(&format!("{place}: {field} is empty")));
                }
            }
            properties.push(Property {
                place,
                text: entry.text,
                relevant: entry.relevant,
            });
        }
    }
    if properties.is_empty() {
        return Err(malformed("there are no properties"));
    }
    Ok(properties)
}

fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!(
            "{what}; accepted is {{\"SET\": [{{\"text\": the property in words, \"relevant\": an \
             expression of the filter language}}, ..]}}"
        ),
    )
}

/// The collection that is searched.
pub trait Rankings {
    /// A way of searching for a text.
    type Method: Copy;
    /// Why a call failed.
    type Error: From<Error>;

    /// The ids of the documents that have a property.
    fn relevant(
        &mut self,
        property: &Property,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>>;

    /// The first `depth` documents for a text, with scores, best first.
    fn ranking(
        &mut self,
        method: Self::Method,
        text: &str,
        depth: usize,
    ) -> impl Future<Output = Result<Vec<(String, f32)>, Self::Error>>;
}

/// Measures of all methods over all properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation<M> {
    /// One entry per method, in the order given.
    pub methods: Vec<Measured<M>>,
    /// Per property the number of documents that have it and average precision by method.
    pub properties: Vec<(usize, Vec<f64>)>,
}

/// One method over all properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured<M> {
    /// The method.
    pub method: M,
    /// Means over the properties.
    pub mean: Measures,
    /// Mean rank-biased overlap with the dense ranking, p = .98.
    pub overlap: f64,
    /// Its rankings by property.
    pub run: Run,
}

/// Ranks the documents for every property by every method. Average precision is that of the first
/// `depth` ranks, or else over all `documents`, those after the first 10,000 as if in random order.
///
/// # Errors
/// `FailedPrecondition` for a property that no document has; those of `rankings`.
pub async fn evaluate<R: Rankings>(
    rankings: &mut R,
    properties: &[Property],
    methods: &[R::Method],
    dense: R::Method,
    depth: Option<usize>,
    documents: usize,
) -> Result<Evaluation<R::Method>, R::Error> {
    let fetched = depth.unwrap_or(MAX_DEPTH);
    let mut columns: Vec<(Vec<Measures>, Vec<f64>, Run)> = vec![Default::default(); methods.len()];
    let mut rows = Vec::with_capacity(properties.len());
    for property in properties {
        let relevant = rankings.relevant(property).await?;
        if relevant.is_empty() {
            return Err(Error::precondition(format!(
                "{}: no document has {:?} ({}); another set is chosen with --set",
                property.place, property.text, property.relevant
            ))
            .into());
        }
        let judgements: Judgements = relevant.into_iter().map(|id| (id, 1)).collect();
        let found = rankings.ranking(dense, &property.text, fetched).await?;
        let dense: Vec<String> = found.into_iter().map(|(id, _)| id).collect();
        let mut precisions = Vec::with_capacity(methods.len());
        for (&method, (measured, overlaps, run)) in methods.iter().zip(&mut columns) {
            let found = rankings.ranking(method, &property.text, fetched).await?;
            let ids: Vec<String> = found.iter().map(|(id, _)| id.clone()).collect();
            let ap = match depth {
                Some(depth) => average_precision_at(&ids, &judgements, depth),
                None => average_precision_of_all(&ids, &judgements, documents),
            };
            precisions.push(ap);
            measured.push(Measures {
                ap,
                ..Measures::of(&ids, &judgements)
            });
            overlaps.push(rank_biased_overlap(&ids, &dense, OVERLAP_P));
            run.insert(property.text.replace(char::is_whitespace, "_"), found);
        }
        rows.push((judgements.len(), precisions));
    }
    let columns = methods.iter().zip(columns);
    Ok(Evaluation {
        methods: columns
            .map(|(&method, (measured, overlaps, run))| Measured {
                method,
                mean: Measures::mean(&measured),
                overlap: overlaps.iter().sum::<f64>() / overlaps.len().max(1) as f64,
                run,
            })
            .collect(),
        properties: rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_or_all_sets_are_read() {
        let json = r#"{"a": [{"text": "x", "relevant": "n = 1"}],
                       "b": [{"text": "y", "relevant": "n = 2"}]}"#;
        let texts = |set| -> Vec<String> {
            let properties = parse(json, set).unwrap().into_iter();
            properties.map(|property| property.text).collect()
        };
        assert_eq!(texts(Some("b")), ["y"]);
        assert_eq!(texts(None), ["x", "y"]);
        assert_eq!(parse(DEMO, None).unwrap().len(), 12);
    }

    #[test]
    fn what_is_malformed_is_named_by_set_and_place() {
        for (json, set, part) in [
            ("[]", None, "object of sets"),
            ("{}", None, "no properties"),
            (
                r#"{"a": []}"#,
                Some("b"),
                "no set \"b\"; the sets are [\"a\"]",
            ),
            (r#"{"a": {"cs.GT": "x"}}"#, None, "set \"a\" is no list"),
            (
                r#"{"a": [{"text": "x", "relevant": "y"}, {"text": "x"}]}"#,
                None,
                "set \"a\", property 2: missing field `relevant`",
            ),
            (
                r#"{"a": [{"text": "x", "min": 1}]}"#,
                None,
                "property 1: unknown field `min`",
            ),
            (
                r#"{"a": [{"text": " ", "relevant": "y"}]}"#,
                None,
                "property 1: text is empty",
            ),
        ] {
            let error = parse(json, set).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains(part), "{error}");
        }
    }

    /// Documents 0 to 9 in order, or in reverse.
    struct Fixed;

    impl Rankings for Fixed {
        type Method = bool;
        type Error = Error;

        async fn relevant(&mut self, property: &Property) -> Result<Vec<String>> {
            Ok(property.relevant.split(' ').map(str::to_owned).collect())
        }

        async fn ranking(
            &mut self,
            forward: bool,
            _: &str,
            depth: usize,
        ) -> Result<Vec<(String, f32)>> {
            let rank = |at: usize| if forward { at } else { 9 - at };
            let first = (0..10.min(depth)).map(rank);
            Ok(first.map(|id| (id.to_string(), 0.0)).collect())
        }
    }

    #[tokio::test]
    async fn methods_are_measured_against_the_filter() {
        let properties = [Property {
            place: String::new(),
            text: "first two".to_owned(),
            relevant: "0 1".to_owned(),
        }];
        let methods = [true, false];
        let found = evaluate(&mut Fixed, &properties, &methods, true, None, 10)
            .await
            .unwrap();
        let backward = (1.0 / 9.0 + 2.0 / 10.0) / 2.0;
        assert_eq!(found.properties, [(2, vec![1.0, backward])]);
        assert_eq!(found.methods[0].mean.ap, 1.0);
        assert!((found.methods[0].overlap - 1.0).abs() < 1e-12);
        assert_eq!(found.methods[1].run["first_two"][0].0, "9");
        let cut = evaluate(&mut Fixed, &properties, &[false], true, Some(5), 10)
            .await
            .unwrap();
        assert_eq!(cut.methods[0].mean.ap, 0.0);
    }
}
