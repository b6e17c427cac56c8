//! Training in the server: every kind of SAE, progress, and what cannot be trained.

use latentdb::sae::{Architecture, format};
use latentdb_proto::v1::{Document, EvaluateSaeRequest, TrainSaeProgress, TrainSaeRequest, Vector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::running::Running;

const D: usize = 16;

/// Mixtures of two of 24 directions.
fn documents(count: usize) -> Vec<Document> {
    let mut random = StdRng::seed_from_u64(3);
    let directions: Vec<Vec<f32>> = (0..24)
        .map(|_| (0..D).map(|_| random.random_range(-1.0..1.0)).collect())
        .collect();
    (0..count)
        .map(|at| {
            let mut values = vec![0.2f32; D];
            for _ in 0..2 {
                let direction = &directions[random.random_range(0..directions.len())];
                let strength = random.random_range(0.5..1.5f32);
                for (value, part) in values.iter_mut().zip(direction) {
                    *value += strength * part;
                }
            }
            Document {
                id: format!("d{at}"),
                vector: Some(Vector { values }),
                ..Document::default()
            }
        })
        .collect()
}

async fn train(
    server: &Running,
    request: TrainSaeRequest,
) -> Result<Vec<TrainSaeProgress>, Status> {
    let mut all = Vec::new();
    server
        .train_sae(request, |message| all.push(message.clone()))
        .await?;
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_top_k_with_matryoshka_prefixes_is_trained_and_measured() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", D as u32, 0).await.unwrap();
    server.upsert("c", documents(1200)).await.unwrap();
    let request = TrainSaeRequest {
        collection: "c".into(),
        n_latents: 32,
        k: 3,
        epochs: 30,
        seed: 5,
        batch_top_k: true,
        matryoshka: true,
        held_out: Some(0.25),
        warm_up: Some(0.05),
        patience: Some(20),
        ..TrainSaeRequest::default()
    };
    let all = train(&server, request.clone()).await.unwrap();
    let (last, on_the_way) = all.split_last().unwrap();
    assert!(
        on_the_way
            .iter()
            .all(|now| now.sae.is_none() && now.loss > 0.0 && now.l0 > 0.0)
    );
    let told = on_the_way.last().unwrap();
    assert!(told.epoch > 0 && told.held_out_fvu.is_some(), "{told:?}");
    let quality = last.quality.as_ref().unwrap();
    assert_eq!(quality.rows, 300);
    assert!(quality.fvu < 0.5, "{quality:?}");
    assert!((quality.l0 - 3.0).abs() < 0.7, "{quality:?}");
    assert_eq!(
        quality.density.iter().map(|bin| bin.latents).sum::<u64>(),
        32
    );
    assert!(quality.recall.is_some() && quality.encoder_decoder_cosine.is_some());

    let hash = last.sae.as_ref().unwrap().sha256.clone();
    let output = tempfile::tempdir().unwrap();
    server.download_sae(&hash, output.path()).await.unwrap();
    let missing = server.download_sae("ab", output.path()).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound, "{missing}");
    let sae = format::open(output.path()).unwrap();
    assert_eq!(sae.hash(), hash);
    assert!(matches!(
        sae.architecture(),
        Architecture::BatchTopK { k: 3, .. }
    ));
    let config = sae.record().config.as_ref().unwrap();
    assert_eq!(config.prefixes, [4, 8, 16, 32]);
    let curve = &sae.record().report.as_ref().unwrap().curve;
    assert!(curve.first().unwrap().fvu > curve.last().unwrap().fvu);

    // The same request gives the same weights.
    let again = train(&server, request).await.unwrap();
    assert_eq!(again.last().unwrap().sae.as_ref().unwrap().sha256, hash);
    let mut models = server.models();
    let request = EvaluateSaeRequest {
        collection: "c".into(),
        sae: hash.clone(),
    };
    let measured = models.evaluate_sae(request).await.unwrap().into_inner();
    assert_eq!(measured.quality.unwrap().rows, 1200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_are_named() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    server.create("c", D as u32, 0).await.unwrap();
    server.upsert("c", documents(200)).await.unwrap();
    let request = TrainSaeRequest {
        collection: "c".into(),
        n_latents: 32,
        k: 3,
        ..TrainSaeRequest::default()
    };
    let cases: [(&str, TrainSaeRequest); 4] = [
        (
            "prefixes",
            TrainSaeRequest {
                prefixes: vec![16, 8],
                ..request.clone()
            },
        ),
        (
            "held_out",
            TrainSaeRequest {
                held_out: Some(1.5),
                ..request.clone()
            },
        ),
        (
            "decay",
            TrainSaeRequest {
                warm_up: Some(0.6),
                decay: Some(0.6),
                ..request.clone()
            },
        ),
        ("k", TrainSaeRequest { k: 64, ..request }),
    ];
    for (field, request) in cases {
        let error = train(&server, request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        let details = error.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, field);
    }
    server.stop().await;
}
