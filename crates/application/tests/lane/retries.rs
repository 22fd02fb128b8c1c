//! Idempotency keys: one effect, one answer.

use wallex_application::{CommandError, Precondition};
use wallex_ports::{KeyScope, RequestHash, StoredAnswer, StoredRecord};

use crate::support::{Store, create, credit, debit, key, keyed, node};
use crate::{as_one_batch, body};

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
async fn after_one_retry_others_are_looked_up_before_anything_is_written() {
    let store = Store::new();
    let ((one, _t1), (two, _t2)) = (node(&store), node(&store));
    let (first, second) =
        (|| keyed(create(Some("a"), 0), "first", 1), || keyed(create(Some("b"), 0), "second", 1));
    for command in [first(), second()] {
        assert!(!one.execute(command).await.expect("created").replayed);
    }
    // The other node believes that the key is new, and learns better from the database.
    assert!(two.execute(first()).await.expect("answered").replayed);
    let transactions = store.tables().batches.len();
    assert!(two.execute(second()).await.expect("answered").replayed);
    assert_eq!(store.tables().batches.len(), transactions, "the key was looked up");
}
