//! What recovery needs of the database: the table of operations, and transactions about a page of a walk.
//!
//! [`Operations`](super::Operations) and the walk decide, an implementation carries out: SQL in production, and
//! a simulated store that fails on purpose. Calls are about a page or an operation, never about one event.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sea_orm::DbErr;
use uuid::Uuid;
use wallex_domain::EventHash;
use wallex_ports::{
    Operation, OperationKind, Progress, ReadError, Report, Scope, ShardPosition, Shards, WalletKey,
};

use crate::event::Event;
use crate::reconcile::{Findings, Mode, Span, Stretch};
use crate::walk::Written;

/// What became of the wish to begin.
#[derive(Debug)]
pub enum Begun {
    /// It is this process's: new, or taken over where it stands.
    Mine {
        /// The operation.
        operation: Box<Operation>,
        /// Where it stands; empty when it is new.
        resume_at: String,
    },
    /// Another of its kind is running.
    Running(Box<Operation>),
}

/// Whose operation it is: every write of a run names both, so that one that was frozen can't write
/// once another process has gone on with its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mine {
    /// The operation.
    pub id: Uuid,
    /// The run.
    pub owner: String,
}

/// How far an operation has come.
#[derive(Debug, Clone, Copy)]
pub struct Stand<'a> {
    /// In numbers.
    pub progress: &'a Progress,
    /// What was found.
    pub report: &'a Report,
    /// Where it goes on; empty for one that begins anew.
    pub resume_at: &'a str,
}

/// A wallet that is parked, or an event of it that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// The projector, by its place among them.
    pub projector: usize,
    /// The wallet.
    pub wallet: WalletKey,
    /// The version of the event that it is parked at, or that was left out.
    pub version: u64,
    /// Whether the event was left out by hand.
    pub left_out: bool,
}

/// The database, as recovery sees it.
#[async_trait]
pub trait RecoveryStore: Send + Sync {
    /// The shards.
    ///
    /// # Errors
    /// When the database is not migrated.
    fn shards(&self) -> Result<Shards, ReadError>;

