//! What can't be applied is parked, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use wallex_domain::TenantId;
use wallex_ports::{DeadLetterError, DeadLetters as _, Replay};
use wallex_testkit::{TempDatabase, on_both_databases};

use super::batches::Answering;
use super::fixture::{World, key};
use crate::letters::{poison_of, postpone};
use crate::projector::Poison;
use crate::{ApplyError, Letters, Projector};

on_both_databases!(
    a_poison_event_parks_its_wallet_alone,
    an_event_that_is_gone_parks_its_wallet,
    a_row_that_contradicts_parks_its_wallet,
    a_line_that_contradicts_parks_its_wallet,
    an_event_that_goes_while_its_wallet_is_parked_is_told_to_be_gone,
    a_replay_ends_whatever_the_projector_says,
    a_wallet_goes_on_behind_its_last_event_that_was_left_out,
    replay_applies_what_waits_in_order,
    replay_goes_as_far_as_it_can,
    discarding_leaves_the_event_out_for_ever,
    a_creation_can_not_be_discarded,
    only_the_event_that_was_seen_is_discarded,
    a_replay_never_parks_a_wallet_further_back,
    a_letter_before_its_checkpoint_keeps_its_own_error,
    a_hole_in_a_history_is_discarded_and_not_the_event_behind_it,
    letters_are_listed_page_by_page_and_found_in_their_shard,
);

/// Three wallets; the third event of `bad` is replaced by what can't be applied, before anything is
/// projected.
async fn poisoned(database: TempDatabase, set: &str) -> World {
    let mut world = World::on(database).await;
    for wallet in ["a", "bad", "z"] {
        world.open(wallet, 100).await;
    }
    for amount in 1..=4 {
        for wallet in ["a", "bad", "z"] {
            world.credit(wallet, amount).await;
        }
    }
    world.execute("CREATE TABLE sane AS SELECT * FROM events").await;
    let edit = format!("UPDATE events SET {set} WHERE wallet_id = 'bad' AND version = 3");
    world.execute(&edit).await;
    world
}

async fn project(world: &World) {
    let workers = world.workers("a").await;
    world.caught_up("ledger").await;
    world.caught_up("read_model").await;
    workers.shutdown().await;
}

async fn cure(world: &World) {
    let (t, p) = ("(SELECT s.type FROM sane s", "(SELECT s.payload FROM sane s");
    let same = "WHERE s.wallet_id = events.wallet_id AND s.version = events.version)";
    let bad = "WHERE wallet_id = 'bad' AND version = 3";
    let sql = format!("UPDATE events SET type = {t} {same}, payload = {p} {same} {bad}");
    world.execute(&sql).await;
}

async fn lines(world: &World, wallet: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM ledger_entries WHERE wallet_id = '{wallet}'");
    world.number(&sql).await
}

async fn version(world: &World, wallet: &str) -> i64 {
    world.number(&format!("SELECT version FROM wallets WHERE wallet_id = '{wallet}'")).await
}

async fn a_poison_event_parks_its_wallet_alone(database: TempDatabase) {
    let world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    for wallet in ["a", "z"] {
        assert_eq!((lines(&world, wallet).await, version(&world, wallet).await), (5, 5));
    }
    assert_eq!((lines(&world, "bad").await, version(&world, "bad").await), (2, 2));
    let letters = world.letters().list(None, None, None, 10).await.expect("listed");
    let of: Vec<_> = letters.iter().map(|letter| letter.projector.as_str()).collect();
    assert_eq!(of, ["ledger", "read_model"]);
    for letter in &letters {
        assert_eq!((letter.version, letter.queued_events, letter.attempts), (3, 2, 1));
        assert!(letter.error.contains("WalletFrozen"), "{}", letter.error);
    }
    let behind = Some(("ledger", &key("bad")));
    let rest = world.letters().list(None, None, behind, 10).await.expect("listed");
    assert_eq!(rest, letters[1..]);
}

