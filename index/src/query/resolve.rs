//! The one step from a query that is asked to the query that is run.

use std::collections::HashSet;

use super::{
    Kind, LatentWeight, Latents, MAX_DEPTH, MAX_HITS, MAX_WEIGHTS, Nearest, Order, Query,
    ResolvedQuery,
};
use crate::document::validate_vector;
use crate::error::{Error, Result, Within as _};
use crate::filter::{AttributeTest, Resolver, Shape, check_latent};
use crate::rank::Fusion;

/// Maximum nodes of a query.
const MAX_NODES: usize = 256;

impl Query {
    /// Checks the tree against the limits of this module and the collection, resolves its filters,
    /// and names every node that has no name after its place and kind (`nearest` at the root,
    /// `0.nearest` in the first place below it). The error's field is a path inside the query.
    pub fn resolve(&self, resolver: &dyn Resolver) -> Result<ResolvedQuery> {
        let mut resolution = Resolution {
            resolver,
            names: HashSet::new(),
            nodes: 0,
        };
        self.resolve_at(&mut resolution, "", 1)
    }

    fn resolve_at(
        &self,
        resolution: &mut Resolution,
        place: &str,
        depth: usize,
    ) -> Result<ResolvedQuery> {
        resolution.nodes += 1;
        if depth > MAX_DEPTH || resolution.nodes > MAX_NODES {
            return Err(Error::invalid(
                "",
                format!(
                    "is too large: at most {MAX_DEPTH} levels and {MAX_NODES} nodes are accepted"
                ),
            ));
        }
        let resolver = resolution.resolver;
        let filter = self.filter.as_ref().map(|filter| filter.resolve(resolver));
        let filter = filter.transpose().within("filter")?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None if place.is_empty() => self.kind.name().to_owned(),
            None => format!("{place}.{}", self.kind.name()),
        };
        if !resolution.names.insert(name.clone()) {
            return Err(Error::invalid(
                "name",
                format!("{name:?} names two nodes of the query"),
            ));
        }
        Ok(ResolvedQuery {
            kind: self.kind.resolve(resolution, place, depth)?,
            filter,
            name,
        })
    }
}

impl Kind {
    fn resolve(
        &self,
        resolution: &mut Resolution,
        place: &str,
        depth: usize,
    ) -> Result<Kind<ResolvedQuery>> {
        let (shape, name) = (resolution.resolver.shape(), self.name());
        let mut child = |query: &Query, at: usize, field: &str| {
            query
                .resolve_at(resolution, &child_place(place, at), depth + 1)
                .within(field)
        };
        Ok(match self {
            Self::Nearest(nearest) => Kind::Nearest(nearest.checked(shape).within(name)?),
            Self::Boost(nearest, boosts) => {
                let weights = validate_weights(&boosts.weights, shape);
                weights.within("boost").within(name)?;
                Kind::Boost(nearest.checked(shape).within(name)?, boosts.clone())
            }
            Self::Latents(latents) => Kind::Latents(latents.checked(shape).within(name)?),
            Self::LatentsBm25(bm25) => {
                bm25.validate_parameters().within(name)?;
                validate_weights(&bm25.weights, shape).within(name)?;
                Kind::LatentsBm25(bm25.clone())
            }
            Self::Text { text, mode } => {
                shape.analyzer.check(text, *mode).within(name)?;
                Kind::Text {
                    text: text.clone(),
                    mode: *mode,
                }
            }
            Self::Fusion {
                children,
                method,
                depth,
            } => {
                validate_fusion(children, *method, *depth).within(name)?;
                let children = children.iter().enumerate();
                let resolved = children.map(|(at, (query, weight))| {
                    let field = format!("fusion.children[{at}].query");
                    Ok((child(query, at, &field)?, *weight))
                });
                Kind::Fusion {
                    children: resolved.collect::<Result<_>>()?,
                    method: *method,
                    depth: *depth,
                }
            }
            Self::Except { query, minus, top } => {
                check_count(*top).within("excluding.top")?;
                let query = Box::new(child(query, 0, "excluding.query")?);
                // The right side gives no scores, so its names need not differ from the left's.
                let names = std::mem::take(&mut resolution.names);
                let minus = minus.resolve_at(resolution, &child_place(place, 1), depth + 1);
                resolution.names = names;
                Kind::Except {
                    query,
                    minus: Box::new(minus.within("excluding.minus")?),
                    top: *top,
                }
            }
            Self::Matching(order) => {
                let resolver = resolution.resolver;
                let exists = |name: &str| resolver.consider(name, &AttributeTest::Exists);
                order.validate(exists).within(name)?;
                Kind::Matching(order.clone())
            }
        })
    }
}

