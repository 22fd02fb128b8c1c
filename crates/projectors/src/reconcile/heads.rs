//! The hash of each wallet's last event, as the write side knows it: its next event is chained to that.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use wallex_database::{Backend, Row};
use wallex_domain::EventHash;
use wallex_ports::{Difference, Place, WalletKey};

use super::span::Condition;
use super::{Findings, Stretch};
use crate::projector::sentence;
use crate::tables;

/// Compares the rows of the wallets that end in the stretch with `heads`. Rows that are missing, or have no
/// events, are told by who compares the states.
pub(crate) async fn reconcile_heads(
    tx: &DatabaseTransaction,
    stretch: &Stretch<'_>,
    heads: &BTreeMap<WalletKey, EventHash>,
) -> Result<Findings, DbErr> {
    let mut findings = Findings::default();
    for Condition { sql, values } in stretch.span.of_wallets(stretch.shard) {
        let sql = format!(
            "SELECT t.tenant, t.wallet_id, t.last_hash FROM wallet_streams t WHERE {sql} \
             ORDER BY t.tenant, t.wallet_id"
        );
        let rows = tx.query_all_raw(Backend::of(tx).statement(sql, values)).await?;
        for row in rows.into_iter().map(Row) {
            let Ok(key) = tables::key(&row) else { continue };
            let found = row.hash("last_hash").map_err(|error| sentence(&error));
            compare_head(&mut findings, &key, heads, found);
        }
    }
    Ok(findings)
}

/// Compares what a wallet's row says of its last hash, or why that can't be read, with `heads`.
pub fn compare_head(
    findings: &mut Findings,
    key: &WalletKey,
    heads: &BTreeMap<WalletKey, EventHash>,
    found: Result<EventHash, String>,
) {
    let Some(expected) = heads.get(key) else { return };
    if found.as_ref() == Ok(expected) {
        return;
    }
    findings.differ(|| Difference {
        tenant: key.tenant.to_string(),
        wallet_id: key.wallet_id.to_string(),
        place: Place::WriteSide,
        version: None,
        what: "last_hash".to_owned(),
        expected: Some(expected.to_string()),
        found: Some(found.map_or_else(|error| error, |found| found.to_string())),
        difference_minor: None,
    });
}
