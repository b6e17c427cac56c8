//! What a server counts and times of its own work, for whoever watches it: counters and histograms in the
//! form of Prometheus. Parts of the service add to them; the server shows them.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the buckets of times: a quarter of a millisecond to two minutes, each twice the one before.
fn times() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 20))
}

/// Labels of a request that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Request {
    /// Service and method, as `SearchService/Search`.
    pub method: String,
    /// Its status, as `OK` or `NotFound`.
    pub code: String,
}

/// A label of one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Method {
    /// Service and method.
    pub method: String,
}

/// A part of a search.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Stage {
    /// `encode`, `execute` or `fetch`.
    pub stage: &'static str,
}

/// Why a request was turned away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    /// `line`, `memory`, `requests` or `analyses`.
    pub reason: &'static str,
}

/// The counts and times of a server.
#[derive(Clone, Debug)]
pub(crate) struct Measures {
    pub requests: Family<Request, Counter>,
    pub request_seconds: Family<Method, Histogram>,
    pub under_way: Gauge,
    pub turned_away: Family<Reason, Counter>,
    search_seconds: Family<Stage, Histogram>,
    slow_searches: Counter,
    documents_written: Counter,
    documents_deleted: Counter,
    texts_encoded: Counter,
    encode_seconds: Counter<f64, std::sync::atomic::AtomicU64>,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(times),
            under_way: Gauge::default(),
            turned_away: Family::default(),
            search_seconds: Family::new_with_constructor(times),
            slow_searches: Counter::default(),
            documents_written: Counter::default(),
            documents_deleted: Counter::default(),
            texts_encoded: Counter::default(),
            encode_seconds: Counter::default(),
        }
    }
}

impl Measures {
    /// Makes them known under their names.
    pub fn register(&self, registry: &mut Registry) {
        let own = self.clone();
        registry.register(
            "requests",
            "Requests that have ended, by status",
            own.requests,
        );
        registry.register_with_unit(
            "request",
            "Time of a request until the end of its answer",
            Unit::Seconds,
            own.request_seconds,
        );
        registry.register(
            "requests_under_way",
            "Requests under way, streams included",
            own.under_way,
        );
        registry.register(
            "requests_turned_away",
            "Requests that were over a limit: line, memory, requests, analyses",
            own.turned_away,
        );
        registry.register_with_unit(
            "search_stage",
            "Time of a search by stage: encode, execute, fetch",
            Unit::Seconds,
            own.search_seconds,
        );
        registry.register(
            "slow_searches",
            "Searches over the bound of --slow-search",
            own.slow_searches,
        );
        registry.register(
            "documents_written",
            "Documents written",
            own.documents_written,
        );
        registry.register(
            "documents_deleted",
            "Documents deleted",
            own.documents_deleted,
        );
        registry.register(
            "texts_encoded",
            "Texts that models have encoded",
            own.texts_encoded,
        );
        registry.register_with_unit(
            "encode",
            "Time that models have encoded",
            Unit::Seconds,
            own.encode_seconds,
        );
    }

    /// A search by its stages.
    pub fn search(&self, encode: Duration, execute: Duration, fetch: Duration) {
        for (stage, took) in [("encode", encode), ("execute", execute), ("fetch", fetch)] {
            let times = self.search_seconds.get_or_create(&Stage { stage });
            times.observe(took.as_secs_f64());
        }
    }

    /// A search over the bound.
    pub fn slow_search(&self) {
        self.slow_searches.inc();
    }

    /// A write that was acknowledged.
    pub fn written(&self, upserted: u64, deleted: u64) {
        self.documents_written.inc_by(upserted);
        self.documents_deleted.inc_by(deleted);
    }

    /// Texts that a model has encoded.
    pub fn encoded(&self, texts: usize, took: Duration) {
        self.texts_encoded.inc_by(texts as u64);
        self.encode_seconds.inc_by(took.as_secs_f64());
    }
}
