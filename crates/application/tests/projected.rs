//! Waiting for a projection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use wallex_application::get_projected_wallet;
use wallex_domain::{
    Balance, Currency, EventHash, OwnerId, TenantId, TransferId, Wallet, WalletId,
};
use wallex_ports::{
    LedgerEntry, LedgerFilter, Projected, ReadError, ReadModels, ShardPosition, StreamState,
    Timestamp, WalletKey, WalletState, Wallets,
};

/// A read model that applies one more version while each question is under way, behind what the
/// answer shows, and tells those who listen. Time alone ends no waiting.
struct AppliesMeanwhile {
    version: AtomicU64,
    applied: watch::Sender<()>,
}

#[async_trait]
impl ReadModels for AppliesMeanwhile {
    async fn wallet(&self, key: &WalletKey) -> Result<Projected<Option<WalletState>>, ReadError> {
        let version = self.version.fetch_add(1, Ordering::SeqCst);
        self.applied.send_replace(());
        let value = (version > 0).then(|| wallet(key.wallet_id.clone(), version));
        Ok(Projected { value, positions: vec![ShardPosition { shard: 0, position: version }] })
    }

    async fn wallets_of(
        &self,
        _: &TenantId,
        _: &OwnerId,
        _: Option<&WalletId>,
        _: u32,
    ) -> Result<Projected<Vec<WalletState>>, ReadError> {
        unreachable!("only a wallet is asked for")
    }

    async fn ledger(
        &self,
        _: &WalletKey,
        _: &LedgerFilter,
        _: u32,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        unreachable!("only a wallet is asked for")
    }

    async fn ledger_version(&self, _: &WalletKey) -> Result<Projected<u64>, ReadError> {
        unreachable!("only a wallet is asked for")
    }

    async fn transfer(
        &self,
        _: &TenantId,
        _: TransferId,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        unreachable!("only a wallet is asked for")
    }

    async fn heads(&self) -> Result<Vec<ShardPosition>, ReadError> {
        unreachable!("only a wallet is asked for")
    }

    async fn changed(&self, _: Duration) {
        let mut applied = self.applied.subscribe();
        applied.changed().await.expect("the sender lives");
    }
}

/// A write side that has every wallet.
struct HasAll;

#[async_trait]
impl Wallets for HasAll {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        let stream = |key: &WalletKey| StreamState {
            state: wallet(key.wallet_id.clone(), 9),
            last_hash: EventHash::BEFORE_FIRST,
        };
        Ok(keys.iter().map(|key| Some(stream(key))).collect())
    }
}

fn wallet(id: WalletId, version: u64) -> WalletState {
    let owner = OwnerId::parse("ann").expect("valid");
    let usd = Currency::parse("USD").expect("valid");
    let at = Timestamp::from_unix_ms(0);
    WalletState {
        wallet: Wallet::from_snapshot(id, owner, usd, Balance::ZERO, version),
        created_at: at,
        updated_at: at,
    }
}

#[tokio::test]
async fn what_is_applied_while_the_question_is_under_way_is_heard() {
    let models = AppliesMeanwhile { version: AtomicU64::new(0), applied: watch::Sender::new(()) };
    let wallet_id = WalletId::parse("w-1").expect("valid");
    let key = WalletKey { tenant: TenantId::default(), wallet_id };
    let patience = Duration::from_secs(3_600);
    let asking = get_projected_wallet(&models, &HasAll, &key, Some(5), patience);
    let found = tokio::time::timeout(Duration::from_secs(30), asking).await;
    let found = found.expect("nothing that was applied is missed").expect("read");
    assert_eq!(found.map(|found| found.value.wallet.version()), Some(5));
}
