//! Whether an SAE fits the vectors it meets: a wrong model, layer or normalisation still
//! multiplies cleanly, so FVU is measured on the last vectors of a collection, at level token on the
//! states of the first tokens of each write, and a poor one refuses the attach or the write.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use latentdb_index::{Activation, RecordKind, Snapshot};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::core::View;
use super::spec::{Gate, Level, ReaderRecord, SaeRecord, SaeSpec, to_json};
use crate::coder::TokenCoder;
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::sae::{Codes, Fit, Quality, Sae};

/// Fewest vectors that are judged: fewer say nothing about a variance.
const LEAST: usize = 64;
/// Vectors that a fit is measured on at most: the last ones.
pub(super) const WINDOW: usize = 4096;
/// Vectors of an attach, or token states of a write, that are measured at most.
const MOST: usize = 1024;
/// Vectors that small writes are gathered to, so that the window moves on by them.
const PART: usize = 256;
/// The limit for SAEs that say nothing of their own quality.
const DEFAULT_LIMIT: f64 = 0.6;
/// L0 of a threshold SAE may differ from that of its training by this factor.
const MOST_L0_RATIO: f64 = 2.0;

/// How an SAE fits the last vectors of a collection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitInfo {
    /// Vectors measured.
    pub vectors: usize,
    /// Their FVU, where it can be said.
    pub fvu: Option<f64>,
    /// The FVU of its training, if recorded.
    pub own_fvu: Option<f64>,
    /// Mean number of active latents, where it can be said.
    pub l0: Option<f64>,
    /// That of its training, if recorded.
    pub own_l0: Option<f64>,
    /// The limit it is held to.
    pub limit: f64,
    /// Whether a worse one is only logged.
    pub warn: bool,
}

impl Gate {
    /// The limit that holds for an SAE.
    pub fn limit_for(&self, sae: &Sae) -> f64 {
        self.limit.unwrap_or_else(|| {
            own_quality(sae).map_or(DEFAULT_LIMIT, |own| own.fvu + (0.5 * own.fvu).max(0.1))
        })
    }

    /// Judges a fit.
    ///
    /// # Errors
    /// `FailedPrecondition` saying what is probably wrong, where the fit is poor and the gate
    /// refuses.
    fn judge(&self, collection: &str, sae: &Sae, fit: &Fit, level: Level) -> Result<()> {
        let limit = self.limit_for(sae);
        let Some(fvu) = fit.fvu_of(sae).filter(|_| fit.rows() >= LEAST) else {
            return Ok(());
        };
        let message = if fvu > limit {
            refusal(sae, fit, (fvu, limit), level)
        } else if let Some(own) = strange_l0(sae, fit) {
            format!(
                "the SAE has {:.1} active latents in each of the last {} {}, and {own:.1} in its \
                 training: its threshold is not for these, which are probably of another model, layer \
                 or scale. Attach the SAE of these; or let it warn (fvu_warn) if this is the one",
                fit.l0(),
                fit.rows(),
                what(level)
            )
        } else {
            return Ok(());
        };
        if self.warn {
            tracing::warn!(collection, fvu, limit, "{message}");
            return Ok(());
        }
        Err(Error::precondition(message))
    }
}

/// The quality that an SAE's training measured, on held-out rows where there were any.
fn own_quality(sae: &Sae) -> Option<&Quality> {
    let report = sae.record().report.as_ref()?;
    Some(report.held_out.as_ref().unwrap_or(&report.trained))
}

/// The L0 of the training of an SAE with thresholds, where it is another here. (A top-k SAE has the
/// same on whatever vectors.)
fn strange_l0(sae: &Sae, fit: &Fit) -> Option<f64> {
    let own = own_quality(sae)?.l0;
    let is_near = fit.l0() <= own * MOST_L0_RATIO && fit.l0() * MOST_L0_RATIO >= own;
    (sae.has_thresholds() && !is_near).then_some(own)
}

fn what(level: Level) -> &'static str {
    match level {
        Level::Pooled => "vectors",
        Level::Token => "token states",
    }
}

