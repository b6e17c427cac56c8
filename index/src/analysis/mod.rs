//! Analyses over sets of documents: what sets them apart, what occurs together, what changes over
//! an order, what is nearly the same, what forms groups. Formulas are in the
//! methods guide.
//!
//! Every analysis is a pure function of a [`Snapshot`](crate::snapshot::Snapshot), resolved
//! filters and options; what it returns are plain rows. Counts are exact. A document *has* a latent
//! when its stored activation is above a threshold, 0 unless said otherwise.
//!
//! | question | function |
//! |---|---|
//! | How do two sets differ? | [`measure`] on the [`Members`] of each, [`compare`]; [`select`] keeps what matters |
//! | The same prompt answered twice: how do the answers differ? | [`compare_paired`] |
//! | What differs apart from length, or another attribute? | [`compare_stratified`] |
//! | What differs when documents come in clusters? | [`compare_clustered`] |
//! | Which documents show a latent best? | [`Members::strongest`]; with their [`Counterparts`] where sets are paired |
//! | Which latents occur together? | [`correlate()`], [`correlate_joined`] |
//! | Which latents go with a value of an attribute? | [`correlate_attribute`] |
//! | What rises, falls or breaks over time? | [`trends()`], [`trends_over_sets`] |
//! | Which documents are nearly the same? | [`near_duplicates`] |
//! | Which groups do documents form along an axis? | [`cluster::cluster`] |
//! | Where do documents lie in the plane? | [`lay_out`], [`lay_out_along`] |
//! | Where do a latent's documents lie? | [`Snapshot::centroids`](crate::snapshot::Snapshot::centroids) |
//! | How many documents have a value, or a latent? | [`attribute_facet`], [`latent_counts`] |
//! | How many in each bucket of numbers or times, how many of these in each of others, what are their mean and quantiles? | [`facets`] |
//! | Which few latents tell an attribute? | [`explain::explain`] |
//! | Which latents of one SAE are which of another? | [`match_latents`] |
//! | What does a latent go with? | [`profile`] |
//! | Which latents are special cases of which? | [`families`] |
//! | Which latents tell two groups of documents apart? | [`logistic`] |
//!
//! The functions block and use all cores; [`Progress`](crate::progress::Progress) says how far they are and stops them.

pub mod across;
mod among;
mod attributes;
mod calendar;
pub mod cluster;
mod clustered;
mod cooccurrence;
mod correlate;
mod counterparts;
mod diff;
mod duplicates;
pub mod explain;
mod facet;
pub mod families;
mod joined;
mod layout;
pub mod logistic;
pub mod mantel_haenszel;
mod matching;
mod members;
mod order;
mod paired;
mod partition;
pub mod profile;
mod similar_sets;
mod spread;
pub mod statistics;
mod strata;
mod stratified;
mod trends;
mod units;
mod values;

pub use among::Among;
pub use attributes::{AttributeCorrelations, correlate_attribute};
pub use calendar::CalendarUnit;
pub use clustered::compare_clustered;
pub use correlate::{
    CorrelateOptions, Correlations, MAX_TESTED_PAIRS, Pair, Scope, correlate, correlate_joined,
};
pub use counterparts::Counterparts;
pub use diff::{
    ByValue, Diff, DiffOptions, DiffRow, Direction, Measure, Measured, Selection, adjust_together,
    compare, cover_selected, measure, select,
};
pub use duplicates::{DuplicateGroup, DuplicateOptions, Duplicates, near_duplicates};
pub use facet::{
    AttributeFacet, AttributeStatistics, Facet, FacetBy, FacetCounts, FacetEntry, FacetKey,
    HistogramBuckets, LatentCount, MAX_FACET_ENTRIES, MAX_HISTOGRAM_BUCKETS, ValueCount,
    attribute_facet, facets, latent_counts,
};
pub use layout::{
    Layout, LayoutMethod, LayoutOptions, LayoutSpace, PointValues, attribute_values, latent_values,
    lay_out, lay_out_along,
};
pub use matching::{Counterpart, Match, Matching, Space, match_latents};
pub use members::{Members, Side};
pub use order::{Bucket, Buckets, MAX_BUCKETS};
pub use paired::compare_paired;
pub use partition::LENGTH;
pub use strata::Strata;
pub use stratified::compare_stratified;
pub use trends::{ChangePoint, Monotone, TrendOptions, TrendRow, Trends, trends, trends_over_sets};
pub use units::Units;
