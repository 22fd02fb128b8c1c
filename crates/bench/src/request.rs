//! Commands, and how they are written as HTTP/1.1: into a buffer, without formatting machinery.

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::effect::Effect;
use crate::wallet::{INITIAL_BALANCE, NewWallet};

/// What a connection asks for. Amounts are in minor units.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Command {
    Create(NewWallet),
    Credit { wallet: Uuid, key: Uuid, amount: u64 },
    Debit { wallet: Uuid, key: Uuid, amount: u64 },
    Transfer { from: Uuid, to: Uuid, key: Uuid, amount: u64 },
    Read { wallet: Uuid },
}

impl Command {
    /// The status of the answer that says: done.
    pub(crate) const fn expected_status(&self) -> u16 {
        match self {
            Self::Create(_) => 201,
            _ => 200,
        }
    }

    /// What it leaves in the tables, once acknowledged.
    pub(crate) fn effect(&self) -> Effect {
        let money = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        match self {
            Self::Create(_) => Effect::creates(1, INITIAL_BALANCE),
            Self::Credit { amount, .. } => Effect::movement(money(*amount)),
            Self::Debit { amount, .. } => Effect::movement(-money(*amount)),
            Self::Transfer { .. } => Effect::TRANSFER,
            Self::Read { .. } => Effect::READ,
        }
    }

    /// Adds the request to `out`, with the [`head`] of its connection.
    pub(crate) fn write(&self, out: &mut Vec<u8>, head: &[u8]) {
        match self {
            Self::Create(NewWallet { id, key, .. }) => {
                let id = text(id);
                let balance = Decimal::of(INITIAL_BALANCE);
                write_post(
                    out,
                    head,
                    &[b"/wallets"],
                    key,
                    &[
                        br#"{"walletId":""#,
                        &id,
                        br#"","ownerId":"owner-of-"#,
                        &id,
                        br#"","initialBalance":"#,
                        balance.digits(),
                        b"}",
                    ],
                );
            }
            Self::Credit { wallet, key, amount } => {
                let texts = (&b"/credit"[..], &b"a top-up by card"[..]);
                write_movement(out, head, wallet, key, *amount, texts);
            }
            Self::Debit { wallet, key, amount } => {
                let texts = (&b"/debit"[..], &b"a payment by card"[..]);
                write_movement(out, head, wallet, key, *amount, texts);
            }
            Self::Transfer { from, to, key, amount } => {
                let (from, to) = (text(from), text(to));
                let reference = text(key);
                let amount = Decimal::of(*amount);
                write_post(
                    out,
                    head,
                    &[b"/wallets/", &from, b"/transfer"],
                    key,
                    &[
                        br#"{"toWalletId":""#,
                        &to,
                        br#"","amount":"#,
                        amount.digits(),
                        br#","reference":""#,
                        &reference,
                        br#""}"#,
                    ],
                );
            }
            Self::Read { wallet } => write_get(out, head, *wallet, ""),
        }
    }
}

/// What follows the path in every request of a connection, those that bring an API key or none.
pub(crate) fn head(key: Option<&str>) -> Vec<u8> {
    let mut head = b" HTTP/1.1\r\nHost: wallex\r\n".to_vec();
    if let Some(key) = key {
        for part in ["Authorization: Bearer ", key, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    }
    head
}

/// Adds a request for the wallet `id`; `query` is empty or begins with a question mark.
pub(crate) fn write_get(out: &mut Vec<u8>, head: &[u8], id: Uuid, query: &str) {
    let id = text(&id);
    for part in [b"GET /wallets/", &id[..], query.as_bytes(), head, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn write_movement(
    out: &mut Vec<u8>,
    head: &[u8],
    wallet: &Uuid,
    key: &Uuid,
    amount: u64,
    (path, description): (&[u8], &[u8]),
) {
    let wallet = text(wallet);
    let reference = text(key);
    let amount = Decimal::of(amount);
    write_post(
        out,
        head,
        &[b"/wallets/", &wallet, path],
        key,
        &[
            br#"{"amount":"#,
            amount.digits(),
            br#","description":""#,
            description,
            br#"","reference":""#,
            &reference,
            br#""}"#,
        ],
    );
}

fn write_post(out: &mut Vec<u8>, head: &[u8], path: &[&[u8]], key: &Uuid, body: &[&[u8]]) {
    let length: usize = body.iter().map(|part| part.len()).sum();
    let length = Decimal::of(length as u64);
    out.extend_from_slice(b"POST ");
    path.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(head);
    out.extend_from_slice(b"Content-Type: application/json\r\nIdempotency-Key: ");
    out.extend_from_slice(&text(key));
    out.extend_from_slice(b"\r\nContent-Length: ");
    out.extend_from_slice(length.digits());
    out.extend_from_slice(b"\r\n\r\n");
    body.iter().for_each(|part| out.extend_from_slice(part));
}

/// As it stands in a URL and in JSON.
fn text(id: &Uuid) -> [u8; Hyphenated::LENGTH] {
    let mut text = [0; Hyphenated::LENGTH];
    id.hyphenated().encode_lower(&mut text);
    text
}

/// The digits of a number.
struct Decimal {
    digits: [u8; Self::DIGITS_MAX],
    begin: usize,
}

impl Decimal {
    /// Those of `u64::MAX`.
    const DIGITS_MAX: usize = 20;

    fn of(mut number: u64) -> Self {
        let (mut digits, mut begin) = ([b'0'; Self::DIGITS_MAX], Self::DIGITS_MAX);
        loop {
            begin -= 1;
            digits[begin] = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                return Self { digits, begin };
            }
        }
    }

    fn digits(&self) -> &[u8] {
        &self.digits[self.begin..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(command: &Command, bearer: Option<&str>) -> String {
        let mut out = Vec::new();
        command.write(&mut out, &head(bearer));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let (wallet, to, key) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let new = NewWallet { id: wallet, key, other: to };
        let commands = [
            Command::Create(new),
            Command::Credit { wallet, key, amount: 10 },
            Command::Debit { wallet, key, amount: 1 },
            Command::Transfer { from: wallet, to, key, amount: 1 },
        ];
        for command in commands {
            let text = written(&command, None);
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())), "{text}");
            serde_json::from_str::<serde_json::Value>(body).expect("JSON");
        }
    }

    #[test]
    fn a_transfer_names_both_wallets() {
        let (from, to, key) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let text = written(&Command::Transfer { from, to, key, amount: 7 }, None);
        assert!(text.starts_with(&format!("POST /wallets/{from}/transfer HTTP/1.1\r\n")), "{text}");
        assert!(text.contains(&format!(r#""toWalletId":"{to}","amount":7,"#)), "{text}");
        assert!(text.contains(&format!("Idempotency-Key: {key}\r\n")), "{text}");
    }

    #[test]
    fn a_key_is_all_that_sets_two_requests_apart() {
        let (wallet, key) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let new = NewWallet { id: wallet, key, other: wallet };
        for command in [Command::Create(new), Command::Read { wallet }] {
            let with_key = written(&command, Some("secret"));
            let line = "\r\nAuthorization: Bearer secret\r\n";
            assert!(with_key.contains(line), "{with_key}");
            assert_eq!(with_key.replace(line, "\r\n"), written(&command, None));
        }
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 9, 10, 1_234_567, u64::MAX] {
            assert_eq!(Decimal::of(number).digits(), number.to_string().as_bytes());
        }
    }
}
