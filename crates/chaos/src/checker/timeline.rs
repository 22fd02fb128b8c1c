//! The wallets over time, where time is the number of effects so far.

use std::collections::HashMap;

use crate::model::State;

/// What every wallet was after each effect, and when the effects can have been.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// For each wallet, its states, each with the number of effects from which on it holds.
    wallets: HashMap<String, Vec<(usize, State)>>,
    /// The effects that clients knew of: when, and how many effects there were by then at least.
    acknowledged: Vec<(u64, usize)>,
    /// When each effect was asked for at the earliest, and how many effects there were before it.
    invoked: Vec<(u64, usize)>,
    effects: usize,
}

impl Timeline {
    /// Adds an effect that leaves `wallets` so, was asked for at `invoked`, and known at `acknowledged`.
    pub(crate) fn push(
        &mut self,
        wallets: Vec<(String, State)>,
        invoked: u64,
        acknowledged: Option<u64>,
    ) {
        self.invoked.push((invoked, self.effects));
        self.effects += 1;
        if let Some(at) = acknowledged {
            self.acknowledged.push((at, self.effects));
        }
        for (wallet, state) in wallets {
            self.wallets.entry(wallet).or_default().push((self.effects, state));
        }
    }

    /// To be called when all effects were pushed: makes [`Timeline::window`] fast.
    pub(crate) fn finish(&mut self) {
        self.acknowledged.sort_unstable();
        let mut most = 0;
        for (_, effects) in &mut self.acknowledged {
            most = most.max(*effects);
            *effects = most;
        }
        self.invoked.sort_unstable();
        let mut fewest = self.effects;
        for (_, before) in self.invoked.iter_mut().rev() {
            fewest = fewest.min(*before);
            *before = fewest;
        }
    }

    /// How many effects there can have been at a moment between these two times: all that were
    /// acknowledged before the first, none that was asked for after the second.
    pub(crate) fn window(&self, from: u64, to: u64) -> (usize, usize) {
        let known = self.acknowledged.partition_point(|(at, _)| *at < from);
        let least = known.checked_sub(1).map_or(0, |last| self.acknowledged[last].1);
        let later = self.invoked.partition_point(|(at, _)| *at <= to);
        let most = self.invoked.get(later).map_or(self.effects, |(_, before)| *before);
        (least, most)
    }

    /// The wallet after so many effects.
    pub(crate) fn state(&self, wallet: &str, effects: usize) -> Option<&State> {
        let states = self.wallets.get(wallet)?;
        let next = states.partition_point(|(from, _)| *from <= effects);
        Some(&states[next.checked_sub(1)?].1)
    }

    /// The moments from `least` to `most` at which one of `wallets` becomes another, and `least`.
    pub(crate) fn moments(&self, wallets: &[&str], least: usize, most: usize) -> Vec<usize> {
        let mut moments = vec![least];
        for wallet in wallets {
            let states = self.wallets.get(*wallet).map_or(&[][..], Vec::as_slice);
            let first = states.partition_point(|(from, _)| *from <= least);
            let changes = states[first..].iter().map(|(from, _)| *from);
            moments.extend(changes.take_while(|from| *from <= most));
        }
        moments.sort_unstable();
        moments
    }
}
