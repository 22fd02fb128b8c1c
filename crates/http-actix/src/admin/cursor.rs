//! The cursor of the dead letters: behind which one the next page begins.
//!
//! It is the letter's own name, and still opaque to clients: what it is made of may change.

use wallex_domain::{TenantId, WalletId};
use wallex_ports::{DeadLetter, WalletKey};

use super::receive::parse_projector;

/// What a cursor looks like; every text like it is one.
pub(super) const PATTERN: &str =
    "^[a-z][a-z0-9_]{0,63}:[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._:-]{1,128}$";

pub(super) fn encode(letter: &DeadLetter) -> String {
    let WalletKey { tenant, wallet_id } = &letter.wallet;
    format!("{}:{tenant}:{wallet_id}", letter.projector)
}

pub(super) fn decode(cursor: &str) -> Result<(String, WalletKey), String> {
    let malformed = || "must be the nextCursor of an earlier page, unchanged".to_owned();
    let (projector, wallet) = cursor.split_once(':').ok_or_else(malformed)?;
    let (tenant, wallet_id) = wallet.split_once(':').ok_or_else(malformed)?;
    let projector = parse_projector(projector).map_err(|_| malformed())?;
    let tenant = TenantId::parse(tenant).map_err(|_| malformed())?;
    let wallet_id = WalletId::parse(wallet_id).map_err(|_| malformed())?;
    Ok((projector, WalletKey { tenant, wallet_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallet_ids_may_hold_what_separates() {
        let (projector, wallet) = decode("read_model:t-1:acme:eu.1").expect("a cursor");
        assert_eq!((projector.as_str(), wallet.tenant.as_str()), ("read_model", "t-1"));
        assert_eq!(wallet.wallet_id.as_str(), "acme:eu.1");
    }

    #[test]
    fn garbage_is_no_cursor() {
        for bad in ["", ":", "ledger", "ledger:t", "ledger::w-1", ":t:w-1", "L:t:w-1", "l:t:a b"] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
    }
}
