//! What is committed together, in which order, and how much of it.

use std::time::Duration;

use wallex_application::{CommandError, LaneSettings};

use crate::support::{Store, create, credit, debit, key, keyed, node, node_with, transfer};
use crate::{answers, as_one_batch, begun, body, send};

#[tokio::test]
async fn what_waits_while_one_commits_is_committed_together() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let wallets: Vec<_> = (0..50).map(|i| create(Some(&format!("w-{i}")), i)).collect();
    let answers = as_one_batch(&store, &lane, wallets).await;
    assert!(answers.iter().all(|a| a.as_ref().is_ok_and(|a| a.stored.status == 201)));
    assert_eq!(store.tables().batches, [1, 50]);
}

#[tokio::test]
async fn a_batch_is_decided_in_order_each_on_what_the_others_leave() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let commands = vec![
        create(Some("a"), 10),
        create(Some("b"), 0),
        create(Some("a"), 99),
        debit("a", 11),
        transfer("a", "b", 4),
        debit("a", 7),
        debit("a", 6),
        credit("b", 1),
        credit("nobody", 1),
    ];
    let answers = as_one_batch(&store, &lane, commands).await;
    let bodies: Vec<_> =
        answers.into_iter().map(|a| a.expect("answered").stored.body.to_string()).collect();
    assert_eq!(
        bodies,
        [
            "a@1=10",
            "b@1=0",
            "wallet-already-exists",
            "insufficient-funds",
            "a@2=6 b@2=4",
            "insufficient-funds",
            "a@3=0",
            "b@3=5",
            "wallet-not-found",
        ]
    );
    assert_eq!(store.tables().batches, [1, 9]);
    store.tables().audit();
}

#[tokio::test]
async fn commands_that_come_back_leave_room_for_others() {
    let store = Store::new();
    let settings = LaneSettings { batch_units_max: 4, ..LaneSettings::default() };
    let (lane, _task) = node_with(&store, settings);
    store.interfere(|tables| {
        if tables.wallets.contains_key(&key("the-first")) {
            tables.credit_elsewhere(&key("the-first"), 1);
        }
    });
    let mut commands: Vec<_> = (0..4).map(|_| credit("the-first", 1)).collect();
    commands.push(create(Some("a"), 9));
    let all = as_one_batch(&store, &lane, commands).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(store.tables().batches[..3], [1, 4, 5], "the other one does not wait for them");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let store = Store::new();
    let settings = LaneSettings { queue_len_max: 2, ..LaneSettings::default() };
    let (lane, _task) = node_with(&store, settings);
    store.close_the_gate();
    let first = send(&lane, vec![create(Some("first"), 0)]);
    begun(&store).await;
    assert_eq!(lane.queued(), 0, "the first was taken");
    let waiting = send(&lane, vec![create(Some("second"), 0), create(Some("third"), 0)]);
    tokio::task::yield_now().await;
    assert_eq!(lane.queued(), 2);
    let refused = lane.execute(create(Some("fourth"), 0)).await;
    assert!(matches!(refused, Err(CommandError::Overloaded)));
    store.gate.add_permits(100_000);
    assert!(answers(first).await.into_iter().chain(answers(waiting).await).all(|a| a.is_ok()));
    assert_eq!(lane.queued(), 0);
    assert_eq!(store.balance("fourth"), None);
}

#[tokio::test]
async fn a_stop_finishes_what_was_accepted_and_refuses_the_rest() {
    let store = Store::new();
    let (lane, task) = node(&store);
    store.close_the_gate();
    let first = send(&lane, vec![create(Some("first"), 0)]);
    begun(&store).await;
    let waiting = send(&lane, (0..20).map(|i| create(Some(&format!("w-{i}")), 0)).collect());
    tokio::task::yield_now().await;
    let stopped = tokio::spawn(task.shutdown());
    store.gate.add_permits(100_000);
    stopped.await.expect("no panic");
    assert!(answers(first).await.into_iter().chain(answers(waiting).await).all(|a| a.is_ok()));
    let late = lane.execute(create(Some("late"), 0)).await;
    assert!(matches!(late, Err(CommandError::ShuttingDown)));
    assert_eq!(store.tables().wallets.len(), 21);
}

#[tokio::test]
async fn a_batch_takes_no_more_units_than_it_may() {
    let store = Store::new();
    let settings = LaneSettings { batch_units_max: 2, ..LaneSettings::default() };
    let (lane, _task) = node_with(&store, settings);
    let wallets = (0..5).map(|i| create(Some(&format!("w-{i}")), i)).collect();
    let answers = as_one_batch(&store, &lane, wallets).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(store.tables().batches, [1, 2, 2, 1]);
}

/// Commands with one key wait for the first of them, which is overtaken each time; others get in
/// meanwhile. Then all are decided at once.
#[tokio::test]
async fn a_transaction_holds_no_more_than_four_and_a_half_batches() {
    let store = Store::new();
    let settings = LaneSettings { batch_units_max: 4, ..LaneSettings::default() };
    let (lane, _task) = node_with(&store, settings);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    let mut transactions = 0;
    store.interfere(move |tables| {
        transactions += 1;
        match transactions {
            1..12 => tables.credit_elsewhere(&key("a"), 1),
            12 => drop(tables.wallets.remove(&key("a"))),
            _ => {}
        }
    });
    let same = (0..60).map(|_| keyed(credit("a", 1), "key", 1)).collect();
    let answers = as_one_batch(&store, &lane, same).await;
    assert!(answers.into_iter().all(|a| a.expect("answered").stored.body == "wallet-not-found"));
    assert_eq!(store.tables().batches.iter().max(), Some(&18));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_waited_too_long_is_refused_and_not_done() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    store.close_the_gate();
    let first = send(&lane, vec![create(Some("the-first"), 0)]);
    begun(&store).await;
    let late = send(&lane, vec![create(Some("late"), 0)]);
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_millis(1)).await;
    let in_time = send(&lane, vec![create(Some("in-time"), 0)]);
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_secs(5)).await;
    store.gate.add_permits(100_000);
    assert!(matches!(answers(late).await[..], [Err(CommandError::Overloaded)]));
    assert!(answers(first).await.into_iter().chain(answers(in_time).await).all(|a| a.is_ok()));
    assert_eq!((store.balance("late"), store.balance("in-time")), (None, Some(0)));
}

#[tokio::test]
async fn a_wallet_that_is_known_is_not_read_again() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    store.tables().read_faults = usize::MAX;
    assert_eq!(body(&lane, credit("a", 1)).await, "a@2=1");
    assert_eq!(body(&lane, create(Some("b"), 7)).await, "b@1=7", "believed to be new");
}

#[tokio::test]
async fn who_follows_the_events_wakes_when_there_are_some() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let mut committed = lane.committed();
    assert_eq!(body(&lane, create(Some("a"), 0)).await, "a@1=0");
    assert!(committed.has_changed().expect("the lane runs"));
    committed.mark_unchanged();
    assert_eq!(body(&lane, keyed(debit("a", 1), "key", 1)).await, "insufficient-funds");
    assert!(!committed.has_changed().expect("the lane runs"), "a refusal writes no event");
}

#[test]
fn commands_are_named_as_their_routes_end() {
    let commands = [create(None, 1), credit("a", 1), debit("a", 1), transfer("a", "b", 1)];
    let names = commands.map(|command| command.action.name());
    assert_eq!(names, ["create", "credit", "debit", "transfer"]);
}
