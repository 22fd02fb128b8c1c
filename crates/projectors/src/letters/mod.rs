//! Dead letters: replayed, discarded.

mod sql;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::DbErr;
use wallex_database::read_error;
use wallex_domain::TenantId;
use wallex_ports::{
    DeadLetter, DeadLetterError, DeadLetters, ReadError, Replay, StoredEvent, WalletKey,
};

#[cfg(test)]
pub(crate) use sql::postpone;
pub use store::{LetterStore, LetterTransaction};

use crate::event::{Batch, Event};
use crate::projector::{ApplyError, Poison};

/// Events that one transaction replays, at most: meanwhile the projector waits.
const CHUNK_EVENTS_MAX: u32 = 500;
/// How often a replay begins anew because what can't be applied has changed meanwhile.
const ROUNDS_MAX: u32 = 8;

/// The dead letters of a store.
pub struct Letters {
    pub(crate) store: Arc<dyn LetterStore>,
}

impl Letters {
    /// Those of `store`.
    #[must_use]
    pub fn on(store: Arc<dyn LetterStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl DeadLetters for Letters {
    async fn list(
        &self,
        tenant: Option<&TenantId>,
        projector: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        self.store.list(tenant, projector, after, limit).await
    }

    async fn show(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError> {
        let letter = self.store.find(projector, wallet).await?;
        let event = self.store.event_of(&letter).await?;
        Ok((letter, event))
    }

    async fn replay(&self, projector: &str, wallet: &WalletKey) -> Result<Replay, DeadLetterError> {
        replay(&*self.store, projector, wallet).await
    }

    async fn discard(
        &self,
        projector: &str,
        wallet: &WalletKey,
        version: u64,
        reason: &str,
    ) -> Result<Replay, DeadLetterError> {
        discard(&*self.store, projector, wallet, version, reason).await
    }
}

/// What one transaction of a replay came to.
enum Step {
    /// The wallet is no longer parked.
    Settled(u64),
    /// There are more events behind these.
    More(u64),
    /// This one can't be applied; nothing was written.
    Poison(Poison),
    /// What stands before the poison is applied.
    Stuck,
}

/// Applies the events of a parked wallet that wait, in order, up to the first that still can't be applied.
async fn replay(
    store: &dyn LetterStore,
    projector: &str,
    wallet: &WalletKey,
) -> Result<Replay, DeadLetterError> {
    if !store.knows(projector) {
        return Err(DeadLetterError::NotParked);
    }
    let (mut applied, mut poison, mut rounds) = (0, None, 0);
    loop {
        match step(store, projector, wallet, poison.as_ref()).await? {
            Step::Settled(events) => return Ok(Replay::Applied { events: applied + events }),
            Step::More(events) => (applied, poison) = (applied + events, None),
            Step::Poison(found) if rounds < ROUNDS_MAX => {
                (poison, rounds) = (Some(found), rounds + 1);
            }
            Step::Stuck | Step::Poison(_) => {
                let letter = store.find(projector, wallet).await?;
                return Ok(Replay::StillParked(Box::new(letter)));
            }
        }
    }
}

/// One transaction of a replay: the events up to `before`, where that is known to be poison.
async fn step(
    store: &dyn LetterStore,
    projector: &str,
    wallet: &WalletKey,
    before: Option<&Poison>,
) -> Result<Step, DeadLetterError> {
    let tx = store.begin(projector, wallet).await?;
    let checkpoint = tx.hold().await?;
    let letter = tx.letter().await?;
    if letter.position > checkpoint {
        // The checkpoint was set back: the projector has still to come to this event.
        tx.rollback().await.map_err(read_error)?;
        return Ok(Step::Stuck);
    }
    let waiting = tx.waiting(letter.version, checkpoint, CHUNK_EVENTS_MAX + 1).await?;
    let discarded = tx.discarded().await?;
    let first_is_there = waiting.first().is_some_and(|e| e.version == letter.version);
    if !first_is_there && !discarded.contains(wallet, letter.version) {
        let error = "the event is gone".to_owned();
        tx.postpone(&Poison { error, ..poison_of(&letter) }).await.map_err(read_error)?;
        tx.commit().await.map_err(read_error)?;
        return Ok(Step::Stuck);
    }
    let next = waiting.get(CHUNK_EVENTS_MAX as usize);
    let due: Vec<&Event> = waiting
        .iter()
        .take(CHUNK_EVENTS_MAX as usize)
        .filter(|event| !discarded.contains(wallet, event.version))
        .filter(|event| before.is_none_or(|poison| event.version < poison.version))
        .collect();
    let batch = Batch { shard: letter.shard, events: &due, discarded: &discarded, is_new: false };
    match tx.project(&batch).await {
        Ok(()) => {}
        Err(ApplyError::Poison(mut found)) if !found.is_empty() => {
            tx.rollback().await.map_err(read_error)?;
            return Ok(Step::Poison(found.swap_remove(0)));
        }
        Err(ApplyError::Poison(_) | ApplyError::NotNew) => {
            let error = DbErr::Custom("a projector named no poison".to_owned());
            return Err(read_error(error).into());
        }
        Err(ApplyError::Storage(error)) => return Err(read_error(error).into()),
    }
    let applied = due.len() as u64;
    let step = match (before, next) {
        (Some(poison), _) => {
            tx.postpone(poison).await.map_err(read_error)?;
            Step::Stuck
        }
        (None, Some(next)) => {
            let next = Poison::of(next, "it waits behind one that was replayed".to_owned());
            tx.postpone(&next).await.map_err(read_error)?;
            Step::More(applied)
        }
        (None, None) => {
            tx.unpark().await.map_err(read_error)?;
            Step::Settled(applied)
        }
    };
    tx.commit().await.map_err(read_error)?;
    Ok(step)
}

/// Leaves the event at which a wallet is parked out of the projection, and replays what waits behind it.
async fn discard(
    store: &dyn LetterStore,
    projector: &str,
    wallet: &WalletKey,
    version: u64,
    reason: &str,
) -> Result<Replay, DeadLetterError> {
    if !store.knows(projector) {
        return Err(DeadLetterError::NotParked);
    }
    let tx = store.begin(projector, wallet).await?;
    tx.hold().await?;
    let letter = tx.letter().await?;
    if letter.version != version {
        return Err(DeadLetterError::Moved(Box::new(letter)));
    }
    let lost = tx.lost_before(&letter).await.map_err(read_error)?;
    if letter.version == 1 || lost.contains(&1) {
        return Err(DeadLetterError::Creation);
    }
    tx.leave_out(&letter, &lost, reason).await.map_err(read_error)?;
    tx.commit().await.map_err(read_error)?;
    tracing::warn!(
        projector,
        wallet.id = %wallet.wallet_id,
        version,
        "an event was left out of a projection by hand"
    );
    replay(store, projector, wallet).await
}

pub(crate) fn poison_of(letter: &DeadLetter) -> Poison {
    Poison {
        wallet: letter.wallet.clone(),
        version: letter.version,
        position: letter.position,
        event_id: letter.event_id,
        event_type: letter.event_type.clone(),
        error: letter.error.clone(),
    }
}
