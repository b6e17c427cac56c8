//! Records about latents: labels and groups.

use std::path::Path;

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

use super::{Format, Record, Source, open};
use crate::error::{Error, ErrorKind, Result};

/// A label of a record: `latent` (a number), `label` or `text`, `source`, `score`, `created`.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelRecord {
    /// The latent's number.
    pub latent: u32,
    /// What the label says.
    pub text: String,
    /// Who made it, if the record says so.
    pub source: Option<String>,
    /// How well it scores.
    pub score: Option<f32>,
    /// When it was made.
    pub created: Option<DateTime<FixedOffset>>,
}

/// The labels of a file, and the SHA-256 of the SAE that it says they are of.
///
/// # Errors
/// A record that is no label, labels of several SAEs, no labels at all, what reading the file says.
pub fn labels(
    source: &Source,
    format: Option<Format>,
) -> Result<(Vec<LabelRecord>, Option<String>)> {
    let mut labels = Vec::new();
    let mut of_sae: Option<String> = None;
    for record in open(source, format)? {
        let record = record?;
        let sae = record.get("sae").and_then(Value::as_str);
        if let Some(sae) = sae.filter(|sae| !sae.is_empty()) {
            let known = of_sae.get_or_insert_with(|| sae.to_owned());
            if known != sae {
                return Err(refused(format!(
                    "{} is of another SAE than the labels before it: import the labels of one SAE \
                     at a time",
                    record.position()
                )));
            }
        }
        labels.push(label(&record).map_err(|error| not_a(&record, "not a label", &error))?);
    }
    Ok((labels, of_sae))
}

/// Groups of latents of a file: records with the fields `name` and `latents`.
///
/// # Errors
/// A record that is no group, no groups at all, what reading the file says.
pub fn groups(path: &Path) -> Result<Vec<(Value, Vec<u32>)>> {
    let mut groups = Vec::new();
    for record in open(&Source::Path(path.to_owned()), None)? {
        let record = record?;
        groups.push(group(&record).map_err(|error| not_a(&record, "no group", &error))?);
    }
    if groups.is_empty() {
        return Err(refused(format!("{} holds no groups", path.display())));
    }
    Ok(groups)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

fn not_a(record: &Record, what: &str, error: &Error) -> Error {
    refused(format!(
        "{} is {what}: {}",
        record.position(),
        error.message()
    ))
}

fn group(record: &Record) -> Result<(Value, Vec<u32>)> {
    let name = record.get("name").ok_or_else(|| record.missing("name"))?;
    let latents = record
        .get("latents")
        .ok_or_else(|| record.missing("latents"))?;
    let number = |latent: &Value| u32::try_from(latent.as_u64()?).ok();
    let numbers = latents.as_array().map(|latents| latents.iter().map(number));
    let numbers = numbers.and_then(Iterator::collect);
    let wrong = || refused(format!("{latents} is no list of numbers of latents"));
    Ok((name.clone(), numbers.ok_or_else(wrong)?))
}

fn label(record: &Record) -> Result<LabelRecord> {
    // latentsae's tables say `feature`.
    let latent = record
        .get("latent")
        .or_else(|| record.get("feature"))
        .ok_or_else(|| record.missing("latent"))?;
    let number = match latent {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    let text = record
        .get("label")
        .or_else(|| record.get("text"))
        .ok_or_else(|| record.missing("label"))?;
    // An empty cell of a table is no value.
    let given = |name| match record.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        value => value,
    };
    let score = given("score").map(|value| {
        let number = match value {
            Value::String(text) => text.trim().parse::<f32>().ok(),
            // Single precision is what scores are kept in.
            other => other.as_f64().map(|number| number as f32),
        };
        number.ok_or_else(|| refused(format!("the score {value} is not a number")))
    });
    let created = given("created").map(|value| {
        let time = value.as_str().map(str::trim);
        time.and_then(|time| DateTime::parse_from_rfc3339(time).ok())
            .ok_or_else(|| refused(format!("{value} is not a point in time of RFC 3339")))
    });
    Ok(LabelRecord {
        latent: number.ok_or_else(|| refused(format!("{latent} is not the number of a latent")))?,
        text: text
            .as_str()
            .ok_or_else(|| refused(format!("the label {text} is not a string")))?
            .to_owned(),
        source: record
            .get("source")
            .and_then(Value::as_str)
            .map(str::to_owned),
        score: score.transpose()?,
        created: created.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(suffix: &str, content: &str) -> Result<(Vec<LabelRecord>, Option<String>)> {
        let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        labels(&Source::Path(file.path().to_owned()), None)
    }

    #[test]
    fn labels_are_read_from_json_lines_and_csv() {
        let expected = |score| LabelRecord {
            latent: 12,
            text: "battery life".to_owned(),
            source: None,
            score,
            created: None,
        };
        for (suffix, content, score) in [
            (".jsonl", r#"{"latent": 12, "label": "battery life"}"#, None),
            (
                ".csv",
                "feature,label,max_activation,x,y\n12,battery life,0.9,0.1,0.2\n",
                None,
            ),
            (
                ".csv",
                "latent,label,score\n12,battery life,0.5\n",
                Some(0.5),
            ),
        ] {
            assert_eq!(
                read(suffix, content).unwrap(),
                (vec![expected(score)], None)
            );
        }
    }

    #[test]
    fn a_record_that_is_no_label_is_named() {
        for content in [
            r#"{"latent": -1, "label": "x"}"#,
            r#"{"latent": 1}"#,
            r#"{"label": "x"}"#,
            r#"{"latent": 1, "label": "x", "score": "high"}"#,
            r#"{"latent": 1, "label": "x", "created": "yesterday"}"#,
        ] {
            let error = read(".jsonl", content).unwrap_err();
            assert!(error.message().contains("line 1"), "{error}");
        }
    }
}
