//! `with-server sqlite|postgres [--] COMMAND [ARG…]`: runs a command that finds the real Wallex
//! server under `WALLEX_URL`, and a key for all of it under `WALLEX_KEY`, on a fresh database that is
//! gone when the command ends. Exits as the command does.

use std::process::ExitCode;

use anyhow::{Result, bail};
use wallex_testkit::{ALL_SCOPES, ApiKey, ServerBuilder, TempDatabase, run_in_foreground};

const URL_VARIABLE: &str = "WALLEX_URL";
const KEY_VARIABLE: &str = "WALLEX_KEY";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<u8> {
    let mut words = std::env::args().skip(1).peekable();
    let backend = words.next();
    words.next_if(|word| word == "--");
    let (Some(backend), Some(program)) = (backend, words.next()) else {
        bail!("usage: with-server sqlite|postgres [--] COMMAND [ARG…]");
    };
    let database = match &*backend {
        "sqlite" => TempDatabase::sqlite(),
        "postgres" => TempDatabase::postgres().await,
        other => bail!("{other} is neither sqlite nor postgres"),
    };
    // Who tries everything also stops the projectors; no reader should then wait for them for long.
    let builder = ServerBuilder::on(&database).env("WALLEX_PROJECTION_WAIT_MS", "100");
    // And who tries bad credentials should hear of each that it is bad, however many there are.
    let builder = builder.env("WALLEX_AUTH_FAILURES_PER_MINUTE", "0");
    let key = ApiKey::create(&database, "default", ALL_SCOPES, &[]).await;
    let server = builder.start().await;
    let variables = [(URL_VARIABLE, server.client().base()), (KEY_VARIABLE, &key.bearer)];
    run_in_foreground(&program, words, &variables).await
}