/// What is wrong, probably.
fn refusal(sae: &Sae, fit: &Fit, (fvu, limit): (f64, f64), level: Level) -> String {
    let what = what(level);
    let trained_on = sae
        .record()
        .report
        .as_ref()
        .and_then(|report| report.mean_norm);
    let norms = match trained_on {
        Some(norm) => format!(
            "their mean length is {:.3}, and {norm:.3} in its training",
            fit.mean_norm()
        ),
        None => format!(
            "their mean length is {:.3}; many SAEs want 1, or the lengths of one layer",
            fit.mean_norm()
        ),
    };
    let about = &sae.record().about;
    let facts: Vec<String> = ["model_name", "lm_name", "hook_name", "layer", "encoder"]
        .iter()
        .filter_map(|name| about.get(*name).map(|value| format!("{name} {value}")))
        .collect();
    let made_for = if facts.is_empty() {
        String::new()
    } else {
        format!(" (it was made for {})", facts.join(", "))
    };
    format!(
        "the SAE leaves {fvu:.3} of the variance of the last {} {what} unexplained (FVU), above \
         the limit {limit:.3}: the {what} are probably of another model or layer than the SAE's\
         {made_for}, or normalised in another way ({norms}), or latents that came with them are another \
         SAE's. Attach the SAE of these {what}; or \
         raise the limit or let it warn (fvu_limit, fvu_warn) if this is the one",
        fit.rows()
    )
}

/// The fit of the last vectors, in parts, oldest first.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "KeptWindow")]
struct Window {
    parts: VecDeque<Fit>,
}

/// A window as it is kept, also by versions that kept one fit.
#[derive(Deserialize)]
#[serde(untagged)]
enum KeptWindow {
    Window { parts: VecDeque<Fit> },
    Fit(Fit),
}

impl From<KeptWindow> for Window {
    fn from(kept: KeptWindow) -> Self {
        match kept {
            KeptWindow::Window { parts } => Self { parts },
            KeptWindow::Fit(fit) => Self::of(fit),
        }
    }
}

impl Window {
    fn of(fit: Fit) -> Self {
        Self {
            parts: [fit].into(),
        }
    }

    /// Adds the fit of the newest vectors; the oldest leave.
    fn add(&mut self, fit: &Fit) {
        match self.parts.back_mut() {
            Some(last) if last.rows() + fit.rows() <= PART => last.append(fit),
            _ => self.parts.push_back(fit.clone()),
        }
        while self.rows() > WINDOW && self.parts.len() > 1 {
            self.parts.pop_front();
        }
    }

    fn rows(&self) -> usize {
        self.parts.iter().map(Fit::rows).sum()
    }

    fn fit(&self) -> Fit {
        let mut all = Fit::default();
        self.parts.iter().for_each(|part| all.append(part));
        all
    }
}

/// The window of one SAE of a collection, once vectors were measured.
type SharedWindow = Arc<Mutex<Option<Window>>>;

/// Fits of collections. They are of the SAE and the collection's vectors, so other SAEs that come and
/// go change nothing.
#[derive(Default)]
pub(super) struct Gates(Mutex<HashMap<Key, SharedWindow>>);

/// A collection's id, and the SAE's hash or, at level token, [`token_key`].
type Key = (String, String);

impl Gates {
    fn entry(&self, view: &View) -> SharedWindow {
        let mut entries = self.0.lock();
        entries.entry(view.label_key()).or_default().clone()
    }

    /// Forgets a collection.
    pub fn forget(&self, id: &str) {
        self.0.lock().retain(|(collection, _), _| collection != id);
    }

    /// Forgets what was measured on vectors with a view's SAE: it was attached, and meets them anew.
    pub fn restart(&self, view: &View) {
        self.0.lock().remove(&view.label_key());
    }

    /// Judges vectors that are about to be written, with their codes, together with the last ones.
    ///
    /// # Errors
    /// `FailedPrecondition` when the fit is poor and the gate refuses.
    pub fn admit(&self, view: &View, sae: &Sae, vectors: &[f32], codes: &Codes) -> Result<()> {
        if codes.rows() == 0 {
            return Ok(());
        }
        let entry = self.entry(view);
        let mut held = entry.lock();
        let mut window = match held.clone() {
            Some(window) => window,
            None => measured(&view.snapshot, sae)?,
        };
        let (d, mut at) = (sae.d_in(), 0);
        while at < codes.rows() {
            let end = codes.rows().min(at + MOST);
            let mut part = Codes::new();
            for (latents, activations) in codes.iter().skip(at).take(end - at) {
                part.push_row(latents.iter().copied().zip(activations.iter().copied()));
            }
            let mut fit = Fit::default();
            fit.add_coded(sae, &vectors[at * d..end * d], &part)?;
            window.add(&fit);
            at = end;
        }
        gate_of(view).judge(&view.name(), sae, &window.fit(), Level::Pooled)?;
        *held = Some(window);
        Ok(())
    }

