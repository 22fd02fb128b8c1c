//! The command line.

mod keys;
mod operate;
mod pages;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::keys::{AuditArgs, KeysAction};
pub(crate) use self::operate::{
    DeadLettersAction, IdempotencyAction, Letter, OperationArgs, OutboxAction, Output,
    ProgressArgs, ProjectorsAction, WatchArgs, wallet_key,
};
pub(crate) use self::pages::{completions, man, write_man};
pub(crate) use self::verify::VerifyArgs;

const LONG_ABOUT: &str = "\
Wallex is an event-sourced wallet and ledger service: a REST API that creates wallets and moves
money between them. Every answer it gives is committed; a retry with the same Idempotency-Key gets
the first answer again.

Without a command it serves, on http://127.0.0.1:8080, from the SQLite file wallex.db in the working
directory, which it creates.";

const AFTER_LONG_HELP: &str = "\
Examples:
  wallex                                    Serve from a SQLite file, nothing to set up
  DATABASE_URL=postgres://wallex:secret@db/wallex wallex
                                            Serve from PostgreSQL
  wallex keys create --name shop --scopes wallets:read,wallets:write
                                            Make an API key: from then on, one is needed
  WALLEX_LISTEN=0.0.0.0:8080 wallex         Listen on every interface; needs a key
  wallex config                             Show every setting and where it comes from
  wallex migrate status                     Show what the database's schema has
  wallex openapi > openapi.json             Write the description of the REST API
  wallex projectors watch                   Follow the projections as they follow the events
  wallex drift                              Compare the projections with the events
  wallex rebuild                            Put right what differs, while everything goes on
  wallex verify --export DIR --signing-key FILE
                                            Write the history, and a checkpoint that proves it

Main environment variables (`wallex config` lists all; docs/CONFIGURATION.md explains them):
  DATABASE_URL             sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME
  WALLEX_LISTEN            Address and port to listen on [127.0.0.1:8080]
  WALLEX_AUTH              Whether requests need a credential: auto, on or off [auto: yes, but on
                           a loopback address while there is no API key]
  WALLEX_CONFIG            TOML file with settings [wallex.toml, if there is one]
  WALLEX_AUTO_MIGRATE      Whether to migrate the database at start-up [true]
  PROJECTORS_AUTO_START    Whether the projectors start with the server [true]
  IDEMPOTENCY_TTL_HOURS    How long an idempotency key is remembered [24]
  WALLEX_LOG               What is logged to stderr [info]
  WALLEX_LOG_FORMAT        auto, pretty or json [auto: pretty on a terminal]
  OTEL_EXPORTER_OTLP_ENDPOINT
                           OpenTelemetry collector for traces [none]

Signals: SIGTERM and Ctrl-C finish what was accepted and exit with 0; a second one exits at once.
Exit codes: 0 done, 1 failed with a sentence on stderr, 2 wrong usage, or a discard that was not confirmed. `drift` also
ends with 1 when there are differences, `verify` when the history is not what was written,
`dead-letters replay` when a wallet is still parked.";

