//! Concurrent requests -> shared batches, on one thread of their own, which gives way; a query -> a thread that
//! does not.
//!
//! Encoding is processor work of milliseconds to minutes, so it never runs on the async runtime.
//! The worker goes in rounds: each takes some texts of every waiting request, about one batch per
//! core, so that a document is answered within a round while an upload of thousands goes
//! on. A request whose future was dropped is forgotten at the next round. What somebody waits for at a keyboard,
//! a query of a few hundred tokens, waits for no round: it is encoded beside it, and goes first.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::SentenceEncoder;
use super::schedule::estimate_tokens;
use crate::error::{Error, Result};
use crate::priority::{give_way, gives_way};
use crate::progress::Progress;
use crate::reading::Role;

/// Requests that may wait to be taken; further callers wait in their future.
const QUEUE: usize = 256;
/// Requests that share rounds.
const ACTIVE: usize = 256;
/// Tokens per core and round: about an eighth of a second.
const ROUND_TOKENS: usize = 768;
/// Estimated tokens of what counts as a query: one text of any length for most models, several short ones.
const QUERY_TOKENS: usize = 512;

/// An async handle on a [`SentenceEncoder`]: requests that come together are encoded together.
///
/// Clones share one worker thread, which ends when the last of them is dropped.
#[derive(Clone)]
pub struct BatchingEncoder {
    encoder: Arc<SentenceEncoder>,
    queue: mpsc::Sender<Request>,
    watch: Watch,
}

/// Is told of texts that were encoded together, and the time it took.
type Watch = Arc<dyn Fn(usize, Duration) + Send + Sync>;

impl fmt::Debug for BatchingEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("BatchingEncoder");
        all.field("encoder", &self.encoder).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Request {
    /// Behind their prompts.
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    /// Stopped when the caller's future is dropped.
    progress: Arc<Progress>,
    reply: oneshot::Sender<Result<Vec<Vec<f32>>>>,
}

impl BatchingEncoder {
    /// Starts the worker thread; `watch` is told of each round its texts and its time. Without a thread (the
    /// system refuses it) requests of more than a query fail.
    pub fn new(
        encoder: Arc<SentenceEncoder>,
        watch: impl Fn(usize, Duration) + Send + Sync + 'static,
    ) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let watch: Watch = Arc::new(watch);
        let worker = Worker {
            encoder: encoder.clone(),
            requests,
            active: VecDeque::new(),
            watch: watch.clone(),
        };
        // A thread that could not be started drops the receiver, which is what callers see.
        let _ = std::thread::Builder::new()
            .name("sentence-encoder".to_owned())
            .spawn(move || worker.run());
        Self {
            encoder,
            queue,
            watch,
        }
    }

    /// The underlying encoder.
    pub fn encoder(&self) -> &Arc<SentenceEncoder> {
        &self.encoder
    }

    /// The vectors of `texts`, in their order, [`SentenceEncoder::dimension`] values each.
    ///
    /// Waits for a place when the queue is full. Dropping the future gives the request up. A query of a thread
    /// that does not give way has no queue.
    ///
    /// # Errors
    /// Those of [`SentenceEncoder::encode`], and `Internal` when the worker is gone.
    pub async fn encode(&self, mut texts: Vec<String>, role: Role) -> Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        if !self.encoder.identity().prompts.of(role).is_empty() {
            for text in &mut texts {
                *text = self.encoder.prompted(text, role).into_owned();
            }
        }
        if !gives_way() && self.is_query(&texts) {
            return self.encode_now(texts).await;
        }
        let gone = || Error::internal("the worker of the sentence encoder has stopped");
        let (reply, answer) = oneshot::channel();
        let progress = Arc::new(Progress::default());
        let _waiting = progress.stop_on_drop();
        let request = Request {
            vectors: Vec::with_capacity(texts.len()),
            texts,
            progress,
            reply,
        };
        self.queue.send(request).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    fn is_query(&self, texts: &[String]) -> bool {
        let most = self.encoder.max_tokens();
        let estimates = texts.iter().map(|text| estimate_tokens(text, most));
        estimates.sum::<usize>() <= QUERY_TOKENS
    }

    async fn encode_now(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let progress = Arc::new(Progress::default());
        let _waiting = progress.stop_on_drop();
        let (encoder, watch) = (self.encoder.clone(), self.watch.clone());
        let encoding = tokio::task::spawn_blocking(move || {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let begun = Instant::now();
            let rows = progress.during(|| encoder.encode_prompted(&texts, &progress))?;
            watch(texts.len(), begun.elapsed());
            let rows = rows.chunks_exact(encoder.dimension());
            Ok(rows.map(<[f32]>::to_vec).collect())
        });
        encoding
            .await
            .map_err(|error| Error::internal("encoding broke off").with_source(error))?
    }
}

struct Worker {
    encoder: Arc<SentenceEncoder>,
    requests: mpsc::Receiver<Request>,
    active: VecDeque<Request>,
    watch: Watch,
}

impl Worker {
    fn run(mut self) {
        give_way();
        loop {
            if self.active.is_empty() {
                match self.requests.blocking_recv() {
                    Some(request) => self.active.push_back(request),
                    None => return,
                }
            }
            while self.active.len() < ACTIVE
                && let Ok(request) = self.requests.try_recv()
            {
                self.active.push_back(request);
            }
            self.active.retain(|request| !request.progress.is_stopped());
            self.round();
        }
    }

