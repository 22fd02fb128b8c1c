//! The rules once more, as simple as they can be said: what the answers are compared with.
//!
//! Nothing here is shared with the code under test but the names of things.

use std::collections::BTreeMap;

use wallex_domain::WalletId;
use wallex_ports::WalletKey;

use crate::wish::{What, Wish};

/// No balance passes it: 2^53 − 1.
const LIMIT: i64 = 9_007_199_254_740_991;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) owner: String,
    pub(crate) currency: String,
    pub(crate) balance: i64,
    pub(crate) version: u64,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

/// One change that a command makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) wallet: WalletKey,
    pub(crate) kind: &'static str,
    pub(crate) amount: i64,
    pub(crate) after: Account,
}

/// What a command comes to: changes, or a refusal with its status.
pub(crate) type Verdict = Result<Vec<Change>, (u16, String)>;

/// The wallets at one moment.
pub(crate) type Accounts = BTreeMap<WalletKey, Account>;

/// What `wish` comes to. A creation without an id is given `made`, and everything happens at `at_ms`,
/// or when its wallet last changed, if that is later.
pub(crate) fn decide(accounts: &Accounts, wish: &Wish, made: &WalletId, at_ms: i64) -> Verdict {
    match &wish.what {
        What::Create { wallet, owner, currency, balance } => {
            let id = wallet.as_ref().unwrap_or(made);
            if accounts.contains_key(&wish.wallet(id)) {
                return Err((409, format!("{id} exists")));
            }
            let account = Account {
                owner: owner.clone(),
                currency: (*currency).to_owned(),
                balance: *balance,
                version: 1,
                created_ms: at_ms,
                updated_ms: at_ms,
            };
            let (wallet, kind) = (wish.wallet(id), "created");
            Ok(vec![Change { wallet, kind, amount: *balance, after: account }])
        }
        What::Credit { wallet, amount } => {
            let before = existing(accounts, wish, wallet, true)?;
            Ok(vec![credit(wish, wallet, before, *amount, at_ms)?])
        }
        What::Debit { wallet, amount } => {
            let before = existing(accounts, wish, wallet, true)?;
            Ok(vec![debit(wish, wallet, before, *amount, at_ms)?])
        }
        What::Transfer { from, to, amount } => {
            let payer = existing(accounts, wish, from, true)?;
            let payee = existing(accounts, wish, to, false)?;
            if from == to {
                return Err((422, "one wallet".to_owned()));
            }
            if payer.currency != payee.currency {
                return Err((422, format!("{} is not {}", payer.currency, payee.currency)));
            }
            let paid = debit(wish, from, payer, *amount, at_ms)?;
            let received = credit(wish, to, payee, *amount, at_ms)?;
            Ok(vec![paid, received])
        }
    }
}

fn existing<'a>(
    accounts: &'a Accounts,
    wish: &Wish,
    id: &WalletId,
    is_in_path: bool,
) -> Result<&'a Account, (u16, String)> {
    let found = accounts.get(&wish.wallet(id)).ok_or_else(|| (404, format!("{id} not found")))?;
    match &wish.if_match {
        Some(versions) if is_in_path && !versions.contains(&found.version) => {
            Err((412, format!("{id} is at {}", found.version)))
        }
        _ => Ok(found),
    }
}

fn credit(
    wish: &Wish,
    id: &WalletId,
    before: &Account,
    amount: i64,
    at_ms: i64,
) -> Result<Change, (u16, String)> {
    if before.balance > LIMIT - amount {
        return Err((422, format!("{id} holds as much as {}", before.balance)));
    }
    Ok(moved(wish, id, before, "credited", amount, before.balance + amount, at_ms))
}

fn debit(
    wish: &Wish,
    id: &WalletId,
    before: &Account,
    amount: i64,
    at_ms: i64,
) -> Result<Change, (u16, String)> {
    if before.balance < amount {
        return Err((422, format!("{id} holds only {}", before.balance)));
    }
    Ok(moved(wish, id, before, "debited", amount, before.balance - amount, at_ms))
}

fn moved(
    wish: &Wish,
    id: &WalletId,
    before: &Account,
    kind: &'static str,
    amount: i64,
    balance: i64,
    at_ms: i64,
) -> Change {
    let updated_ms = at_ms.max(before.updated_ms);
    let after = Account { balance, version: before.version + 1, updated_ms, ..before.clone() };
    Change { wallet: wish.wallet(id), kind, amount, after }
}

/// The answer to what made `changes`.
pub(crate) fn answer(changes: &[Change]) -> (u16, String) {
    let wallet = |change: &Change| {
        let (id, a) = (&change.wallet.wallet_id, &change.after);
        format!(
            "{id}@{}={} {} of {} from {} to {}",
            a.version, a.balance, a.currency, a.owner, a.created_ms, a.updated_ms
        )
    };
    let status = if changes.iter().any(|change| change.kind == "created") { 201 } else { 200 };
    (status, changes.iter().map(wallet).collect::<Vec<_>>().join(" "))
}
