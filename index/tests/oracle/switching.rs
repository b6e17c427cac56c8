//! Changes of a collection's SAEs, drops and starts: what goes on meanwhile, and what they leave.

use std::cell::Cell;
use std::fs;
use std::sync::Arc;

use latentdb_index::{
    Activation, AttachedSae, CollectionHandle, Database, Document, ErrorKind, Filter,
    NewCollection, Operation, Progress, Result,
};

const N_LATENTS: usize = 8;

fn opened(directory: &tempfile::TempDir) -> (Database, CollectionHandle) {
    let database = Database::open(directory.path()).unwrap();
    let new = NewCollection {
        name: "c".to_owned(),
        saes: vec![AttachedSae {
            name: String::new(),
            n_latents: N_LATENTS,
            sae: None,
            reader: None,
        }],
        ..NewCollection::default()
    };
    let handle = database.create(new).unwrap();
    (database, handle)
}

fn write(handle: &CollectionHandle, id: &str) {
    let operation = Operation::Upsert(Box::new(Document::new(id)));
    let generation = handle.record().generation;
    handle
        .write(generation, vec![operation], None, || {})
        .unwrap();
}

/// Gives every document latent 3.
fn code(documents: &mut [Document]) {
    for document in documents {
        document.codes_mut(0).latents = vec![Activation {
            latent: 3,
            activation: 1.0,
        }];
    }
}

fn ids(handle: &CollectionHandle) -> Vec<String> {
    let snapshot = handle.view().unwrap().snapshot;
    let docs = snapshot.documents_matching(&Filter::latent(3)).unwrap();
    let mut ids: Vec<String> = docs.iter().map(|&doc| snapshot.id(doc).unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// Documents written while latents are made reach the new generation, and reads are answered all the
/// while, also when writes have to wait.
#[test]
fn reads_go_on_while_the_last_changes_are_brought_over() {
    let directory = tempfile::tempdir().unwrap();
    let (database, handle) = opened(&directory);
    write(&handle, "first");
    let rounds = Cell::new(0);
    let recode = |documents: &mut [Document], _: &Progress| -> Result<()> {
        let read = database.collection("c")?.view()?;
        assert_eq!(read.record.generation, 1);
        assert!(read.snapshot.n_docs() >= 1);
        code(documents);
        rounds.set(rounds.get() + 1);
        match rounds.get() {
            1 => write(&handle, "during"),
            2 => write(&handle, "at the end"),
            // A write would wait for the switch now.
            _ => {}
        }
        Ok(())
    };
    let record = handle.attach(|_| Ok(&recode), &Arc::default()).unwrap();
    assert_eq!((record.generation, rounds.get()), (2, 3));
    assert_eq!(ids(&handle), ["at the end", "during", "first"]);
    write(&handle, "after");
    assert_eq!(handle.view().unwrap().snapshot.n_docs(), 4);
}

#[test]
fn a_change_that_is_given_up_leaves_everything_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (_database, handle) = opened(&directory);
    write(&handle, "first");
    let progress = Arc::<Progress>::default();
    let error = handle
        .attach(
            |_| {
                Ok(|documents: &mut [Document], progress: &Progress| {
                    code(documents);
                    // As a coder that asks between texts.
                    progress.stop();
                    progress.check()
                })
            },
            &progress,
        )
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(handle.record().generation, 1);
    assert_eq!(ids(&handle), [""; 0]);
    let collection = directory
        .path()
        .join("collections")
        .join(&handle.record().id);
    let generations: Vec<_> = fs::read_dir(&collection).unwrap().collect();
    assert_eq!(generations.len(), 1);
}

#[test]
fn a_drop_ends_the_change_under_way_and_takes_all_files() {
    let directory = tempfile::tempdir().unwrap();
    let (database, handle) = opened(&directory);
    write(&handle, "first");
    let error = std::thread::scope(|scope| {
        let dropping = Cell::new(None);
        let recode = |documents: &mut [Document], _: &Progress| {
            code(documents);
            dropping.set(Some(scope.spawn(|| database.drop_collection("c"))));
            while database.collection("c").is_ok() {
                std::thread::yield_now();
            }
            Ok(())
        };
        let error = handle.attach(|_| Ok(&recode), &Arc::default()).unwrap_err();
        dropping.take().unwrap().join().unwrap().unwrap();
        error
    });
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let left: Vec<_> = fs::read_dir(directory.path().join("collections"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let again = database.drop_collection("c").unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
}

/// A catalog and directories of two times are told, and nothing is removed.
#[test]
fn nothing_is_removed_where_catalog_and_files_disagree() {
    let directory = tempfile::tempdir().unwrap();
    let (database, handle) = opened(&directory);
    write(&handle, "first");
    let id = handle.record().id.clone();
    drop((handle, database));
    let collection = directory.path().join("collections").join(id);
    fs::rename(collection.join("1"), collection.join("2")).unwrap();
    let database = Database::open(directory.path()).unwrap();
    let error = database.collection("c").unwrap().view().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(error.message().contains("\"c\""), "{error}");
    drop(database);
    assert!(collection.join("2").join("index").is_dir());
    fs::rename(collection.join("2"), collection.join("1")).unwrap();

    let catalog = directory.path().join("catalog.redb");
    fs::rename(&catalog, directory.path().join("aside")).unwrap();
    let error = Database::open(directory.path()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    fs::rename(directory.path().join("aside"), &catalog).unwrap();
    let database = Database::open(directory.path()).unwrap();
    let view = database.collection("c").unwrap().view().unwrap();
    assert_eq!(view.snapshot.n_docs(), 1);
}

/// A catalog that is put back from a copy does not know what was created since: a start keeps the
/// files.
#[test]
fn what_an_older_catalog_does_not_name_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = directory.path().join("catalog.redb");
    drop(Database::open(directory.path()).unwrap());
    fs::copy(&catalog, directory.path().join("copy")).unwrap();
    let (database, handle) = opened(&directory);
    write(&handle, "first");
    let id = handle.record().id.clone();
    drop((handle, database));
    fs::copy(directory.path().join("copy"), &catalog).unwrap();
    let database = Database::open(directory.path()).unwrap();
    assert!(database.collections().is_empty());
    let orphaned: Vec<_> = fs::read_dir(directory.path().join("orphaned"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [kept] = orphaned.as_slice() else {
        panic!("{orphaned:?}");
    };
    assert!(kept.to_string_lossy().contains(&id));
    assert!(kept.join("1").join("index").join("meta.json").is_file());
}

/// An empty catalog file is none: nothing is taken for unknown.
#[test]
fn an_empty_catalog_is_refused_where_collections_are() {
    let directory = tempfile::tempdir().unwrap();
    let (database, handle) = opened(&directory);
    write(&handle, "first");
    drop((handle, database));
    fs::write(directory.path().join("catalog.redb"), "").unwrap();
    let error = Database::open(directory.path()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(!directory.path().join("orphaned").exists());
}
