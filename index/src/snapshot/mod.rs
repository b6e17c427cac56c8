//! One immutable view of a collection: what a request, a page or an analysis reads.

mod centroids;
mod segment;
mod set_cache;
mod sums;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tantivy::index::SegmentId;
use tantivy::{DocAddress, Searcher, TantivyDocument};

use crate::dense::Graph;
use crate::document::{Activation, Document};
use crate::error::{Error, Result};
use crate::schema::Fields;
use crate::text::Analyzer;
use crate::version::Version;

pub use centroids::Centroids;
pub(crate) use segment::{ComponentCache, SegmentView};

/// One immutable view of a collection, in the space of one of its SAEs: the default, unless
/// [`Snapshot::in_space`] says otherwise. Documents are numbered from 0 across its segments, deleted
/// ones included; the numbers hold for this snapshot alone, in whichever space.
pub struct Snapshot {
    searcher: Searcher,
    fields: Fields,
    segments: Vec<SegmentView>,
    sequence: u64,
    /// The SAE whose space it is, by its place in the collection's list.
    space: usize,
    /// The same documents in the spaces of other SAEs, once asked for.
    others: Mutex<HashMap<usize, Arc<Snapshot>>>,
    percentiles: Mutex<HashMap<u32, Option<f32>>>,
    derived: Derived,
}

/// Numbers over the whole snapshot, computed when they are first asked for.
#[derive(Default)]
struct Derived {
    mean_activation_sum: OnceLock<f32>,
    centroids: OnceLock<Arc<Centroids>>,
}

impl Snapshot {
    pub(crate) fn new(
        searcher: Searcher,
        fields: Fields,
        sequence: u64,
        cache: &mut ComponentCache,
        graphs: &HashMap<SegmentId, Arc<Graph>>,
    ) -> Result<Self> {
        let mut segments = Vec::with_capacity(searcher.segment_readers().len());
        let mut base = 0_u32;
        for reader in searcher.segment_readers() {
            let components = cache.get(reader)?;
            let first = components.spaces[0].clone();
            segments.push(SegmentView {
                reader: reader.clone(),
                base,
                latents: first.latents,
                centroid_sums: first.centroid_sums,
                spaces: components.spaces,
                dense: components.dense,
                tests: components.tests,
                graph: graphs.get(&reader.segment_id()).cloned(),
                alive: reader
                    .has_deletes()
                    .then(|| reader.doc_ids_alive().collect()),
            });
            base = base.checked_add(reader.max_doc()).ok_or_else(|| {
                Error::new(
                    crate::error::ErrorKind::ResourceExhausted,
                    "a collection holds at most 4,294,967,295 documents",
                )
            })?;
        }
        cache.retain(&searcher);
        Ok(Self {
            searcher,
            fields,
            segments,
            sequence,
            space: 0,
            others: Mutex::default(),
            percentiles: Mutex::default(),
            derived: Derived::default(),
        })
    }

    /// The same documents in the space of the SAE at a place of the collection's list: its latents,
    /// numbered from 0, its posting lists, rows, positions and percentiles. The space of an SAE that
    /// no document has latents of is empty.
    pub fn in_space(self: &Arc<Self>, space: usize) -> Result<Arc<Self>> {
        if space == self.space {
            return Ok(self.clone());
        }
        let mut others = self.others.lock();
        if let Some(known) = others.get(&space) {
            return Ok(known.clone());
        }
        let segments = self.segments.iter().map(|segment| segment.in_space(space));
        let other = Arc::new(Self {
            searcher: self.searcher.clone(),
            fields: self.fields.clone(),
            segments: segments.collect::<Result<_>>()?,
            sequence: self.sequence,
            space,
            others: Mutex::default(),
            percentiles: Mutex::default(),
            derived: Derived::default(),
        });
        others.insert(space, other.clone());
        Ok(other)
    }

    /// Bytes of the latents of this space, on disk and mapped.
    pub fn latents_bytes(&self) -> u64 {
        let segments = self.segments.iter();
        segments
            .map(|segment| segment.latents.n_bytes() as u64)
            .sum()
    }

