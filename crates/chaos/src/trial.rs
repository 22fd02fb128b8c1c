//! One row of the matrix on one database: a load, faults in the middle of it, and what must hold
//! afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wallex_testkit::{Backend, Server, TempDatabase};

use crate::checker::{self, Findings, Violation};
use crate::command::Command;
use crate::history::{Asked, Entry, Outcome};
use crate::http::Connection;
use crate::load::{Load, Shared};
use crate::stand::{Settings, Stand};
use crate::tables::Look;
use crate::usage::Usage;

/// From the end of a fault on, the next command is served within this long.
pub(crate) const RECOVERY_MAX: Duration = Duration::from_secs(20);
/// How long a load may take for what it does in a second or two on an idle machine.
const PROGRESS_MAX: Duration = Duration::from_secs(240);
/// Every deadline of the server is shorter.
const ANSWER_MAX: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(20);
/// So many ask at once what became of commands.
const RESOLVERS: usize = 8;
/// Acknowledged commands that are sent once more when all is over.
const REPLAYS_MAX: usize = 100;
/// By how much a server may have grown over a load: its caches, and what the allocator keeps.
const MEMORY_GROWTH_KIB_MAX: u64 = 128 * 1024;
/// So many at once reach every thread that serves.
const POKES: usize = 16;
/// Pooled connections to the database that a load opens, and that stay open.
const FILES_GROWTH_MAX: u64 = 48;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    /// Faults in a trial.
    pub(crate) injections: u64,
    /// Commands that are served before each fault, and after the last.
    pub(crate) commands: u64,
    /// How long something stands still that is frozen.
    pub(crate) frozen: Duration,
    /// Sockets that are opened at once.
    pub(crate) sockets: usize,
    /// How long outcomes are asked for, projections waited for, and leaks given to go away.
    pub(crate) settle: Duration,
}

/// What a trial came to.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) injections: u64,
    /// Requests whose answers were checked.
    pub(crate) checked: u64,
    pub(crate) violations: Vec<Violation>,
    /// The longest time from the end of a fault to the next command that was served.
    pub(crate) recovery: Option<Duration>,
}

/// A trial under way.
pub(crate) struct Trial {
    pub(crate) stand: Stand,
    pub(crate) load: Load,
    pub(crate) rng: Rng,
    pub(crate) scale: Scale,
    pub(crate) findings: Findings,
    pub(crate) injections: u64,
    recovery: Option<Duration>,
    before: BTreeMap<u32, Usage>,
    checks_drift: bool,
}

impl Trial {
    /// Starts `nodes` servers on `database`, and a load.
    pub(crate) async fn begin(
        scale: Scale,
        database: TempDatabase,
        nodes: usize,
        settings: Settings,
    ) -> Result<Self> {
        let stand = Stand::start(database, nodes, settings).await;
        Self::on(scale, stand).await
    }

    /// Starts a load on `stand`.
    pub(crate) async fn on(scale: Scale, stand: Stand) -> Result<Self> {
        let load = Load::begin(stand.targets.clone(), scale.seed, scale.clients).await?;
        let trial = Self {
            before: usages(&stand.servers),
            stand,
            load,
            rng: Rng::with_seed(scale.seed),
            scale,
            findings: Findings::default(),
            injections: 0,
            recovery: None,
            checks_drift: true,
        };
        trial.busy().await?;
        Ok(trial)
    }

    /// Waits until the load has done as much as is due before the next fault, give or take.
    pub(crate) async fn busy(&self) -> Result<()> {
        let mut rng = self.rng.clone();
        let commands = self.scale.commands / 2 + rng.u64(..self.scale.commands.max(1));
        let served = self.load.serves(commands, PROGRESS_MAX).await;
        anyhow::ensure!(served, "the load does not get on");
        Ok(())
    }

    /// Counts a fault.
    pub(crate) fn injected(&mut self) {
        self.injections += 1;
        // So that every fault comes after another number of commands.
        self.rng.u64(..);
    }

