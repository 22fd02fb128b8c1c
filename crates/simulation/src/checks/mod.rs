//! What must hold once a run is over: the history of the clients, the store and the model side by side.

mod answers;
mod effects;
mod reports;
mod tables;

use crate::world::World;
use effects::Effects;
pub(crate) use reports::check_report;

/// Checks everything; what does not hold is noted in `world`.
pub(crate) fn check(world: &World) {
    let (history, tables) = (world.history().clone(), world.tables().clone());
    let effects = Effects::replay(world, &history, &tables);
    tables::check(world, &effects, &tables);
    answers::check(world, &history, &effects, &tables);
}
