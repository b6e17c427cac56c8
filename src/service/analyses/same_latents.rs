//! Whether the latents of two collections mean the same.

use crate::error::{Error, Result};
use crate::reading::{EncoderIdentity, TokenReading};
use crate::service::spec::{ReaderRecord, SaeSpec, Spec};

/// Compares what the latents of two collections were made with. `vouched` stands for what nothing
/// records, and for texts that were read in another way; it does not make two SAEs one.
///
/// # Errors
/// `FailedPrecondition` saying what differs and what is accepted.
pub(super) fn check_same_latents(a: Side<'_>, b: Side<'_>, vouched: bool) -> Result<()> {
    let n_latents = |side: Side<'_>| side.entry().map(|entry| entry.n_latents);
    let saes = (a.hash(), b.hash());
    let are_two = matches!(saes, (Some(a), Some(b)) if a != b);
    if are_two || n_latents(a) != n_latents(b) {
        return Err(Error::precondition(format!(
            "collections {:?} and {:?} have different SAEs, so their latents do not mean the same: \
             attach one SAE to both",
            a.name(),
            b.name()
        )));
    }
    if vouched {
        return Ok(());
    }
    let (Some(_), Some(_)) = saes else {
        return Err(Error::precondition(format!(
            "nothing says that the latents of collections {:?} and {:?} mean the same, since not \
             both have an SAE: attach one to both, or vouch for it with `same_latents` \
             (`--same-latents`)",
            a.name(),
            b.name()
        )));
    };
    let Some(difference) = difference(a, b) else {
        return Ok(());
    };
    Err(Error::precondition(format!(
        "collections {:?} and {:?} have one SAE, but read texts differently ({difference}), so that \
         its latents need not mean the same: make both with the same model and settings, or vouch \
         for it with `same_latents` (`--same-latents`)",
        a.name(),
        b.name()
    )))
}

/// One of two collections, in the space of one of its SAEs.
#[derive(Clone, Copy)]
pub(super) struct Side<'s> {
    pub spec: &'s Spec,
    pub place: usize,
}

impl<'s> Side<'s> {
    fn entry(self) -> Option<&'s SaeSpec> {
        self.spec.saes.get(self.place)
    }

    fn hash(self) -> Option<&'s str> {
        self.entry()?.sae.as_ref().map(|sae| sae.sha256.as_str())
    }

    fn reader(self) -> Option<&'s ReaderRecord> {
        self.entry()?.reader.as_ref()
    }

    fn name(self) -> &'s str {
        &self.spec.record.name
    }
}

/// The first setting in which two collections read texts differently. What a model is called and
/// the precision of its products make no difference.
fn difference(a: Side<'_>, b: Side<'_>) -> Option<&'static str> {
    match (a.reader(), b.reader()) {
        (Some(a), Some(b)) => between_readers(&a.reading, &b.reading),
        (None, None) => {
            let encoders = a.spec.encoder.as_ref().zip(b.spec.encoder.as_ref());
            // Vectors that clients brought say nothing of their encoder.
            encoders.and_then(|(a, b)| between_encoders(&a.identity, &b.identity))
        }
        _ => Some("tokens in one, whole texts in the other"),
    }
}

fn wrapping(reading: &TokenReading) -> Option<(&str, &str)> {
    let template = reading.chat_template.as_ref()?;
    Some((&template.prefix, &template.suffix))
}

