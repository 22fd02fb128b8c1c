//! Projections follow the commands, and never stand in their way.

use serde_json::{Value, json};
use wallex_testkit::{
    ApiKey, Client, Inspector, Server, ServerBuilder, TempDatabase, block_on, eventually,
    on_both_databases,
};

use crate::support::{all_at_once, create, opening};

on_both_databases!(
    what_was_just_done_can_be_read_from_the_projections,
    a_broken_ledger_stands_in_nobody_s_way,
    commands_work_while_nothing_projects,
    a_stopped_projector_is_seen_and_started_over_http,
    projectors_are_started_by_hand_where_they_do_not_start_by_themselves,
    a_worker_projects_without_an_api,
    a_worker_shows_what_it_does_and_nothing_else,
    a_killed_server_leaves_nothing_doubled_or_skipped,
);

/// The rows of one projector, as `/admin/projectors` has them.
async fn projector(client: &Client, name: &str) -> Value {
    let all = client.get("/admin/projectors").await.is(200);
    let rows = all["items"].as_array().expect("a list");
    rows.iter().find(|row| row["name"] == name).expect("it is there").clone()
}

async fn what_was_just_done_can_be_read_from_the_projections(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    for n in 0..20 {
        let id = format!("wallet-{n}");
        let created = create(client, &id, 100).await;
        // Never a 404 on what was just created.
        let read = client.get(&format!("/wallets/{id}?consistency=eventual")).await;
        assert_eq!(read.is(200), created);
        assert!(read.header("Wallex-Projection-Position").is_some());
        let path = format!("/wallets/{id}/ledger?minVersion=1");
        assert_eq!(client.get(&path).await.is(200)["items"][0]["type"], "opening");
    }
    let body = json!({ "toWalletId": "wallet-1", "amount": 30, "reference": "inv-7" });
    let moved = client.post("/wallets/wallet-0/transfer", &body).await.is(200);
    let id = moved["transferId"].as_str().expect("an id");
    let transfer = client.get(&format!("/transfers/{id}")).await.is(200);
    assert_eq!(transfer["amount"], 30);
    assert_eq!(transfer["from"]["balanceAfter"], 70);
    assert_eq!(transfer["to"]["balanceAfter"], 130);
    let read = client.get("/wallets/wallet-1?consistency=eventual&minVersion=2").await.is(200);
    assert_eq!(read["balance"], 130);
    let page = client.get("/wallets?ownerId=owner-1&limit=200").await.is(200);
    assert_eq!(page["items"].as_array().expect("a list").len(), 20);
    Inspector::open(&database).await.projected().await;
}

async fn a_broken_ledger_stands_in_nobody_s_way(database: TempDatabase) {
    let server = Server::start(&database).await;
    let inspector = Inspector::open(&database).await;
    create(server.client(), "before", 100).await;
    let load = |name: &'static str| {
        let client = server.client().clone();
        async move {
            let creates = (0..200).map(|n| {
                let client = client.clone();
                async move {
                    client.post("/wallets", &opening(&format!("{name}-{n}"), 100)).await.status
                }
            });
            all_at_once(creates).await
        }
    };
    let breaking = async {
        inspector.execute("ALTER TABLE ledger_entries RENAME TO ledger_away").await;
    };
    let (statuses, ()) = tokio::join!(load("while-it-breaks"), breaking);
    assert!(statuses.iter().all(|status| status.as_u16() == 201), "{statuses:?}");
    // The rename may have come behind all of them.
    create(server.client(), "into-the-broken", 100).await;
    eventually("the ledger fails", async || {
        (projector(server.client(), "ledger").await["state"] == "failing").then_some(())
    })
    .await;
    let broken = load("while-it-is-broken").await;
    assert!(broken.iter().all(|status| status.as_u16() == 201), "{broken:?}");
    let path = "/wallets/while-it-is-broken-7?consistency=eventual";
    assert_eq!(server.client().get(path).await.is(200)["balance"], 100);
    let mending = async {
        inspector.execute("ALTER TABLE ledger_away RENAME TO ledger_entries").await;
    };
    let (statuses, ()) = tokio::join!(load("while-it-mends"), mending);
    assert!(statuses.iter().all(|status| status.as_u16() == 201), "{statuses:?}");
    inspector.projected().await;
    assert_eq!(inspector.audit().await.len(), 602);
}

