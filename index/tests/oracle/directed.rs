//! What chance does not reach: concurrency, long documents, crash images.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use latentdb_index::filter::TextMode;
use latentdb_index::query::{Boosts, Kind, LatentWeight, Nearest};
use latentdb_index::{Activation, Collection, Document, Filter, Operation, Query, Value};
use rand::RngExt;

use crate::check::Checked;
use crate::generate::{self, random};
use crate::naive::{DIMENSION, Model};

/// A document whose parts all follow from its number, so that it can be known again.
pub fn numbered(number: u32) -> Document {
    let mut document = Document::new(format!("n{number}"));
    document.text = Some(format!("number {number} of the stream"));
    document
        .attributes
        .insert("number".into(), Value::Integer(i64::from(number)));
    document.vector = Some(
        (1..=DIMENSION)
            .map(|at| (number as usize + at) as f32)
            .collect(),
    );
    document.codes = vec![
        vec![
            Activation {
                latent: number % 7,
                activation: 0.5,
            },
            Activation {
                latent: 7 + number % 5,
                activation: 2.0,
            },
        ]
        .into(),
    ];
    document
}

pub fn upsert(document: Document) -> Operation {
    Operation::Upsert(Box::new(document))
}

/// Lengths beyond what one byte holds exactly, over several segments and under filters.
#[test]
fn bm25_of_long_documents_is_to_the_digit() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let mut model = Model::default();
    let mut random = random(11);
    let vocabulary: Vec<String> = (0..60).map(|word| format!("word{word}")).collect();
    for part in 0..3 {
        let mut operations = Vec::new();
        for number in 0..150 {
            let mut document = Document::new(format!("{part}-{number}"));
            let length = random.random_range(0..if number % 10 == 0 { 3000 } else { 120 });
            let words: Vec<&str> = (0..length)
                .map(|_| {
                    let share: f64 = random.random::<f64>().powi(3);
                    vocabulary[(share * 60.0) as usize].as_str()
                })
                .collect();
            document.text = (number % 7 > 0).then(|| words.join(" "));
            document
                .attributes
                .insert("part".into(), Value::Integer(number % 3));
            operations.push(upsert(document));
        }
        model.apply(&operations).unwrap();
        collection.write(operations, None).unwrap();
    }
    let snapshot = collection.snapshot();
    let checked = Checked::new(&snapshot, &model);
    // More words than are skipped through, some of them twice.
    let many: Vec<String> = (0..40)
        .map(|word| format!("word{}", word % 30 + 20))
        .collect();
    for text in [
        many.join(" ").as_str(),
        "word0",
        "word59",
        "word3 word40",
        "word1 word1",
        "word0 word1 word2",
        "nothing",
    ] {
        for mode in [TextMode::Any, TextMode::All, TextMode::Phrase] {
            let text = text.to_owned();
            let query = Query::new(Kind::Text { text, mode });
            for limit in [1, 10, 1000] {
                checked.query(&query, &Filter::All, limit);
                let filter = Filter::equals("part", Value::Integer(1));
                checked.query(&query.clone().filtered(filter), &Filter::All, limit);
            }
        }
    }
}

/// Every acknowledged write is visible at once, whatever is gathered with it and merged meanwhile.
#[test]
fn concurrent_writers_and_merges_lose_nothing() {
    const WRITERS: u32 = 4;
    const BATCHES: u32 = 25;
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let collection = &collection;
                scope.spawn(move || {
                    for batch in 0..BATCHES {
                        let number = writer * 1000 + batch;
                        let mut operations = vec![upsert(numbered(number))];
                        if batch > 0 {
                            // Replace one that a merge may just be copying, and now and then
                            // delete one.
                            let mut before = numbered(number - 1);
                            before.text = Some("changed".into());
                            operations.push(upsert(before));
                        }
                        if batch % 5 == 4 {
                            operations.push(Operation::Delete(vec![format!("n{}", number - 3)]));
                        }
                        let written = collection.write(operations, None).unwrap();
                        let snapshot = collection.snapshot();
                        assert!(snapshot.sequence() >= written.sequence);
                        let doc = snapshot.find(&format!("n{number}")).unwrap();
                        let found = snapshot.document(doc.unwrap()).unwrap();
                        assert_eq!(found, numbered(number));
                    }
                })
            })
            .collect();
        let merger = scope.spawn(|| {
            let mut merges = 0;
            while !done.load(Ordering::Relaxed) {
                collection.merge().unwrap();
                merges += 1;
                std::thread::sleep(Duration::from_millis(7));
            }
            merges
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(merger.join().unwrap() > 0);
    });
    let mut model = Model::default();
    for writer in 0..WRITERS {
        for batch in 0..BATCHES {
            let mut document = numbered(writer * 1000 + batch);
            if batch < BATCHES - 1 {
                document.text = Some("changed".into());
            }
            if batch % 5 != 1 {
                model.apply(&[upsert(document)]).unwrap();
            }
        }
    }
    Checked::new(&collection.snapshot(), &model);
    drop(collection);
    let collection = Collection::open(directory.path()).unwrap();
    Checked::new(&collection.snapshot(), &model);
}

