//! The documents that a filter describes of a snapshot, per segment.

use roaring::RoaringBitmap;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet as _, TERMINATED, Term};

use super::columns::from_sorted;
use super::evaluate::evaluate;
use super::{Filter, ResolvedFilter};
use crate::error::Result;
use crate::snapshot::Snapshot;

/// What a filter describes of a snapshot.
impl Snapshot {
    /// Exact number of documents a filter describes.
    pub fn count(&self, filter: &ResolvedFilter) -> Result<u64> {
        self.segments().iter().try_fold(0, |total, segment| {
            Ok(total + evaluate(filter, self, segment)?.len())
        })
    }

    /// Numbers of the documents a filter describes, ascending.
    pub fn documents_matching(&self, filter: &ResolvedFilter) -> Result<Vec<u32>> {
        let mut docs = Vec::new();
        for segment in self.segments() {
            let found = evaluate(filter, self, segment)?;
            docs.extend(found.iter().map(|doc| segment.base + doc));
        }
        Ok(docs)
    }

    pub(crate) fn allowed(&self, filter: &ResolvedFilter) -> Result<Allowed> {
        Allowed::alive(self).narrowed(filter, self)
    }

    /// For each id, the number of the living document with it.
    pub fn find_all(&self, ids: &[String]) -> Result<Vec<Option<u32>>> {
        let field = self.fields().id;
        let mut found = vec![None; ids.len()];
        for segment in self.segments() {
            let index = segment.reader.inverted_index(field)?;
            for (id, place) in ids.iter().zip(&mut found) {
                let term = Term::from_field_text(field, id);
                let postings = index.read_postings(&term, IndexRecordOption::Basic)?;
                let Some(mut postings) = postings else {
                    continue;
                };
                // Former versions of the document are there too until they are merged away.
                let mut doc = postings.doc();
                while doc != TERMINATED {
                    if segment
                        .alive
                        .as_ref()
                        .is_none_or(|alive| alive.contains(doc))
                    {
                        *place = Some(segment.base + doc);
                    }
                    doc = postings.advance();
                }
            }
        }
        Ok(found)
    }

    /// The number of the living document with an id.
    pub fn find(&self, id: &str) -> Result<Option<u32>> {
        Ok(self
            .documents_matching(&Filter::Ids(vec![id.to_owned()]))?
            .first()
            .copied())
    }
}

/// Which documents of a snapshot are allowed: living ones, and in a filter's set where one stands.
pub(crate) struct Allowed {
    segments: Vec<AllowedInSegment>,
    total: u64,
}

/// Which documents of one segment are allowed.
pub(crate) struct AllowedInSegment {
    /// `None`: all of them.
    docs: Option<RoaringBitmap>,
    n_docs: u32,
    count: u64,
}

impl Allowed {
    /// The living documents.
    pub fn alive(snapshot: &Snapshot) -> Self {
        Self::from_segments(
            snapshot
                .segments()
                .iter()
                .map(|segment| {
                    AllowedInSegment::new(segment.alive.clone(), segment.reader.max_doc())
                })
                .collect(),
        )
    }

    /// The documents of `self` that a filter describes.
    pub fn narrowed(&self, filter: &ResolvedFilter, snapshot: &Snapshot) -> Result<Self> {
        let mut segments = Vec::with_capacity(self.segments.len());
        for (segment, allowed) in snapshot.segments().iter().zip(&self.segments) {
            let mut docs = evaluate(filter, snapshot, segment)?;
            if let Some(before) = &allowed.docs {
                docs &= before;
            }
            segments.push(AllowedInSegment::new(Some(docs), segment.reader.max_doc()));
        }
        Ok(Self::from_segments(segments))
    }

    /// The allowed documents that are not among `others`, numbers of the snapshot.
    pub fn without(&self, others: &RoaringBitmap, snapshot: &Snapshot) -> Self {
        let bases: Vec<u32> = snapshot
            .segments()
            .iter()
            .map(|segment| segment.base)
            .collect();
        self.retained(|segment, doc| !others.contains(bases[segment] + doc))
    }

