//! Whether what was answered and what is stored can be true together.
//!
//! | step | holds | file |
//! |---|---|---|
//! | effects | every stored event was asked for, once, in its shape; what was acknowledged is there, what was denied is not | `effects.rs` |
//! | replay | each effect, in the order of positions, is what a pure model of the wallets makes of it; each answer is the model's | `replay.rs` |
//! | order | what ended before another began has the lower position | `replay.rs` |
//! | observers | each refusal and each read is the model's at a moment between its request and its answer, and time never goes back | `observers.rs` |
//! | keys | one answer for each key, byte for byte, and it is the one that is stored | `keys.rs` |
//! | tables | positions, versions, outbox, states, sums, read model and ledger are what the events make | `tables.rs` |
//!
//! The order of effects is given by their positions, so that this is linear in the history, not a
//! search: a history of a million requests is checked in seconds.

mod effects;
mod keys;
mod observers;
mod replay;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;

use std::fmt;

use crate::history::{Asked, Entry, Outcome};
use crate::tables::Tables;

/// One of a kind is enough to fail a run; more of it say nothing new.
const SHOWN_MAX: usize = 5;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Which check found it.
    pub(crate) check: &'static str,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Violation>);

impl Findings {
    pub(crate) fn add(&mut self, check: &'static str, what: impl Into<String>) {
        self.0.push(Violation { check, what: what.into() });
    }

    pub(crate) fn extend(&mut self, violations: Vec<Violation>) {
        self.0.extend(violations);
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        self.0
    }
}

/// Everything that is wrong with a run whose faults are over, whose unknown outcomes were resolved,
/// and whose projections have caught up.
pub(crate) fn check(history: &[Entry], tables: &Tables) -> Vec<Violation> {
    let mut findings = Findings::default();
    for entry in history {
        if let Outcome::Wrong(answer) = &entry.outcome {
            findings.add("answer", format!("{}: {answer}", asked(entry)));
        }
    }
    for event in &tables.unreadable {
        findings.add("effects", format!("an event that can't be read: {event}"));
    }
    let commands = effects::commands(history);
    let effects = effects::trace(&commands, &tables.events, &mut findings);
    let timeline = replay::replay(&commands, &effects, &mut findings);
    observers::check(history, &commands, &timeline, &mut findings);
    keys::check(&commands, &tables.records, &mut findings);
    tables::check(tables, &mut findings);
    findings.into_violations()
}

fn asked(entry: &Entry) -> String {
    match &entry.asked {
        Asked::Command(command) => command.to_string(),
        Asked::Read(read) => format!("{read:?}"),
    }
}

/// The first violations of each kind, and how many there are.
pub(crate) fn shown(violations: &[Violation]) -> Vec<String> {
    let mut shown = Vec::new();
    let mut checks: Vec<&str> = violations.iter().map(|violation| violation.check).collect();
    checks.sort_unstable();
    checks.dedup();
    for check in checks {
        let of_it: Vec<_> =
            violations.iter().filter(|violation| violation.check == check).collect();
        shown.extend(of_it.iter().take(SHOWN_MAX).map(ToString::to_string));
        if of_it.len() > SHOWN_MAX {
            shown.push(format!("{check}: … and {} more", of_it.len() - SHOWN_MAX));
        }
    }
    shown
}
