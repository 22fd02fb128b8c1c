//! What the pages tell a reader to type is typed, and what they show is what comes.
//!
//! A page runs from top to bottom in one shell, with a real server, in a folder of its own.
//! `prelude.sh` says what stands for a terminal and an init system there.

mod compare;
mod page;
mod session;

use std::collections::BTreeSet;
use std::process::Command;

use wallex_testkit::{TempDatabase, block_on};

use self::page::{shell_blocks, steps};
use self::session::{Session, is_there};
use crate::deployment::{read, root};

pub(crate) use self::compare::fits;
pub(crate) use self::page::blocks;

const RUN: [&str; 10] = [
    "README.md",
    "docs/API-GUIDE.md",
    "docs/API.md",
    "docs/BACKUP.md",
    "docs/CONSOLE.md",
    "docs/DEPLOYMENT.md",
    "docs/GETTING-STARTED.md",
    "docs/RUNBOOK.md",
    "docs/SECURITY-MODEL.md",
    "docs/UPGRADES.md",
];

/// Blocks that are not run: the page, how the block begins, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("CONTRIBUTING.md", "cargo install just", "it is how these tests are run"),
    ("README.md", "cargo install just", "it is how these tests are run"),
    ("docs/DEPLOYMENT.md", "docker compose", "no container engine here"),
    ("docs/DEPLOYMENT.md", "docker build", "no container engine here"),
    ("docs/DEPLOYMENT.md", "sudo install", "it changes the system, and wants systemd"),
    ("docs/DEPLOYMENT.md", "sudo systemd-run", "no systemd here"),
    ("docs/DEPLOYMENT.md", "kubectl -n wallex run", "no cluster here"),
    ("docs/DEPLOYMENT.md", "cargo install --path", "it builds everything anew, for minutes"),
    ("docs/DEPLOYMENT.md", "wallex completions", "it writes to the system's folders"),
    ("docs/RUNBOOK.md", "journalctl", "no systemd here"),
    ("docs/RELIABILITY.md", "just simulate", "it takes minutes; `just test` runs a part of it"),
];

/// The key that pages speak of.
const KEY_ID: &str = "2b7kq0a9x1mz";
/// What the pages call a database on PostgreSQL.
const POSTGRES: &str = "postgres://wallex:secret@localhost:5432/wallex";
const RESTORED: &str = "postgres://wallex:secret@localhost:5432/restored";

fn is_run(page: &str, text: &str) -> bool {
    !NOT_RUN.iter().any(|(path, begins, _)| *path == page && text.starts_with(begins))
}

#[track_caller]
fn does_what_it_says(page: &str, session: &Session) {
    let blocks = shell_blocks(&read(page));
    let steps: Vec<_> =
        blocks.iter().filter(|block| is_run(page, &block.text)).flat_map(steps).collect();
    assert!(!steps.is_empty(), "{page} has nothing to run");
    let wrong = session.run(&steps);
    assert!(wrong.is_empty(), "{page}:\n{}", wrong.join("\n\n"));
}

/// A page that uses databases of PostgreSQL.
fn on_postgres() -> Session {
    let [wallex, restored] =
        block_on(async { [TempDatabase::postgres().await, TempDatabase::postgres().await] });
    Session::new().database(POSTGRES, wallex).database(RESTORED, restored)
}

#[test]
fn the_readme_does_what_it_says() {
    does_what_it_says("README.md", &on_postgres());
}

#[test]
fn getting_started_does_what_it_says() {
    does_what_it_says("docs/GETTING-STARTED.md", &on_postgres());
}

#[test]
fn the_api_guide_does_what_it_says() {
    does_what_it_says("docs/API-GUIDE.md", &Session::new());
}

#[test]
fn the_api_reference_does_what_it_says() {
    does_what_it_says("docs/API.md", &with_a_key(KEY_ID));
}

#[test]
fn backup_and_restore_do_what_they_say() {
    for program in ["sqlite3", "pg_dump", "pg_restore"] {
        assert!(
            is_there(program),
            "{program} was not found: apt-get install sqlite3 postgresql-client"
        );
    }
    does_what_it_says("docs/BACKUP.md", &on_postgres());
}

