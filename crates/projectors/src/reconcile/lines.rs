//! The ledger's table: one row an event.

use std::cmp::Ordering;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use wallex_database::{Backend, Row};
use wallex_domain::EventId;
use wallex_ports::{Difference, LedgerEntry, Place};

use super::pairs::{Pair, pairs};
use super::span::Condition;
use super::{Findings, Mode, Span, Stretch};
use crate::checkpoint::unreadable;
use crate::ledger::entry_of;
use crate::projector::sentence;
use crate::tables::ledger;

/// A row as it stands. Its key is text: one that was put in by hand need not have a valid one.
#[derive(Debug, Clone)]
pub struct LineRow {
    /// Whose wallet it is of.
    pub tenant: String,
    /// The wallet's id.
    pub wallet_id: String,
    /// The version of its event.
    pub version: i64,
    /// What it says, or why it can't be understood.
    pub line: Result<LedgerEntry, String>,
}

/// The lines of the ledger in one shard and one transaction.
pub trait LineRows: Sync {
    /// The lines of `span`, in the order of wallets and versions.
    fn read(&self, span: &Span) -> impl Future<Output = Result<Vec<LineRow>, DbErr>> + Send;

    /// Deletes the lines of these tenants, wallets and versions.
    fn delete(&self, lines: &[(&str, &str, i64)])
    -> impl Future<Output = Result<(), DbErr>> + Send;

    /// Deletes the lines of these events, wherever they stand; how many there were.
    fn delete_of_events(&self, ids: &[EventId]) -> impl Future<Output = Result<u64, DbErr>> + Send;

    /// Inserts the lines whose places are free; how many were.
    fn insert_new(&self, lines: &[LedgerEntry]) -> impl Future<Output = Result<u64, DbErr>> + Send;

    /// Inserts lines whose places must be free.
    fn insert(&self, lines: &[LedgerEntry]) -> impl Future<Output = Result<(), DbErr>> + Send;
}

/// Compares the lines of the stretch with those that its events make.
pub(crate) async fn reconcile_lines(
    tx: &DatabaseTransaction,
    stretch: &Stretch<'_>,
    mode: Mode,
) -> Result<Findings, DbErr> {
    compare_lines(&SqlRows { tx, shard: stretch.shard }, stretch, mode).await
}

/// Compares `rows` with the lines that the events of the stretch make, and in [`Mode::Repair`] makes them
/// those.
///
/// # Errors
/// The database's.
pub async fn compare_lines(
    rows: &impl LineRows,
    stretch: &Stretch<'_>,
    mode: Mode,
) -> Result<Findings, DbErr> {
    let expected = stretch.events.iter().map(|event| entry_of(event).map_err(str::to_owned));
    let expected: Vec<LedgerEntry> = expected.collect::<Result<_, _>>().map_err(DbErr::Custom)?;
    let mut findings = Findings::default();
    for broken in stretch.broken.values() {
        if let Some(currency) = broken.currency {
            findings.add_surplus(currency, -broken.moved);
        }
    }
    let (mut written, mut deleted) = (Vec::new(), Vec::new());
    let found = rows.read(stretch.span).await?;
    for pair in pairs(expected, &found, |entry, row| order(entry, row)) {
        match pair {
            Pair::Both(entry, row) if row.line.as_ref() == Ok(&entry) => findings.tally.right += 1,
            Pair::Both(entry, row) => {
                findings.tally.repaired += 1;
                tell_changed(&mut findings, &entry, row);
                deleted.push(row.key());
                written.push(entry);
            }
            Pair::Missing(entry) => {
                findings.tally.added += 1;
                tell_missing(&mut findings, &entry);
                written.push(entry);
            }
            Pair::Extra(row) => {
                if let Ok(line) = &row.line {
                    findings.add_surplus(line.currency, moved(line).into());
                }
                if !row.is_behind_a_break(stretch) {
                    findings.tally.removed += 1;
                    tell_extra(&mut findings, row);
                    deleted.push(row.key());
                }
            }
        }
    }
    if mode == Mode::Repair {
        rows.delete(&deleted).await?;
        findings.tally.removed += write(rows, &written).await?;
    }
    Ok(findings)
}

impl LineRow {
    fn key(&self) -> (&str, &str, i64) {
        (&self.tenant, &self.wallet_id, self.version)
    }

    fn is_behind_a_break(&self, stretch: &Stretch<'_>) -> bool {
        let broken = stretch.broken(&self.tenant, &self.wallet_id);
        broken.is_some_and(|broken| self.version >= broken.version.cast_signed())
    }
}

/// Writes lines whose places are free; how many rows elsewhere had to go because they claimed to be
/// of the same events.
async fn write(rows: &impl LineRows, lines: &[LedgerEntry]) -> Result<u64, DbErr> {
    let written = rows.insert_new(lines).await?;
    if written == lines.len() as u64 {
        return Ok(0);
    }
    let ids: Vec<EventId> = lines.iter().map(|line| line.event_id).collect();
    let deleted = rows.delete_of_events(&ids).await?;
    rows.insert(lines).await?;
    Ok(deleted.saturating_sub(written))
}

fn order(entry: &LedgerEntry, row: &LineRow) -> Ordering {
    let key = &entry.wallet;
    let expected = (key.tenant.as_str(), key.wallet_id.as_str(), entry.version.cast_signed());
    expected.cmp(&row.key())
}

