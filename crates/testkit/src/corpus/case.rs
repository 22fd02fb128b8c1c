//! One request of the corpus, and what may become of it.

use anyhow::{Result, bail, ensure};

use super::{OTHER, RawAnswer, WALLET};

/// A request, or what pretends to be one.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is, for people.
    pub name: String,
    /// What is sent, before the client ends its side of the connection.
    pub bytes: Vec<u8>,
    /// What may become of it.
    pub expected: Expected,
}

/// What may become of a case. Whatever stands behind a refusal on the same connection is never
/// answered: it may be what somebody hid there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// One answer, with one of these statuses.
    Refused(&'static [u16]),
    /// One answer with one of these statuses, or none: the connection is closed.
    RefusedOrClosed(&'static [u16]),
    /// Exactly these answers, in this order.
    Answers(&'static [u16]),
}

impl Case {
    pub(super) fn new(
        name: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
        expected: Expected,
    ) -> Self {
        Self { name: name.into(), bytes: bytes.into(), expected }
    }

    /// Checks what was answered.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn judge(&self, answers: &[RawAnswer]) -> Result<()> {
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        match (self.expected, &statuses[..]) {
            (Expected::Answers(expected), statuses) => {
                ensure!(statuses == expected, "{statuses:?} instead of {expected:?}");
            }
            (Expected::RefusedOrClosed(_), []) => {}
            (Expected::Refused(allowed) | Expected::RefusedOrClosed(allowed), [status]) => {
                ensure!(allowed.contains(status), "{status}, which is not one of {allowed:?}");
            }
            (_, statuses) => bail!("{statuses:?} instead of one refusal"),
        }
        for answer in answers {
            check(answer)?;
        }
        Ok(())
    }
}

/// What holds of every answer.
fn check(answer: &RawAnswer) -> Result<()> {
    let RawAnswer { status, .. } = answer;
    ensure!(*status < 500, "a 5xx: {answer:?}");
    ensure!(answer.header("server").is_none(), "{status} names the server");
    if *status >= 400 && answer.whole && !answer.body.is_empty() {
        let kind = answer.header("content-type");
        ensure!(kind == Some("application/problem+json"), "{status} is of type {kind:?}");
        ensure!(answer.header("x-correlation-id").is_some(), "{status} has no correlation id");
    }
    Ok(())
}

/// A POST of `body` to `path`, with all that belongs to it.
pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: wallex\r\n{}Content-Length: {}\r\n\r\n{body}",
        JSON,
        body.len()
    )
    .into_bytes()
}

/// The header that a JSON body needs.
pub(super) const JSON: &str = "Content-Type: application/json\r\n";
/// The body of a movement that would be done, were the rest in order.
pub(super) const MOVEMENT: &str = r#"{"amount":1}"#;

/// A credit with `headers`, each ended by CRLF, and `body`; nothing is added but the host.
pub(super) fn credit_with(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /wallets/{WALLET}/credit HTTP/1.1\r\nHost: wallex\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// A credit that is in order but for `headers`, which come on top of the right ones.
pub(super) fn credit_and(headers: &str) -> Vec<u8> {
    credit_with(&format!("{JSON}Content-Length: {}\r\n{headers}", MOVEMENT.len()), MOVEMENT)
}

/// A credit of `body`.
pub(super) fn credit(body: &str) -> Vec<u8> {
    post(&format!("/wallets/{WALLET}/credit"), body)
}

/// A transfer of `body`.
pub(super) fn transfer(body: &str) -> Vec<u8> {
    post(&format!("/wallets/{WALLET}/transfer"), body)
}

/// A transfer of 1 with one more member, or another one.
pub(super) fn transfer_body(amount: &str, to: Option<&str>, more: &str) -> String {
    let other = format!("\"{OTHER}\"");
    format!(r#"{{"amount":{amount},"toWalletId":{}{more}}}"#, to.unwrap_or(&other))
}

/// One chunk of a chunked body.
pub(super) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}
