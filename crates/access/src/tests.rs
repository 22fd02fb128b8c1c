//! Keys and the log on both databases, and what a process remembers of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::ConnectionTrait as _;
use uuid::Uuid;
use wallex_database::{ConnectOptions, Database, DatabaseUrl};
use wallex_ports::{
    AccessScope, AccessScopes, Act, Actor, Admission, ApiKeyError, ApiKeyState, ApiKeys as _,
    AuditAction, AuditFilter, AuditLog as _, AuditOutcome, Authenticator as _, Caller, IdGenerator,
    IssuedKey, NewApiKey, Refused,
};
use wallex_testkit::{TempDatabase, eventually, on_both_databases};

use crate::{Door, KeyRing, Policy, SqlApiKeys, SqlAuditLog};

on_both_databases!(
    a_key_lets_its_holder_in_and_nobody_else,
    a_key_that_was_revoked_is_forgotten_at_the_next_look,
    what_is_looked_up_while_keys_change_is_not_remembered,
    keys_end_when_their_time_is_over,
    rotated_keys_overlap,
    what_can_not_be_rotated_is_told,
    every_change_of_a_key_is_one_line_of_the_log,
    lines_are_numbered_without_holes_and_listed_newest_first,
    nobody_is_believed_when_the_database_does_not_tell,
    refused_keys_take_no_more_memory_than_they_may,
    the_door_closes_with_the_first_key_and_stays_closed,
    an_open_door_is_believed_no_longer_than_a_key,
    a_crowd_of_guesses_keeps_no_known_key_out,
);

/// Ids from 1.
#[derive(Default)]
struct Ids(AtomicU64);

impl IdGenerator for Ids {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

/// A database with the tables, and all that works on it.
struct World {
    db: Arc<Database>,
    keys: SqlApiKeys,
    log: SqlAuditLog,
    /// It is only told of changes when the test says so.
    ring: Arc<KeyRing>,
    by: Actor,
}

impl World {
    async fn new(database: &TempDatabase) -> Self {
        let url = DatabaseUrl::parse(database.url()).expect("valid");
        let db = Database::connect(&ConnectOptions::new(url)).await.expect("connected");
        wallex_migrations::up(&db, None).await.expect("migrated");
        let (db, ids) = (Arc::new(db), Arc::new(Ids::default()));
        let ring = Arc::new(KeyRing::patient(Arc::clone(&db)));
        ring.refresh().await.expect("asked");
        Self {
            keys: SqlApiKeys::new(Arc::clone(&db), ids.clone()),
            log: SqlAuditLog::new(Arc::clone(&db), ids),
            ring,
            db,
            by: Actor { id: "cli:zoe".to_owned(), correlation_id: None },
        }
    }

    async fn issue(&self, tenant: &str, lifetime_ms: Option<u64>) -> IssuedKey {
        let new = NewApiKey {
            tenant: tenant.parse().expect("valid"),
            name: "shop".parse().expect("valid"),
            scopes: scopes(),
            lifetime_ms,
        };
        self.keys.create(&new, &self.by).await.expect("made")
    }

    async fn execute(&self, sql: &str) {
        self.db.write().execute_unprepared(sql).await.expect("executed");
    }

    /// What the ring says of a key, by memory or by asking.
    async fn ask(&self, issued: &IssuedKey) -> Result<Arc<Caller>, Refused> {
        self.ring.authenticate(issued.secret.reveal()).await
    }

    fn recalls(&self, issued: &IssuedKey) -> bool {
        self.ring.recall(issued.secret.reveal()).is_some()
    }

