//! `latentdb eval runs`: run files against judgements and against each other.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::measured::{measures, table};
use crate::cli::{output, text};
use crate::eval::queries;
use crate::eval::trec::{Run, parse_qrels, parse_run};

/// What is compared.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// TREC judgements: query, iteration, document, grade
    #[arg(long, value_name = "FILE")]
    qrels: PathBuf,
    /// A TREC run: query, Q0, document, rank, score, tag. Repeatable; the overlap is with the first
    #[arg(long = "run", value_name = "FILE", required = true)]
    runs: Vec<PathBuf>,
    /// p of the rank-biased overlap
    #[arg(long, default_value_t = 0.98, value_parser = share)]
    rbo_p: f64,
    /// Print JSON, errors included
    #[arg(long, help_heading = "Output")]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok();
    value
        .filter(|value| *value > 0.0 && *value < 1.0)
        .ok_or_else(|| "accepted is a number between 0 and 1".to_owned())
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let read = |path: &Path| {
        fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    let qrels = parse_qrels(&read(&args.qrels)?)?;
    let mut first: Option<Run> = None;
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for path in &args.runs {
        let run = parse_run(&read(path)?).with_context(|| path.display().to_string())?;
        let mean = queries::mean(&run, &qrels);
        let against = first.get_or_insert_with(|| run.clone());
        let overlap = queries::overlap(&run, against, &qrels, args.rbo_p);
        let mut fields = measures(&mean);
        fields.insert("run".to_owned(), json!(path.display().to_string()));
        fields.insert("rbo".to_owned(), json!(overlap));
        values.push(Value::from(fields));
        rows.push((format!("{} (RBO {overlap:.3})", path.display()), mean));
    }
    let value = json!({"runs": values, "queries": qrels.len()});
    let text = format!(
        "{}{}\n",
        table(&rows),
        text::counted(qrels.len() as u64, "query")
    );
    output::emit(args.json, &value, &text)
}
