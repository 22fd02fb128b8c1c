//! What Wallex is compared with: the rows of a create, written by plain SQL, one transaction a
//! wallet.
//!
//! Six round trips: `BEGIN`, four prepared `INSERT`s, `COMMIT`. The position comes from a sequence,
//! the cheapest there is (a reader of such positions can miss events; Wallex's are gapless). No key
//! is looked up, no state checked, no answer made: what a service in front of these statements
//! would do comes on top.

use std::fmt::Write as _;

use time::OffsetDateTime;

use crate::load::{Client, Failure};
use crate::postgres::PgConnection;
use crate::wallet::NewWallet;

/// To be executed once, beside the tables that the server makes.
pub(crate) const SEQUENCE: &str = "CREATE SEQUENCE positions";

const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const INSERT_STREAM: &str = "INSERT INTO wallet_streams (shard, tenant, wallet_id, version, \
    owner_id, currency, balance, created_at_ms, updated_at_ms) \
    VALUES (0, 'default', $1, 1, $2, 'USD', 100, $3, $3)";
const INSERT_EVENT: &str = "INSERT INTO events (shard, tenant, wallet_id, version, position, \
    event_id, type, schema_version, payload, metadata, recorded_at_ms) \
    VALUES (0, 'default', $1, 1, nextval('positions'), $2, 'WalletCreated', 1, $3, $4, $5)";
const INSERT_OUTBOX: &str = "INSERT INTO outbox (shard, position, tenant, wallet_id, version, \
    type, event_id, metadata, created_at_ms) \
    VALUES (0, currval('positions'), 'default', $1, 1, 'WalletCreated', $2, $3, $4)";
const INSERT_KEY: &str = "INSERT INTO idempotency_keys (shard, tenant, route, key, request_hash, \
    http_status, etag, location, response, created_at_ms, expires_at_ms) \
    VALUES (0, 'default', 'POST /wallets', $1, $2, 201, '\"1\"', $3, $4, $5::bigint, \
    $5::bigint + 86400000)";
const STATEMENTS: [&str; 7] =
    [BEGIN, INSERT_STREAM, INSERT_EVENT, INSERT_OUTBOX, INSERT_KEY, COMMIT, ROLLBACK];

/// A connection, and the texts of the create that it is about, built anew in the same memory.
pub(crate) struct PlainSqlClient {
    connection: PgConnection,
    texts: Texts,
}

#[derive(Default)]
struct Texts {
    id: String,
    owner: String,
    event: String,
    payload: String,
    metadata: String,
    key: String,
    hash: String,
    location: String,
    response: String,
    now_ms: String,
}

impl PlainSqlClient {
    pub(crate) async fn connect(port: u16, user: &str, database: &str) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(port, user, database).await?;
        for sql in STATEMENTS {
            connection.prepare(name_of(sql), sql).await?;
        }
        Ok(Self { connection, texts: Texts::default() })
    }

    async fn transaction(&mut self) -> Result<(), Failure> {
        let Texts { id, owner, event, payload, metadata, key, hash, location, response, now_ms } =
            &self.texts;
        let rows: [(&str, &[&str]); 4] = [
            (INSERT_STREAM, &[id, owner, now_ms]),
            (INSERT_EVENT, &[id, event, payload, metadata, now_ms]),
            (INSERT_OUTBOX, &[id, event, metadata, now_ms]),
            (INSERT_KEY, &[key, hash, location, response, now_ms]),
        ];
        self.connection.execute(name_of(BEGIN), &[]).await?;
        for (sql, values) in rows {
            self.connection.execute(name_of(sql), values).await?;
        }
        self.connection.execute(name_of(COMMIT), &[]).await
    }
}

impl Client for PlainSqlClient {
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
        self.texts.write(wallet);
        let done = self.transaction().await;
        if let Err(Failure::Refused(_)) = done {
            self.connection.execute(name_of(ROLLBACK), &[]).await?;
        }
        done
    }
}

/// What a statement is called once it is prepared.
fn name_of(sql: &str) -> &str {
    sql.split(" (").next().unwrap_or(sql)
}

impl Texts {
    /// As many bytes in each column as the server writes for the same request.
    fn write(&mut self, wallet: &NewWallet) {
        let NewWallet { id, key, other } = wallet;
        let now_ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        set(&mut self.id, format_args!("{id}"));
        set(&mut self.owner, format_args!("owner-of-{id}"));
        set(&mut self.event, format_args!("{other}"));
        set(
            &mut self.payload,
            format_args!(r#"{{"ownerId":"owner-of-{id}","currency":"USD","initialBalance":100}}"#),
        );
        set(
            &mut self.metadata,
            format_args!(r#"{{"correlationId":"{other}","causationId":"{other}"}}"#),
        );
        set(&mut self.key, format_args!("{key}"));
        set(&mut self.hash, format_args!("{}{}", id.simple(), key.simple()));
        set(&mut self.location, format_args!("/wallets/{id}"));
        set(
            &mut self.response,
            format_args!(
                r#"{{"id":"{id}","ownerId":"owner-of-{id}","currency":"USD","balance":100,"version":1,"createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z"}}"#
            ),
        );
        set(&mut self.now_ms, format_args!("{now_ms}"));
    }
}

fn set(text: &mut String, to: std::fmt::Arguments<'_>) {
    text.clear();
    text.write_fmt(to).expect("invariant: a String takes every character");
}
