//! Many rows in one statement.
//!
//! On PostgreSQL one array a column travels, and `unnest` turns them into rows: one statement text
//! whatever the number of rows, so it is prepared once. On SQLite the rows are written out as
//! `VALUES`, in chunks whose lengths are powers of two, so that a handful of texts is prepared in
//! all. There `OR FAIL` spares a journal of what each statement changes: a statement that fails is followed
//! by a ROLLBACK in any case.

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::Backend;
use crate::columns::{Column, rows_of, sqlite_chunk, unnest};

/// `INSERT` of many rows.
#[derive(Debug, Clone)]
pub struct Insert {
    table: &'static str,
    columns: Vec<Column>,
    tail: String,
}

impl Insert {
    /// The rows that `columns` make, into `table`.
    #[must_use]
    pub fn into(table: &'static str, columns: Vec<Column>) -> Self {
        Self { table, columns, tail: String::new() }
    }

    /// What follows the rows: `ON CONFLICT …`, `RETURNING …`. The new row is `excluded` there.
    #[must_use]
    pub fn tail(mut self, tail: impl Into<String>) -> Self {
        self.tail = tail.into();
        self
    }

    /// Runs it; how many rows were written.
    ///
    /// # Errors
    /// The database's.
    pub async fn execute(self, conn: &impl ConnectionTrait) -> Result<u64, DbErr> {
        let mut written = 0;
        for (sql, values) in self.statements(Backend::of(conn)) {
            let statement = Backend::of(conn).statement(sql, values);
            written += conn.execute_raw(statement).await?.rows_affected();
        }
        Ok(written)
    }

    /// Runs it; the rows that its `RETURNING` gives.
    ///
    /// # Errors
    /// The database's.
    pub async fn query(self, conn: &impl ConnectionTrait) -> Result<Vec<QueryResult>, DbErr> {
        let mut returned = Vec::new();
        for (sql, values) in self.statements(Backend::of(conn)) {
            let statement = Backend::of(conn).statement(sql, values);
            returned.extend(conn.query_all_raw(statement).await?);
        }
        Ok(returned)
    }

    fn statements(self, backend: Backend) -> Vec<(String, Vec<Value>)> {
        let rows = rows_of(&self.columns);
        if rows == 0 {
            return Vec::new();
        }
        match backend {
            Backend::Postgres => {
                let sql = self.postgres_sql(0, "");
                vec![(sql, self.columns.into_iter().map(Column::into_array).collect())]
            }
            Backend::Sqlite => {
                let mut statements = Vec::new();
                let mut from = 0;
                while from < rows {
                    let to = from + sqlite_chunk(rows - from);
                    let values = (from..to)
                        .flat_map(|row| self.columns.iter().map(move |c| c.value(row)))
                        .collect();
                    statements.push((self.sqlite_sql(to - from), values));
                    from = to;
                }
                statements
            }
        }
    }

    fn names(&self) -> String {
        self.columns.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ")
    }

    /// Its text, with `taken` parameters before its own, and `joined` behind its rows.
    pub(crate) fn postgres_sql(&self, taken: usize, joined: &str) -> String {
        let selected: Vec<_> =
            self.columns.iter().map(|c| c.expression(&format!("r.{}", c.name()))).collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} {joined} {}",
            self.table,
            self.names(),
            selected.join(", "),
            unnest(&self.columns, taken),
            self.tail
        )
    }

    pub(crate) fn into_columns(self) -> Vec<Column> {
        self.columns
    }

    fn sqlite_sql(&self, rows: usize) -> String {
        let row: Vec<_> = self.columns.iter().map(|c| c.expression("?")).collect();
        let row = format!("({})", row.join(", "));
        let rows = vec![row; rows].join(", ");
        format!("INSERT OR FAIL INTO {} ({}) VALUES {rows} {}", self.table, self.names(), self.tail)
    }
}

/// `SELECT` of the rows with many keys.
#[derive(Debug, Clone)]
pub struct KeyedSelect {
    select: &'static str,
    table: &'static str,
    keys: Vec<Column>,
    condition: String,
    tail: &'static str,
}

impl KeyedSelect {
    /// The columns `select` of the rows of `table` whose key columns equal those of a row of `keys`.
    /// Names are qualified by `t`, and `r` is the row of keys. A key that is asked for twice gives its
    /// row twice.
    #[must_use]
    pub fn new(select: &'static str, table: &'static str, keys: Vec<Column>) -> Self {
        Self { select, table, keys, condition: String::new(), tail: "" }
    }

