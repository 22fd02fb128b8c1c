//! Every metric, with what it means; those of the API are explained there.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, histogram};

/// Given name: how long a creation takes.
pub(super) const CREATE_DURATION: &str = "wallet_create_duration_ms";
/// Given name: how many events the slowest projector is behind.
pub(super) const OUTBOX_LAG_EVENTS: &str = "outbox_lag_events";
/// The age of the same.
pub(super) const OUTBOX_LAG_AGE: &str = "outbox_lag_age_seconds";
/// Given name: what projectors failed at.
const PROJECTOR_ERRORS: &str = "projector_error_rate";
/// Given name: the share of keyed commands that were replayed.
pub(super) const CACHE_HIT_RATE: &str = "idempotency_cache_hit_rate";
/// What the hit rate is computed from.
pub(super) const CACHE_LOOKUPS: &str = "wallex_idempotency_lookups_total";
/// What upkeep deletes.
pub(crate) const IDEMPOTENCY_SWEPT: &str = "wallex_idempotency_swept_total";

/// What upkeep deletes of the outbox.
pub(crate) const OUTBOX_CLEANED: &str = "wallex_outbox_cleaned_total";
/// When the server's certificate is no longer valid.
pub(crate) const TLS_CERTIFICATE_EXPIRY: &str = "wallex_tls_certificate_expiry_timestamp_seconds";
/// What became of TLS files that changed.
pub(crate) const TLS_RELOADS: &str = "wallex_tls_reloads_total";
/// How far each projector is behind.
pub(super) const PROJECTOR_LAG: &str = "wallex_projector_lag_events";
/// Parked wallets of each projector.
pub(super) const DEAD_LETTERS: &str = "wallex_dead_letters";

/// How old what each projector has not applied is.
pub(super) const PROJECTOR_LAG_AGE: &str = "wallex_projector_lag_age_seconds";
/// Which build this is.
pub(super) const BUILD_INFO: &str = "wallex_build_info";
/// What the pools hold.
pub(super) const POOL_CONNECTIONS: &str = "wallex_db_pool_connections";
/// What the pools may hold.
pub(super) const POOL_CONNECTIONS_MAX: &str = "wallex_db_pool_connections_max";
/// How long the pools let wait.
pub(crate) const POOL_WAIT: &str = "wallex_db_pool_wait_seconds";

const LEASE_CHANGES: &str = "wallex_projector_lease_changes_total";
const PROJECTOR_EVENTS: &str = "wallex_projector_events_total";
const PROJECTOR_PARKED: &str = "wallex_projector_parked_total";
const LANE_CONFLICTS: &str = "wallex_lane_conflicts_total";
const LANE_RETRIES: &str = "wallex_lane_retries_total";

