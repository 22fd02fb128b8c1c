//! What operators do stands in the audit log, with all that they asked for and what it came to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use uuid::Uuid;
use wallex_application::Audited;
use wallex_domain::{TenantId, WalletId};
use wallex_ports::{
    Act, Actor, AuditFilter, AuditLine, AuditLog, AuditOutcome, DeadLetter, DeadLetterError,
    DeadLetters, Operation, OperationKind, OperationState, OutboxShard, Progress, ReadError,
    Recovery, Replay, Report, Scope, ShardPosition, StartError, Statistics, StoredEvent, Timestamp,
    WalletKey,
};

const OPERATION: Uuid = Uuid::from_u128(7);

/// An audit log in memory.
#[derive(Default)]
struct Journal(Mutex<Vec<String>>);

impl Journal {
    fn write(&self, act: &Act, outcome: AuditOutcome, details: &str) {
        let Act { actor, action, target, .. } = act;
        let line = format!("{} {action} {target} {}: {details}", actor.id, outcome.as_str());
        self.0.lock().expect("no panic").push(line);
    }

    /// What was written since it was asked last.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

#[async_trait]
impl AuditLog for Journal {
    async fn begin(&self, act: &Act) -> Result<Uuid, ReadError> {
        self.write(act, AuditOutcome::Requested, &act.details);
        Ok(Uuid::nil())
    }

    async fn end(
        &self,
        _: Uuid,
        act: &Act,
        outcome: AuditOutcome,
        details: &str,
    ) -> Result<(), ReadError> {
        self.write(act, outcome, details);
        Ok(())
    }

    async fn list(&self, _: &AuditFilter, _: u32) -> Result<Vec<AuditLine>, ReadError> {
        unreachable!("what was written is seen in memory")
    }
}

fn key() -> WalletKey {
    WalletKey { tenant: TenantId::default(), wallet_id: WalletId::parse("w-1").expect("valid") }
}

fn letter(version: u64) -> DeadLetter {
    let at = Timestamp::from_unix_ms(0);
    DeadLetter {
        projector: "ledger".to_owned(),
        wallet: key(),
        shard: 0,
        version,
        position: version,
        event_id: Uuid::nil().into(),
        event_type: "WalletCredited".to_owned(),
        error: "no such wallet".to_owned(),
        attempts: 1,
        queued_events: 0,
        parked_at: at,
        tried_at: at,
    }
}

/// One letter, behind which another event can't be applied, either.
struct OneLetter;

#[async_trait]
impl DeadLetters for OneLetter {
    async fn list(
        &self,
        _: Option<&TenantId>,
        _: Option<&str>,
        _: Option<(&str, &WalletKey)>,
        _: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        Ok(vec![letter(3)])
    }

    async fn show(
        &self,
        _: &str,
        _: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError> {
        Ok((letter(3), None))
    }

    async fn replay(&self, _: &str, _: &WalletKey) -> Result<Replay, DeadLetterError> {
        Ok(Replay::Applied { events: 4 })
    }

    async fn discard(
        &self,
        _: &str,
        _: &WalletKey,
        _: u64,
        _: &str,
    ) -> Result<Replay, DeadLetterError> {
        Ok(Replay::StillParked(Box::new(letter(5))))
    }
}

/// A recovery that does all that it is asked for.
struct Obliging;

#[async_trait]
impl Recovery for Obliging {
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError> {
        let at = Timestamp::from_unix_ms(0);
        Ok(Operation {
            id: OPERATION,
            kind,
            scope,
            state: OperationState::Running,
            progress: Progress::default(),
            report: Report::default(),
            error: None,
            started_at: at,
            updated_at: at,
            finished_at: None,
        })
    }

    async fn operation(&self, _: Uuid) -> Result<Option<Operation>, ReadError> {
        Ok(None)
    }

    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError> {
        Ok(vec![OutboxShard { shard: 2, head: 9, ..OutboxShard::default() }])
    }

    async fn clean_outbox(&self, _: u64) -> Result<u64, ReadError> {
        Ok(11)
    }

    async fn sweep_idempotency(&self) -> Result<u64, ReadError> {
        Ok(12)
    }

    async fn statistics(&self) -> Result<Statistics, ReadError> {
        Ok(Statistics { events: 13, ..Statistics::default() })
    }
}

/// `port`, as Ann uses it, and the log.
fn audited<P: ?Sized>(port: Arc<P>) -> (Audited<P>, Arc<Journal>) {
    let journal = Arc::new(Journal::default());
    let actor = Actor { id: "ann".to_owned(), correlation_id: None };
    (Audited::new(port, journal.clone(), actor), journal)
}

#[tokio::test]
async fn what_is_done_to_dead_letters_stands_with_its_reason_and_what_is_left() {
    let (letters, journal) = audited::<dyn DeadLetters>(Arc::new(OneLetter));
    letters.discard("ledger", &key(), 3, "a test's").await.expect("done");
    letters.replay("ledger", &key()).await.expect("done");
    assert_eq!(
        journal.take(),
        [
            "ann dead_letter.discard ledger/w-1 requested: version 3: a test's",
            "ann dead_letter.discard ledger/w-1 done: still parked at version 5",
            "ann dead_letter.replay ledger/w-1 requested: ",
            "ann dead_letter.replay ledger/w-1 done: 4 events applied",
        ]
    );
}

#[tokio::test]
async fn recovery_stands_with_what_it_was_about_and_what_it_did() {
    let (recovery, journal) = audited::<dyn Recovery>(Arc::new(Obliging));
    let since = Scope::Since(ShardPosition { shard: 2, position: 70 });
    recovery.begin(OperationKind::Rebuild, since).await.expect("begun");
    recovery.begin(OperationKind::Drift, Scope::Wallet(key())).await.expect("begun");
    recovery.clean_outbox(5_000).await.expect("done");
    recovery.sweep_idempotency().await.expect("done");
    let operation = format!("operation {OPERATION}");
    assert_eq!(
        journal.take(),
        [
            "ann recovery.rebuild * requested: from position 70 of shard 2",
            &format!("ann recovery.rebuild * done: {operation}"),
            "ann recovery.drift w-1 requested: ",
            &format!("ann recovery.drift w-1 done: {operation}"),
            "ann outbox.clean outbox requested: older than 5000 ms",
            "ann outbox.clean outbox done: 11 rows deleted",
            "ann idempotency.sweep idempotency-keys requested: ",
            "ann idempotency.sweep idempotency-keys done: 12 records deleted",
        ]
    );
}

#[tokio::test]
async fn what_only_reads_is_passed_on_and_leaves_no_line() {
    let (letters, journal) = audited::<dyn DeadLetters>(Arc::new(OneLetter));
    assert_eq!(letters.list(None, None, None, 10).await.expect("read"), [letter(3)]);
    assert_eq!(letters.show("ledger", &key()).await.expect("read").0, letter(3));
    assert!(journal.take().is_empty());
    let (recovery, journal) = audited::<dyn Recovery>(Arc::new(Obliging));
    assert_eq!(recovery.outbox().await.expect("read").first().map(|one| one.head), Some(9));
    assert_eq!(recovery.statistics().await.expect("read").events, 13);
    assert!(journal.take().is_empty());
}
