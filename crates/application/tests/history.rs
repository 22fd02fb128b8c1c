//! A wallet's history: by pages, and as what its balance is made of.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;
use wallex_application::{
    BalancePart, ExplainError, ExplainPorts, WalletExplanation, explain_wallet, list_events,
};
use wallex_domain::{
    Amount, Balance, Currency, EventHash, Memo, OwnerId, TenantId, TransferId, Wallet, WalletEvent,
    WalletId,
};
use wallex_ports::{
    CorrelationId, DeadLetter, DeadLetterError, DeadLetters, EntryType, EventMetadata, Events,
    LedgerEntry, LedgerFilter, Projected, ProjectorState, ProjectorStatus, Projectors, ReadError,
    ReadModels, RecordedEvent, Replay, ShardPosition, SteerError, StoredEvent, StreamState,
    Timestamp, WalletKey, WalletState, Wallets,
};

/// The version that the write side tells.
const VERSION: u64 = 4;
/// Somebody has written one more event since, of a form that is not known here.
const UNREADABLE: u64 = 5;

const AT: Timestamp = Timestamp::from_unix_ms(0);

/// A server with one wallet: opened with 10, and credited with 1 each time.
struct One;

fn key(wallet_id: &str) -> WalletKey {
    WalletKey { tenant: TenantId::default(), wallet_id: WalletId::parse(wallet_id).expect("valid") }
}

fn opened() -> WalletEvent {
    let (owner, usd) = (OwnerId::parse("ann"), Currency::parse("USD"));
    Wallet::open(owner.expect("valid"), usd.expect("valid"), Balance::new(10).expect("valid"))
}

fn credit(wallet: &Wallet) -> WalletEvent {
    wallet.credit(Amount::new(1).expect("valid"), Memo::default()).expect("room")
}

/// The wallet at `version`.
fn wallet(version: u64) -> WalletState {
    let mut wallet = Wallet::from_created(key("w").wallet_id, &opened()).expect("a creation");
    while wallet.version() < version {
        wallet.apply(&credit(&wallet)).expect("follows");
    }
    WalletState { wallet, created_at: AT, updated_at: AT }
}

fn recorded(version: u64) -> RecordedEvent {
    let event = if version == 1 { opened() } else { credit(&wallet(version - 1).wallet) };
    let correlation_id = CorrelationId::parse("test").expect("valid");
    RecordedEvent {
        event_id: Uuid::nil().into(),
        version,
        position: version,
        schema_version: 1,
        event,
        metadata: EventMetadata { correlation_id, causation_id: Uuid::nil(), traceparent: None },
        recorded_at: AT,
        hash: EventHash::BEFORE_FIRST,
    }
}

fn projected<T>(value: T) -> Projected<T> {
    Projected { value, positions: vec![ShardPosition { shard: 1, position: 40 }] }
}

#[async_trait]
impl Wallets for One {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        let stream = StreamState { state: wallet(VERSION), last_hash: EventHash::BEFORE_FIRST };
        let found = |wanted: &WalletKey| (*wanted == key("w")).then(|| stream.clone());
        Ok(keys.iter().map(found).collect())
    }
}

#[async_trait]
impl Events for One {
    async fn after(
        &self,
        wanted: &WalletKey,
        after: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        if *wanted != key("w") || after >= UNREADABLE {
            return Ok(Vec::new());
        }
        let last = after + u64::from(limit);
        if last >= UNREADABLE {
            return Err(ReadError::Storage("an unknown schema version".into()));
        }
        Ok((after + 1..=last).map(recorded).collect())
    }
}

/// The read model is two versions behind, and the ledger one.
#[async_trait]
impl ReadModels for One {
    async fn wallet(&self, _: &WalletKey) -> Result<Projected<Option<WalletState>>, ReadError> {
        Ok(projected(Some(wallet(2))))
    }

    async fn wallets_of(
        &self,
        _: &TenantId,
        _: &OwnerId,
        _: Option<&WalletId>,
        _: u32,
    ) -> Result<Projected<Vec<WalletState>>, ReadError> {
        unreachable!("only one wallet is asked for")
    }

    async fn ledger(
        &self,
        _: &WalletKey,
        _: &LedgerFilter,
        _: u32,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        unreachable!("only its version is asked for")
    }

    async fn ledger_version(&self, _: &WalletKey) -> Result<Projected<u64>, ReadError> {
        Ok(projected(3))
    }

    async fn transfer(
        &self,
        _: &TenantId,
        _: TransferId,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        unreachable!("only one wallet is asked for")
    }

    async fn heads(&self) -> Result<Vec<ShardPosition>, ReadError> {
        unreachable!("nothing is waited for")
    }

