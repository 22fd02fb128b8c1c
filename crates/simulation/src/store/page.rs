//! A page of a rebuild or a drift check, in a transaction of the simulated store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sea_orm::DbErr;
use wallex_domain::EventHash;
use wallex_ports::{Place, WalletKey, WalletState};
use wallex_projectors::{
    Aside, Content, Findings, Mine, Mode, PageTransaction, Span, Stand, StateRow, StateRows,
    Stretch, Visit, Written, compare_head, compare_lines, compare_states,
};

use super::ports::NodePorts;
use super::projection::{PROJECTORS, Projection};
use super::projector_store::SimulatedProjectorStore;
use super::recovery_store::{OwnedStand, operations_free};
use super::rows::StagedRows;
use super::tables::{StoredEvent, Tables};
use crate::plant::Plant;

/// One page. A drift check sees the tables as they were when it began; a rebuild stages what it writes, under
/// the locks of the checkpoints' rows.
pub(crate) struct SimulatedPage {
    ports: Arc<NodePorts>,
    shard: u16,
    mode: Mode,
    number: u64,
    snapshot: Option<Box<Tables>>,
    /// One for each projector.
    staged: [Mutex<Option<Projection>>; PROJECTORS.len()],
    recorded: Mutex<Option<(Mine, OwnedStand)>>,
}

impl SimulatedPage {
    pub(crate) fn begin(ports: &Arc<NodePorts>, shard: u16, mode: Mode) -> Self {
        let mut tables = ports.world.tables();
        tables.transactions += 1;
        let number = tables.transactions;
        let snapshot = (mode == Mode::Compare).then(|| Box::new(tables.clone()));
        drop(tables);
        let (staged, recorded) = (Default::default(), Mutex::default());
        Self { ports: Arc::clone(ports), shard, mode, number, snapshot, staged, recorded }
    }

    fn of(&self, name: &'static str) -> SimulatedProjectorStore {
        SimulatedProjectorStore { ports: Arc::clone(&self.ports), name, shard: self.shard }
    }

    /// What this transaction sees.
    fn with_tables<T>(&self, with: impl FnOnce(&Tables) -> T) -> T {
        match &self.snapshot {
            Some(snapshot) => with(snapshot),
            None => with(&self.ports.world.tables()),
        }
    }

    fn with_staged<T>(&self, projector: usize, with: impl FnOnce(&Projection) -> T) -> T {
        let staged = self.staged[projector].lock().unwrap_or_else(PoisonError::into_inner);
        with(staged.as_ref().unwrap_or(&Projection::default()))
    }
}

impl Drop for SimulatedPage {
    fn drop(&mut self) {
        for name in PROJECTORS {
            self.of(name).release(self.number);
        }
        let mut tables = self.ports.world.tables();
        tables.operations_held = tables.operations_held.filter(|(held, ..)| *held != self.number);
    }
}

fn written(stored: &StoredEvent) -> Written {
    let event = &stored.event;
    let content = Content {
        event_id: event.event_id.to_string(),
        schema_version: event.encoded.schema_version.into(),
        payload: event.encoded.payload.clone(),
        metadata: event.encoded_metadata.clone(),
    };
    Written { hash: Ok(event.hash), content: Ok(content) }
}

/// The write side's states in one shard.
struct WriteSide<'a> {
    tables: &'a Tables,
    shard: u16,
}

impl StateRows for WriteSide<'_> {
    async fn read(&self, span: &Span) -> Result<Vec<StateRow>, DbErr> {
        let mine = self.tables.wallets.iter().filter(|(key, _)| {
            self.tables.shards.of_wallet(key) == self.shard && span.holds_wallet(key)
        });
        let row = |(key, stream): (&WalletKey, &wallex_ports::StreamState)| StateRow {
            tenant: key.tenant.to_string(),
            wallet_id: key.wallet_id.to_string(),
            state: Ok(stream.state.clone()),
        };
        Ok(mine.map(row).collect())
    }

    async fn delete(&self, _rows: &[(&str, &str)]) -> Result<(), DbErr> {
        Err(DbErr::Custom("the write side is not repaired".to_owned()))
    }

    async fn upsert(&self, _rows: &[(&WalletKey, &WalletState)]) -> Result<(), DbErr> {
        Err(DbErr::Custom("the write side is not repaired".to_owned()))
    }
}

#[async_trait]
impl PageTransaction for SimulatedPage {
    async fn checkpoints(&self) -> Result<Vec<Option<u64>>, DbErr> {
        self.ports.background_statement("while checkpoints are read for a page").await?;
        let mut positions = Vec::new();
        for (name, staged) in PROJECTORS.into_iter().zip(&self.staged) {
            let row = match &self.snapshot {
                Some(snapshot) => snapshot.projections[&(name, self.shard)].clone(),
                None => self.of(name).hold(self.number).await,
            };
            positions.push(Some(row.position));
            *staged.lock().unwrap_or_else(PoisonError::into_inner) = Some(row);
        }
        Ok(positions)
    }

