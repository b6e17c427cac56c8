//! How documents, values, labels and collections read on a terminal.

use std::fmt::Write as _;

use latentdb_proto::v1::{Collection, SaeRecurrence, TextSpan};

pub(super) use crate::client::view::{attributes, label, labelled, plain, value};
pub(super) use crate::report::aligned as table;
pub(super) use crate::report::format::{bytes, counted, cut, milliseconds, rate, thousands, wrap};

/// The points of a latent's or a residual's quantiles.
const QUANTILES: [&str; 8] = ["min", "p25", "p50", "p75", "p90", "p95", "p99", "max"];

/// Quantiles with their names; each value by `read`.
pub(super) fn quantiles<T: Copy>(values: &[T], read: impl Fn(T) -> String) -> String {
    let named = QUANTILES.iter().zip(values);
    let named = named.map(|(name, value)| format!("{name} {}", read(*value)));
    named.collect::<Vec<_>>().join(", ")
}

/// The words that a span lies in.
pub(super) fn words(text: &str, span: TextSpan) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (start, end) = bounds(&characters, span);
    characters[start..end].iter().collect()
}

/// The text with brackets around the words that a span lies in.
pub(super) fn marked(text: &str, span: TextSpan) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (start, end) = bounds(&characters, span);
    let part = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();
    format!(
        "{}[{}]{}",
        part(0..start),
        part(start..end),
        part(end..characters.len())
    )
}

/// A span widened to whole words, inside the text.
fn bounds(characters: &[char], span: TextSpan) -> (usize, usize) {
    let end = (span.end as usize).min(characters.len());
    let start = (span.start as usize).min(end);
    let is_word = |c: &char| c.is_alphanumeric() || *c == '\'';
    if !characters[start..end].iter().any(is_word) {
        return (start, end);
    }
    let before = characters[..start].iter().rev().take_while(|c| is_word(c));
    let behind = characters[end..].iter().take_while(|c| is_word(c));
    (start - before.count(), end + behind.count())
}

/// A collection's record and statistics, one fact a line.
pub(super) fn collection(collection: &Collection) -> String {
    let mut text = format!("{}\n", collection.name);
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    if !collection.aliases.is_empty() {
        fact("aliases", collection.aliases.join(", "));
    }
    if !collection.damage.is_empty() {
        fact(
            "damaged",
            format!("takes no changes: {}", collection.damage),
        );
    }
    fact("documents", thousands(collection.documents));
    if let Some(encoder) = &collection.encoder {
        fact(
            "encoder",
            format!(
                "{}, {} values, {} tokens, {} pooling, {}",
                encoder.model,
                encoder.dimension,
                thousands(encoder.max_tokens.into()),
                encoder.pooling,
                encoder.precision
            ),
        );
        if !encoder.query_prompt.is_empty() || !encoder.document_prompt.is_empty() {
            fact(
                "prompts",
                format!(
                    "{:?} before queries, {:?} before documents",
                    encoder.query_prompt, encoder.document_prompt
                ),
            );
        }
    }
    if collection.dimension > 0 {
        fact(
            "vectors",
            format!(
                "{} of {} values, {} in the graph{}",
                thousands(collection.vectors),
                collection.dimension,
                thousands(collection.vectors_in_graph),
                match collection.graph_progress < 1.0 {
                    true => format!(
                        ", which is built to {:.1}%",
                        100.0 * collection.graph_progress
                    ),
                    false => String::new(),
                }
            ),
        );
        if !collection.graph_failure.is_empty() {
            fact("graph", format!("not built: {}", collection.graph_failure));
        }
    }
    if collection.cut_texts > 0 {
        fact(
            "cut",
            format!(
                "{} written so far are longer than the encoder reads",
                counted(collection.cut_texts, "text")
            ),
        );
    }
    let analyzer = collection.analyzer.iter().flat_map(|analyzer| {
        let language = |what: &str, language: &str| {
            (!language.is_empty()).then(|| format!("{language} {what}"))
        };
        let folded = analyzer.fold_diacritics.then(|| "no diacritics".to_owned());
        let parts = [
            language("stems", &analyzer.stemming),
            language("stop words left out", &analyzer.stop_words),
            folded,
        ];
        parts.into_iter().flatten()
    });
    let analyzer: Vec<String> = analyzer.collect();
    if !analyzer.is_empty() {
        fact("words", analyzer.join(", "));
    }
    for (at, attribute) in collection.attributes.iter().enumerate() {
        let name = if at == 0 { "attributes" } else { "" };
        fact(
            name,
            format!("{}: {}", attribute.name, attribute.kinds.join(", ")),
        );
    }
    if collection.saes.is_empty() {
        match collection.n_latents {
            0 => fact("SAE", "none attached".to_owned()),
            count => fact(
                "latents",
                format!("{}, from the client", thousands(count.into())),
            ),
        }
    }
    for attached in &collection.saes {
        let mut facts = attached_facts(attached).into_iter();
        let name = match attached.name.as_str() {
            "" => "SAE".to_owned(),
            name => format!("SAE {name}"),
        };
        fact(&name, facts.next().unwrap_or_default());
        facts.for_each(|line| fact("", line));
    }
    fact(
        "storage",
        format!(
            "{} in {}, commit {}",
            bytes(collection.disk_bytes),
            counted(collection.segments.into(), "segment"),
            collection.sequence
        ),
    );
    text
}

