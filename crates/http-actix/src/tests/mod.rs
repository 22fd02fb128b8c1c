//! Requests against the whole app, with a real command lane over a store in memory.

#[cfg(test)]
mod access;
#[cfg(test)]
mod admin;
mod admin_ports;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod console;
#[cfg(test)]
mod explanation;
pub mod fuzz;
mod gate;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod live;
mod memory;
#[cfg(test)]
mod observed;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod projected;
mod projections;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod rate_limits;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod wire;

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::Bytes;
use serde_json::{Value, json};
use wallex_application::{CommandLane, LanePorts, LaneSettings, LaneTask};

use self::admin_ports::Steered;
use self::gate::{Gate, Journal};
use self::memory::{Memory, NewYear};
use self::projections::Projections;
use crate::server::{State, app};
use crate::{ApiSettings, ApiState, JsonAnswers, Lifecycle, OperationsState};

/// What came back.
struct Reply {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON, not {:?}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// Where the errors of a 400 are: pointers as they are, parameters and headers by name.
    fn places(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().expect("a list of errors");
        errors
            .iter()
            .map(|error| {
                let place = ["pointer", "parameter", "header"].map(|kind| error[kind].as_str());
                assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
                place.into_iter().flatten().next().expect("a place").to_owned()
            })
            .collect()
    }

    /// Checks what every problem is, and gives its code.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Value {
        let json = self.json();
        assert_eq!((self.status, json["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(json["status"], status);
        assert_eq!(json["type"], format!("urn:wallex:problem:{code}"));
        for text in ["title", "detail", "instance", "correlationId"] {
            assert!(json[text].as_str().is_some_and(|text| !text.is_empty()), "{text}");
        }
        json
    }
}

/// The app, its store and what can be changed about it.
struct Harness {
    store: Arc<Memory>,
    projections: Arc<Projections>,
    steered: Arc<Steered>,
    gate: Arc<Gate>,
    journal: Arc<Journal>,
    lifecycle: Lifecycle,
    settings: ApiSettings,
    lane: LaneSettings,
}

impl Harness {
    fn new() -> Self {
        let store = Memory::shared();
        Self {
            projections: Projections::of(store.clone()),
            store,
            steered: Arc::new(Steered::default()),
            gate: Arc::new(Gate::default()),
            journal: Arc::new(Journal::default()),
            lifecycle: Lifecycle::new(),
            settings: ApiSettings::default(),
            lane: LaneSettings::default(),
        }
    }

    fn state(&self) -> (ApiState, LaneTask) {
        let store = self.store.clone();
        let ports = LanePorts {
            committer: store.clone(),
            wallets: store.clone(),
            idempotency: store.clone(),
            answers: Arc::new(JsonAnswers),
            clock: Arc::new(NewYear),
            ids: store.clone(),
        };
        let (lane, task) = CommandLane::spawn(ports, self.lane.clone());
        let state = ApiState {
            operations: OperationsState {
                admission: self.gate.clone(),
                readiness: store.clone(),
                metrics: Some(store.clone()),
                ids: store.clone(),
                lifecycle: self.lifecycle.clone(),
                settings: self.settings.clone(),
            },
            audit: self.journal.clone(),
            lane,
            wallets: store.clone(),
            events: store.clone(),
            projectors: self.steered.clone(),
            dead_letters: self.steered.clone(),
            recovery: self.steered.clone(),
            read_models: self.projections.clone(),
            clock: Arc::new(NewYear),
        };
        (state, task)
    }

    async fn start(&self) -> Client {
        let (state, lane) = self.state();
        let app = Rc::new(init_service(app(State::with_api(state))).await);
        let call = move |request: TestRequest| {
            let app = app.clone();
            let reply = async move {
                let response = call_service(app.as_ref(), request.to_request()).await;
                let status = response.status().as_u16();
                let headers = response.headers().clone();
                let body = to_bytes(response.into_body()).await.ok().expect("a whole body");
                let text = String::from_utf8(body.to_vec()).expect("text");
                Reply { status, headers, text }
            };
            Box::pin(reply) as Replying
        };
        Client { call: Box::new(call), lane }
    }
}

type Replying = Pin<Box<dyn Future<Output = Reply>>>;

/// An app that answers.
struct Client {
    call: Box<dyn Fn(TestRequest) -> Replying>,
    /// The lane lives as long as this.
    lane: LaneTask,
}

impl Client {
    async fn new() -> Self {
        Harness::new().start().await
    }

    async fn call(&self, request: TestRequest) -> Reply {
        (self.call)(request).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.call(TestRequest::get().uri(path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(post(path, body)).await
    }

    /// A POST with a body of just these bytes.
    async fn post_raw(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        let json = ("content-type", "application/json");
        self.call(TestRequest::post().uri(path).insert_header(json).set_payload(body)).await
    }

    /// A wallet of user-001.
    async fn open(&self, id: &str, balance: i64) {
        let body = json!({"walletId": id, "ownerId": "user-001", "initialBalance": balance});
        assert_eq!(self.post("/wallets", &body).await.status, 201);
    }
}

/// A POST of JSON.
fn post(path: &str, body: &Value) -> TestRequest {
    TestRequest::post().uri(path).set_json(body)
}

/// A POST of JSON with an idempotency key.
fn keyed(path: &str, key: &str, body: &Value) -> TestRequest {
    post(path, body).insert_header(("Idempotency-Key", key))
}
