//! What clients asked and were told.

use std::collections::BTreeMap;

use wallex_application::{Answer, CommandError};

use crate::wish::Wish;

/// One try of a client to have its wish done.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) wish: Wish,
    /// When it was sent, in the order of everything that happens.
    pub(crate) sent: u64,
    /// When its end was known, and how it ended.
    pub(crate) end: Option<(u64, End)>,
}

/// How an attempt ended for its client.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// With an answer, or an error that says that nothing was done.
    Told(Result<Answer, CommandError>),
    /// In the dark: the node died, or said that it does not know, or the client hung up.
    Unknown,
}

/// Every attempt, by the correlation id that its effects carry.
pub(crate) type History = BTreeMap<String, Attempt>;

impl Attempt {
    /// Whether its client can't know what became of it.
    pub(crate) const fn is_unknown(&self) -> bool {
        matches!(self.end, None | Some((_, End::Unknown)))
    }
}
