//! What the routes that begin an operation share.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use wallex_domain::{TenantId, WalletId};
use wallex_ports::{
    Caller, MAX_SHARDS, Missing, OperationKind, Recovery as _, Scope, ShardPosition, StartError,
    WalletKey,
};

use super::json::OperationJson;
use super::{receive, schemas};
use crate::access;
use crate::code::Code;
use crate::errors::FieldError;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::state::Api;

/// Which wallets: all when the body is empty or missing.
pub(super) struct ScopeBody;

impl PartialSchema for ScopeBody {
    fn schema() -> RefOr<Schema> {
        schemas::scope().into()
    }
}

impl ToSchema for ScopeBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "RecoveryScope".into()
    }
}

/// Takes the scope that is asked for. A wallet is one of the tenant `own`, unless another is named.
pub(super) fn read_scope(fields: &mut Fields<'_>, own: &TenantId) -> Option<Scope> {
    let named = ["walletId", "shard", "fromPosition"].map(|name| fields.has(name));
    let with_tenant = fields.has("tenant");
    let tenant = fields.optional_text("tenant", TenantId::parse);
    if with_tenant && !named[0] {
        fields.note(FieldError::field("tenant", "must stand beside walletId"));
        return None;
    }
    let wallet_id = fields.optional_text("walletId", WalletId::parse);
    let shard = fields.optional_integer("shard", parse_shard);
    let position = fields.optional_integer("fromPosition", parse_position);
    match named {
        [false, false, false] => Some(Scope::All),
        [true, false, false] => {
            let tenant = tenant.unwrap_or_else(|| own.clone());
            wallet_id.map(|wallet_id| Scope::Wallet(WalletKey { tenant, wallet_id }))
        }
        [false, with_shard, true] => {
            let shard = if with_shard { shard? } else { 0 };
            Some(Scope::Since(ShardPosition { shard, position: position? }))
        }
        [false, true, false] => {
            fields.note(FieldError::field("fromPosition", "is required beside shard"));
            None
        }
        [true, _, _] => {
            let detail = "must stand alone: name a wallet, or where to begin in a shard";
            fields.note(FieldError::field("walletId", detail));
            None
        }
    }
}

fn parse_shard(shard: i64) -> Result<u16, String> {
    let max = MAX_SHARDS - 1;
    u16::try_from(shard)
        .ok()
        .filter(|shard| *shard <= max)
        .ok_or_else(|| format!("must be from 0 to {max}"))
}

fn parse_position(position: i64) -> Result<u64, String> {
    let max = schemas::POSITION_MAX;
    u64::try_from(position)
        .ok()
        .filter(|_| (1..=max).contains(&position))
        .ok_or_else(|| format!("must be from 1 to {max}"))
}

/// Whether an operation of `scope` is there for a caller.
pub(super) fn sees(caller: &Caller, scope: &Scope) -> bool {
    match scope {
        Scope::Wallet(wallet) => caller.sees(&wallet.tenant),
        Scope::All | Scope::Since(_) => caller.is_operator(),
    }
}

/// Begins an operation; the answer says where to ask how far it has come.
pub(super) async fn begin(
    req: &HttpRequest,
    api: &Api,
    kind: OperationKind,
    scope: Scope,
) -> Result<HttpResponse, Problem> {
    let caller = access::caller(req);
    match &scope {
        Scope::All | Scope::Since(_) => access::require_operator(&caller)?,
        // As one that is not there.
        Scope::Wallet(_) if !sees(&caller, &scope) => {
            return Err(StartError::NoSuch(Missing::Wallet).into());
        }
        Scope::Wallet(_) => {}
    }
    let recovery = receive::audited(req, api, &api.state.recovery);
    let working = async move { recovery.begin(kind, scope).await };
    let begun =
        receive::carry_out(api, api.state.operations.settings.command_timeout, working).await;
    let operation = begun.map_err(|problem| match problem.code() {
        // It may be about another tenant's wallet.
        Code::OperationRunning if !caller.is_operator() => Problem::another_running(),
        _ => problem,
    })?;
    Ok(HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/admin/operations/{}", operation.id)))
        .json(OperationJson::from(&operation)))
}
