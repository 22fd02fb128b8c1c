//! Units to commit, and a database to commit them to.

use std::sync::Arc;

use uuid::Uuid;
use wallex_database::{ConnectOptions, Database, DatabaseUrl};
use wallex_domain::{
    Amount, Balance, Currency, EventHash, Memo, OwnerId, Wallet, WalletEvent, WalletId,
};
use wallex_outbox::Tail;
use wallex_ports::{
    Claim, CorrelationId, EventMetadata, IdempotencyKey, KeyScope, NewEvent, RequestHash, Route,
    StoredAnswer, StreamAppend, StreamVersion, Timestamp, Unit, WalletKey, WalletState,
};
use wallex_testkit::TempDatabase;

use crate::SqlCommitter;

pub(super) async fn migrated(database: &TempDatabase) -> Arc<Database> {
    let url = DatabaseUrl::parse(database.url()).expect("valid");
    let db = Database::connect(&ConnectOptions::new(url)).await.expect("connected");
    wallex_migrations::up(&db, None).await.expect("migrated");
    Arc::new(db)
}

pub(super) fn committer(db: &Arc<Database>) -> SqlCommitter {
    SqlCommitter::new(Arc::clone(db), Arc::new(Tail::default()))
}

pub(super) fn key(wallet_id: &str) -> WalletKey {
    let wallet_id = WalletId::parse(wallet_id).expect("valid");
    WalletKey { tenant: Default::default(), wallet_id }
}

pub(super) fn scope(key: &str) -> KeyScope {
    KeyScope {
        tenant: Default::default(),
        route: Route::create_wallet(),
        key: IdempotencyKey::parse(key).expect("valid"),
        wallet_id: None,
    }
}

pub(super) fn claim(key: &str, body: &str) -> Claim {
    Claim {
        scope: scope(key),
        request_hash: RequestHash([7; 32]),
        answer: StoredAnswer {
            status: 201,
            etag: Some("\"1\"".to_owned()),
            location: None,
            body: body.to_owned().into(),
        },
        ttl_ms: 60_000,
    }
}

fn append(
    wallet_id: &str,
    (expected_version, previous): (u64, EventHash),
    event: WalletEvent,
    wallet: Wallet,
) -> StreamAppend {
    let at = Timestamp::from_unix_ms(1_800_000_000_000);
    let metadata = EventMetadata {
        correlation_id: CorrelationId::parse("test").expect("valid"),
        causation_id: Uuid::from_u128(1),
        traceparent: None,
    };
    #[expect(clippy::disallowed_methods, reason = "a test's events need no decided ids")]
    let event_id = Uuid::now_v7().into();
    let stream = key(wallet_id);
    let place = (&stream, expected_version + 1, previous);
    let event = NewEvent::chained(place, event_id, event, metadata, at);
    StreamAppend {
        stream,
        expected_version,
        events: vec![event],
        state: WalletState { wallet, created_at: at, updated_at: at },
    }
}

/// Opens a wallet with `balance`.
pub(super) fn open(wallet_id: &str, balance: i64) -> StreamAppend {
    let event = Wallet::open(
        OwnerId::parse("owner").expect("valid"),
        Currency::parse("USD").expect("valid"),
        Balance::new(balance).expect("valid"),
    );
    let id = WalletId::parse(wallet_id).expect("valid");
    let wallet = Wallet::from_created(id, &event).expect("a creation");
    append(wallet_id, (0, EventHash::BEFORE_FIRST), event, wallet)
}

/// Credits the wallet that `before` leaves with 1.
pub(super) fn credit(before: &StreamAppend) -> StreamAppend {
    let mut wallet = before.state.wallet.clone();
    let expected_version = wallet.version();
    let event = wallet.credit(Amount::new(1).expect("valid"), Memo::default()).expect("room");
    wallet.apply(&event).expect("follows");
    let follows = (expected_version, before.after().last_hash);
    append(before.stream.wallet_id.as_str(), follows, event, wallet)
}

pub(super) fn unit(claim: Option<Claim>, appends: Vec<StreamAppend>) -> Unit {
    Unit { claim, reads: vec![], appends }
}

pub(super) fn refusal(claim: Option<Claim>, wallet_id: &str, version: u64) -> Unit {
    Unit { claim, reads: vec![StreamVersion { stream: key(wallet_id), version }], appends: vec![] }
}
