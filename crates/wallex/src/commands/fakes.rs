//! Projections in memory, and arguments as they are typed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use clap::Parser;
use uuid::Uuid;
use wallex_domain::TenantId;
use wallex_ports::{
    AccessScope, Act, Actor, ApiKey, ApiKeyError, ApiKeyId, ApiKeyState, ApiKeys, AuditFilter,
    AuditLine, AuditLog, AuditOutcome, DeadLetter, DeadLetterError, DeadLetters, IssuedKey,
    NewApiKey, Operation, OperationKind, OperationState, OutboxShard, Progress, ProjectorState,
    ProjectorStatus, Projectors, ReadError, Recovery, Replay, Report, Scope, Secret, StartError,
    Statistics, SteerError, StoredEvent, Timestamp, WalletKey,
};

use super::Ports;
use crate::cli::{Cli, Command, OperationArgs, wallet_key};

const NOW: Timestamp = Timestamp::from_unix_ms(1_767_225_600_007);

/// Changes an operation that is done.
type Ending = Box<dyn Fn(&mut Operation) + Send + Sync>;

/// What the commands work through.
#[derive(Default)]
pub(super) struct Fakes {
    /// The operation that was begun last.
    pub(super) begun: Mutex<Option<Operation>>,
    /// How it is when it is looked at again.
    pub(super) ending: Option<Ending>,
    /// An operation that is in the way.
    pub(super) running: Option<Operation>,
    /// What the ledger has parked.
    pub(super) letters: Mutex<BTreeMap<WalletKey, DeadLetter>>,
    /// The wallet whose cause is still there.
    pub(super) unhealed: Option<String>,
    /// Why events were discarded.
    pub(super) reasons: Mutex<Vec<String>>,
    /// The age that the last cleanup was asked for.
    pub(super) older_than_ms: AtomicU64,
    /// How many events the projectors have still to apply, one less at each look.
    pub(super) lag: AtomicU64,
    /// What stands in the audit log.
    pub(super) lines: Mutex<Vec<AuditLine>>,
}

impl Fakes {
    /// Operations are done at the second look, but for what `ending` changes.
    pub(super) fn ending_with(
        ending: impl Fn(&mut Operation) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { ending: Some(Box::new(ending)), ..Self::default() })
    }

    pub(super) fn ports(self: &Arc<Self>) -> Ports {
        let actor = Actor { id: "cli:somebody".to_owned(), correlation_id: None };
        let ports = Ports {
            projectors: self.clone(),
            dead_letters: self.clone(),
            recovery: self.clone(),
            keys: self.clone(),
            audit: self.clone(),
            actor,
        };
        ports.audited()
    }

    /// Has the ledger park a wallet.
    pub(super) fn park(&self, wallet_id: &str) {
        let wallet = wallet_key(&wallet_id.parse().expect("valid"), &TenantId::default());
        let letter = DeadLetter {
            projector: "ledger".to_owned(),
            wallet: wallet.clone(),
            shard: 0,
            version: 2,
            position: 12,
            event_id: Uuid::from_u128(7).into(),
            event_type: "WalletRenamed".to_owned(),
            error: "unknown type".to_owned(),
            attempts: 3,
            queued_events: 2,
            parked_at: NOW,
            tried_at: NOW,
        };
        self.letters.lock().expect("sound").insert(wallet, letter);
    }

    fn letter(&self, wallet: &WalletKey) -> Result<DeadLetter, DeadLetterError> {
        let letters = self.letters.lock().expect("sound");
        letters.get(wallet).cloned().ok_or(DeadLetterError::NotParked)
    }
}

/// An operation that has begun.
pub(super) fn operation(kind: OperationKind) -> Operation {
    Operation {
        id: Uuid::from_u128(1),
        kind,
        scope: Scope::All,
        state: OperationState::Running,
        progress: Progress { done: 50, total: 200, wallets: 5, elapsed_ms: 250 },
        report: Report::default(),
        error: None,
        started_at: NOW,
        updated_at: NOW,
        finished_at: None,
    }
}

/// A command as it is typed.
pub(super) fn command(words: &[&str]) -> Command {
    let cli = Cli::try_parse_from(std::iter::once(&"wallex").chain(words)).expect("valid");
    cli.command.expect("a command")
}

/// The arguments of an operation as they are typed.
pub(super) fn arguments(words: &[&str]) -> OperationArgs {
    match command(words) {
        Command::Rebuild(arguments) | Command::Drift(arguments) => arguments,
        other => panic!("{other:?}"),
    }
}

#[async_trait]
impl Projectors for Fakes {
    async fn status(&self) -> Result<Vec<ProjectorStatus>, ReadError> {
        let lag = self.lag.load(Ordering::SeqCst);
        self.lag.store(lag.saturating_sub(1), Ordering::SeqCst);
        let status = |name: &str| ProjectorStatus {
            projector: name.to_owned(),
            shard: 0,
            state: ProjectorState::Running,
            position: 1_042 - lag,
            head: 1_042,
            lag_age_ms: lag * 1_500,
            events_per_second: 900,
            holder: Some("host:7:abc".to_owned()),
            epoch: 3,
            updated_at: NOW,
            last_error: None,
            parked_wallets: 0,
        };
        Ok(["ledger", "read_model"].map(status).into())
    }

    async fn start(&self, projector: &str) -> Result<(), SteerError> {
        match projector {
            "ledger" | "read_model" => Ok(()),
            _ => Err(SteerError::UnknownProjector),
        }
    }

    async fn stop(&self, projector: &str) -> Result<(), SteerError> {
        self.start(projector).await
    }
}

