//! The command lane over a store in memory that is shared, overtaken and broken on purpose.

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::{Fault, Store, create, credit, debit, key, keyed, node, node_with, transfer};
use wallex_application::{Answer, CommandError, CommandLane, LaneSettings, Precondition};
use wallex_ports::{KeyScope, RequestHash, StoredAnswer, StoredRecord};

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
async fn the_same_key_has_one_effect_and_one_answer_within_a_batch_and_after_it() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let same = || keyed(credit("the-first", 5), "key", 1);
    let mut all = as_one_batch(&store, &lane, (0..20).map(|_| same()).collect()).await;
    all.push(lane.execute(same()).await);
    let all: Vec<_> = all.into_iter().map(|a| a.expect("answered")).collect();
    assert!(all.iter().all(|a| a.stored.body == "the-first@2=5"));
    assert_eq!(all.iter().filter(|a| !a.replayed).count(), 1);
    assert_eq!(store.balance("the-first"), Some(5));
    let other = lane.execute(keyed(credit("the-first", 6), "key", 2)).await;
    assert!(matches!(other, Err(CommandError::KeyReused)));
    assert_eq!(store.balance("the-first"), Some(5));
}

#[tokio::test]
async fn an_answer_that_is_not_kept_holds_nobody_up_however_often_it_is_asked_for() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let mut commands: Vec<_> = (0..300).map(|_| keyed(debit("nobody", 5), "key", 1)).collect();
    commands.push(create(Some("a"), 9));
    let mut all = as_one_batch(&store, &lane, commands).await;
    let last = all.pop().expect("one").expect("answered");
    assert_eq!(last.stored.body, "a@1=9");
    assert!(all.into_iter().all(|a| a.expect("answered").stored.body == "wallet-not-found"));
    assert_eq!(store.tables().batches, [1, 256, 45]);
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
async fn a_key_is_of_its_route() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    assert_eq!(body(&lane, keyed(create(Some("a"), 9), "key", 1)).await, "a@1=9");
    assert_eq!(body(&lane, keyed(create(Some("b"), 9), "other", 1)).await, "b@1=9");
    assert_eq!(body(&lane, keyed(credit("a", 1), "key", 1)).await, "a@2=10");
    assert_eq!(body(&lane, keyed(credit("b", 1), "key", 1)).await, "b@2=10");
    assert_eq!(body(&lane, keyed(debit("b", 1), "key", 1)).await, "b@3=9");
}

#[tokio::test]
async fn a_business_refusal_is_replayed_and_a_missing_wallet_is_asked_for_anew() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let ask = || keyed(debit("a", 5), "key", 1);
    assert_eq!(body(&lane, ask()).await, "wallet-not-found");
    lane.execute(create(Some("a"), 0)).await.expect("created");
    let mut stale = ask();
    stale.if_match = Precondition::OneOf(vec![7]);
    assert_eq!(body(&lane, stale).await, "version-mismatch");
    assert_eq!(body(&lane, ask()).await, "insufficient-funds");
    lane.execute(credit("a", 100)).await.expect("credited");
    let again = lane.execute(ask()).await.expect("answered");
    assert_eq!((again.stored.body.as_ref(), again.replayed), ("insufficient-funds", true));
    assert_eq!(body(&lane, keyed(debit("a", 5), "new-key", 1)).await, "a@3=95");
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
async fn a_full_queue_refuses_at_once() {
    let store = Store::new();
    let settings = LaneSettings { queue_len_max: 2, ..LaneSettings::default() };
    let (lane, _task) = node_with(&store, settings);
    store.close_the_gate();
    let first = send(&lane, vec![create(Some("first"), 0)]);
    begun(&store).await;
    let waiting = send(&lane, vec![create(Some("second"), 0), create(Some("third"), 0)]);
    tokio::task::yield_now().await;
    let refused = lane.execute(create(Some("fourth"), 0)).await;
    assert!(matches!(refused, Err(CommandError::Overloaded)));
    store.gate.add_permits(100_000);
    assert!(answers(first).await.into_iter().chain(answers(waiting).await).all(|a| a.is_ok()));
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
async fn a_look_up_that_fails_is_asked_again_and_not_for_ever() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    for id in ["a", "b"] {
        lane.execute(create(Some(id), 0)).await.expect("created");
    }
    // A lane that holds no wallet yet.
    let (lane, _task) = node(&store);
    store.tables().read_faults = 3;
    assert_eq!(body(&lane, credit("a", 1)).await, "a@2=1");
    store.tables().read_faults = usize::MAX;
    let refused = lane.execute(credit("b", 1)).await;
    assert!(matches!(refused, Err(CommandError::Unavailable)));
    store.tables().read_faults = 0;
    assert_eq!(body(&lane, credit("b", 1)).await, "b@2=1");
}

