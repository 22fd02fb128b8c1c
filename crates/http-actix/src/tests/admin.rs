//! The admin API over projections in memory.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use wallex_ports::{CurrencyTotals, Difference, OperationState, Place, Report, TableTally};

use super::*;

/// A POST without a body, and so without a media type.
fn bare(path: &str) -> TestRequest {
    TestRequest::post().uri(path)
}

#[actix_web::test]
async fn outbox_is_told_by_shard_and_in_all() {
    let reply = Client::new().await.get("/admin/outbox").await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
    let expected = json!({
        "shards": [
            {"shard": 0, "head": 42, "processed": 40, "oldestKept": 7, "unprocessedEvents": 2,
             "lagAgeMs": 1500},
            {"shard": 1, "head": 42, "processed": 42, "oldestKept": null, "unprocessedEvents": 0,
             "lagAgeMs": 0},
        ],
        "total": {"events": 84, "processedEvents": 82, "unprocessedEvents": 2, "lagAgeMs": 1500},
    });
    assert_eq!(reply.json(), expected);
}

#[actix_web::test]
async fn projectors_tell_what_they_do_and_what_fails() {
    let reply = Client::new().await.get("/v1/admin/projectors").await;
    assert_eq!(reply.status, 200);
    let expected = json!({
        "name": "ledger", "shard": 0, "state": "failing", "position": 40, "head": 42,
        "lagEvents": 2, "lagAgeMs": 1500, "eventsPerSecond": 900, "holder": "there:7:a", "epoch": 3,
        "updatedAt": "2026-01-01T00:00:00.007Z",
        "lastError": {"message": "the table is gone", "at": "2026-01-01T00:00:00.007Z"},
        "parkedWallets": 1,
    });
    assert_eq!(reply.json()["items"][0], expected);
    assert_eq!(reply.json()["items"].as_array().map(Vec::len), Some(2));
}

#[actix_web::test]
async fn projector_is_stopped_and_started_by_name() {
    let client = Client::new().await;
    for (verb, state) in [("stop", "stopped"), ("stop", "stopped"), ("start", "failing")] {
        let reply = client.call(bare(&format!("/admin/projectors/ledger/{verb}"))).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let items = reply.json()["items"].clone();
        assert_eq!(items.as_array().map(Vec::len), Some(1));
        assert_eq!((&items[0]["name"], &items[0]["state"]), (&json!("ledger"), &json!(state)));
    }
    client.call(bare("/admin/projectors/nobody/stop")).await.problem(404, "projector-not-found");
    let odd = client.call(bare("/admin/projectors/%00/start")).await;
    odd.problem(400, "validation-failed");
    assert_eq!(odd.places(), ["name"]);
}

#[actix_web::test]
async fn operation_begins_in_the_background_and_is_followed() {
    let harness = Harness::new();
    let client = harness.start().await;
    let begun = client.call(bare("/admin/recovery/drift")).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let location = begun.header("location").expect("where to ask").to_owned();
    assert_eq!(location, "/admin/operations/00000000-0000-0000-0000-000000000001");
    let running = client.get(&location).await.json();
    assert_eq!(running, begun.json());
    assert_eq!((&running["kind"], &running["state"]), (&json!("drift"), &json!("running")));
    assert_eq!((&running["scope"], &running["finishedAt"]), (&json!({}), &Value::Null));
    let progress = json!({
        "done": 50, "total": 200, "wallets": 5, "elapsedMs": 100, "eventsPerSecond": 500,
        "remainingMs": 300,
    });
    assert_eq!(running["progress"], progress);
    let nobody = client.get("/admin/operations/00000000-0000-0000-0000-00000000000f").await;
    nobody.problem(404, "operation-not-found");
    for bad in ["w-1", "00000000000000000000000000000001"] {
        let reply = client.get(&format!("/admin/operations/{bad}")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["id"]);
    }
}

