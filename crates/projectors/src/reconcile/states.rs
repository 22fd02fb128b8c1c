//! Tables with one row a wallet: the read model, and the write side's state, which looks the same.

use std::cmp::Ordering;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use wallex_database::{Backend, Row};
use wallex_ports::{Difference, Place, Timestamp, WalletKey, WalletState};

use super::pairs::{Pair, pairs};
use super::span::Condition;
use super::{Findings, Mode, Span, Stretch};
use crate::checkpoint::unreadable;
use crate::projector::sentence;
use crate::tables::wallets;

/// A row as it stands. Its key is text: one that was put in by hand need not have a valid one.
#[derive(Debug, Clone)]
pub struct StateRow {
    /// Whose wallet it is.
    pub tenant: String,
    /// The wallet's id.
    pub wallet_id: String,
    /// What it says, or why it can't be understood.
    pub state: Result<WalletState, String>,
}

/// The rows of a table with one row a wallet, in one shard and one transaction.
pub trait StateRows: Sync {
    /// The rows of `span`, in the order of wallets.
    fn read(&self, span: &Span) -> impl Future<Output = Result<Vec<StateRow>, DbErr>> + Send;

    /// Deletes the rows of these tenants and wallets.
    fn delete(&self, rows: &[(&str, &str)]) -> impl Future<Output = Result<(), DbErr>> + Send;

    /// Makes the rows what `rows` say, whether they are there or not.
    fn upsert(
        &self,
        rows: &[(&WalletKey, &WalletState)],
    ) -> impl Future<Output = Result<(), DbErr>> + Send;
}

/// Compares the rows of `table` with what the wallets of the stretch have become. What it repairs is
/// the read model.
pub(crate) async fn reconcile_states(
    tx: &DatabaseTransaction,
    table: &str,
    place: Place,
    stretch: &Stretch<'_>,
    mode: Mode,
) -> Result<Findings, DbErr> {
    let rows = SqlRows { tx, table, shard: stretch.shard };
    compare_states(&rows, place, stretch, mode).await
}

/// Compares `rows` with what the wallets of the stretch have become, and in [`Mode::Repair`] makes them that.
///
/// # Errors
/// The database's.
pub async fn compare_states(
    rows: &impl StateRows,
    place: Place,
    stretch: &Stretch<'_>,
    mode: Mode,
) -> Result<Findings, DbErr> {
    let mut findings = Findings::default();
    let (mut written, mut deleted) = (Vec::new(), Vec::new());
    let found = rows.read(stretch.span).await?;
    for pair in pairs(stretch.finished, &found, |(key, _), row| order(key, row)) {
        match pair {
            Pair::Both((_, state), row) if row.state.as_ref() == Ok(state) => {
                findings.tally.right += 1;
            }
            Pair::Both((key, state), row) => {
                findings.tally.repaired += 1;
                tell_changed(&mut findings, place, key, state, row);
                written.push((key, state));
            }
            Pair::Missing((key, state)) => {
                findings.tally.added += 1;
                tell_missing(&mut findings, place, key, state);
                written.push((key, state));
            }
            Pair::Extra(row) => {
                if let Ok(state) = &row.state {
                    let broken = stretch.broken(&row.tenant, &row.wallet_id);
                    let expected = broken.map_or(0, |broken| broken.balance);
                    let surplus = i128::from(balance(state)) - expected;
                    findings.add_surplus(state.wallet.currency(), surplus);
                }
                if stretch.broken(&row.tenant, &row.wallet_id).is_none() {
                    findings.tally.removed += 1;
                    tell_extra(&mut findings, place, row);
                    deleted.push((row.tenant.as_str(), row.wallet_id.as_str()));
                }
            }
        }
    }
    if mode == Mode::Repair {
        rows.delete(&deleted).await?;
        rows.upsert(&written).await?;
    }
    Ok(findings)
}

fn order(key: &WalletKey, row: &StateRow) -> Ordering {
    let expected = (key.tenant.as_str(), key.wallet_id.as_str());
    expected.cmp(&(row.tenant.as_str(), row.wallet_id.as_str()))
}

/// The rows in a table.
struct SqlRows<'a> {
    tx: &'a DatabaseTransaction,
    table: &'a str,
    shard: u16,
}

