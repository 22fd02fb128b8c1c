//! The issuer's keys over HTTP: OpenID Connect Discovery 1.0 section 4, and the JWKS that it names.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::redirect::Policy;
use serde::Deserialize;
use thiserror::Error;
use wallex_ports::BoxError;

use crate::JwtSettings;
use crate::jwks::KeySet;
use crate::keyring::KeySource;
use crate::settings::{UrlError, checked_url, is_loopback};

/// What a whole fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Why there are no keys.
#[derive(Debug, Error)]
pub enum FetchError {
    /// Nobody answered in time, or not as HTTP has it.
    #[error("{url} does not answer")]
    Unreachable {
        /// What was asked for.
        url: Url,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The answer was another than 200.
    #[error("{url} answers {status}")]
    Status {
        /// What was asked for.
        url: Url,
        /// The answer.
        status: u16,
    },
    /// The answer is larger than any honest one.
    #[error("{url} answers with more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge {
        /// What was asked for.
        url: Url,
    },
    /// It is no discovery document.
    #[error("{url} is not a discovery document with issuer and jwks_uri")]
    NotDiscovery {
        /// What was asked for.
        url: Url,
    },
    /// The document is another issuer's.
    #[error("{url} is of the issuer {found:?}, not of the configured one")]
    OtherIssuer {
        /// What was asked for.
        url: Url,
        /// Whose it is.
        found: String,
    },
    /// The document names an address that keys can't be fetched from.
    #[error("the jwks_uri {found:?} {problem}")]
    BadJwksUri {
        /// What it names.
        found: String,
        /// What is wrong with that.
        problem: UrlError,
    },
    /// There is not one key that could be used.
    #[error("{url} has no key for RS256, PS256, ES256 or EdDSA")]
    NoKeys {
        /// What was asked for.
        url: Url,
    },
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The issuer, as its documents say.
pub(crate) struct Issuer {
    http: reqwest::Client,
    /// For what is on this machine: no proxy is asked for that.
    local: reqwest::Client,
    issuer: String,
    discovery: Url,
    /// Where its keys are, when that is configured.
    jwks: Option<Url>,
}

/// Why an issuer can't be asked at all.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// An address that keys can't be fetched from.
    #[error("{setting} {problem}")]
    Url {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it.
        problem: UrlError,
    },
    /// There is no client to ask with: most often, the system has no certificates of authorities.
    #[error("the issuer can't be asked by HTTPS (SSL_CERT_FILE names the certificates to trust)")]
    Client(#[source] reqwest::Error),
}

impl Issuer {
    pub(crate) fn new(settings: &JwtSettings) -> Result<Self, IssuerError> {
        let url = |setting, text: &str| {
            checked_url(text).map_err(|problem| IssuerError::Url { setting, problem })
        };
        let base = settings.issuer.trim_end_matches('/');
        let discovery = format!("{base}/.well-known/openid-configuration");
        let discovery = url("WALLEX_JWT_ISSUER", &discovery)?;
        let jwks = settings.jwks_url.as_deref();
        let jwks = jwks.map(|text| url("WALLEX_JWT_JWKS_URL", text)).transpose()?;
        let http = client().build().map_err(IssuerError::Client)?;
        let local = client().no_proxy().build().map_err(IssuerError::Client)?;
        Ok(Self { http, local, issuer: settings.issuer.clone(), discovery, jwks })
    }

    async fn keys(&self) -> Result<KeySet, FetchError> {
        let url = match &self.jwks {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let json = self.document(&url).await?;
        KeySet::parse(&json).ok_or(FetchError::NoKeys { url })
    }

    /// Where the discovery document says that the keys are.
    async fn discover(&self) -> Result<Url, FetchError> {
        let url = &self.discovery;
        let json = self.document(url).await?;
        let Discovery { issuer, jwks_uri } = serde_json::from_slice(&json)
            .map_err(|_| FetchError::NotDiscovery { url: url.clone() })?;
        if issuer != self.issuer {
            return Err(FetchError::OtherIssuer { url: url.clone(), found: issuer });
        }
        match checked_url(&jwks_uri) {
            // An issuer elsewhere has nothing to say about what is on this machine.
            Ok(found) if found.scheme() == "http" && !is_loopback(url) => Err(UrlError::NotSecret),
            checked => checked,
        }
        .map_err(|problem| FetchError::BadJwksUri { found: jwks_uri, problem })
    }

    async fn document(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let unreachable = |source: reqwest::Error| FetchError::Unreachable {
            url: url.clone(),
            source: source.without_url().into(),
        };
        let http = if is_loopback(url) { &self.local } else { &self.http };
        let mut response = http.get(url.clone()).send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status { url: url.clone(), status });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge { url: url.clone() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // Whoever can make the issuer redirect must not choose whom we ask.
        .redirect(Policy::none())
        .timeout(FETCH_TIMEOUT)
        .user_agent(concat!("wallex/", env!("CARGO_PKG_VERSION")))
}

#[async_trait]
impl KeySource for Issuer {
    async fn fetch(&self) -> Result<KeySet, FetchError> {
        tokio::time::timeout(FETCH_TIMEOUT, self.keys()).await.unwrap_or_else(|elapsed| {
            let url = self.jwks.as_ref().unwrap_or(&self.discovery).clone();
            Err(FetchError::Unreachable { url, source: elapsed.into() })
        })
    }
}
