//! Other nodes write to the same wallets.

use wallex_application::{CommandError, Precondition};

use crate::support::{Fault, Store, create, credit, debit, key, keyed, node};
use crate::{answers, as_one_batch, body, send};

#[tokio::test]
async fn who_is_in_the_way_each_time_is_contention() {
    for faults in [vec![Fault::Blocked], vec![Fault::Transient; 4]] {
        let store = Store::new();
        let (lane, _task) = node(&store);
        store.fail(faults);
        let refused = lane.execute(create(Some("a"), 9)).await;
        assert!(matches!(refused, Err(CommandError::Contended)), "{refused:?}");
        assert_eq!(store.balance("a"), None);
    }
}

#[tokio::test]
async fn if_match_holds_a_command_to_its_versions() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 10)).await.expect("created");
    for (if_match, answer) in [
        (Precondition::OneOf(vec![2]), "version-mismatch"),
        (Precondition::OneOf(vec![]), "version-mismatch"),
        (Precondition::OneOf(vec![5, 1]), "a@2=11"),
        (Precondition::OneOf(vec![1]), "version-mismatch"),
        (Precondition::Exists, "a@3=12"),
    ] {
        let mut command = credit("a", 1);
        command.if_match = if_match;
        assert_eq!(body(&lane, command).await, answer);
    }
    let mut command = credit("nobody", 1);
    command.if_match = Precondition::Exists;
    assert_eq!(body(&lane, command).await, "wallet-not-found");
}

#[tokio::test]
async fn what_another_node_wrote_is_seen_in_successes_and_in_refusals() {
    let store = Store::new();
    let ((one, _t1), (two, _t2)) = (node(&store), node(&store));
    assert_eq!(body(&one, create(Some("a"), 1)).await, "a@1=1");
    assert_eq!(body(&two, credit("a", 9)).await, "a@2=10");
    assert_eq!(body(&one, debit("a", 10)).await, "a@3=0", "not refused as poor");
    assert_eq!(body(&one, debit("a", 1)).await, "insufficient-funds");
    assert_eq!(body(&two, credit("a", 1)).await, "a@4=1");
    assert_eq!(body(&one, keyed(debit("a", 1), "key", 1)).await, "a@5=0");
    assert_eq!(body(&one, credit("b", 1)).await, "wallet-not-found");
    assert_eq!(body(&two, create(Some("b"), 0)).await, "b@1=0");
    assert_eq!(body(&one, credit("b", 1)).await, "b@2=1", "not refused as unknown");
    assert_eq!(body(&two, create(Some("b"), 0)).await, "wallet-already-exists");
    store.tables().audit();
}

#[tokio::test]
async fn what_rests_on_an_overtaken_command_is_decided_again_with_it() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    let mut first = true;
    // Between decision and commit another node writes the very version that the second expects.
    store.interfere(move |tables| {
        if tables.wallets.contains_key(&key("the-first")) && std::mem::take(&mut first) {
            tables.credit_elsewhere(&key("a"), 1_000);
        }
    });
    let commands = vec![credit("a", 1), credit("a", 10), debit("a", 5)];
    for answer in as_one_batch(&store, &lane, commands).await {
        answer.expect("answered");
    }
    assert_eq!(store.balance("a"), Some(1_006));
    store.tables().audit();
}

#[tokio::test]
async fn a_command_that_is_overtaken_every_time_locks_first_and_wins() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    store.interfere(|tables| tables.credit_elsewhere(&key("a"), 1));
    let answer = lane.execute(keyed(credit("a", 100), "key", 1)).await.expect("answered");
    assert_eq!(answer.stored.status, 200);
    assert!(store.tables().locks >= 1);
    store.tables().audit();
}

/// Nobody comes in between in a database that works. Where somebody does, the lane has an end.
#[tokio::test]
async fn a_command_that_loses_behind_its_lock_too_is_given_up_after_eight_tries() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    store.tables().locks_hold_nobody = true;
    store.interfere(|tables| tables.credit_elsewhere(&key("a"), 1));
    let before = store.tables().batches.len();
    let refused = lane.execute(credit("a", 100)).await;
    assert!(matches!(refused, Err(CommandError::Contended)), "{refused:?}");
    assert_eq!(store.tables().batches.len() - before, 8);
    assert_eq!(store.balance("a"), Some(8), "all of it elsewhere");
}

#[tokio::test]
async fn a_wallet_created_elsewhere_at_the_last_moment_is_refused() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let mut first = true;
    store.interfere(move |tables| {
        if std::mem::take(&mut first) {
            tables.create_elsewhere(&key("a"), 7);
        }
    });
    assert_eq!(body(&lane, keyed(create(Some("a"), 0), "k", 1)).await, "wallet-already-exists");
    assert_eq!(store.balance("a"), Some(7));
}

#[tokio::test]
async fn a_wallet_without_an_id_gets_one_for_all_its_tries() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    store.fail([Fault::Transient, Fault::Unavailable]);
    let answer = lane.execute(keyed(create(None, 3), "key", 1)).await.expect("created");
    let again = lane.execute(keyed(create(None, 3), "key", 1)).await.expect("replayed");
    assert_eq!(again.stored, answer.stored);
    assert_eq!(store.tables().wallets.len(), 1);
}

#[tokio::test]
async fn two_nodes_drain_a_wallet_to_exactly_nothing() {
    let store = Store::new();
    let ((one, _t1), (two, _t2)) = (node(&store), node(&store));
    one.execute(create(Some("a"), 100)).await.expect("created");
    let mut sent = Vec::new();
    for _ in 0..30 {
        sent.extend(send(&one, vec![debit("a", 7)]));
        sent.extend(send(&two, vec![debit("a", 7)]));
    }
    let answers = answers(sent).await;
    let successes = answers.iter().flatten().filter(|a| a.stored.status == 200).count();
    assert_eq!((successes, store.balance("a")), (14, Some(2)));
    assert!(answers.iter().all(Result::is_ok));
    store.tables().audit();
}

#[tokio::test]
async fn a_wallet_that_is_held_is_refused_and_the_others_go_on() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("held"), 9)).await.expect("created");
    store.tables().held = Some(key("held"));
    let commands = vec![debit("held", 1), create(Some("a"), 1), debit("held", 1), credit("a", 1)];
    let mut answers = as_one_batch(&store, &lane, commands).await.into_iter();
    assert!(matches!(answers.next(), Some(Err(CommandError::Contended))));
    assert_eq!(answers.next().expect("one").expect("created").stored.body, "a@1=1");
    assert!(matches!(answers.next(), Some(Err(CommandError::Contended))));
    assert_eq!(answers.next().expect("one").expect("credited").stored.body, "a@2=2");
    store.tables().held = None;
    assert_eq!(body(&lane, debit("held", 1)).await, "held@2=8");
}
