//! Data directories that earlier versions wrote, opened for ever.
//!
//! `cargo test -p latentdb-index --test faults -- --ignored write_golden` writes that of the present
//! format.

use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use latentdb_index::{Database, verify};

use crate::small::{NAME, answers, document, upsert, write};

/// The present format: the version in the catalog.
const PRESENT: &str = "format-3";

fn golden(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/faults/golden");
    folder.join(format!("{name}.tar.gz"))
}

/// What is answered, without ids of collections and times.
fn lasting(directory: &Path) -> Vec<String> {
    let database = Database::open(directory).unwrap();
    let answers = answers(&database.collection(NAME).unwrap());
    let lines = answers.lines().filter(|line| !line.contains("created"));
    lines.map(str::to_owned).collect()
}

#[test]
#[ignore = "writes the golden directory of the present format"]
fn write_golden() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    let archive = File::create(golden(PRESENT)).unwrap();
    let mut archive = tar::Builder::new(GzEncoder::new(archive, Compression::best()));
    archive.append_dir_all(".", directory.path()).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
}

#[test]
fn the_directory_of_the_present_format_opens() {
    let directory = tempfile::tempdir().unwrap();
    let archive = File::open(golden(PRESENT)).unwrap();
    tar::Archive::new(GzDecoder::new(archive))
        .unpack(directory.path())
        .unwrap();
    let found = verify(directory.path(), true).unwrap();
    assert!(found.damage.is_empty(), "{found:?}");
    let anew = tempfile::tempdir().unwrap();
    write(anew.path());
    assert_eq!(lasting(directory.path()), lasting(anew.path()));
    let database = Database::open(directory.path()).unwrap();
    let collection = database.collection(NAME).unwrap();
    collection.apply(vec![upsert(document("new", 1))]).unwrap();
    collection.merge().unwrap();
}
