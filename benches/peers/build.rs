//! The collection under measurement, and what building it took.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use latentdb::sae::{Codes, Sae};
use latentdb_index::{Activation, Collection, Document, Operation, Value};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use serde::Serialize;
use tempfile::TempDir;

use crate::corpus::Corpus;

/// Documents of one acknowledged write, for LatentDB and for its peers.
pub const BATCH: usize = 1000;
/// The graph is given up after this long.
const GRAPH_PATIENCE: Duration = Duration::from_secs(600);

/// What building took.
#[derive(Serialize)]
pub struct Figures {
    pub documents: usize,
    pub batch: usize,
    /// Seconds of SAE encoding on all cores.
    pub encode_seconds: f64,
    /// Seconds in writes, each acknowledged (durable and visible) before the next was sent.
    pub write_seconds: f64,
    /// Seconds from the last acknowledgement until everything lay in one segment with a graph.
    pub index_seconds: f64,
    pub reopen_seconds: f64,
    pub segments_after_writes: usize,
    /// Documents a graph covers.
    pub graph_rows: u64,
    pub disk_bytes: u64,
    pub resident_bytes: u64,
    pub sae_hash: String,
}

pub struct Built {
    /// Dropped before the folder it lies in.
    pub collection: Collection,
    pub codes: Codes,
    /// Width of the SAE.
    pub n_latents: usize,
    /// A number of each row, a permutation of `0..rows`: windows of it are random filters.
    pub positions: Vec<i64>,
    pub figures: Figures,
    _folder: TempDir,
}

impl Built {
    pub fn new(corpus: &Corpus, folder: &Path) -> Result<Self> {
        let sae = corpus.sae()?;
        let mut positions: Vec<i64> = (0..corpus.rows() as i64).collect();
        positions.shuffle(&mut StdRng::seed_from_u64(7));
        let temporary = tempfile::tempdir_in(folder)?;
        let collection = Collection::open(temporary.path())?;
        let (codes, encoding, writing) = ingest(&collection, corpus, &sae, &positions)?;
        let segments_after_writes = collection.snapshot().n_segments();
        eprintln!("{} documents are acknowledged", corpus.rows());

        let started = Instant::now();
        collection.merge()?;
        let graph_rows = await_graph(&collection, started);
        let index_seconds = started.elapsed().as_secs_f64();
        let disk_bytes = collection.disk_bytes()?;
        drop(collection);
        let started = Instant::now();
        let collection = Collection::open(temporary.path())?;
        let figures = Figures {
            documents: corpus.rows(),
            batch: BATCH,
            encode_seconds: encoding.as_secs_f64(),
            write_seconds: writing.as_secs_f64(),
            index_seconds,
            reopen_seconds: started.elapsed().as_secs_f64(),
            segments_after_writes,
            graph_rows,
            disk_bytes,
            resident_bytes: resident_bytes(),
            sae_hash: sae.hash().to_owned(),
        };
        Ok(Self {
            collection,
            codes,
            n_latents: sae.n_latents(),
            positions,
            figures,
            _folder: temporary,
        })
    }
}

/// Writes all rows. Returns their codes and the time of encoding and of writing.
fn ingest(
    collection: &Collection,
    corpus: &Corpus,
    sae: &Sae,
    positions: &[i64],
) -> Result<(Codes, Duration, Duration)> {
    let mut all = Codes::new();
    let (mut encoding, mut writing) = (Duration::ZERO, Duration::ZERO);
    for start in (0..corpus.rows()).step_by(BATCH) {
        let end = corpus.rows().min(start + BATCH);
        let started = Instant::now();
        let vectors = &corpus.vectors[start * corpus.dimension..end * corpus.dimension];
        let codes = sae.encode_parallel(vectors, 0)?;
        encoding += started.elapsed();
        let operations = (start..end)
            .map(|row| {
                let document = document(corpus, row, positions[row], codes.row(row - start));
                Operation::Upsert(Box::new(document))
            })
            .collect();
        let started = Instant::now();
        collection.write(operations, None)?;
        writing += started.elapsed();
        all.append(&codes);
    }
    Ok((all, encoding, writing))
}

fn document(corpus: &Corpus, row: usize, position: i64, code: (&[u32], &[f32])) -> Document {
    let mut document = Document::new(row.to_string());
    document.vector = Some(corpus.vector(row).to_vec());
    document.codes_mut(0).latents = code
        .0
        .iter()
        .zip(code.1)
        .map(|(&latent, &activation)| Activation { latent, activation })
        .collect();
    let category = Value::String(corpus.categories[row].clone());
    document.attributes.insert("category".into(), category);
    let position = Value::Integer(position);
    document.attributes.insert("position".into(), position);
    document
}

/// Waits until a graph covers every vector. Returns how many it covers in the end.
fn await_graph(collection: &Collection, started: Instant) -> u64 {
    loop {
        let (rows, covered) = collection.snapshot().graph_coverage();
        if covered == rows || started.elapsed() > GRAPH_PATIENCE {
            return covered;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Resident memory of this process, 0 where the system does not say.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or_default()
        * 1024
}
