//! A process dies under load: what was acknowledged is there, exactly once; what was refused is
//! not; and what was not answered can be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;
use wallex_domain::WalletEvent;
use wallex_testkit::{
    Answer, AuditedWallet, Client, Inspector, PostgresOptions, PrivatePostgres, Request, Server,
    ServerBuilder, TempDatabase, block_on, eventually, on_both_databases,
};

use crate::support::{all_at_once, create};

on_both_databases!(acknowledged_commands_survive_kill_nine);

const HOT_WALLETS: usize = 4;
const CLIENTS: usize = 24;
const ROUNDS: usize = 3;
/// Acknowledged commands after which something is killed, in each round.
const KILL_AFTER: usize = 400;

/// One command of the load. Its number makes it unique, and decides what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Command(usize);

impl Command {
    fn is_creation(self) -> bool {
        self.0.is_multiple_of(3)
    }

    /// Without a key only the answer tells what became of it.
    fn is_keyed(self) -> bool {
        self.0 % 3 != 2
    }

    /// What its event is found by: the owner of a new wallet, the reference of a credit.
    fn mark(self) -> String {
        format!("command-{}", self.0)
    }

    fn request(self, client: &Client) -> Request {
        let mark = self.mark();
        let request = if self.is_creation() {
            client.post("/wallets", &json!({ "ownerId": mark, "initialBalance": 7 }))
        } else {
            let path = format!("/wallets/hot-{}/credit", self.0 / 3 % HOT_WALLETS);
            client.post(&path, &json!({ "amount": 1, "reference": mark }))
        };
        if self.is_keyed() { request.key(&mark) } else { request }
    }
}

/// What a client was told.
#[derive(Debug, Clone)]
enum Told {
    /// It is done.
    Done(Answer),
    /// It is not done.
    NotDone,
    /// Nobody knows, or there was no answer.
    Unknown,
}

async fn send(command: Command, client: &Client) -> Told {
    let Ok(answer) = command.request(client).try_send().await else { return Told::Unknown };
    match answer.status.as_u16() {
        200 | 201 => Told::Done(answer),
        503 if answer.json()["code"] == "outcome-unknown" => Told::Unknown,
        503 => Told::NotDone,
        _ => panic!("{command:?}: {answer:?}"),
    }
}

/// What the clients know since the last check.
#[derive(Debug, Default)]
struct Journal {
    next: usize,
    stopping: bool,
    told: BTreeMap<Command, Told>,
    done: usize,
}

type SharedJournal = Arc<Mutex<Journal>>;

fn locked<T>(journal: &SharedJournal, look: impl FnOnce(&mut Journal) -> T) -> T {
    look(&mut journal.lock().expect("no client panicked"))
}

/// Sends one command after the other until one is not done, or it is to end.
async fn run_client(client: Client, journal: SharedJournal) {
    loop {
        let command = locked(&journal, |journal| {
            journal.next += 1;
            (!journal.stopping).then_some(Command(journal.next))
        });
        let Some(command) = command else { return };
        let told = send(command, &client).await;
        let is_done = matches!(told, Told::Done(_));
        locked(&journal, |journal| {
            journal.told.insert(command, told);
            journal.done += usize::from(is_done);
        });
        if !is_done {
            return;
        }
    }
}

/// Runs the load until `KILL_AFTER` more commands are acknowledged, calls `kill` in the middle of
/// it, and waits for the clients' end.
async fn load_until(client: Client, journal: &SharedJournal, kill: impl FnOnce()) {
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| run_client(client.clone(), journal.clone())).collect();
    let load = tokio::spawn(all_at_once(clients));
    eventually("the load runs", async || {
        locked(journal, |journal| journal.done >= KILL_AFTER).then_some(())
    })
    .await;
    kill();
    locked(journal, |journal| journal.stopping = true);
    load.await.expect("the clients end");
}

/// Every mark in the histories, as often as it is there.
fn marks(wallets: &BTreeMap<String, AuditedWallet>) -> Vec<String> {
    let events = wallets.values().flat_map(|wallet| &wallet.events);
    let marks = events.filter_map(|event| match event {
        WalletEvent::Created { owner_id, .. } => Some(owner_id.to_string()),
        WalletEvent::Credited(movement) | WalletEvent::Debited(movement) => {
            movement.reference.as_ref().map(ToString::to_string)
        }
    });
    marks.filter(|mark| mark.starts_with("command-")).collect()
}

/// Checks that what the clients were told is true, and that keys resolve the rest. `done` are the
/// commands of earlier rounds; those of this one are added.
async fn check(
    inspector: &Inspector,
    client: &Client,
    journal: &SharedJournal,
    done: &mut BTreeSet<Command>,
) {
    let told = locked(journal, |journal| {
        let next = journal.next;
        std::mem::replace(journal, Journal { next, ..Journal::default() }).told
    });
    let found: BTreeSet<String> = marks(&inspector.audit().await).into_iter().collect();
    for (command, told) in told {
        let is_there = found.contains(&command.mark());
        match &told {
            Told::Done(_) => assert!(is_there, "{command:?} was acknowledged and is lost"),
            Told::NotDone => assert!(!is_there, "{command:?} was refused and is done"),
            Told::Unknown => {}
        }
        if command.is_keyed() {
            let again = command.request(client).await;
            assert!(again.status.is_success(), "{again:?}");
            assert!(again.is_replay() || !is_there, "{command:?} is done again: {again:?}");
            if let Told::Done(first) = told {
                assert_eq!(again.repeatable(), first.repeatable(), "{command:?}");
            }
        }
        if is_there || command.is_keyed() {
            done.insert(command);
        }
    }
    let mut found = marks(&inspector.audit().await);
    let mut expected: Vec<String> = done.iter().map(|command| command.mark()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "everything is there exactly once, and nothing else");
}

async fn open_hot_wallets(server: &Server) {
    for hot in 0..HOT_WALLETS {
        create(server.client(), &format!("hot-{hot}"), 0).await;
    }
}

async fn acknowledged_commands_survive_kill_nine(database: TempDatabase) {
    let (journal, mut done) = (SharedJournal::default(), BTreeSet::new());
    let mut server = Server::start(&database).await;
    open_hot_wallets(&server).await;
    for _ in 0..ROUNDS {
        load_until(server.client().clone(), &journal, || server.kill_nine()).await;
        server = Server::start(&database).await;
        let inspector = Inspector::open(&database).await;
        check(&inspector, server.client(), &journal, &mut done).await;
    }
}

#[test]
fn acknowledged_commands_survive_a_crash_of_postgres() {
    block_on(async {
        let mut cluster = PrivatePostgres::start(&PostgresOptions::default()).expect("a cluster");
        let database = TempDatabase::of_cluster(&cluster);
        let (journal, mut done) = (SharedJournal::default(), BTreeSet::new());
        let builder = ServerBuilder::on(&database).env("WALLEX_DB_ACQUIRE_TIMEOUT_MS", "500");
        let mut server = builder.start().await;
        open_hot_wallets(&server).await;
        for _ in 0..ROUNDS {
            // Back at once, so that commits whose answer was lost can be looked up.
            let crash = || {
                cluster.crash().expect("it stops");
                cluster.start_again().expect("it recovers");
            };
            load_until(server.client().clone(), &journal, crash).await;
            // The same server: it reconnects by itself.
            server.ready().await;
            let inspector = Inspector::open(&database).await;
            check(&inspector, server.client(), &journal, &mut done).await;
        }
    });
}
