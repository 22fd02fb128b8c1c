//! TLS.

use std::path::{Path, PathBuf};

use crate::config::key::TimeUnit::Milliseconds;
use crate::config::key::{Key, Kind, key};

/// No handshake takes longer than that for a good reason.
const HANDSHAKE_MS_MAX: u32 = 60_000;
const SECTION: &str = "TLS";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "WALLEX_TLS_CERT",
        "tls_cert",
        "PEM file with the server's certificate, then those between it and a root. Set, the server \
         speaks TLS 1.2 and 1.3 and nothing else. It and the two files below are looked at every two \
         seconds, and at once on SIGHUP; what can't be used is logged, and the old stays in use.",
        Kind::MaybeText {
            set: |config, text| {
                config.tls.certificate = path(text);
                Ok(())
            },
            get: |config| in_words(config.tls.certificate.as_deref()),
        },
    )
    .example("\"/etc/wallex/tls.crt\""),
    key(
        SECTION,
        "WALLEX_TLS_KEY",
        "tls_key",
        "PEM file with the certificate's private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.",
        Kind::MaybeText {
            set: |config, text| {
                config.tls.key = path(text);
                Ok(())
            },
            get: |config| in_words(config.tls.key.as_deref()),
        },
    )
    .example("\"/etc/wallex/tls.key\""),
    key(
        SECTION,
        "WALLEX_TLS_CLIENT_CA",
        "tls_client_ca",
        "PEM file with certificates of authorities. Set, no client gets in without a certificate that \
         one of them has signed; revocation is not checked. `wallex healthcheck` then shows the \
         server's own, which one of them must have signed as well.",
        Kind::MaybeText {
            set: |config, text| {
                config.tls.client_ca = path(text);
                Ok(())
            },
            get: |config| in_words(config.tls.client_ca.as_deref()),
        },
    )
    .example("\"/etc/wallex/clients.crt\""),
    key(
        SECTION,
        "WALLEX_TLS_HANDSHAKE_TIMEOUT_MS",
        "tls_handshake_timeout_ms",
        "How long a handshake may take, in milliseconds, before the connection is closed.",
        Kind::Time {
            unit: Milliseconds, min: 1, max: HANDSHAKE_MS_MAX, set: |config, time| config.server.tls_handshake_timeout = time, get: |config| config.server.tls_handshake_timeout },
    ),
];

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

fn in_words(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}
