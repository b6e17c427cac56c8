//! The segments of a snapshot: their components, opened once and shared by snapshots.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;
use tantivy::index::{SegmentComponent, SegmentId};
use tantivy::{Searcher, SegmentReader};

use super::set_cache::SetCache;
use super::sums::Sums;
use crate::dense::{self, DenseReader, Graph};
use crate::error::{Error, Result};
use crate::latents::{self, LatentsReader};

/// What a segment holds of one SAE.
#[derive(Clone)]
pub(crate) struct Space {
    /// Its matrix.
    pub latents: Arc<LatentsReader>,
    /// Sums for the latents' centroids, once they were asked for.
    pub centroid_sums: Arc<OnceLock<Sums>>,
}

/// A segment of a snapshot with its components open.
#[derive(Clone)]
pub(crate) struct SegmentView {
    /// tantivy's reader: text, stored fields, attribute columns.
    pub reader: SegmentReader,
    /// The snapshot's number of the segment's document 0.
    pub base: u32,
    /// The matrix of the SAE whose space is viewed.
    pub latents: Arc<LatentsReader>,
    /// Sums for the centroids of its latents.
    pub centroid_sums: Arc<OnceLock<Sums>>,
    /// What there is of each SAE; fewer where no document has latents of the last ones.
    pub spaces: Arc<[Space]>,
    /// The `dense` component.
    pub dense: Arc<DenseReader>,
    /// Sets of attribute tests.
    pub tests: Arc<SetCache>,
    /// The graph over it, where one is built.
    pub graph: Option<Arc<Graph>>,
    /// Living documents; `None` when none is deleted.
    pub alive: Option<RoaringBitmap>,
}

impl SegmentView {
    /// The segment, viewed in the space of another SAE.
    pub fn in_space(&self, space: usize) -> Result<Self> {
        let Space {
            latents,
            centroid_sums,
        } = match self.spaces.get(space) {
            Some(space) => space.clone(),
            None => Space {
                latents: Arc::new(LatentsReader::empty(self.reader.max_doc() as usize)?),
                centroid_sums: Arc::default(),
            },
        };
        Ok(Self {
            latents,
            centroid_sums,
            ..self.clone()
        })
    }
}

/// What a segment's view shares with those of other snapshots.
#[derive(Clone)]
pub(super) struct Components {
    pub spaces: Arc<[Space]>,
    pub dense: Arc<DenseReader>,
    pub tests: Arc<SetCache>,
}

/// Components of live segments, opened once and shared by snapshots.
#[derive(Default)]
pub(crate) struct ComponentCache {
    open: HashMap<SegmentId, Components>,
}

impl ComponentCache {
    pub(super) fn get(&mut self, segment: &SegmentReader) -> Result<Components> {
        if let Some(components) = self.open.get(&segment.segment_id()) {
            return Ok(components.clone());
        }
        let read = |extension: &str| -> Result<_> {
            let component = SegmentComponent::Custom(extension.to_owned());
            Ok(segment.open_read(component)?.read_bytes()?)
        };
        let matrices = latents::open_spaces(read(latents::EXTENSION)?)?;
        let n_docs = matrices[0].n_docs();
        let spaces = matrices.into_iter().map(|matrix| Space {
            latents: Arc::new(matrix),
            centroid_sums: Arc::default(),
        });
        let dense = Arc::new(DenseReader::open(read(dense::EXTENSION)?)?);
        if n_docs != segment.max_doc() {
            return Err(Error::corrupted(format!(
                "segment {} has {} documents, its latents {}",
                segment.segment_id(),
                segment.max_doc(),
                n_docs
            )));
        }
        let components = Components {
            spaces: spaces.collect(),
            dense,
            tests: Arc::default(),
        };
        self.open.insert(segment.segment_id(), components.clone());
        Ok(components)
    }

    pub(super) fn retain(&mut self, searcher: &Searcher) {
        let live = searcher.generation().segments();
        self.open.retain(|id, _| live.contains_key(id));
    }
}
