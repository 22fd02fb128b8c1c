//! Many values of one column, as they travel: arrays on PostgreSQL, `VALUES` on SQLite.

use std::fmt::Write as _;

use sea_orm::Value;
use sea_orm::sea_query::ArrayType;

/// SQLite's limit on parameters in one statement is 32,766; the widest row, a line of the ledger, has 15.
const SQLITE_CHUNK_ROWS_MAX: usize = 1024;

/// One column of many rows.
#[derive(Debug, Clone)]
pub struct Column {
    name: &'static str,
    values: Values,
    /// The expression written, `{}` standing for the value; empty for the value itself.
    expression: String,
}

#[derive(Debug, Clone)]
enum Values {
    Int(Vec<i64>),
    Text(Vec<String>),
    Uuid(Vec<String>),
    Json(Vec<String>),
    Bytes(Vec<Vec<u8>>),
}

impl Column {
    /// Whole numbers.
    pub fn int(name: &'static str, values: impl IntoIterator<Item = i64>) -> Self {
        Self::of(name, Values::Int(values.into_iter().collect()))
    }

    /// Texts.
    pub fn text(name: &'static str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::of(name, Values::Text(values.into_iter().map(Into::into).collect()))
    }

    /// UUIDs: `uuid` on PostgreSQL, text on SQLite.
    pub fn uuid(name: &'static str, values: impl IntoIterator<Item = uuid::Uuid>) -> Self {
        Self::of(name, Values::Uuid(values.into_iter().map(|id| id.to_string()).collect()))
    }

    /// JSON documents as text: `jsonb` on PostgreSQL, text on SQLite. They travel as text, which
    /// is three times as fast as a parsed tree.
    pub fn json(name: &'static str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::of(name, Values::Json(values.into_iter().map(Into::into).collect()))
    }

    /// Bytes: `bytea` on PostgreSQL, `BLOB` on SQLite.
    pub fn bytes(name: &'static str, values: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::of(name, Values::Bytes(values.into_iter().collect()))
    }

    /// Writes `expression` instead of the value itself, which stands in it as `{}`.
    #[must_use]
    pub fn computed(mut self, expression: impl Into<String>) -> Self {
        self.expression = expression.into();
        self
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    fn of(name: &'static str, values: Values) -> Self {
        Self { name, values, expression: String::new() }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Int(values) => values.len(),
            Values::Text(values) | Values::Uuid(values) | Values::Json(values) => values.len(),
            Values::Bytes(values) => values.len(),
        }
    }

    pub(crate) fn expression(&self, value: &str) -> String {
        if self.expression.is_empty() {
            value.to_owned()
        } else {
            self.expression.replace("{}", value)
        }
    }

    fn array_cast(&self) -> &'static str {
        match self.values {
            Values::Int(_) => "::bigint[]",
            Values::Text(_) => "::text[]",
            Values::Uuid(_) => "::text[]::uuid[]",
            Values::Json(_) => "::text[]::jsonb[]",
            Values::Bytes(_) => "::bytea[]",
        }
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        match &self.values {
            Values::Int(values) => values[row].into(),
            Values::Text(values) | Values::Uuid(values) | Values::Json(values) => {
                values[row].clone().into()
            }
            Values::Bytes(values) => values[row].clone().into(),
        }
    }

    pub(crate) fn into_array(self) -> Value {
        let (kind, values): (_, Vec<Value>) = match self.values {
            Values::Int(values) => {
                (ArrayType::BigInt, values.into_iter().map(Into::into).collect())
            }
            Values::Text(values) | Values::Uuid(values) | Values::Json(values) => {
                (ArrayType::String, values.into_iter().map(Into::into).collect())
            }
            Values::Bytes(values) => {
                (ArrayType::Bytes, values.into_iter().map(Into::into).collect())
            }
        };
        Value::Array(kind, Some(Box::new(values)))
    }
}

/// How many rows `columns` make.
pub(crate) fn rows_of(columns: &[Column]) -> usize {
    let rows = columns.first().map_or(0, Column::len);
    assert!(columns.iter().all(|c| c.len() == rows), "invariant: every column has as many values");
    rows
}

/// `(SELECT unnest($1::bigint[]) AS a, …) AS r`, the first parameter behind `taken` others. Arrays in
/// the select list are walked in step; in FROM, PostgreSQL would first copy each of them into a table of
/// its own.
pub(crate) fn unnest(columns: &[Column], taken: usize) -> String {
    let mut sql = String::from("(SELECT ");
    for (i, column) in columns.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let (parameter, cast) = (taken + i + 1, column.array_cast());
        let _ = write!(sql, "{comma}unnest(${parameter}{cast}) AS {}", column.name);
    }
    sql.push_str(") AS r");
    sql
}

/// The largest power of two that is at most `rows` and at most the limit.
pub(crate) fn sqlite_chunk(rows: usize) -> usize {
    let rows = rows.min(SQLITE_CHUNK_ROWS_MAX);
    1 << (usize::BITS - 1 - rows.leading_zeros())
}
