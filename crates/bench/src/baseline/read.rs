//! One wallet by its primary key: what `GET /wallets/{id}` shows.

use std::rc::Rc;

use uuid::Uuid;

use crate::effect::Effect;
use crate::load::{Failure, Worker};
use crate::postgres::PgConnection;
use crate::wallet::mix;

const SELECT: &str = "SELECT version, owner_id, currency, balance, created_at_ms, updated_at_ms \
    FROM wallet_streams WHERE shard = 0 AND tenant = 'default' AND wallet_id = $1";

/// A connection that reads random wallets of `population`.
pub(crate) struct ReadClient {
    connection: PgConnection,
    population: Rc<[Uuid]>,
    drawn: u64,
}

impl ReadClient {
    /// `number` is that of the connection: each draws in an order of its own.
    pub(crate) async fn connect(
        (port, user, database): (u16, &str, &str),
        population: &Rc<[Uuid]>,
        number: u32,
    ) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(port, user, database).await?;
        connection.prepare("read", SELECT).await?;
        let drawn = u64::from(number) << u32::BITS;
        Ok(Self { connection, population: Rc::clone(population), drawn })
    }
}

impl Worker for ReadClient {
    async fn once(&mut self) -> Result<Effect, Failure> {
        self.drawn += 1;
        let wallet = mix(self.drawn) % self.population.len() as u64;
        let wallet = self.population[usize::try_from(wallet).unwrap_or_default()];
        let mut text = Uuid::encode_buffer();
        let wallet: &str = wallet.hyphenated().encode_lower(&mut text);
        match self.connection.query("read", &[wallet]).await? {
            1 => Ok(Effect::READ),
            rows => Err(Failure::Refused(format!("{rows} rows of wallet {wallet}"))),
        }
    }
}
