//! Bytes there and answers back, over one connection.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection that is still open by then hangs: no deadline of a server is longer than 75 s.
const CLOSED_WITHIN: Duration = Duration::from_secs(100);

/// One answer, as it came over the wire.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, or what there is of it.
    pub body: Vec<u8>,
    /// Whether it came to its end.
    pub whole: bool,
}

impl RawAnswer {
    /// The first header of that name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends `bytes` and the end of the stream; all answers that came until the connection was closed.
///
/// # Errors
/// When there is no connection, it is not closed, or what comes back is not HTTP.
pub async fn exchange(address: &str, bytes: &[u8]) -> Result<Vec<RawAnswer>> {
    talk(address, bytes, true).await
}

/// [`exchange`] by a client that leaves its side open: the server has to close the connection.
///
/// # Errors
/// As [`exchange`].
pub async fn exchange_and_wait(address: &str, bytes: &[u8]) -> Result<Vec<RawAnswer>> {
    talk(address, bytes, false).await
}

async fn talk(address: &str, bytes: &[u8], half_close: bool) -> Result<Vec<RawAnswer>> {
    let socket = TcpStream::connect(address).await.context("no connection")?;
    let (mut reader, mut writer) = socket.into_split();
    let send = async {
        // The server may hang up before it has read all; what it said until then counts.
        if writer.write_all(bytes).await.is_ok() && half_close {
            writer.shutdown().await.ok();
        }
    };
    let mut received = Vec::new();
    let receive = async {
        reader.read_to_end(&mut received).await.ok();
    };
    if timeout(CLOSED_WITHIN, async { tokio::join!(send, receive) }).await.is_err() {
        bail!("it hangs: the connection is open after {CLOSED_WITHIN:?}");
    }
    parse(&received)
}

/// The answers in `bytes`; 1xx are left out, for they announce another.
fn parse(mut bytes: &[u8]) -> Result<Vec<RawAnswer>> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let (answer, rest) = parse_one(bytes)?;
        if answer.status >= 200 {
            answers.push(answer);
        }
        bytes = rest;
    }
    Ok(answers)
}

fn parse_one(bytes: &[u8]) -> Result<(RawAnswer, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 ")))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .with_context(|| format!("not an answer: {head:?}"))?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = RawAnswer { status, headers, body: Vec::new(), whole: false };
    // A reset may have cut it.
    let Some(end) = end else { return Ok((answer, &[])) };
    let length: usize = match answer.header("content-length") {
        Some(length) => length.parse().context("its Content-Length")?,
        None if answer.header("transfer-encoding").is_some() => bail!("it came in chunks"),
        None => 0,
    };
    let body = &bytes[end + 4..];
    let (body, rest) = body.split_at(length.min(body.len()));
    answer.body = body.to_vec();
    answer.whole = body.len() == length;
    Ok((answer, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let bytes =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\
            \r\n{}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab";
        let answers = parse(bytes).expect("answers");
        let seen: Vec<_> = answers.iter().map(|a| (a.status, a.text(), a.whole)).collect();
        assert_eq!(seen, [(400, "{}".to_owned(), true), (200, "ab".to_owned(), false)]);
        assert!(parse(b"SSH-2.0-x\r\n").is_err());
    }
}
