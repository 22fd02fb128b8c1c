//! Very many connections, and very many requests on one.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Report, exchange, exchange_and_wait};
use crate::allow_many_files;

/// An answer that is not there by then does not come.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);
/// Files beside the connections that a program has open.
const OTHER_FILES: u64 = 200;
/// Connections that are begun at once: what a listener's backlog holds, or less.
const AT_ONCE: usize = 500;
/// One in so many connections is asked again when all are open.
const ASKED_AGAIN: usize = 10;

/// Opens `connections` with a request on each, sends another on some while all are open, and
/// expects 200 or 503; then one more, and it must be served.
///
/// # Errors
/// When this machine does not allow so many connections, or the server can't be reached.
pub async fn connections(address: &str, connections: usize) -> Result<Report> {
    let files = allow_many_files()?;
    ensure!(
        files >= connections as u64 + OTHER_FILES,
        "this machine allows {files} open files: too few for {connections} connections \
         (raise the hard limit, `ulimit -Hn`)"
    );
    let mut report = Report::default();
    let mut sockets = Vec::with_capacity(connections);
    for begun in (0..connections).step_by(AT_ONCE) {
        let opening = (begun..connections).take(AT_ONCE).map(|_| open(address.to_owned()));
        sockets.extend(all(opening, &mut report).await);
    }
    let again = sockets.split_off(sockets.len() - sockets.len() / ASKED_AGAIN);
    let again = all(again.into_iter().map(ask), &mut report).await;
    let request = b"GET /livez HTTP/1.1\r\nHost: wallex\r\nConnection: close\r\n\r\n";
    let one_more = exchange(address, request).await;
    if !one_more.as_ref().is_ok_and(|answers| answers.len() == 1 && answers[0].status == 200) {
        report.violations.push(format!("one more than {connections}: {one_more:?}"));
    }
    drop((sockets, again));
    Ok(report)
}

/// Awaits all of `asking`; the connections that are still good.
async fn all<F>(asking: impl Iterator<Item = F>, report: &mut Report) -> Vec<TcpStream>
where
    F: Future<Output = Result<TcpStream>> + Send + 'static,
{
    let began = Instant::now();
    let asked = asking.collect::<JoinSet<_>>().join_all().await;
    report.count("many connections", began.elapsed());
    let good = asked.into_iter().filter_map(|asked| {
        asked.map_err(|error| report.violations.push(format!("one of many: {error:#}"))).ok()
    });
    good.collect()
}

async fn open(address: String) -> Result<TcpStream> {
    let opening = timeout(ANSWERED_WITHIN, TcpStream::connect(address)).await;
    ask(opening.context("it takes too long to connect")?.context("no connection")?).await
}

/// A request and its answer, which is a short one; the connection stays open.
async fn ask(mut socket: TcpStream) -> Result<TcpStream> {
    let request = b"GET /livez HTTP/1.1\r\nHost: wallex\r\n\r\n";
    let asked = async {
        socket.write_all(request).await.context("the request")?;
        let mut answer = [0; 4_096];
        let bytes = socket.read(&mut answer).await.context("the answer")?;
        let answer = String::from_utf8_lossy(&answer[..bytes]).into_owned();
        let status = answer.get(..12).unwrap_or_default();
        ensure!(["HTTP/1.1 200", "HTTP/1.1 503"].contains(&status), "it is answered {answer:?}");
        Ok(())
    };
    timeout(ANSWERED_WITHIN, asked).await.context("it hangs")??;
    Ok(socket)
}

/// Sends `requests` on one connection without waiting for an answer: all are answered, in order.
///
/// # Errors
/// When the server can't be reached, or does not speak HTTP.
pub async fn pipeline(address: &str, requests: usize) -> Result<Report> {
    let began = Instant::now();
    // One in ten asks the database, so that answers of different speed stand in a row.
    let of = |i: usize| match i % 10 {
        0 => ("/wallets/corpus", 200),
        1..5 => ("/nowhere", 404),
        _ => ("/livez", 200),
    };
    let bytes: String = (0..requests)
        .map(|i| {
            let (path, _) = of(i);
            let then = if i + 1 == requests { "close" } else { "keep-alive" };
            format!(
                "GET {path} HTTP/1.1\r\nHost: wallex\r\nConnection: {then}\r\n\
                 X-Correlation-Id: n-{i}\r\n\r\n"
            )
        })
        .collect();
    let answers = exchange_and_wait(address, bytes.as_bytes()).await?;
    let mut report = Report::default();
    for (i, answer) in answers.iter().enumerate() {
        report.count("a request of a pipeline", began.elapsed());
        let (_, expected) = of(i);
        let id = format!("n-{i}");
        if answer.status != expected || answer.header("x-correlation-id") != Some(&id) {
            report.violations.push(format!("request {i} is answered {answer:?}"));
        }
    }
    if answers.len() != requests {
        report.violations.push(format!("{} of {requests} are answered", answers.len()));
    }
    Ok(report)
}
