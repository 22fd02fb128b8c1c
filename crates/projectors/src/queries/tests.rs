//! What the queries promise, on both databases. The rows are put there by hand.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait as _, Value};
use tokio::sync::watch;
use uuid::Uuid;
use wallex_database::{Backend, ConnectOptions, Database, DatabaseUrl};
use wallex_domain::{Balance, Currency, OwnerId, TenantId, TransferId, Wallet, WalletId};
use wallex_ports::{
    EntryType, LedgerEntry, LedgerFilter, ReadError, ReadModels, ShardPosition, Shards, Timestamp,
    WalletKey, WalletState,
};
use wallex_testkit::{TempDatabase, on_both_databases};

use super::{SqlReadModels, legs_of, wallets_of};
use crate::tables::{ledger, wallets};

on_both_databases!(
    wallet_is_read_with_the_position_of_its_shard,
    wallets_of_an_owner_come_from_every_shard_in_the_order_of_ids,
    pages_of_wallets_have_no_gap_and_no_repetition_while_wallets_are_added,
    ledger_is_read_newest_first_and_filtered,
    pages_of_a_ledger_do_not_shift_while_lines_are_added,
    what_may_be_missing_survives,
    both_legs_of_a_transfer_are_found_wherever_they_are,
    owners_and_transfers_are_found_by_their_indexes,
    parked_wallet_holds_back_the_positions_that_it_belongs_to,
    heads_are_those_of_the_write_side,
    unmigrated_database_is_unavailable,
    change_ends_the_waiting,
    readers_leave_connections_to_commands,
);

const SHARDS: u16 = 3;

struct Fixture {
    db: Arc<Database>,
    models: SqlReadModels,
    applied: watch::Sender<u64>,
}

impl Fixture {
    async fn new(database: &TempDatabase) -> Self {
        let fixture = Self::unmigrated(database).await;
        wallex_migrations::up(&fixture.db, Shards::new(SHARDS)).await.expect("migrated");
        fixture
    }

    async fn unmigrated(database: &TempDatabase) -> Self {
        let url = DatabaseUrl::parse(database.url()).expect("valid");
        let db = Database::connect(&ConnectOptions::new(url)).await.expect("connected");
        let (applied, receiver) = watch::channel(0);
        let db = Arc::new(db);
        Self { models: SqlReadModels::new(Arc::clone(&db), receiver), db, applied }
    }

    fn shard(&self, id: &str) -> u16 {
        self.db.shards().expect("migrated").of_wallet(&key(id))
    }

    async fn add_wallet(&self, id: &str, owner: &str, version: u64) {
        let (key, state) = (key(id), state(id, owner, version));
        let conn = self.db.write();
        wallets::upsert(conn, self.shard(id), &[(&key, &state)]).await.expect("written");
    }

    async fn add_lines(&self, lines: &[LedgerEntry]) {
        for line in lines {
            let shard = self.shard(line.wallet.wallet_id.as_str());
            let conn = self.db.write();
            ledger::insert(conn, shard, std::slice::from_ref(line)).await.expect("written");
        }
    }

    /// Moves a checkpoint, or a head where no projector is named.
    async fn move_to(&self, projector: Option<&str>, shard: u16, position: u64) {
        let sql = match projector {
            Some(projector) => format!(
                "UPDATE projector_checkpoints SET position = {position} \
                 WHERE shard = {shard} AND projector = '{projector}'"
            ),
            None => format!("UPDATE shard_heads SET position = {position} WHERE shard = {shard}"),
        };
        self.db.write().execute_unprepared(&sql).await.expect("moved");
    }

    /// Parks a wallet at the event of `position`.
    async fn park(&self, projector: &str, id: &str, position: u64) {
        let sql = format!(
            "INSERT INTO dead_letters (shard, projector, tenant, wallet_id, version, position, \
             event_id, event_type, error, attempts, parked_at_ms, tried_at_ms) VALUES ({}, \
             '{projector}', 'default', '{id}', 1, {position}, '{}', 'WalletCredited', '', 1, 0, 0)",
            self.shard(id),
            Uuid::nil()
        );
        self.db.write().execute_unprepared(&sql).await.expect("parked");
    }

