//! Where a request ends: lengths, chunks, and requests hidden behind a doubt about either
//! (RFC 9112 sections 6 and 11.2).

use super::case::{Case, JSON, MOVEMENT, chunk, credit_with};
use super::{Expected, WALLET};

/// What a parser that gives up may answer.
const BARE: Expected = Expected::RefusedOrClosed(&[400, 413, 431, 501]);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = lengths();
    cases.extend(encodings());
    cases.extend(chunks());
    cases.extend(smuggled());
    cases
}

fn framed(name: &str, headers: &str, body: &str) -> Case {
    Case::new(name, credit_with(&format!("{JSON}{headers}"), body), BARE)
}

fn lengths() -> Vec<Case> {
    let of = |name, headers| framed(name, headers, MOVEMENT);
    // What is behind the body is the next request, and no good one.
    let short = |name, headers: &str| {
        let bytes = credit_with(&format!("{JSON}{headers}"), MOVEMENT);
        Case::new(name, bytes, Expected::Answers(&[400, 400]))
    };
    vec![
        of("two lengths", "Content-Length: 12\r\nContent-Length: 13\r\n"),
        of("one length twice", "Content-Length: 12\r\nContent-Length: 12\r\n"),
        of("a list of lengths", "Content-Length: 12, 12\r\n"),
        of("a negative length", "Content-Length: -1\r\n"),
        of("a signed length", "Content-Length: +12\r\n"),
        of("a length in hexadecimal", "Content-Length: 0x0c\r\n"),
        of("a length of words", "Content-Length: twelve\r\n"),
        of("an empty length", "Content-Length:\r\n"),
        of("a length with a fraction", "Content-Length: 12.0\r\n"),
        of("a length beyond 2^64", "Content-Length: 18446744073709551628\r\n"),
        of("a length of 2^63", "Content-Length: 9223372036854775808\r\n"),
        of("a length that is too long", "Content-Length: 13\r\n"),
        short("no length", ""),
        short("a length of nothing", "Content-Length: 0\r\n"),
        short("a length that is too short", "Content-Length: 11\r\n"),
    ]
}

fn encodings() -> Vec<Case> {
    let body = chunk(MOVEMENT) + "0\r\n\r\n";
    let of = |name, headers| framed(name, headers, &body);
    vec![
        of("a length and chunks", "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n"),
        of("chunks and a length", "Transfer-Encoding: chunked\r\nContent-Length: 12\r\n"),
        of("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        of("chunked in a list", "Transfer-Encoding: chunked, chunked\r\n"),
        of("chunked before another", "Transfer-Encoding: chunked, identity\r\n"),
        of("identity, then chunked", "Transfer-Encoding: identity, chunked\r\n"),
        of("identity", "Transfer-Encoding: identity\r\n"),
        of("an unknown encoding", "Transfer-Encoding: zip\r\n"),
        of("gzip as transfer encoding", "Transfer-Encoding: gzip, chunked\r\n"),
        of("a quoted encoding", "Transfer-Encoding: \"chunked\"\r\n"),
        of("an encoding with a vertical tab", "Transfer-Encoding: \x0bchunked\r\n"),
        of("an encoding behind a space", "Transfer-Encoding : chunked\r\n"),
        of("an encoding on a folded line", "Transfer-Encoding:\r\n chunked\r\n"),
        of("an empty encoding", "Transfer-Encoding:\r\n"),
        of("an encoding that is nearly right", "Transfer-Encoding: xchunked\r\n"),
        Case::new(
            "chunks in HTTP/1.0",
            format!(
                "POST /wallets/{WALLET}/credit HTTP/1.0\r\nHost: wallex\r\n{JSON}\
                 Transfer-Encoding: chunked\r\n\r\n{body}"
            ),
            BARE,
        ),
    ]
}

fn chunks() -> Vec<Case> {
    let of = |name, body: &str| framed(name, "Transfer-Encoding: chunked\r\n", body);
    let whole = chunk(MOVEMENT);
    vec![
        of("a chunk of no number", "zz\r\n{}\r\n0\r\n\r\n"),
        of("a chunk of a negative size", "-2\r\n{}\r\n0\r\n\r\n"),
        of("a chunk of a signed size", "+2\r\n{}\r\n0\r\n\r\n"),
        of("a chunk with 0x", "0xc\r\n{\"amount\":1}\r\n0\r\n\r\n"),
        of("a chunk size beyond 2^64", "1000000000000000c\r\n{\"amount\":1}\r\n0\r\n\r\n"),
        of("a chunk without a size", "\r\n{\"amount\":1}\r\n0\r\n\r\n"),
        of("a chunk that is shorter than it says", "20\r\n{\"amount\":1}\r\n0\r\n\r\n"),
        of("a chunk that is longer than it says", "2\r\n{\"amount\":1}\r\n0\r\n\r\n"),
        of("a chunk that ends in LF", "c\n{\"amount\":1}\n0\n\n"),
        of("a chunk without its end", &format!("c\r\n{MOVEMENT}0\r\n\r\n")),
        of("chunks that do not end", &whole),
        of("chunks of nothing", "0\r\n\r\n"),
        of("a chunk with an extension, of nothing good", "2;a=b\r\n{}\r\n0;c\r\n\r\n"),
        of("a chunk with a huge extension", &format!("c;{}\r\n{MOVEMENT}", "x".repeat(200_000))),
        of("a chunk extension with a line feed", "2;a\nb\r\n{}\r\n0\r\n\r\n"),
        of("leading zeros without end", &format!("{}c\r\n", "0".repeat(200_000))),
        of("a trailer without its end", &format!("2\r\n{{}}\r\n0\r\nX-Odd: {}", "x".repeat(300))),
    ]
}

/// Each hides a request that a proxy in front, reading it the other way, has not seen.
fn smuggled() -> Vec<Case> {
    let hidden = format!("GET /wallets/{WALLET} HTTP/1.1\r\nHost: wallex\r\n\r\n");
    let behind = |name, headers: &str, body: String| framed(name, headers, &(body + &hidden));
    vec![
        behind(
            "hidden by CL.TE",
            "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n".to_owned(),
        ),
        behind(
            "hidden by TE.CL",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            chunk("G"),
        ),
        behind(
            "hidden by two lengths",
            "Content-Length: 12\r\nContent-Length: 0\r\n",
            MOVEMENT.to_owned(),
        ),
        behind(
            "hidden by an encoding nobody knows",
            "Transfer-Encoding: xchunked\r\n",
            "0\r\n\r\n".to_owned(),
        ),
        behind(
            "hidden by a space before the colon",
            "Content-Length : 12\r\n",
            MOVEMENT.to_owned(),
        ),
        behind("hidden behind a bad chunk", "Transfer-Encoding: chunked\r\n", "x\r\n\r\n".into()),
    ]
}
