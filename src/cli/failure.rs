//! How an error reads on standard error, and the exit code it stands for.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::client::innermost;
use crate::error::{Error, ErrorKind};

/// The user stopped the command.
#[derive(Debug, Default)]
pub(super) struct Interrupted {
    /// What is kept and how to go on.
    pub(super) advice: Option<String>,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")?;
        match &self.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

impl StdError for Interrupted {}

/// Flags that do not go together in a way that the parser cannot know.
#[derive(Debug)]
pub(super) struct Usage(pub(super) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Usage {}

/// Prints the error and returns the exit code.
pub(super) fn report(error: &anyhow::Error) -> u8 {
    if is_broken_pipe(error) {
        return 0;
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        eprintln!("{interrupted}");
        return 130;
    }
    if let Some(error) = error.downcast_ref::<Error>()
        && error.kind() == ErrorKind::Cancelled
    {
        eprintln!("stopped");
        return 130;
    }
    if let Some(usage) = error.downcast_ref::<Usage>() {
        eprintln!("error: {usage}\n\nFor more information, try '--help'.");
        return 2;
    }
    eprintln!("error: {}", describe(error));
    1
}

/// `| head` is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The error for people: `message (field query.nearest.text)`, its causes after it.
fn describe(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        if let Some(status) = cause.downcast_ref::<Status>() {
            parts.push(describe_status(status));
            break;
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            parts.push(describe_own(error));
            break;
        }
        let part = cause.to_string();
        // Many errors repeat their cause.
        if !parts.last().is_some_and(|last| last.contains(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

fn describe_own(error: &Error) -> String {
    let mut text = match error.field().filter(|field| !field.is_empty()) {
        Some(field) => format!("{} (field {field})", error.message()),
        None => error.message().to_owned(),
    };
    if let Some(source) = StdError::source(error) {
        text.push_str(&format!(": {source}"));
    }
    text
}

/// A status with the fields of its `google.rpc.BadRequest`, where it carries one.
pub(super) fn describe_status(status: &Status) -> String {
    let violations = status
        .get_details_bad_request()
        .map(|details| details.field_violations)
        .unwrap_or_default();
    let fields: Vec<String> = violations
        .iter()
        .map(|violation| with_field(&violation.description, &violation.field))
        .collect();
    let text = match fields.as_slice() {
        [] => status.message().to_owned(),
        fields => fields.join("; "),
    };
    // Only what this side made has a cause: the server's responses come without.
    if let Some(cause) = StdError::source(status) {
        return format!("the connection to the server failed: {}", innermost(cause));
    }
    if text.is_empty() {
        return format!("the server answered {:?}", status.code());
    }
    match status.code() {
        Code::Internal | Code::Unknown => format!("the server failed: {text}"),
        _ => text,
    }
}

/// `message (field f)`, or the message alone where there is no field.
pub(super) fn with_field(message: &str, field: &str) -> String {
    if field.is_empty() {
        return message.to_owned();
    }
    // Messages of batches begin with their field.
    let message = message
        .strip_prefix(field)
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(message);
    format!("{message} (field {field})")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn errors_say_the_message_and_the_field() {
        let details = ErrorDetails::with_bad_request_violation("query.nearest.vector", "has 3");
        let status = Status::with_error_details(Code::InvalidArgument, "has 3", details);
        assert_eq!(
            describe(&status.into()),
            "has 3 (field query.nearest.vector)"
        );
        assert_eq!(
            describe(&Status::not_found("there is no collection x").into()),
            "there is no collection x"
        );
        assert_eq!(
            describe(&Error::invalid("k", "is 0; must be at least 1").into()),
            "is 0; must be at least 1 (field k)"
        );
        let nested = Err::<(), _>(io::Error::other("no disk")).context("cannot write");
        assert_eq!(describe(&nested.unwrap_err()), "cannot write: no disk");
    }
}
