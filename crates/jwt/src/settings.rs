//! Which tokens are accepted.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use thiserror::Error;
use wallex_domain::TenantId;

/// Which tokens are accepted, and what is read from them.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    /// Who signs them: exactly what their `iss` says.
    pub issuer: String,
    /// For whom they are meant: what their `aud` says, or one of it.
    pub audience: String,
    /// Where the issuer's keys are; `None`: where its discovery document says.
    pub jwks_url: Option<String>,
    /// The claim that names the tenant.
    pub tenant_claim: String,
    /// The tenant of tokens without that claim; `None`: they are refused.
    pub default_tenant: Option<TenantId>,
    /// The claim that lists the scopes; `None`: `scope`, or else `scp`.
    pub scope_claim: Option<String>,
    /// How often the keys are fetched.
    pub refresh_interval: Duration,
    /// For how long keys count when no newer ones can be fetched.
    pub keys_age_max: Duration,
}

/// Why an address can't be one of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It is no address, or one with more than a place in it.
    #[error("must be a URL without user, query or fragment, as https://login.example.com")]
    Malformed,
    /// Whoever is on the way could answer in the issuer's name.
    #[error("must begin with https:// (http:// is for loopback addresses alone)")]
    NotSecret,
}

/// Reads an address that keys may be fetched from.
///
/// # Errors
/// [`UrlError`] says what is wrong with it.
pub fn checked_url(text: &str) -> Result<Url, UrlError> {
    let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    match url.scheme() {
        "https" | "http" if !is_plain => Err(UrlError::Malformed),
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(UrlError::NotSecret),
        _ => Err(UrlError::Malformed),
    }
}

/// Whether `url` stays on this machine. Of names only `localhost` does (RFC 6761, section 6.3): what others
/// are is for a resolver to say.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{UrlError, checked_url};

    #[test]
    fn issuers_are_reached_in_secret_or_not_at_all() {
        for good in [
            "https://login.example.com",
            "https://login.example.com/realms/wallex/",
            "http://127.0.0.1:8090",
            "http://[::1]:8090/x",
            "http://localhost:8090",
        ] {
            assert!(checked_url(good).is_ok(), "{good}");
        }
        for far in ["http://login.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1"] {
            assert_eq!(checked_url(far), Err(UrlError::NotSecret), "{far}");
        }
        for bad in [
            "",
            "login.example.com",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://me@login.example.com",
            "https://login.example.com?a=b",
            "http://127.0.0.1#x",
        ] {
            assert_eq!(checked_url(bad), Err(UrlError::Malformed), "{bad}");
        }
    }
}
