//! Log lines: one a request, with everything by which it is found, and nothing that is somebody's.

use serde_json::{Value, json};
use wallex_testkit::{
    ApiKey, Client, Collector, Request, Server, ServerBuilder, TempDatabase, block_on, eventually,
    on_both_databases,
};

use crate::support::opening;

on_both_databases!(
    a_request_is_one_line_by_which_its_trace_and_wallet_are_found,
    a_slow_request_is_a_warning,
    what_is_secret_or_somebodys_is_in_no_line_and_in_no_trace,
);

/// All that Wallex itself has to say.
const ALL_OF_OURS: &str = "warn,wallex=trace,wallex_access=trace,wallex_application=trace,\
    wallex_database=trace,wallex_http_actix=trace,wallex_jwt=trace,wallex_outbox=trace,\
    wallex_projectors=trace,wallex_unit_of_work=trace";

/// A canary that is looked for everywhere.
const CANARY: &str = "canary";

fn json_logs(database: &TempDatabase) -> ServerBuilder {
    ServerBuilder::on(database).env("WALLEX_LOG_FORMAT", "json")
}

/// The lines with the correlation id `id`, as soon as there is one.
async fn lines_of(server: &Server, id: &str) -> Vec<Value> {
    let parsed = |line: &str| serde_json::from_str::<Value>(line).ok();
    eventually("the request is logged", async || {
        let lines: Vec<Value> = server.logs().lines().filter_map(parsed).collect();
        let mine = |line: &Value| line["correlation.id"] == id;
        let lines: Vec<Value> = lines.into_iter().filter(mine).collect();
        (!lines.is_empty()).then_some(lines)
    })
    .await
}

async fn a_request_is_one_line_by_which_its_trace_and_wallet_are_found(database: TempDatabase) {
    const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let collector = Collector::start();
    let builder = json_logs(&database).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint());
    let mut server = builder.start().await;
    let client = server.client();
    let (post, get) = (|path: &str, body| client.post(path, &body), |path: &str| client.get(path));
    let requests: [(&str, Request, u16, &str); 7] = [
        ("created", post("/wallets", opening("w", 1)), 201, "INFO"),
        ("taken", post("/wallets", opening("w", 1)), 409, "INFO"),
        ("poor", post("/wallets/w/debit", json!({ "amount": 9 })), 422, "INFO"),
        ("wrong", post("/wallets/w/debit", json!({ "amount": "9" })), 400, "INFO"),
        ("read", get("/wallets/w"), 200, "INFO"),
        ("nobody", get("/wallets/w-2"), 404, "INFO"),
        ("listed", get("/wallets/w/ledger"), 200, "INFO"),
    ];
    let mut expected = Vec::new();
    for (id, request, status, level) in requests {
        let trace = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
        let answer = request.correlation_id(id).header("traceparent", &trace).await;
        assert_eq!(answer.status, status, "{id}: {}", answer.text);
        expected.push((id, status, level));
    }
    for (id, ..) in &expected {
        lines_of(&server, id).await;
    }
    server.terminate();
    server.wait().await;
    let spans = collector.spans();
    for (id, status, level) in expected {
        let lines = lines_of(&server, id).await;
        let [line] = &lines[..] else { panic!("one line of {id}, not {lines:#?}") };
        assert_eq!((&line["status"], &line["level"]), (&status.into(), &level.into()), "{line}");
        assert_eq!(line["trace_id"], TRACE_ID, "{line}");
        let here = |span: &&wallex_testkit::Span| line["span_id"] == *span.span_id;
        let span = spans.iter().find(here).expect("the span of the line");
        assert_eq!(span.attribute("correlation.id"), id);
        let wallet = if id == "nobody" { "w-2" } else { "w" };
        assert_eq!(line["wallet.id"], wallet, "{line}");
    }
}

