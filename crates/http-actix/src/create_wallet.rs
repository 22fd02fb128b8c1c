//! `POST /wallets`: opens a wallet.

use std::time::Instant;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::ToSchema;
use wallex_application::{Action, CreateWallet};
use wallex_domain::{Balance, Currency, OwnerId, WalletId};

use crate::command::RequestBody;
use crate::fields::Fields;
use crate::openapi::{CommandHeaders, CreateProblems};
use crate::problem::Problem;
use crate::state::Api;
use crate::wallet::WalletJson;
use crate::{answers, command, metric_names, schema};

/// The wallet to open.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateWallet)]
pub(crate) struct CreateWalletBody {
    /// The wallet's id. Without one the server makes a UUIDv7.
    #[schema(schema_with = schema::wallet_id)]
    wallet_id: Option<WalletId>,
    #[schema(schema_with = schema::owner_id)]
    owner_id: OwnerId,
    #[schema(schema_with = schema::new_currency)]
    currency: Option<Currency>,
    #[schema(schema_with = schema::initial_balance)]
    initial_balance: Option<Balance>,
}

impl RequestBody for CreateWalletBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let wallet_id = fields.optional_text("walletId", WalletId::parse);
        let owner_id = fields.required_text("ownerId", OwnerId::parse);
        let currency = fields.optional_text("currency", |code| Currency::parse(&code));
        let initial_balance = fields.optional_integer("initialBalance", Balance::new);
        Some(Self { wallet_id, owner_id: owner_id?, currency, initial_balance })
    }
}

impl From<CreateWalletBody> for Action {
    fn from(body: CreateWalletBody) -> Self {
        Self::Create(CreateWallet {
            wallet_id: body.wallet_id,
            owner_id: body.owner_id,
            currency: body.currency,
            initial_balance: body.initial_balance.unwrap_or(Balance::ZERO),
        })
    }
}

/// Open a wallet
///
/// Its first event carries the initial balance, so its version is 1.
#[utoipa::path(
    post,
    path = "/wallets",
    operation_id = "createWallet",
    tag = "wallets",
    params(CommandHeaders),
    request_body(
        content = CreateWalletBody,
        example = json!({"walletId": "wallet-001", "ownerId": "user-001", "initialBalance": 100}),
    ),
    responses(
        (
            status = 201,
            description = "The wallet, as it was committed.",
            body = WalletJson<'static>,
        ),
        CreateProblems,
    ),
)]
pub(crate) async fn create_wallet(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let started = Instant::now();
    let answer = command::create(&req, payload, &api, |body: CreateWalletBody| body.into()).await?;
    if answer.stored.status == 201 && !answer.replayed {
        let elapsed_ms = started.elapsed().as_secs_f64() * 1_000.0;
        metrics::histogram!(metric_names::WALLET_CREATE_DURATION).record(elapsed_ms);
    }
    answers::respond(answer)
}
