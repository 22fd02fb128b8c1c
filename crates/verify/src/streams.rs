//! The write side's wallets: each must be as its first and its last event leave it, and know the last one's hash.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use wallex_database::{Backend, Row, RowError};
use wallex_domain::{EventHash, WalletEvent};
use wallex_ports::{Shards, WalletKey};

use crate::digest::WalletHeads;
use crate::findings::{Finding, Findings};
use crate::live::VerifyError;

/// How many wallets are read by one statement.
const PAGE_WALLETS: i64 = 2_000;
/// How many events that the write side does not know of are named.
const STRAYS_MAX: u32 = 20;

/// A wallet's row, with what its events say.
struct Stream {
    tenant: String,
    wallet_id: String,
    version: i64,
    last_hash: Option<EventHash>,
    /// Owner, currency, balance, and when it was created and changed.
    state: [String; 5],
    /// The hash of the event of that version.
    event_hash: Option<EventHash>,
    /// What its first and its last event say of it; `None` where they can't be decoded.
    events: Option<[String; 5]>,
}

impl Stream {
    fn of_row(row: &Row) -> Result<Self, RowError> {
        let number = |column| row.int(column).map(|number| number.to_string());
        Ok(Self {
            tenant: row.text("tenant")?,
            wallet_id: row.text("wallet_id")?,
            version: row.int("version")?,
            last_hash: row.hash("last_hash").ok(),
            state: [
                row.text("owner_id")?,
                row.text("currency")?,
                number("balance")?,
                number("created_at_ms")?,
                number("updated_at_ms")?,
            ],
            event_hash: row.hash("hash").ok(),
            events: state_of_events(row),
        })
    }

    /// What is wrong with it.
    fn wrong(&self, shards: Shards, shard: u16) -> Vec<String> {
        const NAMES: [&str; 5] = ["owner", "currency", "balance", "created_at_ms", "updated_at_ms"];
        let mut wrong = Vec::new();
        match (self.event_hash, self.last_hash) {
            (None, _) => wrong.push("the write side is at a version that has no event".to_owned()),
            (hash, last) if hash != last => {
                wrong.push("the write side knows another hash of its last event".to_owned());
            }
            _ => {}
        }
        for ((name, found), expected) in
            NAMES.iter().zip(&self.state).zip(self.events.iter().flatten())
        {
            if found != expected {
                wrong.push(format!(
                    "the write side has the {name} {found}, its events say {expected}"
                ));
            }
        }
        if home(shards, &self.tenant, &self.wallet_id) != Some(shard) {
            wrong.push("the wallet belongs into another shard".to_owned());
        }
        wrong
    }
}

/// What the first event `f` and the last one `e` say of a wallet.
fn state_of_events(row: &Row) -> Option<[String; 5]> {
    let event = |event_type, schema_version, payload| {
        let schema_version = u16::try_from(row.int(schema_version).ok()?).ok()?;
        WalletEvent::decode(&row.text(event_type).ok()?, schema_version, &row.text(payload).ok()?)
            .ok()
    };
    let WalletEvent::Created { owner_id, currency, initial_balance } =
        event("first_type", "first_schema_version", "first_payload")?
    else {
        return None;
    };
    let balance = match event("type", "schema_version", "payload")? {
        WalletEvent::Created { .. } => initial_balance,
        WalletEvent::Credited(movement) | WalletEvent::Debited(movement) => movement.balance_after,
    };
    let times = (row.int("first_recorded_at_ms").ok()?, row.int("recorded_at_ms").ok()?);
    Some([
        owner_id.to_string(),
        currency.to_string(),
        balance.minor_units().to_string(),
        times.0.to_string(),
        times.1.to_string(),
    ])
}

/// Compares the wallets of a shard, which has so many `events`, with their events.
pub(crate) async fn verify(
    conn: &impl ConnectionTrait,
    shards: Shards,
    shard: u16,
    events: u64,
    findings: &mut Findings,
) -> Result<WalletHeads, VerifyError> {
    let mut heads = WalletHeads::new();
    let (mut tenant, mut wallet_id) = (String::new(), String::new());
    let mut versions = 0_i128;
    loop {
        let rows = page(conn, shard, &tenant, &wallet_id).await?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|rows| rows < PAGE_WALLETS);
        for row in rows {
            let stream = Stream::of_row(&Row(row))?;
            versions += i128::from(stream.version);
            for what in stream.wrong(shards, shard) {
                findings.add(Finding {
                    shard: Some(shard),
                    tenant: Some(stream.tenant.clone()),
                    wallet_id: Some(stream.wallet_id.clone()),
                    version: Some(stream.version),
                    what,
                    ..Finding::default()
                });
            }
            if let Some(hash) = stream.event_hash {
                heads.add(&stream.tenant, &stream.wallet_id, stream.version, hash);
            }
            (tenant, wallet_id) = (stream.tenant, stream.wallet_id);
        }
        if is_last {
            break;
        }
    }
    // Each wallet has as many events as its version says, so that none is left over.
    if versions != i128::from(events) {
        let what = format!(
            "its wallets are at versions that add up to {versions}, and there are {events} events"
        );
        findings.of_shard(shard, what);
        strays(conn, shard, findings).await?;
    }
    Ok(heads)
}

