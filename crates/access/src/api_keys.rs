//! API keys in their table. Every change is one transaction: the counter that tells other processes
//! of it, the key, and its line in the audit log.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use wallex_database::{Backend, Database, Row, RowError, read_error};
use wallex_domain::TenantId;
use wallex_ports::{
    AccessScopes, Act, Actor, ApiKey, ApiKeyError, ApiKeyId, ApiKeyState, ApiKeys, AuditAction,
    AuditOutcome, IdGenerator, IssuedKey, NewApiKey, ReadError, Timestamp,
};

use crate::audit_log;
use crate::key::{self, KeyHash};

/// The API keys of a database.
pub struct SqlApiKeys {
    db: Arc<Database>,
    ids: Arc<dyn IdGenerator>,
}

impl SqlApiKeys {
    /// On `db`; `ids` tell acts in the audit log from each other.
    #[must_use]
    pub fn new(db: Arc<Database>, ids: Arc<dyn IdGenerator>) -> Self {
        Self { db, ids }
    }

    /// Begins to change keys: others who do wait, and every process will hear of it.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let tx = self.db.begin().await?;
        let sql = "UPDATE access_counters SET value = value + 1 WHERE name = 'keys'";
        let told = tx.execute_raw(self.db.backend().statement(sql, [])).await?.rows_affected();
        if told == 1 {
            Ok(tx)
        } else {
            Err(DbErr::Custom("the counter of the keys is gone".into()))
        }
    }

    async fn note(
        &self,
        tx: &DatabaseTransaction,
        (action, by): (AuditAction, &Actor),
        key: &ApiKey,
        details: String,
    ) -> Result<(), DbErr> {
        let act = Act {
            actor: by.clone(),
            tenant: key.tenant.clone(),
            action,
            target: key.id.to_string(),
            details,
        };
        audit_log::append(tx, self.ids.next(), &act, AuditOutcome::Done, &act.details).await
    }

    async fn issue(
        &self,
        tx: &DatabaseTransaction,
        new: &NewApiKey,
        by: &Actor,
    ) -> Result<IssuedKey, ReadError> {
        let (id, secret, hash) = key::generate();
        insert(tx, &id, hash, new, by).await.map_err(read_error)?;
        let key = find(tx, &id).await?.ok_or_else(|| gone(&id))?;
        Ok(IssuedKey { key, secret })
    }
}

fn gone(id: &ApiKeyId) -> ReadError {
    ReadError::Storage(format!("key {id} was written and is not there").into())
}

#[async_trait]
impl ApiKeys for SqlApiKeys {
    async fn create(&self, new: &NewApiKey, by: &Actor) -> Result<IssuedKey, ReadError> {
        let tx = self.begin().await.map_err(read_error)?;
        let issued = self.issue(&tx, new, by).await?;
        let details = in_words(&issued.key);
        let noted = self.note(&tx, (AuditAction::KeyCreate, by), &issued.key, details).await;
        noted.map_err(read_error)?;
        tx.commit().await.map_err(read_error)?;
        Ok(issued)
    }

