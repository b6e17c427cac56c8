//! Single-bit flips over all files of a data directory: each is seen, or changes no answer.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use latentdb_index::{Database, ErrorKind, verify};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::small::{NAME, answers, copy, document, files, upsert, write};

const FLIPS: u64 = 500;

/// What is known of a flip.
#[derive(Debug, PartialEq)]
enum Outcome {
    Seen,
    Harmless,
}

#[test]
fn a_flipped_bit_is_seen_or_changes_no_answer() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path());
    let expected = answers(
        &Database::open(whole.path())
            .unwrap()
            .collection(NAME)
            .unwrap(),
    );
    assert!(verify(whole.path(), true).unwrap().damage.is_empty());
    let all = files(whole.path());
    let mut seen = 0;
    let mut harmless = BTreeMap::<String, u64>::new();
    for seed in 0..FLIPS {
        let mut random = StdRng::seed_from_u64(seed);
        let copied = tempfile::tempdir().unwrap();
        copy(whole.path(), copied.path());
        // Half of the flips by file, so that small ones are hit; half by byte.
        let lengths = all.iter().map(|path| fs::metadata(path).unwrap().len());
        let lengths: Vec<u64> = lengths.collect();
        let (file, at) = if random.random() {
            let filled: Vec<usize> = (0..all.len()).filter(|&at| lengths[at] > 0).collect();
            let file = filled[random.random_range(0..filled.len())];
            (file, random.random_range(0..lengths[file]))
        } else {
            let mut at = random.random_range(0..lengths.iter().sum());
            let mut file = 0;
            while at >= lengths[file] {
                at -= lengths[file];
                file += 1;
            }
            (file, at)
        };
        let name = all[file].strip_prefix(whole.path()).unwrap();
        let bit = random.random_range(0..8);
        let mut bytes = fs::read(copied.path().join(name)).unwrap();
        bytes[usize::try_from(at).unwrap()] ^= 1 << bit;
        fs::write(copied.path().join(name), bytes).unwrap();
        let shown = format!("seed {seed}: bit {bit} of byte {at} of {}", name.display());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            look(copied.path(), &expected, random.random())
        }));
        let outcome = outcome.unwrap_or_else(|_| panic!("{shown}: a panic or a wrong answer"));
        if outcome == Outcome::Seen {
            seen += 1;
        } else {
            let kind = name.extension().unwrap_or(name.as_os_str());
            *harmless
                .entry(kind.to_string_lossy().into_owned())
                .or_default() += 1;
        }
    }
    println!("{FLIPS} flips: {seen} seen; changed no answer, by file: {harmless:?}");
}

/// `writes` sends a write before anything is checked.
fn look(directory: &Path, expected: &str, writes: bool) -> Outcome {
    let found = verify(directory, false).unwrap().damage;
    let Ok(database) = Database::open(directory) else {
        assert!(!found.is_empty(), "a start sees what verify does not");
        return Outcome::Seen;
    };
    let Ok(collection) = database.collection(NAME) else {
        panic!("the collection is gone: {found:?}");
    };
    let is_open = collection.view().is_ok();
    if writes && !found.is_empty() {
        let _ = collection.apply(vec![upsert(document("0-7", 1))]);
    }
    if is_open && collection.check().is_ok() {
        // Neither the start nor a scrub sees anything (or the start has mended it).
        if !writes || found.is_empty() {
            assert_eq!(answers(&collection), expected, "{found:?}");
        }
        collection.apply(vec![upsert(document("new", 1))]).unwrap();
        return if found.is_empty() {
            Outcome::Harmless
        } else {
            Outcome::Seen
        };
    }
    assert!(!found.is_empty(), "{:?}", collection.damage());
    assert!(collection.damage().is_some());
    let error = collection
        .apply(vec![upsert(document("new", 1))])
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    Outcome::Seen
}
