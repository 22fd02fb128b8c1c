//! What is seen from outside: metrics, log lines, traces.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

#[actix_web::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let client = Client::new().await;
    client.open("w-1", 0).await;
    client.get("/wallets/w-1").await;
    client.get("/v1/wallets/w-1").await;
    client.get("/wallets/nobody").await;
    client.get("/nowhere/1").await;
    client.get("/nowhere/2").await;
    client
        .call(TestRequest::default().method("BREW".parse().expect("a method")).uri("/wallets"))
        .await;
    let text = recorder.handle().render();
    let count = |route: &str, method: &str, status: u16| {
        let labels = format!(r#"{{route="{route}",method="{method}",status="{status}"}}"#);
        let name = format!("wallex_http_requests_total{labels} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
    };
    assert_eq!(count("/wallets/{id}", "GET", 200).as_deref(), Some("2"), "{text}");
    assert_eq!(count("/wallets/{id}", "GET", 404).as_deref(), Some("1"));
    assert_eq!(count("/wallets", "POST", 201).as_deref(), Some("1"));
    assert_eq!(count("none", "GET", 404).as_deref(), Some("2"));
    assert_eq!(count("/wallets", "OTHER", 405).as_deref(), Some("1"));
    assert!(text.contains(
        r#"wallex_http_request_duration_seconds_count{route="/wallets/{id}",method="GET"} 3"#
    ));
}

#[actix_web::test]
async fn creations_are_timed_once_each() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let client = Client::new().await;
    let body = json!({"walletId": "w-1", "ownerId": "u"});
    for status in [201, 201] {
        assert_eq!(client.call(keyed("/wallets", "k-1", &body)).await.status, status);
    }
    client.post("/wallets", &body).await.problem(409, "wallet-already-exists");
    client.post("/wallets", &json!({})).await.problem(400, "validation-failed");
    let text = recorder.handle().render();
    assert!(text.contains("\nwallet_create_duration_ms_count 1\n"), "{text}");
}

/// Collects JSON log lines.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Those of this thread, until the guard is dropped.
    pub(super) fn of_this_thread() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    pub(super) fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
        let text = String::from_utf8(bytes).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn a_request_is_one_line_that_says_it_all() {
    let (lines, _guard) = Lines::of_this_thread();
    let harness = Harness::new();
    let client = harness.start().await;

    let body = json!({"walletId": "w-1", "ownerId": "Ada Lovelace"});
    let request = post("/wallets", &body).insert_header(("x-correlation-id", "c-1"));
    assert_eq!(client.call(request).await.status, 201);
    let logged = lines.take();
    let [line] = logged.as_slice() else { panic!("one line, not {logged:?}") };
    assert_eq!(line["level"], "INFO");
    let fields = &line["fields"];
    assert_eq!((&fields["method"], &fields["route"]), (&json!("POST"), &json!("/wallets")));
    assert_eq!(fields["status"], 201);
    assert!(fields["duration_ms"].is_number());
    let span = &line["span"];
    assert_eq!(span["correlation.id"], "c-1");
    assert_eq!(span["wallet.id"], "w-1");
    assert_eq!(span["stream.version"], 1);
    assert_eq!(span["idempotency.replayed"], false);
    assert!(!line.to_string().contains("Lovelace"), "{line}");

    harness.store.away.store(true, Ordering::SeqCst);
    client.get("/wallets/w-1").await.problem(503, "database-unavailable");
    let logged = lines.take();
    let [line] = logged.as_slice() else { panic!("one line, not {logged:?}") };
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["error"], "the database is not available: connection refused");

    harness.store.away.store(false, Ordering::SeqCst);
    harness.store.damaged.store(true, Ordering::SeqCst);
    client.get("/wallets/w-1").await.problem(500, "internal");
    let logged = lines.take();
    let [line] = logged.as_slice() else { panic!("one line, not {logged:?}") };
    assert_eq!(line["level"], "ERROR");
    assert_eq!(
        line["fields"]["error"],
        "what is stored could not be read: a secret of the database"
    );
}

#[actix_web::test]
async fn a_request_continues_its_clients_trace_into_the_events() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let guard = tracing::subscriber::set_default(subscriber);
    let client = Client::new().await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = post("/wallets", &json!({"walletId": "w-1", "ownerId": "u"}))
        .insert_header(("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01")));
    assert_eq!(client.call(request).await.status, 201);
    let event = client.get("/wallets/w-1/events").await.json()["items"][0].clone();
    drop(guard);

    let spans = exporter.get_finished_spans().expect("spans");
    let in_trace = |name: &str| -> SpanData {
        let found = spans
            .iter()
            .find(|span| span.name == name && span.span_context.trace_id().to_string() == trace_id);
        found.unwrap_or_else(|| panic!("{name} among {spans:#?}")).clone()
    };
    let (root, command) = (in_trace("POST /wallets"), in_trace("create"));
    assert_eq!(root.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(command.parent_span_id, root.span_context.span_id());
    let here = format!("00-{trace_id}-{}-01", command.span_context.span_id());
    assert_eq!(event["traceparent"], here);
    let attribute = |key: &str| {
        let found = root.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.to_string())
    };
    assert_eq!(attribute("http.route").as_deref(), Some("/wallets"));
    assert_eq!(attribute("http.request.method").as_deref(), Some("POST"));
    assert_eq!(attribute("http.response.status_code").as_deref(), Some("201"));
    assert_eq!(attribute("wallet.id").as_deref(), Some("w-1"));
}
