//! What is seen of the lane from outside: metrics and traces.

use std::fmt;
use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Subscriber, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use wallex_application::{Command, CommandError};
use wallex_ports::Traceparent;

use crate::body;
use crate::support::{Fault, Store, create, credit, key, keyed, node};

fn value(recorder: &PrometheusRecorder, sample: &str) -> Option<String> {
    let text = recorder.handle().render();
    let value = |line: &str| Some(line.strip_prefix(sample)?.strip_prefix(' ')?.to_owned());
    text.lines().find_map(value)
}

#[tokio::test]
async fn keys_are_counted_by_whether_they_were_known_and_nothing_else_is() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let store = Store::new();
    let (lane, _task) = node(&store);
    assert_eq!(body(&lane, create(Some("a"), 0)).await, "a@1=0");
    for _ in 0..3 {
        assert_eq!(body(&lane, keyed(credit("a", 5), "key", 1)).await, "a@2=5");
    }
    let other = lane.execute(keyed(credit("a", 6), "key", 2)).await;
    assert!(matches!(other, Err(CommandError::KeyReused)), "{other:?}");
    let count = |result: &str| {
        value(&recorder, &format!(r#"wallex_idempotency_lookups_total{{result="{result}"}}"#))
    };
    assert_eq!((count("miss").as_deref(), count("hit").as_deref()), (Some("1"), Some("3")));
}

#[tokio::test]
async fn a_command_that_comes_back_has_waited_once() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let store = Store::new();
    let (lane, _task) = node(&store);
    assert_eq!(body(&lane, create(Some("a"), 0)).await, "a@1=0");
    let mut first = true;
    store.interfere(move |tables| {
        if std::mem::take(&mut first) {
            tables.credit_elsewhere(&key("a"), 1);
        }
    });
    assert_eq!(body(&lane, credit("a", 1)).await, "a@3=2");
    assert_eq!(value(&recorder, "wallex_lane_conflicts_total").as_deref(), Some("1"));
    assert_eq!(value(&recorder, "wallex_lane_batch_units_count").as_deref(), Some("3"));
    assert_eq!(value(&recorder, "wallex_lane_wait_seconds_count").as_deref(), Some("2"));
}

/// Collects spans with their parents, and what they learn.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

impl Spans {
    /// Those of this thread, until the guard is dropped.
    fn of_this_thread() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        (spans, tracing::subscriber::set_default(subscriber))
    }

    fn add(&self, line: String) {
        self.0.lock().expect("no panic").push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, context: Context<'_, S>) {
        let parent = span.parent().and_then(|id| context.span(id));
        let parent = parent.map_or("nothing", |parent| parent.name());
        self.add(format!("{} in {parent}", span.metadata().name()));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("it is open");
        values.record(&mut Learns { span: span.name(), spans: self });
    }
}

struct Learns<'a> {
    span: &'a str,
    spans: &'a Spans,
}

impl Visit for Learns<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.spans.add(format!("{} has {field}={value:?}", self.span));
    }
}

/// `command`, within a request of a trace with these flags.
fn traced(mut command: Command, flags: &str) -> Command {
    let traceparent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    command.context.traceparent = Some(Traceparent::parse(&traceparent).expect("valid"));
    command.context.span = info_span!("request");
    command
}

#[tokio::test]
async fn a_command_shows_in_its_trace_if_that_is_recorded() {
    let store = Store::new();
    let (other, _other_task) = node(&store);
    assert_eq!(body(&other, create(Some("a"), 0)).await, "a@1=0");
    // A lane that holds no wallet yet.
    let (lane, _task) = node(&store);
    let (spans, _guard) = Spans::of_this_thread();
    assert_eq!(body(&lane, traced(credit("a", 1), "01")).await, "a@2=1");
    assert_eq!(
        spans.take(),
        [
            "request in nothing",
            "lane.wait in request",
            "lane.load in request",
            "lane.decide in request",
            "lane.decide has outcome=\"ok\"",
            "wallet.commit in request",
        ]
    );
    assert_eq!(body(&lane, traced(credit("a", 1), "01")).await, "a@3=2");
    assert!(!spans.take().iter().any(|span| span.starts_with("lane.load")), "it is known");
    assert_eq!(body(&lane, traced(credit("a", 1), "00")).await, "a@4=3");
    assert_eq!(spans.take(), ["request in nothing", "wallet.commit in request"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_failed_says_so_and_why_in_its_trace() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let (spans, _guard) = Spans::of_this_thread();
    let reasons = [
        (vec![Fault::Unavailable; 4], "unavailable"),
        (vec![Fault::Transient; 4], "transient"),
        (vec![Fault::Blocked], "blocked"),
        (vec![Fault::AnswerLost], "indeterminate"),
    ];
    for (faults, reason) in reasons {
        store.fail(faults);
        lane.execute(create(Some("a"), 0)).await.expect_err("it failed");
        assert_eq!(
            spans.take(),
            [
                "wallet.commit in nothing".to_owned(),
                "wallet.commit has otel.status_code=\"ERROR\"".to_owned(),
                format!("wallet.commit has error.type={reason:?}"),
            ]
        );
    }
    lane.execute(create(Some("b"), 0)).await.expect("created");
    assert_eq!(spans.take(), ["wallet.commit in nothing"]);
}
