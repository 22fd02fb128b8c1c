//! One call of a stored function a wallet: it inserts the four rows, and the call commits by itself.

use super::row::Row;
use crate::load::{Client, Failure};
use crate::postgres::PgConnection;
use crate::wallet::NewWallet;

/// To be executed once, beside the tables that the server makes.
pub(crate) const CREATE_FUNCTION: &str = r#"
CREATE FUNCTION create_wallet(
    new_id text, owner text, event uuid, payload jsonb, metadata jsonb, key text, hash text,
    location text, response text, now_ms bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    next_position bigint := nextval('positions');
BEGIN
    INSERT INTO wallet_streams VALUES
        (0, 'default', new_id, 1, owner, 'USD', 100, now_ms, now_ms,
         decode(repeat('5a', 32), 'hex'));
    INSERT INTO events VALUES
        (0, 'default', new_id, 1, next_position, event, 'WalletCreated', 1, payload, metadata, now_ms,
         decode(repeat('5a', 32), 'hex'));
    INSERT INTO outbox VALUES
        (0, next_position, 'default', new_id, 1, 'WalletCreated', event, metadata, now_ms);
    INSERT INTO idempotency_keys VALUES
        (0, 'default', 'POST /wallets', key, hash, 201, '"1"', location, response, now_ms,
         now_ms + 86400000);
END
$$
"#;

const CALL: &str = "SELECT create_wallet($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// A connection, and the texts of the create that it is about.
pub(crate) struct FunctionClient {
    connection: PgConnection,
    row: Row,
}

impl FunctionClient {
    pub(crate) async fn connect(port: u16, user: &str, database: &str) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(port, user, database).await?;
        connection.prepare("call", CALL).await?;
        Ok(Self { connection, row: Row::default() })
    }
}

impl Client for FunctionClient {
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
        self.row.write(wallet);
        let Row { id, owner, event, payload, metadata, key, hash, location, response, now_ms } =
            &self.row;
        let values: [&str; 10] =
            [id, owner, event, payload, metadata, key, hash, location, response, now_ms];
        self.connection.execute("call", &values).await
    }
}