    /// The projectors, in the order of their names.
    fn projectors(&self) -> &[&'static str];

    /// How many events a page has.
    fn page_events(&self, mode: Mode) -> u32;

    /// Whether a transaction that writes keeps all others from writing.
    fn has_one_writer(&self) -> bool;

    /// Begins an operation under the name `id`, or takes over an interrupted rebuild of the same scope.
    ///
    /// # Errors
    /// The database's.
    async fn begin(&self, kind: OperationKind, scope: &Scope, mine: &Mine) -> Result<Begun, DbErr>;

    /// The operation of that identity.
    ///
    /// # Errors
    /// The database's.
    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, DbErr>;

    /// The oldest operation of a kind that was interrupted.
    ///
    /// # Errors
    /// The database's.
    async fn oldest_interrupted(&self, kind: OperationKind) -> Result<Option<Operation>, DbErr>;

    /// Keeps the lease of an operation; whether it is still that run's.
    ///
    /// # Errors
    /// The database's.
    async fn renew(&self, mine: &Mine) -> Result<bool, DbErr>;

    /// Records how far an operation has come; whether it is still that run's.
    ///
    /// # Errors
    /// The database's.
    async fn record(&self, mine: &Mine, stand: Stand<'_>) -> Result<bool, DbErr>;

    /// Records how an operation ended, or that it was left in the middle.
    ///
    /// # Errors
    /// The database's.
    async fn end(&self, mine: &Mine, operation: &Operation) -> Result<bool, DbErr>;

    /// Where an operation stands, and goes on; `None` when it is another run's.
    ///
    /// # Errors
    /// The database's.
    async fn reload(&self, mine: &Mine) -> Result<Option<(Operation, String)>, DbErr>;

    /// The heads of all shards, as of one moment.
    ///
    /// # Errors
    /// The database's.
    async fn heads(&self) -> Result<Vec<u64>, DbErr>;

    /// Whether any table that is compared has something of a wallet.
    ///
    /// # Errors
    /// The database's.
    async fn knows(&self, wallet: &WalletKey) -> Result<bool, DbErr>;

    /// How many events a wallet has.
    ///
    /// # Errors
    /// The database's.
    async fn events_of(&self, wallet: &WalletKey) -> Result<u64, ReadError>;

    /// The wallets that have their first event at or behind `since` among the `len` positions from `window`
    /// on, in their order: over all windows, each wallet comes once.
    ///
    /// # Errors
    /// The database's.
    async fn wallets_of_window(
        &self,
        since: ShardPosition,
        window: u64,
        len: u64,
    ) -> Result<BTreeSet<WalletKey>, DbErr>;

    /// How many wallets are parked.
    ///
    /// # Errors
    /// The database's.
    async fn parked(&self) -> Result<u64, ReadError>;

    /// Whether a projector that was not stopped has parked a wallet.
    ///
    /// # Errors
    /// The database's.
    async fn is_retry_due(&self) -> Result<bool, ReadError>;

    /// Whether a projector was stopped by hand: whoever did so may not want its code to run.
    ///
    /// # Errors
    /// The database's.
    async fn is_stopped(&self, projector: &str, shard: u16) -> Result<bool, ReadError>;

    /// Begins the transaction of a page in a shard. In [`Mode::Compare`] it sees one state of the database,
    /// whatever is committed meanwhile.
    ///
    /// # Errors
    /// The database's.
    async fn begin_page(&self, shard: u16, mode: Mode) -> Result<Box<dyn PageTransaction>, DbErr>;
}

/// What is done with each event of a page, and with what its hash covers.
pub type Visit<'a> = dyn FnMut(Event, Option<Written>) -> Result<(), DbErr> + Send + 'a;

/// A transaction in which a page is read and compared, and in [`Mode::Repair`] put right. Dropped, it is
/// rolled back.
#[async_trait]
pub trait PageTransaction: Send + Sync {
    /// The projectors' checkpoints, in their order; in [`Mode::Repair`] they are held until the transaction
    /// ends. `None` for one that has none.
    ///
    /// # Errors
    /// The database's.
    async fn checkpoints(&self) -> Result<Vec<Option<u64>>, DbErr>;

    /// Calls `visit` with the first `limit` events in `span`, in the order of wallets and versions; in
    /// [`Mode::Compare`] with what their hashes cover.
    ///
    /// # Errors
    /// The database's, or that of `visit`.
    async fn events(&self, span: &Span, limit: u32, visit: &mut Visit<'_>) -> Result<(), DbErr>;

    /// What is parked and what was left out, in the wallets of `span`.
    ///
    /// # Errors
    /// The database's.
    async fn aside(&self, span: &Span) -> Result<Vec<Aside>, DbErr>;

    /// Compares the rows of a projector with a stretch, and in [`Mode::Repair`] puts right what differs.
    ///
    /// # Errors
    /// The database's.
    async fn reconcile(&self, projector: usize, stretch: &Stretch<'_>) -> Result<Findings, DbErr>;

    /// Compares the write side's states with a stretch.
    ///
    /// # Errors
    /// The database's.
    async fn compare_states(&self, stretch: &Stretch<'_>) -> Result<Findings, DbErr>;

    /// Compares the hashes that the next events will be chained to with `heads`.
    ///
    /// # Errors
    /// The database's.
    async fn compare_heads(
        &self,
        stretch: &Stretch<'_>,
        heads: &BTreeMap<WalletKey, EventHash>,
    ) -> Result<Findings, DbErr>;

    /// As [`RecoveryStore::record`], in this transaction.
    ///
    /// # Errors
    /// The database's.
    async fn record(&self, mine: &Mine, stand: Stand<'_>) -> Result<bool, DbErr>;

    /// Makes everything durable.
    ///
    /// # Errors
    /// The database's; it may have been committed all the same.
    async fn commit(self: Box<Self>) -> Result<(), DbErr>;

    /// Takes everything back.
    ///
    /// # Errors
    /// The database's.
    async fn rollback(self: Box<Self>) -> Result<(), DbErr>;
}
