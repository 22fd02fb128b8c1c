//! The page at `/console`: its files, its headers, and a server without it.

use wallex_testkit::{Server, ServerBuilder, TempDatabase, on_both_databases};

on_both_databases!(the_console_comes_out_of_the_binary, a_server_may_have_no_console);

async fn the_console_comes_out_of_the_binary(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    let root = client.get("/").await;
    assert_eq!((root.status.as_u16(), root.header("location")), (307, Some("/console")));
    let page = client.get("/console").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let policy = page.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    // The page must work under its policy, without the internet.
    assert!(!page.text.contains("<style") && !page.text.contains("style="), "{}", page.text);
    assert!(!page.text.contains("javascript:"), "{}", page.text);
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.text.split(attribute).skip(1) {
            let (link, _) = rest.split_once('"').expect("a closing quote");
            assert!(!link.contains("//"), "{link} is on another host");
            if link.starts_with('#') || link.starts_with("data:") || !link.contains('.') {
                continue;
            }
            let part = client.get(link).await;
            assert_eq!(part.status, 200, "{link}");
            assert_eq!(part.header("cache-control"), Some("no-cache"), "{link}");
            let tag = part.header("etag").expect("a tag").to_owned();
            let again = client.get(link).header("If-None-Match", &tag).await;
            assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{link}");
            loaded += 1;
        }
    }
    assert!(loaded > 1, "the page has a script and a style: {}", page.text);
    client.get("/console/../Cargo.toml").await.is_problem(404, "route-not-found");
    client.get("/console/none.js").await.is_problem(404, "route-not-found");
}

async fn a_server_may_have_no_console(database: TempDatabase) {
    let server = ServerBuilder::on(&database).env("WALLEX_CONSOLE", "false").start().await;
    for path in ["/", "/console", "/console/index.html"] {
        server.client().get(path).await.is_problem(404, "route-not-found");
    }
}
