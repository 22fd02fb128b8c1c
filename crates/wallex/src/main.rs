//! The server and command line of Wallex: configuration, telemetry, wiring and subcommands. What a
//! wallet is and how its money moves stands in the other crates; only this one sees them all.

mod access;
mod adapters;
mod cli;
mod commands;
mod config;
mod healthcheck;
mod metrics;
mod migrate;
#[cfg(debug_assertions)]
mod planted;
mod projections;
mod sentence;
mod serve;
mod signals;
mod startup;
mod telemetry;
mod tls;
mod upkeep;
mod work;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use wallex_database::Database;

use crate::cli::{Cli, Command, ConfigArgs};
use crate::config::Config;
use crate::telemetry::Telemetry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long threads that are left over may take to end.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(exit_code) => exit_code,
        Err(error) => {
            // One sentence with its causes, never a backtrace: whoever starts a server should see
            // what to change.
            eprintln!("wallex: {}", sentence::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    // Every TLS client of the process uses this one; the exporter's is made before the runtime, and
    // would panic without it.
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("invariant: nobody else installs one");
    match cli.command.as_ref().unwrap_or(&Command::Serve) {
        Command::Openapi => print(&pretty_json(&wallex_http_actix::openapi())?)?,
        Command::Completions { shell } => write(&cli::completions(*shell))?,
        Command::Man { directory: None } => write(&cli::man()?)?,
        Command::Man { directory: Some(folder) } => cli::write_man(folder)?,
        Command::Config(arguments) => print_config(cli, arguments)?,
        Command::Migrate { action } => {
            let config = load(cli)?;
            let telemetry = telemetry::init(&config, false)?;
            let text =
                block_on(telemetry, |_| async move { migrate::migrate(&config, action).await })?;
            print(&text)?;
        }
        Command::Healthcheck { url } => {
            let config = load(cli)?;
            let telemetry = telemetry::init(&config, false)?;
            let asking = |_| async move { healthcheck::healthcheck(&config, url.as_deref()).await };
            print(&block_on(telemetry, asking)?)?;
        }
        Command::Serve => {
            let config = load(cli)?;
            let telemetry = telemetry::init(&config, true)?;
            block_on(telemetry, |pretty| serve::serve(config, pretty))?;
        }
        Command::Worker => {
            let config = load(cli)?;
            let telemetry = telemetry::init(&config, true)?;
            block_on(telemetry, |_| work::work(config))?;
        }
        Command::Verify(arguments) if !arguments.needs_database() => {
            return told(&match &arguments.generate_key {
                Some(path) => commands::generate_key(path)?,
                None => commands::verify_export(arguments)?,
            });
        }
        operators => return operate(cli, operators),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command of the operators, which can end well and still have something to complain of.
fn operate(cli: &Cli, command: &Command) -> anyhow::Result<ExitCode> {
    let mut config = load(cli)?;
    // What a server logs of its operations the command says itself. Whoever names the target in
    // WALLEX_LOG still sees it.
    config.log_filter = format!("wallex_projectors=warn,{}", config.log_filter);
    let telemetry = telemetry::init(&config, false)?;
    told(&block_on(telemetry, |_| async move { commands::run(&config, command).await })?)
}

/// Prints what a command came to.
fn told(outcome: &commands::Outcome) -> anyhow::Result<ExitCode> {
    print(&outcome.text)?;
    if let Some(complaint) = &outcome.complaint {
        eprintln!("wallex: {complaint}");
    }
    Ok(outcome.exit_code())
}

fn load(cli: &Cli) -> anyhow::Result<Config> {
    Ok(config::from_process(cli.config.as_deref())?.config)
}

fn print_config(cli: &Cli, arguments: &ConfigArgs) -> anyhow::Result<()> {
    if arguments.example {
        return print(&config::example_file());
    }
    if arguments.markdown {
        return print(&config::markdown());
    }
    let loaded = config::from_process(cli.config.as_deref())?;
    if arguments.json {
        print(&pretty_json(&config::json(&loaded))?)
    } else {
        print(&config::table(&loaded))
    }
}

/// Runs `work` on a runtime of its own, and sends the last spans when that has ended.
fn block_on<T, F: Future<Output = anyhow::Result<T>>>(
    telemetry: Telemetry,
    work: impl FnOnce(bool) -> F,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")?;
    let result = runtime.block_on(work(telemetry.pretty));
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    telemetry.shutdown();
    result
}

/// Opens the configured database.
async fn connect(config: &Config) -> anyhow::Result<Database> {
    Database::connect(&config.database)
        .await
        .with_context(|| format!("can't open {}", config.database.url))
}

fn pretty_json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value).context("this can't be written as JSON")?;
    Ok(text + "\n")
}

fn print(text: &str) -> anyhow::Result<()> {
    write(text.as_bytes())
}

/// Writes to stdout. A reader that has seen enough (`| head`) is no failure.
fn write(bytes: &[u8]) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("stdout can't be written to")
        }
        _ => Ok(()),
    }
}
