//! How edits, chosen latents and sweeps read, as text and as JSON.

use std::fmt::Write as _;

use latentdb_proto::v1::{
    ChosenLatents, LatentsQuery, Query, SteerEdit, SteerSweepResponse, SteerUnit, query::Kind,
    steer_edit::Edit,
};
use serde_json::{Value, json};

use super::json::number;
use super::text;

/// Chosen latents shown before "and N more".
const SHOWN: usize = 8;

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
fn edit_text(edit: &SteerEdit) -> String {
    let what = target(edit);
    let unit = if edit.unit() == SteerUnit::P90 {
        " p90"
    } else {
        ""
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

/// Edits on one line.
pub(super) fn edits_text(edits: &[SteerEdit]) -> String {
    edits.iter().map(edit_text).collect::<Vec<_>>().join(", ")
}

fn edit_json(edit: &SteerEdit) -> Value {
    let (method, amount) = match edit.edit {
        Some(Edit::Add(amount)) => ("add", Some(amount)),
        Some(Edit::Scale(factor)) => ("scale", Some(factor)),
        Some(Edit::Set(activation)) => ("set", Some(activation)),
        Some(Edit::Boost(amount)) => ("boost", Some(amount)),
        Some(Edit::Zero(_)) | None => ("zero", None),
    };
    let mut fields = json!({
        "method": method,
        "amount": amount.map(number),
        "unit": if edit.unit() == SteerUnit::P90 { "p90" } else { "raw" },
    });
    let (field, value) = if !edit.concept.is_empty() {
        ("concept", json!(edit.concept))
    } else if let Some(root) = edit.family {
        ("family", json!(root))
    } else if edit.examples.is_empty() {
        ("latent", json!(edit.latent))
    } else {
        ("examples", json!(edit.examples))
    };
    fields[field] = value;
    fields
}

/// Edits as a list.
pub(super) fn edits_json(edits: &[SteerEdit]) -> Value {
    edits.iter().map(edit_json).collect()
}

/// The latents that stand for a property, and the flags that send them again.
pub(super) fn property_text(chosen: &ChosenLatents, name: text::Name<'_>) -> String {
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
            text::latent(entry.latent, &entry.label, name)
        );
    }
    if chosen.latents.len() > SHOWN {
        let _ = writeln!(page, "      and {} more", chosen.latents.len() - SHOWN);
    }
    page
}

/// The latents that stand for a property, and the query to send again.
pub(super) fn property_json(chosen: &ChosenLatents) -> Value {
    let latents = chosen.latents.iter().map(|entry| {
        json!({
            "latent": entry.latent,
            "label": Some(&entry.label).filter(|label| !label.is_empty()),
            "rank": entry.rank,
            "weight": number(entry.weight),
            "similarity": number(entry.similarity),
        })
    });
    json!({
        "component": chosen.component,
        "selector": Some(&chosen.selector).filter(|by| !by.is_empty()),
        "candidates": Some(chosen.candidates).filter(|_| !chosen.selector.is_empty()),
        "latents": latents.collect::<Vec<_>>(),
        "query": chosen.query.as_ref().and_then(latents_query).map(query_json),
        "vector": chosen.vector.as_ref().map(|vector| {
            vector.values.iter().copied().map(number).collect::<Vec<_>>()
        }),
    })
}

fn latents_query(query: &Query) -> Option<&LatentsQuery> {
    match &query.kind {
        Some(Kind::Latents(latents)) => Some(latents),
        _ => None,
    }
}

fn query_json(query: &LatentsQuery) -> Value {
    let weights = query.weights.iter().map(|entry| {
        let weight = number(entry.weight);
        json!({"latent": entry.latent, "weight": weight})
    });
    json!({
        "weights": weights.collect::<Vec<_>>(),
        "scale": query.scale().as_str_name(),
        "bm25": query.bm25.as_ref().map(|bm25| json!({
            "k1": bm25.k1.map(number), "b": bm25.b.map(number),
        })),
    })
}

/// One line per strength, and what moved.
pub(super) fn sweep_text(response: &SteerSweepResponse) -> String {
    let rows: Vec<Vec<String>> = response
        .steps
        .iter()
        .map(|step| {
            let first = step.hits.iter().take(3);
            let cosine = step
                .steering
                .as_ref()
                .map_or(1.0, |steering| steering.cosine);
            vec![
                step.strength.to_string(),
                format!("{cosine:.3}"),
                step.relevance_kept
                    .map_or_else(String::new, |kept| format!("{kept:.3}")),
                format!("{:.2}", step.target_share),
                format!("{:.2}", step.overlap),
                first
                    .map(|hit| hit.id.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
            ]
        })
        .collect();
    let head = [
        "strength",
        "cosine",
        "relevance kept",
        "target share",
        "overlap",
        "first hits",
    ];
    text::table(&head, &rows)
}

/// Every step with its hits.
pub(super) fn sweep_json(response: &SteerSweepResponse) -> Value {
    let steps = response.steps.iter().map(|step| {
        let hits = step.hits.iter().map(|hit| {
            json!({
                "id": hit.id,
                "score": number(hit.score),
                "unsteered_rank": Some(hit.unsteered_rank).filter(|rank| *rank > 0),
            })
        });
        json!({
            "strength": number(step.strength),
            "steering": step.steering.as_ref().map(super::json::steering),
            "hits": hits.collect::<Vec<_>>(),
            "overlap": number(step.overlap),
            "relevance_kept": step.relevance_kept.map(number),
            "target_share": number(step.target_share),
        })
    });
    json!({"steps": steps.collect::<Vec<_>>()})
}
