//! A rebuild makes exactly what projecting makes, from whatever is left.

use wallex_ports::{
    DeadLetters as _, Operation, OperationKind, OperationState, Recovery as _, Scope, ShardPosition,
};
use wallex_testkit::{TempDatabase, on_both_databases};

use super::fixture::{World, key};
use super::recovery::{Watched, seen, tallies};
use crate::SqlRecovery;

on_both_databases!(
    truncated_tables_are_rebuilt_as_they_were,
    what_no_projector_has_reached_is_left_to_it,
    a_parked_wallet_is_rebuilt_to_where_it_was_parked,
    what_was_left_out_by_hand_stays_out,
    an_interrupted_rebuild_goes_on_behind_its_last_page,
    an_interrupted_rebuild_of_a_part_goes_on_behind_its_last_page,
    a_rebuild_of_other_projectors_begins_anew,
    a_projector_that_moves_on_within_a_wallet_is_caught_up_with,
    one_wallet_alone_is_rebuilt,
    wallets_with_events_behind_a_position_are_rebuilt,
    commands_and_projectors_go_on_beneath,
);

async fn truncate(world: &World) {
    world.execute("DELETE FROM wallets").await;
    world.execute("DELETE FROM ledger_entries").await;
}

async fn truncated_tables_are_rebuilt_as_they_were(database: TempDatabase) {
    let mut world = World::projected(database, 3).await;
    for amount in 1..=9 {
        world.credit("b", amount).await;
    }
    world.project().await;
    let rows = world.rows().await;
    for page in [1, 2, 5, 100] {
        truncate(&world).await;
        let operation = world.operate(OperationKind::Rebuild, Scope::All, page).await;
        assert_eq!(tallies(&operation.report), [[0, 0, 16, 0], [0, 0, 3, 0]], "pages of {page}");
        let progress = operation.progress;
        assert_eq!((progress.done, progress.total, progress.wallets), (16, 16, 3));
        assert_eq!(world.rows().await, rows, "pages of {page}");
        let again = world.rebuild(page).await;
        assert_eq!(tallies(&again), [[16, 0, 0, 0], [3, 0, 0, 0]], "pages of {page}");
        assert_eq!(world.rows().await, rows, "pages of {page}");
    }
    world.projections_are_right().await;
}

async fn what_no_projector_has_reached_is_left_to_it(database: TempDatabase) {
    let world = World::filled(database, 1).await;
    let set = |projector: &str, position: u64| {
        format!(
            "UPDATE projector_checkpoints SET position = {position} WHERE projector = '{projector}'"
        )
    };
    world.execute(&set("ledger", 4)).await;
    world.execute(&set("read_model", 2)).await;
    for page in [1, 2, 100] {
        truncate(&world).await;
        assert_eq!(tallies(&world.rebuild(page).await), [[0, 0, 4, 0], [0, 0, 2, 0]]);
        let found = world.drift(page).await;
        assert_eq!(seen(&found), [], "pages of {page}");
        assert_eq!(tallies(&found), [[4, 0, 0, 0], [2, 0, 0, 0]], "pages of {page}");
    }
    assert_eq!(world.number("SELECT sum(version) FROM wallets").await, 2);
    world.project().await;
    world.projections_are_right().await;
    assert_eq!(world.parked().await, 0);
}

/// The third of five events of `a` can't be decoded.
async fn poisoned(database: TempDatabase) -> World {
    let mut world = World::filled(database, 1).await;
    world.credit("a", 1).await;
    world.credit("a", 2).await;
    let poison = "UPDATE events SET type = 'WalletFrozen' WHERE wallet_id = 'a' AND version = 3";
    world.execute(poison).await;
    world.project().await;
    assert_eq!(world.parked().await, 2);
    world
}

async fn a_parked_wallet_is_rebuilt_to_where_it_was_parked(database: TempDatabase) {
    let world = poisoned(database).await;
    let rows = world.rows().await;
    for page in [1, 2, 3, 100] {
        truncate(&world).await;
        let rebuilt = world.rebuild(page).await;
        assert_eq!(tallies(&rebuilt), [[0, 0, 6, 0], [0, 0, 3, 0]], "pages of {page}");
        assert_eq!(rebuilt.parked, 2, "pages of {page}");
        assert_eq!(world.rows().await, rows, "pages of {page}");
        let found = world.drift(page).await;
        assert_eq!(found.parked, 2, "pages of {page}");
        let places: Vec<_> = seen(&found).iter().map(|d| (d.0, d.1.as_str(), d.2)).collect();
        assert_eq!(places, [("a", "events", Some(3))], "pages of {page}");
    }
    let cure = "UPDATE events SET type = 'WalletDebited' WHERE wallet_id = 'a' AND version = 3";
    world.execute(cure).await;
    let retried = world.operate(OperationKind::Retry, Scope::All, 1).await;
    assert_eq!((retried.report.replayed, retried.report.parked), (2, 0));
    assert_eq!((retried.progress.done, retried.progress.total), (2, 2));
    world.projections_are_right().await;
}

