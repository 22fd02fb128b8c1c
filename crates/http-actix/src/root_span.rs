//! The one root span of a request, in the words of OpenTelemetry's HTTP conventions, as a part of
//! the client's trace when it sent one.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use actix_web::http::uri::Authority;
use actix_web::http::{StatusCode, Version};
use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{connection, correlation, headers, traceparent};

/// Makes the root span. What is known later is recorded on it by who knows it.
pub(crate) fn begin(request: &ServiceRequest, method: &'static str, route: &'static str) -> Span {
    let scheme = if connection::is_secure(request.request()) { "https" } else { "http" };
    let server: Option<Authority> =
        headers::host(request.request()).and_then(|host| host.parse().ok());
    let span = tracing::info_span!(
        "http.request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        url.path = request.uri().path(),
        url.scheme = scheme,
        network.protocol.version = protocol_version(request.version()),
        server.address = server.as_ref().map(Authority::host),
        server.port = server.as_ref().and_then(Authority::port_u16).map(i64::from),
        client.address = request.peer_addr().map(|peer| field::display(peer.ip())),
        error.type = field::Empty,
        correlation.id = correlation::of(request.request()).id.as_str(),
        caller.id = field::Empty,
        wallet.id = field::Empty,
        stream.version = field::Empty,
        idempotency.replayed = field::Empty,
    );
    if request.headers().contains_key(traceparent::HEADER) {
        let headers = Headers(request.headers());
        let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
        // It fails only where no traces are exported, and then there is nothing to continue.
        let _ = span.set_parent(parent);
    }
    span
}

/// Records the outcome on the current span, the root span.
pub(crate) fn end(status: StatusCode) {
    let span = Span::current();
    // Only signed numbers are exported as numbers.
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// The headers as a propagator reads them.
struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
