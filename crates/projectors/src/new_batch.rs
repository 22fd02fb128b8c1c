//! Batches whose events are taken to be new: what must stand before them follows from the events
//! themselves, so it is compared in the database instead of being read.

use wallex_domain::Standing;
use wallex_ports::{LedgerEntry, Timestamp, WalletKey};

use crate::event::{Batch, Event};
use crate::fold::Folded;
use crate::ledger::entry_of;

/// A wallet's events in a batch, folded.
pub(crate) struct Followed<'a> {
    pub(crate) key: &'a WalletKey,
    /// What must stand before them; nothing when the wallet begins with them.
    pub(crate) before: Option<Standing>,
    /// What stands after them.
    pub(crate) folded: Folded,
    /// The time of the latest of them.
    pub(crate) latest: Timestamp,
    events: Vec<&'a Event>,
}

impl Followed<'_> {
    /// Their lines in the ledger.
    pub(crate) fn lines(&self) -> impl Iterator<Item = LedgerEntry> {
        self.events.iter().filter_map(|event| entry_of(event).ok())
    }
}

/// The wallets of `batch`. Nothing when it is not simply new: an event can't be decoded or does not
/// follow from the one before it, or one of the wallets has events that were left out by hand.
pub(crate) fn follow<'a>(batch: &Batch<'a>) -> Option<Vec<Followed<'a>>> {
    if !batch.discarded.is_empty() {
        return None;
    }
    let histories = batch.by_wallet().into_iter();
    histories.map(|(key, events)| follow_one(batch, key, events)).collect()
}

fn follow_one<'a>(
    batch: &Batch<'a>,
    key: &'a WalletKey,
    events: Vec<&'a Event>,
) -> Option<Followed<'a>> {
    let first = events.first()?;
    let (before, mut folded) = if first.version == 1 {
        (None, Folded::default())
    } else {
        let before = Standing::before(first.decoded().ok()?, first.version)?;
        (Some(before), Folded::of_standing(before))
    };
    for event in &events {
        folded.follow(event, batch.discarded).ok()?;
    }
    let latest = events.iter().map(|event| event.recorded_at).max()?;
    Some(Followed { key, before, folded, latest, events })
}
