//! What an operation walks through, page by page.

use std::sync::Arc;

use tokio::time::Instant;
use wallex_ports::{Operation, OperationKind, ShardPosition, WalletKey};

use super::pace;
use super::route::{Station, WINDOW_POSITIONS};
use super::run::{Run, Trouble, json};
use super::store::Stand;
use crate::reconcile::{Mode, Spot};
use crate::walk::{Point, Read, Walk};

impl Run {
    pub(super) async fn walk_all(&mut self) -> Result<(), Trouble> {
        self.expect_events(self.heads.iter().sum());
        let shards = self.inner.store.shards()?.count();
        for shard in self.station.shard..shards {
            let from = Spot::start();
            self.walk(shard, from, None, |point| match point {
                None => Station { shard: shard + 1, ..Default::default() },
                point => Station { shard, point, ..Default::default() },
            })
            .await?;
        }
        Ok(())
    }

    pub(super) async fn walk_wallet(&mut self, key: &WalletKey) -> Result<(), Trouble> {
        let shard = self.inner.store.shards()?.of_wallet(key);
        let events = self.inner.store.events_of(key).await?;
        self.expect_events(events);
        if self.station.shard > 0 {
            return Ok(());
        }
        self.walk(shard, Spot::before(key), Some(Spot::behind(key)), |point| match point {
            None => Station { shard: 1, ..Default::default() },
            point => Station { point, ..Default::default() },
        })
        .await
    }

    /// Costs a transaction for each wallet: where that is most of them, all is faster.
    pub(super) async fn walk_since(&mut self, since: ShardPosition) -> Result<(), Trouble> {
        let head = self.heads.get(usize::from(since.shard)).copied().unwrap_or(0);
        let first = since.position.max(1);
        let since = ShardPosition { position: first, ..since };
        self.expect_events((head + 1).saturating_sub(first));
        self.station.window = self.station.window.max(first);
        while self.station.window <= head {
            if self.inner.is_stopping() {
                return Err(Trouble::Stopped);
            }
            let window = self.station.window;
            let store = Arc::clone(&self.inner.store);
            for key in store.wallets_of_window(since, window, WINDOW_POSITIONS).await? {
                let behind = Spot::behind(&key);
                let after = self.station.after.clone();
                if after.as_ref().is_some_and(|after| behind <= *after) {
                    continue;
                }
                let end = Some(behind.clone());
                self.walk(since.shard, Spot::before(&key), end, |point| {
                    let after = if point.is_some() { after.clone() } else { Some(behind.clone()) };
                    Station { shard: 0, window, after, point }
                })
                .await?;
            }
            let window = window.saturating_add(WINDOW_POSITIONS);
            self.station = Station { window, ..Default::default() };
        }
        Ok(())
    }

    /// Walks from where the station stands, or from `from`, up to `end`. `station` tells where the
    /// operation stands once the walk stands at a point, or at its end.
    async fn walk(
        &mut self,
        shard: u16,
        from: Spot,
        end: Option<Spot>,
        station: impl Fn(Option<Point>) -> Station,
    ) -> Result<(), Trouble> {
        let mode = match self.operation.kind {
            OperationKind::Rebuild => Mode::Repair,
            OperationKind::Drift | OperationKind::Retry => Mode::Compare,
        };
        let inner = Arc::clone(&self.inner);
        let walk = Walk {
            projectors: inner.store.projectors(),
            mode,
            shard,
            end,
            page_events: inner.store.page_events(mode).max(1),
            balance_upto: self.heads.get(usize::from(shard)).copied().unwrap_or(0),
        };
        let mut point = Some(self.station.point.clone().unwrap_or_else(|| Point::new(from)));
        let mut ahead = None;
        while let Some(at) = point {
            if inner.is_stopping() {
                return Err(Trouble::Stopped);
            }
            point = match mode {
                Mode::Repair => self.repair(&walk, &at, &station).await?,
                Mode::Compare => self.compare(&walk, &at, &station, &mut ahead).await?,
            };
            self.failing = None;
        }
        Ok(())
    }

    /// Repairs a page, and records it in the same transaction. Then others get their turn.
    async fn repair(
        &mut self,
        walk: &Walk<'_>,
        at: &Point,
        station: impl Fn(Option<Point>) -> Station,
    ) -> Result<Option<Point>, Trouble> {
        let tx = self.inner.store.begin_page(walk.shard, walk.mode).await?;
        let began = Instant::now();
        let (tx, step) = walk.judge(walk.read(tx, at).await?).await?;
        let next = step.next.clone();
        let station = station(next.clone());
        let before = (self.operation.progress, self.operation.report.clone());
        self.take(step);
        let Operation { progress, report, .. } = &self.operation;
        let resume_at = json(&station)?;
        let stand = Stand { progress, report, resume_at: &resume_at };
        let recorded = tx.record(&self.mine, stand).await;
        let committed = match recorded {
            Ok(true) => tx.commit().await,
            Ok(false) => return Err(Trouble::Lost),
            Err(error) => Err(error),
        };
        if let Err(error) = committed {
            (self.operation.progress, self.operation.report) = before;
            return Err(error.into());
        }
        self.station = station;
        pace::give_way(&*self.inner.store, began.elapsed(), &self.inner.stop).await;
        Ok(next)
    }

    async fn compare(
        &mut self,
        walk: &Walk<'_>,
        at: &Point,
        station: impl Fn(Option<Point>) -> Station,
        ahead: &mut Option<Read>,
    ) -> Result<Option<Point>, Trouble> {
        let store = Arc::clone(&self.inner.store);
        let begin = || store.begin_page(walk.shard, walk.mode);
        let read = match ahead.take() {
            Some(read) => read,
            None => walk.read(begin().await?, at).await?,
        };
        let (step, following) = walk.judge_and_read_ahead(read, begin()).await?;
        *ahead = following;
        let next = step.next.clone();
        self.take(step);
        self.station = station(next.clone());
        self.record_sometimes().await?;
        Ok(next)
    }
}
