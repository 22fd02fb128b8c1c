//! Every effect in the order of commits, replayed by the model.

use std::collections::BTreeMap;

use wallex_domain::WalletEvent;
use wallex_ports::{KeyScope, WalletKey};

use crate::history::History;
use crate::model::{self, Account, Accounts, Change, Verdict};
use crate::store::{StoredEvent, Tables};
use crate::violation::Check;
use crate::wish::Wish;
use crate::world::World;

/// What a command did.
#[derive(Debug, Clone)]
pub(crate) struct Effect {
    /// When it was committed.
    pub(crate) stamp: u64,
    /// What the model answers to it.
    pub(crate) answer: (u16, String),
}

/// All that was done, and every state on the way.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// By correlation id.
    pub(crate) by_attempt: BTreeMap<String, Effect>,
    /// By key: the correlation id of the attempt that took effect.
    pub(crate) by_scope: BTreeMap<KeyScope, String>,
    /// Each wallet after each of its changes, with the moment of the change.
    states: BTreeMap<WalletKey, Vec<(u64, Account)>>,
    /// The wallets at the end.
    pub(crate) accounts: Accounts,
}

impl Effects {
    /// Replays what `tables` hold, and tells `world` what the model would not have done.
    pub(crate) fn replay(world: &World, history: &History, tables: &Tables) -> Self {
        let mut effects = Self::default();
        for unit in tables.events.chunk_by(|one, next| one.stamp == next.stamp) {
            effects.replay_unit(world, history, unit);
        }
        effects
    }

    fn replay_unit(&mut self, world: &World, history: &History, unit: &[StoredEvent]) {
        let first = &unit[0];
        let correlation = first.event.metadata.correlation_id.as_str();
        let stamp = first.stamp;
        let Some(attempt) = history.get(correlation) else {
            return world.violated(Check::Effect, format!("nobody asked for {correlation}"));
        };
        if stamp <= attempt.sent {
            world
                .violated(Check::Effect, format!("{correlation} was done before it was asked for"));
        }
        let at_ms = unit.iter().map(|e| e.event.recorded_at.unix_ms()).min().unwrap_or(0);
        let made = &first.wallet.wallet_id;
        match model::decide(&self.accounts, &attempt.wish, made, at_ms) {
            Ok(changes) => {
                if !is_what_happened(&changes, unit) {
                    let what = format!("{correlation} made {unit:?}, the model {changes:?}");
                    world.violated(Check::Effect, what);
                }
                self.keep(world, correlation, &attempt.wish, stamp, changes);
            }
            Err((_, refusal)) => {
                world.violated(Check::Effect, format!("{correlation} was done: {refusal}"));
            }
        }
    }

    fn keep(
        &mut self,
        world: &World,
        correlation: &str,
        wish: &Wish,
        stamp: u64,
        changes: Vec<Change>,
    ) {
        let effect = Effect { stamp, answer: model::answer(&changes) };
        if self.by_attempt.insert(correlation.to_owned(), effect).is_some() {
            world.violated(Check::Acknowledged, format!("{correlation} was done twice"));
        }
        if let Some(scope) = wish.scope()
            && let Some(other) = self.by_scope.insert(scope, correlation.to_owned())
        {
            let what = format!("{other} and {correlation} were done under one key");
            world.violated(Check::Key, what);
        }
        for Change { wallet, after, .. } in changes {
            self.states.entry(wallet.clone()).or_default().push((stamp, after.clone()));
            self.accounts.insert(wallet, after);
        }
    }

    /// What the model says to `wish` as of `moment`.
    pub(crate) fn verdict_at(&self, wish: &Wish, moment: u64) -> Verdict {
        let mut accounts = Accounts::new();
        for wallet in wish.wallets() {
            if let Some(account) = self.at(&wallet, moment) {
                accounts.insert(wallet, account.clone());
            }
        }
        let made = "made".parse().expect("invariant: a valid id");
        model::decide(&accounts, wish, &made, 0)
    }

    fn at(&self, wallet: &WalletKey, moment: u64) -> Option<&Account> {
        let states = self.states.get(wallet)?;
        let until = states.partition_point(|(stamp, _)| *stamp <= moment);
        states[..until].last().map(|(_, account)| account)
    }

    /// The moments between two at which a wallet of `wish` changed.
    pub(crate) fn changes(&self, wish: &Wish, after: u64, before: u64) -> Vec<u64> {
        let wallets = wish.wallets();
        let states = wallets.iter().filter_map(|wallet| self.states.get(wallet)).flatten();
        let between = |stamp: &u64| after < *stamp && *stamp < before;
        states.map(|(stamp, _)| *stamp).filter(between).collect()
    }
}

fn is_what_happened(changes: &[Change], unit: &[StoredEvent]) -> bool {
    let same = |(change, stored): (&Change, &StoredEvent)| {
        let (kind, amount, after) = match &stored.event.event {
            WalletEvent::Created { initial_balance, owner_id, currency } => {
                let minor = initial_balance.minor_units();
                let says = (owner_id.as_str(), currency.as_str());
                if says != (change.after.owner.as_str(), change.after.currency.as_str()) {
                    return false;
                }
                ("created", minor, minor)
            }
            WalletEvent::Credited(m) => {
                ("credited", m.amount.minor_units(), m.balance_after.minor_units())
            }
            WalletEvent::Debited(m) => {
                ("debited", m.amount.minor_units(), m.balance_after.minor_units())
            }
        };
        change.wallet == stored.wallet
            && (change.kind, change.amount, change.after.balance) == (kind, amount, after)
            && change.after.version == stored.version
            && change.after.updated_ms == stored.event.recorded_at.unix_ms()
    };
    changes.len() == unit.len() && changes.iter().zip(unit).all(same)
}
