//! Pages of a long ledger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;
use wallex_application::{LedgerQuery, list_ledger};
use wallex_domain::{Balance, Currency, OwnerId, TenantId, TransferId, WalletId};
use wallex_ports::{
    EntryType, LedgerEntry, LedgerFilter, Projected, ReadError, ReadModels, ShardPosition,
    StreamState, Timestamp, WalletKey, WalletState, Wallets,
};

/// A ledger of so many lines: it begins with an opening, and has credits from there on.
struct Long {
    lines: u64,
    /// How often lines were asked for, and how often how far it has come.
    asked: (AtomicU64, AtomicU64),
}

impl Long {
    fn of(lines: u64) -> Self {
        Self { lines, asked: Default::default() }
    }

    fn projected<T>(&self, value: T) -> Projected<T> {
        Projected { value, positions: vec![ShardPosition { shard: 0, position: self.lines }] }
    }
}

fn line(key: &WalletKey, version: u64) -> LedgerEntry {
    LedgerEntry {
        wallet: key.clone(),
        version,
        position: version,
        event_id: Uuid::nil().into(),
        entry_type: if version == 1 { EntryType::Opening } else { EntryType::Credit },
        amount: Balance::ZERO,
        balance_after: Balance::ZERO,
        currency: Currency::parse("USD").expect("valid"),
        description: None,
        reference: None,
        transfer_id: None,
        counterparty: None,
        recorded_at: Timestamp::from_unix_ms(0),
    }
}

#[async_trait]
impl ReadModels for Long {
    async fn wallet(&self, _: &WalletKey) -> Result<Projected<Option<WalletState>>, ReadError> {
        unreachable!("only the ledger is asked for")
    }

    async fn wallets_of(
        &self,
        _: &TenantId,
        _: &OwnerId,
        _: Option<&WalletId>,
        _: u32,
    ) -> Result<Projected<Vec<WalletState>>, ReadError> {
        unreachable!("only the ledger is asked for")
    }

    async fn ledger(
        &self,
        key: &WalletKey,
        filter: &LedgerFilter,
        limit: u32,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        self.asked.0.fetch_add(1, Ordering::SeqCst);
        let below = filter.below_version.unwrap_or(self.lines + 1);
        let from = filter.from_version.unwrap_or(1);
        let is_all = filter.entry_type.is_none();
        assert!(is_all || below - from <= 5_000, "{filter:?} looks at too much");
        let lines = (from..below.min(self.lines + 1)).rev().map(|version| line(key, version));
        let fitting = lines.filter(|line| is_all || filter.entry_type == Some(line.entry_type));
        Ok(self.projected(fitting.take(limit as usize).collect()))
    }

    async fn ledger_version(&self, _: &WalletKey) -> Result<Projected<u64>, ReadError> {
        self.asked.1.fetch_add(1, Ordering::SeqCst);
        Ok(self.projected(self.lines))
    }

    async fn transfer(
        &self,
        _: &TenantId,
        _: TransferId,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        unreachable!("only the ledger is asked for")
    }

    async fn heads(&self) -> Result<Vec<ShardPosition>, ReadError> {
        unreachable!("only the ledger is asked for")
    }

    async fn changed(&self, _: Duration) {
        unreachable!("nothing is waited for")
    }
}

#[async_trait]
impl Wallets for Long {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        assert_eq!(self.lines, 0, "the ledger has the wallet");
        Ok(vec![None; keys.len()])
    }
}

fn key() -> WalletKey {
    let wallet_id = WalletId::parse("w-1").expect("valid");
    WalletKey { tenant: TenantId::default(), wallet_id }
}

/// The versions on each page, from the newest line to the last page.
async fn pages(ledger: &Long, entry_type: Option<EntryType>, limit: u32) -> Vec<Vec<u64>> {
    let key = key();
    let filter = LedgerFilter { entry_type, ..LedgerFilter::default() };
    let mut query = LedgerQuery { filter, limit, min_version: None };
    let mut pages = Vec::new();
    loop {
        let found = list_ledger(ledger, ledger, &key, &query, Duration::ZERO).await;
        let page = found.expect("read").expect("the wallet is there").value;
        pages.push(page.entries.iter().map(|entry| entry.version).collect());
        match page.next_below {
            Some(below) => query.filter.below_version = Some(below),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn filter_that_fits_little_is_answered_in_bounded_pages_without_a_gap() {
    let (long, empty) = (Long::of(12_000), Vec::<u64>::new());
    let openings = pages(&long, Some(EntryType::Opening), 200).await;
    assert_eq!(openings, [empty.clone(), empty.clone(), vec![1]]);
    let all_but_first: Vec<u64> = (2..=12_000).rev().collect();
    assert_eq!(pages(&long, Some(EntryType::Credit), 199).await.concat(), all_but_first);
    let all = pages(&long, None, 199).await.concat();
    assert_eq!(all, (1..=12_000).rev().collect::<Vec<_>>());
    // The first line is the last that a page looks at: there is nothing left for one more.
    let openings = pages(&Long::of(10_000), Some(EntryType::Opening), 200).await;
    assert_eq!(openings, [empty, vec![1]]);
}

#[tokio::test]
async fn lines_are_looked_for_once_a_page() {
    let asked = |ledger: &Long| {
        let (lines, version) = &ledger.asked;
        (lines.load(Ordering::SeqCst), version.load(Ordering::SeqCst))
    };
    let short = Long::of(3);
    assert_eq!(pages(&short, None, 200).await, [[3, 2, 1]]);
    assert_eq!(asked(&short), (1, 0), "there is nothing to wait for");
    // Two pages with nothing on them, and the last.
    let long = Long::of(12_000);
    assert_eq!(pages(&long, Some(EntryType::Opening), 200).await.len(), 3);
    assert_eq!(asked(&long), (3, 3), "where it begins, and twice whether it is there");
}

#[tokio::test]
async fn a_wallet_that_is_not_there_has_no_page_wherever_it_would_begin() {
    let none = Long::of(0);
    for below_version in [None, Some(20_000)] {
        for entry_type in [None, Some(EntryType::Opening)] {
            let filter = LedgerFilter { entry_type, below_version, ..LedgerFilter::default() };
            let query = LedgerQuery { filter, limit: 10, min_version: None };
            let found = list_ledger(&none, &none, &key(), &query, Duration::ZERO).await;
            assert_eq!(found.expect("read"), None, "{query:?}");
        }
    }
}
