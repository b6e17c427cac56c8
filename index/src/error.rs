//! The one error type of the project.
//!
//! A kind tells the caller what to do; the message tells a person what happened. Kinds follow
//! the canonical gRPC codes, so the server maps them in one place and loses nothing.

use std::error::Error as StdError;
use std::fmt;

/// What the caller should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is wrong whatever the state of the system: correct it and call again.
    InvalidArgument,
    /// The thing named does not exist.
    NotFound,
    /// The thing to be created exists.
    AlreadyExists,
    /// The request is right but the system is not in the state it needs; the message says how to
    /// get there. Retrying without a change does not help.
    FailedPrecondition,
    /// The caller may not do this.
    PermissionDenied,
    /// What the caller read and builds on was changed meanwhile: read it again, decide again.
    Aborted,
    /// A stated limit (size, depth, quota) was passed.
    ResourceExhausted,
    /// The caller gave the work up.
    Cancelled,
    /// A passing fault: the same call may succeed later.
    Unavailable,
    /// Stored data does not pass its checks.
    Corrupted,
    /// A fault of the program or the machine (I/O errors that are none of the above).
    Internal,
}

/// An error with its kind, an optional request field, a message for people, and its cause.
///
/// ```
/// use latentdb_index::{Error, ErrorKind};
///
/// let error = Error::invalid("vector", "has 3 values; this collection takes 384");
/// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
/// assert_eq!(error.to_string(), "vector has 3 values; this collection takes 384");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    field: Option<String>,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result type of the project.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` with a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            field: None,
            message: message.into(),
            source: None,
        }
    }

    /// A request field that does not hold what is accepted. `message` says what is.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(ErrorKind::InvalidArgument, message)
        }
    }

    /// Something named that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// A state the system is not in; `message` says how to reach it.
    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::FailedPrecondition, message)
    }

    /// The caller gave the work up.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled by the caller")
    }

    /// Stored data that does not pass its checks.
    pub fn corrupted(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupted, message)
    }

    /// A fault of the program or the machine.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with its field put under a parent: `filter` and `args[1]` make
    /// `filter.args[1]`. Errors without a field get `parent` as theirs when the argument is wrong.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        if self.kind == ErrorKind::InvalidArgument {
            self.field = Some(match self.field.take() {
                Some(field) if field.is_empty() => parent.to_owned(),
                Some(field) if field.starts_with('[') => format!("{parent}{field}"),
                Some(field) => format!("{parent}.{field}"),
                None => parent.to_owned(),
            });
        }
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The request field at fault, as a path (`query.nearest.vector`), where one is.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The message without the field.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Puts the field of a failed result under its parent.
pub trait Within {
    /// [`Error::within`] of the error, if any.
    ///
    /// ```
    /// use latentdb_index::Error;
    /// use latentdb_index::error::Within as _;
    ///
    /// let failed: Result<(), Error> = Err(Error::invalid("[1]", "is not finite"));
    /// let error = failed.within("vector").unwrap_err();
    /// assert_eq!(error.field(), Some("vector[1]"));
    /// ```
    #[must_use]
    fn within(self, parent: &str) -> Self;
}

impl<T> Within for Result<T> {
    fn within(self, parent: &str) -> Self {
        self.map_err(|error| error.within(parent))
    }
}

/// First words of messages whose subject is their field: "limit", "is 0; 1 to 1000 is accepted".
const VERBS: [&str; 20] = [
    "are", "compares", "differs", "does", "gives", "has", "have", "holds", "is", "leaves", "must",
    "names", "needs", "of", "or", "reads", "says", "takes", "uses", "was",
];

/// A message with its field, as one sentence.
///
/// ```
/// use latentdb_index::error::sentence;
///
/// let message = "is 0; 1 to 1000 is accepted";
/// assert_eq!(sentence("limit", message), "limit is 0; 1 to 1000 is accepted");
/// assert_eq!(sentence("filter", "column 3: expected a value"), "filter: column 3: expected a value");
/// assert_eq!(sentence("", "the disk is full"), "the disk is full");
/// ```
pub fn sentence(field: &str, message: &str) -> String {
    let first = message.split(' ').next().unwrap_or_default();
    match field {
        "" => message.to_owned(),
        field if VERBS.contains(&first) => format!("{field} {message}"),
        field => format!("{field}: {message}"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.as_deref().unwrap_or_default();
        f.write_str(&sentence(field, &self.message))?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let failure = match error.kind() {
            StorageFull | QuotaExceeded => {
                Self::new(ErrorKind::ResourceExhausted, "the disk is full")
            }
            _ => Self::internal("input or output failed"),
        };
        failure.with_source(error)
    }
}
