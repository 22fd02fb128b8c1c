//! Requests that no client should send, as bytes: what a server must refuse without harm.
//!
//! [`run`] sends each over a connection of its own to a server that listens without TLS, and checks
//! that it is refused with a status that is allowed for it, or the connection closed; that nothing
//! answers 5xx or hangs; that the wallet which they aim at is as it was; and that a good request on
//! a new connection is served. What else must hold after each case, as the counts of a database's
//! rows, is the caller's to check in [`run_with`].
//!
//! [`slow`] and [`crowd`] are about clients that are slow, silent, or many.

mod bodies;
mod case;
pub mod crowd;
mod exchange;
mod framing;
mod headers;
mod protocol;
mod sizes;
pub mod slow;
mod targets;
pub mod values;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

pub use case::{Case, Expected};
pub use exchange::{RawAnswer, exchange, exchange_and_wait};

/// The wallet that the corpus aims at.
pub const WALLET: &str = "corpus";
/// The other side of its transfers.
pub const OTHER: &str = "corpus-other";

/// What a run came to.
#[derive(Debug, Default)]
pub struct Report {
    /// How many requests, or clients, were tried.
    pub cases: usize,
    /// What should not have been, one sentence each.
    pub violations: Vec<String>,
    /// The slowest case and what it took.
    pub slowest: (String, Duration),
}

impl Report {
    /// Counts a case that took `elapsed`.
    fn count(&mut self, name: &str, elapsed: Duration) {
        self.cases += 1;
        if elapsed > self.slowest.1 {
            self.slowest = (name.to_owned(), elapsed);
        }
    }

    /// Fails when there are violations.
    ///
    /// # Panics
    /// With all of them.
    #[track_caller]
    pub fn assert_clean(&self) {
        let all = self.violations.join("\n");
        assert!(self.violations.is_empty(), "of {} cases:\n{all}", self.cases);
        assert!(self.cases > 0, "nothing was tried");
    }
}

/// Every case.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = framing::cases();
    cases.extend(headers::cases());
    cases.extend(targets::cases());
    cases.extend(protocol::cases());
    cases.extend(sizes::cases());
    cases.extend(bodies::cases());
    cases
}

/// Tries every case on the server at `address`, `127.0.0.1:8080` for one.
///
/// # Errors
/// When the server can't be reached, or its wallets can't be made ready.
pub async fn run(address: &str) -> Result<Report> {
    run_with(address, async |_| Ok(())).await
}

/// [`run`], with `after` to be asked after each case; its error is a violation.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    address: &str,
    mut after: impl AsyncFnMut(&Case) -> Result<()>,
) -> Result<Report> {
    prepare(address).await?;
    let mut report = Report::default();
    let mut before = wallet(address).await?;
    for case in cases() {
        let began = Instant::now();
        let outcome = attempt(address, &case, &mut before).await;
        report.count(&case.name, began.elapsed());
        let checked = match outcome {
            Ok(()) => after(&case).await,
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            report.violations.push(format!("{}: {error:#}", case.name));
        }
    }
    Ok(report)
}

/// Makes the wallets that the corpus aims at, unless they are there.
///
/// # Errors
/// When the server does not make them.
pub async fn prepare(address: &str) -> Result<()> {
    for id in [WALLET, OTHER] {
        let body = format!(r#"{{"walletId":"{id}","ownerId":"corpus","initialBalance":100}}"#);
        let answers = exchange(address, &case::post("/wallets", &body)).await?;
        let status = answers.first().map(|answer| answer.status);
        ensure!(matches!(status, Some(201 | 409)), "wallet {id} can't be made: {answers:?}");
    }
    Ok(())
}

async fn attempt(address: &str, case: &Case, before: &mut String) -> Result<()> {
    let answers = exchange(address, &case.bytes).await?;
    case.judge(&answers)?;
    let after = wallet(address).await.context("the server is not well after it")?;
    if *before != after {
        let old = std::mem::replace(before, after);
        bail!("the wallet changed: {old} became {before}");
    }
    Ok(())
}

/// The wallet as a good request on a new connection finds it.
async fn wallet(address: &str) -> Result<String> {
    let request = format!("GET /wallets/{WALLET} HTTP/1.1\r\nHost: wallex\r\n\r\n");
    let answers = exchange(address, request.as_bytes()).await?;
    match &answers[..] {
        [answer] if answer.status == 200 => Ok(answer.text()),
        other => bail!("a good request is answered {other:?}"),
    }
}
