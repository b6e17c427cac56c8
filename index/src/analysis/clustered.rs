//! Two sets compared where documents come in clusters (authors, threads): what one cluster does
//! often is one observation of it, not many.

use super::diff::{
    ByValue, Diff, DiffOptions, DiffRow, Measure, adjust_rows, check_sets, finish, row,
};
use super::members::Members;
use super::partition::Partition;
use super::spread::Spread;
use super::statistics::{Test, student_two_sided};
use super::units::{Counter, Floor, UnitIndex, Units};
use crate::error::{Error, Result};
use crate::latents::Row;
use crate::progress::Progress;

/// Fewest clusters that say anything of how clusters differ.
const LEAST: usize = 3;

/// Compares A and B by shares or means whose variance comes from sums per cluster, one per value of
/// `attribute`; a document without it is a cluster of its own. Student's t with two degrees of
/// freedom fewer than clusters.
///
/// # Errors
/// `InvalidArgument` for options out of range, mean activations of groups, fewer than three
/// clusters, and an attribute that fewer than half of a set's documents have.
pub fn compare_clustered(
    a: &Members,
    b: &Members,
    attribute: &str,
    units: Units,
    options: &DiffOptions,
    progress: &Progress,
) -> Result<Diff> {
    const FIELD: &str = "cluster_by";
    options.check()?;
    check_sets(a.documents(), b.documents())?;
    let index = UnitIndex::new(units)?;
    options.check_units(&index)?;
    let partition = Partition::new(&[a, b], attribute, FIELD)?;
    let documents = [a.documents(), b.documents()];
    let clusters = clusters(&partition);
    if clusters.len() < LEAST {
        return Err(Error::invalid(
            FIELD,
            format!(
                "names {attribute:?}, by which the sets have {} clusters; at least {LEAST} are needed",
                clusters.len()
            ),
        ));
    }
    progress.announce(clusters.len() as u64)?;
    let mut sums = Sums::new(index.len());
    let mut open = Open {
        index: &index,
        floor: Floor::new(options.active_above)?,
        is_mean: options.measure == Measure::MeanActivation,
        units: Vec::new(),
        active: Vec::new(),
    };
    for cluster in &clusters {
        let mut sizes = [0.0; 2];
        for &(set, segment, doc) in cluster {
            let members = [a, b][set];
            let row = members.snapshot.segments()[segment].latents.rows().row(doc);
            let share = 1.0 / documents[set] as f64;
            sizes[set] += share;
            open.add(row, |unit, value| sums.add(unit, set, value, share));
        }
        sums.close(sizes);
        progress.advance(1)?;
    }
    let n = (documents[0] + documents[1]) as f64;
    let groups = clusters.len() as f64;
    let correction = groups / (groups - 1.0) * (n - 1.0) / (n - 2.0);
    let mut rows: Vec<DiffRow> = (0..index.len())
        .map(|unit| sums.row(unit, correction, groups - 2.0, options))
        .collect();
    let tested = adjust_rows(&mut rows);
    Ok(Diff {
        a_documents: documents[0],
        b_documents: documents[1],
        unpaired: None,
        by: Some(ByValue {
            groups: clusters.len() as u64,
            a_outside: partition.count_without(0),
            b_outside: partition.count_without(1),
        }),
        tested,
        rows,
    })
}

/// A document: its set, its segment there, and its number in that.
type Place = (usize, usize, u32);

/// The documents of each cluster.
fn clusters(partition: &Partition) -> Vec<Vec<Place>> {
    let mut clusters: Vec<Vec<Place>> = vec![Vec::new(); partition.parts];
    for (set, segments) in partition.sets.iter().enumerate() {
        for (segment, placed) in segments.iter().enumerate() {
            for &(part, doc) in placed {
                clusters[part as usize].push((set, segment, doc));
            }
        }
    }
    for (set, segments) in partition.without.iter().enumerate() {
        for (segment, docs) in segments.iter().enumerate() {
            clusters.extend(docs.iter().map(|&doc| vec![(set, segment, doc)]));
        }
    }
    clusters
}

