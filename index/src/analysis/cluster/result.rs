//! What clustering returns.

/// Documents in groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clustering {
    /// The groups, largest first. Fewer than asked where there are fewer distinct sets of latents.
    pub clusters: Vec<Cluster>,
    /// The documents in them, ascending.
    pub members: Vec<Member>,
    /// Documents in which no latent of the axis is active, ascending.
    pub uncovered: Vec<u32>,
    /// Documents that share no latent of the axis with any landmark, ascending; none where all
    /// pairs are compared.
    pub unreached: Vec<u32>,
    /// Leading eigenvalues of the normalised affinity, descending.
    pub eigenvalues: Vec<f64>,
    /// How many landmarks stood for all; `None` where all pairs were compared.
    pub landmarks: Option<usize>,
}

/// A document of a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// Its number in the snapshot.
    pub doc: u32,
    /// Its cluster, a place in [`Clustering::clusters`].
    pub cluster: usize,
    /// Its mean affinity to the other members, or to the landmarks among them; 0 without any.
    pub affinity: f64,
    /// Where it is drawn: principal components of the spectral embedding.
    pub position: [f64; 2],
}

/// A group of documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Documents in it.
    pub size: usize,
    /// Mean of its members' affinities.
    pub affinity: f64,
    /// Latents of the axis that are active in more of its documents than in the others, the
    /// largest difference first.
    pub over: Vec<Distinctive>,
    /// Those active in fewer, the largest difference first.
    pub under: Vec<Distinctive>,
    /// Documents with the highest affinity.
    pub documents: Vec<u32>,
}

/// How much more or less often a latent is active in a cluster than in the other clusters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distinctive {
    /// The latent.
    pub latent: u32,
    /// Documents of the cluster in which it is active.
    pub count: u64,
    /// The same as a share of the cluster.
    pub inside: f64,
    /// Its share in the documents of the other clusters; 0 where there are none.
    pub outside: f64,
}
