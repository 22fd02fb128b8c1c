//! Wallets and events by plain SQL, as if the server had made them long ago: what a load needs to
//! be there, and databases that have grown.
//!
//! Every table is filled, the projections and their checkpoints too, so that `wallex drift` finds
//! nothing. Ids are random. Each wallet is created with [`BALANCE`] and then credited, with one
//! minor unit each time.

mod events;

use std::rc::Rc;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use crate::Kind;
use crate::effect::Effect;
use crate::tables::Tables;
use crate::wallet::mix;

/// What each wallet is created with, in minor units: nothing that a load does uses it up.
const BALANCE: u64 = 1_000_000;
/// Of so many wallets a load takes one at random.
pub(crate) const POPULATION: u64 = 100_000;

/// A new random UUID as text.
const POSTGRES_UUID: &str = "CAST(gen_random_uuid() AS text)";
const SQLITE_UUID: &str = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || \
    substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || \
    hex(randomblob(6)))";

/// What is executed, in this order. Both databases read this.
const STATEMENTS: [&str; 9] = [
    "INSERT INTO events (shard, tenant, wallet_id, version, position, event_id, type, \
     schema_version, payload, metadata, recorded_at_ms, hash) \
     SELECT 0, 'default', wallet_id, version, {head} + (version - 1) * {wallets} + n, event_id, \
     type, 1, payload, metadata, {now}, hash FROM seed",
    "INSERT INTO outbox (shard, position, tenant, wallet_id, version, type, event_id, metadata, \
     created_at_ms) SELECT shard, position, tenant, wallet_id, version, type, event_id, metadata, \
     recorded_at_ms FROM events WHERE position > {head}",
    "INSERT INTO idempotency_keys (shard, tenant, route, key, request_hash, http_status, etag, \
     location, response, created_at_ms, expires_at_ms) SELECT shard, tenant, \
     CASE version WHEN 1 THEN 'POST /wallets' ELSE 'POST /wallets/' || wallet_id || '/credit' END, \
     {uuid}, replace({uuid} || {uuid}, '-', ''), CASE version WHEN 1 THEN 201 ELSE 200 END, \
     '\"' || version || '\"', CASE version WHEN 1 THEN '/wallets/' || wallet_id ELSE '' END, \
     '{\"id\":\"' || wallet_id || '\",\"ownerId\":\"owner-of-' || wallet_id || \
     '\",\"currency\":\"USD\",\"balance\":' || ({balance} + version - 1) || ',\"version\":' || \
     version || ',\"createdAt\":\"2026-01-01T00:00:00.000Z\",\
     \"updatedAt\":\"2026-01-01T00:00:00.000Z\"}', recorded_at_ms, recorded_at_ms + 86400000 \
     FROM events WHERE position > {head}",
    "INSERT INTO wallet_streams (shard, tenant, wallet_id, version, owner_id, currency, balance, \
     created_at_ms, updated_at_ms, last_hash) SELECT 0, 'default', wallet_id, {versions}, \
     'owner-of-' || wallet_id, 'USD', {balance} + {versions} - 1, {now}, {now}, hash FROM seed \
     WHERE version = {versions} ORDER BY {order}",
    "INSERT INTO wallets (shard, tenant, wallet_id, owner_id, currency, balance, version, \
     created_at_ms, updated_at_ms) SELECT 0, 'default', wallet_id, 'owner-of-' || wallet_id, \
     'USD', {balance} + {versions} - 1, {versions}, {now}, {now} FROM seed \
     WHERE version = {versions} ORDER BY {order}",
    "INSERT INTO ledger_entries (shard, tenant, wallet_id, version, position, event_id, type, \
     amount, balance_after, currency, description, reference, recorded_at_ms) \
     SELECT shard, tenant, wallet_id, version, position, event_id, \
     CASE version WHEN 1 THEN 'opening' ELSE 'credit' END, \
     CASE version WHEN 1 THEN {balance} ELSE 1 END, {balance} + version - 1, 'USD', \
     payload ->> 'description', payload ->> 'reference', recorded_at_ms \
     FROM events WHERE position > {head}",
    "UPDATE shard_heads SET position = {head} + {wallets} * {versions}",
    "UPDATE projector_checkpoints SET position = {head} + {wallets} * {versions}",
    "DROP TABLE seed",
];

