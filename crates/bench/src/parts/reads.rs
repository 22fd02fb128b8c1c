//! Reads by id over HTTP, and beside them plain SQL that reads by primary key.

use anyhow::Result;

use super::{COMPARED, MANY};
use crate::baseline::ReadClient;
use crate::bench::Bench;
use crate::figures::{Load, Subject};
use crate::site::Site;
use crate::traffic::Traffic;
use crate::{Kind, Part};

pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    let mut site = bench.populated(kind).await?;
    let load =
        |connections| Load::closed(Part::Reads, kind, Subject::Http(Traffic::Read), connections);
    bench.http(&mut site, round, load(COMPARED)).await?;
    if kind == Kind::Postgres {
        plain(bench, &mut site, round).await?;
    }
    bench.http(&mut site, round, load(MANY)).await?;
    bench.finish(site).await
}

/// From the same table of the same database, beside a server that has nothing to do.
async fn plain(bench: &mut Bench, site: &mut Site, round: u32) -> Result<()> {
    let mut workers = Vec::new();
    for _ in 0..COMPARED {
        let number = u32::try_from(workers.len()).unwrap_or(u32::MAX);
        workers.push(ReadClient::connect(site.postgres()?, site.population(), number).await?);
    }
    let load = Load::closed(Part::Reads, Kind::Postgres, Subject::PlainRead, COMPARED);
    bench.plain(site, round, (load, workers)).await
}
