//! Reading columns into domain types, with an error that names the column.

use sea_orm::QueryResult;
use thiserror::Error;
use uuid::Uuid;
use wallex_domain::EventHash;
use wallex_ports::{BoxError, ReadError};

/// A row that was read.
pub struct Row(pub QueryResult);

/// Why a column can't be understood.
#[derive(Debug, Error)]
#[error("column {column} can't be understood")]
pub struct RowError {
    column: &'static str,
    #[source]
    source: BoxError,
}

impl RowError {
    /// `source` went wrong in `column`.
    pub fn new(column: &'static str, source: impl Into<BoxError>) -> Self {
        Self { column, source: source.into() }
    }
}

impl From<RowError> for ReadError {
    fn from(error: RowError) -> Self {
        Self::Storage(error.into())
    }
}

impl Row {
    /// A text, parsed into `T`.
    ///
    /// # Errors
    /// When there is no such text, or it does not parse.
    pub fn parse<T>(&self, column: &'static str) -> Result<T, RowError>
    where
        T: std::str::FromStr<Err: Into<BoxError>>,
    {
        self.text(column)?.parse::<T>().map_err(|error| RowError::new(column, error))
    }

    /// A text.
    ///
    /// # Errors
    /// When there is no such text.
    pub fn text(&self, column: &'static str) -> Result<String, RowError> {
        self.0.try_get("", column).map_err(|error| RowError::new(column, error))
    }

    /// A text that may be NULL, parsed into `T`.
    ///
    /// # Errors
    /// When there is no such column, or its text does not parse.
    pub fn parse_nullable<T>(&self, column: &'static str) -> Result<Option<T>, RowError>
    where
        T: std::str::FromStr<Err: Into<BoxError>>,
    {
        let text: Option<String> =
            self.0.try_get("", column).map_err(|error| RowError::new(column, error))?;
        text.map(|text| text.parse::<T>()).transpose().map_err(|error| RowError::new(column, error))
    }

    /// A `bigint`.
    ///
    /// # Errors
    /// When there is no such number.
    pub fn int(&self, column: &'static str) -> Result<i64, RowError> {
        self.0.try_get("", column).map_err(|error| RowError::new(column, error))
    }

    /// A `bigint`, converted into `T`.
    ///
    /// # Errors
    /// When there is no such number, or it does not fit.
    pub fn number<T>(&self, column: &'static str) -> Result<T, RowError>
    where
        T: TryFrom<i64, Error: Into<BoxError>>,
    {
        T::try_from(self.int(column)?).map_err(|error| RowError::new(column, error))
    }

    /// The hash of an event.
    ///
    /// # Errors
    /// When there are not that many bytes.
    pub fn hash(&self, column: &'static str) -> Result<EventHash, RowError> {
        let bytes: Vec<u8> =
            self.0.try_get("", column).map_err(|error| RowError::new(column, error))?;
        EventHash::try_from(&bytes[..]).map_err(|error| RowError::new(column, error))
    }

    /// A UUID, selected as text.
    ///
    /// # Errors
    /// When there is none.
    pub fn uuid(&self, column: &'static str) -> Result<Uuid, RowError> {
        self.parse(column)
    }
}
