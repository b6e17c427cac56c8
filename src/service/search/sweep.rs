//! Steering by itself: what edits do to one vector, and a sweep, the hits of a steered query at
//! several strengths.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use latentdb_index::query::{self, Hit, Kind};
use latentdb_index::{Filter, Query, ResolvedFilter};

use super::encoded::Encoded;
use super::node::{NearestNode, Node, NodeKind, SteerChange};
use super::part::Search;
use super::presets::at_strength;
use super::resolve::target_vector;
use super::result::SteeringReport;
use crate::error::{Error, Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::names::resolve_filter;
use crate::vectors::cosine;

/// Maximum strengths per sweep.
const MAX_STRENGTHS: usize = 100;

/// The hits at one strength.
#[derive(Clone, Debug)]
pub struct SweepStep {
    /// The strength.
    pub strength: f32,
    /// What steering did.
    pub steering: SteeringReport,
    /// Best first.
    pub hits: Vec<SweepHit>,
    /// Share of the unsteered hits that are still among the hits.
    pub overlap: f32,
    /// Mean cosine of the hits with the unsteered vector, over that of the unsteered hits; `None`
    /// without hits.
    pub relevance_kept: Option<f32>,
    /// Share of the hits in which a latent that the edits turn up is active; where they turn none
    /// up, one that they turn down. The same latents at every strength, 0 included.
    pub target_share: f32,
}

/// A hit of a step.
#[derive(Clone, Debug)]
pub struct SweepHit {
    /// Its id.
    pub id: String,
    /// Its score.
    pub score: f32,
    /// Its rank among the unsteered hits, from 1.
    pub unsteered_rank: Option<usize>,
}

impl Search {
    /// A vector with its latents turned up or down, without searching.
    pub async fn steer(
        self: &Arc<Self>,
        address: &Address,
        nearest: NearestNode,
    ) -> Result<SteeringReport> {
        let view = self.core.view(address)?;
        let (nearest, encoded) = self.near(&view, nearest).await?;
        let service = self.clone();
        blocking(move || {
            let within = |error: Error| error.within("nearest");
            let vector = target_vector(&view, &nearest.target, &encoded).map_err(within)?;
            // Without edits the latents of the text are shown, and they need an SAE.
            service.core.required_sae(&view)?;
            let steered = service.steered(&view, &vector, &nearest, &encoded);
            let mut report = steered.map_err(within)?.report;
            "nearest".clone_into(&mut report.component);
            Ok(report)
        })
        .await
    }

    /// Runs a steered query at several strengths over one snapshot; with warnings of filters that cannot
    /// match.
    ///
    /// # Errors
    /// Those of a search, and `InvalidArgument` where there is nothing to steer or no strength.
    pub async fn steer_sweep(
        self: &Arc<Self>,
        address: &Address,
        nearest: NearestNode,
        filter: Option<Filter>,
        strengths: Vec<f32>,
        limit: usize,
    ) -> Result<(Vec<SweepStep>, Vec<String>)> {
        check_strengths(&strengths)?;
        let view = self.core.view(address)?;
        let (nearest, encoded) = self.near(&view, nearest).await?;
        let filter = filter
            .map(|filter| resolve_filter(&view, &filter))
            .transpose()?;
        let service = self.clone();
        blocking(move || {
            if nearest.edits.is_empty() {
                let message = "has no edits and no presets; a sweep needs one to make stronger";
                return Err(Error::invalid("nearest.steer", message));
            }
            let sweep = Sweep {
                service: &service,
                view: &view,
                encoded: &encoded,
                filter,
                limit,
            };
            let steps = sweep.run(&nearest, &strengths).within("nearest")?;
            Ok((steps, view.warnings()))
        })
        .await
    }

    /// A node with its presets inserted, and its texts encoded.
    async fn near(
        self: &Arc<Self>,
        view: &View,
        nearest: NearestNode,
    ) -> Result<(NearestNode, Encoded)> {
        let mut node = Node {
            kind: NodeKind::Nearest(nearest),
            filter: None,
            name: None,
        };
        self.insert_presets(view, &mut node)?;
        let encoded = self.encode_texts_of(view, &node).await?;
        match node.kind {
            NodeKind::Nearest(nearest) => Ok((nearest, encoded)),
            _ => Err(Error::internal("a nearest node became another")),
        }
    }
}

fn check_strengths(strengths: &[f32]) -> Result<()> {
    if strengths.is_empty() || strengths.len() > MAX_STRENGTHS {
        return Err(Error::invalid(
            "strengths",
            format!(
                "has {} entries; 1 to {MAX_STRENGTHS} are accepted",
                strengths.len()
            ),
        ));
    }
    for (at, strength) in strengths.iter().enumerate() {
        if !(strength.is_finite() && *strength >= 0.0) {
            return Err(Error::invalid(
                format!("strengths[{at}]"),
                format!("is {strength}; a finite number from 0 up is accepted"),
            ));
        }
    }
    Ok(())
}

struct Sweep<'a> {
    service: &'a Search,
    view: &'a View,
    encoded: &'a Encoded,
    filter: Option<ResolvedFilter>,
    limit: usize,
}

