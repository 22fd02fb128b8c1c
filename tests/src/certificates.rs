//! Certificates for tests, and the files that a server reads them from.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use wallex_testkit::ServerBuilder;

/// An authority that signs certificates.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = parameters.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(parameters, key) }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for this machine, and its key, both as PEM.
    pub(crate) fn issue(&self) -> (String, String) {
        self.issue_until(2099)
    }

    pub(crate) fn issue_until(&self, year: i32) -> (String, String) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// A client that trusts it and nobody else.
    pub(crate) fn client(&self) -> reqwest::ClientBuilder {
        trusting(&[self])
    }

    /// [`Authority::client`], with a certificate that `signer` has signed.
    pub(crate) fn client_of(&self, signer: &Self) -> reqwest::Client {
        let (certificate, key) = signer.issue();
        let identity = reqwest::Identity::from_pem((certificate + &key).as_bytes());
        self.client().identity(identity.expect("an identity")).build().expect("a client")
    }
}

/// A client that trusts `authorities` and nobody else.
pub(crate) fn trusting(authorities: &[&Authority]) -> reqwest::ClientBuilder {
    wallex_testkit::install_tls_provider();
    let roots = authorities.iter().map(|authority| {
        reqwest::Certificate::from_pem(authority.pem.as_bytes()).expect("a certificate")
    });
    reqwest::Client::builder().no_proxy().tls_certs_only(roots)
}

/// The files of a server.
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    /// The files of a server whose certificate `authority` has signed.
    pub(crate) fn of(authority: &Authority) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        files.replace(authority.issue());
        files
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("written");
    }

    /// Writes another pair.
    pub(crate) fn replace(&self, (certificate, key): (String, String)) {
        self.write("tls.crt", &certificate);
        self.write("tls.key", &key);
    }

    /// Has the server of `builder` use them.
    pub(crate) fn on(&self, builder: ServerBuilder) -> ServerBuilder {
        let path = |name| self.path(name).to_string_lossy().into_owned();
        builder.env("WALLEX_TLS_CERT", &path("tls.crt")).env("WALLEX_TLS_KEY", &path("tls.key"))
    }

    /// [`Files::on`], for clients with a certificate by `authority` alone.
    pub(crate) fn for_clients_of(
        &self,
        authority: &Authority,
        builder: ServerBuilder,
    ) -> ServerBuilder {
        self.write("clients.crt", authority.pem());
        let path = self.path("clients.crt");
        self.on(builder).env("WALLEX_TLS_CLIENT_CA", &path.to_string_lossy())
    }
}
