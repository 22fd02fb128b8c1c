//! Wallet states in memory: a cache, never the truth.

use std::num::NonZeroUsize;

use lru::LruCache;
use wallex_ports::{StreamState, WalletKey};

/// The states that were committed or loaded last, the least recently used forgotten first. A wallet
/// that does not exist is not remembered: another process may create it at any time.
pub(crate) struct StateCache {
    states: LruCache<WalletKey, StreamState>,
}

impl StateCache {
    pub(crate) fn new(wallets_max: usize) -> Self {
        let wallets_max = NonZeroUsize::new(wallets_max).unwrap_or(NonZeroUsize::MIN);
        Self { states: LruCache::new(wallets_max) }
    }

    pub(crate) fn get(&mut self, key: &WalletKey) -> Option<&StreamState> {
        self.states.get(key)
    }

    /// Keeps `state`, unless a later one is there.
    pub(crate) fn keep(&mut self, key: WalletKey, stream: StreamState) {
        let version = |stream: &StreamState| stream.state.wallet.version();
        let is_older = |kept: &StreamState| version(kept) > version(&stream);
        if !self.states.peek(&key).is_some_and(is_older) {
            self.states.put(key, stream);
        }
    }

    pub(crate) fn forget(&mut self, key: &WalletKey) {
        self.states.pop(key);
    }
}

#[cfg(test)]
mod tests {
    use wallex_domain::{Balance, Currency, EventHash, OwnerId, Wallet, WalletId};
    use wallex_ports::{Timestamp, WalletState};

    use super::*;

    fn key(wallet_id: &str) -> WalletKey {
        let wallet_id = WalletId::parse(wallet_id).expect("valid");
        WalletKey { tenant: Default::default(), wallet_id }
    }

    fn at_version(version: u64) -> StreamState {
        let (id, owner) = (WalletId::parse("w"), OwnerId::parse("o"));
        let (id, owner) = (id.expect("valid"), owner.expect("valid"));
        let currency = Currency::parse("USD").expect("valid");
        let wallet = Wallet::from_snapshot(id, owner, currency, Balance::ZERO, version);
        let at = Timestamp::from_unix_ms(0);
        let state = WalletState { wallet, created_at: at, updated_at: at };
        StreamState { state, last_hash: EventHash::BEFORE_FIRST }
    }

    fn version(cache: &mut StateCache, wallet_id: &str) -> Option<u64> {
        cache.get(&key(wallet_id)).map(|stream| stream.state.wallet.version())
    }

    #[test]
    fn the_latest_state_is_kept_until_it_is_forgotten() {
        let mut cache = StateCache::new(10);
        assert_eq!(version(&mut cache, "w"), None);
        for (kept, expected) in [(2, 2), (1, 2), (3, 3)] {
            cache.keep(key("w"), at_version(kept));
            assert_eq!(version(&mut cache, "w"), Some(expected));
        }
        cache.forget(&key("w"));
        assert_eq!(version(&mut cache, "w"), None);
    }

    #[test]
    fn the_wallet_that_was_not_used_for_longest_makes_room() {
        let mut cache = StateCache::new(2);
        cache.keep(key("a"), at_version(1));
        cache.keep(key("b"), at_version(1));
        assert_eq!(version(&mut cache, "a"), Some(1));
        cache.keep(key("c"), at_version(1));
        assert_eq!(["a", "b", "c"].map(|id| version(&mut cache, id)), [Some(1), None, Some(1)]);
    }
}
