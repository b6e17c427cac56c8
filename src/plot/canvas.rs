//! The paper of a plot: title, legend, axes, colours, markers.

use std::collections::HashSet;
use std::io;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, RGBColor, TextStyle, WHITE};

use super::axis::Axis;
use super::scale::Scale;
use super::text::{escaped, plain, shortened, text_width};
use crate::error::{Error, Result};

const WIDTH: u32 = 880;
/// Height of the area of points.
const HEIGHT: u32 = 460;
/// Height of one bar with its gap.
const BAR: u32 = 26;
const TITLE: u32 = 44;
const LEGEND_ROW: u32 = 24;
const X_AREA: u32 = 54;
/// Least width of the area of bars; names that take more make the plot wider.
const BARS: u32 = 430;
/// Longest name of a bar, in columns.
const NAME_CHARACTERS: usize = 160;
const MARKER: i32 = 4;

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// Okabe and Ito's colours, without black and the yellow that white swallows.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xe6, 0x9f, 0x00),
];

/// What surrounds the data of a plot.
pub(super) struct Frame<'a> {
    pub title: &'a str,
    pub x: &'a Axis,
    /// The vertical axis; `None` where names stand at it.
    pub y: Option<&'a Axis>,
    pub x_scale: Scale,
    pub y_scale: Scale,
    /// Names at the vertical axis, from the top.
    pub names: &'a [&'a str],
    /// Names and classes of the legend.
    pub legend: Vec<(&'a str, usize)>,
}

pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;
type Area<'b> = DrawingArea<SVGBackend<'b>, Shift>;
/// What drawing returns.
pub(super) type Drawn = std::result::Result<(), DrawingAreaErrorKind<io::Error>>;

/// Draws the frame, then what `paint` adds to it.
pub(super) fn render(
    frame: &Frame<'_>,
    paint: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> Result<String> {
    let mut svg = String::new();
    draw(&mut svg, frame, paint)
        .map_err(|error| Error::internal("a plot could not be drawn").with_source(error))?;
    let name = escaped(&plain(frame.title));
    let labelled = format!("<svg role=\"img\" aria-label=\"{name}\" font-family=\"sans-serif\" ");
    Ok(svg.replacen("<svg ", &labelled, 1))
}

fn draw(
    svg: &mut String,
    frame: &Frame<'_>,
    paint: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> Drawn {
    let rows = legend_rows(&frame.legend);
    let head = TITLE + LEGEND_ROW * rows.len() as u32;
    let body = match frame.names.len() {
        0 => HEIGHT,
        bars => BAR * bars as u32,
    };
    let names = frame.names.iter();
    let names: Vec<String> = names.map(|name| shortened(name, NAME_CHARACTERS)).collect();
    let left = match names.iter().map(|name| text_width(name, 13)).max() {
        Some(widest) => widest + 16,
        None => 84,
    };
    let width = WIDTH.max(left + BARS);
    let size = (width, head + body + X_AREA + 8);
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    root.fill(&WHITE)?;
    let title = style(20).pos(Pos::new(HPos::Center, VPos::Center));
    let middle = (width as i32 / 2, TITLE as i32 / 2);
    root.draw_text(&shortened(frame.title, 84), &title, middle)?;
    for (row, entries) in rows.iter().enumerate() {
        draw_legend_row(&root, row, entries)?;
    }
    let (_, area) = root.split_vertically(head);
    let mut chart = ChartBuilder::on(&area)
        .margin_left(8)
        .margin_right(24)
        .margin_bottom(8)
        .x_label_area_size(X_AREA)
        .y_label_area_size(left)
        .build_cartesian_2d(frame.x_scale.clone(), frame.y_scale.clone())?;
    draw_mesh(&mut chart, frame, &names)?;
    paint(&mut chart)?;
    root.present()
}

fn draw_mesh(chart: &mut Chart<'_, '_>, frame: &Frame<'_>, names: &[String]) -> Drawn {
    let x_text = |value: &f64| frame.x_scale.text(*value);
    let y_text = |value: &f64| match names {
        [] => frame.y_scale.text(*value),
        names => {
            let place = names.len() - 1 - (value.round() as usize).min(names.len() - 1);
            names[place].clone()
        }
    };
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(GRID)
        .axis_style(INK)
        .label_style(style(13))
        .axis_desc_style(style(14))
        .x_label_formatter(&x_text)
        .y_label_formatter(&y_text)
        .set_all_tick_mark_size(4)
        .x_desc(plain(&frame.x.to_string()));
    match frame.y {
        Some(axis) => mesh.y_desc(plain(&axis.to_string())),
        None => mesh.disable_y_mesh(),
    };
    mesh.draw()
}

/// Legend entries as they fit next to each other: name, class and left edge.
fn legend_rows<'a>(legend: &[(&'a str, usize)]) -> Vec<Vec<(&'a str, usize, i32)>> {
    const START: i32 = 84;
    let mut rows: Vec<Vec<_>> = Vec::new();
    let mut at = START;
    for &(name, class) in legend {
        let width = text_width(&shortened(name, 60), 13) as i32 + 40;
        if rows.is_empty() || at + width > WIDTH as i32 {
            rows.push(Vec::new());
            at = START;
        }
        if let Some(row) = rows.last_mut() {
            row.push((name, class, at));
        }
        at += width;
    }
    rows
}

