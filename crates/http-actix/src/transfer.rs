//! `POST /wallets/{id}/transfer`: moves money to another wallet.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::ToSchema;
use wallex_application::{Action, TransferMoney};
use wallex_domain::{Amount, Description, Memo, Reference, WalletId};

use crate::answers::TransferJson;
use crate::command::{self, RequestBody};
use crate::fields::Fields;
use crate::movement::read_memo;
use crate::openapi::{CommandHeaders, IfMatchHeader, TransferProblems, WalletPath};
use crate::problem::Problem;
use crate::schema;
use crate::state::Api;

/// A sum that is to move to another wallet.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TransferMoney)]
pub(crate) struct TransferBody {
    /// The receiving wallet's id.
    #[schema(schema_with = schema::wallet_id)]
    to_wallet_id: WalletId,
    #[schema(schema_with = schema::amount)]
    amount: Amount,
    #[schema(schema_with = schema::description)]
    description: Option<Description>,
    #[schema(schema_with = schema::reference)]
    reference: Option<Reference>,
}

impl RequestBody for TransferBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let to_wallet_id = fields.required_text("toWalletId", WalletId::parse);
        let amount = fields.required_integer("amount", Amount::new);
        let Memo { description, reference } = read_memo(fields);
        Some(Self { to_wallet_id: to_wallet_id?, amount: amount?, description, reference })
    }
}

/// Transfer to another wallet
///
/// Both wallets change in one transaction, or neither does. `If-Match` and `ETag` speak of the
/// paying wallet, the one in the path.
#[utoipa::path(
    post,
    path = "/wallets/{id}/transfer",
    operation_id = "transfer",
    tag = "wallets",
    params(WalletPath, CommandHeaders, IfMatchHeader),
    request_body(
        content = TransferBody,
        example = json!({"toWalletId": "wallet-002", "amount": 50}),
    ),
    responses(
        (
            status = 200,
            description = "Both wallets afterwards, as they were committed.",
            body = TransferJson<'static>,
        ),
        TransferProblems,
    ),
)]
pub(crate) async fn transfer(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    command::on_wallet(&req, payload, &api, "transfer", |from, body: TransferBody| {
        let TransferBody { to_wallet_id: to, amount, description, reference } = body;
        Action::Transfer(TransferMoney { from, to, amount, memo: Memo { description, reference } })
    })
    .await
}
