//! Keys that come and go on the real server, tenants side by side, and what is written down of it all.

use serde_json::{Value, json};
use wallex_testkit::{
    ALL_SCOPES as ALL, Answer, ApiKey as Key, Inspector, Server, ServerBuilder, TempDatabase,
    eventually, on_both_databases, run_wallex as wallex,
};

use crate::support::opening;

on_both_databases!(
    two_tenants_have_the_same_wallet_and_the_same_key,
    a_rotated_key_overlaps_with_the_one_before,
    a_revoked_key_is_refused_by_every_node,
    a_database_that_does_not_tell_lets_nobody_in,
    a_server_is_open_on_loopback_until_there_is_a_key,
    other_addresses_need_a_key_to_start,
    what_operators_do_stands_in_the_audit_log,
    keys_are_in_no_log_and_in_no_answer,
);

async fn two_tenants_have_the_same_wallet_and_the_same_key(database: TempDatabase) {
    let (acme, umbrella) = (
        Key::create(&database, "acme", ALL, &[]).await,
        Key::create(&database, "umbrella", ALL, &[]).await,
    );
    let server = Server::start(&database).await;
    let client = server.client();
    let create = async |key: &Key, balance: i64| {
        let request = client.post("/wallets", &opening("w", balance)).key("key-1");
        key.on(request).await
    };
    let first = create(&acme, 100).await;
    first.is(201);
    let second = create(&umbrella, 7).await;
    assert_eq!(second.is(201)["balance"], 7);
    assert!(!second.is_replay(), "the key is another tenant's");
    let replay = create(&acme, 100).await;
    assert!(replay.is_replay());
    assert_eq!(replay.repeatable(), first.repeatable());
    acme.post(client, "/wallets", &opening("to", 0)).await.is(201);
    let transfer = json!({ "toWalletId": "to", "amount": 40 });
    let moved = acme.post(client, "/wallets/w/transfer", &transfer).await.is(200);
    umbrella
        .post(client, "/wallets/w/transfer", &transfer)
        .await
        .is_problem(404, "wallet-not-found");
    Inspector::open(&database).await.projected().await;
    for (key, balance, versions) in [(&acme, 60, 2), (&umbrella, 7, 1)] {
        for path in ["/wallets/w", "/wallets/w?consistency=eventual"] {
            assert_eq!(key.get(client, path).await.is(200)["balance"], balance);
        }
        for path in ["/wallets/w/events", "/wallets/w/ledger"] {
            let items = key.get(client, path).await.is(200)["items"].clone();
            assert_eq!(items.as_array().map(Vec::len), Some(versions), "{path}");
        }
    }
    let owned = async |key: &Key| {
        let page = key.get(client, "/wallets?ownerId=owner-1").await.is(200);
        page["items"].as_array().expect("a list").len()
    };
    assert_eq!((owned(&acme).await, owned(&umbrella).await), (2, 1));
    let transfer = format!("/transfers/{}", moved["transferId"].as_str().expect("an id"));
    acme.get(client, &transfer).await.is(200);
    umbrella.get(client, &transfer).await.is_problem(404, "transfer-not-found");
    // What is another's is told as what is not there.
    let strip = |answer: &Answer| {
        let mut problem = answer.is_problem(404, "wallet-not-found");
        problem["correlationId"] = Value::Null;
        problem.to_string().replace("nowhere", "to")
    };
    let (theirs, nobodys) =
        (umbrella.get(client, "/wallets/to").await, umbrella.get(client, "/wallets/nowhere").await);
    assert_eq!(strip(&theirs), strip(&nobodys));
}

async fn a_rotated_key_overlaps_with_the_one_before(database: TempDatabase) {
    let old = Key::create(&database, "acme", ALL, &["--expires-in", "90d"]).await;
    let server = Server::start(&database).await;
    let client = server.client();
    old.post(client, "/wallets", &opening("w", 1)).await.is(201);
    let rotate = async |key: &Key, overlap: &str| {
        let arguments = ["keys", "rotate", &key.id, "--overlap", overlap, "--json"];
        Key::printed(&wallex(&database, &arguments).await)
    };
    let new = rotate(&old, "1h").await;
    for key in [&old, &new] {
        assert_eq!(key.get(client, "/wallets/w").await.is(200)["balance"], 1);
    }
    let newest = rotate(&new, "0s").await;
    newest.get(client, "/wallets/w").await.is(200);
    eventually("the one before is over", async || {
        (new.get(client, "/wallets/w").await.status == 401).then_some(())
    })
    .await;
    old.get(client, "/wallets/w").await.is(200);
}

