//! What becomes of one batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_ports::{DeadLetters as _, Replay};
use wallex_testkit::{TempDatabase, on_both_databases};

use super::fixture::{World, key};
use super::leases::{apply, events, seat, store};
use crate::apply::{Applied, BatchError, Step};
use crate::event::Event;
use crate::{ApplyError, Batch, Discarded, Findings, Mode, Projector, Stretch, projectors};

on_both_databases!(
    what_is_new_is_written_without_a_second_try,
    a_wallet_is_parked_at_the_first_event_that_can_not_be_applied_and_told_once,
    what_was_left_out_stays_out_when_it_comes_again,
    what_was_left_out_last_stays_out_when_it_comes_again,
    what_a_projector_can_not_do_is_told_at_once,
);

/// What a projector answers.
type Answer = Box<dyn Fn(&Batch<'_>) -> Result<(), ApplyError> + Send + Sync>;

/// In the ledger's place, answers as it is told to.
pub(super) struct Answering {
    answer: Answer,
    asked: AtomicU32,
}

impl Answering {
    pub(super) fn new(
        answer: impl Fn(&Batch<'_>) -> Result<(), ApplyError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Projector for Answering {
    fn name(&self) -> &'static str {
        "ledger"
    }

    async fn apply(&self, _: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(asked < 100, "it is asked for ever");
        (self.answer)(batch)
    }

    async fn reconcile(
        &self,
        _: &DatabaseTransaction,
        _: &Stretch<'_>,
        _: Mode,
    ) -> Result<Findings, DbErr> {
        Ok(Findings::default())
    }
}

async fn what_is_new_is_written_without_a_second_try(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("a", 100).await;
    world.open("b", 100).await;
    let opened = events(&world, 0).await;
    world.credit("a", 5).await;
    world.transfer("a", "b", 30).await;
    let moved = events(&world, 2).await;
    for events in [opened, moved] {
        let (events, discarded) = (&*events.iter().collect::<Vec<_>>(), &Discarded::default());
        let tx = world.db.begin().await.expect("begun");
        for projector in projectors().iter() {
            let batch = Batch { shard: 0, events, discarded, is_new: true };
            let applied = projector.apply(&tx, &batch).await;
            assert!(applied.is_ok(), "{}: {applied:?}", projector.name());
        }
        tx.commit().await.expect("committed");
    }
    world.projections_are_right().await;
}

/// A line of `other` stands where the second of `bad` belongs, whose wallet is yet to come.
async fn robbed(database: TempDatabase) -> World {
    let mut world = World::on(database).await;
    world.open("other", 100).await;
    world.credit("other", 1).await;
    world.project().await;
    world.execute("UPDATE ledger_entries SET wallet_id = 'bad' WHERE version = 2").await;
    world
}

fn parked(applied: &Applied) -> Vec<(&str, u64)> {
    let Applied::Committed { parked } = applied else { panic!("{applied:?}") };
    parked.iter().map(|poison| (poison.wallet.wallet_id.as_str(), poison.version)).collect()
}

async fn a_wallet_is_parked_at_the_first_event_that_can_not_be_applied_and_told_once(
    database: TempDatabase,
) {
    let mut world = robbed(database).await;
    for wallet in ["a", "bad", "z"] {
        world.open(wallet, 100).await;
        for amount in 1..=4 {
            world.credit(wallet, amount).await;
        }
    }
    // This one shows at once, the place that is taken only when what stands before it is written.
    let frozen = "UPDATE events SET type = 'WalletFrozen' WHERE wallet_id = 'bad' AND version = 4";
    world.execute(frozen).await;
    let (mine, from) = seat(&world, "a").await.expect("free");
    let batch = events(&world, from).await;
    let applied = apply(&world, &mine, from, &batch).await;
    assert_eq!(parked(&applied), [("bad", 2)]);
    let (letter, _) = world.letters().show("ledger", &key("bad")).await.expect("parked");
    assert_eq!(letter.version, 2);
    let lines = "SELECT count(*) FROM ledger_entries WHERE wallet_id IN ('a', 'z')";
    assert_eq!(world.number(lines).await, 10);

    world.credit("bad", 9).await;
    world.credit("z", 9).await;
    let batch = events(&world, from + 15).await;
    let applied = apply(&world, &mine, from + 15, &batch).await;
    assert_eq!(parked(&applied), []);
    assert_eq!(world.number(lines).await, 11);
}

/// A crash of PostgreSQL takes a checkpoint back, and not what people decided.
async fn what_was_left_out_stays_out_when_it_comes_again(database: TempDatabase) {
    let mut world = robbed(database).await;
    world.open("bad", 100).await;
    for amount in 1..=3 {
        world.credit("bad", amount).await;
    }
    world.project().await;
    let back =
        "UPDATE ledger_entries SET wallet_id = 'other' WHERE wallet_id = 'bad' AND version = 2";
    world.execute(back).await;
    let discarded = world.letters().discard("ledger", &key("bad"), 2, "a test").await;
    assert_eq!(discarded.expect("discarded"), Replay::Applied { events: 2 });
    let rows = world.rows().await;
    for (from, count) in [(3, 1), (3, 3), (2, 4)] {
        let set = format!("UPDATE projector_checkpoints SET position = {from}, lease_until_ms = 0");
        world.execute(&set).await;
        let (mine, from) = seat(&world, "a").await.expect("free");
        let batch = events(&world, from).await;
        let applied = apply(&world, &mine, from, &batch[..count]).await;
        assert_eq!(parked(&applied), [], "{count} events behind {from}");
        assert_eq!(world.rows().await, rows, "{count} events behind {from}");
    }
}

async fn what_was_left_out_last_stays_out_when_it_comes_again(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("a", 100).await;
    world.credit("a", 1).await;
    world.execute("UPDATE events SET type = 'WalletFrozen' WHERE version = 2").await;
    world.project().await;
    for projector in ["read_model", "ledger"] {
        let discarded = world.letters().discard(projector, &key("a"), 2, "a test").await;
        assert_eq!(discarded.expect("discarded"), Replay::Applied { events: 0 });
    }
    let rows = world.rows().await;
    for from in [0, 1] {
        let set = format!("UPDATE projector_checkpoints SET position = {from}, lease_until_ms = 0");
        world.execute(&set).await;
        world.project().await;
        assert_eq!(world.number("SELECT count(*) FROM dead_letters").await, 0, "from {from} on");
        assert_eq!(world.rows().await, rows, "from {from} on");
    }
}

async fn what_a_projector_can_not_do_is_told_at_once(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    let (mine, from) = seat(&world, "a").await.expect("free");
    let batch: Vec<Event> = events(&world, from).await;
    let fail = async |answering: Arc<Answering>| -> (BatchError, u32) {
        let mut store = store(&world, "a");
        store.projector = Arc::clone(&answering) as Arc<dyn Projector>;
        let step = Step { store: &store, seat: &mine, events_per_second: 0 };
        let error = step.apply(from, &batch).await.expect_err("it fails");
        (error, answering.asked.load(Ordering::SeqCst))
    };
    // Whoever asks waits before the next try: the database may have too much to do.
    let refusing = Answering::new(|_| Err(DbErr::Custom("no".to_owned()).into()));
    let (error, asked) = fail(refusing).await;
    assert_eq!((error.name(), asked), ("permanent", 1));
    let (error, _) = fail(Answering::new(|_| panic!("for a test"))).await;
    assert_eq!(error.name(), "panicked");
    let never_settled = Answering::new(|_| Err(ApplyError::NotNew));
    let (error, asked) = fail(never_settled).await;
    assert_eq!((error.name(), asked), ("endless", 2));
    assert_eq!(
        world.number("SELECT position FROM projector_checkpoints WHERE owner = 'a'").await,
        0
    );
}
