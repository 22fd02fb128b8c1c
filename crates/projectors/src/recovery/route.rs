//! Which parts of which shards an operation walks through, and how far along it stands.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbErr};
use serde::{Deserialize, Serialize};
use wallex_database::{Database, Row};
use wallex_ports::{ShardPosition, WalletKey};

use crate::checkpoint::unreadable;
use crate::reconcile::Spot;
use crate::tables;
use crate::walk::Point;

/// Positions whose wallets are looked up at once.
pub(super) const WINDOW_POSITIONS: u64 = 5_000;

/// How far along the route an operation stands. Kept with each page of a rebuild.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Station {
    /// The shard that is due, of all; in the scope of one wallet, 1 is behind it.
    pub(super) shard: u16,
    /// The first position of the window that is due, in the scope of a position.
    pub(super) window: u64,
    /// Wallets of that window up to here are done.
    pub(super) after: Option<Spot>,
    /// Where the walk stands in what is due; `None` at its beginning.
    pub(super) point: Option<Point>,
}

/// The wallets that have their first event at or behind `since` in the window that begins at
/// `window`, in their order: over all windows, each wallet comes once. That it is the first shows in
/// the event before it.
pub(super) async fn wallets_of_window(
    db: &Database,
    since: ShardPosition,
    window: u64,
) -> Result<BTreeSet<WalletKey>, DbErr> {
    let sql = "SELECT e.tenant, e.wallet_id FROM events e \
               LEFT JOIN events b ON b.shard = e.shard AND b.tenant = e.tenant \
               AND b.wallet_id = e.wallet_id AND b.version = e.version - 1 \
               WHERE e.shard = $1 AND e.position >= $2 AND e.position < $3 \
               AND coalesce(b.position, 0) < $4";
    let values = [
        i64::from(since.shard).into(),
        window.cast_signed().into(),
        window.saturating_add(WINDOW_POSITIONS).cast_signed().into(),
        since.position.cast_signed().into(),
    ];
    let rows = db.background().query_all_raw(db.backend().statement(sql, values)).await?;
    rows.into_iter().map(|row| tables::key(&Row(row)).map_err(unreadable)).collect()
}

/// The heads of all shards, as of one moment.
pub(super) async fn heads(db: &Database) -> Result<Vec<u64>, DbErr> {
    let sql = "SELECT position FROM shard_heads ORDER BY shard";
    let rows = db.background().query_all_raw(db.backend().statement(sql, [])).await?;
    rows.into_iter().map(|row| Row(row).number("position").map_err(unreadable)).collect()
}
