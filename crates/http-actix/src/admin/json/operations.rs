//! Rebuilds, drift checks and retries.

use serde::Serialize;
use utoipa::ToSchema;
use wallex_ports::{
    CurrencyTotals, Difference, Operation, Progress, Report, Scope, ShardPosition, TableTally,
};

use crate::admin::schemas;
use crate::wallet::rfc3339;

/// A rebuild, a drift check or a retry.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Operation)]
pub struct OperationJson {
    #[schema(schema_with = schemas::operation_id)]
    id: String,
    #[schema(schema_with = schemas::operation_kind)]
    kind: &'static str,
    scope: ScopeJson,
    #[schema(schema_with = schemas::operation_state)]
    state: &'static str,
    progress: ProgressJson,
    report: ReportJson,
    /// Why it failed; `null` when it has not.
    #[schema(required = true)]
    error: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    started_at: String,
    /// When it last said how far it has come.
    #[schema(format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    updated_at: String,
    /// When it ended; `null` until then.
    #[schema(format = DateTime, required = true)]
    finished_at: Option<String>,
}

impl From<&Operation> for OperationJson {
    fn from(operation: &Operation) -> Self {
        Self {
            id: operation.id.to_string(),
            kind: operation.kind.as_str(),
            scope: (&operation.scope).into(),
            state: operation.state.as_str(),
            progress: operation.progress.into(),
            report: (&operation.report).into(),
            error: operation.error.clone(),
            started_at: rfc3339(operation.started_at),
            updated_at: rfc3339(operation.updated_at),
            finished_at: operation.finished_at.map(rfc3339),
        }
    }
}

/// Which wallets it is about, as it was asked for; all, when there is nothing in it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = OperationScope)]
pub(crate) struct ScopeJson {
    /// The tenant of the one wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tenant: Option<String>,
    /// One wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    wallet_id: Option<String>,
    /// The shard that `fromPosition` is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    shard: Option<u16>,
    /// Wallets that have an event at or behind this position.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    from_position: Option<u64>,
}

impl From<&Scope> for ScopeJson {
    fn from(scope: &Scope) -> Self {
        match scope {
            Scope::All => Self::default(),
            Scope::Wallet(key) => Self {
                tenant: Some(key.tenant.to_string()),
                wallet_id: Some(key.wallet_id.to_string()),
                ..Self::default()
            },
            Scope::Since(ShardPosition { shard, position }) => {
                Self { shard: Some(*shard), from_position: Some(*position), ..Self::default() }
            }
        }
    }
}

/// How far an operation has come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = OperationProgress)]
pub struct ProgressJson {
    /// Events that were read; dead letters that were tried, in a retry.
    done: u64,
    /// How many there are in all, as far as is known.
    total: u64,
    /// Wallets that were finished.
    wallets: u64,
    /// Time worked, in milliseconds.
    elapsed_ms: u64,
    /// How many were done in a second, so far.
    events_per_second: u64,
    /// How long it will take still at that rate, in milliseconds; `null` while there is none.
    #[schema(required = true)]
    remaining_ms: Option<u64>,
}

impl From<Progress> for ProgressJson {
    fn from(progress: Progress) -> Self {
        Self {
            done: progress.done,
            total: progress.total,
            wallets: progress.wallets,
            elapsed_ms: progress.elapsed_ms,
            events_per_second: progress.per_second(),
            remaining_ms: progress.remaining_ms(),
        }
    }
}

/// What an operation has found so far.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = OperationReport)]
pub(crate) struct ReportJson {
    /// By projection, in a rebuild and a drift check.
    tables: Vec<TableJson>,
    /// How many differences there are.
    differences_total: u64,
    /// The first of them.
    #[schema(max_items = 1000)]
    differences: Vec<DifferenceJson>,
    /// The totals of each currency, in a drift check of all wallets.
    trial_balance: Vec<CurrencyTotalsJson>,
    /// Dead letters that were met; in a retry, those that are left.
    parked: u64,
    /// Dead letters that a retry settled.
    replayed: u64,
}

