//! Answers as people read them on a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use latentdb_proto::v1::{
    Activation, Collection, Document, Explanation, Hit, Label, LatentContribution, PlanNode,
    SearchResponse, Steering,
};

use super::concept_output;
use super::{json, reading};

/// What a latent is called: its label, or whatever a caller knows of it.
pub(super) type Name<'a> = &'a dyn Fn(u32, &str) -> Option<String>;

/// The names that an answer carries.
pub(super) fn label(_latent: u32, label: &str) -> Option<String> {
    (!label.is_empty()).then(|| label.to_owned())
}

/// Longest label that is shown, in characters.
const LABEL_WIDTH: usize = 48;

/// A label's text, with a question mark where it is of low confidence; empty where there is none.
pub(super) fn shown_label(label: Option<&Label>) -> String {
    label.map_or_else(String::new, |label| {
        shown(&label.text, label.low_confidence)
    })
}

/// The same, of a label in parts.
pub(super) fn shown(label: &str, low_confidence: bool) -> String {
    if low_confidence && !label.is_empty() {
        format!("{}?", cut(label, LABEL_WIDTH - 1))
    } else {
        label.to_owned()
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Things a second, readable from .1 to millions.
pub(super) fn rate(count: u64, seconds: f64) -> String {
    let rate = count as f64 / seconds.max(1e-9);
    if rate < 100.0 {
        format!("{rate:.1}")
    } else {
        // Saturating: a rate is no exact figure.
        thousands(rate.round() as u64)
    }
}

/// Bytes with a unit.
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{count} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} GB")
}

/// Microseconds as milliseconds.
pub(super) fn milliseconds(microseconds: u64) -> String {
    let value = microseconds as f64 / 1000.0;
    if value < 10.0 {
        format!("{value:.2} ms")
    } else {
        format!("{value:.0} ms")
    }
}

/// One line of at most `width` characters: white space joined, the end cut. Control characters
/// are dropped, since stored text must not steer the terminal.
pub(super) fn cut(text: &str, width: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = !line.is_empty();
            continue;
        }
        if c.is_control() {
            continue;
        }
        let needed = 1 + usize::from(gap);
        if length + needed > width {
            // Room for the mark: the last character goes.
            while length + 1 > width && line.pop().is_some() {
                length -= 1;
            }
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(c);
        length += needed;
    }
    line
}

/// A document's attributes on one line, by name.
pub(super) fn attributes(document: &Document) -> String {
    let sorted: BTreeMap<_, _> = document.attributes.iter().collect();
    let parts: Vec<String> = sorted
        .into_iter()
        .map(|(name, value)| format!("{name} {}", cut(&plain(&json::value(value)), 40)))
        .collect();
    parts.join(", ")
}

/// A value without quotes and brackets.
pub(super) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => short_number(number),
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(" ")
        }
        other => other.to_string(),
    }
}

/// A float with at most three decimals; integers as they are.
fn short_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => number.to_string(),
    }
}

/// A latent by number and, where it has one, name.
pub(super) fn latent(latent: u32, label: &str, name: Name<'_>) -> String {
    match name(latent, label) {
        Some(name) => format!("{latent} \"{}\"", cut(&name, LABEL_WIDTH)),
        None => latent.to_string(),
    }
}

fn contribution(part: &LatentContribution, body: Option<&str>, name: Name<'_>) -> String {
    let label = shown(&part.label, part.low_confidence);
    let mut latent = latent(part.latent, &label, name);
    if let (Some(span), Some(body)) = (part.span, body) {
        let _ = write!(latent, " on [{}]", reading::words(body, span));
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

/// One hit: rank, score, id and attributes; the text; the components where there are several; the
/// latents with their activations and, in brackets, their parts of the score.
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
        let _ = writeln!(text, "     {}", cut(body, columns.saturating_sub(5)));
    }
    if hit.components.len() > 1 {
        let parts: Vec<String> = hit
            .components
            .iter()
            .filter(|component| component.rank > 0)
            .map(|part| format!("{} {:.3} (rank {})", part.name, part.score, part.rank))
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

/// The end cut, the start kept as it is.
fn cut_end(text: &str, width: usize) -> String {
    let text = text.trim_end();
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .collect::<String>()
        + "…"
}

/// Parts joined by ` · `, broken into lines that are indented like the first.
pub(super) fn wrap(indent: &str, parts: &[String], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = indent.to_owned();
    let mut empty = true;
    for part in parts {
        let length = line.chars().count() + part.chars().count() + 3;
        if !empty && length > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent.len())));
            empty = true;
        }
        if !empty {
            line.push_str(" · ");
        }
        line.push_str(part);
        empty = false;
    }
    lines.push(line);
    lines
}

