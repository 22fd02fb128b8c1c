//! `GET /transfers/{id}`: both legs of a transfer, from the ledger.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use wallex_application::TransferLegs;
use wallex_domain::{Balance, Currency, TransferId};

use crate::errors::{Errors, FieldError};
use crate::ledger_entry::LedgerEntryJson;
use crate::openapi::{CorrelationHeader, GetTransferProblems, TransferPath};
use crate::problem::Problem;
use crate::state::Api;
use crate::wallet::rfc3339;
use crate::{access, correlation, projected, query, schema};

/// A UUID with its hyphens. The other ways to write one are not the API's.
const UUID_CHARS: usize = 36;

/// A transfer: what moved, and what it did to both wallets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TransferLegs)]
struct TransferLegsJson<'t> {
    #[schema(schema_with = schema::transfer_id)]
    transfer_id: TransferId,
    #[schema(schema_with = schema::currency)]
    currency: Currency,
    #[schema(schema_with = schema::amount)]
    amount: Balance,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::description)]
    description: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reference)]
    reference: Option<&'t str>,
    #[schema(schema_with = schema::recorded_at)]
    recorded_at: String,
    /// The paying wallet's line; `null` when that event was left out of the ledger by hand.
    #[schema(required = true)]
    from: Option<LedgerEntryJson<'t>>,
    /// The receiving wallet's line; `null` when that event was left out of the ledger by hand.
    #[schema(required = true)]
    to: Option<LedgerEntryJson<'t>>,
}

/// Read a transfer
///
/// Both legs, as the ledger has them. A transfer that was just made is waited for; 404 says that
/// there was none when it was asked for, or that both legs were left out of the ledger by hand.
#[utoipa::path(
    get,
    path = "/transfers/{id}",
    operation_id = "getTransfer",
    tag = "wallets",
    params(TransferPath, CorrelationHeader),
    responses(
        (
            status = 200,
            description = "The transfer.",
            body = TransferLegsJson<'static>,
        ),
        GetTransferProblems,
    ),
)]
pub(crate) async fn get_transfer(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let mut errors = Errors::default();
    correlation::of(&req).check(&mut errors);
    query::refuse_all(&req, &mut errors);
    let id = id_in_path(&req, &mut errors);
    let transfer_id = errors.finish(id)?;

    let tenant = access::caller(&req).tenant.clone();
    let models = api.state.read_models.clone();
    let wait = api.state.operations.settings.projection_wait;
    let reading = async move {
        wallex_application::get_transfer(models.as_ref(), &tenant, transfer_id, wait).await
    };
    let found = projected::within(&api, reading)
        .await?
        .ok_or_else(|| Problem::transfer_not_found(transfer_id))?;
    let TransferLegs { from, to } = &found.value;
    // What both legs say, either does.
    let leg = from.as_ref().or(to.as_ref()).expect("invariant: a transfer that is found has a leg");
    let json = TransferLegsJson {
        transfer_id,
        currency: leg.currency,
        amount: leg.amount,
        description: leg.description.as_ref().map(|description| description.as_str()),
        reference: leg.reference.as_ref().map(|reference| reference.as_str()),
        recorded_at: rfc3339(leg.recorded_at),
        from: from.as_ref().map(LedgerEntryJson::from),
        to: to.as_ref().map(LedgerEntryJson::from),
    };
    Ok(projected::ok(&found.positions).json(json))
}

fn id_in_path(req: &HttpRequest, errors: &mut Errors) -> Option<TransferId> {
    let text = req.match_info().get("id").unwrap_or_default();
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == UUID_CHARS).map(TransferId::from);
    errors.collect(id.ok_or_else(|| FieldError::parameter("id", "must be a UUID")))
}
