//! The stored shape of every event, frozen. A golden file that was shipped never changes: a new
//! shape gets a new schema version, a new golden file and an upcaster.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use uuid::Uuid;
use wallex_domain::{
    Amount, Balance, Currency, Description, Movement, OwnerId, Reference, TransferLeg, WalletEvent,
    WalletId,
};

fn movement(amount: i64, balance: i64) -> Movement {
    Movement {
        amount: Amount::new(amount).unwrap(),
        balance_after: Balance::new(balance).unwrap(),
        currency: Currency::parse("USD").unwrap(),
        description: None,
        reference: None,
        transfer: None,
    }
}

fn goldens() -> Vec<(&'static str, u16, WalletEvent, &'static str)> {
    let transfer_id = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap().into();
    vec![
        (
            "WalletCreated",
            1,
            WalletEvent::Created {
                owner_id: OwnerId::parse("user-001").unwrap(),
                currency: Currency::parse("USD").unwrap(),
                initial_balance: Balance::new(100).unwrap(),
            },
            include_str!("golden/wallet_created.v1.json"),
        ),
        (
            "WalletCredited",
            1,
            WalletEvent::Credited(Movement {
                description: Some(Description::parse("top-up").unwrap()),
                reference: Some(Reference::parse("inv-7").unwrap()),
                ..movement(250, 350)
            }),
            include_str!("golden/wallet_credited.v1.json"),
        ),
        (
            "WalletDebited",
            1,
            WalletEvent::Debited(movement(50, 300)),
            include_str!("golden/wallet_debited.v1.json"),
        ),
        (
            "WalletDebited",
            1,
            WalletEvent::Debited(Movement {
                transfer: Some(TransferLeg {
                    transfer_id,
                    counterparty: WalletId::parse("wallet-002").unwrap(),
                }),
                ..movement(50, 300)
            }),
            include_str!("golden/wallet_debited_transfer.v1.json"),
        ),
    ]
}

#[test]
fn every_shipped_shape_is_read_as_what_it_meant() {
    for (event_type, schema_version, event, golden) in goldens() {
        let read = WalletEvent::decode(event_type, schema_version, golden).unwrap();
        assert_eq!(read, event, "{golden}");
    }
}

#[test]
fn what_is_written_now_is_the_golden_shape() {
    for (event_type, schema_version, event, golden) in goldens() {
        let encoded = event.encode();
        assert_eq!((encoded.event_type, encoded.schema_version), (event_type, schema_version));
        assert_eq!(encoded.payload, golden.trim_end());
    }
}