impl From<&Report> for ReportJson {
    fn from(report: &Report) -> Self {
        Self {
            tables: report.tables.iter().map(TableJson::from).collect(),
            differences_total: report.differences_total,
            differences: report.differences.iter().map(DifferenceJson::from).collect(),
            trial_balance: report.trial_balance.iter().map(CurrencyTotalsJson::from).collect(),
            parked: report.parked,
            replayed: report.replayed,
        }
    }
}

/// What was found in one projection's table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectionTable)]
pub(crate) struct TableJson {
    /// The projector.
    projector: String,
    /// Rows that were as they should be.
    right: u64,
    /// Rows that were otherwise: put right by a rebuild.
    repaired: u64,
    /// Rows that were missing: added by a rebuild.
    added: u64,
    /// Rows that no event accounts for: removed by a rebuild.
    removed: u64,
}

impl From<&TableTally> for TableJson {
    fn from(tally: &TableTally) -> Self {
        Self {
            projector: tally.projector.clone(),
            right: tally.right,
            repaired: tally.repaired,
            added: tally.added,
            removed: tally.removed,
        }
    }
}

/// Something that is not as the events say.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Difference)]
pub(crate) struct DifferenceJson {
    /// The wallet's tenant.
    tenant: String,
    /// The wallet's id, as it is stored.
    wallet_id: String,
    #[schema(schema_with = schemas::place)]
    place: &'static str,
    /// The version of the event that it is about; `null` when it is about none.
    #[schema(required = true)]
    version: Option<u64>,
    /// What differs.
    #[schema(examples("balance"))]
    what: String,
    /// What it should be; `null` for a row that should not be there.
    #[schema(required = true)]
    expected: Option<String>,
    /// What it is; `null` for a row that is not there.
    #[schema(required = true)]
    found: Option<String>,
    #[schema(schema_with = schemas::difference_minor, required = true)]
    difference_minor: Option<String>,
}

impl From<&Difference> for DifferenceJson {
    fn from(difference: &Difference) -> Self {
        Self {
            tenant: difference.tenant.clone(),
            wallet_id: difference.wallet_id.clone(),
            place: difference.place.as_str(),
            version: difference.version,
            what: difference.what.clone(),
            expected: difference.expected.clone(),
            found: difference.found.clone(),
            difference_minor: difference.difference_minor.map(|minor| minor.to_string()),
        }
    }
}

/// The totals of one currency, in minor units. Sums are integers as texts: they may be beyond what
/// a number in JSON keeps exactly.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CurrencyTotals)]
pub(crate) struct CurrencyTotalsJson {
    /// The currency's code.
    #[schema(examples("USD"))]
    currency: String,
    /// Wallets.
    wallets: u64,
    /// Opening balances.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    openings: String,
    /// Credits, those of transfers included.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    credits: String,
    /// Debits, those of transfers included.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    debits: String,
    /// Credits of transfers.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    transfers_in: String,
    /// Debits of transfers.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    transfers_out: String,
    /// Balances as the events make them: openings and credits less debits.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    events: String,
    /// Balances of the write side's state.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    write_side: String,
    /// Balances of the read model.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    read_model: String,
    /// Lines of the ledger, incoming less outgoing.
    #[schema(pattern = "^-?[0-9]{1,39}$")]
    ledger: String,
    /// Whether all four are equal, and so are both sums of transfers.
    balances: bool,
}

impl From<&CurrencyTotals> for CurrencyTotalsJson {
    fn from(totals: &CurrencyTotals) -> Self {
        Self {
            currency: totals.currency.clone(),
            wallets: totals.wallets,
            balances: totals.balances(),
            openings: totals.openings.to_string(),
            credits: totals.credits.to_string(),
            debits: totals.debits.to_string(),
            transfers_in: totals.transfers_in.to_string(),
            transfers_out: totals.transfers_out.to_string(),
            events: totals.events().to_string(),
            write_side: totals.write_side.to_string(),
            read_model: totals.read_model.to_string(),
            ledger: totals.ledger.to_string(),
        }
    }
}
