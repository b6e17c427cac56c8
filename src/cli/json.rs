//! Answers as JSON, in the shapes that scripts rely on.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use latentdb_proto::v1::{
    ActivatingDocument, Activation, AttachedSae, Collection, Document, Explanation, FacetResponse,
    Fit, Hit, Label, LabelScore, LatentSummary, PlanNode, ReaderInfo, SaeInfo, SaeQuality,
    SavedSet, SearchResponse, Steering, TextSpan, Value, value::Kind,
};
use prost_types::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::concept_output;

/// A single-precision number by its shortest decimal: 0.7, not 0.699999988079071.
pub(super) fn number(value: f32) -> Json {
    value
        .to_string()
        .parse::<f64>()
        .map_or(Json::Null, Json::from)
}

/// A point in time as RFC 3339 in UTC.
pub(super) fn timestamp(at: &Timestamp) -> Json {
    u32::try_from(at.nanos)
        .ok()
        .and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos))
        .map_or(Json::Null, |at| {
            at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
        })
}

fn time_or_null(at: Option<&Timestamp>) -> Json {
    at.map_or(Json::Null, timestamp)
}

/// An attribute's value; integers exact, timestamps as RFC 3339.
pub(super) fn value(value: &Value) -> Json {
    match &value.kind {
        None => Json::Null,
        Some(Kind::String(text)) => text.as_str().into(),
        Some(Kind::Integer(number)) => (*number).into(),
        Some(Kind::Float(number)) => (*number).into(),
        Some(Kind::Boolean(truth)) => (*truth).into(),
        Some(Kind::Timestamp(at)) => timestamp(at),
        Some(Kind::List(list)) => list.values.iter().map(self::value).collect(),
    }
}

fn activations(values: &[Activation]) -> Json {
    values
        .iter()
        .map(|a| json!({"latent": a.latent, "activation": number(a.activation)}))
        .collect()
}

/// A document with the parts that it carries.
pub(super) fn document(document: &Document) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), document.id.as_str().into());
    if let Some(text) = &document.text {
        fields.insert("text".to_owned(), text.as_str().into());
    }
    let attributes: BTreeMap<&String, Json> = document
        .attributes
        .iter()
        .map(|(name, attribute)| (name, value(attribute)))
        .collect();
    fields.insert("attributes".to_owned(), json!(attributes));
    if let Some(vector) = &document.vector {
        let values: Vec<Json> = vector.values.iter().copied().map(number).collect();
        fields.insert("vector".to_owned(), values.into());
    }
    if let Some(latents) = &document.latents {
        fields.insert("latents".to_owned(), activations(&latents.values));
    }
    fields
}

/// One hit: the document, its score, the parts of it by component, and its latents.
fn hit(hit: &Hit) -> Json {
    let mut fields = hit.document.as_ref().map(document).unwrap_or_default();
    fields.insert("score".to_owned(), number(hit.score));
    let components: Map<String, Json> = hit
        .components
        .iter()
        .map(|component| (component.name.clone(), number(component.score)))
        .collect();
    fields.insert("components".to_owned(), components.into());
    let latents: Vec<Json> = hit
        .latents
        .iter()
        .map(|latent| {
            json!({
                "latent": latent.latent,
                "label": some_text(&latent.label),
                "low_confidence": latent.low_confidence,
                "activation": number(latent.activation),
                "contribution": number(latent.contribution),
                "component": some_text(&latent.component),
                "span": latent.span.map(span),
            })
        })
        .collect();
    fields.insert("latents".to_owned(), latents.into());
    fields.into()
}

/// A document with the activation of a latent in it.
pub(super) fn activating(entry: &ActivatingDocument) -> Json {
    let mut fields = entry.document.as_ref().map(document).unwrap_or_default();
    fields.insert("activation".to_owned(), number(entry.activation));
    fields.insert("span".to_owned(), entry.span.map(span).into());
    fields.into()
}

/// A token of a document's text.
pub(super) fn span(span: TextSpan) -> Json {
    json!({"token": span.token, "start": span.start, "end": span.end})
}

/// Null for what the wire leaves empty.
pub(super) fn some_text(text: &str) -> Json {
    if text.is_empty() {
        Json::Null
    } else {
        text.into()
    }
}

/// What steering did. The steered vector itself is left out: it is for programs, over gRPC.
pub(super) fn steering(steering: &Steering) -> Json {
    json!({
        "component": steering.component,
        "cosine": number(steering.cosine),
        "residual_norm": number(steering.residual_norm),
        "before": activations(&steering.before),
        "after": activations(&steering.after),
        "applied": concept_output::edits_json(&steering.applied),
        "inconsistency_before": steering.inconsistency_before.map(number),
        "inconsistency_after": steering.inconsistency_after.map(number),
    })
}

fn plan(node: &PlanNode) -> Json {
    json!({
        "name": node.name,
        "access": node.access,
        "allowed": node.allowed,
        "selectivity": node.selectivity,
        "candidates": node.candidates,
        "elapsed_us": node.elapsed_us,
        "children": node.children.iter().map(plan).collect::<Vec<_>>(),
    })
}

