//! A history that was written as commands write it, and its tables, to be tampered with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sea_orm::ConnectionTrait;
use uuid::Uuid;
use wallex_database::{Column, ConnectOptions, Database, DatabaseUrl, Insert, Row};
use wallex_domain::{
    Amount, Balance, Currency, EventHash, HashedEvent, Memo, OwnerId, Wallet, WalletId, transfer,
};
use wallex_outbox::Tail;
use wallex_ports::{
    Committer, CorrelationId, EventMetadata, NewEvent, Shards, StreamAppend, StreamState,
    Timestamp, Unit, UnitOutcome, WalletKey, WalletState,
};
use wallex_testkit::TempDatabase;
use wallex_unit_of_work::SqlCommitter;
use wallex_verify::{
    Checkpoint, Export, Findings, PublicKey, SigningKey, Verified, verify_database, verify_export,
};

const AT_MS: i64 = 1_800_000_000_000;
/// How many wallets the history has, in two shards.
const WALLETS: u64 = 4;
/// How many rounds of a credit and a transfer each of them makes.
const ROUNDS: i64 = 2;

/// A row of `events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventRow {
    pub(crate) shard: i64,
    pub(crate) tenant: String,
    pub(crate) wallet_id: String,
    pub(crate) version: i64,
    pub(crate) position: i64,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) schema_version: i64,
    pub(crate) payload: String,
    pub(crate) metadata: String,
    pub(crate) recorded_at_ms: i64,
    pub(crate) hash: Vec<u8>,
}

impl EventRow {
    /// What its hash would have to be.
    pub(crate) fn hash_behind(&self, previous: EventHash) -> EventHash {
        HashedEvent {
            tenant: &self.tenant,
            wallet_id: &self.wallet_id,
            version: self.version,
            event_id: &self.event_id.to_string(),
            event_type: &self.event_type,
            schema_version: self.schema_version,
            payload: &self.payload,
            metadata: &self.metadata,
            recorded_at_ms: self.recorded_at_ms,
        }
        .hash(previous)
    }
}

/// A row of `wallet_streams`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRow {
    pub(crate) shard: i64,
    pub(crate) tenant: String,
    pub(crate) wallet_id: String,
    pub(crate) version: i64,
    pub(crate) owner_id: String,
    pub(crate) currency: String,
    pub(crate) balance: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
    pub(crate) last_hash: Vec<u8>,
}

/// What the tables of the history hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) events: Vec<EventRow>,
    pub(crate) streams: Vec<StreamRow>,
    pub(crate) heads: Vec<(i64, i64)>,
}

impl Tables {
    /// Chains every event anew, and lets the wallets know: what a master of the database would do.
    pub(crate) fn rechain(&mut self) {
        self.events.sort_by_key(|event| (event.wallet_id.clone(), event.version));
        let mut last: BTreeMap<String, EventHash> = BTreeMap::new();
        for event in &mut self.events {
            let previous = last.get(&event.wallet_id).copied();
            let hash = event.hash_behind(previous.unwrap_or(EventHash::BEFORE_FIRST));
            event.hash = hash.as_bytes().to_vec();
            last.insert(event.wallet_id.clone(), hash);
        }
        for stream in &mut self.streams {
            if let Some(hash) = last.get(&stream.wallet_id) {
                stream.last_hash = hash.as_bytes().to_vec();
            }
        }
    }
}

/// A database with a history.
pub(crate) struct World {
    pub(crate) db: Database,
    /// Kept for as long as the world.
    _database: TempDatabase,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn on(database: TempDatabase) -> Self {
        let url = DatabaseUrl::parse(database.url()).expect("valid");
        let db = Database::connect(&ConnectOptions::new(url)).await.expect("connected");
        let db = Arc::new(db);
        wallex_migrations::up(&db, Shards::new(2)).await.expect("migrated");
        fill(&db).await;
        let db = Arc::into_inner(db).expect("nobody else has it");
        let folder = tempfile::tempdir().expect("a folder");
        Self { db, _database: database, folder }
    }

    /// Verifies the database.
    pub(crate) async fn verify(&self, earlier: &[Checkpoint]) -> Verified {
        verify_database(&self.db, earlier, None, &mut |_| ()).await.expect("verified")
    }

    /// A path in a folder of its own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A key that is made where there is none yet.
    pub(crate) fn key(&self, name: &str) -> (SigningKey, PublicKey) {
        let path = self.path(name);
        if !path.exists() {
            SigningKey::generate(&path).expect("made");
        }
        let public = self.path(&format!("{name}.pub"));
        (SigningKey::read(&path).expect("a key"), PublicKey::read(&public).expect("a key"))
    }

