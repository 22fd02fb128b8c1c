//! How throughput and the lag of the projectors go during a longer load.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep_until};

use crate::Kind;
use crate::load::{SLICE, Window};
use crate::site::LAG;
use crate::tables::Tables;

/// One load, looked at again and again; times in seconds from the beginning of the measured time.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) kind: Kind,
    /// Commands a second.
    pub(crate) rates: Vec<(f64, f64)>,
    /// Events that the slowest projector had not applied yet.
    pub(crate) lags: Vec<(f64, f64)>,
}

/// Looks at the lag until the measured time is over.
pub(crate) async fn watch_lag(tables: &Tables, window: Window) -> Result<Vec<(f64, f64)>> {
    let mut lags = Vec::new();
    let mut at = window.from;
    while at < window.until {
        sleep_until(at).await;
        let lag = tables.text(&format!("SELECT CAST(({LAG}) AS text)")).await?;
        let lag: f64 = lag.parse().context("a lag")?;
        lags.push(((Instant::now() - window.from).as_secs_f64(), lag));
        at += SLICE;
    }
    Ok(lags)
}

/// The rates of slices with the time at the end of each.
pub(crate) fn timed(slices: &[f64]) -> Vec<(f64, f64)> {
    let ends = (1_u32..).map(|slice| (SLICE * slice).as_secs_f64());
    ends.zip(slices.iter().copied()).collect()
}

/// How long such a load takes, for loads that otherwise take `measured`.
pub(crate) fn longer(measured: Duration) -> Duration {
    measured * 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_stand_at_the_end_of_their_slices() {
        assert_eq!(timed(&[7.0, 9.0]), [(0.25, 7.0), (0.5, 9.0)]);
    }
}
