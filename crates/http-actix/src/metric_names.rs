//! The metrics of the API, recorded through the `metrics` facade.

use metrics::{Unit, describe_counter, describe_histogram};

/// Requests, by `route` (the template), `method` and `status`.
pub(crate) const REQUESTS: &str = "wallex_http_requests_total";
/// How long requests took in seconds, by `route` and `method`.
pub(crate) const REQUEST_DURATION: &str = "wallex_http_request_duration_seconds";
/// Connections that were closed because they went too far, by `reason`.
pub(crate) const CONNECTIONS_CUT: &str = "wallex_http_connections_cut_total";
/// Requests whose sender was looked at, by `credential` and `outcome`.
pub(crate) const AUTHENTICATIONS: &str = "wallex_http_authentications_total";
/// How long accepted creations took in milliseconds, replays apart. The name is given.
pub(crate) const WALLET_CREATE_DURATION: &str = "wallet_create_duration_ms";

/// Tells the installed recorder what the metrics of the API mean. Call it once, after the recorder
/// was installed.
pub fn describe_metrics() {
    describe_counter!(REQUESTS, Unit::Count, "HTTP requests, by route, method and status");
    describe_counter!(
        CONNECTIONS_CUT,
        Unit::Count,
        "Connections closed because they went beyond a limit, by reason"
    );
    describe_counter!(
        AUTHENTICATIONS,
        Unit::Count,
        "Requests to routes that ask who calls, by credential and outcome"
    );
    describe_histogram!(
        REQUEST_DURATION,
        Unit::Seconds,
        "Time from a request's head to its answer"
    );
    describe_histogram!(
        WALLET_CREATE_DURATION,
        Unit::Milliseconds,
        "Time of an accepted wallet creation, replays apart"
    );
}
