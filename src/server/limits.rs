//! Limits that clients are told and the transport holds to.

use std::time::Duration;

use crate::service::MIN_FREE_DISK;

/// Largest message the server reads, in bytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// Streams of one connection at once, unary calls included.
pub(super) const STREAMS_PER_CONNECTION: u32 = 256;
/// A connection that is silent for this long is asked whether it is still there.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(60);

/// What a server takes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; more are closed at once.
    pub connections: u32,
    /// Requests under way, streams included; more are answered `RESOURCE_EXHAUSTED` with the time
    /// after which to try again.
    pub requests: u32,
    /// The same of one client, by its address.
    pub requests_per_client: u32,
    /// Bytes of the data directory's disk that stay free: with fewer, what needs room is answered
    /// `RESOURCE_EXHAUSTED`; deletes, drops and merges are taken.
    pub min_free_disk: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            requests: 1024,
            requests_per_client: 512,
            min_free_disk: MIN_FREE_DISK,
        }
    }
}
