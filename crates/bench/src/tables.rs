//! A look into the tables, to hold what was acknowledged against what was written.

use anyhow::{Context, Result, ensure};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use wallex_database::Insert;

use crate::Kind;
use crate::effect::Effect;

/// What a create writes one row into.
pub(crate) const TABLES: [&str; 4] = ["events", "outbox", "wallet_streams", "idempotency_keys"];
/// How far the baseline's rows may be from the server's in size: more, and it is no comparison.
const ROW_BYTES_DIFFERENCE_MAX: f64 = 0.05;

pub(crate) struct Tables {
    connection: DatabaseConnection,
}

impl Tables {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.context("the database can't be read")?;
        Ok(Self { connection })
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<()> {
        let executed = self.connection.execute_unprepared(sql).await;
        executed.map(drop).with_context(|| sql.to_owned())
    }

    /// Many rows.
    pub(crate) async fn insert(&self, rows: Insert) -> Result<()> {
        rows.execute(&self.connection).await.map(drop).context("rows can't be inserted")
    }

    /// The text that `sql` selects.
    pub(crate) async fn text(&self, sql: &str) -> Result<String> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let row = self.connection.query_one_raw(statement).await.with_context(|| sql.to_owned())?;
        row.with_context(|| format!("no row: {sql}"))?.try_get_by_index(0).context("no text")
    }

    /// The texts that `sql` selects, one a row.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let rows =
            self.connection.query_all_raw(statement).await.with_context(|| sql.to_owned())?;
        rows.iter().map(|row| row.try_get_by_index(0).context("no text")).collect()
    }

    /// The whole number that `sql` selects.
    pub(crate) async fn number(&self, sql: &str) -> Result<u64> {
        let text = self.text(&format!("SELECT CAST(({sql}) AS text)")).await?;
        text.parse().with_context(|| format!("{text:?} is no number: {sql}"))
    }

    /// Has the database write what it put off, so that what is measured next does not pay for it.
    pub(crate) async fn settle(&self, kind: Kind) -> Result<()> {
        self.execute(match kind {
            Kind::Postgres => "CHECKPOINT",
            Kind::Sqlite => "PRAGMA wal_checkpoint(TRUNCATE)",
        })
        .await
    }

    /// Leaves nothing in the tables that projectors keep.
    pub(crate) async fn empty_projections(&self, kind: Kind) -> Result<()> {
        self.execute(match kind {
            Kind::Postgres => "TRUNCATE wallets, ledger_entries",
            Kind::Sqlite => "DELETE FROM wallets; DELETE FROM ledger_entries",
        })
        .await
    }

    /// Fails unless the tables hold what the acknowledged commands have to have left, and nothing
    /// else.
    pub(crate) async fn check(&self, expected: Effect) -> Result<()> {
        let rows = [
            ("events", expected.events),
            ("outbox", expected.events),
            ("wallet_streams", expected.wallets),
            ("idempotency_keys", expected.keys),
        ];
        for (table, expected) in rows {
            let found = self.number(&format!("SELECT count(*) FROM {table}")).await?;
            ensure!(
                found == expected,
                "{table} has {found} rows, after acknowledged commands that make {expected}"
            );
        }
        let money = "SELECT CAST(coalesce(sum(balance), 0) AS text) FROM wallet_streams";
        let money = self.text(money).await?;
        ensure!(
            money == expected.money.to_string(),
            "the wallets hold {money}, after acknowledged commands that make {}",
            expected.money
        );
        Ok(())
    }

    /// Bytes of the rows of a create; PostgreSQL only.
    async fn row_bytes(&self) -> Result<f64> {
        let sizes = TABLES.map(|table| format!("(SELECT avg(pg_column_size(t)) FROM {table} t)"));
        let sql = format!("SELECT CAST({} AS text)", sizes.join(" + "));
        self.text(&sql).await?.parse().context("a size")
    }

    /// Fails unless both write rows of about the same size.
    pub(crate) async fn compare_row_bytes(&self, baseline: &Self) -> Result<()> {
        let (ours, theirs) = (self.row_bytes().await?, baseline.row_bytes().await?);
        ensure!(
            (ours / theirs - 1.0).abs() <= ROW_BYTES_DIFFERENCE_MAX,
            "a create writes rows of {ours:.0} bytes and the baseline rows of {theirs:.0}: it \
             must write the same rows"
        );
        Ok(())
    }

    pub(crate) async fn close(self) -> Result<()> {
        self.connection.close().await.context("the connection can't be closed")
    }
}
