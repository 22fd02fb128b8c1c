//! Who may do what, on the real server: every endpoint with every kind of wrong credential, keys that
//! come and go, tenants side by side, and what is written down of it all.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wallex_testkit::{
    ALL_SCOPES as ALL, Answer, ApiKey as Key, Client, Inspector, Request, Server, ServerBuilder,
    TempDatabase, eventually, on_both_databases, run_wallex as wallex,
};

use crate::support::{Unchanged, opening};

on_both_databases!(
    every_endpoint_refuses_who_does_not_belong,
    two_tenants_have_the_same_wallet_and_the_same_key,
    a_rotated_key_overlaps_with_the_one_before,
    a_revoked_key_is_refused_by_every_node,
    a_database_that_does_not_tell_lets_nobody_in,
    a_server_is_open_on_loopback_until_there_is_a_key,
    other_addresses_need_a_key_to_start,
    what_operators_do_stands_in_the_audit_log,
    keys_are_in_no_log_and_in_no_answer,
);

/// An operation of the description, and a request that it would do something for.
#[derive(Debug, Clone)]
struct Operation {
    id: String,
    method: String,
    path: String,
    /// Whether it needs a caller.
    secured: bool,
    /// The scope that it needs, too.
    scope: Option<String>,
    body: Option<Value>,
}

impl Operation {
    fn request(&self, client: &Client) -> Request {
        match &self.body {
            Some(body) => client.post(&self.path, body),
            None => client.request(&self.method, &self.path),
        }
    }
}

/// Every operation of the server's own description, about what `names` says stands for the
/// parameters in the paths.
async fn operations(client: &Client, names: &BTreeMap<&str, String>) -> Vec<Operation> {
    let description = client.get("/openapi.json").await.is(200);
    let mut operations = Vec::new();
    for (template, item) in description["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            let mut path = template.clone();
            for (name, value) in names {
                let (whose, name) = name.split_once(' ').unwrap_or(("", name));
                if template.starts_with(whose) {
                    path = path.replace(&format!("{{{name}}}"), value);
                }
            }
            assert!(!path.contains('{'), "{id}: say what stands for the names in {template}");
            if id == "listWallets" {
                path.push_str("?ownerId=owner-1");
            }
            let secured = operation.get("security").is_some();
            let scope = operation["security"][0]["bearer"][0].as_str().map(ToOwned::to_owned);
            let body = operation.get("requestBody").map(|_| body_of(&id));
            operations.push(Operation {
                id,
                method: method.to_uppercase(),
                path,
                secured,
                scope,
                body,
            });
        }
    }
    operations
}

/// What each operation with a body is sent: it would do something.
fn body_of(operation: &str) -> Value {
    match operation {
        "createWallet" => opening("new", 1),
        "creditWallet" | "debitWallet" => json!({ "amount": 1 }),
        "transfer" => json!({ "toWalletId": "other", "amount": 1 }),
        "discardDeadLetter" => json!({ "version": 2, "reason": "test" }),
        "rebuild" | "checkDrift" => json!({ "walletId": "w" }),
        "cleanOutbox" => json!({ "olderThanHours": 0 }),
        other => panic!("say what {other} is sent"),
    }
}

/// What is there for all.
const PUBLIC: [&str; 3] = ["livez", "readyz", "openapi"];

/// What is there for operators of the server alone, and for no other tenant's `admin`.
const OPERATORS: [&str; 9] = [
    "getOutbox",
    "cleanOutbox",
    "sweepIdempotency",
    "getStatistics",
    "listProjectors",
    "startProjector",
    "stopProjector",
    "retry",
    "metrics",
];

/// What is there for who may read metrics, of any tenant, and for operators.
const METRICS: [&str; 2] = ["metrics", "followLive"];

