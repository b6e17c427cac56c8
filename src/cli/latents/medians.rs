//! `latentdb latents scores`: how well labels score, per labeller and judge.

use std::collections::BTreeMap;

use latentdb_proto::v1::{LabelScore, LatentLabel, ListLabelsRequest, ScoredLabel};
use serde_json::json;

use crate::cli::client::ClientArgs;
use crate::cli::{output, text};
use crate::label::median;
use crate::report::Table;

/// Which collection.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
}

/// Who labelled, who judged, and whether the judge compared with the vectors that the SAE reads.
type Group = (String, String, bool);

/// How well the labels of one labeller score with one judge.
pub(super) struct Medians {
    group: Group,
    labels: u64,
    pearson: f32,
    f1: f32,
}

/// `latents scores`.
pub(super) async fn run(args: Args, client: &ClientArgs) -> anyhow::Result<()> {
    let is_json = client.json;
    let client = client.connect().await?;
    let request = ListLabelsRequest {
        collection: args.name,
        all_versions: true,
    };
    let table = table(&of_kept(&client.list_labels(request).await?));
    let value = json!({"by_labeller": table.records().collect::<Vec<_>>()});
    let page = match table.is_empty() {
        true => "no label is scored yet: `latentdb latents score` does it\n".to_owned(),
        false => table.page(output::table_columns()),
    };
    output::emit(is_json, &value, &page)
}

/// Of the scores that are kept with labels. A labeller's later label of a latent stands for its
/// earlier ones; versions come in their order, the current one last.
fn of_kept(labels: &[LatentLabel]) -> Vec<Medians> {
    let mut latest: BTreeMap<(Group, u32), &LabelScore> = BTreeMap::new();
    for entry in labels {
        let Some(label) = &entry.label else { continue };
        for score in &label.scores {
            let group = group(&label.source, score);
            latest.insert((group, entry.latent), score);
        }
    }
    let scores = latest.into_iter();
    medians(scores.map(|((group, _), score)| (group, score)))
}

/// Of the scores of one scoring.
pub(super) fn of_scored(scores: &[ScoredLabel]) -> Vec<Medians> {
    medians(scores.iter().filter_map(|scored| {
        let score = scored.score.as_ref()?;
        Some((group(&scored.source, score), score))
    }))
}

fn group(source: &str, score: &LabelScore) -> Group {
    (source.to_owned(), score.judge.clone(), score.same_encoder)
}

fn medians<'a>(scores: impl Iterator<Item = (Group, &'a LabelScore)>) -> Vec<Medians> {
    let mut groups: BTreeMap<Group, Vec<&LabelScore>> = BTreeMap::new();
    for (group, score) in scores {
        groups.entry(group).or_default().push(score);
    }
    groups
        .into_iter()
        .map(|(group, scores)| Medians {
            group,
            labels: scores.len() as u64,
            pearson: median(scores.iter().map(|score| score.pearson).collect()),
            f1: median(scores.iter().map(|score| score.f1).collect()),
        })
        .collect()
}

/// One row per labeller and judge.
pub(super) fn table(medians: &[Medians]) -> Table {
    let judge = |found: &Medians| match found.group.2 {
        true => format!("{} (same encoder)", found.group.1),
        false => found.group.1.clone(),
    };
    let fixed = |value: f32| format!("{value:.3}");
    Table::of(medians)
        .value("labeller", |found| &*found.group.0)
        .text("labeller", |found| found.group.0.clone())
        .value("judge", |found| &*found.group.1)
        .value("encoder", |found| if found.group.2 { "same" } else { "" })
        .text("judge", judge)
        .column("labels", "labels", |found| found.labels, text::thousands)
        .column("pearson", "median Pearson", |found| found.pearson, fixed)
        .column("f1", "median F1", |found| found.f1, fixed)
        .build()
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::Label;

    use super::*;

    #[test]
    fn a_later_label_of_a_labeller_stands_for_its_earlier_ones() {
        let label = |latent, source: &str, pearsons: &[f32]| LatentLabel {
            latent,
            label: Some(Label {
                source: source.to_owned(),
                scores: pearsons
                    .iter()
                    .zip([false, true])
                    .map(|(&pearson, same_encoder)| LabelScore {
                        judge: "similarity".to_owned(),
                        pearson,
                        f1: 0.5,
                        same_encoder,
                        ..LabelScore::default()
                    })
                    .collect(),
                ..Label::default()
            }),
        };
        let kept = [
            label(0, "keyphrases", &[0.125]),
            label(0, "local:m", &[0.25, 0.0]),
            label(0, "keyphrases", &[0.5]),
            label(1, "keyphrases", &[0.75]),
            label(2, "keyphrases", &[]),
        ];
        let found = of_kept(&kept);
        let rows: Vec<(&str, bool, u64, f32)> = found
            .iter()
            .map(|m| (m.group.0.as_str(), m.group.2, m.labels, m.pearson))
            .collect();
        assert_eq!(
            rows,
            [
                ("keyphrases", false, 2, 0.625),
                ("local:m", false, 1, 0.25),
                ("local:m", true, 1, 0.0),
            ]
        );
    }
}
