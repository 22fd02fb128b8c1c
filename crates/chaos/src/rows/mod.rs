//! The matrix: what is injected, row by row. What must hold afterwards is in `trial.rs` and `checker`.

mod bad_input;
mod clients;
mod clock;
mod disks;
mod frozen;
mod kill;
mod migration;
mod network;
mod nodes;
mod pool;
mod postgres;
mod projector;
mod shutdown;
mod stored;

use anyhow::Result;
use wallex_testkit::Backend;

use crate::context::Context;
use crate::trial::Verdict;

/// What became of a row on a database.
#[derive(Debug, Clone)]
pub(crate) enum Ran {
    /// It ran, and this is what was found.
    Done(Verdict),
    /// It says nothing about this database.
    NotMeant,
    /// This machine, or this build, can't do it.
    NotRun(String),
}

/// The rows, as the specification numbers and words them.
pub(crate) const ROWS: &[(u8, &str)] = &[
    (1, "kill -9 the server at random moments, and around COMMIT"),
    (2, "kill -9 in the middle of a batch"),
    (3, "kill -9 a projector between effect and checkpoint"),
    (4, "a slow transaction holds an early position"),
    (5, "PostgreSQL stopped with `-m immediate`, restarted"),
    (6, "all backends terminated"),
    (7, "the network to the database cut, slowed, half-open"),
    (8, "COMMIT's answer swallowed"),
    (9, "clients that hang up in mid-request"),
    (10, "a disk that is slow"),
    (11, "a disk that is full, then freed"),
    (12, "power cut"),
    (13, "a row edited or deleted at rest"),
    (14, "pool exhausted, 500 clients"),
    (15, "a node's clock more than an hour off"),
    (16, "two nodes, 200 times the same key"),
    (17, "two nodes drain one wallet"),
    (18, "a projector frozen for longer than its lease, continued"),
    (19, "an event of unknown type or broken JSON"),
    (20, "a later migration under load, interrupted"),
    (21, "odd headers, lengths and bodies"),
    (22, "slow heads, slow bodies, silent sockets"),
    (23, "odd fields and values"),
    (24, "thousands of connections"),
    (25, "SIGTERM under load"),
];

/// Runs a row on a database.
pub(crate) async fn run(row: u8, cx: &Context, backend: Backend) -> Result<Ran> {
    match row {
        1 => Box::pin(kill::around_commit(cx, backend)).await,
        2 => Box::pin(kill::in_a_batch(cx, backend)).await,
        3 => Box::pin(projector::killed(cx, backend)).await,
        4 => Box::pin(postgres::early_position(cx, backend)).await,
        5 => Box::pin(postgres::crash(cx, backend)).await,
        6 => Box::pin(postgres::terminated(cx, backend)).await,
        7 => Box::pin(network::broken(cx, backend)).await,
        8 => Box::pin(network::answer_swallowed(cx, backend)).await,
        9 => Box::pin(clients::hang_up(cx, backend)).await,
        10 => Box::pin(disks::slow(cx, backend)).await,
        11 => Box::pin(disks::full(cx, backend)).await,
        12 => Box::pin(disks::without_power(cx, backend)).await,
        13 => Box::pin(stored::tampered(cx, backend)).await,
        14 => Box::pin(pool::exhausted(cx, backend)).await,
        15 => Box::pin(clock::off(cx, backend)).await,
        16 => Box::pin(nodes::one_key(cx, backend)).await,
        17 => Box::pin(nodes::drain(cx, backend)).await,
        18 => Box::pin(frozen::frozen(cx, backend)).await,
        19 => Box::pin(stored::unreadable(cx, backend)).await,
        20 => Box::pin(migration::interrupted(cx, backend)).await,
        21 => Box::pin(bad_input::requests(cx, backend)).await,
        22 => Box::pin(clients::slow(cx, backend)).await,
        23 => Box::pin(bad_input::values(cx, backend)).await,
        24 => Box::pin(clients::many(cx, backend)).await,
        25 => Box::pin(shutdown::under_load(cx, backend)).await,
        _ => Ok(Ran::NotRun("there is no such row".to_owned())),
    }
}