    /// These documents of each segment, ascending.
    pub fn of_documents(snapshot: &Snapshot, docs: Vec<Vec<u32>>) -> Self {
        let segments = snapshot.segments().iter().zip(docs);
        let sets = segments.map(|(segment, docs)| {
            AllowedInSegment::new(Some(from_sorted(&docs)), segment.reader.max_doc())
        });
        Self::from_segments(sets.collect())
    }

    /// The allowed documents that `keep` keeps, by segment and number in it.
    pub fn retained(&self, keep: impl Fn(usize, u32) -> bool) -> Self {
        let segments = self.segments.iter().enumerate();
        let kept = segments.map(|(at, segment)| {
            let docs = segment.iter().filter(|&doc| keep(at, doc)).collect();
            AllowedInSegment::new(Some(docs), segment.n_docs)
        });
        Self::from_segments(kept.collect())
    }

    fn from_segments(segments: Vec<AllowedInSegment>) -> Self {
        let total = segments.iter().map(|segment| segment.count).sum();
        Self { segments, total }
    }

    /// Allowed documents in all.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// By segment, in the snapshot's order.
    pub fn segments(&self) -> &[AllowedInSegment] {
        &self.segments
    }
}

impl AllowedInSegment {
    fn new(docs: Option<RoaringBitmap>, n_docs: u32) -> Self {
        let count = docs.as_ref().map_or(u64::from(n_docs), RoaringBitmap::len);
        Self {
            docs,
            n_docs,
            count,
        }
    }

    /// Allowed documents of the segment.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// True when every document is allowed.
    pub fn is_everything(&self) -> bool {
        self.docs.is_none()
    }

    /// True when every document of the segment is in the set, deleted ones included.
    pub fn is_complete(&self) -> bool {
        self.count == u64::from(self.n_docs)
    }

    /// About `count` of them, spread over all.
    pub fn examples(&self, count: u64) -> Vec<u32> {
        let step = (self.count / count.max(1)).max(1);
        let places = (0..self.count)
            .step_by(step as usize)
            .filter_map(|at| u32::try_from(at).ok());
        match &self.docs {
            None => places.collect(),
            Some(docs) => places.filter_map(|at| docs.select(at)).collect(),
        }
    }

    /// Documents that are allowed in `other`, of the same segment, too.
    pub fn count_shared(&self, other: &Self) -> u64 {
        match (&self.docs, &other.docs) {
            (Some(docs), Some(others)) => docs.intersection_len(others),
            (None, _) => other.count,
            (_, None) => self.count,
        }
    }

    /// The allowed documents of `docs`, and the allowed ones outside of it.
    pub fn split(&self, mut docs: RoaringBitmap) -> (RoaringBitmap, Self) {
        let mut others = match &self.docs {
            None => RoaringBitmap::new(),
            Some(allowed) => allowed.clone(),
        };
        if self.docs.is_none() {
            others.insert_range(0..self.n_docs);
        }
        others -= &docs;
        if let Some(allowed) = &self.docs {
            docs &= allowed;
        }
        (docs, Self::new(Some(others), self.n_docs))
    }

    /// Allowed documents, ascending.
    pub fn iter(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match &self.docs {
            None => Box::new(0..self.n_docs),
            Some(docs) => Box::new(docs.iter()),
        }
    }

    /// Visits the allowed documents, ascending.
    pub fn for_each(&self, visit: impl FnMut(u32)) {
        match &self.docs {
            None => (0..self.n_docs).for_each(visit),
            Some(docs) => docs.iter().for_each(visit),
        }
    }

    /// True when a document is allowed.
    pub fn contains(&self, doc: u32) -> bool {
        self.docs.as_ref().is_none_or(|docs| docs.contains(doc))
    }
}
