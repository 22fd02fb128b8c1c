//! The command lane.

use super::TIMEOUT_MS_MAX;
use crate::config::key::TimeUnit::Milliseconds;
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Command lane";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
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
        SECTION,
        "WALLEX_LANE_BATCH_UNITS_MAX",
        "lane_batch_units_max",
        "Commands that are taken into one transaction, at most. Those that come back to be decided again \
         are in it as well: it may hold 4.5 times as many.",
        Kind::Whole {
            min: 1,
            max: 10_000,
            unit: "commands",
            set: |config, n| config.lane.batch_units_max = n as usize,
            get: |config| u32::try_from(config.lane.batch_units_max).ok(),
        },
    ),
    key(
        SECTION,
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
        SECTION,
        "WALLEX_COMMIT_DEADLINE_MS",
        "commit_deadline_ms",
        "How long one transaction may take, in milliseconds, before its commands are \
         answered as `outcome-unknown`.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.lane.commit_deadline = time,
            get: |config| config.lane.commit_deadline,
        },
    ),
];
