//! Input that no client should send: a 4xx problem that names every fault, and nothing written.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wallex_testkit::corpus::values::{NO_AMOUNTS, NO_TEXTS, NO_WALLET_IDS};
use wallex_testkit::{Answer, Client, TempDatabase, on_both_databases};

use crate::support::{Unchanged, with_wallets};

on_both_databases!(
    every_fault_of_a_creation_is_named_and_nothing_is_written,
    every_fault_of_a_movement_is_named_and_nothing_is_written,
    every_fault_of_a_transfer_is_named_and_nothing_is_written,
    all_faults_are_told_at_once,
    what_is_not_a_json_object_is_refused,
    other_media_types_are_refused,
    large_bodies_are_refused,
    bad_wallet_ids_in_the_path_are_refused,
);

/// The pointers of a validation problem.
#[track_caller]
fn pointers(answer: &Answer) -> BTreeSet<String> {
    let problem = answer.is_problem(400, "validation-failed");
    let errors = problem["errors"].as_array().expect("the errors");
    let pointer = |error: &Value| {
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
        error["pointer"].as_str().expect("a pointer").to_owned()
    };
    errors.iter().map(pointer).collect()
}

/// Sends `valid` with one member after the other replaced by each of its bad values.
async fn each_fault_is_named(
    database: &TempDatabase,
    path: &str,
    valid: &Value,
    faults: &[(&str, &[&str])],
) {
    let server = with_wallets(database).await;
    let unchanged = Unchanged::since_now(database).await;
    for (name, values) in faults {
        for value in *values {
            let mut members: Vec<String> = valid
                .as_object()
                .expect("an object")
                .iter()
                .filter(|(other, _)| other != name)
                .map(|(other, value)| format!("\"{other}\":{value}"))
                .collect();
            members.push(format!("\"{name}\":{value}"));
            let body = format!("{{{}}}", members.join(","));
            // A key makes no difference: what is invalid is not stored.
            let answer = server.client().post_text(path, body.clone()).key("key-1").await;
            assert_eq!(pointers(&answer), [format!("/{name}")].into(), "{body}");
            unchanged.holds_after(&body).await;
        }
    }
    // And without the fault it is done.
    let answer = server.client().post(path, valid).key("key-1").await;
    assert!(answer.status.is_success() && !answer.is_replay(), "{answer:?}");
}

async fn every_fault_of_a_creation_is_named_and_nothing_is_written(database: TempDatabase) {
    let valid = json!({
        "walletId": "new", "ownerId": "owner-1", "initialBalance": 1, "currency": "EUR",
    });
    let long_id = format!("\"{}\"", "x".repeat(129));
    let long_owner = format!("\"{}\"", "\u{e9}".repeat(129));
    each_fault_is_named(
        &database,
        "/wallets",
        &valid,
        &[
            ("walletId", NO_WALLET_IDS),
            ("walletId", &[&long_id]),
            ("ownerId", NO_TEXTS),
            ("ownerId", &["\"\"", &long_owner]),
            ("initialBalance", NO_AMOUNTS),
            ("currency", &["\"\"", "\"usd\"", "\"US\"", "\"U$D\"", "\"\\u0000\"", "840", "null"]),
            ("unknown", &["1", "null", "{\"a\":[]}"]),
            ("id", &["\"new\""]),
            ("version", &["7"]),
        ],
    )
    .await;
}

const MOVEMENT_FAULTS: &[(&str, &[&str])] = &[
    ("amount", NO_AMOUNTS),
    ("amount", &["0"]),
    ("description", NO_TEXTS),
    ("reference", NO_TEXTS),
    ("reference", &["\"two\\nlines\""]),
    ("currency", &["\"USD\""]),
    ("unknown", &["1"]),
];

async fn every_fault_of_a_movement_is_named_and_nothing_is_written(database: TempDatabase) {
    let valid = json!({ "amount": 1, "description": "d", "reference": "r" });
    each_fault_is_named(&database, "/wallets/w/credit", &valid, MOVEMENT_FAULTS).await;
}

async fn every_fault_of_a_transfer_is_named_and_nothing_is_written(database: TempDatabase) {
    let valid = json!({ "toWalletId": "other", "amount": 1, "description": "d", "reference": "r" });
    let long_description = format!("\"{}\"", "x".repeat(501));
    let long_reference = format!("\"{}\"", "x".repeat(129));
    let mut faults = MOVEMENT_FAULTS.to_vec();
    let long: [&[&str]; 2] = [&[&long_description], &[&long_reference]];
    faults.extend([
        ("toWalletId", NO_WALLET_IDS),
        ("description", long[0]),
        ("reference", long[1]),
    ]);
    each_fault_is_named(&database, "/wallets/w/transfer", &valid, &faults).await;
}

