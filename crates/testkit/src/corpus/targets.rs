//! Methods and request targets: unknown, elsewhere, encoded in odd ways.

use super::case::{Case, JSON, MOVEMENT};
use super::{Expected, WALLET};

const NOT_FOUND: Expected = Expected::Refused(&[400, 404]);
const BARE: Expected = Expected::RefusedOrClosed(&[400, 404, 405, 414, 431]);

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: wallex\r\n\r\n")
}

fn post(target: &str) -> String {
    let length = MOVEMENT.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: wallex\r\n{JSON}Content-Length: {length}\r\n\r\n{MOVEMENT}"
    )
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = methods();
    cases.extend(paths());
    cases.extend(queries());
    cases.extend(forms());
    cases
}

fn methods() -> Vec<Case> {
    let of = |method: &str| {
        let length = MOVEMENT.len();
        let request = format!(
            "{method} /wallets/{WALLET}/credit HTTP/1.1\r\nHost: wallex\r\n{JSON}\
             Content-Length: {length}\r\n\r\n{MOVEMENT}"
        );
        Case::new(format!("the method {method:?}"), request, BARE)
    };
    let long = "M".repeat(1_000);
    let methods = [
        "GET",
        "HEAD",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "post",
        "Post",
        "WALLEX",
        "PROPFIND",
        "P\u{d6}ST",
        "PO\0ST",
        "",
        " ",
        "POST POST",
        &long,
    ];
    methods.into_iter().map(of).collect()
}

fn paths() -> Vec<Case> {
    let ids = [
        "%00",
        "a%00b",
        "%2F",
        "a%2Fb",
        "..",
        "%2e%2e",
        "%252e%252e",
        "a%20b",
        "a+b",
        "%0d%0a",
        "%0d%0aX-Odd:%20x",
        "%C3%A9",
        "%C0%AE%C0%AE",
        "%C0%80",
        "%ED%A0%80",
        "%F4%90%80%80",
        "%FF",
        "%",
        "%z",
        "%zz",
        "%u0041",
        "$",
        "'",
        "%22",
        "%3Cscript%3E",
        "a;b",
        "a,b",
        "~",
        "*",
    ];
    let credit = |id: &&str| {
        Case::new(format!("a credit to {id}"), post(&format!("/wallets/{id}/credit")), NOT_FOUND)
    };
    let read = |id: &&str| {
        Case::new(format!("the events of {id}"), get(&format!("/wallets/{id}/events")), NOT_FOUND)
    };
    let mut cases: Vec<_> = ids.iter().map(credit).chain(ids.iter().map(read)).collect();
    let elsewhere = [
        "/wallets/../admin",
        "/../../etc/passwd",
        "/docs/../../../etc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/..%2f..%2fetc%2fpasswd",
        "/docs/%00",
        "/docs/index.html%00.css",
        "//wallets",
        "///",
        "/wallets/",
        "/WALLETS/corpus",
        "/v1/v1/wallets/corpus",
        "/v2/wallets/corpus",
        "/wallets/corpus/credit/",
        "/wallets/corpus/./events",
        "/wallets/corpus%2fevents",
        "/%77allets%2fcorpus",
        "/transfers/%00",
        "/transfers/not-an-id",
        "/transfers/00000000-0000-0000-0000-000000000000/x",
        "/admin/projectors/%00/start",
    ];
    cases.extend(elsewhere.map(|path| {
        Case::new(format!("the path {path}"), get(path), Expected::Refused(&[400, 401, 404, 405]))
    }));
    cases
}

fn queries() -> Vec<Case> {
    let lists = [
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=99999999999999999999",
        "limit=1e3",
        "limit=1.0",
        "limit=%31%00",
        "limit=+1",
        "limit=1&limit=1",
        "limit=1&limit=2",
        "LIMIT=1",
        "cursor=",
        "cursor=%00",
        "cursor=AAAA",
        "cursor=!!!",
        "cursor=%FF%FE",
        "unknown=1",
        "=1",
        "limit",
        "limit=1&&&=&",
        "ownerId=%00",
        "a[]=1",
        "a%5B%5D=1",
        "limit=1;drop",
        "%",
        "%zz=1",
    ];
    let list = |query: &&str| {
        let target = format!("/wallets/{WALLET}/ledger?{query}");
        Case::new(format!("a ledger of {query}"), get(&target), Expected::Refused(&[400]))
    };
    // Empty pairs are no parameters (WHATWG URL, section 5.1).
    let mut cases: Vec<_> = lists.iter().filter(|q| **q != "limit=1&&&=&").map(list).collect();
    let target = format!("/wallets/{WALLET}/credit?dryRun=true");
    cases.push(Case::new("a query that a command has not", post(&target), NOT_FOUND));
    let consistency = format!("/wallets/{WALLET}?consistency=perfect");
    cases.push(Case::new("an unknown consistency", get(&consistency), NOT_FOUND));
    cases
}

fn forms() -> Vec<Case> {
    let wallet = format!("/wallets/{WALLET}");
    vec![
        Case::new("a star to GET", get("*"), BARE),
        Case::new("an authority to GET", get("wallex:80"), BARE),
        Case::new("no slash", get("wallets"), BARE),
        Case::new("no target", "GET  HTTP/1.1\r\nHost: wallex\r\n\r\n", BARE),
        Case::new("a space in the target", get("/wallets/a b"), BARE),
        Case::new("a NUL in the target", get("/wallets/a\0b"), BARE),
        Case::new("bytes in the target", get("/wallets/\u{e9}\u{ff}"), BARE),
        Case::new("a tab in the target", get("/wallets/a\tb"), BARE),
        Case::new("a fragment", get("/nowhere#x"), BARE),
        Case::new("an absolute form to nowhere", get("http://wallex/nowhere"), BARE),
        Case::new("an absolute form of another scheme", get("gopher://wallex/nowhere"), BARE),
        Case::new("an absolute form with a user", get("http://a:b@wallex/nowhere"), BARE),
        Case::new("an absolute form without a host", get("http:///nowhere"), BARE),
        // RFC 9112, section 3.2.2: a server accepts it.
        Case::new(
            "an absolute form",
            get(&format!("http://wallex{wallet}")),
            Expected::Answers(&[200]),
        ),
        Case::new("a tunnel", "CONNECT wallex:80 HTTP/1.1\r\nHost: wallex:80\r\n\r\n", BARE),
        Case::new("a star to OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: wallex\r\n\r\n", BARE),
    ]
}
