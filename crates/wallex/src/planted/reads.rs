//! Reads that say what is not so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use wallex_domain::{Balance, Wallet};
use wallex_ports::{
    IdempotencyRecords, KeyScope, ReadError, StoredRecord, StreamState, WalletKey, Wallets, planted,
};

/// What a wallet holds, in minor units, that is loaded as it never was.
const RICH: i64 = 1_000_000;

type Loaded = Result<Vec<Option<StreamState>>, ReadError>;

/// The lane's wallets, or, as `debit-from-stale-state` has it, at their versions with what they may have
/// held once.
pub(super) fn richer(wallets: Arc<dyn Wallets>) -> Arc<dyn Wallets> {
    if planted::is("debit-from-stale-state") { Arc::new(Richer(wallets)) } else { wallets }
}

struct Richer(Arc<dyn Wallets>);

#[async_trait]
impl Wallets for Richer {
    async fn load(&self, keys: &[WalletKey]) -> Loaded {
        let mut found = self.0.load(keys).await?;
        for found in found.iter_mut().flatten() {
            let wallet = &found.state.wallet;
            let (id, owner) = (wallet.id().clone(), wallet.owner_id().clone());
            let balance = Balance::new(RICH).expect("invariant: not below zero");
            found.state.wallet =
                Wallet::from_snapshot(id, owner, wallet.currency(), balance, wallet.version());
        }
        Ok(found)
    }
}

/// The wallets of queries, or, as `stale-read` has it, each as it was when it was first asked for.
pub(super) fn stale(wallets: Arc<dyn Wallets>) -> Arc<dyn Wallets> {
    if planted::is("stale-read") {
        Arc::new(Stale { wallets, seen: Mutex::default() })
    } else {
        wallets
    }
}

struct Stale {
    wallets: Arc<dyn Wallets>,
    seen: Mutex<BTreeMap<WalletKey, Option<StreamState>>>,
}

#[async_trait]
impl Wallets for Stale {
    async fn load(&self, keys: &[WalletKey]) -> Loaded {
        let found = self.wallets.load(keys).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first =
            |(key, found): (&WalletKey, _)| seen.entry(key.clone()).or_insert(found).clone();
        Ok(keys.iter().zip(found).map(first).collect())
    }
}

/// The records, with the answers that `replay-wrong-response` makes of them.
pub(super) fn wrong_answers(records: Arc<dyn IdempotencyRecords>) -> Arc<dyn IdempotencyRecords> {
    if planted::is("replay-wrong-response") { Arc::new(WrongAnswers(records)) } else { records }
}

struct WrongAnswers(Arc<dyn IdempotencyRecords>);

#[async_trait]
impl IdempotencyRecords for WrongAnswers {
    async fn lookup(&self, scopes: &[KeyScope]) -> Result<Vec<Option<StoredRecord>>, ReadError> {
        let records = self.0.lookup(scopes).await?;
        Ok(records.into_iter().map(|record| record.map(wrong)).collect())
    }
}

/// `record`, with a version that was never answered where `replay-wrong-response` is planted.
pub(super) fn wrong(mut record: StoredRecord) -> StoredRecord {
    if planted::is("replay-wrong-response") {
        let body = record.answer.body.replace("\"version\":", "\"version\":1");
        record.answer.body = body.into();
    }
    record
}