/// The place of a node's child `at`, by which it is named.
fn child_place(place: &str, at: usize) -> String {
    if place.is_empty() {
        at.to_string()
    } else {
        format!("{place}.{at}")
    }
}

/// What a query is resolved with.
struct Resolution<'a> {
    resolver: &'a dyn Resolver,
    names: HashSet<String>,
    nodes: usize,
}

impl Nearest {
    fn checked(&self, shape: Shape) -> Result<Self> {
        if self.ef == 0 || self.ef > MAX_HITS {
            return Err(Error::invalid(
                "ef",
                format!("is {}; 1 to {MAX_HITS} is accepted", self.ef),
            ));
        }
        validate_vector(&self.vector, shape.dimension).within("vector")?;
        Ok(self.clone())
    }
}

impl Latents {
    fn checked(&self, shape: Shape) -> Result<Self> {
        validate_weights(&self.weights, shape)?;
        Ok(self.clone())
    }
}

fn validate_weights(weights: &[LatentWeight], shape: Shape) -> Result<()> {
    if weights.is_empty() || weights.len() > MAX_WEIGHTS {
        return Err(Error::invalid(
            "weights",
            format!(
                "has {} entries; 1 to {MAX_WEIGHTS} are accepted",
                weights.len()
            ),
        ));
    }
    let mut seen = HashSet::new();
    for (at, entry) in weights.iter().enumerate() {
        let place = format!("weights[{at}]");
        check_latent(entry.latent, shape.n_latents)
            .within("latent")
            .within(&place)?;
        if !entry.weight.is_finite() {
            return Err(Error::invalid(
                format!("{place}.weight"),
                format!("is {}; a finite number is accepted", entry.weight),
            ));
        }
        if !seen.insert(entry.latent) {
            return Err(Error::invalid(
                format!("{place}.latent"),
                format!("names latent {} a second time", entry.latent),
            ));
        }
    }
    Ok(())
}

impl Query {
    /// Whether its hits come in an order of the documents' own, which scores do not say.
    fn goes_by_order(&self) -> bool {
        match &self.kind {
            Kind::Matching(order) => *order != Order::Stored,
            Kind::Except { query, .. } => query.goes_by_order(),
            _ => false,
        }
    }
}

fn validate_fusion(children: &[(Query, f32)], method: Fusion, depth: usize) -> Result<()> {
    if children.is_empty() {
        return Err(Error::invalid(
            "children",
            "is empty; at least one is needed",
        ));
    }
    check_count(depth).within("depth")?;
    if let Fusion::ReciprocalRank { k } = method
        && !(k.is_finite() && k >= 0.0)
    {
        return Err(Error::invalid(
            "rank_constant",
            format!("is {k}; a finite number from 0 up is accepted"),
        ));
    }
    for (at, (child, weight)) in children.iter().enumerate() {
        if matches!(method, Fusion::Linear(_))
            && matches!(child.kind, Kind::Fusion { .. } | Kind::Except { .. })
        {
            return Err(Error::invalid(
                format!("children[{at}].query"),
                "is a ranking of rankings; a linear combination scores every candidate on every \
                 part, so its parts are nearest, latents, property, text or matching",
            ));
        }
        if !matches!(method, Fusion::ReciprocalRank { .. }) && child.goes_by_order() {
            return Err(Error::invalid(
                format!("children[{at}].query"),
                "is an order, which ranks without scores; reciprocal rank fusion accepts it",
            ));
        }
        if !weight.is_finite() {
            return Err(Error::invalid(
                format!("children[{at}].weight"),
                format!("is {weight}; a finite number is accepted"),
            ));
        }
    }
    Ok(())
}

fn check_count(count: usize) -> Result<()> {
    if (1..=MAX_HITS).contains(&count) {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        format!("is {count}; 1 to {MAX_HITS} is accepted"),
    ))
}
