//! Fusion: several rankings of the same documents become one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::ScoredDoc;

/// How the scores of several rankings are made comparable before they are added.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fusion {
    /// Reciprocal rank fusion (Cormack et al., 2009): `w / (k + rank)`, ranks from 1. Scores do
    /// not matter, so rankings of any kind mix. k is 60 in the paper and by default.
    ReciprocalRank {
        /// The larger, the flatter the head of each ranking counts.
        k: f32,
    },
    /// `w * (score - min) / (max - min)` over the ranking; equal scores count 1.
    MinMax,
    /// `w * (score - (mean - 3 sd)) / (6 sd)` over the ranking, clipped to 0..=1; equal scores
    /// count .5. Outliers stretch it less than they stretch min-max.
    DistributionBased,
    /// `w * score`, every candidate scored on every ranking's query, whether its own hits hold it
    /// or not. It needs the queries, so `fuse` alone takes scores as they are.
    Linear(Scale),
}

/// What scores are before a linear combination adds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// As they are.
    Raw,
    /// Less their mean over the allowed documents, in standard deviations.
    Standard,
}

/// What one ranking gave to a fused hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FusedPart {
    /// The hit's rank in that ranking, from 1.
    pub rank: u32,
    /// Its score there.
    pub score: f32,
    /// The part of the fused score it stands for.
    pub contribution: f32,
}

/// A document of a fused ranking.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FusedHit {
    /// The document.
    pub doc: u32,
    /// The sum of the contributions.
    pub score: f32,
    /// Per ranking, in order: what it gave; `None` where it does not hold the document.
    pub parts: Vec<Option<FusedPart>>,
}

/// Fuses rankings (each best first) with one weight each into one, best first.
pub(crate) fn fuse(method: Fusion, rankings: &[(Vec<ScoredDoc>, f32)]) -> Vec<FusedHit> {
    let mut positions: HashMap<u32, usize> = HashMap::new();
    let mut hits: Vec<FusedHit> = Vec::new();
    for (which, (ranking, weight)) in rankings.iter().enumerate() {
        let normalise = normaliser(method, ranking);
        for (rank, scored) in (1_u32..).zip(ranking) {
            let at = *positions.entry(scored.doc).or_insert_with(|| {
                hits.push(FusedHit {
                    doc: scored.doc,
                    score: 0.0,
                    parts: vec![None; rankings.len()],
                });
                hits.len() - 1
            });
            let contribution = weight * normalise(rank, scored.score);
            hits[at].score += contribution;
            hits[at].parts[which] = Some(FusedPart {
                rank,
                score: scored.score,
                contribution,
            });
        }
    }
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.doc.cmp(&b.doc)));
    hits
}

fn normaliser(method: Fusion, ranking: &[ScoredDoc]) -> Box<dyn Fn(u32, f32) -> f32> {
    match method {
        Fusion::ReciprocalRank { k } => Box::new(move |rank, _| 1.0 / (k + rank as f32)),
        Fusion::Linear(_) => Box::new(|_, score| score),
        Fusion::MinMax => {
            let scores = || ranking.iter().map(|hit| hit.score);
            let low = scores().fold(f32::INFINITY, f32::min);
            let range = scores().fold(f32::NEG_INFINITY, f32::max) - low;
            Box::new(move |_, score| {
                if range > 0.0 {
                    (score - low) / range
                } else {
                    1.0
                }
            })
        }
        Fusion::DistributionBased => {
            let count = ranking.len().max(1) as f64;
            let mean = ranking.iter().map(|hit| f64::from(hit.score)).sum::<f64>() / count;
            let variance = ranking
                .iter()
                .map(|hit| (f64::from(hit.score) - mean).powi(2))
                .sum::<f64>()
                / count;
            let deviation = variance.sqrt();
            Box::new(move |_, score| {
                if deviation > 0.0 {
                    let low = mean - 3.0 * deviation;
                    (((f64::from(score) - low) / (6.0 * deviation)) as f32).clamp(0.0, 1.0)
                } else {
                    0.5
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(scores: &[(u32, f32)]) -> Vec<ScoredDoc> {
        scores
            .iter()
            .map(|&(doc, score)| ScoredDoc { doc, score })
            .collect()
    }

    #[test]
    fn the_worked_example_of_reciprocal_rank_fusion() {
        // Document 2 is second in both rankings: 1/62 + 1/62 beats 1/61 + nothing.
        let lists = [
            (ranking(&[(1, 1.0), (2, 1.0)]), 1.0),
            (ranking(&[(3, 1.0), (2, 1.0)]), 1.0),
        ];
        let fused = fuse(Fusion::ReciprocalRank { k: 60.0 }, &lists);
        assert_eq!(fused[0].doc, 2);
        assert!((fused[0].score - 2.0 / 62.0).abs() < 1e-7);
        assert_eq!(fused[1].parts[1], None);
    }

    #[test]
    fn min_max_uses_the_whole_range() {
        let lists = [
            (ranking(&[(1, 10.0), (2, 5.0), (3, 0.0)]), 1.0),
            (ranking(&[(3, 0.9), (1, 0.8)]), 2.0),
        ];
        let fused = fuse(Fusion::MinMax, &lists);
        let scores: HashMap<u32, f32> = fused.iter().map(|hit| (hit.doc, hit.score)).collect();
        assert_eq!(scores[&1], 1.0);
        assert_eq!(scores[&2], 0.5);
        assert_eq!(scores[&3], 2.0);
    }

    #[test]
    fn distribution_based_centres_the_mean_at_a_half() {
        let lists = [(ranking(&[(1, 3.0), (2, 2.0), (3, 1.0)]), 1.0)];
        let fused = fuse(Fusion::DistributionBased, &lists);
        assert!((fused[1].score - 0.5).abs() < 1e-6);
        let deviation = (2.0_f64 / 3.0).sqrt();
        let expected = 0.5 + 1.0 / (6.0 * deviation);
        assert!((f64::from(fused[0].score) - expected).abs() < 1e-6);
    }

    #[test]
    fn equal_scores_do_not_divide_by_zero() {
        let lists = [(ranking(&[(1, 2.0), (2, 2.0)]), 1.0)];
        assert_eq!(fuse(Fusion::MinMax, &lists)[0].score, 1.0);
        assert_eq!(fuse(Fusion::DistributionBased, &lists)[0].score, 0.5);
    }
}
