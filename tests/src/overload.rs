//! More than the server can take: refused at once, and nothing of it is done.

use serde_json::json;
use tokio::task::JoinSet;
use wallex_testkit::{
    Backend, Inspector, ServerBuilder, TempDatabase, eventually, on_both_databases,
};

use crate::support::{balance, count, create};

on_both_databases!(full_queue_refuses_at_once_and_does_nothing);

const REQUESTS: usize = 20;
/// One command that the lane is committing, and one that waits: the queue has one place.
const ACCEPTED_MAX: usize = 2;

async fn full_queue_refuses_at_once_and_does_nothing(database: TempDatabase) {
    let builder = ServerBuilder::on(&database).env("WALLEX_LANE_QUEUE_LEN_MAX", "1");
    let server = builder.start().await;
    let client = server.client();
    create(client, "w", 0).await;

    // Nobody can commit while this transaction is open.
    let holder = Inspector::open(&database).await;
    match database.backend() {
        Backend::Postgres => holder.execute("BEGIN; SELECT * FROM shard_heads FOR UPDATE").await,
        Backend::Sqlite => holder.execute("BEGIN IMMEDIATE").await,
    }
    let mut requests: JoinSet<_> = (0..REQUESTS)
        .map(|_| client.post("/wallets/w/credit", &json!({ "amount": 1 })).into_future())
        .collect();
    for _ in 0..REQUESTS - ACCEPTED_MAX {
        let refused = requests.join_next().await.expect("a request").expect("an answer");
        refused.is_problem(503, "overloaded");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    client.get("/livez").await.is(200);
    holder.execute("COMMIT").await;

    let rest = requests.join_all().await;
    let rest: Vec<u16> = rest.iter().map(|answer| answer.status.as_u16()).collect();
    let done = count(&rest, 200);
    assert!(done >= 1 && done + count(&rest, 503) == rest.len(), "{rest:?}");
    let expected = i64::try_from(done).expect("a small number");
    assert_eq!(balance(client, "w").await, expected, "what was refused was not done");
    // And then it goes on as if nothing had been.
    let answer = eventually("commands are taken again", async || {
        let answer = client.post("/wallets/w/credit", &json!({ "amount": 1 })).await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert_eq!(answer.is(200)["balance"], expected + 1);
    holder.audit().await;
}