fn draw_legend_row(root: &Area<'_>, row: usize, entries: &[(&str, usize, i32)]) -> Drawn {
    let y = (TITLE + LEGEND_ROW * row as u32) as i32 + 6;
    let text = style(13).pos(Pos::new(HPos::Left, VPos::Center));
    for &(name, class, x) in entries {
        mark(root, class, (x + 8, y))?;
        root.draw_text(&shortened(name, 60), &text, (x + 20, y))?;
    }
    Ok(())
}

/// A line through points, in a class' colour.
pub(super) fn polyline(chart: &mut Chart<'_, '_>, class: usize, points: &[(f64, f64)]) -> Drawn {
    let style = colour(class).stroke_width(2);
    chart
        .plotting_area()
        .draw(&PathElement::new(points.to_vec(), style))
}

/// A class' marker on each point, once where several fall on the same pixel.
pub(super) fn marks(chart: &mut Chart<'_, '_>, class: usize, points: &[(f64, f64)]) -> Drawn {
    let mut drawn = HashSet::new();
    let area = chart.plotting_area().strip_coord_spec();
    let (left, top) = area.get_base_pixel();
    for point in points {
        let (x, y) = chart.backend_coord(point);
        if drawn.insert((x, y)) {
            mark(&area, class, (x - left, y - top))?;
        }
    }
    Ok(())
}

/// A filled rectangle between two corners.
pub(super) fn rectangle(
    chart: &mut Chart<'_, '_>,
    from: (f64, f64),
    to: (f64, f64),
    colour: RGBColor,
) -> Drawn {
    let element = Rectangle::new([from, to], colour.filled());
    chart.plotting_area().draw(&element)
}

/// A horizontal interval at a height.
pub(super) fn whisker(chart: &mut Chart<'_, '_>, low: f64, high: f64, y: f64) -> Drawn {
    let ends = [
        (low, high, y, y),
        (low, low, y - 0.15, y + 0.15),
        (high, high, y - 0.15, y + 0.15),
    ];
    for (x0, x1, y0, y1) in ends {
        let element = PathElement::new(vec![(x0, y0), (x1, y1)], INK.stroke_width(1));
        chart.plotting_area().draw(&element)?;
    }
    Ok(())
}

/// The colour of bars of a sign.
pub(super) fn bar_colour(value: f64) -> RGBColor {
    COLOURS[usize::from(value < 0.0)]
}

fn colour(class: usize) -> RGBColor {
    COLOURS[class % COLOURS.len()]
}

/// A class' marker at a pixel of an area: circle, triangle, square, diamond, in turn.
fn mark(area: &Area<'_>, class: usize, (x, y): (i32, i32)) -> Drawn {
    let fill = colour(class).filled();
    let around = |offsets: &[(i32, i32)]| -> Vec<(i32, i32)> {
        offsets.iter().map(|(dx, dy)| (x + dx, y + dy)).collect()
    };
    let m = MARKER;
    match class / COLOURS.len() % 4 {
        0 => area.draw(&Circle::new((x, y), m - 1, fill)),
        1 => area.draw(&Polygon::new(around(&[(-m, m), (m, m), (0, -m)]), fill)),
        2 => area.draw(&Rectangle::new(
            [(x - m + 1, y - m + 1), (x + m - 1, y + m - 1)],
            fill,
        )),
        _ => area.draw(&Polygon::new(
            around(&[(-m, 0), (0, m), (m, 0), (0, -m)]),
            fill,
        )),
    }
}

fn style(size: u32) -> TextStyle<'static> {
    // The library writes sizes divided by 1.24.
    let size = f64::from(size) * 1.24;
    TextStyle::from(("sans-serif", size).into_font()).color(&INK)
}
