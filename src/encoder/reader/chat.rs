//! Wrapping a text so that a chat model reads it as its own message (Jiang et al. 2025 wrap every
//! text as one message of the assistant).
//!
//! A model's own template is a Jinja program in its files; it is rendered around a marker, once, as
//! transformers renders it. Two well-known ones can be asked for by name.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, context};

use crate::error::{Error, Result};
use crate::reading::ChatTemplate;

/// Stands for the text while a template is rendered. No template changes such a word.
const MARKER: &str = "LATENTDBTEXT";

/// What can be asked for.
const ACCEPTED: &str = "none, model (the model's own), chatml and llama-3";

/// What a model says of its template.
#[derive(Clone, Debug, Default)]
pub(super) struct ModelTemplate {
    /// The Jinja program.
    pub(super) source: Option<String>,
    /// The beginning-of-sequence token, as text.
    pub(super) bos: Option<String>,
    /// The end-of-sequence token, as text.
    pub(super) eos: Option<String>,
}

/// The template of a name; `None` for `none`.
///
/// # Errors
/// `InvalidArgument` naming `chat_template` for an unknown name, `FailedPrecondition` where a model
/// has no template or its template refuses one message of an assistant.
pub(super) fn resolve(name: &str, model: &ModelTemplate) -> Result<Option<ChatTemplate>> {
    let (prefix, suffix) = match name {
        "none" => return Ok(None),
        "chatml" => (
            "<|im_start|>assistant\n".to_owned(),
            "<|im_end|>\n".to_owned(),
        ),
        "llama-3" => (
            "<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\n".to_owned(),
            "<|eot_id|>".to_owned(),
        ),
        "model" => render(model)?,
        other => {
            return Err(Error::invalid(
                "chat_template",
                format!("is {other:?}; accepted: {ACCEPTED}"),
            ));
        }
    };
    Ok(Some(ChatTemplate {
        name: name.to_owned(),
        prefix,
        suffix,
    }))
}

/// The text that the model's template puts before and after one message of the assistant.
fn render(model: &ModelTemplate) -> Result<(String, String)> {
    let source = model.source.as_deref().ok_or_else(|| {
        Error::precondition(format!(
            "the model's files hold no chat template; name another: {ACCEPTED}"
        ))
    })?;
    let refused = |error: minijinja::Error| {
        Error::precondition(format!(
            "the model's chat template does not take one message of the assistant; name another: \
             {ACCEPTED}"
        ))
        .with_source(error)
    };
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build().map_err(refused)?);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function(
        "raise_exception",
        |message: String| -> std::result::Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        },
    );
    let template = environment.template_from_str(source).map_err(refused)?;
    let rendered = template
        .render(context! {
            messages => [context! { role => "assistant", content => MARKER }],
            add_generation_prompt => false,
            bos_token => model.bos.as_deref().unwrap_or_default(),
            eos_token => model.eos.as_deref().unwrap_or_default(),
        })
        .map_err(refused)?;
    match rendered.split_once(MARKER) {
        Some((prefix, suffix)) if !suffix.contains(MARKER) => {
            Ok((prefix.to_owned(), suffix.to_owned()))
        }
        _ => Err(Error::precondition(format!(
            "the model's chat template does not hold the message once; name another: {ACCEPTED}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMOLLM2: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] \
        != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained \
        by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + \
        message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}\
        {{ '<|im_start|>assistant\n' }}{% endif %}";

    fn model(source: &str) -> ModelTemplate {
        ModelTemplate {
            source: Some(source.to_owned()),
            bos: Some("<s>".to_owned()),
            eos: Some("</s>".to_owned()),
        }
    }

    #[test]
    fn a_models_own_template_is_rendered_around_the_text() {
        let template = resolve("model", &model(SMOLLM2)).unwrap().unwrap();
        assert_eq!(
            template.prefix,
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging \
             Face<|im_end|>\n<|im_start|>assistant\n"
        );
        assert_eq!(template.suffix, "<|im_end|>\n");
    }

    #[test]
    fn methods_of_python_strings_and_blocks_on_lines_of_their_own_work() {
        let source = "{{ bos_token }}\n{%- for m in messages %}\n    {%- if m.role.startswith('a') \
            %}\n        {{- '[A]' + m['content'] | trim + eos_token }}\n    {%- endif %}\n\
            {%- endfor %}";
        let template = resolve("model", &model(source)).unwrap().unwrap();
        assert_eq!((&*template.prefix, &*template.suffix), ("<s>[A]", "</s>"));
    }

    #[test]
    fn what_cannot_be_rendered_is_refused_by_name() {
        let strict = "{% if messages[0].role == 'assistant' %}{{ raise_exception('roles must \
            alternate') }}{% endif %}";
        let error = resolve("model", &model(strict)).unwrap_err().to_string();
        assert!(error.contains("roles must alternate"), "{error}");
        assert!(resolve("model", &ModelTemplate::default()).is_err());
        let error = resolve("alpaca", &model(SMOLLM2)).unwrap_err();
        assert_eq!(error.field(), Some("chat_template"));
        assert!(error.to_string().contains("alpaca"));
        assert!(resolve("none", &model(SMOLLM2)).unwrap().is_none());
    }
}
