//! Who calls, and what they may do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;
use wallex_domain::TenantId;

use crate::{BoxError, ReadError};

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

impl fmt::Display for AccessScopes {
    /// Their names in the order of [`AccessScope::ALL`], with spaces between them (RFC 6749, 3.3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

/// The id of whoever comes in where nobody is asked.
const OPEN: &str = "open";

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose wallets everything that it asks for is about.
    pub tenant: TenantId,
    /// What names it in the audit log: `key:<id>`, `jwt:<issuer>#<subject>`, `open`.
    pub id: String,
    /// What people call it, where it has a name.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: AccessScopes,
}

impl Caller {
    /// Who comes in where nobody is asked: of the tenant `default`, and free to do everything.
    #[must_use]
    pub fn open() -> Self {
        Self {
            tenant: TenantId::default(),
            id: OPEN.to_owned(),
            name: None,
            scopes: AccessScopes::all(),
        }
    }

    /// Whether nobody was asked who it is.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.id == OPEN
    }

    /// Whether it operates the server, and not only what belongs to its tenant: an `admin` of the
    /// tenant `default`.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.scopes.has(AccessScope::Admin) && self.tenant == TenantId::default()
    }

    /// Whether what belongs to `tenant` is there for it.
    #[must_use]
    pub fn sees(&self, tenant: &TenantId) -> bool {
        self.tenant == *tenant || self.is_operator()
    }

    /// The tenant that a list is to be about, where `asked` was asked for; `None` for all of them, which
    /// only an operator sees.
    #[must_use]
    pub fn listed_tenant(&self, asked: Option<TenantId>) -> Option<TenantId> {
        asked.or_else(|| (!self.is_operator()).then(|| self.tenant.clone()))
    }
}

/// Why nobody is let in. What is said to the sender of a credential is the same for all of them but
/// [`Refused::Expired`]: which it is is for the log.
#[derive(Debug, Error)]
pub enum Refused {
    /// There is no credential, and one is needed.
    #[error("no credential was sent")]
    Missing,
    /// It is none of ours, or was changed.
    #[error("the credential is not known")]
    Unknown,
    /// It was good until a time that has passed.
    #[error("the credential has expired")]
    Expired,
    /// It was taken back.
    #[error("the credential was revoked")]
    Revoked,
    /// Too many others that nobody knows are being looked at.
    #[error("too many credentials are being looked at")]
    Crowded,
    /// Whether it is good can't be told now.
    #[error(transparent)]
    Unavailable(#[from] ReadError),
    /// Whether it is good can't be told now, because the keys of its issuer can't be had.
    #[error("the issuer of the credential is not available")]
    IssuerUnavailable(#[source] BoxError),
}

/// What memory alone can say of a credential; `None` when it has to be asked for.
pub type Recalled = Option<Result<Arc<Caller>, Refused>>;

/// Tells who stands behind a bearer credential.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// What [`Authenticator::authenticate`] would say, where that is known without waiting for
    /// anything. Every request asks this first, so it takes microseconds.
    fn recall(&self, bearer: &str) -> Recalled {
        let _ = bearer;
        None
    }

    /// The caller whose credential `bearer` is: what followed `Authorization: Bearer `.
    ///
    /// # Errors
    /// [`Refused`] says why nobody is let in.
    async fn authenticate(&self, bearer: &str) -> Result<Arc<Caller>, Refused>;
}

/// Decides who comes in: with a credential, or without one where none is needed.
///
/// `bearer` is what a request brought: `None` when it brought nothing, an empty text when what it
/// brought is no bearer credential.
#[async_trait]
pub trait Admission: Send + Sync {
    /// What [`Admission::admit`] would say, where that is known without waiting for anything.
    fn recall(&self, bearer: Option<&str>) -> Recalled;

    /// The caller of a request.
    ///
    /// # Errors
    /// [`Refused`] says why nobody is let in.
    async fn admit(&self, bearer: Option<&str>) -> Result<Arc<Caller>, Refused>;
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let two = AccessScopes::from_iter([AccessScope::Admin, AccessScope::WalletsRead]);
        assert_eq!(two.to_string(), "wallets:read admin");
    }

    #[test]
    fn operators_are_admins_of_the_default_tenant() {
        let open = Caller::open();
        assert!(open.is_operator() && open.is_open());
        let tenant = TenantId::parse("acme").expect("valid");
        assert!(!Caller { tenant, ..open.clone() }.is_operator());
        let scopes = AccessScopes::from_iter([AccessScope::WalletsWrite]);
        assert!(!Caller { scopes, ..open }.is_operator());
    }
}
