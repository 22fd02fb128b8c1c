//! Dead letters in the simulated store.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sea_orm::DbErr;
use wallex_domain::TenantId;
use wallex_ports::{DeadLetter, DeadLetterError, ReadError, StoredEvent, WalletKey};
use wallex_projectors::{
    ApplyError, Batch, Discarded, Event, LetterStore, LetterTransaction, Poison,
};

use super::ports::NodePorts;
use super::projection::{Letter, PROJECTORS, Projection};
use super::projector_store::{SimulatedProjectorStore, by_name};
use super::recovery_store::Asked;
use crate::plant::Plant;
use crate::violation::Check;

/// The dead letters, as one node settles them.
pub(crate) struct SimulatedLetters {
    pub(crate) ports: Arc<NodePorts>,
    /// What an operation was told before it replays; nothing for a replay by hand.
    pub(crate) asked: Option<Arc<Asked>>,
}

impl SimulatedLetters {
    fn of(&self, name: &'static str, wallet: &WalletKey) -> SimulatedProjectorStore {
        let shard = self.ports.world.tables().shards.of_wallet(wallet);
        SimulatedProjectorStore { ports: Arc::clone(&self.ports), name, shard }
    }

    async fn look<T: Send>(
        &self,
        look: impl FnOnce(&NodePorts) -> T + Send,
    ) -> Result<T, ReadError> {
        self.ports.background_statement("while dead letters are looked at").await?;
        let found = look(&self.ports);
        self.ports.background_answer("while dead letters are looked at").await?;
        Ok(found)
    }
}

fn letter(
    name: &str,
    shard: u16,
    wallet: &WalletKey,
    letter: &Letter,
    ports: &NodePorts,
) -> DeadLetter {
    let now = wallex_ports::Clock::now(ports);
    DeadLetter {
        projector: name.to_owned(),
        wallet: wallet.clone(),
        shard,
        version: letter.version,
        position: letter.position,
        event_id: letter.event_id,
        event_type: letter.event_type.clone(),
        error: String::new(),
        attempts: 1,
        queued_events: 0,
        parked_at: now,
        tried_at: now,
    }
}

#[async_trait]
impl LetterStore for SimulatedLetters {
    fn knows(&self, projector: &str) -> bool {
        PROJECTORS.contains(&projector)
    }

    async fn find(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<DeadLetter, DeadLetterError> {
        let found = self.look(|ports| {
            let tables = ports.world.tables();
            let shard = tables.shards.of_wallet(wallet);
            let row = &tables.projections[&(by_name(projector), shard)];
            row.letters.get(wallet).map(|l| letter(projector, shard, wallet, l, ports))
        });
        found.await?.ok_or(DeadLetterError::NotParked)
    }

    async fn list(
        &self,
        _tenant: Option<&TenantId>,
        _projector: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        self.look(|ports| {
            let tables = ports.world.tables();
            let mut all: Vec<DeadLetter> = Vec::new();
            for ((name, shard), row) in &tables.projections {
                let letters = row.letters.iter();
                all.extend(letters.map(|(wallet, l)| letter(name, *shard, wallet, l, ports)));
            }
            all.sort_by(|a, b| (&a.projector, &a.wallet).cmp(&(&b.projector, &b.wallet)));
            let is_behind = |letter: &DeadLetter| {
                after.is_none_or(|after| (letter.projector.as_str(), &letter.wallet) > after)
            };
            all.into_iter().filter(is_behind).take(limit as usize).collect()
        })
        .await
    }

    async fn event_of(&self, _letter: &DeadLetter) -> Result<Option<StoredEvent>, ReadError> {
        Ok(None)
    }

    async fn begin(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<Box<dyn LetterTransaction>, ReadError> {
        let store = self.of(by_name(projector), wallet);
        if let Some(asked) = &self.asked
            && !asked.runs(projector, store.shard)
        {
            let what = format!("{projector} replays by itself, and nobody asked whether it may");
            self.ports.world.violated(Check::Steering, what);
        }
        self.ports.background_statement("before a dead letter is replayed").await?;
        let number = store.number();
        Ok(Box::new(Transaction {
            store,
            number,
            wallet: wallet.clone(),
            staged: Mutex::default(),
        }))
    }
}

/// A transaction about one parked wallet.
struct Transaction {
    store: SimulatedProjectorStore,
    number: u64,
    wallet: WalletKey,
    staged: Mutex<Option<Projection>>,
}

impl Transaction {
    fn staged<T>(&self, with: impl FnOnce(&mut Projection) -> T) -> Result<T, DbErr> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = || DbErr::Custom("the checkpoint was not held first".to_owned());
        Ok(with(staged.as_mut().ok_or_else(nothing)?))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.store.release(self.number);
    }
}

fn storage(error: DbErr) -> ReadError {
    ReadError::Storage(error.into())
}

#[async_trait]
impl LetterTransaction for Transaction {
    async fn hold(&self) -> Result<u64, ReadError> {
        self.store.ports.background_statement("before a checkpoint is held").await?;
        let row = self.store.hold(self.number).await;
        let position = row.position;
        *self.staged.lock().unwrap_or_else(PoisonError::into_inner) = Some(row);
        Ok(position)
    }

