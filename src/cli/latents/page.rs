//! One latent, as people read it.

use std::fmt::Write as _;

use latentdb_proto::v1::{ActivatingDocument, AttributeLift, Histogram, Latent, RelatedLatent};

use crate::cli::text;
use crate::report::format;

/// The page as text.
pub(super) fn text(latent: &Latent, columns: usize) -> String {
    let mut page = String::new();
    let summary = latent.summary.clone().unwrap_or_default();
    let name = text::labelled(summary.latent, summary.label.as_ref());
    // Writing to a String cannot fail; so everywhere below.
    let _ = writeln!(page, "latent {name}");
    for version in &latent.labels {
        let current = summary.label.as_ref().map(|label| label.version);
        let _ = writeln!(page, "  {}", version_line(version, current));
    }
    let _ = writeln!(
        page,
        "  active in {} ({:.2}%), mean activation {:.3}",
        text::counted(summary.documents, "document"),
        summary.density * 100.0,
        summary.mean_activation
    );
    if let Some(recurrence) = summary.recurrence {
        let _ = writeln!(page, "  recurrence {recurrence:.2} in SAEs of other seeds");
    }
    let quantiles = text::quantiles(&latent.quantiles, |value| format!("{value:.2}"));
    let _ = writeln!(page, "  activations: {quantiles}");
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
    let _ = write!(line, ": {:?} by {}", text::label(Some(label)), label.source);
    if let (Some(score), true) = (label.score, label.scores.is_empty()) {
        let _ = write!(line, ", score {score:.2}");
    }
    if let Some(phi) = label.moved_phi {
        let _ = write!(line, "; moved from {}, phi {phi:.2}", label.moved_from);
    }
    for score in &label.scores {
        let same = if score.same_encoder {
            ", same encoder"
        } else {
            ""
        };
        let _ = write!(
            line,
            "; {}{same}: Pearson {:.2}",
            score.judge, score.pearson
        );
        if let Some((low, high)) = score.low.zip(score.high) {
            let _ = write!(line, " ({low:.2} to {high:.2})");
        }
        let _ = write!(line, ", F1 {:.2}", score.f1);
    }
    line
}

/// The histogram as a row of bars between its ends.
fn bars(histogram: &Histogram) -> String {
    let bars = format::bars(&histogram.counts);
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
                Some(span) => text::marked(body, span),
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
        let name = text::labelled(entry.latent, entry.label.as_ref());
        let _ = write!(page, "  {:.2}  {name}", entry.score);
        if entry.documents > 0 {
            let _ = write!(page, ", {}", text::counted(entry.documents, "document"));
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
        let value = lift.value.as_ref().map(text::value).unwrap_or_default();
        let _ = writeln!(
            page,
            "  {:.1}x  {} = {}, {} of {}",
            lift.lift,
            lift.name,
            text::cut(&value, 60),
            text::thousands(lift.documents),
            text::counted(lift.total, "document")
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
            low: Some(-0.05),
            high: Some(0.2),
            same_encoder: true,
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
                recurrence: None,
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
            "  label 2, current: \"late delivery?\" by keyphrases; similarity, same encoder: Pearson 0.10 \
             (-0.05 to 0.20), F1 0.50",
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
    }
}
