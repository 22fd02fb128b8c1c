//! `GET /wallets/{id}/ledger`: what every event did to a wallet, newest first.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use wallex_application::LedgerPage;
use wallex_domain::WalletId;
use wallex_ports::{EntryType, LedgerFilter, Timestamp, WalletKey};

use crate::cursor::LEDGER;
use crate::errors::{Errors, FieldError};
use crate::ledger_entry::LedgerEntryJson;
use crate::openapi::{CorrelationHeader, LedgerQuery, ProjectedWalletProblems, WalletPath};
use crate::page::{LIMIT_DEFAULT, parse_limit};
use crate::problem::Problem;
use crate::projected::{self, parse_min_version};
use crate::query::Query;
use crate::state::Api;
use crate::wallet::id_in_path;
use crate::{access, correlation, schema};

const NANOSECONDS_PER_MS: i128 = 1_000_000;

/// One page of a wallet's ledger.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LedgerPage)]
struct LedgerPageJson<'e> {
    /// The lines, newest first.
    #[schema(max_items = 200)]
    items: Vec<LedgerEntryJson<'e>>,
    /// Where the next page begins; `null` on the last page.
    #[schema(schema_with = schema::next_ledger_cursor, required = true)]
    next_cursor: Option<String>,
}

impl<'e> From<&'e LedgerPage> for LedgerPageJson<'e> {
    fn from(page: &'e LedgerPage) -> Self {
        Self {
            items: page.entries.iter().map(LedgerEntryJson::from).collect(),
            next_cursor: page.next_below.map(|version| LEDGER.encode(version)),
        }
    }
}

/// List a wallet's ledger
///
/// Newest first, as the ledger has it: a moment behind the commands. Follow `nextCursor` until it
/// is `null`: lines that come meanwhile are on no later page. With `type`, `from` or `to`, a page
/// looks at 5,000 versions at most: it may be short, or empty, and not be the last. A wallet that was just created is
/// waited for.
#[utoipa::path(
    get,
    path = "/wallets/{id}/ledger",
    operation_id = "listLedger",
    tag = "wallets",
    params(WalletPath, LedgerQuery, CorrelationHeader),
    responses(
        (
            status = 200,
            description = "One page of the ledger.",
            body = LedgerPageJson<'static>,
        ),
        ProjectedWalletProblems,
    ),
)]
pub(crate) async fn list_ledger(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    let (wallet_id, query) = read_request(&req)?;

    let tenant = access::caller(&req).tenant.clone();
    let key = WalletKey { tenant, wallet_id: wallet_id.clone() };
    let (models, wallets) = (api.state.read_models.clone(), api.state.wallets.clone());
    let wait = api.state.operations.settings.projection_wait;
    let reading = async move {
        let (models, wallets) = (models.as_ref(), wallets.as_ref());
        wallex_application::list_ledger(models, wallets, &key, &query, wait).await
    };
    let page = projected::within(&api, reading)
        .await?
        .ok_or_else(|| Problem::wallet_not_found(&wallet_id))?;
    Ok(projected::ok(&page.positions).json(LedgerPageJson::from(&page.value)))
}

fn read_request(req: &HttpRequest) -> Result<(WalletId, wallex_application::LedgerQuery), Problem> {
    let mut errors = Errors::default();
    correlation::of(req).check(&mut errors);
    let id = id_in_path(req, &mut errors);
    let mut query = Query::of(req, &mut errors);
    let from = query.take("from", parse_time, &mut errors);
    let to = query.take("to", parse_time, &mut errors);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        errors.push(FieldError::parameter("to", "must be later than from"));
    }
    let asked = wallex_application::LedgerQuery {
        filter: LedgerFilter {
            below_version: query.take("cursor", |text| LEDGER.decode(text), &mut errors),
            from_version: None,
            from: from.map(first_ms_at),
            to: to.map(first_ms_at),
            entry_type: query.take("type", parse_type, &mut errors),
        },
        limit: query.take("limit", parse_limit, &mut errors).unwrap_or(LIMIT_DEFAULT),
        min_version: query.take("minVersion", parse_min_version, &mut errors),
    };
    query.finish(&mut errors);
    Ok((errors.finish(id)?, asked))
}

fn parse_type(text: &str) -> Result<EntryType, String> {
    EntryType::parse(text).ok_or_else(|| {
        let names = EntryType::ALL.map(EntryType::as_str);
        format!("must be one of {}", names.join(", "))
    })
}

fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        "must be a time as RFC 3339 has it, 2026-01-01T00:00:00Z for one; a + is written %2B"
            .to_owned()
    })
}

/// The first whole millisecond that is not before `time`. Times are recorded in milliseconds: what
/// is not before `time` is not before that either, and the other way round.
fn first_ms_at(time: OffsetDateTime) -> Timestamp {
    let nanoseconds = time.unix_timestamp_nanos();
    let ms = nanoseconds.div_euclid(NANOSECONDS_PER_MS)
        + i128::from(nanoseconds.rem_euclid(NANOSECONDS_PER_MS) != 0);
    let ms = i64::try_from(ms).expect("invariant: years of four digits fit");
    Timestamp::from_unix_ms(ms)
}

/// The time that `text` is, in Unix milliseconds.
#[cfg(any(test, fuzzing))]
pub(crate) fn ms_of(text: &str) -> Option<i64> {
    parse_time(text).map(|time| first_ms_at(time).unix_ms()).ok()
}

#[cfg(test)]
mod tests {
    use super::ms_of as ms;

    #[test]
    fn times_have_any_offset_and_any_precision() {
        assert_eq!(ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(ms("1970-01-01T02:00:00+02:00"), Some(0));
        assert_eq!(ms("1969-12-31T23:30:00.007-00:30"), Some(7));
        assert_eq!(ms("1970-01-01T00:00:00.0070001Z"), Some(8));
        assert_eq!(ms("1969-12-31T23:59:59.9991Z"), Some(0));
        assert!(ms("0000-01-01T00:00:00+23:59").is_some());
        assert!(ms("9999-12-31T23:59:59.999999999-23:59").is_some());
        for bad in [
            "",
            "now",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "1767225600",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00 01:00",
        ] {
            assert_eq!(ms(bad), None, "{bad:?}");
        }
    }
}
