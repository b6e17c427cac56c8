//! Which latents of one SAE are which of another, and what can move from the one to the other: labels, steering
//! presets, saved sets (METHODS section 10, mapping).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use latentdb_index::analysis::{Counterpart, Match, Matching, Space, match_latents};
use latentdb_index::filter::Name;
use latentdb_index::{Filter, Label, MovedLabel, Progress, RecordKind, SetContent, now};

use super::{Analyses, check_share, n_latents_of};
use crate::error::{Error, Result};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::labels::ShownLabel;
use crate::service::names::resolve_set;
use crate::service::search::{Preset, SteerChange, SteerTarget, SteerUnit};

/// Which SAEs are matched.
#[derive(Clone, Debug)]
pub struct MatchRequest {
    /// The latents that have counterparts.
    pub a: Address,
    /// The latents that are counterparts: another SAE of the collection, or another collection with the same
    /// ids.
    pub b: Address,
    /// Latents in fewer shared documents are left out.
    pub min_support: u64,
    /// φ from which on two latents are the same to what moves.
    pub min_phi: f64,
}

/// What moves from A to B.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Labels, to latents without one.
    pub labels: bool,
    /// Labels, in place of those there.
    pub replace: bool,
    /// Steering presets that turn latents by number.
    pub presets: bool,
    /// Saved sets that test latents.
    pub sets: bool,
}

/// Latents of A with their counterparts.
#[derive(Clone, Debug)]
pub struct MatchResult {
    /// How many documents and latents were compared.
    pub documents: u64,
    /// Latents of A and of B that are active in enough of them.
    pub active: (u64, u64),
    /// Latents of A with a counterpart at `min_phi`.
    pub matched: u64,
    /// Mean φ of all latents of A, 0 where one has no counterpart.
    pub mean_phi: f64,
    /// The latents of A, by number.
    pub rows: Vec<LabelledMatch>,
    /// What moved.
    pub moved: Vec<Moved>,
    /// What did not, and why.
    pub stayed: Vec<Stayed>,
    /// Tests in the filters of sets that moved that no document of B can pass.
    pub warnings: Vec<String>,
}

/// A latent of A and its counterpart, with their labels.
#[derive(Clone, Debug)]
pub struct LabelledMatch {
    /// The figures.
    pub own: Match,
    /// A's label.
    pub label: Option<ShownLabel>,
    /// The label of the counterpart, and of the nearest latent of B.
    pub other_label: Option<ShownLabel>,
    /// The same.
    pub nearest_label: Option<ShownLabel>,
}

/// What moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovedKind {
    /// A label.
    Label,
    /// A steering preset.
    Preset,
    /// A saved set.
    Set,
}

/// Something that moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// What it is.
    pub kind: MovedKind,
    /// The label's text, or the name.
    pub name: String,
    /// The name that it has in B; the label's latent.
    pub to: String,
    /// φ of its latent, the smallest of several.
    pub phi: f64,
}

/// Something that did not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stayed {
    /// What it is.
    pub kind: MovedKind,
    /// The label's text, or the name.
    pub name: String,
    /// Why.
    pub why: String,
}

impl Analyses {
    /// Matches the latents of two SAEs by what they are active in. `progress` says how far it is and calls it off.
    ///
    /// # Errors
    /// `InvalidArgument` for one and the same SAE, `FailedPrecondition` where the two share too few documents
    /// or one has no latents.
    pub async fn match_latents(
        self: &Arc<Self>,
        request: MatchRequest,
        progress: Arc<Progress>,
    ) -> Result<MatchResult> {
        self.matched(request, Moves::default(), progress).await
    }

    /// The same, and gives B what moves of A's labels, presets and sets.
    ///
    /// # Errors
    /// The same, and what refuses a write.
    pub async fn move_latents(
        self: &Arc<Self>,
        request: MatchRequest,
        moves: Moves,
        progress: Arc<Progress>,
    ) -> Result<MatchResult> {
        self.core.check_room()?;
        self.matched(request, moves, progress).await
    }

