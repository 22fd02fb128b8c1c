//! A TCP proxy of our own between the server and PostgreSQL: a network that can be broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{TempDatabase, eventually};

const CHUNK_BYTES: usize = 16 * 1024;
/// What a client sends to have a batch committed, or projected, is longer than a question.
const WRITE_BYTES_MIN: usize = 700;

/// What the network is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// As it should.
    Up,
    /// Every piece of data takes so long.
    Slow(Duration),
    /// Connections stay open, and nothing goes through them. When it ends, they are reset.
    HalfOpen,
    /// Connections are reset, and new ones refused.
    Cut,
    /// Nothing goes ever again through the connections that there are, and nobody is told.
    Forgotten,
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    network: watch::Sender<Network>,
    wires: Arc<Wires>,
    accepting: JoinHandle<()>,
}

/// What all connections share.
#[derive(Debug, Default)]
struct Wires {
    /// Directions of connections that were forgotten.
    forgotten: AtomicUsize,
    /// Connections there are.
    open: AtomicUsize,
    /// So many connections are still to lose their next answer.
    to_swallow: AtomicU32,
    swallowed: AtomicU64,
}

impl Proxy {
    /// A way to the server at `port` of this machine.
    ///
    /// # Errors
    /// When there is no port for it.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a port for the proxy")?;
        let own = listener.local_addr()?.port();
        let (network, seen) = watch::channel(Network::Up);
        let wires = Arc::new(Wires::default());
        let accepting = tokio::spawn(accept(listener, port, seen, Arc::clone(&wires)));
        Ok(Self { port: own, network, wires, accepting })
    }

    /// A way to the PostgreSQL server of `database`, and the database by that way.
    ///
    /// # Panics
    /// When it is none, or there is no port for the proxy.
    pub async fn before(database: &TempDatabase) -> (Self, TempDatabase) {
        let mut url = reqwest::Url::parse(database.url()).expect("a database's URL");
        let port = url.port().expect("a server with a port");
        let proxy = Self::to(port).await.expect("a proxy");
        url.set_port(Some(proxy.port())).expect("a URL with a host");
        (proxy, TempDatabase::at(url))
    }

    /// Where it listens, on this machine.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes the network be so from now on.
    pub fn is(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Resets every connection there is, and lets new ones through. What was asked on them is done, or is
    /// not, and nobody is told.
    ///
    /// # Panics
    /// When one does not end.
    pub async fn reset(&self) {
        self.is(Network::Cut);
        let open = async || (self.wires.open.load(Ordering::SeqCst) == 0).then_some(());
        eventually("all connections are reset", open).await;
        self.is(Network::Up);
    }

    /// Forgets every connection there is, as a router does that is restarted, and lets new ones through.
    ///
    /// # Panics
    /// When one is not forgotten.
    pub async fn forget(&self) {
        self.is(Network::Forgotten);
        let all = async || {
            let open = self.wires.open.load(Ordering::SeqCst);
            (self.wires.forgotten.load(Ordering::SeqCst) == 2 * open).then_some(())
        };
        eventually("all connections are forgotten", all).await;
        self.is(Network::Up);
    }

    /// Lets the next `answers` to what looks like a write vanish, each with its connection: what was
    /// asked is done, and nobody is told.
    pub fn swallow(&self, answers: u32) {
        self.wires.to_swallow.store(answers, Ordering::SeqCst);
    }

    /// How many answers vanished.
    #[must_use]
    pub fn swallowed(&self) -> u64 {
        self.wires.swallowed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Wires {
    /// Carries nothing any more, and never ends.
    async fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }

    /// Whether an answer that came is to vanish.
    fn swallows(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        let took = self.to_swallow.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        self.swallowed.fetch_add(u64::from(took), Ordering::SeqCst);
        took
    }
}

async fn accept(
    listener: TcpListener,
    port: u16,
    network: watch::Receiver<Network>,
    wires: Arc<Wires>,
) {
    while let Ok((client, _)) = listener.accept().await {
        // Dropped at once, it is refused.
        if *network.borrow() != Network::Cut {
            tokio::spawn(connect(client, port, network.clone(), Arc::clone(&wires)));
        }
    }
}

async fn connect(
    client: TcpStream,
    port: u16,
    network: watch::Receiver<Network>,
    wires: Arc<Wires>,
) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    wires.open.fetch_add(1, Ordering::SeqCst);
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether what was asked last is a write.
    let writes = AtomicBool::new(false);
    let asking = pump(from_client, to_server, network.clone(), &wires, |length| {
        writes.store(length >= WRITE_BYTES_MIN, Ordering::SeqCst);
        false
    });
    let answering = pump(from_server, to_client, network, &wires, |_| {
        writes.load(Ordering::SeqCst) && wires.swallows()
    });
    // When one direction ends, both do.
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
    wires.open.fetch_sub(1, Ordering::SeqCst);
}

/// Carries what comes, but for what `swallows` takes, by its length: the connection ends with that.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
    wires: &Wires,
    swallows: impl Fn(usize) -> bool,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read,
            changed = network.changed() => {
                let now = *network.borrow_and_update();
                if changed.is_err() || now == Network::Cut {
                    return;
                }
                if now == Network::Forgotten {
                    return wires.forget().await;
                }
                continue;
            }
        };
        let Ok(length @ 1..) = read else { return };
        let now = *network.borrow();
        match now {
            Network::Up => {}
            Network::Slow(delay) => tokio::time::sleep(delay).await,
            Network::HalfOpen => {
                // What is under way is lost, and so is the connection once that is noticed.
                network.changed().await.ok();
                return;
            }
            Network::Cut => return,
            Network::Forgotten => return wires.forget().await,
        }
        if swallows(length) {
            return;
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
