//! What it takes to be seen: creates at a server that measures what it does, as servers do by default,
//! and right beside it at one that measures nothing, and at one that exports some of its traces.

use anyhow::Result;
use wallex_testkit::{Collector, Manner};

use super::{MANY, TURNS};
use crate::bench::Bench;
use crate::figures::{How, Load, Subject};
use crate::server::Shows;
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// How many of a hundred traces are exported.
pub(crate) const TRACED_PERCENT: u32 = 10;

/// Who comes first in one turn comes last in the next. A turn counts as a round: what is compared was
/// measured one right behind the other.
pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    // It runs in this process, and takes its part of the machine, as a collector beside a server does.
    let collector = Collector::with(Manner::Swallows);
    let traces = Shows::Traces { endpoint: collector.endpoint(), percent: TRACED_PERCENT };
    let all = [
        (How::Closed, Shows::Metrics),
        (How::Unmeasured, Shows::Nothing),
        (How::Traced(TRACED_PERCENT), traces),
    ];
    let mut sites = Vec::new();
    for (how, shows) in all {
        let mut site = bench.empty(kind).await?;
        site.start_showing(&shows).await;
        sites.push((site, how));
    }
    let load = Load::closed(Part::Overhead, kind, Subject::Http(Traffic::Create), MANY);
    for turn in 0..TURNS {
        for (site, how) in &mut sites {
            bench.http(site, (round - 1) * TURNS + turn + 1, Load { how: *how, ..load }).await?;
        }
        sites.reverse();
    }
    for (site, _) in sites {
        bench.finish(site).await?;
    }
    Ok(())
}
