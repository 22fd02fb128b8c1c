//! The stream of what the server does.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use tokio::time::{Instant, timeout};
use wallex_ports::AccessScope::{Admin, MetricsRead};

use super::*;

/// Far more than anything here takes.
const WITHIN: Duration = Duration::from_secs(60);

/// A stream that is being read.
struct Stream {
    body: Pin<Box<BoxBody>>,
    text: String,
}

impl Stream {
    async fn open(harness: &Harness, bearer: Option<&str>) -> (Self, Client) {
        let (state, lane) = harness.state();
        let app = init_service(app(State::with_api(state))).await;
        let mut request = TestRequest::get().uri("/admin/live");
        if let Some(bearer) = bearer {
            request = request.insert_header(("Authorization", format!("Bearer {bearer}")));
        }
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers().get(name).cloned().expect("it is there");
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store");
        let response: ServiceResponse<BoxBody> = response.map_into_boxed_body();
        let stream = Self { body: Box::pin(response.into_body()), text: String::new() };
        let app = Rc::new(app);
        let call = move |request: TestRequest| {
            let app = app.clone();
            let reply = async move {
                let response = app.call(request.to_request()).await.expect("an answer");
                let status = response.status().as_u16();
                let headers = response.headers().clone();
                let body = to_bytes(response.into_body()).await.ok().expect("a whole body");
                Reply { status, headers, text: String::from_utf8(body.to_vec()).expect("text") }
            };
            Box::pin(reply) as Replying
        };
        (stream, Client { call: Box::new(call), lane })
    }

    /// The next event and its data; `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.to_owned();
                self.text = rest.to_owned();
                // A comment is no event.
                if let Some((name, data)) = event.split_once('\n') {
                    let name = name.strip_prefix("event: ").expect("a name");
                    let data = data.strip_prefix("data: ").expect("data");
                    return Some((name.to_owned(), serde_json::from_str(data).expect("JSON")));
                }
            }
            let part = std::future::poll_fn(|cx| self.body.as_mut().poll_next(cx));
            match timeout(WITHIN, part).await.expect("something comes") {
                Some(part) => {
                    self.text += std::str::from_utf8(&part.expect("a part")).expect("text")
                }
                None => return None,
            }
        }
    }

    /// The next event of that name.
    async fn until(&mut self, wanted: &str) -> Value {
        loop {
            let (name, data) = self.next().await.expect("it goes on");
            if name == wanted {
                return data;
            }
        }
    }
}

/// Nothing here waits for the clock: it goes as fast as nothing else is to be done.
fn hurry() {
    tokio::time::pause();
}

#[actix_web::test]
async fn what_happens_is_told_each_second() {
    hurry();
    let harness = Harness::new();
    let (mut stream, client) = Stream::open(&harness, None).await;
    let (name, history) = stream.next().await.expect("the first event");
    assert_eq!((name.as_str(), history.as_array().map(Vec::len)), ("history", Some(0)));
    client.open("w-1", 1).await;
    client.post("/wallets/w-1/credit", &json!({"amount": 1})).await;
    client.get("/wallets/nobody").await.problem(404, "wallet-not-found");
    let (mut creates, mut movements, mut refused) = (0.0, 0.0, 0.0);
    for _ in 0..2 {
        let sample = stream.until("sample").await;
        let figure = |name: &str| sample[name].as_f64().expect("a figure");
        creates += figure("createsPerS");
        movements += figure("movementsPerS");
        refused += figure("refusedPerS");
        assert_eq!(sample["at"], "2026-01-01T00:00:00.007Z");
        assert_eq!(sample["lane"]["queued"], 0);
        if figure("createsPerS") > 0.0 {
            assert!(sample["latencyMs"]["p99"].as_f64().is_some());
        }
    }
    assert!(creates > 0.0 && movements > 0.0 && refused > 0.0, "{creates} {movements} {refused}");
    let sample = loop {
        let sample = stream.until("sample").await;
        if !sample["projectors"].is_null() {
            break sample;
        }
    };
    assert_eq!(sample["outbox"], json!({"lagEvents": 2, "lagAgeMs": 1500}));
    assert_eq!(sample["projectors"][0]["name"], "ledger");
    assert_eq!(sample["projectors"][0]["lagEvents"], 2);
}

