//! Projections are checked, put right and settled from the command line and over HTTP, while the
//! server runs.

use serde_json::{Value, json};
use wallex_testkit::{
    Backend, Client, Inspector, Server, ServerBuilder, TempDatabase, eventually, on_both_databases,
};

use crate::support::create;

on_both_databases!(
    drift_finds_what_was_changed_and_rebuild_puts_it_right,
    truncated_projections_are_filled_while_commands_go_on,
    a_parked_wallet_is_shown_replayed_and_discarded,
    the_outbox_is_cleaned_of_what_all_have_processed,
    a_killed_rebuild_goes_on_where_it_stood,
);

/// What a command printed, and how it ended.
async fn run(database: &TempDatabase, arguments: &[&str]) -> (i32, String) {
    let command = ServerBuilder::new(arguments).env("DATABASE_URL", database.url());
    let mut command = command.env("WALLEX_LOG", "error").spawn();
    let status = command.wait().await;
    (status.code().expect("it ended by itself"), command.logs())
}

/// The JSON document that a command printed. What it complained of on stderr may stand anywhere in
/// between: the two streams are read at the same time.
fn document(printed: &str) -> Value {
    let lines: Vec<&str> = printed.lines().filter(|line| !line.starts_with("wallex: ")).collect();
    let document = lines.join("\n");
    serde_json::from_str(&document).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

async fn some_wallets(client: &Client) {
    for n in 0..12 {
        create(client, &format!("wallet-{n}"), 100).await;
    }
    for n in 0..11 {
        let to = json!({ "toWalletId": format!("wallet-{}", n + 1), "amount": 10 });
        client.post(&format!("/wallets/wallet-{n}/transfer"), &to).await.is(200);
    }
}

async fn drift_finds_what_was_changed_and_rebuild_puts_it_right(database: TempDatabase) {
    let server = Server::start(&database).await;
    some_wallets(server.client()).await;
    let inspector = Inspector::open(&database).await;
    inspector.projected().await;
    let (code, printed) = run(&database, &["drift", "--quiet", "--json"]).await;
    assert_eq!(code, 0, "{printed}");
    assert_eq!(document(&printed)["report"]["trialBalance"][0]["balances"], true);

    inspector.execute("UPDATE wallets SET balance = 9 WHERE wallet_id = 'wallet-3'").await;
    inspector
        .execute("DELETE FROM ledger_entries WHERE wallet_id = 'wallet-4' AND version = 2")
        .await;
    let (code, printed) = run(&database, &["drift", "--quiet", "--json"]).await;
    assert_eq!(code, 1, "{printed}");
    let report = document(&printed)["report"].clone();
    assert_eq!(report["differencesTotal"], 2, "{report}");
    let found = report["differences"].as_array().expect("a list");
    let wallet = found.iter().find(|d| d["walletId"] == "wallet-3").expect("it is named");
    assert_eq!((&wallet["place"], &wallet["what"]), (&json!("read_model"), &json!("balance")));
    assert_eq!((&wallet["expected"], &wallet["found"]), (&json!("100"), &json!("9")));
    assert!(found.iter().any(|d| d["walletId"] == "wallet-4" && d["place"] == "ledger"));

    let (code, printed) = run(&database, &["rebuild", "--quiet", "--json"]).await;
    assert_eq!(code, 0, "{printed}");
    let report = document(&printed)["report"].clone();
    let table = |name: &str| {
        let tables = report["tables"].as_array().expect("a list");
        tables.iter().find(|table| table["projector"] == name).expect("it is there").clone()
    };
    assert_eq!((&table("ledger")["added"], &table("ledger")["right"]), (&json!(1), &json!(33)));
    let repaired = (&table("read_model")["repaired"], &table("read_model")["right"]);
    assert_eq!(repaired, (&json!(1), &json!(11)));
    inspector.projected().await;
}

async fn truncated_projections_are_filled_while_commands_go_on(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    some_wallets(client).await;
    let inspector = Inspector::open(&database).await;
    inspector.projected().await;
    inspector.execute("DELETE FROM wallets").await;
    inspector.execute("DELETE FROM ledger_entries").await;
    let began = client.post_text("/admin/recovery/rebuild", "").await;
    let operation = began.is(202);
    let path = began.header("location").expect("where to look").to_owned();
    assert_eq!(operation["kind"], "rebuild");
    for n in 20..40 {
        create(client, &format!("wallet-{n}"), 1).await;
    }
    let done = eventually("the rebuild is done", async || {
        let operation = client.get(&path).await.is(200);
        (operation["state"] != "running").then_some(operation)
    })
    .await;
    assert_eq!(done["state"], "done", "{done}");
    inspector.projected().await;
    let (code, printed) = run(&database, &["drift", "--quiet"]).await;
    assert_eq!(code, 0, "{printed}");
}

async fn a_parked_wallet_is_shown_replayed_and_discarded(database: TempDatabase) {
    let inspector = {
        let off = ServerBuilder::on(&database).env("PROJECTORS_AUTO_START", "false");
        let server = off.start().await;
        let client = server.client();
        create(client, "good", 100).await;
        create(client, "bad", 100).await;
        for amount in [1, 2, 3] {
            let body = json!({ "amount": amount });
            client.post("/wallets/bad/credit", &body).await.is(200);
        }
        Inspector::open(&database).await
    };
    let damage = "UPDATE events SET type = 'Odd' WHERE wallet_id = 'bad' AND version = 3";
    inspector.execute(damage).await;
    let server = Server::start(&database).await;
    let client = server.client();
    let letters = eventually("both have parked it", async || {
        let page = client.get("/admin/dead-letters").await.is(200);
        let letters = page["items"].as_array().expect("a list").clone();
        (letters.len() == 2).then_some(letters)
    })
    .await;
    assert!(letters.iter().all(|letter| letter["walletId"] == "bad" && letter["version"] == 3));
    client.get("/wallets/good?consistency=eventual").await.is(200);
    // The wallet itself works.
    client.post("/wallets/bad/credit", &json!({ "amount": 4 })).await.is(200);

    let (code, printed) = run(&database, &["dead-letters", "show", "ledger", "bad"]).await;
    assert!(code == 0 && printed.contains("Odd"), "{printed}");
    let (code, printed) = run(&database, &["dead-letters", "replay", "ledger", "bad"]).await;
    assert_eq!(code, 1, "{printed}");
    let discard = ["dead-letters", "discard", "ledger", "bad"];
    let (code, printed) = run(&database, &discard).await;
    assert_eq!(code, 2, "{printed}");
    let confirmed = [&discard[..], &["--yes", "--version", "3", "--reason", "a test"]].concat();
    let (code, printed) = run(&database, &confirmed).await;
    assert_eq!(code, 0, "{printed}");
    let lines = "SELECT count(*) AS n FROM ledger_entries WHERE wallet_id = 'bad'";
    eventually("all but one are there", async || {
        (inspector.number(lines).await == 4).then_some(())
    })
    .await;

    let cure = "UPDATE events SET type = 'WalletCredited' WHERE type = 'Odd'";
    inspector.execute(cure).await;
    let replayed = client.post_text("/admin/dead-letters/read_model/bad/replay", "").await.is(200);
    assert_eq!(replayed["outcome"], "applied", "{replayed}");
    let wallet = client.get("/wallets/bad?consistency=eventual&minVersion=5").await.is(200);
    assert_eq!(wallet["balance"], 110);
    client
        .post_text("/admin/dead-letters/read_model/bad/replay", "")
        .await
        .is_problem(404, "dead-letter-not-found");
}

async fn the_outbox_is_cleaned_of_what_all_have_processed(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    some_wallets(client).await;
    let inspector = Inspector::open(&database).await;
    inspector.projected().await;
    client.post_text("/admin/projectors/ledger/stop", "").await.is(200);
    create(client, "late", 1).await;
    client.get("/wallets/late?consistency=eventual").await.is(200);
    let (code, printed) = run(&database, &["outbox", "cleanup", "--older-than-hours", "0"]).await;
    assert_eq!(code, 0, "{printed}");
    let rows = "SELECT count(*) AS n FROM outbox";
    assert_eq!(inspector.number(rows).await, 1, "the ledger has not seen it yet");
    let unprocessed = "SELECT count(*) AS n FROM outbox_unprocessed WHERE projector = 'ledger'";
    assert_eq!(inspector.number(unprocessed).await, 1);
    client.post_text("/admin/projectors/ledger/start", "").await.is(200);
    inspector.projected().await;
}

/// One wallet that was created, and `more` like it, written as their commands would have written
/// them; the projectors have passed them all, and their tables are empty.
async fn many_wallets_unprojected(database: &TempDatabase, more: u32) -> Inspector {
    let mut server = Server::start(database).await;
    create(server.client(), "w", 100).await;
    let inspector = Inspector::open(database).await;
    inspector.projected().await;
    server.terminate();
    server.wait().await;
    let uuid = "'00000000-0000-4000-8000-000000' || CAST(100000 + n AS text)";
    let uuid = match database.backend() {
        Backend::Postgres => format!("CAST({uuid} AS uuid)"),
        Backend::Sqlite => uuid.to_owned(),
    };
    let numbers = format!(
        "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {more}) \
         SELECT n FROM s) s"
    );
    let id = "'w-' || CAST(100000 + n AS text)";
    for statement in [
        format!(
            "INSERT INTO events SELECT shard, tenant, {id}, version, position + n, {uuid}, type, \
             schema_version, payload, metadata, recorded_at_ms, hash FROM events, {numbers}"
        ),
        format!(
            "INSERT INTO wallet_streams SELECT shard, tenant, {id}, version, owner_id, currency, \
             balance, created_at_ms, updated_at_ms, last_hash FROM wallet_streams, {numbers}"
        ),
        format!("UPDATE shard_heads SET position = position + {more}"),
        format!("UPDATE projector_checkpoints SET position = position + {more}"),
        "DELETE FROM wallets".to_owned(),
        "DELETE FROM ledger_entries".to_owned(),
    ] {
        inspector.execute(&statement).await;
    }
    inspector
}

async fn a_killed_rebuild_goes_on_where_it_stood(database: TempDatabase) {
    let inspector = many_wallets_unprojected(&database, 12_000).await;
    let rebuild = ServerBuilder::new(&["rebuild", "--quiet"]).env("DATABASE_URL", database.url());
    let mut rebuild = rebuild.spawn();
    let begun = "SELECT count(*) AS n FROM operations WHERE progress NOT LIKE '%\"done\":0,%'";
    eventually("a page is done", async || (inspector.number(begun).await == 1).then_some(())).await;
    rebuild.kill_nine();
    let rows = inspector.number("SELECT count(*) AS n FROM wallets").await;
    assert!((1..12_001).contains(&rows), "it was killed in the middle: {rows}");
    let more_lines = "SELECT (SELECT count(*) FROM ledger_entries) \
                      - (SELECT count(*) FROM wallets) AS n";
    let more_lines = inspector.number(more_lines).await;
    assert_eq!(more_lines, 1, "a page is whole; its last wallet waits for the next");

    let (code, printed) = run(&database, &["rebuild", "--quiet"]).await;
    assert!(code == 1 && printed.contains("is running already"), "{printed}");
    // As after ten seconds.
    inspector.execute("UPDATE operations SET lease_until_ms = 0").await;
    let (code, printed) = run(&database, &["rebuild", "--quiet", "--json"]).await;
    assert_eq!(code, 0, "{printed}");
    assert_eq!(inspector.number("SELECT count(*) AS n FROM operations").await, 1, "the same");
    let operation = document(&printed);
    assert_eq!((&operation["state"], &operation["kind"]), (&json!("done"), &json!("rebuild")));
    assert_eq!(operation["progress"]["done"], 12_001);
    for table in operation["report"]["tables"].as_array().expect("a list") {
        assert_eq!((&table["added"], &table["right"]), (&json!(12_001), &json!(0)), "{table}");
    }
    let (code, printed) = run(&database, &["drift", "--quiet", "--json"]).await;
    assert_eq!(code, 1, "{printed}");
    let report = document(&printed)["report"].clone();
    // The wallets that were made up by SQL have the hash of the one that they were made from.
    assert_eq!(report["differencesTotal"], 12_000, "{}", report["differences"][0]);
    for table in report["tables"].as_array().expect("a list") {
        let wrong = (&table["repaired"], &table["added"], &table["removed"]);
        assert_eq!((&table["right"], wrong), (&json!(12_001), (&json!(0), &json!(0), &json!(0))));
    }
    inspector.projected().await;
}
