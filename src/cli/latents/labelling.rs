//! Running labellers and judges in the server.

use crate::cli::flags;
use std::collections::BTreeMap;

use latentdb_proto::v1::{
    JudgeKind, LabelLatentsProgress, LabelLatentsRequest, LabelScoreSummary, LabellerKind,
    ScoreLabelsRequest, ScoredLabel,
};

use super::labels::{self, Records};
use super::medians;
use crate::cli::annotators::{Judge, Labeller, LimitArgs};
use crate::cli::client::ClientArgs;
use crate::cli::{output, progress, text};
use crate::report::format;

/// Scored labels that a person is shown from each end, and latents without a label.
const SHOWN: usize = 8;

/// What to label, and who does it.
#[derive(Debug, clap::Args)]
pub(super) struct LabelArgs {
    /// The collection
    name: String,
    /// Who makes the labels: keyphrases of the documents, the chat endpoint that the server was
    /// started with, or a language model in the server
    #[arg(long, value_enum, default_value_t = Labeller::Keyphrase)]
    labeller: Labeller,
    /// Replace labels of other sources too; only missing ones and keyphrases are otherwise
    #[arg(long, conflicts_with = "file")]
    replace: bool,
    /// Label what this labeller has labelled before, too
    #[arg(long, conflicts_with = "file")]
    again: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// Only this latent; may be given several times
    #[arg(long = "latent", value_name = "ID")]
    latents: Vec<u32>,
    /// At most this many latents, those with most documents first
    #[arg(long, value_parser = flags::count::<u32>)]
    limit: Option<u32>,
    /// Decides which documents a model is shown
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Take labels from this file of records (- for standard input) instead of making them
    #[arg(long, conflicts_with_all = ["labeller", "latents", "limit"])]
    file: Option<String>,
    #[command(flatten)]
    records: Records,
}

/// What to score, and who judges.
#[derive(Debug, clap::Args)]
pub(super) struct ScoreArgs {
    /// The collection
    name: String,
    /// Who judges: the similarity of label and document, the chat endpoint that the server was
    /// started with, or a language model in the server
    #[arg(long, value_enum, default_value_t = Judge::Similarity)]
    judge: Judge,
    #[command(flatten)]
    model: ModelArgs,
    /// Only this latent; may be given several times
    #[arg(long = "latent", value_name = "ID")]
    latents: Vec<u32>,
    /// At most this many latents, drawn at random
    #[arg(long, value_parser = flags::count::<u32>)]
    sample: Option<u32>,
    /// Decides what is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Held-out documents per latent that activate it, and as many that do not; 50 by default where
    /// similarity judges, 10 where a language model does
    #[arg(long, value_parser = flags::count::<u32>)]
    documents: Option<u32>,
    /// Judge by similarity under this encoder in place of the collection's: a name, a folder or hub id
    #[arg(long, value_name = "MODEL")]
    judge_encoder: Option<String>,
    /// Compare labellers: score the latest label of each, of the latents that all have labelled
    #[arg(long)]
    compare: bool,
}

