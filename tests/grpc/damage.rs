//! Damage to the files of a collection is told: by the collection, by its health, and by writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use latentdb_proto::v1::{Document, GetCollectionRequest, ListCollectionsRequest, Vector};
use tonic::Code;

use crate::running::Running;

/// The first file below a directory whose name ends so.
fn file(directory: &Path, ending: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).find_map(|path| {
        if path.is_dir() {
            return file(&path, ending);
        }
        path.to_string_lossy().ends_with(ending).then_some(path)
    })
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn document(id: &str) -> Document {
    Document {
        id: id.into(),
        vector: Some(Vector {
            values: vec![1.0, 0.5],
        }),
        ..Document::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_collection_says_so_and_the_others_serve() {
    let data = tempfile::tempdir().unwrap();
    let server = Running::start(data.path()).await;
    for name in ["a", "b", "c"] {
        server.create(name, 2, 4).await.unwrap();
        server.upsert(name, vec![document("x")]).await.unwrap();
    }
    server.stop().await;
    // One with a damaged segment, one that cannot be opened.
    let ids: Vec<String> = {
        let database = latentdb_index::Database::open(data.path()).unwrap();
        let handles = database.collections();
        handles
            .iter()
            .map(|handle| handle.record().id.clone())
            .collect()
    };
    let root = data.path().join("collections");
    let dense = file(&root.join(&ids[0]), ".dense").unwrap();
    flip(&dense, 70);
    flip(&file(&root.join(&ids[1]), "meta.json").unwrap(), 100);

    let server = Running::start(data.path()).await;
    let info = |name: &str| {
        let request = GetCollectionRequest { name: name.into() };
        let mut client = server.collections();
        async move { client.get_collection(request).await.unwrap().into_inner() }
    };
    while info("a").await.damage.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let name = dense.file_name().unwrap().to_str().unwrap();
    assert!(info("a").await.damage.contains(name));
    assert_eq!(info("a").await.documents, 1);
    assert!(info("b").await.damage.contains("meta.json"));
    assert_eq!(info("b").await.n_latents, 4);
    let request = ListCollectionsRequest {};
    let listed = server
        .collections()
        .list_collections(request)
        .await
        .unwrap();
    let damaged = listed.into_inner().collections;
    let damaged: Vec<bool> = damaged.iter().map(|one| !one.damage.is_empty()).collect();
    assert_eq!(damaged, [true, true, false]);
    for name in ["a", "b"] {
        let status = server.upsert(name, vec![document("y")]).await.unwrap_err();
        assert_eq!(status.code(), Code::DataLoss, "{status}");
    }
    server.upsert("c", vec![document("y")]).await.unwrap();
    server.stop().await;
}
