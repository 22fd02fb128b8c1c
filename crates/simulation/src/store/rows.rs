//! The rows of the projections, in a transaction of the simulated store.

use std::collections::HashMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};

use sea_orm::DbErr;
use wallex_domain::{EventId, Standing, Wallet};
use wallex_ports::{LedgerEntry, WalletKey, WalletState};
use wallex_projectors::{ApplyError, Found, LedgerRows, Move, WalletRows};

use super::projection::Projection;

/// What a transaction will write.
pub(crate) struct StagedRows<'a> {
    pub(crate) staged: &'a Mutex<Option<Projection>>,
}

impl StagedRows<'_> {
    fn with<T>(&self, with: impl FnOnce(&mut Projection) -> T) -> Result<T, ApplyError> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = || DbErr::Custom("the checkpoint was not moved on first".to_owned());
        Ok(with(staged.as_mut().ok_or_else(nothing)?))
    }
}

impl WalletRows for StagedRows<'_> {
    async fn standing(&self, keys: &[&WalletKey]) -> Result<Found<WalletState>, ApplyError> {
        self.with(|row| {
            let found =
                |key: &&WalletKey| Some(((*key).clone(), Ok(row.wallets.get(*key)?.clone())));
            keys.iter().filter_map(found).collect()
        })
    }

    async fn insert(&self, rows: &[(&WalletKey, WalletState)]) -> Result<(), ApplyError> {
        self.with(|row| {
            for (key, state) in rows {
                if row.wallets.insert((*key).clone(), state.clone()).is_some() {
                    return Err(ApplyError::NotNew);
                }
            }
            Ok(())
        })?
    }

    async fn move_on(&self, moves: &[Move<'_>]) -> Result<u64, ApplyError> {
        self.with(|row| {
            let mut moved = 0;
            for Move { key, before, after, at } in moves {
                let Some(state) = row.wallets.get_mut(*key) else { continue };
                if state.wallet.standing() == *before {
                    let (id, owner) = (key.wallet_id.clone(), state.wallet.owner_id().clone());
                    let (currency, balance) = (after.currency(), after.balance());
                    state.wallet =
                        Wallet::from_snapshot(id, owner, currency, balance, after.version());
                    state.updated_at = state.updated_at.max(*at);
                    moved += 1;
                }
            }
            moved
        })
    }

    async fn upsert(&self, rows: &[(&WalletKey, WalletState)]) -> Result<(), ApplyError> {
        self.with(|row| {
            let rows = rows.iter().map(|(key, state)| ((*key).clone(), state.clone()));
            row.wallets.extend(rows);
        })
    }
}

fn standing(line: &LedgerEntry) -> Standing {
    Standing::new(line.currency, line.balance_after, line.version)
}

fn key(line: &LedgerEntry) -> (WalletKey, u64) {
    (line.wallet.clone(), line.version)
}

impl LedgerRows for StagedRows<'_> {
    async fn last_lines(&self, keys: &[&WalletKey]) -> Result<Found<Standing>, ApplyError> {
        self.with(|row| {
            let last = |key: &&WalletKey| {
                let lines = row.lines.range(((*key).clone(), 0)..=((*key).clone(), u64::MAX));
                Some(((*key).clone(), Ok(standing(lines.last()?.1))))
            };
            keys.iter().filter_map(last).collect()
        })
    }

    async fn count_standing(
        &self,
        standings: &[(&WalletKey, Standing)],
    ) -> Result<usize, ApplyError> {
        self.with(|row| {
            let stands = |(key, expected): &&(&WalletKey, Standing)| {
                let line = row.lines.get(&((*key).clone(), expected.version()));
                line.is_some_and(|line| standing(line) == *expected)
            };
            standings.iter().filter(stands).count()
        })
    }

    async fn insert(&self, lines: &[LedgerEntry]) -> Result<(), ApplyError> {
        self.with(|row| {
            for line in lines {
                if row.lines.insert(key(line), line.clone()).is_some() {
                    return Err(ApplyError::NotNew);
                }
            }
            Ok(())
        })?
    }

    async fn insert_new(&self, lines: &[LedgerEntry]) -> Result<u64, ApplyError> {
        self.with(|row| {
            let mut written = 0;
            for line in lines {
                if let Entry::Vacant(place) = row.lines.entry(key(line)) {
                    place.insert(line.clone());
                    written += 1;
                }
            }
            written
        })
    }

    async fn of_events(
        &self,
        ids: &[EventId],
    ) -> Result<HashMap<EventId, Option<LedgerEntry>>, ApplyError> {
        self.with(|row| {
            let lines = row.lines.values().filter(|line| ids.contains(&line.event_id));
            lines.map(|line| (line.event_id, Some(line.clone()))).collect()
        })
    }
}
