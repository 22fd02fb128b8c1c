//! JSON that is not, or not what the route asks for.

use super::case::{Case, JSON, credit, credit_with, post, transfer, transfer_body};
use super::values::{NO_AMOUNTS, NO_TEXTS, NO_WALLET_IDS};
use super::{Expected, OTHER, WALLET};

const REFUSED: Expected = Expected::Refused(&[400]);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = malformed();
    cases.extend(movements());
    cases.extend(transfers());
    cases.extend(creations());
    cases
}

fn of_bytes(name: &str, body: &[u8]) -> Case {
    let mut bytes = credit_with(&format!("{JSON}Content-Length: {}\r\n", body.len()), "");
    bytes.extend_from_slice(body);
    Case::new(name, bytes, REFUSED)
}

fn malformed() -> Vec<Case> {
    let utf16: Vec<u8> = r#"{"amount":1}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut cases = vec![
        of_bytes("an empty body", b""),
        of_bytes("a byte order mark", b"\xef\xbb\xbf{\"amount\":1}"),
        of_bytes("UTF-16", &utf16),
        of_bytes("UTF-16 with its mark", &[b"\xff\xfe".as_slice(), &utf16].concat()),
        of_bytes("bytes that are no UTF-8", b"{\"amount\":1,\"reference\":\"\xc3\x28\"}"),
        of_bytes("an overlong encoding", b"{\"amount\":1,\"reference\":\"\xc0\xaf\"}"),
        of_bytes("a surrogate in UTF-8", b"{\"amount\":1,\"reference\":\"\xed\xa0\x80\"}"),
        of_bytes("a NUL before the body", b"\0{\"amount\":1}"),
        of_bytes("a NUL behind the body", b"{\"amount\":1}\0"),
        of_bytes("a NUL in a string", b"{\"amount\":1,\"reference\":\"a\0b\"}"),
        of_bytes("a line feed in a string", b"{\"amount\":1,\"reference\":\"a\nb\"}"),
    ];
    let texts = [
        " ",
        "{",
        "{}",
        "}",
        "[]",
        "null",
        "true",
        "1",
        "\"text\"",
        "{\"amount\":1",
        "{\"amount\":1}}",
        "{\"amount\":1}{\"amount\":1}",
        "{\"amount\":1} x",
        "{\"amount\":01}",
        "{\"amount\":+1}",
        "{\"amount\":.5}",
        "{\"amount\":1.}",
        "{\"amount\":0x1}",
        "{\"amount\":NaN}",
        "{\"amount\":Infinity}",
        "{\"amount\":-}",
        "{\"amount\":1e}",
        "{amount:1}",
        "{'amount':1}",
        "{\"amount\":1,}",
        "{,\"amount\":1}",
        "{\"amount\" 1}",
        "{\"amount\":1 \"reference\":\"a\"}",
        "/* */{\"amount\":1}",
        "{\"amount\":1}// x",
        "[{\"amount\":1}]",
        "{\"amount\":\"\\x\"}",
        "{\"amount\":\"\\u12\"}",
        "amount=1",
        "<amount>1</amount>",
        "{\"__proto__\":{\"amount\":1}}",
        "{\"amount\":{\"$gt\":0}}",
        "{\"AMOUNT\":1}",
        "{\"amount \":1}",
        "{\"\":1,\"amount\":1}",
        "{\"a\\u006dount\":1,\"amount\":1}",
        "{\"amount\":1,\"amount\":1}",
        "{\"amount\":1,\"amount\":null}",
        "{\"amount\":1,\"version\":1}",
        "{\"amount\":1,\"currency\":\"XXX\"}",
    ];
    cases.extend(texts.map(|text| Case::new(format!("the body {text:?}"), credit(text), REFUSED)));
    cases
}

fn movements() -> Vec<Case> {
    let amount = |value: &&str| {
        let body = format!(r#"{{"amount":{value}}}"#);
        Case::new(format!("an amount of {value}"), credit(&body), REFUSED)
    };
    let text = |value: &&str| {
        let body = format!(r#"{{"amount":1,"reference":{value}}}"#);
        Case::new(format!("a reference of {value}"), credit(&body), REFUSED)
    };
    NO_AMOUNTS.iter().chain(&["0"]).map(amount).chain(NO_TEXTS.iter().map(text)).collect()
}

fn transfers() -> Vec<Case> {
    let to = |value: &&str| {
        let body = transfer_body("1", Some(value), "");
        Case::new(format!("a transfer to {value}"), transfer(&body), REFUSED)
    };
    let amount = |value: &&str| {
        let body = transfer_body(value, None, "");
        Case::new(format!("a transfer of {value}"), transfer(&body), REFUSED)
    };
    let mut cases: Vec<_> =
        NO_WALLET_IDS.iter().map(to).chain(NO_AMOUNTS.iter().map(amount)).collect();
    let itself = transfer_body("1", Some(&format!("\"{WALLET}\"")), "");
    let nobody = transfer_body("1", Some("\"corpus-nobody\""), "");
    let twice = transfer_body("1", None, &format!(r#","toWalletId":"{OTHER}""#));
    let much = transfer_body("9007199254740991", None, "");
    cases.extend([
        Case::new("a transfer to itself", transfer(&itself), Expected::Refused(&[422])),
        Case::new("a transfer to nobody", transfer(&nobody), Expected::Refused(&[404])),
        Case::new("a transfer of more than there is", transfer(&much), Expected::Refused(&[422])),
        Case::new("a transfer to a wallet twice", transfer(&twice), REFUSED),
        Case::new("a transfer of nothing known", transfer("{}"), REFUSED),
    ]);
    cases
}

fn creations() -> Vec<Case> {
    let of = |name: String, member: &str| {
        Case::new(name, post("/wallets", &format!(r#"{{"ownerId":"o",{member}}}"#)), REFUSED)
    };
    let id = |value: &&str| of(format!("a wallet {value}"), &format!(r#""walletId":{value}"#));
    let balance = |value: &&str| {
        of(format!("an opening balance of {value}"), &format!(r#""initialBalance":{value}"#))
    };
    let owner = |value: &&str| {
        let body = format!(r#"{{"ownerId":{value}}}"#);
        Case::new(format!("an owner {value}"), post("/wallets", &body), REFUSED)
    };
    let currency =
        |value: &&str| of(format!("a currency {value}"), &format!(r#""currency":{value}"#));
    let currencies = ["\"\"", "\"usd\"", "\"US\"", "\"U$D\"", "\"U-D\"", "\"\\u0000\"", "840"];
    let mut cases: Vec<_> = NO_WALLET_IDS.iter().map(id).collect();
    cases.extend(NO_AMOUNTS.iter().map(balance));
    cases.extend(NO_TEXTS.iter().chain(&["\"\""]).map(owner));
    cases.extend(currencies.iter().map(currency));
    let again = format!(r#"{{"walletId":"{WALLET}","ownerId":"o"}}"#);
    cases.push(Case::new("a wallet again", post("/wallets", &again), Expected::Refused(&[409])));
    cases
}
