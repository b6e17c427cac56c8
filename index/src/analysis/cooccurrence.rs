//! Rows of a set, packed for counting which latents occur with which.
//!
//! Counting visits each row once for each of its latents, in the order of posting lists, so what
//! it costs is fetching rows: they are copied into 16 bits a latent where the numbers fit (a usual
//! row is one cache line), with documents outside of the set and activations that do not count
//! already left out.

use std::ops::Range;

use half::f16;
use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::units::Floor;
use crate::error::{Error, Result};
use crate::filter::Allowed;
use crate::progress::Progress;
use crate::snapshot::{SegmentView, Snapshot};
use crate::vector::prefetch;

/// Documents of a chunk, a power of two. Its entries can be numbered with 32 bits.
const CHUNK: u32 = 1 << 13;
/// Documents between the one counted and the one whose row is asked for from memory.
const AHEAD: usize = 8;
/// Rows up to this long are searched by comparing all of their numbers at once.
const SHORT_ROW: usize = 256;
/// Stands for the token of a latent without a stored position.
const NO_TOKEN: u32 = u32::MAX;
/// Tokens so close are one word, or its neighbour.
const ADJACENT: u32 = 1;

/// A latent's number in a packed row.
pub(super) trait Packed: bytemuck::NoUninit + Ord + Send + Sync {
    /// The packed form; `None` where the number does not fit.
    fn pack(latent: u32) -> Option<Self>;
    /// The number, as a place.
    fn place(self) -> usize;
}

impl Packed for u16 {
    fn pack(latent: u32) -> Option<Self> {
        Self::try_from(latent).ok()
    }

    fn place(self) -> usize {
        self.into()
    }
}

