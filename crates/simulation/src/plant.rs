//! Defects that can be planted in the simulated store, to see that the checks find them.

/// A defect of the store: what Wallex relies on a database for, taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// A unit is written although its stream has another version.
    VersionsNotChecked,
    /// A refusal is confirmed although what it read is no longer true.
    ReadsNotVerified,
    /// A unit is written although one that it rests on was not.
    DependantsOfTheFallen,
    /// A key is claimed although it was answered before.
    KeysNotClaimed,
    /// The key's record is not written with its effect.
    KeysNotKept,
    /// The record holds another answer than was given.
    WrongAnswerKept,
    /// Only the paying leg of a transfer is written.
    SecondLegLost,
    /// Some units are acknowledged and not written.
    AcknowledgedAndLost,
    /// Every event is written twice.
    EventsDoubled,
    /// Some events get no outbox row.
    OutboxRowsLost,
    /// A transaction that the database says it gave up was written.
    GivenUpAndWritten,
    /// Some events are not handed to projectors.
    EventsSkipped,
    /// A batch's rows are written and its checkpoint is not.
    EffectWithoutCheckpoint,
    /// Some batches' checkpoints are written and their rows are not.
    CheckpointWithoutEffect,
    /// A projector writes under a lease that is no longer its own.
    LeaseNotFenced,
    /// One of the nodes is not told that a projector was stopped.
    StopNotTold,
    /// A letter is deleted although what waits behind it is not applied.
    LettersLost,
    /// How far a rebuild has come is written, and what some of its pages put right is not.
    PageWithoutEffect,
    /// A drift check is not told of some rows that stand.
    RowsNotRead,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::VersionsNotChecked,
        Self::ReadsNotVerified,
        Self::DependantsOfTheFallen,
        Self::KeysNotClaimed,
        Self::KeysNotKept,
        Self::WrongAnswerKept,
        Self::SecondLegLost,
        Self::AcknowledgedAndLost,
        Self::EventsDoubled,
        Self::OutboxRowsLost,
        Self::GivenUpAndWritten,
        Self::EventsSkipped,
        Self::EffectWithoutCheckpoint,
        Self::CheckpointWithoutEffect,
        Self::LeaseNotFenced,
        Self::StopNotTold,
        Self::LettersLost,
        Self::PageWithoutEffect,
        Self::RowsNotRead,
    ];
}