    async fn letter(&self) -> Result<DeadLetter, DeadLetterError> {
        let (store, wallet) = (&self.store, &self.wallet);
        let found = self.staged(|row| {
            let found = row.letters.get(wallet);
            found.map(|found| letter(store.name, store.shard, wallet, found, &store.ports))
        });
        found.map_err(storage)?.ok_or(DeadLetterError::NotParked)
    }

    async fn waiting(&self, version: u64, upto: u64, limit: u32) -> Result<Vec<Event>, ReadError> {
        self.store.ports.background_statement("while events that wait are read").await?;
        let tables = self.store.world().tables();
        let due = tables.events.iter().filter(|event| {
            event.wallet == self.wallet && event.version >= version && event.position <= upto
        });
        Ok(due.take(limit as usize).map(|event| tables.read(event)).collect())
    }

    async fn discarded(&self) -> Result<Discarded, ReadError> {
        Ok(Discarded::default())
    }

    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        self.store.project(&self.staged, batch).await
    }

    async fn postpone(&self, poison: &Poison) -> Result<(), DbErr> {
        self.store.ports.background_statement("while a dead letter is put off").await?;
        self.staged(|row| {
            let letter = row.letters.get_mut(&self.wallet);
            if let Some(letter) = letter.filter(|letter| letter.version <= poison.version) {
                *letter = Letter::of(poison);
            }
        })
    }

    async fn unpark(&self) -> Result<(), DbErr> {
        self.store.ports.background_statement("while a dead letter is deleted").await?;
        self.staged(|row| drop(row.letters.remove(&self.wallet)))
    }

    async fn lost_before(&self, _letter: &DeadLetter) -> Result<Vec<u64>, DbErr> {
        Ok(Vec::new())
    }

    async fn leave_out(
        &self,
        _letter: &DeadLetter,
        _lost: &[u64],
        _reason: &str,
    ) -> Result<(), DbErr> {
        Err(DbErr::Custom("nothing is left out in a simulation".to_owned()))
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        let ports = &self.store.ports;
        ports.background_statement("before a replay is committed").await?;
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(row) = &mut staged {
            let tables = self.store.world().tables();
            if tables.plant == Some(Plant::LettersLost) {
                let stands = &tables.projections[&(self.store.name, self.store.shard)];
                row.wallets.clone_from(&stands.wallets);
                row.lines.clone_from(&stands.lines);
            }
        }
        let written = staged.is_none_or(|staged| self.store.write(self.number, staged));
        if !written {
            return Err(DbErr::Custom("the transaction was ended".to_owned()));
        }
        ports.background_answer("after a replay was committed").await?;
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        self.store.ports.background_statement("while a replay is taken back").await?;
        Ok(())
    }
}