#[actix_web::test]
async fn report_tells_what_was_found() {
    let harness = Harness::new();
    let client = harness.start().await;
    let begun = client.call(bare("/admin/recovery/drift")).await;
    {
        let mut operations = harness.steered.operations.lock().expect("sound");
        operations[0].state = OperationState::Failed;
        operations[0].error = Some("disk full".to_owned());
        operations[0].report = Report {
            tables: vec![TableTally {
                projector: "ledger".to_owned(),
                right: 9,
                ..Default::default()
            }],
            differences_total: 1,
            differences: vec![Difference {
                tenant: "default".to_owned(),
                wallet_id: "w-1".to_owned(),
                place: Place::WriteSide,
                version: None,
                what: "balance".to_owned(),
                expected: Some("100".to_owned()),
                found: Some("-9223372036854775808".to_owned()),
                difference_minor: Some(i64::MIN),
            }],
            trial_balance: vec![CurrencyTotals {
                currency: "USD".to_owned(),
                openings: i128::MAX,
                ..Default::default()
            }],
            ..Default::default()
        };
    }
    let told = client.get(begun.header("location").expect("where to ask")).await.json();
    assert_eq!((&told["state"], &told["error"]), (&json!("failed"), &json!("disk full")));
    let report = &told["report"];
    assert_eq!(report["tables"][0]["right"], 9);
    let difference = &report["differences"][0];
    assert_eq!(
        (&difference["place"], &difference["version"]),
        (&json!("write_side"), &Value::Null)
    );
    // Numbers that JSON does not keep exactly are texts.
    assert_eq!(difference["differenceMinor"], i64::MIN.to_string());
    assert_eq!(report["trialBalance"][0]["openings"], i128::MAX.to_string());
    assert_eq!(report["trialBalance"][0]["events"], i128::MAX.to_string());
}

#[actix_web::test]
async fn second_operation_of_a_kind_is_told_the_first() {
    let client = Client::new().await;
    let first = client.call(bare("/admin/recovery/rebuild")).await.json();
    let second = client.call(bare("/admin/recovery/rebuild")).await;
    let problem = second.problem(409, "operation-running");
    assert_eq!(problem["operationId"], first["id"]);
    assert_eq!(client.call(bare("/admin/recovery/retry")).await.status, 202);
}

#[actix_web::test]
async fn operation_is_about_the_wallets_that_are_asked_for() {
    for (body, scope) in [
        (json!({}), json!({})),
        (json!({"walletId": "w-1"}), json!({"tenant": "default", "walletId": "w-1"})),
        (json!({"fromPosition": 7}), json!({"shard": 0, "fromPosition": 7})),
        (json!({"shard": 0, "fromPosition": 1}), json!({"shard": 0, "fromPosition": 1})),
    ] {
        let reply = Client::new().await.post("/admin/recovery/rebuild", &body).await;
        assert_eq!((reply.status, &reply.json()["scope"]), (202, &scope), "{body}");
    }
    let client = Client::new().await;
    let nobody = client.post("/admin/recovery/drift", &json!({"walletId": "nobody"})).await;
    nobody.problem(404, "wallet-not-found");
    let far = client.post("/admin/recovery/drift", &json!({"shard": 9, "fromPosition": 1})).await;
    far.problem(404, "shard-not-found");
}

