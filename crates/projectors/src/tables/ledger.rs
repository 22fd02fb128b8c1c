//! `ledger_entries`: one row an event.

use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;
use wallex_database::{Column, Insert, KeyedDelete, KeyedSelect, Row, RowError};
use wallex_domain::{Balance, EventId, Standing};
use wallex_ports::{EntryType, LedgerEntry, Timestamp, WalletKey};

use super::{key_columns, nullable};

pub(crate) const TABLE: &str = "ledger_entries";
/// What [`entry`] reads, of a table that is called `t`. A UUID is a type of its own on PostgreSQL
/// and text on SQLite.
pub(crate) const COLUMNS: &str = "t.tenant, t.wallet_id, t.version, t.position, \
     CAST(t.event_id AS text) AS event_id, t.type, t.amount, t.balance_after, t.currency, \
     t.description, t.reference, t.transfer_id, t.counterparty, t.recorded_at_ms";

/// The line in a row.
pub(crate) fn entry(row: &Row) -> Result<LedgerEntry, RowError> {
    let entry_type = row.text("type")?;
    let transfer_id: Option<Uuid> = row.parse_nullable("transfer_id")?;
    Ok(LedgerEntry {
        wallet: WalletKey { tenant: row.parse("tenant")?, wallet_id: row.parse("wallet_id")? },
        version: row.number("version")?,
        position: row.number("position")?,
        event_id: row.uuid("event_id")?.into(),
        entry_type: EntryType::parse(&entry_type)
            .ok_or_else(|| RowError::new("type", format!("{entry_type:?} is no type")))?,
        amount: row.number::<Balance>("amount")?,
        balance_after: row.number::<Balance>("balance_after")?,
        currency: row.parse("currency")?,
        description: row.parse_nullable("description")?,
        reference: row.parse_nullable("reference")?,
        transfer_id: transfer_id.map(Into::into),
        counterparty: row.parse_nullable("counterparty")?,
        recorded_at: Timestamp::from_unix_ms(row.int("recorded_at_ms")?),
    })
}

/// What a line says of its wallet.
pub(crate) fn standing(row: &Row) -> Result<Standing, RowError> {
    let balance: Balance = row.number("balance_after")?;
    Ok(Standing::new(row.parse("currency")?, balance, row.number("version")?))
}

/// The last line of each of `keys` that has one: `tenant`, `wallet_id` and what [`standing`] reads.
pub(crate) async fn last_lines<'a>(
    conn: &impl ConnectionTrait,
    shard: u16,
    keys: impl Iterator<Item = &'a WalletKey> + Clone,
) -> Result<Vec<Row>, DbErr> {
    let last = format!(
        "t.version = (SELECT max(l.version) FROM {TABLE} l WHERE l.shard = r.shard \
         AND l.tenant = r.tenant AND l.wallet_id = r.wallet_id)"
    );
    let columns = "t.tenant, t.wallet_id, t.version, t.balance_after, t.currency";
    let select = KeyedSelect::new(columns, TABLE, key_columns(shard, keys)).and(last);
    Ok(select.query(conn).await?.into_iter().map(Row).collect())
}

/// How many of `standings` are what their line says, the line of their version.
pub(crate) async fn count_standing(
    conn: &impl ConnectionTrait,
    shard: u16,
    standings: &[(&WalletKey, Standing)],
) -> Result<usize, DbErr> {
    let mut keys = key_columns(shard, standings.iter().map(|(key, _)| *key));
    let of = || standings.iter().map(|(_, standing)| standing);
    keys.extend([
        Column::int("version", of().map(|s| s.version().cast_signed())),
        Column::int("balance_after", of().map(|s| s.balance().minor_units())),
        Column::text("currency", of().map(|s| s.currency().as_str().to_owned())),
    ]);
    Ok(KeyedSelect::new("1", TABLE, keys).query(conn).await?.len())
}

