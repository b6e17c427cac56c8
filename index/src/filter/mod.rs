//! Boolean filters over latents, attributes, ids, text and saved sets.
//!
//! A [`Filter`] is data: built by hand, parsed from the text language ([`parse()`]), stored as a
//! saved set. It may use names: of saved sets, families, other SAEs. [`Filter::resolve`] checks it
//! against a [`Resolver`] and replaces every name by what it refers to; the result, a
//! [`ResolvedFilter`], is what the engine evaluates, to one roaring bitmap per segment, so counts
//! are exact.

mod allowed;
mod columns;
mod evaluate;
mod parse;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{Value, validate_attribute_name};
use crate::error::{Error, Result, Within as _};

pub(crate) use allowed::{Allowed, AllowedInSegment};
pub(crate) use columns::{AttributeColumn, attribute_columns};
pub(crate) use evaluate::text_query;
pub use parse::{parse, parse_timestamp};

/// Deepest nesting of a filter, saved sets expanded.
pub const MAX_DEPTH: usize = 32;
/// Most nodes of a filter, saved sets expanded.
const MAX_NODES: usize = 4096;
/// Most values of one `in` list or id list.
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
        /// The place, 0 for the first.
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
}

/// How many of a text's words a document must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextMode {
    /// At least one.
    #[default]
    Any,
    /// All of them.
    All,
    /// All of them, one after the other.
    Phrase,
}

/// What a request is resolved against: the shape of a collection and what names refer to.
pub trait Resolver {
    /// The dimension of the collection's vectors, if it has any.
    fn dimension(&self) -> Option<usize>;

    /// The number of latents, if the collection has any.
    fn n_latents(&self) -> Option<usize>;

    /// What a name refers to. A filter it stands for is resolved within `nesting`
    /// ([`Filter::resolve_within`]). A resolver without names refuses all of them.
    fn look_up(&self, name: &Name, nesting: &Nesting) -> Result<ResolvedFilter> {
        let _ = nesting;
        Err(Error::not_found(match name {
            Name::SavedSet(name) => format!("saved set {name:?} does not exist"),
            Name::Family(root) => format!("no family has the root {root}"),
            Name::Through { sae, .. } => format!("SAE {sae:?} does not exist"),
        }))
    }
}

/// The resolver of a collection without names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The dimension of its vectors.
    pub dimension: Option<usize>,
    /// The number of its latents.
    pub n_latents: Option<usize>,
}

impl Resolver for Shape {
    fn dimension(&self) -> Option<usize> {
        self.dimension
    }

    fn n_latents(&self) -> Option<usize> {
        self.n_latents
    }
}

/// How deep and how large a filter is so far, whatever its names stand for: filters that name one
/// another have an end.
#[derive(Debug, Default)]
pub struct Nesting {
    depth: Cell<usize>,
    nodes: Cell<usize>,
}

impl Nesting {
    /// Does something a level deeper.
    fn deeper<T>(&self, then: impl FnOnce() -> Result<T>) -> Result<T> {
        let (depth, nodes) = (self.depth.get() + 1, self.nodes.get() + 1);
        if depth > MAX_DEPTH || nodes > MAX_NODES {
            return Err(Error::invalid(
                "",
                format!(
                    "is too large: at most {MAX_DEPTH} levels and {MAX_NODES} parts are accepted, \
                     saved sets included"
                ),
            ));
        }
        self.depth.set(depth);
        self.nodes.set(nodes);
        let done = then();
        self.depth.set(depth - 1);
        done
    }
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

    /// The names of the SAEs that latents are tested through, empty for the first; not counting what
    /// names stand for.
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

    /// The filter with every name replaced by what it refers to, checked against the limits of this
    /// module and the collection's latents.
    ///
    /// # Errors
    /// `InvalidArgument` naming the part as a path, and those of the resolver.
    pub fn resolve(&self, resolver: &dyn Resolver) -> Result<ResolvedFilter> {
        self.resolve_within(resolver, &Nesting::default())
    }

    /// As [`Self::resolve`] for a part of another filter.
    pub fn resolve_within(
        &self,
        resolver: &dyn Resolver,
        nesting: &Nesting,
    ) -> Result<ResolvedFilter> {
        nesting.deeper(|| self.resolve_parts(resolver, nesting))
    }