#[actix_web::test]
async fn scopes_that_say_too_much_or_too_little_are_refused() {
    let harness = Harness::new();
    let client = harness.start().await;
    for (body, place) in [
        (r#"{"walletId":"w-1","fromPosition":1}"#, "/walletId"),
        (r#"{"walletId":"w-1","shard":0}"#, "/walletId"),
        (r#"{"walletId":"a b"}"#, "/walletId"),
        (r#"{"walletId":null}"#, "/walletId"),
        (r#"{"shard":0}"#, "/fromPosition"),
        (r#"{"fromPosition":0}"#, "/fromPosition"),
        (r#"{"fromPosition":1.0}"#, "/fromPosition"),
        (r#"{"fromPosition":9007199254740992}"#, "/fromPosition"),
        (r#"{"fromPosition":1,"shard":1024}"#, "/shard"),
        (r#"{"fromPosition":1,"shard":-1}"#, "/shard"),
        (r#"{"all":true}"#, "/all"),
        ("[]", ""),
    ] {
        let reply = client.post_raw("/admin/recovery/rebuild", body).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), [place], "{body}");
    }
    client.post_raw("/admin/recovery/rebuild", "{").await.problem(400, "malformed-json");
    let form = bare("/admin/recovery/rebuild").set_payload("a=b");
    client.call(form).await.problem(415, "unsupported-media-type");
    client
        .post("/admin/recovery/retry", &json!({"walletId": "w-1"}))
        .await
        .problem(400, "validation-failed");
    assert!(harness.steered.operations.lock().expect("sound").is_empty());
}

#[actix_web::test]
async fn empty_body_is_no_body_whatever_its_type() {
    let form = bare("/admin/recovery/rebuild")
        .insert_header(("content-type", "application/x-www-form-urlencoded"));
    assert_eq!(Client::new().await.call(form).await.status, 202);
    assert_eq!(Client::new().await.post_raw("/admin/recovery/rebuild", "").await.status, 202);
}

#[actix_web::test]
async fn dead_letters_are_listed_page_by_page() {
    let harness = Harness::new();
    for wallet in ["a", "b:c", "d"] {
        harness.steered.park("ledger", wallet, 2);
    }
    harness.steered.park("read_model", "a", 2);
    let client = harness.start().await;
    let mut seen = Vec::new();
    let mut path = "/admin/dead-letters?limit=2".to_owned();
    loop {
        let page = client.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        for item in page["items"].as_array().expect("items") {
            seen.push(format!("{} {}", item["projector"], item["walletId"]).replace('"', ""));
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/admin/dead-letters?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["ledger a", "ledger b:c", "ledger d", "read_model a"]);
    let one = client.get("/admin/dead-letters?projector=read_model").await.json();
    assert_eq!(one["items"].as_array().map(Vec::len), Some(1));
    let misspelt = client.get("/admin/dead-letters?projector=legder").await;
    misspelt.problem(404, "projector-not-found");
    let bad = client.get("/admin/dead-letters?projector=A&limit=0&cursor=x&page=2").await;
    bad.problem(400, "validation-failed");
    let mut places = bad.places();
    places.sort();
    assert_eq!(places, ["cursor", "limit", "page", "projector"]);
}

#[actix_web::test]
async fn dead_letter_is_shown_with_its_event_as_stored() {
    let harness = Harness::new();
    harness.steered.park("ledger", "w-1", 2);
    let client = harness.start().await;
    let shown = client.get("/admin/dead-letters/ledger/w-1").await;
    assert_eq!(shown.status, 200);
    let shown = shown.json();
    assert_eq!(shown["deadLetter"]["eventType"], "WalletRenamed");
    assert_eq!(shown["deadLetter"]["attempts"], 3);
    assert_eq!(shown["event"]["payload"], "{not json");
    assert_eq!(shown["event"]["schemaVersion"], 9);
    let missing = client.get("/admin/dead-letters/read_model/w-1").await;
    missing.problem(404, "dead-letter-not-found");
    let bad = client.get("/admin/dead-letters/A/a%20b").await;
    bad.problem(400, "validation-failed");
    assert_eq!(bad.places(), ["projector", "walletId"]);
}

#[actix_web::test]
async fn replay_says_whether_the_wallet_is_free_again() {
    let harness = Harness::new();
    harness.steered.park("ledger", "w-1", 2);
    let client = harness.start().await;
    let path = "/admin/dead-letters/ledger/w-1/replay";
    harness.steered.unhealed.store(true, Ordering::SeqCst);
    let parked = client.call(bare(path)).await.json();
    assert_eq!(
        (&parked["outcome"], &parked["appliedEvents"]),
        (&json!("still_parked"), &Value::Null)
    );
    assert_eq!(parked["deadLetter"]["error"], "unknown type");
    harness.steered.unhealed.store(false, Ordering::SeqCst);
    let applied = client.call(bare(path)).await.json();
    assert_eq!(applied, json!({"outcome": "applied", "appliedEvents": 3, "deadLetter": null}));
    client.call(bare(path)).await.problem(404, "dead-letter-not-found");
}

#[actix_web::test]
async fn event_is_discarded_for_a_reason_alone() {
    let harness = Harness::new();
    harness.steered.park("ledger", "w-1", 2);
    harness.steered.park("ledger", "w-2", 1);
    let client = harness.start().await;
    let path = "/admin/dead-letters/ledger/w-1/discard";
    let long = "x".repeat(501);
    for bad in [Value::Null, json!(""), json!("\0"), json!(long)] {
        let reply = client.post(path, &json!({"version": 2, "reason": bad})).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["/reason"]);
    }
    for bad in [json!(0), json!(-2), json!("2"), json!(1_u64 << 53)] {
        let reply = client.post(path, &json!({"version": bad, "reason": "no"})).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["/version"]);
    }
    let nothing = client.post(path, &json!({})).await;
    nothing.problem(400, "validation-failed");
    assert_eq!(nothing.places(), ["/version", "/reason"]);
    let creation = "/admin/dead-letters/ledger/w-2/discard";
    let refused = client.post(creation, &json!({"version": 1, "reason": "no"})).await;
    refused.problem(422, "creation-not-discardable");
    // Another event than the one that was seen is not left out.
    let moved = client.post(path, &json!({"version": 3, "reason": "no"})).await;
    moved.problem(409, "dead-letter-moved");
    assert!(moved.json()["detail"].as_str().is_some_and(|detail| detail.contains("ersion 2")));
    assert!(harness.steered.reasons.lock().expect("sound").is_empty());
    let reply = client.post(path, &json!({"version": 2, "reason": "sent twice"})).await;
    assert_eq!((reply.status, &reply.json()["outcome"]), (200, &json!("applied")));
    assert_eq!(*harness.steered.reasons.lock().expect("sound"), ["sent twice"]);
}

#[actix_web::test]
async fn cleanup_keeps_what_is_young() {
    let harness = Harness::new();
    let client = harness.start().await;
    let path = "/admin/outbox/cleanup";
    let reply = client.call(bare(path)).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"deleted": 33})));
    let asked = || harness.steered.older_than_ms.load(Ordering::SeqCst);
    assert_eq!(Duration::from_millis(asked()), harness.settings.outbox_retention);
    assert_eq!(client.post(path, &json!({"olderThanHours": 2})).await.status, 200);
    assert_eq!(asked(), 7_200_000);
    for bad in [json!(-1), json!(87_601), json!("1"), json!(1.0)] {
        let reply = client.post(path, &json!({"olderThanHours": bad})).await;
        reply.problem(400, "validation-failed");
    }
}

#[actix_web::test]
async fn work_that_takes_long_goes_on_behind_its_answer() {
    let mut harness = Harness::new();
    harness.settings.command_timeout = Duration::from_millis(1);
    harness.steered = Arc::new(Steered { cleanups: Semaphore::new(0), ..Steered::default() });
    let client = harness.start().await;
    let reply = client.call(bare("/admin/outbox/cleanup")).await;
    let problem = reply.problem(503, "outcome-unknown");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("background")));
    harness.steered.cleanups.add_permits(1);
    while harness.steered.older_than_ms.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

#[actix_web::test]
async fn sweep_says_how_many_are_gone() {
    let client = Client::new().await;
    let path = "/admin/idempotency/sweep";
    let reply = client.call(bare(path)).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"deleted": 44})));
    client.post(path, &json!({"all": true})).await.problem(400, "validation-failed");
}