    async fn ids_of(&self, owner: &str, after: Option<&str>, limit: u32) -> Vec<String> {
        let owner = OwnerId::parse(owner).expect("valid");
        let after = after.map(|id| WalletId::parse(id).expect("valid"));
        let tenant = TenantId::default();
        let found = self.models.wallets_of(&tenant, &owner, after.as_ref(), limit).await;
        let found = found.expect("read").value;
        found.iter().map(|state| state.wallet.id().to_string()).collect()
    }

    async fn versions(&self, id: &str, filter: LedgerFilter, limit: u32) -> Vec<u64> {
        let found = self.models.ledger(&key(id), &filter, limit).await.expect("read").value;
        found.iter().map(|line| line.version).collect()
    }
}

fn key(id: &str) -> WalletKey {
    WalletKey { tenant: TenantId::default(), wallet_id: WalletId::parse(id).expect("valid") }
}

fn usd() -> Currency {
    Currency::parse("USD").expect("valid")
}

fn balance(minor_units: i64) -> Balance {
    Balance::new(minor_units).expect("valid")
}

fn state(id: &str, owner: &str, version: u64) -> WalletState {
    let owner = OwnerId::parse(owner).expect("valid");
    let id = WalletId::parse(id).expect("valid");
    WalletState {
        wallet: Wallet::from_snapshot(id, owner, usd(), balance(70), version),
        created_at: Timestamp::from_unix_ms(1_000),
        updated_at: Timestamp::from_unix_ms(2_000),
    }
}

/// A line without what may be missing, recorded at `version` seconds.
fn line(id: &str, version: u64, entry_type: EntryType) -> LedgerEntry {
    LedgerEntry {
        wallet: key(id),
        version,
        position: version + 10,
        event_id: event_id(id, version).into(),
        entry_type,
        amount: balance(5),
        balance_after: balance(70),
        currency: usd(),
        description: None,
        reference: None,
        transfer_id: None,
        counterparty: None,
        recorded_at: Timestamp::from_unix_ms(version.cast_signed() * 1_000),
    }
}

/// Another for each wallet and version.
fn event_id(id: &str, version: u64) -> Uuid {
    let wallet = id.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    Uuid::from_u64_pair(wallet, version)
}

fn at(shard: u16, position: u64) -> ShardPosition {
    ShardPosition { shard, position }
}

async fn wallet_is_read_with_the_position_of_its_shard(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    let shard = fixture.shard("w-1");
    let nothing = fixture.models.wallet(&key("w-1")).await.expect("read");
    assert_eq!((nothing.value, nothing.positions), (None, vec![at(shard, 0)]));
    fixture.add_wallet("w-1", "ann", 4).await;
    fixture.move_to(Some("read_model"), shard, 9).await;
    let found = fixture.models.wallet(&key("w-1")).await.expect("read");
    assert_eq!(found.value, Some(state("w-1", "ann", 4)));
    assert_eq!(found.positions, [at(shard, 9)]);
    let tenant = TenantId::parse("other").expect("valid");
    let elsewhere = WalletKey { tenant, ..key("w-1") };
    assert_eq!(fixture.models.wallet(&elsewhere).await.expect("read").value, None);
}

async fn wallets_of_an_owner_come_from_every_shard_in_the_order_of_ids(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    let ids = ["B", "a", "a-1", "a:1", "b", "c", "d", "e", "f", "g"];
    let mut shards: Vec<u16> = ids.iter().map(|id| fixture.shard(id)).collect();
    shards.sort_unstable();
    shards.dedup();
    assert_eq!(shards, [0, 1, 2]);
    for id in ids.iter().rev() {
        fixture.add_wallet(id, "ann", 1).await;
        fixture.add_wallet(&format!("{id}.bob"), "bob", 1).await;
    }
    fixture.move_to(Some("read_model"), 1, 5).await;
    fixture.move_to(Some("ledger"), 2, 6).await;
    assert_eq!(fixture.ids_of("ann", None, 200).await, ids);
    assert_eq!(fixture.ids_of("ann", Some("b"), 2).await, ["c", "d"]);
    assert!(fixture.ids_of("nobody", None, 200).await.is_empty());
    let owner = OwnerId::parse("nobody").expect("valid");
    let found = fixture.models.wallets_of(&TenantId::default(), &owner, None, 1).await;
    assert_eq!(found.expect("read").positions, [at(0, 0), at(1, 5), at(2, 0)]);
}