async fn page(
    conn: &impl ConnectionTrait,
    shard: u16,
    tenant: &str,
    wallet_id: &str,
) -> Result<Vec<QueryResult>, VerifyError> {
    let of_wallet = |event: &str| {
        format!(
            "{event}.shard = s.shard AND {event}.tenant = s.tenant AND {event}.wallet_id = s.wallet_id"
        )
    };
    let sql = format!(
        "SELECT s.tenant, s.wallet_id, s.version, s.last_hash, s.owner_id, s.currency, s.balance, \
         s.created_at_ms, s.updated_at_ms, e.hash, e.type, \
         CAST(e.schema_version AS bigint) AS schema_version, CAST(e.payload AS text) AS payload, \
         e.recorded_at_ms, f.type AS first_type, \
         CAST(f.schema_version AS bigint) AS first_schema_version, \
         CAST(f.payload AS text) AS first_payload, f.recorded_at_ms AS first_recorded_at_ms \
         FROM wallet_streams s LEFT JOIN events e ON {} AND e.version = s.version \
         LEFT JOIN events f ON {} AND f.version = 1 \
         WHERE s.shard = $1 AND (s.tenant, s.wallet_id) > ($2, $3) \
         ORDER BY s.tenant, s.wallet_id LIMIT {PAGE_WALLETS}",
        of_wallet("e"),
        of_wallet("f"),
    );
    let values: [Value; 3] = [i64::from(shard).into(), tenant.into(), wallet_id.into()];
    Ok(conn.query_all_raw(Backend::of(conn).statement(sql, values)).await?)
}

fn home(shards: Shards, tenant: &str, wallet_id: &str) -> Option<u16> {
    let key = WalletKey { tenant: tenant.parse().ok()?, wallet_id: wallet_id.parse().ok()? };
    Some(shards.of_wallet(&key))
}

/// Names events that the write side does not know of.
async fn strays(
    conn: &impl ConnectionTrait,
    shard: u16,
    findings: &mut Findings,
) -> Result<(), VerifyError> {
    let sql = format!(
        "SELECT e.position, e.tenant, e.wallet_id, e.version FROM events e \
         LEFT JOIN wallet_streams s ON s.shard = e.shard AND s.tenant = e.tenant \
         AND s.wallet_id = e.wallet_id WHERE e.shard = $1 \
         AND (s.version IS NULL OR e.version > s.version) ORDER BY e.position LIMIT {STRAYS_MAX}"
    );
    let statement = Backend::of(conn).statement(sql, [i64::from(shard).into()]);
    for row in conn.query_all_raw(statement).await?.into_iter().map(Row) {
        findings.add(Finding {
            shard: Some(shard),
            position: Some(row.int("position")?),
            tenant: Some(row.text("tenant")?),
            wallet_id: Some(row.text("wallet_id")?),
            version: Some(row.int("version")?),
            what: "the write side does not know of the event".to_owned(),
        });
    }
    Ok(())
}

/// Looks for rows in shards that there are not.
pub(crate) async fn outside(
    conn: &impl ConnectionTrait,
    shards: u16,
    findings: &mut Findings,
) -> Result<(), VerifyError> {
    for table in ["events", "wallet_streams", "shard_heads"] {
        // Two ranges of an index; with OR it would be all of the table.
        let sql = format!(
            "SELECT (SELECT count(*) FROM {table} WHERE shard < 0) + \
             (SELECT count(*) FROM {table} WHERE shard >= $1) AS n"
        );
        let statement = Backend::of(conn).statement(sql, [i64::from(shards).into()]);
        let row = conn.query_one_raw(statement).await?;
        let rows = row.map(|row| Row(row).int("n")).transpose()?.unwrap_or(0);
        if rows > 0 {
            let what = format!("{table} has {rows} rows in shards that there are not");
            findings.add(Finding { what, ..Finding::default() });
        }
    }
    Ok(())
}
