//! Random work on a disk of which some steps fail, against a model: what is acknowledged is there
//! afterwards, what is refused is there whole or not at all, and work goes on once the disk does.
//!
//! `LATENTDB_FAULT_SCHEDULES` sets how many schedules are run, `LATENTDB_SEED` the first seed;
//! `LATENTDB_SHOW` prints each step and its outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use latentdb_index::filter::parse;
use latentdb_index::{
    CollectionHandle, Database, Document, MatchingUpdate, Operation, Progress, Requirement, Result,
    SetContent, StreamPosition, Update, Value, verify,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::disk::{Disk, Failure, Plan};
use crate::small::{NAME, document, new_collection, upsert};

const SCHEDULES: u64 = 200;
const WORK: usize = 8;

/// What a data directory holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    /// The attribute `number` by id.
    documents: BTreeMap<String, i64>,
    sets: BTreeSet<String>,
    collections: BTreeSet<String>,
}

impl Content {
    /// The same but for collections that may have been created or not.
    fn without(mut self, unknown: &BTreeSet<String>) -> Self {
        self.collections.retain(|name| !unknown.contains(name));
        self
    }
}

fn content(database: &Database) -> Content {
    let collection = database.collection(NAME).unwrap();
    let snapshot = collection.view().unwrap().snapshot;
    let documents = snapshot.living().map(|doc| {
        let document = snapshot.document(doc).unwrap();
        assert_eq!(document.vector.map(|vector| vector.len()), Some(8));
        match document.attributes["number"] {
            Value::Integer(number) => (document.id, number),
            ref other => panic!("{other:?}"),
        }
    });
    Content {
        documents: documents.collect(),
        sets: collection.saved_sets().unwrap().into_keys().collect(),
        collections: database
            .collections()
            .iter()
            .map(|handle| handle.record().name.clone())
            .collect(),
    }
}

/// One piece of work on a database, and what it makes of the content.
fn work(random: &mut StdRng, database: &Database, after: &mut Content, batch: u64) -> Result<()> {
    let collection = database.collection(NAME)?;
    match random.random_range(0..12) {
        0..4 => {
            let numbers: Vec<u64> = (0..random.random_range(1..6))
                .map(|_| random.random_range(0..40))
                .collect();
            let mut operations = Vec::new();
            for number in numbers {
                let document = document(&format!("d{number}"), random.random_range(0..1000));
                let Value::Integer(value) = document.attributes["number"] else {
                    panic!("{document:?}");
                };
                after.documents.insert(document.id.clone(), value);
                operations.push(upsert(document));
            }
            let position = StreamPosition {
                stream: "s".into(),
                batch,
            };
            send(&collection, operations, position)
        }
        4 => {
            let ids: Vec<String> = (0..5)
                .map(|_| format!("d{}", random.random_range(0..40)))
                .collect();
            after.documents.retain(|id, _| !ids.contains(id));
            collection.apply(vec![Operation::Delete(ids)]).map(drop)
        }
        5 => {
            let at = random.random_range(0..40);
            let Some((id, _)) = after
                .documents
                .iter()
                .nth(at % after.documents.len().max(1))
            else {
                return Ok(());
            };
            let id = id.clone();
            after.documents.insert(id.clone(), 77);
            let update = Update {
                id,
                set: BTreeMap::from([("number".to_owned(), Value::Integer(77))]),
                ..Update::default()
            };
            collection
                .apply(vec![Operation::Update(Box::new(update))])
                .map(drop)
        }
        6 => collection.merge(),
        7 => {
            let name = format!("set{}", random.random_range(0..3));
            if after.sets.remove(&name) {
                return collection.remove_set(&name);
            }
            after.sets.insert(name.clone());
            let filter = SetContent::Filter(parse("number > 3").unwrap());
            collection
                .save_set(&name, filter, None, BTreeMap::new())
                .map(drop)
        }
        8 => {
            let name = format!("other{}", random.random_range(0..2));
            if after.collections.remove(&name) {
                return database.drop_collection(&name);
            }
            after.collections.insert(name.clone());
            database.create(new_collection(&name)).map(drop)
        }
        9 => {
            let from = random.random_range(0..50);
            let changed = after
                .documents
                .values_mut()
                .filter(|number| **number >= from);
            changed.for_each(|number| *number = 88);
            let filter = parse(&format!("number >= {from}")).unwrap();
            let update = MatchingUpdate {
                filter: collection.view()?.resolve(&filter)?,
                set: BTreeMap::from([("number".to_owned(), Value::Integer(88))]),
                remove: Vec::new(),
            };
            collection
                .apply(vec![Operation::UpdateMatching(Box::new(update))])
                .map(drop)
        }
        10 => {
            // Only if it is as it was read, which it is.
            let Some((id, _)) = after.documents.iter().next() else {
                return Ok(());
            };
            let id = id.clone();
            let snapshot = collection.view()?.snapshot;
            let doc = snapshot.find(&id)?.unwrap();
            let state = Requirement::Version(snapshot.version(doc)?);
            after.documents.remove(&id);
            let require = Operation::Require {
                id: id.clone(),
                state,
            };
            let operations = vec![require, Operation::Delete(vec![id])];
            collection.apply(operations).map(drop)
        }
        _ => {
            let recode = |_: &mut [Document], _: &Progress| Ok(());
            collection.attach(|_| Ok(recode), &Arc::default()).map(drop)
        }
    }
}

