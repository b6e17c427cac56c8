//! Families: a general latent and the special ones below it, from what is active together
//! (METHODS §9; Paper B, "feature families").
//!
//! `C_ij` counts the documents with both latents active, `f_i` those with one. Similarity is
//! `s_ij = C_ij / (min(f_i, f_j) + 1)`, that is `C_ij / (f_i + 1)` symmetrised by its larger side.
//!
//! A dense latent shares much with every latent by chance alone: the share `e = max(f_i, f_j) / N` of
//! `N` documents. Left as it is, `s` hangs whatever has no closer relative below the densest latents.
//! So what chance gives is taken off, `(s - e) / (1 - e)`: 0 for independent latents, 1 for a special
//! case (the form of Cohen's kappa, 1960); [`FamilyOptions::above_chance`] leaves Paper B's `s`.
//!
//! Below a floor similarity counts as none. A maximum spanning forest over it, each edge directed
//! from the denser latent to the sparser, gives roots and what descends from them; roots that make a
//! family are taken out and the forest is built again, for some rounds.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use crate::collection::Snapshot;
use crate::error::Result;

/// What shapes families.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FamilyOptions {
    /// Latents active in more than this share of the documents are left out.
    pub max_density: f64,
    /// Similarities below this count as none.
    pub min_similarity: f64,
    /// Similarity is what is shared above chance; all that is shared otherwise, as in Paper B.
    pub above_chance: bool,
    /// A root has more direct children than this.
    pub root_children: usize,
    /// A family has more members below its root than this.
    pub min_members: usize,
    /// How often the forest is built, each time without the roots before.
    pub rounds: usize,
    /// Of two families whose members' Jaccard index is above this, the larger stays.
    pub max_overlap: f64,
}

impl Default for FamilyOptions {
    fn default() -> Self {
        Self {
            max_density: 0.2,
            min_similarity: 0.1,
            above_chance: true,
            root_children: 2,
            min_members: 3,
            rounds: 3,
            max_overlap: 0.6,
        }
    }
}

/// A root and what descends from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The root.
    pub parent: u32,
    /// What is below it: those most similar to the latent they hang below first.
    pub children: Vec<FamilyMember>,
    /// Mean over (root, child) of `C_ij / min(f_i, f_j)`, over its mean over pairs of children;
    /// high where children are special cases of the root that exclude each other. Infinite where
    /// no two children are ever active together.
    pub score: f64,
    /// The round it was found in, from 1.
    pub round: usize,
}

/// A member of a family below its root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FamilyMember {
    /// The latent.
    pub latent: u32,
    /// The denser latent it hangs below.
    pub below: u32,
    /// Edges from the root, from 1.
    pub depth: usize,
}

/// How often latents are active, alone and together.
pub(crate) struct Together {
    /// Documents in all.
    documents: u64,
    /// Latents that take part, ascending, with their number of documents.
    frequencies: Vec<(u32, u64)>,
    /// Per place in `frequencies`: later places with a count above 0, ascending.
    counts: Vec<Vec<(u32, u32)>>,
}

/// The families of a snapshot's latents for which `takes_part` (a clean set, where labels are
/// scored), largest first. Exact counts over living documents.
pub fn families(
    snapshot: &Snapshot,
    takes_part: &(dyn Fn(u32) -> bool + Sync),
    options: &FamilyOptions,
) -> Result<Vec<Family>> {
    let most = options.max_density * snapshot.n_docs() as f64;
    let mut documents: HashMap<u32, u64> = HashMap::new();
    snapshot.for_each_row(|_, row| {
        for entry in row {
            *documents.entry(entry.latent).or_default() += 1;
        }
    });
    let mut frequencies: Vec<(u32, u64)> = documents
        .into_iter()
        .filter(|&(latent, count)| count as f64 <= most && takes_part(latent))
        .collect();
    frequencies.sort_unstable();
    Ok(Together::count(snapshot, frequencies).families(options))
}

impl Together {
    fn count(snapshot: &Snapshot, frequencies: Vec<(u32, u64)>) -> Self {
        let places: HashMap<u32, u32> = (0..)
            .zip(&frequencies)
            .map(|(at, (latent, _))| (*latent, at))
            .collect();
        let counts = (0..frequencies.len())
            .into_par_iter()
            .map(|at| {
                let (latent, _) = frequencies[at];
                let mut counts: HashMap<u32, u32> = HashMap::new();
                snapshot.for_each_posting(latent, |doc, _| {
                    snapshot.for_each_latent(doc, |entry| {
                        if entry.latent > latent
                            && let Some(&other) = places.get(&entry.latent)
                        {
                            *counts.entry(other).or_default() += 1;
                        }
                    });
                });
                let mut counts: Vec<(u32, u32)> = counts.into_iter().collect();
                counts.sort_unstable();
                counts
            })
            .collect();
        Self {
            documents: snapshot.n_docs(),
            frequencies,
            counts,
        }
    }

