//! The event store's parts of the one statement that commits a batch on PostgreSQL.
//!
//! | part | does | returns |
//! |---|---|---|
//! | `held` | locks the wallets that the batch rests on, but for those that another transaction holds | whether each has the expected version |
//! | `fits` | | one row, `ok`: whether all of them have, and none is there that should not be |
//! | `moved` | moves existing wallets on, if `ok` | a row each |
//! | `created` | inserts new wallets, if `ok` | a row each that was not there |
//! | `head` | counts the shards on, if `ok` | `shard`, `before` |
//! | `appended` | inserts the events behind `before` | what the outbox takes of them |
//!
//! A position is NULL, which its column refuses, when a wallet or a key turned out to be taken: that
//! takes the whole statement back.

use std::collections::BTreeMap;

use wallex_database::{Column, With};
use wallex_ports::{Shards, WalletKey, WalletState};

use crate::append::{PositionedEvent, insertion};
use crate::streams::{Move, creation, key_columns, moving_on};

/// What must hold for a part to write anything.
pub const IF_OK: &str = "(SELECT ok FROM fits)";

/// Adds `held` and `fits`: `rests` are wallets and the versions that they must have, `absent` those that
/// must not exist and that the batch does not create. Both in key order.
pub fn verify(
    with: &mut With,
    shards: Shards,
    rests: &[(&WalletKey, u64)],
    absent: &[&WalletKey],
) {
    let mut ok = vec!["true".to_owned()];
    if !rests.is_empty() {
        let mut columns = key_columns(shards, rests.iter().map(|(key, _)| *key));
        columns.push(Column::int("expected", rests.iter().map(|(_, v)| v.cast_signed())));
        let rows = with.rows(columns);
        with.part(
            "held",
            format!(
                "SELECT t.version = r.expected AS is_expected FROM {rows} JOIN wallet_streams AS t \
                 ON t.shard = r.shard AND t.tenant = r.tenant AND t.wallet_id = r.wallet_id \
                 ORDER BY t.shard, t.tenant, t.wallet_id FOR UPDATE OF t SKIP LOCKED"
            ),
        );
        let count = with.int(count_of(rests));
        ok.push(format!("(SELECT count(*) FROM held WHERE is_expected) = {count}"));
    }
    if !absent.is_empty() {
        let rows = with.rows(key_columns(shards, absent.iter().copied()));
        ok.push(format!(
            "NOT EXISTS (SELECT 1 FROM {rows} JOIN wallet_streams AS t \
             ON t.shard = r.shard AND t.tenant = r.tenant AND t.wallet_id = r.wallet_id)"
        ));
    }
    with.part("fits", format!("SELECT {} AS ok", ok.join(" AND ")));
}

/// Adds `moved`; the condition under which all of them were.
pub fn move_on(with: &mut With, shards: Shards, moves: &[Move<'_>]) -> Option<String> {
    if moves.is_empty() {
        return None;
    }
    with.update("moved", moving_on(shards, moves), IF_OK);
    Some(format!("(SELECT count(*) FROM moved) = {}", with.int(count_of(moves))))
}

/// Adds `created`; the condition under which all of them were.
pub fn create(
    with: &mut With,
    shards: Shards,
    rows: &[(&WalletKey, &WalletState)],
) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    with.insert("created", creation(shards, rows), &format!("WHERE {IF_OK}"), "1");
    Some(format!("(SELECT count(*) FROM created) = {}", with.int(count_of(rows))))
}

/// Adds `head`, which counts each shard on by as many events as `counts` says, if all of `conditions`
/// hold.
pub fn number(with: &mut With, counts: &BTreeMap<u16, u64>, conditions: &[String]) {
    let columns = vec![
        Column::int("shard", counts.keys().map(|shard| i64::from(*shard))),
        Column::int("count", counts.values().map(|count| count.cast_signed())),
    ];
    let rows = with.rows(columns);
    let all = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    with.part(
        "head",
        format!(
            "UPDATE shard_heads AS h SET position = CASE WHEN {all} THEN h.position + r.count END \
             FROM {rows} WHERE h.shard = r.shard AND {IF_OK} \
             RETURNING h.shard, h.position - r.count AS before"
        ),
    );
}

/// Adds `appended`. The positions of `events` are counted from their shard's `before`.
pub fn append(with: &mut With, events: &[PositionedEvent<'_>]) {
    with.insert(
        "appended",
        insertion(events, "h.before + {}"),
        "JOIN head AS h ON h.shard = r.shard",
        "shard, position, tenant, wallet_id, version, type, event_id, metadata",
    );
}

fn count_of<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).expect("invariant: a batch is small")
}
