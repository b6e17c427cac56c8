//! Plots as SVG text: pure functions of numbers, with titles, named axes, units, readable ticks and
//! a legend.
//!
//! Colours are those of Okabe and Ito ("Color Universal Design", 2008), which people with any colour
//! vision tell apart; where they run out, markers change their shape. Text is not measured (no font
//! is read), so space for it is estimated. A plot has a white ground of its own and reads the same
//! on a dark page.
//!
//! | to add | open |
//! |---|---|
//! | a kind of plot | one function here |
//! | how ticks are chosen and written | `scale.rs` |
//! | title, legend, colours, markers | `canvas.rs` |

mod axis;
mod canvas;
mod dates;
mod scale;
mod text;

use std::path::Path;

use crate::error::{Error, Result};
use crate::whole_file;
pub use axis::{Axis, Places};
use canvas::{Frame, bar_colour, marks, polyline, rectangle, render, whisker};
use scale::Scale;
pub(crate) use text::escaped;

/// Points that belong together: a line, or a class of a scatter plot.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// Name in the legend; empty for none.
    pub name: &'a str,
    /// Its points, x and y. Lines join them in this order.
    pub points: &'a [(f64, f64)],
}

impl<'a> Series<'a> {
    /// Points under a name.
    pub fn new(name: &'a str, points: &'a [(f64, f64)]) -> Self {
        Self { name, points }
    }
}

/// A bar with, where known, an interval around its value.
#[derive(Clone, Copy, Debug)]
pub struct Bar<'a> {
    /// Its label.
    pub name: &'a str,
    /// Its length; bars of either sign start at 0 and have colours of their own.
    pub value: f64,
    /// The interval drawn as a whisker: low and high.
    pub interval: Option<(f64, f64)>,
}

impl<'a> Bar<'a> {
    /// A bar without an interval.
    pub fn new(name: &'a str, value: f64) -> Self {
        Self {
            name,
            value,
            interval: None,
        }
    }
}

