//! A labeller and a judge behind any endpoint that speaks the chat part of the OpenAI API (vLLM,
//! Ollama, llama.cpp, hosted ones).
//!
//! Requests run side by side over kept connections, at a bounded rate, within a budget of tokens.
//! What may pass (refused connections, timeouts, 408, 429, 5xx, answers that are none) is tried
//! again after the time that `Retry-After` names, else after a time that doubles.

mod pick;
mod select;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::judge::{JUDGED_CHARACTERS, Judge};
use super::prompt::{
    Prompt, Shown, clean_label, clean_query, clean_sentence, holds_prompt, judge_prompt,
    label_prompt, read_scores, read_yes_no, rewrite_prompt, sentence_prompt,
};
use super::{Annotator, Evidence, Labeller, Naming, Passage};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// What a label prompt shows (arXiv 2512.10092: ten activating documents and ten others).
const SHOWN: Shown = Shown {
    documents: 10,
    characters: 700,
};
/// Maximum tokens of a label's answer, and of a score's line.
const LABEL_TOKENS: u32 = 64;
const SCORE_TOKENS: u32 = 12;
/// The same of a sentence, and of a yes or no.
const SENTENCE_TOKENS: u32 = 96;
const YES_NO_TOKENS: u32 = 8;
/// Characters of a document that is judged on its own.
const HELD_CHARACTERS: usize = 2_000;
/// Times a model is asked when what it says is not of the form asked for.
const ASKED: usize = 2;
/// Longest time between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// A chat endpoint and its limits.
#[derive(Clone, PartialEq)]
pub struct ChatConfig {
    /// Its base address, to which `/chat/completions` is added: `http://127.0.0.1:11434/v1`.
    pub url: String,
    /// The model.
    pub model: String,
    /// The key that is sent as a bearer token.
    pub key: Option<String>,
    /// Timeout of a request.
    pub timeout: Duration,
    /// Attempts at one request.
    pub attempts: u32,
    /// Time before the second attempt; doubled with each further one.
    pub backoff: Duration,
    /// Usage limits.
    pub limits: ChatLimits,
}

/// Usage limits of a chat endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatLimits {
    /// Requests under way at once.
    pub concurrency: usize,
    /// Requests started a minute; `None` for no bound.
    pub requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers together, as the endpoint counts them; `None` for no bound.
    pub tokens: Option<u64>,
}

impl Default for ChatLimits {
    fn default() -> Self {
        Self {
            concurrency: 4,
            requests_per_minute: None,
            tokens: None,
        }
    }
}

impl ChatConfig {
    /// An endpoint without a key, with the usual bounds.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key: None,
            timeout: Duration::from_secs(120),
            attempts: 6,
            backoff: Duration::from_secs(1),
            limits: ChatLimits::default(),
        }
    }
}

impl fmt::Debug for ChatConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatConfig")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("key", &self.key.as_ref().map(|_| "..."))
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A model behind a chat endpoint. Calls from several threads share its connections and bounds.
pub struct ChatModel {
    config: ChatConfig,
    address: String,
    agent: ureq::Agent,
    /// Tokens that were used, and those that requests under way may use.
    used: AtomicU64,
    next_start: Mutex<Instant>,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: u64,
}

/// Why an attempt gave nothing.
enum Failure {
    /// It may succeed later, after this time where the endpoint says so.
    Passing(String, Option<Duration>),
    /// It will not.
    Lasting(Error),
}

impl ChatModel {
    /// A client of the endpoint; nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed address.
    pub fn new(config: ChatConfig) -> Result<Self> {
        let is_http = ["http://", "https://"]
            .iter()
            .any(|scheme| config.url.starts_with(scheme));
        if !is_http || config.url.parse::<ureq::http::Uri>().is_err() {
            return Err(Error::invalid(
                "chat-url",
                format!(
                    "{:?} is not accepted: an http or https address is",
                    config.url
                ),
            ));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(config.timeout))
            .http_status_as_error(false)
            .max_idle_connections_per_host(config.limits.concurrency.max(1))
            .max_idle_connections(config.limits.concurrency.max(1))
            // A key must not follow a redirect to another host.
            .max_redirects(0)
            .build()
            .new_agent();
        Ok(Self {
            address: format!("{}/chat/completions", config.url.trim_end_matches('/')),
            agent,
            used: AtomicU64::new(0),
            next_start: Mutex::new(Instant::now()),
            config,
        })
    }

