//! `GET /wallets?ownerId=…`: an owner's wallets, from the read model.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use wallex_application::WalletPage;
use wallex_domain::OwnerId;

use crate::cursor::WalletCursors;
use crate::errors::Errors;
use crate::openapi::{CorrelationHeader, ListWalletsProblems, WalletsQuery};
use crate::page::{LIMIT_DEFAULT, parse_limit};
use crate::problem::Problem;
use crate::query::Query;
use crate::state::Api;
use crate::wallet::WalletJson;
use crate::{access, correlation, projected, read, schema};

/// One page of an owner's wallets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = WalletPage)]
struct WalletPageJson<'w> {
    /// The wallets, in the order of their ids.
    #[schema(max_items = 200)]
    items: Vec<WalletJson<'w>>,
    /// Where the next page begins; `null` on the last page.
    #[schema(schema_with = schema::next_wallets_cursor, required = true)]
    next_cursor: Option<String>,
}

impl<'w> From<&'w WalletPage> for WalletPageJson<'w> {
    fn from(page: &'w WalletPage) -> Self {
        Self {
            items: page.wallets.iter().map(WalletJson::from).collect(),
            next_cursor: page.next_after.as_ref().map(WalletCursors::encode),
        }
    }
}

/// List an owner's wallets
///
/// In the order of their ids, as the read model has them: a moment behind the commands. An owner
/// without wallets has an empty page. Follow `nextCursor` until it is `null`.
#[utoipa::path(
    get,
    path = "/wallets",
    operation_id = "listWallets",
    tag = "wallets",
    params(WalletsQuery, CorrelationHeader),
    responses(
        (
            status = 200,
            description = "One page of the owner's wallets.",
            body = WalletPageJson<'static>,
        ),
        ListWalletsProblems,
    ),
)]
pub(crate) async fn list_wallets(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let mut errors = Errors::default();
    correlation::of(&req).check(&mut errors);
    let mut query = Query::of(&req, &mut errors);
    let parse_owner = |text: &str| OwnerId::parse(text).map_err(|error| error.to_string());
    let owner_id = query.require("ownerId", parse_owner, &mut errors);
    let limit = query.take("limit", parse_limit, &mut errors).unwrap_or(LIMIT_DEFAULT);
    let after = query.take("cursor", WalletCursors::decode, &mut errors);
    query.finish(&mut errors);
    let owner_id = errors.finish(owner_id)?;

    let tenant = access::caller(&req).tenant.clone();
    let models = api.state.read_models.clone();
    let reading = async move {
        let (models, after) = (models.as_ref(), after.as_ref());
        wallex_application::list_wallets(models, &tenant, &owner_id, after, limit).await
    };
    let page = read::within(&api, api.state.operations.settings.read_timeout, reading).await?;
    Ok(projected::ok(&page.positions).json(WalletPageJson::from(&page.value)))
}
