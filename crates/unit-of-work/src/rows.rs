//! What a batch writes, by table, in the order in which every writer takes locks.

use std::collections::BTreeMap;

use wallex_outbox::{Committed, Tail};
use wallex_ports::{Claim, Shards, WalletKey};
use wallex_postgres_eventstore::{End, Move, PositionedEvent};

use crate::batch::Batch;

/// The rows of the units that fit.
pub(crate) struct Rows<'a> {
    /// Existing wallets that the batch rests on, and the versions that they must have.
    pub(crate) rests: Vec<(&'a WalletKey, u64)>,
    /// Wallets that the batch rests on and does not change, with their versions; 0 for one that must
    /// not exist.
    pub(crate) kept: Vec<(&'a WalletKey, u64)>,
    /// Existing wallets that go on, to their last state.
    pub(crate) moves: Vec<Move<'a>>,
    /// New wallets, in their last state.
    pub(crate) created: Vec<(&'a WalletKey, End<'a>)>,
    /// Keys.
    pub(crate) claims: Vec<&'a Claim>,
    /// Events in order; their positions count from 1 in each shard.
    pub(crate) events: Vec<PositionedEvent<'a>>,
    /// How many events each shard gets. A shard with none is there when no shard gets any: its head
    /// takes part in the decision whether all is well.
    pub(crate) counts: BTreeMap<u16, u64>,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(batch: &Batch<'a>, shards: Shards) -> Self {
        let mut last: BTreeMap<(u16, &WalletKey), End<'_>> = BTreeMap::new();
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        let mut events = Vec::new();
        for append in batch.appends() {
            let (stream, shard) = (&append.stream, shards.of_wallet(&append.stream));
            if let Some(event) = append.events.last() {
                let end = End { state: &append.state, last_hash: event.hash };
                last.insert((shard, stream), end);
            }
            let count = counts.entry(shard).or_default();
            for (event, version) in append.events.iter().zip(append.expected_version + 1..) {
                *count += 1;
                events.push(PositionedEvent { shard, position: *count, stream, version, event });
            }
        }
        let mut expected: Vec<_> =
            batch.rests().iter().map(|(key, v)| (shards.of_wallet(key), *key, *v)).collect();
        expected.sort_unstable();
        let kept = expected.iter().filter(|(shard, key, _)| !last.contains_key(&(*shard, *key)));
        let kept: Vec<_> = kept.map(|(_, key, version)| (*key, *version)).collect();
        let rests = expected.iter().filter(|(_, _, version)| *version > 0);
        let pair = |(_, key, version): &(u16, &'a WalletKey, u64)| (*key, *version);
        let (mut moves, mut created) = (Vec::new(), Vec::new());
        for ((_, key), end) in last {
            match batch.rests()[key] {
                0 => created.push((key, end)),
                expected_version => moves.push(Move { key, expected_version, end }),
            }
        }
        let claims: Vec<&Claim> =
            batch.alive().filter_map(|(_, unit)| unit.claim.as_ref()).collect();
        if let (true, Some(claim)) = (counts.is_empty(), claims.first()) {
            counts.insert(shards.of_key(&claim.scope), 0);
        }
        Self { rests: rests.map(pair).collect(), kept, moves, created, claims, events, counts }
    }

    /// Tells `tail` the events, which were committed in each shard behind the position `before`.
    pub(crate) fn tell(&self, tail: &Tail, before: &BTreeMap<u16, u64>) {
        for (shard, before) in before {
            let events = self.events.iter().filter(|event| event.shard == *shard);
            let committed = events.map(|e| Committed {
                wallet: e.stream.clone(),
                version: e.version,
                position: before + e.position,
                event_id: e.event.event_id,
                event: e.event.event.clone(),
                recorded_at: e.event.recorded_at,
                traceparent: e.event.metadata.traceparent.clone(),
            });
            tail.push(*shard, committed.collect());
        }
    }
}
