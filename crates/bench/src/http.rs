//! A keep-alive HTTP/1.1 connection that does nothing but create wallets.
//!
//! No HTTP library: the load generator runs beside what it measures, and every microsecond that it
//! takes is missing there.

use std::io::{self, ErrorKind, Write as _};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::load::{Client, Failure};
use crate::wallet::NewWallet;

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

    fn write_request(&mut self, wallet: &NewWallet) -> io::Result<()> {
        let NewWallet { id, key, .. } = wallet;
        self.body.clear();
        write!(
            self.body,
            r#"{{"walletId":"{id}","ownerId":"owner-of-{id}","initialBalance":100}}"#
        )?;
        self.request.clear();
        write!(
            self.request,
            "POST /wallets HTTP/1.1\r\nHost: wallex\r\nContent-Type: application/json\r\n\
             Idempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n",
            self.body.len()
        )?;
        self.request.extend_from_slice(&self.body);
        Ok(())
    }
}

impl Client for HttpClient {
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
        self.write_request(wallet)?;
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
        if status == 201 {
            return Ok(());
        }
        let answer = String::from_utf8_lossy(&self.answer);
        Err(Failure::Refused(answer.chars().take(SHOWN_CHARS_MAX).collect()))
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
