//! Latents and their labels: listing, labelling, scoring, finding, families and counterparts.

mod corpus;
mod embedding;
mod families;
mod find;
mod labelling;
mod language_models;
mod list;
mod page;
mod part;
mod passages;
mod scores;
mod similar;
mod splitting;
#[cfg(test)]
mod tests;
mod vectors;

pub(super) use embedding::PhraseEncoder;
pub use families::{FindFamilies, LabelledFamily};
pub use find::{FoundLabel, LabelSearch};
pub use labelling::{LabelProgress, LabelRequest, LabellerChoice};
pub use language_models::ChatUse;
pub(super) use list::check_latent;
pub use list::{LatentList, LatentOrder, LatentStatistics, NewLabel, ShownLabel};
pub use page::{LatentPage, PageRequest, Related};
pub use part::Labels;
pub(super) use passages::Passages;
pub use scores::{JudgeChoice, ScoreProgress, ScoreRequest, ScoreSummary, ScoredLabel};
pub(super) use similar::SimilarLabels;
pub use splitting::{SplitLatent, SplitRequest};