/// The lines of events.
pub(crate) async fn of_events(
    conn: &impl ConnectionTrait,
    shard: u16,
    ids: impl Iterator<Item = EventId> + Clone,
) -> Result<Vec<Row>, DbErr> {
    let rows = KeyedSelect::new(COLUMNS, TABLE, event_columns(shard, ids)).query(conn).await?;
    Ok(rows.into_iter().map(Row).collect())
}

fn columns(shard: u16, rows: &[LedgerEntry]) -> Vec<Column> {
    let mut columns = key_columns(shard, rows.iter().map(|row| &row.wallet));
    columns.extend([
        Column::int("version", rows.iter().map(|row| row.version.cast_signed())),
        Column::int("position", rows.iter().map(|row| row.position.cast_signed())),
        Column::uuid("event_id", rows.iter().map(|row| row.event_id.as_uuid())),
        Column::text("type", rows.iter().map(|row| row.entry_type.as_str())),
        Column::int("amount", rows.iter().map(|row| row.amount.minor_units())),
        Column::int("balance_after", rows.iter().map(|row| row.balance_after.minor_units())),
        Column::text("currency", rows.iter().map(|row| row.currency.as_str().to_owned())),
        nullable(
            "description",
            rows.iter().map(|row| row.description.as_ref().map(|text| text.as_str().to_owned())),
        ),
        nullable(
            "reference",
            rows.iter().map(|row| row.reference.as_ref().map(|text| text.as_str().to_owned())),
        ),
        nullable("transfer_id", rows.iter().map(|row| row.transfer_id.map(|id| id.to_string()))),
        nullable(
            "counterparty",
            rows.iter().map(|row| row.counterparty.as_ref().map(|id| id.as_str().to_owned())),
        ),
        Column::int("recorded_at_ms", rows.iter().map(|row| row.recorded_at.unix_ms())),
    ]);
    columns
}

/// Inserts rows; how many were not there yet. One that is there stays as it is.
pub(crate) async fn insert_new(
    conn: &impl ConnectionTrait,
    shard: u16,
    rows: &[LedgerEntry],
) -> Result<u64, DbErr> {
    Insert::into(TABLE, columns(shard, rows)).tail("ON CONFLICT DO NOTHING").execute(conn).await
}

/// Writes rows. They must not be there: delete first what stands in their place.
pub(crate) async fn insert(
    conn: &impl ConnectionTrait,
    shard: u16,
    rows: &[LedgerEntry],
) -> Result<(), DbErr> {
    Insert::into(TABLE, columns(shard, rows)).execute(conn).await.map(|_| ())
}

/// Deletes the rows of `keys` (tenant, wallet and version), which need not be valid ones.
pub(crate) async fn delete(
    conn: &impl ConnectionTrait,
    shard: u16,
    keys: &[(&str, &str, i64)],
) -> Result<(), DbErr> {
    let columns = vec![
        Column::int("shard", keys.iter().map(|_| i64::from(shard))),
        Column::text("tenant", keys.iter().map(|(tenant, _, _)| *tenant)),
        Column::text("wallet_id", keys.iter().map(|(_, wallet_id, _)| *wallet_id)),
        Column::int("version", keys.iter().map(|(_, _, version)| *version)),
    ];
    KeyedDelete::new(TABLE, columns).execute(conn).await.map(|_| ())
}

/// Deletes the rows that say they are of these events, wherever they stand; how many.
pub(crate) async fn delete_of_events(
    conn: &impl ConnectionTrait,
    shard: u16,
    ids: impl Iterator<Item = EventId> + Clone,
) -> Result<u64, DbErr> {
    KeyedDelete::new(TABLE, event_columns(shard, ids)).execute(conn).await
}

fn event_columns(shard: u16, ids: impl Iterator<Item = EventId> + Clone) -> Vec<Column> {
    vec![
        Column::int("shard", ids.clone().map(|_| i64::from(shard))),
        Column::uuid("event_id", ids.map(EventId::as_uuid)),
    ]
}
