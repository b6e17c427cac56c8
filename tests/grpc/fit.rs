//! An SAE that does not belong to the vectors it meets is refused, and so are vectors, latents and
//! queries that say they were made with other models.

use std::path::Path;

use latentdb::sae::{Architecture, Normalisation, Sae, SaeParts, TrainingRecord, format};
use latentdb_proto::v1::{
    Activation, Activations, AttachSaeRequest, Collection, CreateCollectionRequest,
    DetachSaeRequest, Document, DocumentUpdate, FitGate, GetCollectionRequest, IngestRequest,
    LatentWeight, LatentsQuery, MadeWith, Query, SearchRequest, UpdateRequest, UpsertRequest,
    Vector, query,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tonic::{Code, Status};

use crate::running::Running;

const D: usize = 12;

/// What the vectors are about: every coordinate this far from 0.
const CENTRE: f32 = 2.0;

/// One latent per axis, two of them active: fits vectors that leave the centre along two axes.
fn sae() -> Sae {
    let axes: Vec<f32> = (0..D * D)
        .map(|at| if at / D == at % D { 1.0 } else { 0.0 })
        .collect();
    Sae::new(SaeParts {
        architecture: Architecture::TopK {
            k: 2,
            rescale_by_decoder_norm: false,
        },
        normalisation: Normalisation::None,
        d_in: D,
        w_enc_t: axes.clone(),
        b_enc: vec![0.0; D],
        w_dec: axes,
        b_dec: vec![CENTRE; D],
        apply_b_dec_to_input: true,
        record: TrainingRecord {
            about: [("hook_name".to_owned(), "layer 7".to_owned())].into(),
            ..TrainingRecord::default()
        },
    })
    .unwrap()
}

/// What `layer` makes of random concepts: the SAE's own layer, another one, or its own unscaled.
#[derive(Clone, Copy)]
enum Source {
    Own,
    OtherLayer,
    Unnormalised,
}

fn documents(source: Source, count: usize, prefix: &str) -> Vec<Document> {
    let mut random = StdRng::seed_from_u64(1);
    (0..count)
        .map(|at| {
            let mut x = vec![CENTRE; D];
            for _ in 0..2 {
                x[random.random_range(0..D)] += random.random_range(1.0..2.0f32);
            }
            let values = match source {
                Source::Own => x,
                // Another layer has other directions: here, differences of neighbours.
                Source::OtherLayer => (0..D).map(|j| x[j] - x[(j + 1) % D] + 0.1).collect(),
                Source::Unnormalised => x.iter().map(|v| 8.0 * v).collect(),
            };
            Document {
                id: format!("{prefix}{at}"),
                vector: Some(Vector { values }),
                ..Document::default()
            }
        })
        .collect()
}

async fn attach(
    server: &Running,
    folder: &Path,
    gate: Option<FitGate>,
) -> Result<Collection, Status> {
    let request = AttachSaeRequest {
        collection: "c".into(),
        sae: folder.display().to_string(),
        gate,
        ..AttachSaeRequest::default()
    };
    server.attach_sae(request, |_| ()).await
}

async fn collection(server: &Running) -> Collection {
    let request = GetCollectionRequest { name: "c".into() };
    let mut collections = server.collections();
    collections
        .get_collection(request)
        .await
        .unwrap()
        .into_inner()
}

fn refused(error: &Status, words: &[&str]) {
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
    for word in words {
        assert!(error.message().contains(word), "{word}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sae_of_another_layer_or_normalisation_is_not_attached() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sae");
    format::save(&sae(), &folder).unwrap();
    for source in [Source::OtherLayer, Source::Unnormalised] {
        let data = tempfile::tempdir().unwrap();
        let server = Running::start(data.path()).await;
        server.create("c", D as u32, 0).await.unwrap();
        server
            .upsert("c", documents(source, 300, "d"))
            .await
            .unwrap();
        let error = attach(&server, &folder, None).await.unwrap_err();
        refused(
            &error,
            &["FVU", "last 300 vectors", "0.600", "layer 7", "mean length"],
        );
        assert!(collection(&server).await.sae.is_none());

        let bad = FitGate {
            fvu_limit: -1.0,
            warn: false,
        };
        let error = attach(&server, &folder, Some(bad)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert!(error.message().contains("fvu_limit"), "{error}");

        let warn = FitGate {
            fvu_limit: 0.0,
            warn: true,
        };
        let attached = attach(&server, &folder, Some(warn)).await.unwrap();
        let fit = attached.fit.unwrap();
        assert!(fit.fvu.unwrap() > fit.limit && fit.warn, "{fit:?}");
        // The setting stays, and a limit that is high enough replaces it.
        attach(&server, &folder, None).await.unwrap();
        let high = FitGate {
            fvu_limit: 1e6,
            warn: false,
        };
        let fit = attach(&server, &folder, Some(high))
            .await
            .unwrap()
            .fit
            .unwrap();
        assert_eq!((fit.limit, fit.warn), (1e6, false));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sae_of_these_vectors_is_attached_and_its_fit_reported() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sae");
    format::save(&sae(), &folder).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", D as u32, 0).await.unwrap();
    server
        .upsert("c", documents(Source::Own, 300, "d"))
        .await
        .unwrap();
    let fit = attach(&server, &folder, None).await.unwrap().fit.unwrap();
    assert_eq!((fit.vectors, fit.limit), (300, 0.6));
    assert!(fit.fvu.unwrap() < 0.01, "{fit:?}");
    let sae = collection(&server).await.sae.unwrap();
    assert_eq!(
        (sae.normalisation.as_str(), sae.level.as_str()),
        ("none", "pooled")
    );

    // Seven hundred of another layer among a thousand show, a few do not; all are measured.
    let error = server
        .upsert("c", documents(Source::Unnormalised, 700, "u"))
        .await
        .unwrap_err();
    refused(&error, &["last 1000 vectors"]);
    server
        .upsert("c", documents(Source::Own, 800, "e"))
        .await
        .unwrap();
    server
        .upsert("c", documents(Source::OtherLayer, 5, "o"))
        .await
        .unwrap();
    assert_eq!(collection(&server).await.fit.unwrap().vectors, 1105);
    server.stop().await;
}

/// The fit of the SAE that stays, as `collection info` shows it.
async fn fit(server: &Running) -> latentdb_proto::v1::Fit {
    collection(server).await.fit.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_goes_on_measuring_and_other_saes_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (folder, other) = (home.path().join("sae"), home.path().join("other"));
    format::save(&sae(), &folder).unwrap();
    let mut parts = sae().parts().clone();
    parts.b_enc = vec![-0.01; D];
    format::save(&Sae::new(parts).unwrap(), &other).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", D as u32, 0).await.unwrap();
    for batch in 0..5 {
        let prefix = format!("d{batch}-");
        let documents = documents(Source::Own, 1000, &prefix);
        server.upsert("c", documents).await.unwrap();
    }
    attach(&server, &folder, None).await.unwrap();
    let before = fit(&server).await;
    assert_eq!(before.vectors, 4096);

    // Another SAE comes and goes.
    let request = AttachSaeRequest {
        collection: "c".into(),
        sae: other.display().to_string(),
        name: "other".into(),
        ..AttachSaeRequest::default()
    };
    server.attach_sae(request, |_| ()).await.unwrap();
    assert_eq!(fit(&server).await, before);
    let request = DetachSaeRequest {
        collection: "c".into(),
        name: "other".into(),
    };
    server.detach_sae(request, |_| ()).await.unwrap();
    assert_eq!(fit(&server).await, before);

    // After five thousand that fit, what does not is refused as soon as it is the better part.
    let mut refused_at = None;
    for batch in 0..8 {
        let wrong = documents(Source::Unnormalised, 500, &format!("u{batch}-"));
        if let Err(error) = server.upsert("c", wrong).await {
            refused(&error, &["vectors", "FVU"]);
            refused_at = Some(batch);
            break;
        }
        assert!(fit(&server).await.fvu > before.fvu);
    }
    assert!(refused_at.is_some());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_documents_of_a_collection_are_judged_when_they_are_enough() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sae");
    format::save(&sae(), &folder).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut server = Running::start(data.path()).await;
    let request = CreateCollectionRequest {
        name: "c".into(),
        sae: folder.display().to_string(),
        ..CreateCollectionRequest::default()
    };
    let created = server.collections().create_collection(request).await;
    let fit = created.unwrap().into_inner().fit.unwrap();
    assert_eq!((fit.vectors, fit.fvu), (0, None));

    let wrong = documents(Source::OtherLayer, 100, "w");
    server.upsert("c", wrong[..50].to_vec()).await.unwrap();
    let fit = collection(&server).await.fit.unwrap();
    assert_eq!((fit.vectors, fit.fvu), (50, None), "too few to say");
    let error = server.upsert("c", wrong[50..].to_vec()).await.unwrap_err();
    refused(&error, &["last 100 vectors"]);
    assert_eq!(server.count("c", "all").await.unwrap(), 50);

    // What is stored is measured again after a restart.
    server.stop().await;
    server = Running::start(data.path()).await;
    let error = server.upsert("c", wrong[50..].to_vec()).await.unwrap_err();
    refused(&error, &["last 100 vectors"]);
    // An update with a vector meets the SAE too.
    let updates = documents(Source::OtherLayer, 50, "w").into_iter();
    let request = UpdateRequest {
        collection: "c".into(),
        updates: updates
            .map(|document| DocumentUpdate {
                id: document.id,
                vector: document.vector,
                ..DocumentUpdate::default()
            })
            .collect(),
        ..UpdateRequest::default()
    };
    let error = server.documents().update(request).await.unwrap_err();
    refused(&error, &["last 100 vectors"]);
    // Documents that fit outweigh those that do not.
    server
        .upsert("c", documents(Source::Own, 900, "d"))
        .await
        .unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latents_of_another_sae_are_noticed() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sae");
    format::save(&sae(), &folder).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    let request = CreateCollectionRequest {
        name: "c".into(),
        sae: folder.display().to_string(),
        ..CreateCollectionRequest::default()
    };
    server
        .collections()
        .create_collection(request)
        .await
        .unwrap();
    let mut documents = documents(Source::Own, 100, "d");
    for (at, document) in documents.iter_mut().enumerate() {
        document.latents = Some(Activations {
            values: vec![Activation {
                latent: (at % D) as u32,
                activation: 3.0,
            }],
        });
    }
    let error = server.upsert("c", documents).await.unwrap_err();
    refused(&error, &["FVU", "another SAE"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_with_other_models_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sae");
    format::save(&sae(), &folder).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    let request = CreateCollectionRequest {
        name: "c".into(),
        sae: folder.display().to_string(),
        ..CreateCollectionRequest::default()
    };
    server
        .collections()
        .create_collection(request)
        .await
        .unwrap();
    let made_with = |sae: &str, encoder: &str| {
        Some(MadeWith {
            encoder_sha256: encoder.to_owned(),
            sae_sha256: sae.to_owned(),
        })
    };
    let upsert = |made_with| UpsertRequest {
        collection: "c".into(),
        documents: documents(Source::Own, 1, "d"),
        made_with,
        ..UpsertRequest::default()
    };
    let own = sae().hash().to_owned();
    let mut client = server.documents();
    client.upsert(upsert(made_with(&own, ""))).await.unwrap();
    let error = client
        .upsert(upsert(made_with("abc", "")))
        .await
        .unwrap_err();
    refused(&error, &["abc", &own]);
    let error = client
        .upsert(upsert(made_with(&own, "e1")))
        .await
        .unwrap_err();
    refused(&error, &["e1", "records no encoder"]);

    let update = UpdateRequest {
        collection: "c".into(),
        updates: vec![DocumentUpdate {
            id: "d0".into(),
            ..DocumentUpdate::default()
        }],
        made_with: made_with("abc", ""),
        ..UpdateRequest::default()
    };
    refused(&client.update(update).await.unwrap_err(), &["abc"]);
    let batch = IngestRequest {
        collection: "c".into(),
        documents: documents(Source::Own, 1, "i"),
        made_with: made_with("abc", ""),
        ..IngestRequest::default()
    };
    let stream = client.ingest(tokio_stream::iter([batch])).await.unwrap();
    let answer = stream.into_inner().message().await.unwrap().unwrap();
    assert_eq!(answer.error.unwrap().code, Code::FailedPrecondition as i32);

    let search = |made_with| SearchRequest {
        collection: "c".into(),
        query: Some(Query {
            kind: Some(query::Kind::Latents(LatentsQuery {
                weights: vec![LatentWeight {
                    latent: 1,
                    weight: 1.0,
                }],
                ..LatentsQuery::default()
            })),
            ..Query::default()
        }),
        made_with,
        ..SearchRequest::default()
    };
    let mut searches = server.searches();
    searches.search(search(made_with(&own, ""))).await.unwrap();
    let error = searches
        .search(search(made_with("abc", "")))
        .await
        .unwrap_err();
    refused(&error, &["abc", "the SAE"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_weights_of_two_records_are_two_saes_and_states_are_said() {
    let home = tempfile::tempdir().unwrap();
    let bare = home.path().join("bare");
    let hooked = home.path().join("hooked");
    let mut own = sae();
    format::save(&own, &bare).unwrap();
    own.set_about("hook_name", "blocks.3.hook_resid_post");
    own.set_about("model_name", "gpt2");
    assert_ne!(own.hash(), sae().hash());
    format::save(&own, &hooked).unwrap();
    assert_eq!(format::open(&hooked).unwrap().hash(), own.hash());

    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    let create = |name: &str, sae: &Path, states: &str| {
        let request = CreateCollectionRequest {
            name: name.to_owned(),
            sae: sae.display().to_string(),
            states: states.to_owned(),
            ..CreateCollectionRequest::default()
        };
        let mut collections = server.collections();
        async move { collections.create_collection(request).await }
    };
    // The record that came first does not speak for the other.
    create("c", &bare, "").await.unwrap();
    let error = create("d", &hooked, "").await.unwrap_err();
    refused(&error, &["gpt2", "states"]);
    for (states, part) in [
        ("gpt2 blocks.4.hook_resid_post", "blocks.3.hook_resid_post"),
        ("pythia-70m blocks.3.hook_resid_post", "model gpt2"),
    ] {
        refused(&create("d", &hooked, states).await.unwrap_err(), &[part]);
    }
    let error = create("d", &hooked, "gpt2").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    let states = "gpt2 blocks.3.hook_resid_post";
    let created = create("d", &hooked, states).await.unwrap().into_inner();
    assert_eq!(created.sae.unwrap().sha256, own.hash());
    server
        .upsert("d", documents(Source::Own, 100, "d"))
        .await
        .unwrap();

    // The same of an attach.
    let request = |states: &str| AttachSaeRequest {
        collection: "c".into(),
        sae: hooked.display().to_string(),
        states: states.to_owned(),
        ..AttachSaeRequest::default()
    };
    server.attach_sae(request(""), |_| ()).await.unwrap_err();
    server.attach_sae(request(states), |_| ()).await.unwrap();
    assert_eq!(collection(&server).await.sae.unwrap().sha256, own.hash());
    server.stop().await;
}
