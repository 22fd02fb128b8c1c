//! What the checks find.

use std::fmt;

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Everything is answered in bounded time, and caught up with once nothing goes wrong any more.
    Liveness,
    /// What was acknowledged is there, exactly once.
    Acknowledged,
    /// What was answered with an error, or refused, was not done.
    NotDone,
    /// An answer is what the model says, at a moment between question and answer.
    Answer,
    /// A key has one effect and one answer.
    Key,
    /// An effect is what the model makes of its command, at its place in the order.
    Effect,
    /// Versions and positions have no holes, and each event has its outbox row.
    Order,
    /// States are the fold of their events, and sums agree.
    State,
    /// A projection is what its events make, up to its checkpoint.
    Projection,
    /// Who has no lease writes nothing.
    Lease,
    /// A projector that was stopped applies nothing by itself.
    Steering,
    /// What drift checks and rebuilds report is what differs.
    Report,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Liveness => "liveness",
            Self::Acknowledged => "acknowledged means committed",
            Self::NotDone => "refused means not done",
            Self::Answer => "answers are the model's",
            Self::Key => "one effect a key",
            Self::Effect => "effects are the model's",
            Self::Order => "order without holes",
            Self::State => "states are folds",
            Self::Projection => "projections stand where their checkpoints do",
            Self::Lease => "only the holder of the lease writes",
            Self::Steering => "stopped means that nothing is applied",
            Self::Report => "reports are true",
        })
    }
}

/// Something that must never happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What does not hold.
    pub check: Check,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}
