//! `POST /wallets/{id}/credit`: lets money come in.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_application::{Action, CreditWallet};

use crate::command;
use crate::movement::MovementBody;
use crate::openapi::{CommandHeaders, CreditProblems, IfMatchHeader, WalletPath};
use crate::problem::Problem;
use crate::state::Api;
use crate::wallet::WalletJson;

/// Credit a wallet
#[utoipa::path(
    post,
    path = "/wallets/{id}/credit",
    operation_id = "creditWallet",
    tag = "wallets",
    params(WalletPath, CommandHeaders, IfMatchHeader),
    request_body(
        content = MovementBody,
        example = json!({"amount": 250, "description": "top-up", "reference": "inv-7"}),
    ),
    responses(
        (
            status = 200,
            description = "The wallet afterwards, as it was committed.",
            body = WalletJson<'static>,
        ),
        CreditProblems,
    ),
)]
pub(crate) async fn credit_wallet(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    command::on_wallet(&req, payload, &api, "credit", |wallet_id, body: MovementBody| {
        Action::Credit(CreditWallet { wallet_id, amount: body.amount, memo: body.memo() })
    })
    .await
}
