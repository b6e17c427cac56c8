//! A span for each request, with an id that its log lines, its traces and its answer have: the client's
//! `x-request-id`, or a new one. It belongs to the trace that the client names (`traceparent`, W3C).

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header of the id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that names the client's trace.
const TRACE_PARENT: &str = "traceparent";
/// Longest id of a client that is taken.
const MAX_ID: usize = 128;

/// Puts requests in spans.
#[derive(Clone)]
pub(super) struct Traces;

impl<S> Layer<S> for Traces {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced { inner }
    }
}

/// A service behind [`Traces`].
#[derive(Clone)]
pub(super) struct Traced<S> {
    inner: S,
}

impl<S> Service<http::Request<Body>> for Traced<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let id = id_of(request.headers());
        let method = request.uri().path().trim_start_matches('/');
        // Of the highest level: lines of any level say whose they are.
        let span = tracing::error_span!(
            "request",
            otel.name = method,
            method,
            request_id = id.to_str().unwrap_or_default()
        );
        if request.headers().contains_key(TRACE_PARENT) {
            let headers = Headers(request.headers());
            let parent = TraceContextPropagator::new().extract(&headers);
            // Where no traces are sent, there is nothing to belong to.
            let _ = span.set_parent(parent);
        }
        let answered = self.inner.call(request).instrument(span);
        Box::pin(async move {
            let mut response = answered.await?;
            response.headers_mut().insert(REQUEST_ID, id);
            Ok(response)
        })
    }
}

/// The client's id, if it can be one, or a new one.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| {
        let text = id.to_str().unwrap_or_default();
        !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    given.cloned().unwrap_or_else(|| {
        let id = uuid::Uuid::new_v4().simple().to_string();
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unknown"))
    })
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_clients_are_taken_where_they_can_be_shown() {
        let with = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::try_from(id).unwrap());
            id_of(&headers)
        };
        assert_eq!(with("abc-1"), "abc-1");
        for id in ["", "a b", &"x".repeat(200)] {
            assert_eq!(with(id).len(), 32, "{id}");
        }
        assert_ne!(id_of(&HeaderMap::new()), id_of(&HeaderMap::new()));
    }
}
