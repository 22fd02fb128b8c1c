//! Projectors, and what runs beside them.

use crate::config::key::TimeUnit::{Hours, Milliseconds, Seconds};
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Projectors";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "PROJECTORS_AUTO_START",
        "projectors_auto_start",
        "Whether the projectors start with the server. When off, commands and current reads work \
         as ever, the projections stay where they are, and the lag grows.",
        Kind::Switch {
            set: |config, on| config.projectors_auto_start = on,
            get: |config| config.projectors_auto_start,
        },
    ),
    key(
        SECTION,
        "WALLEX_PROJECTOR_BATCH_EVENTS_MAX",
        "projector_batch_events_max",
        "Events that one transaction of a projector applies, at most. Not set: 2000 on PostgreSQL, \
         512 on SQLite, where it holds the one writer.",
        Kind::Whole {
            min: 1,
            max: 10_000,
            unit: "events",
            set: |config, n| config.workers.batch_events_max = Some(n),
            get: |config| config.workers.batch_events_max,
        },
    )
    .example("2000"),
    key(
        SECTION,
        "WALLEX_PROJECTOR_POLL_MIN_MS",
        "projector_poll_min_ms",
        "How soon a projector that found nothing looks again, at first, in milliseconds. A commit \
         of its own process wakes it at once; this is for what other processes commit.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: 60_000,
            set: |config, time| config.workers.poll_min = time,
            get: |config| config.workers.poll_min,
        },
    ),
    key(
        SECTION,
        "WALLEX_PROJECTOR_POLL_MAX_MS",
        "projector_poll_max_ms",
        "How long it waits at most between looks, after many that found nothing, in milliseconds.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: 60_000,
            set: |config, time| config.workers.poll_max = time,
            get: |config| config.workers.poll_max,
        },
    ),
    key(
        SECTION,
        "WALLEX_PROJECTION_WAIT_MS",
        "projection_wait_ms",
        "How long a read of a projection waits for it to reach what was asked for, in \
         milliseconds, before it answers 504. Shorter than the time for reads, 10 seconds.",
        Kind::Time {
            unit: Milliseconds,
            min: 0,
            max: 9_000,
            set: |config, time| config.api.projection_wait = time,
            get: |config| config.api.projection_wait,
        },
    ),
    key(
        SECTION,
        "WALLEX_RECOVERY_INTERVAL_SECONDS",
        "recovery_interval_seconds",
        "How often dead letters are tried again and interrupted rebuilds gone on with, in seconds.",
        Kind::Time {
            unit: Seconds,
            min: 1,
            max: 24 * 60 * 60,
            set: |config, time| config.recovery_interval = time,
            get: |config| config.recovery_interval,
        },
    ),
    key(
        SECTION,
        "WALLEX_OUTBOX_RETENTION_HOURS",
        "outbox_retention_hours",
        "How long an outbox row is kept after every projector has applied its event, in hours. The \
         events themselves are kept for ever.",
        Kind::Time {
            unit: Hours,
            min: 0,
            max: 24 * 366 * 10,
            set: |config, time| config.outbox_retention = time,
            get: |config| config.outbox_retention,
        },
    ),
];