    /// Exports the history, signed by the key of that name.
    pub(crate) async fn export(&self, name: &str, key: &str) -> (PathBuf, Checkpoint) {
        let folder = self.path(name);
        let export = Export::into_folder(&folder).expect("an empty folder");
        let verified = verify_database(&self.db, &[], Some(&export), &mut |_| ()).await;
        let verified = verified.expect("verified");
        assert_eq!(verified.findings, Findings::default());
        let checkpoint = Checkpoint::new(verified.database_id, AT_MS, verified.shards);
        let checkpoint = checkpoint.signed(&self.key(key).0);
        checkpoint.write(&export.checkpoint()).expect("written");
        (folder, checkpoint)
    }

    pub(crate) async fn tables(&self) -> Tables {
        let rows = async |sql: &str| -> Vec<Row> {
            let rows = self.db.read().query_all_raw(self.db.backend().statement(sql, [])).await;
            rows.expect("read").into_iter().map(Row).collect()
        };
        let bytes = |row: &Row, column: &'static str| {
            row.hash(column).expect("32 bytes").as_bytes().to_vec()
        };
        let text = |row: &Row, column: &'static str| row.text(column).expect("a text");
        let int = |row: &Row, column: &'static str| row.int(column).expect("a number");
        let events = "SELECT CAST(shard AS bigint) AS shard, tenant, wallet_id, version, position, \
                      CAST(event_id AS text) AS event_id, type, \
                      CAST(schema_version AS bigint) AS schema_version, \
                      CAST(payload AS text) AS payload, CAST(metadata AS text) AS metadata, \
                      recorded_at_ms, hash FROM events ORDER BY shard, position";
        let events = rows(events).await.into_iter().map(|row| EventRow {
            shard: int(&row, "shard"),
            tenant: text(&row, "tenant"),
            wallet_id: text(&row, "wallet_id"),
            version: int(&row, "version"),
            position: int(&row, "position"),
            event_id: row.uuid("event_id").expect("a UUID"),
            event_type: text(&row, "type"),
            schema_version: int(&row, "schema_version"),
            payload: text(&row, "payload"),
            metadata: text(&row, "metadata"),
            recorded_at_ms: int(&row, "recorded_at_ms"),
            hash: bytes(&row, "hash"),
        });
        let streams = "SELECT CAST(shard AS bigint) AS shard, tenant, wallet_id, version, owner_id, \
                       currency, balance, created_at_ms, updated_at_ms, last_hash \
                       FROM wallet_streams ORDER BY shard, tenant, wallet_id";
        let streams = rows(streams).await.into_iter().map(|row| StreamRow {
            shard: int(&row, "shard"),
            tenant: text(&row, "tenant"),
            wallet_id: text(&row, "wallet_id"),
            version: int(&row, "version"),
            owner_id: text(&row, "owner_id"),
            currency: text(&row, "currency"),
            balance: int(&row, "balance"),
            created_at_ms: int(&row, "created_at_ms"),
            updated_at_ms: int(&row, "updated_at_ms"),
            last_hash: bytes(&row, "last_hash"),
        });
        let heads = "SELECT CAST(shard AS bigint) AS shard, position FROM shard_heads ORDER BY 1";
        let heads =
            rows(heads).await.into_iter().map(|row| (int(&row, "shard"), int(&row, "position")));
        Tables { events: events.collect(), streams: streams.collect(), heads: heads.collect() }
    }

    /// Writes all of `tables`, in the place of what is there.
    pub(crate) async fn write(&self, Tables { events, streams, heads }: &Tables) {
        let tx = self.db.begin().await.expect("begun");
        for table in ["events", "wallet_streams", "shard_heads"] {
            tx.execute_unprepared(&format!("DELETE FROM {table}")).await.expect("deleted");
        }
        let columns = vec![
            Column::int("shard", events.iter().map(|e| e.shard)),
            Column::text("tenant", events.iter().map(|e| e.tenant.as_str())),
            Column::text("wallet_id", events.iter().map(|e| e.wallet_id.as_str())),
            Column::int("version", events.iter().map(|e| e.version)),
            Column::int("position", events.iter().map(|e| e.position)),
            Column::uuid("event_id", events.iter().map(|e| e.event_id)),
            Column::text("type", events.iter().map(|e| e.event_type.as_str())),
            Column::int("schema_version", events.iter().map(|e| e.schema_version)),
            Column::json("payload", events.iter().map(|e| e.payload.as_str())),
            Column::json("metadata", events.iter().map(|e| e.metadata.as_str())),
            Column::int("recorded_at_ms", events.iter().map(|e| e.recorded_at_ms)),
            Column::bytes("hash", events.iter().map(|e| e.hash.clone())),
        ];
        Insert::into("events", columns).execute(&tx).await.expect("written");
        let columns = vec![
            Column::int("shard", streams.iter().map(|s| s.shard)),
            Column::text("tenant", streams.iter().map(|s| s.tenant.as_str())),
            Column::text("wallet_id", streams.iter().map(|s| s.wallet_id.as_str())),
            Column::int("version", streams.iter().map(|s| s.version)),
            Column::text("owner_id", streams.iter().map(|s| s.owner_id.as_str())),
            Column::text("currency", streams.iter().map(|s| s.currency.as_str())),
            Column::int("balance", streams.iter().map(|s| s.balance)),
            Column::int("created_at_ms", streams.iter().map(|s| s.created_at_ms)),
            Column::int("updated_at_ms", streams.iter().map(|s| s.updated_at_ms)),
            Column::bytes("last_hash", streams.iter().map(|s| s.last_hash.clone())),
        ];
        Insert::into("wallet_streams", columns).execute(&tx).await.expect("written");
        let columns = vec![
            Column::int("shard", heads.iter().map(|head| head.0)),
            Column::int("position", heads.iter().map(|head| head.1)),
        ];
        Insert::into("shard_heads", columns).execute(&tx).await.expect("written");
        tx.commit().await.expect("committed");
    }
}

