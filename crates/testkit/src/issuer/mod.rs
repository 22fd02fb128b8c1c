//! A tiny issuer of tokens: discovery document and keys over HTTP on loopback, and tokens that are
//! signed with them, or with anything else.

mod signing_key;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub use signing_key::{SigningKey, unsigned};

/// Where discovery documents stand.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An issuer that runs. Dropped, it is gone.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    published: Arc<Mutex<Published>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Published {
    discovery: Value,
    keys: Value,
    status: u16,
    key_fetches: usize,
}

impl Issuer {
    /// An issuer that publishes the public halves of `keys`.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let url = format!("http://{address}");
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let published = Published { discovery, keys: jwks(keys), status: 200, key_fetches: 0 };
        let published = Arc::new(Mutex::new(published));
        let serving = Arc::clone(&published);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One after the other: a test's issuer has no crowd.
                serve(stream, &serving).await.ok();
            }
        });
        Self { url, published, task }
    }

    /// What its tokens' `iss` says.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Publishes these keys instead.
    pub fn publish(&self, keys: &[&SigningKey]) {
        self.published().keys = jwks(keys);
    }

    /// Has the discovery document say this instead.
    pub fn describe(&self, discovery: Value) {
        self.published().discovery = discovery;
    }

    /// Answers everything with `status` from now on.
    pub fn answer(&self, status: u16) {
        self.published().status = status;
    }

    /// How often its keys were asked for.
    #[must_use]
    pub fn key_fetches(&self) -> usize {
        self.published().key_fetches
    }

    /// Claims for `audience` that are good for ten minutes from now.
    #[must_use]
    pub fn claims(&self, audience: &str) -> Value {
        let now = seconds_since_1970();
        json!({ "iss": self.url, "aud": audience, "sub": "alice", "iat": now, "exp": now + 600 })
    }

    fn published(&self) -> std::sync::MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Now, as tokens count.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn seconds_since_1970() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "tokens are made for a server on the real clock")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}

fn jwks(keys: &[&SigningKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// Answers the one request of `stream`.
async fn serve(mut stream: TcpStream, published: &Mutex<Published>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = {
        let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
        match path {
            DISCOVERY => (published.status, published.discovery.to_string()),
            "/keys" => {
                published.key_fetches += 1;
                (published.status, published.keys.to_string())
            }
            _ => (404, String::new()),
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
