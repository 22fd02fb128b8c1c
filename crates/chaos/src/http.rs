//! A keep-alive HTTP/1.1 connection. No HTTP library: whether a request may have reached the server
//! must be known for certain, and nothing may send it a second time by itself.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A client that waits longer gives up: the outcome is unknown to it. Longer than every deadline of
/// the server.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was sent.
    NotSent,
    /// Something was sent, and perhaps done.
    Lost(String),
}

/// A connection to one server, made when it is needed.
#[derive(Debug, Default)]
pub(crate) struct Connection(Option<(String, TcpStream)>);

impl Connection {
    /// Sends `request` to `address`, and waits for the answer.
    pub(crate) async fn exchange(
        &mut self,
        address: &str,
        request: &[u8],
    ) -> Result<Reply, Failure> {
        let mut stream = match self.0.take() {
            Some((connected, stream)) if connected == address => stream,
            _ => connect(address).await.map_err(|_| Failure::NotSent)?,
        };
        let exchanged = timeout(ANSWER_DEADLINE, exchange(&mut stream, request)).await;
        let reply = exchanged
            .unwrap_or_else(|elapsed| Err(elapsed.into()))
            .map_err(|error| Failure::Lost(error.to_string()))?;
        if reply.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            self.0 = Some((address.to_owned(), stream));
        }
        Ok(reply)
    }
}

/// Connects, in bounded time.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn exchange(stream: &mut TcpStream, request: &[u8]) -> io::Result<Reply> {
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(reply) = complete(&answer)? {
            return Ok(reply);
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "the answer has no end"));
        }
    }
}

/// The reply, once all of it is there.
fn complete(answer: &[u8]) -> io::Result<Option<Reply>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let wrong = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let mut reply =
        Reply { status: status.ok_or_else(|| wrong("no status"))?, head, body: String::new() };
    let length: usize = reply
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| wrong("an answer without a length"))?;
    let body = &answer[end + 4..];
    if body.len() < length {
        return Ok(None);
    }
    reply.body = String::from_utf8_lossy(&body[..length]).into_owned();
    Ok(Some(reply))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_length_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"1\"\r\n\r\n{}";
        assert!(complete(&answer[..answer.len() - 1]).expect("HTTP").is_none());
        let reply = complete(answer).expect("HTTP").expect("complete");
        assert_eq!((reply.status, &*reply.body, reply.header("etag")), (200, "{}", Some("\"1\"")));
        complete(b"HTTP/1.1 200 OK\r\n\r\n").expect_err("no length");
    }
}
