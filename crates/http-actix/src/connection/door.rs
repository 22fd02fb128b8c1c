//! Who is let in: a place among the connections of the address, then the TLS handshake.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use actix_http::error::DispatchError;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Tls;
use super::guarded::{Guarded, Timeouts};
use super::peers::Peers;
use super::tls::HTTP_2;
use super::transport::Transport;
use super::watch::Watch;
use crate::metric_names::CONNECTIONS_CUT;
use crate::server::ServerSettings;

/// What stands between the listener and HTTP. Clones share one.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    tls: Option<Tls>,
    handshake_timeout: Duration,
    timeouts: Timeouts,
    peers: Arc<Peers>,
}

impl Door {
    pub(crate) fn new(settings: &ServerSettings, tls: Option<Tls>) -> Self {
        Self {
            tls,
            handshake_timeout: settings.tls_handshake_timeout,
            timeouts: Timeouts {
                head: settings.client_request_timeout,
                write: settings.write_timeout,
                idle: settings.keep_alive,
            },
            peers: Peers::new(settings.max_connections_per_peer),
        }
    }

    /// The connection on `socket`, ready for HTTP.
    ///
    /// # Errors
    /// When it is one too many, or no TLS comes about; then it is closed.
    pub(crate) async fn admit(
        self,
        socket: TcpStream,
    ) -> Result<(Guarded, Protocol, Option<SocketAddr>), DispatchError> {
        let peer = socket.peer_addr()?;
        let Some(place) = self.peers.enter(peer.ip()) else {
            return Err(cut("peer_limit", peer, "too many connections from one address").into());
        };
        let Some(tls) = &self.tls else {
            let watch = Watch::new(false, false);
            let guarded = Guarded::new(Transport::Plain(socket), watch, self.timeouts, place);
            return Ok((guarded, Protocol::Http1, Some(peer)));
        };
        // Its records are more than one write: none should wait for what is behind it.
        socket.set_nodelay(true)?;
        let handshake = TlsAcceptor::from(tls.current()).accept(socket);
        let stream = match timeout(self.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(cut("tls_handshake", peer, &error.to_string()).into()),
            Err(_) => return Err(cut("slow_handshake", peer, "the handshake is slow").into()),
        };
        let multiplexed = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        let protocol = if multiplexed { Protocol::Http2 } else { Protocol::Http1 };
        let watch = Watch::new(true, multiplexed);
        let guarded = Guarded::new(Transport::Tls(Box::new(stream)), watch, self.timeouts, place);
        Ok((guarded, protocol, Some(peer)))
    }
}

/// Notes a connection that did not get in, and why.
fn cut(reason: &'static str, peer: SocketAddr, error: &str) -> io::Error {
    metrics::counter!(CONNECTIONS_CUT, "reason" => reason).increment(1);
    tracing::debug!(client.address = %peer.ip(), reason, error, "connection refused");
    io::Error::new(io::ErrorKind::ConnectionAborted, reason)
}
