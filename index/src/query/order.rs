//! Documents in an order of their own: by attributes, by id, or at random.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet as _, InvertedIndexReader, TERMINATED, f64_to_u64, i64_to_u64};

use crate::document::validate_attribute_name;
use crate::error::{Error, Result, Within as _};
use crate::filter::{Allowed, AllowedInSegment, AttributeColumn, attribute_columns};
use crate::snapshot::{SegmentView, Snapshot};
use crate::value_key::Key;

/// Maximum keys per order.
const MAX_KEYS: usize = 8;

/// The order of documents that nothing scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As they are stored: the order of writing, until segments are merged.
    #[default]
    Stored,
    /// By these keys, the first that differs decides; then as they are stored. At most 8.
    By(Vec<OrderKey>),
    /// At random: the first n are a sample without replacement, the same for the same seed and
    /// documents, whatever the segments. Reads every id.
    Random {
        /// Chooses the sample.
        seed: u64,
    },
}

/// One key of an order.
///
/// Documents without the attribute come last in either direction. Of several values the least
/// counts, the greatest where it descends. Values of different kinds are ordered by kind: strings
/// (by their bytes), numbers, booleans, timestamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKey {
    /// What is compared.
    pub by: OrderBy,
    /// From the greatest to the least.
    pub descending: bool,
}

/// What of a document is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// The values of an attribute.
    Attribute(String),
    /// The id, by its bytes.
    Id,
}

impl Order {
    /// Checks the keys.
    pub(super) fn validate(&self, consider: impl Fn(&str) -> Result<()>) -> Result<()> {
        let Self::By(keys) = self else {
            return Ok(());
        };
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(Error::invalid(
                "order",
                format!("has {} keys; 1 to {MAX_KEYS} are accepted", keys.len()),
            ));
        }
        for (at, key) in keys.iter().enumerate() {
            if let OrderBy::Attribute(name) = &key.by {
                validate_attribute_name(name)
                    .and_then(|()| consider(name))
                    .within("attribute")
                    .within(&format!("order[{at}]"))?;
            }
        }
        Ok(())
    }
}

/// The first `limit` allowed documents, as numbers of the snapshot.
pub(super) fn first(
    order: &Order,
    snapshot: &Snapshot,
    allowed: &Allowed,
    limit: usize,
) -> Result<Vec<u32>> {
    let segments = snapshot.segments().iter().zip(allowed.segments());
    match order {
        Order::Stored => {
            let docs = segments
                .flat_map(|(segment, allowed)| allowed.iter().map(|doc| segment.base + doc));
            Ok(docs.take(limit).collect())
        }
        Order::Random { seed } => {
            let mut sample = Least::new(limit);
            for (segment, allowed) in segments {
                let index = segment.reader.inverted_index(snapshot.fields().id)?;
                each_id(&index, allowed, |id, _, doc| {
                    sample.offer(hash(*seed, id), segment.base + doc);
                })?;
            }
            Ok(sample.into_docs())
        }
        Order::By(keys) => {
            let mut least = Least::new(limit);
            for (segment, allowed) in segments {
                by_keys(keys, snapshot, segment, allowed, &mut least)?;
            }
            Ok(least.into_docs())
        }
    }
}

/// A document's value of one key, in the order that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// `None` comes last.
    value: Option<Key>,
    descending: bool,
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (Some(value), Some(other)) if self.descending => other.cmp(value),
            (Some(value), Some(other)) => value.cmp(other),
            (value, other) => other.is_some().cmp(&value.is_some()),
        }
    }
}

/// Offers the documents of a segment. Strings are compared by their ordinals there first, so that
/// only those of documents that may be among the first are read.
fn by_keys(
    keys: &[OrderKey],
    snapshot: &Snapshot,
    segment: &SegmentView,
    allowed: &AllowedInSegment,
    least: &mut Least<Vec<Place>>,
) -> Result<()> {
    let mut columns = Vec::with_capacity(keys.len());
    for key in keys {
        columns.push(match &key.by {
            OrderBy::Id => {
                let index = segment.reader.inverted_index(snapshot.fields().id)?;
                let mut numbers = vec![0; segment.reader.max_doc() as usize];
                each_id(&index, allowed, |_, number, doc| {
                    numbers[doc as usize] = number;
                })?;
                Column::Ids(index, numbers)
            }
            OrderBy::Attribute(name) => Column::Values(attribute_columns(&segment.reader, name)?),
        });
    }
    let mut local: Least<Vec<Rank>> = Least::new(least.limit);
    for doc in allowed.iter() {
        let mut ranks = keys
            .iter()
            .zip(&columns)
            .map(|(key, column)| column.rank(doc, key.descending));
        // Most documents are told by their first key.
        let Some(first) = ranks.next() else {
            break;
        };
        if local.greatest().is_none_or(|greatest| first <= greatest[0]) {
            local.offer(std::iter::once(first).chain(ranks).collect(), doc);
        }
    }
    for doc in local.into_docs() {
        let places = keys.iter().zip(&columns).map(|(key, column)| {
            Ok(Place {
                value: column.key(doc, key.descending)?,
                descending: key.descending,
            })
        });
        least.offer(places.collect::<Result<_>>()?, segment.base + doc);
    }
    Ok(())
}

/// Where a value lies among those of its segment: without one last, then the kind, then the value.
type Rank = (bool, Directed<(u8, u64)>);

/// A value that is compared the other way round where it descends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Directed<T>(T, bool);

impl<T: Ord> PartialOrd for Directed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> Ord for Directed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.1 {
            other.0.cmp(&self.0)
        } else {
            self.0.cmp(&other.0)
        }
    }
}

