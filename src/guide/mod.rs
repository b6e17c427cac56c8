//! The guide: how LatentDB is used and what it computes, one page per module.
//!
//! | question | page |
//! |---|---|
//! | What is stored, what do the words mean? | [`concepts`] |
//! | How are queries, filters and steering written? | [`search`] |
//! | How does a collection get an SAE? | [`training`] |
//! | How are latents named and grouped? | [`labels`] |
//! | What sets documents apart, what goes together, what changes? | [`analyses`] |
//! | How do records get in? | [`ingest`] |
//! | How is a server run, what does it take? | [`operations`] |
//! | How is it used from Python? | [`python`] |
//! | How is it called from another program? | [`api`] |
//! | What exactly is computed? | [`methods`] |
//! | How good and how fast is it, and how is that reproduced? | [`measurements`] |

/// A page, with the links between pages pointing into the crate's documentation: the first
/// definition of a link holds, those at the end of each file serve whoever reads the file.
macro_rules! page {
    ($file:literal) => {
        concat!(
            "[analyses]: crate::guide::analyses\n",
            "[api]: crate::guide::api\n",
            "[concepts]: crate::guide::concepts\n",
            "[ingest]: crate::guide::ingest\n",
            "[labels]: crate::guide::labels\n",
            "[measurements]: crate::guide::measurements\n",
            "[methods]: crate::guide::methods\n",
            "[methods-families]: crate::guide::methods#feature-families\n",
            "[methods-formats]: crate::guide::methods#file-formats\n",
            "[methods-labels]: crate::guide::methods#labels\n",
            "[methods-property]: crate::guide::methods#property-retrieval\n",
            "[methods-sae]: crate::guide::methods#sparse-autoencoders\n",
            "[methods-steering]: crate::guide::methods#steering\n",
            "[operations]: crate::guide::operations\n",
            "[python]: crate::guide::python\n",
            "[search]: crate::guide::search\n",
            "[training]: crate::guide::training\n",
            "\n",
            include_str!($file)
        )
    };
}

#[doc = page!("analyses.md")]
pub mod analyses {}

#[doc = page!("api.md")]
pub mod api {}

#[doc = page!("concepts.md")]
pub mod concepts {}

#[doc = page!("ingest.md")]
pub mod ingest {}

#[doc = page!("labels.md")]
pub mod labels {}

#[doc = page!("measurements.md")]
pub mod measurements {}

#[doc = page!("methods.md")]
pub mod methods {}

#[doc = page!("operations.md")]
pub mod operations {}

#[doc = page!("python.md")]
pub mod python {}

#[doc = page!("search.md")]
pub mod search {}

#[doc = page!("training.md")]
pub mod training {}
