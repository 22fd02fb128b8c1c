//! The parts of a run, each of which can be run alone: `--only PART`.

mod connections;
mod creates;
mod growth;
mod movements;
mod open_loop;
mod overload;
mod reads;
mod timeline;

pub(crate) use self::connections::SWEEP;
pub(crate) use self::growth::POSTGRES_MILLIONS;
pub(crate) use self::overload::OVERLOAD_PERCENT;

use anyhow::Result;

use crate::Part;
use crate::bench::Bench;

/// The connections that loads are compared at, but where something else is said.
pub(crate) const COMPARED: usize = 64;
/// With so many the server's batches are fullest, where nothing waits for long.
pub(crate) const MANY: usize = 256;

/// Runs `part` in all its rounds.
pub(crate) async fn run(bench: &mut Bench, part: Part) -> Result<()> {
    match part {
        Part::Growth => return growth::run(bench).await,
        Part::Timeline => return timeline::run(bench).await,
        _ => {}
    }
    for round in 1..=bench.rounds {
        for kind in bench.kinds.clone() {
            match part {
                Part::Creates => creates::round(bench, kind, round).await?,
                Part::Movements => movements::round(bench, kind, round).await?,
                Part::Mix => movements::mix_round(bench, kind, round).await?,
                Part::Reads => reads::round(bench, kind, round).await?,
                Part::OpenLoop => open_loop::round(bench, kind, round).await?,
                Part::Overload => overload::round(bench, kind, round).await?,
                Part::Connections => connections::round(bench, kind, round).await?,
                Part::Growth | Part::Timeline | Part::Projections => {}
            }
        }
    }
    Ok(())
}