    async fn matched(
        self: &Arc<Self>,
        request: MatchRequest,
        moves: Moves,
        progress: Arc<Progress>,
    ) -> Result<MatchResult> {
        check_share(request.min_phi, "min_phi")?;
        let (a, b) = (self.core.view(&request.a)?, self.core.view(&request.b)?);
        let (n_a, n_b) = (n_latents_of(&a)?, n_latents_of(&b)?);
        if a.name() == b.name() {
            let message = "is the SAE that is matched; another one of the collection (NAME:SAE), or another \
                           collection with the same documents, is accepted";
            return Err(Error::invalid("other", message));
        }
        let service = self.clone();
        blocking(move || {
            let matching = match_latents(
                space(&a, n_a),
                space(&b, n_b),
                request.min_support,
                &progress,
            )?;
            let moving = Moving {
                service: &service,
                a: &a,
                b: &b,
                min_phi: request.min_phi,
                counterparts: counterparts(&matching, request.min_phi),
                labels: service.labels.of(&a)?,
                other_labels: service.labels.of(&b)?,
            };
            let (mut moved, mut stayed) = (Vec::new(), Vec::new());
            if moves.labels {
                moving.labels(moves.replace, &mut moved, &mut stayed)?;
            }
            if moves.presets {
                moving.presets(&mut moved, &mut stayed)?;
            }
            if moves.sets {
                moving.sets(&mut moved, &mut stayed)?;
            }
            let label = |latent: u32| moving.labels.get(&latent).map(ShownLabel::from);
            let other_label = |own: Option<Counterpart>| {
                let label = moving.other_labels.get(&own?.latent)?;
                Some(ShownLabel::from(label))
            };
            let phi = |row: &Match| row.other.map_or(0.0, |own| own.phi);
            let sum: f64 = matching.rows.iter().map(phi).sum();
            Ok(MatchResult {
                documents: matching.documents,
                active: matching.active,
                matched: moving.counterparts.len() as u64,
                mean_phi: sum / matching.rows.len().max(1) as f64,
                rows: matching
                    .rows
                    .iter()
                    .map(|row| LabelledMatch {
                        own: *row,
                        label: label(row.latent),
                        other_label: other_label(row.other),
                        nearest_label: other_label(row.nearest),
                    })
                    .collect(),
                moved,
                stayed,
                warnings: b.warnings(),
            })
        })
        .await
    }
}

fn space(view: &View, n_latents: usize) -> Space<'_> {
    Space {
        snapshot: &view.snapshot,
        n_latents,
    }
}

/// What each latent of A is in B, where φ is large enough.
fn counterparts(matching: &Matching, min_phi: f64) -> BTreeMap<u32, Counterpart> {
    let rows = matching.rows.iter();
    rows.filter_map(|row| Some((row.latent, row.other.filter(|own| own.phi >= min_phi)?)))
        .collect()
}

/// What moves where.
struct Moving<'m> {
    service: &'m Analyses,
    a: &'m View,
    b: &'m View,
    min_phi: f64,
    counterparts: BTreeMap<u32, Counterpart>,
    labels: Arc<BTreeMap<u32, Label>>,
    other_labels: Arc<BTreeMap<u32, Label>>,
}

