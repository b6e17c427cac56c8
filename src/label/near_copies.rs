//! Texts that say nearly the same: of evidence, they count once.

use std::collections::{HashMap, HashSet};

use unicode_segmentation::UnicodeSegmentation as _;

use super::phrases::fnv1a;

/// Words of a shingle.
const SHINGLE: usize = 3;
/// Jaccard index of the shingles of near-copies, at least.
const LEAST: f64 = 0.5;

/// The places of texts that are no near-copies of an earlier one: less than half of all runs of three
/// words that either has are in both.
///
/// ```
/// use latentdb::label::without_near_copies;
///
/// let texts = ["a red fox ran over the hill", "a red fox ran over the hill again", "no fox at all"];
/// assert_eq!(without_near_copies(&texts), [0, 2]);
/// ```
pub fn without_near_copies(texts: &[&str]) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut sizes = Vec::new();
    // By shingle, the kept texts that have it, by their place among the kept.
    let mut having: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, text) in texts.iter().enumerate() {
        let own = shingles(text);
        let mut shared = vec![0; kept.len()];
        for text in own
            .iter()
            .filter_map(|shingle| having.get(shingle))
            .flatten()
        {
            shared[*text] += 1;
        }
        let mut pairs = sizes.iter().zip(&shared);
        if pairs.any(|(&size, &both)| jaccard(own.len(), size, both) >= LEAST) {
            continue;
        }
        for shingle in &own {
            having.entry(*shingle).or_default().push(kept.len());
        }
        kept.push(at);
        sizes.push(own.len());
    }
    kept
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

/// The Jaccard index of sets of two sizes that share some; 1 of empty ones.
fn jaccard(a: usize, b: usize, both: usize) -> f64 {
    match a + b - both {
        0 => 1.0,
        either => both as f64 / either as f64,
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
