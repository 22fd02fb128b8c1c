//! Three times as many creates arrive as there can be: how many are done, and how soon the others
//! are told to come back.

use std::time::Duration;

use anyhow::Result;

use super::MANY;
use crate::bench::Bench;
use crate::figures::{Load, Subject};
use crate::load::{Offered, Timing};
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// Of the most there can be, in percent.
pub(crate) const OVERLOAD_PERCENT: u32 = 300;
/// How many commands the server lets wait: less than by default (16,384), because each needs a
/// connection of the generator's, and the next are refused at once only when they are all taken.
pub(crate) const QUEUE: usize = 2_048;
/// Connections that are open from the start, and that may be open at last.
const CONNECTIONS: usize = 4_000;
const CONNECTIONS_MAX: usize = 8_000;
/// At least so long it takes until the connections are open and the queue is full.
const WARM_UP_MIN: Duration = Duration::from_secs(3);

pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    let mut site = bench.site_with_queue(kind, QUEUE).await?;
    let most = Load::closed(Part::Overload, kind, Subject::Http(Traffic::Create), MANY);
    bench.http(&mut site, round, most).await?;
    let most = bench.figures.samples.last().map_or(0.0, |sample| sample.measurement.rate);
    let rate = most * f64::from(OVERLOAD_PERCENT) / 100.0;
    let offered = Offered { rate, connections: CONNECTIONS, connections_max: CONNECTIONS_MAX };
    let timing = Timing { warm_up: bench.timing.warm_up.max(WARM_UP_MIN), ..bench.timing };
    let (measurement, unsent) = site.open(Traffic::Create, offered, timing).await?;
    let load = Load::open(Part::Overload, kind, Traffic::Create, OVERLOAD_PERCENT);
    bench.add(load, round, measurement, unsent);
    bench.finish(site).await
}
