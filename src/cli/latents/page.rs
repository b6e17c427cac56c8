//! One latent, as people and as scripts read it.

use std::fmt::Write as _;

use latentdb_proto::v1::{ActivatingDocument, AttributeLift, Histogram, Latent, RelatedLatent};
use serde_json::{Value, json};

use crate::cli::{json, reading, text};

/// The points of [`Latent::quantiles`].
pub(in crate::cli) const QUANTILES: [&str; 8] =
    ["min", "p25", "p50", "p75", "p90", "p95", "p99", "max"];
/// Heights of a bar of the histogram.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The page as JSON.
pub(super) fn json(latent: &Latent) -> Value {
    let mut fields = latent
        .summary
        .as_ref()
        .map(json::latent)
        .unwrap_or_default();
    let quantiles: serde_json::Map<String, Value> = QUANTILES
        .iter()
        .zip(&latent.quantiles)
        .map(|(name, value)| ((*name).to_owned(), json::number(*value)))
        .collect();
    fields.insert("quantiles".to_owned(), quantiles.into());
    let histogram = latent.histogram.as_ref().map(|histogram| {
        json!({
            "lower": json::number(histogram.lower),
            "width": json::number(histogram.width),
            "counts": histogram.counts,
        })
    });
    fields.insert("histogram".to_owned(), histogram.into());
    fields.insert("top".to_owned(), documents_json(&latent.documents));
    fields.insert(
        "random".to_owned(),
        documents_json(&latent.random_documents),
    );
    let labels = latent.labels.iter();
    fields.insert(
        "labels".to_owned(),
        labels
            .map(|label| Value::from(json::label(label)))
            .collect(),
    );
    fields.insert(
        "nearest".to_owned(),
        related_json(&latent.nearest, "cosine"),
    );
    fields.insert(
        "co_occurring".to_owned(),
        related_json(&latent.co_occurring, "npmi"),
    );
    let lifts = latent.attributes.iter().map(|lift| {
        json!({
            "name": lift.name,
            "value": lift.value.as_ref().map(json::value),
            "documents": lift.documents,
            "total": lift.total,
            "lift": lift.lift,
        })
    });
    fields.insert("attributes".to_owned(), lifts.collect());
    fields.into()
}

fn documents_json(documents: &[ActivatingDocument]) -> Value {
    documents.iter().map(json::activating).collect()
}

fn related_json(related: &[RelatedLatent], score: &str) -> Value {
    let related = related.iter().map(|entry| {
        let label = entry.label.as_ref();
        json!({
            "latent": entry.latent,
            "label": label.map(|label| label.text.as_str()),
            "low_confidence": label.is_some_and(|label| label.low_confidence),
            (score): entry.score,
            "documents": entry.documents,
        })
    });
    related.collect()
}

/// The page as text.
pub(super) fn text(latent: &Latent, columns: usize) -> String {
    let mut page = String::new();
    let summary = latent.summary.clone().unwrap_or_default();
    let label = text::shown_label(summary.label.as_ref());
    let name = text::latent(summary.latent, &label, &text::label);
    // Writing to a String cannot fail; so everywhere below.
    let _ = writeln!(page, "latent {name}");
    for version in &latent.labels {
        let current = summary.label.as_ref().map(|label| label.version);
        let _ = writeln!(page, "  {}", version_line(version, current));
    }
    let _ = writeln!(
        page,
        "  active in {} documents ({:.2}%), mean activation {:.3}",
        text::thousands(summary.documents),
        summary.density * 100.0,
        summary.mean_activation
    );
    let quantiles: Vec<String> = QUANTILES
        .iter()
        .zip(&latent.quantiles)
        .map(|(name, value)| format!("{name} {value:.2}"))
        .collect();
    let _ = writeln!(page, "  activations: {}", quantiles.join(", "));
    if let Some(histogram) = &latent.histogram {
        let _ = writeln!(page, "  {}", bars(histogram));
    }
    documents(&mut page, "strongest documents", &latent.documents, columns);
    documents(
        &mut page,
        "random documents",
        &latent.random_documents,
        columns,
    );
    related(&mut page, "nearest by direction (cosine)", &latent.nearest);
    related(
        &mut page,
        "in the same documents (NPMI)",
        &latent.co_occurring,
    );
    attributes(&mut page, &latent.attributes);
    page
}

fn version_line(label: &latentdb_proto::v1::Label, current: Option<u32>) -> String {
    let mut line = format!("label {}", label.version);
    if current == Some(label.version) {
        line.push_str(", current");
    }
    let _ = write!(
        line,
        ": {:?} by {}",
        text::shown_label(Some(label)),
        label.source
    );
    if let (Some(score), true) = (label.score, label.scores.is_empty()) {
        let _ = write!(line, ", score {score:.2}");
    }
    for score in &label.scores {
        let hard = if score.hard_negatives {
            ", hard negatives"
        } else {
            ""
        };
        let _ = write!(
            line,
            "; {}{hard}: Pearson {:.2}, F1 {:.2}",
            score.judge, score.pearson, score.f1
        );
    }
    line
}

