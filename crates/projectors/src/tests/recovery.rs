//! What the tests of rebuilds and drift checks share.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use tokio::sync::watch;
use uuid::Uuid;
use wallex_database::{Database, Row};
use wallex_idempotency::SqlIdempotencyRecords;
use wallex_ports::{
    IdGenerator, Operation, OperationKind, OperationState, Place, Recovery as _, Report, Scope,
};
use wallex_testkit::{TempDatabase, eventually};

use super::fixture::World;
use crate::{
    ApplyError, Batch, Findings, Ledger, Letters, Mode, Projector, ReadModel, RecoverySettings,
    SqlRecovery, Stretch, projectors,
};

struct Ids;

impl IdGenerator for Ids {
    #[expect(clippy::disallowed_methods, reason = "an operation of a test needs no decided id")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// The ledger, which waits in each page until it is allowed.
pub(super) struct Watched {
    /// Pages that have begun.
    pub(super) begun: watch::Sender<usize>,
    /// Pages that may end.
    pub(super) allowed: watch::Sender<usize>,
}

impl Watched {
    /// Lets `allowed` pages through.
    pub(super) fn new(allowed: usize) -> Arc<Self> {
        let (begun, allowed) = (watch::Sender::new(0), watch::Sender::new(allowed));
        Arc::new(Self { begun, allowed })
    }
}

#[async_trait]
impl Projector for Watched {
    fn name(&self) -> &'static str {
        "ledger"
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
        Ledger.apply(tx, batch).await
    }

    async fn reconcile(
        &self,
        tx: &DatabaseTransaction,
        stretch: &Stretch<'_>,
        mode: Mode,
    ) -> Result<Findings, DbErr> {
        self.begun.send_modify(|begun| *begun += 1);
        let (page, mut allowed) = (*self.begun.borrow(), self.allowed.subscribe());
        allowed.wait_for(|allowed| page <= *allowed).await.expect("the test is there");
        Ledger.reconcile(tx, stretch, mode).await
    }
}

/// On `db`, with pages of `page` events.
pub(super) fn recovery_on(
    db: Arc<Database>,
    projectors: Arc<[Arc<dyn Projector>]>,
    letters: Letters,
    page: u32,
) -> SqlRecovery {
    let settings = RecoverySettings { page_events_max: Some(page) };
    let expired = Arc::new(SqlIdempotencyRecords::new(Arc::clone(&db)));
    SqlRecovery::new(db, projectors, Arc::new(letters), expired, Arc::new(Ids), settings)
}

impl World {
    /// Three wallets with seven events, projected: `a` holds 75, `b` 130 and `c` 107.
    pub(super) async fn projected(database: TempDatabase, shards: u16) -> Self {
        let world = Self::filled(database, shards).await;
        world.project().await;
        world
    }

    /// The same, with nothing projected yet.
    pub(super) async fn filled(database: TempDatabase, shards: u16) -> Self {
        let mut world = Self::sharded(database, shards).await;
        for wallet in ["a", "b", "c"] {
            world.open(wallet, 100).await;
        }
        world.credit("a", 5).await;
        world.credit("c", 7).await;
        world.transfer("a", "b", 30).await;
        world
    }

    /// Projects what there is.
    pub(super) async fn project(&self) {
        let workers = self.workers("a").await;
        let behind = "SELECT count(*) FROM projector_checkpoints c JOIN shard_heads h \
                      ON h.shard = c.shard WHERE c.position < h.position";
        eventually("every projector has caught up in every shard", async || {
            (self.number(behind).await == 0).then_some(())
        })
        .await;
        workers.shutdown().await;
    }

    /// With pages of `page` events.
    pub(super) fn recovery(&self, page: u32) -> SqlRecovery {
        self.recovery_of(projectors(), page)
    }

    pub(super) fn recovery_watched(&self, watched: &Arc<Watched>, page: u32) -> SqlRecovery {
        let ledger: Arc<dyn Projector> = Arc::<Watched>::clone(watched);
        self.recovery_of(Arc::new([ledger, Arc::new(ReadModel)]), page)
    }

    /// Of a version of Wallex that has the ledger alone.
    pub(super) fn recovery_of_ledger(&self, watched: &Arc<Watched>, page: u32) -> SqlRecovery {
        self.recovery_of(Arc::new([Arc::<Watched>::clone(watched) as Arc<dyn Projector>]), page)
    }

    fn recovery_of(&self, projectors: Arc<[Arc<dyn Projector>]>, page: u32) -> SqlRecovery {
        recovery_on(Arc::clone(&self.db), projectors, self.letters(), page)
    }

    /// Runs an operation to its end.
    pub(super) async fn operate(&self, kind: OperationKind, scope: Scope, page: u32) -> Operation {
        let recovery = self.recovery(page);
        let begun = recovery.begin(kind, scope).await.expect("nothing else runs");
        recovery.idle().await;
        let ended = recovery.operation(begun.id).await.expect("an answer").expect("it is kept");
        assert_eq!(ended.state, OperationState::Done, "{:?}", ended.error);
        ended
    }

    pub(super) async fn drift(&self, page: u32) -> Report {
        self.operate(OperationKind::Drift, Scope::All, page).await.report
    }

    pub(super) async fn rebuild(&self, page: u32) -> Report {
        self.operate(OperationKind::Rebuild, Scope::All, page).await.report
    }

    /// Every row of both projections.
    pub(super) async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for (table, columns) in [
            (
                "wallets",
                "shard tenant wallet_id owner_id currency balance version created_at_ms \
                 updated_at_ms",
            ),
            (
                "ledger_entries",
                "shard tenant wallet_id version position event_id type amount balance_after \
                 currency description reference transfer_id counterparty recorded_at_ms",
            ),
        ] {
            let texts: Vec<_> = columns
                .split_whitespace()
                .map(|column| format!("coalesce(CAST({column} AS text), '-')"))
                .collect();
            let sql = format!("SELECT {} AS r FROM {table} ORDER BY 1", texts.join(" || ' ' || "));
            let found = self.db.read().query_all_raw(self.db.backend().statement(sql, [])).await;
            let found = found.expect("read").into_iter();
            rows.extend(found.map(|row| Row(row).text("r").expect("a text")));
        }
        rows
    }
}

/// Rows right, repaired, added and removed: of the ledger, and of the read model.
pub(super) fn tallies(report: &Report) -> [[u64; 4]; 2] {
    let of = |name: &str| {
        let table = report.tables.iter().find(|table| table.projector == name);
        table.map_or([0; 4], |t| [t.right, t.repaired, t.added, t.removed])
    };
    [of("ledger"), of("read_model")]
}

/// Where the chain is broken, and what is found there.
pub(super) fn broken_links(report: &Report) -> Vec<(&str, Option<u64>, &str)> {
    let links = report.differences.iter().filter(|d| d.what == "hash");
    links.map(|d| (d.wallet_id.as_str(), d.version, d.found.as_deref().unwrap_or(""))).collect()
}

/// All but the chain's: wallet, place, version, what, expected, found and difference.
pub(super) type Seen<'a> =
    (&'a str, Place, Option<u64>, &'a str, Option<&'a str>, Option<&'a str>, Option<i64>);

pub(super) fn seen(report: &Report) -> Vec<Seen<'_>> {
    assert_eq!(report.differences_total, report.differences.len() as u64);
    report
        .differences
        .iter()
        .filter(|d| d.what != "hash")
        .map(|d| {
            (
                d.wallet_id.as_str(),
                d.place,
                d.version,
                d.what.as_str(),
                d.expected.as_deref(),
                d.found.as_deref(),
                d.difference_minor,
            )
        })
        .collect()
}