    /// One more condition on the rows.
    #[must_use]
    pub fn and(mut self, condition: impl Into<String>) -> Self {
        self.condition = condition.into();
        self
    }

    /// What follows on PostgreSQL alone: `ORDER BY … FOR UPDATE`. SQLite locks at `BEGIN`.
    #[must_use]
    pub fn postgres_tail(mut self, tail: &'static str) -> Self {
        self.tail = tail;
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// The database's.
    pub async fn query(self, conn: &impl ConnectionTrait) -> Result<Vec<QueryResult>, DbErr> {
        let rows = rows_of(&self.keys);
        if rows == 0 {
            return Ok(Vec::new());
        }
        let backend = Backend::of(conn);
        let and = if self.condition.is_empty() { "" } else { " AND " };
        if backend == Backend::Postgres {
            let sql = format!(
                "SELECT {} FROM {} JOIN {} AS t ON {}{and}{} {}",
                self.select,
                unnest(&self.keys, 0),
                self.table,
                joined(&self.keys),
                self.condition,
                self.tail
            );
            let values: Vec<_> = self.keys.into_iter().map(Column::into_array).collect();
            return conn.query_all_raw(backend.statement(sql, values)).await;
        }
        let mut found = Vec::new();
        for (rows, values) in value_lists(&self.keys, rows) {
            // CROSS JOIN holds SQLite to this order: the keys, and for each its rows.
            let sql = format!(
                "WITH r({}) AS (VALUES {rows}) SELECT {} FROM r CROSS JOIN {} AS t ON {}{and}{}",
                names(&self.keys, ""),
                self.select,
                self.table,
                joined(&self.keys),
                self.condition
            );
            found.extend(conn.query_all_raw(backend.statement(sql, values)).await?);
        }
        Ok(found)
    }
}

/// `DELETE` of the rows with many keys.
#[derive(Debug, Clone)]
pub struct KeyedDelete {
    table: &'static str,
    keys: Vec<Column>,
    condition: String,
}

impl KeyedDelete {
    /// The rows of `table` whose key columns equal those of a row of `keys`.
    #[must_use]
    pub fn new(table: &'static str, keys: Vec<Column>) -> Self {
        Self { table, keys, condition: String::new() }
    }

    /// One more condition on the rows, `t`.
    #[must_use]
    pub fn and(mut self, condition: impl Into<String>) -> Self {
        self.condition = format!(" AND {}", condition.into());
        self
    }

    /// Runs it; how many rows were deleted.
    ///
    /// # Errors
    /// The database's.
    pub async fn execute(self, conn: &impl ConnectionTrait) -> Result<u64, DbErr> {
        let rows = rows_of(&self.keys);
        if rows == 0 {
            return Ok(0);
        }
        let backend = Backend::of(conn);
        if backend == Backend::Postgres {
            let sql = format!(
                "DELETE FROM {} AS t USING {} WHERE {}{}",
                self.table,
                unnest(&self.keys, 0),
                joined(&self.keys),
                self.condition
            );
            let values: Vec<_> = self.keys.into_iter().map(Column::into_array).collect();
            return Ok(conn.execute_raw(backend.statement(sql, values)).await?.rows_affected());
        }
        let mut deleted = 0;
        for (rows, values) in value_lists(&self.keys, rows) {
            let names = names(&self.keys, "t.");
            let Self { table, condition, .. } = &self;
            let sql =
                format!("DELETE FROM {table} AS t WHERE ({names}) IN (VALUES {rows}){condition}");
            deleted += conn.execute_raw(backend.statement(sql, values)).await?.rows_affected();
        }
        Ok(deleted)
    }
}

/// `UPDATE` of the rows with many keys, each by values of its own.
#[derive(Debug, Clone)]
pub struct KeyedUpdate {
    table: &'static str,
    set: &'static str,
    keys: Vec<Column>,
    values: Vec<Column>,
    condition: &'static str,
}

impl KeyedUpdate {
    /// The rows of `table` whose key columns equal those of a row of `keys`. In `set` and `condition`
    /// the row that stands is `t`, and `r` holds its keys and its `values`.
    #[must_use]
    pub fn new(
        table: &'static str,
        set: &'static str,
        keys: Vec<Column>,
        values: Vec<Column>,
        condition: &'static str,
    ) -> Self {
        Self { table, set, keys, values, condition }
    }