/// The histogram as a row of bars between its ends.
fn bars(histogram: &Histogram) -> String {
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    let bars: String = histogram
        .counts
        .iter()
        .map(|&count| match count {
            0 => ' ',
            // At most the last bar, since no count is above the largest.
            count => BARS[(count * (BARS.len() as u64 - 1)).div_ceil(most) as usize],
        })
        .collect();
    let upper = histogram.lower + histogram.width * histogram.counts.len() as f32;
    format!("{:.2} {bars} {upper:.2}", histogram.lower)
}

fn documents(page: &mut String, heading: &str, documents: &[ActivatingDocument], columns: usize) {
    if documents.is_empty() {
        return;
    }
    let _ = writeln!(page, "{heading}");
    for entry in documents {
        if let Some(document) = &entry.document {
            let attributes = text::attributes(document);
            let _ = writeln!(
                page,
                "  {:.2}  {}  {attributes}",
                entry.activation, document.id
            );
            let body = document.text.as_deref().unwrap_or_default();
            let body = match entry.span {
                Some(span) => reading::marked(body, span),
                None => body.to_owned(),
            };
            let body = text::cut(&body, columns.saturating_sub(8));
            let _ = writeln!(page, "        {body}");
        }
    }
}

fn related(page: &mut String, heading: &str, related: &[RelatedLatent]) {
    if related.is_empty() {
        return;
    }
    let _ = writeln!(page, "{heading}");
    for entry in related {
        let label = text::shown_label(entry.label.as_ref());
        let name = text::latent(entry.latent, &label, &text::label);
        let _ = write!(page, "  {:.2}  {name}", entry.score);
        if entry.documents > 0 {
            let _ = write!(page, ", {} documents", text::thousands(entry.documents));
        }
        page.push('\n');
    }
}

fn attributes(page: &mut String, lifts: &[AttributeLift]) {
    if lifts.is_empty() {
        return;
    }
    let _ = writeln!(page, "attributes more often than in all documents");
    for lift in lifts {
        let value = lift.value.as_ref().map(json::value).unwrap_or_default();
        let _ = writeln!(
            page,
            "  {:.1}x  {} = {}, {} of {} documents",
            lift.lift,
            lift.name,
            text::cut(&text::plain(&value), 60),
            text::thousands(lift.documents),
            text::thousands(lift.total)
        );
    }
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{Document, Label, LabelScore, LatentSummary};

    use super::*;

    fn label(text: &str, version: u32, score: Option<f32>) -> Label {
        Label {
            text: text.to_owned(),
            source: "keyphrases".to_owned(),
            score,
            version,
            low_confidence: score.is_some_and(|score| score < 0.3),
            ..Label::default()
        }
    }

    #[test]
    fn a_page_reads() {
        let mut current = label("late delivery", 2, Some(0.1));
        current.scores.push(LabelScore {
            judge: "similarity".to_owned(),
            pearson: 0.1,
            f1: 0.5,
            ..LabelScore::default()
        });
        let latent = Latent {
            summary: Some(LatentSummary {
                latent: 7,
                label: Some(current.clone()),
                documents: 1234,
                density: 0.05,
                mean_activation: 0.4,
            }),
            quantiles: vec![0.1; 8],
            histogram: Some(Histogram {
                lower: 0.1,
                width: 0.1,
                counts: vec![8, 0, 1],
            }),
            documents: vec![ActivatingDocument {
                document: Some(Document {
                    id: "a".to_owned(),
                    text: Some("it came late".to_owned()),
                    ..Document::default()
                }),
                activation: 0.9,
                ..ActivatingDocument::default()
            }],
            labels: vec![current, label("late", 1, None)],
            co_occurring: vec![RelatedLatent {
                latent: 8,
                label: None,
                score: 0.5,
                documents: 20,
            }],
            ..Latent::default()
        };
        let page = text(&latent, 80);
        for line in [
            "latent 7 \"late delivery?\"",
            "  label 2, current: \"late delivery?\" by keyphrases; similarity: Pearson 0.10, F1 0.50",
            "  label 1: \"late\" by keyphrases",
            "  active in 1,234 documents (5.00%), mean activation 0.400",
            "  0.10 █ ▂ 0.40",
            "        it came late",
            "  0.50  8, 20 documents",
        ] {
            assert!(
                page.lines().any(|found| found.trim_end() == line),
                "{line}\n{page}"
            );
        }
        let value = json(&latent);
        assert_eq!(value["low_confidence"], true);
        assert_eq!(value["labels"][1]["label"], "late");
        assert_eq!(value["co_occurring"][0]["npmi"], 0.5);
        assert_eq!(value["top"][0]["id"], "a");
    }
}
