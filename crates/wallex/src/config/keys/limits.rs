//! What a client may ask for, and how long it may take.

use super::TIMEOUT_MS_MAX;
use crate::config::key::TimeUnit::Milliseconds;
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Limits";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "WALLEX_HTTP_CONNECTIONS_MAX",
        "http_connections_max",
        "Connections that are open at once, over all threads; further ones wait to be accepted.",
        Kind::Whole {
            min: 1,
            max: 1_000_000,
            unit: "connections",
            set: |config, n| config.server.max_connections = n as usize,
            get: |config| u32::try_from(config.server.max_connections).ok(),
        },
    ),
    key(
        SECTION,
        "WALLEX_HTTP_CONNECTIONS_PER_ADDRESS_MAX",
        "http_connections_per_address_max",
        "Connections that are open at once from one address, or one /64 of IPv6; further ones are \
         closed. Not set: as many as there may be, for behind a proxy all come from its address.",
        Kind::Whole {
            min: 1,
            max: 1_000_000,
            unit: "connections",
            set: |config, n| config.server.max_connections_per_peer = Some(n as usize),
            get: |config| {
                config.server.max_connections_per_peer.and_then(|max| u32::try_from(max).ok())
            },
        },
    )
    .example("100"),
    key(
        SECTION,
        "WALLEX_HTTP_TARGET_BYTES_MAX",
        "http_target_bytes_max",
        "Bytes that path and query may have together; more is 414.",
        Kind::Whole {
            min: 256,
            max: 32 * 1024,
            unit: "bytes",
            set: |config, n| config.api.target_bytes_max = n as usize,
            get: |config| u32::try_from(config.api.target_bytes_max).ok(),
        },
    ),
    key(
        SECTION,
        "WALLEX_HTTP_HEAD_BYTES_MAX",
        "http_head_bytes_max",
        "Bytes that path, query and headers may have together; more is 431. What has more than 60 KiB, \
         or more than 96 headers, is refused before it is a request, without a problem.",
        Kind::Whole {
            min: 1_024,
            max: 48 * 1024,
            unit: "bytes",
            set: |config, n| config.api.head_bytes_max = n as usize,
            get: |config| u32::try_from(config.api.head_bytes_max).ok(),
        },
    ),
    key(
        SECTION,
        "WALLEX_HTTP_BODY_BYTES_MAX",
        "http_body_bytes_max",
        "Bytes that a body may have; more is 413. The largest request that means anything has about 8 \
         KiB.",
        Kind::Whole {
            min: 1_024,
            max: 1024 * 1024,
            unit: "bytes",
            set: |config, n| config.api.body_bytes_max = n as usize,
            get: |config| u32::try_from(config.api.body_bytes_max).ok(),
        },
    ),
    key(
        SECTION,
        "WALLEX_HTTP_HEAD_TIMEOUT_MS",
        "http_head_timeout_ms",
        "How long a request's head may take to arrive, in milliseconds, before the connection is \
         closed.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.server.client_request_timeout = time,
            get: |config| config.server.client_request_timeout,
        },
    ),
    key(
        SECTION,
        "WALLEX_HTTP_BODY_TIMEOUT_MS",
        "http_body_timeout_ms",
        "How long a request's body may take to arrive, in milliseconds, before it is answered 408 and \
         the connection closed.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.api.body_timeout = time,
            get: |config| config.api.body_timeout,
        },
    ),
    key(
        SECTION,
        "WALLEX_HTTP_WRITE_TIMEOUT_MS",
        "http_write_timeout_ms",
        "How long a client may take to read 16 KiB of its answers, or the rest of them, in \
         milliseconds, before the connection is closed. What the system's buffers hold counts as read.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.server.write_timeout = time,
            get: |config| config.server.write_timeout,
        },
    ),
    key(
        SECTION,
        "WALLEX_HTTP_KEEP_ALIVE_MS",
        "http_keep_alive_ms",
        "How long a connection without a request is kept, in milliseconds. Longer than the proxy in \
         front keeps it, or that one sends requests into closed connections.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.server.keep_alive = time,
            get: |config| config.server.keep_alive,
        },
    ),
];
