//! What every route owes to HTTP.

use actix_web::http::Method;

use super::*;

#[actix_web::test]
async fn unknown_paths_are_problems() {
    let client = Client::new().await;
    for path in
        ["/wallet", "/wallets/", "/wallets//credit", "/wallets/w-1/close", "/v1", "/v2/wallets"]
    {
        client.get(path).await.problem(404, "route-not-found");
    }
    let odd = client.get("/no%20such%22route").await;
    assert_eq!(odd.problem(404, "route-not-found")["instance"], "/no%20such%22route");
}

#[actix_web::test]
async fn other_methods_are_refused_with_those_there_are() {
    let client = Client::new().await;
    for (path, allow) in [
        ("/wallets", "GET, HEAD, POST"),
        ("/wallets/w-1/credit", "POST"),
        ("/wallets/w-1/debit", "POST"),
        ("/wallets/w-1/transfer", "POST"),
        ("/wallets/w-1", "GET, HEAD"),
        ("/wallets/w-1/ledger", "GET, HEAD"),
        ("/wallets/w-1/events", "GET, HEAD"),
        ("/wallets/w-1/explanation", "GET, HEAD"),
        ("/admin/live", "GET, HEAD"),
        ("/transfers/01890a5d-ac96-774b-bcce-b302099a8057", "GET, HEAD"),
        ("/livez", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        ("/docs/index.html", "GET, HEAD"),
        ("/console", "GET, HEAD"),
        ("/console/index.html", "GET, HEAD"),
        ("/", "GET, HEAD"),
        ("/whoami", "GET, HEAD"),
        ("/v1/wallets", "GET, HEAD, POST"),
    ] {
        let other = match allow {
            "POST" => Method::GET,
            "GET, HEAD" => Method::POST,
            _ => Method::CONNECT,
        };
        for method in
            [other, Method::DELETE, Method::PUT, Method::PATCH, Method::OPTIONS, Method::TRACE]
        {
            let reply = client.call(TestRequest::default().method(method).uri(path)).await;
            reply.problem(405, "method-not-allowed");
            assert_eq!(reply.header("allow"), Some(allow), "{path}");
        }
    }
}

#[actix_web::test]
async fn what_has_get_has_head() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    for path in [
        "/wallets/w-1",
        "/wallets/w-1/events",
        "/wallets/nobody",
        "/wallets/w-1/explanation",
        "/admin/live?unknown=1",
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs/",
        "/console",
        "/console/nothing.js",
        "/whoami",
        "/v1/wallets/w-1",
    ] {
        let get = client.get(path).await;
        let head = client.call(TestRequest::default().method(Method::HEAD).uri(path)).await;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[actix_web::test]
async fn every_answer_has_the_correlation_id_and_forbids_sniffing() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    let json = ("content-type", "application/json");
    let requests = || {
        [
            (201, post("/wallets", &json!({"ownerId": "u"}))),
            (400, post("/wallets", &json!({}))),
            (400, TestRequest::post().uri("/wallets").insert_header(json).set_payload("{")),
            (404, TestRequest::get().uri("/nowhere")),
            (404, TestRequest::get().uri("/wallets/nobody")),
            (405, TestRequest::delete().uri("/wallets")),
            (409, post("/wallets", &json!({"walletId": "w-1", "ownerId": "u"}))),
            (
                413,
                TestRequest::post()
                    .uri("/wallets")
                    .insert_header(json)
                    .set_payload(" ".repeat(70_000)),
            ),
            (415, TestRequest::post().uri("/wallets").set_payload("{}")),
            (422, post("/wallets/w-1/debit", &json!({"amount": 1}))),
            (200, TestRequest::get().uri("/wallets/w-1")),
            (200, TestRequest::get().uri("/livez")),
            (200, TestRequest::get().uri("/metrics")),
            (200, TestRequest::get().uri("/docs/index.css")),
            (308, TestRequest::get().uri("/docs")),
            (200, TestRequest::get().uri("/console")),
            (307, TestRequest::get().uri("/")),
        ]
    };
    for (status, request) in requests() {
        let reply = client.call(request.insert_header(("X-Correlation-Id", "req-123"))).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("x-correlation-id"), Some("req-123"), "{status}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{status}");
        if status >= 400 {
            assert_eq!(reply.json()["correlationId"], "req-123");
        }
    }
    for (status, request) in requests() {
        let reply = client.call(request).await;
        let made = reply.header("x-correlation-id").expect("one is made");
        assert!(uuid::Uuid::parse_str(made).is_ok(), "{status} {made}");
    }
}

#[actix_web::test]
async fn correlation_id_that_cannot_be_used_is_refused_and_replaced() {
    let client = Client::new().await;
    let long = "x".repeat(129);
    for bad in ["", "a b", "é", &long] {
        for path in [
            "/wallets/w-1",
            "/wallets/w-1/events",
            "/livez",
            "/readyz",
            "/metrics",
            "/whoami",
            "/openapi.json",
        ] {
            let request =
                TestRequest::get().uri(path).insert_header(("x-correlation-id", bad.as_bytes()));
            let reply = client.call(request).await;
            let problem = reply.problem(400, "validation-failed");
            assert_eq!(reply.places(), ["X-Correlation-Id"], "{bad:?}");
            assert_eq!(reply.header("x-correlation-id"), problem["correlationId"].as_str());
            assert_ne!(reply.header("x-correlation-id"), Some(bad));
        }
    }
    let twice = TestRequest::get()
        .uri("/wallets/w-1")
        .insert_header(("x-correlation-id", "a"))
        .append_header(("x-correlation-id", "a"));
    client.call(twice).await.problem(400, "validation-failed");
    let longest = "x".repeat(128);
    let request =
        TestRequest::get().uri("/livez").insert_header(("x-correlation-id", longest.as_str()));
    assert_eq!(client.call(request).await.header("x-correlation-id"), Some(longest.as_str()));
}

#[actix_web::test]
async fn commands_have_no_query() {
    let client = Client::new().await;
    let reply = client.post("/wallets?dryRun=true", &json!({"ownerId": "u"})).await;
    reply.problem(400, "validation-failed");
    assert_eq!(reply.places(), ["dryRun"]);
}
