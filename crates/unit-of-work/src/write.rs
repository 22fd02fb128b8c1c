//! What is written between `BEGIN` and `COMMIT`.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{ConnectionTrait, DbErr};
use wallex_idempotency as idempotency;
use wallex_outbox::{OutboxRow, enqueue};
use wallex_ports::{Shards, StreamAppend, Unit, UnitOutcome, WalletKey, WalletState};
use wallex_postgres_eventstore::{
    PositionedEvent, append, create_streams, delete_streams, encode_metadata, take_positions,
    update_streams,
};

use crate::batch::{Batch, Fate};

/// What a transaction holds before its COMMIT.
pub(crate) struct Written {
    /// What becomes of each unit if it commits.
    pub(crate) outcomes: Vec<UnitOutcome>,
    /// Whether there is anything to commit.
    pub(crate) anything: bool,
}

/// Writes the units that fit. `committed` holds the versions of the wallets they name, whose rows
/// are locked.
pub(crate) async fn write(
    conn: &impl ConnectionTrait,
    shards: Shards,
    units: &[Unit],
    committed: HashMap<WalletKey, u64>,
) -> Result<Written, DbErr> {
    let mut batch = Batch::new(units, committed);
    let created = create(conn, shards, &mut batch).await?;
    let claimed = claim(conn, shards, &mut batch).await?;
    undo_losers(conn, shards, &batch, &created, &claimed).await?;
    move_streams_on(conn, shards, &batch, &created).await?;
    record_events(conn, shards, &batch).await?;
    let anything = batch.alive().any(|(_, u)| u.claim.is_some() || !u.appends.is_empty());
    let outcomes = outcomes(conn, shards, &batch).await?;
    Ok(Written { outcomes, anything })
}

/// Inserts the rows of new wallets; which were new indeed.
async fn create<'a>(
    conn: &impl ConnectionTrait,
    shards: Shards,
    batch: &mut Batch<'a>,
) -> Result<HashMap<&'a WalletKey, &'a StreamAppend>, DbErr> {
    let mut wanted: Vec<&StreamAppend> =
        batch.appends().filter(|append| append.expected_version == 0).collect();
    wanted.sort_by_key(|append| (shards.of_wallet(&append.stream), &append.stream));
    let rows: Vec<_> = wanted.iter().map(|append| (&append.stream, &append.state)).collect();
    let created: HashSet<WalletKey> =
        create_streams(conn, shards, &rows).await?.into_iter().collect();
    let (won, lost): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|append| created.contains(&append.stream));
    if !lost.is_empty() {
        batch.creations_lost(lost.iter().map(|append| &append.stream));
    }
    Ok(won.into_iter().map(|append| (&append.stream, append)).collect())
}

/// Claims the keys of the units that fit; which units won theirs.
async fn claim(
    conn: &impl ConnectionTrait,
    shards: Shards,
    batch: &mut Batch<'_>,
) -> Result<Vec<usize>, DbErr> {
    let (units, claims): (Vec<_>, Vec<_>) =
        batch.alive().filter_map(|(i, unit)| unit.claim.as_ref().map(|claim| (i, claim))).unzip();
    let won = idempotency::claim(conn, shards, &claims).await?;
    let (won, lost): (Vec<_>, Vec<_>) = units.into_iter().zip(won).partition(|(_, won)| *won);
    if !lost.is_empty() {
        batch.claims_lost(lost.into_iter().map(|(unit, _)| unit));
    }
    Ok(won.into_iter().map(|(unit, _)| unit).collect())
}