    /// The model's answer to a prompt.
    ///
    /// # Errors
    /// `ResourceExhausted` when the budget of tokens does not cover it, `FailedPrecondition` when
    /// the endpoint refuses it for good, `Unavailable` when every attempt failed, `Cancelled`.
    fn ask(&self, prompt: &Prompt, most_tokens: u32, progress: &Progress) -> Result<String> {
        // About four bytes a token; corrected by what the endpoint counts.
        let bytes = prompt.system.len() + prompt.user.len();
        let estimate = bytes as u64 / 4 + u64::from(most_tokens);
        self.reserve(estimate)?;
        let result = self.ask_within(prompt, most_tokens, progress);
        let counted = match &result {
            Ok((_, counted)) => counted.unwrap_or(estimate),
            Err(_) => 0,
        };
        self.used.fetch_add(counted, Ordering::Relaxed);
        self.used.fetch_sub(estimate, Ordering::Relaxed);
        result.map(|(text, _)| text)
    }

    fn reserve(&self, estimate: u64) -> Result<()> {
        let before = self.used.fetch_add(estimate, Ordering::Relaxed);
        match self.config.limits.tokens {
            Some(budget) if before + estimate > budget => {
                self.used.fetch_sub(estimate, Ordering::Relaxed);
                Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    format!(
                        "the budget of {budget} tokens is used up but for what the next request \
                         may take; what was done is kept, and the same call with a larger budget \
                         goes on"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    fn ask_within(
        &self,
        prompt: &Prompt,
        most_tokens: u32,
        progress: &Progress,
    ) -> Result<(String, Option<u64>)> {
        let body = json!({
            "model": self.config.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "max_tokens": most_tokens,
            "temperature": 0,
        })
        .to_string();
        let mut attempt = 0;
        loop {
            self.wait_for_turn(progress)?;
            let failure = match self.attempt(&body) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(why, after)) => (why, after),
            };
            attempt += 1;
            if attempt >= self.config.attempts.max(1) {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!(
                        "the chat endpoint {} gave no answer in {attempt} attempts: {}",
                        self.config.url, failure.0
                    ),
                ));
            }
            let doubled = self.config.backoff * 2_u32.saturating_pow(attempt - 1);
            let wait = failure.1.unwrap_or(doubled).min(LONGEST_WAIT);
            tracing::info!(why = failure.0, ?wait, "the chat endpoint is asked again");
            sleep(wait, progress)?;
        }
    }

    /// Waits until the rate allows another request.
    fn wait_for_turn(&self, progress: &Progress) -> Result<()> {
        progress.check()?;
        let Some(rate) = self.config.limits.requests_per_minute else {
            return Ok(());
        };
        let turn = {
            let mut next = self.next_start.lock();
            let turn = (*next).max(Instant::now());
            *next = turn + Duration::from_secs(60) / rate.max(1);
            turn
        };
        sleep(turn.saturating_duration_since(Instant::now()), progress)
    }

    fn attempt(&self, body: &str) -> std::result::Result<(String, Option<u64>), Failure> {
        let mut request = self
            .agent
            .post(&self.address)
            .header("content-type", "application/json");
        if let Some(key) = &self.config.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let passing = |error: ureq::Error| Failure::Passing(error.to_string(), None);
        let mut response = request.send(body).map_err(passing)?;
        let status = response.status().as_u16();
        let after = retry_after(response.headers());
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_BYTES)
            .read_to_string()
            .map_err(passing)?;
        let excerpt = || super::prompt::excerpt(&text, 300);
        match status {
            200..300 => {
                let answer: Answer = serde_json::from_str(&text).map_err(|error| {
                    Failure::Passing(format!("an answer is not readable ({error})"), None)
                })?;
                let content = answer.choices.into_iter().next();
                let content = content.and_then(|choice| choice.message.content);
                let content = content
                    .ok_or_else(|| Failure::Passing("an answer has no text".to_owned(), None))?;
                Ok((content, answer.usage.map(|usage| usage.total_tokens)))
            }
            408 | 429 | 500.. => Err(Failure::Passing(
                format!("status {status}: {}", excerpt()),
                after,
            )),
            _ => Err(Failure::Lasting(Error::precondition(format!(
                "the chat endpoint {} refuses the request with status {status}: {}",
                self.config.url,
                excerpt()
            )))),
        }
    }
}

