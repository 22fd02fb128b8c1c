//! An event as a projector meets it, and the batches that it comes in.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use wallex_database::{Row, RowError};
use wallex_domain::{EventId, WalletEvent};
use wallex_outbox::Committed;
use wallex_ports::{Timestamp, Traceparent, WalletKey};

/// An event of the history, decodable or not.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its wallet.
    pub wallet: WalletKey,
    /// Its place in its wallet's history, from 1.
    pub version: u64,
    /// Its place in its shard.
    pub position: u64,
    /// Its identity.
    pub event_id: EventId,
    /// Its type, as stored.
    pub event_type: Cow<'static, str>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The trace of the request that caused it.
    pub traceparent: Option<Traceparent>,
    decoded: Result<WalletEvent, String>,
}

impl Event {
    /// What [`Self::of_row`] reads of the events `t`.
    pub(crate) const COLUMNS: &str = "t.position, t.tenant, t.wallet_id, t.version, \
         CAST(t.event_id AS text) AS event_id, t.type, \
         CAST(t.schema_version AS bigint) AS schema_version, CAST(t.payload AS text) AS payload, \
         t.recorded_at_ms";

    /// The event in a row with [`Self::COLUMNS`], as [`wallex_outbox::read_after`] has them too.
    pub(crate) fn of_row(row: &Row) -> Result<Self, RowError> {
        // Which row it is that can't be read is what whoever repairs it needs to know.
        Self::read(row).map_err(|error| {
            let [position, version] = ["position", "version"].map(|column| row.int(column).ok());
            let wallet = row.text("wallet_id").ok();
            let place = format!(
                "the event at position {position:?}, version {version:?} of wallet {wallet:?}, \
                 can't be read: {}",
                crate::projector::sentence(&error)
            );
            RowError::new("event", place)
        })
    }

    /// The same, with the trace of the request that caused it. One that can't be used is no reason to
    /// fail.
    pub(crate) fn of_traced_row(row: &Row) -> Result<Self, RowError> {
        let trace: Option<String> = row.parse_nullable("traceparent")?;
        let traceparent = trace.and_then(|text| Traceparent::parse(&text).ok());
        Ok(Self { traceparent, ..Self::of_row(row)? })
    }

    /// An event of this process, as it was committed.
    #[must_use]
    pub fn of_committed(committed: &Committed) -> Self {
        Self::read_as(committed, Ok(committed.event.clone()))
    }

    /// An event as a reader sees it: decoded, or why it can't be.
    #[must_use]
    pub fn read_as(committed: &Committed, decoded: Result<WalletEvent, String>) -> Self {
        Self {
            wallet: committed.wallet.clone(),
            version: committed.version,
            position: committed.position,
            event_id: committed.event_id,
            event_type: committed.event.event_type().into(),
            recorded_at: committed.recorded_at,
            traceparent: committed.traceparent.clone(),
            decoded,
        }
    }

    fn read(row: &Row) -> Result<Self, RowError> {
        let event_type = row.text("type")?;
        let payload: Option<String> = row.parse_nullable("payload")?;
        let schema_version = row.int("schema_version")?;
        let decoded = payload
            .ok_or_else(|| "the event is gone: only its outbox row is left".to_owned())
            .and_then(|payload| decode(&event_type, schema_version, &payload));
        Ok(Self {
            wallet: WalletKey { tenant: row.parse("tenant")?, wallet_id: row.parse("wallet_id")? },
            version: row.number("version")?,
            position: row.number("position")?,
            event_id: row.uuid("event_id")?.into(),
            recorded_at: Timestamp::from_unix_ms(row.int("recorded_at_ms")?),
            event_type: event_type.into(),
            traceparent: None,
            decoded,
        })
    }

    /// What happened.
    ///
    /// # Errors
    /// Why it can't be decoded.
    pub fn decoded(&self) -> Result<&WalletEvent, &str> {
        self.decoded.as_ref().map_err(String::as_str)
    }
}

fn decode(event_type: &str, schema_version: i64, payload: &str) -> Result<WalletEvent, String> {
    let known = u16::try_from(schema_version).unwrap_or(0);
    WalletEvent::decode(event_type, known, payload).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    })
}

/// The events that were left out of a projection by hand: versions by wallet.
#[derive(Debug, Clone, Default)]
pub struct Discarded(BTreeMap<WalletKey, BTreeSet<u64>>);

impl Discarded {
    /// Whether nothing was left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one event.
    pub(crate) fn insert(&mut self, wallet: WalletKey, version: u64) {
        self.0.entry(wallet).or_default().insert(version);
    }

    /// Those for which `keep` holds.
    pub(crate) fn only(&self, keep: impl Fn(&WalletKey, u64) -> bool) -> Self {
        let mut kept = Self::default();
        for (wallet, versions) in &self.0 {
            for version in versions.iter().filter(|version| keep(wallet, **version)) {
                kept.insert(wallet.clone(), *version);
            }
        }
        kept
    }

    /// Whether that event was left out.
    #[must_use]
    pub fn contains(&self, wallet: &WalletKey, version: u64) -> bool {
        self.0.get(wallet).is_some_and(|versions| versions.contains(&version))
    }
}

/// Events of one shard to be applied in one transaction, in the order of positions.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Their shard.
    pub shard: u16,
    /// The events, without those of parked wallets and those that were left out by hand.
    pub events: &'a [&'a Event],
    /// What was left out of this projection by hand.
    pub discarded: &'a Discarded,
    /// Whether nothing of it was applied before, as far as is known. A projector may build on that, and
    /// answer [`ApplyError::NotNew`](crate::ApplyError::NotNew), or let an insert be refused as taken,
    /// when it finds something else: the batch comes again without this.
    pub is_new: bool,
}

impl<'a> Batch<'a> {
    /// The events by wallet; those of one wallet in order.
    #[must_use]
    pub fn by_wallet(&self) -> BTreeMap<&'a WalletKey, Vec<&'a Event>> {
        let mut wallets: BTreeMap<&WalletKey, Vec<&Event>> = BTreeMap::new();
        for &event in self.events {
            wallets.entry(&event.wallet).or_default().push(event);
        }
        wallets
    }
}
