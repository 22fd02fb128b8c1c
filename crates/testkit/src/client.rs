//! A small HTTP client for tests: says what is sent, and keeps all of what is answered.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A server that has not answered by then hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// Installs the process's provider of TLS, which reqwest wants even for plain HTTP.
pub fn install_tls_provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
    });
}

/// Talks to one server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// A client for the server at `base`, `http://127.0.0.1:8080` for one.
    ///
    /// # Panics
    /// When the HTTP client can't be built.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        install_tls_provider();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self::over(base, http)
    }

    /// A client for the server at `base` that sends by `http`, which knows whom to trust.
    #[must_use]
    pub fn over(base: impl Into<String>, http: reqwest::Client) -> Self {
        Self { base: base.into(), http }
    }

    /// Where the server is, without a trailing slash.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A GET of `path`, which begins with a slash.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A POST of `body` as JSON.
    pub fn post(&self, path: &str, body: &Value) -> Request {
        self.post_text(path, body.to_string())
    }

    /// A POST of `body` as it stands, under the name of JSON.
    pub fn post_text(&self, path: &str, body: impl Into<Vec<u8>>) -> Request {
        let request = self.request("POST", path);
        Request(request.0.header("Content-Type", "application/json").body(body.into()))
    }

    /// Any request, without a body yet.
    ///
    /// # Panics
    /// When `method` is not one.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let method: Method = method.parse().expect("a method");
        Request(self.http.request(method, format!("{}{path}", self.base)))
    }
}

/// A request that was not sent yet: `.await` sends it.
#[derive(Debug)]
#[must_use]
pub struct Request(reqwest::RequestBuilder);

impl Request {
    /// Adds a header; the same name a second time is sent twice.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// Sets the body, and nothing that would say what it is.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.body(body.into()))
    }

    /// Sets the `Idempotency-Key`.
    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Sets `If-Match`, quotes included: `"3"`.
    pub fn if_match(self, etag: &str) -> Self {
        self.header("If-Match", etag)
    }

    /// Sets the `X-Correlation-Id`.
    pub fn correlation_id(self, id: &str) -> Self {
        self.header("X-Correlation-Id", id)
    }

    /// Sends it.
    ///
    /// # Errors
    /// When no whole answer came back.
    pub async fn try_send(self) -> Result<Answer> {
        let sent = self.0.timeout(ANSWER_DEADLINE).send();
        let response = sent.await.context("no answer")?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.context("the answer broke off")?;
        Ok(Answer { status, headers, text })
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.try_send().await.expect("the server answers") })
    }
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// A header's value; `None` when it is missing.
    ///
    /// # Panics
    /// When it is there twice or is not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice: {:?}", self.headers);
        Some(value.to_str().expect("a header of text"))
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Checks the status, and returns the body as JSON.
    ///
    /// # Panics
    /// When the status is another.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// Checks that this is the problem `code` of RFC 9457 with `status`, complete and true to
    /// itself, and returns it.
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.is(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail", "instance", "correlationId"] {
            assert!(problem[member].is_string(), "{member} is missing: {problem}");
        }
        assert_eq!(problem["correlationId"].as_str(), self.header("x-correlation-id"), "{problem}");
        problem
    }

    /// Whether it says that it repeats an earlier answer.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// What a replay repeats: status, body, `ETag` and `Location`.
    #[must_use]
    pub fn repeatable(&self) -> (StatusCode, &str, Option<&str>, Option<&str>) {
        (self.status, &self.text, self.header("etag"), self.header("location"))
    }
}
