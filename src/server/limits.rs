//! Limits that clients are told and the transport holds to.

/// Largest message the server reads, in bytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 << 20;
