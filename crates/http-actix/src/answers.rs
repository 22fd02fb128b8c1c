//! The answers to commands, encoded before they are committed and repeated byte for byte.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;
use wallex_application::{Answer, AnswerEncoder, Decision, RequestContext, Success};
use wallex_domain::TransferId;
use wallex_ports::{Route, StoredAnswer, WalletState};

use crate::problem::{PROBLEM_JSON, Problem};
use crate::schema;
use crate::wallet::{WalletJson, etag};

/// What says that an answer was given before.
pub(crate) const IDEMPOTENCY_REPLAYED: &str = "Idempotency-Replayed";

/// Both wallets of a transfer, after it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Transfer)]
pub(crate) struct TransferJson<'w> {
    #[schema(schema_with = schema::transfer_id)]
    transfer_id: TransferId,
    /// The paying wallet.
    from_wallet: WalletJson<'w>,
    /// The receiving wallet.
    to_wallet: WalletJson<'w>,
}

/// Encodes decisions as the JSON, the status and the headers of the REST API.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonAnswers;

impl AnswerEncoder for JsonAnswers {
    fn encode(&self, context: &RequestContext, decision: &Decision) -> StoredAnswer {
        match decision {
            Ok(Success::Created(state)) => StoredAnswer {
                location: Some(format!("/wallets/{}", state.wallet.id())),
                ..success(StatusCode::CREATED, state, &WalletJson::from(state))
            },
            Ok(Success::Moved(state)) => success(StatusCode::OK, state, &WalletJson::from(state)),
            Ok(Success::Transferred { transfer_id, from, to }) => {
                let transfer = TransferJson {
                    transfer_id: *transfer_id,
                    from_wallet: from.into(),
                    to_wallet: to.into(),
                };
                success(StatusCode::OK, from, &transfer)
            }
            Err(refusal) => {
                let problem = Problem::from(refusal);
                let instance = path_of(&context.route);
                StoredAnswer {
                    status: problem.code().status().as_u16(),
                    etag: None,
                    location: None,
                    body: problem.json(instance, context.correlation_id.as_str()).into(),
                }
            }
        }
    }
}

/// The answer `body`, with the entity tag of `state`.
fn success(status: StatusCode, state: &WalletState, body: &impl Serialize) -> StoredAnswer {
    let body = serde_json::to_string(body)
        .expect("invariant: strings, integers and flat structs always serialise");
    StoredAnswer {
        status: status.as_u16(),
        etag: Some(etag(state)),
        location: None,
        body: body.into(),
    }
}

/// The path of a route, without its method.
fn path_of(route: &Route) -> &str {
    route.as_str().split_once(' ').map_or(route.as_str(), |(_method, path)| path)
}

/// The response that `answer` is.
///
/// # Errors
/// `internal` when what is stored is no HTTP status, which nothing but a damaged record has.
pub(crate) fn respond(answer: Answer) -> Result<HttpResponse, Problem> {
    let Answer { stored, replayed } = answer;
    let status = StatusCode::from_u16(stored.status).map_err(|error| Problem::internal(&error))?;
    let mut response = HttpResponse::build(status);
    let is_problem = status.is_client_error() || status.is_server_error();
    response.content_type(if is_problem { PROBLEM_JSON } else { "application/json" });
    if let Some(etag) = stored.etag {
        response.insert_header((header::ETAG, etag));
    }
    if let Some(location) = stored.location {
        response.insert_header((header::LOCATION, location));
    }
    if replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.body(stored.body.into_bytes()))
}
