//! A look into the tables, behind the server's back.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement,
};
use wallex_domain::{EventHash, HashedEvent, TransferId, Wallet, WalletEvent, WalletId};

use crate::{TempDatabase, eventually};

/// How many rows the tables of the write path hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Events.
    pub events: i64,
    /// Outbox rows.
    pub outbox: i64,
    /// Idempotency records.
    pub idempotency_keys: i64,
    /// Wallets.
    pub wallet_streams: i64,
}

/// A wallet whose whole history was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedWallet {
    /// The wallet, folded from its events, which is what its row says, too.
    pub wallet: Wallet,
    /// Its events, oldest first.
    pub events: Vec<WalletEvent>,
}

impl AuditedWallet {
    /// What it holds, in minor units.
    #[must_use]
    pub fn balance(&self) -> i64 {
        self.wallet.balance().minor_units()
    }
}

/// Reads a database that a server may be using at the same time.
#[derive(Debug)]
pub struct Inspector {
    connection: DatabaseConnection,
}

/// What must not be there once everything is projected: what it would mean, and how many there are.
const PROJECTION_CHECKS: [(&str, &str); 6] = [
    ("a wallet is parked", "SELECT count(*) FROM dead_letters"),
    (
        "a wallet is not projected as it is",
        "SELECT count(*) FROM wallet_streams s WHERE NOT EXISTS (SELECT 1 FROM wallets w \
         WHERE w.shard = s.shard AND w.tenant = s.tenant AND w.wallet_id = s.wallet_id \
         AND w.owner_id = s.owner_id AND w.currency = s.currency AND w.balance = s.balance \
         AND w.version = s.version AND w.created_at_ms = s.created_at_ms \
         AND w.updated_at_ms = s.updated_at_ms)",
    ),
    (
        "a wallet is projected that is not there",
        "SELECT (SELECT count(*) FROM wallets) - (SELECT count(*) FROM wallet_streams)",
    ),
    (
        "an event has no line in the ledger",
        "SELECT count(*) FROM events e WHERE NOT EXISTS (SELECT 1 FROM ledger_entries l \
         WHERE l.shard = e.shard AND l.tenant = e.tenant AND l.wallet_id = e.wallet_id \
         AND l.version = e.version AND l.event_id = e.event_id AND l.position = e.position)",
    ),
    (
        "a line of the ledger has no event",
        "SELECT (SELECT count(*) FROM ledger_entries) - (SELECT count(*) FROM events)",
    ),
    (
        "the ledger's lines do not add up to the balances",
        "SELECT (SELECT coalesce(sum(CASE WHEN type IN ('opening', 'credit', 'transfer_in') \
         THEN amount ELSE -amount END), 0) FROM ledger_entries) \
         - (SELECT coalesce(sum(balance), 0) FROM wallet_streams)",
    ),
];

impl Inspector {
    /// Connects to `database`, which has been migrated.
    ///
    /// # Panics
    /// When the database can't be reached.
    pub async fn open(database: &TempDatabase) -> Self {
        let mut options = ConnectOptions::new(database.url());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.expect("the test's database");
        Self { connection }
    }

    /// The number of rows of each table.
    ///
    /// # Panics
    /// When a table can't be read.
    pub async fn counts(&self) -> Counts {
        // One statement, so that all four are of the same moment.
        let tables = ["events", "outbox", "idempotency_keys", "wallet_streams"];
        let columns = tables.map(|table| format!("(SELECT count(*) FROM {table}) AS {table}"));
        let rows = self.query(&format!("SELECT {}", columns.join(", "))).await;
        let [row] = &rows[..] else { panic!("one row, not {}", rows.len()) };
        Counts {
            events: int(row, "events"),
            outbox: int(row, "outbox"),
            idempotency_keys: int(row, "idempotency_keys"),
            wallet_streams: int(row, "wallet_streams"),
        }
    }

    /// The whole number that `sql` selects under the name `n`.
    ///
    /// # Panics
    /// When it selects anything else.
    pub async fn number(&self, sql: &str) -> i64 {
        let rows = self.query(sql).await;
        let [row] = &rows[..] else { panic!("one row, not {}: {sql}", rows.len()) };
        int(row, "n")
    }

