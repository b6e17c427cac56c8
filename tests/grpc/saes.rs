//! Several SAEs in one collection: each is asked by its name, all are kept up to date, one comes
//! and goes while the others serve.

use std::collections::BTreeMap;
use std::path::Path;

use latentdb::sae::{Architecture, Normalisation, Sae, SaeParts, TrainingRecord, format};
use latentdb_proto::v1::{
    AttachSaeRequest, Collection, DetachSaeRequest, Document, DocumentUpdate, FitGate, GetRequest,
    LabelEntry, LatentWeight, LatentsQuery, ListSetsRequest, Projection, Query, SaveSetRequest,
    SetLabelsRequest, SplitLatentsRequest, UpdateRequest, Vector, query,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tonic::{Code, Status};

use crate::running::{Running, expr};

pub(crate) const D: usize = 8;

/// `n` latents with directions of their own: the first `D` are the axes, each later one the sum of
/// an axis and half the next.
pub(crate) fn sae(n: usize, k: usize) -> Sae {
    let rows: Vec<f32> = (0..n)
        .flat_map(|latent| {
            let axis = latent % D;
            (0..D).map(move |at| match (latent < D, at) {
                (_, at) if at == axis => 1.0,
                (false, at) if at == (axis + 1) % D => 0.5,
                _ => 0.0,
            })
        })
        .collect();
    Sae::new(SaeParts {
        architecture: Architecture::TopK {
            k,
            rescale_by_decoder_norm: false,
        },
        normalisation: Normalisation::None,
        d_in: D,
        w_enc_t: rows.clone(),
        b_enc: vec![0.0; n],
        w_dec: rows,
        b_dec: vec![0.0; D],
        apply_b_dec_to_input: true,
        record: TrainingRecord::default(),
    })
    .unwrap()
}

fn documents(seed: u64, count: usize, prefix: &str) -> Vec<Document> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|at| {
            let mut values = vec![0.01; D];
            for _ in 0..2 {
                values[random.random_range(0..D)] += random.random_range(0.5..2.0f32);
            }
            Document {
                id: format!("{prefix}{at}"),
                vector: Some(Vector { values }),
                ..Document::default()
            }
        })
        .collect()
}

/// What an SAE makes of documents, by id, as it is stored.
fn codes(sae: &Sae, documents: &[Document]) -> BTreeMap<String, BTreeMap<u32, f32>> {
    let rows: Vec<f32> = documents
        .iter()
        .flat_map(|document| document.vector.clone().unwrap().values)
        .collect();
    let coded = sae.encode_parallel(&rows, 1).unwrap();
    let rounded = |value: f32| half::f16::from_f32(value).to_f32();
    documents
        .iter()
        .zip(coded.iter())
        .map(|(document, (latents, activations))| {
            let row = latents.iter().copied().zip(activations.iter().copied());
            let row = row.map(|(latent, value)| (latent, rounded(value)));
            (
                document.id.clone(),
                row.filter(|(_, value)| *value > 0.0).collect(),
            )
        })
        .collect()
}

async fn stored(
    server: &Running,
    collection: &str,
    documents: &[Document],
) -> Result<BTreeMap<String, BTreeMap<u32, f32>>, Status> {
    let request = GetRequest {
        collection: collection.to_owned(),
        ids: documents
            .iter()
            .map(|document| document.id.clone())
            .collect(),
        projection: Some(Projection {
            latents: true,
            ..Projection::default()
        }),
    };
    let found = server.documents().get(request).await?.into_inner();
    Ok(found
        .documents
        .into_iter()
        .map(|document| {
            let latents = document.latents.unwrap_or_default().values;
            let row = latents.iter().map(|one| (one.latent, one.activation));
            (document.id, row.collect())
        })
        .collect())
}

