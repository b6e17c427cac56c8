use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rand::RngExt;

use super::*;
use crate::document::{Activation, Document, Value};
use crate::filter::{AttributeTest, Filter};
use crate::{Collection, Operation};

const GROUPS: usize = 3;
const AXIS: u32 = 30;

/// A collection of documents with these sets of latents; `group` is an attribute.
struct Built {
    _directory: tempfile::TempDir,
    _collection: Collection,
    snapshot: Arc<Snapshot>,
}

fn made(sets: &[Vec<u32>]) -> Built {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let operations = sets.iter().enumerate().map(|(row, set)| {
        let mut document = Document::new(format!("{row:05}"));
        document.codes_mut(0).latents = set
            .iter()
            .map(|&latent| Activation {
                latent,
                activation: 0.5,
            })
            .collect();
        let group = i64::try_from(row % GROUPS).unwrap();
        document.attributes = BTreeMap::from([("group".to_owned(), Value::Integer(group))]);
        Operation::Upsert(Box::new(document))
    });
    collection.write(operations.collect(), None).unwrap();
    let snapshot = collection.snapshot();
    Built {
        snapshot,
        _directory: directory,
        _collection: collection,
    }
}

/// Sets of three groups, with noise, and latents of another axis that divide them otherwise.
fn planted(count: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|row| {
            let own = u32::try_from(row % GROUPS * 10).unwrap();
            let mut set: Vec<u32> = (0..AXIS)
                .filter(|latent| {
                    let near = (own..own + 10).contains(latent);
                    random.random_bool(if near { 0.4 } else { 0.03 })
                })
                .collect();
            set.push(100 + u32::try_from(row % 2).unwrap());
            set
        })
        .collect()
}

/// A clustering of all documents, with rows in place of the snapshot's numbers.
fn run(made: &Built, axis: &[u32], options: &ClusterOptions) -> Clustering {
    let progress = Progress::default();
    let found = cluster(&made.snapshot, &Filter::All, axis, options, &progress).unwrap();
    by_row(made, found)
}

fn by_row(made: &Built, mut found: Clustering) -> Clustering {
    let row = |doc: &mut u32| *doc = made.snapshot.id(*doc).unwrap().parse().unwrap();
    found
        .members
        .iter_mut()
        .for_each(|member| row(&mut member.doc));
    found.members.sort_by_key(|member| member.doc);
    for docs in [&mut found.uncovered, &mut found.unreached] {
        docs.iter_mut().for_each(row);
        docs.sort_unstable();
    }
    for cluster in &mut found.clusters {
        cluster.documents.iter_mut().for_each(row);
    }
    found
}

fn axis() -> Vec<u32> {
    (0..AXIS).collect()
}

type Pair = (usize, usize);

/// How well two partitions agree (Hubert and Arabie 1985): 1 for the same, about 0 by chance.
fn adjusted_rand_index(pairs: &[Pair]) -> f64 {
    let chosen = |count: f64| count * (count - 1.0) / 2.0;
    let count = |key: fn(&Pair) -> Pair| {
        let mut counts: HashMap<Pair, f64> = HashMap::new();
        for pair in pairs {
            *counts.entry(key(pair)).or_default() += 1.0;
        }
        counts.values().map(|&count| chosen(count)).sum::<f64>()
    };
    let both = count(|pair| *pair);
    let (left, right) = (count(|pair| (pair.0, 0)), count(|pair| (0, pair.1)));
    let expected = left * right / chosen(pairs.len() as f64);
    (both - expected) / ((left + right) / 2.0 - expected)
}

fn agreement(clustering: &Clustering, classes: usize) -> f64 {
    let pair = |member: &Member| (member.cluster, member.doc as usize % classes);
    let pairs: Vec<(usize, usize)> = clustering.members.iter().map(pair).collect();
    adjusted_rand_index(&pairs)
}

#[test]
fn planted_groups_are_found_and_counted_by_the_eigengap() {
    let made = made(&planted(900, 1));
    let found = run(&made, &axis(), &ClusterOptions::default());
    assert_eq!(found.clusters.len(), GROUPS);
    assert_eq!(found.landmarks, None);
    assert!(
        agreement(&found, GROUPS) > 0.9,
        "{}",
        agreement(&found, GROUPS)
    );
    assert_eq!(found.members.len() + found.uncovered.len(), 900);
    // The other axis divides the same documents in another way.
    let found = run(&made, &[100, 101], &ClusterOptions::default());
    assert_eq!(found.clusters.len(), 2);
    assert_eq!(agreement(&found, 2), 1.0);
}

