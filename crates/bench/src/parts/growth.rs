//! Creates and credits on a database that grows: nothing may get slower.

use anyhow::Result;

use super::MANY;
use crate::bench::Bench;
use crate::figures::{How, Load, Subject};
use crate::seed::POPULATION;
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// Million events that are stored when the loads begin, in rising order.
pub(crate) const POSTGRES_MILLIONS: [u32; 3] = [0, 1, 10];
const SQLITE_MILLIONS: [u32; 2] = [0, 1];
/// A wallet is created and then credited, so that it has so many events.
const VERSIONS: u64 = 5;
const MILLION: u64 = 1_000_000;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    for kind in bench.kinds.clone() {
        let sizes = match kind {
            Kind::Postgres if bench.quick => &POSTGRES_MILLIONS[..2],
            Kind::Postgres => &POSTGRES_MILLIONS[..],
            Kind::Sqlite => &SQLITE_MILLIONS[..],
        };
        growing(bench, kind, sizes).await?;
    }
    Ok(())
}

async fn growing(bench: &mut Bench, kind: Kind, sizes: &[u32]) -> Result<()> {
    let mut site = bench.empty(kind).await?;
    site.counts_every_load = false;
    let mut stored = 0;
    for millions in sizes {
        let missing = u64::from(millions - stored) * MILLION;
        // With nothing stored there still have to be wallets to credit, as many as later.
        let seeded = if missing == 0 { (POPULATION, 1) } else { (missing / VERSIONS, VERSIONS) };
        site.seed(seeded.0, seeded.1).await?;
        stored = *millions;
        site.start(true).await?;
        // Once for each size: the first round pays for pages that are written in full once after a
        // checkpoint, the others go on as a server does between checkpoints.
        site.settle().await?;
        for round in 1..=bench.rounds {
            for traffic in [Traffic::Create, Traffic::CreditRandom] {
                let beside = |_| std::future::ready(());
                let (measurement, ()) =
                    site.http_beside(traffic, MANY, bench.timing, beside).await?;
                let how = How::Stored(stored);
                let subject = Subject::Http(traffic);
                let load = Load { how, ..Load::closed(Part::Growth, kind, subject, MANY) };
                bench.add(load, round, measurement, 0);
            }
        }
        site.verify().await?;
    }
    bench.discard(site).await
}
