//! What a reader of the logs sees.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::dispatcher::with_default;

use super::*;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// What `work` logs, in JSON, under `filter`.
fn logged(filter: &str, work: impl FnOnce()) -> Sink {
    logged_with(None::<FilterFn>, filter, work)
}

/// The same where traces are exported.
fn logged_beside_traces(filter: &str, work: impl FnOnce()) -> Sink {
    let provider = SdkTracerProvider::builder().build();
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    logged_with(Some(traces), filter, work)
}

fn logged_with(
    traces: Option<impl Layer<Registry> + Send + Sync>,
    filter: &str,
    work: impl FnOnce(),
) -> Sink {
    let sink = Sink::default();
    let writer = sink.clone();
    let form = Form { pretty: false, colours: false, writer: move || writer.clone() };
    with_default(&set_up(traces, form, filter), work);
    sink
}

#[test]
fn lines_carry_what_their_spans_say() {
    let sink = logged("info", || {
        let span =
            tracing::info_span!("request", correlation_id = "c-1", late = tracing::field::Empty);
        let _entered = span.enter();
        span.record("late", 7);
        let inner = tracing::info_span!("commit", otel.kind = "client", units = 3, late = 8);
        let _inner = inner.enter();
        tracing::info!(wallet.id = "w-1", replayed = true, "a \"quoted\"\nmessage");
    });
    assert_eq!(sink.text().matches("\"late\"").count(), 1);
    let [line] = sink.lines().try_into().expect("one line");
    assert_eq!(line["message"], "a \"quoted\"\nmessage");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["correlation_id"], "c-1");
    // Nearest first: the inner span's own value stands.
    assert_eq!(line["late"], 8);
    assert!(line.get("otel.kind").is_none());
    assert_eq!(line["units"], 3);
    assert_eq!(line["span"], "commit");
    assert_eq!(line["wallet.id"], "w-1");
    assert_eq!(line["replayed"], true);
    assert!(line["timestamp"].as_str().expect("a text").ends_with('Z'));
}

#[test]
fn what_a_span_learns_later_is_on_the_line() {
    let sink = logged("info", || {
        let span = tracing::info_span!("request", status = tracing::field::Empty, tries = 1);
        let _entered = span.enter();
        span.record("status", 201);
        span.record("tries", 2);
        tracing::info!("done");
    });
    let [line] = sink.lines().try_into().expect("one line");
    assert_eq!((&line["status"], &line["tries"]), (&201.into(), &2.into()));
}

#[test]
fn warnings_keep_their_correlation_id_when_less_is_logged() {
    let sink = logged("warn", || {
        let _span = tracing::info_span!("request", correlation_id = "c-1").entered();
        tracing::info!("not of interest");
        tracing::warn!("of interest");
    });
    let [line] = sink.lines().try_into().expect("one line");
    assert_eq!(line["message"], "of interest");
    assert_eq!(line["correlation_id"], "c-1");
}

#[test]
fn more_is_logged_of_what_is_named() {
    let work = || {
        tracing::debug!(target: "wallex_jwt", "wanted");
        tracing::debug!(target: "wallex_access", "not wanted");
        tracing::info!(target: "wallex_access", "wanted, too");
    };
    let messages = |sink: Sink| -> Vec<String> {
        sink.lines().iter().map(|line| line["message"].as_str().expect("a text").into()).collect()
    };
    let (targets, wanted) = ("info,wallex_jwt=debug", ["wanted", "wanted, too"]);
    assert_eq!(messages(logged(targets, work)), wanted);
    assert_eq!(messages(logged_beside_traces(targets, work)), wanted);
}

#[test]
fn errors_are_logged_with_their_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);
    let sink = logged("info", || {
        let error = Outer(io::Error::other("inner"));
        tracing::error!(error = &error as &dyn std::error::Error, "failed");
    });
    assert_eq!(sink.lines()[0]["error"], "outer: inner");
}

#[test]
fn event_without_a_message_is_known_by_its_name() {
    let sink = logged("info", || tracing::info!(name: "Exporter.Failed", tries = 3));
    assert_eq!(sink.lines()[0]["message"], "Exporter.Failed");
}

#[test]
fn lines_of_a_sampled_span_carry_its_trace() {
    let sink = logged_beside_traces("info", || {
        tracing::info!("outside");
        tracing::debug!("not of interest");
        let _outer = tracing::info_span!("outer").entered();
        tracing::info!("outer");
        let _inner = tracing::info_span!("inner").entered();
        tracing::info!("inner");
    });
    let lines = sink.lines();
    assert!(lines[0].get("trace_id").is_none());
    assert_eq!(lines[1]["trace_id"].as_str().expect("an id").len(), 32);
    assert_eq!(lines[1]["trace_id"], lines[2]["trace_id"]);
    assert_ne!(lines[1]["span_id"], lines[2]["span_id"]);
}

#[test]
fn pretty_lines_are_for_people() {
    let sink = Sink::default();
    let writer = sink.clone();
    let form = Form { pretty: true, colours: false, writer: move || writer.clone() };
    with_default(&set_up(None::<FilterFn>, form, "info"), || {
        tracing::info!(wallet.id = "w-1", "done");
    });
    let text = sink.text();
    assert!(text.contains("INFO") && text.contains("done wallet.id=\"w-1\""), "{text}");
    assert!(!text.contains('\u{1b}'), "colours in a file: {text}");
}
