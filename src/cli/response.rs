//! How searches, and what steering and properties did to them, read on a terminal.

use std::fmt::Write as _;

use latentdb_proto::v1::{
    Activation, ChosenLatents, Document, Explanation, Highlight, Hit, LatentContribution, PlanNode,
    SearchResponse, SteerEdit, SteerSweepResponse, SteerUnit, Steering, SweepStep,
    steer_edit::Edit,
};

use super::output;
use super::text::{self, attributes, cut, milliseconds, thousands, wrap};
use crate::report::Table;
use crate::report::format;

/// Latents shown before "and N more".
const SHOWN: usize = 8;

/// What a latent is called, by its number and the label that the response carries.
pub(super) type Name<'a> = &'a dyn Fn(u32, &str) -> String;

fn named(latent: u32, label: &str, name: Name<'_>) -> String {
    format::latent(latent, &name(latent, label))
}

fn contribution(part: &LatentContribution, body: Option<&str>, name: Name<'_>) -> String {
    let label = format::label(&part.label, part.low_confidence);
    let mut latent = named(part.latent, &label, name);
    if let (Some(span), Some(body)) = (part.span, body) {
        let _ = write!(latent, " on [{}]", text::words(body, span));
    }
    if part.component.is_empty() {
        format!("{latent} {:.2}", part.activation)
    } else {
        format!(
            "{latent} {:.2} ({:+.3})",
            part.activation, part.contribution
        )
    }
}