/// A unit that fell because of another's lost key or wallet leaves nothing behind.
async fn undo_losers(
    conn: &impl ConnectionTrait,
    shards: Shards,
    batch: &Batch<'_>,
    created: &HashMap<&WalletKey, &StreamAppend>,
    claimed: &[usize],
) -> Result<(), DbErr> {
    let fell = |unit: &usize| batch.fates()[*unit] != Fate::Alive;
    let scopes: Vec<_> = claimed
        .iter()
        .filter(|unit| fell(unit))
        .filter_map(|unit| batch.units[*unit].claim.as_ref().map(|claim| &claim.scope))
        .collect();
    idempotency::release(conn, shards, &scopes).await?;
    let kept: HashSet<_> = batch
        .appends()
        .filter(|append| append.expected_version == 0)
        .map(|append| &append.stream)
        .collect();
    let orphans: Vec<_> = created.keys().copied().filter(|key| !kept.contains(key)).collect();
    delete_streams(conn, shards, &orphans).await
}

/// Brings every wallet to the state after the last unit that changes it.
async fn move_streams_on(
    conn: &impl ConnectionTrait,
    shards: Shards,
    batch: &Batch<'_>,
    created: &HashMap<&WalletKey, &StreamAppend>,
) -> Result<(), DbErr> {
    let mut last: BTreeMap<&WalletKey, &WalletState> = BTreeMap::new();
    for append in batch.appends() {
        last.insert(&append.stream, &append.state);
    }
    let is_as_created =
        |key: &WalletKey, state: &WalletState| created.get(key).is_some_and(|a| a.state == *state);
    let rows: Vec<_> = last.into_iter().filter(|(key, state)| !is_as_created(key, state)).collect();
    update_streams(conn, shards, &rows).await
}

/// Numbers the events, and writes them to the store and to the outbox.
async fn record_events(
    conn: &impl ConnectionTrait,
    shards: Shards,
    batch: &Batch<'_>,
) -> Result<(), DbErr> {
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    for append in batch.appends() {
        *counts.entry(shards.of_wallet(&append.stream)).or_default() += append.events.len() as u64;
    }
    if counts.is_empty() {
        return Ok(());
    }
    let mut positions = take_positions(conn, &counts).await?;
    let mut events = Vec::new();
    for stream in batch.appends() {
        let shard = shards.of_wallet(&stream.stream);
        let position = positions.entry(shard).or_default();
        for (event, version) in stream.events.iter().zip(stream.expected_version + 1..) {
            *position += 1;
            let stream = &stream.stream;
            events.push(PositionedEvent { shard, position: *position, stream, version, event });
        }
    }
    append(conn, &events).await?;
    let rows = events.iter().map(|e| OutboxRow {
        shard: e.shard,
        position: e.position,
        stream: e.stream,
        version: e.version,
        event_type: e.event.event.event_type(),
        event_id: e.event.event_id,
        metadata: encode_metadata(&e.event.metadata),
    });
    enqueue(conn, rows.collect()).await
}

/// What becomes of each unit, with the records that beat it to its key.
async fn outcomes(
    conn: &impl ConnectionTrait,
    shards: Shards,
    batch: &Batch<'_>,
) -> Result<Vec<UnitOutcome>, DbErr> {
    let lost = |(unit, fate): (&Unit, &Fate)| -> Option<wallex_ports::KeyScope> {
        let claim = unit.claim.as_ref().filter(|_| *fate == Fate::KeyTaken);
        claim.map(|claim| claim.scope.clone())
    };
    let scopes: Vec<_> = batch.units.iter().zip(batch.fates()).filter_map(lost).collect();
    let scopes: Vec<_> = scopes.iter().collect();
    let mut records = idempotency::stored_records(conn, shards, &scopes).await?.into_iter();
    let outcome = |fate: &Fate| match fate {
        Fate::Alive => UnitOutcome::Committed,
        Fate::Conflict => UnitOutcome::VersionConflict,
        // A record that expired in between beats nobody: decide again.
        Fate::KeyTaken => records
            .next()
            .flatten()
            .map_or(UnitOutcome::VersionConflict, |stored| UnitOutcome::KeyTaken { stored }),
    };
    Ok(batch.fates().iter().map(outcome).collect())
}