async fn what_was_left_out_by_hand_stays_out(database: TempDatabase) {
    let world = poisoned(database).await;
    for projector in ["ledger", "read_model"] {
        world.letters().discard(projector, &key("a"), 3, "a test").await.expect("settled");
    }
    assert_eq!(world.parked().await, 0);
    let rows = world.rows().await;
    for page in [1, 2, 3, 100] {
        let found = world.drift(page).await;
        assert_eq!(seen(&found), [], "pages of {page}");
        truncate(&world).await;
        let rebuilt = world.rebuild(page).await;
        assert_eq!(tallies(&rebuilt), [[0, 0, 8, 0], [0, 0, 3, 0]], "pages of {page}");
        assert_eq!(world.rows().await, rows, "pages of {page}");
    }
}

/// Begins a rebuild with pages of two events, and stops it behind its `pages`th page.
async fn interrupted(world: &World, scope: Scope, pages: usize) -> Operation {
    let watched = Watched::new(pages - 1);
    interrupted_of(&world.recovery_watched(&watched, 2), scope, &watched, pages).await
}

async fn interrupted_of(
    recovery: &SqlRecovery,
    scope: Scope,
    watched: &Watched,
    pages: usize,
) -> Operation {
    let begun = recovery.begin(OperationKind::Rebuild, scope).await.expect("begun");
    let mut page = watched.begun.subscribe();
    page.wait_for(|begun| *begun == pages).await.expect("watched");
    // It waits within its transaction, and ends as the last.
    recovery.stop();
    watched.allowed.send_replace(pages);
    recovery.idle().await;
    let left = recovery.operation(begun.id).await.expect("an answer").expect("it is kept");
    assert_eq!(left.state, OperationState::Interrupted);
    assert!(left.finished_at.is_none());
    left
}

async fn an_interrupted_rebuild_goes_on_behind_its_last_page(database: TempDatabase) {
    let mut world = World::projected(database, 1).await;
    for amount in 1..=9 {
        world.credit("b", amount).await;
    }
    world.project().await;
    let rows = world.rows().await;
    for pages in 1..=7 {
        truncate(&world).await;
        let left = interrupted(&world, Scope::All, pages).await;
        assert!(left.progress.done < 16, "{pages} pages: {:?}", left.progress);
        // As after a kill: nobody has said that it was left, and the lease runs out.
        let kill = "UPDATE operations SET state = 'running' WHERE state = 'interrupted'";
        world.execute(kill).await;
        let recovery = world.recovery(2);
        let shown = recovery.operation(left.id).await.expect("an answer").expect("it is kept");
        assert_eq!(shown.state, OperationState::Interrupted);
        let resumed = recovery.resume_interrupted().await.expect("an answer").expect("resumed");
        assert_eq!(resumed.id, left.id);
        recovery.idle().await;
        let ended = recovery.operation(left.id).await.expect("an answer").expect("it is kept");
        assert_eq!(ended.state, OperationState::Done, "{:?}", ended.error);
        assert_eq!(tallies(&ended.report), [[0, 0, 16, 0], [0, 0, 3, 0]], "{pages} pages");
        let progress = ended.progress;
        assert_eq!((progress.done, progress.total, progress.wallets), (16, 16, 3));
        assert_eq!(world.rows().await, rows, "{pages} pages");
        assert_eq!(recovery.resume_interrupted().await.expect("an answer"), None);
    }
}

async fn an_interrupted_rebuild_of_a_part_goes_on_behind_its_last_page(database: TempDatabase) {
    let mut world = World::projected(database, 1).await;
    for amount in 1..=9 {
        world.credit("b", amount).await;
    }
    world.project().await;
    // Behind the seventh position are the nine credits alone, which are `b`'s.
    let behind = Scope::Since(ShardPosition { shard: 0, position: 8 });
    for (scope, total) in [(Scope::Wallet(key("b")), 11), (behind, 9)] {
        truncate(&world).await;
        let left = interrupted(&world, scope.clone(), 2).await;
        assert_eq!((left.progress.done, left.progress.total), (4, total), "{scope:?}");
        // The second time as after a kill behind the last page.
        for state in ["interrupted", "done"] {
            let kill =
                format!("UPDATE operations SET state = 'interrupted' WHERE state = '{state}'");
            world.execute(&kill).await;
            let recovery = world.recovery(2);
            let resumed = recovery.resume_interrupted().await.expect("an answer");
            assert_eq!(resumed.expect("resumed").id, left.id);
            recovery.idle().await;
            let ended = recovery.operation(left.id).await.expect("an answer").expect("kept");
            assert_eq!(ended.state, OperationState::Done, "{:?}", ended.error);
            assert_eq!(tallies(&ended.report), [[0, 0, 11, 0], [0, 0, 1, 0]], "{scope:?}");
            assert_eq!((ended.progress.done, ended.progress.wallets), (11, 1), "{scope:?}");
        }
        world.execute("DELETE FROM operations").await;
    }
}

