//! `wallex healthcheck`: asks a running server whether it is ready, for containers that have nothing
//! else to ask with.

use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::Config;
use crate::startup;
use crate::tls::TlsFiles;

/// Shorter than what a container's health check waits, so that the answer is ours.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// Asks the server at `url`, or without one that of the configuration on this machine.
///
/// # Errors
/// When it is not ready, or does not answer.
pub(crate) async fn healthcheck(config: &Config, url: Option<&str>) -> anyhow::Result<String> {
    let mut client = reqwest::Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .no_proxy()
        // Our own address is none that a certificate is made for, and no secret is sent.
        .tls_danger_accept_invalid_certs(url.is_none());
    let tls = TlsFiles::of(config)?;
    if let Some(files) = tls.as_ref().filter(|files| files.client_ca.is_some()) {
        client = client.identity(own_identity(files)?);
    }
    let client = client.build().context("the HTTP client can't be set up")?;
    let own = || format!("{}/readyz", startup::url(config.listen, tls.is_some()));
    let url = url.map_or_else(own, ToOwned::to_owned);
    let answer = client.get(&url).send().await.context("the server does not answer")?;
    let status = answer.status();
    if !status.is_success() {
        let problem = answer.text().await.unwrap_or_default();
        bail!("{url} answers {status}: {problem}");
    }
    Ok(format!("{url} answers {status}\n"))
}

/// A server that asks for certificates asks this one, too: it shows the server's own.
fn own_identity(files: &TlsFiles) -> anyhow::Result<reqwest::Identity> {
    let read = |path| std::fs::read(path).context("the TLS files can't be read");
    let mut pem = read(&files.certificate)?;
    pem.extend(read(&files.key)?);
    reqwest::Identity::from_pem(&pem).context("the TLS files can't be used")
}
