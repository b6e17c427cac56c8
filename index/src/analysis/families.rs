//! Families: a general latent and the special ones below it, from what is active together
//! (O'Neill et al. 2024, "feature families"; the methods guide).
//!
//! `C_ij` counts the documents with both latents active, `f_i` those with one. Similarity is
//! `s_ij = C_ij / (min(f_i, f_j) + 1)`, that is `C_ij / (f_i + 1)` symmetrised by its larger side.
//!
//! A dense latent shares much with every latent by chance alone: the share `e = max(f_i, f_j) / N` of
//! `N` documents. Left as it is, `s` hangs whatever has no closer relative below the densest latents.
//! So what chance gives is taken off, `(s - e) / (1 - e)`: 0 for independent latents, 1 for a special
//! case (the form of Cohen's kappa, 1960); [`FamilyOptions::above_chance`] leaves the `s` of the paper.
//!
//! A pair in few documents says little: an edge takes a joint support, and that the lower 95% Wilson
//! bound of `C_ij / min(f_i, f_j)` is above `e`.
//!
//! Below a floor similarity counts as none. A maximum spanning forest over it, each edge directed
//! from the denser latent to the sparser, gives roots and what descends from them; roots that make a
//! family are taken out and the forest is built again, for some rounds.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::statistics::{normal_quantile, wilson};
use crate::error::Result;
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// Confidence of the bound that an edge's share has.
const CONFIDENCE: f64 = 0.95;

/// What shapes families.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FamilyOptions {
    /// Latents active in more than this share of the documents are left out.
    pub max_density: f64,
    /// Similarities below this count as none.
    pub min_similarity: f64,
    /// Similarities of latents that share fewer documents count as none.
    pub min_support: u32,
    /// Similarity is what is shared above chance, and surely so; all that is shared otherwise, as in
    /// the paper.
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
            min_support: 5,
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

/// Places with a number of documents each, ascending.
type Counts = Vec<(u32, u32)>;

/// How often latents are active, alone and together.
struct Together<'a> {
    /// Documents in all.
    documents: u64,
    /// Latents that take part, ascending, with their number of documents.
    frequencies: Vec<(u32, u64)>,
    /// Documents that a place in `frequencies` shares with each later place, where they share any.
    /// Recounted each time: of dense latents all pairs together would fill the memory.
    later: &'a (dyn Fn(u32) -> Counts + Sync),
}

/// Two places and their similarity.
type Edge = (f64, u32, u32);

/// A family before its members are compared with each other.
struct Found {
    root: u32,
    members: Vec<Below>,
    round: usize,
}

/// A place below another.
struct Below {
    place: u32,
    above: u32,
    similarity: f64,
    /// Edges from the root.
    depth: usize,
}

/// The families of a snapshot's latents for which `takes_part` (a clean set, where labels are
/// scored), largest first. Exact counts over living documents. In memory are the pairs that reach
/// `min_similarity`, and no others.
///
/// # Errors
/// `Cancelled` when `progress` was stopped.
pub fn families(
    snapshot: &Snapshot,
    takes_part: &(dyn Fn(u32) -> bool + Sync),
    options: &FamilyOptions,
    progress: &Progress,
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
    let places: HashMap<u32, u32> = (0..)
        .zip(&frequencies)
        .map(|(at, (latent, _))| (*latent, at))
        .collect();
    let latents: Vec<u32> = frequencies.iter().map(|(latent, _)| *latent).collect();
    let later = |place: u32| {
        let latent = latents[place as usize];
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
        let mut counts: Counts = counts.into_iter().collect();
        counts.sort_unstable();
        counts
    };
    let together = Together {
        documents: snapshot.n_docs(),
        frequencies,
        later: &later,
    };
    together.families(options, progress)
}

