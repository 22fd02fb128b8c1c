//! What every admin request goes through: all of it is read before it is judged, the database is
//! worked with on the runtime that owns its connections, and what is done stands in the audit log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Payload;
use tracing::Span;
use wallex_application::Audited;
use wallex_domain::{TenantId, WalletId};
use wallex_ports::{Actor, Caller, DeadLetterError, WalletKey};

use crate::errors::{Errors, FieldError};
use crate::fields::Fields;
use crate::problem::Problem;
use crate::query::Query;
use crate::state::Api;
use crate::{access, body, correlation, read};

/// What stands for a body that was not sent.
const NOTHING: &[u8] = b"{}";
/// The longest name of a projector, in characters.
const PROJECTOR_CHARS_MAX: usize = 64;

/// Reads a GET: `subject` takes what the path names, and from the query what the route has.
pub(super) fn read<T>(
    req: &HttpRequest,
    subject: impl FnOnce(&mut Query, &mut Errors) -> Option<T>,
) -> Result<T, Problem> {
    let mut errors = Errors::default();
    correlation::of(req).check(&mut errors);
    let mut query = Query::of(req, &mut errors);
    let subject = subject(&mut query, &mut errors);
    query.finish(&mut errors);
    errors.finish(subject)
}

/// Reads a POST: `subject` takes what the path names, and from the query what the route has, `fields`
/// what the body holds. A body that is not sent is one without fields.
pub(super) async fn write<S, B>(
    req: &HttpRequest,
    payload: Payload,
    api: &Api,
    subject: impl FnOnce(&mut Query, &mut Errors) -> Option<S>,
    fields: impl FnOnce(&mut Fields<'_>) -> Option<B>,
) -> Result<(S, B), Problem> {
    let bytes = body::read_optional(req, payload, &api.state.operations.settings).await?;
    let mut errors = Errors::default();
    correlation::of(req).check(&mut errors);
    let mut query = Query::of(req, &mut errors);
    let subject = subject(&mut query, &mut errors);
    query.finish(&mut errors);
    let mut members = Fields::parse(if bytes.is_empty() { NOTHING } else { &bytes }, errors)?;
    let body = fields(&mut members);
    let (_, errors) = members.finish();
    errors.finish(subject.zip(body))
}

/// A route whose path names nothing.
pub(super) fn nothing_named(_: &mut Query, _: &mut Errors) -> Option<()> {
    Some(())
}

/// A route whose body holds nothing.
pub(super) fn no_fields(_: &mut Fields<'_>) -> Option<()> {
    Some(())
}

/// The part `name` of the path.
pub(super) fn in_path<T, E: fmt::Display>(
    req: &HttpRequest,
    name: &str,
    errors: &mut Errors,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = req.match_info().get(name).unwrap_or_default();
    errors.collect(parse(text).map_err(|error| FieldError::parameter(name, error.to_string())))
}

/// The projector in the path.
pub(super) fn projector_in_path(req: &HttpRequest, errors: &mut Errors) -> Option<String> {
    in_path(req, "name", errors, parse_projector)
}

/// The tenant in the query.
pub(super) fn tenant_in_query(query: &mut Query, errors: &mut Errors) -> Option<TenantId> {
    query.take("tenant", parse_tenant, errors)
}

pub(super) fn parse_tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|error| error.to_string())
}

/// The dead letter in the path, of the tenant in the query or the caller's.
pub(super) fn letter_in_path(
    req: &HttpRequest,
    query: &mut Query,
    errors: &mut Errors,
) -> Option<(String, WalletKey)> {
    let tenant = tenant_in_query(query, errors);
    let tenant = tenant.unwrap_or_else(|| access::caller(req).tenant.clone());
    let projector = in_path(req, "projector", errors, parse_projector);
    let wallet_id = in_path(req, "walletId", errors, |id| WalletId::parse(id));
    let (projector, wallet_id) = projector.zip(wallet_id)?;
    Span::current().record("wallet.id", wallet_id.as_str());
    Some((projector, WalletKey { tenant, wallet_id }))
}

/// Refuses a wallet of another tenant, in the words for one that is not parked.
pub(super) fn check_letter(caller: &Caller, wallet: &WalletKey) -> Result<(), Problem> {
    if caller.sees(&wallet.tenant) { Ok(()) } else { Err(DeadLetterError::NotParked.into()) }
}

/// A text that may be a projector's name.
pub(super) fn parse_projector(name: &str) -> Result<String, String> {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && name.len() <= PROJECTOR_CHARS_MAX && name.bytes().all(letters) {
        return Ok(name.to_owned());
    }
    Err(format!("must be 1 to {PROJECTOR_CHARS_MAX} of a-z 0-9 _, beginning with a letter"))
}

/// A port as the caller of a request uses it: what it does stands in the audit log.
pub(super) fn audited<P: ?Sized>(req: &HttpRequest, api: &Api, port: &Arc<P>) -> Audited<P> {
    let id = access::caller(req).id.clone();
    let actor = Actor { id, correlation_id: Some(correlation::of(req).id) };
    Audited::new(Arc::clone(port), Arc::clone(&api.state.audit), actor)
}

/// The outcome of `working`, which goes on when the client goes away, or when it takes longer than
/// `timeout`: nothing is left half done.
pub(super) async fn carry_out<T, E>(
    api: &Api,
    timeout: Duration,
    working: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Send + 'static,
    Problem: From<E>,
{
    let done = read::spawned(api, timeout, working, |_| Problem::still_under_way()).await;
    done.map_err(Problem::of_work)
}
