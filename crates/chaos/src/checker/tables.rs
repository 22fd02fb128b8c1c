//! What the tables must keep among themselves, whoever asked for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Findings;
use crate::model::State;
use crate::tables::{Event, Line, Place, Tables};

pub(crate) fn check(tables: &Tables, findings: &mut Findings) {
    check_positions(tables, findings);
    check_outbox(tables, findings);
    let states = fold(&tables.events, findings);
    check_states("state", &states, &tables.streams, findings);
    check_states("read model", &states, &tables.read_model, findings);
    check_sums(tables, findings);
    check_ledger(tables, findings);
    if tables.lag != 0 {
        findings.add("projections", format!("{} events are never applied", tables.lag));
    }
    if tables.parked != 0 {
        findings.add("projections", format!("{} wallets are parked", tables.parked));
    }
}

/// Positions count from 1 to the head without a hole.
fn check_positions(tables: &Tables, findings: &mut Findings) {
    let positions = tables.events.iter().map(|event| event.place.position);
    if !positions.eq(1..=tables.head) {
        let (found, head) = (tables.events.len(), tables.head);
        findings.add("positions", format!("{found} events do not fill positions 1 to {head}"));
    }
    let ids: BTreeSet<&str> = tables.events.iter().map(|event| &*event.place.event_id).collect();
    if ids.len() != tables.events.len() {
        findings.add("positions", "an event id is there twice");
    }
}

/// Each event has one outbox row, and each row an event.
fn check_outbox(tables: &Tables, findings: &mut Findings) {
    let mut open: HashMap<&Place, i32> = HashMap::new();
    for event in &tables.events {
        *open.entry(&event.place).or_default() += 1;
    }
    for row in &tables.outbox {
        *open.entry(row).or_default() -= 1;
    }
    for (place, left) in open.into_iter().filter(|(_, left)| *left != 0) {
        let what = if left > 0 { "no outbox row" } else { "an outbox row too many" };
        findings.add("outbox", format!("{what}: {place:?}"));
    }
}

/// The wallets as their events make them; versions count from 1, balances follow and stay in bounds.
fn fold(events: &[Event], findings: &mut Findings) -> BTreeMap<String, State> {
    let mut states: BTreeMap<String, State> = BTreeMap::new();
    for event in events {
        let place = &event.place;
        let version = place.version.unsigned_abs();
        match states.get_mut(&place.wallet) {
            None => {
                if place.kind != "WalletCreated" || version != 1 {
                    findings.add("versions", format!("a history that begins so: {place:?}"));
                }
                let (owner, currency) = (event.mark.clone(), event.currency.clone());
                let state = State { owner, currency, balance: event.balance_after, version };
                states.insert(place.wallet.clone(), state);
            }
            Some(state) => {
                if version != state.version + 1 || place.kind == "WalletCreated" {
                    findings.add("versions", format!("{place:?} follows {state:?}"));
                }
                if state.balance + event.sum() != event.balance_after {
                    findings.add("balances", format!("{event:?} does not follow {state:?}"));
                }
                (state.version, state.balance) = (version, event.balance_after);
            }
        }
        if event.balance_after < 0 {
            findings.add("balances", format!("below zero: {event:?}"));
        }
    }
    states
}

/// Rows are what the events make, no more and no less.
fn check_states(
    check: &'static str,
    expected: &BTreeMap<String, State>,
    rows: &[(String, State)],
    findings: &mut Findings,
) {
    let found: BTreeMap<&str, &State> = rows.iter().map(|(id, state)| (&**id, state)).collect();
    for (wallet, state) in expected {
        if found.get(&**wallet) != Some(&state) {
            let found = found.get(&**wallet);
            findings
                .add(check, format!("{wallet} is {state:?} by its events, stored is {found:?}"));
        }
    }
    for wallet in found.keys().filter(|wallet| !expected.contains_key(**wallet)) {
        findings.add(check, format!("{wallet} has a row and no events"));
    }
}

/// For each currency: balances are openings, credits and debits; what left by transfers came in.
fn check_sums(tables: &Tables, findings: &mut Findings) {
    #[derive(Default)]
    struct Sums {
        events: i128,
        balances: i128,
        transfers: i128,
    }
    let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
    for event in &tables.events {
        let of_currency = sums.entry(&event.currency).or_default();
        of_currency.events += i128::from(event.sum());
        if event.transfer.is_some() {
            of_currency.transfers += i128::from(event.sum());
        }
    }
    for (_, state) in &tables.streams {
        sums.entry(&state.currency).or_default().balances += i128::from(state.balance);
    }
    for (currency, Sums { events, balances, transfers }) in sums {
        if events != balances || transfers != 0 {
            findings.add(
                "sums",
                format!("{currency}: events {events}, balances {balances}, transfers {transfers}"),
            );
        }
    }
}

/// Each event has one line in the ledger, which says what it says.
fn check_ledger(tables: &Tables, findings: &mut Findings) {
    let mut lines: HashMap<&str, &Line> = HashMap::new();
    for line in &tables.ledger {
        if lines.insert(&line.place.event_id, line).is_some() {
            findings.add("ledger", format!("a second line: {line:?}"));
        }
    }
    for event in &tables.events {
        match lines.remove(&*event.place.event_id) {
            Some(line) if *line == line_of(event) => {}
            line => findings.add("ledger", format!("{event:?} has the line {line:?}")),
        }
    }
    for line in lines.values() {
        findings.add("ledger", format!("a line without an event: {line:?}"));
    }
}

fn line_of(event: &Event) -> Line {
    let kind = match (&*event.place.kind, &event.transfer) {
        ("WalletCreated", _) => "opening",
        ("WalletCredited", None) => "credit",
        ("WalletCredited", Some(_)) => "transfer_in",
        ("WalletDebited", None) => "debit",
        _ => "transfer_out",
    };
    Line {
        place: Place { kind: kind.to_owned(), ..event.place.clone() },
        amount: event.amount,
        balance_after: event.balance_after,
        currency: event.currency.clone(),
        transfer: event.transfer.clone(),
    }
}