/// The lines in the table.
struct SqlRows<'a> {
    tx: &'a DatabaseTransaction,
    shard: u16,
}

impl LineRows for SqlRows<'_> {
    async fn read(&self, span: &Span) -> Result<Vec<LineRow>, DbErr> {
        let mut rows = Vec::new();
        for Condition { sql, values } in span.of_lines(self.shard) {
            let sql = format!(
                "SELECT {} FROM {} t WHERE {sql} ORDER BY t.tenant, t.wallet_id, t.version",
                ledger::COLUMNS,
                ledger::TABLE
            );
            let statement = Backend::of(self.tx).statement(sql, values);
            rows.extend(self.tx.query_all_raw(statement).await?);
        }
        let found = |row: Row| {
            Ok(LineRow {
                tenant: row.text("tenant")?,
                wallet_id: row.text("wallet_id")?,
                version: row.int("version")?,
                line: ledger::entry(&row).map_err(|error| sentence(&error)),
            })
        };
        rows.into_iter().map(|row| found(Row(row)).map_err(unreadable)).collect()
    }

    async fn delete(&self, lines: &[(&str, &str, i64)]) -> Result<(), DbErr> {
        ledger::delete(self.tx, self.shard, lines).await
    }

    async fn delete_of_events(&self, ids: &[EventId]) -> Result<u64, DbErr> {
        ledger::delete_of_events(self.tx, self.shard, ids.iter().copied()).await
    }

    async fn insert_new(&self, lines: &[LedgerEntry]) -> Result<u64, DbErr> {
        ledger::insert_new(self.tx, self.shard, lines).await
    }

    async fn insert(&self, lines: &[LedgerEntry]) -> Result<(), DbErr> {
        ledger::insert(self.tx, self.shard, lines).await
    }
}

/// What a line moves, in minor units.
fn moved(line: &LedgerEntry) -> i64 {
    let amount = line.amount.minor_units();
    if line.entry_type.is_incoming() { amount } else { -amount }
}

fn describe(line: &LedgerEntry) -> String {
    let (amount, after) = (line.amount.minor_units(), line.balance_after.minor_units());
    format!("{} of {amount} {}, {after} after it", line.entry_type.as_str(), line.currency)
}

fn row_of(tenant: &str, wallet_id: &str, version: Option<u64>) -> Difference {
    Difference {
        tenant: tenant.to_owned(),
        wallet_id: wallet_id.to_owned(),
        place: Place::Ledger,
        version,
        what: "row".to_owned(),
        expected: None,
        found: None,
        difference_minor: None,
    }
}

fn row_for(line: &LedgerEntry) -> Difference {
    row_of(line.wallet.tenant.as_str(), line.wallet.wallet_id.as_str(), Some(line.version))
}

fn tell_missing(findings: &mut Findings, line: &LedgerEntry) {
    findings.add_surplus(line.currency, -i128::from(moved(line)));
    findings.differ(|| Difference {
        expected: Some(describe(line)),
        difference_minor: Some(-moved(line)),
        ..row_for(line)
    });
}

fn tell_extra(findings: &mut Findings, row: &LineRow) {
    findings.differ(|| Difference {
        found: Some(row.line.as_ref().map_or_else(Clone::clone, describe)),
        difference_minor: row.line.as_ref().ok().map(moved),
        ..row_of(&row.tenant, &row.wallet_id, u64::try_from(row.version).ok())
    });
}

fn tell_changed(findings: &mut Findings, expected: &LedgerEntry, row: &LineRow) {
    findings.add_surplus(expected.currency, -i128::from(moved(expected)));
    let found = match &row.line {
        Ok(found) => found,
        Err(error) => {
            return findings.differ(|| Difference {
                expected: Some(describe(expected)),
                found: Some(error.clone()),
                ..row_for(expected)
            });
        }
    };
    findings.add_surplus(found.currency, moved(found).into());
    for ((what, e), (_, f)) in fields(expected).into_iter().zip(fields(found)) {
        if e != f {
            findings.differ(|| Difference {
                what: what.to_owned(),
                expected: e,
                found: f,
                ..row_for(expected)
            });
        }
    }
    let after = |line: &LedgerEntry| line.balance_after.minor_units();
    for (what, e, f) in [
        ("amount", moved(expected), moved(found)),
        ("balance_after", after(expected), after(found)),
    ] {
        if e != f {
            findings.differ(|| Difference {
                what: what.to_owned(),
                expected: Some(e.to_string()),
                found: Some(f.to_string()),
                difference_minor: f.checked_sub(e),
                ..row_for(expected)
            });
        }
    }
}

/// What a line says beside its sums.
fn fields(line: &LedgerEntry) -> [(&'static str, Option<String>); 9] {
    [
        ("position", Some(line.position.to_string())),
        ("event_id", Some(line.event_id.to_string())),
        ("type", Some(line.entry_type.as_str().to_owned())),
        ("currency", Some(line.currency.to_string())),
        ("description", line.description.as_ref().map(ToString::to_string)),
        ("reference", line.reference.as_ref().map(ToString::to_string)),
        ("transfer_id", line.transfer_id.map(|id| id.to_string())),
        ("counterparty", line.counterparty.as_ref().map(ToString::to_string)),
        ("recorded_at_ms", Some(line.recorded_at.unix_ms().to_string())),
    ]
}
