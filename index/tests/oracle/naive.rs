//! The second implementation: documents in a map, every question answered by looking at all of
//! them, sums in f64.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use half::f16;
use latentdb_index::filter::{
    AttributeTest, IdTest, Name, Nesting, Pattern, Referent, Resolver, Shape, TextMode,
};
use latentdb_index::query::{
    ActivationScale, Boosts, Fusion, Latents, LatentsBm25, OrderBy, OrderKey, Scale,
};
use latentdb_index::{
    Activation, Document, ErrorKind, Filter, Operation, Passages, Requirement, ResolvedFilter,
    Result, Update, Value, Version,
};

/// Values of a vector.
pub const DIMENSION: usize = 6;
/// Latents of the imaginary SAE.
pub const N_LATENTS: usize = 24;

/// What a collection should hold.
#[derive(Clone, Default)]
pub struct Model {
    /// The living documents, latents as they are stored.
    pub documents: BTreeMap<String, Document>,
    /// Last batch of each stream and the sequence it was acknowledged with.
    pub streams: BTreeMap<String, (u64, u64)>,
    /// True while deleted documents may still count in the collection's BM25 statistics.
    pub ghosts: bool,
}

/// Documents a batch inserts or changes, deletes, and leaves alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub upserted: u64,
    pub deleted: u64,
    pub existing: Vec<String>,
}

impl Model {
    /// Applies a batch, all or nothing.
    pub fn apply(&mut self, operations: &[Operation]) -> Result<Applied, ErrorKind> {
        let mut documents = self.documents.clone();
        let mut touched: BTreeSet<String> = BTreeSet::new();
        let mut applied = Applied::default();
        let is_check =
            |one: &&Operation| matches!(one, Operation::Require { .. } | Operation::CountCut(_));
        let changing = operations.len() - operations.iter().filter(is_check).count();
        for operation in operations {
            match operation {
                Operation::Upsert(document) => {
                    applied.upserted += 1;
                    touched.insert(document.id.clone());
                    documents.insert(document.id.clone(), stored(document));
                }
                Operation::Insert(document) if documents.contains_key(&document.id) => {
                    applied.existing.push(document.id.clone());
                }
                Operation::Insert(document) => {
                    applied.upserted += 1;
                    touched.insert(document.id.clone());
                    documents.insert(document.id.clone(), stored(document));
                }
                Operation::CountCut(_) => (),
                Operation::Passages(passages) => {
                    let parent = passages.parent().to_owned();
                    let before: Vec<String> = documents
                        .values()
                        .filter(|document| is_passage(document, &parent))
                        .map(|document| document.id.clone())
                        .collect();
                    let is_there = documents.contains_key(&parent)
                        || !before.is_empty()
                        || passages
                            .documents()
                            .iter()
                            .any(|own| documents.contains_key(&own.id));
                    if passages.keep_existing && is_there {
                        applied.existing.push(parent);
                        continue;
                    }
                    let stay: BTreeSet<&String> =
                        passages.documents().iter().map(|own| &own.id).collect();
                    for id in before.into_iter().chain([parent]) {
                        if !stay.contains(&id) && documents.remove(&id).is_some() {
                            applied.deleted += 1;
                            touched.insert(id);
                        }
                    }
                    for own in passages.documents() {
                        applied.upserted += 1;
                        touched.insert(own.id.clone());
                        documents.insert(own.id.clone(), stored(own));
                    }
                }
                Operation::Require { id, state } => {
                    let found = documents.get(id).map(Version::of);
                    match state {
                        Requirement::Absent if found.is_some() => {
                            return Err(ErrorKind::AlreadyExists);
                        }
                        Requirement::Version(version) if found != Some(*version) => {
                            return Err(ErrorKind::Aborted);
                        }
                        _ => {}
                    }
                }
                Operation::UpdateMatching(_) if changing > 1 => {
                    return Err(ErrorKind::InvalidArgument);
                }
                Operation::UpdateMatching(update) => {
                    for id in ids_matching(&documents, &update.filter) {
                        let change = Update {
                            set: update.set.clone(),
                            remove: update.remove.clone(),
                            ..Update::default()
                        };
                        let after = updated(&documents[&id], &change);
                        applied.upserted += 1;
                        touched.insert(id.clone());
                        documents.insert(id, after);
                    }
                }
                Operation::Update(update) => {
                    let before = documents.get(&update.id).ok_or(ErrorKind::NotFound)?;
                    let after = updated(before, update);
                    applied.upserted += 1;
                    touched.insert(update.id.clone());
                    documents.insert(update.id.clone(), stored(&after));
                }
                Operation::Delete(ids) => {
                    for id in ids {
                        if documents.remove(id).is_some() {
                            applied.deleted += 1;
                            touched.insert(id.clone());
                        }
                    }
                }
                Operation::DeleteMatching(filter) => {
                    if !touched.is_empty() {
                        return Err(ErrorKind::InvalidArgument);
                    }
                    for id in ids_matching(&documents, filter) {
                        documents.remove(&id);
                        applied.deleted += 1;
                        touched.insert(id);
                    }
                }
            }
        }
        self.ghosts |= touched.iter().any(|id| self.documents.contains_key(id));
        self.documents = documents;
        Ok(applied)
    }

