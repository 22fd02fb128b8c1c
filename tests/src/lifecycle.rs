//! Starting, stopping, and what is said when that does not work.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use wallex_testkit::{
    Inspector, PostgresOptions, PrivatePostgres, Server, ServerBuilder, TempDatabase, block_on,
    eventually, on_both_databases,
};

use crate::support::{all_at_once, balance, create, opening, with_wallets};

on_both_databases!(
    sigterm_under_load_finishes_what_was_accepted_and_exits_with_0,
    server_that_drains_is_not_ready_and_still_serves,
    ctrl_c_exits_with_0,
    without_auto_migrate_the_server_waits_for_the_migration,
    nodes_that_start_at_once_migrate_once,
    projections_that_were_taken_back_are_said_to_be_missing_and_come_again,
    migrations_go_down_and_up_again,
);

async fn sigterm_under_load_finishes_what_was_accepted_and_exits_with_0(database: TempDatabase) {
    let mut server = with_wallets(&database).await;
    let acknowledged = Arc::new(AtomicI64::new(0));
    let clients = (0..16).map(|_| {
        let (client, acknowledged) = (server.client().clone(), acknowledged.clone());
        async move {
            // Until the server no longer takes connections. It never breaks off what it took.
            loop {
                let credit = client.post("/wallets/w/credit", &json!({ "amount": 1 }));
                let Ok(answer) = credit.try_send().await else { break };
                match answer.status.as_u16() {
                    200 => acknowledged.fetch_add(1, Ordering::SeqCst),
                    503 => break,
                    _ => panic!("{answer:?}"),
                };
            }
        }
    });
    let load = tokio::spawn(all_at_once(clients.collect::<Vec<_>>()));
    eventually("some load", async || (acknowledged.load(Ordering::SeqCst) > 100).then_some(()))
        .await;
    server.terminate();
    assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
    load.await.expect("the clients end");
    let wallets = Inspector::open(&database).await.audit().await;
    let done = wallets["w"].balance() - 100;
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    // What was not read is not done, and whatever was done was answered.
    assert_eq!(done, acknowledged);
    assert!(!server.logs().contains("panicked"), "{}", server.logs());
}

