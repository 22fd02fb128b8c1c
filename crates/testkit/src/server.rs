//! The real binary, as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, prlimit};

use crate::{Client, TempDatabase, eventually};

/// Names the binary that is tested, where it is not the one in the target folder.
const BINARY_VARIABLE: &str = "WALLEX_TEST_BINARY";

/// The `wallex` binary: that of `WALLEX_TEST_BINARY`, or else the one that was built beside the
/// tests.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn wallex_binary() -> PathBuf {
    let binary = std::env::var_os(BINARY_VARIABLE).map(PathBuf::from).unwrap_or_else(|| {
        let test = std::env::current_exe().expect("the test knows its own path");
        // Tests are in target/<profile>/deps, other programs in target/<profile>.
        let folders = test.ancestors().skip(1).take(2);
        let candidates = folders.map(|folder| folder.join("wallex"));
        candidates.into_iter().find(|path| path.is_file()).unwrap_or_default()
    });
    assert!(
        binary.is_file(),
        "the wallex binary is missing: build it with `cargo build -p wallex`, or name it in \
         {BINARY_VARIABLE}"
    );
    binary
}

/// A server that is to be started.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    command: Command,
    http: Option<reqwest::Client>,
}

impl ServerBuilder {
    /// `wallex ARGS…` with nothing of the caller's environment that would change what it does.
    pub fn new(args: &[&str]) -> Self {
        Self::of(&wallex_binary(), args)
    }

    /// The same of another build.
    pub fn of(binary: &std::path::Path, args: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(args);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let ours = ["WALLEX_", "OTEL_", "IDEMPOTENCY_", "PROJECTORS_"];
            if ours.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&*name);
            }
        }
        command.env_remove("DATABASE_URL").env_remove("RUST_LOG");
        // The system picks the port, so that no two tests want the same. And no wallex.toml that
        // lies around is read.
        command.env("WALLEX_LISTEN", "127.0.0.1:0").current_dir(std::env::temp_dir());
        Self { command, http: None }
    }

    /// A server on `database`.
    pub fn on(database: &TempDatabase) -> Self {
        Self::new(&[]).env("DATABASE_URL", database.url())
    }

    /// Sets one variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Talks to it by `http`, which trusts its certificate.
    pub fn over(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// Sets the working folder.
    pub fn current_dir(mut self, folder: &std::path::Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Lets no file that it writes grow beyond about a megabyte, as a full disk does, until
    /// [`Server::free_the_disk`].
    pub fn on_a_full_disk(mut self) -> Self {
        // A write beyond the limit is then an error, not a signal.
        let script = r#"trap '' XFSZ; ulimit -S -f 1024; exec "$0" "$@""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = self.command.get_current_dir() {
            shell.current_dir(folder);
        }
        self.command = shell;
        self
    }

    /// Starts it, and waits for nothing.
    ///
    /// # Panics
    /// When the program can't be started.
    #[must_use]
    pub fn spawn(mut self) -> Server {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the binary starts");
        let output = Output::default();
        let readers = vec![
            output.read(child.stdout.take().expect("piped")),
            output.read(child.stderr.take().expect("piped")),
        ];
        Server { child, output, readers, client: None, http: self.http }
    }

    /// Starts it, and waits until it listens; it may not be ready.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start_unready(self) -> Server {
        let mut server = self.spawn();
        server.listening().await;
        server
    }

    /// Starts it, and waits until it is ready.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start(self) -> Server {
        let mut server = self.start_unready().await;
        server.ready().await;
        server
    }
}

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    output: Output,
    readers: Vec<JoinHandle<()>>,
    client: Option<Client>,
    http: Option<reqwest::Client>,
}

impl Server {
    /// Starts a server on `database`, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(database: &TempDatabase) -> Self {
        ServerBuilder::on(database).start().await
    }

    /// A client for it.
    ///
    /// # Panics
    /// When it was not waited for.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("a server that listens")
    }

    /// `127.0.0.1:PORT`, for raw sockets.
    #[must_use]
    pub fn address(&self) -> &str {
        let base = self.client().base();
        base.split_once("://").map_or(base, |(_, address)| address)
    }

    /// Waits until it says where it listens; it may not be ready.
    ///
    /// # Panics
    /// When the process ends instead.
    pub async fn listening(&mut self) {
        let base = eventually("the server says where it listens", async || {
            let address = self.output.address();
            if address.is_none() {
                self.is_running();
            }
            address
        })
        .await;
        self.client = Some(match &self.http {
            Some(http) => Client::over(base, http.clone()),
            None => Client::new(base),
        });
    }

    fn is_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("the server's status") {
            panic!("the server ended ({status}):\n{}", self.logs());
        }
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Panics
    /// When the process ends instead.
    pub async fn ready(&mut self) {
        let client = self.client().clone();
        eventually("the server is ready", async || {
            self.is_running();
            let answer = client.get("/readyz").try_send().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// Everything that it printed so far.
    #[must_use]
    pub fn logs(&self) -> String {
        self.output.lines().join("\n")
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill_nine(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Asks it to end, as an operator or a supervisor does (SIGTERM).
    ///
    /// # Panics
    /// When there is no such process.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to end as Ctrl-C does (SIGINT).
    ///
    /// # Panics
    /// When there is no such process.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Stops it in the middle of whatever it does (SIGSTOP), as a machine does that is suspended.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Panics
    /// When there is no such process.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Tells it that its files may have changed (SIGHUP).
    ///
    /// # Panics
    /// When there is no such process.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// The memory that it has, in bytes.
    ///
    /// # Panics
    /// When there is no such process.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process_id());
        let status = std::fs::read_to_string(path).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
        kib * 1024
    }

    /// How many files, sockets among them, it has open.
    ///
    /// # Panics
    /// When there is no such process.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn open_files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.process_id());
        std::fs::read_dir(path).expect("the server runs").count()
    }

    /// The number of its process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Ends what [`ServerBuilder::on_a_full_disk`] began.
    ///
    /// # Panics
    /// When there is no such process.
    #[cfg(target_os = "linux")]
    pub fn free_the_disk(&self) {
        let unlimited = Rlimit { current: None, maximum: None };
        prlimit(Some(self.pid()), Resource::Fsize, unlimited).expect("the limit is lifted");
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server runs");
    }

    fn pid(&self) -> Pid {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.expect("a process id")
    }

    /// Waits until it ended and all it printed was read.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn wait(&mut self) -> ExitStatus {
        let status = eventually("the server ends", async || {
            self.child.try_wait().expect("the server's status")
        })
        .await;
        for reader in self.readers.drain(..) {
            reader.join().ok();
        }
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_nine();
        if std::thread::panicking() {
            eprintln!("--- what the server printed ---\n{}\n---", self.logs());
        }
    }
}

/// What a process printed, line by line, whichever stream it came from.
#[derive(Debug, Clone, Default)]
struct Output(Arc<Mutex<Vec<String>>>);

impl Output {
    fn read(&self, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                output.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        })
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The address in the line that says where the server listens, as text or as JSON.
    fn address(&self) -> Option<String> {
        self.lines().iter().filter(|line| line.contains("listens")).find_map(|line| {
            let (before, rest) = line.split_once("://127.0.0.1:")?;
            let scheme = if before.ends_with("https") { "https" } else { "http" };
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
            Some(format!("{scheme}://127.0.0.1:{port}"))
        })
    }
}
