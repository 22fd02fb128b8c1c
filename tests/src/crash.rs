//! `kill -9` under load: what was acknowledged is there, exactly once, and what was not can be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;
use wallex_testkit::{
    Answer, Client, Inspector, PostgresOptions, PrivatePostgres, Request, Server, ServerBuilder,
    TempDatabase, block_on, eventually, on_both_databases,
};

use crate::support::{all_at_once, create, opening};

on_both_databases!(acknowledged_commands_survive_kill_nine);

const HOT_WALLETS: usize = 4;
const CLIENTS: usize = 24;
const ROUNDS: usize = 3;
/// Acknowledged commands after which the server is killed, in each round.
const KILL_AFTER: usize = 400;

/// One command of the load. Its number makes it unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Command(usize);

impl Command {
    fn is_creation(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// Its wallet: one of its own for a creation, a hot one otherwise.
    fn wallet(self) -> String {
        if self.is_creation() {
            format!("w-{}", self.0)
        } else {
            format!("hot-{}", self.0 / 2 % HOT_WALLETS)
        }
    }

    fn request(self, client: &Client) -> Request {
        let key = format!("key-{}", self.0);
        let wallet = self.wallet();
        if self.is_creation() {
            client.post("/wallets", &opening(&wallet, 7)).key(&key)
        } else {
            client.post(&format!("/wallets/{wallet}/credit"), &json!({ "amount": 1 })).key(&key)
        }
    }

    fn status(self) -> u16 {
        if self.is_creation() { 201 } else { 200 }
    }
}

/// What the clients know.
#[derive(Debug, Default)]
struct Journal {
    next: usize,
    /// Whether the clients are to end.
    stopping: bool,
    /// Answered since the last check.
    acknowledged: BTreeMap<Command, Answer>,
    /// Sent since the last check, and never answered.
    unknown: Vec<Command>,
    /// Known to be done, from earlier checks.
    done: BTreeSet<Command>,
}

type SharedJournal = Arc<Mutex<Journal>>;

fn locked<T>(journal: &SharedJournal, look: impl FnOnce(&mut Journal) -> T) -> T {
    look(&mut journal.lock().expect("no client panicked"))
}

/// Sends one command after the other until one is not answered, or it is to end.
async fn run_client(client: Client, journal: SharedJournal) {
    loop {
        let command = locked(&journal, |journal| {
            journal.next += 1;
            (!journal.stopping).then_some(Command(journal.next))
        });
        let Some(command) = command else { return };
        match command.request(&client).try_send().await {
            Ok(answer) if answer.status == command.status() => {
                locked(&journal, |journal| journal.acknowledged.insert(command, answer));
            }
            // The database may be what was killed; the server says so.
            Ok(answer) if answer.status == 503 => {
                return locked(&journal, |journal| journal.unknown.push(command));
            }
            Ok(answer) => panic!("{command:?}: {answer:?}"),
            Err(_) => return locked(&journal, |journal| journal.unknown.push(command)),
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
        locked(journal, |journal| journal.acknowledged.len() >= KILL_AFTER).then_some(())
    })
    .await;
    kill();
    locked(journal, |journal| journal.stopping = true);
    load.await.expect("the clients end");
}

/// Resolves what is unknown by its key, and checks that every command had exactly one effect.
async fn check(database: &TempDatabase, server: &Server, journal: &SharedJournal) {
    let client = server.client();
    let Journal { acknowledged, unknown, mut done, next, .. } = locked(journal, std::mem::take);
    for (command, first) in acknowledged {
        let again = command.request(client).await;
        assert!(again.is_replay(), "{command:?} is remembered: {again:?}");
        assert_eq!(again.repeatable(), first.repeatable(), "{command:?}");
        done.insert(command);
    }
    for command in unknown {
        command.request(client).await.is(command.status());
        done.insert(command);
    }
    let wallets = Inspector::open(database).await.audit().await;
    let mut credits: BTreeMap<String, i64> = BTreeMap::new();
    for command in &done {
        if command.is_creation() {
            let wallet = &wallets[&command.wallet()];
            assert_eq!((wallet.balance(), wallet.events.len()), (7, 1), "{command:?}");
        } else {
            *credits.entry(command.wallet()).or_default() += 1;
        }
    }
    for (wallet, credits) in credits {
        assert_eq!(wallets[&wallet].balance(), credits, "each credit of {wallet} counts once");
    }
    let creations = done.iter().filter(|command| command.is_creation()).count();
    assert_eq!(wallets.len(), creations + HOT_WALLETS, "nothing was made up");
    locked(journal, |journal| *journal = Journal { next, done, ..Journal::default() });
}

async fn acknowledged_commands_survive_kill_nine(database: TempDatabase) {
    let journal = SharedJournal::default();
    let mut server = Server::start(&database).await;
    for hot in 0..HOT_WALLETS {
        create(server.client(), &format!("hot-{hot}"), 0).await;
    }
    for _ in 0..ROUNDS {
        load_until(server.client().clone(), &journal, || server.kill_nine()).await;
        server = Server::start(&database).await;
        check(&database, &server, &journal).await;
    }
}

#[test]
fn acknowledged_commands_survive_a_crash_of_postgres() {
    block_on(async {
        let mut cluster = PrivatePostgres::start(&PostgresOptions::default()).expect("a cluster");
        let database = TempDatabase::of_cluster(&cluster);
        let journal = SharedJournal::default();
        let builder = ServerBuilder::on(&database).env("WALLEX_DB_ACQUIRE_TIMEOUT_MS", "500");
        let mut server = builder.start().await;
        for hot in 0..HOT_WALLETS {
            create(server.client(), &format!("hot-{hot}"), 0).await;
        }
        for _ in 0..ROUNDS {
            let client = server.client().clone();
            // Back at once, so that commits whose answer was lost can be looked up.
            let crash = || {
                cluster.crash().expect("it stops");
                cluster.start_again().expect("it recovers");
            };
            load_until(client, &journal, crash).await;
            // The same server: it reconnects by itself.
            server.ready().await;
            check(&database, &server, &journal).await;
        }
    });
}
