//! Rows 13 and 19: what is stored was changed behind Wallex's back.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::Value;
use wallex_testkit::Backend;

use super::Ran;
use super::frozen::until;
use super::nodes::all_at_once;
use super::projector::worker;
use crate::command::{Action, Command};
use crate::context::Context;
use crate::history::Outcome;
use crate::tables::Look;
use crate::trial::Trial;

/// What was changed at rest: the table, and what was done to the rows of a wallet in it.
const TAMPERINGS: [(&str, &str); 8] = [
    ("wallet_streams", "UPDATE wallet_streams SET balance = balance + 1 WHERE {wallet}"),
    ("wallet_streams", "DELETE FROM wallet_streams WHERE {wallet}"),
    ("wallets", "UPDATE wallets SET version = version + 1 WHERE {wallet}"),
    ("wallets", "DELETE FROM wallets WHERE {wallet}"),
    ("ledger_entries", "UPDATE ledger_entries SET amount = amount + 1 WHERE {wallet}"),
    ("ledger_entries", "DELETE FROM ledger_entries WHERE {wallet} AND version = 1"),
    (
        "events",
        "UPDATE events SET type = CASE type WHEN 'WalletDebited' THEN 'WalletCredited' ELSE 'WalletDebited' END WHERE {wallet} AND version = 2",
    ),
    ("events", "DELETE FROM events WHERE {wallet} AND version = 2"),
];
/// Everybody uses it, so it has a history.
const WALLET: &str = "hot-1";
/// The wallet whose event is damaged.
const DAMAGED: &str = "damaged";

/// Row 13.
pub(crate) async fn tampered(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    let look = Look::at(&trial.stand.database).await?;
    // An event in the middle is missed between its neighbours; the last one, where the wallet itself is
    // compared.
    let events = format!("SELECT count(*) AS n FROM events WHERE wallet_id = '{WALLET}'");
    until(async || Ok(look.number(&events).await? >= 3), "the wallet has a history").await?;
    trial.load.pause();
    until(async || Ok(look.lag().await? == 0), "all is projected").await?;
    for (table, tampering) in TAMPERINGS {
        // A server at work would be right to refuse what contradicts: it need not see this.
        tamper(&mut trial, &look, table, tampering).await?;
    }
    trial.load.go_on();
    trial.recovers().await;
    trial.finish().await.map(Ran::Done)
}

/// Changes rows, lets `wallex drift` look, and puts them back.
async fn tamper(trial: &mut Trial, look: &Look, table: &str, tampering: &str) -> Result<()> {
    let wallet = format!("wallet_id = '{WALLET}'");
    look.execute(&format!("CREATE TABLE kept AS SELECT * FROM {table} WHERE {wallet}")).await?;
    look.execute(&tampering.replace("{wallet}", &wallet)).await?;
    let (code, printed) = trial.stand.run(&["drift", "--quiet", "--json"]).await?;
    trial.injected();
    if code != 1 || !names(&printed, WALLET, place_of(table)) {
        trial.findings.add("tampering", format!("{tampering}: drift ends with {code}, {printed}"));
    }
    look.execute(&format!("DELETE FROM {table} WHERE {wallet}")).await?;
    look.execute(&format!("INSERT INTO {table} SELECT * FROM kept")).await?;
    look.execute("DROP TABLE kept").await
}

/// What a report calls a table.
fn place_of(table: &str) -> &str {
    match table {
        "wallet_streams" => "write_side",
        "wallets" => "read_model",
        "ledger_entries" => "ledger",
        other => other,
    }
}

/// Whether a report names the wallet and the place, and says what is wrong with it. What a command complained of
/// stands before or behind its document.
fn names(printed: &str, wallet: &str, place: &str) -> bool {
    let lines = printed.lines().filter(|line| !line.starts_with("wallex: "));
    let document = lines.collect::<Vec<_>>().join("\n");
    let document: Value = serde_json::from_str(&document).unwrap_or_default();
    let differences = document["report"]["differences"].as_array().cloned().unwrap_or_default();
    differences.iter().any(|difference| {
        difference["walletId"] == wallet
            && difference["place"] == place
            && difference["what"].as_str().is_some_and(|w| !w.is_empty())
    })
}

/// How an event is damaged, and put right again.
fn damages(backend: Backend) -> [(&'static str, String, String); 2] {
    let at = format!("WHERE wallet_id = '{DAMAGED}' AND version = 2");
    let broken = match backend {
        Backend::Postgres => "'{\"amount\": \"much\"}'::jsonb",
        Backend::Sqlite => "'{not JSON'",
    };
    [
        (
            "unknown type",
            format!("UPDATE events SET type = 'Odd' {at}"),
            format!("UPDATE events SET type = 'WalletCredited' {at}"),
        ),
        (
            "broken JSON",
            format!("UPDATE events SET payload = {broken} {at}"),
            format!("UPDATE events SET payload = (SELECT payload FROM kept) {at}"),
        ),
    ]
}

/// A wallet and two credits.
fn history(wallet: &str) -> Vec<Arc<Command>> {
    let credit = || Action::Credit { wallet: wallet.to_owned(), amount: 2 };
    let created = Some(wallet.to_owned());
    let actions =
        [Action::Create { wallet: created, currency: None, balance: 1 }, credit(), credit()];
    let command = |(n, action)| Command {
        mark: format!("{wallet}-{n}"),
        action,
        keyed: true,
        if_match: None,
    };
    actions.into_iter().enumerate().map(command).map(Arc::new).collect()
}

/// Row 19.
pub(crate) async fn unreadable(cx: &Context, backend: Backend) -> Result<Ran> {
    // The projectors begin when the event is damaged.
    let off = vec![("PROJECTORS_AUTO_START", "false".to_owned())];
    let mut trial = cx.trial(backend, 1, off).await?;
    let look = Look::at(&trial.stand.database).await?;
    for (n, (what, damage, cure)) in damages(backend).into_iter().enumerate() {
        let wallet = format!("{DAMAGED}-{n}");
        let (damage, cure) = (damage.replace(DAMAGED, &wallet), cure.replace(DAMAGED, &wallet));
        for command in history(&wallet) {
            let done = all_at_once(&trial, [command]).await;
            ensure!(matches!(done[..], [Outcome::Ok(_)]), "{wallet}: {done:?}");
        }
        let at = format!("WHERE wallet_id = '{wallet}' AND version = 2");
        look.execute(&format!("CREATE TABLE kept AS SELECT * FROM events {at}")).await?;
        look.execute(&damage).await?;
        let mut projecting = worker(&trial, &[]);
        let parked = format!("SELECT count(*) AS n FROM dead_letters WHERE wallet_id = '{wallet}'");
        until(async || Ok(look.number(&parked).await? == 2), "both projectors park it").await?;
        trial.injected();
        trial.busy().await?;
        if look.number("SELECT count(*) AS n FROM dead_letters").await? != 2 {
            trial.findings.add("parking", format!("{what}: more than its wallet is parked"));
        }
        look.execute(&cure).await?;
        look.execute("DROP TABLE kept").await?;
        for projector in ["read_model", "ledger"] {
            let (code, said) =
                trial.stand.run(&["dead-letters", "replay", projector, &wallet]).await?;
            ensure!(code == 0, "{what}: the replay ends with {code}: {said}");
        }
        // Nobody projects the next event before it is damaged.
        projecting.terminate();
        projecting.wait().await;
    }
    let _last = worker(&trial, &[]);
    trial.finish().await.map(Ran::Done)
}