impl Together<'_> {
    fn families(&self, options: &FamilyOptions, progress: &Progress) -> Result<Vec<Family>> {
        let edges = self.edges(options, progress)?;
        let mut removed: HashSet<u32> = HashSet::new();
        let mut found: Vec<Found> = Vec::new();
        for round in 1..=options.rounds {
            let forest = self.forest(&edges, &removed);
            let mut roots = Vec::new();
            for place in self.places() {
                let Some(below) = forest.children.get(&place) else {
                    continue;
                };
                if forest.has_parent.contains(&place) || below.len() <= options.root_children {
                    continue;
                }
                let members = forest.descendants(place);
                if members.len() > options.min_members {
                    roots.push(place);
                    found.push(Found {
                        root: place,
                        members,
                        round,
                    });
                }
            }
            if roots.is_empty() {
                break;
            }
            removed.extend(roots);
        }
        found.sort_by(|a, b| {
            let size = b.members.len().cmp(&a.members.len());
            size.then(a.round.cmp(&b.round)).then(a.root.cmp(&b.root))
        });
        let found = without_overlap(found, options.max_overlap);
        let scores = self.scores(&found, progress)?;
        let families = found.into_iter().zip(scores);
        Ok(families
            .map(|(found, score)| self.family(found, score))
            .collect())
    }

    /// All places.
    fn places(&self) -> std::ops::Range<u32> {
        // Latents are counted by numbers of 32 bits.
        0..u32::try_from(self.frequencies.len()).unwrap_or(u32::MAX)
    }

    /// Pairs of places that are similar enough, most similar first.
    fn edges(&self, options: &FamilyOptions, progress: &Progress) -> Result<Vec<Edge>> {
        progress.announce(self.frequencies.len() as u64)?;
        let quantile = normal_quantile(CONFIDENCE);
        let edges: Vec<Vec<Edge>> = self
            .places()
            .into_par_iter()
            .map(|at| {
                let counts = (self.later)(at).into_iter();
                let edges = counts.filter_map(|(other, count)| {
                    let is_sure = count >= options.min_support
                        && (!options.above_chance
                            || self.exceeds_chance(at, other, count, quantile));
                    let similarity = self.similarity(at, other, count, options.above_chance);
                    (is_sure && similarity >= options.min_similarity)
                        .then_some((similarity, at, other))
                });
                let edges = edges.collect();
                progress.advance(1)?;
                Ok(edges)
            })
            .collect::<Result<_>>()?;
        let mut edges = edges.concat();
        edges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        Ok(edges)
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

    /// Whether the lower bound of what the sparser latent shares with the denser is above what it
    /// would share by chance.
    fn exceeds_chance(&self, a: u32, b: u32, count: u32, quantile: f64) -> bool {
        let (a, b) = (self.documents(a), self.documents(b));
        let chance = a.max(b) as f64 / self.documents.max(1) as f64;
        wilson(count.into(), a.min(b), quantile).0 > chance
    }

    /// Kruskal's maximum spanning forest without the removed places, its edges directed.
    fn forest(&self, edges: &[Edge], removed: &HashSet<u32>) -> Forest {
        let mut groups: Vec<u32> = (0..self.frequencies.len() as u32).collect();
        let mut forest = Forest::default();
        for &(similarity, a, b) in edges {
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
            let below = forest.children.entry(parent).or_default();
            below.push((child, similarity));
            forest.has_parent.insert(child);
        }
        forest
    }

    /// How much closer the members of each family are to its root than to each other.
    fn scores(&self, families: &[Found], progress: &Progress) -> Result<Vec<f64>> {
        let mut of_place: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, family) in families.iter().enumerate() {
            for place in family.places() {
                of_place.entry(place).or_default().push(at);
            }
        }
        let members: Vec<HashSet<u32>> = families.iter().map(|f| f.places().collect()).collect();
        let mut places: Vec<(u32, Vec<usize>)> = of_place.into_iter().collect();
        places.sort_unstable();
        progress.announce(places.len() as u64)?;
        // What a place adds to each of its families: shares with the root, and with others.
        let shares: Vec<Vec<(usize, f64, f64)>> = places
            .into_par_iter()
            .map(|(place, of)| {
                let counts = (self.later)(place);
                let shares = of.into_iter().map(|at| {
                    let root = families[at].root;
                    let (mut with_root, mut among) = (0.0, 0.0);
                    for &(other, count) in &counts {
                        if !members[at].contains(&other) {
                            continue;
                        }
                        let least = self.documents(place).min(self.documents(other)).max(1);
                        let share = f64::from(count) / least as f64;
                        if place == root || other == root {
                            with_root += share;
                        } else {
                            among += share;
                        }
                    }
                    (at, with_root, among)
                });
                let shares = shares.collect();
                progress.advance(1)?;
                Ok(shares)
            })
            .collect::<Result<_>>()?;
        let mut sums = vec![(0.0, 0.0); families.len()];
        for (at, with_root, among) in shares.into_iter().flatten() {
            sums[at].0 += with_root;
            sums[at].1 += among;
        }
        let scores = families.iter().zip(sums).map(|(family, (root, among))| {
            let members = family.members.len();
            let pairs = (members * members.saturating_sub(1) / 2).max(1);
            (root / members as f64) / (among / pairs as f64)
        });
        Ok(scores.collect())
    }

    fn family(&self, mut found: Found, score: f64) -> Family {
        let latent = |place: u32| self.frequencies[place as usize].0;
        found.members.sort_by(|a, b| {
            let similarity = b.similarity.total_cmp(&a.similarity);
            similarity.then(a.place.cmp(&b.place))
        });
        let children = found.members.iter().map(|below| FamilyMember {
            latent: latent(below.place),
            below: latent(below.above),
            depth: below.depth,
        });
        Family {
            parent: latent(found.root),
            children: children.collect(),
            score,
            round: found.round,
        }
    }

    fn documents(&self, place: u32) -> u64 {
        self.frequencies[place as usize].1
    }
}

