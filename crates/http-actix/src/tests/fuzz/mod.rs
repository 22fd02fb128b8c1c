//! The fuzz targets of what clients send: each takes any bytes, and panics when what becomes of them
//! breaks a promise. `fuzz/` runs them under libFuzzer; the tests at the end replay its corpus.

mod api;
mod bodies;
mod body;
mod cursors;
mod description;
mod headers;
mod message;

pub use api::{admin, callers, query, request};
pub use bodies::{
    cleanup_body, create_wallet_body, discard_body, movement_body, scope_body, transfer_body,
};
pub use cursors::{cursors, query_values};
pub use headers::{authorization, correlation_id, idempotency_key, if_match, traceparent};

#[cfg(test)]
mod corpus {
    wallex_fuzz_corpus::replay_corpus!(
        admin,
        authorization,
        callers,
        cleanup_body,
        correlation_id,
        create_wallet_body,
        cursors,
        discard_body,
        idempotency_key,
        if_match,
        movement_body,
        query,
        query_values,
        request,
        scope_body,
        traceparent,
        transfer_body,
    );
}