    /// Executes `sql`.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn execute(&self, sql: &str) {
        self.connection.execute_unprepared(sql).await.expect("the statement is executed");
    }

    /// Checks every invariant that the tables must keep among themselves, whatever happened, and
    /// returns the wallets by their ids. To be called while nothing writes.
    ///
    /// # Panics
    /// When one does not hold.
    pub async fn audit(&self) -> BTreeMap<String, AuditedWallet> {
        let events = self.stored_events().await;
        check_positions(&events, &self.heads().await);
        self.check_outbox(&events).await;
        let heads = check_chains(&events);
        let wallets = fold(&events);
        check_transfers(&wallets);
        self.check_states(&wallets, &heads).await;
        wallets
    }

    /// Waits until every projector has applied every event, and checks that the projections hold
    /// what the write side holds, each event once. To be called while nothing writes.
    ///
    /// # Panics
    /// When they don't, or a wallet is parked.
    pub async fn projected(&self) {
        let lag = "SELECT CAST(coalesce(sum(h.position - c.position), 0) AS bigint) AS n \
                   FROM projector_checkpoints c JOIN shard_heads h ON h.shard = c.shard";
        eventually("everything is projected", async || (self.number(lag).await == 0).then_some(()))
            .await;
        for (what, wrong) in PROJECTION_CHECKS {
            let sql = format!("SELECT CAST(({wrong}) AS bigint) AS n");
            assert_eq!(self.number(&sql).await, 0, "{what}");
        }
    }

    async fn query(&self, sql: &str) -> Vec<QueryResult> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        self.connection.query_all_raw(statement).await.expect("the tables can be read")
    }

    async fn stored_events(&self) -> Vec<StoredEvent> {
        let rows = self
            .query(
                "SELECT CAST(shard AS bigint) AS shard, position, tenant, wallet_id, version, \
                 CAST(event_id AS text) AS event_id, type, \
                 CAST(schema_version AS bigint) AS schema_version, \
                 CAST(payload AS text) AS payload, CAST(metadata AS text) AS metadata, \
                 recorded_at_ms, hash \
                 FROM events ORDER BY tenant, wallet_id, version",
            )
            .await;
        rows.iter()
            .map(|row| StoredEvent {
                place: Place::of(row),
                schema_version: int(row, "schema_version"),
                payload: text(row, "payload"),
                metadata: text(row, "metadata"),
                recorded_at_ms: int(row, "recorded_at_ms"),
                hash: hash(row, "hash"),
            })
            .collect()
    }

    async fn heads(&self) -> BTreeMap<i64, i64> {
        let sql = "SELECT CAST(shard AS bigint) AS shard, position FROM shard_heads";
        let rows = self.query(sql).await;
        rows.iter().map(|row| (int(row, "shard"), int(row, "position"))).collect()
    }

    async fn check_outbox(&self, events: &[StoredEvent]) {
        let rows = self
            .query(
                "SELECT CAST(shard AS bigint) AS shard, position, tenant, wallet_id, version, \
                 CAST(event_id AS text) AS event_id, type FROM outbox",
            )
            .await;
        let enqueued: HashSet<Place> = rows.iter().map(Place::of).collect();
        let recorded: HashSet<Place> = events.iter().map(|event| event.place.clone()).collect();
        assert_eq!(recorded.len(), events.len(), "an event was recorded twice");
        let lost: Vec<_> = recorded.difference(&enqueued).collect();
        assert!(lost.is_empty(), "events without an outbox row: {lost:?}");
        let made_up: Vec<_> = enqueued.difference(&recorded).collect();
        assert!(made_up.is_empty(), "outbox rows without an event: {made_up:?}");
    }

    async fn check_states(
        &self,
        wallets: &BTreeMap<String, AuditedWallet>,
        heads: &BTreeMap<&str, EventHash>,
    ) {
        let rows = self
            .query("SELECT wallet_id, version, owner_id, currency, balance, last_hash FROM wallet_streams")
            .await;
        assert_eq!(rows.len(), wallets.len(), "as many states as histories");
        for row in &rows {
            let id = text(row, "wallet_id");
            let Some(AuditedWallet { wallet, .. }) = wallets.get(&id) else {
                panic!("{id} has a state and no history");
            };
            let stored = (
                int(row, "version"),
                text(row, "owner_id"),
                text(row, "currency"),
                int(row, "balance"),
            );
            let folded = (
                wallet.version().cast_signed(),
                wallet.owner_id().to_string(),
                wallet.currency().to_string(),
                wallet.balance().minor_units(),
            );
            assert_eq!(stored, folded, "the state of {id} is the fold of its events");
            let last = hash(row, "last_hash");
            assert_eq!(last, heads[id.as_str()], "{id} knows the hash of its last event");
        }
    }
}

/// What an event and its outbox row agree on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    shard: i64,
    position: i64,
    tenant: String,
    wallet_id: String,
    version: i64,
    event_id: String,
    event_type: String,
}

impl Place {
    fn of(row: &QueryResult) -> Self {
        Self {
            shard: int(row, "shard"),
            position: int(row, "position"),
            tenant: text(row, "tenant"),
            wallet_id: text(row, "wallet_id"),
            version: int(row, "version"),
            event_id: text(row, "event_id"),
            event_type: text(row, "type"),
        }
    }
}