async fn attach(server: &Running, folder: &Path, name: &str) -> Result<Collection, Status> {
    let request = AttachSaeRequest {
        collection: "c".into(),
        sae: folder.display().to_string(),
        gate: Some(FitGate {
            fvu_limit: 1.0,
            warn: true,
        }),
        name: name.to_owned(),
        ..AttachSaeRequest::default()
    };
    server.attach_sae(request, |_| ()).await
}

fn weighted(latent: u32) -> Query {
    Query {
        kind: Some(query::Kind::Latents(LatentsQuery {
            weights: vec![LatentWeight {
                latent,
                weight: 1.0,
            }],
            ..LatentsQuery::default()
        })),
        ..Query::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sae_is_asked_by_its_name_and_follows_writes() {
    let home = tempfile::tempdir().unwrap();
    let (small, large) = (sae(8, 2), sae(16, 4));
    let folder = |name: &str| home.path().join(name);
    format::save(&small, &folder("small")).unwrap();
    format::save(&large, &folder("large")).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut server = Running::start(data.path()).await;
    server.create("c", D as u32, 0).await.unwrap();
    let mut all = documents(1, 300, "d");
    server.upsert("c", all.clone()).await.unwrap();
    attach(&server, &folder("small"), "").await.unwrap();
    let info = attach(&server, &folder("large"), "large").await.unwrap();
    assert_eq!((info.n_latents, info.saes.len()), (8, 2));
    assert_eq!(
        (info.saes[0].name.as_str(), info.saes[1].name.as_str()),
        ("", "large")
    );
    for attached in &info.saes {
        assert!(attached.latents_bytes > 0 && attached.weights_bytes > 0);
        assert_eq!(attached.fit.unwrap().vectors, 300);
    }

    // Writes after the attach are coded by both: new documents, and updates of vectors.
    let later = documents(2, 20, "e");
    server.upsert("c", later.clone()).await.unwrap();
    all.extend(later);
    let moved = documents(3, 1, "d").remove(0);
    let update = UpdateRequest {
        collection: "c".into(),
        updates: vec![DocumentUpdate {
            id: moved.id.clone(),
            vector: moved.vector.clone(),
            ..DocumentUpdate::default()
        }],
        ..UpdateRequest::default()
    };
    server.documents().update(update).await.unwrap();
    all[0] = moved;
    for round in 0..2 {
        assert_eq!(
            stored(&server, "c", &all).await.unwrap(),
            codes(&small, &all)
        );
        assert_eq!(
            stored(&server, "c:large", &all).await.unwrap(),
            codes(&large, &all)
        );
        if round == 0 {
            // Also after a restart, from the files.
            server.stop().await;
            server = Running::start(data.path()).await;
        }
    }

    // Counts, queries and facets are those of the SAE that is named.
    let (ours, theirs) = (codes(&small, &all), codes(&large, &all));
    let with = |rows: &BTreeMap<String, BTreeMap<u32, f32>>, latent: u32| {
        let rows = rows.values();
        rows.filter(|row| row.contains_key(&latent)).count() as u64
    };
    for latent in [0, 3, 7] {
        let filter = format!("latent({latent})");
        assert_eq!(
            server.count("c", &filter).await.unwrap(),
            with(&ours, latent)
        );
        let found = server.count("c:large", &filter).await.unwrap();
        assert_eq!(found, with(&theirs, latent));
        let other = format!("sae(\"large\", latent({}))", latent + 8);
        let both = format!("{filter} and {other}");
        let expected = ours
            .iter()
            .filter(|(id, row)| {
                row.contains_key(&latent) && theirs[*id].contains_key(&(latent + 8))
            })
            .count() as u64;
        assert_eq!(server.count("c", &both).await.unwrap(), expected);
        let from_there = format!("latent({}) and sae(\"\", {filter})", latent + 8);
        assert_eq!(
            server.count("c:large", &from_there).await.unwrap(),
            expected
        );
        let hits = server
            .search("c:large", weighted(latent + 8), 5)
            .await
            .unwrap()
            .hits;
        let best = theirs.values().filter_map(|row| row.get(&(latent + 8)));
        let best = best.copied().fold(0.0, f32::max);
        assert_eq!(hits.first().map_or(0.0, |hit| hit.score), best);
    }
    let error = server.count("c", "latent(12)").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");

    // Labels are each SAE's own.
    let label = SetLabelsRequest {
        collection: "c:large".into(),
        labels: vec![LabelEntry {
            latent: 3,
            text: "of the large one".into(),
            ..Default::default()
        }],
        ..SetLabelsRequest::default()
    };
    server.latents().set_labels(label).await.unwrap();
    let split = SplitLatentsRequest {
        collection: "c".into(),
        to: "large".into(),
        latents: vec![3],
        ..SplitLatentsRequest::default()
    };
    let found = server.latents().split_latents(split.clone()).await.unwrap();
    let found = found.into_inner().latents.remove(0);
    assert_eq!(
        (found.latent, found.documents, found.label.as_str()),
        (3, with(&ours, 3), "")
    );
    let nearest = &found.counterparts[0];
    assert_eq!(
        (nearest.latent, nearest.label.as_str()),
        (3, "of the large one")
    );
    assert!((nearest.cosine - 1.0).abs() < 1e-6 && nearest.mutual);
    let second = &found.counterparts[1];
    // The axis itself is nearer to its copy than to the sum it is part of.
    assert_eq!(second.latent, 11);
    assert!((second.cosine - 1.25f32.sqrt().recip()).abs() < 1e-6);
    let shared = |other: u32| {
        let both = |(id, row): &(&String, &BTreeMap<u32, f32>)| {
            row.contains_key(&3) && theirs[*id].contains_key(&other)
        };
        ours.iter().filter(both).count() as u64
    };
    assert_eq!(
        (second.documents, second.shared),
        (with(&theirs, 11), shared(11))
    );
    server.stop().await;
}

/// f16 holds 65,504 at most: a stronger activation is refused, not stored as infinite.
#[tokio::test(flavor = "multi_thread")]
async fn activations_that_cannot_be_stored_are_refused() {
    let home = tempfile::tempdir().unwrap();
    format::save(&sae(8, 2), &home.path().join("sae")).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", D as u32, 0).await.unwrap();
    let scaled = |mut document: Document| {
        for value in &mut document.vector.as_mut().unwrap().values {
            *value *= 1e6;
        }
        document
    };
    let large = scaled(documents(1, 1, "large").remove(0));
    server.upsert("c", vec![large.clone()]).await.unwrap();
    let error = attach(&server, &home.path().join("sae"), "")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
    assert!(error.message().contains("\"large0\""), "{error}");

    let all = documents(2, 20, "d");
    server.create("d", D as u32, 0).await.unwrap();
    server.upsert("d", all.clone()).await.unwrap();
    let request = AttachSaeRequest {
        collection: "d".into(),
        sae: home.path().join("sae").display().to_string(),
        ..AttachSaeRequest::default()
    };
    let mut stream = server
        .collections()
        .attach_sae(request)
        .await
        .unwrap()
        .into_inner();
    while stream.message().await.unwrap().is_some() {}
    let error = server
        .upsert("d", vec![all[0].clone(), large])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    assert!(error.message().contains("documents[1]"), "{error}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_sets_keep_to_their_sae_and_a_detached_one_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let folder = |name: &str| home.path().join(name);
    let (small, large) = (sae(8, 2), sae(16, 4));
    format::save(&small, &folder("small")).unwrap();
    format::save(&large, &folder("large")).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", D as u32, 0).await.unwrap();
    let all = documents(5, 200, "d");
    server.upsert("c", all.clone()).await.unwrap();
    attach(&server, &folder("small"), "").await.unwrap();
    attach(&server, &folder("large"), "large").await.unwrap();
    let error = attach(&server, &folder("small"), "again")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
    let error = attach(&server, &folder("large"), "a:b").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");

    let set = |name: &str, collection: &str, filter: &str| SaveSetRequest {
        collection: collection.into(),
        name: name.into(),
        filter: Some(expr(filter)),
        frozen: false,
    };
    let mut collections = server.collections();
    let saved = collections
        .save_set(set("wide", "c:large", "latent(10)"))
        .await
        .unwrap();
    let documents_of = saved.into_inner().documents;
    assert!(documents_of > Some(0));
    for collection in ["c", "c:large"] {
        let found = server.count(collection, "set(\"wide\")").await.unwrap();
        assert_eq!(Some(found), documents_of, "{collection}");
    }
    // Two sets that name each other through two SAEs end in an error, not in a crash.
    collections
        .save_set(set("one", "c", "latent(1)"))
        .await
        .unwrap();
    let two = "latent(2) and set(\"one\")";
    collections
        .save_set(set("two", "c:large", two))
        .await
        .unwrap();
    collections
        .save_set(set("one", "c", "latent(1) and set(\"two\")"))
        .await
        .unwrap();
    let error = server.count("c", "set(\"one\")").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    // However deep each of them is.
    let through = |name: &str| {
        let inner = format!("sae(\"large\", set(\"{name}\"))");
        (0..10).fold(inner, |inner, _| format!("not ({inner})"))
    };
    for (name, filter) in [
        ("one", "latent(1)".to_owned()),
        ("two", through("one")),
        ("one", through("two")),
    ] {
        let request = set(name, "c", &filter);
        collections.save_set(request).await.unwrap();
    }
    let error = server.count("c", "set(\"one\")").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");

    let named = set("named", "c", "sae(\"large\", latent(10))");
    let saved = collections.save_set(named).await.unwrap().into_inner();
    assert_eq!(saved.documents, documents_of);

    let error = server
        .upsert("c:large", all[..1].to_vec())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    assert!(error.message().contains("collection"), "{error}");
    for missing in ["c:none", "c:"] {
        let error = server.count(missing, "all").await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound, "{error}");
    }
    let error = server
        .count("c", "sae(\"none\", latent(1))")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");

    let detach = |name: &str| DetachSaeRequest {
        collection: "c".into(),
        name: name.into(),
    };
    let mut stream = collections
        .detach_sae(detach("none"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::NotFound);
    let mut stream = collections
        .detach_sae(detach("large"))
        .await
        .unwrap()
        .into_inner();
    let mut last = None;
    while let Some(progress) = stream.message().await.unwrap() {
        last = progress.collection.or(last);
    }
    assert_eq!(last.unwrap().saes.len(), 1);
    assert_eq!(
        stored(&server, "c", &all).await.unwrap(),
        codes(&small, &all)
    );
    let error = server.count("c:large", "all").await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    let error = server.count("c", "set(\"wide\")").await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");

    // Another SAE under the name is not what a set of that name's latents was saved for.
    format::save(&sae(16, 3), &folder("other")).unwrap();
    attach(&server, &folder("other"), "large").await.unwrap();
    let error = server.count("c", "set(\"named\")").await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
    let request = ListSetsRequest {
        collection: "c".into(),
    };
    let listed = collections.list_sets(request).await.unwrap().into_inner();
    let named = listed.sets.iter().find(|set| set.name == "named").unwrap();
    assert_eq!(named.documents, None);
    assert!(named.error.contains("another SAE now"), "{}", named.error);

    // Back under another name, the set finds its SAE.
    attach(&server, &folder("large"), "big").await.unwrap();
    let found = server.count("c", "set(\"wide\")").await.unwrap();
    assert_eq!(Some(found), documents_of);
    assert_eq!(
        stored(&server, "c:big", &all).await.unwrap(),
        codes(&large, &all)
    );
    server.stop().await;
}
