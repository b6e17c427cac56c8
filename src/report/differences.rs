//! The figure and the report of a comparison of two sets of documents.

use super::format::{cut, p_value, percent, thousands};
use super::html::{Block, Example, Section};
use super::table::Table;
use crate::error::Result;
use crate::plot::{self, Axis, Bar};

/// Bars of a figure; more are not read.
const DRAWN: usize = 20;
/// Maximum characters per side's name in a title.
const SIDE: usize = 36;
/// Differences shown with documents.
const SHOWN: usize = 10;

/// What is compared, and how.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    /// Mean activations are compared, not shares of documents.
    pub is_mean: bool,
    /// The attribute by which documents are paired.
    pub paired_by: Option<String>,
}

/// Set A compared with one set B.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// How they are compared.
    pub measure: Measure,
    /// The sets, A first.
    pub sides: [Side; 2],
    /// What a reader must know of the documents.
    pub notes: Vec<String>,
    /// Latents that passed where they were found, if they were tested on other documents.
    pub found: Option<u64>,
    /// Latents tested.
    pub tested: u64,
    /// Latents that pass the bounds.
    pub passing: u64,
    /// The differences listed.
    pub rows: Vec<Difference>,
    /// The same as a table.
    pub table: Table,
}

/// One of the sets.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Its name or filter.
    pub name: String,
    /// Its documents, or its pairs.
    pub documents: u64,
}

/// A latent of which the sets have different shares.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// The latent's number and label.
    pub name: String,
    /// Documents with it, in A and in B.
    pub counts: [u64; 2],
    /// The measure of A and of B.
    pub values: [f64; 2],
    /// A minus B.
    pub delta: f64,
    /// The confidence interval of `delta`.
    pub interval: [f64; 2],
    /// The adjusted p-value.
    pub p_adjusted: f64,
    /// Documents in which it is strongest, each before its counterpart if they are paired.
    pub documents: Vec<Example>,
}

impl Measure {
    /// What is counted, in the plural.
    pub fn unit(&self) -> &'static str {
        match self.paired_by {
            Some(_) => "pairs",
            None => "documents",
        }
    }

    /// The measure of a set.
    pub fn figure(&self, value: f64) -> String {
        match self.is_mean {
            true => format!("{value:.4}"),
            false => percent(value),
        }
    }

    /// A difference of two, with its sign; in points of a percentage for shares.
    pub fn signed(&self, value: f64) -> String {
        let sign = if value >= 0.0 { "+" } else { "" };
        match self.is_mean {
            true => format!("{sign}{value:.4}"),
            false => format!("{sign}{:.1}", value * 100.0),
        }
    }
}

impl Differences {
    /// The largest differences with their intervals, as SVG.
    ///
    /// # Errors
    /// Numbers that cannot be drawn.
    pub fn figure(&self) -> Result<String> {
        let scale = if self.measure.is_mean { 1.0 } else { 100.0 };
        let mut largest: Vec<&Difference> = self.rows.iter().collect();
        // A list of all latents comes by number; a stable sort leaves the others as they are.
        largest.sort_by(|left, right| right.delta.abs().total_cmp(&left.delta.abs()));
        largest.truncate(DRAWN);
        let bar = |row: &&'_ Difference| {
            let [low, high] = row.interval;
            // Of one document there is no interval of a mean.
            let interval = (low.is_finite() && high.is_finite()).then_some((low, high));
            (
                row.delta * scale,
                interval.map(|(low, high)| (low * scale, high * scale)),
            )
        };
        let bars: Vec<Bar<'_>> = largest
            .iter()
            .map(|row| {
                let (value, interval) = bar(row);
                Bar {
                    name: &row.name,
                    value,
                    interval,
                }
            })
            .collect();
        let unit = self.measure.unit();
        let axis = match self.measure.is_mean {
            true => Axis::new("mean activation in A minus in B"),
            false => Axis::new(format!("share of A's {unit} minus share of B's")).unit("points"),
        };
        let [a, b] = self.sides.each_ref().map(|side| cut(&side.name, SIDE));
        plot::horizontal_bars(&format!("A: {a} · B: {b}"), &axis, &bars)
    }

    /// What was found, in a sentence or two.
    pub fn sentence(&self) -> String {
        let [a, b] = self.sides.each_ref().map(|side| thousands(side.documents));
        let sets = match &self.measure.paired_by {
            Some(attribute) => format!("{a} pairs of documents with the same {attribute}"),
            None => format!("{a} documents of A, {b} of B"),
        };
        format!(
            "Against {}: {sets}. {}.",
            self.sides[1].name,
            self.counted()
        )
    }

    /// How many rows are listed, pass and were tested.
    pub fn counted(&self) -> String {
        let tested = match self.found {
            None => format!("{} tested", thousands(self.tested)),
            Some(found) => format!(
                "{} found on the other documents, {} tested on these",
                thousands(found),
                thousands(self.tested)
            ),
        };
        format!(
            "{} listed, {} pass; {tested}",
            thousands(self.rows.len() as u64),
            thousands(self.passing)
        )
    }

    /// The part of a report: an overview, then the largest differences with their documents.
    ///
    /// # Errors
    /// As [`Self::figure`].
    pub fn sections(&self) -> Result<Vec<Section>> {
        let mut sections = vec![self.overview()?];
        let shown = (1..).zip(self.rows.iter().take(SHOWN));
        sections.extend(shown.map(|(rank, row)| self.section(rank, row)));
        Ok(sections)
    }

    fn overview(&self) -> Result<Section> {
        let heading = format!("Against {}", self.sides[1].name);
        if self.rows.is_empty() {
            let text = format!("No concept passes. {}.", self.counted());
            return Ok(Section {
                heading,
                blocks: vec![Block::Text(text)],
            });
        }
        let mut blocks = vec![Block::Plot {
            svg: self.figure()?,
            caption: format!(
                "The {} largest differences with their confidence intervals: concepts that A has \
                 more of to the right, those that B has more of to the left.",
                self.rows.len().min(DRAWN)
            ),
        }];
        blocks.extend(
            self.notes
                .iter()
                .map(|note| Block::Text(format!("{note}."))),
        );
        blocks.push(Block::Folded(
            format!("{} differences as a table", self.table.len()),
            self.table.clone(),
        ));
        blocks.push(Block::Text(
            "p-values are two-sided and adjusted for the number of concepts tested (Benjamini and \
             Hochberg); intervals for how many of them pass (Benjamini and Yekutieli)."
                .to_owned(),
        ));
        Ok(Section { heading, blocks })
    }

    fn section(&self, rank: usize, row: &Difference) -> Section {
        let unit = self.measure.unit();
        let side = |at: usize| {
            let (count, of) = (
                thousands(row.counts[at]),
                thousands(self.sides[at].documents),
            );
            format!(
                "{} ({count} of {of} {unit})",
                self.measure.figure(row.values[at])
            )
        };
        let (more, set) = match row.delta >= 0.0 {
            true => ("A", &self.sides[0].name),
            false => ("B", &self.sides[1].name),
        };
        let documents = match &self.measure.paired_by {
            None => format!("The documents of {more} ({set}) in which it is strongest:"),
            Some(attribute) => format!(
                "Where only {more} ({set}) has it, the documents in which it is strongest, and \
                 next to each the one with the same {attribute}:"
            ),
        };
        let text = format!(
            "In A {}, in B {}; adjusted p {}. {documents}",
            side(0),
            side(1),
            p_value(row.p_adjusted)
        );
        Section {
            heading: format!("{rank}. {}", row.name),
            blocks: vec![Block::Text(text), Block::Documents(row.documents.clone())],
        }
    }
}
