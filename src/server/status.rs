//! Errors as gRPC status, in one place: canonical codes, and the field at fault as
//! `google.rpc.BadRequest`.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::{Error, ErrorKind};

/// The canonical code of a kind.
pub(super) fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::FailedPrecondition => Code::FailedPrecondition,
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
            let details = ErrorDetails::with_bad_request_violation(field, error.message());
            Status::with_error_details(code, error.to_string(), details)
        }
        None => Status::new(code, error.to_string()),
    }
}

/// A part of a request that must be there.
pub(super) fn required<T>(value: Option<T>, field: &str) -> Result<T, Error> {
    value.ok_or_else(|| Error::invalid(field, "is missing"))
}
