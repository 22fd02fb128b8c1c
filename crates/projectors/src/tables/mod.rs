//! The tables of the projections: how their rows are read and written.

pub(crate) mod ledger;
pub(crate) mod wallets;

use wallex_database::{Column, Row, RowError};
use wallex_ports::WalletKey;

/// What stands for NULL in a column of many rows, which can hold none: no text of the domain has
/// control characters of this kind.
const NULL: &str = "\u{1}";

/// Texts that may be missing.
fn nullable(name: &'static str, values: impl IntoIterator<Item = Option<String>>) -> Column {
    let values = values.into_iter().map(|value| value.unwrap_or_else(|| NULL.to_owned()));
    Column::text(name, values).computed(format!("NULLIF({{}}, '{NULL}')"))
}

/// The wallet that a row is about.
pub(crate) fn key(row: &Row) -> Result<WalletKey, RowError> {
    Ok(WalletKey { tenant: row.parse("tenant")?, wallet_id: row.parse("wallet_id")? })
}

/// The columns of a wallet's key, in one shard.
pub(crate) fn key_columns<'a>(
    shard: u16,
    keys: impl Iterator<Item = &'a WalletKey> + Clone,
) -> Vec<Column> {
    vec![
        Column::int("shard", keys.clone().map(|_| i64::from(shard))),
        Column::text("tenant", keys.clone().map(|key| key.tenant.as_str())),
        Column::text("wallet_id", keys.map(|key| key.wallet_id.as_str())),
    ]
}