#[async_trait]
impl DeadLetters for Fakes {
    async fn list(
        &self,
        _: Option<&TenantId>,
        _: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        let letters = self.letters.lock().expect("sound");
        let behind =
            letters.values().filter(|letter| after.is_none_or(|(_, w)| &letter.wallet > w));
        Ok(behind.take(limit as usize).cloned().collect())
    }

    async fn show(
        &self,
        _: &str,
        wallet: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError> {
        let event = StoredEvent {
            schema_version: 9,
            payload: "{not json".to_owned(),
            metadata: "{}".to_owned(),
            recorded_at: NOW,
        };
        Ok((self.letter(wallet)?, Some(event)))
    }

    async fn replay(&self, _: &str, wallet: &WalletKey) -> Result<Replay, DeadLetterError> {
        let letter = self.letter(wallet)?;
        if self.unhealed.as_deref() == Some(wallet.wallet_id.as_str()) {
            return Ok(Replay::StillParked(Box::new(letter)));
        }
        self.letters.lock().expect("sound").remove(wallet);
        Ok(Replay::Applied { events: letter.queued_events + 1 })
    }

    async fn discard(
        &self,
        projector: &str,
        wallet: &WalletKey,
        version: u64,
        reason: &str,
    ) -> Result<Replay, DeadLetterError> {
        let letter = self.letter(wallet)?;
        if letter.version != version {
            return Err(DeadLetterError::Moved(Box::new(letter)));
        }
        self.reasons.lock().expect("sound").push(reason.to_owned());
        self.replay(projector, wallet).await
    }
}

#[async_trait]
impl Recovery for Fakes {
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError> {
        if let Some(running) = &self.running {
            return Err(StartError::Running(Box::new(running.clone())));
        }
        let begun = Operation { scope, ..operation(kind) };
        *self.begun.lock().expect("sound") = Some(begun.clone());
        Ok(begun)
    }

    async fn operation(&self, _: Uuid) -> Result<Option<Operation>, ReadError> {
        let mut operation = self.begun.lock().expect("sound").clone().expect("begun");
        operation.state = OperationState::Done;
        operation.progress = Progress { done: 200, total: 200, wallets: 20, elapsed_ms: 1_000 };
        if let Some(ending) = &self.ending {
            ending(&mut operation);
        }
        Ok(Some(operation))
    }

    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError> {
        let shard = OutboxShard {
            shard: 0,
            head: 1_042,
            processed: 1_040,
            oldest_kept: None,
            lag_age_ms: 1_500,
        };
        Ok(vec![shard])
    }

    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError> {
        self.older_than_ms.store(older_than_ms, Ordering::SeqCst);
        Ok(33)
    }

    async fn sweep_idempotency(&self) -> Result<u64, ReadError> {
        Ok(44)
    }

    async fn statistics(&self) -> Result<Statistics, ReadError> {
        Ok(Statistics { events: 1_234, database_bytes: 4_096, ..Statistics::default() })
    }
}

/// The one key that there is.
fn shop() -> ApiKey {
    ApiKey {
        id: "abc123def456".parse().expect("valid"),
        tenant: TenantId::default(),
        name: "shop".parse().expect("valid"),
        scopes: [AccessScope::Admin].into_iter().collect(),
        state: ApiKeyState::Usable,
        created_by: "cli:somebody".to_owned(),
        created_at: NOW,
        expires_at: Some(NOW),
        revoked_at: None,
        replaced_by: None,
    }
}

#[async_trait]
impl ApiKeys for Fakes {
    async fn create(&self, new: &NewApiKey, _: &Actor) -> Result<IssuedKey, ReadError> {
        let NewApiKey { tenant, name, scopes, .. } = new.clone();
        let key = ApiKey { tenant, name, scopes, expires_at: None, ..shop() };
        Ok(IssuedKey { key, secret: Secret::new("wlx_secret".to_owned()) })
    }

    async fn list(&self, _: Option<&TenantId>) -> Result<Vec<ApiKey>, ReadError> {
        Ok(vec![shop()])
    }

    async fn rotate(&self, id: &ApiKeyId, _: u64, _: &Actor) -> Result<IssuedKey, ApiKeyError> {
        Err(ApiKeyError::Unknown(id.clone()))
    }

    async fn revoke(&self, id: &ApiKeyId, _: &Actor) -> Result<ApiKey, ApiKeyError> {
        if *id == shop().id { Ok(shop()) } else { Err(ApiKeyError::Unknown(id.clone())) }
    }
}

impl Fakes {
    fn write(&self, act_id: Uuid, act: &Act, outcome: AuditOutcome, details: &str) {
        let mut lines = self.lines.lock().expect("sound");
        let position = lines.len() as u64 + 1;
        lines.push(AuditLine {
            position,
            act_id,
            at: NOW,
            tenant: act.tenant.clone(),
            actor: act.actor.id.clone(),
            action: act.action.to_string(),
            target: act.target.clone(),
            outcome,
            details: details.to_owned(),
            correlation_id: None,
        });
    }
}

#[async_trait]
impl AuditLog for Fakes {
    async fn begin(&self, act: &Act) -> Result<Uuid, ReadError> {
        self.write(Uuid::nil(), act, AuditOutcome::Requested, &act.details);
        Ok(Uuid::nil())
    }

    async fn end(
        &self,
        act_id: Uuid,
        act: &Act,
        outcome: AuditOutcome,
        details: &str,
    ) -> Result<(), ReadError> {
        self.write(act_id, act, outcome, details);
        Ok(())
    }

    async fn list(&self, filter: &AuditFilter, _: u32) -> Result<Vec<AuditLine>, ReadError> {
        let lines = self.lines.lock().expect("sound");
        let by = |line: &&AuditLine| filter.actor.as_ref().is_none_or(|by| *by == line.actor);
        Ok(lines.iter().rev().filter(by).cloned().collect())
    }
}
