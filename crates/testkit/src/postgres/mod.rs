//! A private PostgreSQL cluster: made on the spot, gone afterwards.
//!
//! A small shell (`guard.sh`) makes the cluster and holds the read end of a pipe from us. However
//! this process ends, `kill -9` included, the kernel closes the pipe, and the guard stops the
//! cluster and removes it. As root the guard runs as an unprivileged user, because PostgreSQL
//! refuses root.

mod binaries;
mod packages;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

const GUARD: &str = include_str!("guard.sh");
/// How many ports are tried: another process can take one between our looking and PostgreSQL's
/// binding.
const PORTS_MAX: usize = 5;

/// What kind of cluster is wanted.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Whether a commit waits for the disk. Off in tests only: what a benchmark or a fault test
    /// says of a server without it is worth nothing. A crash of PostgreSQL alone loses nothing
    /// either way.
    pub fsync: bool,
    /// Connections that the server takes.
    pub max_connections: u32,
    /// Further settings, `("shared_buffers", "512MB")` for one, without white space in them.
    pub settings: Vec<(String, String)>,
    /// Where the cluster's folder is made; the system's temporary folder when there is none.
    pub parent: Option<PathBuf>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { fsync: false, max_connections: 400, settings: Vec::new(), parent: None }
    }
}

impl PostgresOptions {
    fn as_arguments(&self) -> String {
        let switch = if self.fsync { "on" } else { "off" };
        let ours = [
            ("fsync", switch.to_owned()),
            ("full_page_writes", switch.to_owned()),
            ("max_connections", self.max_connections.to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            // TCP alone: the path of a socket in a deep folder is too long for the kernel.
            ("unix_socket_directories", String::new()),
        ];
        let ours = ours.map(|(name, value)| format!("-c {name}={value}"));
        let theirs = self.settings.iter().map(|(name, value)| format!("-c {name}={value}"));
        ours.into_iter().chain(theirs).collect::<Vec<_>>().join(" ")
    }
}

/// A running cluster on 127.0.0.1, without passwords. Dropped, it is stopped and removed.
#[derive(Debug)]
pub struct PrivatePostgres {
    guard: Child,
    commands: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    home: PathBuf,
    port: u16,
}

impl PrivatePostgres {
    /// Makes and starts a cluster; installs PostgreSQL first where it is missing and that needs no
    /// password.
    ///
    /// # Errors
    /// When the server's programs are missing (the error says what to type) or it does not start
    /// (the error has its log).
    pub fn start(options: &PostgresOptions) -> Result<Self> {
        let programs = match binaries::find() {
            Some(programs) => programs,
            None => {
                packages::install()?;
                binaries::find().context(
                    "PostgreSQL was installed, but initdb, pg_ctl and postgres are nowhere to be \
                     found: put their folder on the PATH",
                )?
            }
        };
        let user = Unprivileged::when_root()?;
        let home = make_home(options.parent.as_deref(), user.as_ref())?;
        let mut command = Command::new("sh");
        command
            .args(["-c", GUARD, "wallex-postgres-guard"])
            .args([&programs, &home])
            .arg(options.as_arguments())
            .args(free_ports()?.iter().map(u16::to_string))
            .current_dir("/")
            // Ctrl-C is for the tests; the guard outlives them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid);
        }
        let mut guard = command.spawn().context("sh could not be started")?;
        let commands = guard.stdin.take();
        let replies = guard.stdout.take().context("the guard has no standard output")?;
        let mut cluster = Self { guard, commands, replies: BufReader::new(replies), home, port: 0 };
        cluster.port = cluster.reply("ready ")?.parse().context("the guard's port")?;
        Ok(cluster)
    }

    /// The URL of its `postgres` database, as its superuser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://wallex@127.0.0.1:{}/postgres", self.port)
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its first process, the parent of all others.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process_id(&self) -> Result<u32> {
        let file = self.home.join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let first = text.lines().next().unwrap_or_default();
        first.trim().parse().with_context(|| format!("{first:?} is no process"))
    }

