//! Proves that a history is what was written.
//!
//! Each event's hash covers the event and the one before it in its wallet (`wallex_domain::HashedEvent`). That
//! shows an edit, a hole and a swap within a wallet. Who rewrites a history from some point to its end, or cuts
//! the end off, leaves a chain that is whole; against that there are **checkpoints**: what the history was at some
//! moment in 32 bytes a shard, signed, and kept where the database's masters can't write.
//!
//! | module | does | needs |
//! |---|---|---|
//! | [`verify_database`] | walks every event of a live database, and exports what it meets | one pass by position, each event with the one before it by key; memory is bounded |
//! | [`verify_export`] | the same for an export | no database; memory for the last hash of each wallet |
//! | [`Checkpoint`] | is signed, read, written | [`SigningKey`], [`PublicKey`] |
//!
//! Neither ever changes what it verifies.

mod checkpoint;
mod digest;
mod event;
mod export;
mod findings;
mod history;
mod keys;
mod live;
mod offline;
mod streams;

pub use checkpoint::{CHECKPOINT_FILE, Checkpoint, CheckpointError, ShardCheckpoint};
pub use export::Export;
pub use findings::{FINDINGS_MAX, Finding, Findings};
pub use keys::{KeyError, PublicKey, SigningKey};
pub use live::{Progress, Verified, VerifyError, verify_database};
pub use offline::{OfflineError, verify_export};