/// The names of the projectors.
pub(super) fn projectors() -> impl Iterator<Item = &'static str> {
    let all = wallex_projectors::projectors();
    (0..all.len()).map(move |i| all[i].name())
}

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const METRICS: &[(Kind, &str, &str)] = &[
    (
        Kind::Gauge,
        OUTBOX_LAG_EVENTS,
        "Events that the slowest projector has not applied yet; NaN when unknown.",
    ),
    (
        Kind::Gauge,
        OUTBOX_LAG_AGE,
        "Age of the oldest event that the slowest projector has not applied yet; NaN when unknown.",
    ),
    (Kind::Counter, PROJECTOR_ERRORS, "Batches that a projector failed at, by projector."),
    (
        Kind::Gauge,
        CACHE_HIT_RATE,
        "Share of the commands with an idempotency key that were replayed, since the start.",
    ),
    (
        Kind::Counter,
        CACHE_LOOKUPS,
        "Commands with an idempotency key, by whether an answer was stored (hit) or not (miss).",
    ),
    (Kind::Counter, IDEMPOTENCY_SWEPT, "Expired idempotency records that were deleted."),
    (Kind::Counter, OUTBOX_CLEANED, "Processed outbox rows that were deleted."),
    (
        Kind::Gauge,
        TLS_CERTIFICATE_EXPIRY,
        "Unix time at which the first certificate of the server's chain expires.",
    ),
    (
        Kind::Counter,
        TLS_RELOADS,
        "TLS files that changed while the server ran, by outcome: used or refused.",
    ),
    (
        Kind::Gauge,
        PROJECTOR_LAG,
        "Events that a projector has not applied yet, over all shards, by projector.",
    ),
    (
        Kind::Gauge,
        PROJECTOR_LAG_AGE,
        "Age of the oldest event that a projector has not applied yet, by projector; NaN when unknown.",
    ),
    (
        Kind::Counter,
        LEASE_CHANGES,
        "Leases that this process has taken, lost or returned, by projector.",
    ),
    (Kind::Gauge, BUILD_INFO, "1, with the version and the kind of database."),
    (
        Kind::Gauge,
        POOL_CONNECTIONS,
        "Connections to the database, by pool and by state: used or idle.",
    ),
    (Kind::Gauge, POOL_CONNECTIONS_MAX, "Connections to the database that there may be, by pool."),
    (
        Kind::Histogram,
        POOL_WAIT,
        "Time until a pool gave a connection, asked for once a second, by pool.",
    ),
    (Kind::Gauge, DEAD_LETTERS, "Wallets that a projector has parked, by projector."),
    (Kind::Counter, PROJECTOR_EVENTS, "Events that this process has applied, by projector."),
    (Kind::Counter, PROJECTOR_PARKED, "Wallets that this process has parked, by projector."),
    (
        Kind::Histogram,
        "wallex_projector_batch_duration_seconds",
        "Time of one batch, from BEGIN to the answer to COMMIT, by projector.",
    ),
    (Kind::Counter, "wallex_commands_total", "Commands that were answered, by kind and outcome."),
    (
        Kind::Histogram,
        "wallex_command_duration_seconds",
        "Time of a command from its arrival in the lane to its answer, by kind and outcome.",
    ),
    (
        Kind::Gauge,
        "wallex_lane_queue_depth",
        "Commands that were still waiting when the last batch was taken.",
    ),
    (Kind::Histogram, "wallex_lane_batch_units", "Commands in one batch of the lane."),
    (Kind::Histogram, "wallex_lane_wait_seconds", "Time of a command in the lane's queue."),
    (
        Kind::Histogram,
        "wallex_lane_commit_duration_seconds",
        "Time of one transaction, from the first statement to the answer to COMMIT.",
    ),
    (
        Kind::Counter,
        LANE_CONFLICTS,
        "Commands decided again because another process had changed their wallet.",
    ),
    (
        Kind::Counter,
        wallex_jwt::KEY_FETCHES,
        "Times that the keys of the token issuer were asked for, by outcome.",
    ),
    (Kind::Counter, LANE_RETRIES, "Transactions tried again because the database asked for it."),
];

/// What `name` means.
pub(super) fn meaning(name: &str) -> &'static str {
    METRICS.iter().find(|(_, known, _)| *known == name).map_or("", |(_, _, meaning)| meaning)
}

/// Tells the recorder what everything means, and lets what must never be missing begin at zero.
pub(super) fn describe() {
    wallex_http_actix::describe_metrics();
    for (kind, name, meaning) in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *meaning),
            Kind::Gauge => describe_gauge!(*name, *meaning),
            Kind::Histogram => describe_histogram!(*name, *meaning),
        }
    }
    // A histogram exists once it is named, a counter once it is counted. One that begins at its first
    // error hides that error: Prometheus sees no increase in a series that it did not know before.
    let _ = histogram!(CREATE_DURATION);
    for projector in projectors() {
        for name in [PROJECTOR_ERRORS, PROJECTOR_EVENTS, PROJECTOR_PARKED] {
            counter!(name, "projector" => projector).increment(0);
        }
        for change in ["taken", "lost", "returned"] {
            counter!(LEASE_CHANGES, "projector" => projector, "change" => change).increment(0);
        }
    }
    for name in [LANE_CONFLICTS, LANE_RETRIES] {
        counter!(name).increment(0);
    }
    for outcome in ["ok", "failed"] {
        counter!(wallex_jwt::KEY_FETCHES, "outcome" => outcome).increment(0);
    }
    for outcome in ["used", "refused"] {
        counter!(TLS_RELOADS, "outcome" => outcome).increment(0);
    }
    for result in ["hit", "miss"] {
        counter!(CACHE_LOOKUPS, "result" => result).increment(0);
    }
    counter!(IDEMPOTENCY_SWEPT).increment(0);
    counter!(OUTBOX_CLEANED).increment(0);
}
