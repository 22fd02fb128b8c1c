//! `docs/CONFIGURATION.md` and `deploy/wallex.example.toml`, made from the table of settings.

use super::key::{Key, Kind, Value};
use super::{Config, KEYS};

const MARKDOWN_HEAD: &str = "\
# Configuration

<!-- Made by `wallex config --markdown`; a test holds this file against it. -->

Nothing has to be set. A value comes from, in rising order: the default, the TOML file, the
environment. The file is the one that `--config PATH` or `WALLEX_CONFIG` names, else `wallex.toml`
in the working directory when there is one; `deploy/wallex.example.toml` shows every key. A variable
that is set but empty counts as not set.

`wallex config` prints the effective values and where each came from, secrets hidden; `--json`
prints the same for machines. An unknown key of the file, an unknown variable that begins with
`WALLEX_` and a bad value stop the start, with one sentence each that says what would be right.
Variables that begin with `WALLEX_TEST_`, and those that Kubernetes makes for a service called
`wallex`, are let be.
";

const MARKDOWN_TAIL: &str = "
## Traces

Traces are exported by OTLP (HTTP, protobuf) when `OTEL_EXPORTER_OTLP_ENDPOINT` or
`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set. They are the standard variables of OpenTelemetry, and
have no key in the file:

| Variable | Meaning |
|---|---|
| `OTEL_EXPORTER_OTLP_ENDPOINT` | The collector, as `http://localhost:4318`; `/v1/traces` is added. |
| `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | The same for traces alone, used as it stands. |
| `OTEL_EXPORTER_OTLP_HEADERS` | Headers for the collector, as `key=value,key=value`. |
| `OTEL_EXPORTER_OTLP_TIMEOUT` | How long one export may take, in milliseconds; 10000. |
| `OTEL_SERVICE_NAME` | The service's name; `wallex`. |
| `OTEL_RESOURCE_ATTRIBUTES` | Further attributes, as `deployment.environment.name=prod`. |
| `OTEL_TRACES_SAMPLER` | `parentbased_always_on`, or another sampler of the specification. |
| `OTEL_TRACES_SAMPLER_ARG` | Its argument, the ratio of `parentbased_traceidratio` for one. |
| `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | The batches of the exporter. A full queue drops spans; it never holds up a command. |
| `OTEL_SDK_DISABLED` | `true` exports nothing. |

An incoming `traceparent` is continued in any case. `NO_COLOR` takes the colours from pretty logs.
";

const EXAMPLE_HEAD: &str = "\
# Wallex reads this file from `wallex.toml` in the working directory, or from where `--config PATH` or
# WALLEX_CONFIG says. Every key is shown with its default; environment variables win over the file.
# Made by `wallex config --example`.
";

/// `docs/CONFIGURATION.md`.
pub(crate) fn markdown() -> String {
    let mut text = MARKDOWN_HEAD.to_owned();
    for section in KEYS.chunk_by(|a, b| a.section == b.section) {
        text.push_str(&format!("\n## {}\n\n", section[0].section));
        text.push_str("| Variable | Key in the file | Default | Values | Meaning |\n");
        text.push_str("|---|---|---|---|---|\n");
        for key in section {
            text.push_str(&format!(
                "| `{}` | `{}` | {} | {} | {} |\n",
                key.env,
                key.file,
                match key.value(&Config::default()) {
                    Value::Unset => "not set".to_owned(),
                    value => format!("`{value}`"),
                },
                values(key),
                key.doc
            ));
        }
    }
    text.push_str(MARKDOWN_TAIL);
    text
}

/// `deploy/wallex.example.toml`.
pub(crate) fn example_file() -> String {
    let mut text = EXAMPLE_HEAD.to_owned();
    for section in KEYS.chunk_by(|a, b| a.section == b.section) {
        text.push_str(&format!("\n# --- {} ---\n", section[0].section));
        for key in section {
            text.push_str(&format!("\n{}", comment(&format!("{} ({})", key.doc, key.env))));
            let value = match key.value(&Config::default()) {
                Value::Text(text) => toml::Value::String(text).to_string(),
                Value::Unset => key.example.to_owned(),
                value => value.to_string(),
            };
            text.push_str(&format!("# {} = {value}\n", key.file));
        }
    }
    text
}

fn values(key: &Key) -> String {
    match key.kind {
        Kind::Text { .. } | Kind::MaybeText { .. } => "text".to_owned(),
        Kind::Whole { min, max, .. } | Kind::Time { min, max, .. } => {
            format!("{min} to {max}")
        }
        Kind::Switch { .. } => "`true` or `false`".to_owned(),
    }
}

/// `text` as comment lines of at most 100 characters.
fn comment(text: &str) -> String {
    const LINE_CHARS_MAX: usize = 100;
    let mut lines = vec!["#".to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("invariant: there is a first line");
        if line.chars().count() + 1 + word.chars().count() <= LINE_CHARS_MAX {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("# {word}"));
        }
    }
    lines.join("\n") + "\n"
}
