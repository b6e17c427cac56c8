//! Every query kind against brute force.

use std::collections::{HashMap, HashSet};

use latentdb_proto::v1::{
    ActivationScale, Everything, ExceptQuery, Facet, FacetRequest, FusionChild, FusionMethod,
    FusionQuery, HistogramFacet, LatentWeight, LatentsQuery, NearestQuery, Query, SaveSetRequest,
    SearchBatchRequest, SearchRequest, TextMode, TextQuery, Value, Vector, facet, histogram_facet,
    nearest_query, query, value,
};

use crate::corpus::{DIMENSION, Item, N_LATENTS, assert_ranking, id, ids, items};
use crate::running::{Running, expr};

pub(crate) const WEIGHTS: [(u32, f32); 4] = [(0, 1.0), (5, -0.5), (20, 2.0), (39, -3.0)];

pub(crate) fn node(kind: query::Kind) -> Query {
    Query {
        kind: Some(kind),
        ..Query::default()
    }
}

pub(crate) fn near(vector: &[f32]) -> Query {
    let values = vector.to_vec();
    node(query::Kind::Nearest(NearestQuery {
        to: Some(nearest_query::To::Vector(Vector { values })),
        ..NearestQuery::default()
    }))
}

pub(crate) fn weighted(weights: &[(u32, f32)], scale: ActivationScale) -> Query {
    let weights = weights
        .iter()
        .map(|&(latent, weight)| LatentWeight { latent, weight });
    node(query::Kind::Latents(LatentsQuery {
        weights: weights.collect(),
        scale: scale.into(),
        ..LatentsQuery::default()
    }))
}

fn words(text: &str, mode: TextMode) -> Query {
    node(query::Kind::Text(TextQuery {
        text: text.to_owned(),
        mode: mode.into(),
    }))
}

fn fused(children: Vec<Query>, depth: u32) -> Query {
    let children = children.into_iter().map(|query| FusionChild {
        query: Some(query),
        weight: None,
    });
    node(query::Kind::Fusion(FusionQuery {
        children: children.collect(),
        method: FusionMethod::ReciprocalRank.into(),
        rank_constant: None,
        depth,
    }))
}

pub(crate) fn nearest_scores(items: &[Item], vector: &[f32]) -> HashMap<String, f64> {
    let scored = items
        .iter()
        .map(|item| (item.id.clone(), item.cosine(vector)));
    scored.collect()
}

/// The 90th percentile as NumPy has it.
pub(crate) fn percentile90(items: &[Item], latent: u32) -> f64 {
    let mut values: Vec<f64> = items
        .iter()
        .filter_map(|item| item.activation(latent))
        .collect();
    values.sort_by(f64::total_cmp);
    let place = 0.9 * (values.len() - 1) as f64;
    let low = values[place.floor() as usize];
    let high = values[place.ceil() as usize];
    low + (high - low) * place.fract()
}

pub(crate) fn latent_scores(items: &[Item], p90: bool) -> HashMap<String, f64> {
    let divisor: HashMap<u32, f64> = WEIGHTS
        .iter()
        .map(|&(latent, _)| {
            let by = if p90 {
                percentile90(items, latent)
            } else {
                1.0
            };
            (latent, by)
        })
        .collect();
    items
        .iter()
        .filter_map(|item| {
            let parts: Vec<f64> = WEIGHTS
                .iter()
                .filter_map(|&(latent, weight)| {
                    Some(f64::from(weight) * item.activation(latent)? / divisor[&latent])
                })
                .collect();
            (!parts.is_empty()).then(|| (item.id.clone(), parts.iter().sum()))
        })
        .collect()
}

