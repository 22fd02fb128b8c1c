//! Logs and metrics.

use tracing_subscriber::filter::LevelFilter;

use super::TIMEOUT_MS_MAX;
use crate::config::LogFormat;
use crate::config::key::TimeUnit::Milliseconds;
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Logs and metrics";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "WALLEX_LOG",
        "log",
        "What is logged to stderr: a level (`error`, `warn`, `info`, `debug`, `trace`, \
         `off`), or directives such as `info,wallex_application=debug`.",
        Kind::Text {
            set: |config, text| {
                check_filter(text)?;
                text.clone_into(&mut config.log_filter);
                Ok(())
            },
            get: |config| config.log_filter.clone(),
        },
    ),
    key(
        SECTION,
        "WALLEX_LOG_FORMAT",
        "log_format",
        "`pretty`, `json`, or `auto`: pretty on a terminal, JSON otherwise.",
        Kind::Text {
            set: |config, text| {
                config.log_format = log_format(text).ok_or("must be auto, pretty or json")?;
                Ok(())
            },
            get: |config| log_format_name(config.log_format).to_owned(),
        },
    ),
    key(
        SECTION,
        "WALLEX_LOG_SLOW_MS",
        "log_slow_ms",
        "From how many milliseconds on a request is slow, and its line a warning.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.api.slow_from = time,
            get: |config| config.api.slow_from,
        },
    ),
    key(
        SECTION,
        "WALLEX_METRICS",
        "metrics",
        "Whether anything is measured. When off, `/metrics` answers 404, and no alert can be raised.",
        Kind::Switch { set: |config, on| config.metrics = on, get: |config| config.metrics },
    ),
];

/// Levels and directives, and no more: to a parser of directives any other text, a level with a typing
/// error among them, is a target, and everything else is silent.
fn check_filter(text: &str) -> Result<(), &'static str> {
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let is_target = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-:".contains(c))
    };
    let is_directive = |part: &str| match part.split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(part),
    };
    if text.split(',').all(is_directive) {
        return Ok(());
    }
    Err("must be a level, as info, or directives, as info,wallex_application=debug")
}

fn log_format(text: &str) -> Option<LogFormat> {
    [LogFormat::Auto, LogFormat::Pretty, LogFormat::Json]
        .into_iter()
        .find(|format| log_format_name(*format) == text)
}

fn log_format_name(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Auto => "auto",
        LogFormat::Pretty => "pretty",
        LogFormat::Json => "json",
    }
}
