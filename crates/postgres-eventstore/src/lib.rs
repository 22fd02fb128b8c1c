//! The event store, on PostgreSQL and on SQLite alike: the name says where it began.
//!
//! Writing functions work in a transaction that they are given, and know nothing of the others that
//! write in it. Each is one statement on PostgreSQL, whatever the number of rows; on SQLite one for
//! each chunk.
//!
//! | function | table | does |
//! |---|---|---|
//! | [`lock_streams`] | `wallet_streams` | reads rows, locked in key order |
//! | [`create_streams`] | `wallet_streams` | inserts rows that are not there yet |
//! | [`update_streams`], [`delete_streams`] | `wallet_streams` | moves rows on; takes new ones back |
//! | [`take_positions`] | `shard_heads` | counts a shard on, and holds it until the end |
//! | [`append`] | `events` | inserts events |
//!
//! [`EventStore`] is the reading side.

mod append;
mod metadata;
mod positions;
mod read;
mod streams;

pub use append::{PositionedEvent, append, holds_event};
pub use metadata::encode_metadata;
pub use positions::{hold_positions, take_positions};
pub use read::EventStore;
pub use streams::{
    Held, create_streams, delete_streams, lock_streams, stream_versions, update_streams,
};
