//! Whether an SAE fits the vectors it meets: a wrong model, layer or normalisation still
//! multiplies cleanly, so FVU is measured on the first vectors of a collection, at level token on
//! the states of the first tokens, and a poor one refuses the attach or the write.

use std::collections::HashMap;
use std::sync::Arc;

use latentdb_index::{Activation, RecordKind, Snapshot};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::core::View;
use super::spec::{Gate, Level, ReaderRecord, SaeRecord, SaeSpec, to_json};
use crate::coder::TokenCoder;
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::sae::{Codes, Fit, Sae};

/// Fewest vectors that are judged: fewer say nothing about a variance.
const LEAST: usize = 64;
/// Vectors that are measured at most.
pub(super) const MOST: usize = 1024;
/// The limit for SAEs that say nothing of their own quality.
const DEFAULT_LIMIT: f64 = 0.6;

/// How an SAE fits the first vectors of a collection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitInfo {
    /// Vectors measured.
    pub vectors: usize,
    /// Their FVU, where it can be said.
    pub fvu: Option<f64>,
    /// The limit it is held to.
    pub limit: f64,
    /// Whether a worse one is only logged.
    pub warn: bool,
}

impl Gate {
    /// The limit that holds for an SAE.
    pub fn limit_for(&self, sae: &Sae) -> f64 {
        self.limit.unwrap_or_else(|| {
            let report = sae.record().report.as_ref();
            let quality = report.map(|report| report.held_out.as_ref().unwrap_or(&report.trained));
            quality.map_or(DEFAULT_LIMIT, |own| {
                DEFAULT_LIMIT.max((1.0 + own.fvu.min(1.0)) / 2.0)
            })
        })
    }

    /// Judges a fit.
    ///
    /// # Errors
    /// `FailedPrecondition` saying what is probably wrong, where the fit is poor and the gate
    /// refuses.
    fn judge(&self, collection: &str, sae: &Sae, fit: &Fit, level: Level) -> Result<()> {
        let limit = self.limit_for(sae);
        let Some(fvu) = fit.fvu().filter(|_| fit.rows() >= LEAST) else {
            return Ok(());
        };
        if fvu <= limit {
            return Ok(());
        }
        let message = refusal(sae, fit, (fvu, limit), level);
        if self.warn {
            tracing::warn!(collection, fvu, limit, "{message}");
            return Ok(());
        }
        Err(Error::precondition(message))
    }
}

/// What is wrong, probably.
fn refusal(sae: &Sae, fit: &Fit, (fvu, limit): (f64, f64), level: Level) -> String {
    let what = match level {
        Level::Pooled => "vectors",
        Level::Token => "token states",
    };
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
        "the SAE leaves {fvu:.3} of the variance of the first {} {what} unexplained (FVU), above \
         the limit {limit:.3}: the {what} are probably of another model or layer than the SAE's\
         {made_for}, or normalised in another way ({norms}), or latents that came with them are another \
         SAE's. Attach the SAE of these {what}; or \
         raise the limit or let it warn (fvu_limit, fvu_warn) if this is the one",
        fit.rows()
    )
}

/// The fit of one generation of a collection, once vectors were measured.
type Held = Arc<Mutex<Option<Fit>>>;

/// Fits of collections, by collection and SAE; those of vectors by generation too, since they are
/// measured on what is stored.
#[derive(Default)]
pub(super) struct Gates(Mutex<HashMap<Key, (u64, Held)>>);

/// A collection's id, and the SAE's hash or, at level token, [`token_key`].
type Key = (String, String);

impl Gates {
    /// The fit of a collection's generation; older generations are forgotten.
    fn entry(&self, view: &View) -> Held {
        let generation = view.spec.record.generation;
        let mut entries = self.0.lock();
        let entry = entries
            .entry(view.label_key())
            .or_insert_with(|| (generation, Arc::default()));
        if entry.0 != generation {
            *entry = (generation, Arc::default());
        }
        entry.1.clone()
    }

    /// Forgets a collection.
    pub fn forget(&self, id: &str) {
        self.0.lock().retain(|(collection, _), _| collection != id);
    }

    /// Whether enough vectors of a collection were judged.
    pub fn is_full(&self, view: &View) -> bool {
        let entry = self.entry(view);
        let held = entry.lock();
        held.as_ref().is_some_and(|fit| fit.rows() >= MOST)
    }