async fn server_that_drains_is_not_ready_and_still_serves(database: TempDatabase) {
    let builder = ServerBuilder::on(&database).env("WALLEX_DRAIN_DELAY_MS", "3000");
    let mut server = builder.start().await;
    create(server.client(), "w", 1).await;
    server.terminate();
    let client = server.client().clone();
    let answer = eventually("the server is not ready", async || {
        let answer = client.get("/readyz").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    answer.is_problem(503, "shutting-down");
    client.get("/livez").await.is(200);
    client.post("/wallets/w/credit", &json!({ "amount": 1 })).await.is(200);
    assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
    assert_eq!(Inspector::open(&database).await.audit().await["w"].balance(), 2);
}

async fn ctrl_c_exits_with_0(database: TempDatabase) {
    let mut server = with_wallets(&database).await;
    server.interrupt();
    assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
}

async fn without_auto_migrate_the_server_waits_for_the_migration(database: TempDatabase) {
    let builder = ServerBuilder::on(&database).env("WALLEX_AUTO_MIGRATE", "false");
    let mut server = builder.start_unready().await;
    let client = server.client().clone();
    for _ in 0..2 {
        client.get("/readyz").await.is_problem(503, "database-not-migrated");
        client.get("/livez").await.is(200);
        let refused = client.post("/wallets", &opening("w", 1)).key("key-1").await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(client.get("/wallets/w").await.status, 503);
    }
    migrate(&database, "up").await;
    server.ready().await;
    client.post("/wallets", &opening("w", 1)).key("key-1").await.is(201);
    Inspector::open(&database).await.audit().await;
}

/// Runs `wallex migrate …`, and returns what it printed.
async fn migrate(database: &TempDatabase, arguments: &str) -> String {
    let arguments: Vec<&str> = ["migrate"].into_iter().chain(arguments.split(' ')).collect();
    let mut process = ServerBuilder::new(&arguments).env("DATABASE_URL", database.url()).spawn();
    let status = process.wait().await;
    assert!(status.success(), "{arguments:?}: {}", process.logs());
    process.logs()
}

async fn projections_that_were_taken_back_are_said_to_be_missing_and_come_again(
    database: TempDatabase,
) {
    let server = Server::start(&database).await;
    let client = server.client();
    create(client, "w", 100).await;
    let inspector = Inspector::open(&database).await;
    inspector.projected().await;
    // And with them, what was added since.
    migrate(&database, "down --steps 3 --yes").await;
    for path in ["/wallets/w?consistency=eventual", "/wallets?ownerId=o", "/admin/projectors"] {
        client.get(path).await.is_problem(503, "database-not-migrated");
    }
    let credit = json!({ "amount": 1 });
    client.post("/wallets/w/credit", &credit).await.is_problem(503, "database-not-migrated");
    migrate(&database, "up").await;
    client.post("/wallets/w/credit", &credit).await.is(200);
    inspector.projected().await;
    assert_eq!(client.get("/wallets/w?consistency=eventual").await.is(200)["balance"], 101);
}

async fn nodes_that_start_at_once_migrate_once(database: TempDatabase) {
    let nodes: Vec<Server> =
        (0..4).map(|_| ServerBuilder::on(&database)).map(ServerBuilder::spawn).collect();
    let (one, two) = tokio::join!(migrate(&database, "up"), migrate(&database, "up"));
    assert!(!one.is_empty() && !two.is_empty(), "each says what it did");
    for mut node in nodes {
        node.listening().await;
        node.ready().await;
        let answer = node.client().post("/wallets", &opening("w", 1)).await;
        assert!([201, 409].contains(&answer.status.as_u16()), "{answer:?}");
    }
    let inspector = Inspector::open(&database).await;
    assert_eq!(inspector.audit().await.len(), 1);
    let sql = "SELECT count(*) - count(DISTINCT version) AS n FROM seaql_migrations";
    assert_eq!(inspector.number(sql).await, 0, "no step ran twice");
    let checkpoints = "SELECT count(*) AS n FROM projector_checkpoints";
    assert_eq!(inspector.number(checkpoints).await, 2, "one for each projector");
}

async fn migrations_go_down_and_up_again(database: TempDatabase) {
    let steps = migrate(&database, "up").await.lines().count();
    assert!(!migrate(&database, "status").await.contains("missing"));
    let mut unconfirmed = ServerBuilder::new(&["migrate", "down"]);
    unconfirmed = unconfirmed.env("DATABASE_URL", database.url());
    let mut unconfirmed = unconfirmed.spawn();
    assert_eq!(unconfirmed.wait().await.code(), Some(1), "{}", unconfirmed.logs());
    migrate(&database, &format!("down --steps {steps} --yes")).await;
    assert!(!migrate(&database, "status").await.contains("applied"));
    migrate(&database, "up").await;
    let server = Server::start(&database).await;
    create(server.client(), "w", 1).await;
}

/// Starts a server that can't, and returns what it said: one sentence, on one line.
async fn refusal_to_start(builder: ServerBuilder) -> String {
    let mut process = builder.spawn();
    assert_eq!(process.wait().await.code(), Some(1), "{}", process.logs());
    let said = process.logs();
    assert_eq!(said.lines().count(), 1, "one sentence: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn taken_port_is_one_sentence_and_exit_code_1() {
    block_on(async {
        let database = TempDatabase::sqlite();
        let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = holder.local_addr().expect("an address").to_string();
        let builder = ServerBuilder::on(&database).env("WALLEX_LISTEN", &address);
        let said = refusal_to_start(builder).await;
        assert!(said.contains(&address), "{said}");
    });
}

#[test]
fn unreachable_database_is_one_sentence_and_exit_code_1() {
    block_on(async {
        // Nobody listens on a port that was free a moment ago.
        let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = holder.local_addr().expect("an address");
        drop(holder);
        let url = format!("postgres://wallex:s3cret@{address}/wallex");
        let said = refusal_to_start(ServerBuilder::new(&[]).env("DATABASE_URL", &url)).await;
        assert!(said.contains(&address.to_string()), "{said}");
        assert!(!said.contains("s3cret"), "the password is not told: {said}");

        let url = "sqlite:///nonexistent/folder/wallex.db";
        let said = refusal_to_start(ServerBuilder::new(&[]).env("DATABASE_URL", url)).await;
        assert!(said.contains("/nonexistent/folder"), "{said}");
    });
}

#[test]
fn wrong_settings_are_one_sentence_that_names_them() {
    block_on(async {
        for (name, value) in [
            ("WALLEX_LISTEN", "nowhere"),
            ("DATABASE_URL", "mysql://localhost/wallex"),
            ("IDEMPOTENCY_TTL_HOURS", "a day"),
            ("WALLEX_AUTO_MIGRATE", "maybe"),
            ("WALLEX_DEFAULT_CURRENCY", "dollars"),
            ("WALLEX_LOG_FORMAT", "xml"),
            ("WALLEX_NO_SUCH_THING", "1"),
        ] {
            let said = refusal_to_start(ServerBuilder::new(&[]).env(name, value)).await;
            assert!(said.contains(name), "{name}={value}: {said}");
        }
    });
}

#[test]
fn without_configuration_a_file_is_made_in_the_working_directory() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = ServerBuilder::new(&[]).current_dir(folder.path()).start().await;
        create(server.client(), "w", 1).await;
        assert!(folder.path().join("wallex.db").is_file());
        assert_eq!(server.client().get("/wallets/w").await.is(200)["balance"], 1);
    });
}

#[test]
fn database_that_goes_away_is_503_until_it_is_back() {
    block_on(async {
        let mut cluster = PrivatePostgres::start(&PostgresOptions::default()).expect("a cluster");
        let database = TempDatabase::of_cluster(&cluster);
        let builder = ServerBuilder::on(&database).env("WALLEX_DB_ACQUIRE_TIMEOUT_MS", "500");
        let server = builder.start().await;
        let client = server.client();
        create(client, "w", 100).await;
        let credit = |key: &str| client.post("/wallets/w/credit", &json!({ "amount": 1 })).key(key);
        credit("before").await.is(200);

        cluster.crash().expect("the cluster stops");
        for _ in 0..3 {
            let refused = credit("during").await;
            assert_eq!(refused.status, 503, "{refused:?}");
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
            client.get("/wallets/w").await.is_problem(503, "database-unavailable");
        }
        client.get("/readyz").await.is_problem(503, "database-unavailable");
        client.get("/livez").await.is(200);

        cluster.start_again().expect("the cluster recovers");
        eventually("the server reconnects by itself", async || {
            (client.get("/readyz").await.status == 200).then_some(())
        })
        .await;
        let retried = eventually("commands work again", async || {
            let answer = credit("during").await;
            (answer.status != 503).then_some(answer)
        })
        .await;
        assert_eq!(retried.is(200)["balance"], 102);
        assert!(credit("before").await.is_replay(), "what was acknowledged is still there");
        assert_eq!(balance(client, "w").await, 102);
        Inspector::open(&database).await.audit().await;
    });
}
