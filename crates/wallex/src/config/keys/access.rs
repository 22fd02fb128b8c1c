//! Who comes in.

use crate::config::AuthMode;
use crate::config::key::TimeUnit::Milliseconds;
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Access";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "WALLEX_AUTH",
        "auth",
        "Whether a request needs a credential. `auto`: on a loopback address as soon as there is an \
         API key, on any other always, and the server refuses to start there while there is none. \
         `on`: always. `off`: never, and what is sent is not looked at: for a server behind \
         something that decides who comes in.",
        Kind::Text {
            set: |config, text| {
                config.auth = auth_mode(text).ok_or("must be auto, on or off")?;
                Ok(())
            },
            get: |config| auth_mode_name(config.auth).to_owned(),
        },
    ),
    key(
        SECTION,
        "WALLEX_ACCESS_POLL_MS",
        "access_poll_ms",
        "How often a server asks the database whether keys have changed, in milliseconds. A key that \
         is revoked lets nobody in after that time and one query.",
        Kind::Time {
            unit: Milliseconds,
            min: 50,
            max: 2_000,
            set: |config, time| config.access_poll = time,
            get: |config| config.access_poll,
        },
    ),
];

fn auth_mode(text: &str) -> Option<AuthMode> {
    [AuthMode::Auto, AuthMode::On, AuthMode::Off]
        .into_iter()
        .find(|mode| auth_mode_name(*mode) == text)
}

fn auth_mode_name(mode: AuthMode) -> &'static str {
    match mode {
        AuthMode::Auto => "auto",
        AuthMode::On => "on",
        AuthMode::Off => "off",
    }
}
