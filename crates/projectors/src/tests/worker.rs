//! One worker, in a time of its own, and a store that answers as it is told to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DbErr;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use wallex_domain::{Balance, Currency, OwnerId, WalletEvent};
use wallex_outbox::{Committed, Tail};
use wallex_ports::{BoxError, Timestamp, WalletKey};

use super::fixture::key;
use crate::{
    ApplyError, Batch, Event, Filled, Parking, Poison, ProjectorStore, ProjectorTransaction, Seat,
    Signals, Worker, WorkerSettings,
};

/// A projector's row and events, and what was asked of them.
#[derive(Default)]
struct Table {
    /// What was committed, in any process.
    history: Vec<Committed>,
    /// Whether somebody else has the seat.
    is_taken: bool,
    position: u64,
    /// How many of the next wishes for the seat fail.
    unanswered_takes: u32,
    /// How many of the next commits write, and lose their answer.
    lost_commits: u32,
    /// Whether no transaction begins.
    refuses: bool,
    /// When the seat was asked for.
    takes: Vec<Instant>,
    /// When it was given back.
    leaves: Vec<Instant>,
    reads: u32,
    renewals: u32,
    /// The positions of each batch that was committed.
    batches: Vec<Vec<u64>>,
}

#[derive(Clone, Default)]
struct Store {
    table: Arc<Mutex<Table>>,
    failures: watch::Sender<u32>,
}

impl Store {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ProjectorStore for Store {
    fn projector(&self) -> &'static str {
        "ledger"
    }

    fn shard(&self) -> u16 {
        0
    }

    async fn take(&self) -> Result<Option<(Seat, u64)>, DbErr> {
        let mut table = self.table();
        table.takes.push(Instant::now());
        assert!(table.takes.len() < 1_000, "it asks for its seat without a pause");
        if table.unanswered_takes > 0 {
            table.unanswered_takes -= 1;
            return Err(DbErr::Custom("no answer".to_owned()));
        }
        let seat = Seat { projector: "ledger", shard: 0, epoch: 1 };
        Ok((!table.is_taken).then_some((seat, table.position)))
    }

    async fn renew(&self, _: &Seat) -> Result<Option<u64>, DbErr> {
        let mut table = self.table();
        table.renewals += 1;
        Ok(Some(table.position))
    }

    async fn wait(&self, _: &Seat) -> Result<bool, DbErr> {
        Ok(true)
    }

    async fn fail(&self, _: &Seat, _: &str) -> Result<bool, DbErr> {
        self.failures.send_modify(|failures| *failures += 1);
        Ok(true)
    }

    async fn position(&self, _: &Seat) -> Result<Option<u64>, DbErr> {
        Ok(Some(self.table().position))
    }

    async fn leave(&self, _: &Seat) -> Result<(), DbErr> {
        self.table().leaves.push(Instant::now());
        Ok(())
    }

    async fn read_after(&self, after: u64, limit: u32) -> Result<Vec<Event>, BoxError> {
        let mut table = self.table();
        table.reads += 1;
        assert!(table.reads < 10_000, "it reads without a pause");
        let behind = table.history.iter().filter(|committed| committed.position > after);
        Ok(behind.take(limit as usize).map(Event::of_committed).collect())
    }

    async fn begin(&self) -> Result<Box<dyn ProjectorTransaction>, DbErr> {
        if self.table().refuses {
            return Err(DbErr::Custom("refused for a test".to_owned()));
        }
        Ok(Box::new(Transaction { store: self.clone(), written: Mutex::default() }))
    }
}

struct Transaction {
    store: Store,
    written: Mutex<Vec<u64>>,
}

#[async_trait]
impl ProjectorTransaction for Transaction {
    async fn advance(&self, _: &Seat, from: u64, _: u64, _: u64) -> Result<Option<Filled>, DbErr> {
        let stands = self.store.table().position;
        Ok((stands == from).then_some(Filled { letters: false, discards: false }))
    }

    async fn parking(&self, _: &BTreeSet<&WalletKey>, _: Filled) -> Result<Parking, DbErr> {
        Ok(Parking::default())
    }

    async fn park(&self, _: &[&Poison]) -> Result<(), DbErr> {
        Ok(())
    }

    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        let positions = batch.events.iter().map(|event| event.position);
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend(positions);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        let written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut table = self.store.table();
        table.position = written.last().copied().unwrap_or(table.position);
        table.batches.push(written);
        if table.lost_commits > 0 {
            table.lost_commits -= 1;
            return Err(DbErr::Custom("the answer is lost, on purpose".to_owned()));
        }
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        Ok(())
    }
}

