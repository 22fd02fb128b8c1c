//! Sums by currency, over wallets that change while they are read.
//!
//! The pages of a walk are read one after the other, each as of its own moment, so a sum of balances
//! would be of no moment at all: a transfer could be in one wallet's and not in the other's. So only
//! events are summed, up to the heads that all shards had at one moment: a transfer's two legs are
//! both in, or both out. What the write side and the projections hold is that sum and their surplus:
//! by how much their rows were found to differ from what their events make, each wallet as of the
//! moment that it was looked at. Where nothing is wrong, the surplus is zero, and all sums agree.

use std::collections::BTreeMap;

use wallex_domain::{Currency, WalletEvent};
use wallex_ports::{CurrencyTotals, Place};

/// The totals so far. Their sums of rows are kept as surpluses until they are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrialBalance(BTreeMap<Currency, CurrencyTotals>);

impl TrialBalance {
    fn of(&mut self, currency: Currency) -> &mut CurrencyTotals {
        self.0.entry(currency).or_default()
    }

    /// Adds an event.
    pub(super) fn count(&mut self, event: &WalletEvent) {
        let (currency, moved) = event.moved();
        let totals = self.of(currency);
        match event {
            WalletEvent::Created { .. } => {
                totals.wallets += 1;
                totals.openings += moved;
            }
            WalletEvent::Credited(m) => {
                totals.credits += moved;
                totals.transfers_in += if m.transfer.is_some() { moved } else { 0 };
            }
            WalletEvent::Debited(m) => {
                totals.debits -= moved;
                totals.transfers_out -= if m.transfer.is_some() { moved } else { 0 };
            }
        }
    }

    /// Adds what rows hold more than their events make.
    pub(super) fn add_surplus(&mut self, place: Place, surplus: &BTreeMap<Currency, i128>) {
        for (currency, more) in surplus {
            let totals = self.of(*currency);
            match place {
                Place::Events => {}
                Place::WriteSide => totals.write_side += more,
                Place::ReadModel => totals.read_model += more,
                Place::Ledger => totals.ledger += more,
            }
        }
    }

    /// Adds another part of the same walk.
    pub(crate) fn add(&mut self, part: &Self) {
        for (currency, part) in &part.0 {
            let totals = self.of(*currency);
            totals.wallets += part.wallets;
            totals.openings += part.openings;
            totals.credits += part.credits;
            totals.debits += part.debits;
            totals.transfers_in += part.transfers_in;
            totals.transfers_out += part.transfers_out;
            totals.write_side += part.write_side;
            totals.read_model += part.read_model;
            totals.ledger += part.ledger;
        }
    }

    /// The totals, by currency.
    pub(crate) fn totals(&self) -> Vec<CurrencyTotals> {
        let whole = |(currency, totals): (&Currency, &CurrencyTotals)| CurrencyTotals {
            currency: currency.to_string(),
            write_side: totals.events() + totals.write_side,
            read_model: totals.events() + totals.read_model,
            ledger: totals.events() + totals.ledger,
            ..totals.clone()
        };
        self.0.iter().map(whole).collect()
    }
}
