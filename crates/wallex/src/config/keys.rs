//! The table of everything that can be set.

use std::num::NonZeroU32;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use wallex_database::DatabaseUrl;
use wallex_domain::{Currency, TenantId};
use wallex_ports::{MAX_SHARDS, Shards};

use super::key::{Expected, Key, Kind, key};
use super::{AuthMode, LogFormat, limit_keys, tls_keys};

/// An hour: a timeout beyond it is a slip of the pen.
const TIMEOUT_MS_MAX: u32 = 60 * 60 * 1000;

/// Every setting, in the order of the documentation.
pub(crate) const KEYS: &[Key] = &[
    key(
        SERVER,
        "WALLEX_LISTEN",
        "listen",
        "The address and port that the server listens on. Port 0 takes a free one, which the \
         start-up message names.",
        Kind::Text {
            set: |config, text| {
                let expected = "must be an IP address and a port, as 127.0.0.1:8080 or [::]:8080";
                config.listen = text.parse().map_err(|_| expected)?;
                Ok(())
            },
            get: |config| config.listen.to_string(),
        },
    ),
    key(
        SERVER,
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
        SERVER,
        "WALLEX_COMMAND_TIMEOUT_MS",
        "command_timeout_ms",
        "How long a client waits for a command, in milliseconds, before it is told that the \
         outcome is unknown. Longer than `WALLEX_COMMIT_DEADLINE_MS`, so that the lane's own \
         answer comes first.",
        Kind::Whole {
            min: 1,
            max: TIMEOUT_MS_MAX,
            unit: "milliseconds",
            set: |config, n| config.api.command_timeout = ms(n),
            get: |config| as_ms(config.api.command_timeout),
        },
    ),
    key(
        SERVER,
        "WALLEX_DRAIN_DELAY_MS",
        "drain_delay_ms",
        "After SIGTERM or Ctrl-C, how long `/readyz` answers 503 before the server stops \
         accepting connections, in milliseconds: the time a load balancer needs to notice.",
        Kind::Whole {
            min: 0,
            max: TIMEOUT_MS_MAX,
            unit: "milliseconds",
            set: |config, n| config.drain_delay = ms(n),
            get: |config| as_ms(config.drain_delay),
        },
    ),
    key(
        SERVER,
        "WALLEX_SHUTDOWN_TIMEOUT_MS",
        "shutdown_timeout_ms",
        "How long the server waits for requests that it has accepted when it stops, in \
         milliseconds, rounded up to seconds.",
        Kind::Whole {
            min: 0,
            max: TIMEOUT_MS_MAX,
            unit: "milliseconds",
            set: |config, n| config.server.shutdown_timeout = whole_seconds(n),
            get: |config| as_ms(config.server.shutdown_timeout),
        },
    ),
    tls_keys::CERTIFICATE,
    tls_keys::KEY,
    tls_keys::CLIENT_CA,
    tls_keys::HANDSHAKE_TIMEOUT,
    limit_keys::CONNECTIONS,
    limit_keys::CONNECTIONS_PER_PEER,
    limit_keys::TARGET_BYTES,
    limit_keys::HEAD_BYTES,
    limit_keys::BODY_BYTES,
    limit_keys::HEAD_TIMEOUT,
    limit_keys::BODY_TIMEOUT,
    limit_keys::WRITE_TIMEOUT,
    limit_keys::KEEP_ALIVE,
    key(
        ACCESS,
        "WALLEX_AUTH",
        "auth",
        "Whether a request needs a credential. `auto`: on a loopback address as soon as there is an \
         API key, on any other always, and the server refuses to start there while there is none. \
         `on`: always. `off`: never, and what is sent is not looked at: for a server behind \
         something that decides who comes in.",
        Kind::Text {
            set: |config, text| {
                config.auth = auth_mode(text).ok_or("must be auto, on or off")?;
                Ok(())
            },
            get: |config| auth_mode_name(config.auth).to_owned(),
        },
    ),
    key(
        ACCESS,
        "WALLEX_ACCESS_POLL_MS",
        "access_poll_ms",
        "How often a server asks the database whether keys have changed, in milliseconds. A key that \
         is revoked lets nobody in after that time and one query.",
        Kind::Whole {
            min: 50,
            max: 2_000,
            unit: "milliseconds",
            set: |config, n| config.access_poll = ms(n),
            get: |config| as_ms(config.access_poll),
        },
    ),
    key(
        TOKENS,
        "WALLEX_JWT_ISSUER",
        "jwt_issuer",
        "The OpenID Connect issuer whose tokens (JWT) are accepted beside API keys, exactly as their \
         `iss` says. `https://`, or `http://` on a loopback address. Not set: no tokens are.",
        Kind::MaybeText {
            set: |config, text| {
                wallex_jwt::checked_url(text).map_err(expected)?;
                config.jwt.issuer = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.issuer.clone(),
        },
    )
    .example("\"https://login.example.com\""),
    key(
        TOKENS,
        "WALLEX_JWT_AUDIENCE",
        "jwt_audience",
        "What a token's `aud` must be, or have among others: the name that the issuer has for this \
         service. Needed where there is an issuer.",
        Kind::MaybeText {
            set: |config, text| {
                config.jwt.audience = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.audience.clone(),
        },
    )
    .example("\"wallex\""),
    key(
        TOKENS,
        "WALLEX_JWT_JWKS_URL",
        "jwt_jwks_url",
        "Where the issuer's keys are. Not set: where its `/.well-known/openid-configuration` says.",
        Kind::MaybeText {
            set: |config, text| {
                wallex_jwt::checked_url(text).map_err(expected)?;
                config.jwt.jwks_url = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.jwks_url.clone(),
        },
    )
    .example("\"https://login.example.com/keys\""),
    key(
        TOKENS,
        "WALLEX_JWT_TENANT_CLAIM",
        "jwt_tenant_claim",
        "The claim of a token that names its tenant.",
        Kind::Text {
            set: |config, text| {
                text.clone_into(&mut config.jwt.tenant_claim);
                Ok(())
            },
            get: |config| config.jwt.tenant_claim.clone(),
        },
    ),
    key(
        TOKENS,
        "WALLEX_JWT_DEFAULT_TENANT",
        "jwt_default_tenant",
        "The tenant of tokens without that claim. Not set: they are refused. With `default`, such a \
         token that has the scope `admin` operates the whole server.",
        Kind::MaybeText {
            set: |config, text| {
                config.jwt.default_tenant = Some(TenantId::parse(text).map_err(expected)?);
                Ok(())
            },
            get: |config| config.jwt.default_tenant.as_ref().map(ToString::to_string),
        },
    )
    .example("\"default\""),
    key(
        TOKENS,
        "WALLEX_JWT_SCOPE_CLAIM",
        "jwt_scope_claim",
        "The claim of a token that lists its scopes, in one text with spaces between them or in an \
         array. Not set: `scope`, or else `scp`.",
        Kind::MaybeText {
            set: |config, text| {
                config.jwt.scope_claim = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.scope_claim.clone(),
        },
    )
    .example("\"scope\""),
    key(
        TOKENS,
        "WALLEX_JWT_REFRESH_SECONDS",
        "jwt_refresh_seconds",
        "How often the issuer's keys are fetched, in seconds: so long may a key that the issuer has \
         taken back still count. A key that is not known is fetched at once, at most every 10 seconds.",
        Kind::Whole {
            min: 10,
            max: 24 * 60 * 60,
            unit: "seconds",
            set: |config, n| config.jwt.refresh_interval = Duration::from_secs(n.into()),
            get: |config| u32::try_from(config.jwt.refresh_interval.as_secs()).ok(),
        },
    ),
    key(
        TOKENS,
        "WALLEX_JWT_KEYS_AGE_MAX_SECONDS",
        "jwt_keys_age_max_seconds",
        "For how long the last keys count when the issuer does not answer, in seconds. After that, \
         tokens are answered 503.",
        Kind::Whole {
            min: 10,
            max: 30 * 24 * 60 * 60,
            unit: "seconds",
            set: |config, n| config.jwt.keys_age_max = Duration::from_secs(n.into()),
            get: |config| u32::try_from(config.jwt.keys_age_max.as_secs()).ok(),
        },
    ),
    key(
        RATE_LIMITS,
        "WALLEX_RATE_LIMIT_PER_SECOND",
        "rate_limit_per_second",
        "Requests that one caller may make in a second, in each process; more are answered 429. 0: any \
         number. A caller is an API key or a token's subject; on an open server, an address.",
        Kind::Whole {
            min: 0,
            max: 1_000_000,
            unit: "requests",
            set: |config, n| config.api.rate_limits.per_second = NonZeroU32::new(n),
            get: |config| Some(config.api.rate_limits.per_second.map_or(0, NonZeroU32::get)),
        },
    ),
    key(
        RATE_LIMITS,
        "WALLEX_RATE_LIMIT_BURST",
        "rate_limit_burst",
        "Requests that one caller may make at once after a pause. Not set: those of one second.",
        Kind::Whole {
            min: 1,
            max: 1_000_000,
            unit: "requests",
            set: |config, n| config.api.rate_limits.burst = NonZeroU32::new(n),
            get: |config| config.api.rate_limits.burst.map(NonZeroU32::get),
        },
    )
    .example("100"),
    key(
        RATE_LIMITS,
        "WALLEX_AUTH_FAILURES_PER_MINUTE",
        "auth_failures_per_minute",
        "Credentials that nobody knows which one address may send in a minute; then it is answered 429 \
         for those that were not good before. 0: any number.",
        Kind::Whole {
            min: 0,
            max: 1_000_000,
            unit: "credentials",
            set: |config, n| config.api.rate_limits.auth_failures_per_minute = NonZeroU32::new(n),
            get: |config| {
                let limit = config.api.rate_limits.auth_failures_per_minute;
                Some(limit.map_or(0, NonZeroU32::get))
            },
        },
    ),
    key(
        DATABASE,
        "DATABASE_URL",
        "database_url",
        "The database: `sqlite://FILE`, created when missing, or \
         `postgres://USER:PASSWORD@HOST:PORT/NAME`.",
        Kind::Text {
            set: |config, text| {
                config.database.url = DatabaseUrl::parse(text).map_err(expected)?;
                Ok(())
            },
            // `DatabaseUrl` leaves the password out when it is displayed.
            get: |config| config.database.url.to_string(),
        },
    )
    .secret(),
    key(
        DATABASE,
        "WALLEX_AUTO_MIGRATE",
        "auto_migrate",
        "Whether the server brings the schema up to date when it starts; several servers may \
         start at once. When off, `/readyz` answers 503 until `wallex migrate up` has run.",
        Kind::Switch {
            set: |config, on| config.auto_migrate = on,
            get: |config| config.auto_migrate,
        },
    ),
    key(
        DATABASE,
        "WALLEX_SHARDS",
        "shards",
        "The number of shards, fixed when a database is created. Not set: what the database \
         has, 1 for a new one. Another number than the database's stops the start.",
        Kind::Whole {
            min: 1,
            max: MAX_SHARDS as u32,
            unit: "shards",
            set: |config, n| config.shards = u16::try_from(n).ok().and_then(Shards::new),
            get: |config| config.shards.map(|shards| shards.count().into()),
        },
    )
    .example("1"),
    key(
        DATABASE,
        "WALLEX_DB_WRITE_CONNECTIONS",
        "db_write_connections",
        "Connections that write, at most. SQLite always has one.",
        Kind::Whole {
            min: 1,
            max: 1_000,
            unit: "connections",
            set: |config, n| config.database.write_connections = n,
            get: |config| Some(config.database.write_connections),
        },
    ),
    key(
        DATABASE,
        "WALLEX_DB_READ_CONNECTIONS",
        "db_read_connections",
        "Connections that only read, at most.",
        Kind::Whole {
            min: 1,
            max: 1_000,
            unit: "connections",
            set: |config, n| config.database.read_connections = n,
            get: |config| Some(config.database.read_connections),
        },
    ),
    key(
        DATABASE,
        "WALLEX_DB_BACKGROUND_CONNECTIONS",
        "db_background_connections",
        "Connections that projectors, rebuilds and cleanups use, at most: they take none that a \
         command may be waiting for. SQLite's one writer does it all.",
        Kind::Whole {
            min: 2,
            max: 1_000,
            unit: "connections",
            set: |config, n| config.database.background_connections = n,
            get: |config| Some(config.database.background_connections),
        },
    ),
    key(
        DATABASE,
        "WALLEX_DB_ACQUIRE_TIMEOUT_MS",
        "db_acquire_timeout_ms",
        "How long to wait for a free or new connection, in milliseconds, before the database \
         counts as not available.",
        Kind::Whole {
            min: 1,
            max: TIMEOUT_MS_MAX,
            unit: "milliseconds",
            set: |config, n| config.database.acquire_timeout = ms(n),
            get: |config| as_ms(config.database.acquire_timeout),
        },
    ),
    key(
        DATABASE,
        "WALLEX_DB_STATEMENT_TIMEOUT_MS",
        "db_statement_timeout_ms",
        "How long one statement may run, in milliseconds, before the database ends it.",
        Kind::Whole {
            min: 1,
            max: TIMEOUT_MS_MAX,
            unit: "milliseconds",
            set: |config, n| config.database.statement_timeout = ms(n),
            get: |config| as_ms(config.database.statement_timeout),
        },
    ),
    key(
        COMMANDS,
        "WALLEX_DEFAULT_CURRENCY",
        "default_currency",
        "The currency of a wallet that is created without one.",
        Kind::Text {
            set: |config, text| {
                let code = Currency::parse(text).map_err(expected)?;
                config.lane.default_currency = code;
                Ok(())
            },
            get: |config| config.lane.default_currency.to_string(),
        },
    ),
    key(
        COMMANDS,
        "WALLEX_REQUIRE_IDEMPOTENCY_KEY",
        "require_idempotency_key",
        "Whether a POST without an `Idempotency-Key` is refused with 400.",
        Kind::Switch {
            set: |config, on| config.api.require_idempotency_key = on,
            get: |config| config.api.require_idempotency_key,
        },
    ),
    key(
        COMMANDS,
        "IDEMPOTENCY_TTL_HOURS",
        "idempotency_ttl_hours",
        "How long an idempotency key is remembered, in hours.",
        Kind::Whole {
            min: 1,
            max: 24 * 366 * 10,
            unit: "hours",
            set: |config, n| config.lane.idempotency_ttl = Duration::from_secs(u64::from(n) * 3600),
            get: |config| u32::try_from(config.lane.idempotency_ttl.as_secs() / 3600).ok(),
        },
    ),
    key(
        LANE,
        "WALLEX_LANE_QUEUE_LEN_MAX",
        "lane_queue_len_max",
        "Commands that may wait; one more is answered 503 with `Retry-After` at once.",
        Kind::Whole {
            min: 1,
            max: 10_000_000,
            unit: "commands",
            set: |config, n| config.lane.queue_len_max = n as usize,
            get: |config| u32::try_from(config.lane.queue_len_max).ok(),
        },
    ),
    key(
        LANE,
        "WALLEX_LANE_BATCH_UNITS_MAX",
        "lane_batch_units_max",
        "Commands that one transaction commits, at most.",
        Kind::Whole {
            min: 1,
            max: 10_000,
            unit: "commands",
            set: |config, n| config.lane.batch_units_max = n as usize,
            get: |config| u32::try_from(config.lane.batch_units_max).ok(),
        },
    ),
    key(
        LANE,
        "WALLEX_LANE_CACHED_WALLETS_MAX",
        "lane_cached_wallets_max",
        "Wallet states kept in memory, at most; a few hundred bytes each.",
        Kind::Whole {
            min: 1,
            max: 100_000_000,
            unit: "wallets",
            set: |config, n| config.lane.cached_wallets_max = n as usize,
            get: |config| u32::try_from(config.lane.cached_wallets_max).ok(),
        },
    ),
    key(
        LANE,
        "WALLEX_COMMIT_DEADLINE_MS",
        "commit_deadline_ms",
        "How long one transaction may take, in milliseconds, before its commands are \
         answered as `outcome-unknown`.",
        Kind::Whole {
            min: 1,
            max: TIMEOUT_MS_MAX,
            unit: "milliseconds",
            set: |config, n| config.lane.commit_deadline = ms(n),
            get: |config| as_ms(config.lane.commit_deadline),
        },
    ),
    key(
        PROJECTORS,
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
        PROJECTORS,
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
        PROJECTORS,
        "WALLEX_PROJECTOR_POLL_MIN_MS",
        "projector_poll_min_ms",
        "How soon a projector that found nothing looks again, at first, in milliseconds. A commit \
         of its own process wakes it at once; this is for what other processes commit.",
        Kind::Whole {
            min: 1,
            max: 60_000,
            unit: "milliseconds",
            set: |config, n| config.workers.poll_min = ms(n),
            get: |config| as_ms(config.workers.poll_min),
        },
    ),
    key(
        PROJECTORS,
        "WALLEX_PROJECTOR_POLL_MAX_MS",
        "projector_poll_max_ms",
        "How long it waits at most between looks, after many that found nothing, in milliseconds.",
        Kind::Whole {
            min: 1,
            max: 60_000,
            unit: "milliseconds",
            set: |config, n| config.workers.poll_max = ms(n),
            get: |config| as_ms(config.workers.poll_max),
        },
    ),
    key(
        PROJECTORS,
        "WALLEX_PROJECTION_WAIT_MS",
        "projection_wait_ms",
        "How long a read of a projection waits for it to reach what was asked for, in \
         milliseconds, before it answers 504. Shorter than the time for reads, 10 seconds.",
        Kind::Whole {
            min: 0,
            max: 9_000,
            unit: "milliseconds",
            set: |config, n| config.api.projection_wait = ms(n),
            get: |config| as_ms(config.api.projection_wait),
        },
    ),
    key(
        PROJECTORS,
        "WALLEX_RECOVERY_INTERVAL_SECONDS",
        "recovery_interval_seconds",
        "How often dead letters are tried again and interrupted rebuilds gone on with, in seconds.",
        Kind::Whole {
            min: 1,
            max: 24 * 60 * 60,
            unit: "seconds",
            set: |config, n| config.recovery_interval = Duration::from_secs(n.into()),
            get: |config| u32::try_from(config.recovery_interval.as_secs()).ok(),
        },
    ),
    key(
        PROJECTORS,
        "WALLEX_OUTBOX_RETENTION_HOURS",
        "outbox_retention_hours",
        "How long an outbox row is kept after every projector has applied its event, in hours. The \
         events themselves are kept for ever.",
        Kind::Whole {
            min: 0,
            max: 24 * 366 * 10,
            unit: "hours",
            set: |config, n| config.outbox_retention = Duration::from_secs(u64::from(n) * 3600),
            get: |config| u32::try_from(config.outbox_retention.as_secs() / 3600).ok(),
        },
    ),
    key(
        LOGS,
        "WALLEX_LOG",
        "log",
        "What is logged to stderr: a level (`error`, `warn`, `info`, `debug`, `trace`, \
         `off`), or directives such as `info,wallex_application=debug`.",
        Kind::Text {
            set: |config, text| {
                EnvFilter::builder().parse(text).map_err(
                    |_| "must be a level, as info, or directives, as info,wallex_application=debug",
                )?;
                text.clone_into(&mut config.log_filter);
                Ok(())
            },
            get: |config| config.log_filter.clone(),
        },
    ),
    key(
        LOGS,
        "WALLEX_LOG_FORMAT",
        "log_format",
        "`pretty`, `json`, or `auto`: pretty on a terminal, JSON otherwise.",
        Kind::Text {
            set: |config, text| {
                config.log_format = log_format(text).ok_or("must be auto, pretty or json")?;
                Ok(())
            },
            get: |config| log_format_name(config.log_format).to_owned(),
        },
    ),
];

const SERVER: &str = "Server";
const ACCESS: &str = "Access";
const TOKENS: &str = "Tokens of an issuer";
const RATE_LIMITS: &str = "Rate limits";
const DATABASE: &str = "Database";
const COMMANDS: &str = "Commands";
const LANE: &str = "Command lane";
const PROJECTORS: &str = "Projectors";
const LOGS: &str = "Logs";

fn expected(error: impl std::error::Error) -> Expected {
    error.to_string().into()
}

fn ms(n: u32) -> Duration {
    Duration::from_millis(n.into())
}

/// Whole seconds are what actix counts in; less than asked for would cut requests off.
fn whole_seconds(n: u32) -> Duration {
    Duration::from_secs(n.div_ceil(1000).into())
}

fn as_ms(duration: Duration) -> Option<u32> {
    u32::try_from(duration.as_millis()).ok()
}

fn auth_mode(text: &str) -> Option<AuthMode> {
    [AuthMode::Auto, AuthMode::On, AuthMode::Off]
        .into_iter()
        .find(|mode| auth_mode_name(*mode) == text)
}

fn auth_mode_name(mode: AuthMode) -> &'static str {
    match mode {
        AuthMode::Auto => "auto",
        AuthMode::On => "on",
        AuthMode::Off => "off",
    }
}

fn log_format(text: &str) -> Option<LogFormat> {
    [LogFormat::Auto, LogFormat::Pretty, LogFormat::Json]
        .into_iter()
        .find(|format| log_format_name(*format) == text)
}

fn log_format_name(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Auto => "auto",
        LogFormat::Pretty => "pretty",
        LogFormat::Json => "json",
    }
}