    async fn events(&self, span: &Span, limit: u32, visit: &mut Visit<'_>) -> Result<(), DbErr> {
        self.ports.background_statement("while the events of a page are read").await?;
        self.with_tables(|tables| {
            let due = tables.events.iter().filter(|event| {
                event.shard == self.shard && span.holds_event(&event.wallet, event.version)
            });
            let mut due: Vec<&StoredEvent> = due.collect();
            due.sort_by_key(|event| (&event.wallet, event.version));
            for event in due.into_iter().take(limit as usize) {
                let verified = (self.mode == Mode::Compare).then(|| written(event));
                visit(tables.read(event), verified)?;
            }
            Ok(())
        })
    }

    async fn aside(&self, span: &Span) -> Result<Vec<Aside>, DbErr> {
        self.ports.background_statement("while parked wallets are read for a page").await?;
        let mut aside = Vec::new();
        for projector in 0..PROJECTORS.len() {
            self.with_staged(projector, |row| {
                let parked = row.letters.iter().filter(|(wallet, _)| span.holds_wallet(wallet));
                aside.extend(parked.map(|(wallet, letter)| Aside {
                    projector,
                    wallet: wallet.clone(),
                    version: letter.version,
                    left_out: false,
                }));
            });
        }
        Ok(aside)
    }

    async fn reconcile(&self, projector: usize, stretch: &Stretch<'_>) -> Result<Findings, DbErr> {
        self.ports.background_statement("while a page is compared").await?;
        let plant = self.ports.world.tables().plant;
        if plant == Some(Plant::RowsNotRead) && self.mode == Mode::Compare {
            let mut staged = self.staged[projector].lock().unwrap_or_else(PoisonError::into_inner);
            staged.iter_mut().for_each(|row| row.wallets.clear());
        }
        let rows = StagedRows { staged: &self.staged[projector] };
        match PROJECTORS[projector] {
            "ledger" => compare_lines(&rows, stretch, self.mode).await,
            _ => compare_states(&rows, Place::ReadModel, stretch, self.mode).await,
        }
    }

    async fn compare_states(&self, stretch: &Stretch<'_>) -> Result<Findings, DbErr> {
        self.ports.background_statement("while states are compared").await?;
        let Some(snapshot) = &self.snapshot else { return Ok(Findings::default()) };
        let rows = WriteSide { tables: snapshot, shard: self.shard };
        compare_states(&rows, Place::WriteSide, stretch, Mode::Compare).await
    }

    async fn compare_heads(
        &self,
        stretch: &Stretch<'_>,
        heads: &BTreeMap<WalletKey, EventHash>,
    ) -> Result<Findings, DbErr> {
        self.ports.background_statement("while hashes are compared").await?;
        let mut findings = Findings::default();
        self.with_tables(|tables| {
            for (key, stream) in tables.wallets.iter().filter(|(key, _)| {
                tables.shards.of_wallet(key) == self.shard && stretch.span.holds_wallet(key)
            }) {
                compare_head(&mut findings, key, heads, Ok(stream.last_hash));
            }
        });
        Ok(findings)
    }

    async fn record(&self, mine: &Mine, stand: Stand<'_>) -> Result<bool, DbErr> {
        let stand = OwnedStand::from(stand);
        self.ports.background_statement("while a page is noted").await?;
        operations_free(&self.ports, Some(self.number)).await;
        let now_ms = self.ports.world.now_ms();
        let mut tables = self.ports.world.tables();
        tables.operations_held = Some((self.number, self.ports.life.index, now_ms));
        let is_mine = tables.is_running(mine);
        if is_mine {
            *self.recorded.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((mine.clone(), stand));
        }
        Ok(is_mine)
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        self.ports.background_statement("before a page is committed").await?;
        let staged = self
            .staged
            .iter()
            .map(|staged| staged.lock().unwrap_or_else(PoisonError::into_inner).take());
        let staged: Option<Vec<Projection>> = staged.collect();
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = || DbErr::Custom("the transaction was ended".to_owned());
        {
            let world = &self.ports.world;
            let mut tables = world.tables();
            let holds = tables.operations_held.is_some_and(|(number, ..)| number == self.number)
                && PROJECTORS.iter().all(|name| {
                    let row = &tables.projections[&(*name, self.shard)];
                    row.held.is_some_and(|(number, ..)| number == self.number)
                });
            if !holds {
                return Err(ended());
            }
            let (mine, stand) = recorded.ok_or_else(ended)?;
            let now_ms = world.now_ms();
            if let Some(stored) = tables.operations.get_mut(&mine.id) {
                stored.stand(&stand, now_ms);
            }
            tables.operations_held = None;
        }
        let plant = self.ports.world.tables().plant;
        for (name, mut staged) in PROJECTORS.into_iter().zip(staged.ok_or_else(ended)?) {
            if plant == Some(Plant::PageWithoutEffect) && self.number.is_multiple_of(2) {
                staged = self.ports.world.tables().projections[&(name, self.shard)].clone();
            }
            self.of(name).write(self.number, staged);
        }
        self.ports.background_answer("after a page was committed").await?;
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        self.ports.background_statement("while a page is taken back").await?;
        Ok(())
    }
}