/// Sends a batch, and once more where it fails: its place says whether it was written.
fn send(
    collection: &CollectionHandle,
    operations: Vec<Operation>,
    position: StreamPosition,
) -> Result<()> {
    let generation = collection.record().generation;
    let first = collection.write(
        generation,
        operations.clone(),
        Some(position.clone()),
        || {},
    );
    if first.is_ok() {
        return Ok(());
    }
    collection
        .write(generation, operations, Some(position), || {})
        .map(drop)
}

/// Returns whether the disk failed anything.
fn schedule(seed: u64) -> bool {
    let mut random = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let database = Database::open_with_faults(directory.path(), disk.clone()).unwrap();
    database.create(new_collection(NAME)).unwrap();
    let mut model = content(&database);
    let from = random.random_range(0..400);
    let length = [1, 1, 3, 20, u64::MAX / 2][random.random_range(0..5)];
    let failures = [
        Failure::Full,
        Failure::Medium,
        Failure::Short,
        Failure::Files,
    ];
    let plan = Plan {
        steps: from..from + length,
        only: None,
        failure: failures[random.random_range(0..failures.len())],
    };
    let shown = format!("LATENTDB_SEED={seed} {plan:?}");
    disk.plan(plan);
    let mut possible = vec![model.clone()];
    let mut has_failed = false;
    // Collections whose creation or drop has an outcome that is not known: the catalog could not be
    // read afterwards.
    let mut unknown = BTreeSet::new();
    for batch in 1..=WORK {
        let mut after = model.clone();
        let done = work(&mut random, &database, &mut after, batch as u64);
        if std::env::var_os("LATENTDB_SHOW").is_some() {
            println!("{batch}: {done:?}, {after:?}");
        }
        match done {
            Ok(()) => {
                let changed = model.collections.symmetric_difference(&after.collections);
                for name in changed {
                    unknown.remove(name);
                }
                model = after;
            }
            // The disk is gone: what the last step left is for the next start to say.
            Err(_) if length > 1000 => {
                has_failed = true;
                possible = vec![model.clone(), after];
                break;
            }
            Err(error) => {
                has_failed = true;
                if error.message().contains("is not known until") {
                    let changed = after.collections.symmetric_difference(&model.collections);
                    unknown.extend(changed.cloned());
                }
                let live = content(&database);
                let known = live.clone().without(&unknown);
                assert!(
                    known == model.without(&unknown) || known == after.without(&unknown),
                    "{shown}, {error}: {live:?}"
                );
                model = live;
            }
        }
        let live = content(&database);
        assert_eq!(
            live.clone().without(&unknown),
            model.clone().without(&unknown),
            "{shown}"
        );
        model = live;
        possible = vec![model.clone()];
    }
    if random.random() {
        disk.die();
    } else {
        disk.heal();
    }
    drop(database);
    let found = verify(directory.path(), true).unwrap().damage;
    assert!(found.is_empty(), "{shown}: {found:?}");
    disk.heal();
    let database = Database::open_with_faults(directory.path(), disk).unwrap();
    let live = content(&database).without(&unknown);
    let mut expected = possible.iter().cloned().map(|one| one.without(&unknown));
    assert!(
        expected.any(|one| one == live),
        "{shown}: {live:?}, expected one of {possible:?}"
    );
    goes_on(&database, directory.path(), &shown);
    has_failed
}

