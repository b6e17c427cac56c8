//! The figure of what rises and falls along an order.

use crate::error::Result;
pub use crate::plot::Places;
use crate::plot::{self, Axis, Series};

/// Lines of a figure; more are not told apart.
pub const LINES: usize = 8;

/// Shares along an order.
#[derive(Clone, Debug, Default)]
pub struct Trends {
    /// The collection.
    pub collection: String,
    /// What the documents are ordered by.
    pub order: String,
    /// What the places of points are.
    pub places: Places,
    /// The latents and their points: a place in the order, a share.
    pub rows: Vec<(String, Vec<(f64, f64)>)>,
}

impl Trends {
    /// The shares of the first rows, as SVG.
    ///
    /// # Errors
    /// Numbers that cannot be drawn.
    pub fn figure(&self) -> Result<String> {
        let in_percent = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points
                .iter()
                .map(|(at, share)| (*at, share * 100.0))
                .collect()
        };
        let drawn = self.rows.iter().take(LINES);
        let lines: Vec<(&str, Vec<(f64, f64)>)> = drawn
            .map(|(name, points)| (&**name, in_percent(points)))
            .collect();
        let series: Vec<Series<'_>> = lines
            .iter()
            .map(|(name, points)| Series::new(name, points))
            .collect();
        let across = Axis::new(&*self.order).places(self.places.clone());
        let up = Axis::new("documents with the latent").unit("%");
        let title = format!("Trends in {}", self.collection);
        plot::lines(&title, &across, &up, &series)
    }
}
