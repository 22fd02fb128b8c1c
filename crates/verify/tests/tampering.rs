//! A history that is edited, cut, moved or rewritten is found: a thousand random tamperings, and each column by
//! itself. What a chain alone can't tell is told by a checkpoint.

mod support;

use std::path::{Path, PathBuf};

use fastrand::Rng;
use sea_orm::ConnectionTrait;
use wallex_database::Row;
use wallex_domain::EventHash;
use wallex_testkit::{Backend, TempDatabase, on_both_databases};
use wallex_verify::{CHECKPOINT_FILE, Checkpoint, Findings};

use support::{EventRow, StreamRow, Tables, World, is_found_offline};

on_both_databases!(
    a_clean_history_passes,
    every_column_is_covered,
    random_tamperings_of_the_database_are_found,
);

const SEED: u64 = 5;
/// Together with those of exports a thousand on SQLite. PostgreSQL has the same statements to answer.
const TAMPERINGS_SQLITE: usize = 700;
const TAMPERINGS_POSTGRES: usize = 60;
const TAMPERINGS_EXPORT: usize = 300;

const EVENT_COLUMNS: [&str; 12] = [
    "shard",
    "tenant",
    "wallet_id",
    "version",
    "position",
    "event_id",
    "type",
    "schema_version",
    "payload",
    "metadata",
    "recorded_at_ms",
    "hash",
];
const STREAM_COLUMNS: [&str; 10] = [
    "shard",
    "tenant",
    "wallet_id",
    "version",
    "owner_id",
    "currency",
    "balance",
    "created_at_ms",
    "updated_at_ms",
    "last_hash",
];

fn edit_event(event: &mut EventRow, column: &str, rng: &mut Rng) {
    match column {
        // The other shard has an event of its own at that position.
        "shard" => event.shard += 2,
        "tenant" => event.tenant.push('x'),
        "wallet_id" => event.wallet_id.push_str("-x"),
        "version" => event.version = *rng.choice(&[-1, 0, 500, i64::MAX]).expect("one"),
        "position" => event.position = *rng.choice(&[-1, 0, 500, i64::MAX]).expect("one"),
        "event_id" => event.event_id = uuid::Uuid::from_u128(rng.u128(..)),
        "type" => event.event_type = "WalletFrozen".to_owned(),
        "schema_version" => event.schema_version += 1,
        "payload" => event.payload = edited_json(&event.payload, rng),
        "metadata" => event.metadata = edited_json(&event.metadata, rng),
        "recorded_at_ms" => event.recorded_at_ms += rng.i64(1..1_000),
        "hash" => edit_bytes(&mut event.hash, rng),
        other => panic!("no column {other}"),
    }
}

fn edit_stream(stream: &mut StreamRow, column: &str, rng: &mut Rng) {
    match column {
        "shard" => stream.shard = 1 - stream.shard + 2 * i64::from(rng.bool()),
        "tenant" => stream.tenant.push('x'),
        "wallet_id" => stream.wallet_id.push_str("-x"),
        "version" => stream.version += *rng.choice(&[-1, 1, 500]).expect("one"),
        "owner_id" => stream.owner_id.push('x'),
        "currency" => stream.currency = "EUR".to_owned(),
        "balance" => stream.balance += rng.i64(1..1_000),
        "created_at_ms" => stream.created_at_ms += rng.i64(1..1_000),
        "updated_at_ms" => stream.updated_at_ms -= rng.i64(1..1_000),
        "last_hash" => edit_bytes(&mut stream.last_hash, rng),
        other => panic!("no column {other}"),
    }
}

fn edit_bytes(bytes: &mut Vec<u8>, rng: &mut Rng) {
    match rng.u8(0..3) {
        0 => bytes.truncate(rng.usize(0..32)),
        1 => bytes.push(0),
        _ => bytes[rng.usize(0..32)] ^= 1 << rng.u8(0..8),
    }
}

