//! The wallet's rules: given a history, when something is asked, then this is decided.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use uuid::Uuid;
use wallex_domain::{
    Amount, ApplyError, Balance, CreditError, Currency, DebitError, MAX_MINOR_UNITS, Memo, OwnerId,
    Standing, TransferError, Wallet, WalletEvent, WalletId, transfer,
};

fn amount(minor_units: i64) -> Amount {
    Amount::new(minor_units).unwrap()
}

fn given(id: &str, currency: &str, balance: i64) -> Wallet {
    let opened = Wallet::open(
        OwnerId::parse("owner").unwrap(),
        Currency::parse(currency).unwrap(),
        Balance::new(balance).unwrap(),
    );
    Wallet::from_created(WalletId::parse(id).unwrap(), &opened).unwrap()
}

#[test]
fn opening_is_version_one_with_the_opening_balance() {
    let wallet = given("w", "USD", 100);
    assert_eq!((wallet.version(), wallet.balance().minor_units()), (1, 100));
}

#[test]
fn debit_of_more_than_the_balance_is_refused() {
    let wallet = given("w", "USD", 100);
    assert_eq!(
        wallet.debit(amount(101), Memo::default()),
        Err(DebitError::InsufficientFunds { balance: wallet.balance(), amount: amount(101) })
    );
    assert!(wallet.debit(amount(100), Memo::default()).is_ok());
}

#[test]
fn credit_past_the_limit_is_refused() {
    let wallet = given("w", "USD", MAX_MINOR_UNITS - 1);
    assert!(wallet.credit(amount(1), Memo::default()).is_ok());
    assert!(matches!(
        wallet.credit(amount(2), Memo::default()),
        Err(CreditError::BalanceLimitExceeded { .. })
    ));
}

#[test]
fn transfer_decides_both_legs_or_none() {
    let id = Uuid::from_u128(7).into();
    let (a, b, euro) = (given("a", "USD", 100), given("b", "USD", 0), given("c", "EUR", 0));
    let full = given("d", "USD", MAX_MINOR_UNITS);
    let of = |from, to, n| transfer(id, from, to, amount(n), Memo::default());
    assert_eq!(of(&a, &a, 1), Err(TransferError::SameWallet));
    assert!(matches!(of(&a, &euro, 1), Err(TransferError::CurrencyMismatch { .. })));
    assert!(matches!(of(&a, &b, 101), Err(TransferError::Debit(_))));
    assert!(matches!(of(&a, &full, 1), Err(TransferError::Credit(_))));
    let legs = of(&a, &b, 60).unwrap();
    let (WalletEvent::Debited(out), WalletEvent::Credited(into)) = (&legs.debit, &legs.credit)
    else {
        panic!("a transfer is a debit and a credit: {legs:?}");
    };
    assert_eq!((out.balance_after.minor_units(), into.balance_after.minor_units()), (40, 60));
    let (out, into) = (out.transfer.as_ref().unwrap(), into.transfer.as_ref().unwrap());
    assert_eq!((out.transfer_id, into.transfer_id), (id, id));
    assert_eq!((&out.counterparty, &into.counterparty), (b.id(), a.id()));
}

#[test]
fn a_history_that_contradicts_itself_is_not_folded() {
    let wallet = given("w", "USD", 100);
    let credit = wallet.credit(amount(5), Memo::default()).unwrap();
    let opened = Wallet::open(wallet.owner_id().clone(), wallet.currency(), wallet.balance());
    let fold = |events: &[&WalletEvent]| Wallet::fold(wallet.id(), events.iter().copied());
    assert_eq!(fold(&[]), Ok(None));
    assert_eq!(fold(&[&credit]), Err(ApplyError::NotCreated));
    assert_eq!(fold(&[&opened, &opened]), Err(ApplyError::CreatedAgain { version: 2 }));
    assert!(matches!(
        fold(&[&opened, &credit, &credit]),
        Err(ApplyError::Balance { version: 3, .. })
    ));
    let euro = given("e", "EUR", 100).credit(amount(5), Memo::default()).unwrap();
    assert!(matches!(fold(&[&opened, &euro]), Err(ApplyError::Currency { version: 2, .. })));
}

/// What a client may ask of two wallets, in any order.
#[derive(Debug, Clone)]
enum Ask {
    Credit(bool, i64),
    Debit(bool, i64),
    Transfer(bool, i64),
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let sum = prop_oneof![1..1_000_i64, 1..=MAX_MINOR_UNITS];
    let ask = (0..3_u8, any::<bool>(), sum).prop_map(|(kind, first, sum)| match kind {
        0 => Ask::Credit(first, sum),
        1 => Ask::Debit(first, sum),
        _ => Ask::Transfer(first, sum),
    });
    proptest::collection::vec(ask, 0..60)
}

