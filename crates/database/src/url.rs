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

/// The digits of the greatest port, 65535.
const PORT_DIGITS_MAX: usize = 5;

/// A URL that may hold a password: it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL with its password, for connecting.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is surely no password: user, host, port and database. Where one that holds `/`, `?`, `#`
    /// or `@` as they are may have broken the URL, nothing is shown but what it begins with.
    fn without_password(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return "…".to_owned() };
        // Parameters may hold a password, too.
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (credentials, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let user = credentials.split(':').next().unwrap_or_default();
        let (server, database) = place.split_once('/').unwrap_or((place, ""));
        let is_plain = !parameters.contains('@')
            && [user, database].into_iter().all(is_name)
            && is_server(server);
        match is_plain {
            true if user.is_empty() => format!("{scheme}://{place}"),
            true => format!("{scheme}://{user}@{place}"),
            false => format!("{scheme}://…"),
        }
    }
}

/// Whether `text` holds nothing that has a meaning in URLs but `%`.
fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '%'))
}

/// Whether `text` is a host, with or without a port. A port is digits, which a password that lost
/// its `@` hardly is.
fn is_server(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = ipv6.map_or_else(
        || is_name(host),
        |address| address.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '%')),
    );
    is_host && port.len() <= PORT_DIGITS_MAX && port.bytes().all(|b| b.is_ascii_digit())
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

    #[test]
    fn passwords_that_break_the_url_are_not_shown_in_part() {
        let shown = |url: &str| DatabaseUrl::parse(url).map(|url| url.to_string());
        for broken in [
            "postgres://wallex:can?ary@db/wallex",
            "postgres://wallex:12?canary@db/wallex",
            "postgres://wallex:canary",
            "postgres://db/wallex?user=a&password=x@canary",
            "postgres://wallex?password=can@ary",
            "postgres://wallex#canary",
        ] {
            assert_eq!(shown(broken).as_deref(), Ok("postgres://…"), "{broken}");
        }
        for (url, plain) in [
            ("postgres://wallex:can/ary@db/wallex", "postgres://wallex@db/wallex"),
            ("postgres://wallex:c@n:ary@db/wallex", "postgres://wallex@db/wallex"),
            ("postgres://wallex:can#ary@db/wallex", "postgres://wallex@db/wallex"),
            ("postgres://u@[::1]:5432/wallex?x=1", "postgres://u@[::1]:5432/wallex"),
            ("postgres://%2Frun%2Fpostgresql/w", "postgres://%2Frun%2Fpostgresql/w"),
        ] {
            assert_eq!(shown(url).as_deref(), Ok(plain), "{url}");
        }
    }
}