    /// The fault is over: measures how long it takes until commands are served.
    pub(crate) async fn recovers(&mut self) {
        let over = Instant::now();
        // What was under way before is not meant: as many as there are clients may be.
        let more = self.scale.clients as u64 + 1;
        if !self.load.serves(more, RECOVERY_MAX).await {
            self.findings
                .add("recovery", format!("nothing is served {RECOVERY_MAX:?} after the fault"));
        }
        self.recovery = self.recovery.max(Some(over.elapsed()));
    }

    /// Starts the `n`-th server again after it died.
    pub(crate) async fn restart(&mut self, n: usize) {
        self.before.remove(&self.stand.servers[n].process_id());
        self.note_panics(n);
        self.stand.restart(n).await;
    }

    fn note_panics(&mut self, n: usize) {
        let logs = self.stand.servers[n].logs();
        if let Some(line) = logs.lines().find(|line| line.contains("panicked")) {
            self.findings.add("panic", line.to_owned());
        }
    }

    /// Ends the load, resolves what is unknown, and checks everything.
    pub(crate) async fn finish(mut self) -> Result<Verdict> {
        self.busy().await?;
        let shared = self.load.stop().await;
        let (mut findings, settle) = (self.findings, self.scale.settle);
        for server in &mut self.stand.servers {
            server.ready().await;
        }
        resolve(&shared, settle, &mut findings).await;
        repeat_some(&shared).await;
        let look = Look::at(&self.stand.database).await?;
        wait_for_projections(&look, settle, &mut findings).await?;
        let history = shared.history.entries();
        check_deadlines(&history, &mut findings);
        findings.extend(checker::check(&history, &look.tables().await?));
        if self.checks_drift {
            let (code, printed) = self.stand.run(&["drift", "--quiet", "--json"]).await?;
            if code != 0 {
                findings.add("drift", printed);
            }
        }
        check_transactions(&look, self.stand.backend(), settle, &mut findings).await?;
        check_usage(&self.before, &self.stand.servers, settle, &mut findings).await;
        for n in 0..self.stand.servers.len() {
            self.stand.keep_logs(n)?;
        }
        for server in &self.stand.servers {
            if let Some(line) = server.logs().lines().find(|line| line.contains("panicked")) {
                findings.add("panic", line.to_owned());
            }
        }
        let Self { injections, recovery, .. } = self;
        let checked = history.len() as u64;
        Ok(Verdict { injections, checked, violations: findings.into_violations(), recovery })
    }
}

fn usages(servers: &[Server]) -> BTreeMap<u32, Usage> {
    let processes = servers.iter().map(Server::process_id);
    processes.filter_map(|process| Some((process, Usage::of(process)?))).collect()
}

/// Asks with its key what became of every command whose outcome is not known.
async fn resolve(shared: &Arc<Shared>, settle: Duration, findings: &mut Findings) {
    let deadline = Instant::now() + settle;
    let open = unresolved(shared);
    let parts = open.chunks(open.len().div_ceil(RESOLVERS).max(1)).map(<[_]>::to_vec);
    let resolving = parts.map(|part| ask_again(Arc::clone(shared), part, deadline));
    for (command, told) in resolving.collect::<JoinSet<_>>().join_all().await.concat() {
        findings.add("unresolved", format!("{command}: {told}"));
    }
}

/// Sends each of `open` until it is answered; those that were not, and what was told instead.
async fn ask_again(
    shared: Arc<Shared>,
    open: Vec<Arc<Command>>,
    deadline: Instant,
) -> Vec<(Arc<Command>, String)> {
    let mut connection = Connection::default();
    let mut unresolved = Vec::new();
    for command in open {
        loop {
            let outcome = shared.send(&mut connection, 0, &command).await;
            if outcome.as_ref().is_some_and(Outcome::is_served) {
                break;
            }
            if Instant::now() > deadline {
                unresolved.push((command, format!("{outcome:?}")));
                break;
            }
            sleep(LOOK).await;
        }
    }
    unresolved
}