/// Which model, and how much it may be used.
#[derive(Debug, clap::Args)]
struct ModelArgs {
    /// The chat endpoint's model, or a GGUF file on the server
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// `latents label`.
pub(super) async fn label(args: LabelArgs, client: &ClientArgs) -> anyhow::Result<()> {
    if let Some(file) = &args.file {
        return labels::import(&args.name, file, &args.records, client).await;
    }
    let is_json = client.json;
    let request = LabelLatentsRequest {
        collection: args.name,
        replace: args.replace,
        labeller: LabellerKind::from(args.labeller).into(),
        chat: Some(args.model.limits.wire()),
        model: args.model.model.unwrap_or_default(),
        again: args.again,
        latents: args.latents,
        limit: args.limit.unwrap_or_default(),
        seed: args.seed,
    };
    let client = client.connect().await?;
    let bar = progress::bar(0, "latents");
    bar.set_message("labelling");
    let watch = |message: &LabelLatentsProgress| {
        progress::advance(&bar, message);
        if let Some(newest) = message.labels.last() {
            let label = text::label(newest.label.as_ref());
            bar.set_message(format!("labelling: {}", text::cut(&label, 40)));
        }
    };
    let found = client.label_latents(request, watch).await?;
    bar.finish_and_clear();
    output::respond(is_json, &found, || labelled(&found))
}

fn labelled(found: &LabelLatentsProgress) -> String {
    let mut line = format!("{} written", text::counted(found.written, "label"));
    if found.done > found.written {
        let none = text::counted(found.done - found.written, "latent");
        line.push_str(&format!(", {none} without one"));
    }
    if found.passed_over > 0 {
        let passed_over = text::counted(found.passed_over, "latent");
        line.push_str(&format!(
            ", {passed_over} passed over (--again and --replace label them too)"
        ));
    }
    if found.tokens > 0 {
        line.push_str(&format!(", {} tokens", text::thousands(found.tokens)));
    }
    let mut unlabelled: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for entry in &found.unlabelled {
        unlabelled.entry(&entry.why).or_default().push(entry.latent);
    }
    for (why, latents) in &unlabelled {
        let shown: Vec<String> = latents.iter().take(SHOWN).map(u32::to_string).collect();
        line.push_str(&format!("\n  {why}: {}", shown.join(" ")));
        if latents.len() > SHOWN {
            let more = text::thousands((latents.len() - SHOWN) as u64);
            line.push_str(&format!(" and {more} more"));
        }
    }
    line
}

/// `latents score`.
pub(super) async fn score(args: ScoreArgs, client: &ClientArgs) -> anyhow::Result<()> {
    let is_json = client.json;
    let request = ScoreLabelsRequest {
        collection: args.name,
        judge: JudgeKind::from(args.judge).into(),
        chat: Some(args.model.limits.wire()),
        model: args.model.model.unwrap_or_default(),
        latents: args.latents,
        sample: args.sample.unwrap_or_default(),
        seed: args.seed,
        documents: args.documents.unwrap_or_default(),
        judge_encoder: args.judge_encoder.unwrap_or_default(),
        compare: args.compare,
    };
    let client = client.connect().await?;
    let progress = progress::follow("scoring", "labels");
    let found = client.score_labels(request, progress).await?;
    output::respond(is_json, &found, || {
        scores_text(&found.summary, &found.scores)
    })
}

fn interval_of(scored: &ScoredLabel) -> String {
    let interval = scored
        .score
        .as_ref()
        .and_then(|score| score.low.zip(score.high));
    interval.map_or_else(String::new, |(low, high)| format!("{low:.2} to {high:.2}"))
}

fn scores_text(summary: &LabelScoreSummary, scores: &[ScoredLabel]) -> String {
    let mut page = format!(
        "median Pearson {:.3}, median F1 {:.3} over {}; {} pass .3, {} .5, {} .8",
        summary.median_pearson,
        summary.median_f1,
        text::counted(summary.scored, "label"),
        text::thousands(summary.at_least_03),
        text::thousands(summary.at_least_05),
        text::thousands(summary.at_least_08)
    );
    let same = scores.iter().filter_map(|scored| scored.score.as_ref());
    if same.clone().any(|score| score.same_encoder) {
        page.push_str(
            "\nsame encoder: the judge compares with the vectors that the SAE reads, so scores say how well \
             labels tell where documents lie; --judge-encoder takes another",
        );
    }
    if summary.unscored > 0 {
        let unscored = text::thousands(summary.unscored);
        page.push_str(&format!(
            "; {unscored} without a score (too few held-out documents)"
        ));
    }
    page.push('\n');
    let pearson = |scored: &ScoredLabel| scored.score.as_ref().map_or(0.0, |score| score.pearson);
    let mut sorted: Vec<&ScoredLabel> = scores.iter().collect();
    sorted.sort_by(|a, b| pearson(b).total_cmp(&pearson(a)));
    let row = |scored: &&ScoredLabel| {
        let f1 = scored.score.as_ref().map_or(0.0, |score| score.f1);
        vec![
            format::latent(scored.latent, &scored.text),
            format!("{:.3}", pearson(scored)),
            interval_of(scored),
            format!("{f1:.3}"),
        ]
    };
    let mut rows: Vec<Vec<String>> = sorted.iter().take(SHOWN).map(row).collect();
    let rest = &sorted[rows.len()..];
    if rest.len() > SHOWN {
        rows.push(vec![
            "...".to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    rows.extend(rest[rest.len().saturating_sub(SHOWN)..].iter().map(row));
    page.push_str(&text::table(&["latent", "Pearson", "95 %", "F1"], &rows));
    page.push('\n');
    page.push_str(&medians::table(&medians::of_scored(scores)).page(output::table_columns()));
    page
}
