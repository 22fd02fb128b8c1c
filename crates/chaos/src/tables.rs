//! What the tables hold, read behind the server's back: as few words as the checker needs.

use anyhow::{Context, Result, ensure};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, QueryResult, Statement,
};
use serde_json::Value;
use wallex_testkit::TempDatabase;

use crate::model::State;

/// A fact of a wallet's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) place: Place,
    pub(crate) amount: i64,
    pub(crate) balance_after: i64,
    pub(crate) currency: String,
    /// Who asked for it: see [`crate::command::Command::mark`].
    pub(crate) mark: String,
    pub(crate) transfer: Option<Leg>,
}

/// What an event, its outbox row and its line of the ledger agree on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) position: i64,
    pub(crate) wallet: String,
    pub(crate) version: i64,
    pub(crate) event_id: String,
    pub(crate) kind: String,
}

/// Which transfer an event belongs to, and who is on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Leg {
    pub(crate) transfer: String,
    pub(crate) counterparty: String,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its kind is the ledger's: `opening`, `credit`, …
    pub(crate) place: Place,
    pub(crate) amount: i64,
    pub(crate) balance_after: i64,
    pub(crate) currency: String,
    pub(crate) transfer: Option<Leg>,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) status: i64,
    pub(crate) etag: String,
    pub(crate) location: String,
    pub(crate) response: String,
}

/// Everything, as of one quiet moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    /// By position.
    pub(crate) events: Vec<Event>,
    /// What does not even look like an event.
    pub(crate) unreadable: Vec<String>,
    pub(crate) head: i64,
    pub(crate) outbox: Vec<Place>,
    pub(crate) streams: Vec<(String, State)>,
    pub(crate) records: Vec<Record>,
    pub(crate) read_model: Vec<(String, State)>,
    pub(crate) ledger: Vec<Line>,
    /// Wallets that a projector has parked.
    pub(crate) parked: i64,
    /// Events that a projector has still to apply.
    pub(crate) lag: i64,
}

const PLACE: &str = "position, wallet_id, version, CAST(event_id AS text) AS event_id, type";
const STATE: &str = "wallet_id, owner_id, currency, balance, version";

/// A connection of our own to the database of a run.
#[derive(Debug)]
pub(crate) struct Look(DatabaseConnection);

impl Look {
    pub(crate) async fn at(database: &TempDatabase) -> Result<Self> {
        let mut options = ConnectOptions::new(database.url());
        options.max_connections(1).sqlx_logging(false);
        let opened = Database::connect(options).await;
        Ok(Self(opened.with_context(|| format!("{} can't be opened", database.url()))?))
    }

    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<QueryResult>> {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        self.0.query_all_raw(statement).await.with_context(|| sql.to_owned())
    }

