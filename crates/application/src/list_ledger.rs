//! Listing a wallet's ledger, newest line first.

use std::time::Duration;

use wallex_ports::{
    LedgerEntry, LedgerFilter, Projected, ReadError, ReadModels, WalletKey, Wallets,
};

use crate::list_events::split_page;
use crate::projected::{ProjectionError, ask_for_version};

/// Which page of a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerQuery {
    /// Which lines.
    pub filter: LedgerFilter,
    /// How many lines at most.
    pub limit: u32,
    /// The version that the ledger must have reached.
    pub min_version: Option<u64>,
}

/// One page of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPage {
    /// The lines, newest first.
    pub entries: Vec<LedgerEntry>,
    /// The version below which the next page begins; `None` on the last page.
    pub next_below: Option<u64>,
}

/// The page of `key`'s ledger that `query` asks for, waiting for what it waits for `at_most` so
/// long; `None` when there is no such wallet.
///
/// # Errors
/// [`ProjectionError::Behind`] when the ledger has not come so far in time, or has nothing of a
/// wallet that there is.
pub async fn list_ledger(
    models: &dyn ReadModels,
    wallets: &dyn Wallets,
    key: &WalletKey,
    query: &LedgerQuery,
    at_most: Duration,
) -> Result<Option<Projected<LedgerPage>>, ProjectionError> {
    if query.min_version.is_none() {
        let found = page(models, key, query).await?;
        if !found.value.entries.is_empty() {
            return Ok(Some(found));
        }
    }
    // An empty page may mean that nothing fits the filter, or that nothing is there yet.
    let wanted = (query.min_version.unwrap_or(1), at_most);
    let ask = || models.ledger_version(key);
    match ask_for_version((models, wallets), key, wanted, ask, |version| *version).await? {
        Some(_) => Ok(Some(page(models, key, query).await?)),
        None => Ok(None),
    }
}

async fn page(
    models: &dyn ReadModels,
    key: &WalletKey,
    query: &LedgerQuery,
) -> Result<Projected<LedgerPage>, ReadError> {
    let found = models.ledger(key, &query.filter, query.limit.saturating_add(1)).await?;
    let (entries, more) = split_page(found.value, query.limit);
    let next_below = if more { entries.last().map(|entry| entry.version) } else { None };
    Ok(Projected { value: LedgerPage { entries, next_below }, positions: found.positions })
}
