//! What a setting is: its names, what it means, and how it is read into a [`Config`] and out of it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Config;

/// One setting.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// The heading it stands under in the documentation.
    pub(crate) section: &'static str,
    /// The environment variable.
    pub(crate) env: &'static str,
    /// The key in the TOML file.
    pub(crate) file: &'static str,
    /// What it does, with its unit: one sentence or two, in Markdown.
    pub(crate) doc: &'static str,
    /// Shown in the example file when there is no default to show.
    pub(crate) example: &'static str,
    /// Whether its value may hold a secret, and is never repeated in an error.
    pub(crate) secret: bool,
    /// How it is read into a [`Config`] and out of it.
    pub(crate) kind: Kind,
}

/// What would have been right, as the end of a sentence: "must be …".
pub(crate) type Expected = Cow<'static, str>;

/// What a setting holds. `get` is `None` where nothing is set and the default is a behaviour.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A text that something parses.
    Text { set: fn(&mut Config, &str) -> Result<(), Expected>, get: fn(&Config) -> String },
    /// A text that may be missing.
    MaybeText {
        set: fn(&mut Config, &str) -> Result<(), Expected>,
        get: fn(&Config) -> Option<String>,
    },
    /// A whole number within bounds.
    Whole {
        min: u32,
        max: u32,
        unit: &'static str,
        set: fn(&mut Config, u32),
        get: fn(&Config) -> Option<u32>,
    },
    /// A time in whole units within bounds.
    Time {
        unit: TimeUnit,
        min: u32,
        max: u32,
        set: fn(&mut Config, Duration),
        get: fn(&Config) -> Duration,
    },
    /// True or false.
    Switch { set: fn(&mut Config, bool), get: fn(&Config) -> bool },
}

/// What a time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Milliseconds,
    Seconds,
    Hours,
}

impl TimeUnit {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Hours => "hours",
        }
    }

    const fn one(self) -> Duration {
        match self {
            Self::Milliseconds => Duration::from_millis(1),
            Self::Seconds => Duration::from_secs(1),
            Self::Hours => Duration::from_secs(60 * 60),
        }
    }

    /// So many of it.
    pub(super) fn times(self, number: u32) -> Duration {
        self.one() * number
    }

    /// How many of it a time is; what is left over does not count.
    fn whole(self, time: Duration) -> u32 {
        let number = time.as_millis() / self.one().as_millis();
        u32::try_from(number)
            .expect("invariant: no time is set, or is a default, beyond the bounds")
    }
}

pub(super) const fn key(
    section: &'static str,
    env: &'static str,
    file: &'static str,
    doc: &'static str,
    kind: Kind,
) -> Key {
    Key { section, env, file, doc, example: "", secret: false, kind }
}

impl Key {
    pub(super) const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// What a setting holds, for those who print it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Text(String),
    Whole(u32),
    Switch(bool),
    Unset,
}

impl Key {
    /// Its value in `config`, without secrets.
    pub(crate) fn value(&self, config: &Config) -> Value {
        match self.kind {
            Kind::Text { get, .. } => Value::Text(get(config)),
            Kind::MaybeText { get, .. } => get(config).map_or(Value::Unset, Value::Text),
            Kind::Whole { get, .. } => get(config).map_or(Value::Unset, Value::Whole),
            Kind::Time { unit, get, .. } => Value::Whole(unit.whole(get(config))),
            Kind::Switch { get, .. } => Value::Switch(get(config)),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Switch(on) => on.fmt(f),
            Self::Unset => f.write_str("(not set)"),
        }
    }
}