/// The values of one key in a segment.
enum Column {
    Values(Vec<AttributeColumn>),
    /// The dictionary of ids, and for each document the number of its own there.
    Ids(Arc<InvertedIndexReader>, Vec<u64>),
}

impl Column {
    fn rank(&self, doc: u32, descending: bool) -> Rank {
        let extreme = match self {
            Self::Ids(_, numbers) => Some((0, numbers[doc as usize])),
            Self::Values(columns) => {
                let ranks = columns.iter().flat_map(|column| ranks(column, doc));
                if descending { ranks.max() } else { ranks.min() }
            }
        };
        let rank = extreme.unwrap_or_default();
        (extreme.is_none(), Directed(rank, descending))
    }

    fn key(&self, doc: u32, descending: bool) -> Result<Option<Key>> {
        match self {
            Self::Ids(index, numbers) => {
                let mut id = Vec::new();
                index.terms().ord_to_term(numbers[doc as usize], &mut id)?;
                Ok(Some(Key::String(String::from_utf8_lossy(&id).into_owned())))
            }
            Self::Values(columns) => {
                let mut extreme: Option<Key> = None;
                for column in columns {
                    for key in keys(column, doc)? {
                        let further = extreme.as_ref().is_none_or(|extreme| {
                            if descending {
                                key > *extreme
                            } else {
                                key < *extreme
                            }
                        });
                        if further {
                            extreme = Some(key);
                        }
                    }
                }
                Ok(extreme)
            }
        }
    }
}

/// The values of a document in a column, in an order that holds within the segment: the kind, then
/// the value.
fn ranks(column: &AttributeColumn, doc: u32) -> Vec<(u8, u64)> {
    match column {
        AttributeColumn::String(column) => {
            let ordinals = column.ords().values_for_doc(doc);
            ordinals.map(|ordinal| (0, ordinal)).collect()
        }
        // A segment has its numbers in one column, of integers or of floats.
        AttributeColumn::Integer(column) => {
            let numbers = column.values_for_doc(doc);
            numbers.map(|number| (1, i64_to_u64(number))).collect()
        }
        AttributeColumn::Float(column) => {
            let numbers = column.values_for_doc(doc);
            // Adding 0 makes -0 positive and leaves everything else.
            numbers
                .map(|number| (1, f64_to_u64(number + 0.0)))
                .collect()
        }
        AttributeColumn::Boolean(column) => {
            let truths = column.values_for_doc(doc);
            truths.map(|truth| (2, truth.into())).collect()
        }
        AttributeColumn::Timestamp(column) => {
            let times = column.values_for_doc(doc);
            times
                .map(|time| (3, i64_to_u64(time.into_timestamp_micros())))
                .collect()
        }
    }
}

/// The same as keys, whose order holds everywhere.
pub(super) fn keys(column: &AttributeColumn, doc: u32) -> Result<Vec<Key>> {
    Ok(match column {
        AttributeColumn::String(column) => {
            let mut keys = Vec::new();
            for ordinal in column.ords().values_for_doc(doc) {
                let mut text = String::new();
                column.ord_to_str(ordinal, &mut text)?;
                keys.push(Key::String(text));
            }
            keys
        }
        AttributeColumn::Integer(column) => column.values_for_doc(doc).map(Key::integer).collect(),
        AttributeColumn::Float(column) => column.values_for_doc(doc).map(Key::float).collect(),
        AttributeColumn::Boolean(column) => column.values_for_doc(doc).map(Key::Boolean).collect(),
        AttributeColumn::Timestamp(column) => {
            let times = column.values_for_doc(doc);
            times
                .map(|time| Key::Timestamp(time.into_timestamp_micros()))
                .collect()
        }
    })
}

/// Visits the allowed documents of a segment in the order of their ids: the id, its number in the
/// segment's dictionary, the document.
fn each_id(
    index: &InvertedIndexReader,
    allowed: &AllowedInSegment,
    mut visit: impl FnMut(&[u8], u64, u32),
) -> Result<()> {
    let mut ids = index.terms().stream()?;
    while ids.advance() {
        let mut postings =
            index.read_postings_from_terminfo(ids.value(), IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            if allowed.contains(postings.doc()) {
                visit(ids.key(), ids.term_ord(), postings.doc());
            }
            postings.advance();
        }
    }
    Ok(())
}

/// The place of an id in the random order of a seed.
fn hash(seed: u64, id: &[u8]) -> [u8; 32] {
    let digest = Sha256::new_with_prefix(seed.to_le_bytes());
    digest.chain_update(id).finalize().into()
}

/// The least `limit` of a stream of documents by key; of equal keys the lower document first.
struct Least<K> {
    heap: BinaryHeap<(K, u32)>,
    limit: usize,
}

impl<K: Ord> Least<K> {
    fn new(limit: usize) -> Self {
        Self {
            heap: BinaryHeap::new(),
            limit,
        }
    }

    fn offer(&mut self, key: K, doc: u32) {
        if self.heap.len() < self.limit {
            self.heap.push((key, doc));
        } else if let Some(mut greatest) = self.heap.peek_mut()
            && (&key, doc) < (&greatest.0, greatest.1)
        {
            *greatest = (key, doc);
        }
    }

    /// The greatest of those kept, once there are as many as wanted.
    fn greatest(&self) -> Option<&K> {
        let is_full = self.heap.len() >= self.limit;
        self.heap.peek().filter(|_| is_full).map(|(key, _)| key)
    }

    fn into_docs(self) -> Vec<u32> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|(_, doc)| doc).collect()
    }
}