    /// Ids of the documents a filter describes.
    pub fn matching<N: Refers>(&self, filter: &Filter<N>) -> BTreeSet<String> {
        ids_matching(&self.documents, filter)
    }

    /// Activations of a latent, by document.
    pub fn activations(&self, latent: u32) -> Vec<f64> {
        self.documents
            .values()
            .filter_map(|document| activation(document, latent))
            .collect()
    }

    /// `numpy.percentile(activations, 90)`.
    pub fn percentile90(&self, latent: u32) -> Option<f64> {
        let mut values = self.activations(latent);
        values.sort_by(f64::total_cmp);
        let place = 0.9 * (values.len().checked_sub(1)?) as f64;
        let below = values[place.floor() as usize];
        let above = values[place.ceil() as usize];
        Some(below + (above - below) * place.fract())
    }

    /// Per document with one of the latents: its score, and the sum of the parts' magnitudes,
    /// which bounds the rounding error.
    pub fn latent_scores(&self, latents: &Latents) -> BTreeMap<String, (f64, f64)> {
        let weights: Vec<(u32, f64)> = latents
            .weights
            .iter()
            .map(|entry| {
                let scale = match latents.scale {
                    ActivationScale::Raw => 1.0,
                    ActivationScale::Percentile90 => {
                        self.percentile90(entry.latent).unwrap_or(f64::INFINITY)
                    }
                };
                let rarity = if latents.idf {
                    self.rarity(entry.latent)
                } else {
                    1.0
                };
                (entry.latent, rarity * f64::from(entry.weight) / scale)
            })
            .collect();
        let score = |document: &Document| {
            let parts: Vec<f64> = weights
                .iter()
                .filter_map(|&(latent, weight)| Some(weight * activation(document, latent)?))
                .collect();
            let magnitude = parts.iter().map(|part| part.abs()).sum();
            (!parts.is_empty()).then(|| (parts.iter().sum(), magnitude))
        };
        self.documents
            .iter()
            .filter_map(|(id, document)| Some((id.clone(), score(document)?)))
            .collect()
    }

    /// The sum of a latent's documents' unit vectors times activations, and the sum of those.
    pub fn centroid_sum(&self, latent: u32) -> (Vec<f64>, f64) {
        let mut sum = vec![0.0; DIMENSION];
        let mut magnitude = 0.0;
        for document in self.documents.values() {
            let (Some(found), Some(vector)) = (activation(document, latent), &document.vector)
            else {
                continue;
            };
            let squares = vector.iter().map(|&value| f64::from(value).powi(2));
            let scale = found / squares.sum::<f64>().sqrt();
            for (slot, value) in sum.iter_mut().zip(vector) {
                *slot += f64::from(*value) * scale;
            }
            magnitude += found;
        }
        (sum, magnitude)
    }

    /// Cosine plus boosts of every document with a vector, and the magnitude of its parts.
    pub fn boosted(&self, query: &[f32], boosts: &Boosts) -> BTreeMap<String, (f64, f64)> {
        let cosines = self.cosines(query).into_iter();
        cosines
            .map(|(id, cosine)| {
                let document = &self.documents[&id];
                let parts = boosts.weights.iter().filter_map(|entry| {
                    let p90 = self.percentile90(entry.latent)?;
                    let times = (activation(document, entry.latent)? / p90).min(2.0);
                    Some(f64::from(entry.weight) * times * f64::from(boosts.unit.unwrap_or(1.0)))
                });
                let parts: Vec<f64> = parts.collect();
                let magnitude: f64 = parts.iter().map(|part| part.abs()).sum();
                (id, (cosine + parts.iter().sum::<f64>(), magnitude + 1.0))
            })
            .collect()
    }

