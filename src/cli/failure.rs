//! How an error reads on standard error, and the exit code it stands for.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use clap::error::{ContextKind, ContextValue};
use serde::Serialize;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::client::innermost;
use crate::error::{Error, ErrorKind, sentence};
use crate::server::code;

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

/// True where the command line asks for JSON, also where it cannot be parsed.
pub(super) fn is_json() -> bool {
    let before_values = std::env::args_os().take_while(|argument| argument != "--");
    before_values
        .into_iter()
        .any(|argument| argument == "--json")
}

/// What is printed of an error.
#[derive(Debug, Default, Serialize)]
struct Failure {
    /// The canonical code of gRPC.
    code: &'static str,
    /// The field of the request, or the flag, at fault.
    #[serde(skip_serializing_if = "String::is_empty")]
    field: String,
    message: String,
    /// What to do, where the message does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip)]
    exit_code: u8,
}

impl Failure {
    fn new(code: Code, message: String) -> Self {
        Self {
            code: name(code),
            message,
            exit_code: 1,
            ..Self::default()
        }
    }

    fn stopped(message: String) -> Self {
        Self {
            exit_code: 130,
            ..Self::new(Code::Cancelled, message)
        }
    }

    fn usage(message: String, hint: String) -> Self {
        Self {
            hint: Some(hint),
            exit_code: 2,
            ..Self::new(Code::InvalidArgument, message)
        }
    }

    fn of(error: &anyhow::Error) -> Self {
        if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
            return Self::stopped(interrupted.to_string());
        }
        if let Some(usage) = error.downcast_ref::<Usage>() {
            let hint = "For more information, try '--help'.".to_owned();
            return Self::usage(usage.to_string(), hint);
        }
        let own = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Error>());
        if own.is_some_and(|own| own.kind() == ErrorKind::Cancelled) {
            return Self::stopped("stopped".to_owned());
        }
        let status = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Status>());
        let (code, field) = match (status, own) {
            (Some(status), _) => (status.code(), violations(status).into_iter().next()),
            (None, Some(own)) => (
                code(own.kind()),
                own.field().map(|field| (field.to_owned(), String::new())),
            ),
            (None, None) => (Code::Unknown, None),
        };
        Self {
            field: field.map(|(field, _)| field).unwrap_or_default(),
            ..Self::new(code, describe(error))
        }
    }

    /// One object on standard error, for scripts.
    fn print_json(&self) {
        eprintln!("{}", json!({ "error": self }));
    }

    fn print(&self) {
        match (self.exit_code, &self.hint) {
            (130, _) => eprintln!("{}", self.message),
            (_, Some(hint)) => eprintln!("error: {}\n\n{hint}", self.message),
            (_, None) => eprintln!("error: {}", self.message),
        }
    }
}

/// Prints the error and returns the exit code.
pub(super) fn report(error: &anyhow::Error) -> u8 {
    if is_broken_pipe(error) {
        return 0;
    }
    let failure = Failure::of(error);
    match is_json() {
        true => failure.print_json(),
        false => failure.print(),
    }
    failure.exit_code
}

/// Prints what the parser says, help and version included, and returns the exit code.
pub(super) fn report_usage(error: &clap::Error) -> u8 {
    if error.use_stderr() && is_json() {
        usage(error).print_json();
    } else {
        // Nobody is left to be told of a closed output.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// The parser's error: its first paragraph, the argument at fault, its tips or else the usage.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let lines = || text.lines().map(str::trim);
    let message = match error.kind() {
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a command is missing".to_owned()
        }
        _ => {
            let first: Vec<&str> = lines().take_while(|line| !line.is_empty()).collect();
            let first = first.join(" ");
            first.strip_prefix("error: ").unwrap_or(&first).to_owned()
        }
    };
    let tips: Vec<&str> = lines()
        .filter_map(|line| line.strip_prefix("tip: "))
        .collect();
    let usage = lines().find(|line| line.starts_with("Usage: "));
    let hint = match tips.is_empty() {
        false => tips.join("; "),
        true => usage
            .unwrap_or("For more information, try '--help'.")
            .to_owned(),
    };
    let field = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.clone(),
        Some(ContextValue::Strings(arguments)) => arguments.join(", "),
        _ => String::new(),
    };
    Failure {
        field,
        ..Failure::usage(message, hint)
    }
}

/// A canonical code as gRPC spells it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// `| head` is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The error for people: the field and what is wrong with it, its causes after it.
fn describe(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        if let Some(status) = cause.downcast_ref::<Status>() {
            parts.push(describe_status(status));
            break;
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            parts.push(error.to_string());
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

/// The fields of a status' `google.rpc.BadRequest` with what is wrong with each.
fn violations(status: &Status) -> Vec<(String, String)> {
    let details = status.get_details_bad_request();
    let violations = details.map(|details| details.field_violations);
    let violations = violations.unwrap_or_default().into_iter();
    violations
        .map(|violation| (violation.field, violation.description))
        .collect()
}

/// A status with the fields of its `google.rpc.BadRequest`, where it carries one.
pub(super) fn describe_status(status: &Status) -> String {
    let fields: Vec<String> = violations(status)
        .iter()
        .map(|(field, description)| sentence(field, description))
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

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn usage_is_an_object_too() {
        let error = crate::cli::command()
            .try_get_matches_from(["latentdb", "count", "c", "--fliter", "a=1"])
            .unwrap_err();
        let failure = json!(usage(&error));
        assert_eq!(failure["code"], "INVALID_ARGUMENT");
        assert_eq!(failure["field"], "--fliter");
        assert_eq!(failure["message"], "unexpected argument '--fliter' found");
        assert!(
            failure["hint"].as_str().unwrap().contains("--filter"),
            "{failure}"
        );
    }

    #[test]
    fn errors_say_the_message_and_the_field() {
        let details = ErrorDetails::with_bad_request_violation("query.nearest.vector", "has 3");
        let status = Status::with_error_details(Code::InvalidArgument, "has 3", details);
        assert_eq!(describe(&status.into()), "query.nearest.vector has 3");
        assert_eq!(
            describe(&Status::not_found("there is no collection x").into()),
            "there is no collection x"
        );
        assert_eq!(
            describe(&Error::invalid("k", "is 0; must be at least 1").into()),
            "k is 0; must be at least 1"
        );
        let named = Error::invalid("filter", "column 3: no value");
        let failure = Failure::of(&named.into());
        assert_eq!(
            json!(failure),
            json!({
                "code": "INVALID_ARGUMENT", "field": "filter",
                "message": "filter: column 3: no value",
            })
        );
        let nested = Err::<(), _>(io::Error::other("no disk")).context("cannot write");
        assert_eq!(describe(&nested.unwrap_err()), "cannot write: no disk");
    }
}