    fn families(&self, options: &FamilyOptions) -> Vec<Family> {
        let edges = self.edges(options);
        let mut removed: HashSet<u32> = HashSet::new();
        let mut found: Vec<Family> = Vec::new();
        for round in 1..=options.rounds {
            let forest = self.forest(&edges, &removed);
            let mut roots = Vec::new();
            for place in 0..self.frequencies.len() as u32 {
                let Some(below) = forest.children.get(&place) else {
                    continue;
                };
                if forest.has_parent.contains(&place) || below.len() <= options.root_children {
                    continue;
                }
                let members = forest.descendants(place);
                if members.len() > options.min_members {
                    roots.push(place);
                    found.push(self.family(place, &members, round, options.above_chance));
                }
            }
            if roots.is_empty() {
                break;
            }
            removed.extend(roots);
        }
        found.sort_by(|a, b| {
            let size = b.children.len().cmp(&a.children.len());
            size.then(a.round.cmp(&b.round))
                .then(a.parent.cmp(&b.parent))
        });
        without_overlap(found, options.max_overlap)
    }

    /// Pairs of places and their similarity, most similar first.
    fn edges(&self, options: &FamilyOptions) -> Vec<(f64, u32, u32)> {
        let mut edges = Vec::new();
        for (at, counts) in (0_u32..).zip(&self.counts) {
            for &(other, count) in counts {
                let similarity = self.similarity(at, other, count, options.above_chance);
                if similarity >= options.min_similarity {
                    edges.push((similarity, at, other));
                }
            }
        }
        edges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        edges
    }

    /// How much of the sparser latent is in the denser, with `count` documents in both.
    fn similarity(&self, a: u32, b: u32, count: u32, above_chance: bool) -> f64 {
        let (a, b) = (self.documents(a), self.documents(b));
        let share = f64::from(count) / (a.min(b) + 1) as f64;
        if !above_chance {
            return share;
        }
        // A latent that is always active has nothing special below it.
        let chance = a.max(b) as f64 / self.documents.max(1) as f64;
        if chance < 1.0 {
            (share - chance) / (1.0 - chance)
        } else {
            0.0
        }
    }

    /// Kruskal's maximum spanning forest without the removed places, its edges directed.
    fn forest(&self, edges: &[(f64, u32, u32)], removed: &HashSet<u32>) -> Forest {
        let mut groups: Vec<u32> = (0..self.frequencies.len() as u32).collect();
        let mut forest = Forest::default();
        for &(_, a, b) in edges {
            if removed.contains(&a) || removed.contains(&b) {
                continue;
            }
            let (group_a, group_b) = (group(&mut groups, a), group(&mut groups, b));
            if group_a == group_b {
                continue;
            }
            groups[group_a as usize] = group_b;
            // Ties by number, so that the direction never depends on chance.
            let a_is_denser = (self.documents(a), b) > (self.documents(b), a);
            let (parent, child) = if a_is_denser { (a, b) } else { (b, a) };
            forest.children.entry(parent).or_default().push(child);
            forest.has_parent.insert(child);
        }
        forest
    }

    fn family(
        &self,
        root: u32,
        members: &[(u32, u32, usize)],
        round: usize,
        above_chance: bool,
    ) -> Family {
        let share = |a: u32, b: u32| {
            let least = self.documents(a).min(self.documents(b)).max(1);
            f64::from(self.together(a, b)) / least as f64
        };
        let with_root: f64 = members.iter().map(|&(place, ..)| share(root, place)).sum();
        let (mut among, mut pairs) = (0.0, 0_u64);
        for (at, &(a, ..)) in members.iter().enumerate() {
            for &(b, ..) in &members[at + 1..] {
                among += share(a, b);
                pairs += 1;
            }
        }
        let latent = |place: u32| self.frequencies[place as usize].0;
        let mut children: Vec<(f64, FamilyMember)> = members
            .iter()
            .map(|&(place, below, depth)| {
                let count = self.together(place, below);
                let member = FamilyMember {
                    latent: latent(place),
                    below: latent(below),
                    depth,
                };
                (self.similarity(place, below, count, above_chance), member)
            })
            .collect();
        children.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.latent.cmp(&b.1.latent)));
        let children = children.into_iter().map(|(_, member)| member).collect();
        let score = (with_root / members.len() as f64) / (among / pairs.max(1) as f64);
        Family {
            parent: latent(root),
            children,
            score,
            round,
        }
    }

    fn documents(&self, place: u32) -> u64 {
        self.frequencies[place as usize].1
    }

    /// Documents with both active.
    fn together(&self, a: u32, b: u32) -> u32 {
        let counts = &self.counts[a.min(b) as usize];
        counts
            .binary_search_by_key(&a.max(b), |entry| entry.0)
            .map_or(0, |at| counts[at].1)
    }
}

/// A directed forest over places.
#[derive(Default)]
struct Forest {
    children: HashMap<u32, Vec<u32>>,
    has_parent: HashSet<u32>,
}

