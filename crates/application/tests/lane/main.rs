//! The command lane over a store in memory that is shared, overtaken and broken on purpose.

mod batches;
mod faults;
mod observed;
mod overtaken;
mod retries;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use support::{Store, create};
use wallex_application::{Answer, CommandError, CommandLane};

/// Waits until one more transaction has begun.
async fn begun(store: &Store) {
    store.begun.acquire().await.expect("open").forget();
}

async fn body(lane: &CommandLane, command: wallex_application::Command) -> String {
    lane.execute(command).await.expect("answered").stored.body.to_string()
}

/// Sends each command in order without waiting for answers.
fn send(
    lane: &CommandLane,
    commands: Vec<wallex_application::Command>,
) -> Vec<tokio::task::JoinHandle<Result<Answer, CommandError>>> {
    commands
        .into_iter()
        .map(|command| {
            let lane = lane.clone();
            tokio::spawn(async move { lane.execute(command).await })
        })
        .collect()
}

async fn answers(
    sent: Vec<tokio::task::JoinHandle<Result<Answer, CommandError>>>,
) -> Vec<Result<Answer, CommandError>> {
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.expect("no panic"));
    }
    answers
}

/// Fills the queue while a first transaction is held at the gate, so that `commands` become one
/// batch, in their order.
async fn as_one_batch(
    store: &Arc<Store>,
    lane: &CommandLane,
    commands: Vec<wallex_application::Command>,
) -> Vec<Result<Answer, CommandError>> {
    store.close_the_gate();
    let first = send(lane, vec![create(Some("the-first"), 0)]);
    begun(store).await;
    let sent = send(lane, commands);
    tokio::task::yield_now().await;
    store.gate.add_permits(100_000);
    answers(first).await.pop().expect("one").expect("answered");
    answers(sent).await
}
