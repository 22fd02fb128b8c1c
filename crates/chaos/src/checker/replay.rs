//! The effects in the order of their positions, against the model, the answers, and real time.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Findings;
use super::effects::{Asking, Effect};
use super::timeline::Timeline;
use crate::command::{Action, Command};
use crate::history::{Outcome, Said};
use crate::model::{self, State};

/// Replays `effects`; the timeline is that of what is stored, where the model says otherwise.
pub(crate) fn replay(
    commands: &BTreeMap<String, Asking<'_>>,
    effects: &[Effect<'_>],
    findings: &mut Findings,
) -> Timeline {
    let mut timeline = Timeline::default();
    let mut latest_invoked: Option<(u64, &str)> = None;
    for (before, effect) in effects.iter().enumerate() {
        let asking = &commands[&effect.mark];
        let stored = stored(effect, asking, &timeline, before);
        let made = effect.events.first().map_or("", |event| &event.place.wallet);
        let state = |wallet: &str| timeline.state(wallet, before).cloned();
        match model::decide(&asking.command, made, state) {
            Ok(change) if change == stored => {}
            Ok(change) => findings.add(
                "replay",
                format!("{} makes {change:?}, stored is {stored:?}", asking.command),
            ),
            Err(refusal) => findings.add(
                "replay",
                format!("{} must be refused ({refusal}), stored is {stored:?}", asking.command),
            ),
        }
        check_answers(asking, effect, &stored, findings);
        let acknowledged = asking.acknowledged();
        // An effect is later than all that began after it had ended.
        if let (Some(ended), Some((invoked, earlier))) = (acknowledged, latest_invoked)
            && ended < invoked
        {
            let mark = &effect.mark;
            findings.add("real time", format!("{mark} had ended before {earlier} began"));
        }
        if latest_invoked.is_none_or(|(invoked, _)| asking.invoked > invoked) {
            latest_invoked = Some((asking.invoked, &effect.mark));
        }
        timeline.push(stored, asking.invoked, acknowledged);
    }
    timeline.finish();
    timeline
}

/// The wallets as the effect's events leave them.
fn stored(
    effect: &Effect<'_>,
    asking: &Asking<'_>,
    timeline: &Timeline,
    before: usize,
) -> Vec<(String, State)> {
    let states = effect.events.iter().map(|event| {
        let wallet = event.place.wallet.clone();
        let owner = match &asking.command.action {
            Action::Create { .. } => event.mark.clone(),
            _ => timeline.state(&wallet, before).map_or_else(String::new, |s| s.owner.clone()),
        };
        let state = State {
            owner,
            currency: event.currency.clone(),
            balance: event.balance_after,
            version: event.place.version.unsigned_abs(),
        };
        (wallet, state)
    });
    states.collect()
}

/// Checks that every answer that said "done" said what was done.
fn check_answers(
    asking: &Asking<'_>,
    effect: &Effect<'_>,
    stored: &[(String, State)],
    findings: &mut Findings,
) {
    for entry in &asking.entries {
        let Outcome::Ok(said) = &entry.outcome else { continue };
        if let Err(wrong) = fits(&asking.command, said, effect, stored) {
            let (command, body) = (&asking.command, &said.body);
            findings.add("answer", format!("{command} was told {body}: {wrong}, not {stored:?}"));
        }
    }
}

fn fits(
    command: &Command,
    said: &Said,
    effect: &Effect<'_>,
    stored: &[(String, State)],
) -> Result<(), &'static str> {
    let body: Value = serde_json::from_str(&said.body).map_err(|_| "not JSON")?;
    let first = stored.first().ok_or("nothing is stored")?;
    match &command.action {
        Action::Transfer { .. } => {
            let transfer = effect.events[0].transfer.as_ref().map(|leg| &*leg.transfer);
            if body["transferId"].as_str() != transfer {
                return Err("another transfer");
            }
            let second = stored.get(1).ok_or("one leg is stored")?;
            same(&body["fromWallet"], first)?;
            same(&body["toWallet"], second)?;
        }
        _ => same(&body, first)?,
    }
    let created = matches!(command.action, Action::Create { .. });
    let location = created.then(|| format!("/wallets/{}", first.0));
    if said.status != if created { 201 } else { 200 } || said.location != location {
        return Err("another status or location");
    }
    if said.etag.as_deref() != Some(&*format!("\"{}\"", first.1.version)) {
        return Err("another entity tag");
    }
    Ok(())
}

/// Whether a wallet as it is answered is this one.
pub(crate) fn same(body: &Value, (wallet, state): &(String, State)) -> Result<(), &'static str> {
    let said = State {
        owner: body["ownerId"].as_str().unwrap_or_default().to_owned(),
        currency: body["currency"].as_str().unwrap_or_default().to_owned(),
        balance: body["balance"].as_i64().ok_or("no balance")?,
        version: body["version"].as_u64().ok_or("no version")?,
    };
    let same = body["id"] == **wallet && said == *state;
    if same { Ok(()) } else { Err("another state") }
}
