//! The table of operations, in SQL.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use wallex_database::{Backend, Database, Row, RowError};
use wallex_domain::{TenantId, WalletId};
use wallex_ports::{
    Operation, OperationKind, OperationState, Progress, Report, Scope, ShardPosition, Timestamp,
    WalletKey,
};

use super::store::{Begun, Mine, Stand};
use crate::checkpoint::unreadable;

/// How long an operation's process may say nothing before the operation counts as interrupted.
pub const OPERATION_LEASE_MS: u64 = 10_000;
/// How many operations of each kind are kept.
const KEPT: u32 = 100;

struct Stored {
    operation: Operation,
    resume_at: String,
}

fn select(backend: Backend, tail: &str) -> String {
    format!(
        "SELECT CAST(operation_id AS text) AS operation_id, kind, scope, state, resume_at, \
         progress, report, error, CASE WHEN lease_until_ms > {} THEN CAST(1 AS bigint) \
         ELSE CAST(0 AS bigint) END AS live, started_at_ms, updated_at_ms, finished_at_ms \
         FROM operations {tail}",
        backend.now_ms()
    )
}

/// The placeholder of an operation's identity.
fn id_at(backend: Backend, number: u8) -> String {
    match backend {
        Backend::Postgres => format!("CAST(${number} AS uuid)"),
        Backend::Sqlite => format!("${number}"),
    }
}

fn of_row(row: &Row) -> Result<Stored, RowError> {
    let live = row.int("live")? == 1;
    let (error, finished_at) = (row.text("error")?, row.int("finished_at_ms")?);
    let operation = Operation {
        id: row.uuid("operation_id")?,
        kind: kind_of(&row.text("kind")?)?,
        scope: scope_of(&row.text("scope")?)?,
        state: state_of(&row.text("state")?, live)?,
        progress: json_of(row, "progress")?,
        report: json_of(row, "report")?,
        error: (!error.is_empty()).then_some(error),
        started_at: Timestamp::from_unix_ms(row.int("started_at_ms")?),
        updated_at: Timestamp::from_unix_ms(row.int("updated_at_ms")?),
        finished_at: (finished_at > 0).then_some(Timestamp::from_unix_ms(finished_at)),
    };
    Ok(Stored { operation, resume_at: row.text("resume_at")? })
}

fn json_of<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, RowError> {
    serde_json::from_str(&row.text(column)?).map_err(|error| RowError::new(column, error))
}

fn json(value: &impl serde::Serialize) -> Result<String, DbErr> {
    serde_json::to_string(value).map_err(|error| DbErr::Json(error.to_string()))
}

fn kind_of(text: &str) -> Result<OperationKind, RowError> {
    [OperationKind::Rebuild, OperationKind::Drift, OperationKind::Retry]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| RowError::new("kind", format!("{text:?} is none")))
}

fn state_of(text: &str, live: bool) -> Result<OperationState, RowError> {
    match text {
        "running" if !live => Ok(OperationState::Interrupted),
        "running" => Ok(OperationState::Running),
        "interrupted" => Ok(OperationState::Interrupted),
        "done" => Ok(OperationState::Done),
        "failed" => Ok(OperationState::Failed),
        _ => Err(RowError::new("state", format!("{text:?} is none"))),
    }
}

/// Neither a tenant nor a wallet's id has a space.
fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Wallet(key) => format!("wallet {} {}", key.tenant, key.wallet_id),
        Scope::Since(since) => format!("since {} {}", since.shard, since.position),
    }
}

fn scope_of(text: &str) -> Result<Scope, RowError> {
    let words: Vec<&str> = text.split(' ').collect();
    let none = || RowError::new("scope", format!("{text:?} is none"));
    match words[..] {
        ["all"] => Ok(Scope::All),
        ["wallet", tenant, wallet_id] => Ok(Scope::Wallet(WalletKey {
            tenant: TenantId::parse(tenant).map_err(|_| none())?,
            wallet_id: WalletId::parse(wallet_id).map_err(|_| none())?,
        })),
        ["since", shard, position] => Ok(Scope::Since(ShardPosition {
            shard: shard.parse().map_err(|_| none())?,
            position: position.parse().map_err(|_| none())?,
        })),
        _ => Err(none()),
    }
}

/// The operation of that identity.
pub(super) async fn find(
    conn: &impl ConnectionTrait,
    id: Uuid,
) -> Result<Option<Operation>, DbErr> {
    Ok(stored(conn, id).await?.map(|stored| stored.operation))
}