    async fn lines(&self) -> Vec<String> {
        let lines = self.log.list(&AuditFilter::default(), 100).await.expect("read");
        let told = lines.iter().rev().map(|line| {
            format!("{} {} {} {}", line.position, line.action, line.target, line.outcome.as_str())
        });
        told.collect()
    }
}

fn scopes() -> AccessScopes {
    [AccessScope::WalletsRead, AccessScope::Admin].into_iter().collect()
}

async fn a_key_lets_its_holder_in_and_nobody_else(database: TempDatabase) {
    let world = World::new(&database).await;
    let (acme, other) = (world.issue("acme", None).await, world.issue("umbrella", None).await);
    assert!(!world.recalls(&acme));
    let caller = world.ask(&acme).await.expect("good");
    assert_eq!((caller.tenant.as_str(), caller.scopes), ("acme", scopes()));
    assert_eq!(caller.id, format!("key:{}", acme.key.id));
    assert!(world.recalls(&acme));
    assert_eq!(world.ask(&other).await.expect("good").tenant.as_str(), "umbrella");

    // The secret of one with the name of another.
    let secret = other.secret.reveal().rsplit_once('_').expect("a key").1;
    let mixed = format!("wlx_{}_{secret}", acme.key.id);
    assert!(matches!(world.ring.authenticate(&mixed).await, Err(Refused::Unknown)));
    let stored = "SELECT secret_hash FROM api_keys";
    let rows = world.db.read().query_all_raw(world.db.backend().statement(stored, [])).await;
    for row in rows.expect("read") {
        let hash: String = row.try_get("", "secret_hash").expect("text");
        assert!(hash.len() == 64 && !acme.secret.reveal().contains(&hash));
    }
    let listed = world.keys.list(None).await.expect("listed");
    assert_eq!(listed.len(), 2);
    let acme_only = world.keys.list(Some(&acme.key.tenant)).await.expect("listed");
    assert_eq!(acme_only, [acme.key]);
}

async fn a_key_that_was_revoked_is_forgotten_at_the_next_look(database: TempDatabase) {
    let world = World::new(&database).await;
    let (kept, taken) = (world.issue("acme", None).await, world.issue("acme", None).await);
    world.ring.refresh().await.expect("asked");
    for issued in [&kept, &taken] {
        world.ask(issued).await.expect("good");
    }
    let revoked = world.keys.revoke(&taken.key.id, &world.by).await.expect("revoked");
    assert_eq!(revoked.state, ApiKeyState::Revoked);
    assert!(revoked.revoked_at.is_some());
    // Another process has not heard of it yet.
    assert!(world.ask(&taken).await.is_ok());
    world.ring.refresh().await.expect("asked");
    assert!(matches!(world.ask(&taken).await, Err(Refused::Revoked)));
    assert!(matches!(world.ring.recall(taken.secret.reveal()), Some(Err(Refused::Revoked))));
    assert!(world.ask(&kept).await.is_ok());
    let again = world.keys.revoke(&taken.key.id, &world.by).await.expect("it stays so");
    assert_eq!(again.revoked_at, revoked.revoked_at);
}

async fn what_is_looked_up_while_keys_change_is_not_remembered(database: TempDatabase) {
    let world = World::new(&database).await;
    let issued = world.issue("acme", None).await;
    world.ring.refresh().await.expect("asked");
    // The answer of the database comes, the key is revoked and the ring hears of it, and only then
    // the answer is looked at.
    let (ring, keys, by) = (Arc::clone(&world.ring), &world.keys, &world.by);
    let meanwhile = async {
        keys.revoke(&issued.key.id, by).await.expect("revoked");
        ring.refresh().await.expect("asked");
    };
    let looked_up = ring.look_up_while(issued.secret.reveal(), meanwhile).await;
    assert!(looked_up.is_ok(), "it was good when it was asked for");
    assert!(!world.recalls(&issued));
    assert!(matches!(world.ask(&issued).await, Err(Refused::Revoked)));
}

async fn keys_end_when_their_time_is_over(database: TempDatabase) {
    let world = World::new(&database).await;
    let issued = world.issue("acme", Some(3_600_000)).await;
    let lifetime_ms =
        issued.key.expires_at.expect("an end").unix_ms() - issued.key.created_at.unix_ms();
    assert!((3_600_000..3_600_100).contains(&lifetime_ms), "{lifetime_ms}");
    assert!(world.ask(&issued).await.is_ok());
    world.execute("UPDATE api_keys SET expires_at_ms = 1").await;
    world.execute("UPDATE access_counters SET value = value + 1 WHERE name = 'keys'").await;
    world.ring.refresh().await.expect("asked");
    assert!(matches!(world.ask(&issued).await, Err(Refused::Expired)));
    let listed = world.keys.list(None).await.expect("listed");
    assert_eq!(listed[0].state, ApiKeyState::Expired);

    // It ends in memory, too, with nobody told.
    let short = world.issue("acme", Some(300)).await;
    world.ring.refresh().await.expect("asked");
    world.ask(&short).await.expect("good");
    eventually("the key has expired", async || {
        matches!(world.ask(&short).await, Err(Refused::Expired)).then_some(())
    })
    .await;
}

async fn rotated_keys_overlap(database: TempDatabase) {
    let world = World::new(&database).await;
    let old = world.issue("acme", Some(86_400_000)).await;
    let new = world.keys.rotate(&old.key.id, 3_600_000, &world.by).await.expect("rotated");
    let same = |key: &wallex_ports::ApiKey| (key.tenant.clone(), key.name.clone(), key.scopes);
    assert_eq!(same(&new.key), same(&old.key));
    assert_ne!(new.secret, old.secret);
    for issued in [&old, &new] {
        assert!(world.ask(issued).await.is_ok());
    }
    let listed = world.keys.list(None).await.expect("listed");
    let replaced = listed.iter().find(|key| key.id == old.key.id).expect("it is there");
    assert_eq!(replaced.replaced_by.as_ref(), Some(&new.key.id));
    let ends = |key: &wallex_ports::ApiKey| key.expires_at.expect("an end").unix_ms();
    assert!(ends(replaced) < ends(&old.key), "the overlap is shorter than what it had");
    assert!(ends(&new.key) >= ends(&old.key), "the new one lives as long as the old one was to");

    let newer = world.keys.rotate(&new.key.id, 0, &world.by).await.expect("rotated");
    world.ring.refresh().await.expect("asked");
    assert!(matches!(world.ask(&new).await, Err(Refused::Expired)));
    assert!(world.ask(&newer).await.is_ok());
}

async fn what_can_not_be_rotated_is_told(database: TempDatabase) {
    let world = World::new(&database).await;
    let rotate = async |issued: &IssuedKey| world.keys.rotate(&issued.key.id, 0, &world.by).await;
    let (replaced, revoked) = (world.issue("acme", None).await, world.issue("acme", None).await);
    rotate(&replaced).await.expect("rotated");
    world.keys.revoke(&revoked.key.id, &world.by).await.expect("revoked");
    let before = world.lines().await.len();
    assert!(matches!(rotate(&replaced).await, Err(ApiKeyError::Replaced(..))));
    let refused = rotate(&revoked).await;
    assert!(matches!(refused, Err(ApiKeyError::NotUsable(_, ApiKeyState::Revoked))));
    let nobody = "nobody123456".parse().expect("valid");
    let unknown = world.keys.rotate(&nobody, 0, &world.by).await;
    assert!(matches!(unknown, Err(ApiKeyError::Unknown(_))));
    assert!(matches!(world.keys.revoke(&nobody, &world.by).await, Err(ApiKeyError::Unknown(_))));
    assert_eq!(world.keys.list(None).await.expect("listed").len(), 3);
    assert_eq!(world.lines().await.len(), before);
}

async fn every_change_of_a_key_is_one_line_of_the_log(database: TempDatabase) {
    let world = World::new(&database).await;
    let old = world.issue("acme", None).await;
    let new = world.keys.rotate(&old.key.id, 1_000, &world.by).await.expect("rotated");
    world.keys.revoke(&new.key.id, &world.by).await.expect("revoked");
    let (old_id, new_id) = (&old.key.id, &new.key.id);
    assert_eq!(
        world.lines().await,
        [
            format!("1 key.create {old_id} done"),
            format!("2 key.rotate {old_id} done"),
            format!("3 key.revoke {new_id} done"),
        ]
    );
    let lines = world.log.list(&AuditFilter::default(), 100).await.expect("read");
    for line in &lines {
        assert_eq!((line.actor.as_str(), line.tenant.as_str()), ("cli:zoe", "acme"));
        for secret in [&old.secret, &new.secret] {
            assert!(!line.details.contains(secret.reveal()));
        }
    }
    assert!(lines[1].details.contains(new_id.as_str()));

    // Without the line there is no key.
    world.execute("UPDATE audit_log SET position = 5 WHERE position = 3").await;
    world.execute("UPDATE access_counters SET value = 4 WHERE name = 'audit'").await;
    let new = NewApiKey {
        tenant: old.key.tenant.clone(),
        name: old.key.name.clone(),
        scopes: scopes(),
        lifetime_ms: None,
    };
    assert!(world.keys.create(&new, &world.by).await.is_err());
    assert_eq!(world.keys.list(None).await.expect("listed").len(), 2);
}

async fn lines_are_numbered_without_holes_and_listed_newest_first(database: TempDatabase) {
    let world = World::new(&database).await;
    let act = |tenant: &str, action, target: &str| Act {
        actor: Actor { id: format!("key:{target}"), correlation_id: None },
        tenant: tenant.parse().expect("valid"),
        action,
        target: target.to_owned(),
        details: "because".to_owned(),
    };
    let (one, two) =
        (act("default", AuditAction::ProjectorStop, "a"), act("acme", AuditAction::Drift, "b"));
    let first = world.log.begin(&one).await.expect("written");
    let second = world.log.begin(&two).await.expect("written");
    let long = "x".repeat(5_000);
    world.log.end(second, &two, AuditOutcome::Failed, &long).await.expect("written");
    world.log.end(first, &one, AuditOutcome::Done, "").await.expect("written");
    let positions = async |filter: AuditFilter, limit| -> Vec<u64> {
        let lines = world.log.list(&filter, limit).await.expect("read");
        lines.iter().map(|line| line.position).collect()
    };
    let all = AuditFilter::default;
    assert_eq!(positions(all(), 10).await, [4, 3, 2, 1]);
    assert_eq!(positions(all(), 2).await, [4, 3]);
    assert_eq!(positions(AuditFilter { below: Some(3), ..all() }, 10).await, [2, 1]);
    let tenant = Some(two.tenant.clone());
    assert_eq!(positions(AuditFilter { tenant, ..all() }, 10).await, [3, 2]);
    let actor = Some("key:a".to_owned());
    assert_eq!(positions(AuditFilter { actor, ..all() }, 10).await, [4, 1]);
    let action = Some(AuditAction::Drift);
    assert_eq!(positions(AuditFilter { action, ..all() }, 10).await, [3, 2]);
    let lines = world.log.list(&all(), 10).await.expect("read");
    assert_eq!((lines[0].act_id, lines[3].act_id), (first, first));
    assert_eq!((lines[1].outcome, lines[1].details.len()), (AuditOutcome::Failed, 1_000));
    assert_eq!(lines[2].details, "because");

    // Whoever writes at the same time gets numbers of their own, without holes.
    let writing = (0..20).map(|_| world.log.begin(&one));
    for written in futures_util::future::join_all(writing).await {
        written.expect("written");
    }
    assert_eq!(positions(all(), 100).await, (1..=24).rev().collect::<Vec<_>>());
}

async fn nobody_is_believed_when_the_database_does_not_tell(database: TempDatabase) {
    let world = World::new(&database).await;
    let issued = world.issue("acme", None).await;
    world.ring.refresh().await.expect("asked");
    world.ask(&issued).await.expect("good");
    world.execute("ALTER TABLE access_counters RENAME TO gone").await;
    assert!(world.ring.refresh().await.is_err());
    assert!(world.recalls(&issued), "it is believed for a while");
    world.ring.grow_old();
    assert!(!world.recalls(&issued));
    // The table of keys still answers: whoever is good there comes in.
    assert!(world.ask(&issued).await.is_ok());
    assert!(!world.recalls(&issued), "and is asked for each time");
    world.execute("ALTER TABLE api_keys RENAME TO gone_too").await;
    assert!(matches!(world.ask(&issued).await, Err(Refused::Unavailable(_))));
}

async fn refused_keys_take_no_more_memory_than_they_may(database: TempDatabase) {
    let world = World::new(&database).await;
    let issued = world.issue("acme", None).await;
    world.ring.refresh().await.expect("asked");
    world.ask(&issued).await.expect("good");
    let made_up = |n: usize| format!("wlx_{}_{n:043}", issued.key.id);
    let guesses = KeyRing::BAD_MAX + 100;
    for n in 0..guesses {
        assert!(matches!(world.ring.authenticate(&made_up(n)).await, Err(Refused::Unknown)));
    }
    assert_eq!(world.ring.remembers(), (1, KeyRing::BAD_MAX));
    assert!(world.recalls(&issued), "guesses drive no good key out");
    let last = world.ring.recall(&made_up(guesses - 1));
    assert!(matches!(last, Some(Err(Refused::Unknown))));
}

async fn a_crowd_of_guesses_keeps_no_known_key_out(database: TempDatabase) {
    let world = World::new(&database).await;
    let (known, new) = (world.issue("acme", None).await, world.issue("acme", None).await);
    world.ring.refresh().await.expect("asked");
    world.ask(&known).await.expect("good");
    world.ring.outlive();
    assert!(!world.recalls(&known));
    let crowd = world.ring.crowd();
    assert!(matches!(world.ask(&new).await, Err(Refused::Crowded)));
    world.ask(&known).await.expect("good");
    drop(crowd);
    world.ask(&new).await.expect("good");
}

async fn an_open_door_is_believed_no_longer_than_a_key(database: TempDatabase) {
    let world = World::new(&database).await;
    let door = Door::new(Policy::UntilKeys, Arc::clone(&world.ring), None);
    assert_eq!(door.recall(None).expect("known").expect("open").id, "open");
    world.ring.grow_old();
    assert!(door.recall(None).is_none());
    assert_eq!(door.admit(None).await.expect("open").id, "open", "it is asked for again");
    world.execute("ALTER TABLE access_counters RENAME TO gone").await;
    world.ring.grow_old();
    assert!(matches!(door.admit(None).await, Err(Refused::Unavailable(_))));
}

async fn the_door_closes_with_the_first_key_and_stays_closed(database: TempDatabase) {
    let world = World::new(&database).await;
    let door = |policy| Door::new(policy, Arc::clone(&world.ring), None);
    let until_keys = door(Policy::UntilKeys);
    assert_eq!(until_keys.is_open(), Some(true));
    assert_eq!(until_keys.admit(None).await.expect("open").id, "open");
    // What is sent is looked at even where nothing is needed: whoever has a key means it.
    assert!(matches!(until_keys.admit(Some("abc")).await, Err(Refused::Unknown)));
    let issued = world.issue("acme", None).await;
    let bearer = Some(issued.secret.reveal());
    assert_eq!(until_keys.admit(bearer).await.expect("good").tenant.as_str(), "acme");
    assert!(matches!(until_keys.admit(None).await, Err(Refused::Missing)), "it was just seen");
    world.keys.revoke(&issued.key.id, &world.by).await.expect("revoked");
    world.execute("DELETE FROM api_keys").await;
    world.ring.refresh().await.expect("asked");
    assert!(matches!(until_keys.admit(None).await, Err(Refused::Missing)));

    let (closed, open) = (door(Policy::Closed), door(Policy::Open));
    assert!(matches!(closed.admit(None).await, Err(Refused::Missing)));
    assert!(matches!(closed.admit(Some("")).await, Err(Refused::Unknown)));
    for bearer in [None, Some("abc"), bearer] {
        assert_eq!(open.admit(bearer).await.expect("open").id, "open");
    }
}
