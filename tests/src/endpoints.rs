//! Who may do what, on the real server: every endpoint with every kind of wrong credential.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wallex_testkit::{
    ALL_SCOPES as ALL, ApiKey as Key, Client, Inspector, Request, ServerBuilder, TempDatabase,
    eventually, on_both_databases, run_wallex as wallex,
};

use crate::support::{Unchanged, opening};

on_both_databases!(every_endpoint_refuses_who_does_not_belong);

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
