//! TLS: nothing else gets in, certificates change under way, and mistakes are said.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wallex_testkit::{Client, Server, ServerBuilder, TempDatabase, eventually, on_both_databases};

use crate::certificates::{Authority, Files, trusting};
use crate::support::{balance, create};

on_both_databases!(
    https_is_served_and_nothing_else,
    changed_certificates_are_used_and_open_connections_go_on,
    clients_need_a_certificate_where_one_is_asked_for,
    silent_handshakes_are_closed,
);

async fn start(files: &Files, authority: &Authority, database: &TempDatabase) -> Server {
    let client = authority.client().build().expect("a client");
    files.on(ServerBuilder::on(database)).over(client).start().await
}

/// Whether a new connection with `http` gets an answer.
async fn reaches(server: &Server, http: reqwest::Client) -> bool {
    Client::over(server.client().base(), http).get("/livez").try_send().await.is_ok()
}

async fn https_is_served_and_nothing_else(database: TempDatabase) {
    let authority = Authority::new("ours");
    let files = Files::of(&authority);
    let builder = files.on(ServerBuilder::on(&database)).env("WALLEX_LOG", "trace");
    let server = builder.over(authority.client().build().expect("a client")).start().await;
    assert!(server.client().base().starts_with("https://"), "{}", server.client().base());
    create(server.client(), "w", 5).await;
    assert_eq!(balance(server.client(), "w").await, 5);
    let answer = server.client().get("/wallets/w").await;
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));

    let stranger = Authority::new("a stranger").client().build().expect("a client");
    assert!(!reaches(&server, stranger).await, "the certificate is not a stranger's");

    let mut plain = TcpStream::connect(server.address()).await.expect("a connection");
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: wallex\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let closed = timeout(Duration::from_secs(30), plain.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "plain HTTP is closed, and does not hang");
    assert!(!answer.starts_with(b"HTTP"), "nothing is served without TLS");

    let metrics = server.client().get("/metrics").await.text;
    let expiry = "wallex_tls_certificate_expiry_timestamp_seconds 4070908800";
    assert!(metrics.contains(expiry), "{metrics}");
    let key = std::fs::read_to_string(files.path("tls.key")).expect("the key");
    let secret = key.lines().nth(1).expect("a line of the key");
    assert!(!server.logs().contains(secret), "the key is never logged");
}

async fn changed_certificates_are_used_and_open_connections_go_on(database: TempDatabase) {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::of(&old);
    let server = start(&files, &old, &database).await;
    let client = server.client();
    create(client, "w", 1).await;

    files.replace(new.issue());
    let trusting_new = || new.client().build().expect("a client");
    eventually("the new certificate is used", async || {
        reaches(&server, trusting_new()).await.then_some(())
    })
    .await;
    assert!(!reaches(&server, old.client().build().expect("a client")).await, "only the new");
    // It trusts only the old one, so it still has its first connection.
    assert_eq!(balance(client, "w").await, 1);

    for (what, file, content) in [
        ("a key of another certificate", "tls.key", new.issue().1),
        ("half a certificate", "tls.crt", new.issue().0[..200].to_owned()),
        ("nothing", "tls.crt", String::new()),
    ] {
        let said = server.logs().matches("the old stay").count();
        files.write(file, &content);
        server.hang_up();
        eventually("a warning", async || {
            (server.logs().matches("the old stay").count() > said).then_some(())
        })
        .await;
        assert!(reaches(&server, trusting_new()).await, "the old stay after {what}");
    }
    std::fs::remove_file(files.path("tls.crt")).expect("removed");
    server.hang_up();
    eventually("a warning", async || server.logs().contains("can't read").then_some(())).await;
    assert!(reaches(&server, trusting_new()).await, "the old stay when a file is gone");

    let newest = Authority::new("newest");
    files.replace(newest.issue());
    eventually("what is in order again is used", async || {
        reaches(&server, newest.client().build().expect("a client")).await.then_some(())
    })
    .await;
    assert_eq!(balance(client, "w").await, 1, "and the first connection goes on");
}