    /// The inverse document frequency of a latent.
    fn rarity(&self, latent: u32) -> f64 {
        let count = self.documents.len() as f64;
        let having = self.activations(latent).len() as f64;
        ((count - having + 0.5) / (having + 0.5)).ln().max(0.0)
    }

    /// BM25 over latents of every document that has one of them, and the magnitude of its parts.
    pub fn latents_bm25(&self, bm25: &LatentsBm25) -> BTreeMap<String, (f64, f64)> {
        let length = |document: &Document| -> f64 {
            let activations = document.latents().iter();
            activations.map(|entry| f64::from(entry.activation)).sum()
        };
        let count = self.documents.len() as f64;
        let mean = self.documents.values().map(length).sum::<f64>() / count;
        let (k1, b) = (f64::from(bm25.k1), f64::from(bm25.b));
        let mut scores: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for entry in &bm25.weights {
            let rarity = self.rarity(entry.latent);
            for (id, document) in &self.documents {
                if let Some(found) = activation(document, entry.latent) {
                    let hold = k1 * (1.0 - b + b * length(document) / mean);
                    let part =
                        f64::from(entry.weight) * rarity * found * (k1 + 1.0) / (found + hold);
                    let slot = scores.entry(id.clone()).or_default();
                    *slot = (slot.0 + part, slot.1 + part.abs());
                }
            }
        }
        scores
    }

    /// The model as the SAE of a space shows it.
    pub fn through(&self, space: usize) -> Self {
        let documents = self.documents.iter();
        Self {
            documents: documents
                .map(|(id, document)| (id.clone(), through(document, space)))
                .collect(),
            streams: self.streams.clone(),
            ghosts: self.ghosts,
        }
    }

    /// Cosine to `query` of every document with a vector.
    pub fn cosines(&self, query: &[f32]) -> BTreeMap<String, f64> {
        self.documents
            .iter()
            .filter_map(|(id, document)| {
                Some((id.clone(), cosine(query, document.vector.as_ref()?)))
            })
            .collect()
    }
}

/// A document as it is stored: activations rounded to f16, those that round to 0 left out.
/// Whether a document is a passage of another: its id and its attribute say so.
fn is_passage(document: &Document, parent: &str) -> bool {
    let named = document.attributes.get(Passages::PARENT);
    let number = document
        .id
        .strip_prefix(parent)
        .and_then(|rest| rest.strip_prefix('#'));
    named == Some(&Value::String(parent.to_owned()))
        && number.is_some_and(|number| {
            number
                .parse::<u64>()
                .is_ok_and(|own| own.to_string() == number)
        })
}

fn stored(document: &Document) -> Document {
    let mut document = document.clone();
    for codes in &mut document.codes {
        codes.latents = stored_latents(&codes.latents);
    }
    document
}

/// A document as the SAE of a space shows it.
fn through(document: &Document, space: usize) -> Document {
    let mut document = document.clone();
    document.codes = document.codes.into_iter().skip(space).take(1).collect();
    document
}

fn stored_latents(latents: &[Activation]) -> Vec<Activation> {
    latents
        .iter()
        .map(|entry| Activation {
            latent: entry.latent,
            activation: f16::from_f32(entry.activation).to_f32(),
        })
        .filter(|entry| entry.activation > 0.0)
        .collect()
}

fn updated(before: &Document, update: &Update) -> Document {
    let mut after = before.clone();
    if update.text.is_some() {
        after.text.clone_from(&update.text);
    }
    if update.vector.is_some() {
        after.vector.clone_from(&update.vector);
    }
    for (at, codes) in update.codes.iter().enumerate() {
        if let Some(codes) = codes {
            *after.codes_mut(at) = codes.clone();
        }
    }
    for name in &update.remove {
        after.attributes.remove(name);
    }
    for (name, value) in &update.set {
        after.attributes.insert(name.clone(), value.clone());
    }
    after
}

fn activation(document: &Document, latent: u32) -> Option<f64> {
    document
        .latents()
        .iter()
        .find(|entry| entry.latent == latent)
        .map(|entry| f64::from(entry.activation))
}

