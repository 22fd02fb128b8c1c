//! The audit log in its table.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use uuid::Uuid;
use wallex_database::{Backend, Database, Row, RowError, read_error};
use wallex_ports::{
    Act, AuditFilter, AuditLine, AuditLog, AuditOutcome, IdGenerator, ReadError, Timestamp,
};

/// What a line says at most beside its columns; an error's text may be of any length.
const DETAILS_CHARS_MAX: usize = 1_000;

/// The audit log of a database.
pub struct SqlAuditLog {
    db: Arc<Database>,
    ids: Arc<dyn IdGenerator>,
}

impl SqlAuditLog {
    /// On `db`; `ids` tell acts from each other.
    #[must_use]
    pub fn new(db: Arc<Database>, ids: Arc<dyn IdGenerator>) -> Self {
        Self { db, ids }
    }

    async fn write(
        &self,
        act_id: Uuid,
        act: &Act,
        outcome: AuditOutcome,
        details: &str,
    ) -> Result<(), DbErr> {
        let tx = self.db.begin_background().await?;
        append(&tx, act_id, act, outcome, details).await?;
        tx.commit().await
    }
}

/// Adds a line in a transaction, which holds the counter of the lines until it ends.
pub(crate) async fn append(
    tx: &DatabaseTransaction,
    act_id: Uuid,
    act: &Act,
    outcome: AuditOutcome,
    details: &str,
) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let next = "UPDATE access_counters SET value = value + 1 WHERE name = 'audit' RETURNING value";
    let row = tx.query_one_raw(backend.statement(next, [])).await?.map(Row);
    let row = row.ok_or_else(|| DbErr::Custom("the counter of the audit log is gone".into()))?;
    let position = row.int("value").map_err(|error| DbErr::Type(error.to_string()))?;
    let uuid = match backend {
        Backend::Postgres => "CAST($2 AS uuid)",
        Backend::Sqlite => "$2",
    };
    let sql = format!(
        "INSERT INTO audit_log (position, act_id, at_ms, tenant, actor, action, target, outcome, \
         details, correlation_id) VALUES ($1, {uuid}, {}, $3, $4, $5, $6, $7, $8, $9)",
        backend.now_ms()
    );
    let correlation_id = act.actor.correlation_id.as_ref().map_or("", |id| id.as_str());
    let details: String = details.chars().take(DETAILS_CHARS_MAX).collect();
    let values: [Value; 9] = [
        position.into(),
        act_id.to_string().into(),
        act.tenant.as_str().into(),
        act.actor.id.as_str().into(),
        act.action.as_str().into(),
        act.target.as_str().into(),
        outcome.as_str().into(),
        details.into(),
        correlation_id.into(),
    ];
    tx.execute_raw(backend.statement(sql, values)).await.map(drop)
}

#[async_trait]
impl AuditLog for SqlAuditLog {
    async fn begin(&self, act: &Act) -> Result<Uuid, ReadError> {
        let act_id = self.ids.next();
        let written = self.write(act_id, act, AuditOutcome::Requested, &act.details).await;
        written.map_err(read_error)?;
        Ok(act_id)
    }

    async fn end(
        &self,
        act_id: Uuid,
        act: &Act,
        outcome: AuditOutcome,
        details: &str,
    ) -> Result<(), ReadError> {
        self.write(act_id, act, outcome, details).await.map_err(read_error)
    }

    async fn list(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditLine>, ReadError> {
        let mut values: Vec<Value> = vec![i64::from(limit).into()];
        let mut conditions = Vec::new();
        let mut only = |column: &str, value: Option<Value>| {
            let Some(value) = value else { return };
            values.push(value);
            conditions.push(format!("{column} ${}", values.len()));
        };
        only("tenant =", filter.tenant.as_ref().map(|tenant| tenant.as_str().into()));
        only("actor =", filter.actor.as_deref().map(Into::into));
        only("action =", filter.action.map(|action| action.as_str().into()));
        only("position <", filter.below.map(|below| below.cast_signed().into()));
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", conditions.join(" AND ")),
        };
        let sql = format!(
            "SELECT position, CAST(act_id AS text) AS act_id, at_ms, tenant, actor, action, \
             target, outcome, details, correlation_id FROM audit_log {conditions} \
             ORDER BY position DESC LIMIT $1"
        );
        let statement = self.db.backend().statement(sql, values);
        let rows = self.db.read().query_all_raw(statement).await.map_err(read_error)?;
        Ok(rows.into_iter().map(|row| line(&Row(row))).collect::<Result<_, _>>()?)
    }
}

fn line(row: &Row) -> Result<AuditLine, RowError> {
    let (outcome, correlation_id) = (row.text("outcome")?, row.text("correlation_id")?);
    Ok(AuditLine {
        position: row.number("position")?,
        act_id: row.uuid("act_id")?,
        at: Timestamp::from_unix_ms(row.int("at_ms")?),
        tenant: row.parse("tenant")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        target: row.text("target")?,
        outcome: AuditOutcome::parse(&outcome)
            .ok_or_else(|| RowError::new("outcome", format!("{outcome:?} is none")))?,
        details: row.text("details")?,
        correlation_id: (!correlation_id.is_empty()).then_some(correlation_id),
    })
}
