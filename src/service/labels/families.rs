//! Finding families of latents, and naming them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use latentdb_index::analysis::families::{self, FamilyOptions};
use latentdb_index::{Label, Progress};

use super::part::Labels;
use crate::error::{Error, Result};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::families::families as kept_families;
use crate::service::families::{FamilyMemberRecord, FamilyRecord};
use crate::service::families::{keep, union};

/// Phrases of a family's label.
const LABEL_PHRASES: usize = 3;

/// A family with its labels as they are now.
#[derive(Clone, Debug)]
pub struct LabelledFamily {
    /// The family.
    pub family: FamilyRecord,
    /// What its members' labels have in common.
    pub label: Option<String>,
    /// The members' labels, in their order.
    pub member_labels: Vec<Option<String>>,
}

/// How families are found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FindFamilies {
    /// What shapes them.
    pub options: FamilyOptions,
    /// The lowest score of the labels of latents that take part; all take part without one.
    pub min_label_score: Option<f32>,
}

impl Labels {
    /// Finds the families of a collection's latents and keeps them in place of those before. A
    /// caller that goes away calls it off.
    ///
    /// # Errors
    /// `InvalidArgument` for a least score where no label has one: what was kept stays.
    pub async fn find_families(
        self: &Arc<Self>,
        address: &Address,
        find: FindFamilies,
    ) -> Result<Vec<LabelledFamily>> {
        let view = self.core.view(address)?;
        view.required_n_latents()?;
        self.core.check_room()?;
        let labels = self.of(&view)?;
        if find.min_label_score.is_some() && labels.values().all(|label| label.score.is_none()) {
            return Err(Error::invalid(
                "min_label_score",
                format!(
                    "leaves out every latent, for no label of collection {:?} has a score; score them \
                     with latentdb latents score, or leave it out",
                    view.name()
                ),
            ));
        }
        let progress = Arc::new(Progress::default());
        let _waiting = progress.stop_on_drop();
        blocking(move || {
            let takes_part = |latent: u32| {
                find.min_label_score.is_none_or(|least| {
                    let score = labels.get(&latent).and_then(Label::confidence);
                    score.is_some_and(|score| score >= least)
                })
            };
            let found = families::families(&view.snapshot, &takes_part, &find.options, &progress)?;
            progress.announce(found.len() as u64)?;
            let mut records = Vec::with_capacity(found.len());
            for family in found {
                let root = FamilyMemberRecord {
                    latent: family.parent,
                    below: family.parent,
                    depth: 0,
                };
                let below = family.children.iter().map(|child| FamilyMemberRecord {
                    latent: child.latent,
                    below: child.below,
                    depth: child.depth,
                });
                let members: Vec<_> = std::iter::once(root).chain(below).collect();
                records.push(FamilyRecord {
                    root: family.parent,
                    documents: view.snapshot.count(&union(&members))?,
                    members,
                    score: family.score.is_finite().then_some(family.score),
                    round: family.round,
                });
                progress.advance(1)?;
            }
            keep(&view, &records)
        })
        .await?;
        self.list_families(address).await
    }

    /// The families that were found last, largest first.
    ///
    /// # Errors
    /// `FailedPrecondition` where none were looked for.
    pub async fn list_families(self: &Arc<Self>, address: &Address) -> Result<Vec<LabelledFamily>> {
        let view = self.core.view(address)?;
        let service = self.clone();
        blocking(move || {
            let found = kept_families(&view)?;
            service.labelled(&view, found)
        })
        .await
    }

    fn labelled(&self, view: &View, families: Vec<FamilyRecord>) -> Result<Vec<LabelledFamily>> {
        let labels = self.of(view)?;
        let families = families.into_iter();
        Ok(families
            .map(|family| {
                let text = |member: &FamilyMemberRecord| {
                    labels.get(&member.latent).map(|label| label.text.clone())
                };
                LabelledFamily {
                    label: family_label(&family, &labels),
                    member_labels: family.members.iter().map(text).collect(),
                    family,
                }
            })
            .collect())
    }
}

/// The root's phrases, and then those that most members' labels hold.
fn family_label(family: &FamilyRecord, labels: &BTreeMap<u32, Label>) -> Option<String> {
    let phrases_of = |latent: u32| {
        let text = labels.get(&latent).map_or("", |label| label.text.as_str());
        text.split(',')
            .map(str::trim)
            .filter(|phrase| !phrase.is_empty())
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for member in &family.members {
        for phrase in phrases_of(member.latent) {
            *counts.entry(phrase.to_lowercase()).or_default() += 1;
        }
    }
    let mut common: Vec<(String, usize)> = counts.into_iter().filter(|(_, n)| *n > 1).collect();
    common.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut phrases: Vec<String> = Vec::new();
    let own = phrases_of(family.root).map(str::to_owned);
    for phrase in own.chain(common.into_iter().map(|(phrase, _)| phrase)) {
        let known = |other: &String| {
            let (other, phrase) = (other.to_lowercase(), phrase.to_lowercase());
            other.contains(&phrase) || phrase.contains(&other)
        };
        if phrases.len() < LABEL_PHRASES && !phrases.iter().any(known) {
            phrases.push(phrase);
        }
    }
    (!phrases.is_empty()).then(|| phrases.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_called_by_its_root_and_what_its_members_share() {
        let label = |text: &str| -> Label {
            serde_json::from_value(serde_json::json!({
                "text": text, "source": "test", "score": null, "created": 0,
            }))
            .unwrap()
        };
        let labels = BTreeMap::from([
            (1, label("nodes")),
            (2, label("molecules, graph networks")),
            (3, label("Graph networks, traffic")),
        ]);
        let member = |latent| FamilyMemberRecord {
            latent,
            below: 1,
            depth: usize::from(latent != 1),
        };
        let family = FamilyRecord {
            root: 1,
            members: vec![member(1), member(2), member(3), member(4)],
            score: None,
            documents: 9,
            round: 1,
        };
        let named = family_label(&family, &labels);
        assert_eq!(named.as_deref(), Some("nodes, graph networks"));
        assert_eq!(family_label(&family, &BTreeMap::new()), None);
    }
}
