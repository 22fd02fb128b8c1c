//! Tables with one row a wallet: the read model, and the write side's state, which looks the same.

use std::cmp::Ordering;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use wallex_database::{Backend, Row};
use wallex_ports::{Difference, Place, Timestamp, WalletKey, WalletState};

use super::pairs::{Pair, pairs};
use super::span::Condition;
use super::{Findings, Mode, Stretch};
use crate::checkpoint::unreadable;
use crate::projector::sentence;
use crate::tables::wallets;

/// A row as it stands.
struct Found {
    tenant: String,
    wallet_id: String,
    /// What it says, or why it can't be understood.
    state: Result<WalletState, String>,
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
    let mut findings = Findings::default();
    let (mut written, mut deleted) = (Vec::new(), Vec::new());
    let found = read(tx, table, stretch).await?;
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
        wallets::delete(tx, stretch.shard, &deleted).await?;
        wallets::upsert(tx, stretch.shard, &written).await?;
    }
    Ok(findings)
}

fn order(key: &WalletKey, row: &Found) -> Ordering {
    let expected = (key.tenant.as_str(), key.wallet_id.as_str());
    expected.cmp(&(row.tenant.as_str(), row.wallet_id.as_str()))
}

async fn read(
    tx: &DatabaseTransaction,
    table: &str,
    stretch: &Stretch<'_>,
) -> Result<Vec<Found>, DbErr> {
    let mut rows = Vec::new();
    for Condition { sql, values } in stretch.span.of_wallets(stretch.shard) {
        let columns = wallets::COLUMNS;
        let sql =
            format!("SELECT {columns} FROM {table} t WHERE {sql} ORDER BY t.tenant, t.wallet_id");
        rows.extend(tx.query_all_raw(Backend::of(tx).statement(sql, values)).await?);
    }
    let found = |row: Row| {
        let state = wallets::state(&row).map(|(_, state)| state);
        Ok(Found {
            tenant: row.text("tenant")?,
            wallet_id: row.text("wallet_id")?,
            state: state.map_err(|error| sentence(&error)),
        })
    };
    rows.into_iter().map(|row| found(Row(row)).map_err(unreadable)).collect()
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

fn tell_extra(findings: &mut Findings, place: Place, row: &Found) {
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
    row: &Found,
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
