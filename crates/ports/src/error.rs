//! Errors that every port shares.

use thiserror::Error;

/// The error of an adapter, with its own sources behind it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The database is not known to be migrated. It stands behind [`ReadError::Unavailable`] and
/// [`CommitError::Unavailable`](crate::CommitError::Unavailable), for who wants to say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the database is not migrated")]
pub struct NotMigrated;

impl From<NotMigrated> for ReadError {
    fn from(error: NotMigrated) -> Self {
        Self::Unavailable(error.into())
    }
}

/// More readers wait for the database than may. It stands behind [`ReadError::Unavailable`], for who wants to
/// say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many readers are waiting")]
pub struct TooManyReaders;

/// Why something could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The database does not answer, is not migrated yet, or has too many readers: try again later.
    #[error("the database is not available")]
    Unavailable(#[source] BoxError),
    /// What is stored can't be understood, or the query itself is wrong: trying again won't help.
    #[error("what is stored could not be read")]
    Storage(#[source] BoxError),
}
