//! What ready vectors and latents were made with, so that the server can refuse another model's.

use anyhow::bail;
use latentdb_proto::v1::{Collection, EncoderInfo, MadeWith};

use crate::reading::{EncoderIdentity, Reading, TokenReading};

/// What there is to say to a collection. Of a model that the collection does not record there is
/// nothing to compare: its owner takes ready numbers as they are.
pub(super) fn made_with(
    collection: &Collection,
    reading: &Reading,
    sae: Option<String>,
) -> anyhow::Result<Option<MadeWith>> {
    let encoder_sha256 = match reading {
        Reading::Pooled(pooled) => {
            let both = pooled.encoder.as_ref().zip(collection.encoder.as_ref());
            both.map(|(own, encoder)| {
                check_encoder(&collection.name, own, encoder)?;
                Ok::<_, anyhow::Error>(own.weights_sha256.clone())
            })
            .transpose()?
        }
        Reading::Token(token) => {
            check_reader(collection, token)?;
            None
        }
    };
    let sae_sha256 = sae.filter(|_| collection.sae.is_some());
    if encoder_sha256.is_none() && sae_sha256.is_none() {
        return Ok(None);
    }
    Ok(Some(MadeWith {
        encoder_sha256: encoder_sha256.unwrap_or_default(),
        sae_sha256: sae_sha256.unwrap_or_default(),
    }))
}

/// Refuses vectors of the collection's encoder that was used otherwise. Other weights are the server's to refuse.
fn check_encoder(
    collection: &str,
    own: &EncoderIdentity,
    encoder: &EncoderInfo,
) -> anyhow::Result<()> {
    if own.weights_sha256 != encoder.sha256 {
        return Ok(());
    }
    let prompts = (&own.prompts.document, &encoder.document_prompt);
    let pairs = [
        (
            "the document prompt",
            format!("{:?}", prompts.0),
            format!("{:?}", prompts.1),
        ),
        (
            "the pooling",
            own.pooling.name().to_owned(),
            encoder.pooling.clone(),
        ),
        (
            "max_tokens",
            own.max_tokens.to_string(),
            encoder.max_tokens.to_string(),
        ),
    ];
    for (what, own, other) in pairs {
        if own != other {
            bail!(
                "the vectors were made with {what} {own}; the collection {collection} makes its own with {other}"
            );
        }
    }
    Ok(())
}

/// Refuses latents that were read otherwise than the collection reads.
fn check_reader(collection: &Collection, own: &TokenReading) -> anyhow::Result<()> {
    let Some(reader) = &collection.reader else {
        return Ok(());
    };
    let template = own
        .chat_template
        .as_ref()
        .map_or("none", |template| &template.name);
    let pairs = [
        ("weights", own.weights_sha256.clone(), reader.sha256.clone()),
        ("layer", own.layer.to_string(), reader.layer.to_string()),
        (
            "chat template",
            template.to_owned(),
            reader.chat_template.clone(),
        ),
        ("pooling", own.pooling.to_string(), reader.pooling.clone()),
        (
            "prepend_bos",
            own.prepend_bos.to_string(),
            reader.prepend_bos.to_string(),
        ),
        (
            "special tokens",
            own.tokens.special.to_string(),
            reader.special_tokens.to_string(),
        ),
        (
            "template tokens",
            own.tokens.template.to_string(),
            reader.template_tokens.to_string(),
        ),
    ];
    for (what, own, other) in pairs {
        if own != other {
            bail!(
                "the latents were read with {what} {own}; the collection {} reads with {what} \
                 {other}",
                collection.name
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::SaeInfo;

    use super::*;
    use crate::reading::{PooledReading, Pooling, Precision, Prompts};

    #[test]
    fn what_the_collection_records_is_compared() {
        let reading = Reading::Pooled(PooledReading {
            encoder: Some(EncoderIdentity {
                model: "m".to_owned(),
                weights_sha256: "e1".to_owned(),
                layer: None,
                pooling: Pooling::Mean,
                prompts: Prompts::default(),
                dimensions: None,
                normalised: true,
                max_tokens: 8,
                precision: Precision::F32,
            }),
        });
        let sae = Some("s1".to_owned());
        let mut collection = Collection::default();
        let said = made_with(&collection, &reading, sae.clone()).unwrap();
        assert_eq!(said, None);
        collection.sae = Some(SaeInfo::default());
        let said = made_with(&collection, &reading, sae.clone())
            .unwrap()
            .unwrap();
        assert_eq!(
            (said.encoder_sha256.as_str(), said.sae_sha256.as_str()),
            ("", "s1")
        );
        collection.encoder = Some(EncoderInfo::default());
        let said = made_with(&collection, &reading, sae).unwrap().unwrap();
        assert_eq!(
            (said.encoder_sha256.as_str(), said.sae_sha256.as_str()),
            ("e1", "s1")
        );
    }
}
