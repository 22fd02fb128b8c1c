//! What every POST does: read all of the request, have the lane execute it, answer.

use std::time::Instant;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use tracing::{Instrument, Span, field, info_span, record_all};
use wallex_application::{
    Action, Answer, Command, CommandError, KeyedRequest, Precondition, RequestContext,
};
use wallex_domain::WalletId;
use wallex_ports::Route;

use crate::errors::Errors;
use crate::fields::Fields;
use crate::live::Did;
use crate::problem::Problem;
use crate::request_hash::request_hash;
use crate::state::Api;
use crate::{access, answers, body, correlation, headers, query, traceparent, wallet};

/// The body of a POST.
pub(crate) trait RequestBody: Sized {
    /// Takes its fields. `None` says that what is wrong was noted in `fields`.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

/// A request that was read whole and has nothing wrong with it.
struct Received<S, B> {
    /// What the path names.
    subject: S,
    if_match: Precondition,
    body: B,
    idempotency: Option<KeyedRequest>,
}

/// Executes a command that makes a wallet.
pub(crate) async fn create<B: RequestBody>(
    req: &HttpRequest,
    payload: Payload,
    api: &Api,
    action: impl FnOnce(B) -> Action,
) -> Result<Answer, Problem> {
    let received = receive(req, payload, api, |errors| {
        errors.collect(headers::no_if_match(req.headers())).map(|()| ((), Precondition::None))
    })
    .await?;
    let Received { subject: (), if_match, body, idempotency } = received;
    let action = action(body);
    if let Action::Create(create) = &action
        && let Some(wallet_id) = &create.wallet_id
    {
        Span::current().record("wallet.id", wallet_id.as_str());
    }
    execute(req, api, Route::create_wallet(), if_match, idempotency, action).await
}

/// Executes a command on the wallet in the path, and answers it. `name` is the path's last segment.
pub(crate) async fn on_wallet<B: RequestBody>(
    req: &HttpRequest,
    payload: Payload,
    api: &Api,
    name: &'static str,
    action: impl FnOnce(WalletId, B) -> Action,
) -> Result<HttpResponse, Problem> {
    let received = receive(req, payload, api, |errors| {
        let id = wallet::id_in_path(req, errors);
        let if_match = errors.collect(headers::if_match(req.headers()));
        id.zip(if_match)
    })
    .await?;
    let Received { subject: wallet_id, if_match, body, idempotency } = received;
    let route = Route::wallet_action(&wallet_id, name);
    let action = action(wallet_id, body);
    answers::respond(execute(req, api, route, if_match, idempotency, action).await?)
}

/// Reads all of the request before it judges, so that its sender learns everything at once.
async fn receive<S, B: RequestBody>(
    req: &HttpRequest,
    payload: Payload,
    api: &Api,
    subject: impl FnOnce(&mut Errors) -> Option<(S, Precondition)>,
) -> Result<Received<S, B>, Problem> {
    let settings = &api.state.operations.settings;
    let bytes = body::read(req, payload, settings).await?;
    let mut errors = Errors::default();
    correlation::of(req).check(&mut errors);
    query::refuse_all(req, &mut errors);
    let subject = subject(&mut errors);
    let key = errors.collect(headers::idempotency_key(req.headers()));
    if settings.require_idempotency_key && matches!(key, Some(None)) {
        errors.push_key_missing();
    }
    let mut fields = Fields::parse(&bytes, errors)?;
    let body = B::read(&mut fields);
    let (canonical, errors) = fields.finish();
    let parsed = subject.zip(body).zip(key);
    let (((subject, if_match), body), key) = errors.finish(parsed)?;
    let idempotency =
        key.map(|key| KeyedRequest { key, request_hash: request_hash(&canonical, &if_match) });
    Ok(Received { subject, if_match, body, idempotency })
}

/// Waits for the lane, for as long as the settings say. When that is over the command goes on, and
/// only its key can tell what became of it.
async fn execute(
    req: &HttpRequest,
    api: &Api,
    route: Route,
    if_match: Precondition,
    idempotency: Option<KeyedRequest>,
    action: Action,
) -> Result<Answer, Problem> {
    let correlation_id = correlation::of(req).id;
    let span = info_span!(
        "wallet.command",
        otel.name = action.name(),
        command = action.name(),
        correlation.id = correlation_id.as_str(),
        idempotency.replayed = field::Empty,
    );
    let context = RequestContext {
        tenant: access::caller(req).tenant.clone(),
        route,
        correlation_id,
        traceparent: traceparent::current(&span, req.headers()),
        span: span.clone(),
    };
    let command = Command { context, action, if_match, idempotency };
    let is_creation = matches!(command.action, Action::Create(_));
    let started = Instant::now();
    let waiting = api.state.lane.execute(command).instrument(span.clone());
    let answered =
        tokio::time::timeout(api.state.operations.settings.command_timeout, waiting).await;
    api.live.recorder.command(did(is_creation, &answered), started.elapsed());
    let answer = answered.map_err(|_| Problem::outcome_unknown())??;
    span.record("idempotency.replayed", answer.replayed);
    note(&answer);
    Ok(answer)
}

/// What a command did, by its answer.
fn did<E>(is_creation: bool, answered: &Result<Result<Answer, CommandError>, E>) -> Did {
    match answered {
        Ok(Ok(answer)) if !answer.replayed && answer.stored.status < 300 => {
            if is_creation {
                Did::Create
            } else {
                Did::Move
            }
        }
        _ => Did::Nothing,
    }
}

/// Puts what the answer says on the request's span.
fn note(answer: &Answer) {
    let stored = &answer.stored;
    let version: Option<i64> =
        stored.etag.as_deref().and_then(|tag| tag.trim_matches('"').parse().ok());
    let created = stored.location.as_deref().and_then(|path| path.rsplit('/').next());
    let request = Span::current();
    // What there is none of stays as it is.
    record_all!(
        request,
        idempotency.replayed = answer.replayed,
        stream.version = version,
        wallet.id = created,
    );
}
