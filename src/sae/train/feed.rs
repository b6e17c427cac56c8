//! Where the rows of a training come from: all in memory, or a file larger than it in windows.
//!
//! A source is cut into chunks that are read at once. Every epoch shuffles the chunks, reads them
//! window by window, and shuffles the rows of a window: what is drawn follows from the seed and
//! the number of the step alone, so a resumed training draws the same.

use std::borrow::Cow;
use std::ops::Range;

use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::progress::Progress;
use crate::sae::normalisation::Normalisation;
use crate::sae::record::TrainConfig;
use crate::sae::rows::{RowSource, check_vectors, row_of};

use super::checkpoint;
use super::draw::{normalised, rng, sample};
use super::partners::{Partners, read_queries};

/// Bytes of the rows that are held in memory where [`TrainConfig::window_rows`] is 0.
const WINDOW_BYTES: usize = 1 << 30;
/// Held-out rows of a source that is read in windows, at most: they stay in memory.
const MOST_HELD_OUT: usize = 100_000;
/// Chunks that a sample is drawn from.
const SAMPLED_CHUNKS: usize = 64;
/// Rows that identify a source, in addition to its shape.
const FINGERPRINT_ROWS: usize = 64;

/// The rows of a training.
pub(super) struct Feed<'a> {
    d: usize,
    batch: usize,
    seed: u64,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Memory(Memory<'a>),
    Windows(Windows<'a>),
}

/// The rows of a step.
pub(super) struct Batch<'a> {
    /// A matrix that holds them.
    pub vectors: &'a [f32],
    /// Which of its rows they are: drawn ones, then their partners.
    pub rows: &'a [u32],
    /// Positions in `rows` of drawn ones and their partners.
    pub pairs: &'a [(u32, u32)],
}

struct Memory<'a> {
    /// The rows, and behind them their queries where there are some.
    vectors: Cow<'a, [f32]>,
    rows: u32,
    train: Vec<u32>,
    held_out: Vec<u32>,
    order: Vec<u32>,
    epoch: Option<usize>,
    partners: Option<Partners>,
    /// The latest step with partners: its rows and pairs.
    paired: (Vec<u32>, Vec<(u32, u32)>),
}

struct Windows<'a> {
    source: &'a dyn RowSource,
    normalisation: Normalisation,
    chunks: Vec<Range<usize>>,
    chunks_per_window: usize,
    /// Steps of every window; the same in every epoch.
    steps: Vec<usize>,
    held_out: Vec<f32>,
    held_out_rows: Vec<u32>,
    window: Vec<f32>,
    order: Vec<u32>,
    /// Epoch and number of the window that is loaded.
    loaded: Option<(usize, usize)>,
}

impl<'a> Feed<'a> {
    /// Rows in memory.
    pub fn memory(vectors: Cow<'a, [f32]>, d: usize, config: &TrainConfig) -> Result<Self> {
        check_vectors(&vectors, d)?;
        let vectors = match config.normalisation {
            Normalisation::None => vectors,
            some => Cow::Owned(normalised(&vectors, d, some)),
        };
        let rows = u32::try_from(vectors.len() / d)
            .map_err(|_| Error::invalid("vectors", "has too many rows to be held in memory"))?;
        let mut train: Vec<u32> = (0..rows).collect();
        let count = (f64::from(rows) * f64::from(config.held_out)).round() as usize;
        let mut held_out = Vec::new();
        if count > 0 {
            train.shuffle(&mut rng(config.seed, "held out", 0));
            held_out = train.split_off(train.len() - count);
            train.sort_unstable();
            held_out.sort_unstable();
        }
        if train.is_empty() {
            return Err(nothing_left(config, rows as usize));
        }
        Ok(Self {
            d,
            batch: config.batch.min(train.len()),
            seed: config.seed,
            kind: Kind::Memory(Memory {
                vectors,
                rows,
                train,
                held_out,
                order: Vec::new(),
                epoch: None,
                partners: None,
                paired: Default::default(),
            }),
        })
    }

