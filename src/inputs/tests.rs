use std::fs;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

use sha2::{Digest, Sha256};

use super::package::Distribution;
use super::*;
use crate::error::ErrorKind;
use crate::hex::hex;

/// A package of `archive`, pinned to its real hash.
fn pinned(distribution: Distribution, archive: &[u8]) -> &'static Package {
    let sha256 = hex(Sha256::digest(archive));
    Box::leak(Box::new(Package {
        name: "tiny",
        version: "1.0",
        sha256: sha256.leak(),
        bytes: archive.len() as u64,
        distribution,
        content: "a test package",
    }))
}

fn wheel(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn source_distribution(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        // Written raw: the crate's own setters refuse the paths that the test is about.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn adopt(cache: &Cache, package: &'static Package, archive: &[u8]) -> Result<PathBuf> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, archive).unwrap();
    cache.adopt(package, &path, &Progress::default(), &mut |_, _| {})
}

/// What is in the cache but lock files.
fn entries(cache: &Cache) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(cache.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".lock"))
        .collect();
    names.sort();
    names
}

#[test]
fn archives_unpack_once_and_are_then_taken_from_the_cache() {
    let files: [(&str, &[u8]); 2] = [("tiny/model/a.txt", b"alpha"), ("tiny/b.txt", b"")];
    let outer: [(&str, &[u8]); 2] = [
        ("tiny-1.0/tiny/model/a.txt", b"alpha"),
        ("tiny-1.0/tiny/b.txt", b""),
    ];
    for (distribution, archive) in [
        (Distribution::Wheel, wheel(&files)),
        (Distribution::Source, source_distribution(&outer)),
    ] {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path().join("new"));
        let package = pinned(distribution, &archive);
        let folder = adopt(&cache, package, &archive).unwrap();
        assert_eq!(fs::read(folder.join("tiny/model/a.txt")).unwrap(), b"alpha");
        assert_eq!(entries(&cache), ["tiny-1.0"]);
        // No package of this name exists, so this succeeds only out of the cache, and silently.
        let again = cache
            .ensure(package, &Progress::default(), &mut |_, step| {
                panic!("{step:?}")
            })
            .unwrap();
        assert_eq!(again, folder);
    }
}

#[test]
fn another_archive_is_refused_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::at(root.path());
    let archive = wheel(&[("tiny/a.txt", b"alpha")]);
    let package = pinned(Distribution::Wheel, &archive);
    let mut flipped = archive.clone();
    flipped[40] ^= 1;
    for wrong in [flipped.as_slice(), &archive[..archive.len() - 1], b""] {
        let error = adopt(&cache, package, wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        assert!(error.message().contains(package.sha256), "{error}");
        assert!(entries(&cache).is_empty());
    }
}

#[test]
fn damage_in_the_cache_is_noticed_and_repaired() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::at(root.path());
    let archive = wheel(&[("tiny/a.txt", b"alpha"), ("tiny/b.txt", b"beta")]);
    let package = pinned(Distribution::Wheel, &archive);
    let folder = adopt(&cache, package, &archive).unwrap();
    let damages: [&dyn Fn(); 3] = [
        &|| fs::write(folder.join("tiny/a.txt"), b"al").unwrap(),
        &|| fs::remove_file(folder.join("tiny/b.txt")).unwrap(),
        &|| fs::write(folder.join(".latentdb-verified.json"), b"{").unwrap(),
    ];
    for damage in damages {
        damage();
        // What a process that was killed while fetching leaves.
        fs::create_dir(root.path().join(".fetch-tiny-1.0-killed")).unwrap();
        assert!(!archive::is_installed(package, &folder));
        adopt(&cache, package, &archive).unwrap();
        assert!(archive::is_installed(package, &folder));
        assert_eq!(fs::read(folder.join("tiny/a.txt")).unwrap(), b"alpha");
        assert_eq!(entries(&cache), ["tiny-1.0"]);
    }
}

#[test]
fn a_path_that_leads_out_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::at(root.path().join("cache"));
    for (distribution, archive) in [
        (Distribution::Wheel, wheel(&[("../../out.txt", b"x")])),
        (
            Distribution::Wheel,
            wheel(&[("/tmp/latentdb-out.txt", b"x")]),
        ),
        (
            Distribution::Source,
            source_distribution(&[("t/../../../out.txt", b"x")]),
        ),
    ] {
        let error = adopt(&cache, pinned(distribution, &archive), &archive).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        assert!(error.message().contains("leads out"), "{error}");
        assert!(entries(&cache).is_empty());
        assert!(!root.path().join("out.txt").exists());
    }
}

