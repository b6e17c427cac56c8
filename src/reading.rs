//! What an SAE reads of a text: the vector of a whole text, or the state of each token.
//!
//! Plain data that encoders, SAEs and collections share and keep with what was made with it.
//!
//! **Architecture Invariant:** the two levels never mix (methods guide, section 2). An SAE that was made
//! for token states refuses pooled vectors, and the other way round; the error names both.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The pooling of a text's token states into one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean over all tokens, special ones included (arXiv 1908.10084, section 3).
    Mean,
    /// The first token.
    Cls,
    /// The last token, as decoders that were trained to embed have it.
    Last,
    /// The largest of each value over all tokens.
    Max,
    /// The sum over all tokens, divided by the root of their number.
    MeanSqrtLen,
    /// The mean over all tokens, weighted by their place from 1 on (arXiv 2202.08904).
    WeightedMean,
}

impl Pooling {
    /// All of them, by the names that sentence-transformers has.
    const NAMES: [(&'static str, Self); 6] = [
        ("mean", Self::Mean),
        ("cls", Self::Cls),
        ("lasttoken", Self::Last),
        ("max", Self::Max),
        ("mean_sqrt_len_tokens", Self::MeanSqrtLen),
        ("weightedmean", Self::WeightedMean),
    ];

    /// The name that sentence-transformers has for it.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, pooling)| *pooling == self);
        found.map_or("mean", |(name, _)| name)
    }

    /// The pooling of a name of sentence-transformers.
    ///
    /// ```
    /// use latentdb::reading::Pooling;
    ///
    /// assert_eq!(Pooling::of_name("lasttoken"), Some(Pooling::Last));
    /// assert_eq!(Pooling::of_name("median"), None);
    /// ```
    pub fn of_name(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, pooling)| *pooling)
    }
}

/// What a text is encoded as. Models that were trained to retrieve tell a query from what it is to find by what stands
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// What somebody looks for: a search, a property, a concept in words.
    Query,
    /// What is found: documents and their passages.
    Document,
}

/// What stands before each text of a role, as sentence-transformers calls it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prompts {
    /// Before queries.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// Before documents.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub document: String,
}

impl Prompts {
    /// What stands before texts of a role.
    pub fn of(&self, role: Role) -> &str {
        match role {
            Role::Query => &self.query,
            Role::Document => &self.document,
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The numbers that a model's products with its weights are computed on. Attention, norms and
/// activations are `f32` in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// `f32`.
    #[default]
    F32,
    /// Operands rounded to bfloat16 (8 significant bits), sums in `f32`: about half the work where
    /// the machine multiplies bfloat16 numbers (AVX512_BF16), the same values at `f32`'s speed
    /// elsewhere. Vectors of all-MiniLM-L6-v2 keep a cosine above .999 to those at `f32`.
    Bf16,
}

impl Precision {
    /// The name that records and flags have.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Reads `f32` or `bf16`.
    ///
    /// # Errors
    /// `InvalidArgument` naming `precision` for anything else.
    ///
    /// ```
    /// use latentdb::reading::Precision;
    ///
    /// assert_eq!(Precision::parse("bf16")?, Precision::Bf16);
    /// assert!(Precision::parse("f16").is_err());
    /// # Ok::<(), latentdb::error::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let all = [Self::F32, Self::Bf16];
        all.into_iter()
            .find(|precision| precision.name() == text)
            .ok_or_else(|| {
                Error::invalid(
                    "precision",
                    format!("is {text:?}; f32 and bf16 are accepted"),
                )
            })
    }

    /// Whether it is the one that records leave out.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What makes two encoders give comparable vectors. Collections store it and refuse vectors of
/// another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EncoderIdentity {
    /// Hub id, or the name given at opening.
    pub model: String,
    /// SHA-256 of the weights file, in hexadecimal.
    pub weights_sha256: String,
    /// The layer read, counted from 0; `None` for the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// The pooling of token states.
    pub pooling: Pooling,
    /// What stands before texts.
    #[serde(default, skip_serializing_if = "Prompts::is_empty")]
    pub prompts: Prompts,
    /// The first values that are kept of a vector (arXiv 2205.13147); `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// Whether vectors have length 1.
    pub normalised: bool,
    /// Longest sequence in tokens, special tokens included.
    pub max_tokens: usize,
    /// Number format of products with weights.
    #[serde(default, skip_serializing_if = "Precision::is_default")]
    pub precision: Precision,
}

/// The input of an SAE, stored with its weights and with the collections it is used in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "snake_case")]
pub enum Reading {
    /// One vector per text.
    Pooled(PooledReading),
    /// One state per token; codes are pooled, not states.
    Token(TokenReading),
}

/// One vector per text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PooledReading {
    /// The encoder of the vectors; `None` where a client brought them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderIdentity>,
}

