//! The one transaction of the write path: the only `BEGIN … COMMIT` around commands.
//!
//! It joins three adapters that do not know each other: the event store, the outbox and the
//! idempotency records. For a batch of n units:
//!
//! | step | statement | runs when |
//! |---|---|---|
//! | begin | `BEGIN` (`IMMEDIATE` on SQLite) | always |
//! | lock | `SELECT wallet_streams … FOR UPDATE SKIP LOCKED` | a unit rests on a wallet |
//! | look | `SELECT wallet_streams` | a unit says that a wallet does not exist |
//! | create | `INSERT wallet_streams … ON CONFLICT DO NOTHING` | a unit creates one |
//! | claim | `INSERT idempotency_keys … ON CONFLICT …` | a unit has a key |
//! | move on | `INSERT wallet_streams … ON CONFLICT DO UPDATE` | a unit changes a wallet |
//! | number | `UPDATE shard_heads` | a unit has events; once a shard |
//! | append | `INSERT events` | a unit has events |
//! | enqueue | `INSERT outbox` | a unit has events |
//! | end | `COMMIT` | always |
//!
//! Locks are taken in one order by every writer (wallet rows sorted, keys sorted, heads sorted), so
//! writers never wait for each other in a circle.

mod batch;
mod committer;
mod write;

pub use committer::SqlCommitter;

#[cfg(test)]
mod tests;