    /// Judges vectors that are about to be written, with their codes, together with those that are
    /// stored, until [`MOST`] have been.
    ///
    /// # Errors
    /// `FailedPrecondition` when the fit is poor and the gate refuses.
    pub fn admit(&self, view: &View, sae: &Sae, vectors: &[f32], codes: &Codes) -> Result<()> {
        let entry = self.entry(view);
        let mut held = entry.lock();
        let fit = match held.as_mut() {
            Some(fit) => fit,
            None => held.insert(measured(&view.snapshot, sae)?),
        };
        let room = MOST.saturating_sub(fit.rows()).min(codes.rows());
        if room == 0 {
            return Ok(());
        }
        let mut first = Codes::new();
        for (latents, activations) in codes.iter().take(room) {
            first.push_row(latents.iter().copied().zip(activations.iter().copied()));
        }
        let mut tried = fit.clone();
        tried.add_coded(sae, &vectors[..room * sae.d_in()], &first)?;
        gate_of(view).judge(&view.name(), sae, &tried, Level::Pooled)?;
        *fit = tried;
        Ok(())
    }

    /// The fit of token states. They are not stored, so the catalog keeps what was measured.
    fn token_entry(&self, view: &View) -> Result<Held> {
        let key = (view.spec.record.id.clone(), token_key(view.list_entry())?);
        let mut entries = self.0.lock();
        if let Some((_, held)) = entries.get(&key) {
            return Ok(held.clone());
        }
        let kept: Option<Fit> = view.handle.record_of(RecordKind::TokenFit, &key.1)?;
        let held = Arc::new(Mutex::new(kept));
        entries.insert(key, (0, held.clone()));
        Ok(held)
    }

    /// How many more token states of a collection are judged.
    pub fn room(&self, view: &View) -> Result<usize> {
        let entry = self.token_entry(view)?;
        let held = entry.lock();
        Ok(MOST - held.as_ref().map_or(0, |fit| fit.rows().min(MOST)))
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
        let mut tried = held.clone().unwrap_or_default();
        tried.append(fit);
        gate_of(view).judge(&view.name(), sae, &tried, Level::Token)?;
        keep_token_fit(view, &tried)?;
        *held = Some(tried);
        Ok(())
    }

    /// Keeps what was measured on token states.
    pub fn keep_fit(&self, view: &View, fit: Fit) -> Result<()> {
        let entry = self.token_entry(view)?;
        let mut held = entry.lock();
        keep_token_fit(view, &fit)?;
        *held = Some(fit);
        Ok(())
    }

    /// How a view's SAE fits what it has met: the first vectors of the collection or, at level
    /// token, the states that were measured. `None` at level token before there are any.
    pub fn info(&self, view: &View, sae: &Sae) -> Result<Option<FitInfo>> {
        if view.reader().is_some() {
            let entry = self.token_entry(view)?;
            let held = entry.lock();
            return Ok(held.as_ref().map(|fit| info_of(fit, view, sae)));
        }
        let entry = self.entry(view);
        let mut held = entry.lock();
        let fit = match held.as_mut() {
            Some(fit) => fit,
            None => held.insert(measured(&view.snapshot, sae)?),
        };
        Ok(Some(info_of(fit, view, sae)))
    }
}

fn keep_token_fit(view: &View, fit: &Fit) -> Result<()> {
    let key = token_key(view.list_entry())?;
    view.handle.put_record(RecordKind::TokenFit, &key, fit)
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
        fvu: fit.fvu().filter(|_| fit.rows() >= LEAST),
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

/// The fit of vectors that are stored, with the codes that are stored.
fn measured(snapshot: &Snapshot, sae: &Sae) -> Result<Fit> {
    let mut fit = Fit::default();
    let mut vectors = Vec::new();
    let mut codes = Codes::new();
    for doc in snapshot.living() {
        if codes.rows() == MOST {
            break;
        }
        if let Some(vector) = snapshot.vector(doc) {
            vectors.extend_from_slice(vector);
            push(&mut codes, &snapshot.latents(doc));
        }
    }
    fit.add_coded(sae, &vectors, &codes)?;
    Ok(fit)
}

/// Adds a document's latents, ascending, as a row of codes.
pub(super) fn push(codes: &mut Codes, latents: &[Activation]) {
    let active = latents.iter().filter(|entry| entry.activation > 0.0);
    codes.push_row(active.map(|entry| (entry.latent, entry.activation)));
}
