//! Commands and their effects: who asked for what is stored.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Findings;
use crate::command::{Action, Command};
use crate::history::{Asked, Entry, Outcome};
use crate::tables::Event;

/// A command, and every time that it was sent.
#[derive(Debug)]
pub(crate) struct Asking<'h> {
    pub(crate) command: Arc<Command>,
    pub(crate) entries: Vec<&'h Entry>,
    /// When it was first sent.
    pub(crate) invoked: u64,
}

impl Asking<'_> {
    /// When a client first knew that it was done.
    pub(crate) fn acknowledged(&self) -> Option<u64> {
        let done = |entry: &&&Entry| matches!(entry.outcome, Outcome::Ok(_));
        self.entries.iter().filter(done).map(|entry| entry.ended).min()
    }
}

/// The commands of `history` by their marks.
pub(crate) fn commands(history: &[Entry]) -> BTreeMap<String, Asking<'_>> {
    let mut commands: BTreeMap<String, Asking<'_>> = BTreeMap::new();
    for entry in history {
        let Asked::Command(command) = &entry.asked else { continue };
        let asking = commands.entry(command.mark.clone()).or_insert_with(|| Asking {
            command: Arc::clone(command),
            entries: Vec::new(),
            invoked: entry.invoked,
        });
        asking.invoked = asking.invoked.min(entry.invoked);
        asking.entries.push(entry);
    }
    commands
}

/// What a command has done: its events, in the order of their positions.
#[derive(Debug)]
pub(crate) struct Effect<'t> {
    pub(crate) mark: String,
    pub(crate) events: Vec<&'t Event>,
}

/// The effects in the order of their positions. Finds what nobody asked for, what was done twice or
/// by halves, and where answers and effects contradict each other.
pub(crate) fn trace<'t>(
    commands: &BTreeMap<String, Asking<'_>>,
    events: &'t [Event],
    findings: &mut Findings,
) -> Vec<Effect<'t>> {
    let mut effects: Vec<Effect<'t>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for event in events {
        let place = *places.entry(&event.mark).or_insert(effects.len());
        match effects.get_mut(place) {
            Some(effect) => effect.events.push(event),
            None => effects.push(Effect { mark: event.mark.clone(), events: vec![event] }),
        }
    }
    effects.retain(|effect| match commands.get(&effect.mark) {
        Some(asking) => {
            check_shape(&asking.command, effect, findings);
            check_denials(asking, findings);
            true
        }
        None => {
            findings.add("effects", format!("nobody asked for {:?}", effect.events));
            false
        }
    });
    for (mark, asking) in commands {
        if asking.acknowledged().is_some() && !places.contains_key(&**mark) {
            findings.add("lost", format!("acknowledged and not there: {}", asking.command));
        }
    }
    effects
}

/// Checks that an effect is what its command does, once.
fn check_shape(command: &Command, effect: &Effect<'_>, findings: &mut Findings) {
    let events = &effect.events;
    let of = |kind: &str, wallet: Option<&str>, amount: i64| {
        let fits = |event: &&&Event| {
            event.place.kind == kind
                && wallet.is_none_or(|wallet| event.place.wallet == wallet)
                && event.amount == amount
        };
        events.iter().filter(fits).count()
    };
    let (expected, fitting) = match &command.action {
        Action::Create { wallet, balance, .. } => {
            (1, of("WalletCreated", wallet.as_deref(), *balance))
        }
        Action::Credit { wallet, amount } => (1, of("WalletCredited", Some(wallet), *amount)),
        Action::Debit { wallet, amount } => (1, of("WalletDebited", Some(wallet), *amount)),
        Action::Transfer { from, to, amount } => {
            let out = of("WalletDebited", Some(from), *amount);
            let into = of("WalletCredited", Some(to), *amount);
            (2, if out == into { out + into } else { 0 })
        }
    };
    if events.len() > expected {
        findings.add("one effect", format!("{command} was done more than once: {events:?}"));
    } else if fitting != expected || !legs_agree(&command.action, events) {
        findings.add("effects", format!("{command} has another effect: {events:?}"));
    }
}

/// Whether the legs of a transfer name each other, and nothing else has legs.
fn legs_agree(action: &Action, events: &[&Event]) -> bool {
    let Action::Transfer { .. } = action else {
        return events.iter().all(|event| event.transfer.is_none());
    };
    let [one, two] = events else { return false };
    let (Some(one_leg), Some(two_leg)) = (&one.transfer, &two.transfer) else { return false };
    one_leg.transfer == two_leg.transfer
        && one_leg.counterparty == two.place.wallet
        && two_leg.counterparty == one.place.wallet
}

/// Checks that a command with an effect was not denied: by a refusal that is kept with its key, or by
/// every answer that it ever got.
fn check_denials(asking: &Asking<'_>, findings: &mut Findings) {
    let denied = |entry: &&Entry| match &entry.outcome {
        // Without a key every sending is a command of its own, and none is sent twice.
        Outcome::Refused(said) => !asking.command.keyed || matches!(said.status, 409 | 422),
        _ => false,
    };
    if let Some(entry) = asking.entries.iter().copied().find(denied) {
        let told = &entry.outcome;
        findings.add("denied", format!("refused and done: {} was told {told:?}", asking.command));
    }
    if asking.entries.iter().all(|entry| matches!(entry.outcome, Outcome::NotDone(_))) {
        let told = &asking.entries[0].outcome;
        let command = &asking.command;
        findings.add("denied", format!("said not to be done, and done: {command}, {told:?}"));
    }
}
