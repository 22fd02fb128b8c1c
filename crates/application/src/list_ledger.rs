//! Listing a wallet's ledger, newest line first.

use std::time::Duration;

use wallex_ports::{
    LedgerEntry, LedgerFilter, Projected, ReadError, ReadModels, WalletKey, Wallets,
};

use crate::list_events::split_page;
use crate::projected::{ProjectionError, ask_for_version};

/// How many versions a page looks at where a filter may fit few of them.
const EXAMINED_MAX: u64 = 5_000;

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
    /// The lines, newest first. A page that is not the last may be short, or empty: a filter looks
    /// at so many versions and no more.
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
        let LedgerPage { entries, next_below } = &found.value;
        // Where a page goes on may be told by a cursor of another wallet.
        let is_there = !entries.is_empty()
            || next_below.is_some() && models.ledger_version(key).await?.value > 0;
        if is_there {
            return Ok(Some(found));
        }
    }
    // An empty page may mean that nothing fits the filter, that nothing is there yet, or that there is
    // no such wallet.
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
    let mut filter = query.filter.clone();
    if filter.entry_type.is_some() || filter.from.is_some() || filter.to.is_some() {
        let below = match filter.below_version {
            Some(below) => below,
            None => models.ledger_version(key).await?.value.saturating_add(1),
        };
        let from = below.saturating_sub(EXAMINED_MAX);
        // A wallet's first version is 1: from there on it is all that is left.
        (filter.below_version, filter.from_version) = (Some(below), (from > 1).then_some(from));
    }
    let found = models.ledger(key, &filter, query.limit.saturating_add(1)).await?;
    let (entries, more) = split_page(found.value, query.limit);
    let next_below =
        if more { entries.last().map(|entry| entry.version) } else { filter.from_version };
    Ok(Projected { value: LedgerPage { entries, next_below }, positions: found.positions })
}
