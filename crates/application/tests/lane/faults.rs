//! A store that fails, loses answers, and code that panics.

use wallex_application::CommandError;

use crate::support::{Fault, Store, create, credit, key, keyed, node};
use crate::{as_one_batch, begun, body, send};

#[tokio::test]
async fn a_command_that_the_database_refuses_fails_alone() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    store.tables().poisoned = Some(key("w-13"));
    let wallets = (0..50).map(|i| create(Some(&format!("w-{i}")), i)).collect();
    let answers = as_one_batch(&store, &lane, wallets).await;
    for (i, answer) in answers.into_iter().enumerate() {
        match answer {
            Err(CommandError::Failed(_)) => assert_eq!(i, 13),
            answer => assert_eq!(answer.expect("answered").stored.status, 201, "w-{i}"),
        }
    }
    assert_eq!(store.tables().wallets.len(), 50, "the first, and all but one");
}

#[tokio::test]
async fn a_passing_fault_is_not_seen_and_a_lasting_one_changes_nothing() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    store.fail([Fault::Transient, Fault::Unavailable, Fault::Transient]);
    assert_eq!(body(&lane, credit("a", 1)).await, "a@2=1");
    store.fail([Fault::Unavailable; 4]);
    let refused = lane.execute(keyed(credit("a", 1), "key", 1)).await;
    assert!(matches!(refused, Err(CommandError::Unavailable)));
    assert_eq!(store.balance("a"), Some(1));
    assert_eq!(body(&lane, keyed(credit("a", 1), "key", 1)).await, "a@3=2");
}

#[tokio::test]
async fn a_lost_answer_is_resolved_by_the_same_key() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    store.fail([Fault::AnswerLost]);
    let unknown = lane.execute(keyed(credit("a", 5), "key", 1)).await;
    assert!(matches!(unknown, Err(CommandError::OutcomeUnknown)));
    let resolved = lane.execute(keyed(credit("a", 5), "key", 1)).await.expect("answered");
    assert_eq!((resolved.stored.body.as_ref(), resolved.replayed), ("a@2=5", true));
    assert_eq!(store.balance("a"), Some(5));
}

#[tokio::test]
async fn a_defect_that_panics_does_not_stop_the_lane() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    store.fail([Fault::Panic]);
    let unknown = lane.execute(create(Some("a"), 0)).await;
    assert!(matches!(unknown, Err(CommandError::OutcomeUnknown)));
    assert_eq!(body(&lane, create(Some("a"), 0)).await, "a@1=0");
}

#[tokio::test]
async fn a_client_that_goes_away_changes_nothing() {
    let store = Store::new();
    let (lane, task) = node(&store);
    store.close_the_gate();
    let gone = send(&lane, (0..10).map(|i| create(Some(&format!("w-{i}")), 1)).collect());
    begun(&store).await;
    for client in &gone {
        client.abort();
    }
    store.gate.add_permits(100_000);
    task.shutdown().await;
    assert_eq!(store.tables().wallets.len(), 10);
}

#[tokio::test]
async fn after_a_panic_of_the_lane_its_states_are_loaded_anew() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    store.tables().credit_elsewhere(&key("a"), 5);
    store.tables().clock_breaks = true;
    let unknown = lane.execute(create(Some("b"), 0)).await;
    assert!(matches!(unknown, Err(CommandError::OutcomeUnknown)));
    let before = store.tables().batches.len();
    assert_eq!(body(&lane, credit("a", 1)).await, "a@3=6");
    assert_eq!(store.tables().batches.len() - before, 1, "it is decided once");
}

#[tokio::test]
async fn what_a_lost_answer_leaves_behind_is_loaded_before_the_next_decision() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    store.fail([Fault::AnswerLost]);
    lane.execute(credit("a", 5)).await.expect_err("nobody knows");
    let before = store.tables().batches.len();
    assert_eq!(body(&lane, credit("a", 1)).await, "a@3=6");
    assert_eq!(store.tables().batches.len() - before, 1, "it is decided once");
}
