//! `GET /openapi.json`, `/docs`, and the committed description.

use std::path::Path;

use serde_json::Value;
use wallex_testkit::{Server, ServerBuilder, TempDatabase, on_both_databases};

on_both_databases!(served_description_is_the_printed_one, docs_work_without_the_internet);

async fn printed() -> String {
    let mut process = ServerBuilder::new(&["openapi"]).spawn();
    assert!(process.wait().await.success());
    process.logs()
}

#[test]
fn committed_description_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let committed = std::fs::read_to_string(&path).expect("docs/openapi.json");
    let printed = wallex_testkit::block_on(printed());
    let same = committed.trim_end() == printed.trim_end();
    assert!(same, "docs/openapi.json is stale: cargo run -- openapi > docs/openapi.json");
}

async fn served_description_is_the_printed_one(database: TempDatabase) {
    let server = Server::start(&database).await;
    let served = server.client().get("/openapi.json").await.is(200);
    let printed: Value = serde_json::from_str(&printed().await).expect("JSON");
    assert_eq!(served, printed);
    assert!(served["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    for (path, method) in [
        ("/wallets", "post"),
        ("/wallets/{id}", "get"),
        ("/wallets/{id}/credit", "post"),
        ("/wallets/{id}/debit", "post"),
        ("/wallets/{id}/transfer", "post"),
        ("/wallets/{id}/events", "get"),
        ("/wallets/{id}/explanation", "get"),
        ("/whoami", "get"),
        ("/admin/live", "get"),
        ("/wallets", "get"),
        ("/wallets/{id}/ledger", "get"),
        ("/transfers/{id}", "get"),
        ("/admin/outbox", "get"),
        ("/admin/outbox/cleanup", "post"),
        ("/admin/idempotency/sweep", "post"),
        ("/admin/statistics", "get"),
        ("/admin/projectors", "get"),
        ("/admin/projectors/{name}/start", "post"),
        ("/admin/projectors/{name}/stop", "post"),
        ("/admin/recovery/rebuild", "post"),
        ("/admin/recovery/drift", "post"),
        ("/admin/recovery/retry", "post"),
        ("/admin/operations/{id}", "get"),
        ("/admin/dead-letters", "get"),
        ("/admin/dead-letters/{projector}/{id}", "get"),
        ("/admin/dead-letters/{projector}/{id}/replay", "post"),
        ("/admin/dead-letters/{projector}/{id}/discard", "post"),
        ("/livez", "get"),
        ("/readyz", "get"),
    ] {
        let paths = served["paths"].as_object().expect("paths");
        let described = paths.iter().any(|(name, operations)| {
            // The name of the parameter is the handler's business.
            let name = name.replace("{walletId}", "{id}").replace("{wallet_id}", "{id}");
            name == path && operations.get(method).is_some()
        });
        assert!(described, "{method} {path} is described: {:?}", paths.keys());
    }
}

async fn docs_work_without_the_internet(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    let mut path = "/docs".to_owned();
    let mut page = client.get(&path).await;
    // The page may be one redirect away.
    if page.status.is_redirection() {
        page.header("location").expect("where to").clone_into(&mut path);
        if !path.starts_with('/') {
            path = format!("/{path}");
        }
        page = client.get(&path).await;
    }
    assert_eq!(page.status, 200, "{}", page.text);
    let folder = &path[..=path.rfind('/').expect("a slash")];
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.text.split(attribute).skip(1) {
            let (link, _) = rest.split_once('"').expect("a closing quote");
            assert!(!link.contains("//"), "{link} is on another host");
            if link.is_empty() || link.starts_with('#') || link.starts_with("data:") {
                continue;
            }
            let link = link.trim_start_matches("./");
            let link =
                if link.starts_with('/') { link.to_owned() } else { format!("{folder}{link}") };
            assert_eq!(client.get(&link).await.status, 200, "{link} is served");
            loaded += 1;
        }
    }
    assert!(loaded > 0, "the page has a script: {}", page.text);
}
