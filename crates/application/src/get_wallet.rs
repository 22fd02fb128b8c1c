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
    let found = wallets.load(std::slice::from_ref(&key)).await?.pop().flatten();
    Ok(found.map(|found| found.state))
}
