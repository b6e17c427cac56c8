//! Limits that clients are told and the transport holds to.

use std::num::NonZero;
use std::time::Duration;

use super::memory::default_budget;
use crate::service::MIN_FREE_DISK;

/// Largest message the server reads, in bytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// Streams of one connection at once, unary calls included.
pub(super) const STREAMS_PER_CONNECTION: u32 = 256;
/// A connection that is silent for this long is asked whether it is still there.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long nothing may be asked, read or sent, unless told otherwise.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// What a server takes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; more are closed at once.
    pub connections: u32,
    /// The same of one client, by its address.
    pub connections_per_client: u32,
    /// Requests under way, streams included; more are answered `RESOURCE_EXHAUSTED` with the time
    /// after which to try again.
    pub requests: u32,
    /// The same of one client, by its address.
    pub requests_per_client: u32,
    /// Interactive requests (searches, counts, reads) that are worked on at once; others wait, and while
    /// there is always somebody waiting, most of them are turned away.
    pub searches: u32,
    /// Analyses under way; others wait for half a minute.
    pub analyses: u32,
    /// Bytes of anonymous memory of the process over which requests are turned away, but for those that
    /// need none.
    pub memory: u64,
    /// How long a connection may stay open without a request, an answer unread, and an ingest stream
    /// without a batch.
    pub idle: Duration,
    /// Bytes of the data directory's disk that stay free: with fewer, what needs room is answered
    /// `RESOURCE_EXHAUSTED`; deletes, drops and merges are taken.
    pub min_free_disk: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let at_once = u32::try_from(2 * cores).unwrap_or(u32::MAX).max(4);
        Self {
            connections: 1024,
            connections_per_client: 512,
            requests: 1024,
            requests_per_client: 512,
            searches: at_once,
            analyses: at_once,
            memory: default_budget(),
            idle: IDLE,
            min_free_disk: MIN_FREE_DISK,
        }
    }
}