    /// Rows of a source: in memory where they fit a window, in windows otherwise.
    pub fn source(source: &'a dyn RowSource, config: &TrainConfig) -> Result<Self> {
        let (rows, d) = (source.rows(), source.dimension());
        if rows == 0 || d == 0 {
            return Err(Error::invalid(
                "vectors",
                format!("has {rows} rows of {d} values; a training needs at least one"),
            ));
        }
        let window_rows = match config.window_rows {
            0 => (WINDOW_BYTES / (d * size_of::<f32>())).max(1),
            rows => rows,
        };
        if rows <= window_rows {
            let mut vectors = Vec::with_capacity(rows * d);
            let mut chunk = Vec::new();
            for range in source.chunks() {
                source.read(range, &mut chunk)?;
                vectors.extend_from_slice(&chunk);
            }
            return Self::memory(Cow::Owned(vectors), d, config);
        }
        let mut chunks = source.chunks();
        let mut held_out_chunks = Vec::new();
        let wanted = ((rows as f64 * f64::from(config.held_out)) as usize).min(MOST_HELD_OUT);
        chunks.shuffle(&mut rng(config.seed, "held out", 0));
        let mut held = 0;
        while held < wanted
            && let Some(chunk) = chunks.pop()
        {
            held += chunk.len();
            held_out_chunks.push(chunk);
        }
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        held_out_chunks.sort_unstable_by_key(|chunk| chunk.start);
        let held_out = read_all(source, config.normalisation, &held_out_chunks)?;
        let largest = chunks.iter().map(Range::len).max();
        let largest = largest.ok_or_else(|| nothing_left(config, rows))?;
        let chunks_per_window = (window_rows / largest).max(1);
        let steps = window_steps(&chunks, chunks_per_window, config.batch);
        if steps.iter().all(|steps| *steps == 0) {
            return Err(Error::invalid(
                "batch",
                format!(
                    "of {} rows is larger than a window; a smaller one or more window_rows is \
                     accepted",
                    config.batch
                ),
            ));
        }
        let held_out_rows = (0u32..).take(held_out.len() / d).collect();
        Ok(Self {
            d,
            batch: config.batch,
            seed: config.seed,
            kind: Kind::Windows(Windows {
                source,
                normalisation: config.normalisation,
                chunks,
                chunks_per_window,
                steps,
                held_out,
                held_out_rows,
                window: Vec::new(),
                order: Vec::new(),
                loaded: None,
            }),
        })
    }

    /// Finds the partners of rows for the retrieval objective: their queries where there are some, one for
    /// each row and zero where it has none. Runs on the rayon pool it is called in.
    ///
    /// # Errors
    /// `InvalidArgument` naming `window_rows` or `queries`; those of [`Partners::of`].
    pub fn pair(
        &mut self,
        queries: Option<&dyn RowSource>,
        normalisation: Normalisation,
        progress: &Progress,
    ) -> Result<()> {
        let (d, seed) = (self.d, self.seed);
        let Kind::Memory(memory) = &mut self.kind else {
            return Err(Error::invalid(
                "window_rows",
                "does not hold all vectors, among which objective \"retrieval\" looks for partners: a larger one, \
                 fewer vectors, or objective \"reconstruction\" is accepted",
            ));
        };
        if let Some(queries) = queries {
            let queries = read_queries(queries, memory.rows as usize, d)?;
            let vectors = memory.vectors.to_mut();
            match normalisation {
                Normalisation::None => vectors.extend_from_slice(&queries),
                // A row without a query stays one of zeros.
                some => queries.chunks_exact(d).for_each(|query| {
                    if query.iter().any(|value| *value != 0.0) {
                        vectors.extend(normalised(query, d, some));
                    } else {
                        vectors.extend_from_slice(query);
                    }
                }),
            }
        }
        let among = (memory.train.as_slice(), memory.rows, seed);
        memory.partners = Some(Partners::of(&memory.vectors, d, among, progress)?);
        Ok(())
    }

    /// Values of a row.
    pub fn dimension(&self) -> usize {
        self.d
    }

    /// Rows of a step.
    pub fn batch_rows(&self) -> usize {
        self.batch
    }

    /// Rows that are trained on.
    pub fn train_rows(&self) -> usize {
        match &self.kind {
            Kind::Memory(memory) => memory.train.len(),
            Kind::Windows(windows) => windows.chunks.iter().map(Range::len).sum(),
        }
    }

    /// Steps of an epoch. Rows that fill no batch wait for another epoch's order.
    pub fn steps_per_epoch(&self) -> usize {
        match &self.kind {
            Kind::Memory(memory) => memory.train.len() / self.batch,
            Kind::Windows(windows) => windows.steps.iter().sum(),
        }
    }

    /// The held-out rows: a matrix and the rows of it.
    pub fn held_out(&self) -> (&[f32], &[u32]) {
        match &self.kind {
            Kind::Memory(memory) => (&memory.vectors, &memory.held_out),
            Kind::Windows(windows) => (&windows.held_out, &windows.held_out_rows),
        }
    }

