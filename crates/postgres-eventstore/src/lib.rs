//! The event store, on PostgreSQL and on SQLite alike: the name says where it began.
//!
//! What commits a batch works in a transaction that it is given, and knows nothing of the others that
//! write in it: [`postgres`] adds parts to the one statement that does it all there, and [`sqlite`] is
//! the same in steps.
//!
//! | function | table | does |
//! |---|---|---|
//! | `verify` | `wallet_streams` | holds versions against what the batch rests on |
//! | `create`, `move_on` | `wallet_streams` | inserts new wallets, moves existing ones on |
//! | [`postgres::number`], [`take_positions`] | `shard_heads` | counts a shard on, and holds it until the end |
//! | `append` | `events` | inserts events |
//! | [`lock_streams`] | `wallet_streams` | reads rows, locked in key order |
//!
//! [`EventStore`] is the reading side.

mod append;
mod positions;
pub mod postgres;
mod read;
pub mod sqlite;
mod streams;

pub use append::{PositionedEvent, holds_event};
pub use positions::take_positions;
pub use read::EventStore;
pub use streams::{End, Held, Move, lock_streams, stream_versions};
