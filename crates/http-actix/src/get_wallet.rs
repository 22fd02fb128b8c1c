//! `GET /wallets/{id}`: one wallet, from the write side.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use tracing::Span;
use wallex_domain::TenantId;
use wallex_ports::WalletKey;

use crate::errors::Errors;
use crate::openapi::{CorrelationHeader, ReadProblems, WalletPath};
use crate::problem::Problem;
use crate::state::Api;
use crate::wallet::{WalletJson, etag, id_in_path};
use crate::{correlation, query, read};

/// Read a wallet
///
/// What it says is committed, and current.
#[utoipa::path(
    get,
    path = "/wallets/{id}",
    operation_id = "getWallet",
    tag = "wallets",
    params(WalletPath, CorrelationHeader),
    responses(
        (
            status = 200,
            description = "The wallet.",
            body = WalletJson<'static>,
        ),
        ReadProblems,
    ),
)]
pub(crate) async fn get_wallet(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    let mut errors = Errors::default();
    correlation::of(&req).check(&mut errors);
    query::refuse_all(&req, &mut errors);
    let id = id_in_path(&req, &mut errors);
    let wallet_id = errors.finish(id)?;
    Span::current().record("wallet.id", wallet_id.as_str());

    let key = WalletKey { tenant: TenantId::default(), wallet_id: wallet_id.clone() };
    let wallets = api.state.wallets.clone();
    let reading = async move { wallex_application::get_wallet(wallets.as_ref(), key).await };
    let state = read::within(&api, api.state.settings.read_timeout, reading)
        .await?
        .ok_or_else(|| Problem::wallet_not_found(&wallet_id))?;
    Span::current().record("stream.version", state.wallet.version());
    Ok(HttpResponse::Ok()
        .insert_header((header::ETAG, etag(&state)))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(WalletJson::from(&state)))
}
