//! Whatever is sent: a 4xx that names the place, and nothing changed.

use super::*;

const NEW_WALLET: &str = "/wallets";

/// The body of a creation with `value`, raw JSON, as one more field.
fn creation_with(name: &str, value: &str) -> String {
    format!(r#"{{"walletId":"w-1","ownerId":"u","{name}":{value}}}"#)
}

#[actix_web::test]
async fn every_error_is_reported_at_once_with_its_place() {
    let client = Client::new().await;
    let body = json!({
        "walletId": "no spaces", "currency": "usd", "initialBalance": -1, "balance": 5, "a/b~c": 1,
    });
    let request = post("/wallets?x=1&y=2&y=3", &body)
        .insert_header(("Idempotency-Key", "no spaces"))
        .insert_header(("If-Match", "\"1\""))
        .insert_header(("X-Correlation-Id", "no spaces"));
    let reply = client.call(request).await;
    let problem = reply.problem(400, "validation-failed");
    assert_eq!(problem["instance"], "/wallets");
    let mut places = reply.places();
    places.sort();
    let expected = [
        "/a~1b~0c",
        "/balance",
        "/currency",
        "/initialBalance",
        "/ownerId",
        "/walletId",
        "Idempotency-Key",
        "If-Match",
        "X-Correlation-Id",
        "x",
        "y",
        "y",
    ];
    assert_eq!(places, expected);
}

#[actix_web::test]
async fn path_and_body_errors_are_reported_together() {
    let client = Client::new().await;
    let request =
        post("/wallets/a%20b/transfer", &json!({"amount": 0})).insert_header(("If-Match", "3"));
    let reply = client.call(request).await;
    reply.problem(400, "validation-failed");
    let mut places = reply.places();
    places.sort();
    assert_eq!(places, ["/amount", "/toWalletId", "If-Match", "id"]);
}

#[actix_web::test]
async fn only_integers_in_range_are_sums() {
    let harness = Harness::new();
    let client = harness.start().await;
    for bad in [
        "1.0",
        "1.5",
        "1e2",
        "1E2",
        "-0",
        "-0.0",
        "0.0",
        "1e400",
        "-1",
        "9007199254740992",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "\"1\"",
        "null",
        "true",
        "[]",
        "[1]",
        "{}",
        "{\"a\":1}",
    ] {
        let reply = client.post_raw(NEW_WALLET, creation_with("initialBalance", bad)).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["/initialBalance"], "{bad}");
        let credit = client.post_raw("/wallets/w-1/credit", format!(r#"{{"amount":{bad}}}"#)).await;
        credit.problem(400, "validation-failed");
        assert_eq!(credit.places(), ["/amount"], "{bad}");
    }
    let zero = client.post("/wallets/w-1/debit", &json!({"amount": 0})).await;
    zero.problem(400, "validation-failed");
    assert_eq!(harness.store.rows(), (0, 0));
}

#[actix_web::test]
async fn sums_may_go_to_the_limit() {
    let client = Client::new().await;
    let body = creation_with("initialBalance", "9007199254740991");
    assert_eq!(client.post_raw(NEW_WALLET, body).await.status, 201);
    let all = client.post_raw("/wallets/w-1/debit", r#"{"amount":9007199254740991}"#).await;
    assert_eq!((all.status, all.json()["balance"].clone()), (200, json!(0)));
}

#[actix_web::test]
async fn texts_are_checked_before_they_are_stored() {
    let harness = Harness::new();
    let client = harness.start().await;
    let long = format!("\"{}\"", "x".repeat(129));
    for (name, value) in [
        ("walletId", r#""a\u0000b""#),
        ("walletId", r#""""#),
        ("walletId", r#""é""#),
        ("walletId", "5"),
        ("walletId", "null"),
        ("walletId", &long),
        ("ownerId", r#""a\u0000b""#),
        ("ownerId", r#""\ud800""#),
        ("ownerId", r#""\udc00\ud800""#),
        ("ownerId", r#""\u009f""#),
        ("ownerId", r#""""#),
        ("ownerId", "null"),
        ("ownerId", &long),
        ("currency", r#""usd""#),
        ("currency", "null"),
        ("currency", "{}"),
    ] {
        let body = match name {
            "ownerId" => format!(r#"{{"ownerId":{value}}}"#),
            _ => format!(r#"{{"ownerId":"u","{name}":{value}}}"#),
        };
        let reply = client.post_raw(NEW_WALLET, body).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), [format!("/{name}")], "{value}");
    }
    for (name, value) in [
        ("description", r#""a\u0000b""#),
        ("description", r#""\udfff""#),
        ("description", "null"),
        ("reference", r#""two\nlines""#),
    ] {
        let body = format!(r#"{{"amount":1,"{name}":{value}}}"#);
        let reply = client.post_raw("/wallets/w-1/credit", body).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), [format!("/{name}")], "{value}");
    }
    assert_eq!(harness.store.rows(), (0, 0));
}

#[actix_web::test]
async fn escapes_are_the_characters_they_stand_for() {
    let client = Client::new().await;
    let body = r#"{"\u006fwnerId":"Zo\u00eb \ud83d\ude00","walletId":"\u0077-1"}"#;
    let reply = client.post_raw(NEW_WALLET, body).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.json()["ownerId"], "Zoë 😀");
    assert_eq!(reply.json()["id"], "w-1");
}

#[actix_web::test]
async fn duplicate_fields_are_refused_even_when_equal_or_escaped() {
    let client = Client::new().await;
    for body in [
        r#"{"ownerId":"u","ownerId":"u"}"#,
        r#"{"ownerId":"u","\u006fwnerId":"v"}"#,
        r#"{"ownerId":"u","ownerId":{"deep":[1]}}"#,
    ] {
        let reply = client.post_raw(NEW_WALLET, body).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["/ownerId"], "{body}");
    }
    let unknown = client.post_raw(NEW_WALLET, r#"{"ownerId":"u","x":1,"x":2}"#).await;
    unknown.problem(400, "validation-failed");
    assert_eq!(unknown.places(), ["/x", "/x"]);
}

#[actix_web::test]
async fn what_is_not_json_is_told_from_what_is_not_an_object() {
    let client = Client::new().await;
    let not_json: [&[u8]; 17] = [
        b"",
        b" ",
        b"{",
        b"{\"ownerId\":\"u\"",
        b"{\"ownerId\":\"u\"}}",
        b"{\"ownerId\":\"u\"} {}",
        b"{\"ownerId\":\"u\",}",
        b"{'ownerId':'u'}",
        b"{\"ownerId\":NaN}",
        b"{\"ownerId\":\"u\",\"initialBalance\":01}",
        b"{\"ownerId\":\"u\",\"initialBalance\":+1}",
        b"{\"ownerId\":\"a\0b\"}",
        b"{\"ownerId\":\"\xff\"}",
        b"{\"\\ud800\":1}",
        b"\xef\xbb\xbf{\"ownerId\":\"u\"}",
        b"nul",
        b"1e400",
    ];
    for body in not_json {
        let reply = client.post_raw(NEW_WALLET, Bytes::from_static(body)).await;
        reply.problem(400, "malformed-json");
    }
    for body in ["[]", "null", "true", "5", "-0", "\"text\"", "[{\"ownerId\":\"u\"}]"] {
        let reply = client.post_raw(NEW_WALLET, body).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), [""], "{body}");
    }
}

#[actix_web::test]
async fn deep_json_is_refused_without_descending() {
    let client = Client::new().await;
    let depth = 30_000;
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let reply = client.post_raw(NEW_WALLET, deep.clone()).await;
    reply.problem(400, "validation-failed");
    let reply = client.post_raw(NEW_WALLET, format!(r#"{{"ownerId":{deep}}}"#)).await;
    reply.problem(400, "validation-failed");
    assert_eq!(reply.places(), ["/ownerId"]);
    let open = client.post_raw(NEW_WALLET, format!(r#"{{"ownerId":{}"#, "[".repeat(60_000))).await;
    open.problem(400, "malformed-json");
}

#[actix_web::test]
async fn errors_without_end_are_counted_and_not_all_listed() {
    let client = Client::new().await;
    let members: Vec<String> = (0..5_000).map(|n| format!("\"f{n}\":1")).collect();
    let reply = client.post_raw(NEW_WALLET, format!("{{{}}}", members.join(","))).await;
    let problem = reply.problem(400, "validation-failed");
    assert_eq!(reply.places().len(), 100);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("5001")));
}

#[actix_web::test]
async fn bodies_are_bounded() {
    let harness = Harness::new();
    let client = harness.start().await;
    let padded = |bytes: usize| {
        let body = r#"{"ownerId":"u"}"#;
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    assert_eq!(client.post_raw(NEW_WALLET, padded(64 * 1024)).await.status, 201);
    let rows = harness.store.rows();
    let reply = client.post_raw(NEW_WALLET, padded(64 * 1024 + 1)).await;
    reply.problem(413, "body-too-large");
    assert!(reply.header("x-correlation-id").is_some());
    // A huge body is refused by its announced length, before it is read.
    let announced = TestRequest::post()
        .uri(NEW_WALLET)
        .insert_header(("content-type", "application/json"))
        .insert_header(("content-length", "10000000000"));
    client.call(announced).await.problem(413, "body-too-large");
    assert_eq!(harness.store.rows(), rows);
}

#[actix_web::test]
async fn only_plain_json_is_a_supported_body() {
    let client = Client::new().await;
    let body = r#"{"ownerId":"u"}"#;
    let request = |headers: &[(&'static str, &'static str)]| {
        let request = TestRequest::post().uri(NEW_WALLET).set_payload(body);
        headers.iter().fold(request, |request, header| request.append_header(*header))
    };
    let json = ("content-type", "application/json");
    for good in [
        vec![json],
        vec![("content-type", "application/json; charset=utf-8")],
        vec![json, ("content-encoding", "identity")],
    ] {
        assert_eq!(client.call(request(&good)).await.status, 201, "{good:?}");
    }
    for bad in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/x-www-form-urlencoded")],
        vec![("content-type", "application/json; charset=utf-16")],
        vec![json, json],
        vec![json, ("content-encoding", "gzip")],
    ] {
        client.call(request(&bad)).await.problem(415, "unsupported-media-type");
    }
}

#[actix_web::test]
async fn ids_in_paths_are_checked() {
    let client = Client::new().await;
    client.open("a:b.c_d-e", 0).await;
    assert_eq!(client.get("/wallets/a:b.c_d-e").await.status, 200);
    assert_eq!(client.get("/wallets/%61%3Ab.c_d-e").await.status, 200);
    let long = "x".repeat(129);
    for bad in
        ["a%20b", "a%00b", "%2F", "a%2Fb", "%25", "%2561", "+", "%FF", "%C3%A9", "a;b", &long]
    {
        for path in [format!("/wallets/{bad}"), format!("/wallets/{bad}/events")] {
            let reply = client.get(&path).await;
            reply.problem(400, "validation-failed");
            assert_eq!(reply.places(), ["id"], "{bad}");
        }
    }
}
