//! What traces show of a batch: in the trace of each request whose event it applies, a span of this
//! projector; and one of the transaction, below the first of them and linked to the others.
//!
//! Only requests whose trace is recorded are shown. They come from any process, so this speaks
//! OpenTelemetry itself: spans of `tracing` have their parents in their own process.

use opentelemetry::global::{self, BoxedSpan, BoxedTracer};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use wallex_database::Place;
use wallex_ports::Traceparent;

use crate::event::Event;
use crate::projector::Poison;

/// What the spans say that made them.
const TRACER: &str = "wallex";

/// A batch that is being applied.
pub(crate) struct BatchTrace<'a> {
    transaction: Option<BoxedSpan>,
    applications: Vec<(&'a Event, BoxedSpan)>,
}

impl<'a> BatchTrace<'a> {
    /// `projector` begins to apply `events`, in the database at `place`.
    pub(crate) fn begin(
        projector: &'static str,
        place: Option<&Place>,
        events: &'a [Event],
    ) -> Self {
        let mut traced = events.iter().filter_map(|event| Some((event, parent_of(event)?)));
        let Some((first, parent)) = traced.next() else {
            return Self { transaction: None, applications: Vec::new() };
        };
        let tracer = global::tracer(TRACER);
        let application = apply(&tracer, projector, first, parent, Vec::new());
        let within = remote(application.span_context().clone());
        let transaction =
            place.map(|place| begin_transaction(&tracer, place, events.len(), &within));
        let written_by = transaction.as_ref().map(|span| span.span_context().clone());
        let links: Vec<Link> = written_by.into_iter().map(Link::with_context).collect();
        let others = traced.map(|(event, parent)| {
            (event, apply(&tracer, projector, event, parent, links.clone()))
        });
        let mut applications = vec![(first, application)];
        applications.extend(others);
        Self { transaction, applications }
    }

    /// It is committed, but for the wallets that were parked.
    pub(crate) fn committed(mut self, parked: &[Poison]) {
        for (event, span) in &mut self.applications {
            let is_parked =
                |poison: &Poison| poison.wallet == event.wallet && poison.version <= event.version;
            if parked.iter().any(is_parked) {
                fail(span, "parked");
            }
        }
    }

    /// Nothing was written, or it is not known.
    pub(crate) fn failed(mut self, error_type: &'static str) {
        let spans = self.applications.iter_mut().map(|(_, span)| span);
        spans.chain(&mut self.transaction).for_each(|span| fail(span, error_type));
    }
}

fn fail(span: &mut BoxedSpan, error_type: &'static str) {
    span.set_attribute(KeyValue::new("error.type", error_type));
    span.set_status(Status::error(error_type));
}

/// Where the request that caused `event` stands in its trace, if that is recorded.
fn parent_of(event: &Event) -> Option<Context> {
    let traceparent = event.traceparent.as_ref().filter(|trace| trace.is_sampled())?;
    span_context(traceparent).map(remote)
}

fn remote(context: SpanContext) -> Context {
    Context::new().with_remote_span_context(context)
}

fn span_context(traceparent: &Traceparent) -> Option<SpanContext> {
    let mut parts = traceparent.as_str().split('-').skip(1);
    let trace_id = TraceId::from_hex(parts.next()?).ok()?;
    let span_id = SpanId::from_hex(parts.next()?).ok()?;
    let context =
        SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::default());
    context.is_valid().then_some(context)
}

fn apply(
    tracer: &BoxedTracer,
    projector: &'static str,
    event: &Event,
    parent: Context,
    links: Vec<Link>,
) -> BoxedSpan {
    let attributes = [
        KeyValue::new("projector", projector),
        KeyValue::new("wallet.id", event.wallet.wallet_id.as_str().to_owned()),
        KeyValue::new("stream.version", event.version.cast_signed()),
        KeyValue::new("event.type", event.event_type.clone()),
        KeyValue::new("event.id", event.event_id.to_string()),
    ];
    tracer
        .span_builder(format!("project {projector}"))
        .with_kind(SpanKind::Consumer)
        .with_attributes(attributes)
        .with_links(links)
        .start_with_context(tracer, &parent)
}

/// In the words of OpenTelemetry's database conventions, as the write side's span.
fn begin_transaction(
    tracer: &BoxedTracer,
    place: &Place,
    events: usize,
    parent: &Context,
) -> BoxedSpan {
    let mut attributes = vec![
        KeyValue::new("db.system.name", place.system),
        KeyValue::new("db.namespace", place.namespace.clone()),
        KeyValue::new("db.operation.name", "BATCH"),
    ];
    if events > 1 {
        let events = i64::try_from(events).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new("db.operation.batch.size", events));
    }
    if let Some((address, port)) = &place.server {
        attributes.push(KeyValue::new("server.address", address.clone()));
        attributes.push(KeyValue::new("server.port", i64::from(*port)));
    }
    tracer
        .span_builder("BATCH")
        .with_kind(SpanKind::Client)
        .with_attributes(attributes)
        .start_with_context(tracer, parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_trace_is_continued_and_nonsense_is_not() {
        let read = |text: &str| span_context(&Traceparent::parse(text).expect("visible ASCII"));
        let context = read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let context = context.expect("a place in a trace");
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
        assert!(context.is_remote() && context.is_sampled());
        for nonsense in ["x", "00-1", "00-x-y-01", "00-00000000000000000000000000000000-0-01"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