/// Cosine similarity in f64.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum()
    };
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

/// The saved sets and families that filters of this test may name.
pub struct Names;

impl Resolver for Names {
    fn shape(&self) -> Shape {
        Shape {
            dimension: Some(DIMENSION),
            n_latents: Some(N_LATENTS),
            ..Shape::default()
        }
    }

    fn look_up(&self, name: &Name, nesting: &Nesting) -> Result<ResolvedFilter> {
        match name {
            Name::SavedSet(name) if name == FROZEN => {
                Ok(Filter::Named(Referent::Ids(frozen().into())))
            }
            Name::SavedSet(name) => saved_set(name).resolve_within(self, nesting),
            Name::Family(root) => family(*root).resolve_within(self, nesting),
            Name::Through { filter, .. } => Ok(Filter::Named(Referent::InSpace {
                space: 1,
                filter: Box::new(filter.resolve_within(self, nesting)?),
            })),
        }
    }
}

/// The saved set that holds ids.
const FROZEN: &str = "frozen";

/// A family is a latent and the two after it.
fn family(root: u32) -> Filter {
    let last = (root + 2).min(N_LATENTS as u32 - 1);
    Filter::Or((root..=last).map(Filter::latent).collect())
}

fn saved_set(name: &str) -> Filter {
    match name {
        "busy" => Filter::Or(vec![Filter::latent(0), Filter::latent(1)]),
        _ => Filter::Named(Name::SavedSet("busy".into())).negate(),
    }
}

fn frozen() -> Vec<String> {
    (0..40).step_by(3).map(crate::generate::id).collect()
}

/// Whether a document is among those that a named part of a filter stands for.
pub trait Refers {
    /// Whether the document is one of them.
    fn holds(&self, document: &Document) -> bool;
}

impl Refers for Name {
    fn holds(&self, document: &Document) -> bool {
        match self {
            Self::SavedSet(name) if name == FROZEN => frozen().contains(&document.id),
            Self::SavedSet(name) => matches(&saved_set(name), document),
            Self::Family(root) => matches(&family(*root), document),
            Self::Through { filter, .. } => matches(filter, &through(document, 1)),
        }
    }
}

impl Refers for Referent {
    fn holds(&self, document: &Document) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(&document.id),
            Self::InSpace { space, filter } => matches(filter, &through(document, *space)),
        }
    }
}

fn ids_matching<N: Refers>(
    documents: &BTreeMap<String, Document>,
    filter: &Filter<N>,
) -> BTreeSet<String> {
    documents
        .values()
        .filter(|document| matches(filter, document))
        .map(|document| document.id.clone())
        .collect()
}

/// Whether a document is in the set a filter describes.
pub fn matches<N: Refers>(filter: &Filter<N>, document: &Document) -> bool {
    match filter {
        Filter::All => true,
        Filter::Latent {
            latent,
            lower,
            upper,
        } => activation(document, *latent).is_some_and(|found| {
            let above = match *lower {
                Bound::Included(bound) => found >= f64::from(bound),
                Bound::Excluded(bound) => found > f64::from(bound),
                Bound::Unbounded => true,
            };
            let below = match *upper {
                Bound::Included(bound) => found <= f64::from(bound),
                Bound::Excluded(bound) => found < f64::from(bound),
                Bound::Unbounded => true,
            };
            above && below
        }),
        Filter::Attribute { name, test } => document
            .attributes
            .get(name)
            .is_some_and(|value| value.scalars().iter().any(|scalar| passes(test, scalar))),
        Filter::Ids(ids) => ids.contains(&document.id),
        Filter::Id(IdTest::Like(pattern)) => is_like(pattern, &document.id),
        Filter::Id(IdTest::Range { lower, upper }) => {
            std::ops::RangeBounds::contains(&(lower.clone(), upper.clone()), &document.id)
        }
        Filter::Text { text, mode } => document
            .text
            .as_ref()
            .is_some_and(|found| text_matches(text, *mode, found)),
        Filter::Named(name) => name.holds(document),
        Filter::And(parts) => parts.iter().all(|part| matches(part, document)),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, document)),
        Filter::Not(part) => !matches(part, document),
    }
}