    /// The fit of token states. They are not stored, so the catalog keeps what was measured.
    fn token_entry(&self, view: &View) -> Result<SharedWindow> {
        let key = (view.spec.record.id.clone(), token_key(view.list_entry())?);
        let mut entries = self.0.lock();
        if let Some(held) = entries.get(&key) {
            return Ok(held.clone());
        }
        let kept: Option<Window> = view.handle.record_of(RecordKind::TokenFit, &key.1)?;
        let held = Arc::new(Mutex::new(kept));
        entries.insert(key, held.clone());
        Ok(held)
    }

    /// How many token states of a write are judged.
    pub fn room(&self) -> usize {
        MOST
    }

    /// Judges what was measured on token states that are about to be written as latents, together
    /// with what was measured before.
    ///
    /// # Errors
    /// `FailedPrecondition` when the fit is poor and the gate refuses.
    pub fn admit_fit(&self, view: &View, sae: &Sae, fit: &Fit) -> Result<()> {
        if fit.rows() == 0 {
            return Ok(());
        }
        let entry = self.token_entry(view)?;
        let mut held = entry.lock();
        let mut window = held.clone().unwrap_or_default();
        window.add(fit);
        gate_of(view).judge(&view.name(), sae, &window.fit(), Level::Token)?;
        keep_token_fit(view, &window)?;
        *held = Some(window);
        Ok(())
    }

    /// Keeps what was measured on token states.
    pub fn keep_fit(&self, view: &View, fit: Fit) -> Result<()> {
        let entry = self.token_entry(view)?;
        let mut held = entry.lock();
        let window = Window::of(fit);
        keep_token_fit(view, &window)?;
        *held = Some(window);
        Ok(())
    }

    /// How a view's SAE fits what it has met: the last vectors of the collection or, at level
    /// token, the states that were measured. `None` at level token before there are any.
    pub fn info(&self, view: &View, sae: &Sae) -> Result<Option<FitInfo>> {
        if view.reader().is_some() {
            let entry = self.token_entry(view)?;
            let held = entry.lock();
            return Ok(held
                .as_ref()
                .map(|window| info_of(&window.fit(), view, sae)));
        }
        let entry = self.entry(view);
        let mut held = entry.lock();
        let window = match held.as_mut() {
            Some(window) => window,
            None => held.insert(measured(&view.snapshot, sae)?),
        };
        Ok(Some(info_of(&window.fit(), view, sae)))
    }
}

fn keep_token_fit(view: &View, window: &Window) -> Result<()> {
    let key = token_key(view.list_entry())?;
    view.handle.put_record(RecordKind::TokenFit, &key, window)
}

/// What token states and their codes are, as a name: SHA-256 of the SAE's hash and the reading.
fn token_key(entry: Option<&SaeSpec>) -> Result<String> {
    let sae = |entry: &SaeSpec| entry.sae.as_ref().map(|sae: &SaeRecord| sae.sha256.clone());
    let reading = |entry: &SaeSpec| {
        let reader = entry.reader.as_ref();
        reader.map(|reader: &ReaderRecord| reader.reading.clone())
    };
    let said = to_json(&(entry.and_then(sae), entry.and_then(reading)))?.to_string();
    Ok(hex(Sha256::digest(said)))
}

fn info_of(fit: &Fit, view: &View, sae: &Sae) -> FitInfo {
    let gate = gate_of(view);
    FitInfo {
        vectors: fit.rows(),
        fvu: fit.fvu_of(sae).filter(|_| fit.rows() >= LEAST),
        own_fvu: own_quality(sae).map(|own| own.fvu),
        l0: (fit.rows() >= LEAST).then(|| fit.l0()),
        own_l0: own_quality(sae).map(|own| own.l0),
        limit: gate.limit_for(sae),
        warn: gate.warn,
    }
}

fn gate_of(view: &View) -> Gate {
    view.list_entry().map(SaeSpec::gate).unwrap_or_default()
}