async fn every_endpoint_refuses_who_does_not_belong(database: TempDatabase) {
    let operator = Key::create(&database, "default", ALL, &[]).await;
    let server = ServerBuilder::on(&database).env("WALLEX_AUTH_FAILURES_PER_MINUTE", "0");
    let server = server.start().await;
    let client = server.client();
    for (id, balance) in [("w", 100), ("other", 0)] {
        operator.post(client, "/wallets", &opening(id, balance)).await.is(201);
    }
    let transfer = json!({ "toWalletId": "other", "amount": 5 });
    let transfer = operator.post(client, "/wallets/w/transfer", &transfer).await.is(200);
    let inspector = Inspector::open(&database).await;
    inspector.projected().await;
    let drift = operator.post(client, "/admin/recovery/drift", &json!({ "walletId": "w" })).await;
    let drift = drift.is(202);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let names = BTreeMap::from([
        ("/wallets id", "w".to_owned()),
        ("/transfers id", text(&transfer["transferId"])),
        ("/admin/operations id", text(&drift["id"])),
        ("name", "ledger".to_owned()),
        ("projector", "ledger".to_owned()),
        ("walletId", "w".to_owned()),
    ]);
    let operations = operations(client, &names).await;
    let public: Vec<_> = operations.iter().filter(|op| !op.secured).collect();
    let mut named: Vec<_> = public.iter().map(|op| op.id.as_str()).collect();
    named.sort_unstable();
    let mut expected = PUBLIC;
    expected.sort_unstable();
    assert_eq!(named, expected, "what needs no credential is decided here");

    let revoked = Key::create(&database, "default", ALL, &[]).await;
    wallex(&database, &["keys", "revoke", &revoked.id]).await;
    let expired = Key::create(&database, "default", ALL, &["--expires-in", "1s"]).await;
    eventually("the key has expired", async || {
        (expired.get(client, "/wallets/w").await.status == 401).then_some(())
    })
    .await;
    let mut changed = operator.bearer.clone();
    let last = if changed.ends_with('a') { "b" } else { "a" };
    changed.replace_range(changed.len() - 1.., last);
    let bearer = |key: &str| Some(format!("Bearer {key}"));
    let credentials = [
        ("none", None),
        ("another scheme", Some("Basic dXNlcjpwYXNz".to_owned())),
        ("nothing behind the scheme", Some("Bearer".to_owned())),
        ("no key", bearer("abc")),
        ("the id without the secret", bearer(&format!("wlx_{}_", operator.id))),
        ("a changed key", bearer(&changed)),
        ("the key without the scheme", Some(operator.bearer.clone())),
        ("an expired key", bearer(&expired.bearer)),
        ("a revoked key", bearer(&revoked.bearer)),
    ];
    let unchanged = Unchanged::since_now(&database).await;
    let told = "SELECT count(*) AS n FROM audit_log";
    let lines = inspector.number(told).await;
    let secured = || operations.iter().filter(|op| op.secured);
    for (what, credential) in &credentials {
        for operation in secured() {
            let request = operation.request(client);
            let request = match credential {
                Some(value) => request.header("Authorization", value),
                None => request,
            };
            let answer = request.await;
            answer.is_problem(401, "unauthenticated");
            let challenge = answer.header("www-authenticate").expect("how to come in");
            let is_invalid = challenge.ends_with("error=\"invalid_token\"");
            assert!(challenge.starts_with("Bearer realm="), "{challenge}");
            assert_eq!(is_invalid, credential.is_some(), "{what}: {}", operation.id);
        }
    }
    let twice = secured().map(|operation| operator.on(operator.on(operation.request(client))));
    for request in twice {
        request.await.is_problem(401, "unauthenticated");
    }
    for scope in ALL.split(',') {
        let key = Key::create(&database, "default", scope, &[]).await;
        let another = |op: &&Operation| {
            let is_theirs = METRICS.contains(&op.id.as_str()) && scope == "admin";
            op.scope.is_some() && op.scope.as_deref() != Some(scope) && !is_theirs
        };
        for operation in secured().filter(another) {
            let answer = key.on(operation.request(client)).await;
            let problem = answer.is_problem(403, "insufficient-scope");
            let needed = operation.scope.as_deref().expect("it is secured");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(needed)));
        }
    }
    let stranger = Key::create(&database, "stranger", ALL, &[]).await;
    let theirs = [&METRICS[..], &["createWallet", "whoami"]].concat();
    for operation in secured().filter(|op| !theirs.contains(&op.id.as_str())) {
        let answer = stranger.on(operation.request(client)).await;
        let (status, code) = match operation.id.as_str() {
            "listWallets" | "listDeadLetters" | "listAudit" => {
                // Of the audit log it has the line of its own key.
                let items = answer.is(200)["items"].as_array().expect("a list").len();
                assert_eq!(items, usize::from(operation.id == "listAudit"), "{}", answer.text);
                continue;
            }
            id if OPERATORS.contains(&id) => (403, "operator-only"),
            "getTransfer" => (404, "transfer-not-found"),
            "getOperation" => (404, "operation-not-found"),
            "getDeadLetter" | "replayDeadLetter" | "discardDeadLetter" => {
                (404, "dead-letter-not-found")
            }
            _ => (404, "wallet-not-found"),
        };
        answer.is_problem(status, code);
    }
    unchanged.holds_after("anyone who does not belong").await;
    let mut added = inspector.number(told).await - lines;
    // The keys that were made, and what the stranger asked to be done to its own wallets, of which
    // there are none.
    let own = "SELECT count(*) AS n FROM audit_log WHERE tenant = 'stranger' \
               AND action <> 'key.create'";
    added -= inspector.number(own).await;
    assert_eq!(added, 6, "nothing but keys was made");
    assert_eq!(operator.get(client, "/wallets/w").await.is(200)["version"], 2);

    // And whoever belongs is let in everywhere: it was no other reason that the others were refused for.
    for operation in secured() {
        // A stream is not read to its end: it has none.
        let request = match operation.id.as_str() {
            "followLive" => client.request("HEAD", &operation.path),
            _ => operation.request(client),
        };
        let status = operator.on(request).await.status.as_u16();
        let done = [200, 201, 202, 404].contains(&status);
        assert!(done, "{}: {status}", operation.id);
    }
}

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
