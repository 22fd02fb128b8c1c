//! `with-postgres [--fsync] [--] COMMAND [ARG…]`: runs a command that finds a PostgreSQL server
//! under `WALLEX_TEST_POSTGRES_URL`: the one that the variable names already, or else a private
//! cluster that is gone when the command ends, whichever way. Exits as the command does.

use std::process::ExitCode;

use anyhow::{Result, bail};
use wallex_testkit::{POSTGRES_URL_VARIABLE, PostgresOptions, PrivatePostgres, run_in_foreground};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with-postgres: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<u8> {
    let mut words = std::env::args().skip(1).peekable();
    let fsync = words.next_if(|word| word == "--fsync").is_some();
    words.next_if(|word| word == "--");
    let Some(program) = words.next() else {
        bail!("usage: with-postgres [--fsync] [--] COMMAND [ARG…]");
    };
    if std::env::var_os(POSTGRES_URL_VARIABLE).is_some_and(|url| !url.is_empty()) {
        return run_in_foreground(&program, words, &[]).await;
    }
    let cluster = PrivatePostgres::start(&PostgresOptions { fsync, ..Default::default() })?;
    run_in_foreground(&program, words, &[(POSTGRES_URL_VARIABLE, &cluster.url())]).await
}
