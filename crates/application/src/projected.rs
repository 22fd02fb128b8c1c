//! Waiting for a projection, with bounded patience.
//!
//! A projection is a moment behind the write side. Who wants to see something that it has not yet is
//! not told that there is nothing: the query is asked again whenever something was applied, until
//! the time that the caller gives it is up.

use std::time::Duration;

use futures_util::future::poll_immediate;
use thiserror::Error;
use tokio::time::{Instant, sleep_until};
use wallex_ports::{Projected, ReadError, ReadModels, ShardPosition, WalletKey, Wallets};

use crate::get_wallet;

/// How long it takes at most to see what another process has applied: only what this one applies is
/// heard of at once.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The time between two questions of one that waits, at least: changes may come at any rate, and
/// most are of other wallets.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How far a projection had come when the waiting for it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// What was waited for.
    pub awaited: Awaited,
    /// The projection's position in each shard that the answer draws on.
    pub positions: Vec<ShardPosition>,
}

/// What a projection did not show in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// A version of a wallet.
    Version {
        /// The version that it should have reached.
        wanted: u64,
        /// The version that it has; 0 when it does not have the wallet at all.
        reached: u64,
    },
    /// Both legs of a transfer that may have been made.
    Transfer {
        /// The legs that it has.
        legs: usize,
    },
}

/// Why a projection can't be asked.
#[derive(Debug, Error)]
pub enum ProjectionError {
    /// It did not get as far as it should in time.
    #[error("the projection is behind")]
    Behind(Behind),
    /// The database.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Asks until the answer is `enough`, soon after something was applied, for `at_most`; the last
/// answer, and whether it is enough.
pub(crate) async fn ask_until<T, F>(
    models: &dyn ReadModels,
    at_most: Duration,
    mut ask: impl FnMut() -> F,
    enough: impl Fn(&T) -> bool,
) -> Result<(T, bool), ReadError>
where
    F: Future<Output = Result<T, ReadError>>,
{
    let deadline = Instant::now() + at_most;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut changed = models.changed(left.min(LOOK_AGAIN_AFTER));
        // It listens from here on: what is applied while the question is under way is not missed.
        let heard = poll_immediate(&mut changed).await.is_some();
        let asked_at = Instant::now();
        let answer = ask().await?;
        if enough(&answer) {
            return Ok((answer, true));
        }
        if left.is_zero() {
            return Ok((answer, false));
        }
        if !heard {
            changed.await;
        }
        sleep_until(deadline.min(asked_at + ASK_AGAIN_AFTER)).await;
    }
}

/// Asks for a wallet's `version` until it is `wanted`, for `at_most`, and gives that answer. `None`
/// when neither the projection nor the write side has the wallet. What the write side does not have is not
/// waited for: no projection will show it.
pub(crate) async fn ask_for_version<T, F>(
    (models, wallets): (&dyn ReadModels, &dyn Wallets),
    key: &WalletKey,
    (wanted, at_most): (u64, Duration),
    mut ask: impl FnMut() -> F,
    version: impl Fn(&T) -> u64,
) -> Result<Option<Projected<T>>, ProjectionError>
where
    F: Future<Output = Result<Projected<T>, ReadError>>,
{
    let first = ask().await?;
    let reached = version(&first.value);
    if reached >= wanted {
        return Ok(Some(first));
    }
    let written = get_wallet(wallets, key.clone()).await?.map(|state| state.wallet.version());
    let (answer, is_enough) = match written {
        None if reached == 0 => return Ok(None),
        Some(written) if written >= wanted => {
            let enough = |answer: &Projected<T>| version(&answer.value) >= wanted;
            ask_until(models, at_most, ask, enough).await?
        }
        _ => (first, false),
    };
    if is_enough {
        return Ok(Some(answer));
    }
    let awaited = Awaited::Version { wanted, reached: version(&answer.value) };
    Err(ProjectionError::Behind(Behind { awaited, positions: answer.positions }))
}
