//! Reading one wallet from the write side: what it says is committed, and current.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use wallex_ports::{ReadError, WalletKey, WalletState, Wallets, planted};

/// The wallet of `key`; `None` when there is none.
///
/// # Errors
/// As [`Wallets::load`].
pub async fn get_wallet(
    wallets: &dyn Wallets,
    key: WalletKey,
) -> Result<Option<WalletState>, ReadError> {
    let found = wallets.load(std::slice::from_ref(&key)).await?.pop().flatten();
    let found = found.map(|found| found.state);
    Ok(if planted::is("stale-read") { seen_first(key, found) } else { found })
}

/// A planted defect: the wallet as it was when it was first asked for.
fn seen_first(key: WalletKey, found: Option<WalletState>) -> Option<WalletState> {
    static SEEN: Mutex<BTreeMap<WalletKey, Option<WalletState>>> = Mutex::new(BTreeMap::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.entry(key).or_insert(found).clone()
}
