//! The PEM files, and the TLS that they make. What is secret is never part of an error or a log line.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

use super::TlsFiles;
use super::expiry::expires_at_unix_s;

/// A file larger than this is not what it should be.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the files make no TLS. Each names the file, and the setting that names it.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error("can't read {path} ({setting})")]
    Unreadable {
        path: PathBuf,
        setting: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} ({setting}) is larger than 1 MiB: it can't be a PEM file of certificates")]
    Huge { path: PathBuf, setting: &'static str },
    #[error(
        "{path} ({setting}) holds no certificate: a PEM file has `-----BEGIN CERTIFICATE-----`"
    )]
    NoCertificate { path: PathBuf, setting: &'static str },
    #[error("{path} ({setting}) holds a certificate that can't be read")]
    BadCertificate { path: PathBuf, setting: &'static str },
    #[error(
        "{path} (WALLEX_TLS_KEY) holds no private key: a PEM file has `-----BEGIN PRIVATE KEY-----` \
         (PKCS #8), `RSA PRIVATE KEY` (PKCS #1) or `EC PRIVATE KEY` (SEC 1); an encrypted one can't \
         be used"
    )]
    NoKey { path: PathBuf },
    #[error(
        "{path} (WALLEX_TLS_KEY) holds a private key that can't be used: RSA of 2048 to 8192 bits, \
         ECDSA on P-256 or P-384, and Ed25519 can"
    )]
    BadKey { path: PathBuf },
    #[error(
        "the key in {key} (WALLEX_TLS_KEY) does not belong to the certificate in {certificate} (WALLEX_TLS_CERT)"
    )]
    Mismatch { key: PathBuf, certificate: PathBuf },
    #[error("TLS can't be set up")]
    Setup(#[source] rustls::Error),
}

/// What the files hold, as it was read.
pub(crate) struct Material {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Material {
    /// Reads `files`.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&files.certificate, CERTIFICATE)?,
            key: read(&files.key, "WALLEX_TLS_KEY")?,
            client_ca: files.client_ca.as_deref().map(|path| read(path, CLIENT_CA)).transpose()?,
        })
    }

    /// Tells whether two readings are of the same content, without keeping the key.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key, &self.client_ca).hash(&mut hasher);
        hasher.finish()
    }

    /// The TLS that they make; `files` for what is said when they make none.
    ///
    /// # Errors
    /// When something is missing, can't be used, or does not fit together.
    pub(crate) fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let provider = CryptoProvider::get_default().expect("invariant: main installs one").clone();
        let chain = certificates(&self.certificate, &files.certificate, CERTIFICATE)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| TlsError::NoKey { path: files.key.clone() })?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| TlsError::BadKey { path: files.key.clone() })?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InvalidCertificate(_) => {
                TlsError::BadCertificate { path: files.certificate.clone(), setting: CERTIFICATE }
            }
            _ => TlsError::Mismatch {
                key: files.key.clone(),
                certificate: files.certificate.clone(),
            },
        })?;
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        Ok(ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(self.clients(files, provider)?)
            .with_cert_resolver(Arc::new(resolver)))
    }

    fn clients(
        &self,
        files: &TlsFiles,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let (Some(pem), Some(path)) = (&self.client_ca, &files.client_ca) else {
            return Ok(Arc::new(NoClientAuth));
        };
        let bad = || TlsError::BadCertificate { path: path.clone(), setting: CLIENT_CA };
        let mut roots = RootCertStore::empty();
        for root in certificates(pem, path, CLIENT_CA)? {
            roots.add(root).map_err(|_| bad())?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        verifier.build().map(|verifier| verifier as _).map_err(|_| bad())
    }

    /// When the server's certificate, or one of its chain, expires first, in Unix seconds; `None`
    /// when that can't be read.
    pub(crate) fn expires_at_unix_s(&self) -> Option<i64> {
        CertificateDer::pem_slice_iter(&self.certificate)
            .filter_map(|certificate| expires_at_unix_s(&certificate.ok()?))
            .min()
    }
}

const CERTIFICATE: &str = "WALLEX_TLS_CERT";
const CLIENT_CA: &str = "WALLEX_TLS_CLIENT_CA";

fn read(path: &Path, setting: &'static str) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), setting, source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(TlsError::Huge { path: path.to_owned(), setting });
    }
    std::fs::read(path).map_err(unreadable)
}

fn certificates(
    pem: &[u8],
    path: &Path,
    setting: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => {
            Err(TlsError::NoCertificate { path: path.to_owned(), setting })
        }
        Ok(all) => Ok(all),
        Err(_) => Err(TlsError::BadCertificate { path: path.to_owned(), setting }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: (&str, &str) = (include_str!("testdata/rsa.crt"), include_str!("testdata/rsa.key"));
    const EC: (&str, &str) = (include_str!("testdata/ec.crt"), include_str!("testdata/ec.key"));

    fn pkcs8() -> (String, String) {
        let names = ["localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn config((certificate, key): (&str, &str), client_ca: Option<&str>) -> Result<(), TlsError> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let files = TlsFiles {
            certificate: "tls.crt".into(),
            key: "tls.key".into(),
            client_ca: client_ca.map(|_| "clients.crt".into()),
        };
        let material = Material {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: client_ca.map(Into::into),
        };
        material.config(&files).map(|_| ())
    }

    #[test]
    fn keys_of_every_format_are_read() {
        let (certificate, key) = pkcs8();
        assert!(key.contains("BEGIN PRIVATE KEY"));
        assert!(RSA.1.contains("BEGIN RSA PRIVATE KEY") && EC.1.contains("BEGIN EC PRIVATE KEY"));
        for pair in [(&*certificate, &*key), RSA, EC] {
            config(pair, None).expect("TLS");
            config(pair, Some(RSA.0)).expect("TLS with client certificates");
        }
        // Both in one file, as some tools write them.
        let both = format!("{certificate}{key}");
        config((&both, &both), None).expect("TLS");
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let mismatch = config((RSA.0, EC.1), None).expect_err("another key");
        assert!(matches!(mismatch, TlsError::Mismatch { .. }), "{mismatch}");
        let no_authority = config(RSA, Some("# nothing\n")).expect_err("no authority");
        assert!(
            no_authority.to_string().contains("clients.crt (WALLEX_TLS_CLIENT_CA)"),
            "{no_authority}"
        );
        let cut = &RSA.1[..RSA.1.len() / 2];
        assert!(matches!(config((RSA.0, cut), None), Err(TlsError::NoKey { .. })));
    }

    #[test]
    fn fingerprints_tell_contents_apart() {
        let of =
            |key: &str| Material { certificate: RSA.0.into(), key: key.into(), client_ca: None };
        assert_eq!(of(RSA.1).fingerprint(), of(RSA.1).fingerprint());
        assert_ne!(of(RSA.1).fingerprint(), of(EC.1).fingerprint());
    }
}