async fn a_slow_request_is_a_warning(database: TempDatabase) {
    let server = json_logs(&database).env("WALLEX_LOG_SLOW_MS", "1").start().await;
    // A millisecond is little for a commit; one that took less is asked for once more.
    let mut n = 0;
    let line = eventually("one is slow", async || {
        n += 1;
        let (wallet, id) = (format!("w-{n}"), format!("slow-{n}"));
        let request = server.client().post("/wallets", &opening(&wallet, 1));
        request.correlation_id(&id).await.is(201);
        lines_of(&server, &id).await.into_iter().find(|line| line["slow"] == true)
    })
    .await;
    assert_eq!(line["level"], "WARN", "{line}");
    assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms >= 1.0), "{line}");
}

/// Every kind of request with a canary in all that is somebody's: bodies, keys, owners, credentials.
async fn tell_secrets(client: &Client, key: &ApiKey) {
    let owner = format!("{CANARY}-owner");
    let memo = json!({
        "amount": 7_771_777, "description": format!("{CANARY}-d"), "reference": format!("{CANARY}-r"),
    });
    let open = |id: &str| json!({ "walletId": id, "ownerId": owner, "initialBalance": 9_991_999 });
    for id in ["w", "other", "w"] {
        key.on(client.post("/wallets", &open(id)).key(&format!("{CANARY}-key-{id}"))).await;
    }
    key.post(client, "/wallets/w/credit", &memo).await.is(200);
    key.post(client, "/wallets/w/debit", &memo).await.is(200);
    let mut transfer = memo.clone();
    transfer["toWalletId"] = "other".into();
    key.post(client, "/wallets/w/transfer", &transfer).await.is(200);
    key.get(client, &format!("/wallets?ownerId={owner}")).await.is(200);
    key.get(client, &format!("/wallets?{CANARY}=1")).await.is_problem(400, "validation-failed");
    key.get(client, "/wallets/w/ledger").await.is(200);
    // What is wrong is not repeated in logs either.
    let wrong = json!({ "walletId": "w3", "ownerId": owner, "initialBalance": "x", CANARY: 1 });
    key.post(client, "/wallets", &wrong).await.is_problem(400, "validation-failed");
    let text = format!("{{\"ownerId\": \"{CANARY}");
    key.on(client.post_text("/wallets", text)).await.is_problem(400, "malformed-json");
    let token = format!("Bearer eyJhbGciOiJSUzI1NiJ9.{CANARY}.{CANARY}");
    for wrong in [token, format!("Bearer wlx_{CANARY}_{CANARY}"), format!("Basic {CANARY}")] {
        let refused = client.get("/wallets/w").header("Authorization", &wrong).await;
        refused.is_problem(401, "unauthenticated");
    }
    let cookie = client.get("/livez").header("Cookie", CANARY).header("User-Agent", CANARY);
    cookie.await.is(200);
}

async fn what_is_secret_or_somebodys_is_in_no_line_and_in_no_trace(database: TempDatabase) {
    let key = ApiKey::create(&database, "default", wallex_testkit::ALL_SCOPES, &[]).await;
    let collector = Collector::start();
    let builder = json_logs(&database).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint());
    let builder = builder.env("WALLEX_LOG", ALL_OF_OURS);
    let mut server = builder.start().await;
    tell_secrets(server.client(), &key).await;
    wallex_testkit::Inspector::open(&database).await.projected().await;
    server.terminate();
    server.wait().await;
    let (logs, secret) = (server.logs(), key.bearer.rsplit('_').next().expect("a secret"));
    assert!(logs.contains("request completed"), "{logs}");
    assert!(!collector.spans().is_empty());
    for told in [CANARY, secret, "7771777", "9991999"] {
        let line = logs.lines().find(|line| line.contains(told));
        assert_eq!(line, None, "{told} is in the logs");
        assert!(!collector.was_told(told), "{told} is in the traces");
    }
}

#[test]
fn the_password_of_a_database_is_in_no_line() {
    block_on(async {
        let url = format!("postgres://somebody:{CANARY}@127.0.0.1:1/wallex");
        let builder = ServerBuilder::new(&[]).env("DATABASE_URL", &url);
        let mut server = builder.env("WALLEX_LOG", ALL_OF_OURS).spawn();
        assert_eq!(server.wait().await.code(), Some(1));
        let logs = server.logs();
        assert!(logs.contains("127.0.0.1:1"), "{logs}");
        assert!(!logs.contains(CANARY), "{logs}");
    });
}
