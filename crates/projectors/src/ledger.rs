//! The ledger: `ledger_entries`, one line an event.

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_domain::{Balance, EventId, Movement, Standing, WalletEvent};
use wallex_ports::{EntryType, LedgerEntry, WalletKey};

use crate::event::{Batch, Event};
use crate::fold::Folded;
use crate::new_batch::{self, Followed};
use crate::projector::{ApplyError, Poison, Projector, sentence};
use crate::reconcile::{Findings, Mode, Stretch, reconcile_lines};
use crate::rows::{Found, LedgerRows};
use crate::tables::{self, ledger};

/// Keeps `ledger_entries`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ledger;

#[async_trait]
impl Projector for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
        project_ledger(&SqlRows { tx, shard: batch.shard }, batch).await
    }

    async fn reconcile(
        &self,
        tx: &DatabaseTransaction,
        stretch: &Stretch<'_>,
        mode: Mode,
    ) -> Result<Findings, DbErr> {
        reconcile_lines(tx, stretch, mode).await
    }
}

/// Applies a batch to the lines of the ledger.
///
/// # Errors
/// [`ApplyError`], as [`Projector::apply`].
pub async fn project_ledger(rows: &impl LedgerRows, batch: &Batch<'_>) -> Result<(), ApplyError> {
    if batch.is_new {
        return apply_new(rows, batch).await;
    }
    let histories = batch.by_wallet();
    // A wallet that begins in this batch has no line yet; if it has, the insert finds it.
    let begun: Vec<&WalletKey> = histories
        .iter()
        .filter(|(_, events)| events.first().is_some_and(|event| event.version > 1))
        .map(|(key, _)| *key)
        .collect();
    let mut standing = rows.last_lines(&begun).await?;
    let mut entries: Vec<LedgerEntry> = Vec::with_capacity(batch.events.len());
    let mut poison = Vec::new();
    for (key, events) in &histories {
        match standing.remove(*key).map(|found| found.map(Folded::of_standing)).transpose() {
            Ok(folded) => {
                let mut folded = folded.unwrap_or_default();
                // What was applied before comes again when a checkpoint was set back.
                let reached = folded.version();
                for event in events.iter().filter(|event| event.version > reached) {
                    let followed = folded.follow(event, batch.discarded);
                    match followed.and_then(|()| Ok(entry_of(event)?)) {
                        Ok(entry) => entries.push(entry),
                        Err(error) => {
                            poison.push(Poison::of(event, error));
                            break;
                        }
                    }
                }
            }
            // The last line can't be read: nothing can be put behind it.
            Err(error) => poison.extend(events.first().map(|event| Poison::of(event, error))),
        }
    }
    if !poison.is_empty() {
        return Err(ApplyError::Poison(poison));
    }
    let written = rows.insert_new(&entries).await?;
    if written == entries.len() as u64 {
        return Ok(());
    }
    match taken_places(rows, batch, &entries).await? {
        // They came again: every line stands as it should.
        taken if taken.is_empty() => Ok(()),
        taken => Err(ApplyError::Poison(taken)),
    }
}

/// Adds the lines of new events, where the lines that they follow are the right ones.
async fn apply_new(rows: &impl LedgerRows, batch: &Batch<'_>) -> Result<(), ApplyError> {
    let followed = new_batch::follow(batch).ok_or(ApplyError::NotNew)?;
    let before: Vec<_> = followed.iter().filter_map(|f| Some((f.key, f.before?))).collect();
    if rows.count_standing(&before).await? != before.len() {
        return Err(ApplyError::NotNew);
    }
    let lines: Vec<LedgerEntry> = followed.iter().flat_map(Followed::lines).collect();
    rows.insert(&lines).await
}

/// The events whose line could not be written because another row has its place or its event.
async fn taken_places(
    rows: &impl LedgerRows,
    batch: &Batch<'_>,
    entries: &[LedgerEntry],
) -> Result<Vec<Poison>, ApplyError> {
    let ids: Vec<EventId> = entries.iter().map(|entry| entry.event_id).collect();
    let found = rows.of_events(&ids).await?;
    let taken = |event: &&&Event| {
        entries.iter().find(|entry| entry.event_id == event.event_id).is_some_and(|entry| {
            found.get(&entry.event_id).is_none_or(|line| line.as_ref() != Some(entry))
        })
    };
    let error = "a row that does not belong to it has its place in the ledger";
    Ok(batch.events.iter().filter(taken).map(|event| Poison::of(event, error.to_owned())).collect())
}

/// The lines in the table.
struct SqlRows<'a> {
    tx: &'a DatabaseTransaction,
    shard: u16,
}

impl LedgerRows for SqlRows<'_> {
    async fn last_lines(&self, keys: &[&WalletKey]) -> Result<Found<Standing>, ApplyError> {
        let mut found = Found::new();
        for row in ledger::last_lines(self.tx, self.shard, keys.iter().copied()).await? {
            let standing = ledger::standing(&row).map_err(|error| sentence(&error));
            found.insert(tables::key(&row)?, standing);
        }
        Ok(found)
    }

    async fn count_standing(
        &self,
        standings: &[(&WalletKey, Standing)],
    ) -> Result<usize, ApplyError> {
        Ok(ledger::count_standing(self.tx, self.shard, standings).await?)
    }

    async fn insert(&self, lines: &[LedgerEntry]) -> Result<(), ApplyError> {
        Ok(ledger::insert(self.tx, self.shard, lines).await?)
    }

    async fn insert_new(&self, lines: &[LedgerEntry]) -> Result<u64, ApplyError> {
        Ok(ledger::insert_new(self.tx, self.shard, lines).await?)
    }

    async fn of_events(
        &self,
        ids: &[EventId],
    ) -> Result<HashMap<EventId, Option<LedgerEntry>>, ApplyError> {
        let mut found = HashMap::new();
        for row in ledger::of_events(self.tx, self.shard, ids.iter().copied()).await? {
            found.insert(row.uuid("event_id")?.into(), ledger::entry(&row).ok());
        }
        Ok(found)
    }
}

/// The line of an event.
///
/// # Errors
/// Why it can't be decoded.
pub(crate) fn entry_of(event: &Event) -> Result<LedgerEntry, &str> {
    let decoded = event.decoded()?;
    let line = |amount: Balance, balance_after, currency| LedgerEntry {
        wallet: event.wallet.clone(),
        version: event.version,
        position: event.position,
        event_id: event.event_id,
        entry_type: EntryType::of(decoded),
        amount,
        balance_after,
        currency,
        description: None,
        reference: None,
        transfer_id: None,
        counterparty: None,
        recorded_at: event.recorded_at,
    };
    let movement = |m: &Movement| LedgerEntry {
        description: m.description.clone(),
        reference: m.reference.clone(),
        transfer_id: m.transfer.as_ref().map(|leg| leg.transfer_id),
        counterparty: m.transfer.as_ref().map(|leg| leg.counterparty.clone()),
        ..line(m.amount.into(), m.balance_after, m.currency)
    };
    Ok(match decoded {
        WalletEvent::Created { currency, initial_balance, .. } => {
            line(*initial_balance, *initial_balance, *currency)
        }
        WalletEvent::Credited(m) | WalletEvent::Debited(m) => movement(m),
    })
}
