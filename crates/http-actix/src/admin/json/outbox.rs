//! The outbox, and everything in numbers.

use serde::Serialize;
use utoipa::ToSchema;
use wallex_ports::{OutboxShard, Statistics};

/// What waits in the outbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Outbox)]
pub struct OutboxJson {
    /// By shard.
    shards: Vec<OutboxShardJson>,
    /// All shards together.
    total: OutboxTotalJson,
}

/// One shard of the outbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = OutboxShard)]
pub(crate) struct OutboxShardJson {
    /// The shard.
    shard: u16,
    /// The position of its last event.
    head: u64,
    /// The position that every projector has reached.
    processed: u64,
    /// The position of the oldest row that is kept; `null` when there is none.
    #[schema(required = true)]
    oldest_kept: Option<u64>,
    /// Events that some projector has not applied yet.
    unprocessed_events: u64,
    /// Age of the oldest of them, in milliseconds; 0 when there is none.
    lag_age_ms: u64,
}

/// All shards of the outbox together.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = OutboxTotal)]
pub(crate) struct OutboxTotalJson {
    /// Events that were ever recorded.
    events: u64,
    /// Events that every projector has applied.
    processed_events: u64,
    /// Events that some projector has not applied yet.
    unprocessed_events: u64,
    /// Age of the oldest of them, in milliseconds; 0 when there is none.
    lag_age_ms: u64,
}

impl From<&[OutboxShard]> for OutboxJson {
    fn from(shards: &[OutboxShard]) -> Self {
        let shards: Vec<_> = shards.iter().map(OutboxShardJson::from).collect();
        let total = shards.iter().fold(OutboxTotalJson::default(), |total, shard| {
            let OutboxTotalJson { events, processed_events, unprocessed_events, lag_age_ms } =
                total;
            OutboxTotalJson {
                events: events + shard.head,
                processed_events: processed_events + shard.processed,
                unprocessed_events: unprocessed_events + shard.unprocessed_events,
                lag_age_ms: lag_age_ms.max(shard.lag_age_ms),
            }
        });
        Self { shards, total }
    }
}

impl From<&OutboxShard> for OutboxShardJson {
    fn from(shard: &OutboxShard) -> Self {
        Self {
            shard: shard.shard,
            head: shard.head,
            processed: shard.processed,
            oldest_kept: shard.oldest_kept,
            unprocessed_events: shard.head.saturating_sub(shard.processed),
            lag_age_ms: shard.lag_age_ms,
        }
    }
}

/// What a cleanup or a sweep came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Cleanup)]
pub struct CleanupJson {
    /// Rows that were deleted.
    pub deleted: u64,
}

/// What there is, in numbers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Statistics)]
pub struct StatisticsJson {
    /// Events that were ever recorded.
    events: u64,
    /// Wallets of the write side.
    wallets: u64,
    /// Wallets of the read model.
    projected_wallets: u64,
    /// Lines of the ledger.
    ledger_entries: u64,
    /// Rows of the outbox that are kept.
    outbox_rows: u64,
    /// Idempotency records, expired ones that were not swept yet included.
    idempotency_records: u64,
    /// Parked wallets, counted once for each projector that has parked them.
    dead_letters: u64,
    /// Events that were left out of a projection by hand.
    discarded_events: u64,
    /// Size of the database, in bytes.
    database_bytes: u64,
}

impl From<&Statistics> for StatisticsJson {
    fn from(statistics: &Statistics) -> Self {
        Self {
            events: statistics.events,
            wallets: statistics.wallets,
            projected_wallets: statistics.projected_wallets,
            ledger_entries: statistics.ledger_entries,
            outbox_rows: statistics.outbox_rows,
            idempotency_records: statistics.idempotency_records,
            dead_letters: statistics.dead_letters,
            discarded_events: statistics.discarded_events,
            database_bytes: statistics.database_bytes,
        }
    }
}
