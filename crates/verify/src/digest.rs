//! What a history, and the wallets that it leaves, come to in 32 bytes. The bytes are part of the
//! checkpoints' format: golden vectors hold them.

use sha2::{Digest, Sha256};
use wallex_domain::EventHash;

const HISTORY: &[u8] = b"wallex.history.v1";
const WALLET_HEADS: &[u8] = b"wallex.wallet-heads.v1";

/// The digest of a shard's history before its first event: SHA-256 over a label and the shard, 8 bytes, big
/// endian.
pub(crate) fn before_history(shard: u16) -> EventHash {
    let shard = u64::from(shard).to_be_bytes();
    finished(Sha256::new().chain_update(HISTORY).chain_update(shard))
}

/// The digest once one more event is part of it: SHA-256 over the digest before, the event's position, 8 bytes,
/// big endian, and its hash. So the digest of any beginning is met on the way to that of the whole.
pub(crate) fn with_event(before: EventHash, position: i64, hash: EventHash) -> EventHash {
    let hasher = Sha256::new().chain_update(before.as_bytes());
    finished(hasher.chain_update(position.to_be_bytes()).chain_update(hash.as_bytes()))
}

fn finished(hasher: Sha256) -> EventHash {
    EventHash::from_bytes(hasher.finalize().into())
}

/// The digest of a shard's wallets as of their last events: SHA-256 over a label and, for each wallet in the
/// order of tenants and ids, both behind their length (32 bits, big endian), its version, 8 bytes, big endian,
/// and the hash of its last event.
pub(crate) struct WalletHeads {
    hasher: Sha256,
    /// How many wallets there are.
    pub(crate) wallets: u64,
}

impl WalletHeads {
    pub(crate) fn new() -> Self {
        Self { hasher: Sha256::new().chain_update(WALLET_HEADS), wallets: 0 }
    }

    pub(crate) fn add(&mut self, tenant: &str, wallet_id: &str, version: i64, hash: EventHash) {
        for text in [tenant, wallet_id] {
            let length = u32::try_from(text.len());
            let length = length.expect("invariant: no id has 4 GiB");
            self.hasher.update(length.to_be_bytes());
            self.hasher.update(text);
        }
        self.hasher.update(version.to_be_bytes());
        self.hasher.update(hash.as_bytes());
        self.wallets += 1;
    }

    pub(crate) fn finish(self) -> EventHash {
        finished(self.hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> EventHash {
        EventHash::from_bytes([byte; 32])
    }

    /// Made by another implementation of the definitions above.
    #[test]
    fn the_bytes_never_change() {
        assert_eq!(
            before_history(1).to_string(),
            "078ab36f111687e3ca57e8e75223efd8bbf83eff43bbfde4b3bb79fa7d65d886"
        );
        let history = with_event(with_event(before_history(1), 1, hash(1)), 2, hash(2));
        assert_eq!(
            history.to_string(),
            "a2a6542fcabd55c2257f630575324270f65fe3cdfc46ffc934974b117054eebd"
        );
        let mut heads = WalletHeads::new();
        assert_eq!(
            WalletHeads::new().finish().to_string(),
            "2abe8b05191394d40a7c2c7a6f6a021b4034ca1ea03b561bb3967b68a7cac84c"
        );
        heads.add("default", "wallet-001", 1, hash(1));
        heads.add("default", "wallet-002", 7, hash(2));
        assert_eq!(
            (heads.wallets, heads.finish().to_string().as_str()),
            (2, "ef4d5c67f9627787e06fc48477c7ae501338a015c5ead5fcdfb50f404015e1fc")
        );
    }
}
