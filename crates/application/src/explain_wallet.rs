//! Explaining one wallet's balance: which events it is made of, and how far each projection has come
//! with it.
//!
//! Costs one read of the wallet, one of its events a thousand, and five of the projections. What is
//! explained is the balance at one version: events never change, so those up to it are the same
//! whenever they are read, and no snapshot is needed.

use std::collections::BTreeMap;

use wallex_domain::Currency;
use wallex_ports::{
    DeadLetterError, DeadLetters, EntryType, Events, Place, Projected, ProjectorStatus, Projectors,
    ReadError, ReadModels, RecordedEvent, ShardPosition, WalletKey, WalletState, Wallets,
};

/// Events that are read at a time.
const PAGE_EVENTS: u32 = 1_000;
/// Who is asked.
#[derive(Clone, Copy)]
pub struct ExplainPorts<'p> {
    /// The write side.
    pub wallets: &'p dyn Wallets,
    /// The histories.
    pub events: &'p dyn Events,
    /// The projections.
    pub read_models: &'p dyn ReadModels,
    /// Those who make them.
    pub projectors: &'p dyn Projectors,
    /// What those could not apply.
    pub dead_letters: &'p dyn DeadLetters,
}

/// Events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalancePart {
    /// What they did.
    pub entry_type: EntryType,
    /// How many there are.
    pub count: u64,
    /// What they moved together, in minor units: below zero when it went out. A life's sum may be
    /// more than any balance.
    pub sum: i128,
}

/// How far one projection has come with a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionOfWallet {
    /// The version of the wallet that it has; 0 when it has nothing of it.
    pub version: u64,
    /// What its projector does in the wallet's shard.
    pub status: ProjectorStatus,
    /// The version of the event that it could not apply, and waits at.
    pub parked_version: Option<u64>,
}

/// What a wallet's balance is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletExplanation {
    /// The wallet, at the version that is explained.
    pub state: WalletState,
    /// Its events up to that version by what they did, in the order of [`EntryType::ALL`].
    pub parts: Vec<BalancePart>,
    /// The version of the first event that can't be read, or is of another currency; it and those behind
    /// it are in no part.
    pub unreadable_version: Option<u64>,
    /// The projections, by the names of their projectors.
    pub projections: Vec<ProjectionOfWallet>,
}

impl WalletExplanation {
    /// Whether the parts are of every event, and make the balance. They are and do unless somebody else
    /// than Wallex has written to the database.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let (wallet, parts) = (&self.state.wallet, &self.parts);
        let sum: i128 = parts.iter().map(|part| part.sum).sum();
        let count: u64 = parts.iter().map(|part| part.count).sum();
        sum == i128::from(wallet.balance().minor_units()) && count == wallet.version()
    }
}

/// Why a balance is not explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The wallet has more events than are read for one answer.
    #[error("the wallet has {events} events, more than {events_max}")]
    TooLong {
        /// How many it has.
        events: u64,
        /// How many are read.
        events_max: u64,
    },
    /// The database.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Explains the balance of `key`, which is made of at most `events_max` events; `None` when there is
/// no such wallet.
///
/// # Errors
/// [`ExplainError`].
pub async fn explain_wallet(
    ports: ExplainPorts<'_>,
    key: &WalletKey,
    events_max: u64,
) -> Result<Option<WalletExplanation>, ExplainError> {
    // The projections first: none is ahead of what is read after it.
    let projections = projections(ports, key).await?;
    let found = ports.wallets.load(std::slice::from_ref(key)).await?.pop().flatten();
    let Some(state) = found.map(|stream| stream.state) else { return Ok(None) };
    let events = state.wallet.version();
    if events > events_max {
        return Err(ExplainError::TooLong { events, events_max });
    }
    let upto = (events, state.wallet.currency());
    let (parts, unreadable_version) = parts(ports.events, key, upto).await?;
    Ok(Some(WalletExplanation { state, parts, unreadable_version, projections }))
}

/// Adds up the events up to `version`, which are of one currency.
async fn parts(
    events: &dyn Events,
    key: &WalletKey,
    (version, currency): (u64, Currency),
) -> Result<(Vec<BalancePart>, Option<u64>), ReadError> {
    let mut parts: BTreeMap<EntryType, BalancePart> = BTreeMap::new();
    let (mut after, mut limit) = (0, PAGE_EVENTS);
    while after < version {
        let page = match events.after(key, after, limit).await {
            Ok(page) => page,
            // One of them can't be read: those before it can.
            Err(ReadError::Storage(_)) if limit > 1 => {
                limit /= 2;
                continue;
            }
            Err(ReadError::Storage(_)) => return Ok((in_order(parts), Some(after + 1))),
            Err(error) => return Err(error),
        };
        let Some(last) = page.last() else { break };
        after = last.version;
        for RecordedEvent { event, version: at, .. } in
            page.iter().take_while(|event| event.version <= version)
        {
            let (of, moved) = event.moved();
            if of != currency {
                return Ok((in_order(parts), Some(*at)));
            }
            let entry_type = EntryType::of(event);
            let part = parts.entry(entry_type);
            let part = part.or_insert(BalancePart { entry_type, count: 0, sum: 0 });
            part.count += 1;
            part.sum += moved;
        }
    }
    Ok((in_order(parts), None))
}

fn in_order(parts: BTreeMap<EntryType, BalancePart>) -> Vec<BalancePart> {
    parts.into_values().collect()
}

async fn projections(
    ports: ExplainPorts<'_>,
    key: &WalletKey,
) -> Result<Vec<ProjectionOfWallet>, ReadError> {
    let wallet = ports.read_models.wallet(key).await?;
    let of_read_model = wallet.value.map_or(0, |state| state.wallet.version());
    let Projected { value: of_ledger, positions } = ports.read_models.ledger_version(key).await?;
    let Some(ShardPosition { shard, .. }) = positions.first() else { return Ok(Vec::new()) };
    let mut projections = Vec::new();
    for status in ports.projectors.status().await? {
        let version = match status.projector.as_str() {
            name if name == Place::ReadModel.as_str() => of_read_model,
            name if name == Place::Ledger.as_str() => of_ledger,
            _ => continue,
        };
        if status.shard == *shard {
            let parked_version = parked_version(ports.dead_letters, &status.projector, key).await?;
            projections.push(ProjectionOfWallet { version, status, parked_version });
        }
    }
    Ok(projections)
}

async fn parked_version(
    dead_letters: &dyn DeadLetters,
    projector: &str,
    key: &WalletKey,
) -> Result<Option<u64>, ReadError> {
    match dead_letters.show(projector, key).await {
        Ok((letter, _)) => Ok(Some(letter.version)),
        Err(DeadLetterError::Database(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
