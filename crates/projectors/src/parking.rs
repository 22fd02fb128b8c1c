//! Parked wallets, as a batch meets them: who is parked, what was left out, and parking more.

use std::collections::BTreeSet;

use sea_orm::{DatabaseTransaction, DbErr};
use wallex_database::{Backend, Column, Insert, KeyedSelect, Row, RowError};
use wallex_ports::WalletKey;

use crate::checkpoint::unreadable;
use crate::event::Discarded;
use crate::projector::Poison;
use crate::tables;

/// What must be known of the wallets of a batch before it is applied.
#[derive(Debug, Default)]
pub struct Parking {
    /// Wallets whose events wait behind one that can't be applied.
    pub parked: BTreeSet<WalletKey>,
    /// What was left out by hand.
    pub discarded: Discarded,
}

/// Which of the tables hold anything of a projector in a shard. They rarely do, and are not searched
/// for each batch then.
#[derive(Debug, Clone, Copy)]
pub struct Filled {
    /// Whether wallets are parked.
    pub letters: bool,
    /// Whether events were left out by hand.
    pub discards: bool,
}

impl Filled {
    /// Both may.
    pub(crate) const MAYBE: Self = Self { letters: true, discards: true };

    /// Two columns for a statement whose first parameters are the projector and the shard.
    pub(crate) fn columns() -> String {
        let any = |table: &str| {
            format!(
                "CASE WHEN EXISTS (SELECT 1 FROM {table} WHERE shard = $2 AND projector = $1) \
                 THEN CAST(1 AS bigint) ELSE CAST(0 AS bigint) END"
            )
        };
        format!("{} AS letters, {} AS discards", any("dead_letters"), any("discarded_events"))
    }

    pub(crate) fn of_row(row: &Row) -> Result<Self, RowError> {
        Ok(Self { letters: row.int("letters")? == 1, discards: row.int("discards")? == 1 })
    }
}

/// What is parked or left out of `wallets`.
pub(crate) async fn of_wallets(
    tx: &DatabaseTransaction,
    projector: &str,
    shard: u16,
    wallets: &BTreeSet<&WalletKey>,
    filled: Filled,
) -> Result<Parking, DbErr> {
    let mut parking = Parking::default();
    let keys = || {
        let mut keys = tables::key_columns(shard, wallets.iter().copied());
        keys.push(Column::text("projector", wallets.iter().map(|_| projector)));
        keys
    };
    if filled.letters {
        let select = KeyedSelect::new("t.tenant, t.wallet_id", "dead_letters", keys());
        for row in select.query(tx).await? {
            parking.parked.insert(tables::key(&Row(row)).map_err(unreadable)?);
        }
    }
    if filled.discards {
        let columns = "t.tenant, t.wallet_id, t.version";
        let select = KeyedSelect::new(columns, "discarded_events", keys());
        for row in select.query(tx).await?.into_iter().map(Row) {
            let wallet = tables::key(&row).map_err(unreadable)?;
            parking.discarded.insert(wallet, row.number("version").map_err(unreadable)?);
        }
    }
    Ok(parking)
}

/// Parks the wallets of `poison`. One that is parked already stays where it is.
pub(crate) async fn park(
    tx: &DatabaseTransaction,
    projector: &str,
    shard: u16,
    poison: &[&Poison],
) -> Result<(), DbErr> {
    let now_ms = format!("{} + {{}}", Backend::of(tx).now_ms());
    let mut columns = tables::key_columns(shard, poison.iter().map(|p| &p.wallet));
    columns.extend([
        Column::text("projector", poison.iter().map(|_| projector)),
        Column::int("version", poison.iter().map(|p| p.version.cast_signed())),
        Column::int("position", poison.iter().map(|p| p.position.cast_signed())),
        Column::uuid("event_id", poison.iter().map(|p| p.event_id.as_uuid())),
        Column::text("event_type", poison.iter().map(|p| p.event_type.as_str())),
        Column::text("error", poison.iter().map(|p| p.error.as_str())),
        Column::int("attempts", poison.iter().map(|_| 1)),
        Column::int("parked_at_ms", poison.iter().map(|_| 0)).computed(now_ms.clone()),
        Column::int("tried_at_ms", poison.iter().map(|_| 0)).computed(now_ms),
    ]);
    Insert::into("dead_letters", columns)
        .tail("ON CONFLICT DO NOTHING")
        .execute(tx)
        .await
        .map(|_| ())
}
