//! One try to write what fits of a batch.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Backend, is_taken};
use wallex_ports::Shards;

use crate::rows::Rows;
use crate::{postgres, sqlite};

/// What came of it.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// All is written; in each shard behind this position, where that is known.
    Written(BTreeMap<u16, u64>),
    /// The database holds something else than the batch rests on, or holds it for somebody else.
    Refused,
}

/// Writes all of `rows`, in the transaction of `conn` or, on PostgreSQL, in one of its own. A transaction
/// in which this was refused is to be rolled back.
pub(crate) async fn attempt(
    conn: &impl ConnectionTrait,
    shards: Shards,
    rows: &Rows<'_>,
) -> Result<Attempt, DbErr> {
    let attempted = match Backend::of(conn) {
        Backend::Postgres => postgres::attempt(conn, shards, rows).await,
        Backend::Sqlite => sqlite::attempt(conn, shards, rows).await,
    };
    match attempted {
        // A wallet or a key that somebody else was faster with.
        Err(error) if is_taken(&error) => Ok(Attempt::Refused),
        attempted => attempted,
    }
}