#[test]
fn the_page_of_the_console_does_what_it_says() {
    does_what_it_says("docs/CONSOLE.md", &Session::new());
}

#[test]
fn upgrades_do_what_they_say() {
    does_what_it_says("docs/UPGRADES.md", &Session::new());
}

#[test]
fn deployment_does_what_it_says() {
    does_what_it_says("docs/DEPLOYMENT.md", &Session::new());
}

#[test]
fn the_security_model_does_what_it_says() {
    does_what_it_says(
        "docs/SECURITY-MODEL.md",
        &with_a_key(KEY_ID).instead_of("/backup/", "backup/"),
    );
}

#[test]
fn the_runbook_does_what_it_says() {
    assert!(is_there("sqlite3"), "sqlite3 was not found: apt-get install sqlite3");
    let session = with_a_key(KEY_ID).instead_of("/backup/", "backup/");
    let session = session
        .meanwhile("wallex dead-letters list", PARKED)
        .meanwhile("wallex dead-letters replay", "sqlite3 wallex.db \"$UNSPOIL\"")
        .meanwhile("wallex drift", "wallex dead-letters replay --all");
    does_what_it_says("docs/RUNBOOK.md", &session);
}

/// An event is spoilt in the database before any projector has come to it.
const PARKED: &str = r#"
    WALLEX_AUTH=off PROJECTORS_AUTO_START=false wallex
    for body in '/wallets {"walletId":"wallet-001","ownerId":"o","initialBalance":1}' \
        '/wallets/wallet-001/credit {"amount":1}'; do
        curl --fail "http://127.0.0.1:$port${body%% *}" -H 'Content-Type: application/json' -d "${body#* }"
    done
    SPOIL="UPDATE events SET payload = replace(payload, '{', '[') WHERE version = 2"
    UNSPOIL="UPDATE events SET payload = replace(payload, '[', '{') WHERE version = 2"
    stop_server
    sqlite3 wallex.db "$SPOIL"
    wallex
    for projector in ledger read_model; do
        until wallex dead-letters show "$projector" wallet-001; do sleep 0.1; done
    done
"#;

/// A page that speaks of a key which was made before: `id` stands for it.
fn with_a_key(id: &str) -> Session {
    let session = Session::new();
    let made =
        wallex(&session, &["keys", "create", "--name", "old", "--scopes", "admin", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("a key");
    let typed = made["key"]["id"].as_str().expect("an id").to_owned();
    session.instead_of(id, &typed)
}

/// Runs `wallex ARGS…` on the file that the session's server will use.
fn wallex(session: &Session, args: &[&str]) -> String {
    let mut command = Command::new(wallex_testkit::wallex_binary());
    let url = format!("sqlite://{}", session.folder().join("wallex.db").display());
    command.args(args).current_dir(session.folder()).env("DATABASE_URL", url);
    let output = command.output().expect("wallex starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// All pages that people read, from the root on.
pub(crate) fn pages() -> Vec<String> {
    let mut waiting = vec![root().join("docs"), root().join("crates"), root().join("deploy")];
    let mut pages: Vec<_> = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
        .map(ToOwned::to_owned)
        .into();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            // What pages are made from lies among the sources.
            if path.is_dir() && !path.ends_with("src") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let path = path.strip_prefix(root()).expect("within the root");
                pages.push(path.to_str().expect("a name of text").to_owned());
            }
        }
    }
    pages
}

#[test]
fn every_block_is_run_or_said_not_to_be() {
    let mut stale: BTreeSet<_> = NOT_RUN.iter().map(|(page, begins, _)| (*page, *begins)).collect();
    for page in pages() {
        for block in shell_blocks(&read(&page)) {
            let rows = NOT_RUN.iter();
            let row = rows
                .clone()
                .find(|(path, begins, _)| *path == page && block.text.starts_with(begins));
            match row {
                Some((path, begins, _)) => drop(stale.remove(&(*path, *begins))),
                None => {
                    assert!(RUN.contains(&&*page), "{page}, line {}: nobody runs it", block.line)
                }
            }
        }
    }
    assert!(stale.is_empty(), "no block begins so: {stale:?}");
}
