//! Latents and their labels: lists, versions, what clients set.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use latentdb_index::analysis::latent_counts;
use latentdb_index::{Filter, Label, now};

use super::part::Labels;
use crate::error::{Error, Result, Within as _};
use crate::label::MAX_LABEL_BYTES;
use crate::service::blocking;
use crate::service::core::{Address, View};

/// A latent, or a group of latents, as answers show it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShownLabel {
    /// Its label, or the group's name; empty where it has none.
    pub text: String,
    /// Whether the label's score is low.
    pub low_confidence: bool,
    /// How often the latent comes back in SAEs of other seeds, where that was measured.
    pub recurrence: Option<f32>,
}

impl ShownLabel {
    /// The name of a group.
    pub fn of_group(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            ..Self::default()
        }
    }
}

impl From<&Label> for ShownLabel {
    fn from(label: &Label) -> Self {
        Self {
            text: label.text.clone(),
            low_confidence: label.is_low_confidence(),
            recurrence: None,
        }
    }
}

impl View {
    /// A latent with its label of `labels`.
    pub(in crate::service) fn shown(
        &self,
        labels: &BTreeMap<u32, Label>,
        latent: u32,
    ) -> ShownLabel {
        ShownLabel {
            recurrence: self.recurrence_of(latent),
            ..labels
                .get(&latent)
                .map(ShownLabel::from)
                .unwrap_or_default()
        }
    }
}

/// A latent's numbers over a collection.
#[derive(Clone, Debug)]
pub struct LatentStatistics {
    /// The latent.
    pub latent: u32,
    /// Its label.
    pub label: Option<Label>,
    /// Documents in which it is active.
    pub documents: u64,
    /// The same as a share of the collection.
    pub density: f64,
    /// Mean activation over those.
    pub mean_activation: f32,
    /// How often it comes back in SAEs of other seeds, where that was measured.
    pub recurrence: Option<f32>,
}

/// Which latents are listed, and in which order.
#[derive(Clone, Debug)]
pub struct LatentList {
    /// Those whose label holds all these words.
    pub label_query: String,
    /// Those that come back in SAEs of other seeds at least so often.
    pub min_recurrence: Option<f32>,
    /// The order.
    pub order: LatentOrder,
    /// Entries listed.
    pub limit: usize,
    /// Entries passed over.
    pub offset: usize,
}

/// Order of a list of latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatentOrder {
    /// Most documents first.
    Documents,
    /// By number.
    Number,
}

/// A label to set.
#[derive(Clone, Debug)]
pub struct NewLabel {
    /// The latent.
    pub latent: u32,
    /// One to eight words.
    pub text: String,
    /// Who made it.
    pub source: String,
    /// Its score, where it has one.
    pub score: Option<f32>,
    /// When it was made, microseconds since the epoch; now where it does not say.
    pub created: Option<i64>,
}

impl Labels {
    /// Latents with their numbers, and how many of them there are in all.
    ///
    /// # Errors
    /// `FailedPrecondition` for a bound on how often latents come back where that was not measured.
    pub async fn list_latents(
        self: &Arc<Self>,
        address: &Address,
        asked: LatentList,
    ) -> Result<(Vec<LatentStatistics>, u64)> {
        let view = self.core.view(address)?;
        let n_latents = view.required_n_latents()?;
        let among = view.recurring(asked.min_recurrence)?;
        let labels = self.of(&view)?;
        let words: Vec<String> = asked
            .label_query
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        blocking(move || {
            let counts = latent_counts(&view.snapshot, &Filter::All)?;
            let counts: HashMap<u32, _> = counts.into_iter().map(|c| (c.latent, c)).collect();
            let documents = view.snapshot.n_docs().max(1) as f64;
            let last = u32::try_from(n_latents)
                .map_err(|_| Error::internal("more latents than numbers for them"))?;
            let mut listed: Vec<LatentStatistics> = (0..last)
                .filter_map(|latent| {
                    let label = labels.get(&latent);
                    let text = label.map(|label| label.text.to_lowercase());
                    let holds = |word: &String| text.as_ref().is_some_and(|t| t.contains(word));
                    if !among.has(latent) || !words.iter().all(holds) {
                        return None;
                    }
                    let count = counts.get(&latent);
                    let active = count.map_or(0, |count| count.count);
                    Some(LatentStatistics {
                        latent,
                        label: label.cloned(),
                        documents: active,
                        density: active as f64 / documents,
                        mean_activation: count.map_or(0.0, |count| count.mean_activation),
                        recurrence: view.recurrence_of(latent),
                    })
                })
                .collect();
            if asked.order == LatentOrder::Documents {
                listed.sort_by(|a, b| b.documents.cmp(&a.documents).then(a.latent.cmp(&b.latent)));
            }
            let total = listed.len() as u64;
            let listed = listed.into_iter().skip(asked.offset).take(asked.limit);
            Ok((listed.collect(), total))
        })
        .await
    }

