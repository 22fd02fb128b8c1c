//! Clients that take their time. Each must be closed, or answered and closed, within a time.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout_at};

use super::case::JSON;
use super::{Report, WALLET};

/// How often a slow client sends a byte: often enough that no silence is ever long.
const DRIP: Duration = Duration::from_millis(50);
/// How often is looked whether a connection that nobody reads is still there.
const LOOK: Duration = Duration::from_millis(100);

/// A client that says nothing.
///
/// # Errors
/// When the server can't be reached.
pub async fn silent_sockets(address: &str, clients: usize, within: Duration) -> Result<Report> {
    crowd("a silent socket", clients, within, |_| {
        let address = address.to_owned();
        async move { until_closed(&mut connect(&address).await?, b"", b"", within).await }
    })
    .await
}

/// A client that sends its first head byte by byte.
///
/// # Errors
/// When the server can't be reached.
pub async fn slow_heads(address: &str, clients: usize, within: Duration) -> Result<Report> {
    crowd("a slow head", clients, within, |_| {
        let address = address.to_owned();
        async move {
            let begin = b"GET /livez HTTP/1.1\r\nHost: wallex\r\n";
            until_closed(&mut connect(&address).await?, begin, b"X-Slow: 1\r\n", within).await
        }
    })
    .await
}

/// A client that sends a whole request, and after its answer the next head byte by byte.
///
/// # Errors
/// When the server can't be reached, or does not answer the first request.
pub async fn slow_later_heads(address: &str, clients: usize, within: Duration) -> Result<Report> {
    crowd("a slow later head", clients, within, |_| {
        let address = address.to_owned();
        async move {
            let mut socket = connect(&address).await?;
            let whole = b"GET /livez HTTP/1.1\r\nHost: wallex\r\n\r\n";
            socket.write_all(whole).await.context("the first request")?;
            let mut first = [0; 12];
            socket.read_exact(&mut first).await.context("the first answer")?;
            let begin = b"GET /livez HTTP/1.1\r\nHost: wallex\r\n";
            until_closed(&mut socket, begin, b"X-Slow: 1\r\n", within).await
        }
    })
    .await
}

/// A client that sends a body byte by byte: every other one in chunks.
///
/// # Errors
/// When the server can't be reached.
pub async fn slow_bodies(address: &str, clients: usize, within: Duration) -> Result<Report> {
    crowd("a slow body", clients, within, |client| {
        let address = address.to_owned();
        async move {
            let (framing, drip): (_, &[u8]) = match client % 2 {
                0 => ("Content-Length: 60000", b" "),
                _ => ("Transfer-Encoding: chunked", b"1\r\n \r\n"),
            };
            let begin = format!(
                "POST /wallets/{WALLET}/credit HTTP/1.1\r\nHost: wallex\r\n{JSON}{framing}\r\n\r\n"
            );
            until_closed(&mut connect(&address).await?, begin.as_bytes(), drip, within).await
        }
    })
    .await
}

/// A client that asks for far more than the system's buffers hold, at `path`, and reads none of it.
///
/// # Errors
/// When the server can't be reached.
pub async fn slow_readers(
    address: &str,
    path: &str,
    clients: usize,
    within: Duration,
) -> Result<Report> {
    crowd("a client that does not read", clients, within, |_| {
        let address = address.to_owned();
        let request = format!("GET {path} HTTP/1.1\r\nHost: wallex\r\n\r\n");
        async move {
            let socket = connect(&address).await?;
            let deadline = Instant::now() + within;
            let requests = request.repeat(1_000);
            let mut look = interval(LOOK);
            // The server stops reading when it can't write, so that this does, too; when the
            // connection is gone, it fails.
            loop {
                match socket.try_write(requests.as_bytes()) {
                    Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Ok(()),
                    _ if Instant::now() > deadline => bail!("it is still open"),
                    _ => look.tick().await,
                };
            }
        }
    })
    .await
}

async fn connect(address: &str) -> Result<TcpStream> {
    TcpStream::connect(address).await.context("no connection")
}

/// Sends `begin`, and then `drip` byte by byte for ever, until the server closes the connection.
async fn until_closed(
    socket: &mut TcpStream,
    begin: &[u8],
    drip: &[u8],
    within: Duration,
) -> Result<()> {
    let deadline = Instant::now() + within;
    let (mut reader, mut writer) = socket.split();
    writer.write_all(begin).await.ok();
    let dripping = async {
        let mut tick = interval(DRIP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for byte in drip.iter().cycle() {
            tick.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut received = Vec::new();
    tokio::select! {
        () = dripping => {}
        closed = timeout_at(deadline.into(), reader.read_to_end(&mut received)) => {
            if closed.is_err() {
                bail!("it is still open");
            }
        }
    }
    let answer = String::from_utf8_lossy(&received);
    let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
    // What is left of the answer to a first request does not begin like one.
    if answer.starts_with("HTTP/1.1 5") || (answer.starts_with("HTTP/1.1") && !refused) {
        bail!("it is answered {:?}", answer.lines().next());
    }
    Ok(())
}

/// Runs `clients` at once; each that fails is a violation.
async fn crowd<F>(
    name: &str,
    clients: usize,
    within: Duration,
    client: impl Fn(usize) -> F,
) -> Result<Report>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let began = Instant::now();
    let mut all: JoinSet<_> = (0..clients).map(client).collect();
    let mut report = Report::default();
    while let Some(ended) = all.join_next().await {
        let outcome = ended.context("a client did not end well")?;
        report.count(name, began.elapsed());
        if let Err(error) = outcome {
            report.violations.push(format!("{name}, within {within:?}: {error:#}"));
        }
    }
    Ok(report)
}
