//! What the admin API answers with, as JSON. The command line's `--json` prints the same.
//!
//! Counts and positions are numbers: they stay far below 2^53. What adds up the money of many
//! wallets may not, so sums are texts.

mod audit;
mod dead_letters;
mod keys;
mod operations;
mod outbox;
mod projectors;

pub use audit::AuditListJson;
pub use dead_letters::{DeadLetterDetailJson, DeadLetterJson, DeadLetterListJson, ReplayJson};
pub use keys::{ApiKeyJson, ApiKeyListJson, IssuedKeyJson};
pub use operations::{OperationJson, ProgressJson};
pub use outbox::{CleanupJson, OutboxJson, StatisticsJson};
pub(crate) use projectors::FailureJson;
pub use projectors::{ProjectorJson, ProjectorListJson};

/// A time as the API writes it: RFC 3339, in UTC, with milliseconds.
#[must_use]
pub fn time(at: wallex_ports::Timestamp) -> String {
    crate::wallet::rfc3339(at)
}
