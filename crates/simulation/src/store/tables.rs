//! The tables of the simulated store, and what one transaction does to them.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use wallex_outbox::Committed;
use wallex_ports::{
    KeyScope, NewEvent, Shards, StoredRecord, StreamAppend, StreamState, Unit, UnitOutcome,
    WalletKey,
};
use wallex_projectors::{Event, FROZEN_MS_MAX, Mine};

use super::projection::{PROJECTORS, Projection};
use super::recovery_store::StoredOperation;
use crate::plant::Plant;

/// An event as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct StoredEvent {
    /// When its unit was committed, in the order of everything that happens. The same for all that
    /// the unit wrote.
    pub(crate) stamp: u64,
    pub(crate) shard: u16,
    pub(crate) position: u64,
    pub(crate) wallet: WalletKey,
    pub(crate) version: u64,
    pub(crate) event: NewEvent,
}

/// An idempotency record as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) stamp: u64,
    pub(crate) record: StoredRecord,
}

/// Everything that is durable.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) shards: Shards,
    pub(crate) wallets: BTreeMap<WalletKey, StreamState>,
    pub(crate) records: BTreeMap<KeyScope, Kept>,
    /// In the order in which they were committed.
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) heads: Vec<u64>,
    /// By shard and position: the stream and the version.
    pub(crate) outbox: BTreeMap<(u16, u64), (WalletKey, u64)>,
    /// Rows that a transaction holds beyond one call: the transaction, and its node.
    pub(crate) locks: BTreeMap<WalletKey, (u64, usize)>,
    /// Events that nobody can decode who reads them.
    pub(crate) undecodable: BTreeSet<(WalletKey, u64)>,
    /// Wallets that something was done to which a report may name.
    pub(crate) suspects: BTreeSet<WalletKey>,
    pub(crate) operations: BTreeMap<Uuid, StoredOperation>,
    /// The transaction that holds the rows of operations, its node, and since when.
    pub(crate) operations_held: Option<(u64, usize, u64)>,
    /// By projector and shard.
    pub(crate) projections: BTreeMap<(&'static str, u16), Projection>,
    /// Transactions that were numbered so far.
    pub(crate) transactions: u64,
    pub(crate) plant: Option<Plant>,
}

/// Whether a row that is held was given free by the database.
pub(crate) fn is_frozen((_, _, since_ms): (u64, usize, u64), now_ms: u64) -> bool {
    now_ms > since_ms + FROZEN_MS_MAX
}

/// What a transaction came to.
pub(crate) struct Written {
    pub(crate) outcomes: Vec<UnitOutcome>,
    /// Events by shard, in the order of positions.
    pub(crate) committed: BTreeMap<u16, Vec<Committed>>,
}

impl Tables {
    pub(crate) fn new(shards: Shards, plant: Option<Plant>) -> Self {
        Self {
            shards,
            wallets: BTreeMap::new(),
            records: BTreeMap::new(),
            events: Vec::new(),
            heads: vec![0; shards.count().into()],
            outbox: BTreeMap::new(),
            locks: BTreeMap::new(),
            undecodable: BTreeSet::new(),
            suspects: BTreeSet::new(),
            operations: BTreeMap::new(),
            operations_held: None,
            projections: PROJECTORS
                .into_iter()
                .flat_map(|name| (0..shards.count()).map(move |shard| (name, shard)))
                .map(|key| (key, Projection::default()))
                .collect(),
            transactions: 0,
            plant,
        }
    }

    /// An event, as a reader sees it.
    pub(crate) fn read(&self, stored: &StoredEvent) -> Event {
        let committed = Committed {
            wallet: stored.wallet.clone(),
            version: stored.version,
            position: stored.position,
            event_id: stored.event.event_id,
            event: stored.event.event.clone(),
            recorded_at: stored.event.recorded_at,
            traceparent: stored.event.metadata.traceparent.clone(),
        };
        if self.undecodable.contains(&(stored.wallet.clone(), stored.version)) {
            return Event::read_as(&committed, Err("not understood".to_owned()));
        }
        Event::of_committed(&committed)
    }

    /// Whether no transaction but `mine` holds the operations.
    pub(crate) fn frees_operations(&mut self, now_ms: u64, mine: Option<u64>) -> bool {
        self.operations_held = self.operations_held.filter(|held| !is_frozen(*held, now_ms));
        self.operations_held.is_none_or(|(number, ..)| Some(number) == mine)
    }

    /// Whether somebody works on an operation, or will.
    pub(crate) fn is_operating(&self, now_ms: u64) -> bool {
        self.operations.values().any(|stored| stored.is_at_work(now_ms))
    }

