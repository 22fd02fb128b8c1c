//! The read model: `wallets`, one row a wallet, as of the last event that was applied.

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_ports::{Place, WalletKey, WalletState};

use crate::event::Batch;
use crate::fold::Folded;
use crate::new_batch;
use crate::projector::{ApplyError, Poison, Projector, sentence};
use crate::reconcile::{Findings, Mode, Stretch, reconcile_states};
use crate::rows::{Found, Move, WalletRows};
use crate::tables::{self, wallets};

/// Keeps `wallets`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadModel;

#[async_trait]
impl Projector for ReadModel {
    fn name(&self) -> &'static str {
        "read_model"
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
        project_wallets(&SqlRows { tx, shard: batch.shard }, batch).await
    }

    async fn reconcile(
        &self,
        tx: &DatabaseTransaction,
        stretch: &Stretch<'_>,
        mode: Mode,
    ) -> Result<Findings, DbErr> {
        reconcile_states(tx, wallets::TABLE, Place::ReadModel, stretch, mode).await
    }
}

/// Applies a batch to the rows of the read model.
///
/// # Errors
/// [`ApplyError`], as [`Projector::apply`].
pub async fn project_wallets(rows: &impl WalletRows, batch: &Batch<'_>) -> Result<(), ApplyError> {
    if batch.is_new {
        return apply_new(rows, batch).await;
    }
    let histories = batch.by_wallet();
    let keys: Vec<&WalletKey> = histories.keys().copied().collect();
    let mut standing = rows.standing(&keys).await?;
    let mut states = Vec::with_capacity(histories.len());
    let mut poison = Vec::new();
    for (key, events) in &histories {
        let before = standing.remove(*key).map(|found| found.map(|state| Folded::of_state(&state)));
        let folded = before.unwrap_or_else(|| Ok(Folded::default())).map(|mut folded| {
            // What was applied before comes again when a checkpoint was set back.
            let reached = folded.version();
            for event in events.iter().filter(|event| event.version > reached) {
                if let Err(error) = folded.follow(event, batch.discarded) {
                    poison.push(Poison::of(event, error));
                    break;
                }
            }
            folded
        });
        match folded {
            Ok(folded) => states.extend(folded.state(key).map(|state| (*key, state))),
            // The row itself can't be read: nothing can be applied to it.
            Err(error) => poison.extend(events.first().map(|event| Poison::of(event, error))),
        }
    }
    if !poison.is_empty() {
        return Err(ApplyError::Poison(poison));
    }
    rows.upsert(&states).await
}

/// Inserts the wallets that begin, and moves the others on where what must stand before does.
async fn apply_new(rows: &impl WalletRows, batch: &Batch<'_>) -> Result<(), ApplyError> {
    let followed = new_batch::follow(batch).ok_or(ApplyError::NotNew)?;
    let begun = followed.iter().filter(|f| f.before.is_none());
    let begun: Vec<(&WalletKey, WalletState)> =
        begun.filter_map(|f| Some((f.key, f.folded.state(f.key)?))).collect();
    rows.insert(&begun).await?;
    let moves = followed.iter().filter_map(|f| {
        let (before, after) = (f.before?, f.folded.standing?);
        Some(Move { key: f.key, before, after, at: f.latest })
    });
    let moves: Vec<_> = moves.collect();
    let moved = rows.move_on(&moves).await?;
    if moved == moves.len() as u64 { Ok(()) } else { Err(ApplyError::NotNew) }
}

/// The rows in the table.
struct SqlRows<'a> {
    tx: &'a DatabaseTransaction,
    shard: u16,
}

impl WalletRows for SqlRows<'_> {
    async fn standing(&self, keys: &[&WalletKey]) -> Result<Found<WalletState>, ApplyError> {
        let mut found = Found::new();
        for row in wallets::load(self.tx, self.shard, keys.iter().copied()).await? {
            let state = wallets::state(&row).map(|(_, state)| state);
            found.insert(tables::key(&row)?, state.map_err(|error| sentence(&error)));
        }
        Ok(found)
    }

    async fn insert(&self, rows: &[(&WalletKey, WalletState)]) -> Result<(), ApplyError> {
        Ok(wallets::insert(self.tx, self.shard, rows).await?)
    }

    async fn move_on(&self, moves: &[Move<'_>]) -> Result<u64, ApplyError> {
        Ok(wallets::move_on(self.tx, self.shard, moves).await?)
    }

    async fn upsert(&self, rows: &[(&WalletKey, WalletState)]) -> Result<(), ApplyError> {
        Ok(wallets::upsert(self.tx, self.shard, rows).await?)
    }
}
