//! tantivy's errors and ours, both ways.

use tantivy::directory::error::{OpenDirectoryError, OpenReadError};

use crate::error::{Error, ErrorKind};

impl From<tantivy::TantivyError> for Error {
    fn from(error: tantivy::TantivyError) -> Self {
        use tantivy::TantivyError as Tantivy;
        let kind = match &error {
            Tantivy::DataCorruption(_) | Tantivy::IncompatibleIndex(_) => ErrorKind::Corrupted,
            Tantivy::LockFailure(..) => ErrorKind::FailedPrecondition,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, "the segment engine failed").with_source(error)
    }
}

impl From<OpenReadError> for Error {
    fn from(error: OpenReadError) -> Self {
        tantivy::TantivyError::from(error).into()
    }
}

impl From<OpenDirectoryError> for Error {
    fn from(error: OpenDirectoryError) -> Self {
        tantivy::TantivyError::from(error).into()
    }
}

/// The tantivy form of an error inside a component.
pub(crate) fn to_tantivy(error: Error) -> tantivy::TantivyError {
    tantivy::TantivyError::InternalError(error.to_string())
}
