//! Holds a snapshot against the model.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use latentdb_index::analysis::{attribute_facet, latent_counts};
use latentdb_index::filter::TextMode;
use latentdb_index::query::{Fusion, Hit, Kind, Latents, Order, Ranking, execute, execute_after};
use latentdb_index::{Document, Filter, Query, ResolvedFilter, Snapshot, Value, Version};
use sha2::{Digest as _, Sha256};

use crate::naive::{self, Model, N_LATENTS};

/// Expected score of a document and how far rounding may move it.
type Expected = BTreeMap<String, (f64, f64)>;

/// A snapshot and the model of what it must hold.
pub struct Checked<'a> {
    snapshot: &'a Snapshot,
    model: &'a Model,
    ids: HashMap<u32, String>,
}

impl<'a> Checked<'a> {
    /// Checks that the snapshot holds the model's documents, whole, and no other.
    pub fn new(snapshot: &'a Snapshot, model: &'a Model) -> Self {
        assert_eq!(snapshot.n_docs(), model.documents.len() as u64, "documents");
        let mut ids = HashMap::new();
        for doc in snapshot.living() {
            let document = snapshot.document(doc).unwrap();
            let mut expected = model.documents.get(&document.id).cloned();
            if let Some(expected) = &mut expected {
                // A snapshot shows one SAE at a time.
                expected.codes_mut(0);
                expected.codes.truncate(1);
            }
            // PartialEq takes -0 for 0, and so may the store.
            assert_eq!(Some(&document), expected.as_ref(), "{:?}", document.id);
            assert_eq!(snapshot.find(&document.id).unwrap(), Some(doc));
            ids.insert(doc, document.id);
        }
        let distinct: BTreeSet<&String> = ids.values().collect();
        assert_eq!(distinct.len(), model.documents.len(), "an id stands twice");
        Self {
            snapshot,
            model,
            ids,
        }
    }

    /// Versions are those of the documents as they were given, whichever way they came to be.
    pub fn versions(&self) {
        for (&doc, id) in &self.ids {
            let expected = Version::of(&self.model.documents[id]);
            assert_eq!(self.snapshot.version(doc).unwrap(), expected, "{id:?}");
        }
    }

    /// Percentiles, counts and facets of the whole collection and of a filter's set.
    pub fn statistics(&self, filter: &Filter) {
        for latent in 0..N_LATENTS as u32 {
            let found = self.snapshot.percentile90(latent).map(f64::from);
            let expected = self.model.percentile90(latent);
            assert_eq!(
                found.is_some(),
                expected.is_some(),
                "percentile of {latent}"
            );
            if let (Some(found), Some(expected)) = (found, expected) {
                assert!(
                    (found - expected).abs() <= 1e-6 * expected,
                    "{found} {expected}"
                );
            }
        }
        self.centroids();
        let filter = filter.resolve(&naive::Names).unwrap();
        let members = self.model.matching(&filter);
        let mut counts: BTreeMap<u32, (u64, f64)> = BTreeMap::new();
        for id in &members {
            for entry in self.model.documents[id].latents() {
                let slot = counts.entry(entry.latent).or_default();
                slot.0 += 1;
                slot.1 += f64::from(entry.activation);
            }
        }
        let found = latent_counts(self.snapshot, &filter).unwrap();
        assert_eq!(found.len(), counts.len(), "latents of {filter:?}");
        for entry in found {
            let (count, sum) = counts[&entry.latent];
            assert_eq!(entry.count, count, "count of latent {}", entry.latent);
            let mean = sum / count as f64;
            assert!((f64::from(entry.mean_activation) - mean).abs() <= 1e-6 * mean);
        }
        for name in [
            "source", "stars", "big", "score", "numbers", "tags", "when", "flags",
        ] {
            self.attribute_counts(&filter, &members, name);
        }
    }

    /// Each latent's centroid points where its documents' unit vectors do on weighted average.
    fn centroids(&self) {
        let centroids = self.snapshot.centroids();
        for latent in 0..N_LATENTS as u32 {
            let (sum, magnitude) = self.model.centroid_sum(latent);
            let norm = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
            let found = centroids.get(latent);
            // Vectors that cancel out have no direction to agree on.
            if norm > 1e-3 * magnitude {
                let off = found
                    .unwrap()
                    .iter()
                    .zip(&sum)
                    .map(|(a, b)| f64::from(*a) - b / norm);
                let most = off.fold(0.0_f64, |most, value| most.max(value.abs()));
                assert!(most < 2e-3, "centroid of {latent} is {most} off");
            } else if magnitude == 0.0 {
                assert_eq!(found, None, "centroid of {latent}");
            }
        }
    }