/// One number or one text of an object changed, or one more member.
fn edited_json(json: &str, rng: &mut Rng) -> String {
    let mut value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let object = value.as_object_mut().expect("an object");
    let names: Vec<String> = object.keys().cloned().collect();
    let name = &names[rng.usize(0..names.len())];
    match object.get_mut(name).expect("there") {
        serde_json::Value::Number(number) => *number = (number.as_i64().expect("whole") + 1).into(),
        serde_json::Value::String(text) => text.push('x'),
        _ => drop(object.insert("more".to_owned(), 1.into())),
    }
    value.to_string()
}

/// How a database is tampered with, so that its chains and heads show it, whoever looks.
const SHOWN_BY_THE_CHAIN: [fn(&mut Tables, &mut Rng); 9] = [
    |tables, rng| {
        let column = *rng.choice(&EVENT_COLUMNS).expect("one");
        edit_event(an_event(tables, rng), column, rng);
    },
    |tables, rng| {
        let column = *rng.choice(&STREAM_COLUMNS).expect("one");
        let stream = rng.usize(0..tables.streams.len());
        edit_stream(&mut tables.streams[stream], column, rng);
    },
    // Deleted.
    |tables, rng| drop(tables.events.remove(rng.usize(0..tables.events.len()))),
    |tables, rng| drop(tables.streams.remove(rng.usize(0..tables.streams.len()))),
    // The end of a shard deleted, and only its head put right.
    |tables, rng| {
        let (shard, head) = tables.heads[rng.usize(0..2)];
        let end = head - rng.i64(1..5);
        tables.events.retain(|event| event.shard != shard || event.position <= end);
        tables.heads[usize::from(shard == 1)].1 = end;
    },
    // Two events of a wallet change places.
    |tables, rng| {
        let (one, other) = two_of_a_wallet(tables, rng);
        let versions = (tables.events[one].version, tables.events[other].version);
        (tables.events[one].version, tables.events[other].version) = (versions.1, versions.0);
    },
    // The same, by position.
    |tables, rng| {
        let (one, other) = two_of_a_wallet(tables, rng);
        let positions = (tables.events[one].position, tables.events[other].position);
        (tables.events[one].position, tables.events[other].position) = (positions.1, positions.0);
    },
    // One more event at the end of a wallet, with the right hash, that its row knows nothing of.
    |tables, rng| {
        let stream = tables.streams[rng.usize(0..tables.streams.len())].clone();
        let last = |event: &&EventRow| {
            (&event.wallet_id, event.version) == (&stream.wallet_id, stream.version)
        };
        let mut forged = tables.events.iter().find(last).expect("there").clone();
        let previous = EventHash::try_from(&forged.hash[..]).expect("a hash");
        let head = &mut tables.heads[usize::from(forged.shard == 1)].1;
        *head += 1;
        (forged.version, forged.position) = (forged.version + 1, *head);
        forged.hash = forged.hash_behind(previous).as_bytes().to_vec();
        tables.events.push(forged);
    },
    |tables, rng| tables.heads[rng.usize(0..2)].1 += *rng.choice(&[-1, 1, 7]).expect("one"),
];

/// How its master tampers with it, so that only a checkpoint shows it.
const SHOWN_BY_A_CHECKPOINT: [fn(&mut Tables, &mut Rng); 3] = [
    // The end of a shard is cut off, and everything else is put right.
    |tables, rng| {
        let (shard, head) = tables.heads[rng.usize(0..2)];
        let end = head - rng.i64(1..5);
        tables.events.retain(|event| event.shard != shard || event.position <= end);
        tables.heads[usize::from(shard == 1)].1 = end;
        settle(tables);
    },
    // An event is edited, and everything behind it is chained anew.
    |tables, rng| {
        let event = an_event(tables, rng);
        event.metadata = edited_json(&event.metadata, rng);
        settle(tables);
    },
    // Neighbours of two wallets change places.
    |tables, rng| {
        let neighbours = |i: &usize| {
            let (one, other) = (&tables.events[*i], &tables.events[i + 1]);
            one.shard == other.shard && one.wallet_id != other.wallet_id
        };
        let all: Vec<usize> = (0..tables.events.len() - 1).filter(neighbours).collect();
        let one = *rng.choice(&all).expect("one");
        let positions = (tables.events[one].position, tables.events[one + 1].position);
        (tables.events[one].position, tables.events[one + 1].position) = (positions.1, positions.0);
    },
];

