//! A drift check names what is not as the events say; a rebuild of the same puts it right.

use sea_orm::ConnectionTrait as _;
use wallex_database::Row;
use wallex_ports::{CurrencyTotals, Place};
use wallex_testkit::{Backend, TempDatabase, on_both_databases};

use super::fixture::World;
use super::recovery::{Seen, broken_links, seen, tallies};

on_both_databases!(
    a_clean_database_has_no_differences_and_a_balanced_trial_balance,
    a_changed_balance_is_found_and_repaired,
    a_wallets_row_that_can_not_be_read_is_found_and_repaired,
    a_deleted_wallet_is_found_and_added,
    an_added_wallet_is_found_and_removed,
    a_line_that_can_not_be_read_is_found_and_repaired,
    a_changed_line_is_found_and_repaired,
    a_deleted_line_is_found_and_added,
    an_added_line_is_found_and_removed,
    a_line_that_took_the_event_of_another_gives_it_back,
    a_changed_event_is_found_and_nothing_behind_it_is_touched,
    a_deleted_event_is_found_and_nothing_behind_it_is_touched,
    an_event_that_can_not_be_decoded_is_found,
    a_changed_write_side_is_found_and_left_to_people,
    a_break_hides_nothing_of_other_wallets_and_nothing_before_it,
    an_edited_event_breaks_the_chain_whatever_was_edited,
    a_broken_link_names_the_hash_that_stands_and_the_one_that_should,
    a_missing_version_is_named,
    a_forged_event_shows_at_the_one_behind_it,
    a_changed_last_hash_is_found,
    the_trial_balance_shows_what_is_off,
    differences_of_every_shard_are_found,
);

/// Page sizes that cut the seven events everywhere, and nowhere.
const PAGES: [u32; 4] = [1, 2, 3, 100];
const READ_MODEL: Place = Place::ReadModel;
const LEDGER: Place = Place::Ledger;

