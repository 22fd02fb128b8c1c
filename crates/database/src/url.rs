//! Which database, as one URL.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A checked `DATABASE_URL`. Its `Display` hides the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file, created when missing.
    Sqlite {
        /// Where it is, relative to the working directory unless absolute.
        path: PathBuf,
    },
    /// A server.
    Postgres {
        /// The whole URL, password included.
        url: SecretUrl,
    },
}

/// A URL that may hold a password: it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL with its password, for connecting.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn without_password(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return "…".to_owned() };
        // Parameters may hold a password, too.
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        match rest.rsplit_once('@') {
            Some((credentials, host)) => {
                let user = credentials.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{host}")
            }
            None => format!("{scheme}://{rest}"),
        }
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.without_password())
    }
}

/// Why a text is not a database URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DatabaseUrlError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("must begin with sqlite:// or postgres://, as sqlite://wallex.db does")]
    UnknownScheme,
    /// `sqlite://` without a file.
    #[error("must name a file: write sqlite://wallex.db, or sqlite:///var/lib/wallex/wallex.db")]
    NoFile,
    /// A database in memory forgets every acknowledged command at exit.
    #[error("must name a file: a SQLite database in memory loses everything at exit")]
    InMemory,
    /// A parameter behind `?`.
    #[error("must have no parameters for SQLite: Wallex sets what durability needs itself")]
    SqliteParameters,
}

impl DatabaseUrl {
    /// Checks `text`: `sqlite://relative.db`, `sqlite:///absolute.db`, or `postgres://…`.
    ///
    /// # Errors
    /// When it is of another kind or names no file.
    pub fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: SecretUrl(text.to_owned()) });
        }
        let path = text.strip_prefix("sqlite:").ok_or(DatabaseUrlError::UnknownScheme)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.contains(":memory:") || path.contains("mode=memory") {
            return Err(DatabaseUrlError::InMemory);
        }
        if path.contains('?') {
            return Err(DatabaseUrlError::SqliteParameters);
        }
        if path.is_empty() {
            return Err(DatabaseUrlError::NoFile);
        }
        Ok(Self::Sqlite { path: Path::new(path).to_owned() })
    }
}

impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "sqlite://{}", path.display()),
            Self::Postgres { url } => f.write_str(&url.without_password()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked() {
        let sqlite = |path: &str| Ok(DatabaseUrl::Sqlite { path: path.into() });
        assert_eq!(DatabaseUrl::parse("sqlite://wallex.db"), sqlite("wallex.db"));
        assert_eq!(DatabaseUrl::parse("sqlite:wallex.db"), sqlite("wallex.db"));
        assert_eq!(DatabaseUrl::parse("sqlite:///var/w.db"), sqlite("/var/w.db"));
        assert!(DatabaseUrl::parse("postgresql://localhost/wallex").is_ok());
        for (text, error) in [
            ("mysql://localhost", DatabaseUrlError::UnknownScheme),
            ("", DatabaseUrlError::UnknownScheme),
            ("sqlite://", DatabaseUrlError::NoFile),
            ("sqlite::memory:", DatabaseUrlError::InMemory),
            ("sqlite://w.db?mode=memory", DatabaseUrlError::InMemory),
            ("sqlite://w.db?mode=ro", DatabaseUrlError::SqliteParameters),
        ] {
            assert_eq!(DatabaseUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let url = "postgres://wallex:canary@db:5432/wallex?password=canary";
        let url = DatabaseUrl::parse(url).expect("valid");
        assert_eq!(url.to_string(), "postgres://wallex@db:5432/wallex");
        assert!(!format!("{url:?}").contains("canary"));
    }
}
