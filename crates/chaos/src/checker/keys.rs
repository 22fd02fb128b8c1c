//! One answer for each key.

use std::collections::{BTreeMap, HashMap};

use super::Findings;
use super::effects::Asking;
use crate::history::{Outcome, Said};
use crate::tables::Record;

pub(crate) fn check(
    commands: &BTreeMap<String, Asking<'_>>,
    records: &[Record],
    findings: &mut Findings,
) {
    let mut stored: HashMap<&str, &Record> = HashMap::new();
    for record in records {
        if stored.insert(&record.key, record).is_some() {
            findings.add("keys", format!("{} is stored twice", record.key));
        }
    }
    for (mark, asking) in commands.iter().filter(|(_, asking)| asking.command.keyed) {
        let kept: Vec<&Said> = asking.entries.iter().filter_map(|e| kept(&e.outcome)).collect();
        let Some(first) = kept.first() else { continue };
        if kept.iter().any(|said| said.repeatable() != first.repeatable()) {
            findings.add("replays", format!("{mark} was answered in several ways: {kept:?}"));
        }
        if kept.iter().filter(|said| !said.replayed).count() > 1 {
            findings
                .add("replays", format!("{mark} was answered for the first time twice: {kept:?}"));
        }
        match stored.get(&**mark) {
            Some(record) if is_of(record, first) => {}
            Some(record) => findings.add("keys", format!("{mark}: {record:?} is not {first:?}")),
            None => findings.add("keys", format!("{mark} was answered, and has no record")),
        }
    }
}

/// An answer that is kept with its key.
fn kept(outcome: &Outcome) -> Option<&Said> {
    match outcome {
        Outcome::Ok(said) => Some(said),
        Outcome::Refused(said) if matches!(said.status, 409 | 422) => Some(said),
        _ => None,
    }
}

fn is_of(record: &Record, said: &Said) -> bool {
    record.status == i64::from(said.status)
        && record.response == said.body
        && record.etag == said.etag.as_deref().unwrap_or_default()
        && record.location == said.location.as_deref().unwrap_or_default()
}
