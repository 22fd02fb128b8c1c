//! The page at `/console`, and what it asks first.

use wallex_ports::AccessScope::{Admin, WalletsRead};

use super::*;

fn knowing(path: &str, tags: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header(("If-None-Match", tags))
}

#[actix_web::test]
async fn the_console_is_a_page_and_its_parts() {
    let client = Client::new().await;
    let page = client.get("/console").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert!(page.header("content-security-policy").is_some());
    for path in ["/console/", "/console/index.html", "/v1/console"] {
        assert_eq!(client.get(path).await.text, page.text, "{path}");
    }
    for part in wallex_console::paths() {
        let reply = client.get(&format!("/console/{part}")).await;
        assert_eq!(reply.status, 200, "{part}");
        assert!(reply.header("etag").is_some(), "{part}");
    }
    for path in ["/console/nothing.js", "/console/../Cargo.toml", "/console/%2e%2e/Cargo.toml"] {
        client.get(path).await.problem(404, "route-not-found");
    }
    let redirect = client.get("/").await;
    assert_eq!((redirect.status, redirect.header("location")), (307, Some("/console")));
}

#[actix_web::test]
async fn a_browser_that_has_a_part_is_not_sent_it_again() {
    let client = Client::new().await;
    let tag = client.get("/console").await.header("etag").expect("a tag").to_owned();
    for tags in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let reply = client.call(knowing("/console", &tags)).await;
        assert_eq!((reply.status, reply.text.as_str()), (304, ""), "{tags}");
        assert_eq!(reply.header("etag"), Some(tag.as_str()));
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
    }
    for tags in ["\"other\"", "", &tag[1..]] {
        assert_eq!(client.call(knowing("/console", tags)).await.status, 200, "{tags}");
    }
}

#[actix_web::test]
async fn a_server_may_have_no_console() {
    let mut harness = Harness::new();
    harness.settings.console = false;
    let client = harness.start().await;
    for path in ["/", "/console", "/console/", "/console/index.html"] {
        client.get(path).await.problem(404, "route-not-found");
    }
    assert_eq!(client.get("/whoami").await.status, 200, "it is of use without the page");
}

#[actix_web::test]
async fn callers_learn_who_they_are() {
    let harness = Harness::new();
    let client = harness.start().await;
    let open = client.get("/whoami").await.json();
    let all = ["wallets:read", "wallets:write", "transfers:write", "metrics:read", "admin"];
    assert_eq!(
        open,
        json!({"authentication": "off", "caller": "open", "name": null, "tenant": "default",
            "scopes": all, "isOperator": true})
    );
    harness.gate.know("reader", "acme", &[WalletsRead]);
    harness.gate.know("admin", "acme", &[Admin, WalletsRead]);
    harness.gate.know("nothing", "default", &[]);
    let ask = |bearer: &str| {
        let request = TestRequest::get().uri("/v1/whoami");
        client.call(request.insert_header(("Authorization", format!("Bearer {bearer}"))))
    };
    assert_eq!(
        ask("reader").await.json(),
        json!({"authentication": "on", "caller": "key:reader", "name": "reader of acme",
            "tenant": "acme", "scopes": ["wallets:read"], "isOperator": false})
    );
    let admin = ask("admin").await.json();
    assert_eq!(admin["scopes"], json!(["wallets:read", "admin"]));
    assert_eq!(admin["isOperator"], false, "it operates its tenant alone");
    assert_eq!(ask("nothing").await.json()["scopes"], json!([]));
    ask("unknown").await.problem(401, "unauthenticated");
    client.get("/whoami").await.problem(401, "unauthenticated");
}