/// The states of a text's tokens at one layer of a reader model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenReading {
    /// The reader, as it was named.
    pub model: String,
    /// SHA-256 of its weights file (of the hashes of its files where there are several), in
    /// hexadecimal; empty where it is not known, as for an imported SAE.
    #[serde(default)]
    pub weights_sha256: String,
    /// The layer: states are the residual stream after it, counted from 0, as SAELens'
    /// `blocks.L.hook_resid_post` (`hidden_states[L + 1]` in transformers).
    pub layer: usize,
    /// Whether a beginning-of-sequence token stands before a text without chat template.
    #[serde(default)]
    pub prepend_bos: bool,
    /// The chat template around a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<ChatTemplate>,
    /// The windows of long texts.
    pub window: Window,
    /// The tokens read in addition to those of the text.
    #[serde(default)]
    pub tokens: TokenPolicy,
    /// The pooling of token codes.
    #[serde(default)]
    pub pooling: CodePooling,
    /// The normalisation of states, as SAELens names it.
    #[serde(default = "no_normalisation")]
    pub normalisation: String,
    /// Number format of the reader's products with weights.
    #[serde(default, skip_serializing_if = "Precision::is_default")]
    pub precision: Precision,
}

fn no_normalisation() -> String {
    "none".to_owned()
}

/// A chat template around one message of an assistant, rendered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChatTemplate {
    /// As it was asked for: `model`, `chatml`, `llama-3`.
    pub name: String,
    /// Text before.
    pub prefix: String,
    /// Text after.
    pub suffix: String,
}

/// Long texts are read whole, in windows. A token that lies in two windows is taken from the first,
/// where it has more of the text before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Tokens of a window, special and template tokens included.
    pub length: usize,
    /// Tokens of the text by which the next window starts later.
    pub stride: usize,
}

/// Which tokens other than those of the text are read. They fire constant latents on every document,
/// which cancel in a difference but ruin co-occurrence; so none are, unless asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenPolicy {
    /// Beginning, end, separators and other control tokens.
    #[serde(default)]
    pub special: bool,
    /// The words of the chat template.
    #[serde(default)]
    pub template: bool,
}

/// The pooling of a text's token codes into one code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodePooling {
    /// A latent's largest activation.
    #[default]
    Max,
    /// The sum of its activations.
    Sum,
    /// The mean over all tokens read, those where it is not active included.
    Mean,
    /// The number of tokens in which its activation is above a threshold.
    Count {
        /// The threshold.
        threshold: f32,
    },
    /// 1 where it is active in any token.
    Binary,
}

impl CodePooling {
    /// Reads `max`, `sum`, `mean`, `binary`, `count` or `count:THRESHOLD`.
    ///
    /// # Errors
    /// `InvalidArgument` naming `pooling` for anything else.
    ///
    /// ```
    /// use latentdb::reading::CodePooling;
    ///
    /// assert_eq!(CodePooling::parse("max")?, CodePooling::Max);
    /// assert_eq!(CodePooling::parse("count:0.5")?, CodePooling::Count { threshold: 0.5 });
    /// assert!(CodePooling::parse("median").is_err());
    /// # Ok::<(), latentdb::error::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let counted = |threshold: &str| {
            let threshold = threshold.parse::<f32>().ok();
            threshold.filter(|threshold| threshold.is_finite() && *threshold >= 0.0)
        };
        match text {
            "max" => Ok(Self::Max),
            "sum" => Ok(Self::Sum),
            "mean" => Ok(Self::Mean),
            "binary" => Ok(Self::Binary),
            "count" => Ok(Self::Count { threshold: 0.0 }),
            _ => text
                .strip_prefix("count:")
                .and_then(counted)
                .map(|threshold| Self::Count { threshold })
                .ok_or_else(|| {
                    Error::invalid(
                        "pooling",
                        format!(
                            "is {text:?}; max, sum, mean, binary, count and count:THRESHOLD are \
                             accepted"
                        ),
                    )
                }),
        }
    }
}

impl fmt::Display for CodePooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Sum => f.write_str("sum"),
            Self::Mean => f.write_str("mean"),
            Self::Binary => f.write_str("binary"),
            Self::Count { threshold: 0.0 } => f.write_str("count"),
            Self::Count { threshold } => write!(f, "count:{threshold}"),
        }
    }
}

impl Reading {
    /// A description for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Pooled(PooledReading { encoder: None }) => {
                "pooled vectors, one per text".to_owned()
            }
            Self::Pooled(PooledReading {
                encoder: Some(encoder),
            }) => format!("pooled vectors of {}, one per text", encoder.model),
            Self::Token(reading) => reading.describe(),
        }
    }

    /// The token reading.
    pub fn token(&self) -> Option<&TokenReading> {
        match self {
            Self::Token(reading) => Some(reading),
            Self::Pooled(_) => None,
        }
    }
}