async fn an_event_that_is_gone_parks_its_wallet(database: TempDatabase) {
    let world = poisoned(database, "version = 3").await;
    world.execute("DELETE FROM events WHERE wallet_id = 'bad' AND version = 3").await;
    project(&world).await;
    assert_eq!((lines(&world, "z").await, lines(&world, "bad").await), (5, 2));
    let (letter, event) = world.letters().show("ledger", &key("bad")).await.expect("parked");
    assert_eq!((letter.version, event), (3, None));
    let replayed = world.letters().replay("ledger", &key("bad")).await.expect("tried");
    let Replay::StillParked(letter) = replayed else { panic!("{replayed:?}") };
    assert_eq!((letter.version, letter.attempts), (3, 2));
}

async fn a_row_that_contradicts_parks_its_wallet(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    world.open("other", 100).await;
    project(&world).await;
    world.execute("UPDATE wallets SET balance = 99 WHERE wallet_id = 'w'").await;
    world.credit("w", 10).await;
    world.credit("other", 10).await;
    project(&world).await;
    let letters = world.letters().list(None, None, None, 10).await.expect("listed");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].projector, "read_model");
    assert!(letters[0].error.contains("110"), "{}", letters[0].error);
    assert_eq!((lines(&world, "w").await, version(&world, "other").await), (2, 2));
    world.execute("UPDATE wallets SET balance = 100 WHERE wallet_id = 'w'").await;
    let replayed = world.letters().replay("read_model", &key("w")).await.expect("tried");
    assert_eq!(replayed, Replay::Applied { events: 1 });
    world.projections_are_right().await;
}

async fn a_line_that_contradicts_parks_its_wallet(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    project(&world).await;
    world.execute("UPDATE ledger_entries SET balance_after = 99").await;
    world.credit("w", 10).await;
    project(&world).await;
    let letters = world.letters().list(None, None, None, 10).await.expect("listed");
    let told: Vec<_> = letters.iter().map(|l| (l.projector.as_str(), l.version)).collect();
    assert_eq!(told, [("ledger", 2)]);
    assert_eq!((lines(&world, "w").await, version(&world, "w").await), (1, 2));
}

async fn an_event_that_goes_while_its_wallet_is_parked_is_told_to_be_gone(database: TempDatabase) {
    let world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    world.execute("DELETE FROM events WHERE wallet_id = 'bad' AND version = 3").await;
    let replayed = world.letters().replay("ledger", &key("bad")).await.expect("tried");
    let Replay::StillParked(letter) = replayed else { panic!("{replayed:?}") };
    assert_eq!((letter.version, letter.error.as_str()), (3, "the event is gone"));
}

/// A defect must not keep the checkpoint's row, and whoever asked, for ever.
async fn a_replay_ends_whatever_the_projector_says(database: TempDatabase) {
    let world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    let (before, _) = world.letters().show("ledger", &key("bad")).await.expect("parked");
    let poison = poison_of(&before);
    let answering = Answering::new(move |_| Err(ApplyError::Poison(vec![poison.clone()])));
    let letters = Letters::sql(Arc::clone(&world.db), Arc::new([answering as Arc<dyn Projector>]));
    let replayed = letters.replay("ledger", &key("bad")).await.expect("tried");
    assert_eq!(replayed, Replay::StillParked(Box::new(before)));
}

async fn a_wallet_goes_on_behind_its_last_event_that_was_left_out(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    world.credit("w", 1).await;
    world.execute("UPDATE events SET type = 'WalletFrozen' WHERE version = 2").await;
    project(&world).await;
    for projector in ["ledger", "read_model"] {
        let discarded = world.letters().discard(projector, &key("w"), 2, "a test").await;
        assert_eq!(discarded.expect("discarded"), Replay::Applied { events: 0 });
    }
    world.credit("w", 5).await;
    project(&world).await;
    assert_eq!(world.parked().await, 0);
    assert_eq!((lines(&world, "w").await, version(&world, "w").await), (2, 3));
    assert_eq!(world.number("SELECT balance FROM wallets").await, 106);
}

