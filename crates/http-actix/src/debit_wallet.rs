//! `POST /wallets/{id}/debit`: lets money go out.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_application::{Action, DebitWallet};

use crate::command;
use crate::movement::MovementBody;
use crate::openapi::{CommandHeaders, DebitProblems, IfMatchHeader, WalletPath};
use crate::problem::Problem;
use crate::state::Api;
use crate::wallet::WalletJson;

/// Debit a wallet
#[utoipa::path(
    post,
    path = "/wallets/{id}/debit",
    operation_id = "debitWallet",
    tag = "wallets",
    params(WalletPath, CommandHeaders, IfMatchHeader),
    request_body(
        content = MovementBody,
        example = json!({"amount": 50, "description": "coffee"}),
    ),
    responses(
        (
            status = 200,
            description = "The wallet afterwards, as it was committed.",
            body = WalletJson<'static>,
        ),
        DebitProblems,
    ),
)]
pub(crate) async fn debit_wallet(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    command::on_wallet(&req, payload, &api, "debit", |wallet_id, body: MovementBody| {
        Action::Debit(DebitWallet { wallet_id, amount: body.amount, memo: body.memo() })
    })
    .await
}
