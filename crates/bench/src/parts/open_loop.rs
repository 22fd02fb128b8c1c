//! Latency at a part of the most there can be, with requests that arrive at a fixed rate.

use anyhow::Result;

use super::MANY;
use crate::bench::Bench;
use crate::figures::{Load, Subject};
use crate::load::Offered;
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// Of the most there can be, in percent.
const PERCENTAGES: [u32; 4] = [25, 50, 75, 90];
/// Connections that are open from the start, and that may be open at last.
const CONNECTIONS: usize = 64;
const CONNECTIONS_MAX: usize = 2_048;

pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    let mut site = bench.populated(kind).await?;
    for traffic in [Traffic::Create, Traffic::Transfer] {
        let most = Load::closed(Part::OpenLoop, kind, Subject::Http(traffic), MANY);
        bench.http(&mut site, round, most).await?;
        let most = bench.figures.samples.last().map_or(0.0, |sample| sample.measurement.rate);
        let percentages = if bench.quick { &[50][..] } else { &PERCENTAGES };
        for percent in percentages {
            let rate = most * f64::from(*percent) / 100.0;
            let offered =
                Offered { rate, connections: CONNECTIONS, connections_max: CONNECTIONS_MAX };
            let (measurement, unsent) = site.open(traffic, offered, bench.timing).await?;
            let load = Load::open(Part::OpenLoop, kind, traffic, *percent);
            bench.add(load, round, measurement, unsent);
        }
    }
    bench.finish(site).await
}