async fn commands_work_while_nothing_projects(database: TempDatabase) {
    let off = ServerBuilder::on(&database).env("PROJECTORS_AUTO_START", "false");
    let server = off.env("WALLEX_PROJECTION_WAIT_MS", "1").start().await;
    let client = server.client();
    create(client, "w", 100).await;
    client.post("/wallets/w/credit", &json!({ "amount": 5 })).await.is(200);
    assert_eq!(client.get("/wallets/w").await.is(200)["balance"], 105);
    client.get("/wallets/w?consistency=eventual").await.is_problem(504, "projection-behind");
    client.get("/wallets/nobody?consistency=eventual").await.is_problem(404, "wallet-not-found");
    let ledger = projector(client, "ledger").await;
    assert_eq!((&ledger["state"], &ledger["lagEvents"]), (&json!("unheld"), &json!(2)));
    let metrics = client.get("/metrics").await.text;
    assert!(metrics.lines().any(|line| line == "outbox_lag_events 2"), "{metrics}");
    drop(server);
    let server = Server::start(&database).await;
    assert_eq!(
        server.client().get("/wallets/w?consistency=eventual&minVersion=2").await.is(200)["balance"],
        105
    );
    Inspector::open(&database).await.projected().await;
}

async fn a_stopped_projector_is_seen_and_started_over_http(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    client.post_text("/admin/projectors/ledger/stop", "").await.is(200);
    eventually("nobody holds it", async || {
        projector(client, "ledger").await["holder"].is_null().then_some(())
    })
    .await;
    create(client, "w", 100).await;
    client.get("/wallets/w?consistency=eventual").await.is(200);
    let ledger = projector(client, "ledger").await;
    assert_eq!((&ledger["state"], &ledger["lagEvents"]), (&json!("stopped"), &json!(1)));
    drop(server);
    let server = Server::start(&database).await;
    let client = server.client();
    assert_eq!(projector(client, "ledger").await["state"], "stopped", "a restart starts nothing");
    client.post_text("/admin/projectors/ledger/start", "").await.is(200);
    Inspector::open(&database).await.projected().await;
    client
        .post_text("/admin/projectors/nobody/start", "")
        .await
        .is_problem(404, "projector-not-found");
}

async fn projectors_are_started_by_hand_where_they_do_not_start_by_themselves(
    database: TempDatabase,
) {
    let off = ServerBuilder::on(&database).env("PROJECTORS_AUTO_START", "false");
    let server = off.start().await;
    create(server.client(), "w", 100).await;
    for name in ["ledger", "read_model"] {
        let start = ServerBuilder::new(&["projectors", "start", name]);
        let mut start = start.env("DATABASE_URL", database.url()).spawn();
        assert!(start.wait().await.success(), "{}", start.logs());
    }
    Inspector::open(&database).await.projected().await;
}

async fn a_worker_projects_without_an_api(database: TempDatabase) {
    let off = ServerBuilder::on(&database).env("PROJECTORS_AUTO_START", "false");
    let server = off.start().await;
    create(server.client(), "w", 100).await;
    let worker = ServerBuilder::new(&["worker"]).env("DATABASE_URL", database.url());
    let mut worker = worker.spawn();
    let inspector = Inspector::open(&database).await;
    inspector.projected().await;
    create(server.client(), "other", 100).await;
    inspector.projected().await;
    worker.terminate();
    assert!(worker.wait().await.success(), "{}", worker.logs());
    assert!(projector(server.client(), "ledger").await["holder"].is_null());
}

