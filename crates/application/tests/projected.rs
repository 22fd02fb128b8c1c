//! Waiting for a projection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;
use wallex_application::{Awaited, ProjectionError, get_projected_wallet};
use wallex_domain::{
    Balance, Currency, EventHash, OwnerId, TenantId, TransferId, Wallet, WalletId,
};
use wallex_ports::{
    LedgerEntry, LedgerFilter, Projected, ReadError, ReadModels, ShardPosition, StreamState,
    Timestamp, WalletKey, WalletState, Wallets,
};

/// What a read model does while it is asked.
enum Meanwhile {
    /// It applies one more version while each question is under way, behind what the answer shows, and tells
    /// those who listen. Time alone ends no waiting.
    Applies(watch::Sender<()>),
    /// It applies other wallets' events all the time.
    AppliesOthers,
    /// It applies nothing.
    Rests,
}

/// A read model of one wallet.
struct Model {
    /// How often it was asked.
    asked: AtomicU64,
    meanwhile: Meanwhile,
}

impl Model {
    fn that(meanwhile: Meanwhile) -> Self {
        Self { asked: AtomicU64::new(0), meanwhile }
    }
}

#[async_trait]
impl ReadModels for Model {
    async fn wallet(&self, key: &WalletKey) -> Result<Projected<Option<WalletState>>, ReadError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let version = match &self.meanwhile {
            Meanwhile::Applies(applied) => {
                applied.send_replace(());
                asked
            }
            _ => 0,
        };
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

    async fn changed(&self, at_most: Duration) {
        match &self.meanwhile {
            Meanwhile::Applies(applied) => {
                applied.subscribe().changed().await.expect("the sender lives");
            }
            Meanwhile::AppliesOthers => {}
            Meanwhile::Rests => tokio::time::sleep(at_most).await,
        }
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

/// A write side that has no wallet.
struct HasNone;

#[async_trait]
impl Wallets for HasNone {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        Ok(vec![None; keys.len()])
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

/// Asks `models` for `version` of a wallet that has version 9, for a second.
async fn ask(
    models: &Model,
    version: u64,
) -> Result<Option<Projected<WalletState>>, ProjectionError> {
    ask_beside(models, &HasAll, version).await
}

async fn ask_beside(
    models: &Model,
    wallets: &dyn Wallets,
    version: u64,
) -> Result<Option<Projected<WalletState>>, ProjectionError> {
    let wallet_id = WalletId::parse("w-1").expect("valid");
    let key = WalletKey { tenant: TenantId::default(), wallet_id };
    let patience = Duration::from_secs(1);
    get_projected_wallet(models, wallets, &key, Some(version), patience).await
}

#[tokio::test(start_paused = true)]
async fn what_is_applied_while_the_question_is_under_way_is_heard() {
    let models = Model::that(Meanwhile::Applies(watch::Sender::new(())));
    let found = tokio::time::timeout(Duration::from_secs(30), ask(&models, 5)).await;
    let found = found.expect("nothing that was applied is missed").expect("read");
    assert_eq!(found.map(|found| found.value.wallet.version()), Some(5));
}

#[tokio::test(start_paused = true)]
async fn who_waits_asks_again_by_what_is_heard_and_no_more_than_fifty_times_a_second() {
    // Two at the begin, then one for each 50 or 20 ms of the second.
    for (meanwhile, asked) in [(Meanwhile::Rests, 22), (Meanwhile::AppliesOthers, 52)] {
        let (models, began) = (Model::that(meanwhile), Instant::now());
        let behind = tokio::time::timeout(Duration::from_secs(30), ask(&models, 9)).await;
        let behind = behind.expect("patience ends");
        assert!(matches!(behind, Err(ProjectionError::Behind(_))), "{behind:?}");
        assert_eq!(began.elapsed().as_secs(), 1);
        assert_eq!(models.asked.load(Ordering::SeqCst), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_write_side_does_not_have_is_not_waited_for() {
    let (models, began) = (Model::that(Meanwhile::Rests), Instant::now());
    let behind = ask(&models, 10).await;
    assert!(matches!(behind, Err(ProjectionError::Behind(_))), "{behind:?}");
    assert!(began.elapsed().is_zero(), "it was waited for");
}

/// A database that was put back to an earlier time may have a projection that is ahead of its events.
#[tokio::test(start_paused = true)]
async fn a_wallet_that_a_projection_alone_has_is_not_said_to_be_nobodys() {
    let models = Model::that(Meanwhile::Applies(watch::Sender::new(())));
    assert!(matches!(ask_beside(&models, &HasNone, 5).await, Ok(None)), "neither has it");
    let behind = ask_beside(&models, &HasNone, 5).await;
    let Err(ProjectionError::Behind(behind)) = behind else { panic!("{behind:?}") };
    assert_eq!(behind.awaited, Awaited::Version { wanted: 5, reached: 1 });
}
