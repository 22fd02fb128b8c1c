//! Getting PostgreSQL's server programs from the system's package manager.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A package manager, and the shell command that installs the server with it.
struct Manager {
    program: &'static str,
    install: &'static str,
    needs_root: bool,
}

const MANAGERS: [Manager; 7] = [
    Manager {
        program: "apt-get",
        install: "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql",
        needs_root: true,
    },
    Manager { program: "dnf", install: "dnf install -y postgresql-server", needs_root: true },
    Manager { program: "yum", install: "yum install -y postgresql-server", needs_root: true },
    Manager { program: "apk", install: "apk add postgresql", needs_root: true },
    Manager {
        program: "zypper",
        install: "zypper --non-interactive install postgresql-server",
        needs_root: true,
    },
    Manager { program: "pacman", install: "pacman -Sy --noconfirm postgresql", needs_root: true },
    Manager { program: "brew", install: "brew install postgresql@17", needs_root: false },
];

/// Installs the server programs where that needs no password; otherwise the error says what to
/// type.
pub(super) fn install() -> Result<()> {
    let Some(manager) = MANAGERS.iter().find(|manager| runs(manager.program, "--version")) else {
        bail!(
            "PostgreSQL's server programs (initdb, pg_ctl, postgres) were not found, and neither \
             was a package manager that Wallex knows. Install PostgreSQL and put them on the \
             PATH, or set WALLEX_TEST_POSTGRES_URL to a server where databases may be created."
        );
    };
    let root = rustix::process::geteuid().is_root();
    let command = match (manager.needs_root, root) {
        (false, _) | (true, true) => vec!["sh", "-c", manager.install],
        (true, false) if runs("sudo", "-n true") => vec!["sudo", "-n", "sh", "-c", manager.install],
        (true, false) => bail!(
            "PostgreSQL's server programs (initdb, pg_ctl, postgres) were not found. Type\n\n    \
             sudo sh -c '{}'\n\nor set WALLEX_TEST_POSTGRES_URL to a server where databases may be \
             created.",
            manager.install
        ),
    };
    eprintln!("PostgreSQL's server programs were not found; running: {}", command.join(" "));
    // Its progress is no part of what the command of with-postgres prints.
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("{} could not be started", command[0]))?;
    if !status.success() {
        bail!("`{}` failed ({status}): PostgreSQL could not be installed", command.join(" "));
    }
    Ok(())
}

fn runs(program: &str, args: &str) -> bool {
    let (stdout, stderr) = (Stdio::null(), Stdio::null());
    let status = Command::new(program).args(args.split(' ')).stdout(stdout).stderr(stderr).status();
    status.is_ok_and(|status| status.success())
}
