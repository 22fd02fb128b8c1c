//! Who comes in, what that allows, and what is left of it in the audit log.

use std::sync::atomic::Ordering;

use wallex_ports::AccessScope::{
    self, Admin, MetricsRead, TransfersWrite, WalletsRead, WalletsWrite,
};

use super::*;
use crate::access::Needs;
use crate::routes::{self, Verb};

/// A request with a credential.
fn with(request: TestRequest, bearer: &str) -> TestRequest {
    request.insert_header(("Authorization", format!("Bearer {bearer}")))
}

/// A request to each route that needs something, made so that everything else about it is wrong, too:
/// whoever is refused must not learn it.
fn requests() -> impl Iterator<Item = (String, Needs, TestRequest)> {
    routes::table().filter(|entry| entry.needs != Needs::Nothing).map(|entry| {
        let path = entry.path.replace("{id}", "%00").replace("{name}", "%00");
        let path = path.replace("{projector}", "%00").replace("{walletId}", "%00");
        let path = format!("{path}?unknown=1");
        let request = match entry.verb {
            Verb::Read => TestRequest::get(),
            Verb::Write => TestRequest::post().set_payload("{"),
        };
        let request = request.uri(&path).insert_header(("X-Correlation-Id", "a b"));
        (format!("{:?} {}", entry.verb, entry.path), entry.needs, request)
    })
}

#[actix_web::test]
async fn nobody_comes_in_without_a_good_credential() {
    let harness = Harness::new();
    harness.gate.know("admin", "default", &AccessScope::ALL);
    let client = harness.start().await;
    for (route, _, request) in requests() {
        let reply = client.call(request).await;
        reply.problem(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"wallex\""), "{route}");
    }
    for bearer in ["unknown", "expired", "revoked", "", " "] {
        for (route, _, request) in requests() {
            let reply = client.call(with(request, bearer)).await;
            let detail = reply.problem(401, "unauthenticated")["detail"].clone();
            let invalid = "Bearer realm=\"wallex\", error=\"invalid_token\"";
            assert_eq!(reply.header("www-authenticate"), Some(invalid), "{route}");
            let says_expired = detail.as_str().is_some_and(|detail| detail.contains("expired"));
            assert_eq!(says_expired, bearer == "expired", "{detail}");
        }
    }
    assert_eq!(harness.store.rows(), (0, 0));
    assert_eq!(harness.journal.told(), [""; 0]);
}

#[actix_web::test]
async fn each_route_is_there_for_its_scope_alone() {
    let harness = Harness::new();
    let client = harness.start().await;
    for scope in AccessScope::ALL {
        harness.gate.know(scope.as_str(), "default", &[scope]);
        harness.gate.know(&format!("acme-{scope}"), "acme", &[scope]);
    }
    for scope in AccessScope::ALL {
        for (route, needs, request) in requests() {
            let reply = client.call(with(request, scope.as_str())).await;
            let Some(needed) = needs.scope() else {
                assert_eq!(reply.status, 400, "{route} {}", reply.text);
                continue;
            };
            if needed == scope || (needs == Needs::Metrics && scope == Admin) {
                assert!(![401, 403].contains(&reply.status), "{route} {}", reply.text);
                continue;
            }
            let problem = reply.problem(403, "insufficient-scope");
            assert!(problem["detail"].as_str().is_some_and(|d| d.contains(needed.as_str())));
            let challenge = format!(
                "Bearer realm=\"wallex\", error=\"insufficient_scope\", scope=\"{needed}\""
            );
            assert_eq!(reply.header("www-authenticate"), Some(challenge.as_str()), "{route}");
        }
    }
    for (route, needs, request) in requests() {
        let reply = client.call(with(request, "acme-admin")).await;
        match needs {
            Needs::Operator => drop(reply.problem(403, "operator-only")),
            Needs::Caller => drop(reply.problem(400, "validation-failed")),
            Needs::Scope(Admin) => {
                assert!([400, 415].contains(&reply.status), "{route} {}", reply.text);
            }
            _ => drop(reply.problem(403, "insufficient-scope")),
        }
    }
    let scraper = with(TestRequest::get().uri("/metrics"), "acme-metrics:read");
    assert_eq!(client.call(scraper).await.status, 200);
    assert_eq!(harness.store.rows(), (0, 0));
    assert_eq!(harness.journal.told(), [""; 0]);
}

