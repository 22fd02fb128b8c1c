//! What many tests say in the same words.

use std::future::Future;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use wallex_testkit::{Client, Counts, Inspector, Server, TempDatabase};

/// Opens the wallet `id` with `balance`, and returns its snapshot.
pub(crate) async fn create(client: &Client, id: &str, balance: i64) -> Value {
    client.post("/wallets", &opening(id, balance)).await.is(201)
}

/// The body that opens the wallet `id` with `balance`.
pub(crate) fn opening(id: &str, balance: i64) -> Value {
    json!({ "walletId": id, "ownerId": "owner-1", "initialBalance": balance })
}

/// What the wallet `id` holds.
pub(crate) async fn balance(client: &Client, id: &str) -> i64 {
    let wallet = client.get(&format!("/wallets/{id}")).await.is(200);
    wallet["balance"].as_i64().expect("a whole number")
}

/// Awaits all `futures` at once; their results in any order.
pub(crate) async fn all_at_once<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    futures.into_iter().collect::<JoinSet<_>>().join_all().await
}

/// How many of `statuses` are `status`.
pub(crate) fn count<T: PartialEq>(statuses: &[T], status: T) -> usize {
    statuses.iter().filter(|other| **other == status).count()
}

/// A server, and the row counts before something that must not change them.
pub(crate) struct Unchanged {
    inspector: Inspector,
    before: Counts,
}

impl Unchanged {
    /// Remembers what there is.
    pub(crate) async fn since_now(database: &TempDatabase) -> Self {
        let inspector = Inspector::open(database).await;
        let before = inspector.counts().await;
        Self { inspector, before }
    }

    /// Whether there is no more and no less.
    pub(crate) async fn holds(&self) -> bool {
        self.inspector.counts().await == self.before
    }

    /// Checks that there is no more and no less; `what` says after what.
    pub(crate) async fn holds_after(&self, what: &str) {
        assert_eq!(self.inspector.counts().await, self.before, "nothing was written by: {what}");
    }
}

/// A server with a wallet `w` that holds 100, and a wallet `other` that holds 0.
pub(crate) async fn with_wallets(database: &TempDatabase) -> Server {
    let server = Server::start(database).await;
    create(server.client(), "w", 100).await;
    create(server.client(), "other", 0).await;
    server
}
