//! A line of a ledger as clients see it.

use serde::Serialize;
use utoipa::ToSchema;
use wallex_domain::{Balance, Currency};
use wallex_ports::LedgerEntry;

use crate::schema;
use crate::wallet::rfc3339;

/// What one event did to a wallet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LedgerEntry)]
pub(crate) struct LedgerEntryJson<'e> {
    #[schema(schema_with = schema::wallet_id)]
    wallet_id: &'e str,
    #[schema(schema_with = schema::version)]
    version: u64,
    #[schema(schema_with = schema::position)]
    position: u64,
    #[schema(schema_with = schema::event_id)]
    event_id: String,
    #[schema(schema_with = schema::entry_type)]
    r#type: &'static str,
    #[schema(schema_with = schema::entry_amount)]
    amount: Balance,
    #[schema(schema_with = schema::balance_after)]
    balance_after: Balance,
    #[schema(schema_with = schema::currency)]
    currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::description)]
    description: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reference)]
    reference: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::transfer_id)]
    transfer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::counterparty)]
    counterparty_wallet_id: Option<&'e str>,
    #[schema(schema_with = schema::recorded_at)]
    recorded_at: String,
}

impl<'e> From<&'e LedgerEntry> for LedgerEntryJson<'e> {
    fn from(entry: &'e LedgerEntry) -> Self {
        Self {
            wallet_id: entry.wallet.wallet_id.as_str(),
            version: entry.version,
            position: entry.position,
            event_id: entry.event_id.to_string(),
            r#type: entry.entry_type.as_str(),
            amount: entry.amount,
            balance_after: entry.balance_after,
            currency: entry.currency,
            description: entry.description.as_ref().map(|description| description.as_str()),
            reference: entry.reference.as_ref().map(|reference| reference.as_str()),
            transfer_id: entry.transfer_id.map(|id| id.to_string()),
            counterparty_wallet_id: entry.counterparty.as_ref().map(|id| id.as_str()),
            recorded_at: rfc3339(entry.recorded_at),
        }
    }
}
