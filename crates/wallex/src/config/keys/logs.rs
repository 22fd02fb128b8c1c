//! Logs and metrics.

use tracing_subscriber::filter::Targets;

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

/// Whether `text` is a level or directives. To a parser of directives any text names a target; none is
/// named with more than these characters.
fn check_filter(text: &str) -> Result<(), &'static str> {
    let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-:.,= ".contains(c));
    if is_name && text.parse::<Targets>().is_ok() {
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
