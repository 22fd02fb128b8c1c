//! The table of everything that can be set, a file a section.

mod access;
mod commands;
mod database;
mod lane;
mod limits;
mod logs;
mod projectors;
mod rate_limits;
mod server;
mod tls;
mod tokens;

use std::sync::LazyLock;

use super::key::{Expected, Key};

/// An hour: a timeout beyond it is a slip of the pen.
const TIMEOUT_MS_MAX: u32 = 60 * 60 * 1000;

/// Every setting, in the order of the documentation.
pub(crate) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let sections = [
        server::KEYS,
        tls::KEYS,
        limits::KEYS,
        access::KEYS,
        tokens::KEYS,
        rate_limits::KEYS,
        database::KEYS,
        commands::KEYS,
        lane::KEYS,
        projectors::KEYS,
        logs::KEYS,
    ];
    sections.concat()
});

fn expected(error: impl std::error::Error) -> Expected {
    error.to_string().into()
}