async fn replay_applies_what_waits_in_order(database: TempDatabase) {
    let mut world = poisoned(database, "payload = '{\"amount\": 2}'").await;
    project(&world).await;
    assert_eq!(world.parked().await, 2);
    let letters = world.letters();
    for attempts in 2..=3 {
        let replayed = letters.replay("ledger", &key("bad")).await.expect("tried");
        let Replay::StillParked(letter) = replayed else { panic!("{replayed:?}") };
        assert_eq!((letter.version, letter.attempts), (3, attempts));
    }
    // What comes meanwhile waits behind it.
    world.credit("bad", 9).await;
    project(&world).await;
    assert_eq!(lines(&world, "bad").await, 2);
    cure(&world).await;
    for projector in ["ledger", "read_model"] {
        let replayed = letters.replay(projector, &key("bad")).await.expect("tried");
        assert_eq!(replayed, Replay::Applied { events: 4 });
    }
    assert_eq!(world.parked().await, 0);
    world.projections_are_right().await;
    let again = letters.replay("ledger", &key("bad")).await;
    assert!(matches!(again, Err(DeadLetterError::NotParked)), "{again:?}");
    world.credit("bad", 1).await;
    project(&world).await;
    world.projections_are_right().await;
}

async fn replay_goes_as_far_as_it_can(database: TempDatabase) {
    let world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    cure(&world).await;
    world.execute("UPDATE events SET type = 'Odd' WHERE wallet_id = 'bad' AND version = 5").await;
    let replayed = world.letters().replay("ledger", &key("bad")).await.expect("tried");
    let Replay::StillParked(letter) = replayed else { panic!("{replayed:?}") };
    assert_eq!((letter.version, letter.attempts, letter.queued_events), (5, 1, 0));
    assert_eq!(lines(&world, "bad").await, 4);
}

async fn discarding_leaves_the_event_out_for_ever(database: TempDatabase) {
    let mut world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    for projector in ["ledger", "read_model"] {
        let discarded =
            world.letters().discard(projector, &key("bad"), 3, "frozen by mistake").await;
        assert_eq!(discarded.expect("discarded"), Replay::Applied { events: 2 });
    }
    assert_eq!(world.parked().await, 0);
    assert_eq!((lines(&world, "bad").await, version(&world, "bad").await), (4, 5));
    let balance = "SELECT balance FROM wallets WHERE wallet_id = 'bad'";
    assert_eq!(world.number(balance).await, 110, "the events behind it say so themselves");
    let recorded = "SELECT count(*) FROM discarded_events WHERE version = 3 \
                    AND reason = 'frozen by mistake' AND error LIKE '%WalletFrozen%'";
    assert_eq!(world.number(recorded).await, 2);
    world.credit("bad", 1).await;
    project(&world).await;
    assert_eq!((lines(&world, "bad").await, version(&world, "bad").await), (5, 6));
    assert_eq!(world.parked().await, 0);
}

async fn a_creation_can_not_be_discarded(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("bad", 100).await;
    world.execute("UPDATE events SET type = 'Odd'").await;
    project(&world).await;
    let discarded = world.letters().discard("ledger", &key("bad"), 1, "odd").await;
    assert!(matches!(discarded, Err(DeadLetterError::Creation)), "{discarded:?}");
    assert_eq!(world.parked().await, 2);
    let nobody = world.letters().discard("ledger", &key("nobody"), 1, "odd").await;
    assert!(matches!(nobody, Err(DeadLetterError::NotParked)), "{nobody:?}");
}

async fn only_the_event_that_was_seen_is_discarded(database: TempDatabase) {
    let world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    cure(&world).await;
    world.execute("UPDATE events SET type = 'Odd' WHERE wallet_id = 'bad' AND version = 5").await;
    world.letters().replay("ledger", &key("bad")).await.expect("it is at version 5 now");
    let discarded = world.letters().discard("ledger", &key("bad"), 3, "seen before").await;
    let Err(DeadLetterError::Moved(letter)) = discarded else { panic!("{discarded:?}") };
    assert_eq!((letter.version, letter.event_type.as_str()), (5, "Odd"));
    assert_eq!(world.number("SELECT count(*) FROM discarded_events").await, 0);
    assert_eq!(lines(&world, "bad").await, 4);
}