    async fn changed(&self, _: Duration) {
        unreachable!("nothing is waited for")
    }
}

/// Three projectors in two shards; this version knows two of them.
#[async_trait]
impl Projectors for One {
    async fn status(&self) -> Result<Vec<ProjectorStatus>, ReadError> {
        let status = |projector: &str, shard| ProjectorStatus {
            projector: projector.to_owned(),
            shard,
            state: ProjectorState::Running,
            position: 40,
            head: 42,
            lag_age_ms: 1,
            events_per_second: 1,
            holder: None,
            epoch: 1,
            updated_at: AT,
            last_error: None,
            parked_wallets: 0,
        };
        let in_shard =
            |shard| ["ledger", "of_a_later_version", "read_model"].map(|p| status(p, shard));
        Ok([0, 1].map(in_shard).concat())
    }

    async fn start(&self, _: &str) -> Result<(), SteerError> {
        unreachable!("nothing is steered")
    }

    async fn stop(&self, _: &str) -> Result<(), SteerError> {
        unreachable!("nothing is steered")
    }
}

/// There are none.
#[async_trait]
impl DeadLetters for One {
    async fn list(
        &self,
        _: Option<&TenantId>,
        _: Option<&str>,
        _: Option<(&str, &WalletKey)>,
        _: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        unreachable!("only one wallet is asked for")
    }

    async fn show(
        &self,
        _: &str,
        _: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError> {
        Err(DeadLetterError::NotParked)
    }

    async fn replay(&self, _: &str, _: &WalletKey) -> Result<Replay, DeadLetterError> {
        unreachable!("nothing is steered")
    }

    async fn discard(
        &self,
        _: &str,
        _: &WalletKey,
        _: u64,
        _: &str,
    ) -> Result<Replay, DeadLetterError> {
        unreachable!("nothing is steered")
    }
}

async fn explain(events_max: u64) -> Result<WalletExplanation, ExplainError> {
    let ports = ExplainPorts {
        wallets: &One,
        events: &One,
        read_models: &One,
        projectors: &One,
        dead_letters: &One,
    };
    Ok(explain_wallet(ports, &key("w"), events_max).await?.expect("it is there"))
}

#[tokio::test]
async fn an_explanation_rests_on_nothing_that_came_after_what_it_explains() {
    let explained = explain(u64::MAX).await.expect("read");
    assert_eq!((explained.unreadable_version, explained.adds_up()), (None, true));
    let part = |entry_type, count, sum| BalancePart { entry_type, count, sum };
    assert_eq!(explained.parts, [part(EntryType::Opening, 1, 10), part(EntryType::Credit, 3, 3)]);
}

#[tokio::test]
async fn as_many_events_are_explained_as_may_be_read_and_no_more() {
    assert!(explain(VERSION).await.expect("read").adds_up());
    for may in [VERSION - 1, 1] {
        match explain(may).await.expect_err("too long") {
            ExplainError::TooLong { events, events_max } => {
                assert_eq!((events, events_max), (VERSION, may));
            }
            ExplainError::Read(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn each_projection_is_told_with_its_own_version_of_the_wallet() {
    let explained = explain(VERSION).await.expect("read");
    let told = explained.projections.iter();
    let told = told.map(|one| (one.status.projector.as_str(), one.status.shard, one.version));
    assert_eq!(told.collect::<Vec<_>>(), [("ledger", 1, 3), ("read_model", 1, 2)]);
}

#[tokio::test]
async fn parts_add_up_when_they_are_of_every_event_and_make_the_balance() {
    let explained = explain(VERSION).await.expect("read");
    for (count, sum, adds_up) in [(4, 13, true), (3, 13, false), (4, 12, false)] {
        let parts = vec![BalancePart { entry_type: EntryType::Opening, count, sum }];
        let explained = WalletExplanation { parts, ..explained.clone() };
        assert_eq!(explained.adds_up(), adds_up, "{count} events, {sum}");
    }
}

#[tokio::test]
async fn behind_the_last_event_there_is_an_empty_page_and_nobody_has_none() {
    let page = |wallet_id, after| async move {
        let found = list_events(&One, &One, &key(wallet_id), after, 2).await.expect("read");
        found.map(|page| {
            let versions: Vec<u64> = page.events.iter().map(|event| event.version).collect();
            (versions, page.next_after)
        })
    };
    assert_eq!(page("w", 0).await, Some((vec![1, 2], Some(2))));
    assert_eq!(page("w", UNREADABLE).await, Some((vec![], None)));
    assert_eq!(page("nobody", 0).await, None);
}
