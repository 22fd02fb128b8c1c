//! Rows 9, 22 and 24: clients that go away, are slow, or are very many.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wallex_testkit::Backend;

use super::Ran;
use crate::command::{Action, Command};
use crate::context::Context;
use crate::history::{Asked, Outcome};
use crate::http::connect;
use crate::trial::Trial;

/// So many hang up at once.
const AT_ONCE: usize = 250;
/// Commands in a batch that hang up are credits of this.
const AMOUNT: i64 = 1;
/// The server closes by itself what is slow, within this long: its own deadlines are shorter.
const CLOSED_MAX: Duration = Duration::from_secs(40);
/// Sockets of each slow kind.
const SLOW: usize = 40;
/// While there are thousands of sockets, a client that comes must get an answer within this long.
const LIVE_MAX: Duration = Duration::from_secs(10);

/// Row 9.
pub(crate) async fn hang_up(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    let waves = trial.scale.sockets / AT_ONCE;
    for wave in 0..waves {
        let address = trial.stand.servers[0].address().to_owned();
        let clients: JoinSet<()> = (0..AT_ONCE)
            .map(|n| {
                let mark = format!("hung-up-{wave}-{n}");
                let wallet = format!("hot-{}", n % 6);
                let action = Action::Credit { wallet, amount: AMOUNT };
                let command = Arc::new(Command { mark, action, keyed: true, if_match: None });
                let (address, shared) = (address.clone(), Arc::clone(&trial.load.shared));
                async move {
                    let invoked = shared.history.now();
                    sends_and_hangs_up(&address, &command.request(), n).await;
                    let told = Outcome::Unknown("hung up".to_owned());
                    shared.history.note(Asked::Command(command), invoked, told);
                }
            })
            .collect();
        clients.join_all().await;
        trial.injections += AT_ONCE as u64;
    }
    trial.recovers().await;
    trial.finish().await.map(Ran::Done)
}

/// Sends a request, or a part of it, and goes without having read a byte.
async fn sends_and_hangs_up(address: &str, request: &[u8], n: usize) {
    let Ok(mut socket) = connect(address).await else { return };
    let sent = match n % 6 {
        0 => &request[..request.len() - 3],
        1 => &request[..request.len() / 3],
        _ => request,
    };
    // The server may have hung up on us by then, which is as well.
    socket.write_all(sent).await.ok();
    if n.is_multiple_of(2) {
        // Gone with a reset instead of a farewell.
        socket.set_zero_linger().ok();
    }
}

/// Row 22.
pub(crate) async fn slow(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    let address = trial.stand.servers[0].address().to_owned();
    let body = "POST /wallets HTTP/1.1\r\nHost: wallex\r\nContent-Type: application/json\r\n\
                Content-Length: 40\r\n\r\n{\"ownerId\":";
    let kinds =
        [("silent", ""), ("slow head", "POST /wallets HTTP/1.1\r\nHost: w"), ("slow body", body)];
    let began = Instant::now();
    let sockets: JoinSet<_> = kinds
        .into_iter()
        .flat_map(|kind| std::iter::repeat_n(kind, SLOW))
        .map(|(kind, text)| {
            let address = address.clone();
            async move { (kind, is_closed(&address, text).await.unwrap_or(false)) }
        })
        .collect();
    for (kind, closed) in sockets.join_all().await {
        trial.injections += 1;
        if !closed {
            trial
                .findings
                .add("slow client", format!("{kind}: not closed after {:.0?}", began.elapsed()));
        }
    }
    trial.recovers().await;
    trial.finish().await.map(Ran::Done)
}

/// Sends `text`, and then nothing more; whether the server ends it. One that could not be opened was not ended.
async fn is_closed(address: &str, text: &str) -> Result<bool> {
    let mut socket = connect(address).await?;
    socket.write_all(text.as_bytes()).await?;
    let mut answer = Vec::new();
    Ok(timeout(CLOSED_MAX, read_to_end(&mut socket, &mut answer)).await.is_ok())
}

async fn read_to_end(socket: &mut TcpStream, answer: &mut Vec<u8>) {
    socket.read_to_end(answer).await.ok();
}

/// Row 24.
pub(crate) async fn many(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    let address = trial.stand.servers[0].address().to_owned();
    let wanted = trial.scale.sockets;
    let mut sockets = Vec::with_capacity(wanted);
    while sockets.len() < wanted {
        let opening: JoinSet<_> = (0..AT_ONCE)
            .map(|_| {
                let address = address.clone();
                async move { connect(&address).await }
            })
            .collect();
        let opened = opening.join_all().await;
        sockets.extend(opened.into_iter().flatten());
        trial.injections += AT_ONCE as u64;
        if trial.injections >= 2 * wanted as u64 {
            trial.findings.add("connections", format!("{} of {wanted} were opened", sockets.len()));
            break;
        }
    }
    check_live(&mut trial, &address).await;
    // Every one of them asks; each is served, refused, or closed.
    let answers: JoinSet<bool> = sockets.into_iter().map(asks).collect();
    let unanswered = answers.join_all().await.into_iter().filter(|answered| !answered).count();
    if unanswered > 0 {
        trial.findings.add("connections", format!("{unanswered} hang"));
    }
    trial.recovers().await;
    trial.finish().await.map(Ran::Done)
}

/// Whether an answer, or an end, comes.
async fn asks(mut socket: TcpStream) -> bool {
    let request = b"GET /wallets/hot-0 HTTP/1.1\r\nHost: wallex\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.ok();
    let mut answer = Vec::new();
    timeout(CLOSED_MAX, read_to_end(&mut socket, &mut answer)).await.is_ok()
}

/// A client that comes now is answered, or told to come back, and `/livez` says 200.
pub(crate) async fn check_live(trial: &mut Trial, address: &str) {
    let request = b"GET /livez HTTP/1.1\r\nHost: wallex\r\n\r\n";
    let mut connection = crate::http::Connection::default();
    let asked = timeout(LIVE_MAX, connection.exchange(address, request)).await;
    match asked {
        Ok(Ok(reply)) if reply.status == 200 => {}
        told => trial.findings.add("livez", format!("{told:?}")),
    }
}
