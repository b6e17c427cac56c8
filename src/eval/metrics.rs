//! Measures of a ranking against judgements, and of two rankings against each other.

use std::collections::{HashMap, HashSet};

/// Judgements of one query: grade by document; what is not judged, or judged 0 or less, is not
/// relevant.
pub type Judgements = HashMap<String, i32>;

/// What a ranking is worth to one query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// Average precision.
    pub ap: f64,
    /// Precision at 10.
    pub p10: f64,
    /// Precision at 50.
    pub p50: f64,
    /// Normalised discounted cumulative gain at 10.
    pub ndcg10: f64,
    /// Recall at 100.
    pub recall100: f64,
    /// Recall at 1,000.
    pub recall1000: f64,
}

impl Measures {
    /// All measures of one ranking, best first.
    pub fn of(ranking: &[String], judgements: &Judgements) -> Self {
        Self {
            ap: average_precision(ranking, judgements),
            p10: precision(ranking, judgements, 10),
            p50: precision(ranking, judgements, 50),
            ndcg10: ndcg(ranking, judgements, 10),
            recall100: recall(ranking, judgements, 100),
            recall1000: recall(ranking, judgements, 1000),
        }
    }

    /// The mean over queries; MAP is that of `ap`. 0 of none.
    pub fn mean(all: &[Self]) -> Self {
        let mean = |field: &dyn Fn(&Self) -> f64| {
            all.iter().map(field).sum::<f64>() / all.len().max(1) as f64
        };
        Self {
            ap: mean(&|m| m.ap),
            p10: mean(&|m| m.p10),
            p50: mean(&|m| m.p50),
            ndcg10: mean(&|m| m.ndcg10),
            recall100: mean(&|m| m.recall100),
            recall1000: mean(&|m| m.recall1000),
        }
    }

    /// The measures by the names they are printed with.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("map", self.ap),
            ("p10", self.p10),
            ("p50", self.p50),
            ("ndcg10", self.ndcg10),
            ("recall100", self.recall100),
            ("recall1000", self.recall1000),
        ]
    }
}

fn is_relevant(judgements: &Judgements, id: &String) -> bool {
    judgements.get(id).is_some_and(|grade| *grade > 0)
}

fn relevant(judgements: &Judgements) -> usize {
    judgements.values().filter(|grade| **grade > 0).count()
}

/// Average precision: the mean, over all relevant documents, of the precision at their ranks; those
/// that the ranking lacks count 0 (as trec_eval does). 0 where nothing is relevant.
///
/// ```
/// use latentdb::eval::metrics::average_precision;
///
/// let ranking = ["a", "x", "b"].map(String::from);
/// let judgements = [("a", 1), ("b", 1), ("c", 1)].map(|(id, grade)| (id.to_owned(), grade));
/// let ap = average_precision(&ranking, &judgements.into());
/// assert!((ap - (1.0 / 1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
/// ```
pub fn average_precision(ranking: &[String], judgements: &Judgements) -> f64 {
    precision_sum(ranking, judgements) / relevant(judgements).max(1) as f64
}

/// Average precision of the first `k` ranks where more documents may be relevant than ranks are
/// looked at: the mean over as many relevant documents as could stand there, so that a perfect
/// ranking gets 1.
pub fn average_precision_at(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    let first = &ranking[..ranking.len().min(k)];
    precision_sum(first, judgements) / relevant(judgements).clamp(1, k.max(1)) as f64
}

/// Expected average precision over a whole collection of `documents` where a ranking ends before
/// it: what the ranking lacks follows in random order. Exact for documents that nothing tells
/// apart, such as those in which no latent of a query is active.
///
/// ```
/// use latentdb::eval::metrics::average_precision_of_all;
///
/// // One of two documents is relevant and neither is ranked: (1 + 1/2) / 2.
/// let judgements = [("a".to_owned(), 1)].into();
/// assert_eq!(average_precision_of_all(&[], &judgements, 2), 0.75);
/// ```
pub fn average_precision_of_all(
    ranking: &[String],
    judgements: &Judgements,
    documents: usize,
) -> f64 {
    let all = relevant(judgements) as f64;
    let found = ranking
        .iter()
        .filter(|id| is_relevant(judgements, id))
        .count() as f64;
    let (missing, rest) = (all - found, documents.saturating_sub(ranking.len()));
    let mut sum = precision_sum(ranking, judgements);
    for at in 0..rest {
        // Relevant with probability missing / rest; then so many of those before it are too.
        let others = (missing - 1.0).max(0.0) * at as f64 / (rest as f64 - 1.0).max(1.0);
        let rank = (ranking.len() + at + 1) as f64;
        sum += missing / rest as f64 * (found + 1.0 + others) / rank;
    }
    sum / all.max(1.0)
}