    pub(crate) fn is_running(&self, mine: &Mine) -> bool {
        self.operations.get(&mine.id).is_some_and(|stored| stored.is(mine))
    }

    /// One transaction, of which each unit is written as a whole or not at all. `mine` names the
    /// transaction whose locks are no obstacle; `stamp` gives the moments.
    pub(crate) fn write(
        &mut self,
        units: &[Unit],
        mine: Option<u64>,
        mut stamp: impl FnMut() -> u64,
    ) -> Written {
        let only_reads = units.iter().all(|unit| unit.claim.is_none() && unit.appends.is_empty());
        let mut fallen: BTreeSet<WalletKey> = BTreeSet::new();
        let mut written = Written { outcomes: Vec::new(), committed: BTreeMap::new() };
        for unit in units {
            let outcome = match unit.claim.as_ref().and_then(|claim| self.taken(&claim.scope)) {
                Some(stored) => UnitOutcome::KeyTaken { stored },
                None if self.fits(unit, &fallen, mine, only_reads) => UnitOutcome::Committed,
                None => UnitOutcome::VersionConflict,
            };
            if outcome == UnitOutcome::Committed {
                self.apply(unit, stamp(), &mut written.committed);
            } else if self.plant != Some(Plant::DependantsOfTheFallen) {
                fallen.extend(unit.appends.iter().map(|append| append.stream.clone()));
            }
            written.outcomes.push(outcome);
        }
        written
    }

    fn taken(&self, scope: &KeyScope) -> Option<StoredRecord> {
        let kept = self.records.get(scope).filter(|_| self.plant != Some(Plant::KeysNotClaimed));
        kept.map(|kept| kept.record.clone())
    }

    fn fits(
        &self,
        unit: &Unit,
        fallen: &BTreeSet<WalletKey>,
        mine: Option<u64>,
        only_reads: bool,
    ) -> bool {
        let is_free = |key: &WalletKey| {
            only_reads || self.locks.get(key).is_none_or(|(holder, _)| Some(*holder) == mine)
        };
        let version =
            |key: &WalletKey| self.wallets.get(key).map_or(0, |s| s.state.wallet.version());
        let fits = |key: &WalletKey, expected: u64| {
            !fallen.contains(key) && is_free(key) && version(key) == expected
        };
        let reads = self.plant == Some(Plant::ReadsNotVerified)
            || unit.reads.iter().all(|read| fits(&read.stream, read.version));
        let appends = self.plant == Some(Plant::VersionsNotChecked)
            || unit.appends.iter().all(|append| fits(&append.stream, append.expected_version));
        reads && appends
    }

    fn apply(&mut self, unit: &Unit, stamp: u64, committed: &mut BTreeMap<u16, Vec<Committed>>) {
        let mut appends = unit.appends.as_slice();
        match self.plant {
            Some(Plant::SecondLegLost) if appends.len() == 2 => appends = &appends[..1],
            Some(Plant::AcknowledgedAndLost) if stamp.is_multiple_of(7) => return,
            _ => {}
        }
        if let Some(claim) = &unit.claim
            && self.plant != Some(Plant::KeysNotKept)
        {
            let mut answer = claim.answer.clone();
            if self.plant == Some(Plant::WrongAnswerKept) {
                answer.status += 1;
            }
            let record = StoredRecord { request_hash: claim.request_hash, answer };
            self.records.insert(claim.scope.clone(), Kept { stamp, record });
        }
        for append in appends {
            self.append(append, stamp, committed);
        }
    }

    fn append(
        &mut self,
        append: &StreamAppend,
        stamp: u64,
        committed: &mut BTreeMap<u16, Vec<Committed>>,
    ) {
        let (wallet, shard) = (&append.stream, self.shards.of_wallet(&append.stream));
        let times = if self.plant == Some(Plant::EventsDoubled) { 2 } else { 1 };
        for _ in 0..times {
            let versions = append.expected_version + 1..;
            for (event, version) in append.events.iter().zip(versions) {
                let head = &mut self.heads[usize::from(shard)];
                *head += 1;
                let position = *head;
                if self.plant != Some(Plant::OutboxRowsLost) || !position.is_multiple_of(5) {
                    self.outbox.insert((shard, position), (wallet.clone(), version));
                }
                committed.entry(shard).or_default().push(Committed {
                    wallet: wallet.clone(),
                    version,
                    position,
                    event_id: event.event_id,
                    event: event.event.clone(),
                    recorded_at: event.recorded_at,
                    traceparent: event.metadata.traceparent.clone(),
                });
                let (wallet, event) = (wallet.clone(), event.clone());
                self.events.push(StoredEvent { stamp, shard, position, wallet, version, event });
            }
        }
        self.wallets.insert(wallet.clone(), append.after());
    }
}
