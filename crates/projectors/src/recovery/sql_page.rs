//! [`PageTransaction`] over the database: checkpoints, events, parked wallets and what was left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use wallex_database::{Backend, Database, Row, RowError};
use wallex_domain::EventHash;
use wallex_ports::{Place, WalletKey};

use super::store::{Aside, Mine, PageTransaction, Stand, Visit};
use crate::checkpoint::{self, unreadable};
use crate::event::Event;
use crate::projector::Projector;
use crate::reconcile::{Findings, Mode, Span, Stretch, reconcile_heads, reconcile_states};
use crate::tables;
use crate::walk::Written;

/// What [`Written::of_row`] reads besides.
const WRITTEN: &str = ", CAST(t.metadata AS text) AS metadata, t.hash";

pub(super) struct SqlPage {
    pub(super) db: Arc<Database>,
    pub(super) tx: DatabaseTransaction,
    pub(super) projectors: Arc<[Arc<dyn Projector>]>,
    pub(super) shard: u16,
    pub(super) mode: Mode,
}

impl SqlPage {
    fn index_of(&self, projector: &str) -> Option<usize> {
        self.projectors.iter().position(|known| known.name() == projector)
    }

    fn note(&self, row: &Row, aside: &mut Vec<Aside>) -> Result<(), RowError> {
        if let Some(projector) = self.index_of(&row.text("projector")?) {
            let (wallet, version) = (tables::key(row)?, row.number("version")?);
            let left_out = row.int("left_out")? == 1;
            aside.push(Aside { projector, wallet, version, left_out });
        }
        Ok(())
    }
}

#[async_trait]
impl PageTransaction for SqlPage {
    /// They are held in the order of names.
    async fn checkpoints(&self) -> Result<Vec<Option<u64>>, DbErr> {
        let backend = Backend::of(&self.tx);
        // In the same statement: they cost no round trip. On SQLite the transaction is the lock.
        let (settings, lock) = match (backend, self.mode) {
            (Backend::Postgres, Mode::Repair) => (checkpoint::unless_frozen(), "FOR UPDATE"),
            _ => (String::new(), ""),
        };
        let mut values = vec![Value::from(i64::from(self.shard))];
        values.extend(self.projectors.iter().map(|projector| Value::from(projector.name())));
        let names: Vec<_> = (2..=values.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "SELECT projector, position{settings} FROM projector_checkpoints WHERE shard = $1 \
             AND projector IN ({}) ORDER BY projector {lock}",
            names.join(", ")
        );
        let statement = backend.statement(sql, values);
        let rows = self.db.patiently(self.tx.query_all_raw(statement)).await?;
        let mut positions: Vec<Option<u64>> = vec![None; self.projectors.len()];
        for row in rows.into_iter().map(Row) {
            if let Some(i) = self.index_of(&row.text("projector").map_err(unreadable)?) {
                positions[i] = Some(row.number("position").map_err(unreadable)?);
            }
        }
        Ok(positions)
    }

    async fn events(&self, span: &Span, limit: u32, visit: &mut Visit<'_>) -> Result<(), DbErr> {
        let (verifies, mut room) = (self.mode == Mode::Compare, limit as usize);
        let (columns, more) = (Event::COLUMNS, if verifies { WRITTEN } else { "" });
        for mut condition in span.of_lines(self.shard) {
            if room == 0 {
                break;
            }
            let limit = condition.bind(i64::try_from(room).unwrap_or(i64::MAX));
            let sql = format!(
                "SELECT {columns}{more} FROM events t WHERE {} \
                 ORDER BY t.tenant, t.wallet_id, t.version LIMIT {limit}",
                condition.sql
            );
            let statement = Backend::of(&self.tx).statement(sql, condition.values);
            let rows = self.db.patiently(self.tx.query_all_raw(statement)).await?;
            room = room.saturating_sub(rows.len());
            for row in rows.into_iter().map(Row) {
                let event = Event::of_row(&row).map_err(unreadable)?;
                visit(event, verifies.then(|| Written::of_row(&row)))?;
            }
        }
        Ok(())
    }

    async fn aside(&self, span: &Span) -> Result<Vec<Aside>, DbErr> {
        let mut aside = Vec::new();
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
            let statement = Backend::of(&self.tx).statement(sql, condition.values);
            for row in self.db.patiently(self.tx.query_all_raw(statement)).await? {
                self.note(&Row(row), &mut aside).map_err(unreadable)?;
            }
        }
        Ok(aside)
    }

    async fn reconcile(&self, projector: usize, stretch: &Stretch<'_>) -> Result<Findings, DbErr> {
        let reconciling = self.projectors[projector].reconcile(&self.tx, stretch, self.mode);
        self.db.patiently(reconciling).await
    }

    async fn compare_states(&self, stretch: &Stretch<'_>) -> Result<Findings, DbErr> {
        let (table, place) = ("wallet_streams", Place::WriteSide);
        let comparing = reconcile_states(&self.tx, table, place, stretch, Mode::Compare);
        self.db.patiently(comparing).await
    }

    async fn compare_heads(
        &self,
        stretch: &Stretch<'_>,
        heads: &BTreeMap<WalletKey, EventHash>,
    ) -> Result<Findings, DbErr> {
        self.db.patiently(reconcile_heads(&self.tx, stretch, heads)).await
    }

    async fn record(&self, mine: &Mine, stand: Stand<'_>) -> Result<bool, DbErr> {
        self.db.patiently(mine.record(&self.tx, stand)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        self.db.patiently(self.tx.commit()).await
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        self.db.patiently(self.tx.rollback()).await
    }
}