async fn a_worker_shows_what_it_does_and_nothing_else(database: TempDatabase) {
    let off = ServerBuilder::on(&database).env("PROJECTORS_AUTO_START", "false");
    let server = off.start().await;
    let worker = || ServerBuilder::new(&["worker"]).env("DATABASE_URL", database.url());
    let mut refused = worker().env("WALLEX_WORKER_LISTEN", "0.0.0.0:0").spawn();
    assert_eq!(refused.wait().await.code(), Some(1));
    assert!(refused.logs().contains("wallex keys create"), "{}", refused.logs());
    let mut worker = worker().env("WALLEX_WORKER_LISTEN", "127.0.0.1:0").start().await;
    create(server.client(), "w", 100).await;
    create(server.client(), "other", 100).await;
    Inspector::open(&database).await.projected().await;
    let seen = worker.client();
    seen.get("/livez").await.is(200);
    // What it applied is counted where it was done.
    let applied = r#"wallex_projector_events_total{projector="ledger"} 2"#;
    let metrics = seen.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text.lines().any(|line| line == applied), "{}", metrics.text);
    for path in ["/wallets/w", "/admin/projectors", "/openapi.json", "/console"] {
        let problem = seen.get(path).await.is_problem(404, "route-not-found");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.contains("/livez, /readyz and /metrics"), "{detail}");
    }
    let key = ApiKey::create(&database, "default", "metrics:read", &[]).await;
    // The key counts as soon as the worker hears of it.
    eventually("a key is needed", async || {
        (seen.get("/metrics").await.status == 401).then_some(())
    })
    .await;
    assert_eq!(key.get(seen, "/metrics").await.status, 200);
    worker.terminate();
    assert!(worker.wait().await.success(), "{}", worker.logs());
}

async fn a_killed_server_leaves_nothing_doubled_or_skipped(database: TempDatabase) {
    let inspector = {
        let _migrated = Server::start(&database).await;
        Inspector::open(&database).await
    };
    for round in 0..3 {
        let mut server = Server::start(&database).await;
        let client = server.client().clone();
        let creates = (0..100).map(move |n| {
            let client = client.clone();
            async move {
                let body = opening(&format!("wallet-{round}-{n}"), 100);
                // The answer may be lost with the server.
                client.post("/wallets", &body).try_send().await.is_ok()
            }
        });
        let load = tokio::spawn(all_at_once(creates));
        let some = format!(
            "SELECT count(*) AS n FROM ledger_entries WHERE wallet_id LIKE 'wallet-{round}-%'"
        );
        eventually("some are projected", async || {
            (inspector.number(&some).await > 10).then_some(())
        })
        .await;
        server.kill_nine();
        load.await.expect("the clients end");
    }
    let _server = Server::start(&database).await;
    inspector.projected().await;
    inspector.audit().await;
}

/// Two servers on one PostgreSQL, the first of which holds the ledger's lease.
async fn holder_and_other(database: &TempDatabase) -> (Server, Server) {
    let (one, two) = (Server::start(database).await, Server::start(database).await);
    let holder = eventually("somebody holds it", async || {
        let holder = projector(one.client(), "ledger").await["holder"].clone();
        holder.as_str().map(str::to_owned)
    })
    .await;
    let is_one = holder.contains(&format!(":{}:", one.process_id()));
    if is_one { (one, two) } else { (two, one) }
}

#[test]
fn another_server_takes_over_from_a_killed_one() {
    block_on(async {
        let database = TempDatabase::postgres().await;
        let (mut holder, other) = holder_and_other(&database).await;
        create(holder.client(), "before", 100).await;
        holder.kill_nine();
        create(other.client(), "after", 100).await;
        Inspector::open(&database).await.projected().await;
    });
}

#[test]
fn a_frozen_holder_that_wakes_up_writes_nothing() {
    block_on(async {
        let database = TempDatabase::postgres().await;
        let (holder, other) = holder_and_other(&database).await;
        let inspector = Inspector::open(&database).await;
        for n in 0..50 {
            create(other.client(), &format!("before-{n}"), 100).await;
        }
        holder.freeze();
        for n in 0..50 {
            create(other.client(), &format!("after-{n}"), 100).await;
        }
        inspector.projected().await;
        holder.thaw();
        let pid = format!(":{}:", other.process_id());
        for n in 0..50 {
            create(holder.client(), &format!("later-{n}"), 100).await;
        }
        inspector.projected().await;
        let now = projector(other.client(), "ledger").await["holder"].to_string();
        assert!(now.contains(&pid), "{now}");
        assert_eq!(inspector.audit().await.len(), 150);
    });
}