async fn stored(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Stored>, DbErr> {
    let backend = Backend::of(conn);
    let sql = select(backend, &format!("WHERE operation_id = {}", id_at(backend, 1)));
    let row = conn.query_one_raw(backend.statement(sql, [id.to_string().into()])).await?;
    row.map(|row| of_row(&Row(row)).map_err(unreadable)).transpose()
}

/// The operations of a kind that did not come to an end, oldest first.
async fn unfinished(
    conn: &impl ConnectionTrait,
    kind: OperationKind,
) -> Result<Vec<Stored>, DbErr> {
    let backend = Backend::of(conn);
    let tail = "WHERE kind = $1 AND state IN ('running', 'interrupted') ORDER BY started_at_ms";
    let statement = backend.statement(select(backend, tail), [kind.as_str().into()]);
    let rows = conn.query_all_raw(statement).await?;
    rows.into_iter().map(|row| of_row(&Row(row)).map_err(unreadable)).collect()
}

/// The oldest operation of a kind that was interrupted.
pub(super) async fn oldest_interrupted(
    conn: &impl ConnectionTrait,
    kind: OperationKind,
) -> Result<Option<Operation>, DbErr> {
    let unfinished = unfinished(conn, kind).await?.into_iter().map(|stored| stored.operation);
    Ok(unfinished.into_iter().find(|operation| operation.state == OperationState::Interrupted))
}

/// Begins an operation, or takes over an interrupted rebuild of the same scope.
pub(super) async fn begin(
    db: &Database,
    kind: OperationKind,
    scope: &Scope,
    Mine { id, owner }: &Mine,
) -> Result<Begun, DbErr> {
    let tx = db.begin_background().await?;
    pass_the_door(&tx).await?;
    let unfinished = unfinished(&tx, kind).await?;
    let running = |stored: &&Stored| stored.operation.state == OperationState::Running;
    if let Some(running) = unfinished.iter().find(running) {
        let operation = Box::new(running.operation.clone());
        tx.rollback().await?;
        return Ok(Begun::Running(operation));
    }
    interrupt_lapsed(&tx, kind).await?;
    let same =
        |stored: &&Stored| kind == OperationKind::Rebuild && stored.operation.scope == *scope;
    let id = match unfinished.iter().find(same) {
        Some(stored) => {
            take_over(&tx, stored.operation.id, owner).await?;
            stored.operation.id
        }
        None => {
            insert(&tx, kind, scope, *id, owner).await?;
            forget_the_oldest(&tx, kind).await?;
            *id
        }
    };
    let Some(Stored { operation, resume_at }) = stored(&tx, id).await? else {
        return Err(DbErr::RecordNotInserted);
    };
    tx.commit().await?;
    Ok(Begun::Mine { operation: Box::new(operation), resume_at })
}

/// Two that begin at the same time find no row to wait for each other at, so they take one that is
/// always there. On SQLite the transaction itself is the door.
async fn pass_the_door(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    if backend == Backend::Postgres {
        let sql = "SELECT value FROM settings WHERE name = 'shard_count' FOR UPDATE";
        tx.query_one_raw(backend.statement(sql, [])).await?;
    }
    Ok(())
}

async fn take_over(tx: &DatabaseTransaction, id: Uuid, owner: &str) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let sql = format!(
        "UPDATE operations SET state = 'running', owner = $2, updated_at_ms = {now}, \
         lease_until_ms = {now} + {OPERATION_LEASE_MS} WHERE operation_id = {}",
        id_at(backend, 1),
        now = backend.now_ms()
    );
    let values = [id.to_string().into(), owner.into()];
    tx.execute_raw(backend.statement(sql, values)).await.map(|_| ())
}

async fn insert(
    tx: &DatabaseTransaction,
    kind: OperationKind,
    scope: &Scope,
    id: Uuid,
    owner: &str,
) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let sql = format!(
        "INSERT INTO operations (operation_id, kind, scope, state, resume_at, progress, report, \
         error, owner, lease_until_ms, started_at_ms, updated_at_ms, finished_at_ms) \
         VALUES ({}, $2, $3, 'running', '', $4, $5, '', $6, {now} + {OPERATION_LEASE_MS}, {now}, {now}, 0)",
        id_at(backend, 1),
        now = backend.now_ms()
    );
    let values: [Value; 6] = [
        id.to_string().into(),
        kind.as_str().into(),
        scope_text(scope).into(),
        json(&Progress::default())?.into(),
        json(&Report::default())?.into(),
        owner.into(),
    ];
    tx.execute_raw(backend.statement(sql, values)).await.map(|_| ())
}