struct StoredEvent {
    place: Place,
    schema_version: i64,
    payload: String,
    metadata: String,
    recorded_at_ms: i64,
    hash: EventHash,
}

fn check_positions(events: &[StoredEvent], heads: &BTreeMap<i64, i64>) {
    let mut by_shard: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let mut ids = HashSet::new();
    for StoredEvent { place, .. } in events {
        by_shard.entry(place.shard).or_default().push(place.position);
        assert!(ids.insert(&place.event_id), "event {} is there twice", place.event_id);
    }
    for (shard, head) in heads {
        let mut positions = by_shard.remove(shard).unwrap_or_default();
        positions.sort_unstable();
        let gapless: Vec<i64> = (1..=*head).collect();
        assert_eq!(
            positions, gapless,
            "the positions of shard {shard} have no hole, up to its head"
        );
    }
    assert!(by_shard.is_empty(), "shards without a head: {by_shard:?}");
}

/// Checks each event's hash; the last of each wallet.
fn check_chains(events: &[StoredEvent]) -> BTreeMap<&str, EventHash> {
    let mut heads = BTreeMap::new();
    for StoredEvent { place, schema_version, payload, metadata, recorded_at_ms, hash } in events {
        let previous = heads.get(place.wallet_id.as_str()).copied();
        let event = HashedEvent {
            tenant: &place.tenant,
            wallet_id: &place.wallet_id,
            version: place.version,
            event_id: &place.event_id,
            event_type: &place.event_type,
            schema_version: *schema_version,
            payload,
            metadata,
            recorded_at_ms: *recorded_at_ms,
        };
        let expected = event.hash(previous.unwrap_or(EventHash::BEFORE_FIRST));
        assert_eq!(*hash, expected, "the event is chained to the one before it: {place:?}");
        heads.insert(place.wallet_id.as_str(), *hash);
    }
    heads
}

fn fold(events: &[StoredEvent]) -> BTreeMap<String, AuditedWallet> {
    let mut histories: BTreeMap<String, Vec<WalletEvent>> = BTreeMap::new();
    for StoredEvent { place, schema_version, payload, .. } in events {
        let history = histories.entry(place.wallet_id.clone()).or_default();
        let next = i64::try_from(history.len() + 1).expect("a history that fits into memory");
        assert_eq!(place.version, next, "the versions of {} are contiguous", place.wallet_id);
        let schema_version = u16::try_from(*schema_version).expect("a schema version");
        let event = WalletEvent::decode(&place.event_type, schema_version, payload);
        history.push(event.expect("the event can be decoded"));
    }
    histories
        .into_iter()
        .map(|(id, events)| {
            let wallet_id = WalletId::parse(id.as_str()).expect("a wallet id");
            let wallet = Wallet::fold(&wallet_id, &events).expect("each event follows");
            let wallet = wallet.expect("a history is not empty");
            (id, AuditedWallet { wallet, events })
        })
        .collect()
}

/// One leg of a transfer: who it belongs to, who is on the other side, and what came in.
type Leg<'a> = (&'a str, &'a str, i64);

fn check_transfers(wallets: &BTreeMap<String, AuditedWallet>) {
    let mut transfers: HashMap<TransferId, Vec<Leg<'_>>> = HashMap::new();
    for (id, AuditedWallet { events, .. }) in wallets {
        for event in events {
            let (movement, sign) = match event {
                WalletEvent::Created { .. } => continue,
                WalletEvent::Credited(movement) => (movement, 1),
                WalletEvent::Debited(movement) => (movement, -1),
            };
            if let Some(leg) = &movement.transfer {
                let came_in = sign * movement.amount.minor_units();
                let legs = transfers.entry(leg.transfer_id).or_default();
                legs.push((id, leg.counterparty.as_str(), came_in));
            }
        }
    }
    for (id, legs) in transfers {
        let [(one, ones_other, in_one), (two, twos_other, in_two)] = legs[..] else {
            panic!("transfer {id} has not two legs: {legs:?}");
        };
        assert_eq!((one, two), (twos_other, ones_other), "the legs of {id} name each other");
        assert_eq!(in_one, -in_two, "what leaves one wallet by {id} comes into the other");
    }
}

fn int(row: &QueryResult, column: &str) -> i64 {
    row.try_get("", column).unwrap_or_else(|error| panic!("{column}: {error}"))
}

fn text(row: &QueryResult, column: &str) -> String {
    row.try_get("", column).unwrap_or_else(|error| panic!("{column}: {error}"))
}

fn hash(row: &QueryResult, column: &str) -> EventHash {
    let bytes: Vec<u8> =
        row.try_get("", column).unwrap_or_else(|error| panic!("{column}: {error}"));
    EventHash::try_from(&bytes[..]).expect("32 bytes")
}