/// Event-sourced wallets and ledger over REST.
#[derive(Debug, Parser)]
#[command(name = "wallex", version, long_about = LONG_ABOUT, after_long_help = AFTER_LONG_HELP)]
pub(crate) struct Cli {
    /// TOML file with settings; without it `wallex.toml` is read if there is one.
    #[arg(long, global = true, value_name = "PATH", env = "WALLEX_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do; serving when nothing is said.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server. The default.
    Serve,
    /// Run the projectors without the API, whatever PROJECTORS_AUTO_START says. Beside servers that
    /// have it off, or as one more that may take a lease. WALLEX_WORKER_LISTEN lets Prometheus see it.
    Worker,
    /// Change or show the database's schema.
    Migrate {
        #[command(subcommand)]
        action: Migrate,
    },
    /// See and steer the projectors.
    Projectors {
        #[command(subcommand)]
        action: ProjectorsAction,
    },
    /// Compare the projections with the events and put right what differs, without downtime. One
    /// that was interrupted goes on where it stood.
    Rebuild(OperationArgs),
    /// Compare the projections and the write side's state with the events, and the events with their
    /// hashes. Changes nothing.
    Drift(OperationArgs),
    /// Prove that the history is what was written: every event's hash, position and version, and the
    /// wallets' last ones. With an earlier checkpoint it also shows a history that was cut off or
    /// rewritten as a whole. Changes nothing.
    Verify(Box<VerifyArgs>),
    /// Replay every dead letter, but those of projectors that were stopped by hand.
    Retry(ProgressArgs),
    /// Count everything. Reads every table.
    Stats(Output),
    /// See and clean the outbox.
    Outbox {
        #[command(subcommand)]
        action: OutboxAction,
    },
    /// Clean the idempotency records.
    Idempotency {
        #[command(subcommand)]
        action: IdempotencyAction,
    },
    /// See and settle the wallets that a projector has parked.
    DeadLetters {
        #[command(subcommand)]
        action: DeadLettersAction,
    },
    /// Make, list, replace and take back API keys.
    Keys {
        #[command(subcommand)]
        action: KeysAction,
    },
    /// Print who did what to keys, projectors, dead letters and recovery, newest first.
    Audit(AuditArgs),
    /// Print the OpenAPI description of the REST API.
    Openapi,
    /// Print the effective settings and where each comes from, secrets hidden.
    Config(ConfigArgs),
    /// Ask the running server whether it is ready: exit code 0 when it is, 1 when not. For the health
    /// checks of containers.
    Healthcheck {
        /// The URL to ask; without it, /readyz of the server on this machine that WALLEX_LISTEN names.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Print the script that completes our arguments in a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the man page wallex(1).
    Man {
        /// Instead, write it and a page for each subcommand into this folder.
        #[arg(long, value_name = "FOLDER")]
        directory: Option<PathBuf>,
    },
}

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Apply every step that is missing. Several may run at once: one works, the others wait.
    Up,
    /// Take steps back, the last one first. THIS DELETES THE DATA OF THEIR TABLES.
    Down {
        /// How many steps.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Confirms that the data may be deleted.
        #[arg(long)]
        yes: bool,
    },
    /// Print each step and whether it is applied.
    Status,
}

