//! Tables and figures of the steering evaluation.

use crate::error::Result;
use crate::eval::steering::{Evaluation, Picked, Step};
use crate::plot::{self, Axis, Series};

/// A heading and the text of a step below it.
pub type Column = (&'static str, fn(&Step) -> String);

/// Columns for one latent up.
pub const UP_COLUMNS: &[Column] = &[
    ("relevance kept", |step| {
        format!("{:.3}", step.outcome.relevance)
    }),
    ("target share", |step| {
        format!("{:.3}", step.outcome.target_share)
    }),
    ("95 %", |step| {
        let (low, high) = step.target_interval;
        format!("{low:.3} to {high:.3}")
    }),
    ("overlap", |step| format!("{:.2}", step.outcome.overlap)),
];

/// Columns for one latent up and another down; without a judge, all but the last two.
pub const UP_DOWN_COLUMNS: &[Column] = &[
    ("cosine", |step| format!("{:.3}", step.cosine)),
    ("relevance kept", |step| {
        format!("{:.3}", step.outcome.relevance)
    }),
    ("up share", |step| {
        format!("{:.3}", step.outcome.target_share)
    }),
    ("down share", |step| format!("{:.3}", step.down_share)),
    ("overlap", |step| format!("{:.2}", step.outcome.overlap)),
    ("up picked", |step| picked(&step.up_picked)),
    ("down picked", |step| picked(&step.down_picked)),
];

/// The share of right picks with its interval.
fn picked(picked: &Picked) -> String {
    match picked.accuracy().zip(picked.interval()) {
        None => "-".to_owned(),
        Some((share, (low, high))) => format!("{share:.2} ({low:.2} to {high:.2})"),
    }
}

/// The head and the rows of a table: method, strength and `columns`, the unsteered queries first.
pub fn table(evaluation: &Evaluation, columns: &[Column]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let row = |name: &str, strength: String, step: &Step| -> Vec<String> {
        let cells = columns.iter().map(|(_, cell)| cell(step));
        [name.to_owned(), strength]
            .into_iter()
            .chain(cells)
            .collect()
    };
    let mut rows = vec![row("unsteered", String::new(), &evaluation.unsteered)];
    for (method, steps) in &evaluation.curves {
        let steps = steps.iter();
        rows.extend(steps.map(|step| row(method.name(), step.strength.to_string(), step)));
    }
    let head = columns.iter().map(|(name, _)| *name);
    (
        ["method", "strength"].into_iter().chain(head).collect(),
        rows,
    )
}

/// Target share against relevance kept, as SVG.
///
/// # Errors
/// Those of [`plot::lines`].
pub fn up_figure(evaluation: &Evaluation) -> Result<String> {
    let queries = evaluation.queries;
    figure(
        evaluation,
        &format!("Steering {queries} queries towards a latent inactive in them"),
        &Axis::new("relevance kept"),
        &Axis::new("target share of the first hits"),
        |step| Some((step.outcome.relevance, step.outcome.target_share)),
    )
}

/// `up-share.svg`, `down-share.svg` and `overlap.svg`, and of a judge's guesses `up-picked.svg`
/// and `down-picked.svg`, each against the cosine: file names and SVG.
///
/// # Errors
/// Those of [`plot::lines`].
pub fn up_down_figures(evaluation: &Evaluation) -> Result<Vec<(&'static str, String)>> {
    type Measure = fn(&Step) -> Option<f64>;
    let figures: [(&str, &str, Measure); 5] = [
        ("up-share.svg", "hits with the latent steered up", |step| {
            Some(step.outcome.target_share)
        }),
        (
            "down-share.svg",
            "hits with the latent steered down",
            |step| Some(step.down_share),
        ),
        ("overlap.svg", "unsteered hits that stay", |step| {
            Some(step.outcome.overlap)
        }),
        ("up-picked.svg", "latent steered up is picked", |step| {
            step.up_picked.accuracy()
        }),
        ("down-picked.svg", "latent steered down is picked", |step| {
            step.down_picked.accuracy()
        }),
    ];
    let title = format!("{} queries, one latent up and one down", evaluation.queries);
    let x = Axis::new("cosine of the query before and after");
    let steps = || evaluation.curves.iter().flat_map(|(_, steps)| steps);
    let figures = figures.into_iter();
    figures
        .filter(|(_, _, measure)| steps().any(|step| measure(step).is_some()))
        .map(|(file, name, measure)| {
            let y = Axis::new(name).unit("share");
            let point = |step: &Step| Some((step.cosine, measure(step)?));
            Ok((file, figure(evaluation, &title, &x, &y, point)?))
        })
        .collect()
}

/// A curve over the strengths for each method.
fn figure(
    evaluation: &Evaluation,
    title: &str,
    x: &Axis,
    y: &Axis,
    point: impl Fn(&Step) -> Option<(f64, f64)>,
) -> Result<String> {
    let curves: Vec<(&str, Vec<(f64, f64)>)> = evaluation
        .curves
        .iter()
        .map(|(method, steps)| (method.name(), steps.iter().filter_map(&point).collect()))
        .collect();
    let series: Vec<Series> = curves
        .iter()
        .map(|(name, points)| Series::new(name, points))
        .collect();
    plot::lines(title, x, y, &series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::steering::{Method, Outcome};

    #[test]
    fn every_method_has_its_rows_and_curves() {
        let step = |strength| Step {
            strength,
            cosine: 1.0 - f64::from(strength),
            down_share: f64::from(strength),
            outcome: Outcome {
                relevance: 1.0 - f64::from(strength),
                target_share: f64::from(strength),
                overlap: 1.0 - f64::from(strength),
            },
            ..Step::default()
        };
        let evaluation = Evaluation {
            queries: 3,
            unsteered: step(0.0),
            curves: vec![(Method::Boost, vec![step(0.25), step(0.5)])],
            judge: None,
        };
        let (head, rows) = table(&evaluation, UP_DOWN_COLUMNS);
        assert_eq!(head[..3], ["method", "strength", "cosine"]);
        assert_eq!(rows[2][..3], ["boost", "0.5", "0.500"]);
        assert_eq!((rows.len(), rows[2][7].as_str()), (3, "-"));
        assert!(up_figure(&evaluation).unwrap().contains("boost"));
        assert_eq!(up_down_figures(&evaluation).unwrap().len(), 3);
    }
}
