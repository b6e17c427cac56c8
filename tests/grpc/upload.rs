//! SAEs brought by a client, file by file.

use std::fs;
use std::path::Path;

use latentdb::sae::format;
use latentdb_proto::v1::{AttachSaeRequest, CreateCollectionRequest, SaeInfo, UploadSaeRequest};
use tonic::{Code, Status};

use crate::running::Running;
use crate::saes::{D, sae};

fn piece(file: &str, content: &[u8]) -> UploadSaeRequest {
    UploadSaeRequest {
        file: file.to_owned(),
        content: content.to_vec(),
    }
}

/// The files of a folder, 1,000 bytes a piece.
fn pieces(folder: &Path) -> Vec<UploadSaeRequest> {
    let mut pieces = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let content = fs::read(entry.path()).unwrap();
        let name = entry.file_name().into_string().unwrap();
        for (at, part) in content.chunks(1000).enumerate() {
            pieces.push(piece(if at == 0 { &name } else { "" }, part));
        }
    }
    pieces
}

async fn upload(server: &Running, pieces: Vec<UploadSaeRequest>) -> Result<SaeInfo, Status> {
    let mut models = server.models();
    Ok(models
        .upload_sae(tokio_stream::iter(pieces))
        .await?
        .into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_sae_is_named_by_its_hash() {
    let data = tempfile::tempdir().unwrap();
    let mine = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    let folder = mine.path().join("sae");
    let made = sae(24, 2);
    format::save(&made, &folder).unwrap();
    let hash = made.hash().to_owned();

    let found = upload(&server, pieces(&folder)).await.unwrap();
    assert_eq!(
        (found.sha256.as_str(), found.n_latents),
        (hash.as_str(), 24)
    );
    // Once more is as good.
    upload(&server, pieces(&folder)).await.unwrap();
    let create = CreateCollectionRequest {
        name: "c".into(),
        sae: hash.clone(),
        ..CreateCollectionRequest::default()
    };
    let created = server
        .collections()
        .create_collection(create)
        .await
        .unwrap();
    assert_eq!(created.into_inner().dimension, D as u32);
    server.create("d", D as u32, 0).await.unwrap();
    let attach = AttachSaeRequest {
        collection: "d".into(),
        sae: hash,
        ..AttachSaeRequest::default()
    };
    let attached = server.attach_sae(attach, |_| ()).await.unwrap();
    assert_eq!(attached.saes.len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sae_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    for (pieces, said) in [
        (vec![], "no SAE"),
        (vec![piece("", b"x")], "empty in the first piece"),
        (vec![piece("../cfg.json", b"x")], "letters"),
        (
            vec![piece("cfg.json", b"{}"), piece("cfg.json", b"{}")],
            "twice",
        ),
        (
            vec![
                piece("cfg.json", b"{"),
                piece("sae_weights.safetensors", b""),
            ],
            "cfg.json",
        ),
    ] {
        let refused = upload(&server, pieces).await.unwrap_err();
        assert!(
            matches!(
                refused.code(),
                Code::InvalidArgument | Code::NotFound | Code::DataLoss
            ),
            "{refused}"
        );
        assert!(refused.message().contains(said), "{said}: {refused}");
        assert!(
            !refused.message().contains(data.path().to_str().unwrap()),
            "{refused}"
        );
    }
    assert_eq!(fs::read_dir(data.path().join("saes")).unwrap().count(), 0);
    server.stop().await;
}