fn an_event<'a>(tables: &'a mut Tables, rng: &mut Rng) -> &'a mut EventRow {
    let event = rng.usize(0..tables.events.len());
    &mut tables.events[event]
}

fn two_of_a_wallet(tables: &Tables, rng: &mut Rng) -> (usize, usize) {
    let wallet = &tables.streams[rng.usize(0..tables.streams.len())].wallet_id;
    let of_wallet = |i: &usize| tables.events[*i].wallet_id == *wallet;
    let all: Vec<usize> = (0..tables.events.len()).filter(of_wallet).collect();
    let first = rng.usize(0..all.len() - 1);
    (all[first], all[rng.usize(first + 1..all.len())])
}

/// Chains every event anew, and lets each wallet be as its events leave it.
fn settle(tables: &mut Tables) {
    tables.rechain();
    tables.streams.retain_mut(|stream| {
        let of_wallet = tables.events.iter().filter(|event| event.wallet_id == stream.wallet_id);
        let Some(last) = of_wallet.max_by_key(|event| event.version) else { return false };
        let payload: serde_json::Value = serde_json::from_str(&last.payload).expect("JSON");
        let balance = payload.get("balance").unwrap_or(&payload["initialBalance"]).as_i64();
        stream.balance = balance.expect("a balance");
        (stream.version, stream.updated_at_ms) = (last.version, last.recorded_at_ms);
        true
    });
}

async fn a_clean_history_passes(database: TempDatabase) {
    let world = World::on(database).await;
    let (folder, checkpoint) = world.export("export", "key").await;
    let verified = world.verify(std::slice::from_ref(&checkpoint)).await;
    assert_eq!(verified.findings, Findings::default());
    assert_eq!((verified.events, verified.wallets), (4 + 2 * 4 * 3, 4));
    assert_eq!(verified.shards, checkpoint.shards);
    assert!(verified.shards.iter().all(|shard| shard.position > 4), "both shards are filled");
    let (_, public) = world.key("key");
    assert!(!is_found_offline(&folder, &public, std::slice::from_ref(&checkpoint)));
    // Written again as it is, it is still the same.
    let tables = world.tables().await;
    world.write(&tables).await;
    assert_eq!(world.tables().await, tables);
    let mut settled = tables.clone();
    settle(&mut settled);
    settled.events.sort_by_key(|event| (event.shard, event.position));
    assert_eq!(settled, tables, "what the tests chain anew is what was written");
    assert_eq!(world.verify(&[checkpoint]).await.findings, Findings::default());
}

async fn every_column_is_covered(database: TempDatabase) {
    let backend = database.backend();
    let world = World::on(database).await;
    let mut rng = Rng::with_seed(SEED);
    for (table, listed) in [("events", &EVENT_COLUMNS[..]), ("wallet_streams", &STREAM_COLUMNS)] {
        let mut columns = columns(&world, backend, table).await;
        let mut listed = listed.to_vec();
        columns.sort_unstable();
        listed.sort_unstable();
        assert_eq!(columns, listed, "a column of {table} that nobody tampers with");
    }
    let sane = world.tables().await;
    for column in EVENT_COLUMNS {
        let mut tables = sane.clone();
        let middle = tables.events.len() / 2;
        edit_event(&mut tables.events[middle], column, &mut rng);
        world.write(&tables).await;
        assert!(!world.verify(&[]).await.findings.is_empty(), "events.{column} was edited");
    }
    for column in STREAM_COLUMNS {
        let mut tables = sane.clone();
        edit_stream(&mut tables.streams[2], column, &mut rng);
        world.write(&tables).await;
        assert!(!world.verify(&[]).await.findings.is_empty(), "wallet_streams.{column} was edited");
    }
}

