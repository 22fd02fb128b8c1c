//! Reading what a group needs, with bounded patience.

use tokio::time::timeout;
use wallex_ports::{KeyScope, ReadError, StoredRecord, StreamState, WalletKey};

use super::commit::{PAUSE, TRANSACTION_TRIES_MAX};
use super::{LanePorts, READ_DEADLINE};

type Answers = (Vec<Option<StoredRecord>>, Vec<Option<StreamState>>);

/// The records of `scopes` and the states of `wallets`, both asked for at once. Asked again, a few
/// times, when the database did not answer; not when it let the deadline pass, as a network that is
/// half open does.
pub(crate) async fn read(
    ports: &LanePorts,
    scopes: &[KeyScope],
    wallets: &[WalletKey],
) -> Result<Answers, ReadError> {
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        let answers = timeout(READ_DEADLINE, ask(ports, scopes, wallets)).await;
        match answers.map_err(|elapsed| ReadError::Unavailable(elapsed.into()))? {
            Err(ReadError::Unavailable(error)) if tries < TRANSACTION_TRIES_MAX => {
                tracing::debug!(%error, tries, "the database did not answer, asking again");
                metrics::counter!("wallex_lane_retries_total").increment(1);
                tokio::time::sleep(pause).await;
                pause *= 2;
                tries += 1;
            }
            answers => return answers,
        }
    }
}

async fn ask(
    ports: &LanePorts,
    scopes: &[KeyScope],
    wallets: &[WalletKey],
) -> Result<Answers, ReadError> {
    let records = async {
        if scopes.is_empty() { Ok(Vec::new()) } else { ports.idempotency.lookup(scopes).await }
    };
    let states = async {
        if wallets.is_empty() { Ok(Vec::new()) } else { ports.wallets.load(wallets).await }
    };
    let (records, states) = tokio::join!(records, states);
    Ok((records?, states?))
}