#[tokio::test]
async fn a_retry_is_replayed_although_its_precondition_holds_no_longer() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    let ask = || {
        let mut command = keyed(credit("a", 5), "key", 1);
        command.if_match = Precondition::OneOf(vec![1]);
        command
    };
    assert_eq!(body(&lane, ask()).await, "a@2=5");
    let again = lane.execute(ask()).await.expect("answered");
    assert_eq!((again.stored.body.as_ref(), again.replayed), ("a@2=5", true));
}

#[tokio::test]
async fn a_retry_is_not_refused_for_what_its_own_command_did_elsewhere_meanwhile() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    lane.execute(create(Some("a"), 0)).await.expect("created");
    // A lane that looks keys up, since it met one that was known.
    lane.execute(keyed(create(Some("b"), 0), "known", 1)).await.expect("created");
    let (other, _other_task) = node(&store);
    other.execute(keyed(create(Some("b"), 0), "known", 1)).await.expect("replayed");
    let mut command = keyed(credit("a", 5), "key", 1);
    command.if_match = Precondition::OneOf(vec![1]);
    // The first try of the command is committed by the first node, between the look at the key and the
    // look at the wallet.
    let scope = KeyScope {
        tenant: command.context.tenant.clone(),
        route: command.context.route.clone(),
        key: command.idempotency.as_ref().expect("keyed").key.clone(),
        wallet_id: Some(key("a").wallet_id),
    };
    let (status, body) = (200, "a@2=5".into());
    let answer = StoredAnswer { status, etag: None, location: None, body };
    let record = StoredRecord { request_hash: RequestHash([1; 32]), answer: answer.clone() };
    store.before_load(move |tables| {
        tables.credit_elsewhere(&key("a"), 5);
        tables.records.insert(scope, record);
    });
    let told = other.execute(command).await.expect("answered");
    assert_eq!((told.stored, told.replayed), (answer, true));
}

#[tokio::test]
async fn retries_among_new_commands_are_replayed_and_the_new_ones_done_once() {
    let store = Store::new();
    let (lane, _task) = node(&store);
    let first = |id: &str| keyed(create(Some(id), 9), id, 1);
    for id in ["a", "b"] {
        assert_eq!(body(&lane, first(id)).await, format!("{id}@1=9"));
    }
    // A lane that knows nothing of the first answers.
    let (lane, _task) = node(&store);
    let commands =
        vec![first("a"), credit("a", 1), first("c"), first("b"), credit("b", 1), credit("c", 1)];
    let answers = as_one_batch(&store, &lane, commands).await;
    let answers: Vec<_> = answers.into_iter().map(|a| a.expect("answered")).collect();
    let told: Vec<_> = answers.iter().map(|a| (a.stored.body.as_ref(), a.replayed)).collect();
    assert_eq!(
        told,
        [
            ("a@1=9", true),
            ("a@2=10", false),
            ("c@1=9", false),
            ("b@1=9", true),
            ("b@2=10", false),
            ("c@2=10", false),
        ]
    );
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
    tokio::time::advance(Duration::from_secs(4)).await;
    let in_time = send(&lane, vec![create(Some("in-time"), 0)]);
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    store.gate.add_permits(100_000);
    assert!(matches!(answers(late).await[..], [Err(CommandError::Overloaded)]));
    assert!(answers(first).await.into_iter().chain(answers(in_time).await).all(|a| a.is_ok()));
    assert_eq!((store.balance("late"), store.balance("in-time")), (None, Some(0)));
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
