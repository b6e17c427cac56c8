//! How well a target is predicted: R², area under the ROC curve, macro-averaged F1.

use super::model::Family;

/// The score of predictions: `predicted` has a number for each target, or the place of a class.
pub(super) fn score(family: Family, targets: &[f64], predicted: &[f64]) -> f64 {
    match family {
        Family::Number => r2(targets, predicted),
        Family::Binary => auc(targets, predicted),
        Family::Classes(classes) => macro_f1(classes, targets, predicted),
    }
}

/// What of a row's means is scored.
pub(super) fn scored(family: Family, means: &[f64]) -> f64 {
    match family {
        Family::Number | Family::Binary => means[0],
        Family::Classes(_) => {
            let best = means.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or(0.0, |(class, _)| class as f64)
        }
    }
}

/// The share of the variance that is explained; below 0 where the mean is nearer.
fn r2(targets: &[f64], predicted: &[f64]) -> f64 {
    let mean = targets.iter().sum::<f64>() / targets.len().max(1) as f64;
    let total: f64 = targets.iter().map(|target| (target - mean).powi(2)).sum();
    let pairs = targets.iter().zip(predicted);
    let left: f64 = pairs.map(|(target, own)| (target - own).powi(2)).sum();
    if total > 0.0 { 1.0 - left / total } else { 0.0 }
}

/// How often one of the second class is above one of the first; equal ones count a half.
fn auc(targets: &[f64], predicted: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by(|&a, &b| predicted[a].total_cmp(&predicted[b]));
    let (mut above, mut below, mut ranks) = (0.0, 0.0, 0.0);
    let mut start = 0;
    while start < order.len() {
        let value = predicted[order[start]];
        let equal = order[start..]
            .iter()
            .take_while(|&&at| predicted[at] == value)
            .count();
        let own = &order[start..start + equal];
        let positive = own.iter().filter(|&&at| targets[at] > 0.5).count() as f64;
        let negative = equal as f64 - positive;
        ranks += positive * (below + negative / 2.0);
        above += positive;
        below += negative;
        start += equal;
    }
    if above * below > 0.0 {
        ranks / (above * below)
    } else {
        0.5
    }
}

/// The mean over classes of F1; 0 for a class that neither occurs nor is predicted.
fn macro_f1(classes: usize, targets: &[f64], predicted: &[f64]) -> f64 {
    let (mut right, mut wanted, mut told) = (
        vec![0_u64; classes],
        vec![0_u64; classes],
        vec![0_u64; classes],
    );
    for (target, own) in targets.iter().zip(predicted) {
        let (target, own) = (*target as usize, *own as usize);
        wanted[target] += 1;
        told[own] += 1;
        right[target] += u64::from(target == own);
    }
    let f1 = |class: usize| 2.0 * right[class] as f64 / (wanted[class] + told[class]).max(1) as f64;
    (0..classes).map(f1).sum::<f64>() / classes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_computed_by_hand() {
        assert!((r2(&[1.0, 2.0, 3.0], &[1.0, 2.0, 4.0]) - 0.5).abs() < 1e-12);
        // Pairs: (.9 > .8), (.9 > .1), (.8 = .8) half, (.8 > .1) of 4.
        let found = auc(&[1.0, 0.0, 1.0, 0.0], &[0.9, 0.8, 0.8, 0.1]);
        assert!((found - 3.5 / 4.0).abs() < 1e-12);
        // Classes 0: 2·1/(2+1), 1: 2·1/(1+2), 2: 0.
        let found = macro_f1(3, &[0.0, 0.0, 1.0], &[0.0, 1.0, 1.0]);
        assert!((found - (2.0 / 3.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
    }
}