/// A chart of lines, with a marker on each point where a line has few.
///
/// # Errors
/// `InvalidArgument` when there is no point, or one that is not finite, or not positive on a
/// logarithmic axis.
///
/// ```
/// use latentdb::plot::{Axis, Series, lines};
///
/// let svg = lines(
///     "FVU by dictionary size",
///     &Axis::new("latents").logarithmic(),
///     &Axis::new("FVU"),
///     &[
///         Series::new("k = 32", &[(1024.0, 0.31), (3072.0, 0.25)]),
///         Series::new("k = 64", &[(1024.0, 0.27), (3072.0, 0.21)]),
///     ],
/// )?;
/// assert!(svg.starts_with("<svg") && svg.contains("k = 64"));
/// # Ok::<(), latentdb::error::Error>(())
/// ```
pub fn lines(title: &str, x: &Axis, y: &Axis, series: &[Series<'_>]) -> Result<String> {
    /// Markers on more points than this would hide the line.
    const MARKED: usize = 40;
    let frame = plane(title, x, y, series)?;
    render(&frame, |chart| {
        for (class, line) in series.iter().enumerate() {
            polyline(chart, class, line.points)?;
            if line.points.len() <= MARKED {
                marks(chart, class, line.points)?;
            }
        }
        Ok(())
    })
}

/// A scatter plot with one colour and marker per class. Points that would cover each other entirely
/// are drawn once.
///
/// # Errors
/// As [`lines`].
pub fn scatter(title: &str, x: &Axis, y: &Axis, classes: &[Series<'_>]) -> Result<String> {
    let frame = plane(title, x, y, classes)?;
    render(&frame, |chart| {
        for (class, members) in classes.iter().enumerate() {
            marks(chart, class, members.points)?;
        }
        Ok(())
    })
}

/// A histogram: how many of `values` lie in each of `bins` intervals of equal width (equal ratio on
/// a logarithmic axis). The last interval holds its upper end too.
///
/// # Errors
/// `InvalidArgument` when there is no value or no bin, or as [`lines`].
pub fn histogram(title: &str, x: &Axis, y: &Axis, values: &[f64], bins: usize) -> Result<String> {
    if bins == 0 {
        return Err(Error::invalid("bins", "is 0; 1 or more are accepted"));
    }
    check(title, values.iter().map(|&value| (value, 1.0)), [x, y])?;
    let counts = bin_counts(values, bins, x.logarithmic);
    let edges = counts.iter().flat_map(|&(low, high, _)| [low, high]);
    let heights = counts.iter().map(|&(_, _, count)| count);
    let base = if y.logarithmic { 0.5 } else { 0.0 };
    let frame = Frame {
        title,
        x,
        y: Some(y),
        x_scale: x.scale(edges),
        y_scale: y.scale(heights.chain([base])),
        names: &[],
        legend: Vec::new(),
    };
    render(&frame, |chart| {
        for &(low, high, count) in &counts {
            rectangle(chart, (low, base), (high, count.max(base)), bar_colour(1.0))?;
        }
        Ok(())
    })
}

/// Horizontal bars, the first on top, each with its name at its left and its interval as a whisker.
///
/// # Errors
/// `InvalidArgument` when there is no bar, when a number is not finite, or when the axis is
/// logarithmic: a bar's length says nothing there.
pub fn horizontal_bars(title: &str, x: &Axis, bars: &[Bar<'_>]) -> Result<String> {
    if x.logarithmic {
        return Err(Error::invalid(
            "x",
            "is logarithmic; bars need a linear axis",
        ));
    }
    let ends = |bar: &Bar<'_>| {
        let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
        [bar.value, low, high]
    };
    let values = || bars.iter().flat_map(ends);
    check(title, values().map(|value| (value, 1.0)), [x, x])?;
    let names: Vec<&str> = bars.iter().map(|bar| bar.name).collect();
    let frame = Frame {
        title,
        x,
        y: None,
        x_scale: x.scale(values().chain([0.0])),
        y_scale: Scale::places(bars.len()),
        names: &names,
        legend: Vec::new(),
    };
    render(&frame, |chart| {
        for (place, bar) in bars.iter().enumerate() {
            let y = (bars.len() - 1 - place) as f64;
            let colour = bar_colour(bar.value);
            rectangle(chart, (0.0, y - 0.34), (bar.value, y + 0.34), colour)?;
            if let Some((low, high)) = bar.interval {
                whisker(chart, low, high, y)?;
            }
        }
        Ok(())
    })
}

/// Writes a plot to a file, which is there entirely or not at all.
///
/// # Errors
/// `Internal` when the file cannot be written; the message names it.
pub fn write(path: &Path, svg: &str) -> Result<()> {
    whole_file::write(path, svg.as_bytes())
}

/// The frame of a plot of points.
fn plane<'a>(title: &'a str, x: &'a Axis, y: &'a Axis, series: &[Series<'a>]) -> Result<Frame<'a>> {
    let points = || {
        series
            .iter()
            .flat_map(|series| series.points.iter().copied())
    };
    check(title, points(), [x, y])?;
    Ok(Frame {
        title,
        x,
        y: Some(y),
        x_scale: x.scale(points().map(|point| point.0)),
        y_scale: y.scale(points().map(|point| point.1)),
        names: &[],
        legend: series
            .iter()
            .enumerate()
            .filter(|(_, series)| !series.name.is_empty())
            .map(|(class, series)| (series.name, class))
            .collect(),
    })
}

fn check(
    title: &str,
    mut points: impl Iterator<Item = (f64, f64)>,
    axes: [&Axis; 2],
) -> Result<()> {
    let mut any = false;
    let fits = |value: f64, axis: &Axis| value.is_finite() && (!axis.logarithmic || value > 0.0);
    let misfit = points.find(|&(x, y)| {
        any = true;
        !fits(x, axes[0]) || !fits(y, axes[1])
    });
    match misfit {
        Some((x, y)) => Err(Error::invalid(
            "points",
            format!(
                "of the plot {title:?} hold ({x}, {y}); finite numbers are accepted, positive ones \
                 on a logarithmic axis"
            ),
        )),
        None if !any => Err(Error::invalid(
            "points",
            format!("of the plot {title:?} are none; one or more are accepted"),
        )),
        None => Ok(()),
    }
}

/// Low end, high end and count of each bin.
fn bin_counts(values: &[f64], bins: usize, logarithmic: bool) -> Vec<(f64, f64, f64)> {
    let forward = |value: f64| if logarithmic { value.ln() } else { value };
    let back = |value: f64| if logarithmic { value.exp() } else { value };
    let low = values
        .iter()
        .copied()
        .map(forward)
        .fold(f64::INFINITY, f64::min);
    let high = values
        .iter()
        .copied()
        .map(forward)
        .fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if high > low {
        (low, high)
    } else {
        (low - 0.5, high + 0.5)
    };
    let width = (high - low) / bins as f64;
    let mut counts = vec![0.0; bins];
    for &value in values {
        let bin = ((forward(value) - low) / width) as usize;
        counts[bin.min(bins - 1)] += 1.0;
    }
    let edge = |at: usize| back(low + width * at as f64);
    let bounds = (0..bins).map(|at| (edge(at), edge(at + 1)));
    bounds
        .zip(counts)
        .map(|((low, high), count)| (low, high, count))
        .collect()
}

#[cfg(test)]
mod tests;
