//! The one transaction of the write path: the only `BEGIN … COMMIT` around commands.
//!
//! It joins three adapters that do not know each other: the event store, the outbox and the
//! idempotency records. For a batch of n units:
//!
//! | step | table | runs when |
//! |---|---|---|
//! | verify and lock | `wallet_streams … FOR UPDATE SKIP LOCKED` | a unit rests on a wallet |
//! | move on | `UPDATE wallet_streams` | a unit changes a wallet |
//! | create | `INSERT wallet_streams` | a unit creates one |
//! | claim | `INSERT idempotency_keys` | a unit has a key |
//! | number | `UPDATE shard_heads` | always; once a shard |
//! | append | `INSERT events` | a unit has events |
//! | enqueue | `INSERT outbox` | a unit has events |
//!
//! On PostgreSQL all of it is **one statement**, a transaction by itself: one round trip, whatever n is. On
//! SQLite, which is in this process, it is a statement each, between `BEGIN IMMEDIATE` and `COMMIT`.
//!
//! It writes everything or nothing. What a batch rests on is believed at first, because it nearly always
//! holds; when the database refuses, the committer looks what it holds ([`SqlCommitter`]), leaves out the
//! units that do not fit, with those that rest on them, and tries again with the others.
//!
//! Locks are taken in one order by every writer (wallet rows sorted, keys sorted, heads sorted), so
//! writers never wait for each other in a circle.

mod attempt;
mod batch;
mod committer;
mod lost;
mod postgres;
mod rows;
#[cfg(debug_assertions)]
mod spoil;
mod sqlite;

pub use committer::SqlCommitter;

#[cfg(test)]
mod tests;