/// Adds `wallets` wallets of `versions` events each, while no server runs; what that was.
pub(crate) async fn seed(
    tables: &Tables,
    kind: Kind,
    (wallets, versions): (u64, u64),
) -> Result<Effect> {
    let began = Instant::now();
    let head = tables.number("SELECT position FROM shard_heads").await?;
    let now = OffsetDateTime::now_utc().unix_timestamp() * 1_000;
    let (uuid, order) = match kind {
        // The order in which a heap was filled says nothing of the order of the ids.
        Kind::Postgres => (POSTGRES_UUID, "n"),
        // A table is a tree in the order of its key.
        Kind::Sqlite => (SQLITE_UUID, "wallet_id"),
    };
    // SQLite's own 2 MB would have it write the trees many times over. It is this connection's alone.
    if kind == Kind::Sqlite {
        tables.execute("PRAGMA cache_size = -1000000").await?;
    }
    events::fill(tables, kind, (wallets, versions), now).await?;
    for sql in STATEMENTS {
        let sql = sql
            .replace("{uuid}", uuid)
            .replace("{order}", order)
            .replace("{head}", &head.to_string())
            .replace("{now}", &now.to_string())
            .replace("{wallets}", &wallets.to_string())
            .replace("{versions}", &versions.to_string())
            .replace("{balance}", &BALANCE.to_string());
        tables.execute(&sql).await?;
    }
    if kind == Kind::Postgres {
        // As autovacuum does some time later, and then in the middle of a load.
        tables.execute("VACUUM ANALYZE").await?;
    }
    let events = wallets * versions;
    eprintln!("{}: {events} events seeded in {:.0?}", kind.name(), began.elapsed());
    Ok(effect(wallets, versions))
}

fn effect(wallets: u64, versions: u64) -> Effect {
    let events = wallets * versions;
    let mut effect = Effect::creates(wallets, BALANCE + versions - 1);
    (effect.commands, effect.events, effect.keys) = (events, events, events);
    effect
}

/// About [`POPULATION`] wallets from all over the table, in no order, the same ones each time.
pub(crate) async fn population(tables: &Tables, wallets: u64) -> Result<Rc<[Uuid]>> {
    // The last four digits of a random id are as good as dice.
    let share = (POPULATION << 16).div_ceil(wallets.max(1));
    let chosen = if share < 1 << 16 {
        format!("WHERE substr(wallet_id, 33) < '{share:04x}'")
    } else {
        String::new()
    };
    let ids = tables.texts(&format!("SELECT wallet_id FROM wallet_streams {chosen}")).await?;
    let ids: Result<Vec<Uuid>, _> = ids.iter().map(|id| Uuid::parse_str(id)).collect();
    let mut ids = ids.context("a wallet's id")?;
    ids.sort_by_cached_key(|id| mix(id.as_u64_pair().0));
    Ok(ids.into())
}

#[cfg(test)]
mod tests {
    use wallex_testkit::{Backend, TempDatabase, on_both_databases};

    use super::*;
    use crate::projections::operations;
    use crate::server;

    on_both_databases!(what_is_seeded_is_as_if_the_server_had_written_it);

    async fn what_is_seeded_is_as_if_the_server_had_written_it(database: TempDatabase) {
        server::migrate(database.url()).await.expect("migrated");
        let kind = match database.backend() {
            Backend::Postgres => Kind::Postgres,
            Backend::Sqlite => Kind::Sqlite,
        };
        let tables = Tables::open(database.url()).await.expect("opened");
        let seeded = seed(&tables, kind, (3, 4)).await.expect("seeded");
        tables.check(seeded).await.expect("all is there");
        tables.close().await.expect("closed");
        let compared = operations::run("drift", database.url(), seeded.events).await;
        compared.expect("no difference");
    }

    #[test]
    fn what_is_seeded_is_counted_as_if_it_had_been_commanded() {
        let expected = Effect { commands: 6, wallets: 2, events: 6, keys: 6, money: 2_000_004 };
        assert_eq!(effect(2, 3), expected);
    }
}