#[test]
fn scopes_are_those_of_the_contract() {
    // By hand, and not from the table: whoever changes what a route needs changes it here, too.
    let needed = |verb: Verb, path: &str| match (verb, path) {
        (_, "/admin/live" | "/metrics") => Some(MetricsRead),
        (_, path) if path.starts_with("/admin/") => Some(Admin),
        (Verb::Read, path) if path.starts_with("/wallets") => Some(WalletsRead),
        (Verb::Read, "/transfers/{id}") => Some(WalletsRead),
        (Verb::Write, "/wallets/{id}/transfer") => Some(TransfersWrite),
        (Verb::Write, "/wallets" | "/wallets/{id}/credit" | "/wallets/{id}/debit") => {
            Some(WalletsWrite)
        }
        _ => None,
    };
    for entry in routes::table() {
        assert_eq!(entry.needs.scope(), needed(entry.verb, entry.path), "{}", entry.path);
        let is_for_callers = entry.needs == Needs::Caller;
        assert_eq!(is_for_callers, entry.path == "/whoami", "{}", entry.path);
    }
}

#[actix_web::test]
async fn routes_that_tell_nothing_are_there_for_all() {
    let harness = Harness::new();
    harness.gate.know("admin", "default", &AccessScope::ALL);
    harness.gate.away.store(true, Ordering::SeqCst);
    let client = harness.start().await;
    for path in [
        "/livez",
        "/readyz",
        "/openapi.json",
        "/docs/",
        "/docs/index.html",
        "/v1/livez",
        "/console",
        "/console/",
    ] {
        assert_eq!(client.get(path).await.status, 200, "{path}");
    }
    client.get("/wallets/w-1").await.problem(503, "database-unavailable");
}

