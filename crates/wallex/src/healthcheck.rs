//! `wallex healthcheck`: asks a running server whether it is ready, for containers that have nothing
//! else to ask with.

use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::Config;
use crate::startup;

/// Shorter than what a container's health check waits, so that the answer is ours.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// Asks the server at `url`, or without one that of the configuration on this machine.
///
/// # Errors
/// When it is not ready, or does not answer.
pub(crate) async fn healthcheck(config: &Config, url: Option<&str>) -> anyhow::Result<String> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .no_proxy()
        // Our own address is none that a certificate is made for, and no secret is sent.
        .tls_danger_accept_invalid_certs(url.is_none())
        .build()
        .context("the HTTP client can't be set up")?;
    let own = || format!("{}/readyz", startup::url(config.listen));
    let url = url.map_or_else(own, ToOwned::to_owned);
    let answer = client.get(&url).send().await.context("the server does not answer")?;
    let status = answer.status();
    if !status.is_success() {
        let problem = answer.text().await.unwrap_or_default();
        bail!("{url} answers {status}: {problem}");
    }
    Ok(format!("{url} answers {status}\n"))
}
