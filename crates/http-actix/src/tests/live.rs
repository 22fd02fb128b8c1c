//! The stream of what the server does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use tokio::time::timeout;
use wallex_ports::AccessScope::{Admin, MetricsRead};
use wallex_ports::{Clock, Timestamp};

use super::observed::Lines;
use super::*;
use crate::live::LISTENERS_MAX;

/// Far more than anything here takes.
const WITHIN: Duration = Duration::from_secs(60);
/// Far more events than are waited for anywhere here.
const EVENTS_MAX: usize = 500;

/// A stream that is being read.
struct Stream {
    body: Pin<Box<BoxBody>>,
    text: String,
}

impl Stream {
    async fn open(harness: &Harness, bearer: Option<&str>) -> (Self, Client) {
        Self::open_on(harness.state(), bearer).await
    }

    async fn open_on((state, lane): (ApiState, LaneTask), bearer: Option<&str>) -> (Self, Client) {
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
        for _ in 0..EVENTS_MAX {
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
            let part = timeout(WITHIN, part).await.expect("something comes")?;
            self.text += std::str::from_utf8(&part.expect("a part")).expect("text");
        }
        panic!("nothing but comments");
    }

    /// The next event of that name.
    async fn until(&mut self, wanted: &str) -> Value {
        for _ in 0..EVENTS_MAX {
            let (name, data) = self.next().await.expect("it goes on");
            if name == wanted {
                return data;
            }
        }
        panic!("no {wanted} among {EVENTS_MAX} events");
    }

    /// The next sample that is so.
    async fn sample(&mut self, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..EVENTS_MAX {
            let sample = self.until("sample").await;
            if is_so(&sample) {
                return sample;
            }
        }
        panic!("no such sample among {EVENTS_MAX}");
    }
}

fn has_projectors(sample: &Value) -> bool {
    sample["projectors"].is_array()
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
    let sample = stream.sample(has_projectors).await;
    assert_eq!(sample["outbox"], json!({"lagEvents": 2, "lagAgeMs": 1500}));
    assert_eq!(sample["projectors"][0]["name"], "ledger");
    assert_eq!(sample["projectors"][0]["lagEvents"], 2);
}

#[actix_web::test]
async fn a_database_that_does_not_tell_leaves_the_rest_standing() {
    hurry();
    let (lines, _guard) = Lines::of_this_thread();
    let said = || {
        let is_of_projectors = |line: &Value| line.to_string().contains("projectors");
        lines.take().into_iter().filter(is_of_projectors).count()
    };
    let harness = Harness::new();
    let (mut stream, client) = Stream::open(&harness, None).await;
    stream.sample(has_projectors).await;
    harness.steered.away.store(true, Ordering::SeqCst);
    let unavailable = stream.until("unavailable").await;
    assert_eq!(unavailable["parts"], json!(["outbox", "projectors"]));
    assert_eq!(client.get("/livez").await.status, 200);
    let sample = stream.sample(|sample| sample["requestsPerS"].as_f64() > Some(0.0)).await;
    assert_eq!((&sample["projectors"], &sample["outbox"]), (&Value::Null, &Value::Null));
    for _ in 0..10 {
        stream.until("unavailable").await;
    }
    assert_eq!(said(), 1, "not each second");
    harness.steered.away.store(false, Ordering::SeqCst);
    stream.sample(has_projectors).await;
    assert_eq!(said(), 1, "and once that it is well again");
}

/// A clock that panics when it is first looked at.
struct Broken(AtomicBool);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(self.0.swap(true, Ordering::SeqCst), "a defect");
        NewYear.now()
    }
}

#[actix_web::test]
async fn a_defect_costs_the_stream_a_second() {
    hurry();
    let harness = Harness::new();
    let (mut state, lane) = harness.state();
    let clock = Arc::new(Broken(AtomicBool::new(false)));
    state.clock = clock.clone();
    let (mut stream, _client) = Stream::open_on((state, lane), None).await;
    stream.sample(has_projectors).await;
    assert!(clock.0.load(Ordering::SeqCst), "it was looked at");
}

#[actix_web::test]
async fn nobody_asks_the_database_for_nobody() {
    hurry();
    let harness = Harness::new();
    let (mut stream, client) = Stream::open(&harness, None).await;
    stream.sample(has_projectors).await;
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
    hurry();
    let harness = Harness::new();
    let (mut stream, client) = Stream::open(&harness, None).await;
    stream.next().await.expect("history");
    harness.lifecycle.start_draining();
    let end = ("end".to_owned(), json!({"reason": "shutting-down"}));
    assert_eq!(stream.next().await, Some(end), "no sample is waited for");
    assert_eq!(stream.next().await, None);
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
        let projectors = &stream.sample(has_projectors).await["projectors"];
        assert_eq!(projectors[0]["lastError"].is_object(), is_told, "{bearer}");
        assert_eq!(projectors[0]["holder"] == "there:7:a", is_told, "{bearer}");
    }
}

#[actix_web::test]
async fn listeners_are_bounded() {
    hurry();
    let harness = Harness::new();
    let (state, _lane) = harness.state();
    let app = init_service(app(State::with_api(state))).await;
    let ask = async |method: Method| {
        let request = TestRequest::default().method(method).uri("/admin/live");
        timeout(WITHIN, call_service(&app, request.to_request())).await.expect("an answer")
    };
    let mut listening = Vec::new();
    for _ in 0..LISTENERS_MAX {
        assert_eq!(ask(Method::HEAD).await.status(), 200, "it takes no place");
        let response = ask(Method::GET).await;
        assert_eq!(response.status(), 200);
        listening.push(response);
    }
    let refused = ask(Method::GET).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers().get("retry-after").expect("it is there"), "1");
    let problem = to_bytes(refused.into_body()).await.ok().expect("a whole body");
    assert!(String::from_utf8_lossy(&problem).contains("overloaded"), "{problem:?}");
}
