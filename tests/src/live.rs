//! `GET /admin/live`: the stream of what a server does, over a real connection.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wallex_testkit::{ApiKey, Server, ServerBuilder, TempDatabase, on_both_databases, run_wallex};

use crate::support::create;

on_both_databases!(
    a_stream_that_is_read_outlives_every_timeout,
    a_stream_does_not_hold_the_server_up_that_stops,
    a_stream_ends_with_its_key,
);

/// Far more than anything here takes.
const WITHIN: Duration = Duration::from_secs(60);

/// A stream that is being read; what comes is taken for text without its chunks' heads.
struct Stream {
    socket: TcpStream,
    text: String,
}

impl Stream {
    async fn open(server: &Server, headers: &str) -> Self {
        let mut socket = TcpStream::connect(server.address()).await.expect("a connection");
        let request = format!("GET /admin/live HTTP/1.1\r\nHost: wallex\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut stream = Self { socket, text: String::new() };
        let head = loop {
            if let Some((head, _)) = stream.text.split_once("\r\n\r\n") {
                break head.to_owned();
            }
            assert!(stream.read().await, "it goes on");
        };
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        stream
    }

    /// Whether there was more.
    async fn read(&mut self) -> bool {
        let mut part = vec![0; 16 * 1024];
        let read = timeout(WITHIN, self.socket.read(&mut part)).await.expect("something comes");
        let read = read.unwrap_or(0);
        self.text += std::str::from_utf8(&part[..read]).expect("text");
        read > 0
    }

    /// The data of the next event of that name. A stream says something for ever, so all of it is bounded.
    async fn until(&mut self, wanted: &str) -> Value {
        let begin = format!("event: {wanted}\ndata: ");
        let looking = async {
            loop {
                if let Some((_, rest)) = self.text.split_once(&begin)
                    && let Some((data, rest)) = rest.split_once("\n\n")
                {
                    let data = serde_json::from_str(data).expect("JSON");
                    self.text = rest.to_owned();
                    return data;
                }
                assert!(self.read().await, "it goes on, and not so: {}", self.text);
            }
        };
        timeout(WITHIN, looking).await.unwrap_or_else(|_| panic!("{wanted} comes"))
    }

    /// The first projector of the next sample in which it is so.
    async fn projector(&mut self, is_so: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let projector = &self.until("sample").await["projectors"][0];
                if is_so(projector) {
                    return projector.clone();
                }
            }
        };
        timeout(WITHIN, looking).await.expect("such a projector comes")
    }

    /// Reads on until the connection is closed.
    async fn end(&mut self) {
        let reading = async { while self.read().await {} };
        timeout(WITHIN, reading).await.expect("it is closed");
    }
}

async fn a_stream_that_is_read_outlives_every_timeout(database: TempDatabase) {
    let short = [
        "WALLEX_HTTP_HEAD_TIMEOUT_MS",
        "WALLEX_HTTP_BODY_TIMEOUT_MS",
        "WALLEX_HTTP_WRITE_TIMEOUT_MS",
        "WALLEX_HTTP_KEEP_ALIVE_MS",
    ];
    let builder = ServerBuilder::on(&database);
    let server = short.into_iter().fold(builder, |it, name| it.env(name, "500")).start().await;
    let mut stream = Stream::open(&server, "").await;
    stream.until("history").await;
    create(server.client(), "w", 1).await;
    server.client().post("/wallets/w/credit", &json!({ "amount": 1 })).await.is(200);
    let (mut creates, mut movements, mut told) = (0.0, 0.0, false);
    let began = Instant::now();
    while creates == 0.0 || movements == 0.0 || !told || began.elapsed().as_secs() < 4 {
        assert!(began.elapsed() < WITHIN, "{creates} {movements} {told}");
        let sample = stream.until("sample").await;
        creates += sample["createsPerS"].as_f64().expect("a figure");
        movements += sample["movementsPerS"].as_f64().expect("a figure");
        told |= sample["projectors"][0]["position"] == 2 && sample["outbox"]["lagEvents"] == 0;
    }
    // Who comes later learns what was.
    let history = Stream::open(&server, "").await.until("history").await;
    let samples = history.as_array().expect("a list");
    assert!(samples.len() >= 4, "{}", samples.len());
    assert!(samples.iter().any(|sample| sample["createsPerS"].as_f64() > Some(0.0)));
    assert!(samples.is_sorted_by_key(|sample| sample["at"].as_str().expect("a time").to_owned()));
}

async fn a_stream_does_not_hold_the_server_up_that_stops(database: TempDatabase) {
    // So long that a test which waits for it does not pass.
    let builder = ServerBuilder::on(&database).env("WALLEX_SHUTDOWN_TIMEOUT_MS", "3600000");
    let mut server = builder.start().await;
    let mut stream = Stream::open(&server, "").await;
    let _unread = Stream::open(&server, "").await;
    stream.until("sample").await;
    server.terminate();
    assert_eq!(stream.until("end").await, json!({ "reason": "shutting-down" }));
    assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
    stream.end().await;
}

async fn a_stream_ends_with_its_key(database: TempDatabase) {
    let key = ApiKey::create(&database, "acme", "metrics:read", &[]).await;
    let other = ApiKey::create(&database, "acme", "metrics:read", &[]).await;
    let operator = ApiKey::create(&database, "default", "admin", &[]).await;
    let server = Server::start(&database).await;
    server.client().get("/admin/live").await.is_problem(401, "unauthenticated");
    let header = |key: &ApiKey| format!("Authorization: Bearer {}\r\n", key.bearer);
    let mut stream = Stream::open(&server, &header(&key)).await;
    let mut others = Stream::open(&server, &header(&other)).await;
    let mut operators = Stream::open(&server, &header(&operator)).await;
    operators.projector(|projector| projector["holder"].is_string()).await;
    let projector = stream.projector(Value::is_object).await;
    assert_eq!(projector["holder"], Value::Null, "that is for operators");
    run_wallex(&database, &["keys", "revoke", &key.id]).await;
    assert_eq!(stream.until("end").await, json!({ "reason": "unauthenticated" }));
    // The last chunk has nothing in it; the connection may be used again.
    while !stream.text.ends_with("\r\n0\r\n\r\n") {
        assert!(stream.read().await, "it ends: {}", stream.text);
    }
    others.text.clear();
    others.until("sample").await;
}
