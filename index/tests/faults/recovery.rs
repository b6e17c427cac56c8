//! What is said and done after a fault: of damage, a lost catalog, a full disk, a writer that fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latentdb_index::{
    Database, Document, ErrorKind, Operation, Progress, Step, StreamPosition, Update, repair,
    verify,
};

use crate::disk::{Disk, Failure, Plan};
use crate::small::{NAME, answers, document, files, new_collection, upsert, write};

/// A file of the small collection, by its ending.
fn file(directory: &Path, ending: &str) -> PathBuf {
    let mut all = files(&directory.join("collections")).into_iter();
    all.find(|path| path.to_string_lossy().ends_with(ending))
        .unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

/// The background thread finds damage after a start; nothing is changed from then on, and what is
/// whole is still read.
#[test]
fn damage_makes_a_collection_read_only() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    let damaged = file(directory.path(), ".dense");
    let length = fs::metadata(&damaged).unwrap().len() as usize;
    flip(&damaged, length / 2);
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let found = verify(directory.path(), false).unwrap().damage;
    assert!(
        matches!(found.as_slice(), [one] if one.path == damaged && one.collection == NAME),
        "{found:?}"
    );

    let database = Database::open(directory.path()).unwrap();
    database.create(new_collection("other")).unwrap();
    let collection = database.collection(NAME).unwrap();
    let began = Instant::now();
    while collection.damage().is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "nothing was found"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        collection.damage().unwrap().contains(name),
        "{:?}",
        collection.damage()
    );
    let recode = |_: &mut [Document], _: &Progress| Ok(());
    for error in [
        collection
            .apply(vec![upsert(document("new", 1))])
            .unwrap_err(),
        collection.merge().unwrap_err(),
        collection
            .attach(|_| Ok(recode), &Arc::default())
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        assert!(error.to_string().contains(name), "{error}");
    }
    assert_eq!(collection.view().unwrap().snapshot.n_docs(), 260);
    let other = database.collection("other").unwrap();
    other.apply(vec![upsert(document("new", 1))]).unwrap();
    database.drop_collection(NAME).unwrap();
}

/// What copies a segment reads its checksums first, so that damage never gets a new one, however
/// soon after the start.
#[test]
fn damage_is_never_merged_or_copied() {
    let endings = [
        ".latents",
        ".dense",
        ".store",
        ".fast",
        ".idx",
        ".term",
        ".pos",
        ".fieldnorm",
        ".del",
    ];
    for ending in endings {
        for copying in 0..3 {
            let directory = tempfile::tempdir().unwrap();
            write(directory.path());
            let damaged = file(directory.path(), ending);
            let body = fs::read(&damaged).unwrap().len() - 120;
            flip(&damaged, body / 2);
            let database = Database::open(directory.path()).unwrap();
            let collection = database.collection(NAME).unwrap();
            if collection.view().is_err() {
                continue;
            }
            let before = files(directory.path());
            let error = match copying {
                0 => collection.merge().unwrap_err(),
                1 => {
                    let recode = |_: &mut [Document], _: &Progress| Ok(());
                    collection
                        .attach(|_| Ok(recode), &Arc::default())
                        .unwrap_err()
                }
                _ => {
                    let both = ["0-1", "1-1"].map(|id| {
                        let update = Update {
                            id: id.to_owned(),
                            ..Update::default()
                        };
                        Operation::Update(Box::new(update))
                    });
                    collection.apply(both.to_vec()).unwrap_err()
                }
            };
            assert_eq!(error.kind(), ErrorKind::Corrupted, "{ending}: {error}");
            assert!(error.to_string().contains(ending), "{error}");
            assert!(collection.damage().is_some());
            drop((collection, database));
            let found = verify(directory.path(), false).unwrap().damage;
            assert!(
                found.iter().any(|one| one.path == damaged),
                "{ending}: {found:?}"
            );
            assert!(before.iter().all(|path| path.exists()));
        }
    }
}

/// A collection that cannot be opened, and what does not belong, keep no other from serving.
#[test]
fn one_damaged_collection_does_not_stop_the_others() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    let database = Database::open(directory.path()).unwrap();
    let other = database.create(new_collection("other")).unwrap();
    other.apply(vec![upsert(document("a", 1))]).unwrap();
    let id = database.collection(NAME).unwrap().record().id.clone();
    drop((other, database));
    let root = directory.path().join("collections");
    let manifest = root.join(&id).join("1").join("index").join("meta.json");
    flip(&manifest, 200);
    fs::write(root.join("a file"), "of somebody").unwrap();
    fs::write(directory.path().join("another"), "one").unwrap();

    let database = Database::open(directory.path()).unwrap();
    let names: Vec<String> = database
        .collections()
        .iter()
        .map(|handle| handle.record().name.clone())
        .collect();
    assert_eq!(names, ["other", NAME]);
    let collection = database.collection(NAME).unwrap();
    assert!(
        collection.damage().unwrap().contains("meta.json"),
        "{:?}",
        collection.damage()
    );
    let error = collection.view().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(collection.apply(vec![upsert(document("b", 1))]).is_err());
    let other = database.collection("other").unwrap();
    other.apply(vec![upsert(document("b", 1))]).unwrap();
    drop((collection, other, database));
    // Nothing of it was moved away; mended, it is back.
    flip(&manifest, 200);
    let database = Database::open(directory.path()).unwrap();
    assert_eq!(
        database
            .collection(NAME)
            .unwrap()
            .view()
            .unwrap()
            .snapshot
            .n_docs(),
        260
    );
}

