//! Boosts, presets, sweeps, families, properties from examples and linear combinations, over the
//! wire and against brute force.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use latentdb_proto::v1::{
    ActivationScale, Axis, ClusterRequest, DropPresetRequest, Family, FindFamiliesRequest,
    FusionChild, FusionMethod, FusionQuery, ListFamiliesRequest, ListPresetsRequest, NearestQuery,
    Preset, PresetUse, PropertyExamples, PropertyQuery, Query, SavePresetRequest, SteerEdit,
    SteerSweepRequest, Vector, nearest_query, property_query, query, steer_edit::Edit,
};
use tonic::Code;

use crate::corpus::{Item, assert_ranking, ids};
use crate::errors::violation;
use crate::running::Running;
use crate::search::{
    WEIGHTS, filled, latent_scores, near, nearest_scores, node, percentile90, weighted,
};

/// Boosts of either sign.
const BOOSTS: [(u32, f32); 3] = [(30, 0.4), (35, 0.7), (38, -0.5)];

fn boosts() -> Vec<SteerEdit> {
    BOOSTS
        .iter()
        .map(|&(latent, strength)| SteerEdit {
            latent,
            edit: Some(Edit::Boost(strength)),
            ..SteerEdit::default()
        })
        .collect()
}

fn nearest(vector: &[f32], steer: Vec<SteerEdit>) -> NearestQuery {
    NearestQuery {
        to: Some(nearest_query::To::Vector(Vector {
            values: vector.to_vec(),
        })),
        steer,
        ..NearestQuery::default()
    }
}

/// Standard deviation of the cosines of the 1,000 best documents.
fn spread(items: &[Item], vector: &[f32]) -> f64 {
    let mut best: Vec<f64> = items.iter().map(|item| item.cosine(vector)).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    best.truncate(1000);
    let n = best.len() as f64;
    let mean = best.iter().sum::<f64>() / n;
    (best.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n).sqrt()
}