    /// How its text becomes words.
    pub fn analyzer(&self) -> Analyzer {
        self.fields.analyzer
    }

    /// Number of the last write it contains.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Living documents.
    pub fn n_docs(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// Segments, for statistics.
    pub fn n_segments(&self) -> usize {
        self.segments.len()
    }

    /// Documents with a vector and how many of them a graph covers, deleted ones included.
    pub fn graph_coverage(&self) -> (u64, u64) {
        self.segments
            .iter()
            .fold((0, 0), |(all, covered), segment| {
                let rows = segment.dense.n_rows() as u64;
                let graph = segment.graph.as_ref();
                let known = graph.map_or(0, |graph| rows - graph.missing().len());
                (all + rows, covered + known)
            })
    }

    pub(crate) fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    pub(crate) fn segments(&self) -> &[SegmentView] {
        &self.segments
    }

    /// The segment of a document's number, and its number there.
    pub(crate) fn locate(&self, doc: u32) -> (&SegmentView, u32) {
        let at = self
            .segments
            .partition_point(|segment| segment.base <= doc)
            .saturating_sub(1);
        (&self.segments[at], doc - self.segments[at].base)
    }

    /// The id of a document.
    pub fn id(&self, doc: u32) -> Result<String> {
        Ok(self.stored(doc)?.id)
    }

    /// Id, text, attributes and, in the space of this snapshot's SAE, positions of a document;
    /// vector and latents are left empty.
    pub fn stored(&self, doc: u32) -> Result<Document> {
        let mut document = self.stored_of_all(doc)?;
        document.codes = document
            .codes
            .into_iter()
            .skip(self.space)
            .take(1)
            .collect();
        Ok(document)
    }

    /// As [`Self::stored`], with the positions of every SAE.
    fn stored_of_all(&self, doc: u32) -> Result<Document> {
        let at = self
            .segments
            .partition_point(|segment| segment.base <= doc)
            .saturating_sub(1);
        let segment = u32::try_from(at).map_err(|_| Error::internal("too many segments"))?;
        let address = DocAddress::new(segment, doc - self.segments[at].base);
        let stored: TantivyDocument = self.searcher.doc(address)?;
        self.fields.decode(&stored)
    }

    /// Everything of a document, with its codes under every SAE.
    pub fn whole(&self, doc: u32) -> Result<Document> {
        let mut document = self.stored_of_all(doc)?;
        document.vector = self.vector(doc).map(<[f32]>::to_vec);
        let (segment, local) = self.locate(doc);
        for (sae, space) in segment.spaces.iter().enumerate() {
            document.codes_mut(sae).latents = space.latents.row(local).iter().collect();
        }
        Ok(document)
    }

    /// The version of a document, the same in every space.
    pub fn version(&self, doc: u32) -> Result<Version> {
        Ok(Version::of(&self.whole(doc)?))
    }

    /// Everything of a document, in the space of this snapshot's SAE.
    pub fn document(&self, doc: u32) -> Result<Document> {
        let mut document = self.stored(doc)?;
        document.vector = self.vector(doc).map(<[f32]>::to_vec);
        document.codes_mut(0).latents = self.latents(doc);
        Ok(document)
    }

    /// A document's vector, as it was given.
    pub fn vector(&self, doc: u32) -> Option<&[f32]> {
        let (segment, local) = self.locate(doc);
        let row = segment.dense.row_of(local)?;
        Some(segment.dense.vector(row))
    }

    /// A document's latents, ascending.
    pub fn latents(&self, doc: u32) -> Vec<Activation> {
        let (segment, local) = self.locate(doc);
        segment.latents.row(local).iter().collect()
    }

    /// Calls `visit` with each of a document's latents, ascending.
    pub fn for_each_latent(&self, doc: u32, visit: impl FnMut(Activation)) {
        let (segment, local) = self.locate(doc);
        segment.latents.row(local).iter().for_each(visit);
    }

    /// The 90th percentile of a latent's activations over the living documents in which it is
    /// active, by linear interpolation (as NumPy's); `None` where no document has it.
    pub fn percentile90(&self, latent: u32) -> Option<f32> {
        if let Some(known) = self.percentiles.lock().get(&latent) {
            return *known;
        }
        let found = percentile(&mut self.activations(latent), 0.9);
        self.percentiles.lock().insert(latent, found);
        found
    }

    /// Activations of a latent over the living documents in which it is active.
    pub fn activations(&self, latent: u32) -> Vec<f32> {
        let mut found = Vec::new();
        self.for_each_posting(latent, |_, activation| found.push(activation));
        found
    }

    /// Calls `visit` with each living document in which a latent is active, ascending.
    pub fn for_each_posting(&self, latent: u32, mut visit: impl FnMut(u32, f32)) {
        for segment in &self.segments {
            if let Some(list) = segment.latents.list(latent) {
                list.for_each(|docs, activations| {
                    for (&doc, &activation) in docs.iter().zip(activations) {
                        if segment
                            .alive
                            .as_ref()
                            .is_none_or(|alive| alive.contains(doc))
                        {
                            visit(segment.base + doc, activation);
                        }
                    }
                });
            }
        }
    }

    /// Calls `visit` with every living document's number and its row of latents.
    pub(crate) fn for_each_row(
        &self,
        mut visit: impl FnMut(u32, &mut dyn Iterator<Item = Activation>),
    ) {
        for segment in &self.segments {
            for doc in segment.reader.doc_ids_alive() {
                visit(segment.base + doc, &mut segment.latents.row(doc).iter());
            }
        }
    }

    /// Numbers of all living documents, ascending.
    pub fn living(&self) -> impl Iterator<Item = u32> + '_ {
        self.segments.iter().flat_map(|segment| {
            segment
                .reader
                .doc_ids_alive()
                .map(move |doc| segment.base + doc)
        })
    }

