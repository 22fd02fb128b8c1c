//! Retries of dead letters.

use wallex_ports::{OperationKind, Scope};
use wallex_testkit::{TempDatabase, on_both_databases};

use super::fixture::{World, key};

on_both_databases!(
    a_letter_that_the_database_refuses_holds_up_none_behind_it,
    letters_of_a_stopped_projector_are_let_be,
    nothing_begins_while_nothing_is_parked,
    a_rebuild_tries_what_is_parked_and_a_drift_check_does_not,
);

/// Both projectors have parked `a` and `c` at their second event, and the cause is gone.
async fn curable(database: TempDatabase) -> World {
    let world = World::filled(database, 1).await;
    let poison = "UPDATE events SET type = 'WalletFrozen' \
                  WHERE wallet_id IN ('a', 'c') AND version = 2";
    world.execute(poison).await;
    world.project().await;
    assert_eq!(world.parked().await, 4);
    world.execute("UPDATE events SET type = 'WalletCredited' WHERE type = 'WalletFrozen'").await;
    world
}

async fn a_letter_that_the_database_refuses_holds_up_none_behind_it(database: TempDatabase) {
    let world = curable(database).await;
    let set = |position: i64| {
        format!("UPDATE events SET position = {position} WHERE wallet_id = 'a' AND version = 2")
    };
    world.execute(&set(-4)).await;
    let report = world.operate(OperationKind::Retry, Scope::All, 1).await.report;
    assert_eq!((report.replayed, report.parked), (2, 2));
    world.execute(&set(4)).await;
    let report = world.operate(OperationKind::Retry, Scope::All, 1).await.report;
    assert_eq!((report.replayed, report.parked), (2, 0));
    world.projections_are_right().await;
}

async fn letters_of_a_stopped_projector_are_let_be(database: TempDatabase) {
    let world = curable(database).await;
    world
        .execute(
            "UPDATE projector_checkpoints SET wanted_state = 'stopped' WHERE projector = 'ledger'",
        )
        .await;
    let report = world.operate(OperationKind::Retry, Scope::All, 1).await.report;
    assert_eq!((report.replayed, report.parked), (2, 2));
    let left = "SELECT count(*) FROM dead_letters WHERE projector = 'ledger' AND attempts = 1";
    assert_eq!(world.number(left).await, 2);

    let recovery = world.recovery(1);
    recovery.retry_parked().await.expect("an answer");
    recovery.idle().await;
    assert_eq!(world.number("SELECT count(*) FROM operations").await, 1, "nothing was due");
    world.execute("UPDATE projector_checkpoints SET wanted_state = 'running'").await;
    recovery.retry_parked().await.expect("an answer");
    recovery.idle().await;
    assert_eq!(world.parked().await, 0);
    world.projections_are_right().await;
}

async fn nothing_begins_while_nothing_is_parked(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let recovery = world.recovery(1);
    recovery.retry_parked().await.expect("an answer");
    recovery.idle().await;
    assert_eq!(world.number("SELECT count(*) FROM operations").await, 0);
}

async fn a_rebuild_tries_what_is_parked_and_a_drift_check_does_not(database: TempDatabase) {
    let world = curable(database).await;
    world.operate(OperationKind::Drift, Scope::All, 1).await;
    assert_eq!(world.parked().await, 4);
    let of_a = world.operate(OperationKind::Rebuild, Scope::Wallet(key("a")), 1).await.report;
    assert_eq!((of_a.replayed, of_a.parked, world.parked().await), (2, 0, 2));
    let of_all = world.operate(OperationKind::Rebuild, Scope::All, 1).await.report;
    assert_eq!((of_all.replayed, of_all.parked, world.parked().await), (2, 0, 0));
    world.projections_are_right().await;
}
