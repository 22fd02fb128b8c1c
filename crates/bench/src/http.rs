//! A keep-alive HTTP/1.1 connection that sends commands, and what waits to see new wallets.
//!
//! No HTTP library: the load generator runs beside what it measures, and every microsecond that it
//! takes is missing there. A request is written into memory that is there already, sent with one
//! write, and its answer is taken with one read where the kernel has all of it.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::effect::Effect;
use crate::load::{Client, Failure};
use crate::projections::Watcher;
use crate::request::{self, Command};
use crate::wallet::NewWallet;

/// An answer to a command has a few hundred bytes, and so has a request.
const MESSAGE_BYTES: usize = 1024;
/// As much of an unexpected answer as is worth reading.
const SHOWN_CHARS_MAX: usize = 300;
/// The `code` of the problem that says: nothing was done, there is too much to do.
const OVERLOADED: &[u8] = b"\"overloaded\"";

pub(crate) struct HttpClient {
    stream: TcpStream,
    /// See [`request::head`].
    head: Vec<u8>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl HttpClient {
    pub(crate) async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = || Vec::with_capacity(MESSAGE_BYTES);
        Ok(Self { stream, head: request::head(None), request: buffer(), answer: buffer() })
    }

    /// Has every request bring an API key, if there is one.
    pub(crate) fn with_key(self, key: Option<&str>) -> Self {
        Self { head: request::head(key), ..self }
    }

    /// Has `command` done. When this returns, it is durable; the effect is what was done.
    pub(crate) async fn send(&mut self, command: &Command) -> Result<Effect, Failure> {
        self.request.clear();
        command.write(&mut self.request, &self.head);
        self.exchange(command.expected_status()).await?;
        Ok(command.effect())
    }

    /// Credits the wallet `id`. When this returns, it is durable.
    pub(crate) async fn credit(&mut self, id: Uuid, key: Uuid, amount: u64) -> Result<(), Failure> {
        self.send(&Command::Credit { wallet: id, key, amount }).await.map(drop)
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
        if status == 503 && self.answer.windows(OVERLOADED.len()).any(|text| text == OVERLOADED) {
            return Err(Failure::Overloaded);
        }
        let answer = String::from_utf8_lossy(&self.answer);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: String = body.chars().take(SHOWN_CHARS_MAX).collect();
        Err(Failure::Refused(format!("{status} {body}")))
    }
}

impl Client for HttpClient {
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
        self.send(&Command::Create(*wallet)).await.map(drop)
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
        let query = "?consistency=eventual&minVersion=1";
        request::write_get(&mut client.request, &client.head, wallet.id, query);
        client.exchange(200).await
    }
}

/// `HTTP/1.1 ` and a status of three digits.
const STATUS_AT: std::ops::Range<usize> = 9..12;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const LENGTH: &[u8] = b"content-length:";

/// The status of `answer`, once all of it is there.
fn complete(answer: &[u8]) -> io::Result<Option<u16>> {
    let Some(end) = answer.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD) else {
        return Ok(None);
    };
    let head = &answer[..end];
    let (status, length) = status(head)
        .zip(content_length(head))
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "this is no answer with a length"))?;
    match (end + END_OF_HEAD.len() + length).checked_sub(answer.len()) {
        Some(0) => Ok(Some(status)),
        Some(_) => Ok(None),
        None => Err(io::Error::new(ErrorKind::InvalidData, "the answer is longer than it says")),
    }
}

fn status(head: &[u8]) -> Option<u16> {
    if !head.starts_with(b"HTTP/1.1 ") {
        return None;
    }
    head.get(STATUS_AT)?.iter().try_fold(0, |status, digit| decimal(status, *digit))
}

fn content_length(head: &[u8]) -> Option<usize> {
    let line = head.split(|byte| *byte == b'\n').find(|line| {
        line.get(..LENGTH.len()).is_some_and(|name| name.eq_ignore_ascii_case(LENGTH))
    })?;
    let digits = line[LENGTH.len()..].trim_ascii();
    let length = digits.iter().try_fold(0_usize, |length, digit| {
        length.checked_mul(10)?.checked_add(usize::from(digit_of(*digit)?))
    });
    length.filter(|_| !digits.is_empty())
}

fn decimal(number: u16, digit: u8) -> Option<u16> {
    Some(number * 10 + u16::from(digit_of(digit)?))
}

fn digit_of(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
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
        let unreadable: [&[u8]; 5] = [
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
            b"hello\r\ncontent-length: 0\r\n\r\n",
            &longer,
        ];
        for answer in unreadable {
            complete(answer).expect_err("unreadable");
        }
    }
}
