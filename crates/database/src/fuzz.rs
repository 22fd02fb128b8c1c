//! The fuzz target of database URLs.

use crate::{DatabaseUrl, DatabaseUrlError};

/// What no part of a URL that is not the password holds.
const PASSWORD: &str = "Pa55w0rd";

/// A database URL: what is shown of one that is accepted is accepted, too, and shown alike; a
/// password in it is never shown, whatever surrounds it.
///
/// # Panics
/// When that does not hold.
pub fn database_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match DatabaseUrl::parse(text) {
        Ok(url) => check_accepted(&url, text),
        Err(error) => {
            assert!(!text.starts_with("postgres://"), "servers judge their URLs themselves");
            let is_sqlite = text.starts_with("sqlite:");
            assert_eq!(error == DatabaseUrlError::UnknownScheme, !is_sqlite);
        }
    }
    check_secrecy(text);
}

fn check_accepted(url: &DatabaseUrl, text: &str) {
    let shown = url.to_string();
    match url {
        DatabaseUrl::Sqlite { path } => {
            assert!(!path.as_os_str().is_empty() && !shown.contains("mode=memory"));
            assert_eq!(DatabaseUrl::parse(&shown).as_ref(), Ok(url), "{shown}");
        }
        DatabaseUrl::Postgres { url } => {
            assert_eq!(url.expose(), text);
            assert!(shown.starts_with("postgres"), "{shown}");
            let again = DatabaseUrl::parse(&shown).map(|url| url.to_string());
            assert_eq!(again, Ok(shown));
        }
    }
}

/// `text` is `BEFORE PASSWORD AFTER` where the password stands: behind the user's name, or in a
/// parameter.
fn check_secrecy(text: &str) {
    // As the user's name, say, it is no secret.
    if text.contains(PASSWORD) {
        return;
    }
    let (before, after) = text.split_once(' ').unwrap_or((text, "@db:5432/wallex"));
    for place in [":", "?password=", "&password="] {
        let url = format!("postgres://{before}{place}{PASSWORD}{after}");
        let url = DatabaseUrl::parse(&url).expect("begins as one of PostgreSQL");
        for shown in [url.to_string(), format!("{url:?}")] {
            assert!(!shown.contains(PASSWORD), "{shown}");
        }
    }
}

#[cfg(test)]
mod corpus {
    wallex_fuzz_corpus::replay_corpus!(database_url);
}