/// The sum of the precisions at the ranks of relevant documents.
fn precision_sum(ranking: &[String], judgements: &Judgements) -> f64 {
    let mut found = 0.0;
    let mut sum = 0.0;
    for (rank, id) in (1..).zip(ranking) {
        if is_relevant(judgements, id) {
            found += 1.0;
            sum += found / f64::from(rank);
        }
    }
    sum
}

/// Share of the first `k` ranks that hold a relevant document; missing ranks count 0.
pub fn precision(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    let first = ranking.iter().take(k);
    first.filter(|id| is_relevant(judgements, id)).count() as f64 / k as f64
}

/// Share of the relevant documents among the first `k` ranks. 0 where nothing is relevant.
pub fn recall(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    let first = ranking.iter().take(k);
    let found = first.filter(|id| is_relevant(judgements, id)).count();
    found as f64 / relevant(judgements).max(1) as f64
}

/// `DCG / ideal DCG` of the first `k` ranks, with DCG = Σ grade / log2(rank + 1) (Järvelin and
/// Kekäläinen, 2002, as trec_eval has it). 0 where nothing is relevant.
pub fn ndcg(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    let dcg = |grades: &mut dyn Iterator<Item = i32>| -> f64 {
        let ranked = (1_u32..).zip(grades.take(k));
        ranked
            .map(|(rank, grade)| f64::from(grade.max(0)) / f64::from(rank + 1).log2())
            .sum()
    };
    let grade = |id: &String| judgements.get(id).copied().unwrap_or(0);
    let mut ideal: Vec<i32> = judgements.values().copied().collect();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let best = dcg(&mut ideal.into_iter());
    if best == 0.0 {
        return 0.0;
    }
    dcg(&mut ranking.iter().map(grade)) / best
}

/// Rank-biased overlap of two rankings, extrapolated from their common depth (Webber, Moffat and
/// Zobel, 2010, equation 30): `A_k p^k + (1 - p) Σ_d p^(d - 1) A_d`, `A_d` the share of the first d
/// ranks they have in common. `p` in (0, 1): .98 lets the first 50 ranks weigh about as much as
/// the rest. 1 for equal rankings, 0 where nothing is shared or either is empty.
///
/// ```
/// use latentdb::eval::metrics::rank_biased_overlap;
///
/// let a = ["a", "b", "c"].map(String::from);
/// let b = ["a", "c", "b"].map(String::from);
/// // A = 1, 1/2, 1 at p = .5: 1/8 + .5 (1 + 1/4 + 1/4).
/// assert!((rank_biased_overlap(&a, &b, 0.5) - 0.875).abs() < 1e-12);
/// ```
pub fn rank_biased_overlap(a: &[String], b: &[String], p: f64) -> f64 {
    let depth = a.len().min(b.len());
    let (mut seen_a, mut seen_b) = (HashSet::new(), HashSet::new());
    let mut shared = 0.0;
    let mut sum = 0.0;
    let mut agreement = 0.0;
    let mut weight = 1.0;
    for (at, (left, right)) in a.iter().zip(b).enumerate() {
        seen_a.insert(left);
        seen_b.insert(right);
        if left == right {
            shared += 1.0;
        } else {
            shared += f64::from(u8::from(seen_b.contains(left)));
            shared += f64::from(u8::from(seen_a.contains(right)));
        }
        agreement = shared / (at + 1) as f64;
        sum += weight * agreement;
        weight *= p;
    }
    if depth == 0 {
        return 0.0;
    }
    agreement * weight + (1.0 - p) * sum
}

/// Queries up to which all signs are tried.
const EXACT: usize = 16;
/// Draws of signs where there are more.
const DRAWS: u32 = 100_000;

