//! Several statements in one round trip, on PostgreSQL.
//!
//! `WITH a AS (INSERT …), b AS (UPDATE …) SELECT …` is one statement, and so one transaction by
//! itself: there is no BEGIN, no COMMIT, and one answer. The parts see the same snapshot, so none sees
//! what another writes, but for what it `RETURNING`s under its name. PostgreSQL runs a part when
//! another asks for what it returns: that, and not the order of the text, is the order of their locks.

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::columns::unnest;
use crate::{Backend, Column, Insert, KeyedUpdate};

/// The parts of one statement, and its parameters.
#[derive(Debug, Default)]
pub struct With {
    parts: Vec<String>,
    values: Vec<Value>,
}

impl With {
    /// The rows that `columns` make, `r` for a FROM clause.
    pub fn rows(&mut self, columns: Vec<Column>) -> String {
        let rows = unnest(&columns, self.values.len());
        self.values.extend(columns.into_iter().map(Column::into_array));
        rows
    }

    /// What `sql` selects or returns, under `name`.
    pub fn part(&mut self, name: &str, sql: impl AsRef<str>) {
        self.parts.push(format!("{name} AS ({})", sql.as_ref()));
    }

    /// A parameter that is a whole number.
    pub fn int(&mut self, value: i64) -> String {
        self.values.push(value.into());
        format!("${}::bigint", self.values.len())
    }

    /// `insert`, under `name`; `joined` stands behind its rows, `r`: `JOIN …`, `WHERE …`. `returned` are
    /// expressions over what was written.
    pub fn insert(&mut self, name: &str, insert: Insert, joined: &str, returned: &str) {
        let sql = insert.postgres_sql(self.values.len(), joined);
        self.values.extend(insert.into_columns().into_iter().map(Column::into_array));
        self.part(name, format!("{sql} RETURNING {returned}"));
    }

    /// `update`, under `name`, with one more condition; a row is returned for each that it changes.
    pub fn update(&mut self, name: &str, update: KeyedUpdate, condition: &str) {
        let sql = update.postgres_sql(self.values.len());
        self.values.extend(update.into_columns().map(Column::into_array));
        self.part(name, format!("{sql} AND {condition} RETURNING 1"));
    }

    /// Runs all of it; the rows of `select`.
    ///
    /// # Errors
    /// The database's, and nothing was written then.
    pub async fn query(
        self,
        conn: &impl ConnectionTrait,
        select: &str,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let sql = format!("WITH {} {select}", self.parts.join(", "));
        conn.query_all_raw(Backend::Postgres.statement(sql, self.values)).await
    }
}