#[test]
fn giving_up_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::at(root.path());
    let archive = wheel(&[("tiny/a.txt", b"alpha")]);
    let package = pinned(Distribution::Wheel, &archive);
    let path = root.path().join("archive.lock");
    fs::write(&path, &archive).unwrap();
    for allowed in 0..3 {
        let mut calls = 0;
        let progress = Progress::default();
        let error = cache
            .adopt(package, &path, &progress, &mut |_, _| {
                calls += 1;
                if calls > allowed {
                    progress.stop();
                }
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(entries(&cache).is_empty());
    }
}

#[test]
fn many_at_once_make_one_whole_folder() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::at(root.path());
    let archive = wheel(&[("tiny/a.txt", &[7; 100_000]), ("tiny/b.txt", b"beta")]);
    let package = pinned(Distribution::Wheel, &archive);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| adopt(&cache, package, &archive).unwrap());
        }
    });
    assert!(archive::is_installed(
        package,
        &root.path().join("tiny-1.0")
    ));
    assert_eq!(entries(&cache), ["tiny-1.0"]);
}

#[test]
fn other_model_names_are_left_alone() {
    let cache = Cache::at("/nonexistent");
    for name in ["./all-MiniLM-L6-v2", "BAAI/bge-small-en", "models/x.gguf"] {
        let model = cache
            .resolve_model(name, &Progress::default(), &mut |_, step| {
                panic!("{step:?}")
            })
            .unwrap();
        assert_eq!(model, Model::Named(name.to_owned()));
    }
}

/// One fetch of real packages for all tests here, so that they do not wait for one another's lock.
static NETWORK: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

/// The real corpus, where it is cached or LATENTDB_TEST_NETWORK allows fetching it.
fn corpus() -> Option<Vec<DemoDocument>> {
    let _one = NETWORK.lock().unwrap();
    let cache = Cache::of_user();
    let here = archive::is_installed(&DEMO_CORPUS, &cache.root().join(DEMO_CORPUS.folder()));
    let allowed = here || std::env::var_os("LATENTDB_TEST_NETWORK").is_some();
    allowed.then(|| {
        cache
            .demo_corpus(&Progress::default(), &mut |_, _| {})
            .unwrap()
    })
}

#[test]
fn the_demo_corpus_is_whole_and_clean() {
    let Some(documents) = corpus() else {
        return;
    };
    // Counts of the lines of the four files; the properties are those of data/properties.json.
    let count = |source: &str| documents.iter().filter(|d| d.source == source).count();
    assert_eq!(
        ["tweets", "films", "products", "news"].map(count),
        [4_200, 10_605, 3_708, 5_190]
    );
    let first = &documents[0];
    assert_eq!(first.id, "tweets/1");
    assert!((first.sentiment - 2.726_316).abs() < 1e-6);
    assert!(first.text.starts_with("Somehow I was blessed"));
    for document in &documents {
        let text = &document.text;
        assert!(
            !text.contains("&amp;") && !text.contains("  ") && !text.contains("''"),
            "{document:?}"
        );
        assert!(
            text.chars().all(|c| !c.is_control() && c != '\u{fffd}'),
            "{document:?}"
        );
    }
    let positives = |source: &str, low: f32, high: f32| {
        let within =
            |d: &&DemoDocument| d.source == source && d.sentiment > low && d.sentiment < high;
        documents.iter().filter(within).count()
    };
    assert!(positives("tweets", -4.1, -1.0) > 500);
    assert!(positives("films", 2.0, 4.1) > 500);
    assert!(positives("news", -4.1, -1.5) > 200);
}

#[test]
fn a_package_that_is_not_there_reports_pip() {
    if std::env::var_os("LATENTDB_TEST_NETWORK").is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::at(root.path());
    let package: &'static Package = Box::leak(Box::new(Package {
        version: "0.0.0",
        ..DEMO_CORPUS
    }));
    let error = cache
        .ensure(package, &Progress::default(), &mut |_, _| {})
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.message().contains("No matching distribution"),
        "{error}"
    );
    assert!(entries(&cache).is_empty());
}
