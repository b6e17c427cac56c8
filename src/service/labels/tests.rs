use latentdb_index::{Activation, Document};

use super::*;
use crate::error::ErrorKind;
use crate::label::ChatLimits;
use crate::service::{CreateCollection, MadeWith};

#[test]
fn a_call_stays_within_what_the_server_allows() {
    let allowed = ChatLimits {
        concurrency: 2,
        requests_per_minute: Some(10),
        tokens: None,
    };
    let models = LanguageModels::new(Some(ChatConfig {
        url: "http://127.0.0.1:1/v1".to_owned(),
        model: "m".to_owned(),
        key: None,
        timeout: Duration::from_secs(1),
        attempts: 1,
        backoff: Duration::from_secs(1),
        limits: allowed,
    }));
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

async fn with_texts(data: &Path) -> Arc<Service> {
    let service = Service::open(data).unwrap();
    let request = CreateCollection {
        name: "c".to_owned(),
        n_latents: Some(3),
        ..CreateCollection::default()
    };
    service.create_collection(request).await.unwrap();
    let documents = (0..60_u32).map(|at| {
        let mut document = Document::new(format!("d{at}"));
        let topic = ["battery", "violin", "soup"][at as usize % 3];
        document.text = Some(format!("the {topic} was good on day {at}"));
        document.latents = vec![Activation {
            latent: at % 3,
            activation: 1.0,
        }];
        document
    });
    let written = service.upsert("c", documents.collect(), MadeWith::default());
    written.await.unwrap();
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waiting_ends_it_before_the_first_label() {
    let data = tempfile::tempdir().unwrap();
    let service = with_texts(data.path()).await;
    for before in 0..3 {
        let request = LabelRequest {
            collection: "c".to_owned(),
            ..LabelRequest::default()
        };
        let mut calls = 0;
        let progress = move |told: LabelProgress| {
            assert_eq!((told.done, told.total), (0, 3));
            calls += 1;
            match calls > before {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let error = service.label_latents(request, progress).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
    let record = service.view("c").unwrap().record;
    assert!(service.labels_of(&record).unwrap().is_empty());
    let request = LabelRequest {
        collection: "c".to_owned(),
        ..LabelRequest::default()
    };
    let progress = |_| ControlFlow::Continue(());
    service.label_latents(request, progress).await.unwrap();
    assert_eq!(service.labels_of(&record).unwrap().len(), 3);
}
