//! Logs to stderr, and traces to a collector when the standard variables name one.

mod json;
mod otlp;

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::Context;
use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{Config, LogFormat};

/// How long the last spans may take to reach the collector when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// Talk of libraries about themselves: what matters of it is in our own messages.
const QUIET: &str =
    "actix_http=off,actix_server=warn,sea_orm_migration=warn,sqlx::postgres::notice=warn";

/// Logs and traces of this process, set up.
#[derive(Debug)]
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
    /// Whether log lines are written for people.
    pub(crate) pretty: bool,
}

/// Sets logs up; with `export` also traces, where the environment asks for them.
///
/// # Errors
/// When the variables of OpenTelemetry can't be used.
pub(crate) fn init(config: &Config, export: bool) -> anyhow::Result<Telemetry> {
    // Always, so that a trace which passes through is stored with its events.
    global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = if export { otlp::provider()? } else { None };
    if let Some(provider) = &provider {
        // The projectors continue traces of other processes by it.
        global::set_tracer_provider(provider.clone());
    }
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("wallex"))
            .with_threads(false)
            .with_location(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(spans().or(LevelFilter::WARN))
    });
    let terminal = io::stderr().is_terminal();
    let pretty = match config.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Traces come first: they make the ids that log lines carry.
    tracing_subscriber::registry()
        .with(traces)
        .with(logs(pretty, colours, &config.log_filter, io::stderr)?)
        .try_init()
        .context("logs can't be set up")?;
    Ok(Telemetry { provider, pretty })
}

impl Telemetry {
    /// Sends the last spans, for a bounded time.
    pub(crate) fn shutdown(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

fn logs<S, W>(
    pretty: bool,
    colours: bool,
    filter: &str,
    writer: W,
) -> anyhow::Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static,
{
    let events: Targets =
        format!("{QUIET},{filter}").parse().context("WALLEX_LOG can't be understood")?;
    // Spans pass in any case: they carry the correlation id to the warnings inside them.
    let filter = events.or(spans());
    Ok(if pretty {
        fmt::layer().with_writer(writer).with_ansi(colours).with_filter(filter).boxed()
    } else {
        json::JsonLines::new(writer).with_filter(filter).boxed()
    })
}

fn spans() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let is_span: fn(&Metadata<'_>) -> bool =
        |metadata| metadata.is_span() && *metadata.level() <= Level::INFO;
    filter_fn(is_span).with_max_level_hint(LevelFilter::INFO)
}

#[cfg(test)]
mod tests;