fn passes(test: &AttributeTest, scalar: &Value) -> bool {
    match test {
        AttributeTest::Exists => true,
        AttributeTest::Like(pattern) => {
            matches!(scalar, Value::String(text) if is_like(pattern, text))
        }
        AttributeTest::In(values) => values
            .iter()
            .any(|value| compare(scalar, value) == Some(Ordering::Equal)),
        AttributeTest::Range { lower, upper } => {
            let above = match lower {
                Bound::Included(bound) => compare(scalar, bound).is_some_and(Ordering::is_ge),
                Bound::Excluded(bound) => compare(scalar, bound).is_some_and(Ordering::is_gt),
                Bound::Unbounded => true,
            };
            let below = match upper {
                Bound::Included(bound) => compare(scalar, bound).is_some_and(Ordering::is_le),
                Bound::Excluded(bound) => compare(scalar, bound).is_some_and(Ordering::is_lt),
                Bound::Unbounded => true,
            };
            above && below
        }
    }
}

/// Whether a pattern describes a text: which beginnings of the text each beginning of the pattern
/// describes.
pub fn is_like(pattern: &Pattern, text: &str) -> bool {
    let folded = |character: char| character.to_lowercase().to_string();
    let same = |a: char, b: char| a == b || (pattern.ignore_case && folded(a) == folded(b));
    let text: Vec<char> = text.chars().collect();
    let mut described = vec![false; text.len() + 1];
    described[0] = true;
    let mut characters = pattern.pattern.chars();
    while let Some(character) = characters.next() {
        let mut next = vec![false; text.len() + 1];
        if character == '%' {
            let first = described.iter().position(|&is| is);
            (first.unwrap_or(next.len())..next.len()).for_each(|at| next[at] = true);
        } else {
            let any = character == '_';
            let wanted = match character {
                '\\' => characters.next().unwrap(),
                other => other,
            };
            for at in 0..text.len() {
                next[at + 1] = described[at] && (any || same(wanted, text[at]));
            }
        }
        described = next;
    }
    described[text.len()]
}

/// The order of two scalars of one kind, numbers being one kind; `None` across kinds.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) | (Value::Integer(a), Value::Integer(b)) => {
            Some(a.cmp(b))
        }
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Integer(a), Value::Float(b)) => Some(compare_mixed(*a, *b)),
        (Value::Float(a), Value::Integer(b)) => Some(compare_mixed(*b, *a).reverse()),
        _ => None,
    }
}

