//! How fast projectors apply a backlog: from the first movement of a checkpoint to the last.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};
use wallex_testkit::Server;

use super::plain_sql::Projected;
use crate::Kind;
use crate::load::per_second;
use crate::server;
use crate::tables::Tables;

/// Seldom enough to take nothing from the projectors, and often enough beside seconds.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A checkpoint that moves no more for so long will not.
const STALLED: Duration = Duration::from_secs(30);
/// Of the checkpoints that are wanted to run: the lowest and the highest.
const POSITIONS: &str = "SELECT CAST(min(position) AS text) || ' ' || CAST(max(position) AS text) \
    FROM projector_checkpoints WHERE wanted_state = 'running'";

/// The lowest and the highest position of some checkpoints, and when that was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    at: Instant,
    lowest: u64,
    highest: u64,
}

/// Has a server catch up with `running` from the first event to `head`; how many events a second
/// the slowest of them applied.
pub(crate) async fn measure(
    tables: &Tables,
    (kind, url): (Kind, &str),
    running: &[Projected],
    head: u64,
) -> Result<f64> {
    begin_anew(tables, kind, running).await?;
    tables.settle(kind).await?;
    let server = server::start(url).await;
    let (first, last) = wait(tables, &server, head).await?;
    let rate = rate_between(&first, &last)?;
    server::stop(server).await?;
    let names: Vec<_> = running.iter().map(|projected| projected.projector()).collect();
    eprintln!("{} caught up: {rate:.0} events/s", names.join(" and "));
    Ok(rate)
}

/// Waits until every projector that is to run has reached `head`: the looks at which the first of
/// them had moved, and the last had arrived.
pub(crate) async fn wait(tables: &Tables, server: &Server, head: u64) -> Result<(Look, Look)> {
    let mut first: Option<Look> = None;
    let mut moved = look(tables).await?;
    loop {
        let now = look(tables).await?;
        if now.highest > 0 {
            let first = *first.get_or_insert(now);
            if now.lowest >= head {
                return Ok((first, now));
            }
        }
        if (now.lowest, now.highest) != (moved.lowest, moved.highest) {
            moved = now;
        }
        ensure!(
            now.at - moved.at < STALLED,
            "the checkpoints stay at {} of {head}; {}",
            now.lowest,
            server::said(server)
        );
        sleep(LOOK_EVERY).await;
    }
}

/// What was applied before the first look is not counted: nobody saw when it began.
fn rate_between(first: &Look, last: &Look) -> Result<f64> {
    ensure!(last.at > first.at, "the backlog is too small: it was applied between two looks");
    Ok(per_second(last.lowest - first.lowest, last.at - first.at))
}

async fn look(tables: &Tables) -> Result<Look> {
    let text = tables.text(POSITIONS).await?;
    let numbers =
        text.split_once(' ').and_then(|(low, high)| Some((low.parse(), high.parse().ok()?)));
    let (lowest, highest) = numbers.with_context(|| format!("no positions: {text:?}"))?;
    Ok(Look { at: Instant::now(), lowest: lowest.context("a position")?, highest })
}

/// Empties the tables, and lets `running` run and no other projector.
async fn begin_anew(tables: &Tables, kind: Kind, running: &[Projected]) -> Result<()> {
    tables.empty_projections(kind).await?;
    tables.execute("UPDATE projector_checkpoints SET position = 0").await?;
    for projected in Projected::BOTH {
        let state = if running.contains(&projected) { "running" } else { "stopped" };
        let projector = projected.projector();
        let sql = format!(
            "UPDATE projector_checkpoints SET wanted_state = '{state}' \
             WHERE projector = '{projector}'"
        );
        tables.execute(&sql).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_seen_to_be_applied_counts() {
        let at = Instant::now();
        let first = Look { at, lowest: 1_000, highest: 2_000 };
        let last = Look { at: at + Duration::from_secs(2), lowest: 5_000, highest: 5_000 };
        let rate = rate_between(&first, &last).expect("time has passed");
        assert!((rate - 2_000.0).abs() < 0.1, "{rate}");
        rate_between(&last, &last).expect_err("no time has passed");
    }
}
