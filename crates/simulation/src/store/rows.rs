//! The rows of the projections, in a transaction of the simulated store.

use std::collections::HashMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};

use sea_orm::DbErr;
use wallex_domain::{EventId, Standing, Wallet};
use wallex_ports::{LedgerEntry, WalletKey, WalletState};
use wallex_projectors::{
    ApplyError, Found, LedgerRows, LineRow, LineRows, Move, Span, StateRow, StateRows, WalletRows,
};

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

impl StagedRows<'_> {
    /// The same for who compares.
    fn compared<T>(&self, with: impl FnOnce(&mut Projection) -> T) -> Result<T, DbErr> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = || DbErr::Custom("the checkpoint was not read first".to_owned());
        Ok(with(staged.as_mut().ok_or_else(nothing)?))
    }
}

impl StateRows for StagedRows<'_> {
    async fn read(&self, span: &Span) -> Result<Vec<StateRow>, DbErr> {
        self.compared(|row| {
            let held = row.wallets.iter().filter(|(key, _)| span.holds_wallet(key));
            let row = |(key, state): (&WalletKey, &WalletState)| StateRow {
                tenant: key.tenant.to_string(),
                wallet_id: key.wallet_id.to_string(),
                state: Ok(state.clone()),
            };
            held.map(row).collect()
        })
    }

    async fn delete(&self, rows: &[(&str, &str)]) -> Result<(), DbErr> {
        self.compared(|row| {
            row.wallets
                .retain(|key, _| !rows.contains(&(key.tenant.as_str(), key.wallet_id.as_str())));
        })
    }

    async fn upsert(&self, rows: &[(&WalletKey, &WalletState)]) -> Result<(), DbErr> {
        self.compared(|row| {
            let rows = rows.iter().map(|(key, state)| ((*key).clone(), (*state).clone()));
            row.wallets.extend(rows);
        })
    }
}

impl LineRows for StagedRows<'_> {
    async fn read(&self, span: &Span) -> Result<Vec<LineRow>, DbErr> {
        self.compared(|row| {
            let held =
                row.lines.iter().filter(|((key, version), _)| span.holds_event(key, *version));
            let row = |((key, version), line): (&(WalletKey, u64), &LedgerEntry)| LineRow {
                tenant: key.tenant.to_string(),
                wallet_id: key.wallet_id.to_string(),
                version: version.cast_signed(),
                line: Ok(line.clone()),
            };
            held.map(row).collect()
        })
    }

    async fn delete(&self, lines: &[(&str, &str, i64)]) -> Result<(), DbErr> {
        self.compared(|row| {
            row.lines.retain(|(key, version), _| {
                let (tenant, wallet_id) = (key.tenant.as_str(), key.wallet_id.as_str());
                !lines.contains(&(tenant, wallet_id, version.cast_signed()))
            });
        })
    }

    async fn delete_of_events(&self, ids: &[EventId]) -> Result<u64, DbErr> {
        self.compared(|row| {
            let before = row.lines.len();
            row.lines.retain(|_, line| !ids.contains(&line.event_id));
            (before - row.lines.len()) as u64
        })
    }

    async fn insert_new(&self, lines: &[LedgerEntry]) -> Result<u64, DbErr> {
        let written = LedgerRows::insert_new(self, lines).await;
        written.map_err(|error| DbErr::Custom(error.to_string()))
    }

    async fn insert(&self, lines: &[LedgerEntry]) -> Result<(), DbErr> {
        let written = LedgerRows::insert(self, lines).await;
        written.map_err(|error| DbErr::Custom(error.to_string()))
    }
}
