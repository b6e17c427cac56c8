//! A small collection with something in every file, and all that can be asked of it.

use std::fs;
use std::path::Path;

use latentdb_index::filter::{TextMode, parse};
use latentdb_index::query::{ActivationScale, DEFAULT_EF, Kind, LatentWeight, Latents, Nearest};
use latentdb_index::{
    Activation, AttachedSae, CollectionHandle, Database, Document, Filter, Label, NewCollection,
    Operation, Query, SetContent, Value,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub const NAME: &str = "small";
const DIMENSION: usize = 8;
const N_LATENTS: usize = 24;
const WORDS: [&str; 6] = ["solar", "wind", "wave", "tide", "coast", "moon"];

/// A document that follows from a seed.
pub fn document(id: &str, seed: u64) -> Document {
    let mut random = StdRng::seed_from_u64(seed);
    let mut document = Document::new(id);
    let words: Vec<&str> = (0..random.random_range(3..9))
        .map(|_| WORDS[random.random_range(0..WORDS.len())])
        .collect();
    document.text = Some(words.join(" "));
    document.vector = Some(
        (0..DIMENSION)
            .map(|_| random.random_range(-1.0..1.0))
            .collect(),
    );
    let number = i64::try_from(seed % 50).unwrap();
    document
        .attributes
        .insert("number".into(), Value::Integer(number));
    let kind = ["a", "b", "c"][random.random_range(0..3)];
    document
        .attributes
        .insert("kind".into(), Value::String(kind.into()));
    for sae in 0..2 {
        let step = random.random_range(2..7);
        document.codes_mut(sae).latents = (0..u32::try_from(N_LATENTS).unwrap())
            .step_by(step)
            .map(|latent| Activation {
                latent,
                activation: random.random_range(0.25..4.0),
            })
            .collect();
    }
    document
}

pub fn upsert(document: Document) -> Operation {
    Operation::Upsert(Box::new(document))
}

pub fn new_collection(name: &str) -> NewCollection {
    let named = AttachedSae {
        name: "second".into(),
        ..AttachedSae::of_clients(N_LATENTS)
    };
    NewCollection {
        name: name.into(),
        dimension: Some(DIMENSION),
        saes: vec![AttachedSae::of_clients(N_LATENTS), named],
        ..NewCollection::default()
    }
}

/// Two segments with deletes, a saved set and a label.
pub fn write(directory: &Path) {
    let database = Database::open(directory).unwrap();
    let collection = database.create(new_collection(NAME)).unwrap();
    for segment in 0..2_u64 {
        let documents =
            (0..150).map(|at| upsert(document(&format!("{segment}-{at}"), 1000 * segment + at)));
        collection.apply(documents.collect()).unwrap();
    }
    let deleted = (0..40).map(|at| format!("0-{}", 3 * at)).collect();
    collection.apply(vec![Operation::Delete(deleted)]).unwrap();
    let late = SetContent::Filter(parse("number > 20").unwrap());
    collection
        .save_set("late", late, None, Default::default())
        .unwrap();
    let label = Label::new("the sea", "person", Some(0.5), 1);
    let id = collection.record().id.clone();
    collection
        .catalog()
        .put_labels(&id, "sae", [(3, &label)])
        .unwrap();
}

/// Every document, and the answers to a query of each kind, as text.
pub fn answers(collection: &CollectionHandle) -> String {
    let view = collection.view().unwrap();
    let snapshot = &view.snapshot;
    let mut lines = vec![format!(
        "{} documents, commit {}",
        snapshot.n_docs(),
        snapshot.sequence()
    )];
    let mut documents: Vec<String> = snapshot
        .living()
        .map(|doc| {
            let second = snapshot.in_space(1).unwrap().latents(doc);
            format!("{:?} {second:?}", snapshot.document(doc).unwrap())
        })
        .collect();
    documents.sort_unstable();
    lines.extend(documents);
    let near = |exact| {
        Kind::Nearest(Nearest {
            vector: vec![0.5; DIMENSION],
            exact,
            ef: DEFAULT_EF,
        })
    };
    let weights = [(0, 1.0), (4, -0.5), (6, 2.0)];
    let latents = Kind::Latents(Latents {
        weights: weights
            .map(|(latent, weight)| LatentWeight { latent, weight })
            .to_vec(),
        scale: ActivationScale::Raw,
        idf: false,
    });
    let words = Kind::Text {
        text: "solar tide".to_owned(),
        mode: TextMode::Any,
    };
    for kind in [near(true), near(false), latents, words] {
        let ranking = view.search(&Query::new(kind), 1000).unwrap();
        let hits = ranking.hits.iter();
        let mut hits: Vec<(String, f32)> = hits
            .map(|hit| (snapshot.id(hit.doc).unwrap(), hit.score))
            .collect();
        // Equal scores go by the order of segments, which is another in each directory.
        hits.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
        lines.push(format!("{hits:?}"));
    }
    for filter in [
        "number > 20",
        "kind = 'a'",
        "latent(3)",
        "latent(6, > 1) and not text('wind')",
    ] {
        let filter: Filter = parse(filter).unwrap();
        let count = snapshot.count(&view.resolve(&filter).unwrap()).unwrap();
        lines.push(format!("{filter:?}: {count}"));
    }
    lines.push(format!("{:?}", collection.saved_sets().unwrap()));
    let id = &view.record.id;
    lines.push(format!(
        "{:?}",
        collection.catalog().labels(id, "sae").unwrap()
    ));
    lines.push(format!("{:?}", view.record));
    lines.join("\n")
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// All files of a directory, in order.
pub fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort_unstable();
    found
}
