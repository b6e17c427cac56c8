//! Clusters in order of size, with what sets them apart.

use super::incidence::Incidence;
use super::options::ClusterOptions;
use super::result::{Cluster, Clustering, Distinctive, Member};

/// A document in its cluster, as numbered by k-means.
pub(super) struct Placed {
    pub cluster: usize,
    pub affinity: f64,
    pub position: [f64; 2],
}

/// Fills the clustering with what was placed. `covered` are the documents of the rows.
pub(super) fn describe(
    clustering: &mut Clustering,
    placed: &[Option<Placed>],
    covered: &[u32],
    incidence: &Incidence,
    axis: &[u32],
    options: &ClusterOptions,
) {
    let order = by_size(placed);
    let clusters = order.iter().max().map_or(0, |last| last + 1);
    let mut counts = vec![vec![0_u64; axis.len()]; clusters];
    let mut members: Vec<Vec<Member>> = vec![Vec::new(); clusters];
    for ((row, &doc), place) in covered.iter().enumerate().zip(placed) {
        let Some(place) = place else {
            clustering.unreached.push(doc);
            continue;
        };
        let cluster = order[place.cluster];
        for &latent in incidence.row(row) {
            counts[cluster][latent as usize] += 1;
        }
        let member = Member {
            doc,
            cluster,
            affinity: place.affinity,
            position: place.position,
        };
        members[cluster].push(member);
        clustering.members.push(member);
    }
    let totals: Vec<u64> = (0..axis.len())
        .map(|at| counts.iter().map(|counts| counts[at]).sum())
        .collect();
    let all = clustering.members.len();
    clustering.clusters = members
        .into_iter()
        .zip(&counts)
        .map(|(mut members, counts)| {
            let size = members.len();
            let sum: f64 = members.iter().map(|member| member.affinity).sum();
            let (over, under) = distinctive(counts, &totals, axis, (size, all - size), options);
            members.sort_by(|a, b| b.affinity.total_cmp(&a.affinity).then(a.doc.cmp(&b.doc)));
            members.truncate(options.representatives);
            Cluster {
                size,
                affinity: sum / size.max(1) as f64,
                over,
                under,
                documents: members.iter().map(|member| member.doc).collect(),
            }
        })
        .collect();
}

/// For each of k-means' groups its place by size; of equal ones, the one with the earlier document
/// is first. Empty groups share the last place.
fn by_size(placed: &[Option<Placed>]) -> Vec<usize> {
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (row, place) in placed.iter().enumerate() {
        let Some(place) = place else { continue };
        match found.iter_mut().find(|(group, ..)| *group == place.cluster) {
            Some((_, size, _)) => *size += 1,
            None => found.push((place.cluster, 1, row)),
        }
    }
    found.sort_by(|a, b| b.1.cmp(&a.1).then(a.2.cmp(&b.2)));
    let groups = found.iter().map(|(group, ..)| group + 1).max().unwrap_or(0);
    let last = found.len().saturating_sub(1);
    let mut order = vec![last; groups];
    for (place, (group, ..)) in found.into_iter().enumerate() {
        order[group] = place;
    }
    order
}

/// The latents with the largest differences of shares, of either sign.
fn distinctive(
    counts: &[u64],
    totals: &[u64],
    axis: &[u32],
    (size, others): (usize, usize),
    options: &ClusterOptions,
) -> (Vec<Distinctive>, Vec<Distinctive>) {
    let share = |count: u64, of: usize| {
        if of == 0 {
            0.0
        } else {
            count as f64 / of as f64
        }
    };
    let mut all: Vec<Distinctive> = axis
        .iter()
        .zip(counts.iter().zip(totals))
        .map(|(&latent, (&count, &total))| Distinctive {
            latent,
            count,
            inside: share(count, size),
            outside: share(total - count, others),
        })
        .collect();
    let difference = |entry: &Distinctive| entry.inside - entry.outside;
    all.sort_by(|a, b| {
        let by_difference = difference(b).total_cmp(&difference(a));
        by_difference.then(a.latent.cmp(&b.latent))
    });
    let most = options.distinctive;
    let over = all
        .iter()
        .filter(|entry| difference(entry) > 0.0)
        .take(most);
    let under = all
        .iter()
        .rev()
        .filter(|entry| difference(entry) < 0.0)
        .take(most);
    (over.copied().collect(), under.copied().collect())
}
