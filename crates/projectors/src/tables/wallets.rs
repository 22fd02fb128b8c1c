//! `wallets`: the read model, one row a wallet.

use std::borrow::Borrow;

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Column, Insert, KeyedDelete, KeyedSelect, KeyedUpdate, Row, RowError};
use wallex_domain::{Balance, Currency, Wallet, WalletId};
use wallex_ports::{Timestamp, WalletKey, WalletState};

use super::key_columns;
use crate::rows::Move;

pub(crate) const TABLE: &str = "wallets";
/// What [`state`] reads, of a table that is called `t`.
pub(crate) const COLUMNS: &str = "t.tenant, t.wallet_id, t.owner_id, t.currency, t.balance, \
                                  t.version, t.created_at_ms, t.updated_at_ms";

/// The wallet in a row.
pub(crate) fn state(row: &Row) -> Result<(WalletKey, WalletState), RowError> {
    let wallet_id: WalletId = row.parse("wallet_id")?;
    let key = WalletKey { tenant: row.parse("tenant")?, wallet_id: wallet_id.clone() };
    let currency: Currency = row.parse("currency")?;
    let balance: Balance = row.number("balance")?;
    let (owner_id, version) = (row.parse("owner_id")?, row.number("version")?);
    let state = WalletState {
        wallet: Wallet::from_snapshot(wallet_id, owner_id, currency, balance, version),
        created_at: Timestamp::from_unix_ms(row.int("created_at_ms")?),
        updated_at: Timestamp::from_unix_ms(row.int("updated_at_ms")?),
    };
    Ok((key, state))
}

/// The rows of `keys` that there are.
pub(crate) async fn load<'a>(
    conn: &impl ConnectionTrait,
    shard: u16,
    keys: impl Iterator<Item = &'a WalletKey> + Clone,
) -> Result<Vec<Row>, DbErr> {
    let select = KeyedSelect::new(COLUMNS, TABLE, key_columns(shard, keys));
    Ok(select.query(conn).await?.into_iter().map(Row).collect())
}

fn columns(shard: u16, rows: &[(&WalletKey, impl Borrow<WalletState>)]) -> Vec<Column> {
    let states = || rows.iter().map(|(_, state)| state.borrow());
    let wallets = || states().map(|state| &state.wallet);
    let mut columns = key_columns(shard, rows.iter().map(|(key, _)| *key));
    columns.extend([
        Column::text("owner_id", wallets().map(|w| w.owner_id().as_str())),
        Column::text("currency", wallets().map(|w| w.currency().as_str().to_owned())),
        Column::int("balance", wallets().map(|w| w.balance().minor_units())),
        Column::int("version", wallets().map(|w| w.version().cast_signed())),
        Column::int("created_at_ms", states().map(|state| state.created_at.unix_ms())),
        Column::int("updated_at_ms", states().map(|state| state.updated_at.unix_ms())),
    ]);
    columns
}

/// Inserts `rows`; one that is there is a unique violation.
pub(crate) async fn insert(
    conn: &impl ConnectionTrait,
    shard: u16,
    rows: &[(&WalletKey, impl Borrow<WalletState>)],
) -> Result<(), DbErr> {
    Insert::into(TABLE, columns(shard, rows)).execute(conn).await.map(drop)
}

/// Moves on the rows that stand as `moves` say; how many did.
pub(crate) async fn move_on(
    conn: &impl ConnectionTrait,
    shard: u16,
    moves: &[Move<'_>],
) -> Result<u64, DbErr> {
    let text = |moved: &Move<'_>| moved.before.currency().as_str().to_owned();
    let values = vec![
        Column::text("currency", moves.iter().map(text)),
        Column::int("version_before", moves.iter().map(|m| m.before.version().cast_signed())),
        Column::int("balance_before", moves.iter().map(|m| m.before.balance().minor_units())),
        Column::int("version", moves.iter().map(|m| m.after.version().cast_signed())),
        Column::int("balance", moves.iter().map(|m| m.after.balance().minor_units())),
        Column::int("at_ms", moves.iter().map(|m| m.at.unix_ms())),
    ];
    let keys = key_columns(shard, moves.iter().map(|moved| moved.key));
    let set = "version = r.version, balance = r.balance, updated_at_ms = \
               CASE WHEN r.at_ms > t.updated_at_ms THEN r.at_ms ELSE t.updated_at_ms END";
    let stands = "t.version = r.version_before AND t.balance = r.balance_before \
                  AND t.currency = r.currency";
    KeyedUpdate::new(TABLE, set, keys, values, stands).execute(conn).await
}

/// Makes the rows what `rows` say, whether they are there or not.
pub(crate) async fn upsert(
    conn: &impl ConnectionTrait,
    shard: u16,
    rows: &[(&WalletKey, impl Borrow<WalletState>)],
) -> Result<(), DbErr> {
    let set = ["owner_id", "currency", "balance", "version", "created_at_ms", "updated_at_ms"]
        .map(|column| format!("{column} = excluded.{column}"))
        .join(", ");
    Insert::into(TABLE, columns(shard, rows))
        .tail(format!("ON CONFLICT (shard, tenant, wallet_id) DO UPDATE SET {set}"))
        .execute(conn)
        .await
        .map(drop)
}

/// Deletes the rows of `keys` (tenant and wallet), which need not be valid ones.
pub(crate) async fn delete(
    conn: &impl ConnectionTrait,
    shard: u16,
    keys: &[(&str, &str)],
) -> Result<(), DbErr> {
    let columns = vec![
        Column::int("shard", keys.iter().map(|_| i64::from(shard))),
        Column::text("tenant", keys.iter().map(|(tenant, _)| *tenant)),
        Column::text("wallet_id", keys.iter().map(|(_, wallet_id)| *wallet_id)),
    ];
    KeyedDelete::new(TABLE, columns).execute(conn).await.map(|_| ())
}
