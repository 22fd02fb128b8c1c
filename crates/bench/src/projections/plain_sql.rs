//! What a projector is compared with: one `INSERT … SELECT` that writes the same rows.
//!
//! It goes into copies of the tables with the same indexes, takes the JSON apart in the database,
//! and is one transaction in whatever order suits the database. It keeps no checkpoint, checks
//! nothing, and writes each wallet once, however many events it has.

use anyhow::{Result, ensure};
use tokio::time::Instant;

use super::backlog::Backlog;
use crate::Kind;
use crate::load::per_second;
use crate::tables::Tables;

/// The lines of the ledger. Both databases read this.
const LEDGER: &str = "INSERT INTO plain_ledger_entries (shard, tenant, wallet_id, version, \
    position, event_id, type, amount, balance_after, currency, description, reference, \
    transfer_id, counterparty, recorded_at_ms) \
    SELECT shard, tenant, wallet_id, version, position, event_id, \
    CASE type WHEN 'WalletCreated' THEN 'opening' \
    WHEN 'WalletCredited' THEN CASE WHEN payload -> 'transfer' IS NULL THEN 'credit' \
    ELSE 'transfer_in' END \
    ELSE CASE WHEN payload -> 'transfer' IS NULL THEN 'debit' ELSE 'transfer_out' END END, \
    CAST(coalesce(payload ->> 'amount', payload ->> 'initialBalance') AS bigint), \
    CAST(coalesce(payload ->> 'balance', payload ->> 'initialBalance') AS bigint), \
    payload ->> 'currency', payload ->> 'description', payload ->> 'reference', \
    payload -> 'transfer' ->> 'transferId', payload -> 'transfer' ->> 'counterpartyWalletId', \
    recorded_at_ms FROM events";

/// The wallets as of their last event. Both databases read this.
const WALLETS: &str = "INSERT INTO plain_wallets (shard, tenant, wallet_id, owner_id, currency, \
    balance, version, created_at_ms, updated_at_ms) \
    SELECT f.shard, f.tenant, f.wallet_id, f.payload ->> 'ownerId', f.payload ->> 'currency', \
    CAST(coalesce(l.payload ->> 'balance', l.payload ->> 'initialBalance') AS bigint), l.version, \
    f.recorded_at_ms, l.recorded_at_ms \
    FROM (SELECT shard, tenant, wallet_id, max(version) AS version FROM events \
    GROUP BY shard, tenant, wallet_id) m \
    JOIN events f ON f.shard = m.shard AND f.tenant = m.tenant AND f.wallet_id = m.wallet_id \
    AND f.version = 1 \
    JOIN events l ON l.shard = m.shard AND l.tenant = m.tenant AND l.wallet_id = m.wallet_id \
    AND l.version = m.version";

/// A table that a projector keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Projected {
    Wallets,
    LedgerEntries,
}

impl Projected {
    pub(crate) const BOTH: [Self; 2] = [Self::Wallets, Self::LedgerEntries];

    const fn table(self) -> &'static str {
        match self {
            Self::Wallets => "wallets",
            Self::LedgerEntries => "ledger_entries",
        }
    }

    pub(crate) const fn projector(self) -> &'static str {
        match self {
            Self::Wallets => "read_model",
            Self::LedgerEntries => "ledger",
        }
    }

    const fn insert(self) -> &'static str {
        match self {
            Self::Wallets => WALLETS,
            Self::LedgerEntries => LEDGER,
        }
    }

    /// What `fillfactor` the migrations give it, in percent: a copy does not take it over.
    const fn postgres_fillfactor(self) -> u8 {
        match self {
            Self::Wallets => 80,
            Self::LedgerEntries => 100,
        }
    }
}

/// Writes the rows of `projected` into an empty copy of its table; how many events a second.
pub(crate) async fn write(
    tables: &Tables,
    kind: Kind,
    projected: Projected,
    backlog: Backlog,
) -> Result<f64> {
    copy_table(tables, kind, projected).await?;
    tables.settle(kind).await?;
    let began = Instant::now();
    tables.execute(projected.insert()).await?;
    let rate = per_second(backlog.events(), began.elapsed());
    eprintln!("plain SQL writes {}: {rate:.0} events/s", projected.table());
    let (rows, money) = match projected {
        Projected::Wallets => (backlog.wallets, "balance"),
        Projected::LedgerEntries => (backlog.events(), "amount"),
    };
    let table = projected.table();
    let found = tables.number(&format!("SELECT count(*) FROM plain_{table}")).await?;
    ensure!(found == rows, "plain SQL wrote {found} rows of {table} and not {rows}");
    let found = tables.number(&format!("SELECT sum({money}) FROM plain_{table}")).await?;
    ensure!(found == backlog.money(), "plain SQL wrote {found} of money into {table}");
    Ok(rate)
}

/// Fails unless the table has the rows that plain SQL wrote, each the same in every column.
pub(crate) async fn compare(tables: &Tables, projected: Projected) -> Result<()> {
    let table = projected.table();
    let (ours, theirs) = (
        tables.number(&format!("SELECT count(*) FROM {table}")).await?,
        tables.number(&format!("SELECT count(*) FROM plain_{table}")).await?,
    );
    ensure!(ours == theirs, "{table} has {ours} rows, and should have {theirs}");
    let others = format!(
        "SELECT count(*) FROM (SELECT * FROM {table} EXCEPT SELECT * FROM plain_{table}) t"
    );
    let others = tables.number(&others).await?;
    ensure!(others == 0, "{others} rows of {table} are other than plain SQL writes them");
    let parked = tables.number("SELECT count(*) FROM dead_letters").await?;
    ensure!(parked == 0, "{parked} wallets were parked");
    Ok(())
}

async fn copy_table(tables: &Tables, kind: Kind, projected: Projected) -> Result<()> {
    let table = projected.table();
    tables.execute(&format!("DROP TABLE IF EXISTS plain_{table}")).await?;
    match kind {
        Kind::Postgres => {
            let fillfactor = projected.postgres_fillfactor();
            let sql = format!(
                "CREATE TABLE plain_{table} (LIKE {table} INCLUDING ALL) \
                 WITH (fillfactor = {fillfactor})"
            );
            tables.execute(&sql).await
        }
        Kind::Sqlite => {
            let made = format!(
                "SELECT sql FROM sqlite_master WHERE tbl_name = '{table}' AND sql IS NOT NULL \
                 ORDER BY type = 'index'"
            );
            for sql in tables.texts(&made).await? {
                tables.execute(&for_copy(&sql, table)).await?;
            }
            Ok(())
        }
    }
}

/// The statement that made `table` or an index of it, as it makes those of the copy.
fn for_copy(sql: &str, table: &str) -> String {
    sql.replacen(&format!("TABLE {table} "), &format!("TABLE plain_{table} "), 1)
        .replacen("INDEX ", "INDEX plain_", 1)
        .replacen(&format!(" ON {table} "), &format!(" ON plain_{table} "), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_columns_and_indexes_under_names_of_its_own() {
        let cases = [
            (
                "CREATE TABLE wallets (\n    shard INTEGER NOT NULL\n) STRICT, WITHOUT ROWID",
                "CREATE TABLE plain_wallets (\n    shard INTEGER NOT NULL\n) STRICT, WITHOUT ROWID",
            ),
            (
                "CREATE INDEX wallets_by_owner ON wallets (shard, owner_id)",
                "CREATE INDEX plain_wallets_by_owner ON plain_wallets (shard, owner_id)",
            ),
        ];
        for (sql, copy) in cases {
            assert_eq!(for_copy(sql, "wallets"), copy);
        }
    }
}
