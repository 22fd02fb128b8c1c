//! Which units of a batch can be written together: pure bookkeeping, no SQL.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use wallex_ports::{StoredRecord, StreamAppend, Unit, UnitOutcome, WalletKey};

/// What is known of a unit so far.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// It fits, as far as is known.
    Alive,
    /// It rests on a version that is not true.
    Conflict,
    /// Its key was answered before.
    KeyTaken(StoredRecord),
}

/// A wallet that another transaction created or holds: no unit's expectation fits.
pub(crate) const TAKEN: u64 = u64::MAX;

/// A batch, what is known of the database, and what that makes of each unit.
pub(crate) struct Batch<'a> {
    units: &'a [Unit],
    /// The versions that the database was seen to hold. Of the others the first unit that names one is
    /// believed, until the database refuses.
    known: HashMap<WalletKey, u64>,
    fates: Vec<Fate>,
    rests: BTreeMap<&'a WalletKey, u64>,
}

impl<'a> Batch<'a> {
    /// Of which nothing is known yet.
    pub(crate) fn new(units: &'a [Unit]) -> Self {
        let fates = vec![Fate::Alive; units.len()];
        let mut batch = Self { units, known: HashMap::new(), fates, rests: BTreeMap::new() };
        batch.settle();
        batch
    }

    /// The units that fit, with their place in the batch.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (usize, &'a Unit)> + '_ {
        let units = self.units.iter().enumerate();
        units.filter(|(i, _)| self.fates[*i] == Fate::Alive)
    }

    /// What the fitting units append, in order.
    pub(crate) fn appends(&self) -> impl Iterator<Item = &'a StreamAppend> + '_ {
        self.alive().flat_map(|(_, unit)| &unit.appends)
    }

    /// The wallets that the fitting units rest on, with their versions before the batch; 0 for one
    /// that must not exist.
    pub(crate) fn rests(&self) -> &BTreeMap<&'a WalletKey, u64> {
        &self.rests
    }

    /// Whether the fitting units write nothing: refusals without a key, or none at all.
    pub(crate) fn only_reads(&self) -> bool {
        self.alive().all(|(_, unit)| unit.claim.is_none() && unit.appends.is_empty())
    }

    /// The wallets that the units name whose keys were not answered before, sorted, each once.
    pub(crate) fn wallets(&self) -> Vec<WalletKey> {
        let open = self.units.iter().zip(&self.fates);
        let open = open.filter(|(_, fate)| !matches!(fate, Fate::KeyTaken(_)));
        let keys: BTreeSet<&WalletKey> =
            open.flat_map(|(unit, _)| named(unit)).map(|(key, _)| key).collect();
        keys.into_iter().cloned().collect()
    }

    /// The database holds these versions, of all [`wallets`](Self::wallets), and these units' keys were
    /// answered before. What was believed is forgotten.
    pub(crate) fn learn(
        &mut self,
        known: HashMap<WalletKey, u64>,
        taken: impl IntoIterator<Item = (usize, StoredRecord)>,
    ) {
        self.known = known;
        for fate in &mut self.fates {
            if *fate == Fate::Conflict {
                *fate = Fate::Alive;
            }
        }
        for (unit, stored) in taken {
            self.fates[unit] = Fate::KeyTaken(stored);
        }
        self.settle();
    }

    /// What became of each unit, when those that fit were written.
    pub(crate) fn outcomes(self) -> Vec<UnitOutcome> {
        let outcome = |fate| match fate {
            Fate::Alive => UnitOutcome::Committed,
            Fate::Conflict => UnitOutcome::VersionConflict,
            Fate::KeyTaken(stored) => UnitOutcome::KeyTaken { stored },
        };
        self.fates.into_iter().map(outcome).collect()
    }

    /// What became of each unit, when those that fit could not be written, because others were faster
    /// each time.
    pub(crate) fn defeated(mut self) -> Vec<UnitOutcome> {
        for fate in &mut self.fates {
            if *fate == Fate::Alive {
                *fate = Fate::Conflict;
            }
        }
        self.outcomes()
    }

    /// Walks the units in order over the versions; one that does not fit takes no effect, and those
    /// that rest on it do not fit either. To compare versions is not enough for that: what fell
    /// may have expected the very version that another process has meanwhile written.
    fn settle(&mut self) {
        let mut moved: HashMap<&WalletKey, u64> = HashMap::new();
        let mut fallen: HashSet<&WalletKey> = HashSet::new();
        self.rests.clear();
        for (unit, fate) in self.units.iter().zip(&mut self.fates) {
            let fits = |(stream, expected): (&WalletKey, u64)| {
                let version = moved
                    .get(stream)
                    .or_else(|| self.known.get(stream))
                    .or_else(|| self.rests.get(stream));
                !fallen.contains(stream) && version.is_none_or(|version| *version == expected)
            };
            if *fate == Fate::Alive && !named(unit).all(fits) {
                *fate = Fate::Conflict;
            }
            if *fate == Fate::Alive {
                for (stream, expected) in named(unit) {
                    self.rests.entry(stream).or_insert(expected);
                }
            }
            for append in &unit.appends {
                if *fate == Fate::Alive {
                    let version = append.expected_version + append.events.len() as u64;
                    moved.insert(&append.stream, version);
                } else {
                    fallen.insert(&append.stream);
                }
            }
        }
    }
}

/// The wallets that `unit` names, with the versions that it expects.
fn named(unit: &Unit) -> impl Iterator<Item = (&WalletKey, u64)> {
    let read = unit.reads.iter().map(|read| (&read.stream, read.version));
    read.chain(unit.appends.iter().map(|append| (&append.stream, append.expected_version)))
}
