//! Which units of a batch can be written together: pure bookkeeping, no SQL.

use std::collections::{HashMap, HashSet};

use wallex_ports::{StreamAppend, Unit, WalletKey};

/// What is known of a unit so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It fits.
    Alive,
    /// It rests on a version that is not true.
    Conflict,
    /// Its key was answered before.
    KeyTaken,
}

/// A wallet that another transaction created or holds: no unit's expectation fits.
pub(crate) const TAKEN: u64 = u64::MAX;

/// A batch, the versions that the database holds, and what that makes of each unit.
pub(crate) struct Batch<'a> {
    pub(crate) units: &'a [Unit],
    committed: HashMap<WalletKey, u64>,
    fates: Vec<Fate>,
}

impl<'a> Batch<'a> {
    /// `committed` holds the version of every wallet that the units name; one that is missing does
    /// not exist.
    pub(crate) fn new(units: &'a [Unit], committed: HashMap<WalletKey, u64>) -> Self {
        let mut batch = Self { units, committed, fates: vec![Fate::Alive; units.len()] };
        batch.settle();
        batch
    }

    pub(crate) fn fates(&self) -> &[Fate] {
        &self.fates
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

    /// Another transaction created these wallets first.
    pub(crate) fn creations_lost<'b>(&mut self, keys: impl IntoIterator<Item = &'b WalletKey>) {
        for key in keys {
            self.committed.insert(key.clone(), TAKEN);
        }
        self.settle();
    }

    /// The keys of these units were answered before.
    pub(crate) fn claims_lost(&mut self, units: impl IntoIterator<Item = usize>) {
        for unit in units {
            self.fates[unit] = Fate::KeyTaken;
        }
        self.settle();
    }

    /// Walks the units in order over the versions; one that does not fit takes no effect, and those
    /// that rest on it do not fit either. To compare versions is not enough for that: what fell
    /// may have expected the very version that another process has meanwhile written.
    fn settle(&mut self) {
        let mut moved: HashMap<&WalletKey, u64> = HashMap::new();
        let mut fallen: HashSet<&WalletKey> = HashSet::new();
        for (unit, fate) in self.units.iter().zip(&mut self.fates) {
            let fits = |stream: &WalletKey, expected: u64| {
                let version = moved.get(stream).or(self.committed.get(stream));
                !fallen.contains(stream) && version.copied().unwrap_or(0) == expected
            };
            let reads_fit = unit.reads.iter().all(|read| fits(&read.stream, read.version));
            let appends_fit = unit.appends.iter().all(|a| fits(&a.stream, a.expected_version));
            if *fate == Fate::Alive && !(reads_fit && appends_fit) {
                *fate = Fate::Conflict;
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

/// The wallets that `units` name, sorted, each once.
pub(crate) fn streams(units: &[Unit]) -> Vec<WalletKey> {
    let mut keys: Vec<_> = units
        .iter()
        .flat_map(|unit| {
            let reads = unit.reads.iter().map(|read| &read.stream);
            reads.chain(unit.appends.iter().map(|append| &append.stream))
        })
        .cloned()
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The wallets that a unit says do not exist, without creating them: what a refusal rests on.
pub(crate) fn said_to_be_missing(units: &[Unit]) -> Vec<WalletKey> {
    let reads = units.iter().flat_map(|unit| &unit.reads);
    reads.filter(|read| read.version == 0).map(|read| read.stream.clone()).collect()
}

/// Whether `units` write nothing at all: refusals without a key.
pub(crate) fn only_reads(units: &[Unit]) -> bool {
    units.iter().all(|unit| unit.claim.is_none() && unit.appends.is_empty())
}