/// Work until the power is cut, and again on what that left.
fn power_cuts(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let shown = format!("LATENTDB_SEED={seed}");
    let mut directory = tempfile::tempdir().unwrap();
    let mut live = {
        let database = Database::open(directory.path()).unwrap();
        database.create(new_collection(NAME)).unwrap();
        content(&database)
    };
    for round in 0..2 {
        let disk = Disk::new();
        disk.cut_power_before(random.random_range(1..300), directory.path());
        let mut possible = vec![live.clone()];
        // A start that the cut meets changes nothing.
        if let Ok(database) = Database::open_with_faults(directory.path(), disk.clone()) {
            let mut model = content(&database);
            for batch in 1..=WORK as u64 {
                let mut after = model.clone();
                let batch = round * 100 + batch;
                match work(&mut random, &database, &mut after, batch) {
                    Ok(()) => model = after,
                    Err(error) => {
                        assert!(disk.is_dead(), "{shown}: {error}");
                        possible.push(after);
                        break;
                    }
                }
                possible = vec![model.clone()];
            }
        }
        let left = tempfile::tempdir().unwrap();
        disk.cut_power(directory.path(), left.path(), &mut random);
        directory = left;
        live = content(&Database::open(directory.path()).unwrap());
        assert!(
            possible.contains(&live),
            "{shown}: {live:?}, expected one of {possible:?}"
        );
        let found = verify(directory.path(), true).unwrap().damage;
        assert!(found.is_empty(), "{shown}: {found:?}");
    }
    let database = Database::open(directory.path()).unwrap();
    goes_on(&database, directory.path(), &shown);
}

/// A healed disk takes writes and merges.
fn goes_on(database: &Database, directory: &Path, shown: &str) {
    let collection = database.collection(NAME).unwrap();
    let written = collection.apply(vec![upsert(document("last", 1))]);
    let done = written.and_then(|_| collection.merge());
    let record = collection.record();
    assert!(
        done.is_ok(),
        "{shown}: {done:?}; generation {} of {}, in {:?}",
        record.generation,
        record.id,
        folders(directory)
    );
}

/// The folders below a folder.
fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let own = paths.filter(|path| path.is_dir());
    own.flat_map(|path| [vec![path.clone()], folders(&path)].concat())
        .collect()
}

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |value| value.parse().unwrap())
}

#[test]
fn what_is_acknowledged_survives_power_cuts() {
    let first = number("LATENTDB_SEED", 0);
    let count = number("LATENTDB_FAULT_SCHEDULES", SCHEDULES / 2);
    (first..first + count).for_each(power_cuts);
    println!("{count} schedules of two power cuts each");
}

#[test]
fn what_is_acknowledged_survives_a_failing_disk() {
    let first = number("LATENTDB_SEED", 0);
    let count = number("LATENTDB_FAULT_SCHEDULES", SCHEDULES);
    let failed = (first..first + count)
        .filter(|&seed| schedule(seed))
        .count();
    println!("{count} schedules, in {failed} of them something was refused");
}