impl Forest {
    /// What can be reached from a root: place, the place above it, and edges from the root.
    fn descendants(&self, root: u32) -> Vec<(u32, u32, usize)> {
        let mut seen = HashSet::from([root]);
        let mut reached = Vec::new();
        let mut level = vec![root];
        let mut depth = 1;
        while !level.is_empty() {
            let mut next = Vec::new();
            for place in level {
                for &child in self.children.get(&place).into_iter().flatten() {
                    if seen.insert(child) {
                        reached.push((child, place, depth));
                        next.push(child);
                    }
                }
            }
            level = next;
            depth += 1;
        }
        reached
    }
}

/// The group a place is in, by path halving.
fn group(groups: &mut [u32], mut place: u32) -> u32 {
    while groups[place as usize] != place {
        groups[place as usize] = groups[groups[place as usize] as usize];
        place = groups[place as usize];
    }
    place
}

/// Families, largest first, less those whose members are mostly those of a larger one.
fn without_overlap(families: Vec<Family>, most: f64) -> Vec<Family> {
    let mut kept: Vec<(Family, HashSet<u32>)> = Vec::new();
    for family in families {
        let members: HashSet<u32> = family.children.iter().map(|child| child.latent).collect();
        let overlaps = kept.iter().any(|(_, other)| {
            let shared = members.intersection(other).count() as f64;
            shared / (members.len() + other.len()) as f64 > most / (1.0 + most)
        });
        if !overlaps {
            kept.push((family, members));
        }
    }
    kept.into_iter().map(|(family, _)| family).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Latent i is active in `frequencies[i]` documents; `pairs` are (i, j, both).
    fn together(documents: u64, frequencies: &[u64], pairs: &[(u32, u32, u32)]) -> Together {
        let mut counts = vec![Vec::new(); frequencies.len()];
        for &(a, b, count) in pairs {
            counts[a.min(b) as usize].push((a.max(b), count));
        }
        counts.iter_mut().for_each(|row| row.sort_unstable());
        Together {
            documents,
            frequencies: (0..).zip(frequencies.iter().copied()).collect(),
            counts,
        }
    }

    #[test]
    fn a_root_gathers_its_special_cases() {
        // 0 is the general latent; 1 to 4 are active below it, 5 below 4; 6 stands alone.
        let counts = together(
            2000,
            &[100, 19, 19, 19, 39, 9, 50],
            &[
                (0, 1, 18),
                (0, 2, 18),
                (0, 3, 18),
                (0, 4, 30),
                (4, 5, 9),
                (1, 2, 4),
                (0, 6, 3),
            ],
        );
        let found = counts.families(&FamilyOptions::default());
        assert_eq!(found.len(), 1);
        let family = &found[0];
        assert_eq!((family.parent, family.round), (0, 1));
        let members: Vec<(u32, u32, usize)> = family
            .children
            .iter()
            .map(|child| (child.latent, child.below, child.depth))
            .collect();
        assert_eq!(
            members,
            [(5, 4, 2), (1, 0, 1), (2, 0, 1), (3, 0, 1), (4, 0, 1)]
        );
        // Root with children: 18/19 three times, 30/39 and 0/9. Children: 4/19 and 9/9 of 10 pairs.
        let with_root = (3.0 * 18.0 / 19.0 + 30.0 / 39.0) / 5.0;
        let among = (4.0 / 19.0 + 1.0) / 10.0;
        assert!((family.score - with_root / among).abs() < 1e-12);
    }

    #[test]
    fn what_is_shared_by_chance_makes_no_family() {
        // 0 is active in a fifth of all documents and in a fifth of those of the others.
        let pairs: Vec<(u32, u32, u32)> = (1..6).map(|latent| (0, latent, 20)).collect();
        let counts = together(2000, &[400, 99, 99, 99, 99, 99, 120], &pairs);
        let found = counts.families(&FamilyOptions::default());
        assert_eq!(found, []);
        // (30 / 100 - 120 / 2000) / (1 - 120 / 2000).
        let similarity = counts.similarity(1, 6, 30, true);
        assert!((similarity - 0.24 / 0.94).abs() < 1e-12);
        assert_eq!(counts.similarity(1, 6, 30, false), 0.3);
        let raw = FamilyOptions {
            above_chance: false,
            ..FamilyOptions::default()
        };
        let found = counts.families(&raw);
        assert_eq!((found[0].parent, found[0].children.len()), (0, 5));
    }

    #[test]
    fn later_rounds_find_what_the_first_roots_hid() {
        // 0 above 1; 1 above 2 to 5. Without 0, 1 is a root with nearly the same members.
        let pairs = [
            (0, 1, 60),
            (0, 6, 19),
            (0, 7, 19),
            (1, 2, 9),
            (1, 3, 9),
            (1, 4, 9),
            (1, 5, 9),
        ];
        let counts = together(4000, &[200, 79, 9, 9, 9, 9, 19, 19], &pairs);
        let strict = FamilyOptions {
            max_overlap: 0.5,
            ..FamilyOptions::default()
        };
        let all = counts.families(&FamilyOptions::default());
        assert_eq!(
            all.iter().map(|f| (f.parent, f.round)).collect::<Vec<_>>(),
            [(0, 1), (1, 2)]
        );
        // Jaccard of {1..7} and {2..5} is 4/7, above .5: the larger stays.
        assert_eq!(counts.families(&strict).len(), 1);
    }
}
