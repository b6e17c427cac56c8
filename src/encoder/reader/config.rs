//! What the files of a safetensors folder say beside the architecture.

use std::path::Path;

use serde_json::Value;

use super::chat::ModelTemplate;
use crate::error::{Error, Result};

/// Reads a file of JSON; `Null` where there is none.
pub(super) fn read(path: &Path) -> Result<Value> {
    if !path.is_file() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&std::fs::read(path)?).map_err(|error| {
        Error::corrupted(format!("{} is not JSON", path.display())).with_source(error)
    })
}

/// The chat template of a folder with what it may name.
pub(super) fn chat_template(folder: &Path) -> Result<ModelTemplate> {
    let config = read(&folder.join("tokenizer_config.json"))?;
    let file = folder.join("chat_template.jinja");
    let source = if file.is_file() {
        Some(std::fs::read_to_string(&file)?)
    } else {
        template(&config["chat_template"])
    };
    let token = |name: &str| {
        let value = &config[name];
        let text = value.as_str().or_else(|| value["content"].as_str());
        text.map(str::to_owned)
    };
    Ok(ModelTemplate {
        source,
        bos: token("bos_token"),
        eos: token("eos_token"),
    })
}

/// The only template, or the one that is called default.
fn template(value: &Value) -> Option<String> {
    let named = value.as_array().and_then(|templates| {
        let default = templates.iter().find(|one| one["name"] == "default");
        default?["template"].as_str()
    });
    value.as_str().or(named).map(str::to_owned)
}
