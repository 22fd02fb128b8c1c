//! The walk through a shard's events, in the order of wallets and versions, that rebuilds and drift
//! checks share.
//!
//! Cost of a page, whatever the number of its events: one statement for the checkpoints, one for the
//! events, one for parked wallets and what was left out, one for each table of a projection and, in a
//! drift check, two for the write side's state; in a rebuild, bulk writes where something differs.
//! Each reads a range of a primary key. A wallet may have more events than a page: what was folded of
//! it is carried to the next.

mod chain;
mod follow;
mod page;
mod read;
mod trial_balance;

use sea_orm::DbErr;
use wallex_ports::{Difference, Place, Progress, Report, TableTally};

pub use chain::{Content, Written};
pub(crate) use page::Point;
pub(crate) use trial_balance::TrialBalance;

use crate::reconcile::{Findings, Mode, Spot};
use crate::recovery::PageTransaction;
use page::{Folding, Page};

/// A walk through one shard, or a part of it.
pub(crate) struct Walk<'a> {
    /// The projectors' names, in their order.
    pub(crate) projectors: &'a [&'static str],
    pub(crate) mode: Mode,
    pub(crate) shard: u16,
    /// Where it ends; `None` for the end of the shard.
    pub(crate) end: Option<Spot>,
    /// How many events a page has.
    pub(crate) page_events: u32,
    /// Events behind this position do not count in the trial balance.
    pub(crate) balance_upto: u64,
}

/// A page that was read, in the transaction that will judge it.
pub(crate) struct Read {
    tx: Box<dyn PageTransaction>,
    page: Page,
}

/// What a page came to.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// Where the next page begins; `None` when there is none.
    pub(crate) next: Option<Point>,
    pub(crate) totals: TrialBalance,
    tables: Vec<TableTally>,
    differences_total: u64,
    differences: Vec<Difference>,
    events: u64,
    wallets: u64,
    parked: u64,
}

impl Walk<'_> {
    /// Reads the page behind `point`. In a rebuild it first takes the checkpoints' rows, which the
    /// projectors then wait for until the transaction ends.
    pub(crate) async fn read(
        &self,
        tx: Box<dyn PageTransaction>,
        point: &Point,
    ) -> Result<Read, DbErr> {
        let page = self.read_page(&*tx, point).await?;
        Ok(Read { tx, page })
    }

    /// Compares a page with the tables, and puts right what differs in a rebuild; its transaction is
    /// still open.
    pub(crate) async fn judge(
        &self,
        read: Read,
    ) -> Result<(Box<dyn PageTransaction>, Step), DbErr> {
        let Read { tx, page } = read;
        let step = self.step(&*tx, page.fold()).await?;
        Ok((tx, step))
    }

    /// Compares a page, while the page behind it is read in a transaction of its own.
    pub(crate) async fn judge_and_read_ahead(
        &self,
        read: Read,
        begin: impl Future<Output = Result<Box<dyn PageTransaction>, DbErr>>,
    ) -> Result<(Step, Option<Read>), DbErr> {
        let Read { tx, page } = read;
        let folding = page.fold();
        let next = folding.next.clone();
        // Whatever goes wrong ahead will show again when it is due.
        let ahead = async {
            let next = next?;
            self.read(begin.await.ok()?, &next).await.ok()
        };
        let (step, ahead) = tokio::join!(self.step(&*tx, folding), ahead);
        tx.rollback().await?;
        Ok((step?, ahead))
    }

    async fn step(&self, tx: &dyn PageTransaction, folding: Folding<'_>) -> Result<Step, DbErr> {
        let mut step = Step {
            next: folding.next,
            totals: folding.totals,
            differences_total: folding.breaks.len() as u64,
            differences: folding.breaks,
            events: folding.events,
            wallets: folding.wallets,
            parked: folding.parked,
            tables: Vec::new(),
        };
        for (i, (projector, track)) in self.projectors.iter().zip(&folding.tracks).enumerate() {
            let Some(stretch) = track.stretch(self.shard) else { continue };
            let mut found = tx.reconcile(i, &stretch).await?;
            (*projector).clone_into(&mut found.tally.projector);
            step.tables.push(std::mem::take(&mut found.tally));
            step.take(place_of(projector), found);
        }
        // A rebuild repairs what follows the events, not what was written with them.
        if self.mode == Mode::Compare
            && let Some(stretch) = folding.tracks.last().and_then(|t| t.stretch(self.shard))
        {
            step.take(Some(Place::WriteSide), tx.compare_states(&stretch).await?);
            step.take(None, tx.compare_heads(&stretch, folding.heads).await?);
        }
        Ok(step)
    }
}

/// Which sum of a trial balance a projector's surplus belongs to.
fn place_of(projector: &str) -> Option<Place> {
    [Place::ReadModel, Place::Ledger].into_iter().find(|place| place.as_str() == projector)
}

impl Step {
    fn take(&mut self, place: Option<Place>, found: Findings) {
        self.differences_total += found.differences_total;
        self.differences.extend(found.differences);
        if let Some(place) = place {
            self.totals.add_surplus(place, &found.surplus);
        }
    }

    /// Adds the page to what was found before, which names `differences_max` differences at most.
    pub(crate) fn add_to(
        self,
        report: &mut Report,
        progress: &mut Progress,
        differences_max: usize,
    ) {
        progress.done += self.events;
        progress.wallets += self.wallets;
        // Wallets get more events while they are read.
        progress.total = progress.total.max(progress.done);
        report.parked += self.parked;
        report.differences_total += self.differences_total;
        let room = differences_max.saturating_sub(report.differences.len());
        report.differences.extend(self.differences.into_iter().take(room));
        for tally in self.tables {
            match report.tables.iter_mut().find(|table| table.projector == tally.projector) {
                None => report.tables.push(tally),
                Some(table) => {
                    table.right += tally.right;
                    table.repaired += tally.repaired;
                    table.added += tally.added;
                    table.removed += tally.removed;
                }
            }
        }
    }
}