proptest! {
    #[test]
    fn any_decided_history_folds_to_the_decided_state(
        asks in asks(),
        opening in (0..=MAX_MINOR_UNITS, 0..=1_000_i64),
    ) {
        let mut wallets = [given("a", "USD", opening.0), given("b", "USD", opening.1)];
        let mut histories: [Vec<WalletEvent>; 2] = wallets.clone().map(|w| {
            vec![Wallet::open(w.owner_id().clone(), w.currency(), w.balance())]
        });
        let mut sum = i128::from(opening.0) + i128::from(opening.1);
        for ask in asks {
            let decided: Vec<(usize, WalletEvent)> = match ask {
                Ask::Credit(first, n) => {
                    let i = usize::from(first);
                    let decided = wallets[i].credit(amount(n), Memo::default());
                    sum += if decided.is_ok() { i128::from(n) } else { 0 };
                    decided.into_iter().map(|e| (i, e)).collect()
                }
                Ask::Debit(first, n) => {
                    let i = usize::from(first);
                    let decided = wallets[i].debit(amount(n), Memo::default());
                    sum -= if decided.is_ok() { i128::from(n) } else { 0 };
                    decided.into_iter().map(|e| (i, e)).collect()
                }
                Ask::Transfer(first, n) => {
                    let (i, j) = (usize::from(first), usize::from(!first));
                    let id = Uuid::from_u128(1).into();
                    transfer(id, &wallets[i], &wallets[j], amount(n), Memo::default())
                        .map_or_else(|_| vec![], |t| vec![(i, t.debit), (j, t.credit)])
                }
            };
            for (i, event) in decided {
                let before = wallets[i].standing();
                let version = before.version() + 1;
                prop_assert_eq!(Standing::before(&event, version), Some(before));
                wallets[i].apply(&event).unwrap();
                histories[i].push(event);
            }
            for wallet in &wallets {
                prop_assert!((0..=MAX_MINOR_UNITS).contains(&wallet.balance().minor_units()));
            }
            let held: i128 = wallets.iter().map(|w| i128::from(w.balance().minor_units())).sum();
            prop_assert_eq!(held, sum, "no decision makes or loses money");
        }
        for (wallet, history) in wallets.iter().zip(&histories) {
            let folded = Wallet::fold(wallet.id(), history).unwrap();
            prop_assert_eq!(folded.as_ref(), Some(wallet));
            prop_assert_eq!(wallet.version(), history.len() as u64);
            for event in history {
                let stored = event.encode();
                let read = WalletEvent::decode(stored.event_type, stored.schema_version, &stored.payload);
                prop_assert_eq!(&read.unwrap(), event);
            }
        }
    }
}

#[test]
fn what_follows_nothing_has_nothing_before_it() {
    let opened = Wallet::open(
        OwnerId::parse("owner").unwrap(),
        Currency::parse("USD").unwrap(),
        Balance::new(5).unwrap(),
    );
    assert_eq!(Standing::before(&opened, 1), None);
    let credited = given("a", "USD", 5).credit(amount(3), Memo::default()).unwrap();
    assert_eq!(Standing::before(&credited, 2).map(|s| s.balance().minor_units()), Some(5));
    // A movement is never the first event.
    assert_eq!(Standing::before(&credited, 1), None);
    assert_eq!(Standing::before(&credited, 0), None);
    let WalletEvent::Credited(mut movement) = credited else { panic!("a credit") };
    // Three came in, and two are there: nothing leads to that.
    movement.balance_after = Balance::new(2).unwrap();
    assert_eq!(Standing::before(&WalletEvent::Credited(movement), 2), None);
}

#[test]
fn an_event_that_nobody_can_read_is_left_out_and_the_next_one_is_believed() {
    let mut standing = given("w", "USD", 100).standing();
    standing.skip();
    assert_eq!((standing.version(), standing.balance().minor_units()), (2, 100));
    let credit = given("w", "USD", 70).credit(amount(5), Memo::default()).unwrap();
    assert!(standing.apply(&credit).is_err(), "75 does not follow from 100");
    standing.resume(&credit).unwrap();
    assert_eq!((standing.version(), standing.balance().minor_units()), (3, 75));
    let euros = given("w", "EUR", 75).credit(amount(5), Memo::default()).unwrap();
    assert!(matches!(standing.resume(&euros), Err(ApplyError::Currency { version: 4, .. })));
    let opened = Wallet::open(OwnerId::parse("o").unwrap(), standing.currency(), Balance::ZERO);
    assert_eq!(standing.resume(&opened), Err(ApplyError::CreatedAgain { version: 4 }));
    assert_eq!((standing.version(), standing.balance().minor_units()), (3, 75));
}
