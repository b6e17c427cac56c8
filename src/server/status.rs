//! Errors as gRPC status, in one place: canonical codes, and the field at fault as
//! `google.rpc.BadRequest`.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::paths::without_places;
use crate::error::{Error, ErrorKind};

/// Longest message of an error; statuses travel in headers, which clients bound.
pub(super) const MAX_MESSAGE_BYTES: usize = 1024;
/// Longest field path of an error.
pub(super) const MAX_FIELD_BYTES: usize = 256;

/// A text cut at a character, with dots where something was left out.
pub(super) fn shortened(text: impl Into<String>, most: usize) -> String {
    let mut text = text.into();
    if text.len() > most {
        let end = (0..=most).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
        text.push_str("...");
    }
    text
}

/// The canonical code of a kind.
pub(crate) fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::FailedPrecondition => Code::FailedPrecondition,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
        ErrorKind::Aborted => Code::Aborted,
        ErrorKind::ResourceExhausted => Code::ResourceExhausted,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Corrupted => Code::DataLoss,
        ErrorKind::Internal => Code::Internal,
    }
}

/// The status of an error.
pub(super) fn status(error: Error) -> Status {
    let code = code(error.kind());
    if matches!(code, Code::Internal | Code::DataLoss) {
        tracing::error!(%error, "a request failed");
    }
    match error.field() {
        Some(field) => {
            let details = ErrorDetails::with_bad_request_violation(
                shortened(field, MAX_FIELD_BYTES),
                shortened(
                    without_places(error.message().to_owned()),
                    MAX_MESSAGE_BYTES,
                ),
            );
            let message = shortened(without_places(error.to_string()), MAX_MESSAGE_BYTES);
            Status::with_error_details(code, message, details)
        }
        None => {
            let message = without_places(error.to_string());
            Status::new(code, shortened(message, MAX_MESSAGE_BYTES))
        }
    }
}

/// The entry of an enumeration that a number of a request stands for.
pub(super) fn entry<E: TryFrom<i32>>(number: i32, field: &str) -> Result<E, Error> {
    let unknown = |_| Error::invalid(field, format!("is {number}, which is none of its values"));
    E::try_from(number).map_err(unknown)
}

/// A part of a request that must be there.
pub(super) fn required<T>(value: Option<T>, field: &str) -> Result<T, Error> {
    value.ok_or_else(|| Error::invalid(field, "is missing"))
}
