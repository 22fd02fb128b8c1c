//! Reading both legs of a transfer, from the ledger.

use std::time::Duration;

use wallex_domain::{TenantId, TransferId};
use wallex_ports::{EntryType, LedgerEntry, Projected, ReadModels, ShardPosition};

use crate::projected::{Awaited, Behind, ProjectionError, ask_until};

/// Both legs of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferLegs {
    /// The paying wallet's line.
    pub from: LedgerEntry,
    /// The receiving wallet's line.
    pub to: LedgerEntry,
}

/// The legs of a transfer; `None` when there is no such transfer. That is known only once the ledger
/// has every event that the write side had when it was asked, which it waits for `at_most` so long.
///
/// # Errors
/// [`ProjectionError::Behind`] when the ledger does not get there in time, or has one leg only.
pub async fn get_transfer(
    models: &dyn ReadModels,
    tenant: &TenantId,
    transfer_id: TransferId,
    at_most: Duration,
) -> Result<Option<Projected<TransferLegs>>, ProjectionError> {
    let ask = || models.transfer(tenant, transfer_id);
    let first = ask().await?;
    if let Some(legs) = both(&first.value) {
        return Ok(Some(Projected { value: legs, positions: first.positions }));
    }
    let heads = models.heads().await?;
    // With one leg there, the transfer was made: the other leg is waited for, wherever the ledger is.
    let enough = |found: &Projected<Vec<LedgerEntry>>| match found.value.as_slice() {
        [] => has_reached(&found.positions, &heads),
        legs => both(legs).is_some(),
    };
    let (found, is_enough) = ask_until(models, at_most, ask, enough).await?;
    match both(&found.value) {
        Some(legs) => Ok(Some(Projected { value: legs, positions: found.positions })),
        None if is_enough => Ok(None),
        None => {
            let awaited = Awaited::Transfer { legs: found.value.len() };
            Err(ProjectionError::Behind(Behind { awaited, positions: found.positions }))
        }
    }
}

fn both(legs: &[LedgerEntry]) -> Option<TransferLegs> {
    match legs {
        [from, to]
            if from.entry_type == EntryType::TransferOut
                && to.entry_type == EntryType::TransferIn =>
        {
            Some(TransferLegs { from: from.clone(), to: to.clone() })
        }
        _ => None,
    }
}

/// Whether `positions` are at `heads` or behind them, in every shard.
fn has_reached(positions: &[ShardPosition], heads: &[ShardPosition]) -> bool {
    let position =
        |shard| positions.iter().find(|at| at.shard == shard).map_or(0, |at| at.position);
    heads.iter().all(|head| position(head.shard) >= head.position)
}
