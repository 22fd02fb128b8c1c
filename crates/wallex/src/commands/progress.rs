//! How far an operation has come, as it goes: a bar on a terminal, lines of JSON elsewhere. All of
//! it on stderr, so that stdout has the report alone.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wallex_http_actix::admin_json::ProgressJson;
use wallex_ports::{Operation, OperationKind};

use super::units::{count, time};
use crate::cli::ProgressArgs;

const BAR: &str = "{bar:32} {percent:>3} %  {wide_msg}";
/// Looks for each line of JSON: five lines a second would be too many.
const LOOKS_PER_LINE: u32 = 5;

/// Where progress is shown.
pub(super) enum View {
    /// Redrawn on a terminal.
    Bar(ProgressBar),
    /// A line now and then: how many looks ago the last one was.
    Lines(u32),
    /// Nowhere.
    Quiet,
}

impl View {
    /// As the arguments and stderr are.
    pub(super) fn new(arguments: ProgressArgs) -> Self {
        match (arguments.quiet, io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => {
                let style = ProgressStyle::with_template(BAR)
                    .expect("invariant: the template is a constant")
                    .progress_chars("=> ");
                Self::Bar(ProgressBar::no_length().with_style(style))
            }
            (false, false) => Self::Lines(0),
        }
    }

    /// Shows how far `operation` has come.
    pub(super) fn show(&mut self, operation: &Operation) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(operation.progress.total);
                bar.set_position(operation.progress.done);
                bar.set_message(sentence(operation));
            }
            Self::Lines(looks) => {
                if *looks == 0 {
                    eprintln!("{}", line(operation));
                }
                *looks = (*looks + 1) % LOOKS_PER_LINE;
            }
            Self::Quiet => {}
        }
    }

    /// Says something beside it.
    pub(super) fn say(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.println(text),
            Self::Lines(_) => eprintln!("{}", serde_json::json!({ "message": text })),
            Self::Quiet => {}
        }
    }

    /// Shows where it ended; of a bar nothing stays.
    pub(super) fn end(self, operation: &Operation) {
        match self {
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines(_) => eprintln!("{}", line(operation)),
            Self::Quiet => {}
        }
    }
}

/// What an operation counts.
pub(super) const fn counts(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Rebuild | OperationKind::Drift => "events",
        OperationKind::Retry => "dead letters",
    }
}

/// Done, total, rate and time left, for people.
fn sentence(operation: &Operation) -> String {
    let progress = operation.progress;
    let mut text = format!(
        "{} of {} {}, {} a second",
        count(progress.done),
        count(progress.total),
        counts(operation.kind),
        count(progress.per_second()),
    );
    if let Some(left_ms) = progress.remaining_ms() {
        text.push_str(&format!(", {} left", time(left_ms)));
    }
    text
}

#[derive(Serialize)]
struct Line {
    operation: String,
    kind: &'static str,
    state: &'static str,
    progress: ProgressJson,
}

/// The same for machines.
fn line(operation: &Operation) -> String {
    let line = Line {
        operation: operation.id.to_string(),
        kind: operation.kind.as_str(),
        state: operation.state.as_str(),
        progress: operation.progress.into(),
    };
    serde_json::to_string(&line).expect("invariant: texts and integers always serialise")
}

#[cfg(test)]
mod tests {
    use wallex_ports::Progress;

    use super::*;
    use crate::commands::fakes::operation;

    #[test]
    fn people_are_told_the_rate_and_the_time_left() {
        let mut operation = operation(OperationKind::Rebuild);
        operation.progress = Progress { done: 5_000, total: 20_000, wallets: 9, elapsed_ms: 500 };
        assert_eq!(sentence(&operation), "5,000 of 20,000 events, 10,000 a second, 1.5 s left");
        operation.progress = Progress::default();
        assert_eq!(sentence(&operation), "0 of 0 events, 0 a second");
    }

    #[test]
    fn machines_are_told_in_one_line() {
        let line = line(&operation(OperationKind::Drift));
        assert!(!line.contains('\n'));
        let json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&json["kind"], &json["state"]), (&"drift".into(), &"running".into()));
        assert_eq!(json["progress"]["total"], 200);
    }
}
