//! Refusals and reads: each must be the model's at one moment between its request and its answer, and
//! who asks after another was answered must not see an earlier moment.
//!
//! The moments are the numbers of effects so far. An observer takes the first that fits and is not
//! before that of anybody who had been answered when it asked. Taking the first leaves the others every
//! choice that they could have, so this finds an order if there is one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use serde_json::Value;

use super::effects::Asking;
use super::replay::same;
use super::timeline::Timeline;
use super::{Findings, asked};
use crate::command::{Action, Command};
use crate::history::{Asked, Entry, Outcome};
use crate::model;

/// An answer that tells what the wallets were.
struct Observer<'h> {
    entry: &'h Entry,
    invoked: u64,
    ended: u64,
}

pub(crate) fn check(
    history: &[Entry],
    commands: &BTreeMap<String, Asking<'_>>,
    timeline: &Timeline,
    findings: &mut Findings,
) {
    let mut observers: Vec<Observer<'_>> = Vec::new();
    for entry in history {
        match (&entry.asked, &entry.outcome) {
            (Asked::Read(read), Outcome::Ok(_)) if read.eventual => {
                check_eventual(&read.wallet, entry, timeline, findings);
            }
            (Asked::Read(_), Outcome::Ok(_) | Outcome::Refused(_)) => {
                observers.push(Observer { entry, invoked: entry.invoked, ended: entry.ended });
            }
            _ => {}
        }
    }
    for asking in commands.values() {
        refusals(asking, &mut observers);
    }
    place(observers, timeline, findings);
}

/// The refusals of a command that rest on the wallets. One that is kept with its key was decided once,
/// after it was first asked for, and before anyone was told; all others each time.
fn refusals<'h>(asking: &Asking<'h>, observers: &mut Vec<Observer<'h>>) {
    let mut kept: Option<Observer<'h>> = None;
    for entry in &asking.entries {
        let Outcome::Refused(said) = &entry.outcome else { continue };
        if asking.command.keyed && matches!(said.status, 409 | 422) {
            if kept.as_ref().is_none_or(|kept| entry.ended < kept.ended) {
                kept = Some(Observer { entry, invoked: asking.invoked, ended: entry.ended });
            }
        } else {
            observers.push(Observer { entry, invoked: entry.invoked, ended: entry.ended });
        }
    }
    observers.extend(kept);
}

/// Gives each observer its moment.
fn place(mut observers: Vec<Observer<'_>>, timeline: &Timeline, findings: &mut Findings) {
    observers.sort_unstable_by_key(|observer| observer.invoked);
    // Who has a moment and was not answered yet, the first to be answered on top.
    let mut open: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut floor = 0;
    for observer in observers {
        while let Some(Reverse((ended, moment))) = open.peek().copied() {
            if ended >= observer.invoked {
                break;
            }
            floor = floor.max(moment);
            open.pop();
        }
        let (least, most) = timeline.window(observer.invoked, observer.ended);
        let wallets = wallets_of(&observer.entry.asked);
        let moments = timeline.moments(&wallets, least.max(floor), most);
        let fitting = moments
            .iter()
            .find(|moment| **moment <= most && is_true(observer.entry, timeline, **moment));
        match fitting {
            Some(moment) => open.push(Reverse((observer.ended, *moment))),
            None => {
                let kind = match &observer.entry.asked {
                    Asked::Read(_) => "read",
                    Asked::Command(_) => "refusal",
                };
                let (asked, told) = (asked(observer.entry), &observer.entry.outcome);
                let then: Vec<_> = wallets
                    .iter()
                    .flat_map(|wallet| {
                        [timeline.state(wallet, least), timeline.state(wallet, most)]
                    })
                    .collect();
                findings.add(
                    kind,
                    format!("{asked} was told {told:?}, true at no moment; it was {then:?}"),
                );
            }
        }
    }
}

fn wallets_of(asked: &Asked) -> Vec<&str> {
    match asked {
        Asked::Read(read) => vec![&read.wallet],
        Asked::Command(command) => match &command.action {
            Action::Create { wallet, .. } => wallet.iter().map(String::as_str).collect(),
            Action::Credit { wallet, .. } | Action::Debit { wallet, .. } => vec![wallet],
            Action::Transfer { from, to, .. } => vec![from, to],
        },
    }
}

/// Whether what was told is what the wallets were after so many effects.
fn is_true(entry: &Entry, timeline: &Timeline, moment: usize) -> bool {
    match (&entry.asked, &entry.outcome) {
        (Asked::Read(read), Outcome::Ok(said)) => {
            let body: Value = serde_json::from_str(&said.body).unwrap_or_default();
            let state = timeline.state(&read.wallet, moment);
            state.is_some_and(|state| same(&body, &(read.wallet.clone(), state.clone())).is_ok())
        }
        (Asked::Read(read), Outcome::Refused(said)) => {
            said.status == 404 && timeline.state(&read.wallet, moment).is_none()
        }
        (Asked::Command(command), Outcome::Refused(said)) => {
            refused_as(command, timeline, moment) == Some(&*said.code())
        }
        _ => false,
    }
}

fn refused_as(command: &Command, timeline: &Timeline, moment: usize) -> Option<&'static str> {
    model::decide(command, "", |wallet| timeline.state(wallet, moment).cloned()).err()
}

/// A projection may be behind, but shows only what was: some state that had been asked for by then.
fn check_eventual(wallet: &str, entry: &Entry, timeline: &Timeline, findings: &mut Findings) {
    let Outcome::Ok(said) = &entry.outcome else { return };
    let body: Value = serde_json::from_str(&said.body).unwrap_or_default();
    let (_, most) = timeline.window(entry.invoked, entry.ended);
    let was = timeline.moments(&[wallet], 0, most).into_iter().any(|moment| {
        let state = timeline.state(wallet, moment);
        state.is_some_and(|state| same(&body, &(wallet.to_owned(), state.clone())).is_ok())
    });
    if !was {
        findings.add("eventual read", format!("{wallet} was never {}", said.body));
    }
}
