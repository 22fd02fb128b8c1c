//! Reading a page: checkpoints, events, parked wallets and what was left out.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use wallex_database::{Backend, Row, RowError};

use super::Walk;
use super::chain::{self, Chains};
use super::follow::{Follower, Sight, shared};
use super::page::{Page, Point, Reading};
use crate::checkpoint::unreadable;
use crate::event::Event;
use crate::projector::Projector;
use crate::reconcile::{Mode, Span, Spot};
use crate::tables;

/// What [`Event::of_row`] reads.
const EVENT: &str = "t.position, t.tenant, t.wallet_id, t.version, \
                     CAST(t.event_id AS text) AS event_id, t.type, \
                     CAST(t.schema_version AS bigint) AS schema_version, \
                     CAST(t.payload AS text) AS payload, t.recorded_at_ms";
/// A process that is frozen in the middle of a page holds the checkpoints. PostgreSQL ends its
/// transaction after 3 s, so that the projectors go on.
const UNLESS_FROZEN: &str = ", set_config('idle_in_transaction_session_timeout', '3000', true)";

impl Walk<'_> {
    pub(super) async fn read_page(
        &self,
        tx: &DatabaseTransaction,
        point: &Point,
    ) -> Result<Page, DbErr> {
        let mut sights = self.checkpoints(tx).await?;
        let mut from = point.clone();
        if let Some(reading) = &mut from.reading {
            self.catch_up(tx, reading, &mut sights).await?;
            let met = reading.followers.iter().map(|follower| follower.done).min();
            from.after = Spot::at(&reading.key, met.unwrap_or(0));
        }
        let mut chains = Chains::behind(from.link.take());
        let span = Span::new(from.after.clone(), self.end.clone());
        let events = self.events(tx, &span, &mut chains).await?;
        let is_last = events.len() < self.page_events as usize;
        let upto = match events.last() {
            Some(last) if !is_last => Some(Spot::at(&last.wallet, last.version)),
            _ => self.end.clone(),
        };
        let span = Span::new(from.after.clone(), upto.clone());
        self.parking(tx, &span.widened(), &mut sights).await?;
        let discarded = shared(&sights);
        sights.push(Sight { checkpoint: u64::MAX, discarded, ..Sight::default() });
        Ok(Page { events, chains, sights, from, upto, is_last, balance_upto: self.balance_upto })
    }

    /// The projectors' checkpoints; in a rebuild they are held, in the order of names.
    async fn checkpoints(&self, tx: &DatabaseTransaction) -> Result<Vec<Sight>, DbErr> {
        let backend = Backend::of(tx);
        // In the same statement: they cost no round trip. On SQLite the transaction is the lock.
        let (settings, lock) = match (backend, self.mode) {
            (Backend::Postgres, Mode::Repair) => (UNLESS_FROZEN, "FOR UPDATE"),
            _ => ("", ""),
        };
        let mut values = vec![Value::from(i64::from(self.shard))];
        values.extend(self.projectors.iter().map(|projector| Value::from(projector.name())));
        let names: Vec<_> = (2..=values.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "SELECT projector, position{settings} FROM projector_checkpoints WHERE shard = $1 \
             AND projector IN ({}) ORDER BY projector {lock}",
            names.join(", ")
        );
        let rows = tx.query_all_raw(backend.statement(sql, values)).await?;
        let mut positions: Vec<Option<u64>> = vec![None; self.projectors.len()];
        for row in rows.into_iter().map(Row) {
            if let Some(i) = self.index_of(&row.text("projector").map_err(unreadable)?) {
                positions[i] = Some(row.number("position").map_err(unreadable)?);
            }
        }
        // Without its checkpoint nobody knows how far a projection has come: taken for nothing, a
        // rebuild would remove all that it holds.
        let sight = |(projector, position): (&Arc<dyn Projector>, Option<u64>)| {
            let checkpoint = match position {
                // Checkpoints come with the first server; until then there is nothing to project.
                None if self.balance_upto == 0 => 0,
                None => {
                    let missing = format!("{} has no checkpoint", projector.name());
                    return Err(DbErr::RecordNotFound(missing));
                }
                Some(position) => position,
            };
            Ok(Sight { checkpoint, ..Sight::default() })
        };
        self.projectors.iter().zip(positions).map(sight).collect()
    }

    /// Lets the projections that were cut off within the wallet that is being read go on, where they
    /// have come further since.
    async fn catch_up(
        &self,
        tx: &DatabaseTransaction,
        reading: &mut Reading,
        sights: &mut [Sight],
    ) -> Result<(), DbErr> {
        if !reading.followers.iter().any(Follower::is_cut) {
            return Ok(());
        }
        let span = Span::new(Spot::before(&reading.key), Some(Spot::behind(&reading.key)));
        self.parking(tx, &span, sights).await?;
        for (follower, sight) in reading.followers.iter_mut().zip(sights) {
            follower.catch_up(&reading.key, sight);
        }
        Ok(())
    }

    async fn events(
        &self,
        tx: &DatabaseTransaction,
        span: &Span,
        chains: &mut Chains,
    ) -> Result<Vec<Event>, DbErr> {
        let mut events = Vec::new();
        let verifies = self.mode == Mode::Compare;
        let more = if verifies { chain::COLUMNS } else { "" };
        for mut condition in span.of_lines(self.shard) {
            let room = (self.page_events as usize).saturating_sub(events.len());
            if room == 0 {
                break;
            }
            let limit = condition.bind(i64::try_from(room).unwrap_or(i64::MAX));
            let sql = format!(
                "SELECT {EVENT}{more} FROM events t WHERE {} \
                 ORDER BY t.tenant, t.wallet_id, t.version LIMIT {limit}",
                condition.sql
            );
            let rows = tx.query_all_raw(Backend::of(tx).statement(sql, condition.values)).await?;
            for row in rows.into_iter().map(Row) {
                let event = Event::of_row(&row).map_err(unreadable)?;
                if verifies {
                    chains.meet(&event, &row).map_err(unreadable)?;
                }
                events.push(event);
            }
        }
        Ok(events)
    }

    /// What is parked and what was left out, in the wallets of `span`.
    async fn parking(
        &self,
        tx: &DatabaseTransaction,
        span: &Span,
        sights: &mut [Sight],
    ) -> Result<(), DbErr> {
        for mut condition in span.of_wallets(self.shard) {
            let names: Vec<_> = self.projectors.iter().map(|p| condition.bind(p.name())).collect();
            let select = |left_out: u8, table: &str| {
                format!(
                    "SELECT CAST({left_out} AS bigint) AS left_out, t.projector, t.tenant, \
                     t.wallet_id, t.version FROM {table} t WHERE {} AND t.projector IN ({})",
                    condition.sql,
                    names.join(", ")
                )
            };
            let (letters, discards) = (select(0, "dead_letters"), select(1, "discarded_events"));
            let sql = format!("{letters} UNION ALL {discards}");
            let statement = Backend::of(tx).statement(sql, condition.values);
            for row in tx.query_all_raw(statement).await? {
                self.note(&Row(row), sights).map_err(unreadable)?;
            }
        }
        Ok(())
    }

    fn note(&self, row: &Row, sights: &mut [Sight]) -> Result<(), RowError> {
        if let Some(i) = self.index_of(&row.text("projector")?) {
            let (wallet, version) = (tables::key(row)?, row.number("version")?);
            if row.int("left_out")? == 1 {
                sights[i].discarded.insert(wallet, version);
            } else {
                sights[i].parked.insert(wallet, version);
            }
        }
        Ok(())
    }

    fn index_of(&self, projector: &str) -> Option<usize> {
        self.projectors.iter().position(|known| known.name() == projector)
    }
}
