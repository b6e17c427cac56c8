//! Metrics for Prometheus, at an address of their own (`serve --metrics`): what the server has counted and
//! timed, and how it and its collections are when asked.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;

use super::memory::{anonymous, resident};
use crate::service::{CollectionState, Core};

/// How long a scrape may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The format that Prometheus is told.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of a server.
pub(super) struct Metrics(Registry);

impl Metrics {
    /// Those of an open data directory, whose requests may use so much memory.
    pub fn of(core: &Arc<Core>, memory_budget: u64) -> Self {
        let mut registry = Registry::with_prefix("latentdb");
        core.measures().register(&mut registry);
        registry.register_collector(Box::new(State {
            core: core.clone(),
            memory_budget,
        }));
        Self(registry)
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// Answers `GET /metrics`, without end.
pub(super) async fn serve(listener: TcpListener, metrics: Metrics) {
    let metrics = Arc::new(metrics);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let metrics = metrics.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, metrics.clone()));
            let connection = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            // Who broke off or is too slow asks again.
            let _ = tokio::time::timeout(PATIENCE, connection).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    metrics: Arc<Metrics>,
) -> Result<Response<String>, Infallible> {
    let status = |status, text: &str| {
        let mut response = Response::new(text.to_owned());
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return Ok(status(StatusCode::NOT_FOUND, "metrics are at /metrics\n"));
    }
    if request.method() != Method::GET {
        return Ok(status(StatusCode::METHOD_NOT_ALLOWED, "GET is accepted\n"));
    }
    // Sizes are read from the disk.
    let text = tokio::task::spawn_blocking(move || metrics.text()).await;
    let Ok(Ok(text)) = text else {
        return Ok(status(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics failed\n",
        ));
    };
    let mut response = Response::new(text);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(FORMAT),
    );
    Ok(response)
}

/// What is measured when asked.
struct State {
    core: Arc<Core>,
    memory_budget: u64,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

type Labels = [(&'static str, String)];

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let states = self.core.states();
        let uptime = self.core.uptime_seconds();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        one(
            &mut encoder,
            "uptime",
            "Time since the start",
            Some(Unit::Seconds),
            uptime,
        )?;
        gauges(
            &mut encoder,
            "build",
            "The version that runs",
            None,
            [(vec![("version", version)], 1)],
        )?;
        let memory = [
            ("anonymous", anonymous().unwrap_or(0)),
            ("resident", resident().unwrap_or(0)),
            ("budget", self.memory_budget),
            ("sae_weights", self.core.sae_bytes()),
        ];
        gauges(
            &mut encoder,
            "memory",
            "Memory: anonymous and resident of the process, the budget of requests, weights of SAEs",
            Some(Unit::Bytes),
            memory.map(|(part, bytes)| (vec![("part", part.to_owned())], bytes)),
        )?;
        let free = self.core.free_disk().unwrap_or(0);
        one(
            &mut encoder,
            "disk_free",
            "Free on the disk of the data directory",
            Some(Unit::Bytes),
            free,
        )?;
        one(
            &mut encoder,
            "collections",
            "Collections",
            None,
            states.len() as u64,
        )?;
        let mut each = |name, help, unit, value: fn(&CollectionState) -> u64| {
            let values = states.iter().map(|state| {
                let labels = vec![("collection", state.name.clone())];
                (labels, value(state))
            });
            gauges(&mut encoder, name, help, unit, values)
        };
        each("documents", "Documents of a collection", None, |state| {
            state.documents
        })?;
        each("segments", "Segments of a collection", None, |state| {
            state.segments
        })?;
        each("vectors", "Vectors of a collection", None, |state| {
            state.vectors
        })?;
        each(
            "vectors_in_graph",
            "Vectors that a graph serves",
            None,
            |state| state.vectors_in_graph,
        )?;
        each(
            "disk_used",
            "Files of a collection",
            Some(Unit::Bytes),
            |state| state.disk_bytes,
        )?;
        each(
            "damaged",
            "Whether files of a collection are damaged",
            None,
            |state| u64::from(state.is_damaged),
        )?;
        each(
            "segments_unchecked",
            "Segments whose checksums are still to be compared since the start or the last round",
            None,
            |state| state.unchecked,
        )
    }
}

fn one(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    value: u64,
) -> fmt::Result {
    gauges(encoder, name, help, unit, [(Vec::new(), value)])
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    values: impl IntoIterator<Item = (Vec<(&'static str, String)>, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    for (labels, value) in values {
        let labels: &Labels = &labels;
        // Prometheus counts in floats.
        let value = value as f64;
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_a_help_and_values() {
        let data = tempfile::tempdir().unwrap();
        let options = crate::service::ServiceOptions::default();
        let service = crate::service::Service::open(data.path(), options).unwrap();
        service.core.measures().search(PATIENCE, PATIENCE, PATIENCE);
        let text = Metrics::of(&service.core, 7).text().unwrap();
        for line in [
            "latentdb_memory_bytes{part=\"budget\"} 7.0",
            "latentdb_search_stage_seconds_count{stage=\"execute\"} 1",
            "latentdb_collections 0.0",
            "# TYPE latentdb_requests_under_way gauge",
            "# EOF",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}: {text}");
        }
    }
}
