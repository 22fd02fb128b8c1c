//! From a bearer token to its caller.

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use wallex_ports::{Authenticator, Caller, Clock, Recalled, Refused};

use crate::claims::{self, BadClaims};
use crate::issuer::{Issuer, IssuerError};
use crate::jwks::{Digest, KeySet, Verified};
use crate::keyring::{Keyring, NoKeys};
use crate::settings::JwtSettings;
use crate::token::{Malformed, TOKEN_BYTES_MAX, Token};

/// Why tokens can't be accepted at all.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct StartError(#[from] IssuerError);

/// Lets in whom the issuer's tokens name.
pub struct JwtAuthenticator {
    settings: JwtSettings,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
}

/// Why a token lets nobody in, for the log.
#[derive(Debug, Error)]
enum Rejected {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("it names a key that the issuer does not have")]
    UnknownKey,
    #[error("its signature is not good")]
    Signature,
    #[error(transparent)]
    Claims(#[from] BadClaims),
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
}

impl JwtAuthenticator {
    /// Starts to fetch the issuer's keys, on the runtime that this is called on, and goes on doing so
    /// until it is dropped. It waits for nobody: tokens are refused as unavailable until there are keys.
    ///
    /// # Errors
    /// When an address is none that keys may be fetched from, or no HTTPS client can be made.
    pub fn start(settings: JwtSettings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let issuer = Issuer::new(&settings)?;
        let keyring = Keyring::start(issuer, settings.refresh_interval, settings.keys_age_max);
        Ok(Self { settings, keyring, clock })
    }

    async fn verify(&self, text: &str) -> Result<Arc<Caller>, Rejected> {
        let token = Token::parse(text)?;
        let keys = self.keys().await?;
        let digest: Digest = Sha256::digest(text).into();
        if let Some(known) = self.remembered(&keys, &digest) {
            return known;
        }
        let keys = self.signed_by(&token, keys).await?;
        let payload = token.payload().ok_or(Malformed::NotThreeParts)?;
        let (caller, until_ms) = claims::caller(&payload, &self.settings, self.clock.now())?;
        let caller = Arc::new(caller);
        keys.remember(digest, Verified { caller: Arc::clone(&caller), until_ms });
        Ok(caller)
    }

    /// What was found of the token of that digest before.
    fn remembered(&self, keys: &KeySet, digest: &Digest) -> Option<Result<Arc<Caller>, Rejected>> {
        let Verified { caller, until_ms } = keys.verified(digest)?;
        let is_good = self.clock.now().unix_ms() < until_ms;
        Some(if is_good { Ok(caller) } else { Err(BadClaims::Expired.into()) })
    }

    /// The keys that count; those that were never fetched, or not for too long, are asked for once more.
    async fn keys(&self) -> Result<Arc<KeySet>, NoKeys> {
        match self.keyring.current() {
            Ok(keys) => Ok(keys),
            Err(_) => {
                self.keyring.look_again().await?;
                self.keyring.current()
            }
        }
    }

    /// The keys that hold the one that the token is signed with. One that is not known may be new.
    async fn signed_by(
        &self,
        token: &Token<'_>,
        keys: Arc<KeySet>,
    ) -> Result<Arc<KeySet>, Rejected> {
        match check(token, &keys) {
            Checked::Good => return Ok(keys),
            Checked::Bad => return Err(Rejected::Signature),
            Checked::KeyMayBeNew => {}
        }
        self.keyring.look_again().await?;
        let newer = self.keyring.current()?;
        match check(token, &newer) {
            Checked::Good => Ok(newer),
            Checked::Bad => Err(Rejected::Signature),
            Checked::KeyMayBeNew if self.keyring.is_failing() => Err(NoKeys::Failing.into()),
            Checked::KeyMayBeNew => Err(Rejected::UnknownKey),
        }
    }
}

enum Checked {
    Good,
    Bad,
    KeyMayBeNew,
}

/// Whether one of `keys` has signed `token`.
fn check(token: &Token<'_>, keys: &KeySet) -> Checked {
    let kid = token.kid.as_deref();
    let is_good = keys
        .find(kid, token.algorithm)
        .is_some_and(|key| key.verifies(token.algorithm, token.message, &token.signature));
    // Without a name, another key may be what it was signed with.
    match kid {
        _ if is_good => Checked::Good,
        Some(kid) if keys.has(kid) => Checked::Bad,
        _ => Checked::KeyMayBeNew,
    }
}

/// What the sender of a refused token is told of it.
fn refused(rejected: Rejected) -> Refused {
    // Never the token: the next one who reads the log could use it.
    tracing::debug!(reason = %rejected, "a token was refused");
    match rejected {
        Rejected::Claims(BadClaims::Expired) => Refused::Expired,
        Rejected::NoKeys(error) => Refused::IssuerUnavailable(error.into()),
        Rejected::Malformed(_)
        | Rejected::UnknownKey
        | Rejected::Signature
        | Rejected::Claims(_) => Refused::Unknown,
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    /// Tokens that were verified before. Others cost a signature, or a word with the issuer.
    fn recall(&self, bearer: &str) -> Recalled {
        if bearer.len() > TOKEN_BYTES_MAX {
            return Some(Err(refused(Malformed::TooLong.into())));
        }
        let keys = self.keyring.current().ok()?;
        let known = self.remembered(&keys, &Sha256::digest(bearer).into())?;
        Some(known.map_err(refused))
    }

    async fn authenticate(&self, bearer: &str) -> Result<Arc<Caller>, Refused> {
        self.verify(bearer).await.map_err(refused)
    }
}
