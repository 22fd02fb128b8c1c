//! How much a caller may ask for.

use std::num::NonZeroU32;

use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Rate limits";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
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
        SECTION,
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
        SECTION,
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
];
