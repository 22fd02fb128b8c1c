//! One batch, applied in one transaction with its checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use sea_orm::DbErr;
use thiserror::Error;
use wallex_database::{error_type, is_taken};
use wallex_ports::WalletKey;

use crate::checkpoint::Seat;
use crate::event::{Batch, Event};
use crate::projector::{ApplyError, Poison};
use crate::store::ProjectorStore;

/// What became of a batch.
#[derive(Debug)]
pub(crate) enum Applied {
    /// Effect and checkpoint are committed.
    Committed {
        /// Wallets that were parked with it.
        parked: Vec<Poison>,
    },
    /// The seat is another's, or the projector was stopped: nothing was written.
    SeatLost,
}

/// Why a batch was not applied. Nothing was written, or it was committed and its answer was lost:
/// the checkpoint tells.
#[derive(Debug, Error)]
pub(crate) enum BatchError {
    #[error("the database failed")]
    Storage(#[from] DbErr),
    #[error("the projector panicked")]
    Panicked,
    #[error("the projector finds ever more events that it can't apply")]
    Endless,
}

impl BatchError {
    /// `error.type` in traces.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Storage(error) => error_type(error),
            Self::Panicked => "panicked",
            Self::Endless => "endless",
        }
    }
}

/// How a batch is applied.
pub(crate) struct Step<'a> {
    pub(crate) store: &'a dyn ProjectorStore,
    pub(crate) seat: &'a Seat,
    pub(crate) events_per_second: u64,
}

impl Step<'_> {
    /// Applies `events`, which follow position `from`. Wallets with an event that can't be applied
    /// are parked at it; what they had before is applied, and all other wallets go on.
    pub(crate) async fn apply(&self, from: u64, events: &[Event]) -> Result<Applied, BatchError> {
        let Some(to) = events.last().map(|event| event.position) else {
            return Ok(Applied::Committed { parked: Vec::new() });
        };
        let wallets: BTreeSet<&WalletKey> = events.iter().map(|event| &event.wallet).collect();
        let mut poison: BTreeMap<WalletKey, Poison> = BTreeMap::new();
        let mut is_new = true;
        // Every round but the last finds a wallet more, or an earlier event of one; one finds that the
        // batch is not new.
        for _ in 0..=events.len() + 1 {
            let tx = self.store.begin().await?;
            let rate = self.events_per_second;
            let Some(filled) = tx.advance(self.seat, from, to, rate).await? else {
                tx.rollback().await?;
                return Ok(Applied::SeatLost);
            };
            let parking = tx.parking(&wallets, filled).await?;
            let new: Vec<&Poison> =
                poison.values().filter(|p| !parking.parked.contains(&p.wallet)).collect();
            if !new.is_empty() {
                tx.park(&new).await?;
            }
            let waits = |event: &Event| {
                parking.parked.contains(&event.wallet)
                    || poison.get(&event.wallet).is_some_and(|p| event.version >= p.version)
            };
            // One comes again where a checkpoint was set back.
            let is_left_out =
                |event: &Event| parking.discarded.contains(&event.wallet, event.version);
            let due: Vec<&Event> =
                events.iter().filter(|event| !waits(event) && !is_left_out(event)).collect();
            let shard = self.seat.shard;
            let batch = Batch { shard, events: &due, discarded: &parking.discarded, is_new };
            let applying = AssertUnwindSafe(tx.project(&batch)).catch_unwind();
            match applying.await.map_err(|_| BatchError::Panicked)? {
                Ok(()) => {
                    tx.commit().await?;
                    let parked = poison.into_values();
                    let parked = parked.filter(|p| !parking.parked.contains(&p.wallet)).collect();
                    return Ok(Applied::Committed { parked });
                }
                Err(ApplyError::Poison(found)) => {
                    tx.rollback().await?;
                    for found in found {
                        let earlier = poison.get(&found.wallet);
                        if earlier.is_none_or(|earlier| found.version < earlier.version) {
                            poison.insert(found.wallet.clone(), found);
                        }
                    }
                }
                Err(error) if is_new && is_not_new(&error) => {
                    tx.rollback().await?;
                    is_new = false;
                }
                Err(ApplyError::NotNew) => break,
                Err(ApplyError::Storage(error)) => return Err(error.into()),
            }
        }
        Err(BatchError::Endless)
    }
}

fn is_not_new(error: &ApplyError) -> bool {
    match error {
        ApplyError::NotNew => true,
        ApplyError::Storage(error) => is_taken(error),
        ApplyError::Poison(_) => false,
    }
}
