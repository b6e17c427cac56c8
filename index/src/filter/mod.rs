//! Boolean filters over latents, attributes, ids, text and saved sets.
//!
//! A [`Filter`] is data: built by hand, parsed from the text language ([`parse()`]), stored as a
//! saved set. It may use names: of saved sets, families, other SAEs. [`Filter::resolve`] checks it
//! against a [`Resolver`] and replaces every name by what it refers to; the result, a
//! [`ResolvedFilter`], is what the engine evaluates, to one roaring bitmap per segment, so counts
//! are exact.

mod allowed;
mod columns;
mod doubt;
mod evaluate;
mod parse;
mod pattern;
mod print;
mod resolve;
mod terms;
mod tokens;

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::Value;

pub(crate) use allowed::{Allowed, AllowedInSegment};
pub(crate) use columns::{AttributeColumn, attribute_columns};
pub(crate) use evaluate::{QueryWord, text_query, text_words};
pub use parse::{parse, parse_timestamp};
pub use pattern::Pattern;
pub(crate) use resolve::check_latent;
pub use resolve::{Nesting, Resolver, Shape};
pub(crate) use terms::{WordForms, word_forms};

pub use crate::text::TextMode;

/// Deepest nesting of a filter, saved sets expanded.
pub const MAX_DEPTH: usize = 32;
/// Maximum values of one `in` list or id list.
pub const MAX_LIST_VALUES: usize = 100_000;

/// A set of documents, described. `N` is what its named parts are: names as a request asks for
/// them, or what they refer to ([`ResolvedFilter`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter<N = Name> {
    /// Every document.
    All,
    /// Documents in which a latent is active, with its activation inside bounds where given.
    /// A document in which the latent is inactive never matches.
    Latent {
        /// The latent's number.
        latent: u32,
        /// Lowest activation.
        lower: Bound<f32>,
        /// Highest activation.
        upper: Bound<f32>,
    },
    /// Documents one of whose values of an attribute satisfies a test.
    Attribute {
        /// The attribute's name.
        name: String,
        /// The test.
        test: AttributeTest,
    },
    /// Documents with one of these ids.
    Ids(Vec<String>),
    /// Documents whose id passes a test.
    Id(IdTest),
    /// Documents whose text matches words.
    Text {
        /// The words, analysed as the text was.
        text: String,
        /// How many of them must be there.
        mode: TextMode,
    },
    /// Documents that a name stands for.
    Named(N),
    /// Documents in all of these (all documents when empty).
    And(Vec<Self>),
    /// Documents in any of these (none when empty).
    Or(Vec<Self>),
    /// Documents not in this.
    Not(Box<Self>),
}

/// A filter that the engine evaluates.
pub type ResolvedFilter = Filter<Referent>;

/// A part of a filter that stands for other documents or another filter by a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// The documents of a saved set.
    SavedSet(String),
    /// The documents in which any latent of a family is active, by the family's root.
    Family(u32),
    /// What a filter describes in the space of another SAE of the collection: its latents and
    /// families are that SAE's.
    Through {
        /// The SAE's name.
        sae: String,
        /// The filter.
        filter: Box<Filter>,
    },
}

/// What a name in a filter refers to.
#[derive(Clone, Debug, PartialEq)]
pub enum Referent {
    /// Documents with one of these ids, as a frozen saved set holds them: shared, not limited.
    Ids(Arc<[String]>),
    /// A filter in the space of the SAE at a place.
    InSpace {
        /// The place in the collection's list of SAEs.
        space: usize,
        /// The filter.
        filter: Box<ResolvedFilter>,
    },
}

/// A test of an attribute's values. Integers and floats compare as numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeTest {
    /// The value is one of these.
    In(Vec<Value>),
    /// The value lies between bounds of one kind: numbers, timestamps or strings.
    Range {
        /// Lowest value.
        lower: Bound<Value>,
        /// Highest value.
        upper: Bound<Value>,
    },
    /// The document has the attribute.
    Exists,
    /// The value is a string that a pattern describes.
    Like(Pattern),
}

/// A test of documents' ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdTest {
    /// The id lies between bounds, in the order of its bytes.
    Range {
        /// Lowest id.
        lower: Bound<String>,
        /// Highest id.
        upper: Bound<String>,
    },
    /// A pattern describes the id.
    Like(Pattern),
}

impl<N> Filter<N> {
    /// Documents in which `latent` is active.
    pub fn latent(latent: u32) -> Self {
        Self::Latent {
            latent,
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
        }
    }

    /// Documents with `value` in attribute `name`.
    pub fn equals(name: impl Into<String>, value: Value) -> Self {
        Self::Attribute {
            name: name.into(),
            test: AttributeTest::In(vec![value]),
        }
    }

    /// Documents not in `self`.
    #[must_use]
    pub fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Documents in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, filter) | (filter, Self::All) => filter,
            (left, right) => Self::And(vec![left, right]),
        }
    }
}

impl Filter {
    /// Whether latents or families are tested, not counting what names stand for.
    pub fn reads_latents(&self) -> bool {
        match self {
            Self::Latent { .. } | Self::Named(Name::Family(_)) => true,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::reads_latents),
            Self::Not(part) => part.reads_latents(),
            _ => false,
        }
    }

    /// Whether a group of no parts, which every document meets, is anywhere in it.
    pub fn has_empty_and(&self) -> bool {
        match self {
            Self::And(parts) if parts.is_empty() => true,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::has_empty_and),
            Self::Not(part) => part.has_empty_and(),
            Self::Named(Name::Through { filter, .. }) => filter.has_empty_and(),
            _ => false,
        }
    }

    /// The names of the SAEs in whose spaces latents are tested, empty for the default; not counting
    /// what names stand for.
    pub fn saes(&self) -> BTreeSet<&str> {
        match self {
            Self::Named(Name::Through { sae, filter }) => {
                let mut names = filter.saes();
                names.insert(sae);
                names
            }
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::saes).collect(),
            Self::Not(part) => part.saes(),
            _ => BTreeSet::new(),
        }
    }
}
