//! The write side's wallets: one row a stream, as of its last event.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use wallex_database::{Column, Insert, KeyedSelect, KeyedUpdate, Row, RowError};
use wallex_domain::{Balance, Currency, EventHash, TenantId, Wallet, WalletId};
use wallex_ports::{Shards, StreamState, Timestamp, WalletKey, WalletState};

const STATE: &str = "t.tenant, t.wallet_id, t.version, t.owner_id, t.currency, t.balance, \
                     t.created_at_ms, t.updated_at_ms, t.last_hash";

/// A wallet that goes from one version to another.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// Which wallet.
    pub key: &'a WalletKey,
    /// The version that it must have.
    pub expected_version: u64,
    /// What becomes of it.
    pub end: End<'a>,
}

/// What becomes of a wallet.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Its state after its last event.
    pub state: &'a WalletState,
    /// The hash of that event.
    pub last_hash: EventHash,
}

pub(crate) fn key_columns<'a>(
    shards: Shards,
    keys: impl Iterator<Item = &'a WalletKey> + Clone,
) -> Vec<Column> {
    vec![
        Column::int("shard", keys.clone().map(|key| i64::from(shards.of_wallet(key)))),
        Column::text("tenant", keys.clone().map(|key| key.tenant.as_str())),
        Column::text("wallet_id", keys.map(|key| key.wallet_id.as_str())),
    ]
}

fn state(row: QueryResult) -> Result<(WalletKey, StreamState), RowError> {
    let row = Row(row);
    let tenant: TenantId = row.parse("tenant")?;
    let wallet_id: WalletId = row.parse("wallet_id")?;
    let currency: Currency = row.parse("currency")?;
    let balance: Balance = row.number("balance")?;
    let owner_id = row.parse("owner_id")?;
    let version = row.number("version")?;
    let wallet = Wallet::from_snapshot(wallet_id.clone(), owner_id, currency, balance, version);
    let created_at = Timestamp::from_unix_ms(row.int("created_at_ms")?);
    let updated_at = Timestamp::from_unix_ms(row.int("updated_at_ms")?);
    let state = WalletState { wallet, created_at, updated_at };
    let last_hash = row.hash("last_hash")?;
    Ok((WalletKey { tenant, wallet_id }, StreamState { state, last_hash }))
}

fn states(rows: Vec<QueryResult>) -> Result<HashMap<WalletKey, StreamState>, DbErr> {
    let states: Result<_, RowError> = rows.into_iter().map(state).collect();
    states.map_err(|error| DbErr::Type(format!("{error}: {:?}", std::error::Error::source(&error))))
}

/// The rows of `keys`; wallets that do not exist are missing from the answer.
///
/// # Errors
/// The database's; also when a row can't be understood.
pub(crate) async fn load_streams(
    conn: &impl ConnectionTrait,
    shards: Shards,
    keys: &[WalletKey],
) -> Result<HashMap<WalletKey, StreamState>, DbErr> {
    let select = KeyedSelect::new(STATE, "wallet_streams", key_columns(shards, keys.iter()));
    states(select.query(conn).await?)
}

/// What to do about a row that another transaction holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Wait for it, as long as the session waits for locks.
    Wait,
    /// Leave it out of the answer.
    Skip,
}

/// The rows of `keys`, locked until the transaction ends, in key order by every writer. On SQLite
/// the transaction itself is the lock.
///
/// # Errors
/// The database's; also when a row can't be understood.
pub async fn lock_streams(
    conn: &impl ConnectionTrait,
    shards: Shards,
    keys: &[WalletKey],
    held: Held,
) -> Result<HashMap<WalletKey, StreamState>, DbErr> {
    let tail = match held {
        Held::Wait => "ORDER BY t.shard, t.tenant, t.wallet_id FOR UPDATE OF t",
        Held::Skip => "ORDER BY t.shard, t.tenant, t.wallet_id FOR UPDATE OF t SKIP LOCKED",
    };
    let select = KeyedSelect::new(STATE, "wallet_streams", key_columns(shards, keys.iter()))
        .postgres_tail(tail);
    states(select.query(conn).await?)
}

/// The versions of `keys` as they are committed now, without a lock; wallets that do not exist are missing from
/// the answer.
///
/// # Errors
/// The database's; also when a row can't be understood.
pub async fn stream_versions(
    conn: &impl ConnectionTrait,
    shards: Shards,
    keys: &[WalletKey],
) -> Result<HashMap<WalletKey, u64>, DbErr> {
    let found = load_streams(conn, shards, keys).await?;
    Ok(found.into_iter().map(|(key, found)| (key, found.state.wallet.version())).collect())
}

fn row_columns(shards: Shards, rows: &[(&WalletKey, End<'_>)]) -> Vec<Column> {
    let states = || rows.iter().map(|(_, end)| end.state);
    let wallets = || states().map(|state| &state.wallet);
    let mut columns = key_columns(shards, rows.iter().map(|(key, _)| *key));
    columns.extend([
        Column::int("version", wallets().map(|w| w.version().cast_signed())),
        Column::text("owner_id", wallets().map(|w| w.owner_id().as_str())),
        Column::text("currency", wallets().map(|w| w.currency().as_str().to_owned())),
        Column::int("balance", wallets().map(|w| w.balance().minor_units())),
        Column::int("created_at_ms", states().map(|state| state.created_at.unix_ms())),
        Column::int("updated_at_ms", states().map(|state| state.updated_at.unix_ms())),
        Column::bytes("last_hash", rows.iter().map(|(_, end)| end.last_hash.as_bytes().to_vec())),
    ]);
    columns
}

/// The rows of new wallets; one that is there already is a unique violation. It waits for another
/// transaction that is creating one of them.
pub(crate) fn creation(shards: Shards, rows: &[(&WalletKey, End<'_>)]) -> Insert {
    Insert::into("wallet_streams", row_columns(shards, rows))
}

/// Moves the rows of existing wallets on, where they still have the version that is expected.
pub(crate) fn moving_on(shards: Shards, moves: &[Move<'_>]) -> KeyedUpdate {
    let states = || moves.iter().map(|moved| moved.end.state);
    let hashes = moves.iter().map(|moved| moved.end.last_hash.as_bytes().to_vec());
    let values = vec![
        Column::int("expected", moves.iter().map(|moved| moved.expected_version.cast_signed())),
        Column::int("version", states().map(|s| s.wallet.version().cast_signed())),
        Column::int("balance", states().map(|s| s.wallet.balance().minor_units())),
        Column::int("updated_at_ms", states().map(|s| s.updated_at.unix_ms())),
        Column::bytes("last_hash", hashes),
    ];
    KeyedUpdate::new(
        "wallet_streams",
        "version = r.version, balance = r.balance, updated_at_ms = r.updated_at_ms, \
         last_hash = r.last_hash",
        key_columns(shards, moves.iter().map(|moved| moved.key)),
        values,
        "t.version = r.expected",
    )
}