/// A worker of a process that commits.
struct Process {
    store: Store,
    tail: Arc<Tail>,
    committed: watch::Sender<()>,
    applied: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Process {
    /// Lets a worker follow `store`, with at most three events in a transaction.
    fn start(store: &Store) -> Self {
        let (tail, committed) = (Arc::new(Tail::default()), watch::Sender::new(()));
        let (stop, applied) = (watch::Sender::new(false), watch::Sender::new(0));
        let signals = Signals { stop: stop.subscribe(), committed: committed.subscribe() };
        let of_worker = Arc::new(store.clone()) as Arc<dyn ProjectorStore>;
        let settings = WorkerSettings::default();
        let subscribed = applied.subscribe();
        let worker = Worker::new(of_worker, Arc::clone(&tail), 3, settings, signals, applied);
        let running = tokio::spawn(worker.run());
        Self { store: store.clone(), tail, committed, applied: subscribed, stop, running }
    }

    /// Commits as many events at once.
    fn commit(&self, events: u64) {
        let head = self.store.table().history.len() as u64;
        let committed: Vec<_> = (head + 1..=head + events).map(event).collect();
        self.store.table().history.extend(committed.iter().cloned());
        self.tail.push(0, committed.into());
        self.committed.send_replace(());
    }

    async fn applied(&mut self, batches: u64) {
        self.applied.wait_for(|applied| *applied >= batches).await.expect("it works");
    }

    /// How long it takes to stop.
    async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.stop.send_replace(true);
        self.running.await.expect("no panic");
        asked.elapsed()
    }
}

fn event(position: u64) -> Committed {
    Committed {
        wallet: key(&format!("w-{position}")),
        version: 1,
        position,
        event_id: uuid::Uuid::from_u128(position.into()).into(),
        event: WalletEvent::Created {
            owner_id: OwnerId::parse("owner").expect("valid"),
            currency: Currency::parse("USD").expect("valid"),
            initial_balance: Balance::ZERO,
        },
        recorded_at: Timestamp::from_unix_ms(0),
        traceparent: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_a_seat_looks_once_a_second_and_stops_at_once() {
    let store = Store::default();
    store.table().is_taken = true;
    let process = Process::start(&store);
    for _ in 0..9 {
        sleep(Duration::from_secs(1)).await;
        process.commit(1);
    }
    assert!((9..=10).contains(&store.table().takes.len()), "whatever is committed");
    assert_eq!(process.stop().await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_could_not_be_asked_for_is_asked_for_again_and_less_and_less_often() {
    let store = Store::default();
    store.table().unanswered_takes = 10;
    let mut process = Process::start(&store);
    process.commit(1);
    process.applied(1).await;
    {
        let takes = &store.table().takes;
        assert_eq!(takes.len(), 11);
        assert!(takes[1] - takes[0] <= Duration::from_millis(100));
        assert!(takes[10] - takes[9] >= Duration::from_secs(5));
    }
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_keeps_its_lease_and_looks_now_and_then() {
    let store = Store::default();
    let process = Process::start(&store);
    sleep(Duration::from_secs(60)).await;
    {
        let table = store.table();
        assert!((100..150).contains(&table.reads), "{}, twice a second", table.reads);
        assert!((30..=40).contains(&table.renewals), "{} of a lease of 5 s", table.renewals);
    }
    assert_eq!(process.stop().await, Duration::ZERO);
    assert_eq!(store.table().leaves.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_answer_was_lost_costs_no_seat() {
    let store = Store::default();
    store.table().lost_commits = 1;
    let mut process = Process::start(&store);
    process.commit(2);
    store.failures.subscribe().wait_for(|failures| *failures == 1).await.expect("it fails");
    process.commit(1);
    process.applied(1).await;
    process.stop().await;
    let table = store.table();
    assert_eq!(table.batches, [vec![1, 2], vec![3]]);
    assert_eq!((table.takes.len(), table.leaves.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn after_eight_failures_others_may_have_the_seat_for_a_while() {
    let store = Store::default();
    store.table().refuses = true;
    let process = Process::start(&store);
    process.commit(1);
    store.failures.subscribe().wait_for(|failures| *failures == 9).await.expect("it fails");
    {
        let table = store.table();
        assert_eq!((table.takes.len(), table.leaves.len()), (2, 1));
        // Others look once a second.
        assert!(table.takes[1] - table.leaves[0] > Duration::from_secs(1));
    }
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_after_failures_stops_at_once() {
    let store = Store::default();
    store.table().refuses = true;
    let process = Process::start(&store);
    process.commit(1);
    store.failures.subscribe().wait_for(|failures| *failures == 7).await.expect("it fails");
    // By now it waits for three seconds at least.
    tokio::task::yield_now().await;
    assert_eq!(process.stop().await, Duration::ZERO);
}

/// What this process commits is not read, and what comes while a batch was applied gathers for the next.
#[tokio::test(start_paused = true)]
async fn what_was_just_committed_is_taken_from_the_tail_in_batches() {
    let store = Store::default();
    let mut process = Process::start(&store);
    sleep(Duration::from_secs(1)).await;
    let reads = store.table().reads;
    process.commit(1);
    process.applied(1).await;
    for _ in 0..2 {
        process.commit(1);
        tokio::task::yield_now().await;
    }
    process.applied(2).await;
    // Two batches, of which the second begins in the middle of what was committed at once.
    sleep(Duration::from_millis(25)).await;
    process.commit(5);
    process.applied(4).await;
    assert_eq!(store.table().batches, [vec![1], vec![2, 3], vec![4, 5, 6], vec![7, 8]]);
    assert_eq!(store.table().reads, reads);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_is_followed_by_the_next_without_a_pause() {
    let store = Store::default();
    store.table().history = (1..=10).map(event).collect();
    let began = Instant::now();
    let mut process = Process::start(&store);
    process.applied(4).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    process.stop().await;
}
