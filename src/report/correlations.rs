//! The figure and the report of what occurs together.

use super::format::{cut, p_value, percent, thousands};
use super::html::{Block, Example, Section};
use super::table::Table;
use crate::error::Result;
use crate::plot::{self, Axis, Bar};

/// Bars of a figure; more are not read.
const DRAWN: usize = 20;
/// Maximum characters per latent's name at a pair's bar.
const PAIRED: usize = 23;

/// Pairs that occur together in a collection.
#[derive(Clone, Debug, Default)]
pub struct Correlations {
    /// The collection.
    pub collection: String,
    /// The pairs, highest lower bound of NPMI first.
    pub pairs: Vec<Pair>,
    /// The same as a table.
    pub table: Table,
}

/// Two latents, or a latent and a value of an attribute.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// What either is called.
    pub names: [String; 2],
    /// Documents with both.
    pub count: u64,
    /// Their share of the documents with the first, and of those with the second.
    pub shares: [f64; 2],
    /// Normalised pointwise mutual information.
    pub npmi: f64,
    /// The adjusted p-value.
    pub p_adjusted: f64,
    /// Documents to show.
    pub documents: Vec<Example>,
}

impl Pair {
    /// Both names.
    pub fn name(&self) -> String {
        self.names.join(" and ")
    }

    fn section(&self, rank: usize) -> Section {
        let text = format!(
            "Together in {} documents: in {} of those with the first and {} of those with the \
             second. NPMI {:.3}, adjusted p {}.",
            thousands(self.count),
            percent(self.shares[0]),
            percent(self.shares[1]),
            self.npmi,
            p_value(self.p_adjusted)
        );
        Section {
            heading: format!("{rank}. {}", self.name()),
            blocks: vec![Block::Text(text), Block::Documents(self.documents.clone())],
        }
    }
}

impl Correlations {
    /// The pairs with the highest NPMI, as SVG.
    ///
    /// # Errors
    /// Numbers that cannot be drawn.
    pub fn figure(&self) -> Result<String> {
        let drawn = &self.pairs[..self.pairs.len().min(DRAWN)];
        let short = |pair: &Pair| {
            pair.names
                .each_ref()
                .map(|name| cut(name, PAIRED))
                .join(" and ")
        };
        let names: Vec<String> = drawn.iter().map(short).collect();
        let bars: Vec<Bar<'_>> = drawn
            .iter()
            .zip(&names)
            .map(|(pair, name)| Bar::new(name, pair.npmi))
            .collect();
        let axis = Axis::new("normalised pointwise mutual information");
        let title = format!("What occurs together in {}", self.collection);
        plot::horizontal_bars(&title, &axis, &bars)
    }

    /// The part of a report: an overview, then the first `shown` pairs with their documents.
    ///
    /// # Errors
    /// As [`Self::figure`].
    pub fn sections(&self, shown: usize) -> Result<Vec<Section>> {
        let heading = "The closest pairs".to_owned();
        let blocks = if self.pairs.is_empty() {
            vec![Block::Text("No pair occurs as often as asked.".to_owned())]
        } else {
            let caption =
                "1: the two occur only together; 0: as often together as by chance.".to_owned();
            let svg = self.figure()?;
            let folded = format!("{} pairs as a table", self.table.len());
            vec![
                Block::Plot { svg, caption },
                Block::Folded(folded, self.table.clone()),
            ]
        };
        let overview = Section { heading, blocks };
        let pairs = (1..).zip(self.pairs.iter().take(shown));
        let sections = pairs.map(|(rank, pair)| pair.section(rank));
        Ok(std::iter::once(overview).chain(sections).collect())
    }
}
