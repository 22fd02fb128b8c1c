//! API keys: made, listed, replaced and taken back.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use thiserror::Error;
use wallex_domain::TenantId;

use crate::{AccessScopes, Actor, ReadError, Timestamp};

/// What every key begins with, so that those who look for leaked secrets find them.
pub const API_KEY_PREFIX: &str = "wlx_";

/// What names a key. It is no secret: logs and the audit log have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(String);

impl ApiKeyId {
    /// How many characters it has.
    pub const CHARS: usize = 12;

    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that names no key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a key id is {} of a-z 0-9, as `wallex keys list` shows it", ApiKeyId::CHARS)]
pub struct NoKeyId;

impl FromStr for ApiKeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        let fits = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits && text.len() == Self::CHARS { Ok(Self(text.to_owned())) } else { Err(NoKeyId) }
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What people call a key: 1 to 100 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// A text that can't be a key's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be 1 to {} characters without control characters", KeyName::CHARS_MAX)]
pub struct NoKeyName;

impl KeyName {
    /// The longest name.
    pub const CHARS_MAX: usize = 100;

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoKeyName;

    fn from_str(text: &str) -> Result<Self, NoKeyName> {
        let fits = (1..=Self::CHARS_MAX).contains(&text.chars().count());
        let is_plain = !text.chars().any(char::is_control);
        if fits && is_plain { Ok(Self(text.to_owned())) } else { Err(NoKeyName) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What may be sent as `Authorization: Bearer`, whole. It is shown once, and never by accident: it
/// has no `Display`, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who is to have it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether a key lets anyone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyState {
    /// It does.
    Usable,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl ApiKeyState {
    /// The stable name: `usable`, `expired`, `revoked`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for ApiKeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key, without what only its holder has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What names it.
    pub id: ApiKeyId,
    /// Whose wallets it is for.
    pub tenant: TenantId,
    /// What people call it.
    pub name: KeyName,
    /// What it allows.
    pub scopes: AccessScopes,
    /// Whether it lets anyone in, by the database's clock.
    pub state: ApiKeyState,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// The key that took its place.
    pub replaced_by: Option<ApiKeyId>,
}

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// Whose wallets it is for.
    pub tenant: TenantId,
    /// What people call it.
    pub name: KeyName,
    /// What it allows.
    pub scopes: AccessScopes,
    /// How long it is good for, in milliseconds; `None`: until it is revoked.
    pub lifetime_ms: Option<u64>,
}

/// A key that was just made: this is the only time that its secret is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// What its holder sends.
    pub secret: Secret,
}

/// Why nothing was done to a key.
#[derive(Debug, Error)]
pub enum ApiKeyError {
    /// There is no such key.
    #[error("there is no key {0}")]
    Unknown(ApiKeyId),
    /// It lets nobody in any more, so there is nothing to replace.
    #[error("key {0} is {1}: make a new one")]
    NotUsable(ApiKeyId, ApiKeyState),
    /// Another has taken its place already.
    #[error("key {0} was replaced by {1}: rotate that one")]
    Replaced(ApiKeyId, ApiKeyId),
    /// The database.
    #[error(transparent)]
    Database(#[from] ReadError),
}

/// Manages API keys. Every change commits in one transaction with its line in the audit log, whose
/// actor is `by`.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Makes a key.
    ///
    /// # Errors
    /// The database's.
    async fn create(&self, new: &NewApiKey, by: &Actor) -> Result<IssuedKey, ReadError>;

    /// Every key, of one tenant where one is named, oldest first.
    ///
    /// # Errors
    /// The database's.
    async fn list(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>, ReadError>;

    /// Makes a key in the place of another, with its name, tenant and scopes, and as long a life. The
    /// new one is good at once, the old one for `overlap_ms` still.
    ///
    /// # Errors
    /// [`ApiKeyError`].
    async fn rotate(
        &self,
        id: &ApiKeyId,
        overlap_ms: u64,
        by: &Actor,
    ) -> Result<IssuedKey, ApiKeyError>;

    /// Takes a key back; one that was taken back stays so.
    ///
    /// # Errors
    /// [`ApiKeyError`].
    async fn revoke(&self, id: &ApiKeyId, by: &Actor) -> Result<ApiKey, ApiKeyError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secret = Secret::new("wlx_canary".to_owned());
        assert!(!format!("{secret:?}").contains("canary"));
    }

    #[test]
    fn ids_and_names_are_bounded() {
        assert!("abc123def456".parse::<ApiKeyId>().is_ok());
        for bad in ["", "abc", "ABC123def456", "abc123def4567", "abc_23def456"] {
            assert!(bad.parse::<ApiKeyId>().is_err(), "{bad}");
        }
        assert!("Zoë's laptop".parse::<KeyName>().is_ok());
        for bad in ["", "a\nb", &"x".repeat(101)] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad:?}");
        }
    }
}
