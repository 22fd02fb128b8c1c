#![doc = include_str!("../README.md")]

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_embed::RustEmbed;

/// What a file is, by what its name ends in. A file of another kind is not served.
const CONTENT_TYPES: [(&str, &str); 10] = [
    // The licences of what others have made go with it.
    ("LICENSE", "text/plain; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("woff2", "font/woff2"),
];

/// Bytes of a file's hash in its entity tag: two versions of a file are never taken for each other.
const ETAG_BYTES: usize = 16;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// One file of the console.
#[derive(Debug, Clone)]
pub struct Asset {
    /// What is in it.
    pub bytes: Cow<'static, [u8]>,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its `ETag`, quotes included. It changes with the bytes and with nothing else.
    pub etag: String,
}

/// The file at `path` below `assets/`; `None` when there is none.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let content_type = content_type(path)?;
    let file = Assets::get(path)?;
    let etag = etag(&file.metadata.sha256_hash());
    Some(Asset { bytes: file.data, content_type, etag })
}

/// The paths of all files.
pub fn paths() -> impl Iterator<Item = Cow<'static, str>> {
    Assets::iter()
}

fn content_type(path: &str) -> Option<&'static str> {
    let kind = path.rsplit(['.', '/']).next()?;
    CONTENT_TYPES.iter().find(|(known, _)| *known == kind).map(|(_, content_type)| *content_type)
}

fn etag(hash: &[u8; 32]) -> String {
    let mut etag = String::from('"');
    for byte in &hash[..ETAG_BYTES] {
        write!(etag, "{byte:02x}").expect("invariant: a String takes any text");
    }
    etag.push('"');
    etag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_served() {
        let all: Vec<_> = paths().collect();
        assert!(all.iter().any(|path| path == "index.html"), "{all:?}");
        for path in all {
            let asset = asset(&path).unwrap_or_else(|| panic!("{path} is of a kind not known"));
            assert!(!asset.bytes.is_empty(), "{path}");
        }
    }

    #[test]
    fn nothing_else_is_served() {
        for path in ["", "/", "none.js", "../Cargo.toml", "../src/lib.rs", "/etc/passwd", "%2e%2e/"]
        {
            assert!(asset(path).is_none(), "{path}");
        }
    }

    #[test]
    fn tags_tell_bytes_apart() {
        let tag = |path| asset(path).expect("a file").etag;
        let other = paths().find(|path| path != "index.html");
        assert_eq!(tag("index.html"), tag("index.html"));
        assert_eq!(tag("index.html").len(), 2 * ETAG_BYTES + 2);
        if let Some(other) = other {
            assert_ne!(tag("index.html"), tag(&other));
        }
    }
}
