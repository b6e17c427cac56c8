//! Labels with their history: per latent one current label, and the versions it had before.

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::store::{Catalog, FORMER_LABELS, LABELS, decode, encode, fault};
use crate::error::{Error, Result};

/// Scores below this mark a label as one of low confidence: with a Pearson correlation of .3 it
/// explains less than a tenth of the variance of "active or not" on held-out documents.
pub const LOW_SCORE: f32 = 0.3;

/// A latent's label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// One to eight words.
    pub text: String,
    /// Who made it: a labeller's name, a person, an import.
    pub source: String,
    /// How well it predicts activations on held-out documents, where scored: the
    /// Pearson correlation of the latest of `scores`, or what an import says.
    pub score: Option<f32>,
    /// When, microseconds since the epoch.
    pub created: i64,
    /// Counts up from 1 with each label that the latent gets; set when it is written.
    #[serde(default = "first_version")]
    pub version: u32,
    /// Where it came from, where it was another SAE's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedLabel>,
    /// What each judge found, one entry per judge, latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<LabelScore>,
}

/// The SAE whose label a label was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovedLabel {
    /// The collection, and the SAE where it was not the default: `NAME` or `NAME:SAE`.
    pub from: String,
    /// Correlation of the two latents being active, over the documents that both had.
    pub phi: f32,
}

/// How well a label tells on held-out documents which of them activate its latent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelScore {
    /// Who judged.
    pub judge: String,
    /// Correlation of its predictions with 1 (active) and 0 (inactive).
    pub pearson: f32,
    /// 95 % interval of the correlation; `None` of scores of earlier versions.
    #[serde(default)]
    pub low: Option<f32>,
    /// See `low`.
    #[serde(default)]
    pub high: Option<f32>,
    /// Harmonic mean of precision and recall.
    pub f1: f32,
    /// Activating documents judged.
    pub positives: u32,
    /// Inactive documents judged.
    pub negatives: u32,
    /// The judge compared with the vectors that the SAE reads: the score says how well the label tells
    /// where the latent's documents lie.
    #[serde(default)]
    pub same_encoder: bool,
    /// When, microseconds since the epoch.
    pub created: i64,
}

impl LabelScore {
    /// What bounds are held against: the lower bound of its interval where a similarity judged, whose
    /// many documents make it narrow; the correlation where a language model did.
    pub fn gate(&self) -> f32 {
        match self.low {
            Some(low) if self.judge.starts_with("similarity") => low,
            _ => self.pearson,
        }
    }
}

fn first_version() -> u32 {
    1
}

impl Label {
    /// A label as its maker gives it; the catalog numbers it when it is written.
    pub fn new(
        text: impl Into<String>,
        source: impl Into<String>,
        score: Option<f32>,
        created: i64,
    ) -> Self {
        Self {
            text: text.into(),
            source: source.into(),
            score,
            created,
            version: first_version(),
            moved: None,
            scores: Vec::new(),
        }
    }

    /// What bounds on its score are held against: [`LabelScore::gate`] of its latest score, or the score
    /// that it came with.
    pub fn confidence(&self) -> Option<f32> {
        let latest = self.scores.last();
        match latest.filter(|latest| self.score == Some(latest.pearson)) {
            Some(latest) => Some(latest.gate()),
            None => self.score,
        }
    }

    /// True where that is below [`LOW_SCORE`].
    pub fn is_low_confidence(&self) -> bool {
        self.confidence().is_some_and(|score| score < LOW_SCORE)
    }

    /// Adds a score, in place of an earlier one of the same judge.
    fn add_score(&mut self, score: LabelScore) {
        self.scores.retain(|earlier| earlier.judge != score.judge);
        self.score = Some(score.pearson);
        self.scores.push(score);
    }
}

impl Catalog {
    /// The current labels of an SAE's latents in a collection. `sae` is the SAE's hash.
    pub fn labels(&self, collection: &str, sae: &str) -> Result<BTreeMap<u32, Label>> {
        self.read(|transaction| {
            let table = transaction.open_table(LABELS).map_err(fault)?;
            let mut labels = BTreeMap::new();
            let range = (collection, sae, 0)..=(collection, sae, u32::MAX);
            for entry in table.range(range).map_err(fault)? {
                let (key, value) = entry.map_err(fault)?;
                labels.insert(key.value().2, decode(value.value())?);
            }
            Ok(labels)
        })
    }