/// A snapshot answers the same while documents change, merge and go behind it.
#[test]
fn a_snapshot_does_not_move_while_writes_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let mut model = Model::default();
    for seed in 0..4 {
        let operations = generate::upserts(&mut random(seed), 60);
        model.apply(&operations).unwrap();
        collection.write(operations, None).unwrap();
    }
    let snapshot = collection.snapshot();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut batch = 100;
            while !stop.load(Ordering::Relaxed) {
                batch += 1;
                let mut operations = vec![Operation::DeleteMatching(Filter::latent(
                    (batch % 24) as u32,
                ))];
                operations.extend(generate::upserts(&mut random(batch), 20));
                let plain = operations.split_off(1);
                collection.write(operations, None).unwrap();
                collection.write(plain, None).unwrap();
                if batch % 4 == 0 {
                    collection.merge().unwrap();
                }
            }
            batch
        });
        let mut random = random(5);
        for _ in 0..25 {
            let checked = Checked::new(&snapshot, &model);
            checked.filter(&generate::filter(&mut random, 3));
            checked.query(&generate::query(&mut random, 2), &Filter::All, 10);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 100);
    });
}

/// Rows lie in the order in which documents were sent, within a batch too: what is read in row
/// order (training, exports) is then the same for every ingest of the same records.
#[test]
fn documents_lie_in_the_order_they_were_sent() {
    let directory = tempfile::tempdir().unwrap();
    let collection = Collection::open(directory.path()).unwrap();
    let order: Vec<u32> = (0..300).map(|at| at * 7 % 300).collect();
    for batch in order.chunks(100) {
        let mut operations: Vec<Operation> =
            batch.iter().copied().map(numbered).map(upsert).collect();
        // A change within the batch leaves a document where it was first named.
        operations.push(upsert(numbered(batch[0])));
        collection.write(operations, None).unwrap();
    }
    let expected: Vec<String> = order.iter().map(|number| format!("n{number}")).collect();
    let snapshot = collection.snapshot();
    let found: Vec<String> = snapshot
        .living()
        .map(|doc| snapshot.id(doc).unwrap())
        .collect();
    // Segments may lie in any order.
    assert_eq!(found.len(), expected.len());
    for batch in expected.chunks(100) {
        let first = found.iter().position(|id| *id == batch[0]).unwrap();
        assert_eq!(found[first..first + 100], *batch);
    }
}

/// A copy of the directory at one moment, as a power cut would leave it: taken again when the
/// manifest moved meanwhile, so that it never mixes two moments.
fn crash_image(from: &Path, to: &Path) {
    let manifest = from.join("index/meta.json");
    loop {
        let _ = fs::remove_dir_all(to);
        fs::create_dir_all(to.join("index")).unwrap();
        fs::create_dir_all(to.join("graphs")).unwrap();
        let before = fs::read(&manifest).unwrap();
        for entry in fs::read_dir(from.join("index")).unwrap() {
            let path = entry.unwrap().path();
            // Drafts and dead segments may go while we look; the check below tells.
            let _ = fs::copy(&path, to.join("index").join(path.file_name().unwrap()));
        }
        if fs::read(&manifest).unwrap() == before {
            fs::write(to.join("index/meta.json"), before).unwrap();
            return;
        }
    }
}

