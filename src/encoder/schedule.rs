//! Many texts over the cores: batches of about equal work, one worker per core.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::scratch::Scratch;
use crate::error::Result;
use crate::progress::Progress;

/// Tokens of a batch. Fewer leave the last tile of each product part empty, more push its
/// intermediate values (20 KB a token) out of the last-level cache.
const BATCH_TOKENS: usize = 768;
/// Below this a second worker costs more than it saves: both would stream all weights through
/// the memory bus.
const LEAST_TOKENS: usize = 96;
/// Rough bytes per token, to size batches before anything is tokenized.
const BYTES_PER_TOKEN: usize = 5;

/// The scratch buffers of workers that are not running.
#[derive(Default)]
pub(super) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    fn take(&self) -> Scratch {
        self.0
            .lock()
            .ok()
            .and_then(|mut pool| pool.pop())
            .unwrap_or_default()
    }

    fn give(&self, scratch: Scratch) {
        if let Ok(mut pool) = self.0.lock() {
            pool.push(scratch);
        }
    }
}

/// About how many tokens `text` makes.
pub(super) fn estimate_tokens(text: &str, max_tokens: usize) -> usize {
    (text.len() / BYTES_PER_TOKEN + 2).min(max_tokens)
}

/// Splits texts into runs of about equal work, none split, in order.
///
/// Sequences are not padded, so texts need no sorting by length: neighbours share a batch.
pub(super) fn plan(texts: &[&str], max_tokens: usize, threads: usize) -> Vec<Range<usize>> {
    let estimates = texts.iter().map(|text| estimate_tokens(text, max_tokens));
    let total: usize = estimates.clone().sum();
    let target = total.div_ceil(threads).clamp(LEAST_TOKENS, BATCH_TOKENS);
    let mut batches = Vec::with_capacity(total / target + 1);
    let (mut start, mut tokens) = (0, 0);
    for (index, estimate) in estimates.enumerate() {
        if index > start && tokens + estimate > target {
            batches.push(start..index);
            (start, tokens) = (index, 0);
        }
        tokens += estimate;
    }
    if start < texts.len() {
        batches.push(start..texts.len());
    }
    batches
}

/// Encodes a batch of texts: their vectors, row-major.
type Encode<'e> = dyn Fn(&[&str], &mut Scratch) -> Result<Vec<f32>> + Sync + 'e;
/// Workers that encode batches of texts.
pub(super) struct Workers<'e> {
    /// One per core that may be used.
    pub threads: usize,
    /// Buffers kept from call to call.
    pub scratches: &'e ScratchPool,
    /// What they do.
    pub encode: &'e Encode<'e>,
}

impl Workers<'_> {
    /// The vectors of `texts`, `[texts.len(), width]`, in the order of the texts.
    pub fn run(
        &self,
        texts: &[&str],
        batches: &[Range<usize>],
        width: usize,
        progress: &Progress,
    ) -> Result<Vec<f32>> {
        progress.announce(texts.len() as u64)?;
        let mut all = vec![0.0; texts.len() * width];
        let mut accept = |(batch, rows): (&Range<usize>, Result<Vec<f32>>)| {
            all[batch.start * width..batch.end * width].copy_from_slice(&rows?);
            progress.advance(batch.len() as u64)
        };
        let encode = |batch| {
            let mut scratch = self.scratches.take();
            let rows = (self.encode)(&texts[Range::clone(batch)], &mut scratch);
            self.scratches.give(scratch);
            (batch, rows)
        };
        let threads = self.threads.min(batches.len());
        if threads <= 1 {
            batches.iter().map(encode).try_for_each(accept)?;
        } else {
            let next = AtomicUsize::new(0);
            let take = || batches.get(next.fetch_add(1, Ordering::Relaxed));
            side_by_side(
                threads,
                take,
                |batch, _: &mut ()| encode(batch),
                &mut accept,
            )?;
        }
        Ok(all)
    }
}

/// On each of `threads` threads, takes the next item until there is none and works on it, with memory
/// of the thread's own. The calling thread accepts what comes of it, in no order; workers wait when it
/// falls behind, and end when it fails.
pub(super) fn side_by_side<I, S: Default, T: Send>(
    threads: usize,
    take: impl Fn() -> Option<I> + Sync,
    work: impl Fn(I, &mut S) -> T + Sync,
    accept: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(threads);
        for _ in 0..threads {
            let (sender, take, work) = (sender.clone(), &take, &work);
            scope.spawn(move || {
                let mut memory = S::default();
                while let Some(item) = take() {
                    if sender.send(work(item, &mut memory)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let outcome = receiver.iter().try_for_each(accept);
        // A worker that waits to send sees that nobody takes.
        drop(receiver);
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn batches_cover_every_text_once_in_order() {
        let texts: Vec<String> = (0..57).map(|i| "word ".repeat(i * 7 % 300)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for threads in [1, 2, 5] {
            let batches = plan(&texts, 256, threads);
            let flat: Vec<usize> = batches.iter().cloned().flatten().collect();
            assert_eq!(flat, (0..texts.len()).collect::<Vec<_>>());
            for batch in &batches {
                let tokens: usize = texts[batch.clone()]
                    .iter()
                    .map(|text| estimate_tokens(text, 256))
                    .sum();
                assert!(batch.len() == 1 || tokens <= BATCH_TOKENS);
            }
        }
        assert!(plan(&[], 256, 2).is_empty());
    }

    #[test]
    fn a_stopped_call_ends_at_its_next_batch() {
        let texts = vec!["text"; 1000];
        let batches: Vec<Range<usize>> = (0..texts.len()).map(|at| at..at + 1).collect();
        for threads in [1, 3] {
            let progress = Progress::default();
            let encode = |texts: &[&str], _: &mut Scratch| {
                progress.stop();
                Ok(vec![1.0; texts.len()])
            };
            let workers = Workers {
                threads,
                scratches: &ScratchPool::default(),
                encode: &encode,
            };
            let error = workers.run(&texts, &batches, 1, &progress).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled);
            assert_eq!(progress.units(), (1, 1000));
        }
    }

    #[test]
    fn a_few_short_texts_stay_on_one_worker() {
        assert_eq!(plan(&["one", "two", "three"], 256, 8), vec![0..3]);
        let long = "word ".repeat(250);
        assert_eq!(plan(&[&long, &long], 256, 2).len(), 2);
    }
}