async fn pages_of_wallets_have_no_gap_and_no_repetition_while_wallets_are_added(
    database: TempDatabase,
) {
    let fixture = Fixture::new(&database).await;
    for n in (0..20).step_by(2) {
        fixture.add_wallet(&format!("w-{n:02}"), "ann", 1).await;
    }
    let mut seen: Vec<String> = Vec::new();
    for n in (1..20).step_by(2) {
        // One comes before the place where the reader stands, and one behind it.
        fixture.add_wallet(&format!("w-{:02}", 20 - n), "ann", 1).await;
        let page = fixture.ids_of("ann", seen.last().map(String::as_str), 3).await;
        seen.extend(page);
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    for n in (0..20).step_by(2) {
        assert!(seen.contains(&format!("w-{n:02}")), "{n} of {seen:?}");
    }
}

async fn ledger_is_read_newest_first_and_filtered(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    let shard = fixture.shard("w-1");
    let types = [
        EntryType::Opening,
        EntryType::Credit,
        EntryType::Debit,
        EntryType::TransferIn,
        EntryType::TransferOut,
        EntryType::Credit,
    ];
    let lines: Vec<_> = types.iter().zip(1..).map(|(t, v)| line("w-1", v, *t)).collect();
    assert_eq!(fixture.models.ledger_version(&key("w-1")).await.expect("read").value, 0);
    fixture.add_lines(&lines).await;
    fixture.add_lines(&[line("w-2", 1, EntryType::Opening)]).await;
    fixture.move_to(Some("ledger"), shard, 16).await;

    let all = fixture.models.ledger(&key("w-1"), &LedgerFilter::default(), 200).await;
    let all = all.expect("read");
    assert_eq!(all.value, lines.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(all.positions, [at(shard, 16)]);
    let version = fixture.models.ledger_version(&key("w-1")).await.expect("read");
    assert_eq!((version.value, version.positions), (6, vec![at(shard, 16)]));

    let time = |ms| Some(Timestamp::from_unix_ms(ms));
    let with = |filter: LedgerFilter| fixture.versions("w-1", filter, 200);
    let from = LedgerFilter { from: time(3_000), ..Default::default() };
    assert_eq!(with(from.clone()).await, [6, 5, 4, 3]);
    let to = LedgerFilter { to: time(3_000), ..Default::default() };
    assert_eq!(with(to).await, [2, 1]);
    let between = LedgerFilter { to: time(5_001), ..from };
    assert_eq!(with(between.clone()).await, [5, 4, 3]);
    for entry_type in EntryType::ALL {
        let only = LedgerFilter { entry_type: Some(entry_type), ..Default::default() };
        let wanted: Vec<_> =
            lines.iter().rev().filter(|l| l.entry_type == entry_type).map(|l| l.version).collect();
        assert_eq!(with(only).await, wanted, "{entry_type:?}");
    }
    let later =
        LedgerFilter { below_version: Some(6), from_version: Some(4), ..Default::default() };
    assert_eq!(with(later).await, [5, 4]);
    let all_at_once =
        LedgerFilter { below_version: Some(5), entry_type: Some(EntryType::Debit), ..between };
    assert_eq!(with(all_at_once).await, [3]);
}

async fn pages_of_a_ledger_do_not_shift_while_lines_are_added(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    let lines: Vec<_> = (1..=7).map(|v| line("w-1", v, EntryType::Credit)).collect();
    fixture.add_lines(&lines).await;
    let mut seen = fixture.versions("w-1", LedgerFilter::default(), 3).await;
    for later in 8..=10 {
        fixture.add_lines(&[line("w-1", later, EntryType::Credit)]).await;
        let below_version = seen.last().copied();
        let filter = LedgerFilter { below_version, ..Default::default() };
        seen.extend(fixture.versions("w-1", filter, 3).await);
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

async fn what_may_be_missing_survives(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    let missing = line("w-1", 1, EntryType::Credit);
    let empty = LedgerEntry {
        description: "".parse().ok(),
        reference: "".parse().ok(),
        ..line("w-1", 2, EntryType::Credit)
    };
    let full = LedgerEntry {
        description: "two\nlines\tand 'quotes' \"ä\"".parse().ok(),
        reference: "inv-7".parse().ok(),
        transfer_id: Some(Uuid::from_u128(7).into()),
        counterparty: WalletId::parse("w-2").ok(),
        ..line("w-1", 3, EntryType::TransferIn)
    };
    assert!(empty.description.is_some() && full.description.is_some());
    fixture.add_lines(&[missing.clone(), empty.clone(), full.clone()]).await;
    let found = fixture.models.ledger(&key("w-1"), &LedgerFilter::default(), 9).await;
    assert_eq!(found.expect("read").value, [full, empty, missing]);
}

async fn both_legs_of_a_transfer_are_found_wherever_they_are(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    for shard in 0..SHARDS {
        fixture.move_to(Some("ledger"), shard, u64::from(shard) + 1).await;
    }
    let tenant = TenantId::default();
    for (n, (from, to)) in [(1, ("a", "b")), (2, ("b", "a")), (3, ("a", "c")), (4, ("e", "d"))] {
        let id = TransferId::from(Uuid::from_u128(n));
        let leg = |wallet: &str, other: &str, entry_type| LedgerEntry {
            transfer_id: Some(id),
            counterparty: WalletId::parse(other).ok(),
            ..line(wallet, u64::try_from(n).expect("small"), entry_type)
        };
        let out = leg(from, to, EntryType::TransferOut);
        let into = leg(to, from, EntryType::TransferIn);
        let found = fixture.models.transfer(&tenant, id).await.expect("read");
        assert_eq!(found.value, []);
        assert_eq!(found.positions, [at(0, 1), at(1, 2), at(2, 3)]);
        fixture.add_lines(std::slice::from_ref(&into)).await;
        let found = fixture.models.transfer(&tenant, id).await.expect("read");
        assert_eq!(found.value, std::slice::from_ref(&into));
        fixture.add_lines(std::slice::from_ref(&out)).await;
        let found = fixture.models.transfer(&tenant, id).await.expect("read");
        assert_eq!(found.value, [out, into]);
    }
}

async fn owners_and_transfers_are_found_by_their_indexes(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    let backend = fixture.db.backend();
    let (explain, plan) = match backend {
        Backend::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        Backend::Postgres => ("EXPLAIN", "QUERY PLAN"),
    };
    let of_owner: Vec<Value> =
        vec![0_i64.into(), "default".into(), "ann".into(), "".into(), 2_i64.into()];
    let of_transfer: Vec<Value> = vec![0_i64.into(), "default".into(), "t-1".into(), 2_i64.into()];
    for (sql, values, index, found_by) in [
        (wallets_of(backend), of_owner, "wallets_by_owner", "owner_id"),
        (legs_of(backend), of_transfer, "ledger_entries_by_transfer", "transfer_id"),
    ] {
        let statement = backend.statement(format!("{explain} {sql}"), values);
        let rows = fixture.db.read().query_all_raw(statement).await.expect("explained");
        let lines: Vec<String> =
            rows.iter().map(|row| row.try_get("", plan).expect("a line")).collect();
        let lines = lines.join("\n");
        assert!(lines.contains(index) && lines.contains(found_by), "{lines}");
        assert!(!lines.contains("Sort") && !lines.contains("TEMP B-TREE"), "{lines}");
    }
}

async fn parked_wallet_holds_back_the_positions_that_it_belongs_to(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    let shard = fixture.shard("a");
    for projector in ["ledger", "read_model"] {
        fixture.move_to(Some(projector), shard, 20).await;
    }
    fixture.park("ledger", "a", 8).await;
    let tenant = TenantId::default();
    let of_wallet = async |id: &str| {
        let version = fixture.models.ledger_version(&key(id)).await.expect("read");
        let page = fixture.models.ledger(&key(id), &LedgerFilter::default(), 1).await;
        assert_eq!(page.expect("read").positions, version.positions);
        version.positions
    };
    let neighbour = ["b", "c", "d", "e", "f"].into_iter().find(|id| fixture.shard(id) == shard);
    assert_eq!(of_wallet("a").await, [at(shard, 7)]);
    assert_eq!(of_wallet(neighbour.expect("one of them")).await, [at(shard, 20)]);
    let found = fixture.models.transfer(&tenant, Uuid::nil().into()).await.expect("read");
    assert_eq!(found.positions[usize::from(shard)], at(shard, 7));
    // The other projection has all of it.
    let wallet = fixture.models.wallet(&key("a")).await.expect("read");
    assert_eq!(wallet.positions, [at(shard, 20)]);
    // One that was set back behind the parked event has not come to it yet.
    fixture.move_to(Some("ledger"), shard, 3).await;
    assert_eq!(of_wallet("a").await, [at(shard, 3)]);
}

async fn heads_are_those_of_the_write_side(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    assert_eq!(fixture.models.heads().await.expect("read"), [at(0, 0), at(1, 0), at(2, 0)]);
    fixture.move_to(None, 1, 12).await;
    assert_eq!(fixture.models.heads().await.expect("read"), [at(0, 0), at(1, 12), at(2, 0)]);
}

async fn unmigrated_database_is_unavailable(database: TempDatabase) {
    let fixture = Fixture::unmigrated(&database).await;
    let wallet = fixture.models.wallet(&key("w-1")).await.map(|_| ());
    let legs = fixture.models.transfer(&TenantId::default(), Uuid::nil().into()).await.map(|_| ());
    let heads = fixture.models.heads().await.map(|_| ());
    for outcome in [wallet, legs, heads] {
        assert!(matches!(outcome, Err(ReadError::Unavailable(_))), "{outcome:?}");
    }
}

async fn change_ends_the_waiting(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    fixture.applied.send_replace(1);
    // What was applied before the waiting began does not end it.
    let models = Arc::new(fixture.models);
    let before =
        tokio::time::timeout(Duration::from_millis(20), models.changed(Duration::from_secs(3_600)));
    assert!(before.await.is_err());
    let waiting = {
        let models = Arc::clone(&models);
        tokio::spawn(async move { models.changed(Duration::from_secs(3_600)).await })
    };
    wallex_testkit::eventually("the change is heard", async || {
        fixture.applied.send_modify(|applied| *applied += 1);
        waiting.is_finished().then_some(())
    })
    .await;
    // Without anyone who applies, the time alone ends it.
    drop(fixture.applied);
    models.changed(Duration::from_millis(1)).await;
}

async fn readers_leave_connections_to_commands(database: TempDatabase) {
    let fixture = Fixture::new(&database).await;
    if fixture.db.backend() == Backend::Sqlite {
        // Nothing holds a reader up there, so that none can be seen to hold a connection.
        return;
    }
    let held = fixture.db.begin().await.expect("begun");
    held.execute_unprepared("LOCK TABLE shard_heads").await.expect("locked");
    let models = Arc::new(fixture.models);
    let readers: Vec<_> = (0..200)
        .map(|_| {
            let models = Arc::clone(&models);
            tokio::spawn(async move { models.heads().await })
        })
        .collect();
    wallex_testkit::eventually("every turn is taken", async || {
        (models.turns.available_permits() == 0).then_some(())
    })
    .await;
    // As many as commands are to find; one that the readers held would not come in time.
    let mut connections = Vec::new();
    for _ in 0..fixture.db.read_connections() / 2 {
        connections.push(fixture.db.read().begin().await.expect("a free connection"));
    }
    held.rollback().await.expect("released");
    for reader in readers {
        reader.await.expect("not cancelled").expect("read");
    }
}