    fn resolve_parts(&self, resolver: &dyn Resolver, nesting: &Nesting) -> Result<ResolvedFilter> {
        let all = |parts: &[Self]| -> Result<Vec<ResolvedFilter>> {
            parts
                .iter()
                .enumerate()
                .map(|(at, part)| {
                    part.resolve_within(resolver, nesting)
                        .within(&format!("[{at}]"))
                })
                .collect()
        };
        Ok(match self {
            Self::All => Filter::All,
            Self::Latent {
                latent,
                lower,
                upper,
            } => {
                check_latent(*latent, resolver.n_latents()).within("latent")?;
                for bound in [lower, upper] {
                    if let Bound::Included(value) | Bound::Excluded(value) = bound
                        && value.is_nan()
                    {
                        return Err(Error::invalid("latent", "has a bound that is not a number"));
                    }
                }
                Filter::Latent {
                    latent: *latent,
                    lower: *lower,
                    upper: *upper,
                }
            }
            Self::Attribute { name, test } => {
                validate_attribute_name(name).within("attribute")?;
                test.validate().within(name)?;
                Filter::Attribute {
                    name: name.clone(),
                    test: test.clone(),
                }
            }
            Self::Ids(ids) if ids.len() > MAX_LIST_VALUES => {
                return Err(Error::invalid(
                    "ids",
                    format!(
                        "has {} entries; at most {MAX_LIST_VALUES} are accepted (save a frozen set \
                         for more)",
                        ids.len()
                    ),
                ));
            }
            Self::Ids(ids) => Filter::Ids(ids.clone()),
            Self::Text { text, mode } => Filter::Text {
                text: text.clone(),
                mode: *mode,
            },
            Self::Named(name @ Name::Through { .. }) => {
                resolver.look_up(name, nesting).within("through")?
            }
            Self::Named(name) => resolver.look_up(name, nesting)?,
            Self::And(parts) => Filter::And(all(parts).within("and")?),
            Self::Or(parts) => Filter::Or(all(parts).within("or")?),
            Self::Not(part) => part
                .resolve_within(resolver, nesting)
                .within("not")?
                .negate(),
        })
    }
}

impl AttributeTest {
    fn validate(&self) -> Result<()> {
        match self {
            Self::Exists => Ok(()),
            Self::In(values) => {
                if values.len() > MAX_LIST_VALUES {
                    return Err(Error::invalid(
                        "in",
                        format!(
                            "has {} values; at most {MAX_LIST_VALUES} are accepted",
                            values.len()
                        ),
                    ));
                }
                values.iter().try_for_each(|value| match value {
                    Value::List(_) => Err(Error::invalid("", "compares with a list; use `in`")),
                    scalar => scalar.validate(),
                })
            }
            Self::Range { lower, upper } => {
                let mut kinds = Vec::new();
                for bound in [lower, upper] {
                    if let Bound::Included(value) | Bound::Excluded(value) = bound {
                        value.validate()?;
                        kinds.push(match value {
                            Value::Integer(_) | Value::Float(_) => "number",
                            Value::Boolean(_) | Value::List(_) => {
                                return Err(Error::invalid(
                                    "range",
                                    format!(
                                        "has a {} bound; numbers, timestamps and strings are accepted",
                                        value.kind()
                                    ),
                                ));
                            }
                            other => other.kind(),
                        });
                    }
                }
                if kinds.len() == 2 && kinds[0] != kinds[1] {
                    return Err(Error::invalid(
                        "range",
                        format!("has a {} and a {} as bounds", kinds[0], kinds[1]),
                    ));
                }
                Ok(())
            }
        }
    }
}

/// Checks a latent's number against the collection's SAE.
pub(crate) fn check_latent(latent: u32, n_latents: Option<usize>) -> Result<()> {
    match n_latents {
        None => Err(Error::precondition(
            "the collection has no SAE, so it has no latents yet: train one (`latentdb sae train \
             --collection NAME`) and attach it (`latentdb collection attach NAME --sae DIR`)",
        )),
        Some(n) if latent as usize >= n => Err(Error::invalid(
            "",
            format!("is {latent}; this collection's latents are 0 to {}", n - 1),
        )),
        Some(_) => Ok(()),
    }
}