    async fn list(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>, ReadError> {
        let backend = self.db.backend();
        let (condition, values): (_, Vec<Value>) = match tenant {
            Some(tenant) => ("WHERE tenant = $1", vec![tenant.as_str().into()]),
            None => ("", Vec::new()),
        };
        let sql = select(backend, &format!("{condition} ORDER BY created_at_ms, key_id"));
        let rows = self.db.read().query_all_raw(backend.statement(sql, values)).await;
        let rows = rows.map_err(read_error)?;
        Ok(rows.into_iter().map(|row| of_row(&Row(row))).collect::<Result<_, _>>()?)
    }

    async fn rotate(
        &self,
        id: &ApiKeyId,
        overlap_ms: u64,
        by: &Actor,
    ) -> Result<IssuedKey, ApiKeyError> {
        let tx = self.begin().await.map_err(read_error)?;
        let old = find(&tx, id).await?.ok_or_else(|| ApiKeyError::Unknown(id.clone()))?;
        if let Some(next) = &old.replaced_by {
            return Err(ApiKeyError::Replaced(old.id.clone(), next.clone()));
        }
        if old.state != ApiKeyState::Usable {
            return Err(ApiKeyError::NotUsable(old.id, old.state));
        }
        let lifetime_ms = old.expires_at.map(|until| {
            u64::try_from(until.unix_ms() - old.created_at.unix_ms()).unwrap_or_default()
        });
        let new = NewApiKey {
            tenant: old.tenant.clone(),
            name: old.name.clone(),
            scopes: old.scopes,
            lifetime_ms,
        };
        let issued = self.issue(&tx, &new, by).await?;
        replace(&tx, id, &issued.key.id, overlap_ms).await.map_err(read_error)?;
        let details = format!("replaced by {}, good for {overlap_ms} ms still", issued.key.id);
        let noted = self.note(&tx, (AuditAction::KeyRotate, by), &old, details).await;
        noted.map_err(read_error)?;
        tx.commit().await.map_err(read_error)?;
        Ok(issued)
    }

    async fn revoke(&self, id: &ApiKeyId, by: &Actor) -> Result<ApiKey, ApiKeyError> {
        let tx = self.begin().await.map_err(read_error)?;
        let backend = self.db.backend();
        let sql = format!(
            "UPDATE api_keys SET revoked_at_ms = {} WHERE key_id = $1 AND revoked_at_ms = 0",
            backend.now_ms()
        );
        let revoked = tx.execute_raw(backend.statement(sql, [id.as_str().into()])).await;
        let revoked = revoked.map_err(read_error)?.rows_affected();
        let key = find(&tx, id).await?.ok_or_else(|| ApiKeyError::Unknown(id.clone()))?;
        let details = if revoked == 1 { String::new() } else { "it was revoked before".to_owned() };
        let noted = self.note(&tx, (AuditAction::KeyRevoke, by), &key, details).await;
        noted.map_err(read_error)?;
        tx.commit().await.map_err(read_error)?;
        Ok(key)
    }
}

/// What a key is good for, for the audit log.
fn in_words(key: &ApiKey) -> String {
    let until = match key.expires_at {
        Some(until) => format!("until {} ms", until.unix_ms()),
        None => "until it is revoked".to_owned(),
    };
    format!("{}: {}, {until}", key.name, key.scopes)
}

fn select(backend: Backend, tail: &str) -> String {
    format!(
        "SELECT key_id, tenant, name, scopes, created_by, created_at_ms, expires_at_ms,          revoked_at_ms, replaced_by, CASE WHEN revoked_at_ms > 0 THEN 'revoked' \
         WHEN expires_at_ms > 0 AND expires_at_ms <= {} THEN 'expired' ELSE 'usable' END AS state \
         FROM api_keys {tail}",
        backend.now_ms()
    )
}

async fn find(tx: &DatabaseTransaction, id: &ApiKeyId) -> Result<Option<ApiKey>, ReadError> {
    let backend = Backend::of(tx);
    let statement = backend.statement(select(backend, "WHERE key_id = $1"), [id.as_str().into()]);
    let row = tx.query_one_raw(statement).await.map_err(read_error)?;
    Ok(row.map(|row| of_row(&Row(row))).transpose()?)
}

async fn insert(
    tx: &DatabaseTransaction,
    id: &ApiKeyId,
    hash: KeyHash,
    new: &NewApiKey,
    by: &Actor,
) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let now = backend.now_ms();
    let expires = if new.lifetime_ms.is_some() { format!("{now} + $7") } else { "$7".to_owned() };
    let sql = format!(
        "INSERT INTO api_keys (key_id, tenant, name, scopes, secret_hash, created_by, \
         created_at_ms, expires_at_ms, revoked_at_ms, replaced_by) \
         VALUES ($1, $2, $3, $4, $5, $6, {now}, {expires}, 0, '')"
    );
    let lifetime_ms = new.lifetime_ms.map_or(0, |ms| i64::try_from(ms).unwrap_or(i64::MAX / 2));
    let values: [Value; 7] = [
        id.as_str().into(),
        new.tenant.as_str().into(),
        new.name.as_str().into(),
        new.scopes.to_string().into(),
        hash.to_hex().into(),
        by.id.as_str().into(),
        lifetime_ms.into(),
    ];
    tx.execute_raw(backend.statement(sql, values)).await.map(drop)
}

/// Names the key that takes the place of `id`, which is good for `overlap_ms` still, and no longer
/// than it was to be.
async fn replace(
    tx: &DatabaseTransaction,
    id: &ApiKeyId,
    next: &ApiKeyId,
    overlap_ms: u64,
) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let end = format!("{} + $3", backend.now_ms());
    let sql = format!(
        "UPDATE api_keys SET replaced_by = $2, expires_at_ms = CASE WHEN expires_at_ms > 0 \
         AND expires_at_ms < {end} THEN expires_at_ms ELSE {end} END WHERE key_id = $1"
    );
    let overlap_ms = i64::try_from(overlap_ms).unwrap_or(i64::MAX / 2);
    let values: [Value; 3] = [id.as_str().into(), next.as_str().into(), overlap_ms.into()];
    tx.execute_raw(backend.statement(sql, values)).await.map(drop)
}

/// What the names in a row allow. One that this version does not know allows nothing.
pub(crate) fn scopes_of(text: &str) -> AccessScopes {
    text.split(' ').filter_map(|name| name.parse().ok()).collect()
}

fn of_row(row: &Row) -> Result<ApiKey, RowError> {
    let time = |column| {
        let ms = row.int(column)?;
        Ok::<_, RowError>((ms > 0).then_some(Timestamp::from_unix_ms(ms)))
    };
    let (state, replaced_by) = (row.text("state")?, row.text("replaced_by")?);
    Ok(ApiKey {
        id: row.parse("key_id")?,
        tenant: row.parse("tenant")?,
        name: row.parse("name")?,
        scopes: scopes_of(&row.text("scopes")?),
        state: match state.as_str() {
            "usable" => ApiKeyState::Usable,
            "expired" => ApiKeyState::Expired,
            _ => ApiKeyState::Revoked,
        },
        created_by: row.text("created_by")?,
        created_at: Timestamp::from_unix_ms(row.int("created_at_ms")?),
        expires_at: time("expires_at_ms")?,
        revoked_at: time("revoked_at_ms")?,
        replaced_by: match replaced_by.as_str() {
            "" => None,
            id => Some(
                id.parse()
                    .map_err(|error: wallex_ports::NoKeyId| RowError::new("replaced_by", error))?,
            ),
        },
    })
}
