//! How graphs are built.

/// Parameters of graph construction, in the terms of the HNSW paper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GraphSettings {
    /// M: neighbours a node gets in a layer (layer 0 keeps twice as many).
    pub max_neighbours: usize,
    /// efConstruction: the beam of insertion.
    pub ef_construction: usize,
    /// Rows of the seed.
    pub seed_rows: usize,
}

impl Default for GraphSettings {
    fn default() -> Self {
        Self {
            max_neighbours: 16,
            ef_construction: 160,
            seed_rows: 8192,
        }
    }
}