impl Found {
    /// The root and what is below it.
    fn places(&self) -> impl Iterator<Item = u32> {
        let members = self.members.iter().map(|below| below.place);
        std::iter::once(self.root).chain(members)
    }
}

/// A directed forest over places.
#[derive(Default)]
struct Forest {
    /// What is below a place, and how similar.
    children: HashMap<u32, Vec<(u32, f64)>>,
    has_parent: HashSet<u32>,
}

impl Forest {
    /// What can be reached from a root.
    fn descendants(&self, root: u32) -> Vec<Below> {
        let mut seen = HashSet::from([root]);
        let mut reached = Vec::new();
        let mut level = vec![root];
        let mut depth = 1;
        while !level.is_empty() {
            let mut next = Vec::new();
            for above in level {
                for &(place, similarity) in self.children.get(&above).into_iter().flatten() {
                    if seen.insert(place) {
                        reached.push(Below {
                            place,
                            above,
                            similarity,
                            depth,
                        });
                        next.push(place);
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
fn without_overlap(families: Vec<Found>, most: f64) -> Vec<Found> {
    let mut kept: Vec<(Found, HashSet<u32>)> = Vec::new();
    for family in families {
        let members: HashSet<u32> = family.members.iter().map(|below| below.place).collect();
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

    struct Counted {
        documents: u64,
        frequencies: Vec<u64>,
        counts: Vec<Counts>,
    }

    /// Latent i is active in `frequencies[i]` documents; `pairs` are (i, j, both).
    fn together(documents: u64, frequencies: &[u64], pairs: &[(u32, u32, u32)]) -> Counted {
        let mut counts = vec![Vec::new(); frequencies.len()];
        for &(a, b, count) in pairs {
            counts[a.min(b) as usize].push((a.max(b), count));
        }
        counts.iter_mut().for_each(|row| row.sort_unstable());
        Counted {
            documents,
            frequencies: frequencies.to_vec(),
            counts,
        }
    }

    impl Counted {
        fn with<T>(&self, work: impl FnOnce(&Together) -> T) -> T {
            work(&Together {
                documents: self.documents,
                frequencies: (0..).zip(self.frequencies.iter().copied()).collect(),
                later: &|place| self.counts[place as usize].clone(),
            })
        }

        fn families(&self, options: &FamilyOptions) -> Vec<Family> {
            let progress = Progress::default();
            let found = self.with(|together| together.families(options, &progress));
            assert_eq!(progress.share(), 1.0);
            found.unwrap()
        }

        fn similarity(&self, a: u32, b: u32, count: u32, above_chance: bool) -> f64 {
            self.with(|together| together.similarity(a, b, count, above_chance))
        }
    }

    #[test]
    fn only_pairs_that_are_similar_enough_are_kept() {
        let pairs: Vec<(u32, u32, u32)> = (1..6).map(|latent| (0, latent, 4 * latent)).collect();
        let counts = together(2000, &[100, 39, 39, 39, 39, 39], &pairs);
        let options = FamilyOptions {
            above_chance: false,
            min_similarity: 0.3,
            ..FamilyOptions::default()
        };
        let edges = counts.with(|together| together.edges(&options, &Progress::default()));
        assert_eq!(edges.unwrap(), [(0.5, 0, 5), (0.4, 0, 4), (0.3, 0, 3)]);
    }

    #[test]
    fn a_search_that_is_called_off_ends() {
        let counts = together(100, &[9, 9], &[(0, 1, 9)]);
        let progress = Progress::default();
        progress.stop();
        let options = FamilyOptions::default();
        let error = counts.with(|together| together.families(&options, &progress));
        assert_eq!(
            error.unwrap_err().kind(),
            crate::error::ErrorKind::Cancelled
        );
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
