//! Writes that depend on what is there, between concurrent writers and within a batch.

use std::sync::Mutex;

use latentdb_index::{
    Collection, ErrorKind, Filter, MatchingUpdate, Operation, Requirement, Update, Value, Version,
};

use crate::directed::{numbered, upsert};

/// Writers that read, compute and write on condition lose no update, although their writes meet in
/// one commit; of those that insert one document, one does.
#[test]
fn conditions_hold_between_writes_of_one_commit() {
    const WRITERS: i64 = 8;
    const INCREMENTS: i64 = 12;
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    collection.write(vec![upsert(numbered(0))], None).unwrap();
    let (lost, inserted) = (Mutex::new(0), Mutex::new(0));
    let increment = || {
        let snapshot = collection.snapshot();
        let doc = snapshot.find("n0").unwrap().unwrap();
        let Value::Integer(number) = snapshot.stored(doc).unwrap().attributes["number"] else {
            panic!("a number");
        };
        let id = || "n0".to_owned();
        let update = Update {
            id: id(),
            set: [("number".to_owned(), Value::Integer(number + 1))].into(),
            ..Update::default()
        };
        let require = Operation::Require {
            id: id(),
            state: Requirement::Version(snapshot.version(doc).unwrap()),
        };
        collection.write(vec![require, Operation::Update(Box::new(update))], None)
    };
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let mut done = 0;
                while done < INCREMENTS {
                    match increment() {
                        Ok(_) => done += 1,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Aborted, "{error}");
                            *lost.lock().unwrap() += 1;
                        }
                    }
                }
                for number in 1..20 {
                    let absent = Operation::Require {
                        id: format!("n{number}"),
                        state: Requirement::Absent,
                    };
                    match collection.write(vec![absent, upsert(numbered(number))], None) {
                        Ok(_) => *inserted.lock().unwrap() += 1,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
                    }
                }
            });
        }
    });
    let snapshot = collection.snapshot();
    let doc = snapshot.find("n0").unwrap().unwrap();
    let number = &snapshot.stored(doc).unwrap().attributes["number"];
    assert_eq!(number, &Value::Integer(WRITERS * INCREMENTS));
    assert!(*lost.lock().unwrap() > 0, "no two writers met");
    assert_eq!(*inserted.lock().unwrap(), 19);
}

/// A condition is checked against what the operations before leave, of its own batch too.
#[test]
fn conditions_meet_the_state_that_their_batch_has_made() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let require = |state| Operation::Require {
        id: "n1".into(),
        state,
    };
    let version = Version::of(&numbered(1));
    let written = collection.write(
        vec![
            require(Requirement::Absent),
            Operation::Insert(Box::new(numbered(1))),
            require(Requirement::Version(version)),
            Operation::Insert(Box::new(numbered(1))),
            Operation::Delete(vec!["n1".into()]),
            require(Requirement::Absent),
            upsert(numbered(1)),
        ],
        None,
    );
    let written = written.unwrap();
    assert_eq!((written.upserted, written.deleted), (2, 1));
    assert_eq!(written.existing, ["n1"]);
    for (operations, kind) in [
        (
            vec![upsert(numbered(2)), require(Requirement::Absent)],
            ErrorKind::AlreadyExists,
        ),
        (
            vec![
                Operation::Delete(vec!["n1".into()]),
                require(Requirement::Version(version)),
            ],
            ErrorKind::Aborted,
        ),
    ] {
        let error = collection.write(operations, None).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.message().contains("\"n1\""), "{error}");
    }
    let snapshot = collection.snapshot();
    assert_eq!(snapshot.n_docs(), 1);
    let doc = snapshot.find("n1").unwrap().unwrap();
    assert_eq!(snapshot.version(doc).unwrap(), version);
}

/// What cannot be done to one document is done to none.
#[test]
fn an_update_by_filter_that_would_make_too_many_attributes_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let mut operations: Vec<Operation> = (0..50).map(numbered).map(upsert).collect();
    let mut full = numbered(50);
    for at in 0..255 {
        full.attributes.insert(format!("a{at}"), Value::Integer(at));
    }
    operations.push(upsert(full));
    collection.write(operations, None).unwrap();
    let set = |remove: &[&str]| {
        Operation::UpdateMatching(Box::new(MatchingUpdate {
            filter: Filter::All,
            set: [("one_more".to_owned(), Value::Boolean(true))].into(),
            remove: remove.iter().map(|&name| name.to_owned()).collect(),
        }))
    };
    let error = collection.write(vec![set(&[])], None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("257 entries"), "{error}");
    let with = Filter::equals("one_more", Value::Boolean(true));
    assert_eq!(collection.snapshot().count(&with).unwrap(), 0);
    let written = collection.write(vec![set(&["a3"])], None).unwrap();
    assert_eq!(written.upserted, 51);
    assert_eq!(collection.snapshot().count(&with).unwrap(), 51);
}
