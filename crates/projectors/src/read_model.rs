//! The read model: `wallets`, one row a wallet, as of the last event that was applied.

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_ports::{Place, WalletKey};

use crate::event::{Batch, Event};
use crate::fold::Folded;
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
        let histories = batch.by_wallet();
        let mut standing: HashMap<WalletKey, Result<Folded, String>> = HashMap::new();
        let begins = |events: &[&Event]| events.first().is_some_and(|event| event.version == 1);
        let standing_keys = histories.iter().filter(|(_, e)| !(batch.is_new && begins(e)));
        let standing_keys: Vec<&WalletKey> = standing_keys.map(|(key, _)| *key).collect();
        for row in wallets::load(tx, batch.shard, standing_keys.iter().copied()).await? {
            let folded = wallets::state(&row).map(|(_, state)| Folded::of_state(&state));
            standing.insert(tables::key(&row)?, folded.map_err(|error| sentence(&error)));
        }
        let (mut begun, mut states) = (Vec::new(), Vec::new());
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
                Ok(folded) => {
                    let rows =
                        if batch.is_new && begins(events) { &mut begun } else { &mut states };
                    rows.extend(folded.state(key).map(|state| (*key, state)));
                }
                // The row itself can't be read: nothing can be applied to it.
                Err(error) => poison.extend(events.first().map(|event| Poison::of(event, error))),
            }
        }
        if !poison.is_empty() {
            return Err(ApplyError::Poison(poison));
        }
        if !batch.is_new {
            return Ok(wallets::upsert(tx, batch.shard, &states).await?);
        }
        wallets::insert(tx, batch.shard, &begun).await?;
        let moved = wallets::move_on(tx, batch.shard, &states).await?;
        if moved == states.len() as u64 {
            Ok(())
        } else {
            // They were read a moment ago, in this transaction.
            let gone = format!("{moved} of {} wallets were updated", states.len());
            Err(DbErr::Custom(gone).into())
        }
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
