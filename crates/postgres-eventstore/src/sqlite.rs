//! What the one writer does step by step on SQLite, in a transaction that it is given. When one finds something else
//! than it expects, the transaction is to be rolled back.

use sea_orm::{ConnectionTrait, DbErr};
use wallex_ports::{Shards, WalletKey};

use crate::append::{PositionedEvent, insertion};
use crate::streams::{End, Move, creation, moving_on, stream_versions};

/// Whether the wallets of `rests` have these versions, 0 standing for one that does not exist.
///
/// # Errors
/// The database's.
pub async fn verify(
    conn: &impl ConnectionTrait,
    shards: Shards,
    rests: &[(&WalletKey, u64)],
) -> Result<bool, DbErr> {
    if rests.is_empty() {
        return Ok(true);
    }
    let keys: Vec<WalletKey> = rests.iter().map(|(key, _)| (*key).clone()).collect();
    let found = stream_versions(conn, shards, &keys).await?;
    Ok(rests.iter().all(|(key, version)| found.get(key).copied().unwrap_or(0) == *version))
}

/// Whether all of `moves` found the version that they expect.
///
/// # Errors
/// The database's.
pub async fn move_on(
    conn: &impl ConnectionTrait,
    shards: Shards,
    moves: &[Move<'_>],
) -> Result<bool, DbErr> {
    Ok(moving_on(shards, moves).execute(conn).await? == moves.len() as u64)
}

/// Inserts new wallets; one that is there already is a unique violation.
///
/// # Errors
/// The database's.
pub async fn create(
    conn: &impl ConnectionTrait,
    shards: Shards,
    rows: &[(&WalletKey, End<'_>)],
) -> Result<(), DbErr> {
    let written = creation(shards, rows).execute(conn).await?;
    if written == rows.len() as u64 {
        Ok(())
    } else {
        Err(DbErr::Custom(format!("{written} of {} wallets were written", rows.len())))
    }
}

/// Inserts `events`, whose positions are final.
///
/// # Errors
/// The database's; a version or position that is taken is a unique violation.
pub async fn append(
    conn: &impl ConnectionTrait,
    events: &[PositionedEvent<'_>],
) -> Result<(), DbErr> {
    let written = insertion(events, "").execute(conn).await?;
    if written == events.len() as u64 {
        Ok(())
    } else {
        Err(DbErr::Custom(format!("{written} of {} events were written", events.len())))
    }
}