async fn a_revoked_key_is_refused_by_every_node(database: TempDatabase) {
    let (kept, taken) = (
        Key::create(&database, "acme", ALL, &[]).await,
        Key::create(&database, "acme", ALL, &[]).await,
    );
    let one = Server::start(&database).await;
    let two = Server::start(&database).await;
    kept.post(one.client(), "/wallets", &opening("w", 1)).await.is(201);
    for server in [&one, &two] {
        taken.get(server.client(), "/wallets/w").await.is(200);
    }
    wallex(&database, &["keys", "revoke", &taken.id]).await;
    for server in [&one, &two] {
        let client = server.client();
        eventually("the key is refused", async || {
            (taken.get(client, "/wallets/w").await.status == 401).then_some(())
        })
        .await;
        taken.get(client, "/wallets/w").await.is_problem(401, "unauthenticated");
        kept.get(client, "/wallets/w").await.is(200);
    }
}

async fn a_database_that_does_not_tell_lets_nobody_in(database: TempDatabase) {
    let key = Key::create(&database, "acme", ALL, &[]).await;
    let server = Server::start(&database).await;
    let client = server.client();
    key.post(client, "/wallets", &opening("w", 1)).await.is(201);
    let inspector = Inspector::open(&database).await;
    inspector.execute("ALTER TABLE api_keys RENAME TO hidden_keys").await;
    let refused = eventually("nobody is believed", async || {
        let answer = key.get(client, "/wallets/w").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.is_problem(503, "database-not-migrated");
    client.get("/wallets/w").await.is_problem(401, "unauthenticated");
    client.get("/livez").await.is(200);
    inspector.execute("ALTER TABLE hidden_keys RENAME TO api_keys").await;
    key.get(client, "/wallets/w").await.is(200);
}

async fn a_server_is_open_on_loopback_until_there_is_a_key(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    assert!(server.logs().contains("there is no API key"), "{}", server.logs());
    client.post("/wallets", &opening("w", 1)).await.is(201);
    client.get("/admin/projectors").await.is(200);
    client
        .get("/wallets/w")
        .header("Authorization", "Bearer nonsense")
        .await
        .is_problem(401, "unauthenticated");
    let key = Key::create(&database, "default", ALL, &[]).await;
    eventually("the door is closed", async || {
        (client.get("/wallets/w").await.status == 401).then_some(())
    })
    .await;
    key.get(client, "/wallets/w").await.is(200);
    wallex(&database, &["keys", "revoke", &key.id]).await;
    let next = Server::start(&database).await;
    next.client().get("/wallets/w").await.is_problem(401, "unauthenticated");
    assert!(next.logs().contains("nobody comes in"), "{}", next.logs());
    let off = ServerBuilder::on(&database).env("WALLEX_AUTH", "off").start().await;
    let ignored = off.client().get("/wallets/w").header("Authorization", "Bearer nonsense").await;
    ignored.is(200);
}

async fn other_addresses_need_a_key_to_start(database: TempDatabase) {
    let everywhere = || ServerBuilder::on(&database).env("WALLEX_LISTEN", "0.0.0.0:0");
    let mut refused = everywhere().spawn();
    assert_eq!(refused.wait().await.code(), Some(1));
    let told = refused.logs();
    assert!(told.contains("wallex keys create"), "{told}");
    assert!(told.contains("WALLEX_AUTH=off"), "{told}");
    let off = everywhere().env("WALLEX_AUTH", "off").start().await;
    off.client().post("/wallets", &opening("w", 1)).await.is(201);
    assert!(off.logs().contains("whoever reaches this server may do everything"));
    drop(off);
    let on = everywhere().env("WALLEX_AUTH", "on").start().await;
    on.client().get("/wallets/w").await.is_problem(401, "unauthenticated");
    assert!(on.logs().contains("nobody comes in"), "{}", on.logs());
    let key = Key::create(&database, "default", ALL, &[]).await;
    key.get(on.client(), "/wallets/w").await.is(200);
    let auto = everywhere().start().await;
    auto.client().get("/wallets/w").await.is_problem(401, "unauthenticated");
    key.get(auto.client(), "/wallets/w").await.is(200);
}

async fn what_operators_do_stands_in_the_audit_log(database: TempDatabase) {
    let key = Key::create(&database, "default", "admin", &[]).await;
    let server = Server::start(&database).await;
    let client = server.client();
    let stop = client.request("POST", "/admin/projectors/ledger/stop").correlation_id("req-7");
    key.on(stop).await.is(200);
    wallex(&database, &["projectors", "start", "ledger"]).await;
    key.on(client.request("POST", "/admin/projectors/nobody/start"))
        .await
        .is_problem(404, "projector-not-found");
    let page = key.get(client, "/admin/audit?limit=4").await.is(200);
    let lines = page["items"].as_array().expect("a list");
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", text("action"), text("target"), text("outcome"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "projector.start nobody failed",
            "projector.start nobody requested",
            "projector.start ledger done",
            "projector.start ledger requested",
        ]
    );
    assert!(lines[2]["actor"].as_str().is_some_and(|actor| actor.starts_with("cli:")));
    assert_eq!(lines[0]["actor"], format!("key:{}", key.id));
    let cursor = page["nextCursor"].as_str().expect("there are more");
    let rest = key.get(client, &format!("/admin/audit?cursor={cursor}")).await.is(200);
    let stopped = &rest["items"][0];
    assert_eq!(
        (&stopped["action"], &stopped["outcome"]),
        (&json!("projector.stop"), &json!("done"))
    );
    assert_eq!(stopped["correlationId"], "req-7");
    assert_eq!(
        (rest["items"].as_array().map(Vec::len), &rest["nextCursor"]),
        (Some(3), &Value::Null)
    );
    let printed = wallex(&database, &["audit", "--action", "projector.stop", "--json"]).await;
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(printed["items"].as_array().map(Vec::len), Some(2));

    // What can't be written down is not done.
    let inspector = Inspector::open(&database).await;
    inspector.execute("ALTER TABLE audit_log RENAME TO hidden_log").await;
    let refused = key.on(client.request("POST", "/admin/projectors/ledger/stop")).await;
    refused.is_problem(503, "database-not-migrated");
    let stopped = "SELECT count(*) AS n FROM projector_checkpoints WHERE wanted_state = 'stopped'";
    assert_eq!(inspector.number(stopped).await, 0);
}