/// Damages a projection by `sql`: a drift check must see exactly `expected`, and a rebuild must
/// leave every row as it was, and count `[ledger, read model]`.
async fn is_healed(
    database: TempDatabase,
    sql: &[&str],
    expected: &[Seen<'_>],
    tally: [[u64; 4]; 2],
) {
    let world = World::projected(database, 1).await;
    let rows = world.rows().await;
    for page in PAGES {
        for sql in sql {
            world.execute(sql).await;
        }
        let damaged = world.rows().await;
        let found = world.drift(page).await;
        assert_eq!(seen(&found), expected, "pages of {page}");
        assert_eq!(broken_links(&found), [], "pages of {page}");
        assert_eq!(tallies(&found), tally, "pages of {page}");
        assert_eq!(world.rows().await, damaged, "a drift check changes nothing");
        let rebuilt = world.rebuild(page).await;
        assert_eq!(tallies(&rebuilt), tally, "pages of {page}");
        let told = seen(&rebuilt);
        assert!(told.iter().all(|told| expected.contains(told)), "pages of {page}: {told:?}");
        assert_eq!(world.rows().await, rows, "pages of {page}");
        assert_eq!(seen(&world.drift(page).await), []);
    }
}

pub(super) fn clean() -> CurrencyTotals {
    CurrencyTotals {
        currency: "USD".to_owned(),
        wallets: 3,
        openings: 300,
        credits: 42,
        debits: 30,
        transfers_in: 30,
        transfers_out: 30,
        write_side: 312,
        read_model: 312,
        ledger: 312,
    }
}

async fn a_clean_database_has_no_differences_and_a_balanced_trial_balance(database: TempDatabase) {
    let world = World::projected(database, 3).await;
    for page in PAGES {
        let found = world.drift(page).await;
        assert_eq!(found.differences, []);
        assert_eq!(tallies(&found), [[7, 0, 0, 0], [3, 0, 0, 0]]);
        assert_eq!(found.trial_balance, [clean()]);
        assert_eq!(found.trial_balance[0].events(), 312);
    }
}

async fn a_changed_balance_is_found_and_repaired(database: TempDatabase) {
    let sql = "UPDATE wallets SET balance = 76, owner_id = 'thief' WHERE wallet_id = 'a'";
    let expected = [
        ("a", READ_MODEL, None, "balance", Some("75"), Some("76"), Some(1)),
        ("a", READ_MODEL, None, "owner", Some("owner"), Some("thief"), None),
    ];
    is_healed(database, &[sql], &expected, [[7, 0, 0, 0], [2, 1, 0, 0]]).await;
}

async fn a_wallets_row_that_can_not_be_read_is_found_and_repaired(database: TempDatabase) {
    let sql = "UPDATE wallets SET currency = 'usd' WHERE wallet_id = 'a'";
    let error = "column currency can't be understood: must not contain 'u': a currency code is 3 to \
                 12 of A-Z 0-9 and begins with a letter";
    let row = Some("75 USD at version 3");
    let expected = [("a", READ_MODEL, None, "row", row, Some(error), None)];
    is_healed(database, &[sql], &expected, [[7, 0, 0, 0], [2, 1, 0, 0]]).await;
}

async fn a_deleted_wallet_is_found_and_added(database: TempDatabase) {
    let sql = "DELETE FROM wallets WHERE wallet_id = 'b'";
    let row = Some("130 USD at version 2");
    let expected = [("b", READ_MODEL, None, "row", row, None, Some(-130))];
    is_healed(database, &[sql], &expected, [[7, 0, 0, 0], [2, 0, 1, 0]]).await;
}

async fn an_added_wallet_is_found_and_removed(database: TempDatabase) {
    let add = |id: &str| {
        format!(
            "INSERT INTO wallets SELECT shard, tenant, '{id}', owner_id, currency, 9, version, \
             created_at_ms, updated_at_ms FROM wallets WHERE wallet_id = 'a'"
        )
    };
    let (first, between, last) = (add("0 invalid"), add("bb"), add("z"));
    let sql = [&*first, &*between, &*last];
    let row = Some("9 USD at version 3");
    let invalid = "column wallet_id can't be understood: must not contain ' ': \
                   only A-Z a-z 0-9 . _ : - are allowed";
    let expected = [
        ("0 invalid", READ_MODEL, None, "row", None, Some(invalid), None),
        ("bb", READ_MODEL, None, "row", None, row, Some(9)),
        ("z", READ_MODEL, None, "row", None, row, Some(9)),
    ];
    is_healed(database, &sql, &expected, [[7, 0, 0, 0], [3, 0, 0, 3]]).await;
}

async fn a_line_that_can_not_be_read_is_found_and_repaired(database: TempDatabase) {
    let sql = "UPDATE ledger_entries SET type = 'gift' WHERE wallet_id = 'c' AND version = 2";
    let line = Some("credit of 7 USD, 107 after it");
    let found = Some("column type can't be understood: \"gift\" is no type");
    let expected = [("c", LEDGER, Some(2), "row", line, found, None)];
    is_healed(database, &[sql], &expected, [[6, 1, 0, 0], [3, 0, 0, 0]]).await;
}

async fn a_changed_line_is_found_and_repaired(database: TempDatabase) {
    let sql = "UPDATE ledger_entries SET amount = 6, balance_after = 106, description = NULL, \
               reference = 'gift' WHERE wallet_id = 'a' AND version = 2";
    let expected = [
        ("a", LEDGER, Some(2), "description", Some("rent"), None, None),
        ("a", LEDGER, Some(2), "reference", Some("invoice-7"), Some("gift"), None),
        ("a", LEDGER, Some(2), "amount", Some("5"), Some("6"), Some(1)),
        ("a", LEDGER, Some(2), "balance_after", Some("105"), Some("106"), Some(1)),
    ];
    is_healed(database, &[sql], &expected, [[6, 1, 0, 0], [3, 0, 0, 0]]).await;
}

async fn a_deleted_line_is_found_and_added(database: TempDatabase) {
    let sql = "DELETE FROM ledger_entries WHERE wallet_id = 'a' AND version = 3";
    let line = Some("transfer_out of 30 USD, 75 after it");
    let expected = [("a", LEDGER, Some(3), "row", line, None, Some(30))];
    is_healed(database, &[sql], &expected, [[6, 0, 1, 0], [3, 0, 0, 0]]).await;
}

/// A line like that of `c`'s credit, in another place.
pub(super) fn line(wallet: &str, version: i64, event: &str) -> String {
    format!(
        "INSERT INTO ledger_entries SELECT shard, tenant, '{wallet}', {version}, position, {event}, \
         type, amount, balance_after, currency, description, reference, transfer_id, counterparty, \
         recorded_at_ms FROM ledger_entries WHERE wallet_id = 'c' AND version = 2"
    )
}

/// The id of an event that nothing else has, as SQL.
pub(super) fn uuid(backend: Backend, number: usize) -> String {
    let text = format!("'00000000-0000-4000-8000-{number:012}'");
    match backend {
        Backend::Postgres => format!("CAST({text} AS uuid)"),
        Backend::Sqlite => text,
    }
}

async fn an_added_line_is_found_and_removed(database: TempDatabase) {
    let uuid = |number| uuid(database.backend(), number);
    let (behind, before) = (uuid(1), uuid(2));
    let (behind, before) = (line("b", 9, &behind), line("b", -1, &before));
    let found = Some("credit of 7 USD, 107 after it");
    let invalid =
        "column version can't be understood: out of range integral type conversion attempted";
    let expected = [
        ("b", LEDGER, None, "row", None, Some(invalid), None),
        ("b", LEDGER, Some(9), "row", None, found, Some(7)),
    ];
    is_healed(database, &[&behind, &before], &expected, [[7, 0, 0, 2], [3, 0, 0, 0]]).await;
}

async fn a_line_that_took_the_event_of_another_gives_it_back(database: TempDatabase) {
    let sql = "UPDATE ledger_entries SET wallet_id = 'z' WHERE wallet_id = 'c' AND version = 2";
    let line = Some("credit of 7 USD, 107 after it");
    let expected = [
        ("c", LEDGER, Some(2), "row", line, None, Some(-7)),
        ("z", LEDGER, Some(2), "row", None, line, Some(7)),
    ];
    is_healed(database, &[sql], &expected, [[6, 0, 1, 1], [3, 0, 0, 0]]).await;
}

/// Changes `a`'s events, whose rows a rebuild must then let be, and repairs those of `c`.
async fn breaks(database: TempDatabase, sql: &str, version: u64, error: &str, right: u64) {
    let world = World::projected(database, 1).await;
    let rows = world.rows().await;
    world.execute(sql).await;
    for page in PAGES {
        world.execute("DELETE FROM wallets WHERE wallet_id = 'c'").await;
        let found = world.drift(page).await;
        let (event, row) = (Some("an event that follows"), Some("107 USD at version 2"));
        let mut differences = seen(&found);
        differences.sort_by_key(|difference| difference.0);
        let expected = [
            ("a", Place::Events, Some(version), "event", event, Some(error), None),
            ("c", READ_MODEL, None, "row", row, None, Some(-107)),
        ];
        assert_eq!(differences, expected, "pages of {page}");
        let rebuilt = world.rebuild(page).await;
        assert_eq!(tallies(&rebuilt), [[right, 0, 0, 0], [1, 0, 1, 0]], "pages of {page}");
        assert_eq!(world.rows().await, rows, "pages of {page}");
        let totals = &found.trial_balance[0];
        let sides = (totals.write_side, totals.read_model, totals.ledger);
        assert_eq!(sides, (312, 205, 312), "what is held, whatever the events say");
    }
}

async fn a_changed_event_is_found_and_nothing_behind_it_is_touched(database: TempDatabase) {
    let payload = r#"{"amount":6,"balance":105,"currency":"USD"}"#;
    let sql =
        format!("UPDATE events SET payload = '{payload}' WHERE wallet_id = 'a' AND version = 2");
    let error = "version 2 records a balance of 105, its amount leads to 106";
    breaks(database, &sql, 2, error, 5).await;
}

async fn a_deleted_event_is_found_and_nothing_behind_it_is_touched(database: TempDatabase) {
    let sql = "DELETE FROM events WHERE wallet_id = 'a' AND version = 2";
    breaks(database, sql, 3, "version 3 came behind version 1", 5).await;
}

async fn an_event_that_can_not_be_decoded_is_found(database: TempDatabase) {
    let sql = "UPDATE events SET type = 'WalletFrozen' WHERE wallet_id = 'a' AND version = 3";
    breaks(database, sql, 3, "unknown event type \"WalletFrozen\"", 6).await;
}

async fn a_break_hides_nothing_of_other_wallets_and_nothing_before_it(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let rows = world.rows().await;
    world.execute("UPDATE events SET type = 'WalletFrozen' WHERE wallet_id = 'a'").await;
    let uuid = |number| uuid(world.database.backend(), number);
    let row = "INSERT INTO wallets SELECT shard, tenant, 'bb', owner_id, currency, 9, version, \
               created_at_ms, updated_at_ms FROM wallets WHERE wallet_id = 'b'";
    let added = [line("a", 0, &uuid(1)), line("b", 9, &uuid(2)), row.to_owned()];
    let (credit, wallet) = (Some("credit of 7 USD, 107 after it"), Some("9 USD at version 2"));
    let expected = [
        ("a", LEDGER, Some(0), "row", None, credit, Some(7)),
        ("b", LEDGER, Some(9), "row", None, credit, Some(7)),
        ("bb", READ_MODEL, None, "row", None, wallet, Some(9)),
    ];
    for page in PAGES {
        for sql in &added {
            world.execute(sql).await;
        }
        let found = world.drift(page).await;
        let mut told = seen(&found);
        told.retain(|difference| difference.1 != Place::Events);
        told.sort_by_key(|difference| difference.0);
        assert_eq!(told, expected, "pages of {page}");
        world.rebuild(page).await;
        assert_eq!(world.rows().await, rows, "pages of {page}");
    }
}

async fn a_changed_write_side_is_found_and_left_to_people(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let rows = world.rows().await;
    world
        .execute("UPDATE wallet_streams SET balance = 70, version = 4 WHERE wallet_id = 'a'")
        .await;
    world.execute("DELETE FROM wallet_streams WHERE wallet_id = 'b'").await;
    let add = "INSERT INTO wallet_streams SELECT shard, tenant, 'd', version, owner_id, currency, 1, \
               created_at_ms, updated_at_ms, last_hash FROM wallet_streams WHERE wallet_id = 'c'";
    world.execute(add).await;
    for page in PAGES {
        let (row, extra) = (Some("130 USD at version 2"), Some("1 USD at version 2"));
        let side = Place::WriteSide;
        let expected = [
            ("a", side, None, "balance", Some("75"), Some("70"), Some(-5)),
            ("a", side, None, "version", Some("3"), Some("4"), None),
            ("b", side, None, "row", row, None, Some(-130)),
            ("d", side, None, "row", None, extra, Some(1)),
        ];
        let found = world.drift(page).await;
        assert_eq!(seen(&found), expected, "pages of {page}");
        assert_eq!(found.trial_balance[0].write_side, 312 - 5 - 130 + 1);
        let rebuilt = world.rebuild(page).await;
        assert_eq!(tallies(&rebuilt), [[7, 0, 0, 0], [3, 0, 0, 0]]);
        assert_eq!(world.rows().await, rows);
    }
}

/// Every column that the hash covers, with an edit that no fold would notice.
const EDITS: [&str; 6] = [
    "event_id = '00000000-0000-4000-8000-000000000001'",
    "schema_version = 0",
    "type = 'WalletFrozen'",
    r#"payload = '{"amount":5,"balance":105,"currency":"USD","description":"gift"}'"#,
    r#"metadata = '{"correlationId":"other","causationId":"00000000-0000-4000-8000-000000000001"}'"#,
    "recorded_at_ms = recorded_at_ms + 1",
];

async fn an_edited_event_breaks_the_chain_whatever_was_edited(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    world.execute("CREATE TABLE sane AS SELECT * FROM events").await;
    for edit in EDITS {
        let sql = format!("UPDATE events SET {edit} WHERE wallet_id = 'a' AND version = 2");
        world.execute(&sql).await;
        for page in PAGES {
            let found = world.drift(page).await;
            let [(wallet, version, what)] = broken_links(&found)[..] else {
                panic!("one broken link, after {edit}, in pages of {page}: {found:?}");
            };
            assert_eq!((wallet, version), ("a", Some(2)), "{edit}");
            assert!(what.ends_with("was changed"), "{what}");
            world.rebuild(page).await;
        }
        world.execute("DELETE FROM events").await;
        world.execute("INSERT INTO events SELECT * FROM sane").await;
    }
}

async fn a_broken_link_names_the_hash_that_stands_and_the_one_that_should(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let sql = "SELECT hash FROM events WHERE wallet_id = 'a' AND version = 2";
    let row = world.db.read().query_one_raw(world.db.backend().statement(sql, [])).await;
    let hash = Row(row.expect("read").expect("a row")).hash("hash").expect("a hash").to_string();
    world.execute("UPDATE events SET schema_version = 0 WHERE wallet_id = 'a'").await;
    let found = world.drift(100).await;
    let link = found.differences.iter().find(|d| d.what == "hash" && d.version == Some(2));
    let link = link.expect("it is broken");
    let stands = format!("{}…: it, or the event before it, was changed", &hash[..12]);
    assert_eq!(link.found.as_deref(), Some(&*stands));
    let expected = link.expected.as_deref().expect("what it should be");
    assert_eq!(expected.chars().count(), 13, "{expected}");
    assert_ne!(expected[..12], hash[..12]);
}

async fn a_missing_version_is_named(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    world.execute("DELETE FROM events WHERE wallet_id = 'a' AND version = 2").await;
    world.execute("DELETE FROM events WHERE wallet_id = 'b' AND version = 1").await;
    for page in PAGES {
        let found = world.drift(page).await;
        let expected =
            [("a", Some(3), "version 2 is missing"), ("b", Some(2), "version 1 is missing")];
        assert_eq!(broken_links(&found), expected, "pages of {page}");
    }
}

async fn a_forged_event_shows_at_the_one_behind_it(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    // What the first of `b` hashes to is right for `b`, and not what stood before `a`'s second.
    let hash = "(SELECT hash FROM events WHERE wallet_id = 'b' AND version = 1)";
    let sql = format!("UPDATE events SET hash = {hash} WHERE wallet_id = 'a' AND version = 1");
    world.execute(&sql).await;
    for page in PAGES {
        let found = world.drift(page).await;
        let places: Vec<_> = broken_links(&found).iter().map(|link| (link.0, link.1)).collect();
        assert_eq!(places, [("a", Some(1)), ("a", Some(2))], "pages of {page}");
    }
}

async fn a_changed_last_hash_is_found(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let other = "(SELECT hash FROM events WHERE wallet_id = 'a' AND version = 2)";
    let sql = format!("UPDATE wallet_streams SET last_hash = {other} WHERE wallet_id = 'a'");
    world.execute(&sql).await;
    for page in PAGES {
        let found = world.drift(page).await;
        let [difference] = &found.differences[..] else { panic!("one, not {found:?}") };
        let told = (&*difference.wallet_id, difference.place, &*difference.what);
        assert_eq!(told, ("a", Place::WriteSide, "last_hash"), "pages of {page}");
    }
}

async fn the_trial_balance_shows_what_is_off(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    world.execute("UPDATE wallets SET balance = 1075 WHERE wallet_id = 'a'").await;
    world.execute("DELETE FROM ledger_entries WHERE wallet_id = 'c'").await;
    world.execute("DELETE FROM events WHERE wallet_id = 'b' AND version = 2").await;
    world.execute("DELETE FROM ledger_entries WHERE wallet_id = 'b' AND version = 2").await;
    for page in PAGES {
        let off = CurrencyTotals {
            credits: 12,
            transfers_in: 0,
            write_side: 312,
            read_model: 1312,
            ledger: 312 - 107 - 30,
            ..clean()
        };
        assert_eq!(world.drift(page).await.trial_balance, [off], "pages of {page}");
    }
}

async fn differences_of_every_shard_are_found(database: TempDatabase) {
    let world = World::projected(database, 3).await;
    let rows = world.rows().await;
    let shards = world.number("SELECT count(DISTINCT shard) FROM wallets").await;
    assert_eq!(shards, 3, "the wallets live in different shards");
    world.execute("UPDATE wallets SET balance = balance + 1").await;
    world.execute("DELETE FROM ledger_entries WHERE version = 2").await;
    let found = world.drift(2).await;
    assert_eq!(tallies(&found), [[4, 0, 3, 0], [0, 3, 0, 0]]);
    assert_eq!(tallies(&world.rebuild(2).await), [[4, 0, 3, 0], [0, 3, 0, 0]]);
    assert_eq!(world.rows().await, rows);
}
