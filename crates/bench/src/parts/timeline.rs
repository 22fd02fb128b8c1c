//! Creates for longer than otherwise, looked at again and again.

use anyhow::Result;

use super::MANY;
use crate::Part;
use crate::bench::Bench;
use crate::figures::{Load, Subject};
use crate::load::Timing;
use crate::tables::Tables;
use crate::timeline::{Timeline, longer, timed, watch_lag};
use crate::traffic::Traffic;

/// Once on each database.
pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let timing = Timing { measured: longer(bench.timing.measured), ..bench.timing };
    for kind in bench.kinds.clone() {
        let mut site = bench.site(kind).await?;
        site.settle().await?;
        let eye = Tables::open(&site.database.url).await?;
        let watch = |window| watch_lag(&eye, window);
        let (measurement, lags) = site.http_beside(Traffic::Create, MANY, timing, watch).await?;
        eye.close().await?;
        bench.timelines.push(Timeline { kind, rates: timed(&measurement.slices), lags: lags? });
        let load = Load::closed(Part::Timeline, kind, Subject::Http(Traffic::Create), MANY);
        bench.add(load, 1, measurement, 0);
        bench.finish(site).await?;
    }
    Ok(())
}
