//! What is not as it was written.

use serde::Serialize;

/// How many findings are described; all are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The shard, where it is about one.
    pub shard: Option<u16>,
    /// The event's position, where it is about one.
    pub position: Option<i64>,
    /// The wallet's tenant.
    pub tenant: Option<String>,
    /// The wallet.
    pub wallet_id: Option<String>,
    /// The event's version.
    pub version: Option<i64>,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub first: Vec<Finding>,
}

impl Findings {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        self.total += 1;
        if self.first.len() < FINDINGS_MAX {
            self.first.push(finding);
        }
    }

    pub(crate) fn of_shard(&mut self, shard: u16, what: impl Into<String>) {
        self.add(Finding { shard: Some(shard), what: what.into(), ..Finding::default() });
    }
}
