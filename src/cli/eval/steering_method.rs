//! Ways of bringing a concept into a query's hits.

use std::collections::BTreeSet;

use latentdb_proto::v1::{
    NearestQuery, Query, SteerEdit, SteerUnit, Vector, nearest_query::To, query::Kind,
    steer_edit::Edit,
};

use crate::cli::search::{expression, node};

/// Steps of the consistent clamp.
const CONSISTENT_STEPS: u32 = 10;

/// A way of bringing a concept into a query's hits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Method {
    Boost,
    Add,
    /// The activation set, in units of p90.
    Clamp,
    /// The same, then steps that make the code agree.
    ConsistentClamp,
    /// The label's vector mixed into the query's.
    Mix,
    /// The label appended to the query's text.
    Append,
    /// Only documents with the latent.
    Filter,
}

/// Every method with the strengths it is tried at.
pub(super) const SETTINGS: [(Method, &[f32]); 7] = [
    (Method::Boost, &[0.05, 0.1, 0.15, 0.2, 0.3]),
    (Method::Add, &[0.3, 0.5, 0.7, 1.0, 1.5]),
    (Method::Clamp, &[0.5, 1.0, 2.0, 4.0]),
    (Method::ConsistentClamp, &[0.5, 1.0, 2.0, 4.0]),
    (Method::Mix, &[0.3, 0.4, 0.5, 0.6]),
    (Method::Append, &[1.0]),
    (Method::Filter, &[1.0]),
];

impl Method {
    /// Its name in output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Boost => "boost",
            Self::Add => "add",
            Self::Clamp => "clamp",
            Self::ConsistentClamp => "consistent-clamp",
            Self::Mix => "mix",
            Self::Append => "append",
            Self::Filter => "filter",
        }
    }

    /// True when it needs labels.
    pub(super) fn needs_labels(self) -> bool {
        matches!(self, Self::Mix | Self::Append)
    }
}

/// A query and the concept it is steered towards.
pub(super) struct Case {
    pub(super) vector: Vec<f32>,
    pub(super) latent: u32,
    /// The latent's label.
    pub(super) name: Option<String>,
    /// The vectors of the label, and of the query with the label appended.
    pub(super) label: Option<(Vec<f32>, Vec<f32>)>,
    /// The latents that are active in the query.
    pub(super) active: BTreeSet<u32>,
}

/// The nearest documents to a vector, exact.
pub(super) fn near(vector: &[f32]) -> Query {
    nearest(vector, Vec::new(), 0)
}

/// The nearest documents to a vector with edits, exact.
pub(super) fn nearest(vector: &[f32], steer: Vec<SteerEdit>, consistent_steps: u32) -> Query {
    let query = NearestQuery {
        to: Some(To::Vector(Vector {
            values: vector.to_vec(),
        })),
        steer,
        exact: true,
        consistent_steps,
        ..NearestQuery::default()
    };
    node("nearest", Kind::Nearest(query))
}

/// A query steered by a method at a strength.
pub(super) fn query(method: Method, strength: f32, case: &Case) -> Query {
    let edit = |edit: Edit, unit: SteerUnit| SteerEdit {
        latent: case.latent,
        edit: Some(edit),
        unit: unit.into(),
        ..SteerEdit::default()
    };
    let clamp = || vec![edit(Edit::Set(strength), SteerUnit::P90)];
    match method {
        Method::Boost => {
            let boost = edit(Edit::Boost(strength), SteerUnit::Raw);
            nearest(&case.vector, vec![boost], 0)
        }
        Method::Add => nearest(
            &case.vector,
            vec![edit(Edit::Add(strength), SteerUnit::Raw)],
            0,
        ),
        Method::Clamp => nearest(&case.vector, clamp(), 0),
        Method::ConsistentClamp => nearest(&case.vector, clamp(), CONSISTENT_STEPS),
        Method::Mix => {
            let label = case.label.as_ref().map_or(&case.vector, |(label, _)| label);
            let parts = case.vector.iter().zip(label);
            let mixed = parts.map(|(own, other)| own * (1.0 - strength) + other * strength);
            near(&mixed.collect::<Vec<_>>())
        }
        Method::Append => near(case.label.as_ref().map_or(&case.vector, |(_, both)| both)),
        Method::Filter => {
            let mut query = near(&case.vector);
            query.filter = Some(expression(format!("latent({})", case.latent)));
            query
        }
    }
}
