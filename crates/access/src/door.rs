//! Who comes in.

use std::sync::Arc;

use async_trait::async_trait;
use wallex_ports::{Admission, Authenticator, Caller, Recalled, Refused};

use crate::KeyRing;
use crate::key::PREFIX;

/// Whether a credential is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Always.
    Closed,
    /// As soon as there is a key. Once closed, the door stays so, whatever becomes of the keys.
    UntilKeys,
    /// Never; what is sent is not looked at.
    Open,
}

/// Decides who comes in: by an API key, by a credential of another kind, or without one.
pub struct Door {
    policy: Policy,
    keys: Arc<KeyRing>,
    /// Who knows credentials that are no API keys.
    others: Option<Arc<dyn Authenticator>>,
    open: Arc<Caller>,
}

impl Door {
    /// With `policy`, for the holders of `keys` and of what `others` know.
    #[must_use]
    pub fn new(policy: Policy, keys: Arc<KeyRing>, others: Option<Arc<dyn Authenticator>>) -> Self {
        Self { policy, keys, others, open: Arc::new(Caller::open()) }
    }

    /// Whether anyone comes in without a credential; `None` while that can't be told.
    #[must_use]
    pub fn is_open(&self) -> Option<bool> {
        match self.policy {
            Policy::Closed => Some(false),
            Policy::Open => Some(true),
            Policy::UntilKeys => self.keys.has_keys().map(|has_keys| !has_keys),
        }
    }

    /// Who knows credentials of the kind that `bearer` is.
    fn authenticator(&self, bearer: &str) -> Option<&dyn Authenticator> {
        if bearer.starts_with(PREFIX) {
            return Some(self.keys.as_ref());
        }
        self.others.as_deref()
    }

    fn without_credential(&self) -> Recalled {
        let open = || Ok(Arc::clone(&self.open));
        self.is_open().map(|is_open| if is_open { open() } else { Err(Refused::Missing) })
    }
}

#[async_trait]
impl Admission for Door {
    fn recall(&self, bearer: Option<&str>) -> Recalled {
        match bearer {
            Some(bearer) if self.policy != Policy::Open => match self.authenticator(bearer) {
                Some(authenticator) => authenticator.recall(bearer),
                None => Some(Err(Refused::Unknown)),
            },
            _ => self.without_credential(),
        }
    }

    async fn admit(&self, bearer: Option<&str>) -> Result<Arc<Caller>, Refused> {
        if let Some(recalled) = self.recall(bearer) {
            return recalled;
        }
        match bearer.and_then(|bearer| Some((bearer, self.authenticator(bearer)?))) {
            Some((bearer, authenticator)) => authenticator.authenticate(bearer).await,
            None => {
                self.keys.refresh().await?;
                self.without_credential().unwrap_or(Err(Refused::Missing))
            }
        }
    }
}
