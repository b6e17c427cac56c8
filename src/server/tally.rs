//! Requests as they are counted: by method and status, with the time until the end of their answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::measures::{Measures, Method, Reason, Request};

/// The one stream of the health service, which is of another package.
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// The methods that there are; calls of others are counted as one.
#[derive(Clone)]
pub(super) struct Tallies {
    measures: Measures,
    /// By path, with whether its answer is a stream.
    methods: Arc<HashMap<String, bool>>,
}

impl Tallies {
    pub fn new(measures: Measures) -> Self {
        let pool = prost_reflect::DescriptorPool::decode(latentdb_proto::DESCRIPTORS);
        let methods = pool.iter().flat_map(|pool| pool.services());
        let methods = methods.flat_map(|service| {
            let methods = service.methods();
            let paths = methods.map(|own| {
                let path = format!("/{}/{}", service.full_name(), own.name());
                (path, own.is_server_streaming())
            });
            paths.collect::<Vec<_>>()
        });
        Self {
            measures,
            methods: Arc::new(methods.collect()),
        }
    }

    /// Whether the answer of a method is a stream.
    pub fn is_stream(&self, path: &str) -> bool {
        self.methods.get(path).is_some_and(|is_so| *is_so) || path == HEALTH_WATCH
    }

    /// A request that begins.
    pub fn begin(&self, path: &str) -> Tally {
        self.measures.under_way.inc();
        let known = self.methods.contains_key(path) || path.starts_with("/grpc.health.");
        let method = match known {
            true => path
                .trim_start_matches('/')
                .trim_start_matches("latentdb.v1."),
            false => "other",
        };
        Tally {
            measures: self.measures.clone(),
            method: method.to_owned(),
            begun: Instant::now(),
            code: Code::Cancelled,
        }
    }
}

/// A request, counted when it is dropped: as cancelled where no status was seen by then.
pub(super) struct Tally {
    measures: Measures,
    method: String,
    begun: Instant,
    code: Code,
}

impl Tally {
    /// Takes the status of headers or trailers, where they have it.
    pub fn note(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get("grpc-status") {
            self.code = Code::from_bytes(code.as_bytes());
        }
    }

    /// The answer to a request that is turned away since it is over a limit.
    pub fn turned_away(self, reason: &'static str, status: Status) -> http::Response<Body> {
        let turned_away = &self.measures.turned_away;
        turned_away.get_or_create(&Reason { reason }).inc();
        self.refused(&status)
    }

    /// The answer to a request that is refused.
    pub fn refused(mut self, status: &Status) -> http::Response<Body> {
        self.code = status.code();
        status.clone().into_http()
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let method = self.method.clone();
        let times = &self.measures.request_seconds;
        let times = times.get_or_create(&Method {
            method: method.clone(),
        });
        times.observe(self.begun.elapsed().as_secs_f64());
        let code = match self.code {
            Code::Ok => "OK".to_owned(),
            code => format!("{code:?}"),
        };
        let requests = &self.measures.requests;
        requests.get_or_create(&Request { method, code }).inc();
        self.measures.under_way.dec();
    }
}