/// No process has to be killed: what lies on disk while writes go on must open, with everything
/// acknowledged before in it, and take writes.
#[test]
fn a_crash_image_holds_every_acknowledged_write() {
    const BATCH: u32 = 5;
    let directory = tempfile::tempdir().unwrap();
    let collection = Arc::new(Collection::open(&directory.path().join("live")).unwrap());
    let acknowledged = Arc::new(Mutex::new(0_u32));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (collection, acknowledged, stop) =
            (collection.clone(), acknowledged.clone(), stop.clone());
        move || {
            let mut next = 0;
            while !stop.load(Ordering::Relaxed) {
                let batch = (next..next + BATCH).map(|number| upsert(numbered(number)));
                let mut operations: Vec<Operation> = batch.collect();
                if next >= 2 * BATCH {
                    // Every document ends with a text of its second writing.
                    let mut again = numbered(next - 2 * BATCH);
                    again.text = Some("second".into());
                    operations.push(upsert(again));
                }
                collection.write(operations, None).unwrap();
                next += BATCH;
                *acknowledged.lock().unwrap() = next;
            }
        }
    });
    for image in 0..6 {
        std::thread::sleep(Duration::from_millis(120 + 40 * image));
        let certain = *acknowledged.lock().unwrap();
        let copy = directory.path().join(format!("image {image}"));
        crash_image(&directory.path().join("live"), &copy);
        let reopened = Collection::open(&copy).unwrap();
        let snapshot = reopened.snapshot();
        assert!(snapshot.n_docs() >= u64::from(certain));
        assert_eq!(snapshot.n_docs() % u64::from(BATCH), 0, "half a batch");
        for number in 0..certain {
            let doc = snapshot.find(&format!("n{number}")).unwrap();
            let mut found = snapshot.document(doc.unwrap()).unwrap();
            if number % BATCH == 0 && number + 2 * BATCH < certain {
                assert_eq!(found.text.as_deref(), Some("second"), "document {number}");
                found.text = numbered(number).text;
            }
            if number % BATCH == 0 {
                // The latest acknowledged rewriting may or may not be in.
                found.text = numbered(number).text;
            }
            assert_eq!(found, numbered(number));
        }
        reopened
            .write(vec![upsert(numbered(1_000_000))], None)
            .unwrap();
        assert!(reopened.snapshot().find("n1000000").unwrap().is_some());
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

/// The standard deviation of the `most` best of cosines, over .05.
fn unit_of(mut cosines: Vec<f64>, most: usize) -> f64 {
    cosines.sort_by(|a, b| b.total_cmp(a));
    cosines.truncate(most);
    let n = cosines.len() as f64;
    let mean = cosines.iter().sum::<f64>() / n;
    (cosines.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n).sqrt() / 0.05
}

/// A boost of 1 is worth as much as the query's own cosines differ: those of the best thousand, of the
/// allowed documents, and of all where those are few.
#[test]
fn boosts_are_in_units_of_the_spread_of_cosines() {
    let folder = tempfile::tempdir().unwrap();
    let collection = Collection::open(folder.path()).unwrap();
    let mut random = random(77);
    let mut model = Model::default();
    let mut upserts = Vec::new();
    for number in 0..1500 {
        let mut document = numbered(number);
        // All cosines are close together, as those of some encoders are.
        let vector = (0..DIMENSION).map(|_| 10.0 + random.random_range(-1.0_f32..1.0));
        document.vector = Some(vector.collect());
        document.codes_mut(0).latents = vec![Activation {
            latent: 1,
            activation: random.random_range(1_u8..40).into(),
        }];
        model
            .documents
            .insert(document.id.clone(), document.clone());
        upserts.push(Operation::Upsert(Box::new(document)));
    }
    collection.write(upserts, None).unwrap();
    let snapshot = collection.snapshot();
    let vector: Vec<f32> = (0..DIMENSION).map(|at| 10.0 + (at % 3) as f32).collect();
    let cosines = model.cosines(&vector);
    for (filter, allowed, least) in [
        (None, 1500, 1000),
        (Some(400), 400, 1000),
        (Some(20), 1500, 1000),
    ] {
        let number = |id: &str| id[1..].parse::<u32>().unwrap();
        let kept = cosines.iter().filter(|(id, _)| number(id) < allowed);
        let expected = unit_of(kept.map(|(_, cosine)| *cosine).collect(), least);
        assert!(expected < 0.5, "{expected}");
        let boosts = |unit| Boosts {
            weights: vec![LatentWeight {
                latent: 1,
                weight: 0.4,
            }],
            unit,
        };
        let nearest = Nearest {
            vector: vector.clone(),
            exact: true,
            ef: 100,
        };
        let mut query = Query::new(Kind::Boost(nearest, boosts(None)));
        if let Some(most) = filter {
            let text = format!("number < {most}");
            query = query.filtered(latentdb_index::filter::parse(&text).unwrap());
        }
        let shape = latentdb_index::filter::Shape {
            dimension: Some(DIMENSION),
            n_latents: Some(10),
            ..latentdb_index::filter::Shape::default()
        };
        let query = query
            .resolve(&shape)
            .unwrap()
            .with_units(&snapshot)
            .unwrap();
        let Kind::Boost(_, found) = &query.kind else {
            panic!("it stays a boost");
        };
        let unit = f64::from(found.unit.unwrap());
        assert!(
            (unit / expected - 1.0).abs() < 1e-3,
            "{unit}, not {expected}"
        );
        let scores = model.boosted(&vector, &boosts(found.unit));
        for hit in latentdb_index::query::execute(&query, &snapshot, 10)
            .unwrap()
            .hits
        {
            let (score, _) = scores[&snapshot.id(hit.doc).unwrap()];
            assert!((f64::from(hit.score) - score).abs() < 1e-4);
        }
    }
}