impl Moving<'_> {
    fn counterpart(&self, latent: u32, least: &mut f64) -> std::result::Result<u32, String> {
        let own = self
            .counterparts
            .get(&latent)
            .ok_or_else(|| format!("latent {latent} has no counterpart at phi {}", self.min_phi))?;
        *least = least.min(own.phi);
        Ok(own.latent)
    }

    fn labels(
        &self,
        replace: bool,
        moved: &mut Vec<Moved>,
        stayed: &mut Vec<Stayed>,
    ) -> Result<()> {
        let from = self.a.name();
        let mut made = Vec::new();
        for (&latent, label) in &*self.labels {
            let stays = |why: String| Stayed {
                kind: MovedKind::Label,
                name: label.text.clone(),
                why,
            };
            let mut phi = 1.0_f64;
            let other = match self.counterpart(latent, &mut phi) {
                Ok(other) => other,
                Err(why) => {
                    stayed.push(stays(why));
                    continue;
                }
            };
            if !replace && self.other_labels.contains_key(&other) {
                stayed.push(stays(format!("latent {other} has a label already")));
                continue;
            }
            let mut own = Label::new(label.text.clone(), &label.source, None, now());
            own.moved = Some(MovedLabel {
                from: from.clone(),
                phi: phi as f32,
            });
            made.push((other, own));
            moved.push(Moved {
                kind: MovedKind::Label,
                name: label.text.clone(),
                to: other.to_string(),
                phi,
            });
        }
        let made = made.iter().map(|(latent, label)| (*latent, label));
        self.service.labels.put(self.b, made)
    }

    /// What something of A is called in B: the same in another collection, with the SAE's name in one.
    fn name_in_b(&self, name: &str) -> String {
        if self.a.spec.record.name != self.b.spec.record.name {
            return name.to_owned();
        }
        match self.b.list_entry().map(|sae| sae.name.as_str()) {
            None | Some("") => format!("{name}.default"),
            Some(sae) => format!("{name}.{sae}"),
        }
    }

    fn presets(&self, moved: &mut Vec<Moved>, stayed: &mut Vec<Stayed>) -> Result<()> {
        let own = self.a.label_key().1;
        let presets: Vec<Preset> = self.a.handle.records(RecordKind::SteeringPreset)?;
        for preset in presets
            .into_iter()
            .filter(|preset| preset.sae.as_ref() == Some(&own))
        {
            let to = self.name_in_b(&preset.name);
            let known: Option<Preset> = self.b.handle.record_of(RecordKind::SteeringPreset, &to)?;
            let mut phi = 1.0;
            let result = match known {
                Some(_) => Err(format!("there is a preset {to:?} already")),
                None => self.preset(&preset, &to, &mut phi),
            };
            match result {
                Ok(made) => {
                    self.b
                        .handle
                        .put_record(RecordKind::SteeringPreset, &to, &made)?;
                    moved.push(Moved {
                        kind: MovedKind::Preset,
                        name: preset.name,
                        to,
                        phi,
                    });
                }
                Err(why) => stayed.push(Stayed {
                    kind: MovedKind::Preset,
                    name: preset.name,
                    why,
                }),
            }
        }
        Ok(())
    }

    fn preset(
        &self,
        preset: &Preset,
        name: &str,
        phi: &mut f64,
    ) -> std::result::Result<Preset, String> {
        let mut edits = preset.edits.clone();
        for edit in &mut edits {
            match &mut edit.of {
                SteerTarget::Latent(latent) => *latent = self.counterpart(*latent, phi)?,
                SteerTarget::Family(root) => {
                    return Err(format!(
                        "it turns the family {root}, and families do not move"
                    ));
                }
                SteerTarget::Concept { .. } | SteerTarget::Examples(_) => continue,
            }
            // An activation of one SAE is no activation of another.
            if matches!(
                (edit.change, edit.unit),
                (SteerChange::Set(_), SteerUnit::Raw)
            ) {
                return Err(
                    "it sets a raw activation, which counts otherwise in another SAE; amounts in 90th \
                     percentiles move"
                        .to_owned(),
                );
            }
        }
        Ok(Preset {
            name: name.to_owned(),
            edits,
            sae: Some(self.b.label_key().1),
        })
    }

    fn sets(&self, moved: &mut Vec<Moved>, stayed: &mut Vec<Stayed>) -> Result<()> {
        let own = self.a.label_key().1;
        let known = self.b.handle.saved_sets()?;
        for (name, set) in self.a.handle.saved_sets()? {
            let SetContent::Filter(filter) = set.content else {
                continue;
            };
            if set.sae.as_ref() != Some(&own) {
                continue;
            }
            let to = self.name_in_b(&name);
            let mut phi = 1.0;
            let made = match known.contains_key(&to) {
                true => Err(format!("there is a set {to:?} already")),
                false => self.filter(&filter, &mut phi),
            };
            // What the filter names besides latents has to be there too.
            let made = made.and_then(|made| {
                resolve_set(self.b, &made, "filter").map_err(|error| error.to_string())?;
                Ok(made)
            });
            match made {
                Ok(made) => {
                    let sae = Some(self.b.label_key().1);
                    self.b
                        .handle
                        .save_set(&to, SetContent::Filter(made), sae, BTreeMap::new())?;
                    moved.push(Moved {
                        kind: MovedKind::Set,
                        name,
                        to,
                        phi,
                    });
                }
                Err(why) => stayed.push(Stayed {
                    kind: MovedKind::Set,
                    name,
                    why,
                }),
            }
        }
        Ok(())
    }

    fn filter(&self, filter: &Filter, phi: &mut f64) -> std::result::Result<Filter, String> {
        let mut all = |filters: &[Filter]| -> std::result::Result<Vec<Filter>, String> {
            filters.iter().map(|own| self.filter(own, phi)).collect()
        };
        Ok(match filter {
            Filter::And(filters) => Filter::And(all(filters)?),
            Filter::Or(filters) => Filter::Or(all(filters)?),
            Filter::Not(own) => Filter::Not(Box::new(self.filter(own, phi)?)),
            Filter::Latent {
                latent,
                lower: Bound::Unbounded,
                upper: Bound::Unbounded,
            } => Filter::Latent {
                latent: self.counterpart(*latent, phi)?,
                lower: Bound::Unbounded,
                upper: Bound::Unbounded,
            },
            Filter::Latent { latent, .. } => {
                return Err(format!(
                    "it bounds the activation of latent {latent}, which counts otherwise in another SAE"
                ));
            }
            Filter::Named(name) => {
                let what = match name {
                    Name::SavedSet(name) => format!("the saved set {name:?}"),
                    Name::Family(root) => format!("the family {root}"),
                    Name::Through { sae, .. } => format!("the SAE {sae:?}"),
                };
                return Err(format!("it names {what}, which may be other latents there"));
            }
            other => other.clone(),
        })
    }
}
