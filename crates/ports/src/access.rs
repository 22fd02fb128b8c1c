//! Who calls, and what they may do.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use thiserror::Error;
use wallex_domain::TenantId;

use crate::ReadError;

/// One thing that a caller may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessScope {
    /// Read wallets, their ledgers and events, and transfers.
    WalletsRead,
    /// Create, credit and debit wallets.
    WalletsWrite,
    /// Transfer between wallets.
    TransfersWrite,
    /// Read the server's metrics.
    MetricsRead,
    /// Operate: projectors, dead letters, recovery, the audit log.
    Admin,
}

impl AccessScope {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::WalletsRead,
        Self::WalletsWrite,
        Self::TransfersWrite,
        Self::MetricsRead,
        Self::Admin,
    ];

    /// Its name, as keys and tokens write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WalletsRead => "wallets:read",
            Self::WalletsWrite => "wallets:write",
            Self::TransfersWrite => "transfers:write",
            Self::MetricsRead => "metrics:read",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for AccessScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a scope: use wallets:read, wallets:write, transfers:write, metrics:read or admin"
)]
pub struct UnknownScope(pub String);

impl FromStr for AccessScope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct AccessScopes(u8);

impl AccessScopes {
    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        AccessScope::ALL.into_iter().collect()
    }

    /// Whether `scope` is one of them.
    #[must_use]
    pub const fn has(self, scope: AccessScope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order of [`AccessScope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = AccessScope> {
        AccessScope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<AccessScope> for AccessScopes {
    fn from_iter<I: IntoIterator<Item = AccessScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose wallets everything that it asks for is about.
    pub tenant: TenantId,
    /// What names it in the audit log: `key:<id>`, `jwt:<issuer>#<subject>`, `open`.
    pub id: String,
    /// What it may do.
    pub scopes: AccessScopes,
}

/// Why a credential lets nobody in. What is said to its sender is the same for all of them but
/// [`Refused::Expired`]: which it is is for the log.
#[derive(Debug, Error)]
pub enum Refused {
    /// It is none of ours, or was changed.
    #[error("the credential is not known")]
    Unknown,
    /// It was good until a time that has passed.
    #[error("the credential has expired")]
    Expired,
    /// It was taken back.
    #[error("the credential was revoked")]
    Revoked,
    /// Whether it is good can't be told now.
    #[error(transparent)]
    Unavailable(#[from] ReadError),
}

/// Tells who stands behind a bearer credential.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The caller whose credential `bearer` is: what followed `Authorization: Bearer `.
    ///
    /// # Errors
    /// [`Refused`] says why nobody is let in.
    async fn authenticate(&self, bearer: &str) -> Result<std::sync::Arc<Caller>, Refused>;
}

#[cfg(test)]
mod tests {
    use super::{AccessScope, AccessScopes};

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in AccessScope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            let one: AccessScopes = [scope].into_iter().collect();
            assert_eq!(one.iter().collect::<Vec<_>>(), [scope]);
        }
        assert!("wallets".parse::<AccessScope>().is_err());
        assert_eq!(AccessScopes::all().iter().count(), AccessScope::ALL.len());
        assert!(AccessScopes::default().is_empty());
    }
}
