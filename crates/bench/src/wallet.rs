//! The wallets that are created: each of them once, whoever creates it.

use std::cell::Cell;
use std::rc::Rc;

use uuid::{Builder, Uuid};

/// What every wallet is created with, in minor units.
pub(crate) const INITIAL_BALANCE: u64 = 100;

/// What one create is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewWallet {
    /// Its id, and with it that of its owner.
    pub(crate) id: Uuid,
    /// The idempotency key of the request that creates it.
    pub(crate) key: Uuid,
    /// What else needs an id in the tables, where the server would make one.
    pub(crate) other: Uuid,
}

/// New wallets without end. Clones share them out.
///
/// Ids look random, as those of real clients do: the next row goes anywhere in an index, not to its
/// right end. And they are the same in every run.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewWallets(Rc<Cell<u64>>);

impl NewWallets {
    pub(crate) fn next(&self) -> NewWallet {
        let number = self.0.get();
        self.0.set(number + 1);
        let id = |kind: u64| {
            let (high, low) = (mix(3 * number + kind), mix(!(3 * number + kind)));
            let bits = u128::from(high) << 64 | u128::from(low);
            Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
        };
        NewWallet { id: id(0), key: id(1), other: id(2) }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014): scatters, and never gives two numbers the same place.
pub(crate) fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_id_is_given_out_twice() {
        let (wallets, clone) = (NewWallets::default(), NewWallets::default());
        let shared = wallets.clone();
        let ids = |wallet: NewWallet| [wallet.id, wallet.key, wallet.other];
        let given: Vec<_> =
            (0..10_000).flat_map(|_| [ids(wallets.next()), ids(shared.next())]).flatten().collect();
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
        assert_eq!(clone.next().id, given[0], "another run creates the same wallets");
    }
}
