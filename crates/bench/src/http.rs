//! A keep-alive HTTP/1.1 connection that creates wallets and credits them, and what waits to see
//! them.
//!
//! No HTTP library: the load generator runs beside what it measures, and every microsecond that it
//! takes is missing there.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::load::{Client, Failure};
use crate::projections::Watcher;
use crate::wallet::{INITIAL_BALANCE, NewWallet};

/// An answer to a create has a few hundred bytes.
const ANSWER_BYTES: usize = 4096;
/// As much of an unexpected answer as is worth reading.
const SHOWN_CHARS_MAX: usize = 300;

pub(crate) struct HttpClient {
    stream: TcpStream,
    request: Vec<u8>,
    body: Vec<u8>,
    answer: Vec<u8>,
}

impl HttpClient {
    pub(crate) async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let answer = Vec::with_capacity(ANSWER_BYTES);
        Ok(Self { stream, request: Vec::new(), body: Vec::new(), answer })
    }

    /// Credits the wallet `id`. When this returns, it is durable.
    pub(crate) async fn credit(&mut self, id: Uuid, key: Uuid, amount: u64) -> Result<(), Failure> {
        self.body.clear();
        write!(
            self.body,
            r#"{{"amount":{amount},"description":"a top-up by card","reference":"{key}"}}"#
        )?;
        self.write_post(format_args!("/wallets/{id}/credit"), key)?;
        self.exchange(200).await
    }

    fn write_post(&mut self, path: fmt::Arguments<'_>, key: Uuid) -> io::Result<()> {
        self.request.clear();
        write!(
            self.request,
            "POST {path} HTTP/1.1\r\nHost: wallex\r\nContent-Type: application/json\r\n\
             Idempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n",
            self.body.len()
        )?;
        self.request.extend_from_slice(&self.body);
        Ok(())
    }

    /// Sends the request, and reads the answer, whose status should be `expected`.
    async fn exchange(&mut self, expected: u16) -> Result<(), Failure> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let status = loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
            if let Some(status) = complete(&self.answer)? {
                break status;
            }
        };
        if status == expected {
            return Ok(());
        }
        let answer = String::from_utf8_lossy(&self.answer);
        Err(Failure::Refused(answer.chars().take(SHOWN_CHARS_MAX).collect()))
    }
}

impl Client for HttpClient {
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
        let NewWallet { id, key, .. } = wallet;
        self.body.clear();
        write!(
            self.body,
            r#"{{"walletId":"{id}","ownerId":"owner-of-{id}","initialBalance":{INITIAL_BALANCE}}}"#
        )?;
        self.write_post(format_args!("/wallets"), *key)?;
        self.exchange(201).await
    }
}

/// Asks each time on a connection of its own: one that waits for its turn, the server closes.
pub(crate) struct HttpWatcher {
    address: String,
}

impl HttpWatcher {
    pub(crate) fn of(address: &str) -> Self {
        Self { address: address.to_owned() }
    }
}

impl Watcher for HttpWatcher {
    async fn see(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
        let mut client = HttpClient::connect(&self.address).await?;
        write!(
            client.request,
            "GET /wallets/{}?consistency=eventual&minVersion=1 HTTP/1.1\r\nHost: wallex\r\n\r\n",
            wallet.id
        )?;
        client.exchange(200).await
    }
}

/// The status of `answer`, once all of it is there.
fn complete(answer: &[u8]) -> io::Result<Option<u16>> {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    let Some(end) = answer.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD) else {
        return Ok(None);
    };
    let unreadable = || io::Error::new(ErrorKind::InvalidData, "this is no answer with a length");
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| unreadable())?;
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let (status, length) = status.zip(length).ok_or_else(unreadable)?;
    let missing = (end + END_OF_HEAD.len() + length).checked_sub(answer.len());
    match missing {
        Some(0) => Ok(Some(status)),
        Some(_) => Ok(None),
        None => Err(io::Error::new(ErrorKind::InvalidData, "the answer is longer than it says")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\netag: \"1\"\r\n\r\n{\"\":";

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        for length in 0..ANSWER.len() {
            assert_eq!(complete(&ANSWER[..length]).expect("readable"), None, "{length} bytes");
        }
        assert_eq!(complete(ANSWER).expect("readable"), Some(201));
    }

    #[test]
    fn what_is_not_an_answer_with_a_length_is_refused() {
        let longer = [ANSWER, b"}"].concat();
        let unreadable: [&[u8]; 3] =
            [b"HTTP/1.1 200 OK\r\n\r\n", b"hello\r\ncontent-length: 0\r\n\r\n", &longer];
        for answer in unreadable {
            complete(answer).expect_err("unreadable");
        }
    }
}
