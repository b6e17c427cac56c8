//! Methods of bringing a concept into a query's hits, and the query each searches for.

use super::cases::Case;
use super::collection::{Change, Edit, Query};

/// Steps of the consistent clamp.
const CONSISTENT_STEPS: u32 = 10;
/// Strength at which a latent is steered down, per unit that the other is steered up.
const DOWN: f32 = 0.5;

/// A method of bringing a concept into a query's hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// [`Change::Boost`].
    Boost,
    /// [`Change::Add`].
    Add,
    /// [`Change::SetP90`].
    Clamp,
    /// The same, then steps that make the code agree.
    ConsistentClamp,
    /// The label's vector mixed into the query's.
    Mix,
    /// The label appended to the query's text.
    Append,
    /// The query's text rewritten by a language model.
    Rewrite,
    /// Only documents with the latent.
    Filter,
}

impl Method {
    /// Methods and strengths for one latent up.
    pub const UP: [(Self, &'static [f32]); 8] = [
        (Self::Boost, &[0.05, 0.1, 0.15, 0.2, 0.3]),
        (Self::Add, &[0.3, 0.5, 0.7, 1.0, 1.5]),
        (Self::Clamp, &[0.5, 1.0, 2.0, 4.0]),
        (Self::ConsistentClamp, &[0.5, 1.0, 2.0, 4.0]),
        (Self::Mix, &[0.3, 0.4, 0.5, 0.6]),
        (Self::Append, &[1.0]),
        (Self::Rewrite, &[1.0]),
        (Self::Filter, &[1.0]),
    ];
    /// Methods and strengths for one latent up and another down.
    pub const UP_AND_DOWN: [(Self, &'static [f32]); 5] = [
        (Self::Boost, &[0.1, 0.15, 0.2, 0.3]),
        (Self::Add, &[0.3, 0.5, 0.7, 1.0, 1.5]),
        (Self::Mix, &[0.2, 0.3, 0.4, 0.5]),
        (Self::Append, &[1.0]),
        (Self::Rewrite, &[1.0]),
    ];

    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boost => "boost",
            Self::Add => "add",
            Self::Clamp => "clamp",
            Self::ConsistentClamp => "consistent-clamp",
            Self::Mix => "mix",
            Self::Append => "append",
            Self::Rewrite => "rewrite",
            Self::Filter => "filter",
        }
    }

    /// True if it needs labels.
    pub fn needs_labels(self) -> bool {
        matches!(self, Self::Mix | Self::Append | Self::Rewrite)
    }

    /// The steered query of a case.
    pub(super) fn query(self, strength: f32, case: &Case) -> Query {
        let edited = |change: fn(f32) -> Change| {
            let up = (case.up.latent, strength);
            let down = case
                .down
                .as_ref()
                .map(|it| (it.concept.latent, -DOWN * strength));
            Query {
                edits: std::iter::once(up)
                    .chain(down)
                    .map(|(latent, amount)| Edit {
                        latent,
                        change: change(amount),
                    })
                    .collect(),
                ..case.unsteered()
            }
        };
        let near = |vector: Vec<f32>| Query {
            vector,
            ..Query::default()
        };
        match self {
            Self::Boost => edited(Change::Boost),
            Self::Add => edited(Change::Add),
            Self::Clamp => edited(Change::SetP90),
            Self::ConsistentClamp => Query {
                consistent_steps: CONSISTENT_STEPS,
                ..edited(Change::SetP90)
            },
            Self::Mix => {
                let mut mixed: Vec<f32> = case
                    .vector
                    .iter()
                    .zip(&case.up.vector)
                    .map(|(own, up)| own * (1.0 - strength) + strength * up)
                    .collect();
                if let Some(down) = &case.down {
                    for (value, down) in mixed.iter_mut().zip(&down.concept.vector) {
                        *value -= strength * DOWN * down;
                    }
                }
                near(mixed)
            }
            Self::Append => near(case.appended.clone()),
            Self::Rewrite => near(case.rewritten.clone()),
            Self::Filter => Query {
                filter: Some(case.up.latent),
                ..case.unsteered()
            },
        }
    }
}
