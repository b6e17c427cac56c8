//! Names and times of what a database records.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

/// Longest name of a collection or a saved set, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Microseconds since the epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_micros()).ok())
        .unwrap_or_default()
}

/// Checks a name of a collection, a saved set or an SAE: 1 to 128 bytes of letters, digits, `_`, `-`
/// and `.`, not starting with a dot.
pub fn validate_name(name: &str) -> Result<()> {
    let accepted =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    if !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with('.')
        && name.chars().all(accepted)
    {
        return Ok(());
    }
    Err(Error::invalid(
        "name",
        format!(
            "{name:?} is not accepted: 1 to {MAX_NAME_BYTES} bytes of letters, digits, _ - and ., \
             not starting with a dot"
        ),
    ))
}
