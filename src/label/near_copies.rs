//! Texts that say nearly the same: of evidence, they count once.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation as _;

use super::phrases::fnv1a;

/// Words of a shingle.
const SHINGLE: usize = 3;
/// Jaccard index of the shingles of near-copies, at least.
const LEAST: f64 = 0.5;

/// The places of texts that are no near-copies of an earlier one: less than half of all runs of three
/// words that either has are in both. Costs grow with the square of the number of texts.
///
/// ```
/// use latentdb::label::without_near_copies;
///
/// let texts = ["a red fox ran over the hill", "a red fox ran over the hill again", "no fox at all"];
/// assert_eq!(without_near_copies(&texts), [0, 2]);
/// ```
pub fn without_near_copies(texts: &[&str]) -> Vec<usize> {
    let mut kept: Vec<(usize, HashSet<u64>)> = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let own = shingles(text);
        if !kept.iter().any(|(_, other)| jaccard(&own, other) >= LEAST) {
            kept.push((at, own));
        }
    }
    kept.into_iter().map(|(at, _)| at).collect()
}

fn shingles(text: &str) -> HashSet<u64> {
    let words: Vec<u64> = text
        .unicode_words()
        .map(|word| fnv1a(word.to_lowercase().as_bytes()))
        .collect();
    let size = SHINGLE.min(words.len()).max(1);
    let hash = |run: &[u64]| {
        run.iter().fold(0, |hash: u64, word| {
            hash.rotate_left(21).wrapping_mul(31) ^ word
        })
    };
    words.windows(size).map(hash).collect()
}

fn jaccard(a: &HashSet<u64>, b: &HashSet<u64>) -> f64 {
    let both = a.intersection(b).count();
    let either = a.len() + b.len() - both;
    // Texts without words are alike.
    if either == 0 {
        1.0
    } else {
        both as f64 / either as f64
    }
}

#[cfg(test)]
mod tests {
    use super::without_near_copies;

    #[test]
    fn copies_and_boilerplate_count_once() {
        let boilerplate = "this lovely item ships within two days and comes with a full warranty";
        let texts = [
            format!("Red mug: {boilerplate}"),
            format!("Blue mug: {boilerplate}"),
            "Red mug".to_owned(),
            "red MUG!".to_owned(),
            "An essay on mugs through the ages".to_owned(),
            "...".to_owned(),
            String::new(),
        ];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(without_near_copies(&texts), [0, 2, 4, 5]);
    }
}
