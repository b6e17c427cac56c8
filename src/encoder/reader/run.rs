//! Many texts over the cores: one worker per core takes the next batch until there is none, and
//! what it makes is handed out in the order of the texts.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::text::{Sequence, Texts, TokenSpan};
use crate::encoder::network::Network;
use crate::encoder::schedule::side_by_side;
use crate::encoder::scratch::Scratch;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Tokens of a batch, as in `schedule`: fewer leave the last tile of a product part empty, more
/// push intermediate values out of the caches.
const BATCH_TOKENS: usize = 768;

/// The token states of a batch. The tokens of a text follow one another, over batches too.
#[derive(Clone, Copy, Debug)]
pub struct TokenBatch<'b> {
    /// States, `[tokens.len(), width]`.
    pub states: &'b [f32],
    /// The token of each state.
    pub tokens: &'b [ReadToken],
}

/// The token of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadToken {
    /// The text's position among those that are read.
    pub text: usize,
    /// The token's place in it; `None` for control and template tokens.
    pub span: Option<TokenSpan>,
}

/// The next batches of the texts.
struct Planner<'t> {
    source: &'t Texts,
    texts: &'t [&'t str],
    next: usize,
    /// Sequences of a text that a batch had no room for, in reverse.
    waiting: Vec<(usize, Sequence)>,
    batches: usize,
}

struct Batch {
    number: usize,
    sequences: Vec<(usize, Sequence)>,
}

impl Planner<'_> {
    fn next(&mut self) -> Result<Option<Batch>> {
        let mut sequences: Vec<(usize, Sequence)> = Vec::new();
        let mut tokens = 0;
        loop {
            while let Some((text, sequence)) = self.waiting.pop() {
                let length = sequence.ids.len();
                if tokens > 0 && tokens + length > BATCH_TOKENS {
                    self.waiting.push((text, sequence));
                    return Ok(Some(self.close(sequences)));
                }
                tokens += length;
                sequences.push((text, sequence));
            }
            let Some(text) = self.texts.get(self.next) else {
                let is_done = sequences.is_empty();
                return Ok((!is_done).then(|| self.close(sequences)));
            };
            let made = self.source.sequences(text)?.into_iter();
            self.waiting.extend(made.map(|one| (self.next, one)).rev());
            self.next += 1;
        }
    }

    fn close(&mut self, sequences: Vec<(usize, Sequence)>) -> Batch {
        self.batches += 1;
        Batch {
            number: self.batches - 1,
            sequences,
        }
    }
}

/// What a worker makes of a batch.
struct Finished<T> {
    number: usize,
    /// The text of its last sequence: those before it are done.
    last_text: usize,
    result: T,
}

/// Workers that run a model on texts.
pub(super) struct Workers<'r> {
    pub model: &'r Network,
    /// Texts to sequences of tokens.
    pub texts: &'r Texts,
    pub threads: usize,
}

impl Workers<'_> {
    /// See [`super::Reader::read`].
    pub fn run<T: Send>(
        &self,
        texts: &[&str],
        progress: &Progress,
        work: &(dyn Fn(TokenBatch<'_>) -> Result<T> + Sync),
        sink: &mut dyn FnMut(T) -> Result<()>,
    ) -> Result<()> {
        progress.announce(texts.len() as u64)?;
        let planner = Mutex::new(Planner {
            source: self.texts,
            texts,
            next: 0,
            waiting: Vec::new(),
            batches: 0,
        });
        let take = || match planner.lock() {
            Ok(mut planner) => planner.next().transpose(),
            Err(_) => Some(Err(Error::internal("a worker of the reader has stopped"))),
        };
        let make = |batch: Result<Batch>, (scratch, states): &mut (Scratch, Vec<f32>)| {
            self.one(&batch?, scratch, states, work)
        };
        let (mut early, mut next, mut done) = (BTreeMap::new(), 0, 0);
        side_by_side(self.threads, take, make, &mut |made: Result<
            Finished<T>,
        >| {
            let made = made?;
            early.insert(made.number, made);
            while let Some(made) = early.remove(&next) {
                next += 1;
                sink(made.result)?;
                progress.advance((made.last_text - done) as u64)?;
                done = made.last_text;
            }
            Ok(())
        })?;
        progress.advance((texts.len() - done) as u64)
    }

    fn one<T>(
        &self,
        batch: &Batch,
        scratch: &mut Scratch,
        states: &mut Vec<f32>,
        work: &(dyn Fn(TokenBatch<'_>) -> Result<T> + Sync),
    ) -> Result<Finished<T>> {
        let width = self.model.width();
        let ids: Vec<&[u32]> = batch
            .sequences
            .iter()
            .map(|(_, one)| one.as_ref())
            .collect();
        let mut all = self.model.forward(&ids, scratch)?;
        let mut tokens = Vec::new();
        states.clear();
        for (text, sequence) in &batch.sequences {
            let (own, rest) = all.split_at(sequence.ids.len() * width);
            all = rest;
            for &(row, span) in &sequence.rows {
                states.extend_from_slice(&own[row * width..(row + 1) * width]);
                tokens.push(ReadToken { text: *text, span });
            }
        }
        let result = work(TokenBatch {
            states,
            tokens: &tokens,
        })?;
        Ok(Finished {
            number: batch.number,
            last_text: batch.sequences.last().map_or(0, |(text, _)| *text),
            result,
        })
    }
}