    /// Every version of every label, by latent: the former ones in their order, then the current
    /// one, so that writing them again in this order gives the same current labels.
    pub fn label_versions(&self, collection: &str, sae: &str) -> Result<Vec<(u32, Label)>> {
        let mut versions = self.former_labels(collection, sae, 0..=u32::MAX)?;
        versions.extend(self.labels(collection, sae)?);
        // Stable: former labels come by version, current ones behind them.
        versions.sort_by_key(|(latent, _)| *latent);
        Ok(versions)
    }

    /// Every version of one latent's label, the current one included, latest first.
    pub fn label_history(&self, collection: &str, sae: &str, latent: u32) -> Result<Vec<Label>> {
        let former = self.former_labels(collection, sae, latent..=latent)?;
        let mut history: Vec<Label> = former.into_iter().map(|(_, label)| label).collect();
        history.extend(self.labels(collection, sae)?.remove(&latent));
        history.sort_by_key(|label| std::cmp::Reverse(label.version));
        Ok(history)
    }

    /// Latents that have a label from `source`, current or former.
    pub fn labelled_by(&self, collection: &str, sae: &str, source: &str) -> Result<BTreeSet<u32>> {
        Ok(self
            .label_versions(collection, sae)?
            .into_iter()
            .filter(|(_, label)| label.source == source)
            .map(|(latent, _)| latent)
            .collect())
    }

    /// Makes labels the current ones, all or none. What they replace becomes a former version;
    /// a label that says what the current one says, from the same source, only renews its score.
    pub fn put_labels<'a>(
        &self,
        collection: &str,
        sae: &str,
        labels: impl IntoIterator<Item = (u32, &'a Label)>,
    ) -> Result<()> {
        self.change(|transaction| {
            let mut current = transaction.open_table(LABELS).map_err(fault)?;
            let mut former = transaction.open_table(FORMER_LABELS).map_err(fault)?;
            for (latent, label) in labels {
                let key = (collection, sae, latent);
                let mut label = label.clone();
                let replaced: Option<Label> = match current.get(key).map_err(fault)? {
                    Some(bytes) => Some(decode(bytes.value())?),
                    None => None,
                };
                if let Some(mut replaced) = replaced {
                    if replaced.text == label.text && replaced.source == label.source {
                        replaced.score = label.score.or(replaced.score);
                        label = replaced;
                    } else {
                        let last = last_version(&former, key)?.max(replaced.version);
                        label.version = next(last)?;
                        insert_former(&mut former, key, &replaced)?;
                    }
                } else {
                    label.version = next(last_version(&former, key)?)?;
                }
                current
                    .insert(key, encode(&label)?.as_slice())
                    .map_err(fault)?;
            }
            Ok(())
        })
    }

    /// Hashes of the SAEs, attached or not, whose latents have labels in a collection.
    pub fn labelled_saes(&self, collection: &str) -> Result<BTreeSet<String>> {
        self.read(|transaction| {
            let table = transaction.open_table(LABELS).map_err(fault)?;
            let mut saes: BTreeSet<String> = BTreeSet::new();
            for entry in table.range((collection, "", 0)..).map_err(fault)? {
                let (key, _) = entry.map_err(fault)?;
                let (of, sae, _) = key.value();
                if of != collection {
                    break;
                }
                if !saes.contains(sae) {
                    saes.insert(sae.to_owned());
                }
            }
            Ok(saes)
        })
    }

    /// Writes labels of another catalog as they are, with their versions, all or none: those that are
    /// the current ones of their latents, and former ones. One that is here under the same version,
    /// and the current one, are replaced.
    pub fn restore_labels<'a>(
        &self,
        collection: &str,
        sae: &str,
        labels: impl IntoIterator<Item = (u32, bool, &'a Label)>,
    ) -> Result<()> {
        self.change(|transaction| {
            let mut current = transaction.open_table(LABELS).map_err(fault)?;
            let mut former = transaction.open_table(FORMER_LABELS).map_err(fault)?;
            for (latent, is_current, label) in labels {
                let key = (collection, sae, latent);
                if is_current {
                    let bytes = encode(label)?;
                    current.insert(key, bytes.as_slice()).map_err(fault)?;
                } else {
                    insert_former(&mut former, key, label)?;
                }
            }
            Ok(())
        })
    }

