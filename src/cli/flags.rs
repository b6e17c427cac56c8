//! Flags with a form of their own.

use std::path::Path;
use std::str::FromStr;

use anyhow::Context as _;
use latentdb_proto::v1::facet::By;
use latentdb_proto::v1::histogram_facet::Buckets;
use latentdb_proto::v1::{
    CalendarUnit, Everything, Facet, HistogramFacet, LatentWeight, OrderKey, PresetUse,
    StatisticsFacet, SteerEdit, order_key, steer_edit::Edit,
};

use crate::reading::{CodePooling, Precision};
use crate::records::assignment::Assignment;

/// A whole number of at least 1: where 0 would stand for a default, it is not taken for one.
pub(super) fn count<T: FromStr + Default + PartialEq>(text: &str) -> Result<T, String> {
    match text.parse() {
        Ok(number) if number != T::default() => Ok(number),
        _ => Err("a whole number of at least 1 is accepted".to_owned()),
    }
}

/// A bound on how often latents come back.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct RecurrenceArgs {
    /// Only latents that come back in SAEs of other seeds at least so often, 0 to 1; takes an SAE trained with --seeds
    #[arg(long, value_name = "RECURRENCE")]
    pub min_recurrence: Option<f32>,
}

/// `f32` or `bf16`.
pub(super) fn precision(text: &str) -> Result<Precision, String> {
    Precision::parse(text).map_err(|error| error.message().to_owned())
}

/// How the codes of a text's tokens become one.
pub(super) fn pooling(text: &str) -> Result<CodePooling, String> {
    CodePooling::parse(text).map_err(|error| error.message().to_owned())
}

/// `ID=WEIGHT`.
pub(super) fn latent_weight(text: &str) -> Result<LatentWeight, String> {
    let accepted = "accepted is ID=WEIGHT, for example 812=1.5 or 91=-0.5";
    let (latent, weight) = text
        .split_once('=')
        .ok_or_else(|| format!("has no weight; {accepted}"))?;
    Ok(LatentWeight {
        latent: latent_number(latent)?,
        weight: number(weight, accepted)?,
    })
}

/// `ATTRIBUTE`, `ATTRIBUTE:desc` or `id`.
pub(super) fn order_key(text: &str) -> Result<OrderKey, String> {
    let (what, descending) = match text.rsplit_once(':') {
        None | Some((_, "asc")) => (text.trim_end_matches(":asc"), false),
        Some((what, "desc")) => (what, true),
        Some((_, direction)) => {
            return Err(format!(
                "has the direction {direction:?}; accepted are ATTRIBUTE, ATTRIBUTE:asc and ATTRIBUTE:desc"
            ));
        }
    };
    let by = match what {
        "id" => order_key::By::Id(Everything {}),
        name => order_key::By::Attribute(name.to_owned()),
    };
    Ok(OrderKey {
        by: Some(by),
        descending,
    })
}

/// `WHAT=+A`, `WHAT=-A`, `WHAT*F`, `WHAT:=V`, `WHAT=0` and `WHAT:zero`, with WHAT as [`target`] has
/// it.
pub(super) fn steer_edit(text: &str) -> Result<SteerEdit, String> {
    let accepted = "accepted are ID=+A and ID=-A (add A times the latent's direction), ID*F \
                    (scale its activation), ID:=V (set it), ID=0 or ID:zero (zero it); for ID also \
                    family:ROOT, like:DOCUMENT or a text";
    let (what, edit) = if let Some(what) = text.strip_suffix(":zero") {
        (what, Edit::Zero(Everything {}))
    } else if let Some((what, value)) = text.rsplit_once(":=") {
        (what, Edit::Set(number(value, accepted)?))
    } else if let Some((what, amount)) = text.rsplit_once('=') {
        let signed = amount.starts_with(['+', '-']);
        match number(amount, accepted)? {
            amount if signed => (what, Edit::Add(amount)),
            0.0 => (what, Edit::Zero(Everything {})),
            _ => {
                return Err(format!(
                    "is ambiguous: write {what}=+{amount} to add to the latent, \
                     {what}:={amount} to set it"
                ));
            }
        }
    } else if let Some((what, factor)) = text.rsplit_once('*') {
        (what, Edit::Scale(number(factor, accepted)?))
    } else {
        return Err(accepted.to_owned());
    };
    target(what, edit)
}

/// `WHAT=S`.
pub(super) fn boost(text: &str) -> Result<SteerEdit, String> {
    let accepted = "accepted is ID=S, family:ROOT=S, like:DOCUMENT=S or TEXT=S, for example \
                    812=0.15 or \"theory=0.2\"";
    let (what, strength) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("has no strength; {accepted}"))?;
    target(what, Edit::Boost(number(strength, accepted)?))
}

/// `NAME` or `NAME=STRENGTH`.
pub(super) fn preset_use(text: &str) -> Result<PresetUse, String> {
    let accepted = "accepted is NAME or NAME=STRENGTH";
    let (name, strength) = match text.split_once('=') {
        None => (text, None),
        Some((name, strength)) => (name, Some(number(strength, accepted)?)),
    };
    Ok(PresetUse {
        name: name.to_owned(),
        strength,
    })
}