async fn a_replay_never_parks_a_wallet_further_back(database: TempDatabase) {
    let world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    let (letter, _) = world.letters().show("ledger", &key("bad")).await.expect("parked");
    let poison = |version: u64, error: &str| Poison {
        wallet: letter.wallet.clone(),
        version,
        position: letter.position,
        event_id: letter.event_id,
        event_type: letter.event_type.clone(),
        error: error.to_owned(),
    };
    // One replay has come to version 5 when another, which saw poison before, writes it down.
    for poison in [poison(5, "further on"), poison(4, "further back")] {
        let tx = world.db.begin().await.expect("begun");
        postpone(&tx, letter.shard, "ledger", &poison).await.expect("postponed");
        tx.commit().await.expect("committed");
    }
    let (letter, _) = world.letters().show("ledger", &key("bad")).await.expect("parked");
    assert_eq!((letter.version, letter.error.as_str()), (5, "further on"));
}

async fn a_letter_before_its_checkpoint_keeps_its_own_error(database: TempDatabase) {
    let world = poisoned(database, "type = 'WalletFrozen'").await;
    project(&world).await;
    let (before, _) = world.letters().show("ledger", &key("bad")).await.expect("parked");
    world.execute("UPDATE projector_checkpoints SET position = 0").await;
    let replayed = world.letters().replay("ledger", &key("bad")).await.expect("tried");
    assert_eq!(replayed, Replay::StillParked(Box::new(before)));
}

async fn a_hole_in_a_history_is_discarded_and_not_the_event_behind_it(database: TempDatabase) {
    let mut world = poisoned(database, "version = 3").await;
    for table in ["events", "outbox"] {
        let gone = format!("DELETE FROM {table} WHERE wallet_id = 'bad' AND version = 3");
        world.execute(&gone).await;
    }
    project(&world).await;
    let (letter, event) = world.letters().show("ledger", &key("bad")).await.expect("parked");
    assert_eq!((letter.version, event.is_some()), (4, true), "{}", letter.error);
    let discarded = world.letters().discard("ledger", &key("bad"), 4, "lost").await;
    assert_eq!(discarded.expect("discarded"), Replay::Applied { events: 2 });
    assert_eq!(lines(&world, "bad").await, 4, "all but the one that is gone");
    let recorded = "SELECT count(*) FROM discarded_events WHERE version = 3 AND reason = 'lost'";
    assert_eq!(world.number(recorded).await, 1);
    world.credit("bad", 1).await;
    project(&world).await;
    assert_eq!(lines(&world, "bad").await, 5);
}

async fn letters_are_listed_page_by_page_and_found_in_their_shard(database: TempDatabase) {
    let world = World::filled(database, 3).await;
    world.execute("UPDATE events SET type = 'WalletFrozen' WHERE version = 1").await;
    world.project().await;
    let letters = world.letters();
    let all = letters.list(None, None, None, 100).await.expect("listed");
    assert_eq!(all.len(), 6, "three wallets, in two projections");
    assert!(all.iter().map(|letter| letter.shard).collect::<BTreeSet<_>>().len() > 1);
    let tenant = TenantId::default();
    for projector in [None, Some("read_model")] {
        let mut paged = Vec::new();
        loop {
            let last = paged
                .last()
                .map(|last: &wallex_ports::DeadLetter| (last.projector.as_str(), &last.wallet));
            let page = letters.list(Some(&tenant), projector, last, 2).await.expect("listed");
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 2);
            paged.extend(page);
        }
        let wanted = all.iter().filter(|letter| projector.is_none_or(|p| p == letter.projector));
        assert!(paged.iter().eq(wanted), "{paged:?}");
    }
    for letter in &all {
        let (found, event) =
            letters.show(&letter.projector, &letter.wallet).await.expect("it is parked");
        assert_eq!((&found, event.is_some()), (letter, true));
    }
}