#[actix_web::test]
async fn statistics_are_numbers() {
    let reply = Client::new().await.get("/admin/statistics").await;
    let json = reply.json();
    assert_eq!((&json["events"], &json["databaseBytes"]), (&json!(84), &json!(4096)));
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(9));
}

#[actix_web::test]
async fn database_that_is_away_is_said_by_every_route() {
    let harness = Harness::new();
    harness.steered.away.store(true, Ordering::SeqCst);
    let client = harness.start().await;
    for path in [
        "/admin/outbox",
        "/admin/projectors",
        "/admin/statistics",
        "/admin/dead-letters",
        "/admin/dead-letters/ledger/w-1",
        "/admin/operations/00000000-0000-0000-0000-000000000001",
    ] {
        client.get(path).await.problem(503, "database-unavailable");
    }
    for path in [
        "/admin/outbox/cleanup",
        "/admin/idempotency/sweep",
        "/admin/projectors/ledger/stop",
        "/admin/recovery/rebuild",
        "/admin/recovery/retry",
        "/admin/dead-letters/ledger/w-1/replay",
    ] {
        client.call(bare(path)).await.problem(503, "database-unavailable");
    }
}

#[actix_web::test]
async fn idempotency_keys_are_not_looked_at() {
    let harness = Harness::new();
    let client = harness.start().await;
    let keyed =
        bare("/admin/projectors/ledger/stop").insert_header(("Idempotency-Key", "no spaces"));
    assert_eq!(client.call(keyed).await.status, 200);
    assert_eq!(harness.store.rows(), (0, 0));
}

#[actix_web::test]
async fn body_that_may_be_missing_is_described_so() {
    let description: Value = serde_json::from_str(&crate::openapi_json()).expect("JSON");
    for (path, required) in [
        ("/admin/outbox/cleanup", false),
        ("/admin/recovery/rebuild", false),
        ("/admin/recovery/drift", false),
        ("/admin/dead-letters/{projector}/{walletId}/discard", true),
    ] {
        let body = &description["paths"][path]["post"]["requestBody"];
        assert_eq!(body["required"], required, "{path}");
        // Left out is not the same as null, which is refused.
        assert!(body["content"]["application/json"]["schema"].get("oneOf").is_none(), "{path}");
    }
}
