//! A collector of traces that speaks OTLP over HTTP, as little of it as an exporter needs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span as ProtoSpan;
use prost::Message as _;
use serde_json::Value as Json;

pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

/// How a collector treats what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It keeps everything.
    Keeps,
    /// It takes everything, and keeps nothing.
    Swallows,
    /// It takes connections, and never answers.
    Hangs,
    /// It answers 503.
    Refuses,
}

/// One request of an exporter.
#[derive(Debug, Clone)]
struct Export {
    /// The request line, and the headers by their names in small letters.
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// A span that was exported.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its trace, in hex.
    pub trace_id: String,
    /// Itself, in hex.
    pub span_id: String,
    /// The span above it; empty where there is none.
    pub parent_span_id: String,
    /// What it is called.
    pub name: String,
    /// Its kind.
    pub kind: SpanKind,
    /// Its attributes.
    pub attributes: BTreeMap<String, Json>,
    /// What it is linked to: traces and spans.
    pub links: Vec<(String, String)>,
    /// Whether it says that it failed.
    pub is_error: bool,
    /// Nanoseconds since 1970: when it began, and when it ended.
    pub time_ns: (u64, u64),
    /// The attributes of the process that it is from.
    pub resource: BTreeMap<String, Json>,
}

impl Span {
    /// Its trace, and itself.
    #[must_use]
    pub fn place(&self) -> (String, String) {
        (self.trace_id.clone(), self.span_id.clone())
    }

    /// An attribute; null when it is missing.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &Json {
        self.attributes.get(name).unwrap_or(&Json::Null)
    }
}

/// A running collector. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    exports: Arc<Mutex<Vec<Export>>>,
    stopped: Arc<AtomicBool>,
}

impl Collector {
    /// One that keeps everything.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Manner::Keeps)
    }

    /// One with other manners.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn with(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its number");
        let (exports, stopped) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (kept, end) = (Arc::clone(&exports), Arc::clone(&stopped));
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::Acquire) {
                    return;
                }
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(connection, manner, &kept));
            }
        });
        Self { address, exports, stopped }
    }

    /// What an exporter is told: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn exports(&self) -> Vec<Export> {
        self.exports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The request lines so far, and the values of the header `name`.
    #[must_use]
    pub fn heads(&self, name: &str) -> Vec<(String, Option<String>)> {
        let exports = self.exports().into_iter();
        exports.map(|export| (export.line, export.headers.get(name).cloned())).collect()
    }

    /// Every span so far.
    ///
    /// # Panics
    /// When something else was sent.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.exports().iter().flat_map(|export| decode(&export.body)).collect()
    }

    /// Whether `text` is anywhere in what was sent.
    #[must_use]
    pub fn was_told(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.exports().iter().any(|export| export.body.windows(text.len()).any(|part| part == text))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // The thread waits for a connection.
        TcpStream::connect(self.address).ok();
    }
}

/// Answers what comes on `connection`, until it ends.
fn serve(connection: TcpStream, manner: Manner, kept: &Mutex<Vec<Export>>) {
    let Ok(mut answers) = connection.try_clone() else { return };
    let mut requests = BufReader::new(connection);
    while let Some(export) = read(&mut requests) {
        let status = match manner {
            Manner::Hangs => continue,
            Manner::Refuses => "503 Service Unavailable",
            Manner::Keeps => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(export);
                "200 OK"
            }
            Manner::Swallows => "200 OK",
        };
        let head = "Content-Type: application/x-protobuf\r\nContent-Length: 0";
        if write!(answers, "HTTP/1.1 {status}\r\n{head}\r\n\r\n").is_err() {
            return;
        }
    }
}

fn read(requests: &mut impl BufRead) -> Option<Export> {
    let mut next = || -> Option<String> {
        let mut line = String::new();
        let bytes = requests.read_line(&mut line).ok()?;
        (bytes > 0).then(|| line.trim_end().to_owned())
    };
    let line = next()?;
    let mut headers = BTreeMap::new();
    loop {
        let header = next()?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    requests.read_exact(&mut body).ok()?;
    Some(Export { line, headers, body })
}

fn decode(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).expect("an export of traces");
    let mut spans = Vec::new();
    for of_process in request.resource_spans {
        let resource = of_process.resource.map(|resource| values(resource.attributes));
        let resource = resource.unwrap_or_default();
        let all = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(all.map(|span| span_of(span, resource.clone())));
    }
    spans
}

fn span_of(span: ProtoSpan, resource: BTreeMap<String, Json>) -> Span {
    let kind = span.kind();
    let links = span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id)));
    Span {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: hex(&span.parent_span_id),
        kind,
        links: links.collect(),
        is_error: span.status.as_ref().is_some_and(|status| status.code == 2),
        time_ns: (span.start_time_unix_nano, span.end_time_unix_nano),
        name: span.name,
        attributes: values(span.attributes),
        resource,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn values(attributes: Vec<KeyValue>) -> BTreeMap<String, Json> {
    attributes.into_iter().map(|pair| (pair.key, json(pair.value))).collect()
}

/// A number is no text: whoever asks for a status of 500 would not find it.
fn json(value: Option<AnyValue>) -> Json {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text.into(),
        Some(Value::BoolValue(value)) => value.into(),
        Some(Value::IntValue(value)) => value.into(),
        Some(Value::DoubleValue(value)) => value.into(),
        other => format!("{other:?}").into(),
    }
}
