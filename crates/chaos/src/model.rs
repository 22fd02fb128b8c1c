//! What wallets are, in the fewest words: the rules of the specification, written a second time. It
//! shares no code with the domain, so that a defect there is seen.

use crate::command::{Action, Command};

/// No balance leaves ±(2^53 − 1).
const BALANCE_MAX: i64 = (1 << 53) - 1;
const DEFAULT_CURRENCY: &str = "USD";

/// A wallet as of one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) owner: String,
    pub(crate) currency: String,
    pub(crate) balance: i64,
    pub(crate) version: u64,
}

/// What a command makes of the wallets: one new state, or two for a transfer, the paying one first.
pub(crate) type Change = Vec<(String, State)>;

/// What a rule is called in a problem's `code`.
pub(crate) type Refusal = &'static str;

/// Decides `command` on wallets that `state` tells. `made` is the id of the wallet that is created
/// without one.
pub(crate) fn decide(
    command: &Command,
    made: &str,
    state: impl Fn(&str) -> Option<State>,
) -> Result<Change, Refusal> {
    let existing = |wallet: &str| {
        let found = state(wallet).ok_or("wallet-not-found")?;
        match command.if_match {
            Some(version) if version != found.version => Err("precondition-failed"),
            _ => Ok(found),
        }
    };
    match &command.action {
        Action::Create { wallet, currency, balance } => {
            let id = wallet.as_deref().unwrap_or(made);
            if state(id).is_some() {
                return Err("wallet-already-exists");
            }
            let currency = currency.unwrap_or(DEFAULT_CURRENCY).to_owned();
            let owner = command.mark.clone();
            Ok(vec![(id.to_owned(), State { owner, currency, balance: *balance, version: 1 })])
        }
        Action::Credit { wallet, amount } => {
            let credited = add(existing(wallet)?, *amount)?;
            Ok(vec![(wallet.clone(), credited)])
        }
        Action::Debit { wallet, amount } => {
            let debited = take(existing(wallet)?, *amount)?;
            Ok(vec![(wallet.clone(), debited)])
        }
        Action::Transfer { from, to, amount } => {
            let payer = existing(from)?;
            let payee = state(to).ok_or("wallet-not-found")?;
            if from == to {
                return Err("transfer-to-same-wallet");
            }
            if payer.currency != payee.currency {
                return Err("currency-mismatch");
            }
            let (payer, payee) = (take(payer, *amount)?, add(payee, *amount)?);
            Ok(vec![(from.clone(), payer), (to.clone(), payee)])
        }
    }
}

fn add(mut state: State, amount: i64) -> Result<State, Refusal> {
    state.balance = state
        .balance
        .checked_add(amount)
        .filter(|sum| *sum <= BALANCE_MAX)
        .ok_or("balance-limit-exceeded")?;
    state.version += 1;
    Ok(state)
}

fn take(mut state: State, amount: i64) -> Result<State, Refusal> {
    if state.balance < amount {
        return Err("insufficient-funds");
    }
    state.balance -= amount;
    state.version += 1;
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(action: Action, if_match: Option<u64>) -> Command {
        Command { mark: "m".to_owned(), action, keyed: true, if_match }
    }

    fn holding(balance: i64) -> impl Fn(&str) -> Option<State> {
        move |id| {
            let currency = if id == "yen" { "JPY" } else { "USD" }.to_owned();
            (id != "nobody").then(|| State { owner: "o".to_owned(), currency, balance, version: 3 })
        }
    }

    fn transfer(from: &str, to: &str, amount: i64) -> Command {
        command(Action::Transfer { from: from.to_owned(), to: to.to_owned(), amount }, None)
    }

    #[test]
    fn a_transfer_takes_from_one_and_adds_to_the_other() {
        let change = decide(&transfer("a", "b", 40), "", holding(50)).expect("there is enough");
        let balances: Vec<_> = change.iter().map(|(id, s)| (&**id, s.balance, s.version)).collect();
        assert_eq!(balances, [("a", 10, 4), ("b", 90, 4)]);
    }

    #[test]
    fn rules_refuse_in_the_order_of_the_specification() {
        for (from, to, refusal) in [
            ("nobody", "b", "wallet-not-found"),
            ("a", "nobody", "wallet-not-found"),
            ("a", "a", "transfer-to-same-wallet"),
            ("a", "yen", "currency-mismatch"),
            ("a", "b", "insufficient-funds"),
        ] {
            assert_eq!(decide(&transfer(from, to, 51), "", holding(50)), Err(refusal));
        }
        let debit = Action::Debit { wallet: "a".to_owned(), amount: 51 };
        let decided = decide(&command(debit.clone(), Some(2)), "", holding(50));
        assert_eq!(decided, Err("precondition-failed"));
        let decided = decide(&command(debit, Some(3)), "", holding(50));
        assert_eq!(decided, Err("insufficient-funds"));
        let credit = Action::Credit { wallet: "a".to_owned(), amount: 1 };
        let decided = decide(&command(credit, None), "", holding(BALANCE_MAX));
        assert_eq!(decided, Err("balance-limit-exceeded"));
    }
}