/// What was left by a process that is gone counts as interrupted from now on, even to a process that
/// was only frozen: two of a kind never work at the same time.
async fn interrupt_lapsed(tx: &DatabaseTransaction, kind: OperationKind) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let sql = format!(
        "UPDATE operations SET state = 'interrupted' \
         WHERE kind = $1 AND state = 'running' AND lease_until_ms <= {}",
        backend.now_ms()
    );
    tx.execute_raw(backend.statement(sql, [kind.as_str().into()])).await.map(|_| ())
}

/// But for rebuilds that were interrupted, which somebody will resume.
async fn forget_the_oldest(tx: &DatabaseTransaction, kind: OperationKind) -> Result<(), DbErr> {
    let sql = format!(
        "DELETE FROM operations WHERE kind = $1 AND state <> 'running' \
         AND NOT (kind = 'rebuild' AND state = 'interrupted') AND started_at_ms < \
         (SELECT min(n.started_at_ms) FROM (SELECT started_at_ms FROM operations \
         WHERE kind = $1 ORDER BY started_at_ms DESC LIMIT {KEPT}) n)"
    );
    tx.execute_raw(Backend::of(tx).statement(sql, [kind.as_str().into()])).await.map(|_| ())
}

impl Mine {
    /// Keeps the lease; whether the operation is still this run's.
    pub(super) async fn renew(&self, db: &Database) -> Result<bool, DbErr> {
        let tx = db.begin_background().await?;
        let kept = self.write(&tx, "", OPERATION_LEASE_MS, Vec::new()).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Records how far the operation has come; whether it is still this run's.
    pub(super) async fn record(
        &self,
        conn: &impl ConnectionTrait,
        Stand { progress, report, resume_at }: Stand<'_>,
    ) -> Result<bool, DbErr> {
        let set = ", progress = $3, report = $4, resume_at = $5";
        let values = [json(progress)?, json(report)?, resume_at.to_owned()];
        self.write(conn, set, OPERATION_LEASE_MS, values.map(Value::from).into()).await
    }

    /// Records how the operation ended, or that it was left in the middle.
    pub(super) async fn end(&self, db: &Database, operation: &Operation) -> Result<bool, DbErr> {
        let finished = match operation.state {
            OperationState::Done | OperationState::Failed => db.backend().now_ms(),
            OperationState::Running | OperationState::Interrupted => "0",
        };
        let set = format!(
            ", progress = $3, report = $4, state = $5, error = $6, finished_at_ms = {finished}"
        );
        let values = vec![
            json(&operation.progress)?.into(),
            json(&operation.report)?.into(),
            operation.state.as_str().into(),
            operation.error.as_deref().unwrap_or("").into(),
        ];
        let tx = db.begin_background().await?;
        let written = self.write(&tx, &set, 0, values).await?;
        tx.commit().await?;
        Ok(written)
    }

    /// Where the operation stands in the database; `None` when it is another run's.
    pub(super) async fn reload(&self, db: &Database) -> Result<Option<(Operation, String)>, DbErr> {
        let backend = db.backend();
        let tail = format!(
            "WHERE operation_id = {} AND owner = $2 AND state = 'running'",
            id_at(backend, 1)
        );
        let statement = backend.statement(select(backend, &tail), self.values());
        let row = db.background().query_one_raw(statement).await?;
        let stored = row.map(|row| of_row(&Row(row)).map_err(unreadable)).transpose()?;
        Ok(stored.map(|stored| (stored.operation, stored.resume_at)))
    }

    fn values(&self) -> Vec<Value> {
        vec![self.id.to_string().into(), self.owner.as_str().into()]
    }

    /// Writes what `set` says, if the operation is still this run's, and leases it for `lease_ms`.
    async fn write(
        &self,
        conn: &impl ConnectionTrait,
        set: &str,
        lease_ms: u64,
        values: Vec<Value>,
    ) -> Result<bool, DbErr> {
        let backend = Backend::of(conn);
        let sql = format!(
            "UPDATE operations SET updated_at_ms = {now}, lease_until_ms = {now} + {lease_ms}{set} \
             WHERE operation_id = {} AND owner = $2 AND state = 'running'",
            id_at(backend, 1),
            now = backend.now_ms()
        );
        let mut all = self.values();
        all.extend(values);
        Ok(conn.execute_raw(backend.statement(sql, all)).await?.rows_affected() == 1)
    }
}
