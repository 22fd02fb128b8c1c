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
    use std::sync::OnceLock;

    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use wallex_domain::{Balance, Currency, OwnerId, TenantId, WalletEvent, WalletId};
    use wallex_outbox::Committed;
    use wallex_ports::{Timestamp, WalletKey};

    use super::*;

    /// The spans of a batch of `events`, each a wallet and a version, of which `end` tells what became. Each
    /// test has a trace of its own: all export to one place.
    fn spans(
        trace: &str,
        events: &[(&str, u64)],
        end: impl FnOnce(BatchTrace<'_>, &[Event]),
    ) -> Vec<SpanData> {
        static EXPORTER: OnceLock<InMemorySpanExporter> = OnceLock::new();
        let exporter = EXPORTER.get_or_init(|| {
            let exporter = InMemorySpanExporter::default();
            let provider =
                SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
            global::set_tracer_provider(provider);
            exporter
        });
        let events: Vec<Event> =
            events.iter().map(|(id, version)| event(trace, id, *version)).collect();
        let place = Place {
            system: "postgresql",
            namespace: "wallex".to_owned(),
            server: Some(("db.example".to_owned(), 5432)),
        };
        end(BatchTrace::begin("ledger", Some(&place), &events), &events);
        let mut spans = exporter.get_finished_spans().expect("they are kept");
        spans.retain(|span| span.span_context.trace_id().to_string() == trace);
        spans
    }

    fn event(trace: &str, wallet: &str, version: u64) -> Event {
        let traceparent = Traceparent::parse(&format!("00-{trace}-00f067aa0ba902b7-01"));
        Event::of_committed(&Committed {
            wallet: WalletKey {
                tenant: TenantId::default(),
                wallet_id: WalletId::parse(wallet).expect("an id"),
            },
            version,
            position: version,
            event_id: uuid::Uuid::nil().into(),
            event: WalletEvent::Created {
                owner_id: OwnerId::parse("o").expect("an id"),
                currency: Currency::parse("USD").expect("a code"),
                initial_balance: Balance::ZERO,
            },
            recorded_at: Timestamp::from_unix_ms(0),
            traceparent: Some(traceparent.expect("visible ASCII")),
        })
    }

    fn attribute(span: &SpanData, key: &str) -> Option<String> {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.to_string())
    }

    /// What failed: the wallet and the version of an event, or the name of another span; and why.
    fn failed(spans: &[SpanData]) -> Vec<(String, String)> {
        let failed = spans.iter().filter_map(|span| {
            let error = attribute(span, "error.type");
            let status = Status::error(error.clone().unwrap_or_default());
            assert_eq!(span.status, if error.is_some() { status } else { Status::Unset });
            let event = attribute(span, "wallet.id").zip(attribute(span, "stream.version"));
            let name =
                event.map_or(span.name.to_string(), |(id, version)| format!("{id} {version}"));
            Some((name, error?))
        });
        let mut failed: Vec<_> = failed.collect();
        failed.sort();
        failed
    }

    fn pairs(failed: &[(String, String)]) -> Vec<(&str, &str)> {
        failed.iter().map(|(name, error)| (name.as_str(), error.as_str())).collect()
    }

    #[test]
    fn what_was_parked_failed_in_its_own_trace_and_nothing_else_did() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4701";
        let events = [("a", 1), ("bad", 1), ("bad", 2), ("bad", 3)];
        let spans = spans(trace, &events, |trace, events| {
            trace.committed(&[Poison::of(&events[2], "odd".to_owned())]);
        });
        assert_eq!(spans.len(), 5, "one for each event, and the transaction's");
        assert_eq!(pairs(&failed(&spans)), [("bad 2", "parked"), ("bad 3", "parked")]);
    }

    #[test]
    fn what_was_not_written_failed_in_every_trace() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4702";
        let spans = spans(trace, &[("a", 1), ("b", 1)], |trace, _| trace.failed("unavailable"));
        let expected = ["BATCH", "a 1", "b 1"].map(|name| (name, "unavailable"));
        assert_eq!(pairs(&failed(&spans)), expected);
    }

    /// As OpenTelemetry has it: a batch of one has no size.
    #[test]
    fn a_transaction_says_how_many_events_it_has_if_there_are_several() {
        let events = [("a", 1), ("b", 1), ("c", 1)];
        for (trace, count, size) in [
            ("4bf92f3577b34da6a3ce929d0e0e4703", 1, None),
            ("4bf92f3577b34da6a3ce929d0e0e4704", 2, Some("2")),
            ("4bf92f3577b34da6a3ce929d0e0e4705", 3, Some("3")),
        ] {
            let spans = spans(trace, &events[..count], |trace, _| trace.committed(&[]));
            let transaction = spans.iter().find(|span| span.name == "BATCH").expect("one");
            assert_eq!(attribute(transaction, "db.operation.batch.size").as_deref(), size);
        }
    }

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
