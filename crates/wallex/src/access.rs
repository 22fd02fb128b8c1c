//! Who comes in to this server, decided by what is configured and where it listens.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::bail;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use wallex_access::{Door, KeyRing, Policy, SqlApiKeys, SqlAuditLog};
use wallex_database::Database;
use wallex_ports::{ApiKeyState, ApiKeys as _, Authenticator};

use crate::adapters::UuidV7Ids;
use crate::config::{AuthMode, Config};

/// The door of a server, and what it writes down.
pub(crate) struct Access {
    pub(crate) door: Arc<Door>,
    pub(crate) audit: Arc<SqlAuditLog>,
    keys: Arc<KeyRing>,
}

impl Access {
    /// For a server on `listen`. `others` know credentials that are no API keys; where there are any,
    /// a server needs no keys.
    ///
    /// # Errors
    /// When the server would let everyone in whom the network lets through.
    pub(crate) async fn open(
        config: &Config,
        db: &Arc<Database>,
        listen: SocketAddr,
        others: Option<Arc<dyn Authenticator>>,
    ) -> anyhow::Result<Self> {
        let keys = Arc::new(KeyRing::new(Arc::clone(db), config.access_poll));
        if let Err(error) = keys.refresh().await {
            // The door asks again before it lets anyone in.
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the API keys are not known yet");
        }
        let has_others = others.is_some();
        let policy = policy(config.auth, listen, keys.has_keys(), has_others)?;
        let door = Arc::new(Door::new(policy, Arc::clone(&keys), others));
        if door.is_open() == Some(false) && !has_others {
            warn_if_unusable(db).await;
        }
        say(policy, door.is_open(), listen);
        let audit = Arc::new(SqlAuditLog::new(Arc::clone(db), Arc::new(UuidV7Ids)));
        Ok(Self { door, audit, keys })
    }

    /// Follows what becomes of the keys, for as long as what this gives is kept.
    pub(crate) fn watch(&self) -> Watching {
        let keys = Arc::clone(&self.keys);
        let (end, ended) = oneshot::channel::<()>();
        // What ends is the channel: nothing is ever sent.
        let task = tokio::spawn(async move { keys.watch(async { drop(ended.await) }).await });
        Watching { end, task }
    }
}

/// The task that follows what becomes of the keys.
pub(crate) struct Watching {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Watching {
    /// Ends it, behind the query that is under way.
    pub(crate) async fn end(self) -> Result<(), JoinError> {
        drop(self.end);
        self.task.await
    }
}

/// Whether a credential is needed. That the keys are not known counts as that there are some: nobody
/// comes in until they are.
fn policy(
    mode: AuthMode,
    listen: SocketAddr,
    has_keys: Option<bool>,
    has_others: bool,
) -> anyhow::Result<Policy> {
    let is_loopback = listen.ip().to_canonical().is_loopback();
    match mode {
        AuthMode::Off => Ok(Policy::Open),
        AuthMode::On => Ok(Policy::Closed),
        AuthMode::Auto if has_others => Ok(Policy::Closed),
        AuthMode::Auto if is_loopback => Ok(Policy::UntilKeys),
        AuthMode::Auto if has_keys != Some(false) => Ok(Policy::Closed),
        AuthMode::Auto => bail!(
            "{listen} can be reached from other machines, and there is no API key: make one with \
             `wallex keys create --name operator --scopes admin`, or set WALLEX_AUTH=off if \
             something in front of Wallex decides who comes in"
        ),
    }
}

/// Keys of which none is good are better told at the start than by everyone who is refused.
async fn warn_if_unusable(db: &Arc<Database>) {
    let keys = SqlApiKeys::new(Arc::clone(db), Arc::new(UuidV7Ids));
    let Ok(keys) = keys.list(None).await else { return };
    if !keys.iter().any(|key| key.state == ApiKeyState::Usable) {
        tracing::warn!(
            "there is no API key that is usable: nobody comes in until `wallex keys create` makes one"
        );
    }
}

/// Says who comes in without a credential.
fn say(policy: Policy, is_open: Option<bool>, listen: SocketAddr) {
    match (policy, is_open) {
        (Policy::Open, _) => tracing::warn!(
            %listen,
            "WALLEX_AUTH=off: whoever reaches this server may do everything"
        ),
        (Policy::UntilKeys, Some(true)) => tracing::warn!(
            %listen,
            "there is no API key: whoever is on this machine may do everything, until `wallex keys \
             create` makes one"
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_open_and_only_without_keys() {
        use Policy::{Closed, Open, UntilKeys};
        let decided = |mode, listen: &str, has_keys, has_others| {
            policy(mode, listen.parse().expect("an address"), has_keys, has_others).ok()
        };
        for loopback in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            for has_keys in [None, Some(false), Some(true)] {
                assert_eq!(decided(AuthMode::Auto, loopback, has_keys, false), Some(UntilKeys));
                assert_eq!(decided(AuthMode::Auto, loopback, has_keys, true), Some(Closed));
                assert_eq!(decided(AuthMode::On, loopback, has_keys, false), Some(Closed));
                assert_eq!(decided(AuthMode::Off, loopback, has_keys, true), Some(Open));
            }
        }
        for address in ["0.0.0.0:1", "[::]:1", "192.168.1.7:1", "[::ffff:10.0.0.1]:1"] {
            assert_eq!(decided(AuthMode::Auto, address, Some(false), false), None, "{address}");
            for has_keys in [None, Some(true)] {
                assert_eq!(decided(AuthMode::Auto, address, has_keys, false), Some(Closed));
            }
            assert_eq!(decided(AuthMode::Auto, address, Some(false), true), Some(Closed));
            assert_eq!(decided(AuthMode::On, address, Some(false), false), Some(Closed));
            assert_eq!(decided(AuthMode::Off, address, Some(false), false), Some(Open));
        }
    }
}
