//! `with-postgres`: a server for one command, and nothing left of it afterwards.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use wallex_testkit::{POSTGRES_URL_VARIABLE, block_on, eventually};

fn with_postgres(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-postgres"));
    command.args(args).env_remove(POSTGRES_URL_VARIABLE);
    command
}

fn output(args: &[&str]) -> Output {
    with_postgres(args).output().expect("with-postgres runs")
}

#[test]
fn the_commands_exit_code_is_forwarded() {
    assert_eq!(output(&["--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(output(&["--", "sh", "-c", "kill -9 $$"]).status.code(), Some(128 + 9));
    assert_eq!(output(&[]).status.code(), Some(1));
    assert_eq!(output(&["--", "/nonexistent"]).status.code(), Some(1));
}

#[test]
fn a_server_that_is_named_is_used() {
    let mut command = with_postgres(&["--", "sh", "-c", &format!("echo ${POSTGRES_URL_VARIABLE}")]);
    let output = command.env(POSTGRES_URL_VARIABLE, "postgres://elsewhere/").output();
    assert_eq!(output.expect("with-postgres runs").stdout, b"postgres://elsewhere/\n");
}

/// Starts `with-postgres` around a command that prints its server's URL and stays until its input
/// ends.
fn running() -> (Child, String) {
    let script = format!("echo ${POSTGRES_URL_VARIABLE}; exec cat");
    let mut child = with_postgres(&["sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("with-postgres runs");
    let mut url = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut url).expect("the command prints");
    let address = url.split(['@', '/']).nth(3).expect("postgres://user@host:port/name").to_owned();
    TcpStream::connect(&address).expect("the server takes connections");
    (child, address)
}

fn stops(address: &str) {
    block_on(eventually("the cluster is stopped", async || TcpStream::connect(address).err()));
}

#[test]
fn the_cluster_stops_when_its_owner_is_killed() {
    let (mut owner, address) = running();
    owner.kill().expect("kill -9");
    owner.wait().expect("it ended");
    stops(&address);
}

#[test]
fn a_term_signal_ends_the_command_and_then_the_cluster() {
    let (mut owner, address) = running();
    let _input = owner.stdin.take();
    let pid = owner.id().to_string();
    let kill = Command::new("sh").args(["-c", "kill -TERM $0", &pid]).status();
    assert!(kill.expect("sh runs").success());
    assert_eq!(owner.wait().expect("it ended").code(), Some(128 + 15));
    stops(&address);
}