#[actix_web::test]
async fn the_description_names_the_scope_of_every_route() {
    let json: Value = serde_json::from_str(&crate::openapi_json()).expect("JSON");
    let mut secured = 0;
    for entry in routes::table() {
        let method = if entry.verb == Verb::Read { "get" } else { "post" };
        let operation = &json["paths"][entry.path][method];
        if entry.needs == Needs::Nothing {
            assert!(operation.get("security").is_none(), "{}", entry.path);
            continue;
        }
        secured += 1;
        let scopes: Vec<&str> = entry.needs.scope().map(AccessScope::as_str).into_iter().collect();
        assert_eq!(operation["security"], json!([{"bearer": scopes}]));
        let statuses = if scopes.is_empty() { &["401", "503"][..] } else { &["401", "403", "503"] };
        for status in statuses {
            assert!(operation["responses"][status].is_object(), "{} {status}", entry.path);
        }
    }
    assert_eq!(secured, requests().count());
    assert_eq!(json["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[actix_web::test]
async fn tenants_do_not_see_one_another() {
    let harness = Harness::new();
    let client = harness.start().await;
    let scopes = [WalletsRead, WalletsWrite, TransfersWrite];
    for tenant in ["acme", "umbrella"] {
        harness.gate.know(tenant, tenant, &scopes);
    }
    let body =
        |balance: i64| json!({"walletId": "w-1", "ownerId": "user-001", "initialBalance": balance});
    for (tenant, balance) in [("acme", 100), ("umbrella", 7)] {
        let made = client.call(with(keyed("/wallets", "key-1", &body(balance)), tenant)).await;
        assert_eq!((made.status, made.json()["balance"].as_i64()), (201, Some(balance)));
        assert_eq!(made.header("idempotency-replayed"), None);
        let seen = client.call(with(TestRequest::get().uri("/wallets/w-1"), tenant)).await;
        assert_eq!(seen.json()["balance"], balance);
        let events = with(TestRequest::get().uri("/wallets/w-1/events"), tenant);
        let opening = client.call(events).await.json()["items"][0]["data"].clone();
        assert_eq!(opening["initialBalance"], balance);
    }
    let only = json!({"walletId": "w-2", "ownerId": "user-001"});
    assert_eq!(client.call(with(post("/wallets", &only), "umbrella")).await.status, 201);
    let nobody = |reply: Reply| {
        let mut problem = reply.problem(404, "wallet-not-found");
        problem["correlationId"] = Value::Null;
        problem.to_string().replace("w-2", "w-3")
    };
    let get = |path: &str| with(TestRequest::get().uri(path), "acme");
    for path in ["/wallets/w-2", "/wallets/w-2/events", "/wallets/w-2/ledger"] {
        let other = client.call(get(path)).await;
        let none = client.call(get(&path.replace("w-2", "w-3"))).await;
        assert_eq!(nobody(other), nobody(none), "{path}");
    }
    for (path, body) in [
        ("/wallets/w-2/credit", json!({"amount": 1})),
        ("/wallets/w-2/debit", json!({"amount": 1})),
        ("/wallets/w-2/transfer", json!({"toWalletId": "w-1", "amount": 1})),
        ("/wallets/w-1/transfer", json!({"toWalletId": "w-2", "amount": 1})),
    ] {
        client.call(with(post(path, &body), "acme")).await.problem(404, "wallet-not-found");
    }
}

#[actix_web::test]
async fn what_operators_do_is_told_before_and_after() {
    let harness = Harness::new();
    harness.gate.know("operator", "default", &[Admin]);
    harness.steered.park("ledger", "w-1", 3);
    let client = harness.start().await;
    let bare = |path: &str| with(TestRequest::post().uri(path), "operator");
    for path in [
        "/admin/projectors/ledger/stop",
        "/admin/projectors/nobody/start",
        "/admin/outbox/cleanup",
        "/admin/idempotency/sweep",
        "/admin/dead-letters/ledger/w-1/replay",
        "/admin/recovery/drift",
    ] {
        client.call(bare(path)).await;
    }
    assert_eq!(
        harness.journal.told(),
        [
            "default key:operator projector.stop ledger requested",
            "default key:operator projector.stop ledger done",
            "default key:operator projector.start nobody requested",
            "default key:operator projector.start nobody failed",
            "default key:operator outbox.clean outbox requested",
            "default key:operator outbox.clean outbox done",
            "default key:operator idempotency.sweep idempotency-keys requested",
            "default key:operator idempotency.sweep idempotency-keys done",
            "default key:operator dead_letter.replay ledger/w-1 requested",
            "default key:operator dead_letter.replay ledger/w-1 done",
            "default key:operator recovery.drift * requested",
            "default key:operator recovery.drift * done",
        ]
    );
    let page =
        with(TestRequest::get().uri("/admin/audit?limit=2&action=projector.stop"), "operator");
    let page = client.call(page).await.json();
    assert_eq!((&page["items"][0]["outcome"], &page["nextCursor"]), (&json!("done"), &Value::Null));
    assert_eq!(page["items"][0]["actId"], page["items"][1]["actId"]);
    let mut seen = Vec::new();
    let mut path = "/admin/audit?limit=5".to_owned();
    loop {
        let page = client.call(with(TestRequest::get().uri(&path), "operator")).await.json();
        let items = page["items"].as_array().expect("a list").iter();
        seen.extend(items.map(|line| line["position"].as_u64().expect("a number")));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/admin/audit?limit=5&cursor={cursor}");
    }
    assert_eq!(seen, (1..=12).rev().collect::<Vec<_>>());
}

#[actix_web::test]
async fn nothing_is_done_that_can_not_be_told() {
    let harness = Harness::new();
    harness.journal.away.store(true, Ordering::SeqCst);
    let client = harness.start().await;
    let stop = || TestRequest::post().uri("/admin/projectors/ledger/stop");
    client.call(stop()).await.problem(503, "database-unavailable");
    assert!(harness.steered.stopped.lock().expect("sound").is_empty());
    harness.journal.away.store(false, Ordering::SeqCst);
    harness.journal.breaks_off.store(true, Ordering::SeqCst);
    assert_eq!(client.call(stop()).await.status, 200);
    let told = harness.journal.told();
    assert_eq!(told, ["default open projector.stop ledger requested"], "it shows that it began");
}

#[actix_web::test]
async fn a_tenants_admin_repairs_its_own_wallets_alone() {
    let harness = Harness::new();
    harness.gate.know("acme", "acme", &[Admin]);
    harness.gate.know("operator", "default", &[Admin]);
    harness.steered.park("ledger", "w-1", 3);
    harness.steered.park_of("acme", "ledger", "w-2", 4);
    let client = harness.start().await;
    let get = |path: &str, bearer: &str| client.call(with(TestRequest::get().uri(path), bearer));
    let send = |path: &str, body: Value, bearer: &str| client.call(with(post(path, &body), bearer));
    let listed = |reply: Reply| -> Vec<String> {
        let json = reply.json();
        let items = json["items"].as_array().expect("a list").iter();
        items.map(|letter| letter["walletId"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(listed(get("/admin/dead-letters", "acme").await), ["w-2"]);
    assert_eq!(listed(get("/admin/dead-letters?tenant=default", "acme").await), [""; 0]);
    assert_eq!(listed(get("/admin/dead-letters", "operator").await), ["w-2", "w-1"]);
    assert_eq!(listed(get("/admin/dead-letters?tenant=acme", "operator").await), ["w-2"]);
    let letter = |wallet: &str| format!("/admin/dead-letters/ledger/{wallet}");
    for path in [letter("w-1"), letter("w-1?tenant=default"), letter("w-2?tenant=default")] {
        get(&path, "acme").await.problem(404, "dead-letter-not-found");
    }
    for path in [letter("w-2"), letter("w-2?tenant=acme")] {
        assert_eq!(get(&path, "acme").await.status, 200);
    }
    assert_eq!(get(&letter("w-2?tenant=acme"), "operator").await.status, 200);
    get(&letter("w-2"), "operator").await.problem(404, "dead-letter-not-found");
    let discard = json!({"version": 3, "reason": "no"});
    let others = letter("w-1/discard?tenant=default");
    send(&others, discard, "acme").await.problem(404, "dead-letter-not-found");
    let replay = letter("w-1/replay?tenant=default");
    send(&replay, json!({}), "acme").await.problem(404, "dead-letter-not-found");
    assert_eq!(harness.steered.letters.lock().expect("sound").len(), 2);

    for body in [json!({}), json!({"fromPosition": 1})] {
        send("/admin/recovery/rebuild", body, "acme").await.problem(403, "operator-only");
    }
    let other = json!({"walletId": "w-1", "tenant": "default"});
    send("/admin/recovery/drift", other, "acme").await.problem(404, "wallet-not-found");
    assert_eq!(harness.journal.told(), [""; 0]);
    let own = send("/admin/recovery/drift", json!({"walletId": "w-2"}), "acme").await;
    assert_eq!(own.status, 202, "{}", own.text);
    assert_eq!(own.json()["scope"], json!({"tenant": "acme", "walletId": "w-2"}));
    let mine = own.header("location").expect("where").to_owned();
    assert_eq!(get(&mine, "acme").await.status, 200);
    assert_eq!(get(&mine, "operator").await.status, 200);
    let all = send("/admin/recovery/rebuild", json!({}), "operator").await;
    let theirs = all.header("location").expect("where").to_owned();
    get(&theirs, "acme").await.problem(404, "operation-not-found");

    let actors = |reply: Reply| -> Vec<String> {
        let json = reply.json();
        let items = json["items"].as_array().expect("a list").iter();
        items.map(|line| line["tenant"].as_str().expect("a tenant").to_owned()).collect()
    };
    assert_eq!(actors(get("/admin/audit", "acme").await), ["acme", "acme"]);
    assert_eq!(actors(get("/admin/audit?tenant=default", "acme").await), [""; 0]);
    assert_eq!(actors(get("/admin/audit", "operator").await).len(), 4);
    assert_eq!(actors(get("/admin/audit?tenant=acme", "operator").await).len(), 2);
}

#[actix_web::test]
async fn metrics_are_for_scrapers_and_operators() {
    let harness = Harness::new();
    harness.gate.know("scraper", "acme", &[MetricsRead]);
    harness.gate.know("operator", "default", &[Admin]);
    harness.gate.know("acme", "acme", &[Admin]);
    let client = harness.start().await;
    for (bearer, status) in [("scraper", 200), ("operator", 200), ("acme", 403)] {
        let reply = client.call(with(TestRequest::get().uri("/metrics"), bearer)).await;
        assert_eq!(reply.status, status, "{bearer}");
    }
}