fn explanation(explanation: &Explanation) -> Json {
    json!({
        "plan": explanation.plan.as_ref().map(plan),
        "encode_us": explanation.encode_us,
        "execute_us": explanation.execute_us,
        "fetch_us": explanation.fetch_us,
        "total_us": explanation.total_us,
    })
}

/// The answer to a search.
pub(super) fn search(response: &SearchResponse) -> Json {
    json!({
        "hits": response.hits.iter().map(hit).collect::<Vec<_>>(),
        "next_page_token": some_text(&response.next_page_token),
        "steering": response.steering.iter().map(steering).collect::<Vec<_>>(),
        "properties": response
            .properties
            .iter()
            .map(concept_output::property_json)
            .collect::<Vec<_>>(),
        "explanation": response.explanation.as_ref().map(explanation),
        "sequence": response.sequence,
    })
}

/// An SAE; how it was trained as the object it is.
pub(super) fn sae(sae: &SaeInfo) -> Json {
    let training = serde_json::from_str(&sae.training).unwrap_or_else(|_| some_text(&sae.training));
    json!({
        "sha256": sae.sha256,
        "architecture": sae.architecture,
        "d_in": sae.d_in,
        "n_latents": sae.n_latents,
        "k": sae.k,
        "normalisation": sae.normalisation,
        "level": sae.level,
        "training": training,
    })
}

/// Quality of an SAE, as the server measures it.
pub(super) fn quality(quality: &SaeQuality) -> Json {
    json!({
        "rows": quality.rows,
        "fvu": quality.fvu,
        "l0": quality.l0,
        "dead": quality.dead,
        "cosine": quality.cosine,
        "density": quality.density.iter().map(|bin| json!({
            "from": bin.lower,
            "latents": bin.latents,
        })).collect::<Vec<_>>(),
        "encoder_decoder_cosine": quality.encoder_decoder_cosine.map(|spread| json!({
            "mean": spread.mean,
            "p10": spread.p10,
            "p50": spread.p50,
            "p90": spread.p90,
        })),
        "recall": quality.recall.map(|recall| json!({
            "queries": recall.queries,
            "rows": recall.rows,
            "k": recall.k,
            "recall": recall.recall,
        })),
    })
}

/// A collection's record and statistics.
pub(super) fn collection(collection: &Collection) -> Json {
    json!({
        "name": collection.name,
        "created": time_or_null(collection.created.as_ref()),
        "documents": collection.documents,
        "dimension": collection.dimension,
        "encoder": collection.encoder.as_ref().map(|encoder| json!({
            "model": encoder.model,
            "sha256": encoder.sha256,
            "dimension": encoder.dimension,
            "max_tokens": encoder.max_tokens,
            "pooling": encoder.pooling,
            "precision": encoder.precision,
        })),
        "sae": collection.sae.as_ref().map(sae),
        "reader": collection.reader.as_ref().map(reader),
        "saes": collection.saes.iter().map(attached).collect::<Vec<_>>(),
        "n_latents": collection.n_latents,
        "segments": collection.segments,
        "vectors": collection.vectors,
        "vectors_in_graph": collection.vectors_in_graph,
        "disk_bytes": collection.disk_bytes,
        "sequence": collection.sequence,
        "fit": collection.fit.map(fit),
        "attributes": collection.attributes.iter().map(|attribute| json!({
            "name": attribute.name,
            "kinds": attribute.kinds,
        })).collect::<Vec<_>>(),
    })
}

fn attached(attached: &AttachedSae) -> Json {
    json!({
        "name": attached.name,
        "sae": attached.sae.as_ref().map(sae),
        "reader": attached.reader.as_ref().map(reader),
        "fit": attached.fit.map(fit),
        "latents_bytes": attached.latents_bytes,
        "weights_bytes": attached.weights_bytes,
    })
}

fn reader(reader: &ReaderInfo) -> Json {
    json!({
        "model": reader.model,
        "sha256": reader.sha256,
        "layer": reader.layer,
        "width": reader.width,
        "chat_template": reader.chat_template,
        "window": reader.window,
        "stride": reader.stride,
        "special_tokens": reader.special_tokens,
        "template_tokens": reader.template_tokens,
        "prepend_bos": reader.prepend_bos,
        "pooling": reader.pooling,
        "normalisation": reader.normalisation,
        "positions": reader.positions,
        "precision": reader.precision,
    })
}

fn fit(fit: Fit) -> Json {
    json!({
        "vectors": fit.vectors,
        "fvu": fit.fvu,
        "limit": fit.limit,
        "warn": fit.warn,
    })
}

/// A saved set.
pub(super) fn saved_set(set: &SavedSet) -> Json {
    json!({
        "name": set.name,
        "created": time_or_null(set.created.as_ref()),
        "frozen": set.frozen,
        "documents": set.documents,
        "error": some_text(&set.error),
    })
}

