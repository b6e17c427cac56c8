//! `latentdb-index` is the engine of LatentDB as a library: a database of documents with text,
//! attributes, a dense vector and SAE latents, which answers searches, filters and analyses over
//! all of them from one snapshot. It knows no model, no server and no configuration: vectors and
//! latents come ready from whoever embeds it.
//!
//! ```
//! use latentdb_index::analysis::{DiffOptions, Members, Side, Units, compare, measure};
//! use latentdb_index::filter::parse;
//! use latentdb_index::query::{DEFAULT_EF, Kind, Nearest};
//! use latentdb_index::{
//!     Activation, AttachedSae, Database, Document, NewCollection, Operation, Progress, Query, Value,
//! };
//!
//! # fn main() -> latentdb_index::Result<()> {
//! // Create: a database is a directory, a collection has a dimension and a number of latents.
//! let directory = tempfile::tempdir()?;
//! let database = Database::open(directory.path())?;
//! let reviews = database.create(NewCollection {
//!     name: "reviews".into(),
//!     dimension: Some(2),
//!     saes: vec![AttachedSae::of_clients(8)],
//!     ..NewCollection::default()
//! })?;
//!
//! // Write: durable and visible when the call returns.
//! let review = |id: &str, stars: i64, vector: [f32; 2], latent: u32| {
//!     let mut document = Document::new(id);
//!     document.attributes.insert("stars".into(), Value::Integer(stars));
//!     document.vector = Some(vector.to_vec());
//!     document.codes = vec![vec![Activation { latent, activation: 1.5 }].into()];
//!     Operation::Upsert(Box::new(document))
//! };
//! reviews.apply(vec![
//!     review("broken", 1, [1.0, 0.0], 3),
//!     review("late", 2, [0.9, 0.1], 3),
//!     review("lovely", 5, [0.0, 1.0], 6),
//! ])?;
//!
//! // Search: the view is one snapshot; the filter is applied before ranking.
//! let view = reviews.view()?;
//! let near = Kind::Nearest(Nearest { vector: vec![1.0, 0.2], exact: false, ef: DEFAULT_EF });
//! let query = Query::new(near).filtered(parse("stars > 1")?);
//! let hits = view.search(&query, 10)?.hits;
//! assert_eq!(view.snapshot.id(hits[0].doc)?, "late");
//!
//! // Filter: counts are exact.
//! let bad = view.resolve(&parse("latent(3, > 1) and stars <= 2")?)?;
//! assert_eq!(view.snapshot.count(&bad)?, 2);
//!
//! // Diff: which latents set the bad reviews apart from the rest?
//! let (rest, options, progress) = (bad.clone().negate(), DiffOptions::default(), Progress::default());
//! let measured = |filter| {
//!     let members = Members::of(Side { snapshot: &view.snapshot, filter })?;
//!     measure(&members, Units::Latents(8), &options, &progress)
//! };
//! let diff = compare(&measured(&bad)?, &measured(&rest)?, &options)?;
//! assert_eq!((diff.rows[3].a_count, diff.rows[3].b_count), (2, 0));
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! |---|---|
//! | create, list and drop collections | [`Database`] |
//! | write, and read a collection | [`CollectionHandle`], [`Operation`], [`View`] |
//! | describe documents, by data or text | [`Filter`], [`filter`] |
//! | rank documents | [`Query`], [`query`] |
//! | read documents, vectors, latents | [`Snapshot`] |
//! | compare sets; correlations, trends, clusters, facets | [`analysis`] |
//! | say what went wrong | [`Error`], whose kind says what the caller should do |
//! | show how far work is, and end it | [`Progress`] |
//!
//! What is asked ([`Filter`], [`Query`]) may use names of saved sets, families and other SAEs; what is
//! run ([`ResolvedFilter`], [`ResolvedQuery`]) has none. A [`filter::Resolver`] stands between them.
//!
//! Calls block. `examples/` holds whole programs, `ARCHITECTURE.md` how the engine works, `FORMAT.md`
//! its files.

pub mod analysis;
pub mod error;
pub mod filter;
pub mod query;

mod catalog;
mod collection;
mod database;
mod dense;
mod document;
mod engine_error;
mod latent_positions;
mod latents;
mod priority;
mod progress;
mod rank;
mod schema;
mod segment_file;
mod snapshot;
mod storage;
mod text;
mod value_key;
mod vector;
mod version;

pub use catalog::{
    AttachedSae, Catalog, CollectionRecord, FORMAT_VERSION, LOW_SCORE, Label, LabelScore,
    MovedLabel, RecordKind, SavedSet, SetContent,
};
pub use collection::{
    Collection, GraphProgress, MatchingUpdate, Operation, Passages, Requirement, StreamPosition,
    Update, Written,
};
pub use database::{
    CollectionHandle, Damaged, Database, Frozen, NewCollection, Repaired, Verified, View, now,
    repair, validate_name, verify,
};
pub use document::{
    Activation, Codes, Document, LatentPosition, MAX_ID_BYTES, MAX_TEXT_BYTES, Value,
    validate_attribute_name, validate_latents, validate_vector,
};
pub use error::{Error, ErrorKind, Result};
pub use filter::{Filter, ResolvedFilter};
pub use priority::{give_way, gives_way, set_graph_threads};
pub use progress::{Progress, StopOnDrop};
pub use query::{Query, ResolvedQuery};
pub use rank::{ScoredDoc, TopK};
pub use snapshot::{Centroids, Snapshot};
pub use storage::{Faults, Step};
pub use text::{Analyzer, MAX_QUERY_WORDS, Span, TextLanguage};
pub use vector::dot;
pub use version::Version;
