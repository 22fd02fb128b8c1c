//! Units that are not what was decided.

use wallex_domain::WalletEvent;
use wallex_ports::{IdGenerator, NewEvent, StreamAppend, Unit, planted};

/// Every so many units that a defect is about have it; all others are as they should be.
const EVERY_KEY: u64 = 3;
const EVERY_TRANSFER: u64 = 5;

/// What is committed in the place of `unit`.
pub(super) fn spoiled(unit: &Unit, ids: &dyn IdGenerator) -> Unit {
    let mut unit = unit.clone();
    if planted::is("skip-version-check") {
        unit.reads.clear();
    }
    if unit.claim.is_some() && planted::passes("forget-key", EVERY_KEY) {
        unit.claim = None;
    }
    let is_transfer = unit.appends.len() > 1;
    if is_transfer && planted::passes("lose-transfer-leg", EVERY_TRANSFER) {
        unit.appends.pop();
    }
    if is_transfer && planted::passes("transfer-twice", EVERY_TRANSFER) {
        for leg in &mut unit.appends {
            if let Some(twice) = twice(leg, ids) {
                *leg = twice;
            }
        }
    }
    unit
}

/// A leg of a transfer and the same once more, if the wallet bears it.
fn twice(leg: &StreamAppend, ids: &dyn IdGenerator) -> Option<StreamAppend> {
    let first = leg.events.last()?;
    let mut second = first.event.clone();
    match &mut second {
        WalletEvent::Debited(moved) => {
            moved.balance_after = moved.balance_after.checked_sub(moved.amount)?;
        }
        WalletEvent::Credited(moved) => {
            moved.balance_after = moved.balance_after.checked_add(moved.amount)?;
        }
        WalletEvent::Created { .. } => return None,
    }
    let mut leg = leg.clone();
    leg.state.wallet.apply(&second).ok()?;
    let place = (&leg.stream, leg.state.wallet.version(), first.hash);
    let (id, metadata) = (ids.next().into(), first.metadata.clone());
    let second = NewEvent::chained(place, id, second, metadata, first.recorded_at);
    leg.events.push(second);
    Some(leg)
}