    /// Runs it; how many rows were changed.
    ///
    /// # Errors
    /// The database's.
    pub async fn execute(self, conn: &impl ConnectionTrait) -> Result<u64, DbErr> {
        let rows = rows_of(&self.keys);
        if rows == 0 {
            return Ok(0);
        }
        let backend = Backend::of(conn);
        if backend == Backend::Postgres {
            let sql = self.postgres_sql(0);
            let values = self.into_columns().map(Column::into_array);
            return Ok(conn.execute_raw(backend.statement(sql, values)).await?.rows_affected());
        }
        let Self { table, set, condition, .. } = self;
        let joined = joined(&self.keys);
        let columns: Vec<Column> = self.keys.into_iter().chain(self.values).collect();
        let names = names(&columns, "");
        let mut changed = 0;
        for (rows, values) in value_lists(&columns, rows) {
            let sql = format!(
                "WITH r({names}) AS (VALUES {rows}) UPDATE OR FAIL {table} AS t SET {set} FROM r \
                 WHERE {joined} AND {condition}"
            );
            changed += conn.execute_raw(backend.statement(sql, values)).await?.rows_affected();
        }
        Ok(changed)
    }

    /// Its text, with `taken` parameters before its own.
    pub(crate) fn postgres_sql(&self, taken: usize) -> String {
        let columns: Vec<Column> = self.keys.iter().chain(&self.values).cloned().collect();
        format!(
            "UPDATE {} AS t SET {} FROM {} WHERE {} AND {}",
            self.table,
            self.set,
            unnest(&columns, taken),
            joined(&self.keys),
            self.condition
        )
    }

    pub(crate) fn into_columns(self) -> impl Iterator<Item = Column> {
        self.keys.into_iter().chain(self.values)
    }
}

/// `t.a = r.a AND …`.
fn joined(keys: &[Column]) -> String {
    let equal: Vec<_> = keys.iter().map(|k| format!("t.{0} = r.{0}", k.name())).collect();
    equal.join(" AND ")
}

/// `(?, …), …` with its values, for each chunk.
fn value_lists(keys: &[Column], rows: usize) -> Vec<(String, Vec<Value>)> {
    let row = format!("({})", vec!["?"; keys.len()].join(", "));
    let mut chunks = Vec::new();
    let mut from = 0;
    while from < rows {
        let to = from + sqlite_chunk(rows - from);
        let list = vec![row.as_str(); to - from].join(", ");
        let values = (from..to).flat_map(|row| keys.iter().map(move |k| k.value(row))).collect();
        chunks.push((list, values));
        from = to;
    }
    chunks
}

/// The names of `keys`, each behind `prefix`.
fn names(keys: &[Column], prefix: &str) -> String {
    let names: Vec<_> = keys.iter().map(|k| format!("{prefix}{}", k.name())).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert() -> Insert {
        let columns = vec![
            Column::int("a", [1, 2, 3]),
            Column::json("b", ["{}", "[]", "1"]),
            Column::int("c", [7, 8, 9]).computed("now() + {}"),
        ];
        Insert::into("t", columns).tail("ON CONFLICT DO NOTHING")
    }

    #[test]
    fn postgres_has_one_statement_for_any_number_of_rows() {
        let statements = insert().statements(Backend::Postgres);
        assert_eq!(statements.len(), 1);
        assert_eq!(
            statements[0].0,
            "INSERT INTO t (a, b, c) SELECT r.a, r.b, now() + r.c FROM \
             (SELECT unnest($1::bigint[]) AS a, unnest($2::text[]::jsonb[]) AS b, \
             unnest($3::bigint[]) AS c) AS r  ON CONFLICT DO NOTHING"
        );
    }

    #[test]
    fn sqlite_writes_rows_in_powers_of_two() {
        let statements = insert().statements(Backend::Sqlite);
        let texts: Vec<_> = statements.iter().map(|(sql, _)| sql.as_str()).collect();
        assert_eq!(
            texts,
            [
                "INSERT OR FAIL INTO t (a, b, c) VALUES (?, ?, now() + ?), (?, ?, now() + ?) \
                 ON CONFLICT DO NOTHING",
                "INSERT OR FAIL INTO t (a, b, c) VALUES (?, ?, now() + ?) ON CONFLICT DO NOTHING",
            ]
        );
        assert_eq!(statements[1].1, vec![3_i64.into(), "1".into(), 9_i64.into()]);
        let chunks: Vec<_> = [1, 2, 3, 255, 256, 5_000].map(sqlite_chunk).into();
        assert_eq!(chunks, [1, 2, 2, 128, 256, 1024]);
    }
}