impl Packed for u32 {
    fn pack(latent: u32) -> Option<Self> {
        Some(latent)
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// Documents in which two latents are both active: those that count, and, where tokens are looked
/// at, those left out since both fire on the same word.
#[derive(Clone, Debug, Default)]
pub(super) struct PairCounter {
    pub both: Vec<u32>,
    /// Empty where tokens are not compared.
    pub adjacent: Vec<u32>,
}

impl PairCounter {
    pub fn new(n_latents: usize, looks_at_tokens: bool) -> Self {
        Self {
            both: vec![0; n_latents],
            adjacent: vec![0; if looks_at_tokens { n_latents } else { 0 }],
        }
    }

    /// Back to nothing counted.
    pub fn clear(&mut self) {
        self.both.fill(0);
        self.adjacent.fill(0);
    }

    /// Adds 1 for each of a row's latents.
    pub fn add<L: Packed>(&mut self, latents: &[L]) {
        for latent in latents {
            if let Some(count) = self.both.get_mut(latent.place()) {
                *count += 1;
            }
        }
    }

    /// Adds 1 for each latent, to one count or the other by how far its token is from `token`.
    fn add_by_token<L: Packed>(&mut self, latents: &[L], tokens: &[u32], token: u32) {
        for (latent, &other) in latents.iter().zip(tokens) {
            let known = token != NO_TOKEN && other != NO_TOKEN;
            let counts = if known && token.abs_diff(other) <= ADJACENT {
                &mut self.adjacent
            } else {
                &mut self.both
            };
            if let Some(count) = counts.get_mut(latent.place()) {
                *count += 1;
            }
        }
    }
}

/// Packed rows of [`CHUNK`] documents.
struct Chunk<L> {
    ends: Vec<u32>,
    latents: Vec<L>,
    /// The strongest token of each entry; empty where tokens are not compared.
    tokens: Vec<u32>,
    /// Documents that have positions.
    with_positions: u64,
}

/// The packed rows of a set, by segment.
pub(super) struct PackedRows<'a, L> {
    segments: Vec<(&'a SegmentView, Vec<Chunk<L>>)>,
    with_positions: u64,
}

impl<'a, L: Packed> PackedRows<'a, L> {
    /// Packs the rows of `set`; with `only`, those that have one of these latents.
    pub fn new(
        snapshot: &'a Snapshot,
        set: &Allowed,
        only: Option<&[u32]>,
        (floor, with_tokens): (Floor, bool),
        progress: &Progress,
    ) -> Result<Self> {
        let mut segments = Vec::with_capacity(snapshot.segments().len());
        for (segment, set) in snapshot.segments().iter().zip(set.segments()) {
            let holders = match only {
                None => None,
                Some(latents) => Some(holders(segment, latents)?),
            };
            let n_docs = segment.latents.n_docs();
            progress.announce(n_docs.into())?;
            let chunks = (0..n_docs.div_ceil(CHUNK))
                .into_par_iter()
                .map(|chunk| {
                    let docs = chunk * CHUNK..n_docs.min((chunk + 1) * CHUNK);
                    let is_packed = |doc| {
                        set.contains(doc) && holders.as_ref().is_none_or(|docs| docs.contains(doc))
                    };
                    let read = with_tokens.then_some((snapshot, segment.base));
                    let packed = Chunk::new(segment, docs.clone(), &is_packed, floor, read)?;
                    progress.advance(docs.len() as u64)?;
                    Ok(packed)
                })
                .collect::<Result<Vec<Chunk<L>>>>()?;
            segments.push((segment, chunks));
        }
        let chunks = segments.iter().flat_map(|(_, chunks)| chunks);
        Ok(Self {
            with_positions: chunks.map(|chunk| chunk.with_positions).sum(),
            segments,
        })
    }

    /// Documents with positions, where tokens are compared.
    pub fn with_positions(&self) -> u64 {
        self.with_positions
    }

    /// Adds the rows of the documents that have `i` to `counter`: with `above`, only what is above
    /// `i`.
    pub fn count(&self, i: u32, above: bool, counter: &mut PairCounter) {
        let Some(packed) = L::pack(i) else {
            return;
        };
        for (segment, chunks) in &self.segments {
            let Some(list) = segment.latents.list(i) else {
                continue;
            };
            list.for_each(|docs, _| {
                for (at, &doc) in docs.iter().enumerate() {
                    if let Some(&ahead) = docs.get(at + AHEAD) {
                        let (chunk, range) = row(chunks, ahead);
                        prefetch(&chunk.latents[range]);
                    }
                    let (chunk, range) = row(chunks, doc);
                    chunk.add_row(range, packed, above, counter);
                }
            });
        }
    }
}

/// Where the row of a document lies.
fn row<L>(chunks: &[Chunk<L>], doc: u32) -> (&Chunk<L>, Range<usize>) {
    let chunk = &chunks[(doc / CHUNK) as usize];
    let at = (doc % CHUNK) as usize;
    (chunk, chunk.ends[at] as usize..chunk.ends[at + 1] as usize)
}

impl<L: Packed> Chunk<L> {
    fn new(
        segment: &SegmentView,
        docs: Range<u32>,
        is_packed: &dyn Fn(u32) -> bool,
        floor: Floor,
        read: Option<(&Snapshot, u32)>,
    ) -> Result<Self> {
        let rows = segment.latents.rows();
        let mut chunk = Self {
            ends: Vec::with_capacity(docs.len() + 1),
            latents: Vec::with_capacity(rows.entries(docs.clone())),
            tokens: Vec::new(),
            with_positions: 0,
        };
        chunk.ends.push(0);
        for doc in docs {
            if is_packed(doc) {
                let row = rows.row(doc);
                let active = row.latents.iter().zip(row.activations);
                let active = active.filter(|(_, half): &(_, &f16)| floor.passes(**half));
                chunk
                    .latents
                    .extend(active.filter_map(|(&latent, _)| L::pack(latent)));
                if let Some((snapshot, base)) = read {
                    chunk.read_tokens(snapshot, base + doc)?;
                }
            }
            let end = u32::try_from(chunk.latents.len())
                .map_err(|_| Error::internal("more entries in a chunk than can be numbered"))?;
            chunk.ends.push(end);
        }
        Ok(chunk)
    }

    /// Reads the positions of the document whose latents were packed last.
    fn read_tokens(&mut self, snapshot: &Snapshot, doc: u32) -> Result<()> {
        let stored = snapshot.stored(doc)?;
        let positions = stored.positions();
        self.with_positions += u64::from(!positions.is_empty());
        let mut positions = positions.iter().peekable();
        for latent in &self.latents[self.tokens.len()..] {
            let place = latent.place();
            while positions
                .next_if(|position| (position.latent as usize) < place)
                .is_some()
            {}
            let found = positions.next_if(|position| position.latent as usize == place);
            self.tokens
                .push(found.map_or(NO_TOKEN, |position| position.token));
        }
        Ok(())
    }

    /// Adds a row that has `i`.
    fn add_row(&self, range: Range<usize>, i: L, above: bool, counter: &mut PairCounter) {
        let latents = &self.latents[range.clone()];
        let after = up_to(latents, i);
        // The list knows more documents than the set, and weaker activations.
        if after == 0 || latents[after - 1] != i {
            return;
        }
        let start = if above { after } else { 0 };
        if self.tokens.is_empty() {
            counter.add(&latents[start..]);
        } else {
            let tokens = &self.tokens[range];
            counter.add_by_token(&latents[start..], &tokens[start..], tokens[after - 1]);
        }
    }
}

/// How many of ascending numbers are at most `i`.
fn up_to<L: Packed>(latents: &[L], i: L) -> usize {
    if latents.len() > SHORT_ROW {
        return latents.partition_point(|&latent| latent <= i);
    }
    // No branch depends on a number, so this is vectorised and nothing is mispredicted.
    let count: u16 = latents.iter().map(|&latent| u16::from(latent <= i)).sum();
    count.into()
}

/// The documents that have one of `latents`.
fn holders(segment: &SegmentView, latents: &[u32]) -> Result<RoaringBitmap> {
    let mut docs = RoaringBitmap::new();
    for &latent in latents {
        if let Some(list) = segment.latents.list(latent) {
            docs |= list.set()?;
        }
    }
    Ok(docs)
}
