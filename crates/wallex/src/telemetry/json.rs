//! One log line as one flat JSON object: the event's own fields, then those of the spans around it,
//! innermost first, then the ids of the trace. A name appears once; the nearest to the event wins.
//!
//! The layer of `tracing-subscriber` keeps a span's fields as JSON text and parses it again whenever
//! one is recorded, which costs more than the line itself. Here they are kept as values.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use opentelemetry::trace::TraceContextExt;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::sentence::chain;

/// Writes every event as one line.
#[derive(Debug)]
pub(super) struct JsonLines<W> {
    writer: W,
}

impl<W> JsonLines<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(Vec::with_capacity(attributes.metadata().fields().len()));
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // What comes from the `log` crate hides where it comes from in fields of its own.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        // OpenTelemetry's own events have a name where others have a message.
        let message = fields.take("message").unwrap_or_else(|| event.metadata().name().into());
        let mut line = Line::begin(metadata, &message);
        line.fields(&fields);
        for span in context.event_scope(event).into_iter().flatten() {
            line.field("span", &span.name().into());
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.fields(fields);
            }
        }
        let current = opentelemetry::Context::current();
        let ids = current.span().span_context().clone();
        if ids.is_valid() {
            line.field("trace_id", &ids.trace_id().to_string().into());
            line.field("span_id", &ids.span_id().to_string().into());
        }
        // A log that can't be written to is no reason to fail, and there is nowhere to say it.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.end().as_bytes());
    }
}

/// A line that is being written.
struct Line {
    text: String,
    names: Vec<&'static str>,
}

impl Line {
    fn begin(metadata: &Metadata<'_>, message: &Value) -> Self {
        let mut timestamp = String::new();
        // Writing into a `String` can't fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
        let mut line = Self { text: "{".to_owned(), names: Vec::with_capacity(32) };
        line.field("timestamp", &timestamp.into());
        line.field("level", &metadata.level().as_str().into());
        line.field("message", message);
        line.field("target", &metadata.target().into());
        line
    }

    fn fields(&mut self, fields: &Fields) {
        fields.0.iter().for_each(|(name, value)| self.field(name, value));
    }

    fn field(&mut self, name: &'static str, value: &Value) {
        if self.names.contains(&name) {
            return;
        }
        let comma = if self.names.is_empty() { "" } else { "," };
        self.names.push(name);
        // The name of a field may be any text (`"a \" b" = 1`), so it is written as one.
        let _ = write!(self.text, "{comma}{}:{value}", Value::from(name));
    }

    fn end(mut self) -> String {
        self.text.push_str("}\n");
        self.text
    }
}

/// The fields of a span or an event, each name once.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        if !is_for_readers(field) {
            return;
        }
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((field.name(), value.into())),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(index).1)
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        self.set(field, chain(error));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if is_for_readers(field) {
            self.set(field, format!("{value:?}"));
        }
    }
}

/// Some fields are said to the exporter of traces and to the bridge from `log` alone.
fn is_for_readers(field: &Field) -> bool {
    !["otel.", "log."].iter().any(|prefix| field.name().starts_with(prefix))
}