/// An edit of a latent by its number, of `family:ROOT`, of `like:DOCUMENT`, or of what a text names.
fn target(what: &str, edit: Edit) -> Result<SteerEdit, String> {
    let mut steer = SteerEdit {
        edit: Some(edit),
        ..SteerEdit::default()
    };
    let what = what.trim();
    if let Some(root) = what.strip_prefix("family:") {
        steer.family = Some(latent_number(root)?);
    } else if let Some(id) = what.strip_prefix("like:") {
        steer.examples = vec![id.to_owned()];
    } else if what.chars().any(char::is_alphabetic) {
        what.clone_into(&mut steer.concept);
    } else {
        steer.latent = latent_number(what)?;
    }
    Ok(steer)
}

/// A facet that lists so many entries, where it is one that lists the most frequent.
pub(super) fn limited(facet: Facet, limit: u32) -> Facet {
    match facet.by {
        Some(By::Attribute(_) | By::Latents(_)) => Facet { limit, ..facet },
        _ => facet,
    }
}

/// A facet in the form of the flags: `latents`, `NAME`, `NAME:values`, `NAME:WIDTH`, `NAME:month`,
/// `NAME:q10` or `NAME:stats`.
pub(super) fn facet(text: &str) -> Result<Facet, String> {
    let by = match text.split_once(':') {
        None if text == "latents" => By::Latents(Everything {}),
        None => By::Attribute(text.to_owned()),
        Some((attribute, "values")) => By::Attribute(attribute.to_owned()),
        Some((attribute, "stats")) => By::Statistics(StatisticsFacet {
            attribute: attribute.to_owned(),
            quantiles: Vec::new(),
        }),
        Some((attribute, how)) => By::Histogram(HistogramFacet {
            attribute: attribute.to_owned(),
            buckets: Some(buckets(how)?),
        }),
    };
    Ok(Facet {
        by: Some(by),
        ..Facet::default()
    })
}

fn buckets(how: &str) -> Result<Buckets, String> {
    if let Some(unit) =
        CalendarUnit::from_str_name(&format!("CALENDAR_UNIT_{}", how.to_uppercase()))
        && unit != CalendarUnit::Unspecified
    {
        return Ok(Buckets::Calendar(unit.into()));
    }
    if let Some(count) = how.strip_prefix('q').and_then(|count| count.parse().ok()) {
        return Ok(Buckets::Quantiles(count));
    }
    how.parse().map(Buckets::Width).map_err(|_| {
        format!(
            "{how:?} is no way to count an attribute; accepted are values, a width (10 or .5), hour, \
             day, week, month, quarter, year, q10 for 10 quantiles, and stats"
        )
    })
}

/// One `--attribute` flag, checked early; the mapping parses it again.
pub(super) fn attribute(text: &str) -> Result<String, String> {
    crate::records::mapping::Mapping::default()
        .add_attribute(text)
        .map(|()| text.to_owned())
        .map_err(|error| error.message().to_owned())
}

/// A text template with at least one field.
pub(super) fn template(text: &str) -> Result<crate::records::template::Template, String> {
    text.parse()
        .map_err(|error: crate::error::Error| error.message().to_owned())
}

/// A version of a document, as `get` shows it.
pub(super) fn version(text: &str) -> Result<String, String> {
    let version = text.parse::<latentdb_index::Version>();
    version
        .map(|version| version.to_string())
        .map_err(|error| error.message().to_owned())
}

/// `NAME=VALUE` or `NAME:KIND=VALUE`.
pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    text.parse()
        .map_err(|error: crate::error::Error| error.message().to_owned())
}

/// A record format.
pub(super) fn format(text: &str) -> Result<crate::records::Format, String> {
    text.parse()
        .map_err(|error: crate::error::Error| error.message().to_owned())
}

/// A format of exported documents.
pub(super) fn export_format(text: &str) -> Result<crate::records::Format, String> {
    match format(text) {
        Ok(format @ (crate::records::Format::JsonLines | crate::records::Format::Parquet)) => {
            Ok(format)
        }
        _ => Err("is none of the formats of an export; accepted are jsonl and parquet".to_owned()),
    }
}

/// `FOLDER` or `NAME=FOLDER`: where an SAE lies, by its name in a collection.
pub(super) fn sae_folder(text: &str) -> Result<(String, std::path::PathBuf), String> {
    let (name, folder) = match text.split_once('=') {
        Some((name, folder)) if !name.contains('/') => (name, folder),
        _ => ("", text),
    };
    if folder.is_empty() {
        return Err("accepted is FOLDER, or NAME=FOLDER for an SAE with a name".to_owned());
    }
    Ok((name.to_owned(), folder.into()))
}

