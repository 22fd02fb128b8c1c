//! Wallets that are written as commands write them, and workers that follow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::ConnectionTrait;
use tokio::sync::watch;
use uuid::Uuid;
use wallex_database::{ConnectOptions, Database, DatabaseUrl, Row};
use wallex_domain::{
    Amount, Balance, Currency, Description, EventHash, EventId, Memo, OwnerId, Reference,
    TransferId, Wallet, WalletEvent, WalletId, transfer,
};
use wallex_outbox::Tail;
use wallex_ports::{
    Committer, CorrelationId, EventMetadata, NewEvent, ProjectorStatus, Projectors, Shards,
    StreamAppend, StreamState, Timestamp, Unit, UnitOutcome, WalletKey, WalletState,
};
use wallex_testkit::{TempDatabase, eventually};
use wallex_unit_of_work::SqlCommitter;

use crate::{Letters, Projector, SqlProjectors, WorkerSettings, WorkerTasks, Workers, projectors};

pub(super) fn key(wallet_id: &str) -> WalletKey {
    let wallet_id = WalletId::parse(wallet_id).expect("valid");
    WalletKey { tenant: Default::default(), wallet_id }
}

fn usd() -> Currency {
    Currency::parse("USD").expect("valid")
}

/// What a movement says of itself; one without a reference has none.
fn memo(reference: Option<&str>) -> Memo {
    let description = Some(Description::parse("rent").expect("valid"));
    let reference = reference.map(|text| Reference::parse(text).expect("valid"));
    Memo { description, reference }
}

/// A database, and the write side's wallets.
pub(super) struct World {
    pub(super) database: TempDatabase,
    pub(super) db: Arc<Database>,
    /// What this process committed.
    pub(super) tail: Arc<Tail>,
    committer: SqlCommitter,
    wallets: BTreeMap<String, StreamState>,
    committed: watch::Sender<()>,
    /// When it committed last.
    now_ms: i64,
}

impl World {
    pub(super) async fn on(database: TempDatabase) -> Self {
        Self::sharded(database, 1).await
    }

    pub(super) async fn sharded(database: TempDatabase, shards: u16) -> Self {
        let db = Arc::new(open(&database).await);
        wallex_migrations::up(&db, Shards::new(shards)).await.expect("migrated");
        let tail = Arc::new(Tail::default());
        let committer = SqlCommitter::new(Arc::clone(&db), Arc::clone(&tail));
        let (wallets, committed) = (BTreeMap::new(), watch::Sender::new(()));
        Self { database, db, tail, committer, wallets, committed, now_ms: 1_800_000_000_000 }
    }

    /// Commits one unit for all of `events`, each for its wallet.
    async fn commit(&mut self, events: Vec<(String, WalletEvent)>) {
        // No two commits at one time: which one is kept shows.
        self.now_ms += 1_000;
        let at = Timestamp::from_unix_ms(self.now_ms);
        let append = |(id, event): (String, WalletEvent)| {
            let (stream, before) = (key(&id), self.wallets.get(&id));
            let expected_version = before.map_or(0, |before| before.state.wallet.version());
            let created_at = before.map_or(at, |before| before.state.created_at);
            let previous = before.map_or(EventHash::BEFORE_FIRST, |before| before.last_hash);
            let wallet = match before {
                Some(before) => {
                    let mut wallet = before.state.wallet.clone();
                    wallet.apply(&event).expect("follows");
                    wallet
                }
                None => Wallet::from_created(stream.wallet_id.clone(), &event).expect("a creation"),
            };
            let metadata = EventMetadata {
                correlation_id: CorrelationId::parse("test").expect("valid"),
                causation_id: Uuid::from_u128(1),
                traceparent: None,
            };
            #[expect(clippy::disallowed_methods, reason = "a test's events need no decided ids")]
            let event_id = EventId::from(Uuid::now_v7());
            let place = (&stream, expected_version + 1, previous);
            let event = NewEvent::chained(place, event_id, event, metadata, at);
            let append = StreamAppend {
                stream,
                expected_version,
                events: vec![event],
                state: WalletState { wallet, created_at, updated_at: at },
            };
            self.wallets.insert(id, append.after());
            append
        };
        let appends = events.into_iter().map(append).collect();
        let units: Arc<[Unit]> = Arc::new([Unit { claim: None, reads: vec![], appends }]);
        let outcomes = self.committer.commit(units).await.expect("committed");
        assert!(matches!(outcomes[..], [UnitOutcome::Committed]), "{outcomes:?}");
        self.committed.send_replace(());
    }

    pub(super) async fn open(&mut self, id: &str, balance: i64) {
        let owner = OwnerId::parse("owner").expect("valid");
        let event = Wallet::open(owner, usd(), Balance::new(balance).expect("valid"));
        self.commit(vec![(id.to_owned(), event)]).await;
    }

