//! The one step from a filter that is asked to the filter that is evaluated.

use std::cell::Cell;
use std::ops::Bound;

use super::{AttributeTest, Filter, IdTest, MAX_DEPTH, MAX_LIST_VALUES, Name, ResolvedFilter};
use crate::document::{Value, validate_attribute_name};
use crate::error::{Error, Result, Within as _};
use crate::text::Analyzer;

/// Maximum nodes of a filter, saved sets expanded.
const MAX_NODES: usize = 4096;

/// What a request is resolved against: the shape of a collection and what names refer to.
pub trait Resolver {
    /// The shape of the collection.
    fn shape(&self) -> Shape;

    /// Sees each test of an attribute: who answers a request can warn of those that cannot match
    /// ([`Snapshot::doubt`](crate::Snapshot::doubt)).
    fn consider(&self, name: &str, test: &AttributeTest) -> Result<()> {
        let _ = (name, test);
        Ok(())
    }

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

/// What the vectors, latents and words of a collection look like; the resolver of one without names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The dimension of its vectors, if it has any.
    pub dimension: Option<usize>,
    /// The number of its latents, if it has any.
    pub n_latents: Option<usize>,
    /// How its text becomes words.
    pub analyzer: Analyzer,
}

impl Resolver for Shape {
    fn shape(&self) -> Shape {
        *self
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

impl Filter {
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
                check_latent(*latent, resolver.shape().n_latents).within("latent")?;
                for bound in [lower, upper] {
                    if let Bound::Included(value) | Bound::Excluded(value) = bound
                        && value.is_nan()
                    {
                        let message = "has the bound NaN; a number is accepted";
                        return Err(Error::invalid("latent", message));
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
                resolver.consider(name, test)?;
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
            Self::Id(test) => {
                if let IdTest::Like(pattern) = test {
                    pattern.validate().within("id")?;
                }
                Filter::Id(test.clone())
            }
            Self::Text { text, mode } => {
                resolver.shape().analyzer.check(text, *mode)?;
                Filter::Text {
                    text: text.clone(),
                    mode: *mode,
                }
            }
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
            Self::Like(pattern) => pattern.validate(),
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