    /// Encodes the next share of every active request and answers those that are complete.
    fn round(&mut self) {
        let shares = shares(
            &self.active,
            self.encoder.threads * ROUND_TOKENS,
            self.encoder.max_tokens(),
        );
        let texts: Vec<&str> = self
            .active
            .iter()
            .zip(&shares)
            .flat_map(|(request, &share)| {
                let done = request.vectors.len();
                request.texts[done..done + share].iter().map(String::as_str)
            })
            .collect();
        // A round is short: what nobody waits for any more is forgotten after it.
        let begun = Instant::now();
        match self.encoder.encode_prompted(&texts, &Progress::default()) {
            Ok(rows) => {
                (self.watch)(texts.len(), begun.elapsed());
                self.hand_out(&rows, &shares);
            }
            Err(error) => self.fail(&shares, &error),
        }
    }

    fn hand_out(&mut self, rows: &[f32], shares: &[usize]) {
        let mut rows = rows.chunks_exact(self.encoder.dimension());
        for (request, &share) in self.active.iter_mut().zip(shares) {
            let own = rows.by_ref().take(share).map(<[f32]>::to_vec);
            request.vectors.extend(own);
        }
        let (complete, active) = std::mem::take(&mut self.active)
            .into_iter()
            .partition::<VecDeque<_>, _>(|request| request.vectors.len() == request.texts.len());
        self.active = active;
        for request in complete {
            // The caller may have left; then nobody wants the vectors.
            let _ = request.reply.send(Ok(request.vectors));
        }
    }

    /// Answers every request of a failed round with the error, or encodes the requests apart when
    /// several shared it: one bad text must not fail its neighbours.
    fn fail(&mut self, shares: &[usize], error: &Error) {
        let sharing = shares.iter().filter(|&&share| share > 0).count();
        let mut waiting = VecDeque::new();
        for (request, &share) in std::mem::take(&mut self.active).into_iter().zip(shares) {
            if share == 0 {
                waiting.push_back(request);
            } else if sharing == 1 {
                let _ = request
                    .reply
                    .send(Err(Error::new(error.kind(), error.to_string())));
            } else {
                let texts: Vec<&str> = request.texts.iter().map(String::as_str).collect();
                let rows = self.encoder.encode_prompted(&texts, &request.progress);
                let width = self.encoder.dimension();
                let answer =
                    rows.map(|rows| rows.chunks_exact(width).map(<[f32]>::to_vec).collect());
                let _ = request.reply.send(answer);
            }
        }
        self.active = waiting;
    }
}

/// How many texts of each request go into the next round: one of the oldest, then in turn one of each, those
/// with the fewest texts first, until `budget` tokens are gathered; at least one text in all. So a query is in
/// the next round however many uploads are before it, and each upload comes to its end.
fn shares(active: &VecDeque<Request>, budget: usize, max_tokens: usize) -> Vec<usize> {
    let mut shares = vec![0; active.len()];
    let mut tokens = 0;
    let mut take = |at: usize| {
        let request: &Request = &active[at];
        let next = request.texts.get(request.vectors.len() + shares[at]);
        let estimate = next.map(|text| estimate_tokens(text, max_tokens));
        let taken = estimate.filter(|estimate| tokens == 0 || tokens + estimate <= budget);
        if let Some(estimate) = taken {
            tokens += estimate;
            shares[at] += 1;
        }
        taken.is_some()
    };
    if !active.is_empty() {
        take(0);
    }
    let mut order: Vec<usize> = (0..active.len()).collect();
    order.sort_by_key(|&at| active[at].texts.len() - active[at].vectors.len());
    // Each in turn, whatever became of those before it.
    while order.iter().filter(|&&at| take(at)).count() > 0 {}
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(texts: &[&str], done: usize) -> Request {
        Request {
            texts: texts.iter().map(|&text| text.to_owned()).collect(),
            vectors: vec![Vec::new(); done],
            progress: Arc::default(),
            reply: oneshot::channel().0,
        }
    }

    #[test]
    fn a_round_takes_from_every_request_in_turn() {
        // Each text is estimated at 10 / 5 + 2 = 4 tokens.
        let texts = ["0123456789"; 40];
        let active = VecDeque::from([request(&texts, 0), request(&texts[..2], 1)]);
        assert_eq!(shares(&active, 20, 256), [4, 1]);
        assert_eq!(shares(&active, 10_000, 256), [40, 1]);
    }

    #[test]
    fn a_query_is_in_the_next_round_behind_any_number_of_uploads() {
        let texts = ["0123456789"; 40];
        let mut active: VecDeque<Request> = (0..10).map(|_| request(&texts, 0)).collect();
        active.push_back(request(&texts[..1], 0));
        let shares = shares(&active, 20, 256);
        assert_eq!((shares[0], shares[10]), (2, 1));
        assert_eq!(shares.iter().sum::<usize>(), 5);
    }

    #[test]
    fn a_round_takes_a_text_that_is_longer_than_its_budget() {
        let long = "x".repeat(5_000);
        let active = VecDeque::from([request(&[&long, &long], 0), request(&["a"], 0)]);
        let shares = shares(&active, 100, 10_000);
        assert_eq!(shares.iter().sum::<usize>(), 1);
    }
}