/// A lost, an empty and a damaged catalog are rebuilt from the collections.
#[test]
fn a_lost_catalog_is_rebuilt() {
    for loss in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path());
        let database = Database::open(directory.path()).unwrap();
        let collection = database.collection(NAME).unwrap();
        let recode = |documents: &mut [Document], _: &Progress| {
            for document in documents {
                document.codes_mut(0).latents.truncate(1);
            }
            Ok(())
        };
        collection.attach(|_| Ok(recode), &Arc::default()).unwrap();
        let dropped = database.create(new_collection("dropped")).unwrap();
        drop(dropped);
        database.drop_collection("dropped").unwrap();
        let record = collection.record();
        let before = answers(&collection);
        drop((collection, database));
        let error = repair(directory.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);

        let catalog = directory.path().join("catalog.redb");
        match loss {
            0 => fs::remove_file(&catalog).unwrap(),
            1 => fs::write(&catalog, "").unwrap(),
            _ => {
                let mut bytes = fs::read(&catalog).unwrap();
                bytes[4096..].fill(7);
                fs::write(&catalog, bytes).unwrap();
            }
        }
        let error = Database::open(directory.path()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        assert!(error.to_string().contains("latentdb repair"), "{error}");
        assert!(!verify(directory.path(), false).unwrap().damage.is_empty());
        let repaired = repair(directory.path()).unwrap();
        assert_eq!(repaired.collections, [NAME]);
        assert_eq!(repaired.former.is_some(), loss == 2, "{repaired:?}");
        assert!(verify(directory.path(), true).unwrap().damage.is_empty());
        let database = Database::open(directory.path()).unwrap();
        let collection = database.collection(NAME).unwrap();
        assert_eq!(collection.record(), record);
        // With the saved set and the label, which were there at the last start.
        assert!(repaired.has_backup);
        assert_eq!(answers(&collection), before);
    }
}

fn failing() -> (tempfile::TempDir, Arc<Disk>, Database) {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let database = Database::open_with_faults(directory.path(), disk.clone()).unwrap();
    database.create(new_collection(NAME)).unwrap();
    (directory, disk, database)
}

#[test]
fn a_full_disk_is_named_with_what_did_not_fit() {
    let (directory, disk, database) = failing();
    let collection = database.collection(NAME).unwrap();
    disk.fail(Step::Write, Failure::Full);
    for error in [
        collection
            .apply(vec![upsert(document("a", 1))])
            .unwrap_err(),
        database.create(new_collection("other")).err().unwrap(),
        collection
            .save_set(
                "s",
                latentdb_index::SetContent::Frozen(vec![]),
                None,
                Default::default(),
            )
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
        let shown = error.to_string();
        let path = directory.path().display().to_string();
        assert!(shown.contains(&path) && shown.contains("bytes"), "{error}");
    }
    disk.heal();
    collection.apply(vec![upsert(document("a", 1))]).unwrap();
    database.create(new_collection("other")).unwrap();
    assert!(collection.saved_sets().unwrap().is_empty());
}

/// After the manifest took its place the write is made: nobody is told that nothing was written.
#[test]
fn a_directory_that_is_not_synced_is_not_nothing_written() {
    let (_directory, disk, database) = failing();
    let collection = database.collection(NAME).unwrap();
    collection.apply(vec![upsert(document("a", 1))]).unwrap();
    // tantivy syncs the directory before it renames the manifest, the writer behind it.
    disk.plan(Plan {
        steps: 1..u64::MAX,
        only: Some(Step::SyncDirectory),
        failure: Failure::Medium,
    });
    let position = StreamPosition {
        stream: "s".into(),
        batch: 1,
    };
    let send = || {
        let operations = vec![upsert(document("b", 1))];
        let generation = collection.record().generation;
        collection.write(generation, operations, Some(position.clone()), || {})
    };
    for _ in 0..2 {
        let error = send().unwrap_err();
        assert!(error.to_string().contains("the write was made"), "{error}");
        assert_eq!(collection.view().unwrap().snapshot.n_docs(), 2);
    }
    disk.heal();
    assert!(send().unwrap().duplicate);
}

