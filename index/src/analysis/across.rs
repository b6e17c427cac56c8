//! Documents that latents of two SAEs of one collection share.

use roaring::RoaringBitmap;

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;

/// Documents of two latents, of one SAE each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Living documents in which the latent of the other SAE is active.
    pub documents: u64,
    /// Those of them in which the latent of this SAE is active too.
    pub shared: u64,
}

/// Living documents of `latent`, and for each of `others` of `other`, its documents and those they
/// share, exact. The two are views of one snapshot ([`Snapshot::in_space`]).
///
/// # Errors
/// `Internal` where they are not.
pub fn overlaps(
    snapshot: &Snapshot,
    latent: u32,
    other: &Snapshot,
    others: &[u32],
) -> Result<(u64, Vec<Overlap>)> {
    let ids = |snapshot: &Snapshot| -> Vec<_> {
        let segments = snapshot.segments().iter();
        segments
            .map(|segment| segment.reader.segment_id())
            .collect()
    };
    if ids(snapshot) != ids(other) || snapshot.sequence() != other.sequence() {
        return Err(Error::internal("two snapshots are not views of one"));
    }
    let mut own = 0;
    let mut overlaps = vec![Overlap::default(); others.len()];
    for (segment, through) in snapshot.segments().iter().zip(other.segments()) {
        let living = |mut set: RoaringBitmap| {
            if let Some(alive) = &segment.alive {
                set &= alive;
            }
            set
        };
        let set = match segment.latents.list(latent) {
            Some(list) => living(list.set()?),
            None => RoaringBitmap::new(),
        };
        own += set.len();
        for (overlap, &latent) in overlaps.iter_mut().zip(others) {
            if let Some(list) = through.latents.list(latent) {
                let theirs = living(list.set()?);
                overlap.documents += theirs.len();
                overlap.shared += theirs.intersection_len(&set);
            }
        }
    }
    Ok((own, overlaps))
}