    /// The mean over documents of the sum of their activations, deleted documents included until
    /// their segments are merged.
    pub(crate) fn mean_activation_sum(&self) -> f32 {
        *self.derived.mean_activation_sum.get_or_init(|| {
            let mut sum = 0.0_f64;
            let mut documents = 0_u64;
            for segment in self.segments() {
                documents += u64::from(segment.latents.n_docs());
                for (_, list) in segment.latents.lists() {
                    list.for_each(|_, activations| {
                        sum += activations
                            .iter()
                            .map(|&value| f64::from(value))
                            .sum::<f64>();
                    });
                }
            }
            (sum / documents.max(1) as f64) as f32
        })
    }

    /// No activation of a latent is above this.
    pub(crate) fn maximum_activation(&self, latent: u32) -> f32 {
        let lists = self
            .segments()
            .iter()
            .filter_map(|segment| segment.latents.list(latent));
        lists
            .flat_map(|list| (0..list.n_blocks()).map(move |index| list.block(index).maximum))
            .fold(0.0, f32::max)
    }

    /// The centroids of the latents (the methods guide, centroids). The first call of a snapshot
    /// reads what earlier snapshots have not.
    pub fn centroids(&self) -> Arc<Centroids> {
        let derived = &self.derived.centroids;
        derived
            .get_or_init(|| Arc::new(Centroids::of(&self.segments)))
            .clone()
    }
}

/// The `share` quantile of `values` by linear interpolation between order statistics.
pub(crate) fn percentile(values: &mut [f32], share: f64) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let place = share * (values.len() - 1) as f64;
    let at = place.floor() as usize;
    let (_, low, above) = values.select_nth_unstable_by(at, f32::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    Some((f64::from(low) + (f64::from(high) - f64::from(low)) * place.fract()) as f32)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([1, 2, 3, 4, 10], 90) == 7.6
        let found = percentile(&mut [4.0, 1.0, 10.0, 2.0, 3.0], 0.9).unwrap();
        assert!((found - 7.6).abs() < 1e-6);
        assert_eq!(percentile(&mut [5.0], 0.9), Some(5.0));
        assert_eq!(percentile(&mut [], 0.9), None);
    }
}