/// Units and values of rows.
struct Open<'a> {
    index: &'a UnitIndex,
    floor: Floor,
    is_mean: bool,
    units: Vec<u32>,
    active: Vec<u32>,
}

impl Open<'_> {
    /// Visits the units that a row has, with 1 or the activation.
    fn add(&mut self, row: Row, mut visit: impl FnMut(usize, f64)) {
        let active = row.latents.iter().zip(row.activations);
        let active = active.filter(|(_, activation)| self.floor.passes(**activation));
        if self.is_mean {
            for (&latent, activation) in active {
                if (latent as usize) < self.index.len() {
                    visit(latent as usize, activation.to_f64());
                }
            }
            return;
        }
        self.active.clear();
        self.active.extend(active.map(|(latent, _)| *latent));
        Counter::units_of(self.index, &self.active, &mut self.units);
        self.units
            .iter()
            .for_each(|&unit| visit(unit as usize, 1.0));
    }
}

/// Sums over clusters, from which the variance of every unit's difference follows.
///
/// With `s_g` the sum of a unit's values in cluster g, A's as shares of A's documents less B's as
/// shares of B's, and `x_g`, `y_g` the cluster's shares of the documents of A and B, the linearised
/// deviation is `s_g - (a x_g - b y_g)`. What is summed is its square, without visiting the clusters
/// in which no document has the unit.
struct Sums {
    counts: Vec<[u64; 2]>,
    means: Vec<[f64; 2]>,
    /// Of `s²`, `s x` and `s y`.
    products: Vec<[f64; 3]>,
    /// Of `x²`, `x y` and `y²`.
    sizes: [f64; 3],
    /// The open cluster's `s`, and which units it has.
    values: Vec<f64>,
    touched: Vec<usize>,
}

impl Sums {
    fn new(units: usize) -> Self {
        Self {
            counts: vec![[0; 2]; units],
            means: vec![[0.0; 2]; units],
            products: vec![[0.0; 3]; units],
            sizes: [0.0; 3],
            values: vec![0.0; units],
            touched: Vec::new(),
        }
    }

    fn add(&mut self, unit: usize, set: usize, value: f64, share: f64) {
        self.counts[unit][set] += 1;
        self.means[unit][set] += value * share;
        self.values[unit] += if set == 0 { value } else { -value } * share;
        self.touched.push(unit);
    }

    fn close(&mut self, [x, y]: [f64; 2]) {
        for unit in self.touched.drain(..) {
            // Once per cluster: the second time there is nothing left.
            let s = std::mem::take(&mut self.values[unit]);
            for (sum, product) in self.products[unit].iter_mut().zip([s * s, s * x, s * y]) {
                *sum += product;
            }
        }
        for (sum, product) in self.sizes.iter_mut().zip([x * x, x * y, y * y]) {
            *sum += product;
        }
    }

    fn row(&self, unit: usize, correction: f64, freedom: f64, options: &DiffOptions) -> DiffRow {
        let [a, b] = self.means[unit];
        let ([ss, sx, sy], [xx, xy, yy]) = (self.products[unit], self.sizes);
        let squares = ss - 2.0 * (a * sx - b * sy) + a * a * xx - 2.0 * a * b * xy + b * b * yy;
        let delta = a - b;
        // What rounding leaves of nothing is no variance.
        let error = (squares > 1e-12 * (ss + a * a * xx + b * b * yy))
            .then(|| ((squares * correction).sqrt(), freedom));
        let [a_count, b_count] = self.counts[unit];
        let mut row = row(unit, a_count, b_count, Spread::of(delta, error));
        (row.a, row.b) = (a, b);
        if let Some((error, freedom)) = error
            && a_count + b_count >= options.min_support.max(1)
        {
            row.p_value = student_two_sided(delta / error, freedom);
            row.test = Test::ClusterRobust;
        }
        finish(row, options)
    }
}