fn unresolved(shared: &Shared) -> Vec<Arc<Command>> {
    let mut open: BTreeMap<String, (Arc<Command>, bool)> = BTreeMap::new();
    for entry in shared.history.entries() {
        let Asked::Command(command) = entry.asked else { continue };
        if !command.keyed {
            continue;
        }
        let is_known = match &entry.outcome {
            Outcome::Ok(_) => true,
            Outcome::Refused(said) => matches!(said.status, 409 | 422),
            // It was not done, and nothing else was ever said.
            Outcome::NotDone(_) | Outcome::Behind | Outcome::Wrong(_) => continue,
            Outcome::Unknown(_) => false,
        };
        let known = &mut open.entry(command.mark.clone()).or_insert((command, false)).1;
        *known |= is_known;
    }
    open.into_values().filter(|(_, known)| !known).map(|(command, _)| command).collect()
}

/// Sends some of what was acknowledged once more: the checker compares the answers.
async fn repeat_some(shared: &Arc<Shared>) {
    let done = |entry: &Entry| match (&entry.asked, &entry.outcome) {
        (Asked::Command(command), Outcome::Ok(_)) if command.keyed => Some(Arc::clone(command)),
        _ => None,
    };
    let done: Vec<Arc<Command>> = shared.history.entries().iter().filter_map(done).collect();
    let step = done.len() / REPLAYS_MAX + 1;
    let mut connection = Connection::default();
    for command in done.iter().rev().step_by(step) {
        shared.send(&mut connection, 0, command).await;
    }
}

async fn wait_for_projections(
    look: &Look,
    settle: Duration,
    findings: &mut Findings,
) -> Result<()> {
    let deadline = Instant::now() + settle;
    while look.lag().await? != 0 {
        if Instant::now() > deadline {
            findings.add("projections", "they do not catch up");
            break;
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Every request is answered, or broken off, in bounded time.
fn check_deadlines(history: &[Entry], findings: &mut Findings) {
    let longest = history.iter().max_by_key(|entry| entry.ended - entry.invoked);
    let Some(longest) = longest else { return };
    let took = Duration::from_nanos(longest.ended - longest.invoked);
    if took > ANSWER_MAX {
        findings.add("deadline", format!("{took:.1?} without an answer: {longest:?}"));
    }
}

/// No connection is left in a transaction.
async fn check_transactions(
    look: &Look,
    backend: Backend,
    settle: Duration,
    findings: &mut Findings,
) -> Result<()> {
    if backend == Backend::Sqlite {
        // There is one writer: who can begin to write has found nobody in a transaction.
        look.execute("BEGIN IMMEDIATE").await?;
        return look.execute("ROLLBACK").await;
    }
    let open = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
    let deadline = Instant::now() + settle;
    while look.number(open).await? != 0 {
        if Instant::now() > deadline {
            findings.add("leak", "a connection stays idle in a transaction");
            break;
        }
        sleep(LOOK).await;
    }
    Ok(())
}

async fn poke(server: &Server) {
    let mut pokes = JoinSet::new();
    for _ in 0..POKES {
        let client = server.client().clone();
        pokes.spawn(async move { client.get("/livez").try_send().await.is_ok() });
    }
    pokes.join_all().await;
}

/// Servers that lived through it all take no more of the machine than before.
async fn check_usage(
    before: &BTreeMap<u32, Usage>,
    servers: &[Server],
    settle: Duration,
    findings: &mut Findings,
) {
    let deadline = Instant::now() + settle;
    for server in servers {
        let process = server.process_id();
        let Some(before) = before.get(&process) else { continue };
        while let Some(now) = Usage::of(process) {
            let files = now.files > before.files + FILES_GROWTH_MAX;
            let memory = now.memory_kib > before.memory_kib + MEMORY_GROWTH_KIB_MAX;
            if !files && !memory {
                break;
            }
            if Instant::now() > deadline {
                findings.add("leak", format!("a server had {before:?}, and has {now:?}"));
                break;
            }
            // What was freed goes back to the system when its thread allocates next.
            poke(server).await;
            sleep(LOOK).await;
        }
    }
}
