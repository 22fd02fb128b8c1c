//! 256 wallets in one transaction, one connection: for each of the four tables one prepared
//! `INSERT … SELECT` from arrays.

use super::row::Row;
use super::{EVENT_COLUMNS, HASH, KEY_COLUMNS, OUTBOX_COLUMNS, STREAM_COLUMNS};
use crate::effect::Effect;
use crate::load::{Failure, Worker};
use crate::postgres::PgConnection;
use crate::wallet::{INITIAL_BALANCE, NewWallets};

/// As many as Wallex commits together at most.
pub(crate) const WALLETS: u64 = 256;
/// The columns of a create that differ.
const COLUMNS: usize = 11;

fn statements() -> [(&'static str, String); 6] {
    let select = |columns: &str, values: &str, arrays: &str, names: &str| {
        format!("INSERT INTO {columns} SELECT {values} FROM unnest({arrays}) AS t({names})")
    };
    [
        ("BEGIN", "BEGIN".to_owned()),
        (
            "stream",
            select(
                STREAM_COLUMNS,
                &format!("0, 'default', id, 1, owner, 'USD', 100, now_ms, now_ms, {HASH}"),
                "$1::text[], $2::text[], $3::bigint[]",
                "id, owner, now_ms",
            ),
        ),
        (
            "event",
            select(
                EVENT_COLUMNS,
                &format!(
                    "0, 'default', id, 1, position, event, 'WalletCreated', 1, payload, metadata, \
                     now_ms, {HASH}"
                ),
                "$1::text[], $2::bigint[], $3::uuid[], $4::jsonb[], $5::jsonb[], $6::bigint[]",
                "id, position, event, payload, metadata, now_ms",
            ),
        ),
        (
            "outbox",
            select(
                OUTBOX_COLUMNS,
                "0, position, 'default', id, 1, 'WalletCreated', event, metadata, now_ms",
                "$1::text[], $2::bigint[], $3::uuid[], $4::jsonb[], $5::bigint[]",
                "id, position, event, metadata, now_ms",
            ),
        ),
        (
            "key",
            select(
                KEY_COLUMNS,
                "0, 'default', 'POST /wallets', key, hash, 201, '\"1\"', location, response, \
                 now_ms, now_ms + 86400000",
                "$1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]",
                "key, hash, location, response, now_ms",
            ),
        ),
        ("COMMIT", "COMMIT".to_owned()),
    ]
}

/// The one connection. It counts positions by itself: nobody else writes into its tables.
pub(crate) struct ArraysClient {
    connection: PgConnection,
    wallets: NewWallets,
    row: Row,
    arrays: [String; COLUMNS],
    position: u64,
}

impl ArraysClient {
    pub(crate) async fn connect(
        (port, user, database): (u16, &str, &str),
        wallets: &NewWallets,
    ) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(port, user, database).await?;
        for (name, sql) in statements() {
            connection.prepare(name, &sql).await?;
        }
        let (arrays, row) = (Default::default(), Row::default());
        Ok(Self { connection, wallets: wallets.clone(), row, arrays, position: 0 })
    }

    fn fill(&mut self) {
        self.arrays.iter_mut().for_each(|array| {
            array.clear();
            array.push('{');
        });
        for _ in 0..WALLETS {
            self.row.write(&self.wallets.next());
            self.position += 1;
            let position = self.position.to_string();
            let row = &self.row;
            let values: [&str; COLUMNS] = [
                &row.id,
                &row.owner,
                &position,
                &row.event,
                &row.payload,
                &row.metadata,
                &row.key,
                &row.hash,
                &row.location,
                &row.response,
                &row.now_ms,
            ];
            for (array, value) in self.arrays.iter_mut().zip(values) {
                push(array, value);
            }
        }
        self.arrays.iter_mut().for_each(|array| array.push('}'));
    }
}

/// Adds an element to an array's text, in quotes.
fn push(array: &mut String, value: &str) {
    if array.len() > 1 {
        array.push(',');
    }
    array.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            array.push('\\');
        }
        array.push(character);
    }
    array.push('"');
}

impl Worker for ArraysClient {
    async fn once(&mut self) -> Result<Effect, Failure> {
        self.fill();
        let [id, owner, position, event, payload, metadata, key, hash, location, response, now_ms] =
            &self.arrays;
        let rows: [(&str, &[&str]); 6] = [
            ("BEGIN", &[]),
            ("stream", &[id, owner, now_ms]),
            ("event", &[id, position, event, payload, metadata, now_ms]),
            ("outbox", &[id, position, event, metadata, now_ms]),
            ("key", &[key, hash, location, response, now_ms]),
            ("COMMIT", &[]),
        ];
        for (name, values) in rows {
            self.connection.execute(name, values).await?;
        }
        Ok(Effect::creates(WALLETS, INITIAL_BALANCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stand_in_quotes_whatever_they_hold() {
        let mut array = "{".to_owned();
        push(&mut array, "a");
        push(&mut array, r#"{"b":"\"}"#);
        assert_eq!(array, r#"{"a","{\"b\":\"\\\"}""#);
    }
}
