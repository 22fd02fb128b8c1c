//! A PostgreSQL connection that executes prepared statements, one round trip each.
//!
//! It speaks the protocol itself (PostgreSQL's documentation, chapter "Frontend/Backend Protocol")
//! for the reason that the HTTP client does: on a machine that generator, server and database
//! share, a driver's comfort would count against plain SQL.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::load::Failure;

const PROTOCOL_3: i32 = 0x0003_0000;

pub(crate) struct PgConnection {
    stream: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl PgConnection {
    /// As `user`, without a password.
    pub(crate) async fn connect(port: u16, user: &str, database: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, sent: Vec::new(), received: Vec::new() };
        connection.put(None, |body| {
            body.extend(PROTOCOL_3.to_be_bytes());
            for text in ["user", user, "database", database, ""] {
                put_text(body, text);
            }
        })?;
        connection.exchange().await?;
        Ok(connection)
    }

    /// Has the server parse `sql`, to be executed as `name`.
    pub(crate) async fn prepare(&mut self, name: &str, sql: &str) -> Result<(), Failure> {
        self.put(Some(b'P'), |body| {
            put_text(body, name);
            put_text(body, sql);
            // The server works the parameters' types out itself.
            body.extend(0_i16.to_be_bytes());
        })?;
        self.sync().await.map(drop)
    }

    /// Executes the statement `name` with `values` as text.
    pub(crate) async fn execute(&mut self, name: &str, values: &[&str]) -> Result<(), Failure> {
        self.query(name, values).await.map(drop)
    }

    /// The same; how many rows came back.
    pub(crate) async fn query(&mut self, name: &str, values: &[&str]) -> Result<usize, Failure> {
        let count = i16::try_from(values.len()).map_err(too_long)?;
        let lengths: Result<Vec<_>, _> =
            values.iter().map(|value| i32::try_from(value.len())).collect();
        let lengths = lengths.map_err(too_long)?;
        self.put(Some(b'B'), |body| {
            put_text(body, "");
            put_text(body, name);
            // All values are text, and so is what comes back.
            body.extend(0_i16.to_be_bytes());
            body.extend(count.to_be_bytes());
            for (value, length) in values.iter().zip(lengths) {
                body.extend(length.to_be_bytes());
                body.extend(value.as_bytes());
            }
            body.extend(0_i16.to_be_bytes());
        })?;
        self.put(Some(b'E'), |body| {
            put_text(body, "");
            body.extend(0_i32.to_be_bytes());
        })?;
        self.sync().await
    }

    async fn sync(&mut self) -> Result<usize, Failure> {
        self.put(Some(b'S'), |_| ())?;
        self.exchange().await
    }

    /// Adds a message to what is sent next. The first one of a connection has no type.
    fn put(&mut self, kind: Option<u8>, body: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        self.sent.extend(kind);
        let start = self.sent.len();
        self.sent.extend([0; 4]);
        body(&mut self.sent);
        let length = i32::try_from(self.sent.len() - start).map_err(too_long)?;
        self.sent[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Sends what was put, and reads until the server is ready for more; how many rows that were.
    async fn exchange(&mut self) -> Result<usize, Failure> {
        self.stream.write_all(&self.sent).await?;
        self.sent.clear();
        self.received.clear();
        let mut refused = None;
        let (mut read, mut rows) = (0, 0);
        loop {
            while let Some((kind, body)) = message(&self.received[read..])? {
                read += HEAD_BYTES + body.len();
                match kind {
                    b'Z' => return refused.map_or(Ok(rows), |error| Err(Failure::Refused(error))),
                    b'D' => rows += 1,
                    b'E' => refused = Some(describe(body)),
                    b'R' if body != [0; 4] => {
                        return Err(Failure::Refused("the server wants a password".to_owned()));
                    }
                    _ => {}
                }
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                let gone = io::Error::from(ErrorKind::UnexpectedEof);
                return Err(refused.map_or(Failure::Lost(gone), Failure::Refused));
            }
        }
    }
}

fn too_long(error: std::num::TryFromIntError) -> Failure {
    Failure::Lost(io::Error::new(ErrorKind::InvalidInput, error))
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend(text.as_bytes());
    body.push(0);
}

/// A type and a length, which counts itself and not the type.
const HEAD_BYTES: usize = 5;

/// The type and the body of the first message of `bytes`, once all of it is there.
fn message(bytes: &[u8]) -> io::Result<Option<(u8, &[u8])>> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let [kind, length @ ..] = *head;
    let length = u32::from_be_bytes(length).checked_sub(4);
    let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "no message"))?;
    Ok(rest.get(..length as usize).map(|body| (kind, body)))
}

/// The message (`M`) among the fields of an error.
fn describe(error: &[u8]) -> String {
    let mut fields = error.split(|byte| *byte == 0);
    let text = fields.find_map(|field| field.strip_prefix(b"M")).unwrap_or(error);
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_with_its_last_byte() {
        let bytes = b"Z\0\0\0\x05Irest";
        for length in 0..6 {
            assert_eq!(message(&bytes[..length]).expect("readable"), None);
        }
        assert_eq!(message(bytes).expect("readable"), Some((b'Z', &b"I"[..])));
        message(b"Z\0\0\0\x03").expect_err("shorter than its own length");
    }

    #[test]
    fn an_error_says_what_the_server_said() {
        assert_eq!(describe(b"SERROR\0C23505\0Mduplicate key\0\0"), "duplicate key");
    }
}
