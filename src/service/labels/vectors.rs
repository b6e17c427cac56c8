//! The vectors of labels' texts, kept in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::vectors::unit;

/// Unit vectors of label texts, by collection and SAE.
#[derive(Default)]
pub(super) struct LabelVectors {
    known: Mutex<HashMap<(String, String), VectorsByText>>,
}

type VectorsByText = HashMap<String, Arc<[f32]>>;

/// Which labels of a collection texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All current ones: what no label says any more may be forgotten.
    All,
    /// Some, or earlier ones.
    Some,
}

impl LabelVectors {
    /// The vectors of `texts`, in their order; those not known yet are made by `encode`.
    pub async fn of<F>(
        &self,
        collection: (&str, &str),
        texts: &[String],
        which: Which,
        encode: impl FnOnce(Vec<String>) -> F,
    ) -> Result<Vec<Arc<[f32]>>>
    where
        F: Future<Output = Result<Vec<Vec<f32>>>>,
    {
        let collection = (collection.0.to_owned(), collection.1.to_owned());
        // Taken at once: what others forget while texts are encoded is still at hand.
        let mut found: HashMap<&str, Arc<[f32]>> = {
            let known = self.known.lock();
            let own = known.get(&collection);
            let vector = |text: &String| own?.get(text).cloned();
            let vectors = texts.iter();
            vectors
                .filter_map(|text| Some((text.as_str(), vector(text)?)))
                .collect()
        };
        let missing = texts.iter().map(String::as_str);
        let missing: BTreeSet<&str> = missing.filter(|text| !found.contains_key(text)).collect();
        let vectors = encode(missing.iter().map(|&text| text.to_owned()).collect()).await?;
        let made: Vec<(&str, Arc<[f32]>)> = missing
            .into_iter()
            .zip(vectors.iter().map(|vector| unit(vector).into()))
            .collect();
        found.extend(made.iter().cloned());
        {
            let mut known = self.known.lock();
            let own = known.entry(collection).or_default();
            own.extend(
                made.into_iter()
                    .map(|(text, vector)| (text.to_owned(), vector)),
            );
            if which == Which::All && own.len() > 2 * texts.len() + 64 {
                own.retain(|text, _| found.contains_key(text.as_str()));
            }
        }
        let vectors = texts.iter().map(|text| found.get(text.as_str()).cloned());
        vectors
            .collect::<Option<_>>()
            .ok_or_else(|| Error::internal("a label was not encoded"))
    }

    /// Forgets a collection.
    pub fn forget(&self, collection: &str) {
        self.known.lock().retain(|(id, _), _| id != collection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|at| format!("label {at}")).collect()
    }

    /// The vectors of texts, and the texts that were encoded for them.
    async fn ask(
        vectors: &LabelVectors,
        texts: &[String],
        which: Which,
        meanwhile: impl FnOnce(),
    ) -> (usize, Vec<String>) {
        let mut encoded = Vec::new();
        let encode = |texts: Vec<String>| {
            encoded.clone_from(&texts);
            meanwhile();
            async move {
                let vectors = texts.iter().map(|text| vec![text.len() as f32, 1.0]);
                Ok(vectors.collect())
            }
        };
        let found = vectors.of(("id", "name"), texts, which, encode).await;
        (found.unwrap().len(), encoded)
    }

    #[tokio::test]
    async fn asking_for_some_labels_forgets_no_others() {
        let vectors = LabelVectors::default();
        let all = texts(0..500);
        let (found, encoded) = ask(&vectors, &all, Which::All, || {}).await;
        assert_eq!((found, encoded.len()), (500, 500));
        let some = [texts(3..5), texts(900..901), texts(3..4)].concat();
        let (found, encoded) = ask(&vectors, &some, Which::Some, || {}).await;
        assert_eq!((found, encoded), (4, texts(900..901)));
        assert_eq!(ask(&vectors, &all, Which::All, || {}).await, (500, vec![]));
        // Labels that changed are forgotten in the end.
        ask(&vectors, &texts(2000..2100), Which::All, || {}).await;
        let (_, encoded) = ask(&vectors, &texts(0..1), Which::Some, || {}).await;
        assert_eq!(encoded, texts(0..1));
    }

    #[tokio::test]
    async fn what_is_forgotten_meanwhile_is_still_found() {
        let vectors = LabelVectors::default();
        ask(&vectors, &texts(0..10), Which::All, || {}).await;
        let forget = || vectors.forget("id");
        let (found, encoded) = ask(&vectors, &texts(0..11), Which::All, forget).await;
        assert_eq!((found, encoded), (11, texts(10..11)));
    }
}