/// The p-value of no difference between two rankings' measures, query by query: how often signs drawn at
/// random give a mean as far from 0 as that of `differences` (Fisher's randomisation test; Smucker, Allan
/// and Carterette 2007). Exact up to 16 queries, by 100,000 draws beyond; 1 for none.
///
/// ```
/// use latentdb::eval::metrics::randomisation;
/// use rand::{SeedableRng as _, rngs::StdRng};
///
/// let mut random = StdRng::seed_from_u64(1);
/// // Two of 16 choices of signs have a sum of 10 or -10.
/// assert_eq!(randomisation(&[1.0, 2.0, 3.0, 4.0], &mut random), 0.125);
/// ```
pub fn randomisation(differences: &[f64], random: &mut impl rand::RngExt) -> f64 {
    let observed = differences.iter().sum::<f64>().abs();
    // Sums of the same numbers in another order differ in their last bits.
    let least = observed * (1.0 - 1e-12);
    let is_as_far = |is_turned: &mut dyn FnMut(usize) -> bool| {
        let sum: f64 = differences
            .iter()
            .enumerate()
            .map(|(at, own)| if is_turned(at) { -own } else { *own })
            .sum();
        sum.abs() >= least
    };
    if differences.len() <= EXACT {
        let all = 1_u32 << differences.len();
        let far = (0..all).filter(|signs| is_as_far(&mut |at| signs >> at & 1 == 1));
        return far.count() as f64 / f64::from(all);
    }
    let far = (0..DRAWS).filter(|_| is_as_far(&mut |_| random.random()));
    (1 + far.count()) as f64 / f64::from(1 + DRAWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    fn graded(grades: &[(char, i32)]) -> Judgements {
        let entries = grades.iter();
        entries
            .map(|(id, grade)| (id.to_string(), *grade))
            .collect()
    }

    #[test]
    fn measures_have_the_values_computed_by_hand() {
        let judgements = graded(&[('a', 3), ('b', 2), ('c', 1), ('d', 0)]);
        let ranking = ids("xacdb");
        let measures = Measures::of(&ranking, &judgements);
        // Relevant at 2, 3 and 5.
        let ap = (1.0 / 2.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0;
        assert!((measures.ap - ap).abs() < 1e-12);
        let first = average_precision_at(&ranking, &judgements, 2);
        assert!((first - (1.0 / 2.0) / 2.0).abs() < 1e-12);
        let perfect = average_precision_at(&ids("ab"), &judgements, 2);
        assert!((perfect - 1.0).abs() < 1e-12);
        assert!((measures.p10 - 0.3).abs() < 1e-12);
        assert!((measures.p50 - 0.06).abs() < 1e-12);
        assert!((precision(&ranking, &judgements, 2) - 0.5).abs() < 1e-12);
        assert!((recall(&ranking, &judgements, 3) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(measures.recall100, 1.0);
        let log = |rank: f64| (rank + 1.0).log2();
        let dcg = 3.0 / log(2.0) + 1.0 / log(3.0) + 2.0 / log(5.0);
        let ideal = 3.0 / log(1.0) + 2.0 / log(2.0) + 1.0 / log(3.0);
        assert!((measures.ndcg10 - dcg / ideal).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_ranked_follows_in_random_order() {
        let judgements = graded(&[('a', 1), ('b', 1)]);
        // "x a" ranked, "b y" not: b is third or fourth.
        let found = average_precision_of_all(&ids("xa"), &judgements, 4);
        let expected = (0.5 + (2.0 / 3.0 + 2.0 / 4.0) / 2.0) / 2.0;
        assert!((found - expected).abs() < 1e-12);
        // Nothing ranked, all relevant: every order is perfect.
        let found = average_precision_of_all(&[], &judgements, 2);
        assert!((found - 1.0).abs() < 1e-12);
        // A whole ranking is measured as it is.
        let whole = ids("xayb");
        assert_eq!(
            average_precision_of_all(&whole, &judgements, 4),
            average_precision(&whole, &judgements)
        );
    }

    #[test]
    fn nothing_relevant_or_nothing_found_is_0() {
        let none = graded(&[('a', 0)]);
        assert_eq!(Measures::of(&ids("abc"), &none), Measures::default());
        let some = graded(&[('a', 1)]);
        assert_eq!(Measures::of(&[], &some), Measures::default());
        assert_eq!(Measures::mean(&[]), Measures::default());
    }

    #[test]
    fn overlap_is_that_of_the_definition() {
        let same = rank_biased_overlap(&ids("abcdef"), &ids("abcdef"), 0.98);
        assert!((same - 1.0).abs() < 1e-12);
        assert_eq!(rank_biased_overlap(&ids("abc"), &ids("xyz"), 0.98), 0.0);
        assert_eq!(rank_biased_overlap(&[], &ids("xyz"), 0.98), 0.0);
        // A_1 = 0, A_2 = 1, A_3 = 2/3, A_4 = 3/4.
        let p: f64 = 0.9;
        let expected =
            0.75 * p.powi(4) + (1.0 - p) * (p + 2.0 / 3.0 * p.powi(2) + 0.75 * p.powi(3));
        let found = rank_biased_overlap(&ids("abcd"), &ids("baxc"), p);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
}