/// A server with 600 documents in several segments.
pub(crate) async fn filled(data: &std::path::Path) -> (Running, Vec<Item>, Vec<f32>) {
    let server = Running::start(data).await;
    server
        .create("c", DIMENSION as u32, N_LATENTS)
        .await
        .unwrap();
    let items = items(600, 2);
    for part in items.chunks(150) {
        let documents = part.iter().map(Item::document).collect();
        server.upsert("c", documents).await.unwrap();
    }
    let query = (0..DIMENSION).map(|at| (at as f32).sin()).collect();
    (server, items, query)
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_rank_as_brute_force_does() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    for limit in [1, 10, 1000] {
        let found = server.search("c", near(&vector), limit).await.unwrap();
        let scores = nearest_scores(&items, &vector);
        assert_ranking(&found.hits, &scores, limit as usize);
        for (scale, p90) in [(ActivationScale::Raw, false), (ActivationScale::P90, true)] {
            let query = weighted(&WEIGHTS, scale);
            let found = server.search("c", query, limit).await.unwrap();
            assert_ranking(&found.hits, &latent_scores(&items, p90), limit as usize);
        }
    }
    let query = words("river stone", TextMode::All);
    let found = server.search("c", query, 1000).await.unwrap();
    let found: HashSet<&str> = ids(&found.hits).into_iter().collect();
    let both = items
        .iter()
        .filter(|item| item.holds("river") && item.holds("stone"));
    assert_eq!(found, both.map(|item| item.id.as_str()).collect());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_come_with_hits_and_nest() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let decades = facet::By::Histogram(HistogramFacet {
        attribute: "year".into(),
        buckets: Some(histogram_facet::Buckets::Width(10.0)),
    });
    let sources = Facet {
        by: Some(facet::By::Attribute("source".into())),
        ..Facet::default()
    };
    let request = SearchRequest {
        collection: "c".into(),
        query: Some(Query {
            filter: Some(expr("year >= 2005")),
            ..near(&vector)
        }),
        limit: 3,
        facets: vec![Facet {
            by: Some(decades),
            then: Some(sources.into()),
            ..Facet::default()
        }],
        ..SearchRequest::default()
    };
    let found = server
        .searches()
        .search(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.hits.len(), 3);
    let [counts] = &found.facets[..] else {
        panic!("{found:?}");
    };
    let inside = |year: i64| items.iter().filter(move |item| item.year / 10 * 10 == year);
    let integer = |value: &Option<Value>| match value.as_ref().unwrap().kind {
        Some(value::Kind::Integer(number)) => number,
        _ => panic!("{value:?}"),
    };
    assert_eq!(counts.buckets.len(), 3);
    for bucket in &counts.buckets {
        let year = integer(&bucket.lower);
        assert_eq!(integer(&bucket.upper), year + 10);
        let after = |item: &&Item| item.year >= 2005;
        let count = inside(year).filter(after).count() as u64;
        assert_eq!(bucket.count, count, "{year}");
        for entry in &bucket.then.as_ref().unwrap().values {
            let Some(value::Kind::String(source)) = &entry.value.as_ref().unwrap().kind else {
                panic!("{entry:?}");
            };
            let of = |item: &&Item| item.source == source && item.year >= 2005;
            assert_eq!(entry.count, inside(year).filter(of).count() as u64);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_counts_facets_and_rankings_alike() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let text = "source = 'news' and not latent(3, > 1) and (year >= 2010 or text('river'))";
    let inside: Vec<&Item> = items
        .iter()
        .filter(|item| {
            item.source == "news"
                && item.activation(3).is_none_or(|a| a <= 1.0)
                && (item.year >= 2010 || item.holds("river"))
        })
        .collect();
    assert!(inside.len() > 20);
    assert_eq!(server.count("c", text).await.unwrap(), inside.len() as u64);
    let filtered = Query {
        filter: Some(expr(text)),
        ..near(&vector)
    };
    let found = server.search("c", filtered, 1000).await.unwrap();
    let scores = inside
        .iter()
        .map(|item| (item.id.clone(), item.cosine(&vector)));
    assert_ranking(&found.hits, &scores.collect(), 1000);

    let by_latents = Facet {
        by: Some(facet::By::Latents(Everything {})),
        limit: 100,
        then: None,
    };
    let facet = FacetRequest {
        collection: "c".into(),
        filter: Some(expr(text)),
        facets: vec![by_latents],
    };
    let counts = server.searches().facet(facet).await.unwrap().into_inner();
    assert_eq!(counts.documents, inside.len() as u64);
    let counts = &counts.facets[0];
    for entry in &counts.latents {
        let active = inside
            .iter()
            .filter(|item| item.activation(entry.latent).is_some());
        assert_eq!(entry.count, active.count() as u64, "{}", entry.latent);
    }
    let distinct: HashSet<u32> = inside
        .iter()
        .flat_map(|item| item.latents.iter().map(|(latent, _)| *latent))
        .collect();
    assert_eq!(counts.distinct, distinct.len() as u64);

    let set = SaveSetRequest {
        collection: "c".into(),
        name: "s".into(),
        filter: Some(expr(text)),
        frozen: true,
    };
    let saved = server.collections().save_set(set).await.unwrap();
    assert_eq!(saved.into_inner().documents, Some(inside.len() as u64));
    let rest = server.count("c", "not set('s')").await.unwrap();
    assert_eq!(rest, (items.len() - inside.len()) as u64);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fusion_and_except_combine_the_rankings_of_their_children() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let depth = 100;
    let latents = || weighted(&WEIGHTS, ActivationScale::Raw);
    let mut expected: HashMap<String, f64> = HashMap::new();
    for child in [near(&vector), latents()] {
        let ranking = server.search("c", child, depth).await.unwrap();
        for (rank, hit) in (1_u8..).zip(&ranking.hits) {
            *expected.entry(id(hit).to_owned()).or_default() += 1.0 / (60.0 + f64::from(rank));
        }
    }
    let query = fused(vec![near(&vector), latents()], depth);
    let found = server.search("c", query, 1000).await.unwrap();
    assert_ranking(&found.hits, &expected, 1000);
    for hit in &found.hits {
        let total: f32 = hit.components.iter().map(|part| part.contribution).sum();
        assert!((hit.score - total).abs() < 1e-6);
    }

    let taken = server.search("c", latents(), 30).await.unwrap();
    let taken = ids(&taken.hits);
    let except = node(query::Kind::Excluding(Box::new(ExceptQuery {
        query: Some(Box::new(near(&vector))),
        minus: Some(Box::new(latents())),
        top: 30,
    })));
    let found = server.search("c", except, 1000).await.unwrap();
    let mut scores = nearest_scores(&items, &vector);
    scores.retain(|id, _| !taken.contains(&id.as_str()));
    assert_ranking(&found.hits, &scores, 1000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_batches_and_plans_come_over_the_wire() {
    let data = tempfile::tempdir().unwrap();
    let (server, items, vector) = filled(data.path()).await;
    let request = SearchRequest {
        collection: "c".into(),
        query: Some(near(&vector)),
        limit: 250,
        explain: true,
        ..SearchRequest::default()
    };
    let mut client = server.searches();
    let mut hits = Vec::new();
    let mut page = client.search(request.clone()).await.unwrap().into_inner();
    let plan = page.explanation.as_ref().unwrap().plan.as_ref().unwrap();
    assert_eq!(
        (plan.name.as_str(), plan.access.as_str()),
        ("nearest", "scan")
    );
    assert_eq!((plan.allowed, plan.candidates), (600, 600));
    loop {
        hits.append(&mut page.hits);
        if page.next_page_token.is_empty() {
            break;
        }
        let next = SearchRequest {
            page_token: page.next_page_token,
            ..SearchRequest::default()
        };
        page = client.search(next).await.unwrap().into_inner();
    }
    assert_ranking(&hits, &nearest_scores(&items, &vector), 600);

    let batch = SearchBatchRequest {
        searches: vec![request.clone(), request.clone()],
    };
    let answers = client.search_batch(batch).await.unwrap().into_inner();
    let alone = client.search(request).await.unwrap().into_inner();
    assert_eq!(answers.responses.len(), 2);
    for answer in answers.responses {
        assert_eq!(answer.hits, alone.hits);
    }
    server.stop().await;
}
