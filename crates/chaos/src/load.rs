//! Clients that send commands until they are told to stop, whatever becomes of the server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::command::{Command, Read};
use crate::generator::{Generator, Step, openings};
use crate::history::{Asked, History, Outcome};
use crate::http::Connection;

/// How long a client waits after it could not connect, or was told to come back.
const PAUSE: Duration = Duration::from_millis(20);
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Where the servers listen now; a server that is started again listens elsewhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Targets(Arc<Mutex<Vec<String>>>);

impl Targets {
    pub(crate) fn set(&self, addresses: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// The `n`-th of them, counted around.
    pub(crate) fn get(&self, n: usize) -> Option<String> {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.get(n % addresses.len().max(1)).cloned()
    }
}

/// What the clients share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) history: History,
    pub(crate) targets: Targets,
    stopping: AtomicBool,
    paused: AtomicBool,
    /// Commands and reads that were done, or refused by a rule.
    served: AtomicU64,
}

impl Shared {
    pub(crate) fn new(targets: Targets) -> Arc<Self> {
        let (stopping, paused) = (AtomicBool::new(false), AtomicBool::new(false));
        let (history, served) = (History::default(), AtomicU64::new(0));
        Arc::new(Self { history, targets, stopping, paused, served })
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Sends `command` to the `n`-th server, and notes what came of it; `None` when nothing was sent.
    pub(crate) async fn send(
        &self,
        connection: &mut Connection,
        n: usize,
        command: &Arc<Command>,
    ) -> Option<Outcome> {
        let request = command.request();
        self.exchange(connection, n, &request, Asked::Command(Arc::clone(command))).await
    }

    /// Asks the `n`-th server, and notes what it said; `None` when nothing was sent.
    pub(crate) async fn ask(
        &self,
        connection: &mut Connection,
        n: usize,
        read: Read,
    ) -> Option<Outcome> {
        let request = read.request();
        self.exchange(connection, n, &request, Asked::Read(read)).await
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        n: usize,
        request: &[u8],
        asked: Asked,
    ) -> Option<Outcome> {
        let address = self.targets.get(n)?;
        let invoked = self.history.now();
        let outcome = Outcome::of(connection.exchange(&address, request).await)?;
        self.history.note(asked, invoked, outcome.clone());
        if outcome.is_served() {
            self.served.fetch_add(1, Ordering::SeqCst);
        }
        Some(outcome)
    }
}

/// A load that runs.
pub(crate) struct Load {
    pub(crate) shared: Arc<Shared>,
    clients: JoinSet<()>,
}

impl Load {
    /// Opens the wallets that everyone uses, and lets `clients` begin.
    pub(crate) async fn begin(targets: Targets, seed: u64, clients: usize) -> Result<Self> {
        let shared = Shared::new(targets);
        let mut connection = Connection::default();
        for opening in openings() {
            let outcome = shared.send(&mut connection, 0, &Arc::new(opening)).await;
            ensure!(
                matches!(outcome, Some(Outcome::Ok(_))),
                "a wallet was not opened: {outcome:?}"
            );
        }
        let mut load = Self { shared, clients: JoinSet::new() };
        for client in 0..clients {
            load.clients.spawn(run(Arc::clone(&load.shared), Generator::new(seed, client), client));
        }
        Ok(load)
    }

    /// How much was served so far.
    pub(crate) fn served(&self) -> u64 {
        self.shared.served.load(Ordering::SeqCst)
    }

    /// Waits until `more` were served; whether that came within `at_most`.
    pub(crate) async fn serves(&self, more: u64, at_most: Duration) -> bool {
        let (until, deadline) = (self.served() + more, Instant::now() + at_most);
        while self.served() < until {
            if Instant::now() > deadline {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    /// Lets no client begin anything new.
    pub(crate) fn pause(&self) {
        self.shared.paused.store(true, Ordering::SeqCst);
    }

    /// Ends a pause.
    pub(crate) fn go_on(&self) {
        self.shared.paused.store(false, Ordering::SeqCst);
    }

    /// Lets every client finish what it does, and end.
    pub(crate) async fn stop(mut self) -> Arc<Shared> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        while self.clients.join_next().await.is_some() {}
        self.shared
    }
}

async fn run(shared: Arc<Shared>, mut generator: Generator, client: usize) {
    let mut connection = Connection::default();
    let mut second = Connection::default();
    let mut turn = client;
    while !shared.is_stopping() {
        if shared.paused.load(Ordering::SeqCst) {
            sleep(PAUSE).await;
            continue;
        }
        // Every server in turn, where there are several.
        turn += 1;
        match generator.step() {
            Step::Read(read) => {
                if shared.ask(&mut connection, turn, read).await.is_none() {
                    sleep(PAUSE).await;
                }
            }
            Step::Twice(command) => {
                let one = shared.send(&mut connection, turn, &command);
                let two = shared.send(&mut second, turn + 1, &command);
                tokio::join!(one, two);
            }
            Step::Send(command) => {
                persist(&shared, &mut connection, turn, &command, &mut generator).await;
            }
        }
    }
}

/// Sends `command` until it reaches a server, and perhaps once more when its outcome is not known.
async fn persist(
    shared: &Shared,
    connection: &mut Connection,
    turn: usize,
    command: &Arc<Command>,
    generator: &mut Generator,
) {
    loop {
        match shared.send(connection, turn, command).await {
            // Nothing has reached a server.
            None => sleep(PAUSE).await,
            Some(Outcome::Unknown(_) | Outcome::NotDone(_)) => {
                sleep(PAUSE).await;
                if !command.keyed || !generator.chance(50) {
                    return;
                }
            }
            Some(outcome) => {
                generator.learn(&outcome);
                return;
            }
        }
        if shared.is_stopping() {
            return;
        }
    }
}
