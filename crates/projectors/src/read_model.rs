//! The read model: `wallets`, one row a wallet, as of the last event that was applied.

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_ports::{Place, WalletKey, WalletState};

use crate::event::Batch;
use crate::fold::Folded;
use crate::new_batch;
use crate::projector::{ApplyError, Poison, Projector, sentence};
use crate::reconcile::{Findings, Mode, Stretch, reconcile_states};
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
        if batch.is_new {
            return apply_new(tx, batch).await;
        }
        let histories = batch.by_wallet();
        let mut standing: HashMap<WalletKey, Result<Folded, String>> = HashMap::new();
        for row in wallets::load(tx, batch.shard, histories.keys().copied()).await? {
            let folded = wallets::state(&row).map(|(_, state)| Folded::of_state(&state));
            standing.insert(tables::key(&row)?, folded.map_err(|error| sentence(&error)));
        }
        let mut states = Vec::with_capacity(histories.len());
        let mut poison = Vec::new();
        for (key, events) in &histories {
            let before = standing.remove(*key).unwrap_or_else(|| Ok(Folded::default()));
            let folded = before.map(|mut folded| {
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
        Ok(wallets::upsert(tx, batch.shard, &states).await?)
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

/// Inserts the wallets that begin, and moves the others on where what must stand before does.
async fn apply_new(tx: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
    let followed = new_batch::follow(batch).ok_or(ApplyError::NotNew)?;
    let begun = followed.iter().filter(|f| f.before.is_none());
    let begun: Vec<(&WalletKey, WalletState)> =
        begun.filter_map(|f| Some((f.key, f.folded.state(f.key)?))).collect();
    wallets::insert(tx, batch.shard, &begun).await?;
    let moves = followed.iter().filter_map(|f| {
        let (before, after) = (f.before?, f.folded.standing?);
        Some(wallets::Move { key: f.key, before, after, at: f.latest })
    });
    let moves: Vec<_> = moves.collect();
    let moved = wallets::move_on(tx, batch.shard, &moves).await?;
    if moved == moves.len() as u64 { Ok(()) } else { Err(ApplyError::NotNew) }
}
