//! What one node sees of the store.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnAcquireErr, DbErr};
use uuid::Uuid;
use wallex_outbox::Tail;
use wallex_ports::{
    Clock, IdGenerator, IdempotencyRecords, KeyScope, ReadError, StoredRecord, StreamState,
    Timestamp, WalletKey, Wallets,
};

use crate::node::{self, Life};
use crate::world::World;

/// The wall clock's time when a run begins.
const EPOCH_MS: i64 = 1_800_000_000_000;

/// The database can't be had this time, or did not answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Away;

impl From<Away> for DbErr {
    fn from(_: Away) -> Self {
        Self::ConnectionAcquire(ConnAcquireErr::Timeout)
    }
}

impl From<Away> for ReadError {
    fn from(_: Away) -> Self {
        Self::Unavailable("away".into())
    }
}

/// One node's way to the store, for one life of the node.
#[derive(Clone)]
pub(crate) struct NodePorts {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
    /// What this node committed last.
    pub(crate) tail: Arc<Tail>,
}

impl NodePorts {
    /// A step of the store: time passes, and the node may die. Nobody comes back from here in a node
    /// that is dead.
    pub(crate) async fn step(&self, what: &str) {
        self.pass(what).await;
        self.only_the_living().await;
    }

    /// A step of background work, which has many of them: a node dies at one of them as rarely as at a
    /// command's.
    pub(crate) async fn background_step(&self, what: &str) {
        self.world.dally().await;
        let often = self.world.odds.crash.div_ceil(8);
        if !self.life.is_over() && self.world.strikes(often) {
            self.world.note(format_args!("crash of node {} {what}", self.life.index));
            node::kill(&self.world, &self.life);
        }
        self.only_the_living().await;
    }

    /// A step of background work that the database may not be there for.
    pub(crate) async fn background_statement(&self, what: &str) -> Result<(), Away> {
        self.only_the_living().await;
        self.background_answer(what).await
    }

    /// The same behind what was done: its answer may be lost.
    pub(crate) async fn background_answer(&self, what: &str) -> Result<(), Away> {
        self.background_step(what).await;
        if self.world.strikes(self.world.odds.unprojectable) {
            self.world.note(format_args!("node {}: no database {what}", self.life.index));
            return Err(Away);
        }
        Ok(())
    }

    /// The same, for what happens in the database: it goes on when the node is dead.
    pub(crate) async fn pass(&self, what: &str) {
        self.world.dally().await;
        if !self.life.is_over() && self.world.strikes(self.world.odds.crash) {
            self.world.note(format_args!("crash of node {} {what}", self.life.index));
            node::kill(&self.world, &self.life);
        }
    }

    /// Never returns in a node that is dead.
    pub(crate) async fn only_the_living(&self) {
        if self.life.is_over() {
            std::future::pending::<()>().await;
        }
    }

    async fn read<T>(&self, what: &str, read: impl FnOnce() -> T + Send) -> Result<T, ReadError> {
        self.only_the_living().await;
        self.step(what).await;
        let fault = self.world.strikes(self.world.odds.unreadable);
        // What was read is as old as the way back is long.
        let found = read();
        self.step(what).await;
        if !fault {
            return Ok(found);
        }
        self.world.note(format_args!("node {}: no answer {what}", self.life.index));
        if self.world.draw(|dice| dice.chance(800)) {
            Err(ReadError::Unavailable("away".into()))
        } else {
            Err(ReadError::Storage("not understood".into()))
        }
    }
}

#[async_trait]
impl Wallets for NodePorts {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        let find = || {
            let tables = self.world.tables();
            keys.iter().map(|key| tables.wallets.get(key).cloned()).collect()
        };
        self.read("while wallets are loaded", find).await
    }
}

#[async_trait]
impl IdempotencyRecords for NodePorts {
    async fn lookup(&self, scopes: &[KeyScope]) -> Result<Vec<Option<StoredRecord>>, ReadError> {
        let find = || {
            let tables = self.world.tables();
            let record = |scope| tables.records.get(scope).map(|kept| kept.record.clone());
            scopes.iter().map(record).collect()
        };
        self.read("while keys are looked up", find).await
    }
}

impl Clock for NodePorts {
    fn now(&self) -> Timestamp {
        let ms = i64::try_from(self.world.now_ms()).unwrap_or(0);
        Timestamp::from_unix_ms(EPOCH_MS + ms + self.world.odds.skew_ms[self.life.index])
    }
}

impl IdGenerator for NodePorts {
    fn next(&self) -> Uuid {
        Uuid::from_u128(self.world.next_id())
    }
}
