//! What this process committed last.
//!
//! A projector that keeps up reads every event within milliseconds of its commit, in the process that
//! committed it: reading it back from the database, and decoding it, would cost as much as writing it
//! did. Positions have no holes and are in commit order, so a reader that stands at a position can see
//! whether the tail holds what comes next; where it does not (another process committed, the tail was cut,
//! this process has just started), the database has it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use wallex_domain::{EventId, WalletEvent};
use wallex_ports::{Timestamp, Traceparent, WalletKey};

/// Events kept in all shards together: an equal part in each, the oldest go first, but for the last batch. A
/// shard that holds more than its part, since there were fewer shards when it got it, is cut by its next push.
/// A projector that is further behind reads the database, which is what it does best in large batches.
const EVENTS_MAX: usize = 8_192;

/// An event that was committed, with its place in its stream and in its shard.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its stream.
    pub wallet: WalletKey,
    /// Its place in the stream.
    pub version: u64,
    /// Its place in the shard.
    pub position: u64,
    /// Its identity.
    pub event_id: EventId,
    /// What happened.
    pub event: WalletEvent,
    /// When.
    pub recorded_at: Timestamp,
    /// The trace of the request that caused it.
    pub traceparent: Option<Traceparent>,
}

/// The last events of each shard that this process committed; shared by who writes and who reads.
#[derive(Debug, Default)]
pub struct Tail {
    shards: Mutex<Vec<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// In the order of their positions; what other processes committed is missing.
    batches: VecDeque<Arc<[Committed]>>,
    events: usize,
}

impl Tail {
    /// Adds what one transaction committed in `shard`, in the order of positions, without holes.
    pub fn push(&self, shard: u16, committed: Arc<[Committed]>) {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(shard);
        if shards.len() <= at {
            shards.resize_with(at + 1, Kept::default);
        }
        let part = EVENTS_MAX / shards.len();
        let kept = &mut shards[at];
        kept.events += committed.len();
        kept.batches.push_back(committed);
        while kept.events > part && kept.batches.len() > 1 {
            kept.events -= kept.batches.pop_front().map_or(0, |oldest| oldest.len());
        }
    }

    /// The position of the last event of `shard` here; 0 if there is none.
    #[must_use]
    pub fn end(&self, shard: u16) -> u64 {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let last = shards.get(usize::from(shard)).and_then(|kept| kept.batches.back()?.last());
        last.map_or(0, |event| event.position)
    }

    /// The events of `shard` behind the position `after`, without a hole, at least `limit` of them if
    /// there are as many; none when the next one is not here.
    #[must_use]
    pub fn after(&self, shard: u16, after: u64, limit: usize) -> Vec<Arc<[Committed]>> {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = shards.get(usize::from(shard)) else { return Vec::new() };
        let mut found = Vec::new();
        let (mut next, mut events) = (after + 1, 0);
        for batch in &kept.batches {
            let (Some(first), Some(last)) = (batch.first(), batch.last()) else { continue };
            if last.position < next {
                continue;
            }
            if first.position > next || events >= limit {
                break;
            }
            events += batch.len();
            next = last.position + 1;
            found.push(Arc::clone(batch));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use wallex_domain::{Balance, Currency, OwnerId, TenantId, WalletId};

    use super::*;

    fn batch(positions: std::ops::RangeInclusive<u64>) -> Arc<[Committed]> {
        let committed = |position| Committed {
            wallet: WalletKey {
                tenant: TenantId::default(),
                wallet_id: WalletId::parse("w").expect("an id"),
            },
            version: position,
            position,
            event_id: uuid::Uuid::nil().into(),
            event: WalletEvent::Created {
                owner_id: OwnerId::parse("o").expect("an id"),
                currency: Currency::parse("USD").expect("a code"),
                initial_balance: Balance::ZERO,
            },
            recorded_at: Timestamp::from_unix_ms(0),
            traceparent: None,
        };
        positions.map(committed).collect()
    }

    fn positions(tail: &Tail, shard: u16, after: u64, limit: usize) -> Vec<u64> {
        let found = tail.after(shard, after, limit);
        found.iter().flat_map(|batch| batch.iter().map(|event| event.position)).collect()
    }

    #[test]
    fn events_come_from_the_next_one_on_up_to_a_hole() {
        let tail = Tail::default();
        for range in [4..=5, 6..=6, 9..=9] {
            tail.push(1, batch(range));
        }
        assert_eq!(positions(&tail, 1, 3, 100), [4, 5, 6]);
        // The batch that the next one stands in comes whole.
        assert_eq!(positions(&tail, 1, 4, 100), [4, 5, 6]);
        assert_eq!(positions(&tail, 1, 3, 1), [4, 5]);
        assert_eq!(positions(&tail, 1, 8, 100), [9]);
        assert_eq!([0, 1, 2].map(|shard| tail.end(shard)), [0, 9, 0]);
        for (shard, after) in [(1, 2), (1, 6), (1, 7), (1, 9), (0, 3), (2, 3)] {
            assert!(positions(&tail, shard, after, 100).is_empty(), "{shard}, {after}");
        }
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let tail = Tail::default();
        for n in 0..12 {
            tail.push(0, batch(n * 1_000 + 1..=(n + 1) * 1_000));
        }
        assert!(positions(&tail, 0, 3_999, 1).is_empty());
        assert_eq!(positions(&tail, 0, 4_000, 1).first(), Some(&4_001));
        assert_eq!(positions(&tail, 0, 4_000, usize::MAX).len(), 8_000);
    }

    #[test]
    fn as_many_are_kept_as_there_may_be() {
        let tail = Tail::default();
        for range in [1..=4_096, 4_097..=8_192] {
            tail.push(0, batch(range));
        }
        assert_eq!(positions(&tail, 0, 0, usize::MAX).len(), 8_192);
    }

    #[test]
    fn shards_share_what_is_kept_and_each_has_its_last_batch() {
        let tail = Tail::default();
        for n in 0..3 {
            for shard in 0..1_024 {
                tail.push(shard, batch(n * 10 + 1..=(n + 1) * 10));
            }
        }
        let kept = |shard| positions(&tail, shard, 20, usize::MAX).len();
        assert!((0..1_024).all(|shard| kept(shard) == 10));
        let events: usize = tail.shards.lock().expect("no panic").iter().map(|k| k.events).sum();
        assert_eq!(events, 10 * 1_024, "the last batches, and no more");
    }
}
