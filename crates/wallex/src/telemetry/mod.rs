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
use tracing::{Dispatch, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

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
    let form = Form { pretty, colours, writer: io::stderr };
    set_up(traces, form, &config.log_filter).try_init().context("logs can't be set up")?;
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

/// How lines are written, and where to.
struct Form<W> {
    pretty: bool,
    colours: bool,
    writer: W,
}

impl<W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static> Form<W> {
    fn layer<S>(self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        if self.pretty {
            fmt::layer().with_writer(self.writer).with_ansi(self.colours).boxed()
        } else {
            json::JsonLines::new(self.writer).boxed()
        }
    }
}

/// Lines in `form` of what `targets` lets through, and `traces` of what they ask for themselves.
fn set_up(
    traces: Option<impl Layer<Registry> + Send + Sync>,
    form: Form<impl for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static>,
    targets: &str,
) -> Dispatch {
    let filter = filter(targets);
    let registry = tracing_subscriber::registry();
    match traces {
        // They come first: they make the ids that log lines carry.
        Some(traces) => registry.with(traces).with(form.layer().with_filter(filter)).into(),
        // With a filter of one layer alone, it is looked up whenever a span is made, recorded on or
        // closed whether that layer wanted it.
        None => registry.with(filter).with(form.layer()).into(),
    }
}

/// What is logged under `WALLEX_LOG`.
fn filter(targets: &str) -> FilterFn<impl Fn(&Metadata<'_>) -> bool + use<>> {
    let events: Targets =
        format!("{QUIET},{targets}").parse().expect("invariant: the setting was checked");
    let most = Filter::<Registry>::max_level_hint(&events).unwrap_or(LevelFilter::TRACE);
    // Spans pass in any case: they carry the correlation id to the warnings inside them.
    let passes = move |metadata: &Metadata<'_>| {
        is_span(metadata) || events.would_enable(metadata.target(), metadata.level())
    };
    filter_fn(passes).with_max_level_hint(most.max(LevelFilter::INFO))
}

fn spans() -> FilterFn {
    filter_fn(is_span as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

fn is_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO
}

#[cfg(test)]
mod tests;
