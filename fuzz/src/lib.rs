//! The targets of the configuration, which is part of a binary and so can't be built upon.

#[path = "../../crates/wallex/src/config/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the binary uses all of it")]
mod config;

/// See `config::fuzz`.
pub fn config_file(data: &[u8]) {
    config::fuzz::config_file(data);
}

/// See `config::fuzz`.
pub fn environment(data: &[u8]) {
    config::fuzz::environment(data);
}