    /// The batch of a step.
    pub fn batch(&mut self, epoch: usize, step: usize) -> Result<Batch<'_>> {
        let (d, batch, seed) = (self.d, self.batch, self.seed);
        match &mut self.kind {
            Kind::Memory(memory) => {
                if memory.epoch != Some(epoch) {
                    memory.order.clone_from(&memory.train);
                    memory.order.shuffle(&mut rng(seed, "order", epoch as u64));
                    memory.epoch = Some(epoch);
                }
                let mut rows = &memory.order[step * batch..(step + 1) * batch];
                memory.paired.1.clear();
                if let Some(partners) = &memory.partners {
                    let time = (epoch as u64) << 32 | step as u64;
                    partners.add_to(rows, &mut rng(seed, "partners", time), &mut memory.paired);
                    rows = &memory.paired.0;
                }
                Ok(Batch {
                    vectors: &memory.vectors,
                    rows,
                    pairs: &memory.paired.1,
                })
            }
            Kind::Windows(windows) => {
                let (mut number, mut within) = (0, step);
                while within >= windows.steps[number] {
                    within -= windows.steps[number];
                    number += 1;
                }
                if windows.loaded != Some((epoch, number)) {
                    windows.load(d, seed, epoch, number)?;
                }
                Ok(Batch {
                    vectors: &windows.window,
                    rows: &windows.order[within * batch..(within + 1) * batch],
                    pairs: &[],
                })
            }
        }
    }

    /// Up to `most` rows that are trained on, drawn for a purpose.
    pub fn sample(&self, most: usize, purpose: &str) -> Result<Vec<f32>> {
        let mut random = rng(self.seed, purpose, 0);
        match &self.kind {
            Kind::Memory(memory) => Ok(sample(&memory.train, most, &mut random)
                .into_iter()
                .flat_map(|row| row_of(&memory.vectors, self.d, row))
                .copied()
                .collect()),
            Kind::Windows(windows) => {
                let mut chunks = windows.chunks.clone();
                chunks.shuffle(&mut random);
                chunks.truncate(SAMPLED_CHUNKS);
                chunks.sort_unstable_by_key(|chunk| chunk.start);
                let vectors = read_all(windows.source, windows.normalisation, &chunks)?;
                let rows: Vec<u32> = (0u32..).take(vectors.len() / self.d).collect();
                Ok(sample(&rows, most, &mut random)
                    .into_iter()
                    .flat_map(|row| row_of(&vectors, self.d, row))
                    .copied()
                    .collect())
            }
        }
    }

    /// What identifies the rows, so that a checkpoint is not continued with others: a hash of all
    /// of them, or of the shape and some rows of a source that is read in windows.
    pub fn fingerprint(&self) -> Result<String> {
        let windows = match &self.kind {
            Kind::Memory(memory) => return Ok(checkpoint::fingerprint(&memory.vectors, self.d)),
            Kind::Windows(windows) => windows,
        };
        let rows = windows.source.rows();
        let mut digest = Sha256::new();
        digest.update((rows as u64).to_le_bytes());
        let mut row = Vec::new();
        for at in 0..FINGERPRINT_ROWS.min(rows) {
            let at = at * rows / FINGERPRINT_ROWS.min(rows);
            windows.source.read(at..at + 1, &mut row)?;
            digest.update(checkpoint::fingerprint(&row, self.d));
        }
        Ok(hex(digest.finalize()))
    }
}

impl Windows<'_> {
    /// Reads a window of an epoch and shuffles its rows.
    fn load(&mut self, d: usize, seed: u64, epoch: usize, number: usize) -> Result<()> {
        let mut chunks = self.chunks.clone();
        chunks.shuffle(&mut rng(seed, "order", epoch as u64));
        let mut chunks = chunks
            .chunks(self.chunks_per_window)
            .nth(number)
            .unwrap_or_default()
            .to_vec();
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        // Room for the new window before it is read would double the memory.
        self.window = Vec::new();
        self.window = read_all(self.source, self.normalisation, &chunks)?;
        self.order = (0u32..).take(self.window.len() / d).collect();
        let time = (epoch as u64) << 32 | number as u64;
        self.order.shuffle(&mut rng(seed, "window", time));
        self.loaded = Some((epoch, number));
        Ok(())
    }
}

/// Steps of every window, whichever chunks fall into it: as many as the smallest ones fill.
fn window_steps(chunks: &[Range<usize>], per_window: usize, batch: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = chunks.iter().map(Range::len).collect();
    sizes.sort_unstable();
    let counts = chunks.chunks(per_window).map(<[_]>::len);
    counts
        .map(|count| sizes[..count].iter().sum::<usize>() / batch)
        .collect()
}

/// The rows of chunks, checked and normalised.
fn read_all(
    source: &dyn RowSource,
    normalisation: Normalisation,
    chunks: &[Range<usize>],
) -> Result<Vec<f32>> {
    let d = source.dimension();
    let mut all = Vec::with_capacity(chunks.iter().map(Range::len).sum::<usize>() * d);
    let mut piece = Vec::new();
    for chunk in chunks {
        source.read(chunk.clone(), &mut piece)?;
        if piece.len() != chunk.len() * d {
            return Err(Error::internal("a source gave another number of rows"));
        }
        if let Some(at) = piece.iter().position(|value| !value.is_finite()) {
            return Err(Error::invalid(
                format!("vectors[{}]", chunk.start + at / d),
                format!("value {} is {}; all must be finite", at % d, piece[at]),
            ));
        }
        match normalisation {
            Normalisation::None => all.extend_from_slice(&piece),
            some => all.extend(normalised(&piece, d, some)),
        }
    }
    Ok(all)
}

fn nothing_left(config: &TrainConfig, rows: usize) -> Error {
    Error::invalid(
        "held_out",
        format!(
            "of {} leaves none of {rows} rows to train on",
            config.held_out
        ),
    )
}
