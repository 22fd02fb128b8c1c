//! How it listens and stops.

use std::net::SocketAddr;
use std::time::Duration;

use super::TIMEOUT_MS_MAX;
use crate::config::key::TimeUnit::Milliseconds;
use crate::config::key::{Expected, Key, Kind, key};

const SECTION: &str = "Server";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "WALLEX_LISTEN",
        "listen",
        "The address and port that the server listens on. Port 0 takes a free one, which the \
         start-up message names.",
        Kind::Text {
            set: |config, text| {
                config.listen = address(text)?;
                Ok(())
            },
            get: |config| config.listen.to_string(),
        },
    ),
    key(
        SECTION,
        "WALLEX_WORKER_LISTEN",
        "worker_listen",
        "The address and port on which `wallex worker` answers `/livez`, `/readyz` and `/metrics`, and \
         nothing else. Not set: it listens nowhere. Who may ask is decided as for a server.",
        Kind::MaybeText {
            set: |config, text| {
                config.worker_listen = Some(address(text)?);
                Ok(())
            },
            get: |config| config.worker_listen.map(|address| address.to_string()),
        },
    )
    .example("\"127.0.0.1:8081\""),
    key(
        SECTION,
        "WALLEX_HTTP_WORKERS",
        "http_workers",
        "Threads that serve HTTP. Not set: one for each core.",
        Kind::Whole {
            min: 1,
            max: 512,
            unit: "threads",
            set: |config, n| config.http_workers = Some(n),
            get: |config| config.http_workers,
        },
    )
    .example("4"),
    key(
        SECTION,
        "WALLEX_CONSOLE",
        "console",
        "Whether the server has a page at `/console`. Without it, operators have the API and the \
         command line.",
        Kind::Switch {
            set: |config, on| config.api.console = on,
            get: |config| config.api.console,
        },
    ),
    key(
        SECTION,
        "WALLEX_COMMAND_TIMEOUT_MS",
        "command_timeout_ms",
        "How long a client waits for a command, in milliseconds, before it is told that the \
         outcome is unknown. Longer than `WALLEX_COMMIT_DEADLINE_MS`, so that the lane's own \
         answer comes first.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.api.command_timeout = time,
            get: |config| config.api.command_timeout,
        },
    ),
    key(
        SECTION,
        "WALLEX_DRAIN_DELAY_MS",
        "drain_delay_ms",
        "After SIGTERM or Ctrl-C, how long `/readyz` answers 503 before the server stops \
         accepting connections, in milliseconds: the time a load balancer needs to notice.",
        Kind::Time {
            unit: Milliseconds,
            min: 0,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.drain_delay = time,
            get: |config| config.drain_delay,
        },
    ),
    key(
        SECTION,
        "WALLEX_SHUTDOWN_TIMEOUT_MS",
        "shutdown_timeout_ms",
        "How long the server waits for requests that it has accepted when it stops, in \
         milliseconds, rounded up to seconds.",
        Kind::Time {
            unit: Milliseconds,
            min: 0,
            max: TIMEOUT_MS_MAX,
            // Whole seconds are what actix counts in; less than asked for would cut requests off.
            set: |config, time| {
                let begun_second = time.subsec_nanos() > 0;
                let seconds = time.as_secs() + u64::from(begun_second);
                config.server.shutdown_timeout = Duration::from_secs(seconds);
            },
            get: |config| config.server.shutdown_timeout,
        },
    ),
];

fn address(text: &str) -> Result<SocketAddr, Expected> {
    let expected = "must be an IP address and a port, as 127.0.0.1:8080 or [::]:8080";
    text.parse().map_err(|_| expected.into())
}