/// Judges an SAE on the texts of a collection of level token that it is to be attached to.
///
/// # Errors
/// `FailedPrecondition` when the fit is poor and the gate refuses.
pub(super) fn judge_token_attach(
    gate: &Gate,
    collection: &str,
    snapshot: &Snapshot,
    coder: &TokenCoder,
) -> Result<Fit> {
    let rows: Vec<u32> = snapshot.living().collect();
    // A text has a token at least, mostly many.
    let step = rows.len().div_ceil(MOST).max(1);
    let mut texts = Vec::new();
    for doc in rows.into_iter().step_by(step) {
        texts.extend(snapshot.stored(doc)?.text);
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let fit = coder.fit(&texts, MOST)?;
    gate.judge(collection, coder.sae(), &fit, Level::Token)?;
    Ok(fit)
}

/// Judges an SAE on the vectors of a collection that it is to be attached to.
///
/// # Errors
/// `FailedPrecondition` when the fit is poor and the gate refuses.
pub(super) fn judge_attach(
    gate: &Gate,
    collection: &str,
    snapshot: &Snapshot,
    sae: &Sae,
) -> Result<()> {
    // Rows drawn over the whole collection, as codes of the SAE itself.
    let mut vectors = Vec::new();
    let rows: Vec<u32> = snapshot.living().collect();
    let step = rows.len().div_ceil(MOST).max(1);
    for doc in rows.into_iter().step_by(step) {
        if let Some(vector) = snapshot.vector(doc) {
            vectors.extend_from_slice(vector);
        }
    }
    let mut fit = Fit::default();
    fit.add_coded(sae, &vectors, &sae.encode_parallel(&vectors, 0)?)?;
    gate.judge(collection, sae, &fit, Level::Pooled)
}

/// The fit of the last vectors that are stored, with the codes that are stored.
fn measured(snapshot: &Snapshot, sae: &Sae) -> Result<Window> {
    let living: Vec<u32> = snapshot.living().collect();
    let with_vector = living
        .into_iter()
        .rev()
        .filter(|&doc| snapshot.vector(doc).is_some());
    let mut docs: Vec<u32> = with_vector.take(WINDOW).collect();
    docs.reverse();
    let mut window = Window::default();
    for docs in docs.chunks(MOST) {
        let (mut vectors, mut codes) = (Vec::new(), Codes::new());
        for &doc in docs {
            vectors.extend_from_slice(snapshot.vector(doc).unwrap_or_default());
            push(&mut codes, &snapshot.latents(doc));
        }
        let mut fit = Fit::default();
        fit.add_coded(sae, &vectors, &codes)?;
        window.add(&fit);
    }
    Ok(window)
}

/// Adds a document's latents, ascending, as a row of codes.
pub(super) fn push(codes: &mut Codes, latents: &[Activation]) {
    let active = latents.iter().filter(|entry| entry.activation > 0.0);
    codes.push_row(active.map(|entry| (entry.latent, entry.activation)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(rows: usize, error: f32) -> Fit {
        let mut fit = Fit::default();
        for row in 0..rows {
            let sign = if row % 2 == 0 { 1.0 } else { -1.0 };
            fit.add(&[sign], &[sign * (1.0 - error)]);
        }
        fit
    }

    #[test]
    fn the_oldest_vectors_leave_the_window() {
        let mut window = Window::default();
        for _ in 0..10 {
            window.add(&fit(MOST, 0.0));
        }
        assert_eq!((window.rows(), window.fit().fvu()), (WINDOW, Some(0.0)));
        // A drift shows as it comes, and is all there is once as many vectors have come.
        window.add(&fit(MOST, 0.5));
        assert_eq!(window.fit().fvu(), Some(0.0625));
        for _ in 0..3 {
            window.add(&fit(MOST, 0.5));
        }
        assert_eq!(window.fit().fvu(), Some(0.25));
        // Small writes are gathered, so they do not make the window long.
        for _ in 0..WINDOW / 64 {
            window.add(&fit(64, 0.0));
        }
        assert_eq!((window.rows(), window.parts.len()), (WINDOW, WINDOW / PART));
        assert_eq!(window.fit().fvu(), Some(0.0));
    }

    #[test]
    fn a_window_is_kept_and_read_as_one_fit_was() {
        let mut window = Window::of(fit(300, 0.1));
        window.add(&fit(200, 0.2));
        let kept = serde_json::to_string(&window).unwrap();
        let read: Window = serde_json::from_str(&kept).unwrap();
        assert!(read == window);
        let before = serde_json::to_string(&fit(300, 0.1)).unwrap();
        let read: Window = serde_json::from_str(&before).unwrap();
        assert!(read == Window::of(fit(300, 0.1)));
    }
}
