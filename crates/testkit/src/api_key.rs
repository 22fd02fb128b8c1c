//! API keys, made by the real binary as an operator makes them.

use serde_json::Value;

use crate::{Answer, Client, Request, ServerBuilder, TempDatabase};

/// Every scope that there is.
pub const ALL_SCOPES: &str = "wallets:read,wallets:write,transfers:write,metrics:read,admin";

/// A key, and requests that bring it.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// What names it.
    pub id: String,
    /// What its holder sends.
    pub bearer: String,
}

impl ApiKey {
    /// Makes a key of `tenant` with `scopes`, which are separated by commas; `more` goes to
    /// `wallex keys create`.
    ///
    /// # Panics
    /// When the command fails.
    pub async fn create(
        database: &TempDatabase,
        tenant: &str,
        scopes: &str,
        more: &[&str],
    ) -> Self {
        let create = ["keys", "create", "--name", "test", "--json"];
        let whose = ["--tenant", tenant, "--scopes", scopes];
        Self::printed(&run_wallex(database, &[&create[..], &whose, more].concat()).await)
    }

    /// The key that `wallex keys create --json` or `rotate --json` has printed.
    ///
    /// # Panics
    /// When it printed something else.
    #[must_use]
    pub fn printed(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).expect("a key as JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self { id: text(&json["key"]["id"]), bearer: text(&json["secret"]) }
    }

    /// `request`, with the key.
    pub fn on(&self, request: Request) -> Request {
        request.header("Authorization", &format!("Bearer {}", self.bearer))
    }

    /// A GET with the key.
    pub async fn get(&self, client: &Client, path: &str) -> Answer {
        self.on(client.get(path)).await
    }

    /// A POST of `body` with the key.
    pub async fn post(&self, client: &Client, path: &str, body: &Value) -> Answer {
        self.on(client.post(path, body)).await
    }
}

/// Runs `wallex ARGS…` on `database`; what it printed.
///
/// # Panics
/// When it fails.
pub async fn run_wallex(database: &TempDatabase, arguments: &[&str]) -> String {
    let command = ServerBuilder::new(arguments).env("DATABASE_URL", database.url());
    let mut command = command.env("WALLEX_LOG", "error").spawn();
    let status = command.wait().await;
    // What is printed may be a key: it is no part of a message.
    assert!(status.success(), "{arguments:?}: {status}");
    command.logs()
}
