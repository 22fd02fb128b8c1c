//! What every SQL adapter of Wallex shares: how to connect, bulk statements, error classes.
//!
//! The adapters are written once, for PostgreSQL and SQLite. The little that differs is here:
//!
//! | | PostgreSQL | SQLite |
//! |---|---|---|
//! | many rows in one statement | one array a column, `UNNEST` | `VALUES` in chunks |
//! | writers | a small pool, row locks | one connection, `BEGIN IMMEDIATE` |
//! | durable at COMMIT | `synchronous_commit = on` | WAL with `synchronous = FULL` |

mod bulk;
mod columns;
mod connect;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod options;
mod place;
mod pools;
mod postgres;
mod rows;
mod sqlite;
mod url;
mod with;

pub use bulk::{Insert, KeyedDelete, KeyedSelect, KeyedUpdate};
pub use columns::Column;
pub use connect::{Backend, ConnectError, Database};
pub use error::{ErrorClass, classify, is_answer_lost, is_taken, is_undefined, read_error};
pub use options::ConnectOptions;
pub use place::{Place, error_type, within};
pub use pools::PoolStatus;
pub use rows::{Row, RowError};
pub use url::{DatabaseUrl, DatabaseUrlError};
pub use with::With;