#[test]
fn the_number_of_clusters_is_where_the_eigenvalues_fall_most() {
    for (values, expected) in [
        (&[1.0][..], 1),
        (&[1.0, 0.0, 0.0], 1),
        (&[1.0, 0.905, 0.0045, 0.0], 2),
        (&[1.0, 0.905, 0.291, 0.288, 0.003, 0.002, 0.0], 2),
        (&[1.0, 0.9, 0.9], 3),
        (&[1.0, 0.85, 0.8, 0.75, 0.2, 0.1, 1e-12, -1e-17], 4),
        // Abstracts of four categories (benches/clusters.py).
        (
            &[
                1.0, 0.757, 0.618, 0.453, 0.296, 0.27, 0.222, 0.204, 0.196, 0.17, 0.156,
            ],
            4,
        ),
        (
            &[
                1.0, 0.675, 0.501, 0.453, 0.304, 0.209, 0.178, 0.16, 0.153, 0.136, 0.13,
            ],
            4,
        ),
    ] {
        assert_eq!(eigengap(values), expected, "{values:?}");
    }
}

#[test]
fn axes_of_few_latents_make_no_clusters_of_rare_sets() {
    let sizes = |sets: &[(usize, &[u32])], axis: &[u32]| -> Vec<usize> {
        let sets = sets
            .iter()
            .flat_map(|(count, set)| std::iter::repeat_n(set.to_vec(), *count));
        let made = made(&sets.collect::<Vec<_>>());
        let found = run(&made, axis, &ClusterOptions::default());
        found.clusters.iter().map(|cluster| cluster.size).collect()
    };
    assert_eq!(sizes(&[(50, &[1])], &[1]), [50]);
    let two = sizes(&[(299, &[1]), (297, &[2]), (3, &[1, 2])], &[1, 2]);
    assert_eq!((two.len(), two.iter().sum::<usize>()), (2, 599));
    assert!(two[1] >= 297, "{two:?}");
    let three: [(usize, &[u32]); 6] = [
        (300, &[1]),
        (200, &[2]),
        (100, &[3]),
        (2, &[1, 2]),
        (1, &[2, 3]),
        (1, &[1, 2, 3]),
    ];
    let three = sizes(&three, &[1, 2, 3]);
    assert_eq!(three.len(), 3, "{three:?}");
    assert!(three[2] >= 100, "{three:?}");
    // Few documents: of two kinds, and all of their own kind.
    assert_eq!(
        sizes(&[(5, &[1, 2]), (4, &[3, 4]), (1, &[3])], &[1, 2, 3, 4]),
        [5, 5]
    );
    let apart: [(usize, &[u32]); 3] = [(1, &[1]), (1, &[2]), (1, &[3])];
    assert_eq!(sizes(&apart, &[1, 2, 3]), [1, 1, 1]);
}

#[test]
fn a_large_set_is_clustered_through_landmarks() {
    let made = made(&planted(3000, 2));
    let few = ClusterOptions {
        clusters: Some(GROUPS),
        exact_up_to: 1000,
        landmarks: 500,
        ..ClusterOptions::default()
    };
    let found = run(&made, &axis(), &few);
    assert_eq!(found.landmarks, Some(500));
    assert!(
        agreement(&found, GROUPS) > 0.9,
        "{}",
        agreement(&found, GROUPS)
    );
    assert_eq!(run(&made, &axis(), &few), found, "the seed decides");
    let other = ClusterOptions { seed: 7, ..few };
    assert!(agreement(&run(&made, &axis(), &other), GROUPS) > 0.9);
}

#[test]
fn shares_sizes_and_affinities_are_exact() {
    let sets = planted(300, 3);
    let made = made(&sets);
    let options = ClusterOptions {
        clusters: Some(GROUPS),
        distinctive: 100,
        ..ClusterOptions::default()
    };
    let found = run(&made, &axis(), &options);
    let on_axis = |doc: u32| -> Vec<u32> {
        sets[doc as usize]
            .iter()
            .copied()
            .filter(|latent| *latent < AXIS)
            .collect()
    };
    for (number, cluster) in found.clusters.iter().enumerate() {
        let inside: Vec<&Member> = found
            .members
            .iter()
            .filter(|m| m.cluster == number)
            .collect();
        assert_eq!(cluster.size, inside.len());
        let share = |latent: u32, wanted: bool| {
            let all = found
                .members
                .iter()
                .filter(|m| (m.cluster == number) == wanted);
            let all: Vec<&Member> = all.collect();
            let having = all
                .iter()
                .filter(|m| on_axis(m.doc).contains(&latent))
                .count();
            having as f64 / all.len() as f64
        };
        for entry in cluster.over.iter().chain(&cluster.under) {
            assert_eq!(entry.inside, share(entry.latent, true));
            assert_eq!(entry.outside, share(entry.latent, false));
        }
        assert!(
            cluster
                .over
                .iter()
                .all(|entry| entry.inside > entry.outside)
        );
        assert!(
            cluster
                .under
                .iter()
                .all(|entry| entry.inside < entry.outside)
        );
        for member in &inside {
            let others = inside.iter().filter(|other| other.doc != member.doc);
            let sum: f64 = others
                .map(|other| {
                    let (a, b) = (on_axis(member.doc), on_axis(other.doc));
                    let both = a.iter().filter(|latent| b.contains(latent)).count();
                    both as f64 / (a.len() + b.len() - both) as f64
                })
                .sum();
            let expected = sum / (inside.len() - 1) as f64;
            assert!((member.affinity - expected).abs() < 1e-12);
        }
        let best = inside.iter().map(|m| m.affinity).fold(0.0, f64::max);
        let first = inside
            .iter()
            .find(|m| m.doc == cluster.documents[0])
            .unwrap();
        assert_eq!(first.affinity, best);
        assert_eq!(cluster.documents.len(), 5);
    }
    let sizes: Vec<usize> = found.clusters.iter().map(|cluster| cluster.size).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b));
}

