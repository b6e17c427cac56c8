use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use latentdb_index::{Activation, Codes, Document};

use super::language_models::{LanguageModels, lower};
use super::{ChatUse, LabelProgress, LabelRequest};
use crate::error::ErrorKind;
use crate::label::{Annotator as _, ChatConfig, ChatLimits};
use crate::progress::Progress;
use crate::service::{Address, Batch, CreateCollection, Service, ServiceOptions};

#[test]
fn a_call_stays_within_what_the_server_allows() {
    let allowed = ChatLimits {
        concurrency: 2,
        requests_per_minute: Some(10),
        tokens: None,
    };
    let models = LanguageModels::new(
        Arc::default(),
        Some(ChatConfig {
            url: "http://127.0.0.1:1/v1".to_owned(),
            model: "m".to_owned(),
            key: None,
            timeout: Duration::from_secs(1),
            attempts: 1,
            backoff: Duration::from_secs(1),
            limits: allowed,
        }),
    );
    for (asked, expected) in [(None, 2), (Some(1), 1), (Some(64), 2)] {
        let usage = ChatUse {
            concurrency: asked,
            ..ChatUse::default()
        };
        assert_eq!(models.chat(&usage).unwrap().concurrency(), expected);
    }
    assert_eq!(lower(allowed.requests_per_minute, Some(20)), Some(10));
    assert_eq!(lower(allowed.tokens, Some(5)), Some(5));
}

async fn with_texts(data: &Path) -> Service {
    let service = Service::open(data, ServiceOptions::default()).unwrap();
    let request = CreateCollection {
        name: "c".to_owned(),
        n_latents: Some(3),
        ..CreateCollection::default()
    };
    let collections = &service.collections;
    collections.create_collection(request).await.unwrap();
    let documents = (0..240_u32).map(|at| {
        let mut document = Document::new(format!("d{at}"));
        let topic = ["battery", "violin", "soup"][at as usize % 3];
        document.text = Some(format!("the {topic} was good on day {at}"));
        // A quarter has a topic: a latent of a fifth of all documents gets no keyphrases.
        if at < 60 {
            document.codes = vec![Codes {
                latents: vec![Activation {
                    latent: at % 3,
                    activation: 1.0,
                }],
                positions: Vec::new(),
            }];
        } else {
            document.text = Some(format!("nothing of note happened on day {at}"));
        }
        document
    });
    let batch = Batch {
        documents: documents.collect(),
        ..Batch::default()
    };
    service.documents.ingest("c", batch).await.unwrap();
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waiting_ends_it_before_the_first_label() {
    let data = tempfile::tempdir().unwrap();
    let service = with_texts(data.path()).await;
    for before in 0..3 {
        let request = LabelRequest {
            address: Address::from("c"),
            ..LabelRequest::default()
        };
        let mut calls = 0;
        let progress = Arc::new(Progress::default());
        let stopped = progress.clone();
        let watch = move |told: LabelProgress| {
            assert_eq!((told.done, told.total), (0, 3));
            calls += 1;
            if calls > before {
                stopped.stop();
            }
        };
        let labelled = service.labels.label_latents(request, progress, watch);
        let error = labelled.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
    let view = service.core.view(&Address::from("c")).unwrap();
    assert!(service.labels.of(&view).unwrap().is_empty());
    let request = LabelRequest {
        address: Address::from("c"),
        ..LabelRequest::default()
    };
    let labelled = service
        .labels
        .label_latents(request, Arc::default(), |_| {});
    labelled.await.unwrap();
    assert_eq!(service.labels.of(&view).unwrap().len(), 3);
}
