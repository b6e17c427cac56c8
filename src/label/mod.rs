//! Names for latents, made from the documents that activate them.
//!
//! | to add | open |
//! |---|---|
//! | a labeller | one file here, one name in `service/labels.rs` |

mod keyphrase;
mod stop_words;

pub use keyphrase::{Activating, KeyphraseOptions, keyphrase_labels};
