//! Reading both legs of a transfer, from the ledger.

use std::time::Duration;

use tokio::time::Instant;
use wallex_domain::{TenantId, TransferId};
use wallex_ports::{EntryType, LedgerEntry, Projected, ReadModels, ShardPosition};

use crate::projected::{Awaited, Behind, ProjectionError, ask_until};

/// A transfer takes from one wallet and gives to another.
const LEGS: usize = 2;

/// The legs of a transfer, one of them at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferLegs {
    /// The paying wallet's line; `None` when its event was left out of the ledger by hand.
    pub from: Option<LedgerEntry>,
    /// The receiving wallet's line; `None` when its event was left out of the ledger by hand.
    pub to: Option<LedgerEntry>,
}

/// The legs of a transfer; `None` when there is no such transfer. That is known only once the ledger
/// has every event that the write side had when it was asked, which it waits for `at_most` so long.
/// So is a leg that was left out by hand: one that is there says that both were committed.
///
/// # Errors
/// [`ProjectionError::Behind`] when the ledger does not get there in time.
pub async fn get_transfer(
    models: &dyn ReadModels,
    tenant: &TenantId,
    transfer_id: TransferId,
    at_most: Duration,
) -> Result<Option<Projected<TransferLegs>>, ProjectionError> {
    let deadline = Instant::now() + at_most;
    let ask = || models.transfer(tenant, transfer_id);
    let first = ask().await?;
    if first.value.len() == LEGS {
        return Ok(legs_of(first));
    }
    let heads = models.heads().await?;
    let found_or_none = |found: &Projected<Vec<LedgerEntry>>| {
        !found.value.is_empty() || has_reached(&found.positions, &heads)
    };
    let (found, is_enough) = ask_until(models, at_most, ask, found_or_none).await?;
    if !is_enough {
        return Err(behind(found));
    }
    if found.value.len() != 1 {
        return Ok(legs_of(found));
    }
    // The transfer may have been committed since: only heads that were read behind its first leg are
    // known to have its other one.
    let heads = models.heads().await?;
    let complete = |found: &Projected<Vec<LedgerEntry>>| {
        found.value.len() == LEGS || has_reached(&found.positions, &heads)
    };
    let left = deadline.saturating_duration_since(Instant::now());
    match ask_until(models, left, ask, complete).await? {
        (found, true) => Ok(legs_of(found)),
        (found, false) => Err(behind(found)),
    }
}

fn behind(found: Projected<Vec<LedgerEntry>>) -> ProjectionError {
    let awaited = Awaited::Transfer { legs: found.value.len() };
    ProjectionError::Behind(Behind { awaited, positions: found.positions })
}

fn legs_of(found: Projected<Vec<LedgerEntry>>) -> Option<Projected<TransferLegs>> {
    let leg = |wanted| found.value.iter().find(|leg| leg.entry_type == wanted).cloned();
    let value = TransferLegs { from: leg(EntryType::TransferOut), to: leg(EntryType::TransferIn) };
    let is_there = value.from.is_some() || value.to.is_some();
    is_there.then_some(Projected { value, positions: found.positions })
}

/// Whether `positions` are at `heads` or behind them, in every shard.
fn has_reached(positions: &[ShardPosition], heads: &[ShardPosition]) -> bool {
    let position =
        |shard| positions.iter().find(|at| at.shard == shard).map_or(0, |at| at.position);
    heads.iter().all(|head| position(head.shard) >= head.position)
}
