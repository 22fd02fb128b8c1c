//! Errors that every port shares.

use thiserror::Error;

/// The error of an adapter, with its own sources behind it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why something could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The database does not answer, or is not migrated yet: try again later.
    #[error("the database is not available")]
    Unavailable(#[source] BoxError),
    /// What is stored can't be understood, or the query itself is wrong: trying again won't help.
    #[error("what is stored could not be read")]
    Storage(#[source] BoxError),
}