async fn columns(world: &World, backend: Backend, table: &str) -> Vec<String> {
    let sql = match backend {
        Backend::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
        Backend::Postgres => format!(
            "SELECT CAST(column_name AS text) AS name FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}'"
        ),
    };
    let rows = world.db.read().query_all_raw(world.db.backend().statement(sql, [])).await;
    rows.expect("read").into_iter().map(|row| Row(row).text("name").expect("a name")).collect()
}

async fn random_tamperings_of_the_database_are_found(database: TempDatabase) {
    let tamperings = match database.backend() {
        Backend::Sqlite => TAMPERINGS_SQLITE,
        Backend::Postgres => TAMPERINGS_POSTGRES,
    };
    let world = World::on(database).await;
    if tamperings == TAMPERINGS_SQLITE {
        // Nobody will want it back after a power cut.
        world.db.write().execute_unprepared("PRAGMA synchronous = OFF").await.expect("set");
    }
    let (_, checkpoint) = world.export("export", "key").await;
    let earlier = [checkpoint];
    let sane = world.tables().await;
    let mut rng = Rng::with_seed(SEED);
    for number in 0..tamperings {
        let mut tables = sane.clone();
        let kind = rng.usize(0..SHOWN_BY_THE_CHAIN.len() + SHOWN_BY_A_CHECKPOINT.len());
        let shown_by_the_chain = SHOWN_BY_THE_CHAIN.get(kind);
        let tamper = shown_by_the_chain
            .unwrap_or_else(|| &SHOWN_BY_A_CHECKPOINT[kind - SHOWN_BY_THE_CHAIN.len()]);
        tamper(&mut tables, &mut rng);
        assert_ne!(tables, sane, "tampering {number} of kind {kind} changes something");
        world.write(&tables).await;
        let what = format!("tampering {number} of kind {kind}");
        if shown_by_the_chain.is_some() {
            assert!(!world.verify(&[]).await.findings.is_empty(), "{what} is found by the chain");
        } else {
            assert_eq!(world.verify(&[]).await.findings, Findings::default(), "{what} is whole");
            assert!(!world.verify(&earlier).await.findings.is_empty(), "{what} is found");
        }
    }
}

/// The folder of an export, read into memory.
struct Files {
    events: [Vec<String>; 2],
    checkpoint: serde_json::Value,
}

impl Files {
    fn read(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("read");
        let lines = |name: &str| read(name).lines().map(|line| format!("{line}\n")).collect();
        let checkpoint = serde_json::from_str(&read(CHECKPOINT_FILE)).expect("JSON");
        Self { events: ["events-0000.jsonl", "events-0001.jsonl"].map(lines), checkpoint }
    }

    fn write(&self, folder: &Path) {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir(folder).expect("made");
        for (name, lines) in ["events-0000.jsonl", "events-0001.jsonl"].iter().zip(&self.events) {
            std::fs::write(folder.join(name), lines.concat()).expect("written");
        }
        let checkpoint = serde_json::to_string_pretty(&self.checkpoint).expect("JSON");
        std::fs::write(folder.join(CHECKPOINT_FILE), checkpoint).expect("written");
    }
}