async fn all_faults_are_told_at_once(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let body = r#"{"walletId":"a b","ownerId":7,"initialBalance":1.5,"currency":"x","what":1}"#;
    let all = ["/walletId", "/ownerId", "/initialBalance", "/currency", "/what"];
    let answer = client.post_text("/wallets", body).await;
    assert_eq!(pointers(&answer), all.map(str::to_owned).into());
    // What is missing, and what is there twice, whichever is right.
    let answer = client.post_text("/wallets/w/transfer", r#"{"amount":1,"amount":1}"#).await;
    assert_eq!(pointers(&answer), ["/amount", "/toWalletId"].map(str::to_owned).into());
    // Names are escaped (RFC 6901).
    let answer = client.post_text("/wallets/w/credit", r#"{"amount":1,"a/b~c":1}"#).await;
    assert_eq!(pointers(&answer), ["/a~1b~0c".to_owned()].into());
    // Headers and path are told with the body.
    let credit =
        client.post("/wallets/a%20b/credit", &json!({ "amount": 0 })).key("").if_match("x");
    let problem = credit.await.is_problem(400, "validation-failed");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(4), "{problem}");
}

async fn what_is_not_a_json_object_is_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let unchanged = Unchanged::since_now(&database).await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let deep_member = format!("{{\"amount\":{}}}", "{\"a\":".repeat(10_000));
    let malformed: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"{\"amount\":1",
        b"{\"amount\":1}}",
        b"{\"amount\":1}{\"amount\":1}",
        b"{\"amount\":01}",
        b"{\"amount\":NaN}",
        b"{amount:1}",
        b"{'amount':1}",
        b"{\"amount\":1,}",
        b"\xff\xfe{\x00}\x00",
        b"{\"amount\":1,\"reference\":\"\xc3\x28\"}",
        deep_member.as_bytes(),
    ];
    for body in malformed {
        let answer = server.client().post_text("/wallets/w/credit", body).await;
        answer.is_problem(400, "malformed-json");
    }
    for body in ["null", "1", "\"text\"", "[]", "[{\"amount\":1}]", "true", &deep] {
        let answer = server.client().post_text("/wallets/w/credit", body).await;
        let code = answer.json()["code"].clone();
        assert!(code == "validation-failed" || code == "malformed-json", "{code}");
        assert_eq!(answer.status, 400);
    }
    unchanged.holds_after("what is not an object").await;
}

async fn other_media_types_are_refused(database: TempDatabase) {
    fn post(client: &Client) -> wallex_testkit::Request {
        client.request("POST", "/wallets/w/credit")
    }
    let server = with_wallets(&database).await;
    let client = server.client();
    let unchanged = Unchanged::since_now(&database).await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "x", ""] {
        let answer = post(client).header("Content-Type", kind).body(r#"{"amount":1}"#).await;
        answer.is_problem(415, "unsupported-media-type");
    }
    post(client).body(r#"{"amount":1}"#).await.is_problem(415, "unsupported-media-type");
    let encoded = client.post("/wallets/w/credit", &json!({ "amount": 1 }));
    let answer = encoded.header("Content-Encoding", "gzip").await;
    answer.is_problem(415, "unsupported-media-type");
    unchanged.holds_after("other media types").await;
    let answer = post(client)
        .header("Content-Type", "application/json; charset=utf-8")
        .body(r#"{"amount":1}"#);
    answer.await.is(200);
}

async fn large_bodies_are_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let unchanged = Unchanged::since_now(&database).await;
    let body = |bytes: usize| {
        let text = r#"{"amount":1}"#;
        format!("{text}{}", " ".repeat(bytes - text.len()))
    };
    let large = server.client().post_text("/wallets/w/credit", body(64 * 1024 + 1)).await;
    large.is_problem(413, "body-too-large");
    unchanged.holds_after("a large body").await;
    server.client().post_text("/wallets/w/credit", body(64 * 1024)).await.is(200);
}

async fn bad_wallet_ids_in_the_path_are_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let unchanged = Unchanged::since_now(&database).await;
    let long = "x".repeat(129);
    for id in ["a%20b", "%00", "%0a", "w%C3%A9", "%ff", "a%2Fb", "w%", "w%zz", "$", &long] {
        for path in [format!("/wallets/{id}"), format!("/wallets/{id}/events")] {
            let status = client.get(&path).await.status;
            assert!(status == 400 || status == 404, "{status} for {path}");
        }
        for action in ["credit", "debit", "transfer"] {
            let path = format!("/wallets/{id}/{action}");
            let body = json!({ "amount": 1, "toWalletId": "other" });
            let status = client.post(&path, &body).await.status;
            assert!(status == 400 || status == 404, "{status} for {path}");
        }
    }
    unchanged.holds_after("bad ids").await;
}
