//! What every answer tells a browser.

use wallex_testkit::{Answer, Server, TempDatabase, on_both_databases};

use crate::support::create;

on_both_databases!(answers_are_not_cached_sniffed_or_shared, pages_run_nothing_but_their_own_files);

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
    for path in ["/docs/", "/docs/swagger-initializer.js", "/docs/swagger-ui.css", "/v1/docs/"] {
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
