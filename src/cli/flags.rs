//! Flags with a form of their own.

use latentdb_proto::v1::{Everything, LatentWeight, SteerEdit, steer_edit::Edit};

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

/// `ID=+A`, `ID=-A`, `ID*F`, `ID:=V`, `ID=0` and `ID:zero`.
pub(super) fn steer_edit(text: &str) -> Result<SteerEdit, String> {
    let accepted = "accepted are ID=+A and ID=-A (add A times the latent's direction), ID*F \
                    (scale its activation), ID:=V (set it), ID=0 or ID:zero (zero it)";
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (latent, edit) = text.split_at(end);
    let latent = latent_number(latent)?;
    let edit = if edit == ":zero" {
        Edit::Zero(Everything {})
    } else if let Some(value) = edit.strip_prefix(":=") {
        Edit::Set(number(value, accepted)?)
    } else if let Some(factor) = edit.strip_prefix('*') {
        Edit::Scale(number(factor, accepted)?)
    } else if let Some(amount) = edit.strip_prefix('=') {
        let signed = amount.starts_with(['+', '-']);
        match number(amount, accepted)? {
            amount if signed => Edit::Add(amount),
            0.0 => Edit::Zero(Everything {}),
            _ => {
                return Err(format!(
                    "is ambiguous: write {latent}=+{amount} to add to the latent, \
                     {latent}:={amount} to set it"
                ));
            }
        }
    } else {
        return Err(accepted.to_owned());
    };
    Ok(SteerEdit {
        latent,
        edit: Some(edit),
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

/// A record format.
pub(super) fn format(text: &str) -> Result<crate::records::Format, String> {
    text.parse()
        .map_err(|error: crate::error::Error| error.message().to_owned())
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
            };
            assert_eq!(steer_edit(text), Ok(expected), "{text}");
        }
        assert_eq!(
            steer_edit("7=2").unwrap_err(),
            "is ambiguous: write 7=+2 to add to the latent, 7:=2 to set it"
        );
        for wrong in [
            "", "7", "7+1", "x=+1", "7=+inf", "7:", "7*", "=+1", "7=zero",
        ] {
            assert!(steer_edit(wrong).is_err(), "{wrong}");
        }
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