fn boosted_scores(items: &[Item], vector: &[f32], strength: f64) -> HashMap<String, f64> {
    let divisors: Vec<f64> = BOOSTS
        .iter()
        .map(|&(latent, _)| percentile90(items, latent))
        .collect();
    let unit = spread(items, vector) / 0.05;
    let score = |item: &Item| {
        let parts = BOOSTS
            .iter()
            .zip(&divisors)
            .map(|(&(latent, by), divisor)| {
                let times = item.activation(latent).unwrap_or(0.0) / divisor;
                strength * f64::from(by) * times.min(2.0)
            });
        item.cosine(vector) + unit * parts.sum::<f64>()
    };
    items
        .iter()
        .map(|item| (item.id.clone(), score(item)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn boosts_are_an_exact_ranking_and_say_what_they_did() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let query = || node(query::Kind::Nearest(nearest(&vector, boosts())));
    for limit in [1, 10, 1000] {
        let found = server.search("c", query(), limit).await.unwrap();
        let scores = boosted_scores(&items, &vector, 1.0);
        assert_ranking(&found.hits, &scores, limit as usize);
        let steering = &found.steering[0];
        assert_eq!(steering.cosine, 1.0);
        assert_eq!(steering.vector.as_ref().unwrap().values, vector);
        assert_eq!(steering.applied, boosts());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presets_are_the_edits_they_were_saved_with() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let mut client = server.searches();
    let preset = Preset {
        name: "mild".into(),
        edits: boosts(),
    };
    let save = SavePresetRequest {
        collection: "c".into(),
        preset: Some(preset.clone()),
    };
    client.save_preset(save).await.unwrap();
    let list = ListPresetsRequest {
        collection: "c".into(),
    };
    let listed = client.list_presets(list).await.unwrap().into_inner();
    assert_eq!(listed.presets, [preset]);
    let used = || {
        let mut query = nearest(&vector, Vec::new());
        query.presets = vec![PresetUse {
            name: "mild".into(),
            strength: Some(0.5),
        }];
        node(query::Kind::Nearest(query))
    };
    let found = server.search("c", used(), 20).await.unwrap();
    assert_ranking(&found.hits, &boosted_scores(&items, &vector, 0.5), 20);
    let drop = || DropPresetRequest {
        collection: "c".into(),
        name: "mild".into(),
    };
    client.drop_preset(drop()).await.unwrap();
    let error = client.drop_preset(drop()).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let error = server.search("c", used(), 20).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_goes_from_the_query_to_the_concept() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let request = SteerSweepRequest {
        collection: "c".into(),
        nearest: Some(nearest(&vector, boosts())),
        filter: None,
        strengths: vec![0.0, 0.5, 8.0],
        limit: 10,
    };
    let steps = server.searches().steer_sweep(request).await.unwrap();
    let steps = steps.into_inner().steps;
    assert_eq!(steps.len(), 3);
    assert_eq!(
        (steps[0].overlap, steps[0].relevance_kept),
        (1.0, Some(1.0))
    );
    let ranks: Vec<u32> = steps[0].hits.iter().map(|hit| hit.unsteered_rank).collect();
    assert_eq!(ranks, (1..=10).collect::<Vec<_>>());
    for (step, strength) in steps.iter().zip([0.0, 0.5, 8.0]) {
        let scores = boosted_scores(&items, &vector, strength);
        let mut best: Vec<(&String, &f64)> = scores.iter().collect();
        best.sort_by(|a, b| b.1.total_cmp(a.1));
        let expected: BTreeSet<&String> = best.iter().take(10).map(|entry| entry.0).collect();
        let found: BTreeSet<&String> = step.hits.iter().map(|hit| &hit.id).collect();
        assert_eq!(found, expected);
    }
    assert_eq!(steps[2].target_share, 1.0);
    assert!(steps[2].relevance_kept.unwrap() < 1.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linear_combination_scores_every_document_on_every_part() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let parts = [
        nearest_scores(&items, &vector),
        latent_scores(&items, false),
    ];
    for (method, weights) in [
        (FusionMethod::Linear, [1.0, 0.05]),
        (FusionMethod::Standard, [1.0, 0.5]),
        (FusionMethod::Standard, [1.0, -0.5]),
    ] {
        let children = [near(&vector), weighted(&WEIGHTS, ActivationScale::Raw)];
        let children = children.into_iter().zip(weights);
        let query = node(query::Kind::Fusion(FusionQuery {
            children: children
                .map(|(query, weight)| FusionChild {
                    query: Some(query),
                    weight: Some(weight),
                })
                .collect(),
            method: method.into(),
            rank_constant: None,
            depth: 5,
        }));
        let mut expected: HashMap<String, f64> = HashMap::new();
        for (scores, weight) in parts.iter().zip(weights) {
            let score = |item: &Item| scores.get(&item.id).copied().unwrap_or(0.0);
            let count = items.len() as f64;
            let (mut mean, mut deviation) = (0.0, 1.0);
            if method == FusionMethod::Standard {
                mean = items.iter().map(score).sum::<f64>() / count;
                let squares = items.iter().map(|item| (score(item) - mean).powi(2));
                deviation = (squares.sum::<f64>() / count).sqrt();
            }
            for item in &items {
                let part = f64::from(weight) * (score(item) - mean) / deviation;
                *expected.entry(item.id.clone()).or_default() += part;
            }
        }
        for limit in [10, 600] {
            let found = server.search("c", query.clone(), limit).await.unwrap();
            assert_ranking(&found.hits, &expected, limit as usize);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_become_a_query_that_can_be_sent_again() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, _) = filled(data.path()).await;
    let with = |latent: u32, active: bool| -> Vec<String> {
        let chosen = items
            .iter()
            .filter(|item| item.activation(latent).is_some() == active);
        chosen.take(15).map(|item| item.id.clone()).collect()
    };
    let property = node(query::Kind::Property(PropertyQuery {
        from: Some(property_query::From::Examples(PropertyExamples {
            positive: with(33, true),
            negative: with(33, false),
            regularisation: None,
        })),
        candidates: 6,
        ..PropertyQuery::default()
    }));
    let found = server.search("c", property, 20).await.unwrap();
    let chosen = &found.properties[0];
    assert_eq!(chosen.component, "latents");
    assert_eq!(chosen.latents.len(), 6);
    assert_eq!((chosen.latents[0].latent, chosen.latents[0].rank), (33, 1));
    assert!(chosen.latents[0].weight > 0.0);
    assert!(chosen.vector.is_some());
    let again = server
        .search("c", chosen.query.clone().unwrap(), 20)
        .await
        .unwrap();
    assert_eq!(ids(&again.hits), ids(&found.hits));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn families_are_found_kept_and_used_in_filters_and_edits() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let mut client = server.latents();
    let list = || ListFamiliesRequest {
        collection: "c".into(),
    };
    let error = client.list_families(list()).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    // Latents of random documents go together by chance alone: no family is above it. By all that
    // is shared, without the densest tenth, the rest hangs below what is left.
    let mut find = FindFamiliesRequest {
        collection: "c".into(),
        max_density: Some(0.5),
        ..FindFamiliesRequest::default()
    };
    let none = client.find_families(find.clone()).await.unwrap();
    assert!(none.into_inner().families.is_empty());
    find.all_shared = true;
    let found = client.find_families(find).await.unwrap().into_inner();
    assert!(!found.families.is_empty());
    let listed = client.list_families(list()).await.unwrap().into_inner();
    assert_eq!(listed, found);
    for family in &found.families {
        let members: Vec<u32> = family.members.iter().map(|member| member.latent).collect();
        assert_eq!(members[0], family.root);
        let inside = items.iter().filter(|item| {
            members
                .iter()
                .any(|&latent| item.activation(latent).is_some())
        });
        let inside = inside.count() as u64;
        assert_eq!(family.documents, inside);
        let filter = format!("family({})", family.root);
        assert_eq!(server.count("c", &filter).await.unwrap(), inside);
    }
    let error = server.count("c", "family(39)").await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let family = &found.families[0];
    let edit = SteerEdit {
        family: Some(family.root),
        edit: Some(Edit::Boost(0.8)),
        ..SteerEdit::default()
    };
    let query = node(query::Kind::Nearest(nearest(&vector, vec![edit])));
    let steered = server.search("c", query, 5).await.unwrap();
    let applied = &steered.steering[0].applied;
    assert_eq!(applied.len(), family.members.len());
    let share = 0.8 / applied.len() as f32;
    for edit in applied {
        let Some(Edit::Boost(amount)) = edit.edit else {
            panic!("{edit:?}");
        };
        assert!((amount - share).abs() < 1e-6);
    }
    families_make_an_axis(&server, &found.families).await;
    server.stop().await;
}

/// The latents of an axis of families are the families'; a listed latent stays listed.
async fn families_make_an_axis(server: &Running, families: &[Family]) {
    let ask = |axis: Axis| ClusterRequest {
        collection: "c".into(),
        axis: Some(axis),
        clusters: 2,
        ..ClusterRequest::default()
    };
    let roots: Vec<u32> = families.iter().take(2).map(|family| family.root).collect();
    let listed = families[0].members[1].latent;
    let axis = Axis {
        families: roots.clone(),
        latents: vec![listed],
        ..Axis::default()
    };
    let clusters = server.cluster(ask(axis), |_| ()).await.unwrap();
    let entries = clusters.summary.axis.into_iter();
    let found: BTreeMap<_, _> = entries.map(|entry| (entry.latent, entry.family)).collect();
    let mut expected = BTreeMap::new();
    for family in families.iter().take(2).rev() {
        let members = family.members.iter();
        expected.extend(members.map(|member| (member.latent, Some(family.root))));
    }
    expected.insert(listed, None);
    assert_eq!(found, expected);

    let none = Axis {
        families: vec![roots[0], 39],
        ..Axis::default()
    };
    let error = server.cluster(ask(none), |_| ()).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("39"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_concepts_name_the_part_at_fault() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", 3, 8).await.unwrap();
    let steered = |edit: SteerEdit| {
        let vector = [1.0, 0.0, 0.0];
        node(query::Kind::Nearest(nearest(&vector, vec![edit])))
    };
    let property = |property: PropertyQuery| node(query::Kind::Property(property));
    let boost = |latent| SteerEdit {
        latent,
        edit: Some(Edit::Boost(1.0)),
        ..SteerEdit::default()
    };
    let combined = FusionQuery {
        children: vec![FusionChild {
            query: Some(node(query::Kind::Fusion(FusionQuery {
                children: vec![FusionChild {
                    query: Some(near(&[1.0, 0.0, 0.0])),
                    weight: None,
                }],
                ..FusionQuery::default()
            }))),
            weight: None,
        }],
        method: FusionMethod::Linear.into(),
        ..FusionQuery::default()
    };
    let examples = PropertyQuery {
        from: Some(property_query::From::Examples(PropertyExamples::default())),
        ..PropertyQuery::default()
    };
    let cold = PropertyQuery {
        temperature: Some(0.0),
        ..examples.clone()
    };
    let both = SteerEdit {
        concept: "x".into(),
        ..boost(3)
    };
    let wrong: Vec<(Query, &str)> = vec![
        (steered(boost(8)), "query.nearest.steer[0].latent"),
        (steered(both), "query.nearest.steer[0]"),
        (steered(SteerEdit::default()), "query.nearest.steer[0].edit"),
        (property(PropertyQuery::default()), "query.property.from"),
        (property(examples), "query.property.examples.positive"),
        (property(cold), "query.property.temperature"),
        (
            node(query::Kind::Fusion(combined)),
            "query.fusion.children[0].query",
        ),
    ];
    for (query, field) in wrong {
        let error = server.search("c", query, 10).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert_eq!(violation(&error).0, field);
    }
    server.stop().await;
}