async fn clients_need_a_certificate_where_one_is_asked_for(database: TempDatabase) {
    let (ours, clients, others) =
        (Authority::new("ours"), Authority::new("clients"), Authority::new("others"));
    let files = Files::of(&ours);
    let builder = files.for_clients_of(&clients, ServerBuilder::on(&database));
    let server = builder.over(ours.client_of(&clients)).start().await;
    create(server.client(), "w", 3).await;
    assert!(!reaches(&server, ours.client().build().expect("a client")).await, "none");
    assert!(!reaches(&server, ours.client_of(&others)).await, "one of another authority");
    assert!(!reaches(&server, ours.client_of(&ours)).await, "one of the server's authority");

    files.write("clients.crt", others.pem());
    eventually("the new authority is trusted", async || {
        reaches(&server, ours.client_of(&others)).await.then_some(())
    })
    .await;
    assert!(!reaches(&server, ours.client_of(&clients)).await, "the old one no longer is");
}

async fn silent_handshakes_are_closed(database: TempDatabase) {
    let authority = Authority::new("ours");
    let files = Files::of(&authority);
    let builder = files.on(ServerBuilder::on(&database));
    let builder = builder.env("WALLEX_TLS_HANDSHAKE_TIMEOUT_MS", "300");
    let server = builder.over(authority.client().build().expect("a client")).start().await;
    // Nothing, and the beginning of a greeting.
    for begin in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut socket = TcpStream::connect(server.address()).await.expect("a connection");
        socket.write_all(begin).await.expect("sent");
        let closed = timeout(Duration::from_secs(30), socket.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "{begin:?}");
    }
    assert!(reaches(&server, trusting(&[&authority]).build().expect("a client")).await);
}

/// Starts a server that must not start, and returns what it says.
async fn complaint(builder: ServerBuilder) -> String {
    let mut server = builder.env("DATABASE_URL", "sqlite://nowhere/wallex.db").spawn();
    let status = server.wait().await;
    assert_eq!(status.code(), Some(1), "{}", server.logs());
    server.logs()
}

#[test]
fn mistakes_in_files_stop_the_start_and_are_named() {
    wallex_testkit::block_on(async {
        let authority = Authority::new("ours");
        let files = Files::of(&authority);
        let key = std::fs::read_to_string(files.path("tls.key")).expect("the key");
        let certificate = std::fs::read_to_string(files.path("tls.crt")).expect("a certificate");
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let other_key = authority.issue().1;
        let damaged = certificate.replace("MII", "AAA");
        for (name, content, expected) in [
            ("tls.crt", "", "tls.crt (WALLEX_TLS_CERT) holds no certificate"),
            ("tls.crt", &*key, "tls.crt (WALLEX_TLS_CERT) holds no certificate"),
            ("tls.crt", &*damaged, "tls.crt (WALLEX_TLS_CERT) holds a certificate that can't be"),
            ("tls.key", "", "tls.key (WALLEX_TLS_KEY) holds no private key"),
            ("tls.key", &*certificate, "tls.key (WALLEX_TLS_KEY) holds no private key"),
            ("tls.key", &*encrypted, "an encrypted one can't be used"),
            ("tls.key", &*other_key, "does not belong to the certificate in"),
        ] {
            files.write("tls.crt", &certificate);
            files.write("tls.key", &key);
            files.write(name, content);
            let said = complaint(files.on(ServerBuilder::new(&[]))).await;
            assert!(said.contains(expected), "{name}: {said}");
            let secret = other_key.lines().nth(1).expect("a line of the key");
            assert!(!said.contains(secret), "{said}");
        }
        for name in ["tls.crt", "tls.key"] {
            files.write("tls.crt", &certificate);
            files.write("tls.key", &key);
            std::fs::remove_file(files.path(name)).expect("removed");
            let said = complaint(files.on(ServerBuilder::new(&[]))).await;
            assert!(said.contains("can't read") && said.contains(name), "{said}");
        }
        let said = complaint(ServerBuilder::new(&[]).env("WALLEX_TLS_CERT", "tls.crt")).await;
        assert!(said.contains("set WALLEX_TLS_KEY, too"), "{said}");
        let said = complaint(ServerBuilder::new(&[]).env("WALLEX_TLS_CLIENT_CA", "ca.crt")).await;
        assert!(said.contains("set WALLEX_TLS_CERT and WALLEX_TLS_KEY, too"), "{said}");
    });
}

#[test]
fn expired_certificate_is_a_warning() {
    wallex_testkit::block_on(async {
        let authority = Authority::new("ours");
        let files = Files::of(&authority);
        files.replace(authority.issue_until(2001));
        let builder = files.on(ServerBuilder::new(&[])).current_dir(files.folder());
        let server = builder.start_unready().await;
        assert!(server.logs().contains("has expired"), "{}", server.logs());
    });
}
