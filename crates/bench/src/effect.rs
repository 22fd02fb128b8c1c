//! What commands do to the tables, counted: what was acknowledged is held against what is there.

use std::ops::AddAssign;

/// What some acknowledged commands have to have left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// How many they were.
    pub(crate) commands: u64,
    /// Rows of `wallet_streams`.
    pub(crate) wallets: u64,
    /// Rows of `events`, and as many of `outbox`.
    pub(crate) events: u64,
    /// Rows of `idempotency_keys`.
    pub(crate) keys: u64,
    /// What they brought into all wallets together, in minor units.
    pub(crate) money: i64,
}

impl Effect {
    /// Of a command that only asks.
    pub(crate) const READ: Self = Self { commands: 1, wallets: 0, events: 0, keys: 0, money: 0 };
    /// Of a command that takes money from one wallet to another: an event on each.
    pub(crate) const TRANSFER: Self = Self { events: 2, keys: 1, ..Self::READ };

    /// Of so many wallets created with a balance of `balance` minor units each.
    pub(crate) fn creates(wallets: u64, balance: u64) -> Self {
        let money = wallets.saturating_mul(balance).try_into().unwrap_or(i64::MAX);
        Self { commands: wallets, wallets, events: wallets, keys: wallets, money }
    }

    /// Of a command that puts `money` minor units into a wallet, or takes them from it (negative).
    pub(crate) const fn movement(money: i64) -> Self {
        Self { events: 1, keys: 1, money, ..Self::READ }
    }
}

impl AddAssign for Effect {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.wallets += other.wallets;
        self.events += other.events;
        self.keys += other.keys;
        self.money += other.money;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_add_up() {
        let mut effect = Effect::creates(2, 100);
        for other in [Effect::movement(7), Effect::movement(-3), Effect::TRANSFER, Effect::READ] {
            effect += other;
        }
        let expected = Effect { commands: 6, wallets: 2, events: 6, keys: 5, money: 204 };
        assert_eq!(effect, expected);
    }
}