#[test]
fn a_filter_bounds_what_is_clustered() {
    let made = made(&planted(300, 4));
    let filter = Filter::Attribute {
        name: "group".into(),
        test: AttributeTest::In(vec![Value::Integer(0), Value::Integer(1)]),
    };
    let options = ClusterOptions::default();
    let progress = Progress::default();
    let found = cluster(&made.snapshot, &filter, &axis(), &options, &progress).unwrap();
    let found = by_row(&made, found);
    assert!(found.members.iter().all(|member| member.doc % 3 < 2));
    assert_eq!(found.clusters.len(), 2);
    assert_eq!(progress.share(), 1.0);
}

#[test]
fn documents_without_the_axis_stand_apart() {
    let made = made(&[vec![1, 2], vec![50], vec![], vec![1, 2], vec![3]]);
    let found = run(&made, &[1, 2, 3, 9], &ClusterOptions::default());
    assert_eq!(found.uncovered, [1, 2]);
    assert_eq!(found.clusters.len(), 2);
    let members: Vec<(u32, usize)> = found.members.iter().map(|m| (m.doc, m.cluster)).collect();
    assert_eq!(members, [(0, 0), (3, 0), (4, 1)]);
    assert_eq!(found.clusters[0].affinity, 1.0);
    assert_eq!(found.clusters[1].affinity, 0.0, "it has no other member");
}

#[test]
fn documents_out_of_reach_of_the_landmarks_stand_apart() {
    // One document of 40 is like no other; with two landmarks it is reached only if it is one.
    let mut sets = vec![vec![1, 2]; 39];
    sets.push(vec![7]);
    let made = made(&sets);
    let options = ClusterOptions {
        exact_up_to: 10,
        landmarks: 2,
        ..ClusterOptions::default()
    };
    let found = run(&made, &[1, 2, 7], &options);
    assert_eq!(found.landmarks, Some(2));
    assert_eq!(found.unreached, [39]);
    assert_eq!(found.clusters.len(), 1);
    assert_eq!(found.clusters[0].size, 39);
}

#[test]
fn small_sets_make_as_many_clusters_as_they_can() {
    let none = made(&[]);
    assert_eq!(
        run(&none, &[1], &ClusterOptions::default()),
        Clustering::default()
    );
    let many = ClusterOptions {
        clusters: Some(9),
        ..ClusterOptions::default()
    };
    let one = made(&[vec![1]]);
    let found = run(&one, &[1], &many);
    assert_eq!((found.clusters.len(), found.members.len()), (1, 1));
    assert!(found.members[0].position.iter().all(|at| at.is_finite()));
    // Three distinct sets among eight documents.
    let sets = [
        [1, 2],
        [1, 2],
        [3, 4],
        [1, 2],
        [3, 4],
        [5, 6],
        [1, 2],
        [3, 4],
    ];
    let few = made(&sets.map(Vec::from));
    let found = run(&few, &[1, 2, 3, 4, 5, 6], &many);
    let sizes: Vec<usize> = found.clusters.iter().map(|cluster| cluster.size).collect();
    assert_eq!(sizes, [4, 3, 1]);
    let same = made(&vec![vec![1, 2]; 6]);
    let found = run(&same, &[1, 2], &ClusterOptions::default());
    assert_eq!((found.clusters.len(), found.clusters[0].affinity), (1, 1.0));
}

#[test]
fn what_is_out_of_bounds_is_named() {
    let made = made(&[vec![1]]);
    let options = ClusterOptions::default();
    for (axis, options, field) in [
        (&[][..], options.clone(), "axis"),
        (&[2, 1], options.clone(), "axis"),
        (
            &[1],
            ClusterOptions {
                clusters: Some(0),
                ..options.clone()
            },
            "clusters",
        ),
        (
            &[1],
            ClusterOptions {
                clusters: Some(101),
                ..options.clone()
            },
            "clusters",
        ),
        (
            &[1],
            ClusterOptions {
                landmarks: 1,
                ..options.clone()
            },
            "landmarks",
        ),
        (
            &[1],
            ClusterOptions {
                exact_up_to: 9000,
                ..options.clone()
            },
            "exact_up_to",
        ),
    ] {
        let progress = Progress::default();
        let error = cluster(&made.snapshot, &Filter::All, axis, &options, &progress).unwrap_err();
        assert_eq!(error.field(), Some(field));
    }
    let stopped = Progress::default();
    stopped.stop();
    let error = cluster(&made.snapshot, &Filter::All, &[1], &options, &stopped).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Cancelled);
}