/// A writer that panics, or finds no file handle, is started again from the last commit.
#[test]
fn a_writer_that_fails_is_started_again() {
    let (_directory, disk, database) = failing();
    let collection = database.collection(NAME).unwrap();
    collection.apply(vec![upsert(document("a", 1))]).unwrap();
    for (step, failure) in [
        (Step::SyncDirectory, Failure::Panic),
        (Step::Write, Failure::Panic),
        (Step::Create, Failure::Files),
        (Step::Rename, Failure::Medium),
    ] {
        disk.fail(step, failure);
        for _ in 0..3 {
            assert!(
                collection.apply(vec![upsert(document("b", 1))]).is_err(),
                "{step:?}"
            );
        }
        disk.heal();
        collection.apply(vec![upsert(document("c", 1))]).unwrap();
        collection
            .apply(vec![Operation::Delete(vec!["b".into(), "c".into()])])
            .unwrap();
        assert_eq!(collection.view().unwrap().snapshot.n_docs(), 1, "{step:?}");
    }
}

/// The outcome of a drop and of a switch of SAEs whose catalog write failed is read from the catalog.
#[test]
fn a_failed_catalog_write_settles_either_way() {
    for at in 0..12 {
        let (directory, disk, database) = failing();
        let collection = database.collection(NAME).unwrap();
        collection.apply(vec![upsert(document("a", 1))]).unwrap();
        disk.plan(Plan {
            steps: at..at + 1,
            only: Some(if at % 2 == 0 { Step::Sync } else { Step::Write }),
            failure: Failure::Medium,
        });
        match database.drop_collection(NAME) {
            Ok(()) => {
                assert!(database.collection(NAME).is_err());
                disk.heal();
                drop((collection, database));
                assert!(
                    Database::open(directory.path())
                        .unwrap()
                        .collections()
                        .is_empty()
                );
            }
            Err(_) => {
                collection.apply(vec![upsert(document("b", 1))]).unwrap();
                disk.heal();
                drop((collection, database));
                let database = Database::open(directory.path()).unwrap();
                let view = database.collection(NAME).unwrap().view().unwrap();
                assert_eq!(view.snapshot.n_docs(), 2);
            }
        }
    }
}

/// A catalog that cannot be read again after a failed write: nothing is deleted and nothing changed
/// until it can.
#[test]
fn an_unknown_outcome_stops_changes_and_nothing_else() {
    let (_directory, disk, database) = failing();
    let collection = database.collection(NAME).unwrap();
    collection.apply(vec![upsert(document("a", 1))]).unwrap();
    disk.fail(Step::Sync, Failure::Medium);
    assert!(database.drop_collection(NAME).is_err());
    let error = collection
        .apply(vec![upsert(document("b", 1))])
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
    assert_eq!(collection.view().unwrap().snapshot.n_docs(), 1);
    disk.heal();
    // The catalog is read again, and either state is settled on.
    match collection.apply(vec![upsert(document("b", 1))]) {
        Ok(_) => assert_eq!(collection.view().unwrap().snapshot.n_docs(), 2),
        Err(error) => assert_eq!(error.kind(), ErrorKind::FailedPrecondition),
    }
}

/// A collection of two segments that are to be merged, since half of the older one is replaced, and
/// whose merge the disk has refused.
fn before_a_merge(directory: &Path) {
    let disk = Disk::new();
    let database = Database::open_with_faults(directory, disk.clone()).unwrap();
    let collection = database.create(new_collection(NAME)).unwrap();
    for (seed, ids) in [
        (1, ["d10", "d17", "d18", "d39"]),
        (2, ["d5", "d27", "d10", "d18"]),
    ] {
        let documents = ids.map(|id| upsert(document(id, seed)));
        collection.apply(documents.into()).unwrap();
    }
    disk.die();
    drop(collection);
    drop(database);
}

/// The first operation of a writer must not count as part of the commit before it: a merge of what
/// that commit left would take it for done.
#[test]
fn the_first_write_after_a_start_outlasts_a_merge() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        before_a_merge(directory.path());
        let database = Database::open(directory.path()).unwrap();
        let collection = database.collection(NAME).unwrap();
        collection.apply(vec![upsert(document("d39", 3))]).unwrap();
        drop(collection);
        drop(database);
        let found = verify(directory.path(), true).unwrap().damage;
        assert!(found.is_empty(), "{found:?}");
        let database = Database::open(directory.path()).unwrap();
        let snapshot = database.collection(NAME).unwrap().view().unwrap().snapshot;
        assert_eq!(snapshot.n_docs(), 6);
    }
}