async fn a_rebuild_of_other_projectors_begins_anew(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let rows = world.rows().await;
    truncate(&world).await;
    let watched = Watched::new(0);
    let recovery = world.recovery_of_ledger(&watched, 2);
    let left = interrupted_of(&recovery, Scope::All, &watched, 1).await;
    assert_eq!(tallies(&left.report), [[0, 0, 2, 0], [0, 0, 0, 0]]);
    let resumed = world.operate(OperationKind::Rebuild, Scope::All, 2).await;
    assert_eq!(resumed.id, left.id);
    assert_eq!(tallies(&resumed.report), [[2, 0, 5, 0], [0, 0, 3, 0]]);
    assert_eq!((resumed.progress.done, resumed.progress.wallets), (7, 3));
    assert_eq!(world.rows().await, rows);
}

async fn a_projector_that_moves_on_within_a_wallet_is_caught_up_with(database: TempDatabase) {
    let mut world = World::sharded(database, 1).await;
    world.open("w", 100).await;
    for amount in 1..=6 {
        world.credit("w", amount).await;
    }
    world.execute("UPDATE projector_checkpoints SET position = 1").await;
    let left = interrupted(&world, Scope::All, 2).await;
    assert_eq!(left.progress.done, 4, "three of them are in the future");
    assert_eq!(tallies(&left.report), [[0, 0, 1, 0], [0, 0, 0, 0]]);
    // The read model has no row yet: its projector begins at the first event.
    world.execute("UPDATE projector_checkpoints SET position = 0").await;
    world.project().await;
    let rows = world.rows().await;
    let resumed = world.operate(OperationKind::Rebuild, Scope::All, 2).await;
    assert_eq!(resumed.id, left.id);
    assert_eq!(tallies(&resumed.report), [[6, 0, 1, 0], [1, 0, 0, 0]]);
    assert_eq!((resumed.progress.done, resumed.progress.wallets), (7, 1));
    assert_eq!(world.rows().await, rows);
    world.projections_are_right().await;
}

async fn one_wallet_alone_is_rebuilt(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let rows = world.rows().await;
    for page in [1, 2, 100] {
        truncate(&world).await;
        let scope = Scope::Wallet(key("b"));
        let operation = world.operate(OperationKind::Rebuild, scope.clone(), page).await;
        assert_eq!(operation.scope, scope);
        assert_eq!(tallies(&operation.report), [[0, 0, 2, 0], [0, 0, 1, 0]], "pages of {page}");
        assert_eq!((operation.progress.done, operation.progress.total), (2, 2));
        let expected: Vec<_> = rows.iter().filter(|r| r.starts_with("0 default b ")).collect();
        assert_eq!(world.rows().await.iter().collect::<Vec<_>>(), expected, "pages of {page}");
    }
}

async fn wallets_with_events_behind_a_position_are_rebuilt(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    for page in [1, 2, 100] {
        truncate(&world).await;
        // `c` has its last event at 5; `a` and `b` move at 6 and 7.
        let scope = Scope::Since(ShardPosition { shard: 0, position: 6 });
        let operation = world.operate(OperationKind::Rebuild, scope, page).await;
        assert_eq!(tallies(&operation.report), [[0, 0, 5, 0], [0, 0, 2, 0]], "pages of {page}");
        assert_eq!(world.number("SELECT count(*) FROM wallets WHERE wallet_id = 'c'").await, 0);
        let scope = Scope::Since(ShardPosition { shard: 0, position: 0 });
        let operation = world.operate(OperationKind::Rebuild, scope, page).await;
        assert_eq!(tallies(&operation.report), [[5, 0, 2, 0], [2, 0, 1, 0]], "pages of {page}");
    }
    world.projections_are_right().await;
}

async fn commands_and_projectors_go_on_beneath(database: TempDatabase) {
    let mut world = World::filled(database, 3).await;
    let workers = world.workers("a").await;
    let recovery = world.recovery(3);
    let operations = async {
        let mut reports = Vec::new();
        for _ in 0..5 {
            for kind in [OperationKind::Rebuild, OperationKind::Drift] {
                let begun = recovery.begin(kind, Scope::All).await.expect("begun");
                recovery.idle().await;
                let ended = recovery.operation(begun.id).await.expect("an answer");
                reports.push(ended.expect("it is kept").report);
            }
        }
        reports
    };
    let commands = async {
        for amount in 1..=20 {
            world.credit("c", amount).await;
            world.transfer("b", "a", 1).await;
        }
    };
    let (reports, ()) = tokio::join!(operations, commands);
    for report in reports {
        assert_eq!(seen(&report), []);
        for totals in report.trial_balance {
            let sides = [totals.write_side, totals.read_model, totals.ledger];
            assert_eq!(sides, [totals.events(); 3]);
            assert_eq!(totals.transfers_in, totals.transfers_out);
        }
    }
    workers.shutdown().await;
    world.project().await;
    assert_eq!(world.parked().await, 0);
    world.projections_are_right().await;
}