    /// Makes a former version of a latent's label the current one. `NotFound` where the latent has
    /// no such version.
    pub fn use_label(
        &self,
        collection: &str,
        sae: &str,
        latent: u32,
        version: u32,
    ) -> Result<Label> {
        self.change(|transaction| {
            let mut current = transaction.open_table(LABELS).map_err(fault)?;
            let mut former = transaction.open_table(FORMER_LABELS).map_err(fault)?;
            let key = (collection, sae, latent);
            let replaced: Option<Label> = match current.get(key).map_err(fault)? {
                Some(bytes) => Some(decode(bytes.value())?),
                None => None,
            };
            if let Some(label) = &replaced
                && label.version == version
            {
                return Ok(label.clone());
            }
            let wanted: Label = match former
                .remove((collection, sae, latent, version))
                .map_err(fault)?
            {
                Some(bytes) => decode(bytes.value())?,
                None => {
                    return Err(Error::not_found(format!(
                        "latent {latent} has no version {version} of its label"
                    )));
                }
            };
            if let Some(replaced) = replaced {
                insert_former(&mut former, key, &replaced)?;
            }
            current
                .insert(key, encode(&wanted)?.as_slice())
                .map_err(fault)?;
            Ok(wanted)
        })
    }

    /// Keeps scores with the versions they were found for; scores of versions that are gone are
    /// dropped.
    pub fn add_label_scores(
        &self,
        collection: &str,
        sae: &str,
        scores: impl IntoIterator<Item = (u32, u32, LabelScore)>,
    ) -> Result<()> {
        self.change(|transaction| {
            let mut current = transaction.open_table(LABELS).map_err(fault)?;
            let mut former = transaction.open_table(FORMER_LABELS).map_err(fault)?;
            for (latent, version, score) in scores {
                let key = (collection, sae, latent);
                let mut label: Option<Label> = match current.get(key).map_err(fault)? {
                    Some(bytes) => Some(decode(bytes.value())?),
                    None => None,
                };
                if let Some(label) = &mut label
                    && label.version == version
                {
                    label.add_score(score);
                    current
                        .insert(key, encode(label)?.as_slice())
                        .map_err(fault)?;
                    continue;
                }
                let place = (collection, sae, latent, version);
                let label: Option<Label> = match former.get(place).map_err(fault)? {
                    Some(bytes) => Some(decode(bytes.value())?),
                    None => None,
                };
                if let Some(mut label) = label {
                    label.add_score(score);
                    insert_former(&mut former, key, &label)?;
                }
            }
            Ok(())
        })
    }

    fn former_labels(
        &self,
        collection: &str,
        sae: &str,
        latents: std::ops::RangeInclusive<u32>,
    ) -> Result<Vec<(u32, Label)>> {
        self.read(|transaction| {
            let table = transaction.open_table(FORMER_LABELS).map_err(fault)?;
            let first = (collection, sae, *latents.start(), 0);
            let last = (collection, sae, *latents.end(), u32::MAX);
            let mut labels = Vec::new();
            for entry in table.range(first..=last).map_err(fault)? {
                let (key, value) = entry.map_err(fault)?;
                labels.push((key.value().2, decode(value.value())?));
            }
            Ok(labels)
        })
    }
}

/// A latent's place: collection, SAE, latent.
type Place<'a> = (&'a str, &'a str, u32);
type Former<'a> = redb::Table<'a, (&'static str, &'static str, u32, u32), &'static [u8]>;

/// The highest version among a latent's former labels, 0 where there is none.
fn last_version(former: &Former<'_>, (collection, sae, latent): Place<'_>) -> Result<u32> {
    let range = (collection, sae, latent, 0)..=(collection, sae, latent, u32::MAX);
    let mut entries = former.range(range).map_err(fault)?;
    match entries.next_back() {
        None => Ok(0),
        Some(entry) => Ok(entry.map_err(fault)?.0.value().3),
    }
}

fn insert_former(
    former: &mut Former<'_>,
    (collection, sae, latent): Place<'_>,
    label: &Label,
) -> Result<()> {
    former
        .insert(
            (collection, sae, latent, label.version),
            encode(label)?.as_slice(),
        )
        .map_err(fault)?;
    Ok(())
}

