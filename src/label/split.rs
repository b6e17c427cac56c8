//! Which documents are kept from labellers, so that labels can be scored on them.

use super::phrases::fnv1a;

/// One document in this many is held out.
const PARTS: u64 = 5;

/// Whether a document is held out: shown to no labeller, and only such documents are what labels
/// are scored on. It depends on the id alone, so it is the same for every latent, labeller and
/// time, and a fifth of any collection.
///
/// ```
/// use latentdb::label::is_held_out;
///
/// let held_out = (0..1000).filter(|at| is_held_out(&format!("document {at}"))).count();
/// assert!((160..240).contains(&held_out));
/// ```
pub fn is_held_out(id: &str) -> bool {
    // The low bits of FNV-1a follow the last bytes too closely for numbered ids.
    let mut hash = fnv1a(id.as_bytes());
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^= hash >> 29;
    hash.is_multiple_of(PARTS)
}

#[cfg(test)]
mod tests {
    use super::is_held_out;

    #[test]
    fn the_split_is_fixed() {
        // Computed from the definition in Python: scores of labels are only comparable while it
        // stays as it is.
        let held_out: Vec<u32> = (0..30).filter(|at| is_held_out(&at.to_string())).collect();
        assert_eq!(held_out, [10, 11, 12, 14, 27]);
        let of_many = (0..60_000)
            .filter(|at| is_held_out(&at.to_string()))
            .count();
        assert_eq!(of_many, 12_008);
    }
}