const OFFLINE: [fn(&mut Files, &mut Rng); 8] = [
    // A byte of an event.
    |files, rng| {
        let line = a_line(files, rng);
        let mut bytes = std::mem::take(line).into_bytes();
        let i = rng.usize(0..bytes.len());
        bytes[i] = if bytes[i] == b'x' { b'y' } else { b'x' };
        *line = String::from_utf8_lossy(&bytes).into_owned();
    },
    |files, rng| a_line(files, rng).clear(),
    |files, rng| a_line(files, rng).insert(0, ' '),
    |files, rng| {
        let lines = &mut files.events[rng.usize(0..2)];
        lines.truncate(rng.usize(0..lines.len()));
    },
    |files, rng| {
        let lines = &mut files.events[rng.usize(0..2)];
        let one = rng.usize(0..lines.len() - 1);
        lines.swap(one, one + 1);
    },
    |files, rng| {
        let lines = &mut files.events[rng.usize(0..2)];
        let twice = lines[rng.usize(0..lines.len())].clone();
        lines.push(twice);
    },
    // Something that the checkpoint says.
    |files, rng| {
        let texts = ["/databaseId", "/createdAt", "/signedBy", "/signature", "/format"];
        let digests = ["/shards/0/history", "/shards/1/walletHeads"];
        let numbers = ["/shards/1/position", "/shards/0/wallets", "/shards/1/shard"];
        let all = [&texts[..], &digests, &numbers].concat();
        let value = files.checkpoint.pointer_mut(rng.choice(&all).expect("one")).expect("there");
        *value = match value {
            serde_json::Value::String(text) => {
                let i = rng.usize(0..text.len());
                let other = if text.as_bytes()[i] == b'0' { "1" } else { "0" };
                text.replace_range(i..=i, other);
                text.clone().into()
            }
            serde_json::Value::Number(number) => (number.as_i64().expect("whole") + 1).into(),
            other => panic!("{other}"),
        };
    },
    |files, rng| {
        let names = ["signature", "shards", "databaseId", "signedBy"];
        let object = files.checkpoint.as_object_mut().expect("an object");
        object.remove(*rng.choice(&names).expect("one")).expect("there");
    },
];

fn a_line<'a>(files: &'a mut Files, rng: &mut Rng) -> &'a mut String {
    let lines = &mut files.events[rng.usize(0..2)];
    let line = rng.usize(0..lines.len());
    &mut lines[line]
}

#[tokio::test]
async fn random_tamperings_of_an_export_are_found() {
    let world = World::on(TempDatabase::sqlite()).await;
    let (folder, _) = world.export("export", "key").await;
    let (_, public) = world.key("key");
    let mut rng = Rng::with_seed(SEED);
    let copy: PathBuf = world.path("copy");
    Files::read(&folder).write(&copy);
    assert!(!is_found_offline(&copy, &public, &[]), "a copy is as good");
    for number in 0..TAMPERINGS_EXPORT {
        let mut files = Files::read(&folder);
        let kind = number % OFFLINE.len();
        OFFLINE[kind](&mut files, &mut rng);
        files.write(&copy);
        assert!(
            is_found_offline(&copy, &public, &[]),
            "tampering {number} of kind {kind} is found"
        );
    }
}

#[tokio::test]
async fn what_another_signed_is_found() {
    let world = World::on(TempDatabase::sqlite()).await;
    let (folder, _) = world.export("export", "thief").await;
    let ((_, ours), (_, theirs)) = (world.key("key"), world.key("thief"));
    assert!(is_found_offline(&folder, &ours, &[]));
    assert!(!is_found_offline(&folder, &theirs, &[]));
}

#[tokio::test]
async fn a_later_export_must_begin_with_an_earlier_one() {
    let world = World::on(TempDatabase::sqlite()).await;
    let (_, earlier) = world.export("earlier", "key").await;
    let earlier: [Checkpoint; 1] = [earlier];
    let (_, public) = world.key("key");
    let sane = world.tables().await;
    let mut rng = Rng::with_seed(SEED);
    for (number, tamper) in SHOWN_BY_A_CHECKPOINT.iter().enumerate() {
        let mut tables = sane.clone();
        tamper(&mut tables, &mut rng);
        world.write(&tables).await;
        // Whoever is master of the database may even have it signed.
        let (folder, _) = world.export(&format!("later-{number}"), "key").await;
        assert!(!is_found_offline(&folder, &public, &[]), "{number} is whole by itself");
        assert!(is_found_offline(&folder, &public, &earlier), "{number} is not what was before");
    }
}
