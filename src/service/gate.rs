//! Whether an SAE fits the vectors it meets: a wrong model, layer or normalisation still
//! multiplies cleanly, so FVU is measured on the first vectors of a collection, at level token on
//! the states of the first tokens, and a poor one refuses the attach or the write.

use std::collections::HashMap;
use std::sync::Arc;

use latentdb_index::{Activation, CollectionHandle, CollectionRecord, RecordKind, Snapshot};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::models::{Level, sae_record, to_json};
use super::tokens::{TokenCoder, reader_record};
use crate::error::{Error, Result};
use crate::sae::{Codes, Fit, Sae};

/// Fewest vectors that are judged: fewer say nothing about a variance.
const LEAST: usize = 64;
/// Vectors that are measured at most.
pub(super) const MOST: usize = 1024;
/// The limit for SAEs that say nothing of their own quality.
const DEFAULT_LIMIT: f64 = 0.6;

/// What a collection asks of its SAE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    /// The highest FVU that is accepted. `None`: .6, or the middle between the FVU that the SAE's
    /// own training measured and 1, whichever is higher (a small SAE fits loosely even where it
    /// belongs).
    pub limit: Option<f64>,
    /// Log a worse one instead of refusing it.
    pub warn: bool,
}

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
    /// Checks the limit.
    ///
    /// # Errors
    /// `InvalidArgument` naming `fvu_limit` when it is not above 0.
    pub fn check(&self) -> Result<()> {
        match self.limit {
            Some(limit) if limit <= 0.0 || limit.is_nan() => Err(Error::invalid(
                "fvu_limit",
                format!("is {limit}; a number above 0 is accepted"),
            )),
            _ => Ok(()),
        }
    }

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

/// A collection's id, and its name through the SAE or, at level token, [`token_key`].
type Key = (String, String);

impl Gates {
    /// The fit of a collection's generation; older generations are forgotten.
    fn entry(&self, record: &CollectionRecord) -> Held {
        let mut entries = self.0.lock();
        let entry = entries
            .entry((record.id.clone(), record.name.clone()))
            .or_insert_with(|| (record.generation, Arc::default()));
        if entry.0 != record.generation {
            *entry = (record.generation, Arc::default());
        }
        entry.1.clone()
    }

    /// Forgets a collection.
    pub fn forget(&self, record: &CollectionRecord) {
        self.0.lock().retain(|(id, _), _| *id != record.id);
    }

    /// Whether enough vectors of a collection were judged.
    pub fn is_full(&self, record: &CollectionRecord) -> bool {
        let entry = self.entry(record);
        let held = entry.lock();
        held.as_ref().is_some_and(|fit| fit.rows() >= MOST)
    }

    /// Judges vectors that are about to be written, with their codes, together with those that are
    /// there, until [`MOST`] have been.
    ///
    /// # Errors
    /// `FailedPrecondition` when the fit is poor and the gate refuses.
    pub fn admit(
        &self,
        record: &CollectionRecord,
        snapshot: &Snapshot,
        sae: &Sae,
        vectors: &[f32],
        codes: &Codes,
    ) -> Result<()> {
        let entry = self.entry(record);
        let mut held = entry.lock();
        let fit = match held.as_mut() {
            Some(fit) => fit,
            None => held.insert(measured(snapshot, sae)?),
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
        gate_of(record)?.judge(&record.name, sae, &tried, Level::Pooled)?;
        *fit = tried;
        Ok(())
    }

    /// The fit of token states. They are not stored, so the catalog keeps what was measured.
    fn token_entry(&self, handle: &CollectionHandle, record: &CollectionRecord) -> Result<Held> {
        let key = token_key(record)?;
        let mut entries = self.0.lock();
        if let Some((_, held)) = entries.get(&(record.id.clone(), key.clone())) {
            return Ok(held.clone());
        }
        let kept: Option<Fit> = handle.record_of(RecordKind::TokenFit, &key)?;
        let held = Arc::new(Mutex::new(kept));
        entries.insert((record.id.clone(), key), (0, held.clone()));
        Ok(held)
    }

    /// How many more token states of a collection are judged.
    pub fn room(&self, handle: &CollectionHandle, record: &CollectionRecord) -> Result<usize> {
        let entry = self.token_entry(handle, record)?;
        let held = entry.lock();
        Ok(MOST - held.as_ref().map_or(0, |fit| fit.rows().min(MOST)))
    }

    /// Judges what was measured on token states that are about to be written as latents, together
    /// with what was measured before.
    ///
    /// # Errors
    /// `FailedPrecondition` when the fit is poor and the gate refuses.
    pub fn admit_fit(
        &self,
        handle: &CollectionHandle,
        record: &CollectionRecord,
        sae: &Sae,
        fit: &Fit,
    ) -> Result<()> {
        if fit.rows() == 0 {
            return Ok(());
        }
        let entry = self.token_entry(handle, record)?;
        let mut held = entry.lock();
        let mut tried = held.clone().unwrap_or_default();
        tried.append(fit);
        gate_of(record)?.judge(&record.name, sae, &tried, Level::Token)?;
        handle.put_record(RecordKind::TokenFit, &token_key(record)?, &tried)?;
        *held = Some(tried);
        Ok(())
    }

    /// Keeps what was measured on token states.
    pub fn keep_fit(
        &self,
        handle: &CollectionHandle,
        record: &CollectionRecord,
        fit: Fit,
    ) -> Result<()> {
        let entry = self.token_entry(handle, record)?;
        let mut held = entry.lock();
        handle.put_record(RecordKind::TokenFit, &token_key(record)?, &fit)?;
        *held = Some(fit);
        Ok(())
    }

    /// How a collection's SAE fits the token states that were measured; nothing before there are
    /// any.
    pub fn token_info(
        &self,
        handle: &CollectionHandle,
        record: &CollectionRecord,
        sae: &Sae,
    ) -> Result<Option<FitInfo>> {
        let entry = self.token_entry(handle, record)?;
        let held = entry.lock();
        held.as_ref()
            .map(|fit| info_of(fit, record, sae))
            .transpose()
    }

    /// How a collection's SAE fits its first vectors.
    pub fn info(
        &self,
        record: &CollectionRecord,
        snapshot: &Snapshot,
        sae: &Sae,
    ) -> Result<FitInfo> {
        let entry = self.entry(record);
        let mut held = entry.lock();
        let fit = match held.as_mut() {
            Some(fit) => fit,
            None => held.insert(measured(snapshot, sae)?),
        };
        info_of(fit, record, sae)
    }
}

/// What token states and their codes are, as a name: SHA-256 of the SAE's hash and the reading.
fn token_key(record: &CollectionRecord) -> Result<String> {
    let sae = sae_record(record)?.map(|sae| sae.sha256);
    let reading = reader_record(record)?.map(|reader| reader.reading);
    let said = to_json(&(sae, reading))?.to_string();
    Ok(Sha256::digest(said)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn info_of(fit: &Fit, record: &CollectionRecord, sae: &Sae) -> Result<FitInfo> {
    let gate = gate_of(record)?;
    Ok(FitInfo {
        vectors: fit.rows(),
        fvu: fit.fvu().filter(|_| fit.rows() >= LEAST),
        limit: gate.limit_for(sae),
        warn: gate.warn,
    })
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

/// The gate that a collection records.
pub(super) fn gate_of(record: &CollectionRecord) -> Result<Gate> {
    Ok(sae_record(record)?.map(|sae| sae.gate).unwrap_or_default())
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
