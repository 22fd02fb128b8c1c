//! `wallex dead-letters`: wallets that a projector has parked, seen and settled.

use anyhow::{Context, anyhow};
use serde::Serialize;
use wallex_domain::TenantId;
use wallex_http_actix::admin_json::{
    DeadLetterDetailJson, DeadLetterJson, DeadLetterListJson, ReplayJson,
};
use wallex_ports::{DeadLetter, DeadLetterError, DeadLetters, Replay, StoredEvent, WalletKey};

use super::table::{Align, Table};
use super::units::{count, counted};
use super::{Outcome, Ports};
use crate::cli::{DeadLettersAction, Letter, Output, wallet_key};

/// Dead letters that one look at the database fetches.
const PAGE: u32 = 200;

/// Does what is asked.
///
/// # Errors
/// When there is no such dead letter, or the database fails.
pub(super) async fn run(ports: &Ports, action: &DeadLettersAction) -> anyhow::Result<Outcome> {
    let letters = ports.dead_letters.as_ref();
    match action {
        DeadLettersAction::List { projector, tenant, output } => {
            list(ports, tenant.as_ref(), projector.as_deref(), *output).await
        }
        DeadLettersAction::Show { letter, output } => {
            let (found, event) = show(letters, &letter.projector, &letter.wallet()).await?;
            Ok(Outcome::fine(if output.json {
                crate::pretty_json(&DeadLetterDetailJson::new(&found, event.as_ref()))?
            } else {
                detail(&found, event.as_ref())
            }))
        }
        DeadLettersAction::Replay {
            projector: Some(projector),
            wallet: Some(id),
            tenant,
            output,
            ..
        } => {
            let wallet = wallet_key(id, tenant);
            let replay = letters.replay(projector, &wallet).await;
            let replay = replay.map_err(|error| refused(projector, &wallet, error))?;
            settled(&replay, projector, &wallet, *output)
        }
        DeadLettersAction::Replay { output, .. } => replay_all(letters, *output).await,
        DeadLettersAction::Discard {
            letter,
            yes: true,
            version: Some(version),
            reason: Some(reason),
            output,
        } => {
            let wallet = letter.wallet();
            let replay = letters.discard(&letter.projector, &wallet, *version, reason).await;
            let replay = replay.map_err(|error| refused(&letter.projector, &wallet, error))?;
            settled(&replay, &letter.projector, &wallet, *output)
        }
        DeadLettersAction::Discard { letter, .. } => would_discard(letters, letter).await,
    }
}

async fn list(
    ports: &Ports,
    tenant: Option<&TenantId>,
    projector: Option<&str>,
    output: Output,
) -> anyhow::Result<Outcome> {
    if let Some(name) = projector {
        // A misspelt name should not read as "nothing is parked".
        let statuses = ports.projectors.status().await.context("can't see the projectors")?;
        if !statuses.iter().any(|status| status.projector == name) {
            return Err(anyhow!("there is no projector {name:?}: see `wallex projectors list`"));
        }
    }
    let letters = all(ports.dead_letters.as_ref(), tenant, projector).await?;
    Ok(Outcome::fine(if output.json {
        crate::pretty_json(&DeadLetterListJson::new(&letters, None))?
    } else {
        table(&letters)
    }))
}

