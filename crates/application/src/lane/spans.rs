//! What a trace shows of the lane. A command's own spans are made only where its trace is recorded;
//! those of a batch are few.

use tracing::{Span, field, info_span};
use wallex_ports::CommitError;

use crate::RequestContext;

/// A command's time in the queue; it ends when this is dropped.
pub(crate) fn waiting(context: &RequestContext) -> Span {
    if context.is_traced() { info_span!(parent: &context.span, "lane.wait") } else { Span::none() }
}

/// Deciding a command.
pub(crate) fn deciding(context: &RequestContext) -> Span {
    if context.is_traced() {
        info_span!(parent: &context.span, "lane.decide", outcome = field::Empty)
    } else {
        Span::none()
    }
}

/// Reading what commands rest on. Where none of them is traced, there is nothing to see.
pub(crate) fn loading<'a>(mut contexts: impl Iterator<Item = &'a RequestContext>) -> Span {
    match contexts.find(|context| context.is_traced()) {
        Some(context) => info_span!(parent: &context.span, "lane.load"),
        None => Span::none(),
    }
}

/// One commit serves many requests: it is a child of the first that is traced, and every other one that
/// is traced and this are linked to each other, so that each of them leads to it.
pub(crate) fn committing<'a>(contexts: impl Iterator<Item = &'a RequestContext> + Clone) -> Span {
    let first = contexts.clone().find(|context| context.is_traced());
    // What is logged meanwhile carries a correlation id, traced or not.
    let parent = first.or_else(|| contexts.clone().next());
    let span = info_span!(
        parent: parent.and_then(|context| context.span.id()),
        "wallet.commit",
        batch.units = i64::try_from(contexts.clone().count()).unwrap_or(i64::MAX),
        otel.status_code = field::Empty,
        error.r#type = field::Empty,
    );
    for other in contexts.filter(|context| context.is_traced()).skip(1) {
        other.span.follows_from(&span);
        span.follows_from(&other.span);
    }
    span
}

/// Notes that a batch was not committed.
pub(crate) fn failed(span: &Span, error: &CommitError) {
    span.record("otel.status_code", "ERROR");
    span.record(
        "error.type",
        match error {
            CommitError::Unavailable(_) => "unavailable",
            CommitError::Transient(_) => "transient",
            CommitError::Blocked(_) => "blocked",
            CommitError::Indeterminate(_) => "indeterminate",
            CommitError::Storage(_) => "storage",
        },
    );
}