/// The time that `Retry-After` names, in seconds or as a date.
fn retry_after(headers: &ureq::http::HeaderMap) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.timestamp()).ok()?);
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Sleeps, unless the work is given up.
fn sleep(time: Duration, progress: &Progress) -> Result<()> {
    let until = Instant::now() + time;
    loop {
        progress.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

impl ChatModel {
    /// A search query rewritten so that it is about a concept too, and less about another; `None` where the model
    /// gives nothing usable.
    ///
    /// # Errors
    /// As [`Labeller::label`].
    pub fn rewrite(
        &self,
        query: &str,
        up: &str,
        down: Option<&str>,
        progress: &Progress,
    ) -> Result<Option<String>> {
        let answer = self.ask(&rewrite_prompt(query, up, down), SENTENCE_TOKENS, progress)?;
        Ok(clean_query(&answer))
    }
}

impl Annotator for ChatModel {
    fn name(&self) -> String {
        format!("chat:{}", self.config.model)
    }

    /// Requests under way at once.
    fn concurrency(&self) -> usize {
        self.config.limits.concurrency.max(1)
    }

    fn tokens(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn characters(&self) -> Option<usize> {
        Some(JUDGED_CHARACTERS)
    }
}

impl Labeller for ChatModel {
    fn label(&self, evidence: &Evidence<'_>, progress: &Progress) -> Result<Naming> {
        if evidence.active.is_empty() {
            return Ok(Naming::None("no document that may be shown activates it"));
        }
        let mut prompt = label_prompt(evidence, SHOWN);
        for _ in 0..ASKED {
            let answer = self.ask(&prompt, LABEL_TOKENS, progress)?;
            if let Some(label) = clean_label(&answer) {
                return Ok(Naming::Name(label));
            }
            prompt.user.push_str(" (one to eight words, nothing else)");
        }
        Ok(Naming::None(
            "the model does not answer with one to eight words",
        ))
    }

    fn sentence(
        &self,
        label: &str,
        more: &str,
        fewer: &str,
        progress: &Progress,
    ) -> Result<Option<String>> {
        let prompt = sentence_prompt(label, more, fewer);
        let answer = self.ask(&prompt, SENTENCE_TOKENS, progress)?;
        Ok(clean_sentence(&answer))
    }
}

impl Judge for ChatModel {
    fn threshold(&self) -> Option<f64> {
        Some(0.0)
    }

    fn predict(
        &self,
        label: &str,
        trials: &[Passage<'_>],
        progress: &Progress,
    ) -> Result<Option<Vec<f64>>> {
        let texts = trials.iter();
        let texts: Vec<String> = texts
            .map(|text| text.unmarked_within(JUDGED_CHARACTERS))
            .collect();
        let mut prompt = judge_prompt(label, &texts);
        let tokens = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        let tokens = tokens.saturating_mul(SCORE_TOKENS).saturating_add(32);
        for _ in 0..ASKED {
            let answer = self.ask(&prompt, tokens, progress)?;
            if let Some(scores) = read_scores(&answer, texts.len()) {
                return Ok(Some(scores));
            }
            prompt
                .user
                .push_str(" (a line `number: score` for every text, nothing else)");
        }
        Ok(None)
    }

    fn holds(&self, label: &str, trial: &Passage<'_>, progress: &Progress) -> Result<Option<f64>> {
        let mut prompt = holds_prompt(label, &trial.unmarked_within(HELD_CHARACTERS));
        for _ in 0..ASKED {
            let answer = self.ask(&prompt, YES_NO_TOKENS, progress)?;
            if let Some(holds) = read_yes_no(&answer) {
                return Ok(Some(if holds { 1.0 } else { -1.0 }));
            }
            prompt.user.push_str(" (yes or no, nothing else)");
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