    /// Stops it as a crash would (`-m immediate`): it recovers from its log when started again.
    ///
    /// # Errors
    /// When it was not running.
    pub fn crash(&mut self) -> Result<()> {
        self.tell("stop")?;
        self.reply("stopped").map(drop)
    }

    /// Starts it again after [`PrivatePostgres::crash`], on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        self.tell("start")?;
        self.reply("ready ").map(drop)
    }

    fn tell(&mut self, command: &str) -> Result<()> {
        let commands = self.commands.as_mut().context("the guard has no standard input")?;
        writeln!(commands, "{command}").context("the guard is gone")
    }

    fn reply(&mut self, expected: &str) -> Result<String> {
        let mut line = String::new();
        self.replies.read_line(&mut line).context("the guard does not answer")?;
        if let Some(rest) = line.strip_prefix(expected) {
            return Ok(rest.trim().to_owned());
        }
        self.commands = None;
        let mut reason = String::new();
        self.replies.read_to_string(&mut reason).context("the guard does not say why")?;
        bail!("the private PostgreSQL did not do what it was told:\n{reason}")
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // The end of its input is what the guard waits for; waiting for it in turn means that
        // nothing is left behind once we return.
        self.commands = None;
        self.guard.wait().ok();
    }
}

/// The user that PostgreSQL runs as when we are root.
#[derive(Debug, Clone, Copy)]
struct Unprivileged {
    uid: u32,
    gid: u32,
}

impl Unprivileged {
    fn when_root() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
        let user = ["postgres", "nobody"].iter().find_map(|name| Self::in_passwd(&users, name));
        user.map(Some).context(
            "PostgreSQL refuses to run as root, and there is neither a user postgres nor a user \
             nobody: run the tests as an ordinary user",
        )
    }

    fn in_passwd(users: &str, name: &str) -> Option<Self> {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [user, _, uid, gid, ..] = fields[..] else { return None };
            if user != name {
                return None;
            }
            Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
        })
    }
}

/// A folder that the guard's user owns, and the guard removes.
fn make_home(parent: Option<&Path>, user: Option<&Unprivileged>) -> Result<PathBuf> {
    // Root's own temporary folder may be closed to the unprivileged user; /tmp is open to all.
    let parent = match (parent, user) {
        (Some(parent), _) => parent.to_owned(),
        (None, Some(_)) => PathBuf::from("/tmp"),
        (None, None) => std::env::temp_dir(),
    };
    let home = tempfile::Builder::new()
        .prefix("wallex-postgres-")
        .tempdir_in(&parent)
        .with_context(|| format!("no folder could be made in {}", parent.display()))?;
    if let Some(user) = user {
        std::os::unix::fs::chown(home.path(), Some(user.uid), Some(user.gid))
            .with_context(|| format!("{} could not be given away", home.path().display()))?;
    }
    Ok(home.keep())
}

fn free_ports() -> Result<Vec<u16>> {
    // All are held at once, so that they differ.
    let sockets = (0..PORTS_MAX)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<Vec<_>>>()
        .context("no free TCP port")?;
    sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unprivileged_user_is_read_from_passwd() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\nx:y\n";
        let nobody = Unprivileged::in_passwd(users, "nobody").expect("there is one");
        assert_eq!((nobody.uid, nobody.gid), (65534, 65533));
        assert!(Unprivileged::in_passwd(users, "postgres").is_none());
    }

    #[test]
    fn a_crashed_cluster_starts_again_on_its_port() {
        let mut cluster = PrivatePostgres::start(&PostgresOptions::default()).expect("starts");
        let connect = |port| std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let port = cluster.port();
        connect(port).expect("listens");
        cluster.crash().expect("crashes");
        connect(port).expect_err("nobody listens");
        cluster.start_again().expect("recovers");
        connect(port).expect("listens again");
        drop(cluster);
        connect(port).expect_err("stopped when dropped");
    }
}