    fn attribute_counts(&self, filter: &ResolvedFilter, members: &BTreeSet<String>, name: &str) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut having = 0;
        for id in members {
            let value = self.model.documents[id].attributes.get(name);
            let scalars = value.map_or(&[][..], Value::scalars);
            having += u64::from(!scalars.is_empty());
            let distinct: BTreeSet<String> = scalars.iter().map(value_name).collect();
            for value in distinct {
                *counts.entry(value).or_default() += 1;
            }
        }
        let facet = attribute_facet(self.snapshot, filter, name, 3).unwrap();
        assert_eq!(facet.documents, having, "documents with {name}");
        assert_eq!(facet.distinct, counts.len() as u64, "values of {name}");
        assert_eq!(facet.values.len(), counts.len().min(3));
        let mut best: Vec<u64> = counts.values().copied().collect();
        best.sort_by(|a, b| b.cmp(a));
        for (entry, best) in facet.values.iter().zip(best) {
            assert_eq!(entry.count, counts[&value_name(&entry.value)], "{name}");
            assert_eq!(entry.count, best, "{name}: not the most frequent");
        }
    }

    /// Checks the set and the count of a filter.
    pub fn filter(&self, filter: &Filter) {
        let filter = filter.resolve(&naive::Names).unwrap();
        let docs = self.snapshot.documents_matching(&filter).unwrap();
        assert!(docs.is_sorted(), "documents are in order");
        let found: BTreeSet<String> = docs.iter().map(|doc| self.ids[doc].clone()).collect();
        assert_eq!(found, self.model.matching(&filter), "{filter:?}");
        assert_eq!(self.snapshot.count(&filter).unwrap(), docs.len() as u64);
    }

    /// Runs a query under the filters above it and checks its hits and their components. Returns
    /// the hits: the parent's oracle builds on rankings that are themselves checked.
    pub fn query(&self, query: &Query, inherited: &Filter, limit: usize) -> Vec<Hit> {
        let mut query = query.clone();
        let own = query.filter.take().unwrap_or(Filter::All);
        let filter = Filter::And(vec![inherited.clone(), own]);
        query.filter = Some(filter.clone());
        let ranking = self.run(&query, limit);
        let allowed = self.model.matching(&filter);
        assert_eq!(ranking.plan.allowed, allowed.len() as u64, "{query:?}");
        if let Kind::Matching(order) = &query.kind {
            let docs: Vec<u32> = ranking.hits.iter().map(|hit| hit.doc).collect();
            let mut expected = self.ordered(order, &allowed);
            expected.truncate(limit);
            assert_eq!(docs, expected, "{order:?}");
        }
        self.next_hits(&query, &ranking);
        let mut expected = self.expected(&query, &filter, &ranking);
        expected.retain(|id, _| allowed.contains(id));
        self.compare(&ranking.hits, &expected, limit, &query);
        ranking.hits
    }

    /// The documents in an order, those that are equal in it by their numbers.
    fn ordered(&self, order: &Order, allowed: &BTreeSet<String>) -> Vec<u32> {
        let mut docs: Vec<(u32, &Document)> = self
            .ids
            .iter()
            .filter(|(_, id)| allowed.contains(*id))
            .map(|(&doc, id)| (doc, &self.model.documents[id]))
            .collect();
        docs.sort_by_key(|(doc, _)| *doc);
        match order {
            Order::Stored => {}
            Order::Random { seed } => docs.sort_by_cached_key(|(_, document)| {
                Sha256::new()
                    .chain_update(seed.to_le_bytes())
                    .chain_update(&document.id)
                    .finalize()
            }),
            Order::By(keys) => docs.sort_by(|(_, a), (_, b)| {
                let by_key = keys.iter().map(|key| naive::compare_by(key, a, b));
                by_key.fold(Ordering::Equal, Ordering::then)
            }),
        }
        docs.into_iter().map(|(doc, _)| doc).collect()
    }

    /// The hits behind those of a part of the ranking are the others.
    fn next_hits(&self, query: &Query, ranking: &Ranking) {
        let (first, others) = ranking.hits.split_at(ranking.hits.len() / 3);
        let seen = first.iter().map(|hit| hit.doc).collect();
        let resolved = query.resolve(&naive::Names).unwrap();
        let next = execute_after(&resolved, self.snapshot, &seen, others.len()).unwrap();
        assert_eq!(next.hits, others, "{query:?}");
        assert_eq!(next.plan.allowed, ranking.plan.allowed);
    }

    fn run(&self, query: &Query, limit: usize) -> Ranking {
        let resolved = query.resolve(&naive::Names).unwrap();
        execute(&resolved, self.snapshot, limit).unwrap()
    }

    /// The scores of all documents the query could return.
    fn expected(&self, query: &Query, filter: &Filter, ranking: &Ranking) -> Expected {
        match &query.kind {
            Kind::Nearest(nearest) => self
                .model
                .cosines(&nearest.vector)
                .into_iter()
                .map(|(id, cosine)| (id, (cosine, 1e-5)))
                .collect(),
            Kind::Boost(nearest, boosts) => {
                let scores = self.model.boosted(&nearest.vector, boosts).into_iter();
                scores
                    .map(|(id, (score, magnitude))| (id, (score, 1e-5 * magnitude)))
                    .collect()
            }
            // Deleted documents may count in the statistics: as with text, the engine's own then.
            Kind::LatentsBm25(_) | Kind::Latents(Latents { idf: true, .. })
                if self.model.ghosts =>
            {
                let everything = self.run(query, self.ids.len() + 1);
                let hits = everything.hits.iter();
                hits.map(|hit| (self.id(hit), close(hit.score))).collect()
            }
            Kind::LatentsBm25(bm25) => {
                let scores = self.model.latents_bm25(bm25).into_iter();
                scores
                    .map(|(id, (score, magnitude))| (id, (score, 2e-5 * magnitude)))
                    .collect()
            }
            Kind::Latents(latents) => self
                .model
                .latent_scores(latents)
                .into_iter()
                .map(|(id, (score, magnitude))| (id, (score, 1e-5 * magnitude)))
                .collect(),
            Kind::Text { text, mode } => self.expected_text(query, text, *mode, filter),
            Kind::Matching(_) => {
                let all = self.model.documents.keys();
                all.map(|id| (id.clone(), (0.0, 0.0))).collect()
            }
            Kind::Fusion {
                children,
                method: Fusion::Linear(scale),
                ..
            } => {
                let mut rankings = Vec::new();
                for (at, (child, weight)) in children.iter().enumerate() {
                    let hits = self.query(child, filter, self.ids.len() + 1);
                    let scores: BTreeMap<String, f32> =
                        hits.iter().map(|hit| (self.id(hit), hit.score)).collect();
                    for hit in &ranking.hits {
                        let name = &ranking.plan.children[at].name;
                        let part = hit.components.iter().find(|part| part.name == *name);
                        let expected = scores.get(&self.id(hit)).copied().unwrap_or(0.0);
                        let off = (part.unwrap().score - expected).abs();
                        assert!(off <= 1e-5 * expected.abs().max(1.0), "{hit:?} {expected}");
                    }
                    rankings.push((scores, *weight));
                }
                naive::combined(*scale, &rankings, &self.model.matching(filter))
            }
            Kind::Fusion {
                children,
                method,
                depth,
            } => {
                let mut rankings = Vec::new();
                for (at, (child, weight)) in children.iter().enumerate() {
                    let hits = self.query(child, filter, *depth);
                    self.compare_components(ranking, at, &hits);
                    let ranking = hits.iter().map(|hit| (self.id(hit), hit.score)).collect();
                    rankings.push((ranking, *weight));
                }
                naive::fused(*method, &rankings)
                    .into_iter()
                    .map(|(id, score)| (id, (score, 1e-5 * score.abs().max(1.0))))
                    .collect()
            }
            Kind::Except { query, minus, top } => {
                let minus = self.query(minus, &Filter::All, *top);
                let taken: BTreeSet<u32> = minus.iter().map(|hit| hit.doc).collect();
                let all = self.query(query, filter, self.ids.len() + 1);
                all.iter()
                    .filter(|hit| !taken.contains(&hit.doc))
                    .map(|hit| (self.id(hit), close(hit.score)))
                    .collect()
            }
        }
    }

    /// BM25 to the digit while the statistics are known. While deleted documents may count in
    /// them, the engine's own scores, once they are seen to agree with every term count: a document
    /// that has no term less often and is no longer does not score lower.
    fn expected_text(
        &self,
        query: &Query,
        text: &str,
        mode: TextMode,
        filter: &Filter,
    ) -> Expected {
        if !self.model.ghosts {
            let documents = &self.model.documents;
            let texts: BTreeMap<&str, &str> = documents
                .iter()
                .map(|(id, document)| (id.as_str(), document.text.as_deref().unwrap_or("")))
                .collect();
            return naive::bm25(&texts, text, mode)
                .into_iter()
                .map(|(id, score)| (id.to_owned(), (score, 2e-5 * score)))
                .collect();
        }
        let everything = self.run(query, self.ids.len() + 1);
        let found: BTreeSet<String> = everything.hits.iter().map(|hit| self.id(hit)).collect();
        let words = Filter::Text {
            text: text.to_owned(),
            mode,
        };
        let both = filter.clone().and(words);
        assert_eq!(found, self.model.matching(&both), "{query:?}");
        let counted: Vec<((Vec<usize>, usize), f32)> = everything
            .hits
            .iter()
            .map(|hit| {
                let found = self.model.documents[&self.id(hit)].text.as_deref();
                (
                    naive::term_counts(found.unwrap_or(""), text, mode),
                    hit.score,
                )
            })
            .collect();
        for ((counts, length), score) in &counted {
            for ((other, other_length), other_score) in &counted {
                let dominates = counts
                    .iter()
                    .zip(other)
                    .all(|(count, other)| count >= other)
                    && length <= other_length;
                assert!(
                    !dominates || f64::from(*score) >= f64::from(*other_score) * (1.0 - 1e-5),
                    "{counts:?} of {length} scores {score}, {other:?} of {other_length} {other_score}",
                );
            }
        }
        let hits = everything.hits.iter();
        hits.map(|hit| (self.id(hit), close(hit.score))).collect()
    }

    /// Each hit has its expected score, they are in order, and nothing better was left out.
    fn compare(&self, hits: &[Hit], expected: &Expected, limit: usize, query: &Query) {
        let context = || format!("{query:?}\nhits {hits:?}\nexpected {expected:?}");
        assert_eq!(hits.len(), expected.len().min(limit), "{}", context());
        let mut seen = BTreeSet::new();
        for hit in hits {
            let id = self.id(hit);
            let Some(&(score, tolerance)) = expected.get(&id) else {
                panic!("{id:?} is no hit of {}", context());
            };
            let off = (f64::from(hit.score) - score).abs();
            assert!(off <= tolerance, "{id:?}: {off} off, {}", context());
            assert!(seen.insert(id), "a hit stands twice: {}", context());
        }
        assert!(
            has_own_order(query)
                || hits.windows(2).all(|pair| pair[0].score > pair[1].score
                    || (pair[0].score == pair[1].score && pair[0].doc < pair[1].doc)),
            "not in order: {}",
            context()
        );
        let Some(last) = hits.last() else { return };
        for (id, (score, tolerance)) in expected {
            assert!(
                seen.contains(id) || *score <= f64::from(last.score) + 2.0 * tolerance,
                "{id:?} was left out: {}",
                context()
            );
        }
        if !matches!(query.kind, Kind::Fusion { .. } | Kind::Except { .. }) {
            for (rank, hit) in (1..).zip(hits) {
                let [component] = &hit.components[..] else {
                    panic!("a leaf gives one component: {hit:?}");
                };
                assert_eq!(component.name, query.kind.name());
                assert_eq!(component.rank, rank);
                assert_eq!([component.score, component.contribution], [hit.score; 2]);
            }
        }
    }

    /// Each hit of a fusion has a component of child `at` exactly where the child has the hit.
    fn compare_components(&self, fusion: &Ranking, at: usize, child: &[Hit]) {
        let name = &fusion.plan.children[at].name;
        let ranks: HashMap<u32, (u32, f32)> = (1..)
            .zip(child)
            .map(|(rank, hit)| (hit.doc, (rank, hit.score)))
            .collect();
        for hit in &fusion.hits {
            let component = hit.components.iter().find(|part| part.name == *name);
            let found = component.map(|part| (part.rank, part.score));
            assert_eq!(found, ranks.get(&hit.doc).copied(), "component {name}");
        }
    }

    fn id(&self, hit: &Hit) -> String {
        self.ids[&hit.doc].clone()
    }
}

/// Whether hits come in an order of the documents' own.
fn has_own_order(query: &Query) -> bool {
    match &query.kind {
        Kind::Matching(order) => *order != Order::Stored,
        Kind::Except { query, .. } => has_own_order(query),
        _ => false,
    }
}

/// The same name for values that are equal: numbers are one kind.
pub fn value_name(value: &Value) -> String {
    match value {
        Value::Integer(number) if *number as f64 as i128 == i128::from(*number) => {
            value_name(&Value::Float(*number as f64))
        }
        Value::Float(number) => format!("Number({:?})", number + 0.0),
        _ => format!("{value:?}"),
    }
}

fn close(score: f32) -> (f64, f64) {
    let score = f64::from(score);
    (score, 1e-5 * score.abs())
}