/// Counts by value or by latent.
pub(super) fn facet(response: &FacetResponse) -> Json {
    json!({
        "values": response.values.iter().map(|entry| json!({
            "value": entry.value.as_ref().map(value),
            "count": entry.count,
        })).collect::<Vec<_>>(),
        "latents": response.latents.iter().map(|entry| json!({
            "latent": entry.latent,
            "label": some_text(&entry.label),
            "low_confidence": entry.low_confidence,
            "count": entry.count,
            "mean_activation": number(entry.mean_activation),
        })).collect::<Vec<_>>(),
        "distinct": response.distinct,
        "documents": response.documents,
    })
}

/// A latent's statistics and label.
pub(super) fn latent(summary: &LatentSummary) -> Map<String, Json> {
    let label = summary.label.as_ref();
    let fields = json!({
        "latent": summary.latent,
        "label": label.map(|label| label.text.as_str()),
        "label_source": label.map(|label| label.source.as_str()),
        "label_score": label.and_then(|label| label.score).map(number),
        "low_confidence": label.is_some_and(|label| label.low_confidence),
        "documents": summary.documents,
        "density": summary.density,
        "mean_activation": number(summary.mean_activation),
    });
    match fields {
        Json::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A version of a label, with its scores.
pub(super) fn label(label: &Label) -> Map<String, Json> {
    let scores: Vec<Json> = label.scores.iter().map(|s| score(s).into()).collect();
    Map::from_iter([
        ("label".to_owned(), label.text.as_str().into()),
        ("source".to_owned(), label.source.as_str().into()),
        ("score".to_owned(), label.score.map(number).into()),
        ("low_confidence".to_owned(), label.low_confidence.into()),
        ("created".to_owned(), time_or_null(label.created.as_ref())),
        ("version".to_owned(), label.version.into()),
        ("scores".to_owned(), scores.into()),
    ])
}

/// What a judge found of a label.
pub(super) fn score(score: &LabelScore) -> Map<String, Json> {
    Map::from_iter([
        ("judge".to_owned(), score.judge.as_str().into()),
        ("pearson".to_owned(), number(score.pearson)),
        ("f1".to_owned(), number(score.f1)),
        ("positives".to_owned(), score.positives.into()),
        ("negatives".to_owned(), score.negatives.into()),
        ("hard_negatives".to_owned(), score.hard_negatives.into()),
        ("created".to_owned(), time_or_null(score.created.as_ref())),
    ])
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{ComponentScore, LatentContribution, ValueList};

    use super::*;

    fn of(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    #[test]
    fn values_keep_what_they_are() {
        let at = Timestamp {
            seconds: 1_740_830_400,
            nanos: 250_000_000,
        };
        let list = ValueList {
            values: vec![of(Kind::String("a".into())), of(Kind::String("b".into()))],
        };
        for (kind, expected) in [
            (Kind::Integer(i64::MAX), "9223372036854775807"),
            (Kind::Float(0.1), "0.1"),
            (Kind::Boolean(true), "true"),
            (Kind::Timestamp(at), "\"2025-03-01T12:00:00.250Z\""),
            (Kind::List(list), "[\"a\",\"b\"]"),
        ] {
            assert_eq!(value(&of(kind)).to_string(), expected);
        }
        let before_1970 = Timestamp {
            seconds: -1,
            nanos: 500_000_000,
        };
        assert_eq!(timestamp(&before_1970), json!("1969-12-31T23:59:59.500Z"));
    }

    #[test]
    fn a_search_has_the_shape_that_scripts_read() {
        let response = SearchResponse {
            hits: vec![Hit {
                document: Some(Document {
                    id: "a".into(),
                    text: Some("T".into()),
                    attributes: [("year".to_owned(), of(Kind::Integer(2020)))].into(),
                    ..Document::default()
                }),
                score: 0.7,
                components: vec![ComponentScore {
                    name: "nearest".into(),
                    score: 0.7,
                    ..ComponentScore::default()
                }],
                latents: vec![LatentContribution {
                    latent: 12,
                    activation: 0.25,
                    contribution: 0.1,
                    component: "nearest".into(),
                    label: String::new(),
                    low_confidence: false,
                    span: Some(TextSpan {
                        token: 0,
                        start: 0,
                        end: 1,
                    }),
                }],
            }],
            ..SearchResponse::default()
        };
        assert_eq!(
            search(&response),
            json!({
                "hits": [{
                    "id": "a", "text": "T", "attributes": {"year": 2020}, "score": 0.7,
                    "components": {"nearest": 0.7},
                    "latents": [{
                        "latent": 12, "label": null, "low_confidence": false, "activation": 0.25, "contribution": 0.1,
                        "component": "nearest",
                        "span": {"token": 0, "start": 0, "end": 1}
                    }]
                }],
                "next_page_token": null, "steering": [], "properties": [], "explanation": null,
                "sequence": 0
            })
        );
    }
}
