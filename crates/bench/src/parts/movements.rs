//! Credits, transfers, and the mix, on wallets that are there already.

use anyhow::Result;

use super::MANY;
use crate::bench::Bench;
use crate::figures::{Load, Subject};
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// What is compared with creates in the same database, and the creates between.
const COMPARED_TRAFFIC: [Traffic; 4] =
    [Traffic::CreditRandom, Traffic::CreditOne, Traffic::Transfer, Traffic::Create];

pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    loads(bench, (Part::Movements, kind), round, &COMPARED_TRAFFIC).await
}

pub(super) async fn mix_round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    loads(bench, (Part::Mix, kind), round, &[Traffic::Mix]).await
}

async fn loads(
    bench: &mut Bench,
    (part, kind): (Part, Kind),
    round: u32,
    traffic: &[Traffic],
) -> Result<()> {
    let mut site = bench.populated(kind).await?;
    for traffic in traffic {
        let load = Load::closed(part, kind, Subject::Http(*traffic), MANY);
        bench.http(&mut site, round, load).await?;
    }
    bench.finish(site).await
}
