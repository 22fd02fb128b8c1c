//! Which shard a wallet, or an idempotency key, lives in.
//!
//! The hash is part of the storage format: rows are found by it for ever, so golden tests pin it.
//! The number of shards is fixed when a database is created.

use wallex_domain::{TenantId, WalletId};

use crate::{KeyScope, WalletKey};

/// The greatest number of shards of one database.
pub const MAX_SHARDS: u16 = 1024;

/// How many shards the database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(u16);

impl Shards {
    /// `None` when `count` is zero or above [`MAX_SHARDS`].
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        if count >= 1 && count <= MAX_SHARDS { Some(Self(count)) } else { None }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.0
    }

    /// The shard of a wallet.
    #[must_use]
    pub fn of_wallet(self, key: &WalletKey) -> u16 {
        self.of(&key.tenant, key.wallet_id.as_str())
    }

    /// The shard of an idempotency record: that of the wallet in the path, so that both are written
    /// in one place; for a creation, whose path names no wallet, that of the key itself.
    #[must_use]
    pub fn of_key(self, scope: &KeyScope) -> u16 {
        let of_wallet = |wallet: &WalletId| self.of(&scope.tenant, wallet.as_str());
        match &scope.wallet_id {
            Some(wallet) => of_wallet(wallet),
            None => self.of(&scope.tenant, scope.key.as_str()),
        }
    }

    fn of(self, tenant: &TenantId, id: &str) -> u16 {
        let hash = fnv1a(&[tenant.as_str().as_bytes(), b"\x1f", id.as_bytes()]);
        u16::try_from(hash % u64::from(self.0))
            .expect("invariant: a remainder is below its divisor")
    }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).
fn fnv1a(parts: &[&[u8]]) -> u64 {
    parts.iter().copied().flatten().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_fnv1a() {
        // Vectors of the draft.
        assert_eq!(fnv1a(&[b""]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(&[b"a"]), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(&[b"foo", b"bar"]), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn shards_never_move() {
        let shard =
            |count, id: &str| Shards::new(count).expect("valid").of(&TenantId::default(), id);
        let ids = ["wallet-001", "wallet-002", "a", "acme:eu.west_1"];
        assert_eq!(ids.map(|id| shard(1, id)), [0, 0, 0, 0]);
        assert_eq!(ids.map(|id| shard(8, id)), [0, 1, 6, 4]);
        assert_eq!(ids.map(|id| shard(1024, id)), [728, 1009, 1014, 500]);
    }

    #[test]
    fn shards_fill_evenly() {
        let mut wallets = [0_u32; 8];
        for i in 0..8_000 {
            let shards = Shards::new(8).expect("valid");
            wallets[usize::from(shards.of(&TenantId::default(), &format!("wallet-{i:06}")))] += 1;
        }
        assert!(wallets.iter().all(|n| (800..1_200).contains(n)), "{wallets:?}");
    }
}