/// One hit: rank, score, id and attributes; the text; where there are several components each with
/// its score, its rank and what it gave to the hit's score; the latents with their activations and, in
/// brackets, their parts of their component's score.
pub(super) fn hit(rank: usize, hit: &Hit, name: Name<'_>, columns: usize) -> String {
    let mut text = String::new();
    let none = Document::default();
    let document = hit.document.as_ref().unwrap_or(&none);
    let head = format!(
        "{rank:>3}. {:.4}  {}  {}",
        hit.score,
        document.id,
        attributes(document)
    );
    let _ = writeln!(text, "{}", cut_end(&head, columns));
    if let Some(body) = &document.text {
        let body = excerpt(body, &hit.highlights, columns.saturating_sub(5));
        let _ = writeln!(text, "     {body}");
    }
    if hit.components.len() > 1 {
        let parts: Vec<String> = hit
            .components
            .iter()
            .map(|part| {
                format!(
                    "{} {:.3} (rank {}, {:+.4})",
                    part.name, part.score, part.rank, part.contribution
                )
            })
            .collect();
        let _ = writeln!(text, "     from {}", parts.join(", "));
    }
    if !hit.latents.is_empty() {
        let parts: Vec<String> = hit
            .latents
            .iter()
            .map(|part| contribution(part, document.text.as_deref(), name))
            .collect();
        for line in wrap("     latents ", &parts, columns) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// A line of a text with the first of the words that were asked for, which stand in brackets.
fn excerpt(body: &str, highlights: &[Highlight], columns: usize) -> String {
    let mut spans: Vec<(usize, usize)> = highlights
        .iter()
        .filter_map(|entry| entry.span)
        .map(|span| (span.start as usize, span.end as usize))
        .collect();
    spans.sort_unstable();
    let Some(&(first, end)) = spans.first() else {
        return cut(body, columns);
    };
    // A quarter of the line before it, where the line would end before it.
    let from = if end + 2 > columns {
        first.saturating_sub(columns / 4)
    } else {
        0
    };
    let mut marked = String::from(if from > 0 { "…" } else { "" });
    let mut last = 0;
    for (at, character) in body.chars().enumerate().skip(from).take(2 * columns) {
        if let Some(&(_, end)) = spans
            .iter()
            .find(|(start, end)| *start == at && *end > last)
        {
            marked.push('[');
            last = end;
        }
        marked.push(character);
        if at + 1 == last {
            marked.push(']');
        }
    }
    cut(&marked, columns)
}

/// The end cut, the start kept as it is.
fn cut_end(text: &str, width: usize) -> String {
    let text = text.trim_end();
    if format::width(text) <= width {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while format::width(&kept) >= width && kept.pop().is_some() {}
    kept + "…"
}

/// A search response: what became of the query, the hits, how the search was run.
pub(super) fn search(response: &SearchResponse, name: Name<'_>, columns: usize) -> String {
    let mut text = String::new();
    for entry in &response.steering {
        text.push_str(&steering(entry, name, columns));
    }
    for entry in &response.properties {
        text.push_str(&property(entry, name));
    }
    if response.hits.is_empty() {
        text.push_str("no hits\n");
    }
    for (at, entry) in response.hits.iter().enumerate() {
        let rank = response.offset as usize + at + 1;
        text.push_str(&hit(rank, entry, name, columns));
    }
    if let Some(entry) = &response.explanation {
        text.push_str(&plan(entry));
        let _ = writeln!(text, "{}", timing(entry));
    }
    if !response.next_page_token.is_empty() {
        let _ = writeln!(text, "more: --page-token {}", response.next_page_token);
    }
    text
}

/// What steering did: cosine, residual, and the latents that changed first.
pub(super) fn steering(steering: &Steering, name: Name<'_>, columns: usize) -> String {
    let component = match steering.component.as_str() {
        "" => String::new(),
        component => format!(" {component}"),
    };
    let is_boost = |edit: &SteerEdit| matches!(edit.edit, Some(Edit::Boost(_)));
    let stays = !steering.applied.is_empty() && steering.applied.iter().all(is_boost);
    let mut text = match stays {
        true => format!(
            "boosted{component}: documents with these latents score more; the query's vector stays as it is\n"
        ),
        false => format!(
            "steered{component}: cosine to the original {:.3}, residual {:.3}\n",
            steering.cosine, steering.residual_norm
        ),
    };
    let applied: Vec<String> = steering
        .applied
        .iter()
        .map(|own| applied(own, name))
        .collect();
    for line in wrap("  applied ", &applied, columns) {
        let _ = writeln!(text, "{line}");
    }
    if stays {
        return text;
    }
    for (indent, values) in [
        ("  before ", &steering.before),
        ("  after  ", &steering.after),
    ] {
        let mut values: Vec<&Activation> = values.iter().collect();
        values.sort_by(|a, b| b.activation.total_cmp(&a.activation));
        let mut parts: Vec<String> = values
            .iter()
            .take(SHOWN)
            .map(|a| format!("{} {:.2}", named(a.latent, "", name), a.activation))
            .collect();
        if values.len() > SHOWN {
            parts.push(format!("and {} more", values.len() - SHOWN));
        }
        for line in wrap(indent, &parts, columns) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// How a search was run: the access path of each node, what it allowed and scored, its time.
pub(super) fn plan(explanation: &Explanation) -> String {
    let mut text = String::new();
    if let Some(node) = &explanation.plan {
        text.push_str("plan\n");
        plan_node(node, 1, &mut text);
    }
    text
}

/// The server's timing on one line.
pub(super) fn timing(explanation: &Explanation) -> String {
    format!(
        "server {} (encode {}, search {}, fetch {})",
        milliseconds(explanation.total_us),
        milliseconds(explanation.encode_us),
        milliseconds(explanation.execute_us),
        milliseconds(explanation.fetch_us),
    )
}

fn plan_node(node: &PlanNode, depth: usize, text: &mut String) {
    let _ = writeln!(
        text,
        "{}{}: {}, {} allowed ({:.1}%), {} scored, {}",
        "  ".repeat(depth),
        node.name,
        node.access,
        thousands(node.allowed),
        node.selectivity * 100.0,
        thousands(node.candidates),
        milliseconds(node.elapsed_us),
    );
    for child in &node.children {
        plan_node(child, depth + 1, text);
    }
}

/// What an edit is of.
fn target(edit: &SteerEdit) -> String {
    if !edit.concept.is_empty() {
        format!("\"{}\"", edit.concept)
    } else if let Some(root) = edit.family {
        format!("family:{root}")
    } else if edit.examples.is_empty() {
        edit.latent.to_string()
    } else {
        format!("like:{}", edit.examples.join(","))
    }
}

/// One edit, in the form of the flags.
fn edit(edit: &SteerEdit) -> String {
    let what = target(edit);
    let unit = match edit.unit() {
        SteerUnit::P90 => " p90",
        SteerUnit::Raw => "",
    };
    match edit.edit {
        Some(Edit::Add(amount)) => format!("{what}={amount:+}{unit}"),
        Some(Edit::Scale(factor)) => format!("{what}*{factor}"),
        Some(Edit::Set(activation)) => format!("{what}:={activation}{unit}"),
        Some(Edit::Zero(_)) => format!("{what}:zero"),
        Some(Edit::Boost(amount)) => format!("boost {what}={amount}"),
        None => what,
    }
}

/// An edit of a latent, with its label.
fn applied(edit: &SteerEdit, name: Name<'_>) -> String {
    let latent = named(edit.latent, "", name);
    let unit = match edit.unit() {
        SteerUnit::P90 => " p90",
        SteerUnit::Raw => "",
    };
    match edit.edit {
        Some(Edit::Add(amount)) => format!("{latent} {amount:+.3}{unit}"),
        Some(Edit::Scale(factor)) => format!("{latent} times {factor}"),
        Some(Edit::Set(activation)) => format!("{latent} set to {activation:.3}{unit}"),
        Some(Edit::Zero(_)) => format!("{latent} set to 0"),
        Some(Edit::Boost(amount)) => format!("{latent} boosted {amount:+.3}"),
        None => latent,
    }
}

/// Edits on one line.
pub(super) fn edits(edits: &[SteerEdit]) -> String {
    edits.iter().map(edit).collect::<Vec<_>>().join(", ")
}

/// The latents that stand for a property.
fn property(chosen: &ChosenLatents, name: Name<'_>) -> String {
    let mut page = format!("latents chosen for {}", chosen.component);
    if !chosen.selector.is_empty() {
        let (of, by) = (chosen.candidates, &chosen.selector);
        page.push_str(&format!(" by {by}, {} of {of}", chosen.latents.len()));
    }
    page.push_str(":\n");
    for entry in chosen.latents.iter().take(SHOWN) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "{:>4}. {:+.3}  {}",
            entry.rank,
            entry.weight,
            named(entry.latent, &entry.label, name)
        );
    }
    if chosen.latents.len() > SHOWN {
        let _ = writeln!(page, "      and {} more", chosen.latents.len() - SHOWN);
    }
    page
}

/// A sweep: one line per strength, and what moved.
pub(super) fn sweep(response: &SteerSweepResponse) -> String {
    let cosine = |step: &SweepStep| step.steering.as_ref().map_or(1.0, |found| found.cosine);
    let kept = |step: &SweepStep| step.relevance_kept.map(|kept| format!("{kept:.3}"));
    let first = |step: &SweepStep| {
        let ids = step.hits.iter().take(3).map(|hit| hit.id.as_str());
        ids.collect::<Vec<_>>().join(" ")
    };
    Table::of(&response.steps)
        .number("strength", |step| step.strength.to_string())
        .number("cosine", |step| format!("{:.3}", cosine(step)))
        .number("relevance kept", |step| kept(step).unwrap_or_default())
        .number("target share", |step| format!("{:.2}", step.target_share))
        .number("overlap", |step| format!("{:.2}", step.overlap))
        .text("first hits", first)
        .build()
        .page(output::table_columns())
}