/// The order of two documents by one key: those without it last, of several values the least, or
/// the greatest where it descends.
pub fn compare_by(key: &OrderKey, a: &Document, b: &Document) -> Ordering {
    let name = match &key.by {
        OrderBy::Id => {
            let order = a.id.as_bytes().cmp(b.id.as_bytes());
            return if key.descending {
                order.reverse()
            } else {
                order
            };
        }
        OrderBy::Attribute(name) => name,
    };
    let extreme = |document: &Document| {
        let values = document
            .attributes
            .get(name)
            .map_or(&[][..], Value::scalars);
        let values = values.iter().cloned();
        if key.descending {
            values.max_by(compare_all)
        } else {
            values.min_by(compare_all)
        }
    };
    match (extreme(a), extreme(b)) {
        (Some(a), Some(b)) if key.descending => compare_all(&b, &a),
        (Some(a), Some(b)) => compare_all(&a, &b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Strings, then numbers, then booleans, then timestamps.
fn compare_all(a: &Value, b: &Value) -> Ordering {
    let kind = |value: &Value| match value {
        Value::String(_) => 0,
        Value::Boolean(_) => 2,
        Value::Timestamp(_) => 3,
        _ => 1,
    };
    kind(a).cmp(&kind(b)).then_with(|| compare(a, b).unwrap())
}

/// Without rounding the integer.
fn compare_mixed(integer: i64, float: f64) -> Ordering {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if float >= END {
        return Ordering::Less;
    }
    if float < -END {
        return Ordering::Greater;
    }
    let whole = float.floor();
    integer.cmp(&(whole as i64)).then(if float > whole {
        Ordering::Less
    } else {
        Ordering::Equal
    })
}

/// Words with their places: letters and digits, lower case.
pub fn words(text: &str) -> Vec<(usize, String)> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .enumerate()
        .map(|(place, word)| (place, word.to_lowercase()))
        .collect()
}

fn text_matches(query: &str, mode: TextMode, text: &str) -> bool {
    let wanted = words(query);
    let found = words(text);
    let holds = |word: &String| found.iter().any(|(_, found)| found == word);
    match mode {
        _ if wanted.is_empty() => false,
        TextMode::Any => wanted.iter().any(|(_, word)| holds(word)),
        TextMode::All => wanted.iter().all(|(_, word)| holds(word)),
        TextMode::Phrase => phrase_count(&wanted, &found) > 0,
        TextMode::Prefix | TextMode::Fuzzy => wanted.iter().all(|(_, word)| {
            let mut edits = found.iter().map(|(_, found)| form(word, found, mode));
            edits.any(|edits| edits.is_some())
        }),
    }
}

/// The edits between a word of a query and a word of a text that is one of its forms.
fn form(wanted: &str, found: &str, mode: TextMode) -> Option<usize> {
    if mode == TextMode::Prefix {
        return found.starts_with(wanted).then_some(0);
    }
    let most = match wanted.chars().count() {
        0..3 => 0,
        3..6 => 1,
        _ => 2,
    };
    let (a, b): (Vec<char>, Vec<char>) = (wanted.chars().collect(), found.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    let edits = rows[a.len()][b.len()];
    (edits <= most).then_some(edits)
}

/// How often each form of a word stands in a document, by edits.
fn form_counts(wanted: &str, document: &[(usize, String)], mode: TextMode) -> [usize; 3] {
    let mut counts = [0; 3];
    for (_, found) in document {
        if let Some(edits) = form(wanted, found, mode) {
            counts[edits] += 1;
        }
    }
    counts
}

/// How often `wanted` stands in `found`, word for word.
fn phrase_count(wanted: &[(usize, String)], found: &[(usize, String)]) -> usize {
    let places: BTreeMap<usize, &String> = found.iter().map(|(at, word)| (*at, word)).collect();
    let first = wanted[0].0;
    found
        .iter()
        .filter(|(start, _)| {
            wanted
                .iter()
                .all(|(at, word)| places.get(&(start + at - first)) == Some(&word))
        })
        .count()
}

/// BM25 with k1 = 1.2 and b = .75, document lengths quantised as the engine stores them. `texts`
/// are all documents that count in the statistics; the result has those that match.
pub fn bm25<'a>(
    texts: &BTreeMap<&'a str, &str>,
    query: &str,
    mode: TextMode,
) -> BTreeMap<&'a str, f64> {
    let wanted = words(query);
    let documents: BTreeMap<&str, Vec<(usize, String)>> =
        texts.iter().map(|(&id, text)| (id, words(text))).collect();
    let count = documents.len() as f64;
    let tokens: usize = documents.values().map(Vec::len).sum();
    let mean_length = tokens as f64 / count;
    let frequency = |document: &[(usize, String)], word: &String| {
        document.iter().filter(|(_, found)| found == word).count()
    };
    let rarity: Vec<f64> = wanted
        .iter()
        .map(|(_, word)| {
            let having = documents
                .values()
                .filter(|document| frequency(document, word) > 0)
                .count() as f64;
            ((count - having + 0.5) / (having + 0.5)).ln_1p()
        })
        .collect();
    let saturated = |times: usize, length: usize| {
        let length = quantised_length(length) as f64;
        let times = times as f64;
        2.2 * times / (times + 1.2 * (0.25 + 0.75 * length / mean_length))
    };
    let score = |document: &Vec<(usize, String)>| -> f64 {
        if matches!(mode, TextMode::Prefix | TextMode::Fuzzy) {
            let word = |(_, word): &(usize, String)| {
                let having = documents.values().filter(|other| {
                    form_counts(word, other, mode)
                        .iter()
                        .any(|&times| times > 0)
                });
                let having = having.count() as f64;
                let rarity = ((count - having + 0.5) / (having + 0.5)).ln_1p();
                let best = (0..)
                    .zip(form_counts(word, document, mode))
                    .map(|(edits, times)| saturated(times, document.len()) / f64::from(1 + edits));
                rarity * best.fold(0.0, f64::max)
            };
            return wanted.iter().map(word).sum();
        }
        if mode == TextMode::Phrase && wanted.len() > 1 {
            let times = phrase_count(&wanted, document);
            return rarity.iter().sum::<f64>() * saturated(times, document.len());
        }
        wanted
            .iter()
            .zip(&rarity)
            .map(|((_, word), rarity)| {
                rarity * saturated(frequency(document, word), document.len())
            })
            .sum()
    };
    texts
        .iter()
        .filter(|(_, text)| text_matches(query, mode, text))
        .map(|(&id, _)| (id, score(&documents[id])))
        .collect()
}

/// Document lengths are kept in one byte: exactly up to 40, then with four leading bits (Lucene's
/// SmallFloat), rounded down.
fn quantised_length(length: usize) -> usize {
    if length < 24 {
        return length;
    }
    let rest = length - 24;
    let bits = (usize::BITS - rest.leading_zeros()) as usize;
    let dropped = bits.saturating_sub(4);
    24 + (rest >> dropped << dropped)
}

/// How often each of the query's words stands in a text, and the text's length: what decides
/// between two documents whatever the statistics.
pub fn term_counts(text: &str, query: &str, mode: TextMode) -> (Vec<usize>, usize) {
    let (wanted, found) = (words(query), words(text));
    let counts = if mode == TextMode::Phrase && wanted.len() > 1 {
        vec![phrase_count(&wanted, &found)]
    } else if matches!(mode, TextMode::Prefix | TextMode::Fuzzy) {
        let counts = wanted
            .iter()
            .flat_map(|(_, word)| form_counts(word, &found, mode));
        counts.collect()
    } else {
        let count = |word: &String| found.iter().filter(|(_, found)| found == word).count();
        wanted.iter().map(|(_, word)| count(word)).collect()
    };
    (counts, found.len())
}

/// `Σ w s` over rankings that hold every document their query scores, 0 for the others, with the
/// rounding that may be between two ways to it. Scores are standardised over `allowed`.
pub fn combined(
    scale: Scale,
    rankings: &[(BTreeMap<String, f32>, f32)],
    allowed: &BTreeSet<String>,
) -> BTreeMap<String, (f64, f64)> {
    let mut scores: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (ranking, _) in rankings {
        scores.extend(ranking.keys().map(|id| (id.clone(), (0.0, 1e-6))));
    }
    for (ranking, weight) in rankings {
        let score = |id: &String| ranking.get(id).map_or(0.0, |score| f64::from(*score));
        let values: Vec<f64> = allowed.iter().map(score).collect();
        let count = values.len().max(1) as f64;
        let most = values
            .iter()
            .fold(0.0_f64, |most, value| most.max(value.abs()));
        let mut mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let mut deviation = (squares.sum::<f64>() / count).sqrt();
        if scale == Scale::Raw {
            (mean, deviation) = (0.0, 1.0);
        }
        let flat = scale == Scale::Standard && deviation <= 1e-6 * most;
        for (id, slot) in &mut scores {
            if flat || deviation == 0.0 {
                continue;
            }
            let part = f64::from(*weight) * (score(id) - mean) / deviation;
            let rounding = 1e-5 * (f64::from(*weight).abs() * most / deviation + part.abs());
            *slot = (slot.0 + part, slot.1 + rounding);
        }
    }
    scores
}

/// Fused scores of rankings given best first, with one weight each.
pub fn fused(method: Fusion, rankings: &[(Vec<(String, f32)>, f32)]) -> BTreeMap<String, f64> {
    let mut scores: BTreeMap<String, f64> = BTreeMap::new();
    for (ranking, weight) in rankings {
        let values: Vec<f64> = ranking.iter().map(|(_, score)| f64::from(*score)).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / values.len().max(1) as f64;
        let deviation = variance.sqrt();
        for (at, (id, _)) in ranking.iter().enumerate() {
            let part = match method {
                Fusion::ReciprocalRank { k } => 1.0 / (f64::from(k) + at as f64 + 1.0),
                Fusion::MinMax if high > low => (values[at] - low) / (high - low),
                Fusion::MinMax => 1.0,
                Fusion::DistributionBased if deviation > 0.0 => {
                    ((values[at] - mean) / (6.0 * deviation) + 0.5).clamp(0.0, 1.0)
                }
                Fusion::DistributionBased => 0.5,
                Fusion::Linear(_) => unreachable!("a linear combination is no fusion of ranks"),
            };
            *scores.entry(id.clone()).or_default() += f64::from(*weight) * part;
        }
    }
    scores
}
