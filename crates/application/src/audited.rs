//! What operators do, with its lines in the audit log around it.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use wallex_domain::TenantId;
use wallex_ports::{
    Act, Actor, AuditAction, AuditLog, AuditOutcome, DeadLetter, DeadLetterError, DeadLetters,
    Operation, OperationKind, OutboxShard, ProjectorStatus, Projectors, ReadError, Recovery,
    Replay, Scope, ShardPosition, StartError, Statistics, SteerError, StoredEvent, WalletKey,
};

/// A port of the operators, as one of them uses it: whatever changes something stands in the audit log,
/// before it is done and after. What only reads is passed on.
///
/// Without the first line nothing is done. If the second can't be written, the first stands alone and
/// the server's log says so: what was done is done.
pub struct Audited<P: ?Sized> {
    inner: Arc<P>,
    log: Arc<dyn AuditLog>,
    actor: Actor,
}

impl<P: ?Sized> Audited<P> {
    /// `inner`, used by `actor`.
    #[must_use]
    pub fn new(inner: Arc<P>, log: Arc<dyn AuditLog>, actor: Actor) -> Self {
        Self { inner, log, actor }
    }

    /// `action`, to `target`, which is a thing of the whole server.
    fn to_server(&self, action: AuditAction, target: &str) -> Act {
        self.to(action, &TenantId::default(), target.to_owned())
    }

    fn to_letter(&self, action: AuditAction, projector: &str, wallet: &WalletKey) -> Act {
        self.to(action, &wallet.tenant, format!("{projector}/{}", wallet.wallet_id))
    }

    fn to(&self, action: AuditAction, tenant: &TenantId, target: String) -> Act {
        let details = String::new();
        Act { actor: self.actor.clone(), tenant: tenant.clone(), action, target, details }
    }

    /// Does `act`, which is what `working` does. `tell` says what it came to.
    async fn tell<T, E>(
        &self,
        act: Act,
        working: impl Future<Output = Result<T, E>> + Send,
        tell: impl FnOnce(&T) -> String + Send,
    ) -> Result<T, E>
    where
        T: Send,
        E: Error + From<ReadError> + Send,
    {
        let act_id = self.log.begin(&act).await?;
        let outcome = working.await;
        let (state, details) = match &outcome {
            Ok(done) => (AuditOutcome::Done, tell(done)),
            Err(error) => (AuditOutcome::Failed, error.to_string()),
        };
        if let Err(error) = self.log.end(act_id, &act, state, &details).await {
            let (action, target) = (act.action.as_str(), act.target);
            let error: &dyn Error = &error;
            tracing::error!(
                %act_id, action, target, error,
                "what an act came to could not be written to the audit log"
            );
        }
        outcome
    }
}

#[async_trait]
impl Projectors for Audited<dyn Projectors> {
    async fn status(&self) -> Result<Vec<ProjectorStatus>, ReadError> {
        self.inner.status().await
    }

    async fn start(&self, projector: &str) -> Result<(), SteerError> {
        let act = self.to_server(AuditAction::ProjectorStart, projector);
        self.tell(act, self.inner.start(projector), |()| String::new()).await
    }

    async fn stop(&self, projector: &str) -> Result<(), SteerError> {
        let act = self.to_server(AuditAction::ProjectorStop, projector);
        self.tell(act, self.inner.stop(projector), |()| String::new()).await
    }
}

#[async_trait]
impl DeadLetters for Audited<dyn DeadLetters> {
    async fn list(
        &self,
        tenant: Option<&TenantId>,
        projector: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        self.inner.list(tenant, projector, after, limit).await
    }

    async fn show(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError> {
        self.inner.show(projector, wallet).await
    }

    async fn replay(&self, projector: &str, wallet: &WalletKey) -> Result<Replay, DeadLetterError> {
        let act = self.to_letter(AuditAction::DeadLetterReplay, projector, wallet);
        self.tell(act, self.inner.replay(projector, wallet), replayed).await
    }

    async fn discard(
        &self,
        projector: &str,
        wallet: &WalletKey,
        version: u64,
        reason: &str,
    ) -> Result<Replay, DeadLetterError> {
        let act = Act {
            details: format!("version {version}: {reason}"),
            ..self.to_letter(AuditAction::DeadLetterDiscard, projector, wallet)
        };
        self.tell(act, self.inner.discard(projector, wallet, version, reason), replayed).await
    }
}

fn replayed(replay: &Replay) -> String {
    match replay {
        Replay::Applied { events } => format!("{events} events applied"),
        Replay::StillParked(letter) => format!("still parked at version {}", letter.version),
    }
}

#[async_trait]
impl Recovery for Audited<dyn Recovery> {
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError> {
        let action = match kind {
            OperationKind::Rebuild => AuditAction::Rebuild,
            OperationKind::Drift => AuditAction::Drift,
            OperationKind::Retry => AuditAction::Retry,
        };
        let act = match &scope {
            Scope::All => self.to_server(action, "*"),
            Scope::Wallet(key) => self.to(action, &key.tenant, key.wallet_id.to_string()),
            Scope::Since(ShardPosition { shard, position }) => Act {
                details: format!("from position {position} of shard {shard}"),
                ..self.to_server(action, "*")
            },
        };
        let tell = |begun: &Operation| format!("operation {}", begun.id);
        self.tell(act, self.inner.begin(kind, scope), tell).await
    }

    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, ReadError> {
        self.inner.operation(id).await
    }

    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError> {
        self.inner.outbox().await
    }

    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError> {
        let act = Act {
            details: format!("older than {older_than_ms} ms"),
            ..self.to_server(AuditAction::OutboxClean, "outbox")
        };
        let tell = |rows: &u64| format!("{rows} rows deleted");
        self.tell(act, self.inner.clean_outbox(older_than_ms), tell).await
    }

    async fn sweep_idempotency(&self) -> Result<u64, ReadError> {
        let act = self.to_server(AuditAction::IdempotencySweep, "idempotency-keys");
        let tell = |rows: &u64| format!("{rows} records deleted");
        self.tell(act, self.inner.sweep_idempotency(), tell).await
    }

    async fn statistics(&self) -> Result<Statistics, ReadError> {
        self.inner.statistics().await
    }
}