#[actix_web::test]
async fn a_database_that_does_not_tell_leaves_the_rest_standing() {
    hurry();
    let harness = Harness::new();
    let (mut stream, _client) = Stream::open(&harness, None).await;
    harness.steered.away.store(true, Ordering::SeqCst);
    let unavailable = stream.until("unavailable").await;
    assert_eq!(unavailable["parts"], json!(["outbox", "projectors"]));
    let sample = stream.until("sample").await;
    assert_eq!((&sample["projectors"], &sample["outbox"]), (&Value::Null, &Value::Null));
    assert_eq!(sample["requestsPerS"].as_f64().map(|_| ()), Some(()));
    harness.steered.away.store(false, Ordering::SeqCst);
    while stream.until("sample").await["projectors"].is_null() {}
}

#[actix_web::test]
async fn nobody_asks_the_database_for_nobody() {
    hurry();
    let harness = Harness::new();
    let (mut stream, client) = Stream::open(&harness, None).await;
    while stream.until("sample").await["projectors"].is_null() {}
    drop(stream);
    // A minute later it is asked no more; what was, is in the history of who comes then.
    tokio::time::sleep(Duration::from_secs(90)).await;
    let asked = harness.steered.asked.load(Ordering::SeqCst);
    assert!((60..=75).contains(&asked), "{asked}");
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(harness.steered.asked.load(Ordering::SeqCst), asked);
    drop(client);
}

#[actix_web::test]
async fn a_stream_ends_at_once_when_the_server_stops() {
    let harness = Harness::new();
    let (mut stream, client) = Stream::open(&harness, None).await;
    stream.next().await.expect("history");
    let began = Instant::now();
    harness.lifecycle.start_draining();
    assert_eq!(stream.until("end").await, json!({"reason": "shutting-down"}));
    assert_eq!(stream.next().await, None);
    assert!(began.elapsed() < WITHIN);
    client.get("/admin/live").await.problem(503, "shutting-down");
}

#[actix_web::test]
async fn a_stream_ends_soon_after_its_key() {
    hurry();
    let harness = Harness::new();
    harness.gate.know("scraper", "acme", &[MetricsRead]);
    harness.gate.know("other", "acme", &[MetricsRead]);
    let (mut stream, _client) = Stream::open(&harness, Some("scraper")).await;
    stream.until("sample").await;
    // While nobody can tell whether it is good, it is.
    harness.gate.away.store(true, Ordering::SeqCst);
    for _ in 0..10 {
        stream.until("sample").await;
    }
    harness.gate.away.store(false, Ordering::SeqCst);
    harness.gate.forget("scraper");
    assert_eq!(stream.until("end").await, json!({"reason": "unauthenticated"}));
    assert_eq!(stream.next().await, None);

    let (mut stream, _client) = Stream::open(&harness, Some("other")).await;
    harness.gate.know("other", "acme", &[]);
    assert_eq!(stream.until("end").await, json!({"reason": "forbidden"}));
}

#[actix_web::test]
async fn who_holds_a_projector_is_told_to_operators_alone() {
    hurry();
    let harness = Harness::new();
    harness.gate.know("operator", "default", &[Admin]);
    harness.gate.know("scraper", "default", &[MetricsRead]);
    for (bearer, is_told) in [("operator", true), ("scraper", false)] {
        let (mut stream, _client) = Stream::open(&harness, Some(bearer)).await;
        let projectors = loop {
            let sample = stream.until("sample").await;
            if !sample["projectors"].is_null() {
                break sample["projectors"].clone();
            }
        };
        assert_eq!(projectors[0]["lastError"].is_object(), is_told, "{bearer}");
    }
}

#[actix_web::test]
async fn listeners_are_bounded() {
    hurry();
    let harness = Harness::new();
    let (_first, client) = Stream::open(&harness, None).await;
    let client = Rc::new(client);
    let mut listening: Vec<_> = (0..63)
        .map(|_| {
            let client = client.clone();
            actix_web::rt::spawn(async move { client.get("/admin/live").await.status })
        })
        .collect();
    let refused = loop {
        let head = TestRequest::default().method(Method::HEAD).uri("/admin/live");
        assert_eq!(client.call(head).await.status, 200, "it takes no place");
        // Whoever comes in is one of those that listen.
        let another = client.clone();
        let mut another = actix_web::rt::spawn(async move { another.get("/admin/live").await });
        match timeout(Duration::from_secs(1), &mut another).await {
            Ok(reply) => break reply.expect("an answer"),
            Err(_) => listening.push(actix_web::rt::spawn(async move {
                another.await.expect("an answer").status
            })),
        }
    };
    refused.problem(503, "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    harness.lifecycle.start_draining();
}