    /// Sets labels, all or none. What they replace is kept as a former version.
    pub async fn set_labels(
        self: &Arc<Self>,
        address: &Address,
        labels: Vec<NewLabel>,
        of_sae: Option<String>,
    ) -> Result<usize> {
        let view = self.core.view(address)?;
        let n_latents = view.required_n_latents()?;
        let created = now();
        let mut made = Vec::with_capacity(labels.len());
        for (at, label) in labels.into_iter().enumerate() {
            check_label(&label, n_latents).within(&format!("labels[{at}]"))?;
            made.push((
                label.latent,
                Label::new(
                    label.text.trim(),
                    label.source,
                    label.score,
                    label.created.unwrap_or(created),
                ),
            ));
        }
        let key = view.label_key();
        if let Some(sae) = of_sae
            && sae != key.1
        {
            return Err(Error::precondition(format!(
                "the labels are of the latents of the SAE {sae}; collection {:?} has {}: label \
                 through the SAE that they are of (NAME:SAE), or leave out what SAE they are of",
                view.name(),
                key.1
            )));
        }
        let service = self.clone();
        blocking(move || {
            service.put(&view, made.iter().map(|(latent, label)| (*latent, label)))?;
            Ok(made.len())
        })
        .await
    }

    /// Makes a former version of a latent's label the current one.
    ///
    /// # Errors
    /// `NotFound` where the latent has no such version.
    pub async fn use_label(
        self: &Arc<Self>,
        address: &Address,
        latent: u32,
        version: u32,
    ) -> Result<Label> {
        let view = self.core.view(address)?;
        let n_latents = view.required_n_latents()?;
        check_latent(latent, n_latents).within("latent")?;
        let key = view.label_key();
        let service = self.clone();
        blocking(move || {
            let handle = &view.handle;
            let label = handle
                .catalog()
                .use_label(&key.0, &key.1, latent, version)?;
            service.cache.forget(&key);
            Ok(label)
        })
        .await
    }

    /// Labels by latent: the current ones, or every version, the current one last.
    pub async fn list_labels(
        self: &Arc<Self>,
        address: &Address,
        all_versions: bool,
    ) -> Result<Vec<(u32, Label)>> {
        let view = self.core.view(address)?;
        view.required_n_latents()?;
        let key = view.label_key();
        let service = self.clone();
        blocking(move || {
            if !all_versions {
                let labels = service.of(&view)?;
                return Ok(labels
                    .iter()
                    .map(|(at, label)| (*at, label.clone()))
                    .collect());
            }
            let handle = &view.handle;
            handle.catalog().label_versions(&key.0, &key.1)
        })
        .await
    }
}

pub(in crate::service) fn check_latent(latent: u32, n_latents: usize) -> Result<()> {
    if (latent as usize) < n_latents {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        format!("is {latent}; 0 to {} are accepted", n_latents - 1),
    ))
}

fn check_label(label: &NewLabel, n_latents: usize) -> Result<()> {
    check_latent(label.latent, n_latents).within("latent")?;
    let text = label.text.trim();
    if text.is_empty() || text.len() > MAX_LABEL_BYTES {
        return Err(Error::invalid(
            "text",
            format!(
                "has {} bytes; 1 to {MAX_LABEL_BYTES} are accepted",
                text.len()
            ),
        ));
    }
    if let Some(score) = label.score.filter(|score| !score.is_finite()) {
        let message = format!("is {score}; a finite number is accepted");
        return Err(Error::invalid("score", message));
    }
    Ok(())
}
