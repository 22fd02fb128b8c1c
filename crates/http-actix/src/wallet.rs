//! A wallet as clients see it, and the id of one in a path.

use actix_web::HttpRequest;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::{datetime, format_description};
use tracing::Span;
use utoipa::ToSchema;
use wallex_domain::{Balance, Currency, WalletId};
use wallex_ports::{Timestamp, WalletState};

use crate::errors::{Errors, FieldError};

use crate::schema;

/// A wallet as of its last event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Wallet)]
pub(crate) struct WalletJson<'w> {
    #[schema(schema_with = schema::wallet_id)]
    id: &'w str,
    #[schema(schema_with = schema::owner_id)]
    owner_id: &'w str,
    #[schema(schema_with = schema::currency)]
    currency: Currency,
    #[schema(schema_with = schema::balance)]
    balance: Balance,
    #[schema(schema_with = schema::version)]
    version: u64,
    #[schema(schema_with = schema::created_at)]
    created_at: String,
    #[schema(schema_with = schema::updated_at)]
    updated_at: String,
}

impl<'w> From<&'w WalletState> for WalletJson<'w> {
    fn from(state: &'w WalletState) -> Self {
        let wallet = &state.wallet;
        Self {
            id: wallet.id().as_str(),
            owner_id: wallet.owner_id().as_str(),
            currency: wallet.currency(),
            balance: wallet.balance(),
            version: wallet.version(),
            created_at: rfc3339(state.created_at),
            updated_at: rfc3339(state.updated_at),
        }
    }
}

/// The entity tag of a wallet: its version.
pub(crate) fn etag(state: &WalletState) -> String {
    format!("\"{}\"", state.wallet.version())
}

/// The wallet id in the path, which the request's span then has; `None` says that what is wrong with it
/// was noted.
pub(crate) fn id_in_path(req: &HttpRequest, errors: &mut Errors) -> Option<WalletId> {
    // actix decodes the path but for `%2F`, `%25` and `%2B`; no id holds what these stand for.
    let id = req.match_info().get("id").unwrap_or_default();
    let parsed = WalletId::parse(id);
    let id =
        errors.collect(parsed.map_err(|error| FieldError::parameter("id", error.to_string())))?;
    Span::current().record("wallet.id", id.as_str());
    Some(id)
}

const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
/// RFC 3339 has four digits for a year; a time beyond them is a broken clock's.
const EARLIEST: OffsetDateTime = datetime!(0000-01-01 0:00 UTC);
const LATEST: OffsetDateTime = datetime!(9999-12-31 23:59:59.999 UTC);

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn rfc3339(timestamp: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp.unix_ms()) * 1_000_000)
        .unwrap_or(if timestamp.unix_ms() < 0 { EARLIEST } else { LATEST })
        .clamp(EARLIEST, LATEST)
        .format(MILLISECONDS)
        .expect("invariant: a date and time of four-digit years has this format")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_whatever_they_are() {
        let text = |ms| rfc3339(Timestamp::from_unix_ms(ms));
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(1_767_225_600_000), "2026-01-01T00:00:00.000Z");
        assert_eq!(text(1_767_225_600_007), "2026-01-01T00:00:00.007Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(text(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(text(i64::MIN), "0000-01-01T00:00:00.000Z");
    }
}
