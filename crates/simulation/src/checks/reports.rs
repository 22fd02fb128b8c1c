//! What an operation says that it found, held against what may differ.

use wallex_ports::Operation;

use crate::violation::Check;
use crate::world::World;

/// An operation that is done names no row but of wallets that something was done to.
pub(crate) fn check_report(world: &World, operation: &Operation) {
    let suspects = world.tables().suspects.clone();
    let is_suspect = |tenant: &str, wallet_id: &str| {
        suspects
            .iter()
            .any(|key| key.tenant.as_str() == tenant && key.wallet_id.as_str() == wallet_id)
    };
    for difference in &operation.report.differences {
        if !is_suspect(&difference.tenant, &difference.wallet_id) {
            let kind = operation.kind.as_str();
            world.violated(Check::Report, format!("a {kind} reports {difference:?}"));
        }
    }
}