impl StateRows for SqlRows<'_> {
    async fn read(&self, span: &Span) -> Result<Vec<StateRow>, DbErr> {
        let mut rows = Vec::new();
        for Condition { sql, values } in span.of_wallets(self.shard) {
            let (columns, table) = (wallets::COLUMNS, self.table);
            let sql = format!(
                "SELECT {columns} FROM {table} t WHERE {sql} ORDER BY t.tenant, t.wallet_id"
            );
            let statement = Backend::of(self.tx).statement(sql, values);
            rows.extend(self.tx.query_all_raw(statement).await?);
        }
        let found = |row: Row| {
            let state = wallets::state(&row).map(|(_, state)| state);
            Ok(StateRow {
                tenant: row.text("tenant")?,
                wallet_id: row.text("wallet_id")?,
                state: state.map_err(|error| sentence(&error)),
            })
        };
        rows.into_iter().map(|row| found(Row(row)).map_err(unreadable)).collect()
    }

    async fn delete(&self, rows: &[(&str, &str)]) -> Result<(), DbErr> {
        wallets::delete(self.tx, self.shard, rows).await
    }

    async fn upsert(&self, rows: &[(&WalletKey, &WalletState)]) -> Result<(), DbErr> {
        wallets::upsert(self.tx, self.shard, rows).await
    }
}

fn balance(state: &WalletState) -> i64 {
    state.wallet.balance().minor_units()
}

fn describe(state: &WalletState) -> String {
    let (currency, version) = (state.wallet.currency(), state.wallet.version());
    format!("{} {currency} at version {version}", balance(state))
}

fn row_of(tenant: &str, wallet_id: &str, place: Place) -> Difference {
    Difference {
        tenant: tenant.to_owned(),
        wallet_id: wallet_id.to_owned(),
        place,
        version: None,
        what: "row".to_owned(),
        expected: None,
        found: None,
        difference_minor: None,
    }
}

fn tell_missing(findings: &mut Findings, place: Place, key: &WalletKey, state: &WalletState) {
    findings.add_surplus(state.wallet.currency(), -i128::from(balance(state)));
    findings.differ(|| Difference {
        expected: Some(describe(state)),
        difference_minor: Some(-balance(state)),
        ..row_of(key.tenant.as_str(), key.wallet_id.as_str(), place)
    });
}

fn tell_extra(findings: &mut Findings, place: Place, row: &StateRow) {
    findings.differ(|| Difference {
        found: Some(row.state.as_ref().map_or_else(Clone::clone, describe)),
        difference_minor: row.state.as_ref().ok().map(balance),
        ..row_of(&row.tenant, &row.wallet_id, place)
    });
}

fn tell_changed(
    findings: &mut Findings,
    place: Place,
    key: &WalletKey,
    expected: &WalletState,
    row: &StateRow,
) {
    findings.add_surplus(expected.wallet.currency(), -i128::from(balance(expected)));
    let base = || row_of(key.tenant.as_str(), key.wallet_id.as_str(), place);
    let found = match &row.state {
        Ok(found) => found,
        Err(error) => {
            return findings.differ(|| Difference {
                expected: Some(describe(expected)),
                found: Some(error.clone()),
                ..base()
            });
        }
    };
    findings.add_surplus(found.wallet.currency(), balance(found).into());
    let minor = balance(found).checked_sub(balance(expected));
    for ((what, expected), (_, found)) in fields(expected).into_iter().zip(fields(found)) {
        if expected != found {
            findings.differ(|| Difference {
                what: what.to_owned(),
                expected: Some(expected),
                found: Some(found),
                difference_minor: minor.filter(|_| what == "balance"),
                ..base()
            });
        }
    }
}

fn fields(state: &WalletState) -> [(&'static str, String); 6] {
    let (wallet, ms) = (&state.wallet, |at: Timestamp| at.unix_ms().to_string());
    [
        ("balance", balance(state).to_string()),
        ("version", wallet.version().to_string()),
        ("owner", wallet.owner_id().to_string()),
        ("currency", wallet.currency().to_string()),
        ("created_at_ms", ms(state.created_at)),
        ("updated_at_ms", ms(state.updated_at)),
    ]
}