/// A path that means the same to the server, which runs on this machine.
pub(super) fn absolute(path: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(path)
        .with_context(|| format!("cannot make {} absolute", path.display()))?;
    absolute
        .into_os_string()
        .into_string()
        .map_err(|path| anyhow::anyhow!("the path {} is not UTF-8", path.display()))
}

fn latent_number(text: &str) -> Result<u32, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{text:?} is not the number of a latent"))
}

fn number(text: &str, accepted: &str) -> Result<f32, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|value: &f32| value.is_finite())
        .ok_or_else(|| format!("{text:?} is not a finite number; {accepted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_are_told_apart() {
        let of = |text: &str| facet(text).unwrap().by.unwrap();
        assert_eq!(of("latents"), By::Latents(Everything {}));
        assert_eq!(of("a.b-c"), By::Attribute("a.b-c".into()));
        assert_eq!(of("latents:values"), By::Attribute("latents".into()));
        let histogram = |text: &str| match of(text) {
            By::Histogram(histogram) => histogram.buckets.unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(histogram("n:10"), Buckets::Width(10.0));
        assert_eq!(histogram("n:.5"), Buckets::Width(0.5));
        assert_eq!(histogram("n:q4"), Buckets::Quantiles(4));
        assert_eq!(
            histogram("n:quarter"),
            Buckets::Calendar(CalendarUnit::Quarter.into())
        );
        assert!(matches!(of("n:stats"), By::Statistics(_)));
        for wrong in ["n:", "n:minute", "n:qx", "n:unspecified"] {
            assert!(facet(wrong).is_err(), "{wrong}");
        }
        assert_eq!(limited(facet("n:stats").unwrap(), 5).limit, 0);
    }

    #[test]
    fn counts_begin_at_one() {
        assert_eq!(count::<u32>("7"), Ok(7));
        for wrong in ["0", "-1", "x", "4294967296"] {
            assert!(count::<u32>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn weights_have_either_sign() {
        assert_eq!(
            latent_weight("812=-0.5"),
            Ok(LatentWeight {
                latent: 812,
                weight: -0.5
            })
        );
        for wrong in ["812", "=1", "-1=2", "a=1", "1=nan", "1=", "1=1e39"] {
            assert!(latent_weight(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_form_of_an_edit_is_told_apart() {
        for (text, edit) in [
            ("7=+0.5", Edit::Add(0.5)),
            ("7=-0.5", Edit::Add(-0.5)),
            ("7=+0", Edit::Add(0.0)),
            ("7*2.5", Edit::Scale(2.5)),
            ("7*0", Edit::Scale(0.0)),
            ("7:=3", Edit::Set(3.0)),
            ("7=0", Edit::Zero(Everything {})),
            ("7=0.0", Edit::Zero(Everything {})),
            ("7:zero", Edit::Zero(Everything {})),
        ] {
            let expected = SteerEdit {
                latent: 7,
                edit: Some(edit),
                ..SteerEdit::default()
            };
            assert_eq!(steer_edit(text), Ok(expected), "{text}");
        }
        assert_eq!(
            steer_edit("7=2").unwrap_err(),
            "is ambiguous: write 7=+2 to add to the latent, 7:=2 to set it"
        );
        for wrong in [
            "",
            "7",
            "7+1",
            "-7=+1",
            "7=+inf",
            "7:",
            "7*",
            "=+1",
            "7=zero",
            "family:x=+1",
        ] {
            assert!(steer_edit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn edits_name_concepts_families_and_examples() {
        let of = |text: &str| steer_edit(text).unwrap();
        assert_eq!(of("graph theory=+0.5").concept, "graph theory");
        assert_eq!(of("a = b=+0.5").concept, "a = b");
        assert_eq!(of("family:12*2").family, Some(12));
        assert_eq!(of("like:news/1=-0.5").examples, ["news/1"]);
        assert_eq!(boost("7=0.15").unwrap().edit, Some(Edit::Boost(0.15)));
        assert_eq!(boost("theory=-0.2").unwrap().concept, "theory");
        assert!(boost("theory").is_err());
        let used = preset_use("mild=0.5").unwrap();
        assert_eq!((used.name.as_str(), used.strength), ("mild", Some(0.5)));
        assert_eq!(preset_use("mild").unwrap().strength, None);
    }

    #[test]
    fn folders_of_saes_may_have_a_name() {
        let of = |text: &str| sae_folder(text).unwrap();
        assert_eq!(of("d/sae"), (String::new(), "d/sae".into()));
        assert_eq!(of("fine=d/sae"), ("fine".to_owned(), "d/sae".into()));
        assert_eq!(of("./k=32"), (String::new(), "./k=32".into()));
        assert!(sae_folder("fine=").is_err());
    }

    #[test]
    fn attribute_flags_are_checked_early() {
        for right in ["*", "year", "year:int", "when=meta.date:timestamp"] {
            assert_eq!(attribute(right).as_deref(), Ok(right));
        }
        assert!(attribute("year:integer").unwrap_err().contains("timestamp"));
        assert!(attribute("=x").is_err());
    }
}
