//! What a client asks for.

use std::fmt;

use serde_json::{Value, json};

/// A command: it has at most one effect, whatever happens to its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Unique in a run, and stored with the effect: the owner of a new wallet, the reference of a
    /// movement. What is stored is traced back by it to who asked for it.
    pub(crate) mark: String,
    pub(crate) action: Action,
    /// Whether it has an idempotency key, which is its mark.
    pub(crate) keyed: bool,
    /// The version that `If-Match` names.
    pub(crate) if_match: Option<u64>,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Create { wallet: Option<String>, currency: Option<&'static str>, balance: i64 },
    Credit { wallet: String, amount: i64 },
    Debit { wallet: String, amount: i64 },
    Transfer { from: String, to: String, amount: i64 },
}

impl Command {
    pub(crate) fn path(&self) -> String {
        match &self.action {
            Action::Create { .. } => "/wallets".to_owned(),
            Action::Credit { wallet, .. } => format!("/wallets/{wallet}/credit"),
            Action::Debit { wallet, .. } => format!("/wallets/{wallet}/debit"),
            Action::Transfer { from, .. } => format!("/wallets/{from}/transfer"),
        }
    }

    pub(crate) fn body(&self) -> Value {
        let mark = &self.mark;
        match &self.action {
            Action::Create { wallet, currency, balance } => {
                let mut body = json!({ "ownerId": mark, "initialBalance": balance });
                if let Some(wallet) = wallet {
                    body["walletId"] = json!(wallet);
                }
                if let Some(currency) = currency {
                    body["currency"] = json!(currency);
                }
                body
            }
            Action::Credit { amount, .. } | Action::Debit { amount, .. } => {
                json!({ "amount": amount, "reference": mark })
            }
            Action::Transfer { to, amount, .. } => {
                json!({ "toWalletId": to, "amount": amount, "reference": mark })
            }
        }
    }

    /// The whole HTTP request.
    pub(crate) fn request(&self) -> Vec<u8> {
        let body = self.body().to_string();
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: wallex\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n",
            self.path(),
            body.len()
        );
        if self.keyed {
            head += &format!("Idempotency-Key: {}\r\n", self.mark);
        }
        if let Some(version) = self.if_match {
            head += &format!("If-Match: \"{version}\"\r\n");
        }
        format!("{head}\r\n{body}").into_bytes()
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) wallet: String,
    /// Asks the read model, which may be behind.
    pub(crate) eventual: bool,
}

impl Read {
    /// The whole HTTP request.
    pub(crate) fn request(&self) -> Vec<u8> {
        let query = if self.eventual { "?consistency=eventual" } else { "" };
        format!("GET /wallets/{}{query} HTTP/1.1\r\nHost: wallex\r\n\r\n", self.wallet).into_bytes()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.keyed { "with a key" } else { "without a key" };
        write!(f, "{} ({:?}, {key})", self.mark, self.action)
    }
}