/// How an SAE fits the last vectors, and how far that is from its training, where that can be said.
fn fit_line(fit: &latentdb_proto::v1::Fit) -> Option<String> {
    let fvu = fit.fvu?;
    let verdict = if fvu > fit.limit { "above" } else { "within" };
    let own = |own: Option<f64>| own.map_or("none known".to_owned(), |own| format!("{own:.4}"));
    let l0 = match (fit.l0, fit.own_l0) {
        (Some(l0), Some(own)) => format!("; L0 {l0:.1}, in its training {own:.1}"),
        _ => String::new(),
    };
    Some(format!(
        "FVU {fvu:.4} of the last {} vectors, in its training {}, {verdict} the limit {:.4}{l0}",
        thousands(fit.vectors),
        own(fit.own_fvu),
        fit.limit
    ))
}

/// An SAE of a collection: what it is, what it reads, how it fits, what it costs.
fn attached_facts(attached: &latentdb_proto::v1::AttachedSae) -> Vec<String> {
    let sae = attached.sae.as_ref().map(sae_line);
    let reader = attached.reader.as_ref().map(reader_line);
    let fit = attached.fit.as_ref().and_then(fit_line);
    let costs = format!(
        "latents {}, weights {} in memory",
        bytes(attached.latents_bytes),
        bytes(attached.weights_bytes)
    );
    let recurrence = attached
        .sae
        .as_ref()
        .and_then(|sae| sae.recurrence.as_ref());
    let recurrence = recurrence.map(|found| format!("recurrence: {}", self::recurrence(found)));
    let facts = [sae, reader, fit, recurrence, Some(costs)].into_iter();
    facts.flatten().collect()
}

/// What the SAE of a collection of level token reads, on one line.
fn reader_line(reader: &latentdb_proto::v1::ReaderInfo) -> String {
    let template = match reader.chat_template.as_str() {
        "none" => String::new(),
        name => format!(", chat template {name}"),
    };
    let positions = if reader.positions { ", positions" } else { "" };
    format!(
        "residual stream of {} after layer {}, {} values, {} pooling, windows of {}, {}{template}{positions}",
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

/// How an SAE's latents come back.
pub(super) fn recurrence(found: &SaeRecurrence) -> String {
    format!(
        "{} of .5 or more in {}, mean {:.2}",
        counted(found.recurring, "latent"),
        counted(found.seeds.len() as u64, "other seed"),
        found.mean
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown_as_whole_words() {
        let span = |start, end| TextSpan {
            token: 0,
            start,
            end,
        };
        let text = "Straße, rechargeable!";
        assert_eq!(words(text, span(10, 16)), "rechargeable");
        assert_eq!(marked(text, span(1, 3)), "[Straße], rechargeable!");
        assert_eq!(words(text, span(20, 21)), "!");
        assert_eq!(words(text, span(90, 99)), "");
    }
}