fn next(version: u32) -> Result<u32> {
    version
        .checked_add(1)
        .ok_or_else(|| Error::internal("a label has more versions than numbers for them"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Storage;

    fn score(judge: &str, pearson: f32) -> LabelScore {
        LabelScore {
            judge: judge.to_owned(),
            pearson,
            low: Some(pearson - 0.1),
            high: Some(pearson + 0.1),
            f1: 0.5,
            positives: 10,
            negatives: 10,
            same_encoder: false,
            created: 3,
        }
    }

    fn texts(history: &[Label]) -> Vec<(&str, u32)> {
        let pairs = history.iter();
        pairs.map(|l| (l.text.as_str(), l.version)).collect()
    }

    #[test]
    fn what_a_label_replaces_is_kept_and_can_be_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(directory.path(), &Storage::default()).unwrap();
        for (text, source) in [
            ("late", "a"),
            ("late delivery", "b"),
            ("late delivery", "b"),
        ] {
            let label = Label::new(text, source, None, 1);
            catalog.put_labels("c", "s", [(4, &label)]).unwrap();
        }
        let history = catalog.label_history("c", "s", 4).unwrap();
        assert_eq!(texts(&history), [("late delivery", 2), ("late", 1)]);
        assert_eq!(catalog.labels("c", "s").unwrap()[&4].version, 2);
        assert_eq!(catalog.use_label("c", "s", 4, 1).unwrap().text, "late");
        assert_eq!(catalog.labels("c", "s").unwrap()[&4].text, "late");
        assert!(catalog.use_label("c", "s", 4, 9).is_err());
        // A new one counts on from the highest version, not from the current one.
        let label = Label::new("slow", "a", None, 5);
        catalog.put_labels("c", "s", [(4, &label)]).unwrap();
        let history = catalog.label_history("c", "s", 4).unwrap();
        assert_eq!(
            texts(&history),
            [("slow", 3), ("late delivery", 2), ("late", 1)]
        );
        let by = |source: &str| catalog.labelled_by("c", "s", source).unwrap().len();
        assert_eq!((by("a"), by("b"), by("other")), (1, 1, 0));
        assert!(catalog.label_versions("c", "t").unwrap().is_empty());
    }

    #[test]
    fn bounds_are_held_against_what_is_sure() {
        let mut label = Label::new("a", "keyphrases", None, 1);
        assert_eq!(
            (label.confidence(), label.is_low_confidence()),
            (None, false)
        );
        label.add_score(score("similarity", 0.35));
        assert_eq!(label.score, Some(0.35));
        assert!(label.is_low_confidence(), "its lower bound is .25");
        label.add_score(score("chat:m", 0.35));
        assert!(!label.is_low_confidence());
        label.score = Some(0.2);
        assert!(label.is_low_confidence(), "a score that came later");
        let earlier = r#"{"judge":"similarity","pearson":0.4,"f1":0.5,"positives":9,"negatives":9,
            "hard_negatives":true,"created":3}"#;
        let earlier: LabelScore = serde_json::from_str(earlier).unwrap();
        assert_eq!(earlier.gate(), 0.4);
    }

    #[test]
    fn scores_stay_with_their_version() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(directory.path(), &Storage::default()).unwrap();
        for text in ["one", "two"] {
            let label = Label::new(text, "a", None, 1);
            catalog.put_labels("c", "s", [(4, &label)]).unwrap();
        }
        let found = [
            (4, 1, score("similarity", 0.1)),
            (4, 2, score("similarity", 0.6)),
            (4, 2, score("similarity", 0.7)),
            (4, 2, score("chat:m", 0.2)),
            (4, 7, score("chat:m", 0.9)),
        ];
        catalog.add_label_scores("c", "s", found).unwrap();
        let history = catalog.label_history("c", "s", 4).unwrap();
        let judged = |label: &Label| -> Vec<f32> {
            label.scores.iter().map(|score| score.pearson).collect()
        };
        assert_eq!(judged(&history[0]), [0.7, 0.2]);
        assert_eq!(history[0].score, Some(0.2));
        assert!(history[0].is_low_confidence());
        assert_eq!(judged(&history[1]), [0.1]);
        // The same words from the same source keep their version and what is known of it.
        let label = Label::new("two", "a", None, 9);
        catalog.put_labels("c", "s", [(4, &label)]).unwrap();
        assert_eq!(catalog.label_history("c", "s", 4).unwrap(), history);
    }
}