/// Refuses rows that an SAE does not read, where both are known.
///
/// # Errors
/// `FailedPrecondition` saying what both are.
pub fn check(rows: Option<&Reading>, made_for: Option<&Reading>) -> Result<()> {
    match (rows, made_for) {
        (Some(Reading::Token(rows)), Some(Reading::Token(made_for))) => rows.check_fits(made_for),
        (Some(Reading::Token(_)), Some(Reading::Pooled(_)))
        | (Some(Reading::Pooled(_)), Some(Reading::Token(_))) => {
            let words = |reading: Option<&Reading>| reading.map(Reading::describe);
            Err(Error::precondition(format!(
                "the SAE reads {}; the file holds {}",
                words(made_for).unwrap_or_default(),
                words(rows).unwrap_or_default()
            )))
        }
        _ => Ok(()),
    }
}

impl TokenReading {
    /// A description for messages.
    pub fn describe(&self) -> String {
        format!("token states of {} behind layer {}", self.model, self.layer)
    }

    /// SAELens' name of the place that is read.
    pub fn hook_name(&self) -> String {
        format!("blocks.{}.hook_resid_post", self.layer)
    }

    /// Checks that states read as `self` says are those that an SAE made for `made_for` takes.
    ///
    /// What `made_for` does not know (an imported SAE knows no weights) is not compared.
    ///
    /// # Errors
    /// `FailedPrecondition` naming the first difference that changes the states.
    pub fn check_fits(&self, made_for: &TokenReading) -> Result<()> {
        let differs = |what: &str, own: String, other: String| {
            Err(Error::precondition(format!(
                "the SAE was made for {}, with {what} {other}; these are {}, with {what} {own}",
                made_for.describe(),
                self.describe()
            )))
        };
        if self.layer != made_for.layer {
            return differs("layer", self.layer.to_string(), made_for.layer.to_string());
        }
        if made_for.weights_sha256.is_empty() {
            return Ok(());
        }
        if self.weights_sha256 != made_for.weights_sha256 {
            let (own, other) = (&self.weights_sha256, &made_for.weights_sha256);
            return differs("weights", own.clone(), other.clone());
        }
        let template = |reading: &TokenReading| match &reading.chat_template {
            Some(template) => template.name.clone(),
            None => "none".to_owned(),
        };
        if self.chat_template != made_for.chat_template {
            return differs("chat template", template(self), template(made_for));
        }
        if self.prepend_bos != made_for.prepend_bos {
            let (own, other) = (self.prepend_bos, made_for.prepend_bos);
            return differs("prepend_bos", own.to_string(), other.to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> TokenReading {
        TokenReading {
            model: "m".to_owned(),
            weights_sha256: "ab".to_owned(),
            layer: 3,
            prepend_bos: true,
            chat_template: None,
            window: Window {
                length: 16,
                stride: 8,
            },
            tokens: TokenPolicy::default(),
            pooling: CodePooling::Count { threshold: 0.5 },
            normalisation: "layer_norm".to_owned(),
            precision: Precision::Bf16,
        }
    }

    #[test]
    fn records_come_back_from_json() {
        for record in [
            Reading::Token(reading()),
            Reading::Pooled(PooledReading::default()),
        ] {
            let json = serde_json::to_value(&record).unwrap();
            assert_eq!(
                serde_json::from_value::<Reading>(json.clone()).unwrap(),
                record
            );
            assert!(["token", "pooled"].contains(&json["level"].as_str().unwrap()));
        }
    }

    #[test]
    fn poolings_are_written_as_they_are_read() {
        for text in ["max", "sum", "mean", "binary", "count", "count:0.25"] {
            assert_eq!(CodePooling::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "Max", "count:", "count:x", "count:-1", "count:inf"] {
            let error = CodePooling::parse(text).unwrap_err();
            assert_eq!(error.field(), Some("pooling"), "{text}");
        }
    }

    #[test]
    fn another_layer_model_or_template_is_refused_by_name() {
        assert!(reading().check_fits(&reading()).is_ok());
        let other = TokenReading {
            layer: 4,
            ..reading()
        };
        let message = reading().check_fits(&other).unwrap_err().to_string();
        assert!(message.contains("layer 4") && message.contains("layer 3"));
        let other = TokenReading {
            weights_sha256: "cd".to_owned(),
            ..reading()
        };
        let message = reading().check_fits(&other).unwrap_err().to_string();
        assert!(message.contains("ab") && message.contains("cd"));
        let other = TokenReading {
            chat_template: Some(ChatTemplate {
                name: "chatml".to_owned(),
                prefix: "<|im_start|>assistant\n".to_owned(),
                suffix: "<|im_end|>\n".to_owned(),
            }),
            ..reading()
        };
        assert!(
            reading()
                .check_fits(&other)
                .unwrap_err()
                .to_string()
                .contains("chatml")
        );
    }
}
