//! Commands.

use wallex_domain::Currency;

use super::expected;
use crate::config::key::TimeUnit::Hours;
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Commands";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
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
        SECTION,
        "WALLEX_REQUIRE_IDEMPOTENCY_KEY",
        "require_idempotency_key",
        "Whether a POST without an `Idempotency-Key` is refused with 400.",
        Kind::Switch {
            set: |config, on| config.api.require_idempotency_key = on,
            get: |config| config.api.require_idempotency_key,
        },
    ),
    key(
        SECTION,
        "IDEMPOTENCY_TTL_HOURS",
        "idempotency_ttl_hours",
        "How long an idempotency key is remembered, in hours.",
        Kind::Time {
            unit: Hours,
            min: 1,
            max: 24 * 366 * 10,
            set: |config, time| config.lane.idempotency_ttl = time,
            get: |config| config.lane.idempotency_ttl,
        },
    ),
];
