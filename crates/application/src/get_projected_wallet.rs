//! Reading one wallet from the read model: a moment behind, or as new as the caller asks for.

use std::time::Duration;

use wallex_ports::{Projected, ReadModels, WalletKey, WalletState, Wallets};

use crate::projected::{ProjectionError, ask_for_version};

/// The wallet of `key` as the read model has it, at `min_version` or later, which it waits for
/// `at_most` so long; `None` when there is no such wallet.
///
/// # Errors
/// [`ProjectionError::Behind`] when the read model has not come so far in time, or does not have a
/// wallet that there is.
pub async fn get_projected_wallet(
    models: &dyn ReadModels,
    wallets: &dyn Wallets,
    key: &WalletKey,
    min_version: Option<u64>,
    at_most: Duration,
) -> Result<Option<Projected<WalletState>>, ProjectionError> {
    let wanted = min_version.unwrap_or(1);
    let ask = || models.wallet(key);
    let version = |state: &Option<WalletState>| state.as_ref().map_or(0, |s| s.wallet.version());
    let found = ask_for_version((models, wallets), key, (wanted, at_most), ask, version).await?;
    Ok(found.and_then(|Projected { value, positions }| {
        value.map(|value| Projected { value, positions })
    }))
}
