//! TLS from PEM files: read at the start, and again whenever they change.

mod expiry;
mod files;
mod reload;

use std::path::PathBuf;

use anyhow::bail;

pub(crate) use files::{Material, TlsError};
pub(crate) use reload::Reloader;

use crate::config::{Config, TlsSettings};

/// Where the material lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The server's certificate and those between it and a root, in this order.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
    /// Who signs the certificates that clients must have; `None`: they need none.
    pub(crate) client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// What `config` names; `None` when it wants no TLS.
    ///
    /// # Errors
    /// When it names a part of what is needed.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        let TlsSettings { certificate, key, client_ca } = config.tls.clone();
        match (certificate, key, client_ca) {
            (Some(certificate), Some(key), client_ca) => {
                Ok(Some(Self { certificate, key, client_ca }))
            }
            (None, None, None) => Ok(None),
            (None, None, Some(_)) => {
                bail!("WALLEX_TLS_CLIENT_CA needs TLS: set WALLEX_TLS_CERT and WALLEX_TLS_KEY, too")
            }
            (Some(_), None, _) => bail!("WALLEX_TLS_CERT needs its key: set WALLEX_TLS_KEY, too"),
            (None, Some(_), _) => {
                bail!("WALLEX_TLS_KEY needs its certificate: set WALLEX_TLS_CERT, too")
            }
        }
    }
}
