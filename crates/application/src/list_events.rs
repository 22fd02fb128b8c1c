//! Reading one wallet's history, oldest event first.

use wallex_ports::{Events, ReadError, RecordedEvent, WalletKey, Wallets};

/// One page of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events, oldest first.
    pub events: Vec<RecordedEvent>,
    /// The version after which the next page begins; `None` on the last page.
    pub next_after: Option<u64>,
}

/// At most `limit` events with a version above `after_version`; `None` when there is no such wallet.
///
/// # Errors
/// As [`Events::after`] and [`Wallets::load`].
pub async fn list_events(
    events: &dyn Events,
    wallets: &dyn Wallets,
    key: &WalletKey,
    after_version: u64,
    limit: u32,
) -> Result<Option<EventPage>, ReadError> {
    // One more than asked for tells whether there is a next page.
    let found = events.after(key, after_version, limit.saturating_add(1)).await?;
    let (page, more) = split_page(found, limit);
    if page.is_empty() && wallets.load(std::slice::from_ref(key)).await?.iter().all(Option::is_none)
    {
        return Ok(None);
    }
    let next_after = if more { page.last().map(|event| event.version) } else { None };
    Ok(Some(EventPage { events: page, next_after }))
}

/// The first `limit` of what was found, and whether there is more.
pub(crate) fn split_page<T>(mut found: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let full = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > full;
    found.truncate(full);
    (found, more)
}
