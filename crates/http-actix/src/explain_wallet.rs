//! `GET /wallets/{id}/explanation`: what a wallet's balance is made of, and how far each projection
//! has come with it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use wallex_application::{BalancePart, ExplainPorts, ProjectionOfWallet, WalletExplanation};
use wallex_domain::{Balance, Currency};
use wallex_ports::WalletKey;

use crate::errors::Errors;
use crate::openapi::{CorrelationHeader, ExplanationProblems, WalletPath};
use crate::problem::Problem;
use crate::query::Query;
use crate::state::Api;
use crate::wallet::{id_in_path, rfc3339};
use crate::{access, correlation, read, schema};

/// Events that are read for one answer, at most: about a second's work.
const EVENTS_MAX: u64 = 100_000;

/// What a balance is made of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Explanation)]
struct ExplanationJson<'e> {
    #[schema(schema_with = schema::wallet_id)]
    wallet_id: &'e str,
    #[schema(schema_with = schema::owner_id)]
    owner_id: &'e str,
    #[schema(schema_with = schema::currency)]
    currency: Currency,
    #[schema(schema_with = schema::balance)]
    balance: Balance,
    #[schema(schema_with = schema::version)]
    version: u64,
    #[schema(schema_with = schema::created_at)]
    opened_at: String,
    #[schema(schema_with = schema::updated_at)]
    updated_at: String,
    /// Whether the sums make the balance. They do unless somebody else than Wallex has written to the
    /// database: check for drift then.
    adds_up: bool,
    #[schema(schema_with = schema::unreadable_version, required = true)]
    unreadable_version: Option<u64>,
    /// The events up to `version` by what they did; what never happened is left out.
    made_of: Vec<PartJson>,
    /// How far each projection has come with this wallet.
    projections: Vec<ProjectionJson<'e>>,
}

/// Events of one type.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = BalancePart)]
struct PartJson {
    #[schema(schema_with = schema::entry_type)]
    r#type: &'static str,
    /// How many there are.
    #[schema(minimum = 1)]
    count: u64,
    #[schema(schema_with = schema::part_sum)]
    sum: String,
}

/// How far one projection has come with a wallet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ProjectionOfWallet)]
struct ProjectionJson<'e> {
    #[schema(schema_with = schema::projector_of_wallet)]
    projector: &'e str,
    /// The version of the wallet that it has; 0 when it has nothing of it yet.
    version: u64,
    /// The wallet's events that it has not applied.
    behind_events: u64,
    /// The position that its projector has come to, in the wallet's shard.
    position: u64,
    /// The position of the last event of the wallet's shard.
    head: u64,
    #[schema(schema_with = schema::projection_state)]
    state: &'static str,
    #[schema(schema_with = schema::parked_at_version, required = true)]
    parked_version: Option<u64>,
}

impl<'e> From<&'e WalletExplanation> for ExplanationJson<'e> {
    fn from(explanation: &'e WalletExplanation) -> Self {
        let state = &explanation.state;
        let wallet = &state.wallet;
        let projection = |projection| ProjectionJson::new(projection, wallet.version());
        Self {
            wallet_id: wallet.id().as_str(),
            owner_id: wallet.owner_id().as_str(),
            currency: wallet.currency(),
            balance: wallet.balance(),
            version: wallet.version(),
            opened_at: rfc3339(state.created_at),
            updated_at: rfc3339(state.updated_at),
            adds_up: explanation.adds_up(),
            unreadable_version: explanation.unreadable_version,
            made_of: explanation.parts.iter().map(PartJson::from).collect(),
            projections: explanation.projections.iter().map(projection).collect(),
        }
    }
}

impl From<&BalancePart> for PartJson {
    fn from(part: &BalancePart) -> Self {
        Self { r#type: part.entry_type.as_str(), count: part.count, sum: part.sum.to_string() }
    }
}

impl<'e> ProjectionJson<'e> {
    fn new(projection: &'e ProjectionOfWallet, version: u64) -> Self {
        let ProjectionOfWallet { status, parked_version, .. } = projection;
        Self {
            projector: &status.projector,
            version: projection.version,
            behind_events: version.saturating_sub(projection.version),
            position: status.position,
            head: status.head,
            state: if parked_version.is_some() { "parked" } else { status.state.as_str() },
            parked_version: *parked_version,
        }
    }
}

/// Explain a balance
///
/// The wallet's events by what they did, whose sums make the balance, and how far each projection has
/// come with this wallet. The balance is current. Of a wallet with more than 100,000 events no
/// explanation is made.
#[utoipa::path(
    get,
    path = "/wallets/{id}/explanation",
    operation_id = "explainWallet",
    tag = "wallets",
    params(WalletPath, CorrelationHeader),
    responses(
        (status = 200, description = "The explanation.", body = ExplanationJson<'static>),
        ExplanationProblems,
    ),
)]
pub(crate) async fn explain_wallet(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let mut errors = Errors::default();
    correlation::of(&req).check(&mut errors);
    let id = id_in_path(&req, &mut errors);
    Query::of(&req, &mut errors).finish(&mut errors);
    let wallet_id = errors.finish(id)?;
    let tenant = access::caller(&req).tenant.clone();
    let key = WalletKey { tenant, wallet_id: wallet_id.clone() };
    let state = api.state.clone();
    let reading = async move {
        let ports = ExplainPorts {
            wallets: state.wallets.as_ref(),
            events: state.events.as_ref(),
            read_models: state.read_models.as_ref(),
            projectors: state.projectors.as_ref(),
            dead_letters: state.dead_letters.as_ref(),
        };
        wallex_application::explain_wallet(ports, &key, EVENTS_MAX).await
    };
    let explanation = read::within(&api, api.state.operations.settings.read_timeout, reading)
        .await?
        .ok_or_else(|| Problem::wallet_not_found(&wallet_id))?;
    Ok(HttpResponse::Ok().json(ExplanationJson::from(&explanation)))
}
