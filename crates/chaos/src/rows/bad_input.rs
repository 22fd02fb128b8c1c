//! Rows 21 and 23: what no client should send, while others work. The checker finds whatever came of
//! it: nobody asked for that.

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Duration, timeout};
use wallex_testkit::Backend;

use super::Ran;
use crate::context::Context;
use crate::http::connect;
use crate::trial::Trial;

const BODY: &str = r#"{"amount":1}"#;
/// The server answers, or hangs up, within this long.
const ANSWER_MAX: Duration = Duration::from_secs(20);
const MIB: usize = 1 << 20;
/// Who sends more than this may be hung up on in the middle of it, and not come to read why.
const READ_MAX: usize = 32 * 1024;

/// What is sent.
struct Odd {
    request: Vec<u8>,
    /// Whether it is answered with words, and not only by hanging up.
    is_answered: bool,
}

impl Odd {
    fn whole(request: Vec<u8>) -> Self {
        let is_answered = request.len() <= READ_MAX;
        Self { request, is_answered }
    }

    /// The client ends it in the middle.
    fn truncated(request: &[u8]) -> Self {
        Self { request: request.to_vec(), is_answered: false }
    }
}

/// A credit to a wallet that everyone uses, with `headers`, each ended by CRLF.
fn credit(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /wallets/hot-0/credit HTTP/1.1\r\nHost: wallex\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// The same, in order but for its body.
fn of(body: &str) -> Vec<u8> {
    let length = body.len();
    credit(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"), body)
}

/// The requests of row 21.
fn odd_requests() -> Vec<Odd> {
    let json = "Content-Type: application/json\r\n";
    let length = format!("{json}Content-Length: {}\r\n", BODY.len());
    let with = |headers: &str| credit(&format!("{length}{headers}"), BODY);
    let typed = |headers: &str, body: &str| credit(&format!("{json}{headers}"), body);
    let chunked = "Transfer-Encoding: chunked\r\n";
    let stream = format!("{:x}\r\n{}\r\n", MIB, " ".repeat(MIB)).repeat(8);
    let whole = of(BODY);
    let requests = [
        with("Idempotency-Key: a\r\nIdempotency-Key: b\r\n"),
        with("X-Correlation-Id: a\r\nX-Correlation-Id: b\r\n"),
        with("If-Match: *\r\nIf-Match: \"1\"\r\n"),
        with("Content-Type: text/plain\r\n"),
        typed("Content-Length: 12\r\nContent-Length: 13\r\n", BODY),
        typed("Content-Length: 12, 13\r\n", BODY),
        typed("Content-Length: -1\r\n", BODY),
        typed("Content-Length: 18446744073709551628\r\n", BODY),
        typed(&format!("Content-Length: 12\r\n{chunked}"), "c\r\n{\"amount\":1}\r\n0\r\n\r\n"),
        typed(chunked, "zz\r\n{}\r\n0\r\n\r\n"),
        typed("Transfer-Encoding: zip\r\n", BODY),
        typed(&format!("Content-Length: {}\r\n", 8 * MIB), &" ".repeat(8 * MIB)),
        typed(&format!("Content-Length: {}\r\n", 1_u64 << 60), "{"),
        typed(chunked, &stream),
        credit(&format!("X-Large: {}\r\n", "x".repeat(MIB)), ""),
        credit(&"X-Many: x\r\n".repeat(20_000), ""),
        of(&"[".repeat(60_000)),
        of(&r#"{"amount":"#.repeat(6_000)),
        of(&format!("{{\"amount\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000))),
    ];
    let truncated = (1..whole.len()).step_by(7).map(|end| Odd::truncated(&whole[..end]));
    requests.into_iter().map(Odd::whole).chain(truncated).collect()
}

/// The requests of row 23.
fn odd_values() -> Vec<Odd> {
    let amounts = [
        "-1",
        "-0",
        "0",
        "1.0",
        "1.5",
        "1e2",
        "1e400",
        "-1e400",
        "9007199254740992",
        "9223372036854775807",
        "9223372036854775808",
        "NaN",
        "Infinity",
        "\"1\"",
        "true",
        "null",
        "[1]",
        "{}",
        "01",
        "+1",
        "0x1",
    ];
    let texts = ["\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"a\\u001bb\"", "1", "[]"];
    let mut bodies: Vec<String> = amounts.iter().map(|v| format!("{{\"amount\":{v}}}")).collect();
    for name in ["description", "reference"] {
        bodies.extend(texts.iter().map(|v| format!("{{\"amount\":1,\"{name}\":{v}}}")));
    }
    bodies.extend(
        [
            r#"{"amount":1,"amount":2}"#,
            r#"{"amount":1,"unknown":1}"#,
            r#"{"amount":1}{"amount":1}"#,
            "{\"amount\":1}\0",
            "\u{feff}{\"amount\":1}",
            r#"{"amount":1"#,
            "[]",
            "null",
            "\"\"",
            "",
        ]
        .map(str::to_owned),
    );
    let mut requests: Vec<Vec<u8>> = bodies.iter().map(|body| of(body)).collect();
    requests.push([of(r#"{"amount":1,"reference":"xx"}"#), Vec::new()].concat());
    let last = requests.last_mut().expect("invariant: it was just pushed");
    // No UTF-8, in the place of one of the two letters.
    if let Some(at) = last.iter().rposition(|byte| *byte == b'x') {
        last[at] = 0xff;
    }
    requests.into_iter().map(Odd::whole).collect()
}

/// Row 21.
pub(crate) async fn requests(cx: &Context, backend: Backend) -> Result<Ran> {
    refused(cx, backend, odd_requests()).await
}

/// Row 23.
pub(crate) async fn values(cx: &Context, backend: Backend) -> Result<Ran> {
    refused(cx, backend, odd_values()).await
}

async fn refused(cx: &Context, backend: Backend, requests: Vec<Odd>) -> Result<Ran> {
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    for Odd { request, is_answered } in requests {
        let told = statuses(&trial, &request).await;
        trial.injected();
        let is_refused = |status: &u16| (400..500).contains(status);
        let is_right =
            |told: &Vec<u16>| told.iter().all(is_refused) && !(is_answered && told.is_empty());
        if !told.as_ref().is_some_and(is_right) {
            let shown: String = String::from_utf8_lossy(&request).chars().take(200).collect();
            trial.findings.add("bad input", format!("{told:?} for {shown:?}"));
        }
    }
    trial.recovers().await;
    trial.finish().await.map(Ran::Done)
}

/// The statuses of all that comes back; `None` when the server is not there, or neither answers nor hangs up.
async fn statuses(trial: &Trial, request: &[u8]) -> Option<Vec<u16>> {
    let exchanging = async {
        let mut answer = Vec::new();
        let mut socket = connect(trial.stand.servers[0].address()).await.ok()?;
        // The server may hang up before it has read all; what it said until then counts.
        socket.write_all(request).await.ok();
        socket.shutdown().await.ok();
        socket.read_to_end(&mut answer).await.ok();
        Some(answer)
    };
    let answer = timeout(ANSWER_MAX, exchanging).await.ok()??;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = |rest: &str| rest.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Some(text.split("HTTP/1.1 ").skip(1).map(status).collect())
}