/// Whether an export is found to be other than it was, by somebody with `key` and an earlier checkpoint.
pub(crate) fn is_found_offline(folder: &Path, key: &PublicKey, earlier: &[Checkpoint]) -> bool {
    match verify_export(folder, earlier, &mut |_| ()) {
        Ok((checkpoint, verified)) => {
            checkpoint.verify(key).is_err() || !verified.findings.is_empty()
        }
        Err(_) => true,
    }
}

/// Writes a history: wallets are opened, credited, and pay each other.
async fn fill(db: &Arc<Database>) {
    let committer = SqlCommitter::new(Arc::clone(db), Arc::new(Tail::default()));
    let mut writer = Writer { committer, streams: BTreeMap::new(), next: 0 };
    let name = |i: u64| format!("wallet-{}", i % WALLETS);
    for i in 0..WALLETS {
        let usd = Currency::parse("USD").expect("valid");
        let owner = OwnerId::parse(format!("owner-{i}")).expect("valid");
        let opened = Wallet::open(owner, usd, Balance::new(1_000).expect("valid"));
        writer.commit(vec![(name(i), opened)]).await;
    }
    for round in 1..=ROUNDS {
        for i in 0..WALLETS {
            let (from, to) = (name(i), name(i + 3));
            let sum = Amount::new(round).expect("valid");
            let credited = writer.wallet(&from).credit(sum, Memo::default()).expect("room");
            writer.commit(vec![(from.clone(), credited)]).await;
            let id = Uuid::from_u128(u128::from(i) << 8 | round.cast_unsigned() as u128).into();
            let legs = transfer(id, writer.wallet(&from), writer.wallet(&to), sum, Memo::default());
            let legs = legs.expect("enough");
            writer.commit(vec![(from, legs.debit), (to, legs.credit)]).await;
        }
    }
}

struct Writer {
    committer: SqlCommitter,
    streams: BTreeMap<String, StreamState>,
    next: u128,
}

impl Writer {
    fn wallet(&self, id: &str) -> &Wallet {
        &self.streams[id].state.wallet
    }

    async fn commit(&mut self, events: Vec<(String, wallex_domain::WalletEvent)>) {
        let mut appends = Vec::new();
        for (id, event) in events {
            self.next += 1;
            let wallet_id = WalletId::parse(id.as_str()).expect("valid");
            let stream = WalletKey { tenant: Default::default(), wallet_id };
            let before = self.streams.get(&id);
            let wallet = match before {
                Some(before) => {
                    let mut wallet = before.state.wallet.clone();
                    wallet.apply(&event).expect("follows");
                    wallet
                }
                None => Wallet::from_created(stream.wallet_id.clone(), &event).expect("a creation"),
            };
            let expected_version = before.map_or(0, |before| before.state.wallet.version());
            let previous = before.map_or(EventHash::BEFORE_FIRST, |before| before.last_hash);
            let created_at = Timestamp::from_unix_ms(AT_MS);
            let created_at = before.map_or(created_at, |before| before.state.created_at);
            let at = Timestamp::from_unix_ms(AT_MS + i64::try_from(expected_version).expect("few"));
            let metadata = EventMetadata {
                correlation_id: CorrelationId::parse("test").expect("valid"),
                causation_id: Uuid::from_u128(self.next),
                traceparent: None,
            };
            let place = (&stream, expected_version + 1, previous);
            let id_of_event = Uuid::from_u128(self.next << 32).into();
            let event = NewEvent::chained(place, id_of_event, event, metadata, at);
            let state = WalletState { wallet, created_at, updated_at: at };
            let append = StreamAppend { stream, expected_version, events: vec![event], state };
            self.streams.insert(id, append.after());
            appends.push(append);
        }
        let units: Arc<[Unit]> = Arc::new([Unit { claim: None, reads: vec![], appends }]);
        let outcomes = self.committer.commit(units).await.expect("committed");
        assert_eq!(outcomes, [UnitOutcome::Committed]);
    }
}
