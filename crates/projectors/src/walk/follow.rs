//! Following one wallet for one projection, as far as that projection should have come.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use wallex_ports::WalletKey;

use crate::event::{Discarded, Event};
use crate::fold::Folded;
use crate::reconcile::Broken;

/// How far one projection should have come: what its checkpoint, its dead letters and what was left
/// out of it by hand say.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Events behind this position have not been applied.
    pub(super) checkpoint: u64,
    /// Parked wallets, and the version of the first event that waits.
    pub(super) parked: HashMap<WalletKey, u64>,
    /// What was left out.
    pub(super) discarded: Discarded,
}

impl Sight {
    /// Whether an event should have been applied.
    fn reaches(&self, wallet: &WalletKey, version: u64, position: u64) -> bool {
        position <= self.checkpoint
            && self.parked.get(wallet).is_none_or(|parked| version < *parked)
    }
}

/// The discards that every projection shares: to all of them, the history goes without these events.
pub(super) fn shared(sights: &[Sight]) -> Discarded {
    let Some((first, rest)) = sights.split_first() else { return Discarded::default() };
    first
        .discarded
        .only(|wallet, version| rest.iter().all(|sight| sight.discarded.contains(wallet, version)))
}

/// What one projection should have made of the wallet that is being read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Follower {
    pub(super) folded: Folded,
    /// The last version that was met, whether it counts or not.
    pub(super) done: u64,
    /// Version and position of the first event that the projection has not reached.
    cut: Option<(u64, u64)>,
    /// The first version that does not follow.
    broken: Option<u64>,
    /// What the events from the break on move, by their amounts.
    pub(super) unfollowed: i128,
}

/// What a follower says to an event.
pub(super) enum Met {
    /// It counts.
    Counts,
    /// It does not, or was met before.
    Passes,
    /// It does not follow, as the first of its wallet.
    Breaks(String),
}

impl Follower {
    pub(super) fn meet(&mut self, event: &Event, sight: &Sight) -> Met {
        if event.version <= self.done {
            return Met::Passes;
        }
        self.done = event.version;
        if self.cut.is_some() {
            return Met::Passes;
        }
        if !sight.reaches(&event.wallet, event.version, event.position) {
            self.cut = Some((event.version, event.position));
            return Met::Passes;
        }
        if sight.discarded.contains(&event.wallet, event.version) {
            return Met::Passes;
        }
        let met = match self.broken {
            Some(_) => Met::Passes,
            None => match self.folded.follow(event, &sight.discarded) {
                Ok(()) => return Met::Counts,
                Err(error) => Met::Breaks(error),
            },
        };
        self.broken.get_or_insert(self.folded.version() + 1);
        self.unfollowed += event.decoded().map_or(0, |event| event.moved().1);
        met
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Goes back to where it was cut off, if the projection has come further since: a wallet with
    /// many events is read in several pages, and its projector does not wait.
    pub(super) fn catch_up(&mut self, wallet: &WalletKey, sight: &Sight) {
        if let Some((version, position)) = self.cut
            && sight.reaches(wallet, version, position)
        {
            self.done = version - 1;
            self.cut = None;
        }
    }

    /// Where the wallet breaks off, if it does; `before` is what was unfollowed when the page began.
    pub(super) fn broken(&self, before: i128) -> Option<Broken> {
        let standing = self.folded.standing;
        let followed = standing.map_or(0, |standing| standing.balance().minor_units());
        self.broken.map(|version| Broken {
            version,
            currency: standing.map(|standing| standing.currency()),
            moved: self.unfollowed - before,
            balance: i128::from(followed) + self.unfollowed,
        })
    }
}
