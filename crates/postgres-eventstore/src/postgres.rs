//! The event store's parts of the one statement that commits a batch on PostgreSQL.
//!
//! | part | does | returns |
//! |---|---|---|
//! | `held` | locks the wallets that the batch rests on, but for those that another transaction holds | whether each has the expected version |
//! | `fits` | | one row, `ok`: whether all of them have, and none is there that should not be |
//! | `moved` | moves existing wallets on, if `ok` | a row each |
//! | `created` | inserts new wallets, if `ok` | a row each |
//! | `head` | counts the shards on, if `ok`, when the parts before it are done | `shard`, `before` |
//! | `appended` | inserts the events behind `before` | what the outbox takes of them |
//!
//! When `ok` is false nothing is written, and `head` returns no row. A wallet or a key that turns out to
//! be taken is a unique violation, which takes the whole statement back: an insert that first asked whether
//! there is one (`ON CONFLICT`) would search every index twice.

use std::collections::BTreeMap;

use wallex_database::{Column, With};
use wallex_ports::{Shards, WalletKey};

use crate::append::{PositionedEvent, insertion};
use crate::streams::{End, Move, creation, key_columns, moving_on};

const SMALL: &str = "invariant: a batch is small";

/// What must hold for a part to write anything.
pub const IF_OK: &str = "(SELECT ok FROM fits)";

/// Adds `held` and `fits`: `rests` are wallets and the versions that they must have, `absent` those that
/// must not exist and that the batch does not create. Both in key order.
pub fn verify(with: &mut With, shards: Shards, rests: &[(&WalletKey, u64)], absent: &[&WalletKey]) {
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
        let count = with.int(i64::try_from(rests.len()).expect(SMALL));
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

/// Adds `moved`, if there are `moves`.
pub fn move_on(with: &mut With, shards: Shards, moves: &[Move<'_>]) {
    if !moves.is_empty() {
        with.update("moved", moving_on(shards, moves), IF_OK);
    }
}

/// Adds `created`, if there are `rows`.
pub fn create(with: &mut With, shards: Shards, rows: &[(&WalletKey, End<'_>)]) {
    if !rows.is_empty() {
        with.insert("created", creation(shards, rows), &format!("WHERE {IF_OK}"), "1");
    }
}

/// Adds `head`, which counts each shard on by as many events as `counts` says, once each part of `written`
/// has written as many rows as stand beside its name: heads are locked last.
pub fn number(with: &mut With, counts: &BTreeMap<u16, u64>, written: &[(&str, usize)]) {
    let mut all = vec!["true".to_owned()];
    for (part, rows) in written.iter().filter(|(_, rows)| *rows > 0) {
        let rows = with.int(i64::try_from(*rows).expect(SMALL));
        all.push(format!("(SELECT count(*) FROM {part}) = {rows}"));
    }
    let all = all.join(" AND ");
    let columns = vec![
        Column::int("shard", counts.keys().map(|shard| i64::from(*shard))),
        Column::int("count", counts.values().map(|count| count.cast_signed())),
    ];
    let rows = with.rows(columns);
    with.part(
        "head",
        format!(
            // A count that is wrong all the same makes the position NULL, which its column refuses.
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
