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