async fn keys_are_in_no_log_and_in_no_answer(database: TempDatabase) {
    let key = Key::create(&database, "default", ALL, &[]).await;
    let server = ServerBuilder::on(&database)
        .env("WALLEX_LOG", "trace")
        .env("WALLEX_LOG_FORMAT", "json")
        .start()
        .await;
    let client = server.client();
    let secret = key.bearer.rsplit_once('_').expect("a key").1;
    let wrong = format!("wlx_{}_{}", key.id, secret.chars().rev().collect::<String>());
    let mut answers = vec![
        key.post(client, "/wallets", &opening("w", 1)).await,
        key.post(client, "/wallets", &json!({ "walletId": 1, "odd": true })).await,
        key.get(client, "/wallets/nowhere").await,
        key.get(client, "/admin/audit").await,
        key.on(client.request("DELETE", "/wallets/w")).await,
        key.on(key.on(client.get("/wallets/w"))).await,
    ];
    let wrong_key = Key { id: key.id.clone(), bearer: wrong.clone() };
    answers.push(wrong_key.get(client, "/wallets/w").await);
    let basic = client.get("/wallets/w").header("Authorization", &format!("Basic {secret}"));
    answers.push(basic.await);
    let narrow = Key::create(&database, "default", "metrics:read", &[]).await;
    answers.push(narrow.get(client, "/wallets/w").await);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [201, 400, 404, 200, 405, 401, 401, 401, 403]);
    let reversed = wrong.rsplit_once('_').expect("a key").1;
    let narrow = narrow.bearer.rsplit_once('_').expect("a key").1;
    let logs = server.logs();
    assert!(logs.contains("request completed"));
    for canary in [secret, reversed, narrow] {
        assert!(!logs.contains(canary), "a key is in the log");
        for answer in &answers {
            assert!(!format!("{answer:?}").contains(canary), "a key is in an answer");
        }
    }
    for command in [&["config", "--json"][..], &["keys", "list", "--json"], &["audit", "--json"]] {
        assert!(!wallex(&database, command).await.contains(secret));
    }
}
