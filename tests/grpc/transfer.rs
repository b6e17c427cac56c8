//! Whole collections over the API: definition, records, documents with the codes of every SAE.

use latentdb::sae::format;
use latentdb_proto::v1::{
    Activation, Activations, AttachSaeRequest, CodesBySae, Document, ExportRecordsRequest, FitGate,
    IngestRequest, LatentPosition, RestoreCollectionRequest, RestoreRecordsRequest, SaeCodes,
    ScrollRequest, TextSpan, Vector,
};
use tonic::Code;

use crate::errors::violation;
use crate::running::Running;
use crate::saes::{D, sae};

fn activations(latents: &[u32]) -> Vec<Activation> {
    let active = |&latent| Activation {
        latent,
        activation: 0.5,
    };
    latents.iter().map(active).collect()
}

fn codes(sae: &str, latents: &[u32]) -> SaeCodes {
    SaeCodes {
        sae: sae.to_owned(),
        latents: activations(latents),
        positions: Vec::new(),
    }
}

fn document(id: &str, codes: Vec<SaeCodes>) -> Document {
    Document {
        id: id.to_owned(),
        vector: Some(Vector {
            values: vec![1.0; D],
        }),
        codes: Some(CodesBySae { saes: codes }),
        ..Document::default()
    }
}

fn saes(document: &Document) -> &[SaeCodes] {
    document.codes.as_ref().map_or(&[], |codes| &codes.saes)
}

async fn with_codes(server: &Running, collection: &str) -> Vec<Document> {
    let request = ScrollRequest {
        collection: collection.to_owned(),
        codes: true,
        ..ScrollRequest::default()
    };
    let mut found = server.scroll(request).await.unwrap();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found
}

/// A collection "c" with the default SAE and one called "fine".
async fn with_two_saes(server: &Running, home: &std::path::Path) {
    server.create("c", D as u32, 0).await.unwrap();
    for (name, n) in [("", 8), ("fine", 16)] {
        let folder = home.join(format!("sae{name}"));
        format::save(&sae(n, 2), &folder).unwrap();
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
        server.attach_sae(request, |_| ()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_written_by_the_names_of_saes() {
    let home = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    with_two_saes(&server, home.path()).await;
    let mut positioned = codes("fine", &[3, 9]);
    positioned.positions = vec![LatentPosition {
        latent: 9,
        span: Some(TextSpan {
            token: 1,
            start: 2,
            end: 5,
        }),
    }];
    let given = vec![codes("", &[1]), positioned];
    // The second gets what its SAEs make of it, in the space that is not given.
    let sent = vec![
        document("a", given.clone()),
        document("b", vec![codes("fine", &[5])]),
    ];
    server.upsert("c", sent).await.unwrap();
    let found = with_codes(&server, "c").await;
    assert_eq!(saes(&found[0]), given);
    assert_eq!(saes(&found[1]).len(), 2);
    assert_eq!(saes(&found[1])[1], codes("fine", &[5]));

    let mut twice = document("x", vec![codes("", &[1])]);
    twice.latents = Some(Activations {
        values: activations(&[2]),
    });
    let mut backwards = codes("fine", &[1]);
    backwards.positions = vec![LatentPosition {
        latent: 16,
        span: None,
    }];
    for (document, field) in [
        (twice, "documents[0].codes.saes[0]"),
        (
            document("x", vec![codes("none", &[1])]),
            "documents[0].codes.saes[0]",
        ),
        (
            document("x", vec![codes("fine", &[99])]),
            "documents[0].codes[1].latents[0].latent",
        ),
        (
            document("x", vec![backwards]),
            "documents[0].codes[1].positions[0].latent",
        ),
    ] {
        let error = server.upsert("c", vec![document]).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(violation(&error).0, field, "{error}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_written_as_they_are_given() {
    let home = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    with_two_saes(&server, home.path()).await;
    let ingest = async |request: IngestRequest| {
        let mut documents = server.documents();
        let stream = documents.ingest(tokio_stream::iter([request])).await;
        let answer = stream.unwrap().into_inner().message().await;
        answer.unwrap().unwrap()
    };
    let mut request = IngestRequest {
        collection: "c".into(),
        documents: vec![
            document("a", vec![codes("fine", &[5])]),
            document("b", Vec::new()),
        ],
        as_given: true,
        ..IngestRequest::default()
    };
    let answer = ingest(request.clone()).await;
    assert_eq!((answer.upserted, answer.error), (2, None));
    let found = with_codes(&server, "c").await;
    assert_eq!(saes(&found[0]), [codes("fine", &[5])]);
    assert_eq!(found[1].codes, None);
    request.set_aside = true;
    let error = ingest(request.clone()).await.error.unwrap();
    assert_eq!(error.field, "as_given");
    request.as_given = false;
    let error = ingest(request).await.error.unwrap();
    assert_eq!(error.field, "documents[0].codes");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_and_records_are_restored_or_refused_by_field() {
    let home = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    with_two_saes(&server, home.path()).await;
    let mut collections = server.collections();
    let request = ExportRecordsRequest {
        collection: "c".into(),
        definition_only: true,
    };
    let exported = collections.export_records(request).await.unwrap();
    let definition = exported.into_inner().message().await.unwrap().unwrap();
    let definition = definition.definition;
    let restore = |name: &str, definition: &str| RestoreCollectionRequest {
        name: name.to_owned(),
        definition: definition.to_owned(),
        ..RestoreCollectionRequest::default()
    };
    let restored = collections.restore_collection(restore("d", &definition));
    let restored = restored.await.unwrap().into_inner();
    assert_eq!(restored.saes.len(), 2);
    assert_eq!(restored.dimension, D as u32);

    let mut encoder = restore("e", &definition);
    encoder.encoder = "m".into();
    let mut stranger = restore("e", &definition);
    stranger.saes = [("none".to_owned(), "f".to_owned())].into();
    for (request, field) in [
        (restore("e", "{}"), "definition"),
        (restore("e", "no JSON"), "definition"),
        (
            restore(
                "e",
                &definition.replace("\"dimension\":8", "\"dimension\":99999999"),
            ),
            "definition.dimension",
        ),
        (
            restore(
                "e",
                &definition.replace("\"n_latents\":16", "\"n_latents\":15"),
            ),
            "definition",
        ),
        (encoder, "encoder"),
        (stranger, "saes"),
    ] {
        let error = collections.restore_collection(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert_eq!(violation(&error).0, field, "{error}");
    }
    let error = collections.restore_collection(restore("d", &definition));
    assert_eq!(error.await.unwrap_err().code(), Code::AlreadyExists);
    let other = definition.replace("\"sha256\":\"", "\"sha256\":\"0");
    let error = collections.restore_collection(restore("e", &other)).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(error.message().contains("is not at hand"), "{error}");

    let records = |records: &[&str]| RestoreRecordsRequest {
        collection: "d".into(),
        records: records.iter().map(|&record| record.to_owned()).collect(),
    };
    let set = r#"{"kind":"set","set":{"name":"s","created":1,"content":{"frozen":["a"]}}}"#;
    for (wrong, field) in [
        ("{}", "records[1]"),
        (r#"{"kind":"other"}"#, "records[1]"),
        (&*set.replace("\"s\"", "\"/\""), "records[1].set.name"),
    ] {
        let error = collections.restore_records(records(&[set, wrong])).await;
        assert_eq!(violation(&error.unwrap_err()).0, field, "{wrong}");
    }
    let written = collections.restore_records(records(&[set])).await.unwrap();
    assert_eq!(written.into_inner().written, 1);
    server.stop().await;
}