    pub(super) async fn credit(&mut self, id: &str, amount: i64) {
        let amount = Amount::new(amount).expect("valid");
        let event =
            self.wallets[id].state.wallet.credit(amount, memo(Some("invoice-7"))).expect("room");
        self.commit(vec![(id.to_owned(), event)]).await;
    }

    pub(super) async fn transfer(&mut self, from: &str, to: &str, amount: i64) {
        let (amount, id) =
            (Amount::new(amount).expect("valid"), TransferId::from(Uuid::from_u128(7)));
        let wallet = |id: &str| &self.wallets[id].state.wallet;
        let moved = transfer(id, wallet(from), wallet(to), amount, memo(None));
        let moved = moved.expect("funds");
        let legs = vec![(from.to_owned(), moved.debit), (to.to_owned(), moved.credit)];
        self.commit(legs).await;
    }

    /// A process's workers for all projectors, on connections of their own.
    pub(super) async fn workers(&self, name: &str) -> WorkerTasks {
        self.workers_of(name, projectors(), true).await
    }

    pub(super) async fn workers_of(
        &self,
        name: &str,
        projectors: Arc<[Arc<dyn Projector>]>,
        auto_start: bool,
    ) -> WorkerTasks {
        let db = Arc::new(open(&self.database).await);
        wallex_migrations::up(&db, None).await.expect("migrated");
        Workers {
            db,
            tail: Arc::clone(&self.tail),
            projectors,
            settings: WorkerSettings { batch_events_max: Some(7), ..Default::default() },
            auto_start,
            committed: self.committed.subscribe(),
            applied: watch::Sender::new(0),
            owner: name.to_owned(),
        }
        .spawn()
    }

    pub(super) fn steering(&self) -> SqlProjectors {
        SqlProjectors::new(Arc::clone(&self.db))
    }

    pub(super) fn letters(&self) -> Letters {
        Letters::sql(Arc::clone(&self.db), projectors())
    }

    /// Waits until a projector has processed everything.
    pub(super) async fn caught_up(&self, projector: &str) {
        self.status_when(projector, |status| status.lag_events() == 0).await;
    }

    /// Waits until a projector stands as `wanted`, and tells how.
    pub(super) async fn status_when(
        &self,
        projector: &str,
        wanted: impl Fn(&ProjectorStatus) -> bool,
    ) -> ProjectorStatus {
        let steering = self.steering();
        eventually(&format!("{projector} stands as wanted"), async || {
            let all = steering.status().await.expect("the database answers");
            all.into_iter().find(|status| status.projector == projector && wanted(status))
        })
        .await
    }

    pub(super) async fn execute(&self, sql: &str) {
        self.db.write().execute_unprepared(sql).await.expect("executed");
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        let statement =
            self.db.backend().statement(format!("SELECT CAST(({sql}) AS bigint) AS n"), []);
        let row = self.db.read().query_one_raw(statement).await.expect("an answer");
        Row(row.expect("a row")).int("n").expect("a number")
    }

    /// Checks that both projections hold exactly what the write side holds.
    pub(super) async fn projections_are_right(&self) {
        let wallets = "SELECT count(*) FROM wallet_streams s JOIN wallets w ON w.shard = s.shard \
                       AND w.tenant = s.tenant AND w.wallet_id = s.wallet_id \
                       AND w.owner_id = s.owner_id AND w.currency = s.currency \
                       AND w.balance = s.balance AND w.version = s.version \
                       AND w.created_at_ms = s.created_at_ms AND w.updated_at_ms = s.updated_at_ms";
        let all = self.number("SELECT count(*) FROM wallet_streams").await;
        assert_eq!(self.number(wallets).await, all, "every wallet is as it should be");
        assert_eq!(self.number("SELECT count(*) FROM wallets").await, all, "and no other");
        let lines = "SELECT count(*) FROM events e JOIN ledger_entries l ON l.shard = e.shard \
                     AND l.tenant = e.tenant AND l.wallet_id = e.wallet_id \
                     AND l.version = e.version AND l.event_id = e.event_id \
                     AND l.position = e.position";
        let all = self.number("SELECT count(*) FROM events").await;
        assert_eq!(self.number(lines).await, all, "every event has its line");
        assert_eq!(self.number("SELECT count(*) FROM ledger_entries").await, all, "and no other");
        let sum = "SELECT coalesce(sum(CASE WHEN type IN ('opening', 'credit', 'transfer_in') \
                   THEN amount ELSE -amount END), 0) FROM ledger_entries";
        let balances = "SELECT coalesce(sum(balance), 0) FROM wallet_streams";
        assert_eq!(self.number(sum).await, self.number(balances).await, "the lines add up");
    }

    pub(super) async fn parked(&self) -> i64 {
        self.number("SELECT count(*) FROM dead_letters").await
    }
}

async fn open(database: &TempDatabase) -> Database {
    let url = DatabaseUrl::parse(database.url()).expect("valid");
    let options =
        ConnectOptions { acquire_timeout: Duration::from_secs(10), ..ConnectOptions::new(url) };
    Database::connect(&options).await.expect("connected")
}
