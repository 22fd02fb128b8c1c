//! Which parts of which shards an operation walks through, and how far along it stands.

use serde::{Deserialize, Serialize};

use crate::reconcile::Spot;
use crate::walk::Point;

/// Positions whose wallets are looked up at once.
pub(super) const WINDOW_POSITIONS: u64 = 5_000;

/// How far along the route an operation stands. Kept with each page of a rebuild.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Station {
    /// The shard that is due, of all; in the scope of one wallet, 1 is behind it.
    pub(super) shard: u16,
    /// The first position of the window that is due, in the scope of a position.
    pub(super) window: u64,
    /// Wallets of that window up to here are done.
    pub(super) after: Option<Spot>,
    /// Where the walk stands in what is due; `None` at its beginning.
    pub(super) point: Option<Point>,
}
