//! One transaction a wallet: `BEGIN`, four prepared `INSERT`s, `COMMIT`, each a round trip.

use super::row::Row;
use super::{EVENT_COLUMNS, HASH, KEY_COLUMNS, OUTBOX_COLUMNS, STREAM_COLUMNS};
use crate::load::{Client, Failure};
use crate::postgres::PgConnection;
use crate::wallet::NewWallet;

const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// What the statements are called once they are prepared, and what they say.
fn inserts() -> [(&'static str, String); 4] {
    [
        (
            "stream",
            format!(
                "INSERT INTO {STREAM_COLUMNS} VALUES (0, 'default', $1, 1, $2, 'USD', 100, $3, $3, \
                 {HASH})"
            ),
        ),
        (
            "event",
            format!(
                "INSERT INTO {EVENT_COLUMNS} VALUES (0, 'default', $1, 1, nextval('positions'), \
                 $2, 'WalletCreated', 1, $3, $4, $5, {HASH})"
            ),
        ),
        (
            "outbox",
            format!(
                "INSERT INTO {OUTBOX_COLUMNS} VALUES (0, currval('positions'), 'default', $1, 1, \
                 'WalletCreated', $2, $3, $4)"
            ),
        ),
        (
            "key",
            format!(
                "INSERT INTO {KEY_COLUMNS} VALUES (0, 'default', 'POST /wallets', $1, $2, 201, \
                 '\"1\"', $3, $4, $5::bigint, $5::bigint + 86400000)"
            ),
        ),
    ]
}

/// A connection, and the texts of the create that it is about.
pub(crate) struct PlainSqlClient {
    connection: PgConnection,
    row: Row,
}

impl PlainSqlClient {
    pub(crate) async fn connect(port: u16, user: &str, database: &str) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(port, user, database).await?;
        for (name, sql) in inserts() {
            connection.prepare(name, &sql).await?;
        }
        for sql in [BEGIN, COMMIT, ROLLBACK] {
            connection.prepare(sql, sql).await?;
        }
        Ok(Self { connection, row: Row::default() })
    }

    async fn transaction(&mut self) -> Result<(), Failure> {
        let Row { id, owner, event, payload, metadata, key, hash, location, response, now_ms } =
            &self.row;
        let rows: [(&str, &[&str]); 4] = [
            ("stream", &[id, owner, now_ms]),
            ("event", &[id, event, payload, metadata, now_ms]),
            ("outbox", &[id, event, metadata, now_ms]),
            ("key", &[key, hash, location, response, now_ms]),
        ];
        self.connection.execute(BEGIN, &[]).await?;
        for (name, values) in rows {
            self.connection.execute(name, values).await?;
        }
        self.connection.execute(COMMIT, &[]).await
    }
}

impl Client for PlainSqlClient {
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
        self.row.write(wallet);
        let done = self.transaction().await;
        if let Err(Failure::Refused(_)) = done {
            self.connection.execute(ROLLBACK, &[]).await?;
        }
        done
    }
}
