//! What every answer tells a browser.

use wallex_testkit::{Answer, Server, TempDatabase, on_both_databases};

use crate::support::create;

on_both_databases!(
    answers_are_not_cached_sniffed_or_shared,
    pages_run_nothing_but_their_own_files,
    pages_of_other_sites_get_nothing_from_an_open_server,
);

fn has(answer: &Answer, name: &str, value: &str) {
    assert_eq!(answer.header(name), Some(value), "{name} of {answer:?}");
}

async fn answers_are_not_cached_sniffed_or_shared(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    create(client, "w", 1).await;
    for path in ["/wallets/w", "/wallets/w/events", "/wallets", "/nowhere", "/livez", "/metrics"] {
        let answer = client.get(path).header("Origin", "https://elsewhere.example").await;
        has(&answer, "x-content-type-options", "nosniff");
        has(&answer, "cache-control", "no-store");
        for absent in ["server", "strict-transport-security", "access-control-allow-origin"] {
            assert_eq!(answer.header(absent), None, "{absent} of {path}");
        }
    }
    let preflight = client
        .request("OPTIONS", "/wallets")
        .header("Origin", "https://elsewhere.example")
        .header("Access-Control-Request-Method", "POST");
    let answer = preflight.await;
    answer.is_problem(405, "method-not-allowed");
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

async fn pages_run_nothing_but_their_own_files(database: TempDatabase) {
    let server = Server::start(&database).await;
    let parts = ["/docs/", "/docs/swagger-initializer.js", "/docs/swagger-ui.css", "/v1/docs/"];
    for path in parts.into_iter().chain(["/%64ocs/"]) {
        let answer = server.client().get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        has(&answer, "referrer-policy", "no-referrer");
        has(&answer, "x-frame-options", "DENY");
        has(&answer, "cross-origin-opener-policy", "same-origin");
        assert!(answer.header("permissions-policy").is_some());
    }
    // The page must work under its policy: each script and style is a file of Wallex.
    let page = server.client().get("/docs/").await.text;
    assert!(!page.contains("<style") && !page.contains("style="), "{page}");
    assert!(!page.contains(" onload=") && !page.contains("javascript:"), "{page}");
    for script in page.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').expect("a tag");
        assert!(tag.contains("src=\"./"), "{tag}");
        assert!(rest.trim_start().starts_with("</script>"), "{rest}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
}

async fn pages_of_other_sites_get_nothing_from_an_open_server(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    create(client, "w", 1).await;
    // What a page may send without asking: no body, so no media type that the browser would ask about.
    let stop = || client.request("POST", "/admin/projectors/ledger/stop");
    for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://elsewhere.example")]
    {
        stop().header(name, value).await.is_problem(403, "foreign-origin");
    }
    // A name of the internet that leads here.
    let rebound = "elsewhere.example:8080";
    stop().header("Host", rebound).await.is_problem(403, "foreign-origin");
    client.get("/wallets/w").header("Host", rebound).await.is_problem(403, "foreign-origin");
    let projectors = client.get("/admin/projectors").await.text;
    assert!(!projectors.contains("stopped"), "{projectors}");
    assert_eq!(stop().header("Sec-Fetch-Site", "same-origin").await.status, 200);
}
