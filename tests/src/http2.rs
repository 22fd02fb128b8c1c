//! HTTP/2, which is spoken over TLS alone: many requests on one connection, with the same limits.

use std::sync::Arc;
use std::time::Duration;

use h2::client::{Builder, SendRequest};
use http::{Request, Response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wallex_testkit::{Server, ServerBuilder, TempDatabase, on_both_databases};

use crate::certificates::{Authority, Files};
use crate::support::create;

on_both_databases!(
    many_requests_share_a_connection,
    heads_are_as_large_as_they_may_be_and_no_larger,
    client_that_takes_no_answers_is_cut_off,
    idle_connection_is_closed,
);

/// Far more than any timeout here.
const WITHIN: Duration = Duration::from_secs(100);
/// More than a server lets one connection ask for at once, refusals included.
const FLOOD: usize = 3_000;

/// A connection, and what becomes of it.
struct Connection {
    requests: SendRequest<bytes::Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    async fn open(server: &Server, authority: &Authority, settings: &mut Builder) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(server.address()).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::new(tls));
        let stream = connector.connect(name, socket).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (requests, connection) =
            settings.handshake::<_, bytes::Bytes>(stream).await.expect("HTTP/2");
        Self { requests, ended: tokio::spawn(connection) }
    }

    async fn get(&self, request: Request<()>) -> Result<Response<h2::RecvStream>, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        requests.send_request(request, true)?.0.await
    }
}

fn of(path: &str) -> http::request::Builder {
    Request::get(format!("https://localhost{path}"))
}

async fn start(database: &TempDatabase) -> (Server, Authority, Files) {
    start_with(database, "WALLEX_LOG", "warn,wallex::serve=info").await
}

async fn start_with(
    database: &TempDatabase,
    setting: &str,
    value: &str,
) -> (Server, Authority, Files) {
    let authority = Authority::new("ours");
    let files = Files::of(&authority);
    let builder = files.on(ServerBuilder::on(database)).env(setting, value);
    let server = builder.over(authority.client().build().expect("a client")).start().await;
    (server, authority, files)
}

async fn many_requests_share_a_connection(database: TempDatabase) {
    let (server, authority, _files) = start(&database).await;
    create(server.client(), "w", 7).await;
    let connection =
        Connection::open(&server, &authority, Builder::new().initial_max_send_streams(500)).await;
    let asking: JoinSet<_> = (0..300)
        .map(|_| {
            let requests = connection.requests.clone();
            async move {
                let mut requests = requests.ready().await.expect("room");
                let request = of("/wallets/w").body(()).expect("a request");
                let answer = requests.send_request(request, true).expect("sent").0;
                let (head, mut body) = answer.await.expect("an answer").into_parts();
                let body = body.data().await.expect("a body").expect("a body");
                (head.status.as_u16(), body)
            }
        })
        .collect();
    for (status, body) in asking.join_all().await {
        assert_eq!(status, 200);
        assert!(body.windows(11).any(|text| text == b"\"balance\":7"), "{body:?}");
    }
}

async fn heads_are_as_large_as_they_may_be_and_no_larger(database: TempDatabase) {
    let (server, authority, _files) = start(&database).await;
    let connection = Connection::open(&server, &authority, &mut Builder::new()).await;
    let with = |bytes: usize| of("/livez").header("x-large", "x".repeat(bytes)).body(());
    for (bytes, status) in [(10_000, 200), (17_000, 431), (70_000, 431)] {
        let answer = connection.get(with(bytes).expect("a request")).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{bytes}");
    }
    let long = of(&format!("/wallets/{}", "x".repeat(5_000))).body(()).expect("a request");
    assert_eq!(connection.get(long).await.expect("an answer").status().as_u16(), 414);
}

async fn client_that_takes_no_answers_is_cut_off(database: TempDatabase) {
    let (server, authority, _files) = start(&database).await;
    let before = server.resident_bytes();
    let connection = Connection::open(
        &server,
        &authority,
        Builder::new().initial_window_size(0).initial_max_send_streams(10_000),
    )
    .await;
    let mut unread = Vec::new();
    for _ in 0..FLOOD {
        let Ok(mut requests) = connection.requests.clone().ready().await else { break };
        let request = of("/openapi.json").body(()).expect("a request");
        match requests.send_request(request, true) {
            Ok((answer, _)) => unread.push(answer),
            Err(_) => break,
        }
    }
    timeout(WITHIN, connection.ended).await.expect("it is cut off").expect("no panic").ok();
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 256 << 20, "it held {grown} bytes");
    server.client().get("/livez").await.is(200);
    let metrics = server.client().get("/metrics").await.text;
    assert!(metrics.contains("wallex_http_connections_cut_total{reason=\"flood\"} 1"), "{metrics}");
}

async fn idle_connection_is_closed(database: TempDatabase) {
    let (server, authority, _files) =
        start_with(&database, "WALLEX_HTTP_KEEP_ALIVE_MS", "2000").await;
    let connection = Connection::open(&server, &authority, &mut Builder::new()).await;
    let request = of("/livez").body(()).expect("a request");
    assert_eq!(connection.get(request).await.expect("an answer").status().as_u16(), 200);
    timeout(WITHIN, connection.ended).await.expect("it is closed").expect("no panic").ok();
}