/// How to print the settings.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// As one JSON object.
    #[arg(long, conflicts_with = "example")]
    pub(crate) json: bool,
    /// Instead of the effective values, a commented TOML file with every default.
    #[arg(long)]
    pub(crate) example: bool,
    /// Instead of the effective values, docs/CONFIGURATION.md.
    #[arg(long, hide = true, conflicts_with_all = ["json", "example"])]
    pub(crate) markdown: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use wallex_domain::TenantId;
    use wallex_ports::{Scope, ShardPosition};

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"wallex").chain(arguments))
    }

    #[test]
    fn definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_serve() {
        assert!(parse(&[]).expect("valid").command.is_none());
        assert!(matches!(parse(&["serve"]).expect("valid").command, Some(Command::Serve)));
    }

    #[test]
    fn config_file_may_stand_before_and_behind_the_command() {
        for arguments in [["--config", "a.toml", "config"], ["config", "--config", "a.toml"]] {
            let cli = parse(&arguments).expect("valid");
            assert_eq!(cli.config, Some(PathBuf::from("a.toml")));
            assert!(matches!(cli.command, Some(Command::Config(_))));
        }
    }

    #[test]
    fn migrations_go_down_one_step_unless_told() {
        let down = |arguments: &[&str]| match parse(arguments).expect("valid").command {
            Some(Command::Migrate { action: Migrate::Down { steps, yes } }) => (steps, yes),
            other => panic!("{other:?}"),
        };
        assert_eq!(down(&["migrate", "down"]), (1, false));
        assert_eq!(down(&["migrate", "down", "--steps", "3", "--yes"]), (3, true));
        assert!(parse(&["migrate", "down", "--steps", "0"]).is_err());
        assert!(parse(&["migrate"]).is_err());
    }

    #[test]
    fn operations_are_about_all_wallets_unless_told() {
        let scope = |arguments: &[&str]| match parse(arguments).expect("valid").command {
            Some(Command::Rebuild(operation) | Command::Drift(operation)) => operation.scope(),
            other => panic!("{other:?}"),
        };
        assert_eq!(scope(&["rebuild"]), Scope::All);
        let wallet = wallet_key(&"w-1".parse().expect("valid"), &TenantId::default());
        assert_eq!(scope(&["drift", "--wallet", "w-1"]), Scope::Wallet(wallet));
        let since = |shard, position| Scope::Since(ShardPosition { shard, position });
        assert_eq!(scope(&["rebuild", "--from-position", "7"]), since(0, 7));
        assert_eq!(scope(&["rebuild", "--from-position", "7", "--shard", "3"]), since(3, 7));
        let tenant: TenantId = "acme".parse().expect("valid");
        let wallet = wallet_key(&"w-1".parse().expect("valid"), &tenant);
        let asked = scope(&["drift", "--wallet", "w-1", "--tenant", "acme"]);
        assert_eq!(asked, Scope::Wallet(wallet));
        for bad in [
            &["rebuild", "--wallet", "a b"][..],
            &["rebuild", "--tenant", "acme"],
            &["rebuild", "--wallet", "w-1", "--from-position", "7"],
            &["rebuild", "--shard", "3"],
            &["drift", "--from-position", "0"],
            &["drift", "--from-position", "1", "--shard", "1024"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn verifying_names_what_it_trusts() {
        let verify = |more: &[&str]| parse(&[&["verify"], more].concat());
        for good in [
            &[][..],
            &["--export", "d"],
            &["--export", "d", "--signing-key", "k"],
            &["--against", "a", "--against", "b", "--public-key", "p"],
            &["--export", "d", "--against", "a", "--public-key", "p"],
            &["--offline", "d", "--public-key", "p"],
            &["--offline", "d", "--public-key", "p", "--since", "a"],
            &["--offline", "d", "--unsigned"],
            &["--generate-key", "k"],
        ] {
            assert!(verify(good).is_ok(), "{good:?}: {}", verify(good).expect_err("bad"));
        }
        for bad in [
            &["--signing-key", "k"][..],
            &["--against", "a"],
            &["--offline", "d"],
            &["--offline", "d", "--export", "e", "--unsigned"],
            &["--offline", "d", "--unsigned", "--public-key", "p"],
            &["--offline", "d", "--unsigned", "--since", "a"],
            &["--since", "a", "--public-key", "p"],
            &["--unsigned"],
            &["--generate-key", "k", "--export", "d"],
        ] {
            assert!(verify(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn discarding_is_confirmed_with_a_version_and_a_reason() {
        let discard = ["dead-letters", "discard", "ledger", "w-1"];
        let with = |more: &[&str]| parse(&[&discard, more].concat());
        assert!(with(&[]).is_ok(), "it says what would happen");
        assert!(with(&["--yes", "--version", "3", "--reason", "sent twice"]).is_ok());
        assert!(with(&["--yes"]).is_err());
        assert!(with(&["--yes", "--reason", "sent twice"]).is_err());
        assert!(with(&["--yes", "--version", "3"]).is_err());
        assert!(with(&["--yes", "--version", "0", "--reason", "sent twice"]).is_err());
        assert!(with(&["--yes", "--version", "3", "--reason", ""]).is_err());
        assert!(with(&["--yes", "--version", "3", "--reason", &"x".repeat(501)]).is_err());
    }

    #[test]
    fn replay_is_of_one_or_of_all() {
        let replay = |more: &[&str]| parse(&[&["dead-letters", "replay"], more].concat());
        assert!(replay(&["ledger", "w-1"]).is_ok());
        assert!(replay(&["--all"]).is_ok());
        for bad in [&[][..], &["ledger"], &["ledger", "w-1", "--all"]] {
            assert!(replay(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_operator_command_has_json() {
        for arguments in [
            "projectors list",
            "projectors start ledger",
            "projectors stop ledger",
            "projectors watch",
            "rebuild",
            "drift",
            "verify",
            "verify --offline export --unsigned",
            "retry",
            "stats",
            "outbox status",
            "outbox cleanup",
            "dead-letters list",
            "dead-letters show ledger w-1",
            "dead-letters replay --all",
            "dead-letters discard ledger w-1",
            "keys create --name n --scopes admin",
            "keys list",
            "keys rotate abc123def456",
            "keys revoke abc123def456",
            "audit",
        ] {
            let words: Vec<_> = arguments.split(' ').chain(["--json"]).collect();
            assert!(parse(&words).is_ok(), "{arguments}");
        }
    }

    #[test]
    fn help_names_every_variable_by_its_right_name() {
        let known: Vec<_> = crate::config::KEYS.iter().map(|key| key.env).collect();
        let lines = AFTER_LONG_HELP.lines().filter_map(|line| line.strip_prefix("  "));
        let named: Vec<_> = lines
            .filter(|line| line.starts_with(char::is_uppercase))
            .filter_map(|line| line.split([' ', '=']).next())
            .filter(|name| !name.starts_with("OTEL_") && *name != "WALLEX_CONFIG")
            .collect();
        assert!(named.len() > 5);
        for name in named {
            assert!(known.contains(&name), "{name}");
        }
    }
}