/// The answer to a search.
pub(super) fn search(response: &SearchResponse, name: Name<'_>, columns: usize) -> String {
    let mut text = String::new();
    for entry in &response.steering {
        text.push_str(&steering(entry, name, columns));
    }
    for entry in &response.properties {
        text.push_str(&concept_output::property_text(entry, name));
    }
    if response.hits.is_empty() {
        text.push_str("no hits\n");
    }
    for (at, entry) in response.hits.iter().enumerate() {
        text.push_str(&hit(at + 1, entry, name, columns));
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
    const SHOWN: usize = 8;
    let mut text = format!(
        "steered{}{}: cosine to the original {:.3}, residual {:.3}\n",
        if steering.component.is_empty() {
            ""
        } else {
            " "
        },
        steering.component,
        steering.cosine,
        steering.residual_norm
    );
    if !steering.applied.is_empty() {
        let applied = concept_output::edits_text(&steering.applied);
        let _ = writeln!(
            text,
            "  applied {}",
            cut(&applied, columns.saturating_sub(10))
        );
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
            .map(|a| format!("{} {:.2}", latent(a.latent, "", name), a.activation))
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

/// A collection's record and statistics, one fact a line.
pub(super) fn collection(collection: &Collection) -> String {
    let mut text = format!("{}\n", collection.name);
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    fact("documents", thousands(collection.documents));
    if let Some(encoder) = &collection.encoder {
        fact(
            "encoder",
            format!(
                "{}, {} values, {} tokens, {} pooling, {}",
                encoder.model,
                encoder.dimension,
                encoder.max_tokens,
                encoder.pooling,
                encoder.precision
            ),
        );
    }
    if collection.dimension > 0 {
        fact(
            "vectors",
            format!(
                "{} of {} values, {} in the graph",
                thousands(collection.vectors),
                collection.dimension,
                thousands(collection.vectors_in_graph)
            ),
        );
    }
    for (at, attribute) in collection.attributes.iter().enumerate() {
        let name = if at == 0 { "attributes" } else { "" };
        fact(
            name,
            format!("{}: {}", attribute.name, attribute.kinds.join(", ")),
        );
    }
    if let Some(reader) = &collection.reader {
        fact("reader", reader_line(reader));
    }
    match &collection.sae {
        Some(sae) => fact("SAE", sae_line(sae)),
        None if collection.n_latents > 0 => fact(
            "latents",
            format!(
                "{}, from the client",
                thousands(collection.n_latents.into())
            ),
        ),
        None => fact("SAE", "none attached".to_owned()),
    }
    if let Some(fit) = collection.fit.as_ref().and_then(fit_line) {
        fact("fit", fit);
    }
    for attached in &collection.saes {
        let name = match attached.name.as_str() {
            "" => "costs",
            name => name,
        };
        fact(name, attached_line(attached));
    }
    fact(
        "storage",
        format!(
            "{} in {} segments, commit {}",
            bytes(collection.disk_bytes),
            collection.segments,
            collection.sequence
        ),
    );
    text
}

/// How an SAE fits its first vectors, where that can be said.
fn fit_line(fit: &latentdb_proto::v1::Fit) -> Option<String> {
    let fvu = fit.fvu?;
    let verdict = if fvu > fit.limit { "above" } else { "within" };
    Some(format!(
        "FVU {fvu:.4} of the first {} vectors, {verdict} the limit {:.4}",
        thousands(fit.vectors),
        fit.limit
    ))
}

/// One SAE of a collection and what it costs; the first is described before.
fn attached_line(attached: &latentdb_proto::v1::AttachedSae) -> String {
    let costs = format!(
        "latents {}, weights {} in memory",
        bytes(attached.latents_bytes),
        bytes(attached.weights_bytes)
    );
    if attached.name.is_empty() {
        return costs;
    }
    let sae = attached.sae.as_ref().map(sae_line);
    let reader = attached.reader.as_ref().map(reader_line);
    let fit = attached.fit.as_ref().and_then(fit_line);
    let facts = [sae, reader, fit, Some(costs)].into_iter().flatten();
    facts.collect::<Vec<_>>().join("; ")
}

/// What the SAE of a collection of level token reads, on one line.
fn reader_line(reader: &latentdb_proto::v1::ReaderInfo) -> String {
    let template = match reader.chat_template.as_str() {
        "none" => String::new(),
        name => format!(", chat template {name}"),
    };
    let positions = if reader.positions { ", positions" } else { "" };
    format!(
        "token states of {} behind layer {}, {} values, {} pooling, windows of {}, {}{template}{positions}",
        reader.model, reader.layer, reader.width, reader.pooling, reader.window, reader.precision
    )
}

/// An SAE on one line.
pub(super) fn sae_line(sae: &latentdb_proto::v1::SaeInfo) -> String {
    let k = match sae.k {
        0 => String::new(),
        k => format!(", k = {k}"),
    };
    format!(
        "{}, {} latents{k}, for vectors of {} values, sha256 {}",
        sae.architecture,
        thousands(sae.n_latents.into()),
        sae.d_in,
        sae.sha256.get(..12).unwrap_or(&sae.sha256)
    )
}

/// Columns aligned: the first to the left, the others to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut row = String::new();
        for (at, (cell, width)) in cells.zip(&widths).enumerate() {
            if at == 0 {
                let _ = write!(row, "{cell:<width$}");
            } else {
                let _ = write!(row, "  {cell:>width$}");
            }
        }
        text.push_str(row.trim_end());
        text.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(23_400_000), "23.4 MB");
        assert_eq!(rate(60_000, 7.5), "8,000");
        assert_eq!(milliseconds(1_234), "1.23 ms");
    }

    #[test]
    fn texts_are_cut_to_the_width_and_cannot_steer_the_terminal() {
        assert_eq!(cut("  a\n\tb  ", 10), "a b");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("äöü äöü", 5).chars().count(), 5);
        assert_eq!(cut("a\u{1b}[31mb", 20), "a[31mb");
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn long_lists_of_latents_are_wrapped() {
        let parts: Vec<String> = (0..6).map(|n| format!("latent {n}")).collect();
        let lines = wrap("  x ", &parts, 30);
        assert_eq!(
            lines,
            [
                "  x latent 0 · latent 1",
                "    latent 2 · latent 3",
                "    latent 4 · latent 5"
            ]
        );
    }
}
