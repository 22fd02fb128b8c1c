//! `GET /wallets/{id}`: one wallet, from the write side or from the read model.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use tracing::Span;
use wallex_domain::WalletId;
use wallex_ports::{WalletKey, WalletState};

use crate::errors::{Errors, FieldError};
use crate::openapi::{ConsistencyQuery, CorrelationHeader, ProjectedWalletProblems, WalletPath};
use crate::problem::Problem;
use crate::projected::{self, parse_min_version};
use crate::query::Query;
use crate::state::Api;
use crate::wallet::{WalletJson, etag, id_in_path};
use crate::{access, correlation, read};

/// Whom a wallet is read from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// The write side, which is current.
    WriteSide,
    /// The read model, at this version or later.
    ReadModel { min_version: Option<u64> },
}

/// Read a wallet
///
/// What it says is committed, and current. With `consistency=eventual` it is the read model's, a
/// moment behind, or as new as `minVersion` asks for; a wallet that was just created is waited for.
#[utoipa::path(
    get,
    path = "/wallets/{id}",
    operation_id = "getWallet",
    tag = "wallets",
    params(WalletPath, ConsistencyQuery, CorrelationHeader),
    responses(
        (
            status = 200,
            description = "The wallet.",
            body = WalletJson<'static>,
        ),
        ProjectedWalletProblems,
    ),
)]
pub(crate) async fn get_wallet(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    let (wallet_id, source) = read_request(&req)?;
    let tenant = access::caller(&req).tenant.clone();
    let key = WalletKey { tenant, wallet_id: wallet_id.clone() };
    match source {
        Source::WriteSide => current(&api, key).await?,
        Source::ReadModel { min_version } => eventual(&api, key, min_version).await?,
    }
    .ok_or_else(|| Problem::wallet_not_found(&wallet_id))
}

async fn current(api: &Api, key: WalletKey) -> Result<Option<HttpResponse>, Problem> {
    let wallets = api.state.wallets.clone();
    let reading = async move { wallex_application::get_wallet(wallets.as_ref(), key).await };
    let state = read::within(api, api.state.operations.settings.read_timeout, reading).await?;
    Ok(state.map(|state| respond(HttpResponse::Ok(), &state)))
}

async fn eventual(
    api: &Api,
    key: WalletKey,
    min_version: Option<u64>,
) -> Result<Option<HttpResponse>, Problem> {
    let (models, wallets) = (api.state.read_models.clone(), api.state.wallets.clone());
    let wait = api.state.operations.settings.projection_wait;
    let reading = async move {
        let (models, wallets) = (models.as_ref(), wallets.as_ref());
        wallex_application::get_projected_wallet(models, wallets, &key, min_version, wait).await
    };
    let found = projected::within(api, reading).await?;
    Ok(found.map(|found| respond(projected::ok(&found.positions), &found.value)))
}

fn respond(mut response: HttpResponseBuilder, state: &WalletState) -> HttpResponse {
    Span::current().record("stream.version", state.wallet.version().cast_signed());
    response.insert_header((header::ETAG, etag(state))).json(WalletJson::from(state))
}

fn read_request(req: &HttpRequest) -> Result<(WalletId, Source), Problem> {
    let mut errors = Errors::default();
    correlation::of(req).check(&mut errors);
    let id = id_in_path(req, &mut errors);
    let mut query = Query::of(req, &mut errors);
    let min_version = query.take("minVersion", parse_min_version, &mut errors);
    let is_eventual = query.take("consistency", parse_is_eventual, &mut errors).unwrap_or(false);
    if min_version.is_some() && !is_eventual {
        errors.push(FieldError::parameter(
            "minVersion",
            "needs consistency=eventual: what is current is never waited for",
        ));
    }
    let source = if is_eventual { Source::ReadModel { min_version } } else { Source::WriteSide };
    query.finish(&mut errors);
    Ok((errors.finish(id)?, source))
}

fn parse_is_eventual(text: &str) -> Result<bool, String> {
    match text {
        "current" => Ok(false),
        "eventual" => Ok(true),
        _ => Err("must be current or eventual".to_owned()),
    }
}
