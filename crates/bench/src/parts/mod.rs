//! The parts of a run, each of which can be run alone: `--only PART`.

mod connections;
mod creates;
mod growth;
mod keys;
mod movements;
mod open_loop;
mod overhead;
mod overload;
mod reads;
mod timeline;

pub(crate) use self::connections::SWEEP;
pub(crate) use self::growth::POSTGRES_MILLIONS;
pub(crate) use self::keys::WITH_KEYS;
pub(crate) use self::overhead::TRACED_PERCENT;
pub(crate) use self::overload::{OVERLOAD_PERCENT, QUEUE};

use anyhow::Result;

use crate::bench::Bench;
use crate::{Kind, Part};

/// The connections that loads are compared at, but where something else is said.
pub(crate) const COMPARED: usize = 64;
/// How often in a round each of those that hardly differ has its turn: what else the machine does is then
/// shared out.
const TURNS: u32 = 4;
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
            if !is_measured(bench, part, kind, round) {
                continue;
            }
            match part {
                Part::Creates => creates::round(bench, kind, round).await?,
                Part::Movements => movements::round(bench, kind, round).await?,
                Part::Mix => movements::mix_round(bench, kind, round).await?,
                Part::Reads => reads::round(bench, kind, round).await?,
                Part::Keys => keys::round(bench, kind, round).await?,
                Part::Overhead => overhead::round(bench, kind, round).await?,
                Part::OpenLoop => open_loop::round(bench, kind, round).await?,
                Part::Overload => overload::round(bench, kind, round).await?,
                Part::Connections => connections::round(bench, kind, round).await?,
                Part::Growth | Part::Timeline | Part::Projections => {}
            }
        }
    }
    Ok(())
}

/// Targets are for PostgreSQL, but for one about creates: where both databases are measured, what
/// takes long is measured on SQLite in the first round alone, and not at all for a first impression.
fn is_measured(bench: &Bench, part: Part, kind: Kind, round: u32) -> bool {
    if kind == Kind::Postgres || part == Part::Creates || !bench.kinds.contains(&Kind::Postgres) {
        return true;
    }
    let takes_long = matches!(
        part,
        Part::Keys | Part::Overhead | Part::OpenLoop | Part::Overload | Part::Connections
    );
    !bench.quick && (round == 1 || !takes_long)
}
