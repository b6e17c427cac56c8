//! What the program says of its work: lines on standard error, and traces for a collector (OTLP).

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::error::{Error, Result};

/// The name of the program in traces.
const SERVICE: &str = "latentdb";

/// Where the program says what.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// Whether lines of the log are JSON objects; text for people otherwise.
    pub json: bool,
    /// Address of a collector of traces that speaks OTLP over gRPC; none without.
    pub otlp: Option<String>,
}

/// What runs until it is dropped: traces that are on their way are sent then.
pub struct Running(Option<SdkTracerProvider>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces are not sent");
        }
    }
}

impl Telemetry {
    /// Begins, in a tokio runtime. `RUST_LOG` says which lines are written (`warn`); traces have requests and
    /// their stages.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed address.
    pub fn start(&self) -> Result<Running> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match self.json {
            false => lines.with_ansi(is_coloured()).boxed(),
            true => lines
                .json()
                .with_current_span(true)
                .with_span_list(false)
                .boxed(),
        };
        let provider = self.otlp.as_deref().map(provider).transpose()?;
        let traces = provider.as_ref().map(|provider| {
            let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer(SERVICE));
            traces.with_filter(Targets::new().with_target(SERVICE, LevelFilter::INFO))
        });
        Registry::default()
            .with(lines.with_filter(filter))
            .with(traces)
            .init();
        Ok(Running(provider))
    }
}

fn provider(address: &str) -> Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(address)
        .build()
        .map_err(|error| {
            let message = format!("is {address:?}, which is no address of a collector");
            Error::invalid("otlp", message).with_source(error)
        })?;
    let resource = Resource::builder().with_service_name(SERVICE).build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// Colour codes are for terminals, where nobody asked for none (no-color.org).
fn is_coloured() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}