impl Sweep<'_> {
    fn run(&self, nearest: &NearestNode, strengths: &[f32]) -> Result<Vec<SweepStep>> {
        let vector = target_vector(self.view, &nearest.target, self.encoded)?;
        let plain = self.at(nearest, &vector, 0.0)?.1;
        let ranks: HashMap<u32, usize> = plain.iter().map(|hit| hit.doc).zip(1..).collect();
        let relevance = self.mean_cosine(&vector, &plain);
        let targets = self.targets(nearest)?;
        let mut steps = Vec::with_capacity(strengths.len());
        for &strength in strengths {
            let (steering, hits) = self.at(nearest, &vector, strength)?;
            let snapshot = &self.view.snapshot;
            let with_target = hits.iter().filter(|hit| {
                let mut latents = snapshot.latents(hit.doc).into_iter();
                latents.any(|entry| targets.contains(&entry.latent))
            });
            let share = |count: usize, of: usize| count as f32 / of.max(1) as f32;
            let kept = hits
                .iter()
                .filter(|hit| ranks.contains_key(&hit.doc))
                .count();
            steps.push(SweepStep {
                strength,
                overlap: share(kept, plain.len()),
                relevance_kept: Some(self.mean_cosine(&vector, &hits) / relevance)
                    .filter(|kept| kept.is_finite()),
                target_share: share(with_target.count(), hits.len()),
                hits: hits
                    .iter()
                    .map(|hit| {
                        Ok(SweepHit {
                            id: snapshot.id(hit.doc)?,
                            score: hit.score,
                            unsteered_rank: ranks.get(&hit.doc).copied(),
                        })
                    })
                    .collect::<Result<_>>()?,
                steering,
            });
        }
        Ok(steps)
    }

    /// The latents that the edits turn up at their own strength; where there are none, those that
    /// they turn down.
    fn targets(&self, nearest: &NearestNode) -> Result<BTreeSet<u32>> {
        let edits = self
            .service
            .applied_edits(self.view, self.encoded, &nearest.edits)?;
        let turned = |which: fn(SteerChange) -> bool| -> BTreeSet<u32> {
            let turned = edits.iter().filter(|edit| which(edit.change));
            turned.map(|edit| edit.latent).collect()
        };
        let up = turned(SteerChange::turns_up);
        Ok(if up.is_empty() {
            turned(SteerChange::turns_down)
        } else {
            up
        })
    }

    fn at(
        &self,
        nearest: &NearestNode,
        vector: &[f32],
        strength: f32,
    ) -> Result<(SteeringReport, Vec<Hit>)> {
        let nearest = NearestNode {
            edits: at_strength(&nearest.edits, strength),
            ..nearest.clone()
        };
        let steered = self
            .service
            .steered(self.view, vector, &nearest, self.encoded)?;
        let near = query::Nearest {
            vector: steered.report.vector.clone(),
            exact: nearest.exact,
            ef: nearest.ef,
        };
        let query = Query::new(match steered.boosts {
            None => Kind::Nearest(near),
            Some(boosts) => Kind::Boost(near, boosts),
        });
        let mut query = query.resolve(self.view)?;
        query.filter.clone_from(&self.filter);
        let ranking = query::execute(&query, &self.view.snapshot, self.limit)?;
        Ok((steered.report, ranking.hits))
    }

    fn mean_cosine(&self, vector: &[f32], hits: &[Hit]) -> f32 {
        let cosines = hits.iter().filter_map(|hit| {
            let other = self.view.snapshot.vector(hit.doc)?;
            Some(cosine(vector, other) as f32)
        });
        cosines.sum::<f32>() / hits.len().max(1) as f32
    }
}