/// Every dead letter, page by page.
async fn all(
    letters: &dyn DeadLetters,
    tenant: Option<&TenantId>,
    projector: Option<&str>,
) -> anyhow::Result<Vec<DeadLetter>> {
    let mut found: Vec<DeadLetter> = Vec::new();
    loop {
        let after = found.last().map(|last| (last.projector.as_str(), &last.wallet));
        let page = letters.list(tenant, projector, after, PAGE).await;
        let page = page.context("can't see dead letters")?;
        let is_last = page.len() < PAGE as usize;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

async fn show(
    letters: &dyn DeadLetters,
    projector: &str,
    wallet: &WalletKey,
) -> anyhow::Result<(DeadLetter, Option<StoredEvent>)> {
    letters.show(projector, wallet).await.map_err(|error| refused(projector, wallet, error))
}

/// What was wrong with what was asked, in words.
fn refused(projector: &str, wallet: &WalletKey, error: DeadLetterError) -> anyhow::Error {
    match error {
        DeadLetterError::NotParked => {
            anyhow!(
                "{projector} has not parked wallet {}: see `wallex dead-letters list`",
                wallet.wallet_id
            )
        }
        DeadLetterError::Moved(letter) => anyhow!(plain(&format!(
            "{projector} parks wallet {} at version {} by now, a {}: nothing was discarded",
            wallet.wallet_id, letter.version, letter.event_type
        ))),
        error => anyhow::Error::new(error),
    }
}

/// What a replay or a discarding came to.
fn settled(
    replay: &Replay,
    projector: &str,
    wallet: &WalletKey,
    output: Output,
) -> anyhow::Result<Outcome> {
    let wallet_id = &wallet.wallet_id;
    let text = match (output.json, replay) {
        (true, _) => crate::pretty_json(&ReplayJson::from(replay))?,
        (false, Replay::Applied { events }) => format!(
            "{} applied: {projector} no longer parks wallet {wallet_id}\n",
            counted(*events, "event", "events")
        ),
        (false, Replay::StillParked(_)) => String::new(),
    };
    Ok(match replay {
        Replay::Applied { .. } => Outcome::fine(text),
        Replay::StillParked(letter) => Outcome::unwell(text, still_parked(letter)),
    })
}

fn still_parked(letter: &DeadLetter) -> String {
    plain(&format!(
        "{} still parks wallet {} at version {}, a {}: {}",
        letter.projector, letter.wallet.wallet_id, letter.version, letter.event_type, letter.error,
    ))
}

/// What comes from the database must not steer a terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What replaying every dead letter came to.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct AllReplayed {
    settled: u64,
    applied_events: u64,
    still_parked: Vec<DeadLetterJson>,
}

async fn replay_all(letters: &dyn DeadLetters, output: Output) -> anyhow::Result<Outcome> {
    let mut told = AllReplayed::default();
    let mut complaints = Vec::new();
    for letter in all(letters, None, None).await? {
        match letters.replay(&letter.projector, &letter.wallet).await {
            Ok(Replay::Applied { events }) => {
                told.settled += 1;
                told.applied_events += events;
            }
            Ok(Replay::StillParked(letter)) => {
                complaints.push(still_parked(&letter));
                told.still_parked.push(letter.as_ref().into());
            }
            // Somebody else was faster.
            Err(DeadLetterError::NotParked) => {}
            Err(error) => return Err(refused(&letter.projector, &letter.wallet, error)),
        }
    }
    let text = if output.json {
        crate::pretty_json(&told)?
    } else {
        format!(
            "{}, {} applied\n",
            counted(told.settled, "dead letter settled", "dead letters settled"),
            counted(told.applied_events, "event", "events")
        )
    };
    Ok(match complaints.is_empty() {
        true => Outcome::fine(text),
        false => Outcome::unwell(text, complaints.join("\n")),
    })
}

async fn would_discard(letters: &dyn DeadLetters, letter: &Letter) -> anyhow::Result<Outcome> {
    let (found, _) = show(letters, &letter.projector, &letter.wallet()).await?;
    let behind = match found.queued_events {
        0 => "nothing waits behind it".to_owned(),
        n => format!("apply the {} behind it", counted(n, "event", "events")),
    };
    Ok(Outcome::unconfirmed(plain(&format!(
        "this would leave event {} of wallet {}, a {}, out of {} for ever, and {behind}; add --yes \
         --version {} --reason TEXT if you mean it",
        found.version, found.wallet.wallet_id, found.event_type, found.projector, found.version,
    ))))
}

fn table(letters: &[DeadLetter]) -> String {
    use Align::{Left, Right};
    if letters.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let mut table = Table::new([
        ("PROJECTOR", Left),
        ("TENANT", Left),
        ("WALLET", Left),
        ("VERSION", Right),
        ("TYPE", Left),
        ("TRIES", Right),
        ("WAITING", Right),
        ("ERROR", Left),
    ]);
    for letter in letters {
        table.row([
            letter.projector.clone(),
            letter.wallet.tenant.to_string(),
            letter.wallet.wallet_id.to_string(),
            letter.version.to_string(),
            letter.event_type.clone(),
            count(letter.attempts),
            count(letter.queued_events),
            letter.error.clone(),
        ]);
    }
    table.render()
}

fn detail(letter: &DeadLetter, event: Option<&StoredEvent>) -> String {
    let mut lines = vec![
        ("projector", letter.projector.clone()),
        ("tenant", letter.wallet.tenant.to_string()),
        ("wallet", letter.wallet.wallet_id.to_string()),
        ("shard", letter.shard.to_string()),
        ("version", letter.version.to_string()),
        ("position", letter.position.to_string()),
        ("event id", letter.event_id.to_string()),
        ("event type", letter.event_type.clone()),
        ("error", letter.error.clone()),
        ("tries", count(letter.attempts)),
        ("events behind it", count(letter.queued_events)),
    ];
    match event {
        Some(event) => lines.extend([
            ("schema version", event.schema_version.to_string()),
            ("payload", event.payload.clone()),
            ("metadata", event.metadata.clone()),
        ]),
        None => lines.push(("event", "is gone".to_owned())),
    }
    let line = |(name, value): (&str, String)| format!("{name:<16}  {}\n", plain(&value));
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::commands::fakes::Fakes;

    fn letter() -> Letter {
        match crate::commands::fakes::command(&["dead-letters", "show", "ledger", "w-1"]) {
            crate::cli::Command::DeadLetters { action: DeadLettersAction::Show { letter, .. } } => {
                letter
            }
            other => panic!("{other:?}"),
        }
    }

    fn discard(version: Option<u64>) -> DeadLettersAction {
        let reason = version.map(|_| "sent twice".to_owned());
        let (yes, output) = (version.is_some(), Output::default());
        DeadLettersAction::Discard { letter: letter(), yes, version, reason, output }
    }

    #[tokio::test]
    async fn parked_wallets_are_listed() {
        let fakes = Arc::new(Fakes::default());
        let list =
            DeadLettersAction::List { projector: None, tenant: None, output: Output::default() };
        let none = run(&fakes.ports(), &list).await.expect("seen");
        assert_eq!(none.text, "nothing is parked\n");
        fakes.park("w-1");
        let one = run(&fakes.ports(), &list).await.expect("seen");
        assert_eq!(
            one.text,
            "PROJECTOR  TENANT   WALLET  VERSION  TYPE           TRIES  WAITING  ERROR\n\
             ledger     default  w-1           2  WalletRenamed      3        2  unknown type\n"
        );
        let misspelt = DeadLettersAction::List {
            projector: Some("legder".to_owned()),
            tenant: None,
            output: Output::default(),
        };
        assert!(run(&fakes.ports(), &misspelt).await.is_err());
    }

    #[tokio::test]
    async fn every_page_is_listed() {
        let fakes = Arc::new(Fakes::default());
        let n = PAGE as usize * 2;
        (0..n).for_each(|i| fakes.park(&format!("w-{i:04}")));
        assert_eq!(all(fakes.as_ref(), None, None).await.expect("seen").len(), n);
    }

    #[tokio::test]
    async fn what_is_stored_does_not_steer_the_terminal() {
        let fakes = Arc::new(Fakes { unhealed: Some("w-1".to_owned()), ..Fakes::default() });
        fakes.park("w-1");
        for letter in fakes.letters.lock().expect("sound").values_mut() {
            letter.event_type = "Wallet\nRenamed".to_owned();
            letter.error = "unknown \u{1b}[2Jtype".to_owned();
        }
        let replay = DeadLettersAction::Replay {
            projector: Some("ledger".to_owned()),
            wallet: Some("w-1".parse().expect("valid")),
            tenant: TenantId::default(),
            all: false,
            output: Output::default(),
        };
        for action in [replay, discard(None)] {
            let complaint = run(&fakes.ports(), &action).await.expect("told").complaint;
            assert!(!complaint.expect("it is parked").contains(char::is_control), "{action:?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_discarded_without_confirmation() {
        let fakes = Arc::new(Fakes::default());
        fakes.park("w-1");
        let outcome = run(&fakes.ports(), &discard(None)).await.expect("told");
        assert!(outcome.unconfirmed);
        let complaint = outcome.complaint.expect("what would happen");
        assert!(
            complaint.contains("event 2 of wallet w-1, a WalletRenamed, out of ledger"),
            "{complaint}"
        );
        assert!(complaint.contains("2 events behind it"), "{complaint}");
        assert!(complaint.contains("--version 2"), "{complaint}");
        let moved = run(&fakes.ports(), &discard(Some(3))).await.expect_err("another is parked");
        assert!(moved.to_string().contains("at version 2 by now"), "{moved}");
        assert_eq!(fakes.reasons.lock().expect("sound").len(), 0);
        let done = run(&fakes.ports(), &discard(Some(2))).await.expect("done");
        assert_eq!(done.text, "3 events applied: ledger no longer parks wallet w-1\n");
        assert_eq!(*fakes.reasons.lock().expect("sound"), ["sent twice"]);
    }

    #[tokio::test]
    async fn what_is_still_parked_is_complained_of() {
        let fakes = Arc::new(Fakes { unhealed: Some("w-2".to_owned()), ..Fakes::default() });
        ["w-1", "w-2"].into_iter().for_each(|wallet| fakes.park(wallet));
        let outcome = replay_all(fakes.as_ref(), Output::default()).await.expect("tried");
        assert_eq!(outcome.text, "1 dead letter settled, 3 events applied\n");
        let complaint = outcome.complaint.expect("one is left");
        assert_eq!(
            complaint,
            "ledger still parks wallet w-2 at version 2, a WalletRenamed: unknown type"
        );
    }

    #[tokio::test]
    async fn event_is_shown_as_it_is_stored() {
        let fakes = Arc::new(Fakes::default());
        let show = DeadLettersAction::Show { letter: letter(), output: Output::default() };
        let missing = run(&fakes.ports(), &show).await.expect_err("nothing is parked");
        assert!(missing.to_string().contains("ledger has not parked wallet w-1"));
        fakes.park("w-1");
        let text = run(&fakes.ports(), &show).await.expect("shown").text;
        assert!(text.contains("payload           {not json\n"), "{text}");
    }
}