    /// The whole number that `sql` selects under the name `n`.
    pub(crate) async fn number(&self, sql: &str) -> Result<i64> {
        let rows = self.rows(sql).await?;
        ensure!(rows.len() == 1, "{} rows, not one: {sql}", rows.len());
        int(&rows[0], "n")
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<()> {
        self.0.execute_unprepared(sql).await.with_context(|| sql.to_owned())?;
        Ok(())
    }

    /// How many events the slowest projector has still to apply, over all shards and projectors.
    pub(crate) async fn lag(&self) -> Result<i64> {
        let lag = "SELECT CAST(coalesce(sum(h.position - c.position), 0) AS bigint) AS n \
                   FROM projector_checkpoints c JOIN shard_heads h ON h.shard = c.shard";
        self.number(lag).await
    }

    /// Everything that the tables hold.
    pub(crate) async fn tables(&self) -> Result<Tables> {
        let mut tables = Tables {
            head: self.number("SELECT CAST(sum(position) AS bigint) AS n FROM shard_heads").await?,
            outbox: self.all(&format!("SELECT {PLACE} FROM outbox"), Place::of).await?,
            streams: self.all(&format!("SELECT {STATE} FROM wallet_streams"), state).await?,
            read_model: self.all(&format!("SELECT {STATE} FROM wallets"), state).await?,
            parked: self.number("SELECT count(*) AS n FROM dead_letters").await?,
            lag: self.lag().await?,
            ..Tables::default()
        };
        let sql = "SELECT key, CAST(http_status AS bigint) AS http_status, etag, location, \
                   response FROM idempotency_keys";
        tables.records = self.all(sql, Record::of).await?;
        let sql = format!(
            "SELECT {PLACE}, amount, balance_after, currency, transfer_id, counterparty \
             FROM ledger_entries"
        );
        tables.ledger = self.all(&sql, Line::of).await?;
        let sql = format!(
            "SELECT {PLACE}, CAST(payload AS text) AS payload FROM events ORDER BY shard, position"
        );
        for row in self.rows(&sql).await? {
            let place = Place::of(&row)?;
            match Event::of(place.clone(), &text(&row, "payload")?) {
                Some(event) => tables.events.push(event),
                None => tables.unreadable.push(format!("{place:?}")),
            }
        }
        Ok(tables)
    }

    async fn all<T>(&self, sql: &str, of: fn(&QueryResult) -> Result<T>) -> Result<Vec<T>> {
        self.rows(sql).await?.iter().map(of).collect()
    }
}

impl Place {
    fn of(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            position: int(row, "position")?,
            wallet: text(row, "wallet_id")?,
            version: int(row, "version")?,
            event_id: text(row, "event_id")?,
            kind: text(row, "type")?,
        })
    }
}

impl Event {
    fn of(place: Place, payload: &str) -> Option<Self> {
        let payload: Value = serde_json::from_str(payload).ok()?;
        let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
        let currency = text("currency");
        if place.kind == "WalletCreated" {
            let balance = payload["initialBalance"].as_i64()?;
            let (amount, balance_after, mark) = (balance, balance, text("ownerId"));
            return Some(Self { place, amount, balance_after, currency, mark, transfer: None });
        }
        let leg = &payload["transfer"];
        let transfer = leg["transferId"].as_str().map(|transfer| Leg {
            transfer: transfer.to_owned(),
            counterparty: leg["counterpartyWalletId"].as_str().unwrap_or_default().to_owned(),
        });
        let (amount, balance_after) = (payload["amount"].as_i64()?, payload["balance"].as_i64()?);
        let mark = text("reference");
        Some(Self { place, amount, balance_after, currency, mark, transfer })
    }

    /// What it adds to its wallet; nothing for a type that is not known.
    pub(crate) fn sum(&self) -> i64 {
        match &*self.place.kind {
            "WalletCreated" | "WalletCredited" => self.amount,
            "WalletDebited" => -self.amount,
            _ => 0,
        }
    }
}

impl Line {
    fn of(row: &QueryResult) -> Result<Self> {
        let optional = |column| row.try_get::<Option<String>>("", column);
        let transfer = optional("transfer_id")?.zip(optional("counterparty")?);
        Ok(Self {
            place: Place::of(row)?,
            amount: int(row, "amount")?,
            balance_after: int(row, "balance_after")?,
            currency: text(row, "currency")?,
            transfer: transfer.map(|(transfer, counterparty)| Leg { transfer, counterparty }),
        })
    }
}

impl Record {
    fn of(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            key: text(row, "key")?,
            status: int(row, "http_status")?,
            etag: text(row, "etag")?,
            location: text(row, "location")?,
            response: text(row, "response")?,
        })
    }
}

fn state(row: &QueryResult) -> Result<(String, State)> {
    let version = u64::try_from(int(row, "version")?).context("a version below zero")?;
    let (owner, currency) = (text(row, "owner_id")?, text(row, "currency")?);
    let balance = int(row, "balance")?;
    Ok((text(row, "wallet_id")?, State { owner, currency, balance, version }))
}

pub(crate) fn int(row: &QueryResult, column: &str) -> Result<i64> {
    row.try_get("", column).with_context(|| column.to_owned())
}

pub(crate) fn text(row: &QueryResult, column: &str) -> Result<String> {
    row.try_get("", column).with_context(|| column.to_owned())
}
