//! The trace that a request belongs to, as events store it (W3C Trace Context).

use actix_web::http::header::HeaderMap;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use wallex_ports::Traceparent;

pub(crate) const HEADER: &str = "traceparent";

/// Where `span` stands in its trace; without tracing, where the client says that it stands.
pub(crate) fn current(span: &Span, headers: &HeaderMap) -> Option<Traceparent> {
    let context = span.context();
    let here = context.span().span_context().clone();
    if here.is_valid() { Traceparent::parse(&format(&here)).ok() } else { sent(headers) }
}

fn format(context: &SpanContext) -> String {
    let (trace_id, span_id) = (context.trace_id(), context.span_id());
    format!("00-{trace_id}-{span_id}-{:02x}", context.trace_flags().to_u8())
}

/// The client's `traceparent`, when there is one and it is valid.
fn sent(headers: &HeaderMap) -> Option<Traceparent> {
    let mut lines = headers.get_all(HEADER);
    let line = lines.next()?.to_str().ok()?;
    let only = lines.next().is_none();
    if only && is_valid(line) { Traceparent::parse(line).ok() } else { None }
}

/// Whether `text` is `version-traceid-parentid-flags` in lower-case hex. Later versions may hold
/// more, which is not kept: they are not valid here.
fn is_valid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace_id, parent_id, flags] = parts[..] else { return false };
    let hex = |part: &str, chars: usize| {
        part.len() == chars && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |part: &str| part.bytes().any(|b| b != b'0');
    hex(version, 2)
        && version != "ff"
        && hex(trace_id, 32)
        && some(trace_id)
        && hex(parent_id, 16)
        && some(parent_id)
        && hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in lines {
            map.append(HeaderName::from_static(HEADER), HeaderValue::from_static(line));
        }
        map
    }

    #[test]
    fn without_tracing_a_valid_header_is_kept() {
        let kept = current(&Span::none(), &headers(&[VALID]));
        assert_eq!(kept.map(|t| t.to_string()).as_deref(), Some(VALID));
    }

    #[test]
    fn an_invalid_header_is_ignored() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
        ] {
            assert_eq!(current(&Span::none(), &headers(&[bad])), None, "{bad}");
        }
        assert_eq!(current(&Span::none(), &headers(&[VALID, VALID])), None);
    }
}
