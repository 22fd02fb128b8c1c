//! Loads: requests over and over, counted.

mod closed;
mod measurement;
mod open;

use thiserror::Error;

pub(crate) use self::closed::{Creating, run, run_beside};
pub(crate) use self::measurement::{
    Measurement, SLICE, Timing, Window, latencies, per_second, percentile_ms, record,
};
pub(crate) use self::open::{Offered, run_open};
use crate::effect::Effect;
use crate::wallet::NewWallet;

/// Why a command was not done, as far as the client knows.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Nothing was done: there was too much to do.
    #[error("503, overloaded")]
    Overloaded,
    /// The answer was another than it should be.
    #[error("{0}")]
    Refused(String),
    /// There was no answer, and there is no connection any more.
    #[error("the connection was lost")]
    Lost(#[from] std::io::Error),
}

/// One connection that creates wallets.
pub(crate) trait Client {
    /// Creates `wallet`. When this returns, it is durable.
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure>;
}

/// One connection that knows by itself what to ask for next.
pub(crate) trait Worker {
    /// Does it. When this returns, it is durable; the effect is what was done.
    async fn once(&mut self) -> Result<Effect, Failure>;
}
