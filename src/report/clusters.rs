//! The figure and the report of documents grouped along an axis.

use super::format::{cut, percent, thousands};
use super::html::{Block, Example, Section};
use super::table::Table;
use crate::error::Result;
use crate::plot::{self, Axis, Bar, Series};

/// Latents drawn per group, of either sign.
const DRAWN: usize = 8;

/// Groups of documents.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    /// The collection and its axis, as a title.
    pub title: String,
    /// Documents in groups.
    pub documents: u64,
    /// Documents in none.
    pub apart: u64,
    /// The groups.
    pub groups: Vec<Group>,
    /// The leading eigenvalues of the normalised affinity.
    pub eigenvalues: Vec<f64>,
    /// The latents of the axis.
    pub axis: Vec<AxisLatent>,
}

/// A group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// What it is about.
    pub label: String,
    /// Its documents.
    pub size: u64,
    /// Their mean likeness to each other.
    pub affinity: f64,
    /// Latents that it has more of than the others.
    pub over: Vec<Distinctive>,
    /// Latents that it has less of.
    pub under: Vec<Distinctive>,
    /// Typical documents.
    pub documents: Vec<Example>,
    /// Where its documents lie on the plane of the figure.
    pub points: Vec<(f64, f64)>,
}

/// A latent that sets a group apart.
#[derive(Clone, Debug, Default)]
pub struct Distinctive {
    /// Its number and label.
    pub name: String,
    /// Documents of the group with it.
    pub count: u64,
    /// Its share of the group's documents.
    pub inside: f64,
    /// Its share of the others.
    pub outside: f64,
}

/// A latent of the axis.
#[derive(Clone, Debug, Default)]
pub struct AxisLatent {
    /// Its number and label.
    pub name: String,
    /// The text or family that names it.
    pub named_by: String,
    /// Its similarity to the text, if a text names it.
    pub similarity: Option<f32>,
}

impl Clusters {
    /// What was found, in a sentence or two.
    pub fn sentence(&self) -> String {
        let apart = match self.apart {
            0 => String::new(),
            apart => format!(
                " {} more are in no group: they have none of these concepts, or none that the \
                 others have.",
                thousands(apart)
            ),
        };
        format!(
            "{} documents in {} groups by the {} concepts that the axis names, and by no \
             others.{apart}",
            thousands(self.documents),
            self.groups.len(),
            thousands(self.axis.len() as u64)
        )
    }

    /// The documents on the plane, a colour for each group, as SVG.
    ///
    /// # Errors
    /// Numbers that cannot be drawn.
    pub fn figure(&self) -> Result<String> {
        let names: Vec<String> = (1..)
            .zip(&self.groups)
            .map(|(number, group)| format!("{number}: {}", cut(&group.label, 48)))
            .collect();
        let classes: Vec<Series<'_>> = names
            .iter()
            .zip(&self.groups)
            .map(|(name, group)| Series::new(name, &group.points))
            .collect();
        plot::scatter(
            &self.title,
            &Axis::new("first principal component of the spectral embedding"),
            &Axis::new("second principal component"),
            &classes,
        )
    }

    /// The parts of a report: the groups, each of them, the axis.
    ///
    /// # Errors
    /// As [`Self::figure`].
    pub fn sections(&self) -> Result<Vec<Section>> {
        let mut sections = vec![Section {
            heading: "Groups".to_owned(),
            blocks: self.overview()?,
        }];
        for (number, group) in (1..).zip(&self.groups) {
            sections.push(group.section(number, self.documents)?);
        }
        sections.push(self.axis_section());
        Ok(sections)
    }

    fn overview(&self) -> Result<Vec<Block>> {
        if self.groups.is_empty() {
            let text = "No document has any of the concepts.".to_owned();
            return Ok(vec![Block::Text(text)]);
        }
        let numbered: Vec<(usize, &Group)> = (1..).zip(&self.groups).collect();
        let share = |group: &Group| group.size as f64 / self.documents as f64;
        let table = Table::of(&numbered)
            .text("group", |(number, _)| number.to_string())
            .text("label", |(_, group)| group.label.clone())
            .number("documents", |(_, group)| thousands(group.size))
            .number("share", |(_, group)| percent(share(group)))
            .number("affinity", |(_, group)| format!("{:.3}", group.affinity))
            .build();
        let values: Vec<(f64, f64)> = (1..)
            .zip(&self.eigenvalues)
            .map(|(number, value)| (f64::from(number), *value))
            .collect();
        let eigenvalues = plot::lines(
            "Leading eigenvalues",
            &Axis::new("number"),
            &Axis::new("eigenvalue of the normalised affinity"),
            &[Series::new("", &values)],
        )?;
        Ok(vec![
            Block::Table(table),
            Block::Text(
                "Affinity is the mean likeness of a group's documents to each other: the share of \
                 concepts that two documents have in common, of those that either has."
                    .to_owned(),
            ),
            Block::Plot {
                svg: self.figure()?,
                caption: "Each document is a point; near points have like concepts.".to_owned(),
            },
            Block::Plot {
                svg: eigenvalues,
                caption: "A large fall after the k-th value speaks for k groups.".to_owned(),
            },
        ])
    }

    fn axis_section(&self) -> Section {
        let mut latents: Vec<&AxisLatent> = self.axis.iter().collect();
        let similarity = |latent: &AxisLatent| latent.similarity.unwrap_or_default();
        latents.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
        let table = Table::of(&latents)
            .text("concept", |latent| latent.name.clone())
            .text("named by", |latent| latent.named_by.clone())
            .number("similarity", |latent| {
                let similarity = latent.similarity.map(|value| format!("{value:.3}"));
                similarity.unwrap_or_default()
            })
            .build();
        Section {
            heading: "The axis".to_owned(),
            blocks: vec![
                Block::Text(
                    "Documents were compared by these concepts alone: whether each is active or \
                     not."
                        .to_owned(),
                ),
                Block::Folded(format!("{} concepts", table.len()), table),
            ],
        }
    }
}

impl Group {
    fn section(&self, number: usize, all: u64) -> Result<Section> {
        let mut blocks = vec![Block::Text(format!(
            "{} documents, {} of those in groups.",
            thousands(self.size),
            percent(self.size as f64 / all as f64)
        ))];
        let drawn = self.over.iter().take(DRAWN);
        let bars: Vec<Bar<'_>> = drawn
            .chain(self.under.iter().take(DRAWN))
            .map(|latent| Bar::new(&latent.name, (latent.inside - latent.outside) * 100.0))
            .collect();
        if !bars.is_empty() {
            let title = format!("What sets group {number} apart");
            let axis = Axis::new("share in the group minus share in the others").unit("points");
            blocks.push(Block::Plot {
                svg: plot::horizontal_bars(&title, &axis, &bars)?,
                caption:
                    "Concepts more frequent in the group to the right, rarer ones to the left."
                        .to_owned(),
            });
        }
        let latents: Vec<&Distinctive> = self.over.iter().chain(&self.under).collect();
        let table = Table::of(&latents)
            .text("concept", |latent| latent.name.clone())
            .number("in the group", |latent| percent(latent.inside))
            .number("in the others", |latent| percent(latent.outside))
            .number("documents", |latent| thousands(latent.count))
            .build();
        let folded = "The concepts with their shares".to_owned();
        blocks.push(Block::Folded(folded, table));
        blocks.push(Block::Text("Its most typical documents:".to_owned()));
        blocks.push(Block::Documents(self.documents.clone()));
        Ok(Section {
            heading: format!("{number}. {}", self.label),
            blocks,
        })
    }
}