fn first_unequal(checks: &[(&'static str, bool)]) -> Option<&'static str> {
    let unequal = checks.iter().find(|(_, is_equal)| !is_equal);
    unequal.map(|(name, _)| *name)
}

fn between_readers(a: &TokenReading, b: &TokenReading) -> Option<&'static str> {
    let is_one_model = if a.weights_sha256.is_empty() && b.weights_sha256.is_empty() {
        a.model == b.model
    } else {
        a.weights_sha256 == b.weights_sha256
    };
    first_unequal(&[
        ("another model", is_one_model),
        ("another layer", a.layer == b.layer),
        (
            "another beginning of the sequence",
            a.prepend_bos == b.prepend_bos,
        ),
        ("another chat template", wrapping(a) == wrapping(b)),
        ("other windows", a.window == b.window),
        ("other tokens that count", a.tokens == b.tokens),
        ("another pooling", a.pooling == b.pooling),
        ("another normalisation", a.normalisation == b.normalisation),
    ])
}

fn between_encoders(a: &EncoderIdentity, b: &EncoderIdentity) -> Option<&'static str> {
    first_unequal(&[
        ("another model", a.weights_sha256 == b.weights_sha256),
        ("another layer", a.layer == b.layer),
        ("another pooling", a.pooling == b.pooling),
        ("vectors of another length", a.normalised == b.normalised),
        ("other windows", a.max_tokens == b.max_tokens),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use latentdb_index::CollectionRecord;

    use super::*;
    use crate::error::ErrorKind;
    use crate::reading::{ChatTemplate, CodePooling, Pooling, Window};
    use crate::sae::TrainingRecord;
    use crate::service::spec::{EncoderRecord, Level, SaeRecord};

    fn collection(name: &str, sae: Option<&str>) -> Spec {
        let sae = sae.map(|sha256| SaeRecord {
            sha256: sha256.to_owned(),
            d_in: 8,
            n_latents: 16,
            k: None,
            architecture: "topk".to_owned(),
            training: TrainingRecord::default(),
            normalisation: Default::default(),
            level: Level::Pooled,
            gate: Default::default(),
        });
        Spec {
            record: Arc::new(CollectionRecord {
                name: name.to_owned(),
                id: name.to_owned(),
                generation: 1,
                dimension: Some(8),
                created: 0,
                encoder: None,
                saes: Vec::new(),
                analyzer: Default::default(),
            }),
            encoder: None,
            saes: vec![SaeSpec {
                sae,
                ..SaeSpec::of_clients(16)
            }],
        }
    }

    fn reading(change: impl FnOnce(&mut TokenReading)) -> Spec {
        let mut reading = TokenReading {
            model: "m".to_owned(),
            weights_sha256: "w".to_owned(),
            layer: 3,
            prepend_bos: true,
            chat_template: None,
            window: Window {
                length: 64,
                stride: 32,
            },
            tokens: Default::default(),
            pooling: CodePooling::Max,
            normalisation: "none".to_owned(),
            precision: Default::default(),
        };
        change(&mut reading);
        let mut spec = collection("read", Some("s"));
        spec.saes[0].reader = Some(ReaderRecord {
            reading,
            width: 8,
            positions: false,
        });
        spec
    }

    fn encoding(change: impl FnOnce(&mut EncoderIdentity)) -> Spec {
        let mut identity = EncoderIdentity {
            model: "e".to_owned(),
            weights_sha256: "w".to_owned(),
            layer: None,
            pooling: Pooling::Mean,
            prompts: Default::default(),
            dimensions: None,
            normalised: true,
            max_tokens: 256,
            precision: Default::default(),
        };
        change(&mut identity);
        Spec {
            encoder: Some(EncoderRecord {
                model: "e".to_owned(),
                identity,
                dimension: 8,
            }),
            ..collection("encoded", Some("s"))
        }
    }

    fn check(a: &Spec, b: &Spec, vouched: bool) -> Result<()> {
        let side = |spec| Side { spec, place: 0 };
        check_same_latents(side(a), side(b), vouched)
    }

    /// What the refusal says; and vouching for it must help where `vouched` says so.
    fn refused(a: &Spec, b: &Spec, vouched: bool) -> String {
        assert_eq!(check(a, b, true).is_ok(), vouched);
        let error = check(a, b, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        error.message().to_owned()
    }

    #[test]
    fn latents_that_nothing_compares_need_someone_to_vouch() {
        let (own, other) = (collection("own", None), collection("other", None));
        let with_sae = collection("with", Some("s"));
        for (a, b) in [(&own, &other), (&own, &with_sae), (&with_sae, &own)] {
            assert!(refused(a, b, true).contains("--same-latents"));
        }
        check(&with_sae, &collection("too", Some("s")), false).unwrap();
    }

    #[test]
    fn two_saes_are_never_one() {
        let (one, two) = (collection("one", Some("s")), collection("two", Some("t")));
        assert!(refused(&one, &two, false).contains("different SAEs"));
        let mut wider = collection("wider", None);
        wider.saes[0].n_latents = 17;
        let message = refused(&collection("own", None), &wider, false);
        assert!(message.contains("different SAEs"));
    }

    #[test]
    fn texts_have_to_be_read_in_the_same_way() {
        type Change = fn(&mut TokenReading);
        let changes: HashMap<&str, Change> = HashMap::from([
            (
                "another model",
                (|r| r.weights_sha256 = "v".to_owned()) as Change,
            ),
            ("another layer", |r| r.layer = 4),
            ("another chat template", |r| {
                r.chat_template = Some(ChatTemplate {
                    name: "chatml".to_owned(),
                    prefix: "<".to_owned(),
                    suffix: ">".to_owned(),
                });
            }),
            ("other windows", |r| r.window.stride = 64),
            ("other tokens that count", |r| r.tokens.special = true),
            ("another pooling", |r| r.pooling = CodePooling::Sum),
        ]);
        let plain = reading(|_| {});
        for (saying, change) in changes {
            assert!(
                refused(&plain, &reading(change), true).contains(saying),
                "{saying}"
            );
        }
        check(&plain, &reading(|r| r.model = "its path".to_owned()), false).unwrap();
        let pooled = collection("pooled", Some("s"));
        assert!(refused(&plain, &pooled, true).contains("whole texts"));
    }

    #[test]
    fn encoders_are_compared_where_both_have_one() {
        let plain = encoding(|_| {});
        let other = encoding(|identity| identity.weights_sha256 = "v".to_owned());
        assert!(refused(&plain, &other, true).contains("another model"));
        let cut = encoding(|identity| identity.max_tokens = 128);
        assert!(refused(&plain, &cut, true).contains("other windows"));
        check(
            &plain,
            &encoding(|e| e.model = "its path".to_owned()),
            false,
        )
        .unwrap();
        check(&plain, &collection("brought", Some("s")), false).unwrap();
    }
}
