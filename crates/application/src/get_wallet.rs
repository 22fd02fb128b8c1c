//! Reading one wallet from the write side: what it says is committed, and current.

use wallex_ports::{ReadError, WalletKey, WalletState, Wallets};

/// The wallet of `key`; `None` when there is none.
///
/// # Errors
/// As [`Wallets::load`].
pub async fn get_wallet(
    wallets: &dyn Wallets,
    key: WalletKey,
) -> Result<Option<WalletState>, ReadError> {
    Ok(wallets.load(&[key]).await?.pop().flatten().map(|found| found.state))
}
